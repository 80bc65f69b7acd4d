"""Take back whatever is in the account of a code (A8, A15)."""

from typing import ClassVar, final

import attrs

from storecredit.errors import LotHeld
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arguments import one_of
from storecredit.ledger.command import NO_NAMES, Names
from storecredit.ledger.correcting import Held
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.move import What


def _held(rule: Held | str) -> Held:
    return one_of(Held, "held", rule)


@final
@attrs.frozen(kw_only=True)
class RevokeCode:
    """Take back everything that a code's account holds, whatever it was granted for."""

    kind: ClassVar[EntryKind] = EntryKind.REVOKE

    code: str
    """The id of the code; the entry says it, also where nothing is left."""
    held: Held = attrs.field(default=Held.REFUSE, converter=_held)

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Revoke what is not held of each lot; what has run out expires. What is spent stays spent.

        Raises:
            ReasonAndActorRequired: Nobody answers for it (A10).
            AccountFrozen, AccountClosed: The account is not open.
            LotHeld: An order holds a part, and `Held.UNHELD_ONLY` is not named.
        """
        draft.require_reason_and_actor("revoke a claim code")
        draft.require_status(AccountStatus.OPEN)
        draft.expire_due()
        lots = sorted(draft.account.lots.values(), key=lambda lot: (lot.sequence, lot.id))
        for lot in lots:
            if lot.held and self.held is Held.REFUSE:
                raise LotHeld(lot.id, draft.account.money(lot.held))
        for lot in lots:
            if lot.free:
                draft.add(What.REVOKED, lot.free, lot.id)
        draft.fact("code", self.code)
