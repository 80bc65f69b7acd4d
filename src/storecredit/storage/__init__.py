"""Where accounts are kept: the contract for adapters, and the adapters that come with the library."""

from storecredit.storage.feed import BEGINNING, Fed, FeedPage, FeedPosition
from storecredit.storage.memory import MemoryStorage
from storecredit.storage.protocols import (
    AsyncStorage,
    Reader,
    Record,
    Storage,
    UnitOfWork,
    Wallet,
)
from storecredit.storage.sqlite import SQLiteStorage, Synchronous

__all__ = [
    "BEGINNING",
    "AsyncStorage",
    "Fed",
    "FeedPage",
    "FeedPosition",
    "MemoryStorage",
    "Reader",
    "Record",
    "SQLiteStorage",
    "Storage",
    "Synchronous",
    "UnitOfWork",
    "Wallet",
]
