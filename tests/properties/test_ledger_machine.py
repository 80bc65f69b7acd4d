"""The state machine over every command: on memory with every habit of sweeping, and on SQLite."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from storecredit.errors import StoreCreditError
from storecredit.ledger import Account
from storecredit.storage import MemoryStorage, SQLiteStorage
from storecredit.storage.protocols import Storage
from storecredit.testing.machine import AlwaysSwept, LedgerMachine, NeverSwept

# How many stories each test tells: one for so many examples of the profile.
SHARE = {"memory": 3, "sqlite": 10}


def told(machine: type[LedgerMachine], *, storage: str) -> None:
    """Run *machine* with as many stories as the profile allows."""
    chosen = settings(
        max_examples=max(settings().max_examples // SHARE[storage], 3),
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


class OnSQLite(LedgerMachine):
    """The machine on a file of its own."""

    def make_storage(self) -> Storage:
        self.folder = tempfile.TemporaryDirectory(prefix="storecredit-machine-")
        path = Path(self.folder.name) / "shop.db"
        return SQLiteStorage(path, synchronous="OFF")

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.folder.cleanup()


@pytest.mark.parametrize("machine", [NeverSwept, AlwaysSwept, LedgerMachine])
def test_every_command_does_what_the_naive_model_says(machine: type[LedgerMachine]) -> None:
    told(machine, storage="memory")


def test_every_command_does_the_same_on_sqlite() -> None:
    told(OnSQLite, storage="sqlite")
