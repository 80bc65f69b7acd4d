"""Wallets: the replaceable rows that lead from a holder to accounts (A1, A17, A18)."""

# ruff: noqa: D102 - the name of a duty is its sentence
# ruff: noqa: PT012 - a transaction is more than one statement

from typing import Final

import attrs
import pytest

from storecredit.errors import ConcurrentChange
from storecredit.storage.protocols import Storage, Wallet
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, present, usd
from storecredit.values import Money

HOLDERS: Final = (
    "c-17",
    "C-17",
    "c-17 ",
    " c-17",
    "c-1_",
    "c-%",
    "José",
    "Jose\u0301",
    "Jose",
    "STRASSE",
    "straße",
    "strasse",
    "עברית",
    "\u202eright to left",
    "नमस्ते",
    "日本語",
    "👩‍👩‍👧",
    "👩👩👧",
    "🧾",
    "0",
    "00",
    "None",
    "null",
    "'; DROP TABLE wallets; --",
    "h" * 200,
    "h" * 199 + "H",
    "🧾" * 200,
)
"""Holders that a database may take for one another, or cannot keep; all are different people."""


class WalletDuties(Duties):
    """A holder has one wallet at a merchant, whatever the holder is called."""

    def test_a1_a_wallet_that_was_added_is_found_by_holder_and_by_id(self) -> None:
        shop = self.shop()
        wallet = shop.new_wallet("anna")
        with shop.storage.snapshot() as reader:
            assert reader.wallet("acme", "anna") is None
            assert reader.wallet_by_id("acme", wallet.id) is None
        add(shop.storage, wallet)
        with shop.storage.snapshot() as reader:
            assert reader.wallet("acme", "anna") == wallet
            assert reader.wallet_by_id("acme", wallet.id) == wallet
            assert reader.accounts_of("acme", wallet.id) == []

    def test_a1_a_holder_gets_no_second_wallet(self) -> None:
        shop = self.shop()
        first = shop.new_wallet("anna")
        add(shop.storage, first)
        with pytest.raises(ConcurrentChange):
            add(shop.storage, shop.new_wallet("anna"))
        with pytest.raises(ConcurrentChange), shop.storage.transaction() as work:
            work.add_wallet(shop.new_wallet("ben"))
            work.add_wallet(shop.new_wallet("ben"))
        with shop.storage.snapshot() as reader:
            assert reader.wallet("acme", "anna") == first
            assert reader.wallet("acme", "ben") is None

    def test_a1_a_wallet_id_is_never_given_to_a_second_holder(self) -> None:
        shop = self.shop()
        first = shop.new_wallet("anna")
        add(shop.storage, first)
        for merchant in ("acme", "other"):
            with pytest.raises(ConcurrentChange):
                add(shop.storage, attrs.evolve(first, holder="ben", merchant=merchant))
        with shop.storage.snapshot() as reader:
            assert reader.wallet_by_id("acme", first.id) == first
            assert reader.wallet("acme", "ben") is None

    def test_a1_holders_of_any_script_and_look_are_different_holders(self) -> None:
        shop = self.shop()
        for cents, holder in enumerate(HOLDERS, 1):
            amount = Money.of_minor(cents, "USD")
            shop.credit.issue(holder, amount, funding="refund", key="gift")
        for cents, holder in enumerate(HOLDERS, 1):
            account = shop.account(holder)
            assert account.holder == holder
            assert account.totals["balance"] == cents, f"{holder!r} shares a wallet"
            assert present(shop.wallet_row(holder)).holder == holder

    def test_a16_merchants_of_any_script_and_look_are_different_merchants(self) -> None:
        storage = self.fresh()
        shops = [Shop(storage, name) for name in HOLDERS]
        for cents, shop in enumerate(shops, 1):
            amount = Money.of_minor(cents, "USD")
            shop.credit.issue("anna", amount, funding="refund", key="gift")
        for cents, shop in enumerate(shops, 1):
            assert shop.account("anna").totals["balance"] == cents
            assert len(shop.credit.heads()) == 1

    def test_a18_a_renamed_holder_keeps_the_wallet_and_its_journal(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        heads = shop.credit.heads()
        shop.credit.pseudonymise("anna", "holder-4711")
        assert shop.wallet_row("anna") is None
        with shop.storage.snapshot() as reader:
            wallet = present(reader.wallet("acme", "holder-4711"))
            assert reader.account("acme", "anna", "USD") is None
            account = present(reader.account("acme", "holder-4711", "USD"))
            names = {
                account.holder,
                present(reader.account_by_id("acme", account.id)).holder,
                present(reader.whole("acme", account.id)).holder,
                reader.accounts_of("acme", wallet.id)[0].holder,
                present(reader.wallet_by_id("acme", wallet.id)).holder,
            }
        assert names == {"holder-4711"}, "the old name is still to be read somewhere"
        assert shop.credit.heads() == heads
        shop.credit.redeem("holder-4711", usd("1.00"), key="a2")
        assert shop.account("holder-4711").totals["balance"] == 400
        assert shop.credit.verify().ok

    def test_a18_a_name_that_was_given_up_is_free_again(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        shop.credit.pseudonymise("anna", "holder-4711")
        shop.credit.issue("anna", usd("7.00"), funding="refund", key="a1")
        assert shop.account("anna").totals["balance"] == 700
        assert shop.account("holder-4711").totals["balance"] == 500

    def test_a18_a_wallet_may_be_added_and_renamed_in_one_transaction(self) -> None:
        shop = self.shop()
        wallet = shop.new_wallet("anna")
        with shop.storage.transaction() as work:
            work.add_wallet(wallet)
            work.replace_wallet(attrs.evolve(wallet, holder="ben"))
            assert work.wallet("acme", "anna") is None
        assert shop.wallet_row("anna") is None
        assert shop.wallet_row("ben") == attrs.evolve(wallet, holder="ben")

    def test_a18_two_holders_may_swap_names_in_one_transaction(self) -> None:
        shop = self.shop()
        anna, ben = shop.new_wallet("anna"), shop.new_wallet("ben")
        add(shop.storage, anna)
        add(shop.storage, ben)
        with shop.storage.transaction() as work:
            work.replace_wallet(attrs.evolve(anna, holder="for a moment"))
            work.replace_wallet(attrs.evolve(ben, holder="anna"))
            work.replace_wallet(attrs.evolve(anna, holder="ben"))
        assert shop.wallet_row("anna") == attrs.evolve(ben, holder="anna")
        assert shop.wallet_row("ben") == attrs.evolve(anna, holder="ben")
        assert shop.wallet_row("for a moment") is None

    def test_a18_a_taken_name_and_an_unknown_wallet_are_refused(self) -> None:
        shop = self.shop()
        anna, ben = shop.new_wallet("anna"), shop.new_wallet("ben")
        add(shop.storage, anna)
        add(shop.storage, ben)
        unknown = shop.new_wallet("carl")
        elsewhere = attrs.evolve(anna, merchant="other", holder="carl")
        for wrong in (attrs.evolve(anna, holder="ben"), unknown, elsewhere):
            with pytest.raises(ConcurrentChange), shop.storage.transaction() as work:
                work.replace_wallet(wrong)
        assert shop.wallet_row("anna") == anna
        assert shop.wallet_row("ben") == ben
        assert shop.wallet_row("carl") is None

    def test_a17_a_wallet_remembers_the_one_it_was_merged_into(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        shop.credit.issue("ben", usd("3.00"), funding="refund", key="b1")
        shop.credit.merge("anna", "ben", key="m1")
        ben = present(shop.wallet_row("ben"))
        merged = present(shop.wallet_row("anna"))
        assert (merged.merged_into, ben.merged_into) == (ben.id, None)
        with shop.storage.snapshot() as reader:
            assert reader.wallet_by_id("acme", merged.id) == merged
        old = shop.whole("anna")
        assert (old.status, old.merged_into) == ("closed", shop.account("ben").id)


def add(storage: Storage, wallet: Wallet) -> None:
    """Add *wallet* in a transaction of its own."""
    with storage.transaction() as work:
        work.add_wallet(wallet)
