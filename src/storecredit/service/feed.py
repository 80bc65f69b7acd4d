"""A feed: one consumer's way through the committed entries of all accounts (S7)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeVar, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.service._dead_letters import Letter, Standing
from storecredit.service._door import Door
from storecredit.service._feed_consumer import Consumer
from storecredit.service._feed_run import Runner
from storecredit.service.deliveries import (
    DeadLetter,
    Delivery,
    FeedRun,
    FeedStatus,
    LaterEntries,
    WhenLeased,
)
from storecredit.service.feed_batch import FeedBatch
from storecredit.storage.feed import BEGINNING, FeedPosition
from storecredit.storage.protocols import UnitOfWork
from storecredit.values import Period

_Choice = TypeVar("_Choice", bound=StrEnum)
_PAGE: Final = 500


@final
class Feed:
    """
    Everything that is committed, read by one consumer at a time, in order, at least once (S7).

    `StoreCredit.feed` makes it. The name is the consumer: its position, its lease and its dead
    letters are kept under it in the storage, so a process that starts again goes on where the
    last one stopped. Entries of one account come in their order; entries of different accounts
    in any. What was not acknowledged comes again, so whoever acts on an entry keeps its id, and
    acts on each id once.
    """

    def __init__(self, door: Door, name: str, lease: Period) -> None:
        self._consumer: Final = Consumer(door, name, lease)

    def __repr__(self) -> str:
        return f"Feed({self.name!r})"

    @property
    def name(self) -> str:
        """The name of the consumer."""
        return self._consumer.name

    # Reading

    @contextmanager
    def batch(
        self, *, limit: int = 100, when_leased: WhenLeased | str = "raise"
    ) -> Iterator[FeedBatch]:
        """
        Lease the feed for a ``with`` block, with the next deliveries in it.

        At the end of the block everything that it took out of the batch is acknowledged, and the
        lease given back. An error acknowledges nothing more: the next batch begins again there.
        A batch is empty when there is nothing to read; it has no lease then.

        Args:
            limit: The most deliveries.

            when_leased: What to do while another consumer of this name reads.

        Raises:
            InvalidTerms: *limit* is no whole number from 1 up, or there is no such choice.
            FeedLeased: Another consumer of this name is reading.
            FeedLeaseLost: At the end: the lease ran out, and another consumer has taken over.
            JournalBroken: An entry was changed around the library.
        """
        chosen = _chosen(WhenLeased, "when_leased", when_leased)
        taken = self._consumer.take(_count("limit", limit), chosen)
        batch = FeedBatch(self._consumer, taken)
        try:
            yield batch
        except BaseException:
            batch.give_up()
            raise
        batch.finish()

    def run(
        self,
        handle: Callable[[Delivery], object],
        *,
        limit: int = 100,
        attempts: int = 5,
        pause: float = 1.0,
        later: LaterEntries | str = "deliver",
        when_leased: WhenLeased | str = "raise",
        progress: Callable[[int], None] | None = None,
    ) -> FeedRun:
        """
        Call *handle* with one delivery after the other until nothing is left to read.

        Each is acknowledged when the handler returns. One for which it raises an error is tried
        again, after a pause, and is set aside as a dead letter when its attempts are used up;
        then the feed goes on. Attempts are counted across restarts: an entry that kills its
        consumer becomes a dead letter too.

        Args:
            handle: Takes a `Delivery`. It should be done within the lease, or the entry may be
                delivered to another consumer meanwhile.

            limit: How many entries are read at once.

            attempts: How often an entry is tried.

            pause: Seconds before the second attempt; twice as long before each further one, and
                a minute at most. The rest of the feed waits.

            later: What happens to later entries of the same account while it has a dead letter.

            when_leased: What to do while another consumer of this name reads.

            progress: Called with the number of entries dealt with, after each.

        Raises:
            InvalidTerms: An argument is out of its range.
            FeedLeased: Another consumer of this name is reading.
            FeedLeaseLost: The lease ran out, and another consumer has taken over.
            JournalBroken: An entry was changed around the library.
        """
        if not callable(handle):
            raise InvalidTerms("handle", handle, "something that can be called with a delivery")
        runner = Runner(
            self._consumer,
            handle,
            _count("attempts", attempts),
            _seconds("pause", pause),
            _chosen(LaterEntries, "later", later),
            progress,
        )
        size, chosen = _count("limit", limit), _chosen(WhenLeased, "when_leased", when_leased)
        while True:
            taken = self._consumer.take(size, chosen)
            if not taken.deliveries:
                return runner.done
            try:
                runner.work(taken)
            except BaseException:
                self._consumer.give_back(taken)
                raise

    # Looking

    def status(self, *, count: int = 1000) -> FeedStatus:
        """
        Tell how far the consumer has come, and count up to *count* entries that wait.

        Raises:
            InvalidTerms: *count* is no whole number from 1 up.
        """
        consumer, most = self._consumer, _count("count", count)

        def look(tx: UnitOfWork) -> FeedStatus:
            now, state = consumer.now(), consumer.state(tx)
            waiting, position, oldest = 0, state.position, None
            while True:
                page = tx.feed(
                    consumer.merchant, after=position, limit=min(_PAGE, most - waiting + 1)
                )
                if oldest is None and page.entries:
                    oldest = page.entries[0].entry
                waiting, position = waiting + len(page.entries), page.position
                if page.is_last or waiting > most:
                    break
            dead, after = 0, ""
            while letters := consumer.letters.page(tx, after):
                dead, after = dead + len(letters), letters[-1][0]
            return FeedStatus(
                name=self.name,
                position=state.position,
                waiting=min(waiting, most),
                is_exact=waiting <= most,
                lag=timedelta() if oldest is None else max(now - oldest.at, timedelta()),
                leased_until=state.leased_until(now),
                attempt=0 if oldest is None else state.times(oldest.id),
                dead_letters=dead,
            )

        return consumer.door._write(look)

    # Going elsewhere

    def seek_beginning(self) -> None:
        """
        Go back to the first entry: everything is delivered again.

        Raises:
            FeedLeased: Somebody is reading.
        """
        self._consumer.seek(lambda _: BEGINNING)

    def seek_end(self) -> None:
        """
        Pass over everything that is committed by now.

        Raises:
            FeedLeased: Somebody is reading.
        """
        self._consumer.seek(lambda tx: tx.feed_end(self._consumer.merchant))

    def seek(self, position: FeedPosition) -> None:
        """
        Go on after *position*, which a delivery or `status` has told.

        Raises:
            InvalidTerms: It is no position of this storage.
            FeedLeased: Somebody is reading.
        """
        if not isinstance(position, str):
            raise InvalidTerms("position", position, "a position that a delivery has")

        def place(tx: UnitOfWork) -> FeedPosition:
            tx.feed(self._consumer.merchant, after=position, limit=1)
            return position

        self._consumer.seek(place)

    # Dead letters

    def dead_letters(self) -> Iterator[DeadLetter]:
        """
        Yield the dead letters that wait, by account and sequence; those that are queued, too.

        Raises:
            JournalBroken: The entry of one is not there any more.
        """
        consumer, after = self._consumer, ""
        while True:
            with consumer.door.storage.snapshot() as reader:
                page = [
                    consumer.letters.shown(reader, name, letter)
                    for name, letter in consumer.letters.page(reader, after)
                ]
            if not page:
                return
            yield from page
            after = page[-1].id

    def redeliver(self, letter: DeadLetter | str) -> None:
        """
        Deliver a dead letter again, before anything new; what was parked behind it follows.

        Raises:
            UnknownDeadLetter: This feed has no such letter, or it is closed.
        """

        def queue(tx: UnitOfWork, found: Letter) -> None:
            again = attrs.evolve(found, standing=Standing.QUEUED)
            self._consumer.letters.put(tx, again)

        self._consumer.decide(_name_of(letter), queue)

    def discard(self, letter: DeadLetter | str) -> None:
        """
        Never deliver a dead letter; what was parked behind it is delivered.

        Raises:
            UnknownDeadLetter: This feed has no such letter, or it is closed.
        """
        self._consumer.decide(_name_of(letter), self._consumer.letters.close)


def _name_of(letter: DeadLetter | str) -> str:
    return letter.id if isinstance(letter, DeadLetter) else letter


def _count(name: str, count: object) -> int:
    if type(count) is not int or count < 1:
        raise InvalidTerms(name, count, "a whole number from 1 up")
    return count


def _seconds(name: str, seconds: object) -> float:
    if type(seconds) not in {int, float} or not seconds >= 0:  # type: ignore[operator]  # a number
        raise InvalidTerms(name, seconds, "seconds, from 0 up")
    return seconds  # type: ignore[return-value]  # as above


def _chosen(choices: type[_Choice], name: str, chosen: object) -> _Choice:
    for choice in choices:
        if choice.value == chosen:
            return choice
    known = " or ".join(f'"{choice.value}"' for choice in choices)
    raise InvalidTerms(name, chosen, known)
