"""A batch: the next deliveries of a feed, under a lease, acknowledged when the block has ended."""

from collections.abc import Iterator
from typing import Final, final

from storecredit.errors import InvalidTerms
from storecredit.service._dead_letters import Failure
from storecredit.service._feed_consumer import Consumer, Taken
from storecredit.service.deliveries import Delivery


@final
class FeedBatch:
    """
    The next deliveries; dead letters that were queued come first.

    What the block has taken out of the batch is acknowledged at its end; what it has not, comes
    again. So does everything that was not acknowledged by then where the block raises an error.
    """

    def __init__(self, consumer: Consumer, taken: Taken) -> None:
        self._consumer: Final = consumer
        self._taken: Final = taken
        self._places: Final = {id(each): place for place, each in enumerate(taken.deliveries)}
        self._handed_out = 0
        self._acknowledged = 0

    def __repr__(self) -> str:
        return f"FeedBatch({self._consumer.name!r}, {len(self)} deliveries)"

    def __len__(self) -> int:
        return len(self._taken.deliveries)

    def __iter__(self) -> Iterator[Delivery]:
        for number, delivery in enumerate(self._taken.deliveries, 1):
            self._handed_out = max(self._handed_out, number)
            yield delivery

    @property
    def attempt(self) -> int:
        """How often the first of the deliveries was handed out, this time included; 0: it is empty."""
        return self._taken.deliveries[0].attempt if self._taken.deliveries else 0

    def acknowledge(self, delivery: Delivery) -> None:
        """
        Acknowledge *delivery* and all before it at once, and extend the lease.

        Raises:
            InvalidTerms: It is not of this batch.
            FeedLeaseLost: Somebody else has taken over.
        """
        upto = self._place(delivery) + 1
        if upto > self._acknowledged:
            begins_next = upto < self._handed_out
            self._settle(upto, goes_on=True, begins_next=begins_next)

    def extend(self) -> None:
        """
        Extend the lease to its full length from now on.

        A lease that ran out can be extended as long as nobody else has taken over.

        Raises:
            FeedLeaseLost: Somebody has.
        """
        if self._taken.deliveries:
            self._consumer.extend(self._taken)

    def set_aside(self, delivery: Delivery, error: BaseException) -> None:
        """
        Make *delivery* a dead letter because of *error*; it is still to be acknowledged.

        Raises:
            InvalidTerms: It is not of this batch, or *error* is no error.
            FeedLeaseLost: Somebody else has taken over.
        """
        self._place(delivery)
        if not isinstance(error, BaseException):
            raise InvalidTerms("error", error, "the error that was raised")
        letter = self._consumer.letter_of(delivery, Failure.of(error), attempts=delivery.attempt)
        self._consumer.put_aside(self._taken, letter)

    def finish(self) -> None:
        """Acknowledge what was handed out, and give the lease back; the end of the block does."""
        if self._taken.deliveries:
            self._settle(max(self._handed_out, self._acknowledged), goes_on=False)

    def give_up(self) -> None:
        """Give the lease back, and acknowledge nothing more; an error in the block does."""
        if self._taken.deliveries:
            self._consumer.give_back(self._taken)

    def _settle(self, upto: int, *, goes_on: bool, begins_next: bool = False) -> None:
        self._consumer.settle(
            self._taken, self._acknowledged, upto, goes_on=goes_on, begins_next=begins_next
        )
        self._acknowledged = upto

    def _place(self, delivery: Delivery) -> int:
        place = self._places.get(id(delivery))
        if place is None:
            raise InvalidTerms("delivery", delivery, "a delivery of this batch")
        return place
