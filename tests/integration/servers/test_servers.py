"""What the tests of storage rely on: servers that can be killed, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from .databases import Databases
from .fixtures import URLS_VARIABLE, named_url, refuse_or_skip
from .galera import GaleraCluster, started_cluster
from .machine import EngineMissing
from .mariadb import MariaDB, started_mariadb
from .postgres import Postgres, durable_postgres, programs_to_test, started_postgres

SECONDS_TO_DISAPPEAR = 10


def run(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements in one transaction; return the rows of the last."""
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        results = [connection.execute(sa.text(statement)) for statement in statements]
        return [tuple(row) for row in results[-1]] if results[-1].returns_rows else []


def with_servers_on_the_path() -> dict[str, str]:
    """Return the environment for another process that imports `servers`."""
    path = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


# -- one server --------------------------------------------------------------------------


def test_a_new_database_is_empty_and_gone_after_the_test(server_url: str) -> None:
    engine = sa.create_engine(server_url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_database_is_dropped_though_somebody_is_connected(
    postgres_databases: Databases, mariadb_databases: Databases
) -> None:
    for databases in (postgres_databases, mariadb_databases):
        with databases.fresh() as url:
            engine = sa.create_engine(url, poolclass=NullPool)
            forgotten = engine.connect()
            forgotten.execute(sa.text("SELECT 1"))
        with pytest.raises(sa.exc.DBAPIError):
            run(url, "SELECT 1")
        forgotten.invalidate()
        forgotten.close()


def test_a_postgresql_database_can_begin_as_a_copy(postgres_databases: Databases) -> None:
    pattern = postgres_databases.create()
    run(postgres_databases.url_of(pattern), "CREATE TABLE t (i int)", "INSERT INTO t VALUES (7)")
    with postgres_databases.fresh(like=pattern) as url:
        assert run(url, "SELECT i FROM t") == [(7,)]
    postgres_databases.drop(pattern)


@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_what_was_committed_survives_a_kill(engine: str, request: pytest.FixtureRequest) -> None:
    server: Postgres | MariaDB = request.getfixturevalue(f"own_{engine}")
    with server.databases.fresh() as url:
        run(url, "CREATE TABLE t (i int)", "INSERT INTO t VALUES (1)")
        killed = server.pid
        server.kill()
        assert not server.is_running
        assert not is_there(killed)
        with pytest.raises(sa.exc.OperationalError):
            run(url, "SELECT i FROM t")
        server.start()
        assert server.pid != killed
        assert run(url, "SELECT i FROM t") == [(1,)]
        server.restart()
        assert run(url, "SELECT i FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("engine", "own_number"), [("postgres", "pg_backend_pid()"), ("mariadb", "CONNECTION_ID()")]
)
def test_one_connection_can_be_ended_from_the_servers_side(
    engine: str, own_number: str, request: pytest.FixtureRequest
) -> None:
    databases: Databases = request.getfixturevalue(f"{engine}_databases")
    with databases.fresh() as url:
        connection = sa.create_engine(url, poolclass=NullPool).connect()
        number = connection.execute(sa.text(f"SELECT {own_number}")).scalar_one()
        databases.end(number)
        databases.end(number)
        with pytest.raises(sa.exc.OperationalError):
            connection.execute(sa.text("SELECT 1"))
        connection.invalidate()
        connection.close()
        assert run(url, "SELECT 1") == [(1,)]


def test_the_log_tells_what_happened_after_a_moment(own_postgres: Postgres) -> None:
    before = own_postgres.log_size()
    with own_postgres.databases.fresh() as url, pytest.raises(sa.exc.ProgrammingError):
        run(url, "SELECT * FROM nowhere")
    assert 'relation "nowhere" does not exist' in own_postgres.log(after=before)
    assert "nowhere" not in own_postgres.log(after=own_postgres.log_size())


FAILS = """
import pytest, sqlalchemy

def test_that_fails(postgres_url):
    with sqlalchemy.create_engine(postgres_url).connect() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
"""


def test_a_failure_shows_what_the_server_has_logged(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(FAILS)
    pytest_run = ["-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "-p"]
    done = subprocess.run(
        [sys.executable, *pytest_run, "servers.fixtures", "-rN", str(tmp_path)],
        stdout=subprocess.PIPE,
        env=with_servers_on_the_path(),
        cwd=tmp_path,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "log of PostgreSQL" in done.stdout
    assert 'relation "nowhere" does not exist' in done.stdout


def test_programs_that_only_this_account_can_reach_are_copied(tmp_path: Path) -> None:
    """So it is with an environment in a folder of root's."""
    programs = programs_to_test()
    package = programs.parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    copy = closed / package.name / programs.parent.name
    shutil.copytree(programs.parent, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    with started_postgres(programs=copy / programs.name) as server:
        assert server.databases.answers()
        folder = server.folder
    assert not folder.exists()


def test_the_server_for_benchmarks_has_the_engines_own_durable_settings() -> None:
    with durable_postgres() as server:
        told = {
            name: server.databases.run(f"SHOW {name}")[0][0]
            for name in ("fsync", "full_page_writes", "synchronous_commit")
        }
        assert told == {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
        assert run(server.socket_url("postgres"), "SELECT 1") == [(1,)]


# -- nothing is left ---------------------------------------------------------------------

STARTS_A_SERVER = """
import sys, time
from servers.{module} import {start}
server = {start}()
print(server.pid, server.folder, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("module", "start"), [("postgres", "started_postgres"), ("mariadb", "started_mariadb")]
)
def test_a_server_ends_and_its_folder_goes_when_its_tests_are_killed(
    module: str, start: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(f"{module}_databases")  # is there such an engine?
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_A_SERVER.format(module=module, start=start)],
        stdout=subprocess.PIPE,
        env=with_servers_on_the_path(),
        text=True,
    ) as tests:
        try:
            assert tests.stdout is not None
            pid, _, folder = tests.stdout.readline().strip().partition(" ")
            assert is_there(int(pid))
            assert len(mentioning(folder)) >= 2  # the server and its keeper
        finally:
            tests.send_signal(signal.SIGKILL)
    end = time.monotonic() + SECONDS_TO_DISAPPEAR
    while (mentioning(folder) or Path(folder).exists()) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_there(int(pid))
    assert mentioning(folder) == []
    assert not Path(folder).exists()


def is_there(pid: int) -> bool:
    """Tell whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def mentioning(folder: str) -> list[str]:
    """Find the processes whose command names the folder: the server and its keeper."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid,args"], stdout=subprocess.PIPE, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if folder in line]


# -- three servers as one ----------------------------------------------------------------


def test_what_one_node_commits_the_others_have_also_after_a_kill(
    galera: GaleraCluster, galera_urls: tuple[str, ...]
) -> None:
    first, second, third = galera_urls
    run(first, "CREATE TABLE t (i int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    run(second, "INSERT INTO t VALUES (2)")
    run(third, "INSERT INTO t VALUES (3)")
    assert rows_when_there_are(3, galera_urls) == [[(1,), (2,), (3,)]] * 3

    galera.kill(2)
    assert [node.number for node in galera.running] == [0, 1]
    run(first, "INSERT INTO t VALUES (4)")
    run(second, "INSERT INTO t VALUES (5)")
    galera.wait_until_synced()
    galera.rejoin(2)
    galera.wait_until_synced()
    assert [node.status()["wsrep_cluster_size"] for node in galera.nodes] == ["3"] * 3
    run(third, "INSERT INTO t VALUES (6)")
    assert rows_when_there_are(6, galera_urls) == [[(i,) for i in range(1, 7)]] * 3


def test_a_cluster_that_was_killed_whole_starts_again_with_what_it_had(
    galera: GaleraCluster, galera_urls: tuple[str, ...]
) -> None:
    run(galera_urls[1], "CREATE TABLE t (i int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    galera.kill(0)
    run(galera_urls[1], "INSERT INTO t VALUES (2)")
    galera.kill(2)
    galera.kill(1)
    galera.restore()
    assert rows_when_there_are(2, galera_urls) == [[(1,), (2,)]] * 3


def rows_when_there_are(count: int, urls: tuple[str, ...]) -> list[list[tuple[object, ...]]]:
    """Read table t on each node once it has so many rows: nodes apply what others wrote later."""
    end = time.monotonic() + SECONDS_TO_DISAPPEAR
    while True:
        found = [run(url, "SELECT i FROM t ORDER BY i") for url in urls]
        if all(len(rows) == count for rows in found) or time.monotonic() > end:
            return found
        time.sleep(0.05)


# -- an engine that is missing -----------------------------------------------------------


def test_a_missing_engine_skips_a_test_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no MariaDB on this machine"):
        refuse_or_skip("no MariaDB on this machine")


def test_a_missing_engine_is_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI tests every engine"):
        refuse_or_skip("no MariaDB on this machine")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("servers.machine.FOLDERS_OF_PROGRAMS", ())
    with pytest.raises(EngineMissing, match="no `mariadbd`"):
        started_mariadb()
    with pytest.raises(EngineMissing, match="no rsync"):
        started_cluster()


def test_a_url_names_the_server_of_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        URLS_VARIABLE, "postgresql+psycopg://ann@db.example/shop, mysql+pymysql://bob@db.example"
    )
    postgres, mariadb = named_url("postgresql"), named_url("mariadb")
    assert postgres is not None
    assert (postgres.username, postgres.database) == ("ann", "shop")
    assert mariadb is not None
    assert mariadb.username == "bob"
    monkeypatch.delenv(URLS_VARIABLE)
    assert named_url("postgresql") is None


@pytest.mark.parametrize("text", ["oracle://scott@db.example", "not a url"])
def test_a_url_that_names_no_known_engine_fails(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URLS_VARIABLE, text)
    with pytest.raises(pytest.fail.Exception, match=URLS_VARIABLE):
        named_url("postgresql")
