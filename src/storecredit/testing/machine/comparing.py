"""How an answer of the service is compared with what the naive model expects."""

from __future__ import annotations

from typing import Any, Final

from storecredit.ledger import Account, AccountView, Move, canonical
from storecredit.service import Receipt, Sweep, TransferReceipt
from storecredit.storage.protocols import Reader, Storage
from storecredit.testing.machine.model import Book, Expected, ModelLot

CREATES: Final = frozenset({"issued", "restored", "transferred_in"})

_FLOWS: Final = (
    ("issued", "adjusted_up", "reinstated", "restored", "transferred_in"),
    ("redeemed", "expired", "revoked", "adjusted_down", "settled", "cashed_out", "transferred_out"),
)


def receipts_of(answer: object) -> list[Receipt]:
    """List the receipts of any answer that recorded something."""
    if isinstance(answer, TransferReceipt):
        return [*receipts_of(answer.sent), *receipts_of(answer.received)]
    if isinstance(answer, Receipt):
        return [answer] if answer.changed else []
    if isinstance(answer, Sweep):
        return []
    if isinstance(answer, tuple):
        return [receipt for part in answer for receipt in receipts_of(part)]
    raise TypeError(f"no answer of a command: {answer!r}")


def check_receipt(receipt: Receipt, expected: Expected) -> None:
    """Compare one entry with what was expected of it; learn the ids it gave."""
    entry = receipt.entry
    assert not receipt.replayed, "a new request was answered as a repeat"
    assert entry.sequence == expected.sequence, (entry.sequence, expected.sequence)
    assert entry.at == expected.at, (entry.at, expected.at)
    for what in CREATES:
        _bind(what, entry.moves, expected)
    found = [(move.what.value, move.lot or "", move.amount) for move in entry.moves]
    wanted = [(what, "" if lot is None else lot.id, amount) for what, lot, amount in expected.moves]
    for what in sorted({move[0] for move in (*found, *wanted)}):
        ours = [move for move in found if move[0] == what]
        theirs = [move for move in wanted if move[0] == what]
        if what in {"expired", "lapsed"}:
            ours, theirs = sorted(ours), sorted(theirs)
        assert ours == theirs, f"{what}: recorded {ours}, expected {theirs}"
    if expected.hold is not None:
        expected.hold.id = expected.hold.id or receipt.hold_id
        assert receipt.hold_id == expected.hold.id
    assert receipt.amount.minor == expected.amount, (receipt.amount, expected.amount)
    assert receipt.withheld.minor == expected.withheld
    assert receipt.shortfall.minor == expected.shortfall


def _bind(what: str, moves: tuple[Move, ...], expected: Expected) -> None:
    new = [
        lot for kind, lot, _ in expected.moves if kind == what and lot is not None and not lot.id
    ]
    made = [move for move in moves if move.what.value == what and move.terms is not None]
    assert len(made) == len(new), f"{what}: created {len(made)} lots, expected {len(new)}"
    for move, lot in zip(made, new, strict=True):
        terms = move.terms
        assert terms is not None
        assert move.lot is not None
        assert (
            terms.funding.value,
            terms.effective_at,
            terms.expires_at,
            terms.priority,
            terms.limits,
            terms.paid is None,
            move.origin,
        ) == (
            lot.funding,
            lot.effective_at,
            lot.expires_at,
            lot.priority,
            lot.limits,
            lot.price is None,
            lot.origin,
        ), f"the terms of what was {what}"
        lot.id = move.lot


def check_account(whole: Account, book: Book) -> None:
    """Compare stored state with the model's sums, conserve value, keep every lot in bounds (A2)."""
    totals = whole.totals
    for name in (*_FLOWS[0], *_FLOWS[1], "owed_incurred", "owed_settled", "owed_reversed"):
        assert totals[name] == book.total(name), (name, totals[name], book.total(name))
    inside = sum(lot.remaining for lot in whole.lots.values())
    assert sum(totals[name] for name in _FLOWS[0]) == inside + sum(
        totals[name] for name in _FLOWS[1]
    ), f"value was not conserved: {totals}"
    assert totals["balance"] == inside
    assert totals["held"] == sum(lot.held for lot in whole.lots.values())
    assert totals["owed_held"] == book.limit_held
    assert whole.version == book.entries
    assert whole.status.value == book.status
    assert whole.spenders == book.spenders
    assert len(whole.lots) == len(book.lots)
    for lot in book.lots:
        _check_lot(whole, book, lot)
    assert {hold.id: hold.amount for hold in whole.holds.values()} == {
        hold.id: hold.amount for hold in book.holds
    }


def _check_lot(whole: Account, book: Book, lot: ModelLot) -> None:
    stored = whole.lots[lot.id]  # type: ignore[index]  # ids are text to the model
    assert 0 <= stored.held <= stored.remaining <= stored.amount, stored
    assert (stored.remaining, stored.held, stored.amount) == (
        lot.remaining,
        book.held(lot),
        lot.granted,
    )
    assert stored.terms.expires_at == lot.expires_at
    assert (stored.state.value == "open") == (lot.closed_by is None)


def check_view(view: AccountView, opened: Book) -> None:
    """Compare what the wallet shows with the model, opened at the same instant."""
    at = opened.at
    live = [lot for lot in opened.lots if lot.is_live(at)]
    unlimited = opened.available(at)
    wanted = {
        "available": unlimited,
        "limited": sum(opened.free(lot) for lot in live if lot.limits),
        "held": sum(opened.held(lot) for lot in opened.lots),
        "pending": sum(opened.free(lot) for lot in opened.lots if at < lot.effective_at),
        "due": sum(opened.free(lot) for lot in opened.lots if lot.has_expired(at)),
        "owed": opened.owed,
        "spendable": max(0, min(unlimited + opened.credit_line, 2**63 - 1)),
    }
    assert {name: getattr(view, name).minor for name in wanted} == wanted
    assert view.status.value == opened.status
    assert view.is_unlimited == (opened.limit == "unlimited")
    assert [lot.id for lot in view.lots] == [
        lot.id for lot in opened.in_order([lot for lot in opened.lots if lot.remaining])
    ]
    ends = sorted(lot.expires_at for lot in live if lot.expires_at and opened.free(lot))
    shown = view.next_expiry
    assert (None if shown is None else shown.at) == (ends[0] if ends else None)


def everything_in(storage: Storage, holders: tuple[str, ...], merchants: tuple[str, ...]) -> str:
    """Write down all that a storage holds: the state of every account, and every wallet."""
    with storage.snapshot() as reader:
        wallets = [reader.wallet(merchant, holder) for merchant in merchants for holder in holders]
        accounts = [state_of(reader, merchant, id_) for merchant, id_ in reader.account_ids(None)]
    return canonical([[str(wallet) for wallet in wallets], accounts])


def state_of(reader: Reader, merchant: str, account: Any) -> str:
    """Write down one account in full; its head digest stands for its journal (A14)."""
    whole = reader.whole(merchant, account)
    return "" if whole is None else canonical(whole.to_json())
