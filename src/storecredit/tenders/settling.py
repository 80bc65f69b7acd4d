"""Settling: what one choice of prices costs, unit by unit, and how the tenders pay it (T2)."""

from collections.abc import Mapping, Sequence
from typing import final

import attrs

from storecredit.errors import InvalidTender
from storecredit.tenders.case import Case, World
from storecredit.tenders.order import Order
from storecredit.tenders.placing import Placed, place_case, points_taken
from storecredit.values import Unit


@final
@attrs.define(eq=False)
class Costs:
    """What the lines cost in one unit, and what is taken off. Amounts are minor units."""

    price: list[int]
    """By line, what the chosen prices say."""
    discounts: list[dict[int, int]]
    """For each discount of the order, what it takes off of which line."""
    reduced: list[int]
    """By line, what lots took off in an earlier plan."""
    due: list[int]
    """By line, what is left for tenders."""


@final
@attrs.define(eq=False)
class Settled:
    """What one choice of prices comes to."""

    chosen: tuple[int, ...]
    """By line, which price."""
    costs: dict[Unit, Costs]
    """By unit, in the order in which the chosen prices name them."""
    placed: dict[Unit, Placed]
    used: dict[tuple[int, str | None], int]
    """By tender and lot, what is taken, in minor units of the tender's own unit."""


def settle(
    order: Order,
    world: World,
    chosen: tuple[int, ...],
    reductions: Mapping[tuple[Unit, str], int],
) -> Settled:
    """
    Let the tenders pay the *chosen* prices.

    Units that points pay at a frozen rate come after the others, so that points pay first what is
    due in points.

    Raises:
        InvalidOrder: A discount's named division does not fit the lines.
        InvalidTender: Earlier reductions take more off a line than it costs.
    """
    costs = _costs(order, chosen, reductions)
    order_due = {unit: sum(each.due) for unit, each in costs.items()}
    placed: dict[Unit, Placed] = {}
    used: dict[tuple[int, str | None], int] = {}
    for unit in sorted(costs, key=lambda unit: _is_paid_at_a_rate(world, unit)):
        case = Case(world, unit, costs[unit].due, used, order_due)
        placed[unit] = place_case(case)
        used = _with_taken(used, placed[unit])
    return Settled(chosen, costs, {unit: placed[unit] for unit in costs}, used)


def _is_paid_at_a_rate(world: World, unit: Unit) -> bool:
    return any(
        purse.tender.rate is not None and purse.tender.rate.pays == unit
        for purse in world.purses.values()
    )


def _costs(
    order: Order, chosen: Sequence[int], reductions: Mapping[tuple[Unit, str], int]
) -> dict[Unit, Costs]:
    prices: dict[Unit, list[int]] = {}
    for place, line in enumerate(order.lines):
        for amount in line.prices[chosen[place]].amounts:
            if amount.unit not in prices:
                prices[amount.unit] = [0] * len(order.lines)
            prices[amount.unit][place] = amount.minor
    found: dict[Unit, Costs] = {}
    for unit, price in prices.items():
        due = list(price)
        taken = list[dict[int, int]]()
        for discount in order.discounts:
            shares = discount.shares(order.lines, unit, due)
            for place, share in shares.items():
                due[place] -= share
            taken.append(shares)
        reduced = [0] * len(due)
        if reductions:
            reduced = [reductions.get((unit, line.id), 0) for line in order.lines]
            due = [amount - off for amount, off in zip(due, reduced, strict=True)]
        found[unit] = Costs(price, taken, reduced, due)
    for unit, name in reductions:
        if unit not in found or found[unit].due[order.place(name)] < 0:
            raise InvalidTender("reductions", name, "of no more than the lines cost")
    return found


def _with_taken(
    used: Mapping[tuple[int, str | None], int], placed: Placed
) -> dict[tuple[int, str | None], int]:
    case = placed.case
    found = dict(used)
    at_rate = {
        place: points_taken(placed, place) for place in case.world.purses if case.rate(place)
    }
    for number, source in enumerate(case.sources):
        if source.place in case.world.purses and placed.paid[number]:
            points = at_rate.get(source.place)
            taken = sum(placed.paid[number].values()) if points is None else points[number]
            key = (source.place, None if source.lot is None else source.lot.id)
            found[key] = found.get(key, 0) + taken
    return found
