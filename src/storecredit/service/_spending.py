"""The verbs that spend: redeem, hold, resize, capture, release."""

from collections.abc import Iterable
from datetime import datetime
from typing import Unpack

from storecredit.errors import UnknownHold
from storecredit.ledger import (
    Capture,
    CapturePart,
    HoldId,
    Line,
    LotId,
    PlaceHold,
    Redeem,
    Release,
    ReleaseOrder,
    Resize,
    Taking,
    require_text,
)
from storecredit.service._door import Asked, Door, Loaded
from storecredit.service.about import About
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import UnitOfWork
from storecredit.values import AnyMoney, Period


class Spending(Door):
    """Redeem, hold, resize, capture, release."""

    def redeem(
        self,
        holder: str,
        amount: AnyMoney,
        *,
        key: str,
        taking: Taking | str = Taking.ALL_OR_NOTHING,
        lot: LotId | str | None = None,
        lines: Iterable[Line] | None = None,
        exceed_limit: bool = False,
        spender: str | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Spend value of *holder* in one step.

        Args:
            holder: Whose value.

            amount: Positive.

            key: Names this request; repeating it is safe (A12).

            taking: ``all_or_nothing``, or ``up_to``: take what there is, if anything.

            lot: Only from this lot.

            lines: The order lines that are paid; limited lots need them (A4).

            exceed_limit: Let the holder owe more than the limit; needs actor and reason (A9).

            spender: Who spends, where the account lists who may.

            about: See `About`; the channel is required where the merchant declares any (A16).

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
            CodeClaimed: The holder is the bearer of a code that was claimed (A15).
            AccountFrozen, AccountClosed: Nothing may go out.
            ChannelRequired, ChannelNotDeclared, SpenderNotListed: Who and where.
            UnitMismatch, AmountNotPositive, InvalidTerms: The amount or the lines.
            UnknownLot: The account has no such lot.
            InsufficientCredit: Less can be had; nothing has changed.
            ConflictError: The storage; repeat with the same key.
        """
        command = Redeem(
            amount=self._money(amount),
            taking=taking,
            lot=None if lot is None else LotId(lot),
            lines=lines,
            exceed_limit=exceed_limit,
            spender=spender,
        )
        return self._run(holder, command.amount.unit, command, key, about)

    def hold(
        self,
        holder: str,
        amount: AnyMoney,
        *,
        key: str,
        taking: Taking | str = Taking.ALL_OR_NOTHING,
        lot: LotId | str | None = None,
        lines: Iterable[Line] | None = None,
        exceed_limit: bool = False,
        spender: str | None = None,
        lapses: Period | datetime | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Reserve value of *holder*, so that nothing else can spend it (A6).

        The lots are fixed now; the hold survives their expiry. Its ``reference`` is how
        `release_order` finds it.

        Args:
            lapses: How long, or until when, the hold lives; None for the merchant's default.

            The others are those of `redeem`.

        Returns:
            The receipt; capture and release name its ``hold_id``.

        Raises:
            As `redeem`; InvalidTerms and HoldTooLong also for the time.
        """
        command = PlaceHold(
            amount=self._money(amount),
            taking=taking,
            lot=None if lot is None else LotId(lot),
            lines=lines,
            exceed_limit=exceed_limit,
            spender=spender,
            lapses=lapses,
        )
        return self._run(holder, command.amount.unit, command, key, about)

    def resize(
        self,
        hold: HoldId | str,
        amount: AnyMoney,
        *,
        key: str,
        lapses: Period | datetime | None = None,
        exceed_limit: bool = False,
        spender: str | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Let *hold* reserve *amount* in all, more or less than it does.

        Growing draws live lots; shrinking gives back at once, last drawn first (A6).

        Raises:
            InvalidKey, InvalidText, UnknownHold, KeyReused, FutureInstant: The request.
            HoldAlreadyLapsed, HoldAlreadyCaptured, HoldAlreadyReleased: It is over.
            UnitMismatch, AmountNotPositive, InvalidTerms, HoldTooLong: Amount and time.
            AccountFrozen, ..., InsufficientCredit: As `redeem`, where it grows.
        """
        command = Resize(
            hold=HoldId(hold),
            amount=self._money(amount),
            lapses=lapses,
            exceed_limit=exceed_limit,
            spender=spender,
        )
        return self._run_by_id(hold, UnknownHold, command, key, about)

    def capture(
        self,
        hold: HoldId | str,
        *,
        key: str,
        amount: AnyMoney | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Spend what *hold* reserves, or up to *amount* of it, and release the rest.

        A capture of a live hold never fails for funds.

        Raises:
            InvalidKey, InvalidText, UnknownHold, KeyReused, FutureInstant: The request.
            HoldAlreadyLapsed, HoldAlreadyCaptured, HoldAlreadyReleased: It is over.
            UnitMismatch, AmountNotPositive, CaptureExceedsHold: The amount.
        """
        money = None if amount is None else self._money(amount)
        command = Capture(hold=HoldId(hold), amount=money)
        return self._run_by_id(hold, UnknownHold, command, key, about)

    def capture_part(
        self, hold: HoldId | str, amount: AnyMoney, *, key: str, **about: Unpack[About]
    ) -> Receipt:
        """
        Spend *amount* of what *hold* reserves, and leave the rest held, for a later shipment.

        Raises:
            As `capture`.
        """
        command = CapturePart(hold=HoldId(hold), amount=self._money(amount))
        return self._run_by_id(hold, UnknownHold, command, key, about)

    def release(self, hold: HoldId | str, *, key: str, **about: Unpack[About]) -> Receipt:
        """
        Give back all that *hold* still reserves.

        Raises:
            InvalidKey, InvalidText, UnknownHold, KeyReused, FutureInstant: The request.
            HoldAlreadyLapsed, HoldAlreadyCaptured, HoldAlreadyReleased: It is over.
        """
        return self._run_by_id(hold, UnknownHold, Release(hold=HoldId(hold)), key, about)

    def release_order(
        self, holder: str, order: str, *, key: str, **about: Unpack[About]
    ) -> tuple[Receipt, ...]:
        """
        Give back everything that holds with the reference *order* still reserve (A6).

        Returns:
            A receipt for each account of the holder that gave something back; none, if nothing
            was held any more.

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
        """
        asked = self._ask(ReleaseOrder(order=order), key, about)
        require_text("holder", holder)
        require_text("order", order)

        def work(tx: UnitOfWork) -> tuple[Receipt, ...]:
            wallet = tx.wallet(self.merchant.id, holder)
            if wallet is None:
                return ()
            loaded = [
                Loaded(account, tx.entry_by_key(account, asked.key))
                for account in self._accounts_on_the_way(tx, wallet)
            ]
            # A repeat answers what was done, and releases nothing placed since then (A12). In an
            # account where nothing was held, the key may have named another command since.
            repeated = [each for each in loaded if each.repeated is not None]
            done = [each for each in repeated if _is_that_release(each, asked)]
            receipts = [self._do(tx, each, asked) for each in done or repeated or loaded]
            return tuple(receipt for receipt in receipts if receipt.changed)

        return self._write(work)


def _is_that_release(loaded: Loaded, asked: Asked) -> bool:
    """Tell whether the entry with the key was made by the same verb for the same order."""
    entry = loaded.repeated
    return entry is not None and (entry.kind, entry.request) == (asked.command.kind, asked.request)
