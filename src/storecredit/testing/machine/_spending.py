"""The naive model of spending: which lots are used, holds, captures, releases (A3, A4, A6, A9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import combinations
from typing import Any, Final

from storecredit.errors import (
    CaptureExceedsHold,
    ChannelNotDeclared,
    ChannelRequired,
    HoldAlreadyCaptured,
    HoldAlreadyLapsed,
    HoldAlreadyReleased,
    HoldTooLong,
    InsufficientCredit,
    InvalidTerms,
    ReasonAndActorRequired,
    SpenderNotListed,
    UnknownHold,
    UnknownLot,
)
from storecredit.ledger import Line
from storecredit.service.about import About
from storecredit.testing.machine.model import (
    MOST,
    Book,
    Expected,
    ModelHold,
    ModelLot,
    Redemption,
    Refused,
)
from storecredit.values import Money, Period

Draws = list[tuple[ModelLot | None, int]]

_ENDED: Final = {
    "lapsed": HoldAlreadyLapsed,
    "captured": HoldAlreadyCaptured,
    "released": HoldAlreadyReleased,
}


def usable(
    book: Book, *, lines: tuple[Line, ...] | None, channel: str | None, lot: ModelLot | None
) -> list[ModelLot]:
    """List the lots that may pay something, in the order of use (A3, A4)."""
    found = []
    for each in book.lots:
        named = lot is None or each is lot
        if not (named and each.is_live(book.at) and book.free(each) > 0):
            continue
        limits = each.limits
        if limits is not None:
            if limits.channels and channel not in limits.channels:
                continue
            if lines is None:
                continue
            if limits.minimum_order is not None and _due(lines) < limits.minimum_order:
                continue
            if not allowed_lines(each, lines):
                continue
        found.append(each)
    return book.in_order(found)


def allowed_lines(lot: ModelLot, lines: tuple[Line, ...]) -> frozenset[int]:
    """Number the lines that *lot* may pay for."""
    limits = lot.limits
    return frozenset(
        number
        for number, line in enumerate(lines)
        if limits is None
        or (
            (not limits.categories or line.category in limits.categories)
            and (not limits.lines or line.id in limits.lines)
        )
    )


def take(
    book: Book,
    amount: int,
    *,
    lines: tuple[Line, ...] | None,
    channel: str | None,
    lot: ModelLot | None,
    limited_only: bool = False,
) -> list[tuple[ModelLot, int]]:
    """
    Take up to *amount*, each lot in the order of use giving as much as it possibly can.

    Over order lines, a set of gifts can be placed exactly if, for every set of lines, the lots
    that may pay for nothing else give no more than those lines are due (Hall 1935).
    """
    taken: list[tuple[ModelLot, int]] = []
    for each in usable(book, lines=lines, channel=channel, lot=lot):
        if limited_only and each.limits is None:
            continue
        most = min(book.free(each), amount)
        if lines is not None:
            own = allowed_lines(each, lines)
            if each.limits is not None and each.limits.share_percent is not None:
                eligible = sum(lines[number].amount.minor for number in own)
                most = min(most, eligible * each.limits.share_percent // 100)
            for chosen in _subsets(range(len(lines))):
                if own <= chosen:
                    inside = sum(
                        gift for other, gift in taken if allowed_lines(other, lines) <= chosen
                    )
                    most = min(most, sum(lines[n].amount.minor for n in chosen) - inside)
        if most > 0:
            taken.append((each, most))
            amount -= most
    return taken


def draws_for(
    book: Book,
    amount: Money,
    about: About,
    *,
    taking: str = "all_or_nothing",
    lot: ModelLot | str | None = None,
    lines: tuple[Line, ...] | None = None,
    exceed_limit: bool = False,
    spender: str | None = None,
) -> Draws:
    """Choose what to take: lots, then the limit; a debt above the limit keeps lots back (A9)."""
    check_channel(book, about)
    if book.spenders is not None and spender not in book.spenders:
        raise Refused(SpenderNotListed)
    wanted = book.positive(amount)
    if lines is not None and wanted > _due(lines):
        raise Refused(InvalidTerms)
    if exceed_limit and not (about.get("actor") and about.get("reason")):
        raise Refused(ReasonAndActorRequired)
    if isinstance(lot, str):
        raise Refused(UnknownLot)
    from_lots = take(book, wanted, lines=lines, channel=about.get("channel"), lot=lot)
    draws: Draws = list(from_lots)
    rest = wanted - sum(gift for _, gift in from_lots)
    line = book.credit_line
    if exceed_limit:
        line = max(line, rest)
    if line < 0:
        channel = about.get("channel")
        limited = take(
            book, _due(lines or ()), lines=lines, channel=channel, lot=None, limited_only=True
        )
        spendable = max(book.available(book.at) + sum(gift for _, gift in limited) + line, 0)
        draws = _first(draws, spendable)
    elif line and rest and lot is None:
        draws.append((None, min(line, rest)))
    reached = sum(gift for _, gift in draws)
    if not reached or (reached < wanted and taking == "all_or_nothing"):
        raise Refused(InsufficientCredit)
    return draws


def check_channel(book: Book, about: About) -> None:
    """A merchant that declares channels is told one of them, another none (A16)."""
    channel = about.get("channel")
    if channel is None and book.merchant.channels:
        raise Refused(ChannelRequired)
    if channel is not None and channel not in book.merchant.channels:
        raise Refused(ChannelNotDeclared)


def redeem(book: Book, amount: Money, about: About, asked: Mapping[str, Any]) -> Expected:
    """Spend in one step."""
    book.require("open")
    draws = draws_for(book, amount, about, **asked)
    for lot, gift in draws:
        book.note("redeemed" if lot is not None else "owed_incurred", lot, gift)
    return Expected(book=book, amount=_sum(draws), spent=_spent(book, draws))


def hold(book: Book, amount: Money, about: About, asked: Mapping[str, Any]) -> Expected:
    """Reserve."""
    book.require("open")
    lapses = asked.get("lapses")
    rest = {name: argument for name, argument in asked.items() if name != "lapses"}
    draws = draws_for(book, amount, about, **rest)
    placed = ModelHold(
        placed_at=book.at,
        lapses_at=_lapses_at(book, lapses, book.at),
        reference=about.get("reference"),
    )
    book.holds.append(placed)
    _reserve(book, placed, draws)
    return Expected(book=book, amount=_sum(draws), hold=placed)


def resize(
    book: Book,
    asked: ModelHold | None,
    amount: Money,
    about: About,
    *,
    lapses: Period | datetime | None = None,
    exceed_limit: bool = False,
    spender: str | None = None,
) -> Expected:
    """Reserve more or less, or for longer."""
    held = _live(asked)
    target = book.positive(amount)
    recorded = False
    if lapses is not None:
        until = _lapses_at(book, lapses, held.placed_at)
        recorded = until != held.lapses_at
        held.lapses_at = until
    growth = target - held.amount
    if growth > 0:
        book.require("open")
        more = Money.of_minor(growth, book.unit)
        drawn = draws_for(book, more, about, exceed_limit=exceed_limit, spender=spender)
        _reserve(book, held, drawn)
    elif growth < 0:
        book.give_back(held, _last(held.draws, -growth), "released")
    return Expected(book=book, amount=abs(growth), hold=held, recorded=recorded or growth != 0)


def capture(
    book: Book, asked: ModelHold | None, amount: Money | None, *, keep_rest: bool
) -> Expected:
    """Spend in the order drawn; release the rest, or leave it held."""
    held = _live(asked)
    wanted = held.amount if amount is None else book.positive(amount)
    if wanted > held.amount:
        raise Refused(CaptureExceedsHold)
    spent = _first(held.draws, wanted)
    if not keep_rest:
        rest = held.amount - wanted
        if rest:
            book.give_back(held, _last(held.draws, rest), "released")
    for lot, gift in spent:
        book.undraw(held, lot, gift, last=False)
        held.captured += gift
        if not held.draws:
            held.ended = "captured"
        book.note("captured" if lot is not None else "owed_captured", lot, gift)
    return Expected(book=book, amount=wanted, hold=held, spent=_spent(book, spent))


def release(book: Book, asked: ModelHold | None) -> Expected:
    """Give everything back."""
    held = _live(asked)
    amount = held.amount
    book.give_back(held, _last(held.draws, amount), "released")
    return Expected(book=book, amount=amount, hold=held)


def release_order(book: Book, order: str) -> Expected:
    """Give back what all holds of an order still reserve; with nothing left, do nothing."""
    live = [held for held in book.holds if not held.ended and held.reference == order]
    amount = sum(held.amount for held in live)
    for held in live:
        book.give_back(held, _last(held.draws, held.amount), "released")
    return Expected(book=book, amount=amount, recorded=bool(live))


def _reserve(book: Book, held: ModelHold, draws: Draws) -> None:
    for lot, amount in draws:
        held.draws.append((lot, amount))
        book.note("held" if lot is not None else "owed_held", lot, amount)


def _live(held: ModelHold | None) -> ModelHold:
    if held is None:
        raise Refused(UnknownHold)
    if held.ended:
        raise Refused(_ENDED[held.ended])
    return held


def _lapses_at(book: Book, lapses: Period | datetime | None, placed_at: datetime) -> datetime:
    latest = book.merchant.hold_at_most.after(placed_at)
    if lapses is None:
        return min(book.merchant.hold_lasts.after(book.at), latest)
    until = lapses.after(book.at) if isinstance(lapses, Period) else lapses
    if until <= book.at:
        raise Refused(InvalidTerms)
    if until > latest:
        raise Refused(HoldTooLong)
    return until


def _spent(book: Book, draws: Draws) -> Redemption:
    return Redemption(book, list(draws), [0] * len(draws))


def _first(draws: Draws, amount: int) -> Draws:
    kept: Draws = []
    for lot, gift in draws:
        taken = min(gift, amount)
        amount -= taken
        if taken:
            kept.append((lot, taken))
    return kept


def _last(draws: Draws, amount: int) -> Draws:
    return _first(list(reversed(draws)), amount)


def _sum(draws: Draws) -> int:
    return min(sum(gift for _, gift in draws), MOST)


def _due(lines: tuple[Line, ...]) -> int:
    return sum(line.amount.minor for line in lines)


def _subsets(numbers: Iterable[int]) -> list[frozenset[int]]:
    known = list(numbers)
    return [
        frozenset(chosen) for size in range(len(known) + 1) for chosen in combinations(known, size)
    ]
