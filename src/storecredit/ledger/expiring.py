"""Expire, extend, reinstate: what time does to lots, and how it is put right (A5, A10)."""

from datetime import timedelta
from typing import ClassVar, final

import attrs

from storecredit.errors import (
    ExpiryNotLater,
    ExpiryTooEarly,
    LotClosed,
    LotExhausted,
    LotExpired,
    LotNotExpired,
)
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arguments import Expiry, as_expiry, as_money_or_none
from storecredit.ledger.ceilings import require_room
from storecredit.ledger.command import NO_NAMES, Names, resolve_expiry
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.ids import LotId
from storecredit.ledger.lot import LotState
from storecredit.ledger.move import What
from storecredit.values import Money


@final
@attrs.frozen(kw_only=True)
class Expire:
    """Record what has run out: the sweep of one account."""

    kind: ClassVar[EntryKind] = EntryKind.EXPIRE

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """Take what is due and not held out of its lots, effective at each lot's own expiry."""
        draft.expire_due()


@final
@attrs.frozen(kw_only=True)
class ExtendExpiry:
    """Let a lot live longer."""

    kind: ClassVar[EntryKind] = EntryKind.EXTEND_EXPIRY

    lot: LotId
    expires: Expiry = attrs.field(converter=as_expiry)
    """A period counts from the present expiry; None: for ever."""

    @property
    def names(self) -> Names:
        """The lot."""
        return Names(lots=(self.lot,))

    def decide(self, draft: Draft) -> None:
        """
        Replace the expiry by a later one.

        Raises:
            ReasonAndActorRequired: Nobody answers for it (A10).
            AccountFrozen, AccountClosed: The account is not open.
            UnknownLot: The account has no such lot.
            LotClosed: The lot was refunded or revoked.
            LotExpired: Its time has run out already; that takes a reinstatement.
            ExpiryNotLater: The lot lives as long or longer anyway.
        """
        draft.require_reason_and_actor("extend an expiry")
        draft.require_status(AccountStatus.OPEN)
        lot = draft.lot(self.lot)
        now = lot.terms.expires_at
        if lot.state is not LotState.OPEN:
            raise LotClosed(lot.id)
        if now is not None and lot.is_expired(draft.at):
            raise LotExpired(lot.id, now)
        later = resolve_expiry(self.expires, since=now or draft.at, merchant=draft.merchant)
        if now is None or (later is not None and later <= now):
            raise ExpiryNotLater(lot.id, now, later or draft.at)
        draft.add(What.TERMS_CHANGED, 0, lot.id, terms=attrs.evolve(lot.terms, expires_at=later))


@final
@attrs.frozen(kw_only=True)
class Reinstate:
    """Bring back value that expired, or that was revoked, by a new decision."""

    kind: ClassVar[EntryKind] = EntryKind.REINSTATE

    lot: LotId
    amount: Money | None = attrs.field(default=None, converter=as_money_or_none)
    """Positive, at most what expired or was revoked; None for all of that."""
    expires: Expiry = attrs.field(default=None, converter=as_expiry)
    """The new expiry; a period counts from now. None keeps the lot's own, if it still lives."""

    @property
    def names(self) -> Names:
        """The lot."""
        return Names(lots=(self.lot,))

    def decide(self, draft: Draft) -> None:
        """
        Put the value back into its lot; let it settle what is owed first (A9).

        Raises:
            ReasonAndActorRequired: Nobody answers for it (A10).
            AccountFrozen, AccountClosed: Nothing new may come in.
            UnknownLot: The account has no such lot.
            LotClosed: The lot was refunded.
            LotNotExpired: Nothing of it has expired or been revoked.
            UnitMismatch, AmountNotPositive: The amount.
            LotExhausted: More than expired or was revoked.
            ExpiryNotLater: The lot still has value, and that would live shorter than before.
            ExpiryTooEarly: The value would not live, or not for the minimum life of its funding,
                counted from its issue.
            CeilingReached: The account would hold more than the merchant allows.
        """
        draft.require_reason_and_actor("reinstate value")
        draft.require_status(AccountStatus.OPEN)
        lot = draft.expire_if_due(self.lot)
        if lot.state is LotState.REFUNDED:
            raise LotClosed(lot.id)
        gone = lot.expired + lot.revoked
        if not gone:
            raise LotNotExpired(lot.id)
        amount = gone if self.amount is None else draft.minor(self.amount, "reinstate")
        if amount > gone:
            money = draft.account.money
            raise LotExhausted(lot.id, money(amount), money(gone), "reinstate")
        if self.expires is not None:
            expires_at = resolve_expiry(self.expires, since=draft.at, merchant=draft.merchant)
            now = lot.terms.expires_at
            if lot.remaining and expires_at is not None and (now is None or expires_at < now):
                raise ExpiryNotLater(lot.id, now, expires_at)
            life = draft.merchant.minimum_life.get(lot.terms.funding)
            if life is not None and expires_at is not None:
                earliest = life.after(lot.issued_at)
                if expires_at < earliest:
                    why = f"{lot.terms.funding} value has to live for {life} at least"
                    raise ExpiryTooEarly(expires_at, earliest, why)
            terms = attrs.evolve(lot.terms, expires_at=expires_at)
            draft.add(What.TERMS_CHANGED, 0, lot.id, terms=terms)
        lot = draft.lot(self.lot)
        expires_at, begins = lot.terms.expires_at, max(draft.at, lot.terms.effective_at)
        if expires_at is not None and expires_at <= begins:
            earliest = begins + timedelta(microseconds=1)
            raise ExpiryTooEarly(expires_at, earliest, "reinstated value has to live")
        require_room(draft, amount)
        draft.add(What.REINSTATED, amount, lot.id)
        draft.settle_from([(lot.id, amount)])
