"""The storage contract, on the adapter for one machine, in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storecredit.storage import SQLiteStorage
from storecredit.testing import StorageContract

if TYPE_CHECKING:
    from pathlib import Path

    from storecredit.storage import Storage


class TestSQLiteStorage(StorageContract):
    @pytest.fixture(autouse=True)
    def _in_a_folder_of_its_own(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.files = 0

    def make_storage(self) -> SQLiteStorage:
        self.files += 1
        return SQLiteStorage(self.folder / f"shop-{self.files}.db")

    def reopen(self, storage: Storage) -> SQLiteStorage:
        storage.close()
        return SQLiteStorage(self.folder / f"shop-{self.files}.db")
