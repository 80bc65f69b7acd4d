"""Words for periods, amounts and lists, as the explanation of a policy uses them (P1)."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from storecredit.policies.limits import LimitPer
from storecredit.policies.rule import Bonus, OfferKind
from storecredit.policies.when import Since
from storecredit.values import Money, Period

_PARTS: Final = ("year", "month", "week", "day", "hour", "minute")


def listed(words: Iterable[object], *, last: str = "or") -> str:
    """Return "a", "a or b", "a, b or c"."""
    *front, end = [str(word) for word in words]
    return f"{', '.join(front)} {last} {end}" if front else end


def on_one_line(text: str) -> str:
    """Return a text of several lines as one."""
    return " ".join(text.split())


def days(period: Period) -> str:
    """Return a period in words: "1 year and 6 months, to the end of the quarter"."""
    counts = [(getattr(period, f"{part}s"), part) for part in _PARTS]
    said = [f"{count} {part}{'' if count == 1 else 's'}" for count, part in counts if count]
    rounded = (
        "" if period.round_up_to is None else f", to the end of the {period.round_up_to.value}"
    )
    zone = "" if period.zone == "UTC" else f" ({period.zone})"
    return listed(said, last="and") + rounded + zone


def percentage(percent: Decimal) -> str:
    """Return "10 %", or "12.5 %": without zeros at the end."""
    text = f"{percent:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def share(percent: Decimal, fixed: Money | None, at_most: Money | None) -> str | None:
    """Return "10 % and EUR 2.00, at most EUR 20.00", or None for nothing."""
    if at_most is not None and at_most.is_zero:
        return None
    parts = [percentage(percent)] if percent else []
    parts += [str(fixed)] if fixed is not None and fixed.is_positive else []
    if not parts:
        return None
    return listed(parts, last="and") + ("" if at_most is None else f", at most {at_most}")


def bonus_of(bonus: Bonus) -> str | None:
    """Return what the bonus is, or None for nothing."""
    return share(bonus.percent, bonus.fixed, bonus.at_most)


def lives(what: str, period: Period | None) -> str:
    """Return how long *what* can be used."""
    return f"{what} never expires" if period is None else f"{what} expires after {days(period)}"


def between(what: str, at_least: Money | None, below: Money | None) -> list[str]:
    """Return the condition on an amount, or nothing."""
    if at_least is not None and below is not None:
        return [f"{what} is {at_least} or more, and less than {below}"]
    if at_least is not None:
        return [f"{what} is {at_least} or more"]
    return [] if below is None else [f"{what} is less than {below}"]


def whose(per: LimitPer) -> str:
    """Return whose doing a limit counts."""
    return "each customer" if per is LimitPer.HOLDER else "each agent"


def capped(amount: Money | None, count: int | None) -> str:
    """Return "EUR 200.00 at most, and 3 times at most"."""
    parts = [] if amount is None else [f"{amount} at most"]
    parts += [] if count is None else [f"{count} time{'' if count == 1 else 's'} at most"]
    return listed(parts, last="and")


def kind_of_offer(kind: OfferKind) -> str:
    """Return the words for what becomes of what was paid."""
    return _OFFERS[list(OfferKind).index(kind)]


_OFFERS: Final = ("money back", "store credit", "an exchange")


def since_when(since: Since) -> str:
    """Return what a window is counted from."""
    return f"the {since.value}"


def holds_when(conditions: list[str]) -> str:
    """Return the line above what a rule decides."""
    return f"If {listed(conditions, last='and')}:" if conditions else "Always:"
