"""
The contract can fail: each duty is shown an adapter that breaks it, and has to report it.

`PlainStorage` is an adapter as a host would write it, made of plain tables, and keeps the
contract. Every other class here makes one mistake in it, and names the duties that find out.
"""

# ruff: noqa: ARG002 - a wrong adapter does not look at everything that it is told

from __future__ import annotations

import itertools
import threading
import time
import unicodedata
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from storecredit.errors import ConcurrentChange, StorageBusy
from storecredit.ledger import (
    NO_NAMES,
    Account,
    AccountId,
    EntryId,
    HoldStatus,
    Names,
    chain,
    wallet_of,
)
from storecredit.storage import BEGINNING, Fed, FeedPage, FeedPosition, Record
from storecredit.storage.feed import counted
from storecredit.testing import StorageContract
from storecredit.testing.contract import CheckoutDuties, ClaimDuties, FeedDuties, RefundDuties
from storecredit.values import CustomUnit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from storecredit.ledger import Change, Entry, WalletId
    from storecredit.storage import Storage, Wallet

# --- An adapter that keeps the contract -----------------------------------------------


@attrs.define
class Tables:
    """Rows by their primary keys. Rows never change; they are replaced."""

    wallets: dict[str, Wallet] = attrs.field(factory=dict)
    accounts: dict[str, Account] = attrs.field(factory=dict)
    lots: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    holds: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    restored: dict[str, dict[str, dict[int, int]]] = attrs.field(factory=dict)
    entries: dict[str, tuple[Entry, ...]] = attrs.field(factory=dict)
    records: dict[tuple[str, str, str], Record] = attrs.field(factory=dict)
    order: tuple[tuple[str, int], ...] = ()
    """Account and sequence of each entry, as they were committed."""

    def copy(self) -> Tables:
        return Tables(
            self.wallets.copy(),
            self.accounts.copy(),
            *(
                {account: rows.copy() for account, rows in table.items()}
                for table in (self.lots, self.holds, self.restored)
            ),
            self.entries.copy(),
            self.records.copy(),
            self.order,
        )


class Unit:
    """A unit of work on a copy of the tables."""

    def __init__(self, storage: PlainStorage, tables: Tables) -> None:
        self.storage = storage
        self.tables = tables
        self.settled = len(tables.order)
        """How many entries were committed when this began."""

    # What the tables are asked for

    def same(self, text: str) -> str:
        """What counts as the same text; the tables below compare by it."""
        return text

    def wallet(self, merchant: str, holder: str) -> Wallet | None:
        for wallet in self.tables.wallets.values():
            if (self.same(wallet.merchant), self.same(wallet.holder)) == (
                self.same(merchant),
                self.same(holder),
            ):
                return wallet
        return None

    def wallet_by_id(self, merchant: str, wallet: WalletId) -> Wallet | None:
        found = self.tables.wallets.get(wallet)
        return found if found is not None and self.may_see(found.merchant, merchant) else None

    def may_see(self, owner: str, merchant: str) -> bool:
        return owner == merchant

    def account(
        self,
        merchant: str,
        holder: str,
        unit: str,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        wallet = self.wallet(merchant, holder)
        if wallet is None:
            return None
        return self.account_by_id(merchant, AccountId(f"{wallet.id}.{unit}"), names=names)

    def account_by_id(
        self,
        merchant: str,
        account: AccountId,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        whole = self.whole(merchant, account)
        if whole is None:
            return None
        whole.lots = {
            name: lot
            for name, lot in whole.lots.items()
            if self.is_open(lot) or self.is_named(name, names.lots)
        }
        whole.holds = {
            name: hold
            for name, hold in whole.holds.items()
            if self.is_active(hold) or self.is_named(name, names.holds)
        }
        whole.restored = {
            name: parts
            for name, parts in whole.restored.items()
            if self.is_named(name, names.redemptions)
        }
        return whole

    def is_open(self, lot: Any) -> bool:
        return lot.remaining > 0

    def is_active(self, hold: Any) -> bool:
        return hold.status is HoldStatus.ACTIVE

    def is_named(self, name: str, names: tuple[str, ...]) -> bool:
        return name in set(names)

    def accounts_of(self, merchant: str, wallet: WalletId) -> list[Account]:
        found = (
            self.account_by_id(merchant, AccountId(name))
            for name in sorted(self.tables.accounts)
            if wallet_of(AccountId(name)) == wallet
        )
        return [account for account in found if account is not None]

    def whole(self, merchant: str, account: AccountId) -> Account | None:
        row = self.tables.accounts.get(account)
        if row is None or not self.may_see(row.merchant, merchant):
            return None
        found = row.copy()
        found.holder = self.tables.wallets[wallet_of(account)].holder
        found.lots = dict(self.tables.lots.get(account, {}))
        found.holds = dict(self.tables.holds.get(account, {}))
        found.restored = {
            name: parts.copy() for name, parts in self.tables.restored.get(account, {}).items()
        }
        return found

    def entry_by_key(self, account: Account, key: str) -> Entry | None:
        entries = self.tables.entries.get(account.id, ())
        return next((e for e in entries if self.same(e.key) == self.same(key)), None)

    def entry_by_id(self, account: Account, entry: EntryId) -> Entry | None:
        return next((e for e in self.tables.entries.get(account.id, ()) if e.id == entry), None)

    def journal(
        self, account: Account, *, after: int = 0, upto: int | None = None
    ) -> Iterator[Entry]:
        for entry in self.tables.entries.get(account.id, ()):
            if after < entry.sequence and (upto is None or entry.sequence <= upto):
                yield entry

    def account_ids(
        self, merchant: str | None, *, after: str = "", limit: int = 1000
    ) -> list[tuple[str, AccountId]]:
        found = (
            (account.merchant, account.id)
            for account in self.tables.accounts.values()
            if merchant is None or self.may_see(account.merchant, merchant)
        )
        return self.page(found, lambda row: row[1], after, limit)

    def due(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        found = (
            name
            for _, name in self.account_ids(merchant, limit=10**9)
            if any(self.is_due(lot, at) for lot in self.tables.lots.get(name, {}).values())
        )
        return self.page(found, str, after, limit)

    def is_due(self, lot: Any, at: datetime) -> bool:
        return bool(lot.free) and lot.is_expired(at)

    def lapsed(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        found = (
            name
            for _, name in self.account_ids(merchant, limit=10**9)
            if any(self.is_over(hold, at) for hold in self.tables.holds.get(name, {}).values())
        )
        return self.page(found, str, after, limit)

    def is_over(self, hold: Any, at: datetime) -> bool:
        return hold.status is HoldStatus.ACTIVE and hold.lapses_at <= at

    def page(
        self, found: Iterable[Any], id_of: Callable[[Any], str], after: str, limit: int
    ) -> list[Any]:
        return sorted((row for row in found if id_of(row) > after), key=id_of)[:limit]

    def record(self, merchant: str, kind: str, name: str) -> Record | None:
        return self.tables.records.get((merchant, kind, self.same(name)))

    def record_kinds(self, merchant: str) -> list[str]:
        names = self.tables.records
        return sorted({self.kind_of(kind) for owner, kind, _ in names if owner == merchant})

    def kind_of(self, kind: str) -> str:
        return kind

    def records(
        self,
        merchant: str,
        kind: str,
        *,
        reference: tuple[str, str] | None = None,
        after: str = "",
        limit: int = 1000,
    ) -> list[Record]:
        found = (
            record
            for record in self.tables.records.values()
            if (record.merchant, record.kind) == (merchant, kind)
            and (reference is None or self.refers(record, reference))
        )
        return self.page(found, lambda record: record.id, after, limit)

    def refers(self, record: Record, reference: tuple[str, str]) -> bool:
        return record.references.get(reference[0]) == reference[1]

    # What the tables are told

    def lock(self, accounts: Iterable[AccountId]) -> None:
        pass

    def add_wallet(self, wallet: Wallet) -> None:
        if wallet.id in self.tables.wallets or self.wallet(wallet.merchant, wallet.holder):
            raise ConcurrentChange(wallet.id, 0)
        self.tables.wallets[wallet.id] = wallet

    def replace_wallet(self, wallet: Wallet) -> None:
        before = self.wallet_by_id(wallet.merchant, wallet.id)
        taken = self.wallet(wallet.merchant, wallet.holder)
        if before is None or (taken is not None and taken.id != wallet.id):
            raise ConcurrentChange(wallet.id, 0)
        self.tables.wallets[wallet.id] = wallet

    def append(self, change: Change) -> None:
        self.check(change)
        account, tables = change.account, self.tables
        tables.entries[account.id] = (
            *tables.entries.get(account.id, ()),
            self.stored(change.entry),
        )
        tables.order = (*tables.order, (account.id, change.entry.sequence))
        tables.accounts[account.id] = account
        tables.lots.setdefault(account.id, {}).update((lot.id, lot) for lot in change.lots)
        tables.holds.setdefault(account.id, {}).update((hold.id, hold) for hold in change.holds)
        if change.restored is not None:
            parts = account.restored[change.restored]
            tables.restored.setdefault(account.id, {})[change.restored] = parts

    def check(self, change: Change) -> None:
        self.check_version(change)
        self.check_key(change)

    def check_version(self, change: Change) -> None:
        if len(self.tables.entries.get(change.account.id, ())) != change.entry.sequence - 1:
            raise ConcurrentChange(change.account.id, change.entry.sequence - 1)

    def check_key(self, change: Change) -> None:
        if self.entry_by_key(change.account, change.entry.key) is not None:
            raise ConcurrentChange(change.account.id, change.entry.sequence - 1)

    def stored(self, entry: Entry) -> Entry:
        return entry

    def rebuild(self, account: Account) -> None:
        self.tables.accounts[account.id] = account
        self.tables.lots[account.id] = dict(account.lots)
        self.tables.holds[account.id] = dict(account.holds)
        self.tables.restored[account.id] = {k: v.copy() for k, v in account.restored.items()}

    def erase(self, account: Account, sequence: int, fields: Iterable[str]) -> int:
        entries = self.tables.entries.get(account.id, ())
        if not 0 < sequence <= len(entries):
            return 0
        entry = entries[sequence - 1]
        gone = [field for field in fields if field in entry.salts]
        self.tables.entries[account.id] = (
            *entries[: sequence - 1],
            self.without(entry, gone),
            *entries[sequence:],
        )
        return len(gone)

    def without(self, entry: Entry, gone: list[str]) -> Entry:
        context = attrs.evolve(
            entry.context,
            **{field: {} if field == "data" else None for field in gone},
        )
        salts = {field: salt for field, salt in entry.salts.items() if field not in gone}
        return attrs.evolve(entry, context=context, salts=salts)

    def put(self, record: Record) -> None:
        before = self.record(record.merchant, record.kind, record.id)
        if record.version != (1 if before is None else before.version + 1):
            raise ConcurrentChange(record.id, record.version - 1)
        name = (record.merchant, record.kind, self.same(record.id))
        self.tables.records[name] = self.kept(record, before)

    def kept(self, record: Record, before: Record | None) -> Record:
        return record

    # The feed

    def feed(
        self, merchant: str, *, after: FeedPosition = BEGINNING, limit: int = 1000
    ) -> FeedPage:
        start = self.place(after)
        fed: list[Fed] = []
        place = start
        for place, named in self.places(start):
            if self.is_fed(merchant, *named):
                fed.append(self.fed(place, *named))
            if len(fed) == limit:
                break
        position = FeedPosition(str(place)) if place else BEGINNING
        return FeedPage(
            entries=tuple(fed), position=position, is_last=place == len(self.in_order())
        )

    def in_order(self) -> tuple[tuple[str, int], ...]:
        return self.tables.order[: self.settled]

    def places(self, start: int) -> Iterator[tuple[int, tuple[str, int]]]:
        return enumerate(self.in_order()[start:], start + 1)

    def place(self, position: FeedPosition) -> int:
        return counted(position, last=len(self.in_order()))

    def is_fed(self, merchant: str, account: str, sequence: int) -> bool:
        return self.tables.accounts[account].merchant == merchant

    def fed(self, place: int, account: str, sequence: int) -> Fed:
        holder = self.tables.wallets[wallet_of(AccountId(account))].holder
        entry = self.tables.entries[account][sequence - 1]
        return Fed(position=FeedPosition(str(place)), holder=holder, entry=entry)

    def feed_end(self, merchant: str) -> FeedPosition:
        places = len(self.in_order())
        return FeedPosition(str(places)) if places else BEGINNING


class PlainStorage:
    """Tables behind a lock; a transaction works on a copy, which takes their place at its end."""

    unit: type[Unit] = Unit

    def __init__(self) -> None:
        self.tables = Tables()
        self.lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.lock:
            unit = self.unit(self, self.tables.copy())
            yield unit
            self.commit(unit)

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        yield self.unit(self, self.tables)

    def commit(self, unit: Unit) -> None:
        self.tables = unit.tables

    def opened_again(self) -> PlainStorage:
        return self

    def close(self) -> None:
        pass


class TestPlainStorage(StorageContract):
    def make_storage(self) -> PlainStorage:
        return PlainStorage()


NOTHING = Record(merchant="", kind="", id="", version=0, body={})


# --- Mistakes, and the duties that report them ----------------------------------------

WRONG: list[tuple[type[PlainStorage], tuple[str, ...]]] = []


def reported_by(*duties: str) -> Callable[[type[Any]], type[Any]]:
    """Enter a wrong storage, or a wrong unit of work of an otherwise right one."""

    def enter(wrong: type[Any]) -> type[Any]:
        storage = wrong
        if issubclass(wrong, Unit):
            storage = type(wrong.__name__, (PlainStorage,), {"unit": wrong})
        WRONG.append((storage, tuple(f"test_{duty}" for duty in duties)))
        return wrong

    return enter


# Transactions and snapshots


@reported_by(
    "s1_a_snapshot_does_not_see_a_transaction_that_is_not_committed",
    "s1_a_transaction_keeps_everything_that_it_wrote",
)
class LosesTheSecondAccount(PlainStorage):
    def commit(self, unit: Unit) -> None:
        new, old = unit.tables, self.tables
        changed = [name for name, found in new.entries.items() if old.entries.get(name) != found]
        tables: list[tuple[dict[str, Any], dict[str, Any]]] = [
            (new.entries, old.entries),
            (new.accounts, old.accounts),
            (new.lots, old.lots),
            (new.holds, old.holds),
        ]
        for name, (table, before) in itertools.product(changed[1:], tables):
            table.pop(name, None)
            if name in before:
                table[name] = before[name]
        super().commit(unit)


@reported_by(
    "a12_a_refused_command_leaves_no_trace",
    "s1_a_snapshot_does_not_see_a_transaction_that_was_undone",
)
class KeepsWhatBrokeOff(PlainStorage):
    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.lock:
            unit = self.unit(self, self.tables.copy())
            try:
                yield unit
            finally:
                self.commit(unit)


@reported_by(
    "s1_a_transaction_that_breaks_off_leaves_nothing_behind",
)
class KeepsWhatAnInterruptBrokeOff(PlainStorage):
    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.lock:
            unit = self.unit(self, self.tables.copy())
            try:
                yield unit
            except Exception:
                raise
            except BaseException:
                self.commit(unit)
                raise
            self.commit(unit)


@reported_by(
    "s1_a_conflict_on_the_second_account_undoes_the_first",
    "s1_a_failure_leaves_the_storage_ready_for_the_next_transaction",
)
class KeepsRecordsApart(PlainStorage):
    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.lock:
            unit = self.unit(self, self.tables.copy())
            unit.tables.records = self.tables.records
            yield unit
            self.commit(unit)


@reported_by(
    "s11_records_are_kept_in_the_transaction_of_the_accounts",
)
class LosesRecords(PlainStorage):
    def commit(self, unit: Unit) -> None:
        unit.tables.records = self.tables.records
        super().commit(unit)


@reported_by(
    "s4_a_fault_at_any_step_leaves_all_or_nothing_and_can_be_repeated",
    "s5_a_conflict_at_any_step_is_tried_again_to_the_same_outcome",
)
class WritesAtOnce(PlainStorage):
    """No transaction: every step is there for everybody to see, and cannot be undone."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.lock:
            yield self.unit(self, self.tables)


class LiveUnit(Unit):
    """Reads the tables as they are from moment to moment."""

    def __init__(self, storage: PlainStorage, _: Tables) -> None:
        self.storage = storage

    @property
    def tables(self) -> Tables:
        return self.storage.tables


@reported_by(
    "s1_an_open_snapshot_does_not_see_what_is_committed_after_it",
)
class ReadsWhatOthersCommit(PlainStorage):
    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        yield LiveUnit(self, self.tables)


@reported_by(
    "a12_the_key_of_a_refused_command_may_be_used_again",
)
class NeverRecovers(PlainStorage):
    """A failed transaction leaves the connection unusable."""

    broken = False

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        if self.broken:
            raise StorageBusy("the tables", "no time at all")
        try:
            with super().transaction() as unit:
                yield unit
        except BaseException:
            self.broken = True
            raise


@reported_by(
    "s1_what_was_committed_is_found_after_the_storage_was_opened_again",
)
class ForgetsEverythingWhenClosed(PlainStorage):
    def opened_again(self) -> PlainStorage:
        return PlainStorage()


class OfTwoMoments(Unit):
    """Reads its first account as it is now, and others as they were before the last commit."""

    def account_by_id(self, merchant: str, account: AccountId, **named: Any) -> Account | None:
        found = super().account_by_id(merchant, account, **named)
        self.tables = self.storage.before
        return found


@reported_by("s1_readers_see_a_sum_that_transfers_never_change")
class SnapshotsOfTwoMoments(PlainStorage):
    def __init__(self) -> None:
        super().__init__()
        self.before = self.tables

    def commit(self, unit: Unit) -> None:
        self.before = self.tables
        super().commit(unit)

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        yield OfTwoMoments(self, self.tables)


@reported_by("s1_snapshots_may_be_open_side_by_side")
class OneSnapshotAtATime(PlainStorage):
    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Lock()

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        if not self.reading.acquire(blocking=False):
            raise StorageBusy("the tables", "no time at all")
        try:
            yield self.unit(self, self.tables)
        finally:
            self.reading.release()


@reported_by(
    "a1_a_command_that_changes_nothing_leaves_no_trace",
    "s1_a_transaction_that_only_reads_changes_nothing",
)
class WritesOnReading(Unit):
    def account(self, *args: Any, **named: Any) -> Account | None:
        found = super().account(*args, **named)
        if found is not None:
            touched = self.tables.accounts[found.id].copy()
            touched.spenders = ("somebody",)
            self.tables.accounts[found.id] = touched
        return found


class CommittedUnit(Unit):
    """Writes to its copy and reads what is committed."""

    def committed(self) -> Unit:
        return Unit(self.storage, self.storage.tables)


@reported_by(
    "s6_the_whole_account_within_a_transaction_is_its_replay",
)
class OverlooksItsOwnAppends(CommittedUnit):
    def journal(self, account: Account, **span: Any) -> Iterator[Entry]:
        yield from self.committed().journal(account, **span)


@reported_by(
    "s1_a_transaction_reads_what_it_has_written",
)
class OverlooksItsOwnKeys(CommittedUnit):
    def entry_by_key(self, account: Account, key: str) -> Entry | None:
        return self.committed().entry_by_key(account, key)


@reported_by(
    "s11_versions_count_within_a_transaction_too",
)
class OverlooksItsOwnRecords(CommittedUnit):
    def record(self, merchant: str, kind: str, name: str) -> Record | None:
        return self.committed().record(merchant, kind, name)


@reported_by(
    "s1_an_open_snapshot_does_not_see_what_is_committed_after_it",
)
class OverlooksItsOwnState(CommittedUnit):
    def whole(self, merchant: str, account: AccountId) -> Account | None:
        return self.committed().whole(merchant, account)


@reported_by(
    "s1_locks_may_be_asked_for_in_any_number",
)
class RefusesLocksOfWhatIsNotThere(Unit):
    def lock(self, accounts: Iterable[AccountId]) -> None:
        for name in accounts:
            if name not in self.tables.accounts:
                raise StorageBusy(name, "no time at all")


# Versions, keys and races


@reported_by(
    "s2_an_append_that_does_not_follow_the_stored_version_is_refused",
    "s2_of_two_changes_to_one_version_the_second_is_refused",
)
class ForgetsTheVersion(Unit):
    def check_version(self, change: Change) -> None:
        pass


@reported_by(
    "s2_a_second_entry_for_an_account_that_has_none_is_refused",
    "s2_an_append_that_skips_a_version_is_refused",
)
class ForgetsGapsInVersions(Unit):
    def check_version(self, change: Change) -> None:
        if len(self.tables.entries.get(change.account.id, ())) > change.entry.sequence - 1:
            raise ConcurrentChange(change.account.id, change.entry.sequence - 1)


@reported_by(
    "s2_of_two_changes_to_one_version_in_one_transaction_the_second_is_refused",
    "s2_a_first_entry_for_an_account_that_has_one_is_refused",
)
class ForgetsOldVersions(Unit):
    def check_version(self, change: Change) -> None:
        if len(self.tables.entries.get(change.account.id, ())) < change.entry.sequence - 1:
            raise ConcurrentChange(change.account.id, change.entry.sequence - 1)


@reported_by(
    "s2_a_conflict_names_the_account_and_the_version_that_was_expected",
)
class NamesAnotherVersion(Unit):
    def check_version(self, change: Change) -> None:
        if len(self.tables.entries.get(change.account.id, ())) != change.entry.sequence - 1:
            raise ConcurrentChange("some account", 0)


@reported_by(
    "s2_an_append_that_does_not_follow_the_stored_version_is_refused",
)
class RaisesWhatTheDriverRaises(Unit):
    def check_version(self, change: Change) -> None:
        if len(self.tables.entries.get(change.account.id, ())) != change.entry.sequence - 1:
            raise ValueError("UNIQUE constraint failed: entries.account, entries.sequence")


@reported_by(
    "s4_a_second_entry_with_a_key_is_refused_though_its_version_follows",
)
class LetsAKeyRepeat(Unit):
    def check_key(self, change: Change) -> None:
        pass


@reported_by(
    "s4_a_second_entry_with_a_key_is_refused_within_one_transaction",
)
class LetsAKeyRepeatInATransaction(CommittedUnit):
    def check_key(self, change: Change) -> None:
        if self.committed().entry_by_key(change.account, change.entry.key) is not None:
            raise ConcurrentChange(change.account.id, change.entry.sequence - 1)


@reported_by(
    "s4_two_accounts_may_use_one_key",
)
class HasOneKeyForAllAccounts(Unit):
    def check_key(self, change: Change) -> None:
        if any(e.key == change.entry.key for each in self.tables.entries.values() for e in each):
            raise ConcurrentChange(change.account.id, change.entry.sequence - 1)


@reported_by(
    "s4_a_key_finds_the_whole_entry",
)
class NeverFindsKeys(Unit):
    def entry_by_key(self, account: Account, key: str) -> Entry | None:
        return None


@reported_by(
    "s4_a_key_that_was_never_used_finds_nothing",
)
class FindsKeysByPattern(Unit):
    def entry_by_key(self, account: Account, key: str) -> Entry | None:
        start = key.rstrip("%_")
        entries = self.tables.entries.get(account.id, ())
        exact = super().entry_by_key(account, key)
        return exact or next((e for e in entries if start != key and e.key.startswith(start)), None)


@reported_by(
    "s11_of_two_threads_that_replace_a_record_one_wins_each_version",
    "s2_one_of_many_threads_spends_the_last_of_an_account",
    "s2_no_update_of_any_thread_is_lost",
    "s2_threads_together_draw_what_there_is_and_no_more",
    "s4_one_key_from_many_threads_is_one_entry",
    "a1_a_new_holder_gets_one_wallet_whoever_opens_it",
)
class LosesUpdates(PlainStorage):
    """Nobody waits for anybody; whoever commits last has the tables to itself."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        unit = self.unit(self, self.tables.copy())
        time.sleep(0.02)
        yield unit
        self.commit(unit)


@reported_by(
    "s1_opposite_transfers_neither_hang_nor_lose_a_cent",
)
class LocksInTheOrderOfAsking(PlainStorage):
    """Each account has its lock, taken when it is loaded: opposite transfers wait for each other."""

    def __init__(self) -> None:
        super().__init__()
        self.locks: dict[str, threading.RLock] = {}

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        unit = LockingUnit(self, self.tables.copy())
        unit.began = unit.tables.entries.copy()
        try:
            yield unit
            with self.lock:
                now = self.tables.copy()
                now.wallets.update(unit.tables.wallets)
                now.records.update(unit.tables.records)
                for name, entries in unit.tables.entries.items():
                    if unit.began.get(name) != entries:
                        copy_account(name, unit.tables, now)
                self.tables = now
        finally:
            for name in unit.taken:
                self.locks[name].release()


class LockingUnit(Unit):
    def __init__(self, storage: LocksInTheOrderOfAsking, tables: Tables) -> None:
        super().__init__(storage, tables)
        self.locks = storage.locks
        self.taken: list[str] = []
        self.began: dict[str, tuple[Entry, ...]] = {}

    def account_by_id(
        self,
        merchant: str,
        account: AccountId,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        if account not in self.taken and account in self.storage.tables.accounts:
            if not self.locks.setdefault(account, threading.RLock()).acquire(timeout=0.1):
                raise StorageBusy("the account's lock", "0.1 s")
            self.taken.append(account)
            copy_account(account, self.storage.tables, self.tables)
            self.began[account] = self.tables.entries[account]
            time.sleep(0.01)
        return super().account_by_id(merchant, account, names=names)


def copy_account(name: str, source: Tables, target: Tables) -> None:
    for table in ("accounts", "lots", "holds", "restored", "entries"):
        rows = getattr(source, table)
        if name in rows:
            getattr(target, table)[name] = rows[name]


# Loading


@reported_by(
    "s3_a_lot_that_is_used_up_is_not_loaded",
)
class ReturnsClosedLotsAsOpen(Unit):
    def is_open(self, lot: Any) -> bool:
        return True


@reported_by(
    "s3_a_hold_that_has_ended_is_loaded_by_its_name_only",
)
class ReturnsEndedHoldsAsActive(Unit):
    def is_active(self, hold: Any) -> bool:
        return True


@reported_by(
    "s3_loading_gives_the_same_rows_in_every_way_at_every_step_of_a_story",
)
class ForgetsHolds(Unit):
    def is_active(self, hold: Any) -> bool:
        return False


@reported_by(
    "a6_a_hold_has_lapsed_from_its_last_instant_on",
)
class ForgetsHeldLots(Unit):
    def is_open(self, lot: Any) -> bool:
        return lot.free > 0


@reported_by(
    "s3_value_that_is_held_pending_or_expired_is_open_until_it_has_left",
)
class ForgetsPendingLots(Unit):
    def is_open(self, lot: Any) -> bool:
        return lot.remaining > 0 and lot.terms.effective_at <= lot.issued_at


@reported_by(
    "s3_a_lot_that_is_used_up_is_loaded_by_its_name",
)
class ForgetsNamedRows(Unit):
    def is_named(self, name: str, names: tuple[str, ...]) -> bool:
        return False


class LeavesOpenLotsOut(Unit):
    def account_by_id(
        self,
        merchant: str,
        account: AccountId,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        found = super().account_by_id(merchant, account, names=names, key=key)
        if found is not None and not names.open_lots:
            self.leave_out(found, names)
        return found

    def leave_out(self, found: Account, names: Names) -> None:
        raise NotImplementedError


@reported_by(
    "s3_open_lots_are_loaded_where_something_is_held_or_owed",
)
class LeavesOutLotsThatMayBeNeeded(LeavesOpenLotsOut):
    def leave_out(self, found: Account, names: Names) -> None:
        found.lots = {}


@reported_by(
    "s3_open_lots_that_a_command_does_not_look_at_change_nothing",
)
class CountsOnlyTheLotsThatItHasLoaded(LeavesOpenLotsOut):
    def leave_out(self, found: Account, names: Names) -> None:
        if not names.needs_open_lots(found):
            found.lots, found.totals["balance"] = {}, 0


@reported_by(
    "s3_what_was_restored_is_loaded_by_the_name_of_the_redemption_only",
)
class ReturnsEverythingRestored(Unit):
    def is_named(self, name: str, names: tuple[str, ...]) -> bool:
        return super().is_named(name, names) or name in self.redemptions()

    def redemptions(self) -> set[str]:
        return {name for rows in self.tables.restored.values() for name in rows}


@reported_by(
    "s3_names_that_the_account_does_not_know_load_nothing",
)
class TakesNamesForPatterns(Unit):
    def is_named(self, name: str, names: tuple[str, ...]) -> bool:
        return super().is_named(name, names) or any(not each.strip("%") for each in names)


@reported_by(
    "s3_ten_thousand_rows_may_be_named_at_once",
)
class NamesAThousandAtMost(Unit):
    def is_named(self, name: str, names: tuple[str, ...]) -> bool:
        return super().is_named(name, names[:1000])


@reported_by(
    "s3_an_account_that_nobody_has_opened_is_none",
)
class OpensWhatNobodyOpened(Unit):
    def account(
        self,
        merchant: str,
        holder: str,
        unit: str,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        found = super().account(merchant, holder, unit, names=names)
        wallet = self.wallet(merchant, holder)
        if found is None and wallet is not None:
            name = AccountId(f"{wallet.id}.{unit}")
            return Account.new(name, merchant, holder, CustomUnit("LOST", 2))
        return found


@reported_by(
    "s3_a_lot_that_takes_value_back_is_open_again",
)
class LoadsAReopenedLotNoMore(Unit):
    def append(self, change: Change) -> None:
        closed = {
            name
            for name, lot in self.tables.lots.get(change.account.id, {}).items()
            if not lot.remaining
        }
        super().append(change)
        for name in closed:
            lot = self.tables.lots[change.account.id][name]
            self.tables.lots[change.account.id][name] = attrs.evolve(lot, remaining=0)


# Journals and state


@reported_by(
    "s6_an_account_before_its_first_entry_has_an_empty_journal",
)
class KeepsOneJournalForAWallet(Unit):
    def journal(self, account: Account, **span: Any) -> Iterator[Entry]:
        of_wallet = [
            n for n in self.tables.accounts if wallet_of(AccountId(n)) == wallet_of(account.id)
        ]
        for name in of_wallet:
            yield from super().journal(self.tables.accounts[name], **span)


@reported_by(
    "s6_a_journal_begins_after_and_ends_at_the_sequences_that_are_named",
)
class BeginsJournalsOneEarly(Unit):
    def journal(
        self, account: Account, *, after: int = 0, upto: int | None = None
    ) -> Iterator[Entry]:
        yield from super().journal(account, after=after - 1, upto=upto)


@reported_by(
    "s6_a_journal_begins_after_and_ends_at_the_sequences_that_are_named",
)
class EndsJournalsOneEarly(Unit):
    def journal(
        self, account: Account, *, after: int = 0, upto: int | None = None
    ) -> Iterator[Entry]:
        yield from super().journal(account, after=after, upto=None if upto is None else upto - 1)


@reported_by(
    "s6_a_journal_begins_after_and_ends_at_the_sequences_that_are_named",
)
class ReadsJournalsBackwards(Unit):
    def journal(self, account: Account, **span: Any) -> Iterator[Entry]:
        yield from reversed(list(super().journal(account, **span)))


@reported_by(
    "s6_journals_of_several_accounts_do_not_mix",
)
class MixesJournals(Unit):
    def journal(self, account: Account, **span: Any) -> Iterator[Entry]:
        for name in sorted(self.tables.accounts):
            yield from super().journal(self.tables.accounts[name], **span)


@reported_by(
    "s4_a_key_finds_the_whole_entry",
    "s6_entries_come_back_as_they_were_appended",
)
class DropsContexts(Unit):
    def stored(self, entry: Entry) -> Entry:
        return attrs.evolve(entry, context=attrs.evolve(entry.context, location=None))


@reported_by(
    "a14_erasing_counts_what_was_there_and_the_second_time_nothing",
)
class LosesNotes(Unit):
    def stored(self, entry: Entry) -> Entry:
        return self.without(entry, ["note"])


@reported_by(
    "a14_erasing_changes_neither_body_nor_digest",
    "s6_a_journal_is_in_order_without_a_gap_at_every_step_of_a_story",
)
class EraseChangesTheBody(Unit):
    def without(self, entry: Entry, gone: list[str]) -> Entry:
        body = entry.body.replace('"sealed"', '"erased"')
        return attrs.evolve(super().without(entry, gone), body=body)


@reported_by(
    "a14_erasing_changes_neither_body_nor_digest",
)
class EraseChangesTheChain(Unit):
    def without(self, entry: Entry, gone: list[str]) -> Entry:
        return attrs.evolve(super().without(entry, gone), digest=chain(b"", entry.body))


@reported_by(
    "a14_erasing_removes_the_named_fields_for_every_way_of_reading",
)
class ErasesEverythingPrivate(Unit):
    def without(self, entry: Entry, gone: list[str]) -> Entry:
        return super().without(entry, ["actor", "note", "data"])


@reported_by(
    "a14_erasing_counts_what_was_there_and_the_second_time_nothing",
)
class ErasesNothing(Unit):
    def without(self, entry: Entry, gone: list[str]) -> Entry:
        return entry


@reported_by(
    "a14_several_entries_may_be_erased_in_one_transaction",
)
class ErasesTheSaltOnly(Unit):
    def without(self, entry: Entry, gone: list[str]) -> Entry:
        return attrs.evolve(super().without(entry, gone), context=entry.context)


@reported_by(
    "a14_erasing_counts_what_was_there_and_the_second_time_nothing",
)
class CountsWhatWasAskedFor(Unit):
    def erase(self, account: Account, sequence: int, fields: Iterable[str]) -> int:
        names = list(fields)
        super().erase(account, sequence, names)
        return len(names)


@reported_by(
    "a14_several_entries_may_be_erased_in_one_transaction",
)
class ErasesOnceInATransaction(CommittedUnit):
    erased = 0

    def erase(self, account: Account, sequence: int, fields: Iterable[str]) -> int:
        self.erased += 1
        return super().erase(account, sequence, fields) if self.erased == 1 else 1


@reported_by(
    "a14_erasing_changes_neither_body_nor_digest",
    "a14_an_erased_entry_still_answers_its_key",
)
class ForgetsTheKeyOfWhatIsErased(Unit):
    def without(self, entry: Entry, gone: list[str]) -> Entry:
        return attrs.evolve(super().without(entry, gone), key=f"erased {entry.sequence}")


@reported_by(
    "s6_erased_fields_stay_erased_when_state_is_rebuilt",
)
class RemembersWhatWasErasedWhenRebuilt(Unit):
    def rebuild(self, account: Account) -> None:
        super().rebuild(account)
        backup = self.storage.__dict__.setdefault("backup", {})
        self.tables.entries[account.id] = backup.get(account.id, self.tables.entries[account.id])

    def erase(self, account: Account, sequence: int, fields: Iterable[str]) -> int:
        backup = self.storage.__dict__.setdefault("backup", {})
        backup.setdefault(account.id, self.tables.entries[account.id])
        return super().erase(account, sequence, fields)


@reported_by(
    "s3_what_was_restored_is_loaded_by_the_name_of_the_redemption_only",
)
class ForgetsWhatWasRestored(Unit):
    def append(self, change: Change) -> None:
        super().append(attrs.evolve(change, restored=None))


@reported_by(
    "s6_the_whole_account_is_its_replay_at_every_step_of_a_story",
)
class ForgetsTotals(Unit):
    def append(self, change: Change) -> None:
        super().append(change)
        row = self.tables.accounts[change.account.id].copy()
        row.totals["expired"] = 0
        self.tables.accounts[change.account.id] = row


@reported_by(
    "s6_lost_state_is_found_and_rebuilt_from_the_journal",
)
class RebuildsNothing(Unit):
    def rebuild(self, account: Account) -> None:
        pass


@reported_by(
    "s6_what_is_due_is_known_again_when_state_was_rebuilt",
)
class RebuildsAroundOldRows(Unit):
    def rebuild(self, account: Account) -> None:
        lots, holds = self.tables.lots[account.id], self.tables.holds[account.id]
        super().rebuild(account)
        self.tables.lots[account.id] = {**lots, **account.lots}
        self.tables.holds[account.id] = {**holds, **account.holds}


@reported_by(
    "s6_a_rebuilt_account_goes_on",
)
class RebuildsClosedLotsAsOpen(Unit):
    def rebuild(self, account: Account) -> None:
        super().rebuild(account)
        self.tables.lots[account.id] = {
            name: attrs.evolve(lot, remaining=lot.remaining or 1)
            for name, lot in account.lots.items()
        }


@reported_by(
    "s6_a_rebuild_that_breaks_off_leaves_the_old_state",
)
class RebuildsAtOnce(Unit):
    def rebuild(self, account: Account) -> None:
        super().rebuild(account)
        self.storage.tables = self.tables.copy()


# Wallets and addresses


@reported_by(
    "s4_keys_that_only_look_alike_are_different_keys",
    "a1_holders_of_any_script_and_look_are_different_holders",
)
class IgnoresCase(Unit):
    def same(self, text: str) -> str:
        return text.casefold()


@reported_by(
    "s4_keys_that_only_look_alike_are_different_keys",
    "a1_holders_of_any_script_and_look_are_different_holders",
)
class IgnoresSpacesAtTheEnd(Unit):
    def same(self, text: str) -> str:
        return text.rstrip(" ")


@reported_by(
    "a1_holders_of_any_script_and_look_are_different_holders",
)
class NormalisesText(Unit):
    def same(self, text: str) -> str:
        return unicodedata.normalize("NFKC", text)


@reported_by(
    "a16_merchants_of_any_script_and_look_are_different_merchants",
    "a1_holders_of_any_script_and_look_are_different_holders",
    "s4_keys_that_only_look_alike_are_different_keys",
)
class CutsText(Unit):
    def same(self, text: str) -> str:
        return text[:191]


@reported_by(
    "a1_a_holder_gets_no_second_wallet",
)
class GivesAHolderTwoWallets(Unit):
    def add_wallet(self, wallet: Wallet) -> None:
        if wallet.id in self.tables.wallets:
            raise ConcurrentChange(wallet.id, 0)
        self.tables.wallets[wallet.id] = wallet


@reported_by(
    "a1_a_wallet_id_is_never_given_to_a_second_holder",
)
class GivesAWalletTwoHolders(Unit):
    def add_wallet(self, wallet: Wallet) -> None:
        if self.wallet(wallet.merchant, wallet.holder):
            raise ConcurrentChange(wallet.id, 0)
        self.tables.wallets[wallet.id] = wallet


@reported_by(
    "a1_a_wallet_that_was_added_is_found_by_holder_and_by_id",
)
class AddsNoWallets(Unit):
    def wallet(self, merchant: str, holder: str) -> Wallet | None:
        found = super().wallet(merchant, holder)
        has_accounts = found is not None and self.accounts_of(merchant, found.id)
        return found if has_accounts else None


@reported_by(
    "a18_a_taken_name_and_an_unknown_wallet_are_refused",
)
class ReplacesAnyWallet(Unit):
    def replace_wallet(self, wallet: Wallet) -> None:
        self.tables.wallets[wallet.id] = wallet


@reported_by(
    "a18_a_renamed_holder_keeps_the_wallet_and_its_journal",
)
class RenamesTheWalletOnly(Unit):
    def whole(self, merchant: str, account: AccountId) -> Account | None:
        found = super().whole(merchant, account)
        if found is not None:
            found.holder = self.tables.accounts[account].holder
        return found


@reported_by(
    "a18_a_name_that_was_given_up_is_free_again",
)
class KeepsOldNamesTaken(Unit):
    def replace_wallet(self, wallet: Wallet) -> None:
        before = self.wallet_by_id(wallet.merchant, wallet.id)
        super().replace_wallet(wallet)
        if before is not None and before.holder != wallet.holder:
            old = self.storage.__dict__.setdefault("old names", {})
            old[before.merchant, before.holder] = wallet.id

    def wallet(self, merchant: str, holder: str) -> Wallet | None:
        old = self.storage.__dict__.get("old names", {}).get((merchant, holder))
        return super().wallet(merchant, holder) or self.tables.wallets.get(old)


@reported_by(
    "a18_a_wallet_may_be_added_and_renamed_in_one_transaction",
    "a18_two_holders_may_swap_names_in_one_transaction",
)
class RenamesAtTheEnd(Unit):
    """The new name is only to be found when the transaction has ended."""

    def replace_wallet(self, wallet: Wallet) -> None:
        committed = self.storage.tables.wallets.get(wallet.id)
        if committed is None or any(
            (each.merchant, each.holder) == (wallet.merchant, wallet.holder)
            for each in self.storage.tables.wallets.values()
            if each.id != wallet.id
        ):
            raise ConcurrentChange(wallet.id, 0)
        super().replace_wallet(wallet)


@reported_by(
    "a17_a_wallet_remembers_the_one_it_was_merged_into",
)
class ForgetsMergers(Unit):
    def replace_wallet(self, wallet: Wallet) -> None:
        super().replace_wallet(attrs.evolve(wallet, merged_into=None))


@reported_by(
    "a16_what_another_merchant_has_is_unknown",
)
class ShowsAnybodyEverything(Unit):
    def may_see(self, owner: str, merchant: str) -> bool:
        return True


@reported_by(
    "a16_one_holder_at_two_merchants_has_two_wallets",
)
class HasOneWalletForAllMerchants(Unit):
    def wallet(self, merchant: str, holder: str) -> Wallet | None:
        found = (each for each in self.tables.wallets.values() if each.holder == holder)
        return next(found, None)

    def may_see(self, owner: str, merchant: str) -> bool:
        return True


@reported_by(
    "s10_the_ids_of_lots_holds_and_entries_lead_to_their_account",
)
class FindsNoEntriesById(Unit):
    def entry_by_id(self, account: Account, entry: EntryId) -> Entry | None:
        return None


@reported_by(
    "s10_an_entry_id_of_another_account_or_of_nobody_finds_nothing",
)
class FindsEntriesOfAnybodyById(Unit):
    def entry_by_id(self, account: Account, entry: EntryId) -> Entry | None:
        everything = itertools.chain.from_iterable(self.tables.entries.values())
        return next((each for each in everything if each.id == entry), None)


@reported_by(
    "s10_an_id_that_leads_nowhere_finds_nothing",
)
class FindsAccountsByPrefix(Unit):
    def whole(self, merchant: str, account: AccountId) -> Account | None:
        names = (name for name in self.tables.accounts if name.startswith(account.rstrip("%.")))
        return super().whole(merchant, AccountId(next(names, account)))


@reported_by(
    "a1_accounts_of_a_wallet_come_by_unit_code",
)
class ListsAccountsAsTheyWereOpened(Unit):
    def accounts_of(self, merchant: str, wallet: WalletId) -> list[Account]:
        opened = list(self.tables.accounts)
        return sorted(super().accounts_of(merchant, wallet), key=lambda a: opened.index(a.id))


@reported_by(
    "v4_units_of_nine_digits_and_of_none_are_kept",
)
class ForgetsDigits(Unit):
    def whole(self, merchant: str, account: AccountId) -> Account | None:
        found = super().whole(merchant, account)
        if found is not None and isinstance(found.unit, CustomUnit):
            found.unit = CustomUnit(found.unit.code, 2)
        return found


# Sweeping


@reported_by(
    "a5_value_is_due_from_its_last_instant_on",
)
class IsDueAMomentLate(Unit):
    def is_due(self, lot: Any, at: datetime) -> bool:
        return super().is_due(lot, at - timedelta(microseconds=1))


@reported_by(
    "a5_value_is_due_from_its_last_instant_on",
)
class IsDueAMomentEarly(Unit):
    def is_due(self, lot: Any, at: datetime) -> bool:
        return bool(lot.free) and lot.is_expired(later(at))


@reported_by(
    "a6_a_hold_has_lapsed_from_its_last_instant_on",
)
class LapsesAMomentLate(Unit):
    def is_over(self, hold: Any, at: datetime) -> bool:
        return super().is_over(hold, at - timedelta(microseconds=1))


@reported_by(
    "a6_a_hold_has_lapsed_from_its_last_instant_on",
)
class LapsesAMomentEarly(Unit):
    def is_over(self, hold: Any, at: datetime) -> bool:
        return super().is_over(hold, later(at))


@reported_by(
    "a5_value_without_expiry_spent_held_or_swept_is_not_due",
)
class FindsHeldValueDue(Unit):
    def is_due(self, lot: Any, at: datetime) -> bool:
        return bool(lot.remaining) and lot.is_expired(at)


@reported_by(
    "a6_a_hold_that_has_ended_does_not_lapse",
)
class FindsEndedHoldsLapsed(Unit):
    def is_over(self, hold: Any, at: datetime) -> bool:
        return hold.lapses_at <= at


@reported_by(
    "a5_a_new_expiry_counts_and_not_the_old_one",
)
class KeepsTheFirstExpiry(Unit):
    def append(self, change: Change) -> None:
        super().append(change)
        first = self.storage.__dict__.setdefault("expiries", {})
        for lot in change.lots:
            first.setdefault(lot.id, lot.terms.expires_at)

    def is_due(self, lot: Any, at: datetime) -> bool:
        expires_at = self.storage.__dict__["expiries"][lot.id]
        return bool(lot.free) and expires_at is not None and at >= expires_at


@reported_by(
    "a5_the_earliest_of_several_lots_decides",
)
class LooksAtOneLotOnly(Unit):
    def due(self, merchant: str, at: datetime, **span: Any) -> list[AccountId]:
        first = {
            name: next((lot for lot in rows.values() if lot.remaining), None)
            for name, rows in self.tables.lots.items()
        }
        found = super().due(merchant, at, **span)
        return [name for name in found if (lot := first[name]) and self.is_due(lot, at)]


@reported_by(
    "a5_pages_follow_one_another_by_account_id",
)
class IgnoresTheLimit(Unit):
    def page(
        self, found: Iterable[Any], id_of: Callable[[Any], str], after: str, limit: int
    ) -> list[Any]:
        return super().page(found, id_of, after, 10**9)


@reported_by(
    "a5_pages_follow_one_another_by_account_id",
    "s11_records_are_listed_by_id_in_pages",
)
class RepeatsTheLastOfAPage(Unit):
    def page(
        self, found: Iterable[Any], id_of: Callable[[Any], str], after: str, limit: int
    ) -> list[Any]:
        return sorted((row for row in found if id_of(row) >= after), key=id_of)[:limit]


@reported_by(
    "a5_a_page_begins_after_an_id_that_need_not_exist",
)
class BeginsPagesAtAKnownIdOnly(Unit):
    def page(
        self, found: Iterable[Any], id_of: Callable[[Any], str], after: str, limit: int
    ) -> list[Any]:
        rows = sorted(found, key=id_of)
        names = [id_of(row) for row in rows]
        return rows[names.index(after) + 1 if after in names else 0 :][:limit]


@reported_by(
    "s11_records_are_listed_by_id_in_pages",
)
class PagesInTheOrderOfALanguage(Unit):
    def page(
        self, found: Iterable[Any], id_of: Callable[[Any], str], after: str, limit: int
    ) -> list[Any]:
        def order(text: str) -> bytes:
            return text.encode("utf-16-be")

        rows = (row for row in found if order(id_of(row)) > order(after))
        return sorted(rows, key=lambda row: order(id_of(row)))[:limit]


@reported_by(
    "s6_what_is_due_is_known_again_when_state_was_rebuilt",
    "s6_rebuilding_what_is_right_changes_nothing",
)
class ForgetsWhatIsDueWhenRebuilt(Unit):
    def rebuild(self, account: Account) -> None:
        super().rebuild(account)
        self.storage.__dict__.setdefault("rebuilt", set()).add(account.id)

    def due(self, merchant: str, at: datetime, **span: Any) -> list[AccountId]:
        rebuilt = self.storage.__dict__.get("rebuilt", set())
        return [name for name in super().due(merchant, at, **span) if name not in rebuilt]


# Records


@reported_by(
    "s1_a_conflict_over_a_record_undoes_the_accounts",
    "s11_a_record_is_replaced_by_the_version_after_it_and_by_no_other",
)
class OverwritesRecords(Unit):
    def put(self, record: Record) -> None:
        self.tables.records[record.merchant, record.kind, record.id] = record


@reported_by(
    "s11_versions_count_within_a_transaction_too",
)
class CountsCommittedVersionsOnly(CommittedUnit):
    def put(self, record: Record) -> None:
        before = self.committed().record(record.merchant, record.kind, record.id)
        if record.version != (1 if before is None else before.version + 1):
            raise ConcurrentChange(record.id, record.version - 1)
        self.tables.records[record.merchant, record.kind, record.id] = record


@reported_by(
    "s11_the_kinds_of_records_are_told_apart_by_merchant",
)
class ListsKindsWithoutTheirCase(Unit):
    def kind_of(self, kind: str) -> str:
        return kind.lower()


@reported_by(
    "s11_a_record_that_nobody_has_put_is_none",
)
class MakesUpRecords(Unit):
    def record(self, merchant: str, kind: str, name: str) -> Record | None:
        return self.tables.records.get((merchant, kind, name), NOTHING)


@reported_by(
    "s11_merchant_kind_and_id_name_a_record_together",
)
class MixesMerchantsRecords(Unit):
    def record(self, merchant: str, kind: str, name: str) -> Record | None:
        everything = self.tables.records.values()
        return next((r for r in everything if (r.kind, r.id) == (kind, name)), None)


@reported_by(
    "s11_any_json_comes_back_as_it_was_put",
)
class KeepsNumbersAsFloats(Unit):
    def kept(self, record: Record, before: Record | None) -> Record:
        return attrs.evolve(record, body={k: as_float(v) for k, v in record.body.items()})


@reported_by(
    "s11_a_replaced_record_is_found_by_its_new_references_only",
)
class AddsReferences(Unit):
    def kept(self, record: Record, before: Record | None) -> Record:
        known = {} if before is None else before.references
        return attrs.evolve(record, references={**known, **record.references})


@reported_by(
    "s11_records_are_found_by_any_of_their_references",
)
class LooksForAnyReference(Unit):
    def refers(self, record: Record, reference: tuple[str, str]) -> bool:
        return reference[1] in record.references.values()


@reported_by(
    "s11_references_and_ids_that_only_look_alike_are_different",
)
class ComparesReferencesLoosely(Unit):
    def refers(self, record: Record, reference: tuple[str, str]) -> bool:
        known = record.references.get(reference[0])
        return known is not None and known.casefold() == reference[1].casefold()


# What a column cannot hold


@reported_by(
    "v2_the_largest_amount_is_kept_held_and_spent",
)
class HoldsAmountsAsFloats(Unit):
    def append(self, change: Change) -> None:
        lots = tuple(
            attrs.evolve(lot, amount=int(float(lot.amount)), remaining=int(float(lot.remaining)))
            for lot in change.lots
        )
        super().append(attrs.evolve(change, lots=lots))


@reported_by(
    "v2_the_largest_debt_and_limit_are_kept",
)
class HoldsLimitsAsFloats(Unit):
    def append(self, change: Change) -> None:
        super().append(change)
        row = change.account.copy()
        if isinstance(row.limit, int):
            row.limit = int(float(row.limit))
        self.tables.accounts[row.id] = row


@reported_by(
    "v7_a_microsecond_is_kept",
)
class HoldsMilliseconds(Unit):
    def append(self, change: Change) -> None:
        super().append(change)
        row = change.account.copy()
        if row.last_at is not None:
            row.last_at = row.last_at.replace(microsecond=row.last_at.microsecond // 1000 * 1000)
        self.tables.accounts[row.id] = row


@reported_by(
    "v7_the_earliest_and_the_latest_instants_are_kept",
)
class HoldsInstantsOfThisEpoch(Unit):
    def append(self, change: Change) -> None:
        if not 1970 <= change.entry.at.year <= 2038:
            raise OverflowError("timestamp out of range")
        super().append(change)


@reported_by(
    "a18_texts_of_any_script_and_length_come_back",
)
class HoldsShortNotes(Unit):
    def stored(self, entry: Entry) -> Entry:
        note = entry.context.note
        context = attrs.evolve(entry.context, note=None if note is None else note[:255])
        return attrs.evolve(entry, context=context)


@reported_by(
    "a1_an_entry_may_move_hundreds_of_lots",
)
class HoldsTwoHundredLots(Unit):
    def append(self, change: Change) -> None:
        super().append(attrs.evolve(change, lots=change.lots[:200]))


@reported_by(
    "a9_every_sort_of_limit_and_list_comes_back",
)
class HoldsNoEmptyLists(Unit):
    def append(self, change: Change) -> None:
        super().append(change)
        row = change.account.copy()
        row.spenders = row.spenders or None
        self.tables.accounts[row.id] = row


def later(at: datetime) -> datetime:
    return at if at.year == 9999 else at + timedelta(microseconds=1)


def as_float(value: Any) -> Any:
    return float(value) if type(value) is int else value


# --- The contract reports each --------------------------------------------------------


def complaint(storage: type[PlainStorage], duty: str) -> BaseException | None:
    """Run the cases of one duty on *storage*, and return the first failure, if any."""

    class Suite(StorageContract):
        def make_storage(self) -> Storage:
            return storage()

        def reopen(self, storage: Any) -> Storage:
            return storage.opened_again()

    for case in cases_of(getattr(StorageContract, duty)):
        suite = Suite()
        try:
            getattr(suite, duty)(**case)
        except (Exception, pytest.fail.Exception) as failure:  # noqa: BLE001 - whatever it reports
            return failure
        finally:
            suite.teardown_method()
    return None


def cases_of(duty: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """The arguments of each case of a duty that is parametrized; of any other, none once."""
    marks = [mark for mark in getattr(duty, "pytestmark", []) if mark.name == "parametrize"]
    for values in itertools.product(*(mark.args[1] for mark in marks)):
        yield dict(zip((mark.args[0] for mark in marks), values, strict=True))


@pytest.mark.parametrize(
    ("storage", "duty"),
    [
        pytest.param(storage, duty, id=f"{storage.__name__}-{duty.removeprefix('test_')}")
        for storage, duties in WRONG
        for duty in duties
    ],
)
def test_a_wrong_adapter_is_reported(storage: type[PlainStorage], duty: str) -> None:
    assert complaint(storage, duty) is not None, f"{storage.__name__} passes {duty}"


def test_each_duty_has_been_seen_to_fail() -> None:
    # Those of the feed, of checkouts, claims and refunds are in files of their own.
    apart = {*dir(FeedDuties), *dir(CheckoutDuties), *dir(ClaimDuties), *dir(RefundDuties)}
    duties = {name for name in dir(StorageContract) if name.startswith("test_")} - apart
    assert duties - {duty for _, reporters in WRONG for duty in reporters} == set()
    assert len(duties) > 100
