"""What a command costs the engine: counted in its own instructions, which no noise disturbs (S3)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from storecredit import Money, Period, StoreCredit
from storecredit.service import Grant
from storecredit.storage import SQLiteStorage
from storecredit.testing import SettableClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOLLAR = Money.of("1.00", "USD")
HUNDRED = Money.of("100.00", "USD")


class Counted:
    """A service whose one connection counts the instructions that the engine carries out."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[sqlite3.Connection] = []
        connect = sqlite3.connect

        def recording(*args: object, **options: object) -> sqlite3.Connection:
            made.append(connect(*args, **options))  # type: ignore[call-overload]  # passed on as given
            return made[-1]

        monkeypatch.setattr(sqlite3, "connect", recording)
        self.clock = SettableClock(NOON)
        storage = SQLiteStorage(path, synchronous="NORMAL")
        self.credit = StoreCredit(storage, merchant="acme", clock=self.clock)
        (self.connection,) = made

    def instructions(self, work: Callable[[], object]) -> int:
        count = 0

        def one_more() -> int:
            nonlocal count
            count += 1
            return 0

        self.connection.set_progress_handler(one_more, 1)
        work()
        self.connection.set_progress_handler(None, 1)
        return count

    def statements(self, work: Callable[[], object]) -> list[str]:
        told: list[str] = []
        self.connection.set_trace_callback(lambda text: told.append(text.split(" ", 2)[0]))
        work()
        self.connection.set_trace_callback(None)
        return told


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(tmp_path / "shop.db", monkeypatch)


def issue(credit: StoreCredit, holder: str, key: str, amount: Money = DOLLAR) -> None:
    credit.issue(holder, amount, funding="refund", key=key)


def test_s3_a_redeem_costs_the_same_after_two_thousand_entries(counted: Counted) -> None:
    credit = counted.credit
    for holder, entries in (("new", 1), ("old", 2000)):
        issue(credit, holder, "i", Money.of("1000.00", "USD"))
        for number in range(entries):
            credit.redeem(holder, Money.of("0.01", "USD"), key=f"order-{number}")
    costs = {
        holder: counted.instructions(partial(credit.redeem, holder, DOLLAR, key="last"))
        for holder in ("new", "old")
    }
    assert costs["old"] <= costs["new"] * 1.05, costs


def test_s3_a_redeem_costs_the_same_after_a_thousand_spent_lots_and_ended_holds(
    counted: Counted,
) -> None:
    credit = counted.credit
    for number in range(500):
        issue(credit, "old", f"i-{number}")
        hold = credit.hold("old", DOLLAR, key=f"h-{number}")
        credit.capture(hold.hold_id, key=f"c-{number}")
    for holder in ("new", "old"):
        issue(credit, holder, "last")
    costs = {
        holder: counted.instructions(partial(credit.redeem, holder, DOLLAR, key="spend"))
        for holder in ("new", "old")
    }
    assert costs["old"] <= costs["new"] * 1.05, costs


def test_a_redeem_from_one_lot_takes_eight_statements(counted: Counted) -> None:
    issue(counted.credit, "c-17", "i", HUNDRED)
    told = counted.statements(lambda: counted.credit.redeem("c-17", DOLLAR, key="order-1"))
    assert told == [
        *("BEGIN", "PRAGMA", "SELECT", "SELECT"),
        *("UPDATE", "INSERT", "UPDATE", "COMMIT"),
    ]


def test_s3_the_sweep_looks_at_what_is_due_and_at_nothing_that_is_over(counted: Counted) -> None:
    credit, clock = counted.credit, counted.clock
    day = Period(days=1)
    grants = [
        Grant(holder=f"c-{number}", amount=DOLLAR, funding="goodwill", key="i", expires=day)
        for number in range(300)
    ]
    credit.issue_many(grants)
    clock.advance(timedelta(days=1))
    assert credit.expire_due().lots == 300
    nothing_due = counted.instructions(credit.expire_due)
    assert nothing_due < 200, "what was swept is looked at again"
    issue(credit, "c-1", "never expires")
    credit.issue("c-2", DOLLAR, funding="goodwill", key="i2", expires=day)
    clock.advance(timedelta(days=1))
    assert credit.expire_due().lots == 1


def test_s3_the_sweep_of_holds_looks_at_what_has_lapsed_and_at_nothing_that_is_over(
    counted: Counted,
) -> None:
    credit, clock = counted.credit, counted.clock
    for number in range(200):
        issue(credit, f"c-{number}", "i")
        credit.hold(f"c-{number}", DOLLAR, key="h", lapses=Period(hours=1))
    clock.advance(timedelta(hours=1))
    assert credit.release_lapsed().accounts == 200
    assert counted.instructions(credit.release_lapsed) < 200


@pytest.mark.parametrize("batch", [7, 10_000])
def test_a_sweep_of_very_many_lots_walks_the_accounts_and_finds_the_same(
    counted: Counted, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("storecredit.storage.sqlite._overview._MANY", 20)
    credit, clock = counted.credit, counted.clock
    for number in range(60):
        expires = Period(hours=1) if number % 2 else None
        amount = Money.of("2.00", "USD")
        credit.issue(f"c-{number}", amount, funding="goodwill", key="i", expires=expires)
        if number % 3 == 0:
            credit.hold(f"c-{number}", DOLLAR, key="h", lapses=Period(hours=1))
    clock.advance(timedelta(hours=1))
    # Every second account expires: a third of those still holds one of its two dollars.
    swept = credit.expire_due(batch=batch)
    assert (swept.accounts, str(swept.amount)) == (30, "USD 60.00")
    lapsed = credit.release_lapsed(batch=batch)
    assert lapsed.accounts == 10
    assert credit.expire_due(batch=batch).accounts == 0
    assert credit.verify().ok
