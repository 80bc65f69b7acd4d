"""
The storage contract as tests: subclass `StorageContract`, say which storage, and let pytest run it.

    from storecredit.testing.contract import StorageContract

    class TestMyStorage(StorageContract):
        def make_storage(self):
            return MyStorage(...)

Each duty is a test whose name begins with the rule of DESIGN.md that it comes from. The groups
can be run alone while an adapter is being written, best in this order:

- `WalletDuties`: a holder has one wallet, whatever the holder is called (A1, A17, A18)
- `JournalDuties`: entries come back as they went in; private fields can be erased (S6, A14)
- `LoadingDuties`: open rows, and rows by their name (S3)
- `AtomicDuties`: all or nothing (S1)
- `VersionDuties`: one writer per version (S2)
- `KeyDuties`: one entry per key (S4)
- `StateDuties`: state is the fold of the journal, and can be rebuilt (S6)
- `AddressDuties`: ids lead to their account, and to no other merchant's (S10, A16)
- `SweepingDuties`: what is due and what has lapsed, in pages (A5, A6)
- `RecordDuties`: everything that is not an account (S11)
- `ExtremeDuties`: the largest, earliest, longest (V2, V4, V7, A18)
- `RefusalDuties`: what is refused leaves no trace (A12)
- `SnapshotDuties`: one consistent state (S1)
- `RaceDuties`: threads at the same moment (S1, S2, S4)
- `FeedDuties`: committed entries for other programs, each once and in account order (S7)
- `CheckoutDuties`: the record of a payment and the entries of its accounts (T5, S11)
- `ClaimDuties`: the record of a claim code and the accounts on both sides (A15, S11)
- `RefundDuties`: the records of a refund case and the entries of its accounts (P5, S11)
- `CrashDuties`: a fault at every step (S1, S4, S5)
"""

import pytest

_GROUPS = (
    "addresses atomicity checking_out claiming crashes duties extremes feeding journal keys loading"
    " races records refunding refusals scene snapshots states story sweeping versions wallets"
).split()
# Before they are imported: so that a duty that fails shows what it compared.
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _GROUPS))

from storecredit.testing.contract.addresses import AddressDuties  # noqa: E402 - see above
from storecredit.testing.contract.atomicity import AtomicDuties  # noqa: E402 - see above
from storecredit.testing.contract.checking_out import CheckoutDuties  # noqa: E402 - see above
from storecredit.testing.contract.claiming import ClaimDuties  # noqa: E402 - see above
from storecredit.testing.contract.crashes import CrashDuties  # noqa: E402 - see above
from storecredit.testing.contract.duties import Duties  # noqa: E402 - see above
from storecredit.testing.contract.extremes import ExtremeDuties  # noqa: E402 - see above
from storecredit.testing.contract.feeding import FeedDuties  # noqa: E402 - see above
from storecredit.testing.contract.journal import JournalDuties  # noqa: E402 - see above
from storecredit.testing.contract.keys import KeyDuties  # noqa: E402 - see above
from storecredit.testing.contract.loading import LoadingDuties  # noqa: E402 - see above
from storecredit.testing.contract.races import RaceDuties  # noqa: E402 - see above
from storecredit.testing.contract.records import RecordDuties  # noqa: E402 - see above
from storecredit.testing.contract.refunding import RefundDuties  # noqa: E402 - see above
from storecredit.testing.contract.refusals import RefusalDuties  # noqa: E402 - see above
from storecredit.testing.contract.snapshots import SnapshotDuties  # noqa: E402 - see above
from storecredit.testing.contract.states import StateDuties  # noqa: E402 - see above
from storecredit.testing.contract.sweeping import SweepingDuties  # noqa: E402 - see above
from storecredit.testing.contract.versions import VersionDuties  # noqa: E402 - see above
from storecredit.testing.contract.wallets import WalletDuties  # noqa: E402 - see above

__all__ = [
    "AddressDuties",
    "AtomicDuties",
    "CheckoutDuties",
    "ClaimDuties",
    "CrashDuties",
    "Duties",
    "ExtremeDuties",
    "FeedDuties",
    "JournalDuties",
    "KeyDuties",
    "LoadingDuties",
    "RaceDuties",
    "RecordDuties",
    "RefundDuties",
    "RefusalDuties",
    "SnapshotDuties",
    "StateDuties",
    "StorageContract",
    "SweepingDuties",
    "VersionDuties",
    "WalletDuties",
]


class StorageContract(
    WalletDuties,
    JournalDuties,
    LoadingDuties,
    AtomicDuties,
    VersionDuties,
    KeyDuties,
    StateDuties,
    AddressDuties,
    SweepingDuties,
    RecordDuties,
    ExtremeDuties,
    RefusalDuties,
    SnapshotDuties,
    RaceDuties,
    FeedDuties,
    CheckoutDuties,
    ClaimDuties,
    RefundDuties,
    CrashDuties,
):
    """All duties of a storage; a subclass says how to make it (see `Duties`)."""
