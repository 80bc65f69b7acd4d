"""Plans: what pays first, what is left, and why (T2 to T4)."""

from __future__ import annotations

import datetime as dt

import pytest

from storecredit.errors import (
    ChannelRequired,
    InvalidTender,
    NaiveInstant,
    TenderUnitUnused,
    UnitRedefined,
    UnknownOrderLine,
    UnknownPrice,
)
from storecredit.ledger import Limits, Merchant
from storecredit.tenders import (
    AlreadyPaid,
    Coupon,
    Credit,
    CreditRule,
    Discount,
    External,
    LineKind,
    OrderLine,
    PayingRate,
    PaymentPlan,
    Price,
    plan_payment,
)
from storecredit.values import Balance, CustomUnit, ExchangeRate, Money, Period, Rounding

PTS = CustomUnit("PTS", 0)
CARD = External("card")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def at_rate(points: int, money: str) -> PayingRate:
    found = ExchangeRate.equating(pts(points), usd(money), on=dt.date(2026, 1, 1))
    return PayingRate(found, Rounding.HALF_UP)


# --- The order of tenders ---------------------------------------------------------------


def test_credit_pays_first_and_the_card_the_rest(till, order, paid, why) -> None:
    till.shop.issue("15.00")
    plan = till.plan(order(usd("20.00")), Credit("credit", till.account()), CARD)
    assert paid(plan) == [("credit", "1", "USD 15.00"), ("card", "1", "USD 5.00")]
    assert (plan.external, plan.due, plan.is_complete) == (
        Balance.of(usd("5.00")),
        Balance.of(usd("20.00")),
        True,
    )
    assert why(plan) == [("credit", "used", "USD 15.00"), ("card", "charged", "USD 5.00")]
    assert plan.reasons[0].words.endswith("pays USD 15.00.")
    assert [(seen.account, seen.version) for seen in plan.versions] == [(till.account().id, 1)]


def test_what_can_pay_every_line_pays_each_in_proportion(till, order, paid) -> None:
    till.shop.issue("10.00")
    plan = till.plan(order(usd("10.00"), usd("20.00")), Credit("credit", till.account()), CARD)
    assert paid(plan) == [
        ("credit", "1", "USD 3.33"),
        ("credit", "2", "USD 6.67"),
        ("card", "1", "USD 6.67"),
        ("card", "2", "USD 13.33"),
    ]


def test_lots_follow_the_order_of_use_line_by_line(till, order) -> None:
    late = till.shop.issue("5.00", expires=Period(days=9))
    soon = till.shop.issue("5.00", expires=Period(days=2))
    plan = till.plan(order(usd("4.00"), usd("4.00")), Credit("credit", till.account()))
    assert plan.draws("credit") == ((soon.lot_id, usd("5.00")), (late.lot_id, usd("3.00")))
    assert [(part.lot, part.line, str(part.amount)) for part in plan.parts] == [
        (soon.lot_id, "1", "USD 4.00"),
        (soon.lot_id, "2", "USD 1.00"),
        (late.lot_id, "2", "USD 3.00"),
    ]


def test_no_order_of_tenders_strands_a_limited_lot(till, order, paid) -> None:
    till.shop.issue("10.00", priority=-1)
    till.shop.issue("10.00", limits=Limits(categories=["books"]))
    lines = (
        OrderLine("book", usd("10.00"), category="books"),
        OrderLine("toy", usd("10.00"), category="toys"),
    )
    plan = till.plan(order(*lines), Credit("credit", till.account()), CARD)
    assert plan.charges == ()
    assert paid(plan) == [("credit", "toy", "USD 10.00"), ("credit", "book", "USD 10.00")]


def test_two_accounts_a_coupon_and_a_payment_before_the_card(till, order, paid, why) -> None:
    till.shop.issue("3.00")
    till.shop.issue("4.00", holder="gift-1")
    tenders = (
        Credit("code", till.account("gift-1"), kind="code"),
        Coupon("tv-magazine", usd("2.00")),
        Credit("credit", till.account()),
        AlreadyPaid("deposit", usd("5.00")),
        CARD,
    )
    plan = till.plan(order(usd("20.00")), *tenders)
    assert paid(plan) == [
        ("code", "1", "USD 4.00"),
        ("tv-magazine", "1", "USD 2.00"),
        ("credit", "1", "USD 3.00"),
        ("deposit", "1", "USD 5.00"),
        ("card", "1", "USD 6.00"),
    ]
    assert [(each.id, each.kind.value, each.is_paid, each.takes_back) for each in plan.tenders] == [
        ("code", "code", False, True),
        ("tv-magazine", "coupon", False, False),
        ("credit", "credit", False, True),
        ("deposit", "external", True, True),
        ("card", "external", False, True),
    ]
    # With little to pay, what was paid already counts first, wherever it stands.
    little = till.plan(order(usd("6.00")), *tenders)
    assert paid(little) == [("code", "1", "USD 1.00"), ("deposit", "1", "USD 5.00")]
    assert ("tv-magazine", "partly_used", "USD 2.00") in why(little)
    over = till.plan(order(usd("3.50")), *tenders)
    assert over.overpaid == (usd("1.50"),)
    assert ("deposit", "overpaid", "USD 1.50") in why(over)


def test_a_free_order_is_paid_by_nothing(till, order) -> None:
    till.shop.issue("3.00")
    plan = till.plan(order(usd("0.00"), Price.of()), Credit("credit", till.account()), CARD)
    assert (plan.parts, plan.charges, plan.is_complete) == ((), (), True)
    assert [reason.why.value for reason in plan.reasons] == ["nothing_due"]


def test_a_shortage_is_data(till, order, why) -> None:
    till.points(30)
    plan = till.plan(
        order(Price.of(usd("5.00"), pts(50))), Credit("pts", till.account(unit="PTS")), CARD
    )
    assert not plan.is_complete
    assert plan.shortage == Balance.of(pts(20))
    assert [(each.line, each.amount) for each in plan.short] == [("1", pts(20))]
    assert (None, "no_tender_takes_the_unit", "PTS 20") in why(plan)
    nobody = till.plan(order(usd("5.00")))
    assert nobody.shortage == Balance.of(usd("5.00"))


def test_an_external_tender_can_be_told_which_units_it_takes(till, order) -> None:
    by_card = till.plan(order(pts(5)), External("points desk", units="PTS"), CARD)
    assert by_card.charges[0].tender == "points desk"
    euros = till.plan(order(usd("5.00")), External("card", units=["EUR"]))
    assert not euros.is_complete


# --- What counts of an account ----------------------------------------------------------


def test_pending_expired_and_held_lots_give_nothing_and_say_why(till, order, why) -> None:
    shop = till.shop
    shop.issue("1.00", effective=Period(days=3))
    shop.issue("1.00", expires=Period(hours=1))
    shop.clock.forward(hours=2)
    shop.issue("1.00")
    shop.hold("1.00", reference="other order")
    plan = till.plan(order(usd("5.00")), Credit("credit", till.account()), CARD)
    assert plan.taken("credit") == Balance.of()
    assert sorted(reason for tender, reason, _ in why(plan) if tender == "credit") == [
        "expired",
        "held",
        "pending",
    ]


def test_the_orders_own_holds_count_also_where_their_lot_has_expired(till, order) -> None:
    shop = till.shop
    lot = shop.issue("5.00", expires=Period(hours=1)).lot_id
    shop.hold("4.00", reference="o-1")
    shop.clock.forward(hours=2)
    plan = till.plan(order(usd("9.00")), Credit("credit", till.account()), CARD)
    assert plan.draws("credit") == ((lot, usd("4.00")),)


def test_a_hold_that_lapsed_gives_its_value_back_to_all(till, order) -> None:
    shop = till.shop
    shop.issue("5.00")
    shop.hold("4.00", reference="other order", lapses=Period(hours=1))
    shop.clock.forward(hours=2)
    plan = till.plan(order(usd("9.00")), Credit("credit", till.account()), CARD)
    assert plan.taken("credit") == Balance.of(usd("5.00"))


def test_what_the_holder_may_come_to_owe_pays_last_and_debts_keep_value_back(
    till, order, why
) -> None:
    shop = till.shop
    shop.issue("5.00")
    shop.correct("set_limit", "c-17", "USD", usd("3.00"))
    plan = till.plan(order(usd("9.00")), Credit("credit", till.account()), CARD)
    assert plan.draws("credit")[1] == (None, usd("3.00"))
    assert ("credit", "used", "USD 3.00") in why(plan)
    # 6.00 is spent: 1.00 is owed. Then the limit goes, and what comes in settles first.
    shop.hold("6.00", reference="o-1")
    again = till.plan(order(usd("9.00")), Credit("credit", till.account()), CARD)
    assert again.taken("credit") == Balance.of(usd("8.00"))


def test_a_debt_beyond_the_limit_keeps_lots_back(till, order, why) -> None:
    shop = till.shop
    shop.correct("set_limit", "c-17", "USD", usd("4.00"))
    shop.redeem("4.00")
    limits = Limits(categories=["books"])
    shop.issue("3.00", limits=limits)
    shop.correct("set_limit", "c-17", "USD", usd("2.00"))
    line = OrderLine("1", usd("9.00"), category="books")
    plan = till.plan(order(line), Credit("credit", till.account()), CARD)
    assert plan.taken("credit") == Balance.of(usd("1.00"))
    assert ("credit", "kept_back_for_owed", "USD 2.00") in why(plan)


def test_a_frozen_account_gives_only_what_the_order_holds(till, order, why) -> None:
    shop = till.shop
    shop.issue("5.00")
    shop.hold("2.00", reference="o-1")
    shop.correct("freeze", "c-17", "USD")
    plan = till.plan(order(usd("9.00")), Credit("credit", till.account()), CARD)
    assert plan.taken("credit") == Balance.of(usd("2.00"))
    assert ("credit", "account_not_open", None) in why(plan)


def test_only_a_listed_spender_spends(till, order, why) -> None:
    shop = till.shop
    shop.issue("5.00")
    shop.correct("set_spenders", "c-17", "USD", ["ann"])
    wanted = order(usd("9.00"))
    by_bob = till.plan(wanted, Credit("credit", till.account()), CARD, spender="bob")
    assert ("credit", "spender_not_listed", None) in why(by_bob)
    assert by_bob.taken("credit") == Balance.of()
    by_ann = till.plan(wanted, Credit("credit", till.account()), CARD, spender="ann")
    assert by_ann.taken("credit") == Balance.of(usd("5.00"))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(categories=["books"]), "no_eligible_line"),
        (Limits(minimum_order=2000), "minimum_order"),
        (Limits(channels=["till"]), "channel"),
    ],
)
def test_a_limited_lot_says_what_keeps_it_out(make_till, order, why, limits, reason) -> None:
    till = make_till(channels=("web", "till"))
    till.shop.issue("5.00", limits=limits)
    plan = till.plan(order(usd("9.00")), Credit("credit", till.account()), CARD, channel="web")
    assert ("credit", reason, None) in why(plan)


def test_the_share_of_a_lot_is_of_the_lines_it_may_pay(till, order) -> None:
    till.shop.issue("5.00", limits=Limits(categories=["books"], share_percent=33))
    lines = (OrderLine("1", usd("1.00"), category="books"), OrderLine("2", usd("9.00")))
    plan = till.plan(order(*lines), Credit("credit", till.account()), CARD)
    assert plan.taken("credit") == Balance.of(usd("0.33"))


def test_lots_that_are_not_needed_or_find_no_line_say_so(till, order, why) -> None:
    till.shop.issue("5.00", priority=-1)
    till.shop.issue("1.00")
    enough = till.plan(order(usd("4.00")), Credit("credit", till.account()), CARD)
    assert why(enough)[1:] == [("credit", "not_needed", None)]
    gift = OrderLine("2", usd("5.00"), kind="gift_card")
    stuck = till.plan(order(usd("4.00"), gift), Credit("credit", till.account()), CARD)
    assert ("credit", "no_line_left", None) in why(stuck)


# --- Rules ------------------------------------------------------------------------------


def test_credit_does_not_pay_gift_cards_unless_a_rule_says_so(till, order) -> None:
    till.shop.issue("50.00")
    lines = order(OrderLine("gift", usd("10.00"), kind="gift_card"))
    credit = Credit("credit", till.account())
    assert till.plan(lines, credit, CARD).taken("credit") == Balance.of()
    rule = CreditRule("USD", kinds=LineKind)
    plan = till.plan(lines, credit, CARD, rules=[rule])
    assert plan.taken("credit") == Balance.of(usd("10.00"))


@pytest.mark.parametrize(
    ("rule", "taken", "reason"),
    [
        (CreditRule("USD", at_most=usd("7.00")), "7.00", ("capped", "USD 7.00")),
        (CreditRule("USD", at_most=usd("0.00")), "0.00", ("capped", "USD 0.00")),
        # Half of goods and shipping: 12.50 of 25.00.
        (CreditRule("USD", share_percent=50), "12.50", ("capped", "USD 12.50")),
        (CreditRule("USD", kinds=["shipping"]), "5.00", ("used", "USD 5.00")),
        (
            CreditRule("USD", in_steps_of=usd("10.00")),
            "10.00",
            ("lowered_to_whole_steps", "USD 8.00"),
        ),
        (CreditRule("USD", minimum_balance=usd("18.01")), "0.00", ("minimum_balance", "USD 18.01")),
        (CreditRule("USD", minimum_balance=usd("18.00")), "18.00", ("used", "USD 18.00")),
        (CreditRule("USD", minimum_order=usd("25.01")), "0.00", ("minimum_order", "USD 25.01")),
        (CreditRule("USD", minimum_order=usd("25.00")), "18.00", ("used", "USD 18.00")),
        (CreditRule("USD", minimum_order=pts(1)), "0.00", ("minimum_order", "PTS 1")),
    ],
)
def test_a_rule_bounds_what_credit_pays(till, order, why, *, rule, taken, reason) -> None:
    till.shop.issue("18.00")
    lines = (usd("20.00"), OrderLine("post", usd("5.00"), kind="shipping"))
    plan = till.plan(order(*lines), Credit("credit", till.account()), CARD, rules=[rule])
    assert plan.taken("credit")["USD"] == usd(taken)
    assert ("credit", *reason) in why(plan)
    assert plan.is_complete


def test_the_customer_names_how_much_to_use(till, order, why) -> None:
    till.shop.issue("18.00")
    credit = Credit("credit", till.account(), up_to=usd("4.00"))
    plan = till.plan(order(usd("20.00")), credit, CARD)
    assert plan.taken("credit")["USD"] == usd("4.00")
    none = till.plan(order(usd("20.00")), Credit("c", till.account(), up_to=usd("0.00")), CARD)
    assert ("c", "capped", None) in why(none)


def test_a_rule_counts_all_accounts_of_its_unit_together(till, order) -> None:
    till.shop.issue("5.00")
    till.shop.issue("5.00", holder="gift-1")
    tenders = (Credit("credit", till.account()), Credit("code", till.account("gift-1")))
    plan = till.plan(
        order(usd("20.00")), *tenders, CARD, rules=[CreditRule("USD", at_most=usd("7.00"))]
    )
    assert (plan.taken("credit"), plan.taken("code")) == (
        Balance.of(usd("5.00")),
        Balance.of(usd("2.00")),
    )


# --- The smallest external charge -------------------------------------------------------


def test_credit_makes_room_for_the_smallest_charge(till, order, why) -> None:
    till.shop.issue("19.80")
    card = External("card", minimum=usd("0.50"))
    plan = till.plan(order(usd("20.00")), Credit("credit", till.account()), card)
    assert (plan.taken("credit"), plan.external) == (
        Balance.of(usd("19.50")),
        Balance.of(usd("0.50")),
    )
    assert ("credit", "lowered_for_the_minimum_charge", "USD 0.30") in why(plan)


def test_the_last_tender_makes_room_first_and_in_whole_steps(till, order) -> None:
    till.shop.issue("15.00")
    till.shop.issue("4.80", holder="gift-1")
    tenders = (Credit("credit", till.account()), Credit("code", till.account("gift-1")))
    card = External("card", minimum=usd("1.00"))
    plan = till.plan(order(usd("20.00")), *tenders, card)
    assert (plan.taken("credit")["USD"], plan.taken("code")["USD"]) == (usd("15.00"), usd("4.00"))
    rule = CreditRule("USD", in_steps_of=usd("3.00"))
    whole = till.plan(order(usd("18.30")), *tenders, card, rules=[rule])
    assert (whole.taken("credit")["USD"], whole.taken("code")["USD"]) == (
        usd("15.00"),
        usd("0.00"),
    )
    assert whole.external["USD"] == usd("3.30")


def test_where_no_credit_can_make_room_the_small_charge_is_short(till, order, why) -> None:
    card = External("card", minimum=usd("0.50"))
    plan = till.plan(order(usd("0.20")), card)
    assert (plan.charges, plan.shortage) == ((), Balance.of(usd("0.20")))
    assert why(plan) == [(None, "below_the_minimum_charge", "USD 0.20")]
    assert "no credit can make room" in plan.reasons[0].words


def test_two_cards_share_and_each_reaches_its_minimum(till, order, why) -> None:
    cards = (External("a", at_most=usd("9.90")), External("b", minimum=usd("0.50")))
    plan = till.plan(order(usd("10.00")), *cards)
    assert [(each.tender, each.amount) for each in plan.charges] == [
        ("a", usd("9.50")),
        ("b", usd("0.50")),
    ]
    tight = (
        External("a", at_most=usd("9.90"), minimum=usd("9.60")),
        External("b", minimum=usd("0.50")),
    )
    stuck = till.plan(order(usd("10.00")), *tight)
    assert stuck.shortage == Balance.of(usd("0.10"))
    limited = till.plan(order(usd("10.00")), External("a", at_most=usd("9.00")))
    assert why(limited)[-1] == (None, "external_limit", "USD 1.00")


# --- Points at a frozen rate ------------------------------------------------------------


def test_points_pay_their_own_price_first_and_then_at_the_rate(till, order, paid) -> None:
    till.points(1000)
    credit = Credit("pts", till.account(unit="PTS"), rate=at_rate(100, "1.00"))
    plan = till.plan(order(Price.of(usd("20.00"), pts(300))), credit, CARD)
    assert [(part.tender, str(part.amount), str(part.covers)) for part in plan.parts] == [
        ("pts", "PTS 700", "USD 7.00"),
        ("pts", "PTS 300", "PTS 300"),
        ("card", "USD 13.00", "USD 13.00"),
    ]


def test_the_rate_counts_once_and_not_line_by_line(till, order) -> None:
    # Six lines of 0.99 at 3 points for a cent and a half: 2 points are a cent.
    till.points(5000)
    credit = Credit("pts", till.account(unit="PTS"), rate=at_rate(1000, "8.00"))
    plan = till.plan(order(*[usd("0.99")] * 6), credit, CARD)
    # 5.94 takes 742.5 points: 742 are 5.936, which counts as 5.94.
    assert plan.taken("pts") == Balance.of(pts(742))
    assert sorted(part.amount.minor for part in plan.parts) == [123, 123, 124, 124, 124, 124]


def test_a_coarse_token_pays_several_lines_and_is_never_given_for_less(till, order) -> None:
    till.points(3)
    credit = Credit("token", till.account(unit="PTS"), rate=at_rate(1, "5.00"))
    plan = till.plan(order(usd("1.00"), usd("2.00"), usd("4.00")), credit, CARD)
    assert plan.taken("token") == Balance.of(pts(1))
    assert plan.external == Balance.of(usd("2.00"))
    small = till.plan(order(usd("4.99")), credit, CARD)
    assert small.taken("token") == Balance.of()


def test_points_at_a_rate_keep_to_limits_rules_and_what_the_customer_named(till, order) -> None:
    till.points(400, limits=Limits(categories=["books"]))
    till.points(900, limits=Limits(categories=["toys"], minimum_order=3000))
    lines = (
        OrderLine("1", usd("3.00"), category="books"),
        OrderLine("2", usd("9.00"), category="toys"),
    )
    account = till.account(unit="PTS")
    rate = at_rate(100, "1.00")
    plan = till.plan(order(*lines), Credit("pts", account, rate=rate), CARD)
    # The toys' lot wants an order of 3000 points, which are 30.00.
    assert plan.taken("pts") == Balance.of(pts(300))
    named = till.plan(order(*lines), Credit("pts", account, rate=rate, up_to=pts(120)), CARD)
    assert named.taken("pts") == Balance.of(pts(120))
    for rule, taken in [
        (CreditRule(PTS, at_most=pts(70)), 70),
        (CreditRule(PTS, in_steps_of=pts(200)), 200),
        (CreditRule(PTS, share_percent=10), 120),
        (CreditRule(PTS, minimum_order=usd("12.01")), 0),
        (CreditRule(PTS, minimum_balance=pts(1301)), 0),
    ]:
        ruled = till.plan(order(*lines), Credit("pts", account, rate=rate), CARD, rules=[rule])
        assert ruled.taken("pts")[PTS] == pts(taken)
        assert ruled.is_complete


def test_points_make_room_for_the_smallest_charge_too(till, order) -> None:
    till.points(1990)
    credit = Credit("pts", till.account(unit="PTS"), rate=at_rate(100, "1.00"))
    plan = till.plan(order(usd("20.00")), credit, External("card", minimum=usd("0.50")))
    assert (plan.taken("pts"), plan.external) == (Balance.of(pts(1950)), Balance.of(usd("0.50")))


def test_points_of_two_accounts_share_the_cap_of_their_rule(till, order) -> None:
    till.points(30)
    till.shop.credit.issue("c-18", pts(90), funding="earned", key="p")
    rate = at_rate(3, "0.01")
    tenders = (
        Credit("a", till.account(unit="PTS"), rate=rate),
        Credit("b", till.account("c-18", "PTS"), rate=rate),
    )
    rule = CreditRule(PTS, at_most=pts(50))
    plan = till.plan(order(usd("5.00")), *tenders, CARD, rules=[rule])
    taken = [plan.taken(tender)[PTS].minor for tender in ("a", "b")]
    assert sum(taken) <= 50
    assert plan.is_complete


def test_owed_points_are_kept_back_at_a_rate_too(till, order) -> None:
    shop = till.shop
    who = {"actor": "ann", "reason": "company"}
    shop.credit.set_limit("c-17", PTS, pts(40), key="l1", **who)
    shop.credit.redeem("c-17", pts(40), key="r")
    till.points(100, limits=Limits(lines=["1"]))
    shop.credit.set_limit("c-17", PTS, pts(10), key="l2", **who)
    credit = Credit("pts", till.account(unit="PTS"), rate=at_rate(1, "0.01"))
    plan = till.plan(order(usd("5.00")), credit, CARD)
    assert plan.is_complete
    assert plan.taken("pts")[PTS] <= pts(70)


# --- Discounts, and lots that tax sees as discounts -------------------------------------


def test_a_discount_comes_before_tenders_and_lowers_what_is_taxed(till, order, why) -> None:
    till.shop.issue("5.00")
    wanted = order(usd("10.00"), usd("20.00"), discounts=[Discount("vip", amount=usd("3.00"))])
    plan = till.plan(wanted, Credit("credit", till.account()), CARD)
    first, second = plan.lines
    assert (first.discounted, first.due, first.taxable) == (
        (usd("1.00"),),
        (usd("9.00"),),
        Balance.of(usd("9.00")),
    )
    assert second.taxable == Balance.of(usd("18.00"))
    assert plan.external == Balance.of(usd("22.00"))
    assert ("vip", "discounted", "USD 3.00") in why(plan)


def test_lots_that_tax_sees_as_discounts_lower_prices_and_never_pay_tax(till, order, why) -> None:
    till.shop.issue("5.00", funding="promotional", priority=9)
    till.shop.issue("2.00")
    wanted = order(usd("10.00"), OrderLine("tax", usd("1.00"), kind="tax"))
    account = till.account()
    plan = till.plan(wanted, Credit("credit", account), CARD, as_discount=["promotional"])
    goods, tax = plan.lines
    assert (goods.reduced, goods.due, goods.taxable) == (
        (usd("5.00"),),
        (usd("5.00"),),
        Balance.of(usd("5.00")),
    )
    assert tax.reduced == ()
    assert ("credit", "reduces_the_price", "USD 5.00") in why(plan)
    # The host recomputes tax on 5.00, and plans again with the reductions as they are.
    taxed = order(usd("10.00"), OrderLine("tax", usd("0.50"), kind="tax"))
    again = till.plan(
        taxed,
        Credit("credit", account),
        CARD,
        as_discount=["promotional"],
        reductions=plan.reductions,
    )
    assert again.reductions == plan.reductions
    assert again.external == Balance.of(usd("3.50"))
    assert again.taken("credit") == Balance.of(usd("7.00"))
    assert ("credit", "reduces_the_price", "USD 5.00") in why(again)


def test_reductions_that_do_not_fit_the_order_or_the_tenders_are_refused(till, order) -> None:
    till.shop.issue("5.00", funding="promotional")
    credit = Credit("credit", till.account())
    plan = till.plan(order(usd("10.00")), credit, as_discount=["promotional"])
    given = {"as_discount": ["promotional"], "reductions": plan.reductions}
    for wanted, tenders in [
        (order(usd("4.00")), (credit,)),
        (order(pts(400)), (credit,)),
        (order(usd("10.00")), (CARD,)),
    ]:
        with pytest.raises(InvalidTender) as caught:
            till.plan(wanted, *tenders, **given)
        assert caught.value.field == "reductions"
    with pytest.raises(UnknownOrderLine):
        till.plan(order(OrderLine("other", usd("10.00"))), credit, **given)


# --- What cannot be asked ---------------------------------------------------------------


def test_a_choice_of_price_that_is_not_there_is_refused(till, order) -> None:
    wanted = order([usd("5.00"), pts(500)])
    with pytest.raises(UnknownPrice):
        till.plan(wanted, CARD, prices={"1": 2})
    with pytest.raises(UnknownOrderLine):
        till.plan(wanted, CARD, prices={"2": 0})


@pytest.mark.parametrize("tender", [Coupon("c", Money.of("5.00", "EUR")), AlreadyPaid("p", pts(5))])
def test_a_tender_in_a_unit_that_no_price_names_is_refused(till, order, tender) -> None:
    with pytest.raises(TenderUnitUnused) as caught:
        till.plan(order(usd("5.00")), tender)
    assert caught.value.due_in == ("USD",)
    assert "Nothing is converted by itself" in str(caught.value)


def test_a_single_tender_may_be_given_without_a_list(till, order) -> None:
    till.shop.issue("8.00")
    credit = Credit("credit", till.account())
    coupon, paid = Coupon("c", usd("8.00")), AlreadyPaid("deposit", usd("8.00"))
    rules = {"merchant": till.shop.credit.merchant, "at": till.shop.clock.now}
    for tender in (CARD, credit, coupon, paid):
        alone = plan_payment(order(usd("8.00")), tender, **rules)
        assert alone == till.plan(order(usd("8.00")), tender)
        assert (alone.is_complete, [each.id for each in alone.tenders]) == (True, [tender.id])
    # Any iterable is a list of them, once; and what is no tender is none alone either.
    assert plan_payment(order(usd("8.00")), iter([credit, CARD]), **rules).is_complete
    for wrong in (None, 7, "card", usd("8.00"), [None], [[CARD]]):
        with pytest.raises(InvalidTender) as caught:
            plan_payment(order(usd("8.00")), wrong, **rules)
        assert caught.value.field == "tenders"


def test_tenders_and_rules_that_cannot_be_together_are_refused(till, order) -> None:
    till.shop.issue("5.00")
    till.points(5)
    till.shop.credit.issue("c-18", pts(9), funding="earned", key="p")
    account, wanted = till.account(), order(usd("5.00"))
    mine, theirs = till.account(unit="PTS"), till.account("c-18", "PTS")
    with pytest.raises(InvalidTender):
        till.plan(wanted, "card")
    with pytest.raises(InvalidTender):
        till.plan(wanted, CARD, External("card"))
    with pytest.raises(InvalidTender):
        till.plan(wanted, Credit("a", account), Credit("b", account))
    with pytest.raises(InvalidTender):
        till.plan(wanted, Credit("a", mine, rate=at_rate(1, "0.01")), Credit("b", theirs))
    with pytest.raises(InvalidTender):
        till.plan(wanted, CARD, rules=[CreditRule("USD"), CreditRule("USD")])
    with pytest.raises(InvalidTender):
        till.plan(wanted, CARD, rules=["USD"])
    with pytest.raises(InvalidTender):
        till.plan(wanted, CARD, as_discount="promotional")
    with pytest.raises(InvalidTender) as other:
        plan_payment(
            wanted, [Credit("a", account)], merchant=Merchant(id="bolt"), at=till.shop.clock.now
        )
    assert (other.value.value, other.value.expected) == ("acme", "bolt")


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda _: Credit("c", "account"), "account"),
        (lambda a: Credit("c", a, up_to=usd("-1.00")), "up_to"),
        (lambda a: Credit("c", a, up_to=pts(1)), "up_to"),
        (lambda a: Credit("c", a, rate="1"), "rate"),
        (lambda a: Credit("c", a, rate=at_rate(1, "1.00")), "rate"),
        (lambda a: Credit("c", a, kind="coupon"), "kind"),
        (lambda _: Coupon("c", usd("0.00")), "coupon.amount"),
        (lambda _: AlreadyPaid("p", usd("-0.01")), "paid.amount"),
        (lambda _: CreditRule("USD", share_percent=101), "share_percent"),
        (lambda _: CreditRule("USD", share_percent="50"), "share_percent"),
        (lambda _: CreditRule("USD", at_most=usd("-1.00")), "at_most"),
        (lambda _: CreditRule("USD", minimum_order=usd("-1.00")), "minimum_order"),
        (lambda _: CreditRule("USD", minimum_balance=usd("-1.00")), "minimum_balance"),
        (lambda _: CreditRule("USD", in_steps_of=usd("0.00")), "in_steps_of"),
        (lambda _: CreditRule("USD", at_most=pts(1)), "at_most"),
    ],
)
def test_a_tender_or_rule_that_cannot_be_names_its_field(till, make, field) -> None:
    till.shop.issue("5.00")
    with pytest.raises(InvalidTender) as caught:
        make(till.account())
    assert caught.value.field == field


def test_instants_channels_and_units_are_checked_as_everywhere(make_till, order) -> None:
    till = make_till(channels=("web",))
    with pytest.raises(NaiveInstant):
        till.plan(order(usd("1.00")), CARD, at=dt.datetime(2026, 1, 1))  # noqa: DTZ001 - refused
    with pytest.raises(ChannelRequired):
        till.plan(order(usd("1.00")), CARD)
    with pytest.raises(UnitRedefined):
        till.plan(order(Money.of_minor(5, CustomUnit("PTS", 2))), CARD, channel="web")


def test_a_plan_hands_its_lines_to_the_ledger(till, order) -> None:
    lines = (OrderLine("1", usd("5.00"), category="books"), OrderLine("2", pts(4)))
    plan = till.plan(order(*lines), CARD)
    (line,) = plan.ledger_lines("USD")
    assert (line.id, line.amount, line.category) == ("1", usd("5.00"), "books")
    till.shop.issue("2.00", funding="promotional")
    credit = Credit("credit", till.account())
    lowered = till.plan(order(*lines), credit, CARD, as_discount=["promotional"])
    assert lowered.lines[0].due == (usd("3.00"),)
    assert lowered.ledger_lines("USD") == (line,)
    assert PaymentPlan.from_json(plan.to_json()) == plan


def test_an_external_tender_cannot_be_charged_less_than_its_minimum_at_most(till, order) -> None:
    with pytest.raises(InvalidTender) as caught:
        External("card", minimum=usd("5.00"), at_most=usd("4.00"))
    assert caught.value.field == "at_most"
    # Making room in whole steps would ask the second card for less than it takes.
    till.shop.issue("4.00")
    cards = (
        External("a", minimum=usd("2.00"), at_most=usd("2.00")),
        External("b", minimum=usd("5.00")),
    )
    rule = CreditRule("USD", in_steps_of=usd("2.00"))
    plan = till.plan(order(usd("5.00")), Credit("credit", till.account()), *cards, rules=[rule])
    assert (plan.taken("credit"), plan.shortage) == (
        Balance.of(usd("4.00")),
        Balance.of(usd("1.00")),
    )


# --- What no till does by itself --------------------------------------------------------


def limited(till, amount: str, *lines: str, holder: str = "c-17", **terms):
    return till.shop.issue(amount, holder=holder, limits=Limits(lines=lines), **terms).lot_id


def test_a_capped_account_leaves_the_line_that_a_code_needs(till, order) -> None:
    # The account may use 10.00. If its first lot took the book, the code could pay nothing.
    book_lot = limited(till, "10.00", "book", priority=-1)
    hat_lot = limited(till, "10.00", "hat")
    code_lot = limited(till, "10.00", "book", holder="gift-1")
    lines = (OrderLine("book", usd("10.00")), OrderLine("hat", usd("10.00")))
    plan = till.plan(
        order(*lines),
        Credit("credit", till.account(), up_to=usd("10.00")),
        Credit("code", till.account("gift-1")),
        CARD,
    )
    assert plan.charges == ()
    assert {part.lot: part.line for part in plan.parts} == {hat_lot: "hat", code_lot: "book"}
    assert book_lot not in {part.lot for part in plan.parts}


def test_among_the_best_placements_the_order_of_use_decides_under_a_cap_too(till, order) -> None:
    # As before, and a third lot that may pay the hat as well: the earlier one does.
    limited(till, "10.00", "book", priority=-2)
    early = limited(till, "10.00", "hat", priority=-1)
    limited(till, "10.00", "hat")
    limited(till, "10.00", "book", holder="gift-1")
    lines = (OrderLine("book", usd("10.00")), OrderLine("hat", usd("10.00")))
    plan = till.plan(
        order(*lines),
        Credit("credit", till.account(), up_to=usd("10.00")),
        Credit("code", till.account("gift-1")),
        CARD,
    )
    assert plan.draws("credit") == ((early, usd("10.00")),)


def test_lots_whose_lines_overlap_stay_where_they_are_placed(till, order) -> None:
    limited(till, "3.00", "1", "2", priority=-1)
    limited(till, "3.00", "2", "3")
    plan = till.plan(
        order(usd("4.00"), usd("4.00"), usd("4.00")), Credit("credit", till.account()), CARD
    )
    assert [(part.tender, part.line, str(part.amount)) for part in plan.parts] == [
        ("credit", "1", "USD 3.00"),
        ("credit", "2", "USD 3.00"),
        ("card", "1", "USD 1.00"),
        ("card", "2", "USD 1.00"),
        ("card", "3", "USD 4.00"),
    ]


def test_a_debt_keeps_back_no_more_than_limited_lots_could_pay_here(till, order) -> None:
    shop = till.shop
    shop.correct("set_limit", "c-17", "USD", usd("4.00"))
    shop.redeem("4.00")
    limited(till, "3.00", "1")
    limited(till, "9.00", "elsewhere")
    shop.correct("set_limit", "c-17", "USD", usd("2.00"))
    plan = till.plan(order(usd("9.00")), Credit("credit", till.account()), CARD)
    # 3.00 could be paid here, and 2.00 is owed beyond the limit.
    assert plan.taken("credit") == Balance.of(usd("1.00"))


def test_tenders_and_discounts_of_other_units_leave_a_unit_alone(till, order, why) -> None:
    off = Discount("off", amount=usd("1.00"))
    wanted = order(Price.of(usd("5.00"), pts(5)), discounts=[off])
    coupon = Coupon("coupon", pts(3))
    plan = till.plan(wanted, coupon, External("desk", units=["USD", "PTS"]))
    assert plan.external == Balance.of(usd("4.00"), pts(2))
    assert why(plan)[:2] == [("off", "discounted", "USD 1.00"), ("coupon", "used", "PTS 3")]


def test_a_rule_with_a_share_and_an_amount_allows_the_smaller(till, order) -> None:
    till.shop.issue("50.00")
    for at_most, taken in [("4.00", "4.00"), ("40.00", "10.00")]:
        rule = CreditRule("USD", share_percent=50, at_most=usd(at_most))
        plan = till.plan(order(usd("20.00")), Credit("c", till.account()), CARD, rules=[rule])
        assert plan.taken("c") == Balance.of(usd(taken))


def test_an_order_that_is_large_enough_may_be_paid_by_a_lot_that_asks_for_it(till, order) -> None:
    till.shop.issue("5.00", limits=Limits(minimum_order=2000))
    plan = till.plan(order(usd("15.00"), usd("5.00")), Credit("c", till.account()), CARD)
    assert plan.taken("c") == Balance.of(usd("5.00"))
