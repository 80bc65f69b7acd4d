"""Telling why: the reasons of a plan, lot by lot and tender by tender (T2)."""

from collections.abc import Iterator

from storecredit.tenders.case import World
from storecredit.tenders.order import Order
from storecredit.tenders.placing import Placed
from storecredit.tenders.purse import Purse
from storecredit.tenders.reasons import Reason, Why
from storecredit.tenders.settling import Settled
from storecredit.tenders.tender import AlreadyPaid, Coupon, Credit
from storecredit.values import Money


def reasons_of(order: Order, world: World, settled: Settled) -> Iterator[Reason]:
    """Yield the reasons: of prices and discounts, then tender by tender, then of what is short."""
    for place, line in enumerate(order.lines):
        if len(line.prices) > 1:
            yield Reason(why=Why.PRICE_CHOSEN, line=line.id, price=settled.chosen[place])
    for unit, costs in settled.costs.items():
        for discount, shares in zip(order.discounts, costs.discounts, strict=True):
            if shares:
                off = Money.of_minor(sum(shares.values()), unit)
                yield Reason(why=Why.DISCOUNTED, tender=discount.id, amount=off)
    for place, tender in enumerate(world.tenders):
        if isinstance(tender, Credit):
            yield from _of_purse(world.purses[place], world, settled)
        elif isinstance(tender, Coupon | AlreadyPaid):
            yield from _of_amount(place, tender, settled)
        else:
            for unit, placed in settled.placed.items():
                for charged, amount in placed.charges:
                    if charged == place:
                        money = Money.of_minor(amount, unit)
                        yield Reason(why=Why.CHARGED, tender=tender.id, amount=money)
    for unit, placed in settled.placed.items():
        if placed.short:
            yield Reason(why=placed.short_because, amount=Money.of_minor(placed.short, unit))


def _of_amount(place: int, tender: Coupon | AlreadyPaid, settled: Settled) -> Iterator[Reason]:
    placed = settled.placed.get(tender.amount.unit)
    used = 0 if placed is None else placed.total(place)
    unit = tender.amount.unit
    rest = Money.of_minor(tender.amount.minor - used, unit)
    is_paid = isinstance(tender, AlreadyPaid)
    if used:
        why = Why.ALREADY_PAID if is_paid else Why.USED
        yield Reason(why=why, tender=tender.id, amount=Money.of_minor(used, unit))
    if rest.is_positive:
        yield Reason(
            why=Why.OVERPAID if is_paid else Why.PARTLY_USED, tender=tender.id, amount=rest
        )


def _of_purse(purse: Purse, world: World, settled: Settled) -> Iterator[Reason]:
    tender, unit = purse.tender, purse.tender.account.unit
    cases = [
        placed
        for due, placed in settled.placed.items()
        if due == unit or (tender.rate is not None and tender.rate.pays == due)
    ]
    yield from _of_whole(purse, cases)
    unused = {
        lot.id: why
        for placed in cases
        for place, lot, why in placed.case.unused
        if place == purse.place
    }
    reducing: set[str] = {
        source.lot.id
        for placed in cases
        for source in placed.case.sources
        if source.lot is not None and source.reduces
    }
    reducing |= {lot for place, lot in world.reduced if place == purse.place}
    for lot, _ in purse.lots:
        taken = settled.used.get((purse.place, lot.id), 0)
        taken += world.reduced.get((purse.place, lot.id), 0)
        why = Why.REDUCES_THE_PRICE if lot.id in reducing else Why.USED
        if not taken:
            why = unused.get(lot.id) or _left_alone(purse, cases)
        amount = Money.of_minor(taken, unit) if taken else None
        yield Reason(why=why, tender=tender.id, lot=lot.id, amount=amount)
    for lot, why in purse.refused:
        yield Reason(why=why, tender=tender.id, lot=lot.id)
    on_limit = settled.used.get((purse.place, None), 0)
    if on_limit:
        yield Reason(why=Why.USED, tender=tender.id, amount=Money.of_minor(on_limit, unit))


def _of_whole(purse: Purse, cases: list[Placed]) -> Iterator[Reason]:
    """Yield what concerns the whole account."""
    tender, unit = purse.tender, purse.tender.account.unit
    if purse.barred is not None:
        yield Reason(why=purse.barred, tender=tender.id)
    if purse.line < 0:
        back = Money.of_minor(-purse.line, unit)
        yield Reason(why=Why.KEPT_BACK_FOR_OWED, tender=tender.id, amount=back)
    for placed in cases:
        case, place = placed.case, purse.place
        if place in case.barred:
            rule = case.world.rules[unit]
            why = case.barred[place]
            amount = rule.minimum_balance if why is Why.MINIMUM_BALANCE else rule.minimum_order
            yield Reason(why=why, tender=tender.id, amount=amount)
        caps = [cap for cap in (case.caps.get(place), case.shared.get(unit)) if cap is not None]
        if caps:
            within = Money.of_minor(min(caps), case.unit)
            yield Reason(why=Why.CAPPED, tender=tender.id, amount=within)
        if place in placed.lowered:
            why, less = placed.lowered[place]
            yield Reason(why=why, tender=tender.id, amount=Money.of_minor(less, case.unit))


def _left_alone(purse: Purse, cases: list[Placed]) -> Why:
    """Return why a lot that could have paid something was left alone."""
    due = [placed for placed in cases if any(placed.case.due)]
    if not due:
        return Why.NOTHING_DUE
    barred = [
        placed.case.barred[purse.place] for placed in due if purse.place in placed.case.barred
    ]
    if barred:
        return barred[0]
    if not any(any(placed.left) for placed in due):
        return Why.NOT_NEEDED
    capped = any(
        purse.place in placed.lowered
        or purse.place in placed.case.caps
        or purse.tender.account.unit in placed.case.shared
        for placed in due
    )
    return Why.CAPPED if capped else Why.NO_LINE_LEFT
