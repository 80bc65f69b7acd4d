"""Writing: what a transaction adds to reading. The guards are in the statements (S2, S4)."""

import functools
import sqlite3
from collections.abc import Iterable
from typing import Final

from storecredit.errors import ConcurrentChange, JournalBroken
from storecredit.ledger import (
    Account,
    AccountId,
    Change,
    Entry,
    Lot,
    canonical,
    wallet_of,
)
from storecredit.storage.feed import BEGINNING, FeedPage, FeedPosition
from storecredit.storage.protocols import Record, Wallet
from storecredit.storage.sqlite._failures import is_constraint
from storecredit.storage.sqlite._feed import Feed
from storecredit.storage.sqlite._journal_rows import ENTRY_COLUMNS, entry_row, private_rows
from storecredit.storage.sqlite._reading import Reading
from storecredit.storage.sqlite._rows import (
    ACCOUNT_COLUMNS,
    HOLD_COLUMNS,
    LOT_COLUMNS,
    account_row,
    amounts_row,
    changed_columns,
    changed_row,
    hold_row,
    local_bytes,
    lot_row,
    terms_row,
)


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _set(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} = ?" for column in columns)


_FIRST: Final = (
    f"INSERT INTO accounts (wallet, unit, digits, {', '.join(ACCOUNT_COLUMNS)})"
    f" SELECT number, {_marks(2 + len(ACCOUNT_COLUMNS))} FROM wallets WHERE id = ?"
)
_ANEW: Final = f"UPDATE accounts SET {_set(ACCOUNT_COLUMNS)} WHERE number = ?"


@functools.cache
def _next(columns: tuple[str, ...]) -> str:
    """Return the statement that takes *columns* of an account from one version to the next."""
    return f"UPDATE accounts SET {_set(columns)} WHERE number = ? AND version = ?"


_ADD_ENTRY: Final = (
    f"INSERT INTO entries (account, {', '.join(ENTRY_COLUMNS)})"
    f" VALUES ({_marks(1 + len(ENTRY_COLUMNS))})"
)
_ADD_PRIVATE: Final = (
    "INSERT INTO private (account, sequence, field, salt, value) VALUES (?, ?, ?, ?, ?)"
)
_ERASE: Final = "DELETE FROM private WHERE account = ? AND sequence = ? AND field = ?"

_TERMS: Final = LOT_COLUMNS[3:9]
_AMOUNTS: Final = LOT_COLUMNS[10:16]
_ADD_LOT: Final = (
    f"INSERT INTO lots (account, {', '.join(LOT_COLUMNS)}) VALUES ({_marks(1 + len(LOT_COLUMNS))})"
)
# A lot that stays open, or stays spent, leaves the indexes alone.
_MOVE_LOT: Final = f"UPDATE lots SET {_set(_AMOUNTS)} WHERE account = ? AND id = ? AND is_open = ?"
_REFILE_LOT: Final = (
    f"UPDATE lots SET {_set((*_TERMS, *_AMOUNTS, 'is_open'))} WHERE account = ? AND id = ?"
)

_PUT_HOLD: Final = (
    f"INSERT INTO holds (account, {', '.join(HOLD_COLUMNS)})"
    f" VALUES ({_marks(1 + len(HOLD_COLUMNS))}) ON CONFLICT (account, id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in HOLD_COLUMNS[1:])
)
_PUT_RESTORED: Final = (
    "INSERT INTO restored (account, redemption, move, amount) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (account, redemption, move) DO UPDATE SET amount = excluded.amount"
)

_ADD_WALLET: Final = "INSERT INTO wallets (id, merchant, holder, merged_into) VALUES (?, ?, ?, ?)"
_REPLACE_WALLET: Final = (
    "UPDATE wallets SET holder = ?, merged_into = ? WHERE id = ? AND merchant = ?"
)

_ADD_RECORD: Final = (
    "INSERT INTO records (version, body, merchant, kind, id) VALUES (?, ?, ?, ?, ?)"
)
_REPLACE_RECORD: Final = (
    "UPDATE records SET version = ?, body = ? WHERE merchant = ? AND kind = ? AND id = ?"
    " AND version = ?"
)
_DROP_REFERENCES: Final = "DELETE FROM record_references WHERE merchant = ? AND kind = ? AND id = ?"
_ADD_REFERENCE: Final = (
    "INSERT INTO record_references (merchant, kind, id, name, value) VALUES (?, ?, ?, ?, ?)"
)

_UNIQUE: Final = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


class Writing(Reading):
    """One transaction: the engine lets one writer in at a time, and undoes what is not committed."""

    spoiled: Exception | None = None
    """Why this transaction may not be committed any more: a part of a change went in alone."""
    has_erased: bool = False
    """Whether the log has text that is to be gone once this is committed."""
    _own_entries: int = 0
    """How many entries of the table are this transaction's own."""

    def lock(self, accounts: Iterable[AccountId]) -> None:
        """Do nothing: whoever writes has the whole file to itself."""

    # Wallets

    def add_wallet(self, wallet: Wallet) -> None:
        row = (wallet.id, wallet.merchant, wallet.holder, wallet.merged_into)
        try:
            self._execute(_ADD_WALLET, row)
        except sqlite3.IntegrityError:
            raise ConcurrentChange(wallet.id, 0) from None

    def replace_wallet(self, wallet: Wallet) -> None:
        row = (wallet.holder, wallet.merged_into, wallet.id, wallet.merchant)
        try:
            replaced = self._execute(_REPLACE_WALLET, row).rowcount
        except sqlite3.IntegrityError:
            raise ConcurrentChange(wallet.id, 0) from None
        if not replaced:
            raise ConcurrentChange(wallet.id, 0)

    # Accounts

    def append(self, change: Change) -> None:
        entry, account = change.entry, change.account
        number = (
            self._append_first(account, entry)
            if entry.sequence == 1
            else self._append_next(account, entry)
        )
        try:
            self._execute(_ADD_ENTRY, (number, *entry_row(entry)))
            self._own_entries += 1
            if entry.salts:
                for row in private_rows(entry):
                    self._execute(_ADD_PRIVATE, (number, entry.sequence, *row))
            self._write_lots(number, change)
            for hold in change.holds:
                self._execute(_PUT_HOLD, (number, *hold_row(hold)))
            if change.restored is not None:
                for move, amount in account.restored[change.restored].items():
                    self._execute(_PUT_RESTORED, (number, change.restored, move, amount))
        except sqlite3.IntegrityError as error:
            self.spoiled = _refused(error, account.id, entry.sequence)
            raise self.spoiled from None

    def _append_first(self, account: Account, entry: Entry) -> int:
        id_, unit = account.id, account.unit
        values = (unit.code, unit.digits, *account_row(account), wallet_of(id_))
        try:
            added = self._execute(_FIRST, values)
        except sqlite3.IntegrityError as error:
            raise _refused(error, id_, entry.sequence) from None
        if not added.rowcount:
            raise JournalBroken(id_, 1, "no wallet was added for its holder")
        self._numbers[id_] = number = added.lastrowid or 0
        return number

    def _append_next(self, account: Account, entry: Entry) -> int:
        id_, before = account.id, entry.sequence - 1
        number = self._number(id_)
        self._unused.discard((number, entry.key))
        columns = changed_columns(entry)
        values = (*changed_row(account, columns), number, before)
        try:
            updated = self._execute(_next(columns), values).rowcount
        except sqlite3.IntegrityError as error:
            raise _refused(error, id_, entry.sequence) from None
        if not updated:
            raise ConcurrentChange(id_, before)
        return number

    def _write_lots(self, number: int, change: Change) -> None:
        entry = change.entry
        for lot in change.lots:
            if lot.sequence == entry.sequence:
                self._execute(_ADD_LOT, (number, *lot_row(lot)))
            elif not self._move_lot(number, lot, entry):
                is_open = lot.remaining > 0
                values = (*terms_row(lot.terms), *amounts_row(lot), is_open)
                self._execute(_REFILE_LOT, (*values, number, local_bytes(lot.id)))

    def _move_lot(self, number: int, lot: Lot, entry: Entry) -> bool:
        """Write amounts alone, where nothing else of *lot* has changed."""
        for move in entry.moves:
            if move.terms is not None and move.lot == lot.id:
                return False
        row = (*amounts_row(lot), number, local_bytes(lot.id), lot.remaining > 0)
        return self._execute(_MOVE_LOT, row).rowcount == 1

    def rebuild(self, account: Account) -> None:
        number = self._number(account.id)
        if not number:
            raise ConcurrentChange(account.id, account.version)
        try:
            self._execute(_ANEW, (*account_row(account), number))
            for table in ("lots", "holds", "restored"):
                self._execute(f"DELETE FROM {table} WHERE account = ?", (number,))
            for lot in account.lots.values():
                self._execute(_ADD_LOT, (number, *lot_row(lot)))
            for hold in account.holds.values():
                self._execute(_PUT_HOLD, (number, *hold_row(hold)))
            for redemption, parts in account.restored.items():
                for move, amount in parts.items():
                    self._execute(_PUT_RESTORED, (number, redemption, move, amount))
        except sqlite3.IntegrityError as error:
            self.spoiled = _refused(error, account.id, account.version)
            raise self.spoiled from None

    def erase(self, account: Account, sequence: int, fields: Iterable[str]) -> int:
        number = self._number(account.id)
        gone = sum(
            self._execute(_ERASE, (number, sequence, field)).rowcount for field in set(fields)
        )
        self.has_erased = self.has_erased or gone > 0
        return gone

    # Records

    def put(self, record: Record) -> None:
        name, before = (record.merchant, record.kind, record.id), record.version - 1
        body = canonical(dict(record.body))
        if before:
            row = (record.version, body, *name, before)
            stored = self._execute(_REPLACE_RECORD, row).rowcount == 1
        else:
            try:
                stored = self._execute(_ADD_RECORD, (record.version, body, *name)).rowcount == 1
            except sqlite3.IntegrityError:
                stored = False
        if not stored:
            raise ConcurrentChange(record.id, before)
        self._execute(_DROP_REFERENCES, name)
        for reference in record.references.items():
            self._execute(_ADD_REFERENCE, (*name, *reference))

    # The feed

    def feed(
        self, merchant: str, *, after: FeedPosition = BEGINNING, limit: int = 1000
    ) -> FeedPage:
        feed = Feed(self._connection, self._units, uncommitted=self._own_entries)
        return feed.page(merchant, after, limit)

    def feed_end(self, merchant: str) -> FeedPosition:  # noqa: ARG002  # one order for all
        return Feed(self._connection, self._units, uncommitted=self._own_entries).end()


def _refused(
    error: sqlite3.IntegrityError, account: AccountId, sequence: int
) -> ConcurrentChange | JournalBroken:
    """Say why the tables refuse an entry: somebody was faster, or the state cannot be right."""
    if is_constraint(error, *_UNIQUE):
        return ConcurrentChange(account, sequence - 1)
    problem = "what it leaves behind breaks conservation or a bound (A2), so it was not stored"
    return JournalBroken(account, sequence, problem)
