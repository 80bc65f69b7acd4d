"""Balances: several units side by side, never one number (V6)."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from storecredit.errors.values import (
    AmbiguousTruth,
    AmountOutOfRange,
    ArgumentRefused,
    OperandRefused,
    TextUnreadable,
    UnknownCurrency,
)
from storecredit.values import MAX_MINOR, Balance, CustomUnit, Money, currency

PTS = CustomUnit("PTS", 0)
USD20 = Money.of("20.00", "USD")
PTS500 = Money.of(500, PTS)
both = Balance.of(USD20, PTS500)


def test_amounts_in_one_unit_are_added_up_and_others_kept_apart() -> None:
    balance = Balance.of(USD20, PTS500, Money.of("1.50", "USD"))
    assert list(balance) == [PTS500, Money.of("21.50", "USD")]
    assert balance.units == (PTS, currency("USD"))


def test_amounts_are_ordered_by_code_whatever_the_order_given() -> None:
    assert str(both) == str(Balance.of(PTS500, USD20)) == "PTS 500, USD 20.00"
    assert Balance.of(PTS500, USD20) == both
    assert hash(Balance.of(PTS500, USD20)) == hash(both)


def test_nothing_is_held_of_what_came_to_zero() -> None:
    assert Balance.of(USD20, -USD20, PTS500) == Balance.of(PTS500)
    empty = Balance.of(Money.zero("USD"))
    assert empty == Balance.of()
    assert empty.is_zero
    assert not both.is_zero
    assert str(empty) == "nothing"
    assert repr(empty) == "Balance.of()"


def test_an_amount_is_looked_up_by_unit_or_code() -> None:
    assert both["USD"] == both[currency("USD")] == USD20
    assert both["PTS"] == both[PTS] == PTS500
    assert both["EUR"] == Money.zero("EUR")
    assert both[CustomUnit("MILES")] == Money.zero(CustomUnit("MILES"))
    with pytest.raises(UnknownCurrency, match="MILES"):
        both["MILES"]


def test_balances_add_and_subtract_unit_by_unit() -> None:
    assert both + Balance.of(USD20) == Balance.of(Money.of(40, "USD"), PTS500)
    assert both + Money.of(1, "EUR") == Balance.of(USD20, PTS500, Money.of(1, "EUR"))
    assert both - both == Balance.of()
    assert both - USD20 == Balance.of(PTS500)
    assert -both == Balance.of(-USD20, -PTS500)


@pytest.mark.parametrize("other", [5, "USD 20.00", None, USD20.to_moneyed()])
def test_a_balance_takes_only_money_and_balances(other: Any) -> None:
    with pytest.raises(OperandRefused, match="money or another balance"):
        both + other
    with pytest.raises(OperandRefused, match="money or another balance"):
        both - other


def test_a_balance_is_made_of_our_money_or_of_py_moneyeds() -> None:
    assert Balance.of(USD20.to_moneyed()) == Balance.of(USD20)
    with pytest.raises(ArgumentRefused):
        Balance.of(5)  # type: ignore[arg-type]  # what is tested
    most = Money.of_minor(MAX_MINOR, "USD")
    with pytest.raises(AmountOutOfRange):
        Balance.of(most, most)


@pytest.mark.parametrize(
    ("needed", "covered"),
    [
        (both, True),
        (USD20, True),
        (USD20.to_moneyed(), True),
        (Balance.of(), True),
        (Balance.of(USD20, Money.of(501, PTS)), False),
        (Money.of("0.01", "EUR"), False),
        (Money.of("-0.01", "EUR"), True),  # a debt asks for nothing
    ],
)
def test_a_balance_covers_what_it_holds_in_every_unit(needed: Any, covered: bool) -> None:
    assert both.covers(needed) is covered


def test_a_balance_below_zero_does_not_cover_nothing() -> None:
    assert not Balance.of(-USD20).covers(Balance.of())


def test_balances_have_no_order() -> None:
    other: Any = Balance.of(USD20)
    for operation in (
        lambda: both < other,
        lambda: both <= other,
        lambda: both > other,
        lambda: both >= other,
        lambda: sorted([both, other]),
    ):
        with pytest.raises(OperandRefused, match="covers"):
            operation()


def test_a_balance_is_neither_true_nor_false() -> None:
    for balance in (both, Balance.of()):
        with pytest.raises(AmbiguousTruth, match="is_zero"):
            bool(balance)


def test_a_balance_is_rebuilt_from_its_repr_its_pickle_and_its_json() -> None:
    shown = "Balance.of(Money.of('500', CustomUnit('PTS', 0)), Money.of('20.00', 'USD'))"
    assert repr(both) == shown
    assert eval(shown) == both  # what a repr is for
    assert pickle.loads(pickle.dumps(both)) == copy.deepcopy(both) == both
    form = both.to_json()
    assert form == [{"amount": "500", "unit": "PTS"}, {"amount": "20.00", "unit": "USD"}]
    assert Balance.from_json(json.loads(json.dumps(form)), customs=[PTS]) == both


@pytest.mark.parametrize("form", [{}, "[]", None, [5], [{"amount": 5, "unit": "USD"}]])
def test_another_json_form_is_no_balance(form: Any) -> None:
    with pytest.raises(TextUnreadable):
        Balance.from_json(form)


def test_a_balance_equals_nothing_but_a_balance() -> None:
    others: tuple[object, ...] = (USD20, 0, (USD20,), None)
    for other in others:
        assert Balance.of(USD20) != other
