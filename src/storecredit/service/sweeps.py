"""What a sweep did."""

from typing import final

import attrs

from storecredit.service.receipts import Receipt
from storecredit.values import Balance


@final
@attrs.frozen
class Sweep:
    """What a sweep recorded: how many accounts, how many lots, and how much in each unit."""

    accounts: int
    lots: int
    amount: Balance

    @classmethod
    def empty(cls) -> "Sweep":
        """Return a sweep that found nothing to do."""
        return cls(0, 0, Balance.of())

    def plus(self, receipt: Receipt) -> "Sweep":
        """Count one account's part."""
        if not receipt.changed:
            return self
        return Sweep(
            self.accounts + 1,
            self.lots + len(receipt.lot_ids),
            self.amount + Balance.of(receipt.amount),
        )

    def joined(self, other: "Sweep") -> "Sweep":
        """Return both sweeps as one."""
        return Sweep(
            self.accounts + other.accounts, self.lots + other.lots, self.amount + other.amount
        )
