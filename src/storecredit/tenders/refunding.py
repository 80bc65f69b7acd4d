"""Planning a refund: spreading what comes back over the tenders that paid it (T6)."""

from collections.abc import Mapping
from typing import Final, final

import attrs

from storecredit.errors import InvalidTender
from storecredit.ledger.terms import Funding
from storecredit.tenders.asking import Asked, is_gift_card
from storecredit.tenders.clawing import claw_back
from storecredit.tenders.payment import Destination, Payment, RefundPart
from storecredit.tenders.plan import PlanPart
from storecredit.tenders.refund_plan import RefundPlan, Unplaced, UnplacedBecause
from storecredit.tenders.refund_request import RefundRequest
from storecredit.tenders.refund_rules import (
    Earned,
    Payout,
    PointsRule,
    Redirect,
    RefundRules,
    TenderRule,
)
from storecredit.tenders.rest import is_at_rate, refund_of
from storecredit.tenders.spreading import by_hand, over_tenders, share_of
from storecredit.tenders.tender import TenderKind
from storecredit.values import AnyMoney, Balance, CustomUnit, Money, Unit

DEFAULT_RULES: Final = RefundRules()


def plan_refund(
    payment: Payment,
    request: RefundRequest,
    *,
    rules: RefundRules = DEFAULT_RULES,
    unspent: Mapping[str, AnyMoney | Balance] | None = None,
    earned: Earned | None = None,
) -> RefundPlan:
    """
    Plan how a refund of *payment* goes back. Nothing happens: the plan is data.

    Line by line, no tender gets more than it paid of the line less what went back or is on its way
    back. Any number of refunds of any lines, in any order, ends at exactly what was paid (V5).

    Args:
        payment: What was paid, and what has been returned so far.

        request: What is to be refunded.

        rules: How it is spread.

        unspent: For lines that are gift cards, what is left on them, in the units they were bought in:
            no more comes back (A7). What is not named has nothing left.

        earned: Points that the order earned, to be taken back in proportion or in full.

    Raises:
        UnknownOrderLine: The payment has no such line.
        QuantityExceedsRest: More pieces than have not come back yet.
        RefundExceedsPaid: More than was paid and not returned, and the rules refuse that.
        UnknownTender: A tender named by hand did not pay.
        InvalidTender: The amounts by hand are not what is refunded, or what is earned is another
            thing.
        ArgumentRefused: What is unspent is no money.
    """
    if earned is not None and not isinstance(earned, Earned):
        raise InvalidTender("earned", earned, "an Earned, as from StoreCredit.earned()")
    asked = Asked(payment, rules.beyond, {} if unspent is None else unspent)
    for item in request.items:
        asked.add_item(item)
    for amount in request.amounts:
        asked.add_amount(amount)
    desk = _Desk(payment, rules, asked)
    parts = desk.spread()
    taken_back, missing, parts = claw_back(asked.rest, parts, earned, rules.shortfall)
    return RefundPlan(
        order=payment.order,
        merchant=payment.merchant,
        parts=tuple(parts),
        quantities=tuple(asked.quantities),
        unplaced=tuple(asked.unplaced),
        goodwill=Balance.of(*asked.goodwill).amounts,
        taken_back=taken_back,
        missing=missing,
    )


@final
class _Desk:
    """Where what is asked for becomes parts, tender by tender."""

    def __init__(self, payment: Payment, rules: RefundRules, asked: Asked) -> None:
        self._payment: Final = payment
        self._rules: Final = rules
        self._asked: Final = asked
        self._rest: Final = asked.rest

    def spread(self) -> list[RefundPart]:
        """Spread what comes back over the parts that paid it."""
        claims: dict[int, int] = {}
        units = dict.fromkeys([*[unit for _, unit in self._asked.lines], *self._asked.free])
        for unit in units:
            lines = {line: share for (line, of), share in self._asked.lines.items() if of == unit}
            if self._rules.tenders is TenderRule.BY_HAND:
                claims |= self._by_hand(unit, lines)
                continue
            for line, share in lines.items():
                self._claim(claims, [part.line == line for part in self._rest.parts], unit, share)
            if unit in self._asked.free:
                off = [not is_gift_card(self._payment, part.line) for part in self._rest.parts]
                self._claim(claims, off, unit, self._asked.free[unit])
        self._claim_reductions(claims)
        return [*self._parts_of(claims), *self._reduction_parts()]

    def _claim(self, claims: dict[int, int], among: list[bool], unit: Unit, amount: int) -> None:
        """Add to *claims* how *amount* is spread over the parts that are *among* it."""
        parts = [
            (place, part, left - claims.get(place, 0))
            for place, part, left in self._open(unit)
            if among[place]
        ]
        more = over_tenders(
            self._payment, parts, amount, tenders=self._rules.tenders, points=self._rules.points
        )
        for place, step in more.items():
            claims[place] = claims.get(place, 0) + step

    def _by_hand(self, unit: Unit, lines: Mapping[str, int]) -> dict[int, int]:
        amounts = {
            tender: amount.minor
            for tender, amount in self._rules.by_hand.items()
            if amount.unit == unit
        }
        free = self._asked.free.get(unit, 0)
        claims, short = by_hand(
            self._payment, self._open(unit), lines=lines, free=free, amounts=amounts, unit=unit
        )
        if short:
            self._asked.unplaced.append(
                Unplaced(
                    amount=Money.of_minor(short, unit), because=UnplacedBecause.NOT_PAID_BY_THESE
                )
            )
        return claims

    def _open(self, unit: Unit) -> list[tuple[int, PlanPart, int]]:
        """Return the parts in *unit* with their positions and what is left of them."""
        return [
            (place, part, left)
            for place, part in enumerate(self._rest.parts)
            if part.covers.unit == unit and (left := self._rest.of(part))
        ]

    def _claim_reductions(self, claims: Mapping[int, int]) -> None:
        """Let lots that lowered a price come back as far as amounts of its line do (T4)."""
        for part in self._rest.reductions:
            unit = part.covers.unit
            if part in self._asked.reductions:
                continue
            places = [
                place
                for place, each in enumerate(self._rest.parts)
                if each.line == part.line and each.covers.unit == unit
            ]
            left = sum(self._rest.of(self._rest.parts[place]) for place in places)
            back = sum(claims.get(place, 0) for place in places)
            if back:
                rest = self._rest.of(part, is_reduction=True)
                self._asked.reductions[part] = share_of(rest, [back, left - back])[0]

    def _parts_of(self, claims: Mapping[int, int]) -> list[RefundPart]:
        """Turn claims into parts, with the points that go back at the rate of the purchase."""
        found = list[RefundPart]()
        at_rate: dict[tuple[str, Unit], dict[int, int]] = {}
        for place in sorted(claims):
            part = self._rest.parts[place]
            to = self._destination(part)
            if to is None:
                self._asked.unplaced.append(
                    Unplaced(
                        amount=Money.of_minor(claims[place], part.covers.unit),
                        because=UnplacedBecause.TAKES_NOTHING_BACK,
                        line=part.line,
                        tender=part.tender,
                    )
                )
            elif is_at_rate(part):
                at_rate.setdefault((part.tender, part.covers.unit), {})[place] = claims[place]
            else:
                found.append(self._sent(refund_of(part, claims[place]), to))
        for taken in at_rate.values():
            found += self._at_rate(taken)
        return found

    def _at_rate(self, claims: Mapping[int, int]) -> list[RefundPart]:
        """
        Return the parts of a tender that paid at a frozen rate.

        As many points come back as what is refunded is of what is left (T1, V5): first into the
        lots that paid these lines, then into the others, last drawn first (A7).
        """
        parts = [self._rest.parts[place] for place in claims]
        tender, to = parts[0].tender, self._destination(parts[0]) or Destination.TENDER
        unit = parts[0].amount.unit
        left = sum(
            self._rest.of(part)
            for part in self._rest.parts
            if part.tender == tender and is_at_rate(part)
        )
        back = sum(claims.values())
        points = self._rest.points_of(tender)
        due = share_of(sum(points.values()), [back, left - back])[0]
        paying = {part.lot for part in parts}
        lots = [lot for lot in reversed(points) if lot in paying]
        lots += [lot for lot in reversed(points) if lot not in paying]
        given = dict[str | None, int]()
        for lot in lots:
            given[lot] = min(points[lot], due)
            due -= given[lot]
        found = list[RefundPart]()
        for part, share in zip(parts, claims.values(), strict=True):
            amount = Money.of_minor(given.pop(part.lot, 0), unit)
            found.append(self._sent(refund_of(part, share, amount=amount), to))
        for part in self._rest.parts:
            if part.tender == tender and is_at_rate(part) and given.get(part.lot):
                amount = Money.of_minor(given.pop(part.lot), unit)
                found.append(self._sent(refund_of(part, 0, amount=amount), to))
        return found

    def _reduction_parts(self) -> list[RefundPart]:
        return [
            attrs.evolve(refund_of(part, share), is_reduction=True)
            for part, share in self._asked.reductions.items()
            if share
        ]

    def _destination(self, part: PlanPart) -> Destination | None:
        """Return where what comes back of *part* goes; None for nowhere."""
        tender = self._payment.tender(part.tender)
        is_credit = tender.kind in (TenderKind.CREDIT, TenderKind.CODE)
        if (
            self._rules.points is PointsRule.FORFEIT
            and is_credit
            and isinstance(part.amount.unit, CustomUnit)
        ):
            return Destination.FORFEITED
        if self._rules.payout is Payout.CREDIT and not is_credit:
            return Destination.CREDIT
        if tender.takes_back and tender.id not in self._rules.closed:
            return Destination.TENDER
        return Destination.CREDIT if self._rules.redirect is Redirect.TO_CREDIT else None

    def _sent(self, part: RefundPart, to: Destination) -> RefundPart:
        """Return *part* on its way; new credit has the funding of what it replaces (A7, A11)."""
        funding = part.funding
        if to is Destination.CREDIT and funding is None:
            kind = self._payment.tender(part.tender).kind
            funding = Funding.PROMOTIONAL if kind is TenderKind.COUPON else Funding.REFUND
        return attrs.evolve(part, to=to, funding=funding)
