"""The scene that duties play in: a merchant whose ids, salts and clock repeat from run to run."""

import hashlib
import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, final

import attrs

from storecredit.claims import ClaimRules
from storecredit.ledger import (
    NO_CONTEXT,
    Account,
    AccountId,
    Change,
    Command,
    Context,
    Entry,
    Issue,
    Merchant,
    WalletId,
    account_id,
    canonical,
    decide,
    wallet_of,
)
from storecredit.service import StoreCredit
from storecredit.storage.protocols import Reader, Record, Storage, Wallet
from storecredit.testing.clock import SettableClock
from storecredit.values import CustomUnit, Money, Unit

_T = TypeVar("_T")

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
POINTS: Final = CustomUnit("PTS", 0, name="Points")
EVERYBODY: Final = ("anna", "ben", "carl", "dora", "erin", "fay", "holder-4711", "shared")


def usd(amount: str) -> Money:
    """Return *amount* US dollars."""
    return Money.of(amount, "USD")


@final
class Shop:
    """A merchant at a storage: a service whose clock stands at noon and whose ids repeat."""

    def __init__(
        self,
        storage: Storage,
        merchant: Merchant | str = "acme",
        *,
        attempts: int = 8,
        sleep: Callable[[float], None] = lambda _: None,
        claims: ClaimRules | None = None,
    ) -> None:
        self.storage: Final = storage
        self.merchant: Final = (
            Merchant(id=merchant, units=(POINTS,)) if isinstance(merchant, str) else merchant
        )
        self.clock: Final = SettableClock(NOON)
        self._ids: Final = itertools.count(1)
        self._salts: Final = itertools.count(1)
        self._claims: Final = claims
        self._codes: Final = itertools.count(1)
        self.credit: Final = self.at(storage, attempts=attempts, sleep=sleep)

    def at(
        self,
        storage: Storage,
        *,
        attempts: int = 8,
        sleep: Callable[[float], None] = lambda _: None,
    ) -> StoreCredit:
        """Return a service of the same merchant, with the same clock and ids, at *storage*."""
        return StoreCredit(
            storage,
            self.merchant,
            clock=self.clock,
            new_id=self.new_id,
            salt=lambda: next(self._salts).to_bytes(16, "big"),
            attempts=attempts,
            sleep=sleep,
            claims=self._claims,
            random_bytes=self.new_bytes,
        )

    def new_id(self) -> uuid.UUID:
        """Return the next id; merchants never share one."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{self.merchant.id}\n{next(self._ids)}")

    def new_bytes(self, wanted: int) -> bytes:
        """Return the next bytes of a code, as many as are wanted; merchants share none."""
        name = f"{self.merchant.id}\n{next(self._codes)}"
        return hashlib.sha256(name.encode()).digest()[:wanted]

    def new_wallet(self, holder: str) -> Wallet:
        """Return a wallet that is not stored yet."""
        return Wallet(WalletId(self.new_id().hex), self.merchant.id, holder)

    def new_account(self, wallet: Wallet, *, unit: Unit | str = "USD") -> Account:
        """Return an account of *wallet* before its first entry."""
        of = self.merchant.unit(unit)
        return Account.new(account_id(wallet.id, of.code), wallet.merchant, wallet.holder, of)

    def decided(
        self, account: Account, command: Command, *, key: str, context: Context = NO_CONTEXT
    ) -> Change:
        """Decide *command* on *account*, for a duty that appends by itself."""
        change = decide(
            account,
            command,
            merchant=self.merchant,
            key=key,
            at=self.clock(),
            context=context,
            salt=lambda: next(self._salts).to_bytes(16, "big"),
        )
        assert change is not None, "the scene asked for a command that changes nothing"
        return change

    def issued(self, account: Account, minor: int, *, key: str) -> Change:
        """Decide to issue *minor* units on *account*."""
        amount = Money.of_minor(minor, account.unit)
        return self.decided(account, Issue(amount=amount, funding="refund"), key=key)

    def account(self, holder: str, *, unit: str = "USD") -> Account:
        """Load the open rows of an account that there is."""
        with self.storage.snapshot() as reader:
            return present(reader.account(self.merchant.id, holder, unit))

    def whole(self, holder: str, *, unit: str = "USD") -> Account:
        """Load everything about an account that there is."""
        with self.storage.snapshot() as reader:
            account = present(reader.account(self.merchant.id, holder, unit))
            return present(reader.whole(self.merchant.id, account.id))

    def entries(self, holder: str, *, unit: str = "USD") -> list[Entry]:
        """Load the journal of an account that there is."""
        with self.storage.snapshot() as reader:
            account = present(reader.account(self.merchant.id, holder, unit))
            return list(reader.journal(account))

    def wallet_row(self, holder: str) -> Wallet | None:
        """Load the wallet of *holder*, if there is one."""
        with self.storage.snapshot() as reader:
            return reader.wallet(self.merchant.id, holder)

    def kept(self, *, holders: Iterable[str] = EVERYBODY, kinds: Iterable[str] = ("case",)) -> str:
        """Return everything that the storage keeps of this merchant, as canonical text."""
        with self.storage.snapshot() as reader:
            return everything(reader, self.merchant.id, holders=holders, kinds=kinds)


def present(found: _T | None) -> _T:
    """Return what was looked up and has to be there."""
    assert found is not None, "the storage does not find what was stored"
    return found


def everything(
    reader: Reader, merchant: str, *, holders: Iterable[str] = (), kinds: Iterable[str] = ()
) -> str:
    """
    Return all that a reader can reach of *merchant*, as canonical text: equal text, equal state.

    Wallets without an account and records cannot be listed; they are looked up by the *holders*
    and *kinds* that are named.
    """
    accounts = list(account_ids(reader, merchant))
    return canonical(
        {
            "accounts": {id_: _account(reader, merchant, id_) for id_ in accounts},
            "due": reader.due(merchant, LATEST, limit=len(accounts) + 1),
            "lapsed": reader.lapsed(merchant, LATEST, limit=len(accounts) + 1),
            "holders": {
                holder: None if row is None else attrs.asdict(row)
                for holder in holders
                for row in [reader.wallet(merchant, holder)]
            },
            "records": {
                kind: [_record(record) for record in reader.records(merchant, kind, limit=10_000)]
                for kind in kinds
            },
        }
    )


def account_ids(reader: Reader, merchant: str | None, *, limit: int = 1000) -> Iterator[AccountId]:
    """Yield the ids of all accounts, page by page."""
    after = ""
    while page := reader.account_ids(merchant, after=after, limit=limit):
        assert page[0][1] > after, "a page of account ids begins at or before the id it is after"
        yield from (id_ for _, id_ in page)
        after = page[-1][1]


def outline(entry: Entry) -> dict[str, Any]:
    """Return everything that an entry says, as JSON data: equal outlines, equal entries."""
    context = entry.context
    occurred_at = context.occurred_at
    return {
        "account": entry.account,
        "unit": [entry.unit.code, entry.unit.digits],
        "sequence": entry.sequence,
        "key": entry.key,
        "kind": entry.kind.value,
        "at": entry.at.isoformat(),
        "moves": [repr(move) for move in entry.moves],
        "facts": dict(entry.facts),
        "request": dict(entry.request),
        "context": {
            "actor": context.actor,
            "reason": context.reason,
            "reference": context.reference,
            "channel": context.channel,
            "location": context.location,
            "note": context.note,
            "data": dict(context.data),
            "occurred_at": None if occurred_at is None else occurred_at.isoformat(),
        },
        "seals": dict(entry.seals),
        "salts": dict(entry.salts),
        "body": entry.body,
        "digest": entry.digest.hex(),
    }


def state(account: Account) -> str:
    """Return the rows of *account* as canonical text, its holder included."""
    return canonical({"holder": account.holder, **account.to_json()})


def _account(reader: Reader, merchant: str, id_: AccountId) -> dict[str, Any]:
    account = present(reader.account_by_id(merchant, id_))
    wallet = present(reader.wallet_by_id(merchant, wallet_of(id_)))
    return {
        "wallet": attrs.asdict(wallet),
        "open": state(account),
        "whole": state(present(reader.whole(merchant, id_))),
        "journal": [outline(entry) for entry in reader.journal(account)],
    }


def _record(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "version": record.version,
        "body": dict(record.body),
        "references": dict(record.references),
    }
