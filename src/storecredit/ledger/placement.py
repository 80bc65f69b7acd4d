"""Placement: how much of which lot pays an amount, and why the others do not."""

import enum
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import final

import attrs

from storecredit.ledger.flow import Flow
from storecredit.ledger.hold import Draw
from storecredit.ledger.ids import LotId
from storecredit.ledger.lot import Lot
from storecredit.ledger.order import OrderOfUse
from storecredit.ledger.terms import Funding, Limits, Line


@final
class Because(enum.StrEnum):
    """Why a lot was used, or was not."""

    USED = "used"
    NOT_NEEDED = "not_needed"
    """Lots before it in the order of use covered the amount."""
    NO_LINE_LEFT = "no_line_left"
    """Everything on the lines it may pay for is paid by lots before it."""
    COVERS_DEBT = "covers_debt"
    """It is kept back, because more is owed than the limit allows (A9)."""
    NOT_NAMED = "not_named"
    """The command names another lot."""
    FUNDING = "funding"
    """The command may not take value of its funding: to pay it out, or to revoke it (A8, A11)."""
    EMPTY = "empty"
    HELD = "held"
    """All that remains is reserved by holds."""
    PENDING = "pending"
    EXPIRED = "expired"
    NEEDS_LINES = "needs_lines"
    """The lot is limited and the command gives no order lines, or takes none (A4)."""
    CHANNEL = "channel"
    """The lot excludes the channel of the sale."""
    MINIMUM_ORDER = "minimum_order"
    NO_ELIGIBLE_LINE = "no_eligible_line"


@final
@attrs.frozen
class LotUse:
    """What one lot gives to a command, and why."""

    lot: LotId
    amount: int
    because: Because


@final
@attrs.define(kw_only=True, eq=False)
class Wanted:
    """What is to be paid: the parts of a command that decide about lots."""

    amount: int
    """Minor units, positive."""
    at: datetime
    order: OrderOfUse
    lot: LotId | None = None
    """Only this lot, where one is named."""
    lines: tuple[Line, ...] | None = None
    channel: str | None = None
    ignore_limits: bool = False
    """Whether limited lots count like others: the value keeps its terms wherever it goes."""
    fundings: frozenset[Funding] | None = None
    """Only lots of these fundings, where any are named."""


def place(lots: Iterable[Lot], wanted: Wanted) -> tuple[Draw, ...]:
    """
    Choose what to draw from each lot, in the order of use.

    The draws sum to the wanted amount, or to all that may be had where that is less. With order
    lines, no other choice covers more of them, and among those the order of use decides, lot by
    lot (T3); without, only unlimited lots are used (A4).
    """
    if wanted.lines is None:
        return _in_order(lots, wanted)
    return _over_lines(lots, wanted, wanted.lines)


def explain(lots: Iterable[Lot], wanted: Wanted, draws: Iterable[Draw]) -> tuple[LotUse, ...]:
    """Say lot by lot, in the order of use, what *draws* take of it and why (A3)."""
    taken = {draw.lot: draw.amount for draw in draws}
    spent = sum(taken.values())
    uses = []
    for lot in wanted.order.sorted(lots):
        because = Because.USED
        if lot.id not in taken:
            because = _refusal(lot, wanted) or _unused(wanted, spent)
        uses.append(LotUse(lot.id, taken.get(lot.id, 0), because))
    return tuple(uses)


def _unused(wanted: Wanted, spent: int) -> Because:
    """Return why a lot that could have paid something was left alone."""
    if spent == wanted.amount:
        return Because.NOT_NEEDED
    return Because.COVERS_DEBT if wanted.lines is None else Because.NO_LINE_LEFT


def _refusal(lot: Lot, wanted: Wanted) -> Because | None:
    """Return why *lot* cannot pay anything of what is wanted, or None if it can."""
    if wanted.lot is not None and lot.id != wanted.lot:
        return Because.NOT_NAMED
    if wanted.fundings is not None and lot.terms.funding not in wanted.fundings:
        return Because.FUNDING
    if not lot.is_live(wanted.at):
        return Because.PENDING if lot.is_pending(wanted.at) else Because.EXPIRED
    if lot.remaining == lot.held:
        return Because.HELD if lot.held else Because.EMPTY
    limits = lot.terms.limits
    return None if limits is None or wanted.ignore_limits else _limited(limits, wanted)


def _limited(limits: Limits, wanted: Wanted) -> Because | None:
    if wanted.lines is None:
        return Because.NEEDS_LINES
    if limits.channels and wanted.channel not in limits.channels:
        return Because.CHANNEL
    if limits.minimum_order is not None:
        due = sum(line.amount.minor for line in wanted.lines)
        if due < limits.minimum_order:
            return Because.MINIMUM_ORDER
    if not any(limits.allows_line(line) for line in wanted.lines):
        return Because.NO_ELIGIBLE_LINE
    return None


def _in_order(lots: Iterable[Lot], wanted: Wanted) -> tuple[Draw, ...]:
    draws, amount = [], wanted.amount
    for lot in wanted.order.walk(lots):
        if _refusal(lot, wanted) is None:
            taken = min(lot.remaining - lot.held, amount)
            draws.append(Draw(lot.id, taken))
            amount -= taken
            if not amount:
                break
    return tuple(draws)


def _over_lines(lots: Iterable[Lot], wanted: Wanted, lines: Sequence[Line]) -> tuple[Draw, ...]:
    """
    Maximum flow from lots to lines, saturating the lots one after the other.

    An augmenting path never lowers what an earlier lot gives, so the first lots give as much as
    any placement could let them, and the sum is as large as any placement's (Ford and Fulkerson
    1956; the lots that can be served form a polymatroid).
    """
    flow = Flow(line.amount.minor for line in lines)
    draws, amount = [], wanted.amount
    for lot in wanted.order.sorted([lot for lot in lots if _refusal(lot, wanted) is None]):
        limits = lot.terms.limits
        allowed = [
            index for index, line in enumerate(lines) if limits is None or limits.allows_line(line)
        ]
        most = min(lot.remaining - lot.held, amount)
        if limits is not None and limits.share_percent is not None:
            eligible = sum(lines[index].amount.minor for index in allowed)
            most = min(most, eligible * limits.share_percent // 100)
        taken = flow.send(allowed, most)
        if taken:
            draws.append(Draw(lot.id, taken))
            amount -= taken
    return tuple(draws)
