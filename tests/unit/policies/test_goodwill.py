"""Goodwill and incentives: the first rule that holds, what it gives, and what it gives for once (P4)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from storecredit.errors import InvalidTerms, InvalidText, NaiveInstant, RoundingNecessary
from storecredit.ledger import Funding, Limits
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.gift import Basis, Circumstances, Gift, GrantCeiling, OncePer
from storecredit.policies.goodwill import (
    GoodwillPolicy,
    GoodwillRule,
    IncentivePolicy,
    IncentiveRule,
    give_goodwill,
    give_incentive,
)
from storecredit.policies.grant_decision import GrantDecision, GrantKind, GrantLot
from storecredit.policies.granted import GrantTally
from storecredit.policies.line_terms import Passed
from storecredit.policies.occasion import Occasion
from storecredit.values import Money, Period, Rounding

NAMED = PolicyVersion("sorry", "7")
AT = datetime(2026, 3, 1, tzinfo=UTC)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def five() -> Gift:
    return Gift(amount=eur("5.00"))


def occasion(**more: Any) -> Occasion:
    return Occasion(**{"id": "t-1", "on": "late delivery", "holder": "anna", "at": AT, **more})


def rule(**more: Any) -> GoodwillRule:
    return GoodwillRule(**{"id": "late", "on": "late delivery", "gives": five(), **more})


def goodwill(event: Occasion, *rules: GoodwillRule, **more: Any) -> GrantDecision:
    return give_goodwill(GoodwillPolicy(rules=rules, **more), event, named=NAMED)


def incentive(event: Occasion, *rules: IncentiveRule, **more: Any) -> GrantDecision:
    return give_incentive(IncentivePolicy(rules=rules, **more), event, named=NAMED)


def test_the_first_rule_that_holds_gives_and_the_others_say_why_not() -> None:
    rules = [
        rule(id="broken", on="damaged parcel"),
        rule(id="much", when=Circumstances(at_least=eur("100.00"))),
        rule(id="little", when=Circumstances(below=eur("50.00"))),
        rule(id="gold", when=Circumstances(segments=["gold"])),
        rule(id="app", when=Circumstances(channels=["app"])),
        rule(id="very late", when=Circumstances(days_late=7)),
        rule(id="once", once_per="order"),
        rule(id="late", gives=Gift(amount=eur("5.00"), expires=Period(days=90)), because="sorry"),
    ]
    decision = goodwill(
        occasion(order_total=eur("60.00"), days_late=3, segments=["new"], channel="web"), *rules
    )
    assert (decision.kind, decision.rule, decision.because) == (GrantKind.GOODWILL, "late", "sorry")
    assert decision.lots == (
        GrantLot(
            holder="anna",
            amount=eur("5.00"),
            funding=Funding.GOODWILL,
            expires=Period(days=90),
        ),
    )
    assert decision.passed == (
        Passed("broken", "it is about damaged parcel"),
        Passed("much", "EUR 60.00 is below EUR 100.00"),
        Passed("little", "EUR 60.00 is not below EUR 50.00"),
        Passed("gold", "the holder is in none of the groups"),
        Passed("app", "the channel is web"),
        Passed("very late", "it is 3 days late, and not 7"),
        Passed("once", "no order is known"),
    )


def test_all_that_is_said_has_to_hold() -> None:
    when = Circumstances(
        at_least=eur("50.00"),
        below=eur("100.00"),
        segments=["gold", "new"],
        channels=["web", "app"],
        days_late=3,
    )
    good = {"order_total": eur("60.00"), "segments": ["new"], "channel": "web", "days_late": 3}
    assert goodwill(occasion(**good), rule(when=when)).rule == "late"
    for wrong in (
        {"order_total": eur("49.99")},
        {"order_total": eur("100.00")},
        {"segments": []},
        {"channel": "till"},
        {"days_late": 2},
    ):
        assert goodwill(occasion(**{**good, **wrong}), rule(when=when)).rule is None


def test_what_is_not_known_holds_for_no_rule() -> None:
    rules = [
        rule(id="much", when=Circumstances(at_least=eur("100.00"))),
        rule(id="app", when=Circumstances(channels=["app"])),
        rule(id="late", when=Circumstances(days_late=1)),
        rule(id="share", gives=Gift(percent=Decimal(10), rounding="down")),
        rule(id="post", gives=Gift(percent=Decimal(10), of="shipping", rounding="down")),
    ]
    decision = goodwill(occasion(), *rules)
    assert (decision.rule, decision.lots, decision.name) == (None, (), None)
    assert [each.because for each in decision.passed] == [
        "no order total is known",
        "no channel is known",
        "it is not known how late it is",
        "no order amount in a unit of the rule is known",
        "no shipping amount in a unit of the rule is known",
    ]
    in_dollars = goodwill(occasion(order_total=Money.of("500.00", "USD")), rules[0])
    assert in_dollars.passed == (Passed("much", "the order is in USD"),)


@pytest.mark.parametrize(
    ("gift", "given"),
    [
        ({"rounding": "down"}, "2.49"),
        ({"rounding": "up"}, "2.50"),
        ({"rounding": Rounding.HALF_EVEN, "at_most": eur("2.00")}, "2.00"),
        ({"rounding": "half_even", "of": "shipping"}, "0.50"),
    ],
)
def test_a_percentage_is_of_the_order_or_its_shipping_rounded_as_named(
    gift: dict[str, Any], given: str
) -> None:
    event = occasion(order_total=eur("24.95"), shipping=eur("4.99"))
    decision = goodwill(event, rule(gives=Gift(percent=Decimal(10), **gift)))
    assert [lot.amount for lot in decision.lots] == [eur(given)]


def test_a_percentage_that_may_not_round_and_has_to_is_refused() -> None:
    gift = Gift(percent=Decimal("0.1"), rounding="unnecessary")
    with pytest.raises(RoundingNecessary):
        goodwill(occasion(order_total=eur("1.00")), rule(gives=gift))
    assert Gift(percent=Decimal(50), rounding="unnecessary").on(
        occasion(order_total=eur("1.00"))
    ) == eur("0.50")


def test_a_cap_in_another_unit_is_for_orders_in_that_unit() -> None:
    gift = Gift(percent=Decimal(10), rounding="down", at_most=Money.of("5.00", "USD"))
    decision = goodwill(occasion(order_total=eur("24.95")), rule(gives=gift), rule(id="all"))
    assert (decision.rule, len(decision.passed)) == ("all", 1)


def test_a_percentage_of_nothing_gives_nothing() -> None:
    gift = Gift(percent=Decimal(100), of=Basis.SHIPPING, rounding="down")
    decision = goodwill(occasion(shipping=eur("0.00")), rule(gives=gift))
    assert (decision.rule, decision.lots) == ("late", ())


def test_limits_go_with_the_lot() -> None:
    limits = Limits(categories=("books",), minimum_order=2000)
    decision = goodwill(occasion(), rule(gives=Gift(amount=eur("5.00"), limits=limits)))
    assert decision.lots[0].limits == limits
    assert GrantDecision.from_json(decision.to_json()) == decision


# --- Rules that never decide --------------------------------------------------------------


def reached(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether the second rule may come after the first."""
    try:
        GoodwillPolicy(rules=[rule(id="a", **first), rule(id="b", **second)])
    except InvalidTerms as refused:
        message = str(refused)
    else:
        return True
    assert message == (
        "rules is 'b'; it has to be a rule that is reached: a decides wherever it holds."
    )
    return False


def when(**more: Any) -> dict[str, Any]:
    return {"when": Circumstances(**more)}


PERCENT = Gift(percent=Decimal(5), rounding="down")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({}, when(days_late=3)),
        ({"once_per": "holder"}, {"once_per": "order"}),
        ({"once_per": "order"}, {"once_per": "order"}),
        (when(days_late=3), when(days_late=5)),
        (when(at_least=eur("5.00")), when(at_least=eur("6.00"), channels=["app"])),
        (when(below=eur("5.00")), when(below=eur("4.00"))),
        (when(segments=["a", "b"]), when(segments=["b"])),
        ({"gives": PERCENT}, when(below=eur("4.00"))),
        ({"gives": attrs.evolve(PERCENT, at_most=eur("1.00"))}, when(below=eur("4.00"))),
        ({"gives": attrs.evolve(PERCENT, of="shipping")},) * 2,
    ],
)
def test_a_rule_that_an_earlier_one_never_lets_decide_is_refused(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert not reached(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"on": "apology"}, {}),
        ({"once_per": "order"}, {}),
        (when(days_late=3), {}),
        (when(days_late=3), when(days_late=2)),
        (when(at_least=eur("5.00")), when(at_least=eur("4.00"))),
        (when(at_least=eur("5.00")), when(at_least=Money.of("6.00", "USD"))),
        (when(below=eur("5.00")), when(below=eur("6.00"))),
        (when(below=eur("5.00")), {}),
        (when(segments=["b"]), when(segments=["a", "b"])),
        (when(channels=["b"]), {}),
        ({"gives": PERCENT}, {}),
        (
            {"gives": attrs.evolve(PERCENT, at_most=Money.of("1.00", "USD"))},
            when(below=eur("4.00")),
        ),
        ({"gives": attrs.evolve(PERCENT, of="shipping")}, when(below=eur("4.00"))),
    ],
)
def test_a_rule_that_may_decide_is_kept(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert reached(first, second)


# --- Incentives ---------------------------------------------------------------------------


def referral(**more: Any) -> IncentiveRule:
    given = {"id": "friends", "on": "referral", "once_per": "referral", "gives": five(), **more}
    return IncentiveRule(**given)


def test_both_sides_of_a_referral_get_promotional_value() -> None:
    event = occasion(on="referral", referrer="ben")
    decision = incentive(event, referral(gives_referrer=Gift(amount=eur("10.00"))))
    assert [(lot.holder, lot.amount, lot.funding) for lot in decision.lots] == [
        ("anna", eur("5.00"), "promotional"),
        ("ben", eur("10.00"), "promotional"),
    ]
    assert decision.kind is GrantKind.INCENTIVE
    one_side = incentive(event, referral(gives=None, gives_referrer=five()))
    assert [lot.holder for lot in one_side.lots] == ["ben"]


def test_nobody_who_was_not_brought_is_a_referral() -> None:
    decision = incentive(occasion(on="referral"), referral())
    assert decision.passed == (Passed("friends", "nobody brought the holder"),)
    opening = IncentiveRule(id="hello", on="account opening", gives=five())
    assert opening.once_per is OncePer.HOLDER
    found = incentive(occasion(on="account opening"), referral(), opening)
    assert (found.rule, found.passed[0].because) == ("hello", "it is about referral")


# --- Once ---------------------------------------------------------------------------------


def name(once_per: str, *, policy: PolicyVersion = NAMED, **more: Any) -> str | None:
    event = occasion(on="x", **{"order": "o-1", "referrer": "ben", **more})
    each = IncentiveRule(id="r", on="x", gives=five(), once_per=once_per)
    return give_incentive(IncentivePolicy(rules=[each]), event, named=policy).name


@pytest.mark.parametrize(
    ("once_per", "same", "other"),
    [
        ("occasion", {"order": "o-2", "holder": "eve"}, {"id": "t-2"}),
        ("order", {"id": "t-2", "holder": "eve"}, {"order": "o-2"}),
        ("holder", {"id": "t-2", "order": "o-2"}, {"holder": "eve"}),
        ("referral", {"id": "t-2", "referrer": "carl"}, {"holder": "eve"}),
    ],
)
def test_what_is_given_once_has_one_name_in_every_version(
    once_per: str, same: dict[str, str], other: dict[str, str]
) -> None:
    first = name(once_per)
    assert first is not None
    assert name(once_per, **same) == first
    assert name(once_per, policy=PolicyVersion("sorry", "8")) == first
    assert name(once_per, **other) != first
    assert name(once_per, policy=PolicyVersion("other", "7")) != first


def test_rules_sections_and_ways_of_counting_are_told_apart() -> None:
    event = occasion(order="t-1", holder="t-1")
    names = [
        goodwill(event, rule(id=each, once_per=once)).name
        for each, once in itertools.product("ab", ["occasion", "order", "holder"])
    ]
    same = IncentiveRule(id="a", on="late delivery", gives=five(), once_per="occasion")
    names.append(incentive(event, same).name)
    assert len(set(names)) == len(names)


# --- Tallies ------------------------------------------------------------------------------


def test_a_tally_counts_what_was_given_in_a_period_that_ends_now() -> None:
    ceiling = GrantCeiling(id="c", period=Period(days=30), amount=eur("20.00"), count=3)
    day = timedelta(days=1)
    tally = GrantTally()
    assert tally.room(ceiling, AT) == (eur("20.00"), 3)
    tally = tally.plus(ceiling, AT, eur("15.00")).plus(ceiling, AT + day, Money.of("9.00", "USD"))
    assert tally.room(ceiling, AT + 2 * day) == (eur("5.00"), 1)
    tally = tally.plus(ceiling, AT + 2 * day, eur("7.00"))
    assert tally.room(ceiling, AT + 2 * day) == (eur("0.00"), 0)
    # Thirty days after it, the first counts no longer, and is forgotten with the next.
    assert tally.room(ceiling, AT + 30 * day - day / 24) == (eur("0.00"), 0)
    assert tally.room(ceiling, AT + 30 * day) == (eur("13.00"), 1)
    assert len(tally.plus(ceiling, AT + 30 * day, eur("1.00")).gifts) == 3
    assert GrantTally.from_json(tally.to_json()) == tally
    by_count = GrantCeiling(id="c", period=Period(days=30), count=3)
    assert tally.room(by_count, AT + 2 * day) == (None, 0)
    by_amount = attrs.evolve(ceiling, count=None)
    assert tally.room(by_amount, AT + 2 * day) == (eur("0.00"), None)


# --- What cannot be -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (Gift, "amount"),
        (lambda: Gift(amount=eur("1.00"), percent=Decimal(1), rounding="up"), "amount"),
        (lambda: Gift(amount=eur("0.00")), "amount"),
        (lambda: Gift(amount=5), "amount"),
        (lambda: Gift(percent=Decimal(1)), "rounding"),
        (lambda: Gift(percent=0.5, rounding="up"), "percent"),
        (lambda: Gift(percent=Decimal(1001), rounding="up"), "percent"),
        (lambda: Gift(percent=Decimal(1), rounding="somehow"), "rounding"),
        (lambda: Gift(percent=Decimal(1), rounding="up", of="cart"), "of"),
        (lambda: Gift(percent=Decimal(1), rounding="up", at_most=eur("0.00")), "at_most"),
        (lambda: Gift(amount=eur("1.00"), at_most=eur("1.00")), "percent"),
        (lambda: Gift(amount=eur("1.00"), rounding="up"), "percent"),
        (lambda: Gift(amount=eur("1.00"), expires="P1D"), "expires"),
        (lambda: Gift(amount=eur("1.00"), limits={}), "limits"),
        (lambda: Circumstances(at_least=eur("0.00")), "at_least"),
        (lambda: Circumstances(at_least=eur("5.00"), below=eur("5.00")), "below"),
        (lambda: Circumstances(at_least=eur("5.00"), below=Money.of("9.00", "USD")), "below"),
        (lambda: Circumstances(segments=[]), "segments"),
        (lambda: Circumstances(days_late=0), "days_late"),
        (lambda: GrantCeiling(id="c", period=Period(days=1)), "amount"),
        (lambda: GrantCeiling(id="c", period="P1D", count=1), "period"),
        (lambda: GrantCeiling(id="c", period=Period(days=1), count=0), "count"),
        (lambda: GrantCeiling(id="c", period=Period(days=1), count=1, per="shop"), "per"),
        (lambda: GrantCeiling(id="c", period=Period(days=1), count=1, above="cut"), "above"),
        (lambda: rule(once_per="referral"), "once_per"),
        (lambda: rule(once_per="day"), "once_per"),
        (lambda: GoodwillPolicy(rules=[]), "rules"),
        (lambda: GoodwillPolicy(rules=[rule(), rule()]), "id"),
        (lambda: GoodwillPolicy(rules="late"), "rules"),
        (lambda: GoodwillPolicy(rules=[rule()], ceilings=[1]), "ceilings"),
        (
            lambda: GoodwillPolicy(
                rules=[rule()], ceilings=[GrantCeiling(id="late", period=Period(days=1), count=1)]
            ),
            "id",
        ),
        (lambda: IncentiveRule(id="r", on="x"), "gives"),
        (lambda: IncentiveRule(id="r", on="x", gives_referrer=five()), "once_per"),
        (lambda: IncentivePolicy(rules=[]), "rules"),
        (lambda: IncentivePolicy(rules=[rule()]), "rules"),
        (lambda: occasion(days_late=-1), "days_late"),
        (lambda: occasion(days_late=True), "days_late"),
        (lambda: occasion(order_total=eur("-0.01")), "order_total"),
        (lambda: occasion(shipping=eur("-0.01")), "shipping"),
        (lambda: occasion(referrer="anna"), "referrer"),
        (lambda: occasion(segments="gold"), "segments"),
    ],
)
def test_what_cannot_be_says_what_would_be_right(make: Any, field: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        make()
    assert refused.value.field == field


def test_texts_can_be_kept_and_instants_have_a_zone() -> None:
    for more in ({"id": ""}, {"on": ""}, {"holder": ""}, {"order": ""}, {"channel": "\x01"}):
        with pytest.raises(InvalidText):
            occasion(**more)
    for more in ({"id": ""}, {"on": ""}, {"because": ""}):
        with pytest.raises(InvalidText):
            rule(**more)
    with pytest.raises(InvalidText):
        GrantCeiling(id="", period=Period(days=1), count=1)
    with pytest.raises(NaiveInstant):
        occasion(at=datetime(2026, 3, 1))  # noqa: DTZ001  # that is what is tried


def test_a_rule_that_several_leave_nothing_to_is_refused_by_all_their_names() -> None:
    web, app = (rule(id=name, when=Circumstances(channels=[name])) for name in ("web", "app"))
    either = rule(id="c", when=Circumstances(channels=["web", "app"], segments=["gold"]))
    message = "it has to be a rule that is reached: web and app together decide wherever it holds"
    with pytest.raises(InvalidTerms, match=message):
        GoodwillPolicy(rules=[web, app, either])
    GoodwillPolicy(rules=[web, either, app])
    # Whoever is known to be in no channel is left.
    GoodwillPolicy(rules=[web, app, rule(id="c")])


def test_amounts_side_by_side_cover_what_is_between_them() -> None:
    low = rule(id="low", when=Circumstances(at_least=eur("5.00"), below=eur("20.00")))
    high = rule(id="high", when=Circumstances(at_least=eur("20.00")))
    middle = rule(id="c", when=Circumstances(at_least=eur("10.00"), below=eur("50.00")))
    with pytest.raises(InvalidTerms, match="low and high together decide"):
        GoodwillPolicy(rules=[low, high, middle])
    lower = rule(id="c", when=Circumstances(at_least=eur("4.99"), below=eur("50.00")))
    GoodwillPolicy(rules=[low, high, lower])


def test_a_part_of_an_order_in_two_currencies_is_no_gift() -> None:
    part = Gift(percent=10, of="order", rounding="down", at_most=Money.of("5.00", "USD"))
    with pytest.raises(InvalidTerms, match="in the one currency that the order is in"):
        rule(id="a", gives=part, when=Circumstances(at_least=eur("5.00")))
