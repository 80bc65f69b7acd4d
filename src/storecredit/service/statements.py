"""Statements: a history that is fit for a customer (A18)."""

from datetime import datetime
from typing import final

import attrs

from storecredit.ledger import EFFECTS, Entry, EntryKind
from storecredit.values import Money


@final
@attrs.frozen(kw_only=True)
class StatementLine:
    """
    One line of a customer's history.

    It says what changed and for which order; who did it, notes and internal ids stay inside.
    """

    at: datetime
    """Business time where it was given, else when it was recorded."""
    kind: EntryKind
    change: Money
    """Above zero: came in. Below zero: went out. Zero: reserved or given back."""
    held: Money
    """By how much the reserved part grew, or shrank where below zero."""
    owed: Money
    """By how much what the holder owes grew, or shrank where below zero."""
    balance: Money
    """What remains in all lots, reserved parts included."""
    reference: str | None
    """The order, refund or ticket; for a capture or release, at least that of its hold."""


def statement_line(entry: Entry, balance_before: int, reference: str | None) -> StatementLine:
    """
    Tell a customer what *entry* did.

    Args:
        entry: The entry.

        balance_before: The balance before it, in minor units.

        reference: The order it is about: its own reference, or that of the hold it moves.
    """
    change = held = owed = 0
    for move in entry.moves:
        effect = EFFECTS[move.what]
        change += effect.remaining * move.amount
        held += (effect.held + effect.owed_held) * move.amount
        if effect.total.startswith("owed_"):
            owed += move.amount if effect.total == "owed_incurred" else -move.amount
    return StatementLine(
        at=entry.context.occurred_at or entry.at,
        kind=entry.kind,
        change=entry.money(change),
        held=entry.money(held),
        owed=entry.money(owed),
        balance=entry.money(balance_before + change),
        reference=reference,
    )
