"""
Strategies for the arguments of commands.

Amounts, instants and texts come from small sets on purpose, so that equal amounts and colliding
boundaries are common; now and then an amount is as large as can be, or an argument is wrong.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, cast

from hypothesis import strategies as st

from storecredit.ledger import Limits, Line
from storecredit.testing.machine.known import Known
from storecredit.values import Money, Period, Unit

ORDERS: Final = ("order 1", "order 2")
FUNDINGS: Final = ("purchased", "refund", "goodwill", "promotional", "earned", "deposit")
STEPS: Final = tuple(
    dt.timedelta(**step)
    for step in (
        {"hours": 1},
        {"hours": 1},
        {"microseconds": 1},
        {"days": 1},
        {"days": 30},
        {"hours": -1},
        {"days": 3650},
    )
)
"""How far the clock may go between two commands."""

HOUR: Final = dt.timedelta(hours=1)
PERIODS: Final = (Period(hours=1), Period(days=1), Period(days=30))
_LARGE: Final = (2**63 - 1, 2**62)


def amounts(
    unit: Unit, *, others: tuple[Unit, ...] = (), smallest: int = 1
) -> st.SearchStrategy[Money]:
    """Small amounts; rarely zero, negative, as large as can be, or in another unit."""
    small = st.integers(smallest, 8)
    odd = st.sampled_from((0, -1, *_LARGE))
    minors = st.integers(0, 19).flatmap(lambda die: odd if die == 13 else small)
    chosen = st.integers(0, 19).flatmap(
        lambda die: st.sampled_from(others) if die == 13 and others else st.just(unit)
    )
    return st.builds(Money.of_minor, minors, chosen)


def or_none(values: st.SearchStrategy[Any], *, mostly_none: bool = False) -> st.SearchStrategy[Any]:
    """Either, or nothing."""
    if mostly_none:
        return st.integers(0, 4).flatmap(lambda die: values if die == 3 else st.none())
    return st.none() | values


def expiries(known: Known) -> st.SearchStrategy[Any]:
    """Never, after a period, at the end of a day, at an instant."""
    now = known.now
    instants = st.sampled_from([now + HOUR, now + 2 * HOUR, now + dt.timedelta(days=1), now])
    days = st.sampled_from([now.date(), now.date() + dt.timedelta(days=1)])
    return st.none() | st.sampled_from(PERIODS) | instants | days


def limits(known: Known) -> st.SearchStrategy[Limits]:
    """Limits of every kind."""
    choices = [
        {"categories": ("books",)},
        {"categories": ("books", "toys")},
        {"lines": ("1",)},
        {"minimum_order": 5},
        {"share_percent": 50},
        {"categories": ("toys",), "share_percent": 34},
    ]
    if known.merchant.channels:
        choices.append({"channels": known.merchant.channels[:1]})
    return st.sampled_from(choices).map(lambda chosen: Limits(**cast(dict[str, Any], chosen)))


def order_lines(amount: Money) -> st.SearchStrategy[tuple[Line, ...]]:
    """One to three lines of an order, mostly due as much as *amount* at least."""
    line = st.tuples(st.integers(0, 8), st.sampled_from(["books", "toys", None]))
    enough = st.sampled_from([0, amount.minor, amount.minor, amount.minor])

    def lines(parts: list[tuple[int, str | None]], due: int) -> tuple[Line, ...]:
        missing = max(due - sum(minor for minor, _ in parts), 0)
        minors = [parts[0][0] + missing, *(minor for minor, _ in parts[1:])]
        return tuple(
            Line(id=str(number), amount=Money.of_minor(minor, amount.unit), category=category)
            for number, (minor, (_, category)) in enumerate(zip(minors, parts, strict=True), 1)
        )

    return st.builds(lines, st.lists(line, min_size=1, max_size=3), enough)


@st.composite
def abouts(
    draw: st.DrawFn, known: Known, *, answerable: bool = False, spends: bool = False
) -> dict[str, Any]:
    """When, who, why and where; mostly as it should be."""
    now = known.now
    about: dict[str, Any] = {}
    if draw(st.integers(0, 7)) == 5:
        steps = (0 * HOUR, -HOUR, HOUR / 12, HOUR / 12 + dt.timedelta(microseconds=1))
        about["at"] = now + draw(st.sampled_from(steps))
    if answerable:
        about |= {"actor": "clerk", "reason": "a reason"}
        if draw(st.integers(0, 19)) == 13:
            del about[draw(st.sampled_from(["actor", "reason"]))]
    if draw(st.booleans()):
        about["reference"] = draw(st.sampled_from(ORDERS))
    if spends and known.merchant.channels and draw(st.integers(0, 19)) != 13:
        about["channel"] = draw(st.sampled_from(known.merchant.channels))
    elif spends and draw(st.integers(0, 19)) == 13:
        about["channel"] = "kiosk"
    return about
