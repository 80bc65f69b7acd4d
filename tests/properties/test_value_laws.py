"""Laws of the values: what holds for every amount, division, conversion and period (V1 to V7)."""

from __future__ import annotations

import datetime as dt
import json
import math
import pickle
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import moneyed
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from storecredit.errors.values import (
    AmountTooFine,
    ConvertsToNothing,
    NaiveInstant,
    RefundExceedsRest,
    UnitMismatch,
)
from storecredit.testing import value_strategies as some
from storecredit.values import (
    MAX_MINOR,
    MIN_MINOR,
    Balance,
    CalendarSpan,
    CustomUnit,
    Division,
    ExactNumber,
    ExchangeRate,
    ExpiryDate,
    KeptApart,
    Money,
    Period,
    Rounding,
    Unit,
    allocate,
    allocate_apart,
    allocate_capped,
    convert,
    end_of_day,
    instant,
    liability,
    refund_shares,
)

LOCALES = st.sampled_from(
    ["en_US", "de_DE", "de_CH", "fr_FR", "sv_SE", "hi_IN", "ja_JP", "he_IL", "mr_IN", "fy_NL"]
)


def exact(weight: ExactNumber) -> Fraction:
    return Fraction(weight)


def customs_of(money: Money) -> list[CustomUnit]:
    return [money.unit] if isinstance(money.unit, CustomUnit) else []


# --- Money ---------------------------------------------------------------------------------------


@given(some.any_money())
def test_money_is_rebuilt_from_every_form_it_has(money: Money) -> None:
    customs = customs_of(money)
    assert Money.parse(str(money), customs=customs) == money
    assert Money.from_json(json.loads(json.dumps(money.to_json())), customs=customs) == money
    assert pickle.loads(pickle.dumps(money)) == money
    assert Money.from_moneyed(money.to_moneyed(), customs=customs) == money
    assert Money.of(money.decimal, money.unit) == money
    names: dict[str, Any] = {"Money": Money, "CustomUnit": CustomUnit}
    assert eval(repr(money), names) == money


@given(some.any_money(), LOCALES)
def test_what_a_locale_writes_it_reads(money: Money, locale: str) -> None:
    written = money.format(locale=locale)
    assert Money.parse_localized(written, unit=money.unit, locale=locale) == money


@given(st.data(), some.units())
def test_amounts_of_one_unit_add_up_like_whole_numbers(data: st.DataObject, unit: Unit) -> None:
    a, b, c = (data.draw(some.money(unit=unit)) for _ in range(3))
    assert (a + b).minor == a.minor + b.minor
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a - b == a + (-b) == -(b - a)
    assert (a < b) == (a.minor < b.minor) == (b > a)
    assert Money.total([a, b, c], unit) == a + b + c
    assert (a == b) == (hash(a) == hash(b) and a.minor == b.minor)


@given(some.any_money(), some.any_money())
def test_unlike_units_never_meet_and_never_are_equal(a: Money, b: Money) -> None:
    assume(a.unit != b.unit)
    assert a != b
    for operation in (lambda: a + b, lambda: a - b, lambda: a < b, lambda: a >= b):
        with pytest.raises(UnitMismatch):
            operation()


@given(st.decimals(-(10**6), 10**6, places=12), some.units())
def test_an_amount_is_exact_or_refused(amount: Any, unit: Unit) -> None:
    exact_minor = Fraction(amount) * 10**unit.digits
    if exact_minor.denominator == 1:
        assert Money.of(amount, unit).minor == exact_minor
    else:
        with pytest.raises(AmountTooFine):
            Money.of(amount, unit)


@given(st.fractions(-(10**6), 10**6, max_denominator=10**4), some.units(), some.roundings())
def test_rounding_gives_a_neighbour_and_the_nearest_where_it_says_so(
    amount: Fraction, unit: Unit, rounding: Rounding
) -> None:
    exact_minor = amount * 10**unit.digits
    rounded = Money.rounded(amount, unit, rounding=rounding).minor
    assert rounded in {math.floor(exact_minor), math.ceil(exact_minor)}
    if rounding.name.startswith("HALF"):
        assert abs(rounded - exact_minor) <= Fraction(1, 2)
    # The other direction is the mirror image, except for the two that name an end.
    ends = {Rounding.FLOOR: Rounding.CEILING, Rounding.CEILING: Rounding.FLOOR}
    mirrored = Money.rounded(-amount, unit, rounding=ends.get(rounding, rounding))
    assert mirrored.minor == -rounded


@given(some.money(), some.exact_numbers(), some.roundings())
def test_a_factor_and_its_divisor_agree(
    money: Money, factor: ExactNumber, rounding: Rounding
) -> None:
    assume(exact(factor) != 0)
    multiplied = money.multiplied_by(factor, rounding=rounding)
    assert multiplied == money.divided_by(1 / exact(factor), rounding=rounding)
    assert multiplied == money.percentage(exact(factor) * 100, rounding=rounding)
    assert multiplied.rounded_to_step(1, rounding=Rounding.UNNECESSARY) == multiplied


@given(some.any_money())
def test_py_moneyed_money_is_taken_wherever_ours_is(money: Money) -> None:
    assume(not customs_of(money))
    theirs = money.to_moneyed()
    assert isinstance(theirs, moneyed.Money)
    assert allocate(theirs, [1, 2]) == allocate(money, [1, 2])
    assert Balance.of(theirs) == Balance.of(money)


@given(some.custom_units(cost_basis=True), st.integers(-(10**6), 10**6), some.roundings())
def test_a_liability_is_within_one_cent_of_exact(
    unit: CustomUnit, minor: int, rounding: Rounding
) -> None:
    basis = unit.cost_basis
    assert basis is not None
    stated = liability(Money.of_minor(minor, unit), rounding=rounding)
    assert stated.unit == basis.money.unit
    assert abs(stated.minor - Fraction(minor * basis.money.minor, basis.units)) < 1


# --- Balances -------------------------------------------------------------------------------------


@given(some.balances(), some.balances())
def test_balances_add_up_unit_by_unit(a: Balance, b: Balance) -> None:
    total = a + b
    assert total == b + a
    assert total - b == a
    assert all(total[unit] == a[unit] + b[unit] for unit in {*a.units, *b.units})
    assert not any(money.is_zero for money in total)
    assert a.covers(a)
    assert total.covers(a) == b.covers(Balance.of())
    customs = [unit for unit in a.units if isinstance(unit, CustomUnit)]
    assume(len({unit.code for unit in a.units}) == len(a.units))
    assert Balance.from_json(a.to_json(), customs=customs) == a


# --- Division -------------------------------------------------------------------------------------


@given(some.any_money(), some.weight_lists(), some.divisions())
@example(Money.of_minor(MIN_MINOR, "USD"), [1, 2], Division.LARGEST_REMAINDER)
@example(Money.of_minor(MAX_MINOR, "USD"), [10**40, 1], Division.LAST_ABSORBS)
def test_the_parts_sum_to_the_whole_and_a_zero_weight_gets_zero(
    money: Money, weights: list[ExactNumber], by: Division
) -> None:
    parts = allocate(money, weights, by=by)
    assert sum(part.minor for part in parts) == money.minor
    assert all(
        part.is_zero for part, weight in zip(parts, weights, strict=True) if exact(weight) == 0
    )


@given(some.any_money(), some.weight_lists(), st.sampled_from([1, 5, 10]), some.kept_aparts())
def test_the_parts_and_what_is_kept_apart_sum_to_the_whole(
    money: Money, weights: list[ExactNumber], step: int, by: KeptApart
) -> None:
    kept = allocate_apart(money, weights, by=by, step=step)
    assert sum(part.minor for part in kept.parts) + kept.apart.minor == money.minor
    assert all(part.minor % step == 0 for part in kept.parts)
    assert all(part.minor * money.minor >= 0 for part in (*kept.parts, kept.apart))
    if money.minor != MIN_MINOR:
        mirrored = allocate_apart(-money, weights, by=by, step=step)
        assert mirrored.parts == tuple(-part for part in kept.parts)
        assert mirrored.apart == -kept.apart
    if by is KeptApart.ODD_UNITS and step == 1:
        assert abs(kept.apart.minor) < len(weights)


@given(some.money(), some.weight_lists(), some.divisions())
def test_a_refund_mirrors_the_charge(
    money: Money, weights: list[ExactNumber], by: Division
) -> None:
    assume(by.is_mirrored)
    mirrored = tuple(-part for part in allocate(money, weights, by=by))
    assert allocate(-money, weights, by=by) == mirrored


@given(some.any_money(), some.weight_lists(), st.fractions(Fraction(1, 99), 99), some.divisions())
def test_only_the_proportion_of_weights_counts(
    money: Money, weights: list[ExactNumber], scale: Fraction, by: Division
) -> None:
    scaled = [exact(weight) * scale for weight in weights]
    assert allocate(money, scaled, by=by) == allocate(money, weights, by=by)


@given(some.any_money(), some.weight_lists())
def test_the_largest_remainder_is_within_one_unit_of_exact(
    money: Money, weights: list[ExactNumber]
) -> None:
    whole = sum(map(exact, weights))
    for part, weight in zip(allocate(money, weights), weights, strict=True):
        assert abs(part.minor - money.minor * exact(weight) / whole) < 1


@given(st.data(), some.money(minimum=0), some.weight_lists())
def test_the_largest_remainder_does_not_depend_on_the_order_but_for_ties(
    data: st.DataObject, money: Money, weights: list[ExactNumber]
) -> None:
    order = data.draw(st.permutations(range(len(weights))))
    permuted = allocate(money, [weights[position] for position in order])
    parts = allocate(money, weights)
    whole = sum(map(exact, weights))
    shares = [money.minor * exact(weight) / whole for weight in weights]
    lost = [share - math.floor(share) for share in shares]
    for place, position in enumerate(order):
        if lost.count(lost[position]) == 1:
            assert permuted[place] == parts[position]
    # Ties only decide which of the equally deserving has the unit.
    by_loss = sorted(zip(lost, (p.minor - math.floor(s) for p, s in zip(parts, shares, strict=True)), strict=True))  # fmt: skip
    again = sorted(
        (lost[position], permuted[place].minor - math.floor(shares[position]))
        for place, position in enumerate(order)
    )
    assert by_loss == again


@given(some.any_money(), st.integers(1, 50), some.divisions())
def test_a_split_is_a_division_by_equal_weights(money: Money, parts: int, by: Division) -> None:
    equal = money.split(parts, by=by)
    assert equal == allocate(money, [Fraction(1, 7)] * parts, by=by)
    if by is Division.LARGEST_REMAINDER:
        assert max(equal).minor - min(equal).minor <= 1


@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 20)), min_size=1, max_size=8),
)
def test_a_capped_division_fills_every_part_it_can_and_no_more(
    minor: int, parts: list[tuple[int, int]]
) -> None:
    money = Money.of_minor(minor, "USD")
    maxima = [Money.of_minor(most, "USD") for most, _ in parts]
    weights = [weight for _, weight in parts]
    assume(any(weights))
    shares = allocate_capped(money, maxima, weights=weights)
    assert Money.total([*shares.parts, shares.apart], "USD") == money
    assert not shares.apart.is_negative
    for part, most, weight in zip(shares.parts, maxima, weights, strict=True):
        assert Money.zero("USD") <= part <= most
        if shares.apart.is_positive and weight:
            assert part == most
        if not weight:
            assert part.is_zero
    unlimited = allocate_capped(money, [money] * len(weights), weights=weights)
    assert unlimited.parts == allocate(money, weights)


@given(some.money(unit="USD", minimum=0), some.weight_lists(), some.divisions(), st.data())
def test_partial_refunds_stay_within_the_rest_and_end_exactly(
    charge: Money, weights: list[ExactNumber], by: Division, data: st.DataObject
) -> None:
    charged = allocate(charge, weights, by=by)
    assume(not any(part.is_negative for part in charged))
    remaining, refunded = charged, Money.zero("USD")
    while refunded < charge:
        rest = charge - refunded
        refund = Money.of_minor(data.draw(st.integers(rest.minor // 3 + 1, rest.minor)), "USD")
        shares = refund_shares(refund, remaining)
        assert Money.total(shares, "USD") == refund
        assert all(
            Money.zero("USD") <= share <= left
            for share, left in zip(shares, remaining, strict=True)
        )
        remaining = tuple(left - share for left, share in zip(remaining, shares, strict=True))
        refunded += refund
    assert all(left.is_zero for left in remaining)
    with pytest.raises(RefundExceedsRest):
        refund_shares(Money.of_minor(1, "USD"), remaining)


# --- Conversion ------------------------------------------------------------------------------------


@given(some.exchange_rates(), st.integers(-(10**6), 10**6), some.roundings())
def test_a_conversion_and_its_remainder_are_exact(
    rate: ExchangeRate, minor: int, rounding: Rounding
) -> None:
    source = Money.of_minor(minor, rate.source)
    worth = source.minor * rate.rate * 10**rate.target.digits / 10**rate.source.digits
    assume(abs(worth) < MAX_MINOR)
    try:
        made = convert(source, rate, rounding=rounding)
    except ConvertsToNothing:
        assert abs(worth) < 1
    else:
        assert made.result.minor + made.remainder == worth
        assert abs(made.remainder) < 1
        assert not made.result.is_zero
        assert made.result.unit == rate.target


# --- Time --------------------------------------------------------------------------------------------


@given(some.any_instants())
def test_an_instant_is_the_same_moment_in_utc(at: dt.datetime) -> None:
    kept = instant(at)
    assert kept.tzinfo is dt.UTC
    assert instant(kept) is kept
    assert kept == at.astimezone(dt.UTC)
    with pytest.raises(NaiveInstant):
        instant(at.replace(tzinfo=None))


@given(some.dates(), some.zones())
def test_a_day_ends_where_the_next_local_date_begins(day: dt.date, zone: str) -> None:
    end, tz = end_of_day(day, zone), ZoneInfo(zone)
    assert end.astimezone(tz).date() > day
    assert (end - dt.timedelta(microseconds=1)).astimezone(tz).date() <= day
    assert end <= end_of_day(day + dt.timedelta(days=1), zone)
    # It does not come back to the day at any later hour.
    assert all((end + dt.timedelta(hours=n)).astimezone(tz).date() > day for n in range(48))


@given(some.expiry_dates())
def test_a_last_day_is_rebuilt_from_its_json(last: ExpiryDate) -> None:
    assert ExpiryDate.from_json(last.to_json()) == last
    assert last.expires_at == end_of_day(last.day, last.zone)


@given(some.periods(), some.instants() | some.any_instants())
def test_a_period_ends_after_it_begins_and_is_rebuilt_from_its_forms(
    period: Period, begin: dt.datetime
) -> None:
    assert period.after(begin) > begin
    assert Period.from_json(period.to_json()) == period
    assert eval(repr(period), {"Period": Period}) == period


@given(some.periods(rounded=False), st.sampled_from(CalendarSpan), some.any_instants())
def test_rounding_up_never_shortens_and_ends_at_a_local_midnight_of_a_first(
    period: Period, span: CalendarSpan, begin: dt.datetime
) -> None:
    plain = period.after(begin)
    rounded = Period.of(period.iso, round_up_to=span, zone=period.zone).after(begin)
    assert rounded >= plain
    local = rounded.astimezone(ZoneInfo(period.zone))
    # Where midnight is skipped on the first, that day begins a little later.
    first = end_of_day(local.date() - dt.timedelta(days=1), period.zone)
    assert (first, local.day) == (rounded, 1)
    lengths = {"MONTH": 1, "QUARTER": 3, "HALF_YEAR": 6, "YEAR": 12}
    assert (local.month - 1) % lengths[span.name] == 0


@given(some.naive_datetimes())
def test_a_naive_datetime_never_is_an_instant(at: dt.datetime) -> None:
    with pytest.raises(NaiveInstant):
        Period(days=1).after(at)
