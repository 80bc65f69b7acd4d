"""Open, frozen, closed: what each state lets through (A11)."""

from __future__ import annotations

import pytest

from storecredit.errors import (
    AccountClosed,
    AccountFrozen,
    AccountMerged,
    AccountNotEmpty,
    AccountOpen,
)
from storecredit.ledger import NO_CONTEXT, Draft, Reopen
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def everything_new(shop, lot, spent):
    """Every verb that brings something new in or out."""
    return [
        lambda: shop.issue("1.00"),
        lambda: shop.redeem("1.00"),
        lambda: shop.hold("1.00"),
        lambda: shop.credit.preview("c-17", usd("1.00")),
        lambda: shop.credit.restore(spent, key="x"),
        lambda: shop.correct("revoke", lot),
        lambda: shop.correct("adjust", lot, usd("1.00")),
        lambda: shop.correct("extend_expiry", lot, Period(days=1)),
        lambda: shop.correct("reinstate", lot),
        lambda: shop.correct("refund_bought", lot),
        lambda: shop.credit.cash_out("c-17", usd("1.00"), key="x"),
        lambda: shop.credit.transfer("c-17", "c-18", usd("1.00"), key="x"),
        lambda: shop.credit.transfer("c-18", "c-17", usd("1.00"), key="x"),
        lambda: shop.credit.set_limit("c-17", "USD", None, key="x"),
        lambda: shop.credit.set_spenders("c-17", "USD", None, key="x"),
        lambda: shop.credit.freeze("c-17", "USD", key="x"),
    ]


def test_nothing_new_goes_into_or_out_of_a_frozen_account(shop) -> None:
    shop.issue("10.00", holder="c-18")
    lot = shop.issue("50.00", expires=Period(days=90), paid=usd("50.00")).lot_id
    spent = shop.redeem("5.00").entry_id
    shop.credit.freeze("c-17", "USD", key="f")
    assert shop.account().status == "frozen"
    for verb in everything_new(shop, lot, spent):
        with shop.refuses(AccountFrozen) as refused:
            verb()
        assert (refused.error.holder, refused.error.unit) == ("c-17", "USD")
    shop.credit.reopen("c-17", "USD", key="o")
    assert shop.redeem("45.00").changed


def test_existing_holds_still_capture_release_and_lapse_while_frozen(shop, moves) -> None:
    shop.issue("50.00")
    one, two, three = (shop.hold("10.00", reference="order 7").hold_id for _ in range(3))
    shop.hold("10.00", lapses=Period(hours=1))
    shop.credit.freeze("c-17", "USD", key="f")
    assert shop.credit.capture(one, key="a").amount == usd("10.00")
    assert shop.credit.capture_part(two, usd("4.00"), key="b").amount == usd("4.00")
    assert shop.credit.release(two, key="c").amount == usd("6.00")
    assert shop.credit.resize(three, usd("3.00"), key="d").amount == usd("7.00")
    with shop.refuses(AccountFrozen):
        shop.credit.resize(three, usd("4.00"), key="e")
    shop.clock.forward(hours=1)
    assert str(shop.credit.release_lapsed().amount) == "USD 10.00"
    assert len(shop.credit.release_order("c-17", "order 7", key="g")) == 1


def test_expiry_runs_and_debts_are_paid_while_frozen(shop) -> None:
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="l")
    shop.redeem("4.00")
    shop.issue("4.00", effective=Period(days=5), expires=Period(days=1))
    shop.credit.freeze("c-17", "USD", key="f")
    assert shop.credit.settle("c-17", usd("4.00"), key="s").amount == usd("4.00")
    shop.clock.forward(days=6)
    assert str(shop.credit.expire_due().amount) == "USD 4.00"


def test_a_closed_account_takes_part_in_nothing(shop) -> None:
    shop.issue("10.00", holder="c-18")
    lot = shop.issue("50.00", paid=usd("50.00")).lot_id
    spent = shop.redeem("50.00").entry_id
    shop.credit.close("c-17", "USD", key="z")
    assert shop.account().status == "closed"
    for verb in (
        *everything_new(shop, lot, spent),
        lambda: shop.credit.settle("c-17", usd("1.00"), key="x"),
        lambda: shop.credit.close("c-17", "USD", key="x"),
    ):
        with shop.refuses(AccountClosed) as refused:
            verb()
        assert (refused.error.holder, refused.error.unit) == ("c-17", "USD")
    shop.credit.reopen("c-17", "USD", key="o")
    assert shop.credit.restore(spent, key="x").amount == usd("50.00")


def test_only_an_empty_account_closes(shop) -> None:
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="l")
    shop.issue("20.00", effective=Period(days=1))
    hold = shop.hold("4.00").hold_id
    with shop.refuses(AccountNotEmpty) as refused:
        shop.credit.close("c-17", "USD", key="z")
    error = refused.error
    assert (error.holder, error.balance, error.owed) == ("c-17", usd("20.00"), usd("0.00"))
    assert "Spend, expire, cash out or settle that first" in str(error)
    shop.clock.forward(days=1)
    shop.redeem("16.00")
    with shop.refuses(AccountNotEmpty):
        shop.credit.close("c-17", "USD", key="z")
    shop.redeem("8.00", taking="up_to")
    with shop.refuses(AccountNotEmpty) as refused:
        shop.credit.close("c-17", "USD", key="z")
    assert refused.error.owed == usd("4.00")
    shop.credit.settle("c-17", usd("4.00"), key="s")
    assert shop.credit.close("c-17", "USD", key="z").changed
    assert hold is not None


def test_an_account_with_reserved_limit_is_not_empty(shop) -> None:
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="l")
    shop.hold("4.00", lapses=Period(hours=1))
    with shop.refuses(AccountNotEmpty):
        shop.credit.close("c-17", "USD", key="z")
    shop.clock.forward(hours=1)
    assert shop.credit.close("c-17", "USD", key="z").changed


def test_what_is_due_expires_when_the_account_closes(shop, moves) -> None:
    shop.issue("20.00", expires=Period(days=1))
    shop.clock.forward(days=1)
    assert moves(shop.credit.close("c-17", "USD", key="z")) == [("expired", 2000)]


def test_a_frozen_account_closes_and_an_open_one_does_not_reopen(shop) -> None:
    with shop.refuses(AccountOpen) as refused:
        shop.credit.reopen("c-17", "USD", key="o")
    assert (refused.error.holder, refused.error.unit) == ("c-17", "USD")
    assert str(refused.error) == "The USD account of holder c-17 is open already."
    shop.credit.freeze("c-17", "USD", key="f")
    shop.credit.close("c-17", "USD", key="z")
    shop.credit.reopen("c-17", "USD", key="o")
    assert shop.account().status == "open"


def test_a_repeat_is_answered_in_any_state(shop) -> None:
    first = shop.issue("50.00", key="a")
    spent = shop.redeem("50.00", key="b")
    shop.credit.close("c-17", "USD", key="z")
    assert shop.issue("50.00", key="a") == first
    assert shop.redeem("50.00", key="b") == spent
    assert shop.credit.close("c-17", "USD", key="z").replayed


def test_a_merged_account_does_not_reopen(shop) -> None:
    shop.issue("50.00")
    shop.credit.merge("c-17", "c-18", key="m")
    with shop.storage.snapshot() as reader:
        merged = reader.account("acme", "c-17", "USD")
    # The service follows to the survivor; the rule stands in the command itself.
    draft = Draft(merged, shop.credit.merchant, key="o", at=shop.clock.now, context=NO_CONTEXT)
    with pytest.raises(AccountMerged) as refused:
        Reopen().decide(draft)
    assert refused.value.into == shop.account("c-18").id
