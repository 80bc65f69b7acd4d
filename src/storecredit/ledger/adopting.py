"""Adopting: an entry that was decided elsewhere, checked from scratch, as the change that it is."""

from collections.abc import Iterator
from typing import Any, Final

import attrs

from storecredit.errors import JournalBroken
from storecredit.ledger.account import Account
from storecredit.ledger.canonical import canonical
from storecredit.ledger.command import Names
from storecredit.ledger.draft import MOST, Change
from storecredit.ledger.entry import PRIVATE_FIELDS, Entry, commitment, private_value
from storecredit.ledger.fold import apply_entry
from storecredit.ledger.hold import HoldStatus
from storecredit.ledger.ids import EntryId, HoldId, hold_id, lot_id
from storecredit.ledger.instants import write_instant
from storecredit.ledger.terms import Terms
from storecredit.ledger.texts import require_text


def rows_behind(account: Account, entry: Entry) -> Names:
    """
    Return the rows that *entry* moves and that are neither open in *account* nor made by it.

    They have to be loaded before `change_of` (S3).
    """
    made: set[str] = set(_ids_made_by(entry))
    redemption = entry.facts.get("redemption")
    return Names(
        lots=tuple(lot for lot in entry.lot_ids if lot not in account.lots and lot not in made),
        holds=tuple(
            hold for hold in _holds_of(entry) if hold not in account.holds and hold not in made
        ),
        redemptions=() if redemption is None else (EntryId(redemption),),
    )


def change_of(account: Account, entry: Entry) -> Change:
    """
    Return what *entry*, which was decided elsewhere, does to *account*.

    The account is not changed. It has the rows that `rows_behind` names. Nothing about the entry
    is trusted: its chain, its canonical form, the names it gives, its arithmetic and the bounds
    of every row it leaves are checked.

    Raises:
        JournalBroken: The entry is not the next one, or not one that this library could have
            written.
    """
    _check_form(account, entry)
    behind = rows_behind(account, entry)
    for kind, unknown in (("lot", behind.lots), ("hold", behind.holds)):
        if unknown:
            raise _broken(account, entry, f"it moves the unknown {kind} {unknown[0]}")
    now = account.copy()
    apply_entry(now, entry)
    redemption = entry.facts.get("redemption")
    if redemption is not None and redemption not in now.restored:
        raise _broken(account, entry, "it gives back nothing of the redemption that it names")
    change = Change(
        entry=entry,
        account=now,
        lots=tuple(now.lots[lot] for lot in entry.lot_ids),
        holds=tuple(now.holds[hold] for hold in _holds_of(entry)),
        restored=None if redemption is None else EntryId(redemption),
    )
    _check_bounds(account, change)
    return change


def open_rows(account: Account) -> Account:
    """Return *account* without exhausted lots, ended holds and restored parts (S3)."""
    return attrs.evolve(
        account,
        lots={id_: lot for id_, lot in account.lots.items() if lot.remaining},
        holds={
            id_: hold for id_, hold in account.holds.items() if hold.status is HoldStatus.ACTIVE
        },
        restored={},
    )


def _broken(account: Account, entry: Entry, problem: str) -> JournalBroken:
    return JournalBroken(account.id, entry.sequence, problem)


def _holds_of(entry: Entry) -> tuple[HoldId, ...]:
    """Return the holds that the entry places, changes or moves, each once."""
    found = [move.hold for move in entry.moves if move.hold is not None]
    if "lapses_at" in entry.facts:
        found.insert(0, HoldId(f"{entry.account}.{entry.facts['hold']}"))
    return tuple(dict.fromkeys(found))


def _ids_made_by(entry: Entry) -> Iterator[str]:
    """Yield the ids of the lots that the entry's moves create, and of the hold it places (A1)."""
    for ordinal, move in enumerate(entry.moves):
        if move.terms is not None:
            made = lot_id(entry.account, entry.key, ordinal)
            if move.lot == made:
                yield made
    if "lapses_at" in entry.facts:
        placed = f"{entry.account}.{entry.facts['hold']}"
        for ordinal in range(len(entry.moves) + 1):
            if hold_id(entry.account, entry.key, ordinal) == placed:
                yield placed


def _check_form(account: Account, entry: Entry) -> None:
    """Require that the library itself would write this entry in exactly this way."""
    for move in entry.moves:
        of = 0 if move.of is None else move.of
        if not all(map(_is_amount, (move.amount, move.lot_after, move.balance_after, of))):
            raise _broken(account, entry, f"it has an amount that is no number from 0 to {MOST}")
        if move.terms is not None and not _are_terms(move.terms):
            raise _broken(account, entry, "it has terms that no lot can have")
    context = entry.context
    texts = (context.reference, context.channel, context.location, context.reason)
    if type(entry.sequence) is not int or not all(text is None or _is_text(text) for text in texts):
        raise _broken(account, entry, "its sequence is no number, or its context no text")
    require_text("key", entry.key)
    if not entry.moves and not entry.facts:
        raise _broken(account, entry, "it changes nothing (A1)")
    if not all(name in PRIVATE_FIELDS and _is_text(seal) for name, seal in entry.seals.items()):
        raise _broken(account, entry, "it seals what is no private field")
    for name, is_right in _FACTS:
        if name in entry.facts and not is_right(entry.facts[name]):
            raise _broken(account, entry, f"its fact {name!r} is not of the form it has to have")
    if _written(entry) != entry.body:
        raise _broken(account, entry, "it is not in the canonical form, or says more than it may")
    for field in PRIVATE_FIELDS:
        value, salt = private_value(entry.context, field), entry.salts.get(field)
        seal = None if salt is None else commitment(field, salt, value)
        if (salt is not None or value is not None) and entry.seals.get(field) != seal:
            raise _broken(account, entry, f"its {field} is not the one that was recorded")


def _written(entry: Entry) -> str:
    body: dict[str, Any] = {
        "account": entry.account,
        "sequence": entry.sequence,
        "key": entry.key,
        "kind": entry.kind.value,
        "at": write_instant(entry.at),
        "moves": [move.to_json() for move in entry.moves],
    }
    context = entry.context
    public = {
        name: value
        for name in ("reason", "reference", "channel", "location")
        if (value := getattr(context, name)) is not None
    }
    if context.occurred_at is not None:
        public["occurred_at"] = write_instant(context.occurred_at)
    for name, part in (
        ("facts", entry.facts),
        ("request", entry.request),
        ("context", public),
        ("sealed", entry.seals),
    ):
        if part:
            body[name] = part
    return canonical(body)


def _check_bounds(before: Account, change: Change) -> None:
    """
    Require what holds of every account: the bounds of lots and sums, and that holds add up.

    Conservation (A2) follows: each move changes the sums by the one table that conserves them.
    """
    entry, now = change.entry, change.account
    for lot in change.lots:
        if not 0 <= lot.held <= lot.remaining <= lot.amount <= MOST:
            raise _broken(before, entry, f"it leaves lot {lot.id} outside its bounds")
    totals = now.totals
    if any(not 0 <= total <= MOST for total in totals.values()) or now.owed < 0:
        raise _broken(before, entry, "it leaves a sum of the account outside its bounds")
    reserved = sum(hold.amount for hold in now.holds.values() if hold.status is HoldStatus.ACTIVE)
    if reserved != totals["held"] + totals["owed_held"]:
        raise _broken(before, entry, "it takes from a hold what that hold does not reserve")


def _are_terms(terms: Terms) -> bool:
    numbers = [abs(terms.priority) if type(terms.priority) is int else None]
    if terms.paid is not None:
        numbers.append(terms.paid.face)
    return all(map(_is_amount, numbers))


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_amount(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _is_limit(value: object) -> bool:
    return value is None or value == "unlimited" or _is_amount(value)


def _are_spenders(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(map(_is_text, value)))


_FACTS: Final = (
    ("status", _is_text),
    ("limit", _is_limit),
    ("spenders", _are_spenders),
    ("merged_into", _is_text),
    ("lapses_at", _is_text),
    ("hold", _is_text),
    ("redemption", _is_text),
    ("withheld", _is_amount),
    ("shortfall", _is_amount),
)
"""What the facts that the fold or a receipt reads have to look like."""
