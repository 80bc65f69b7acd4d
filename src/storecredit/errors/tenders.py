"""
What can be wrong with an order, its tenders, or the way back of what they paid.

    MisuseError
        InvalidOrder            a price, line, discount or order that cannot be
        InvalidTender           a tender or a rule about tenders that cannot be
        TenderUnitUnused        a tender in a unit in which nothing is due
        UnknownPrice            a choice of price that the line does not have
        UnknownOrderLine        a refund or choice that names a line the order does not have
        UnknownTender           a split by hand or a step that names a tender nobody paid with
    RefusalError
        RefundExceedsPaid       more is refunded than was paid and not returned yet
        QuantityExceedsRest     more pieces come back than were bought and not returned yet
        PlanIncomplete          a plan that leaves something unpaid is to be carried out
        ChargeOutstanding       lines are to be captured that no confirmed charge pays yet
        PaymentStepRefused      a step that the payment's state does not allow
        PaymentStepRepeated     a step's key, or its tender, with other facts than the first time

Every value of a message is an attribute too. The classes pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from storecredit.errors._branches import MisuseError, RefusalError
from storecredit.errors._shown import shown

if TYPE_CHECKING:
    from storecredit.values.balance import Balance
    from storecredit.values.money import Money

__all__ = [
    "ChargeOutstanding",
    "InvalidOrder",
    "InvalidTender",
    "PaymentStepRefused",
    "PaymentStepRepeated",
    "PlanIncomplete",
    "QuantityExceedsRest",
    "RefundExceedsPaid",
    "TenderUnitUnused",
    "UnknownOrderLine",
    "UnknownPrice",
    "UnknownTender",
]


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(shown(name) for name in names[:8]) or "none"


# -- misuse --------------------------------------------------------------------------------


@final
@attrs.define
class InvalidOrder(MisuseError):
    """A price, a line, a discount or an order that cannot be (T1)."""

    field: str
    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.field} is {shown(self.value)}; it has to be {self.expected}."


@final
@attrs.define
class InvalidTender(MisuseError):
    """A tender, or a rule about tenders, that cannot be (T2)."""

    field: str
    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.field} is {shown(self.value)}; it has to be {self.expected}."


@final
@attrs.define
class TenderUnitUnused(MisuseError):
    """A tender or a rule in a unit in which nothing of the order is due (V3)."""

    tender: str
    unit: str
    due_in: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{shown(self.tender)} is in {self.unit}, and the order is due in "
            f"{_listed(self.due_in)}. Nothing is converted by itself: convert() it first, or give "
            "the credit a PayingRate at which its unit pays."
        )


@final
@attrs.define
class UnknownPrice(MisuseError):
    """A choice of price that the line does not have (T1)."""

    line: str
    chosen: object
    prices: int

    def __str__(self) -> str:
        return (
            f"Line {shown(self.line)} has no price number {shown(self.chosen)}: it has "
            f"{self.prices}, counted from 0. Choose one of them, or pass an Aim."
        )


@final
@attrs.define
class UnknownOrderLine(MisuseError):
    """Something names a line that the order does not have."""

    line: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"The order has no line {shown(self.line)}: its lines are {_listed(self.lines)}. "
            "Lines are named by the ids that the order was planned with."
        )


@final
@attrs.define
class UnknownTender(MisuseError):
    """Something names a tender that did not pay."""

    tender: str
    tenders: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Nothing was paid with tender {shown(self.tender)}: the tenders are "
            f"{_listed(self.tenders)}. Name one of them."
        )


# -- refusals ------------------------------------------------------------------------------


@final
@attrs.define
class RefundExceedsPaid(RefusalError):
    """More is refunded than was paid and has not been returned yet (T6)."""

    order: str
    wanted: Money
    paid: Money
    returned: Money
    of: str = ""
    """The line or tender that the cap belongs to; empty for the whole order."""

    def __str__(self) -> str:
        of = f" on {shown(self.of)}" if self.of else ""
        return (
            f"Cannot refund {self.wanted} of order {shown(self.order)}{of}: {self.paid} was paid"
            f"{of}, and {self.returned} of that is returned or on its way. At most "
            f"{self.paid - self.returned} is left. What a customer gets beyond it is goodwill: "
            "issue it as such, or pass beyond=Beyond.AS_GOODWILL to have it planned and flagged."
        )


@final
@attrs.define
class QuantityExceedsRest(RefusalError):
    """More pieces of a line come back than were bought and have not come back yet (T6)."""

    line: str
    wanted: int
    bought: int
    returned: int

    def __str__(self) -> str:
        return (
            f"Cannot take back {self.wanted} of line {shown(self.line)}: {self.bought} were bought "
            f"and {self.returned} came back already. At most {self.bought - self.returned} can."
        )


@final
@attrs.define
class PlanIncomplete(RefusalError):
    """A plan that leaves something unpaid is to be carried out (T2)."""

    order: str
    shortage: Balance

    def __str__(self) -> str:
        return (
            f"Cannot begin to pay order {shown(self.order)}: {self.shortage} of it would stay "
            "unpaid. The plan's reasons say why; add a tender, or change a rule or the cart, and "
            "plan again."
        )


@final
@attrs.define
class ChargeOutstanding(RefusalError):
    """Lines are to be captured that no confirmed charge pays yet (T5)."""

    order: str
    tender: str
    needed: Money
    confirmed: Money

    def __str__(self) -> str:
        return (
            f"Cannot capture order {shown(self.order)}: {self.needed} of these lines is for "
            f"{shown(self.tender)} to pay, and {self.confirmed} is confirmed. Record the answer of "
            "the processor first, or cancel."
        )


@final
@attrs.define
class PaymentStepRefused(RefusalError):
    """A step that the payment's state does not allow (T5)."""

    order: str
    step: str
    state: str
    allowed: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Cannot {self.step} the payment of order {shown(self.order)}: it is {self.state}, "
            f"where only these steps go on: {', '.join(self.allowed) or 'none'}."
        )


@final
@attrs.define
class PaymentStepRepeated(RefusalError):
    """A step comes again with other facts than the first time (T5, A12)."""

    order: str
    step: str
    name: str
    known: str
    given: str

    def __str__(self) -> str:
        return (
            f"{self.step} {shown(self.name)} of order {shown(self.order)} is recorded as "
            f"{self.known}, and now it is said to be {self.given}. A repeat has to say the same; "
            "a new fact needs a key of its own."
        )
