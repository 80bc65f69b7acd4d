"""Replaying a history through the service: totals written out, resuming, and who else is there."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from storecredit import CustomUnit, Money, StoreCredit
from storecredit.errors import (
    ConcurrentChange,
    InstantOutOfRange,
    NaiveInstant,
    PeriodRefused,
    StorageUnusable,
)
from storecredit.ledger import Merchant
from storecredit.replay import Event, EventKind, History, SettableClock, replay_history
from storecredit.storage import MemoryStorage
from storecredit.values import currency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storecredit.ledger import Change
    from storecredit.storage import Reader, UnitOfWork

GBP = currency("GBP")
START = datetime(2011, 1, 1, 9, 0, tzinfo=UTC)


def order(number: str, customer: str, day: float, value: int) -> Event:
    return Event(
        id=number,
        kind=EventKind.ORDER,
        customer=customer,
        at=START + timedelta(days=day),
        value=value,
    )


def refund(number: str, customer: str, day: float, value: int) -> Event:
    return Event(
        id=number,
        kind=EventKind.REFUND,
        customer=customer,
        at=START + timedelta(days=day),
        value=value,
    )


def history(*events: Event) -> History:
    return History(unit=GBP, events=events, skipped={"guest": 7})


STORY = history(
    order("1", "anna", 0, 5000),  # no credit yet
    refund("C2", "anna", 1, 3000),
    order("3", "anna", 2, 1000),  # all of it by credit; 2000 left
    refund("C4", "bert", 3, 500),
    order("5", "bert", 4, 800),  # 500 by credit, 300 by another tender
    order("6", "bert", 5, 800),  # no credit left
    refund("C7", "anna", 6, 100),
    order("8", "anna", 7, 0),  # worth nothing
    refund("C9", "carl", 8, 0),  # worth nothing: carl has never received credit
    order("10", "anna", 35, 1500),
)


def test_refunds_become_credit_and_later_orders_spend_it() -> None:
    totals = replay_history(STORY, MemoryStorage())
    assert totals.to_json() == {
        "events": 10,
        "issued": 3600,  # 3000 + 500 + 100
        "redeemed": 3000,  # 1000 + 500 + 1500
        "redemptions": 3,
        "split_redemptions": 1,  # order 5
        "expired": 0,
        "outstanding": 600,  # of anna's 2100 after order 3 and C7
        "customers": 2,
        "skipped": {"guest": 7},
        "verified": True,
    }
    assert totals.problems == ()


def test_credit_that_lives_for_30_days_is_gone_when_it_is_needed() -> None:
    totals = replay_history(STORY, MemoryStorage(), expires_days=30)
    assert totals.to_json() == {
        "events": 10,
        "issued": 3600,
        "redeemed": 1600,  # 1000 + 500, and of order 10 the 100 of C7, which lives to day 36
        "redemptions": 3,
        "split_redemptions": 2,  # orders 5 and 10
        "expired": 2000,  # of C2, at day 31
        "outstanding": 0,
        "customers": 2,
        "skipped": {"guest": 7},
        "verified": True,
    }


@pytest.mark.parametrize(
    ("day", "redeemed"),
    [
        (30 - 1 / 86_400, 1000),  # a second before
        (30, 0),  # spendable while `at < issued + N days`
        (30 + 1 / 86_400, 0),
    ],
)
def test_credit_ends_exactly_so_many_days_after_it_was_issued(day: float, redeemed: int) -> None:
    events = history(refund("C1", "anna", 0, 1000), order("2", "anna", day, 1000))
    totals = replay_history(events, MemoryStorage(), expires_days=30)
    assert (totals.redeemed, totals.expired) == (redeemed, 1000 - redeemed)


@pytest.mark.parametrize(
    ("last", "expired", "outstanding"), [(29, 0, 1000), (30, 1000, 0), (31, 1000, 0)]
)
def test_at_the_instant_of_the_last_event_what_is_due_is_expired(
    last: float, expired: int, outstanding: int
) -> None:
    events = history(refund("C1", "anna", 0, 1000), order("2", "bert", last, 0))
    totals = replay_history(events, MemoryStorage(), expires_days=30)
    assert (totals.expired, totals.outstanding) == (expired, outstanding)


def test_what_expires_sooner_is_spent_sooner() -> None:
    events = history(
        refund("C1", "anna", 0, 1000),
        refund("C2", "anna", 10, 1000),
        order("3", "anna", 20, 1500),
        order("4", "anna", 35, 100),  # C1 would be gone; C2 has 500 left until day 40
    )
    totals = replay_history(events, MemoryStorage(), expires_days=30)
    assert (totals.redeemed, totals.expired, totals.outstanding) == (1600, 0, 400)


def test_an_order_and_a_refund_at_the_same_instant_happen_in_the_order_given() -> None:
    spent = history(refund("C1", "anna", 0, 1000), order("2", "anna", 0, 1000))
    kept = history(order("2", "anna", 0, 1000), refund("C1", "anna", 0, 1000))
    assert replay_history(spent, MemoryStorage()).redeemed == 1000
    assert replay_history(kept, MemoryStorage()).redeemed == 0


def test_a_history_of_nothing_is_nothing_and_verifies() -> None:
    totals = replay_history(history(), MemoryStorage(), expires_days=30)
    assert (totals.events, totals.issued, totals.outstanding) == (0, 0, 0)
    assert totals.verified


def test_a_history_in_points_is_counted_in_points() -> None:
    points = CustomUnit("PTS", 0)
    events = (refund("R1", "anna", 0, 500), order("2", "anna", 1, 200))
    totals = replay_history(
        History(unit=points, events=events, skipped={}),
        MemoryStorage(),
        merchant=Merchant(id="acme", units=[points]),
    )
    assert (totals.unit, totals.outstanding) == (points, 300)


def test_the_entries_stand_in_the_journal_under_the_shops_own_numbers() -> None:
    storage = MemoryStorage()
    replay_history(STORY, storage, merchant="acme")
    entries = list(StoreCredit(storage, "acme").journal("anna", "GBP"))
    assert [(entry.key, entry.kind.value, entry.context.reference) for entry in entries] == [
        ("C2", "issue", "C2"),
        ("3", "redeem", "3"),
        ("C7", "issue", "C7"),
        ("10", "redeem", "10"),
    ]
    assert entries[0].at == START + timedelta(days=1)


def test_progress_ends_with_the_number_of_events() -> None:
    seen: list[int] = []
    replay_history(STORY, MemoryStorage(), progress=seen.append)
    assert seen == [10]


@pytest.mark.parametrize("days", [0, -1])
def test_credit_that_never_lives_is_refused_before_anything_happens(days: int) -> None:
    storage = MemoryStorage()
    with pytest.raises(PeriodRefused):
        replay_history(STORY, storage, expires_days=days)
    assert replay_history(STORY, storage, expires_days=1).verified


def test_credit_that_would_outlive_the_calendar_is_refused() -> None:
    late = Event(
        id="C1",
        kind=EventKind.REFUND,
        customer="anna",
        at=datetime(9999, 12, 1, tzinfo=UTC),
        value=1,
    )
    with pytest.raises(InstantOutOfRange):
        replay_history(history(late), MemoryStorage(), expires_days=31)


# --- Started again ------------------------------------------------------------------------


class PowerCut(Exception):
    """Nothing of the library is written to expect it."""


class Failing:
    """A storage that lets so many entries through and then loses its power for good."""

    def __init__(self, kept: MemoryStorage, entries: int) -> None:
        self.kept = kept
        self.left = entries

    def transaction(self) -> AbstractContextManager[UnitOfWork]:
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[UnitOfWork]:
        with self.kept.transaction() as unit:
            append = unit.append

            def counted(change: Change) -> None:
                if not self.left:
                    raise PowerCut
                self.left -= 1
                append(change)

            unit.append = counted  # type: ignore[method-assign]  # the fault is the point
            yield unit

    def snapshot(self) -> AbstractContextManager[Reader]:
        return self.kept.snapshot()

    def close(self) -> None:
        self.kept.close()


@pytest.mark.parametrize("expires_days", [None, 1, 2, 30])
@pytest.mark.parametrize("entries", range(9))
def test_a_run_that_broke_off_anywhere_ends_in_the_same_totals(
    entries: int, expires_days: int | None
) -> None:
    whole = replay_history(STORY, MemoryStorage(), expires_days=expires_days)
    kept = MemoryStorage()
    with suppress(PowerCut):
        replay_history(STORY, Failing(kept, entries), expires_days=expires_days)
    assert replay_history(STORY, kept, expires_days=expires_days) == whole
    assert replay_history(STORY, kept, expires_days=expires_days) == whole


def test_an_order_that_found_no_credit_does_not_spend_what_came_later() -> None:
    # The refusal of order 1 left no trace, and by now there is credit: nothing but the place of
    # the event in the history says that it had its turn.
    events = history(
        order("1", "anna", 0, 1000),
        refund("C2", "anna", 0, 1000),
        order("3", "bert", 0, 1000),
    )
    storage = MemoryStorage()
    first = replay_history(events, storage)
    assert first.redeemed == 0
    assert replay_history(events, storage) == first


def test_a_history_may_go_on_where_an_earlier_one_ended() -> None:
    storage = MemoryStorage()
    begun = history(*STORY.events[:6])
    replay_history(begun, storage, expires_days=30)
    assert replay_history(STORY, storage, expires_days=30) == replay_history(
        STORY, MemoryStorage(), expires_days=30
    )


def test_another_history_is_refused_and_nothing_is_changed() -> None:
    storage = MemoryStorage()
    first = replay_history(STORY, storage)
    changed = history(*STORY.events[:-1], order("10", "anna", 35, 1501))
    shorter = history(*STORY.events[:-1])
    for other in (changed, shorter):
        with pytest.raises(StorageUnusable, match="another history of 10 events"):
            replay_history(other, storage)
    assert replay_history(STORY, storage) == first


def test_other_terms_are_refused_and_named() -> None:
    storage = MemoryStorage()
    replay_history(STORY, storage, expires_days=30)
    with pytest.raises(StorageUnusable, match=r"expires_days=30, unit=GBP.*expires_days=None"):
        replay_history(STORY, storage)


def test_a_ledger_that_no_replay_has_made_is_left_alone() -> None:
    storage = MemoryStorage()
    credit = StoreCredit(storage, "shop")
    credit.issue("anna", Money.of("5.00", "GBP"), funding="refund", key="k")
    with pytest.raises(StorageUnusable, match="'shop' has accounts in it that no replay"):
        replay_history(STORY, storage)
    assert len(list(credit.journal("anna", "GBP"))) == 1


def test_another_merchant_in_the_same_database_is_no_hindrance() -> None:
    storage = MemoryStorage()
    StoreCredit(storage, "acme").issue("anna", Money.of("5.00", "GBP"), funding="refund", key="k")
    assert replay_history(STORY, storage, merchant="shop").issued == 3600


def test_credit_that_somebody_else_gave_meanwhile_does_not_reconcile() -> None:
    storage = MemoryStorage()
    replay_history(STORY, storage)
    StoreCredit(storage, "shop").issue(
        "dora", Money.of("5.00", "GBP"), funding="refund", key="by hand"
    )
    again = replay_history(STORY, storage)
    assert not again.verified
    assert again.problems == (
        "3600 minor units were issued by the receipts, and 4100 by the journals",
    )


def test_value_that_somebody_else_moved_meanwhile_does_not_reconcile() -> None:
    storage = MemoryStorage()
    replay_history(STORY, storage)
    StoreCredit(storage, "shop").hold("anna", Money.of("1.00", "GBP"), key="by hand")
    assert replay_history(STORY, storage).problems == (
        "3600 minor units were issued, and 3500 redeemed, expired and outstanding",
        "6600 minor units were moved by this replay, and 6700 by anybody",
    )


def test_a_second_writer_on_the_same_account_is_noticed_at_once() -> None:
    storage = MemoryStorage()

    def interfere(_: int) -> None:
        StoreCredit(storage, "shop", clock=SettableClock(START)).issue(
            "anna", Money.of("5.00", "GBP"), funding="refund", key="by hand"
        )

    many = [refund(f"C{n}", "anna", n, 100) for n in range(101)]
    with pytest.raises(ConcurrentChange):
        replay_history(history(*many), storage, progress=interfere)


def test_a_refund_that_has_vanished_from_the_journal_is_not_given_again() -> None:
    # The record of the replay outlives an account that somebody deleted around the library.
    storage, robbed = MemoryStorage(), MemoryStorage()
    replay_history(STORY, storage)
    with storage.snapshot() as reader, robbed.transaction() as unit:
        record = reader.record("shop", "replay", "history")
        assert record is not None
        unit.put(record)
    later = StoreCredit(robbed, "shop", clock=SettableClock(START + timedelta(days=35)))
    later.issue("anna", Money.of("1.00", "GBP"), funding="refund", key="10")
    with pytest.raises(StorageUnusable, match=r"the refund 'C2'.* is gone"):
        replay_history(STORY, robbed)


# --- The clock ------------------------------------------------------------------------


def test_the_clock_stands_where_it_was_set_also_in_the_past() -> None:
    clock = SettableClock(START)
    clock.set(START - timedelta(days=400))
    assert clock() == START - timedelta(days=400)


def test_a_clock_without_a_zone_is_refused() -> None:
    with pytest.raises(NaiveInstant):
        SettableClock(datetime(2011, 1, 1))  # noqa: DTZ001 - the missing zone is what is tested
