"""
Division of an amount into parts that sum to it, and what keeps to that sum later (rule V5).

The rules and their names are in `Division` and `KeptApart`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

import attrs

from storecredit.errors.values import ArgumentRefused, NoWeights, RefundExceedsRest
from storecredit.values.amounts import ExactNumber, step_of
from storecredit.values.apportion import Division, KeptApart, apportion, apportion_apart
from storecredit.values.money import AnyMoney, Money, require_same_unit
from storecredit.values.weights import whole_weights


@final
@attrs.frozen
class Shares:
    """The parts of a division, and what no part took; together they are the whole."""

    parts: tuple[Money, ...]
    """One part for each weight, in its order."""

    apart: Money
    """What no part took, in the sign of the whole."""


def allocate(
    amount: AnyMoney,
    weights: Iterable[ExactNumber],
    *,
    by: Division = Division.LARGEST_REMAINDER,
    step: int = 1,
) -> tuple[Money, ...]:
    """
    Divide *amount* in proportion to *weights*, so that the parts sum to it.

    A weight of zero gets zero. Except by the two `FLOORED` rules, the parts of -m are the
    parts of m with the sign turned.

    Args:
        amount: The whole, of any sign.

        weights: Proportions from 0 up: `int`, `Decimal`, `Fraction`, "0.5" or "1/3".

        by: Which parts get the odd units.

        step: Every part is a multiple of so many minor units: 5 for Swiss cash.

    Raises:
        ArgumentRefused: *amount* is no money, *by* no `Division`, or *step* no whole number
            from 1 up.
        WeightRefused: A weight is no exact number, or negative.
        NoWeights: There are no weights.
        AllWeightsZero: No weight is above zero.
        StepMismatch: *amount* is no multiple of *step*.
    """
    return Money.coerce(amount).allocate(weights, by=by, step=step)


def split(
    amount: AnyMoney,
    parts: int,
    *,
    by: Division = Division.LARGEST_REMAINDER,
    step: int = 1,
) -> tuple[Money, ...]:
    """
    Divide *amount* into so many equal *parts*, which sum to it.

    Raises:
        PartsRefused: *parts* is no whole number from 1 up.
        As `allocate`.
    """
    return Money.coerce(amount).split(parts, by=by, step=step)


def allocate_apart(
    amount: AnyMoney,
    weights: Iterable[ExactNumber],
    *,
    by: KeptApart,
    step: int = 1,
) -> Shares:
    """
    Divide *amount* in proportion to *weights* and keep apart what does not come out even.

    The parts of -m, and what is kept apart, are those of m with the sign turned.

    Args:
        amount: The whole, of any sign.

        weights: Proportions from 0 up.

        by: What is kept apart.

        step: Every part is a multiple of so many minor units.

    Raises:
        ArgumentRefused: *amount* is no money, *by* no `KeptApart`, or *step* no whole number
            from 1 up.
        WeightRefused: A weight is no exact number, or negative.
        NoWeights: There are no weights.
        AllWeightsZero: No weight is above zero.
    """
    money = Money.coerce(amount)
    _require_kept_apart(by)
    size = step_of(step)
    proportions = whole_weights(weights, amount=money)
    steps = abs(money.minor) // size * (-1 if money.minor < 0 else 1)
    shares = [part * size for part in apportion_apart(steps, proportions, by)]
    return Shares(_parts(shares, money), Money.of_minor(money.minor - sum(shares), money.unit))


def allocate_capped(
    amount: AnyMoney,
    maxima: Sequence[AnyMoney],
    *,
    weights: Iterable[ExactNumber] | None = None,
) -> Shares:
    """
    Divide *amount* so that no part exceeds its maximum; what no part can take is kept apart.

    What a full part cannot take goes to the others, in proportion to their weights. A weight
    of zero gets zero even where something is left.

    Args:
        amount: The whole, not negative.

        maxima: The most each part may take, none negative.

        weights: Proportions; without them, the maxima.

    Raises:
        ArgumentRefused: *amount* or a maximum is no money, or negative, or there are not as
            many weights as maxima.
        UnitMismatch: A maximum is in another unit.
        NoWeights: There are no maxima.
        WeightRefused: A weight is no exact number, or negative.
        AllWeightsZero: Weights were given, and none is above zero.
    """
    money = _not_negative("amount", Money.coerce(amount))
    caps = _minors_within(money, "maxima", maxima)
    proportions = caps if weights is None else list(whole_weights(weights, amount=money))
    if len(proportions) != len(caps):
        raise ArgumentRefused("weights", len(proportions), f"as many as the {len(caps)} maxima")
    shares, left = _filled(money.minor, caps, proportions)
    return Shares(_parts(shares, money), Money.of_minor(left, money.unit))


def refund_shares(amount: AnyMoney, remaining: Sequence[AnyMoney]) -> tuple[Money, ...]:
    """
    Divide a partial refund over what each part still has, by largest remainder.

    No share is negative or above what its part has left, so that over any number of refunds
    each part ends at exactly zero.

    Args:
        amount: What is refunded now, not negative.

        remaining: What each part still has, none negative: what it took in the division
            less its shares of the refunds so far.

    Raises:
        ArgumentRefused: *amount* or a remaining part is no money, or negative.
        UnitMismatch: A remaining part is in another unit.
        NoWeights: There are no parts.
        RefundExceedsRest: *amount* is more than all parts have left.
    """
    money = _not_negative("amount", Money.coerce(amount))
    rest = _minors_within(money, "remaining", remaining)
    if money.minor > sum(rest):
        raise RefundExceedsRest(money, Money.of_minor(sum(rest), money.unit))
    if money.is_zero:
        return _parts([0] * len(rest), money)
    return _parts(apportion(money.minor, rest, Division.LARGEST_REMAINDER), money)


def _filled(total: int, caps: Sequence[int], weights: Sequence[int]) -> tuple[list[int], int]:
    """Fill parts in proportion, each up to its cap, until nothing or no room is left."""
    shares, left = [0] * len(caps), total
    open_parts = [part for part, weight in enumerate(weights) if weight and caps[part]]
    while open_parts:
        whole = sum(weights[part] for part in open_parts)
        full = [part for part in open_parts if left * weights[part] >= caps[part] * whole]
        if not full:
            # Every exact share is below its cap, so one unit more is not above it.
            fair = apportion(
                left, [weights[part] for part in open_parts], Division.LARGEST_REMAINDER
            )
            for part, share in zip(open_parts, fair, strict=True):
                shares[part] = share
            return shares, 0
        for part in full:
            shares[part] = caps[part]
            left -= caps[part]
        open_parts = [part for part in open_parts if part not in full]
    return shares, left


def _parts(minors: Iterable[int], whole: Money) -> tuple[Money, ...]:
    return tuple([Money.of_minor(minor, whole.unit) for minor in minors])


def _minors_within(whole: Money, argument: str, amounts: Sequence[AnyMoney]) -> list[int]:
    parts = [_not_negative(argument, Money.coerce(amount)) for amount in amounts]
    if not parts:
        raise NoWeights(whole)
    for part in parts:
        require_same_unit("divide", whole.unit, part.unit)
    return [part.minor for part in parts]


def _not_negative(argument: str, amount: Money) -> Money:
    if amount.is_negative:
        raise ArgumentRefused(argument, amount, "not negative")
    return amount


def _require_kept_apart(by: object) -> None:
    if not isinstance(by, KeptApart):
        raise ArgumentRefused("by", by, "a KeptApart, such as KeptApart.ODD_UNITS")
