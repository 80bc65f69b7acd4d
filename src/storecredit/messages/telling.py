"""
Which facts are messages: from an entry of the feed to what its holder is told (P7, S7).

| moves of the entry | message |
|---|---|
| issued, by ``issue`` | `CreditIssued` |
| redeemed, captured; owed incurred by ``redeem`` or a capture | `CreditUsed` |
| restored, and owed reversed, by ``restore``; reinstated | `CreditRestored` |
| expired, by whatever command | `CreditExpired` |

Everything else is none: holds and releases reserve and spend nothing yet; adjustments,
revocations, payouts, limits and frozen accounts are decided by somebody who can say why, and the
library cannot; transfers, conversions and mergers move value that stays the customer's, or are
asked for on the spot.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import (
    Entry,
    EntryId,
    EntryKind,
    LotId,
    Merchant,
    Move,
    Terms,
    What,
    require_text,
)
from storecredit.messages.payloads import (
    CreditExpired,
    CreditIssued,
    CreditRestored,
    CreditUsed,
    LotPart,
    Message,
    MessageKind,
)
from storecredit.service import Delivery
from storecredit.values import Money

_USED: Final = frozenset({EntryKind.REDEEM, EntryKind.CAPTURE, EntryKind.CAPTURE_PART})
_OF_MOVES: Final[Mapping[What, MessageKind]] = MappingProxyType(
    {
        What.ISSUED: MessageKind.CREDIT_ISSUED,
        What.REDEEMED: MessageKind.CREDIT_USED,
        What.CAPTURED: MessageKind.CREDIT_USED,
        What.OWED_CAPTURED: MessageKind.CREDIT_USED,
        What.RESTORED: MessageKind.CREDIT_RESTORED,
        What.REINSTATED: MessageKind.CREDIT_RESTORED,
        What.EXPIRED: MessageKind.CREDIT_EXPIRED,
    }
)


def messages_of(delivery: Delivery, merchant: Merchant | str) -> tuple[Message, ...]:
    """
    Return what the holder is told of one delivery of the feed: mostly one message, or none.

    Args:
        delivery: What the feed handed over.

        merchant: Whose feed it is: ``credit.merchant``, which knows the names of custom units.

    Raises:
        InvalidTerms: No delivery.
        InvalidText: The merchant's id.
    """
    if not isinstance(delivery, Delivery):
        raise InvalidTerms("delivery", delivery, "a Delivery: what the feed hands over")
    return messages_of_entry(delivery.entry, holder=delivery.holder, merchant=merchant)


def messages_of_entry(
    entry: Entry, *, holder: str, merchant: Merchant | str
) -> tuple[Message, ...]:
    """
    Return what *holder* is told of one entry: at most one message of each kind.

    Amounts of one kind are summed. Value that is restored and expires in the same entry is only
    told as expired. Value that the sweep has not written down yet is not told.

    Args:
        entry: From the feed, or from `StoreCredit.journal`.

        holder: Whose account it is in.

        merchant: As `messages_of`.

    Raises:
        InvalidText: A name.
    """
    require_text("holder", holder)
    told = _Told(
        entry=entry if isinstance(merchant, str) else _declared(entry, merchant),
        holder=holder,
        merchant=require_text("merchant", merchant) if isinstance(merchant, str) else merchant.id,
    )
    found = (told.issued(), told.used(), told.restored(), told.expired())
    return tuple(message for message in found if message is not None)


def _declared(entry: Entry, merchant: Merchant) -> Entry:
    """Return the entry with its unit as the merchant declares it: a storage keeps no name."""
    for own in merchant.units:
        if own == entry.unit:
            return attrs.evolve(entry, unit=own)
    return entry


@attrs.frozen(kw_only=True)
class _Told:
    """One entry, and whom it is told to."""

    entry: Entry
    holder: str
    merchant: str

    def issued(self) -> CreditIssued | None:
        moves = self._moves(MessageKind.CREDIT_ISSUED)
        if not moves:
            return None
        return CreditIssued(
            merchant=self.merchant,
            holder=self.holder,
            at=self.entry.at,
            account=self.entry.account,
            entry=self.entry.id,
            cause=self.entry.kind.value,
            amount=self._sum(moves),
            settled=self._settled(),
            parts=tuple(
                self._made(move, move.lot, move.terms)
                for move in moves
                if move.lot is not None and move.terms is not None
            ),
            reference=self.entry.context.reference,
            reason=self.entry.context.reason,
        )

    def used(self) -> CreditUsed | None:
        moves = self._moves(MessageKind.CREDIT_USED)
        if not moves:
            return None
        return CreditUsed(
            merchant=self.merchant,
            holder=self.holder,
            at=self.entry.at,
            account=self.entry.account,
            entry=self.entry.id,
            cause=self.entry.kind.value,
            amount=self._sum(moves),
            owed=self._sum([move for move in moves if move.lot is None]),
            reference=self.entry.context.reference,
            reason=self.entry.context.reason,
            channel=self.entry.context.channel,
        )

    def restored(self) -> CreditRestored | None:
        moves = self._moves(MessageKind.CREDIT_RESTORED)
        came = self._sum(moves) - self._late(moves)
        if not came.is_positive:
            return None
        redemption = self.entry.facts.get("redemption")
        reversed_ = self._sum([move for move in moves if move.lot is None])
        return CreditRestored(
            merchant=self.merchant,
            holder=self.holder,
            at=self.entry.at,
            account=self.entry.account,
            entry=self.entry.id,
            cause=self.entry.kind.value,
            amount=came,
            settled=reversed_ + self._settled(),
            redemption=None if redemption is None else EntryId(redemption),
            reference=self.entry.context.reference,
            reason=self.entry.context.reason,
        )

    def expired(self) -> CreditExpired | None:
        moves = self._moves(MessageKind.CREDIT_EXPIRED)
        if not moves:
            return None
        return CreditExpired(
            merchant=self.merchant,
            holder=self.holder,
            at=self.entry.at,
            account=self.entry.account,
            entry=self.entry.id,
            cause=self.entry.kind.value,
            amount=self._sum(moves),
            parts=tuple(self._gone(move, move.lot) for move in moves if move.lot is not None),
        )

    def _moves(self, kind: MessageKind) -> list[Move]:
        return [move for move in self.entry.moves if move.amount and self._kind(move) is kind]

    def _kind(self, move: Move) -> MessageKind | None:
        kind = self.entry.kind
        if move.what is What.OWED_INCURRED and kind in _USED:
            return MessageKind.CREDIT_USED
        if move.what is What.OWED_REVERSED and kind is EntryKind.RESTORE:
            return MessageKind.CREDIT_RESTORED
        return _OF_MOVES.get(move.what)

    def _sum(self, moves: list[Move]) -> Money:
        return self.entry.money(sum(move.amount for move in moves))

    def _settled(self) -> Money:
        return self._sum([move for move in self.entry.moves if move.what is What.SETTLED])

    def _late(self, restored: list[Move]) -> Money:
        """Return how much of what was restored has expired in the same entry."""
        into = {move.lot for move in restored}
        expired = self._moves(MessageKind.CREDIT_EXPIRED)
        # A reinstatement first lets run out what was due: that had been there before.
        late = [move for move in expired if move.lot in into]
        return self._sum(late if self.entry.kind is EntryKind.RESTORE else [])

    def _made(self, move: Move, lot: LotId, terms: Terms) -> LotPart:
        return LotPart(
            lot=lot,
            amount=self.entry.money(move.amount),
            funding=terms.funding.value,
            effective_at=terms.effective_at,
            expires_at=terms.expires_at,
            limited=terms.limits is not None,
        )

    def _gone(self, move: Move, lot: LotId) -> LotPart:
        expires_at = move.effective_at or self.entry.at
        return LotPart(lot=lot, amount=self.entry.money(move.amount), expires_at=expires_at)
