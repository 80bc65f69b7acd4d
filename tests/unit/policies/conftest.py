"""A till at a shop that issues points; a shop's policies, and what its customers ask back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from storecredit.policies import Policy, RefundPolicy, ReturnLine, ReturnRequest
from storecredit.values import CustomUnit, Money

PTS = CustomUnit("PTS", 0)
AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
BOUGHT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DELIVERED = datetime(2026, 3, 10, 12, tzinfo=UTC)
FIFTY = Money.of("50.00", "EUR")


class Till:
    """Gives points at a shop."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop

    def points(self, amount: int) -> Any:
        money = Money.of_minor(amount, PTS)
        return self.shop.credit.issue("c-17", money, funding="earned", key=self.shop.key())


@pytest.fixture
def till(make_shop: Callable[..., Any]) -> Till:
    """A till at a shop that issues points."""
    return Till(make_shop(units=(PTS,)))


def _ask(*lines: ReturnLine | Money, **facts: Any) -> ReturnRequest:
    found = [
        ReturnLine(id=str(number), external=line) if isinstance(line, Money) else line
        for number, line in enumerate(lines or [FIFTY], 1)
    ]
    given = {
        "id": "rma-1",
        "merchant": "acme",
        "at": AT,
        "purchased_at": BOUGHT,
        "delivered_at": DELIVERED,
        "holder": "c-17",
        **facts,
    }
    return ReturnRequest(lines=found, **given)


@pytest.fixture
def ask() -> Callable[..., ReturnRequest]:
    """Make request rma-1 of lines; money alone becomes a line of goods, numbered from 1."""
    return _ask


def _policy(*rules: Any, **more: Any) -> Policy:
    return Policy(name="shop", version="7", refund=RefundPolicy(rules=rules, **more))


@pytest.fixture
def policy() -> Callable[..., Policy]:
    """Make version 7 of the policy `shop` out of rules."""
    return _policy


def _by_line(offer: Any) -> dict[str, dict[str, str]]:
    found = {}
    for line in offer.lines:
        names = ("tenders", "credit", "bonus", "exchange", "fee", "restored")
        amounts = {name: getattr(line, name) for name in names}
        said = {name: str(amount) for name, amount in amounts.items() if not amount.is_zero}
        found[line.line] = {"way": line.kind.value, **said}
    return found


@pytest.fixture
def by_line() -> Callable[[Any], dict[str, dict[str, str]]]:
    """Every amount of an offer that is not nothing, by line, and the way it goes."""
    return _by_line
