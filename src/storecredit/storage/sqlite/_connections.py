"""The connections to one file: each in the hands of one block at a time, and none across a fork."""

import contextlib
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, TypeVar, final

from storecredit.errors import StorageBusy, StorageUnusable, StoreCreditError
from storecredit.storage.sqlite._failures import explained, is_busy

_T = TypeVar("_T")

_SHORT_PAUSE: Final = 0.002
_LONG_PAUSE: Final = 0.010
_PATIENCE: Final = 1.0
"""After so many seconds, whoever holds the lock holds it for long: ask less often."""


@final
class Connections:
    """
    A pool that opens what is missing and hands the newest idle connection out first.

    One writer at a time of this process stands at the gate; against other processes the file is
    locked. An SQLite connection must not be carried through a fork, nor may a child open the
    file anew while it inherits open ones, so idle ones are closed before each fork.
    """

    def __init__(
        self, open_one: Callable[[], sqlite3.Connection], name: str, timeout: float
    ) -> None:
        self.name: Final = name
        self._open_one: Final = open_one
        self._timeout: Final = timeout
        self._begin_anew()
        _POOLS.add(self)

    def _begin_anew(self) -> None:
        self._pid = os.getpid()
        self._idle: list[sqlite3.Connection] = []
        self._out: set[sqlite3.Connection] = set()
        self._retired: set[sqlite3.Connection] = set()
        self._gate = threading.Lock()
        self._writer: int | None = None
        self.log_has_erased_text: bool = False
        """Whether something was erased since the log was emptied the last time."""

    @property
    def waited(self) -> str:
        """How long a lock is waited for, in words."""
        return f"{self._timeout:g} s"

    def take(self) -> sqlite3.Connection:
        """
        Take a connection that nobody else uses until it is given back.

        Raises:
            StorageUnusable: The file.
            StorageBusy, StorageUnavailable: The engine.
        """
        connection = self._newest_idle() or self.patiently(self._open_one)
        self._out.add(connection)
        return connection

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Give a connection back; one that is still in a transaction is closed."""
        self._out.discard(connection)
        if connection.in_transaction or connection in self._retired:
            self._retired.discard(connection)
            connection.close()
        else:
            self._idle.append(connection)

    def enter_gate(self) -> None:
        """
        Become the one writer of this process.

        Raises:
            StorageBusy: Another thread wrote for longer than the timeout; or this very thread
                is still writing, and would wait for itself.
        """
        if not self._gate.acquire(blocking=False):
            own = self._writer == threading.get_ident()
            if own or not self._gate.acquire(timeout=self._timeout):
                raise StorageBusy(self.name, "0 s by this thread itself" if own else self.waited)
        self._writer = threading.get_ident()

    def leave_gate(self) -> None:
        """Let the next writer of this process in."""
        self._writer = None
        self._gate.release()

    def patiently(self, work: Callable[[], _T]) -> _T:
        """
        Do *work* again with short random pauses while somebody else holds a lock.

        Raises:
            StorageBusy: They held it for longer than the timeout.
            StorageUnusable, StorageUnavailable: The engine failed otherwise.
        """
        began = None
        while True:
            try:
                return work()
            except sqlite3.Error as error:
                now = time.monotonic()
                began = now if began is None else began
                if not is_busy(error) or now - began >= self._timeout:
                    raise explained(error, self.name, waited=self.waited) from None
            pause = _SHORT_PAUSE if now - began < _PATIENCE else _LONG_PAUSE
            time.sleep(random.uniform(0, pause))

    def empty_log(self) -> None:
        """
        Move everything from the log into the file, and cut the log off, if nobody reads just now.

        Otherwise the next transaction tries again.
        """
        with contextlib.suppress(sqlite3.Error, StoreCreditError):
            connection = self.take()
            try:
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self.log_has_erased_text = bool(busy)
            finally:
                self.give_back(connection)

    def close(self) -> None:
        """Close every connection: idle ones now, the others when their blocks end."""
        if self._pid != os.getpid():
            return
        self._retired |= self._out
        self._close_idle()

    def _close_idle(self) -> None:
        if self._pid != os.getpid():
            return
        while (connection := self._newest_idle()) is not None:
            connection.close()

    def _newest_idle(self) -> sqlite3.Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def enter_process(self) -> int:
        """
        Return the id of this process, ready for a block to begin in it.

        Raises:
            StorageUnusable: It was forked while a block of its parent was open.
        """
        pid = os.getpid()
        if pid == self._pid:
            return pid
        if self._idle or self._out:
            raise StorageUnusable(
                self.name,
                "this process was forked while a block of its parent was using the file",
                "Fork between transactions, or start processes by spawning them.",
            )
        self._begin_anew()
        return pid

    def before_fork(self) -> None:
        """Close what is idle, so that a child inherits nothing open."""
        self._close_idle()


_POOLS: Final[weakref.WeakSet[Connections]] = weakref.WeakSet()


def _close_all_idle() -> None:
    for pool in list(_POOLS):
        pool.before_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_all_idle)
