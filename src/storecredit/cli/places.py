"""Places: where a command's ledger is kept, in a SQLite file or in a database that a URL names."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from storecredit.cli.outcomes import Status, stop
from storecredit.storage import SQLiteStorage, Storage

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+_.-]*://")
_DRIVERS: Final = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
"""What a URL means that names no driver."""
_PACKAGES: Final = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pymysql": "PyMySQL",
    "MySQLdb": "mysqlclient",
}
"""What brings a driver, by the name of its module."""
_FORM: Final = "postgresql://user:password@host/database"
_ADVICE: Final = "Name it with --db or STORECREDIT_DB; `storecredit issue` begins a new one."


def is_url(place: str) -> bool:
    """Tell whether *place* is a URL and not a path."""
    return _URL.match(place) is not None


def shown(place: str) -> str:
    """Return *place* as it may be printed: without a password, wherever the URL has it."""
    if not is_url(place):
        return place
    return _url_of(place).set(query={}).render_as_string(hide_password=True)


def is_there(place: str) -> bool:
    """Tell whether *place* is no file that is missing; a server is not asked."""
    if not is_url(place):
        return Path(place).exists()
    url = _url_of(place)
    return url.get_backend_name() != "sqlite" or not url.database or Path(url.database).exists()


@contextmanager
def opened(place: str, *, new: bool) -> Iterator[Storage]:
    """
    Open the ledger at *place*, for as long as the block lasts.

    Args:
        place: A path, or a URL of SQLAlchemy's.

        new: Whether it is made where there is none; else that is a slip of the hand.

    Raises:
        typer.Exit: There is no such place, or the URL cannot be used; the reason was told.
        StorageUnusable, StorageUnavailable: The database.
    """
    if is_url(place):
        with _opened_url(_url_of(place), new=new) as storage:
            yield storage
        return
    path = Path(place)
    if not new:
        _require_file(path)
    file = SQLiteStorage(path)
    try:
        yield file
    finally:
        file.close()


@contextmanager
def _opened_url(url: "URL", *, new: bool) -> Iterator[Storage]:
    # It needs SQLAlchemy, which has been looked for before a URL was made of a text.
    from storecredit.storage.sql import SQLStorage, check, create  # noqa: PLC0415 - see above

    if url.get_backend_name() == "sqlite" and url.database and not new:
        _require_file(Path(url.database))
    engine = _engine_of(url)
    try:
        try:
            (create if new else check)(engine)
        except (TypeError, ValueError):
            # Drivers take the options of a URL as they come, and do not like all of them.
            _refuse("it has options that its driver does not take")
        yield SQLStorage(engine)
    finally:
        engine.dispose()


def _url_of(place: str) -> "URL":
    try:
        from sqlalchemy import make_url  # noqa: PLC0415 - the extra may not be there
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - as above
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "sqlalchemy":
            raise
        stop(
            Status.MISUSED,
            "A ledger in a database server needs the extra `sql`, which is not installed. Install"
            " it: pip install 'storecredit[sql]'. Without it, --db takes the path of a file.",
        )
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        _refuse("it cannot be read")
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def _engine_of(url: "URL") -> "Engine":
    from sqlalchemy import create_engine  # noqa: PLC0415 - the extra may not be there
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError  # noqa: PLC0415 - as above

    try:
        engine = create_engine(url)
    except NoSuchModuleError:
        _refuse(f"there is no engine {url.drivername!r}")
    except ModuleNotFoundError as missing:
        module = missing.name or "of that name"
        package = _PACKAGES.get(module, module)
        stop(
            Status.MISUSED,
            f"The driver {module} is not installed. Install it: pip install '{package}'.",
        )
    except (ArgumentError, TypeError, ValueError):
        _refuse("it has options that cannot be used")
    if engine.dialect.is_async:
        _refuse(f"{url.drivername!r} is for programs with an event loop, and this is none")
    return engine


def _refuse(problem: str) -> NoReturn:
    """End the command; the URL is not repeated, for it may have a password in it."""
    stop(
        Status.MISUSED,
        f"The URL of the database cannot be used: {problem}. It should be like {_FORM}.",
    )


def _require_file(path: Path) -> None:
    """Require that a file is there: a name without one is a slip of the hand, not a new ledger."""
    if not path.exists():
        stop(Status.MISUSED, f"There is no database {path}. {_ADVICE}")
