"""`SQLStorage`: accounts and records in a database that the host runs anyway."""

from contextlib import AbstractContextManager
from typing import Any, Final, final

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, scoped_session

from storecredit.errors import InvalidTerms
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.storage.sql._joined import JoinedSnapshot, JoinedTransaction
from storecredit.storage.sql._own import OwnSnapshot, OwnTransaction
from storecredit.storage.sql.schema import PREFIX, tables

Bind = Engine | Connection | Session | scoped_session[Any]
"""What a storage works on: an engine, or a transaction of the host's."""


@final
class SQLStorage:
    """
    Accounts and records in tables that `create` has made, beside the host's own.

    On an engine, every block is a transaction of its own, and the service repeats what others
    were faster at. On a connection or a session, every block is a part of the transaction that
    the host has begun there and will end: nothing is committed and nothing is repeated, what one
    command writes is all or nothing, and any conflict is a `HostTransactionConflict`.

    Args:
        bind: The engine; or the connection or session whose transaction is to be joined.

        prefix: What the names of the tables begin with.

        schema: The schema, or the database, that they are in; None for the connection's own.

    Raises:
        InvalidTerms: Prefix or schema cannot be part of a name; or *bind* is something else.
    """

    def __init__(self, bind: Bind, *, prefix: str = PREFIX, schema: str | None = None) -> None:
        given: object = bind
        if not isinstance(given, Engine | Connection | Session | scoped_session):
            wanted = "an Engine, or a Connection or Session whose transaction is to be joined"
            raise InvalidTerms("bind", bind, wanted)
        tables(prefix=prefix, schema=schema)
        self._bind: Final = bind
        self._names: Final = (prefix, schema)

    def __repr__(self) -> str:
        return f"SQLStorage({self._bind!r})"

    def transaction(self) -> AbstractContextManager[UnitOfWork]:
        """Begin to write; at the end of the block everything is kept, or nothing (S1)."""
        if isinstance(self._bind, Engine):
            return OwnTransaction(self._bind, *self._names)
        return JoinedTransaction(self._bind, *self._names)

    def snapshot(self) -> AbstractContextManager[Reader]:
        """
        Begin to read one consistent state.

        In a host's transaction it is the state which that transaction sees, with what it has
        written itself; the host's level of isolation decides whether it stays the same.
        """
        if isinstance(self._bind, Engine):
            return OwnSnapshot(self._bind, *self._names)
        return JoinedSnapshot(self._bind, *self._names)

    def close(self) -> None:
        """Do nothing: the engine, its pool and its transactions are the host's."""
