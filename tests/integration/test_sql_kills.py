"""
A server that is killed under load, again and again, and started on what it has kept.

Shoppers write down what they are told the moment they are told it, outside of the database. In
the end there is exactly what they were told: nothing acknowledged is lost, nothing is there
twice or by half, and each key gives the answer that it gave at first (S1, S4, S5).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from crowd.books import (
    Book,
    Books,
    require_all_as_acknowledged,
    require_nothing_lost_or_half_done,
    stock,
)
from crowd.clients import Client, prepare
from crowd.forking import Crowd
from crowd.scale import scaled
from servers.mariadb import MariaDB
from servers.postgres import Postgres

from storecredit.storage.sql import create

pytestmark = pytest.mark.server

KILLS = 11
"""How often the server is killed while one crowd is at work; a few times more if that hit nothing."""
CROWDS = scaled(2, 12)
MERCHANT = "acme"
COMMITS = "commits of the library's"
UNANSWERED = "the connection was lost while it was being committed"

SHOPPERS: dict[str, dict[str, Any]] = {
    "own 1": {"attempts": 1},
    "own 2": {"attempts": 1},
    "own 3": {},
    "host 1": {"hosts": True},
    "host 2": {"hosts": True},
    "host 3": {"hosts": True},
}


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    with Crowd() as crowd:
        yield crowd


@attrs.define
class Load:
    """A server with shoppers at work on one of its databases."""

    server: Postgres | MariaDB
    url: str
    crowd: Crowd
    folder: Path
    seed: str
    books: Books = attrs.field(init=False)
    kills: int = 0

    def __attrs_post_init__(self) -> None:
        self.books = Books(MERCHANT, [])

    def arguments(self, name: str) -> dict[str, Any]:
        return {
            "client": {"url": self.url, "merchant": MERCHANT, **SHOPPERS[name.partition(".")[0]]},
            "urls": [self.url],
            "seed": self.seed,
            "file": str(self.folder / name),
        }

    def begin(self, number: int) -> list[Book]:
        """Let a crowd begin, and return its books."""
        names = [f"{name}.{number}" for name in SHOPPERS]
        until = str(self.folder / f"end {number}")
        mine = [Book(self.folder / name, hosts=name.startswith("host")) for name in names]
        self.books.every += mine
        self.crowd.start(
            "shop", [{**self.arguments(name), "name": name, "until": until} for name in names]
        )
        return mine

    def end(self, number: int) -> None:
        """Let a crowd end, once each has done what it has begun."""
        (self.folder / f"end {number}").touch()
        self.crowd.finish()
        self.books.read()

    def kill_and_start(self, mine: list[Book], chance: random.Random, engine: sa.Engine) -> None:
        """Kill the server when everybody has done something, and a few things more were done."""
        before = [len(book.did) for book in mine]
        more = sum(before) + len(mine) + chance.randrange(60)

        def is_time() -> bool:
            now = [len(book.did) for book in mine]
            return sum(now) >= more and all(a < b for a, b in zip(before, now, strict=True))

        checked = [(book, len(book.did)) for book in self.books.every]
        self.books.wait_until(is_time, "everybody at work again")
        kill_whole(self.server)
        self.kills += 1
        self.books.read()
        keys = [each["did"]["key"] for book, known in checked for each in book.did[known:]]
        self.server.start()
        require_nothing_lost_or_half_done(engine, self.books, keys)

    def hits(self) -> dict[str, int]:
        """Count what kills have met in the midst of its work, by what it was."""
        hits = {"transactions of the library's": 0, "transactions of a host's": 0}
        if isinstance(self.server, Postgres):
            # There the commit travels together with the writes; elsewhere it is rarely hit.
            hits[COMMITS] = 0
        for (name, problem, _, _), times in self.books.met().items():
            if name == "TransactionInterrupted":
                hits["transactions of the library's"] += times
            if name == "HostTransactionConflict":
                # The order has been saved by then.
                hits["transactions of a host's"] += times
            if problem == UNANSWERED and COMMITS in hits:
                hits[COMMITS] += times
        return hits


def kill_whole(server: Postgres | MariaDB) -> None:
    """Kill the server and, in the same moment, what would go on for a while without it."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    pids = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    for pid in (server.pid, *pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.kill()


@pytest.fixture(params=["own_postgres", "own_mariadb"])
def load(request: pytest.FixtureRequest, crowd: Crowd, tmp_path: Path) -> Iterator[Load]:
    server: Postgres | MariaDB = request.getfixturevalue(request.param)
    seed = str(random.randrange(10**9))
    print(f"seed {seed}")
    with server.databases.fresh() as url:
        engine = sa.create_engine(url)
        create(engine)
        prepare(engine)
        engine.dispose()
        load = Load(server, url, crowd, tmp_path, seed)
        yield load
        print(f"{load.kills} kills; {load.books.shown()}")
        if not server.is_running:
            server.start()


def test_s4_what_was_acknowledged_survives_kills_under_load_and_nothing_is_half_done(
    load: Load,
) -> None:
    chance = random.Random(load.seed)
    # What is looked at from here is looked at on connections that live.
    client = Client(load.url, merchant=MERCHANT, options={"pool_pre_ping": True})
    stocked = stock(client.credit())
    for number in range(CROWDS):
        mine = load.begin(number)
        kills = 0
        while kills < KILLS or (number == CROWDS - 1 and not all(load.hits().values())):
            assert kills < 3 * KILLS, f"no kill met {load.hits()}"
            load.kill_and_start(mine, chance, client.engine)
            kills += 1
        load.end(number)
        verified = client.credit().verify()
        assert verified.ok, verified.problems
    assert load.kills >= 20
    assert all(load.hits().values())

    names = [book.file.name for book in load.books.every]
    answers = load.crowd.run("ask_again", [load.arguments(name) for name in names])
    for name, answer in zip(names, answers, strict=True):
        assert answer["wrong"] == [], name
    assert sum(answer["asked"] for answer in answers) == load.books.read()
    require_all_as_acknowledged(client, load.books, stocked)
    client.engine.dispose()
