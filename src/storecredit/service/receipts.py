"""Receipts: what a command returns, read from the entry that it appended."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

import attrs

from storecredit.errors import NothingRecorded
from storecredit.ledger import Entry, EntryId, EntryKind, HoldId, LotId, Move, What
from storecredit.values import Money, Unit


@final
@attrs.frozen
class Receipt:
    """
    What one command did to one account.

    A repeat of the command returns an equal receipt, marked as replayed (A12). A command that
    changed nothing returns an empty one.
    """

    holder: str
    unit: Unit
    recorded: Entry | None
    """The entry, or None where there was nothing to change."""
    replayed: bool = attrs.field(default=False, eq=False)
    """Whether this is the answer to an earlier request with the same key."""

    @property
    def changed(self) -> bool:
        """Whether anything was recorded, now or by the first request with the key."""
        return self.recorded is not None

    @property
    def entry(self) -> Entry:
        """
        The entry that the command appended.

        Raises:
            NothingRecorded: The command changed nothing.
        """
        if self.recorded is None:
            raise NothingRecorded("an entry", "changed nothing")
        return self.recorded

    @property
    def entry_id(self) -> EntryId:
        """The id of the entry; a restore names it."""
        return self.entry.id

    @property
    def moves(self) -> tuple[Move, ...]:
        """What happened lot by lot; amounts are minor units."""
        return () if self.recorded is None else self.recorded.moves

    @property
    def amount(self) -> Money:
        """What the command issued, spent, reserved, gave back or took: its principal moves."""
        if self.recorded is None:
            return Money.zero(self.unit)
        kinds = _PRINCIPAL.get(self.recorded.kind, frozenset())
        if self.recorded.kind is EntryKind.SETTLE:
            # Value that became effective meanwhile may have settled a part by itself.
            return self._sum(*kinds) - self._sum(What.SETTLED)
        return self._sum(*kinds)

    @property
    def on_limit(self) -> Money:
        """The part of the amount that the holder now owes, or may come to owe (A9)."""
        return self._sum(What.OWED_INCURRED, What.OWED_CAPTURED, What.OWED_HELD)

    @property
    def settled(self) -> Money:
        """What arriving value paid off of what was owed (A9)."""
        return self._sum(What.OWED_SETTLED)

    @property
    def withheld(self) -> Money:
        """What a ceiling kept from being issued (A11)."""
        return self._fact("withheld")

    @property
    def shortfall(self) -> Money:
        """What a revocation could not take because it is spent (A8)."""
        return self._fact("shortfall")

    @property
    def balance(self) -> Money:
        """
        What remained in all lots after the command, held parts included.

        Raises:
            NothingRecorded: Nothing was moved; `StoreCredit.account` knows the balance.
        """
        if not self.moves:
            raise NothingRecorded("a balance", "moved nothing")
        return Money.of_minor(self.moves[-1].balance_after, self.unit)

    @property
    def lot_ids(self) -> tuple[LotId, ...]:
        """The lots that were moved, in the order of the moves."""
        return () if self.recorded is None else self.recorded.lot_ids

    @property
    def _principal_lots(self) -> tuple[LotId, ...]:
        kinds = (
            frozenset()
            if self.recorded is None
            else _PRINCIPAL.get(self.recorded.kind, frozenset())
        )
        return tuple(move.lot for move in self.moves if move.what in kinds and move.lot is not None)

    @property
    def lot_id(self) -> LotId:
        """
        The first lot of what the command was asked for: for an issue, the lot it created.

        Lapses and settlements that the entry records before it do not count.

        Raises:
            NothingRecorded: No lot was moved.
        """
        lots = self._principal_lots or self.lot_ids
        if not lots:
            raise NothingRecorded("a lot", "moved none")
        return lots[0]

    @property
    def hold_id(self) -> HoldId:
        """
        The hold that was placed, resized, captured or released.

        Raises:
            NothingRecorded: The command was not about one hold.
        """
        hold = None if self.recorded is None else self.recorded.hold_id
        if hold is None:
            raise NothingRecorded("a hold", "was not about one hold")
        return hold

    def _sum(self, *kinds: What) -> Money:
        minor = sum(move.amount for move in self.moves if move.what in kinds)
        return Money.of_minor(minor, self.unit)

    def _fact(self, name: str) -> Money:
        minor = 0 if self.recorded is None else self.recorded.facts.get(name, 0)
        return Money.of_minor(minor, self.unit)


@final
@attrs.frozen
class TransferReceipt:
    """What a transfer or conversion did on both sides; the two entries name each other."""

    sent: Receipt
    received: Receipt

    @property
    def replayed(self) -> bool:
        """Whether this is the answer to an earlier request with the same key."""
        return self.sent.replayed

    @property
    def entry_id(self) -> EntryId:
        """The id of the sending entry; a reversal names it."""
        return self.sent.entry_id


_SPENT: Final = frozenset({What.REDEEMED, What.CAPTURED, What.OWED_INCURRED, What.OWED_CAPTURED})
_OUT: Final = frozenset({What.TRANSFERRED_OUT})
_IN: Final = frozenset({What.TRANSFERRED_IN})

_PRINCIPAL: Final[Mapping[EntryKind, frozenset[What]]] = MappingProxyType(
    {
        EntryKind.ISSUE: frozenset({What.ISSUED}),
        EntryKind.REDEEM: _SPENT,
        EntryKind.HOLD: frozenset({What.HELD, What.OWED_HELD}),
        EntryKind.RESIZE: frozenset({What.HELD, What.OWED_HELD, What.RELEASED, What.OWED_RELEASED}),
        EntryKind.CAPTURE: _SPENT,
        EntryKind.CAPTURE_PART: _SPENT,
        EntryKind.RELEASE: frozenset({What.RELEASED, What.OWED_RELEASED}),
        EntryKind.LAPSE: frozenset({What.LAPSED, What.OWED_LAPSED}),
        EntryKind.RESTORE: frozenset({What.RESTORED, What.OWED_REVERSED}),
        EntryKind.EXPIRE: frozenset({What.EXPIRED}),
        EntryKind.REVOKE: frozenset({What.REVOKED, What.OWED_INCURRED}),
        EntryKind.ADJUST: frozenset({What.ADJUSTED_UP, What.ADJUSTED_DOWN}),
        EntryKind.REINSTATE: frozenset({What.REINSTATED}),
        EntryKind.SETTLE: frozenset({What.OWED_SETTLED}),
        EntryKind.CASH_OUT: frozenset({What.CASHED_OUT}),
        EntryKind.REFUND_BOUGHT: frozenset({What.REFUNDED}),
        EntryKind.TRANSFER_OUT: _OUT,
        EntryKind.CONVERT_OUT: _OUT,
        EntryKind.MERGE_OUT: _OUT,
        EntryKind.TRANSFER_IN: _IN,
        EntryKind.CONVERT_IN: _IN,
        EntryKind.MERGE_IN: _IN,
    }
)
"""For each kind of entry, the moves that are what it was asked for."""
