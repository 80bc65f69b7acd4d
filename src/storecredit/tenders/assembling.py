"""Assembling a plan: the numbers of a settlement as parts, charges, shortages and reasons (T2)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, final

from storecredit.tenders.case import Source, World
from storecredit.tenders.order import Order
from storecredit.tenders.placing import Placed, points_taken
from storecredit.tenders.plan import (
    Charge,
    LineAmount,
    PaymentPlan,
    PlannedLine,
    PlannedTender,
    PlanPart,
    SeenVersion,
)
from storecredit.tenders.rules import Aim, Choosing
from storecredit.tenders.settling import Settled
from storecredit.tenders.sharing import spread_over_lines
from storecredit.tenders.telling import reasons_of
from storecredit.tenders.tender import AlreadyPaid, Credit, Tender, kind_of, takes_back
from storecredit.values import Balance, Money, Unit
from storecredit.values.apportion import Division, apportion


def assemble(
    order: Order,
    world: World,
    settled: Settled,
    earlier: tuple[PlanPart, ...],
    *,
    merchant: str,
    at: datetime,
    choosing: Choosing,
    aim: Aim | None,
) -> PaymentPlan:
    """Write the plan down; *earlier* are the reductions that were settled before it."""
    sheet = _Sheet(order, world)
    for unit, placed in settled.placed.items():
        sheet.enter(unit, placed)
    sheet.parts.sort(key=lambda placed_part: placed_part[0])
    return PaymentPlan(
        order=order.id,
        merchant=merchant,
        at=at,
        channel=world.channel,
        lines=tuple(_planned_lines(order, settled, sheet)),
        tenders=tuple([_planned_tender(tender) for tender in world.tenders]),
        parts=tuple([part for _, part in sheet.parts]),
        reductions=(*earlier, *sheet.reductions),
        charges=tuple(sheet.charges),
        short=tuple(sheet.short),
        overpaid=_overpaid(world, settled),
        reasons=tuple(reasons_of(order, world, settled)),
        versions=tuple(
            [
                SeenVersion(purse.tender.account.id, purse.tender.account.version)
                for purse in world.purses.values()
            ]
        ),
        choosing=choosing,
        aim=aim,
    )


@final
class _Sheet:
    """What the plan lists, while unit after unit is entered."""

    def __init__(self, order: Order, world: World) -> None:
        self._order: Final = order
        self._world: Final = world
        self.parts: Final[list[tuple[int, PlanPart]]] = []
        """Each with the position of its tender."""
        self.reductions: Final[list[PlanPart]] = []
        self.reduced: Final[dict[tuple[Unit, int], int]] = {}
        """By unit and line, what reductions of this plan take off."""
        self.charges: Final[list[Charge]] = []
        self.short: Final[list[LineAmount]] = []

    def enter(self, unit: Unit, placed: Placed) -> None:
        """Enter what happens in one unit."""
        lines, world = self._order.lines, self._world
        paid, outside = spread_over_lines(placed)
        points = {
            place: points_taken(placed, place)
            for place in world.purses
            if placed.case.rate(place) is not None
        }
        for number, source in enumerate(placed.case.sources):
            taken = points.get(source.place)
            whole = None if taken is None else taken.get(number)
            for line, part in self._parts_of(source, paid[number], unit, whole):
                if source.reduces:
                    self.reductions.append(part)
                    key = (unit, line)
                    self.reduced[key] = self.reduced.get(key, 0) + part.covers.minor
                else:
                    self.parts.append((source.place, part))
        *charged, short = outside
        for (place, amount), amounts in zip(placed.charges, charged, strict=True):
            name = world.tenders[place].id
            self.charges.append(Charge(name, Money._trusted(amount, unit)))
            for line, share in sorted(amounts.items()):
                money = Money._trusted(share, unit)
                part = PlanPart(tender=name, line=lines[line].id, amount=money, covers=money)
                self.parts.append((place, part))
        for line, amount in short.items():
            self.short.append(LineAmount(lines[line].id, Money._trusted(amount, unit)))

    def _parts_of(
        self, source: Source, paid: Mapping[int, int], unit: Unit, points: int | None
    ) -> Iterator[tuple[int, PlanPart]]:
        """Yield what *source* pays line by line; *points* is what it gives where a rate applies."""
        tender = self._world.tenders[source.place]
        lot = source.lot
        amounts = sorted(paid.items())
        shares = [amount for _, amount in amounts]
        own = unit
        if points is not None and isinstance(tender, Credit):
            shares = apportion(points, shares, Division.LARGEST_REMAINDER)
            own = tender.account.unit
        for (line, amount), share in zip(amounts, shares, strict=True):
            covers = Money._trusted(amount, unit)
            yield (
                line,
                PlanPart(
                    tender=tender.id,
                    line=self._order.lines[line].id,
                    lot=None if lot is None else lot.id,
                    amount=covers if points is None else Money._trusted(share, own),
                    covers=covers,
                    funding=None if lot is None else lot.terms.funding,
                ),
            )


def _overpaid(world: World, settled: Settled) -> tuple[Money, ...]:
    """Return, by unit, what was paid already beyond what is due."""
    over = list[Money]()
    for place, tender in enumerate(world.tenders):
        if isinstance(tender, AlreadyPaid):
            placed = settled.placed.get(tender.amount.unit)
            used = 0 if placed is None else placed.total(place)
            over.append(Money.of_minor(tender.amount.minor - used, tender.amount.unit))
    return Balance.of(*over).amounts


def _planned_tender(tender: Tender) -> PlannedTender:
    return PlannedTender(
        id=tender.id,
        kind=kind_of(tender),
        account=tender.account.id if isinstance(tender, Credit) else None,
        takes_back=takes_back(tender),
        is_paid=isinstance(tender, AlreadyPaid),
    )


def _planned_lines(order: Order, settled: Settled, sheet: _Sheet) -> Iterator[PlannedLine]:
    money = Money._trusted
    for place, line in enumerate(order.lines):
        price = line.prices[settled.chosen[place]]
        discounted, reduced, due = [], [], []
        for amount in price.amounts:
            unit = amount.unit
            costs = settled.costs[unit]
            off = sum(shares.get(place, 0) for shares in costs.discounts)
            now = sheet.reduced.get((unit, place), 0)
            if off:
                discounted.append(money(off, unit))
            if costs.reduced[place] + now:
                reduced.append(money(costs.reduced[place] + now, unit))
            due.append(money(costs.due[place] - now, unit))
        yield PlannedLine(
            id=line.id,
            kind=line.kind,
            quantity=line.quantity,
            category=line.category,
            chosen=settled.chosen[place],
            price=price.amounts,
            discounted=tuple(discounted),
            reduced=tuple(reduced),
            due=tuple(due),
        )
