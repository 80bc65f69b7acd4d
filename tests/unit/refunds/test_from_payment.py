"""The lines of a return come from the record of the payment, exact over any number of cases (P6)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from returns_desk import Returns, a_policy, eur, points, sold

from storecredit.errors import (
    InvalidReturn,
    PiecesTaken,
    QuantityExceedsRest,
    ReturnOutdated,
    UnknownOrderLine,
    UnknownPayment,
)
from storecredit.ledger import Funding
from storecredit.policies import Fee, OfferKind, RefundRule, When
from storecredit.refunds import RefundedOrder, Taken, lines_from
from storecredit.refunds.from_payment import refund_plan_of
from storecredit.tenders import (
    Answer,
    Coupon,
    Destination,
    External,
    Order,
    OrderLine,
    PayingRate,
    Price,
    RefundItem,
    RefundRequest,
)
from storecredit.testing.contract.scene import POINTS
from storecredit.values import Balance, ExchangeRate, Money, Rounding

MONEY = a_policy((RefundRule(id="m", offer=("money",)),))


def credited(returns: Returns, amount: str, **more: Any) -> None:
    returns.credit.issue("c-17", eur(amount), **{"funding": "refund", "key": amount, **more})


def test_p6_a_line_says_what_each_tender_paid_of_the_pieces(returns: Returns) -> None:
    credited(returns, "10.00")
    returns.paid(sold("1", "40.00", quantity=4, category="shirts"), sold("2", "10.00"))
    (line,) = returns.lines({"1": 3})
    # 30.00 of the 40.00, of which the credit paid 8.00 of 40.00.
    assert (line.external, line.restored) == (eur("24.00"), Balance.of(eur("6.00")))
    assert (line.pieces, line.category, line.kind) == (3, "shirts", "goods")


def test_p6_cases_of_single_pieces_end_at_exactly_what_was_paid(returns: Returns) -> None:
    returns.paid(sold("1", "20.00", quantity=3))
    amounts = []
    for number in range(3):
        lines = returns.lines({"1": 1})
        amounts.append(str(lines[0].external.decimal))
        decision = returns.decided(*lines, kind="money", id=f"r-{number}")
        returns.credit.request_refund(decision, key="ask")
    assert amounts == ["6.67", "6.67", "6.66"]
    with pytest.raises(QuantityExceedsRest):
        returns.lines({"1": 1})
    # Who gives up frees the very piece.
    returns.credit.refund_case("r-1").cancel(key="off")
    assert returns.lines({"1": 1})[0].external == eur("6.67")


def test_p6_a_fee_that_was_kept_is_not_given_back_with_the_next_piece(returns: Returns) -> None:
    returns.paid(sold("1", "100.00", quantity=2))
    with_fee = a_policy((RefundRule(id="f", offer=("money",), fee=Fee(percent=10)),))
    first = returns.completed(*returns.lines({"1": 1}), kind="money", policy=with_fee)
    assert first.refunds_due[0].amount == eur("45.00")
    (line,) = returns.lines({"1": 1})
    assert line.external == eur("50.00")


def test_p6_refunds_that_no_case_asked_for_count_too(returns: Returns) -> None:
    returns.paid(sold("1", "20.00", quantity=2))
    checkout = returns.credit.checkout("o-1")
    plan = checkout.plan_refund(RefundRequest.of_lines({"1": 1}))
    checkout.refund(plan, key="by hand")
    assert returns.lines({"1": 1})[0].external == eur("10.00")
    with pytest.raises(QuantityExceedsRest, match="1 came back already"):
        returns.lines({"1": 2})
    checkout.settle_refund("by hand", "card", "failed")
    # What failed is free again; the piece is not.
    assert returns.lines({"1": 1})[0].external == eur("20.00")


def test_p6_lines_that_are_not_what_the_record_says_are_refused(returns: Returns) -> None:
    returns.paid(sold("1", "20.00", quantity=2))
    lines = returns.lines({"1": 1})
    higher = attrs.evolve(lines[0], external=eur("11.00"))
    with pytest.raises(ReturnOutdated) as refused:
        returns.requested(higher)
    assert (refused.value.given, refused.value.due) == (
        Balance.of(eur("11.00")),
        Balance.of(eur("10.00")),
    )
    checkout = returns.credit.checkout("o-1")
    request = RefundRequest(items=[RefundItem("1", amounts=eur("4.00"))])
    checkout.refund(checkout.plan_refund(request), key="by hand")
    with pytest.raises(ReturnOutdated, match=r"return_lines\(\)"):
        returns.requested(*lines)
    returns.requested(*returns.lines({"1": 1}))


def test_the_pieces_of_a_line_are_those_of_the_checkout(returns: Returns) -> None:
    returns.paid(sold("1", "20.00", quantity=2))
    returns.requested(*returns.lines({"1": 2}))
    again = returns.decided(attrs.evolve(returns.asked().lines[0], pieces=1), id="r-2")
    with pytest.raises(PiecesTaken) as refused:
        returns.credit.request_refund(again, key="ask")
    assert (refused.value.left, refused.value.cases) == (0, ("r-1",))


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ({"9": 1}, UnknownOrderLine),
        ({"1": 0}, InvalidReturn),
        ({"1": True}, InvalidReturn),
        ({"1": 3}, QuantityExceedsRest),
        ({"card": 1}, InvalidReturn),
        ("1", InvalidReturn),
    ],
)
def test_pieces_that_cannot_come_back(
    returns: Returns, pieces: Any, error: type[Exception]
) -> None:
    returns.paid(sold("1", "20.00", quantity=2), sold("card", "50.00", kind="gift_card"))
    with pytest.raises(error):
        returns.lines(pieces)
    with pytest.raises(UnknownPayment):
        returns.credit.return_lines("o-2", {"1": 1})


# --- Points, coupons, price reductions ----------------------------------------------------


def paid_with(returns: Returns, *tenders: Any, lines: Any, **more: Any) -> None:
    credit = returns.credit
    plan = credit.plan_payment(Order("o-1", lines), tenders, **more)
    checkout = credit.begin_checkout(plan, key="begin")
    for due in checkout.charges:
        checkout.charge(due.tender, key=f"charge {due.tender}")
        checkout.settle_charge(f"charge {due.tender}", "confirmed")
    checkout.complete(key="paid")


def test_points_that_paid_at_a_rate_come_back_as_points(returns: Returns) -> None:
    credit = returns.credit
    credit.issue("c-17", points(1000), funding="earned", key="p")
    rate = ExchangeRate.equating(points(100), eur("1.00"), on=returns.clock().date())
    tender = credit.tender(
        "points", "c-17", "PTS", rate=PayingRate(rate, Rounding.HALF_UP), up_to=points(1000)
    )
    paid_with(returns, tender, External("card"), lines=[sold("1", "40.00", quantity=4)])
    (line,) = returns.lines({"1": 2})
    assert (line.external, line.restored) == (eur("15.00"), Balance.of(points(500)))
    case = returns.completed(line, kind="money", accepted={"1": 1})
    assert case.refunds_due[0].amount == eur("7.50")
    assert returns.has(unit="PTS") == points(250)
    rest = returns.lines({"1": 3})
    returns.credit.request_refund(returns.decided(*rest, kind="money", id="r-2"), key="ask")
    again = returns.credit.refund_case("r-2")
    again.approve(key="yes")
    again.receive(key="here")
    again.inspect(key="seen")
    again.complete(key="done")
    assert returns.has(unit="PTS") == points(1000)
    assert credit.checkout("o-1").payment.returned == Balance.of(eur("40.00"))
    assert credit.verify().ok


def test_a_line_in_points_alone_comes_back_in_points(returns: Returns) -> None:
    returns.credit.issue("c-17", points(500), funding="earned", key="p")
    line = OrderLine("1", Price.of(points(500)), quantity=2)
    paid_with(returns, returns.credit.tender("points", "c-17", "PTS"), lines=[line])
    with pytest.raises(InvalidReturn, match="nothing of the order was paid in a currency"):
        returns.lines({"1": 1})
    (found,) = returns.credit.return_lines("o-1", {"1": 1}, unit="EUR")
    assert (found.external, found.restored) == (eur("0.00"), Balance.of(points(250)))
    returns.completed(found, kind="money")
    assert returns.has(unit="PTS") == points(250)


def test_what_another_currency_paid_is_asked_for_apart(returns: Returns) -> None:
    returns.paid(sold("1", "20.00"))
    with pytest.raises(InvalidReturn, match="paid in USD: ask once for each"):
        returns.credit.return_lines("o-1", {"1": 1}, unit="USD")


def test_a_coupon_and_what_lowered_the_price_come_back_by_themselves(returns: Returns) -> None:
    credited(returns, "4.00", funding="promotional")
    tenders = (
        returns.credit.tender("credit", "c-17", "EUR"),
        Coupon("coupon", eur("6.00")),
        External("card"),
    )
    lines = [sold("1", "30.00", quantity=2)]
    paid_with(returns, *tenders, lines=lines, as_discount=[Funding.PROMOTIONAL])
    (line,) = returns.lines({"1": 1})
    # Of 30.00, credit lowered the price by 4.00, and the coupon paid 6.00.
    assert (line.external, line.restored.is_zero) == (eur("10.00"), True)
    case = returns.completed(line, kind="credit")
    assert returns.lots() == [("promotional", "2.00"), ("refund", "10.00")]
    assert [(each.tender, each.amount) for each in case.refunds_due] == [("coupon", eur("3.00"))]
    # A coupon that cannot be given back becomes promotional credit, never money's (A7).
    case.settle_refund(case.refunds_due[0].key, "failed")
    case.redirect(case.record.refunds[0].key, key="turn", consent=True)
    assert returns.lots()[-1] == ("promotional", "3.00")
    assert returns.credit.verify().ok


def test_an_exchange_takes_the_pieces_and_gives_back_what_credit_paid(returns: Returns) -> None:
    credited(returns, "5.00")
    returns.paid(sold("1", "20.00", quantity=2))
    swap = a_policy((RefundRule(id="x", offer=("exchange",)),))
    case = returns.completed(*returns.lines({"1": 1}), kind="exchange", policy=swap)
    assert (case.refunds_due, returns.has()) == ((), eur("2.50"))
    assert case.record.final.offer.exchange == eur("7.50")
    with pytest.raises(QuantityExceedsRest):
        returns.lines({"1": 2})


def test_what_was_paid_on_the_limit_comes_off_what_is_owed(returns: Returns) -> None:
    returns.credit.set_limit(
        "c-17", "EUR", limit=eur("50.00"), key="limit", actor="bo", reason="b2b"
    )
    returns.paid(sold("1", "30.00", quantity=3))
    (line,) = returns.lines({"1": 1})
    assert line.restored == Balance.of(eur("10.00"))
    returns.completed(line, kind="money")
    assert returns.credit.account("c-17", "EUR").owed == eur("20.00")


# --- The plan -----------------------------------------------------------------------------


def test_t6_a_plan_sends_each_line_the_way_that_was_chosen(returns: Returns) -> None:
    credited(returns, "6.00")
    returns.paid(sold("1", "20.00", quantity=2), sold("2", "10.00"))
    lines = returns.lines({"1": 1, "2": 1})
    case = returns.requested(
        *lines, kind="credit", by_line={"2": OfferKind.MONEY}, policy=a_policy()
    )
    record = case.record
    payment = returns.credit.checkout("o-1").payment
    plan = refund_plan_of(record.final, payment, record.shares, record.fractions)
    assert [(part.line, part.tender, part.to, str(part.amount.decimal)) for part in plan.parts] == [
        ("1", "card", Destination.CREDIT, "8.00"),
        ("1", "credit", Destination.TENDER, "2.00"),
        ("2", "card", Destination.TENDER, "8.00"),
        ("2", "credit", Destination.TENDER, "2.00"),
    ]
    assert [(each.line, each.quantity) for each in plan.quantities] == [("1", 1), ("2", 1)]


def test_a_processor_that_fails_leaves_the_payment_as_the_case_says(returns: Returns) -> None:
    returns.paid(sold("1", "20.00"))
    case = returns.completed(*returns.lines({"1": 1}), kind="money")
    (due,) = case.refunds_due
    checkout = returns.credit.checkout("o-1")
    assert [each.key for each in checkout.refunds_due] == [due.key]
    case.settle_refund(due.key, "failed")
    assert checkout.reload().returned("case/r-1").answer_of("card") is Answer.FAILED  # type: ignore[union-attr]  # it is there
    case.redirect(due.key, key="turn", consent=True)
    assert checkout.reload().payment.returned == Balance.of(eur("20.00"))
    assert returns.has() == eur("20.00")


# --- The record of an order ---------------------------------------------------------------


def test_an_order_that_nobody_counted_has_one_case_for_a_line() -> None:
    order = RefundedOrder(order="o-1").take("r-1", {"1": 1})
    with pytest.raises(PiecesTaken, match=r"bought=\{'1'"):
        order.take("r-2", {"1": 1})
    both = order.take("r-2", {"1": 2}, bought={"1": 3})
    assert [(each.case, each.pieces) for each in both.taken] == [("r-1", 1), ("r-2", 2)]
    with pytest.raises(PiecesTaken) as refused:
        both.take("r-3", {"1": 1})
    assert (refused.value.left, refused.value.cases) == (0, ("r-1", "r-2"))
    assert both.free("r-2").take("r-3", {"1": 2}).of_others("r-3") == order.taken
    assert RefundedOrder.from_json(both.to_json()) == both


def test_what_is_not_accepted_is_free_again(returns: Returns) -> None:
    case = returns.completed(
        *(attrs.evolve(returns.asked().lines[0], pieces=3),), bought={"1": 3}, accepted={"1": 1}
    )
    assert returns.has() == eur("10.00")
    assert case.record.accepted_pieces == {"1": 1}
    again = returns.decided(attrs.evolve(returns.asked().lines[0], pieces=2), id="r-2")
    returns.credit.request_refund(again, key="ask")
    more = returns.decided(attrs.evolve(returns.asked().lines[0], pieces=1), id="r-3")
    with pytest.raises(PiecesTaken):
        returns.credit.request_refund(more, key="ask")


def test_lines_are_computed_beside_what_is_taken(returns: Returns) -> None:
    returns.paid(sold("1", "9.00", quantity=3))
    payment = returns.credit.checkout("o-1").payment
    unknown = Taken(case="r-0", line="1", pieces=1)
    (line,) = lines_from(payment, {"1": 2}, taken=[unknown])
    # Without its shares, nobody knows what the other case has taken of the amounts.
    assert line.external == Money.of("9.00", "EUR")
    assert POINTS.code == "PTS"


def test_lines_that_are_not_refunded_take_nothing(returns: Returns) -> None:
    returns.paid(sold("1", "20.00", quantity=2), sold("2", "0.01", quantity=2))
    credited(returns, "5.00")
    goods = RefundRule(id="g", when=When(categories=("clothes",)), offer=("credit",))
    lines = returns.lines({"1": 1, "2": 2})
    clothes = attrs.evolve(lines[1], category="clothes")
    policy = a_policy((goods, RefundRule(id="none", offer=())))
    case = returns.completed(lines[0], clothes, policy=policy, accepted={"2": 0 + 1})
    assert [each.line for each in case.record.final.offer.lines] == ["2"]
    assert case.record.final.offer.credit == eur("0.01")
    assert returns.lines({"1": 2})[0].external == eur("20.00")
    assert returns.lines({"2": 1})[0].external == eur("0.00")


def test_a_line_of_which_nothing_is_accepted_returns_nothing(returns: Returns) -> None:
    credited(returns, "3.00")
    returns.paid(sold("1", "20.00"), sold("2", "10.00"))
    case = returns.completed(*returns.lines({"1": 1, "2": 1}), accepted={"1": 1, "2": 0})
    assert returns.has() == eur("20.00")
    returned = returns.credit.checkout("o-1").payment.returns[0]
    assert {part.line for part in returned.parts} == {"1"}
    assert [(each.line, each.quantity) for each in returned.quantities] == [("1", 1)]
    assert case.record.fractions["2"].parts == 0
    assert returns.lines({"2": 1})[0].external == eur("9.00")


def test_a_cent_goes_to_one_of_the_lots(returns: Returns) -> None:
    credited(returns, "1.00")
    returns.credit.issue("c-17", eur("1.00"), funding="refund", key="another")
    returns.paid(sold("1", "2.00", quantity=200))
    case = returns.completed(*returns.lines({"1": 2}), kind="money", accepted={"1": 1})
    assert [share.amount for share in case.record.shares] == [eur("0.01"), eur("0.01")]
    assert returns.lots() == [("refund", "0.00"), ("refund", "0.01")]


def test_a_case_is_reopened_as_long_as_what_was_paid_for_it_is_left(returns: Returns) -> None:
    returns.paid(sold("1", "0.01", quantity=8), sold("2", "30.00", quantity=3))
    case = returns.requested(*returns.lines({"1": 1, "2": 1}), kind="money")
    case.cancel(key="off")
    other = returns.decided(*returns.lines({"1": 7}), kind="money", id="r-2")
    returns.credit.request_refund(other, key="ask")
    case.reopen(key="again")
    case.cancel(key="off again")
    checkout = returns.credit.checkout("o-1")
    request = RefundRequest(items=[RefundItem("2", amounts=eur("21.00"))])
    checkout.refund(checkout.plan_refund(request), key="by hand")
    with pytest.raises(ReturnOutdated) as refused:
        case.reopen(key="again too")
    assert (refused.value.line, refused.value.due) == ("2", Balance.of(eur("9.00")))
