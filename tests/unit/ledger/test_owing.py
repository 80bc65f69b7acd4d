"""What a holder may come to owe, and what pays it (A9)."""

from __future__ import annotations

import pytest

from storecredit.errors import (
    AmountNotPositive,
    AmountOutOfRange,
    ArgumentRefused,
    InsufficientCredit,
    InvalidTerms,
    InvalidText,
    ReasonAndActorRequired,
    SettleExceedsOwed,
    SpenderNotListed,
    UnitMismatch,
)
from storecredit.ledger import UNLIMITED, Limits, Line
from storecredit.values import Money, Period

MOST = 2**63 - 1


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture
def company(shop):
    """A company that may come to owe USD 100.00."""
    shop.credit.set_limit("c-17", "USD", usd("100.00"), key="limit")
    return shop


def state(shop) -> tuple[str, str, str]:
    account = shop.account()
    return tuple(str(each.decimal) for each in (account.available, account.owed, account.spendable))


def test_without_a_limit_nothing_may_be_owed(shop) -> None:
    shop.issue("10.00")
    assert (shop.account().limit, shop.account().is_unlimited) == (None, False)
    with shop.refuses(InsufficientCredit):
        shop.redeem("10.01")


def test_lots_are_used_before_the_limit(company, moves) -> None:
    company.issue("10.00")
    assert company.account().limit == usd("100.00")
    assert state(company) == ("10.00", "0.00", "110.00")
    receipt = company.redeem("30.00")
    assert moves(receipt) == [("redeemed", 1000), ("owed_incurred", 2000)]
    assert (receipt.amount, receipt.on_limit) == (usd("30.00"), usd("20.00"))
    assert [(move.lot, move.lot_after) for move in receipt.moves[1:]] == [(None, 2000)]
    assert state(company) == ("0.00", "20.00", "80.00")
    with company.refuses(InsufficientCredit) as refused:
        company.redeem("80.01")
    assert (refused.error.owed, refused.error.reachable) == (usd("20.00"), usd("80.00"))
    assert "USD 20.00 owed" in str(refused.error)
    assert company.redeem("99.00", taking="up_to").amount == usd("80.00")


def test_a_named_lot_never_draws_on_the_limit(company) -> None:
    lot = company.issue("10.00").lot_id
    with company.refuses(InsufficientCredit) as refused:
        company.redeem("10.01", lot=lot)
    assert refused.error.reachable == usd("10.00")


def test_an_unlimited_account_owes_as_much_as_can_be_counted(shop) -> None:
    shop.credit.set_limit("c-17", "USD", "unlimited", key="l")
    account = shop.account()
    assert (account.limit, account.is_unlimited) == (None, True)
    assert account.spendable == Money.of_minor(MOST, "USD")
    shop.redeem("1000000.00")
    assert shop.account().spendable == Money.of_minor(MOST - 100_000_000, "USD")
    with shop.refuses(InsufficientCredit):
        shop.credit.redeem("c-17", Money.of_minor(MOST, "USD"), key="x")


def test_a_limit_may_be_exceeded_with_actor_and_reason_only(company, moves) -> None:
    for about in ({}, {"actor": "ann"}, {"reason": "an old customer"}):
        with company.refuses(ReasonAndActorRequired) as refused:
            company.redeem("150.00", exceed_limit=True, **about)
        assert refused.error.doing == "redeem beyond the limit"
    who = {"actor": "ann", "reason": "an old customer"}
    receipt = company.redeem("150.00", exceed_limit=True, **who)
    assert moves(receipt) == [("owed_incurred", 15000)]
    assert state(company) == ("0.00", "150.00", "0.00")
    with company.refuses(InsufficientCredit):
        company.redeem("0.01")
    assert company.hold("5.00", exceed_limit=True, **who).on_limit == usd("5.00")


def test_even_an_account_without_limit_may_exceed_it(shop, moves) -> None:
    shop.issue("10.00")
    receipt = shop.redeem("15.00", exceed_limit=True, actor="ann", reason="a good customer")
    assert moves(receipt) == [("redeemed", 1000), ("owed_incurred", 500)]


def test_a_debt_above_the_limit_keeps_as_much_of_the_lots_back(shop, moves) -> None:
    who = {"actor": "ann", "reason": "a good customer"}
    limited = Limits(categories=("shoes",))
    shop.redeem("15.00", exceed_limit=True, **who)
    shop.issue("20.00", limits=limited)
    lines = [Line(id="1", amount=usd("20.00"), category="shoes")]
    # Limited value does not settle; what may be spent of it is the value less the debt.
    with shop.refuses(InsufficientCredit):
        shop.redeem("5.01", lines=lines)
    assert moves(shop.redeem("20.00", lines=lines, taking="up_to")) == [("redeemed", 500)]
    with shop.refuses(InsufficientCredit):
        shop.redeem("0.01", lines=lines, taking="up_to")
    assert shop.account().owed == usd("15.00")


def test_a_debt_above_the_limit_keeps_released_value_back(shop, moves) -> None:
    shop.issue("20.00")
    hold = shop.hold("20.00").hold_id
    shop.redeem("15.00", exceed_limit=True, actor="ann", reason="a good customer")
    shop.credit.release(hold, key="r")
    assert state(shop) == ("20.00", "15.00", "5.00")
    with shop.refuses(InsufficientCredit) as refused:
        shop.redeem("5.01")
    assert refused.error.reachable == usd("5.00")
    assert moves(shop.redeem("5.00")) == [("redeemed", 500)]


def test_a_hold_may_reserve_limit_and_captures_lots_first(company, moves) -> None:
    company.issue("10.00")
    placed = company.hold("40.00")
    assert moves(placed) == [("held", 1000), ("owed_held", 3000)]
    assert placed.on_limit == usd("30.00")
    assert state(company) == ("0.00", "0.00", "70.00")
    part = company.credit.capture_part(placed.hold_id, usd("15.00"), key="a")
    assert moves(part) == [("captured", 1000), ("owed_captured", 500)]
    rest = company.credit.capture(placed.hold_id, amount=usd("20.00"), key="b")
    assert moves(rest) == [("owed_released", 500), ("owed_captured", 2000)]
    assert state(company) == ("0.00", "25.00", "75.00")


def test_a_hold_on_the_limit_lapses_like_any_other(company, moves) -> None:
    company.hold("40.00")
    company.clock.forward(days=1)
    assert state(company) == ("0.00", "0.00", "100.00")
    assert moves(company.redeem("100.00")) == [("owed_lapsed", 4000), ("owed_incurred", 10000)]


def test_reserved_limit_stays_in_the_range_that_storage_can_hold(shop) -> None:
    who = {"actor": "ann", "reason": "an experiment", "exceed_limit": True}
    shop.credit.hold("c-17", Money.of_minor(MOST, "USD"), key="a", **who)
    with shop.refuses(AmountOutOfRange) as refused:
        shop.credit.hold("c-17", Money.of_minor(1, "USD"), key="b", **who)
    assert refused.error.amount == 2**63


@pytest.mark.parametrize("swept", [False, True])
def test_arriving_value_settles_what_is_owed_first(company, moves, swept) -> None:
    company.redeem("30.00")
    receipt = company.issue("10.00")
    assert moves(receipt) == [("issued", 1000), ("settled", 1000), ("owed_settled", 1000)]
    assert (receipt.amount, receipt.settled) == (usd("10.00"), usd("10.00"))
    assert state(company) == ("0.00", "20.00", "80.00")
    receipt = company.issue("50.00")
    assert (receipt.settled, receipt.balance) == (usd("20.00"), usd("30.00"))
    assert state(company) == ("30.00", "0.00", "130.00")


def test_limited_value_settles_nothing(company, moves) -> None:
    company.redeem("30.00")
    assert moves(company.issue("10.00", limits=Limits(minimum_order=1))) == [("issued", 1000)]
    assert company.account().owed == usd("30.00")


def test_pending_value_settles_at_the_first_command_after_it_is_effective(company, moves) -> None:
    company.redeem("30.00")
    assert moves(company.issue("50.00", effective=Period(days=2))) == [("issued", 5000)]
    company.clock.forward(days=2)
    # In views at once, in the journal at the next command.
    assert state(company) == ("20.00", "0.00", "120.00")
    assert moves(company.redeem("5.00")) == [
        ("settled", 3000),
        ("owed_settled", 3000),
        ("redeemed", 500),
    ]


def test_pending_value_settles_in_the_order_of_use(company, moves) -> None:
    company.redeem("30.00")
    later = company.issue("20.00", effective=Period(days=2)).lot_id
    sooner = company.issue("20.00", effective=Period(days=2), expires=Period(days=9)).lot_id
    company.clock.forward(days=2)
    receipt = company.issue("1.00")
    assert moves(receipt) == [
        ("settled", 2000),
        ("owed_settled", 2000),
        ("settled", 1000),
        ("owed_settled", 1000),
        ("issued", 100),
    ]
    assert receipt.lot_ids[:2] == (sooner, later)


def test_restored_and_reinstated_value_settles_first_too(company, moves) -> None:
    lot = company.issue("10.00", expires=Period(days=5)).lot_id
    spent = company.redeem("4.00")
    company.redeem("36.00")
    assert company.account().owed == usd("30.00")
    assert moves(company.credit.restore(spent.entry_id, key="r")) == [
        ("restored", 400),
        ("settled", 400),
        ("owed_settled", 400),
    ]
    lot = company.issue("10.00", limits=Limits(minimum_order=1)).lot_id
    company.correct("adjust", lot, usd("1.00"))
    assert company.account().owed == usd("26.00")
    plain = company.issue("30.00", effective=Period(days=1)).lot_id
    company.correct("revoke", plain)
    company.clock.forward(days=1)
    assert moves(company.correct("reinstate", plain)) == [
        ("reinstated", 3000),
        ("settled", 2600),
        ("owed_settled", 2600),
    ]


def test_an_adjustment_upwards_settles_first(company, moves) -> None:
    lot = company.issue("10.00").lot_id
    company.redeem("30.00")
    assert moves(company.correct("adjust", lot, usd("5.00"))) == [
        ("adjusted_up", 500),
        ("settled", 500),
        ("owed_settled", 500),
    ]


def test_restoring_what_was_owed_takes_it_off_the_debt_first(company, moves) -> None:
    company.issue("10.00")
    spent = company.redeem("40.00")
    receipt = company.credit.restore(spent.entry_id, amount=usd("35.00"), key="r")
    # Last drawn, first restored: the limit was drawn after the lot.
    assert moves(receipt) == [("owed_reversed", 3000), ("restored", 500)]
    assert receipt.amount == usd("35.00")
    assert state(company) == ("5.00", "0.00", "105.00")
    totals = company.totals()
    assert (totals["owed_incurred"], totals["owed_reversed"]) == (3000, 3000)


def test_restoring_a_debt_that_was_settled_becomes_refund_value(company, moves) -> None:
    spent = company.redeem("40.00")
    company.credit.settle("c-17", usd("25.00"), key="s")
    receipt = company.credit.restore(spent.entry_id, key="r")
    assert moves(receipt) == [("owed_reversed", 1500), ("restored", 2500)]
    assert company.lots() == [("refund", "25.00")]
    assert company.totals() == {
        "restored": 2500,
        "balance": 2500,
        "owed_incurred": 4000,
        "owed_settled": 2500,
        "owed_reversed": 1500,
    }


def test_restoring_a_debt_that_was_paid_in_full_is_refund_value_only(company, moves) -> None:
    spent = company.redeem("40.00")
    company.credit.settle("c-17", usd("40.00"), key="s")
    assert moves(company.credit.restore(spent.entry_id, key="r")) == [("restored", 4000)]
    assert company.lots() == [("refund", "40.00")]


def test_a_payment_from_outside_settles_up_to_what_is_owed(company, moves) -> None:
    company.redeem("30.00")
    with company.refuses(SettleExceedsOwed) as refused:
        company.credit.settle("c-17", usd("30.01"), key="s")
    error = refused.error
    assert (error.holder, error.amount, error.owed) == ("c-17", usd("30.01"), usd("30.00"))
    assert "issue the rest as a deposit" in str(error)
    receipt = company.credit.settle("c-17", usd("12.00"), key="s")
    assert moves(receipt) == [("owed_settled", 1200)]
    assert receipt.amount == usd("12.00")
    assert company.account().owed == usd("18.00")
    with company.refuses(AmountNotPositive):
        company.credit.settle("c-17", usd("0.00"), key="t")
    with company.refuses(SettleExceedsOwed):
        company.credit.settle("nobody", usd("1.00"), key="t")


def test_a_lower_limit_leaves_what_is_owed(company) -> None:
    company.redeem("30.00")
    company.credit.set_limit("c-17", "USD", usd("10.00"), key="l")
    assert state(company) == ("0.00", "30.00", "0.00")
    company.credit.set_limit("c-17", "USD", None, key="m")
    assert company.account().limit is None


def test_the_same_limit_again_changes_nothing(company) -> None:
    before = company.dump()
    assert not company.credit.set_limit("c-17", "USD", usd("100.00"), key="again").changed
    assert company.dump() == before
    company.credit.set_limit("c-17", "USD", UNLIMITED, key="u")
    assert not company.credit.set_limit("c-17", "USD", "unlimited", key="v").changed


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        (usd("-0.01"), InvalidTerms),
        (Money.of("1.00", "EUR"), UnitMismatch),
        ("endless", ArgumentRefused),
        (100, ArgumentRefused),
        (10.0, ArgumentRefused),
    ],
)
def test_a_limit_that_is_none_is_refused(shop, limit, error) -> None:
    with shop.refuses(error):
        shop.credit.set_limit("c-17", "USD", limit, key="l")


def test_only_listed_people_spend_from_a_company(shop) -> None:
    shop.issue("50.00")
    shop.credit.set_spenders("c-17", "USD", ["ann", "bob"], key="p")
    with shop.refuses(SpenderNotListed) as refused:
        shop.redeem("5.00", spender="eve")
    error = refused.error
    assert (error.holder, error.spender, error.listed) == ("c-17", "eve", ("ann", "bob"))
    assert "eve is not one of them (2 listed)" in str(error)
    with shop.refuses(SpenderNotListed) as refused:
        shop.hold("5.00")
    assert "nobody was named" in str(refused.error)
    hold = shop.hold("5.00", spender="ann").hold_id
    with shop.refuses(SpenderNotListed):
        shop.credit.resize(hold, usd("6.00"), key="r")
    shop.credit.resize(hold, usd("6.00"), spender="bob", key="r")
    assert shop.redeem("5.00", spender="bob").changed
    shop.credit.set_spenders("c-17", "USD", None, key="q")
    assert shop.redeem("5.00").changed


def test_an_empty_list_lets_nobody_spend_and_the_same_list_changes_nothing(shop) -> None:
    shop.issue("50.00")
    shop.credit.set_spenders("c-17", "USD", [], key="p")
    with shop.refuses(SpenderNotListed):
        shop.redeem("5.00", spender="ann")
    assert not shop.credit.set_spenders("c-17", "USD", (), key="q").changed


@pytest.mark.parametrize(
    ("spenders", "error"),
    [("ann", InvalidTerms), (5, InvalidTerms), (["ann", 5], InvalidText), ([""], InvalidText)],
)
def test_spenders_are_a_list_of_people(shop, spenders, error) -> None:
    with shop.refuses(error):
        shop.credit.set_spenders("c-17", "USD", spenders, key="p")


@pytest.mark.parametrize("spender", [5, "", "a\x00b", "x" * 201])
def test_who_spends_is_a_text_that_can_be_kept(shop, spender) -> None:
    shop.issue("50.00")
    for verb in (shop.redeem, shop.hold):
        with shop.refuses(InvalidText) as refused:
            verb("5.00", spender=spender)
        assert refused.error.field == "spender"
