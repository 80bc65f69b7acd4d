"""Refunds: the life of a refund request, from asking to the last answer of a processor (P5)."""

from storecredit.refunds.accepting import Fraction, carried_out, goods_to_return
from storecredit.refunds.case import CaseRecord
from storecredit.refunds.facts import (
    CaseEvent,
    CaseRefund,
    GivenCredit,
    LineShare,
    Redemption,
    StepBy,
)
from storecredit.refunds.from_payment import lines_from
from storecredit.refunds.life import TRANSITIONS, CaseState, CaseStep
from storecredit.refunds.order import RefundedOrder, Taken
from storecredit.refunds.tallies import Tallied, TallyBook
from storecredit.refunds.tracking import (
    ENGLISH,
    Back,
    Tracked,
    TrackedBack,
    TrackedNext,
    TrackedStep,
    Whose,
    track,
)

__all__ = [
    "ENGLISH",
    "TRANSITIONS",
    "Back",
    "CaseEvent",
    "CaseRecord",
    "CaseRefund",
    "CaseState",
    "CaseStep",
    "Fraction",
    "GivenCredit",
    "LineShare",
    "Redemption",
    "RefundedOrder",
    "StepBy",
    "Taken",
    "Tallied",
    "TallyBook",
    "Tracked",
    "TrackedBack",
    "TrackedNext",
    "TrackedStep",
    "Whose",
    "carried_out",
    "goods_to_return",
    "lines_from",
    "track",
]
