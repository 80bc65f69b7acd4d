"""How the journal writes an instant: UTC, ISO 8601, always six decimals, so text order is time order."""

from datetime import datetime, timedelta
from typing import Final

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""How far ahead of the service's clock an ``at`` may lie (A13)."""


def write_instant(at: datetime) -> str:
    """Write *at*, which is in UTC, for the journal."""
    return at.isoformat("T", "microseconds")[:26] + "Z"


def read_instant(text: str) -> datetime:
    """Read what `write_instant` wrote."""
    return datetime.fromisoformat(text)
