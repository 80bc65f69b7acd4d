"""Taking back the points that an order earned, in proportion to what is refunded or as named (T6)."""

from collections.abc import Sequence

import attrs

from storecredit.tenders.payment import Destination, RefundPart
from storecredit.tenders.plan import LineAmount
from storecredit.tenders.refund_rules import Earned, ShortfallRule
from storecredit.tenders.rest import Rest
from storecredit.tenders.spreading import share_of
from storecredit.values import Money


def claw_back(
    rest: Rest, parts: list[RefundPart], earned: Earned | None, rule: ShortfallRule
) -> tuple[tuple[LineAmount, ...], Money | None, list[RefundPart]]:
    """
    Return the earned points that go, by line, how many are missing, and the parts after that.

    *rest* is as it was before *parts*.
    """
    if earned is None:
        return (), None, parts
    if earned.in_full:
        gone = [each for each in earned.lines if each.amount.is_positive]
    else:
        gone = _shares(rest, parts, earned.lines)
    total = sum(each.amount.minor for each in gone)
    missing = max(total - earned.reachable.minor, 0)
    if not missing:
        return tuple(gone), None, parts
    short = Money.of_minor(missing, earned.reachable.unit)
    if rule is ShortfallRule.REDUCE_REFUND and earned.rate is not None:
        worth = Money.of_minor(earned.rate.worth(missing), earned.rate.pays)
        parts = _withheld(parts, worth)
    return tuple(gone), short, parts


def _shares(rest: Rest, parts: list[RefundPart], earned: Sequence[LineAmount]) -> list[LineAmount]:
    """
    Return what each line loses of the points that it earned.

    Of what is left of both, the same share as is refunded, so that a line that is refunded in full
    has none left.
    """
    gone = list[LineAmount]()
    for each in earned:
        points = each.amount.minor - rest.earned_back(each.line)
        of_line = [part for part in rest.parts if part.line == each.line]
        if points <= 0 or not of_line:
            continue
        # Every unit of the price says how far the line has come back; the furthest one counts.
        lost = 0
        for unit in dict.fromkeys(part.covers.unit for part in of_line):
            left = rest.total(part for part in of_line if part.covers.unit == unit)
            back = _back(parts, each.line, unit)
            if back:
                lost = max(lost, share_of(points, [back, left - back])[0])
        if lost:
            gone.append(LineAmount(each.line, Money.of_minor(lost, each.amount.unit)))
    return gone


def _back(parts: list[RefundPart], line: str, unit: object) -> int:
    return sum(
        part.covers.minor
        for part in parts
        if part.line == line and part.covers.unit == unit and not part.is_reduction
    )


def _withheld(parts: list[RefundPart], worth: Money) -> list[RefundPart]:
    """Keep *worth* of what goes back in its unit: money first, then credit, the last parts first."""
    left = worth.minor
    kept: dict[int, int] = {}
    order = sorted(range(len(parts)), key=lambda place: (parts[place].funding is not None, -place))
    for place in order:
        part = parts[place]
        going = part.to in (Destination.TENDER, Destination.CREDIT) and not part.is_reduction
        if going and part.amount == part.covers and part.covers.unit == worth.unit:
            kept[place] = min(part.covers.minor, left)
            left -= kept[place]
    found = list[RefundPart]()
    for place, part in enumerate(parts):
        found += _cut(part, kept[place]) if kept.get(place) else [part]
    return found


def _cut(part: RefundPart, back: int) -> list[RefundPart]:
    """Return *part* less what is kept *back*, and beside it what is."""
    rest = part.covers.minor - back
    pieces = [(rest, part.to), (back, Destination.WITHHELD)]
    found = list[RefundPart]()
    for minor, to in pieces:
        if minor:
            money = Money.of_minor(minor, part.covers.unit)
            found.append(attrs.evolve(part, amount=money, covers=money, to=to))
    return found
