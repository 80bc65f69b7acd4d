"""
Hypothesis strategies for tenders: orders with prices in two units, and everything that may pay.

Amounts are tiny on purpose, so that lines of nothing, ties and caps that bind are common.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import attrs
from hypothesis import strategies as st

from storecredit.ledger import Account, AccountId, Lot, LotId, Merchant
from storecredit.tenders import (
    Aim,
    AlreadyPaid,
    Coupon,
    Credit,
    CreditRule,
    Discount,
    External,
    LineKind,
    Order,
    OrderLine,
    PayingRate,
    Price,
    Tender,
    TenderKind,
)
from storecredit.testing.ledger_strategies import lots
from storecredit.values import CustomUnit, ExchangeRate, Money, Rounding, Unit
from storecredit.values import unit as unit_named

DOLLARS: Final = unit_named("USD")
POINTS: Final = CustomUnit("PTS", 0)
NOW: Final = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
ACME: Final = Merchant(id="acme", units=(POINTS,))


def usd(minor: int) -> Money:
    """So many cents."""
    return Money.of_minor(minor, DOLLARS)


def pts(minor: int) -> Money:
    """So many points."""
    return Money.of_minor(minor, POINTS)


def account_with(unit: Unit, held: Sequence[Lot], *, wallet: int = 0) -> Account:
    """Return an account that holds these lots, as if each had been issued to it."""
    account_id = AccountId(f"{wallet:032x}.{unit.code}")
    opened = Account.new(account_id, "acme", f"c-{wallet}", unit)
    for number, lot in enumerate(held):
        lot_id = LotId(f"{account_id}.{number:032x}")
        opened.lots[lot_id] = attrs.evolve(lot, id=lot_id)
    opened.totals["issued"] = opened.totals["balance"] = sum(lot.remaining for lot in held)
    opened.totals["held"] = sum(lot.held for lot in held)
    opened.version = len(held)
    return opened


def prices() -> st.SearchStrategy[Price]:
    """Prices in dollars, in points, or in both."""
    amount = st.integers(0, 9)
    return st.one_of(
        amount.map(lambda minor: Price.of(usd(minor))),
        amount.map(lambda minor: Price.of(pts(minor))),
        st.tuples(amount, amount).map(lambda both: Price.of(usd(both[0]), pts(both[1]))),
    )


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Orders of up to three lines, of any kinds, with or without a discount."""
    lines = [
        OrderLine(
            str(number),
            draw(st.lists(prices(), min_size=1, max_size=2)),
            kind=draw(st.sampled_from([LineKind.GOODS, *LineKind])),
            category=draw(st.sampled_from(["books", "toys", None])),
            quantity=draw(st.integers(1, 3)),
        )
        for number in range(1, draw(st.integers(1, 3)) + 1)
    ]
    discounts = [
        [Discount("off", amount=usd(draw(st.integers(0, 6))))],
        [Discount("percent", percent="12.5", rounding=Rounding.HALF_UP)],
        [Discount("books", amount=pts(3), categories=("books",), kinds=frozenset(LineKind))],
        [],
    ]
    return Order("o-1", lines, discounts=draw(st.sampled_from(discounts)))


def rates() -> st.SearchStrategy[PayingRate | None]:
    """No rate, or one at which points are worth less than a cent, a cent, or several."""
    worth = st.sampled_from([(3, 1), (1, 1), (1, 3), (7, 5)])
    rounding = st.sampled_from([mode for mode in Rounding if mode is not Rounding.UNNECESSARY])

    def made(points_and_cents: tuple[int, int], mode: Rounding) -> PayingRate:
        points, cents = points_and_cents
        on = dt.date(2026, 1, 1)
        return PayingRate(ExchangeRate.equating(pts(points), usd(cents), on=on), mode)

    return st.none() | st.builds(made, worth, rounding)


@st.composite
def tender_lists(draw: st.DrawFn, order: Order) -> list[Tender]:
    """Wallets, codes, coupons, payments and cards, in any order; external tenders last."""
    units = {amount.unit for line in order.lines for p in line.prices for amount in p.amounts}
    up_to = st.none() | st.integers(0, 5)
    found: list[Tender] = []
    wanted = draw(st.sets(st.sampled_from(["usd", "code", "pts", "coupon", "paid"])))
    if "usd" in wanted:
        most = draw(up_to.map(lambda most: None if most is None else usd(most)))
        found.append(Credit("usd", account_with(DOLLARS, draw(lots())), up_to=most))
    if "code" in wanted:
        gift = account_with(DOLLARS, draw(lots()), wallet=1)
        found.append(Credit("code", gift, kind=TenderKind.CODE))
    if "pts" in wanted:
        most = draw(up_to.map(lambda most: None if most is None else pts(most)))
        held = account_with(POINTS, draw(lots()), wallet=2)
        found.append(Credit("pts", held, up_to=most, rate=draw(rates())))
    if "coupon" in wanted and DOLLARS in units:
        found.append(Coupon("coupon", usd(draw(st.integers(1, 5)))))
    if "paid" in wanted and DOLLARS in units:
        found.append(AlreadyPaid("paid", usd(draw(st.integers(0, 9)))))
    found = draw(st.permutations(found))
    externals = [
        [External("card", minimum=(usd(draw(st.integers(0, 5))),))],
        [External("a", at_most=(usd(3),)), External("b", minimum=(usd(2),))],
        [External("card", units=frozenset({"USD", "PTS"}))],
        [],
    ]
    return [*found, *draw(st.sampled_from(externals))]


def rule_lists() -> st.SearchStrategy[list[CreditRule]]:
    """A rule for credit in dollars and one for points."""

    def of(unit: Unit, made: Money) -> st.SearchStrategy[CreditRule]:
        return st.sampled_from(
            [
                CreditRule(unit),
                CreditRule(unit, at_most=made),
                CreditRule(unit, share_percent=50),
                CreditRule(unit, kinds=frozenset({LineKind.GOODS})),
                CreditRule(unit, in_steps_of=made + made),
                CreditRule(unit, minimum_balance=made, minimum_order=usd(4)),
            ]
        )

    return st.tuples(of(DOLLARS, usd(2)), of(POINTS, pts(2))).map(list)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that `plan_payment` takes."""
    order = draw(orders())
    choice = st.sampled_from([None, *Aim])
    return {
        "order": order,
        "tenders": draw(tender_lists(order)),
        "rules": draw(st.just([]) | rule_lists()),
        "as_discount": draw(st.sampled_from([(), ("promotional",)])),
        "prices": draw(choice),
        "merchant": ACME,
        "at": NOW,
    }
