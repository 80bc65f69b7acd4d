"""When a rule holds: conditions over a request and one of its lines, all of which must hold (P2)."""

import enum
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger.arguments import one_of
from storecredit.policies import given
from storecredit.policies.asking import Condition, ReturnLine, ReturnRequest
from storecredit.policies.window_order import never_ends_later
from storecredit.tenders import LineKind
from storecredit.values import Money, Period
from storecredit.values.instants import end_of_day, zone_named


@final
class Who(enum.StrEnum):
    """Whether somebody has an account (A15)."""

    REGISTERED = "registered"
    GUEST = "guest"


@final
class Since(enum.StrEnum):
    """What a window is counted from."""

    PURCHASE = "purchase"
    DELIVERY = "delivery"
    """Not before the goods are there: what has not been delivered is in every window."""


def _who(value: Who | str | None) -> Who | None:
    return None if value is None else one_of(Who, "holder", value)


def _line_kinds(kinds: Iterable[LineKind | str] | None) -> tuple[LineKind, ...] | None:
    return given.listed_members("kinds", LineKind, kinds)


def _conditions(conditions: Iterable[Condition | str] | None) -> tuple[Condition, ...] | None:
    return given.listed_members("conditions", Condition, conditions)


def _gift(value: bool | None) -> bool | None:
    return given.true_or_false("gift", value)


def _receipt(value: bool | None) -> bool | None:
    return given.true_or_false("receipt", value)


def _final_sale(value: bool | None) -> bool | None:
    return given.true_or_false("final_sale", value)


def _since(value: Since | str) -> Since:
    return one_of(Since, "since", value)


@final
@attrs.frozen(kw_only=True)
class When:
    """
    When a rule holds. What is not said does not matter; all that is said must hold.

    Raises:
        InvalidTerms: A value that cannot be, or conditions that can never hold together.
        InvalidText: A text that cannot be kept.
    """

    # About the request
    merchants: tuple[str, ...] | None = attrs.field(default=None, converter=given.merchants)
    channels: tuple[str, ...] | None = attrs.field(default=None, converter=given.channels)
    jurisdictions: tuple[str, ...] | None = attrs.field(default=None, converter=given.jurisdictions)
    segments: tuple[str, ...] | None = attrs.field(default=None, converter=given.segments)
    """The holder is in one of these groups at least."""
    holder: Who | None = attrs.field(default=None, converter=_who)
    gift: bool | None = attrs.field(default=None, converter=_gift)
    receipt: bool | None = attrs.field(default=None, converter=_receipt)
    since: Since = attrs.field(default=Since.DELIVERY, converter=_since)
    within: Period | None = attrs.field(default=None, converter=given.within)
    """Up to the end of the local day on which the period ends, in the period's zone (V7)."""
    after: Period | None = attrs.field(default=None, converter=given.after)
    """Later than that day."""
    at_least: Money | None = attrs.field(default=None, converter=given.at_least)
    """What external tenders paid for all that is asked back: so much or more."""
    below: Money | None = attrs.field(default=None, converter=given.below)
    """Less than that."""

    # About the line
    kinds: tuple[LineKind, ...] | None = attrs.field(default=None, converter=_line_kinds)
    categories: tuple[str, ...] | None = attrs.field(default=None, converter=given.categories)
    reasons: tuple[str, ...] | None = attrs.field(default=None, converter=given.reasons)
    conditions: tuple[Condition, ...] | None = attrs.field(default=None, converter=_conditions)
    final_sale: bool | None = attrs.field(default=None, converter=_final_sale)

    def __attrs_post_init__(self) -> None:
        if self.at_least is not None and self.below is not None:
            if self.at_least.unit != self.below.unit:
                raise InvalidTerms("below", self.below, f"in {self.at_least.unit.code}")
            if self.below <= self.at_least:
                raise InvalidTerms("below", self.below, f"more than at_least, {self.at_least}")
        if self.below is not None and self.below.is_zero:
            raise InvalidTerms("below", self.below, "more than nothing, or nothing is below it")
        within, after = self.within, self.after
        if within is not None and after is not None and never_ends_later(within, after):
            raise InvalidTerms("within", within, f"longer than after, {after}, or it never holds")


def end_of_window(period: Period, begins: datetime) -> datetime:
    """
    Return the first instant after the local day on which *period*, from *begins*, ends (V7).

    A period that is rounded up ends with the month, quarter or year in which that day lies.
    """
    span = period.round_up_to
    plain = period if span is None else attrs.evolve(period, round_up_to=None)
    day = plain.after(begins).astimezone(zone_named(period.zone)).date()
    return end_of_day(day if span is None else span.last_day(day), period.zone)


_Test = Callable[[ReturnRequest], str | None]
_LineTest = Callable[[ReturnLine], str | None]


@final
class Matcher:
    """A `When`, made ready for many requests: tells why it does not hold, or nothing if it does."""

    __slots__ = ("_line", "_request")

    def __init__(self, when: When) -> None:
        self._request: Final = tuple(_request_tests(when))
        self._line: Final = tuple(_line_tests(when))

    def of_request(self, request: ReturnRequest) -> str | None:
        """Return the first thing about the request that does not hold, or None."""
        for test in self._request:
            if problem := test(request):
                return problem
        return None

    def of_line(self, line: ReturnLine) -> str | None:
        """Return the first thing about the line that does not hold, or None."""
        for test in self._line:
            if problem := test(line):
                return problem
        return None


def _request_tests(when: When) -> list[_Test]:
    tests: list[_Test] = []
    named = (
        ("merchant", when.merchants),
        ("channel", when.channels),
        ("jurisdiction", when.jurisdictions),
    )
    tests += [_one_among(field, values) for field, values in named if values is not None]
    if when.segments is not None:
        tests.append(_in_a_segment(frozenset(when.segments)))
    if when.holder is not None:
        wanted = when.holder is Who.GUEST
        said = "the holder is registered" if wanted else "it is a guest"
        tests.append(lambda request: None if (request.holder is None) is wanted else said)
    if when.gift is not None:
        tests.append(_truth("is_gift", when.gift, "it is a gift", "it is no gift"))
    if when.receipt is not None:
        tests.append(_truth("receipt", when.receipt, "there is a receipt", "there is no receipt"))
    tests += [
        _window(period, when.since, inside=inside)
        for period, inside in ((when.within, True), (when.after, False))
        if period is not None
    ]
    tests += [
        _amount(limit, below=below)
        for limit, below in ((when.at_least, False), (when.below, True))
        if limit is not None
    ]
    return tests


def _line_tests(when: When) -> list[_LineTest]:
    tests: list[_LineTest] = []
    named = (
        ("kind", when.kinds),
        ("category", when.categories),
        ("reason", when.reasons),
        ("condition", when.conditions),
    )
    tests += [_one_among(field, values) for field, values in named if values is not None]
    if when.final_sale is not None:
        yes, no = "it is a final sale", "it is no final sale"
        tests.append(_truth("final_sale", when.final_sale, yes, no))
    return tests


def _one_among(field: str, values: Iterable[str]) -> Callable[[object], str | None]:
    wanted = frozenset(values)

    def test(about: object) -> str | None:
        found = getattr(about, field)
        if found in wanted:
            return None
        return f"no {field} is known" if found is None else f"the {field} is {found}"

    return test


def _truth(
    field: str, wanted: bool, yes: str, no: str
) -> Callable[[object], str | None]:  # a condition is a truth
    said = no if wanted else yes
    return lambda about: None if getattr(about, field) is wanted else said


def _in_a_segment(wanted: frozenset[str]) -> _Test:
    def test(request: ReturnRequest) -> str | None:
        if wanted.isdisjoint(request.segments):
            return "the holder is in none of the groups"
        return None

    return test


def _window(period: Period, since: Since, *, inside: bool) -> _Test:
    def test(request: ReturnRequest) -> str | None:
        begins = request.purchased_at if since is Since.PURCHASE else request.delivered_at
        if begins is None:
            if since is Since.DELIVERY and request.receipt:
                return None if inside else "it is not delivered yet"
            return f"the day of the {since} is not known"
        late = request.at >= end_of_window(period, begins)
        if late is not inside:
            return None
        return (
            f"it is later than {period} after the {since}"
            if inside
            else (f"it is not later than {period} after the {since}")
        )

    return test


def _amount(limit: Money, *, below: bool) -> _Test:
    def test(request: ReturnRequest) -> str | None:
        asked = request.external
        if asked.unit != limit.unit:
            return f"the amount is in {asked.unit.code}"
        if (asked < limit) is below:
            return None
        return f"{asked} is not below {limit}" if below else f"{asked} is below {limit}"

    return test
