"""
Amounts as text: the plain form, the JSON form, and how people of a locale write them.

The plain form ("USD 50.00") is for programs and is read back exactly. Localized text is for
people; it shows all of the unit's storage digits, not CLDR's display digits (rule V4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import moneyed
from babel import Locale, UnknownLocaleError
from babel.numbers import (
    format_decimal,
    get_currency_name,
    get_currency_symbol,
    get_decimal_symbol,
    get_group_symbol,
)
from moneyed.l10n import format_money

from storecredit.errors.values import TextUnreadable, UnknownLocale
from storecredit.values.amounts import decimal_text
from storecredit.values.units import Currency, Unit

_LONGEST_TEXT: Final = 128
_PLAIN: Final = re.compile(r"([A-Z][A-Z0-9_]{1,11}) (-?[0-9]+(?:\.[0-9]+)?)")
_BIDI_MARKS: Final = re.compile("[\u200e\u200f\u061c]")
_MINUS_SIGNS: Final = ("-", "\u2212")
# What a keyboard offers for the grouping mark that CLDR has.
_TYPED_FOR_GROUPING: Final = (
    (" ", "\u00a0"),
    (" ", "\u202f"),
    ("\u00a0", "\u202f"),
    ("'", "\u2019"),
)
_PATTERN_PLACES: Final = re.compile(r"(?<=0)\.[0#]+")


def split_plain(written: str) -> tuple[str, str]:
    """
    Split "USD 50.00" into its code and its decimal.

    Raises:
        TextUnreadable: Not a code, one space and a plain decimal.
    """
    found = _PLAIN.fullmatch(written) if _is_short_text(written) else None
    if found is None:
        raise TextUnreadable(written, 'a code, one space and a plain decimal, as in "USD 50.00"')
    return found[1], found[2]


def amount_and_code(form: Mapping[str, object]) -> tuple[str, str]:
    """
    Take the JSON form of money apart.

    Raises:
        TextUnreadable: Not exactly the keys `amount` and `unit`, both texts.
    """
    if _has_keys(form, {"amount", "unit"}):
        amount, code = form["amount"], form["unit"]
        if isinstance(amount, str) and isinstance(code, str):
            return amount, code
    raise TextUnreadable(form, 'an object like {"amount": "50.00", "unit": "USD"}, both texts')


def as_moneyed(minor: int, unit: Unit) -> moneyed.Money:
    """The amount as a py-moneyed `Money`, with py-moneyed's own currency where it has one."""
    known = moneyed.CURRENCIES.get(unit.code)
    if known is None:
        numeric = unit.numeric if isinstance(unit, Currency) else None
        known = moneyed.Currency(unit.code, numeric, 10**unit.digits, unit.name or unit.code)
    return moneyed.Money(Decimal(decimal_text(minor, unit.digits)), known)


def write_localized(minor: int, unit: Unit, locale: str) -> str:
    """
    Write an amount for people: "1.234,50 €", "500 Points".

    Raises:
        UnknownLocale: CLDR has no such locale.
    """
    known = _locale_named(locale)
    if isinstance(unit, Currency):
        pattern = _with_places(known.currency_formats["standard"].pattern, unit.digits)
        money = as_moneyed(minor, unit)
        return format_money(money, format=pattern, locale=str(known), currency_digits=False)
    pattern = _with_places(known.decimal_formats[None].pattern, unit.digits)
    amount = Decimal(decimal_text(minor, unit.digits))
    return f"{format_decimal(amount, format=pattern, locale=known)} {unit.name or unit.code}"


def read_localized(written: str, unit: Unit, locale: str) -> str:
    """
    Read what people of *locale* write for an amount of *unit*, as a plain decimal.

    A symbol, code or name may stand before or after the number and has to be the unit's.

    Raises:
        UnknownLocale: CLDR has no such locale.
        TextUnreadable: Not an amount in that locale, or of another unit.
    """
    known = _locale_named(locale)
    example = write_localized(12345 * 10**unit.digits // 10, unit, locale)
    expected = f"an amount of {unit.code} as {locale} writes it, such as {example!r}"
    if not _is_short_text(written):
        raise TextUnreadable(written, expected)
    negative, number = _taken_apart(written, _marks_of(unit, known))
    plain = _plain_number(number, known)
    if plain is None:
        raise TextUnreadable(written, expected)
    return f"-{plain}" if negative else plain


def _is_short_text(written: object) -> bool:
    return isinstance(written, str) and len(written) <= _LONGEST_TEXT


def _has_keys(form: object, keys: set[str]) -> bool:
    return isinstance(form, Mapping) and form.keys() == keys


def _locale_named(locale: str) -> Locale:
    try:
        return Locale.parse(locale)
    except (UnknownLocaleError, ValueError, TypeError):
        raise UnknownLocale(locale) from None


def _with_places(pattern: str, digits: int) -> str:
    return _PATTERN_PLACES.sub("." + "0" * digits if digits else "", pattern)


def _marks_of(unit: Unit, locale: Locale) -> list[str]:
    """The symbol, code and names by which people mark an amount of *unit*, longest first."""
    marks = {unit.code, unit.name or unit.code}
    if isinstance(unit, Currency):
        marks.add(get_currency_symbol(unit.code, locale=locale))
        marks.update(get_currency_name(unit.code, count, locale=locale) for count in (None, 1, 2))
    return sorted(marks, key=len, reverse=True)


def _taken_apart(written: str, marks: list[str]) -> tuple[bool, str]:
    """Take the minus sign and the unit's mark off: what is left should be a bare number."""
    rest = _BIDI_MARKS.sub("", written).strip()
    rest, early_minus = _without_minus(rest)
    for mark in marks:
        bare = _BIDI_MARKS.sub("", mark)
        if rest.startswith(bare):
            rest = rest.removeprefix(bare).strip()
            break
        if rest.endswith(bare):
            rest = rest.removesuffix(bare).strip()
            break
    if early_minus:
        return True, rest
    rest, late_minus = _without_minus(rest)
    return late_minus, rest


def _without_minus(written: str) -> tuple[str, bool]:
    if written.startswith(_MINUS_SIGNS):
        return written[1:].lstrip(), True
    if written.endswith(_MINUS_SIGNS):  # as in Frisian
        return written[:-1].rstrip(), True
    return written, False


def _plain_number(number: str, locale: Locale) -> str | None:
    """Digits as *locale* groups them, as plain digits; None if they are grouped wrongly."""
    group, point = get_group_symbol(locale), get_decimal_symbol(locale)
    for typed, meant in _TYPED_FOR_GROUPING:
        if group == meant:
            number = number.replace(typed, meant)
    whole, *part = number.split(point)
    groups = whole.split(group)
    if len(part) > 1 or not all(map(_is_digits, (*groups, *part))):
        return None
    # Some locales group money otherwise than other numbers.
    patterns = (locale.decimal_formats[None], locale.currency_formats["standard"])
    if not any(_is_grouped(groups, *pattern.grouping) for pattern in patterns):
        return None
    return ".".join(("".join(groups), *part))


def _is_grouped(groups: list[str], last: int, others: int) -> bool:
    if len(groups) == 1:
        return True
    first, *middle, end = map(len, groups)
    return end == last and first <= others and all(length == others for length in middle)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()
