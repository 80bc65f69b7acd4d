"""A checkout whose steps are awaited, for the tasks of an event loop (T5, T6)."""

from typing import Final, final

from storecredit.service._awaiting import Awaiting, awaits
from storecredit.service.checkout import Checkout
from storecredit.storage.protocols import AsyncStorage
from storecredit.tenders import (
    AlreadyPaid,
    Charge,
    ChargeFact,
    ExternalRefund,
    Payment,
    PaymentRecord,
    PaymentState,
    Stranded,
)


@final
class AsyncCheckout(Awaiting):
    """The payment of one order: a `Checkout`, awaited; what it has seen is there already."""

    def __init__(self, checkout: Checkout, storage: AsyncStorage) -> None:
        self._checkout: Final = checkout
        super().__init__(checkout, storage)

    def __repr__(self) -> str:
        return f"Async{self._checkout!r}"

    # Seeing

    @property
    def order(self) -> str:
        """The id of the order."""
        return self._checkout.order

    @property
    def record(self) -> PaymentRecord:
        """The record as this object has seen it last; `reload` looks again."""
        return self._checkout.record

    @property
    def state(self) -> PaymentState:
        """Where the payment is in its life."""
        return self._checkout.state

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What the host still has to charge, by tender and unit; charges on their way count."""
        return self._checkout.charges

    @property
    def pending(self) -> tuple[ChargeFact, ...]:
        """The charges of which nobody knows yet whether they were made: ask the processor."""
        return self._checkout.pending

    @property
    def paid_already(self) -> tuple[AlreadyPaid, ...]:
        """The confirmed charges, as tenders for the next plan (T2)."""
        return self._checkout.paid_already

    @property
    def stranded(self) -> tuple[Stranded, ...]:
        """What of confirmed charges pays for nothing: give it back, then tell `give_back`."""
        return self._checkout.stranded

    @property
    def refunds_due(self) -> tuple[ExternalRefund, ...]:
        """What the host has to give back through external tenders, with keys, and is not settled."""
        return self._checkout.refunds_due

    @property
    def payment(self) -> Payment:
        """What is captured, and what has been returned of it."""
        return self._checkout.payment

    @awaits(Checkout.reload)
    def reload(self) -> None:
        """As `Checkout.reload`."""

    # Paying

    @awaits(Checkout.replan)
    def replan(self) -> None:
        """As `Checkout.replan`."""

    @awaits(Checkout.charge)
    def charge(self) -> None:
        """As `Checkout.charge`."""

    @awaits(Checkout.settle_charge)
    def settle_charge(self) -> None:
        """As `Checkout.settle_charge`."""

    @awaits(Checkout.give_back)
    def give_back(self) -> None:
        """As `Checkout.give_back`."""

    @awaits(Checkout.capture)
    def capture(self) -> None:
        """As `Checkout.capture`."""

    @awaits(Checkout.complete)
    def complete(self) -> None:
        """As `Checkout.complete`."""

    @awaits(Checkout.cancel)
    def cancel(self) -> None:
        """As `Checkout.cancel`."""

    # Refunding

    @awaits(Checkout.plan_refund)
    def plan_refund(self) -> None:
        """As `Checkout.plan_refund`."""

    @awaits(Checkout.refund)
    def refund(self) -> None:
        """As `Checkout.refund`."""

    @awaits(Checkout.settle_refund)
    def settle_refund(self) -> None:
        """As `Checkout.settle_refund`."""
