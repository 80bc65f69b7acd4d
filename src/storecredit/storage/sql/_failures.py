"""What drivers report, by their codes, in the words of the contract. Their texts stay inside (S5)."""

import enum
import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

from sqlalchemy import Dialect

from storecredit.storage.sql._types import MYSQL_NAMES


@final
class Kind(enum.Enum):
    """What a failure means for the transaction, whichever engine reports it."""

    TAKEN = "somebody else was first to write that row"
    MISSING = "a row that a write builds on is not there"
    BROKEN = "a rule of the tables does not hold"
    BEATEN = "the server undid it in favour of another transaction"
    LOCKED = "a lock was not to be had in time"
    STALE = "the server has forgotten a statement that was prepared"
    LOST = "the connection was lost"
    UNUSABLE = "the tables are missing, or not those of this version"
    FORBIDDEN = "this user may not do that there"
    READ_ONLY = "the server is read-only"
    REFUSED = "the server cannot do its work"


@final
class Failure(Exception):
    """A statement failed; which step it was, and what that means."""

    def __init__(self, kind: Kind, step: int) -> None:
        super().__init__(kind, step)
        self.kind: Final = kind
        self.step: Final = step


_BY_STATE: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "23505": Kind.TAKEN,
        "23502": Kind.MISSING,
        "23514": Kind.BROKEN,
        "22003": Kind.BROKEN,
        "55P03": Kind.LOCKED,
        "57014": Kind.LOCKED,
        "26000": Kind.STALE,
        "42P05": Kind.STALE,
        "0A000": Kind.STALE,
        "57P01": Kind.LOST,
        "57P02": Kind.LOST,
        "57P03": Kind.LOST,
        "57P05": Kind.LOST,
        "25P03": Kind.LOST,
        "25P04": Kind.LOST,
        "25P02": Kind.BEATEN,
        "25006": Kind.READ_ONLY,
        "42501": Kind.FORBIDDEN,
        "42P01": Kind.UNUSABLE,
        "42703": Kind.UNUSABLE,
        "42804": Kind.UNUSABLE,
        "3F000": Kind.UNUSABLE,
    }
)
_BY_CLASS: Final[Mapping[str, Kind]] = MappingProxyType(
    {"40": Kind.BEATEN, "08": Kind.LOST, "28": Kind.FORBIDDEN}
)

_BY_NUMBER: Final[Mapping[int, Kind]] = MappingProxyType(
    {
        1062: Kind.TAKEN,
        1586: Kind.TAKEN,
        1048: Kind.MISSING,
        1364: Kind.MISSING,
        4025: Kind.BROKEN,
        3819: Kind.BROKEN,
        1264: Kind.BROKEN,
        1406: Kind.BROKEN,
        1690: Kind.BROKEN,
        1213: Kind.BEATEN,
        1020: Kind.BEATEN,
        1180: Kind.BEATEN,
        1305: Kind.BEATEN,
        1047: Kind.BEATEN,
        1205: Kind.LOCKED,
        1969: Kind.LOCKED,
        3024: Kind.LOCKED,
        3572: Kind.LOCKED,
        1053: Kind.LOST,
        1158: Kind.LOST,
        1159: Kind.LOST,
        1160: Kind.LOST,
        1161: Kind.LOST,
        1317: Kind.LOST,
        1927: Kind.LOST,
        2002: Kind.LOST,
        2003: Kind.LOST,
        2005: Kind.LOST,
        2006: Kind.LOST,
        2013: Kind.LOST,
        2014: Kind.LOST,
        2045: Kind.LOST,
        2055: Kind.LOST,
        4031: Kind.LOST,
        1036: Kind.READ_ONLY,
        1290: Kind.READ_ONLY,
        1792: Kind.READ_ONLY,
        1836: Kind.READ_ONLY,
        1044: Kind.FORBIDDEN,
        1045: Kind.FORBIDDEN,
        1142: Kind.FORBIDDEN,
        1143: Kind.FORBIDDEN,
        1049: Kind.UNUSABLE,
        1054: Kind.UNUSABLE,
        1146: Kind.UNUSABLE,
    }
)

_BY_RESULT: Final[Mapping[int, Kind]] = MappingProxyType(
    {
        sqlite3.SQLITE_CONSTRAINT_UNIQUE: Kind.TAKEN,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: Kind.TAKEN,
        sqlite3.SQLITE_CONSTRAINT_NOTNULL: Kind.MISSING,
        sqlite3.SQLITE_CONSTRAINT_CHECK: Kind.BROKEN,
    }
)
_BY_PRIMARY_RESULT: Final[Mapping[int, Kind]] = MappingProxyType(
    {
        sqlite3.SQLITE_BUSY: Kind.LOCKED,
        sqlite3.SQLITE_LOCKED: Kind.LOCKED,
        sqlite3.SQLITE_READONLY: Kind.READ_ONLY,
        sqlite3.SQLITE_PERM: Kind.FORBIDDEN,
        sqlite3.SQLITE_ERROR: Kind.UNUSABLE,
        sqlite3.SQLITE_NOTADB: Kind.UNUSABLE,
        sqlite3.SQLITE_CANTOPEN: Kind.UNUSABLE,
        sqlite3.SQLITE_CORRUPT: Kind.UNUSABLE,
    }
)


def kind_of_state(state: str | None) -> Kind:
    """Return what an SQLSTATE of PostgreSQL and its relatives means; None where there is none."""
    if state is None:
        return Kind.LOST
    return _BY_STATE.get(state) or _BY_CLASS.get(state[:2], Kind.REFUSED)


def kind_of(error: Exception, dialect: Dialect) -> Kind:
    """Return what an error of the driver of *dialect* means."""
    try:
        if dialect.is_disconnect(error, None, None):  # type: ignore[arg-type]  # most ask the error alone
            return Kind.LOST
    except Exception:  # noqa: BLE001 - a dialect that has to see the connection: its codes will do
        return _kind_of_code(error, dialect)
    return _kind_of_code(error, dialect)


def _kind_of_code(error: Exception, dialect: Dialect) -> Kind:
    if dialect.name == "sqlite":
        code = getattr(error, "sqlite_errorcode", 0)
        return _BY_RESULT.get(code) or _BY_PRIMARY_RESULT.get(code & 0xFF, Kind.REFUSED)
    first = error.args[0] if error.args else None
    if dialect.name in MYSQL_NAMES:
        number = first if isinstance(first, int) else 0
        # The driver's own errors about its socket have no number.
        return _BY_NUMBER.get(number, Kind.REFUSED if number else Kind.LOST)
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state is None and isinstance(first, dict):
        state = first.get("C")
    return kind_of_state(state if isinstance(state, str) else None)
