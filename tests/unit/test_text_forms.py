"""Amounts as text: the plain form, the JSON form, and what people write (V4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storecredit.errors.values import (
    AmountOutOfRange,
    AmountTooFine,
    AmountUnreadable,
    TextUnreadable,
    UnknownCurrency,
    UnknownLocale,
)
from storecredit.values import CustomUnit, Money

POINTS = CustomUnit("PTS", 0, name="Points")
GAS = CustomUnit("GAS", 3)


# --- The plain form ---------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["USD 50.00", "USD -0.05", "JPY 500", "KWD 1.234", "ITL 7"])
def test_what_str_writes_parse_reads(text: str) -> None:
    assert str(Money.parse(text)) == text


def test_a_custom_unit_is_parsed_where_it_is_named() -> None:
    assert Money.parse("PTS 500", customs=[POINTS]) == Money.of(500, POINTS)
    with pytest.raises(UnknownCurrency):
        Money.parse("PTS 500")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "50.00",
        "USD50.00",
        "USD  50.00",
        "USD 50.00 ",
        " USD 50.00",
        "usd 50.00",
        "50.00 USD",
        "USD 1,000.00",
        "USD 5e3",
        "USD\t50.00",
        "USD 50.00\n",
        "USD ٥",
        "USD " + "9" * 200,
        None,
        b"USD 50.00",
    ],
)
def test_another_plain_text_is_refused(text: Any) -> None:
    with pytest.raises(TextUnreadable, match=r'as in "USD 50\.00"') as caught:
        Money.parse(text)
    assert caught.value.text == text


def test_a_plain_text_is_checked_like_any_amount() -> None:
    with pytest.raises(AmountTooFine):
        Money.parse("USD 50.001")
    with pytest.raises(AmountUnreadable):
        Money.parse("USD " + "0" * 70)
    with pytest.raises(AmountOutOfRange):
        Money.parse("USD " + "9" * 30)


# --- The JSON form ------------------------------------------------------------------------------


def test_the_json_form_is_a_decimal_text_and_a_code() -> None:
    money = Money.of("50", "USD")
    form = money.to_json()
    assert form == {"amount": "50.00", "unit": "USD"}
    assert Money.from_json(json.loads(json.dumps(form))) == money
    points = Money.of(500, POINTS)
    assert Money.from_json(points.to_json(), customs=[POINTS]) == points


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"amount": "50.00"},
        {"amount": "50.00", "unit": "USD", "more": 1},
        {"amount": 50.0, "unit": "USD"},
        {"amount": 50, "unit": "USD"},
        {"amount": "50.00", "unit": None},
        ["50.00", "USD"],
        "USD 50.00",
        None,
    ],
)
def test_another_json_form_is_refused(form: Any) -> None:
    with pytest.raises(TextUnreadable, match="both texts"):
        Money.from_json(form)


# --- What people read and write --------------------------------------------------------------------

NBSP, NARROW, RLM = "\u00a0", "\u202f", "\u200f"


@pytest.mark.parametrize(
    ("money", "locale", "text"),
    [
        (Money.of("1234.50", "USD"), "en_US", "$1,234.50"),
        (Money.of("-1234.50", "USD"), "en_US", "-$1,234.50"),
        (Money.of("1234.50", "EUR"), "de_DE", f"1.234,50{NBSP}€"),
        (Money.of("1234567.50", "EUR"), "fr_FR", f"1{NARROW}234{NARROW}567,50{NBSP}€"),
        (Money.of("1234567.50", "INR"), "en_IN", "₹12,34,567.50"),
        (Money.of("-1234.50", "CHF"), "de_CH", "CHF-1’234.50"),
        (Money.of(1234, "JPY"), "ja_JP", "￥1,234"),
        (Money.of("5.5", "ILS"), "he_IL", f"{RLM}5.50{NBSP}{RLM}₪"),
        (Money.of("-5.5", "EUR"), "fy_NL", f"€{NBSP}5,50-"),
        # storage digits, where CLDR would show none and lose what is owed
        (Money.of("1.234", "IQD"), "en_US", "IQD1.234"),
        (Money.of("0.05", "HUF"), "hu_HU", f"0,05{NBSP}Ft"),
        # no decimals in storage, where the pattern has two
        (Money.of(1000, "ISK"), "is_IS", f"1.000{NBSP}kr."),
        (Money.of("7.50", "ZWG"), "en_US", "ZWG7.50"),  # younger than py-moneyed
        (Money.of(1234, POINTS), "de_DE", "1.234 Points"),
        (Money.of(1234567, POINTS), "hi_IN", "12,34,567 Points"),
        # in Marathi, money is grouped by thousands and other numbers are not
        (Money.of(1234567, "CLP"), "mr_IN", "CLP1,234,567"),
        (Money.of("-1234.5", GAS), "en_US", "-1,234.500 GAS"),
    ],
)
def test_people_read_an_amount_as_their_locale_writes_it(
    money: Money, locale: str, text: str
) -> None:
    assert money.format(locale=locale) == text
    assert Money.parse_localized(text, unit=money.unit, locale=locale) == money


@pytest.mark.parametrize(
    ("text", "unit", "locale", "amount"),
    [
        ("1.234,50 €", "EUR", "de_DE", "1234.50"),  # a common space
        ("1234,5", "EUR", "de_DE", "1234.50"),  # no grouping, no mark
        ("EUR 1.234,50", "EUR", "de_DE", "1234.50"),
        ("1.234,50 Euro", "EUR", "de_DE", "1234.50"),
        ("-€5.00", "EUR", "en_IE", "-5.00"),
        ("€-5.00", "EUR", "en_IE", "-5.00"),
        ("\u22125,00 kr", "SEK", "sv_SE", "-5.00"),  # the real minus sign
        ("1 234 567,50 €", "EUR", "fr_FR", "1234567.50"),
        ("CHF 1'234.50", "CHF", "de_CH", "1234.50"),  # the apostrophe that keyboards have
        (f"1{NBSP}234,50 €", "EUR", "fr_FR", "1234.50"),
        ("12,34,567", "INR", "en_IN", "1234567"),
        ("  $5  ", "USD", "en_US", "5.00"),
        ("5 US dollars", "USD", "en_US", "5.00"),
        ("0", "USD", "en_US", "0"),
        ("500 PTS", POINTS, "en_US", "500"),
        ("500 Points", POINTS, "en_US", "500"),
    ],
)
def test_what_people_write_is_read(text: str, unit: Any, locale: str, amount: str) -> None:
    assert Money.parse_localized(text, unit=unit, locale=locale) == Money.of(amount, unit)


@pytest.mark.parametrize(
    ("text", "unit", "locale"),
    [
        ("1.234.5,0 €", "EUR", "de_DE"),
        ("1,234.50 €", "EUR", "de_DE"),  # points and commas the other way round
        ("12.34 €", "EUR", "de_DE"),  # a point is for groups of three
        ("1234.567,50 €", "EUR", "de_DE"),
        (".234,50 €", "EUR", "de_DE"),
        ("5,", "EUR", "de_DE"),
        ("1,234,567", "INR", "en_IN"),  # there, groups of two come before the last three
        ("1.234,50 $", "EUR", "de_DE"),  # another unit
        ("US$5.00", "CAD", "en_US"),
        ("€€5", "EUR", "en_IE"),
        ("--5", "EUR", "en_IE"),
        ("-5-", "EUR", "en_IE"),
        ("(5.00)", "USD", "en_US"),
        ("1e3", "USD", "en_US"),
        ("NaN", "USD", "en_US"),
        ("Infinity", "USD", "en_US"),
        ("٥", "USD", "ar_EG"),
        ("", "USD", "en_US"),
        ("€", "EUR", "de_DE"),
        ("9" * 500, "USD", "en_US"),
        (None, "USD", "en_US"),
        (5, "USD", "en_US"),
    ],
)
def test_what_is_no_amount_in_the_locale_is_refused(text: Any, unit: Any, locale: str) -> None:
    with pytest.raises(TextUnreadable, match=r"as .* writes it, such as") as caught:
        Money.parse_localized(text, unit=unit, locale=locale)
    assert caught.value.text == text


def test_what_people_write_is_not_rounded_either() -> None:
    with pytest.raises(AmountTooFine):
        Money.parse_localized("5,001 €", unit="EUR", locale="de_DE")
    with pytest.raises(AmountOutOfRange):
        Money.parse_localized("9" * 40, unit="EUR", locale="de_DE")


@pytest.mark.parametrize("locale", ["xx_XX", "", "no such locale", None, 5])
def test_an_unknown_locale_is_refused(locale: Any) -> None:
    with pytest.raises(UnknownLocale, match="en_US"):
        Money.of("5.00", "USD").format(locale=locale)
    with pytest.raises(UnknownLocale, match="en_US"):
        Money.parse_localized("5.00", unit="USD", locale=locale)
