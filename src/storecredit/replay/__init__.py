"""
Replay: a shop's order history, driven through the real service, to see what credit would have done.

Reading gives a `History`, which is data; `replay_history` drives it through `StoreCredit` and
returns `Totals` that were checked against the journals. `read_returns` gives what was asked back
as a `ReturnHistory`, and `replay_policy` decides it by a refund policy.
"""

from storecredit.replay.clock import SettableClock
from storecredit.replay.deciding import replay_policy
from storecredit.replay.driving import replay_history
from storecredit.replay.generic import read_generic
from storecredit.replay.history import Event, EventKind, History
from storecredit.replay.online_retail import read_online_retail
from storecredit.replay.policy_totals import Part, PolicyTotals
from storecredit.replay.returns import ReturnHistory, read_returns
from storecredit.replay.totals import LedgerSums, Totals, sums_of
from storecredit.replay.windows import windows_of, with_window

__all__ = [
    "Event",
    "EventKind",
    "History",
    "LedgerSums",
    "Part",
    "PolicyTotals",
    "ReturnHistory",
    "SettableClock",
    "Totals",
    "read_generic",
    "read_online_retail",
    "read_returns",
    "replay_history",
    "replay_policy",
    "sums_of",
    "windows_of",
    "with_window",
]
