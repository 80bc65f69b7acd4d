"""Credit that is given before the goods are back counts once, in the period in which it was given (P3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from returns_desk import Returns, a_policy, back, eur

from storecredit.errors import ApprovalNeeded, NotOffered
from storecredit.policies import Limit, Policy, RefundRule
from storecredit.service import RefundCase

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
