"""Which of two windows ends first, whatever the calendar says: or nothing, where it may differ."""

from typing import Final

from storecredit.values import CalendarSpan, Period

_DAYS_IN_400_YEARS: Final = 146_097
_MONTHS_IN_400_YEARS: Final = 4_800
_UNEVEN: Final = 8
"""By how many days months in a row may differ from as many average ones."""
_ACROSS_ZONES: Final = 3
"""By how many days the ends of days, and what day it is, may differ between two zones."""
_MINUTES_A_DAY: Final = 1_440
_MONTHS_OF: Final = (None, CalendarSpan.MONTH, CalendarSpan.QUARTER, CalendarSpan.HALF_YEAR)
_SPANS: Final = (*_MONTHS_OF, CalendarSpan.YEAR)
_LONGEST_SPAN: Final = (0, 32, 93, 185, 367)
"""How many days rounding up may add, in the order of `_SPANS`; the first day after included."""


def never_ends_later(one: Period, other: Period) -> bool:
    """
    Tell whether the window of *one* ends at the latest with that of *other*, whenever both begin.

    A month has 28 to 31 days: neither of P1M and P30D always ends first, and it is False for both
    orders. What is written differently and lasts as long (P12M and P1Y) is True for both.
    """
    if one == other:
        return True
    months, days, minutes = _parts(one)
    other_months, other_days, other_minutes = _parts(other)
    span, other_span = _SPANS.index(one.round_up_to), _SPANS.index(other.round_up_to)
    is_same_zone = one.zone == other.zone
    if (
        is_same_zone
        and span <= other_span
        and months <= other_months
        and days <= other_days
        and minutes <= other_minutes
    ):
        return True
    # Clocks that are put forward or back may carry hours over one midnight more, or one less.
    over_midnight = -(-minutes // _MINUTES_A_DAY) + (minutes > 0)
    longest = most_days(months) + days + over_midnight + _LONGEST_SPAN[span]
    whole_days = max(other_minutes // _MINUTES_A_DAY - 1, 0)
    shortest = fewest_days(other_months) + other_days + whole_days
    return longest + (0 if is_same_zone else _ACROSS_ZONES) <= shortest


def fewest_days(months: int) -> int:
    """Return a number of days that *months* in a row always have; for up to two months, exactly."""
    years, rest = divmod(months, 12)
    average = months * _DAYS_IN_400_YEARS // _MONTHS_IN_400_YEARS
    return max(365 * years + 28 * rest, average - _UNEVEN)


def most_days(months: int) -> int:
    """Return a number of days that *months* in a row never exceed."""
    years, rest = divmod(months, 12)
    average = -(-months * _DAYS_IN_400_YEARS // _MONTHS_IN_400_YEARS)
    return min(366 * years + 31 * rest, average + _UNEVEN)


def _parts(period: Period) -> tuple[int, int, int]:
    """Return whole months, whole days and minutes."""
    return (
        12 * period.years + period.months,
        7 * period.weeks + period.days,
        60 * period.hours + period.minutes,
    )
