"""Goodwill, incentives, earning and top-ups in plain words (P1, P4)."""

from collections.abc import Iterator
from typing import Final

from storecredit.ledger import Above, Limits, Shortfall
from storecredit.policies.earn_rule import EarningPolicy, EarnOn, EarnRule, PaidWithCredit, Stacking
from storecredit.policies.gift import Basis, Circumstances, Gift, GrantCeiling, OncePer
from storecredit.policies.goodwill import (
    GoodwillPolicy,
    GoodwillRule,
    IncentivePolicy,
    IncentiveRule,
)
from storecredit.policies.top_up import SpentBonus, TopUpPolicy
from storecredit.policies.wording import (
    between,
    bonus_of,
    capped,
    days,
    holds_when,
    listed,
    lives,
    on_one_line,
    percentage,
    since_when,
    whose,
)

_NOT_GIVEN: Final = "beyond that nothing is given"


def goodwill(policy: GoodwillPolicy) -> Iterator[str]:
    """Yield the lines of text about what is given where something went wrong."""
    yield "The first rule that holds decides."
    for number, rule in enumerate(policy.rules, 1):
        yield from _granting(number, rule, {"the customer": rule.gives})
    yield from _ceilings(policy.ceilings)


def incentives(policy: IncentivePolicy) -> Iterator[str]:
    """Yield the lines of text about what is given for what the shop wants."""
    yield "The first rule that holds decides."
    for number, rule in enumerate(policy.rules, 1):
        gifts = {"the customer": rule.gives, "whoever brought the customer": rule.gives_referrer}
        yield from _granting(number, rule, gifts)
    yield from _ceilings(policy.ceilings)


def _granting(
    number: int, rule: GoodwillRule | IncentiveRule, gifts: dict[str, Gift | None]
) -> Iterator[str]:
    yield ""
    yield f"{number}. {rule.id}"
    yield f"   {holds_when([f'it is about {rule.on}', *_circumstances(rule.when)])}"
    for who, gift in gifts.items():
        if gift is not None:
            yield f"   - {who} gets {_amount(gift)}"
            yield f"   - {lives('it', gift.expires)}"
            yield from (f"   - it pays only for {each}" for each in _limits(gift.limits))
    once = {
        OncePer.OCCASION: "for each time it happens",
        OncePer.ORDER: "for each order",
        OncePer.HOLDER: "for each customer",
        OncePer.REFERRAL: "for each customer who was brought",
    }[rule.once_per]
    yield f"   - once {once}"
    if rule.because is not None:
        yield f"   Why: {on_one_line(rule.because)}"


def _amount(gift: Gift) -> str:
    if gift.percent is None or gift.rounding is None:
        return str(gift.amount)
    of = "the order" if gift.of is Basis.ORDER else "the shipping"
    most = "" if gift.at_most is None else f", at most {gift.at_most}"
    rounded = gift.rounding.value.replace("_", " ")
    return f"{percentage(gift.percent)} of {of}, rounded {rounded}{most}"


def _circumstances(when: Circumstances) -> list[str]:
    said = between("the order", when.at_least, when.below)
    if when.segments is not None:
        said.append(f"the customer is in the group {listed(when.segments)}")
    if when.channels is not None:
        said.append(f"it comes through {listed(when.channels)}")
    if when.days_late is not None:
        said.append(f"it is {when.days_late} day{'' if when.days_late == 1 else 's'} late or more")
    return said


def _limits(limits: Limits | None) -> Iterator[str]:
    if limits is None:
        return
    for what, values in (
        ("goods of", limits.categories),
        ("the lines", limits.lines),
        ("sales through", limits.channels),
    ):
        if values:
            yield f"{what} {listed(values)}"
    if limits.minimum_order is not None:
        yield f"orders of {limits.minimum_order} minor units or more"
    if limits.share_percent is not None:
        yield f"{limits.share_percent} % of what it may pay for"


def _ceilings(ceilings: tuple[GrantCeiling, ...], *, none: str = _NOT_GIVEN) -> Iterator[str]:
    if ceilings:
        yield ""
        yield "Limits:"
        yield ""
    for ceiling in ceilings:
        refused = ceiling.above is Above.REFUSE
        beyond = none if refused else "beyond that only what is left is given"
        yield (
            f"- {ceiling.id}: for {whose(ceiling.per)} and within {days(ceiling.period)}: "
            f"{capped(ceiling.amount, ceiling.count)}; {beyond}."
        )


def earning(policy: EarningPolicy) -> Iterator[str]:
    """Yield the lines of text about what purchases earn."""
    yield "The first rule that holds decides about all of a purchase."
    for number, rule in enumerate(policy.rules, 1):
        yield ""
        yield f"{number}. {rule.id}"
        yield f"   {holds_when(_who_earns(rule))}"
        yield from (f"   - {said}" for said in _earned(rule))


def _who_earns(rule: EarnRule) -> list[str]:
    said = [f"it is paid in {rule.per.unit.code}"]
    if rule.segments is not None:
        said.append(f"the customer is in the group {listed(rule.segments)}")
    if rule.channels is not None:
        said.append(f"it comes through {listed(rule.channels)}")
    return said


def _earned(rule: EarnRule) -> Iterator[str]:
    each = "of the order" if rule.on is EarnOn.ORDER else "of each line"
    yield f"{rule.points} {rule.unit} for every whole {rule.per} {each}"
    if rule.minimum_order is not None:
        yield f"nothing where less than {rule.minimum_order} counts"
    if rule.without_kinds:
        kinds = [kind.value.replace("_", " ") for kind in rule.without_kinds]
        yield f"nothing for {listed(kinds, last='and')}"
    if rule.without_categories:
        yield f"nothing for goods of {listed(rule.without_categories)}"
    counted = rule.paid_with_credit is PaidWithCredit.COUNTED
    yield f"what credit paid {'counts' if counted else 'does not count'}"
    for multiplier in rule.multipliers:
        named = (
            ("the group", multiplier.segments),
            ("goods of", multiplier.categories),
            ("sales through", multiplier.channels),
        )
        whom = [f"{what} {listed(values)}" for what, values in named if values is not None]
        times = percentage(multiplier.times).removesuffix(" %")
        yield f"{times} times as many for {listed(whom, last='and')}"
    if len(rule.multipliers) > 1:
        highest = rule.stacking is Stacking.HIGHEST
        yield "of several, " + ("only the highest counts" if highest else "all are multiplied")
    if rule.at_most is not None:
        yield f"{rule.at_most} {rule.unit} at most for one purchase"
    if rule.pending is not None:
        yield f"they count {days(rule.pending)} after {since_when(rule.since)}"
    yield lives("what is earned", rule.expires)
    yield {
        Shortfall.UP_TO: "after a return, the shop bears points that are spent already",
        Shortfall.ALL_OR_NOTHING: "after a return, points are taken back only if all are there",
        Shortfall.OWE: "after a return, points that are spent already are owed",
    }[rule.shortfall]


def top_up(policy: TopUpPolicy) -> Iterator[str]:
    """Yield the lines of text about bought credit."""
    most = "" if policy.maximum is None else f", and {policy.maximum} at most"
    yield f"- {policy.minimum} at least{most}"
    for step in sorted(policy.bonuses, key=lambda each: each.paid):
        bonus = bonus_of(step.bonus)
        yield f"- from {step.paid} on, {'no bonus' if bonus is None else f'a bonus of {bonus}'}"
    yield f"- {lives('what was paid for', policy.expires)}"
    if policy.bonuses:
        yield f"- {lives('the bonus', policy.bonus_expires or policy.expires)}"
        yield from (f"- the bonus pays only for {each}" for each in _limits(policy.bonus_limits))
        kept = policy.spent_bonus is SpentBonus.DEDUCT
        yield "- if it is given back, the part of its bonus that is spent " + (
            "is kept of the money" if kept else "is borne by the shop"
        )
    if policy.automatic is not None:
        yield f"- under {policy.automatic.below}, {policy.automatic.pays} is bought by itself"
    yield from _ceilings(policy.ceilings, none="beyond that none is sold")
