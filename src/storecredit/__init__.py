"""
Store credit, points and open balances for Python shops.

The everyday names stand here; the layers have more: `storecredit.values`, `storecredit.ledger`,
`storecredit.tenders`, `storecredit.policies`, `storecredit.claims`, `storecredit.storage`,
`storecredit.errors`, `storecredit.testing`.
"""

from storecredit.claims import ClaimKeys, ClaimReason, ClaimRules, Throttle
from storecredit.ledger import (
    Above,
    Ceiling,
    ExpiredRestore,
    Funding,
    Limits,
    Line,
    Merchant,
    OrderOfUse,
    RestoreInto,
    Taking,
)
from storecredit.policies import Policy, ReturnLine, ReturnRequest
from storecredit.service import (
    Checkout,
    Delivery,
    Feed,
    Grant,
    Receipt,
    StoreCredit,
    WalletView,
    load_policy,
)
from storecredit.tenders import (
    Aim,
    AlreadyPaid,
    Coupon,
    CreditRule,
    Discount,
    External,
    Order,
    OrderLine,
    PayingRate,
    Price,
    RefundItem,
    RefundRequest,
    RefundRules,
)
from storecredit.values import Balance, CustomUnit, ExchangeRate, Money, Period, Rounding

__version__ = "0.1.0"

__all__ = [
    "Above",
    "Aim",
    "AlreadyPaid",
    "Balance",
    "Ceiling",
    "Checkout",
    "ClaimKeys",
    "ClaimReason",
    "ClaimRules",
    "Coupon",
    "CreditRule",
    "CustomUnit",
    "Delivery",
    "Discount",
    "ExchangeRate",
    "ExpiredRestore",
    "External",
    "Feed",
    "Funding",
    "Grant",
    "Limits",
    "Line",
    "Merchant",
    "Money",
    "Order",
    "OrderLine",
    "OrderOfUse",
    "PayingRate",
    "Period",
    "Policy",
    "Price",
    "Receipt",
    "RefundItem",
    "RefundRequest",
    "RefundRules",
    "RestoreInto",
    "ReturnLine",
    "ReturnRequest",
    "Rounding",
    "StoreCredit",
    "Taking",
    "Throttle",
    "WalletView",
    "load_policy",
]
