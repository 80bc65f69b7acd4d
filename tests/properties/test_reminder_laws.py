"""
Laws of reminders: due by a naive book, acknowledged once, whatever fails and whoever else works.

The book is three dictionaries. It knows nothing of records, horizons or pages.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from storecredit.errors import ConcurrentChange, StoreCreditError
from storecredit.service import Reminder, StoreCredit
from storecredit.storage import MemoryStorage, SQLiteStorage
from storecredit.storage.protocols import Storage
from storecredit.storage.sql import SQLStorage, create
from storecredit.testing import FaultyStorage, InjectedFault, every_fault
from storecredit.testing.contract.scene import Shop, usd
from storecredit.testing.faults import Mode, Step
from storecredit.values import Period

DAY = dt.timedelta(days=1)
PERIODS = (Period(days=1), Period(days=3), Period(days=7), Period(days=20))
HOLDERS = ("anna", "ben", "carl")


# --- Storages -----------------------------------------------------------------------------


@contextmanager
def memory() -> Iterator[Storage]:
    yield MemoryStorage()


@contextmanager
def sqlite() -> Iterator[Storage]:
    with tempfile.TemporaryDirectory() as folder:
        storage = SQLiteStorage(Path(folder) / "shop.db")
        try:
            yield storage
        finally:
            storage.close()


@contextmanager
def sql() -> Iterator[Storage]:
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'shop.db'}")
        create(engine)
        try:
            yield SQLStorage(engine)
        finally:
            engine.dispose()


STORAGES = [memory, sqlite, sql]


# --- Against a naive book -----------------------------------------------------------------


@attrs.define
class Book:
    """What a clerk would write down."""

    free: dict[str, int] = attrs.field(factory=dict)
    """By lot: what can be spent."""
    life: dict[str, tuple[dt.datetime, dt.datetime]] = attrs.field(factory=dict)
    """By lot: when its value begins to count, and when it ends."""
    owner: dict[str, str] = attrs.field(factory=dict)
    frozen: set[str] = attrs.field(factory=set)
    told: dict[str, list[tuple[dt.datetime, int]]] = attrs.field(factory=dict)
    """By lot: the expiries that were acknowledged, each with the days before it."""

    def due(self, at: dt.datetime, periods: list[Period]) -> set[tuple[str, int, int]]:
        """Lot, what is left of it, and days before, of each reminder that is to come."""
        found = set()
        for lot, (begin, end) in self.life.items():
            days = [each.days for each in periods if end <= at + each.days * DAY]
            if not days or not begin <= at < end or not self.free[lot]:
                continue
            if self.owner[lot] in self.frozen:
                continue
            shortest = min(days)
            if not any(end == of and before <= shortest for of, before in self.told.get(lot, [])):
                found.add((lot, self.free[lot], shortest))
        return found


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("issue"),
            st.sampled_from(HOLDERS),
            st.tuples(st.integers(1, 30), st.integers(0, 3)),
        ),
        st.tuples(st.just("spend"), st.integers(0, 9), st.integers(1, 9)),
        st.tuples(st.just("hold"), st.integers(0, 9), st.integers(1, 9)),
        st.tuples(st.just("extend"), st.integers(0, 9), st.integers(1, 9)),
        st.tuples(st.just("freeze"), st.sampled_from(HOLDERS), st.none()),
        st.tuples(st.just("sweep"), st.none(), st.none()),
        st.tuples(st.just("days"), st.integers(1, 9), st.none()),
        st.tuples(
            st.just("remind"),
            st.sets(st.sampled_from(PERIODS), min_size=1),
            st.tuples(st.integers(0, 9), st.integers(1, 4)),
        ),
        st.tuples(
            st.just("remind everybody"), st.sets(st.sampled_from(PERIODS), min_size=1), st.none()
        ),
    ),
    max_size=30,
)


class Play:
    """A shop, and the clerk's book beside it."""

    def __init__(self, storage: Storage) -> None:
        self.shop = Shop(storage)
        self.credit = self.shop.credit
        self.book = Book()
        self.keys = iter(range(9999))
        self.acknowledged: list[str] = []

    def take(self, step: tuple[str, Any, Any]) -> None:
        what, first, second = step
        key = f"k{next(self.keys)}"
        try:
            match what:
                case "issue":
                    self.issue(first, days=second[0], pending=second[1], key=key)
                case "spend" | "hold" | "extend":
                    self.touch(what, first, second, key)
                case "freeze":
                    self.freeze(first, key)
                case "sweep":
                    self.credit.expire_due()
                case "days":
                    self.shop.clock.advance(first * DAY)
                case "remind":
                    self.remind(list(first), take=second[0], batch=second[1])
                case _:
                    self.remind(list(first), take=None, batch=99)
        except StoreCreditError:
            # Frozen, expired, not enough: the book does not change either.
            pass

    def issue(self, holder: str, *, days: int, pending: int, key: str) -> None:
        now = self.shop.clock()
        begin = now + pending * DAY
        end = begin + days * DAY
        receipt = self.credit.issue(
            holder, usd("9.00"), funding="refund", effective=begin, expires=end, key=key
        )
        self.book.free[receipt.lot_id] = 900
        self.book.life[receipt.lot_id] = (begin, end)
        self.book.owner[receipt.lot_id] = holder

    def touch(self, what: str, number: int, amount: int, key: str) -> None:
        if not self.book.free:
            return
        lot = sorted(self.book.free)[number % len(self.book.free)]
        if what == "extend":
            self.credit.extend_expiry(lot, Period(days=amount), key=key, actor="ann", reason="x")
            begin, end = self.book.life[lot]
            self.book.life[lot] = (begin, end + amount * DAY)
            return
        verb = self.credit.redeem if what == "spend" else self.credit.hold
        more: dict[str, Any] = {} if what == "spend" else {"lapses": Period(days=25)}
        verb(self.book.owner[lot], usd(f"{amount}.00"), lot=lot, key=key, **more)
        self.book.free[lot] -= amount * 100

    def freeze(self, holder: str, key: str) -> None:
        if holder in self.book.frozen:
            self.credit.reopen(holder, "USD", key=key)
            self.book.frozen.discard(holder)
        else:
            self.credit.freeze(holder, "USD", key=key)
            self.book.frozen.add(holder)

    def remind(self, periods: list[Period], *, take: int | None, batch: int) -> None:
        at = self.shop.clock()
        expected = self.book.due(at, periods)
        found = list(self.credit.due_reminders(before=periods, batch=batch))
        assert {(each.lot, each.amount.minor, each.before.days) for each in found} == expected
        assert len(found) == len(expected)
        accounts = [each.account for each in found]
        assert accounts == sorted(accounts)
        done = found if take is None else found[:take]
        assert set(self.credit.acknowledge_reminders(done)) == set(done)
        for each in done:
            self.acknowledged.append(each.id)
            self.book.told.setdefault(each.lot, []).append((each.expires_at, each.before.days))
        assert self.credit.acknowledge_reminders(found[: len(done)]) == ()
        rest = list(self.credit.due_reminders(before=periods))
        assert rest == found[len(done) :]


def play(storage: Storage, steps: list[tuple[str, Any, Any]]) -> None:
    scene = Play(storage)
    for step in steps:
        scene.take(step)
    scene.remind(list(PERIODS), take=None, batch=2)
    assert len(set(scene.acknowledged)) == len(scene.acknowledged), "acknowledged twice"
    assert scene.credit.verify().ok


@given(STEPS)
def test_p7_what_is_due_is_what_a_clerk_would_say(steps: list[tuple[str, Any, Any]]) -> None:
    with memory() as storage:
        play(storage, steps)


@pytest.mark.parametrize("opened", [sqlite, sql])
@given(steps=STEPS)
@settings(max_examples=15)
def test_p7_what_is_due_is_the_same_in_a_database(
    opened: Callable[[], Any], steps: list[tuple[str, Any, Any]]
) -> None:
    with opened() as storage:
        play(storage, steps)


# --- Whatever fails -----------------------------------------------------------------------


def stocked(storage: Storage) -> Shop:
    """A shop in which four lots of three holders are due."""
    shop = Shop(storage)
    for number, holder in enumerate(("anna", "anna", "ben", "carl")):
        shop.credit.issue(
            holder, usd("9.00"), funding="refund", expires=Period(days=number + 1), key=f"{number}"
        )
    shop.credit.issue("anna", usd("1.00"), funding="refund", key="for ever")
    return shop


def job(credit: StoreCredit) -> list[Reminder]:
    """The daily job: send, then acknowledge, one account after the other. Returns what was sent."""
    sent: list[Reminder] = []
    batch: list[Reminder] = []
    for reminder in credit.due_reminders(before=PERIODS, batch=2):
        if batch and batch[-1].account != reminder.account:
            credit.acknowledge_reminders(batch)
            batch = []
        sent.append(reminder)
        batch.append(reminder)
    credit.acknowledge_reminders(batch)
    return sent


def seen(shop: Shop) -> Any:
    with shop.storage.snapshot() as reader:
        return [(each.id, each.version, each.body) for each in reader.records("acme", "reminder")]


@pytest.mark.parametrize("opened", STORAGES)
def test_p7_a_fault_at_any_storage_step_loses_no_reminder_and_acknowledges_none_twice(
    opened: Callable[[], Any],
) -> None:
    with opened() as storage:
        shop = stocked(storage)
        watched = FaultyStorage(storage)
        everything = {each.id for each in job(shop.at(watched))}
        faults, whole = list(every_fault(watched.steps)), seen(shop)
    assert len(everything) == 4
    assert len(faults) > 30
    for fault in faults:
        case = f"{fault.mode} step {fault.number}"
        with opened() as storage:
            shop = stocked(storage)
            before = seen(shop)
            sent: set[str] = set()
            with pytest.raises(InjectedFault):
                sent |= {each.id for each in job(shop.at(FaultyStorage(storage, [fault])))}
            left = seen(shop)
            assert left != before or fault.mode is not Mode.AFTER_COMMIT, case
            again = {each.id for each in job(shop.credit)}
            assert seen(shop) == whole, f"{case}: the repeat led elsewhere"
            # What was not acknowledged before came again.
            marked = sum(len(body["lots"]) for _, _, body in left)
            assert len(again) == 4 - marked, case
            assert list(shop.credit.due_reminders(before=PERIODS)) == [], case


def busy(step: Step, mode: Mode) -> BaseException:
    return ConcurrentChange(f"a record, {mode} {step}", 1)


def test_s5_a_conflict_at_any_step_of_the_acknowledgement_is_tried_again() -> None:
    def acknowledged(shop: Shop, storage: Storage) -> Any:
        found = list(shop.credit.due_reminders(before=PERIODS))
        return {each.id for each in shop.at(storage).acknowledge_reminders(found)}

    shop = stocked(MemoryStorage())
    watched = FaultyStorage(shop.storage)
    everything = acknowledged(shop, watched)
    assert len(everything) == 4
    for fault in every_fault(watched.steps, error=busy):
        shop = stocked(MemoryStorage())
        got = acknowledged(shop, FaultyStorage(shop.storage, [fault]))
        committed = fault.mode is Mode.AFTER_COMMIT
        # Whoever is told of a conflict after the commit finds it done, and not as its own.
        assert got == (set() if committed else everything)
        assert list(shop.credit.due_reminders(before=PERIODS)) == []


# --- Whoever else works -------------------------------------------------------------------


@pytest.mark.parametrize("opened", [sqlite, memory])
def test_p7_of_two_workers_at_once_each_reminder_is_acknowledged_by_one(
    opened: Callable[[], Any],
) -> None:
    with opened() as storage:
        shop = Shop(storage)
        for number in range(12):
            shop.credit.issue(
                f"h{number % 5}",
                usd("1.00"),
                funding="refund",
                expires=Period(days=3),
                key=f"{number}",
            )
        gate = threading.Barrier(4)
        got: list[list[str]] = [[] for _ in range(4)]
        problems: list[BaseException] = []

        def work(mine: list[str]) -> None:
            try:
                credit = shop.at(storage, attempts=50)
                found = list(credit.due_reminders(before=PERIODS))
                gate.wait()
                for reminder in found:
                    mine.extend(each.id for each in credit.acknowledge_reminders(reminder))
            except BaseException as problem:  # noqa: BLE001 - told below, in the test's own thread
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(mine,)) for mine in got]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        everything = sorted(name for mine in got for name in mine)
        assert len(everything) == 12
        assert len(set(everything)) == 12
        assert list(shop.credit.due_reminders(before=PERIODS)) == []
