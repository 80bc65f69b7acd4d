"""
Store credit, points and open balances for Python shops.

The everyday names stand here; the layers have more: `storecredit.values`, `storecredit.ledger`,
`storecredit.tenders`, `storecredit.storage`, `storecredit.errors`, `storecredit.testing`.
"""

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
from storecredit.service import Checkout, Delivery, Feed, Grant, Receipt, StoreCredit, WalletView
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
    "Price",
    "Receipt",
    "RefundItem",
    "RefundRequest",
    "RefundRules",
    "RestoreInto",
    "Rounding",
    "StoreCredit",
    "Taking",
    "WalletView",
]
