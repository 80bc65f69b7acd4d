"""Crashes: a fault at every step of a command, and after its commit (S1, S4)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final, final

import pytest

from storecredit.errors import ConcurrentChange
from storecredit.service import Grant, StoreCredit
from storecredit.storage.protocols import Storage
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import EVERYBODY, POINTS, Shop, usd
from storecredit.testing.faults import (
    FaultyStorage,
    InjectedFault,
    Mode,
    Step,
    every_fault,
)
from storecredit.values import ExchangeRate, Period

Act = Callable[[StoreCredit], Any]
Play = Callable[[Shop], Act]


def _issue(_: Shop) -> Act:
    return lambda credit: credit.issue(
        "anna", usd("5.00"), funding="refund", key="k", actor="Mia", note="n"
    )


def _issue_many(shop: Shop) -> Act:
    shop.credit.issue("ben", usd("1.00"), funding="refund", key="b1")
    grants = [
        Grant(holder=holder, amount=usd("2.00"), funding="earned", key="k")
        for holder in ("anna", "ben", "carl")
    ]
    return lambda credit: credit.issue_many(grants)


def _redeem(shop: Shop) -> Act:
    for number in (1, 2):
        shop.credit.issue("anna", usd("3.00"), funding="refund", key=f"a{number}")
    return lambda credit: credit.redeem("anna", usd("4.00"), key="k")


def _hold(shop: Shop) -> Act:
    shop.credit.issue("anna", usd("3.00"), funding="refund", key="a1")
    return lambda credit: credit.hold("anna", usd("2.00"), key="k")


def _capture(shop: Shop) -> Act:
    shop.credit.issue("anna", usd("3.00"), funding="refund", key="a1")
    hold = shop.credit.hold("anna", usd("3.00"), key="a2").hold_id
    return lambda credit: credit.capture(hold, amount=usd("2.00"), key="k")


def _restore(shop: Shop) -> Act:
    shop.credit.issue("anna", usd("3.00"), funding="refund", key="a1")
    spent = shop.credit.redeem("anna", usd("3.00"), key="a2").entry_id
    return lambda credit: credit.restore(spent, amount=usd("2.00"), key="k")


def _transfer(shop: Shop) -> Act:
    shop.credit.issue("anna", usd("3.00"), funding="refund", key="a1")
    return lambda credit: credit.transfer("anna", "ben", usd("2.00"), key="k")


def _convert(shop: Shop) -> Act:
    shop.credit.issue("anna", usd("3.00"), funding="refund", key="a1")
    rate = ExchangeRate("USD", POINTS, "100", on=date(2026, 3, 1))
    return lambda credit: credit.convert("anna", usd("2.00"), rate, rounding="down", key="k")


def _merge(shop: Shop) -> Act:
    shop.credit.issue("anna", usd("3.00"), funding="refund", key="a1")
    shop.credit.issue("anna", usd("3.00"), funding="refund", key="a2")
    return lambda credit: credit.merge("anna", "ben", key="k")


def _sweep(shop: Shop) -> Act:
    for holder in ("anna", "ben", "carl"):
        shop.credit.issue(
            holder, usd("3.00"), funding="goodwill", expires=Period(hours=1), key="a1"
        )
    shop.clock.advance(Period(hours=1))
    return lambda credit: credit.expire_due(batch=1)


def _release_lapsed(shop: Shop) -> Act:
    for holder in ("anna", "ben"):
        shop.credit.issue(holder, usd("3.00"), funding="refund", key="a1")
        shop.credit.hold(holder, usd("3.00"), lapses=Period(hours=1), key="a2")
    shop.clock.advance(Period(hours=1))
    return lambda credit: credit.release_lapsed(batch=1)


def _rebuild(shop: Shop) -> Act:
    shop.credit.issue("anna", usd("3.00"), funding="refund", key="a1")
    shop.credit.redeem("anna", usd("1.00"), key="a2")
    return lambda credit: credit.rebuild()


def _erase(shop: Shop) -> Act:
    made = shop.credit.issue("anna", usd("3.00"), funding="refund", key="a1", actor="Mia")
    return lambda credit: credit.erase(made.entry_id)


def _pseudonymise(shop: Shop) -> Act:
    shop.credit.issue("anna", usd("3.00"), funding="refund", key="a1")

    def act(credit: StoreCredit) -> None:
        # Not by key: a host asks who bears the name before it gives it again.
        if credit.wallet("anna").accounts:
            credit.pseudonymise("anna", "holder-4711")

    return act


PLAYS: Final[Mapping[str, Play]] = MappingProxyType(
    {
        "issue": _issue,
        "issue_many": _issue_many,
        "redeem": _redeem,
        "hold": _hold,
        "capture": _capture,
        "restore": _restore,
        "transfer": _transfer,
        "convert": _convert,
        "merge": _merge,
        "expire_due": _sweep,
        "release_lapsed": _release_lapsed,
        "rebuild": _rebuild,
        "erase": _erase,
        "pseudonymise": _pseudonymise,
    }
)
"""By name: set the scene at a shop, and return the command that faults are to hit."""

KEYLESS: Final = frozenset({"pseudonymise"})
"""What has no key, so that nobody can tell a repeat from a second request."""

SWEEPS: Final = frozenset({"expire_due", "release_lapsed", "rebuild"})
"""What works in several transactions: it may stop between two of them, and is run again."""


class CrashDuties(Duties):
    """Whatever fails wherever: all of it or nothing, and the same key gives the same outcome."""

    @pytest.mark.parametrize("play", sorted(PLAYS))
    def test_s4_a_fault_at_any_step_leaves_all_or_nothing_and_can_be_repeated(
        self, play: str
    ) -> None:
        storage = self.fresh()
        whole = Rehearsal(storage, play)
        faults = list(every_fault(whole.steps))
        assert len(faults) >= 6, "the command asked next to nothing of the storage"
        for number, fault in enumerate(faults):
            case = f"{play}: {fault.mode} step {fault.number}"
            shop = Shop(storage, f"shop {number}")
            act = PLAYS[play](shop)
            before = shop.kept()
            with pytest.raises(InjectedFault):
                act(shop.at(FaultyStorage(storage, [fault])))
            assert shop.credit.verify().ok, f"{case}: what is left does not verify"
            left = shop.kept()
            if play not in SWEEPS:
                committed = fault.mode is Mode.AFTER_COMMIT
                assert (left == before) is not committed, f"{case}: half done, or not undone"
            answer = act(shop.credit)
            assert replayed(answer) in {None, fault.mode is Mode.AFTER_COMMIT}, case
            if fault.mode is Mode.AFTER_COMMIT and play not in SWEEPS:
                assert shop.kept() == left, f"{case}: the repeat did it a second time"
            assert outcome(shop) == whole.outcome, f"{case}: the repeat led elsewhere"
            assert shop.credit.verify().ok, case

    @pytest.mark.parametrize("play", sorted(PLAYS))
    def test_s5_a_conflict_at_any_step_is_tried_again_to_the_same_outcome(self, play: str) -> None:
        storage = self.fresh()
        whole = Rehearsal(storage, play)
        faults = every_fault(in_transactions(whole.steps), error=conflict)
        for number, fault in enumerate(faults):
            if fault.mode is Mode.AFTER_COMMIT and play in KEYLESS:
                continue
            case = f"{play}: a conflict {fault.mode} step {fault.number}"
            shop = Shop(storage, f"shop {number}")
            act = PLAYS[play](shop)
            act(shop.at(FaultyStorage(storage, [fault])))
            assert outcome(shop) == whole.outcome, f"{case}: it led elsewhere"
            assert shop.credit.verify().ok, case


@final
class Rehearsal:
    """A play without faults: the steps it takes, and what it leads to."""

    def __init__(self, storage: Storage, play: str) -> None:
        shop = Shop(storage, "rehearsal")
        act = PLAYS[play](shop)
        faulty = FaultyStorage(storage)
        act(shop.at(faulty))
        self.steps: Final = faulty.steps
        self.outcome: Final = outcome(shop)


def conflict(step: Step, mode: Mode) -> BaseException:
    """Make the error with which an adapter says that somebody else was faster."""
    return ConcurrentChange(f"an account, {mode} {step}", 1)


def in_transactions(steps: Iterable[Step]) -> Iterator[Step]:
    """Pick the steps of transactions: a service does not try a mere reading again."""
    writing = False
    for step in steps:
        if step.name in {"transaction", "snapshot"}:
            writing = step.name == "transaction"
        if writing:
            yield step


def replayed(answer: Any) -> bool | None:
    """Tell whether a repeat was answered from the journal; None where answers do not say."""
    if isinstance(answer, tuple):
        told = {receipt.replayed for receipt in answer}
        return told.pop() if len(told) == 1 else None
    return getattr(answer, "replayed", None)


def outcome(shop: Shop) -> dict[str, Any]:
    """Return what everybody has, without the ids and digests that differ from shop to shop."""
    found: dict[str, Any] = {}
    for holder in EVERYBODY:
        view = shop.credit.wallet(holder)
        found[holder] = [
            (
                account.unit.code,
                account.version,
                account.available.minor,
                account.held.minor,
                account.due.minor,
                account.status,
                [(lot.amount.minor, lot.remaining.minor) for lot in account.lots],
            )
            for account in view.accounts
        ]
    return found
