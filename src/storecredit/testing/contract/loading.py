"""Duty 3: loading reads open rows and named rows, and nothing that grows with the journal (S3)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from typing import Final

import pytest

from storecredit.ledger import (
    NO_LOTS,
    Account,
    EntryId,
    HoldId,
    LotId,
    Names,
)
from storecredit.service import About
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, present, usd
from storecredit.testing.contract.story import story
from storecredit.values import Period

ANSWERED_FOR: Final = About(actor="Mia", reason="a company")


class LoadingDuties(Duties):
    """What is open is loaded always, what is over only by its name."""

    def test_s3_a_lot_that_is_used_up_is_not_loaded(self) -> None:
        shop = self.shop()
        spent = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1").lot_id
        rest = shop.credit.issue("anna", usd("7.00"), funding="refund", key="a2").lot_id
        shop.credit.redeem("anna", usd("6.00"), key="a3")
        for account in loaded_in_every_way(shop, "anna"):
            assert set(account.lots) == {rest}
            assert account.lots[rest].remaining == 600
        assert set(shop.whole("anna").lots) == {spent, rest}

    def test_s3_a_lot_that_is_used_up_is_loaded_by_its_name(self) -> None:
        shop = self.shop()
        spent = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1").lot_id
        shop.credit.redeem("anna", usd("5.00"), key="a2")
        account = named(shop, "anna", Names(lots=(spent,)))
        assert account.lots == shop.whole("anna").lots
        assert account.lots[spent].remaining == 0

    def test_s3_open_lots_that_a_command_does_not_look_at_change_nothing(self) -> None:
        shop = self.shop()
        for number in range(3):
            shop.credit.issue("anna", usd("5.00"), funding="refund", key=f"a{number}")
        assert named(shop, "anna", NO_LOTS).totals == shop.whole("anna").totals
        shop.credit.issue("anna", usd("1.00"), funding="refund", key="a4")
        assert shop.account("anna").totals["balance"] == 1600
        assert len(shop.account("anna").lots) == 4

    def test_s3_open_lots_are_loaded_where_something_is_held_or_owed(self) -> None:
        shop = self.shop()
        for holder in ("anna", "ben", "carl"):
            lot = shop.credit.issue(holder, usd("5.00"), funding="refund", key="a1").lot_id
            if holder == "anna":
                shop.credit.hold(holder, usd("2.00"), key="a2")
            else:
                shop.credit.set_limit(holder, "USD", usd("9.00"), key="a2", **ANSWERED_FOR)
                act = shop.credit.redeem if holder == "ben" else shop.credit.hold
                act(holder, usd("7.00"), key="a3")
                lot = shop.credit.issue(
                    holder, usd("4.00"), funding="refund", effective=Period(days=1), key="a4"
                ).lot_id
            account = named(shop, holder, NO_LOTS)
            assert lot in account.lots
            assert account.lots == shop.account(holder).lots

    def test_s3_a_hold_that_has_ended_is_loaded_by_its_name_only(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("9.00"), funding="refund", key="a1")
        captured = shop.credit.hold("anna", usd("2.00"), key="a2").hold_id
        released = shop.credit.hold("anna", usd("2.00"), key="a3").hold_id
        active = shop.credit.hold("anna", usd("2.00"), key="a4").hold_id
        shop.credit.capture(captured, key="a5")
        shop.credit.release(released, key="a6")
        for account in loaded_in_every_way(shop, "anna"):
            assert set(account.holds) == {active}
        account = named(shop, "anna", Names(holds=(captured, released)))
        assert account.holds == shop.whole("anna").holds
        assert set(account.holds) == {captured, released, active}

    def test_s3_what_was_restored_is_loaded_by_the_name_of_the_redemption_only(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("9.00"), funding="refund", key="a1")
        first = shop.credit.redeem("anna", usd("4.00"), key="a2").entry_id
        second = shop.credit.redeem("anna", usd("3.00"), key="a3").entry_id
        for key, redemption, amount in (("a4", first, "1.00"), ("a5", second, "3.00")):
            shop.credit.restore(redemption, amount=usd(amount), key=key)
        shop.credit.restore(first, amount=usd("1.50"), key="a6")
        for account in loaded_in_every_way(shop, "anna"):
            assert account.restored == {}
        assert named(shop, "anna", Names(redemptions=(first,))).restored == {first: {0: 250}}
        assert shop.whole("anna").restored == {first: {0: 250}, second: {0: 300}}

    def test_s3_value_that_is_held_pending_or_expired_is_open_until_it_has_left(self) -> None:
        shop = self.shop()
        credit = shop.credit
        held = credit.issue("anna", usd("5.00"), funding="refund", key="a1").lot_id
        hold = credit.hold("anna", usd("5.00"), key="a2", lapses=Period(hours=1)).hold_id
        pending = credit.issue(
            "anna", usd("6.00"), funding="earned", effective=Period(days=9), key="a3"
        ).lot_id
        due = credit.issue(
            "anna", usd("7.00"), funding="goodwill", expires=Period(hours=1), key="a4"
        ).lot_id
        shop.clock.advance(Period(hours=2))
        for account in loaded_in_every_way(shop, "anna"):
            assert set(account.lots) == {held, pending, due}
            assert set(account.holds) == {hold}, "a hold is active until its lapse is recorded"

    def test_s3_a_lot_that_takes_value_back_is_open_again(self) -> None:
        shop = self.shop()
        lot = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1").lot_id
        spent = shop.credit.redeem("anna", usd("5.00"), key="a2").entry_id
        shop.credit.restore(spent, amount=usd("2.00"), key="a3")
        for account in loaded_in_every_way(shop, "anna"):
            assert account.lots[lot].remaining == 200

    def test_s3_names_that_the_account_does_not_know_load_nothing(self) -> None:
        shop = self.shop()
        with_rows_that_are_over(shop, "anna")
        lot, hold, redemption = with_rows_that_are_over(shop, "ben")
        strange = f"{shop.account('anna').id}.{'0' * 32}"
        account = named(
            shop,
            "anna",
            Names(
                lots=(lot, LotId(strange), LotId(""), LotId("%")),
                holds=(hold, HoldId(strange), HoldId(""), HoldId("%")),
                redemptions=(redemption, EntryId(strange), EntryId(""), EntryId("%")),
            ),
        )
        assert account.to_json() == shop.account("anna").to_json()

    def test_s3_ten_thousand_rows_may_be_named_at_once(self) -> None:
        shop = self.shop()
        spent = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1").lot_id
        shop.credit.redeem("anna", usd("5.00"), key="a2")
        prefix = shop.account("anna").id
        unknown = (LotId(f"{prefix}.{number:032x}") for number in range(10_000))
        assert set(named(shop, "anna", Names(lots=(*unknown, spent))).lots) == {spent}

    def test_s3_loading_gives_the_same_rows_in_every_way_at_every_step_of_a_story(self) -> None:
        shop = self.shop()
        for step in story(shop):
            with shop.storage.snapshot() as reader:
                for merchant, name in reader.account_ids("acme"):
                    whole = present(reader.whole(merchant, name))
                    wanted = whole.copy()
                    wanted.lots = {id_: lot for id_, lot in whole.lots.items() if lot.remaining}
                    wanted.holds = {
                        id_: hold for id_, hold in whole.holds.items() if hold.status == "active"
                    }
                    wanted.restored = {}
                    account = present(reader.account_by_id(merchant, name))
                    assert account.to_json() == wanted.to_json(), f"after the step: {step}"

    @pytest.mark.parametrize("merchant", ["acme", "other"])
    def test_s3_an_account_that_nobody_has_opened_is_none(self, merchant: str) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        with shop.storage.snapshot() as reader:
            assert reader.account(merchant, "nobody", "USD") is None
            assert reader.account(merchant, "anna", "EUR") is None


def with_rows_that_are_over(shop: Shop, holder: str) -> tuple[LotId, HoldId, EntryId]:
    """Leave *holder* a lot that is used up, a hold that has ended, a redemption that was restored."""
    lot = shop.credit.issue(holder, usd("5.00"), funding="refund", key="1").lot_id
    hold = shop.credit.hold(holder, usd("1.00"), key="2").hold_id
    shop.credit.release(hold, key="3")
    redemption = shop.credit.redeem(holder, usd("5.00"), key="4").entry_id
    shop.credit.restore(redemption, amount=usd("1.00"), key="5")
    shop.credit.redeem(holder, usd("1.00"), key="6")
    return lot, hold, redemption


def loaded_in_every_way(shop: Shop, holder: str) -> list[Account]:
    """Load the account of *holder* in US dollars as a reader and as a writer, in each way."""
    with shop.storage.snapshot() as reader:
        wallet = present(reader.wallet("acme", holder))
        found = [
            present(reader.account("acme", holder, "USD")),
            *reader.accounts_of("acme", wallet.id),
        ]
        found.append(present(reader.account_by_id("acme", found[0].id)))
    with shop.storage.transaction() as work:
        found.append(present(work.account("acme", holder, "USD")))
        found.append(present(work.account_by_id("acme", found[0].id)))
    return found


def named(shop: Shop, holder: str, names: Names) -> Account:
    """Load the account of *holder* in US dollars, by holder and by id, with the rows of *names*."""
    with shop.storage.snapshot() as reader:
        account = present(reader.account("acme", holder, "USD", names=names))
        by_id = present(reader.account_by_id("acme", account.id, names=names))
    assert account.to_json() == by_id.to_json()
    return account
