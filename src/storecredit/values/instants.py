"""
Instants: moments in time, kept in UTC; and where a local day ends (rule V7).

A date is not an instant. A *date* expiry is inclusive: the value is spendable through the
whole local day, and ends at the first instant after it.
"""

from __future__ import annotations

import datetime as dt
import difflib
from typing import Final, final
from zoneinfo import ZoneInfo, available_timezones

import attrs

from storecredit.errors.values import (
    ArgumentRefused,
    InstantOutOfRange,
    NaiveInstant,
    UnknownZone,
)

_SECOND: Final = dt.timedelta(seconds=1)
_ONE_DAY: Final = dt.timedelta(days=1)
_TINY: Final = dt.timedelta(microseconds=1)


def instant(at: dt.datetime) -> dt.datetime:
    """
    The same moment, in UTC.

    Raises:
        ArgumentRefused: No date-time; a bare date names no instant.
        NaiveInstant: It has no time zone.
        InstantOutOfRange: In UTC it is outside the years 1 to 9999.
    """
    if type(at) is dt.datetime and at.tzinfo is dt.UTC and at.fold == 0:
        return at
    if not _is_datetime(at):
        raise ArgumentRefused("at", at, "a datetime with a time zone")
    if at.utcoffset() is None:
        raise NaiveInstant(at)
    try:
        utc = at.astimezone(dt.UTC)
    except (OverflowError, ValueError):
        raise InstantOutOfRange(at.isoformat()) from None
    # Rebuilt, because subclasses of datetime survive astimezone and may not pickle or compare.
    return dt.datetime(
        utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, dt.UTC
    )


def end_of_day(day: dt.date, zone: str) -> dt.datetime:
    """
    The first instant after the local *day* in *zone*, in UTC.

    Where clocks are put forward over midnight, that is the moment of the change; where they
    are put back over it, the end of the second time round.

    Raises:
        ArgumentRefused: *day* is no date.
        UnknownZone: The IANA database has no such zone.
        InstantOutOfRange: The day ends after the year 9999.
    """
    if not is_plain_date(day):
        raise ArgumentRefused("day", day, "a date, such as date(2026, 12, 31)")
    tz = zone_named(zone)
    try:
        midnight = dt.datetime.combine(day + _ONE_DAY, dt.time(), tz)
        first, second = (midnight.replace(fold=fold).astimezone(dt.UTC) for fold in (0, 1))
        if first == second:
            return first
        if second < first:
            return _moment_of_change(second, first, tz)
        # Midnight comes twice: it ends the day at the first, unless the clock goes back into it.
        return second if (second - _TINY).astimezone(tz).date() <= day else first
    except OverflowError:
        raise InstantOutOfRange(f"The end of {day.isoformat()} in {zone}") from None


@final
@attrs.frozen
class ExpiryDate:
    """
    A last day: the value is spendable through the whole of it, where the zone's clocks are.

    Raises:
        ArgumentRefused: *day* is no date.
        UnknownZone: The IANA database has no such zone.
        InstantOutOfRange: The day ends after the year 9999.
    """

    day: dt.date
    """The last day on which the value can be spent."""

    zone: str = attrs.field(default="UTC", kw_only=True)
    """The IANA time zone whose day it is."""

    def __attrs_post_init__(self) -> None:
        end_of_day(self.day, self.zone)

    @property
    def expires_at(self) -> dt.datetime:
        """The first instant after that day: the value is spendable while `at < expires_at`."""
        return end_of_day(self.day, self.zone)

    def __str__(self) -> str:
        return f"{self.day.isoformat()} in {self.zone}, inclusive"

    def to_json(self) -> dict[str, str]:
        """The JSON form: `{"last_day": "2026-12-31", "zone": "Europe/Berlin"}`."""
        return {"last_day": self.day.isoformat(), "zone": self.zone}

    @classmethod
    def from_json(cls, form: dict[str, str]) -> ExpiryDate:
        """
        Read the JSON form back.

        Raises:
            ArgumentRefused: Not the keys `last_day` and `zone`, or not an ISO 8601 date.
            UnknownZone: The IANA database has no such zone.
        """
        try:
            day, zone = dt.date.fromisoformat(form["last_day"]), form["zone"]
        except (KeyError, TypeError, ValueError):
            expected = 'an object like {"last_day": "2026-12-31", "zone": "UTC"}'
            raise ArgumentRefused("form", form, expected) from None
        return cls(day, zone=zone)


def zone_named(zone: str) -> ZoneInfo:
    """
    The IANA time zone of that name.

    Raises:
        UnknownZone: There is none.
    """
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, TypeError, AttributeError, OSError):
        near = difflib.get_close_matches(zone, available_timezones()) if _is_short(zone) else []
        raise UnknownZone(zone, tuple(near)) from None


def is_plain_date(day: object) -> bool:
    """Whether it is a date and not, as a datetime would be, a date with a time of day."""
    return isinstance(day, dt.date) and not isinstance(day, dt.datetime)


def _is_datetime(at: object) -> bool:
    return isinstance(at, dt.datetime)


def _is_short(zone: object) -> bool:
    return isinstance(zone, str) and len(zone) <= 64


def _moment_of_change(before: dt.datetime, after: dt.datetime, tz: ZoneInfo) -> dt.datetime:
    """The instant in (before, after] from which *tz* has another offset, to the second."""
    offset = before.astimezone(tz).utcoffset()
    while after - before > _SECOND:
        middle = before + _SECOND * ((after - before) // _SECOND // 2)
        if middle.astimezone(tz).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
