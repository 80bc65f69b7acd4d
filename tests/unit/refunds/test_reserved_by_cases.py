"""What an open refund case has taken, no plain refund of the checkout gives back (P5)."""

from __future__ import annotations

from typing import Any

import pytest
from returns_desk import Returns, a_policy, eur, sold

from storecredit.errors import QuantityExceedsRest, RefundExceedsPaid, ReservedByCase
from storecredit.policies import Fee, RefundRule
from storecredit.tenders import PaymentRecord, RefundItem, RefundRequest


def refund(returns: Returns, asked: Any, *, key: str = "by hand") -> PaymentRecord:
    checkout = returns.credit.checkout("o-1")
    request = asked if isinstance(asked, RefundRequest) else RefundRequest.of_lines(asked)
    return checkout.refund(checkout.plan_refund(request), key=key)


def part(line: str, amount: str) -> RefundRequest:
    return RefundRequest(items=[RefundItem(line, amounts=eur(amount))])


@pytest.fixture
def of_two(returns: Returns) -> Returns:
    """Two lines of two pieces each; a case has taken one piece of the first."""
    returns.paid(sold("1", "20.00", quantity=2), sold("2", "6.00", quantity=2))
    returns.requested(*returns.lines({"1": 1}), kind="money")
    return returns


def test_the_pieces_of_an_open_case_are_not_refunded_otherwise(of_two: Returns) -> None:
    before = of_two.kept()
    with pytest.raises(ReservedByCase) as refused:
        refund(of_two, {"2": 1, "1": 2})
    assert (refused.value.order, refused.value.line, refused.value.cases) == ("o-1", "1", ("r-1",))
    assert of_two.kept() == before
    refund(of_two, {"2": 2, "1": 1})
    case = of_two.credit.refund_case("r-1")
    for step in ("approve", "receive", "inspect", "complete"):
        getattr(case, step)(key=step, actor="bo")
    assert of_two.credit.checkout("o-1").payment.returned["EUR"] == eur("26.00")


def test_nor_what_was_paid_for_them(of_two: Returns) -> None:
    with pytest.raises(ReservedByCase):
        refund(of_two, part("1", "10.01"))
    refund(of_two, part("1", "10.00"))
    with pytest.raises(ReservedByCase, match="'r-1'"):
        refund(of_two, part("1", "0.01"), key="more")


def test_credit_that_paid_for_them_stays_reserved_too(returns: Returns) -> None:
    returns.credit.issue("c-17", eur("12.00"), funding="refund", key="stock")
    returns.paid(sold("1", "20.00", quantity=2))
    returns.requested(*returns.lines({"1": 1}))
    # Credit first: all twelve of it would go, and six are the case's.
    with pytest.raises(ReservedByCase):
        refund(returns, part("1", "10.00"))
    refund(returns, part("1", "6.00"))


@pytest.mark.parametrize("step", ["cancel", "deny"])
def test_what_a_case_gives_up_is_free(of_two: Returns, step: str) -> None:
    getattr(of_two.credit.refund_case("r-1"), step)(key="off", actor="bo", reason="not ours")
    refund(of_two, {"1": 2})


def test_a_completed_case_keeps_no_more_than_it_has_returned(returns: Returns) -> None:
    returns.paid(sold("1", "20.00", quantity=2))
    with_fee = a_policy((RefundRule(id="f", offer=("money",), fee=Fee(percent=10)),))
    returns.completed(*returns.lines({"1": 1}), kind="money", policy=with_fee)
    # The fee of 1.00 may be given back after all, and the other piece; and nothing beyond that.
    refund(returns, part("1", "1.00"), key="fee")
    refund(returns, {"1": 1})
    with pytest.raises((QuantityExceedsRest, RefundExceedsPaid)):
        refund(returns, {"1": 1}, key="more")


def test_a_refund_that_came_first_is_repeated_whatever_cases_take_since(returns: Returns) -> None:
    returns.paid(sold("1", "20.00", quantity=2))
    checkout = returns.credit.checkout("o-1")
    plan = checkout.plan_refund(RefundRequest.of_lines({"1": 1}))
    checkout.refund(plan, key="by hand")
    returns.requested(*returns.lines({"1": 1}), kind="money")
    before = returns.kept()
    checkout.refund(plan, key="by hand")
    assert returns.kept() == before


def test_every_case_that_has_taken_of_the_line_is_named(of_two: Returns) -> None:
    of_two.requested(*of_two.lines({"1": 1}), kind="money", id="r-2")
    with pytest.raises(ReservedByCase, match="'r-1', 'r-2'") as refused:
        refund(of_two, {"1": 1})
    assert refused.value.cases == ("r-1", "r-2")
    # Other lines are not their business.
    refund(of_two, {"2": 2})
