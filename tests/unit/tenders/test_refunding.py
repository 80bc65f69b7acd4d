"""Refund plans: what goes back to which tender, by which rule (T6)."""

from __future__ import annotations

import datetime as dt

import attrs
import moneyed
import pytest

from storecredit.errors import (
    ArgumentRefused,
    InvalidKey,
    InvalidOrder,
    InvalidTender,
    InvalidTerms,
    QuantityExceedsRest,
    RefundExceedsPaid,
    UnknownOrderLine,
    UnknownTender,
)
from storecredit.ledger import Funding, Limits
from storecredit.tenders import (
    AlreadyPaid,
    Beyond,
    Coupon,
    Credit,
    CreditRule,
    Destination,
    Earned,
    External,
    LineAmount,
    LineKind,
    OrderLine,
    PayingRate,
    Payment,
    Payout,
    PointsRule,
    Price,
    Redirect,
    RefundItem,
    RefundPlan,
    RefundRequest,
    RefundRules,
    ShortfallRule,
    TenderRule,
    plan_refund,
)
from storecredit.values import Balance, CustomUnit, ExchangeRate, Money, Rounding

PTS = CustomUnit("PTS", 0)
CARD = External("card")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def at_rate(points: int, money: str) -> PayingRate:
    found = ExchangeRate.equating(pts(points), usd(money), on=dt.date(2026, 1, 1))
    return PayingRate(found, Rounding.HALF_UP)


def back(plan: RefundPlan) -> dict[str, str]:
    """By tender, what of the order it gives back, wherever that goes."""
    found: dict[str, Balance] = {}
    for part in plan.parts:
        if not part.is_reduction:
            found[part.tender] = found.get(part.tender, Balance.of()) + part.covers
    return {tender: str(amounts) for tender, amounts in found.items()}


def refunded(payment: Payment, plan: RefundPlan, key: str) -> Payment:
    return payment.with_return(plan.as_return(payment, key=key))


@pytest.fixture
def three_tenders(till, order) -> Payment:
    """20.00 on one line: 5.00 credit, 3.00 paid before, 12.00 by card."""
    till.shop.issue("5.00")
    tenders = (AlreadyPaid("deposit", usd("3.00")), Credit("credit", till.account()), CARD)
    return Payment.of(till.plan(order(usd("20.00")), *tenders))


# --- Which tender first -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "amount", "expected"),
    [
        ("credit_first", "7.00", {"credit": "5.00", "deposit": "2.00"}),
        ("external_first", "17.00", {"deposit": "3.00", "card": "12.00", "credit": "2.00"}),
        ("last_paid_first", "13.00", {"card": "12.00", "credit": "1.00"}),
        ("tender_order", "4.00", {"deposit": "3.00", "credit": "1.00"}),
        # 10.00 of 20.00: half of each, and the odd cent to the larger remainder.
        ("proportional", "10.01", {"deposit": "1.50", "credit": "2.50", "card": "6.01"}),
    ],
)
def test_a_rule_says_which_tender_gets_its_money_back_first(
    three_tenders, rule, amount, expected
) -> None:
    plan = plan_refund(
        three_tenders, RefundRequest.of_amount(usd(amount)), rules=RefundRules(tenders=rule)
    )
    assert back(plan) == {tender: f"USD {money}" for tender, money in expected.items()}
    assert plan.returned == Balance.of(usd(amount))


def test_by_hand_the_caller_names_each_tender(three_tenders) -> None:
    hand = {"card": usd("1.00"), "credit": usd("4.00")}
    rules = RefundRules(tenders="by_hand", by_hand=hand)
    plan = plan_refund(three_tenders, RefundRequest.of_amount(usd("5.00")), rules=rules)
    assert back(plan) == {"card": "USD 1.00", "credit": "USD 4.00"}
    by_line = plan_refund(
        three_tenders,
        RefundRequest(items=[RefundItem("1", amounts=usd("5.00"))]),
        rules=rules,
    )
    assert back(by_line) == back(plan)


@pytest.mark.parametrize(
    ("hand", "error"),
    [
        ({"card": "4.00"}, InvalidTender),
        ({"card": "6.00"}, InvalidTender),
        ({"bank": "5.00"}, UnknownTender),
        ({"deposit": "3.01", "card": "1.99"}, RefundExceedsPaid),
    ],
)
def test_amounts_by_hand_have_to_fit(three_tenders, hand, error) -> None:
    named = {tender: usd(amount) for tender, amount in hand.items()}
    rules = RefundRules(tenders="by_hand", by_hand=named)
    with pytest.raises(error):
        plan_refund(three_tenders, RefundRequest.of_amount(usd("5.00")), rules=rules)


def test_by_hand_what_a_tender_did_not_pay_of_the_lines_is_not_placed(till, order) -> None:
    till.shop.issue("5.00")
    gift = OrderLine("2", usd("5.00"), kind="gift_card")
    # The credit pays the goods, the card pays the gift card.
    plan = till.plan(order(usd("5.00"), gift), Credit("credit", till.account()), CARD)
    rules = RefundRules(tenders="by_hand", by_hand={"card": usd("5.00")})
    found = plan_refund(Payment.of(plan), RefundRequest.of_lines(["1"]), rules=rules)
    assert found.parts == ()
    assert [(each.because.value, each.amount) for each in found.unplaced] == [
        ("not_paid_by_these", usd("5.00"))
    ]


def test_a_line_goes_back_to_those_who_paid_it(till, order) -> None:
    till.shop.issue("5.00")
    gift = OrderLine("2", usd("5.00"), kind="gift_card")
    payment = Payment.of(till.plan(order(usd("5.00"), gift), Credit("c", till.account()), CARD))
    rules = RefundRules(tenders="external_first")
    assert back(plan_refund(payment, RefundRequest.of_lines(["1"]), rules=rules)) == {
        "c": "USD 5.00"
    }


# --- Pieces, lines, amounts -------------------------------------------------------------


def test_pieces_come_back_one_by_one_and_end_at_what_was_paid(till, order) -> None:
    payment = Payment.of(till.plan(order(OrderLine("1", usd("10.00"), quantity=3)), CARD))
    amounts = []
    for step in range(3):
        plan = plan_refund(payment, RefundRequest.of_lines({"1": 1}))
        amounts.append(str(plan.returned))
        payment = refunded(payment, plan, f"r{step}")
    assert amounts == ["USD 3.33", "USD 3.34", "USD 3.33"]
    assert payment.returned == payment.paid
    with pytest.raises(QuantityExceedsRest) as caught:
        plan_refund(payment, RefundRequest.of_lines({"1": 1}))
    assert (caught.value.bought, caught.value.returned) == (3, 3)
    assert "At most 0 can" in str(caught.value)


def test_both_units_of_a_hybrid_price_come_back_in_proportion(till, order) -> None:
    till.points(500)
    line = OrderLine("1", Price.of(usd("20.00"), pts(500)), quantity=3)
    tenders = (Credit("pts", till.account(unit="PTS")), CARD)
    payment = Payment.of(till.plan(order(line), *tenders))
    first = plan_refund(payment, RefundRequest.of_lines({"1": 1}))
    assert first.returned == Balance.of(usd("6.67"), pts(167))
    second = plan_refund(refunded(payment, first, "r1"), RefundRequest.of_lines({"1": 1}))
    assert second.returned == Balance.of(usd("6.67"), pts(167))


def test_more_than_was_paid_is_refused_or_flagged(three_tenders) -> None:
    payment = refunded(
        three_tenders, plan_refund(three_tenders, RefundRequest.of_amount(usd("15.00"))), "r1"
    )
    with pytest.raises(RefundExceedsPaid) as caught:
        plan_refund(payment, RefundRequest.of_amount(usd("5.01")))
    assert (caught.value.paid, caught.value.returned) == (usd("20.00"), usd("15.00"))
    assert "At most USD 5.00 is left" in str(caught.value)
    with pytest.raises(RefundExceedsPaid) as line:
        plan_refund(payment, RefundRequest(items=[RefundItem("1", amounts=usd("5.01"))]))
    assert line.value.of == "1"
    plan = plan_refund(
        payment,
        RefundRequest.of_amount(usd("5.01")),
        rules=RefundRules(beyond=Beyond.AS_GOODWILL),
    )
    assert (plan.returned, plan.goodwill) == (Balance.of(usd("5.00")), (usd("0.01"),))


def test_items_come_first_and_an_amount_of_the_order_after_them(till, order) -> None:
    payment = Payment.of(till.plan(order(usd("5.00"), usd("10.00")), CARD))
    both = RefundRequest(items=[RefundItem("1")], amounts=[usd("4.00")])
    plan = plan_refund(payment, both)
    assert [(part.line, str(part.covers)) for part in plan.parts] == [
        ("1", "USD 5.00"),
        ("2", "USD 4.00"),
    ]
    too_much = RefundRequest(items=[RefundItem("1")], amounts=[usd("10.01")])
    with pytest.raises(RefundExceedsPaid):
        plan_refund(payment, too_much)


def test_a_percentage_of_all_that_was_paid(three_tenders) -> None:
    request = RefundRequest.of_percent(three_tenders, 33, rounding=Rounding.HALF_UP)
    assert request.amounts == (usd("6.60"),)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RefundItem("1", quantity=0),
        lambda: RefundItem("1", quantity=True),
        lambda: RefundItem("1", quantity=1, amounts=usd("1.00")),
        lambda: RefundRequest(items=[RefundItem("1"), RefundItem("1")]),
        lambda: RefundRules(tenders="by_hand"),
        lambda: RefundRules(by_hand={"card": usd("1.00")}),
        lambda: RefundRules(tenders="by_hand", by_hand=[("card", usd("1.00"))]),
        lambda: RefundRules(tenders="by_hand", by_hand={"card": usd("-1.00")}),
        lambda: RefundRules(closed="card"),
        lambda: Earned(lines=[LineAmount("1", pts(5))], reachable=usd("5.00")),
        lambda: Earned(lines=[], reachable=usd("5.00"), rate=at_rate(1, "1.00")),
        lambda: Earned(lines=[], reachable=pts(-1)),
        lambda: Earned(lines=[LineAmount("1", pts(5))], reachable=moneyed.Money(-5, "USD")),
    ],
)
def test_requests_and_rules_that_cannot_be_are_refused(make) -> None:
    with pytest.raises(InvalidTender):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: RefundRequest(items="1"),
        lambda: RefundItem("1", amounts=[usd("1.00"), usd("1.00")]),
        lambda: Earned(lines=[pts(5)], reachable=pts(5)),
    ],
)
def test_lists_of_something_else_are_refused(make) -> None:
    with pytest.raises(InvalidOrder):
        make()


def test_money_of_py_moneyed_is_taken_wherever_a_refund_asks_for_money(till, order) -> None:
    lines = [OrderLine("1", usd("25.00"), kind="gift_card"), OrderLine("2", usd("5.00"))]
    payment = Payment.of(till.plan(order(*lines), CARD))
    for unspent in (moneyed.Money("15.00", "USD"), usd("15.00"), Balance.of(usd("15.00"))):
        plan = plan_refund(payment, RefundRequest.of_lines(["1"]), unspent={"1": unspent})
        assert plan.tender("card") == Balance.of(usd("15.00"))
    amount = LineAmount("1", moneyed.Money("1.50", "USD"))
    assert amount == LineAmount("1", usd("1.50"))
    earned = Earned(lines=[amount], reachable=moneyed.Money("0.50", "USD"))
    assert earned.reachable == usd("0.50")
    assert Earned(lines=[amount], reachable=moneyed.Money(0, "USD")).reachable.is_zero
    for wrong in (15.0, 15, "15.00", None):
        with pytest.raises(ArgumentRefused):
            plan_refund(payment, RefundRequest.of_lines(["1"]), unspent={"1": wrong})
        with pytest.raises(ArgumentRefused):
            LineAmount("1", wrong)
        with pytest.raises(ArgumentRefused):
            Earned(lines=[], reachable=wrong)


def test_a16_a_refund_plan_says_whose_it_is(three_tenders) -> None:
    plan = plan_refund(three_tenders, RefundRequest.of_everything(three_tenders))
    assert (plan.merchant, plan.order) == (three_tenders.merchant, three_tenders.order)
    assert plan.merchant == "acme"
    assert RefundPlan.from_json(plan.to_json()) == plan
    with pytest.raises(TypeError, match="merchant"):
        RefundPlan(order="o-1", parts=())


def test_names_that_are_not_there_are_refused(three_tenders) -> None:
    with pytest.raises(InvalidTerms):
        RefundRules(tenders="card_first")
    with pytest.raises(UnknownOrderLine):
        plan_refund(three_tenders, RefundRequest.of_lines(["2"]))
    with pytest.raises(UnknownOrderLine):
        plan_refund(three_tenders, RefundRequest(), unspent={"2": usd("1.00")})
    with pytest.raises(UnknownTender):
        three_tenders.tender("bank")
    with pytest.raises(InvalidKey):
        plan_refund(three_tenders, RefundRequest()).as_return(three_tenders, key="~1")


# --- Lots -------------------------------------------------------------------------------


def test_lots_are_restored_last_drawn_first_and_keep_their_funding(till, order) -> None:
    gift = till.shop.issue("5.00", funding="promotional", priority=-1).lot_id
    own = till.shop.issue("5.00").lot_id
    payment = Payment.of(till.plan(order(usd("10.00")), Credit("credit", till.account())))
    plan = plan_refund(payment, RefundRequest.of_amount(usd("6.00")))
    assert [(part.lot, str(part.amount), part.funding) for part in plan.parts] == [
        (gift, "USD 1.00", Funding.PROMOTIONAL),
        (own, "USD 5.00", Funding.REFUND),
    ]


def test_a_lot_for_one_line_gets_its_value_back_when_that_line_comes_back(till, order) -> None:
    voucher = till.shop.issue(
        "5.00", funding="promotional", limits=Limits(lines=["1"]), priority=-1
    ).lot_id
    till.shop.issue("5.00")
    plan = till.plan(order(usd("5.00"), usd("5.00")), Credit("credit", till.account()))
    found = plan_refund(Payment.of(plan), RefundRequest.of_lines(["1"]))
    assert [(part.lot, part.line) for part in found.parts] == [(voucher, "1")]


# --- Points at a frozen rate ------------------------------------------------------------


@pytest.fixture
def points_and_card(till, order) -> Payment:
    """30.00: 1,000 points pay 10.00 of it, the card 20.00."""
    till.points(1000)
    credit = Credit("pts", till.account(unit="PTS"), rate=at_rate(100, "1.00"))
    return Payment.of(till.plan(order(usd("30.00")), credit, CARD))


@pytest.mark.parametrize(
    ("rule", "points", "card", "forfeited"),
    [
        ("proportional", 500, "10.00", 0),
        ("points_first", 1000, "5.00", 0),
        ("money_first", 0, "15.00", 0),
        ("forfeit", 0, "10.00", 500),
    ],
)
def test_a_rule_says_whether_points_or_money_come_back(
    points_and_card, rule, points, card, forfeited
) -> None:
    plan = plan_refund(
        points_and_card,
        RefundRequest.of_amount(usd("15.00")),
        rules=RefundRules(points=rule),
    )
    assert plan.tender("pts")[PTS] == pts(points)
    assert plan.tender("card") == Balance.of(usd(card))
    assert plan.to("forfeited")[PTS] == pts(forfeited)


def test_what_was_due_in_points_is_forfeited_too(till, order) -> None:
    till.points(500)
    tenders = (Credit("pts", till.account(unit="PTS")), CARD)
    payment = Payment.of(till.plan(order(Price.of(usd("20.00"), pts(500))), *tenders))
    plan = plan_refund(
        payment,
        RefundRequest.of_everything(payment),
        rules=RefundRules(points=PointsRule.FORFEIT),
    )
    assert plan.to(Destination.FORFEITED) == Balance.of(pts(500))
    assert plan.to(Destination.TENDER) == Balance.of(usd("20.00"))


def test_points_come_back_at_the_rate_of_the_purchase_however_it_is_cut(till, order) -> None:
    # 3 points for 2 cents: 15 points pay 10 cents over two lines and two lots.
    till.points(7)
    till.points(8)
    credit = Credit("pts", till.account(unit="PTS"), rate=at_rate(3, "0.02"))
    payment = Payment.of(till.plan(order(usd("0.05"), usd("0.05")), credit))
    assert sum(part.amount.minor for part in payment.parts) == 15
    points = []
    for step, line in enumerate(["1", "2", "1", "2"]):
        amount = usd("0.02") if step < 2 else usd("0.03")
        request = RefundRequest(items=[RefundItem(line, amounts=amount)])
        plan = plan_refund(payment, request)
        points.append(plan.tender("pts")[PTS].minor)
        payment = refunded(payment, plan, f"r{step}")
    assert points == [3, 3, 5, 4]
    assert payment.returned == payment.paid


def test_a_token_that_paid_three_lines_comes_back_with_the_most_of_them(till, order) -> None:
    till.points(1)
    credit = Credit("token", till.account(unit="PTS"), rate=at_rate(1, "5.00"))
    payment = Payment.of(till.plan(order(usd("1.00"), usd("2.00"), usd("2.00")), credit))
    tokens = []
    for line in ("1", "2", "3"):
        plan = plan_refund(payment, RefundRequest.of_lines([line]))
        tokens.append(plan.tender("token")[PTS].minor)
        payment = refunded(payment, plan, f"r{line}")
    assert tokens == [0, 1, 0]


# --- Tenders that take nothing back -----------------------------------------------------


def test_a_bank_slip_becomes_credit_or_stays_by_rule(till, order) -> None:
    slip = External("slip", takes_back=False)
    payment = Payment.of(till.plan(order(usd("10.00")), slip))
    plan = plan_refund(payment, RefundRequest.of_everything(payment))
    (part,) = plan.parts
    assert (part.to, part.funding) == (Destination.CREDIT, Funding.REFUND)
    assert plan.new_credit() == Balance.of(usd("10.00"))
    assert plan.instructions(payment, key="r1") == ()
    left = plan_refund(
        payment,
        RefundRequest.of_everything(payment),
        rules=RefundRules(redirect=Redirect.LEAVE),
    )
    (unplaced,) = left.unplaced
    assert (unplaced.tender, unplaced.because.value) == ("slip", "takes_nothing_back")
    assert left.parts == ()


def test_a_closed_card_and_a_coupon_become_credit_of_the_right_funding(till, order) -> None:
    coupon = Coupon("coupon", usd("4.00"))
    payment = Payment.of(till.plan(order(usd("10.00")), coupon, CARD))
    plan = plan_refund(
        payment, RefundRequest.of_everything(payment), rules=RefundRules(closed=["card"])
    )
    assert [(part.tender, part.to.value, part.funding) for part in plan.parts] == [
        ("coupon", "credit", Funding.PROMOTIONAL),
        ("card", "credit", Funding.REFUND),
    ]


def test_by_choice_money_becomes_credit_and_credit_is_restored_first(three_tenders) -> None:
    plan = plan_refund(
        three_tenders,
        RefundRequest.of_everything(three_tenders),
        rules=RefundRules(payout=Payout.CREDIT),
    )
    assert [(part.tender, part.to.value) for part in plan.parts] == [
        ("deposit", "credit"),
        ("credit", "tender"),
        ("card", "credit"),
    ]
    # A bonus is earned on this only, and not on credit that is restored (P2).
    assert plan.new_credit() == Balance.of(usd("15.00"))


def test_external_parts_come_as_instructions_with_keys_of_their_own(three_tenders) -> None:
    plan = plan_refund(three_tenders, RefundRequest.of_everything(three_tenders))
    assert [
        (each.tender, str(each.amount), each.key)
        for each in plan.instructions(three_tenders, key="rma-7")
    ] == [
        ("deposit", "USD 3.00", "rma-7/deposit/USD"),
        ("card", "USD 12.00", "rma-7/card/USD"),
    ]


def test_a_pending_refund_reserves_its_part_and_a_failed_one_frees_it(three_tenders) -> None:
    plan = plan_refund(
        three_tenders,
        RefundRequest.of_amount(usd("15.00")),
        rules=RefundRules(tenders="external_first"),
    )
    fact = plan.as_return(three_tenders, key="r1")
    assert fact.pending == ("deposit", "card")
    payment = three_tenders.with_return(fact)
    with pytest.raises(RefundExceedsPaid):
        plan_refund(payment, RefundRequest.of_amount(usd("5.01")))
    failed = attrs.evolve(fact, pending=("deposit",), failed=("card",))
    payment = payment.with_return(failed)
    assert payment.returned == Balance.of(usd("3.00"))
    again = plan_refund(
        payment, RefundRequest.of_failed(failed), rules=RefundRules(tenders="external_first")
    )
    assert back(again) == {"card": "USD 12.00"}


# --- Gift cards, reductions, earned points ----------------------------------------------


def test_a_bought_gift_card_comes_back_in_its_unspent_rest_only(till, order) -> None:
    gift = OrderLine("gift", usd("50.00"), kind=LineKind.GIFT_CARD)
    payment = Payment.of(till.plan(order(gift, usd("10.00")), CARD))
    request = RefundRequest.of_everything(payment)
    spent = plan_refund(payment, request, unspent={"gift": usd("12.00")})
    assert spent.returned == Balance.of(usd("22.00"))
    assert [(each.line, each.amount) for each in spent.unplaced] == [("gift", usd("38.00"))]
    unknown = plan_refund(payment, request)
    assert unknown.returned == Balance.of(usd("10.00"))
    # An amount of the order never comes out of a gift card.
    with pytest.raises(RefundExceedsPaid):
        plan_refund(payment, RefundRequest.of_amount(usd("10.01")))
    whole = plan_refund(payment, request, unspent={"gift": Balance.of(usd("50.00"))})
    assert whole.unplaced == ()


def test_lots_that_lowered_a_price_come_back_with_it(till, order) -> None:
    till.shop.issue("2.00", funding="promotional")
    line = OrderLine("1", usd("10.00"), quantity=2)
    credit = Credit("credit", till.account())
    payment = Payment.of(till.plan(order(line), credit, CARD, as_discount=["promotional"]))
    assert payment.paid == Balance.of(usd("8.00"))
    piece = plan_refund(payment, RefundRequest.of_lines({"1": 1}))
    assert [(part.tender, str(part.amount), part.is_reduction) for part in piece.parts] == [
        ("card", "USD 4.00", False),
        ("credit", "USD 1.00", True),
    ]
    some = plan_refund(payment, RefundRequest.of_amount(usd("2.00")))
    assert [str(part.amount) for part in some.parts if part.is_reduction] == ["USD 0.50"]
    rest = plan_refund(refunded(payment, some, "r1"), RefundRequest.of_everything(payment))
    assert [str(part.amount) for part in rest.parts] == ["USD 6.00", "USD 1.50"]


def test_earned_points_go_in_proportion_and_end_at_nothing(till, order) -> None:
    lines = order(OrderLine("1", usd("10.00"), quantity=3), usd("5.00"))
    payment = Payment.of(till.plan(lines, CARD))
    earned = Earned(lines=[LineAmount("1", pts(10)), LineAmount("9", pts(1))], reachable=pts(99))
    gone = []
    for step in range(3):
        plan = plan_refund(payment, RefundRequest.of_lines({"1": 1}), earned=earned)
        gone += [each.amount.minor for each in plan.taken_back]
        assert plan.missing is None
        payment = refunded(payment, plan, f"r{step}")
    assert gone == [3, 4, 3]
    other = plan_refund(payment, RefundRequest.of_lines(["2"]), earned=earned)
    assert other.taken_back == ()


@pytest.mark.parametrize(
    ("rule", "card", "withheld"),
    [(ShortfallRule.REDUCE_REFUND, "9.40", "0.60"), (ShortfallRule.ABSORB, "10.00", "0.00")],
)
def test_spent_points_lower_the_refund_or_are_borne(till, order, rule, card, withheld) -> None:
    payment = Payment.of(till.plan(order(usd("10.00")), CARD))
    earned = Earned(lines=[LineAmount("1", pts(100))], reachable=pts(40), rate=at_rate(100, "1.00"))
    plan = plan_refund(
        payment,
        RefundRequest.of_everything(payment),
        rules=RefundRules(shortfall=rule),
        earned=earned,
    )
    assert plan.missing == pts(60)
    assert plan.tender("card") == Balance.of(usd(card))
    assert plan.to("withheld")["USD"] == usd(withheld)
    # What is withheld is settled: it cannot be asked for again.
    payment = refunded(payment, plan, "r1")
    assert plan_refund(payment, RefundRequest.of_everything(payment)).parts == ()


def test_money_is_withheld_before_credit_and_never_more_than_goes_back(till, order) -> None:
    till.shop.issue("4.00")
    payment = Payment.of(till.plan(order(usd("5.00")), Credit("credit", till.account()), CARD))
    earned = Earned(lines=[LineAmount("1", pts(300))], reachable=pts(0), rate=at_rate(100, "1.00"))
    plan = plan_refund(payment, RefundRequest.of_everything(payment), earned=earned)
    assert plan.tender("card") == Balance.of()
    assert plan.tender("credit") == Balance.of(usd("2.00"))
    unpriced = attrs.evolve(earned, rate=None)
    kept = plan_refund(payment, RefundRequest.of_everything(payment), earned=unpriced)
    assert kept.returned == Balance.of(usd("5.00"))
    assert kept.missing == pts(300)


# --- What a payment is ------------------------------------------------------------------


def test_a_payment_may_be_of_some_lines_only(till, order) -> None:
    till.shop.issue("3.00")
    plan = till.plan(order(usd("5.00"), usd("10.00")), Credit("credit", till.account()), CARD)
    shipped = Payment.of(plan, lines=["2"])
    assert shipped.paid == Balance.of(usd("10.00"))
    assert [line.id for line in shipped.lines] == ["2"]
    with pytest.raises(UnknownOrderLine):
        Payment.of(plan, lines=["3"])


def test_credit_may_pay_gift_cards_and_take_them_back(till, order) -> None:
    till.shop.issue("10.00")
    gift = OrderLine("gift", usd("10.00"), kind="gift_card")
    plan = till.plan(
        order(gift),
        Credit("credit", till.account()),
        rules=[CreditRule("USD", kinds=LineKind)],
    )
    found = plan_refund(
        Payment.of(plan), RefundRequest.of_lines({"gift": 1}), unspent={"gift": usd("10.00")}
    )
    assert back(found) == {"credit": "USD 10.00"}
    assert TenderRule("by_hand") is TenderRule.BY_HAND


def test_earned_points_that_are_named_in_full_go_whatever_the_share_is(till, order) -> None:
    payment = Payment.of(till.plan(order(OrderLine("1", usd("9.00"), quantity=3)), CARD))
    lines = [LineAmount("1", pts(7)), LineAmount("2", pts(0)), LineAmount("9", pts(2))]
    earned = Earned(lines=lines, reachable=pts(8), rate=at_rate(100, "1.00"), in_full=True)
    plan = plan_refund(payment, RefundRequest.of_lines({"1": 1}), earned=earned)
    assert plan.taken_back == (LineAmount("1", pts(7)), LineAmount("9", pts(2)))
    assert (plan.missing, str(plan.to("withheld"))) == (pts(1), "USD 0.01")
    assert not Earned(lines=lines, reachable=pts(8)).in_full


def test_a_line_loses_earned_points_as_far_as_its_furthest_unit_has_come_back(till, order) -> None:
    till.points(500)
    line = OrderLine("1", Price.of(usd("20.00"), pts(500)))
    payment = Payment.of(till.plan(order(line), Credit("p", till.account(unit="PTS")), CARD))
    earned = Earned(lines=[LineAmount("1", pts(10))], reachable=pts(99))
    half = RefundRequest(items=[RefundItem("1", amounts=usd("10.00"))])
    assert plan_refund(payment, half, earned=earned).taken_back == (LineAmount("1", pts(5)),)
    # A cent of 20.00 is less than half of one of ten points.
    cent = RefundRequest(items=[RefundItem("1", amounts=usd("0.01"))])
    assert plan_refund(payment, cent, earned=earned).taken_back == ()


def test_only_money_of_the_missing_points_worth_is_withheld(till, order) -> None:
    till.points(500)
    line = OrderLine("1", Price.of(usd("20.00"), pts(500)))
    payment = Payment.of(till.plan(order(line), Credit("p", till.account(unit="PTS")), CARD))
    earned = Earned(lines=[LineAmount("1", pts(10))], reachable=pts(0), rate=at_rate(1, "0.10"))
    plan = plan_refund(payment, RefundRequest.of_everything(payment), earned=earned)
    assert plan.to("withheld") == Balance.of(usd("1.00"))
    assert plan.tender("p") == Balance.of(pts(500))


def test_lines_that_were_not_lowered_bring_no_reductions_back(till, order) -> None:
    till.shop.issue("2.00", funding="promotional", limits=Limits(lines=["1"]))
    wanted = order(usd("10.00"), usd("10.00"))
    credit = Credit("credit", till.account())
    payment = Payment.of(till.plan(wanted, credit, CARD, as_discount=["promotional"]))
    plan = plan_refund(payment, RefundRequest.of_lines(["2"]))
    assert [part.is_reduction for part in plan.parts] == [False]
    one = RefundRequest(items=[RefundItem("2", amounts=usd("1.00"))])
    assert [part.is_reduction for part in plan_refund(payment, one).parts] == [False]


def test_a_refund_of_nothing_is_a_plan_of_nothing(three_tenders) -> None:
    plan = plan_refund(three_tenders, RefundRequest.of_amount(usd("0.00")))
    assert (plan.parts, plan.returned) == ((), Balance.of())


def test_payments_and_refund_plans_read_back_from_their_json_forms(three_tenders) -> None:
    plan = plan_refund(three_tenders, RefundRequest.of_everything(three_tenders))
    payment = refunded(three_tenders, plan, "r1")
    assert RefundPlan.from_json(plan.to_json()) == plan
    assert Payment.from_json(payment.to_json()) == payment
