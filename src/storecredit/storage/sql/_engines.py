"""How each engine begins and ends what a block does, and what a connection to it speaks."""

import functools
from collections.abc import Callable
from typing import Any, Final, final

import attrs
from sqlalchemy import Dialect

from storecredit.storage.sql._compiled import verb
from storecredit.storage.sql._types import MYSQL_NAMES
from storecredit.storage.sql._wire import OneByOne, Step, Wire

_COMMIT: Final = Step(verb("COMMIT"))
_ROLLBACK: Final = Step(verb("ROLLBACK"))
_BEGIN: Final = Step(verb("BEGIN"))
_BEGIN_IMMEDIATE: Final = Step(verb("BEGIN IMMEDIATE"))
_START: Final = Step(verb("START TRANSACTION"))
_CONSISTENT: Final = Step(verb("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"))
_READ_COMMITTED: Final = Step(verb("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
_REPEATABLE: Final = Step(verb("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
_SNAPSHOT: Final = Step(verb("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
_BEGUN_SNAPSHOT: Final = Step(verb("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))

_LEVELS: Final = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
_BEGIN_AT: Final = {level: Step(verb(f"BEGIN ISOLATION LEVEL {level}")) for level in _LEVELS}

_IDLE: Final = 0
"""How libpq says that a connection is in no transaction."""

_LEVEL: Final = "storecredit.isolation"
"""Where the pool keeps, beside a connection, how its session isolates transactions."""


@final
@attrs.frozen
class Frame:
    """What goes before the first statement of a block, and what ends it either way."""

    opening: tuple[Step, ...]
    closing: tuple[Step, ...]
    undoing: tuple[Step, ...]


def wire_to(
    connection: Any, dialect: Dialect, info: dict[Any, Any], *, prepares: bool = True
) -> Wire:
    """
    Return the way to speak on a driver's *connection*.

    Args:
        connection: The driver's own.

        dialect: The engine's.

        info: What the pool keeps beside the connection, for as long as that lives.

        prepares: Whether statements may be prepared: where the block begins with what can be
            undone.
    """
    if speaks_pipelines(dialect):
        # Where it is used, psycopg is there.
        from storecredit.storage.sql._pipeline import Pipelined  # noqa: PLC0415 - see above

        driver = _driver(connection)
        wait = _awaiting(connection) if dialect.is_async else driver.wait
        return Pipelined(driver, info, wait, prepares=prepares)
    return OneByOne(connection, dialect)


def speaks_pipelines(dialect: Dialect) -> bool:
    """Tell whether the driver is psycopg 3, whose connections take many statements at once."""
    return dialect.driver == "psycopg"


def _driver(connection: Any) -> Any:
    """Return the driver's own connection, where SQLAlchemy has put another face on it."""
    return getattr(connection, "driver_connection", connection)


def _awaiting(connection: Any) -> Callable[[Any], Any]:
    """Return what waits on an asynchronous connection, letting other tasks go on."""
    return lambda exchange: connection.run_async(lambda driver: driver.wait(exchange))


def own_transaction(connection: Any, dialect: Dialect, info: dict[Any, Any]) -> Frame:
    """Return how a transaction of the library's own begins and ends."""
    closing, undoing = (_COMMIT,), (_ROLLBACK,)
    if dialect.name == "sqlite":
        # The module's own rules about when to begin would let two writers read the same version.
        connection.isolation_level = None
        return Frame((_BEGIN_IMMEDIATE,), closing, undoing)
    if dialect.name in MYSQL_NAMES:
        level = info.get(_LEVEL)
        if level is None:
            level = info[_LEVEL] = dialect.get_isolation_level(connection)
        fixing = () if level == "READ COMMITTED" else (_READ_COMMITTED,)
        starting = (_START,) if _commits_by_itself(connection) else ()
        return Frame((*fixing, *starting), closing, undoing)
    if speaks_pipelines(dialect):
        return Frame((_beginning(connection),), closing, undoing)
    starting = (_BEGIN,) if _commits_by_itself(connection) else ()
    return Frame(starting, closing, undoing)


def own_snapshot(connection: Any, dialect: Dialect) -> Frame:
    """Return how a snapshot of the library's own begins and ends."""
    ending = (_ROLLBACK,)
    if dialect.name == "sqlite":
        connection.isolation_level = None
        return Frame((_BEGIN,), ending, ending)
    if dialect.name in MYSQL_NAMES:
        return Frame((_REPEATABLE, _CONSISTENT), ending, ending)
    if speaks_pipelines(dialect) or _commits_by_itself(connection):
        return Frame((_SNAPSHOT,), ending, ending)
    return Frame((_BEGUN_SNAPSHOT,), ending, ending)


def part_of_hosts(connection: Any, dialect: Dialect, depth: int) -> Frame:
    """Return how a block inside of a host's transaction begins and ends: with a savepoint."""
    begin, release, undo = _savepoint(depth)
    beginning = inside_of_hosts(connection, dialect).opening
    return Frame((*beginning, begin), (release,), (undo, release))


def inside_of_hosts(connection: Any, dialect: Dialect) -> Frame:
    """Return what has to go before a read in a host's transaction that may not have begun yet."""
    if dialect.name == "sqlite" and not _driver(connection).in_transaction:
        # A savepoint alone would be the whole transaction, and its release a commit.
        return Frame((_BEGIN_IMMEDIATE,), (), ())
    if speaks_pipelines(dialect) and _driver(connection).pgconn.transaction_status == _IDLE:
        return Frame((_beginning(connection),), (), ())
    return Frame((), (), ())


@functools.cache
def _savepoint(depth: int) -> tuple[Step, Step, Step]:
    name = f"storecredit_{depth}"
    words = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")
    begin, release, undo = (Step(verb(f"{word} {name}")) for word in words)
    return begin, release, undo


def _beginning(connection: Any) -> Step:
    """Begin at the level that the host has given its engine, if any."""
    level = _driver(connection).isolation_level
    return _BEGIN if level is None else _BEGIN_AT[level.name.replace("_", " ")]


def commits_each_statement(connection: Any, dialect: Dialect) -> bool:
    """Tell whether there is no transaction that a block could be a part of."""
    # SQLite's module may leave it to others to begin; a block does so itself.
    return dialect.name != "sqlite" and _commits_by_itself(connection)


def _commits_by_itself(connection: Any) -> bool:
    """Tell whether the driver commits each statement, unless a transaction is begun by hand."""
    asked = getattr(connection, "get_autocommit", None)
    found = asked() if asked is not None else getattr(connection, "autocommit", False)
    return found is True or found == 1
