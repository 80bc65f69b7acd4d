"""The wallet: all accounts of one holder, seen at one instant (V6)."""

from collections.abc import Callable
from datetime import datetime
from typing import final

import attrs

from storecredit.ledger import AccountView, NextExpiry
from storecredit.values import Balance, Money, Unit


@final
@attrs.frozen(kw_only=True)
class WalletView:
    """What one holder has at one merchant, unit by unit; units are never summed."""

    holder: str
    at: datetime
    accounts: tuple[AccountView, ...]
    """By unit code; none for an unknown holder (A16)."""

    @property
    def available(self) -> Balance:
        """What may be spent without conditions."""
        return self._sum(lambda account: account.available)

    @property
    def limited(self) -> Balance:
        """What may be spent on some lines, channels or orders only."""
        return self._sum(lambda account: account.limited)

    @property
    def held(self) -> Balance:
        """What live holds reserve."""
        return self._sum(lambda account: account.held)

    @property
    def pending(self) -> Balance:
        """What is not effective yet."""
        return self._sum(lambda account: account.pending)

    @property
    def owed(self) -> Balance:
        """What the holder owes the merchant."""
        return self._sum(lambda account: account.owed)

    @property
    def spendable(self) -> Balance:
        """What may be spent with the limits that the holder may come to owe (A9)."""
        return self._sum(lambda account: account.spendable)

    @property
    def next_expiry(self) -> dict[str, NextExpiry]:
        """By unit code, what runs out next."""
        return {
            account.unit.code: account.next_expiry
            for account in self.accounts
            if account.next_expiry is not None
        }

    def account(self, unit: str | Unit) -> AccountView | None:
        """Return the account in *unit*, or None where the holder has none."""
        code = unit if isinstance(unit, str) else unit.code
        return next((each for each in self.accounts if each.unit.code == code), None)

    def _sum(self, part: Callable[[AccountView], Money]) -> Balance:
        return Balance.of(*(part(account) for account in self.accounts))
