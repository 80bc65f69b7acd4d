"""Looking over all accounts: what is due, what has lapsed, and every id, in pages (A5, A6)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from datetime import datetime, timedelta
from typing import Final

from storecredit.ledger import AccountId
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import LATEST, NOON, Shop, present, usd
from storecredit.values import Period

TICK: Final = timedelta(microseconds=1)
AN_HOUR: Final = timedelta(hours=1)


class SweepingDuties(Duties):
    """A sweep finds every account that it has work with, and no other."""

    def test_a5_value_is_due_from_its_last_instant_on(self) -> None:
        shop = self.shop()
        end = NOON + AN_HOUR
        shop.credit.issue("anna", usd("5.00"), funding="goodwill", expires=end, key="a1")
        name = shop.account("anna").id
        assert due(shop, end - TICK) == []
        assert due(shop, end) == [name]
        assert due(shop, end + TICK) == [name]
        assert due(shop, LATEST) == [name]

    def test_a5_value_without_expiry_spent_held_or_swept_is_not_due(self) -> None:
        shop = self.shop()
        credit, end = shop.credit, NOON + AN_HOUR
        credit.issue("anna", usd("5.00"), funding="refund", key="1")
        for holder in ("ben", "carl", "dora", "erin"):
            credit.issue(holder, usd("5.00"), funding="goodwill", expires=end, key="1")
        credit.redeem("ben", usd("5.00"), key="2")
        credit.hold("carl", usd("5.00"), lapses=Period(days=1), key="2")
        hold = credit.hold("dora", usd("4.99"), lapses=Period(days=1), key="2").hold_id
        assert due(shop, end) == sorted([shop.account("dora").id, shop.account("erin").id])
        shop.clock.set(end)
        credit.expire_due()
        assert due(shop, end) == []
        credit.release(hold, key="3")
        assert due(shop, LATEST) == [], "held value waits for its hold"

    def test_a5_a_new_expiry_counts_and_not_the_old_one(self) -> None:
        shop = self.shop()
        end = NOON + AN_HOUR
        lot = shop.credit.issue(
            "anna", usd("5.00"), funding="goodwill", expires=end, key="a1"
        ).lot_id
        shop.credit.extend_expiry(lot, end + AN_HOUR, key="a2", actor="Mia", reason="late parcel")
        assert due(shop, end + AN_HOUR - TICK) == []
        assert due(shop, end + AN_HOUR) == [shop.account("anna").id]

    def test_a5_the_earliest_of_several_lots_decides(self) -> None:
        shop = self.shop()
        for hours, key in ((3, "a1"), (1, "a2"), (2, "a3")):
            shop.credit.issue(
                "anna", usd("5.00"), funding="goodwill", expires=Period(hours=hours), key=key
            )
        assert due(shop, NOON + AN_HOUR) == [shop.account("anna").id]
        shop.credit.redeem("anna", usd("5.00"), key="a4")
        assert due(shop, NOON + 2 * AN_HOUR - TICK) == []
        assert due(shop, NOON + 2 * AN_HOUR) == [shop.account("anna").id]

    def test_a6_a_hold_has_lapsed_from_its_last_instant_on(self) -> None:
        shop = self.shop()
        end = NOON + AN_HOUR
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        hold = shop.credit.hold("anna", usd("5.00"), lapses=end, key="a2").hold_id
        name = shop.account("anna").id
        assert lapsed(shop, end - TICK) == []
        assert lapsed(shop, end) == [name]
        assert lapsed(shop, LATEST) == [name]
        shop.credit.resize(hold, usd("4.00"), lapses=end + AN_HOUR, key="a3")
        assert lapsed(shop, end + AN_HOUR - TICK) == []
        assert lapsed(shop, end + AN_HOUR) == [name]

    def test_a6_a_hold_that_has_ended_does_not_lapse(self) -> None:
        shop = self.shop()
        credit = shop.credit
        for holder in ("anna", "ben", "carl"):
            credit.issue(holder, usd("5.00"), funding="refund", key="1")
            credit.hold(holder, usd("5.00"), lapses=Period(hours=1), key="2")
        for holder in ("anna", "ben"):
            (hold,) = shop.account(holder).holds
            if holder == "anna":
                credit.capture(hold, key="3")
            else:
                credit.release(hold, key="3")
        assert lapsed(shop, LATEST) == [shop.account("carl").id]
        shop.clock.advance(AN_HOUR)
        credit.release_lapsed()
        assert lapsed(shop, LATEST) == []

    def test_a5_pages_follow_one_another_by_account_id(self) -> None:
        shop = self.shop()
        other = Shop(shop.storage, "other")
        for each in (shop, other):
            for number in range(7):
                holder = f"h{number}"
                each.credit.issue(
                    holder, usd("5.00"), funding="goodwill", expires=Period(hours=1), key="1"
                )
                each.credit.hold(holder, usd("2.00"), lapses=Period(hours=1), key="2")
        names = sorted(shop.account(f"h{number}").id for number in range(7))
        others = sorted(other.account(f"h{number}").id for number in range(7))
        at = NOON + AN_HOUR
        for limit in (1, 2, 3, 7, 8, 1000):
            assert in_pages(shop, "due", at, limit) == names, f"due, in pages of {limit}"
            assert in_pages(shop, "lapsed", at, limit) == names, f"lapsed, in pages of {limit}"
            assert in_pages(shop, "ids", at, limit) == names, f"ids, in pages of {limit}"
            assert in_pages(shop, "everybody", at, limit) == sorted(names + others)

    def test_a5_a_page_begins_after_an_id_that_need_not_exist(self) -> None:
        shop = self.shop()
        for holder in ("anna", "ben"):
            shop.credit.issue(
                holder, usd("5.00"), funding="goodwill", expires=Period(hours=1), key="1"
            )
        first, second = sorted(shop.credit.heads())
        with shop.storage.snapshot() as reader:
            assert reader.due("acme", LATEST, after=first) == [second]
            assert reader.due("acme", LATEST, after=first + "!") == [second]
            assert reader.due("acme", LATEST, after=second) == []
            assert reader.account_ids("acme", after=first[:-1]) == [
                ("acme", AccountId(name)) for name in (first, second)
            ]

    def test_s6_what_is_due_is_known_again_when_state_was_rebuilt(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="goodwill", expires=Period(hours=1), key="1")
        shop.credit.hold("anna", usd("2.00"), lapses=Period(hours=1), key="2")
        name = shop.account("anna").id
        with shop.storage.transaction() as work:
            lost = present(work.whole("acme", name)).copy()
            lost.lots, lost.holds = {}, {}
            work.rebuild(lost)
        assert (due(shop, LATEST), lapsed(shop, LATEST)) == ([], [])
        shop.credit.rebuild()
        assert (due(shop, LATEST), lapsed(shop, LATEST)) == ([name], [name])


def due(shop: Shop, at: datetime) -> list[AccountId]:
    """List the accounts with value that is due at *at*."""
    with shop.storage.snapshot() as reader:
        return reader.due(shop.merchant.id, at)


def lapsed(shop: Shop, at: datetime) -> list[AccountId]:
    """List the accounts with holds whose time is over at *at*."""
    with shop.storage.snapshot() as reader:
        return reader.lapsed(shop.merchant.id, at)


def in_pages(shop: Shop, what: str, at: datetime, limit: int) -> list[AccountId]:
    """Read a list page by page, and check that no page is longer than asked."""
    found: list[AccountId] = []
    after = ""
    with shop.storage.snapshot() as reader:
        while True:
            if what == "due":
                page = reader.due("acme", at, after=after, limit=limit)
            elif what == "lapsed":
                page = reader.lapsed("acme", at, after=after, limit=limit)
            else:
                merchant = "acme" if what == "ids" else None
                rows = reader.account_ids(merchant, after=after, limit=limit)
                page = [name for _, name in rows]
            assert len(page) <= limit
            if not page:
                return found
            assert page[0] > after, "a page begins at or before the id it is after"
            found += page
            after = page[-1]
