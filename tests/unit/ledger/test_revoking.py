"""Revocations: from what is not held, and the named rule for what is spent (A8)."""

from __future__ import annotations

import pytest

from storecredit.errors import AmountNotPositive, InvalidTerms, LotClosed, LotExhausted, LotHeld
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_all_that_is_left_is_taken_back(shop, moves) -> None:
    lot = shop.issue("50.00").lot_id
    receipt = shop.correct("revoke", lot)
    assert moves(receipt) == [("revoked", 5000)]
    assert (receipt.amount, receipt.shortfall) == (usd("50.00"), usd("0.00"))
    assert shop.totals() == {"issued": 5000, "revoked": 5000}
    with shop.refuses(LotExhausted) as refused:
        shop.correct("revoke", lot)
    assert (refused.error.wanted, refused.error.reachable) == (usd("0.00"), usd("0.00"))


def test_a_part_is_taken_back_and_never_more_than_was_granted(shop) -> None:
    lot = shop.issue("50.00").lot_id
    shop.correct("revoke", lot, amount=usd("20.00"))
    assert shop.available() == "USD 30.00"
    with shop.refuses(LotExhausted) as refused:
        shop.correct("revoke", lot, amount=usd("30.01"))
    error = refused.error
    assert (error.lot_id, error.doing) == (lot, "revoke")
    assert (error.wanted, error.reachable) == (usd("30.01"), usd("30.00"))
    with shop.refuses(AmountNotPositive):
        shop.correct("revoke", lot, amount=usd("0.00"))


def test_up_to_records_what_is_spent_already(shop, moves) -> None:
    lot = shop.issue("50.00").lot_id
    shop.redeem("30.00")
    receipt = shop.correct("revoke", lot)
    assert (receipt.amount, receipt.shortfall) == (usd("20.00"), usd("30.00"))
    assert moves(receipt) == [("revoked", 2000)]


def test_a_spent_lot_is_marked_as_revoked_so_that_nothing_comes_back_into_it(shop, moves) -> None:
    lot = shop.issue("50.00").lot_id
    spent = shop.redeem("50.00")
    receipt = shop.correct("revoke", lot)
    assert (moves(receipt), receipt.shortfall) == ([("revoked", 0)], usd("50.00"))
    assert lot not in shop.credit.restore(spent.entry_id, key="r").lot_ids


def test_all_or_nothing_refuses_what_is_spent(shop) -> None:
    lot = shop.issue("50.00").lot_id
    shop.redeem("30.00")
    with shop.refuses(LotExhausted) as refused:
        shop.correct("revoke", lot, shortfall="all_or_nothing")
    assert (refused.error.wanted, refused.error.reachable) == (usd("50.00"), usd("20.00"))
    assert shop.correct(
        "revoke", lot, amount=usd("20.00"), shortfall="all_or_nothing"
    ).amount == usd("20.00")


def test_what_is_spent_can_be_owed_where_the_account_permits_it(shop, moves) -> None:
    lot = shop.issue("50.00").lot_id
    shop.redeem("30.00")
    shop.credit.set_limit("c-17", "USD", usd("0.00"), key="l")
    receipt = shop.correct("revoke", lot, shortfall="owe")
    assert moves(receipt) == [("revoked", 2000), ("owed_incurred", 3000)]
    assert (receipt.on_limit, receipt.shortfall) == (usd("30.00"), usd("30.00"))
    assert shop.account().owed == usd("30.00")


def test_owing_falls_back_to_up_to_without_a_limit(shop, moves) -> None:
    lot = shop.issue("50.00").lot_id
    shop.redeem("30.00")
    receipt = shop.correct("revoke", lot, shortfall="owe")
    assert (moves(receipt), receipt.shortfall) == ([("revoked", 2000)], usd("30.00"))
    assert shop.account().owed == usd("0.00")


def test_other_promotional_lots_are_reached_only_if_the_rule_says_so(shop, moves) -> None:
    lot = shop.issue("10.00", funding="promotional").lot_id
    shop.redeem("10.00")
    later = shop.issue("4.00", funding="promotional").lot_id
    sooner = shop.issue("3.00", funding="promotional", expires=Period(days=5)).lot_id
    for funding in ("purchased", "refund", "goodwill", "earned", "deposit"):
        shop.issue("20.00", funding=funding)
    shop.issue("20.00", funding="promotional", effective=Period(days=1))
    receipt = shop.correct("revoke", lot, reach="promotional")
    assert receipt.lot_ids == (lot, sooner, later)
    assert moves(receipt) == [("revoked", 0), ("revoked", 300), ("revoked", 400)]
    assert (receipt.amount, receipt.shortfall) == (usd("7.00"), usd("3.00"))


def test_no_more_promotional_lots_are_taken_than_needed(shop, moves) -> None:
    lot = shop.issue("10.00", funding="promotional").lot_id
    shop.redeem("2.00")
    for _ in range(2):
        shop.issue("4.00", funding="promotional")
    receipt = shop.correct("revoke", lot, reach="promotional")
    assert moves(receipt) == [("revoked", 800), ("revoked", 200)]
    assert receipt.shortfall == usd("0.00")


def test_a_promotional_lot_that_is_held_is_left_alone(shop, moves) -> None:
    lot = shop.issue("10.00", funding="promotional").lot_id
    shop.redeem("10.00")
    shop.issue("4.00", funding="promotional")
    shop.hold("4.00")
    receipt = shop.correct("revoke", lot, reach="promotional")
    assert (moves(receipt), receipt.shortfall) == ([("revoked", 0)], usd("10.00"))


def test_a_held_lot_is_refused_unless_only_the_rest_is_meant(shop, moves) -> None:
    lot = shop.issue("50.00").lot_id
    hold = shop.hold("30.00").hold_id
    with shop.refuses(LotHeld) as refused:
        shop.correct("revoke", lot)
    assert (refused.error.lot_id, refused.error.held) == (lot, usd("30.00"))
    assert 'held="unheld_only"' in str(refused.error)
    receipt = shop.correct("revoke", lot, held="unheld_only")
    assert (moves(receipt), receipt.shortfall) == ([("revoked", 2000)], usd("0.00"))
    assert shop.credit.capture(hold, key="c").amount == usd("30.00")


def test_a_refunded_lot_is_closed(shop) -> None:
    lot = shop.issue("50.00", funding="purchased", paid=usd("45.00")).lot_id
    shop.correct("refund_bought", lot)
    for verb, arguments in (("revoke", ()), ("reinstate", ()), ("refund_bought", ())):
        with shop.refuses(LotClosed) as refused:
            shop.correct(verb, lot, *arguments)
        assert refused.error.lot_id == lot


@pytest.mark.parametrize("rule", ["shortfall", "reach", "held"])
def test_a_rule_that_does_not_exist_is_refused(shop, rule) -> None:
    lot = shop.issue("50.00").lot_id
    with shop.refuses(InvalidTerms) as refused:
        shop.correct("revoke", lot, **{rule: "whatever"})
    assert (refused.error.field, refused.error.value) == (rule, "whatever")
