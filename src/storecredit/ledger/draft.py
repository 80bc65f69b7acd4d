"""A draft: one command's working copy of an account. Facts go in; the change comes out."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, final

import attrs

from storecredit.errors import (
    AccountClosed,
    AccountFrozen,
    AccountMerged,
    AccountOpen,
    AmountNotPositive,
    AmountOutOfRange,
    ReasonAndActorRequired,
    UnitMismatch,
    UnknownHold,
    UnknownLot,
)
from storecredit.ledger.account import UNLIMITED, Account, AccountStatus
from storecredit.ledger.entry import Context, Entry, EntryKind, write_entry
from storecredit.ledger.fold import apply_facts, apply_move, note_restored
from storecredit.ledger.hold import Draw, Hold, HoldStatus
from storecredit.ledger.ids import EntryId, HoldId, LotId, hold_id, local_part, lot_id
from storecredit.ledger.instants import write_instant
from storecredit.ledger.lot import Lot
from storecredit.ledger.move import EFFECTS, OWED_EFFECT, Move, What
from storecredit.ledger.placement import Wanted, place
from storecredit.ledger.rules import Merchant
from storecredit.ledger.terms import Terms
from storecredit.values import Money

MOST: Final = 2**63 - 1
"""The largest amount or sum, in minor units (V2)."""


@final
@attrs.define(kw_only=True, eq=False)
class Change:
    """What one command does to one account: its entry, and the rows that it leaves changed."""

    entry: Entry
    account: Account
    """The account after the entry."""
    lots: tuple[Lot, ...]
    """The lots that the entry created or changed, as they are after it."""
    holds: tuple[Hold, ...]
    """The holds that the entry placed or changed, as they are after it."""
    restored: EntryId | None
    """The redemption whose restored parts grew, if any."""


@final
class Draft:
    """
    One command's working copy of an account.

    A command reads `account`, and adds moves and facts; each applies at once, through the same
    fold that a replay uses. Opening a draft lapses the holds whose time is over and lets value
    that became effective since the last entry settle what is owed (A6, A9), in the same entry.
    """

    def __init__(
        self, account: Account, merchant: Merchant, *, key: str, at: datetime, context: Context
    ) -> None:
        self.before: Final = account
        self.account: Final = account.copy()
        self.merchant: Final = merchant
        self.key: Final = key
        self.context: Final = context
        last_at = account.last_at
        self.at: Final = at if last_at is None or at > last_at else last_at
        """The instant that decides everything: never before the last entry (A13)."""
        self._moves: Final[list[Move]] = []
        self._facts: Final[dict[str, Any]] = {}
        self._lots: Final[dict[LotId, None]] = {}
        self._holds: Final[dict[HoldId, None]] = {}
        self._restored: EntryId | None = None
        if account.holds:
            self._lapse()
        if account.owed:
            self._settle_newly_effective()
        self._opened_with = len(self._moves)

    # Reading

    def minor(self, amount: Money, doing: str) -> int:
        """
        Return *amount* in minor units, if it is positive and in the account's unit.

        Raises:
            UnitMismatch: It is in another unit.
            AmountNotPositive: It is zero or negative.
        """
        unit = amount.unit
        if unit is not self.account.unit and unit != self.account.unit:
            raise UnitMismatch(doing, unit, self.account.unit)
        if amount.minor <= 0:
            raise AmountNotPositive(doing, amount)
        return amount.minor

    def require_status(self, *allowed: AccountStatus) -> None:
        """
        Require that the account is in one of the *allowed* states.

        Raises:
            AccountFrozen: It is frozen.
            AccountMerged: It was merged into another, for good.
            AccountClosed: It is closed.
            AccountOpen: It is open.
        """
        status = self.account.status
        if status in allowed:
            return
        if status is AccountStatus.FROZEN:
            raise AccountFrozen(self.account.holder, self.account.unit.code)
        if self.account.merged_into is not None:
            raise AccountMerged(self.account.holder, self.account.merged_into)
        if status is AccountStatus.CLOSED:
            raise AccountClosed(self.account.holder, self.account.unit.code)
        raise AccountOpen(self.account.holder, self.account.unit.code)

    def require_reason_and_actor(self, doing: str) -> None:
        """
        Require that somebody answers for a correction (A10).

        Raises:
            ReasonAndActorRequired: The reason or the actor is missing.
        """
        if self.context.actor is None or self.context.reason is None:
            raise ReasonAndActorRequired(doing)

    def lot(self, lot: LotId) -> Lot:
        """
        Return the lot with that id.

        Raises:
            UnknownLot: The account has no such lot.
        """
        found = self.account.lots.get(lot)
        if found is None:
            raise UnknownLot(lot)
        return found

    def hold(self, hold: HoldId) -> Hold:
        """
        Return the hold with that id.

        Raises:
            UnknownHold: The account has no such hold.
        """
        found = self.account.holds.get(hold)
        if found is None:
            raise UnknownHold(hold)
        return found

    def holds_as_placed(self) -> list[Hold]:
        """Return the loaded holds, first placed first, in whatever order they were loaded (A1)."""
        return sorted(self.account.holds.values(), key=lambda hold: hold.placed_at)

    def available(self) -> int:
        """Return what is live, not held, and not limited (A4)."""
        at = self.at
        return sum(
            lot.remaining - lot.held
            for lot in self.account.lots.values()
            if lot.terms.limits is None and lot.is_live(at)
        )

    def worth(self) -> int:
        """Return what lots hold without what has expired, swept or not; held parts count (A5)."""
        at = self.at
        due = sum(lot.free for lot in self.account.lots.values() if lot.is_expired(at))
        return self.account.totals["balance"] - due

    def credit_line(self) -> int:
        """Return how much more the holder may come to owe (A9); negative when beyond the limit."""
        limit = self.account.limit
        used = self.account.owed + self.account.totals["owed_held"]
        if limit is UNLIMITED:
            return MOST - used
        return (limit if isinstance(limit, int) else 0) - used

    # Writing

    def add(
        self,
        what: What,
        amount: int,
        lot: LotId | None,
        *,
        hold: HoldId | None = None,
        terms: Terms | None = None,
        origin: str | None = None,
        of: int | None = None,
        effective_at: datetime | None = None,
    ) -> None:
        """Append one move and apply it."""
        account, effect = self.account, EFFECTS[what]
        balance_after = account.totals["balance"] + effect.remaining * amount
        if balance_after > MOST:
            raise AmountOutOfRange(balance_after, account.unit)
        if effect.total and (total := account.totals[effect.total] + amount) > MOST:
            raise AmountOutOfRange(total, account.unit)
        if effect.owed_held > 0 and (line := account.totals["owed_held"] + amount) > MOST:
            raise AmountOutOfRange(line, account.unit)
        if lot is None:
            lot_after = account.owed + OWED_EFFECT.get(what, 0) * amount
        else:
            known = account.lots.get(lot)
            lot_after = (0 if known is None else known.remaining) + effect.remaining * amount
            self._lots[lot] = None
        if hold is not None:
            self._holds[hold] = None
        move = Move(
            what, lot, amount, lot_after, balance_after, hold, terms, origin, of, effective_at
        )
        apply_move(account, move, sequence=self.before.version + 1, at=self.at)
        self._moves.append(move)

    def create(
        self,
        what: What,
        amount: int,
        terms: Terms,
        *,
        origin: str | None = None,
        of: int | None = None,
    ) -> LotId:
        """Append the move that creates a lot, and return the lot's id."""
        lot = lot_id(self.account.id, self.key, len(self._moves))
        self.add(what, amount, lot, terms=terms, origin=origin, of=of)
        return lot

    def place_hold(self, lapses_at: datetime) -> HoldId:
        """Open a hold without value yet, and return its id."""
        hold = hold_id(self.account.id, self.key, len(self._moves))
        self.change_hold(hold, lapses_at)
        return hold

    def change_hold(self, hold: HoldId, lapses_at: datetime) -> None:
        """Record until when *hold* lives."""
        self.state({"lapses_at": write_instant(lapses_at), "hold": local_part(hold)})
        self._holds[hold] = None

    def fact(self, name: str, value: Any) -> None:
        """Record something that the command decided and that explains it."""
        self._facts[name] = value

    def state(self, facts: Mapping[str, Any]) -> None:
        """Record facts that change the account itself or its hold, and apply them."""
        self._facts.update(facts)
        apply_facts(self.account, facts, at=self.at, reference=self.context.reference)

    def restored(self, redemption: EntryId) -> None:
        """Record, once and after the moves, which redemption they give back."""
        self._facts["redemption"] = redemption
        self._restored = redemption
        for move in self._moves:
            note_restored(self.account, redemption, move)

    def draw(self, wanted: Wanted, *, lots: Iterable[Lot] | None = None) -> tuple[Draw, ...]:
        """Choose lots, of *lots* where given, for what is *wanted*, without moving anything."""
        return place(self.account.lots.values() if lots is None else lots, wanted)

    def give_back(self, hold: Hold, draws: Iterable[Draw], *, lapsed: bool) -> None:
        """Release *draws* of *hold*; what goes back to an expired lot expires with it (A6)."""
        expired: dict[LotId, int] = {}
        for draw in draws:
            if draw.lot is None:
                what = What.OWED_LAPSED if lapsed else What.OWED_RELEASED
                self.add(what, draw.amount, None, hold=hold.id)
                continue
            self.add(What.LAPSED if lapsed else What.RELEASED, draw.amount, draw.lot, hold=hold.id)
            if self.account.lots[draw.lot].is_expired(self.at):
                expired[draw.lot] = expired.get(draw.lot, 0) + draw.amount
        for lot, amount in expired.items():
            self.expire(lot, amount)

    def expire(self, lot: LotId, amount: int) -> None:
        """Let *amount* of an expired lot run out, effective at the lot's own expiry (A5)."""
        self.add(What.EXPIRED, amount, lot, effective_at=self.account.lots[lot].terms.expires_at)

    def expire_due(self) -> None:
        """Let everything run out that is due and not held (A5)."""
        # Sorted: a storage loads rows in any order, and no entry may depend on it (A1).
        for lot in sorted(self.account.lots.values(), key=lambda lot: (lot.sequence, lot.id)):
            self.expire_if_due(lot.id)

    def expire_if_due(self, lot: LotId) -> Lot:
        """
        Let what is due of *lot* run out, so that no command depends on the sweep (A5).

        Raises:
            UnknownLot: The account has no such lot.
        """
        found = self.lot(lot)
        if found.is_expired(self.at) and found.free:
            self.expire(lot, found.free)
            found = self.account.lots[lot]
        return found

    def settle_from(self, arrived: Iterable[tuple[LotId, int]]) -> None:
        """Let value that has just become available, lot by lot, settle what is owed first (A9)."""
        for lot_id_, amount in arrived:
            if self.account.lots[lot_id_].is_live(self.at):
                self._settle(lot_id_, amount)

    def _settle(self, lot_id_: LotId, amount: int) -> None:
        lot = self.account.lots[lot_id_]
        settled = min(self.account.owed, amount, lot.free)
        if settled and lot.terms.limits is None:
            self.add(What.SETTLED, settled, lot.id)
            self.add(What.OWED_SETTLED, settled, None)

    def _lapse(self) -> None:
        for hold in self.holds_as_placed():
            if hold.status is HoldStatus.ACTIVE and not hold.is_live(self.at):
                self.give_back(hold, hold.draws, lapsed=True)

    def _settle_newly_effective(self) -> None:
        """
        Let value settle in the order in which it became effective since the last entry.

        Each lot counts as it was at that instant, even where it has expired since, so that no
        balance depends on what was recorded in between, a sweep for one (A5).
        """
        since = self.before.last_at
        newly = [
            lot
            for lot in self.account.lots.values()
            if since is not None and since < lot.terms.effective_at <= self.at
        ]
        by_use = self.merchant.order.sorted(newly)
        for lot in sorted(by_use, key=lambda lot: lot.terms.effective_at):
            if lot.is_live(lot.terms.effective_at):
                self._settle(lot.id, lot.free)

    def keep_opening_moves(self) -> None:
        """Let what opening the draft did count as the command's own doing."""
        self._opened_with = 0

    # Finishing

    @property
    def is_empty(self) -> bool:
        """Whether the command itself has changed nothing: then nothing is appended (A1)."""
        return len(self._moves) == self._opened_with and not self._facts

    def finish(
        self, kind: EntryKind, request: Mapping[str, Any], salt: Callable[[], bytes]
    ) -> Change:
        """Seal everything added so far into one entry, and return the change."""
        account, before = self.account, self.before
        entry = write_entry(
            account=account.id,
            unit=account.unit,
            sequence=before.version + 1,
            key=self.key,
            kind=kind,
            at=self.at,
            moves=tuple(self._moves),
            facts=self._facts,
            request=request,
            context=self.context,
            previous=before.head,
            salt=salt,
        )
        account.version, account.head, account.last_at = entry.sequence, entry.digest, entry.at
        return Change(
            entry=entry,
            account=account,
            lots=tuple([account.lots[lot] for lot in self._lots]),
            holds=tuple([account.holds[hold] for hold in self._holds]),
            restored=self._restored,
        )
