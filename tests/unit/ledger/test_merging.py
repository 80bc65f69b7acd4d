"""Merging two holders: everything moves, and old keys and restores follow (A17)."""

from __future__ import annotations

import pytest

from storecredit.errors import (
    AccountClosed,
    AccountFrozen,
    AccountMerged,
    HoldsActive,
    InvalidKey,
    InvalidTerms,
    InvalidText,
    KeyReused,
    RestoreExceedsRedemption,
)
from storecredit.values import ExchangeRate, Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def merge(shop, holder="c-17", into="c-18", **more):
    given = {"key": shop.key(), **more}
    return shop.credit.merge(holder, into, **given)


def test_every_lot_moves_pending_and_limited_ones_too(shop, moves) -> None:
    shop.issue("10.00", funding="promotional", expires=Period(days=9))
    shop.issue("20.00", effective=Period(days=3))
    shop.issue("5.00", expires=Period(days=1))
    shop.credit.issue("c-17", eur("7.00"), funding="goodwill", key="e")
    shop.issue("1.00", holder="c-18")
    shop.clock.forward(days=1)
    euros, dollars = merge(shop)
    # What is due expires in the account where it was.
    assert moves(dollars.sent) == [
        ("expired", 500),
        ("transferred_out", 1000),
        ("transferred_out", 2000),
    ]
    assert moves(dollars.received) == [("transferred_in", 1000), ("transferred_in", 2000)]
    assert moves(euros.received) == [("transferred_in", 700)]
    account = shop.account("c-18")
    assert (account.available, account.pending) == (usd("11.00"), usd("20.00"))
    assert shop.account("c-18", "EUR").available == eur("7.00")
    # From now on c-17 is another name of c-18.
    assert shop.account("c-17").id == account.id
    assert shop.credit.wallet("c-17").available == shop.credit.wallet("c-18").available


def test_commands_on_the_merged_holder_go_to_the_survivor(shop) -> None:
    shop.issue("10.00")
    merge(shop)
    assert shop.issue("5.00").holder == "c-18"
    assert shop.redeem("12.00").holder == "c-18"
    assert shop.credit.issue("c-17", eur("1.00"), funding="refund", key="e").holder == "c-18"
    assert shop.available("c-18") == "USD 3.00"


def test_what_is_owed_moves_and_is_settled_by_live_value(shop, moves) -> None:
    shop.issue("20.00")
    hold = shop.hold("20.00").hold_id
    shop.redeem("15.00", exceed_limit=True, actor="ann", reason="a good customer")
    shop.credit.release(hold, key="r")
    (receipt,) = merge(shop)
    assert moves(receipt.sent) == [("transferred_out", 2000), ("owed_reversed", 1500)]
    assert moves(receipt.received) == [
        ("owed_incurred", 1500),
        ("transferred_in", 2000),
        ("settled", 1500),
        ("owed_settled", 1500),
    ]
    account = shop.account("c-18")
    assert (account.available, account.owed) == (usd("5.00"), usd("0.00"))


def test_active_holds_refuse_a_merge_and_lapsed_ones_do_not(shop) -> None:
    shop.issue("10.00")
    hold = shop.hold("1.00").hold_id
    with shop.refuses(HoldsActive) as refused:
        merge(shop)
    assert (refused.error.holder, refused.error.hold_ids) == ("c-17", (hold,))
    assert "1 hold(s) are active" in str(refused.error)
    shop.clock.forward(days=1)
    (receipt,) = merge(shop)
    assert receipt.received.amount == usd("10.00")


def test_the_survivors_own_holds_stay(shop) -> None:
    shop.issue("10.00")
    shop.issue("10.00", holder="c-18")
    hold = shop.hold("5.00", holder="c-18").hold_id
    merge(shop)
    assert shop.credit.capture(hold, key="c").amount == usd("5.00")


def test_old_keys_are_answered_after_the_merger(shop) -> None:
    first = shop.issue("10.00", key="old")
    merge(shop)
    again = shop.issue("10.00", key="old")
    assert (again.replayed, again.entry) == (True, first.entry)
    with shop.refuses(KeyReused):
        shop.issue("10.01", key="old")
    assert shop.available("c-18") == "USD 10.00"


def test_restores_follow_to_the_survivor_with_one_cap(shop) -> None:
    lot = shop.issue("50.00", funding="goodwill").lot_id
    spent = shop.redeem("30.00")
    before = shop.credit.restore(spent.entry_id, amount=usd("10.00"), key="one")
    merge(shop)
    with shop.refuses(RestoreExceedsRedemption) as refused:
        shop.credit.restore(spent.entry_id, amount=usd("20.01"), key="two")
    assert (refused.error.taken, refused.error.restored) == (usd("30.00"), usd("10.00"))
    receipt = shop.credit.restore(spent.entry_id, key="two")
    assert (receipt.holder, receipt.amount) == ("c-18", usd("20.00"))
    restored = next(each for each in shop.account("c-18").lots if each.id == receipt.lot_id)
    assert (restored.origin, restored.terms.funding) == (lot, "goodwill")
    with shop.refuses(RestoreExceedsRedemption):
        shop.credit.restore(spent.entry_id, amount=usd("0.01"), key="three")
    # Both restores are still answered under their keys.
    assert shop.credit.restore(spent.entry_id, amount=usd("10.00"), key="one") == before
    assert shop.credit.restore(spent.entry_id, key="two").replayed


def test_restores_follow_along_a_chain_of_mergers(shop) -> None:
    shop.issue("50.00")
    spent = shop.redeem("30.00")
    shop.credit.restore(spent.entry_id, amount=usd("5.00"), key="one")
    merge(shop, "c-17", "c-18")
    shop.credit.restore(spent.entry_id, amount=usd("5.00"), key="two")
    merge(shop, "c-18", "c-19")
    with shop.refuses(RestoreExceedsRedemption) as refused:
        shop.credit.restore(spent.entry_id, amount=usd("20.01"), key="three")
    assert refused.error.restored == usd("10.00")
    assert shop.credit.restore(spent.entry_id, key="three").holder == "c-19"
    assert shop.credit.restore(spent.entry_id, amount=usd("5.00"), key="two").replayed
    assert shop.available("c-19") == "USD 50.00"


def test_a_restore_to_the_survivor_of_an_expired_lot_gets_a_grace_period(shop) -> None:
    shop.issue("50.00", expires=Period(days=5))
    spent = shop.redeem("30.00")
    merge(shop)
    shop.clock.forward(days=5)
    receipt = shop.credit.restore(spent.entry_id, key="r")
    lot = next(each for each in shop.account("c-18").lots if each.id == receipt.lot_id)
    assert lot.terms.expires_at == Period(days=30).after(shop.clock.now)


def test_a_merger_is_repeated_with_its_key_and_not_with_another(shop) -> None:
    shop.issue("10.00")
    first = merge(shop, key="m")
    before = shop.dump()
    again = merge(shop, key="m")
    assert (again == first, again[0].replayed) == (True, True)
    assert shop.dump() == before
    with shop.refuses(AccountMerged) as refused:
        merge(shop, key="n")
    assert (refused.error.holder, refused.error.into) == ("c-17", shop.account("c-18").id)


def test_the_key_of_a_merger_is_looked_up_first(shop) -> None:
    shop.issue("10.00")
    shop.issue("10.00", holder="c-19")
    merge(shop, key="m")
    for into in ("c-19", "somebody new"):
        with shop.refuses(KeyReused) as refused:
            merge(shop, into=into, key="m")
        assert refused.error.field == "into"
    with shop.refuses(InvalidKey):
        merge(shop, "nobody", "c-18", key="")


def test_a_merged_holder_is_not_merged_elsewhere_nor_into_himself(shop) -> None:
    shop.issue("10.00")
    shop.issue("10.00", holder="c-19")
    merge(shop)
    for holder, into in (("c-17", "c-19"), ("c-18", "c-18"), ("c-18", "c-17")):
        with shop.refuses(InvalidTerms) as refused:
            merge(shop, holder, into)
        assert (refused.error.field, refused.error.value) == ("into", into)


def test_an_unknown_holder_has_nothing_to_merge(shop) -> None:
    shop.issue("10.00", holder="c-18")
    before = shop.dump()
    assert merge(shop, "nobody", "c-18") == ()
    assert shop.dump() == before
    for holder, into in (("", "c-18"), ("c-17", "")):
        with shop.refuses(InvalidText):
            merge(shop, holder, into)


def test_an_account_is_opened_for_an_unknown_survivor(shop) -> None:
    shop.issue("10.00")
    (receipt,) = merge(shop, "c-17", "new")
    assert (receipt.received.holder, shop.available("new")) == ("new", "USD 10.00")


def test_an_empty_account_merges_too(shop) -> None:
    shop.issue("10.00")
    shop.redeem("10.00")
    (receipt,) = merge(shop)
    assert (receipt.sent.moves, receipt.received.moves) == ((), ())
    assert shop.issue("5.00").holder == "c-18"


def test_neither_a_frozen_holder_nor_a_frozen_survivor_is_merged(shop) -> None:
    shop.issue("10.00")
    shop.issue("10.00", holder="c-18")
    for holder in ("c-17", "c-18"):
        shop.credit.freeze(holder, "USD", key="f")
        with shop.refuses(AccountFrozen) as refused:
            merge(shop)
        assert refused.error.holder == holder
        shop.credit.reopen(holder, "USD", key="g")
    merge(shop)
    assert shop.available("c-18") == "USD 20.00"


def test_a_merged_account_stays_closed(shop) -> None:
    lot = shop.issue("10.00").lot_id
    merge(shop)
    with shop.refuses(AccountMerged) as refused:
        shop.correct("revoke", lot)
    assert (refused.error.holder, refused.error.into) == ("c-17", shop.account("c-18").id)
    shop.credit.close("c-18", "EUR", key="z")
    with pytest.raises(AccountClosed):
        shop.credit.issue("c-17", eur("1.00"), funding="refund", key="y")


def test_a_transfer_to_a_merged_holder_reaches_the_survivor_whatever_keys_he_used(shop) -> None:
    shop.issue("10.00", key="same")
    merge(shop)
    shop.issue("10.00", holder="c-20")
    receipt = shop.credit.transfer("c-20", "c-17", usd("4.00"), key="same")
    assert receipt.received.holder == "c-18"
    assert shop.available("c-18") == "USD 14.00"
    assert shop.credit.transfer("c-20", "c-17", usd("4.00"), key="same").replayed


def test_a_conversion_of_a_merged_holder_reaches_the_survivor_whatever_keys_he_used(shop) -> None:
    shop.issue("10.00")
    shop.credit.issue("c-17", eur("1.00"), funding="refund", key="same")
    merge(shop)
    rate = ExchangeRate("USD", "EUR", "0.5", on=shop.clock.now.date())
    receipt = shop.credit.convert("c-17", usd("4.00"), rate, rounding="down", key="same")
    assert receipt.received.holder == "c-18"
    assert shop.account("c-18", "EUR").available == eur("3.00")


def test_holds_of_an_order_are_released_for_either_name(shop) -> None:
    shop.issue("10.00")
    merge(shop)
    shop.hold("4.00", holder="c-18", reference="order 7")
    (receipt,) = shop.credit.release_order("c-17", "order 7", key="r")
    assert (receipt.holder, receipt.amount) == ("c-18", usd("4.00"))


def test_the_old_name_reads_on_in_the_survivors_journal(shop) -> None:
    shop.issue("10.00")
    merge(shop)
    kinds = [entry.kind.value for entry in shop.credit.journal("c-17", "USD")]
    assert kinds == ["issue", "merge_out", "merge_in"]
    kinds = [entry.kind.value for entry in shop.credit.journal("c-18", "USD")]
    assert kinds == ["merge_in"]
