"""Duty 4: a key is unique within an account, in the storage itself (S4)."""

# ruff: noqa: D102 - the name of a duty is its sentence
# ruff: noqa: PT012 - a transaction is more than one statement

from typing import Final

import pytest

from storecredit.errors import ConcurrentChange
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, outline, present, usd
from storecredit.testing.contract.story import ANSWERED
from storecredit.testing.contract.versions import refuses
from storecredit.values import Money

ALIKE: Final = (
    "order-1002",
    "Order-1002",
    "ORDER-1002",
    "order-1002 ",
    " order-1002",
    "order-1002\u00a0",
    "order-1002\u200b",
    "order_1002",
    "order%1002",
    "order-100",
    "\u00e9tude",
    "e\u0301tude",
    "\u00c9tude",
    "etude",
    "stra\u00dfe",
    "strasse",
    "\u0130stanbul",
    "i\u0307stanbul",
    "K",
    "\u212a",
    "1",
    "01",
    "1.0",
    "null",
    "'; --",
    '"',
    "\\",
    "\u202eabc",
    "k" * 200,
    "k" * 199 + "K",
    "k" * 199 + " ",
    "\U0001f9fe" * 200,
    "\U0001f9fe" * 199 + "\U0001f9fd",
)
"""Texts that a database with a friendly collation takes for one another; all are different."""


class KeyDuties(Duties):
    """One key, one entry."""

    def test_s4_a_second_entry_with_a_key_is_refused_though_its_version_follows(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="once")
        shop.credit.redeem("anna", usd("1.00"), key="between")
        refuses(shop, shop.issued(shop.account("anna"), 100, key="once"))

    def test_s4_a_second_entry_with_a_key_is_refused_within_one_transaction(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        second = shop.issued(shop.account("anna"), 100, key="once")
        third = shop.issued(second.account, 100, key="once")
        before = shop.kept()
        with pytest.raises(ConcurrentChange), shop.storage.transaction() as work:
            work.append(second)
            work.append(third)
        assert shop.kept() == before

    def test_s4_two_accounts_may_use_one_key(self) -> None:
        shop = self.shop()
        for holder in ("anna", "ben"):
            shop.credit.issue(holder, usd("5.00"), funding="refund", key="one")
            shop.credit.issue(holder, Money.of("5.00", "EUR"), funding="refund", key="one")
        other = Shop(shop.storage, "other")
        other.credit.issue("anna", usd("5.00"), funding="refund", key="one")
        assert (shop.credit.verify().entries, other.credit.verify().entries) == (4, 1)

    def test_s4_keys_that_only_look_alike_are_different_keys(self) -> None:
        shop = self.shop()
        for number, key in enumerate(ALIKE, 1):
            receipt = shop.credit.issue("anna", usd("0.01"), funding="refund", key=key)
            assert not receipt.replayed, f"{key!r} was taken for an earlier key"
            assert receipt.entry.sequence == number
        for number, key in enumerate(ALIKE, 1):
            receipt = shop.credit.issue("anna", usd("0.01"), funding="refund", key=key)
            assert receipt.replayed, f"{key!r} was not found again"
            assert receipt.entry.sequence == number

    def test_s4_a_key_that_was_never_used_finds_nothing(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="order-1")
        shop.credit.issue("ben", usd("5.00"), funding="refund", key="order-2")
        account = shop.account("anna")
        with shop.storage.snapshot() as reader:
            for key in ("order-2", "ORDER-1", "order-1 ", "order-", "order-%", "order-_", "", "%"):
                assert reader.entry_by_key(account, key) is None, key

    def test_s4_a_key_finds_the_whole_entry(self) -> None:
        shop = self.shop()
        made = shop.credit.issue("anna", usd("5.00"), funding="refund", key="order-1", **ANSWERED)
        with shop.storage.snapshot() as reader:
            found = present(reader.entry_by_key(shop.account("anna"), "order-1"))
        assert outline(found) == outline(made.entry)
