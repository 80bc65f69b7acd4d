"""An order: what is to be paid, and what is taken off before anyone pays (T1)."""

from collections.abc import Iterable
from typing import final

import attrs

from storecredit.errors import InvalidOrder, UnknownOrderLine, UnknownPrice
from storecredit.ledger.texts import require_text
from storecredit.tenders.discount import Discount
from storecredit.tenders.lines import OrderLine, listed


def _order_lines(lines: Iterable[OrderLine]) -> tuple[OrderLine, ...]:
    return listed("lines", lines, OrderLine)


def _discounts(discounts: Iterable[Discount]) -> tuple[Discount, ...]:
    return listed("discounts", discounts, Discount)


@final
@attrs.frozen
class Order:
    """
    What is to be paid, under the id that holds and records name it by.

    Raises:
        InvalidOrder: No lines, something else than lines or discounts, or one id twice.
        InvalidText: The id cannot be kept.
    """

    id: str
    lines: tuple[OrderLine, ...] = attrs.field(converter=_order_lines)
    discounts: tuple[Discount, ...] = attrs.field(default=(), converter=_discounts, kw_only=True)
    """Taken off one after the other, each of what the ones before it have left."""

    def __attrs_post_init__(self) -> None:
        require_text("order.id", self.id)
        if not self.lines:
            raise InvalidOrder("lines", (), "one line at least")
        for field, found in (("lines", self.lines), ("discounts", self.discounts)):
            ids = [each.id for each in found]
            if len(set(ids)) < len(ids):
                raise InvalidOrder(field, ids, "each id once")

    def place(self, line: str) -> int:
        """
        Return the position of the line with that id.

        Raises:
            UnknownOrderLine: There is none.
        """
        for place, each in enumerate(self.lines):
            if each.id == line:
                return place
        raise UnknownOrderLine(line, tuple(each.id for each in self.lines))

    def require_price(self, place: int, chosen: object) -> int:
        """
        Return *chosen* if the line at *place* has a price with that number, from 0.

        Raises:
            UnknownPrice: It has none.
        """
        line = self.lines[place]
        if type(chosen) is not int or not 0 <= chosen < len(line.prices):
            raise UnknownPrice(line.id, chosen, len(line.prices))
        return chosen
