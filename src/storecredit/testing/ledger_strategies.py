"""
Hypothesis strategies for the things of the ledger: terms, limits, lots, order lines, contexts.

Amounts are tiny and instants few on purpose, so that ties, empty parts and colliding boundaries
are common. Commands and whole histories are in `storecredit.testing.machine`.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import attrs
from hypothesis import strategies as st

from storecredit.ledger import (
    Context,
    Funding,
    Limits,
    Line,
    Lot,
    LotId,
    OrderKey,
    OrderOfUse,
    Paid,
    Terms,
)
from storecredit.testing.value_strategies import instants
from storecredit.values import Money, Unit
from storecredit.values import unit as unit_named

CATEGORIES: Final = ("books", "toys")
MOST: Final = 4
"""The largest amount, in minor units, of a lot or a line here."""

_ACCOUNT: Final = "0" * 32 + ".USD"
_DOLLARS: Final = unit_named("USD")


def fundings() -> st.SearchStrategy[Funding]:
    """Who paid."""
    return st.sampled_from(Funding)


def limits() -> st.SearchStrategy[Limits]:
    """Limits by category, line, order and share."""
    return st.sampled_from(
        [
            Limits(categories=("books",)),
            Limits(categories=("toys",)),
            Limits(categories=CATEGORIES),
            Limits(lines=("1",)),
            Limits(lines=("1", "2")),
            Limits(minimum_order=3),
            Limits(categories=("books",), share_percent=50),
            Limits(share_percent=34),
        ]
    )


def terms(*, limited: bool = True) -> st.SearchStrategy[Terms]:
    """Terms of lots that may be pending, live or expired at any of `instants`."""
    paid = st.builds(
        Paid, st.integers(1, MOST).map(lambda minor: Money.of_minor(minor, _DOLLARS)), st.just(2)
    )

    def made(begins: dt.datetime, lasts: dt.timedelta | None, plain: Terms) -> Terms:
        expires_at = None if lasts is None else begins + lasts
        return attrs.evolve(plain, effective_at=begins, expires_at=expires_at)

    lasting = st.sampled_from(
        [dt.timedelta(microseconds=1), dt.timedelta(hours=1), dt.timedelta(days=30)]
    )
    plain = st.builds(
        Terms,
        funding=fundings(),
        effective_at=instants(),
        priority=st.integers(-1, 1),
        limits=st.none() | limits() if limited else st.none(),
        paid=st.none() | paid,
    )
    return st.builds(made, instants(), st.none() | lasting, plain)


@st.composite
def lots(draw: st.DrawFn, *, count: int = 4, limited: bool = True) -> list[Lot]:
    """Up to *count* lots of one account, each with an id of its own, many of them alike."""
    found = []
    for number in range(draw(st.integers(0, count))):
        remaining = draw(st.integers(0, MOST))
        its_terms = draw(terms(limited=limited))
        found.append(
            Lot(
                id=LotId(f"{_ACCOUNT}.{number:032x}"),
                sequence=draw(st.integers(1, 2)),
                issued_at=its_terms.effective_at,
                terms=its_terms,
                origin=None,
                amount=MOST,
                remaining=remaining,
                held=draw(st.integers(0, remaining)),
            )
        )
    return found


def order_lines(*, count: int = 3, unit: Unit = _DOLLARS) -> st.SearchStrategy[tuple[Line, ...]]:
    """Up to *count* lines of an order, numbered from 1."""
    line = st.tuples(st.integers(0, MOST), st.none() | st.sampled_from(CATEGORIES))
    return st.lists(line, min_size=1, max_size=count).map(
        lambda parts: tuple(
            Line(id=str(number), amount=Money.of_minor(minor, unit), category=category)
            for number, (minor, category) in enumerate(parts, 1)
        )
    )


def orders_of_use() -> st.SearchStrategy[OrderOfUse]:
    """Every order of named keys."""
    names = [key.value for key in OrderKey]
    return st.lists(st.sampled_from(names), unique=True).map(lambda keys: OrderOfUse.of(*keys))


def texts() -> st.SearchStrategy[str]:
    """Texts that can be kept: any Unicode but control characters and lone surrogates."""
    return st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


def keys() -> st.SearchStrategy[str]:
    """Keys that a host may use."""
    return texts().filter(lambda key: not key.startswith("~"))


def contexts() -> st.SearchStrategy[Context]:
    """Who, why and for what, in any combination."""
    return st.builds(
        Context,
        actor=st.none() | texts(),
        reason=st.none() | texts(),
        reference=st.none() | texts(),
        location=st.none() | texts(),
        note=st.none() | texts(),
        data=st.dictionaries(texts(), texts(), max_size=3),
        occurred_at=st.none() | instants(),
    )
