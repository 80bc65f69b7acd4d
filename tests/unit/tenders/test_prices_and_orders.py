"""Prices as sums over units, orders, discounts and frozen rates (T1, V5)."""

from __future__ import annotations

import datetime as dt
import pickle
from fractions import Fraction

import attrs
import pytest

from storecredit.errors import (
    ArgumentRefused,
    FloatRefused,
    InvalidOrder,
    InvalidTender,
    InvalidText,
    UnknownOrderLine,
    UnknownPrice,
)
from storecredit.tenders import Discount, LineKind, Order, OrderLine, PayingRate, Price
from storecredit.values import CustomUnit, Division, ExchangeRate, Money, Rounding
from storecredit.values import unit as unit_named

USD = unit_named("USD")
PTS = CustomUnit("PTS", 0)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def rate(points: int, money: str, rounding: Rounding = Rounding.HALF_UP) -> PayingRate:
    found = ExchangeRate.equating(pts(points), usd(money), on=dt.date(2026, 1, 1))
    return PayingRate(found, rounding)


# --- Prices and lines -------------------------------------------------------------------


def test_a_price_is_a_sum_over_units() -> None:
    assert str(Price.of(usd("10.00"), pts(1500))) == "USD 10.00 + PTS 1500"
    assert str(Price.of()) == "nothing"


def test_a_line_takes_money_a_price_or_a_list_of_them() -> None:
    assert OrderLine("1", usd("5.00")).prices == (Price.of(usd("5.00")),)
    hybrid = Price.of(usd("1.00"), pts(400))
    assert OrderLine("1", [usd("5.00"), pts(500), hybrid]).prices == (
        Price.of(usd("5.00")),
        Price.of(pts(500)),
        hybrid,
    )


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Price.of(usd("-0.01")), "price"),
        (lambda: Price.of(usd("1.00"), usd("2.00")), "price"),
        (lambda: OrderLine("1", []), "prices"),
        (lambda: OrderLine("1", usd("1.00"), kind="coffee"), "kind"),
        (lambda: OrderLine("1", usd("1.00"), quantity=0), "line.quantity"),
        (lambda: OrderLine("1", usd("1.00"), quantity=True), "line.quantity"),
        (lambda: Order("o-1", []), "lines"),
        (lambda: Order("o-1", [usd("1.00")]), "lines"),
        (lambda: Order("o-1", usd("1.00")), "lines"),
        (lambda: Order("o-1", [OrderLine("1", pts(1)), OrderLine("1", pts(2))]), "lines"),
        (lambda: Order("o-1", [OrderLine("1", pts(1))], discounts=["off"]), "discounts"),
        (lambda: Order("o-1", [OrderLine("1", pts(1))], discounts=7), "discounts"),
        (lambda: Discount("d"), "discount"),
        (lambda: Discount("d", amount=usd("1.00"), percent=1), "discount"),
        (lambda: Discount("d", amount=usd("-1.00")), "discount.amount"),
        (lambda: Discount("d", percent=101, rounding=Rounding.DOWN), "discount.percent"),
        (lambda: Discount("d", percent=-1, rounding=Rounding.DOWN), "discount.percent"),
        (lambda: Discount("d", percent=10), "discount.rounding"),
        (lambda: Discount("d", amount=usd("1.00"), lines="1"), "discount"),
        (lambda: Discount("d", amount=usd("1.00"), categories=7), "discount"),
    ],
)
def test_what_cannot_be_ordered_is_refused_and_the_field_is_named(make, field) -> None:
    with pytest.raises(InvalidOrder) as caught:
        make()
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field} is ")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)


def test_what_is_no_money_and_no_text_is_refused_as_everywhere() -> None:
    with pytest.raises(ArgumentRefused):
        Price.of("5.00")
    with pytest.raises(ArgumentRefused):
        OrderLine("1", [5])
    with pytest.raises(InvalidText):
        OrderLine("", usd("1.00"))
    with pytest.raises(InvalidText):
        OrderLine("1", usd("1.00"), category="\n")
    with pytest.raises(FloatRefused):
        Discount("d", percent=12.5, rounding=Rounding.DOWN)
    with pytest.raises(ArgumentRefused):
        Discount("d", amount=usd("1.00"), by="first")


def test_an_order_knows_its_lines_and_their_prices() -> None:
    order = Order("o-1", [OrderLine("1", [usd("5.00"), pts(500)]), OrderLine("2", pts(1))])
    assert order.place("2") == 1
    assert order.require_price(0, 1) == 1
    with pytest.raises(UnknownOrderLine) as line:
        order.place("3")
    assert line.value.lines == ("1", "2")
    for chosen in (2, -1, True, "1"):
        with pytest.raises(UnknownPrice) as price:
            order.require_price(0, chosen)
        assert (price.value.line, price.value.prices) == ("1", 2)


# --- Discounts --------------------------------------------------------------------------

LINES = [
    OrderLine("book", usd("10.00"), category="books"),
    OrderLine("shirt", usd("20.00"), category="clothes"),
    OrderLine("post", usd("5.00"), kind=LineKind.SHIPPING),
]
COSTS = [1000, 2000, 500]


@pytest.mark.parametrize(
    ("discount", "shares"),
    [
        # A third and two thirds of a dollar: the odd cent goes to the larger remainder.
        (Discount("d", amount=usd("1.00")), {0: 33, 1: 67}),
        (Discount("d", amount=usd("1.00"), by=Division.FIRST_PARTS), {0: 34, 1: 66}),
        # 10 % of 30.00, of goods only.
        (Discount("d", percent=10, rounding=Rounding.HALF_UP), {0: 100, 1: 200}),
        # Rounded once, for the sum: 0.33 of 30.00 is 0.099, and not 0.03 + 0.07.
        (Discount("d", percent="0.33", rounding=Rounding.HALF_UP), {0: 3, 1: 7}),
        (Discount("d", amount=usd("1.00"), kinds=["shipping"]), {2: 100}),
        (Discount("d", amount=usd("1.00"), kinds="shipping"), {2: 100}),
        (Discount("d", amount=usd("1.00"), categories=["books"]), {0: 100}),
        (Discount("d", amount=usd("1.00"), lines=["shirt"]), {1: 100}),
        # More than there is: the lines end at nothing, and the rest is lost.
        (Discount("d", amount=usd("99.00"), lines=["book"]), {0: 1000}),
        (Discount("d", amount=usd("0.00")), {}),
        (Discount("d", amount=pts(5)), {}),
        (Discount("d", amount=usd("1.00"), categories=["toys"]), {}),
    ],
)
def test_a_discount_is_spread_exactly_over_the_lines_it_counts_for(discount, shares) -> None:
    assert discount.shares(LINES, USD, COSTS) == shares


def test_a_division_that_takes_more_from_a_line_than_it_costs_is_refused() -> None:
    lines = [OrderLine(str(number), usd("0.01")) for number in range(5)]
    discount = Discount("d", amount=usd("0.03"), by=Division.LAST_ABSORBS)
    with pytest.raises(InvalidOrder) as caught:
        discount.shares(lines, USD, [1] * 5)
    assert caught.value.field == "discount d"


# --- Frozen rates -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paying", "points", "cents"),
    [
        (rate(1000, "8.00"), 2499, 1999),  # 1999.2
        (rate(1000, "8.00"), 3, 2),  # 2.4
        (rate(1000, "8.00", Rounding.UP), 3, 3),
        (rate(1, "5.00"), 2, 1000),
        (rate(1000, "8.00"), 0, 0),
    ],
)
def test_what_points_are_worth(paying, points, cents) -> None:
    assert paying.worth(points) == cents


@pytest.mark.parametrize(
    ("paying", "due", "step", "points"),
    [
        (rate(1000, "8.00"), 1999, 1, 2499),
        (rate(1000, "8.00", Rounding.DOWN), 1999, 1, 2499),
        # Counted up, 2498 points (19.984) are 19.99 already.
        (rate(1000, "8.00", Rounding.UP), 1999, 1, 2498),
        (rate(1000, "8.00"), 1999, 100, 2500),
        (rate(1, "5.00"), 1, 1, 1),
        (rate(1, "5.00"), 0, 1, 0),
    ],
)
def test_how_many_points_are_needed(paying, due, step, points) -> None:
    assert paying.needed(due, step=step) == points
    assert paying.worth(points) >= due
    assert points < step or paying.worth(points - step) < due


@pytest.mark.parametrize(
    ("paying", "due", "points", "step", "paid"),
    [
        (rate(1000, "8.00"), 1999, 10_000, 1, 1999),
        (rate(1000, "8.00"), 1999, 100, 1, 80),
        # Whole hundreds: 2400 points pay 19.20.
        (rate(1000, "8.00"), 1999, 10_000, 100, 1920),
        # A token of 5.00 never pays 4.99, and no token is given for less than it is worth.
        (rate(1, "5.00"), 499, 3, 1, 0),
        (rate(1, "5.00"), 1499, 9, 1, 1000),
    ],
)
def test_how_much_points_pay_at_most(paying, due, points, step, paid) -> None:
    assert paying.most_within(due, points, step=step) == paid


def test_a_rate_needs_its_date_and_a_rounding_that_always_answers() -> None:
    found = rate(1, "0.01")
    assert (found.unit, found.pays) == (PTS, USD)
    assert found.rate.rate == Fraction(1, 100)
    for wrong in ({"rate": "0.01"}, {"rounding": Rounding.UNNECESSARY}, {"rounding": "up"}):
        with pytest.raises(InvalidTender):
            attrs.evolve(found, **wrong)
