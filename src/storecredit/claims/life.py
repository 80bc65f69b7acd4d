"""The life of a claim code: its states, and the one table of what may happen in each (A15)."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final


@final
class ClaimState(enum.StrEnum):
    """Where a code is in its life."""

    OPEN = "open"
    """Whoever has the code may spend from its account, and claim it."""
    CLAIMED = "claimed"
    """Everything was moved to a registered holder; restores follow."""
    REVOKED = "revoked"
    """The code is dead, and what was there was taken back."""
    REPLACED = "replaced"
    """The code is dead; a new one is the bearer of the same account."""


@final
class ClaimStep(enum.StrEnum):
    """What may happen to a code."""

    ISSUE = "issue"
    CLAIM = "claim"
    REVOKE = "revoke"
    REISSUE = "reissue"


def _row(**to: ClaimState) -> Mapping[ClaimStep, ClaimState]:
    return MappingProxyType({ClaimStep(step): state for step, state in to.items()})


TRANSITIONS: Final[Mapping[ClaimState, Mapping[ClaimStep, ClaimState]]] = MappingProxyType(
    {
        ClaimState.OPEN: _row(
            claim=ClaimState.CLAIMED,
            revoke=ClaimState.REVOKED,
            reissue=ClaimState.REPLACED,
        ),
        # What is restored to the account of a revoked code has a bearer again that way.
        ClaimState.REVOKED: _row(reissue=ClaimState.REPLACED),
        ClaimState.CLAIMED: _row(),
        ClaimState.REPLACED: _row(),
    }
)
"""What each step leads to, state by state; what is not here is refused."""
