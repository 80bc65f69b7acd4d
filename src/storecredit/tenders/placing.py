"""
Placing: how much of each source pays which line of a case (T3).

The order is: what may be had is placed so that no other placement covers more; then tenders that
pay whole steps only are lowered to them, the first of them first, and the rest is placed again;
then, if an external charge would be below its minimum, credit makes room for it, the last tender
first.
"""

from collections.abc import Sequence
from typing import final

import attrs

from storecredit.tenders._capped_flow import CappedFlow
from storecredit.tenders.case import Case
from storecredit.tenders.reasons import Why
from storecredit.tenders.tender import Credit


@final
@attrs.define(eq=False)
class Placed:
    """How a case is paid, source by source and line by line. Amounts are minor units."""

    case: Case
    paid: list[dict[int, int]]
    """For each source of the case, what it pays on which line."""
    left: list[int]
    """What sources leave of each line."""
    charges: list[tuple[int, int]] = attrs.field(factory=list)
    """What each external tender is charged: its position, and the amount."""
    short: int = 0
    """What stays unpaid of what sources leave."""
    short_because: Why = Why.NO_TENDER_TAKES_THE_UNIT
    lowered: dict[int, tuple[Why, int]] = attrs.field(factory=dict)
    """Tenders that pay less than they could, why, and how much less."""

    def total(self, place: int) -> int:
        """Return what the sources of the tender at *place* pay in all."""
        return sum(
            sum(paid.values())
            for source, paid in zip(self.case.sources, self.paid, strict=True)
            if source.place == place
        )


def place_case(case: Case) -> Placed:
    """Place the sources of *case*, and charge the external tenders what they leave."""
    budgets = dict(case.caps)
    placed = _in_whole_steps(case, budgets, {})
    lacking = _charge(placed)
    if lacking:
        lowered = _room_for(placed, lacking)
        if lowered is not None:
            again = _in_whole_steps(case, lowered, dict(placed.lowered))
            for of in case.world.purses:
                less = placed.total(of) - again.total(of)
                if less > 0:
                    again.lowered[of] = (Why.LOWERED_FOR_THE_MINIMUM_CHARGE, less)
            if not _charge(again):
                return again
        placed.short_because = Why.BELOW_THE_MINIMUM_CHARGE
    return placed


def _in_whole_steps(
    case: Case, budgets: dict[int, int], lowered: dict[int, tuple[Why, int]]
) -> Placed:
    """Place within *budgets*, by tender, until every tender pays whole steps."""
    while True:
        placed = _place(case, budgets)
        place, total, whole = _misfit(placed)
        if place < 0:
            placed.lowered = lowered
            return placed
        budgets[place] = whole
        before = lowered.get(place, (Why.LOWERED_TO_WHOLE_STEPS, 0))[1]
        lowered[place] = (Why.LOWERED_TO_WHOLE_STEPS, before + total - whole)


def _place(case: Case, budgets: dict[int, int]) -> Placed:
    caps = list[int]()
    at: dict[object, int] = {}
    for key, cap in (*budgets.items(), *case.shared.items()):
        at[key] = len(caps)
        caps.append(cap)
    flow = CappedFlow(case.due, caps)
    for source in case.sources:
        under: tuple[int, ...] = ()
        if caps:
            tender = case.world.tenders[source.place]
            own = tender.account.unit if isinstance(tender, Credit) else None
            under = tuple([at[key] for key in (source.place, own) if key in at])
        flow.send(source.allowed, source.most, under=under)
    flow.settle()
    return Placed(case, flow.paid, flow.left)


def _misfit(placed: Placed) -> tuple[int, int, int]:
    """Return the first tender that does not pay whole steps: its place, what it pays and should."""
    case = placed.case
    spent = dict[object, int]()
    for place, purse in case.world.purses.items():
        rate, step = case.rate(place), case.step(place)
        if rate is None and step == 1:
            continue
        total = placed.total(place)
        if not total:
            continue
        whole = total - total % step
        if rate is not None:
            own = purse.tender.account.unit
            rule = case.world.rules.get(own)
            points = min(case.budget(place), _points_of(placed, place))
            if rule is not None and rule.at_most is not None:
                left = rule.at_most.minor - case.used_of(own) - spent.get(own, 0)
                points = min(points, max(left, 0))
            whole = rate.most_within(total, points, step=step)
            spent[own] = spent.get(own, 0) + rate.needed(whole, step=step)
        if whole < total:
            return place, total, whole
    return -1, 0, 0


def _points_of(placed: Placed, place: int) -> int:
    """Return what the sources that the tender at *place* pays with have, in its own unit."""
    return sum(
        source.points
        for source, paid in zip(placed.case.sources, placed.paid, strict=True)
        if source.place == place and paid
    )


def points_taken(placed: Placed, place: int) -> dict[int, int]:
    """
    Return what is taken of each source of the tender at *place*, where it pays at a frozen rate.

    The rate counts once for all they pay; in the order of use, each gives its part of it.
    """
    case = placed.case
    rate = case.rate(place)
    used = [
        number
        for number, source in enumerate(case.sources)
        if source.place == place and placed.paid[number]
    ]
    if rate is None or not used:
        return {}
    needed = rate.needed(placed.total(place), step=case.step(place))
    taken, paid, before = dict[int, int](), 0, 0
    for number in used:
        paid += sum(placed.paid[number].values())
        upto = min(rate.needed(paid), needed)
        taken[number] = min(max(upto - before, 0), case.sources[number].points)
        before += taken[number]
    for number in used:
        more = min(needed - before, case.sources[number].points - taken[number])
        taken[number] += more
        before += more
    return taken


# External charges


def _charge(placed: Placed) -> int:
    """
    Let the external tenders pay what sources leave, one after the other.

    Returns how much more would have to be left so that every charge reaches its minimum; where
    it is not nothing, what cannot be charged is short.
    """
    case = placed.case
    rest = sum(placed.left)
    amounts = list[int]()
    for _, external in case.externals:
        most = external.most(case.unit)
        amounts.append(rest if most is None else min(rest, most))
        rest -= amounts[-1]
    placed.short = rest
    if rest and case.externals:
        placed.short_because = Why.EXTERNAL_LIMIT
    lacking = _lift(amounts, [external.least(case.unit) for _, external in case.externals])
    for number, (_, external) in enumerate(case.externals):
        if 0 < amounts[number] < external.least(case.unit):
            placed.short += amounts[number]
            amounts[number] = 0
    charged = zip(case.externals, amounts, strict=True)
    placed.charges = [(of, amount) for (of, _), amount in charged if amount]
    return lacking


def _lift(amounts: list[int], least: Sequence[int]) -> int:
    """Lift charges to their minimum at the cost of earlier ones; return what still lacks."""
    for late in reversed(range(len(amounts))):
        lacking = least[late] - amounts[late]
        if not amounts[late] or lacking <= 0:
            continue
        for early in range(late):
            if amounts[early] - lacking >= least[early]:
                amounts[early] -= lacking
                amounts[late] += lacking
                break
        else:
            return lacking
    return 0


def _room_for(placed: Placed, lacking: int) -> dict[int, int] | None:
    """Return caps by tender under which credit pays *lacking* less, or None if it pays too little."""
    case = placed.case
    budgets = {source.place: 0 for source in case.sources}
    for place in budgets:
        budgets[place] = placed.total(place)
    for place in reversed(list(case.world.purses)):
        total = budgets.get(place, 0)
        less = min(total, lacking)
        if less:
            rate, step = case.rate(place), case.step(place)
            whole = total - less
            if rate is None:
                whole -= whole % step
            else:
                whole = rate.most_within(whole, _points_of(placed, place), step=step)
            budgets[place] = whole
            lacking -= min(total - whole, lacking)
    return None if lacking else budgets
