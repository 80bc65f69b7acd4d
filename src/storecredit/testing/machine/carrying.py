"""At the end of a history: the whole ledger is carried to another storage, and is the same there."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Mapping

from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage
from storecredit.testing.machine.comparing import everything_in
from storecredit.testing.machine.known import NAMES
from storecredit.testing.machine.outcomes import ACCEPTED, NOTHING_TO_DO
from storecredit.testing.machine.shops import START


def check_carried_over(
    services: Mapping[str, StoreCredit], kept: str, *, noted: Callable[[str], None]
) -> None:
    """Require that what goes out comes in as the same ledger, and only once (S9)."""
    # The clock of a history may have gone back; over there, nothing lies ahead.
    there, latest = MemoryStorage(), START + dt.timedelta(days=40_000)
    for merchant, service in services.items():
        file = io.BytesIO()
        service.export_journal(file)
        other = StoreCredit(there, service.merchant, clock=lambda: latest)
        for again in (False, True):
            file.seek(0)
            brought = other.import_journal(file)
            noted(f"import_journal: {ACCEPTED if brought.changed else NOTHING_TO_DO}")
            assert not (again and brought.changed), (merchant, brought)
    copied = everything_in(there, NAMES, tuple(services))
    assert copied == kept, "another ledger came in than went out"
