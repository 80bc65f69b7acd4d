"""A history: what a shop's orders and refunds were worth, in the order they happened."""

import enum
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import final

import attrs

from storecredit.values import Unit


@final
class EventKind(enum.StrEnum):
    """What an event does to its customer's credit."""

    ORDER = "order"
    """Spends credit, as far as there is any."""
    REFUND = "refund"
    """Becomes credit."""


@final
@attrs.frozen(kw_only=True)
class Event:
    """One order or refund of a registered customer."""

    id: str
    """The shop's own number; the idempotency key of the command (A12)."""
    kind: EventKind
    customer: str
    at: datetime
    """The earliest instant that its lines name, in UTC."""
    value: int
    """What its lines are worth in minor units of the history's unit: zero or more."""


@final
@attrs.frozen(kw_only=True)
class History:
    """Everything that a replay needs to know, read and checked; nothing is in a ledger yet."""

    unit: Unit
    events: tuple[Event, ...]
    """By instant; equal instants in the order of their first rows."""
    skipped: Mapping[str, int]
    """By reason, how many rows take no part; each row is counted once, under its first reason."""

    def digests(self) -> Iterator[str]:
        """Yield a digest of the first event, of the first two, and so on."""
        chained = hashlib.sha256(self.unit.code.encode())
        for event in self.events:
            facts = [event.id, event.kind, event.customer, event.at.isoformat(), event.value]
            chained.update(json.dumps(facts).encode())
            yield chained.hexdigest()
