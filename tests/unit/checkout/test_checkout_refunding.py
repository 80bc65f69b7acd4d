"""Refunds: credit goes back to its lots, the rest is told to the host, all at once or not (T6, A7)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import moneyed
import pytest

from storecredit.errors import (
    AccountFrozen,
    ForeignPlan,
    GiftCardChanged,
    InvalidTender,
    InvalidTerms,
    InvalidText,
    LotClosed,
    LotNotCashable,
    PaymentStepRefused,
    PaymentStepRepeated,
    QuantityExceedsRest,
    ReasonAndActorRequired,
    RefundExceedsPaid,
    RefundNeedsHolder,
    UnitMismatch,
    UnknownLot,
    UnknownPaymentStep,
    UnknownTender,
)
from storecredit.ledger import Funding
from storecredit.service import Checkout
from storecredit.tenders import (
    Answer,
    Credit,
    Earned,
    External,
    ExternalRefund,
    LineAmount,
    OrderLine,
    PayingRate,
    PaymentState,
    Price,
    RefundItem,
    RefundPlan,
    RefundRequest,
    TenderKind,
)
from storecredit.values import Balance, CustomUnit, ExchangeRate, Money, Period, Rounding

CARD = External("card")
PTS = CustomUnit("PTS", 0)
ANN = {"actor": "ann", "reason": "changed their mind"}


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def at_rate(points: int, money: str) -> PayingRate:
    found = ExchangeRate.equating(pts(points), usd(money), on=dt.date(2026, 1, 1))
    return PayingRate(found, Rounding.HALF_UP)


def due(checkout: Checkout) -> list[tuple[str, str]]:
    return [(each.tender, str(each.amount)) for each in checkout.refunds_due]


def restored(counter: Any, unit: Any = "USD") -> list[tuple[str | None, int]]:
    """What the last entry gave back, lot by lot."""
    *_, entry = counter.credit.journal("c-17", unit)
    assert entry.kind == "restore"
    return [(move.lot, move.amount) for move in entry.moves]


# --- Credit goes back to its lots ---------------------------------------------------------


def test_a7_each_lot_gets_back_what_it_paid_of_the_line(counter) -> None:
    first = counter.shop.issue("4.00").lot_id
    second = counter.shop.issue("9.00").lot_id
    checkout = counter.paid("3.00", "6.00", tenders=[counter.tender()])
    by_line = [dict(checkout.record.plan.draws("credit", lines=[line])) for line in "12"]
    assert Balance.of(*by_line[0].values()) == Balance.of(usd("3.00"))
    counter.refund(checkout, ["2"], key="r2")
    assert dict(restored(counter)) == {lot: amount.minor for lot, amount in by_line[1].items()}
    counter.refund(checkout, ["1"], key="r1")
    assert dict(restored(counter)) == {lot: amount.minor for lot, amount in by_line[0].items()}
    left = {lot.id: lot.remaining for lot in counter.credit.account("c-17", "USD").lots}
    assert left == {first: usd("4.00"), second: usd("9.00")}
    assert checkout.payment.returned == checkout.payment.paid


def test_t6_pieces_come_back_exactly_in_any_number_of_steps(counter) -> None:
    counter.shop.issue("5.00")
    counter.points(500)
    tenders = [counter.tender("points", PTS), counter.tender(), CARD]
    shirts = OrderLine("shirt", Price.of(usd("20.00"), pts(500)), quantity=3)
    checkout = counter.paid(shirts, tenders=tenders)
    for step in range(3):
        counter.refund(checkout, {"shirt": 1}, key=f"r{step}")
        for each in checkout.refunds_due:
            checkout.settle_refund(each.refund, each.tender, "confirmed")
    assert (counter.left(), counter.left("PTS")) == (("5.00", "0.00"), ("500", "0"))
    assert checkout.payment.returned == Balance.of(usd("20.00"), pts(500))
    assert due(checkout) == []
    plan = checkout.plan_refund(RefundRequest.of_lines(["shirt"]))
    assert plan.parts == ()


def test_t1_points_at_a_rate_come_back_over_several_captures(counter) -> None:
    first = counter.points(333).lot_id
    second = counter.points(400).lot_id
    rate = at_rate(100, "1.00")
    points = counter.tender("points", PTS, rate=rate)
    checkout = counter.begin("2.35", "2.35", "2.30", tenders=[points, CARD])
    assert checkout.charges == ()
    for line in "312":
        checkout.capture([line], key=f"ship-{line}")
    assert counter.left("PTS") == ("33", "0")
    for step, amount in enumerate(("1.11", "2.22", "3.33")):
        counter.refund(checkout, RefundRequest.of_amount(usd(amount)), key=f"r{step}")
    counter.refund(checkout, RefundRequest.of_everything(checkout.payment), key="rest")
    left = {lot.id: lot.remaining for lot in counter.credit.account("c-17", PTS).lots}
    assert left == {first: pts(333), second: pts(400)}
    assert checkout.payment.returned == Balance.of(usd("7.00"))


@pytest.mark.parametrize(
    ("rule", "left", "lots"),
    [
        ("grace", "6.00", [("goodwill", "4.00"), ("refund", "2.00")]),
        ("reissue", "6.00", [("goodwill", "4.00"), ("refund", "2.00")]),
        ("expire", "2.00", [("refund", "2.00")]),
        (None, "6.00", [("goodwill", "4.00"), ("refund", "2.00")]),
    ],
)
def test_a7_an_expired_lots_part_goes_by_the_rule(counter, rule, left, lots) -> None:
    counter.shop.issue("4.00", funding="goodwill", expires=Period(days=2))
    counter.shop.issue("2.00")
    checkout = counter.paid("6.00")
    counter.clock.forward(days=3)
    counter.refund(checkout, ["1"], key="r", expired=rule)
    assert (counter.left(), counter.shop.lots()) == ((left, "0.00"), lots)


def test_a9_what_was_spent_on_the_limit_comes_off_what_is_owed(counter) -> None:
    counter.credit.set_limit("c-17", "USD", usd("10.00"), key="limit")
    counter.shop.issue("3.00")
    checkout = counter.paid("6.00", "3.00", tenders=[counter.tender()])
    assert counter.credit.account("c-17", "USD").owed == usd("6.00")
    counter.refund(checkout, RefundRequest.of_amount(usd("4.00")), key="r1")
    counter.refund(checkout, RefundRequest.of_everything(checkout.payment), key="r2")
    account = counter.credit.account("c-17", "USD")
    assert (account.owed, account.available) == (usd("0.00"), usd("3.00"))


def test_a_code_gets_back_what_it_paid(counter) -> None:
    counter.shop.issue("5.00", holder="code-1")
    code = Credit("code", counter.tender(holder="code-1").account, kind=TenderKind.CODE)
    checkout = counter.paid("8.00", tenders=[code, CARD])
    counter.refund(checkout, RefundRequest.of_amount(usd("6.00")), key="r")
    assert counter.left(holder="code-1") == ("5.00", "0.00")
    assert due(checkout) == [("card", "USD 1.00")]


def test_a17_credit_of_a_merged_holder_goes_to_the_survivor(counter) -> None:
    counter.shop.issue("5.00", holder="guest")
    checkout = counter.paid("5.00", tenders=[counter.tender(holder="guest")])
    counter.credit.merge("guest", into="c-17", key="m", **ANN)
    counter.refund(checkout, ["1"], key="r")
    assert counter.left() == ("5.00", "0.00")


def test_t4_what_lowered_the_price_comes_back_in_proportion(counter) -> None:
    counter.shop.issue("4.00", funding="promotional")
    plan = counter.plan("8.00", "8.00", as_discount=["promotional"])
    assert [part.covers for part in plan.reductions] == [usd("2.00"), usd("2.00")]
    checkout = counter.credit.begin_checkout(plan, key="b")
    counter.charge(checkout)
    checkout.complete(key="done")
    counter.refund(checkout, ["1"], key="r1")
    assert counter.left() == ("2.00", "0.00")
    assert due(checkout) == [("card", "USD 6.00")]
    counter.refund(checkout, ["2"], key="r2")
    assert counter.shop.lots() == [("promotional", "4.00")]


# --- What the host has to give back -------------------------------------------------------


def test_t6_an_external_part_is_reserved_until_it_is_settled(counter) -> None:
    checkout = counter.paid("10.00", tenders=[CARD])
    counter.refund(checkout, RefundRequest.of_amount(usd("7.00")), key="r1")
    assert checkout.refunds_due == (ExternalRefund("card", usd("7.00"), "r1/card/USD", "r1"),)
    with counter.refuses(RefundExceedsPaid):
        checkout.plan_refund(RefundRequest.of_amount(usd("3.01")))
    checkout.settle_refund("r1", "card", "failed")
    assert checkout.refunds_due == ()
    # What failed is free again: to credit this time, of whoever is named.
    failed = RefundRequest.of_failed(checkout.record.returned("r1"))
    counter.refund(checkout, failed, key="r2", closed=["card"], holder="c-17")
    assert (counter.left(), due(checkout)) == (("7.00", "0.00"), [])
    assert counter.shop.lots() == [("refund", "7.00")]
    counter.refund(checkout, RefundRequest.of_amount(usd("3.00")), key="r3")
    checkout.settle_refund("r3", "card", Answer.CONFIRMED)
    assert checkout.payment.returned == Balance.of(usd("10.00"))


def test_answers_about_a_refund_may_come_twice_and_not_change(counter) -> None:
    checkout = counter.paid("10.00", tenders=[CARD])
    counter.refund(checkout, ["1"], key="r1")
    checkout.settle_refund("r1", "card", "pending")
    assert due(checkout) == [("card", "USD 10.00")]
    checkout.settle_refund("r1", "card", "confirmed")
    before = counter.records()
    checkout.settle_refund("r1", "card", "confirmed")
    assert counter.records() == before
    with counter.refuses(PaymentStepRepeated):
        checkout.settle_refund("r1", "card", "failed")
    with counter.refuses(UnknownTender):
        checkout.settle_refund("r1", "bank", "confirmed")
    for key in ("r2", "r1/card/USD"):
        with counter.refuses(UnknownPaymentStep) as refused:
            checkout.settle_refund(key, "card", "confirmed")
        error = refused.error
        assert (error.step, error.key, error.known) == ("refund", key, ("r1",))
    with counter.refuses(InvalidTerms):
        checkout.settle_refund("r1", "card", "perhaps")


def test_t6_a_tender_that_is_closed_is_redirected_to_new_credit(counter) -> None:
    counter.shop.issue("4.00", funding="goodwill")
    checkout = counter.paid("10.00")
    expires = Period(years=1)
    counter.refund(checkout, ["1"], key="r", closed=["card"], expires=expires)
    assert due(checkout) == []
    assert sorted(counter.shop.lots()) == [("goodwill", "4.00"), ("refund", "6.00")]
    ends = {
        lot.terms.funding: lot.terms.expires_at
        for lot in counter.credit.account("c-17", "USD").lots
    }
    assert ends == {
        Funding.GOODWILL: None,
        Funding.REFUND: expires.after(counter.clock.now),
    }


def test_t6_credit_that_takes_nothing_back_becomes_new_credit(counter) -> None:
    counter.shop.issue("4.00", funding="promotional")
    checkout = counter.paid("10.00")
    version = counter.credit.account("c-17", "USD").version
    counter.refund(checkout, ["1"], key="r", closed=["credit"])
    assert counter.shop.lots() == [("promotional", "4.00")]
    entries = list(counter.credit.journal("c-17", "USD"))[version:]
    assert [entry.kind.value for entry in entries] == ["issue"]
    assert due(checkout) == [("card", "USD 6.00")]


def test_t6_points_that_are_forfeited_are_not_given_back(counter) -> None:
    counter.points(500)
    tenders = [counter.tender("points", PTS), CARD]
    checkout = counter.paid(("20.00", 500), tenders=tenders)
    counter.refund(checkout, ["1"], key="r", points="forfeit")
    assert counter.left("PTS") == ("0", "0")
    assert due(checkout) == [("card", "USD 20.00")]
    assert checkout.payment.returned == Balance.of(usd("20.00"), pts(500))


def test_t6_an_earlier_plans_charge_takes_its_refund_itself(counter) -> None:
    checkout = counter.begin("10.00", tenders=[CARD])
    counter.charge(checkout)
    checkout.replan(counter.plan("12.00", tenders=[*checkout.paid_already, CARD]), key="second")
    counter.charge(checkout, key="ch-2")
    checkout.complete(key="done")
    counter.refund(checkout, ["1"], key="r")
    assert due(checkout) == [("ch-1", "USD 10.00"), ("card", "USD 2.00")]


def test_t6_what_goes_beyond_what_was_paid_is_goodwill(counter) -> None:
    counter.shop.issue("4.00")
    checkout = counter.paid("10.00")
    request = RefundRequest.of_amount(usd("12.50"))
    with counter.refuses(RefundExceedsPaid):
        counter.refund(checkout, request, key="r")
    counter.refund(checkout, request, key="r", beyond="as_goodwill")
    assert sorted(counter.shop.lots()) == [("goodwill", "2.50"), ("refund", "4.00")]
    assert due(checkout) == [("card", "USD 6.00")]


def test_t6_new_credit_needs_somebody_to_give_it_to(counter) -> None:
    checkout = counter.paid("10.00", tenders=[CARD])
    with counter.refuses(RefundNeedsHolder) as refused:
        counter.refund(checkout, ["1"], key="r", payout="credit")
    assert list(refused.error.amount) == [usd("10.00")]
    with counter.refuses(InvalidText):
        counter.refund(checkout, ["1"], key="r", payout="credit", holder="")
    counter.refund(checkout, ["1"], key="r", payout="credit", holder="new")
    assert counter.left(holder="new") == ("10.00", "0.00")


def test_t6_new_credit_goes_to_whose_credit_paid_first(counter) -> None:
    counter.shop.issue("4.00", holder="parent")
    counter.shop.issue("1.00", holder="child")
    counter.credit.redeem("child", usd("1.00"), key="elsewhere")
    tenders = [
        counter.tender("child", holder="child"),
        counter.tender("parent", holder="parent"),
        CARD,
    ]
    checkout = counter.paid("10.00", tenders=tenders)
    counter.refund(checkout, ["1"], key="r", closed=["card"])
    assert counter.left(holder="parent") == ("10.00", "0.00")
    # Where no credit paid, it is theirs whose credit was to pay.
    other = counter.paid("5.00", name="o-2", tenders=[counter.tender(holder="child"), CARD])
    counter.refund(other, ["1"], key="r", closed=["card"])
    assert counter.left(holder="child") == ("5.00", "0.00")


# --- Earned points and gift cards ---------------------------------------------------------


@pytest.fixture
def earning(counter: Any) -> tuple[Checkout, str]:
    """Three pieces for USD 30.00 by card that have earned 30 points."""
    checkout = counter.paid(OrderLine("1", usd("30.00"), quantity=3), tenders=[CARD])
    return checkout, counter.points(30).lot_id


def earned(reachable: int, **more: Any) -> Earned:
    return Earned(lines=[LineAmount("1", pts(30))], reachable=pts(reachable), **more)


def test_t6_earned_points_are_taken_back_in_the_same_step(counter, earning) -> None:
    checkout, lot = earning
    taking = {"earned": earned(30), "earned_lot": lot}
    for about in ({}, {"actor": "ann"}, {"reason": "unwanted"}):
        with counter.refuses(ReasonAndActorRequired):
            counter.refund(checkout, {"1": 1}, key="r1", **taking, **about)
    counter.refund(checkout, {"1": 1}, key="r1", **taking, **ANN)
    assert counter.left("PTS") == ("20", "0")
    counter.refund(checkout, {"1": 2}, key="r2", **taking, **ANN)
    assert counter.left("PTS") == ("0", "0")
    assert counter.shop.totals(unit="PTS")["revoked"] == 30
    assert due(checkout) == [("card", "USD 10.00"), ("card", "USD 20.00")]


def test_t6_points_of_several_lines_are_taken_back_at_once(counter) -> None:
    checkout = counter.paid("10.00", "20.00", tenders=[CARD])
    lot = counter.points(35).lot_id
    lines = [LineAmount("1", pts(10)), LineAmount("2", pts(25))]
    taking = Earned(lines=lines, reachable=pts(30))
    about = {"earned_lot": lot, "shortfall": "absorb", **ANN}
    counter.credit.redeem("c-17", pts(5), key="spent")
    counter.refund(checkout, ["1", "2"], key="r", earned=taking, **about)
    assert counter.left("PTS") == ("0", "0")
    assert counter.shop.totals(unit="PTS")["revoked"] == 30


def test_t6_nothing_is_refunded_while_the_lot_of_earned_points_is_not_named(
    counter, earning
) -> None:
    checkout, lot = earning
    plan = checkout.plan_refund(RefundRequest.of_lines(["1"]), earned=earned(30))
    for about in ({}, ANN):
        with counter.refuses(InvalidTender) as refused:
            checkout.refund(plan, key="r", **about)
        assert refused.error.field == "earned_lot"
    checkout.refund(plan, key="r", earned_lot=lot, **ANN)
    assert checkout.record.returned("r").taken_back == (LineAmount("1", pts(30)),)
    assert counter.left("PTS") == ("0", "0")
    # A repeat asks for nothing any more: it has happened.
    before = counter.records(), counter.shop.dump()
    checkout.refund(plan, key="r")
    assert (counter.records(), counter.shop.dump()) == before


def test_t6_points_that_are_spent_lower_the_refund(counter, earning) -> None:
    checkout, lot = earning
    counter.credit.redeem("c-17", pts(25), key="spent")
    about = {"earned_lot": lot, **ANN}
    given = earned(5, rate=at_rate(100, "1.00"))
    counter.refund(checkout, ["1"], key="r", earned=given, **about)
    assert counter.left("PTS") == ("0", "0")
    assert due(checkout) == [("card", "USD 29.75")]
    assert checkout.payment.returned == Balance.of(usd("30.00"))


def test_t6_where_no_earned_point_is_left_none_is_revoked(counter, earning) -> None:
    checkout, lot = earning
    counter.credit.redeem("c-17", pts(30), key="spent")
    # Nobody has to answer for nothing.
    counter.refund(checkout, ["1"], key="r", earned=earned(0), earned_lot=lot, shortfall="absorb")
    assert "revoked" not in counter.shop.totals(unit="PTS")
    assert due(checkout) == [("card", "USD 30.00")]


def test_t6_where_no_earned_point_is_left_no_lot_has_to_be_named(counter, earning) -> None:
    checkout, _ = earning
    counter.refund(checkout, ["1"], key="r", earned=earned(0), shortfall="absorb")
    assert counter.left("PTS") == ("30", "0")
    assert due(checkout) == [("card", "USD 30.00")]


def test_money_of_py_moneyed_says_what_is_earned_and_unspent(counter) -> None:
    lines = [OrderLine("gift", usd("25.00"), kind="gift_card"), OrderLine("1", usd("5.00"))]
    checkout = counter.paid(*lines, tenders=[CARD])
    cash_back = counter.shop.issue("2.00", funding="earned").lot_id
    taking = Earned(
        lines=[LineAmount("1", moneyed.Money("2.00", "USD"))],
        reachable=moneyed.Money("2.00", "USD"),
    )
    counter.refund(
        checkout,
        ["gift", "1"],
        key="r",
        unspent={"gift": moneyed.Money("15.00", "USD")},
        gift_cards={"gift": None},
        earned=taking,
        earned_lot=cash_back,
        **ANN,
    )
    assert counter.left() == ("0.00", "0.00")
    assert due(checkout) == [("card", "USD 20.00")]


def test_lots_that_are_none_are_unknown(counter, earning) -> None:
    checkout, lot = earning
    for wrong in ("", "lot", 7, f"{lot[:-1]}x", lot.replace("0000", "1111")):
        with counter.refuses(UnknownLot):
            counter.refund(checkout, ["1"], key="r", earned=earned(30), earned_lot=wrong, **ANN)
        with counter.refuses(UnknownLot):
            counter.refund(checkout, ["1"], key="r", gift_cards={"1": wrong}, **ANN)
    foreign = counter.shop.open("brand", units=(PTS,)).issue(
        "c-17", pts(5), funding="earned", key="a"
    )
    with counter.refuses(UnknownLot):
        counter.refund(
            checkout, ["1"], key="r", earned=earned(30), earned_lot=foreign.lot_id, **ANN
        )
    with counter.refuses(InvalidTender):
        counter.refund(checkout, ["1"], key="r", gift_cards=[lot], **ANN)


@pytest.fixture
def card_bought(counter: Any) -> tuple[Checkout, str]:
    """A gift card of USD 25.00 and goods of USD 5.00, bought by card; USD 10.00 of it is used."""
    lines = [OrderLine("gift", usd("25.00"), kind="gift_card"), OrderLine("1", usd("5.00"))]
    checkout = counter.paid(*lines, tenders=[CARD])
    bought = counter.shop.issue("25.00", holder="friend", funding="purchased", paid=usd("25.00"))
    counter.credit.redeem("friend", usd("10.00"), key="used")
    return checkout, bought.lot_id


def test_a7_a_gift_card_is_closed_with_the_refund_of_its_rest(counter, card_bought) -> None:
    checkout, lot = card_bought
    refund = {"unspent": {"gift": usd("15.00")}, "gift_cards": {"gift": lot}}
    with counter.refuses(ReasonAndActorRequired):
        counter.refund(checkout, ["gift"], key="r", **refund)
    counter.refund(checkout, ["gift", "1"], key="r", **refund, **ANN)
    assert due(checkout) == [("card", "USD 20.00")]
    assert counter.left(holder="friend") == ("0.00", "0.00")
    with counter.refuses(LotClosed):
        counter.refund(checkout, RefundRequest(), key="again", gift_cards={"gift": lot}, **ANN)


def test_a7_every_gift_card_that_is_refunded_is_named(counter, card_bought) -> None:
    checkout, lot = card_bought
    request = RefundRequest.of_lines(["gift", "1"])
    plan = checkout.plan_refund(request, unspent={"gift": usd("15.00")})
    for cards in (None, {}, {"1": lot}, {"1": None}):
        with counter.refuses(InvalidTender) as refused:
            checkout.refund(plan, key="r", gift_cards=cards, **ANN)
        assert refused.error.field == "gift_cards"
        assert "'gift'" in str(refused.error)
    checkout.refund(plan, key="r", gift_cards={"gift": lot}, **ANN)
    assert counter.left(holder="friend") == ("0.00", "0.00")
    # A repeat needs no names: it has happened.
    before = counter.records(), counter.shop.dump()
    checkout.refund(plan, key="r")
    assert (counter.records(), counter.shop.dump()) == before


def test_a7_of_two_gift_cards_each_is_named(counter) -> None:
    lines = [OrderLine(name, usd("9.00"), kind="gift_card") for name in ("a", "b")]
    checkout = counter.paid(*lines, tenders=CARD)
    bought = {
        line: counter.shop.issue("9.00", holder=line, funding="purchased", paid=usd("9.00")).lot_id
        for line in ("a", "b")
    }
    unspent = {"a": usd("9.00"), "b": usd("9.00")}
    plan = checkout.plan_refund(RefundRequest.of_lines(["a", "b"]), unspent=unspent)
    for line in ("a", "b"):
        with counter.refuses(InvalidTender):
            checkout.refund(plan, key="r", gift_cards={line: bought[line]}, **ANN)
    checkout.refund(plan, key="r", gift_cards=bought, **ANN)
    assert [counter.left(holder=line) for line in ("a", "b")] == [("0.00", "0.00")] * 2


def test_a7_a_gift_card_that_is_kept_elsewhere_is_said_to_be(counter, card_bought) -> None:
    checkout, _ = card_bought
    refund = {"unspent": {"gift": usd("15.00")}, "gift_cards": {"gift": None}}
    # Nobody has to answer for what the ledger does not do.
    counter.refund(checkout, ["gift"], key="r", **refund)
    assert due(checkout) == [("card", "USD 15.00")]
    assert counter.left(holder="friend") == ("15.00", "0.00")


def test_a7_a_gift_card_of_which_nothing_goes_back_is_not_asked_for(counter, card_bought) -> None:
    checkout, _ = card_bought
    # Nothing of it is unspent, as far as is known: it is in the plan, and nothing is paid for it.
    counter.refund(checkout, ["gift", "1"], key="r")
    assert due(checkout) == [("card", "USD 5.00")]
    assert counter.left(holder="friend") == ("15.00", "0.00")


def test_a7_a_gift_card_that_was_used_meanwhile_is_planned_again(counter, card_bought) -> None:
    checkout, lot = card_bought
    plan = checkout.plan_refund(RefundRequest.of_lines(["gift"]), unspent={"gift": usd("15.00")})
    counter.credit.redeem("friend", usd("1.00"), key="used again")
    with counter.refuses(GiftCardChanged) as refused:
        checkout.refund(plan, key="r", gift_cards={"gift": lot}, **ANN)
    error = refused.error
    assert (error.planned, error.left) == (usd("15.00"), usd("14.00"))
    with counter.refuses(GiftCardChanged) as refused:
        counter.refund(checkout, ["1"], key="r", gift_cards={"gift": lot}, **ANN)
    assert refused.error.planned == usd("0.00")
    promotional = counter.shop.issue("5.00", funding="promotional").lot_id
    with counter.refuses(LotNotCashable):
        counter.refund(checkout, ["1"], key="r", gift_cards={"1": promotional}, **ANN)
    refund = {"unspent": {"gift": usd("14.00")}, "gift_cards": {"gift": lot}}
    counter.refund(checkout, ["gift"], key="r", **refund, **ANN)
    assert due(checkout) == [("card", "USD 14.00")]


# --- All or nothing, once -----------------------------------------------------------------


def test_t6_where_one_part_fails_nothing_is_recorded(counter) -> None:
    counter.shop.issue("4.00")
    counter.points(100)
    tenders = [counter.tender("points", PTS), counter.tender(), CARD]
    checkout = counter.paid(("10.00", 100), tenders=tenders)
    bought = counter.shop.issue("9.00", holder="friend", funding="purchased", paid=usd("9.00"))
    counter.shop.correct("freeze", "c-17", "USD")
    with counter.refuses(AccountFrozen):
        counter.refund(checkout, ["1"], key="r")
    with counter.refuses(AccountFrozen):
        counter.refund(checkout, ["1"], key="r", closed=["card"])
    with counter.refuses(GiftCardChanged):
        counter.refund(checkout, ["1"], key="r", gift_cards={"1": bought.lot_id}, **ANN)
    dollars = counter.shop.issue("9.00", holder="friend").lot_id
    taking = Earned(lines=[LineAmount("1", pts(10))], reachable=pts(10))
    with counter.refuses(UnitMismatch):
        counter.refund(checkout, ["1"], key="r", earned=taking, earned_lot=dollars, **ANN)
    counter.shop.correct("reopen", "c-17", "USD")
    counter.refund(checkout, ["1"], key="r")
    assert (counter.left(), counter.left("PTS")) == (("4.00", "0.00"), ("100", "0"))


def test_t6_a_refund_again_changes_nothing(counter) -> None:
    counter.shop.issue("4.00")
    checkout = counter.paid("10.00", "5.00")
    plan = checkout.plan_refund(RefundRequest.of_lines(["1"]))
    checkout.refund(plan, key="r1")
    before = counter.records(), counter.shop.dump()
    checkout.refund(plan, key="r1")
    counter.credit.checkout("o-1").refund(plan, key="r1")
    assert (counter.records(), counter.shop.dump()) == before
    # Under another key it is another refund, and there is nothing left of that.
    with counter.refuses(QuantityExceedsRest):
        checkout.refund(plan, key="r2")
    other = checkout.plan_refund(RefundRequest.of_lines(["2"]))
    with counter.refuses(PaymentStepRepeated):
        checkout.refund(other, key="r1")
    checkout.settle_refund("r1", "card", "confirmed")
    before = counter.records(), counter.shop.dump()
    checkout.refund(plan, key="r1")
    assert (counter.records(), counter.shop.dump()) == before


def test_t6_a_refund_that_was_planned_before_another_is_refused(counter) -> None:
    counter.shop.issue("4.00")
    checkout = counter.paid("10.00")
    early = checkout.plan_refund(RefundRequest.of_amount(usd("7.00")))
    counter.refund(checkout, RefundRequest.of_amount(usd("3.50")), key="r1")
    with counter.refuses(RefundExceedsPaid) as refused:
        checkout.refund(early, key="r2")
    error = refused.error
    assert (error.of, error.wanted, error.paid, error.returned) == (
        "credit",
        usd("4.00"),
        usd("4.00"),
        usd("3.50"),
    )
    counter.refund(checkout, RefundRequest.of_amount(usd("6.50")), key="r2")
    assert counter.left() == ("4.00", "0.00")


def test_only_what_is_captured_is_refunded(counter) -> None:
    counter.shop.issue("9.00")
    checkout = counter.begin("5.00", "4.00")
    for request in (RefundRequest(), RefundRequest.of_lines(["1"])):
        with counter.refuses(PaymentStepRefused) as refused:
            checkout.plan_refund(request)
        error = refused.error
        assert (error.order, error.step, error.state) == ("o-1", "refund", "held")
        assert {"capture", "complete", "cancel"} <= set(error.allowed)
    nothing = RefundPlan(order="o-1", merchant="acme", parts=())
    with counter.refuses(PaymentStepRefused):
        checkout.refund(nothing, key="r")
    checkout.capture(["1"], key="ship-1")
    with counter.refuses(RefundExceedsPaid):
        checkout.plan_refund(RefundRequest.of_amount(usd("5.01")))
    counter.refund(checkout, ["1"], key="r1")
    assert counter.left() == ("5.00", "4.00")
    assert checkout.state is PaymentState.PARTLY_CAPTURED
    checkout.complete(key="done")
    request = RefundRequest(items=[RefundItem("2", amounts=usd("1.50"))])
    counter.refund(checkout, request, key="r2")
    assert counter.left() == ("6.50", "0.00")
    with counter.refuses(QuantityExceedsRest):
        checkout.plan_refund(RefundRequest.of_lines({"1": 1}))


def test_t6_no_refund_is_planned_in_any_state_before_a_capture(counter) -> None:
    checkout = counter.begin("5.00", tenders=CARD)
    checkout.charge("card", key="ch-1")
    # What is stored decides, not what this object has seen.
    seen = counter.credit.checkout("o-1")
    checkout.settle_charge("ch-1", "confirmed")
    with counter.refuses(PaymentStepRefused) as refused:
        checkout.plan_refund(RefundRequest.of_lines(["1"]))
    assert refused.error.state == "charging"
    checkout.complete(key="done")
    assert seen.plan_refund(RefundRequest.of_lines(["1"])).tender("card") == Balance.of(usd("5.00"))
    other = counter.begin("5.00", name="o-2", tenders=CARD)
    other.cancel(key="off")
    with counter.refuses(PaymentStepRefused) as refused:
        other.plan_refund(RefundRequest.of_lines(["1"]))
    assert refused.error.state == "cancelled"


def test_a16_a_refund_of_another_merchant_is_refused(counter) -> None:
    # Two merchants use the same order id.
    mine = counter.paid("5.00", tenders=CARD)
    brand = counter.shop.open("brand", units=(PTS,))
    theirs = brand.begin_checkout(brand.plan_payment(counter.order("5.00"), CARD), key="b")
    counter.charge(theirs)
    theirs.complete(key="done")
    plan = theirs.plan_refund(RefundRequest.of_lines(["1"]))
    assert (plan.order, plan.merchant) == ("o-1", "brand")
    with counter.refuses(ForeignPlan) as refused:
        mine.refund(plan, key="r")
    error = refused.error
    assert (error.field, error.given, error.expected) == ("merchant", "brand", "acme")
    mine.refund(attrs.evolve(plan, merchant="acme"), key="r")
    theirs.refund(plan, key="r")


def test_refunds_that_cannot_be_are_refused(counter) -> None:
    counter.shop.issue("9.00")
    one, other = counter.paid("3.00"), counter.paid("2.00", name="o-2")
    plan = one.plan_refund(RefundRequest.of_lines(["1"]))
    with counter.refuses(ForeignPlan) as refused:
        other.refund(plan, key="r")
    assert (refused.error.given, refused.error.expected) == ("o-1", "o-2")
    for wrong in (None, RefundRequest(), one.record.plan):
        with counter.refuses(InvalidTender):
            one.refund(wrong, key="r")
    with counter.refuses(InvalidTerms):
        one.refund(plan, key="r", expired="keep")
    with counter.refuses(InvalidText):
        one.refund(plan, key="r", holder=7)
    with counter.refuses(InvalidText):
        one.refund(plan, key="r", note="a\x00b")
    one.refund(plan, key="r")
