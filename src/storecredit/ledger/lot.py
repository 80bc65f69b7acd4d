"""A lot: one grant of value, with its own origin, terms and rest."""

import enum
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.ledger.ids import LotId
from storecredit.ledger.instants import read_instant, write_instant
from storecredit.ledger.move import EFFECTS, Move, What
from storecredit.ledger.terms import Terms


@final
class LotState(enum.StrEnum):
    """Whether value may come back into a lot. Restores never go into a closed one (A7)."""

    OPEN = "open"
    REVOKED = "revoked"
    """It should not have been issued (A8); reinstating all that was revoked opens it again."""
    REFUNDED = "refunded"
    """Whoever bought it got the money back."""


@final
@attrs.frozen
class Lot:
    """
    One grant of value. Amounts are minor units of the account's unit.

    It always holds ``0 <= held <= remaining <= amount`` (A2).
    """

    id: LotId
    sequence: int
    """The entry that created it: its place in the order of issue."""
    issued_at: datetime
    terms: Terms
    origin: str | None
    """The lot whose value this one carries on, after a restore or a transfer."""
    amount: int
    """What was granted, as adjusted since."""
    remaining: int
    """What has not left the lot yet, the held part included."""
    held: int = 0
    expired: int = 0
    """What ran out, less what was reinstated."""
    revoked: int = 0
    """What was taken back, less what was reinstated."""
    state: LotState = LotState.OPEN

    @property
    def free(self) -> int:
        """What remains and is not held."""
        return self.remaining - self.held

    def is_pending(self, at: datetime) -> bool:
        """Tell whether the value does not count yet at *at*."""
        return at < self.terms.effective_at

    def is_expired(self, at: datetime) -> bool:
        """Tell whether the time of the lot has run out at *at* (A5, half-open)."""
        expires_at = self.terms.expires_at
        return expires_at is not None and at >= expires_at

    def is_live(self, at: datetime) -> bool:
        """Tell whether the value counts at *at*."""
        terms = self.terms
        return terms.effective_at <= at and (terms.expires_at is None or at < terms.expires_at)

    def moved(self, move: Move) -> "Lot":
        """Return the lot after *move*."""
        effect, amount, what = EFFECTS[move.what], move.amount, move.what
        expired, revoked, state = self.expired, self.revoked, self.state
        if what in _RARE:
            state = _STATES.get(what, state)
            if what is What.EXPIRED:
                expired += amount
            elif what is What.REVOKED:
                revoked += amount
            elif what is What.REINSTATED:
                from_expired = min(amount, expired)
                expired -= from_expired
                revoked -= amount - from_expired
                # What expired may come back into a lot that stays revoked.
                if amount > from_expired and not revoked:
                    state = LotState.OPEN
        return Lot(
            self.id,
            self.sequence,
            self.issued_at,
            self.terms if move.terms is None else move.terms,
            self.origin,
            self.amount + effect.amount * amount,
            self.remaining + effect.remaining * amount,
            self.held + effect.held * amount,
            expired,
            revoked,
            state,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the lot as JSON data, for state dumps and comparisons."""
        return {
            "id": self.id,
            "sequence": self.sequence,
            "issued_at": write_instant(self.issued_at),
            "terms": self.terms.to_json(),
            "origin": self.origin,
            "amount": self.amount,
            "remaining": self.remaining,
            "held": self.held,
            "expired": self.expired,
            "revoked": self.revoked,
            "state": self.state.value,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Lot":
        """Read what `to_json` wrote."""
        read = {
            "issued_at": read_instant(data["issued_at"]),
            "terms": Terms.from_json(data["terms"]),
            "state": LotState(data["state"]),
        }
        return cls(**{**data, **read})


_STATES: Final[Mapping[What, LotState]] = MappingProxyType(
    {
        What.REVOKED: LotState.REVOKED,
        What.REFUNDED: LotState.REFUNDED,
    }
)
_RARE: Final = frozenset({What.EXPIRED, What.REVOKED, What.REINSTATED, What.REFUNDED})
