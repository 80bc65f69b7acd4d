"""What custom units cost in money, so that points are a liability that can be stated (V4)."""

from __future__ import annotations

from fractions import Fraction
from typing import final

import attrs

from storecredit.errors.values import ArgumentRefused
from storecredit.values.money import AnyMoney, Money
from storecredit.values.rounding import Rounding, named_rounding
from storecredit.values.units import Currency


def _ours(money: AnyMoney) -> Money:
    return Money.coerce(money)


@final
@attrs.frozen
class CostBasis:
    """
    So many of the unit's minor units are worth so much money: 1,000 points are USD 8.00.

    Raises:
        ArgumentRefused: *units* is no whole number from 1 up, or *money* is not a positive
            amount of a currency.
    """

    units: int
    """A number of the custom unit's minor units, from 1 up."""

    money: Money = attrs.field(converter=_ours)
    """What they cost together: a positive amount of a currency."""

    def __attrs_post_init__(self) -> None:
        if type(self.units) is not int or self.units < 1:
            raise ArgumentRefused("units", self.units, "a whole number of minor units from 1 up")
        if not _is_in_a_currency(self.money):
            raise ArgumentRefused("money", self.money, "an amount of a currency")
        if not self.money.is_positive:
            raise ArgumentRefused("money", self.money, "more than nothing")


def _is_in_a_currency(amount: object) -> bool:
    return isinstance(amount, Money) and isinstance(amount.unit, Currency)


def liability(amount: AnyMoney, *, rounding: Rounding) -> Money:
    """
    What *amount* is worth in money by its unit's cost basis; an amount of money is itself.

    The sign is kept.

    Raises:
        ArgumentRefused: *amount* is no money, *rounding* no `Rounding`, or the custom unit has
            no cost basis.
        RoundingNecessary: *rounding* is `UNNECESSARY` and the worth is between two amounts.
        AmountOutOfRange: The worth is beyond signed 64-bit minor units.
    """
    money, mode = Money.coerce(amount), named_rounding(rounding)
    if isinstance(money.unit, Currency):
        return money
    basis = money.unit.cost_basis
    if basis is None:
        raise ArgumentRefused("amount", money, "in a unit that has a cost basis")
    return basis.money.multiplied_by(Fraction(money.minor, basis.units), rounding=mode)
