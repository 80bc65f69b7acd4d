"""The order of use: named keys, one after the other, always ending in a total order (A3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from storecredit.errors import InvalidTerms
from storecredit.ledger import (
    DEFAULT_ORDER,
    Funding,
    Limits,
    Lot,
    OrderKey,
    OrderOfUse,
    Paid,
    Terms,
)
from storecredit.values import Money, Period

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def lot(name: str, *, sequence: int = 1, **terms) -> Lot:
    granted = Terms(**{"funding": Funding.REFUND, "effective_at": SINCE, **terms})
    return Lot(name, sequence, SINCE, granted, None, 100, 100)


def test_the_default_order_is_that_of_the_rule() -> None:
    expected = [
        lot("z1", priority=-1),
        lot("z2", expires_at=SINCE + 5 * DAY, funding=Funding.PURCHASED),
        lot("y1", expires_at=SINCE + 6 * DAY),
        # Never-expiring last; among those promotional before the rest.
        lot("z3", funding=Funding.PROMOTIONAL, sequence=9),
        lot("x", effective_at=SINCE - DAY, sequence=8),
        lot("w", sequence=2),
        lot("a", sequence=3),
        lot("b", sequence=3),
        lot("aa", priority=1),
    ]
    names = [each.id for each in expected]
    for rotated in (expected, expected[::-1], expected[4:] + expected[:4]):
        assert [each.id for each in DEFAULT_ORDER.sorted(rotated)] == names
    assert DEFAULT_ORDER.keys[-1] is OrderKey.ID


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        (
            "restricted",
            lot("b", limits=Limits(categories=("shoes",))),
            lot("a"),
        ),
        ("priority", lot("b", priority=1), lot("a", priority=2)),
        ("expiry", lot("b", expires_at=SINCE + DAY), lot("a")),
        ("funding", lot("b", funding=Funding.PROMOTIONAL), lot("a", funding=Funding.GOODWILL)),
        ("effective", lot("b", effective_at=SINCE - DAY), lot("a")),
        ("issued", lot("b", sequence=1), lot("a", sequence=2)),
        ("cost", lot("b", paid=Paid(usd("0.80"), 100)), lot("a", paid=Paid(usd("0.90"), 100))),
        ("cost", lot("b"), lot("a", paid=Paid(usd("0.01"), 100))),
        # Unlike currencies are not compared: EUR stands before USD, whatever was paid (V3).
        (
            "cost",
            lot("b", paid=Paid(Money.of("9.00", "EUR"), 100)),
            lot("a", paid=Paid(usd("0.01"), 100)),
        ),
        ("id", lot("a"), lot("b")),
    ],
)
def test_each_key_compares_what_its_name_says(name, first, second) -> None:
    order = OrderOfUse.of(name)
    assert order.sorted([second, first]) == [first, second]


def test_the_lot_id_always_decides_last() -> None:
    lots = [lot(name) for name in "abcd"]
    order = OrderOfUse.of("priority")
    for shuffled in permutations(lots):
        assert order.sorted(shuffled) == lots
    assert OrderOfUse.of("id", "priority").keys == (OrderKey.ID, OrderKey.PRIORITY)
    assert OrderOfUse.of().keys == (OrderKey.ID,)
    assert OrderOfUse((OrderKey.PRIORITY,)) == order


def test_a_key_that_does_not_exist_or_stands_twice_is_refused() -> None:
    with pytest.raises(InvalidTerms) as refused:
        OrderOfUse.of("expiry", "colour")
    assert (refused.value.value, refused.value.field) == ("colour", "order of use")
    assert "cost, effective, expiry, funding, id, issued, priority, restricted" in str(
        refused.value
    )
    with pytest.raises(InvalidTerms) as refused:
        OrderOfUse.of("expiry", "issued", "expiry")
    assert refused.value.expected == "each key once"
    with pytest.raises(InvalidTerms):
        OrderOfUse(("colour",))  # type: ignore[arg-type]  # the mistake


def test_a_merchant_chooses_its_order(make_shop) -> None:
    shop = make_shop(order=OrderOfUse.of("issued"))
    first = shop.issue("10.00").lot_id
    second = shop.issue("10.00", expires=Period(days=1)).lot_id
    preview = shop.credit.preview("c-17", usd("12.00"))
    receipt = shop.redeem("12.00")
    assert receipt.lot_ids == (first, second)
    # The preview equals the result.
    assert [(use.lot, use.amount) for use in preview.uses] == [(first, 1000), (second, 200)]


def test_an_explanation_equals_the_result_even_after_the_order_has_changed(make_shop) -> None:
    shop = make_shop(order=OrderOfUse.of("issued"))
    first = shop.issue("10.00").lot_id
    shop.issue("10.00", expires=Period(days=1))
    entry = shop.redeem("8.00").entry_id
    later = shop.open(order=DEFAULT_ORDER)
    taken = {use.lot: use.amount for use in later.explain(entry).uses if use.amount}
    assert taken == {first: 800}
