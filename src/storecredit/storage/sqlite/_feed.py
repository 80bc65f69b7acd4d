"""
The feed of a file: its entries in the order in which they were committed (S7).

One writer works at a time, so entries are committed in the order in which they are inserted,
which is that of their row numbers. Rows are never deleted, so these numbers have no gaps: that
holds when SQLite packs the file (``VACUUM``) or a copy is made row by row, and an entry costs
nothing more to be in the feed.
"""

import sqlite3
from collections.abc import MutableMapping
from typing import Final, final

from storecredit.errors import JournalBroken
from storecredit.ledger import Account, AccountId
from storecredit.storage.feed import BEGINNING, Fed, FeedPage, FeedPosition, counted
from storecredit.storage.sqlite._journal_rows import ENTRY_COLUMNS, read_row
from storecredit.storage.sqlite._rows import UNREADABLE, Row, unit_of_row
from storecredit.values import Unit

_LAST: Final = "SELECT max(rowid) FROM entries"
_NEXT: Final = (
    f"SELECT e.rowid, w.id, w.holder, a.unit, a.digits, a.number,"
    f" {', '.join(f'e.{name}' for name in ENTRY_COLUMNS)}"
    " FROM entries AS e NOT INDEXED CROSS JOIN accounts AS a ON a.number = e.account"
    " CROSS JOIN wallets AS w ON w.number = a.wallet"
    " WHERE e.rowid > ? AND e.rowid <= ? AND w.merchant = ? ORDER BY e.rowid LIMIT ?"
)
_PRIVATE: Final = (
    "SELECT sequence, field, salt, value FROM private WHERE account = ? AND sequence = ?"
)
_MOST_PASSED: Final = 10_000
"""The most entries that a page looks at: in a file of many merchants most are others'."""


@final
class Feed:
    """
    What is committed, as one transaction sees it.

    Args:
        uncommitted: How many entries of the table are the transaction's own. They are the last.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        units: MutableMapping[tuple[str, int], Unit],
        *,
        uncommitted: int,
    ) -> None:
        self._execute: Final = connection.execute
        self._units: Final = units
        (last,) = self._execute(_LAST).fetchone()
        self._last: Final[int] = (last or 0) - uncommitted
        self._accounts: Final[dict[int, Account]] = {}

    def page(self, merchant: str, after: FeedPosition, limit: int) -> FeedPage:
        """
        Return the next entries of *merchant*.

        Raises:
            InvalidTerms: The position is none of this file.
            JournalBroken: An entry was changed around the library.
        """
        start = counted(after, last=self._last)
        upto = min(start + max(limit, _MOST_PASSED), self._last)
        rows = self._execute(_NEXT, (start, upto, merchant, limit)).fetchall()
        end = rows[-1][0] if len(rows) == limit else upto
        return FeedPage(
            entries=tuple(self._fed(merchant, row) for row in rows),
            position=_position(end),
            is_last=end == self._last,
        )

    def end(self) -> FeedPosition:
        """Return the position after everything that is committed."""
        return _position(self._last)

    def _fed(self, merchant: str, row: Row) -> Fed:
        place, wallet, holder, code, digits, number = row[:6]
        columns = row[6:]
        account = self._accounts.get(number)
        if account is None:
            account = self._account(AccountId(f"{wallet}.{code}"), merchant, holder, digits, code)
            self._accounts[number] = account
        private = self._execute(_PRIVATE, (number, columns[0])).fetchall()
        entry = read_row(account, columns, private)
        return Fed(position=_position(place), holder=account.holder, entry=entry)

    def _account(
        self, id_: AccountId, merchant: str, holder: str, digits: int, code: str
    ) -> Account:
        unit = self._units.get((code, digits))
        if unit is None:
            try:
                unit = self._units[code, digits] = unit_of_row(code, digits)
            except UNREADABLE:
                raise JournalBroken(id_, 1, "there is no such unit") from None
        return Account.new(id_, merchant, holder, unit)


def _position(place: int) -> FeedPosition:
    return FeedPosition(str(place)) if place else BEGINNING
