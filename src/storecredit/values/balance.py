"""Balance: amounts in several units side by side, never added up across units (rule V6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn, final

import attrs

from storecredit.errors.values import (
    AmbiguousTruth,
    OperandRefused,
    TextUnreadable,
)
from storecredit.values.money import AnyMoney, Money
from storecredit.values.units import CustomUnit, Unit
from storecredit.values.units import unit as unit_named


def _one_for_each_unit(amounts: Iterable[AnyMoney]) -> tuple[Money, ...]:
    totals: dict[Unit, Money] = {}
    for amount in amounts:
        money = Money.coerce(amount)
        before = totals.get(money.unit)
        totals[money.unit] = money if before is None else before + money
    kept = [money for money in totals.values() if not money.is_zero]
    return tuple(sorted(kept, key=lambda money: (money.unit.code, money.unit.digits)))


@final
@attrs.frozen(repr=False, order=False)
class Balance:
    """
    An immutable bag of money: at most one amount for each unit, none of them zero.

    Make one with `Balance.of(...)`. Two balances are equal if they hold the same amounts.
    A balance has no order: which of USD 20.00 and PTS 500 is more is not a question.
    """

    amounts: tuple[Money, ...] = attrs.field(converter=_one_for_each_unit)
    """The amounts that are not zero, by code and then digits."""

    @classmethod
    def of(cls, *amounts: AnyMoney) -> Balance:
        """
        The balance of these amounts; those in one unit are added up.

        Raises:
            ArgumentRefused: Something else than money.
            AmountOutOfRange: A sum is beyond signed 64-bit minor units.
        """
        return cls(amounts)

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units held, by code."""
        return tuple(money.unit for money in self.amounts)

    @property
    def is_zero(self) -> bool:
        """Whether nothing is held in any unit."""
        return not self.amounts

    def __getitem__(self, unit: Unit | str) -> Money:
        """
        The amount in *unit*, zero where none is held.

        Raises:
            UnknownCurrency: A code that is neither held nor a currency.
        """
        held = [money.unit for money in self.amounts if isinstance(money.unit, CustomUnit)]
        named = unit_named(unit, customs=held)
        for money in self.amounts:
            if money.unit == named:
                return money
        return Money.zero(named)

    def __iter__(self) -> Iterator[Money]:
        return iter(self.amounts)

    def __add__(self, other: Balance | Money) -> Balance:
        return Balance((*self.amounts, *_amounts_of("Adding to a balance", other)))

    def __sub__(self, other: Balance | Money) -> Balance:
        taken = _amounts_of("Subtracting from a balance", other)
        return Balance((*self.amounts, *(-money for money in taken)))

    def __neg__(self) -> Balance:
        return Balance(-money for money in self.amounts)

    def covers(self, other: Balance | AnyMoney) -> bool:
        """Whether, unit by unit, at least as much is held as in *other*."""
        needed = other if isinstance(other, Balance) else Balance.of(other)
        mentioned = {*self.units, *needed.units}
        return all(self[unit] >= needed[unit] for unit in mentioned)

    def __lt__(self, other: object) -> NoReturn:
        raise OperandRefused(
            "Ordering balances",
            other,
            "Unlike units have no order. Ask balance.covers(other), or compare one unit: "
            'balance["USD"] < limit.',
        )

    def __le__(self, other: object) -> NoReturn:
        self.__lt__(other)

    def __gt__(self, other: object) -> NoReturn:
        self.__lt__(other)

    def __ge__(self, other: object) -> NoReturn:
        self.__lt__(other)

    def __bool__(self) -> NoReturn:
        raise AmbiguousTruth(self, "Write `not balance.is_zero`, or `balance is not None`.")

    def __repr__(self) -> str:
        return f"Balance.of({', '.join(map(repr, self.amounts))})"

    def __str__(self) -> str:
        return ", ".join(map(str, self.amounts)) or "nothing"

    def to_json(self) -> list[dict[str, str]]:
        """The JSON form: the JSON form of each amount, by code."""
        return [money.to_json() for money in self.amounts]

    @classmethod
    def from_json(
        cls, form: Iterable[Mapping[str, object]], *, customs: Iterable[CustomUnit] = ()
    ) -> Balance:
        """
        Read the JSON form back.

        Raises:
            TextUnreadable: Not a list of amounts.
            As `Money.from_json`.
        """
        if not _is_list(form):
            raise TextUnreadable(form, 'a list like [{"amount": "50.00", "unit": "USD"}]')
        known = tuple(customs)
        return cls(Money.from_json(amount, customs=known) for amount in form)


def _is_list(form: object) -> bool:
    return isinstance(form, list | tuple)


def _amounts_of(operation: str, other: object) -> tuple[Money, ...]:
    if isinstance(other, Balance):
        return other.amounts
    if isinstance(other, Money):
        return (other,)
    raise OperandRefused(operation, other, "Add money or another balance.")
