"""The clock that a test sets, and the storage that fails where a test wants it to."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from storecredit import Money, Period, StoreCredit
from storecredit.errors import NaiveInstant, StorageBusy
from storecredit.storage import MemoryStorage
from storecredit.testing import (
    Fault,
    FaultyStorage,
    InjectedFault,
    Mode,
    SettableClock,
    StorageContract,
    every_fault,
)

if TYPE_CHECKING:
    from storecredit.storage import Storage

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def shop(storage: Storage) -> StoreCredit:
    return StoreCredit(storage, merchant="acme", sleep=lambda _: None)


def with_credit() -> MemoryStorage:
    storage = MemoryStorage()
    shop(storage).issue("c-17", usd("50.00"), funding="refund", key="return-1001")
    return storage


def balance(storage: Storage) -> Money:
    return shop(storage).wallet("c-17").available["USD"]


# --- The clock ------------------------------------------------------------------------


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = SettableClock(NOON)
    assert [clock(), clock()] == [NOON, NOON]
    assert clock.advance(timedelta(seconds=1)) == NOON + timedelta(seconds=1) == clock()


def test_a_clock_moves_on_by_the_calendar_for_a_period() -> None:
    clock = SettableClock(NOON)
    assert clock.advance(Period(months=1)) == datetime(2026, 2, 28, 12, tzinfo=UTC)


def test_a_clock_goes_back_and_jumps() -> None:
    clock = SettableClock(NOON)
    assert clock.advance(timedelta(hours=-1)) == NOON - timedelta(hours=1)
    assert clock.set(NOON + timedelta(days=3650)) == clock()
    assert clock.set(datetime(2026, 1, 31, 14, tzinfo=timezone(timedelta(hours=2)))) == NOON
    assert clock().tzinfo is UTC


def test_a_clock_ticks_until_it_is_frozen() -> None:
    clock = SettableClock(NOON, tick=timedelta(seconds=1))
    assert [clock(), clock()] == [NOON, NOON + timedelta(seconds=1)]
    assert clock.freeze() == NOON + timedelta(seconds=2)
    assert [clock(), clock()] == [NOON + timedelta(seconds=2)] * 2


def test_a_clock_shows_no_naive_time() -> None:
    with pytest.raises(NaiveInstant):
        SettableClock(datetime(2026, 1, 31))  # noqa: DTZ001 - that is what is refused
    with pytest.raises(NaiveInstant):
        SettableClock(NOON).set(datetime(2026, 1, 31))  # noqa: DTZ001 - that is what is refused


def test_a_clock_says_what_it_shows() -> None:
    assert repr(SettableClock(NOON)).startswith("SettableClock(datetime.datetime(2026, 1, 31, 12")


# --- Faults ---------------------------------------------------------------------------


def test_without_faults_everything_passes_through_and_the_steps_are_seen() -> None:
    storage = FaultyStorage(with_credit())
    shop(storage).redeem("c-17", usd("30.00"), key="order-1")
    assert [str(step) for step in storage.steps] == [
        "step 1 (transaction)",
        "step 2 (account)",
        "step 3 (entry_by_key)",
        "step 4 (append)",
        "step 5 (commit)",
    ]
    assert balance(storage) == usd("20.00")
    assert [step.name for step in storage.steps[5:]] == ["snapshot", "wallet", "accounts_of"]
    storage.close()


def test_each_entry_of_a_journal_is_a_step() -> None:
    storage = FaultyStorage(with_credit())
    assert len(list(shop(storage).journal("c-17", "USD"))) == 1
    assert [step.name for step in storage.steps] == [
        "snapshot",
        "account",
        "journal",
        "journal entry",
    ]


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (Fault(Mode.BEFORE, 1), "50.00"),
        (Fault(Mode.AFTER, 1), "50.00"),
        (Fault(Mode.BEFORE, 4), "50.00"),
        (Fault(Mode.AFTER, 4), "50.00"),
        (Fault(Mode.BEFORE, 5), "50.00"),
        (Fault(Mode.AT_COMMIT, 1), "50.00"),
        (Fault(Mode.AFTER, 5), "20.00"),
        (Fault(Mode.AFTER_COMMIT, 1), "20.00"),
    ],
    ids=lambda value: f"{value.mode}-{value.number}" if isinstance(value, Fault) else value,
)
def test_only_a_fault_after_the_commit_leaves_the_command_done(fault: Fault, left: str) -> None:
    storage = with_credit()
    with pytest.raises(InjectedFault, match=fault.mode):
        shop(FaultyStorage(storage, [fault])).redeem("c-17", usd("30.00"), key="order-1")
    assert balance(storage) == usd(left)
    again = shop(storage).redeem("c-17", usd("30.00"), key="order-1")
    assert again.replayed is (left == "20.00")
    assert balance(storage) == usd("20.00")


def test_a_fault_strikes_once() -> None:
    storage = FaultyStorage(with_credit(), [Fault(Mode.AT_COMMIT, 1)])
    with pytest.raises(InjectedFault):
        shop(storage).redeem("c-17", usd("30.00"), key="order-1")
    assert not shop(storage).redeem("c-17", usd("30.00"), key="order-1").replayed


def test_a_plan_may_have_several_faults() -> None:
    storage = FaultyStorage(with_credit(), [Fault(Mode.AT_COMMIT, 1), Fault(Mode.AFTER_COMMIT, 2)])
    for _ in range(2):
        with pytest.raises(InjectedFault):
            shop(storage).redeem("c-17", usd("30.00"), key="order-1")
    assert shop(storage).redeem("c-17", usd("30.00"), key="order-1").replayed


def test_a_fault_raises_the_error_that_was_chosen() -> None:
    busy = Fault(Mode.BEFORE, 2, lambda step, mode: StorageBusy(f"{mode} {step.name}", "5 s"))
    with pytest.raises(StorageBusy, match="before account stayed locked for 5 s"):
        shop(FaultyStorage(with_credit(), [busy])).redeem("c-17", usd("1.00"), key="k")
    interrupt = Fault(Mode.AFTER, 4, lambda *_: KeyboardInterrupt())
    storage = with_credit()
    with pytest.raises(KeyboardInterrupt):
        shop(FaultyStorage(storage, [interrupt])).redeem("c-17", usd("1.00"), key="k")
    assert balance(storage) == usd("50.00")


def test_reading_fails_too() -> None:
    storage = FaultyStorage(with_credit(), [Fault(Mode.AFTER, 1)])
    with pytest.raises(InjectedFault, match=r"after step 1 \(snapshot\)"):
        shop(storage).wallet("c-17")


def test_every_fault_means_two_for_each_step_and_counts_commits_apart() -> None:
    storage = FaultyStorage(MemoryStorage())
    for number in (1, 2):
        with storage.transaction() as work:
            work.record("acme", "case", str(number))
    faults = [(fault.mode, fault.number) for fault in every_fault(storage.steps)]
    assert faults == [
        (Mode.BEFORE, 1),
        (Mode.AFTER, 1),
        (Mode.BEFORE, 2),
        (Mode.AFTER, 2),
        (Mode.AT_COMMIT, 1),
        (Mode.AFTER_COMMIT, 1),
        (Mode.BEFORE, 4),
        (Mode.AFTER, 4),
        (Mode.BEFORE, 5),
        (Mode.AFTER, 5),
        (Mode.AT_COMMIT, 2),
        (Mode.AFTER_COMMIT, 2),
    ]


def test_a_block_that_breaks_off_by_itself_does_not_come_to_its_commit() -> None:
    storage = FaultyStorage(MemoryStorage(), [Fault(Mode.AT_COMMIT, 1)])

    def breaks_off() -> None:
        with storage.transaction() as work:
            work.lock([])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks_off()
    assert [step.name for step in storage.steps] == ["transaction", "lock"]


# --- What is missing is said ----------------------------------------------------------


def test_a_contract_without_a_storage_says_what_to_define() -> None:
    class TestNothing(StorageContract):
        pass

    with pytest.raises(NotImplementedError, match=r"TestNothing does not say.*make_storage"):
        TestNothing().test_s11_a_record_that_nobody_has_put_is_none()


@pytest.mark.parametrize(
    ("name", "package"), [("StorageContract", "pytest"), ("LedgerMachine", "hypothesis")]
)
def test_clock_and_faults_need_nothing_and_the_rest_names_what_it_needs(
    name: str, package: str
) -> None:
    script = f"""
import sys
sys.modules[{package!r}] = None
from storecredit.testing import FaultyStorage, SettableClock
import storecredit.testing
try:
    storecredit.testing.{name}
except ModuleNotFoundError as missing:
    print(missing)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == (
        f"storecredit.testing.{name} needs {package}, which is not installed. "
        'Run: pip install "storecredit[testing]"\n'
    )


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    import storecredit.testing

    with pytest.raises(AttributeError, match="no attribute 'Clock'"):
        _ = storecredit.testing.Clock
