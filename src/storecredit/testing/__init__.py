"""
What hosts test with: a settable clock, a faulty storage, the storage contract, a state machine.

The clock and the faults need nothing but the library. The contract needs pytest, the state
machine and the strategies (`storecredit.testing.value_strategies`) need hypothesis; both come
with ``pip install "storecredit[testing]"``.
"""

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from storecredit.testing.clock import SettableClock
from storecredit.testing.faults import (
    Fault,
    FaultyStorage,
    InjectedFault,
    Mode,
    Step,
    every_fault,
)

if TYPE_CHECKING:
    from storecredit.testing.contract import StorageContract
    from storecredit.testing.machine import LedgerMachine

__all__ = [
    "Fault",
    "FaultyStorage",
    "InjectedFault",
    "LedgerMachine",
    "Mode",
    "SettableClock",
    "Step",
    "StorageContract",
    "every_fault",
]

_LATER: Final = MappingProxyType(
    {
        "LedgerMachine": "storecredit.testing.machine",
        "StorageContract": "storecredit.testing.contract",
    }
)
"""By name: the module to import when it is first asked for, since it needs more than the library."""


def __getattr__(name: str) -> Any:
    """Import what needs pytest or hypothesis when it is asked for, and not before."""
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as missing:
        if str(missing.name).partition(".")[0] == "storecredit":
            raise
        raise ModuleNotFoundError(
            f"{__name__}.{name} needs {missing.name}, which is not installed. "
            'Run: pip install "storecredit[testing]"',
            name=missing.name,
        ) from missing
