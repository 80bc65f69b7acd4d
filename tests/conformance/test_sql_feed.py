"""The feed of a database: hosts whose transactions stay open, many merchants, changed rows (S7)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from storecredit import Money, StoreCredit
from storecredit.errors import InvalidTerms, JournalBroken, StorageUnusable
from storecredit.storage import BEGINNING, FeedPosition
from storecredit.storage.sql import SQLStorage, create
from storecredit.storage.sql._catalogue import catalogue_for
from storecredit.storage.sql._exchange import Exchange
from storecredit.testing.contract import FeedDuties
from storecredit.testing.contract.feeding import (
    every_entry,
    fed_ids,
    keys,
    page,
    patiently_read,
    places,
    read,
    read_on,
)

if TYPE_CHECKING:
    from storecredit.storage import Fed, FeedPage, Storage

pytestmark = pytest.mark.server

SOON = 5.0
"""Seconds within which whoever waits for nobody is done."""


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def by_outbox(engine: Engine, prefix: str = "storecredit_") -> None:
    """Let a PostgreSQL go the way of engines that only speak as it does."""
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {prefix}meta SET value = 'outbox' WHERE name = 'feed'"))


# --- The contract, on PostgreSQL by an outbox ---------------------------------------------------


class TestSQLFeedByOutboxOnPostgreSQL(FeedDuties):
    numbers = count(1)

    @pytest.fixture(autouse=True)
    def _on_a_server(self, postgres_url: str) -> Iterator[None]:
        with ExitStack() as ending:
            self.engine = create_engine(postgres_url, pool_size=10)
            ending.callback(self.engine.dispose)
            yield

    def make_storage(self) -> SQLStorage:
        self.prefix = f"c{next(self.numbers)}_"
        create(self.engine, prefix=self.prefix)
        by_outbox(self.engine, self.prefix)
        return SQLStorage(self.engine, prefix=self.prefix)

    def reopen(self, storage: Storage) -> SQLStorage:  # noqa: ARG002 - it is the newest one
        self.engine.dispose()
        return SQLStorage(self.engine, prefix=self.prefix)


# --- Engines ------------------------------------------------------------------------------------


SERVERS = ("postgresql", "outbox on postgresql", "mariadb")


def stocked(url: str, *, outbox: bool = False) -> Iterator[Engine]:
    """A database where Anna, Ben and Zoe have five dollars each."""
    # At MariaDB's own level, a host's transaction that stays open also keeps accounts waiting
    # that lie beside those which it has loaded.
    options = {} if url.startswith("sqlite") else {"isolation_level": "READ COMMITTED"}
    engine = create_engine(url, **options)
    create(engine)
    if outbox:
        by_outbox(engine)
    for holder in ("anna", "ben", "zoe"):
        shop(engine).issue(holder, usd("5.00"), funding="refund", key=f"{holder}'s gift")
    yield engine
    engine.dispose()


def url_of(request: pytest.FixtureRequest, kind: str) -> str:
    return str(request.getfixturevalue("mariadb_url" if kind == "mariadb" else "postgres_url"))


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """One where transactions run beside one another."""
    kind = request.param
    yield from stocked(url_of(request, kind), outbox=kind.startswith("outbox"))


@pytest.fixture(params=["sqlite", *SERVERS])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    kind = request.param
    url = f"sqlite:///{tmp_path}/shop.db" if kind == "sqlite" else url_of(request, kind)
    yield from stocked(url, outbox=kind.startswith("outbox"))


@pytest.fixture(params=["outbox on postgresql", "mariadb"])
def reader(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A server where readers give the places."""
    yield from stocked(url_of(request, request.param), outbox=request.param != "mariadb")


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[Engine]:
    yield from stocked(mariadb_url)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Engine]:
    yield from stocked(postgres_url)


def shop(bind: Any, merchant: str = "acme") -> StoreCredit:
    return StoreCredit(SQLStorage(bind), merchant, sleep=lambda _: None)


def journals(engine: Engine, merchant: str = "acme") -> dict[str, list[str]]:
    """The ids of the entries of each account, in the order of its journal."""
    found: dict[str, list[str]] = {}
    for entry in every_entry(SQLStorage(engine), merchant):
        found.setdefault(entry.account, []).append(entry.id)
    return found


def on(engine: Engine, after: FeedPosition = BEGINNING) -> tuple[list[Fed], FeedPosition]:
    """What is fed after a position, and where to go on; nobody is waited for."""
    begun = time.monotonic()
    found = read_on(SQLStorage(engine), merchant="acme", after=after, limit=2)
    assert time.monotonic() - begun < SOON, "the reader has waited for somebody"
    return found


# --- Transactions that stay open ----------------------------------------------------------------


def test_s7_an_entry_that_is_committed_late_is_not_missed_and_keeps_nobody_waiting(
    server: Engine,
) -> None:
    with server.connect() as slow:
        shop(slow).redeem("anna", usd("1.00"), key="slow")
        for number in range(3):
            shop(server).redeem("zoe", usd("1.00"), key=f"quick {number}")
        early, position = on(server)
        assert "slow" not in keys(early)
        slow.commit()
    late, _ = on(server, position)
    assert fed_ids([*early, *late]) == journals(server)
    assert places(read(SQLStorage(server))) == places([*early, *late])


def test_s7_a_reader_by_outbox_gives_what_is_committed_though_others_are_under_way(
    reader: Engine,
) -> None:
    with reader.connect() as slow:
        shop(slow).redeem("anna", usd("1.00"), key="slow")
        shop(reader).redeem("zoe", usd("1.00"), key="quick")
        assert "quick" in keys(on(reader)[0])


def test_s7_a_long_transaction_on_postgresql_delays_what_is_committed_meanwhile(
    postgres: Engine,
) -> None:
    _, position = on(postgres)
    with postgres.connect() as slow:
        # Not even one of the library's.
        slow.execute(text("CREATE TABLE something_else (id INTEGER)"))
        shop(postgres).redeem("zoe", usd("1.00"), key="quick")
        assert on(postgres, position) == ([], position)
        slow.rollback()
    assert keys(on(postgres, position)[0]) == ["quick"]


def test_s7_the_order_of_an_account_holds_where_a_host_began_long_before(server: Engine) -> None:
    with server.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
    with server.connect() as host:
        host.execute(text("INSERT INTO orders VALUES (1)"))
        shop(server).redeem("anna", usd("1.00"), key="first")
        early, position = on(server)
        shop(host).redeem("anna", usd("1.00"), key="second")
        shop(server).redeem("zoe", usd("1.00"), key="beside")
        between, position = on(server, position)
        host.commit()
    shop(server).redeem("anna", usd("1.00"), key="third")
    late, _ = on(server, position)
    assert fed_ids([*early, *between, *late]) == journals(server)
    assert places(read(SQLStorage(server))) == places([*early, *between, *late])


def test_s7_what_a_host_has_not_committed_is_not_fed_to_itself_either(engine: Engine) -> None:
    _, position = on(engine)
    with engine.connect() as host:
        for number in range(2):
            # Each command is a block of its own.
            shop(host).redeem("anna", usd("1.00"), key=f"a{number}")
        shop(host).issue("dora", usd("1.00"), funding="refund", key="new")
        own = page(SQLStorage(host), after=position)
        assert (own.entries, own.is_last) == ((), True)
        host.rollback()
        shop(host).redeem("anna", usd("1.00"), key="again")
        assert page(SQLStorage(host), after=position).entries == ()
        host.commit()
        assert keys(page(SQLStorage(host), after=position).entries) == ["again"]
        host.commit()
    assert keys(on(engine, position)[0]) == ["again"]


def test_s7_places_that_a_host_rolls_back_are_given_anew(engine: Engine) -> None:
    with engine.connect() as host:
        seen = page(SQLStorage(host)).entries
        assert len(seen) == 3
        host.rollback()
    assert places(on(engine)[0]) == places(seen)


@pytest.mark.parametrize("level", ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ"])
def test_s7_a_host_on_mariadb_reads_what_is_committed_at_any_level_of_isolation(
    mariadb: Engine, level: Any
) -> None:
    strange = mariadb.execution_options(isolation_level=level)
    with strange.connect() as host, mariadb.connect() as slow:
        # What it sees is of this moment, unless it reads under a lock.
        host.execute(text("SELECT count(*) FROM storecredit_entries")).all()
        shop(slow).redeem("ben", usd("1.00"), key="slow")
        shop(mariadb).redeem("anna", usd("1.00"), key="quick", actor="Mia")
        shop(mariadb).issue("dora", usd("1.00"), funding="refund", key="new")
        begun = time.monotonic()
        found = page(SQLStorage(host))
        assert time.monotonic() - begun < SOON
        assert sorted(keys(found.entries))[-2:] == ["quick", "zoe's gift"]
        assert "new" in keys(found.entries)
        assert "slow" not in keys(found.entries)
        actors = {fed.entry.key: fed.entry.context.actor for fed in found.entries}
        assert actors["quick"] == "Mia"
        host.commit()
        slow.commit()
    late, _ = on(mariadb, found.position)
    assert keys(late) == ["slow"]
    assert fed_ids([*found.entries, *late]) == journals(mariadb)


def test_s7_an_entry_is_not_placed_before_the_one_that_a_locked_row_hides(mariadb: Engine) -> None:
    _, position = on(mariadb)
    for number in (2, 3):
        shop(mariadb).redeem("anna", usd("1.00"), key=f"a{number}")
    strange = mariadb.execution_options(isolation_level="REPEATABLE READ")
    hidden = "SELECT * FROM storecredit_feed_waiting WHERE sequence = 2 FOR UPDATE"
    with mariadb.connect() as holding, strange.connect() as host:
        assert len(holding.execute(text(hidden)).all()) == 1
        found = page(SQLStorage(host), after=position)
        assert (found.entries, found.is_last, found.position) == ((), True, position)
        host.commit()
    assert keys(on(mariadb, position)[0]) == ["a2", "a3"]


def test_s7_a_host_at_repeatable_read_on_postgresql_reads_the_feed_of_its_snapshot(
    postgres: Engine,
) -> None:
    strict = postgres.execution_options(isolation_level="REPEATABLE READ")
    with strict.connect() as host:
        first = page(SQLStorage(host))
        shop(postgres).redeem("anna", usd("1.00"), key="later")
        again = page(SQLStorage(host), after=first.position)
        assert (again.entries, again.is_last) == ((), True)
        host.commit()
    assert keys(on(postgres, again.position)[0]) == ["later"]


# --- Several readers ----------------------------------------------------------------------------


def test_s7_readers_at_the_same_time_are_given_the_same_places(server: Engine) -> None:
    over = threading.Event()
    found: list[list[Fed]] = [[], [], []]
    failed: list[BaseException] = []

    def write(holder: str) -> None:
        for number in range(15):
            shop(server).redeem(holder, usd("0.01"), key=f"{number}")

    def follow(into: list[Fed]) -> None:
        position = BEGINNING
        try:
            while True:
                is_over = over.is_set()
                more, position = patiently_read(SQLStorage(server), after=position)
                into += more
                if is_over:
                    return
        except BaseException as failure:  # noqa: BLE001 - a thread's failure is the test's
            failed.append(failure)

    readers = [threading.Thread(target=follow, args=(each,)) for each in found]
    writers = [threading.Thread(target=write, args=(holder,)) for holder in ("anna", "ben", "zoe")]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    for thread in readers:
        thread.join()
    assert failed == []
    assert fed_ids(found[0]) == journals(server)
    assert places(found[0]) == places(found[1]) == places(found[2])


# --- Pages --------------------------------------------------------------------------------------


def test_s7_a_page_passes_over_a_limited_number_of_other_merchants_entries(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("_feed_by_snapshots", "_feed_by_outbox"):
        monkeypatch.setattr(f"storecredit.storage.sql.{module}.MOST_PASSED", 4)
    # Where readers give the places, these come first now.
    assert len(on(engine)[0]) == 3
    others = shop(engine, "other")
    for number in range(9):
        others.issue("anna", usd("1.00"), funding="refund", key=f"{number}")
    read(SQLStorage(engine), merchant="other")
    shop(engine).redeem("anna", usd("1.00"), key="last")
    found: list[FeedPage] = [page(SQLStorage(engine), limit=3)]
    while not found[-1].is_last:
        found.append(page(SQLStorage(engine), after=found[-1].position, limit=3))
    assert [len(each.entries) for each in found] == [3, 0, 0, 1]
    assert keys(found[3].entries) == ["last"]


def test_s7_a_merchant_with_nothing_new_does_not_look_at_the_entries_of_others_again(
    engine: Engine,
) -> None:
    feed = shop(engine).feed("mailer")
    assert feed.run(print).delivered == 3
    before = feed.status().position
    for number in range(5):
        shop(engine, "other").issue("anna", usd("1.00"), funding="refund", key=f"{number}")
    assert feed.run(print).delivered == 0
    passed = feed.status().position
    assert passed != before
    feed.run(print)
    assert feed.status().position == passed, "with nothing new, there is nothing to keep"


def test_s7_everything_that_waits_gets_its_place_in_parts(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storecredit.storage.sql._feed_by_outbox._WAITING", 4)
    for number in range(40):
        shop(engine).redeem(("anna", "ben")[number % 2], usd("0.01"), key=f"{number}")
    first = page(SQLStorage(engine), limit=3)
    assert (len(first.entries), first.is_last) == (3, False)
    with SQLStorage(engine).transaction() as work:
        end = work.feed_end("acme")
    shop(engine).redeem("zoe", usd("0.01"), key="new")
    assert keys(on(engine, end)[0]) == ["new"]
    assert fed_ids(on(engine)[0]) == journals(engine)


def test_s7_a_page_on_postgresql_is_two_round_trips_however_many_private_fields(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        shop(postgres).redeem("anna", usd("0.01"), key=f"{number}", actor="Mia", note="n")
    page(SQLStorage(postgres))
    asked: list[int] = []
    ask = Exchange.ask

    def noted(self: Exchange, steps: Any) -> Any:
        asked.append(len(steps))
        return ask(self, steps)

    monkeypatch.setattr(Exchange, "ask", noted)
    found = page(SQLStorage(postgres))
    assert len(found.entries) == 43
    assert {fed.entry.context.note for fed in found.entries} == {None, "n"}
    assert len(asked) == 2, asked


def test_s7_the_server_finds_the_next_entries_by_an_index(postgres: Engine) -> None:
    statement = catalogue_for(postgres.dialect, "storecredit_", None).owning.fed_by_snapshot
    with postgres.begin() as connection:
        # As with more than a few entries.
        for costly in ("seqscan", "bitmapscan"):
            connection.execute(text(f"SET LOCAL enable_{costly} = off"))
        driver = connection.connection.driver_connection
        assert driver is not None
        server = driver.pgconn
        given = [b"0", b"5", b"", b"", b"0", b"10000", b"acme", b"101"]
        told = server.exec_params(b"EXPLAIN " + statement.sql.encode(), given)
        plan = "\n".join(told.get_value(row, 0).decode() for row in range(told.ntuples))
    assert "Index Scan using storecredit_entries_fed" in plan
    # What it lists is what the page holds: what is passed comes in the order of the index.
    assert plan.count("Sort Key") == 1, plan


# --- What is not right ----------------------------------------------------------------------------


NO_POSITIONS = (
    *("3", "x", "x5", "x05:", "x-1:", " x5:", "X5:", "x٣:", "x5:a", "x5:a.USD", "x5:.USD:1"),
    *("x5:a.USD:0", "x5:a.USD:x", "x5:a.usd:1", "x5:a.USD:1\n", "x5:a\x00.USD:1"),
    *("x999999999999999999:", "x99999999999999999999:", "x5:a.USD:9999999999999999999"),
)


@pytest.mark.parametrize("position", NO_POSITIONS)
def test_s7_a_text_that_is_no_position_of_postgresql_is_refused(
    postgres: Engine, position: str
) -> None:
    with pytest.raises(InvalidTerms):
        page(SQLStorage(postgres), after=FeedPosition(position))


def test_s7_the_position_of_the_present_transaction_is_not_to_be_had_yet(postgres: Engine) -> None:
    with postgres.begin() as connection:
        number = connection.scalar(text("SELECT pg_current_xact_id()::text"))
    for ahead in (0, 1):
        page(SQLStorage(postgres), after=FeedPosition(f"x{int(number or 0) - ahead}:"))
    with pytest.raises(InvalidTerms):
        page(SQLStorage(postgres), after=FeedPosition(f"x{int(number or 0) + 100}:"))


def changed(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        drop = f"{'ON storecredit_entries' if engine.dialect.name == 'postgresql' else ''}"
        connection.execute(text(f"DROP TRIGGER storecredit_entries_no_delete {drop}"))
        connection.execute(text(f"DROP TRIGGER storecredit_entries_no_update {drop}"))
        for statement in statements:
            connection.execute(text(statement))


def test_s7_what_was_changed_around_the_library_is_named_and_not_passed_over(
    engine: Engine,
) -> None:
    assert len(page(SQLStorage(engine)).entries) == 3
    changed(engine, "UPDATE storecredit_entries SET body = 'x' WHERE sequence = 1")
    with pytest.raises(JournalBroken):
        shop(engine).feed("mailer").run(print)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM storecredit_entries WHERE sequence = 1",
        "DELETE FROM storecredit_wallets WHERE holder = 'anna'",
    ],
)
def test_s7_a_reader_by_outbox_names_the_entry_whose_rows_are_gone(
    reader: Engine, statement: str
) -> None:
    changed(reader, statement)
    with pytest.raises(JournalBroken):
        page(SQLStorage(reader))


def test_s7_a_reader_by_snapshots_names_the_entry_whose_account_is_gone(postgres: Engine) -> None:
    changed(postgres, "DELETE FROM storecredit_accounts")
    with pytest.raises(JournalBroken):
        page(SQLStorage(postgres))


def test_s7_tables_that_do_not_say_how_their_feed_is_kept_are_refused(tmp_path: Path) -> None:
    cases = {
        "UPDATE storecredit_meta SET value = 'snapshots' WHERE name = 'feed'": "of another engine",
        "DELETE FROM storecredit_meta WHERE name = 'feed'": "do not say how their feed is kept",
        "DELETE FROM storecredit_feed_counter": "which place of the feed was given last",
    }
    for number, (statement, problem) in enumerate(cases.items()):
        (engine,) = stocked(f"sqlite:///{tmp_path}/{number}.db")
        with engine.begin() as connection:
            connection.execute(text(statement))
        other = create_engine(engine.url)
        with pytest.raises(StorageUnusable, match=problem):
            page(SQLStorage(other))
        other.dispose()
        engine.dispose()


def test_s7_a_connection_that_was_given_back_starts_anew(engine: Engine) -> None:
    """What one transaction of a host has done says nothing about the next on its connection."""

    def spend(connection: Connection, key: str) -> None:
        shop(connection).redeem("anna", usd("1.00"), key=key)

    for number in range(3):
        with engine.begin() as connection:
            spend(connection, f"a{number}")
        with engine.begin() as connection:
            assert keys(page(SQLStorage(connection)).entries)[-1:] != []
    assert fed_ids(on(engine)[0]) == journals(engine)
