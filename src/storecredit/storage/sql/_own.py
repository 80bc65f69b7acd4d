"""Blocks on an engine: transactions and snapshots of the library's own (S1, S5)."""

from types import TracebackType
from typing import Any, ClassVar, Final, final

from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from storecredit.errors import StorageUnavailable, StoreCreditError
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.storage.sql._catalogue import Catalogue, catalogue_for
from storecredit.storage.sql._engines import Frame, own_snapshot, own_transaction, wire_to
from storecredit.storage.sql._exchange import Exchange
from storecredit.storage.sql._explained import (
    explaining,
    require_unicode,
    require_version,
    storage_name,
)
from storecredit.storage.sql._failures import Kind, kind_of
from storecredit.storage.sql._feed import Surroundings, Uncommitted
from storecredit.storage.sql._reading import Reading
from storecredit.storage.sql._wire import Step, Wire
from storecredit.storage.sql._writing import Writing
from storecredit.storage.sql.conflicts import TransactionInterrupted


class _OwnBlock:
    """A connection of the pool, for the body of a ``with``."""

    _renews: ClassVar[bool] = False
    """Whether the block begins on another connection where its first was lost as it idled."""

    def __init__(self, engine: Engine, prefix: str, schema: str | None) -> None:
        self._engine: Final = engine
        self._names: Final = (prefix, schema)
        self._name: Final = storage_name(engine)
        self._pooled: PoolProxiedConnection | None = None
        self._exchange: Exchange | None = None
        self._restored: Any = None
        self._info: dict[Any, Any] = {}

    def _frame(self, connection: Any, info: dict[Any, Any]) -> Frame:
        raise NotImplementedError

    def _begin(self) -> tuple[Exchange, Catalogue]:
        """
        Take a connection, and prepare to begin on it with the first statement.

        Raises:
            StorageUnusable, StorageUnavailable, TransactionInterrupted: As the server is.
        """
        dialect = self._engine.dialect
        pooled = self._taken()
        try:
            connection, info = pooled.dbapi_connection, pooled.info
            if dialect.name == "sqlite":
                self._restored = getattr(connection, "isolation_level", None)
            require_unicode(connection, self._name)
            catalogue = catalogue_for(dialect, *self._names)
            wire = wire_to(connection, dialect, info)
            frame = self._frame(connection, info)
            explain = explaining(self._name, catalogue.adds_account, hosts=False)
            self._info = info
            renew = self._renewed if self._renews else None
            self._pooled, self._exchange = pooled, Exchange(wire, frame, explain, renew=renew)
            require_version(self._exchange, catalogue, self._name)
        except dialect.loaded_dbapi.Error as error:
            kind = kind_of(error, dialect)
            self._throw_away(self._pooled or pooled, others_too=kind is Kind.LOST)
            if kind is Kind.LOST:
                raise TransactionInterrupted(self._name, "the connection was lost") from None
            raise self._not_had(error) from None
        except BaseException:
            lost = self._exchange is not None and self._exchange.lost
            self._throw_away(self._pooled or pooled, others_too=lost)
            raise
        return self._exchange, catalogue

    def _taken(self) -> PoolProxiedConnection:
        dialect = self._engine.dialect
        try:
            return self._engine.raw_connection()
        except dialect.loaded_dbapi.Error as error:
            raise self._not_had(error) from None
        except SQLAlchemyError:
            problem = "the pool gave no connection in time"
            raise StorageUnavailable(self._name, problem) from None

    def _renewed(self) -> Wire:
        """Take another connection in place of one that was lost before the block began."""
        if self._pooled is not None:
            self._throw_away(self._pooled, others_too=True)
        self._pooled = pooled = self._taken()
        self._info = pooled.info
        self._frame(pooled.dbapi_connection, pooled.info)
        return wire_to(pooled.dbapi_connection, self._engine.dialect, pooled.info)

    def _not_had(self, error: Exception) -> StoreCreditError:
        """Say what an error means that a driver raised before anything was begun."""
        if kind_of(error, self._engine.dialect) is Kind.LOCKED:
            return TransactionInterrupted(self._name, "it was locked")
        return StorageUnavailable(self._name, "no connection can be made")

    def _end(self, steps: list[Step], *, commits: bool) -> None:
        exchange, pooled = self._exchange, self._pooled
        self._exchange = self._pooled = None
        if exchange is None or pooled is None:
            return
        fit = False
        try:
            if commits:
                exchange.finish(steps)
                fit = True
        finally:
            if fit or exchange.undo():
                self._give_back(pooled)
            else:
                self._throw_away(pooled, others_too=exchange.lost)

    def _throw_away(self, pooled: PoolProxiedConnection, *, others_too: bool) -> None:
        """
        Close a connection that nobody may use again.

        Those that were made before it was lost are as likely gone: the pool makes each of them
        anew when it is next taken, or if it cannot be told so, all of them now.
        """
        invalidate = getattr(self._engine.pool, "_invalidate", None)
        if not others_too:
            pooled.invalidate()
        elif invalidate is not None:
            invalidate(pooled)
        else:
            pooled.invalidate()
            self._engine.dispose()

    def _give_back(self, pooled: PoolProxiedConnection) -> None:
        """Give the connection back to the pool."""
        connection: Any = pooled.dbapi_connection
        if self._restored is not None:
            connection.isolation_level = self._restored
        # The block has ended its transaction. Only SQLAlchemy's own connections may say so, and
        # spare the pool a rollback that would cost a tenth of a command.
        close = getattr(pooled, "_close_special", None)
        if close is None:
            pooled.close()
        else:
            close(transaction_reset=True)


@final
class OwnSnapshot(_OwnBlock):
    """One consistent state."""

    _renews = True

    def __enter__(self) -> Reader:
        exchange, catalogue = self._begin()
        at_once = exchange.wire.at_once
        return Reading(exchange.ask, catalogue.seeing, catalogue.met, at_once=at_once)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end([], commits=False)

    def _frame(self, connection: Any, info: dict[Any, Any]) -> Frame:  # noqa: ARG002 - as transactions
        return own_snapshot(connection, self._engine.dialect)


@final
class OwnTransaction(_OwnBlock):
    """Reads and writes that are committed together, or not at all."""

    _work: Writing | None = None

    def __enter__(self) -> UnitOfWork:
        exchange, catalogue = self._begin()
        around = Surroundings(self._info, self._names, Uncommitted(), self._name)
        self._work = Writing(exchange, catalogue, catalogue.owning, around)
        return self._work

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        steps = [] if self._work is None else self._work.taken()
        self._end(steps, commits=error is None)

    def _frame(self, connection: Any, info: dict[Any, Any]) -> Frame:
        return own_transaction(connection, self._engine.dialect, info)
