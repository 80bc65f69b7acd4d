"""The verbs that put things right or end them: revoke, adjust, extend, cash out, settle, freeze."""

from collections.abc import Iterable
from typing import Unpack

from storecredit.errors import UnknownLot
from storecredit.ledger import (
    Adjust,
    CashOut,
    Close,
    Expiry,
    ExtendExpiry,
    Freeze,
    Held,
    LotId,
    Reach,
    RefundBought,
    Reopen,
    Revoke,
    SetLimit,
    SetSpenders,
    Settle,
    Shortfall,
    Unlimited,
)
from storecredit.service._door import Door
from storecredit.service.about import About
from storecredit.service.receipts import Receipt
from storecredit.values import AnyMoney, Unit


class Correcting(Door):
    """Revoke, adjust, extend, cash out, refund a purchase, settle, limits, freeze, close, reopen."""

    def revoke(
        self,
        lot: LotId | str,
        *,
        key: str,
        amount: AnyMoney | None = None,
        shortfall: Shortfall | str = Shortfall.UP_TO,
        reach: Reach | str = Reach.LOT,
        held: Held | str = Held.REFUSE,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Take back what should not have been issued (A8).

        Args:
            lot: The lot.

            amount: Positive; None for all of it that has not expired or been revoked.

            key: Names this request.

            shortfall: What to do about value that is spent: ``up_to`` records it,
                ``all_or_nothing`` refuses, ``owe`` lets the holder owe it.

            reach: ``lot`` alone, or then other ``promotional`` lots too.

            held: ``refuse`` while a part is held, or take ``unheld_only``.

            about: See `About`; actor and reason are required (A10).

        Raises:
            InvalidKey, InvalidText, UnknownLot, KeyReused, FutureInstant: The request.
            ReasonAndActorRequired, AccountFrozen, AccountClosed, LotClosed, LotHeld,
            UnitMismatch, AmountNotPositive, LotExhausted: As `Revoke`.
        """
        command = Revoke(
            lot=LotId(lot),
            amount=None if amount is None else self._money(amount),
            shortfall=shortfall,
            reach=reach,
            held=held,
        )
        return self._run_by_id(lot, UnknownLot, command, key, about)

    def adjust(
        self, lot: LotId | str, by: AnyMoney, *, key: str, **about: Unpack[About]
    ) -> Receipt:
        """
        Correct the amount of *lot* by a positive or negative amount.

        Raises:
            InvalidKey, InvalidText, UnknownLot, KeyReused, FutureInstant: The request.
            ReasonAndActorRequired, AccountFrozen, AccountClosed, InvalidTerms, UnitMismatch,
            LotClosed, LotExpired, CeilingReached, LotExhausted: As `Adjust`.
        """
        command = Adjust(lot=LotId(lot), by=self._money(by))
        return self._run_by_id(lot, UnknownLot, command, key, about)

    def extend_expiry(
        self, lot: LotId | str, expires: Expiry, *, key: str, **about: Unpack[About]
    ) -> Receipt:
        """
        Let *lot* live longer: by a period, to the end of a day, to an instant, or for ever.

        Raises:
            InvalidKey, InvalidText, UnknownLot, KeyReused, FutureInstant: The request.
            ReasonAndActorRequired, AccountFrozen, AccountClosed, LotClosed, LotExpired,
            ExpiryNotLater: As `ExtendExpiry`.
        """
        command = ExtendExpiry(lot=LotId(lot), expires=expires)
        return self._run_by_id(lot, UnknownLot, command, key, about)

    def cash_out(
        self,
        holder: str,
        amount: AnyMoney,
        *,
        key: str,
        lot: LotId | str | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Pay value out in money, from lots whose funding allows it (A11).

        The library takes the value out of the ledger; paying the money is the host's part.

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
            AccountFrozen, AccountClosed, UnitMismatch, AmountNotPositive, UnknownLot,
            LotNotCashable, InsufficientCredit: As `CashOut`.
        """
        command = CashOut(amount=self._money(amount), lot=None if lot is None else LotId(lot))
        return self._run(holder, command.amount.unit, command, key, about)

    def refund_bought(self, lot: LotId | str, *, key: str, **about: Unpack[About]) -> Receipt:
        """
        Give a buyer the unspent rest of a bought lot back in money, and close the lot (A7).

        Raises:
            InvalidKey, InvalidText, UnknownLot, KeyReused, FutureInstant: The request.
            ReasonAndActorRequired, AccountFrozen, AccountClosed, LotClosed, LotNotCashable,
            LotHeld: As `RefundBought`.
        """
        return self._run_by_id(lot, UnknownLot, RefundBought(lot=LotId(lot)), key, about)

    def settle(self, holder: str, amount: AnyMoney, *, key: str, **about: Unpack[About]) -> Receipt:
        """
        Take a payment from outside on what *holder* owes (A9).

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
            AccountClosed, UnitMismatch, AmountNotPositive, SettleExceedsOwed: As `Settle`.
        """
        command = Settle(amount=self._money(amount))
        return self._run(holder, command.amount.unit, command, key, about)

    def set_limit(
        self,
        holder: str,
        unit: str | Unit,
        limit: AnyMoney | Unlimited | str | None,
        *,
        key: str,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Decide how far *holder* may come to owe: not at all (None), an amount, or ``"unlimited"``.

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
            AccountFrozen, AccountClosed, UnitMismatch, InvalidTerms: As `SetLimit`.
        """
        command = SetLimit(
            limit=limit
            if limit is None or isinstance(limit, str | Unlimited)
            else self._money(limit)
        )
        return self._run(holder, self._unit(unit), command, key, about)

    def set_spenders(
        self,
        holder: str,
        unit: str | Unit,
        spenders: Iterable[str] | None,
        *,
        key: str,
        **about: Unpack[About],
    ) -> Receipt:
        """
        List who may spend from a company's account; None lifts the list (A9).

        The list guards `redeem`, `hold` and a hold that grows. Transfers, conversions and
        cash-outs are the operator's verbs, and ask for no spender. Names go into the journal for
        good: give opaque ids.

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
            AccountFrozen, AccountClosed: The account is not open.
        """
        return self._run(holder, self._unit(unit), SetSpenders(spenders=spenders), key, about)

    def freeze(self, holder: str, unit: str | Unit, *, key: str, **about: Unpack[About]) -> Receipt:
        """
        Let nothing new into or out of the account; holds still capture and release (A11).

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
            AccountFrozen, AccountClosed: It is not open.
        """
        return self._run(holder, self._unit(unit), Freeze(), key, about)

    def close(self, holder: str, unit: str | Unit, *, key: str, **about: Unpack[About]) -> Receipt:
        """
        End an empty account; what is due expires first (A11).

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
            AccountClosed, AccountNotEmpty: As `Close`.
        """
        return self._run(holder, self._unit(unit), Close(), key, about)

    def reopen(self, holder: str, unit: str | Unit, *, key: str, **about: Unpack[About]) -> Receipt:
        """
        Open a frozen or closed account again.

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
            AccountOpen, AccountMerged: As `Reopen`.
        """
        return self._run(holder, self._unit(unit), Reopen(), key, about)
