"""The verbs that explain: what a command would take, lot by lot, and what one took, and why (A3)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Unpack, final

import attrs

from storecredit.errors import UnknownEntry, UnknownHold, UnknownLot
from storecredit.ledger import (
    Account,
    CashOut,
    Command,
    Context,
    Draft,
    EntryId,
    EntryKind,
    Held,
    HoldId,
    Line,
    LotId,
    LotUse,
    Move,
    Reach,
    Redeem,
    Resize,
    Revoke,
    Shortfall,
    Taking,
    as_rounding,
    choice_of,
    chooses,
    replay,
    request_of,
    require_text,
)
from storecredit.service._door import Asked
from storecredit.service._pairing import Pair, Pairing, rate_for
from storecredit.service.about import About, context_of
from storecredit.values import AnyMoney, ExchangeRate, Money, Period, Rounding, Unit, instant

_KEY: Final = "~preview"
"""The key of commands that are decided and thrown away. No entry has it: no host may use it (A1)."""


@final
@attrs.frozen(kw_only=True)
class Preview:
    """What a command would take now, or took, lot by lot, and why (A3)."""

    amount: Money
    """What it would take in all; nothing, where a hold shrinks."""
    on_limit: Money
    """The part that the holder would come to owe."""
    uses: tuple[LotUse, ...]
    """
    Every open lot, in the order of use, with what is taken of it and why; the lot that a revocation
    names comes first. Amounts are minor units.
    """
    version: int
    """The version of the account that this is about: of a transfer's or conversion's, the sender's."""


class Explaining(Pairing):
    """
    Preview the commands that choose lots by the order of use, and explain them afterwards.

    These are redeem and hold, resize where the hold grows, revoke where its rule goes on to other
    lots, cash out, transfer and convert. What a preview shows is what the command then takes, as
    long as nothing else comes between. The other commands choose nothing: they take the lot or the
    hold that is named, give back what an earlier entry took, or take all there is.
    """

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
        return self._foresee(holder, command.amount.unit, command, about)

    def preview_resize(
        self,
        hold: HoldId | str,
        amount: AnyMoney,
        *,
        lapses: Period | datetime | None = None,
        exceed_limit: bool = False,
        spender: str | None = None,
        **about: Unpack[About],
    ) -> Preview:
        """
        Say what `resize` with these arguments would add to the hold now, and change nothing.

        Raises:
            As `resize`: what would be refused is refused here.
        """
        command = Resize(
            hold=HoldId(hold),
            amount=self._money(amount),
            lapses=lapses,
            exceed_limit=exceed_limit,
            spender=spender,
        )
        return self._foresee_by_id(hold, UnknownHold, command, about)

    def preview_revoke(
        self,
        lot: LotId | str,
        *,
        amount: AnyMoney | None = None,
        shortfall: Shortfall | str = Shortfall.UP_TO,
        reach: Reach | str = Reach.LOT,
        held: Held | str = Held.REFUSE,
        **about: Unpack[About],
    ) -> Preview:
        """
        Say what `revoke` with these arguments would take now, and change nothing.

        Raises:
            As `revoke`: what would be refused is refused here.
        """
        command = Revoke(
            lot=LotId(lot),
            amount=None if amount is None else self._money(amount),
            shortfall=shortfall,
            reach=reach,
            held=held,
        )
        return self._foresee_by_id(lot, UnknownLot, command, about)

    def preview_cash_out(
        self,
        holder: str,
        amount: AnyMoney,
        *,
        lot: LotId | str | None = None,
        **about: Unpack[About],
    ) -> Preview:
        """
        Say what `cash_out` with these arguments would take now, and change nothing.

        Raises:
            As `cash_out`: what would be refused is refused here.
        """
        command = CashOut(amount=self._money(amount), lot=None if lot is None else LotId(lot))
        return self._foresee(holder, command.amount.unit, command, about)

    def preview_transfer(
        self,
        sender: str,
        receiver: str,
        amount: AnyMoney,
        *,
        lot: LotId | str | None = None,
        **about: Unpack[About],
    ) -> Preview:
        """
        Say what `transfer` with these arguments would take from the sender, and change nothing.

        Raises:
            As `transfer`: what would be refused, on either side, is refused here.
        """
        money = self._money(amount)
        with self.storage.snapshot() as reader:
            pair = self._transfer_pair(reader, sender, receiver, money, lot=lot, key=_KEY)
            return self._foresee_pair(pair, about)

    def preview_convert(
        self,
        holder: str,
        amount: AnyMoney,
        rate: ExchangeRate,
        *,
        rounding: Rounding | str,
        **about: Unpack[About],
    ) -> Preview:
        """
        Say which lots `convert` with these arguments would take from, and change nothing.

        What the value becomes is what `storecredit.values.convert` says of the same amount.

        Raises:
            As `convert`: what would be refused, on either side, is refused here.
        """
        money = self._money(amount)
        require_text("holder", holder)
        named, rate = as_rounding(rounding), rate_for(money, rate)
        with self.storage.snapshot() as reader:
            pair = self._conversion_pair(reader, holder, money, rate, rounding=named, key=_KEY)
            return self._foresee_pair(pair, about)

    def explain(self, entry: EntryId | str) -> Preview:
        """
        Say, after the fact, what a command took lot by lot, and why (A3).

        The entry is one of a redemption, hold, resized hold, revocation, cash-out, transfer or
        conversion: of a transfer or conversion the sending one. The account is replayed up to
        the version that the command saw. What it took is what its entry says, whatever rules the
        merchant has by now; why other lots were left alone is told by the rules of now.

        Raises:
            UnknownEntry: This merchant has no such entry, or it chose no lots: a capture, a
                release, an expiry and the like take what is named; so does a reversal.
        """
        account_id = self._account_of(entry, UnknownEntry)
        with self.storage.snapshot() as reader:
            account = reader.account_by_id(self.merchant.id, account_id)
            found = None if account is None else reader.entry_by_id(account, EntryId(entry))
            if account is None or found is None or not chooses(found.kind, found.request):
                raise UnknownEntry(entry)
            fresh = Account.new(account.id, account.merchant, account.holder, account.unit)
            before = replay(fresh, reader.journal(account, upto=found.sequence - 1))
        draft = self._opened(before, found.at, found.context)
        return _shown(draft, found.kind, found.request, found.moves)

    # Deciding without appending

    def _foresee(self, holder: str, unit: Unit, command: Command, about: About) -> Preview:
        require_text("holder", holder)
        with self.storage.snapshot() as reader:
            account = self._load(reader, holder, unit, _KEY, command.names).account
            return self._foreseen(account, self._tried(command, about))

    def _foresee_by_id(
        self, thing: str, unknown: type[UnknownHold | UnknownLot], command: Command, about: About
    ) -> Preview:
        account_id = self._account_of(thing, unknown)
        with self.storage.snapshot() as reader:
            account = reader.account_by_id(self.merchant.id, account_id, names=command.names)
        if account is None:
            raise unknown(thing)
        return self._foreseen(account, self._tried(command, about))

    def _foreseen(self, account: Account, asked: Asked) -> Preview:
        at = self._instant(asked.at)
        change = self._decide(account, asked, at)
        moves = () if change is None else change.entry.moves
        return _shown(
            self._opened(account, at, asked.context), asked.command.kind, asked.request, moves
        )

    def _foresee_pair(self, pair: Pair, about: About) -> Preview:
        asked = self._tried(pair.leaving, about)
        at = self._instant(asked.at)
        sent, _ = self._decide_both(pair, asked, at)
        draft = self._opened(pair.near.account, at, asked.context)
        return _shown(draft, asked.command.kind, asked.request, sent.entry.moves)

    def _tried(self, command: Command, about: About) -> Asked:
        at = about.pop("at", None)
        given = None if at is None else instant(at)
        return Asked(command, _KEY, context_of(about), request_of(command), given)

    def _opened(self, account: Account, at: datetime, context: Context) -> Draft:
        """Return the account as a command at *at* finds it: lapsed and settled, nothing taken."""
        return Draft(account, self.merchant, key=_KEY, at=at, context=context)


def _shown(
    draft: Draft, kind: EntryKind, request: Mapping[str, Any], moves: Iterable[Move]
) -> Preview:
    choice, money = choice_of(draft, kind, request, moves), draft.account.money
    return Preview(
        amount=money(choice.amount),
        on_limit=money(choice.on_limit),
        uses=choice.uses,
        version=draft.before.version,
    )
