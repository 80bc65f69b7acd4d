"""Reading: one consistent state of the database, through statements whose cost no history raises."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final

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
from storecredit.storage.sql._compiled import Statement
from storecredit.storage.sql._loading import Ask, Loading, Met
from storecredit.storage.sql._named import may_be_id
from storecredit.storage.sql._orphans import lost_journals
from storecredit.storage.sql._reads import Reads
from storecredit.storage.sql._rows import Row, local_bytes, read_journal, read_row
from storecredit.storage.sql._wire import Step

_LAST: Final = 2**63 - 1
_PAGE: Final = 1000


class Reading:
    """What snapshots and transactions read alike; the engine keeps what they see consistent."""

    def __init__(
        self,
        ask: Ask,
        reads: Reads,
        met: Met,
        *,
        at_once: bool,
        watched: bool = False,
    ) -> None:
        self._ask: Final = ask
        self._reads: Final = reads
        self._loading: Final = Loading(ask, reads, met, at_once=at_once, watched=watched)

    def _rows(self, statement: Statement, *parameters: object) -> list[Row]:
        (answer,) = self._ask([Step(statement, parameters)])
        return answer.rows

    # Wallets

    def wallet(self, merchant: str, holder: str) -> Wallet | None:
        rows = self._rows(self._reads.wallet_of_holder, merchant, holder)
        return Wallet(*rows[0]) if rows else None

    def wallet_by_id(self, merchant: str, wallet: WalletId) -> Wallet | None:
        if not may_be_id(wallet):
            return None
        rows = self._rows(self._reads.wallet_by_id, merchant, wallet)
        return Wallet(*rows[0]) if rows else None

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
        return self._loading.of_holder(merchant, holder, unit, names, key)

    def account_by_id(
        self,
        merchant: str,
        account: AccountId,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        return self._loading.by_id(merchant, account, names, key)

    def accounts_of(self, merchant: str, wallet: WalletId) -> list[Account]:
        return self._loading.of_wallet(merchant, wallet)

    def whole(self, merchant: str, account: AccountId) -> Account | None:
        return self._loading.whole(merchant, account)

    # Journals

    def entry_by_key(self, account: Account, key: str) -> Entry | None:
        known = self._loading.entries
        if (account.id, key) in known:
            return self._entry(account, known[account.id, key])
        found_by = (wallet_of(account.id), unit_of(account.id), key)
        rows = self._rows(self._reads.entry_by_key, *found_by)
        return self._entry(account, rows[0] if rows else None)

    def entry_by_id(self, account: Account, entry: EntryId) -> Entry | None:
        try:
            if account_of(entry) != account.id:
                return None
        except ValueError:
            return None
        found_by = (wallet_of(account.id), unit_of(account.id), local_bytes(entry))
        rows = self._rows(self._reads.entry_by_id, *found_by)
        return self._entry(account, rows[0] if rows else None)

    def _entry(self, account: Account, row: Row | None) -> Entry | None:
        if row is None:
            return None
        return read_row(account, row, self._private(account, row[0] - 1, row[0]))

    def journal(
        self, account: Account, *, after: int = 0, upto: int | None = None
    ) -> Iterator[Entry]:
        last = _LAST if upto is None else upto
        private = self._private(account, after, last)
        return read_journal(account, self._journal_rows(account, after, last), private)

    def _journal_rows(self, account: Account, after: int, upto: int) -> Iterator[Row]:
        """Yield the rows of entries page by page: a journal may be longer than memory."""
        key = (wallet_of(account.id), unit_of(account.id))
        while True:
            page = self._rows(self._reads.journal, *key, after, upto, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def _private(self, account: Account, after: int, upto: int) -> Iterator[Row]:
        """Yield private fields page by page: sequence, field, salt, value."""
        key = (wallet_of(account.id), unit_of(account.id))
        # Behind the fields of every entry up to the one before.
        field = "~"
        while True:
            page = self._rows(self._reads.private, *key, after, upto, field, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after, field = page[-1][:2]

    # Looking over all accounts

    def account_ids(
        self, merchant: str | None, *, after: str = "", limit: int = 1000
    ) -> list[tuple[str, AccountId]]:
        start = _start(after)
        if merchant is None:
            rows = self._rows(self._reads.account_ids, *start, limit)
        else:
            rows = self._rows(self._reads.account_ids_of_merchant, merchant, *start, limit)
        found = [(owner, AccountId(f"{wallet}.{unit}")) for owner, wallet, unit in rows]
        upto = found[-1][1] if len(found) == limit else None
        names = lost_journals(self._ask, self._reads, after, upto)
        lost = [(merchant or "", id_) for id_ in names]
        return sorted(found + lost, key=lambda row: row[1])[:limit] if lost else found

    def due(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        found = self._rows(self._reads.due, merchant, write_instant(at), *_start(after), limit)
        return [AccountId(f"{wallet}.{unit}") for wallet, unit in found]

    def lapsed(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        found = self._rows(self._reads.lapsed, merchant, write_instant(at), *_start(after), limit)
        return [AccountId(f"{wallet}.{unit}") for wallet, unit in found]

    # Records

    def record(self, merchant: str, kind: str, name: str) -> Record | None:
        (found,) = self._records(merchant, kind, [name])
        return found

    def record_kinds(self, merchant: str) -> list[str]:
        return [kind for (kind,) in self._rows(self._reads.record_kinds, merchant)]

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
            rows = self._rows(self._reads.record_ids, merchant, kind, after, limit)
        else:
            by = (merchant, kind, *reference)
            rows = self._rows(self._reads.referring_ids, *by, after, limit)
        found = self._records(merchant, kind, [name for (name,) in rows])
        return [record for record in found if record is not None]

    def _records(self, merchant: str, kind: str, names: list[str]) -> list[Record | None]:
        """Read records by id; all of them in one round trip, where the driver can."""
        if not names:
            return []
        wanted = (self._reads.record, self._reads.references)
        steps = [Step(each, (merchant, kind, name)) for name in names for each in wanted]
        answers = iter(self._ask(steps))
        found: list[Record | None] = []
        for name, (rows, _) in zip(names, answers, strict=False):
            references: dict[str, str] = dict(next(answers).rows)
            found.append(
                Record(
                    merchant=merchant,
                    kind=kind,
                    id=name,
                    version=rows[0][0],
                    body=json.loads(rows[0][1]),
                    references=references,
                )
                if rows
                else None
            )
        return found


def _start(after: str) -> tuple[str, str]:
    if not may_be_id(after):
        # No id is like that; all of them are smaller than the first such text is.
        return ("~", "")
    return (wallet_of(AccountId(after)), unit_of(AccountId(after)))
