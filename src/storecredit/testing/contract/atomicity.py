"""Duty 1: a transaction is all or nothing, whatever it touches (S1)."""

# ruff: noqa: D102 - the name of a duty is its sentence
# ruff: noqa: PT012 - a transaction is more than one statement

from typing import Final

import attrs
import pytest

from storecredit.errors import ConcurrentChange
from storecredit.ledger import AccountId
from storecredit.storage.protocols import Record, UnitOfWork
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, outline, present, state, usd
from storecredit.testing.contract.story import ANSWERED

CASE: Final = Record(merchant="acme", kind="case", id="r-1", version=1, body={"step": "asked"})


class AtomicDuties(Duties):
    """Everything in a transaction, or nothing of it."""

    def test_s1_a_transaction_keeps_everything_that_it_wrote(self) -> None:
        shop = self.shop()
        with shop.storage.transaction() as work:
            write_of_everything(shop, work)
        assert shop.account("anna").totals["balance"] == 700
        assert shop.account("ben").totals["balance"] == 300
        with shop.storage.snapshot() as reader:
            assert reader.record("acme", "case", "r-1") == CASE
        assert shop.credit.verify().ok

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
    def test_s1_a_transaction_that_breaks_off_leaves_nothing_behind(
        self, error: type[BaseException]
    ) -> None:
        shop = self.shop()
        dora = shop.credit.issue("dora", usd("9.00"), funding="refund", key="d1", **ANSWERED)
        before = shop.kept()
        with pytest.raises(error), shop.storage.transaction() as work:
            write_of_everything(shop, work)
            account = present(work.account("acme", "dora", "USD"))
            work.append(shop.issued(account, 100, key="d2"))
            work.erase(account, dora.entry.sequence, ["actor", "note", "data"])
            work.replace_wallet(
                attrs.evolve(present(work.wallet("acme", "dora")), holder="holder-4711")
            )
            raise error
        assert shop.kept() == before

    def test_s1_a_conflict_on_the_second_account_undoes_the_first(self) -> None:
        shop = self.shop()
        for holder in ("anna", "ben"):
            shop.credit.issue(holder, usd("5.00"), funding="refund", key="first")
        stale = shop.issued(shop.account("ben"), 100, key="stale")
        shop.credit.redeem("ben", usd("1.00"), key="faster")
        before = shop.kept()
        with pytest.raises(ConcurrentChange), shop.storage.transaction() as work:
            account = present(work.account("acme", "anna", "USD"))
            work.append(shop.issued(account, 100, key="second"))
            work.put(CASE)
            work.append(stale)
        assert shop.kept() == before

    def test_s1_a_conflict_over_a_record_undoes_the_accounts(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        with shop.storage.transaction() as work:
            work.put(CASE)
        before = shop.kept()
        with pytest.raises(ConcurrentChange), shop.storage.transaction() as work:
            account = present(work.account("acme", "anna", "USD"))
            work.append(shop.issued(account, 100, key="second"))
            work.put(CASE)
        assert shop.kept() == before

    def test_s1_a_transaction_reads_what_it_has_written(self) -> None:
        shop = self.shop()
        with shop.storage.transaction() as work:
            write_of_everything(shop, work)
            wallet = present(work.wallet("acme", "anna"))
            account = present(work.account("acme", "anna", "USD"))
            first, second = work.journal(account)
            found = {
                "the wallet by id": work.wallet_by_id("acme", wallet.id) == wallet,
                "the account by id": state(present(work.account_by_id("acme", account.id)))
                == state(account),
                "the accounts of the wallet": [
                    each.id for each in work.accounts_of("acme", wallet.id)
                ]
                == [account.id],
                "the whole account": state(present(work.whole("acme", account.id)))
                == state(account),
                "both entries": (first.sequence, second.sequence, account.version) == (1, 2, 2),
                "an entry by key": outline(present(work.entry_by_key(account, "a1")))
                == outline(first),
                "an entry by id": outline(present(work.entry_by_id(account, second.id)))
                == outline(second),
                "the record": work.record("acme", "case", "r-1") == CASE,
                "the records": work.records("acme", "case") == [CASE],
            }
        assert [what for what, seen in found.items() if not seen] == []

    def test_s1_a_transaction_that_only_reads_changes_nothing(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        before = shop.kept()
        with shop.storage.transaction() as work:
            account = present(work.account("acme", "anna", "USD"))
            assert work.entry_by_key(account, "unknown") is None
        assert shop.kept() == before

    def test_s1_a_failure_leaves_the_storage_ready_for_the_next_transaction(self) -> None:
        shop = self.shop()
        for number in range(3):
            with pytest.raises(RuntimeError), shop.storage.transaction() as work:
                write_of_everything(shop, work)
                raise RuntimeError(number)
        with pytest.raises(RuntimeError), shop.storage.snapshot() as reader:
            assert reader.wallet("acme", "anna") is None
            raise RuntimeError
        with shop.storage.transaction() as work:
            write_of_everything(shop, work)
        assert shop.account("anna").version == 2

    def test_s1_locks_may_be_asked_for_in_any_number(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="first")
        here, nowhere = shop.account("anna").id, AccountId(f"{shop.new_id().hex}.USD")
        with shop.storage.transaction() as work:
            work.lock([])
            work.lock(sorted([here, nowhere]))
            work.lock([here])
            account = present(work.account_by_id("acme", here))
            work.append(shop.issued(account, 100, key="second"))
        assert shop.account("anna").version == 2

    def test_s1_what_was_committed_is_found_after_the_storage_was_opened_again(self) -> None:
        shop = self.shop()
        with shop.storage.transaction() as work:
            write_of_everything(shop, work)
        before = shop.kept()
        assert Shop(self.reopened(shop.storage)).kept() == before


def write_of_everything(shop: Shop, work: UnitOfWork) -> None:
    """Write two wallets, two accounts, one of them twice, and a record."""
    for holder, amounts in (("anna", (500, 200)), ("ben", (300,))):
        wallet = shop.new_wallet(holder)
        work.add_wallet(wallet)
        account = shop.new_account(wallet)
        for number, minor in enumerate(amounts, 1):
            change = shop.issued(account, minor, key=f"{holder[0]}{number}")
            work.append(change)
            account = change.account
    work.put(CASE)
