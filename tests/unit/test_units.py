"""Units: currencies as ISO 4217 keeps them, and units that a shop makes up (V4)."""

from __future__ import annotations

import copy
import csv
import pickle
from typing import TYPE_CHECKING

import pytest

from storecredit.errors.values import (
    ArgumentRefused,
    NoMinorUnit,
    UnitCollision,
    UnitRefused,
    UnitWithdrawn,
    UnknownCurrency,
)
from storecredit.values import (
    CostBasis,
    Currency,
    CustomUnit,
    Money,
    Rounding,
    currencies,
    currency,
    liability,
    require_issuable,
    unit,
)

if TYPE_CHECKING:
    from pathlib import Path

PTS = CustomUnit("PTS", 0, name="Points")

# ISO withdrew these before py-moneyed's data begins; the module's docstring names them too.
MISSING = frozenset("ARY AYM BGJ BGK CHC CSJ GHP GNE LAJ LSM MVQ PEH ROK UGW UYN VNC ZWC".split())


@pytest.mark.parametrize(
    ("code", "digits", "numeric", "name"),
    [
        ("USD", 2, "840", "US Dollar"),
        ("JPY", 0, "392", "Yen"),
        ("KWD", 3, "414", "Kuwaiti Dinar"),
        ("CLF", 4, "990", "Unidad de Fomento"),
        ("AUD", 2, "036", "Australian Dollar"),  # a leading zero is part of the number
        ("ISK", 0, "352", "Iceland Krona"),  # not the two that some gateways count
        ("MGA", 2, "969", "Malagasy Ariary"),  # ISO says 2, although it is fifths
    ],
)
def test_an_active_currency_has_the_minor_unit_of_iso_4217(
    code: str, digits: int, numeric: str, name: str
) -> None:
    found = currency(code)
    assert (found.code, found.digits, found.numeric, found.name) == (code, digits, numeric, name)
    assert found.issuable
    assert not found.withdrawn


@pytest.mark.parametrize(("code", "digits"), [("DEM", 2), ("ITL", 0), ("HRK", 2), ("ZWN", 2)])
def test_a_withdrawn_currency_can_be_read_but_not_issued(code: str, digits: int) -> None:
    old = currency(code)
    assert old.digits == digits
    assert old.withdrawn
    assert not old.issuable
    assert Money.of("5", old) + Money.of("5", code) == Money.of("10", code)
    with pytest.raises(UnitWithdrawn, match="nothing new is issued") as caught:
        require_issuable(old)
    assert caught.value.unit == old


def test_active_currencies_and_custom_units_are_issuable() -> None:
    require_issuable(currency("USD"))
    require_issuable(PTS)
    assert PTS.issuable


def test_the_active_and_withdrawn_codes_are_those_that_iso_publishes(shared_data: Path) -> None:
    path = shared_data / "iso4217_list_2026-01-01.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        published = {row["code"]: row for row in csv.DictReader(lines)}
    active = {code: row for code, row in published.items() if row["status"] == "active"}
    withdrawn = set(published) - set(active)
    here = {each.code: each for each in currencies()}

    money = {code: row for code, row in active.items() if row["minor_units"] != "N.A."}
    assert len(active) == 178
    assert {code for code, each in here.items() if not each.withdrawn} == set(money)
    for code, row in money.items():
        assert (here[code].digits, here[code].numeric) == (int(row["minor_units"]), row["numeric"])
    for code in set(active) - set(money):
        with pytest.raises(NoMinorUnit):
            currency(code)

    assert {code for code, each in here.items() if each.withdrawn} == withdrawn - MISSING
    assert withdrawn >= MISSING
    for code in MISSING:
        with pytest.raises(UnknownCurrency):
            currency(code)


@pytest.mark.parametrize("code", ["XAU", "XDR", "XTS", "XXX", "XAG", "XBA"])
def test_a_code_without_a_minor_unit_is_no_shop_money(code: str) -> None:
    with pytest.raises(NoMinorUnit, match="not money a shop can owe") as caught:
        currency(code)
    assert caught.value.code == code
    with pytest.raises(NoMinorUnit):
        unit(code)


@pytest.mark.parametrize("code", ["CNH", "CNX", "TVD", "IMP", "MCF", "ARL"])
def test_a_code_that_only_py_moneyed_knows_is_no_iso_currency(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        currency(code)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("usd", 'Use "USD"'),
        (" EUR ", 'Use "EUR"'),
        ("EURO", "Did you mean EUR"),
        ("USDD", "Did you mean"),
        ("", "is not an ISO 4217 currency. Points"),
        ("$", "is not an ISO 4217 currency. Points"),
        ("U" * 1000, "(1000 characters)"),
    ],
)
def test_an_unknown_code_is_refused_and_a_near_one_suggested(code: str, says: str) -> None:
    with pytest.raises(UnknownCurrency) as caught:
        currency(code)
    assert says in str(caught.value)
    assert caught.value.code == code


def test_something_else_than_text_is_no_currency_code() -> None:
    with pytest.raises(UnknownCurrency):
        currency(840)  # type: ignore[arg-type]  # what is tested


def test_a_currency_is_one_object_and_equal_by_code_and_digits() -> None:
    assert currency("USD") is currency("USD")
    assert currency("USD") == Currency("USD", 2, "another description")
    assert hash(currency("USD")) == hash(Currency("USD", 2, "another description"))
    assert currency("USD") != currency("CAD")
    assert currency("USD") != Currency("USD", 3, "US Dollar")
    assert repr(currency("USD")) == "currency('USD')"
    assert str(currency("USD")) == "USD"


@pytest.mark.parametrize(
    ("code", "digits"), [("usd", 2), ("USDT", 2), (None, 2), ("USD", -1), ("USD", 10), ("USD", "2")]
)
def test_a_currency_that_cannot_be_is_refused(code: str, digits: int) -> None:
    with pytest.raises(ArgumentRefused, match=r'currency\("USD"\)'):
        Currency(code, digits, "imagined")


def test_a_custom_unit_is_equal_by_code_and_digits_only() -> None:
    assert CustomUnit("PTS") == PTS
    assert hash(CustomUnit("PTS")) == hash(PTS)
    assert CustomUnit("PTS", 1) != PTS
    assert CustomUnit("MILES") != PTS
    assert str(PTS) == "PTS"


@pytest.mark.parametrize("code", ["PT", "PTS", "STAR_POINTS1", "X_9"])
def test_a_custom_code_is_two_to_twelve_capitals_digits_or_underscores(code: str) -> None:
    assert CustomUnit(code).code == code


@pytest.mark.parametrize(
    "code",
    ["P", "STAR_POINTS12", "pts", "1PTS", "_PTS", "P-S", "PTS ", "PTS\n", "ÉTOILE", "", None, 7],
)
def test_another_custom_code_is_refused(code: str) -> None:
    with pytest.raises(UnitRefused, match="2 to 12 capital letters") as caught:
        CustomUnit(code)
    assert caught.value.code == code


@pytest.mark.parametrize("digits", [-1, 10, True, "0", None])
def test_digits_other_than_zero_to_nine_are_refused(digits: int) -> None:
    with pytest.raises(UnitRefused, match="from 0 to 9"):
        CustomUnit("PTS", digits)


@pytest.mark.parametrize("name", ["", " ", " Points", 5, "P" * 81])
def test_a_name_that_is_no_text_is_refused(name: str) -> None:
    with pytest.raises(UnitRefused, match="a name is a text"):
        CustomUnit("PTS", name=name)


@pytest.mark.parametrize(
    ("code", "name"),
    [("USD", "US Dollar"), ("DEM", "German Mark"), ("XAU", "Gold")],
)
def test_a_custom_unit_may_not_look_like_a_currency(code: str, name: str) -> None:
    with pytest.raises(UnitCollision, match="may not look like") as caught:
        CustomUnit(code, 2)
    assert (caught.value.code, caught.value.name) == (code, name)


@pytest.mark.parametrize(
    ("custom", "shown"),
    [
        (CustomUnit("PTS"), "CustomUnit('PTS', 0)"),
        (PTS, "CustomUnit('PTS', 0, name='Points')"),
        (
            CustomUnit("PTS", 2, cost_basis=CostBasis(1000, Money.of("8.00", "USD"))),
            "CustomUnit('PTS', 2, cost_basis=CostBasis(units=1000, money=Money.of('8.00', 'USD')))",
        ),
    ],
)
def test_the_repr_of_a_custom_unit_rebuilds_it(custom: CustomUnit, shown: str) -> None:
    assert repr(custom) == shown
    again = eval(shown)  # what a repr is for
    assert again == custom
    assert (again.name, again.cost_basis) == (custom.name, custom.cost_basis)


@pytest.mark.parametrize("original", [currency("USD"), currency("ITL"), PTS])
def test_units_survive_pickling_and_copying(original: Currency | CustomUnit) -> None:
    for again in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original)):
        assert again == original
        assert hash(again) == hash(original)
        assert again.name == original.name


def test_a_code_is_looked_up_among_custom_units_and_then_in_iso() -> None:
    assert unit("PTS", customs=[PTS]) is PTS
    assert unit("USD", customs=[PTS]) is currency("USD")
    assert unit(PTS) is PTS
    assert unit(currency("EUR")) is currency("EUR")
    with pytest.raises(UnknownCurrency, match="PTS"):
        unit("PT", customs=[PTS])
    with pytest.raises(ArgumentRefused, match="a Currency, a CustomUnit or a code"):
        unit(None)  # type: ignore[arg-type]  # what is tested


def test_points_have_a_liability_in_money_by_their_cost_basis() -> None:
    basis = CostBasis(1000, Money.of("8.00", "USD"))
    points = CustomUnit("PTS", 0, cost_basis=basis)
    assert liability(Money.of(500, points), rounding=Rounding.HALF_UP) == Money.of("4.00", "USD")
    # One point is 0.8 of a cent: the rounding decides, and the sign is kept.
    assert liability(Money.of(1, points), rounding=Rounding.DOWN) == Money.zero("USD")
    assert liability(Money.of(-1, points), rounding=Rounding.UP) == Money.of("-0.01", "USD")


def test_money_is_its_own_liability() -> None:
    euros = Money.of("5.00", "EUR")
    assert liability(euros, rounding=Rounding.UNNECESSARY) == euros
    assert liability(euros.to_moneyed(), rounding=Rounding.UNNECESSARY) == euros


def test_points_without_a_cost_basis_have_no_liability_to_state() -> None:
    with pytest.raises(ArgumentRefused, match="a unit that has a cost basis"):
        liability(Money.of(500, PTS), rounding=Rounding.HALF_UP)


@pytest.mark.parametrize(
    ("units", "money"),
    [
        (0, Money.of("8.00", "USD")),
        (True, Money.of("8.00", "USD")),
        (1000, Money.zero("USD")),
        (1000, Money.of("-8.00", "USD")),
        (1000, Money.of(8, PTS)),
        (1000, "8.00"),
    ],
)
def test_a_cost_basis_is_a_positive_price_of_one_or_more_units(units: int, money: Money) -> None:
    with pytest.raises(ArgumentRefused):
        CostBasis(units, money)


def test_a_custom_unit_takes_a_cost_basis_and_nothing_else_for_it() -> None:
    with pytest.raises(ArgumentRefused, match="a CostBasis"):
        CustomUnit("PTS", cost_basis=Money.of("8.00", "USD"))  # type: ignore[arg-type]  # what is tested
