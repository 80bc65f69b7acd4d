"""Adjustments: a lot's amount corrected up or down by a new entry (A10)."""

from __future__ import annotations

from storecredit.errors import (
    AmountOutOfRange,
    CeilingReached,
    InvalidTerms,
    LotClosed,
    LotExhausted,
    LotExpired,
    UnitMismatch,
)
from storecredit.ledger import Ceiling
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_up_and_down_change_amount_and_remainder_together(shop, moves) -> None:
    lot = shop.issue("50.00").lot_id
    shop.redeem("10.00")
    up = shop.correct("adjust", lot, usd("5.00"))
    assert (moves(up), up.amount) == ([("adjusted_up", 500)], usd("5.00"))
    down = shop.correct("adjust", lot, usd("-15.00"))
    assert (moves(down), down.amount) == ([("adjusted_down", 1500)], usd("15.00"))
    (view,) = shop.account().lots
    assert (view.amount, view.remaining) == (usd("40.00"), usd("30.00"))


def test_no_more_is_taken_than_is_left_and_not_held(shop) -> None:
    lot = shop.issue("50.00").lot_id
    shop.redeem("10.00")
    shop.hold("15.00")
    with shop.refuses(LotExhausted) as refused:
        shop.correct("adjust", lot, usd("-25.01"))
    assert (refused.error.wanted, refused.error.reachable) == (usd("25.01"), usd("25.00"))
    assert str(refused.error).startswith("Cannot adjust down by USD 25.01 of lot")
    shop.correct("adjust", lot, usd("-25.00"))


def test_an_adjustment_by_nothing_or_in_another_unit_is_refused(shop) -> None:
    lot = shop.issue("50.00").lot_id
    with shop.refuses(InvalidTerms) as refused:
        shop.correct("adjust", lot, usd("0.00"))
    assert (refused.error.field, refused.error.expected) == ("by", "above or below zero")
    with shop.refuses(UnitMismatch):
        shop.correct("adjust", lot, Money.of("-1.00", "EUR"))


def test_adjustments_stay_in_the_range(shop) -> None:
    lot = shop.issue("50.00").lot_id
    with shop.refuses(AmountOutOfRange):
        shop.correct("adjust", lot, Money.of_minor(2**63 - 1, "USD"))
    with shop.refuses(AmountOutOfRange):
        shop.correct("adjust", lot, Money.of_minor(-(2**63), "USD"))


def test_a_revoked_or_expired_lot_does_not_grow(shop) -> None:
    revoked = shop.issue("50.00").lot_id
    shop.correct("revoke", revoked)
    with shop.refuses(LotClosed):
        shop.correct("adjust", revoked, usd("1.00"))
    expired = shop.issue("50.00", expires=Period(days=1)).lot_id
    shop.clock.forward(days=1)
    with shop.refuses(LotExpired) as refused:
        shop.correct("adjust", expired, usd("1.00"))
    assert (refused.error.lot_id, refused.error.expires_at) == (expired, shop.clock.now)


def test_a_lot_does_not_grow_above_the_ceiling(make_shop) -> None:
    shop = make_shop(ceilings=[Ceiling(usd("60.00"), above="up_to")])
    lot = shop.issue("50.00").lot_id
    with shop.refuses(CeilingReached) as refused:
        shop.correct("adjust", lot, usd("10.01"))
    assert (refused.error.amount, refused.error.balance) == (usd("10.01"), usd("50.00"))
    assert shop.correct("adjust", lot, usd("10.00")).amount == usd("10.00")
