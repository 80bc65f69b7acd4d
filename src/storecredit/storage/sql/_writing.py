"""Writing: what a transaction adds to reading; it waits until it is needed, and then goes out at once."""

from collections.abc import Iterable, Sequence
from typing import Final

from storecredit.errors import InvalidText
from storecredit.ledger import (
    Account,
    AccountId,
    Change,
    Entry,
    Lot,
    WalletId,
    canonical,
    unit_of,
    wallet_of,
)
from storecredit.storage.feed import BEGINNING, FeedPage, FeedPosition
from storecredit.storage.protocols import Record, Wallet
from storecredit.storage.sql._catalogue import Catalogue
from storecredit.storage.sql._exchange import Exchange
from storecredit.storage.sql._feed import Access, Feeding, Surroundings
from storecredit.storage.sql._feed_by_outbox import ByOutbox
from storecredit.storage.sql._feed_by_snapshots import BySnapshots
from storecredit.storage.sql._feed_ways import Way
from storecredit.storage.sql._named import may_be_id
from storecredit.storage.sql._reading import Reading
from storecredit.storage.sql._reads import Reads
from storecredit.storage.sql._rows import (
    account_row,
    amounts_row,
    changed_columns,
    changed_row,
    entry_row,
    hold_row,
    local_bytes,
    lot_row,
    private_rows,
    require_sound,
    terms_row,
)
from storecredit.storage.sql._select_accounts import LOCK_SIZES
from storecredit.storage.sql._wire import Answer, Step

_MOST_WAITING: Final = 500
"""So many statements wait at most, however long a transaction is."""
_LONGEST_WORD: Final = 64


class Writing(Reading):
    """
    One transaction.

    What it writes is sent before the next thing it reads, in the same round trip where the driver
    can do that, or together with the commit.
    """

    def __init__(
        self,
        exchange: Exchange,
        catalogue: Catalogue,
        reads: Reads,
        around: Surroundings,
    ) -> None:
        at_once, met = exchange.wire.at_once, catalogue.met
        super().__init__(self._ask_after_writing, reads, met, at_once=at_once)
        self._exchange: Final = exchange
        self._writes: Final = catalogue.writes
        self._waiting: list[Step] = []
        self._wallets: Final[dict[WalletId, Wallet]] = {}
        """The wallets as they were read, or written since."""
        access = Access(self._ask_after_writing, self._write, reads, self._writes, met.units)
        way = BySnapshots if catalogue.way is Way.SNAPSHOTS else ByOutbox
        self._feed: Final[Feeding] = way(access, around)

    def taken(self) -> list[Step]:
        """Take what has not been sent yet."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def _ask_after_writing(self, steps: Sequence[Step]) -> list[Answer]:
        waiting = self.taken()
        if not waiting:
            return self._exchange.ask(steps)
        return self._exchange.ask([*waiting, *steps])[len(waiting) :]

    def _write(self, steps: Iterable[Step]) -> None:
        waiting = self._waiting
        waiting += steps
        if len(waiting) > _MOST_WAITING:
            self._ask_after_writing(())

    def lock(self, accounts: Iterable[AccountId]) -> None:
        if self._writes.dialect.name == "sqlite":
            return
        keys = [(wallet_of(id_), unit_of(id_)) for id_ in sorted(set(accounts)) if may_be_id(id_)]
        while keys:
            size = next((size for size in LOCK_SIZES if size >= len(keys)), LOCK_SIZES[-1])
            now, keys = keys[:size], keys[size:]
            now += now[-1:] * (size - len(now))
            step = Step(self._reads.locking(size), tuple([text for key in now for text in key]))
            self._write([step])

    # Wallets

    def add_wallet(self, wallet: Wallet) -> None:
        row = (wallet.id, wallet.merchant, wallet.holder, wallet.merged_into)
        about = (wallet.id, 0)
        self._write([Step(self._writes.wallet, row, about, None if self._writes.joins else 1)])

    def replace_wallet(self, wallet: Wallet) -> None:
        row: tuple[object, ...] = (wallet.holder, wallet.merged_into, wallet.id, wallet.merchant)
        before, statement = self._wallets.get(wallet.id), self._writes.replace_wallet
        if before is not None:
            # Somebody else may have merged or renamed it since it was read.
            is_alone = before.merged_into is None
            row = (*row, before.holder, *(() if is_alone else (before.merged_into,)))
            writes = self._writes
            statement = writes.replace_wallet_alone if is_alone else writes.replace_wallet_merged
        self._ask_after_writing([Step(statement, row, (wallet.id, 0), 1)])
        self._wallets[wallet.id] = wallet

    def wallet(self, merchant: str, holder: str) -> Wallet | None:
        return self._seen(super().wallet(merchant, holder))

    def wallet_by_id(self, merchant: str, wallet: WalletId) -> Wallet | None:
        return self._seen(super().wallet_by_id(merchant, wallet))

    def _seen(self, wallet: Wallet | None) -> Wallet | None:
        if wallet is not None:
            # As it was first: what was decided on that does not fit anything newer.
            self._wallets.setdefault(wallet.id, wallet)
        return wallet

    # Accounts

    def append(self, change: Change) -> None:
        require_sound(change)
        account, entry, writes = change.account, change.entry, self._writes
        wallet, unit = key = (wallet_of(account.id), account.unit.code)
        about = (account.id, entry.sequence - 1)
        for name in [name for name in self._loading.entries if name[0] == account.id]:
            del self._loading.entries[name]
        if entry.sequence == 1:
            row: tuple[object, ...] = (unit, account.unit.digits, *account_row(account), wallet)
            if wallet in self._wallets:
                moved = writes.first_of_seen_with_entry if writes.joins else writes.first_of_seen
            else:
                moved = writes.first_with_entry if writes.joins else writes.first
        else:
            changed = changed_columns(entry)
            row = (*changed_row(account, changed), wallet, unit, entry.sequence - 1)
            moved = (writes.next_with_entry if writes.joins else writes.next)(changed)
        if writes.joins:
            steps = [Step(moved, (*row, *entry_row(entry), *self._feed.stamp()), about)]
        else:
            steps = [
                Step(moved, row, about, 1),
                Step(writes.entry, (*key, *entry_row(entry)), about),
            ]
        steps += self._feed.announce(account, entry.sequence)
        if entry.salts:
            steps += [
                Step(writes.private, (*key, entry.sequence, *row), about)
                for row in private_rows(entry)
            ]
        steps += [self._lot(key, lot, entry, place, about) for place, lot in enumerate(change.lots)]
        steps += [
            Step(writes.hold, (*key, *hold_row(hold), entry.sequence), about)
            for hold in change.holds
        ]
        if change.restored is not None:
            steps += [
                Step(writes.restored, (*key, change.restored, move, amount), about)
                for move, amount in account.restored[change.restored].items()
            ]
        self._write(steps)

    def _lot(
        self, key: tuple[str, str], lot: Lot, entry: Entry, place: int, about: tuple[str, int]
    ) -> Step:
        if lot.sequence == entry.sequence:
            return Step(self._writes.lot, (*key, *lot_row(lot), place), about)
        amounts = (*amounts_row(lot), lot.remaining > 0, *key, local_bytes(lot.id))
        for move in entry.moves:
            if move.terms is not None and move.lot == lot.id:
                return Step(self._writes.refile_lot, (*terms_row(lot.terms), *amounts), about)
        return Step(self._writes.move_lot, amounts, about)

    def rebuild(self, account: Account) -> None:
        writes, key = self._writes, (wallet_of(account.id), unit_of(account.id))
        about = (account.id, account.version)
        row = (*account_row(account), *key)
        self._ask_after_writing([Step(writes.anew, row, about, 1)])
        steps = [Step(statement, key, about) for statement in writes.forget]
        steps += [
            Step(writes.lot, (*key, *lot_row(lot), place), about)
            for place, lot in enumerate(account.lots.values())
        ]
        steps += [
            Step(writes.hold, (*key, *hold_row(hold), place), about)
            for place, hold in enumerate(account.holds.values())
        ]
        steps += [
            Step(writes.restored, (*key, redemption, move, amount), about)
            for redemption, parts in account.restored.items()
            for move, amount in parts.items()
        ]
        self._write(steps)

    def erase(self, account: Account, sequence: int, fields: Iterable[str]) -> int:
        key = (wallet_of(account.id), unit_of(account.id))
        steps = [Step(self._writes.erase, (*key, sequence, field)) for field in sorted(set(fields))]
        return sum(answer.changed for answer in self._ask_after_writing(steps)) if steps else 0

    # Records

    def put(self, record: Record) -> None:
        writes, name = self._writes, (record.merchant, record.kind, record.id)
        _require_word("kind", record.kind)
        before = record.version - 1
        about = (record.id, before)
        row = (record.version, canonical(dict(record.body)), *name)
        first = (
            Step(writes.replace_record, (*row, before), about, 1)
            if before
            else Step(writes.record, row, about)
        )
        steps = [Step(writes.forget_references, name, about)] if before else []
        for reference in record.references.items():
            _require_word("reference", reference[0])
            steps.append(Step(writes.reference, (*name, *reference), about))
        if first.needs is None:
            self._write([first, *steps])
        else:
            self._ask_after_writing([first])
            self._write(steps)

    # The feed

    def feed(
        self, merchant: str, *, after: FeedPosition = BEGINNING, limit: int = 1000
    ) -> FeedPage:
        return self._feed.page(merchant, after, limit)

    def feed_end(self, merchant: str) -> FeedPosition:  # noqa: ARG002 - one order for all
        return self._feed.end()


def _require_word(field: str, text: str) -> None:
    if len(text) > _LONGEST_WORD:
        problem = f"has {len(text)} characters, and at most {_LONGEST_WORD} are kept"
        raise InvalidText(field, text, problem)
