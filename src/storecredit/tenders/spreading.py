"""Spreading an amount over the parts that paid: by tender, then line, then lot (T6, V5)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from storecredit.errors import InvalidTender, RefundExceedsPaid
from storecredit.tenders._capped_flow import CappedFlow
from storecredit.tenders.payment import Payment
from storecredit.tenders.plan import PlannedTender, PlanPart
from storecredit.tenders.refund_rules import PointsRule, TenderRule
from storecredit.tenders.rest import is_at_rate
from storecredit.tenders.tender import TenderKind
from storecredit.values import Money, Unit
from storecredit.values.apportion import Division, apportion

Claims = dict[int, int]
"""By position of the part, how much of it comes back, in the unit that was due."""

_RANKS: Final[Mapping[TenderRule, tuple[TenderKind, ...]]] = MappingProxyType(
    {
        TenderRule.CREDIT_FIRST: (
            TenderKind.CREDIT,
            TenderKind.CODE,
            TenderKind.COUPON,
            TenderKind.EXTERNAL,
        ),
        TenderRule.EXTERNAL_FIRST: (
            TenderKind.EXTERNAL,
            TenderKind.CREDIT,
            TenderKind.CODE,
            TenderKind.COUPON,
        ),
    }
)


def share_of(total: int, weights: Sequence[int]) -> list[int]:
    """Divide *total* in the proportion of *weights*, by largest remainder; nothing of nothing."""
    if not total:
        return [0] * len(weights)
    return apportion(total, weights, Division.LARGEST_REMAINDER)


def over_tenders(
    payment: Payment,
    parts: Sequence[tuple[int, PlanPart, int]],
    amount: int,
    *,
    tenders: TenderRule,
    points: PointsRule,
) -> Claims:
    """
    Spread *amount* over *parts*, each with its position and what is left of it.

    What points paid at a frozen rate is told from what money paid first; then the tenders of each
    share it by the rule; then each tender's lines in proportion to what is left of them; then, line
    by line, the lots, last drawn first (A7). The amount is at most what is left in all.
    """
    at_rate = [each for each in parts if is_at_rate(each[1])]
    money = [each for each in parts if not is_at_rate(each[1])]
    left = [_left(at_rate), _left(money)]
    if points is PointsRule.POINTS_FIRST:
        shares = [min(amount, left[0]), max(amount - left[0], 0)]
    elif points is PointsRule.MONEY_FIRST:
        shares = [max(amount - left[1], 0), min(amount, left[1])]
    else:
        shares = share_of(amount, left)
    claims: Claims = {}
    for group, share in zip((at_rate, money), shares, strict=True):
        by_tender: dict[str, list[tuple[int, PlanPart, int]]] = {}
        for each in group:
            by_tender.setdefault(each[1].tender, []).append(each)
        named = [tender for tender in payment.tenders if tender.id in by_tender]
        lefts = {tender.id: _left(by_tender[tender.id]) for tender in named}
        for tender, of_tender in _by_rule(named, lefts, share, tenders).items():
            claims.update(over_lines(by_tender[tender], of_tender))
    return claims


def _left(parts: Sequence[tuple[int, PlanPart, int]]) -> int:
    return sum(left for _, _, left in parts)


def _by_rule(
    tenders: list[PlannedTender], left: Mapping[str, int], amount: int, rule: TenderRule
) -> dict[str, int]:
    """Return how much goes to which tender."""
    if rule is TenderRule.PROPORTIONAL:
        shares = share_of(amount, [left[tender.id] for tender in tenders])
        return {tender.id: share for tender, share in zip(tenders, shares, strict=True)}
    if rule is TenderRule.LAST_PAID_FIRST:
        tenders = list(reversed(tenders))
    elif rule in _RANKS:
        ranks = _RANKS[rule]
        tenders = sorted(tenders, key=lambda tender: ranks.index(tender.kind))
    found, rest = dict[str, int](), amount
    for tender in tenders:
        found[tender.id] = min(left[tender.id], rest)
        rest -= found[tender.id]
    return found


def over_lines(parts: Sequence[tuple[int, PlanPart, int]], amount: int) -> Claims:
    """Spread *amount* of one tender over its lines, and on each over the lots, last drawn first."""
    by_line: dict[str, list[tuple[int, PlanPart, int]]] = {}
    for each in parts:
        by_line.setdefault(each[1].line, []).append(each)
    shares = share_of(amount, [_left(of_line) for of_line in by_line.values()])
    claims: Claims = {}
    for of_line, share in zip(by_line.values(), shares, strict=True):
        rest = share
        for place, _, left in reversed(of_line):
            step = min(left, rest)
            if step:
                claims[place] = step
                rest -= step
    return claims


def by_hand(
    payment: Payment,
    parts: Sequence[tuple[int, PlanPart, int]],
    *,
    unit: Unit,
    lines: Mapping[str, int],
    free: int,
    amounts: Mapping[str, int],
) -> tuple[Claims, int]:
    """
    Spread what is due back of each of the *lines*, and *free*, as *amounts* say tender by tender.

    Returns the claims, and how much of it the named tenders did not pay of these lines. Whichever
    way covers more of the lines is taken (T3).

    Raises:
        UnknownTender: A tender did not pay.
        InvalidTender: The amounts are not what is refunded.
        RefundExceedsPaid: A tender would get more than is left of what it paid.
    """
    wanted = sum(lines.values()) + free
    if sum(amounts.values()) != wanted:
        raise InvalidTender(
            "by_hand",
            str(Money.of_minor(sum(amounts.values()), unit)),
            f"{Money.of_minor(wanted, unit)}, what is refunded",
        )
    for tender, amount in amounts.items():
        payment.tender(tender)
        paid = sum(part.covers.minor for _, part, _ in parts if part.tender == tender)
        left = sum(left for _, part, left in parts if part.tender == tender)
        if amount > left:
            asked, had, gone = [
                Money.of_minor(minor, unit) for minor in (amount, paid, paid - left)
            ]
            raise RefundExceedsPaid(payment.order, asked, had, gone, tender)
    names, tenders = list(lines), list(amounts)
    flow = CappedFlow(lines.values(), amounts.values())
    sent = [
        (place, part, left)
        for place, part, left in reversed(parts)
        if part.line in lines and part.tender in amounts
    ]
    for _, part, left in sent:
        flow.send([names.index(part.line)], left, under=(tenders.index(part.tender),))
    flow.settle()
    claims = {
        place: flow.total(number) for number, (place, _, _) in enumerate(sent) if flow.total(number)
    }
    for tender, amount in amounts.items():
        used = sum(claims.get(place, 0) for place, part, _ in parts if part.tender == tender)
        more = min(amount - used, free)
        open_parts = [
            (place, part, left - claims.get(place, 0))
            for place, part, left in parts
            if part.tender == tender
        ]
        for place, step in over_lines(open_parts, more).items():
            claims[place] = claims.get(place, 0) + step
        free -= more
    return claims, wanted - sum(claims.values())
