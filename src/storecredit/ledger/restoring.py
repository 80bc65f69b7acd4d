"""Restore: give redeemed value back because the order was refunded (A7)."""

from collections.abc import Mapping
from typing import ClassVar, Final, final

import attrs

from storecredit.errors import InvalidTerms, NotARedemption, RestoreExceedsRedemption
from storecredit.ledger.account import Account, AccountStatus
from storecredit.ledger.arguments import as_money_or_none
from storecredit.ledger.command import Names
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import Entry, EntryKind
from storecredit.ledger.hold import Draw, as_draws
from storecredit.ledger.ids import EntryId, LotId, account_of
from storecredit.ledger.lot import Lot, LotState
from storecredit.ledger.move import Move, What
from storecredit.ledger.rules import ExpiredRestore, RestoreInto, as_expired_restore
from storecredit.ledger.terms import Funding, Terms
from storecredit.values import Money

REDEMPTIONS: Final = frozenset({EntryKind.REDEEM, EntryKind.CAPTURE, EntryKind.CAPTURE_PART})
"""The entries that a restore may name."""

SPENT: Final = frozenset({What.REDEEMED, What.CAPTURED, What.OWED_INCURRED, What.OWED_CAPTURED})
"""The moves that a restore gives back."""

_Moves = list[tuple[int, Move]]
"""Moves of the redemption, each with its position in it."""


@final
@attrs.frozen(kw_only=True)
class Restore:
    """Give back what one redemption took, or a part of it."""

    kind: ClassVar[EntryKind] = EntryKind.RESTORE

    redemption: EntryId
    """The entry that redeemed or captured the value."""
    amount: Money | None = attrs.field(default=None, converter=as_money_or_none)
    """Positive, at most what has not been restored yet; None for all of that."""
    draws: tuple[Draw, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(as_draws)
    )
    """What goes back of each lot, instead of an amount; None for last drawn first."""
    expired: ExpiredRestore | None = attrs.field(
        default=None, converter=attrs.converters.optional(as_expired_restore)
    )
    """Where value of an expired lot goes; None for the merchant's rule."""
    entry: Entry | None = attrs.field(default=None, eq=False, repr=False)
    """The redemption itself, as loaded; no part of the request."""
    lots: tuple[Lot, ...] = attrs.field(default=(), eq=False, repr=False)
    """The lots it took from, where they are in another account that was merged into this one."""
    earlier: Mapping[int, int] = attrs.field(factory=dict, eq=False, repr=False)
    """What accounts that were merged into this one gave back already of each move."""

    @property
    def names(self) -> Names:
        """The redemption, and the lots that it took from."""
        if self.entry is None:
            return Names(redemptions=(self.redemption,))
        return Names(lots=self.entry.lot_ids, redemptions=(self.redemption,))

    def decide(self, draft: Draft) -> None:
        """
        Give value back: last drawn, first restored, each move up to what it took; with draws, only
        of the lots that they name.

        What was spent on the holder's limit is taken off what is owed; where that was settled
        already, it becomes a new lot: refund value if it was settled from outside, else goodwill.

        Raises:
            AccountFrozen, AccountClosed: Nothing new may come in.
            NotARedemption: The entry spent nothing.
            InvalidTerms: Both an amount and draws.
            UnitMismatch, AmountNotPositive: The amount.
            RestoreExceedsRedemption: More than the redemption took, less what was restored; with
                draws, of a lot.
        """
        draft.require_status(AccountStatus.OPEN)
        spent, left = self._spent_and_left(draft.account)
        fresh: list[tuple[LotId, int]] = []
        for wanted, among in self._wanted(draft, spent, left):
            self._check_cap(draft.account, wanted, among, left)
            rest = wanted
            for of, move in reversed(among):
                back = min(left[of], rest)
                if back:
                    fresh += self._give(draft, move, of, back)
                    rest -= back
        draft.restored(self.redemption)
        draft.settle_from(fresh)

    def require_left(self, account: Account, amount: Money) -> None:
        """
        Require that *amount* could be given back now, and decide nothing.

        Raises:
            NotARedemption: The entry spent nothing.
            RestoreExceedsRedemption: More than the redemption took, less what was restored.
        """
        spent, left = self._spent_and_left(account)
        attrs.evolve(self, amount=amount)._check_cap(account, amount.minor, spent, left)

    def _spent_and_left(self, account: Account) -> tuple[_Moves, dict[int, int]]:
        """Return the moves that spent, and how much of each is not given back yet."""
        entry = self.entry
        if entry is None:
            raise InvalidTerms("entry", None, "loaded by whoever decides the command")
        if entry.kind not in REDEMPTIONS:
            raise NotARedemption(self.redemption, entry.kind)
        spent = [(of, move) for of, move in enumerate(entry.moves) if move.what in SPENT]
        done = account.restored.get(self.redemption, {})
        left = {of: move.amount - done.get(of, 0) - self.earlier.get(of, 0) for of, move in spent}
        return spent, left

    def _wanted(
        self, draft: Draft, spent: _Moves, left: Mapping[int, int]
    ) -> list[tuple[int, _Moves]]:
        """Return how much goes back, and of which moves."""
        if self.draws is None:
            if self.amount is None:
                return [(sum(left.values()), spent)]
            return [(draft.minor(self.amount, "restore"), spent)]
        if self.amount is not None:
            raise InvalidTerms("amount", str(self.amount), "None where draws are given")
        return [
            (draw.amount, [(of, move) for of, move in spent if move.lot == draw.lot])
            for draw in self.draws
        ]

    def _check_cap(
        self, account: Account, wanted: int, among: _Moves, left: Mapping[int, int]
    ) -> None:
        most = sum(left[of] for of, _ in among)
        if not wanted or wanted > most:
            money = account.money
            taken = sum(move.amount for _, move in among)
            is_all = self.amount is None and self.draws is None
            raise RestoreExceedsRedemption(
                self.redemption,
                money(taken if is_all else wanted),
                money(taken),
                money(taken - most),
            )

    def _give(self, draft: Draft, move: Move, of: int, amount: int) -> list[tuple[LotId, int]]:
        """Give *amount* of *move* back; return what it has made available, by lot."""
        if move.lot is None:
            return self._off_owed(draft, of, amount)
        known = draft.account.lots.get(move.lot)
        lot = known or next(lot for lot in self.lots if lot.id == move.lot)
        rule = self.expired or draft.merchant.restore_expired
        open_to_it = known is not None and lot.state is LotState.OPEN
        if lot.is_expired(draft.at):
            if rule is ExpiredRestore.EXPIRE and open_to_it:
                draft.add(What.RESTORED, amount, lot.id, of=of)
                draft.expire(lot.id, amount)
                return []
            terms = _new_life(draft, lot, rule)
        elif open_to_it and draft.merchant.restore_into is RestoreInto.SAME_LOT:
            draft.add(What.RESTORED, amount, lot.id, of=of)
            return [(lot.id, amount)]
        else:
            terms = lot.terms
        made = draft.create(What.RESTORED, amount, terms, origin=lot.id, of=of)
        if draft.account.lots[made].is_expired(draft.at):
            draft.expire(made, amount)
        return [(made, amount)]

    def _off_owed(self, draft: Draft, of: int, amount: int) -> list[tuple[LotId, int]]:
        """
        Take *amount* off what is owed; what was settled already becomes a new lot.

        It is refund value where every debt of the account was settled from outside. Where lots
        have settled any, it may be their value, so it comes back as goodwill: promotional value
        never becomes cash (A7).
        """
        account = draft.account
        taken_off = min(amount, account.owed)
        if taken_off:
            draft.add(What.OWED_REVERSED, taken_off, None, of=of)
        if amount == taken_off:
            return []
        from_outside = not account.totals["settled"] and account_of(self.redemption) == account.id
        funding = Funding.REFUND if from_outside else Funding.GOODWILL
        terms = Terms(funding=funding, effective_at=draft.at)
        made = draft.create(What.RESTORED, amount - taken_off, terms, of=of)
        return [(made, amount - taken_off)]


def _new_life(draft: Draft, lot: Lot, rule: ExpiredRestore) -> Terms:
    """Return the terms of the lot that carries on an expired one; the funding is kept (A7)."""
    terms = lot.terms
    if rule is ExpiredRestore.EXPIRE or terms.expires_at is None:
        return terms
    if rule is ExpiredRestore.REISSUE:
        expires_at = draft.at + (terms.expires_at - terms.effective_at)
    else:
        expires_at = draft.merchant.grace.after(draft.at)
    return attrs.evolve(terms, effective_at=draft.at, expires_at=expires_at)
