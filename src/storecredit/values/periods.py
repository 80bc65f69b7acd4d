"""
Periods: calendar arithmetic in a named time zone (rule V7).

"Twelve months" is not a number of seconds: it ends on the same day of the month, at the same
local time, or on the last day of a shorter month. A period may be rounded up to the end of a
month, quarter, half-year or year, as merchants and laws like to have it.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

import attrs
from dateutil.relativedelta import relativedelta

from storecredit.errors.values import ArgumentRefused, InstantOutOfRange, PeriodRefused
from storecredit.values.instants import end_of_day, instant, zone_named

LONGEST_YEARS: Final = 1000
_PARTS: Final = ("years", "months", "weeks", "days", "hours", "minutes")
_LONGEST_MINUTES: Final = (527_040, 44_640, 10_080, 1_440, 60, 1)
_ISO_8601: Final = re.compile(
    r"P(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?)?"
)
_TINY: Final = dt.timedelta(microseconds=1)


@final
class CalendarSpan(enum.Enum):
    """The stretch of the local calendar to whose end a period is rounded up."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half-year"
    YEAR = "year"

    def last_day(self, day: dt.date) -> dt.date:
        """The last day of the span that *day* lies in."""
        length = _MONTHS_IN[self]
        last_month = (day.month - 1) // length * length + length
        return day + relativedelta(month=last_month, day=31)


_MONTHS_IN: Final = MappingProxyType(
    {
        CalendarSpan.MONTH: 1,
        CalendarSpan.QUARTER: 3,
        CalendarSpan.HALF_YEAR: 6,
        CalendarSpan.YEAR: 12,
    }
)


def _span_named(round_up_to: CalendarSpan | str | None) -> CalendarSpan | None:
    if round_up_to is None:
        return None
    try:
        return CalendarSpan(round_up_to)
    except ValueError:
        expected = 'None, "month", "quarter", "half-year" or "year"'
        raise ArgumentRefused("round_up_to", round_up_to, expected) from None


@final
@attrs.frozen(kw_only=True, repr=False)
class Period:
    """
    A stretch of calendar time, such as twelve months, counted from an instant.

    Years, months, weeks and days are counted on the local calendar of *zone*; the local time
    of day stays, and 31 January plus a month is the last day of February. Hours and minutes
    are counted after that, as they really pass. Two periods are equal if they are written the
    same: twelve months are not one year.

    Raises:
        PeriodRefused: A part is no whole number from 0 up, all are zero, or it is longer than
            a thousand years.
        ArgumentRefused: *round_up_to* names no span of the calendar.
        UnknownZone: The IANA database has no such zone.
    """

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0

    round_up_to: CalendarSpan | None = attrs.field(default=None, converter=_span_named)
    """
    The period ends with the local month, quarter, half-year or year in which it would end: at
    the first instant after it. One that ends exactly there already stays.
    """

    zone: str = "UTC"
    """The IANA time zone whose calendar counts."""

    def __attrs_post_init__(self) -> None:
        parts = self._parts
        for name, count in zip(_PARTS, parts, strict=True):
            if type(count) is not int or count < 0:
                raise PeriodRefused(count, f"{name} are counted in whole numbers from 0 up")
        if not any(parts):
            raise PeriodRefused("nothing", "a period of no length ends before it begins")
        longest = LONGEST_YEARS * _LONGEST_MINUTES[0]
        minutes = sum(count * each for count, each in zip(parts, _LONGEST_MINUTES, strict=True))
        if minutes > longest:
            reason = f"it is longer than {LONGEST_YEARS} years; what never expires has no expiry"
            raise PeriodRefused(self.iso if minutes < longest**2 else "a huge number", reason)
        zone_named(self.zone)

    @classmethod
    def of(
        cls, text: str, *, round_up_to: CalendarSpan | str | None = None, zone: str = "UTC"
    ) -> Period:
        """
        Read a period as ISO 8601 writes it: "P12M", "P1Y6M", "P2W", "PT36H".

        Seconds, fractions and signs are not taken; weeks may stand beside other parts.

        Raises:
            PeriodRefused: Not in that form, or as `Period`.
            ArgumentRefused: *round_up_to* names no span of the calendar.
            UnknownZone: The IANA database has no such zone.
        """
        found = _ISO_8601.fullmatch(text) if _is_text(text) else None
        if found is None or found.lastindex is None or text.endswith("T"):
            raise PeriodRefused(text, 'ISO 8601 writes one as "P12M", "P30D" or "PT36H"')
        parts = dict(zip(_PARTS, (int(count or 0) for count in found.groups()), strict=True))
        return cls(**parts, round_up_to=_span_named(round_up_to), zone=zone)

    def after(self, at: dt.datetime) -> dt.datetime:
        """
        The instant, in UTC, at which the period that begins at *at* is over.

        A local time that the clocks skip counts as the one an hour (or what is skipped) later;
        one that comes twice, as the first.

        Raises:
            ArgumentRefused: *at* is no date-time.
            NaiveInstant: *at* has no time zone.
            InstantOutOfRange: It ends after the year 9999.
        """
        begin = instant(at)
        try:
            end = self._calendar_after(begin) + dt.timedelta(hours=self.hours, minutes=self.minutes)
            if self.round_up_to is None:
                return end
            last_moment = (end - _TINY).astimezone(zone_named(self.zone))
            return end_of_day(self.round_up_to.last_day(last_moment.date()), self.zone)
        except (OverflowError, ValueError):
            raise InstantOutOfRange(f"{self} after {begin.isoformat()}") from None

    @property
    def iso(self) -> str:
        """As ISO 8601 writes it, without rounding and zone."""
        years, months, weeks, days, hours, minutes = self._parts
        by_date = _lettered((years, "Y"), (months, "M"), (weeks, "W"), (days, "D"))
        by_time = _lettered((hours, "H"), (minutes, "M"))
        return f"P{by_date}T{by_time}" if by_time else f"P{by_date}"

    def __str__(self) -> str:
        rounded = f", up to the end of the {self.round_up_to.value}" if self.round_up_to else ""
        return self.iso + rounded + (f" in {self.zone}" if self.zone != "UTC" else "")

    def __repr__(self) -> str:
        written = [
            f"{name}={count}" for name, count in zip(_PARTS, self._parts, strict=True) if count
        ]
        if self.round_up_to is not None:
            written.append(f"round_up_to={self.round_up_to.value!r}")
        if self.zone != "UTC":
            written.append(f"zone={self.zone!r}")
        return f"Period({', '.join(written)})"

    def to_json(self) -> dict[str, str | None]:
        """The JSON form: `{"period": "P12M", "round_up_to": null, "zone": "UTC"}`."""
        span = self.round_up_to
        return {"period": self.iso, "round_up_to": span and span.value, "zone": self.zone}

    @classmethod
    def from_json(cls, form: Mapping[str, str | None]) -> Period:
        """
        Read the JSON form back.

        Raises:
            PeriodRefused: Not exactly the keys `period`, `round_up_to` and `zone`.
            As `of`.
        """
        if not _has_keys(form, {"period", "round_up_to", "zone"}):
            raise PeriodRefused(form, 'an object has "period", "round_up_to" and "zone"')
        text, zone = form["period"] or "", form["zone"] or ""
        return cls.of(text, round_up_to=form["round_up_to"], zone=zone)

    @property
    def _parts(self) -> tuple[int, int, int, int, int, int]:
        return self.years, self.months, self.weeks, self.days, self.hours, self.minutes

    def _calendar_after(self, begin: dt.datetime) -> dt.datetime:
        years, months, weeks, days, _, _ = self._parts
        if not (years or months or weeks or days):
            return begin
        tz = zone_named(self.zone)
        # Without its zone, so that the clock on the wall is what moves.
        wall = begin.astimezone(tz).replace(tzinfo=None, fold=0)
        wall += relativedelta(years=years, months=months, weeks=weeks, days=days)
        return wall.replace(tzinfo=tz).astimezone(dt.UTC)


def _lettered(*parts: tuple[int, str]) -> str:
    return "".join(f"{count}{letter}" for count, letter in parts if count)


def _is_text(text: object) -> bool:
    return isinstance(text, str)


def _has_keys(form: object, keys: set[str]) -> bool:
    return isinstance(form, Mapping) and form.keys() == keys
