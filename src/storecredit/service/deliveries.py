"""What a feed hands to its consumer, and what it tells about itself (S7)."""

import enum
from datetime import datetime, timedelta
from typing import final

import attrs

from storecredit.ledger import AccountId, Entry, EntryId
from storecredit.storage.feed import FeedPosition


@final
@attrs.frozen(kw_only=True)
class Delivery:
    """
    One committed entry, on its way to a consumer.

    It may come more than once: whoever acts on it keeps the ids of what was acted on, and acts on
    each once.
    """

    entry: Entry
    """Private fields that were erased read as absent (A14)."""
    holder: str
    """What the holder of the account is called now."""
    attempt: int
    """
    The how manieth delivery this is, as far as anybody knows: 1 for the first.

    In a batch it is counted for the first entry alone, and told with all.
    """
    position: FeedPosition | None
    """Its place in the feed; None for a dead letter that is delivered again."""
    letter: str | None = None
    """The id of that dead letter."""

    @property
    def id(self) -> EntryId:
        """The id of the entry: what to recognise a repeat by."""
        return self.entry.id

    @property
    def account(self) -> AccountId:
        """The account that the entry is in."""
        return self.entry.account


@final
@attrs.frozen(kw_only=True)
class DeadLetter:
    """An entry that could not be delivered, kept until somebody decides."""

    id: str
    """Names it for `Feed.redeliver` and `Feed.discard`; sorts by account and sequence."""
    entry: Entry
    holder: str
    attempts: int
    """How often its delivery was tried; 0 where it waits behind an earlier one."""
    error: str
    """The type of the error that was raised last."""
    text: str
    """What the error said, cut to a thousand characters. It is forgotten with the letter."""
    at: datetime
    """When it was set aside."""
    is_parked: bool
    """Whether it waits for an earlier dead letter of its account, and never failed by itself."""
    is_queued: bool
    """Whether it is to be delivered again."""


@final
@attrs.frozen(kw_only=True)
class FeedStatus:
    """How far a consumer has come."""

    name: str
    position: FeedPosition
    """Everything up to here was acknowledged."""
    waiting: int
    """Entries after it, counted up to a limit."""
    is_exact: bool
    """Whether all were counted."""
    lag: timedelta
    """How long ago the next entry was recorded; nothing, where none waits."""
    leased_until: datetime | None
    """When the lease of whoever reads at the moment runs out; None where nobody does."""
    attempt: int
    """How often the entry that comes next was handed out already."""
    dead_letters: int
    """Dead letters that wait, queued ones included."""


@final
@attrs.frozen(kw_only=True)
class FeedRun:
    """What `Feed.run` did."""

    delivered: int = 0
    """Entries that the handler took."""
    failures: int = 0
    """How often it raised an error."""
    dead: int = 0
    """Entries that became dead letters because their attempts were used up."""
    parked: int = 0
    """Entries that were put behind a dead letter of their account."""

    @property
    def handled(self) -> int:
        """Entries that were dealt with, in any of these ways."""
        return self.delivered + self.dead + self.parked


@final
class LaterEntries(enum.StrEnum):
    """What happens to the later entries of an account whose entry became a dead letter."""

    DELIVER = "deliver"
    """They are delivered: one bad entry keeps nothing else from the consumer."""
    PARK = "park"
    """They become dead letters behind it, so that the account is never delivered out of order."""


@final
class WhenLeased(enum.StrEnum):
    """What happens when another consumer of the same name is reading."""

    RAISE = "raise"
    """`FeedLeased` is raised."""
    EMPTY = "empty"
    """There is nothing to read, as at the end of the feed."""
