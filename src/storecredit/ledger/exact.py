"""Commands that say lot by lot what they take: what a plan is carried out with (T2, T5)."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, final

import attrs

from storecredit.errors import (
    CaptureExceedsHold,
    InvalidTerms,
    LotCannotGive,
    SpenderNotListed,
    UnitMismatch,
)
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arguments import as_start
from storecredit.ledger.command import Names
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.flow import Flow
from storecredit.ledger.hold import Draw, Hold, as_draws, lots_of
from storecredit.ledger.holding import live_hold, spend_held
from storecredit.ledger.ids import HoldId, LotId, local_part
from storecredit.ledger.lifetimes import hold_lapses_at
from storecredit.ledger.lot import Lot
from storecredit.ledger.placement import Because
from storecredit.ledger.shortage import insufficient
from storecredit.ledger.spending import as_lines, as_spender, reserve
from storecredit.ledger.terms import Limits, Line
from storecredit.values import Period


@final
@attrs.frozen(kw_only=True)
class HoldExactly:
    """Reserve exactly these amounts of exactly these lots, or nothing."""

    kind: ClassVar[EntryKind] = EntryKind.HOLD

    draws: tuple[Draw, ...] = attrs.field(converter=as_draws)
    """Of each lot, in the order in which it is captured; None is the holder's limit (A9)."""
    lines: tuple[Line, ...] = attrs.field(converter=as_lines)
    """What the draws pay of each line, in the account's unit; they sum to the same (A4)."""
    spender: str | None = attrs.field(default=None, converter=as_spender)
    lapses: Period | datetime | None = attrs.field(default=None, converter=as_start)
    """How long, or until when, the hold lives; None for the merchant's default."""

    @property
    def names(self) -> Names:
        """The lots that are drawn."""
        return Names(lots=lots_of(self.draws))

    def decide(self, draft: Draft) -> None:
        """
        Reserve the value; the lots are fixed from now on.

        Raises:
            AccountFrozen, AccountClosed: Nothing may go out.
            ChannelRequired, ..., InsufficientCredit: As `require_drawable`.
            InvalidTerms: The hold would lapse before it begins.
            HoldTooLong: It would outlive the merchant's maximum.
        """
        draft.require_status(AccountStatus.OPEN)
        require_drawable(draft, self.draws, self.draws, self.lines, self.spender)
        hold = draft.place_hold(hold_lapses_at(draft, self.lapses, placed_at=draft.at))
        reserve(draft, hold, self.draws)


@final
@attrs.frozen(kw_only=True)
class ResizeExactly:
    """Let a hold reserve exactly these amounts of exactly these lots."""

    kind: ClassVar[EntryKind] = EntryKind.RESIZE

    hold: HoldId
    draws: tuple[Draw, ...] = attrs.field(converter=as_draws)
    """What the hold shall reserve of each lot in all; None is the holder's limit (A9)."""
    lines: tuple[Line, ...] = attrs.field(converter=as_lines)
    """What the draws pay of each line, in the account's unit; they sum to the same (A4)."""
    spender: str | None = attrs.field(default=None, converter=as_spender)
    lapses: Period | datetime | None = attrs.field(default=None, converter=as_start)
    """None leaves the time as it is; a period counts from now."""

    @property
    def names(self) -> Names:
        """The hold, and the lots that are drawn."""
        return Names(lots=lots_of(self.draws), holds=(self.hold,))

    def decide(self, draft: Draft) -> None:
        """
        Give back what is too much of any lot, then draw what is missing.

        What the hold has already stays reserved, also where the lot has expired since (A6).

        Raises:
            UnknownHold, HoldAlreadyLapsed, HoldAlreadyCaptured, HoldAlreadyReleased: As
                `live_hold`.
            InvalidTerms, HoldTooLong: The time.
            AccountFrozen, AccountClosed: Something is missing, and nothing may go out.
            ChannelRequired, ..., InsufficientCredit: As `require_drawable`.
        """
        hold = live_hold(draft, self.hold)
        if self.lapses is not None:
            lapses_at = hold_lapses_at(draft, self.lapses, placed_at=hold.placed_at)
            if lapses_at != hold.lapses_at:
                draft.change_hold(self.hold, lapses_at)
        has = _by_lot(hold)
        wanted = {draw.lot: draw.amount for draw in self.draws}
        surplus = [
            Draw(lot, amount - wanted.get(lot, 0))
            for lot, amount in reversed(has.items())
            if amount > wanted.get(lot, 0)
        ]
        missing = tuple(
            Draw(draw.lot, draw.amount - has.get(draw.lot, 0))
            for draw in self.draws
            if draw.amount > has.get(draw.lot, 0)
        )
        if missing:
            draft.require_status(AccountStatus.OPEN)
        # First what is missing: a hold that has nothing left for a moment would be over.
        require_drawable(draft, missing, self.draws, self.lines, self.spender, back=surplus)
        reserve(draft, self.hold, missing)
        draft.give_back(hold, surplus, lapsed=False)
        if missing or surplus:
            draft.fact("hold", local_part(self.hold))


@final
@attrs.frozen(kw_only=True)
class CaptureExactly:
    """Spend exactly these amounts of what a hold reserves, and leave the rest held."""

    kind: ClassVar[EntryKind] = EntryKind.CAPTURE_PART

    hold: HoldId
    draws: tuple[Draw, ...] = attrs.field(converter=as_draws)

    @property
    def names(self) -> Names:
        """The hold."""
        return Names(holds=(self.hold,))

    def decide(self, draft: Draft) -> None:
        """
        Spend, whether or not the lots have expired since.

        Raises:
            UnknownHold, HoldAlreadyLapsed, HoldAlreadyCaptured, HoldAlreadyReleased: As
                `live_hold`.
            CaptureExceedsHold: More than the hold reserves of a lot.
        """
        hold = live_hold(draft, self.hold)
        has = _by_lot(hold)
        money = draft.account.money
        for draw in self.draws:
            if draw.amount > has.get(draw.lot, 0):
                reserved = money(has.get(draw.lot, 0))
                raise CaptureExceedsHold(hold.id, money(draw.amount), reserved)
        spend_held(draft, hold, self.draws)


def _by_lot(hold: Hold) -> dict[LotId | None, int]:
    found: dict[LotId | None, int] = {}
    for draw in hold.draws:
        found[draw.lot] = found.get(draw.lot, 0) + draw.amount
    return found


def require_drawable(
    draft: Draft,
    draws: tuple[Draw, ...],
    whole: tuple[Draw, ...],
    lines: tuple[Line, ...],
    spender: str | None,
    *,
    back: Iterable[Draw] = (),
) -> None:
    """
    Require that *draws* can be taken, and that the *whole* of them may pay *lines* (A4).

    The shares and smallest orders of limited lots were for the plan to keep: they depend on what
    the whole order is due, of which an account sees a part.

    Args:
        draft: The account.

        draws: What is to be taken now.

        whole: What pays the lines: *draws*, and what is reserved for them already.

        lines: What is paid of each line.

        spender: Who spends, where the account lists its people.

        back: What is given back in the same entry.

    Raises:
        ChannelRequired, ChannelNotDeclared: The channel of the sale (A16).
        SpenderNotListed: The account lists who may spend, and this is not one of them.
        UnitMismatch: A line is not in the account's unit.
        InvalidTerms: The lines do not sum to what pays them.
        UnknownLot: The account has no such lot.
        LotCannotGive: A lot has less than that, is not live, or may not pay these lines.
        InsufficientCredit: The holder would come to owe more than the limit (A9).
    """
    draft.merchant.check_channel(draft.context.channel)
    listed = draft.account.spenders
    if draws and listed is not None and spender not in listed:
        raise SpenderNotListed(draft.account.holder, spender, listed)
    _require_sum(draft, whole, lines)
    for draw in draws:
        if draw.lot is not None:
            _require_free(draft, draft.lot(draw.lot), draw.amount)
    _require_allowed(draft, whole, lines)
    if draws:
        _require_line_of_credit(draft, draws, back)


def _require_sum(draft: Draft, whole: tuple[Draw, ...], lines: tuple[Line, ...]) -> None:
    for line in lines:
        if line.amount.unit != draft.account.unit:
            raise UnitMismatch("pay a line in", line.amount.unit, draft.account.unit)
    paid, drawn = sum(line.amount.minor for line in lines), sum(draw.amount for draw in whole)
    if paid != drawn:
        money = draft.account.money
        raise InvalidTerms("lines", str(money(paid)), f"{money(drawn)}, what is drawn for them")


def _require_free(draft: Draft, lot: Lot, amount: int) -> None:
    free = lot.remaining - lot.held
    because = Because.HELD if lot.held else Because.EMPTY
    if not lot.is_live(draft.at):
        free, because = 0, Because.PENDING if lot.is_pending(draft.at) else Because.EXPIRED
    if amount > free:
        raise _cannot_give(draft, lot.id, amount, free, because)


def _require_allowed(draft: Draft, whole: tuple[Draw, ...], lines: tuple[Line, ...]) -> None:
    """Require that the draws of limited lots find room on the lines they may pay."""
    flow = Flow(line.amount.minor for line in lines)
    everything = list(range(len(lines)))
    for draw in whole:
        limits = None if draw.lot is None else draft.lot(draw.lot).terms.limits
        allowed = everything if limits is None else _allowed(draft, limits, lines)
        given = flow.send(allowed, draw.amount)
        if given < draw.amount:
            raise _cannot_give(draft, str(draw.lot), draw.amount, given, Because.NO_ELIGIBLE_LINE)


def _allowed(draft: Draft, limits: Limits, lines: tuple[Line, ...]) -> list[int]:
    if limits.channels and draft.context.channel not in limits.channels:
        return []
    return [place for place, line in enumerate(lines) if limits.allows_line(line)]


def _require_line_of_credit(draft: Draft, draws: tuple[Draw, ...], back: Iterable[Draw]) -> None:
    """Require that what may be spent, available + limit - owed, is not exceeded (A9)."""
    account = draft.account
    if not account.owed and not account.totals["owed_held"] and account.limit is None:
        line = 0
    else:
        line = draft.credit_line() + sum(draw.amount for draw in back if draw.lot is None)
    on_limit = sum(draw.amount for draw in draws if draw.lot is None)
    from_lots = sum(draw.amount for draw in draws) - on_limit
    if on_limit > max(line, 0):
        raise insufficient(draft, from_lots + on_limit, from_lots + max(line, 0), "hold")
    # A debt above the limit keeps as much of the lots back; limited ones cover it, too.
    live = sum(lot.free for lot in account.lots.values() if lot.is_live(draft.at))
    # What goes back to a lot that has expired is gone: it covers nothing.
    live += sum(
        draw.amount
        for draw in back
        if draw.lot is not None and account.lots[draw.lot].is_live(draft.at)
    )
    if line < 0 and from_lots > live + line:
        raise insufficient(draft, from_lots, max(live + line, 0), "hold")


def _cannot_give(
    draft: Draft, lot: str, wanted: int, reachable: int, because: Because
) -> LotCannotGive:
    money = draft.account.money
    return LotCannotGive(lot, money(wanted), money(reachable), because.value)
