"""
Three nodes that are one database, with writers on all of them (S1, S2, S4, S5).

A node's locks are its own: of two transactions on two nodes that touch the same rows, the one
that commits first wins, and the other is undone, at its commit or before. And a node applies what
others have committed a moment later; so whoever goes from node to node, as a pool behind a load
balancer does, asks for `wsrep_sync_wait`, with which a transaction begins when its node has
caught up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa
from crowd.books import Book, Books, require_all_as_acknowledged, stock
from crowd.clients import Client, prepare
from crowd.forking import Crowd
from crowd.scale import scaled
from servers.galera import GaleraCluster

from storecredit import Money
from storecredit.errors import InsufficientCredit
from storecredit.storage.sql import SQLStorage, create, tables
from storecredit.storage.sql.schema import Tables
from storecredit.testing import StorageContract

if TYPE_CHECKING:
    from storecredit.storage import Storage

CAUGHT_UP: dict[str, Any] = {"connect_args": {"init_command": "SET SESSION wsrep_sync_wait = 1"}}
"""Options of an engine whose transactions see all that was committed, on whichever node."""


# --- The contract, from node to node --------------------------------------------------------


@attrs.define
class Ledgers:
    """
    Tables for one storage after the other, written and read on the nodes in turn.

    To make tables on a cluster takes a third of a second; so those of a duty that is over are
    emptied, and lent again.
    """

    urls: tuple[str, ...]
    engines: list[sa.Engine] = attrs.field(factory=list)
    free: list[Tables] = attrs.field(factory=list)
    lent: list[Tables] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=count)
    _nodes: Iterator[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._nodes = cycle(self.urls)

    def engine(self) -> sa.Engine:
        """Return an engine on the next node."""
        self.engines.append(sa.create_engine(next(self._nodes), pool_size=10, **CAUGHT_UP))
        return self.engines[-1]

    def new(self) -> SQLStorage:
        """Return an empty storage; its tables may have been made, or emptied, on another node."""
        if not self.free:
            made = tables(prefix=f"c{next(self._numbers)}_")
            create(self.engine(), prefix=made.prefix)
            self.free.append(made)
        self.lent.append(self.free.pop())
        return self.again()

    def again(self) -> SQLStorage:
        """Return the newest storage, on another node."""
        return SQLStorage(self.engine(), prefix=self.lent[-1].prefix)

    def empty(self) -> None:
        """Take back all tables, as they were at first."""
        self.close()
        engine = self.engine()
        for each in self.lent:
            with engine.begin() as connection:
                for table in each.every:
                    if table not in (each.meta, each.counter, each.entries):
                        connection.execute(sa.delete(table))
                connection.execute(sa.update(each.counter).values(place=0))
            with engine.begin() as connection:
                # No statement deletes an entry; this makes the table anew.
                connection.execute(sa.text(f"TRUNCATE TABLE {each.entries.name}"))
        self.free += self.lent
        self.lent.clear()
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        for engine in self.engines:
            engine.dispose()
        self.engines.clear()


@pytest.fixture(scope="class")
def ledgers(galera_cluster: GaleraCluster) -> Iterator[Ledgers]:
    galera_cluster.restore()
    with galera_cluster.fresh_database() as urls:
        yield Ledgers(urls)


class TestSQLStorageOnGalera(StorageContract):
    ledgers: Ledgers

    @pytest.fixture(autouse=True)
    def _on_three_nodes(self, ledgers: Ledgers, galera_cluster: GaleraCluster) -> Iterator[None]:
        assert len(galera_cluster.running) == 3
        with ExitStack() as ending:
            self.ledgers = ledgers
            ending.callback(ledgers.empty)
            yield

    def make_storage(self) -> SQLStorage:
        return self.ledgers.new()

    def reopen(self, storage: Storage) -> SQLStorage:  # noqa: ARG002 - it is the newest one
        return self.ledgers.again()


# --- Spenders on all nodes ------------------------------------------------------------------

MERCHANT = "acme"
KILLS = scaled(1, 6)
SHOPPERS: dict[str, dict[str, Any]] = {
    **{f"own {number}": {} for number in range(3)},
    **{f"own once {number}": {"attempts": 1} for number in range(2)},
    **{f"host {number}": {"hosts": True} for number in range(4)},
}


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    with Crowd() as crowd:
        yield crowd


@attrs.define
class Load:
    """Shoppers at work on all three nodes."""

    galera: GaleraCluster
    urls: tuple[str, ...]
    crowd: Crowd
    folder: Path
    seed: str
    books: Books = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        every = [Book(self.folder / name, hosts=name.startswith("host")) for name in SHOPPERS]
        self.books = Books(MERCHANT, every)

    def arguments(self, name: str) -> dict[str, Any]:
        client = {"url": self.urls[0], "merchant": MERCHANT, "options": CAUGHT_UP}
        return {
            "client": {**client, **SHOPPERS[name]},
            "urls": self.urls,
            "seed": self.seed,
            "file": str(self.folder / name),
        }

    def begin(self) -> None:
        until = str(self.folder / "end")
        each = [{**self.arguments(name), "name": name, "until": until} for name in SHOPPERS]
        self.crowd.start("shop", each)

    def end(self) -> None:
        (self.folder / "end").touch()
        self.crowd.finish()
        self.books.read()

    def done_at(self) -> dict[int, int]:
        """Count what was acknowledged, by node."""
        done = dict.fromkeys(range(len(self.urls)), 0)
        for each in self.books.did():
            done[each["at"]] += 1
        return done

    def wait_for_work_at(self, nodes: list[int], *, each: int) -> None:
        """Wait until so many more commands were acknowledged by each of the nodes."""
        self.books.read()
        before = self.done_at()

        def enough() -> bool:
            now = self.done_at()
            return all(now[node] >= before[node] + each for node in nodes)

        self.books.wait_until(enough, f"{each} more commands at each of {nodes}")

    def refused_commits(self) -> int:
        """Count the transactions that nodes have refused to commit: not the first to commit."""
        running = self.galera.running
        return sum(int(node.status()["wsrep_local_cert_failures"]) for node in running)

    def hosts_commits_refused(self) -> int:
        """Count the commits of hosts that ended in error 1213; no other statement of theirs can."""
        deadlock = 1213
        return sum(
            times
            for (name, _, code, hosts), times in self.books.met().items()
            if name == "OperationalError" and code == deadlock and hosts
        )


@pytest.fixture
def load(
    galera: GaleraCluster, galera_urls: tuple[str, ...], crowd: Crowd, tmp_path: Path
) -> Iterator[Load]:
    seed = str(random.randrange(10**9))
    print(f"seed {seed}")
    engine = sa.create_engine(galera_urls[0])
    create(engine)
    prepare(engine)
    engine.dispose()
    load = Load(galera, galera_urls, crowd, tmp_path, seed)
    yield load
    print(f"{load.done_at()} at the nodes; {load.books.shown()}")
    # The database can only be dropped by a cluster that is whole.
    galera.restore()


def test_s2_writers_on_all_nodes_lose_nothing_while_a_node_is_killed_and_rejoins(
    load: Load,
) -> None:
    chance = random.Random(load.seed)
    nodes = [Client(url, merchant=MERCHANT, options=CAUGHT_UP) for url in load.urls]
    stocked = stock(nodes[0].credit())
    for node in nodes:
        node.engine.dispose()
    refused_before = load.refused_commits()
    load.begin()
    load.books.wait_until(
        lambda: load.hosts_commits_refused() > 0 and load.refused_commits() > refused_before,
        "a commit that was refused",
    )
    for _ in range(KILLS):
        load.wait_for_work_at([0, 1, 2], each=10)
        victim = chance.randrange(3)
        others = [number for number in range(3) if number != victim]
        load.galera.kill(victim)
        load.wait_for_work_at(others, each=20)
        load.galera.rejoin(victim)
        load.wait_for_work_at([0, 1, 2], each=20)
    load.end()
    load.galera.wait_until_synced()

    names = list(SHOPPERS)
    answers = load.crowd.run("ask_again", [load.arguments(name) for name in names])
    for name, answer in zip(names, answers, strict=True):
        assert answer["wrong"] == [], name
    assert sum(answer["asked"] for answer in answers) == load.books.read()
    for node in nodes:
        require_all_as_acknowledged(node, load.books, stocked)
        node.engine.dispose()


# --- A node that lags -----------------------------------------------------------------------

SECONDS_OF_PATIENCE = 60.0


@attrs.define
class Lagging:
    """
    A node that applies nothing that others commit, from `lag` to `go_on`.

    It applies in order, and the first in the order is a row for a table that is locked there.
    """

    elsewhere: sa.Connection
    locking: sa.Connection
    looking: sa.Connection

    def lag(self) -> None:
        self.elsewhere.execute(sa.text("CREATE TABLE locked (i int PRIMARY KEY)"))
        self.locking.execute(sa.text("SELECT * FROM locked"))
        self.locking.execute(sa.text("LOCK TABLES locked READ"))
        self.elsewhere.execute(sa.text("INSERT INTO locked VALUES (1)"))
        self.looking.execute(sa.text("SET SESSION wsrep_sync_wait = 0"))

    def go_on(self) -> None:
        self.locking.execute(sa.text("UNLOCK TABLES"))

    def is_waited_for(self) -> bool:
        """Tell whether somebody waits for an answer of the node."""
        asked = (
            "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()"
            " AND command = 'Query' AND user <> 'system user' AND id <> CONNECTION_ID()"
        )
        return int(self.looking.execute(sa.text(asked)).scalar_one()) > 0


@pytest.fixture
def lagging(galera: GaleraCluster, galera_urls: tuple[str, ...]) -> Iterator[Lagging]:
    """The last node."""
    first, last = (
        sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", **CAUGHT_UP)
        for url in (galera_urls[0], galera_urls[2])
    )
    create(first)
    with first.connect() as elsewhere, last.connect() as locking, last.connect() as looking:
        lagging = Lagging(elsewhere, locking, looking)
        yield lagging
        lagging.go_on()
    galera.wait_until_synced()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS_OF_PATIENCE
    while not condition():
        assert time.monotonic() < end, f"no {what} after {SECONDS_OF_PATIENCE} s"
        time.sleep(0.01)


def test_s2_with_sync_wait_a_node_that_lags_decides_on_what_the_others_have_acknowledged(
    lagging: Lagging, galera_urls: tuple[str, ...]
) -> None:
    """Without it, what was just given on one node is refused on another: so it is asked for."""
    dollar = Money.of("1.00", "USD")
    here, hasty, patient = (
        Client(url, merchant=MERCHANT, options=options)
        for url, options in (
            *((galera_urls[0], {}), (galera_urls[2], {})),
            (galera_urls[2], CAUGHT_UP),
        )
    )
    for number, client in enumerate((patient, hasty, here)):
        # So that they are connected, and have asked whatever is asked once.
        client.credit().issue("ben", dollar, funding="refund", key=str(number))
    lagging.lag()
    here.credit().issue("anna", dollar, funding="refund", key="1")
    with pytest.raises(InsufficientCredit):
        hasty.credit().redeem("anna", dollar, key="2")

    with ThreadPoolExecutor(1) as threads:
        redeemed = threads.submit(patient.credit().redeem, "anna", dollar, key="2")
        try:
            wait_until(lagging.is_waited_for, "transaction that waits")
            assert not redeemed.done()
        finally:
            lagging.go_on()
        receipt = redeemed.result(SECONDS_OF_PATIENCE)
    assert (receipt.amount, receipt.replayed) == (dollar, False)
    for client in (here, hasty, patient):
        client.engine.dispose()
