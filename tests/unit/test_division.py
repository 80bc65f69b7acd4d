"""Exact division: by name, to the last unit, and refunded the way it was charged (V5)."""

from __future__ import annotations

import pickle
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from storecredit.errors.values import (
    AllWeightsZero,
    ArgumentRefused,
    NoWeights,
    PartsRefused,
    RefundExceedsRest,
    StepMismatch,
    UnitMismatch,
    WeightRefused,
    WeightsExceedOne,
)
from storecredit.values import (
    MAX_MINOR,
    MIN_MINOR,
    CustomUnit,
    Division,
    KeptApart,
    Money,
    Shares,
    allocate,
    allocate_apart,
    allocate_capped,
    fractions_of_one,
    refund_shares,
    split,
)


def usd(*minors: int) -> tuple[Money, ...]:
    return tuple(Money.of_minor(minor, "USD") for minor in minors)


DOLLAR = Money.of("1.00", "USD")
FIVE_CENTS = Money.of("0.05", "USD")


@pytest.mark.parametrize(
    ("by", "parts"),
    [
        # 100 by 3, 5, 3, 3, 0: exactly 21.43, 35.71, 21.43, 21.43, 0; two units are odd
        (Division.LARGEST_REMAINDER, (22, 36, 21, 21, 0)),
        (Division.LARGEST_REMAINDER_FLOORED, (22, 36, 21, 21, 0)),
        (Division.FIRST_PARTS, (22, 36, 21, 21, 0)),
        (Division.FIRST_PARTS_FLOORED, (22, 36, 21, 21, 0)),
        (Division.LARGEST_WEIGHT, (22, 36, 21, 21, 0)),
        (Division.LAST_TO_FIRST, (21, 35, 22, 22, 0)),  # the last part with a weight
        (Division.CASCADE_FROM_LAST, (22, 36, 21, 21, 0)),
        (Division.LAST_ABSORBS, (21, 36, 21, 22, 0)),
        (Division.HALF_DOWN_THEN_FIRST, (22, 36, 21, 21, 0)),
    ],
)
def test_each_rule_places_every_unit(by: Division, parts: tuple[int, ...]) -> None:
    assert allocate(DOLLAR, [3, 5, 3, 3, 0], by=by) == usd(*parts)
    assert sum(parts) == 100


@pytest.mark.parametrize(
    ("by", "parts"),
    [
        # 5 by 1, 1, 8: exactly 0.5, 0.5, 4
        (Division.LARGEST_REMAINDER, (1, 0, 4)),
        (Division.FIRST_PARTS, (1, 0, 4)),
        (Division.LARGEST_WEIGHT, (0, 0, 5)),
        (Division.LAST_TO_FIRST, (0, 0, 5)),
        (Division.CASCADE_FROM_LAST, (1, 0, 4)),
        (Division.LAST_ABSORBS, (0, 0, 5)),
        (Division.HALF_DOWN_THEN_FIRST, (1, 0, 4)),
    ],
)
def test_rules_differ_in_who_gets_the_odd_unit(by: Division, parts: tuple[int, ...]) -> None:
    assert FIVE_CENTS.allocate([1, 1, 8], by=by) == usd(*parts)


def test_the_largest_remainder_is_the_default_and_a_tie_goes_to_the_earlier_part() -> None:
    assert allocate(DOLLAR, [1, 1, 1]) == usd(34, 33, 33)
    assert DOLLAR.allocate([1, 1, 1]) == usd(34, 33, 33)
    assert allocate(DOLLAR, [2, 3, 1]) == usd(33, 50, 17)  # the last one loses most


def test_a_refund_mirrors_the_charge_except_by_the_floored_rules() -> None:
    charge, refund = FIVE_CENTS.allocate([7, 3]), (-FIVE_CENTS).allocate([7, 3])
    assert charge == usd(4, 1)
    assert refund == usd(-4, -1)
    floored = Division.LARGEST_REMAINDER_FLOORED
    assert (-FIVE_CENTS).allocate([7, 3], by=floored) == usd(-3, -2)
    assert [rule.name for rule in Division if not rule.is_mirrored] == [
        "LARGEST_REMAINDER_FLOORED",
        "FIRST_PARTS_FLOORED",
    ]


def test_half_down_gives_back_what_it_rounded_up_too_much_from_the_first_parts() -> None:
    # 2 by 3, 3, 4: exactly 0.6, 0.6, 0.8, each rounded to 1; one is too many
    two = Money.of_minor(2, "USD")
    assert two.allocate([3, 3, 4], by=Division.HALF_DOWN_THEN_FIRST) == usd(0, 1, 1)
    assert (-two).allocate([3, 3, 4], by=Division.HALF_DOWN_THEN_FIRST) == usd(0, -1, -1)


def test_the_last_part_that_absorbs_may_change_its_sign() -> None:
    # 6 by ten equal parts: 0.6 rounds to 1 nine times, which is three too many
    parts = Money.of_minor(6, "USD").split(10, by=Division.LAST_ABSORBS)
    assert parts == usd(1, 1, 1, 1, 1, 1, 1, 1, 1, -3)


@pytest.mark.parametrize(
    "weights",
    [
        ["1", "2"],
        [1, 2],
        [Fraction(1, 3), Fraction(2, 3)],
        [Decimal("0.1"), "0.2"],
        ["1/3", "2/3"],
        [10**40, 2 * 10**40],
        (weight for weight in (1, 2)),
    ],
)
def test_weights_are_any_exact_proportion(weights: Any) -> None:
    assert allocate(DOLLAR, weights) == usd(33, 67)


@pytest.mark.parametrize(
    ("weights", "position", "why"),
    [
        ([0.5, 0.5], 0, "a float"),
        ([1, -1], 1, "less than no share"),
        ([1, "-1/3"], 1, "less than no share"),
        ([1, None], 1, "no exact number"),
        ([True, 1], 0, "no exact number"),
        (["1,5"], 0, "no exact number"),
        ([Decimal("NaN")], 0, "no exact number"),
        ([Decimal("1e1000000")], 0, "no exact number"),
        ("12", 0, "pass a list"),
    ],
)
def test_what_is_no_weight_is_refused_by_its_position(
    weights: Any, position: int, why: str
) -> None:
    with pytest.raises(WeightRefused, match=why) as caught:
        allocate(DOLLAR, weights)
    assert caught.value.position == position


def test_a_division_needs_a_part_that_may_take_something() -> None:
    with pytest.raises(NoWeights, match="over no parts"):
        allocate(DOLLAR, [])
    with pytest.raises(AllWeightsZero, match=r"split\(amount, 2\)") as caught:
        allocate(DOLLAR, [0, "0.0"])
    assert (caught.value.amount, caught.value.parts) == (DOLLAR, 2)


@pytest.mark.parametrize("parts", [0, -1, "3", True, None])
def test_an_amount_is_split_into_one_part_or_more(parts: Any) -> None:
    assert split(DOLLAR, 1) == usd(100)
    assert DOLLAR.split(3) == split(DOLLAR.to_moneyed(), 3) == usd(34, 33, 33)
    with pytest.raises(PartsRefused, match="from 1 up"):
        split(DOLLAR, parts)


@pytest.mark.parametrize("rule", ["largest_remainder", None, KeptApart.ODD_UNITS])
def test_a_rule_is_named_by_the_enumeration(rule: Any) -> None:
    with pytest.raises(ArgumentRefused, match=r"Division\.LARGEST_REMAINDER"):
        allocate(DOLLAR, [1], by=rule)
    with pytest.raises(ArgumentRefused, match=r"KeptApart\.ODD_UNITS"):
        allocate_apart(DOLLAR, [1], by=Division.FIRST_PARTS)  # type: ignore[arg-type]  # what is tested


def test_parts_may_be_made_of_steps_of_cash() -> None:
    francs = Money.of("100.00", "CHF")
    thirds = francs.split(3, step=5)
    assert [part.minor for part in thirds] == [3335, 3335, 3330]
    with pytest.raises(StepMismatch, match="2 too many") as caught:
        Money.of("0.12", "CHF").allocate([1, 1], step=5)
    assert caught.value.step == 5
    with pytest.raises(ArgumentRefused, match="from 1 up"):
        francs.split(3, step=0)


def test_the_ends_of_the_range_can_be_divided() -> None:
    for minor in (MIN_MINOR, MAX_MINOR):
        whole = Money.of_minor(minor, "USD")
        for rule in Division:
            assert Money.total(whole.allocate([1, 10**30, 2], by=rule), "USD") == whole
        kept = allocate_apart(whole, [1, 2], by=KeptApart.ODD_BLOCKS)
        assert Money.total([*kept.parts, kept.apart], "USD") == whole


def test_odd_units_and_odd_blocks_can_be_kept_apart() -> None:
    # 100 by 2, 3, 1: exactly 33.33, 50, 16.67; and sixteen blocks of 6
    assert allocate_apart(DOLLAR, [2, 3, 1], by=KeptApart.ODD_UNITS) == Shares(
        usd(33, 50, 16), Money.of("0.01", "USD")
    )
    assert allocate_apart(DOLLAR, [20, 30, 10], by=KeptApart.ODD_BLOCKS) == Shares(
        usd(32, 48, 16), Money.of("0.04", "USD")
    )


def test_what_is_no_whole_step_is_kept_apart_too() -> None:
    kept = allocate_apart(Money.of("-0.13", "USD"), [1, 1], by=KeptApart.ODD_UNITS, step=5)
    assert kept == Shares(usd(-5, -5), Money.of("-0.03", "USD"))


def test_fractions_of_one_may_not_exceed_it() -> None:
    assert fractions_of_one(["0.5", "1/3"]) == (Fraction(1, 2), Fraction(1, 3))
    assert allocate(DOLLAR, fractions_of_one([Decimal("0.25"), "0.75"])) == usd(25, 75)
    with pytest.raises(WeightsExceedOne, match=r"11/10") as caught:
        fractions_of_one(["0.5", "0.6"])
    assert caught.value.total == Fraction(11, 10)


# --- Parts with a maximum --------------------------------------------------------------------


def test_no_part_exceeds_its_maximum_and_the_rest_is_said() -> None:
    assert allocate_capped(DOLLAR, usd(50, 30)) == Shares(usd(50, 30), Money.of("0.20", "USD"))
    assert allocate_capped(DOLLAR, usd(200, 100)) == Shares(usd(67, 33), Money.zero("USD"))
    assert allocate_capped(DOLLAR, usd(0, 0)) == Shares(usd(0, 0), DOLLAR)
    assert allocate_capped(Money.zero("USD"), usd(5, 5)) == Shares(usd(0, 0), Money.zero("USD"))


def test_what_a_full_part_cannot_take_goes_to_the_others() -> None:
    # a discount of 12.00 over lines of 10, 20, 50 and 30 with lowest prices
    capped = allocate_capped(
        Money.of("12.00", "USD"), usd(1000, 100, 0, 400), weights=[10, 20, 50, 30]
    )
    assert capped == Shares(usd(700, 100, 0, 400), Money.zero("USD"))
    # the weight of zero takes nothing, although there is room
    assert allocate_capped(DOLLAR, usd(30, 90), weights=[1, 0]) == Shares(
        usd(30, 0), Money.of("0.70", "USD")
    )


def test_a_capped_division_refuses_what_cannot_be() -> None:
    with pytest.raises(ArgumentRefused, match="not negative"):
        allocate_capped(-DOLLAR, usd(5))
    with pytest.raises(ArgumentRefused, match="not negative"):
        allocate_capped(DOLLAR, usd(-5))
    with pytest.raises(UnitMismatch):
        allocate_capped(DOLLAR, [Money.of(5, "EUR")])
    with pytest.raises(NoWeights):
        allocate_capped(DOLLAR, [])
    with pytest.raises(ArgumentRefused, match="as many as the 2 maxima"):
        allocate_capped(DOLLAR, usd(5, 5), weights=[1])
    with pytest.raises(AllWeightsZero):
        allocate_capped(DOLLAR, usd(5, 5), weights=[0, 0])


# --- Refunds of a division ---------------------------------------------------------------------


def test_partial_refunds_end_exactly_where_the_charge_began() -> None:
    remaining = allocate(DOLLAR, [1, 1, 1])
    for refund, shares in [
        # cents, of 34, 33, 33 left
        (1, (1, 0, 0)),
        (1, (1, 0, 0)),  # of 33, 33, 33: the tie goes to the first
        (1, (0, 1, 0)),  # of 32, 33, 33: the first lost least
        (50, (17, 16, 17)),  # of 32, 32, 33: exactly 16.49, 16.49, 17.01
        (47, (15, 16, 16)),
    ]:
        taken = refund_shares(Money.of_minor(refund, "USD"), remaining)
        assert taken == usd(*shares)
        remaining = tuple(rest - share for rest, share in zip(remaining, taken, strict=True))
    assert remaining == usd(0, 0, 0)


def test_a_refund_of_more_than_is_left_is_refused() -> None:
    with pytest.raises(RefundExceedsRest, match=r"USD 0\.60 is left to refund") as caught:
        refund_shares(DOLLAR, usd(40, 20))
    assert caught.value.amount == DOLLAR
    assert caught.value.rest == Money.of("0.60", "USD")
    with pytest.raises(RefundExceedsRest):
        refund_shares(Money.of_minor(1, "USD"), usd(0, 0))


def test_a_refund_of_nothing_takes_nothing() -> None:
    assert refund_shares(Money.zero("USD"), usd(0, 5)) == usd(0, 0)
    assert refund_shares(Money.zero("USD"), usd(0, 0)) == usd(0, 0)


def test_a_refund_refuses_negative_amounts_other_units_and_no_parts() -> None:
    with pytest.raises(ArgumentRefused, match="amount must be not negative"):
        refund_shares(-DOLLAR, usd(100))
    with pytest.raises(ArgumentRefused, match="remaining must be not negative"):
        refund_shares(DOLLAR, usd(200, -5))
    with pytest.raises(UnitMismatch):
        refund_shares(DOLLAR, [Money.of(5, "EUR")])
    with pytest.raises(NoWeights):
        refund_shares(DOLLAR, [])


def test_points_are_divided_like_money_and_shares_survive_pickling() -> None:
    points = Money.of(10, CustomUnit("PTS"))
    shares = allocate_apart(points, [1, 2], by=KeptApart.ODD_UNITS)
    assert [part.minor for part in shares.parts] == [3, 6]
    assert pickle.loads(pickle.dumps(shares)) == shares
