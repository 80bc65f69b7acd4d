"""Redeeming: all or nothing, up to, from one lot; and why it is refused (A3, A4, A16)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storecredit.errors import (
    AmountNotPositive,
    ArgumentRefused,
    InsufficientCredit,
    InvalidTerms,
    UnknownLot,
)
from storecredit.ledger import Limits, Line
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_a_redemption_takes_lots_in_their_order(shop, moves) -> None:
    shop.issue("10.00", funding="refund")
    shop.issue("20.00", funding="promotional")
    shop.issue("30.00", expires=Period(days=90))
    receipt = shop.redeem("45.00", reference="order 7")
    # Sooner expiry first, then promotional before the rest.
    assert moves(receipt) == [("redeemed", 3000), ("redeemed", 1500)]
    assert [(move.lot_after, move.balance_after) for move in receipt.moves] == [
        (0, 3000),
        (500, 1500),
    ]
    assert shop.lots() == [("promotional", "5.00"), ("refund", "10.00")]
    assert shop.totals() == {"issued": 6000, "redeemed": 4500, "balance": 1500}


def test_more_than_there_is_is_refused_with_all_that_explains_it(shop) -> None:
    shop.issue("60.00")
    shop.issue("7.00", limits=Limits(categories=("shoes",)))
    shop.issue("8.00", effective=Period(days=1))
    shop.hold("35.00")
    with shop.refuses(InsufficientCredit) as refused:
        shop.redeem("40.00")
    error = refused.error
    assert (error.holder, error.wanted, error.doing) == ("c-17", usd("40.00"), "redeem")
    assert (error.available, error.reachable) == (usd("25.00"), usd("25.00"))
    assert (error.held, error.limited) == (usd("35.00"), usd("7.00"))
    assert (error.pending, error.owed) == (usd("8.00"), usd("0.00"))
    assert str(error) == (
        "Cannot redeem USD 40.00 for holder c-17: USD 25.00 is available (USD 35.00 held, "
        "USD 7.00 limited to some orders, USD 8.00 pending), and this command can have USD 25.00. "
        "Take up to that much, or put the remaining USD 15.00 on another tender."
    )


def test_an_unknown_holder_reads_as_zero_and_spends_as_insufficient(shop) -> None:
    assert shop.available("nobody") == "USD 0.00"
    assert shop.credit.wallet("nobody").accounts == ()
    with shop.refuses(InsufficientCredit) as refused:
        shop.redeem("0.01", holder="nobody")
    assert str(refused.error).startswith(
        "Cannot redeem USD 0.01 for holder nobody: USD 0.00 is available, and"
    )


def test_up_to_takes_what_there_is_and_refuses_nothing_at_all(shop) -> None:
    shop.issue("12.00")
    receipt = shop.redeem("30.00", taking="up_to")
    assert receipt.amount == usd("12.00")
    assert receipt.balance == usd("0.00")
    with shop.refuses(InsufficientCredit):
        shop.redeem("30.00", taking="up_to")


def test_a_named_lot_alone_is_used(shop) -> None:
    shop.issue("10.00", expires=Period(days=1))
    lot = shop.issue("20.00").lot_id
    assert shop.redeem("15.00", lot=lot).lot_ids == (lot,)
    assert shop.lots() == [("refund", "10.00"), ("refund", "5.00")]
    with shop.refuses(InsufficientCredit) as refused:
        shop.redeem("5.01", lot=lot)
    assert (refused.error.reachable, refused.error.available) == (usd("5.00"), usd("15.00"))


@pytest.mark.parametrize("lot", ["", "x", 5, "x" * 1_000_000, "a.USD." + "0" * 32])
def test_a_lot_that_is_none_of_the_accounts_is_unknown(shop, lot) -> None:
    shop.issue("10.00")
    with shop.refuses(UnknownLot) as refused:
        shop.redeem("5.00", lot=lot)
    assert refused.error.lot_id == lot
    assert len(str(refused.error)) < 300


def test_the_lot_of_another_holder_is_unknown(shop) -> None:
    other = shop.issue("10.00", holder="c-18").lot_id
    shop.issue("10.00")
    with shop.refuses(UnknownLot):
        shop.redeem("5.00", lot=other)


@pytest.mark.parametrize("amount", ["0.00", "-1.00"])
@pytest.mark.parametrize("verb", ["redeem", "hold"])
def test_nothing_and_less_cannot_be_spent(shop, verb, amount) -> None:
    shop.issue("10.00")
    with shop.refuses(AmountNotPositive) as refused:
        getattr(shop, verb)(amount)
    assert (refused.error.doing, refused.error.amount) == (verb, usd(amount))


def test_a_lot_that_expires_exactly_now_is_worth_nothing(shop) -> None:
    shop.issue("10.00", expires=Period(days=1))
    shop.clock.forward(days=1, microseconds=-1)
    assert shop.redeem("4.00").amount == usd("4.00")
    shop.clock.forward(microseconds=1)
    assert (shop.available(), str(shop.account().due)) == ("USD 0.00", "USD 6.00")
    with shop.refuses(InsufficientCredit) as refused:
        shop.redeem("0.01")
    assert refused.error.reachable == usd("0.00")


def test_a_taking_that_does_not_exist_is_refused(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(InvalidTerms) as refused:
        shop.redeem("1.00", taking="half")
    assert (refused.error.field, refused.error.value) == ("taking", "half")
    assert "all_or_nothing, up_to" in str(refused.error)


def test_more_than_the_lines_are_due_is_refused(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(InvalidTerms) as refused:
        shop.redeem("5.01", lines=[Line(id="1", amount=usd("5.00"))])
    assert (refused.error.field, refused.error.value) == ("amount", "USD 5.01")
    assert "at most USD 5.00, what the lines are due" in str(refused.error)


@pytest.mark.parametrize("lines", ["1", ["1"], [None], 5])
def test_what_is_no_line_is_refused(shop, lines) -> None:
    shop.issue("10.00")
    with shop.refuses(InvalidTerms) as refused:
        shop.redeem("5.00", lines=lines)
    assert refused.error.field == "lines"


def test_a_line_below_zero_is_refused() -> None:
    with pytest.raises(InvalidTerms) as refused:
        Line(id="1", amount=usd("-0.01"))
    assert refused.value.field == "line.amount"
    with pytest.raises(ArgumentRefused):
        Line(id="1", amount=5.0)


def test_spending_later_than_the_clock_allows_for_is_bounded_and_earlier_is_recorded_as_now(
    shop,
) -> None:
    shop.issue("10.00")
    receipt = shop.redeem("1.00", at=shop.clock.now - timedelta(days=400))
    assert receipt.entry.at == shop.clock.now
