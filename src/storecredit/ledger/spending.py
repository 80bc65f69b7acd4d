"""Redeem and hold: take value for an order, in one step or reserved first (A3, A4, A6, A9)."""

import enum
from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, final

import attrs

from storecredit.errors import InvalidTerms, SpenderNotListed, UnitMismatch
from storecredit.ledger.account import AccountStatus
from storecredit.ledger.arguments import as_money, as_start, one_of
from storecredit.ledger.command import NO_NAMES, Names
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.hold import Draw
from storecredit.ledger.ids import HoldId, LotId
from storecredit.ledger.lifetimes import hold_lapses_at
from storecredit.ledger.move import What
from storecredit.ledger.placement import Wanted
from storecredit.ledger.shortage import insufficient
from storecredit.ledger.terms import Line
from storecredit.ledger.texts import require_text
from storecredit.values import Money, Period


@final
class Taking(enum.StrEnum):
    """What to do when there is less than is asked for."""

    ALL_OR_NOTHING = "all_or_nothing"
    UP_TO = "up_to"
    """Take what there is; nothing at all is still refused."""


def _taking(taking: Taking | str) -> Taking:
    return taking if isinstance(taking, Taking) else one_of(Taking, "taking", taking)


def as_lines(lines: object) -> tuple[Line, ...]:
    """
    Accept order lines.

    Raises:
        InvalidTerms: Something that is none.
    """
    given = tuple(lines) if isinstance(lines, Iterable) else (lines,)
    found = tuple(line for line in given if isinstance(line, Line))
    if len(found) < len(given):
        raise InvalidTerms("lines", lines, "a list of Line")
    return found


def _lines(lines: object) -> tuple[Line, ...] | None:
    return None if lines is None else as_lines(lines)


def as_spender(spender: str | None) -> str | None:
    """
    Accept the name of who spends, or None.

    Raises:
        InvalidText: It cannot be kept.
    """
    return None if spender is None else require_text("spender", spender)


@final
@attrs.frozen(kw_only=True)
class Redeem:
    """Spend in one step."""

    kind: ClassVar[EntryKind] = EntryKind.REDEEM

    amount: Money = attrs.field(converter=as_money)
    """Positive."""
    taking: Taking = attrs.field(default=Taking.ALL_OR_NOTHING, converter=_taking)
    lot: LotId | None = None
    """Only from this lot."""
    lines: tuple[Line, ...] | None = attrs.field(default=None, converter=_lines)
    """The lines that are paid, in the account's unit; limited lots need them (A4)."""
    exceed_limit: bool = False
    """Let the holder owe more than the limit; needs actor and reason (A9)."""
    spender: str | None = attrs.field(default=None, converter=as_spender)
    """Who spends, where a company lists its people (A9)."""

    @property
    def names(self) -> Names:
        """The named lot."""
        return NO_NAMES if self.lot is None else Names(lots=(self.lot,))

    def decide(self, draft: Draft) -> None:
        """
        Take the value.

        Raises:
            AccountFrozen, AccountClosed: Nothing may go out.
            ChannelRequired, ..., InsufficientCredit: As `draws_for`.
        """
        draft.require_status(AccountStatus.OPEN)
        for draw in draws_for(self, draft, "redeem"):
            what = What.OWED_INCURRED if draw.lot is None else What.REDEEMED
            draft.add(what, draw.amount, draw.lot)


@final
@attrs.frozen(kw_only=True)
class PlaceHold:
    """Reserve value, so that nothing else can spend it."""

    kind: ClassVar[EntryKind] = EntryKind.HOLD

    amount: Money = attrs.field(converter=as_money)
    """Positive."""
    taking: Taking = attrs.field(default=Taking.ALL_OR_NOTHING, converter=_taking)
    lot: LotId | None = None
    lines: tuple[Line, ...] | None = attrs.field(default=None, converter=_lines)
    exceed_limit: bool = False
    spender: str | None = attrs.field(default=None, converter=as_spender)
    lapses: Period | datetime | None = attrs.field(default=None, converter=as_start)
    """How long, or until when, the hold lives; None for the merchant's default."""

    @property
    def names(self) -> Names:
        """The named lot."""
        return NO_NAMES if self.lot is None else Names(lots=(self.lot,))

    def decide(self, draft: Draft) -> None:
        """
        Reserve the value; the lots are fixed from now on.

        Raises:
            AccountFrozen, AccountClosed: Nothing may go out.
            ChannelRequired, ..., InsufficientCredit: As `draws_for`.
            InvalidTerms: The hold would lapse before it begins.
            HoldTooLong: It would outlive the merchant's maximum.
        """
        draft.require_status(AccountStatus.OPEN)
        draws = draws_for(self, draft, "hold")
        hold = draft.place_hold(hold_lapses_at(draft, self.lapses, placed_at=draft.at))
        reserve(draft, hold, draws)


@final
@attrs.frozen(kw_only=True)
class Growth:
    """What a hold grows by, asked for like any other spending."""

    amount: Money
    taking: Taking = Taking.ALL_OR_NOTHING
    lot: LotId | None = None
    lines: tuple[Line, ...] | None = None
    exceed_limit: bool = False
    spender: str | None = None


Spends = Redeem | PlaceHold | Growth
"""What asks lots and limit for value."""


def draws_for(asked: Spends, draft: Draft, doing: str) -> tuple[Draw, ...]:
    """
    Choose what to take: lots in the order of use, then the holder's limit (A9).

    Raises:
        ChannelRequired, ChannelNotDeclared: The channel of the sale (A16).
        SpenderNotListed: The account lists who may spend, and this is not one of them.
        UnitMismatch: The amount or a line is not in the account's unit.
        AmountNotPositive: The amount is zero or negative.
        InvalidTerms: The amount is above what the lines are due.
        ReasonAndActorRequired: The limit is to be exceeded and nobody answers for it.
        UnknownLot: The named lot is not one of the account's.
        InsufficientCredit: Less can be had than is asked for.
    """
    draft.merchant.check_channel(draft.context.channel)
    listed = draft.account.spenders
    if listed is not None and asked.spender not in listed:
        raise SpenderNotListed(draft.account.holder, asked.spender, listed)
    amount = draft.minor(asked.amount, doing)
    if asked.lines is not None:
        _check_lines(asked.lines, draft, amount)
    if asked.exceed_limit:
        draft.require_reason_and_actor(f"{doing} beyond the limit")
    if asked.lot is not None:
        draft.lot(asked.lot)
    draws = draft.draw(wanted_by(asked, draft, amount))
    reached = sum([draw.amount for draw in draws])
    account = draft.account
    indebted = account.owed or account.totals["owed_held"]
    if indebted or account.limit is not None or asked.exceed_limit:
        draws, reached = _with_limit(asked, draft, draws, amount)
    if reached < amount and (asked.taking is Taking.ALL_OR_NOTHING or not reached):
        raise insufficient(draft, amount, reached, doing)
    return draws


def wanted_by(asked: Spends, draft: Draft, amount: int) -> Wanted:
    """Return what is asked of the lots, for `place` and `explain`."""
    return Wanted(
        amount=amount,
        at=draft.at,
        order=draft.merchant.order,
        lot=asked.lot,
        lines=asked.lines,
        channel=draft.context.channel,
    )


def _check_lines(lines: tuple[Line, ...], draft: Draft, amount: int) -> None:
    for line in lines:
        if line.amount.unit != draft.account.unit:
            raise UnitMismatch("pay a line in", line.amount.unit, draft.account.unit)
    due = sum(line.amount.minor for line in lines)
    if amount > due:
        most = f"at most {draft.account.money(due)}, what the lines are due"
        raise InvalidTerms("amount", str(draft.account.money(amount)), most)


def _with_limit(
    asked: Spends, draft: Draft, draws: tuple[Draw, ...], amount: int
) -> tuple[tuple[Draw, ...], int]:
    """
    Add what the holder may come to owe, or keep back what is owed too much already.

    What may be spent is available + limit - owed (A9), so a debt above the limit, such as a
    clawback's, keeps as much of the lots back.
    """
    from_lots = sum(draw.amount for draw in draws)
    line = draft.credit_line()
    if asked.exceed_limit:
        line = max(line, amount - from_lots)
    if line < 0:
        spendable = draft.available() + _limited_reach(asked, draft) + line
        reached = max(min(from_lots, spendable), 0)
        return _first(draws, reached), reached
    on_limit = min(line, amount - from_lots) if asked.lot is None else 0
    return (*draws, *([Draw(None, on_limit)] if on_limit else [])), from_lots + on_limit


def _limited_reach(asked: Spends, draft: Draft) -> int:
    """Return how much limited lots alone could pay of the lines, whatever is asked for."""
    if asked.lines is None:
        return 0
    due = sum(line.amount.minor for line in asked.lines)
    wanted = attrs.evolve(wanted_by(asked, draft, due), lot=None)
    limited = [lot for lot in draft.account.lots.values() if lot.terms.limits is not None]
    return sum(draw.amount for draw in draft.draw(wanted, lots=limited))


def reserve(draft: Draft, hold: HoldId, draws: tuple[Draw, ...]) -> None:
    """Add *draws* to *hold*."""
    for draw in draws:
        what = What.OWED_HELD if draw.lot is None else What.HELD
        draft.add(what, draw.amount, draw.lot, hold=hold)


def _first(draws: tuple[Draw, ...], amount: int) -> tuple[Draw, ...]:
    kept: list[Draw] = []
    for draw in draws:
        taken = min(draw.amount, amount)
        if taken:
            kept.append(Draw(draw.lot, taken))
        amount -= taken
    return tuple(kept)
