"""
The feed by an outbox, on engines that do not tell which transactions are under way (S7).

With each entry, its transaction inserts a row that waits. Whoever reads the feed locks the last
place that was given, gives the next places to the rows that are waiting, and takes these away.
A row that is not committed is not seen, and gets its place after those that are; one that has
got its place keeps it. Only readers wait for one another.
"""

from collections.abc import Iterator
from typing import Final, final

from storecredit.errors import StorageUnusable
from storecredit.ledger import Account, unit_of, wallet_of
from storecredit.storage.feed import BEGINNING, FeedPage, FeedPosition, counted
from storecredit.storage.sql._feed import (
    MOST_PASSED,
    Access,
    Surroundings,
    asking_private,
    entries_of,
)
from storecredit.storage.sql._feed_writes import PLACED_AT_ONCE
from storecredit.storage.sql._rows import Row
from storecredit.storage.sql._wire import Step

_WAITING: Final = 1000
"""How many rows that wait are read at once; and at least so many get a place."""


@final
class ByOutbox:
    """The way of MariaDB, MySQL, SQLite, and of engines that are spread over many nodes."""

    def __init__(self, access: Access, around: Surroundings) -> None:
        self._access: Final = access
        self._around: Final = around

    # Appending

    def stamp(self) -> Row:
        """Return nothing: an entry has no place yet."""
        return ()

    def announce(self, account: Account, sequence: int) -> list[Step]:
        """Return the row that waits for a place."""
        key = (wallet_of(account.id), unit_of(account.id))
        self._around.uncommitted.appended.setdefault(key, sequence)
        row = (*key, sequence, account.merchant, account.unit.digits)
        return [Step(self._access.writes.waiting, row, (account.id, sequence - 1))]

    # Reading

    def page(self, merchant: str, after: FeedPosition, limit: int) -> FeedPage:
        """
        Return the next entries of *merchant* by their places, after giving some to those that wait.

        Raises:
            InvalidTerms: The position is none of this database.
            JournalBroken: An entry was changed around the library.
            ConcurrentChange, HostTransactionConflict: Another reader gives places.
        """
        last, is_everything = self._give_places(max(limit, _WAITING))
        start = counted(after, last=last)
        upto = min(start + max(limit, MOST_PASSED), last)
        reads, ask = self._access.reads, self._access.ask
        (answer,) = ask([Step(reads.fed_by_place, (start, upto, merchant, limit + 1))])
        rows = answer.rows
        if len(rows) > limit:
            rows, upto = rows[:limit], rows[limit - 1][0]
        private = asking_private(reads, [row[1:] for row in rows])
        return FeedPage(
            entries=entries_of(
                merchant,
                [(_position(row[0]), row[1:]) for row in rows],
                ask(private) if private else (),
                self._access.units,
            ),
            position=_position(upto),
            is_last=upto == last and is_everything,
        )

    def end(self) -> FeedPosition:
        """Return the position after everything, all of which gets its place."""
        last, _ = self._give_places(None)
        return _position(last)

    # Giving places

    def _give_places(self, most: int | None) -> tuple[int, bool]:
        """
        Give places to what is waiting, to about *most* rows of it.

        Returns:
            The last place, and whether nothing else is waiting.
        """
        access = self._access
        (answer,) = access.ask([Step(access.reads.last_place)])
        if not answer.rows:
            raise StorageUnusable(
                self._around.storage,
                "its tables do not say which place of the feed was given last",
                "Restore all of them from a backup; or make them with create().",
            )
        last = before = answer.rows[0][0]
        is_everything = True
        for rows in self._waiting():
            last = self._place(last, rows)
            if most is not None and last - before >= most:
                is_everything = False
                break
        if last != before:
            access.write([Step(access.writes.last_place, (last, before), ("feed", 0), 1)])
        return last, is_everything

    def _waiting(self) -> Iterator[list[Row]]:
        """Yield the rows that are to get a place, in the order of their accounts."""
        access, own = self._access, self._around.uncommitted.appended
        reached: dict[tuple[str, str], int] = {}
        start: Row = ("", "", 0)
        while True:
            (answer,) = access.ask([Step(access.reads.waiting, (*start, _WAITING))])
            found = []
            for *row, follows in answer.rows:
                key, sequence = (row[0], row[1]), row[2]
                if key in own and sequence >= own[key]:
                    # It is this transaction's, which may still be rolled back.
                    continue
                # A read that passes over what is locked may find an entry, and not the one before.
                if sequence == 1 or follows or reached.get(key) == sequence - 1:
                    reached[key] = sequence
                    found.append(tuple(row))
            yield found
            if len(answer.rows) < _WAITING:
                return
            start = answer.rows[-1][:3]

    def _place(self, last: int, rows: list[Row]) -> int:
        """Give the places after *last* to *rows*, and return the last of them."""
        writes, steps = self._access.writes, list[Step]()
        places = [(place, *row) for place, row in enumerate(rows, last + 1)]
        at = 0
        for size in PLACED_AT_ONCE:
            while len(places) - at >= size:
                given = [value for place in places[at : at + size] for value in place]
                steps.append(Step(writes.places(size), tuple(given)))
                at += size
        steps += [Step(writes.placed, row[:3]) for row in rows]
        self._access.write(steps)
        return last + len(rows)


def _position(place: int) -> FeedPosition:
    return FeedPosition(str(place)) if place else BEGINNING
