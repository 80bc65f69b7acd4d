"""Weights: in which proportion an amount is divided, read exactly (rule V5)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

from storecredit.errors.values import (
    AllWeightsZero,
    ArgumentRefused,
    FloatRefused,
    NoWeights,
    PartsRefused,
    WeightRefused,
    WeightsExceedOne,
)
from storecredit.values.amounts import ExactNumber, exact_number

if TYPE_CHECKING:
    from storecredit.values.money import Money


def whole_weights(weights: Iterable[ExactNumber], *, amount: Money) -> tuple[int, ...]:
    """
    The smallest whole numbers in the proportion of *weights*, to divide *amount* by.

    Raises:
        WeightRefused: A weight is no exact number, or negative.
        NoWeights: There are none.
        AllWeightsZero: None is above zero.
    """
    exact = _exact_weights(weights)
    if not exact:
        raise NoWeights(amount)
    if not any(exact):
        raise AllWeightsZero(amount, len(exact))
    multiple = math.lcm(*(weight.denominator for weight in exact))
    whole = [weight.numerator * (multiple // weight.denominator) for weight in exact]
    divisor = math.gcd(*whole)
    return tuple(weight // divisor for weight in whole)


def equal_weights(parts: int) -> tuple[int, ...]:
    """
    The weights of so many equal parts.

    Raises:
        PartsRefused: *parts* is no whole number from 1 up.
    """
    if type(parts) is not int or parts < 1:
        raise PartsRefused(parts)
    return (1,) * parts


def fractions_of_one(weights: Iterable[ExactNumber]) -> tuple[Fraction, ...]:
    """
    Read weights that are meant as parts of one ("0.25", "1/3"), which may not exceed it.

    `allocate` takes weights as proportions, so that 0.5 and 0.6 divide an amount 5 to 6. Where
    a sum above one can only be a mistake, pass the weights through here first.

    Raises:
        WeightRefused: A weight is no exact number, or negative.
        WeightsExceedOne: They add up to more than one.
    """
    exact = _exact_weights(weights)
    total = Fraction(sum(exact))
    if total > 1:
        raise WeightsExceedOne(total)
    return tuple(Fraction(weight) for weight in exact)


def _exact_weights(weights: Iterable[ExactNumber]) -> list[int | Fraction]:
    if isinstance(weights, str):
        raise WeightRefused(0, weights, "a text is one weight, not several; pass a list")
    return [_exact_weight(position, weight) for position, weight in enumerate(weights)]


def _exact_weight(position: int, weight: ExactNumber) -> int | Fraction:
    if type(weight) is int and weight >= 0:
        return weight
    try:
        exact = exact_number(weight, what="A weight", instead='"0.5"')
    except FloatRefused:
        raise WeightRefused(position, weight, "a float does not hold what you wrote") from None
    except ArgumentRefused:
        raise WeightRefused(position, weight, "it is no exact number") from None
    if exact < 0:
        raise WeightRefused(position, weight, "a part cannot have less than no share")
    return exact
