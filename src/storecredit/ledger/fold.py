"""The fold: how each fact changes an account. New commands and replays both run through it (A1)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs

from storecredit.errors import JournalBroken
from storecredit.ledger.account import Account, AccountStatus, read_limit
from storecredit.ledger.entry import Entry, chain
from storecredit.ledger.hold import Hold
from storecredit.ledger.ids import AccountId, EntryId, HoldId
from storecredit.ledger.instants import read_instant
from storecredit.ledger.lot import Lot
from storecredit.ledger.move import EFFECTS, OF_OWED, Move


def replay(account: Account, entries: Iterable[Entry]) -> Account:
    """
    Return *account* after *entries*, checking each as it is applied.

    Raises:
        JournalBroken: An entry is not the next one, its digest does not follow from the one
            before, or what it says of lots and balance is not what its moves lead to.
    """
    now = account.copy()
    for entry in entries:
        apply_entry(now, entry)
    return now


def apply_entry(account: Account, entry: Entry) -> None:
    """Move *account* forward by one *entry*; what `replay` does for each."""
    if entry.account != account.id or entry.sequence != account.version + 1:
        raise JournalBroken(
            account.id,
            entry.sequence,
            f"it is not the one that follows version {account.version} of account {account.id}",
        )
    if chain(account.head, entry.body) != entry.digest:
        raise JournalBroken(
            account.id,
            entry.sequence,
            "its digest does not follow from its content and the entry before it",
        )
    if account.last_at is not None and entry.at < account.last_at:
        raise JournalBroken(account.id, entry.sequence, "its time is before the entry before it")
    apply_facts(account, entry.facts, at=entry.at, reference=entry.context.reference)
    redemption = entry.facts.get("redemption")
    for move in entry.moves:
        if _after(account, move, entry) != (move.lot_after, move.balance_after):
            raise JournalBroken(
                account.id,
                entry.sequence,
                f"its move of {move.amount} {move.what} does not lead to what it says remains",
            )
        if move.of is not None and redemption is not None:
            note_restored(account, EntryId(redemption), move)
    account.version, account.head, account.last_at = entry.sequence, entry.digest, entry.at


def apply_facts(account: Account, facts: Any, *, at: datetime, reference: str | None) -> None:
    """Change what the *facts* of an entry say about the account itself and its hold."""
    if not facts:
        return
    if "status" in facts:
        account.status = AccountStatus(facts["status"])
    if "limit" in facts:
        account.limit = read_limit(facts["limit"])
    if "spenders" in facts:
        spenders = facts["spenders"]
        account.spenders = None if spenders is None else tuple(spenders)
    if "merged_into" in facts:
        account.merged_into = AccountId(facts["merged_into"])
    if "lapses_at" in facts:
        hold_id = HoldId(f"{account.id}.{facts['hold']}")
        lapses_at = read_instant(facts["lapses_at"])
        hold = account.holds.get(hold_id)
        account.holds[hold_id] = (
            Hold(hold_id, at, lapses_at, reference)
            if hold is None
            else attrs.evolve(hold, lapses_at=lapses_at)
        )


def apply_move(account: Account, move: Move, *, sequence: int, at: datetime) -> None:
    """Change lot, hold and totals by *move*, by the table `EFFECTS` alone."""
    effect, totals, amount = EFFECTS[move.what], account.totals, move.amount
    if effect.total:
        totals[effect.total] += amount
    if effect.remaining:
        totals["balance"] += effect.remaining * amount
    if effect.held:
        totals["held"] += effect.held * amount
    if effect.owed_held:
        totals["owed_held"] += effect.owed_held * amount
    if move.lot is not None:
        lot = account.lots.get(move.lot)
        if lot is None:
            if move.terms is None:
                raise JournalBroken(account.id, sequence, f"it moves the unknown lot {move.lot}")
            lot = Lot(move.lot, sequence, at, move.terms, move.origin, amount, amount)
        else:
            lot = lot.moved(move)
        account.lots[move.lot] = lot
    if move.hold is not None:
        hold = account.holds.get(move.hold)
        if hold is None:
            raise JournalBroken(account.id, sequence, f"it moves the unknown hold {move.hold}")
        account.holds[move.hold] = hold.moved(move)


def note_restored(account: Account, redemption: EntryId, move: Move) -> None:
    """Count what *move* gave back of its move of *redemption*: the cap of A7 needs the sum."""
    if move.of is not None:
        parts = account.restored.setdefault(redemption, {})
        parts[move.of] = parts.get(move.of, 0) + move.amount


def _after(account: Account, move: Move, entry: Entry) -> tuple[int, int]:
    apply_move(account, move, sequence=entry.sequence, at=entry.at)
    if move.what in OF_OWED or move.lot is None:
        return account.owed, account.totals["balance"]
    return account.lots[move.lot].remaining, account.totals["balance"]
