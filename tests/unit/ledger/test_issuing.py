"""Issuing lots: terms, expiries, ceilings, and every amount that is none (A4, A11, V1, V2, V4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import moneyed
import pytest

from storecredit.errors import (
    AmountNotPositive,
    AmountOutOfRange,
    AmountTooFine,
    AmountUnreadable,
    ArgumentRefused,
    CeilingReached,
    ExpiryTooEarly,
    FloatRefused,
    InvalidTerms,
    NaiveInstant,
    UnitCollision,
    UnitRedefined,
    UnitWithdrawn,
    UnknownCurrency,
)
from storecredit.ledger import Ceiling, Limits, Paid, Terms
from storecredit.values import CustomUnit, Money, Period

MOST = 2**63 - 1
NAIVE = datetime(2026, 12, 31)  # noqa: DTZ001 - it is what has to be refused


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_an_issue_creates_one_lot_with_its_terms(shop, moves) -> None:
    receipt = shop.issue(
        "50.00",
        funding="purchased",
        expires=Period(months=12),
        effective=Period(days=14),
        priority=-3,
        limits=Limits(categories=("shoes",), minimum_order=2000),
        paid=usd("45.00"),
        reference="order 1001",
    )
    assert moves(receipt) == [("issued", 5000)]
    assert receipt.amount == usd("50.00")
    (lot,) = shop.account().lots
    assert lot.id == receipt.lot_id
    assert lot.amount == lot.remaining == usd("50.00")
    assert lot.held == usd("0.00")
    assert lot.terms.effective_at == datetime(2026, 3, 16, 12, tzinfo=UTC)
    # A period counts from when the value becomes effective.
    assert lot.terms.expires_at == datetime(2027, 3, 16, 12, tzinfo=UTC)
    assert lot.terms.priority == -3
    assert lot.terms.limits == Limits(categories=("shoes",), minimum_order=2000)
    assert lot.terms.paid == Paid(usd("45.00"), 5000)


def test_pending_value_is_shown_apart_and_counts_from_its_first_instant(shop) -> None:
    shop.issue("50.00", effective=Period(days=14))
    assert (str(shop.account().available), str(shop.account().pending)) == ("USD 0.00", "USD 50.00")
    shop.clock.forward(days=14, microseconds=-1)
    assert str(shop.account().pending) == "USD 50.00"
    shop.clock.forward(microseconds=1)
    assert (str(shop.account().available), str(shop.account().pending)) == ("USD 50.00", "USD 0.00")


def test_an_expiry_instant_is_exclusive_and_a_date_is_inclusive(make_shop) -> None:
    shop = make_shop(zone="Europe/Berlin")
    shop.issue("1.00", expires=datetime(2026, 4, 1, tzinfo=UTC))
    shop.issue("2.00", expires=date(2026, 4, 1))
    first, second = shop.account().lots
    assert first.terms.expires_at == datetime(2026, 4, 1, tzinfo=UTC)
    # Berlin keeps summer time on that day: midnight is 22:00 UTC.
    assert second.terms.expires_at == datetime(2026, 4, 1, 22, tzinfo=UTC)


def test_an_expiry_in_the_past_names_the_earliest_possible(shop) -> None:
    with shop.refuses(ExpiryTooEarly) as refused:
        shop.issue("50.00", expires=shop.clock.now)
    assert refused.error.expires_at == shop.clock.now
    assert refused.error.earliest == shop.clock.now + timedelta(microseconds=1)
    assert "never be spendable" in str(refused.error)
    shop.issue("50.00", expires=refused.error.earliest)
    assert shop.available() == "USD 50.00"


def test_value_may_not_expire_before_it_is_effective(shop) -> None:
    effective = shop.clock.now + timedelta(days=10)
    with shop.refuses(ExpiryTooEarly) as refused:
        shop.issue("50.00", effective=effective, expires=effective)
    assert refused.error.earliest == effective + timedelta(microseconds=1)


def test_a_price_in_points_is_kept_and_read_back(shop) -> None:
    price = Money.of("2500", CustomUnit("PTS", 0))
    shop.issue("25.00", funding="purchased", paid=price)
    terms = shop.account().lots[0].terms
    assert terms.paid == Paid(price, 2500)
    assert Terms.from_json(terms.to_json()) == terms


def test_a_minimum_life_depends_on_the_funding(make_shop) -> None:
    shop = make_shop(minimum_life={"purchased": Period(years=5)})
    with shop.refuses(ExpiryTooEarly) as refused:
        shop.issue("50.00", funding="purchased", expires=Period(months=59))
    assert refused.error.earliest == datetime(2031, 3, 2, 12, tzinfo=UTC)
    assert "purchased value has to live for P5Y" in str(refused.error)
    shop.issue("50.00", funding="purchased", expires=refused.error.earliest)
    shop.issue("50.00", funding="purchased")  # never expiring is long enough
    shop.issue("50.00", funding="promotional", expires=Period(days=1))
    assert shop.available() == "USD 150.00"


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        (lambda: Money.of(50.0, "USD"), FloatRefused),
        (lambda: Money.of(float("nan"), "USD"), FloatRefused),
        (lambda: Money.of(float("-inf"), "USD"), FloatRefused),
        (lambda: Money.of(Decimal("NaN"), "USD"), AmountUnreadable),
        (lambda: Money.of(Decimal("Infinity"), "USD"), AmountUnreadable),
        (lambda: moneyed.Money(Decimal("NaN"), "USD"), AmountUnreadable),
        (lambda: moneyed.Money("0.001", "USD"), AmountTooFine),
        (lambda: Money.of("0.001", "USD"), AmountTooFine),
        (lambda: Money.of("92233720368547758.08", "USD"), AmountOutOfRange),
        (lambda: Money.of("1.00", "USX"), UnknownCurrency),
        (lambda: CustomUnit("EUR", 0), UnitCollision),
        (lambda: 50, ArgumentRefused),
        (lambda: 50.0, ArgumentRefused),
        (lambda: "50.00", ArgumentRefused),
        (lambda: None, ArgumentRefused),
        (lambda: Money.of("0.00", "USD"), AmountNotPositive),
        (lambda: Money.of("-0.01", "USD"), AmountNotPositive),
        (lambda: Money.of("10", "DEM"), UnitWithdrawn),
    ],
)
def test_what_is_no_issuable_amount_is_refused(shop, amount, error) -> None:
    shop.issue("1.00")
    with shop.refuses(error):
        shop.credit.issue("c-17", amount(), funding="refund", key="k")


def test_a_refused_amount_says_so(shop) -> None:
    with shop.refuses(AmountNotPositive) as refused:
        shop.issue("-5.00")
    assert (refused.error.doing, refused.error.amount) == ("issue", usd("-5.00"))
    assert str(refused.error).startswith("Cannot issue USD -5.00: the amount has to be above zero")


def test_money_of_py_moneyed_is_taken(shop) -> None:
    shop.credit.issue("c-17", moneyed.Money("12.34", "USD"), funding="refund", key="a")
    assert shop.available() == "USD 12.34"


def test_the_largest_amount_fits_and_one_more_cent_is_refused(shop) -> None:
    shop.credit.issue("c-17", Money.of_minor(MOST, "USD"), funding="refund", key="a")
    assert shop.account().available == Money.of_minor(MOST, "USD")
    with shop.refuses(AmountOutOfRange) as refused:
        shop.issue("0.01")
    assert refused.error.amount == 2**63
    assert refused.error.unit.code == "USD"
    shop.credit.redeem("c-17", Money.of_minor(MOST, "USD"), key="b")
    # The balance is zero, and the sum of all that was ever issued is what no longer fits.
    with shop.refuses(AmountOutOfRange) as refused:
        shop.issue("0.01")
    assert refused.error.amount == 2**63


def test_a_withdrawn_currency_can_be_read_and_not_issued(shop) -> None:
    with shop.refuses(UnitWithdrawn) as refused:
        shop.credit.issue("c-17", Money.of("10.00", "DEM"), funding="refund", key="a")
    assert refused.error.unit.code == "DEM"
    assert str(shop.credit.account("c-17", "DEM").available) == "DEM 0.00"


def test_a_custom_unit_with_other_digits_than_stored_is_refused(shop) -> None:
    shop.credit.issue("c-17", Money.of("5", CustomUnit("PTS", 0)), funding="earned", key="a")
    with shop.refuses(UnitRedefined) as refused:
        shop.credit.issue("c-17", Money.of("5", CustomUnit("PTS", 2)), funding="earned", key="b")
    error = refused.error
    assert (error.code, error.stored, error.declared) == ("PTS", 0, 2)
    assert "Digits of a unit never change" in str(error)


def test_a_custom_unit_with_other_digits_than_the_merchant_declares_is_refused(make_shop) -> None:
    shop = make_shop(units=(CustomUnit("PTS", 0),))
    with shop.refuses(UnitRedefined):
        shop.credit.issue("c-17", Money.of("5", CustomUnit("PTS", 2)), funding="earned", key="b")


def test_a_declared_unit_is_found_by_its_code(make_shop) -> None:
    points = CustomUnit("PTS", 0)
    shop = make_shop(units=(points,))
    shop.credit.issue("c-17", Money.of("5", points), funding="earned", key="a")
    assert shop.credit.account("c-17", "PTS").available == Money.of("5", points)
    with pytest.raises(UnknownCurrency):
        shop.credit.account("c-17", "MILES")


@pytest.mark.parametrize("priority", [True, 1.5, "1", None, 1_000_001, -1_000_001])
def test_a_priority_is_a_whole_number_near_zero(shop, priority) -> None:
    with shop.refuses(InvalidTerms) as refused:
        shop.issue("1.00", priority=priority)
    assert (refused.error.field, refused.error.value) == ("priority", priority)


@pytest.mark.parametrize("price", ["-0.01", "0.00"])
def test_what_was_paid_is_above_zero_or_nothing_was_bought(shop, price) -> None:
    with shop.refuses(InvalidTerms) as refused:
        shop.issue("1.00", paid=usd(price))
    assert (refused.error.field, refused.error.value) == ("paid", f"USD {price}")
    assert "above zero, or left out for given value" in str(refused.error)


@pytest.mark.parametrize("limits", ["shoes", {"categories": ["shoes"]}, 5])
def test_limits_are_limits(shop, limits) -> None:
    with shop.refuses(InvalidTerms) as refused:
        shop.issue("1.00", limits=limits)
    assert (refused.error.field, refused.error.value) == ("limits", limits)


@pytest.mark.parametrize("funding", ["cash", "", None, 5])
def test_funding_is_a_closed_list(shop, funding) -> None:
    with shop.refuses(InvalidTerms) as refused:
        shop.issue("1.00", funding=funding)
    assert (refused.error.field, refused.error.value) == ("funding", funding)
    assert "purchased, refund, goodwill, promotional, earned, deposit" in str(refused.error)


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"expires": NAIVE}, NaiveInstant),
        ({"effective": NAIVE}, NaiveInstant),
        ({"expires": "2026-12-31"}, ArgumentRefused),
        ({"expires": 30}, ArgumentRefused),
        ({"effective": date(2026, 12, 31)}, ArgumentRefused),
        ({"effective": 30}, ArgumentRefused),
        ({"at": NAIVE}, NaiveInstant),
        ({"occurred_at": NAIVE}, NaiveInstant),
        ({"at": "2026-03-02"}, ArgumentRefused),
    ],
)
def test_a_time_that_is_no_instant_is_refused(shop, terms, error) -> None:
    with shop.refuses(error):
        shop.issue("1.00", **terms)


def test_a_ceiling_refuses_what_would_go_above_it(make_shop) -> None:
    shop = make_shop(ceilings=[Ceiling(usd("100.00"))])
    shop.issue("60.00")
    with shop.refuses(CeilingReached) as refused:
        shop.issue("40.01")
    error = refused.error
    assert (error.holder, error.amount, error.balance, error.maximum) == (
        "c-17",
        usd("40.01"),
        usd("60.00"),
        usd("100.00"),
    )
    assert "There is room for USD 40.00" in str(error)
    shop.issue("40.00")
    assert shop.available() == "USD 100.00"


def test_a_ceiling_of_another_unit_does_not_count(make_shop) -> None:
    shop = make_shop(ceilings=[Ceiling(Money.of("1.00", "EUR"))])
    assert shop.issue("60.00").amount == usd("60.00")


def test_a_ceiling_up_to_records_what_was_withheld(make_shop) -> None:
    shop = make_shop(ceilings=[Ceiling(usd("100.00"), above="up_to")])
    shop.issue("60.00")
    receipt = shop.issue("50.00", key="a")
    assert (receipt.amount, receipt.withheld) == (usd("40.00"), usd("10.00"))
    again = shop.issue("50.00", key="a")
    assert (again.replayed, again.withheld) == (True, usd("10.00"))
    with shop.refuses(CeilingReached) as refused:
        shop.issue("0.01")
    assert "There is no room for more" in str(refused.error)


@pytest.mark.parametrize("swept", [False, True])
def test_expired_value_takes_no_room_under_a_ceiling_swept_or_not(make_shop, swept) -> None:
    shop = make_shop(ceilings=[Ceiling(usd("100.00"))])
    shop.issue("100.00", expires=Period(days=1))
    shop.clock.forward(days=1)
    if swept:
        shop.credit.expire_due()
    assert shop.issue("100.00").amount == usd("100.00")


def test_a_ceiling_is_not_below_zero() -> None:
    with pytest.raises(InvalidTerms) as refused:
        Ceiling(usd("-0.01"))
    assert (refused.value.field, refused.value.value) == ("maximum", usd("-0.01"))


def test_value_that_arrives_by_transfer_stays_under_the_ceiling(make_shop) -> None:
    shop = make_shop(ceilings=[Ceiling(usd("100.00"), above="up_to")])
    shop.issue("60.00")
    shop.issue("60.00", holder="c-18")
    with shop.refuses(CeilingReached) as refused:
        shop.credit.transfer("c-17", "c-18", usd("40.01"), key="t")
    assert (refused.error.holder, refused.error.balance) == ("c-18", usd("60.00"))
    assert shop.credit.transfer("c-17", "c-18", usd("40.00"), key="t").received.changed


def test_two_ceilings_for_one_unit_are_refused(make_shop) -> None:
    with pytest.raises(InvalidTerms) as refused:
        make_shop(ceilings=[Ceiling(usd("1.00")), Ceiling(usd("2.00"))])
    assert refused.value.value == ["USD", "USD"]


def test_a_unit_is_declared_once(make_shop) -> None:
    with pytest.raises(InvalidTerms) as refused:
        make_shop(units=[CustomUnit("PTS", 0), CustomUnit("PTS", 2)])
    assert refused.value.field == "units"
