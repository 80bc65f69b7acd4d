"""Opening the file: is it ours, is it of our version, and how the engine is to treat it."""

import sqlite3
from typing import Final

from storecredit.errors import StorageUnusable
from storecredit.storage.sqlite._schema import APPLICATION_ID, STEPS, VERSION

_OLDEST_ENGINE: Final = (3, 24, 0)

_SETTINGS: Final = (
    # Our own retries are fairer than the engine's: its handler starves writers.
    "PRAGMA busy_timeout = 0",
    "PRAGMA foreign_keys = ON",
    # Without it, REPLACE would delete journal rows past the trigger.
    "PRAGMA recursive_triggers = ON",
    # What is erased must not stay readable in the file. The log beside it still has the text; it
    # is emptied after the transaction that erased.
    "PRAGMA secure_delete = ON",
    # Where the system has it, a real flush of the drive: elsewhere without effect.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cache_size = -16384",
    # Pages that many commits share are then copied back once for all of them.
    "PRAGMA wal_autocheckpoint = 8000",
)


def connect(path: str, name: str, synchronous: str) -> sqlite3.Connection:
    """
    Open one connection that is ready for work.

    Args:
        path: The absolute path of the file; created where there is none.

        name: How messages name the file.

        synchronous: The setting of that name of the engine.

    Raises:
        StorageUnusable: The file is no database, another program's, or of a newer version.
        sqlite3.Error: Everything else; the caller explains it.
    """
    if sqlite3.sqlite_version_info < _OLDEST_ENGINE:
        problem = f"the SQLite of this Python is version {sqlite3.sqlite_version}"
        wanted = ".".join(map(str, _OLDEST_ENGINE))
        raise StorageUnusable(name, problem, f"Use a Python with SQLite {wanted} or newer.")
    connection = sqlite3.connect(
        path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for setting in _SETTINGS:
            connection.execute(setting)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        outdated = _version(connection, name) < VERSION
        _log_ahead(connection, name)
        if outdated:
            _upgrade(connection, name)
    except BaseException:
        connection.close()
        raise
    return connection


def require_version(connection: sqlite3.Connection, name: str) -> None:
    """
    Read the version of the tables, which other processes may have upgraded meanwhile.

    Raises:
        StorageUnusable: This process is too old for them.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise _too_new(name, version)


def _version(connection: sqlite3.Connection, name: str) -> int:
    """
    Return the version of the file's tables; 0 for an empty file.

    Raises:
        StorageUnusable: It is another program's database, or of a newer version.
    """
    # In one statement, because somebody else may be making the tables right now.
    application, version, tables = connection.execute(
        "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_application_id AS a, pragma_user_version AS v"
    ).fetchone()
    if not (application or version or tables):
        return 0
    if application != APPLICATION_ID:
        raise StorageUnusable(
            name,
            "it is the database of another application",
            "Name a file of its own for the ledger; this one was left as it is.",
        )
    if version > VERSION:
        raise _too_new(name, version)
    return int(version)


def _too_new(name: str, version: int) -> StorageUnusable:
    return StorageUnusable(
        name,
        f"its tables are of version {version}, and this library knows up to {VERSION}",
        "Use the newer version of storecredit that wrote it.",
    )


def _log_ahead(connection: sqlite3.Connection, name: str) -> None:
    """Use write-ahead logging, which the file remembers: readers and a writer then coexist."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StorageUnusable(
            name,
            "write-ahead logging does not work where it lies",
            "Use a file on a local disk.",
        )


def _upgrade(connection: sqlite3.Connection, name: str) -> None:
    """Take every missing step in one transaction; several processes may try at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Somebody else may have been faster while we waited for the lock.
        for step in STEPS[_version(connection, name) :]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Split *script*: the module's own executescript() would commit before it begins."""
    found, lines = [], list[str]()
    for line in script.splitlines():
        lines.append(line)
        statement = "\n".join(lines)
        if sqlite3.complete_statement(statement):
            found.append(statement)
            lines = []
    return found
