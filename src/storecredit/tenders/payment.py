"""A payment: what every tender paid of every line, and what of it has been returned (T5, T6)."""

import enum
from collections.abc import Iterable, Mapping
from typing import Any, final

import attrs

from storecredit.errors import UnknownOrderLine, UnknownTender
from storecredit.ledger.terms import Funding
from storecredit.tenders.json_form import read_form, write_form
from storecredit.tenders.plan import LineAmount, PaymentPlan, PlannedLine, PlannedTender, PlanPart
from storecredit.values import Balance, Money


@final
class Destination(enum.StrEnum):
    """Where a part of a refund goes. Wherever that is, the part is returned (T6)."""

    TENDER = "tender"
    """Back to the tender that paid: a card, or the lots of an account (A7)."""
    CREDIT = "credit"
    """New credit in place of a tender that does not take it back, or by choice."""
    FORFEITED = "forfeited"
    """Points that the rule does not give back."""
    WITHHELD = "withheld"
    """Kept for earned points that could not be taken back."""


@final
@attrs.frozen(kw_only=True)
class RefundPart:
    """What goes back of what one tender, and of credit one lot, paid of one line."""

    tender: str
    line: str
    lot: str | None = None
    amount: Money
    """What goes back, in the unit of the tender, at the rate of the purchase."""
    covers: Money
    """What of the line that is, in the unit that was due."""
    to: Destination = Destination.TENDER
    funding: Funding | None = None
    """Under which funding credit comes back; None for what goes back as money."""
    is_reduction: bool = False
    """Whether it is value that had lowered the price (T4)."""


@final
class Answer(enum.StrEnum):
    """What a processor says about a charge or a refund."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"


@final
@attrs.frozen
class LineQuantity:
    """How many pieces of a line."""

    line: str
    quantity: int


@final
@attrs.frozen
class ExternalRefund:
    """What the host has to give back through an external tender, under a key of its own."""

    tender: str
    amount: Money
    key: str
    """The same for the same refund and tender, so that the processor knows a repeat (A12)."""
    refund: str
    """The key of the refund that it is a part of."""


@final
@attrs.frozen(kw_only=True)
class Return:
    """One refund of a payment, as carried out: what it returned, or reserves until it is known."""

    id: str
    """The refund's key."""
    parts: tuple[RefundPart, ...]
    quantities: tuple[LineQuantity, ...] = ()
    taken_back: tuple[LineAmount, ...] = ()
    """Of the points that the order had earned, what was taken back or made up for, by line."""
    goodwill: tuple[Money, ...] = ()
    """What went beyond what was paid."""
    external: tuple[str, ...] = ()
    """The tenders that the host has to give something back through."""
    pending: tuple[str, ...] = ()
    """Those of them that have not answered yet: their parts are reserved."""
    failed: tuple[str, ...] = ()
    """Those that gave nothing back: their parts are free again."""

    def is_of(self, other: "Return") -> bool:
        """Tell whether *other* asks for the same, whatever is known of the answers by now."""
        mine, theirs = (
            (each.parts, each.quantities, each.taken_back, each.goodwill) for each in (self, other)
        )
        return mine == theirs

    def counts(self, part: RefundPart) -> bool:
        """Tell whether *part* is returned or reserved."""
        return part.to is not Destination.TENDER or part.tender not in self.failed

    @property
    def instructions(self) -> tuple[ExternalRefund, ...]:
        """What the host has to give back and has no answer about, by tender and unit, with keys."""
        found = list[ExternalRefund]()
        for tender in self.pending:
            amounts = [
                part.amount
                for part in self.parts
                if part.tender == tender and part.to is Destination.TENDER
            ]
            found += [
                ExternalRefund(tender, amount, refund_key(self.id, tender, amount), self.id)
                for amount in Balance.of(*amounts)
            ]
        return tuple(found)

    def answer_of(self, tender: str) -> Answer:
        """Return what is known of the part that goes back through *tender*."""
        if tender in self.pending:
            return Answer.PENDING
        return Answer.FAILED if tender in self.failed else Answer.CONFIRMED


def refund_key(key: str, tender: str, amount: Money) -> str:
    """Return the key under which a processor is asked to give back a part of the refund *key*."""
    return f"{key}/{tender}/{amount.unit.code}"


@final
@attrs.frozen(kw_only=True)
class Payment:
    """
    What was paid of an order, and what has gone back.

    It is made of the parts of a plan that were carried out. `to_json` and `from_json` keep
    everything.
    """

    order: str
    merchant: str
    lines: tuple[PlannedLine, ...]
    tenders: tuple[PlannedTender, ...]
    """In the order in which they paid."""
    parts: tuple[PlanPart, ...]
    """In the order in which they were drawn."""
    reductions: tuple[PlanPart, ...] = ()
    """Lots that lowered prices; they come back in proportion."""
    returns: tuple[Return, ...] = ()

    @classmethod
    def of(cls, plan: PaymentPlan, *, lines: Iterable[str] | None = None) -> "Payment":
        """
        Return what is paid once *plan* is carried out, whole or for some *lines* only.

        Raises:
            UnknownOrderLine: The plan has no such line.
        """
        known = [line.id for line in plan.lines]
        wanted = set(known if lines is None else lines)
        for line in wanted:
            if line not in known:
                raise UnknownOrderLine(line, tuple(known))
        return cls(
            order=plan.order,
            merchant=plan.merchant,
            lines=tuple(line for line in plan.lines if line.id in wanted),
            tenders=plan.tenders,
            parts=tuple(part for part in plan.parts if part.line in wanted),
            reductions=tuple(part for part in plan.reductions if part.line in wanted),
        )

    @property
    def paid(self) -> Balance:
        """What was paid, in the units that were due."""
        return Balance.of(*(part.covers for part in self.parts))

    @property
    def returned(self) -> Balance:
        """What is returned or on its way, in the units that were due."""
        return Balance.of(
            *(
                part.covers
                for each in self.returns
                for part in each.parts
                if each.counts(part) and not part.is_reduction
            )
        )

    def tender(self, tender: str) -> PlannedTender:
        """
        Return the tender with that id.

        Raises:
            UnknownTender: There is none.
        """
        for each in self.tenders:
            if each.id == tender:
                return each
        raise UnknownTender(tender, tuple(each.id for each in self.tenders))

    def line(self, line: str) -> PlannedLine:
        """
        Return the line with that id.

        Raises:
            UnknownOrderLine: There is none.
        """
        for each in self.lines:
            if each.id == line:
                return each
        raise UnknownOrderLine(line, tuple(each.id for each in self.lines))

    def with_return(self, returned: Return) -> "Payment":
        """Return the payment with one refund more, or with what is known of it by now."""
        others = [each for each in self.returns if each.id != returned.id]
        if len(others) == len(self.returns):
            return attrs.evolve(self, returns=(*self.returns, returned))
        return attrs.evolve(
            self,
            returns=tuple(returned if each.id == returned.id else each for each in self.returns),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the payment as JSON data."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "Payment":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)
