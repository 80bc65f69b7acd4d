"""What is asked to be refunded: pieces, lines, or amounts of the whole order (T6)."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import final

import attrs

from storecredit.errors import InvalidTender
from storecredit.ledger.texts import require_text
from storecredit.tenders.lines import listed
from storecredit.tenders.payment import Payment, Return
from storecredit.tenders.price import amounts_by_unit
from storecredit.values import AnyMoney, Balance, ExactNumber, Money, Rounding
from storecredit.values.amounts import exact_number


def _quantity(quantity: int | None) -> int | None:
    if quantity is not None and (type(quantity) is not int or quantity < 1):
        raise InvalidTender("quantity", quantity, "a whole number from 1 up, or None")
    return quantity


def _amounts(amounts: AnyMoney | Iterable[AnyMoney]) -> tuple[Money, ...]:
    return amounts_by_unit("refund", amounts)


@final
@attrs.frozen
class RefundItem:
    """
    One line of a refund: so many pieces, or so much of it; without either, all that is left.

    Raises:
        InvalidTender: No possible quantity, or both a quantity and amounts.
        InvalidOrder: A negative amount, or two for one unit.
        ArgumentRefused: An amount is no money.
    """

    line: str
    quantity: int | None = attrs.field(default=None, converter=_quantity, kw_only=True)
    amounts: tuple[Money, ...] = attrs.field(default=(), converter=_amounts, kw_only=True)
    """How much of the line, one amount for each unit."""

    def __attrs_post_init__(self) -> None:
        require_text("line", self.line)
        if self.quantity is not None and self.amounts:
            raise InvalidTender("quantity", self.quantity, "None where amounts are given")


def _items(items: Iterable[RefundItem]) -> tuple[RefundItem, ...]:
    found = listed("items", items, RefundItem)
    lines = [item.line for item in found]
    if len(set(lines)) < len(lines):
        raise InvalidTender("items", lines, "items that name each line once")
    return found


@final
@attrs.frozen(kw_only=True)
class RefundRequest:
    """
    What is to be refunded: lines, pieces, and amounts of the whole order.

    Raises:
        InvalidTender, InvalidOrder, ArgumentRefused: Items or amounts that cannot be.
    """

    items: tuple[RefundItem, ...] = attrs.field(default=(), converter=_items)
    amounts: tuple[Money, ...] = attrs.field(default=(), converter=_amounts)
    """Off the order as a whole, after the items; one amount for each unit."""

    @classmethod
    def of_everything(cls, payment: Payment) -> "RefundRequest":
        """Ask for all that is left of every line."""
        return cls(items=[RefundItem(line.id) for line in payment.lines])

    @classmethod
    def of_lines(cls, lines: Mapping[str, int | None] | Iterable[str]) -> "RefundRequest":
        """Ask for pieces by line id; for all that is left of a line where it names no quantity."""
        named = lines if isinstance(lines, Mapping) else dict.fromkeys(lines)
        return cls(items=[RefundItem(line, quantity=named[line]) for line in named])

    @classmethod
    def of_amount(cls, *amounts: AnyMoney) -> "RefundRequest":
        """Ask for amounts of the order as a whole, one for each unit."""
        return cls(amounts=amounts)

    @classmethod
    def of_percent(
        cls, payment: Payment, percent: ExactNumber, *, rounding: Rounding
    ) -> "RefundRequest":
        """Ask for so many hundredths of all that was paid, in every unit; each is rounded once."""
        exact = exact_number(percent, what="A percentage", instead='"12.5"') * Fraction(1, 100)
        return cls(
            amounts=[amount.multiplied_by(exact, rounding=rounding) for amount in payment.paid]
        )

    @classmethod
    def of_failed(cls, returned: Return) -> "RefundRequest":
        """Ask again for what external tenders have failed to take back."""
        by_line: dict[str, list[Money]] = {}
        for part in returned.parts:
            if not returned.counts(part):
                by_line.setdefault(part.line, []).append(part.covers)
        return cls(
            items=[
                RefundItem(line, amounts=Balance.of(*amounts)) for line, amounts in by_line.items()
            ]
        )
