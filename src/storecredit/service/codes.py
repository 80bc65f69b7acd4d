"""What the verbs of claim codes return (A15)."""

from datetime import datetime
from typing import final

import attrs

from storecredit.claims import Claim
from storecredit.service.receipts import Receipt, TransferReceipt
from storecredit.service.wallet import WalletView
from storecredit.values import Balance, Money


@final
@attrs.frozen(kw_only=True)
class IssuedCode:
    """
    A code that was issued or reissued: what a message to whoever gets it needs.

    The code itself is here this once. Nobody can read it from the storage, and a repeat of the
    request does not have it: `StoreCredit.reissue_code` replaces one that was lost on the way.
    """

    claim: Claim
    """What is kept of it."""
    code: str | None = attrs.field(repr=False)
    """The code, in five groups of four; None where it was shown before."""
    worth: Money
    """What is in its account: for a new code, what was issued."""
    expires_at: datetime | None
    """When that runs out first; None for never."""
    receipt: Receipt | None = None
    """What was issued; None for a code that was reissued."""
    replayed: bool = attrs.field(default=False, eq=False)
    """Whether this answers an earlier request with the same key."""

    @property
    def id(self) -> str:
        """The id of the code: for records and support. It opens nothing."""
        return self.claim.id

    @property
    def holder(self) -> str:
        """The holder of its account: the bearer of the code."""
        return self.claim.holder

    @property
    def reserved_for(self) -> str | None:
        """The one holder who may claim it; None for whoever has it."""
        return self.claim.reserved_for


@final
@attrs.frozen(kw_only=True)
class OpenedCode:
    """A code that somebody has shown: what a guest may spend from now."""

    id: str
    holder: str
    """The holder to name to `redeem`, `hold` and `tender`, within this request."""
    wallet: WalletView
    """What there is, unit by unit."""


@final
@attrs.frozen(kw_only=True)
class ClaimedCode:
    """What a claim moved: everything that the code was the bearer of."""

    id: str
    holder: str
    """Whose it is now."""
    transfers: tuple[TransferReceipt, ...]
    """For each unit, what left the account of the code and what arrived."""

    @property
    def amount(self) -> Balance:
        """What arrived, in each unit; pending value counts."""
        return Balance.of(*(each.received.amount for each in self.transfers))

    @property
    def replayed(self) -> bool:
        """Whether this is the answer to an earlier request with the same key."""
        return self.transfers[0].replayed
