"""Value that leaves for money: cash out and the refund of a purchase (A7, A11)."""

from __future__ import annotations

from storecredit.errors import (
    AccountClosed,
    InsufficientCredit,
    LotClosed,
    LotHeld,
    LotNotCashable,
    UnknownLot,
)
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_only_cashable_fundings_are_paid_out_in_the_order_of_use(shop, moves) -> None:
    for funding in ("goodwill", "promotional", "earned"):
        shop.issue("5.00", funding=funding)
    deposit = shop.issue("5.00", funding="deposit", expires=Period(days=1)).lot_id
    refund = shop.issue("5.00", funding="refund").lot_id
    with shop.refuses(InsufficientCredit) as refused:
        shop.credit.cash_out("c-17", usd("10.01"), key="a")
    assert (refused.error.reachable, refused.error.doing) == (usd("10.00"), "cash out")
    receipt = shop.credit.cash_out("c-17", usd("7.00"), key="a")
    assert moves(receipt) == [("cashed_out", 500), ("cashed_out", 200)]
    assert (receipt.lot_ids, receipt.amount) == ((deposit, refund), usd("7.00"))


def test_a_named_lot_has_to_be_cashable(shop) -> None:
    gift = shop.issue("5.00", funding="goodwill").lot_id
    cash = shop.issue("5.00", funding="purchased").lot_id
    with shop.refuses(LotNotCashable) as refused:
        shop.credit.cash_out("c-17", usd("1.00"), lot=gift, key="a")
    error = refused.error
    assert (error.lot_id, error.funding) == (gift, "goodwill")
    assert error.cashable == ("deposit", "purchased", "refund")
    assert "cashes out deposit, purchased, refund." in str(error)
    assert shop.credit.cash_out("c-17", usd("1.00"), lot=cash, key="a").lot_ids == (cash,)
    with shop.refuses(UnknownLot):
        shop.credit.cash_out("c-17", usd("1.00"), lot="x", key="b")


def test_a_merchant_may_cash_out_nothing(make_shop) -> None:
    shop = make_shop(cashable=())
    lot = shop.issue("5.00").lot_id
    with shop.refuses(LotNotCashable) as refused:
        shop.credit.cash_out("c-17", usd("1.00"), lot=lot, key="a")
    assert "cashes out nothing." in str(refused.error)


def test_what_covers_a_debt_is_not_paid_out(shop) -> None:
    shop.issue("20.00")
    hold = shop.hold("20.00").hold_id
    shop.redeem("15.00", exceed_limit=True, actor="ann", reason="a good customer")
    shop.credit.release(hold, key="r")
    with shop.refuses(InsufficientCredit) as refused:
        shop.credit.cash_out("c-17", usd("5.01"), key="a")
    assert (refused.error.reachable, refused.error.owed) == (usd("5.00"), usd("15.00"))
    assert shop.credit.cash_out("c-17", usd("5.00"), key="a").changed


def test_a_bought_lot_is_refunded_up_to_its_unspent_rest_and_closes(shop, moves) -> None:
    lot = shop.issue("50.00", funding="purchased", paid=usd("45.00")).lot_id
    spent = shop.redeem("30.00")
    receipt = shop.correct("refund_bought", lot)
    assert moves(receipt) == [("refunded", 2000)]
    assert receipt.amount == usd("20.00")
    assert shop.totals() == {"issued": 5000, "redeemed": 3000, "cashed_out": 2000}
    with shop.refuses(LotClosed):
        shop.correct("refund_bought", lot)
    # What comes back later goes into a new lot.
    assert lot not in shop.credit.restore(spent.entry_id, key="r").lot_ids


def test_a_lot_that_was_given_is_not_refunded(shop) -> None:
    lot = shop.issue("50.00", funding="purchased").lot_id
    with shop.refuses(LotNotCashable) as refused:
        shop.correct("refund_bought", lot)
    assert refused.error.cashable == ("what was bought with paid=",)


def test_a_held_lot_is_not_refunded(shop) -> None:
    lot = shop.issue("50.00", paid=usd("45.00")).lot_id
    hold = shop.hold("1.00").hold_id
    with shop.refuses(LotHeld) as refused:
        shop.correct("refund_bought", lot)
    assert (refused.error.lot_id, refused.error.held) == (lot, usd("1.00"))
    shop.credit.release(hold, key="r")
    assert shop.correct("refund_bought", lot).changed


def test_a_spent_lot_is_refunded_for_nothing_and_the_account_can_close(shop, moves) -> None:
    lot = shop.issue("50.00", paid=usd("45.00")).lot_id
    shop.redeem("50.00")
    assert moves(shop.correct("refund_bought", lot)) == [("refunded", 0)]
    shop.credit.close("c-17", "USD", key="z")
    with shop.refuses(AccountClosed):
        shop.credit.cash_out("c-17", usd("1.00"), key="a")
