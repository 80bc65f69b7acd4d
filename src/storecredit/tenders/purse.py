"""A purse: what an account can give to one order at one instant, lot by lot in the order of use."""

from datetime import datetime
from typing import final

import attrs

from storecredit.ledger.account import Account, AccountStatus
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import NO_CONTEXT
from storecredit.ledger.hold import HoldStatus
from storecredit.ledger.ids import LotId
from storecredit.ledger.lot import Lot
from storecredit.ledger.rules import Merchant
from storecredit.tenders.reasons import Why
from storecredit.tenders.tender import Credit


@final
@attrs.define(eq=False)
class Purse:
    """What one account can give. Amounts are minor units of its unit."""

    place: int
    """The tender's position among the tenders."""
    tender: Credit
    lots: list[tuple[Lot, int]]
    """The lots that count, in the order of use, and what each can give."""
    refused: list[tuple[Lot, Why]]
    """The lots that give nothing, and why."""
    line: int
    """How much more the holder may come to owe (A9); below zero, so much is kept back."""
    barred: Why | None = None
    """Why the account gives nothing new."""

    @property
    def spendable(self) -> int:
        """What the account can give in all, limits of lots aside."""
        return max(sum(free for _, free in self.lots) + self.line, 0)


def open_purse(
    place: int,
    tender: Credit,
    *,
    order: str,
    merchant: Merchant,
    at: datetime,
    spender: str | None,
) -> Purse:
    """
    Look into the account of *tender* at the instant *at*.

    What the order's own holds reserve counts, also where the lot has expired since (A6). An *at*
    before the last entry is read as the last entry's instant (A13).
    """
    account, at = _as_of(tender.account, merchant, at)
    own, own_line = _own_holds(account, order)
    barred = _barred(account, spender)
    lots, refused = list[tuple[Lot, int]](), list[tuple[Lot, Why]]()
    for lot in merchant.order.sorted(account.lots.values()):
        reserved = own.get(lot.id, 0)
        free = reserved + (lot.remaining - lot.held if not barred and lot.is_live(at) else 0)
        if free:
            lots.append((lot, free))
        else:
            refused.append((lot, barred or _refusal(lot, at)))
    line = 0
    if account.owed or account.totals["owed_held"] or account.limit is not None:
        line = _credit_line(account, merchant, at)
    if barred:
        line = 0
    return Purse(place, tender, lots, refused, line + own_line, barred)


def _as_of(account: Account, merchant: Merchant, at: datetime) -> tuple[Account, datetime]:
    """Return the account with the lapses and settlements of the instant, and that instant."""
    if account.holds or account.owed:
        draft = _draft(account, merchant, at)
        return draft.account, draft.at
    last_at = account.last_at
    return account, at if last_at is None or at > last_at else last_at


def _draft(account: Account, merchant: Merchant, at: datetime) -> Draft:
    return Draft(account, merchant, key="plan", at=at, context=NO_CONTEXT)


def _credit_line(account: Account, merchant: Merchant, at: datetime) -> int:
    return _draft(account, merchant, at).credit_line()


def _own_holds(account: Account, order: str) -> tuple[dict[LotId, int], int]:
    """Return what the holds of *order* reserve: of each lot, and of the holder's limit."""
    lots, line = dict[LotId, int](), 0
    for hold in account.holds.values():
        if hold.status is HoldStatus.ACTIVE and hold.reference == order:
            for draw in hold.draws:
                if draw.lot is None:
                    line += draw.amount
                else:
                    lots[draw.lot] = lots.get(draw.lot, 0) + draw.amount
    return lots, line


def _barred(account: Account, spender: str | None) -> Why | None:
    if account.status is not AccountStatus.OPEN:
        return Why.ACCOUNT_NOT_OPEN
    if account.spenders is not None and spender not in account.spenders:
        return Why.SPENDER_NOT_LISTED
    return None


def _refusal(lot: Lot, at: datetime) -> Why:
    if not lot.is_live(at):
        return Why.PENDING if lot.is_pending(at) else Why.EXPIRED
    return Why.HELD if lot.remaining else Why.EMPTY
