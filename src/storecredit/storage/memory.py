"""Storage in memory: the reference for what the contract means, and the fastest thing to test on."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, TypeVar, final

import attrs

from storecredit.errors import ConcurrentChange
from storecredit.ledger import (
    NO_NAMES,
    Account,
    AccountId,
    Change,
    Entry,
    EntryId,
    Hold,
    HoldId,
    HoldStatus,
    Lot,
    LotId,
    Names,
    WalletId,
    account_of,
    canonical,
    wallet_of,
)
from storecredit.storage._memory_feed import Order
from storecredit.storage._memory_journal import Journal
from storecredit.storage._memory_lock import Lock
from storecredit.storage._memory_rows import only_open, without_closed_rows
from storecredit.storage.feed import BEGINNING, FeedPage, FeedPosition
from storecredit.storage.protocols import Reader, Record, UnitOfWork, Wallet

_Id = TypeVar("_Id")
_Row = TypeVar("_Row")


@final
class MemoryStorage:
    """
    Everything in this process, gone with it.

    One lock serialises transactions and snapshots of several threads; a transaction works on its
    own pending rows and publishes them at the end, so a failure leaves nothing behind.

    A thread may read while it writes, and sees what was there before. It may not begin to write
    while it does so already, nor while it reads: that would change what its snapshot shows.
    """

    def __init__(self) -> None:
        self._lock: Final = Lock()
        self._kept: Final = _Kept()

    def transaction(self) -> AbstractContextManager[UnitOfWork]:
        """
        Begin to write; publish everything at the end of the block, or nothing.

        Raises:
            StorageBusy: This very thread is writing or reading already, and would wait for
                itself.
        """
        return _Transaction(self._kept, self._lock, publishes=True)

    def snapshot(self) -> AbstractContextManager[Reader]:
        """Begin to read one consistent state."""
        return _Transaction(self._kept, self._lock, publishes=False)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


@final
@attrs.define
class _Ledger:
    """What is kept of one account: open rows in `account`, everything else beside it."""

    account: Account
    journal: Journal = attrs.field(factory=Journal)
    lots: dict[LotId, Lot] = attrs.field(factory=dict)
    """Exhausted lots."""
    holds: dict[HoldId, Hold] = attrs.field(factory=dict)
    """Holds that have ended."""
    restored: dict[EntryId, dict[int, int]] = attrs.field(factory=dict)


@final
@attrs.define
class _Kept:
    wallets: dict[WalletId, Wallet] = attrs.field(factory=dict)
    holders: dict[tuple[str, str], WalletId] = attrs.field(factory=dict)
    ledgers: dict[AccountId, _Ledger] = attrs.field(factory=dict)
    of_wallet: dict[WalletId, list[AccountId]] = attrs.field(factory=dict)
    records: dict[tuple[str, str, str], Record] = attrs.field(factory=dict)
    orders: defaultdict[str, Order] = attrs.field(factory=lambda: defaultdict(Order))
    """By merchant: its entries in the order of commits (S7)."""


@final
class _Transaction:
    """Reads through its own pending rows, and publishes them in one go."""

    def __init__(self, kept: _Kept, lock: Lock, *, publishes: bool) -> None:
        self._kept: Final = kept
        self._lock: Final = lock
        self._publishes: Final = publishes
        self._wallets: Final[dict[WalletId, Wallet]] = {}
        self._holders: Final[dict[tuple[str, str], WalletId | None]] = {}
        self._accounts: Final[dict[AccountId, Account]] = {}
        self._changes: Final[dict[AccountId, list[Change]]] = {}
        self._opened: Final[dict[WalletId, list[AccountId]]] = {}
        """The accounts of each wallet that have their first entry in this transaction."""
        self._replaced: Final[dict[AccountId, _Ledger]] = {}
        self._records: Final[dict[tuple[str, str, str], Record]] = {}

    def __enter__(self) -> "_Transaction":
        self._lock.acquire(alone=self._publishes)
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        try:
            if failure is None and self._publishes:
                self.publish()
        finally:
            self._lock.release()

    # Wallets

    def wallet(self, merchant: str, holder: str) -> Wallet | None:
        wallet_id = self._wallet_id(merchant, holder)
        return None if wallet_id is None else self.wallet_by_id(merchant, wallet_id)

    def wallet_by_id(self, merchant: str, wallet: WalletId) -> Wallet | None:
        found = self._wallets.get(wallet) or self._kept.wallets.get(wallet)
        return found if found is not None and found.merchant == merchant else None

    def lock(self, accounts: Iterable[AccountId]) -> None:
        """Do nothing: the storage's one lock is taken already."""

    def add_wallet(self, wallet: Wallet) -> None:
        known = wallet.id in self._wallets or wallet.id in self._kept.wallets
        if known or self._wallet_id(wallet.merchant, wallet.holder) is not None:
            raise ConcurrentChange(wallet.id, 0)
        self._wallets[wallet.id] = wallet
        self._holders[wallet.merchant, wallet.holder] = wallet.id

    def replace_wallet(self, wallet: Wallet) -> None:
        before = self.wallet_by_id(wallet.merchant, wallet.id)
        if before is None:
            raise ConcurrentChange(wallet.id, 0)
        if before.holder != wallet.holder:
            if self._wallet_id(wallet.merchant, wallet.holder) is not None:
                raise ConcurrentChange(wallet.id, 0)
            self._holders[wallet.merchant, before.holder] = None
            self._holders[wallet.merchant, wallet.holder] = wallet.id
        self._wallets[wallet.id] = wallet

    def _wallet_id(self, merchant: str, holder: str) -> WalletId | None:
        pending = self._holders
        if pending and (merchant, holder) in pending:
            return pending[merchant, holder]
        return self._kept.holders.get((merchant, holder))

    # Accounts

    def account(
        self,
        merchant: str,
        holder: str,
        unit: str,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,  # noqa: ARG002  # nothing is saved by fetching its entry now
    ) -> Account | None:
        wallet = self._wallet_id(merchant, holder)
        if wallet is None:
            return None
        return self._shown(self._open(AccountId(f"{wallet}.{unit}")), holder, names)

    def account_by_id(
        self,
        merchant: str,
        account: AccountId,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,  # noqa: ARG002  # as above
    ) -> Account | None:
        found = self._open(account)
        if found is None or found.merchant != merchant:
            return None
        wallet = self.wallet_by_id(merchant, wallet_of(account))
        return self._shown(found, found.holder if wallet is None else wallet.holder, names)

    def _shown(self, account: Account | None, holder: str, names: Names) -> Account | None:
        """Return *account* under the present name of its holder, with the named rows."""
        if account is not None and account.holder != holder:
            account = account.copy()
            account.holder = holder
        return account if account is None or names is NO_NAMES else self._with_named(account, names)

    def accounts_of(self, merchant: str, wallet: WalletId) -> list[Account]:
        ids = (*self._kept.of_wallet.get(wallet, ()), *self._opened.get(wallet, ()))
        found = (self.account_by_id(merchant, id_) for id_ in sorted(ids))
        return [account for account in found if account is not None]

    def whole(self, merchant: str, account: AccountId) -> Account | None:
        found = self.account_by_id(merchant, account)
        if found is None:
            return None
        everything = found.copy()
        ledger = self._ledger(account)
        if ledger is not None:
            everything.lots = {**ledger.lots, **everything.lots}
            everything.holds = {**ledger.holds, **everything.holds}
            everything.restored = {id_: parts.copy() for id_, parts in ledger.restored.items()}
        for change in self._changes.get(account, ()):
            everything.lots.update((lot.id, lot) for lot in change.lots)
            everything.holds.update((hold.id, hold) for hold in change.holds)
            if change.restored is not None:
                everything.restored[change.restored] = change.account.restored[change.restored]
        return everything

    def append(self, change: Change) -> None:
        entry, account = change.entry, change.account
        before = self._open(account.id)
        version = 0 if before is None else before.version
        if version != entry.sequence - 1 or self._has_key(account.id, entry.key):
            raise ConcurrentChange(account.id, entry.sequence - 1)
        if before is None:
            self._opened.setdefault(wallet_of(account.id), []).append(account.id)
        self._accounts[account.id] = without_closed_rows(account, before, change)
        self._changes.setdefault(account.id, []).append(change)

    def rebuild(self, account: Account) -> None:
        ledger = self._ledger(account.id)
        if ledger is None:
            raise ConcurrentChange(account.id, account.version)
        rebuilt = _Ledger(only_open(account), ledger.journal)
        rebuilt.lots = {lot.id: lot for lot in account.lots.values() if not lot.remaining}
        rebuilt.holds = {
            hold.id: hold for hold in account.holds.values() if hold.status is not HoldStatus.ACTIVE
        }
        rebuilt.restored = {id_: parts.copy() for id_, parts in account.restored.items()}
        self._replaced[account.id] = rebuilt

    def _ledger(self, account: AccountId) -> _Ledger | None:
        return self._replaced.get(account) or self._kept.ledgers.get(account)

    def _open(self, account: AccountId) -> Account | None:
        pending = self._accounts.get(account)
        if pending is not None:
            return pending
        ledger = self._ledger(account)
        return None if ledger is None else ledger.account

    def _with_named(self, account: Account, names: Names) -> Account:
        """Add the rows that *names* names, each looked up alone: history costs nothing (S3)."""
        found = account.copy()
        ledger = self._ledger(account.id)
        if ledger is not None:
            found.lots = {**dict(_named(ledger.lots, names.lots)), **found.lots}
            found.holds = {**dict(_named(ledger.holds, names.holds)), **found.holds}
            found.restored |= {
                id_: parts.copy() for id_, parts in _named(ledger.restored, names.redemptions)
            }
        for change in self._changes.get(account.id, ()):
            found.lots.update((lot.id, lot) for lot in change.lots if lot.id in names.lots)
            found.holds.update((hold.id, hold) for hold in change.holds if hold.id in names.holds)
            if change.restored is not None and change.restored in names.redemptions:
                parts = change.account.restored[change.restored]
                found.restored[change.restored] = parts.copy()
        return found

    # Journals

    def entry_by_key(self, account: Account, key: str) -> Entry | None:
        ledger = self._ledger(account.id)
        found = None if ledger is None else ledger.journal.with_key(account, key)
        if found is None:
            for change in self._changes.get(account.id, ()):
                if change.entry.key == key:
                    return change.entry
        return found

    def _has_key(self, account: AccountId, key: str) -> bool:
        ledger = self._ledger(account)
        if ledger is not None and key in ledger.journal.by_key:
            return True
        return any(change.entry.key == key for change in self._changes.get(account, ()))

    def entry_by_id(self, account: Account, entry: EntryId) -> Entry | None:
        if account_of(entry) != account.id:
            return None
        ledger = self._ledger(account.id)
        found = None if ledger is None else ledger.journal.with_id(account, entry)
        if found is not None:
            return found
        pending = self._changes.get(account.id, ())
        return next((change.entry for change in pending if change.entry.id == entry), None)

    def journal(
        self, account: Account, *, after: int = 0, upto: int | None = None
    ) -> Iterator[Entry]:
        ledger = self._ledger(account.id)
        if ledger is not None:
            yield from ledger.journal.between(account, after, upto)
        for change in self._changes.get(account.id, ()):
            if after < change.entry.sequence and (upto is None or change.entry.sequence <= upto):
                yield change.entry

    def erase(self, account: Account, sequence: int, fields: Iterable[str]) -> int:
        ledger = self._ledger(account.id)
        if ledger is None:
            return 0
        journal, gone = ledger.journal.erased(sequence, fields)
        if gone:
            self._replaced[account.id] = attrs.evolve(ledger, journal=journal)
        return gone

    # Looking over all accounts

    def account_ids(
        self, merchant: str | None, *, after: str = "", limit: int = 1000
    ) -> list[tuple[str, AccountId]]:
        found = [
            (ledger.account.merchant, id_)
            for id_, ledger in self._kept.ledgers.items()
            if id_ > after and (merchant is None or ledger.account.merchant == merchant)
        ]
        return sorted(found, key=lambda row: row[1])[:limit]

    def due(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        return sorted(
            id_
            for id_, ledger in self._kept.ledgers.items()
            if id_ > after
            and ledger.account.merchant == merchant
            and any(lot.free and lot.is_expired(at) for lot in ledger.account.lots.values())
        )[:limit]

    def lapsed(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        return sorted(
            id_
            for id_, ledger in self._kept.ledgers.items()
            if id_ > after
            and ledger.account.merchant == merchant
            and any(not hold.is_live(at) for hold in ledger.account.holds.values())
        )[:limit]

    # Records

    def record(self, merchant: str, kind: str, name: str) -> Record | None:
        found = self._record(merchant, kind, name)
        return None if found is None else _copied(found)

    def record_kinds(self, merchant: str) -> list[str]:
        names = (*self._kept.records, *self._records)
        return sorted({kind for owner, kind, _ in names if owner == merchant})

    def records(
        self,
        merchant: str,
        kind: str,
        *,
        reference: tuple[str, str] | None = None,
        after: str = "",
        limit: int = 1000,
    ) -> list[Record]:
        everything = {**self._kept.records, **self._records}
        found = [
            record
            for record in everything.values()
            if (record.merchant, record.kind) == (merchant, kind)
            and record.id > after
            and (reference is None or record.references.get(reference[0]) == reference[1])
        ]
        return [_copied(record) for record in sorted(found, key=lambda each: each.id)[:limit]]

    def _record(self, merchant: str, kind: str, name: str) -> Record | None:
        key = (merchant, kind, name)
        return self._records.get(key) or self._kept.records.get(key)

    def put(self, record: Record) -> None:
        before = self._record(record.merchant, record.kind, record.id)
        if record.version != (1 if before is None else before.version + 1):
            raise ConcurrentChange(record.id, record.version - 1)
        self._records[record.merchant, record.kind, record.id] = _copied(record)

    # The feed

    def feed(
        self, merchant: str, *, after: FeedPosition = BEGINNING, limit: int = 1000
    ) -> FeedPage:
        return self._kept.orders.get(merchant, Order()).page(after, limit, self._fed)

    def feed_end(self, merchant: str) -> FeedPosition:
        return self._kept.orders.get(merchant, Order()).end

    def _fed(self, account_id: AccountId, sequence: int) -> tuple[str, Entry]:
        account = self._kept.ledgers[account_id].account
        # An erasure in this transaction counts already, as it does in `journal`.
        ledger = self._replaced.get(account_id) or self._kept.ledgers[account_id]
        (entry,) = ledger.journal.between(account, sequence - 1, sequence)
        wallet = self.wallet_by_id(account.merchant, wallet_of(account_id))
        return account.holder if wallet is None else wallet.holder, entry

    # Committing

    def publish(self) -> None:
        """
        Make everything pending visible to the next transaction.

        Raises:
            ConcurrentChange: An account or a record is no longer as it was when this began (S2).
        """
        self._require_unchanged()
        kept = self._kept
        kept.ledgers.update(self._replaced)
        for account_id, changes in self._changes.items():
            ledger = kept.ledgers.get(account_id)
            account = self._accounts[account_id]
            order = kept.orders[account.merchant]
            if ledger is None:
                ledger = kept.ledgers[account_id] = _Ledger(account)
                kept.of_wallet.setdefault(wallet_of(account_id), []).append(account_id)
            ledger.account = account
            for change in changes:
                ledger.journal.add(change.entry)
                order.places.append((account_id, change.entry.sequence))
                for lot in change.lots:
                    if lot.remaining:
                        ledger.lots.pop(lot.id, None)
                    else:
                        ledger.lots[lot.id] = lot
                for hold in change.holds:
                    if hold.status is not HoldStatus.ACTIVE:
                        ledger.holds[hold.id] = hold
                if change.restored is not None:
                    ledger.restored[change.restored] = change.account.restored[change.restored]
        if self._wallets:
            kept.wallets.update(self._wallets)
        for holder, wallet_id in self._holders.items():
            if wallet_id is None:
                kept.holders.pop(holder, None)
            else:
                kept.holders[holder] = wallet_id
        if self._records:
            kept.records.update(self._records)

    def _require_unchanged(self) -> None:
        """Require that everything pending still follows what is kept, before any of it is."""
        for account_id, changes in self._changes.items():
            ledger = self._kept.ledgers.get(account_id)
            before = changes[0].entry.sequence - 1
            if before != (0 if ledger is None else len(ledger.journal)):
                raise ConcurrentChange(account_id, before)
        for name, record in self._records.items():
            stored = self._kept.records.get(name)
            if stored is not None and stored.version >= record.version:
                raise ConcurrentChange(record.id, record.version - 1)


def _named(rows: Mapping[_Id, _Row], names: Iterable[_Id]) -> Iterator[tuple[_Id, _Row]]:
    """Yield those of *rows* that *names* names."""
    return ((name, rows[name]) for name in names if name in rows)


def _copied(record: Record) -> Record:
    """Return *record* with data of its own: what it was made of may be changed afterwards."""
    body = json.loads(canonical(dict(record.body)))
    return attrs.evolve(record, body=body, references=dict(record.references))
