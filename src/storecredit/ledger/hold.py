"""A hold: value reserved for one order, and the table of its life."""

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger.ids import HoldId, LotId
from storecredit.ledger.instants import read_instant, write_instant
from storecredit.ledger.move import Move, What


@final
class HoldStatus(enum.StrEnum):
    """Where a hold is in its life (A6). Only an active one reserves anything."""

    ACTIVE = "active"
    CAPTURED = "captured"
    RELEASED = "released"
    LAPSED = "lapsed"


ENDS: Final[Mapping[What, HoldStatus]] = MappingProxyType(
    {
        What.CAPTURED: HoldStatus.CAPTURED,
        What.OWED_CAPTURED: HoldStatus.CAPTURED,
        What.RELEASED: HoldStatus.RELEASED,
        What.OWED_RELEASED: HoldStatus.RELEASED,
        What.LAPSED: HoldStatus.LAPSED,
        What.OWED_LAPSED: HoldStatus.LAPSED,
    }
)
"""The life of a hold: the move that takes the last of it decides how it ended."""


@final
@attrs.frozen
class Draw:
    """The part of a hold that comes from one lot, or, with no lot, from the holder's limit."""

    lot: LotId | None
    amount: int

    def to_json(self) -> list[Any]:
        """Return the draw as JSON data, the form that idempotency compares."""
        return [self.lot, self.amount]


def as_draws(draws: Iterable[Draw]) -> tuple[Draw, ...]:
    """
    Accept what is drawn of each lot, in the order in which it is to be drawn.

    Raises:
        InvalidTerms: No draw, one of nothing or less, or a lot that is named twice.
    """
    found = tuple(draws)
    if not found or any(draw.amount <= 0 for draw in found):
        raise InvalidTerms("draws", draws, "draws of more than nothing")
    lots = [draw.lot for draw in found]
    if len(set(lots)) < len(lots):
        raise InvalidTerms("draws", draws, "draws that name each lot once")
    return found


def lots_of(draws: Iterable[Draw]) -> tuple[LotId, ...]:
    """Return the lots that *draws* name."""
    return tuple(draw.lot for draw in draws if draw.lot is not None)


@final
@attrs.frozen
class Hold:
    """Value reserved until ``lapses_at``. Amounts are minor units of the account's unit."""

    id: HoldId
    placed_at: datetime
    lapses_at: datetime
    """The hold is live while ``at < lapses_at``."""
    reference: str | None
    status: HoldStatus = HoldStatus.ACTIVE
    draws: tuple[Draw, ...] = ()
    """What is still reserved, in the order it was drawn."""
    captured: int = 0
    """What has been spent of it so far."""

    @property
    def amount(self) -> int:
        """What is still reserved."""
        return sum(draw.amount for draw in self.draws)

    def is_live(self, at: datetime) -> bool:
        """Tell whether the hold reserves its value at *at*."""
        return self.status is HoldStatus.ACTIVE and at < self.lapses_at

    def moved(self, move: Move) -> "Hold":
        """Return the hold after *move*, which names it."""
        ends = ENDS.get(move.what)
        if ends is None:
            draws = (*self.draws, Draw(move.lot, move.amount))
            return attrs.evolve(self, draws=draws)
        draws = _less(self.draws, move.lot, move.amount, first=ends is HoldStatus.CAPTURED)
        return attrs.evolve(
            self,
            draws=draws,
            captured=self.captured + (move.amount if ends is HoldStatus.CAPTURED else 0),
            status=self.status if draws else ends,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the hold as JSON data, for state dumps and comparisons."""
        return {
            "id": self.id,
            "placed_at": write_instant(self.placed_at),
            "lapses_at": write_instant(self.lapses_at),
            "reference": self.reference,
            "status": self.status.value,
            "draws": [[draw.lot, draw.amount] for draw in self.draws],
            "captured": self.captured,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Hold":
        """Read what `to_json` wrote."""
        return cls(
            data["id"],
            read_instant(data["placed_at"]),
            read_instant(data["lapses_at"]),
            data["reference"],
            HoldStatus(data["status"]),
            tuple(Draw(lot, amount) for lot, amount in data["draws"]),
            data["captured"],
        )


def _less(
    draws: tuple[Draw, ...], lot: LotId | None, amount: int, *, first: bool
) -> tuple[Draw, ...]:
    """Take *amount* of *lot* out of *draws*: from the first of its draws on, or from the last."""
    rest = amount
    kept: list[Draw] = []
    for draw in draws if first else reversed(draws):
        taken = min(rest, draw.amount) if draw.lot == lot else 0
        rest -= taken
        if draw.amount > taken:
            kept.append(attrs.evolve(draw, amount=draw.amount - taken))
    return tuple(kept if first else reversed(kept))
