"""How long a hold may live (A6)."""

from datetime import datetime

from storecredit.errors import HoldTooLong, InvalidTerms
from storecredit.ledger.draft import Draft
from storecredit.values import Period


def hold_lapses_at(
    draft: Draft, lapses: Period | datetime | None, *, placed_at: datetime
) -> datetime:
    """
    Return when a hold lapses: after the merchant's default, a period from now, or at an instant.

    Raises:
        InvalidTerms: It would lapse at once.
        HoldTooLong: It would outlive the merchant's maximum, counted from *placed_at*.
    """
    latest = draft.merchant.hold_at_most.after(placed_at)
    if lapses is None:
        return min(draft.merchant.hold_lasts.after(draft.at), latest)
    lapses_at = lapses.after(draft.at) if isinstance(lapses, Period) else lapses
    if lapses_at <= draft.at:
        raise InvalidTerms("lapses", lapses_at.isoformat(), f"after {draft.at.isoformat()}")
    if lapses_at > latest:
        raise HoldTooLong(lapses_at, latest)
    return lapses_at
