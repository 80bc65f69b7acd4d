"""Where accounts are kept: the contract for adapters, and the adapters that come with the library."""

from storecredit.storage.memory import MemoryStorage
from storecredit.storage.protocols import Reader, Record, Storage, UnitOfWork, Wallet
from storecredit.storage.sqlite import SQLiteStorage, Synchronous

__all__ = [
    "MemoryStorage",
    "Reader",
    "Record",
    "SQLiteStorage",
    "Storage",
    "Synchronous",
    "UnitOfWork",
    "Wallet",
]
