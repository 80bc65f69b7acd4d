"""Rules, bonuses and limits that can never have an effect are errors, by name (P1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from storecredit.errors import InvalidTerms, PolicyInvalid
from storecredit.policies import (
    Bonus,
    Fee,
    Limit,
    RefundPolicy,
    RefundRule,
    Topic,
    When,
    reach,
    witness,
)
from storecredit.policies.window_order import fewest_days, most_days, never_ends_later
from storecredit.policies.witnessing import request_for
from storecredit.values import CustomUnit, Money, Period

DAYS_14, DAYS_30, MONTH = Period(days=14), Period(days=30), Period(months=1)
TEN = Bonus(percent=10)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def rule(name: str, /, offer: Any = ("money",), **when: Any) -> RefundRule:
    return RefundRule(id=name, offer=offer, when=When(**when))


def problems(*rules: RefundRule, **more: Any) -> list[str]:
    """What is wrong with a policy of these rules: paths and sentences."""
    try:
        RefundPolicy(rules=rules, **more)
    except PolicyInvalid as refused:
        return [str(problem) for problem in refused.problems]
    return []


def never(place: int, name: str, decide: str) -> str:
    return (
        f"rules[{place}]: '{name}'; it is never used: wherever it holds, {decide} first; put it "
        "before, or leave it out"
    )


# --- Rules that are never used ----------------------------------------------------------

FORESTALLED: list[tuple[str, list[RefundRule], str]] = [
    ("by one without conditions", [rule("a"), rule("b", gift=True)], "'a' decides"),
    ("by the same conditions", [rule("a", gift=True), rule("b", gift=True)], "'a' decides"),
    (
        "by wider ones",
        [rule("a", channels=["web", "app"]), rule("b", channels=["app"], receipt=True)],
        "'a' decides",
    ),
    (
        "by a truth and its opposite",
        [rule("a", final_sale=True), rule("b", final_sale=False), rule("c")],
        "'a' and 'b' together decide",
    ),
    (
        "by registered holders and guests",
        [rule("a", holder="guest"), rule("b", holder="registered"), rule("c", gift=False)],
        "'a' and 'b' together decide",
    ),
    (
        "by each of its values for itself",
        [
            rule("a", categories=["x"]),
            rule("b", categories=["y"]),
            rule("c", categories=["x", "y"]),
        ],
        "'a' and 'b' together decide",
    ),
    (
        "by each of its groups for itself",
        [rule("a", segments=["x"]), rule("b", segments=["y"]), rule("c", segments=["x", "y"])],
        "'a' and 'b' together decide",
    ),
    (
        "by one group of two",
        [rule("a", segments=["x", "y"]), rule("b", segments=["y"])],
        "'a' decides",
    ),
    (
        "by all conditions that goods can be in",
        [
            rule("a", conditions=["new", "opened", "used"]),
            rule("b", conditions=["damaged"]),
            rule("c", conditions=["used", "incomplete", "damaged", "new"]),
            rule("d", conditions=["incomplete", "opened"]),
        ],
        "'a' and 'c' together decide",
    ),
    (
        "by a longer window",
        [rule("a", within=DAYS_30), rule("b", within=DAYS_14)],
        "'a' decides",
    ),
    (
        "by a shorter window that is over",
        [rule("a", after=DAYS_14), rule("b", after=DAYS_30)],
        "'a' decides",
    ),
    (
        "by what was delivered in time, wherever it was bought in time",
        [rule("a", within=DAYS_30), rule("b", within=DAYS_14, since="purchase", receipt=True)],
        "'a' decides",
    ),
    (
        "by windows that meet, with a receipt",
        [rule("a", within=DAYS_14), rule("b", after=DAYS_14), rule("c", receipt=True)],
        "'a' and 'b' together decide",
    ),
    (
        "by twelve months, which are a year",
        [rule("a", within=Period(months=12)), rule("b", within=Period(years=1))],
        "'a' decides",
    ),
    (
        "by amounts that meet",
        [
            rule("a", below=usd("10.00")),
            rule("b", at_least=usd("10.00")),
            rule("c", at_least=usd("5.00"), below=usd("20.00")),
        ],
        "'a' and 'b' together decide",
    ),
    (
        "by amounts that a fee's currency narrows",
        [
            rule("a", below=usd("10.00")),
            rule("b", at_least=usd("10.00")),
            RefundRule(id="c", offer=["money"], fee=Fee(fixed=usd("1.00"))),
        ],
        "",
    ),
    (
        "by a crossing of two conditions",
        [
            rule("a", gift=True, receipt=True),
            rule("b", gift=True, receipt=False),
            rule("c", gift=False, channels=["web"]),
            rule("d", channels=["web"]),
        ],
        "'a', 'b' and 'c' together decide",
    ),
]


@pytest.mark.parametrize(
    ("rules", "decide"), [case[1:] for case in FORESTALLED], ids=[case[0] for case in FORESTALLED]
)
def test_a_rule_that_earlier_ones_forestall_is_an_error(
    rules: list[RefundRule], decide: str
) -> None:
    place = len(rules) - 1
    found = problems(*rules)
    if decide:
        assert found == [never(place, rules[-1].id, decide)]
    else:
        assert found == [
            (
                "rules[2].offer: 'c'; its offer is never used: wherever the rule holds, 'a' and 'b' "
                "together decide it first; put the rule before, or leave it out"
            )
        ]
    assert request_for(rules, place, Topic.OFFER) is None


REACHED: list[tuple[str, list[RefundRule]]] = [
    ("another value", [rule("a", channels=["web"]), rule("b", channels=["app"])]),
    ("an unknown value", [rule("a", merchants=["x"]), rule("b")]),
    (
        "a condition that nobody has seen",
        [
            rule("a", conditions=["new", "opened", "used"]),
            rule("b", conditions=["damaged", "incomplete"]),
            rule("c"),
        ],
    ),
    ("a member of two groups", [rule("a", segments=["x"]), rule("b", segments=["x", "y"])]),
    ("no group at all", [rule("a", segments=["x"]), rule("b", segments=["y"]), rule("c")]),
    (
        "an unknown day of purchase",
        [
            rule("a", within=DAYS_14, since="purchase"),
            rule("b", after=DAYS_14, since="purchase"),
            rule("c", receipt=True),
        ],
    ),
    ("an unknown delivery", [rule("a", within=DAYS_14), rule("b", after=DAYS_14), rule("c")]),
    (
        "between two windows",
        [rule("a", within=DAYS_14), rule("b", after=DAYS_30), rule("c", receipt=True)],
    ),
    (
        "delivered later than bought",
        [rule("a", within=DAYS_14, since="purchase"), rule("b", within=DAYS_14)],
    ),
    (
        "bought, and not delivered",
        [rule("a", after=DAYS_14), rule("b", after=DAYS_14, since="purchase")],
    ),
    (
        "long delivered, and bought nobody knows when",
        [rule("a", after=DAYS_14, since="purchase"), rule("b", after=DAYS_30)],
    ),
    (
        "late by one since, in time by the other",
        [
            rule("a", receipt=False),
            rule("b", after=DAYS_14, since="purchase", final_sale=True),
            rule("c", within=DAYS_30, final_sale=True),
            rule("d"),
        ],
    ),
    ("a month of 31 days", [rule("a", within=DAYS_30), rule("b", within=MONTH)]),
    ("a month of 28 days", [rule("a", within=MONTH), rule("b", within=DAYS_30)]),
    (
        "the same days elsewhere",
        [rule("a", within=DAYS_30), rule("b", within=Period(days=30, zone="Pacific/Apia"))],
    ),
    (
        "another currency",
        [rule("a", below=usd("9.00")), rule("b", at_least=usd("9.00")), rule("c")],
    ),
    (
        "very many currencies",
        [
            *[
                rule(code, at_least=Money.of(0, code))
                for code in ("EUR", "USD", "GBP", "CHF", "JPY")
            ],
            rule("z"),
        ],
    ),
    ("nothing at all", [rule("a", at_least=usd("0.01")), rule("b", below=usd("1.00"))]),
    ("points", [rule("a", at_least=Money.of(5, CustomUnit("PTS", 0)))]),
    ("a guest who gives a gift back", [rule("a", holder="registered"), rule("b", gift=True)]),
    ("a gift to somebody with an account", [rule("a", holder="guest"), rule("b", gift=True)]),
    ("a gift that is none", [rule("a", gift=True), rule("b", gift=False)]),
    ("a kind of line", [rule("a", kinds=["goods"]), rule("b", kinds=["goods", "fee"])]),
    (
        "one of two windows at once",
        [
            rule("a", within=DAYS_30, after=DAYS_14),
            rule("b", after=Period(days=29), within=Period(days=31)),
        ],
    ),
    (
        "bought and delivered on known days",
        [
            rule("a", receipt=False, within=DAYS_14),
            rule("b", receipt=True, after=DAYS_30, since="purchase", kinds=["tax"]),
        ],
    ),
    (
        "the end of a month",
        [rule("a", within=DAYS_14), rule("b", within=Period(days=14, round_up_to="month"))],
    ),
    ("a thousand years", [rule("a", after=Period(years=999))]),
]


@pytest.mark.parametrize("rules", [case[1] for case in REACHED], ids=[case[0] for case in REACHED])
def test_a_rule_that_can_decide_has_a_request_that_shows_it(rules: list[RefundRule]) -> None:
    policy = RefundPolicy(rules=rules)
    for each in rules:
        found = witness(policy, each.id)
        assert found is not None, each.id
        assert found.id == "witness"


def test_declared_reasons_are_all_that_there_are() -> None:
    rules = [rule("a", reasons=["x"]), rule("b", reasons=["y"]), rule("c", reasons=["y", "x"])]
    together = "'a' and 'b' together decide"
    assert problems(*rules, reasons=["x", "y"]) == [never(2, "c", together)]
    # A line may have none.
    last = rule("d")
    policy = RefundPolicy(rules=[*rules[:2], last], reasons=["x", "y"])
    found = witness(policy, "d")
    assert found is not None
    assert found.lines[0].reason is None


def test_of_many_rules_the_message_names_five() -> None:
    many = [rule(f"r{n}", categories=[f"c{n}"]) for n in range(7)]
    last = rule("last", categories=[f"c{n}" for n in range(7)])
    found = problems(*many, last)
    assert found == [never(7, "last", "'r0', 'r1', 'r2', 'r3', 'r4' and 2 more together decide")]


def test_conditions_that_never_hold_are_an_error() -> None:
    strangers = rule("a", reasons=["x"])
    (problem,) = reach.never_used([strangers, rule("b")], reasons=["y"])
    assert str(problem) == "rules[0].when: 'a'; its conditions never hold together"
    assert request_for([strangers], 0, Topic.OFFER, reasons=["y"]) is None


# --- Parts of rules ---------------------------------------------------------------------


def test_a_part_of_a_rule_that_is_never_used_is_an_error() -> None:
    first = RefundRule(id="a", offer=["credit"], bonus=TEN)
    second = RefundRule(id="b", when=When(gift=True), bonus=Bonus(percent=20), instant=True)
    assert problems(first, second) == [
        (
            "rules[1].bonus: 'b'; its bonus is never used: wherever the rule holds, 'a' decides it "
            "first; put the rule before, or leave it out"
        )
    ]


def test_every_topic_has_its_own_earlier_rules() -> None:
    rules = [
        RefundRule(id="a", when=When(gift=True), offer=["credit"], approval=True),
        RefundRule(id="b", when=When(gift=False), offer=["money"], consent=True),
        RefundRule(id="c", offer=["money"], approval=False, consent=False),
    ]
    assert problems(*rules) == [
        (
            "rules[2].offer: 'c'; its offer is never used: wherever the rule holds, 'a' and 'b' "
            "together decide it first; put the rule before, or leave it out"
        )
    ]
    assert request_for(rules, 2, Topic.APPROVAL) is not None


def test_a_bonus_that_no_credit_ever_earns_is_an_error() -> None:
    never_given = (
        "rules[1].bonus: 'b'; its bonus is never given: no rule offers credit where this one "
        "decides; offer credit, or leave it out"
    )
    gifts = RefundRule(id="b", when=When(gift=True), bonus=TEN)
    assert problems(rule("a", gift=True), gifts, rule("c", ["credit"])) == [never_given]
    assert problems(rule("a"), gifts) == [never_given]
    shipping = RefundRule(id="b", when=When(kinds=["shipping"]), bonus=TEN)
    assert problems(rule("a", ["credit"]), shipping) == [never_given]
    assert problems(rule("a", ["credit"], gift=False), gifts, rule("c", ["money"])) == [never_given]
    assert not problems(rule("a", ["credit"], receipt=True), gifts, rule("c", ["money"]))


@pytest.mark.parametrize(
    "bonus", [Bonus(), Bonus(percent=5, at_most=eur("0.00")), Bonus(fixed=eur("0.00"))]
)
def test_no_bonus_at_all_may_be_said_anywhere(bonus: Bonus) -> None:
    nothing = RefundRule(id="b", when=When(gift=True), bonus=bonus)
    assert not problems(rule("a", ["money"]), nothing)


# --- Limits -----------------------------------------------------------------------------


def limit(name: str, /, **terms: Any) -> Limit:
    return Limit(id=name, **{"per": "holder", **terms})


def binding(*limits: Limit, bonus: Bonus = TEN) -> list[str]:
    return problems(RefundRule(id="a", offer=["credit"], bonus=bonus), limits=limits)


def test_a_limit_on_a_bonus_needs_one() -> None:
    cut = limit("l", on="bonus", over="cut", amount=eur("5.00"))
    often = limit("l", on="bonus", count=3)
    in_dollars = Bonus(fixed=usd("1.00"))
    assert binding(cut) == binding(often) == binding(often, bonus=in_dollars) == []
    assert binding(cut, bonus=in_dollars) == [
        "limits[0]: 'l'; it never binds: no rule gives a bonus in EUR; leave it out"
    ]
    for each in (cut, often):
        assert binding(each, bonus=Bonus()) == [
            "limits[0]: 'l'; it never binds: no rule gives a bonus; leave it out"
        ]


BEHIND: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"amount": eur("50.00")}, {"amount": eur("60.00")}, True),
    ({"amount": eur("50.00")}, {"amount": eur("50.00")}, True),
    ({"amount": eur("50.00"), "period": Period(days=7)}, {"amount": eur("50.00")}, True),
    ({"amount": eur("50.00"), "count": 9}, {"amount": eur("50.00")}, True),
    ({"count": 3}, {"count": 4}, True),
    ({"amount": eur("50.00"), "period": Period(days=7)}, {"amount": eur("40.00")}, False),
    ({"amount": eur("50.00")}, {"amount": usd("60.00")}, False),
    ({"amount": eur("50.00")}, {"count": 3}, False),
    ({"count": 3}, {"amount": eur("50.00")}, False),
    ({"amount": eur("50.00")}, {"amount": eur("60.00"), "count": 3}, False),
    ({"amount": eur("50.00")}, {"amount": eur("60.00"), "period": Period(days=7)}, False),
    ({"amount": eur("50.00")}, {"amount": eur("60.00"), "per": "agent"}, False),
    ({"amount": eur("50.00")}, {"amount": eur("60.00"), "on": "credit"}, False),
]


@pytest.mark.parametrize(("first", "second", "is_behind"), BEHIND)
def test_a_limit_that_another_forestalls_is_an_error(
    first: dict[str, Any], second: dict[str, Any], is_behind: bool
) -> None:
    said = "it never binds: 'a1' allows no more in at least that time; leave one out"
    behind = [f"limits[1]: 'a2'; {said}"]
    assert binding(limit("a1", **first), limit("a2", **second)) == (behind if is_behind else [])


def test_the_order_of_limits_does_not_matter() -> None:
    lax, strict = limit("lax", count=9), limit("strict", count=1)
    assert binding(lax, strict) == [
        (
            "limits[0]: 'lax'; it never binds: 'strict' allows no more in at least that time; leave "
            "one out"
        )
    ]


# --- How far it looks -------------------------------------------------------------------


def test_beyond_so_many_steps_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [rule("a", gift=True), rule("b", gift=False), rule("c")]
    assert len(list(reach.never_used(rules))) == 1
    for steps in range(9):
        monkeypatch.setattr(reach, "MOST_STEPS", steps)
        assert not list(reach.never_used(rules))
        assert request_for(rules, 2, Topic.OFFER) is None


def test_one_rule_that_takes_too_long_keeps_no_other_from_being_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = [rule(f"r{n}", categories=[f"c{n}"], gift=bool(n % 2)) for n in range(8)]
    other = ["other"]
    whole = [rule("all", categories=other), rule("late", categories=other, receipt=True)]
    wide = rule("wide", categories=[f"c{n}" for n in range(8)], receipt=True)
    rules = [*parts, wide, *whole]
    assert [each.value for each in reach.never_used(rules)] == ["late"]
    monkeypatch.setattr(reach, "MOST_STEPS_OF_A_RULE", 25)
    assert [each.value for each in reach.never_used(rules)] == ["late"]
    monkeypatch.setattr(reach, "MOST_STEPS", 25)
    assert not list(reach.never_used(rules))


def test_more_rules_than_needed_are_named_where_telling_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = [
        *[rule(f"x{n}", channels=["web"], categories=[f"c{n}"]) for n in range(4)],
        rule("all", channels=["web"]),
        rule("last", channels=["web"], receipt=True),
    ]
    assert problems(*rules) == [never(5, "last", "'all' decides")]
    for steps in range(200):
        monkeypatch.setattr(reach, "MOST_STEPS", steps)
        for problem in reach.never_used(rules):
            assert "'all'" in problem.expected


def test_a_hundred_rules_about_everything_are_told_apart() -> None:
    rules = [
        rule(f"r{n}", **{field: [f"v{n}"]})
        for n in range(34)
        for field in ("categories", "channels", "reasons")
        for n in [n * 3 + ("categories", "channels", "reasons").index(field)]
    ]
    assert not problems(*rules, rule("last"))
    found = witness(RefundPolicy(rules=[*rules, rule("last")]), "last")
    assert found is not None


# --- Witnesses --------------------------------------------------------------------------


def test_a_witness_is_a_request_like_any_other() -> None:
    policy = RefundPolicy(
        rules=[
            rule("early", within=DAYS_30, since="purchase"),
            RefundRule(
                id="late",
                when=When(
                    segments=["gold"], below=eur("10.00"), holder="guest", gift=True, after=DAYS_14
                ),
                offer=[],
                approval=True,
            ),
        ]
    )
    found = witness(policy, "late", topic=Topic.APPROVAL)
    assert found is not None
    assert found.at == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert found.delivered_at == datetime(2026, 6, 16, 23, 59, 59, tzinfo=UTC)
    assert found.purchased_at is None
    assert (found.segments, found.holder, found.buyer) == (("gold",), None, "the buyer")
    assert found.external == eur("0.01")


def test_a_witness_is_of_a_rule_and_a_topic_that_there_are() -> None:
    policy = RefundPolicy(rules=[rule("a", gift=True), rule("b")])
    with pytest.raises(InvalidTerms, match=r"^rule is 'c'; it has to be one of a, b\.$"):
        witness(policy, "c")
    with pytest.raises(InvalidTerms, match=r"it has to be one of offer\.$"):
        witness(policy, "a", topic=Topic.FEE)


def test_a_witness_is_of_a_merchant_that_no_rule_names() -> None:
    named = ["merchant", "another merchant 0"]
    found = witness(RefundPolicy(rules=[rule("a", merchants=named), rule("b")]), "b")
    assert found is not None
    assert found.merchant == "another merchant 1"


@pytest.mark.parametrize("since", ["delivery", "purchase"])
def test_what_only_the_calendar_can_tell_is_neither_reported_nor_shown(since: str) -> None:
    # 49 hours never end after the third day: a fact about clocks, which nothing here knows.
    hours = Period(hours=49)
    rules = [
        rule("a", within=Period(days=3), since=since),
        rule("b", within=hours, since=since),
    ]
    policy = RefundPolicy(rules=rules)
    assert witness(policy, "a") is not None
    assert witness(policy, "b") is None


# --- Windows ----------------------------------------------------------------------------

ORDERS = [
    (DAYS_14, DAYS_30, True, False),
    (Period(days=28), MONTH, True, False),
    (Period(days=29), MONTH, False, False),
    (MONTH, Period(days=31), True, False),
    (Period(weeks=2), DAYS_14, True, True),
    (Period(years=1), Period(months=12), True, True),
    (Period(years=1), Period(days=365), False, True),
    (Period(years=1), Period(days=366), True, False),
    (Period(hours=24), Period(days=1), False, False),
    (Period(hours=24), Period(days=2), True, False),
    (Period(days=2), Period(hours=71), False, False),
    (Period(days=2), Period(hours=96), True, False),
    (Period(days=1), Period(hours=24), False, False),
    (Period(hours=1), Period(hours=1, minutes=1), True, False),
    (DAYS_30, Period(days=30, zone="Asia/Tokyo"), False, False),
    (DAYS_30, Period(days=33, zone="Asia/Tokyo"), True, False),
    (DAYS_30, Period(days=32, zone="Asia/Tokyo"), False, False),
    (DAYS_30, Period(days=30, round_up_to="month"), True, False),
    (Period(days=30, round_up_to="month"), Period(days=30, round_up_to="year"), True, False),
    (Period(days=30, round_up_to="month"), Period(days=62), True, False),
    (Period(days=30, round_up_to="month"), Period(days=61), False, False),
    (Period(months=2, days=1), Period(months=1, days=30), False, False),
]


@pytest.mark.parametrize(("one", "other", "forward", "backward"), ORDERS)
def test_the_order_of_windows_is_told_where_it_is_certain(
    one: Period, other: Period, forward: bool, backward: bool
) -> None:
    assert never_ends_later(one, other) is forward
    assert never_ends_later(other, one) is backward


def test_months_in_a_row_have_between_the_fewest_and_the_most_days() -> None:
    # Every first day of a month, and every last, of 400 years; months after it up to ten years.
    for months in range(1, 121):
        for begin in range(0, 4_800, 7):
            days = _days_from(begin, months)
            assert fewest_days(months) <= days <= most_days(months), (months, begin)
    assert [fewest_days(months) for months in (1, 2, 12)] == [28, 56, 365]
    assert [most_days(months) for months in (1, 2, 12)] == [31, 62, 366]


def _days_from(begin: int, months: int) -> int:
    """How many days lie between the first of a month and the first so many months later."""
    year, month = divmod(begin, 12)
    later_year, later_month = divmod(begin + months, 12)
    first = datetime(1900 + year, month + 1, 1, tzinfo=UTC)
    return (datetime(1900 + later_year, later_month + 1, 1, tzinfo=UTC) - first).days
