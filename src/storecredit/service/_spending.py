"""The verbs that spend: redeem, hold, resize, capture, release, and what they would do."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Unpack, final

import attrs

from storecredit.errors import UnknownEntry, UnknownHold
from storecredit.ledger import (
    Account,
    AccountStatus,
    Capture,
    CapturePart,
    Context,
    Draft,
    Draw,
    EntryId,
    EntryKind,
    HoldId,
    Line,
    LotId,
    LotUse,
    PlaceHold,
    Redeem,
    Release,
    ReleaseOrder,
    Resize,
    Taking,
    What,
    draws_for,
    explain,
    replay,
    require_text,
    wanted_by,
)
from storecredit.service._door import Door, Loaded
from storecredit.service.about import About, context_of
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import UnitOfWork
from storecredit.values import AnyMoney, Money, Period, instant


@final
@attrs.frozen(kw_only=True)
class Preview:
    """What a spending command would take now, lot by lot, and why (A3)."""

    amount: Money
    """What it would take in all."""
    on_limit: Money
    """The part that the holder would come to owe."""
    uses: tuple[LotUse, ...]
    """Every open lot, in the order of use, with what is taken of it and why."""
    version: int
    """The version of the account that this is about."""


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
        require_text("holder", holder)
        command = ReleaseOrder(order=require_text("order", order))
        asked = self._ask(command, key, about)

        def work(tx: UnitOfWork) -> tuple[Receipt, ...]:
            wallet = tx.wallet(self.merchant.id, holder)
            if wallet is None:
                return ()
            loaded = [
                Loaded(account, tx.entry_by_key(account, asked.key))
                for account in self._accounts_on_the_way(tx, wallet)
            ]
            # A repeat answers what was done, and releases nothing placed since then (A12).
            repeated = [each for each in loaded if each.repeated is not None]
            receipts = [self._do(tx, each, asked) for each in repeated or loaded]
            return tuple(receipt for receipt in receipts if receipt.changed)

        return self._write(work)

    def preview(
        self,
        holder: str,
        amount: AnyMoney,
        *,
        taking: Taking | str = Taking.ALL_OR_NOTHING,
        lot: LotId | str | None = None,
        lines: Iterable[Line] | None = None,
        exceed_limit: bool = False,
        spender: str | None = None,
        **about: Unpack[About],
    ) -> Preview:
        """
        Say what `redeem` or `hold` with these arguments would take now, and change nothing.

        Raises:
            As `redeem`: what would be refused is refused here.
        """
        command = Redeem(
            amount=self._money(amount),
            taking=taking,
            lot=None if lot is None else LotId(lot),
            lines=lines,
            exceed_limit=exceed_limit,
            spender=spender,
        )
        require_text("holder", holder)
        given = about.pop("at", None)
        at = self._instant(None if given is None else instant(given))
        context = context_of(about)
        with self.storage.snapshot() as reader:
            account = self._look(reader, holder, command.amount.unit, command.names)
            draft = self._draft(account, at, context)
            draft.require_status(AccountStatus.OPEN)
            return _shown(command, draft, draws_for(command, draft, "redeem"))

    def explain(self, entry: EntryId | str) -> Preview:
        """
        Say, after the fact, what a redemption or hold took lot by lot, and why (A3).

        The account is replayed up to the version that the command saw; what it took is what its
        entry says, whatever rules the merchant has by now.

        Raises:
            UnknownEntry: This merchant has no such entry, or it neither redeemed nor held.
        """
        account_id = self._account_of(entry, UnknownEntry)
        with self.storage.snapshot() as reader:
            account = reader.account_by_id(self.merchant.id, account_id)
            found = None if account is None else reader.entry_by_id(account, EntryId(entry))
            if account is None or found is None or found.kind not in _EXPLAINED:
                raise UnknownEntry(entry)
            fresh = Account.new(account.id, account.merchant, account.holder, account.unit)
            before = replay(fresh, reader.journal(account, upto=found.sequence - 1))
        request = found.request
        command = Redeem(
            amount=Money.of(request["amount"].partition(" ")[2], account.unit),
            taking=request.get("taking", Taking.ALL_OR_NOTHING),
            lot=request.get("lot"),
            lines=None
            if "lines" not in request
            else [
                Line(id=id_, amount=account.money(minor), category=category)
                for id_, minor, category in request["lines"]
            ],
            exceed_limit=request.get("exceed_limit", False),
            spender=request.get("spender"),
        )
        draft = self._draft(before, found.at, found.context)
        draws = [Draw(move.lot, move.amount) for move in found.moves if move.what in _TAKEN]
        return _shown(command, draft, draws)

    def _draft(self, account: Account, at: datetime, context: Context) -> Draft:
        return Draft(account, self.merchant, key="preview", at=at, context=context)


def _shown(command: Redeem, draft: Draft, draws: Sequence[Draw]) -> Preview:
    money = draft.account.money
    from_lots = [draw for draw in draws if draw.lot is not None]
    on_limit = sum(draw.amount for draw in draws if draw.lot is None)
    spent = sum(draw.amount for draw in from_lots)
    wanted = wanted_by(command, draft, command.amount.minor)
    return Preview(
        amount=money(spent + on_limit),
        on_limit=money(on_limit),
        uses=explain(draft.account.lots.values(), wanted, from_lots),
        version=draft.before.version,
    )


_TAKEN = frozenset({What.REDEEMED, What.OWED_INCURRED, What.HELD, What.OWED_HELD})
_EXPLAINED = frozenset({EntryKind.REDEEM, EntryKind.HOLD})
