"""
What the tables refuse by themselves: amounts out of bounds, and sums that do not add up (A2).

A table has few constraints, and each says much: PostgreSQL reads and prepares every one of them anew
for every row that is written, which for one constraint a column took half of an update's time.
"""

from typing import Any, Final, final

from sqlalchemy import CheckConstraint
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement

from storecredit.ledger import INFLOWS, OUTFLOWS

MOST: Final = 2**63 - 1
"""The largest amount or sum, in minor units (V2)."""


def bounded(table: str, *columns: str) -> CheckConstraint:
    """Require that no amount in *columns* is negative; their type keeps the upper end (V2)."""
    return CheckConstraint(NoneNegative(columns), name=f"{table}_bounded")


def conserved(table: str) -> CheckConstraint:
    """Require that what came in is what left and what is still there (A2)."""
    return CheckConstraint(Conservation(), name=f"{table}_conserved")


@final
class NoneNegative(ColumnElement[bool]):
    """The least of some columns, none of which may be null, is not negative."""

    inherit_cache = False

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns: Final = columns


@final
class Conservation(ColumnElement[bool]):
    """The totals of an account add up; written so that no sum overflows on the way."""

    inherit_cache = True


@compiles(NoneNegative)
def _least(element: NoneNegative, compiler: SQLCompiler, **_: Any) -> str:
    if len(element.columns) == 1:
        return f"{element.columns[0]} >= 0"
    if compiler.dialect.name == "sqlite":
        # There, texts sort behind all numbers: the least would hide one.
        return " AND ".join(f"{column} >= 0" for column in element.columns)
    return f"LEAST({', '.join(element.columns)}) >= 0"


@compiles(Conservation)
def _added_up(element: Conservation, compiler: SQLCompiler, **_: Any) -> str:  # noqa: ARG001 - SQLAlchemy passes it
    """
    Compare what came in with what left.

    The plain sums of amounts near the largest would overflow. Decimals do not; SQLite, which has
    none and would go on with floats, adds the upper and the lower 32 bits apart.
    """
    if compiler.dialect.name == "sqlite":
        upper, lower = _split(">> 32"), _split("& 4294967295")
        return f"{upper} * 4294967296 = -{lower}"
    came = " + ".join(f"CAST({name} AS DECIMAL(25))" for name in INFLOWS)
    left = " + ".join(f"CAST({name} AS DECIMAL(25))" for name in (*OUTFLOWS, "balance"))
    if compiler.dialect.name == "postgresql":
        # The first decimal of a sum makes decimals of the others; fewer casts are sooner read.
        came = " + ".join((f"CAST({INFLOWS[0]} AS NUMERIC)", *INFLOWS[1:]))
        left = " + ".join((f"CAST({OUTFLOWS[0]} AS NUMERIC)", *OUTFLOWS[1:], "balance"))
    return f"({came}) = ({left})"


def _split(part: str) -> str:
    came = " + ".join(f"({name} {part})" for name in INFLOWS)
    left = " - ".join(f"({name} {part})" for name in (*OUTFLOWS, "balance"))
    return f"({came} - {left})"
