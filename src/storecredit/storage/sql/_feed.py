"""The feed of a transaction: what both ways of giving entries their places have in common (S7)."""

import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, final

import attrs
from sqlalchemy import Connection

from storecredit.errors import JournalBroken
from storecredit.ledger import Account, AccountId, Entry
from storecredit.storage.feed import Fed, FeedPage, FeedPosition
from storecredit.storage.sql._feed_writes import FeedWrites
from storecredit.storage.sql._reads import Reads
from storecredit.storage.sql._rows import UNREADABLE, Row, read_row, unit_of_row
from storecredit.storage.sql._wire import Answer, Step
from storecredit.values import Unit

MOST_PASSED: Final = 10_000
"""The most entries that a page looks at: in a database of many merchants most are others'."""

_SEALED: Final = '"sealed":{'
"""What the body of an entry has in it that has, or had, private fields; no text can look so."""

_UNCOMMITTED: Final = "storecredit.uncommitted"
"""Where the pool keeps, beside a connection, what a host's transaction on it has done."""


@final
@attrs.define(eq=False)
class Uncommitted:
    """What a transaction has done that may still be undone; a host's may have many blocks."""

    appended: dict[tuple[str, str], int] = attrs.field(factory=dict)
    """The first entry that it has appended to each account, by wallet and unit."""
    is_rebased: bool = False
    """Whether it has changed the base of the numbers of transactions."""


@final
@attrs.frozen
class Surroundings:
    """What a block is in."""

    info: dict[Any, Any]
    """What the pool keeps beside the connection, for as long as that lives."""
    names: tuple[str, str | None]
    """Prefix and schema of the tables."""
    uncommitted: Uncommitted
    storage: str
    """How messages name the database."""


@final
@attrs.frozen
class Access:
    """How a block asks and writes, and in which words."""

    ask: Callable[[Sequence[Step]], list[Answer]]
    """Runs steps, after what is still to be written."""
    write: Callable[[Iterable[Step]], None]
    """Lets steps wait until something is asked."""
    reads: Reads
    writes: FeedWrites
    units: dict[tuple[str, int], Unit]


class Feeding(Protocol):
    """One way of giving entries their places."""

    def stamp(self) -> Row:
        """Return the parameters that a statement which adds an entry takes after all others."""
        ...

    def announce(self, account: Account, sequence: int) -> list[Step]:
        """Return what has to be written beside an entry."""
        ...

    def page(self, merchant: str, after: FeedPosition, limit: int) -> FeedPage:
        """Return the next entries of *merchant*, as `UnitOfWork.feed` does."""
        ...

    def end(self) -> FeedPosition:
        """Return the position after everything, as `UnitOfWork.feed_end` does."""
        ...


def hosts_uncommitted(host: Connection, names: tuple[str, str | None]) -> Uncommitted:
    """Return what the transaction of *host* has done so far in the tables of those names."""
    root = host.get_transaction()
    kept = host.info.get((_UNCOMMITTED, names))
    if kept is not None and root is not None and kept[0]() is root:
        found: Uncommitted = kept[1]
        return found
    begun = Uncommitted()
    if root is not None:
        host.info[_UNCOMMITTED, names] = (weakref.ref(root), begun)
    return begun


def asking_private(reads: Reads, rows: Iterable[Row]) -> list[Step]:
    """
    Ask for the private fields of the entries of a page.

    Args:
        reads: The statements.

        rows: As `entries_of` takes them.
    """
    sealed = [(row[0], row[1], row[4]) for row in rows if _SEALED in (row[7] or "")]
    size, steps = reads.most_private, []
    for at in range(0, len(sealed), size):
        now = sealed[at : at + size]
        now += now[-1:] * (size - len(now))
        steps.append(Step(reads.private_of_entries, tuple([part for key in now for part in key])))
    return steps


def entries_of(
    merchant: str,
    rows: Iterable[tuple[FeedPosition, Row]],
    private: Iterable[Answer],
    units: dict[tuple[str, int], Unit],
) -> tuple[Fed, ...]:
    """
    Read the entries of a page.

    Args:
        merchant: Whose they are.

        rows: The position of each, and its wallet, unit, holder, digits, and columns.

        private: What `asking_private` has asked for.

        units: Units read so far, by code and digits.

    Raises:
        JournalBroken: A row was changed around the library.
    """
    sealed = defaultdict[Row, list[Row]](list)
    for answer in private:
        for wallet, code, *field in answer.rows:
            sealed[wallet, code, field[0]].append(tuple(field))
    accounts: dict[AccountId, Account] = {}
    found = []
    for position, (wallet, code, holder, digits, *columns) in rows:
        id_, sequence = AccountId(f"{wallet}.{code}"), columns[0]
        if holder is None or digits is None or columns[-1] is None:
            raise JournalBroken(id_, sequence, "its row, its account or its wallet is not there")
        account = accounts.get(id_)
        if account is None:
            unit = _unit(units, id_, sequence, code, digits)
            account = accounts[id_] = Account.new(id_, merchant, holder, unit)
        entry: Entry = read_row(account, tuple(columns), sealed[wallet, code, sequence])
        found.append(Fed(position=position, holder=holder, entry=entry))
    return tuple(found)


def _unit(
    units: dict[tuple[str, int], Unit], id_: AccountId, sequence: int, code: str, digits: int
) -> Unit:
    unit = units.get((code, digits))
    if unit is None:
        try:
            unit = units[code, digits] = unit_of_row(code, digits)
        except UNREADABLE:
            raise JournalBroken(id_, sequence, "there is no such unit") from None
    return unit
