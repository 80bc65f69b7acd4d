"""Blocks inside of a host's transaction: they end, and it goes on (S5)."""

from types import TracebackType
from typing import Any, Final, final

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, scoped_session

from storecredit.errors import ConflictError, StorageUnusable
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.storage.sql._catalogue import Catalogue, catalogue_for
from storecredit.storage.sql._engines import (
    Frame,
    commits_each_statement,
    inside_of_hosts,
    part_of_hosts,
    wire_to,
)
from storecredit.storage.sql._exchange import Exchange
from storecredit.storage.sql._explained import (
    explaining,
    require_unicode,
    require_version,
    storage_name,
)
from storecredit.storage.sql._feed import Surroundings, hosts_uncommitted
from storecredit.storage.sql._reading import Reading
from storecredit.storage.sql._wire import Step
from storecredit.storage.sql._writing import Writing
from storecredit.storage.sql.conflicts import HostTransactionConflict

_DEPTH: Final = "storecredit.depth"
"""Where the pool keeps, beside a connection, how many blocks are open on it."""


class _JoinedBlock:
    """A host's connection, in the middle of its transaction."""

    _has_savepoint = True
    """Whether a first statement that fails can be undone, and run again."""

    def __init__(
        self, bind: Connection | Session | scoped_session[Any], prefix: str, schema: str | None
    ) -> None:
        self._bind: Final = bind
        self._names: Final = (prefix, schema)
        self._host: Connection | None = None
        self._exchange: Exchange | None = None

    def _frame(self, connection: Any, dialect: Dialect, depth: int) -> Frame:
        raise NotImplementedError

    def _begin(self) -> tuple[Exchange, Catalogue]:
        """
        Join the transaction.

        Raises:
            HostTransactionConflict: It has failed already.
            StorageUnusable: There is none: each statement would be committed by itself.
        """
        host = self._hosts()
        name, dialect = storage_name(host.engine), host.dialect
        try:
            if not host.in_transaction():
                host.begin()
            pooled = host.connection
        except SQLAlchemyError:
            problem = "it has failed already, or was never begun"
            raise HostTransactionConflict(name, problem) from None
        connection, info = pooled.dbapi_connection, pooled.info
        if commits_each_statement(connection, dialect):
            raise StorageUnusable(
                name,
                "the connection commits each statement by itself",
                "Give a connection or session without AUTOCOMMIT, or the engine.",
            )
        require_unicode(connection, name)
        info[_DEPTH] = depth = info.get(_DEPTH, 0) + 1
        self._host = host
        catalogue = catalogue_for(dialect, *self._names)
        wire = wire_to(connection, dialect, info, prepares=self._has_savepoint)
        explain = explaining(name, catalogue.adds_account, hosts=True)
        self._exchange = Exchange(wire, self._frame(connection, dialect, depth), explain)
        try:
            require_version(self._exchange, catalogue, name)
        except BaseException:
            self._end([], commits=False)
            raise
        return self._exchange, catalogue

    def _hosts(self) -> Connection:
        bind = self._bind
        try:
            return bind if isinstance(bind, Connection) else bind.connection()
        except SQLAlchemyError:
            problem = "it has failed already, or was never begun"
            raise HostTransactionConflict("its database", problem) from None

    def _end(self, steps: list[Step], *, commits: bool) -> None:
        exchange, host = self._exchange, self._host
        self._exchange = self._host = None
        if exchange is None or host is None:
            return
        fit = False
        try:
            if commits:
                exchange.finish(steps)
                fit = True
        finally:
            host.info[_DEPTH] -= 1
            if not (fit or exchange.undo()):
                # What is left of the transaction is not known, so the host must not commit it.
                host.invalidate()


@final
class JoinedSnapshot(_JoinedBlock):
    """The state that the host's transaction sees."""

    _has_savepoint = False

    def __enter__(self) -> Reader:
        exchange, catalogue = self._begin()
        at_once = exchange.wire.at_once
        return Reading(exchange.ask, catalogue.seeing, catalogue.met, at_once=at_once, watched=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end([], commits=error is None)

    def _frame(self, connection: Any, dialect: Dialect, depth: int) -> Frame:  # noqa: ARG002 - as transactions
        return inside_of_hosts(connection, dialect)


@final
class JoinedTransaction(_JoinedBlock):
    """A part of the host's transaction that is done as a whole, or not at all."""

    _work: Writing | None = None

    def __enter__(self) -> UnitOfWork:
        exchange, catalogue = self._begin()
        self._work = Writing(exchange, catalogue, catalogue.joining, self._around())
        return self._work

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        steps = [] if self._work is None else self._work.taken()
        host = self._host
        self._end(steps, commits=error is None)
        if isinstance(error, ConflictError) and error.retryable and host is not None:
            problem = "somebody else changed what it has read"
            raise HostTransactionConflict(storage_name(host.engine), problem) from None

    def _around(self) -> Surroundings:
        host = self._hosts()
        uncommitted = hosts_uncommitted(host, self._names)
        return Surroundings(host.info, self._names, uncommitted, storage_name(host.engine))

    def _frame(self, connection: Any, dialect: Dialect, depth: int) -> Frame:
        return part_of_hosts(connection, dialect, depth)
