"""
Arguments of commands, drawn one by one.

Amounts, instants and texts come from small sets on purpose, so that equal amounts and colliding
boundaries are common; now and then an amount is as large as can be, or an argument is wrong.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from storecredit.ledger import CLOCK_TOLERANCE, Expiry, Limits, Line
from storecredit.testing.machine.drawing import once_in, pick, up_to
from storecredit.testing.machine.known import Known
from storecredit.values import Money, Period, Unit

ORDERS: Final = ("order 1", "order 2")
FUNDINGS: Final = ("purchased", "refund", "goodwill", "promotional", "earned", "deposit")
PEOPLE: Final = ("kim", "lee")
"""Who may be listed as a spender."""
STEPS: Final = tuple(
    dt.timedelta(**step)
    for step in (
        {"hours": 1},
        {"hours": 1},
        {"hours": 1},
        {"microseconds": 1},
        {"microseconds": 1},
        {"hours": -1},
        {"days": 1},
        {"days": 30},
        {"days": 3650},
    )
)
"""How far the clock may go between two commands."""

HOUR: Final = dt.timedelta(hours=1)
TOO_FAR: Final = CLOCK_TOLERANCE + dt.timedelta(microseconds=1)
"""How far ahead of the clock nothing can be recorded any more."""
PERIODS: Final = (Period(hours=1), Period(days=1), Period(days=30))
_LARGEST: Final = 2**63 - 1
_ODD: Final = (0, -1, _LARGEST, 2**62)
_PRIVATE: Final[tuple[dict[str, Any], ...]] = (
    {},
    {},
    {"note": "was upset"},
    {"data": {"ticket": "1"}},
    {"actor": "clerk", "note": "was upset", "data": {"ticket": "1"}},
)
"""What is told in private, and may be erased."""


def amount(
    draw: st.DrawFn, unit: Unit, *, others: tuple[Unit, ...] = (), most: int | None = None
) -> Money:
    """
    Draw a small amount; rarely zero, negative, as large as can be, or in another unit.

    Where it is known how much there is *most*, it is mostly up to that, and often just that.
    """
    if others and once_in(draw, 20):
        unit = pick(draw, others)
    if once_in(draw, 20):
        return Money.of_minor(pick(draw, _ODD), unit)
    if most is None:
        return Money.of_minor(up_to(draw, 8), unit)
    smaller = (up_to(draw, min(most, 8)),) * 4
    return Money.of_minor(pick(draw, (*smaller, most, most, min(most + 1, _LARGEST))), unit)


def amount_or_all(
    draw: st.DrawFn, unit: Unit, *, others: tuple[Unit, ...] = (), most: int | None = None
) -> Money | None:
    """Draw an amount, or none where that means all there is."""
    return None if once_in(draw, 2) else amount(draw, unit, others=others, most=most)


def spender(draw: st.DrawFn, listed: tuple[str, ...] | None) -> str | None:
    """Name somebody on the list, rarely somebody else; mostly nobody where there is no list."""
    if once_in(draw, 6):
        return pick(draw, (None, *PEOPLE, "eve"))
    return pick(draw, listed) if listed else None


def expiry(draw: st.DrawFn, known: Known) -> Expiry:
    """Draw when to expire: never, after a period, at the end of a day, at an instant."""
    now = known.now
    instants = (now + HOUR, now + 2 * HOUR, now + dt.timedelta(days=1), now)
    days = (now.date(), now.date() + dt.timedelta(days=1))
    kinds: list[Sequence[Expiry]] = [(None,), PERIODS, instants, days]
    return pick(draw, pick(draw, kinds))


def later_expiry(draw: st.DrawFn, known: Known) -> Expiry:
    """Draw when to expire, mostly well ahead."""
    if once_in(draw, 3):
        return expiry(draw, known)
    ahead: tuple[Expiry, ...] = (Period(days=30), Period(days=1), known.now + HOUR)
    return pick(draw, ahead)


def limits(draw: st.DrawFn, known: Known) -> Limits:
    """Draw limits of any kind."""
    choices: list[dict[str, Any]] = [
        {"categories": ("books",)},
        {"categories": ("books", "toys")},
        {"lines": ("1",)},
        {"minimum_order": 5},
        {"share_percent": 50},
        {"categories": ("toys",), "share_percent": 34},
    ]
    if known.merchant.channels:
        choices.append({"channels": known.merchant.channels[:1]})
    return Limits(**pick(draw, choices))


def order_lines(draw: st.DrawFn, paid: Money) -> tuple[Line, ...]:
    """Draw one to three lines of an order, mostly due as much as is *paid* at least."""
    parts = [
        (up_to(draw, 9) - 1, pick(draw, ("books", "toys", None))) for _ in range(up_to(draw, 3))
    ]
    missing = max(paid.minor - sum(minor for minor, _ in parts), 0)
    if once_in(draw, 4):
        missing = 0
    minors = [parts[0][0] + missing, *(minor for minor, _ in parts[1:])]
    return tuple(
        Line(id=str(number), amount=Money.of_minor(minor, paid.unit), category=category)
        for number, (minor, (_, category)) in enumerate(zip(minors, parts, strict=True), 1)
    )


def about(
    draw: st.DrawFn, known: Known, *, answerable: bool = False, spends: bool = False
) -> dict[str, Any]:
    """Draw when, who, why and where; mostly as it should be."""
    now = known.now
    told: dict[str, Any] = dict(pick(draw, _PRIVATE))
    if once_in(draw, 8):
        told["at"] = now + pick(draw, (0 * HOUR, -HOUR, CLOCK_TOLERANCE, TOO_FAR, TOO_FAR))
    if answerable:
        told |= {"actor": "clerk", "reason": "a reason"}
        if once_in(draw, 20):
            del told[pick(draw, ("actor", "reason"))]
    if once_in(draw, 2):
        told["reference"] = pick(draw, ORDERS)
    if (spends and known.merchant.channels and not once_in(draw, 20)) or (
        not spends and known.merchant.channels and once_in(draw, 8)
    ):
        told["channel"] = pick(draw, known.merchant.channels)
    elif once_in(draw, 30):
        told["channel"] = "kiosk"
    return told
