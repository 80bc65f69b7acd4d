"""Duty 8: ids lead to their account, and only their own merchant's (S10, A16)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from storecredit.ledger import AccountId, EntryId, WalletId, account_of, wallet_of
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import LATEST, Shop, outline, present, usd
from storecredit.values import Money, Period


class AddressDuties(Duties):
    """Every id is found through its account; another merchant's is unknown."""

    def test_s10_the_ids_of_lots_holds_and_entries_lead_to_their_account(self) -> None:
        shop = self.shop()
        issued = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        hold = shop.credit.hold("anna", usd("1.00"), key="a2")
        with shop.storage.snapshot() as reader:
            names = {account_of(id_) for id_ in (issued.lot_id, hold.hold_id, hold.entry_id)}
            (name,) = names
            account = present(reader.account_by_id("acme", name))
            assert (account.holder, account.version) == ("anna", 2)
            for receipt in (issued, hold):
                found = present(reader.entry_by_id(account, receipt.entry_id))
                assert outline(found) == outline(receipt.entry)

    def test_s10_an_entry_id_of_another_account_or_of_nobody_finds_nothing(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        other = shop.credit.issue("ben", usd("5.00"), funding="refund", key="a1").entry_id
        account = shop.account("anna")
        nobodys = EntryId(f"{account.id}.{'0' * 32}")
        with shop.storage.snapshot() as reader:
            assert reader.entry_by_id(account, other) is None
            assert reader.entry_by_id(account, nobodys) is None

    def test_s10_an_id_that_leads_nowhere_finds_nothing(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        known = shop.account("anna").id
        with shop.storage.snapshot() as reader:
            for text in ("", ".", "USD", f"{known}.", f"{known[:-3]}EUR", f"{'0' * 32}.USD", "%"):
                assert reader.account_by_id("acme", AccountId(text)) is None, text
                assert reader.whole("acme", AccountId(text)) is None, text
                assert reader.wallet_by_id("acme", WalletId(text)) is None, text
                assert reader.accounts_of("acme", WalletId(text)) == [], text

    def test_a16_what_another_merchant_has_is_unknown(self) -> None:
        shop = self.shop()
        other = Shop(shop.storage, "acme2")
        shop.credit.issue("anna", usd("5.00"), funding="goodwill", expires=Period(days=1), key="a1")
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a2")
        shop.credit.hold("anna", usd("6.00"), lapses=Period(hours=1), key="a3")
        other.credit.issue("ben", usd("1.00"), funding="refund", key="b1")
        account = shop.account("anna")
        wallet = wallet_of(account.id)
        with shop.storage.snapshot() as reader:
            unknown = {
                "wallet": reader.wallet("acme2", "anna"),
                "wallet_by_id": reader.wallet_by_id("acme2", wallet),
                "account": reader.account("acme2", "anna", "USD"),
                "account_by_id": reader.account_by_id("acme2", account.id),
                "accounts_of": reader.accounts_of("acme2", wallet) or None,
                "whole": reader.whole("acme2", account.id),
                "due": reader.due("acme2", LATEST) or None,
                "lapsed": reader.lapsed("acme2", LATEST) or None,
            }
            listed = reader.account_ids("acme2")
        assert {name for name, found in unknown.items() if found is not None} == set()
        assert listed == [("acme2", other.account("ben").id)]

    def test_a16_one_holder_at_two_merchants_has_two_wallets(self) -> None:
        shop = self.shop()
        other = Shop(shop.storage, "other")
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        other.credit.issue("anna", usd("7.00"), funding="refund", key="a1")
        assert shop.account("anna").totals["balance"] == 500
        assert other.account("anna").totals["balance"] == 700
        assert shop.wallet_row("anna") != other.wallet_row("anna")

    def test_a1_accounts_of_a_wallet_come_by_unit_code(self) -> None:
        shop = self.shop()
        for code in ("USD", "EUR", "PTS", "CHF"):
            amount = Money.of("5", shop.merchant.unit(code))
            shop.credit.issue("anna", amount, funding="refund", key=code)
            shop.credit.issue("ben", amount, funding="refund", key=code)
        with shop.storage.snapshot() as reader:
            wallet = present(reader.wallet("acme", "anna"))
            found = reader.accounts_of("acme", wallet.id)
        assert [account.unit.code for account in found] == ["CHF", "EUR", "PTS", "USD"]
        assert {account.holder for account in found} == {"anna"}
        assert [account.unit.digits for account in found] == [2, 2, 0, 2]
