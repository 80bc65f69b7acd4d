"""Making the tables, bringing them up to date, and saying whether they are what they should be."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import Connection, Engine, Insert, Table, func, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from storecredit.errors import StorageUnavailable, StorageUnusable
from storecredit.storage.sql._explained import storage_name, unusable_version
from storecredit.storage.sql._failures import Kind, kind_of
from storecredit.storage.sql._feed_ways import LAST, feed_rows
from storecredit.storage.sql._types import MYSQL_NAMES
from storecredit.storage.sql.schema import PREFIX, VERSION, Tables, tables

_LOCK: Final = 0x53744372
"""The number of the lock under which tables are made: "StCr"."""
_LOCK_SECONDS: Final = 60
_VERSION: Final = "version"

_STEPS: Final[tuple[Callable[[Connection, Tables], None], ...]] = ()
"""What each version after the first adds to the one before. A released step is never edited."""


def create(bind: Engine | Connection, *, prefix: str = PREFIX, schema: str | None = None) -> None:
    """
    Make the tables, where they are not there yet; several processes may try at once.

    Args:
        bind: The engine; or a connection, for instance that of a migration, whose transaction
            the tables are then made in.

        prefix: What their names begin with.

        schema: The schema, or the database, that they go into; None for the connection's own.

    Raises:
        InvalidTerms: Prefix or schema cannot be part of a name.
        StorageUnusable: They are there in another version, or the user may not make them.
        StorageUnavailable: The server does not answer.
    """
    wanted = tables(prefix=prefix, schema=schema)
    with _working(bind) as connection, _alone(connection):
        version = _version(connection, wanted)
        if version is None:
            wanted.metadata.create_all(connection, tables=list(wanted.every), checkfirst=True)
            rows = {_VERSION: str(VERSION), **feed_rows(connection)}
            about = [{"name": name, "value": value} for name, value in rows.items()]
            connection.execute(_added(connection, wanted.meta).values(about))
            connection.execute(_added(connection, wanted.counter).values(name=LAST, place=0))
        elif version != str(VERSION):
            raise unusable_version(storage_name(connection.engine), version)


def _added(connection: Connection, table: Table) -> Insert:
    """
    Insert rows, and pass over those that are there.

    MySQL's lock is given back before the transaction is committed, so that somebody else may have
    come to the same rows meanwhile.
    """
    made = insert(table)
    return made.prefix_with("IGNORE") if connection.dialect.name in MYSQL_NAMES else made


def upgrade(bind: Engine | Connection, *, prefix: str = PREFIX, schema: str | None = None) -> int:
    """
    Bring tables of an older version up to date, step by step; newer and equal ones stay.

    Returns:
        How many steps were taken.

    Raises:
        InvalidTerms: Prefix or schema cannot be part of a name.
        StorageUnusable: There are no tables, or they are of a newer version.
        StorageUnavailable: The server does not answer.
    """
    wanted = tables(prefix=prefix, schema=schema)
    with _working(bind) as connection, _alone(connection):
        version = _require_tables(connection, wanted)
        if not version.isdecimal() or int(version) > VERSION:
            raise unusable_version(storage_name(connection.engine), version)
        steps = _STEPS[int(version) - 1 :]
        for step in steps:
            step(connection, wanted)
        meta = wanted.meta
        moved = update(meta).where(meta.c.name == _VERSION).values(value=str(VERSION))
        connection.execute(moved)
        return len(steps)


def check(bind: Engine | Connection, *, prefix: str = PREFIX, schema: str | None = None) -> None:
    """
    Require that the database is the one expected: all tables and columns, of this version.

    Raises:
        InvalidTerms: Prefix or schema cannot be part of a name.
        StorageUnusable: It is not; the message says what is missing and what to do.
        StorageUnavailable: The server does not answer.
    """
    wanted = tables(prefix=prefix, schema=schema)
    with _working(bind) as connection:
        version = _require_tables(connection, wanted)
        name = storage_name(connection.engine)
        if version != str(VERSION):
            raise unusable_version(name, version)
        inspector = inspect(connection)
        for table in wanted.every:
            there = {column["name"] for column in inspector.get_columns(table.name, schema=schema)}
            missing = [column.name for column in table.columns if column.name not in there]
            if missing:
                problem = f"its table {table.name} has no column {', '.join(missing)}"
                raise StorageUnusable(name, problem, "Restore it from a backup.")


def _require_tables(connection: Connection, wanted: Tables) -> str:
    version = _version(connection, wanted)
    if version is None:
        raise StorageUnusable(
            storage_name(connection.engine),
            f"its tables {wanted.prefix}... are missing",
            "Run storecredit.storage.sql.create() on it, or your own migrations.",
        )
    return version


def _version(connection: Connection, wanted: Tables) -> str | None:
    """Return the version of the tables; None where they are not all there."""
    inspector = inspect(connection)
    there = set(inspector.get_table_names(schema=wanted.schema))
    if not all(table.name in there for table in wanted.every):
        return None
    meta = wanted.meta
    return connection.execute(select(meta.c.value).where(meta.c.name == _VERSION)).scalar()


@contextlib.contextmanager
def _working(bind: Engine | Connection) -> Iterator[Connection]:
    """Give a connection in a transaction, and explain what the server reports."""
    dialect = bind.dialect
    name = storage_name(bind.engine)
    try:
        if isinstance(bind, Engine):
            with bind.begin() as connection:
                yield connection
        else:
            yield bind
    except DBAPIError as error:
        kind = kind_of(error.orig, dialect) if isinstance(error.orig, Exception) else Kind.REFUSED
        if kind is Kind.FORBIDDEN:
            problem = "its user may not make or see the tables"
            raise StorageUnusable(name, problem, "Use a user who may.") from None
        if kind is Kind.LOST:
            raise StorageUnavailable(name, "no connection can be made, or it was lost") from None
        raise StorageUnavailable(name, "the database server did not do it") from None
    except SQLAlchemyError:
        raise StorageUnavailable(name, "it cannot be worked with") from None


@contextlib.contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Let one process at a time make tables: some engines fail where two try at once."""
    name = connection.dialect.name
    if name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    if name not in MYSQL_NAMES:
        yield
        return
    lock = f"storecredit {_LOCK}"
    connection.execute(select(func.get_lock(lock, _LOCK_SECONDS)))
    try:
        yield
    finally:
        connection.execute(select(func.release_lock(lock)))
