"""A consumer's transactions: take a lease and the next entries, move on, give the lease back."""

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import final

import attrs

from storecredit.errors import FeedLeased, FeedLeaseLost, InvalidTerms, UnknownDeadLetter
from storecredit.ledger import Entry
from storecredit.service._dead_letters import PARKED, DeadLetters, Failure, Letter, Standing
from storecredit.service._door import Door
from storecredit.service._feed_state import FEED, Begun, FeedState, Lease
from storecredit.service.deliveries import Delivery, WhenLeased
from storecredit.storage.feed import BEGINNING, Fed, FeedPage, FeedPosition
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.values import Period, instant


@final
@attrs.frozen(kw_only=True)
class Taken:
    """What one lease is about."""

    lease: int
    """Its number; 0 where there was nothing to take one for."""
    deliveries: tuple[Delivery, ...]
    end: FeedPosition
    """The position once all are acknowledged."""
    is_last: bool
    """Whether there was nothing more to be had."""


@final
@attrs.frozen
class Consumer:
    """Whoever reads a feed by this name; any number of processes may, one at a time."""

    door: Door
    name: str
    lease: Period

    @property
    def merchant(self) -> str:
        """The id of the merchant."""
        return self.door.merchant.id

    @property
    def letters(self) -> DeadLetters:
        """The dead letters of this feed."""
        return DeadLetters(self.merchant, self.name)

    def now(self) -> datetime:
        """Return what the service's clock says."""
        return instant(self.door._clock())

    def state(self, reader: Reader) -> FeedState:
        """Read where the consumer stands."""
        return FeedState.read(reader.record(self.merchant, FEED, self.name))

    # Taking

    def take(self, limit: int, when_leased: WhenLeased) -> Taken:
        """
        Lease the feed and return the next deliveries; without any, no lease is taken.

        Raises:
            FeedLeased: Somebody else has it.
        """
        while True:
            try:
                taken = self.door._write(partial(self._take, limit))
            except FeedLeased:
                if when_leased is WhenLeased.RAISE:
                    raise
                return Taken(lease=0, deliveries=(), end=BEGINNING, is_last=True)
            if taken.deliveries or taken.is_last:
                return taken

    def _take(self, limit: int, tx: UnitOfWork) -> Taken:
        now, state = self.now(), self.state(tx)
        until = state.leased_until(now)
        if until is not None:
            raise FeedLeased(self.name, until)
        again = [
            (letter, *self.letters.entry_of(tx, letter))
            for letter in self.letters.queued(tx, limit)
        ]
        page = FeedPage(entries=(), position=state.position, is_last=False)
        if len(again) < limit:
            page = tx.feed(self.merchant, after=state.position, limit=limit - len(again))
        end, is_last = page.position, page.is_last
        entries = [*(entry for _, _, entry in again), *(fed.entry for fed in page.entries)]
        if not entries:
            if end != state.position:
                # Others' entries were passed over; nobody has to look at them again.
                tx.put(attrs.evolve(state, position=end).record(self.merchant, self.name))
            return Taken(lease=0, deliveries=(), end=end, is_last=is_last)
        begun = Begun(entries[0].id, state.times(entries[0].id) + 1)
        lease = Lease(now, self.lease.after(now))
        state = attrs.evolve(state, leases=state.leases + 1, lease=lease, begun=begun)
        tx.put(state.record(self.merchant, self.name))
        deliveries = (
            *(self._again(*each, attempt=begun.times) for each in again),
            *(_new(fed, attempt=begun.times) for fed in page.entries),
        )
        return Taken(lease=state.leases, deliveries=deliveries, end=end, is_last=is_last)

    def _again(self, letter: Letter, holder: str, entry: Entry, *, attempt: int) -> Delivery:
        name = self.letters.name_of(letter.account, letter.sequence)
        return Delivery(entry=entry, holder=holder, attempt=attempt, position=None, letter=name)

    # Moving on

    def settle(
        self,
        taken: Taken,
        since: int,
        upto: int,
        *,
        goes_on: bool,
        begins_next: bool,
        aside: Letter | None = None,
    ) -> None:
        """
        Acknowledge the deliveries from *since* on, before *upto*.

        Args:
            goes_on: Whether the lease is kept, and extended; else it is given back.

            begins_next: Whether the delivery after them has begun.

            aside: A letter to keep in place of the last of them.

        Raises:
            FeedLeaseLost: Somebody else has taken over.
        """

        def work(tx: UnitOfWork) -> None:
            self._settle(tx, taken, since, upto, goes_on=goes_on, begins_next=begins_next)
            if aside is not None:
                self.letters.put(tx, aside)

        self.door._write(work)

    def _settle(
        self,
        tx: UnitOfWork,
        taken: Taken,
        since: int,
        upto: int,
        *,
        goes_on: bool,
        begins_next: bool,
    ) -> None:
        now, state = self.now(), self._own(tx, taken)
        position, begun = state.position, state.begun if since == upto else None
        for delivery in taken.deliveries[since:upto]:
            if delivery.letter is not None:
                self._close(tx, delivery.letter)
            position = delivery.position or position
        if upto == len(taken.deliveries):
            position = taken.end
        elif begins_next and since < upto:
            begun = Begun(taken.deliveries[upto].id, 1)
        lease = Lease(now, self.lease.after(now)) if goes_on else None
        state = attrs.evolve(state, position=position, lease=lease, begun=begun)
        tx.put(state.record(self.merchant, self.name))

    def extend(self, taken: Taken, *, begun: Begun | None = None, by: float = 0.0) -> None:
        """
        Extend the lease to its full length from now on, or *by* so many seconds more.

        Args:
            begun: What is tried once more, and how often that makes it.

        Raises:
            FeedLeaseLost: Somebody else has taken over.
        """

        def work(tx: UnitOfWork) -> None:
            now, state = self.now(), self._own(tx, taken)
            lease = Lease(now, self.lease.after(now) + timedelta(seconds=by))
            state = attrs.evolve(state, lease=lease, begun=begun or state.begun)
            tx.put(state.record(self.merchant, self.name))

        self.door._write(work)

    def give_back(self, taken: Taken) -> None:
        """Let others read at once. Where that fails the lease runs out by itself."""
        with contextlib.suppress(Exception):
            self.settle(taken, 0, 0, goes_on=False, begins_next=False)

    # Dead letters

    def put_aside(self, taken: Taken, letter: Letter) -> None:
        """
        Keep a dead letter; the delivery is still to be acknowledged.

        Raises:
            FeedLeaseLost: Somebody else has taken over.
        """

        def work(tx: UnitOfWork) -> None:
            self._own(tx, taken)
            self.letters.put(tx, letter)

        self.door._write(work)

    def park(self, taken: Taken, index: int, *, goes_on: bool) -> bool:
        """
        Put a delivery behind the dead letters of its account; tell whether there are any.

        Raises:
            FeedLeaseLost: Somebody else has taken over.
        """
        delivery = taken.deliveries[index]
        entry = delivery.entry
        # A letter that is delivered again waits for earlier ones only, not for itself.
        before = entry.sequence + (delivery.letter is None)

        def work(tx: UnitOfWork) -> bool:
            first = next(self.letters.of_account(tx, entry.account), None)
            if first is None or first.sequence >= before:
                return False
            self._settle(tx, taken, index, index + 1, goes_on=goes_on, begins_next=True)
            known = delivery.letter is None and self.letters.has(tx, entry.account, entry.sequence)
            if not known:
                parked = self.letter_of(delivery, PARKED, attempts=0, is_parked=True)
                self.letters.put(tx, attrs.evolve(parked, standing=first.standing))
            return True

        return self.door._write(work)

    def letter_of(
        self, delivery: Delivery, failure: Failure, *, attempts: int, is_parked: bool = False
    ) -> Letter:
        """Return the dead letter that *delivery* becomes."""
        return Letter(
            account=delivery.account,
            entry=delivery.id,
            sequence=delivery.entry.sequence,
            standing=Standing.WAITING,
            is_parked=is_parked,
            attempts=attempts,
            failure=failure,
            at=self.now(),
        )

    def decide(self, name: object, act: Callable[[UnitOfWork, Letter], None]) -> None:
        """
        Act on the open letter with that id, and queue what was parked behind it.

        Raises:
            UnknownDeadLetter: There is none, or it is closed.
        """

        def work(tx: UnitOfWork) -> None:
            letter = self.letters.find(tx, name)
            act(tx, letter)
            self.letters.release(tx, letter.account)

        self.door._write(work)

    def seek(self, place: Callable[[UnitOfWork], FeedPosition]) -> None:
        """
        Go to another position; whoever had a lease that ran out cannot acknowledge any more.

        Raises:
            FeedLeased: Somebody is reading.
            InvalidTerms: The position is none of this storage.
        """

        def work(tx: UnitOfWork) -> None:
            record = tx.record(self.merchant, FEED, self.name)
            try:
                state = FeedState.read(record)
            except InvalidTerms:
                # No lease before has had a number as high as that of its record's version.
                version = 0 if record is None else record.version
                state = FeedState(leases=version, version=version)
            until = state.leased_until(self.now())
            if until is not None:
                raise FeedLeased(self.name, until)
            state = attrs.evolve(
                state, position=place(tx), leases=state.leases + 1, lease=None, begun=None
            )
            tx.put(state.record(self.merchant, self.name))

        self.door._write(work)

    def _own(self, tx: UnitOfWork, taken: Taken) -> FeedState:
        """
        Return the state, if the lease of *taken* is still the last one.

        A lease that has run out and that nobody has followed is as good as ever.
        """
        state = self.state(tx)
        if state.leases != taken.lease:
            raise FeedLeaseLost(self.name, taken.lease, state.leases)
        return state

    def _close(self, tx: UnitOfWork, name: str) -> None:
        # Somebody may have discarded it while it was being delivered.
        with contextlib.suppress(UnknownDeadLetter):
            self.letters.close(tx, self.letters.find(tx, name))


def _new(fed: Fed, *, attempt: int) -> Delivery:
    return Delivery(entry=fed.entry, holder=fed.holder, attempt=attempt, position=fed.position)
