"""What is to be seen, now and as of any past instant or version (A19, V6)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storecredit.errors import InsufficientCredit, InvalidTerms, UnknownEntry
from storecredit.ledger import Because, Limits, Line
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_every_part_of_the_value_is_shown_once(shop) -> None:
    shop.issue("10.00", expires=Period(days=1))
    shop.issue("20.00", effective=Period(days=9))
    shop.issue("30.00", limits=Limits(minimum_order=100))
    shop.issue("40.00", expires=Period(days=5))
    shop.hold("25.00", lapses=Period(days=3))
    shop.clock.forward(days=1)
    shop.issue("1.00")
    account = shop.account()
    parts = {
        name: str(getattr(account, name).decimal)
        for name in ("available", "limited", "held", "pending", "due", "owed", "spendable")
    }
    assert parts == {
        "available": "26.00",
        "limited": "30.00",
        # USD 10.00 of it in a lot that has expired meanwhile.
        "held": "25.00",
        "pending": "20.00",
        "due": "0.00",
        "owed": "0.00",
        "spendable": "26.00",
    }
    assert (account.version, account.status, account.limit) == (6, "open", None)
    flags = [(lot.is_expired, lot.is_pending, str(lot.held.decimal)) for lot in account.lots]
    assert flags == [
        (True, False, "10.00"),
        (False, False, "15.00"),
        (False, False, "0.00"),
        (False, False, "0.00"),
        (False, True, "0.00"),
    ]


def test_the_next_expiry_sums_what_runs_out_together_and_is_not_held(shop) -> None:
    assert shop.account().next_expiry is None
    at = shop.clock.now + timedelta(days=5)
    shop.issue("10.00", expires=at)
    shop.issue("20.00", expires=at)
    shop.issue("30.00", expires=at + timedelta(microseconds=1))
    shop.issue("40.00")
    shop.hold("4.00")
    account = shop.account()
    assert (account.next_expiry.at, account.next_expiry.amount) == (at, usd("26.00"))
    assert shop.credit.wallet("c-17").next_expiry == {"USD": account.next_expiry}


def test_any_past_instant_and_version_is_what_was_seen_then(shop) -> None:
    seen = [(shop.clock.now - timedelta(hours=1), shop.account())]
    shop.issue("50.00", expires=Period(days=2))
    for step in (
        lambda: shop.hold("30.00", lapses=Period(hours=30)),
        lambda: shop.redeem("5.00"),
        lambda: shop.issue("7.00"),
        shop.credit.release_lapsed,
        shop.credit.expire_due,
        lambda: shop.redeem("1.00"),
    ):
        step()
        seen.append((shop.clock.now, shop.account()))
        shop.clock.forward(hours=13)
    for at, account in seen:
        past = shop.account(at=at)
        assert past.version == account.version
        if account.version:
            assert past == account
    for version in range(shop.account().version + 1):
        assert shop.account(version=version).version == version
    assert shop.account(version=0).lots == ()


def test_an_instant_and_a_version_together_are_refused(shop) -> None:
    shop.issue("50.00")
    with shop.refuses(InvalidTerms) as refused:
        shop.account(at=shop.clock.now, version=1)
    assert refused.error.field == "version"


@pytest.mark.parametrize("version", [-1, 2, 1.5, "1", True])
def test_a_version_that_does_not_exist_is_refused(shop, version) -> None:
    shop.issue("50.00")
    with shop.refuses(InvalidTerms) as refused:
        shop.account(version=version)
    assert (refused.error.field, refused.error.value) == ("version", version)
    assert refused.error.expected == "from 0 to 1"


def test_a_wallet_shows_its_accounts_by_unit_and_never_sums_them(shop) -> None:
    shop.issue("50.00")
    shop.credit.issue("c-17", Money.of("7.00", "EUR"), funding="refund", key="e")
    shop.hold("5.00")
    shop.credit.set_limit("c-17", "EUR", Money.of("3.00", "EUR"), key="l")
    shop.issue("2.00", effective=Period(days=1))
    shop.issue("3.00", limits=Limits(minimum_order=1))
    wallet = shop.credit.wallet("c-17")
    assert [account.unit.code for account in wallet.accounts] == ["EUR", "USD"]
    assert str(wallet.available) == "EUR 7.00, USD 45.00"
    assert str(wallet.spendable) == "EUR 10.00, USD 45.00"
    assert (str(wallet.pending), str(wallet.limited)) == ("USD 2.00", "USD 3.00")
    assert (str(wallet.held), str(wallet.owed)) == ("USD 5.00", "nothing")
    assert wallet.account("EUR").available == Money.of("7.00", "EUR")
    assert wallet.account(usd("1.00").unit).held == usd("5.00")
    assert wallet.account("GBP") is None
    assert (wallet.holder, wallet.at) == ("c-17", shop.clock.now)


def test_a_preview_equals_the_result_and_changes_nothing(shop) -> None:
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="l")
    soon = shop.issue("10.00", expires=Period(days=1)).lot_id
    late = shop.issue("20.00").lot_id
    limited = shop.issue("5.00", limits=Limits(categories=("shoes",))).lot_id
    before = shop.dump()
    preview = shop.credit.preview("c-17", usd("35.00"))
    assert shop.dump() == before
    assert (preview.amount, preview.on_limit, preview.version) == (usd("35.00"), usd("5.00"), 4)
    assert [(use.lot, use.amount, use.because) for use in preview.uses] == [
        (soon, 1000, Because.USED),
        (late, 2000, Because.USED),
        (limited, 0, Because.NEEDS_LINES),
    ]
    receipt = shop.redeem("35.00")
    assert [(move.lot, move.amount) for move in receipt.moves] == [
        (soon, 1000),
        (late, 2000),
        (None, 500),
    ]
    assert shop.credit.explain(receipt.entry_id).uses == preview.uses


def test_a_preview_refuses_what_would_be_refused(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(InsufficientCredit) as refused:
        shop.credit.preview("c-17", usd("10.01"))
    assert refused.error.reachable == usd("10.00")
    up_to = shop.credit.preview("c-17", usd("10.01"), taking="up_to", at=shop.clock.now)
    assert up_to.amount == usd("10.00")
    with shop.refuses(InsufficientCredit):
        shop.credit.preview("nobody", usd("10.01"))


def test_a_preview_on_the_limit_alone_uses_no_lot(shop) -> None:
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="l")
    preview = shop.credit.preview("c-17", usd("4.00"))
    assert (preview.amount, preview.on_limit, preview.uses) == (usd("4.00"), usd("4.00"), ())


def test_what_was_taken_is_explained_long_after(shop) -> None:
    lot = shop.issue("10.00", limits=Limits(categories=("shoes",))).lot_id
    plain = shop.issue("10.00").lot_id
    lines = [
        Line(id="1", amount=usd("6.00"), category="shoes"),
        Line(id="2", amount=usd("4.00")),
    ]
    held = shop.hold("7.00", lines=lines)
    shop.credit.capture(held.hold_id, key="c")
    shop.redeem("6.00", lot=plain, taking="up_to")
    shop.clock.forward(days=900)
    why = shop.credit.explain(held.entry_id)
    assert (why.amount, why.version) == (usd("7.00"), 2)
    # Both sort alike but for the issue: the limited lot came first.
    assert [(use.lot, use.amount) for use in why.uses] == [(lot, 600), (plain, 100)]


def test_a_spending_beyond_the_limit_is_explained_even_after_its_actor_was_erased(shop) -> None:
    entry = shop.redeem("5.00", exceed_limit=True, actor="ann", reason="a good customer").entry_id
    assert shop.credit.explain(entry).on_limit == usd("5.00")
    shop.credit.erase(entry)
    assert shop.credit.explain(entry).on_limit == usd("5.00")


def test_an_explanation_follows_the_rules_of_its_time(make_shop) -> None:
    shop = make_shop(channels=["web"])
    shop.issue("5.00")
    entry = shop.redeem("5.00", channel="web").entry_id
    later = shop.open(channels=["app"])
    assert later.explain(entry).amount == usd("5.00")


@pytest.mark.parametrize("entry", ["", "x", None, 5, "a.USD." + "0" * 32])
def test_only_an_entry_that_chose_lots_is_explained(shop, entry) -> None:
    issued = shop.issue("10.00").entry_id
    for unknown in (entry, issued):
        with shop.refuses(UnknownEntry) as refused:
            shop.credit.explain(unknown)
        assert refused.error.entry_id == unknown
