"""
The feed by the numbers of PostgreSQL's transactions (S7).

Each entry carries the number of the transaction that appended it, or, if that is higher, the one
that the entry before it in the same account carries. The feed is in the order of these numbers,
then of accounts and sequences. It is read up to the lowest number of a transaction that is still
under way. So whatever it shows is of transactions that are over; whatever is committed later has
no lower number; and the numbers along an account never go back, although a host's transaction may
have got its own long before it came to the account.

The numbers are a cluster's. In another one, after a dump and a restore, they begin anew, so
tables that find themselves in another cluster add a base to them.
"""

import re
from typing import Final, NamedTuple, final

from storecredit.errors import InvalidTerms
from storecredit.ledger import Account
from storecredit.storage.feed import BEGINNING, FeedPage, FeedPosition
from storecredit.storage.sql._feed import (
    MOST_PASSED,
    Access,
    Surroundings,
    asking_private,
    entries_of,
)
from storecredit.storage.sql._feed_ways import BASE, CLUSTER
from storecredit.storage.sql._rows import Row
from storecredit.storage.sql._wire import Step

_BASE: Final = "storecredit.feed_base"
"""Where the pool keeps, beside a connection, what is added to the numbers of its transactions."""

_POSITION: Final = re.compile(
    r"x(0|[1-9][0-9]{0,18}):(?:([!-~]{1,32}?)\.([A-Z0-9_]{1,16}):([1-9][0-9]{0,18}))?", re.ASCII
)
_BEHIND: Final = "~"
"""Sorts after every wallet."""


class _Place(NamedTuple):
    """After which entry to read on."""

    xact: int
    wallet: str = _BEHIND
    unit: str = ""
    sequence: int = 0

    @property
    def position(self) -> FeedPosition:
        if self.wallet == _BEHIND:
            return FeedPosition(f"x{self.xact}:")
        return FeedPosition(f"x{self.xact}:{self.wallet}.{self.unit}:{self.sequence}")


_FIRST: Final = _Place(0, "")


@final
class BySnapshots:
    """The way of PostgreSQL."""

    def __init__(self, access: Access, around: Surroundings) -> None:
        self._access: Final = access
        self._around: Final = around

    # Appending

    def stamp(self) -> Row:
        """Return the base, which the server adds to the number of the transaction."""
        return (self._base(),)

    def announce(self, account: Account, sequence: int) -> list[Step]:  # noqa: ARG002 - no need
        """Return nothing: the entry itself says where it stands."""
        return []

    # Reading

    def page(self, merchant: str, after: FeedPosition, limit: int) -> FeedPage:
        """
        Return the next entries of *merchant* that no other can come before any more.

        Raises:
            InvalidTerms: The position is none of this database.
            JournalBroken: An entry was changed around the library.
        """
        reads, ask = self._access.reads, self._access.ask
        base, place, most = self._base(), _read(after), max(limit, MOST_PASSED)
        parameters = (base, *place, most, merchant, limit + 1)
        (answer,) = ask([Step(reads.fed_by_snapshot, parameters)])
        over, unused = answer.rows[0][:2]
        if place.xact >= unused:
            raise _refused(after)
        rows = [row[2:] for row in answer.rows if row[2] is not None]
        is_cut, rows = len(rows) > limit, rows[:limit]
        places = [_Place(row[0], row[1], row[2], row[5]) for row in rows]
        private = asking_private(reads, [row[1:] for row in rows])
        passing = [] if is_cut else [Step(reads.passed_by_snapshot, (*place, over, most))]
        answers = ask([*private, *passing]) if private or passing else []
        last, is_last = places[-1] if rows else place, not is_cut
        for passed in answers[len(private) :]:
            # One row, if there is any entry that was passed.
            for count, *farthest in passed.rows:
                last, is_last = _Place(*farthest), count < most
        return FeedPage(
            entries=entries_of(
                merchant,
                [(at.position, row[1:]) for at, row in zip(places, rows, strict=True)],
                answers[: len(private)],
                self._access.units,
            ),
            position=after if last == place else last.position,
            is_last=is_last,
        )

    def end(self) -> FeedPosition:
        """Return the position after every transaction that is over."""
        (answer,) = self._access.ask([Step(self._access.reads.snapshot, (self._base(),))])
        return _Place(answer.rows[0][0] - 1).position

    # The base

    def _base(self) -> int:
        """Return what is added to the numbers of transactions; each connection asks for it once."""
        info, names = self._around.info, self._around.names
        base: int | None = info.get((_BASE, names))
        if base is None:
            base = self._found()
            if not self._around.uncommitted.is_rebased:
                info[_BASE, names] = base
        return base

    def _found(self) -> int:
        """
        Read the base; raise it where the tables have come from another cluster.

        Raises:
            ConcurrentChange, HostTransactionConflict: Somebody else was first to do that.
        """
        reads, ask = self._access.reads, self._access.ask
        (answer,) = ask([Step(reads.may_see_cluster)])
        if not answer.rows[0][0]:
            (answer,) = ask([Step(reads.base)])
            return int(answer.rows[0][0])
        (answer,) = ask([Step(reads.cluster)])
        base, kept, present = answer.rows[0]
        if kept == present:
            return int(base)
        # Nobody writes entries in the new cluster before this is committed: all wait for the row.
        keep = self._access.writes.keep
        ask([Step(keep, (present, CLUSTER, kept), (CLUSTER, 0), 1)])
        (answer,) = ask([Step(reads.last_xact)])
        raised = max(int(base), (answer.rows[0][0] or 0) + 1)
        ask([Step(keep, (str(raised), BASE, base), (BASE, 0), 1)])
        self._around.uncommitted.is_rebased = True
        return raised


def _read(position: FeedPosition) -> _Place:
    """
    Read a position.

    Raises:
        InvalidTerms: It is none.
    """
    if position == BEGINNING:
        return _FIRST
    found = _POSITION.fullmatch(position)
    if found is None or int(found[1]) > 2**63 - 1 or int(found[4] or 0) > 2**63 - 1:
        raise _refused(position)
    if found[2] is None:
        return _Place(int(found[1]))
    return _Place(int(found[1]), found[2], found[3], int(found[4]))


def _refused(position: FeedPosition) -> InvalidTerms:
    expected = "a position that this database's feed has given, or '' for its beginning"
    return InvalidTerms("position", position, expected)
