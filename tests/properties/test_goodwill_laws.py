"""Laws of goodwill and incentives, against a naive reading of the rules (P1, P4)."""

from __future__ import annotations

from fractions import Fraction

import attrs
from hypothesis import event, given, settings
from hypothesis import strategies as st

from storecredit.errors import InvalidTerms
from storecredit.ledger import Funding
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.gift import Circumstances, Gift
from storecredit.policies.goodwill import (
    GoodwillPolicy,
    GoodwillRule,
    IncentivePolicy,
    IncentiveRule,
    give_goodwill,
    give_incentive,
)
from storecredit.policies.grant_decision import GrantDecision
from storecredit.policies.occasion import Occasion
from storecredit.testing.granting_strategies import BOUGHT, goodwill_rules, occasions
from storecredit.values import Money

NAMED = PolicyVersion("kind", "1")


def holds(when: Circumstances, found: Occasion) -> bool:
    total = found.order_total
    for limit in (when.at_least, when.below):
        if limit is not None and (total is None or total.unit != limit.unit):
            return False
    if when.at_least is not None and total is not None and total.minor < when.at_least.minor:
        return False
    if when.below is not None and total is not None and total.minor >= when.below.minor:
        return False
    late = -1 if found.days_late is None else found.days_late
    return (
        (not when.segments or any(each in when.segments for each in found.segments))
        and (not when.channels or found.channel in when.channels)
        and late >= (when.days_late or -1)
    )


def worth(gift: Gift, found: Occasion) -> Money | None:
    if gift.amount is not None:
        return gift.amount
    basis = found.order_total if gift.of == "order" else found.shipping
    assert gift.percent is not None
    assert gift.rounding is not None
    if basis is None or (gift.at_most is not None and gift.at_most.unit != basis.unit):
        return None
    minor = gift.rounding.whole(Fraction(gift.percent) * basis.minor / 100)
    if gift.at_most is not None:
        minor = min(minor, gift.at_most.minor)
    return Money.of_minor(minor, basis.unit)


def policy_of(made: list[GoodwillRule]) -> GoodwillPolicy:
    """The policy, without rules that it refuses because they are never reached."""
    kept: list[GoodwillRule] = []
    for each in made:
        try:
            GoodwillPolicy(rules=[*kept, each])
        except InvalidTerms:
            event("a rule was never reached")
        else:
            kept.append(each)
    return GoodwillPolicy(rules=kept)


@given(goodwill_rules(), occasions())
def test_the_first_rule_that_holds_and_can_be_computed_gives(
    made: list[GoodwillRule], found: Occasion
) -> None:
    policy = policy_of(made)
    decision = give_goodwill(policy, found, named=NAMED)
    expected = None
    for rule in policy.rules:
        fits = rule.on == found.on and holds(rule.when, found)
        if fits and not (rule.once_per == "order" and found.order is None):
            amount = worth(rule.gives, found)
            if amount is not None:
                expected = (rule.id, amount)
                break
    event(f"gives: {expected is not None}")
    if expected is None:
        assert (decision.rule, decision.lots) == (None, ())
        assert [each.rule for each in decision.passed] == [rule.id for rule in policy.rules]
        return
    assert decision.rule == expected[0]
    assert [(lot.amount, lot.funding) for lot in decision.lots] == (
        [(expected[1], Funding.GOODWILL)] if expected[1].minor else []
    )
    assert GrantDecision.from_json(decision.to_json()) == decision


@given(goodwill_rules(), st.lists(occasions(), min_size=1, max_size=5))
def test_a_rule_that_is_refused_as_never_reached_never_decides(
    made: list[GoodwillRule], found: list[Occasion]
) -> None:
    for place in range(1, len(made)):
        earlier, later = made[place - 1], made[place]
        later = attrs.evolve(later, on=earlier.on)
        try:
            GoodwillPolicy(rules=[earlier, later])
        except InvalidTerms:
            alone = GoodwillPolicy(rules=[later]), GoodwillPolicy(rules=[earlier])
            for each in found:
                mine, before = (give_goodwill(policy, each, named=NAMED).rule for policy in alone)
                assert mine is None or before is not None


EVERYTHING = [
    Occasion(
        id="t",
        on="late",
        holder="anna",
        at=BOUGHT,
        order=order,
        order_total=total,
        shipping=shipping,
        days_late=days,
        channel=channel,
        segments=segments,
    )
    for order in (None, "o")
    for total in (None, *(Money.of_minor(n, unit) for unit in ("EUR", "USD") for n in range(11)))
    for shipping in (None, Money.of_minor(5, "EUR"), Money.of_minor(5, "USD"))
    for days in (None, 1, 2, 3)
    for channel in (None, "web", "app")
    for segments in ((), ("gold",), ("new",), ("gold", "new"))
]
"""Whatever can make a difference to the rules that are tried here: with it, nothing is left open."""


def gives(rule: GoodwillRule, found: Occasion) -> bool:
    known = rule.once_per != "order" or found.order is not None
    return known and holds(rule.when, found) and worth(rule.gives, found) is not None


@st.composite
def near_rules(draw: st.DrawFn) -> list[GoodwillRule]:
    """Rules that are much alike, so that some leave nothing to others."""
    euros = [None, Money.of_minor(3, "EUR"), Money.of_minor(6, "EUR")]
    some = st.sampled_from([(1, 2), (0, 1), (0, 2), (0, 0)])
    rules = []
    for number in range(draw(st.integers(3, 5))):
        low, high = draw(some)
        when = Circumstances(
            at_least=euros[low],
            below=euros[high],
            segments=draw(st.sampled_from([None, None, ["gold"], ["new"], ["gold", "new"]])),
            channels=draw(st.sampled_from([None, ["web"], ["app"], ["web", "app"]])),
        )
        gift = Gift(amount=Money.of_minor(5, "EUR"))
        rules.append(GoodwillRule(id=str(number), on="late", gives=gift, when=when))
    return rules


def refusal(rules: list[GoodwillRule]) -> str | None:
    try:
        GoodwillPolicy(rules=rules)
    except InvalidTerms as refused:
        return str(refused)
    return None


@settings(max_examples=max(settings().max_examples // 2, 10))
@given(goodwill_rules() | near_rules())
def test_a_rule_is_refused_just_where_earlier_ones_together_leave_it_nothing(
    made: list[GoodwillRule],
) -> None:
    rules = [attrs.evolve(rule, on="late") for rule in made]
    kept: list[GoodwillRule] = []
    for rule in rules:
        reached = any(
            gives(rule, found) and not any(gives(each, found) for each in kept)
            for found in EVERYTHING
        )
        refused = refusal([*kept, rule])
        assert reached is (refused is None), rule
        if refused is None:
            kept.append(rule)
        else:
            event("covered by several" if "together" in refused else "covered by one")


@given(goodwill_rules(), occasions())
def test_incentives_are_decided_alike_and_are_promotional(
    made: list[GoodwillRule], found: Occasion
) -> None:
    policy = policy_of(made)
    same = [
        IncentiveRule(id=r.id, on=r.on, gives=r.gives, when=r.when, once_per=r.once_per)
        for r in policy.rules
    ]
    goodwill = give_goodwill(policy, found, named=NAMED)
    incentive = give_incentive(IncentivePolicy(rules=same), found, named=NAMED)
    assert incentive.passed == goodwill.passed
    assert [(lot.amount, lot.holder) for lot in incentive.lots] == [
        (lot.amount, lot.holder) for lot in goodwill.lots
    ]
    assert all(lot.funding is Funding.PROMOTIONAL for lot in incentive.lots)
    assert incentive.name is None or incentive.name != goodwill.name
