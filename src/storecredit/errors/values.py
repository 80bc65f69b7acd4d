"""
What can be wrong with a value: an amount, a unit, a division, a rate, an instant.

    MisuseError
        ArgumentRefused         an argument is of the wrong kind
        OperandRefused          an operator that money does not have
        AmbiguousTruth          `if money:` means two things
        FloatRefused            a float cannot hold 0.10
        AmountUnreadable        not a plain decimal number
        AmountTooFine           finer than the unit's minor unit
        AmountOutOfRange        beyond signed 64-bit minor units
        RoundingNecessary       an exact result was demanded and there is none
        UnitMismatch            two unlike units in one sum or comparison
        UnknownCurrency         no such ISO 4217 code
        NoMinorUnit             an ISO 4217 code that is not shop money (gold, test codes)
        UnitRefused             a custom unit that cannot be
        UnitCollision           a custom unit that looks like a currency
        WeightRefused, NoWeights, AllWeightsZero, WeightsExceedOne,
        PartsRefused, StepMismatch
        NaiveInstant, InstantOutOfRange, UnknownZone, PeriodRefused
        UnknownLocale, TextUnreadable
    RefusalError
        UnitWithdrawn           ISO has withdrawn the currency: no new value in it
        RefundExceedsRest       more than is left to refund
        ConvertsToNothing       too small to be anything in the other unit

Every value of a message is an attribute too. The classes pickle.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import attrs

from storecredit.errors._branches import MisuseError, RefusalError

if TYPE_CHECKING:
    import datetime as dt

    from storecredit.values.money import Money
    from storecredit.values.units import Currency, Unit

_SHOWN_CHARACTERS = 60
_SHOWN_BITS = 256


def _shown(value: object) -> str:
    """Show a caller's value in a message, cut short: it may be enormous or hostile."""
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, Fraction) and (
        value.numerator.bit_length() + value.denominator.bit_length() > _SHOWN_BITS
    ):
        return "a fraction of very long numbers"
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Decimal) and len(value.as_tuple().digits) > _SHOWN_CHARACTERS:
        return f"a Decimal of {len(value.as_tuple().digits)} digits"
    if isinstance(value, str) and len(value) > _SHOWN_CHARACTERS:
        return f"{value[:_SHOWN_CHARACTERS]!r}... ({len(value)} characters)"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a caller's broken repr must not hide the real error
        return f"an instance of {type(value).__name__}"
    return text if len(text) <= 2 * _SHOWN_CHARACTERS else text[: 2 * _SHOWN_CHARACTERS] + "..."


def _list_of(words: tuple[str, ...]) -> str:
    return f" Did you mean {' or '.join(words)}?" if words else ""


# -- arguments and operators ---------------------------------------------------------------


@attrs.define
class ArgumentRefused(MisuseError):
    """An argument is of the wrong kind, or outside what it may be."""

    argument: str
    value: object
    expected: str

    def __str__(self) -> str:
        return (
            f"{self.argument} must be {self.expected}; "
            f"got {_shown(self.value)} ({type(self.value).__name__})."
        )


@attrs.define
class OperandRefused(MisuseError):
    """An operator that a value does not have, or not with this operand."""

    operation: str
    value: object
    advice: str

    def __str__(self) -> str:
        return (
            f"{self.operation} is not defined with {_shown(self.value)} "
            f"({type(self.value).__name__}). {self.advice}"
        )


@attrs.define
class AmbiguousTruth(MisuseError):
    """A value was used as a condition, which could mean "not zero" or "present"."""

    value: object
    advice: str

    def __str__(self) -> str:
        return (
            f"{_shown(self.value)} is neither true nor false: `if amount:` reads as "
            f'"is there one?" and as "is it not zero?". {self.advice}'
        )


# -- amounts -------------------------------------------------------------------------------


@attrs.define
class FloatRefused(MisuseError):
    """A binary float was given where an exact number is needed."""

    value: float
    what: str
    instead: str

    def __str__(self) -> str:
        return (
            f"{self.what} cannot be the float {self.value!r}: a float holds "
            f"{Decimal(self.value):.20g} and not the digits you wrote. Write {self.instead}."
        )


@attrs.define
class AmountUnreadable(MisuseError):
    """Something that is no plain decimal number was given as an amount."""

    amount: object
    reason: str

    def __str__(self) -> str:
        return (
            f"Cannot read {_shown(self.amount)} as an amount: {self.reason}. Write digits with "
            'at most one point and an optional minus sign, such as "1234.50" or "-5".'
        )


@attrs.define
class AmountTooFine(MisuseError):
    """An amount has more decimal places than its unit, and nobody named a rounding."""

    amount: object
    unit: Unit

    def __str__(self) -> str:
        places = f"{self.unit.digits} decimal place{'' if self.unit.digits == 1 else 's'}"
        written = str(self.amount) if len(_shown(self.amount)) <= _SHOWN_CHARACTERS else "..."
        return (
            f"{_shown(self.amount)} is finer than {self.unit.code} allows: it has {places}. "
            "Nothing is rounded silently; if rounding is meant, name it: "
            f'Money.rounded("{written}", "{self.unit.code}", rounding=Rounding.HALF_UP).'
        )


@attrs.define
class AmountOutOfRange(MisuseError):
    """An amount does not fit signed 64-bit minor units, which is what storage holds."""

    amount: object
    unit: Unit

    def __str__(self) -> str:
        return (
            f"{_shown(self.amount)} is out of range for {self.unit.code}: amounts go from "
            "-9223372036854775808 to 9223372036854775807 minor units "
            f"(10^-{self.unit.digits} {self.unit.code} each). Split it, or choose a unit "
            "with fewer digits."
        )


@attrs.define
class RoundingNecessary(MisuseError):
    """The exact result is between two amounts, and the caller said that it is not."""

    exact: Fraction

    def __str__(self) -> str:
        return (
            f"{_shown(self.exact)} is not a whole number of minor units, and "
            "Rounding.UNNECESSARY promises that it is. Name a rounding that decides, "
            "such as Rounding.HALF_UP, or allocate() to keep every unit."
        )


# -- units ---------------------------------------------------------------------------------


@attrs.define
class UnitMismatch(MisuseError):
    """Two amounts in unlike units met in one sum, comparison or ratio."""

    operation: str
    left: Unit
    right: Unit

    def __str__(self) -> str:
        if self.left.code == self.right.code:
            return (
                f"Cannot {self.operation} {self.left.code} with {self.left.digits} digits and "
                f"{self.right.code} with {self.right.digits} digits: they are different units."
            )
        return (
            f"Cannot {self.operation} {self.left.code} and {self.right.code}: unlike units never "
            "mix by themselves. Use convert() with an explicit rate, or keep both in a Balance."
        )


@attrs.define
class UnknownCurrency(MisuseError):
    """A code names no ISO 4217 currency, and no custom unit that was given."""

    code: object
    suggestions: tuple[str, ...]

    def __str__(self) -> str:
        if isinstance(self.code, str) and self.code.strip().upper() in self.suggestions:
            return (
                f"{_shown(self.code)} is not a currency code as ISO 4217 writes it. "
                f'Use "{self.code.strip().upper()}".'
            )
        return (
            f"{_shown(self.code)} is not an ISO 4217 currency.{_list_of(self.suggestions)} "
            'Points and tokens are a CustomUnit: CustomUnit("PTS", 0).'
        )


@attrs.define
class NoMinorUnit(MisuseError):
    """An ISO 4217 code without a minor unit: a metal, a fund of account, a test code."""

    code: str
    name: str

    def __str__(self) -> str:
        return (
            f"{self.code} ({self.name}) is an ISO 4217 code without a minor unit: it is not "
            "money a shop can owe. Use a currency, or a CustomUnit with the digits you need."
        )


@attrs.define
class UnitRefused(MisuseError):
    """A custom unit has a code or a number of digits that a unit cannot have."""

    code: object
    digits: object
    reason: str

    def __str__(self) -> str:
        return (
            f"Cannot make a custom unit {_shown(self.code)} with digits {_shown(self.digits)}: "
            f'{self.reason}. An example that works: CustomUnit("PTS", 0).'
        )


@attrs.define
class UnitCollision(MisuseError):
    """A custom unit was given the code of a real currency."""

    code: str
    name: str

    def __str__(self) -> str:
        return (
            f"{self.code} is the ISO 4217 code of {self.name}; a custom unit may not look like "
            f'a currency. Use currency("{self.code}") if you mean it, or another code '
            f'such as "{self.code}_PTS".'
        )


@attrs.define
class UnitWithdrawn(RefusalError):
    """New value in a currency that ISO has withdrawn."""

    unit: Currency

    def __str__(self) -> str:
        return (
            f"{self.unit.code} ({self.unit.name}) has been withdrawn by ISO 4217: what is held in "
            "it can be read, spent and converted away, but nothing new is issued in it. "
            "Choose the currency that replaced it."
        )


# -- division ------------------------------------------------------------------------------


@attrs.define
class WeightRefused(MisuseError):
    """One weight of a division is no number, negative, or a float."""

    position: int
    weight: object
    reason: str

    def __str__(self) -> str:
        return (
            f"Weight {self.position} of the division is {_shown(self.weight)}: {self.reason}. "
            'Weights are numbers from 0 up: 3, Decimal("0.5"), Fraction(1, 3), "0.5" or "1/3".'
        )


@attrs.define
class NoWeights(MisuseError):
    """A division over no parts at all."""

    amount: Money

    def __str__(self) -> str:
        return f"Cannot divide {self.amount} over no parts: give at least one weight."


@attrs.define
class AllWeightsZero(MisuseError):
    """Every weight of a division is zero, so no part may take anything."""

    amount: Money
    parts: int

    def __str__(self) -> str:
        return (
            f"Cannot divide {self.amount} over {self.parts} weights that are all zero: a zero "
            "weight gets zero, and the amount would vanish. For equal parts write "
            f"split(amount, {self.parts})."
        )


@attrs.define
class WeightsExceedOne(MisuseError):
    """Weights that were meant as fractions of one add up to more than one."""

    total: Fraction

    def __str__(self) -> str:
        return (
            f"The fractions add up to {_shown(self.total)}, which is more than one. Correct them, "
            "or pass them to allocate() directly if they are meant as proportions."
        )


@attrs.define
class PartsRefused(MisuseError):
    """A number of parts that is not a whole number from one up."""

    parts: object

    def __str__(self) -> str:
        return f"Cannot split into {_shown(self.parts)} parts: give a whole number from 1 up."


@attrs.define
class StepMismatch(MisuseError):
    """An amount is not a whole number of the steps it is to be divided in."""

    amount: Money
    step: int

    def __str__(self) -> str:
        return (
            f"{self.amount} is not a whole number of steps of {self.step} minor units "
            f"({self.amount.minor % self.step} too many), so no parts made of steps add up to it. "
            "Round it first with rounded_to_step(), or keep the rest with allocate_apart()."
        )


@attrs.define
class RefundExceedsRest(RefusalError):
    """A partial refund asks for more than its parts still have."""

    amount: Money
    rest: Money

    def __str__(self) -> str:
        return (
            f"Cannot refund {self.amount}: {self.rest} is left to refund "
            f"({self.amount - self.rest} less). Refund at most {self.rest}."
        )


# -- conversion ----------------------------------------------------------------------------


@attrs.define
class ConvertsToNothing(RefusalError):
    """An amount so small that it would be zero in the other unit."""

    amount: Money
    target: Unit
    exact_minor: Fraction

    def __str__(self) -> str:
        return (
            f"{self.amount} would convert to nothing: it is worth {_shown(self.exact_minor)} of "
            f"the smallest amount of {self.target.code}. Convert a larger amount, or leave it "
            "where it is."
        )


# -- time ----------------------------------------------------------------------------------


@attrs.define
class NaiveInstant(MisuseError):
    """A date-time without a time zone, which names no instant."""

    given: dt.datetime

    def __str__(self) -> str:
        return (
            f"{self.given.isoformat(sep=' ')} has no time zone, so it is no instant. Write "
            "datetime.now(timezone.utc), or say where the clock hangs: "
            'given.replace(tzinfo=ZoneInfo("Europe/Berlin")).'
        )


@attrs.define
class InstantOutOfRange(MisuseError):
    """An instant before year 1 or after year 9999, which no clock here can hold."""

    what: str

    def __str__(self) -> str:
        return (
            f"{self.what} is outside the years 1 to 9999. For value that never expires, give no "
            "expiry at all."
        )


@attrs.define
class UnknownZone(MisuseError):
    """A name that is no IANA time zone."""

    zone: object
    suggestions: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{_shown(self.zone)} is not a time zone of the IANA database."
            f"{_list_of(self.suggestions)} Write a name such as "
            '"Europe/Berlin", "America/New_York" or "UTC".'
        )


@attrs.define
class PeriodRefused(MisuseError):
    """A period that is negative, empty, absurdly long or not written as ISO 8601."""

    given: object
    reason: str

    def __str__(self) -> str:
        return (
            f"Cannot make a period of {_shown(self.given)}: {self.reason}. Examples that work: "
            'Period(months=12), Period(days=30), Period.of("P1Y6M").'
        )


# -- text ----------------------------------------------------------------------------------


@attrs.define
class UnknownLocale(MisuseError):
    """A locale that the CLDR data does not have."""

    locale: object

    def __str__(self) -> str:
        return (
            f"{_shown(self.locale)} is not a known locale. Write a language and a territory, "
            'such as "en_US", "de_DE" or "pt_BR".'
        )


@attrs.define
class TextUnreadable(MisuseError):
    """A text that is not an amount of money as this call expects it."""

    text: object
    expected: str

    def __str__(self) -> str:
        return f"Cannot read {_shown(self.text)}: expected {self.expected}."
