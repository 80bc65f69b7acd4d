"""Limits are counted in the transaction that gives, so that two never exceed them (P3)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from returns_desk import Returns, a_policy, eur

from storecredit.errors import ApprovalNeeded, LimitReached
from storecredit.policies import Bonus, Limit, LimitOn, Policy, RefundRule, Tally
from storecredit.refunds import TallyBook
from storecredit.service import About, RefundCase
from storecredit.testing.contract.scene import NOON
from storecredit.values import Money, Period

BONUS = RefundRule(id="bonus", offer=("credit", "money"), bonus=Bonus(percent=10), goods="keep")
NOW = RefundRule(id="now", offer=("credit",), instant=True)
WHY: About = {"actor": "bo", "reason": "not as sold"}


def capped(*rules: RefundRule, **terms: Any) -> Policy:
    limit = Limit(**{"id": "cap", "per": "holder", "period": Period(days=7), **terms})
    return a_policy(rules or (BONUS,), limits=(limit,))


def asked(returns: Returns, name: str, policy: Policy, **more: Any) -> RefundCase:
    """Request a refund as it would be decided if nobody else was there."""
    decision = policy.offers(returns.asked(id=name, order=None, **more), agent="ann").choose(
        "credit"
    )
    return returns.credit.request_refund(decision, key="ask")


def done(case: RefundCase) -> RefundCase:
    case.approve(key="yes")
    case.complete(key="done")
    return case


def test_p3_of_two_that_were_decided_at_once_the_second_needs_an_approval(
    returns: Returns,
) -> None:
    policy = capped(amount=eur("50.00"))
    first, second = (asked(returns, name, policy) for name in ("r-1", "r-2"))
    done(first)
    second.approve(key="yes", actor="ann")
    before = returns.kept()
    with pytest.raises(ApprovalNeeded) as refused:
        second.complete(key="done")
    assert refused.value.because == ("cap",)
    assert returns.kept() == before
    second.approve(key="for the limit", actor="bo")
    second.complete(key="done")
    # 30.00 and 3.00 of bonus, twice.
    assert returns.credit.tallies(policy, holder="c-17") == (
        Tally(limit="cap", amount=eur("66.00"), count=2),
    )


@pytest.mark.parametrize("over", ["cut", "refuse"])
def test_p3_a_bonus_that_is_used_up_is_decided_anew(returns: Returns, over: str) -> None:
    policy = capped(on="bonus", amount=eur("4.00"), over=over)
    first, second = (asked(returns, name, policy) for name in ("r-1", "r-2"))
    done(first)
    second.approve(key="yes", actor="bo")
    with pytest.raises(LimitReached) as refused:
        second.complete(key="done")
    assert (refused.value.case, refused.value.limits) == ("r-2", ("cap",))
    second.cancel(key="off")
    again = returns.decided(policy=policy, id="r-3", order=None)
    assert again.offer.bonus == eur("1.00" if over == "cut" else "0.00")
    done(returns.credit.request_refund(again, key="ask"))
    assert returns.has() == eur("64.00" if over == "cut" else "63.00")


def test_p3_an_agents_day_is_over_when_it_is(returns: Returns) -> None:
    policy = capped(per="agent", count=1, period=Period(days=1))
    done(asked(returns, "r-1", policy))
    assert returns.credit.tallies(policy, agent="ann") == (Tally(limit="cap", count=1),)
    assert returns.credit.tallies(policy, holder="c-17") == ()
    other = asked(returns, "r-2", policy, holder="c-18")
    other.approve(key="yes")
    with pytest.raises(ApprovalNeeded):
        other.complete(key="done")
    returns.clock.advance(dt.timedelta(days=1))
    other.complete(key="done")
    assert returns.credit.tallies(policy, agent="ann") == (Tally(limit="cap", count=1),)
    assert returns.credit.tallies(a_policy()) == ()


def test_p3_versions_of_a_policy_count_together_and_other_policies_apart(
    returns: Returns,
) -> None:
    policy = capped(amount=eur("50.00"))
    done(asked(returns, "r-1", policy))
    assert policy.refund is not None
    newer = a_policy(policy.refund.rules, limits=policy.refund.limits, version="2")
    assert returns.credit.tallies(newer, holder="c-17")[0].count == 1
    other = Policy(name="other", version="1", refund=policy.refund)
    assert returns.credit.tallies(other, holder="c-17")[0].count == 0


def test_p3_credit_that_is_given_at_once_counts_at_once_and_until_it_is_taken_back(
    returns: Returns,
) -> None:
    policy = capped(NOW, amount=eur("50.00"))
    first, second = (asked(returns, name, policy) for name in ("r-1", "r-2"))
    first.approve(key="yes")
    with pytest.raises(ApprovalNeeded):
        second.approve(key="yes", actor="ann")
    first.deny(key="no", **WHY)
    assert returns.credit.tallies(policy, holder="c-17")[0].count == 0
    second.approve(key="yes", actor="ann")
    second.receive(key="here")
    second.inspect(key="seen")
    second.complete(key="done")
    (tally,) = returns.credit.tallies(policy, holder="c-17")
    assert (tally.amount, tally.count) == (eur("30.00"), 1)


def test_p3_what_was_spent_before_it_was_taken_back_goes_on_counting(returns: Returns) -> None:
    policy = capped(NOW, on="credit", amount=eur("50.00"))
    case = asked(returns, "r-1", policy)
    case.approve(key="yes")
    returns.credit.redeem("c-17", eur("12.00"), key="buy")
    case.deny(key="no", **WHY)
    assert returns.credit.tallies(policy, holder="c-17")[0].amount == eur("12.00")


def test_a_book_forgets_what_is_over_and_counts_other_currencies_as_times() -> None:
    limit = Limit(id="cap", per="holder", period=Period(days=1), amount=eur("10.00"))
    book = TallyBook().count(limit, "r-1", eur("4.00"), NOON)
    later = NOON + dt.timedelta(hours=12)
    book = book.count(limit, "r-2", Money.of("7.00", "USD"), later)
    assert book.tally(limit, later) == Tally(limit="cap", amount=eur("4.00"), count=2)
    assert book.tally(limit, later, without="r-2").count == 1
    next_day = NOON + dt.timedelta(days=1)
    assert book.tally(limit, next_day) == Tally(limit="cap", amount=eur("0.00"), count=1)
    shorter = book.count(limit, "r-3", eur("1.00"), next_day)
    assert [each.case for each in shorter.entries] == ["r-2", "r-3"]
    # A second count is of the same time; nothing counts as never.
    less = shorter.count(limit, "r-2", Money.of("2.00", "USD"), next_day)
    assert (less.entries[-1].at, less.entries[-1].amount) == (later, Money.of("2.00", "USD"))
    assert [each.case for each in shorter.count(limit, "r-2", eur("0.00"), next_day).entries] == [
        "r-3"
    ]
    assert TallyBook.from_json(book.to_json()) == book
    assert set(LimitOn) == {"refund", "credit", "bonus"}


def test_what_a_case_counts_later_counts_from_then_on() -> None:
    limit = Limit(id="cap", per="holder", period=Period(days=1), amount=eur("10.00"))
    later, next_day = (NOON + dt.timedelta(hours=hours) for hours in (12, 24))
    book = TallyBook().count(limit, "r-1", eur("4.00"), NOON)
    # Given again, after a part of the first could not be taken back.
    book = book.count(limit, "r-1", eur("3.00"), later).count(limit, "r-1", eur("8.00"), later)
    assert [(each.at, each.amount) for each in book.entries] == [
        (NOON, eur("3.00")),
        (later, eur("5.00")),
    ]
    assert book.tally(limit, later) == Tally(limit="cap", amount=eur("8.00"), count=1)
    assert book.tally(limit, next_day) == Tally(limit="cap", amount=eur("5.00"), count=1)
    # What is over stays known beside what is not, whoever counts: 8.00 again is nothing new.
    book = book.count(limit, "r-2", eur("1.00"), next_day)
    assert book.count(limit, "r-1", eur("8.00"), next_day).tally(limit, next_day).amount == eur(
        "6.00"
    )
    assert book.count(limit, "r-1", eur("2.00"), next_day).tally(limit, next_day).amount == eur(
        "1.00"
    )
    over = next_day + dt.timedelta(days=2)
    assert [each.case for each in book.count(limit, "r-3", eur("1.00"), over).entries] == ["r-3"]
