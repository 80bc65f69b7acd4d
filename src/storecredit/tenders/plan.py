"""The plan of a payment: what each tender pays of each line, what is left, and why (T2)."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, final

import attrs

from storecredit.ledger.canonical import canonical
from storecredit.ledger.terms import Funding, Line
from storecredit.tenders.json_form import read_form, write_form
from storecredit.tenders.lines import LineKind
from storecredit.tenders.reasons import Reason
from storecredit.tenders.rules import Aim, Choosing
from storecredit.tenders.tender import TenderKind
from storecredit.values import AnyMoney, Balance, Money


def _money(amount: AnyMoney) -> Money:
    return Money.coerce(amount)


@final
@attrs.frozen(kw_only=True)
class PlannedLine:
    """
    One line as the plan sees it; in every unit, price = discounted + reduced + due.

    What is taxed is the price less what is discounted and reduced: `taxable` (T4).
    """

    id: str
    kind: LineKind
    quantity: int = 1
    category: str | None = None
    chosen: int = 0
    """Which of the line's prices was chosen, from 0."""
    price: tuple[Money, ...]
    """The price that was chosen, one amount for each unit."""
    discounted: tuple[Money, ...] = ()
    """What discounts take off, one amount for each unit in which they do."""
    reduced: tuple[Money, ...] = ()
    """What lots whose funding is taxed as a discount take off (A11)."""
    due: tuple[Money, ...]
    """What tenders have to pay, one amount for each unit of the price."""

    @property
    def taxable(self) -> Balance:
        """The price after everything that tax sees as a discount; tenders do not lower it (T4)."""
        return Balance.of(*self.price) - Balance.of(*self.discounted) - Balance.of(*self.reduced)


@final
@attrs.frozen(kw_only=True)
class PlanPart:
    """What one tender, and of credit one lot, pays of one line."""

    tender: str
    line: str
    lot: str | None = None
    """The lot; None for what is no credit, and for what the holder comes to owe (A9)."""
    amount: Money
    """What is taken, in the unit of the tender."""
    covers: Money
    """What that pays, in the unit that is due: another one where a frozen rate applies (T1)."""
    funding: Funding | None = None
    """Who paid for the lot."""


@final
@attrs.frozen(kw_only=True)
class PlannedTender:
    """One tender as the plan sees it."""

    id: str
    kind: TenderKind
    account: str | None = None
    """The account that pays, for credit and codes."""
    takes_back: bool = True
    """Whether a refund can go back to it."""
    is_paid: bool = False
    """Whether it has been paid before the plan."""


@final
@attrs.frozen
class Charge:
    """What the host has to charge an external tender."""

    tender: str
    amount: Money


@final
@attrs.frozen
class SeenVersion:
    """The version of an account that the plan was made from."""

    account: str
    version: int


@final
@attrs.frozen
class LineAmount:
    """
    An amount of a line.

    Raises:
        ArgumentRefused: It is no money.
    """

    line: str
    amount: Money = attrs.field(converter=_money)


@final
@attrs.frozen(kw_only=True)
class PaymentPlan:
    """
    How an order is paid. Nothing has happened yet.

    Per line and unit, what the parts cover, the external charges among them, and what is short sum
    to what is due. `to_json` and `from_json` keep everything.
    """

    order: str
    merchant: str
    at: datetime
    """The instant that decided which lots count."""
    channel: str | None = None
    lines: tuple[PlannedLine, ...]
    tenders: tuple[PlannedTender, ...]
    """In the order of use; those that pay nothing too."""
    parts: tuple[PlanPart, ...]
    """By tender in the order of use, its lots in the order of use, then line by line."""
    reductions: tuple[PlanPart, ...] = ()
    """Lots that lower prices instead of paying, because tax sees them as discounts (T4)."""
    charges: tuple[Charge, ...] = ()
    """What the host has to charge, by tender and unit; nothing of what is paid already."""
    short: tuple[LineAmount, ...] = ()
    """What stays unpaid, line by line; the reasons say why."""
    overpaid: tuple[Money, ...] = ()
    """What was paid already beyond what is due, by unit: to be given back."""
    reasons: tuple[Reason, ...] = ()
    """Why, for every lot and tender of which anything was to be decided."""
    versions: tuple[SeenVersion, ...] = ()
    """What the plan saw: the ledger refuses to carry it out once an account has moved on."""
    choosing: Choosing = Choosing.AS_ASKED
    """How prices were chosen; whether another choice could be better."""
    aim: Aim | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing stays unpaid."""
        return not self.short

    @property
    def due(self) -> Balance:
        """What tenders have to pay in all."""
        return Balance.of(*(amount for line in self.lines for amount in line.due))

    @property
    def external(self) -> Balance:
        """What the external tenders are still to be charged."""
        return Balance.of(*(charge.amount for charge in self.charges))

    @property
    def shortage(self) -> Balance:
        """What stays unpaid."""
        return Balance.of(*(each.amount for each in self.short))

    def taken(self, tender: str) -> Balance:
        """Return what is taken of *tender*, price reductions included, in its own unit."""
        return Balance.of(
            *(part.amount for part in (*self.reductions, *self.parts) if part.tender == tender)
        )

    def draws(
        self, tender: str, *, lines: Collection[str] | None = None
    ) -> tuple[tuple[str | None, Money], ...]:
        """
        Return what is taken of each lot of *tender*, in the order of use.

        For all lines that is what to hold, for some *lines* what to capture with them.
        """
        found: dict[str | None, Money] = {}
        for part in (*self.reductions, *self.parts):
            if part.tender == tender and (lines is None or part.line in lines):
                before = found.get(part.lot)
                found[part.lot] = part.amount if before is None else before + part.amount
        return tuple((lot, amount) for lot, amount in found.items() if amount.is_positive)

    def ledger_lines(self, unit: str) -> tuple[Line, ...]:
        """
        Return the lines in the unit with that code, for the commands that carry the plan out.

        They count what lots reduce too, as the placement did, so that limits of lots are met.
        """
        found = list[Line]()
        for line in self.lines:
            reduced = {amount.unit: amount for amount in line.reduced}
            for due in line.due:
                if due.unit.code == unit:
                    whole = due + reduced[due.unit] if due.unit in reduced else due
                    found.append(Line(id=line.id, amount=whole, category=line.category))
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "PaymentPlan":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)


def digest_of(plan: PaymentPlan) -> str:
    """Return the SHA-256 of the plan's canonical JSON form, in hexadecimal digits."""
    return hashlib.sha256(canonical(plan.to_json()).encode()).hexdigest()
