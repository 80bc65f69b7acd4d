"""Discounts: what lowers prices before anyone pays, spread exactly over lines (T1, T4, V5)."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import final

import attrs

from storecredit.errors import InvalidOrder
from storecredit.ledger.texts import require_text
from storecredit.tenders.lines import LineKind, OrderLine, line_kinds, listed
from storecredit.values import AnyMoney, Division, ExactNumber, Money, Rounding, Unit
from storecredit.values.amounts import exact_number
from storecredit.values.apportion import apportion, division_named


def _names(names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise InvalidOrder("discount", names, "limited by a list of texts")
    return listed("discount", names, str)


def _amount(amount: AnyMoney | None) -> Money | None:
    return None if amount is None else Money.coerce(amount)


def _percent(percent: ExactNumber | None) -> Fraction | None:
    if percent is None:
        return None
    return exact_number(percent, what="A percentage", instead='"12.5"')


@final
@attrs.frozen
class Discount:
    """
    A coupon or discount: it lowers the price, and with it what is taxed (T4).

    It has an amount or a percentage, counts for goods unless *kinds* says otherwise, and never
    lowers a line below nothing.

    Raises:
        ArgumentRefused, FloatRefused: No money, no exact percentage, no division.
        InvalidOrder: Not one of amount and percentage, a negative one, one above 100 percent, or
            a percentage without a rounding.
        InvalidText: A text that cannot be kept.
    """

    id: str
    amount: Money | None = attrs.field(default=None, converter=_amount, kw_only=True)
    """What is taken off in all; what the lines cannot take of it is lost."""
    percent: Fraction | None = attrs.field(default=None, converter=_percent, kw_only=True)
    """How many hundredths are taken off, in every unit."""
    rounding: Rounding | None = attrs.field(default=None, kw_only=True)
    """How the percentage of a sum is rounded, once for each unit (V2)."""
    kinds: frozenset[LineKind] = attrs.field(
        default=frozenset({LineKind.GOODS}), converter=line_kinds, kw_only=True
    )
    lines: tuple[str, ...] = attrs.field(default=(), converter=_names, kw_only=True)
    """Only these lines, where any are named."""
    categories: tuple[str, ...] = attrs.field(default=(), converter=_names, kw_only=True)
    """Only lines of these categories, where any are named."""
    by: Division = attrs.field(
        default=Division.LARGEST_REMAINDER, converter=division_named, kw_only=True
    )
    """Which lines get the odd units (V5)."""

    def __attrs_post_init__(self) -> None:
        require_text("discount.id", self.id)
        amount, percent = self.amount, self.percent
        if (amount is None) is (percent is None):
            raise InvalidOrder("discount", self.id, "either an amount or a percentage")
        if amount is not None and amount.is_negative:
            raise InvalidOrder("discount.amount", str(amount), "zero or more")
        if percent is not None:
            if not 0 <= percent <= 100:
                raise InvalidOrder("discount.percent", str(percent), "from 0 to 100")
            if not isinstance(self.rounding, Rounding):
                raise InvalidOrder("discount.rounding", self.rounding, "a Rounding")

    def counts_for(self, line: OrderLine) -> bool:
        """Tell whether it lowers *line*."""
        return (
            line.kind in self.kinds
            and (not self.lines or line.id in self.lines)
            and (not self.categories or line.category in self.categories)
        )

    def shares(
        self, lines: Sequence[OrderLine], unit: Unit, costs: Sequence[int]
    ) -> dict[int, int]:
        """
        Return what it takes off of which line that costs so much in *unit*, by position.

        The shares sum to the discount, or to what the lines cost where that is less.

        Raises:
            InvalidOrder: By the named division, a line would give more than it costs, or less than
                nothing.
        """
        places = [
            place for place, line in enumerate(lines) if costs[place] and self.counts_for(line)
        ]
        within = sum(costs[place] for place in places)
        total = min(self._total(unit, within), within)
        if not total:
            return {}
        parts = apportion(total, [costs[place] for place in places], self.by)
        for place, part in zip(places, parts, strict=True):
            if not 0 <= part <= costs[place]:
                raise InvalidOrder(
                    f"discount {self.id}",
                    f"{part} off a line of {costs[place]} by {self.by.value}",
                    "divided by a rule that leaves each part between nothing and the whole, such "
                    "as largest_remainder",
                )
        return {place: part for place, part in zip(places, parts, strict=True) if part}

    def _total(self, unit: Unit, within: int) -> int:
        if self.amount is not None:
            return self.amount.minor if self.amount.unit == unit else 0
        hundredths = Fraction(0) if self.percent is None else self.percent * Fraction(1, 100)
        exact = within * hundredths
        return exact.numerator if self.rounding is None else self.rounding.whole(exact)
