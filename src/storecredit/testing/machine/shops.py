"""The two merchants of the state machine: one with every rule at its default, one with none."""

from __future__ import annotations

import datetime as dt
from typing import Final

from storecredit.ledger import (
    Above,
    Ceiling,
    ExpiredRestore,
    Funding,
    Merchant,
    OrderOfUse,
    RestoreInto,
)
from storecredit.values import CustomUnit, Money, Period, Unit, unit

START: Final = dt.datetime(2026, 3, 28, 22, tzinfo=dt.UTC)
"""An hour before a midnight in Berlin, two before one in UTC, and a day that lacks an hour."""

POINTS: Final = CustomUnit("PTS", 0, name="Points")
UNITS: Final[tuple[Unit, ...]] = (unit("USD"), POINTS)

PLAIN: Final = Merchant(id="acme", units=(POINTS,))
"""Every rule at its default."""

STRICT: Final = Merchant(
    id="bazaar",
    units=(POINTS,),
    channels=("web", "till"),
    zone="Europe/Berlin",
    order=OrderOfUse.of("restricted", "cost", "expiry"),
    hold_lasts=Period(hours=2),
    hold_at_most=Period(days=1),
    minimum_life={Funding.PURCHASED: Period(days=1)},
    ceilings=(
        Ceiling(Money.of_minor(20, UNITS[0]), above=Above.UP_TO),
        Ceiling(Money.of_minor(15, POINTS), above=Above.REFUSE),
    ),
    cashable=frozenset({Funding.DEPOSIT, Funding.PURCHASED}),
    restore_into=RestoreInto.NEW_LOT,
    restore_expired=ExpiredRestore.REISSUE,
    grace=Period(hours=1),
)
"""Every rule away from its default."""

MERCHANTS: Final = (PLAIN, STRICT)
