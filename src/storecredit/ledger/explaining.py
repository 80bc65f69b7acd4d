"""Explaining: lot by lot, what a command takes and why, before it is recorded or long after (A3)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, final

import attrs

from storecredit.ledger.correcting import Reach, wanted_of_others
from storecredit.ledger.draft import Draft
from storecredit.ledger.entry import EntryKind
from storecredit.ledger.hold import Draw
from storecredit.ledger.ids import LotId
from storecredit.ledger.leaving import wanted_to_leave
from storecredit.ledger.lot import Lot
from storecredit.ledger.move import Move, What
from storecredit.ledger.placement import LotUse, Wanted, explain
from storecredit.ledger.spending import Growth, wanted_by
from storecredit.ledger.terms import Line
from storecredit.values import Money


@final
@attrs.frozen(kw_only=True)
class Choice:
    """What a command takes of each lot, and why. Amounts are minor units."""

    amount: int
    """What it takes in all."""
    on_limit: int
    """The part that the holder comes to owe, or may come to owe."""
    uses: tuple[LotUse, ...]
    """Every lot that was open, in the order of use; a revocation's own lot comes first."""


def chooses(kind: EntryKind, request: Mapping[str, Any]) -> bool:
    """
    Tell whether an entry of that *kind* records a choice among lots.

    The others take all there is, or lots that are named: by the caller, by a hold, by the
    redemption that is restored, or, in a reversal, by the *request*'s ``transfer``. So do
    revocations that do not say how far they reach.
    """
    if kind is EntryKind.REVOKE:
        return "reach" in request
    return kind in _CHOOSING and "transfer" not in request


def choice_of(
    draft: Draft, kind: EntryKind, request: Mapping[str, Any], moves: Iterable[Move]
) -> Choice:
    """
    Explain the *moves* that a command of that *kind* makes on what *draft* has opened.

    What is taken is what the moves say. Why the other lots are left alone is what the request,
    and the merchant's rules as the draft knows them, say about each.

    Args:
        draft: Opened at the instant of the command, on the account before it; nothing added.

        kind: One that `chooses`.

        request: The command's arguments, as its entry keeps them.

        moves: What the command did or would do; none where it has nothing to change.
    """
    taken = [Draw(move.lot, move.amount) for move in moves if move.what in _TAKING and move.amount]
    from_lots = [draw for draw in taken if draw.lot is not None]
    on_limit = sum(draw.amount for draw in taken if draw.lot is None)
    spent = sum(draw.amount for draw in from_lots)
    lots = [lot for lot in draft.account.lots.values() if lot.remaining]
    if kind is EntryKind.REVOKE:
        uses = _revoked(draft, request, lots, from_lots)
    else:
        uses = explain(lots, _wanted(draft, kind, request, spent), from_lots)
    return Choice(amount=spent + on_limit, on_limit=on_limit, uses=uses)


def _wanted(draft: Draft, kind: EntryKind, request: Mapping[str, Any], spent: int) -> Wanted:
    """Return what the request asks of the lots; *spent* is all of it where it takes all or none."""
    if kind in _LEAVING:
        return wanted_to_leave(kind, draft, spent, request.get("lot"))
    money = draft.account.money
    amount = money(spent)
    if kind is not EntryKind.RESIZE:
        amount = Money.of(request["amount"].partition(" ")[2], draft.account.unit)
    lines = [
        Line(id=name, amount=money(minor), category=category)
        for name, minor, category in request.get("lines", ())
    ]
    asked = Growth(
        amount=amount,
        lot=request.get("lot"),
        lines=tuple(lines) if "lines" in request else None,
    )
    return wanted_by(asked, draft, amount.minor)


def _revoked(
    draft: Draft, request: Mapping[str, Any], lots: Iterable[Lot], taken: list[Draw]
) -> tuple[LotUse, ...]:
    """Explain the named lot, which comes first even while it is empty or pending, then the rest."""
    named = draft.lot(LotId(request["lot"]))
    others = [lot for lot in lots if lot.id != named.id]
    from_named = [draw for draw in taken if draw.lot == named.id]
    from_others = [draw for draw in taken if draw.lot != named.id]
    beyond = wanted_of_others(draft, sum(draw.amount for draw in from_others))
    first = attrs.evolve(beyond, lot=named.id, fundings=None)
    if request["reach"] != Reach.PROMOTIONAL:
        beyond = first
    return (*explain([named], first, from_named), *explain(others, beyond, from_others))


_LEAVING: Final = frozenset({EntryKind.CASH_OUT, EntryKind.TRANSFER_OUT, EntryKind.CONVERT_OUT})
_CHOOSING: Final = _LEAVING | {
    EntryKind.REDEEM,
    EntryKind.HOLD,
    EntryKind.RESIZE,
    EntryKind.REVOKE,
}
_TAKING: Final = frozenset(
    {
        What.REDEEMED,
        What.HELD,
        What.REVOKED,
        What.CASHED_OUT,
        What.TRANSFERRED_OUT,
        What.OWED_INCURRED,
        What.OWED_HELD,
    }
)
