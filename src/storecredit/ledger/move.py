"""A move: one lot's part of an entry, and what each kind of move does to the sums."""

import enum
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.ledger.canonical import canonical
from storecredit.ledger.ids import AccountId, HoldId, LotId, local_part
from storecredit.ledger.instants import read_instant, write_instant
from storecredit.ledger.terms import Terms


@final
class What(enum.StrEnum):
    """What happened to a lot, or to what the holder owes."""

    ISSUED = "issued"
    ADJUSTED_UP = "adjusted_up"
    REINSTATED = "reinstated"
    RESTORED = "restored"
    TRANSFERRED_IN = "transferred_in"

    REDEEMED = "redeemed"
    CAPTURED = "captured"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ADJUSTED_DOWN = "adjusted_down"
    SETTLED = "settled"
    CASHED_OUT = "cashed_out"
    REFUNDED = "refunded"
    TRANSFERRED_OUT = "transferred_out"

    HELD = "held"
    RELEASED = "released"
    LAPSED = "lapsed"

    TERMS_CHANGED = "terms_changed"

    OWED_INCURRED = "owed_incurred"
    OWED_SETTLED = "owed_settled"
    OWED_REVERSED = "owed_reversed"
    OWED_HELD = "owed_held"
    OWED_RELEASED = "owed_released"
    OWED_LAPSED = "owed_lapsed"
    OWED_CAPTURED = "owed_captured"


@final
@attrs.frozen
class Effect:
    """What one minor unit of a move adds to its lot and to the account's sums."""

    amount: int = 0
    """To the lot's amount."""
    remaining: int = 0
    """To the lot's remainder and the account's balance."""
    held: int = 0
    """To the lot's and the account's held part."""
    total: str = ""
    """The cumulative total of A2 that grows."""
    owed_held: int = 0
    """To the part of the limit that holds reserve."""


EFFECTS: Final[Mapping[What, Effect]] = MappingProxyType(
    {
        What.ISSUED: Effect(amount=1, remaining=1, total="issued"),
        What.ADJUSTED_UP: Effect(amount=1, remaining=1, total="adjusted_up"),
        What.REINSTATED: Effect(remaining=1, total="reinstated"),
        What.RESTORED: Effect(remaining=1, total="restored"),
        What.TRANSFERRED_IN: Effect(amount=1, remaining=1, total="transferred_in"),
        What.REDEEMED: Effect(remaining=-1, total="redeemed"),
        What.CAPTURED: Effect(remaining=-1, held=-1, total="redeemed"),
        What.EXPIRED: Effect(remaining=-1, total="expired"),
        What.REVOKED: Effect(remaining=-1, total="revoked"),
        What.ADJUSTED_DOWN: Effect(amount=-1, remaining=-1, total="adjusted_down"),
        What.SETTLED: Effect(remaining=-1, total="settled"),
        What.CASHED_OUT: Effect(remaining=-1, total="cashed_out"),
        What.REFUNDED: Effect(remaining=-1, total="cashed_out"),
        What.TRANSFERRED_OUT: Effect(remaining=-1, total="transferred_out"),
        What.HELD: Effect(held=1),
        What.RELEASED: Effect(held=-1),
        What.LAPSED: Effect(held=-1),
        What.TERMS_CHANGED: Effect(),
        What.OWED_INCURRED: Effect(total="owed_incurred"),
        What.OWED_SETTLED: Effect(total="owed_settled"),
        What.OWED_REVERSED: Effect(total="owed_reversed"),
        What.OWED_HELD: Effect(owed_held=1),
        What.OWED_RELEASED: Effect(owed_held=-1),
        What.OWED_LAPSED: Effect(owed_held=-1),
        What.OWED_CAPTURED: Effect(owed_held=-1, total="owed_incurred"),
    }
)
"""The whole arithmetic of the ledger (A2): replay and new commands both apply this table."""

OWED_EFFECT: Final[Mapping[What, int]] = MappingProxyType(
    {
        What.OWED_INCURRED: 1,
        What.OWED_CAPTURED: 1,
        What.OWED_SETTLED: -1,
        What.OWED_REVERSED: -1,
    }
)
"""What one minor unit of a move adds to what the holder owes."""

OF_OWED: Final = frozenset(what for what in What if what.value.startswith("owed_"))
"""The moves that concern what the holder owes, and no lot."""


@final
@attrs.frozen
class Move:
    """
    One lot's part of an entry (A1). Amounts are minor units of the account's unit, not negative.

    A move of what the holder owes names no lot; its ``lot_after`` is what is owed after it.
    """

    what: What
    lot: LotId | None
    amount: int
    lot_after: int
    """What remains in the lot after the move, the held part included."""
    balance_after: int
    """What remains in all lots of the account after the move, held parts included."""
    hold: HoldId | None = None
    """The hold that the value was reserved under."""
    terms: Terms | None = None
    """The terms of the lot that the move creates, or that replace the lot's terms."""
    origin: str | None = None
    """The lot, in this account or another, whose value a newly created lot carries on."""
    of: int | None = None
    """For a restore: the ordinal of the redemption's move that this gives back."""
    effective_at: datetime | None = None
    """When it took effect, where that is earlier than the entry's instant (A5)."""

    def text(self) -> str:
        """Return the move as canonical JSON text: what encoding `to_json` gives, but sooner."""
        if self.lot is None or self.hold or self.terms or self.origin or self.of is not None:
            return canonical(self.to_json())
        if self.effective_at is not None:
            return canonical(self.to_json())
        return (
            f'["{self.what}","{self.lot[-32:]}",'
            f"{self.amount},{self.lot_after},{self.balance_after}]"
        )

    def to_json(self) -> list[Any]:
        """Return the move as JSON data: five positions, and a mapping when there is more."""
        plain: list[Any] = [
            self.what.value,
            None if self.lot is None else local_part(self.lot),
            self.amount,
            self.lot_after,
            self.balance_after,
        ]
        more: dict[str, Any] = {}
        if self.hold is not None:
            more["hold"] = local_part(self.hold)
        if self.terms is not None:
            more["terms"] = self.terms.to_json()
        if self.origin is not None:
            more["origin"] = self.origin
        if self.of is not None:
            more["of"] = self.of
        if self.effective_at is not None:
            more["effective_at"] = write_instant(self.effective_at)
        if more:
            plain.append(more)
        return plain

    @classmethod
    def from_json(cls, account: AccountId, data: list[Any]) -> "Move":
        """Read what `to_json` wrote for *account*."""
        what, lot, amount, lot_after, balance_after, *rest = data
        lot_id = None if lot is None else LotId(f"{account}.{lot}")
        if not rest:
            return cls(What(what), lot_id, amount, lot_after, balance_after)
        more = rest[0]
        hold, terms, effective = more.get("hold"), more.get("terms"), more.get("effective_at")
        return cls(
            What(what),
            lot_id,
            amount,
            lot_after,
            balance_after,
            hold=None if hold is None else HoldId(f"{account}.{hold}"),
            terms=None if terms is None else Terms.from_json(terms),
            origin=more.get("origin"),
            of=more.get("of"),
            effective_at=None if effective is None else read_instant(effective),
        )
