"""Reminders: what runs out soon, once for each expiry and period, until it is acknowledged (P7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from storecredit.errors import InstantOutOfRange, InvalidTerms, JournalBroken, NaiveInstant
from storecredit.ledger import AccountId, Funding, Limits, LotId
from storecredit.service import Reminder
from storecredit.service.reminders import REMINDER, Marks
from storecredit.storage import MemoryStorage
from storecredit.storage.protocols import Record
from storecredit.testing import FaultyStorage
from storecredit.values import CustomUnit, Money, Period

WEEK, MONTH = Period(days=7), Period(days=30)
POINTS = CustomUnit("PTS", 0, name="Points")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def due(shop: Any, before: Any = MONTH, **more: Any) -> list[Reminder]:
    return list(shop.credit.due_reminders(before=before, **more))


def shown(reminders: list[Reminder]) -> list[tuple[str, str, str]]:
    return [(each.holder, str(each.amount), each.before.iso) for each in reminders]


def marks(shop: Any, holder: str = "c-17") -> Marks:
    with shop.storage.snapshot() as reader:
        account = reader.account("acme", holder, "USD")
        return Marks.load(reader, "acme", account.id)


# --- What is due --------------------------------------------------------------------------


def test_a_reminder_says_what_can_still_be_spent_until_when(shop: Any) -> None:
    limits = Limits(categories=("books",))
    receipt = shop.issue("20.00", funding="promotional", expires=Period(days=20), limits=limits)
    (reminder,) = due(shop)
    assert reminder == Reminder(
        merchant="acme",
        holder="c-17",
        account=receipt.entry.account,
        lot=receipt.lot_id,
        amount=usd("20.00"),
        funding=Funding.PROMOTIONAL,
        limits=limits,
        expires_at=shop.clock.now + timedelta(days=20),
        before=MONTH,
        at=shop.clock.now,
    )
    assert reminder.id.startswith(f"{reminder.account}.")


def test_what_is_spent_or_held_does_not_count(shop: Any) -> None:
    shop.issue("20.00", expires=Period(days=20))
    shop.redeem("5.00")
    hold = shop.hold("4.00").hold_id
    assert shown(due(shop)) == [("c-17", "USD 11.00", "P30D")]
    shop.hold("11.00")
    assert due(shop) == []
    shop.credit.release(hold, key="off")
    assert shown(due(shop)) == [("c-17", "USD 4.00", "P30D")]


def test_only_what_expires_within_the_period_and_has_not_expired_is_due(shop: Any) -> None:
    begin = shop.clock.now
    shop.issue("1.00", expires=begin + timedelta(days=7))
    shop.issue("2.00", expires=begin + timedelta(days=7, microseconds=1))
    shop.issue("4.00")
    shop.issue("8.00", expires=begin + timedelta(days=6))
    assert shown(due(shop, WEEK)) == [("c-17", "USD 8.00", "P7D"), ("c-17", "USD 1.00", "P7D")]
    shop.clock.forward(days=6)
    assert shown(due(shop, WEEK)) == [("c-17", "USD 1.00", "P7D"), ("c-17", "USD 2.00", "P7D")]
    shop.clock.forward(days=1)
    assert shown(due(shop, WEEK)) == [("c-17", "USD 2.00", "P7D")]
    shop.credit.expire_due()
    assert shown(due(shop, WEEK)) == [("c-17", "USD 2.00", "P7D")]


def test_pending_value_is_due_once_it_counts(shop: Any) -> None:
    shop.issue("1.00", effective=Period(days=3), expires=Period(days=5))
    assert due(shop, MONTH) == []
    shop.clock.forward(days=3)
    assert shown(due(shop, MONTH)) == [("c-17", "USD 1.00", "P30D")]


def test_a_frozen_account_is_due_once_it_is_open_again(shop: Any) -> None:
    shop.issue("1.00", expires=Period(days=5))
    shop.credit.freeze("c-17", "USD", key="f")
    assert due(shop) == []
    shop.credit.reopen("c-17", "USD", key="r")
    assert len(due(shop)) == 1


def test_of_several_periods_the_shortest_counts(shop: Any) -> None:
    shop.issue("1.00", expires=Period(days=20))
    shop.issue("2.00", expires=Period(days=5))
    shop.issue("4.00", expires=Period(days=40))
    wanted = [("c-17", "USD 2.00", "P7D"), ("c-17", "USD 1.00", "P30D")]
    assert shown(due(shop, [MONTH, WEEK])) == wanted
    assert shown(due(shop, iter([WEEK, MONTH]))) == wanted


def test_another_instant_may_be_asked_about(shop: Any) -> None:
    shop.issue("1.00", expires=Period(days=40))
    assert due(shop) == []
    ahead = shop.clock.now + timedelta(days=15)
    (reminder,) = due(shop, at=ahead)
    assert reminder.at == ahead


def test_accounts_come_by_id_and_another_merchant_s_never(make_shop: Callable[..., Any]) -> None:
    shop = make_shop(units=(POINTS,))
    for holder in ("c-1", "c-2", "c-3"):
        shop.issue("1.00", holder=holder, expires=Period(days=5))
    shop.credit.issue(
        "c-2", Money.of(7, POINTS), funding="earned", expires=Period(days=5), key="points"
    )
    shop.open("beta").issue("c-9", usd("9.00"), funding="refund", expires=Period(days=5), key="b")
    found = due(shop)
    assert shown(found) == [
        ("c-1", "USD 1.00", "P30D"),
        ("c-2", "PTS 7", "P30D"),
        ("c-2", "USD 1.00", "P30D"),
        ("c-3", "USD 1.00", "P30D"),
    ]
    unit = found[1].amount.unit
    assert isinstance(unit, CustomUnit)
    assert unit.name == "Points"
    for batch in (1, 2, 3, 99):
        assert due(shop, batch=batch) == found
    assert due(shop, after=found[1].account) == found[2:]
    assert due(shop, after=found[3].account) == []


def test_progress_is_told_after_each_batch(shop: Any) -> None:
    for number in range(5):
        shop.issue("1.00", holder=f"c-{number}", expires=Period(days=5))
    told: list[int] = []
    assert len(due(shop, batch=2, progress=told.append)) == 5
    assert told == [2, 4, 5]


def test_nothing_is_written_by_asking(shop: Any) -> None:
    shop.issue("1.00", expires=Period(days=5))
    before = shop.dump()
    assert due(shop) == due(shop)
    assert shop.dump() == before
    assert marks(shop).version == 0


def test_the_cost_does_not_grow_with_the_history(make_shop: Callable[..., Any]) -> None:
    def steps(entries: int) -> list[str]:
        shop = make_shop()
        shop.issue("900.00", expires=Period(days=5))
        for _ in range(entries):
            shop.redeem("1.00")
            shop.issue("1.00", expires=Period(days=400))
        for _ in range(20):
            shop.issue("1.00", holder=shop.key(), expires=Period(days=400))
        watched = FaultyStorage(shop.storage)
        other = type(shop)(storage=watched)
        assert len(due(other)) == 1
        return [step.name for step in watched.steps]

    few = steps(1)
    assert few == steps(200)
    assert few.count("account_by_id") == 1


# --- Acknowledged -------------------------------------------------------------------------


def test_what_is_acknowledged_does_not_come_again(shop: Any) -> None:
    shop.issue("1.00", expires=Period(days=5))
    shop.issue("2.00", expires=Period(days=6))
    first, second = due(shop)
    assert shop.credit.acknowledge_reminders(first) == (first,)
    assert due(shop) == [second]
    assert shop.credit.acknowledge_reminders([first, second, second]) == (second,)
    assert due(shop) == []
    shop.clock.forward(days=3)
    assert due(shop) == []
    assert shop.credit.acknowledge_reminders([first, second]) == ()
    assert shop.credit.acknowledge_reminders([]) == ()


def test_a_shorter_period_reminds_again_and_a_longer_one_does_not(shop: Any) -> None:
    shop.issue("1.00", expires=Period(days=20))
    shop.credit.acknowledge_reminders(due(shop, [MONTH, WEEK]))
    assert due(shop, [MONTH, WEEK]) == []
    shop.clock.forward(days=14)
    (weekly,) = due(shop, [MONTH, WEEK])
    assert weekly.before == WEEK
    shop.credit.acknowledge_reminders(weekly)
    # Another job, or a merchant who has changed the periods since.
    for periods in ([MONTH, WEEK], [MONTH], [Period(days=8)], [WEEK, Period(years=1)]):
        assert due(shop, periods) == []
    assert shown(due(shop, [Period(days=6)])) == [("c-17", "USD 1.00", "P6D")]


def test_an_expiry_that_was_moved_is_due_again(shop: Any) -> None:
    lot = shop.issue("1.00", expires=Period(days=5)).lot_id
    (old,) = due(shop)
    shop.credit.acknowledge_reminders(old)
    shop.correct("extend_expiry", lot, Period(days=10))
    (new,) = due(shop)
    assert new.expires_at == old.expires_at + timedelta(days=10)
    assert new.id != old.id
    # Too late for the old one, and it undoes nothing of the new one.
    assert shop.credit.acknowledge_reminders([old]) == ()
    assert shop.credit.acknowledge_reminders([new]) == (new,)
    assert shop.credit.acknowledge_reminders([old]) == ()
    assert due(shop) == []


def test_value_that_comes_back_in_time_is_no_new_reminder(shop: Any) -> None:
    shop.issue("5.00", expires=Period(days=5))
    (reminder,) = due(shop)
    redeemed = shop.redeem("5.00")
    assert due(shop) == []
    # Sent meanwhile; so it is noted, though nothing is left.
    assert shop.credit.acknowledge_reminders(reminder) == (reminder,)
    shop.credit.restore(redeemed.entry_id, key="back")
    assert due(shop) == []


def test_value_in_another_account_is_a_reminder_of_its_own(shop: Any) -> None:
    shop.issue("5.00", expires=Period(days=5))
    shop.credit.acknowledge_reminders(due(shop))
    shop.credit.transfer("c-17", "c-18", usd("2.00"), key="gift")
    assert shown(due(shop)) == [("c-18", "USD 2.00", "P30D")]


def test_the_marks_of_an_account_are_one_record_that_does_not_grow(shop: Any) -> None:
    for _ in range(30):
        shop.issue("1.00", expires=Period(days=5))
        shop.issue("1.00", expires=Period(days=6))
        shop.credit.acknowledge_reminders(due(shop))
        shop.clock.forward(days=7)
        shop.credit.expire_due()
    assert (marks(shop).version, len(marks(shop).lots)) == (30, 2)
    with shop.storage.snapshot() as reader:
        (record,) = reader.records("acme", REMINDER)
    assert record.id == marks(shop).account
    assert "c-17" not in str(record)


def test_reminders_of_several_accounts_are_acknowledged_together(shop: Any) -> None:
    for holder in ("c-1", "c-2", "c-3"):
        shop.issue("1.00", holder=holder, expires=Period(days=5))
    found = due(shop)
    assert shop.credit.acknowledge_reminders(reversed(found)) == tuple(found)
    assert due(shop) == []


def test_a_lot_that_nobody_knows_is_not_acknowledged(shop: Any) -> None:
    shop.issue("1.00", expires=Period(days=5))
    (reminder,) = due(shop)
    account = AccountId("0" * 31 + "9.USD")
    foreign = attrs.evolve(reminder, account=account, lot=LotId(f"{account}.{'1' * 32}"))
    assert shop.credit.acknowledge_reminders(foreign) == ()
    assert marks(shop).version == 0


def test_marks_travel_with_an_export(shop: Any, tmp_path: Path) -> None:
    shop.issue("1.00", expires=Period(days=5))
    shop.issue("2.00", expires=Period(days=6))
    first, second = due(shop)
    shop.credit.acknowledge_reminders(first)
    shop.credit.export_journal(tmp_path / "ledger.jsonl")
    other = type(shop)()
    other.credit.import_journal(tmp_path / "ledger.jsonl")
    assert due(other) == [second]


# --- Refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"before": None}, InvalidTerms),
        ({"before": []}, InvalidTerms),
        ({"before": 7}, InvalidTerms),
        ({"before": "P7D"}, InvalidTerms),
        ({"before": [WEEK, timedelta(days=7)]}, InvalidTerms),
        ({"before": Period(years=1000), "at": datetime(9990, 1, 1, tzinfo=UTC)}, InstantOutOfRange),
        ({"at": datetime(2026, 3, 2)}, NaiveInstant),  # noqa: DTZ001 - a naive one is the point
        ({"after": None}, InvalidTerms),
        ({"batch": 0}, InvalidTerms),
        ({"batch": True}, InvalidTerms),
    ],
)
def test_arguments_that_cannot_be_are_refused_at_once(
    shop: Any, wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        shop.credit.due_reminders(**{"before": WEEK, **wrong})


def test_only_reminders_of_the_merchant_can_be_acknowledged(shop: Any) -> None:
    shop.issue("1.00", expires=Period(days=5))
    (reminder,) = due(shop)
    for wrong in (None, 7, ["x"], [reminder, None], [attrs.evolve(reminder, merchant="beta")]):
        with pytest.raises(InvalidTerms):
            shop.credit.acknowledge_reminders(wrong)
    assert due(shop) == [reminder]


@pytest.mark.parametrize("body", [{}, {"lots": []}, {"lots": {"x": {}}}, {"lots": {"x": 7}}])
def test_a_record_that_was_changed_is_named(shop: Any, body: dict[str, Any]) -> None:
    account = shop.issue("1.00", expires=Period(days=5)).entry.account
    with shop.storage.transaction() as tx:
        tx.put(Record(merchant="acme", kind=REMINDER, id=account, version=1, body=body))
    with pytest.raises(InvalidTerms, match=account):
        due(shop)


class Damaged:
    """A storage in which some accounts cannot be read, or are not there any more."""

    def __init__(self, storage: MemoryStorage, broken: set[str], gone: set[str]) -> None:
        self.storage, self.broken, self.gone = storage, broken, gone

    def snapshot(self) -> Any:
        damaged, opened = self, self.storage.snapshot()

        class Reader:
            def __enter__(self) -> Any:
                self.reader = opened.__enter__()
                return self

            def __exit__(self, *why: Any) -> Any:
                return opened.__exit__(*why)

            def __getattr__(self, name: str) -> Any:
                return getattr(self.reader, name)

            def account_by_id(self, merchant: str, account: Any) -> Any:
                if account in damaged.broken:
                    raise JournalBroken(account, 1, "it was changed")
                if account in damaged.gone:
                    return None
                return self.reader.account_by_id(merchant, account)

        return Reader()


def test_an_account_that_cannot_be_read_keeps_no_other_from_being_reminded(shop: Any) -> None:
    for number in range(5):
        shop.issue("1.00", holder=f"c-{number}", expires=Period(days=5))
    accounts = [reminder.account for reminder in due(shop)]
    damaged = type(shop)(storage=Damaged(shop.storage, {*accounts[0:3:2]}, {accounts[4]}))
    damaged.clock.now = shop.clock.now
    found = damaged.credit.due_reminders(before=MONTH, batch=1)
    assert [next(found).holder, next(found).holder] == ["c-1", "c-3"]
    with pytest.raises(JournalBroken) as caught:
        next(found)
    assert caught.value.account_id == accounts[0]
