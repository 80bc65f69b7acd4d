"""Looking over all accounts, page by page in the order of their ids: listings and sweeps."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from storecredit.ledger import AccountId, unit_of, wallet_of
from storecredit.storage.sqlite._rows import UNREADABLE, Row

# Ids that are no texts any more would stand behind every page.
_NAMED: Final = "typeof(w.id) = 'text' AND typeof(a.unit) = 'text'"

_ALL: Final = f"""
SELECT w.merchant, w.id, a.unit FROM wallets AS w JOIN accounts AS a ON a.wallet = w.number
WHERE (w.id, a.unit) > (?, ?) AND {_NAMED} ORDER BY w.id, a.unit LIMIT ?
"""
_OF_MERCHANT: Final = f"""
SELECT w.merchant, w.id, a.unit FROM wallets AS w JOIN accounts AS a ON a.wallet = w.number
WHERE (w.id, a.unit) > (?, ?) AND {_NAMED} AND w.merchant = ? ORDER BY w.id, a.unit LIMIT ?
"""

_DUE: Final = "l.is_open = 1 AND l.expires_at <= ? AND l.remaining > l.held"
_LAPSED: Final = "h.status = 'active' AND h.lapses_at <= ?"

# Two ways to the same page. Where little is to be swept, it is fetched by time and sorted; where
# much is, accounts are walked in order, so that no page sorts all that the later pages need.
_FEW_DUE: Final = f"""
SELECT DISTINCT w.id, a.unit FROM lots AS l INDEXED BY lots_due
CROSS JOIN accounts AS a ON a.number = l.account CROSS JOIN wallets AS w ON w.number = a.wallet
WHERE {_DUE} AND w.merchant = ? AND (w.id, a.unit) > (?, ?) ORDER BY w.id, a.unit LIMIT ?
"""
_MANY_DUE: Final = f"""
SELECT w.id, a.unit FROM wallets AS w CROSS JOIN accounts AS a ON a.wallet = w.number
WHERE EXISTS (
    SELECT 1 FROM lots AS l INDEXED BY lots_open WHERE l.account = a.number AND {_DUE}
) AND w.merchant = ? AND (w.id, a.unit) > (?, ?) ORDER BY w.id, a.unit LIMIT ?
"""
_COUNT_DUE: Final = f"""
SELECT count(*) FROM (SELECT 1 FROM lots AS l INDEXED BY lots_due WHERE {_DUE} LIMIT ?)
"""
_FEW_LAPSED: Final = f"""
SELECT DISTINCT w.id, a.unit FROM holds AS h INDEXED BY holds_lapsing
CROSS JOIN accounts AS a ON a.number = h.account CROSS JOIN wallets AS w ON w.number = a.wallet
WHERE {_LAPSED} AND w.merchant = ? AND (w.id, a.unit) > (?, ?) ORDER BY w.id, a.unit LIMIT ?
"""
_MANY_LAPSED: Final = f"""
SELECT w.id, a.unit FROM wallets AS w CROSS JOIN accounts AS a ON a.wallet = w.number
WHERE EXISTS (
    SELECT 1 FROM holds AS h INDEXED BY holds_active WHERE h.account = a.number AND {_LAPSED}
) AND w.merchant = ? AND (w.id, a.unit) > (?, ?) ORDER BY w.id, a.unit LIMIT ?
"""
_COUNT_LAPSED: Final = f"""
SELECT count(*) FROM (SELECT 1 FROM holds AS h INDEXED BY holds_lapsing WHERE {_LAPSED} LIMIT ?)
"""
_MANY: Final = 10_000

# The first entry of each journal whose account or wallet is gone: one step of the key for each.
_ORPHANS: Final = f"""
WITH RECURSIVE journals (account) AS (
    SELECT min(account) FROM entries
    UNION ALL
    SELECT (SELECT min(account) FROM entries WHERE account > journals.account)
    FROM journals WHERE journals.account IS NOT NULL
)
SELECT (SELECT body FROM entries WHERE account = journals.account ORDER BY sequence LIMIT 1)
FROM journals
WHERE account IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM accounts AS a JOIN wallets AS w ON w.number = a.wallet
    WHERE a.number = journals.account AND {_NAMED}
)
"""


class Overview:
    """Pages of account ids, as one snapshot or transaction sees them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute: Final = connection.execute
        self._orphans: list[AccountId] | None = None

    def account_ids(
        self, merchant: str | None, after: str, limit: int
    ) -> list[tuple[str, AccountId]]:
        """
        Return the next accounts of *merchant*, or of everybody.

        Journals whose account was deleted around the library are listed with them, under
        whatever merchant is asked for, so that verification can name them.
        """
        start = _start(after)
        if merchant is None:
            rows = self._execute(_ALL, (*start, limit)).fetchall()
        else:
            rows = self._execute(_OF_MERCHANT, (*start, merchant, limit)).fetchall()
        found = [(owner, AccountId(f"{wallet}.{unit}")) for owner, wallet, unit in rows]
        lost = [(merchant or "", id_) for id_ in self._lost() if id_ > after]
        return sorted(found + lost, key=lambda row: row[1])[:limit] if lost else found

    def due(self, merchant: str, at: str, after: str, limit: int) -> list[AccountId]:
        """Return the next accounts with unheld value that has expired."""
        (count,) = self._execute(_COUNT_DUE, (at, _MANY)).fetchone()
        chosen = _MANY_DUE if count == _MANY else _FEW_DUE
        return _ids(self._execute(chosen, (at, merchant, *_start(after), limit)))

    def lapsed(self, merchant: str, at: str, after: str, limit: int) -> list[AccountId]:
        """Return the next accounts with active holds whose time is over."""
        (count,) = self._execute(_COUNT_LAPSED, (at, _MANY)).fetchone()
        chosen = _MANY_LAPSED if count == _MANY else _FEW_LAPSED
        return _ids(self._execute(chosen, (at, merchant, *_start(after), limit)))

    def _lost(self) -> list[AccountId]:
        if self._orphans is None:
            self._orphans = []
            for (body,) in self._execute(_ORPHANS).fetchall():
                try:
                    self._orphans.append(AccountId(str(json.loads(body)["account"])))
                except UNREADABLE:
                    self._orphans.append(AccountId("(unreadable)"))
        return self._orphans


def _start(after: str) -> tuple[str, str]:
    return (wallet_of(AccountId(after)), unit_of(AccountId(after)))


def _ids(rows: Iterable[Row]) -> list[AccountId]:
    return [AccountId(f"{wallet}.{unit}") for wallet, unit in rows]
