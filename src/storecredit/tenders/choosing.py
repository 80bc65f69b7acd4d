"""Choosing among prices: every combination up to a stated number, then line by line (T3)."""

from collections.abc import Callable, Mapping
from itertools import product
from math import prod
from typing import Any

from storecredit.tenders.case import World
from storecredit.tenders.order import Order
from storecredit.tenders.purse import Purse
from storecredit.tenders.rules import EXACT_UP_TO, Aim, Choosing
from storecredit.tenders.settling import Settled
from storecredit.values import CustomUnit, Unit

_Settle = Callable[[tuple[int, ...]], Settled]


def choose_prices(
    order: Order, asked: Mapping[str, int] | Aim | None, world: World, settle: _Settle
) -> tuple[Settled, Choosing]:
    """
    Settle the prices that are asked for, or those that reach an aim best.

    A line that nothing is asked about is bought at its first price.

    Raises:
        UnknownOrderLine: The choice names a line that is not there.
        UnknownPrice: A line has no such price.
    """
    if not isinstance(asked, Aim):
        chosen = [0] * len(order.lines)
        for line, price in ({} if asked is None else asked).items():
            place = order.place(line)
            chosen[place] = order.require_price(place, price)
        return settle(tuple(chosen)), Choosing.AS_ASKED
    sizes = [len(line.prices) for line in order.lines]
    if prod(sizes) == 1:
        return settle((0,) * len(sizes)), Choosing.AS_ASKED
    units = _units_in_order(order)

    def score(settled: Settled) -> tuple[Any, ...]:
        return _score(settled, asked, units, world.purses)

    if prod(sizes) <= EXACT_UP_TO:
        every = (settle(chosen) for chosen in product(*map(range, sizes)))
        # Combinations come with the earlier prices of the earlier lines first, and min keeps those.
        return min(every, key=score), Choosing.EXACT
    return _line_by_line(sizes, settle, score), Choosing.LINE_BY_LINE


def _line_by_line(
    sizes: list[int], settle: _Settle, score: Callable[[Settled], tuple[Any, ...]]
) -> Settled:
    best = settle((0,) * len(sizes))
    least = score(best)
    changed = True
    while changed:
        changed = False
        for place, size in enumerate(sizes):
            for price in range(size):
                if price == best.chosen[place]:
                    continue
                tried = settle((*best.chosen[:place], price, *best.chosen[place + 1 :]))
                reached = score(tried)
                if reached < least:
                    best, least, changed = tried, reached, True
    return best


def _units_in_order(order: Order) -> list[Unit]:
    """Return the units of all prices, each where it is named first."""
    return list(
        dict.fromkeys(
            amount.unit for line in order.lines for price in line.prices for amount in price.amounts
        )
    )


def _score(
    settled: Settled, aim: Aim, units: list[Unit], purses: Mapping[int, Purse]
) -> tuple[Any, ...]:
    """Return what *aim* keeps small: first what stays unpaid, then its own order of things."""
    short = [settled.placed[unit].short if unit in settled.placed else 0 for unit in units]
    outside = [
        sum(amount for _, amount in settled.placed[unit].charges) if unit in settled.placed else 0
        for unit in units
    ]
    taken: dict[Unit, int] = {}
    for (place, _), amount in settled.used.items():
        own = purses[place].tender.account.unit
        taken[own] = taken.get(own, 0) + amount
    spent = [*units, *[unit for unit in taken if unit not in units]]
    credit = [-taken.get(unit, 0) for unit in spent if not isinstance(unit, CustomUnit)]
    points = [taken.get(unit, 0) for unit in spent if isinstance(unit, CustomUnit)]
    wishes = {
        Aim.MOST_CREDIT: (credit, outside, points),
        Aim.FEWEST_POINTS: (points, credit, outside),
        Aim.LEAST_EXTERNAL: (outside, points, credit),
    }
    return (sum(map(bool, short)), short, *wishes[aim])
