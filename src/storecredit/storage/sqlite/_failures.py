"""What the engine reports, in the words of the contract. Its own texts stay inside (S5)."""

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from storecredit.errors import (
    StorageBusy,
    StorageUnavailable,
    StorageUnusable,
    StoreCreditError,
)

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

_RESTORE: Final = "Restore it from a backup, or import an export into a new file."

_UNUSABLE: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        sqlite3.SQLITE_READONLY: (
            "the file or its folder cannot be written",
            "Give this process the right to write both: the log lies beside the file.",
        ),
        sqlite3.SQLITE_PERM: ("access is not permitted", "Give this process the right to use it."),
        sqlite3.SQLITE_CANTOPEN: (
            "the file, or the log beside it, cannot be opened",
            "Name a file in a folder that exists and that this process may write.",
        ),
        sqlite3.SQLITE_NOTADB: (
            "the file is not an SQLite database",
            "Name another file; this one was left as it is.",
        ),
        sqlite3.SQLITE_CORRUPT: ("the database file is damaged", _RESTORE),
        sqlite3.SQLITE_ERROR: (
            "its tables are not those that this library made",
            _RESTORE,
        ),
        sqlite3.SQLITE_CONSTRAINT: (
            "a row breaks a rule of the tables",
            "Run verify() to see what was changed around the library.",
        ),
    }
)

_UNAVAILABLE: Final[Mapping[int, str]] = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: "there is no space left for it",
        sqlite3.SQLITE_IOERR: "reading or writing the disk failed",
        sqlite3.SQLITE_NOMEM: "memory ran out",
        sqlite3.SQLITE_INTERRUPT: "the work was interrupted",
        sqlite3.SQLITE_PROTOCOL: "the locks of the file do not work",
    }
)


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether *error* says that somebody else holds a lock: trying again can help."""
    return _primary(error) in _BUSY


def explained(error: sqlite3.Error, storage: str, *, waited: str) -> StoreCreditError:
    """
    Return what *error* means to a caller.

    Args:
        error: What the engine raised.

        storage: How messages name the file.

        waited: How long a lock was waited for.
    """
    code = _primary(error)
    if code in _BUSY:
        return StorageBusy(storage, waited)
    if code in _UNUSABLE:
        return StorageUnusable(storage, *_UNUSABLE[code])
    return StorageUnavailable(storage, _UNAVAILABLE.get(code, "the database engine failed"))


def is_constraint(error: sqlite3.IntegrityError, *kinds: int) -> bool:
    """Tell whether *error* is about a constraint of one of the *kinds*."""
    return getattr(error, "sqlite_errorcode", 0) in kinds


def _primary(error: sqlite3.Error) -> int:
    code = getattr(error, "sqlite_errorcode", None)
    # Errors of the module itself, such as a value it cannot bind, carry no code.
    return code & 0xFF if isinstance(code, int) else 0
