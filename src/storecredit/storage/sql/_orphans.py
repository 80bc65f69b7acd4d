"""Journals whose account or wallet was deleted around the library: found, so that verify names them."""

from collections.abc import Iterator
from typing import Final

from storecredit.ledger import AccountId, unit_of, wallet_of
from storecredit.storage.sql._loading import Ask
from storecredit.storage.sql._reads import Reads
from storecredit.storage.sql._wire import Step

_PAGE: Final = 1000


def lost_journals(
    ask: Ask, reads: Reads, after: str, upto: AccountId | None
) -> Iterator[AccountId]:
    """Yield the ids of journals without an account or a wallet, after *after* and up to *upto*."""
    start = AccountId(after)
    last = AccountId("~") if upto is None else upto
    wallet, unit = wallet_of(start), unit_of(start)
    while True:
        bounds = (wallet, unit, wallet_of(last), unit_of(last))
        (answer,) = ask([Step(reads.journals_without_account, (*bounds, _PAGE))])
        for wallet, unit in answer.rows:
            yield AccountId(f"{wallet}.{unit}")
        if len(answer.rows) < _PAGE:
            return
