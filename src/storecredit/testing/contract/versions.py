"""Duty 2: two writers never both succeed on one version of an account (S2)."""

# ruff: noqa: D102 - the name of a duty is its sentence
# ruff: noqa: PT012 - a transaction is more than one statement

import pytest

from storecredit.errors import ConcurrentChange
from storecredit.ledger import Change, Redeem
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, present, usd


class VersionDuties(Duties):
    """An entry follows the stored version, or is refused."""

    def test_s2_an_append_that_does_not_follow_the_stored_version_is_refused(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        stale = shop.issued(shop.account("anna"), 100, key="slow")
        shop.credit.redeem("anna", usd("1.00"), key="fast")
        refuses(shop, stale)

    def test_s2_of_two_changes_to_one_version_the_second_is_refused(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        account = shop.account("anna")
        both = [
            shop.decided(account, Redeem(amount=usd("5.00")), key=key) for key in ("left", "right")
        ]
        with shop.storage.transaction() as work:
            work.append(both[0])
        refuses(shop, both[1])
        assert shop.account("anna").totals["redeemed"] == 500

    def test_s2_of_two_changes_to_one_version_in_one_transaction_the_second_is_refused(
        self,
    ) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        account = shop.account("anna")
        both = [
            shop.decided(account, Redeem(amount=usd("5.00")), key=key) for key in ("left", "right")
        ]
        before = shop.kept()
        with pytest.raises(ConcurrentChange), shop.storage.transaction() as work:
            for change in both:
                work.append(change)
        assert shop.kept() == before

    def test_s2_an_append_that_skips_a_version_is_refused(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        next_one = shop.issued(shop.account("anna"), 100, key="second")
        refuses(shop, shop.issued(next_one.account, 100, key="third"))

    def test_s2_a_first_entry_for_an_account_that_has_one_is_refused(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        unopened = shop.new_account(present(shop.wallet_row("anna")))
        refuses(shop, shop.issued(unopened, 100, key="another first"))

    def test_s2_a_second_entry_for_an_account_that_has_none_is_refused(self) -> None:
        shop = self.shop()
        wallet = shop.new_wallet("anna")
        with shop.storage.transaction() as work:
            work.add_wallet(wallet)
        first = shop.issued(shop.new_account(wallet), 100, key="first")
        refuses(shop, shop.issued(first.account, 100, key="second"))

    def test_s2_a_conflict_names_the_account_and_the_version_that_was_expected(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        account = shop.account("anna")
        stale = shop.issued(account, 100, key="slow")
        shop.credit.redeem("anna", usd("1.00"), key="fast")
        conflict = refuses(shop, stale)
        assert (conflict.account_id, conflict.expected, conflict.retryable) == (account.id, 1, True)


def refuses(shop: Shop, change: Change) -> ConcurrentChange:
    """Append *change*, which has to be refused and to leave nothing behind."""
    before = shop.kept()
    with pytest.raises(ConcurrentChange) as refused, shop.storage.transaction() as work:
        work.append(change)
    assert shop.kept() == before
    return refused.value
