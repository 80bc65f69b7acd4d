"""Holders merged one after the other: every key used on the way is still answered (A12, A17)."""

from __future__ import annotations

from datetime import date

import pytest

from storecredit.errors import JournalBroken, KeyReused
from storecredit.values import ExchangeRate, Money


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def three_holders(shop) -> None:
    for holder in ("a", "b", "c"):
        shop.credit.issue(holder, usd("10.00"), funding="refund", key="first")


def test_a12_a_key_used_in_the_account_in_the_middle_of_two_mergers_is_answered(shop) -> None:
    three_holders(shop)
    shop.credit.merge("a", "b", key="m1")
    first = shop.credit.issue("a", eur("40.00"), funding="refund", key="K")
    shop.credit.merge("b", "c", key="m2")
    again = shop.credit.issue("a", eur("40.00"), funding="refund", key="K")
    assert again.replayed
    assert again.entry == first.entry
    assert str(shop.account("c", "EUR").available) == "EUR 40.00"


def test_a12_a_key_used_in_the_same_unit_in_the_middle_is_answered(shop) -> None:
    three_holders(shop)
    shop.credit.merge("a", "b", key="m1")
    first = shop.credit.redeem("a", usd("15.00"), key="K")
    shop.credit.merge("b", "c", key="m2")
    shop.credit.issue("d", usd("1.00"), funding="refund", key="first")
    shop.credit.merge("c", "d", key="m3")
    again = shop.credit.redeem("a", usd("15.00"), key="K")
    assert (again.replayed, again.entry_id) == (True, first.entry_id)
    assert shop.available("d") == "USD 16.00"
    with shop.refuses(KeyReused):
        shop.credit.redeem("a", usd("15.01"), key="K")


def test_a12_a_conversion_on_the_way_is_answered(shop) -> None:
    three_holders(shop)
    shop.credit.merge("a", "b", key="m1")
    rate = ExchangeRate("USD", "EUR", "0.5", on=date(2026, 3, 2))
    shop.credit.convert("a", usd("20.00"), rate, rounding="half_even", key="K")
    shop.credit.merge("b", "c", key="m2")
    again = shop.credit.convert("a", usd("20.00"), rate, rounding="half_even", key="K")
    assert again.replayed
    assert shop.available("c") == "USD 10.00"
    assert str(shop.account("c", "EUR").available) == "EUR 10.00"


def test_a17_what_comes_for_an_empty_account_goes_to_the_last_survivor(shop) -> None:
    shop.issue("5.00", holder="a")
    shop.redeem("5.00", holder="a")
    shop.credit.merge("a", "b", key="m1")
    shop.credit.merge("b", "c", key="m2")
    receipt = shop.credit.issue("a", usd("3.00"), funding="refund", key="K")
    assert receipt.holder == "c"
    assert shop.available("c") == "USD 3.00"
    assert shop.available("b") == "USD 3.00"


def test_a12_a_repeated_release_of_an_order_leaves_later_holds_alone(shop) -> None:
    three_holders(shop)
    shop.credit.merge("a", "b", key="m1")
    shop.credit.hold("a", usd("10.00"), reference="o1", key="h1")
    (first,) = shop.credit.release_order("a", "o1", key="K")
    shop.credit.merge("b", "c", key="m2")
    shop.credit.hold("a", usd("20.00"), reference="o1", key="h2")
    (again,) = shop.credit.release_order("a", "o1", key="K")
    assert (again.replayed, again.entry_id) == (True, first.entry_id)
    assert str(shop.account("c").held) == "USD 20.00"
    (new,) = shop.credit.release_order("a", "o1", key="another")
    assert str(new.amount) == "USD 20.00"


def test_a17_mergers_that_go_round_in_a_circle_are_named_and_not_followed_for_ever(
    make_shop,
) -> None:
    broken = make_shop()
    three_holders(broken)
    broken.credit.merge("a", "b", key="m1")
    with broken.storage.transaction() as work:
        first, second = work.wallet("acme", "a"), work.wallet("acme", "b")
        work.replace_wallet(type(second)(second.id, "acme", "b", first.id))
    with pytest.raises(JournalBroken):
        broken.credit.issue("a", eur("1.00"), funding="refund", key="K")
    with broken.storage.transaction() as work:
        work.replace_wallet(second)
