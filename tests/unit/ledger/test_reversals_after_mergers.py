"""Reversing a transfer whose sender or receiver was merged since: it follows, once, exactly (A17)."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storecredit.errors import (
    AccountClosed,
    AccountFrozen,
    InsufficientCredit,
    KeyReused,
    NothingToReverse,
    TransferAlreadyReversed,
)
from storecredit.ledger import (
    Funding,
    Lot,
    Merchant,
    Names,
    Part,
    RestoreInto,
    ReverseOut,
    Terms,
    carriers,
)
from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage, SQLiteStorage
from storecredit.values import ExchangeRate, Money, Period

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture(params=["memory", "sqlite"])
def shop(request: Any, make_shop: Callable[..., Any], tmp_path: Path) -> Any:
    """A shop on each storage."""
    if request.param == "memory":
        return make_shop()
    return make_shop(storage=SQLiteStorage(tmp_path / "shop.db"))


def transfer(shop, amount, *, sender="ann", receiver="bob"):
    return shop.credit.transfer(sender, receiver, usd(amount), key=shop.key())


def merge(shop, holder, into):
    return shop.credit.merge(holder, into, key=shop.key())


def reverse(shop, sent, **more):
    given = {"key": shop.key(), **more}
    return shop.credit.reverse_transfer(sent.entry_id, **given)


def given_fifteen(shop):
    """Ann has a gift of 10 and a refund of 20, and sends bob 15: the gift and 5 of the refund."""
    shop.issue("10.00", holder="ann", funding="promotional", expires=Period(days=9))
    shop.issue("20.00", holder="ann")
    return transfer(shop, "15.00")


def test_a17_the_survivor_of_the_receiver_gives_back_the_lots_that_carry_the_value_on(
    shop, moves
) -> None:
    sent = given_fifteen(shop)
    shop.issue("50.00", holder="eve")
    merge(shop, "bob", "eve")
    carried = {lot.id for lot in shop.account("eve").lots if lot.origin in sent.received.lot_ids}
    back = reverse(shop, sent, reference="mistake")
    assert (back.sent.holder, back.received.holder) == ("eve", "ann")
    assert moves(back.sent) == [("transferred_out", 1000), ("transferred_out", 500)]
    assert {*back.sent.lot_ids} == carried
    assert moves(back.received) == [("transferred_in", 1000), ("transferred_in", 500)]
    assert [move.of for move in back.received.moves] == [0, 1]
    assert back.received.entry.facts["redemption"] == sent.entry_id
    assert back.received.entry.key == f"~from:{back.entry_id}"
    assert shop.lots("ann") == [("promotional", "10.00"), ("refund", "15.00"), ("refund", "5.00")]
    assert shop.lots("eve") == [("refund", "50.00")]


def test_a17_the_survivor_of_the_sender_takes_the_value_back(shop) -> None:
    sent = given_fifteen(shop)
    merge(shop, "ann", "eve")
    back = reverse(shop, sent)
    assert (back.sent.holder, back.received.holder) == ("bob", "eve")
    assert (shop.available("bob"), shop.available("eve")) == ("USD 0.00", "USD 30.00")
    assert {funding for funding, _ in shop.lots("eve")} == {"promotional", "refund"}


def test_a17_both_sides_follow_any_number_of_mergers(shop) -> None:
    sent = given_fifteen(shop)
    for holder, into in (("ann", "a2"), ("bob", "b2"), ("a2", "a3"), ("b2", "b3"), ("b3", "b4")):
        merge(shop, holder, into)
    back = reverse(shop, sent, key="r")
    assert (back.sent.holder, back.received.holder) == ("b4", "a3")
    assert (shop.available("b4"), shop.available("a3")) == ("USD 0.00", "USD 30.00")
    before = shop.dump()
    again = reverse(shop, sent, key="r")
    assert (again.replayed, again) == (True, back)
    assert shop.dump() == before
    merge(shop, "b4", "b5")
    merge(shop, "a3", "a4")
    assert reverse(shop, sent, key="r").replayed
    with shop.refuses(TransferAlreadyReversed) as refused:
        reverse(shop, sent)
    assert refused.error.entry_id == sent.entry_id


@pytest.mark.parametrize("merged", [["ann"], ["bob"], ["ann", "bob"]])
def test_a17_what_was_reversed_before_a_merger_stays_reversed_and_its_key_answered(
    shop, merged
) -> None:
    sent = given_fifteen(shop)
    first = reverse(shop, sent, key="r")
    shop.issue("99.00", holder="bob")
    for holder in merged:
        merge(shop, holder, f"{holder} again")
    again = reverse(shop, sent, key="r")
    assert (again.replayed, again) == (True, first)
    with shop.refuses(TransferAlreadyReversed):
        reverse(shop, sent)


@pytest.mark.parametrize(
    "mergers",
    [
        [("ann", "bob")],
        [("bob", "ann")],
        [("ann", "eve"), ("bob", "eve")],
        [("ann", "eve"), ("bob", "max"), ("eve", "max")],
    ],
)
def test_a17_between_two_holders_who_are_one_by_now_nothing_is_reversed(shop, mergers) -> None:
    sent = given_fifteen(shop)
    for holder, into in mergers:
        merge(shop, holder, into)
    survivor = mergers[-1][1]
    with shop.refuses(NothingToReverse) as refused:
        reverse(shop, sent)
    assert (refused.error.entry_id, refused.error.holder) == (sent.entry_id, survivor)
    assert f"both its sides belong to holder {survivor} since" in str(refused.error)
    assert shop.available(survivor) == "USD 30.00"


def test_a17_a_reversed_transfer_of_holders_who_are_one_by_now_is_first_of_all_reversed(
    shop,
) -> None:
    sent = given_fifteen(shop)
    reverse(shop, sent, key="r")
    merge(shop, "ann", "bob")
    assert reverse(shop, sent, key="r").replayed
    with shop.refuses(TransferAlreadyReversed):
        reverse(shop, sent)


def test_a17_what_was_spent_before_the_merger_is_missing_until_it_is_restored(shop) -> None:
    sent = given_fifteen(shop)
    spent = shop.redeem("12.00", holder="bob")
    shop.issue("50.00", holder="eve")
    merge(shop, "bob", "eve")
    # Other value of the survivor does not stand in for it.
    with shop.refuses(InsufficientCredit) as refused:
        reverse(shop, sent)
    assert (refused.error.holder, refused.error.wanted) == ("eve", usd("15.00"))
    assert refused.error.reachable == usd("3.00")
    shop.credit.restore(spent.entry_id, amount=usd("11.99"), key="most")
    with shop.refuses(InsufficientCredit) as refused:
        reverse(shop, sent)
    assert refused.error.reachable == usd("14.99")
    shop.credit.restore(spent.entry_id, key="rest")
    back = reverse(shop, sent)
    # The gift came back in two restored lots; of the refund 3.00 were never spent.
    assert [move.amount for move in back.sent.moves] == [999, 1, 300, 200]
    assert [move.of for move in back.received.moves] == [0, 0, 1, 1]
    assert shop.lots("eve") == [("refund", "50.00")]
    assert shop.available("ann") == "USD 30.00"


def test_a17_restores_before_and_between_mergers_count_too(shop) -> None:
    sent = given_fifteen(shop)
    spent = shop.redeem("15.00", holder="bob")
    shop.credit.restore(spent.entry_id, amount=usd("4.00"), key="in bob's own lot")
    merge(shop, "bob", "eve")
    shop.credit.restore(spent.entry_id, amount=usd("5.00"), key="in a lot of eve's")
    merge(shop, "eve", "max")
    shop.credit.restore(spent.entry_id, amount=usd("6.00"), key="in a lot of max's")
    back = reverse(shop, sent)
    assert (back.sent.holder, back.sent.amount) == ("max", usd("15.00"))
    assert shop.lots("max") == []


def test_a17_restored_into_a_new_lot_value_can_be_reversed_without_any_merger(make_shop) -> None:
    shop = make_shop(restore_into=RestoreInto.NEW_LOT)
    sent = given_fifteen(shop)
    first = shop.redeem("15.00", holder="bob")
    shop.credit.restore(first.entry_id, key="x")
    second = shop.redeem("15.00", holder="bob")
    shop.credit.restore(second.entry_id, key="y")
    # Bob's lots carry on lots that are empty by now, and those the transferred ones.
    back = reverse(shop, sent)
    assert {*back.sent.lot_ids} & {*sent.received.lot_ids} == set()
    assert (shop.available("bob"), shop.available("ann")) == ("USD 0.00", "USD 30.00")


def test_a17_no_more_comes_back_than_was_sent(shop) -> None:
    sent = given_fifteen(shop)
    gift, refund = sent.received.lot_ids
    for lot in (gift, refund):
        shop.correct("adjust", lot, usd("7.00"))
    merge(shop, "bob", "eve")
    assert [move.amount for move in reverse(shop, sent).sent.moves] == [1000, 500]
    assert shop.lots("eve") == [("promotional", "7.00"), ("refund", "7.00")]


def test_a17_the_surplus_of_one_part_does_not_stand_in_for_another(shop) -> None:
    sent = given_fifteen(shop)
    gift, refund = sent.received.lot_ids
    shop.correct("adjust", gift, usd("7.00"))
    shop.redeem("1.00", holder="bob", lot=refund)
    merge(shop, "bob", "eve")
    with shop.refuses(InsufficientCredit) as refused:
        reverse(shop, sent)
    assert refused.error.reachable == usd("14.00")


@pytest.mark.parametrize("swept", [False, True])
def test_a5_what_has_expired_at_the_survivor_is_not_reversed_swept_or_not(shop, swept) -> None:
    sent = given_fifteen(shop)
    merge(shop, "bob", "eve")
    shop.clock.forward(days=9)
    if swept:
        shop.credit.expire_due()
    with shop.refuses(InsufficientCredit) as refused:
        reverse(shop, sent)
    assert refused.error.reachable == usd("5.00")


def test_a17_what_the_survivor_holds_for_an_order_is_not_reversed(shop) -> None:
    sent = given_fifteen(shop)
    merge(shop, "bob", "eve")
    hold = shop.hold("0.01", holder="eve").hold_id
    with shop.refuses(InsufficientCredit):
        reverse(shop, sent)
    shop.credit.release(hold, key="release")
    assert reverse(shop, sent).sent.amount == usd("15.00")


def test_a17_value_that_bob_gave_on_comes_back_once_all_hands_it_went_through_are_his(shop) -> None:
    sent = given_fifteen(shop)
    transfer(shop, "15.00", sender="bob", receiver="eve")
    transfer(shop, "15.00", sender="eve", receiver="max")
    transfer(shop, "15.00", sender="max", receiver="eve")
    shop.issue("15.00", holder="bob")
    with shop.refuses(InsufficientCredit) as refused:
        reverse(shop, sent)
    assert refused.error.reachable == usd("0.00")
    # Bob and eve are one person, but this value eve has from max.
    merge(shop, "bob", "eve")
    with shop.refuses(InsufficientCredit):
        reverse(shop, sent)
    merge(shop, "max", "eve")
    assert reverse(shop, sent).sent.amount == usd("15.00")
    assert shop.lots("eve") == [("refund", "15.00")]


@pytest.mark.parametrize(("merged", "into"), [("bob", "robert"), ("robert", "bob")])
def test_a17_value_that_bob_gave_to_his_other_name_comes_back(shop, merged, into) -> None:
    sent = given_fifteen(shop)
    transfer(shop, "15.00", sender="bob", receiver="robert")
    with shop.refuses(InsufficientCredit):
        reverse(shop, sent)
    merge(shop, merged, into)
    assert reverse(shop, sent).sent.amount == usd("15.00")
    assert (shop.available("robert"), shop.available("ann")) == ("USD 0.00", "USD 30.00")


def test_a17_value_that_was_converted_there_and_back_is_other_value(shop) -> None:
    sent = given_fifteen(shop)
    rate = ExchangeRate("USD", "EUR", "0.5", on=NOW.date())
    there = shop.credit.convert("bob", usd("15.00"), rate, rounding="down", key="there")
    rate = ExchangeRate("EUR", "USD", 2, on=NOW.date())
    shop.credit.convert("bob", there.received.amount, rate, rounding="down", key="back")
    assert shop.available("bob") == "USD 15.00"
    with shop.refuses(InsufficientCredit):
        reverse(shop, sent)


def test_a17_a_reversal_is_reversed_after_mergers_too(shop) -> None:
    sent = given_fifteen(shop)
    merge(shop, "bob", "eve")
    back = reverse(shop, sent)
    merge(shop, "ann", "amy")
    merge(shop, "eve", "eva")
    there = reverse(shop, back.sent)
    assert (there.sent.holder, there.received.holder) == ("amy", "eva")
    assert (shop.available("amy"), shop.available("eva")) == ("USD 15.00", "USD 15.00")
    with shop.refuses(TransferAlreadyReversed):
        reverse(shop, sent)
    with shop.refuses(TransferAlreadyReversed):
        reverse(shop, back.sent)


def test_a17_neither_survivor_may_be_frozen_or_closed(shop) -> None:
    sent = given_fifteen(shop)
    merge(shop, "ann", "amy")
    merge(shop, "bob", "eve")
    for holder in ("amy", "eve"):
        shop.credit.freeze(holder, "USD", key="f")
        with shop.refuses(AccountFrozen) as refused:
            reverse(shop, sent)
        assert refused.error.holder == holder
        shop.credit.reopen(holder, "USD", key="g")
    transfer(shop, "15.00", sender="amy", receiver="max")
    shop.credit.close("amy", "USD", key="c")
    with shop.refuses(AccountClosed):
        reverse(shop, sent)


def test_a12_a_key_of_another_request_in_any_account_on_the_way_is_refused(shop) -> None:
    sent = given_fifteen(shop)
    shop.redeem("0.01", holder="bob", key="of bob")
    shop.issue("1.00", holder="eve", key="of eve")
    merge(shop, "bob", "eve")
    for key in ("of bob", "of eve"):
        with shop.refuses(KeyReused):
            reverse(shop, sent, key=key)


def test_s9_a_reversal_after_mergers_is_exported_and_imported(make_shop) -> None:
    shop = make_shop()
    sent = given_fifteen(shop)
    merge(shop, "bob", "eve")
    merge(shop, "ann", "amy")
    reverse(shop, sent, key="r")
    written = io.BytesIO()
    shop.credit.export_journal(written)
    written.seek(0)
    copy = StoreCredit(MemoryStorage(), Merchant(id="acme"), clock=shop.clock)
    copy.import_journal(written)
    assert copy.verify().ok
    assert copy.wallet("amy") == shop.credit.wallet("amy")
    assert copy.reverse_transfer(sent.entry_id, key="r").replayed
    with pytest.raises(TransferAlreadyReversed):
        copy.reverse_transfer(sent.entry_id, key="s")


# --- Which lots carry others on ---------------------------------------------------------


def lot(name: str, *, origin: str | None = None, sequence: int = 1) -> Lot:
    terms = Terms(funding=Funding.REFUND, effective_at=NOW)
    return Lot(name, sequence, NOW, terms, origin, 100, 100)


def test_a_lot_carries_on_its_origin_and_the_origins_of_that() -> None:
    lots = [lot("c", origin="b", sequence=3), lot("b", origin="a", sequence=2), lot("x")]
    origins = {"c": "b", "b": "a", "x": None}
    assert carriers(lots, origins, ("a",)) == {"a": ["b", "c"]}
    assert carriers(lots, origins, ("b", "x")) == {"b": ["b", "c"], "x": ["x"]}
    # What is not known leads nowhere.
    assert carriers(lots, {"c": "b"}, ("a",)) == {"a": []}


def test_origins_that_go_round_in_a_circle_lead_nowhere() -> None:
    lots = [lot("b", origin="c"), lot("c", origin="b")]
    assert carriers(lots, {"b": "c", "c": "b"}, ("a",)) == {"a": []}


def test_a_reversal_names_the_lots_that_it_may_take_from() -> None:
    parts = (Part(0, 100, ("a", "b")), Part(1, 50, ()), Part(2, 10, ("c",)))
    assert ReverseOut(transfer="t", to="w.USD", parts=parts).names == Names(lots=("a", "b", "c"))
