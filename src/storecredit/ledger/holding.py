"""What may be done with a hold: resize, capture, capture a part, release, lapse (A6)."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, final

import attrs

from storecredit.errors import (
    CaptureExceedsHold,
    HoldAlreadyCaptured,
    HoldAlreadyLapsed,
    HoldAlreadyReleased,
)
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arguments import as_money, as_money_or_none, as_start
from storecredit.ledger.command import NO_NAMES, Names
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.hold import Draw, Hold, HoldStatus
from storecredit.ledger.ids import HoldId, local_part
from storecredit.ledger.lifetimes import hold_lapses_at
from storecredit.ledger.move import What
from storecredit.ledger.spending import Growth, as_spender, draws_for, reserve
from storecredit.values import Money, Period


def live_hold(draft: Draft, hold_id: HoldId) -> Hold:
    """
    Return the hold if it still reserves anything.

    Raises:
        UnknownHold: The account has no such hold.
        HoldAlreadyLapsed: Its time ran out.
        HoldAlreadyCaptured: It was spent.
        HoldAlreadyReleased: It was given back.
    """
    hold = draft.hold(hold_id)
    if hold.status is HoldStatus.LAPSED:
        raise HoldAlreadyLapsed(hold_id, hold.lapses_at, draft.at)
    if hold.status is HoldStatus.CAPTURED:
        raise HoldAlreadyCaptured(hold_id, draft.account.money(hold.captured))
    if hold.status is HoldStatus.RELEASED:
        raise HoldAlreadyReleased(hold_id)
    return hold


@final
@attrs.frozen(kw_only=True)
class Resize:
    """Let a hold reserve more or less than it does, or live longer."""

    kind: ClassVar[EntryKind] = EntryKind.RESIZE

    hold: HoldId
    amount: Money = attrs.field(converter=as_money)
    """What the hold shall reserve in all; positive."""
    lapses: Period | datetime | None = attrs.field(default=None, converter=as_start)
    """None leaves the time as it is; a period counts from now."""
    exceed_limit: bool = False
    spender: str | None = attrs.field(default=None, converter=as_spender)

    @property
    def names(self) -> Names:
        """The hold."""
        return Names(holds=(self.hold,))

    def decide(self, draft: Draft) -> None:
        """
        Draw live lots for what it grows by, or give back, last drawn first, what it shrinks by.

        Raises:
            UnknownHold, HoldAlreadyLapsed, HoldAlreadyCaptured, HoldAlreadyReleased: As
                `live_hold`.
            UnitMismatch, AmountNotPositive: The amount.
            InvalidTerms, HoldTooLong: The time.
            AccountFrozen, AccountClosed: It would grow, and nothing may go out.
            ChannelRequired, ..., InsufficientCredit: It would grow; as `draws_for`.
        """
        hold = live_hold(draft, self.hold)
        target = draft.minor(self.amount, "hold")
        if self.lapses is not None:
            lapses_at = hold_lapses_at(draft, self.lapses, placed_at=hold.placed_at)
            if lapses_at != hold.lapses_at:
                draft.change_hold(self.hold, lapses_at)
        growth = target - hold.amount
        if growth > 0:
            draft.require_status(AccountStatus.OPEN)
            more = Growth(
                amount=draft.account.money(growth),
                exceed_limit=self.exceed_limit,
                spender=self.spender,
            )
            reserve(draft, self.hold, draws_for(more, draft, "hold"))
        elif growth < 0:
            draft.give_back(hold, _last(hold.draws, -growth), lapsed=False)
        if growth:
            draft.fact("hold", local_part(self.hold))


@final
@attrs.frozen(kw_only=True)
class Capture:
    """Spend what a hold reserves, or a part of it, and release the rest."""

    kind: ClassVar[EntryKind] = EntryKind.CAPTURE

    hold: HoldId
    amount: Money | None = attrs.field(default=None, converter=as_money_or_none)
    """Positive, at most what is reserved; None for all of it."""

    @property
    def names(self) -> Names:
        """The hold."""
        return Names(holds=(self.hold,))

    def decide(self, draft: Draft) -> None:
        """
        Spend in draw order, whether or not the lots have expired since.

        Raises:
            UnknownHold, HoldAlreadyLapsed, HoldAlreadyCaptured, HoldAlreadyReleased: As
                `live_hold`.
            UnitMismatch, AmountNotPositive: The amount.
            CaptureExceedsHold: More than the hold reserves.
        """
        hold = live_hold(draft, self.hold)
        spent, rest = _split(draft, hold, self.amount)
        draft.give_back(hold, reversed(rest), lapsed=False)
        spend_held(draft, hold, spent)


@final
@attrs.frozen(kw_only=True)
class CapturePart:
    """Spend a part of what a hold reserves, and leave the rest held."""

    kind: ClassVar[EntryKind] = EntryKind.CAPTURE_PART

    hold: HoldId
    amount: Money = attrs.field(converter=as_money)
    """Positive, at most what is reserved."""

    @property
    def names(self) -> Names:
        """The hold."""
        return Names(holds=(self.hold,))

    def decide(self, draft: Draft) -> None:
        """
        Spend in draw order, whether or not the lots have expired since.

        Raises:
            As `Capture.decide`.
        """
        hold = live_hold(draft, self.hold)
        spent, _ = _split(draft, hold, self.amount)
        spend_held(draft, hold, spent)


@final
@attrs.frozen(kw_only=True)
class Release:
    """Give back all that a hold still reserves."""

    kind: ClassVar[EntryKind] = EntryKind.RELEASE

    hold: HoldId

    @property
    def names(self) -> Names:
        """The hold."""
        return Names(holds=(self.hold,))

    def decide(self, draft: Draft) -> None:
        """
        Give the value back to its lots; what goes back to an expired lot expires with it.

        Raises:
            UnknownHold, HoldAlreadyLapsed, HoldAlreadyCaptured, HoldAlreadyReleased: As
                `live_hold`.
        """
        hold = live_hold(draft, self.hold)
        draft.give_back(hold, reversed(hold.draws), lapsed=False)
        draft.fact("hold", local_part(self.hold))


@final
@attrs.frozen(kw_only=True)
class ReleaseOrder:
    """Give back everything that the holds of one order still reserve in this account."""

    kind: ClassVar[EntryKind] = EntryKind.RELEASE

    order: str
    """The reference that the holds were placed with."""

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """Give the value back to its lots; with nothing held any more, change nothing."""
        for hold in draft.holds_as_placed():
            if hold.status is HoldStatus.ACTIVE and hold.reference == self.order:
                draft.give_back(hold, reversed(hold.draws), lapsed=False)


@final
@attrs.frozen(kw_only=True)
class Lapse:
    """Record that the time of holds ran out; what they reserved has been free since then."""

    kind: ClassVar[EntryKind] = EntryKind.LAPSE

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """Keep what opening the draft has lapsed already."""
        draft.keep_opening_moves()


def _split(
    draft: Draft, hold: Hold, amount: Money | None
) -> tuple[tuple[Draw, ...], tuple[Draw, ...]]:
    """Divide the draws of *hold* into the first ones, up to *amount*, and the rest."""
    if amount is None:
        return hold.draws, ()
    wanted = draft.minor(amount, "capture")
    if wanted > hold.amount:
        raise CaptureExceedsHold(hold.id, amount, draft.account.money(hold.amount))
    first: list[Draw] = []
    rest: list[Draw] = []
    for draw in hold.draws:
        taken = min(draw.amount, wanted)
        wanted -= taken
        if taken:
            first.append(Draw(draw.lot, taken))
        if draw.amount > taken:
            rest.append(Draw(draw.lot, draw.amount - taken))
    return tuple(first), tuple(rest)


def spend_held(draft: Draft, hold: Hold, draws: Iterable[Draw]) -> None:
    """Add the moves that spend *draws* of *hold*."""
    for draw in draws:
        what = What.OWED_CAPTURED if draw.lot is None else What.CAPTURED
        draft.add(what, draw.amount, draw.lot, hold=hold.id)
    draft.fact("hold", local_part(hold.id))


def _last(draws: tuple[Draw, ...], amount: int) -> list[Draw]:
    """Return the last *amount* that was drawn, the last draw first."""
    found: list[Draw] = []
    for draw in reversed(draws):
        taken = min(draw.amount, amount)
        if taken:
            found.append(Draw(draw.lot, taken))
        amount -= taken
    return found
