"""Why a claim fails: for the host alone, for whom each is another thing to do (A15)."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

from storecredit.claims.life import ClaimState


@final
class ClaimReason(enum.StrEnum):
    """Why a code was not opened or claimed. Customers are not told which it was."""

    THROTTLED = "throttled"
    """Too many have failed, of this caller or at this merchant; the code was not considered."""
    UNKNOWN = "unknown"
    """No such code was issued, or its key is gone."""
    CLAIMED = "claimed"
    """Somebody has claimed it before, or the same holder under another key."""
    REVOKED = "revoked"
    REPLACED = "replaced"
    """It was reissued; the new code counts."""
    FROZEN = "frozen"
    """The merchant has frozen the account of the code."""
    RESERVED = "reserved"
    """It is for another holder."""
    EXPIRED = "expired"
    """Nothing is left, and some of it has run out."""
    EMPTY = "empty"
    """Nothing is left: all of it was spent."""
    HELD = "held"
    """An order that is under way holds a part; it can be claimed once that is over."""
    NOT_TAKEN = "not_taken"
    """The account of the claimer takes nothing in: it is frozen, closed, or full."""


DEAD: Final[Mapping[ClaimState, ClaimReason]] = MappingProxyType(
    {
        ClaimState.CLAIMED: ClaimReason.CLAIMED,
        ClaimState.REVOKED: ClaimReason.REVOKED,
        ClaimState.REPLACED: ClaimReason.REPLACED,
    }
)
"""Why a code in that state can no longer be used."""
