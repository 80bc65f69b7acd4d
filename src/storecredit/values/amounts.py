"""
Reading and writing exact amounts: text, `Decimal`, `Fraction` and `int`, never a float (V1, V2).

Everything here is bounded: a text of a million digits or `Decimal("1e1000000")` is refused
before anything is computed from it.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from storecredit.errors.values import (
    AmountOutOfRange,
    AmountTooFine,
    AmountUnreadable,
    ArgumentRefused,
    FloatRefused,
)
from storecredit.values.rounding import Rounding
from storecredit.values.units import Unit

ExactNumber = int | Decimal | Fraction | str
"""A number that holds exactly the digits that were written."""

MIN_MINOR: Final = -(2**63)
MAX_MINOR: Final = 2**63 - 1

_PLAIN_DECIMAL: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_RATIO: Final = re.compile(r"(-?[0-9]+)/([0-9]+)")
_LONGEST_TEXT: Final = 64
_WIDEST_EXPONENT: Final = 64
_POWERS: Final = tuple(10**exponent for exponent in range(10))


def minor_of(amount: ExactNumber, unit: Unit) -> int:
    """
    The whole number of minor units that *amount*, in major units, is exactly.

    Raises:
        FloatRefused: A float, whatever its value.
        AmountUnreadable: Not a number, not finite, or not plain decimal text.
        AmountTooFine: More decimal places than *unit* has.
        AmountOutOfRange: Beyond signed 64-bit minor units.
    """
    if type(amount) is int:
        return in_range(amount * _POWERS[unit.digits], unit)
    if type(amount) is str and len(amount) <= _LONGEST_TEXT:
        # The everyday way in, without the cost of a Fraction.
        read = _PLAIN_DECIMAL.fullmatch(amount)
        if read is not None:
            sign, whole, part = read.groups(default="")
            if len(part) <= unit.digits:
                return in_range(int(sign + whole + part.ljust(unit.digits, "0")), unit)
    exact = _exact_amount(amount, unit) * _POWERS[unit.digits]
    if exact.denominator != 1:
        raise AmountTooFine(amount, unit)
    return in_range(exact.numerator, unit)


def rounded_minor_of(amount: ExactNumber, unit: Unit, rounding: Rounding) -> int:
    """
    The whole number of minor units that *amount*, in major units, becomes by *rounding*.

    Raises:
        FloatRefused: A float, whatever its value.
        AmountUnreadable: Not a number, not finite, or not plain decimal text.
        RoundingNecessary: *rounding* is `UNNECESSARY` and the amount is too fine.
        AmountOutOfRange: Beyond signed 64-bit minor units.
    """
    exact = _exact_amount(amount, unit) * _POWERS[unit.digits]
    return in_range(rounding.whole(exact), unit)


def in_range(minor: int, unit: Unit) -> int:
    """
    *minor* itself, if storage can hold it.

    Raises:
        AmountOutOfRange: Beyond signed 64-bit minor units.
    """
    if MIN_MINOR <= minor <= MAX_MINOR:
        return minor
    raise AmountOutOfRange(minor, unit)


def step_of(step: int) -> int:
    """
    *step* itself, if it can be a smallest amount to hand out, in minor units.

    Raises:
        ArgumentRefused: Not a whole number from 1 up.
    """
    if type(step) is not int or step < 1:
        raise ArgumentRefused("step", step, "a whole number of minor units from 1 up")
    return step


def exact_number(value: ExactNumber, *, what: str, instead: str) -> Fraction:
    """
    Read a factor, a percentage, a rate or a weight exactly; text may also be a ratio "1/3".

    Args:
        value: The number.

        what: What the number is, for the message.

        instead: How to write it without a float, for the message.

    Raises:
        FloatRefused: A float, whatever its value.
        ArgumentRefused: No number, not finite, or longer than any real rate is.
    """
    if isinstance(value, float):
        raise FloatRefused(value, what, instead)
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        ratio = _RATIO.fullmatch(value)
        if ratio and int(ratio[2]) != 0:
            return Fraction(int(ratio[1]), int(ratio[2]))
        if _PLAIN_DECIMAL.fullmatch(value):
            return Fraction(value)
    if isinstance(value, Decimal) and value.is_finite() and _is_narrow(value):
        return Fraction(value)
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return Fraction(value)
    raise ArgumentRefused(what, value, f"an exact number, such as {instead}")


def decimal_text(minor: int, digits: int) -> str:
    """Write minor units as a plain decimal with all *digits*: `5000, 2` is "50.00"."""
    if digits == 0:
        return str(minor)
    sign = "-" if minor < 0 else ""
    whole, part = divmod(abs(minor), _POWERS[digits])
    return f"{sign}{whole}.{part:0{digits}d}"


def _exact_amount(amount: ExactNumber, unit: Unit) -> Fraction:
    if isinstance(amount, float):
        written = _digits_meant_by(amount)
        raise FloatRefused(amount, "An amount", f'Money.of("{written}", "{unit.code}")')
    if isinstance(amount, str):
        if len(amount) > _LONGEST_TEXT:
            raise AmountUnreadable(amount, f"it is longer than {_LONGEST_TEXT} characters")
        if not _PLAIN_DECIMAL.fullmatch(amount):
            raise AmountUnreadable(amount, "it is not a plain decimal number")
        return Fraction(amount)
    if isinstance(amount, bool):
        raise AmountUnreadable(amount, "True and False are no amounts")
    if isinstance(amount, int | Fraction):
        return Fraction(amount)
    if not isinstance(amount, Decimal):
        raise AmountUnreadable(amount, f"a {type(amount).__name__} is no exact number")
    if not amount.is_finite():
        raise AmountUnreadable(amount, "it is not a finite number")
    if not amount:
        return Fraction(0)
    if amount.adjusted() > _WIDEST_EXPONENT:
        raise AmountOutOfRange(amount, unit)
    if not _is_narrow(amount):
        raise AmountUnreadable(amount, "it has far more digits than any amount")
    return Fraction(amount)


def _digits_meant_by(amount: float) -> str:
    """The short decimal that a float was probably written as, for the message that refuses it."""
    if math.isfinite(amount) and abs(amount) < 10**15:
        return f"{Decimal(float.__repr__(amount)):f}"
    return "19.99"


def _is_narrow(value: Decimal) -> bool:
    """Whether the exact value of *value* is a short number, cheap to compute with."""
    exponent = value.as_tuple().exponent
    return (
        isinstance(exponent, int)
        and abs(exponent) <= _WIDEST_EXPONENT
        and len(value.as_tuple().digits) <= _LONGEST_TEXT
    )
