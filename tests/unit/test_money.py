"""Money: exact, of one unit, and never rounded by accident (V1, V2, V3)."""

from __future__ import annotations

import copy
import decimal
import pickle
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs
import moneyed
import pytest

from storecredit.errors.values import (
    AmbiguousTruth,
    AmountOutOfRange,
    AmountTooFine,
    AmountUnreadable,
    ArgumentRefused,
    FloatRefused,
    OperandRefused,
    RoundingNecessary,
    UnitMismatch,
    UnknownCurrency,
)
from storecredit.values import MAX_MINOR, MIN_MINOR, CustomUnit, Money, Rounding, currency

if TYPE_CHECKING:
    from collections.abc import Callable

PTS = CustomUnit("PTS", 0)
GAS = CustomUnit("GAS", 9)
USD5 = Money.of("5.00", "USD")
EUR5 = Money.of("5.00", "EUR")


# --- How it is made --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "unit", "minor"),
    [
        ("50.00", "USD", 5000),
        ("50", "USD", 5000),
        ("50.0", "USD", 5000),
        ("50.000", "USD", 5000),  # zeros are no finer amount
        ("-0.01", "USD", -1),
        ("-0", "USD", 0),
        ("-0.00", "USD", 0),
        ("007.5", "USD", 750),
        (50, "USD", 5000),
        (-3, "JPY", -3),
        (Decimal("19.99"), "USD", 1999),
        (Decimal("1E+3"), "USD", 100_000),
        (Decimal("-0.00"), "USD", 0),
        (Decimal("0E+1000000"), "USD", 0),
        (Fraction(1, 4), "USD", 25),
        ("0.000000001", GAS, 1),
        ("1.234", "KWD", 1234),
        (500, PTS, 500),
        ("92233720368547758.07", "USD", MAX_MINOR),
        ("-92233720368547758.08", "USD", MIN_MINOR),
    ],
)
def test_an_amount_is_read_exactly(amount: Any, unit: Any, minor: int) -> None:
    money = Money.of(amount, unit)
    assert money.minor == minor
    assert type(money.minor) is int


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (19.99, 'Money.of("19.99", "USD")'),
        (0.1, 'Money.of("0.1", "USD")'),
        (1e-7, 'Money.of("0.0000001", "USD")'),
        (5.0, 'Money.of("5.0", "USD")'),
        (1e300, 'Money.of("19.99", "USD")'),
        (float("nan"), 'Money.of("19.99", "USD")'),
        (float("inf"), 'Money.of("19.99", "USD")'),
    ],
)
def test_a_float_is_refused_and_the_fix_shown(number: Any, fix: str) -> None:
    with pytest.raises(FloatRefused) as caught:
        Money.of(number, "USD")
    assert fix in str(caught.value)
    assert caught.value.value is number


@pytest.mark.parametrize(
    "amount",
    [
        "",
        " 5",
        "5 ",
        "5.",
        ".5",
        "+5",
        "--5",
        "1_000",
        "1,000.00",
        "1e3",
        "0x10",
        "NaN",
        "Infinity",
        "٥",
        "５",
        "5\n",
        "½",
        "1/2",
        "9" * 65,
        True,
        None,
        5j,
        b"5",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        Decimal("1E-1000000"),
        Decimal("0." + "1" * 100),
    ],
)
def test_what_is_no_plain_decimal_is_refused(amount: Any) -> None:
    with pytest.raises(AmountUnreadable) as caught:
        Money.of(amount, "USD")
    assert caught.value.amount is amount
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("amount", "unit", "places"),
    [
        ("1.234", "USD", "2 decimal places"),
        (Decimal("0.5"), "JPY", "0 decimal places"),
        (Fraction(1, 3), "USD", "2 decimal places"),
        ("0.5", CustomUnit("PTS_1", 0), "0 decimal places"),
        ("0.55", CustomUnit("PTS_1", 1), "1 decimal place."),
    ],
)
def test_an_amount_finer_than_its_unit_is_refused_and_rounding_is_offered(
    amount: Any, unit: Any, places: str
) -> None:
    with pytest.raises(AmountTooFine) as caught:
        Money.of(amount, unit)
    assert places in str(caught.value)
    assert "Money.rounded(" in str(caught.value)
    assert caught.value.amount is amount


@pytest.mark.parametrize(
    "amount",
    [
        "92233720368547758.08",
        "-92233720368547758.09",
        10**40,
        pytest.param(10**5000, id="ten to the 5000th"),
        Decimal("1e1000000"),
        Decimal("-1e30"),
        "9" * 64,
        Fraction(10**40),
    ],
)
def test_an_amount_beyond_64_bits_is_refused(amount: Any) -> None:
    with pytest.raises(AmountOutOfRange) as caught:
        Money.of(amount, "USD")
    assert caught.value.unit == currency("USD")
    assert len(str(caught.value)) < 400


def test_minor_units_are_whole_numbers_within_64_bits() -> None:
    assert Money.of_minor(5000, "USD") == Money.of("50.00", "USD")
    assert Money(5000, currency("USD")) == Money.of("50.00", "USD")
    assert Money.of_minor(MIN_MINOR, "JPY").minor == MIN_MINOR
    for minor in ("5", 5.0, True, None, Decimal(5)):
        with pytest.raises(ArgumentRefused, match="whole number of minor units"):
            Money.of_minor(minor, "USD")  # type: ignore[arg-type]  # what is tested
    for minor in (MAX_MINOR + 1, MIN_MINOR - 1):
        with pytest.raises(AmountOutOfRange):
            Money.of_minor(minor, "USD")
    with pytest.raises(ArgumentRefused, match="a Currency or a CustomUnit"):
        Money(5, "USD")  # type: ignore[arg-type]  # what is tested


def test_the_rules_hold_where_a_host_has_switched_attrs_validators_off() -> None:
    with attrs.validators.disabled(), pytest.raises(ArgumentRefused):
        Money(1.5, currency("USD"))  # type: ignore[arg-type]  # what is tested


def test_zero_is_nothing_and_neither_positive_nor_negative() -> None:
    zero = Money.zero("USD")
    assert (zero.minor, zero.is_zero, zero.is_positive, zero.is_negative) == (0, True, False, False)
    assert (USD5.is_zero, USD5.is_positive, USD5.is_negative) == (False, True, False)
    assert ((-USD5).is_zero, (-USD5).is_positive, (-USD5).is_negative) == (False, False, True)


def test_an_unknown_currency_is_named() -> None:
    with pytest.raises(UnknownCurrency, match="EUR"):
        Money.of("5.00", "EURO")


# --- What it says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("money", "text", "shown", "number"),
    [
        (Money.of("50.00", "USD"), "USD 50.00", "Money.of('50.00', 'USD')", "50.00"),
        (Money.of("-5", "USD"), "USD -5.00", "Money.of('-5.00', 'USD')", "-5.00"),
        (Money.of("-0.05", "USD"), "USD -0.05", "Money.of('-0.05', 'USD')", "-0.05"),
        (Money.of(500, "JPY"), "JPY 500", "Money.of('500', 'JPY')", "500"),
        (Money.of(500, PTS), "PTS 500", "Money.of('500', CustomUnit('PTS', 0))", "500"),
        (Money.of(1, "ITL"), "ITL 1", "Money.of('1', 'ITL')", "1"),
    ],
)
def test_money_writes_itself_with_all_its_decimal_places(
    money: Money, text: str, shown: str, number: str
) -> None:
    assert str(money) == text
    assert repr(money) == shown
    assert str(money.decimal) == number
    assert eval(shown) == money  # what a repr is for


def test_money_is_immutable_hashable_and_small() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        USD5.minor = 6  # type: ignore[misc]  # what is tested
    assert not hasattr(USD5, "__dict__")
    assert len({USD5, Money.of("5", "USD"), EUR5}) == 2


def test_money_survives_pickling_and_copying_within_and_across_processes() -> None:
    for money in (USD5, Money.of(7, PTS)):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            again = pickle.loads(pickle.dumps(money, protocol))
            assert again == money
            assert hash(again) == hash(money)
        assert copy.copy(money) == copy.deepcopy(money) == money
    # Hashes of text differ from process to process: a kept hash must not travel.
    program = (
        "import pickle, sys; from storecredit.values import Money; hash(m := Money.of(5, 'USD'));"
        "sys.stdout.buffer.write(pickle.dumps(m))"
    )
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert pickle.loads(made) in {USD5}


def test_money_is_neither_true_nor_false() -> None:
    for money in (USD5, Money.zero("USD")):
        with pytest.raises(AmbiguousTruth, match="is_zero") as caught:
            bool(money)
        assert caught.value.value == money


def test_a_trusted_amount_is_the_same_amount() -> None:
    assert Money._trusted(500, currency("USD")) == USD5


# --- Within one unit ----------------------------------------------------------------------


def test_amounts_of_one_unit_add_subtract_and_negate() -> None:
    assert USD5 + Money.of("0.01", "USD") == Money.of("5.01", "USD")
    assert USD5 - Money.of("7.50", "USD") == Money.of("-2.50", "USD")
    assert Money.of("-5.00", "USD") == -USD5
    assert +USD5 is USD5
    assert abs(-USD5) == USD5
    assert abs(USD5) is USD5


def test_equal_units_that_are_not_one_object_meet() -> None:
    # As after a pickle: the same unit by code and digits, with another description.
    other = Money.of(7, CustomUnit("PTS", 0, name="Points"))
    assert Money.of(5, PTS) + other == Money.of(12, PTS)
    assert other - Money.of(5, PTS) == Money.of(2, PTS)
    assert Money.of(5, PTS) < other


def test_a_sum_beyond_64_bits_is_refused() -> None:
    operation: Callable[[], Money]
    most, least = Money.of_minor(MAX_MINOR, "USD"), Money.of_minor(MIN_MINOR, "USD")
    cent = Money.of_minor(1, "USD")
    for operation in (
        lambda: most + cent,
        lambda: least - cent,
        lambda: -least,
        lambda: abs(least),
        lambda: most * 2,
        lambda: Money.total([most, cent], "USD"),
    ):
        with pytest.raises(AmountOutOfRange):
            operation()
    assert most - cent + cent == most


def test_money_is_ordered_within_its_unit() -> None:
    four, six, five = Money.of(4, "USD"), Money.of(6, "USD"), Money.of(5, "USD")
    assert four < USD5 < six
    assert four <= USD5 <= five
    assert six > USD5 >= five
    assert not four > USD5
    assert max(four, six, USD5) == six


def test_money_equals_money_of_the_same_unit_and_nothing_else() -> None:
    assert Money.of("5", "USD") == USD5
    assert USD5 != EUR5
    assert Money.zero("USD") != Money.zero("EUR")
    for other in (5, 500, "USD 5.00", None, USD5.to_moneyed()):
        assert other != USD5


@pytest.mark.parametrize(
    ("operation", "word"),
    [
        (lambda: USD5 + EUR5, "add"),
        (lambda: USD5 - EUR5, "subtract"),
        (lambda: USD5 < EUR5, "compare"),
        (lambda: USD5 >= EUR5, "compare"),
        (lambda: USD5.ratio_to(EUR5), "compare"),
        (lambda: Money.total([USD5, EUR5], "USD"), "add"),
    ],
)
def test_unlike_units_never_meet(operation: Any, word: str) -> None:
    with pytest.raises(UnitMismatch) as caught:
        operation()
    assert (caught.value.operation, caught.value.left.code, caught.value.right.code) == (
        word,
        "USD",
        "EUR",
    )
    assert f"Cannot {word} USD and EUR" in str(caught.value)
    assert "convert()" in str(caught.value)


def test_one_code_with_other_digits_is_another_unit() -> None:
    with pytest.raises(UnitMismatch, match="with 0 digits and PTS with 2 digits"):
        Money.of(5, PTS) + Money.of(5, CustomUnit("PTS", 2))


FIVE: Any = Money.of(5, "USD")  # to a type checker, anything: it would refuse what is tested


@pytest.mark.parametrize(
    ("operation", "advice"),
    [
        (lambda: FIVE + 5, "Both sides are Money"),
        (lambda: 5 + FIVE, "Both sides are Money"),
        (lambda: FIVE - "5.00", "Both sides are Money"),
        (lambda: 5 - FIVE, "Both sides are Money"),
        (lambda: FIVE < 5, "Both sides are Money"),
        (lambda: sum([FIVE, FIVE]), 'Money.total(amounts, "USD")'),
        (lambda: FIVE + FIVE.to_moneyed(), "Money.coerce(other)"),
        (lambda: FIVE.to_moneyed() + FIVE, "Money.coerce(other)"),
        (lambda: FIVE * 1.1, "multiplied_by"),
        (lambda: FIVE * Decimal("1.1"), "multiplied_by"),
        (lambda: FIVE * True, "multiplied_by"),
        (lambda: 1.1 * FIVE, "multiplied_by"),
        (lambda: FIVE / 3, "divided_by"),
        (lambda: FIVE // 3, "split(3)"),
        (lambda: FIVE % 3, "allocate"),
        (lambda: divmod(FIVE, 3), "allocate"),
        (lambda: FIVE / FIVE, "ratio_to"),
    ],
)
def test_an_operator_that_money_does_not_have_says_what_to_write(
    operation: Any, advice: str
) -> None:
    with pytest.raises(OperandRefused) as caught:
        operation()
    assert advice in str(caught.value)


def test_whole_numbers_of_an_amount_are_exact() -> None:
    assert USD5 * 3 == 3 * USD5 == Money.of("15.00", "USD")
    assert USD5 * -1 == -USD5
    assert (USD5 * 0).is_zero


def test_a_total_names_its_unit_and_may_be_of_nothing() -> None:
    assert Money.total([USD5, USD5, -USD5], "USD") == USD5
    assert Money.total([], "USD") == Money.zero("USD")
    assert sum([USD5, USD5], start=Money.zero("USD")) == Money.of(10, "USD")
    # Only the sum has to be in range, not each step towards it.
    most = Money.of_minor(MAX_MINOR, "USD")
    assert Money.total([most, most, -most], "USD") == most
    with pytest.raises(ArgumentRefused, match="Money throughout"):
        Money.total([5], "USD")  # type: ignore[list-item]  # what is tested


# --- Where the caller names a rounding -------------------------------------------------------

MODES = ("DOWN", "UP", "FLOOR", "CEILING", "HALF_UP", "HALF_DOWN", "HALF_EVEN")


@pytest.mark.parametrize(
    ("exact", "whole"),
    [
        # amount   DOWN UP FLOOR CEILING HALF_UP HALF_DOWN HALF_EVEN
        ("2.5", (2, 3, 2, 3, 3, 2, 2)),
        ("-2.5", (-2, -3, -3, -2, -3, -2, -2)),
        ("3.5", (3, 4, 3, 4, 4, 3, 4)),  # the even neighbour is above
        ("-3.5", (-3, -4, -4, -3, -4, -3, -4)),
        ("2.4", (2, 3, 2, 3, 2, 2, 2)),
        ("-2.4", (-2, -3, -3, -2, -2, -2, -2)),
        ("2.6", (2, 3, 2, 3, 3, 3, 3)),
        ("-2.6", (-2, -3, -3, -2, -3, -3, -3)),
        ("0.5", (0, 1, 0, 1, 1, 0, 0)),
        ("-0.5", (0, -1, -1, 0, -1, 0, 0)),
        ("7", (7, 7, 7, 7, 7, 7, 7)),
        ("-7", (-7, -7, -7, -7, -7, -7, -7)),
    ],
)
def test_each_rounding_does_what_its_name_says(exact: str, whole: tuple[int, ...]) -> None:
    done = tuple(Money.rounded(exact, PTS, rounding=Rounding[mode]).minor for mode in MODES)
    assert done == whole


def test_rounding_does_not_depend_on_the_decimal_context() -> None:
    with decimal.localcontext(prec=2, rounding=decimal.ROUND_CEILING):
        assert Money.of("123456.78", "USD").decimal == Decimal("123456.78")
        rounded = Money.rounded(Decimal("123456.785"), "USD", rounding=Rounding.HALF_EVEN)
        assert rounded == Money.of("123456.78", "USD")


def test_a_rounding_that_should_be_unnecessary_is_refused_where_it_is_not() -> None:
    assert Money.rounded("5.000", "USD", rounding=Rounding.UNNECESSARY) == USD5
    with pytest.raises(RoundingNecessary, match="UNNECESSARY") as caught:
        Money.rounded("5.001", "USD", rounding=Rounding.UNNECESSARY)
    assert caught.value.exact == Fraction(5001, 10)


@pytest.mark.parametrize("rounding", ["half_up", decimal.ROUND_HALF_UP, None, True])
def test_a_rounding_is_named_by_the_enumeration(rounding: Any) -> None:
    with pytest.raises(ArgumentRefused, match=r"Rounding\.HALF_UP"):
        Money.rounded("5.00", "USD", rounding=rounding)


def test_a_factor_a_divisor_and_a_percentage_round_as_named() -> None:
    price = Money.of("19.99", "USD")
    assert price.multiplied_by("1.1", rounding=Rounding.HALF_UP) == Money.of("21.99", "USD")
    assert price.multiplied_by(Fraction(1, 3), rounding=Rounding.DOWN) == Money.of("6.66", "USD")
    assert price.multiplied_by("-1/3", rounding=Rounding.DOWN) == Money.of("-6.66", "USD")
    assert price.divided_by("1.19", rounding=Rounding.HALF_EVEN) == Money.of("16.80", "USD")
    assert price.divided_by(-2, rounding=Rounding.FLOOR) == Money.of("-10.00", "USD")
    assert price.percentage("12.5", rounding=Rounding.UP) == Money.of("2.50", "USD")
    assert price.percentage(Decimal(110), rounding=Rounding.DOWN) == Money.of("21.98", "USD")
    with pytest.raises(RoundingNecessary):
        price.percentage(10, rounding=Rounding.UNNECESSARY)
    with pytest.raises(AmountOutOfRange):
        Money.of_minor(MAX_MINOR, "USD").multiplied_by("1.1", rounding=Rounding.DOWN)


def test_a_factor_is_an_exact_number() -> None:
    with pytest.raises(FloatRefused, match=r'Write "1\.1"'):
        USD5.multiplied_by(1.1, rounding=Rounding.DOWN)  # type: ignore[arg-type]  # what is tested
    factors: list[Any] = [
        "1,1", "1e3", "1/0", "", "9" * 65, True, None, Decimal("NaN"), Decimal("1e1000000"),
    ]  # fmt: skip
    for factor in factors:
        with pytest.raises(ArgumentRefused, match="an exact number"):
            USD5.multiplied_by(factor, rounding=Rounding.DOWN)
    for divisor in (0, "0.00", Decimal(0)):
        with pytest.raises(ArgumentRefused, match="other than zero"):
            USD5.divided_by(divisor, rounding=Rounding.DOWN)


def test_cash_is_rounded_to_steps() -> None:
    francs = Money.of("10.03", "CHF")
    assert francs.rounded_to_step(5, rounding=Rounding.HALF_UP) == Money.of("10.05", "CHF")
    assert francs.rounded_to_step(5, rounding=Rounding.DOWN) == Money.of("10.00", "CHF")
    assert francs.rounded_to_step(1, rounding=Rounding.UNNECESSARY) == francs
    for step in (0, -5, "5", True):
        with pytest.raises(ArgumentRefused, match="from 1 up"):
            francs.rounded_to_step(step, rounding=Rounding.DOWN)  # type: ignore[arg-type]  # what is tested


def test_a_ratio_is_exact() -> None:
    assert Money.of("1.00", "USD").ratio_to(Money.of("3.00", "USD")) == Fraction(1, 3)
    with pytest.raises(ArgumentRefused, match="other than zero"):
        USD5.ratio_to(Money.zero("USD"))


# --- The border to py-moneyed -----------------------------------------------------------------


def test_py_moneyed_money_goes_in_and_out_unchanged() -> None:
    theirs = moneyed.Money("12.34", "EUR")
    ours = Money.from_moneyed(theirs)
    assert ours == Money.of("12.34", "EUR")
    assert ours.to_moneyed() == theirs
    assert Money.coerce(theirs) == ours
    assert Money.coerce(ours) is ours


@pytest.mark.parametrize("code", ["XAD", "ZWG", "XCG"])
def test_a_currency_younger_than_py_moneyed_goes_out_and_comes_back(code: str) -> None:
    ours = Money.of("12.34", code)
    theirs = ours.to_moneyed()
    assert (theirs.currency.code, theirs.amount) == (code, Decimal("12.34"))
    assert theirs.currency.numeric == currency(code).numeric
    assert Money.from_moneyed(theirs) == ours


def test_custom_units_cross_the_border_where_they_are_named() -> None:
    theirs = Money.of("500", PTS).to_moneyed()
    assert theirs.currency.code == "PTS"
    assert Money.coerce(theirs, customs=[PTS]) == Money.of(500, PTS)
    with pytest.raises(UnknownCurrency, match="CustomUnit"):
        Money.coerce(theirs)


@pytest.mark.parametrize(
    ("theirs", "refusal"),
    [
        (moneyed.Money("NaN", "USD"), AmountUnreadable),
        (moneyed.Money("Infinity", "USD"), AmountUnreadable),
        (moneyed.Money("1.234", "USD"), AmountTooFine),
        (moneyed.Money(0.1 + 0.2, "USD"), AmountTooFine),  # it keeps 0.30000000000000004
        (moneyed.Money("1e30", "USD"), AmountOutOfRange),
        (moneyed.Money(1, moneyed.Currency("ZZZ")), UnknownCurrency),
        (moneyed.Money(1, "CNH"), UnknownCurrency),
    ],
)
def test_py_moneyed_money_that_is_no_amount_is_refused(
    theirs: moneyed.Money, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        Money.from_moneyed(theirs)


@pytest.mark.parametrize("other", [5, "5.00", None, Decimal(5)])
def test_only_money_crosses_the_border(other: Any) -> None:
    with pytest.raises(ArgumentRefused, match="money, such as"):
        Money.coerce(other)
    with pytest.raises(ArgumentRefused, match="a py-moneyed Money"):
        Money.from_moneyed(other)


# --- Its errors ----------------------------------------------------------------------------------


def test_an_error_keeps_its_values_and_survives_pickling() -> None:
    with pytest.raises(UnitMismatch) as caught:
        USD5 + EUR5
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert (again.left, again.right) == (currency("USD"), currency("EUR"))


class Hostile:
    """A caller's object whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Hostile(), "an instance of Hostile"),
        ([0] * 1000, "..."),
        pytest.param(10**5000, "an integer of 16610 bits", id="integer"),
        pytest.param(Fraction(1, 10**5000), "a fraction of very long numbers", id="fraction"),
        (Decimal("1" * 100), "a Decimal of 100 digits"),
        ("x" * 100, "(100 characters)"),
    ],
)
def test_a_message_stays_short_whatever_was_given(value: object, shown: str) -> None:
    message = str(ArgumentRefused("amount", value, "money"))
    assert shown in message
    assert len(message) < 300
