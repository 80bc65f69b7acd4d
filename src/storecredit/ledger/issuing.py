"""Issue: create a lot (A4, A11)."""

from datetime import datetime, timedelta
from typing import ClassVar, final

import attrs

from storecredit.errors import ExpiryTooEarly, InvalidTerms
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arguments import Expiry, as_expiry, as_money, as_money_or_none, as_start
from storecredit.ledger.ceilings import room_for
from storecredit.ledger.command import NO_LOTS, Names, resolve_expiry
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.move import What
from storecredit.ledger.terms import Funding, Limits, Paid, Terms, as_funding, as_limits
from storecredit.values import Money, Period, require_issuable


@final
@attrs.frozen(kw_only=True)
class Issue:
    """Give the holder a new lot."""

    kind: ClassVar[EntryKind] = EntryKind.ISSUE

    amount: Money = attrs.field(converter=as_money)
    """Positive."""
    funding: Funding = attrs.field(converter=as_funding)
    expires: Expiry = attrs.field(default=None, converter=as_expiry)
    """A period counts from when the value becomes effective."""
    effective: Period | datetime | None = attrs.field(default=None, converter=as_start)
    """From when the value counts; None for at once, a period counts from the issue."""
    priority: int = 0
    limits: Limits | None = attrs.field(default=None, converter=as_limits)
    paid: Money | None = attrs.field(default=None, converter=as_money_or_none)
    """What the holder paid for it, for value that was bought."""

    @property
    def names(self) -> Names:
        """Not even the open lots, as long as nothing is owed or held."""
        return NO_LOTS

    def decide(self, draft: Draft) -> None:
        """
        Create the lot; let it settle what is owed first (A9).

        Raises:
            AccountFrozen, AccountClosed: Nothing new may come in.
            UnitMismatch: The amount is not in the account's unit.
            AmountNotPositive: The amount is zero or negative.
            UnitWithdrawn: ISO has withdrawn the currency (V4).
            InvalidTerms: The priority is no whole number, or a price is not positive.
            ExpiryTooEarly: The lot would expire before it is effective, or before the minimum
                life of its funding.
            CeilingReached: The account would hold more than the merchant allows.
        """
        draft.require_status(AccountStatus.OPEN)
        amount = draft.minor(self.amount, "issue")
        require_issuable(draft.account.unit)
        terms = self._terms(draft, amount)
        issued = room_for(draft, amount)
        if issued < amount:
            draft.fact("withheld", amount - issued)
        lot = draft.create(What.ISSUED, issued, terms)
        draft.settle_from([(lot, issued)])

    def _terms(self, draft: Draft, amount: int) -> Terms:
        if isinstance(self.priority, bool) or not isinstance(self.priority, int):
            raise InvalidTerms("priority", self.priority, "a whole number")
        if abs(self.priority) > _LARGEST_PRIORITY:
            raise InvalidTerms("priority", self.priority, f"within {_LARGEST_PRIORITY} of zero")
        if self.paid is not None and self.paid.minor <= 0:
            raise InvalidTerms("paid", str(self.paid), "above zero, or left out for given value")
        effective_at = draft.at
        if isinstance(self.effective, Period):
            effective_at = self.effective.after(draft.at)
        elif self.effective is not None:
            effective_at = self.effective
        expires_at = resolve_expiry(self.expires, since=effective_at, merchant=draft.merchant)
        if expires_at is not None:
            self._check_life(draft, effective_at, expires_at)
        return Terms(
            funding=self.funding,
            effective_at=effective_at,
            expires_at=expires_at,
            priority=self.priority,
            limits=self.limits,
            paid=None if self.paid is None else Paid(self.paid, amount),
        )

    def _check_life(self, draft: Draft, effective_at: datetime, expires_at: datetime) -> None:
        soonest = max(draft.at, effective_at)
        if expires_at <= soonest:
            raise ExpiryTooEarly(
                expires_at, soonest + timedelta(microseconds=1), "it would never be spendable"
            )
        life = draft.merchant.minimum_life.get(self.funding)
        if life is not None and expires_at < (earliest := life.after(draft.at)):
            why = f"{self.funding} value has to live for {life} at least"
            raise ExpiryTooEarly(expires_at, earliest, why)


_LARGEST_PRIORITY = 1_000_000
