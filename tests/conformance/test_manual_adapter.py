"""The adapter that the manual shows keeps the whole contract, as the manual says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from storecredit.testing import StorageContract

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-a-storage-adapter.md"


@pytest.fixture(scope="module")
def manual() -> dict[str, Any]:
    """What the blocks of the page define, up to the first that uses it."""
    namespace: dict[str, Any] = {"__name__": "manual"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        if "credit = " in block:
            break
        exec(block, namespace)
    return namespace


class TestAdapterOfTheManual(StorageContract):
    @pytest.fixture(autouse=True)
    def _as_the_manual_has_it(self, manual: dict[str, Any]) -> None:
        self.storage_of_the_manual = manual["ShopStorage"]

    def make_storage(self) -> Any:
        return self.storage_of_the_manual()
