"""What limits have counted follows a holder into another, and to a new name (P3, A17, A18)."""

from __future__ import annotations

import datetime as dt

import pytest
from returns_desk import Returns, a_policy, back, eur

from storecredit.errors import ApprovalNeeded
from storecredit.policies import Limit, Policy, RefundRule
from storecredit.policies.granted import Gave, GrantTally
from storecredit.refunds import Tallied, TallyBook
from storecredit.service import About
from storecredit.testing.contract.scene import NOON
from storecredit.values import Period

WHY: About = {"actor": "bo", "reason": "one person"}
BY = a_policy(limits=(Limit(id="day", per="holder", amount=eur("40.00")),))


def refunded(returns: Returns, holder: str, amount: str, *, policy: Policy = BY) -> None:
    name = f"r-{holder}-{amount}"
    line = back(f"of {name}", amount)
    returns.completed(line, id=name, holder=holder, order=None, policy=policy)


def counted(returns: Returns, holder: str, *, policy: Policy = BY) -> tuple[str, int]:
    (tally,) = returns.credit.tallies(policy, holder=holder)
    assert tally.amount is not None
    return str(tally.amount.decimal), tally.count


def merged(returns: Returns, holder: str, into: str) -> None:
    returns.credit.merge(holder, into, key=f"{holder} is {into}", **WHY)


def test_a17_what_both_had_counts_for_the_one_who_is_left(returns: Returns) -> None:
    refunded(returns, "c-17", "30.00")
    refunded(returns, "c-18", "5.00")
    merged(returns, "c-17", "c-18")
    assert counted(returns, "c-18") == counted(returns, "c-17") == ("35.00", 2)


def test_a17_a_limit_is_not_begun_anew_by_a_merger(returns: Returns) -> None:
    refunded(returns, "c-17", "30.00")
    merged(returns, "c-17", "c-18")
    for number, holder in enumerate(("c-17", "c-18")):
        line = back(f"more {number}", "20.00")
        decision = returns.decided(line, id=f"more-{number}", holder=holder, order=None, policy=BY)
        assert decision.offer.approval == ("day",)
        case = returns.credit.request_refund(decision, key="ask")
        with pytest.raises(ApprovalNeeded):
            case.approve(key="yes", actor="ann")


def test_a17_a_case_that_was_decided_before_the_merger_counts_with_what_the_other_had(
    returns: Returns,
) -> None:
    refunded(returns, "c-18", "30.00")
    case = returns.requested(back("1", "20.00"), order=None, policy=BY)
    case.approve(key="yes", actor="ann")
    case.receive(key="here")
    case.inspect(key="seen")
    returns.credit.issue("c-17", eur("1.00"), funding="refund", key="start")
    merged(returns, "c-17", "c-18")
    with pytest.raises(ApprovalNeeded):
        case.complete(key="done")
    case.approve(key="for the limit", actor="cem")
    case.complete(key="done")
    assert counted(returns, "c-18") == ("50.00", 2)
    assert returns.has(holder="c-18") == eur("51.00")


def test_a17_it_follows_one_merger_after_the_other_and_a_new_name(returns: Returns) -> None:
    for number, amount in enumerate(("3.00", "4.00", "5.00"), 16):
        refunded(returns, f"c-{number}", amount)
    merged(returns, "c-16", "c-17")
    merged(returns, "c-17", "c-18")
    returns.credit.pseudonymise("c-18", "p-1")
    every = [counted(returns, name) for name in ("c-16", "c-17", "p-1")]
    assert every == [("12.00", 3)] * 3
    # The old name means somebody new from now on.
    assert counted(returns, "c-18") == ("0.00", 0)
    refunded(returns, "c-18", "7.00")
    assert (counted(returns, "c-18"), counted(returns, "p-1")) == (("7.00", 1), ("12.00", 3))


def test_a17_of_credit_that_was_given_at_once_what_is_kept_counts_after_the_merger(
    returns: Returns,
) -> None:
    now = RefundRule(id="now", offer=("credit",), instant=True)
    by = a_policy((now,), limits=BY.refund.limits if BY.refund else ())
    case = returns.requested(back("1", "30.00"), order=None, policy=by)
    case.approve(key="yes", actor="bo", reason="as the rules say")
    refunded(returns, "c-18", "5.00", policy=by)
    returns.credit.redeem("c-17", eur("12.00"), key="buy")
    merged(returns, "c-17", "c-18")
    assert counted(returns, "c-18", policy=by) == ("35.00", 2)
    case.deny(key="no", **WHY)
    assert counted(returns, "c-18", policy=by) == ("17.00", 2)


def test_an_agent_of_a_holders_name_keeps_what_he_did(returns: Returns) -> None:
    policy = a_policy(limits=(Limit(id="mine", per="agent", amount=eur("90.00")),))
    returns.completed(back("1", "30.00"), holder="ann", order=None, policy=policy)
    merged(returns, "ann", "c-18")
    returns.credit.pseudonymise("c-18", "p-2")
    mine, none = (returns.credit.tallies(policy, agent=name)[0] for name in ("ann", "p-2"))
    assert (mine.count, none.count) == (1, 0)


def test_more_tallies_than_a_page_holds_follow(returns: Returns) -> None:
    limits = [
        Limit(id=f"cap-{days}", per="holder", count=days, period=Period(days=days))
        for days in range(1, 202)
    ]
    policy = a_policy(limits=tuple(limits))
    refunded(returns, "c-17", "1.00", policy=policy)
    merged(returns, "c-17", "c-18")
    found = returns.credit.tallies(policy, holder="c-18")
    assert [tally.count for tally in found] == [1] * 201


def test_both_tallies_are_one_in_the_order_of_time() -> None:
    first, second = (NOON + dt.timedelta(days=days) for days in (1, 2))
    books = [
        TallyBook(entries=(Tallied(case=name, at=at, amount=eur("1.00")),))
        for name, at in (("r-2", second), ("r-1", first))
    ]
    assert [each.case for each in books[0].with_all(books[1]).entries] == ["r-1", "r-2"]
    gifts = [GrantTally(gifts=(Gave(at, eur("1.00")),)) for at in (second, first)]
    assert [each.at for each in gifts[0].with_all(gifts[1]).gifts] == [first, second]
