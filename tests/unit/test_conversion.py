"""Conversion: an explicit rate, its date, a named rounding, and what was left over (V3)."""

from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from storecredit.errors.values import (
    AmountOutOfRange,
    ArgumentRefused,
    ConvertsToNothing,
    FloatRefused,
    RoundingNecessary,
    UnitMismatch,
    UnitWithdrawn,
    UnknownCurrency,
)
from storecredit.values import (
    MAX_MINOR,
    CustomUnit,
    ExchangeRate,
    Money,
    Rounding,
    convert,
    currency,
)

DAY = dt.date(2025, 3, 31)
PTS = CustomUnit("PTS", 0)
EUR_USD = ExchangeRate("EUR", "USD", "1.08425", on=DAY)


def test_a_conversion_says_what_it_made_and_what_was_left_over() -> None:
    made = convert(Money.of("10.00", "EUR"), EUR_USD, rounding=Rounding.DOWN)
    assert made.source == Money.of("10.00", "EUR")
    assert made.result == Money.of("10.84", "USD")  # of exactly 10.8425
    assert made.remainder == Fraction(1, 4)
    assert made.rate == EUR_USD
    up = convert(Money.of("10.00", "EUR"), EUR_USD, rounding=Rounding.UP)
    assert (up.result, up.remainder) == (Money.of("10.85", "USD"), Fraction(-3, 4))


@pytest.mark.parametrize(
    ("amount", "rate", "result"),
    [
        # across unlike minor units
        (Money.of("5.00", "USD"), ExchangeRate("USD", "IQD", 1199, on=DAY), "IQD 5995.000"),
        (Money.of(1000, "JPY"), ExchangeRate("JPY", "USD", "0.0067", on=DAY), "USD 6.70"),
        (Money.of("-2.33", "GBP"), ExchangeRate("GBP", "EUR", "2.5", on=DAY), "EUR -5.82"),
        # out of a withdrawn currency, at the fixed rate of 1.95583 marks to the euro
        (
            Money.of("5.00", "DEM"),
            ExchangeRate("DEM", "EUR", "100000/195583", on=DAY),
            "EUR 2.55",
        ),
    ],
)
def test_a_rate_is_between_whole_units_whatever_their_digits(
    amount: Money, rate: ExchangeRate, result: str
) -> None:
    assert str(convert(amount, rate, rounding=Rounding.DOWN).result) == result


def test_a_rate_can_be_said_as_two_amounts_that_are_worth_the_same() -> None:
    rate = ExchangeRate.equating(Money.of(1000, PTS), Money.of("8.00", "USD"), on=DAY)
    assert rate == ExchangeRate(PTS, "USD", "0.008", on=DAY)
    made = convert(Money.of(250, PTS), rate, rounding=Rounding.UNNECESSARY)
    assert (made.result, made.remainder) == (Money.of("2.00", "USD"), Fraction(0))


def test_py_moneyed_money_is_converted_too() -> None:
    theirs = Money.of("10.00", "EUR").to_moneyed()
    assert convert(theirs, EUR_USD, rounding=Rounding.DOWN).result == Money.of("10.84", "USD")


def test_an_amount_that_would_become_nothing_is_refused() -> None:
    rate = ExchangeRate(PTS, "USD", "0.004", on=DAY)
    with pytest.raises(ConvertsToNothing, match="would convert to nothing") as caught:
        convert(Money.of(1, PTS), rate, rounding=Rounding.DOWN)
    assert caught.value.amount == Money.of(1, PTS)
    assert caught.value.target == currency("USD")
    assert caught.value.exact_minor == Fraction(2, 5)
    with pytest.raises(ConvertsToNothing):
        convert(Money.zero(PTS), rate, rounding=Rounding.UP)
    assert convert(Money.of(1, PTS), rate, rounding=Rounding.UP).result == Money.of("0.01", "USD")


def test_a_rate_converts_its_own_source_only() -> None:
    for other in (Money.of("5.00", "USD"), Money.of("5.00", "GBP")):
        with pytest.raises(UnitMismatch) as caught:
            convert(other, EUR_USD, rounding=Rounding.DOWN)
        assert caught.value.right == currency("EUR")


def test_nothing_is_converted_into_a_withdrawn_currency() -> None:
    with pytest.raises(UnitWithdrawn) as caught:
        convert(
            Money.of("5.00", "EUR"),
            ExchangeRate("EUR", "DEM", "1.95583", on=DAY),
            rounding=Rounding.DOWN,
        )
    assert caught.value.unit == currency("DEM")


def test_a_conversion_names_its_rounding_and_stays_in_range() -> None:
    with pytest.raises(RoundingNecessary):
        convert(Money.of("10.00", "EUR"), EUR_USD, rounding=Rounding.UNNECESSARY)
    with pytest.raises(ArgumentRefused, match="a Rounding"):
        convert(Money.of("10.00", "EUR"), EUR_USD, rounding="half_up")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(AmountOutOfRange):
        convert(Money.of_minor(MAX_MINOR, "EUR"), EUR_USD, rounding=Rounding.DOWN)
    with pytest.raises(ArgumentRefused, match="an ExchangeRate"):
        convert(Money.of("10.00", "EUR"), "1.08", rounding=Rounding.DOWN)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("rate", [0, "-1.1", Decimal("NaN"), Decimal("-1"), "1,08", True, None])
def test_a_rate_is_an_exact_number_above_zero(rate: Any) -> None:
    with pytest.raises(ArgumentRefused):
        ExchangeRate("EUR", "USD", rate, on=DAY)


def test_a_rate_is_no_float() -> None:
    with pytest.raises(FloatRefused, match=r'"0\.8935"'):
        ExchangeRate("EUR", "USD", 1.08, on=DAY)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("on", ["2025-03-31", None, dt.datetime(2025, 3, 31, tzinfo=dt.UTC)])
def test_a_rate_has_a_date(on: Any) -> None:
    with pytest.raises(ArgumentRefused, match="a date, such as"):
        ExchangeRate("EUR", "USD", "1.08", on=on)


def test_a_rate_is_between_two_known_and_unlike_units() -> None:
    with pytest.raises(ArgumentRefused, match="another unit than EUR"):
        ExchangeRate("EUR", "EUR", 1, on=DAY)
    with pytest.raises(UnknownCurrency):
        ExchangeRate("EUR", "EURO", 1, on=DAY)
    for given, received in ((0, 8), (8, 0), (-1, 8)):
        with pytest.raises(ArgumentRefused, match="more than nothing"):
            ExchangeRate.equating(Money.of(given, PTS), Money.of(received, "USD"), on=DAY)


def test_rates_and_conversions_are_values() -> None:
    made = convert(Money.of("10.00", "EUR"), EUR_USD, rounding=Rounding.DOWN)
    assert pickle.loads(pickle.dumps(made)) == made
    assert hash(made) == hash(convert(made.source, EUR_USD, rounding=Rounding.DOWN))
    assert ExchangeRate("EUR", "USD", Fraction("1.08425"), on=DAY) == EUR_USD
