"""
Hypothesis strategies for every value: what a shop meets, and the edges where it breaks.

Instants and dates come from a small set on purpose, so that boundaries collide.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Final

from hypothesis import strategies as st

from storecredit.values import (
    MAX_MINOR,
    MIN_MINOR,
    Balance,
    CalendarSpan,
    CostBasis,
    Currency,
    CustomUnit,
    Division,
    ExactNumber,
    ExchangeRate,
    ExpiryDate,
    KeptApart,
    Money,
    Period,
    Rounding,
    Unit,
    currencies,
)
from storecredit.values import unit as unit_named

SHOP_MAXIMUM: Final = 10_000_000
"""The largest amount, in minor units, that `money` draws unless it is told otherwise."""

POINTS: Final = CustomUnit("PTS", 0, name="Points")
"""A custom unit without decimals."""

TOKENS: Final = CustomUnit("TOKEN_9", 9)
"""A custom unit with as many decimals as there can be."""

_NEW_YEAR: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_STEPS: Final = tuple(
    dt.timedelta(**step)
    for step in (
        {},
        {"microseconds": 1},
        {"microseconds": -1},
        {"seconds": 1},
        {"hours": 1},
        {"days": 1},
        {"days": 30},
        {"days": 58, "hours": 12},
        {"days": 365},
        {"days": 3650},
    )
)
_ZONES: Final = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "Pacific/Apia",
    "Pacific/Kiritimati",
)


def iso_currencies(*, withdrawn: bool | None = None) -> st.SearchStrategy[Currency]:
    """ISO 4217 currencies: active, withdrawn, or (None) both."""
    chosen = [each for each in currencies() if withdrawn is None or each.withdrawn is withdrawn]
    return st.sampled_from(chosen)


def custom_units(*, cost_basis: bool = False) -> st.SearchStrategy[CustomUnit]:
    """Points and tokens of every number of digits; with a cost basis where asked for."""
    # An underscore keeps clear of every ISO code.
    codes = st.from_regex(r"[A-Z][A-Z0-9]{0,4}_[A-Z0-9]{0,5}", fullmatch=True)
    names = st.none() | st.sampled_from(["Points", "Étoiles", "ポイント"])
    costs = cost_bases() if cost_basis else st.none()
    return st.builds(CustomUnit, codes, st.integers(0, 9), name=names, cost_basis=costs)


def cost_bases() -> st.SearchStrategy[CostBasis]:
    """What so many points cost in an active currency."""
    return st.builds(
        CostBasis,
        st.integers(1, 100_000),
        iso_currencies(withdrawn=False).flatmap(
            lambda unit: money(unit=unit, minimum=1, maximum=100_000)
        ),
    )


def units() -> st.SearchStrategy[Unit]:
    """Everyday currencies first, then points, then every currency and unit there can be."""
    everyday: st.SearchStrategy[Unit] = st.sampled_from(
        [*map(unit_named, ("USD", "EUR", "JPY", "KWD")), POINTS, TOKENS]
    )
    return everyday | iso_currencies() | custom_units()


def money(
    *,
    unit: Unit | str | None = None,
    minimum: int = -SHOP_MAXIMUM,
    maximum: int = SHOP_MAXIMUM,
) -> st.SearchStrategy[Money]:
    """Amounts from *minimum* to *maximum* minor units, of *unit* or of any unit."""
    chosen = units() if unit is None else st.just(unit_named(unit))
    return st.builds(Money.of_minor, st.integers(minimum, maximum), chosen)


def any_money(*, unit: Unit | str | None = None) -> st.SearchStrategy[Money]:
    """Amounts of the whole range, its ends included."""
    ends = st.sampled_from([MIN_MINOR, MIN_MINOR + 1, -1, 0, 1, MAX_MINOR - 1, MAX_MINOR])
    minors = ends | st.integers(MIN_MINOR, MAX_MINOR)
    chosen = units() if unit is None else st.just(unit_named(unit))
    return st.builds(Money.of_minor, minors, chosen)


def balances() -> st.SearchStrategy[Balance]:
    """Balances of up to five amounts."""
    return st.lists(money(), max_size=5).map(Balance)


def weight_lists(*, min_size: int = 1, max_size: int = 12) -> st.SearchStrategy[list[ExactNumber]]:
    """Weights of a division, at least one of them above zero: whole, decimal and fractional."""
    whole = st.sampled_from([0, 0, 1, 1, 2, 3, 100]) | st.integers(0, 10**30)
    exact = st.decimals(0, 1000, places=3) | st.fractions(0, 10, max_denominator=97)
    texts = st.sampled_from(["0.5", "1/3", "12.25"])
    weights: st.SearchStrategy[ExactNumber] = whole | exact | texts
    return st.lists(weights, min_size=min_size, max_size=max_size).filter(
        lambda drawn: any(weight != 0 for weight in drawn)
    )


def divisions() -> st.SearchStrategy[Division]:
    """The rules that place every unit."""
    return st.sampled_from(Division)


def kept_aparts() -> st.SearchStrategy[KeptApart]:
    """The rules that keep odd units apart."""
    return st.sampled_from(KeptApart)


def roundings(*, deciding: bool = True) -> st.SearchStrategy[Rounding]:
    """Rounding modes; only those that decide, unless `deciding=False`."""
    modes = [mode for mode in Rounding if mode is not Rounding.UNNECESSARY or not deciding]
    return st.sampled_from(modes)


def exact_numbers() -> st.SearchStrategy[ExactNumber]:
    """Factors of either sign in every exact form."""
    return (
        st.integers(-1000, 1000)
        | st.decimals(-1000, 1000, places=4)
        | st.fractions(-100, 100, max_denominator=1000)
        | st.sampled_from(["0", "1.1", "-2.5", "1/3", "-7/9"])
    )


def exchange_rates(
    *, source: Unit | str | None = None, target: Unit | str | None = None
) -> st.SearchStrategy[ExchangeRate]:
    """Rates between two unlike units, into one that can be issued."""
    sources = units() if source is None else st.just(unit_named(source))
    targets = units() if target is None else st.just(unit_named(target))
    pairs = st.tuples(sources, targets).filter(lambda pair: pair[0] != pair[1])
    return st.builds(
        lambda pair, rate, on: ExchangeRate(pair[0], pair[1], rate, on=on),
        pairs.filter(lambda pair: pair[1].issuable),
        st.fractions(Fraction(1, 1000), 1000) | st.decimals(Decimal("0.0001"), 1000, places=4),
        dates(),
    )


def instants() -> st.SearchStrategy[dt.datetime]:
    """Instants in UTC around one New Year, from a set so small that they often meet."""
    return st.sampled_from(_STEPS).map(lambda step: _NEW_YEAR + step)


def any_instants() -> st.SearchStrategy[dt.datetime]:
    """Instants of two centuries in many zones, repeated and skipped local hours included."""
    local = _wall_clocks()
    return st.builds(
        lambda wall, zone, fold: wall.replace(tzinfo=zone, fold=fold),
        local,
        st.timezones(no_cache=False),
        st.integers(0, 1),
    )


def naive_datetimes() -> st.SearchStrategy[dt.datetime]:
    """Date-times that name no instant."""
    return _wall_clocks()


def _wall_clocks() -> st.SearchStrategy[dt.datetime]:
    return st.builds(
        dt.datetime.combine, st.dates(dt.date(1950, 1, 1), dt.date(2150, 1, 1)), st.times()
    )


def dates() -> st.SearchStrategy[dt.date]:
    """Dates at the ends of months, years and summer times, and any other."""
    edges = st.sampled_from(
        [dt.date(2026, 1, 31), dt.date(2024, 2, 29), dt.date(2026, 12, 31), dt.date(2018, 11, 3)]
    )
    return edges | st.dates(dt.date(1950, 1, 1), dt.date(2150, 1, 1))


def zones() -> st.SearchStrategy[str]:
    """Time zones with and without summer time, some of whose days begin at one o'clock."""
    return st.sampled_from(_ZONES)


def periods(*, rounded: bool = True) -> st.SearchStrategy[Period]:
    """Periods from a minute to some years, rounded up where asked for."""

    def made(
        parts: tuple[int, int, int, int, int, int], span: CalendarSpan | None, zone: str
    ) -> Period:
        names = ("years", "months", "weeks", "days", "hours", "minutes")
        return Period(**dict(zip(names, parts, strict=True)), round_up_to=span, zone=zone)

    small = st.tuples(
        st.integers(0, 5),
        st.integers(0, 36),
        st.integers(0, 60),
        st.integers(0, 800),
        st.integers(0, 100),
        st.integers(0, 100),
    ).filter(any)
    spans = st.none() | st.sampled_from(CalendarSpan) if rounded else st.none()
    return st.builds(made, small, spans, zones())


def expiry_dates() -> st.SearchStrategy[ExpiryDate]:
    """Inclusive last days."""
    return st.builds(lambda day, zone: ExpiryDate(day, zone=zone), dates(), zones())
