"""
A Hypothesis state machine over every command, against a naive model of the ledger.

`LedgerMachine` drives any storage; `model` and `naive_ledger` say what should happen, written
from the rules and not from the ledger; `strategies` makes the commands.
"""

from storecredit.testing.machine.known import Known
from storecredit.testing.machine.ledger_machine import AlwaysSwept, LedgerMachine, NeverSwept
from storecredit.testing.machine.naive_ledger import NaiveLedger
from storecredit.testing.machine.outcomes import Tally, tally_of
from storecredit.testing.machine.requests import Request, Sheet
from storecredit.testing.machine.side_by_side import KEYLESS, SideBySide
from storecredit.testing.machine.strategies import COMMANDS

__all__ = [
    "COMMANDS",
    "KEYLESS",
    "AlwaysSwept",
    "Known",
    "LedgerMachine",
    "NaiveLedger",
    "NeverSwept",
    "Request",
    "Sheet",
    "SideBySide",
    "Tally",
    "tally_of",
]
