"""
What a type checker tells a caller about money.

Never run: mypy and pyright read it. Each line that is wrong on purpose carries an
ignore, and a checker that finds the ignore needless fails, so both directions hold.
"""

from decimal import Decimal
from fractions import Fraction
from typing import assert_type

import moneyed

from storecredit.values import Money, Rounding

price = Money.of("25.00", "USD")

assert_type(price, Money)
assert_type(price.minor, int)
assert_type(price + price, Money)
assert_type(price - price, Money)
assert_type(-price, Money)
assert_type(price * 3, Money)
assert_type(price < price, bool)
assert_type(price.is_zero, bool)
assert_type(price.decimal, Decimal)
assert_type(Money.zero("USD"), Money)
assert_type(Money.of(Decimal("25.00"), "USD"), Money)
assert_type(Money.of(Fraction(1, 2), "USD"), Money)
assert_type(Money.from_moneyed(moneyed.Money("25.00", "USD")), Money)
assert_type(price.to_moneyed(), moneyed.Money)
assert_type(price.multiplied_by("0.5", rounding=Rounding.HALF_EVEN), Money)
assert_type(price.ratio_to(price), Fraction)
assert_type(sum([price, price], start=Money.zero("USD")), Money)

Money.of(25.00, "USD")  # type: ignore[arg-type]  # a float is not an exact amount (V1)
Money.of_minor("2500", "USD")  # type: ignore[arg-type]  # minor units are counted in int
price * 0.5  # type: ignore[operator]  # a product that may round names its rounding (V2)
price + 1  # type: ignore[operator]  # a number has no unit (V3)
price < 1  # type: ignore[operator]  # and neither has a limit (V3)
price.minor = 1  # type: ignore[misc]  # an amount never changes (V1)
price.multiplied_by("0.5")  # type: ignore[call-arg]  # nothing rounds unless told how (V2)
