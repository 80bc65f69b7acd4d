"""
Hypothesis strategies for what gives: earning rules and purchases, goodwill rules and occasions.

Amounts are tiny on purpose, so that steps, minimums and caps bind all the time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs
from hypothesis import assume
from hypothesis import strategies as st

from storecredit.policies.earn_rule import EarnRule, Multiplier
from storecredit.policies.gift import Circumstances, Gift
from storecredit.policies.goodwill import GoodwillRule
from storecredit.policies.occasion import Occasion
from storecredit.policies.purchase import Purchase, PurchaseLine, Returned
from storecredit.tenders import LineKind
from storecredit.values import CustomUnit, Money

EARNED_IN: Final = (CustomUnit("PTS", 0), CustomUnit("STAR", 2))
"""The units that rules earn in: with digits and without."""
BOUGHT: Final = datetime(2026, 3, 1, tzinfo=UTC)
"""When all purchases are made, and all occasions happen."""


def eur(minor: int) -> Money:
    """So many cents."""
    return Money.of_minor(minor, "EUR")


# Points


@st.composite
def earn_rules(draw: st.DrawFn) -> EarnRule:
    """Rules for euros, with everything that changes how many points there are."""
    multiplier = st.builds(
        Multiplier,
        times=st.sampled_from(["0", "0.5", "1", "1.5", "2", "3.33"]).map(Decimal),
        segments=st.none() | st.just(["gold"]),
        categories=st.sampled_from([["a"], ["b"], ["a", "b"]]),
    )
    return draw(
        st.builds(
            EarnRule,
            id=st.just("r"),
            per=st.integers(1, 30).map(eur),
            points=st.integers(1, 7),
            unit=st.sampled_from(["PTS", "STAR"]),
            on=st.sampled_from(["order", "line"]),
            without_kinds=st.sampled_from([[], ["tax"], ["tax", "shipping", "fee", "gift_card"]]),
            without_categories=st.sampled_from([[], ["b"]]),
            paid_with_credit=st.sampled_from(["left_out", "counted"]),
            multipliers=st.lists(multiplier, max_size=3),
            stacking=st.sampled_from(["highest", "multiplied"]),
            minimum_order=st.none() | st.integers(1, 40).map(eur),
            at_most=st.none() | st.integers(1, 20),
        )
    )


@st.composite
def purchases(draw: st.DrawFn) -> Purchase:
    """Orders of one to four lines, some of them paid with credit in part."""
    lines = []
    for number in range(draw(st.integers(1, 4))):
        amount = draw(st.integers(0, 60))
        lines.append(
            PurchaseLine(
                id=str(number),
                amount=eur(amount),
                kind=draw(st.sampled_from([*LineKind, *[LineKind.GOODS] * 5])),
                category=draw(st.sampled_from(["a", "b", None])),
                credit=draw(st.none() | st.integers(0, amount).map(eur)),
            )
        )
    segments = draw(st.lists(st.sampled_from(["gold", "new"]), unique=True))
    return Purchase(order="o", holder="h", lines=lines, at=BOUGHT, segments=segments)


@st.composite
def returns_of(draw: st.DrawFn, kept: Purchase) -> list[Returned]:
    """Returns that are possible, with or without saying what goes back as credit."""
    found = []
    for line in kept.lines:
        amount = draw(st.integers(0, line.amount.minor))
        least = max(amount - line.by_others.minor, 0)
        most = min(line.by_credit.minor, amount)
        credit = draw(st.none() | st.integers(least, most).map(eur))
        if draw(st.booleans()):
            found.append(Returned(line=line.id, amount=eur(amount), credit=credit))
    return found


# Goodwill


def amounts(*, least: int = 1) -> st.SearchStrategy[Money]:
    """A few cents, of two currencies."""
    return st.builds(Money.of_minor, st.integers(least, 9), st.sampled_from(["EUR", "USD"]))


def _some(*values: str) -> st.SearchStrategy[Any]:
    return st.none() | st.lists(st.sampled_from(values), min_size=1, unique=True)


@st.composite
def circumstances(draw: st.DrawFn) -> Circumstances:
    """Conditions that can hold."""
    at_least, below = draw(st.none() | amounts()), draw(st.none() | amounts())
    if at_least is not None and below is not None:
        assume(at_least.unit == below.unit and at_least < below)
    return Circumstances(
        at_least=at_least,
        below=below,
        segments=draw(_some("gold", "new")),
        channels=draw(_some("web", "app")),
        days_late=draw(st.none() | st.integers(1, 3)),
    )


def gifts() -> st.SearchStrategy[Gift]:
    """Amounts, and percentages of an order or its shipping."""
    return st.builds(Gift, amount=amounts()) | st.builds(
        Gift,
        percent=st.sampled_from(["0", "12.5", "100", "250"]).map(Decimal),
        of=st.sampled_from(["order", "shipping"]),
        rounding=st.sampled_from(["down", "up", "half_even"]),
        at_most=st.none() | amounts(),
    )


@st.composite
def goodwill_rules(draw: st.DrawFn) -> list[GoodwillRule]:
    """One to four rules about two kinds of thing; some may never be reached."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        when, gives = draw(circumstances()), draw(gifts())
        bound = when.below if when.at_least is None else when.at_least
        if bound is not None and gives.at_most is not None and gives.at_most.unit != bound.unit:
            # What is asked of an order in one currency is no part of one in another.
            gives = attrs.evolve(gives, at_most=None)
        rule = GoodwillRule(
            id=str(number),
            on=draw(st.sampled_from(["late", "broken"])),
            gives=gives,
            when=when,
            once_per=draw(st.sampled_from(["occasion", "order", "holder"])),
        )
        found.append(rule)
    return found


def occasions() -> st.SearchStrategy[Occasion]:
    """Something that happened to anna, of which more or less is known."""
    return st.builds(
        Occasion,
        id=st.just("t"),
        on=st.sampled_from(["late", "broken", "else"]),
        holder=st.just("anna"),
        at=st.just(BOUGHT),
        order=st.none() | st.just("o"),
        order_total=st.none() | amounts(least=0),
        shipping=st.none() | amounts(least=0),
        days_late=st.none() | st.integers(0, 4),
        channel=st.none() | st.sampled_from(["web", "app", "till"]),
        segments=st.lists(st.sampled_from(["gold", "new", "old"]), unique=True),
        referrer=st.none() | st.just("ben"),
    )
