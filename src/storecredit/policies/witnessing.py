"""A request for which a rule decides: what shows that it can, and tests it (P1)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final

from storecredit.errors import InvalidTerms
from storecredit.policies.asking import Condition, ReturnLine, ReturnRequest
from storecredit.policies.reach import Reach
from storecredit.policies.refund_policy import RefundPolicy
from storecredit.policies.regions import (
    AMOUNT,
    FINAL_SALE,
    GIFT,
    GUEST,
    RECEIPT,
    UNIT,
    Known,
    Late,
    Region,
    TooManySteps,
)
from storecredit.policies.rule import RefundRule, Topic
from storecredit.policies.when import Matcher, Since, end_of_window
from storecredit.tenders import LineKind
from storecredit.values import Currency, Money, Period, currencies, currency

_HOURS: Final = (12, 3, 22)
_DAYS: Final = (1, 15, 28, 31)
_MONTHS: Final = (7, 3, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12)
_YEARS: Final = (2026, 2028)  # the second is a leap year
_SECOND: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(days=366 * 1002)
_PREFERRED: Final = ("EUR", "USD", "GBP", "CHF", "JPY")


def witness(policy: RefundPolicy, rule: str, *, topic: Topic | None = None) -> ReturnRequest | None:
    """
    Return a request, of one line, for which *rule* decides *topic*.

    Args:
        policy: The rules.

        rule: The id of one of them.

        topic: What it is to decide; None for the first that it names.

    Returns:
        The request, or None where none was found: where only the calendar could tell, or telling
        takes too long.

    Raises:
        InvalidTerms: The policy has no such rule, or the rule does not name that topic.
    """
    places = [place for place, each in enumerate(policy.rules) if each.id == rule]
    if not places:
        known = ", ".join(each.id for each in policy.rules)
        raise InvalidTerms("rule", rule, f"one of {known}")
    found = policy.rules[places[0]]
    wanted = found.topics[0] if topic is None else topic
    if wanted not in found.topics:
        raise InvalidTerms("topic", topic, f"one of {', '.join(found.topics)}")
    return request_for(policy.rules, places[0], wanted, reasons=policy.reasons)


def request_for(
    rules: Sequence[RefundRule],
    place: int,
    topic: Topic,
    *,
    reasons: Sequence[str] | None = None,
) -> ReturnRequest | None:
    """Return a request for which the rule at *place* decides *topic*, or None, as `witness`."""
    reach = Reach.of(rules, reasons=reasons)
    try:
        holds = reach.holds(place)
        if holds is None:
            return None
        regions = reach.left(holds, reach.earlier(place, holds)[topic])
    except TooManySteps:
        return None
    found = (request for region in regions for request in _requests(region))
    return next((each for each in found if decides(rules, place, topic, each)), None)


def decides(rules: Sequence[RefundRule], place: int, topic: Topic, request: ReturnRequest) -> bool:
    """Tell whether the rule at *place* is the first that decides *topic* for the first line."""
    return _holds(rules[place], request) and not any(
        topic in rule.topics and _holds(rule, request) for rule in rules[:place]
    )


def _holds(rule: RefundRule, request: ReturnRequest) -> bool:
    if rule.unit not in (None, request.unit):
        return False
    matcher = Matcher(rule.when)
    line = request.lines[0]
    return matcher.of_request(request) is None and matcher.of_line(line) is None


def _requests(region: Region) -> Iterator[ReturnRequest]:
    """Yield requests in *region*, at instants at which months are long and short, and zones have other days."""
    guest, gift = region.truths.get(GUEST, False), region.truths.get(GIFT, False)
    buyer = ("the buyer" if guest else "another") if gift else None
    unit = _unit(region)
    line: dict[str, Any] = {
        "kind": LineKind(str(_one(region, "kind", LineKind.GOODS))),
        "category": _one(region, "category", None),
        "reason": _one(region, "reason", None),
        "condition": _condition(region),
        "final_sale": region.truths.get(FINAL_SALE, False),
    }
    low, high = region.spans.get(AMOUNT, (0, None))
    amount = low or (1 if high is None or high > 1 else 0)
    about: dict[str, Any] = {
        "merchant": _one(region, "merchant", "merchant"),
        "channel": _one(region, "channel", None),
        "jurisdiction": _one(region, "jurisdiction", None),
        "segments": sorted({min(group - region.no_groups) for group in region.groups}),
        "holder": None if guest else "holder",
        "buyer": buyer,
        "lines": [ReturnLine(id="1", external=Money.of_minor(amount, unit), **line)],
    }
    for at in _instants():
        for receipt in (True, False):
            if region.truths.get(RECEIPT, receipt) is receipt:
                dates = _dates(region, at, receipt=receipt)
                if dates is not None:
                    yield ReturnRequest(id="witness", at=at, receipt=receipt, **about, **dates)


def _one(region: Region, of: str, first: str | None) -> object:
    """Return something that the region allows there, *first* if it may be."""
    values, out_of = region.named.get(of, (frozenset(), True))
    if (first in values) is not out_of:
        return first
    closed = region.world.closed(of)
    if closed is not None:
        return min((value for value in closed if (value in values) is not out_of), key=_none_first)
    if not out_of:
        return min(values, key=_none_first)
    return next(name for n in range(len(values) + 1) if (name := f"another {of} {n}") not in values)


def _none_first(value: object) -> str:
    return "" if value is None else str(value)


def _condition(region: Region) -> Condition | None:
    found = _one(region, "condition", None)
    return None if found is None else Condition(str(found))


def _unit(region: Region) -> Any:
    values, out_of = region.named.get(UNIT, (frozenset(), True))
    if not out_of:
        return min(values, key=str)
    known: list[Currency] = [currency(code) for code in _PREFERRED]
    # There are more of them than any policy rules out.
    return next(each for each in (*known, *currencies()) if each not in values)


def _instants() -> Iterator[datetime]:
    for hour, year, month, day in product(_HOURS, _YEARS, _MONTHS, _DAYS):
        at = datetime(year, month, 1, hour, tzinfo=UTC) + timedelta(days=day - 1)
        if at.month == month:
            yield at


def _dates(region: Region, at: datetime, *, receipt: bool) -> dict[str, Any] | None:
    """Return purchase and delivery so that the windows are as the region has them, or None."""
    dates: dict[str, Any] = {}
    delivery, purchase = Known(Since.DELIVERY), Known(Since.PURCHASE)
    first, last = _between(region, Since.DELIVERY, at)
    # Where nothing has to be late, it need not be delivered yet; with no receipt, nobody knows.
    if region.truths.get(delivery) is False:
        if receipt:
            return None
    elif last < at or (region.truths.get(delivery) and not receipt):
        if last < first:
            return None
        dates["delivered_at"] = last
    if region.truths.get(purchase):
        latest = dates.get("delivered_at", at)
        first, last = _between(region, Since.PURCHASE, at)
        bought = min(last, latest)
        if bought < first:
            return None
        dates["purchased_at"] = bought
    return dates


def _between(region: Region, since: Since, at: datetime) -> tuple[datetime, datetime]:
    """Return from when to when it was, for the windows to be as the region has them."""
    first, last = datetime.min.replace(tzinfo=UTC), at
    for atom, holds in region.truths.items():
        if isinstance(atom, Late) and atom.since is since:
            begins = _begins(atom.period, at)
            if holds:
                last = min(last, begins - _SECOND)
            else:
                first = max(first, begins)
    return first, last


def _begins(period: Period, at: datetime) -> datetime:
    """Return the first second from which on *period* is not over at *at*."""
    low, high = at - _LONGEST, at
    while high - low > _SECOND:
        middle = low + (high - low) // (2 * _SECOND) * _SECOND
        if at >= end_of_window(period, middle):
            low = middle
        else:
            high = middle
    return high
