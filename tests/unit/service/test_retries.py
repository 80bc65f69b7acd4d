"""The door tries again while others are faster, and never for anything else (S2, S5)."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from storecredit import StoreCredit
from storecredit.errors import (
    ConcurrentChange,
    InsufficientCredit,
    NaiveInstant,
    StorageBusy,
    StorageUnavailable,
)
from storecredit.storage import MemoryStorage
from storecredit.storage.sql import TransactionInterrupted
from storecredit.values import Money


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


class Contended:
    """A storage on which somebody else is first so many times."""

    def __init__(self, error: Exception, times: int) -> None:
        self.kept = MemoryStorage()
        self.error, self.times, self.tries = error, times, 0

    @contextmanager
    def transaction(self):
        self.tries += 1
        with self.kept.transaction() as work:
            yield work
            if self.tries <= self.times:
                raise self.error

    def snapshot(self):
        return self.kept.snapshot()

    def close(self) -> None:
        self.kept.close()


def test_a_conflict_is_tried_again_with_growing_pauses() -> None:
    storage, pauses = Contended(ConcurrentChange("a", 0), 3), []
    credit = StoreCredit(storage, "acme", sleep=pauses.append)
    receipt = credit.issue("c-17", usd("5.00"), funding="refund", key="k")
    assert (storage.tries, receipt.replayed) == (4, False)
    for attempt, pause in enumerate(pauses, 1):
        assert 0 <= pause <= 0.002 * 2**attempt
    assert str(credit.wallet("c-17").available) == "USD 5.00"


def test_after_the_last_attempt_the_conflict_is_the_answer_and_nothing_is_kept() -> None:
    storage, pauses = Contended(ConcurrentChange("a", 0), 99), []
    credit = StoreCredit(storage, "acme", attempts=3, sleep=pauses.append)
    with pytest.raises(ConcurrentChange):
        credit.issue("c-17", usd("5.00"), funding="refund", key="k")
    assert (storage.tries, len(pauses)) == (3, 2)
    assert credit.wallet("c-17").accounts == ()


@pytest.mark.parametrize("error", [StorageBusy("shop.db", "5 s"), RuntimeError("a bug")])
def test_nothing_else_is_tried_again(error) -> None:
    storage = Contended(error, 1)
    credit = StoreCredit(storage, "acme", sleep=lambda _: pytest.fail("no pause"))
    with pytest.raises(type(error)):
        credit.issue("c-17", usd("5.00"), funding="refund", key="k")
    assert storage.tries == 1


class Cut(MemoryStorage):
    """Commits, loses the answer, and cannot be reached from then on for so many tries."""

    def __init__(self, gone: int) -> None:
        super().__init__()
        self.gone, self.tries = gone, 0

    @contextmanager
    def transaction(self):
        self.tries += 1
        if 1 < self.tries <= 1 + self.gone:
            raise StorageUnavailable("shop", "no connection can be made")
        with super().transaction() as work:
            yield work
        if self.tries == 1:
            raise TransactionInterrupted("shop", "the connection was lost", may_be_done=True)


def test_s4_whoever_may_have_committed_does_not_say_that_nothing_was_changed() -> None:
    storage = Cut(gone=1)
    credit = StoreCredit(storage, "acme", sleep=lambda _: None)
    with pytest.raises(TransactionInterrupted) as interrupted:
        credit.issue("c-17", usd("5.00"), funding="refund", key="k")
    assert interrupted.value.may_be_done
    assert credit.issue("c-17", usd("5.00"), funding="refund", key="k").replayed
    assert str(credit.wallet("c-17").available) == "USD 5.00"


def test_s4_the_repeat_by_the_service_itself_finds_what_was_committed() -> None:
    credit = StoreCredit(Cut(gone=0), "acme", sleep=lambda _: None)
    assert credit.issue("c-17", usd("5.00"), funding="refund", key="k").replayed


def test_a_refusal_is_final() -> None:
    storage = Contended(RuntimeError(), 0)
    credit = StoreCredit(storage, "acme")
    with pytest.raises(InsufficientCredit):
        credit.redeem("c-17", usd("5.00"), key="k")
    assert storage.tries == 1


def test_the_plain_service_needs_no_more_than_a_storage_and_a_name() -> None:
    credit = StoreCredit(MemoryStorage(), merchant="acme")
    before = datetime.now(UTC)
    receipt = credit.issue("c-17", usd("5.00"), funding="refund", key="k", actor="ann")
    assert before <= receipt.entry.at <= datetime.now(UTC)
    other = credit.issue("c-18", usd("5.00"), funding="refund", key="k", actor="ann")
    # Random wallets and random salts.
    assert receipt.entry.account != other.entry.account
    assert receipt.entry.salts != other.entry.salts
    assert len(bytes.fromhex(receipt.entry.salts["actor"])) == 16


def test_a_clock_has_to_know_its_zone() -> None:
    credit = StoreCredit(MemoryStorage(), "acme", clock=lambda: datetime(2026, 3, 2))  # noqa: DTZ001 - refused
    with pytest.raises(NaiveInstant):
        credit.issue("c-17", usd("5.00"), funding="refund", key="k")


def test_the_key_is_found_by_a_second_attempt_after_an_unknown_outcome() -> None:
    storage = MemoryStorage()
    credit = StoreCredit(storage, "acme")
    first = credit.issue("c-17", usd("5.00"), funding="refund", key="k")
    again = StoreCredit(storage, "acme").issue("c-17", usd("5.00"), funding="refund", key="k")
    assert (again.replayed, again) == (True, first)
