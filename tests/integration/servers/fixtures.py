"""
The servers as fixtures: a pytest plugin, named in the repository's conftest.py.

Each process that runs tests starts its own servers, when a test first asks for them. A URL in
STORECREDIT_TEST_URLS (several: by spaces or commas) names a server to use instead, where a test
needs nothing but a database. An engine that is not there skips the test and says what is
missing; in CI (the variable CI is set) the test fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from typing import NoReturn, TypeVar

import pytest
import sqlalchemy as sa

from .databases import Databases
from .galera import GaleraCluster, started_cluster
from .machine import EngineMissing
from .mariadb import MariaDB, started_mariadb
from .postgres import Postgres, started_postgres
from .server import Server

URLS_VARIABLE = "STORECREDIT_TEST_URLS"
# SQLAlchemy's names of the engines that a URL may name, and ours.
ENGINES = {"postgresql": "postgresql", "mysql": "mariadb", "mariadb": "mariadb"}
CHARACTERS_OF_LOG = 20_000

SERVERS: pytest.StashKey[list[Server]] = pytest.StashKey()
LOG_SIZES: pytest.StashKey[dict[Server, int]] = pytest.StashKey()

_T = TypeVar("_T", bound=Postgres | MariaDB | GaleraCluster)
_S = TypeVar("_S", bound=Server)


# --- PostgreSQL -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Databases of a PostgreSQL server that all tests of this process share."""
    yield from _databases(request, "postgresql", started_postgres)


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, for this test alone."""
    with postgres_databases.fresh() as url:
        yield url


@pytest.fixture(scope="session")
def killable_postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    yield from _started(request, started_postgres)


@pytest.fixture
def own_postgres(killable_postgres: Postgres) -> Iterator[Postgres]:
    """A PostgreSQL server that this test may stop, kill and start; it runs at the beginning."""
    yield from _running(killable_postgres)


# --- MariaDB --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def mariadb_databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Databases of a MariaDB (or MySQL) server that all tests of this process share."""
    yield from _databases(request, "mariadb", started_mariadb)


@pytest.fixture
def mariadb_url(mariadb_databases: Databases) -> Iterator[str]:
    """The URL of an empty MariaDB database, for this test alone."""
    with mariadb_databases.fresh() as url:
        yield url


@pytest.fixture(scope="session")
def killable_mariadb(request: pytest.FixtureRequest) -> Iterator[MariaDB]:
    yield from _started(request, started_mariadb)


@pytest.fixture
def own_mariadb(killable_mariadb: MariaDB) -> Iterator[MariaDB]:
    """A MariaDB server that this test may stop, kill and start; it runs at the beginning."""
    yield from _running(killable_mariadb)


# --- Galera ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def galera_cluster(request: pytest.FixtureRequest) -> Iterator[GaleraCluster]:
    yield from _started(request, started_cluster)


@pytest.fixture
def galera(galera_cluster: GaleraCluster) -> GaleraCluster:
    """Three nodes that run and agree; the test may kill them and let them rejoin."""
    galera_cluster.restore()
    return galera_cluster


@pytest.fixture
def galera_urls(galera: GaleraCluster) -> Iterator[tuple[str, ...]]:
    """The URLs, one for each node, of an empty database, for this test alone."""
    with galera.fresh_database() as urls:
        yield urls


# --- Any of them ----------------------------------------------------------------------


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of each engine in turn."""
    fixtures = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}
    return str(request.getfixturevalue(fixtures[request.param]))


# --- How they come about --------------------------------------------------------------


def _databases(
    request: pytest.FixtureRequest, engine: str, start: Callable[[], Postgres | MariaDB]
) -> Iterator[Databases]:
    named = named_url(engine)
    if named is not None:
        yield Databases(named)
        return
    for server in _started(request, start):
        yield server.databases


def _started(request: pytest.FixtureRequest, start: Callable[[], _T]) -> Iterator[_T]:
    try:
        started = start()
    except EngineMissing as missing:
        refuse_or_skip(str(missing))
    with started:
        logs = request.config.stash[SERVERS]
        logs.extend(started.nodes if isinstance(started, GaleraCluster) else [started])
        yield started


def _running(server: _S) -> Iterator[_S]:
    if not server.is_running:
        server.start()
    yield server


def refuse_or_skip(reason: str) -> NoReturn:
    """Skip the test that needs what is missing; in CI, where nothing may be missing, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}. CI tests every engine.", pytrace=False)
    pytest.skip(reason)


def named_url(engine: str) -> sa.URL | None:
    """Return the first URL that names a server of the engine; its user may make databases."""
    for text in os.environ.get(URLS_VARIABLE, "").replace(",", " ").split():
        try:
            url = sa.make_url(text)
        except sa.exc.ArgumentError:
            pytest.fail(f"{URLS_VARIABLE} names {text!r}, which is not a URL of SQLAlchemy.")
        if url.get_backend_name() not in ENGINES:
            pytest.fail(f"{URLS_VARIABLE} may name {sorted(ENGINES)}, not {url.drivername!r}.")
        if ENGINES[url.get_backend_name()] == engine:
            return url
    return None


# --- What pytest is told --------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Know the servers whose logs a failure shows."""
    config.stash[SERVERS] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember where the logs stand when a test begins."""
    item.stash[LOG_SIZES] = {server: server.log_size() for server in item.config.stash[SERVERS]}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the servers have logged since the test began."""
    report = yield
    if report.failed:
        sizes = item.stash.get(LOG_SIZES, {})
        for server in item.config.stash[SERVERS]:
            logged = server.log(after=sizes.get(server, 0))[-CHARACTERS_OF_LOG:]
            if logged:
                title = f"log of {server.name} at {server.host}:{server.port}"
                report.sections.append((title, logged))
    return report
