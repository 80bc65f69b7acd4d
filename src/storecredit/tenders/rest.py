"""What is left of a payment: how much of each part has not been returned yet (T6)."""

from collections.abc import Iterable
from typing import Final, final

from storecredit.errors import QuantityExceedsRest, RefundExceedsPaid
from storecredit.tenders.payment import Payment, RefundPart, Return
from storecredit.tenders.plan import PlanPart
from storecredit.values import Balance, Money, Unit

_Key = tuple[str, str | None, str, Unit, bool]


@final
class Rest:
    """
    What each part of a payment can still give back, while a refund is planned.

    A part is what one tender, of credit one lot, paid of one line, counted in the unit that was
    due. Where points paid at a frozen rate, their number is kept by lot: the rate counts once for
    all that the tender paid (T1). Amounts are minor units.
    """

    def __init__(self, payment: Payment) -> None:
        self.payment: Final = payment
        self.parts: Final = list(payment.parts)
        """In the order in which they were drawn."""
        self.reductions: Final = list(payment.reductions)
        self._left: Final[dict[_Key, int]] = {}
        self._points: Final[dict[tuple[str, str | None], int]] = {}
        for part in self.parts:
            self._left[_key(part)] = part.covers.minor
            if is_at_rate(part):
                of = (part.tender, part.lot)
                self._points[of] = self._points.get(of, 0) + part.amount.minor
        for part in self.reductions:
            self._left[_key(part, is_reduction=True)] = part.covers.minor
        for returned in payment.returns:
            for each in returned.parts:
                if returned.counts(each):
                    self.take(each)

    def take(self, part: RefundPart) -> None:
        """Count *part* as returned."""
        key = (part.tender, part.lot, part.line, part.covers.unit, part.is_reduction)
        self._left[key] = self._left.get(key, 0) - part.covers.minor
        if part.amount.unit != part.covers.unit:
            of = (part.tender, part.lot)
            self._points[of] = self._points.get(of, 0) - part.amount.minor

    def of(self, part: PlanPart, *, is_reduction: bool = False) -> int:
        """Return what is left of *part*."""
        return self._left[_key(part, is_reduction=is_reduction)]

    def points_of(self, tender: str) -> dict[str | None, int]:
        """Return how many points of which lot are left that *tender* paid at a rate, as drawn."""
        return {lot: left for (of, lot), left in self._points.items() if of == tender}

    def total(self, parts: Iterable[PlanPart]) -> int:
        """Return what is left of *parts* in all."""
        return sum(self._left[_key(part)] for part in parts)

    def overdrawn(self) -> str | None:
        """Return the tender of which more was taken than it paid of some line, or None."""
        taken = [
            *((key[0], left) for key, left in self._left.items()),
            *((of[0], left) for of, left in self._points.items()),
        ]
        return next((tender for tender, left in taken if left < 0), None)

    def pieces(self, line: str) -> int:
        """Return how many pieces of *line* have not come back yet."""
        back = sum(
            each.quantity
            for returned in self.payment.returns
            for each in returned.quantities
            if each.line == line
        )
        return self.payment.line(line).quantity - back

    def earned_back(self, line: str) -> int:
        """Return how many of the points that *line* earned were taken back, in minor units."""
        return sum(
            each.amount.minor
            for returned in self.payment.returns
            for each in returned.taken_back
            if each.line == line
        )


def require_left(payment: Payment, returned: Return) -> None:
    """
    Require that a refund takes no more than *payment* has left, part by part and piece by piece.

    Raises:
        UnknownOrderLine: Pieces of a line come back of which nothing is paid.
        QuantityExceedsRest: More pieces than have not come back yet.
        RefundExceedsPaid: More than a tender has paid of a line and did not get back.
    """
    rest = Rest(payment)
    for each in returned.quantities:
        left = rest.pieces(each.line)
        if each.quantity > left:
            bought = payment.line(each.line).quantity
            raise QuantityExceedsRest(each.line, each.quantity, bought, bought - left)
    for part in returned.parts:
        rest.take(part)
    tender = rest.overdrawn()
    if tender is not None:
        of_tender = [part.covers for part in returned.parts if part.tender == tender]
        unit = of_tender[0].unit
        paid = [part.covers for part in payment.parts if part.tender == tender]
        back = [
            part.covers
            for each in payment.returns
            for part in each.parts
            if part.tender == tender and each.counts(part) and not part.is_reduction
        ]
        wanted, paid_in_all, returned_so_far = (
            Balance.of(*amounts)[unit] for amounts in (of_tender, paid, back)
        )
        raise RefundExceedsPaid(payment.order, wanted, paid_in_all, returned_so_far, tender)


def is_at_rate(part: PlanPart) -> bool:
    """Tell whether *part* paid with another unit than was due."""
    return part.amount.unit != part.covers.unit


def refund_of(part: PlanPart, minor: int, *, amount: Money | None = None) -> RefundPart:
    """Return *minor* of what *part* covers as a part of a refund, going back to its tender."""
    covers = Money._trusted(minor, part.covers.unit)
    return RefundPart(
        tender=part.tender,
        line=part.line,
        lot=part.lot,
        amount=covers if amount is None else amount,
        covers=covers,
        funding=part.funding,
    )


def _key(part: PlanPart, *, is_reduction: bool = False) -> _Key:
    return (part.tender, part.lot, part.line, part.covers.unit, is_reduction)
