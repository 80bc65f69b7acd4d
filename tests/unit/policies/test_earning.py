"""Points: whole steps, what does not count, multipliers, pending, and what is due after a return (P4)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from storecredit.errors import (
    AmountOutOfRange,
    InvalidOrder,
    InvalidTerms,
    InvalidText,
    TextUnreadable,
    UnitMismatch,
    UnknownCurrency,
)
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.earn_rule import EarningPolicy, EarnRule, Multiplier
from storecredit.policies.earning import EarnDecision, earn, points_due
from storecredit.policies.line_terms import Passed
from storecredit.policies.purchase import Purchase, PurchaseLine, Returned, purchase_of
from storecredit.tenders import (
    External,
    LineAmount,
    Order,
    OrderLine,
    Price,
    plan_payment,
)
from storecredit.values import CustomUnit, Money, Period

PTS = CustomUnit("PTS", 0)
STARS = CustomUnit("STAR", 2)
NAMED = PolicyVersion("loyalty", "3")
BOUGHT = datetime(2026, 3, 1, 15, tzinfo=UTC)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def line(name: str, amount: str, **more: Any) -> PurchaseLine:
    return PurchaseLine(id=name, amount=eur(amount), **more)


def bought(*lines: PurchaseLine, **more: Any) -> Purchase:
    given = {"order": "o-1", "holder": "anna", "at": BOUGHT, **more}
    return Purchase(lines=lines, **given)


def rule(**more: Any) -> EarnRule:
    return EarnRule(**{"id": "base", "per": eur("10.00"), "points": 10, **more})


def decided(purchase: Purchase, *rules: EarnRule) -> EarnDecision:
    return earn(EarningPolicy(rules=rules), purchase, named=NAMED, units=[PTS, STARS])


def points(purchase: Purchase, **terms: Any) -> dict[str, int]:
    """The points by line."""
    return {each.line: each.amount.minor for each in decided(purchase, rule(**terms)).lines}


# --- Whole steps --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spent", "expected"),
    [("0.00", {}), ("9.99", {}), ("10.00", {"a": 10}), ("19.99", {"a": 10}), ("20.00", {"a": 20})],
)
def test_only_whole_steps_earn(spent: str, expected: dict[str, int]) -> None:
    assert points(bought(line("a", spent))) == expected


def test_steps_are_counted_on_the_sum_and_shared_by_what_counts() -> None:
    # 6.00 + 7.00 + 9.00 = 22.00: two steps, 20 points, shared 6 : 7 : 9.
    purchase = bought(line("a", "6.00"), line("b", "7.00"), line("c", "9.00"))
    assert points(purchase) == {"a": 6, "b": 6, "c": 8}


def test_or_on_each_line_for_itself() -> None:
    purchase = bought(line("a", "6.00"), line("b", "17.00"), line("c", "29.00"))
    assert points(purchase, on="line") == {"b": 10, "c": 20}
    assert points(purchase, on="line", at_most=20) == {"b": 7, "c": 13}


def test_tax_shipping_fees_and_gift_cards_earn_nothing_unless_the_rule_says_so() -> None:
    kinds = ["goods", "tax", "shipping", "fee", "gift_card"]
    purchase = bought(*[line(kind, "10.00", kind=kind) for kind in kinds])
    assert points(purchase) == {"goods": 10}
    assert points(purchase, without_kinds=["tax"]) == dict.fromkeys(
        ["goods", "shipping", "fee", "gift_card"], 10
    )
    assert points(purchase, without_kinds=[]) == dict.fromkeys(kinds, 10)


def test_categories_can_be_left_out() -> None:
    purchase = bought(line("a", "10.00", category="books"), line("b", "10.00"))
    assert points(purchase, without_categories=["books"]) == {"b": 10}


def test_the_part_that_credit_paid_earns_nothing_unless_the_rule_says_so() -> None:
    purchase = bought(line("a", "25.00", credit=eur("5.01")))
    assert points(purchase) == {"a": 10}
    assert points(purchase, paid_with_credit="counted") == {"a": 20}


def test_credit_for_the_whole_order_is_borne_by_all_lines_exactly() -> None:
    purchase = bought(line("a", "10.00"), line("b", "10.00"), line("t", "10.00", kind="tax"))
    shared = purchase.sharing_credit(eur("10.00"))
    assert [each.by_credit for each in shared.lines] == [eur("3.34"), eur("3.33"), eur("3.33")]
    assert [each.by_others for each in shared.lines] == [eur("6.66"), eur("6.67"), eur("6.67")]
    assert purchase.sharing_credit(eur("0.00")) == purchase
    for wrong in (eur("30.01"), eur("-0.01"), Money.of("1.00", "USD")):
        with pytest.raises(InvalidOrder, match=r"from nothing up to EUR 30\.00"):
            purchase.sharing_credit(wrong)


def test_less_than_the_minimum_earns_nothing() -> None:
    purchase = bought(line("a", "20.00"), line("t", "10.00", kind="tax"))
    assert points(purchase, minimum_order=eur("20.00")) == {"a": 20}
    assert points(purchase, minimum_order=eur("20.01")) == {}


def test_no_more_than_the_most_is_earned_and_all_lines_share_it() -> None:
    purchase = bought(line("a", "100.00"), line("b", "50.00"))
    assert points(purchase, at_most=40) == {"a": 27, "b": 13}


def test_a_unit_with_digits_keeps_parts_of_points() -> None:
    decision = decided(
        bought(line("a", "19.00")),
        rule(unit="STAR", multipliers=[Multiplier(times=Decimal("1.555"), channels=["app"])]),
    )
    assert decision.points == Money.of("10.00", STARS)
    times = Multiplier(times=Decimal("1.555"), channels=["app"])
    in_app = decided(
        bought(line("a", "19.00"), channel="app"), rule(unit="STAR", multipliers=[times])
    )
    assert in_app.points == Money.of("15.55", STARS)
    assert points(bought(line("a", "19.00"), channel="app"), multipliers=[times]) == {"a": 15}


# --- Multipliers --------------------------------------------------------------------------


def times(number: str, **about: Any) -> Multiplier:
    return Multiplier(times=Decimal(number), **about)


def test_a_multiplier_holds_for_its_groups_categories_and_channels_together() -> None:
    double = times("2", segments=["gold"], categories=["shoes"], channels=["web"])
    shoes = line("a", "10.00", category="shoes")
    held = {"segments": ["gold"], "channel": "web"}
    assert points(bought(shoes, **held), multipliers=[double]) == {"a": 20}
    assert points(bought(line("a", "10.00"), **held), multipliers=[double]) == {"a": 10}
    assert points(bought(shoes, channel="web"), multipliers=[double]) == {"a": 10}
    assert points(bought(shoes, segments=["gold"]), multipliers=[double]) == {"a": 10}


def test_of_several_the_highest_counts_or_all_are_multiplied() -> None:
    both = [times("3", segments=["gold"]), times("1.5", categories=["shoes"])]
    purchase = bought(line("a", "10.00", category="shoes"), segments=["gold"])
    assert points(purchase, multipliers=both) == {"a": 30}
    assert points(purchase, multipliers=both, stacking="multiplied") == {"a": 45}
    nothing = times("0", categories=["shoes"])
    assert points(purchase, multipliers=[nothing]) == {}


def test_the_most_multiplied_money_fills_the_steps_first() -> None:
    double = times("2", categories=["shoes"])
    # One step of 10.00, and all of it at double points.
    purchase = bought(line("a", "9.00"), line("b", "10.00", category="shoes"))
    assert points(purchase, multipliers=[double]) == {"a": 6, "b": 14}
    # 9.00 at double points and 1.00 at single ones: 19 points.
    purchase = bought(line("a", "9.00"), line("b", "9.00", category="shoes"))
    assert sum(points(purchase, multipliers=[double]).values()) == 19


# --- Which rule, and from when ------------------------------------------------------------


def test_the_first_rule_that_holds_decides_and_the_others_say_why_not() -> None:
    purchase = bought(line("a", "10.00"), segments=["silver"], channel="web")
    rules = [
        rule(id="dollars", per=Money.of("1.00", "USD")),
        rule(id="gold", segments=["gold"]),
        rule(id="app", channels=["app"]),
        rule(id="all", points=3),
    ]
    decision = decided(purchase, *rules)
    assert (decision.rule, decision.points) == (rules[3], pts(3))
    assert decision.passed == (
        Passed("dollars", "the purchase is in EUR"),
        Passed("gold", "the holder is in none of the groups"),
        Passed("app", "the channel is web"),
    )
    nothing = decided(bought(line("a", "10.00")), rules[1], rules[2])
    assert (nothing.rule, nothing.points, nothing.lines) == (None, None, ())
    assert nothing.passed[1] == Passed("app", "no channel is known")
    assert nothing.to_remove(nothing.purchase) is None


def test_points_are_pending_to_the_end_of_the_last_local_day() -> None:
    term = Period(days=30, zone="Europe/Berlin")
    delivered = datetime(2026, 3, 3, 9, tzinfo=UTC)
    purchase = bought(line("a", "10.00"), delivered_at=delivered)
    assert decided(purchase, rule()).effective is None
    # 30 days from 3 March are over with 2 April, by then in summer time.
    decision = decided(purchase, rule(pending=term))
    assert decision.effective == datetime(2026, 4, 2, 22, tzinfo=UTC)
    since = decided(purchase, rule(pending=term, since="purchase"))
    assert since.effective == datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_what_is_not_delivered_yet_cannot_be_pending_from_then_on() -> None:
    with pytest.raises(InvalidOrder, match="delivered_at is None") as refused:
        decided(bought(line("a", "10.00")), rule(pending=Period(days=30)))
    assert refused.value.field == "delivered_at"
    # Nothing is earned, so nothing is pending.
    assert decided(bought(line("a", "1.00")), rule(pending=Period(days=30))).points is None


def test_a_unit_has_to_be_declared() -> None:
    with pytest.raises(UnknownCurrency):
        decided(bought(line("a", "10.00")), rule(unit="MILES"))


def test_more_points_than_there_can_be_are_refused() -> None:
    purchase = bought(line("a", "10000000000000.00"), line("b", "10000000000000.00"))
    with pytest.raises(AmountOutOfRange):
        decided(purchase, rule(points=10**18))
    with pytest.raises(AmountOutOfRange):
        decided(purchase, rule(points=9_000_000))


# --- Returns ------------------------------------------------------------------------------


def test_what_goes_is_what_was_earned_less_what_went_less_what_is_due() -> None:
    decision = decided(bought(line("a", "15.00"), line("b", "10.00")), rule())
    assert decision.points == pts(20)
    kept = decision.purchase.less([Returned(line="a", amount=eur("5.00"))])
    assert decision.due_on(kept) == pts(20)
    assert decision.to_remove(kept) == pts(0)
    kept = kept.less([Returned(line="b", amount=eur("0.01"))])
    assert decision.due_on(kept) == pts(10)
    assert decision.to_remove(kept) == pts(10)
    assert decision.to_remove(kept, removed=pts(10)) == pts(0)
    # More went than is due to: nothing comes back.
    assert decision.to_remove(kept, removed=pts(15)) == pts(0)
    gone = kept.less([Returned(line="a", amount=eur("10.00"))])
    assert decision.to_remove(gone, removed=pts(10)) == pts(10)
    with pytest.raises(UnitMismatch):
        decision.to_remove(kept, removed=eur("1.00"))


def test_below_the_minimum_nothing_is_kept() -> None:
    decision = decided(bought(line("a", "30.00")), rule(minimum_order=eur("20.00")))
    kept = decision.purchase.less([Returned(line="a", amount=eur("10.01"))])
    assert decision.to_remove(kept) == pts(30)


def test_a_return_takes_credit_and_money_in_proportion_unless_it_says_which() -> None:
    purchase = bought(line("a", "30.00", credit=eur("10.00")))
    kept = purchase.less([Returned(line="a", amount=eur("15.00"))]).line("a")
    assert (kept.amount, kept.credit) == (eur("15.00"), eur("5.00"))
    first = Returned(line="a", amount=eur("15.00"), credit=eur("10.00"))
    kept = purchase.less([first]).line("a")
    assert (kept.by_credit, kept.by_others) == (eur("0.00"), eur("15.00"))
    last = Returned(line="a", amount=eur("15.00"))
    assert purchase.less([first, last]).line("a").amount == eur("0.00")
    assert purchase.less([Returned(line="a", amount=eur("0.00"))]) == purchase


@pytest.mark.parametrize(
    "returned",
    [
        Returned(line="z", amount=eur("1.00")),
        Returned(line="a", amount=eur("30.01")),
        Returned(line="a", amount=eur("-0.01")),
        Returned(line="a", amount=Money.of("1.00", "USD")),
        Returned(line="a", amount=eur("15.00"), credit=eur("10.01")),
        Returned(line="a", amount=eur("5.00"), credit=eur("5.01")),
        Returned(line="a", amount=eur("5.00"), credit=eur("-0.01")),
        Returned(line="a", amount=eur("25.00"), credit=eur("4.99")),
        Returned(line="a", amount=eur("5.00"), credit=Money.of("1.00", "USD")),
    ],
)
def test_no_more_comes_back_than_was_bought(returned: Returned) -> None:
    purchase = bought(line("a", "30.00", credit=eur("10.00")))
    with pytest.raises(InvalidOrder):
        purchase.less([returned])


def test_points_due_is_the_rule_alone() -> None:
    assert points_due(rule(), bought(line("a", "25.00")), units=[PTS]) == pts(20)
    assert points_due(rule(), bought(line("a", "5.00")), units=[PTS]) == pts(0)


# --- For the refund planner, and from a plan ----------------------------------------------


def test_the_planner_of_refunds_gets_what_goes_by_line() -> None:
    whole = bought(line("a", "15.00"), line("b", "10.00"))
    decision = decided(whole, rule())
    assert decision.lines == (LineAmount("a", pts(12)), LineAmount("b", pts(8)))
    after = whole.less([Returned(line="b", amount=eur("10.00"))])
    # Ten points for each whole ten euros: one is left for a, which had a part of the other, too.
    assert decision.going(whole, after) == (LineAmount("a", pts(2)), LineAmount("b", pts(8)))
    both = whole.less([Returned(line=name, amount=eur("10.00")) for name in ("a", "b")])
    assert decision.going(whole, both) == (LineAmount("a", pts(12)), LineAmount("b", pts(8)))
    some = decision.going(whole, both, removed=pts(5))
    assert some == (LineAmount("a", pts(9)), LineAmount("b", pts(6)))


def test_what_is_due_to_go_goes_also_where_no_line_loses_any() -> None:
    whole = bought(line("a", "15.00"), line("b", "10.00"))
    decision = decided(whole, rule())
    after = whole.less([Returned(line="b", amount=eur("10.00"))])
    assert decision.going(after, after) == (LineAmount("a", pts(6)), LineAmount("b", pts(4)))
    assert decision.going(after, after, removed=pts(10)) == ()
    nothing = decided(bought(line("a", "1.00")), rule())
    assert nothing.going(whole, after) == ()


def test_a_purchase_is_read_from_the_plan_that_pays_it(till) -> None:
    till.points(50)
    till.shop.issue("6.00")
    shop = till.shop
    order = Order(
        "o-1",
        [
            OrderLine("shirt", Price.of(Money.of("9.00", "USD"), pts(20)), category="clothes"),
            OrderLine("post", Money.of("3.00", "USD"), kind="shipping"),
            OrderLine("stamp", pts(5)),
        ],
    )
    credit = shop.credit
    plan = plan_payment(
        order,
        [
            credit.tender("points", "c-17", PTS),
            credit.tender("credit", "c-17", "USD"),
            External("card"),
        ],
        merchant=credit.merchant,
        at=shop.clock.now,
        channel=None,
    )
    dollars = Money.of("1.00", "USD").unit
    found = purchase_of(plan, holder="c-17", unit=dollars, segments=["gold"])
    assert (found.order, found.at, found.segments) == ("o-1", shop.clock.now, ("gold",))
    assert [(each.id, each.amount.minor, each.by_credit.minor) for each in found.lines] == [
        ("shirt", 900, 450),
        ("post", 300, 150),
        ("stamp", 0, 0),
    ]
    assert (found.line("shirt").category, found.line("post").kind) == ("clothes", "shipping")
    with pytest.raises(InvalidOrder, match="unit is 'EUR'"):
        purchase_of(plan, holder="c-17", unit=eur("1.00").unit)


# --- What cannot be -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"per": eur("0.00")}, "per"),
        ({"per": "EUR 1.00"}, "per"),
        ({"points": 0}, "points"),
        ({"points": True}, "points"),
        ({"on": "basket"}, "on"),
        ({"without_kinds": "tax"}, "without_kinds"),
        ({"without_kinds": ["taxes"]}, "without_kinds"),
        ({"without_categories": ["a", "a"]}, "without_categories"),
        ({"paid_with_credit": "maybe"}, "paid_with_credit"),
        ({"multipliers": [2]}, "multipliers"),
        ({"multipliers": 2}, "multipliers"),
        ({"stacking": "added"}, "stacking"),
        ({"minimum_order": eur("-1.00")}, "minimum_order"),
        ({"minimum_order": Money.of("1.00", "USD")}, "minimum_order"),
        ({"at_most": 0}, "at_most"),
        ({"pending": "P30D"}, "pending"),
        ({"since": "payment"}, "since"),
        ({"expires": 30}, "expires"),
        ({"shortfall": "ignore"}, "shortfall"),
        ({"segments": []}, "segments"),
        ({"segments": "gold"}, "segments"),
        ({"channels": ["web", "web"]}, "channels"),
        ({"unit": "EUR"}, "unit"),
    ],
)
def test_a_rule_that_cannot_be_says_what_would_be_right(terms: Any, field: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        rule(**terms)
    assert refused.value.field == field


@pytest.mark.parametrize("number", [1.5, "2", -1, 1001, Decimal("NaN"), Decimal("Infinity"), True])
def test_a_multiplier_is_written_exactly(number: Any) -> None:
    with pytest.raises(InvalidTerms, match="a number from 0 to 1000"):
        Multiplier(times=number, segments=["gold"])


def test_a_multiplier_says_for_what() -> None:
    with pytest.raises(InvalidTerms, match="raise the points"):
        Multiplier(times=Decimal(2))


def test_a_policy_has_rules_with_ids_of_their_own() -> None:
    with pytest.raises(InvalidTerms, match="one rule at least"):
        EarningPolicy(rules=[])
    with pytest.raises(InvalidTerms, match="given once"):
        EarningPolicy(rules=[rule(), rule()])
    with pytest.raises(InvalidTerms, match="a decides wherever it holds"):
        EarningPolicy(rules=[rule(id="a"), rule(id="b", segments=["gold"])])
    web, app = (rule(id=name, channels=[name]) for name in ("web", "app"))
    with pytest.raises(InvalidTerms, match="web and app together decide wherever it holds"):
        EarningPolicy(rules=[web, app, rule(id="c", channels=["web", "app"], segments=["gold"])])
    assert len(EarningPolicy(rules=[web, app, rule(id="c")]).rules) == 3
    with pytest.raises(InvalidTerms, match="a list of EarnRule"):
        EarningPolicy(rules=["base"])  # type: ignore[list-item]  # that is what is tried
    with pytest.raises(InvalidText):
        rule(id="")


@pytest.mark.parametrize(
    "make",
    [
        bought,
        lambda: bought("a"),  # type: ignore[arg-type]  # that is what is tried
        lambda: bought(line("a", "1.00"), line("a", "2.00")),
        lambda: bought(line("a", "1.00"), PurchaseLine(id="b", amount=Money.of("1.00", "USD"))),
        lambda: bought(line("a", "1.00"), delivered_at=datetime(2026, 2, 1, tzinfo=UTC)),
        lambda: line("a", "-1.00"),
        lambda: line("a", "1.00", credit=eur("1.01")),
        lambda: line("a", "1.00", credit=eur("-0.01")),
        lambda: line("a", "1.00", credit=Money.of("1.00", "USD")),
        lambda: bought(line("a", "1.00")).line("b"),
    ],
)
def test_a_purchase_that_cannot_be_is_refused(make: Any) -> None:
    with pytest.raises(InvalidOrder):
        make()


def test_texts_of_a_purchase_can_be_kept() -> None:
    for more in ({"holder": ""}, {"order": "\x00"}, {"channel": ""}):
        with pytest.raises(InvalidText):
            bought(line("a", "1.00"), **more)
    with pytest.raises(InvalidText):
        line("a", "1.00", category="")
    with pytest.raises(InvalidTerms):
        line("a", "1.00", kind="present")


def test_a_decision_is_data() -> None:
    shoes = line("a", "25.00", category="shoes", credit=eur("1.00"))
    terms = rule(
        multipliers=[times("1.25", categories=["shoes"])],
        pending=Period(months=1, round_up_to="quarter", zone="Europe/Paris"),
        since="purchase",
        expires=Period(years=1),
        shortfall="owe",
        minimum_order=eur("2.00"),
    )
    decision = decided(
        bought(shoes, segments=["gold"], channel="web"), rule(id="no", segments=["x"]), terms
    )
    assert EarnDecision.from_json(decision.to_json()) == decision
    with pytest.raises(TextUnreadable):
        EarnDecision.from_json({"purchase": {}})
    for wrong in ("much", 1.5):
        form = decision.to_json()
        form["rule"]["multipliers"][0]["times"] = wrong
        with pytest.raises(TextUnreadable):
            EarnDecision.from_json(form)
