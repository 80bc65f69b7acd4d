"""The storage contract, on the reference adapter."""

from __future__ import annotations

from storecredit.storage import MemoryStorage
from storecredit.testing import StorageContract


class TestMemoryStorage(StorageContract):
    def make_storage(self) -> MemoryStorage:
        return MemoryStorage()
