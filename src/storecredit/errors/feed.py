"""
What can come between a consumer and its feed (S7).

    RefusalError
        UnknownDeadLetter       there is no such dead letter, or it is closed
    ConflictError
        FeedLeased              another consumer of the same name reads it at the moment
        FeedLeaseLost           another consumer has taken over meanwhile
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, final

import attrs

from storecredit.errors._branches import ConflictError, RefusalError
from storecredit.errors._shown import shown

__all__ = ["FeedLeaseLost", "FeedLeased", "UnknownDeadLetter"]


@final
@attrs.define
class UnknownDeadLetter(RefusalError):
    """This feed has no such dead letter, or it was delivered or discarded since."""

    feed: str
    letter: object

    def __str__(self) -> str:
        return (
            f"Feed {self.feed} has no dead letter {shown(self.letter)} that waits: it may have been "
            "delivered or discarded. List those that do with dead_letters()."
        )


@final
@attrs.define
class FeedLeased(ConflictError):
    """Another consumer of the same name holds the lease; one reads at a time, in order."""

    retryable: ClassVar[bool] = False

    feed: str
    until: datetime
    """When its lease runs out, unless it is extended."""

    def __str__(self) -> str:
        return (
            f"Feed {self.feed} is leased to another consumer until {self.until.isoformat()}. Try "
            "again then, or give a consumer that reads other things a name of its own."
        )


@final
@attrs.define
class FeedLeaseLost(ConflictError):
    """The lease ran out and somebody else took the feed over: this consumer's word is too late."""

    retryable: ClassVar[bool] = False

    feed: str
    lease: int
    """The number of this consumer's lease."""
    present: int
    """The number of the lease that has followed it."""

    def __str__(self) -> str:
        return (
            f"Lease {self.lease} of feed {self.feed} ran out, and lease {self.present} has taken "
            "over: what was not acknowledged before is delivered there again. Stop this batch; "
            "next time extend the lease while working, ask for a longer one, or for fewer entries."
        )
