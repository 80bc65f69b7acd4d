"""Duty 9: the feed gives every committed entry, in account order, at a place of its own (S7)."""

# ruff: noqa: D102 - the name of a duty is its sentence
# ruff: noqa: PT012 - a transaction is more than one statement

import io
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import pytest

from storecredit.errors import ConflictError, InvalidTerms
from storecredit.service import Delivery
from storecredit.storage.feed import BEGINNING, Fed, FeedPage, FeedPosition
from storecredit.storage.protocols import Storage
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, outline, present, usd
from storecredit.testing.contract.story import ANSWERED, story
from storecredit.testing.contract.threads import LONG, at_once, beside, wait_a_moment
from storecredit.testing.faults import FaultyStorage, InjectedFault, every_fault
from storecredit.values import Period

MANY: Final = 1500
"""Entries before the position, where their number must not matter."""
WRITERS: Final = 4
EACH: Final = 6
LEASE: Final = Period(minutes=5)


class FeedDuties(Duties):
    """Nothing is missed, nothing comes before its time, and a place once given is for good."""

    def test_s7_a_feed_without_entries_ends_where_it_begins(self) -> None:
        storage = self.fresh()
        with storage.transaction() as work:
            page, end = work.feed("acme"), work.feed_end("acme")
            assert (page.entries, page.is_last) == ((), True)
        Shop(storage).credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        for position in (page.position, end):
            assert keys(read(storage, after=position)) == ["a1"]

    def test_s7_every_entry_of_a_story_is_fed_once_and_in_the_order_of_its_account(self) -> None:
        shop = self.shop()
        for step in story(shop):
            assert fed_ids(read(shop.storage)) == journal_ids(shop), f"after the step: {step}"

    def test_s7_an_entry_is_fed_as_the_journal_has_it(self) -> None:
        shop = self.shop()
        tell(shop)
        journals = {
            (entry.account, entry.sequence): entry for entry in every_entry(shop.storage, "acme")
        }
        for fed in read(shop.storage):
            known = journals[fed.account, fed.entry.sequence]
            assert outline(fed.entry) == outline(known)
            assert fed.account == known.account

    def test_s7_the_feed_can_be_read_in_pages_of_any_size(self) -> None:
        shop = self.shop()
        tell(shop)
        wanted = read(shop.storage)
        for limit in (1, 2, 3, 7, 1000):
            assert places(read(shop.storage, limit=limit)) == places(wanted), f"pages of {limit}"

    def test_s7_reading_goes_on_after_every_position(self) -> None:
        shop = self.shop()
        tell(shop)
        everything = read(shop.storage)
        assert len({fed.position for fed in everything}) == len(everything)
        for number, fed in enumerate(everything, 1):
            rest = read(shop.storage, after=fed.position)
            assert places(rest) == places(everything[number:]), f"after entry {number}"

    def test_s7_what_was_read_keeps_its_place_whatever_comes_after_it(self) -> None:
        shop = self.shop()
        before: list[Fed] = []
        for _ in story(shop):
            now = read(shop.storage)
            assert places(now[: len(before)]) == places(before)
            before = now
        again = self.reopened(shop.storage)
        assert places(read(again)) == places(before)
        for holder in ("aaa", "zzz"):
            Shop(again, "acme").credit.issue(holder, usd("1.00"), funding="refund", key="late")
        later = read(again)
        assert places(later[: len(before)]) == places(before)
        assert sorted(fed.holder for fed in later[len(before) :]) == ["aaa", "zzz"]

    def test_s7_the_end_has_everything_before_it_and_everything_new_behind_it(self) -> None:
        shop = self.shop()
        tell(shop)
        end = end_of(shop.storage)
        assert read(shop.storage, after=end) == []
        shop.credit.issue("anna", usd("1.00"), funding="refund", key="new 1")
        (new,) = read(shop.storage, after=end)
        assert new.entry.key == "new 1"
        assert read(shop.storage, after=end_of(shop.storage)) == []

    def test_s7_a_page_says_where_to_go_on_and_whether_there_is_more(self) -> None:
        shop = self.shop()
        for number in range(5):
            shop.credit.issue("anna", usd("1.00"), funding="refund", key=f"a{number}")
        first = page(shop.storage, limit=3)
        assert [fed.entry.sequence for fed in first.entries] == [1, 2, 3]
        assert not first.is_last
        second = page(shop.storage, after=first.position, limit=100)
        assert [fed.entry.sequence for fed in second.entries] == [4, 5]
        third = page(shop.storage, after=second.position)
        assert (third.entries, third.is_last) == ((), True)

    def test_s7_only_the_entries_of_the_merchant_are_fed(self) -> None:
        shop = self.shop()
        other, silent = Shop(shop.storage, "other"), Shop(shop.storage, "silent")
        for number in range(4):
            shop.credit.issue("anna", usd("1.00"), funding="refund", key=f"a{number}")
            other.credit.issue("anna", usd("1.00"), funding="refund", key=f"o{number}")
        for limit in (1, 3, 100):
            assert keys(read(shop.storage, limit=limit)) == ["a0", "a1", "a2", "a3"]
            assert keys(read(shop.storage, merchant="other", limit=limit)) == [
                "o0",
                "o1",
                "o2",
                "o3",
            ]
            assert read(shop.storage, merchant="silent", limit=limit) == []
        end = end_of(shop.storage, merchant="silent")
        silent.credit.issue("anna", usd("1.00"), funding="refund", key="s0")
        assert keys(read(shop.storage, merchant="silent", after=end)) == ["s0"]

    def test_s7_a_transaction_is_not_fed_what_it_has_not_committed(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        with shop.storage.transaction() as work:
            account = present(work.account("acme", "anna", "USD"))
            work.append(shop.issued(account, 100, key="a2"))
            wallet = shop.new_wallet("ben")
            work.add_wallet(wallet)
            work.append(shop.issued(shop.new_account(wallet), 100, key="b1"))
            own, end = work.feed("acme"), work.feed_end("acme")
            assert keys(own.entries) == ["a1"]
            assert own.is_last
        for position in (own.position, end):
            assert sorted(keys(read(shop.storage, after=position))) == ["a2", "b1"]

    def test_s7_what_is_rolled_back_takes_no_place(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        for number in range(3):
            with pytest.raises(RuntimeError), shop.storage.transaction() as work:
                account = present(work.account("acme", "anna", "USD"))
                work.append(shop.issued(account, 100, key=f"lost {number}"))
                work.feed("acme")
                raise RuntimeError
        end = end_of(shop.storage)
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a2")
        assert keys(read(shop.storage)) == ["a1", "a2"]
        assert keys(read(shop.storage, after=end)) == ["a2"]

    def test_s7_several_entries_of_one_transaction_come_in_the_order_of_their_account(
        self,
    ) -> None:
        shop = self.shop()
        with shop.storage.transaction() as work:
            account = shop.new_account(wallet := shop.new_wallet("anna"))
            work.add_wallet(wallet)
            for number in range(1, 8):
                change = shop.issued(account, 100, key=f"a{number}")
                work.append(change)
                account = change.account
        assert [fed.entry.sequence for fed in read(shop.storage, limit=2)] == [1, 2, 3, 4, 5, 6, 7]

    def test_s7_private_fields_that_were_erased_are_fed_as_absent(self) -> None:
        shop = self.shop()
        shop.credit.issue("ben", usd("1.00"), funding="refund", key="b1", **ANSWERED)
        erased = shop.credit.issue("anna", usd("1.00"), funding="refund", key="a1", **ANSWERED)
        shop.credit.erase(erased.entry_id, fields=["actor", "note"])
        kept, fed = (each.entry.context for each in read(shop.storage))
        told = dict(ANSWERED)
        assert [kept.actor, kept.note, dict(kept.data)] == [
            told[name] for name in ("actor", "note", "data")
        ]
        assert [fed.actor, fed.note, dict(fed.data)] == [None, None, told["data"]]

    def test_s7_holders_are_fed_under_their_present_names(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("1.00"), funding="refund", key="a1")
        shop.credit.issue("ben", usd("1.00"), funding="refund", key="b1")
        shop.credit.pseudonymise("anna", "holder-4711")
        assert [fed.holder for fed in read(shop.storage)] == ["holder-4711", "ben"]

    def test_s7_imported_journals_are_fed_too(self) -> None:
        shop, file = self.shop(), io.BytesIO()
        tell(shop)
        shop.credit.export_journal(file)
        target = self.shop()
        # Else the two ledgers would give different wallets the same ids.
        for _ in range(1000):
            target.new_id()
        target.clock.set(shop.clock())
        target.credit.issue("somebody new", usd("1.00"), funding="refund", key="first")
        end = end_of(target.storage)
        file.seek(0)
        target.credit.import_journal(file)
        assert fed_ids(read(target.storage, after=end)) == journal_ids(shop)

    @pytest.mark.parametrize("text", ["nonsense", "-1", "1.5", " 1", "7", "9" * 30, "٣", "\x00"])
    def test_s7_a_text_that_is_no_position_is_refused(self, text: str) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("1.00"), funding="refund", key="a1")
        with pytest.raises(InvalidTerms), shop.storage.transaction() as work:
            work.feed("acme", after=FeedPosition(text))

    def test_s7_no_entry_is_missed_when_who_begins_first_commits_last(self) -> None:
        shop = self.shop()
        for holder in ("anna", "zoe"):
            shop.credit.issue(holder, usd("1.00"), funding="refund", key="first")
        appended, may_commit = threading.Event(), threading.Event()

        def slow() -> None:
            with shop.storage.transaction() as work:
                account = present(work.account("acme", "anna", "USD"))
                work.append(shop.issued(account, 100, key="slow"))
                appended.set()
                may_commit.wait(LONG)

        def quick() -> None:
            patient = shop.at(shop.storage, attempts=200, sleep=time.sleep)
            for number in range(3):
                patient.issue("zoe", usd("1.00"), funding="refund", key=f"quick {number}")

        first = beside(slow)
        assert appended.wait(LONG)
        second = beside(quick)
        wait_a_moment(second)
        reader = beside(lambda: patiently_read(shop.storage))
        wait_a_moment(reader)
        may_commit.set()
        for each in (first, second):
            each.result(LONG)
        early, position = reader.result(LONG)
        late = read(shop.storage, after=position)
        assert fed_ids([*early, *late]) == journal_ids(shop), "an entry is missed, or comes twice"

    def test_s7_a_reader_beside_many_writers_misses_nothing(self) -> None:
        shop = Shop(
            self.fresh(), attempts=400, sleep=lambda seconds: time.sleep(min(seconds, 0.02))
        )
        done = threading.Event()

        def write(racer: int) -> None:
            for number in range(EACH):
                for holder in ("shared", f"own {racer}"):
                    shop.credit.issue(
                        holder, usd("1.00"), funding="refund", key=f"{racer}/{number}"
                    )

        def follow() -> list[Fed]:
            found, position = list[Fed](), BEGINNING
            while True:
                is_over = done.is_set()
                more, position = patiently_read(shop.storage, after=position)
                found += more
                if is_over:
                    return found

        reader = beside(follow)
        failed = [each for each in at_once([partial(write, n) for n in range(WRITERS)]) if each]
        done.set()
        assert failed == []
        assert fed_ids(reader.result(LONG)) == journal_ids(shop)

    def test_s7_the_cost_of_a_page_does_not_grow_with_what_is_before_it(self) -> None:
        quick, slow = self.shop(), self.shop()
        for shop, entries in ((quick, 10), (slow, MANY)):
            with shop.storage.transaction() as work:
                account = shop.new_account(wallet := shop.new_wallet("anna"))
                work.add_wallet(wallet)
                for number in range(entries):
                    change = shop.issued(account, 100, key=f"{number}")
                    work.append(change)
                    account = change.account
        after = {shop: end_of(shop.storage) for shop in (quick, slow)}
        for shop in (quick, slow):
            shop.credit.redeem("anna", usd("1.00"), key="new")
        cost = {shop: best_time(shop.storage, after[shop]) for shop in (quick, slow)}
        assert cost[slow] <= 5 * cost[quick] + 0.002, (
            f"{cost[slow]:.4f} s after {MANY} entries, {cost[quick]:.4f} s after 10"
        )

    def test_s7_a_consumer_that_fails_at_any_step_is_delivered_everything_in_order(self) -> None:
        storage = self.fresh()
        rehearsal = FaultyStorage(storage)
        consume(busy(storage, "rehearsal").at(rehearsal), [])
        faults = list(every_fault(rehearsal.steps))
        assert len(faults) > 20, "the consumer asked next to nothing of the storage"
        for number, fault in enumerate(faults):
            case = f"{fault.mode} step {fault.number}"
            shop, delivered = busy(storage, f"shop {number}"), list[Delivery]()
            with pytest.raises(InjectedFault):
                consume(shop.at(FaultyStorage(storage, [fault])), delivered)
            shop.clock.advance(LEASE)
            consume(shop.credit, delivered)
            sequences = defaultdict[str, list[int]](list)
            for delivery in delivered:
                if delivery.entry.sequence not in sequences[delivery.holder]:
                    sequences[delivery.holder].append(delivery.entry.sequence)
            assert dict(sequences) == {"anna": [1, 2, 3], "ben": [1, 2]}, case
            assert len(delivered) <= 6, f"{case}: more than one entry came twice"


def tell(shop: Shop) -> None:
    """Play the whole story."""
    for _ in story(shop):
        pass


def busy(storage: Storage, merchant: str) -> Shop:
    """Return a shop with five entries in two accounts."""
    shop = Shop(storage, merchant)
    for holder, key in (("anna", "1"), ("ben", "1"), ("anna", "2"), ("ben", "2"), ("anna", "3")):
        shop.credit.issue(holder, usd("1.00"), funding="refund", key=key)
    return shop


def consume(credit: Any, delivered: list[Delivery]) -> None:
    """Deliver everything to a list."""
    credit.feed("mailer", lease=LEASE).run(delivered.append, limit=2)


def page(
    storage: Storage,
    *,
    merchant: str = "acme",
    after: FeedPosition = BEGINNING,
    limit: int = 1000,
) -> FeedPage:
    """Read one page in a transaction of its own."""
    with storage.transaction() as work:
        found = work.feed(merchant, after=after, limit=limit)
    assert len(found.entries) <= limit, "a page is longer than asked"
    return found


def read(
    storage: Storage,
    *,
    merchant: str = "acme",
    after: FeedPosition = BEGINNING,
    limit: int = 1000,
) -> list[Fed]:
    """Read everything after a position, page by page."""
    found, _ = read_on(storage, merchant=merchant, after=after, limit=limit)
    return found


def read_on(
    storage: Storage, *, merchant: str, after: FeedPosition, limit: int
) -> tuple[list[Fed], FeedPosition]:
    """Read everything after a position; return the position to go on from, too."""
    found: list[Fed] = []
    while True:
        next_page = page(storage, merchant=merchant, after=after, limit=limit)
        found += next_page.entries
        if next_page.is_last:
            return found, next_page.position
        assert next_page.position != after, "a page that is not the last leads nowhere"
        after = next_page.position


def patiently_read(
    storage: Storage, *, after: FeedPosition = BEGINNING
) -> tuple[list[Fed], FeedPosition]:
    """Read everything after a position, in spite of others who are faster."""
    deadline = time.monotonic() + LONG
    while True:
        try:
            return read_on(storage, merchant="acme", after=after, limit=5)
        except ConflictError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def end_of(storage: Storage, *, merchant: str = "acme") -> FeedPosition:
    """Return the position after everything."""
    with storage.transaction() as work:
        return work.feed_end(merchant)


def best_time(storage: Storage, after: FeedPosition) -> float:
    """Return the least of ten times that it takes to read the entry after a position."""
    best = float(LONG)
    for _ in range(10):
        begun = time.perf_counter()
        (fed,) = page(storage, after=after).entries
        best = min(best, time.perf_counter() - begun)
        assert fed.entry.key == "new"
    return best


def every_entry(storage: Storage, merchant: str) -> list[Any]:
    """Return all entries of all journals."""
    with storage.snapshot() as reader:
        return [
            entry
            for owner, name in reader.account_ids(merchant, limit=100_000)
            for entry in reader.journal(present(reader.account_by_id(owner, name)))
        ]


def journal_ids(shop: Shop) -> dict[str, list[str]]:
    """Return the ids of the entries of each account, in the order of its journal."""
    found = defaultdict[str, list[str]](list)
    for entry in every_entry(shop.storage, shop.merchant.id):
        found[entry.account].append(entry.id)
    return dict(found)


def fed_ids(fed: Iterable[Fed]) -> dict[str, list[str]]:
    """Return the ids of the entries of each account, in the order in which they were fed."""
    found = defaultdict[str, list[str]](list)
    for each in fed:
        found[each.account].append(each.entry.id)
    return dict(found)


def places(fed: Iterable[Fed]) -> list[tuple[str, str]]:
    """Return position and entry of each."""
    return [(each.position, each.entry.id) for each in fed]


def keys(fed: Iterable[Fed]) -> list[str]:
    """Return the keys of what was fed."""
    return [each.entry.key for each in fed]
