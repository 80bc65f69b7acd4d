"""Conversions: an explicit rate, its date, a named rounding, and what was left over (V3, A17)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from storecredit.errors import (
    AccountFrozen,
    ArgumentRefused,
    ConvertsToNothing,
    InsufficientCredit,
    InvalidTerms,
    InvalidText,
    KeyReused,
    NotATransfer,
    RoundingNecessary,
    UnitMismatch,
    UnitWithdrawn,
)
from storecredit.ledger import Limits, Paid
from storecredit.values import CustomUnit, ExchangeRate, Money, Period, Rounding

PTS = CustomUnit("PTS", 0)
DAY = date(2026, 3, 1)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def rate(of: str, source="USD", target="EUR") -> ExchangeRate:
    return ExchangeRate(source, target, of, on=DAY)


def convert(shop, amount: Money, by: ExchangeRate, **more):
    given = {"rounding": Rounding.DOWN, "key": shop.key(), **more}
    return shop.credit.convert("c-17", amount, by, **given)


def test_both_entries_say_what_was_converted_and_what_was_left_over(shop, moves) -> None:
    shop.issue("10.00")
    receipt = convert(shop, usd("10.00"), rate("0.8935"))
    assert moves(receipt.sent) == [("transferred_out", 1000)]
    # USD 10.00 are worth EUR 8.935; rounded down, half a cent is left over.
    assert moves(receipt.received) == [("transferred_in", 893)]
    said = {
        "rate": "1787/2000",
        "rate_on": "2026-03-01",
        "rounding": "down",
        "source": [1000, "USD"],
        "result": [893, "EUR"],
        "remainder": "1/2",
    }
    for entry in (receipt.sent.entry, receipt.received.entry):
        assert said.items() <= entry.facts.items()
    assert (receipt.sent.amount, receipt.received.amount) == (usd("10.00"), eur("8.93"))


def test_each_lots_part_keeps_its_terms_and_shares_by_largest_remainder(shop, moves) -> None:
    shop.issue("1.00", funding="promotional", expires=Period(days=9))
    shop.issue("1.00", funding="goodwill")
    shop.issue("1.00", funding="refund")
    receipt = convert(shop, usd("3.00"), rate("0.67"))
    # 201 cents over three equal parts; EUR 2.00 would not divide, 67 each does.
    assert [move.amount for move in receipt.received.moves] == [67, 67, 67]
    fundings = [lot.terms.funding for lot in shop.account(unit="EUR").lots]
    assert sorted(fundings) == ["goodwill", "promotional", "refund"]
    assert shop.account(unit="EUR").next_expiry.amount == eur("0.67")


def test_a_part_that_becomes_nothing_makes_no_lot(shop, moves) -> None:
    shop.issue("0.01", expires=Period(days=1))
    shop.issue("9.99")
    receipt = convert(shop, usd("10.00"), rate("0.01"))
    assert moves(receipt.sent) == [("transferred_out", 1), ("transferred_out", 999)]
    assert moves(receipt.received) == [("transferred_in", 10)]


def test_what_was_paid_is_restated_exactly_and_in_lowest_terms(shop) -> None:
    shop.issue("10.00", paid=usd("9.00"))
    convert(shop, usd("10.00"), rate("100", target=PTS))
    (lot,) = shop.account(unit=PTS).lots
    # USD 9.00 for PTS 1000: nine cents for every ten points.
    assert lot.terms.paid == Paid(usd("0.09"), 10)


def test_a_price_survives_any_number_of_conversions(shop) -> None:
    shop.issue("100.00", paid=usd("90.00"))
    there, back = rate("1.0842"), rate("0.9223", "EUR", "USD")
    for _ in range(20):
        amount = shop.account(unit="USD").available
        convert(shop, amount, there)
        convert(shop, shop.account(unit="EUR").available, back)
    (lot,) = shop.account(unit="USD").lots
    paid = lot.terms.paid
    # Whatever was lost to rounding, the whole lot still cost USD 90.00.
    assert Fraction(paid.money.minor, paid.face) * lot.remaining.minor == 9000


def test_limited_value_is_not_converted(shop) -> None:
    shop.issue("10.00", limits=Limits(categories=("shoes",)))
    with shop.refuses(InsufficientCredit) as refused:
        convert(shop, usd("0.10"), rate("0.9"))
    assert (refused.error.doing, refused.error.reachable) == ("convert", usd("0.00"))


def test_an_amount_that_would_convert_to_nothing_is_refused(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(ConvertsToNothing):
        convert(shop, usd("0.01"), rate("0.9"))


def test_an_inexact_conversion_that_was_promised_to_be_exact_is_refused(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(RoundingNecessary):
        convert(shop, usd("10.00"), rate("0.8935"), rounding="unnecessary")
    assert convert(shop, usd("2.00"), rate("0.5"), rounding="unnecessary").sent.changed


def test_the_amount_is_in_the_rates_source_unit(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(UnitMismatch):
        convert(shop, usd("1.00"), rate("1.1", "EUR", "USD"))


def test_a_withdrawn_currency_is_converted_away_and_never_into(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(UnitWithdrawn):
        convert(shop, usd("1.00"), rate("1.7", "USD", "DEM"))


@pytest.mark.parametrize("given", ["0.9", 0.9, None, ("USD", "EUR", "0.9")])
def test_a_rate_is_an_exchange_rate_with_its_date(shop, given) -> None:
    shop.issue("10.00")
    with shop.refuses(ArgumentRefused) as refused:
        convert(shop, usd("1.00"), given)
    assert refused.error.argument == "rate"


@pytest.mark.parametrize("given", ["nearest", None, 5, "ROUND_HALF_UP"])
def test_a_rounding_is_named(shop, given) -> None:
    shop.issue("10.00")
    with shop.refuses(InvalidTerms) as refused:
        convert(shop, usd("1.00"), rate("0.9"), rounding=given)
    assert (refused.error.field, refused.error.value) == ("rounding", given)


def test_an_unknown_holder_has_nothing_to_convert(shop) -> None:
    with shop.refuses(InsufficientCredit):
        shop.credit.convert("nobody", usd("1.00"), rate("0.9"), rounding="down", key="a")
    with shop.refuses(InvalidText):
        shop.credit.convert("", usd("1.00"), rate("0.9"), rounding="down", key="a")


def test_a_frozen_account_gives_and_takes_nothing(shop) -> None:
    shop.issue("10.00")
    shop.credit.issue("c-17", eur("1.00"), funding="refund", key="e")
    for unit in ("USD", "EUR"):
        shop.credit.freeze("c-17", unit, key="f")
        with shop.refuses(AccountFrozen) as refused:
            convert(shop, usd("1.00"), rate("0.9"))
        assert refused.error.unit == unit
        shop.credit.reopen("c-17", unit, key="g")


def test_a_repeat_is_answered_and_another_rate_is_a_conflict(shop) -> None:
    shop.issue("10.00")
    first = convert(shop, usd("1.00"), rate("0.9"), key="a")
    again = convert(shop, usd("1.00"), rate("0.9"), key="a")
    assert (again.replayed, again == first) == (True, True)
    for change, field in (
        ({"by": rate("0.91")}, "rate"),
        ({"rounding": "up"}, "rounding"),
        ({"amount": usd("1.01")}, "amount"),
    ):
        asked = {"amount": usd("1.00"), "by": rate("0.9"), **change}
        with shop.refuses(KeyReused) as refused:
            convert(shop, key="a", **asked)
        assert refused.error.field == field


def test_a_conversion_is_no_transfer_to_be_reversed(shop) -> None:
    shop.issue("10.00")
    sent = convert(shop, usd("1.00"), rate("0.9"))
    with shop.refuses(NotATransfer) as refused:
        shop.credit.reverse_transfer(sent.entry_id, key="r")
    assert refused.error.kind == "convert_out"


def test_arriving_value_settles_what_is_owed_in_the_other_unit(shop, moves) -> None:
    shop.issue("10.00")
    shop.credit.set_limit("c-17", "EUR", eur("50.00"), key="l")
    shop.credit.redeem("c-17", eur("4.00"), key="r")
    receipt = convert(shop, usd("10.00"), rate("0.9"))
    assert receipt.received.settled == eur("4.00")
    assert shop.account(unit="EUR").available == eur("5.00")
