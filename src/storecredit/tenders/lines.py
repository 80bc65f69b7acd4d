"""Lines of an order, each with one price or several to choose from (T1)."""

import enum
from collections.abc import Iterable
from typing import TypeVar, final

import attrs

from storecredit.errors import InvalidOrder
from storecredit.ledger.texts import require_text
from storecredit.tenders.price import AnyPrice, Price
from storecredit.values import MAX_MINOR, Money


@final
class LineKind(enum.StrEnum):
    """What a line of an order is for (T1)."""

    GOODS = "goods"
    SHIPPING = "shipping"
    TAX = "tax"
    FEE = "fee"
    GIFT_CARD = "gift_card"
    """Bought credit: refundable only in its unspent rest, and by default not paid with credit."""


_T = TypeVar("_T")


def listed(field: str, values: object, kind: type[_T]) -> tuple[_T, ...]:
    """
    Accept a list of things of one kind.

    Raises:
        InvalidOrder: It is no list, or something else is in it.
    """
    given: tuple[object, ...] = tuple(values) if isinstance(values, Iterable) else (values,)
    found = tuple([value for value in given if isinstance(value, kind)])
    if len(found) < len(given):
        raise InvalidOrder(field, values, f"a list of {kind.__name__}")
    return found


def line_kinds(kinds: LineKind | str | Iterable[LineKind | str]) -> frozenset[LineKind]:
    """
    Accept kinds of line, or their names.

    Raises:
        InvalidOrder: One of them is no kind of line.
    """
    given = (kinds,) if isinstance(kinds, str) else kinds
    return frozenset(_line_kind(kind) for kind in given)


def _line_kind(kind: LineKind | str) -> LineKind:
    try:
        return LineKind(kind)
    except ValueError:
        raise InvalidOrder("kind", kind, f"one of {', '.join(LineKind)}") from None


def _prices(prices: AnyPrice | Iterable[AnyPrice]) -> tuple[Price, ...]:
    given = (prices,) if isinstance(prices, AnyPrice) else tuple(prices)
    found = tuple(
        [price if isinstance(price, Price) else Price((Money.coerce(price),)) for price in given]
    )
    if not found:
        raise InvalidOrder("prices", prices, "one price at least; Price.of() is a free line")
    return found


@final
@attrs.frozen
class OrderLine:
    """
    One line of an order. Its prices are for the whole line, whatever the quantity.

    Raises:
        ArgumentRefused: A price is no money.
        InvalidOrder: A negative amount, no price, an unknown kind or an impossible quantity.
        InvalidText: The id or the category cannot be kept.
    """

    id: str
    prices: tuple[Price, ...] = attrs.field(converter=_prices)
    """The prices to choose from: a `Price`, money, or a list of them."""
    kind: LineKind = attrs.field(default=LineKind.GOODS, converter=_line_kind, kw_only=True)
    category: str | None = attrs.field(default=None, kw_only=True)
    """What limits of lots and discounts go by."""
    quantity: int = attrs.field(default=1, kw_only=True)
    """How many pieces, from 1 up; refunds may come piece by piece."""

    def __attrs_post_init__(self) -> None:
        require_text("line.id", self.id)
        if self.category is not None:
            require_text("line.category", self.category)
        if type(self.quantity) is not int or not 1 <= self.quantity <= MAX_MINOR:
            raise InvalidOrder("line.quantity", self.quantity, "a whole number from 1 up")
