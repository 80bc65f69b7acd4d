"""
The storage contract (rules S1 to S11): what a host implements to keep credit in its own database.

An adapter keeps rows and decides nothing. The numbered duties are executable: subclass
`storecredit.testing.StorageContract`, give it a storage, and run it.

1. `transaction` is all or nothing over every account and record it touches (S1).
2. `append` refuses a change that does not follow the stored version (S2).
3. Loading reads open lots, active holds and the rows that `Names` names, and nothing that grows
   with the journal (S3). Open lots may stay away where `Names.needs_open_lots` says so.
4. An account never holds two entries with one key (S4).
5. Journal rows are only ever inserted (S6). Private fields lie beside them and can be erased.
6. `Reader.whole` and `UnitOfWork.rebuild` give and replace the state that a replay leads to (S6).
7. Records carry everything that is not an account (S11).
8. Ids lead to their account, so no look-up needs an index over all accounts (S10).
9. `UnitOfWork.feed` gives every committed entry of a merchant at one place, in account order, and
   nothing that is committed later ever takes a place before one that was given (S7).
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar, final

import attrs

from storecredit.ledger import (
    NO_NAMES,
    Account,
    AccountId,
    Change,
    Entry,
    EntryId,
    Names,
    WalletId,
)
from storecredit.storage.feed import BEGINNING, FeedPage, FeedPosition

_T = TypeVar("_T")


@final
@attrs.frozen
class Wallet:
    """The replaceable row that leads from a holder to a wallet (A1)."""

    id: WalletId
    merchant: str
    holder: str
    merged_into: WalletId | None = None
    """The wallet that took this one over (A17)."""


@final
@attrs.frozen(kw_only=True)
class Record:
    """Anything that is not an account: a payment record, a refund case, a feed position (S11)."""

    merchant: str
    kind: str
    id: str
    version: int
    """1 for the first, one more for each replacement."""
    body: Mapping[str, Any]
    """JSON data."""
    references: Mapping[str, str] = attrs.field(factory=dict)
    """A few names and values to find it by."""


class Reader(Protocol):
    """Consistent reads."""

    def wallet(self, merchant: str, holder: str) -> Wallet | None:
        """Return the wallet of *holder*, or None for a holder nobody has opened one for."""
        ...

    def wallet_by_id(self, merchant: str, wallet: WalletId) -> Wallet | None:
        """Return the wallet with that id, if it is this merchant's (A16)."""
        ...

    def account(
        self,
        merchant: str,
        holder: str,
        unit: str,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        """
        Load the account of *holder* in *unit*, or None.

        In a transaction, nobody else changes the account until the transaction ends, or the
        append of whoever is second fails.

        Args:
            names: The rows that are needed besides what is open.

            key: What `entry_by_key` will be asked next, so that a storage on the other end of a
                wire can bring the entry along. It changes nothing about the account.
        """
        ...

    def account_by_id(
        self,
        merchant: str,
        account: AccountId,
        *,
        names: Names = NO_NAMES,
        key: str | None = None,
    ) -> Account | None:
        """Load that account as `account` does, or None if this merchant has no such account."""
        ...

    def accounts_of(self, merchant: str, wallet: WalletId) -> list[Account]:
        """Load every account of *wallet*, by unit code."""
        ...

    def whole(self, merchant: str, account: AccountId) -> Account | None:
        """Load that account with every lot, hold and restored part it ever had (S6)."""
        ...

    def entry_by_key(self, account: Account, key: str) -> Entry | None:
        """Return the entry of *account* with that key, or None (A12)."""
        ...

    def entry_by_id(self, account: Account, entry: EntryId) -> Entry | None:
        """Return the entry of *account* with that id, or None."""
        ...

    def journal(
        self, account: Account, *, after: int = 0, upto: int | None = None
    ) -> Iterator[Entry]:
        """Yield the entries of *account* in order, from sequence *after* + 1 up to *upto*."""
        ...

    def account_ids(
        self, merchant: str | None, *, after: str = "", limit: int = 1000
    ) -> list[tuple[str, AccountId]]:
        """Return (merchant, account id) of the next accounts, by account id; None for everybody's."""
        ...

    def due(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        """Return the next accounts, by id, with unheld value that has expired at *at* (A5)."""
        ...

    def lapsed(
        self, merchant: str, at: datetime, *, after: str = "", limit: int = 1000
    ) -> list[AccountId]:
        """Return the next accounts, by id, with active holds whose time is over at *at* (A6)."""
        ...

    def record(self, merchant: str, kind: str, name: str) -> Record | None:
        """Return that record, or None."""
        ...

    def record_kinds(self, merchant: str) -> list[str]:
        """Return the kinds that the merchant has records of, in order."""
        ...

    def records(
        self,
        merchant: str,
        kind: str,
        *,
        reference: tuple[str, str] | None = None,
        after: str = "",
        limit: int = 1000,
    ) -> list[Record]:
        """Return the next records of *kind*, by id, with that reference where one is given."""
        ...


class UnitOfWork(Reader, Protocol):
    """Reads and writes that happen together or not at all."""

    def lock(self, accounts: Iterable[AccountId]) -> None:
        """
        Take the locks of *accounts* before loading them, in the order of their ids (S1).

        An engine with one writer at a time has nothing to do.
        """
        ...

    def add_wallet(self, wallet: Wallet) -> None:
        """
        Add the row of a new holder.

        Raises:
            ConcurrentChange: The holder has one already, or the id is another wallet's.
        """
        ...

    def replace_wallet(self, wallet: Wallet) -> None:
        """
        Replace holder and merger of the row with that wallet id.

        From then on nobody else renames or merges it, or opens an account of it, until this is
        committed; the same row again is written for that alone (A17). Where transactions overlap,
        an account is opened of a wallet only that is merged into none.

        Raises:
            ConcurrentChange: There is no such row, it is no longer as this transaction has read it,
                or the new holder has a wallet already.
        """
        ...

    def append(self, change: Change) -> None:
        """
        Insert the entry and write the rows it leaves changed.

        Raises:
            ConcurrentChange: The account is not at the version before the entry, or has an entry
                with that key.
        """
        ...

    def rebuild(self, account: Account) -> None:
        """Replace everything kept about that account, except its journal, by *account* (S6)."""
        ...

    def erase(self, account: Account, sequence: int, fields: Iterable[str]) -> int:
        """Erase private fields of one entry, and return how many were there (A14)."""
        ...

    def put(self, record: Record) -> None:
        """
        Insert the record if its version is 1, or replace the version before it.

        Raises:
            ConcurrentChange: The stored version is not the one before.
        """
        ...

    def feed(
        self, merchant: str, *, after: FeedPosition = BEGINNING, limit: int = 1000
    ) -> FeedPage:
        """
        Return the next committed entries of *merchant*, in all accounts, after a position (S7).

        It stands here and not in `Reader`, because some engines give entries their places while
        they are read. What an adapter owes to those who read:

        1. Every entry that is committed comes once in reading from the beginning to the end,
           however it came about: by a command, a merger, an import. It may come late, for as
           long as other transactions are under way.
        2. The entries of one account come in the order of their sequence.
        3. Nothing that is committed later takes a place before a position that was given: reading
           on after it misses nothing, also when transactions commit in another order than they
           began in, or than they numbered their entries.
        4. Places are for good: reading again from any position gives the same again, and after a
           restart, too.
        5. Other merchants' entries, what was rolled back, and what this or another transaction
           has not committed yet do not come.
        6. A page has *limit* entries at most and may end anywhere. An adapter may end it early,
           even empty, as long as its position moves on, or it says that it is the last.
        7. The cost does not grow with the history before the position.

        Raises:
            InvalidTerms: The position is none of this storage, or lies behind its end.
        """
        ...

    def feed_end(self, merchant: str) -> FeedPosition:
        """Return the position after everything that can be read by now, at no cost of history."""
        ...


class Storage(Protocol):
    """Where accounts and records are kept."""

    def transaction(self) -> AbstractContextManager[UnitOfWork]:
        """
        Begin to write; commit at the end of the block, or leave nothing behind.

        Raises:
            StorageBusy, ConcurrentChange: Somebody else was first; repeat the whole block.
        """
        ...

    def snapshot(self) -> AbstractContextManager[Reader]:
        """Begin to read one consistent state."""
        ...

    def close(self) -> None:
        """Give back whatever the storage holds open."""
        ...


class AsyncStorage(Protocol):
    """A storage for tasks of an event loop: whoever waits for it lets the others go on."""

    @property
    def blocking(self) -> Storage:
        """The storage as what runs inside of `run` uses it."""
        ...

    async def run(self, work: Callable[[], _T]) -> _T:
        """Run *work*, which may use `blocking`; other tasks run while it waits."""
        ...

    def wait(self, awaitable: Awaitable[_T]) -> _T:
        """Wait for *awaitable*, inside of `run`."""
        ...
