"""Judging a claim: every check is made every time, and only then is a reason chosen (A15)."""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Final, final

import attrs

from storecredit.claims.life import ClaimState
from storecredit.claims.reasons import DEAD, ClaimReason
from storecredit.ledger.account import Account, AccountStatus
from storecredit.ledger.hold import Hold, HoldStatus
from storecredit.ledger.ids import HoldId, LotId
from storecredit.ledger.lot import Lot
from storecredit.ledger.terms import Funding, Terms
from storecredit.values import instant

_EPOCH: Final = instant(datetime.fromisoformat("2000-01-01T00:00:00+00:00"))
_NO_LOT: Final = Lot(
    LotId("none"), 0, _EPOCH, Terms(funding=Funding.GOODWILL, effective_at=_EPOCH), None, 0, 0
)
_NO_HOLD: Final = Hold(
    id=HoldId("none"),
    placed_at=_EPOCH,
    lapses_at=_EPOCH,
    reference=None,
    status=HoldStatus.RELEASED,
)
"""Looked at where an account has no open lot or hold, so that as much is done for an empty one."""

_LOTS: Final = attrgetter("lots")
_HOLDS: Final = attrgetter("holds")


@final
@attrs.frozen
class Contents:
    """What is in the accounts of a code at an instant. Amounts are minor units."""

    worth: int
    """What has not run out, pending and held parts included."""
    ran_out: int
    """What has run out, now or ever."""
    is_held: bool
    is_frozen: bool

    @classmethod
    def of(cls, accounts: Iterable[Account], at: datetime) -> "Contents":
        """Look at every open lot and hold, and at one at least."""
        known = list(accounts)
        # No line of ours is run for a row that is there and not for one that is not.
        lots = list(chain.from_iterable(map(dict.values, map(_LOTS, known)))) or [_NO_LOT]
        holds = list(chain.from_iterable(map(dict.values, map(_HOLDS, known)))) or [_NO_HOLD]
        # Nothing is decided as of an instant before the last entry (A13).
        at = max([at, *(account.last_at or at for account in known)])
        due = sum([lot.free * lot.is_expired(at) for lot in lots])
        expired = sum([account.totals["expired"] for account in known])
        statuses = [account.status for account in known]
        return cls(
            sum([lot.remaining for lot in lots]) - due,
            due + expired,
            sum([hold.is_live(at) for hold in holds]) > 0,
            AccountStatus.FROZEN in statuses,
        )


def why_not(
    state: ClaimState,
    contents: Contents,
    *,
    throttled: bool,
    known: bool,
    meant: bool,
    opening: bool,
) -> ClaimReason | None:
    """
    Return why a code cannot be used, or None if it can.

    Args:
        state: Of the record that was found, or of what stands in for it.

        contents: Of its accounts.

        throttled: Whether the attempt came too soon.

        known: Whether the record is that of the code.

        meant: Whether whoever comes may claim it.

        opening: Whether it is opened to spend from, where holds of orders do not matter.
    """
    nothing = contents.worth <= 0
    checks = (
        (ClaimReason.THROTTLED, throttled),
        (ClaimReason.UNKNOWN, not known),
        (DEAD.get(state, ClaimReason.UNKNOWN), state in DEAD),
        (ClaimReason.FROZEN, contents.is_frozen),
        (ClaimReason.RESERVED, not meant),
        (ClaimReason.EXPIRED, nothing and contents.ran_out > 0),
        (ClaimReason.EMPTY, nothing),
        (ClaimReason.HELD, contents.is_held and not opening),
    )
    found = [reason for reason, holds in checks if holds]
    return found[0] if found else None
