"""
What can be wrong with an order, its tenders, or the way back of what they paid.

    MisuseError
        InvalidOrder            a price, line, discount or order that cannot be
        InvalidTender           a tender or a rule about tenders that cannot be
        TenderUnitUnused        a tender in a unit in which nothing is due
        UnknownPrice            a choice of price that the line does not have
        UnknownOrderLine        a refund or choice that names a line the order does not have
        UnknownTender           a split by hand or a step that names a tender nobody paid with
        UnknownPayment          a step of an order whose payment was never begun
        UnknownPaymentStep      an answer about a charge or refund that was never recorded
        ForeignPlan             a plan of another merchant, or a refund of another order
        RefundNeedsHolder       new credit from a refund, and nobody to give it to
    RefusalError
        RefundExceedsPaid       more is refunded than was paid and not returned yet
        QuantityExceedsRest     more pieces come back than were bought and not returned yet
        PlanIncomplete          a plan that leaves something unpaid is to be carried out
        ChargeExceedsDue        more is to be charged than is outstanding
        ChargePending           a new plan, while nobody knows whether a charge was made
        GivesBackTooMuch        more is given back of a charge than pays for nothing
        ChargeOutstanding       lines are to be captured that no confirmed charge pays yet
        PaymentStepRefused      a step that the payment's state does not allow
        PaymentStepRepeated     a step's key, or its tender, with other facts than the first time
        PaymentHoldLost         a hold lapsed or was released before it was captured
        EarnedChanged           other points are due to go than a refund was planned with
        GiftCardChanged         a bought gift card that was used since its refund was planned
    ConflictError
        PlanOutdated            an account has moved on since the plan was made

Every value of a message is an attribute too. The classes pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import attrs

from storecredit.errors._branches import ConflictError, MisuseError, RefusalError
from storecredit.errors._shown import shown

if TYPE_CHECKING:
    from storecredit.values.balance import Balance
    from storecredit.values.money import Money

__all__ = [
    "ChargeExceedsDue",
    "ChargeOutstanding",
    "ChargePending",
    "EarnedChanged",
    "ForeignPlan",
    "GiftCardChanged",
    "GivesBackTooMuch",
    "InvalidOrder",
    "InvalidTender",
    "PaymentHoldLost",
    "PaymentStepRefused",
    "PaymentStepRepeated",
    "PlanIncomplete",
    "PlanOutdated",
    "QuantityExceedsRest",
    "RefundExceedsPaid",
    "RefundNeedsHolder",
    "TenderUnitUnused",
    "UnknownOrderLine",
    "UnknownPayment",
    "UnknownPaymentStep",
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


@final
@attrs.define
class UnknownPayment(MisuseError):
    """Something is to be done about an order whose payment was never begun (T5)."""

    order: str

    def __str__(self) -> str:
        return (
            f"No payment of order {shown(self.order)} was begun with this merchant. Plan it with "
            "plan_payment() and begin with begin_checkout()."
        )


@final
@attrs.define
class UnknownPaymentStep(MisuseError):
    """Something is said about a charge or a refund that the payment does not know (T5)."""

    order: str
    step: str
    key: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"The payment of order {shown(self.order)} has no {self.step} {shown(self.key)}: it has "
            f"{_listed(self.known)}. Pass the key that the {self.step} was recorded under."
        )


@final
@attrs.define
class ForeignPlan(MisuseError):
    """A plan is to be carried out where it does not belong: another merchant or order (A16)."""

    field: str
    given: str
    expected: str

    def __str__(self) -> str:
        return (
            f"The plan is of {self.field} {shown(self.given)}, and this is {shown(self.expected)}. "
            "Plan it here."
        )


@final
@attrs.define
class RefundNeedsHolder(MisuseError):
    """A refund leads to new credit, and no account that paid says whose it is (T6)."""

    order: str
    amount: Balance

    def __str__(self) -> str:
        return (
            f"The refund of order {shown(self.order)} gives {self.amount} of new credit, and no "
            "credit paid for it that would say to whom. Pass holder=."
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
class ChargeExceedsDue(RefusalError):
    """More is to be charged than the plan still asks for (T5)."""

    order: str
    tender: str
    amount: Money
    due: Money

    def __str__(self) -> str:
        return (
            f"Cannot charge {self.amount} to {shown(self.tender)} for order {shown(self.order)}: "
            f"{self.due} is outstanding there. Charges that are on their way count as made; look "
            "up their answers."
        )


@final
@attrs.define
class ChargePending(RefusalError):
    """A payment is to be planned anew, and nobody knows whether a charge was made (T5)."""

    order: str
    charges: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Cannot plan order {shown(self.order)} anew: nobody knows yet whether "
            f"{_listed(self.charges)} was charged. Ask "
            "the processor, settle it as confirmed or failed, and plan with what is paid "
            "already; or cancel, begin again, and give back what is confirmed late."
        )


@final
@attrs.define
class GivesBackTooMuch(RefusalError):
    """More is given back of a charge than pays for nothing (T5)."""

    order: str
    charge: str
    total: Money
    most: Money

    def __str__(self) -> str:
        return (
            f"Cannot record that {self.total} of charge {shown(self.charge)} of order "
            f"{shown(self.order)} was given back in all: at most {self.most} of it pays for "
            "nothing. Give back what `stranded` says; what paid for lines is refunded."
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


@final
@attrs.define
class PaymentHoldLost(RefusalError):
    """What reserved the credit of an order is gone before it was captured (T5, A6)."""

    order: str
    tender: str
    hold_id: str
    can_be_planned_again: bool

    def __str__(self) -> str:
        then = (
            "Nothing is captured, and all else that was held is released: plan again, with what "
            "is charged already among the tenders (`paid_already`), and go on with `replan`."
            if self.can_be_planned_again
            else "A part of the order is captured: cancel the rest, and sell it as an order of its "
            "own."
        )
        return (
            f"The hold {self.hold_id} of {shown(self.tender)} for order {shown(self.order)} has "
            f"lapsed or was released. {then}"
        )


@final
@attrs.define
class GiftCardChanged(RefusalError):
    """A bought gift card has another rest than its refund was planned with (A7)."""

    order: str
    line: str
    planned: Money
    left: Money

    def __str__(self) -> str:
        return (
            f"The gift card of line {shown(self.line)} of order {shown(self.order)} has "
            f"{self.left} left, and {self.planned} of it was to be refunded. Only its whole "
            "unspent rest goes back: load it and plan again."
        )


@final
@attrs.define
class EarnedChanged(RefusalError):
    """Other points of an order are due to go than its refund was planned with (P4, T6)."""

    order: str
    planned: Balance
    due: Balance

    def __str__(self) -> str:
        return (
            f"The refund of order {shown(self.order)} was planned to take back {self.planned} that "
            f"it earned; due to go with what comes back: {self.due}. Ask earned() for that, and "
            "plan again."
        )


# -- conflicts -----------------------------------------------------------------------------


@final
@attrs.define
class PlanOutdated(ConflictError):
    """An account has moved on since the plan was made; nothing was done (T2)."""

    retryable: ClassVar[bool] = False
    """The same plan never fits again: load the accounts and plan anew."""

    order: str
    account: str
    seen: int
    version: int

    def __str__(self) -> str:
        return (
            f"The plan for order {shown(self.order)} was made from version {self.seen} of account "
            f"{self.account}, which is at version {self.version} now. Load the accounts and plan "
            "again."
        )
