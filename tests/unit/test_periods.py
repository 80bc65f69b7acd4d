"""Instants, last days and periods: time as the calendar on the wall has it (V7)."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pickle
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storecredit.errors.values import (
    ArgumentRefused,
    InstantOutOfRange,
    NaiveInstant,
    PeriodRefused,
    UnknownZone,
)
from storecredit.values import CalendarSpan, ExpiryDate, Period, end_of_day, instant


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


class Stamp(dt.datetime):
    """A datetime of another library's making."""


# --- Instants ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "utc"),
    [
        ("2025-01-31T10:00:00+00:00", "2025-01-31T10:00:00+00:00"),
        ("2025-01-31T10:00:00+05:45", "2025-01-31T04:15:00+00:00"),
        ("2025-01-31T23:30:00.000001-03:00", "2025-02-01T02:30:00.000001+00:00"),
    ],
)
def test_an_instant_is_kept_in_utc(given: str, utc: str) -> None:
    kept = instant(at(given))
    assert kept == at(utc)
    assert kept.tzinfo is dt.UTC
    assert kept.isoformat() == utc


def test_an_instant_in_utc_already_is_itself() -> None:
    given = dt.datetime(2025, 1, 31, tzinfo=dt.UTC)
    assert instant(given) is given
    assert instant(given.replace(fold=1)).fold == 0


def test_both_occurrences_of_a_repeated_hour_are_instants_of_their_own() -> None:
    first = dt.datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert instant(first) == at("2025-10-26T00:30:00+00:00")
    assert instant(first.replace(fold=1)) == at("2025-10-26T01:30:00+00:00")


def test_a_datetime_of_another_library_becomes_a_plain_one() -> None:
    plain = instant(Stamp(2025, 1, 31, tzinfo=dt.UTC))
    assert type(plain) is dt.datetime
    assert plain == at("2025-01-31T00:00:00+00:00")


def test_a_naive_datetime_is_refused_and_the_fix_shown() -> None:
    naive = at("2025-01-31T10:00:00")
    with pytest.raises(NaiveInstant, match=r"datetime\.now\(timezone\.utc\)") as caught:
        instant(naive)
    assert caught.value.given == naive
    assert "2025-01-31 10:00:00" in str(caught.value)


@pytest.mark.parametrize("given", [dt.date(2025, 1, 31), "2025-01-31T10:00:00Z", 1738317600, None])
def test_what_is_no_datetime_is_no_instant(given: Any) -> None:
    with pytest.raises(ArgumentRefused, match="a datetime with a time zone"):
        instant(given)


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:00:00-05:00"])
def test_an_instant_outside_of_the_calendar_is_refused(given: str) -> None:
    with pytest.raises(InstantOutOfRange, match="years 1 to 9999"):
        instant(at(given))


# --- The end of a local day ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        ("2025-12-31", "UTC", "2026-01-01T00:00:00+00:00"),
        ("2025-12-31", "Europe/Berlin", "2025-12-31T23:00:00+00:00"),
        ("2025-06-30", "Europe/Berlin", "2025-06-30T22:00:00+00:00"),
        ("2025-12-31", "Pacific/Kiritimati", "2025-12-31T10:00:00+00:00"),
        # midnight does not exist: the clock goes from 24:00 to 01:00
        ("2018-11-03", "America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),
        ("2024-04-25", "Africa/Cairo", "2024-04-25T22:00:00+00:00"),
        # the change comes half an hour before midnight
        ("1919-03-30", "America/Toronto", "1919-03-31T04:30:00+00:00"),
        # a whole day does not exist: the 30th ends as it would have begun
        ("2011-12-29", "Pacific/Apia", "2011-12-30T10:00:00+00:00"),
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00+00:00"),
        # the hour before midnight comes twice
        ("2018-02-17", "America/Sao_Paulo", "2018-02-18T03:00:00+00:00"),
        # the hour after midnight comes twice: it belongs to the next day both times
        ("2025-11-01", "America/Havana", "2025-11-02T04:00:00+00:00"),
        # a minute after midnight the clock goes back to 23:01: the day ends at the second midnight
        ("2006-10-28", "America/St_Johns", "2006-10-29T03:30:00+00:00"),
    ],
)
def test_a_day_ends_at_the_first_instant_after_it(day: str, zone: str, end: str) -> None:
    found = end_of_day(dt.date.fromisoformat(day), zone)
    assert found.isoformat() == end
    assert found.tzinfo is dt.UTC


def test_a_last_day_is_inclusive() -> None:
    last = ExpiryDate(dt.date(2025, 12, 31), zone="Europe/Berlin")
    assert last.expires_at == at("2025-12-31T23:00:00+00:00")
    assert at("2025-12-31T23:59:59.999999+01:00") < last.expires_at
    assert not at("2026-01-01T00:00:00+01:00") < last.expires_at
    assert str(last) == "2025-12-31 in Europe/Berlin, inclusive"


def test_a_last_day_is_rebuilt_from_its_repr_its_pickle_and_its_json() -> None:
    last = ExpiryDate(dt.date(2025, 12, 31), zone="Europe/Berlin")
    names = {"ExpiryDate": ExpiryDate, "datetime": dt}
    assert eval(repr(last), names) == last  # what a repr is for
    assert pickle.loads(pickle.dumps(last)) == copy.deepcopy(last) == last
    form = json.loads(json.dumps(last.to_json()))
    assert form == {"last_day": "2025-12-31", "zone": "Europe/Berlin"}
    assert ExpiryDate.from_json(form) == last
    assert ExpiryDate(dt.date(2025, 12, 31)).zone == "UTC"


@pytest.mark.parametrize(
    "form", [{}, {"last_day": "31.12.2025", "zone": "UTC"}, {"last_day": "2025-12-31"}, None]
)
def test_another_json_form_is_no_last_day(form: Any) -> None:
    with pytest.raises(ArgumentRefused, match="last_day"):
        ExpiryDate.from_json(form)


@pytest.mark.parametrize("day", [at("2025-12-31T00:00:00+00:00"), "2025-12-31", None])
def test_only_a_date_is_a_day(day: Any) -> None:
    with pytest.raises(ArgumentRefused, match="a date, such as"):
        end_of_day(day, "UTC")
    with pytest.raises(ArgumentRefused, match="a date, such as"):
        ExpiryDate(day)


@pytest.mark.parametrize(("day", "zone"), [("9999-12-31", "UTC"), ("9999-12-30", "Etc/GMT+12")])
def test_a_day_that_ends_after_the_calendar_is_refused_or_still_fits(day: str, zone: str) -> None:
    last = dt.date.fromisoformat(day)
    if zone == "UTC":
        with pytest.raises(InstantOutOfRange, match="never expires"):
            end_of_day(last, zone)
    else:
        assert end_of_day(last, zone) == at("9999-12-31T12:00:00+00:00")


@pytest.mark.parametrize(
    ("zone", "says"),
    [
        ("Europe/Berln", "Did you mean Europe/Berlin"),
        ("Nowhere", "is not a time zone"),
        ("", "is not a time zone"),
        ("../etc/passwd", "is not a time zone"),
        ("x" * 5000, "(5000 characters)"),
        (None, "is not a time zone"),
        (5, "is not a time zone"),
        (dt.UTC, "is not a time zone"),
    ],
)
def test_an_unknown_zone_is_refused(zone: Any, says: str) -> None:
    with pytest.raises(UnknownZone) as caught:
        Period(days=1, zone=zone)
    assert says in str(caught.value)
    assert caught.value.zone == zone


# --- Periods ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "begin", "end"),
    [
        (Period(months=1), "2025-01-31T10:00:00+00:00", "2025-02-28T10:00:00+00:00"),
        (Period(months=1), "2024-01-31T10:00:00+00:00", "2024-02-29T10:00:00+00:00"),
        (Period(months=12), "2024-02-29T00:00:00+00:00", "2025-02-28T00:00:00+00:00"),
        (Period(years=4), "2024-02-29T00:00:00+00:00", "2028-02-29T00:00:00+00:00"),
        (Period(weeks=2), "2025-01-01T00:00:00+00:00", "2025-01-15T00:00:00+00:00"),
        (Period(days=365), "2024-01-01T00:00:00+00:00", "2024-12-31T00:00:00+00:00"),
        (Period(hours=24), "2025-01-01T12:00:00+00:00", "2025-01-02T12:00:00+00:00"),
        (Period(days=1, minutes=30), "2025-01-01T12:00:00+00:00", "2025-01-02T12:30:00+00:00"),
    ],
)
def test_a_period_follows_the_calendar(period: Period, begin: str, end: str) -> None:
    assert period.after(at(begin)).isoformat() == end


@pytest.mark.parametrize(
    ("period", "begin", "end"),
    [
        # a day is a day on the wall, 23 or 25 hours long; 24 hours are 24 hours
        ({"days": 1}, "2025-03-29T12:00:00+01:00", "2025-03-30T12:00:00+02:00"),
        ({"hours": 24}, "2025-03-29T12:00:00+01:00", "2025-03-30T13:00:00+02:00"),
        ({"days": 1}, "2025-10-25T12:00:00+02:00", "2025-10-26T12:00:00+01:00"),
        # half past two does not exist on that day: it is half past three
        ({"days": 1}, "2025-03-29T02:30:00+01:00", "2025-03-30T03:30:00+02:00"),
        # half past two comes twice on that day: it is the first
        ({"days": 1}, "2025-10-25T02:30:00+02:00", "2025-10-26T02:30:00+02:00"),
        # the local day counts: it is 1 February in Berlin already
        ({"months": 1}, "2025-01-31T23:30:00+00:00", "2025-03-01T00:30:00+01:00"),
    ],
)
def test_a_period_is_counted_on_the_clocks_of_its_zone(
    period: dict[str, Any], begin: str, end: str
) -> None:
    found = Period(**period, zone="Europe/Berlin").after(at(begin))
    assert found == at(end)
    assert found.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("span", "begin", "end"),
    [
        ("month", "2025-01-15T10:00:00+00:00", "2026-02-01T00:00:00+00:00"),
        ("quarter", "2025-01-15T10:00:00+00:00", "2026-04-01T00:00:00+00:00"),
        ("quarter", "2025-05-15T10:00:00+00:00", "2026-07-01T00:00:00+00:00"),
        ("half-year", "2025-01-15T10:00:00+00:00", "2026-07-01T00:00:00+00:00"),
        ("half-year", "2025-12-15T10:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("year", "2025-01-15T10:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        # what ends exactly with the span stays; a moment later it is the next one
        ("month", "2025-02-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"),
        ("month", "2025-02-01T00:00:00.000001+00:00", "2026-03-01T00:00:00+00:00"),
        ("year", "2025-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"),
    ],
)
def test_a_period_can_be_rounded_up_to_the_end_of_a_span(span: str, begin: str, end: str) -> None:
    assert Period(months=12, round_up_to=span).after(at(begin)).isoformat() == end


def test_the_end_of_a_span_is_that_of_the_named_zone() -> None:
    begin = at("2024-12-31T23:30:00+00:00")  # New Year has begun in Berlin
    berlin = Period(months=12, round_up_to=CalendarSpan.YEAR, zone="Europe/Berlin")
    london = Period(months=12, round_up_to=CalendarSpan.YEAR, zone="Europe/London")
    assert berlin.after(begin) == at("2026-12-31T23:00:00+00:00")
    assert london.after(begin) == at("2026-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("P12M", Period(months=12)),
        ("P1Y6M", Period(years=1, months=6)),
        ("P2W", Period(weeks=2)),
        ("P30D", Period(days=30)),
        ("PT36H", Period(hours=36)),
        ("P1Y2M3W4DT5H6M", Period(years=1, months=2, weeks=3, days=4, hours=5, minutes=6)),
        ("PT5M", Period(minutes=5)),  # behind the T, M are minutes
    ],
)
def test_a_period_is_read_and_written_as_iso_8601(text: str, period: Period) -> None:
    assert Period.of(text) == period
    assert period.iso == str(period) == text


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1", "P1YT", "12M", "p12m", "P-1M", "-P1M", "P1.5M", "P1S", "PT5S", "P1M1Y",
     "P12M ", "P12M\n", "P٣M", "P" + "9" * 10 + "D", None, 12],
)  # fmt: skip
def test_another_text_is_no_period(text: Any) -> None:
    with pytest.raises(PeriodRefused, match="P12M"):
        Period.of(text)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({}, "no length"),
        ({"months": 0}, "no length"),
        ({"months": -1}, "months are counted in whole numbers"),
        ({"days": True}, "days are counted"),
        ({"days": 1.5}, "days are counted"),
        ({"hours": "1"}, "hours are counted"),
        ({"years": 1001}, "longer than 1000 years"),
        ({"days": 10**9}, "longer than 1000 years"),
        ({"minutes": 10**5000}, "longer than 1000 years"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_a_period_that_is_none_is_refused(parts: dict[str, Any], why: str) -> None:
    with pytest.raises(PeriodRefused, match=why):
        Period(**parts)


@pytest.mark.parametrize("span", ["week", "MONTH", 3, ""])
def test_a_span_of_the_calendar_is_one_of_four(span: Any) -> None:
    with pytest.raises(ArgumentRefused, match='"half-year" or "year"'):
        Period(months=12, round_up_to=span)


def test_a_period_that_ends_after_the_calendar_is_refused() -> None:
    late = at("9999-06-01T00:00:00+00:00")
    for period in (
        Period(years=1),
        Period(hours=24 * 365),
        Period(days=1, round_up_to="year"),
        Period(years=1, zone="Pacific/Kiritimati"),
    ):
        with pytest.raises(InstantOutOfRange, match="never expires"):
            period.after(late)
    first = at("0001-01-01T00:00:00+00:00")
    with pytest.raises(InstantOutOfRange):
        Period(days=1, zone="America/New_York").after(first)


def test_a_period_begins_at_an_instant() -> None:
    with pytest.raises(NaiveInstant):
        Period(days=1).after(at("2025-01-31T10:00:00"))
    with pytest.raises(ArgumentRefused):
        Period(days=1).after(dt.date(2025, 1, 31))  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    ("period", "shown", "said"),
    [
        (Period(months=12), "Period(months=12)", "P12M"),
        (
            Period(years=1, days=2, round_up_to="month", zone="Europe/Berlin"),
            "Period(years=1, days=2, round_up_to='month', zone='Europe/Berlin')",
            "P1Y2D, up to the end of the month in Europe/Berlin",
        ),
        (
            Period(hours=36, zone="Asia/Tokyo"),
            "Period(hours=36, zone='Asia/Tokyo')",
            "PT36H in Asia/Tokyo",
        ),
    ],
)
def test_a_period_is_rebuilt_from_its_repr_its_pickle_and_its_json(
    period: Period, shown: str, said: str
) -> None:
    assert repr(period) == shown
    assert str(period) == said
    assert eval(shown) == period  # what a repr is for
    assert pickle.loads(pickle.dumps(period)) == copy.deepcopy(period) == period
    assert Period.from_json(json.loads(json.dumps(period.to_json()))) == period
    assert hash(Period.from_json(period.to_json())) == hash(period)


def test_the_json_form_of_a_period_has_three_keys() -> None:
    form = {"period": "P12M", "round_up_to": "quarter", "zone": "UTC"}
    assert Period(months=12, round_up_to=CalendarSpan.QUARTER).to_json() == form
    for broken in ({}, {**form, "more": 1}, "P12M", {**form, "period": None}):
        with pytest.raises(PeriodRefused):
            Period.from_json(broken)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(UnknownZone):
        Period.from_json({**form, "zone": None})


def test_periods_are_equal_as_they_are_written() -> None:
    assert Period(months=12) != Period(years=1)
    assert Period(days=7) != Period(weeks=1)
    assert Period(days=1) != Period(days=1, zone="Europe/Berlin")
