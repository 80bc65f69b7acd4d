"""A shortage: the refusal of a command that wants more than there is, with all that explains it."""

from storecredit.errors import InsufficientCredit
from storecredit.ledger.draft import Draft


def insufficient(draft: Draft, amount: int, reachable: int, doing: str) -> InsufficientCredit:
    """Build the refusal with everything that explains it."""
    account, at = draft.account, draft.at
    live = [lot for lot in account.lots.values() if lot.is_live(at)]
    money = account.money
    return InsufficientCredit(
        account.holder,
        money(amount),
        money(draft.available()),
        money(reachable),
        money(account.totals["held"]),
        money(sum(lot.free for lot in live if lot.terms.limits is not None)),
        money(sum(lot.free for lot in account.lots.values() if lot.is_pending(at))),
        money(account.owed),
        doing,
    )
