"""
Money: an exact amount of one unit (rules V1, V2, V3).

Amounts are whole minor units in a signed 64-bit range. Nothing rounds unless the caller
names a `Rounding`; unlike units never meet in one operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NoReturn, final

import attrs
import moneyed

from storecredit.errors.values import (
    AmbiguousTruth,
    ArgumentRefused,
    OperandRefused,
    StepMismatch,
    UnitMismatch,
)
from storecredit.values import text
from storecredit.values.amounts import (
    MAX_MINOR,
    MIN_MINOR,
    ExactNumber,
    decimal_text,
    exact_number,
    in_range,
    minor_of,
    rounded_minor_of,
    step_of,
)
from storecredit.values.apportion import Division, apportion, division_named
from storecredit.values.rounding import Rounding, named_rounding
from storecredit.values.units import Currency, CustomUnit, Unit
from storecredit.values.units import unit as unit_named
from storecredit.values.weights import equal_weights, whole_weights


@final
@attrs.frozen(repr=False, order=False)
class Money:
    """
    An exact amount of one currency or custom unit.

    Immutable and hashable; equal to another `Money` of the same unit and amount and to
    nothing else; ordered within its unit. Make one with `Money.of("50.00", "USD")`.

    Raises:
        ArgumentRefused: *minor* is no whole number, or *unit* is no unit.
        UnknownCurrency: *unit* is a currency that there is not.
        AmountOutOfRange: Beyond signed 64-bit minor units.
    """

    minor: int
    """Minor units (cents, or points without decimals); negative for a debt."""

    unit: Unit
    """What is counted."""

    def __attrs_post_init__(self) -> None:
        if type(self.minor) is not int:
            raise ArgumentRefused("minor", self.minor, "a whole number of minor units")
        if not isinstance(self.unit, Currency | CustomUnit):
            raise ArgumentRefused("unit", self.unit, "a Currency or a CustomUnit")
        unit_named(self.unit)
        in_range(self.minor, self.unit)

    # -- named constructors

    @classmethod
    def of(cls, amount: ExactNumber, unit: Unit | str) -> Money:
        """
        An amount in major units, exactly: `Money.of("50.00", "USD")` is fifty dollars.

        Raises:
            UnknownCurrency: *unit* is a code that ISO 4217 does not have.
            FloatRefused: A float, whatever its value.
            AmountUnreadable: Not a number, not finite, or not plain decimal text.
            AmountTooFine: More decimal places than the unit has; nothing is rounded.
            AmountOutOfRange: Beyond signed 64-bit minor units.
        """
        counted = unit_named(unit)
        return _of_minor(minor_of(amount, counted), counted)

    @classmethod
    def of_minor(cls, minor: int, unit: Unit | str) -> Money:
        """A whole number of minor units: `Money.of_minor(5000, "USD")` is fifty dollars."""
        return cls(minor, unit_named(unit))

    @classmethod
    def zero(cls, unit: Unit | str) -> Money:
        """Nothing, in *unit*."""
        return _of_minor(0, unit_named(unit))

    @classmethod
    def rounded(cls, amount: ExactNumber, unit: Unit | str, *, rounding: Rounding) -> Money:
        """
        An amount in major units, of any number of decimal places, rounded as named.

        Raises:
            As `of`, without `AmountTooFine`; and `RoundingNecessary` for `UNNECESSARY`.
        """
        counted = unit_named(unit)
        return _of_minor(rounded_minor_of(amount, counted, named_rounding(rounding)), counted)

    @classmethod
    def from_moneyed(cls, money: moneyed.Money, *, customs: Iterable[CustomUnit] = ()) -> Money:
        """
        The same amount as a py-moneyed `Money`, checked as strictly as text.

        Raises:
            ArgumentRefused: Not a py-moneyed `Money`.
            UnknownCurrency: Its currency is neither ISO 4217 nor one of *customs*.
            AmountUnreadable: NaN or Infinity, which py-moneyed allows.
            AmountTooFine: More decimal places than the unit has.
            AmountOutOfRange: Beyond signed 64-bit minor units.
        """
        if not isinstance(money, moneyed.Money):
            raise ArgumentRefused("money", money, "a py-moneyed Money")
        return cls.of(money.amount, unit_named(money.currency.code, customs=customs))

    @classmethod
    def coerce(cls, money: Money | moneyed.Money, *, customs: Iterable[CustomUnit] = ()) -> Money:
        """
        The border: our `Money` as it is, a py-moneyed one converted exactly.

        Raises:
            ArgumentRefused: Neither of the two.
            As `from_moneyed`.
        """
        if isinstance(money, Money):
            return money
        if isinstance(money, moneyed.Money):
            return cls.from_moneyed(money, customs=customs)
        raise ArgumentRefused("amount", money, 'money, such as Money.of("50.00", "USD")')

    @classmethod
    def total(cls, amounts: Iterable[Money], unit: Unit | str) -> Money:
        """
        The sum of any number of amounts in *unit*, zero for none.

        Raises:
            ArgumentRefused: Something else than Money among them.
            UnitMismatch: One of them is in another unit.
            AmountOutOfRange: The sum is beyond signed 64-bit minor units.
        """
        counted = unit_named(unit)
        minor = 0
        for amount in amounts:
            if not isinstance(amount, Money):
                raise ArgumentRefused("amounts", amount, "Money throughout")
            require_same_unit("add", counted, amount.unit)
            minor += amount.minor
        return _of_minor(in_range(minor, counted), counted)

    @staticmethod
    def _trusted(minor: int, unit: Unit) -> Money:
        """An amount from parts already known to be sound; checks nothing. For inner loops."""
        return _of_minor(minor, unit)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, with all the unit's decimal places."""
        return Decimal(decimal_text(self.minor, self.unit.digits))

    @property
    def is_zero(self) -> bool:
        """Whether it is exactly nothing."""
        return self.minor == 0

    @property
    def is_positive(self) -> bool:
        """Whether it is more than nothing."""
        return self.minor > 0

    @property
    def is_negative(self) -> bool:
        """Whether it is less than nothing."""
        return self.minor < 0

    def __bool__(self) -> NoReturn:
        raise AmbiguousTruth(self, "Write `not amount.is_zero`, or `amount is not None`.")

    def __repr__(self) -> str:
        amount = decimal_text(self.minor, self.unit.digits)
        # A currency is written by its code, which is how people make one.
        counted = repr(self.unit.code if isinstance(self.unit, Currency) else self.unit)
        return f"Money.of({amount!r}, {counted})"

    def __str__(self) -> str:
        return f"{self.unit.code} {decimal_text(self.minor, self.unit.digits)}"

    def to_moneyed(self) -> moneyed.Money:
        """The same amount as a py-moneyed `Money`; custom units become a currency of its kind."""
        return text.as_moneyed(self.minor, self.unit)

    def to_json(self) -> dict[str, str]:
        """The JSON form: `{"amount": "50.00", "unit": "USD"}`, always with all decimal places."""
        return {"amount": decimal_text(self.minor, self.unit.digits), "unit": self.unit.code}

    @classmethod
    def from_json(cls, form: Mapping[str, object], *, customs: Iterable[CustomUnit] = ()) -> Money:
        """
        Read the JSON form back.

        Raises:
            TextUnreadable: Not exactly the keys `amount` and `unit`, both texts.
            UnknownCurrency: The unit is neither ISO 4217 nor one of *customs*.
            AmountUnreadable: The amount is no plain decimal text.
            AmountTooFine: More decimal places than the unit has.
            AmountOutOfRange: Beyond signed 64-bit minor units.
        """
        amount, code = text.amount_and_code(form)
        return cls.of(amount, unit_named(code, customs=customs))

    @classmethod
    def parse(cls, written: str, *, customs: Iterable[CustomUnit] = ()) -> Money:
        """
        Read what `str()` writes: a code, one space, a plain decimal, as in "USD 50.00".

        Raises:
            TextUnreadable: Not in that form.
            As `of`.
        """
        code, amount = text.split_plain(written)
        return cls.of(amount, unit_named(code, customs=customs))

    @classmethod
    def parse_localized(cls, written: str, *, unit: Unit | str, locale: str) -> Money:
        """
        Read an amount as people of *locale* write it: "1.234,50 €" for `de_DE` and EUR.

        Strict: grouping has to be right for the locale, and a symbol, code or name has to be
        that of *unit*.

        Raises:
            UnknownLocale: CLDR has no such locale.
            TextUnreadable: Not an amount in that locale, or of another unit.
            As `of`.
        """
        counted = unit_named(unit)
        return cls.of(text.read_localized(written, counted, locale), counted)

    def format(self, *, locale: str) -> str:
        """
        Write the amount as people of *locale* read it, with all its decimal places.

        Raises:
            UnknownLocale: CLDR has no such locale.
        """
        return text.write_localized(self.minor, self.unit, locale)

    # -- arithmetic within one unit

    def __add__(self, other: Money) -> Money:
        if other.__class__ is not Money:
            raise _no_operand("Adding to money", other)
        unit = self.unit
        if other.unit is not unit and other.unit != unit:
            raise UnitMismatch("add", unit, other.unit)
        minor = self.minor + other.minor
        if not MIN_MINOR <= minor <= MAX_MINOR:
            in_range(minor, unit)
        return _of_minor(minor, unit)

    def __radd__(self, other: object) -> NoReturn:
        if type(other) is int and other == 0:
            raise OperandRefused(
                "sum() that starts at the number 0", other, 'Write Money.total(amounts, "USD").'
            )
        raise _no_operand("Adding money to something else", other)

    def __sub__(self, other: Money) -> Money:
        if other.__class__ is not Money:
            raise _no_operand("Subtracting from money", other)
        unit = self.unit
        if other.unit is not unit and other.unit != unit:
            raise UnitMismatch("subtract", unit, other.unit)
        minor = self.minor - other.minor
        if not MIN_MINOR <= minor <= MAX_MINOR:
            in_range(minor, unit)
        return _of_minor(minor, unit)

    def __rsub__(self, other: object) -> NoReturn:
        raise _no_operand("Subtracting money from something else", other)

    def __neg__(self) -> Money:
        return _of_minor(in_range(-self.minor, self.unit), self.unit)

    def __pos__(self) -> Money:
        return self

    def __abs__(self) -> Money:
        return -self if self.minor < 0 else self

    def __mul__(self, count: int) -> Money:
        if type(count) is not int:
            raise OperandRefused(
                "Multiplying money",
                count,
                "`*` takes whole numbers only; for a factor name the rounding: "
                'amount.multiplied_by("1.1", rounding=Rounding.HALF_UP).',
            )
        return _of_minor(in_range(self.minor * count, self.unit), self.unit)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> NoReturn:
        raise OperandRefused("Dividing money", other, _DIVISION_ADVICE)

    def __floordiv__(self, other: object) -> NoReturn:
        self.__truediv__(other)

    def __mod__(self, other: object) -> NoReturn:
        self.__truediv__(other)

    def __divmod__(self, other: object) -> NoReturn:
        self.__truediv__(other)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._comparable(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._comparable(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._comparable(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._comparable(other)

    def _comparable(self, other: Money) -> int:
        if other.__class__ is not Money:
            raise _no_operand("Comparing money", other)
        require_same_unit("compare", self.unit, other.unit)
        return other.minor

    # -- arithmetic that may not come out even

    def multiplied_by(self, factor: ExactNumber, *, rounding: Rounding) -> Money:
        """
        The amount times an exact *factor*, rounded to minor units as named.

        Raises:
            FloatRefused: *factor* is a float.
            ArgumentRefused: *factor* is no exact number, or *rounding* no `Rounding`.
            RoundingNecessary: *rounding* is `UNNECESSARY` and the result is between two amounts.
            AmountOutOfRange: Beyond signed 64-bit minor units.
        """
        exact = self.minor * exact_number(factor, what="A factor", instead='"1.1"')
        return self._rounded(exact, rounding)

    def divided_by(self, divisor: ExactNumber, *, rounding: Rounding) -> Money:
        """
        The amount over an exact *divisor*, rounded to minor units as named.

        To share an amount without losing a cent, use `split` or `allocate`.

        Raises:
            As `multiplied_by`; `ArgumentRefused` also for a divisor of zero.
        """
        exact = exact_number(divisor, what="A divisor", instead='"1.19"')
        if exact == 0:
            raise ArgumentRefused("A divisor", divisor, "other than zero")
        return self._rounded(self.minor * Fraction(exact.denominator, exact.numerator), rounding)

    def percentage(self, percent: ExactNumber, *, rounding: Rounding) -> Money:
        """
        So many hundredths of the amount: 10 percent of USD 50.00 is USD 5.00.

        Raises:
            As `multiplied_by`.
        """
        exact = exact_number(percent, what="A percentage", instead='"12.5"')
        return self._rounded(self.minor * exact * Fraction(1, 100), rounding)

    def rounded_to_step(self, step: int, *, rounding: Rounding) -> Money:
        """
        The amount as a whole number of *step* minor units: 5 for Swiss cash.

        Raises:
            ArgumentRefused: *step* is no whole number from 1 up, or *rounding* no `Rounding`.
            RoundingNecessary: *rounding* is `UNNECESSARY` and it is not one already.
            AmountOutOfRange: Beyond signed 64-bit minor units.
        """
        steps = Fraction(self.minor, step_of(step))
        minor = step * named_rounding(rounding).whole(steps)
        return _of_minor(in_range(minor, self.unit), self.unit)

    def ratio_to(self, other: Money) -> Fraction:
        """
        How many times *other* this is, exactly.

        Raises:
            UnitMismatch: *other* is in another unit.
            ArgumentRefused: *other* is nothing.
        """
        divisor = self._comparable(other)
        if divisor == 0:
            raise ArgumentRefused("The amount to compare with", other, "other than zero")
        return Fraction(self.minor, divisor)

    def allocate(
        self,
        weights: Iterable[ExactNumber],
        *,
        by: Division = Division.LARGEST_REMAINDER,
        step: int = 1,
    ) -> tuple[Money, ...]:
        """
        Divide the amount in proportion to *weights*, so that the parts sum to it (V5).

        Args:
            weights: Proportions from 0 up; they need not add up to anything.

            by: Which parts get the odd units; see `Division`.

            step: Every part is a multiple of so many minor units: 5 for Swiss cash.

        Raises:
            ArgumentRefused: *by* is no `Division`, or *step* no whole number from 1 up.
            WeightRefused: A weight is no exact number, or negative.
            NoWeights: There are no weights.
            AllWeightsZero: No weight is above zero.
            StepMismatch: The amount is no multiple of *step*.
        """
        rule, unit, size = division_named(by), self.unit, step_of(step)
        proportions = whole_weights(weights, amount=self)
        if self.minor % size:
            raise StepMismatch(self, size)
        parts = apportion(self.minor // size, proportions, rule)
        return tuple([_of_minor(part * size, unit) for part in parts])

    def split(
        self, parts: int, *, by: Division = Division.LARGEST_REMAINDER, step: int = 1
    ) -> tuple[Money, ...]:
        """
        Divide the amount into so many equal *parts*, which sum to it: the earlier take the rest.

        Raises:
            PartsRefused: *parts* is no whole number from 1 up.
            As `allocate`.
        """
        return self.allocate(equal_weights(parts), by=by, step=step)

    def _rounded(self, exact: Fraction, rounding: Rounding) -> Money:
        return _of_minor(in_range(named_rounding(rounding).whole(exact), self.unit), self.unit)


AnyMoney = Money | moneyed.Money
"""What public arguments take: ours, or py-moneyed's, which is converted exactly (V1)."""


def require_same_unit(operation: str, left: Unit, right: Unit) -> None:
    """
    Check that two amounts may meet.

    Raises:
        UnitMismatch: The units differ.
    """
    if left is not right and left != right:
        raise UnitMismatch(operation, left, right)


_DIVISION_ADVICE = (
    "A quotient need not be a whole number of minor units: share it with amount.split(3) or "
    "amount.allocate([2, 1]), or name the rounding in "
    "amount.divided_by(3, rounding=Rounding.HALF_UP). For a ratio use amount.ratio_to(other)."
)


def _no_operand(operation: str, other: object) -> OperandRefused:
    if isinstance(other, moneyed.Money):
        advice = "Convert it first with Money.coerce(other)."
    else:
        advice = 'Both sides are Money, such as Money.of("5.00", "USD").'
    return OperandRefused(operation, other, advice)


_new = Money.__new__
# The slots are written directly: a frozen class refuses setattr, and object.__setattr__ by name
# costs about twice as much in the innermost loop of a fold.
_set_minor: Callable[[Money, int], None] = Money.__dict__["minor"].__set__
_set_unit: Callable[[Money, Unit], None] = Money.__dict__["unit"].__set__


def _of_minor(minor: int, unit: Unit) -> Money:
    """An amount from parts already known to be sound; checks nothing."""
    money = _new(Money)
    _set_minor(money, minor)
    _set_unit(money, unit)
    return money
