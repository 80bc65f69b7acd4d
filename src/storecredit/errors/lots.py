"""
What can be wrong with a hold, a lot, or value that is to come back.

    RefusalError
        HoldAlreadyReleased, HoldAlreadyCaptured, HoldAlreadyLapsed
        CaptureExceedsHold, HoldTooLong, HoldsActive
        NotARedemption, RestoreExceedsRedemption
        LotHeld, LotExhausted, LotClosed, LotExpired, LotNotExpired, LotNotCashable
        LotCannotGive
        ExpiryTooEarly, ExpiryNotLater

Every value of a message is an attribute too. The classes pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from storecredit.errors._branches import RefusalError

if TYPE_CHECKING:
    import datetime as dt

    from storecredit.values.money import Money

__all__ = [
    "CaptureExceedsHold",
    "ExpiryNotLater",
    "ExpiryTooEarly",
    "HoldAlreadyCaptured",
    "HoldAlreadyLapsed",
    "HoldAlreadyReleased",
    "HoldTooLong",
    "HoldsActive",
    "LotCannotGive",
    "LotClosed",
    "LotExhausted",
    "LotExpired",
    "LotHeld",
    "LotNotCashable",
    "LotNotExpired",
    "NotARedemption",
    "RestoreExceedsRedemption",
]

# -- holds ---------------------------------------------------------------------------------


@final
@attrs.define
class HoldAlreadyReleased(RefusalError):
    """The hold was given back (A6)."""

    hold_id: str

    def __str__(self) -> str:
        return f"Hold {self.hold_id} has been released. Place a new one if the order goes on."


@final
@attrs.define
class HoldAlreadyCaptured(RefusalError):
    """The hold was spent in full (A6)."""

    hold_id: str
    captured: Money

    def __str__(self) -> str:
        return (
            f"Hold {self.hold_id} has been captured: {self.captured} was spent. To give some "
            "of it back, restore the entry that captured it."
        )


@final
@attrs.define
class HoldAlreadyLapsed(RefusalError):
    """The hold's time ran out (A6)."""

    hold_id: str
    lapses_at: dt.datetime
    at: dt.datetime

    def __str__(self) -> str:
        return (
            f"Hold {self.hold_id} lapsed at {self.lapses_at.isoformat()}, and it is "
            f"{self.at.isoformat()}: its value is free again. Place a new hold."
        )


@final
@attrs.define
class CaptureExceedsHold(RefusalError):
    """More is captured than the hold still reserves (A6)."""

    hold_id: str
    wanted: Money
    held: Money

    def __str__(self) -> str:
        return (
            f"Cannot capture {self.wanted} of hold {self.hold_id}: it reserves {self.held}. "
            "Resize it first, or redeem the difference separately."
        )


@final
@attrs.define
class HoldTooLong(RefusalError):
    """A hold would outlive the merchant's maximum (A6)."""

    lapses_at: dt.datetime
    latest: dt.datetime

    def __str__(self) -> str:
        return (
            f"A hold until {self.lapses_at.isoformat()} is longer than the merchant allows: "
            f"{self.latest.isoformat()} is the latest, counted from when it was placed."
        )


@final
@attrs.define
class HoldsActive(RefusalError):
    """Holders do not merge while holds are active (A17)."""

    holder: str
    hold_ids: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Cannot merge holder {self.holder}: {len(self.hold_ids)} hold(s) are active "
            f"({', '.join(self.hold_ids[:3])}). Capture or release them first."
        )


# -- restoring -----------------------------------------------------------------------------


@final
@attrs.define
class NotARedemption(RefusalError):
    """Only what was redeemed or captured can be restored (A7)."""

    entry_id: str
    kind: str

    def __str__(self) -> str:
        return (
            f"Entry {self.entry_id} is of kind {self.kind}, which spends nothing. Name the entry that "
            "redeemed or captured the value."
        )


@final
@attrs.define
class RestoreExceedsRedemption(RefusalError):
    """More is given back than the redemption took (A7)."""

    entry_id: str
    wanted: Money
    taken: Money
    restored: Money

    def __str__(self) -> str:
        return (
            f"Cannot restore {self.wanted} of entry {self.entry_id}: it took {self.taken}, and "
            f"{self.restored} of that has been restored. At most {self.taken - self.restored} is "
            "left; anything above it is goodwill, to be issued as such."
        )


# -- lots ----------------------------------------------------------------------------------


@final
@attrs.define
class LotHeld(RefusalError):
    """Value of the lot is reserved by holds (A8)."""

    lot_id: str
    held: Money

    def __str__(self) -> str:
        return (
            f"Lot {self.lot_id} has {self.held} held. Release those holds, or pass "
            'held="unheld_only" to take only what is not held.'
        )


@final
@attrs.define
class LotExhausted(RefusalError):
    """The lot has less than the command asks for."""

    lot_id: str
    wanted: Money
    reachable: Money
    doing: str

    def __str__(self) -> str:
        return (
            f"Cannot {self.doing} {self.wanted} of lot {self.lot_id}: at most {self.reachable} "
            "can be taken."
        )


@final
@attrs.define
class LotClosed(RefusalError):
    """The lot was refunded to its buyer or revoked, and takes nothing in any more (A7)."""

    lot_id: str

    def __str__(self) -> str:
        return (
            f"Lot {self.lot_id} was refunded or revoked, and is closed. Issue a new lot, or "
            "reinstate() what was revoked."
        )


@final
@attrs.define
class LotExpired(RefusalError):
    """The lot's time has run out."""

    lot_id: str
    expires_at: dt.datetime

    def __str__(self) -> str:
        return (
            f"Lot {self.lot_id} expired at {self.expires_at.isoformat()}. To bring its value back, "
            "use reinstate()."
        )


@final
@attrs.define
class LotNotExpired(RefusalError):
    """Nothing of the lot has run out or been revoked, so nothing can be reinstated."""

    lot_id: str

    def __str__(self) -> str:
        return (
            f"Nothing of lot {self.lot_id} has expired or been revoked, so there is nothing to "
            "reinstate. To give more, use adjust() or issue a new lot."
        )


@final
@attrs.define
class LotNotCashable(RefusalError):
    """Value of that funding is never paid out in money (A11)."""

    lot_id: str
    funding: str
    cashable: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Lot {self.lot_id} is {self.funding} value, which is not paid out: the merchant "
            f"cashes out {', '.join(self.cashable) or 'nothing'}."
        )


@final
@attrs.define
class ExpiryTooEarly(RefusalError):
    """The lot would expire before it may (A11)."""

    expires_at: dt.datetime
    earliest: dt.datetime
    why: str

    def __str__(self) -> str:
        return (
            f"An expiry at {self.expires_at.isoformat()} is too early: {self.why}. The earliest "
            f"is {self.earliest.isoformat()}."
        )


@final
@attrs.define
class ExpiryNotLater(RefusalError):
    """An extension that extends nothing."""

    lot_id: str
    expires_at: dt.datetime | None
    wanted: dt.datetime

    def __str__(self) -> str:
        now = (
            "never expires"
            if self.expires_at is None
            else f"lives to {self.expires_at.isoformat()}"
        )
        return (
            f"Lot {self.lot_id} {now}; {self.wanted.isoformat()} is not later. An expiry is only "
            "ever extended: to take value back, revoke it."
        )


@final
@attrs.define
class LotCannotGive(RefusalError):
    """A lot that is named with an amount cannot give it, now or for these lines (A3, T2)."""

    lot_id: str
    wanted: Money
    reachable: Money
    because: str

    def __str__(self) -> str:
        return (
            f"Lot {self.lot_id} cannot give {self.wanted}, only {self.reachable} "
            f"({self.because}). The account has changed, or time has passed, since this was "
            "planned: load it and plan again."
        )
