"""Receipts: what a command did, read from its entry."""

from __future__ import annotations

import pytest

from storecredit.errors import NothingRecorded
from storecredit.service import Receipt
from storecredit.values import Money, currency


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_a_receipt_names_what_its_command_made(shop) -> None:
    issued = shop.issue("50.00")
    assert issued.changed
    assert not issued.replayed
    assert (issued.holder, issued.unit.code) == ("c-17", "USD")
    assert issued.entry_id == issued.entry.id
    assert issued.lot_ids == (issued.lot_id,)
    assert (issued.balance, issued.on_limit, issued.settled) == (
        usd("50.00"),
        usd("0.00"),
        usd("0.00"),
    )


def test_a_replay_is_equal_and_marked(shop) -> None:
    first, again = shop.issue("50.00", key="k"), shop.issue("50.00", key="k")
    assert first == again
    assert (first.replayed, again.replayed) == (False, True)


def test_an_empty_receipt_has_no_entry_lot_hold_or_balance() -> None:
    empty = Receipt("c-17", currency("USD"), None)
    assert (empty.changed, empty.moves, empty.lot_ids) == (False, (), ())
    assert empty.amount == empty.withheld == empty.shortfall == empty.settled == usd("0.00")
    for name, asked in (
        ("entry", "an entry"),
        ("entry_id", "an entry"),
        ("lot_id", "a lot"),
        ("hold_id", "a hold"),
        ("balance", "a balance"),
    ):
        with pytest.raises(NothingRecorded) as refused:
            getattr(empty, name)
        assert refused.value.asked == asked
        assert "Look at receipt.changed" in str(refused.value)


def test_a_command_that_moved_nothing_does_not_pretend_to_know_the_balance(shop) -> None:
    shop.issue("50.00")
    frozen = shop.credit.freeze("c-17", "USD", key="f")
    assert (frozen.changed, frozen.amount) == (True, usd("0.00"))
    with pytest.raises(NothingRecorded) as refused:
        _ = frozen.balance
    assert (refused.value.asked, refused.value.why) == ("a balance", "moved nothing")


def test_the_receipt_of_a_transfer_is_that_of_both_sides(shop) -> None:
    shop.issue("50.00")
    receipt = shop.credit.transfer("c-17", "c-18", usd("5.00"), key="t")
    assert (receipt.sent.holder, receipt.received.holder) == ("c-17", "c-18")
    assert (receipt.entry_id, receipt.replayed) == (receipt.sent.entry_id, False)
