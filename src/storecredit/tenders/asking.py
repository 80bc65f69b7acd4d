"""Asking: how much of which line a request brings back, and what cannot come back (T6)."""

from collections.abc import Mapping
from typing import Final, final

from storecredit.errors import QuantityExceedsRest, RefundExceedsPaid
from storecredit.tenders.lines import LineKind
from storecredit.tenders.payment import LineQuantity, Payment
from storecredit.tenders.plan import PlanPart
from storecredit.tenders.refund_plan import Unplaced, UnplacedBecause
from storecredit.tenders.refund_request import RefundItem
from storecredit.tenders.refund_rules import Beyond
from storecredit.tenders.rest import Rest
from storecredit.tenders.spreading import share_of
from storecredit.values import AnyMoney, Balance, Money, Unit


def is_gift_card(payment: Payment, line: str) -> bool:
    """Tell whether *line* is bought credit, which comes back in its unspent rest only."""
    return payment.line(line).kind is LineKind.GIFT_CARD


@final
class Asked:
    """What comes back, by line and unit, as far as it was paid and is not returned yet."""

    def __init__(
        self, payment: Payment, beyond: Beyond, unspent: Mapping[str, AnyMoney | Balance]
    ) -> None:
        for line in unspent:
            payment.line(line)
        self.rest: Final = Rest(payment)
        self.quantities: Final[list[LineQuantity]] = []
        self.unplaced: Final[list[Unplaced]] = []
        self.goodwill: Final[list[Money]] = []
        self._payment: Final = payment
        self._beyond: Final = beyond
        self._unspent: Final = {
            (line, amount.unit): amount.minor
            for line in unspent
            for amount in _amounts(unspent[line])
        }
        self.lines: Final[dict[tuple[str, Unit], int]] = {}
        """What comes back of which line, in which unit."""
        self.free: Final[dict[Unit, int]] = {}
        """What comes back of the order as a whole."""
        self.reductions: Final[dict[PlanPart, int]] = {}

    def add_item(self, item: RefundItem) -> None:
        """Add one line."""
        line = self._payment.line(item.line)
        units = self._units_of(line.id)
        left = self.rest.pieces(line.id)
        if item.amounts:
            for amount in item.amounts:
                within = self._within(amount, self._parts(line.id, amount.unit), of=line.id)
                self._add(line.id, amount.unit, within)
            return
        quantity = left if item.quantity is None else item.quantity
        if quantity > left:
            raise QuantityExceedsRest(line.id, quantity, line.quantity, line.quantity - left)
        if quantity:
            self.quantities.append(LineQuantity(line.id, quantity))
        all_of_it = item.quantity is None or quantity == left
        for unit in units:
            rest = self.rest.total(self._parts(line.id, unit))
            if rest:
                share = rest if all_of_it else _share(rest, quantity, left)
                self._add(line.id, unit, share)
        for part in self.rest.reductions:
            if part.line == line.id:
                rest = self.rest.of(part, is_reduction=True)
                share = rest if all_of_it else _share(rest, quantity, left)
                self.reductions[part] = self.reductions.get(part, 0) + share

    def add_amount(self, amount: Money) -> None:
        """Add an amount of the order as a whole, gift cards aside, after the items."""
        parts = [
            part
            for part in self.rest.parts
            if part.covers.unit == amount.unit and not is_gift_card(self._payment, part.line)
        ]
        taken = sum(
            share
            for (line, unit), share in self.lines.items()
            if unit == amount.unit and not is_gift_card(self._payment, line)
        )
        within = self._within(amount, parts, of="", taken=taken)
        if within:
            self.free[amount.unit] = within

    def _units_of(self, line: str) -> list[Unit]:
        return list(
            dict.fromkeys(part.covers.unit for part in self.rest.parts if part.line == line)
        )

    def _parts(self, line: str, unit: Unit) -> list[PlanPart]:
        return [part for part in self.rest.parts if part.line == line and part.covers.unit == unit]

    def _within(self, amount: Money, parts: list[PlanPart], *, of: str, taken: int = 0) -> int:
        """Return how much of *amount* was paid by *parts* and is left; the rest is goodwill."""
        rest = self.rest.total(parts) - taken
        if amount.minor <= rest:
            return amount.minor
        unit = amount.unit
        if self._beyond is Beyond.REFUSE:
            paid = sum(part.covers.minor for part in parts)
            raise RefundExceedsPaid(
                self._payment.order,
                amount,
                Money.of_minor(paid, unit),
                Money.of_minor(paid - rest, unit),
                of,
            )
        self.goodwill.append(Money.of_minor(amount.minor - rest, unit))
        return rest

    def _add(self, line: str, unit: Unit, share: int) -> None:
        """Note what comes back of a line; of a gift card, only what is unspent."""
        if self._payment.line(line).kind is LineKind.GIFT_CARD:
            left = self._unspent.get((line, unit), 0)
            if share > left:
                self.unplaced.append(
                    Unplaced(
                        amount=Money.of_minor(share - left, unit),
                        because=UnplacedBecause.GIFT_CARD_SPENT,
                        line=line,
                    )
                )
                share = left
        if share:
            self.lines[line, unit] = self.lines.get((line, unit), 0) + share


def _amounts(unspent: AnyMoney | Balance) -> tuple[Money, ...]:
    return unspent.amounts if isinstance(unspent, Balance) else (Money.coerce(unspent),)


def _share(rest: int, quantity: int, left: int) -> int:
    """Return what *quantity* of *left* pieces are of what is left of their line (V5)."""
    return share_of(rest, [quantity, left - quantity])[0]
