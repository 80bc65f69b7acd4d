"""
Replay: a shop's order history, driven through the real service, to see what credit would have done.

Reading gives a `History`, which is data; `replay_history` drives it through `StoreCredit` and
returns `Totals` that were checked against the journals.
"""

from storecredit.replay.clock import SettableClock
from storecredit.replay.driving import replay_history
from storecredit.replay.generic import read_generic
from storecredit.replay.history import Event, EventKind, History
from storecredit.replay.online_retail import read_online_retail
from storecredit.replay.totals import LedgerSums, Totals, sums_of

__all__ = [
    "Event",
    "EventKind",
    "History",
    "LedgerSums",
    "SettableClock",
    "Totals",
    "read_generic",
    "read_online_retail",
    "replay_history",
    "sums_of",
]
