"""`AsyncSQLStorage`: the same storage, where waiting for the database lets other tasks go on."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_scoped_session
from sqlalchemy.util import await_only, greenlet_spawn

from storecredit.errors import InvalidTerms
from storecredit.storage.protocols import Storage
from storecredit.storage.sql.schema import PREFIX
from storecredit.storage.sql.storage import Bind, SQLStorage

_T = TypeVar("_T")

AsyncBind = AsyncEngine | AsyncConnection | AsyncSession | async_scoped_session[Any]
"""What an asynchronous storage works on: an engine, or a transaction of the host's."""


@final
class AsyncSQLStorage:
    """
    Accounts and records, reached through one of SQLAlchemy's asyncio engines.

    It is a `SQLStorage` that runs on SQLAlchemy's own bridge: wherever that waits for the
    database, the task is put aside, and others run. On an engine, blocks are transactions of
    their own; on a connection or a session they join the transaction that the host has there.

    Args:
        bind: The engine; or the connection or session whose transaction is to be joined.

        prefix: What the names of the tables begin with.

        schema: The schema, or the database, that they are in; None for the connection's own.

    Raises:
        InvalidTerms: Prefix or schema cannot be part of a name; or *bind* is something else.
    """

    def __init__(self, bind: AsyncBind, *, prefix: str = PREFIX, schema: str | None = None) -> None:
        self._blocking: Final = SQLStorage(_beneath(bind), prefix=prefix, schema=schema)

    def __repr__(self) -> str:
        return f"Async{self._blocking!r}"

    @property
    def blocking(self) -> Storage:
        """The storage as what runs inside of `run` uses it."""
        return self._blocking

    async def run(self, work: Callable[[], _T]) -> _T:
        """Run *work*, which may use `blocking`; other tasks run while it waits."""
        return await greenlet_spawn(work)

    def wait(self, awaitable: Awaitable[_T]) -> _T:
        """Wait for *awaitable*, inside of `run`."""
        return await_only(awaitable)


def _beneath(bind: object) -> Bind:
    """Return the object of SQLAlchemy's that *bind* puts an asynchronous face on."""
    if isinstance(bind, AsyncEngine):
        return bind.sync_engine
    if isinstance(bind, AsyncConnection):
        return bind.sync_connection or _refused(bind)
    if isinstance(bind, AsyncSession):
        return bind.sync_session
    if isinstance(bind, async_scoped_session):
        session: AsyncSession = bind()
        return session.sync_session
    return _refused(bind)


def _refused(bind: object) -> Bind:
    wanted = "an AsyncEngine, or an AsyncConnection that was begun, or an AsyncSession"
    raise InvalidTerms("bind", bind, wanted)
