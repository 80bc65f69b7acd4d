"""Reclaims: parts of a lot, as often as what it was granted for comes back, each claimed once (A8)."""

from __future__ import annotations

from typing import Any

import pytest

from storecredit.errors import (
    AmountNotPositive,
    InvalidTerms,
    LotClosed,
    LotExhausted,
    LotHeld,
    ReasonAndActorRequired,
    UnitMismatch,
    UnknownLot,
)
from storecredit.ledger import Context, LotId, Reclaim, account_of, decide, request_of
from storecredit.values import Money


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def reclaimed(shop: Any, lot: str, amount: Money, *, answers: bool = True, **more: Any) -> Any:
    """The entry that a reclaim would append."""
    command = Reclaim(lot=LotId(lot), amount=amount, **more)
    with shop.storage.snapshot() as reader:
        account = reader.account_by_id("acme", account_of(shop.known), names=command.names)
    context = Context(actor="ann", reason="came back") if answers else Context()
    change = decide(
        account,
        command,
        merchant=shop.credit.merchant,
        key="k",
        at=shop.clock.now,
        context=context,
        salt=lambda: bytes(16),
    )
    return change.entry


@pytest.fixture
def lot(shop) -> str:
    shop.known = shop.issue("10.00").lot_id
    return shop.known


def told(entry: Any) -> tuple[list[tuple[str, int]], int]:
    moves = [(move.what.value, move.amount) for move in entry.moves]
    return moves, entry.facts.get("shortfall", 0)


def test_what_is_left_goes_first_and_what_is_spent_is_short(shop, lot) -> None:
    shop.redeem("7.00")
    assert told(reclaimed(shop, lot, usd("2.00"), spent=700)) == ([("revoked", 200)], 0)
    assert told(reclaimed(shop, lot, usd("5.00"), spent=700)) == ([("revoked", 300)], 200)
    # What may be claimed of what is spent is the record's to say.
    assert told(reclaimed(shop, lot, usd("9.00"), spent=200)) == ([("revoked", 300)], 200)
    assert told(reclaimed(shop, lot, usd("9.00"))) == ([("revoked", 300)], 0)


def test_nothing_is_left_and_all_is_short(shop, lot) -> None:
    shop.redeem("10.00")
    assert told(reclaimed(shop, lot, usd("9.00"), spent=1000)) == ([], 900)
    with pytest.raises(AttributeError):
        reclaimed(shop, lot, usd("9.00"))


def test_the_value_may_be_in_other_lots_by_now(shop, lot) -> None:
    others = (lot, shop.issue("2.00").lot_id, shop.issue("5.00").lot_id)
    shop.redeem("9.00")
    told_of = reclaimed(shop, lot, usd("6.00"), carried=tuple(map(LotId, others)), spent=100)
    assert [(move.lot, move.amount) for move in told_of.moves] == [
        (lot, 100),
        (others[1], 200),
        (others[2], 300),
    ]
    assert told(reclaimed(shop, "elsewhere", usd("6.00"), carried=(), spent=900)) == ([], 600)


def test_what_is_short_may_be_owed_or_refused(shop, lot) -> None:
    shop.redeem("7.00")
    due = usd("5.00")
    assert told(reclaimed(shop, lot, due, shortfall="owe", spent=700)) == ([("revoked", 300)], 200)
    shop.credit.set_limit("c-17", "USD", "unlimited", key="limit")
    moves, short = told(reclaimed(shop, lot, due, shortfall="owe", spent=700))
    assert (moves, short) == ([("revoked", 300), ("owed_incurred", 200)], 200)
    with pytest.raises(LotExhausted) as refused:
        reclaimed(shop, lot, due, shortfall="all_or_nothing", spent=700)
    assert (refused.value.wanted, refused.value.reachable) == (usd("5.00"), usd("3.00"))


def test_what_cannot_be_reclaimed_says_why(shop, lot) -> None:
    refusals: list[tuple[Any, Any]] = [
        (ReasonAndActorRequired, {"answers": False}),
        (UnknownLot, {"lot": lot[:-1] + "x"}),
        (UnitMismatch, {"amount": Money.of("1.00", "EUR")}),
        (AmountNotPositive, {"amount": usd("0.00")}),
        (InvalidTerms, {"spent": -1}),
        (InvalidTerms, {"spent": True}),
        (InvalidTerms, {"shortfall": "later"}),
    ]
    for error, wrong in refusals:
        given = {"lot": lot, "amount": usd("1.00"), **wrong}
        with pytest.raises(error):
            reclaimed(shop, given.pop("lot"), given.pop("amount"), **given)
    shop.hold("1.00")
    with pytest.raises(LotHeld):
        reclaimed(shop, lot, usd("1.00"))


def test_a_lot_that_was_refunded_is_closed(shop) -> None:
    shop.known = shop.issue("10.00", funding="purchased", paid=usd("10.00")).lot_id
    shop.correct("refund_bought", shop.known)
    with pytest.raises(LotClosed):
        reclaimed(shop, shop.known, usd("1.00"))


def test_what_the_record_says_is_no_part_of_the_request() -> None:
    command = Reclaim(lot=LotId("x"), amount=usd("1.00"), spent=7, carried=(LotId("y"),))
    assert request_of(command) == {"lot": "x", "amount": "USD 1.00", "shortfall": "up_to"}
