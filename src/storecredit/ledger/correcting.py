"""Revoke and adjust: corrections by new entries, never by edits (A8, A10)."""

import enum
from typing import ClassVar, final

import attrs

from storecredit.errors import (
    InvalidTerms,
    LotClosed,
    LotExhausted,
    LotExpired,
    LotHeld,
)
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arguments import as_money, as_money_or_none, one_of
from storecredit.ledger.ceilings import require_room
from storecredit.ledger.command import Names
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.ids import LotId
from storecredit.ledger.lot import Lot, LotState
from storecredit.ledger.move import What
from storecredit.ledger.placement import Wanted
from storecredit.ledger.terms import Funding
from storecredit.values import Money


@final
class Shortfall(enum.StrEnum):
    """What to do about value that is spent already."""

    UP_TO = "up_to"
    """Take what there is, and record the shortfall."""
    ALL_OR_NOTHING = "all_or_nothing"
    OWE = "owe"
    """Let the holder owe it, where the account has a limit at all; else as up_to."""


@final
class Reach(enum.StrEnum):
    """Where a revocation may take from. Never purchased or refund value beyond the named lot."""

    LOT = "lot"
    PROMOTIONAL = "promotional"
    """The named lot, then other promotional lots in the order of use."""


@final
class Held(enum.StrEnum):
    """What to do while the lot is held."""

    REFUSE = "refuse"
    UNHELD_ONLY = "unheld_only"


def _shortfall(rule: Shortfall | str) -> Shortfall:
    return one_of(Shortfall, "shortfall", rule)


def _reach(reach: Reach | str) -> Reach:
    return one_of(Reach, "reach", reach)


def _held(rule: Held | str) -> Held:
    return one_of(Held, "held", rule)


@final
@attrs.frozen(kw_only=True)
class Revoke:
    """Take back what should not have been issued."""

    kind: ClassVar[EntryKind] = EntryKind.REVOKE

    lot: LotId
    amount: Money | None = attrs.field(default=None, converter=as_money_or_none)
    """Positive; None for all of the lot that has not expired or been revoked."""
    shortfall: Shortfall = attrs.field(default=Shortfall.UP_TO, converter=_shortfall)
    reach: Reach = attrs.field(default=Reach.LOT, converter=_reach)
    held: Held = attrs.field(default=Held.REFUSE, converter=_held)

    @property
    def names(self) -> Names:
        """The lot."""
        return Names(lots=(self.lot,))

    def decide(self, draft: Draft) -> None:
        """
        Take the value from what is not held; record, refuse or owe what is spent.

        Raises:
            ReasonAndActorRequired: Nobody answers for it (A10).
            AccountFrozen, AccountClosed: The account is not open.
            UnknownLot: The account has no such lot.
            LotClosed: The lot was refunded.
            LotHeld: A part of it is held, and `Held.UNHELD_ONLY` is not named.
            UnitMismatch, AmountNotPositive: The amount.
            LotExhausted: More than was granted and has not expired or been revoked; for a lot
                that was revoked before, more than is left of it; for all or nothing, more than
                can be taken.
        """
        draft.require_reason_and_actor("revoke value")
        draft.require_status(AccountStatus.OPEN)
        lot = draft.expire_if_due(self.lot)
        money = draft.account.money
        if lot.state is LotState.REFUNDED:
            raise LotClosed(lot.id)
        if lot.held and self.held is Held.REFUSE:
            raise LotHeld(lot.id, money(lot.held))
        # What was spent can be claimed once: a second revocation takes what is left, and no more.
        spent_too = lot.state is LotState.OPEN
        most = lot.amount - lot.expired - lot.revoked if spent_too else lot.remaining
        if self.held is Held.UNHELD_ONLY:
            most -= lot.held
        wanted = most if self.amount is None else draft.minor(self.amount, "revoke")
        if wanted > most or not wanted:
            raise LotExhausted(lot.id, money(wanted), money(most), "revoke")
        # The named lot is marked as revoked even when nothing of it is left.
        taken = min(lot.free, wanted)
        draft.add(What.REVOKED, taken, lot.id)
        rest = wanted - taken
        if rest and self.reach is Reach.PROMOTIONAL:
            others = [each for each in draft.account.lots.values() if each.id != lot.id]
            for draw in draft.draw(wanted_of_others(draft, rest), lots=others):
                draft.add(What.REVOKED, draw.amount, draw.lot)
                rest -= draw.amount
        if not rest:
            return
        if self.shortfall is Shortfall.ALL_OR_NOTHING:
            raise LotExhausted(lot.id, money(wanted), money(wanted - rest), "revoke")
        draft.fact("shortfall", rest)
        if self.shortfall is Shortfall.OWE and draft.account.limit is not None:
            draft.add(What.OWED_INCURRED, rest, None)


def wanted_of_others(draft: Draft, amount: int) -> Wanted:
    """Return what `Reach.PROMOTIONAL` asks of the lots besides the named one."""
    return Wanted(
        amount=amount,
        at=draft.at,
        order=draft.merchant.order,
        ignore_limits=True,
        fundings=frozenset({Funding.PROMOTIONAL}),
    )


@final
@attrs.frozen(kw_only=True)
class Adjust:
    """Correct the amount of a lot, up or down."""

    kind: ClassVar[EntryKind] = EntryKind.ADJUST

    lot: LotId
    by: Money = attrs.field(converter=as_money)
    """Above zero adds to the lot, below zero takes from what is not held of it."""

    @property
    def names(self) -> Names:
        """The lot."""
        return Names(lots=(self.lot,))

    def decide(self, draft: Draft) -> None:
        """
        Change amount and remainder together; what is added settles what is owed first (A9).

        Raises:
            ReasonAndActorRequired: Nobody answers for it (A10).
            AccountFrozen, AccountClosed: The account is not open.
            UnknownLot: The account has no such lot.
            InvalidTerms: The adjustment is zero.
            UnitMismatch: It is in another unit.
            LotClosed: The lot was refunded or revoked, and would grow.
            LotExpired: The lot's time has run out, and it would grow.
            CeilingReached: The account would hold more than the merchant allows.
            LotExhausted: More is taken than is left and not held.
        """
        draft.require_reason_and_actor("adjust a lot")
        draft.require_status(AccountStatus.OPEN)
        lot = draft.expire_if_due(self.lot)
        if not self.by.minor:
            raise InvalidTerms("by", str(self.by), "above or below zero")
        amount = draft.minor(abs(self.by), "adjust by")
        if self.by.minor > 0:
            self._up(draft, lot, amount)
        elif amount > lot.free:
            money = draft.account.money
            raise LotExhausted(lot.id, money(amount), money(lot.free), "adjust down by")
        else:
            draft.add(What.ADJUSTED_DOWN, amount, lot.id)

    def _up(self, draft: Draft, lot: Lot, amount: int) -> None:
        if lot.state is not LotState.OPEN:
            raise LotClosed(lot.id)
        if lot.terms.expires_at is not None and lot.is_expired(draft.at):
            raise LotExpired(lot.id, lot.terms.expires_at)
        require_room(draft, amount)
        draft.add(What.ADJUSTED_UP, amount, lot.id)
        draft.settle_from([(lot.id, amount)])
