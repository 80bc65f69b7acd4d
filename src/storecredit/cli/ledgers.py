"""Ledgers: the service over one database, opened for the length of a command."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from storecredit.claims import ClaimRules
from storecredit.cli.outcomes import reporting
from storecredit.cli.places import opened
from storecredit.ledger import Merchant
from storecredit.service import StoreCredit
from storecredit.values import CustomUnit


@contextmanager
def new_or_known_ledger(
    db: str,
    merchant: str,
    units: Iterable[CustomUnit] | None,
    *,
    claims: ClaimRules | None = None,
) -> Iterator[StoreCredit]:
    """Open the ledger in *db*, a new one if there is none, and report what goes wrong."""
    with _ledger(db, merchant, units, claims, new=True) as credit:
        yield credit


@contextmanager
def known_ledger(
    db: str,
    merchant: str,
    units: Iterable[CustomUnit] | None,
    *,
    claims: ClaimRules | None = None,
) -> Iterator[StoreCredit]:
    """Open the ledger in *db*; a place with none is a slip of the hand, not a new ledger."""
    with _ledger(db, merchant, units, claims, new=False) as credit:
        yield credit


@contextmanager
def _ledger(
    db: str,
    merchant: str,
    units: Iterable[CustomUnit] | None,
    claims: ClaimRules | None,
    *,
    new: bool,
) -> Iterator[StoreCredit]:
    with reporting():
        rules = Merchant(id=merchant, units=tuple(units or ()))
        with opened(db, new=new) as storage:
            yield StoreCredit(storage, rules, claims=claims)
