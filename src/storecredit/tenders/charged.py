"""What charges come to: confirmed, still to be made, and paying for nothing (T5)."""

from collections.abc import Collection, Iterable

from storecredit.tenders.facts import ChargeFact, Stranded
from storecredit.tenders.payment import Answer
from storecredit.tenders.plan import Charge, PaymentPlan
from storecredit.values import Money, Unit


def charged(
    charges: Iterable[ChargeFact], plan: int, tender: str, unit: Unit, answers: Collection[Answer]
) -> int:
    """Return what charges of *tender* under plan number *plan* come to that have these *answers*."""
    return sum(
        charge.kept.minor
        for charge in charges
        if charge.plan == plan
        and charge.tender == tender
        and charge.amount.unit == unit
        and charge.answer in answers
    )


def needed_of(plan: PaymentPlan, tender: str, unit: Unit, lines: Collection[str]) -> int:
    """Return what *tender* pays of *lines* in *unit*, in minor units."""
    return sum(
        part.covers.minor
        for part in plan.parts
        if part.tender == tender and part.covers.unit == unit and part.line in lines
    )


def outstanding(
    plan: PaymentPlan, charges: Collection[ChargeFact], number: int
) -> tuple[Charge, ...]:
    """Return what *plan* asks the host to charge, less what is confirmed or on its way."""
    found = []
    on_its_way = (Answer.CONFIRMED, Answer.PENDING)
    for planned in plan.charges:
        unit = planned.amount.unit
        made = charged(charges, number, planned.tender, unit, on_its_way)
        if made < planned.amount.minor:
            rest = Money.of_minor(planned.amount.minor - made, unit)
            found.append(Charge(planned.tender, rest))
    return tuple(found)


def stranded(
    plan: PaymentPlan, charges: Collection[ChargeFact], number: int, lines: Collection[str]
) -> tuple[Stranded, ...]:
    """Return the confirmed charges as far as they pay for nothing of *lines*."""
    left: dict[tuple[str, Unit], int] = {}
    found = []
    for charge in charges:
        if charge.answer is not Answer.CONFIRMED:
            continue
        # An earlier plan's charge is a tender of its own in this plan, or nothing.
        of = charge.tender if charge.plan == number else charge.id
        unit = charge.amount.unit
        needed = left.get((of, unit))
        if needed is None:
            needed = needed_of(plan, of, unit, lines)
        kept = min(needed, charge.kept.minor)
        left[of, unit] = needed - kept
        if kept < charge.kept.minor:
            amount = Money.of_minor(charge.kept.minor - kept, unit)
            total = amount if charge.given_back is None else charge.given_back + amount
            found.append(Stranded(charge.id, charge.tender, amount, total))
    return tuple(found)
