"""What an account looks like at an instant: amounts, lots and holds, for people and plans (V6)."""

from datetime import datetime
from typing import final

import attrs

from storecredit.ledger.account import UNLIMITED, Account, AccountStatus
from storecredit.ledger.draft import MOST, Draft
from storecredit.ledger.entry import NO_CONTEXT
from storecredit.ledger.hold import HoldStatus
from storecredit.ledger.ids import AccountId, HoldId, LotId
from storecredit.ledger.lot import Lot
from storecredit.ledger.rules import Merchant
from storecredit.ledger.terms import Terms
from storecredit.values import Money, Unit


@final
@attrs.frozen(kw_only=True)
class LotView:
    """One open lot at an instant."""

    id: LotId
    terms: Terms
    issued_at: datetime
    origin: str | None
    """The lot whose value it carries on, after a restore or a transfer."""
    amount: Money
    """What was granted, as adjusted since."""
    remaining: Money
    """What has not left it, the held part included."""
    held: Money
    is_pending: bool
    is_expired: bool
    """Whether its time has run out, swept or not (A5)."""


@final
@attrs.frozen(kw_only=True)
class HoldView:
    """One live hold at an instant."""

    id: HoldId
    amount: Money
    """What it still reserves."""
    captured: Money
    placed_at: datetime
    lapses_at: datetime
    reference: str | None


@final
@attrs.frozen(kw_only=True)
class NextExpiry:
    """What runs out next, and when."""

    at: datetime
    amount: Money


@final
@attrs.frozen(kw_only=True)
class AccountView:
    """
    One account at an instant.

    available + limited + held + pending + due is what its lots hold in all (A2).
    """

    id: AccountId
    unit: Unit
    version: int
    status: AccountStatus
    at: datetime
    available: Money
    """Live, not held, and usable without conditions."""
    limited: Money
    """Live and not held, but only for some lines, channels or orders (A4)."""
    held: Money
    """Reserved by live holds."""
    pending: Money
    """Not held, and not effective yet."""
    due: Money
    """Not held, and expired: worth nothing, whether swept yet or not."""
    owed: Money
    """What the holder owes the merchant."""
    limit: Money | None
    """How far the holder may come to owe; None for not at all, or without end."""
    is_unlimited: bool
    """Whether the holder may come to owe without end."""
    spendable: Money
    """available + limit - owed, never below zero (A9)."""
    next_expiry: NextExpiry | None
    lots: tuple[LotView, ...]
    """The open lots, in the order of use."""
    holds: tuple[HoldView, ...]


def view(account: Account, merchant: Merchant, at: datetime) -> AccountView:
    """
    Show *account* at the instant *at*, lapses and settlements of that instant included.

    An *at* before the last entry is read as the last entry's instant; for the past, replay first.
    """
    draft = Draft(account, merchant, key="view", at=at, context=NO_CONTEXT)
    now, at, money = draft.account, draft.at, account.money
    lots = merchant.order.sorted(lot for lot in now.lots.values() if lot.remaining)
    free = [lot for lot in lots if lot.free]
    live = [lot for lot in free if lot.is_live(at)]
    available = sum(lot.free for lot in live if lot.terms.limits is None)
    line = draft.credit_line()
    return AccountView(
        id=now.id,
        unit=now.unit,
        version=account.version,
        status=now.status,
        at=at,
        available=money(available),
        limited=money(sum(lot.free for lot in live if lot.terms.limits is not None)),
        held=money(now.totals["held"]),
        pending=money(sum(lot.free for lot in free if lot.is_pending(at))),
        due=money(sum(lot.free for lot in free if lot.is_expired(at))),
        owed=money(now.owed),
        limit=money(now.limit) if isinstance(now.limit, int) else None,
        is_unlimited=now.limit is UNLIMITED,
        spendable=money(min(max(available + line, 0), MOST)),
        next_expiry=_next_expiry(account, live),
        lots=tuple(_lot_view(account, lot, at) for lot in lots),
        holds=tuple(
            HoldView(
                id=hold.id,
                amount=money(hold.amount),
                captured=money(hold.captured),
                placed_at=hold.placed_at,
                lapses_at=hold.lapses_at,
                reference=hold.reference,
            )
            for hold in now.holds.values()
            if hold.status is HoldStatus.ACTIVE
        ),
    )


def _next_expiry(account: Account, live: list[Lot]) -> NextExpiry | None:
    expiring = [lot for lot in live if lot.terms.expires_at is not None]
    soonest = min((lot.terms.expires_at for lot in expiring if lot.terms.expires_at), default=None)
    if soonest is None:
        return None
    amount = sum(lot.free for lot in expiring if lot.terms.expires_at == soonest)
    return NextExpiry(at=soonest, amount=account.money(amount))


def _lot_view(account: Account, lot: Lot, at: datetime) -> LotView:
    return LotView(
        id=lot.id,
        terms=lot.terms,
        issued_at=lot.issued_at,
        origin=lot.origin,
        amount=account.money(lot.amount),
        remaining=account.money(lot.remaining),
        held=account.money(lot.held),
        is_pending=lot.is_pending(at),
        is_expired=lot.is_expired(at),
    )
