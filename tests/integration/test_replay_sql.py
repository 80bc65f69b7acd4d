"""
The main job on a real shop's history, on database servers: the totals are those of a SQLite file.

What they are on SQLite, `test_replay_online_retail.py` compares with a computation of its own.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs
import pytest
import sqlalchemy as sa
from servers.databases import Databases
from sqlalchemy.exc import DBAPIError
from test_replay_online_retail import a_shop_of_its_own

from storecredit.cli.outcomes import Status
from storecredit.storage.sql import tables

pytestmark = pytest.mark.server

SERVERS = ("postgres", "mariadb")
EXPIRES_DAYS = 30
SECONDS_OF_PATIENCE = 120
SECONDS_BETWEEN_LOOKS = 0.002


@attrs.frozen
class Place:
    """An empty database of a server, and a way to the server past the ledger."""

    databases: Databases
    url: str

    def entries(self) -> int:
        """Count the entries that are committed; there are none before there are tables."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            try:
                counted = sa.select(sa.func.count()).select_from(tables().entries)
                return int(connection.execute(counted).scalar_one())
            except DBAPIError:
                return 0

    def connections(self) -> list[int]:
        """Return the numbers of all connections to the database."""
        name = sa.make_url(self.url).database
        if self.databases.is_postgresql:
            asked = f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'"
        else:
            asked = f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"
        return [int(number) for (number,) in self.databases.run(asked)]


@pytest.fixture(params=SERVERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    databases: Databases = request.getfixturevalue(f"{request.param}_databases")
    with databases.fresh() as url:
        yield Place(databases, url)


def command(*arguments: object) -> list[str]:
    """Say how a replay is run, with its totals as JSON; a policy says itself when credit expires."""
    program = [sys.executable, "-m", "storecredit.cli", "replay"]
    terms = [] if "--policy" in arguments else ["--expires-days", str(EXPIRES_DAYS)]
    return [*program, *map(str, arguments), *terms, "--json"]


def totals(*arguments: object) -> str:
    """Run a replay to its end, and return what it prints; it must have nothing to warn of."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verified"] is True
    return done.stdout


# --- A whole shop -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def retail(shared_data: Path) -> Path:
    return shared_data / "online_retail_to_2011_08.csv.gz"


@pytest.fixture(scope="module")
def on_sqlite(retail: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return totals(retail, "--db", tmp_path_factory.mktemp("replay") / "told.db")


def test_the_totals_of_nine_months_are_the_same_on_every_engine(
    place: Place, retail: Path, on_sqlite: str
) -> None:
    assert json.loads(on_sqlite)["redemptions"] > 1000
    assert totals(retail, "--db", place.url) == on_sqlite


# --- Broken off and started again -------------------------------------------------------


def until_there_are(entries: int, place: Place, process: subprocess.Popen[str]) -> bool:
    """Wait until so many entries are committed; tell whether the process has still more to do."""
    end = time.monotonic() + SECONDS_OF_PATIENCE
    while process.poll() is None:
        if place.entries() >= entries:
            return process.poll() is None
        assert time.monotonic() < end, f"no {entries} entries for so long"
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return False


Breaking = Callable[["subprocess.Popen[str]", Place], bool]
"""Breaks a replay off; tells whether there was something to break."""


def kill(process: subprocess.Popen[str], place: Place) -> bool:
    """Kill the replay without warning."""
    process.kill()
    process.wait()
    return place.entries() > 0


def end_connections(process: subprocess.Popen[str], place: Place) -> bool:
    """Let the server end the replay's connection in whatever it does."""
    there = place.connections()
    for number in there:
        place.databases.end(number)
    return bool(there) and process.returncode is None


def broken_off(
    points: Sequence[int], how: Breaking, place: Place, file: Path, *terms: object
) -> int:
    """Start a replay again and again, breaking it off at each point; tell how often that hit."""
    hits, left, conflicts = 0, list(points), 0
    while left:
        before = len(left)
        warned = file.with_suffix(".warned")
        with (
            warned.open("w") as warnings,
            subprocess.Popen(
                command(file, "--db", place.url, *terms),
                stdout=subprocess.DEVNULL,
                stderr=warnings,
                text=True,
            ) as process,
        ):
            while left and until_there_are(left[0], place, process):
                hits += how(process, place)
                left.pop(0)
        assert process.returncode in {0, Status.CONFLICT, -signal.SIGKILL}, warned.read_text()
        # One that met what the last one had left open on the server is started again.
        conflicts += process.returncode == Status.CONFLICT
        if len(left) == before and (process.returncode == 0 or conflicts > len(points)):
            # It came to an end of its own, and not to the next point.
            break
    return hits


@pytest.mark.parametrize("how", [kill, end_connections])
def test_s4_a_replay_that_is_broken_off_again_and_again_ends_in_the_same_totals(
    place: Place, how: Breaking, tmp_path: Path
) -> None:
    file = tmp_path / "history.csv"
    a_shop_of_its_own(file, rows=1500)
    wanted = totals(file, "--db", tmp_path / "told.db")
    assert json.loads(wanted)["redemptions"] > 100
    assert broken_off((1, 40, 150, 300, 450), how, place, file) >= 3
    assert totals(file, "--db", place.url) == wanted
    entries = place.entries()
    assert totals(file, "--db", place.url) == wanted
    assert place.entries() == entries


POLICY = """
name = "returns"
version = "1"

[[refund.rules]]
id = "standard"
offer = ["credit", "money"]
bonus = { percent = 10 }
credit = { expires = "P12M", bonus_expires = "P1M" }
"""


def test_s4_a_replay_by_a_policy_that_is_broken_off_ends_in_the_same_totals(
    place: Place, tmp_path: Path
) -> None:
    file, policy = tmp_path / "history.csv", tmp_path / "returns.toml"
    a_shop_of_its_own(file, rows=1500)
    policy.write_text(POLICY, encoding="utf-8")
    terms = ("--policy", policy)
    wanted = totals(file, "--db", tmp_path / "told.db", *terms)
    assert json.loads(wanted)["offers"]["credit"]["lines"] > 300
    assert broken_off((1, 100, 400), kill, place, file, *terms) >= 2
    assert totals(file, "--db", place.url, *terms) == wanted
    entries = place.entries()
    assert totals(file, "--db", place.url, *terms) == wanted
    assert place.entries() == entries
