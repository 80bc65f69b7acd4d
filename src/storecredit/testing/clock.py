"""A clock that a test sets: it stands still, is moved on, jumps, or goes back."""

import threading
from datetime import datetime, timedelta
from typing import Final, final

from storecredit.values import Period, instant

_NO_TICK: Final = timedelta(0)


@final
class SettableClock:
    """
    A clock for `StoreCredit(..., clock=...)` that shows what a test wants it to show.

    It stands still until it is told otherwise. Real clocks go backwards and jump; so may this one.
    Threads may share it.

    >>> from datetime import UTC, datetime, timedelta
    >>> from storecredit import Period
    >>> clock = SettableClock(datetime(2026, 1, 31, 12, tzinfo=UTC))
    >>> clock.advance(Period(months=1)).isoformat()
    '2026-02-28T12:00:00+00:00'
    >>> clock.advance(timedelta(hours=-1)).isoformat()
    '2026-02-28T11:00:00+00:00'
    >>> clock() == clock()
    True

    Args:
        start: What it shows first: an aware date-time.

        tick: What it moves on by after each look; nothing, unless a test wants time to pass.
    """

    def __init__(self, start: datetime, *, tick: timedelta = _NO_TICK) -> None:
        self._lock: Final = threading.Lock()
        self._now = instant(start)
        self._tick = tick

    def __call__(self) -> datetime:
        """Return the present instant, in UTC."""
        with self._lock:
            now = self._now
            self._now = now + self._tick
            return now

    def advance(self, step: Period | timedelta) -> datetime:
        """
        Move on by *step*, or back by a negative one, and return what the clock shows then.

        A period is counted on the calendar, a timedelta exactly.

        Raises:
            InstantOutOfRange, OverflowError: That is outside the years 1 to 9999.
        """
        with self._lock:
            self._now = step.after(self._now) if isinstance(step, Period) else self._now + step
            return self._now

    def set(self, at: datetime) -> datetime:
        """
        Show *at* from now on, whether it lies ahead or behind, and return it in UTC.

        Raises:
            NaiveInstant: It has no time zone.
        """
        with self._lock:
            self._now = instant(at)
            return self._now

    def freeze(self) -> datetime:
        """Stand still from now on, and return what the clock shows."""
        with self._lock:
            self._tick = _NO_TICK
            return self._now

    def __repr__(self) -> str:
        return f"SettableClock({self._now!r}, tick={self._tick!r})"
