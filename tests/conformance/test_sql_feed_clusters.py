"""Tables that come to another cluster of PostgreSQL, where numbers of transactions begin anew (S7)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from storecredit import Money, StoreCredit
from storecredit.errors import InvalidTerms
from storecredit.storage import BEGINNING, FeedPosition
from storecredit.storage.sql import HostTransactionConflict, SQLStorage, create
from storecredit.testing.contract.feeding import (
    end_of,
    every_entry,
    fed_ids,
    keys,
    page,
    places,
    read,
)

FAR = 1_000_000
"""So many transactions the cluster before had seen."""


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def shop(bind: Any) -> StoreCredit:
    return StoreCredit(SQLStorage(bind), "acme", sleep=lambda _: None)


def kept(engine: Engine) -> dict[str, str]:
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT name, value FROM storecredit_meta"))
        return {row.name: row.value for row in rows}


def keep(engine: Engine, **values: str) -> None:
    with engine.begin() as connection:
        for name, value in values.items():
            connection.execute(
                text("UPDATE storecredit_meta SET value = :value WHERE name = :name"),
                {"name": f"feed_{name}", "value": value},
            )


def cluster_of(engine: Engine) -> str:
    with engine.begin() as connection:
        found = connection.scalar(text("SELECT system_identifier FROM pg_control_system()"))
        return str(found)


def highest(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.scalar(text("SELECT max(feed_xact) FROM storecredit_entries")) or 0)


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    create(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def moved(engine: Engine) -> Engine:
    """A ledger of a cluster that had seen far more transactions, restored into this one."""
    keep(engine, base=str(FAR))
    for holder in ("anna", "ben"):
        shop(engine).issue(holder, usd("5.00"), funding="refund", key=f"{holder} before")
    # What a dump has: the base was none, and the numbers were its cluster's own.
    keep(engine, base="0", cluster="7000000000000000000")
    engine.dispose()
    return engine


def test_s7_new_tables_know_their_cluster_and_add_nothing(engine: Engine) -> None:
    about = kept(engine)
    assert about["feed"] == "snapshots"
    assert (about["feed_base"], about["feed_cluster"]) == ("0", cluster_of(engine))
    shop(engine).issue("anna", usd("5.00"), funding="refund", key="a1")
    assert 0 < highest(engine) < FAR
    assert kept(engine) == about


def test_s7_entries_in_a_new_cluster_come_after_those_of_the_one_before(moved: Engine) -> None:
    before = highest(moved)
    assert before > FAR
    shop(moved).redeem("anna", usd("1.00"), key="anna after")
    shop(moved).issue("carl", usd("1.00"), funding="refund", key="carl after")
    about = kept(moved)
    assert (about["feed_base"], about["feed_cluster"]) == (str(before + 1), cluster_of(moved))
    found = read(SQLStorage(moved))
    assert keys(found) == ["anna before", "ben before", "anna after", "carl after"]
    assert highest(moved) > before


def test_s7_a_reader_who_comes_first_goes_on_from_a_position_of_the_cluster_before(
    engine: Engine,
) -> None:
    keep(engine, base=str(FAR))
    shop(engine).issue("anna", usd("5.00"), funding="refund", key="a1")
    shop(engine).issue("ben", usd("5.00"), funding="refund", key="b1")
    storage = SQLStorage(engine)
    everything, end = read(storage), end_of(storage)
    half = everything[0].position
    keep(engine, base="0", cluster="7000000000000000000")
    engine.dispose()
    assert keys(read(storage, after=half)) == ["b1"]
    assert read(storage, after=end) == []
    assert places(read(storage)) == places(everything)
    shop(engine).redeem("anna", usd("1.00"), key="a2")
    assert keys(read(storage, after=half)) == ["b1", "a2"]
    assert keys(read(storage, after=end)) == ["a2"]


def test_s7_a_transaction_that_finds_the_new_cluster_and_is_undone_leaves_it_to_the_next(
    moved: Engine,
) -> None:
    about = kept(moved)
    with moved.connect() as host:
        shop(host).redeem("anna", usd("1.00"), key="undone")
        shop(host).redeem("anna", usd("1.00"), key="undone, too")
        assert kept(moved) == about, "it is not committed"
        host.rollback()
        # On the same connection, somebody else begins with the cluster before, too.
        shop(host).redeem("ben", usd("1.00"), key="kept")
        host.commit()
    assert kept(moved)["feed_cluster"] == cluster_of(moved)
    assert keys(read(SQLStorage(moved))) == ["anna before", "ben before", "kept"]
    shop(moved).redeem("anna", usd("1.00"), key="last")
    assert keys(read(SQLStorage(moved)))[-1] == "last"


def test_s7_of_many_who_find_the_new_cluster_one_raises_the_base(moved: Engine) -> None:
    gate = threading.Barrier(6)
    failed: list[BaseException] = []

    def spend(number: int) -> None:
        try:
            gate.wait(20)
            credit = StoreCredit(SQLStorage(moved), "acme", attempts=50)
            credit.issue(f"holder {number}", usd("1.00"), funding="refund", key="after")
        except BaseException as failure:  # noqa: BLE001 - a thread's failure is the test's
            failed.append(failure)

    before = highest(moved)
    threads = [threading.Thread(target=spend, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert kept(moved)["feed_base"] == str(before + 1)
    found = read(SQLStorage(moved))
    assert keys(found[:2]) == ["anna before", "ben before"]
    assert keys(found[2:]) == ["after"] * 6


def test_s7_a_host_that_finds_the_new_cluster_second_is_told_to_begin_anew(moved: Engine) -> None:
    with moved.connect() as first, moved.connect() as second:
        second.execute(text("SET lock_timeout = '100ms'"))
        second.commit()
        shop(first).redeem("anna", usd("1.00"), key="first")
        with pytest.raises(HostTransactionConflict):
            shop(second).redeem("ben", usd("1.00"), key="second")
        second.rollback()
        first.commit()
        shop(second).redeem("ben", usd("1.00"), key="second")
        second.commit()
    assert keys(read(SQLStorage(moved)))[2:] == ["first", "second"]


def test_s7_each_connection_asks_for_its_cluster_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storecredit.storage.sql._feed_by_snapshots import BySnapshots

    asked: list[int] = []
    found = BySnapshots._found

    def noted(self: BySnapshots) -> int:
        asked.append(1)
        return found(self)

    monkeypatch.setattr(BySnapshots, "_found", noted)
    credit = shop(engine)
    for number in range(5):
        credit.issue("anna", usd("1.00"), funding="refund", key=f"{number}")
        page(SQLStorage(engine), after=BEGINNING)
    assert len(asked) == 1
    engine.dispose()
    credit.redeem("anna", usd("1.00"), key="on a new connection")
    assert len(asked) == 2


def test_s7_a_user_who_may_not_know_the_cluster_goes_by_what_the_tables_keep(
    engine: Engine, postgres_url: str
) -> None:
    with engine.begin() as connection:
        for statement in (
            "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
            "DROP ROLE IF EXISTS clerk",
            "CREATE ROLE clerk LOGIN",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk",
        ):
            connection.execute(text(statement))
    keep(engine, base=str(FAR))
    clerk = create_engine(make_url(postgres_url).set(username="clerk"))
    shop(clerk).issue("anna", usd("5.00"), funding="refund", key="a1")
    assert highest(engine) > FAR
    assert keys(read(SQLStorage(clerk))) == ["a1"]
    clerk.dispose()
    with engine.begin() as connection:
        connection.execute(text("DROP OWNED BY clerk"))
        connection.execute(text("DROP ROLE clerk"))


def test_s7_a_position_of_the_cluster_before_that_this_one_has_not_reached_is_none(
    moved: Engine,
) -> None:
    """What comes meanwhile would take places before it."""
    storage = SQLStorage(moved)
    everything = read(storage)
    assert fed_ids(everything) == {
        entry.account: [entry.id] for entry in every_entry(storage, "acme")
    }
    number = int(everything[-1].position.partition(":")[0][1:])
    with pytest.raises(InvalidTerms):
        page(storage, after=FeedPosition(f"x{number + FAR}:"))
