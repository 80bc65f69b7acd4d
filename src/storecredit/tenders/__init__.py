"""Tenders (rules T1 to T6): prices in several units, payment plans, refunds over tenders."""

from storecredit.tenders.discount import (
    Discount,
)
from storecredit.tenders.facts import Begun, Captured, ChargeFact, HeldTender, Stranded
from storecredit.tenders.life import TRANSITIONS, PaymentState, PaymentStep
from storecredit.tenders.lines import (
    LineKind,
    OrderLine,
)
from storecredit.tenders.order import (
    Order,
)
from storecredit.tenders.payment import (
    Answer,
    Destination,
    ExternalRefund,
    LineQuantity,
    Payment,
    RefundPart,
    Return,
)
from storecredit.tenders.plan import (
    Charge,
    LineAmount,
    PaymentPlan,
    PlannedLine,
    PlannedTender,
    PlanPart,
    SeenVersion,
)
from storecredit.tenders.planning import (
    plan_payment,
)
from storecredit.tenders.price import (
    PayingRate,
    Price,
)
from storecredit.tenders.reasons import (
    WORDS,
    Reason,
    Why,
)
from storecredit.tenders.record import PaymentRecord
from storecredit.tenders.refund_plan import (
    RefundPlan,
    Unplaced,
    UnplacedBecause,
)
from storecredit.tenders.refund_request import (
    RefundItem,
    RefundRequest,
)
from storecredit.tenders.refund_rules import (
    Beyond,
    Earned,
    Payout,
    PointsRule,
    Redirect,
    RefundRules,
    ShortfallRule,
    TenderRule,
)
from storecredit.tenders.refunding import (
    plan_refund,
)
from storecredit.tenders.rules import (
    EXACT_UP_TO,
    NOT_GIFT_CARDS,
    Aim,
    Choosing,
    CreditRule,
)
from storecredit.tenders.tender import (
    AlreadyPaid,
    Coupon,
    Credit,
    External,
    Tender,
    TenderKind,
)

__all__ = [
    "EXACT_UP_TO",
    "NOT_GIFT_CARDS",
    "TRANSITIONS",
    "WORDS",
    "Aim",
    "AlreadyPaid",
    "Answer",
    "Begun",
    "Beyond",
    "Captured",
    "Charge",
    "ChargeFact",
    "Choosing",
    "Coupon",
    "Credit",
    "CreditRule",
    "Destination",
    "Discount",
    "Earned",
    "External",
    "ExternalRefund",
    "HeldTender",
    "LineAmount",
    "LineKind",
    "LineQuantity",
    "Order",
    "OrderLine",
    "PayingRate",
    "Payment",
    "PaymentPlan",
    "PaymentRecord",
    "PaymentState",
    "PaymentStep",
    "Payout",
    "PlanPart",
    "PlannedLine",
    "PlannedTender",
    "PointsRule",
    "Price",
    "Reason",
    "Redirect",
    "RefundItem",
    "RefundPart",
    "RefundPlan",
    "RefundRequest",
    "RefundRules",
    "Return",
    "SeenVersion",
    "ShortfallRule",
    "Stranded",
    "Tender",
    "TenderKind",
    "TenderRule",
    "Unplaced",
    "UnplacedBecause",
    "Why",
    "plan_payment",
    "plan_refund",
]
