"""The border of the ledger: how arguments of commands become exact values."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import Enum
from typing import TypeVar

from storecredit.errors import ArgumentRefused, InvalidTerms
from storecredit.ledger.texts import require_text
from storecredit.values import AnyMoney, ExchangeRate, Money, Period, Rounding, instant

_E = TypeVar("_E", bound=Enum)

Expiry = Period | date | datetime | None
"""
When a lot expires: after a period, at the end of a day (inclusive, in the merchant's zone), at an
instant (exclusive), or never.
"""


def as_money(amount: AnyMoney) -> Money:
    """Accept our money or py-moneyed's (V1)."""
    return amount if isinstance(amount, Money) else Money.coerce(amount)


def as_money_or_none(amount: AnyMoney | None) -> Money | None:
    """Accept money, or None."""
    return None if amount is None else as_money(amount)


def as_start(when: Period | datetime | None) -> Period | datetime | None:
    """
    Bring an instant into UTC; leave a period or nothing as it is.

    Raises:
        ArgumentRefused: Something else: a date alone begins nothing.
        NaiveInstant: A datetime without a zone (V7).
    """
    return when if when is None or isinstance(when, Period) else instant(when)


def as_expiry(expires: Expiry) -> Expiry:
    """
    Bring an instant into UTC; leave a period, a date or nothing as it is.

    Raises:
        NaiveInstant: A datetime without a zone (V7).
    """
    return instant(expires) if isinstance(expires, datetime) else expires


def as_rate(rate: object) -> ExchangeRate:
    """
    Accept an exchange rate, which has its units and its date (V3).

    Raises:
        ArgumentRefused: Something else.
    """
    if not isinstance(rate, ExchangeRate):
        raise ArgumentRefused("rate", rate, "an ExchangeRate with its date")
    return rate


def as_rounding(rounding: Rounding | str) -> Rounding:
    """
    Accept a rounding mode, or its name (V2).

    Raises:
        InvalidTerms: There is no such mode.
    """
    return one_of(Rounding, "rounding", rounding)


def one_of(kind: type[_E], field: str, value: object) -> _E:
    """
    Return the member of the closed list *kind* that *value* is, or names.

    Raises:
        InvalidTerms: There is none; the message lists what there is.
    """
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(each.value) for each in kind)
        raise InvalidTerms(field, value, f"one of {known}") from None


def texts(field: str, values: object) -> tuple[str, ...]:
    """
    Return several texts as a tuple.

    Raises:
        InvalidTerms: One text was given, which would be taken apart, or nothing of the kind.
        InvalidText: One of them cannot be kept.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidTerms(field, values, "a list of texts, not one text")
    return tuple(require_text(field, value) for value in values)
