"""The law of the feed over random histories, batch sizes and deaths: each account's 1..n (S7)."""

from __future__ import annotations

import contextlib
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from storecredit import Money, StoreCredit
from storecredit.errors import FeedLeased, FeedLeaseLost
from storecredit.storage import MemoryStorage, SQLiteStorage
from storecredit.testing import SettableClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from storecredit.service import Delivery

OFTEN = 1000
"""Attempts: no history here makes a dead letter of an entry that many consumers died with."""
HOLDERS = st.sampled_from(["anna", "ben", "carl"])
LIMITS = st.integers(min_value=1, max_value=5)
PLACES = st.integers(min_value=0, max_value=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("issue"), HOLDERS, PLACES),
        st.tuples(st.just("transfer"), HOLDERS, HOLDERS),
        st.tuples(st.just("another merchant issues"), HOLDERS, PLACES),
        st.tuples(st.just("a batch to its end"), LIMITS, PLACES),
        st.tuples(st.just("a batch that breaks off"), LIMITS, PLACES),
        st.tuples(st.just("a batch that acknowledges and breaks off"), LIMITS, PLACES),
        st.tuples(st.just("a consumer that dies"), LIMITS, PLACES),
        st.tuples(st.just("a consumer that is too slow"), LIMITS, PLACES),
        st.tuples(st.just("a run that is broken off"), LIMITS, PLACES),
        st.tuples(st.just("a run"), LIMITS, PLACES),
        st.tuples(st.just("time passes"), LIMITS, PLACES),
    ),
    max_size=40,
)


class Broken(BaseException):
    """What ends a batch or a run in the middle."""


class Play:
    """A shop, and consumers of one name that do what the steps say."""

    def __init__(self, storage: Any) -> None:
        self.clock = SettableClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
        self.credit = StoreCredit(storage, "acme", clock=self.clock, sleep=lambda _: None)
        self.other = StoreCredit(storage, "other", clock=self.clock)
        self.feed = self.credit.feed("mailer")
        self.dead: list[Any] = []
        self.delivered: list[Delivery] = []
        self.keys = 0

    def take(self, step: tuple[str, Any, Any]) -> None:
        what, first, second = step
        self.keys += 1
        one, key = Money.of("1.00", "USD"), f"k{self.keys}"
        match what:
            case "issue":
                self.credit.issue(first, one, funding="refund", key=key)
            case "transfer":
                if first != second and not self.credit.wallet(first).available.is_zero:
                    self.credit.transfer(first, second, one, key=key)
            case "another merchant issues":
                self.other.issue(first, one, funding="refund", key=key)
            case "time passes":
                self.clock.advance(timedelta(seconds=20))
            case _:
                with contextlib.suppress(FeedLeased, FeedLeaseLost, Broken):
                    self.consume(what, first, second)

    def consume(self, what: str, limit: int, place: int) -> None:
        match what:
            case "a run":
                self.feed.run(self.delivered.append, limit=limit, attempts=OFTEN)
            case "a run that is broken off":
                self.feed.run(self.breaking_off(place), limit=limit, attempts=OFTEN)
            case "a consumer that dies":
                self.dead.append(self.feed.batch(limit=limit))
                for number, delivery in enumerate(self.dead[-1].__enter__()):
                    if number == place:
                        return
                    self.delivered.append(delivery)
            case _:
                with self.feed.batch(limit=limit) as batch:
                    self.read(batch, what, place)

    def read(self, batch: Any, what: str, place: int) -> None:
        for number, delivery in enumerate(batch):
            self.delivered.append(delivery)
            if number == place and what != "a batch to its end":
                if "acknowledges" in what:
                    batch.acknowledge(delivery)
                if "too slow" in what:
                    self.clock.advance(timedelta(minutes=1))
                    self.feed.run(self.delivered.append, limit=2, attempts=OFTEN)
                else:
                    raise Broken

    def breaking_off(self, place: int) -> Callable[[Delivery], None]:
        left = iter(range(place))

        def handle(delivery: Delivery) -> None:
            self.delivered.append(delivery)
            if next(left, None) is None:
                raise Broken

        return handle

    def by_account(self) -> dict[str, list[int]]:
        """The sequences in the order in which they first came."""
        found = defaultdict[str, list[int]](list)
        for delivery in self.delivered:
            if delivery.entry.sequence not in found[delivery.account]:
                found[delivery.account].append(delivery.entry.sequence)
        return dict(found)


def check(storage: Any, steps: list[tuple[str, Any, Any]]) -> None:
    play = Play(storage)
    for step in steps:
        play.take(step)
    play.clock.advance(timedelta(minutes=1))
    play.feed.run(play.delivered.append, attempts=OFTEN)
    wanted = {
        name: list(range(1, anchor.sequence + 1)) for name, anchor in play.credit.heads().items()
    }
    assert play.by_account() == wanted
    assert play.feed.status().waiting == 0


@given(steps=STEPS)
def test_s7_each_account_comes_from_one_to_n_in_order_whatever_happens_to_consumers(
    steps: list[tuple[str, Any, Any]],
) -> None:
    check(MemoryStorage(), steps)


@settings(max_examples=15)
@given(steps=STEPS)
def test_s7_each_account_comes_from_one_to_n_from_a_file_too(
    steps: list[tuple[str, Any, Any]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        storage = SQLiteStorage(Path(name) / "shop.db", synchronous="NORMAL")
        check(storage, steps)
        storage.close()
