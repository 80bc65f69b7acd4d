"""A shop whose accounts pay orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storecredit.ledger import Account
from storecredit.tenders import Order, OrderLine, PaymentPlan, Price, plan_payment
from storecredit.values import CustomUnit, Money

PTS = CustomUnit("PTS", 0)


class Till:
    """Plans payments at a shop, with what most tests do not care about filled in."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop

    def account(self, holder: str = "c-17", unit: str = "USD") -> Account:
        with self.shop.storage.snapshot() as reader:
            found = reader.account("acme", holder, unit)
        assert found is not None
        return found

    def points(self, amount: int, **terms: Any) -> Any:
        given = {"funding": "earned", "key": self.shop.key(), **terms}
        return self.shop.credit.issue("c-17", Money.of_minor(amount, PTS), **given)

    def plan(self, order: Order, *tenders: Any, **more: Any) -> PaymentPlan:
        given = {"merchant": self.shop.credit.merchant, "at": self.shop.clock.now, **more}
        return plan_payment(order, tenders, **given)


@pytest.fixture
def till(make_shop: Callable[..., Any]) -> Till:
    """A till at a shop that issues points."""
    return Till(make_shop(units=(PTS,)))


@pytest.fixture
def make_till(make_shop: Callable[..., Any]) -> Callable[..., Till]:
    """Make tills at shops with rules of their own."""
    return lambda **rules: Till(make_shop(units=(PTS,), **rules))


def _order(*lines: Any, **more: Any) -> Order:
    found = []
    for number, line in enumerate(lines, 1):
        is_price = isinstance(line, Money | Price | list)
        found.append(OrderLine(str(number), line) if is_price else line)
    return Order("o-1", found, **more)


@pytest.fixture
def order() -> Callable[..., Order]:
    """Make order o-1 of lines; money alone becomes a line of goods, numbered from 1."""
    return _order


def _paid(plan: PaymentPlan) -> list[tuple[str, str, str]]:
    return [(part.tender, part.line, str(part.amount)) for part in plan.parts]


@pytest.fixture
def paid() -> Callable[[PaymentPlan], list[tuple[str, str, str]]]:
    """Tender, line and amount of each part of a plan."""
    return _paid


def _why(plan: PaymentPlan) -> list[tuple[str | None, str, str | None]]:
    return [
        (reason.tender, reason.why.value, None if reason.amount is None else str(reason.amount))
        for reason in plan.reasons
    ]


@pytest.fixture
def why() -> Callable[[PaymentPlan], list[tuple[str | None, str, str | None]]]:
    """Tender, reason and amount of each reason of a plan."""
    return _why
