"""The naive model of the sweeps: writing down what has expired or lapsed by itself (A5, A6)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from storecredit.testing.machine.filed import Filed
from storecredit.testing.machine.model import Book, Expected

_NO_REQUEST: Final = Filed(call=-1, compared="", private={})


def expire_due(books: Iterable[Book], at: datetime) -> list[Expected]:
    """Write down what has run out and is not held, account by account."""
    found = []
    for book in books:
        due = any(lot.has_expired(at) and book.free(lot) for lot in book.lots)
        if due and _would_expire(book, at):
            book.open(at)
            book.expire_due()
            found.append(_swept(book, {"expired"}))
    return found


def release_lapsed(books: Iterable[Book], at: datetime) -> list[Expected]:
    """Write down which holds' time is over."""
    found = []
    for book in books:
        if any(not held.ended and at >= held.lapses_at for held in book.holds):
            book.open(at)
            found.append(_swept(book, {"lapsed", "owed_lapsed"}))
    return found


def _would_expire(book: Book, at: datetime) -> bool:
    trial, _ = book.copied()
    trial.open(at)
    opened_with = len(trial.moves)
    trial.expire_due()
    return len(trial.moves) > opened_with


def _swept(book: Book, whats: set[str]) -> Expected:
    amount = sum(moved for what, _, moved in book.moves if what in whats)
    key = f"~sweep {book.entries}"
    return book.close(key, _NO_REQUEST, Expected(book=book, amount=amount))
