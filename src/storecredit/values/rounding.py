"""
Rounding, always by name (rule V2).

There is no default anywhere: a result that is not a whole number of minor units is rounded
by the mode that the caller wrote down, or refused.
"""

from __future__ import annotations

import enum
from fractions import Fraction
from typing import final

from storecredit.errors.values import ArgumentRefused, RoundingNecessary


@final
class Rounding(enum.Enum):
    """
    Which of the two neighbouring whole numbers an exact value becomes.

    | mode          | 2.5 | -2.5 | 2.4 | 2.6 | meaning                                   |
    |---------------|-----|------|-----|-----|-------------------------------------------|
    | `DOWN`        |  2  |  -2  |  2  |  2  | toward zero                               |
    | `UP`          |  3  |  -3  |  3  |  3  | away from zero                            |
    | `FLOOR`       |  2  |  -3  |  2  |  2  | toward minus infinity                     |
    | `CEILING`     |  3  |  -2  |  3  |  3  | toward plus infinity                      |
    | `HALF_UP`     |  3  |  -3  |  2  |  3  | nearest, a tie away from zero             |
    | `HALF_DOWN`   |  2  |  -2  |  2  |  3  | nearest, a tie toward zero                |
    | `HALF_EVEN`   |  2  |  -2  |  2  |  3  | nearest, a tie to the even neighbour      |
    | `UNNECESSARY` |  -  |   -  |  -  |  -  | refused unless the value is whole already |
    """

    DOWN = "down"
    UP = "up"
    FLOOR = "floor"
    CEILING = "ceiling"
    HALF_UP = "half_up"
    HALF_DOWN = "half_down"
    HALF_EVEN = "half_even"
    UNNECESSARY = "unnecessary"

    def whole(self, exact: Fraction) -> int:
        """
        Round *exact* to a whole number.

        Computed in integers: no decimal context, however it is set, plays a part.

        Raises:
            RoundingNecessary: The mode is `UNNECESSARY` and *exact* is not whole.
        """
        floor, rest = divmod(exact.numerator, exact.denominator)
        if rest == 0:
            return floor
        if self is Rounding.UNNECESSARY:
            raise RoundingNecessary(exact)
        return floor + _goes_up(self, floor, 2 * rest, exact.denominator)


def _goes_up(mode: Rounding, floor: int, twice_rest: int, denominator: int) -> bool:
    """Whether the upper neighbour (floor + 1) is the one; the value is not whole."""
    below_zero = floor < 0
    if mode is Rounding.FLOOR:
        return False
    if mode is Rounding.CEILING:
        return True
    if mode is Rounding.DOWN:
        return below_zero
    if mode is Rounding.UP:
        return not below_zero
    if twice_rest != denominator:
        return twice_rest > denominator
    if mode is Rounding.HALF_EVEN:
        return floor % 2 == 1
    away_from_zero = mode is Rounding.HALF_UP
    return away_from_zero is not below_zero


def named_rounding(rounding: object) -> Rounding:
    """
    The rounding mode that a caller named.

    Raises:
        ArgumentRefused: It is not a `Rounding`, for example a constant of `decimal`.
    """
    if not isinstance(rounding, Rounding):
        raise ArgumentRefused("rounding", rounding, "a Rounding, such as Rounding.HALF_UP")
    return rounding
