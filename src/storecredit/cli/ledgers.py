"""Ledgers: the service over one SQLite file, opened for the length of a command."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from storecredit.cli.outcomes import Status, reporting, stop
from storecredit.ledger import Merchant
from storecredit.service import StoreCredit
from storecredit.storage import SQLiteStorage
from storecredit.values import CustomUnit


@contextmanager
def new_or_known_ledger(
    db: Path, merchant: str, units: Iterable[CustomUnit] | None
) -> Iterator[StoreCredit]:
    """Open the ledger in *db*, a new one if there is none, and report what goes wrong."""
    with reporting():
        rules = Merchant(id=merchant, units=tuple(units or ()))
        storage = SQLiteStorage(db)
        try:
            yield StoreCredit(storage, rules)
        finally:
            storage.close()


@contextmanager
def known_ledger(
    db: Path, merchant: str, units: Iterable[CustomUnit] | None
) -> Iterator[StoreCredit]:
    """Open the ledger in *db*; a name with no file is a slip of the hand, not a new ledger."""
    if not db.exists():
        advice = "Name it with --db or STORECREDIT_DB; `storecredit issue` begins a new one."
        stop(Status.MISUSED, f"There is no database {db}. {advice}")
    with new_or_known_ledger(db, merchant, units) as credit:
        yield credit
