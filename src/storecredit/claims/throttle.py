"""Slowing down whoever guesses: a pure rule over a few numbers (A15)."""

from datetime import datetime, timedelta
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.values import Period, instant

_DOUBLINGS: Final = 32
"""After so many the pause is the longest anyway."""


@final
@attrs.frozen
class Failures:
    """What is remembered of one caller, or of one merchant: how often, and when last."""

    count: int = 0
    last: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON data."""
        return {"count": self.count, "last": None if self.last is None else self.last.isoformat()}

    @classmethod
    def from_json(cls, form: dict[str, Any]) -> "Failures":
        """Read what `to_json` wrote."""
        last = form["last"]
        return cls(form["count"], None if last is None else instant(datetime.fromisoformat(last)))


def _whole(value: int) -> int:
    if type(value) is not int or value < 1:
        raise InvalidTerms("free", value, "a whole number from 1 up")
    return value


@final
@attrs.frozen(kw_only=True)
class Throttle:
    """
    So many failures are free; each one after that doubles the pause, up to the longest.

    Failures are forgotten after a quiet time. A success forgets nothing: whoever has one good code
    may still be guessing others.

    Raises:
        InvalidTerms: No whole number of free failures, or periods that cannot be.
    """

    free: int = attrs.field(default=5, converter=_whole)
    """How many failures cost nothing."""
    pause: timedelta = timedelta(seconds=1)
    """The first pause."""
    longest: timedelta = timedelta(hours=1)
    forget: Period = attrs.field(default=Period(days=1))
    """After how long without a failure everything is forgotten."""

    def __attrs_post_init__(self) -> None:
        for name, value in (("pause", self.pause), ("longest", self.longest)):
            if not isinstance(value, timedelta):
                raise InvalidTerms(name, value, "a timedelta, such as timedelta(seconds=1)")
        if not timedelta() < self.pause <= self.longest:
            raise InvalidTerms("pause", self.pause, "more than nothing, and at most the longest")
        if not isinstance(self.forget, Period):
            raise InvalidTerms("forget", self.forget, "a Period")

    def free_at(self, failures: Failures, at: datetime) -> datetime:
        """Return from when on another attempt is let through; *at* itself means now."""
        # The same steps for everybody: time must not tell what is remembered.
        known = self.remembered(failures, at)
        beyond = known.count - self.free
        doublings = min(max(beyond, 0), _DOUBLINGS)
        pause: timedelta = min(self.pause * (1 << doublings), self.longest)
        return (at, max(at, (known.last or at) + pause))[beyond >= 0]

    def failed(self, failures: Failures, at: datetime) -> Failures:
        """Return what is remembered after one failure more, at the instant *at*."""
        known = self.remembered(failures, at)
        return Failures(known.count + 1, max(at, known.last or at))

    def remembered(self, failures: Failures, at: datetime) -> Failures:
        """Return what is not forgotten yet."""
        forgotten = self.forget.after(failures.last or at) <= at
        return Failures() if forgotten else failures
