"""Credit that is given before the goods are back counts once, in the period in which it was given (P3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from returns_desk import Returns, a_policy, back, eur

from storecredit.errors import ApprovalNeeded, NotOffered
from storecredit.policies import Limit, Policy, RefundRule
from storecredit.service import About, RefundCase
from storecredit.values import Period

NOW = RefundRule(id="now", offer=("credit",), instant=True)
LIMITS = {
    "approve": Limit(id="day", per="agent", amount=eur("40.00")),
    "refuse": Limit(id="day", per="agent", on="credit", amount=eur("40.00"), over="refuse"),
}


def given(returns: Returns, name: str, by: Policy, amount: str = "30.00") -> RefundCase:
    """Let ann decide and answer for a case: nobody else has approved it."""
    decision = returns.decided(back("1", amount), id=name, order=None, policy=by)
    case: RefundCase = returns.credit.request_refund(decision, key="ask")
    case.approve(key="yes", actor="ann")
    return case


def arrived(case: RefundCase, accepted: int = 1) -> RefundCase:
    case.receive(key="here")
    case.inspect(key="seen", accepted={"1": accepted})
    return case


@pytest.mark.parametrize("over", sorted(LIMITS))
def test_p3_what_was_given_days_ago_is_completed_though_others_have_used_up_today(
    returns: Returns, over: str
) -> None:
    by = a_policy((NOW,), limits=(LIMITS[over],))
    first = given(returns, "r-1", by)
    returns.clock.advance(timedelta(days=3))
    given(returns, "r-2", by)
    before = returns.credit.tallies(by, agent="ann")
    assert arrived(first).complete(key="done").state == "completed"
    # It counts neither again nor today.
    assert returns.credit.tallies(by, agent="ann") == before
    assert before[0].amount == eur("30.00")
    assert returns.has() == eur("60.00")
    with pytest.raises((ApprovalNeeded, NotOffered)):
        given(returns, "r-3", by, "10.01")


def test_p3_what_is_taken_back_days_later_does_not_count_today(returns: Returns) -> None:
    by = a_policy((NOW,), limits=(LIMITS["approve"],))
    first = given(returns, "r-1", by)
    returns.credit.redeem("c-17", eur("10.00"), key="buy")
    returns.clock.advance(timedelta(days=3))
    given(returns, "r-2", by, "40.00")
    first.deny(key="no", actor="bo", reason="no goods")
    (tally,) = returns.credit.tallies(by, agent="ann")
    assert (tally.amount, tally.count) == (eur("40.00"), 1)


def test_p3_a_part_that_is_not_accepted_is_free_for_others_on_the_same_day(
    returns: Returns,
) -> None:
    by = a_policy((NOW,), limits=(LIMITS["approve"],))
    told: dict[str, Any] = {"id": "r-1", "order": None, "policy": by}
    decision = returns.decided(back("1", "30.00", pieces=3), **told)
    case = returns.credit.request_refund(decision, key="ask")
    case.approve(key="yes", actor="ann")
    arrived(case).complete(key="done", actor="bo", reason="one of three")
    (tally,) = returns.credit.tallies(by, agent="ann")
    assert (tally.amount, tally.count) == (eur("10.00"), 1)
    assert given(returns, "r-2", by).state == "approved"


@pytest.mark.parametrize("others", [False, True])
def test_p3_what_a_reopened_case_kept_is_not_counted_again_once_it_is_over(
    returns: Returns, others: bool
) -> None:
    now = RefundRule(id="now", offer=("credit",), instant=True)
    limit = Limit(id="cap", per="holder", period=Period(days=7), amount=eur("50.00"))
    by = a_policy((now,), limits=(limit,))
    about: About = {"actor": "bo", "reason": "as the rules say"}

    def at_once(name: str, amount: str) -> RefundCase:
        case = returns.requested(back(name, amount), id=name, order=None, policy=by)
        case.approve(key="yes", **about)
        return case

    def counted() -> str:
        (tally,) = returns.credit.tallies(by, holder="c-17")
        assert tally.amount is not None
        return str(tally.amount.decimal)

    case = at_once("r-1", "30.00")
    returns.credit.redeem("c-17", eur("25.00"), key="buy")
    case.deny(key="no", **about)
    assert counted() == "25.00"
    returns.clock.advance(timedelta(days=8))
    more = 0
    if others:
        # Whoever counts meanwhile forgets what is over.
        at_once("r-2", "1.00")
        more = 1
    case.reopen(key="again", **about)
    case.approve(key="yes again", **about)
    # Five of the thirty are given now; the others are kept since then.
    assert counted() == f"{5 + more}.00"
    case.receive(key="here")
    case.inspect(key="seen")
    case.complete(key="done", **about)
    assert counted() == f"{5 + more}.00"
