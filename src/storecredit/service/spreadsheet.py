"""
Spreadsheets: the journal as CSV for people, one row for each move (S9).

Whatever a program would run as a formula is text here: a cell of text that begins with one of
``= + - @``, a tab or a line break gets an apostrophe in front. Amounts are the only cells that
may begin with a minus sign; they are written here, digit by digit, and stay numbers.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from storecredit.ledger import EFFECTS, OWED_EFFECT, Account, Entry, LotId, Move
from storecredit.service.file_target import Write

TEXT_COLUMNS: Final = (
    "merchant",
    "holder",
    "unit",
    "sequence",
    "at",
    "occurred_at",
    "kind",
    "what",
    "effective_at",
)
AMOUNT_COLUMNS: Final = ("change", "held", "owed", "lot_remains", "balance")
CONTEXT_COLUMNS: Final = (
    "funding",
    "reference",
    "reason",
    "channel",
    "location",
    "actor",
    "note",
    "key",
    "lot",
    "hold",
    "entry",
)
COLUMNS: Final = TEXT_COLUMNS + AMOUNT_COLUMNS + CONTEXT_COLUMNS

_RUN: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What makes a spreadsheet run a cell; the full-width signs do so in some languages."""
_QUOTE: Final = "'"


def neutral(text: str) -> str:
    """Return *text* so that no spreadsheet runs it: with an apostrophe in front where needed."""
    first = text.lstrip(" \u00a0")[:1]
    return f"{_QUOTE}{text}" if first in _RUN and first else text


def write_accounts(
    accounts: Iterator[tuple[Account, Iterator[Entry]]],
    write: Write,
    *,
    progress: Callable[[int], None] | None,
    every: int = 1000,
) -> int:
    """Write the header and the rows of *accounts*, and return the number of rows."""
    sheet = csv.writer(_File(write))
    sheet.writerow(COLUMNS)
    rows = 0
    for account, entries in accounts:
        fundings: dict[LotId, str] = {}
        for entry in entries:
            for row in rows_of(account, entry, fundings):
                sheet.writerow([row.get(column, "") for column in COLUMNS])
                rows += 1
                if progress is not None and rows % every == 0:
                    progress(rows)
    return rows


def rows_of(account: Account, entry: Entry, fundings: dict[LotId, str]) -> Iterator[dict[str, str]]:
    """
    Yield the rows of *entry*: one for each move, or one for an entry that moves nothing.

    Args:
        account: The account, for its names.

        entry: The entry.

        fundings: The funding of each lot that was seen so far; new lots are added.
    """
    context = entry.context
    shared = {
        "merchant": account.merchant,
        "holder": account.holder,
        "unit": account.unit.code,
        "sequence": str(entry.sequence),
        "at": _time(entry.at),
        "occurred_at": _time(context.occurred_at),
        "kind": entry.kind.value,
        "reference": context.reference,
        "reason": context.reason,
        "channel": context.channel,
        "location": context.location,
        "actor": context.actor,
        "note": context.note,
        "key": entry.key,
        "entry": entry.id,
    }
    for move in entry.moves or (None,):
        of_move = {} if move is None else _of_move(move, fundings)
        texts = {name: neutral(text) for name, text in (shared | of_move).items() if text}
        yield texts if move is None else texts | _amounts(entry, move)


def _of_move(move: Move, fundings: dict[LotId, str]) -> dict[str, str | None]:
    funding = ""
    if move.lot is not None:
        if move.terms is not None:
            fundings[move.lot] = move.terms.funding.value
        funding = fundings.get(move.lot, "")
    return {
        "what": move.what.value,
        "effective_at": _time(move.effective_at),
        "funding": funding,
        "lot": move.lot,
        "hold": move.hold,
    }


def _amounts(entry: Entry, move: Move) -> dict[str, str]:
    """Return the amounts of a row as plain decimals, signed as they change the account."""
    effect = EFFECTS[move.what]
    minors: Mapping[str, int | None] = {
        "change": effect.remaining * move.amount,
        "held": (effect.held + effect.owed_held) * move.amount,
        "owed": OWED_EFFECT.get(move.what, 0) * move.amount,
        "lot_remains": None if move.lot is None else move.lot_after,
        "balance": move.balance_after,
    }
    return {
        name: "" if minor is None else f"{entry.money(minor).decimal:f}"
        for name, minor in minors.items()
    }


def _time(at: datetime | None) -> str:
    return "" if at is None else at.isoformat().replace("+00:00", "Z")


class _File:
    """What the csv module writes to."""

    def __init__(self, write: Write) -> None:
        self._write: Final = write

    def write(self, text: str) -> Any:
        return self._write(text)
