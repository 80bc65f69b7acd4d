"""Carrying a plan out: what it asks of the ledger, lot by lot (T5, T6, A7)."""

from collections.abc import Collection
from typing import final

import attrs

from storecredit.errors import UnknownTender
from storecredit.ledger.hold import Draw
from storecredit.ledger.ids import LotId
from storecredit.ledger.terms import Line
from storecredit.tenders.payment import Destination, RefundPart, Return
from storecredit.tenders.plan import PaymentPlan, PlannedTender
from storecredit.tenders.record import PaymentRecord
from storecredit.tenders.tender import TenderKind
from storecredit.values import Money

_Place = tuple[str, str, str | None]
"""What one capture took of one lot: tender, key of the capture, lot."""


def is_of_the_ledger(tender: PlannedTender) -> bool:
    """Tell whether an account pays: credit, or a code."""
    return tender.kind in (TenderKind.CREDIT, TenderKind.CODE)


def draws_of(
    plan: PaymentPlan, tender: str, *, lines: Collection[str] | None = None
) -> tuple[Draw, ...]:
    """Return what *plan* takes of each lot of *tender*, for all lines or for some."""
    return tuple(
        Draw(None if lot is None else LotId(lot), amount.minor)
        for lot, amount in plan.draws(tender, lines=lines)
    )


def lines_of(plan: PaymentPlan, tender: str) -> tuple[Line, ...]:
    """Return what *tender* pays of each line, reductions included, in its own unit."""
    paid: dict[str, Money] = {}
    for part in (*plan.reductions, *plan.parts):
        if part.tender == tender and part.amount.is_positive:
            before = paid.get(part.line)
            paid[part.line] = part.amount if before is None else before + part.amount
    return tuple(
        Line(id=line.id, amount=paid[line.id], category=line.category)
        for line in plan.lines
        if line.id in paid
    )


@final
@attrs.frozen
class Restoring:
    """What a refund gives back of what one capture took of one tender."""

    tender: PlannedTender
    capture: str
    """The key of the capture."""
    draws: tuple[Draw, ...]


def restores_of(record: PaymentRecord, refund: str) -> tuple[Restoring, ...]:
    """
    Return what the refund with that key gives back to lots, capture by capture.

    A lot gets back what it paid of the line first, from the capture of that line. Points that paid
    at a rate may come back to a lot that paid another line (T1): then the last capture gives first.
    What earlier refunds gave back is counted as they gave it, so the answer is always the same.
    """
    tenders = {tender.id: tender for tender in record.plan.tenders if is_of_the_ledger(tender)}
    left = _captured(record, tenders)
    for returned in record.returns:
        given = _given(record, returned, tenders, left)
        if returned.id == refund:
            return _by_capture(given, tenders)
    raise UnknownTender(refund, tuple(each.id for each in record.returns))


def _captured(record: PaymentRecord, tenders: Collection[str]) -> dict[_Place, int]:
    return {
        (tender, capture.id, draw.lot): draw.amount
        for tender in tenders
        for capture in record.captures
        for draw in draws_of(record.plan, tender, lines=capture.lines)
    }


def _given(
    record: PaymentRecord, returned: Return, tenders: Collection[str], left: dict[_Place, int]
) -> dict[_Place, int]:
    """Take what *returned* gives back out of what is *left*, and return it."""
    given: dict[_Place, int] = {}
    for part in returned.parts:
        if part.to is not Destination.TENDER or part.tender not in tenders:
            continue
        rest = part.amount.minor
        for capture in _captures_for(record, part):
            place = (part.tender, capture, part.lot)
            step = min(left.get(place, 0), rest)
            if step:
                left[place] -= step
                given[place] = given.get(place, 0) + step
                rest -= step
    return given


def _captures_for(record: PaymentRecord, part: RefundPart) -> list[str]:
    """Return the keys of all captures: the one of the part's line first, then the last ones."""
    captures = [capture.id for capture in reversed(record.captures)]
    own = [capture.id for capture in record.captures if part.line in capture.lines]
    return [*own, *(key for key in captures if key not in own)]


def _by_capture(
    given: dict[_Place, int], tenders: dict[str, PlannedTender]
) -> tuple[Restoring, ...]:
    found: dict[tuple[str, str], list[Draw]] = {}
    for (tender, capture, lot), amount in given.items():
        draw = Draw(None if lot is None else LotId(lot), amount)
        found.setdefault((tender, capture), []).append(draw)
    return tuple(
        Restoring(tenders[tender], capture, tuple(draws))
        for (tender, capture), draws in found.items()
    )
