"""The naive model of giving and correcting: issue, restore, revoke and the rest (A7 to A11)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from storecredit.errors import (
    AccountMerged,
    AccountNotEmpty,
    CeilingReached,
    ExpiryNotLater,
    ExpiryTooEarly,
    InsufficientCredit,
    InvalidTerms,
    LotClosed,
    LotExhausted,
    LotExpired,
    LotHeld,
    LotNotCashable,
    LotNotExpired,
    NotARedemption,
    ReasonAndActorRequired,
    RestoreExceedsRedemption,
    SettleExceedsOwed,
    UnknownLot,
)
from storecredit.ledger import Above, Expiry, Limits, Merchant, RestoreInto
from storecredit.service.about import About
from storecredit.testing.machine.model import Book, Expected, ModelLot, Redemption, Refused
from storecredit.values import Money, Period


def instant_of(expires: Expiry, since: datetime, merchant: Merchant) -> datetime | None:
    """A date is inclusive: it ends with the first instant after that local day (V7)."""
    if expires is None or isinstance(expires, datetime):
        return expires
    if isinstance(expires, Period):
        return expires.after(since)
    return datetime.combine(expires + timedelta(days=1), time(), ZoneInfo(merchant.zone))


def issue(
    book: Book,
    amount: Money,
    *,
    funding: str,
    expires: Expiry = None,
    effective: Period | datetime | None = None,
    priority: int = 0,
    limits: Limits | None = None,
    paid: Money | None = None,
) -> Expected:
    """Create a lot, under the merchant's minimum life and ceiling."""
    book.require("open")
    minor = book.positive(amount)
    begins = effective.after(book.at) if isinstance(effective, Period) else effective or book.at
    ends = instant_of(expires, begins, book.merchant)
    if ends is not None:
        if ends <= max(begins, book.at):
            raise Refused(ExpiryTooEarly)
        life = {key.value: period for key, period in book.merchant.minimum_life.items()}
        if funding in life and ends < life[funding].after(book.at):
            raise Refused(ExpiryTooEarly)
    ceiling = book.merchant.ceiling(book.unit)
    room = minor if ceiling is None else max(ceiling.maximum.minor - book.counted(), 0)
    issued = min(minor, room)
    if issued < minor and ceiling is not None and (ceiling.above is Above.REFUSE or not room):
        raise Refused(CeilingReached)
    lot = ModelLot(
        born=0,
        issued_at=book.at,
        funding=funding,
        effective_at=begins,
        expires_at=ends,
        priority=priority,
        limits=limits,
        price=None if paid is None else Fraction(paid.minor, minor),
    )
    book.arrived(book.new_lot("issued", issued, lot), issued)
    return Expected(book=book, amount=issued, withheld=minor - issued)


def restore(
    book: Book, redemption: Redemption | None, amount: Money | None, expired: str | None
) -> Expected:
    """Last drawn, first restored, never more than was taken in all (A7)."""
    book.require("open")
    if redemption is None:
        raise Refused(NotARedemption)
    left = [
        gift - back for (_, gift), back in zip(redemption.parts, redemption.given_back, strict=True)
    ]
    wanted = sum(left) if amount is None else book.positive(amount)
    if not wanted or wanted > sum(left):
        raise Refused(RestoreExceedsRedemption)
    rest, made = wanted, []
    for number in reversed(range(len(left))):
        back = min(left[number], rest)
        if back:
            redemption.given_back[number] += back
            rest -= back
            lot = redemption.parts[number][0]
            if lot is None:
                made += _off_owed(book, back, same_book=redemption.book is book)
            else:
                made += _put_back(book, lot, back, expired)
    for lot, back in made:
        book.arrived(lot, back)
    return Expected(book=book, amount=wanted)


def _off_owed(book: Book, amount: int, *, same_book: bool) -> list[tuple[ModelLot, int]]:
    """Lower the debt; what was settled comes back, never as cash if lots ever settled any."""
    off = min(amount, book.owed)
    if off:
        book.note("owed_reversed", None, off)
    if amount == off:
        return []
    from_outside = same_book and not any(lot.sum("settled") for lot in book.lots)
    value = ModelLot(
        born=0,
        issued_at=book.at,
        funding="refund" if from_outside else "goodwill",
        effective_at=book.at,
        expires_at=None,
    )
    return [(book.new_lot("restored", amount - off, value), amount - off)]


def _put_back(
    book: Book, lot: ModelLot, amount: int, expired: str | None
) -> list[tuple[ModelLot, int]]:
    """Put *amount* where it belongs; return what came into which lot."""
    at_home = lot in book.lots and lot.closed_by is None
    rule = expired or book.merchant.restore_expired.value
    if lot.has_expired(book.at) and rule != "expire":
        begins, ends = book.at, lot.expires_at
        if rule == "reissue" and ends is not None:
            ends = book.at + (ends - lot.effective_at)
        else:
            ends = book.merchant.grace.after(book.at)
    else:
        begins, ends = lot.effective_at, lot.expires_at
        same = lot.has_expired(book.at) or book.merchant.restore_into is RestoreInto.SAME_LOT
        if at_home and same:
            book.note("restored", lot, amount)
            if lot.has_expired(book.at):
                book.note("expired", lot, amount)
            return [(lot, amount)]
    made = ModelLot(
        born=0,
        issued_at=book.at,
        funding=lot.funding,
        effective_at=begins,
        expires_at=ends,
        priority=lot.priority,
        limits=lot.limits,
        price=lot.price,
        origin=lot.id,
    )
    book.new_lot("restored", amount, made)
    if made.has_expired(book.at):
        book.note("expired", made, amount)
    return [(made, amount)]


def reinstate(
    book: Book, asked_lot: ModelLot | None, amount: Money | None, expires: Expiry, about: About
) -> Expected:
    """Bring back what expired or was revoked."""
    answerable(about)
    book.require("open")
    lot = known(asked_lot)
    if lot.closed_by == "refunded":
        raise Refused(LotClosed)
    expire_rest(book, lot)
    if not lot.gone:
        raise Refused(LotNotExpired)
    minor = lot.gone if amount is None else book.positive(amount)
    if minor > lot.gone:
        raise Refused(LotExhausted)
    if expires is not None:
        until = instant_of(expires, book.at, book.merchant)
        shorter = until is not None and (lot.expires_at is None or until < lot.expires_at)
        if shorter and book.free(lot) + book.held(lot):
            raise Refused(ExpiryNotLater)
        life = {key.value: period for key, period in book.merchant.minimum_life.items()}
        if (
            until is not None
            and lot.funding in life
            and until < life[lot.funding].after(lot.issued_at)
        ):
            raise Refused(ExpiryTooEarly)
        lot.expires_at = until
        book.note("terms_changed", lot, 0)
    if lot.has_expired(book.at) or lot.has_expired(lot.effective_at):
        raise Refused(ExpiryTooEarly)
    book.require_room(minor)
    expired = lot.sum("expired") - lot.back_from_expiry
    from_expiry = min(minor, expired)
    lot.back_from_expiry += from_expiry
    lot.back_from_revocation += minor - from_expiry
    if minor > from_expiry and lot.sum("revoked") == lot.back_from_revocation:
        lot.closed_by = None
    book.note("reinstated", lot, minor)
    book.arrived(lot, minor)
    return Expected(book=book, amount=minor)


def revoke(
    book: Book,
    asked_lot: ModelLot | None,
    amount: Money | None,
    about: About,
    *,
    shortfall: str,
    reach: str,
    held: str,
) -> Expected:
    """Take back what should not have been issued (A8)."""
    answerable(about)
    book.require("open")
    lot = known(asked_lot)
    if lot.closed_by == "refunded":
        raise Refused(LotClosed)
    if book.held(lot) and held == "refuse":
        raise Refused(LotHeld)
    expire_rest(book, lot)
    left = book.free(lot) + book.held(lot)
    most = left if lot.closed_by == "revoked" else lot.granted - lot.gone
    most -= book.held(lot) if held == "unheld_only" else 0
    wanted = most if amount is None else book.positive(amount)
    if not wanted or wanted > most:
        raise Refused(LotExhausted)
    sources = [lot]
    if reach == "promotional":
        sources += book.in_order(
            [
                other
                for other in book.lots
                if other is not lot and other.funding == "promotional" and other.is_live(book.at)
            ]
        )
    rest = wanted
    for source in sources:
        taken = min(book.free(source), rest)
        if taken or source is lot:
            book.note("revoked", source, taken)
            source.closed_by = "revoked"
            rest -= taken
    if rest and shortfall == "all_or_nothing":
        raise Refused(LotExhausted)
    owes = rest if shortfall == "owe" and book.limit is not None else 0
    if owes:
        book.note("owed_incurred", None, owes)
    return Expected(book=book, amount=wanted - rest + owes, shortfall=rest)


def adjust(book: Book, asked_lot: ModelLot | None, by: Money, about: About) -> Expected:
    """Correct the amount of a lot."""
    answerable(about)
    book.require("open")
    lot = known(asked_lot)
    if not by.minor:
        raise Refused(InvalidTerms)
    amount = book.positive(abs(by))
    if by.minor < 0:
        if amount > book.unspent(lot):
            raise Refused(LotExhausted)
        book.note("adjusted_down", lot, amount)
    else:
        if lot.closed_by is not None:
            raise Refused(LotClosed)
        if lot.has_expired(book.at):
            raise Refused(LotExpired)
        book.require_room(amount)
        book.note("adjusted_up", lot, amount)
        book.arrived(lot, amount)
    return Expected(book=book, amount=amount)


def extend_expiry(
    book: Book, asked_lot: ModelLot | None, expires: Expiry, about: About
) -> Expected:
    """Let a live lot live longer."""
    answerable(about)
    book.require("open")
    lot = known(asked_lot)
    if lot.closed_by is not None:
        raise Refused(LotClosed)
    if lot.has_expired(book.at):
        raise Refused(LotExpired)
    if lot.expires_at is None:
        raise Refused(ExpiryNotLater)
    later = instant_of(expires, lot.expires_at, book.merchant)
    if later is not None and later <= lot.expires_at:
        raise Refused(ExpiryNotLater)
    lot.expires_at = later
    book.note("terms_changed", lot, 0)
    return Expected(book=book)


def cash_out(book: Book, amount: Money, lot: ModelLot | str | None) -> Expected:
    """Pay out cashable value, never what covers a debt (A11)."""
    book.require("open")
    minor = book.positive(amount)
    cashable = {funding.value for funding in book.merchant.cashable}
    if isinstance(lot, str):
        raise Refused(UnknownLot)
    if lot is not None and lot.funding not in cashable:
        raise Refused(LotNotCashable)
    lots = [
        each
        for each in book.lots
        if each.funding in cashable and lot in {None, each} and not each.limits
    ]
    for each, gift in leaving(book, minor, lots):
        book.note("cashed_out", each, gift)
    return Expected(book=book, amount=minor)


def leaving(book: Book, amount: int, lots: list[ModelLot]) -> list[tuple[ModelLot, int]]:
    """Choose live value of *lots* that leaves for good: all of it or none, debts covered first."""
    draws, rest = [], amount
    for lot in book.in_order([each for each in lots if each.is_live(book.at)]):
        gift = min(book.free(lot), rest)
        if gift:
            draws.append((lot, gift))
            rest -= gift
    debt = book.owed + book.limit_held
    if rest or (debt and amount > book.available(book.at) - debt):
        raise Refused(InsufficientCredit)
    return draws


def refund_bought(book: Book, asked_lot: ModelLot | None, about: About) -> Expected:
    """Pay the unspent rest of a bought lot back, and close it (A7)."""
    answerable(about)
    book.require("open")
    lot = known(asked_lot)
    if lot.closed_by is not None:
        raise Refused(LotClosed)
    if lot.price is None:
        raise Refused(LotNotCashable)
    if book.held(lot):
        raise Refused(LotHeld)
    expire_rest(book, lot)
    amount = lot.remaining
    debt = book.owed + book.limit_held
    if amount and debt and amount > book.available(book.at) - debt:
        raise Refused(InsufficientCredit)
    book.note("refunded", lot, amount)
    lot.closed_by = "refunded"
    return Expected(book=book, amount=amount)


def settle(book: Book, amount: Money) -> Expected:
    """Pay what is owed from outside (A9)."""
    book.require("open", "frozen")
    minor = book.positive(amount)
    if minor > book.owed:
        raise Refused(SettleExceedsOwed)
    book.note("owed_settled", None, minor)
    return Expected(book=book, amount=minor)


def set_limit(book: Book, limit: Money | str | None) -> Expected:
    """Decide how far the holder may come to owe (A9)."""
    book.require("open")
    wanted = limit.minor if isinstance(limit, Money) else limit
    if isinstance(wanted, int) and wanted < 0:
        raise Refused(InvalidTerms)
    changed, book.limit = wanted != book.limit, wanted
    return Expected(book=book, recorded=changed)


def set_spenders(book: Book, spenders: Iterable[str] | None) -> Expected:
    """List who may spend; None is no list, and an empty one lets nobody (A9)."""
    book.require("open")
    wanted = None if spenders is None else tuple(spenders)
    changed, book.spenders = wanted != book.spenders, wanted
    return Expected(book=book, recorded=changed)


def freeze(book: Book) -> Expected:
    """Nothing new in or out (A11)."""
    book.require("open")
    book.status = "frozen"
    return Expected(book=book)


def close(book: Book) -> Expected:
    """Only when empty; what is due expires first (A11)."""
    book.require("open", "frozen")
    book.expire_due()
    if book.balance or book.owed or book.limit_held:
        raise Refused(AccountNotEmpty)
    book.status = "closed"
    return Expected(book=book)


def reopen(book: Book) -> Expected:
    """Undo a freeze or a closing, never a merger (A11, A17)."""
    if book.merged_into is not None:
        raise Refused(AccountMerged)
    book.require("frozen", "closed")
    book.status = "open"
    return Expected(book=book)


def answerable(about: About) -> None:
    """A correction needs a reason and an actor (A10)."""
    if not (about.get("actor") and about.get("reason")):
        raise Refused(ReasonAndActorRequired)


def known(lot: ModelLot | None) -> ModelLot:
    """Require that the account has the named lot."""
    if lot is None:
        raise Refused(UnknownLot)
    return lot


def expire_rest(book: Book, lot: ModelLot) -> None:
    """What has run out of *lot* is gone, whether a sweep has been there or not (A5)."""
    if lot.has_expired(book.at) and book.free(lot):
        book.note("expired", lot, book.free(lot))
