"""`SQLiteStorage`: one durable file, for any number of threads and processes of one machine."""

import contextlib
import enum
import os
import sqlite3
import weakref
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, final

from storecredit.errors import InvalidTerms, StorageUnavailable, StorageUnusable
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.storage.sqlite._connections import Connections
from storecredit.storage.sqlite._failures import explained
from storecredit.storage.sqlite._opening import connect, require_version
from storecredit.storage.sqlite._reading import Reading
from storecredit.storage.sqlite._writing import Writing
from storecredit.values import Unit


@final
class Synchronous(enum.StrEnum):
    """What a committed command survives; a crash of the process, in either case."""

    FULL = "FULL"
    """Power loss too: every commit waits for the disk."""
    NORMAL = "NORMAL"
    """After power loss the last commands may be gone; what is left is whole."""


def _as_synchronous(setting: Synchronous | str) -> Synchronous:
    try:
        return Synchronous(setting)
    except ValueError:
        known = " or ".join(each.value for each in Synchronous)
        raise InvalidTerms("synchronous", setting, known) from None


def _can_name_a_file(name: str) -> bool:
    try:
        return b"\0" not in os.fsencode(name)
    except ValueError:
        return False


@final
class SQLiteStorage:
    """
    Accounts and records in one SQLite file, made where there is none and upgraded where it is old.

    Threads and processes may share the file; each storage may be used by every thread of its
    process, and by the children that the process forks between transactions. One writer works at
    a time; the others wait up to *timeout*. Snapshots wait for nobody.

    Args:
        path: The file. Its folder has to exist, and to be on a local disk.

        synchronous: What a committed command survives.

        timeout: The longest wait for a lock, in seconds.

    Raises:
        InvalidTerms: There is no such setting of *synchronous*.
        StorageUnusable: The file is no database, another program's, of a newer version, damaged,
            or in a folder that cannot be written.
        StorageBusy: Somebody has locked the file for longer than *timeout*.
        StorageUnavailable: The disk is full or fails.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous | str = Synchronous.FULL,
        timeout: float = 5.0,
    ) -> None:
        name = os.fspath(path)
        if name in {"", ":memory:"}:
            raise StorageUnusable(
                repr(name), "it names no file", "Use MemoryStorage to keep nothing."
            )
        if not _can_name_a_file(name):
            raise StorageUnusable(
                repr(name), "no file can have that name", "Name a file on a local disk."
            )
        # Absolute, because connections are opened later too, wherever the process works then.
        where = str(Path(name).absolute())
        open_one = partial(connect, where, name, _as_synchronous(synchronous).value)
        self._connections: Final = Connections(open_one, name, timeout)
        self._units: Final[dict[tuple[str, int], Unit]] = {}
        weakref.finalize(self, self._connections.close)
        self._connections.give_back(self._connections.take())

    def __repr__(self) -> str:
        return f"SQLiteStorage({self._connections.name!r})"

    def transaction(self) -> "_Transaction":
        """Begin to write; commit at the end of the block, or leave nothing behind (S1)."""
        return _Transaction(self)

    def snapshot(self) -> "_Snapshot":
        """Begin to read one consistent state; writers go on meanwhile."""
        return _Snapshot(self)

    def close(self) -> None:
        """
        Close the file: at once where nobody uses it, else when the blocks that do have ended.

        Using the storage again opens it again.
        """
        self._connections.close()


class _Block:
    """A transaction or snapshot of the engine around the body of a ``with``."""

    def __init__(self, storage: SQLiteStorage) -> None:
        # Kept, so that a storage nobody else holds is not closed in the middle of its block.
        self._storage: Final = storage
        self._connections: Final = storage._connections
        self._units: Final = storage._units
        self._pid = 0
        self._connection: sqlite3.Connection | None = None

    def _begin(self, statement: str) -> sqlite3.Connection:
        """
        Take a connection and begin on it, as soon as others let us.

        Raises:
            StorageUnusable, StorageBusy, StorageUnavailable: As the storage.
        """
        connection = self._connections.take()

        def begin() -> None:
            connection.execute(statement)
            try:
                # Only its first read fixes what a snapshot sees.
                require_version(connection, self._connections.name)
            except BaseException:
                connection.execute("ROLLBACK")
                raise

        try:
            self._connections.patiently(begin)
        except BaseException:
            self._connections.give_back(connection)
            raise
        self._connection = connection
        return connection

    def _end(self, verb: str, error: BaseException | None) -> None:
        """Commit or roll back, give the connection back, and explain what the engine raised."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._pid != os.getpid():
            raise StorageUnusable(
                self._connections.name,
                "this process was forked in the middle of a block, which belongs to its parent",
                "Leave the block before forking.",
            )
        failure = error if isinstance(error, sqlite3.Error) else None
        # Where the disk is full or fails, the engine has rolled back by itself.
        undone = not connection.in_transaction
        try:
            if not undone:
                connection.execute(verb)
        except sqlite3.Error as refused:
            failure = failure or refused
            _roll_back(connection)
        finally:
            self._connections.give_back(connection)
        name = self._connections.name
        if failure is not None:
            raise explained(failure, name, waited=self._connections.waited) from None
        if undone and verb == "COMMIT":
            raise StorageUnavailable(name, "the transaction had to be undone")


@final
class _Snapshot(_Block):
    def __enter__(self) -> Reader:
        self._pid = self._connections.enter_process()
        return Reading(self._begin("BEGIN"), self._units)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end("ROLLBACK", error)


@final
class _Transaction(_Block):
    _work: Writing | None = None

    def __enter__(self) -> UnitOfWork:
        self._pid = self._connections.enter_process()
        self._connections.enter_gate()
        try:
            self._work = Writing(self._begin("BEGIN IMMEDIATE"), self._units)
        except BaseException:
            self._connections.leave_gate()
            raise
        return self._work

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        spoiled = None if self._work is None else self._work.spoiled
        commits = error is None and spoiled is None
        try:
            self._end("COMMIT" if commits else "ROLLBACK", error)
            if commits and self._work is not None and self._work.has_erased:
                self._connections.log_has_erased_text = True
            if self._connections.log_has_erased_text:
                self._connections.empty_log()
        finally:
            self._connections.leave_gate()
        if error is None and spoiled is not None:
            raise spoiled


def _roll_back(connection: sqlite3.Connection) -> None:
    """Undo what a refused commit has left; a connection that cannot is closed when given back."""
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
