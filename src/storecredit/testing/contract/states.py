"""Duty 6: the state that is kept is what a replay leads to, and can be made anew (S6, A1)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from storecredit.ledger import Account, AccountId, replay
from storecredit.storage.protocols import Reader
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, account_ids, present, state, usd
from storecredit.testing.contract.story import story


class StateDuties(Duties):
    """State rows follow from the journal, always and byte for byte."""

    def test_s6_the_whole_account_is_its_replay_at_every_step_of_a_story(self) -> None:
        shop = self.shop()
        for step in story(shop):
            with shop.storage.snapshot() as reader:
                for name in account_ids(reader, "acme"):
                    whole, folded = kept_and_folded(reader, name)
                    assert whole == folded, f"after the step: {step}"
        assert shop.credit.verify().ok

    def test_s6_the_whole_account_within_a_transaction_is_its_replay(self) -> None:
        shop = self.shop()
        for _ in story(shop):
            pass
        with shop.storage.transaction() as work:
            for holder in ("anna", "carl", "shared"):
                account = present(work.account("acme", holder, "USD"))
                work.append(shop.issued(account, 100, key="late"))
                whole, folded = kept_and_folded(work, account.id)
                assert whole == folded

    def test_s6_lost_state_is_found_and_rebuilt_from_the_journal(self) -> None:
        shop = self.shop()
        for _ in story(shop):
            pass
        before = shop.kept()
        names = [AccountId(name) for name in shop.credit.heads()]
        with shop.storage.transaction() as work:
            for name in names:
                work.rebuild(without_rows(present(work.whole("acme", name))))
        assert shop.kept() != before
        damaged = {problem.account for problem in shop.credit.verify().problems}
        assert damaged == set(names), "the loss of state rows went unnoticed"
        assert shop.credit.rebuild() == len(names)
        assert shop.kept() == before

    def test_s6_rebuilding_what_is_right_changes_nothing(self) -> None:
        shop = self.shop()
        for _ in story(shop):
            pass
        before = shop.kept()
        shop.credit.rebuild()
        assert shop.kept() == before

    def test_s6_a_rebuilt_account_goes_on(self) -> None:
        shop = self.shop()
        lot = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1").lot_id
        spent = shop.credit.redeem("anna", usd("5.00"), key="a2").entry_id
        with shop.storage.transaction() as work:
            work.rebuild(without_rows(present(work.whole("acme", shop_account(shop)))))
        shop.credit.rebuild()
        assert shop.account("anna").lots == {}, "a used-up lot was rebuilt as an open one"
        shop.credit.restore(spent, amount=usd("3.00"), key="a3")
        shop.credit.redeem("anna", usd("1.00"), lot=lot, key="a4")
        assert shop.account("anna").lots[lot].remaining == 200
        assert shop.credit.verify().ok

    def test_s6_a_rebuild_that_breaks_off_leaves_the_old_state(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        before = shop.kept()
        try:
            with shop.storage.transaction() as work:
                work.rebuild(without_rows(present(work.whole("acme", shop_account(shop)))))
                raise InterruptedError
        except InterruptedError:
            pass
        assert shop.kept() == before

    def test_s6_erased_fields_stay_erased_when_state_is_rebuilt(self) -> None:
        shop = self.shop()
        made = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1", actor="Mia")
        shop.credit.erase(made.entry_id)
        shop.credit.rebuild()
        assert shop.entries("anna")[0].context.actor is None


def kept_and_folded(reader: Reader, name: AccountId) -> tuple[str, str]:
    """Return an account as it is kept and as its journal leads to it, both as canonical text."""
    whole = present(reader.whole("acme", name))
    fresh = Account.new(whole.id, whole.merchant, whole.holder, whole.unit)
    return state(whole), state(replay(fresh, reader.journal(whole)))


def without_rows(account: Account) -> Account:
    """Return *account* as it would be after a wilful loss: its version, and none of its rows."""
    lost = Account.new(account.id, account.merchant, account.holder, account.unit)
    lost.version, lost.head, lost.last_at = account.version, account.head, account.last_at
    lost.totals["issued"] = lost.totals["balance"] = 12_345
    return lost


def shop_account(shop: Shop) -> AccountId:
    """Return the id of the one account of the shop."""
    (name,) = shop.credit.heads()
    return AccountId(name)
