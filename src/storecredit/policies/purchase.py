"""What was bought, as far as points are earned on it: lines, and what credit paid of them (P4)."""

from collections.abc import Iterable
from datetime import datetime
from typing import final

import attrs

from storecredit.errors import InvalidOrder
from storecredit.ledger.arguments import as_money, one_of, texts
from storecredit.ledger.texts import require_text
from storecredit.policies.given import tuple_of
from storecredit.tenders import LineKind, PaymentPlan, RefundPlan
from storecredit.tenders.lines import listed
from storecredit.values import AnyMoney, Balance, Money, Unit, instant


def _kind(kind: LineKind | str) -> LineKind:
    return one_of(LineKind, "kind", kind)


def _credit(credit: AnyMoney | None) -> Money | None:
    return None if credit is None else as_money(credit)


@final
@attrs.frozen(kw_only=True)
class PurchaseLine:
    """
    One line of what was bought, as it was paid.

    Raises:
        ArgumentRefused: An amount is no money.
        InvalidOrder: A negative amount, or credit that is negative, more than the line, or in
            another unit.
        InvalidTerms: There is no such kind of line.
        InvalidText: A text that cannot be kept.
    """

    id: str
    amount: Money = attrs.field(converter=as_money)
    """What was paid for the line in all, by whatever tender: nothing or more."""
    kind: LineKind = attrs.field(default=LineKind.GOODS, converter=_kind)
    category: str | None = None
    credit: Money | None = attrs.field(default=None, converter=_credit)
    """What credit paid of it; None for nothing."""

    def __attrs_post_init__(self) -> None:
        require_text("line.id", self.id)
        if self.category is not None:
            require_text("line.category", self.category)
        if self.amount.is_negative:
            raise InvalidOrder("line.amount", str(self.amount), "zero or more")
        if self.credit is not None and (
            self.credit.unit != self.amount.unit
            or self.credit.is_negative
            or self.credit > self.amount
        ):
            expected = f"from nothing up to {self.amount}, the line"
            raise InvalidOrder("line.credit", str(self.credit), expected)

    @property
    def by_credit(self) -> Money:
        """What credit paid of the line."""
        return Money.zero(self.amount.unit) if self.credit is None else self.credit

    @property
    def by_others(self) -> Money:
        """What was paid of the line by anything else."""
        return self.amount if self.credit is None else self.amount - self.credit


@final
@attrs.frozen(kw_only=True)
class Returned:
    """
    What comes back of one line.

    Raises:
        ArgumentRefused: An amount is no money.
    """

    line: str
    amount: Money = attrs.field(converter=as_money)
    """What is given back for it, by whatever tender."""
    credit: Money | None = attrs.field(default=None, converter=_credit)
    """What of that goes back as credit; None for in proportion to what is left of both (V5)."""


def as_returned(returned: Iterable[Returned] | Returned) -> tuple[Returned, ...]:
    """
    Return what comes back as a tuple: it may be one line alone.

    Raises:
        InvalidTerms: It is no list of `Returned`.
    """
    back = (returned,) if isinstance(returned, Returned) else returned
    return tuple_of("returned", Returned, back)


def _lines(lines: Iterable[PurchaseLine]) -> tuple[PurchaseLine, ...]:
    found = listed("lines", lines, PurchaseLine)
    if not found:
        raise InvalidOrder("lines", lines, "a list of PurchaseLine, one at least")
    names = [line.id for line in found]
    if len(set(names)) < len(names):
        raise InvalidOrder("lines", names, "lines that are named once each")
    units = {line.amount.unit for line in found}
    if len(units) > 1:
        written = ", ".join(sorted(unit.code for unit in units))
        raise InvalidOrder("lines", written, "in one unit: earn once for each")
    return found


def _segments(segments: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts("segments", segments)))


def _instant(at: datetime | None) -> datetime | None:
    return None if at is None else instant(at)


@final
@attrs.frozen(kw_only=True)
class Purchase:
    """
    One order, as it was paid, and by whom. The facts are the host's, and are believed.

    Raises:
        InvalidOrder: No lines, a line named twice, several units, or delivery before the purchase.
        InvalidTerms, InvalidText: A text that cannot be kept.
        NaiveInstant: An instant without a zone.
    """

    order: str
    holder: str
    """Who earns."""
    lines: tuple[PurchaseLine, ...] = attrs.field(converter=_lines)
    at: datetime = attrs.field(converter=instant)
    """When it was bought."""
    delivered_at: datetime | None = attrs.field(default=None, converter=_instant)
    channel: str | None = None
    segments: tuple[str, ...] = attrs.field(default=(), converter=_segments)
    """The groups that the holder was in by then."""

    def __attrs_post_init__(self) -> None:
        require_text("order", self.order)
        require_text("holder", self.holder)
        if self.channel is not None:
            require_text("channel", self.channel)
        if self.delivered_at is not None and self.delivered_at < self.at:
            raise InvalidOrder("delivered_at", self.delivered_at, "not before the purchase")

    @property
    def unit(self) -> Unit:
        """What the lines are paid in."""
        return self.lines[0].amount.unit

    def line(self, name: str) -> PurchaseLine:
        """
        Return the line *name*.

        Raises:
            InvalidOrder: There is none.
        """
        for line in self.lines:
            if line.id == name:
                return line
        raise InvalidOrder("line", name, f"one of {', '.join(line.id for line in self.lines)}")

    def sharing_credit(self, credit: AnyMoney) -> "Purchase":
        """
        Return the purchase where *credit* paid a part of the whole, and nobody knows of which line.

        Each line bears its share in proportion to its amount, by largest remainder: exactly *credit*
        in all (V5).

        Raises:
            ArgumentRefused: *credit* is no money.
            InvalidOrder: It is negative, or more than the whole, or in another unit.
        """
        paid = as_money(credit)
        whole = Money.total([line.amount for line in self.lines], self.unit)
        if paid.unit != whole.unit or paid.is_negative or paid > whole:
            raise InvalidOrder("credit", str(paid), f"from nothing up to {whole}, the order")
        if paid.is_zero:
            return self
        shares = paid.allocate([line.amount.minor for line in self.lines])
        pairs = zip(self.lines, shares, strict=True)
        return attrs.evolve(self, lines=[attrs.evolve(line, credit=each) for line, each in pairs])

    def less(self, returned: Iterable[Returned]) -> "Purchase":
        """
        Return what is kept of the purchase after *returned* has come back.

        Raises:
            InvalidOrder: There is no such line, or more comes back of it than there is, of credit
                or in all.
        """
        kept = {line.id: line for line in self.lines}
        for each in returned:
            self.line(each.line)
            kept[each.line] = _less(kept[each.line], each)
        return attrs.evolve(self, lines=kept.values())


def _less(line: PurchaseLine, back: Returned) -> PurchaseLine:
    if back.amount.unit != line.amount.unit or (
        back.amount.is_negative or back.amount > line.amount
    ):
        expected = f"from nothing up to {line.amount}, what is kept of line {line.id}"
        raise InvalidOrder("returned", str(back.amount), expected)
    credit, others = line.by_credit, line.by_others
    if back.credit is not None:
        of_credit = back.credit
    elif back.amount.is_zero:
        of_credit = back.amount
    else:
        of_credit = back.amount.allocate([credit.minor, others.minor])[0]
    if of_credit.unit != credit.unit or not (
        max(back.amount - others, credit - credit) <= of_credit <= min(credit, back.amount)
    ):
        expected = f"a part of {back.amount} that is within the {credit} that credit paid"
        raise InvalidOrder("returned.credit", str(of_credit), expected)
    left = None if line.credit is None else credit - of_credit
    return attrs.evolve(line, amount=line.amount - back.amount, credit=left)


def purchase_of(
    plan: PaymentPlan,
    *,
    holder: str,
    unit: Unit,
    delivered_at: datetime | None = None,
    segments: Iterable[str] = (),
) -> Purchase:
    """
    Return what *plan* pays in *unit*, for points to be earned on.

    What tenders of the ledger cover of a line is credit, points at a frozen rate included; what tax
    sees as a price reduction is neither paid nor credit (T4). Lines that cost nothing in *unit* are
    there with nothing.

    Raises:
        InvalidOrder: Nothing of the plan is due in *unit*.
        InvalidText, InvalidTerms, NaiveInstant: As `Purchase`.
    """
    if not any(amount.unit == unit for line in plan.lines for amount in line.due):
        raise InvalidOrder("unit", unit.code, "a unit that something of the plan is due in")
    accounts = {tender.id for tender in plan.tenders if tender.account is not None}
    covered: dict[str, list[Money]] = {}
    for part in plan.parts:
        if part.tender in accounts and part.covers.unit == unit:
            covered.setdefault(part.line, []).append(part.covers)
    return Purchase(
        order=plan.order,
        holder=holder,
        lines=[
            PurchaseLine(
                id=line.id,
                amount=Balance.of(*line.due)[unit],
                kind=line.kind,
                category=line.category,
                credit=Money.total(covered[line.id], unit) if line.id in covered else None,
            )
            for line in plan.lines
        ],
        at=plan.at,
        delivered_at=delivered_at,
        channel=plan.channel,
        segments=segments,
    )


def returned_of(refund: RefundPlan, plan: PaymentPlan, *, unit: Unit) -> tuple[Returned, ...]:
    """
    Return what *refund* gives back in *unit* of the purchase that `purchase_of` read from *plan*.

    By line, in the order of the refund; what is kept back of it or forfeited counts as given back.
    Lines of which nothing in *unit* comes back are left out.
    """
    accounts = {tender.id for tender in plan.tenders if tender.account is not None}
    back: dict[str, list[Money]] = {}
    of_credit: dict[str, list[Money]] = {}
    for part in refund.parts:
        if part.covers.unit == unit and not part.is_reduction:
            back.setdefault(part.line, []).append(part.covers)
            if part.tender in accounts:
                of_credit.setdefault(part.line, []).append(part.covers)
    return tuple(
        Returned(
            line=line,
            amount=Money.total(amounts, unit),
            credit=Money.total(of_credit.get(line, []), unit),
        )
        for line, amounts in back.items()
    )
