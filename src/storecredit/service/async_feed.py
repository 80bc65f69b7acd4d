"""A feed whose verbs are awaited, for the tasks of an event loop (S7)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final, final

from storecredit.errors import InvalidTerms
from storecredit.service._awaiting import Awaiting, awaits, iterates
from storecredit.service.deliveries import Delivery, FeedRun, LaterEntries, WhenLeased
from storecredit.service.feed import Feed
from storecredit.service.feed_batch import FeedBatch
from storecredit.storage.protocols import AsyncStorage


@final
class AsyncFeed(Awaiting):
    """Everything that is committed, read by one consumer at a time: a `Feed`, awaited."""

    def __init__(self, feed: Feed, storage: AsyncStorage) -> None:
        self._feed: Final = feed
        super().__init__(feed, storage)

    def __repr__(self) -> str:
        return f"Async{self._feed!r}"

    @property
    def name(self) -> str:
        """The name of the consumer."""
        return self._feed.name

    @asynccontextmanager
    async def batch(
        self, *, limit: int = 100, when_leased: WhenLeased | str = "raise"
    ) -> AsyncIterator["AsyncFeedBatch"]:
        """
        Lease the feed for an ``async with`` block, with the next deliveries in it.

        Raises:
            As `Feed.batch`.
        """
        run = self._storage.run
        block = self._feed.batch(limit=limit, when_leased=when_leased)
        batch = AsyncFeedBatch(await run(block.__enter__), self._storage)
        try:
            yield batch
        except BaseException as error:
            raised = error
            if not await run(lambda: block.__exit__(type(raised), raised, raised.__traceback__)):
                raise
        else:
            await run(lambda: block.__exit__(None, None, None))

    async def run(
        self,
        handle: Callable[[Delivery], Awaitable[object]],
        *,
        limit: int = 100,
        attempts: int = 5,
        pause: float = 1.0,
        later: LaterEntries | str = "deliver",
        when_leased: WhenLeased | str = "raise",
        progress: Callable[[int], None] | None = None,
    ) -> FeedRun:
        """
        Await *handle* with one delivery after the other until nothing is left to read.

        Args:
            handle: Takes a `Delivery`, and is awaited.

            The others are those of `Feed.run`.

        Raises:
            As `Feed.run`.
        """
        if not callable(handle):
            raise InvalidTerms("handle", handle, "something that takes a delivery and is awaited")
        storage, feed = self._storage, self._feed

        def handled(delivery: Delivery) -> object:
            return storage.wait(handle(delivery))

        return await storage.run(
            lambda: feed.run(
                handled,
                limit=limit,
                attempts=attempts,
                pause=pause,
                later=later,
                when_leased=when_leased,
                progress=progress,
            )
        )

    @awaits(Feed.status)
    def status(self) -> None:
        """As `Feed.status`."""

    @awaits(Feed.seek_beginning)
    def seek_beginning(self) -> None:
        """As `Feed.seek_beginning`."""

    @awaits(Feed.seek_end)
    def seek_end(self) -> None:
        """As `Feed.seek_end`."""

    @awaits(Feed.seek)
    def seek(self) -> None:
        """As `Feed.seek`."""

    @iterates(Feed.dead_letters)
    def dead_letters(self) -> None:
        """As `Feed.dead_letters`."""

    @awaits(Feed.redeliver)
    def redeliver(self) -> None:
        """As `Feed.redeliver`."""

    @awaits(Feed.discard)
    def discard(self) -> None:
        """As `Feed.discard`."""


@final
class AsyncFeedBatch(Awaiting):
    """The next deliveries, under a lease: a `FeedBatch`, awaited; what it holds is there already."""

    def __init__(self, batch: FeedBatch, storage: AsyncStorage) -> None:
        self._batch: Final = batch
        super().__init__(batch, storage)

    def __len__(self) -> int:
        return len(self._batch)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self._batch)

    @property
    def attempt(self) -> int:
        """How often the first of the deliveries was handed out, this time included; 0: it is empty."""
        return self._batch.attempt

    @awaits(FeedBatch.acknowledge)
    def acknowledge(self) -> None:
        """As `FeedBatch.acknowledge`."""

    @awaits(FeedBatch.extend)
    def extend(self) -> None:
        """As `FeedBatch.extend`."""

    @awaits(FeedBatch.set_aside)
    def set_aside(self) -> None:
        """As `FeedBatch.set_aside`."""
