"""
The rules of exact division, in whole numbers (rule V5).

Shops come from systems that hand out the odd cents differently. Each rule that keeps the sum
is offered by name, so that a shop can reproduce the cents of its old system:

| `Division`                  | how the odd units go                                        | as in |
|-----------------------------|-------------------------------------------------------------|-------|
| `LARGEST_REMAINDER`         | to the largest fractions lost, a tie to the earlier part    | Brick (the default here) |
| `LARGEST_REMAINDER_FLOORED` | the same, after flooring also below zero                    | MoneyPHP, Shopify, Vendure |
| `FIRST_PARTS`               | one each from the first part on                             | Brick, go-money, Sylius |
| `FIRST_PARTS_FLOORED`       | the same, after flooring also below zero                    | Numscript, Shopify, rusty_money |
| `LARGEST_WEIGHT`            | one each from the largest weight on, a tie to the earlier   | Brick, Dinero.js |
| `LAST_TO_FIRST`             | one each from the last part backwards                       | Shopify |
| `CASCADE_FROM_LAST`         | from the last part on, each its share of what is still there | RubyMoney, Solidus |
| `LAST_ABSORBS`              | each part rounded half-even; the last takes the difference, which may even turn its sign | NodaMoney |
| `HALF_DOWN_THEN_FIRST`      | each part rounded, ties toward zero; the first ones take the difference | Sylius |

Two more keep what does not come out even apart, and give it to nobody:

| `KeptApart`    | what is shared                                           | as in |
|----------------|----------------------------------------------------------|-------|
| `ODD_UNITS`    | every part rounded toward zero                           | Brick |
| `ODD_BLOCKS`   | only whole multiples of the sum of the (reduced) weights | Brick |

Not offered: rounding each part on its own without correction (Saleor). Its parts need not add
up to the whole, so money appears or vanishes. Weights that are all zero are refused: some
systems then share equally, others lose the amount; here `split` says that equal parts are meant.

A part of weight zero gets zero under every rule. All rules but the two `FLOORED` ones are
mirror images: dividing -m gives the parts of m with the sign turned, so that a refund takes
back exactly what the charge gave.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Final, final

from storecredit.errors.values import ArgumentRefused
from storecredit.values.rounding import Rounding


@final
class Division(enum.Enum):
    """Which part of an exact division gets the odd units; every rule places all of them."""

    LARGEST_REMAINDER = "largest_remainder"
    LARGEST_REMAINDER_FLOORED = "largest_remainder_floored"
    FIRST_PARTS = "first_parts"
    FIRST_PARTS_FLOORED = "first_parts_floored"
    LARGEST_WEIGHT = "largest_weight"
    LAST_TO_FIRST = "last_to_first"
    CASCADE_FROM_LAST = "cascade_from_last"
    LAST_ABSORBS = "last_absorbs"
    HALF_DOWN_THEN_FIRST = "half_down_then_first"

    @property
    def is_mirrored(self) -> bool:
        """Whether dividing -m gives the parts of m with the sign turned."""
        return self not in _FLOORED


@final
class KeptApart(enum.Enum):
    """Which odd units of an exact division no part gets."""

    ODD_UNITS = "odd_units"
    ODD_BLOCKS = "odd_blocks"


def division_named(by: object) -> Division:
    """
    The rule that a caller named.

    Raises:
        ArgumentRefused: It is not a `Division`.
    """
    if not isinstance(by, Division):
        expected = "a Division, such as Division.LARGEST_REMAINDER"
        if isinstance(by, KeptApart):
            expected += "; what keeps units apart goes through allocate_apart()"
        raise ArgumentRefused("by", by, expected)
    return by


_FLOORED: Final = frozenset({Division.LARGEST_REMAINDER_FLOORED, Division.FIRST_PARTS_FLOORED})


def apportion(total: int, weights: Sequence[int], by: Division) -> list[int]:
    """
    Divide *total* in the proportion of *weights* so that the parts sum to it.

    *weights* are whole numbers from 0 up, at least one of them above 0; *total* has any sign.
    """
    rule = _RULES[by]
    if total < 0 and by.is_mirrored:
        return [-part for part in rule(-total, weights)]
    return rule(total, weights)


def apportion_apart(total: int, weights: Sequence[int], by: KeptApart) -> list[int]:
    """
    Divide *total* in the proportion of *weights*, leaving what is odd: the sum may be nearer zero.

    *weights* as for `apportion`, and without a common divisor.
    """
    whole, sign = sum(weights), -1 if total < 0 else 1
    if by is KeptApart.ODD_BLOCKS:
        blocks = abs(total) // whole
        return [sign * blocks * weight for weight in weights]
    return [sign * (abs(total) * weight // whole) for weight in weights]


def _floors(total: int, weights: Sequence[int]) -> list[int]:
    whole = sum(weights)
    return [total * weight // whole for weight in weights]


def _one_each(parts: list[int], odd: int, order: Iterable[int]) -> list[int]:
    """Hand out *odd* units (or take them back, if negative), one each, in the order given."""
    unit = 1 if odd > 0 else -1
    for position, _ in zip(order, range(abs(odd)), strict=False):
        parts[position] += unit
    return parts


def _with_a_weight(weights: Sequence[int]) -> list[int]:
    return [position for position, weight in enumerate(weights) if weight]


def _largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    whole = sum(weights)
    parts, lost = [], []
    for weight in weights:
        part, rest = divmod(total * weight, whole)
        parts.append(part)
        lost.append(rest)
    # Sorting is stable, so a tie goes to the earlier part.
    order = sorted(range(len(weights)), key=lambda position: -lost[position])
    return _one_each(parts, total - sum(parts), order)


def _first_parts(total: int, weights: Sequence[int]) -> list[int]:
    parts = _floors(total, weights)
    return _one_each(parts, total - sum(parts), _with_a_weight(weights))


def _largest_weight(total: int, weights: Sequence[int]) -> list[int]:
    parts = _floors(total, weights)
    order = sorted(_with_a_weight(weights), key=lambda position: -weights[position])
    return _one_each(parts, total - sum(parts), order)


def _last_to_first(total: int, weights: Sequence[int]) -> list[int]:
    parts = _floors(total, weights)
    return _one_each(parts, total - sum(parts), reversed(_with_a_weight(weights)))


def _cascade_from_last(total: int, weights: Sequence[int]) -> list[int]:
    parts = [0] * len(weights)
    left, whole = total, sum(weights)
    for position in reversed(_with_a_weight(weights)):
        parts[position] = left * weights[position] // whole
        left -= parts[position]
        whole -= weights[position]
    return parts


def _last_absorbs(total: int, weights: Sequence[int]) -> list[int]:
    whole = sum(weights)
    parts = [Rounding.HALF_EVEN.whole(Fraction(total * weight, whole)) for weight in weights]
    last = _with_a_weight(weights)[-1]
    parts[last] += total - sum(parts)
    return parts


def _half_down_then_first(total: int, weights: Sequence[int]) -> list[int]:
    whole = sum(weights)
    parts = [Rounding.HALF_DOWN.whole(Fraction(total * weight, whole)) for weight in weights]
    odd = total - sum(parts)
    # A part that was rounded to nothing has nothing to give back.
    order = [position for position in _with_a_weight(weights) if odd > 0 or parts[position]]
    return _one_each(parts, odd, order)


_RULES: Final[Mapping[Division, Callable[[int, Sequence[int]], list[int]]]] = MappingProxyType(
    {
        Division.LARGEST_REMAINDER: _largest_remainder,
        Division.LARGEST_REMAINDER_FLOORED: _largest_remainder,
        Division.FIRST_PARTS: _first_parts,
        Division.FIRST_PARTS_FLOORED: _first_parts,
        Division.LARGEST_WEIGHT: _largest_weight,
        Division.LAST_TO_FIRST: _last_to_first,
        Division.CASCADE_FROM_LAST: _cascade_from_last,
        Division.LAST_ABSORBS: _last_absorbs,
        Division.HALF_DOWN_THEN_FIRST: _half_down_then_first,
    }
)
