"""Where accounts are kept: the contract for adapters, and the adapters that come with the library."""

from storecredit.storage.memory import MemoryStorage
from storecredit.storage.protocols import Reader, Record, Storage, UnitOfWork, Wallet

__all__ = ["MemoryStorage", "Reader", "Record", "Storage", "UnitOfWork", "Wallet"]
