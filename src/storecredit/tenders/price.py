"""Prices as sums over units, and the frozen rate at which one unit pays another (T1)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, final

import attrs

from storecredit.errors import InvalidOrder, InvalidTender
from storecredit.values import AnyMoney, ExchangeRate, Money, Rounding, Unit


def amounts_by_unit(field: str, amounts: AnyMoney | Iterable[AnyMoney]) -> tuple[Money, ...]:
    """
    Accept one amount or several, each in a unit of its own and none negative.

    Raises:
        ArgumentRefused: Something else than money.
        InvalidOrder: An amount is negative, or a unit stands twice.
    """
    given = (amounts,) if isinstance(amounts, AnyMoney) else tuple(amounts)
    found = tuple(Money.coerce(amount) for amount in given)
    for amount in found:
        if amount.is_negative:
            raise InvalidOrder(field, str(amount), "zero or more")
    if len({amount.unit for amount in found}) < len(found):
        raise InvalidOrder(field, [str(amount) for amount in found], "one amount for each unit")
    return found


def _amounts(amounts: AnyMoney | Iterable[AnyMoney]) -> tuple[Money, ...]:
    return amounts_by_unit("price", amounts)


@final
@attrs.frozen
class Price:
    """
    What a whole line costs, as a sum over units: USD 10.00 and PTS 1500 together (T1).

    Make one with `Price.of(...)`. No amount is negative; a price of nothing is a free line.

    Raises:
        ArgumentRefused: Something else than money.
        InvalidOrder: An amount is negative, or a unit stands twice.
    """

    amounts: tuple[Money, ...] = attrs.field(converter=_amounts)
    """One amount for each unit, in the order given."""

    @classmethod
    def of(cls, *amounts: AnyMoney) -> "Price":
        """Return the price that is the sum of *amounts*, one for each unit."""
        return cls(amounts)

    def __str__(self) -> str:
        return " + ".join(map(str, self.amounts)) or "nothing"


AnyPrice = Price | AnyMoney
"""What a line takes for a price."""

_ANSWERING: Final = frozenset(Rounding) - {Rounding.UNNECESSARY}


@final
@attrs.frozen
class PayingRate:
    """
    A frozen rate at which one unit pays what is due in another: 1,000 points pay USD 8.00 (T1).

    The conversion rounds once for all that a tender pays, never line by line.

    Raises:
        InvalidTender: *rate* is no `ExchangeRate`, or *rounding* no mode that always answers.
    """

    rate: ExchangeRate
    """From the unit that pays to the unit that is due, with its date."""
    rounding: Rounding
    """How the worth of points that is between two amounts is counted."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.rate, ExchangeRate):
            raise InvalidTender("rate", self.rate, "an ExchangeRate with its date")
        if self.rounding not in _ANSWERING:
            raise InvalidTender("rounding", self.rounding, "a Rounding other than UNNECESSARY")

    @property
    def unit(self) -> Unit:
        """The unit that pays."""
        return self.rate.source

    @property
    def pays(self) -> Unit:
        """The unit that is due."""
        return self.rate.target

    def worth(self, minor: int) -> int:
        """Return what *minor* units of the paying unit pay, in minor units of the due one."""
        return self.rounding.whole(minor * self._ratio)

    def needed(self, due: int, *, step: int = 1) -> int:
        """Return the fewest minor units, a multiple of *step*, that pay at least *due*."""
        ratio = self._ratio
        most = -(-due * ratio.denominator // (ratio.numerator * step))
        whole = self.rounding.whole
        return step * bisect_left(range(most), due, key=lambda steps: whole(steps * step * ratio))

    def most_within(self, due: int, minor: int, *, step: int = 1) -> int:
        """Return the most that at most *minor* units, in whole steps, pay of *due*: never above it."""
        ratio, whole = self._ratio, self.rounding.whole
        steps = bisect_right(
            range(minor // step + 1), due, key=lambda steps: whole(steps * step * ratio)
        )
        return whole((steps - 1) * step * ratio)

    @property
    def _ratio(self) -> Fraction:
        scale = Fraction(10**self.rate.target.digits, 10**self.rate.source.digits)
        return self.rate.rate * scale
