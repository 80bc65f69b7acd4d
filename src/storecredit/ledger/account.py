"""The account: one holder's ledger in one unit at one merchant of record, as the fold of its facts."""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, final

import attrs

from storecredit.ledger.entry import root
from storecredit.ledger.hold import Hold
from storecredit.ledger.ids import AccountId, EntryId, HoldId, LotId
from storecredit.ledger.instants import write_instant
from storecredit.ledger.lot import Lot
from storecredit.values import Money, Unit

INFLOWS: Final = ("issued", "adjusted_up", "reinstated", "restored", "transferred_in")
OUTFLOWS: Final = (
    "redeemed",
    "expired",
    "revoked",
    "adjusted_down",
    "settled",
    "cashed_out",
    "transferred_out",
)
OWED: Final = ("owed_incurred", "owed_settled", "owed_reversed")
STOCKS: Final = ("balance", "held", "owed_held")
TOTALS: Final = INFLOWS + OUTFLOWS + OWED + STOCKS
"""The sums that an account keeps (A2); the cumulative ones never fall."""


@final
class AccountStatus(enum.StrEnum):
    """Open; frozen: nothing new in or out; closed: empty, and to stay so (A11)."""

    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"


@final
class Unlimited(enum.Enum):
    """The one value that lifts the limit of an account (A9)."""

    UNLIMITED = "unlimited"


UNLIMITED: Final = Unlimited.UNLIMITED
Limit = int | Unlimited | None
"""How far an account may owe: not at all, so many minor units, or without end (A9)."""


@final
@attrs.define(eq=False)
class Account:
    """
    The state of one account at one version. Amounts are minor units of its unit.

    Whoever holds one reads it; `Draft` alone moves a copy of it forward.
    """

    id: AccountId
    merchant: str
    holder: str
    """Who it belongs to: a label that a pseudonym may replace; no digest covers it."""
    unit: Unit
    version: int
    """The number of entries in the journal; 0 before the first."""
    head: bytes
    """The digest of the last entry."""
    last_at: datetime | None
    """The instant of the last entry."""
    totals: dict[str, int]
    status: AccountStatus = AccountStatus.OPEN
    limit: Limit = None
    spenders: tuple[str, ...] | None = None
    """Who may spend, where the account belongs to a company; None: whoever the host lets."""
    merged_into: AccountId | None = None
    lots: dict[LotId, Lot] = attrs.field(factory=dict)
    """The open lots, and those that a command names."""
    holds: dict[HoldId, Hold] = attrs.field(factory=dict)
    """The active holds, and those that a command names."""
    restored: dict[EntryId, dict[int, int]] = attrs.field(factory=dict)
    """For each redemption that a command names: what was given back of each of its moves."""

    @classmethod
    def new(cls, account_id: AccountId, merchant: str, holder: str, unit: Unit) -> "Account":
        """Return the account before its first entry."""
        return cls(
            account_id,
            merchant,
            holder,
            unit,
            0,
            root(account_id, merchant, unit.digits),
            None,
            dict.fromkeys(TOTALS, 0),
        )

    @property
    def owed(self) -> int:
        """What the holder owes the merchant."""
        totals = self.totals
        return totals["owed_incurred"] - totals["owed_settled"] - totals["owed_reversed"]

    def money(self, minor: int) -> Money:
        """Return *minor* units of the account's unit as money."""
        return Money.of_minor(minor, self.unit)

    def copy(self) -> "Account":
        """Return an independent copy, for a draft or a replay to move forward."""
        return Account(
            self.id,
            self.merchant,
            self.holder,
            self.unit,
            self.version,
            self.head,
            self.last_at,
            self.totals.copy(),
            self.status,
            self.limit,
            self.spenders,
            self.merged_into,
            self.lots.copy(),
            self.holds.copy(),
            {entry: parts.copy() for entry, parts in self.restored.items()}
            if self.restored
            else {},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON data; equal journals give equal text (A1)."""
        return {
            "id": self.id,
            "merchant": self.merchant,
            "unit": [self.unit.code, self.unit.digits],
            "version": self.version,
            "head": self.head.hex(),
            "last_at": None if self.last_at is None else write_instant(self.last_at),
            "totals": dict(self.totals),
            "status": self.status.value,
            "limit": write_limit(self.limit),
            "spenders": None if self.spenders is None else list(self.spenders),
            "merged_into": self.merged_into,
            "lots": [self.lots[lot].to_json() for lot in sorted(self.lots)],
            "holds": [self.holds[hold].to_json() for hold in sorted(self.holds)],
            "restored": {
                entry: {str(of): parts[of] for of in sorted(parts)}
                for entry, parts in sorted(self.restored.items())
            },
        }


def write_limit(limit: Limit) -> int | str | None:
    """Return *limit* as JSON data."""
    return limit.value if isinstance(limit, Unlimited) else limit


def read_limit(data: int | str | None) -> Limit:
    """Read what `write_limit` wrote."""
    return Unlimited(data) if isinstance(data, str) else data


def imbalance(totals: Mapping[str, int]) -> int:
    """
    Return how far *totals* are from conservation (A2): zero, or the ledger is wrong.

    What came in, less what left, less what is still there.
    """
    came = sum(totals[name] for name in INFLOWS)
    left = sum(totals[name] for name in OUTFLOWS)
    return came - left - totals["balance"]
