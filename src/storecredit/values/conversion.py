"""Conversion between unlike units: only by an explicit rate, date and rounding (rule V3)."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import final

import attrs

from storecredit.errors.values import ArgumentRefused, ConvertsToNothing
from storecredit.values.amounts import ExactNumber, exact_number
from storecredit.values.instants import is_plain_date
from storecredit.values.money import AnyMoney, Money, require_same_unit
from storecredit.values.rounding import Rounding, named_rounding
from storecredit.values.units import Unit, require_issuable
from storecredit.values.units import unit as unit_named


def _exact_rate(rate: ExactNumber) -> Fraction:
    exact = exact_number(rate, what="A rate", instead='"0.8935"')
    if exact <= 0:
        raise ArgumentRefused("rate", rate, "above zero")
    return exact


@final
@attrs.frozen
class ExchangeRate:
    """
    How much of one unit a whole one of another is worth, on a date.

    `ExchangeRate("EUR", "USD", "1.0842", on=date(2025, 3, 31))`: one euro is 1.0842 dollars.

    Raises:
        UnknownCurrency: A code names no currency.
        FloatRefused: The rate is a float.
        ArgumentRefused: The rate is no exact number above zero, *on* is no date, or both
            units are the same.
    """

    source: Unit = attrs.field(converter=unit_named)
    """The unit that is given."""

    target: Unit = attrs.field(converter=unit_named)
    """The unit that is received."""

    rate: Fraction = attrs.field(converter=_exact_rate)
    """Major units of the target for one major unit of the source; exact, above zero."""

    on: dt.date = attrs.field(kw_only=True)
    """The day the rate is of."""

    def __attrs_post_init__(self) -> None:
        if not is_plain_date(self.on):
            raise ArgumentRefused("on", self.on, "a date, such as date(2025, 3, 31)")
        if self.source == self.target:
            raise ArgumentRefused("target", self.target, f"another unit than {self.source.code}")

    @classmethod
    def equating(cls, given: AnyMoney, received: AnyMoney, *, on: dt.date) -> ExchangeRate:
        """
        The rate at which *given* is worth *received*: 1,000 points are USD 8.00.

        Raises:
            ArgumentRefused: Either is no money above zero, both are in the same unit, or *on*
                is no date.
        """
        source, target = Money.coerce(given), Money.coerce(received)
        for argument, amount in (("given", source), ("received", target)):
            if not amount.is_positive:
                raise ArgumentRefused(argument, amount, "more than nothing")
        rate = Fraction(
            target.minor * 10**source.unit.digits, source.minor * 10**target.unit.digits
        )
        return cls(source.unit, target.unit, rate, on=on)


@final
@attrs.frozen(kw_only=True)
class Conversion:
    """An amount, what it became, by which rate, and what rounding left over."""

    source: Money
    """What was given."""

    result: Money
    """What was received."""

    rate: ExchangeRate
    """By which rate."""

    remainder: Fraction
    """
    The exact worth less the result, in minor units of the target: above zero where rounding
    took something away, below zero where it added something.
    """


def convert(amount: AnyMoney, rate: ExchangeRate, *, rounding: Rounding) -> Conversion:
    """
    Convert *amount* by an explicit rate, and say what was left over.

    The sign is kept. The result is rounded to minor units of the target as named.

    Raises:
        ArgumentRefused: *amount* is no money, *rate* no `ExchangeRate`, *rounding* no `Rounding`.
        UnitMismatch: *amount* is not in the rate's source unit.
        UnitWithdrawn: The target is a currency that ISO has withdrawn.
        RoundingNecessary: *rounding* is `UNNECESSARY` and the worth is between two amounts.
        ConvertsToNothing: The result would be zero.
        AmountOutOfRange: The result is beyond signed 64-bit minor units.
    """
    source = Money.coerce(amount)
    _require_rate(rate)
    require_same_unit("use one rate for", source.unit, rate.source)
    require_issuable(rate.target)
    scale = Fraction(10**rate.target.digits, 10**rate.source.digits)
    exact = source.minor * rate.rate * scale
    result = Money.of_minor(named_rounding(rounding).whole(exact), rate.target)
    if result.is_zero:
        raise ConvertsToNothing(source, rate.target, exact)
    return Conversion(source=source, result=result, rate=rate, remainder=exact - result.minor)


def _require_rate(rate: object) -> None:
    if not isinstance(rate, ExchangeRate):
        raise ArgumentRefused("rate", rate, "an ExchangeRate with its date")
