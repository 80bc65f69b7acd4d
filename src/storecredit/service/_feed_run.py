"""The callback form: each delivery to a handler, tried again, and set aside when nothing helps."""

from collections.abc import Callable
from typing import Final, final

import attrs

from storecredit.service._dead_letters import NEVER_ENDED, Failure
from storecredit.service._feed_consumer import Consumer, Taken
from storecredit.service._feed_state import Begun
from storecredit.service.deliveries import Delivery, FeedRun, LaterEntries

_LONGEST_PAUSE: Final = 60.0
"""The longest pause between two attempts, in seconds."""


@final
@attrs.define
class Runner:
    """One run of a handler over a feed."""

    consumer: Consumer
    handle: Callable[[Delivery], object]
    attempts: int
    pause: float
    later: LaterEntries
    progress: Callable[[int], None] | None
    done: FeedRun = attrs.field(factory=FeedRun)

    def work(self, taken: Taken) -> None:
        """
        Deal with everything of one lease, and give it back with the last of it.

        Raises:
            FeedLeaseLost: Somebody else has taken over.
        """
        for index in range(len(taken.deliveries)):
            goes_on = index + 1 < len(taken.deliveries)
            parked = self.later is LaterEntries.PARK and self.consumer.park(
                taken, index, goes_on=goes_on
            )
            if parked:
                self.done = attrs.evolve(self.done, parked=self.done.parked + 1)
            else:
                self._deliver(taken, index, goes_on=goes_on)
            if self.progress is not None:
                self.progress(self.done.handled)

    def _deliver(self, taken: Taken, index: int, *, goes_on: bool) -> None:
        delivery = taken.deliveries[index]
        times = delivery.attempt if index == 0 else 1
        failure = NEVER_ENDED
        while times <= self.attempts:
            try:
                self.handle(attrs.evolve(delivery, attempt=times))
            except Exception as error:  # noqa: BLE001 - whatever a host's handler raises
                failure = Failure.of(error)
                self.done = attrs.evolve(self.done, failures=self.done.failures + 1)
            else:
                self.consumer.settle(taken, index, index + 1, goes_on=goes_on, begins_next=goes_on)
                self.done = attrs.evolve(self.done, delivered=self.done.delivered + 1)
                return
            times += 1
            if times <= self.attempts:
                self._wait(taken, Begun(delivery.id, times))
        self.consumer.settle(
            taken,
            index,
            index + 1,
            goes_on=goes_on,
            begins_next=goes_on,
            aside=self.consumer.letter_of(delivery, failure, attempts=times - 1),
        )
        self.done = attrs.evolve(self.done, dead=self.done.dead + 1)

    def _wait(self, taken: Taken, begun: Begun) -> None:
        """Pause before the next attempt, longer each time, with a lease that lasts."""
        seconds = min(self.pause * 2 ** (begun.times - 2), _LONGEST_PAUSE)
        self.consumer.extend(taken, begun=begun, by=seconds)
        self.consumer.door._sleep(seconds)
