"""A fault at every storage step of every step of a refund case: all of it or nothing, once (P5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from returns_desk import Returns, a_policy, back, eur, points, sold

from storecredit.errors import ConcurrentChange
from storecredit.policies import Bonus, Fee, Limit, Policy, RefundRule
from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage
from storecredit.testing import FaultyStorage, InjectedFault, every_fault
from storecredit.testing.faults import Fault, Mode, Step

Act = Callable[[StoreCredit], Any]
Play = Callable[[Returns], Act]
RULE = RefundRule(
    id="all",
    offer=("credit", "money"),
    bonus=Bonus(percent=10),
    fee=Fee(fixed=eur("1.00")),
    instant=True,
)
SLOW = RefundRule(id="slow", offer=("credit", "money"), bonus=Bonus(percent=10))


def limited(rule: RefundRule) -> Policy:
    caps = (
        Limit(id="holder", per="holder", amount=eur("500.00")),
        Limit(id="agent", per="agent", count=9),
    )
    return a_policy((rule,), limits=caps)


# --- The scene ----------------------------------------------------------------------------


def stocked(returns: Returns) -> None:
    credit = returns.credit
    credit.issue("c-17", eur("8.00"), funding="promotional", key="e1")
    credit.issue("c-17", eur("7.00"), funding="refund", key="e2")
    credit.issue("c-17", points(40), funding="earned", key="p1")


def paid(returns: Returns) -> None:
    stocked(returns)
    lines = [sold("1", "40.00", quantity=4), sold("2", "10.00")]
    returns.paid(*lines, with_points=True)


def of_checkout(returns: Returns, rule: RefundRule, **more: Any) -> dict[str, Any]:
    paid(returns)
    return {"policy": limited(rule), "by_line": {"2": "money"}, **more}


def seen_goods(returns: Returns, rule: RefundRule = SLOW) -> None:
    asked = of_checkout(returns, rule)
    returns.inspected(*returns.lines({"1": 3, "2": 1}), accepted={"1": 2, "2": 1}, **asked)


# --- The steps ----------------------------------------------------------------------------


def _request(returns: Returns) -> Act:
    asked = of_checkout(returns, SLOW)
    decision = returns.decided(*returns.lines({"1": 3, "2": 1}), **asked)
    return lambda credit: credit.request_refund(decision, key="ask")


def _approve(returns: Returns) -> Act:
    returns.requested(policy=limited(SLOW))
    return lambda credit: credit.refund_case("r-1").approve(key="yes", actor="bo")


def _approve_at_once(returns: Returns) -> Act:
    stocked(returns)
    returns.requested(policy=limited(RULE))
    return lambda credit: credit.refund_case("r-1").approve(key="yes", actor="bo")


def _inspect(returns: Returns) -> Act:
    returns.received(back("1", "30.00", pieces=3))
    return lambda credit: credit.refund_case("r-1").inspect(key="seen", accepted={"1": 2})


def _complete(returns: Returns) -> Act:
    seen_goods(returns)
    return lambda credit: credit.refund_case("r-1").complete(key="done")


def _complete_what_was_given(returns: Returns) -> Act:
    seen_goods(returns, RULE)
    returns.credit.redeem("c-17", eur("20.00"), key="buy")
    return lambda credit: credit.refund_case("r-1").complete(
        key="done", actor="bo", reason="one is missing"
    )


def _complete_without_a_checkout(returns: Returns) -> Act:
    stocked(returns)
    entry = returns.credit.redeem("c-17", eur("12.00"), key="buy").entry_id
    some = returns.credit.redeem("c-17", points(30), key="buy too").entry_id
    returns.inspected(
        back("1", "30.00", restored=(eur("12.00"), points(30))),
        back("2", "5.00"),
        policy=limited(SLOW),
        by_line={"2": "money"},
        redemptions={"1": [entry, some]},
    )
    return lambda credit: credit.refund_case("r-1").complete(key="done")


def _deny_what_was_given(returns: Returns) -> Act:
    returns.requested(policy=limited(RULE)).approve(key="yes", actor="bo")
    returns.credit.redeem("c-17", eur("25.00"), key="buy")
    return lambda credit: credit.refund_case("r-1").deny(key="no", actor="bo", reason="fraud")


def _goods_missing(returns: Returns) -> Act:
    case = returns.requested(policy=limited(RULE))
    case.approve(key="yes", actor="bo")
    case.await_return(key="wait")
    returns.clock.advance(dt.timedelta(days=30))
    return lambda credit: credit.refund_case("r-1").goods_missing(
        key="gone", actor="job", reason="never came"
    )


def _cancel(returns: Returns) -> Act:
    asked = of_checkout(returns, SLOW)
    returns.requested(*returns.lines({"1": 3, "2": 1}), **asked)
    return lambda credit: credit.refund_case("r-1").cancel(key="off")


def _reopen(returns: Returns) -> Act:
    _cancel(returns)(returns.credit)
    return lambda credit: credit.refund_case("r-1").reopen(key="again")


def failed(returns: Returns) -> str:
    seen_goods(returns)
    case = returns.credit.refund_case("r-1")
    case.complete(key="done")
    key = case.refunds_due[0].key
    case.settle_refund(key, "failed")
    return key


def _settle_refund(returns: Returns) -> Act:
    seen_goods(returns)
    case = returns.credit.refund_case("r-1")
    case.complete(key="done")
    key = case.refunds_due[0].key
    return lambda credit: credit.refund_case("r-1").settle_refund(key, "confirmed")


def _redirect(returns: Returns) -> Act:
    key = failed(returns)
    return lambda credit: credit.refund_case("r-1").redirect(key, key="turn", consent=True)


PLAYS: dict[str, Play] = {
    play.__name__.strip("_").replace("_", " "): play
    for play in (
        *(_request, _approve, _approve_at_once, _inspect, _complete, _complete_what_was_given),
        *(_complete_without_a_checkout, _deny_what_was_given, _goods_missing, _cancel, _reopen),
        *(_settle_refund, _redirect),
    )
}


# --- What is left -------------------------------------------------------------------------


def set_up(play: Play) -> tuple[Returns, Act]:
    returns = Returns(MemoryStorage())
    return returns, play(returns)


def seen(returns: Returns) -> Any:
    """What there is, without salts and digests, which a step that is tried again draws anew."""
    rows = []
    for unit in ("EUR", "PTS"):
        view = returns.credit.account("c-17", unit)
        rows.append((view.available, view.held, [entry.key for entry in journal(returns, unit)]))
    checkout = returns.credit.find_checkout("o-1")
    return (
        rows,
        None if checkout is None else checkout.record,
        [case.record for case in returns.credit.refund_cases()],
        [tally for limit in ("c-17",) for tally in tallies(returns, limit)],
    )


def journal(returns: Returns, unit: str) -> list[Any]:
    return list(returns.credit.journal("c-17", unit))


def tallies(returns: Returns, holder: str) -> Any:
    return returns.credit.tallies(limited(SLOW), holder=holder, agent="ann")


def rehearsed(play: Play) -> tuple[list[Fault], Any]:
    """The faults of a play, and what it comes to without one."""
    returns, act = set_up(play)
    faulty = FaultyStorage(returns.shop.storage)
    act(returns.at(faulty))
    return list(every_fault(faulty.steps)), seen(returns)


@pytest.mark.parametrize("name", PLAYS)
def test_p5_a_fault_at_any_storage_step_leaves_all_or_nothing_and_the_repeat_ends_alike(
    name: str,
) -> None:
    faults, whole = rehearsed(PLAYS[name])
    assert len(faults) >= 8, "the step asked next to nothing of the storage"
    for fault in faults:
        case = f"{name}: {fault.mode} step {fault.number}"
        returns, act = set_up(PLAYS[name])
        before = returns.kept()
        with pytest.raises(InjectedFault):
            act(returns.at(FaultyStorage(returns.shop.storage, [fault])))
        left = returns.kept()
        committed = fault.mode is Mode.AFTER_COMMIT
        assert (left == before) is not committed, f"{case}: half done, or not undone"
        assert returns.credit.verify().ok, f"{case}: what is left does not verify"
        act(returns.credit)
        if committed:
            assert returns.kept() == left, f"{case}: the repeat did it a second time"
        assert seen(returns) == whole, f"{case}: the repeat led elsewhere"
        act(returns.at(returns.shop.storage))
        assert seen(returns) == whole, f"{case}: a third time had an effect"
        assert returns.credit.verify().ok, case


def test_a15_a_code_whose_answer_was_lost_is_shown_to_nobody_and_its_value_is_there() -> None:
    def play(returns: Returns) -> Act:
        returns.inspected(holder=None, policy=limited(SLOW))
        return lambda credit: credit.refund_case("r-1").complete(key="done")

    storage = MemoryStorage()
    returns = Returns(storage, codes=True)
    play(returns)(returns.at(FaultyStorage(storage)))
    (whole,) = returns.credit.codes()
    for mode in (Mode.AT_COMMIT, Mode.AFTER_COMMIT):
        storage = MemoryStorage()
        returns = Returns(storage, codes=True)
        act = play(returns)
        with pytest.raises(InjectedFault):
            act(returns.at(FaultyStorage(storage, [Fault(mode, 1)])))
        case = returns.credit.refund_case("r-1")
        case.complete(key="done")
        assert (case.code is None) is (mode is Mode.AFTER_COMMIT)
        (claim,) = returns.credit.codes()
        assert claim.id == whole.id
        assert returns.has(holder=claim.holder) == eur("33.00")
        again = returns.credit.reissue_code(claim.id, key="lost", actor="bo", reason="never seen")
        assert again.worth == eur("33.00")


def busy(step: Step, mode: Mode) -> BaseException:
    return ConcurrentChange(f"an account, {mode} {step}", 1)


@pytest.mark.parametrize("name", PLAYS)
def test_s5_a_conflict_at_any_storage_step_is_tried_again_and_ends_alike(name: str) -> None:
    returns, act = set_up(PLAYS[name])
    faulty = FaultyStorage(returns.shop.storage)
    act(returns.at(faulty))
    whole, writing, steps = seen(returns), False, []
    for step in faulty.steps:
        # A mere reading is not tried again.
        if step.name in {"transaction", "snapshot"}:
            writing = step.name == "transaction"
        if writing:
            steps.append(step)
    for fault in every_fault(steps, error=busy):
        returns, act = set_up(PLAYS[name])
        act(returns.at(FaultyStorage(returns.shop.storage, [fault])))
        assert seen(returns) == whole, f"{name}: {fault.mode} step {fault.number}"
        assert returns.credit.verify().ok
