"""
Store credit, points and open balances for Python shops.

The everyday names stand here; the layers have more: `storecredit.values`, `storecredit.ledger`,
`storecredit.storage`, `storecredit.errors`, `storecredit.testing`.
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
from storecredit.service import Delivery, Feed, Grant, Receipt, StoreCredit, WalletView
from storecredit.values import Balance, CustomUnit, ExchangeRate, Money, Period, Rounding

__version__ = "0.1.0"

__all__ = [
    "Above",
    "Balance",
    "Ceiling",
    "CustomUnit",
    "Delivery",
    "ExchangeRate",
    "ExpiredRestore",
    "Feed",
    "Funding",
    "Grant",
    "Limits",
    "Line",
    "Merchant",
    "Money",
    "OrderOfUse",
    "Period",
    "Receipt",
    "RestoreInto",
    "Rounding",
    "StoreCredit",
    "Taking",
    "WalletView",
]
