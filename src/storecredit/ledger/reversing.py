"""Reversals: the value of one transfer goes back, out of the lots that carry it on (A17)."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, final

import attrs

from storecredit.errors import TransferAlreadyReversed
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arriving import Parcel, parcels_of
from storecredit.ledger.command import Names
from storecredit.ledger.draft import Change, Draft
from storecredit.ledger.entry import Entry, EntryKind
from storecredit.ledger.hold import Draw
from storecredit.ledger.ids import AccountId, EntryId, LotId
from storecredit.ledger.lot import Lot
from storecredit.ledger.move import What
from storecredit.ledger.shortage import insufficient


@final
@attrs.frozen
class Part:
    """What one move of a transfer brought, and the lots that its value may be in by now."""

    of: int
    """The number of the sending move."""
    amount: int
    lots: tuple[LotId, ...]
    """The lots of the giving account that carry the transferred lot on, the first issued first."""


Parts = tuple[Part, ...]


@final
@attrs.frozen(kw_only=True)
class ReverseOut:
    """The receiving account, or its survivor, gives back what one transfer brought (A17)."""

    kind: ClassVar[EntryKind] = EntryKind.TRANSFER_OUT

    transfer: EntryId
    """The sending entry that is reversed."""
    to: AccountId = attrs.field(eq=False)
    """The account that had sent it, or the one that took that over."""
    parts: Parts = attrs.field(eq=False)

    @property
    def names(self) -> Names:
        """The lots that the value may be in."""
        return Names(lots=tuple(lot for part in self.parts for lot in part.lots))

    def decide(self, draft: Draft) -> None:
        """
        Take the same value out again: all of it, and of each part no more than it brought.

        Raises:
            AccountFrozen, AccountClosed: Nothing may go out.
            InsufficientCredit: A part of it is spent, held or expired.
        """
        draft.require_status(AccountStatus.OPEN)
        draws = [draw for part in self.parts for draw in _from(draft, part)]
        wanted = sum(part.amount for part in self.parts)
        free = sum(draw.amount for draw in draws)
        if free < wanted:
            raise insufficient(draft, wanted, free, "reverse the transfer of")
        for draw in draws:
            draft.add(What.TRANSFERRED_OUT, draw.amount, draw.lot)
        draft.fact("to", self.to)


@final
@attrs.frozen(kw_only=True)
class ReverseIn:
    """The sender of a transfer, or who took the sender over, has its value back, once (A17)."""

    kind: ClassVar[EntryKind] = EntryKind.TRANSFER_IN

    sent: EntryId
    """The entry on the giving side of the reversal."""
    reverses: EntryId
    """The sending entry that is reversed."""
    parcels: tuple[tuple[int, Parcel], ...] = attrs.field(eq=False)
    """What comes back, each with the number of the sending move that it belongs to."""
    sender: AccountId = attrs.field(eq=False)

    @property
    def names(self) -> Names:
        """How much of the transfer was reversed before."""
        return Names(redemptions=(self.reverses,))

    def decide(self, draft: Draft) -> None:
        """
        Create lots with the terms as they are by now, linked to the lots that gave the value back.

        Raises:
            AccountFrozen, AccountClosed: Nothing may come in.
            TransferAlreadyReversed: It was reversed before.
        """
        draft.require_status(AccountStatus.OPEN)
        if draft.account.restored.get(self.reverses):
            raise TransferAlreadyReversed(self.reverses)
        made = [
            (
                draft.create(
                    What.TRANSFERRED_IN, each.amount, each.terms, origin=each.origin, of=of
                ),
                each.amount,
            )
            for of, each in self.parcels
        ]
        draft.restored(self.reverses)
        draft.settle_from(made)
        draft.fact("from", self.sender)


def made_by(received: Entry) -> tuple[LotId, ...]:
    """Return the lots that the receiving entry of a transfer created."""
    return tuple(
        move.lot
        for move in received.moves
        if move.what is What.TRANSFERRED_IN and move.lot is not None
    )


def parts_of(sent: Entry, received: Entry, carried: Mapping[LotId, Iterable[LotId]]) -> Parts:
    """
    Return what the transfer of *sent* brought, part by part, and where that is now.

    Args:
        sent: The sending entry.

        received: The entry that it caused on the far side; its lots were created in the order of
            the sending moves.

        carried: As `carriers`, for the lots that *received* created.
    """
    gone = [
        (of, move.amount) for of, move in enumerate(sent.moves) if move.what is What.TRANSFERRED_OUT
    ]
    return tuple(
        Part(of, amount, tuple(carried.get(lot, ())))
        for (of, amount), lot in zip(gone, made_by(received), strict=True)
    )


def carriers(
    lots: Iterable[Lot], origins: Mapping[str, str | None], made: Iterable[LotId]
) -> dict[LotId, list[LotId]]:
    """
    Return, for each lot of *made*, those of *lots* that carry it on; it may be one of them itself.

    A lot carries another on where its origin, or the origin of that, and so on, is that other.

    Args:
        lots: Where to look.

        origins: The origin of each lot that may be on the way; what is not in it leads nowhere.

        made: No two of them carry each other on.
    """
    carried: dict[LotId, list[LotId]] = {lot: [] for lot in made}
    for lot in sorted(lots, key=lambda each: (each.sequence, each.id)):
        on_the_way: str | None = lot.id
        met: set[str] = set()
        while on_the_way is not None and on_the_way not in carried and on_the_way not in met:
            met.add(on_the_way)
            on_the_way = origins.get(on_the_way)
        if on_the_way is not None and on_the_way in carried:
            carried[LotId(on_the_way)].append(lot.id)
    return carried


def reversal_parcels(parts: Parts, back: Change) -> tuple[tuple[int, Parcel], ...]:
    """Return what *back*, the giving side of a reversal, gives away, each with its part's number."""
    part_of = {lot: part.of for part in parts for lot in part.lots}
    return tuple((part_of[parcel.origin], parcel) for parcel in parcels_of(back))


def _from(draft: Draft, part: Part) -> list[Draw]:
    """Return what can be had of *part*; what has expired cannot, swept or not (A5)."""
    draws, left = [], part.amount
    for name in part.lots:
        lot = draft.lot(name)
        taken = 0 if lot.is_expired(draft.at) else min(lot.free, left)
        if taken:
            draws.append(Draw(name, taken))
            left -= taken
    return draws
