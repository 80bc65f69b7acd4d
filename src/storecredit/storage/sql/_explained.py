"""What a failed statement means to a caller: a conflict, a broken journal, an unusable database."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine

from storecredit.errors import (
    ConcurrentChange,
    JournalBroken,
    StorageUnavailable,
    StorageUnusable,
    StoreCreditError,
)
from storecredit.storage.sql._catalogue import Catalogue
from storecredit.storage.sql._compiled import verb
from storecredit.storage.sql._exchange import Exchange, Explain
from storecredit.storage.sql._failures import Failure, Kind
from storecredit.storage.sql._feed_ways import FEED
from storecredit.storage.sql._types import MYSQL_NAMES
from storecredit.storage.sql._wire import Step
from storecredit.storage.sql.conflicts import HostTransactionConflict, TransactionInterrupted
from storecredit.storage.sql.schema import VERSION

_CONFLICTS: Final = {
    Kind.TAKEN: "somebody else was first to write the same row",
    Kind.MISSING: "what it builds on was changed by somebody else",
    Kind.BEATEN: "the server undid it in favour of another",
    Kind.LOCKED: "a lock was not to be had in time",
    Kind.STALE: "the server has forgotten the statements that were prepared",
    Kind.LOST: "the connection was lost",
}
_UNICODE: Final = frozenset({"UTF8", "utf8mb4"})
_STRICT: Final = frozenset({"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "TRADITIONAL"})
_SQL_MODE: Final = verb("SELECT @@SESSION.sql_mode", reads=True)

_UNANSWERED: Final = "the connection was lost while it was being committed"

_UNUSABLE: Final = {
    Kind.UNUSABLE: (
        "its tables are missing, or are not those of this version",
        "Run storecredit.storage.sql.create() or upgrade() on it, or your own migrations.",
    ),
    Kind.FORBIDDEN: (
        "its user may not read or write the tables",
        "Grant that user SELECT, INSERT, UPDATE and DELETE on them.",
    ),
    Kind.READ_ONLY: (
        "it can only be read",
        "Connect to the server that takes writes, not to a copy of it.",
    ),
}


def storage_name(engine: Engine) -> str:
    """Return how messages name the database: never by an address, a user or a password."""
    return f"the {engine.dialect.name} database {engine.url.database or ''}".rstrip()


def require_version(exchange: Exchange, catalogue: Catalogue, storage: str) -> None:
    """
    Require, once for each engine, that the tables are those of this version.

    Raises:
        StorageUnusable: They are missing, or of another version, or of another engine.
    """
    if catalogue.checked:
        return
    (answer,) = exchange.ask([Step(catalogue.seeing.about_tables)])
    about: dict[str, str] = dict(answer.rows)
    version = about.get("version", "0")
    if version != str(VERSION):
        raise unusable_version(storage, version)
    way = about.get(FEED)
    known = {each.value: each for each in catalogue.ways}
    if way not in known:
        problem = "its tables do not say how their feed is kept, or say it of another engine"
        remedy = "Make them with storecredit.storage.sql.create(), and import the journals."
        raise StorageUnusable(storage, problem, remedy)
    catalogue.way = known[way]
    if catalogue.writes.dialect.name in MYSQL_NAMES:
        (answer,) = exchange.ask([Step(_SQL_MODE)])
        if not _STRICT & set(answer.rows[0][0].split(",")):
            problem = "it shortens texts and numbers that do not fit, without an error"
            raise StorageUnusable(storage, problem, "Add STRICT_TRANS_TABLES to its sql_mode.")
    catalogue.checked = True


def require_unicode(connection: Any, storage: str) -> None:
    """
    Require that a driver's *connection* can write every text.

    Raises:
        StorageUnusable: It speaks another encoding than UTF-8, so that some text would not arrive.
    """
    server = getattr(getattr(connection, "driver_connection", connection), "pgconn", None)
    if server is not None:
        spoken = (server.parameter_status(b"client_encoding") or b"").decode()
    else:
        spoken = getattr(connection, "charset", None) or "utf8mb4"
    if spoken not in _UNICODE:
        problem = f"its connections speak {spoken}, which cannot write every text"
        raise StorageUnusable(storage, problem, "Connect to it in UTF-8 (utf8mb4).")


def unusable_version(storage: str, version: str) -> StorageUnusable:
    """Return the error about tables of *version*, and what is to be done about it."""
    newer = version.isdecimal() and int(version) > VERSION
    return StorageUnusable(
        storage,
        f"its tables are of version {version}, and this library needs version {VERSION}",
        "Use the newer storecredit that made them."
        if newer
        else "Run storecredit.storage.sql.upgrade() on it, or your own migrations.",
    )


def explaining(storage: str, is_first: Callable[[Step], bool], *, hosts: bool) -> Explain:
    """
    Return what says, for one storage, what failures mean.

    Args:
        storage: How messages name the database.

        is_first: Tells whether a step adds an account.

        hosts: Whether the transaction is the host's, which only the host can repeat.
    """

    def explain(failure: Failure, step: Step | None, committing: bool) -> StoreCreditError:
        kind, about = failure.kind, None if step is None else step.about
        if kind in _CONFLICTS:
            if kind is Kind.MISSING and step is not None and is_first(step) and about is not None:
                return JournalBroken(about[0], 1, "no wallet was added for its holder")
            if hosts:
                return HostTransactionConflict(storage, _CONFLICTS[kind])
            if kind in (Kind.TAKEN, Kind.MISSING) and about is not None:
                return ConcurrentChange(*about)
            lost = kind is Kind.LOST and committing
            problem = _UNANSWERED if lost else _CONFLICTS[kind]
            return TransactionInterrupted(storage, problem, may_be_done=lost)
        if kind is Kind.BROKEN and about is not None:
            problem = (
                "what it leaves behind breaks conservation or a bound (A2), so it was not stored"
            )
            return JournalBroken(about[0], about[1] + 1, problem)
        if kind in _UNUSABLE:
            return StorageUnusable(storage, *_UNUSABLE[kind])
        return StorageUnavailable(storage, "the database server refused to do its work")

    return explain
