"""Where a consumer stands: position, lease and attempts, kept as a record (S7, S11)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import CLOCK_TOLERANCE, EntryId, read_instant, write_instant
from storecredit.storage.feed import BEGINNING, FeedPosition
from storecredit.storage.protocols import Record

FEED: Final = "feed"
"""The kind of these records. They mean nothing on another storage, and are never exported."""


@final
@attrs.frozen
class Lease:
    """The right to read a feed for a while."""

    taken: datetime
    """When it was taken, or extended last."""
    until: datetime


@final
@attrs.frozen
class Begun:
    """What is being delivered, and how often that was begun: known even if the consumer dies."""

    entry: EntryId
    times: int


@final
@attrs.frozen(kw_only=True)
class FeedState:
    """The record of one consumer, by its name."""

    position: FeedPosition = BEGINNING
    """Everything up to here was acknowledged."""
    leases: int = 0
    """
    How many leases were taken: the number of the last one.

    It fences off whoever held an earlier one and does not know yet that it ran out.
    """
    lease: Lease | None = None
    begun: Begun | None = None
    version: int = 0
    """The version of the record it was read from; 0 where there is none."""

    @classmethod
    def read(cls, record: Record | None) -> "FeedState":
        """
        Read the state from its record; None is a consumer that has never read.

        Raises:
            InvalidTerms: The record was changed around the library.
        """
        if record is None:
            return cls()
        body = record.body
        try:
            return cls(
                position=FeedPosition(_text(body["position"])),
                leases=int(body["leases"]),
                lease=_read_lease(body["lease"]),
                begun=_read_begun(body["begun"]),
                version=record.version,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            expected = "as the library wrote it; seek_beginning() writes it anew"
            raise InvalidTerms("the record of the feed", record.id, expected) from None

    def record(self, merchant: str, name: str) -> Record:
        """Return the record that follows the one which this was read from."""
        lease, begun = self.lease, self.begun
        body: dict[str, Any] = {
            "position": self.position,
            "leases": self.leases,
            "lease": lease
            and {"taken": write_instant(lease.taken), "until": write_instant(lease.until)},
            "begun": begun and {"entry": begun.entry, "times": begun.times},
        }
        return Record(merchant=merchant, kind=FEED, id=name, version=self.version + 1, body=body)

    def leased_until(self, now: datetime) -> datetime | None:
        """
        Return until when somebody has the lease, or None: it is free, or has run out.

        A lease from the future is not believed: a clock that was wrong for a moment would keep
        everybody out until then.
        """
        lease = self.lease
        if lease is None or now >= lease.until or lease.taken - now > CLOCK_TOLERANCE:
            return None
        return lease.until

    def times(self, entry: EntryId) -> int:
        """Return how often the delivery of *entry* was begun, and not ended."""
        return self.begun.times if self.begun is not None and self.begun.entry == entry else 0


def _read_lease(data: Mapping[str, str] | None) -> Lease | None:
    if data is None:
        return None
    return Lease(read_instant(data["taken"]), read_instant(data["until"]))


def _read_begun(data: Mapping[str, Any] | None) -> Begun | None:
    if data is None:
        return None
    return Begun(EntryId(_text(data["entry"])), int(data["times"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
