"""The service: `StoreCredit` loads, decides and appends; the only place that meets a clock."""

from storecredit.service._explaining import Preview
from storecredit.service._giving import Grant
from storecredit.service._porting import BalancesImported
from storecredit.service.about import About
from storecredit.service.async_checkout import AsyncCheckout
from storecredit.service.async_feed import AsyncFeed, AsyncFeedBatch
from storecredit.service.async_refund_case import AsyncRefundCase
from storecredit.service.async_store_credit import AsyncStoreCredit
from storecredit.service.checkout import Checkout
from storecredit.service.codes import ClaimedCode, IssuedCode, OpenedCode
from storecredit.service.deliveries import (
    DeadLetter,
    Delivery,
    FeedRun,
    FeedStatus,
    LaterEntries,
    WhenLeased,
)
from storecredit.service.feed import Feed
from storecredit.service.feed_batch import FeedBatch
from storecredit.service.file_source import ImportLimits
from storecredit.service.journal_export import ExportSummary
from storecredit.service.journal_file import Counts
from storecredit.service.journal_import import ImportSummary
from storecredit.service.policy_file import load_policy
from storecredit.service.receipts import Receipt, TransferReceipt
from storecredit.service.refund_case import RefundCase
from storecredit.service.reminders import Reminder
from storecredit.service.statements import StatementLine
from storecredit.service.store_credit import StoreCredit
from storecredit.service.sweeps import Sweep
from storecredit.service.verification import Anchor, Problem, Verification
from storecredit.service.wallet import WalletView

__all__ = [
    "About",
    "Anchor",
    "AsyncCheckout",
    "AsyncFeed",
    "AsyncFeedBatch",
    "AsyncRefundCase",
    "AsyncStoreCredit",
    "BalancesImported",
    "Checkout",
    "ClaimedCode",
    "Counts",
    "DeadLetter",
    "Delivery",
    "ExportSummary",
    "Feed",
    "FeedBatch",
    "FeedRun",
    "FeedStatus",
    "Grant",
    "ImportLimits",
    "ImportSummary",
    "IssuedCode",
    "LaterEntries",
    "OpenedCode",
    "Preview",
    "Problem",
    "Receipt",
    "RefundCase",
    "Reminder",
    "StatementLine",
    "StoreCredit",
    "Sweep",
    "TransferReceipt",
    "Verification",
    "WalletView",
    "WhenLeased",
    "load_policy",
]
