"""What an open refund case has taken, no plain refund of the checkout gives back (P5)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from returns_desk import Returns, a_policy, eur, points, sold

from storecredit.errors import QuantityExceedsRest, RefundExceedsPaid, ReservedByCase
from storecredit.policies import Fee, RefundRule
from storecredit.tenders import (
    External,
    Order,
    PayingRate,
    PaymentRecord,
    RefundItem,
    RefundRequest,
)
from storecredit.testing.contract.scene import POINTS
from storecredit.values import ExchangeRate, Rounding


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
    assert (refused.value.order, refused.value.cases) == ("o-1", ("r-1",))
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


def test_a_refund_is_planned_of_what_no_case_has_taken(returns: Returns) -> None:
    returns.credit.issue("c-17", eur("5.00"), funding="refund", key="one")
    returns.credit.issue("c-17", eur("7.00"), funding="refund", key="two")
    returns.paid(sold("1", "20.01", quantity=2))
    case = returns.requested(*returns.lines({"1": 1}))
    # Credit first: of the twelve that paid, six are the case's, and half of each lot.
    refund(returns, {"1": 1})
    for step in ("approve", "receive", "inspect", "complete"):
        getattr(case, step)(key=step, actor="bo")
    payment = returns.credit.checkout("o-1").payment
    assert payment.returned["EUR"] == payment.paid["EUR"] == eur("20.01")
    # What the card had paid of the case's piece became credit.
    assert returns.credit.verify().ok


def test_points_that_paid_for_two_lines_are_left_to_the_case_of_one(returns: Returns) -> None:
    for number, count in enumerate((10, 20)):
        returns.credit.issue("c-17", points(count), funding="earned", key=f"pts {number}")
    rate = PayingRate(ExchangeRate(POINTS, "EUR", "0.10", on=date(2026, 1, 1)), Rounding.HALF_UP)
    returns.credit.issue("c-17", eur("1.00"), funding="refund", key="euros")
    order = Order("o-1", [sold("1", "2.00"), sold("2", "1.00")])
    tenders = [returns.credit.tender("points", "c-17", POINTS, rate=rate), External("card")]
    checkout = returns.credit.begin_checkout(
        returns.credit.plan_payment(order, tenders), key="begin"
    )
    checkout.complete(key="paid")
    case = returns.requested(*returns.credit.return_lines("o-1", {"2": 1}, unit="EUR"))
    refund(returns, {"1": 1})
    for step in ("approve", "receive", "inspect", "complete"):
        getattr(case, step)(key=step, actor="bo")
    assert returns.has(unit="PTS") == points(30)


def test_a_plan_from_before_the_case_is_refused(returns: Returns) -> None:
    returns.paid(sold("1", "20.00", quantity=2))
    checkout = returns.credit.checkout("o-1")
    plan = checkout.plan_refund(RefundRequest.of_lines({"1": 2}))
    returns.requested(*returns.lines({"1": 1}), kind="money")
    before = returns.kept()
    with pytest.raises(ReservedByCase, match="'r-1'"):
        checkout.refund(plan, key="by hand")
    assert returns.kept() == before
    # What is too much anyway is told as ever.
    with pytest.raises(QuantityExceedsRest):
        checkout.plan_refund(RefundRequest.of_lines({"1": 3}))


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
