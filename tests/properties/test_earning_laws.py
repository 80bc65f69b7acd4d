"""Laws of points, against a naive model: what was earned less what went is what is due (P4)."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import event, given
from hypothesis import strategies as st

from storecredit.policies.decision import PolicyVersion
from storecredit.policies.earn_rule import EarningPolicy, EarnRule
from storecredit.policies.earning import EarnDecision, earn, points_due
from storecredit.policies.purchase import Purchase, Returned
from storecredit.testing.granting_strategies import (
    EARNED_IN,
    earn_rules,
    eur,
    purchases,
    returns_of,
)
from storecredit.values import Money

NAMED = PolicyVersion("loyalty", "1")


def decided(rule: EarnRule, purchase: Purchase) -> EarnDecision:
    return earn(EarningPolicy(rules=[rule]), purchase, named=NAMED, units=EARNED_IN)


def naive(rule: EarnRule, kept: Purchase) -> int:
    """The points of *kept*, cent by cent: each is a coin with a worth, the best coins first."""
    coins: list[tuple[str, Fraction]] = []
    for line in kept.lines:
        if line.kind in rule.without_kinds or line.category in rule.without_categories:
            continue
        credit = 0 if line.credit is None else line.credit.minor
        spent = line.amount.minor - (credit if rule.paid_with_credit == "left_out" else 0)
        worth = [
            Fraction(each.times)
            for each in rule.multipliers
            if (not each.segments or set(each.segments) & set(kept.segments))
            and (not each.categories or line.category in each.categories)
        ]
        factor = Fraction(1)
        if worth and rule.stacking == "highest":
            factor = max(worth)
        for each in worth if rule.stacking == "multiplied" else ():
            factor *= each
        coins += [(line.id, factor)] * spent
    if rule.minimum_order is not None and len(coins) < rule.minimum_order.minor:
        return 0
    scale = 100 if rule.unit == "STAR" else 1
    heaps = [coins]
    if rule.on == "line":
        heaps = [[coin for coin in coins if coin[0] == line.id] for line in kept.lines]
    total = 0
    for heap in heaps:
        worths = sorted((worth for _, worth in heap), reverse=True)
        step = rule.per.minor
        whole = Fraction(0)
        while len(worths) >= step:
            whole += sum(worths[:step], Fraction(0)) / step
            worths = worths[step:]
        total += (whole * rule.points * scale).__floor__()
    return total if rule.at_most is None else min(total, rule.at_most * scale)


@given(earn_rules(), purchases())
def test_points_are_those_of_the_naive_model_and_the_lines_sum_to_them(
    rule: EarnRule, purchase: Purchase
) -> None:
    decision = decided(rule, purchase)
    expected = naive(rule, purchase)
    event(f"earned: {expected > 0}")
    assert points_due(rule, purchase, units=EARNED_IN).minor == expected
    assert sum(each.amount.minor for each in decision.lines) == expected
    assert all(each.amount.is_positive for each in decision.lines)
    assert decision.due_on(purchase) == decision.points
    assert EarnDecision.from_json(decision.to_json()) == decision


@given(earn_rules(), purchases(), st.data())
def test_after_any_returns_earned_less_removed_is_due_on_what_is_kept(
    rule: EarnRule, purchase: Purchase, data: st.DataObject
) -> None:
    decision = decided(rule, purchase)
    earned = sum(each.amount.minor for each in decision.lines)
    kept, removed = purchase, 0
    for _ in range(data.draw(st.integers(1, 5))):
        kept = kept.less(data.draw(returns_of(kept)))
        unit = None if decision.points is None else decision.points.unit
        gone = decision.to_remove(
            kept, removed=None if unit is None else Money.of_minor(removed, unit)
        )
        if gone is None:
            assert not earned
            continue
        assert gone.minor >= 0
        removed += gone.minor
        assert earned - removed == naive(rule, kept)
        event(f"removed at once: {gone.minor > 0}")
    everything = [Returned(line=line.id, amount=line.amount) for line in kept.lines]
    if decision.points is not None:
        last = decision.to_remove(
            kept.less(everything), removed=Money.of_minor(removed, decision.points.unit)
        )
        assert last is not None
        assert removed + last.minor == earned


@given(purchases(), st.data())
def test_credit_of_the_whole_order_is_shared_exactly(
    purchase: Purchase, data: st.DataObject
) -> None:
    whole = sum(line.amount.minor for line in purchase.lines)
    credit = data.draw(st.integers(0, whole))
    shared = purchase.sharing_credit(eur(credit))
    if credit:
        assert sum(line.by_credit.minor for line in shared.lines) == credit
        for line in shared.lines:
            exact = Fraction(credit * line.amount.minor, whole)
            assert abs(line.by_credit.minor - exact) < 1
