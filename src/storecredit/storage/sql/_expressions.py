"""Parts that statements are put together from, and what compiles them once."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Dialect,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    and_,
    bindparam,
    or_,
    select,
)

from storecredit.storage.sql._compiled import Statement, compiled
from storecredit.storage.sql._types import Octets, Whole
from storecredit.storage.sql.schema import Tables


class Selects:
    """
    Statements that read from the tables, each compiled when it is first used.

    Args:
        locks: Whether accounts are locked as they are loaded.

        latest: Whether everything is read under a lock, because the engine would show what was
            there when the transaction began.

        retried: Whether the library itself begins a transaction anew that meets a conflict.
    """

    def __init__(
        self,
        tables: Tables,
        dialect: Dialect,
        *,
        locks: bool,
        latest: bool,
        retried: bool = False,
    ) -> None:
        self.tables: Final = tables
        self.dialect: Final = dialect
        self.retried: Final = retried
        self.locks: Final = locks and dialect.name != "sqlite"
        self.latest: Final = latest

    def make(self, element: Any, *names: str) -> Statement:
        """Compile *element*, whose parameters are given in the order of *names*."""
        return compiled(element, tuple(f"p_{name}" for name in names), self.dialect)

    def read(self, found: Any, *names: str) -> Statement:
        """Compile a statement that reads what a decision is built on."""
        return self.make(found.with_for_update(read=True) if self.latest else found, *names)


def parameter(name: str, column: Any) -> BindParameter[Any]:
    """
    Make the placeholder of a value of *column*.

    Its type has no length: where a driver writes the type beside the value, a length would cut
    the value off.
    """
    kind = column.type
    if isinstance(kind, Octets):
        return bindparam(f"p_{name}", type_=LargeBinary())
    if isinstance(kind, Whole | SmallInteger):
        return bindparam(f"p_{name}", type_=BigInteger())
    return bindparam(f"p_{name}", type_=String())


def limit() -> BindParameter[int]:
    """Make the placeholder of how many rows a page has."""
    return bindparam("p_limit", type_=BigInteger())


def columns(table: Table, names: Iterable[str]) -> list[Any]:
    """Return the columns with those names."""
    return [table.c[name] for name in names]


def equal(table: Table, *names: str) -> list[ColumnElement[bool]]:
    """Require of each of those columns that it is what is given under its name."""
    return [table.c[name] == parameter(name, table.c[name]) for name in names]


def of_account(table: Table, names: Iterable[str]) -> Any:
    """Select columns of the rows of one account: wallet and unit."""
    return select(*columns(table, names)).where(*equal(table, "wallet", "unit"))


def next_page(found: Any, table: Table) -> Any:
    """Go on after a wallet and a unit, in the order of the ids of accounts."""
    wallet, unit = table.c.wallet, table.c.unit
    after = (parameter("wallet", wallet), parameter("unit", unit))
    beyond = or_(wallet > after[0], and_(wallet == after[0], unit > after[1]))
    return found.where(wallet >= after[0], beyond).order_by(wallet, unit).limit(limit())
