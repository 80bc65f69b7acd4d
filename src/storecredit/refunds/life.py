"""The life of a refund case: its states, and the one table of what may happen in each (P5)."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final


@final
class CaseState(enum.StrEnum):
    """Where a refund case is in its life."""

    REQUESTED = "requested"
    """Somebody asks for a refund; nobody has answered."""
    APPROVED = "approved"
    """It will be refunded, once the goods are back where they have to come back."""
    DENIED = "denied"
    """It will not be refunded."""
    AWAITING_RETURN = "awaiting_return"
    """The customer was told how to send the goods back."""
    IN_TRANSIT = "in_transit"
    """The goods are on their way."""
    RECEIVED = "received"
    """The goods are back; nobody has looked at them."""
    INSPECTED = "inspected"
    """Somebody has looked at them, and accepted all, a part or nothing."""
    COMPLETED = "completed"
    """Credit is given, and external refunds are asked for."""
    CANCELLED = "cancelled"
    """The customer has changed their mind."""
    REOPENED = "reopened"
    """It was denied or cancelled, and is looked at again."""


@final
class CaseStep(enum.StrEnum):
    """What may happen to a refund case."""

    REQUEST = "request"
    """The case begins."""
    APPROVE = "approve"
    """Somebody answers for it; later on, for what a limit asks."""
    DENY = "deny"
    AWAIT_RETURN = "await_return"
    SHIP = "ship"
    RECEIVE = "receive"
    INSPECT = "inspect"
    """Pieces are accepted line by line; a later inspection never accepts more."""
    COMPLETE = "complete"
    """Everything is given that is to be given, once."""
    CANCEL = "cancel"
    REOPEN = "reopen"
    GOODS_MISSING = "goods_missing"
    """The goods never came."""
    SETTLE_REFUND = "settle_refund"
    """The processor has answered about an external refund."""
    REDIRECT = "redirect"
    """An external refund has failed, and becomes credit."""


_Row = Mapping[CaseStep, CaseState]


def _row(**to: CaseState) -> _Row:
    return MappingProxyType({CaseStep(step): state for step, state in to.items()})


def _open(state: CaseState, **to: CaseState) -> _Row:
    """Return the row of a state in which nothing was given for good: it may end at any time."""
    return _row(approve=state, **to, deny=_DENIED, cancel=_CANCELLED)


_APPROVED, _DENIED, _CANCELLED = CaseState.APPROVED, CaseState.DENIED, CaseState.CANCELLED
_IN_TRANSIT, _RECEIVED = CaseState.IN_TRANSIT, CaseState.RECEIVED
_INSPECTED, _COMPLETED = CaseState.INSPECTED, CaseState.COMPLETED

TRANSITIONS: Final[Mapping[CaseState, _Row]] = MappingProxyType(
    {
        CaseState.REQUESTED: _open(_APPROVED),
        CaseState.APPROVED: _open(
            _APPROVED,
            await_return=CaseState.AWAITING_RETURN,
            ship=_IN_TRANSIT,
            receive=_RECEIVED,
            complete=_COMPLETED,
        ),
        CaseState.AWAITING_RETURN: _open(
            CaseState.AWAITING_RETURN, ship=_IN_TRANSIT, receive=_RECEIVED, goods_missing=_DENIED
        ),
        CaseState.IN_TRANSIT: _open(_IN_TRANSIT, receive=_RECEIVED, goods_missing=_DENIED),
        CaseState.RECEIVED: _open(_RECEIVED, inspect=_INSPECTED),
        CaseState.INSPECTED: _open(_INSPECTED, inspect=_INSPECTED, complete=_COMPLETED),
        CaseState.COMPLETED: _row(settle_refund=_COMPLETED, redirect=_COMPLETED),
        CaseState.DENIED: _row(reopen=CaseState.REOPENED),
        CaseState.CANCELLED: _row(reopen=CaseState.REOPENED),
        CaseState.REOPENED: _open(_APPROVED),
    }
)
"""What each step leads to, state by state; what is not here is refused."""

CLOSED: Final = frozenset({_COMPLETED, _DENIED, _CANCELLED})
"""The states in which nothing more is to be done, but for answers about external refunds."""


def drawing() -> str:
    """Return the table as a state diagram in Mermaid's notation, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {CaseState.REQUESTED}: {CaseStep.REQUEST}"]
    for state, row in TRANSITIONS.items():
        for to in dict.fromkeys(row.values()):
            steps = ", ".join(step.value for step, leads in row.items() if leads is to)
            lines.append(f"    {state} --> {to}: {steps}")
    return "\n".join(lines)
