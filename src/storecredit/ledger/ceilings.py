"""
Ceilings: the most that one account may hold (A11).

Value that is new to the account has to fit: an issue, an adjustment up, a reinstatement, a transfer
or conversion that arrives. Value that comes back to its holder is never refused: a restore, the
reversal of a transfer, a merger.
"""

from storecredit.errors import CeilingReached
from storecredit.ledger.draft import Draft
from storecredit.ledger.rules import Above


def room_for(draft: Draft, amount: int) -> int:
    """
    Return how much of *amount* the merchant's ceiling lets in: all of it, where there is none.

    What has expired does not count against the ceiling, swept or not (A5); held value does.

    Raises:
        CeilingReached: Not all of it, where the ceiling refuses; or nothing at all.
    """
    account = draft.account
    ceiling = draft.merchant.ceiling(account.unit)
    if ceiling is None:
        return amount
    worth = draft.worth()
    room = max(ceiling.maximum.minor - worth, 0)
    if amount <= room:
        return amount
    if ceiling.above is Above.REFUSE or not room:
        money = account.money
        raise CeilingReached(account.holder, money(amount), money(worth), ceiling.maximum)
    return room


def require_room(draft: Draft, amount: int) -> None:
    """
    Require that all of *amount* fits under the merchant's ceiling.

    Raises:
        CeilingReached: It does not, whatever the ceiling does about issues.
    """
    account = draft.account
    ceiling = draft.merchant.ceiling(account.unit)
    if ceiling is not None and draft.worth() + amount > ceiling.maximum.minor:
        money = account.money
        raise CeilingReached(account.holder, money(amount), money(draft.worth()), ceiling.maximum)
