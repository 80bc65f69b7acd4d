"""Freeze, close, reopen: the states of an account (A11)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, final

import attrs

from storecredit.errors import AccountMerged, AccountNotEmpty
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.command import NO_NAMES, Names
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind

TRANSITIONS: Final[Mapping[tuple[AccountStatus, EntryKind], AccountStatus]] = MappingProxyType(
    {
        (AccountStatus.OPEN, EntryKind.FREEZE): AccountStatus.FROZEN,
        (AccountStatus.OPEN, EntryKind.CLOSE): AccountStatus.CLOSED,
        (AccountStatus.FROZEN, EntryKind.CLOSE): AccountStatus.CLOSED,
        (AccountStatus.FROZEN, EntryKind.REOPEN): AccountStatus.OPEN,
        (AccountStatus.CLOSED, EntryKind.REOPEN): AccountStatus.OPEN,
    }
)
"""Every way an account changes its state; whatever is not here is refused."""


@final
@attrs.frozen(kw_only=True)
class Freeze:
    """Let nothing new in or out; existing holds still capture and release, expiry runs."""

    kind: ClassVar[EntryKind] = EntryKind.FREEZE

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Freeze the account.

        Raises:
            AccountFrozen, AccountClosed: It is not open.
        """
        _change(draft, self.kind)


@final
@attrs.frozen(kw_only=True)
class Close:
    """End an empty account."""

    kind: ClassVar[EntryKind] = EntryKind.CLOSE

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Let what is due expire, then close.

        Raises:
            AccountClosed: It is closed already.
            AccountNotEmpty: Something remains, is held, or is owed.
        """
        _change(draft, self.kind)
        draft.expire_due()
        account = draft.account
        balance, held = account.totals["balance"], account.totals["held"]
        if balance or account.owed or account.totals["owed_held"]:
            money = account.money
            raise AccountNotEmpty(account.holder, money(balance), money(held), money(account.owed))


@final
@attrs.frozen(kw_only=True)
class Reopen:
    """Open a frozen or closed account again."""

    kind: ClassVar[EntryKind] = EntryKind.REOPEN

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Open the account.

        Raises:
            AccountOpen: It is open already.
            AccountMerged: It was merged into another, and stays closed.
        """
        if draft.account.merged_into is not None:
            raise AccountMerged(draft.account.holder, draft.account.merged_into)
        _change(draft, self.kind)


def _change(draft: Draft, kind: EntryKind) -> None:
    draft.require_status(*(status for status, verb in TRANSITIONS if verb is kind))
    draft.state({"status": TRANSITIONS[draft.account.status, kind].value})
