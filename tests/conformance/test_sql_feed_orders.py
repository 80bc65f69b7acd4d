"""The feed under any order of commits: transactions begin, append, and end as chance will have it (S7)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, text

from storecredit import Money, StoreCredit
from storecredit.storage import BEGINNING, FeedPosition
from storecredit.storage.sql import SQLStorage, create
from storecredit.testing.contract.feeding import every_entry, fed_ids, page, places, read

HOLDERS = ("anna", "ben", "carl")
SLOTS = 4
DOLLAR = Money.of("1.00", "USD")
MERCHANTS = (f"shop {number}" for number in count(1))

# Which of the open transactions acts, and how.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("touch"), st.integers(0, SLOTS - 1), st.none()),
        st.tuples(st.just("append"), st.integers(0, SLOTS - 1), st.sampled_from(HOLDERS)),
        st.tuples(st.just("commit"), st.integers(0, SLOTS - 1), st.none()),
        st.tuples(st.just("roll back"), st.integers(0, SLOTS - 1), st.none()),
        st.tuples(st.just("quickly"), st.none(), st.sampled_from(HOLDERS)),
        st.tuples(st.just("read"), st.integers(1, 4), st.none()),
        st.tuples(st.just("read in"), st.integers(0, SLOTS - 1), st.none()),
    ),
    max_size=30,
)


@pytest.fixture(scope="module", params=["postgresql", "outbox on postgresql", "mariadb"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    kind = request.param
    name = "mariadb_databases" if kind == "mariadb" else "postgres_databases"
    with request.getfixturevalue(name).fresh() as url:
        made = create_engine(url, isolation_level="READ COMMITTED", pool_size=SLOTS + 2)
        create(made)
        with made.begin() as connection:
            connection.execute(text("CREATE TABLE visits (slot INTEGER)"))
            if kind.startswith("outbox"):
                outbox = "UPDATE storecredit_meta SET value = 'outbox' WHERE name = 'feed'"
                connection.execute(text(outbox))
        yield made
        made.dispose()


class Play:
    """Transactions of hosts, one or none in each slot, and a reader who goes on and on."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.merchant = next(MERCHANTS)
        self.open: dict[int, Connection] = {}
        self.holding: dict[str, int] = {}
        self.keys = count(1)
        self.fed: list[Any] = []
        self.position = BEGINNING
        self.given: list[tuple[FeedPosition, int]] = []
        for holder in HOLDERS:
            self.spend(engine, holder)

    def spend(self, bind: Any, holder: str) -> None:
        credit = StoreCredit(SQLStorage(bind), self.merchant, sleep=lambda _: None)
        credit.issue(holder, DOLLAR, funding="refund", key=f"{next(self.keys)}")

    def in_slot(self, slot: int) -> Connection:
        if slot not in self.open:
            self.open[slot] = self.engine.connect()
        return self.open[slot]

    def touch(self, slot: int, _: None) -> None:
        self.in_slot(slot).execute(text(f"INSERT INTO visits VALUES ({slot})"))

    def append(self, slot: int, holder: str) -> None:
        # Whoever else wanted the account would wait, and this is one thread.
        if self.holding.get(holder, slot) == slot:
            self.holding[holder] = slot
            self.spend(self.in_slot(slot), holder)

    def commit(self, slot: int, _: None = None) -> None:
        self.end(slot, "commit")

    def roll_back(self, slot: int, _: None = None) -> None:
        self.end(slot, "rollback")

    def end(self, slot: int, how: str) -> None:
        if slot in self.open:
            getattr(self.open[slot], how)()
            self.open.pop(slot).close()
            self.holding = {holder: at for holder, at in self.holding.items() if at != slot}

    def quickly(self, _: None, holder: str) -> None:
        if holder not in self.holding:
            self.spend(self.engine, holder)

    def read(self, limit: int, _: None = None) -> None:
        found = page(
            SQLStorage(self.engine), merchant=self.merchant, after=self.position, limit=limit
        )
        self.fed += found.entries
        self.position = found.position
        self.given.append((found.position, len(self.fed)))

    def read_in(self, slot: int, _: None) -> None:
        if self.holding or any(at != slot for at in self.open):
            return
        # A host that reads the feed keeps other readers waiting, so it is alone.
        host = self.in_slot(slot)
        found = page(SQLStorage(host), merchant=self.merchant, after=self.position, limit=1000)
        host.commit()
        self.fed += found.entries
        self.position = found.position

    def over(self) -> None:
        """Nothing is missed, nothing comes twice, and every place that was given holds."""
        for slot in list(self.open):
            self.commit(slot)
        while True:
            before = self.position
            self.read(3)
            if self.position == before:
                break
        journals: dict[str, list[str]] = {}
        for entry in every_entry(SQLStorage(self.engine), self.merchant):
            journals.setdefault(entry.account, []).append(entry.id)
        assert fed_ids(self.fed) == journals
        again = read(SQLStorage(self.engine), merchant=self.merchant)
        assert places(again) == places(self.fed)
        for position, passed in self.given:
            rest = read(SQLStorage(self.engine), merchant=self.merchant, after=position)
            assert places(rest) == places(self.fed[passed:])

    def give_up(self) -> None:
        for slot in list(self.open):
            self.roll_back(slot)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_s7_nothing_is_missed_in_any_order_of_commits(
    engine: Engine, steps: list[tuple[str, Any, Any]]
) -> None:
    play = Play(engine)
    try:
        for name, *arguments in steps:
            getattr(play, name.replace(" ", "_"))(*arguments)
        play.over()
    finally:
        play.give_up()
