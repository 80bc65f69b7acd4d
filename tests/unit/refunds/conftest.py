"""A returns desk on a memory storage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from returns_desk import Returns

from storecredit.storage import MemoryStorage


@pytest.fixture
def returns() -> Iterator[Returns]:
    storage = MemoryStorage()
    yield Returns(storage)
    storage.close()


@pytest.fixture
def with_codes() -> Iterator[Returns]:
    """The desk of a shop that has keys for claim codes."""
    storage = MemoryStorage()
    yield Returns(storage, codes=True)
    storage.close()
