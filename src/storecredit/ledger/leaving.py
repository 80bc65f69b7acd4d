"""Value that leaves an account for good or for another one: cash out, refund, transfer, convert."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, final

import attrs

from storecredit.errors import (
    AccountMerged,
    HoldsActive,
    LotClosed,
    LotHeld,
    LotNotCashable,
)
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arguments import as_money
from storecredit.ledger.command import NO_NAMES, Names
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.hold import Draw, HoldStatus
from storecredit.ledger.ids import AccountId, LotId, WalletId
from storecredit.ledger.lot import Lot, LotState
from storecredit.ledger.move import What
from storecredit.ledger.placement import Wanted
from storecredit.ledger.shortage import insufficient
from storecredit.values import Conversion, ExchangeRate, Money, Rounding, convert

_BOUGHT: Final = "refund a purchase"


@final
@attrs.frozen(kw_only=True)
class CashOut:
    """Pay value out in money, where its funding allows that (A11)."""

    kind: ClassVar[EntryKind] = EntryKind.CASH_OUT

    amount: Money = attrs.field(converter=as_money)
    """Positive."""
    lot: LotId | None = None
    """Only from this lot."""

    @property
    def names(self) -> Names:
        """The named lot."""
        return NO_NAMES if self.lot is None else Names(lots=(self.lot,))

    def decide(self, draft: Draft) -> None:
        """
        Take the value from cashable lots without limits, in the order of use; never what covers
        a debt.

        Raises:
            AccountFrozen, AccountClosed: Nothing may go out.
            UnitMismatch, AmountNotPositive: The amount.
            UnknownLot: The account has no such lot.
            LotNotCashable: The named lot's funding is not paid out.
            InsufficientCredit: Less can be had than is asked for.
        """
        draft.require_status(AccountStatus.OPEN)
        amount = draft.minor(self.amount, "cash out")
        cashable = draft.merchant.cashable
        if self.lot is not None and (funding := draft.lot(self.lot).terms.funding) not in cashable:
            raise LotNotCashable(self.lot, funding, tuple(sorted(cashable)))
        wanted = wanted_to_leave(self.kind, draft, amount, self.lot)
        for draw in _all_of(draft, wanted, "cash out"):
            draft.add(What.CASHED_OUT, draw.amount, draw.lot)


@final
@attrs.frozen(kw_only=True)
class RefundBought:
    """Give a buyer the unspent rest of a bought lot back in money, and close the lot (A7)."""

    kind: ClassVar[EntryKind] = EntryKind.REFUND_BOUGHT

    lot: LotId

    @property
    def names(self) -> Names:
        """The lot."""
        return Names(lots=(self.lot,))

    def decide(self, draft: Draft) -> None:
        """
        Take all that is left of the lot; nothing comes back into it afterwards.

        What is taken is face value. What was paid for it, and for how much face value, is in the
        entry's fact ``paid``: what to pay back is for the host to say.

        Raises:
            ReasonAndActorRequired: Nobody answers for it (A10).
            AccountFrozen, AccountClosed: Nothing may go out.
            UnknownLot: The account has no such lot.
            LotClosed: It was refunded or revoked already.
            LotNotCashable: It was not bought.
            LotHeld: A part of it is held.
            InsufficientCredit: It covers a debt; settle that first.
        """
        draft.require_reason_and_actor(_BOUGHT)
        draft.require_status(AccountStatus.OPEN)
        lot = draft.expire_if_due(self.lot)
        if lot.state is not LotState.OPEN:
            raise LotClosed(lot.id)
        if lot.terms.paid is None:
            raise LotNotCashable(lot.id, lot.terms.funding, ("what was bought with paid=",))
        if lot.held:
            raise LotHeld(lot.id, draft.account.money(lot.held))
        debt = draft.account.owed + draft.account.totals["owed_held"]
        left = draft.available() - debt
        if lot.remaining and debt and lot.remaining > left:
            raise insufficient(draft, lot.remaining, max(left, 0), _BOUGHT)
        draft.add(What.REFUNDED, lot.remaining, lot.id)
        draft.fact("paid", lot.terms.paid.to_json())


@final
@attrs.frozen(kw_only=True)
class TransferOut:
    """The sending side of a transfer between two accounts of one merchant (A17)."""

    kind: ClassVar[EntryKind] = EntryKind.TRANSFER_OUT

    amount: Money = attrs.field(converter=as_money)
    """Positive."""
    receiver: WalletId
    """The wallet that the receiver was found by."""
    to: AccountId = attrs.field(eq=False)
    """The account that the value goes to: the receiver's, or that of whoever took it over."""
    lot: LotId | None = None
    """Only from this lot."""

    @property
    def names(self) -> Names:
        """The named lot."""
        return NO_NAMES if self.lot is None else Names(lots=(self.lot,))

    def decide(self, draft: Draft) -> None:
        """
        Take the value from live lots in the order of use, limited ones too; never what covers a
        debt.

        Raises:
            AccountFrozen, AccountClosed: Nothing may go out.
            UnitMismatch, AmountNotPositive: The amount.
            UnknownLot: The account has no such lot.
            InsufficientCredit: Less can be had than is asked for.
        """
        draft.require_status(AccountStatus.OPEN)
        amount = draft.minor(self.amount, "transfer")
        if self.lot is not None:
            draft.lot(self.lot)
        wanted = wanted_to_leave(self.kind, draft, amount, self.lot)
        for draw in _all_of(draft, wanted, "transfer"):
            draft.add(What.TRANSFERRED_OUT, draw.amount, draw.lot)
        draft.fact("to", self.to)


@final
@attrs.frozen(kw_only=True)
class ConvertOut:
    """The giving side of a conversion between two units of one wallet (V3, A17)."""

    kind: ClassVar[EntryKind] = EntryKind.CONVERT_OUT

    amount: Money = attrs.field(converter=as_money)
    """Positive, in the rate's source unit."""
    rate: ExchangeRate
    rounding: Rounding
    to: AccountId = attrs.field(eq=False)
    """The account that the value goes to."""

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    @property
    def conversion(self) -> Conversion:
        """
        What the amount becomes.

        Raises:
            UnitMismatch, UnitWithdrawn, RoundingNecessary, ConvertsToNothing, AmountOutOfRange:
                As `convert`.
        """
        return convert(self.amount, self.rate, rounding=self.rounding)

    def decide(self, draft: Draft) -> None:
        """
        Take the value from unlimited lots in the order of use; never what covers a debt.

        Raises:
            AccountFrozen, AccountClosed: Nothing may go out.
            UnitMismatch, AmountNotPositive: The amount.
            ConvertsToNothing, ...: As `conversion`.
            InsufficientCredit: Less can be had than is asked for.
        """
        draft.require_status(AccountStatus.OPEN)
        amount = draft.minor(self.amount, "convert")
        conversion = self.conversion
        wanted = wanted_to_leave(self.kind, draft, amount, None)
        for draw in _all_of(draft, wanted, "convert"):
            draft.add(What.TRANSFERRED_OUT, draw.amount, draw.lot)
        for name, value in conversion_facts(conversion, self.rounding).items():
            draft.fact(name, value)
        draft.fact("to", self.to)


def conversion_facts(conversion: Conversion, rounding: Rounding) -> Mapping[str, Any]:
    """Return what both entries of a conversion say about it."""
    return {
        "rate": str(conversion.rate.rate),
        "rate_on": conversion.rate.on.isoformat(),
        "rounding": rounding.value,
        "source": [conversion.source.minor, conversion.source.unit.code],
        "result": [conversion.result.minor, conversion.result.unit.code],
        "remainder": str(conversion.remainder),
    }


@final
@attrs.frozen(kw_only=True)
class MergeOut:
    """The account of a holder who merges into another gives up all it has (A17)."""

    kind: ClassVar[EntryKind] = EntryKind.MERGE_OUT

    into: WalletId
    """The wallet that the survivor was found by."""
    to: AccountId = attrs.field(eq=False)
    """The account that everything goes to: the survivor's, or that of whoever took it over."""

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Move every lot and all that is owed, and close.

        Raises:
            AccountMerged: It was merged before.
            AccountFrozen: Nothing may go out (A11).
            HoldsActive: A hold is active.
        """
        account = draft.account
        if account.merged_into is not None:
            raise AccountMerged(account.holder, account.merged_into)
        draft.require_status(AccountStatus.OPEN, AccountStatus.CLOSED)
        active = [hold.id for hold in account.holds.values() if hold.status is HoldStatus.ACTIVE]
        if active:
            raise HoldsActive(account.holder, tuple(active))
        draft.expire_due()
        for lot in sorted(account.lots.values(), key=_by_issue):
            if lot.remaining:
                draft.add(What.TRANSFERRED_OUT, lot.remaining, lot.id)
        if account.owed:
            draft.add(What.OWED_REVERSED, account.owed, None)
        draft.state({"status": AccountStatus.CLOSED.value, "merged_into": self.to})
        draft.fact("to", self.to)


def _by_issue(lot: Lot) -> tuple[int, str]:
    return lot.sequence, lot.id


def wanted_to_leave(kind: EntryKind, draft: Draft, amount: int, lot: LotId | None) -> Wanted:
    """
    Return what a cash-out, a transfer or a conversion asks of the lots.

    A transfer takes limited lots like others, because they keep their limits. A cash-out takes
    only what may be paid out.
    """
    return Wanted(
        amount=amount,
        at=draft.at,
        order=draft.merchant.order,
        lot=lot,
        ignore_limits=kind is EntryKind.TRANSFER_OUT,
        fundings=draft.merchant.cashable if kind is EntryKind.CASH_OUT else None,
    )


def _all_of(draft: Draft, wanted: Wanted, doing: str) -> tuple[Draw, ...]:
    """
    Choose lots for value that leaves, all of it or none.

    Raises:
        InsufficientCredit: Less can be had; what covers a debt cannot.
    """
    draws = draft.draw(wanted)
    reached = sum(draw.amount for draw in draws)
    account = draft.account
    if debt := account.owed + account.totals["owed_held"]:
        reached = max(min(reached, draft.available() - debt), 0)
    if reached < wanted.amount:
        raise insufficient(draft, wanted.amount, reached, doing)
    return draws
