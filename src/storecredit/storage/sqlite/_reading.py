"""Reading: one consistent state of the file, through statements whose cost no history raises (S3)."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from storecredit.errors import JournalBroken
from storecredit.ledger import (
    NO_NAMES,
    Account,
    AccountId,
    Entry,
    EntryId,
    Names,
    WalletId,
    account_of,
    unit_of,
    wallet_of,
    write_instant,
)
from storecredit.storage.protocols import Record, Wallet
from storecredit.storage.sqlite._journal_rows import ENTRY_COLUMNS, read_journal, read_row
from storecredit.storage.sqlite._overview import Overview
from storecredit.storage.sqlite._rows import (
    ACCOUNT_COLUMNS,
    HOLD_COLUMNS,
    LOT_COLUMNS,
    UNREADABLE,
    Row,
    add_restored,
    local_bytes,
    read_account,
    read_hold,
    read_lot,
    unit_of_row,
)
from storecredit.values import Unit

_LOT: Final = ", ".join(LOT_COLUMNS)
_HOLD: Final = ", ".join(HOLD_COLUMNS)
_ENTRY: Final = ", ".join(ENTRY_COLUMNS)

_ACCOUNTS: Final = (
    "SELECT a.number, w.id, w.merchant, w.holder, a.unit, a.digits, "
    + ", ".join(f"a.{name}" for name in ACCOUNT_COLUMNS)
    + ", EXISTS (SELECT 1 FROM entries AS e WHERE e.account = a.number AND e.key = ?)"
    + " FROM wallets AS w JOIN accounts AS a ON a.wallet = w.number"
)
"""The last column tells whether the account has an entry with a key; no entry's key is NULL."""
_OF_HOLDER: Final = f"{_ACCOUNTS} WHERE w.merchant = ? AND w.holder = ? AND a.unit = ?"
_BY_ID: Final = f"{_ACCOUNTS} WHERE w.merchant = ? AND w.id = ? AND a.unit = ?"
_OF_WALLET: Final = f"{_ACCOUNTS} WHERE w.merchant = ? AND w.id = ? ORDER BY a.unit"

_NUMBER: Final = (
    "SELECT a.number FROM wallets AS w JOIN accounts AS a ON a.wallet = w.number"
    " WHERE w.id = ? AND a.unit = ?"
)

# The order of creation, so that every adapter gives lots in the same order.
_OPEN_LOTS: Final = (
    f"SELECT {_LOT} FROM lots INDEXED BY lots_open WHERE account = ? AND is_open = 1 ORDER BY rowid"
)
_ALL_LOTS: Final = f"SELECT {_LOT} FROM lots WHERE account = ? ORDER BY rowid"
_LOT_BY_ID: Final = f"SELECT {_LOT} FROM lots WHERE account = ? AND id = ?"

_ACTIVE_HOLDS: Final = (
    f"SELECT {_HOLD} FROM holds INDEXED BY holds_active"
    " WHERE account = ? AND status = 'active' ORDER BY rowid"
)
_ALL_HOLDS: Final = f"SELECT {_HOLD} FROM holds WHERE account = ? ORDER BY rowid"
_HOLD_BY_ID: Final = f"SELECT {_HOLD} FROM holds WHERE account = ? AND id = ?"

_ALL_RESTORED: Final = "SELECT redemption, move, amount FROM restored WHERE account = ?"
_RESTORED: Final = f"{_ALL_RESTORED} AND redemption = ?"

_ENTRY_BY_KEY: Final = f"SELECT {_ENTRY} FROM entries WHERE account = ? AND key = ?"
_ENTRY_BY_ID: Final = f"SELECT {_ENTRY} FROM entries WHERE account = ? AND id = ?"
_JOURNAL: Final = (
    f"SELECT {_ENTRY} FROM entries WHERE account = ? AND sequence BETWEEN ? AND ? ORDER BY sequence"
)
_PRIVATE: Final = (
    "SELECT sequence, field, salt, value FROM private"
    " WHERE account = ? AND sequence BETWEEN ? AND ? ORDER BY sequence"
)

_WALLET: Final = "SELECT id, merchant, holder, merged_into FROM wallets WHERE merchant = ?"
_WALLET_OF_HOLDER: Final = f"{_WALLET} AND holder = ?"
_WALLET_BY_ID: Final = f"{_WALLET} AND id = ?"

_RECORD: Final = "SELECT version, body FROM records WHERE merchant = ? AND kind = ? AND id = ?"
_REFERENCES: Final = (
    "SELECT name, value FROM record_references WHERE merchant = ? AND kind = ? AND id = ?"
)
_RECORD_KINDS: Final = "SELECT DISTINCT kind FROM records WHERE merchant = ? ORDER BY kind"
_RECORD_IDS: Final = (
    "SELECT id FROM records WHERE merchant = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?"
)
_REFERRING_IDS: Final = (
    "SELECT id FROM record_references"
    " WHERE merchant = ? AND kind = ? AND name = ? AND value = ? AND id > ? ORDER BY id LIMIT ?"
)

_LAST: Final = b"\xff" * 8
"""Sorts behind every number, and behind every text that has taken a number's place."""


class Reading:
    """What snapshots and transactions read alike; the engine keeps what they see consistent."""

    def __init__(self, connection: sqlite3.Connection, units: dict[tuple[str, int], Unit]) -> None:
        self._execute: Final = connection.execute
        self._units: Final = units
        """Units read so far, by code and digits: one object for each is quicker to compare."""
        self._numbers: Final[dict[AccountId, int]] = {}
        """The row numbers of the accounts met so far."""
        self._unused: Final[set[tuple[int, str]]] = set()
        """Keys that had no entry when the account with that row number was loaded."""
        self._connection: Final = connection
        self._overview: Overview | None = None

    # Wallets

    def wallet(self, merchant: str, holder: str) -> Wallet | None:
        row = self._execute(_WALLET_OF_HOLDER, (merchant, holder)).fetchone()
        return None if row is None else Wallet(*row)

    def wallet_by_id(self, merchant: str, wallet: WalletId) -> Wallet | None:
        row = self._execute(_WALLET_BY_ID, (merchant, wallet)).fetchone()
        return None if row is None else Wallet(*row)

    # Accounts

    def account(
        self,
        merchant: str,
        holder: str,
        unit: str,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        row = self._execute(_OF_HOLDER, (key, merchant, holder, unit)).fetchone()
        return None if row is None else self._opened(row, names, key)

    def account_by_id(
        self,
        merchant: str,
        account: AccountId,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        values = (key, merchant, wallet_of(account), unit_of(account))
        row = self._execute(_BY_ID, values).fetchone()
        return None if row is None else self._opened(row, names, key)

    def accounts_of(self, merchant: str, wallet: WalletId) -> list[Account]:
        rows = self._execute(_OF_WALLET, (None, merchant, wallet)).fetchall()
        return [self._opened(row, NO_NAMES) for row in rows]

    def whole(self, merchant: str, account: AccountId) -> Account | None:
        values = (None, merchant, wallet_of(account), unit_of(account))
        row = self._execute(_BY_ID, values).fetchone()
        if row is None:
            return None
        number, found = self._read(row)
        for lot_row in self._execute(_ALL_LOTS, (number,)):
            lot = read_lot(account, lot_row)
            found.lots[lot.id] = lot
        for hold_row in self._execute(_ALL_HOLDS, (number,)):
            hold = read_hold(account, found.version, hold_row)
            found.holds[hold.id] = hold
        add_restored(found, self._execute(_ALL_RESTORED, (number,)))
        return found

    def _read(self, row: Row) -> tuple[int, Account]:
        number, wallet, merchant, holder, code, digits = row[:6]
        unit = self._units.get((code, digits))
        id_ = AccountId(f"{wallet}.{code}")
        if unit is None:
            try:
                unit = self._units[code, digits] = unit_of_row(code, digits)
            except UNREADABLE:
                raise JournalBroken(id_, 1, "there is no such unit") from None
        self._numbers[id_] = number
        return number, read_account(id_, merchant, holder, unit, row[6:])

    def _opened(self, row: Row, names: Names, key: str | None = None) -> Account:
        """Add what is open and what is named."""
        number, account = self._read(row)
        if key is not None and not row[-1]:
            self._unused.add((number, key))
        id_, lots, totals = account.id, account.lots, account.totals
        if totals["balance"] and names.needs_open_lots(account):
            for lot_row in self._execute(_OPEN_LOTS, (number,)):
                lot = read_lot(id_, lot_row)
                lots[lot.id] = lot
        if totals["held"] or totals["owed_held"]:
            for hold_row in self._execute(_ACTIVE_HOLDS, (number,)):
                hold = read_hold(id_, account.version, hold_row)
                account.holds[hold.id] = hold
        if names is not NO_NAMES:
            self._add_named(number, account, names)
        return account

    def _add_named(self, number: int, account: Account, names: Names) -> None:
        id_ = account.id
        for lot in names.lots:
            if lot not in account.lots and lot.startswith(id_):
                row = self._execute(_LOT_BY_ID, (number, local_bytes(lot))).fetchone()
                if row is not None:
                    account.lots[lot] = read_lot(id_, row)
        for hold in names.holds:
            if hold not in account.holds and hold.startswith(id_):
                row = self._execute(_HOLD_BY_ID, (number, local_bytes(hold))).fetchone()
                if row is not None:
                    account.holds[hold] = read_hold(id_, account.version, row)
        for redemption in names.redemptions:
            add_restored(account, self._execute(_RESTORED, (number, redemption)))

    def _number(self, account: AccountId) -> int:
        """Return the row number of *account*; zero, which no row has, where there is none."""
        number = self._numbers.get(account)
        if number is None:
            row = self._execute(_NUMBER, (wallet_of(account), unit_of(account))).fetchone()
            if row is None:
                return 0
            number = self._numbers[account] = row[0]
        return number

    # Journals

    def entry_by_key(self, account: Account, key: str) -> Entry | None:
        number = self._number(account.id)
        if (number, key) in self._unused:
            return None
        return self._entry(account, number, self._execute(_ENTRY_BY_KEY, (number, key)).fetchone())

    def entry_by_id(self, account: Account, entry: EntryId) -> Entry | None:
        try:
            if account_of(entry) != account.id:
                return None
        except ValueError:
            return None
        number = self._number(account.id)
        local = local_bytes(entry)
        return self._entry(account, number, self._execute(_ENTRY_BY_ID, (number, local)).fetchone())

    def _entry(self, account: Account, number: int, row: Row | None) -> Entry | None:
        if row is None:
            return None
        private = self._execute(_PRIVATE, (number, row[0], row[0])).fetchall()
        return read_row(account, row, private)

    def journal(
        self, account: Account, *, after: int = 0, upto: int | None = None
    ) -> Iterator[Entry]:
        bounds = (self._number(account.id), after + 1, _LAST if upto is None else upto)
        rows = self._execute(_JOURNAL, bounds)
        return read_journal(account, rows, self._execute(_PRIVATE, bounds))

    # Looking over all accounts

    def account_ids(
        self, merchant: str | None, *, after: str = "", limit: int = 1000
    ) -> list[tuple[str, AccountId]]:
        return self._over_all().account_ids(merchant, after, limit)

    def due(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        return self._over_all().due(merchant, write_instant(at), after, limit)

    def lapsed(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        return self._over_all().lapsed(merchant, write_instant(at), after, limit)

    def _over_all(self) -> Overview:
        if self._overview is None:
            self._overview = Overview(self._connection)
        return self._overview

    # Records

    def record(self, merchant: str, kind: str, name: str) -> Record | None:
        row = self._execute(_RECORD, (merchant, kind, name)).fetchone()
        if row is None:
            return None
        return Record(
            merchant=merchant,
            kind=kind,
            id=name,
            version=row[0],
            body=json.loads(row[1]),
            references=dict(self._execute(_REFERENCES, (merchant, kind, name)).fetchall()),
        )

    def record_kinds(self, merchant: str) -> list[str]:
        return [kind for (kind,) in self._execute(_RECORD_KINDS, (merchant,)).fetchall()]

    def records(
        self,
        merchant: str,
        kind: str,
        *,
        reference: tuple[str, str] | None = None,
        after: str = "",
        limit: int = 1000,
    ) -> list[Record]:
        if reference is None:
            rows = self._execute(_RECORD_IDS, (merchant, kind, after, limit))
        else:
            rows = self._execute(_REFERRING_IDS, (merchant, kind, *reference, after, limit))
        found = [self.record(merchant, kind, name) for (name,) in rows.fetchall()]
        return [record for record in found if record is not None]
