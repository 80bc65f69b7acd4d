"""Earning: how many points a purchase earns, and how many it still does after a return (P4)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from math import lcm, prod
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidOrder, InvalidTerms
from storecredit.policies.accepting import require_kind
from storecredit.policies.decision import PolicyVersion, as_named
from storecredit.policies.earn_rule import (
    EarningPolicy,
    EarnOn,
    EarnRule,
    Multiplier,
    PaidWithCredit,
    Stacking,
)
from storecredit.policies.line_terms import Passed
from storecredit.policies.purchase import Purchase, PurchaseLine
from storecredit.policies.when import Since, end_of_window
from storecredit.tenders import LineAmount
from storecredit.tenders.json_form import read_form, write_form
from storecredit.values import CustomUnit, Money, Unit
from storecredit.values import unit as unit_named
from storecredit.values.apportion import Division, apportion


@final
@attrs.frozen(kw_only=True)
class EarnDecision:
    """
    What a purchase earns, by which rule, and why. Nothing has happened yet.

    It keeps the rule and the purchase, so that a return is decided by what was in force when it
    was bought. `to_json` and `from_json` keep everything.
    """

    purchase: Purchase
    policy: PolicyVersion = attrs.field(converter=as_named)
    rule: EarnRule | None
    """None where no rule holds: nothing is earned."""
    passed: tuple[Passed, ...]
    """The rules before it that did not hold, and why."""
    lines: tuple[LineAmount, ...] = ()
    """By line, the points; lines that earn nothing are left out."""
    effective: datetime | None = None
    """When the points begin to count; None for at once."""

    @property
    def points(self) -> Money | None:
        """All points of the purchase; None for none."""
        return _sum(self.lines)

    def due_on(self, kept: Purchase) -> Money | None:
        """Return the points that are due on what is *kept* of the purchase; None for none."""
        if self.rule is None or not self.lines:
            return None
        due = sum(_points_by_line(self.rule, kept, self.lines[0].amount.unit.digits))
        return Money.of_minor(due, self.lines[0].amount.unit)

    def to_remove(self, kept: Purchase, *, removed: Money | None = None) -> Money | None:
        """
        Return how many points go once only *kept* is kept of the purchase.

        That is what it earned, less what was *removed* before, less what is due on what is kept:
        after any number of returns, earned - removed = due on what is kept. Never less than
        nothing. None where it earned nothing.

        Raises:
            UnitMismatch: *removed* is in another unit.
        """
        earned, due = self.points, self.due_on(kept)
        if earned is None or due is None:
            return None
        left = earned if removed is None else earned - removed
        return max(left - due, due - due)

    def going(
        self, kept: Purchase, after: Purchase, *, removed: Money | None = None
    ) -> tuple[LineAmount, ...]:
        """
        Return, line by line, the points that go once of what was *kept* only *after* is left.

        Together they are what `to_remove` says. Each line bears of them in proportion to the points
        that it loses, by largest remainder (V5); where none loses any, to what it earned. It is
        what the refund planner takes back, in full (T6).

        Raises:
            UnitMismatch: *removed* is in another unit.
        """
        points = self.to_remove(after, removed=removed)
        if points is None or self.rule is None or not points.is_positive:
            return ()
        digits = points.unit.digits
        before, then = (_points_by_line(self.rule, each, digits) for each in (kept, after))
        weights = [max(was - now, 0) for was, now in zip(before, then, strict=True)]
        if not any(weights):
            earned = {each.line: each.amount.minor for each in self.lines}
            weights = [earned.get(line.id, 0) for line in after.lines]
        shares = zip(after.lines, points.allocate(weights), strict=True)
        return tuple(LineAmount(line.id, share) for line, share in shares if share.is_positive)

    def to_json(self) -> dict[str, Any]:
        """Return the decision as JSON data."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "EarnDecision":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)


def earn(
    policy: EarningPolicy,
    purchase: Purchase,
    *,
    named: PolicyVersion,
    units: Iterable[CustomUnit],
) -> EarnDecision:
    """
    Decide what *purchase* earns: by the first rule that holds (P4).

    Args:
        policy: The rules.

        purchase: What was bought, as it was paid.

        named: The name and version of the policy, which the decision keeps.

        units: The custom units that rules may name.

    Raises:
        InvalidTerms: No rules, as of a policy without a section earning; no purchase, no custom
            units, or no name and version.
        InvalidOrder: The points are pending from delivery on, and nothing is known of it.
        UnknownCurrency: A rule earns in a unit that nobody has declared.
        AmountOutOfRange: More points than there can be.
    """
    require_kind("policy", EarningPolicy, policy, "the section earning of a policy that has one")
    require_kind("purchase", Purchase, purchase, "a Purchase")
    customs = _as_customs(units)
    passed: list[Passed] = []
    for rule in policy.rules:
        problem = _problem(rule, purchase)
        if problem is None:
            unit = unit_named(rule.unit, customs=customs)
            return _earned(rule, purchase, named, tuple(passed), unit)
        passed.append(Passed(rule.id, problem))
    return EarnDecision(purchase=purchase, policy=named, rule=None, passed=tuple(passed))


def points_due(rule: EarnRule, kept: Purchase, *, units: Iterable[CustomUnit]) -> Money:
    """
    Return the points that *rule* gives for *kept*: all of a purchase, or what is left of it.

    It depends on what is kept alone, not on the way there, and never rises as less is kept.

    Raises:
        InvalidTerms: *units* are no custom units.
        UnitMismatch: The purchase is in another unit than the rule's step.
        UnknownCurrency: The rule earns in a unit that nobody has declared.
        AmountOutOfRange: More points than there can be.
    """
    unit = unit_named(rule.unit, customs=_as_customs(units))
    return Money.of_minor(sum(_points_by_line(rule, kept, unit.digits)), unit)


def _as_customs(units: object) -> tuple[CustomUnit, ...]:
    found = tuple(units) if isinstance(units, Iterable) else (units,)
    customs = tuple(each for each in found if isinstance(each, CustomUnit))
    if len(customs) < len(found):
        raise InvalidTerms("units", units, "the custom units of the policy: policy.units")
    return customs


def _sum(lines: Sequence[LineAmount]) -> Money | None:
    if not lines:
        return None
    return Money.total([each.amount for each in lines], lines[0].amount.unit)


def _problem(rule: EarnRule, purchase: Purchase) -> str | None:
    """Return why *rule* is not for *purchase*, or None."""
    if purchase.unit != rule.per.unit:
        return f"the purchase is in {purchase.unit.code}"
    if rule.segments is not None and not set(rule.segments) & set(purchase.segments):
        return "the holder is in none of the groups"
    if rule.channels is not None and purchase.channel not in rule.channels:
        return _of_the_channel(purchase)
    return None


def _of_the_channel(purchase: Purchase) -> str:
    return f"the channel is {purchase.channel}" if purchase.channel else "no channel is known"


def _earned(
    rule: EarnRule,
    purchase: Purchase,
    named: PolicyVersion,
    passed: tuple[Passed, ...],
    unit: Unit,
) -> EarnDecision:
    by_line = _points_by_line(rule, purchase, unit.digits)
    lines = [
        LineAmount(line.id, Money.of_minor(points, unit))
        for line, points in zip(purchase.lines, by_line, strict=True)
        if points
    ]
    Money.of_minor(sum(by_line), unit)  # all together are an amount, too
    effective = None
    if rule.pending is not None and lines:
        begins = purchase.at if rule.since is Since.PURCHASE else purchase.delivered_at
        if begins is None:
            raise InvalidOrder(
                "delivered_at", None, f"known: by {rule.id}, points are pending from then on"
            )
        effective = end_of_window(rule.pending, begins)
    return EarnDecision(
        purchase=purchase,
        policy=named,
        rule=rule,
        passed=passed,
        lines=tuple(lines),
        effective=effective,
    )


def _points_by_line(rule: EarnRule, purchase: Purchase, digits: int) -> list[int]:
    """Return the points of each line, in the smallest pieces of their unit, *digits* fine."""
    counted = [_counted(rule, line).minor for line in purchase.lines]
    nothing = [0] * len(counted)
    if rule.minimum_order is not None and sum(counted) < rule.minimum_order.minor:
        return nothing
    factors = [_times(rule, purchase, line) for line in purchase.lines]
    # In whole numbers: times is so many common parts of one.
    common = lcm(*[factor.denominator for factor in factors])
    times = [factor.numerator * (common // factor.denominator) for factor in factors]
    each, step = rule.points * 10**digits, rule.per.minor
    if rule.on is EarnOn.LINE:
        shares = [
            each * (money // step) * factor // common
            for money, factor in zip(counted, times, strict=True)
        ]
        total = sum(shares)
    else:
        total = each * _weighed(counted, times, step) // (step * common)
        shares = [money * factor for money, factor in zip(counted, times, strict=True)]
    most = total if rule.at_most is None else min(total, rule.at_most * 10**digits)
    return apportion(most, shares, Division.LARGEST_REMAINDER) if most else nothing


def _weighed(counted: Sequence[int], times: Sequence[int], step: int) -> int:
    """Return the money in whole steps, the most multiplied first, each times its factor."""
    rest = sum(counted) // step * step
    found = 0
    for money, factor in sorted(zip(counted, times, strict=True), key=lambda pair: -pair[1]):
        taken = min(money, rest)
        found += taken * factor
        rest -= taken
    return found


def _counted(rule: EarnRule, line: PurchaseLine) -> Money:
    """Return what counts of *line*."""
    if line.kind in rule.without_kinds or line.category in rule.without_categories:
        return Money.zero(line.amount.unit)
    return line.amount if rule.paid_with_credit is PaidWithCredit.COUNTED else line.by_others


_ONCE: Final = Fraction(1)


def _times(rule: EarnRule, purchase: Purchase, line: PurchaseLine) -> Fraction:
    """Return how many times *line* counts."""
    found = [Fraction(each.times) for each in rule.multipliers if _holds(each, purchase, line)]
    if not found:
        return _ONCE
    return max(found) if rule.stacking is Stacking.HIGHEST else prod(found, start=_ONCE)


def _holds(multiplier: Multiplier, purchase: Purchase, line: PurchaseLine) -> bool:
    return (
        (multiplier.segments is None or bool(set(multiplier.segments) & set(purchase.segments)))
        and (multiplier.categories is None or line.category in multiplier.categories)
        and (multiplier.channels is None or purchase.channel in multiplier.channels)
    )
