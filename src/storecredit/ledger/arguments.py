"""The border of the ledger: how arguments of commands become exact values."""

from datetime import date, datetime

from storecredit.values import AnyMoney, Money, Period, instant

Expiry = Period | date | datetime | None
"""
When a lot expires: after a period, at the end of a day (inclusive, in the merchant's zone), at an
instant (exclusive), or never.
"""


def as_money(amount: AnyMoney) -> Money:
    """Accept our money or py-moneyed's (V1)."""
    return amount if amount.__class__ is Money else Money.coerce(amount)


def as_money_or_none(amount: AnyMoney | None) -> Money | None:
    """Accept money, or None."""
    return None if amount is None else as_money(amount)


def as_start(when: Period | datetime | None) -> Period | datetime | None:
    """
    Bring an instant into UTC; leave a period or nothing as it is.

    Raises:
        NaiveInstant: A datetime without a zone (V7).
    """
    return instant(when) if isinstance(when, datetime) else when


def as_expiry(expires: Expiry) -> Expiry:
    """
    Bring an instant into UTC; leave a period, a date or nothing as it is.

    Raises:
        NaiveInstant: A datetime without a zone (V7).
    """
    return instant(expires) if isinstance(expires, datetime) else expires
