"""
The naive model: one account as lists of lots, holds and moves, with everything else recomputed.

It is written from the rules of DESIGN.md, not from the ledger, and knows nothing of its tables,
drafts or folds. It is slow on purpose: a sum is summed whenever it is asked for. What a command
would be refused with is raised as `Refused`; the state is then thrown away by whoever kept a copy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Final

from storecredit.errors import (
    AccountClosed,
    AccountFrozen,
    AccountMerged,
    AccountOpen,
    AmountNotPositive,
    AmountOutOfRange,
    CeilingReached,
    ChannelNotDeclared,
    StoreCreditError,
    UnitMismatch,
)
from storecredit.ledger import Limits, Merchant
from storecredit.testing.machine.filed import Filed
from storecredit.values import Money, Unit

MOST: Final = 2**63 - 1
"""The largest sum there can be (V2)."""

INTO_LOTS: Final = ("issued", "adjusted_up", "reinstated", "restored", "transferred_in")
OUT_OF_LOTS: Final = (
    "redeemed",
    "captured",
    "expired",
    "revoked",
    "adjusted_down",
    "settled",
    "cashed_out",
    "refunded",
    "transferred_out",
)
INTO_DEBT: Final = ("owed_incurred", "owed_captured")
OUT_OF_DEBT: Final = ("owed_settled", "owed_reversed")
SAME_TOTAL: Final = {
    "captured": "redeemed",
    "refunded": "cashed_out",
    "owed_captured": "owed_incurred",
}
"""Moves that A2 counts under the name of another."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Refused(Exception):
    """The model expects the command to be refused with this error."""

    def __init__(self, error: type[StoreCreditError]) -> None:
        super().__init__(error.__name__)
        self.error = error


@dataclasses.dataclass(eq=False, kw_only=True)
class ModelLot:
    """One grant: its terms, and the list of everything that happened to it."""

    born: int
    """The number of the entry that created it."""
    issued_at: datetime
    funding: str
    effective_at: datetime
    expires_at: datetime | None
    priority: int = 0
    limits: Limits | None = None
    price: Fraction | None = None
    """What was paid for each minor unit."""
    origin: str | None = None
    id: str = ""
    """Learned from the receipt."""
    closed_by: str | None = None
    """``revoked`` or ``refunded``: nothing comes back into it any more."""
    back_from_expiry: int = 0
    """What was reinstated of what had expired; that comes back first."""
    back_from_revocation: int = 0
    """What was reinstated of what had been revoked."""
    log: list[tuple[str, int]] = dataclasses.field(default_factory=list)

    def sum(self, *whats: str) -> int:
        """Sum what moved by these kinds of moves."""
        return sum(amount for what, amount in self.log if what in whats)

    @property
    def remaining(self) -> int:
        """What has come in and not gone out."""
        return self.sum(*INTO_LOTS) - self.sum(*OUT_OF_LOTS)

    @property
    def granted(self) -> int:
        """What was granted, as adjusted."""
        return (
            self.sum("issued", "transferred_in", "adjusted_up")
            + self.made_by_restore
            - (self.sum("adjusted_down"))
        )

    @property
    def made_by_restore(self) -> int:
        """The first move, if it is a restore: then it is what created the lot."""
        return self.log[0][1] if self.log and self.log[0][0] == "restored" else 0

    @property
    def gone(self) -> int:
        """What expired or was revoked and has not been reinstated."""
        return self.sum("expired", "revoked") - self.sum("reinstated")

    def has_expired(self, at: datetime) -> bool:
        """Half-open: at the expiry itself it counts no more (A5)."""
        return self.expires_at is not None and at >= self.expires_at

    def is_live(self, at: datetime) -> bool:
        """Effective and not expired."""
        return at >= self.effective_at and not self.has_expired(at)


@dataclasses.dataclass(eq=False, kw_only=True)
class ModelHold:
    """A reservation: a list of (lot or None for the limit, amount), in the order drawn."""

    placed_at: datetime
    lapses_at: datetime
    reference: str | None
    draws: list[tuple[ModelLot | None, int]] = dataclasses.field(default_factory=list)
    captured: int = 0
    ended: str | None = None
    """``captured``, ``released`` or ``lapsed``."""
    id: str = ""

    @property
    def amount(self) -> int:
        """What it still reserves."""
        return sum(amount for _, amount in self.draws)


@dataclasses.dataclass(eq=False)
class Redemption:
    """What one entry spent, part by part, and what was given back of each."""

    book: Book
    parts: list[tuple[ModelLot | None, int]]
    given_back: list[int]

    @property
    def left(self) -> int:
        """What was not given back yet."""
        return sum(amount for _, amount in self.parts) - sum(self.given_back)


@dataclasses.dataclass(eq=False)
class Transfer:
    """What one transfer moved: out of which lot, how much, into which lot."""

    sender: Book
    receiver: Book
    parts: list[tuple[ModelLot, int, ModelLot]]
    reversed: bool = False


@dataclasses.dataclass(eq=False, kw_only=True)
class Expected:
    """The entry that a command should append to one account; without moves and facts, none."""

    book: Book
    amount: int = 0
    """What the receipt should say that it moved."""
    moves: list[tuple[str, ModelLot | None, int]] = dataclasses.field(default_factory=list)
    hold: ModelHold | None = None
    withheld: int = 0
    shortfall: int = 0
    recorded: bool = True
    key: str = ""
    sequence: int = 0
    at: datetime | None = None
    spent: Redemption | None = None
    sends: Transfer | None = None
    """Set on the sending side of a transfer or its reversal."""


@dataclasses.dataclass(eq=False, kw_only=True)
class Book:
    """One account: a holder's value in one unit at one merchant."""

    merchant: Merchant
    wallet: int
    unit: Unit
    lots: list[ModelLot] = dataclasses.field(default_factory=list)
    holds: list[ModelHold] = dataclasses.field(default_factory=list)
    history: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    """Every move there ever was."""
    moves: list[tuple[str, ModelLot | None, int]] = dataclasses.field(default_factory=list)
    """The moves of the command that is being decided."""
    entries: int = 0
    last_at: datetime | None = None
    status: str = "open"
    limit: int | str | None = None
    spenders: tuple[str, ...] | None = None
    """Who may spend; None for whoever the host lets."""
    merged_into: Book | None = None
    account: str = ""
    """Its id, learned from a receipt."""
    keys: dict[str, Filed] = dataclasses.field(default_factory=dict)
    """What is remembered of the request of each entry, by its key."""
    at: datetime = _NEVER
    """The instant of the command that is being decided."""

    def copied(self) -> tuple[Book, dict[int, ModelLot]]:
        """Copy the account; also return its new lots by the `id` of the old ones."""
        lots = {id(lot): dataclasses.replace(lot, log=list(lot.log)) for lot in self.lots}
        holds = [
            dataclasses.replace(
                held, draws=[(lot and lots[id(lot)], amount) for lot, amount in held.draws]
            )
            for held in self.holds
        ]
        book = dataclasses.replace(
            self,
            lots=list(lots.values()),
            holds=holds,
            history=list(self.history),
            moves=[],
            keys=dict(self.keys),
        )
        return book, lots

    @property
    def way(self) -> list[Book]:
        """The account, the one that it was merged into, the one that that was, ... (A17)."""
        return [self] if self.merged_into is None else [self, *self.merged_into.way]

    @property
    def survivor(self) -> Book:
        """The account at the end of the way."""
        return self.way[-1]

    # Sums

    def total(self, name: str) -> int:
        """One of the sums of A2, from all moves there ever were."""
        return sum(amount for what, amount in self.history if SAME_TOTAL.get(what, what) == name)

    @property
    def balance(self) -> int:
        """What remains in all lots."""
        return sum(lot.remaining for lot in self.lots)

    @property
    def owed(self) -> int:
        """What was incurred and neither settled nor reversed."""
        incurred = sum(amount for what, amount in self.history if what in INTO_DEBT)
        return incurred - sum(amount for what, amount in self.history if what in OUT_OF_DEBT)

    @property
    def limit_held(self) -> int:
        """What holds reserve of the limit."""
        return sum(
            amount
            for hold in self.holds
            for lot, amount in hold.draws
            if lot is None and not hold.ended
        )

    def held(self, lot: ModelLot) -> int:
        """What holds reserve of *lot*."""
        return sum(
            amount
            for hold in self.holds
            for drawn, amount in hold.draws
            if drawn is lot and not hold.ended
        )

    def free(self, lot: ModelLot) -> int:
        """What remains of *lot* and is not held."""
        return lot.remaining - self.held(lot)

    def unspent(self, lot: ModelLot) -> int:
        """What is free of *lot* and has not expired: expiry holds with or without a sweep (A5)."""
        return 0 if lot.has_expired(self.at) else self.free(lot)

    def available(self, at: datetime) -> int:
        """Live, not held, not limited (A4)."""
        return sum(self.free(lot) for lot in self.lots if not lot.limits and lot.is_live(at))

    def counted(self) -> int:
        """What a ceiling counts: everything but what has expired and is not held (A5, A11)."""
        return sum(
            self.held(lot) if lot.has_expired(self.at) else lot.remaining for lot in self.lots
        )

    @property
    def credit_line(self) -> int:
        """How much more may come to be owed (A9)."""
        used = self.owed + self.limit_held
        if self.limit == "unlimited":
            return MOST - used
        return (self.limit if isinstance(self.limit, int) else 0) - used

    def require_room(self, amount: int) -> None:
        """Require that *amount* fits under the merchant's ceiling as a whole (A11)."""
        ceiling = self.merchant.ceiling(self.unit)
        if ceiling is not None and self.counted() + amount > ceiling.maximum.minor:
            raise Refused(CeilingReached)

    def in_order(self, lots: list[ModelLot]) -> list[ModelLot]:
        """Sort *lots* by the merchant's order of use (A3)."""
        keys: dict[str, Callable[[ModelLot], Any]] = {
            "restricted": lambda lot: lot.limits is None,
            "priority": lambda lot: lot.priority,
            "expiry": lambda lot: lot.expires_at or _NEVER,
            "funding": lambda lot: lot.funding != "promotional",
            "effective": lambda lot: lot.effective_at,
            "issued": lambda lot: lot.born,
            "cost": lambda lot: lot.price or Fraction(0),
            "id": lambda lot: lot.id,
        }
        names = [key.value for key in self.merchant.order.keys]
        return sorted(lots, key=lambda lot: tuple(keys[name](lot) for name in names))

    # One command

    def open(self, at: datetime) -> None:
        """
        Begin a command at *at*, or at the last entry's instant where that is later (A13).

        Holds whose time is over lapse (A6); value that became effective since the last entry
        settles what is owed, in the order in which it became effective (A9).
        """
        since = self.last_at
        self.at = at if since is None else max(at, since)
        self.moves = []
        for hold in self.holds:
            if not hold.ended and self.at >= hold.lapses_at:
                self.give_back(hold, list(hold.draws), "lapsed")
        if since is not None:
            became = [lot for lot in self.lots if since < lot.effective_at <= self.at]
            for lot in sorted(self.in_order(became), key=lambda lot: lot.effective_at):
                if lot.is_live(lot.effective_at):
                    self.settle_with(lot, self.free(lot))

    def close(self, key: str, filed: Filed, expected: Expected) -> Expected:
        """End a command: its moves become one entry, if there is anything to record."""
        if not expected.recorded:
            raise NothingChanged(expected)
        if filed.channel is not None and filed.channel not in self.merchant.channels:
            raise Refused(ChannelNotDeclared)
        expected.key = key
        self.entries += 1
        self.last_at = expected.at = self.at
        expected.sequence = self.entries
        expected.moves = self.moves
        self.keys[key] = filed
        return expected

    def note(self, what: str, lot: ModelLot | None, amount: int) -> None:
        """Write a move down; a sum that cannot be counted any more is refused (V2)."""
        self.moves.append((what, lot, amount))
        self.history.append((what, amount))
        if lot is not None:
            lot.log.append((what, amount))
        name = SAME_TOTAL.get(what, what)
        counts = what not in {"held", "released", "lapsed", "owed_released", "owed_lapsed"}
        if counts and max(self.balance, self.limit_held, self.total(name)) > MOST:
            raise Refused(AmountOutOfRange)

    def new_lot(self, what: str, amount: int, lot: ModelLot) -> ModelLot:
        """Add *lot* with its first move."""
        lot.born, lot.issued_at = self.entries + 1, self.at
        self.lots.append(lot)
        self.note(what, lot, amount)
        return lot

    def give_back(
        self, hold: ModelHold, draws: list[tuple[ModelLot | None, int]], how: str
    ) -> None:
        """Release *draws*; what goes back to an expired lot expires in the same entry (A6)."""
        for lot, amount in draws:
            self.undraw(hold, lot, amount, last=True)
            self.note(how if lot is not None else f"owed_{how}", lot, amount)
        if not hold.draws:
            hold.ended = how
        expired: dict[int, tuple[ModelLot, int]] = {}
        for lot, amount in draws:
            if lot is not None and lot.has_expired(self.at):
                before = expired.get(id(lot), (lot, 0))[1]
                expired[id(lot)] = (lot, before + amount)
        for lot, amount in expired.values():
            self.note("expired", lot, amount)

    def undraw(self, hold: ModelHold, lot: ModelLot | None, amount: int, *, last: bool) -> None:
        """Take *amount* of *lot* out of the draws of *hold*: captures first, releases last."""
        draws = list(reversed(hold.draws)) if last else list(hold.draws)
        kept = []
        for drawn, reserved in draws:
            taken = min(amount, reserved) if drawn is lot else 0
            amount -= taken
            if reserved > taken:
                kept.append((drawn, reserved - taken))
        hold.draws = list(reversed(kept)) if last else kept

    def settle_with(self, lot: ModelLot, amount: int) -> None:
        """Let *amount* that has just become available in *lot* pay what is owed first (A9)."""
        paid = min(self.owed, amount)
        if paid > 0 and not lot.limits:
            self.note("settled", lot, paid)
            self.note("owed_settled", None, paid)

    def arrived(self, lot: ModelLot, amount: int) -> None:
        """Settle with what has arrived in *lot*, if it is live."""
        if lot.is_live(self.at):
            self.settle_with(lot, min(amount, self.free(lot)))

    def expire_due(self) -> None:
        """Write down what has run out and is not held (A5)."""
        for lot in self.lots:
            if lot.has_expired(self.at) and self.free(lot):
                self.note("expired", lot, self.free(lot))

    # What every command checks

    def require(self, *allowed: str) -> None:
        """Require one of the *allowed* states (A11)."""
        if self.status not in allowed:
            if self.merged_into is not None:
                raise Refused(AccountMerged)
            raise Refused(
                {"frozen": AccountFrozen, "closed": AccountClosed, "open": AccountOpen}[self.status]
            )

    def positive(self, amount: Money) -> int:
        """Return *amount* in minor units, if it is positive and in the account's unit."""
        if amount.unit != self.unit:
            raise Refused(UnitMismatch)
        if amount.minor <= 0:
            raise Refused(AmountNotPositive)
        return amount.minor


class NothingChanged(Exception):
    """The command has nothing to record: it appends nothing and consumes no key (A1)."""

    def __init__(self, expected: Expected) -> None:
        super().__init__("nothing to record")
        self.expected = expected
