"""Messages that were never sent: of each kind one that has everything, and one that has little."""

from datetime import UTC, datetime
from typing import Final

from storecredit.ledger import AccountId, EntryId, LotId
from storecredit.messages.payloads import (
    ClaimCodeCreated,
    CreditExpired,
    CreditExpiring,
    CreditIssued,
    CreditRestored,
    CreditUsed,
    LotPart,
    Message,
    RefundStatus,
    RefundStatusChanged,
)
from storecredit.values import Money, Period

_AT: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_LATER: Final = datetime(2026, 3, 16, tzinfo=UTC)
_END: Final = datetime(2027, 1, 1, tzinfo=UTC)
_ACCOUNT: Final = AccountId(f"{'0' * 32}.EUR")
_ENTRY: Final = EntryId(f"{_ACCOUNT}.{'1' * 32}")
_LOT: Final = LotId(f"{_ACCOUNT}.{'2' * 32}")
_MONTH: Final = Period(days=30)


def _eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def _part(expires_at: datetime | None, *, limited: bool = False) -> LotPart:
    return LotPart(
        lot=_LOT,
        amount=_eur("25.00"),
        funding="goodwill",
        effective_at=_LATER if limited else _AT,
        expires_at=expires_at,
        limited=limited,
    )


def sample_messages() -> tuple[Message, ...]:
    """
    Return messages of every kind, to try templates and webhooks with.

    Of each kind some have everything, and some only what every message has: a template that forgets
    to ask whether a value is there fails with these. Refunds come in every status, and reminders
    for several days, for one and for none, and of lots that expire on different days.
    """
    return (*_issued_and_used(), *_restored_and_expired(), *_expiring(), *_refunds(), *_codes())


def _issued_and_used() -> tuple[Message, ...]:
    end = _part(_END, limited=True)
    full = {"reference": "order-1002", "reason": "late delivery"}
    return (
        *(
            CreditIssued(
                merchant="acme",
                holder="c-17",
                at=_AT,
                account=_ACCOUNT,
                entry=_ENTRY,
                cause="issue",
                amount=_eur("25.00"),
                settled=settled,
                parts=(part,),
                reference=more.get("reference"),
                reason=more.get("reason"),
            )
            for settled, part, more in ((_eur("5.00"), end, full), (_eur("0.00"), _part(None), {}))
        ),
        *(
            CreditUsed(
                merchant="acme",
                holder="c-17",
                at=_AT,
                account=_ACCOUNT,
                entry=_ENTRY,
                cause="redeem",
                amount=_eur("25.00"),
                owed=owed,
                reference=more.get("reference"),
                reason=more.get("reason"),
                channel=more.get("reason") and "web",
            )
            for owed, more in ((_eur("5.00"), full), (_eur("0.00"), {}))
        ),
    )


def _restored_and_expired() -> tuple[Message, ...]:
    one = _part(_END)
    return (
        *(
            CreditRestored(
                merchant="acme",
                holder="c-17",
                at=_AT,
                account=_ACCOUNT,
                entry=_ENTRY,
                cause="restore",
                amount=_eur("25.00"),
                settled=settled,
                redemption=_ENTRY,
                reference=reference,
                reason=reference and "return",
            )
            for settled, reference in ((_eur("5.00"), "return-1"), (_eur("0.00"), None))
        ),
        *(
            CreditExpired(
                merchant="acme",
                holder="c-17",
                at=_END,
                account=_ACCOUNT,
                entry=_ENTRY,
                cause="expire",
                amount=_eur("25.00"),
                parts=parts,
            )
            for parts in ((one,), (one, _part(_LATER)))
        ),
    )


def _expiring() -> tuple[Message, ...]:
    soon, last = (datetime(2026, 12, day, 9, 0, tzinfo=UTC) for day in (10, 31))
    year, years = (_part(datetime(of, 1, 1, tzinfo=UTC)) for of in (2028, 2029))
    return tuple(
        CreditExpiring(
            merchant="acme",
            holder="c-17",
            at=at,
            account=_ACCOUNT,
            amount=_eur("25.00") * (1 + len(more)),
            expires_at=_END,
            before=_MONTH,
            parts=(_part(_END, limited=limited), *more),
            reminders=(_ENTRY,) * (1 + len(more)),
        )
        for at, limited, more in (
            (soon, True, ()),
            (datetime(2026, 12, 30, 9, 0, tzinfo=UTC), False, ()),
            (last, False, ()),
            (soon, True, (year,)),
            (last, False, (year, years)),
        )
    )


def _refunds() -> tuple[Message, ...]:
    least = RefundStatusChanged(merchant="acme", at=_AT, case="case-1", status="requested")
    return least, *(
        RefundStatusChanged(
            merchant="acme",
            holder="c-17",
            at=_AT,
            case="case-1",
            order="order-1002",
            status=status,
            previous=RefundStatus.REQUESTED,
            amount=_eur("25.00"),
            told="We look forward to your parcel.",
        )
        for status in RefundStatus
    )


def _codes() -> tuple[Message, ...]:
    return tuple(
        ClaimCodeCreated(
            merchant="acme",
            holder=holder,
            at=_AT,
            claim="claim-1",
            amount=_eur("25.00"),
            expires_at=expires_at,
            code="SAMP-LE00-0000-0000",
        )
        for holder, expires_at in (("c-17", _END), (None, None))
    )
