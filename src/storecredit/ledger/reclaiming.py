"""Reclaim: take back a part of what a lot was granted for, as often as parts of that come back (A8)."""

from typing import ClassVar, final

import attrs

from storecredit.errors import InvalidTerms, LotClosed, LotExhausted, LotHeld
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arguments import as_money, one_of
from storecredit.ledger.command import Names
from storecredit.ledger.correcting import Shortfall
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.ids import LotId
from storecredit.ledger.lot import LotState
from storecredit.ledger.move import What
from storecredit.values import Money


def _shortfall(rule: Shortfall | str) -> Shortfall:
    return one_of(Shortfall, "shortfall", rule)


@final
@attrs.frozen(kw_only=True)
class Reclaim:
    """
    Take back a part of a lot, because a part of what it was granted for is gone.

    A `Revoke` claims what was spent once, of the lot alone. Here, whoever keeps the record of what
    was granted says where its value is by now, and how much of what is spent may be claimed.
    """

    kind: ClassVar[EntryKind] = EntryKind.REVOKE

    lot: LotId
    """What was granted; in another account, where that was merged into this one."""
    amount: Money = attrs.field(converter=as_money)
    """Positive."""
    shortfall: Shortfall = attrs.field(default=Shortfall.UP_TO, converter=_shortfall)
    carried: tuple[LotId, ...] | None = attrs.field(default=None, eq=False)
    """The lots of the account that hold its value, after restores or mergers; None for the lot."""
    spent: int = attrs.field(default=0, eq=False)
    """How much of what is spent may be claimed, in minor units: what no earlier one has claimed."""

    @property
    def names(self) -> Names:
        """The lots that hold the value."""
        return Names(lots=(self.lot,) if self.carried is None else self.carried)

    def decide(self, draft: Draft) -> None:
        """
        Take the value from what is left of the lots; record, refuse or owe what is spent.

        Raises:
            ReasonAndActorRequired: Nobody answers for it (A10).
            AccountFrozen, AccountClosed: The account is not open.
            UnitMismatch, AmountNotPositive: The amount.
            InvalidTerms: What is spent is no whole number from 0 up.
            UnknownLot: The account has no such lot.
            LotClosed: A lot was refunded.
            LotHeld: A part of a lot is held.
            LotExhausted: For all or nothing, more than is left.
        """
        draft.require_reason_and_actor("revoke value")
        draft.require_status(AccountStatus.OPEN)
        wanted = draft.minor(self.amount, "revoke")
        if type(self.spent) is not int or self.spent < 0:
            raise InvalidTerms("spent", self.spent, "a whole number from 0 up")
        money, rest = draft.account.money, wanted
        for name in self.names.lots:
            lot = draft.expire_if_due(name)
            if lot.state is LotState.REFUNDED:
                raise LotClosed(lot.id)
            if lot.held:
                raise LotHeld(lot.id, money(lot.held))
            taken = min(lot.free, rest)
            if taken:
                draft.add(What.REVOKED, taken, lot.id)
                rest -= taken
        short = min(rest, self.spent)
        if short and self.shortfall is Shortfall.ALL_OR_NOTHING:
            raise LotExhausted(self.lot, money(wanted), money(wanted - rest), "revoke")
        if short:
            draft.fact("shortfall", short)
            if self.shortfall is Shortfall.OWE and draft.account.limit is not None:
                draft.add(What.OWED_INCURRED, short, None)
