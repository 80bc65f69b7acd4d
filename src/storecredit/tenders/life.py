"""The life of a payment: its states, and the one table of what may happen in each (T5)."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final


@final
class PaymentState(enum.StrEnum):
    """Where a payment is in its life."""

    PLANNED = "planned"
    """There is a plan, and nothing of it has happened."""
    HELD = "held"
    """Every credit part is held; nothing has been charged."""
    CHARGING = "charging"
    """The host charges the external tenders."""
    PARTLY_CAPTURED = "partly_captured"
    """Some lines are captured; what pays the others stays held."""
    COMPLETED = "completed"
    """Everything that shall be captured is; only refunds follow."""
    CANCELLED = "cancelled"
    """Everything that was held is released; nothing was captured. A new plan may follow."""


@final
class PaymentStep(enum.StrEnum):
    """What may happen to a payment."""

    REPLAN = "replan"
    """The cart has changed, a hold was lost, or the customer is back: there is a new plan."""
    HOLD = "hold"
    LOSE_HOLD = "lose_hold"
    """A hold lapsed, while the host was charging for example: plan again."""
    CHARGE = "charge"
    """The host is about to charge an external tender."""
    SETTLE_CHARGE = "settle_charge"
    """The processor has answered; it may do so at any time, however late."""
    GIVE_BACK = "give_back"
    """The host has given back a charge that paid for nothing."""
    CAPTURE = "capture"
    """Some lines are captured, with a shipment for example."""
    COMPLETE = "complete"
    """All lines that are not captured yet are."""
    CANCEL = "cancel"
    """What is not captured is released."""
    REFUND = "refund"
    SETTLE_REFUND = "settle_refund"
    """The processor has answered about a refund."""


def _row(**to: PaymentState) -> Mapping[PaymentStep, PaymentState]:
    return MappingProxyType({PaymentStep(step): state for step, state in to.items()})


_PLANNED, _HELD = PaymentState.PLANNED, PaymentState.HELD
_CHARGING, _PARTLY = PaymentState.CHARGING, PaymentState.PARTLY_CAPTURED
_COMPLETED, _CANCELLED = PaymentState.COMPLETED, PaymentState.CANCELLED

TRANSITIONS: Final[Mapping[PaymentState, Mapping[PaymentStep, PaymentState]]] = MappingProxyType(
    {
        _PLANNED: _row(
            replan=_PLANNED,
            hold=_HELD,
            settle_charge=_PLANNED,
            give_back=_PLANNED,
            cancel=_CANCELLED,
        ),
        _HELD: _row(
            replan=_PLANNED,
            lose_hold=_PLANNED,
            charge=_CHARGING,
            settle_charge=_HELD,
            give_back=_HELD,
            capture=_PARTLY,
            complete=_COMPLETED,
            cancel=_CANCELLED,
        ),
        _CHARGING: _row(
            replan=_PLANNED,
            lose_hold=_PLANNED,
            charge=_CHARGING,
            settle_charge=_CHARGING,
            give_back=_CHARGING,
            capture=_PARTLY,
            complete=_COMPLETED,
            cancel=_CANCELLED,
        ),
        _PARTLY: _row(
            charge=_PARTLY,
            settle_charge=_PARTLY,
            give_back=_PARTLY,
            capture=_PARTLY,
            complete=_COMPLETED,
            cancel=_COMPLETED,
            refund=_PARTLY,
            settle_refund=_PARTLY,
        ),
        _COMPLETED: _row(
            settle_charge=_COMPLETED,
            give_back=_COMPLETED,
            refund=_COMPLETED,
            settle_refund=_COMPLETED,
        ),
        _CANCELLED: _row(replan=_PLANNED, settle_charge=_CANCELLED, give_back=_CANCELLED),
    }
)
"""What each step leads to, state by state; what is not here is refused."""
