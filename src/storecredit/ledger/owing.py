"""Owed: how far a holder may come to owe, who may spend, and paying it from outside (A9)."""

from collections.abc import Iterable
from typing import ClassVar, final

import attrs

from storecredit.errors import InvalidTerms, SettleExceedsOwed, UnitMismatch
from storecredit.ledger.account import UNLIMITED, AccountStatus, Limit, Unlimited, write_limit
from storecredit.ledger.arguments import as_money, texts
from storecredit.ledger.command import NO_NAMES, Names
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.move import What
from storecredit.values import Money


@final
@attrs.frozen(kw_only=True)
class Settle:
    """Take a payment from outside on what the holder owes."""

    kind: ClassVar[EntryKind] = EntryKind.SETTLE

    amount: Money = attrs.field(converter=as_money)
    """Positive, at most what is owed."""

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Lower what is owed. A frozen account may still be paid for.

        Raises:
            AccountClosed: The account is closed, and so owes nothing.
            UnitMismatch, AmountNotPositive: The amount.
            SettleExceedsOwed: More than is owed.
        """
        draft.require_status(AccountStatus.OPEN, AccountStatus.FROZEN)
        amount = draft.minor(self.amount, "settle")
        owed = draft.account.owed
        if amount > owed:
            raise SettleExceedsOwed(draft.account.holder, self.amount, draft.account.money(owed))
        draft.add(What.OWED_SETTLED, amount, None)


def _limit(limit: object) -> Money | Unlimited | None:
    if limit is None or isinstance(limit, Unlimited):
        return limit
    return UNLIMITED if limit == UNLIMITED.value else as_money(limit)  # type: ignore[arg-type]  # coercion checks


@final
@attrs.frozen(kw_only=True)
class SetLimit:
    """Decide how far the holder may come to owe."""

    kind: ClassVar[EntryKind] = EntryKind.SET_LIMIT

    limit: Money | Unlimited | None = attrs.field(converter=_limit)
    """None: not at all. Zero or more: so much. Unlimited: without end."""

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Set the limit; what is owed already stays owed.

        Raises:
            AccountFrozen, AccountClosed: The account is not open.
            UnitMismatch: The limit is not in the account's unit.
            InvalidTerms: The limit is below zero.
        """
        draft.require_status(AccountStatus.OPEN)
        limit: Limit
        if isinstance(self.limit, Money):
            if self.limit.unit != draft.account.unit:
                raise UnitMismatch("limit", self.limit.unit, draft.account.unit)
            if self.limit.minor < 0:
                raise InvalidTerms("limit", str(self.limit), "zero or more")
            limit = self.limit.minor
        else:
            limit = self.limit
        if limit != draft.account.limit:
            draft.state({"limit": write_limit(limit)})


def _people(spenders: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if spenders is None else texts("spenders", spenders)


@final
@attrs.frozen(kw_only=True)
class SetSpenders:
    """List who may spend from a company's account."""

    kind: ClassVar[EntryKind] = EntryKind.SET_SPENDERS

    spenders: tuple[str, ...] | None = attrs.field(converter=_people)
    """None: whoever the host lets. Empty: nobody."""

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Replace the list.

        Raises:
            AccountFrozen, AccountClosed: The account is not open.
        """
        draft.require_status(AccountStatus.OPEN)
        if self.spenders != draft.account.spenders:
            spenders = None if self.spenders is None else list(self.spenders)
            draft.state({"spenders": spenders})
