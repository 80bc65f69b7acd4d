"""A clock that stands where it was set: the past, told again, happens at its own time."""

from datetime import datetime
from typing import final

from storecredit.values import instant


@final
class SettableClock:
    """Give it to `StoreCredit` as its clock, and set it to the instant of each event."""

    def __init__(self, at: datetime) -> None:
        self._at = instant(at)

    def __call__(self) -> datetime:
        """Return the instant it was set to."""
        return self._at

    def set(self, at: datetime) -> None:
        """
        Let it be *at* from now on; going back is allowed, and the journal copes with it (A13).

        Raises:
            NaiveInstant: *at* has no time zone.
        """
        self._at = instant(at)
