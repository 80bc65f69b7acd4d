"""
The duties of the feed can fail: each is shown an adapter that breaks it, and has to report it.

The adapter that keeps the contract, and the way to run a duty on another, are those of
`test_wrong_adapters.py`.
"""

# ruff: noqa: ARG002 - a wrong adapter does not look at everything that it is told

from __future__ import annotations

import importlib.util
import itertools
import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from storecredit.errors import ConcurrentChange
from storecredit.ledger import EntryKind
from storecredit.storage import FeedPage, FeedPosition
from storecredit.testing.contract import FeedDuties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from storecredit.ledger import Change
    from storecredit.storage import Fed


def plain_adapter() -> Any:
    """The module beside this one; test files are no package that could be imported from."""
    path = Path(__file__).with_name("test_wrong_adapters.py")
    spec = importlib.util.spec_from_file_location("plain_adapter", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PLAIN = plain_adapter()
PlainStorage, Unit, complaint = PLAIN.PlainStorage, PLAIN.Unit, PLAIN.complaint

WRONG: list[tuple[type[Any], tuple[str, ...]]] = []


def reported_by(*duties: str) -> Callable[[type[Any]], type[Any]]:
    """Enter a wrong storage, or a wrong unit of work of an otherwise right one."""

    def enter(wrong: type[Any]) -> type[Any]:
        storage = wrong
        if issubclass(wrong, Unit):
            storage = type(wrong.__name__, (PlainStorage,), {"unit": wrong})
        WRONG.append((storage, tuple(f"test_s7_{duty}" for duty in duties)))
        return wrong

    return enter


@reported_by(
    "a_feed_without_entries_ends_where_it_begins",
    "a_page_says_where_to_go_on_and_whether_there_is_more",
)
class NeverSaysThatItIsTheLast(Unit):
    def feed(self, merchant: str, **named: Any) -> FeedPage:
        return attrs.evolve(super().feed(merchant, **named), is_last=False)


@reported_by(
    "every_entry_of_a_story_is_fed_once_and_in_the_order_of_its_account",
)
class LeavesOutMergers(Unit):
    def is_fed(self, merchant: str, account: str, sequence: int) -> bool:
        kind = self.tables.entries[account][sequence - 1].kind
        return super().is_fed(merchant, account, sequence) and kind is not EntryKind.MERGE_IN


@reported_by(
    "every_entry_of_a_story_is_fed_once_and_in_the_order_of_its_account",
    "several_entries_of_one_transaction_come_in_the_order_of_their_account",
)
class PutsTheNewestOfATransactionFirst(Unit):
    def append(self, change: Change) -> None:
        super().append(change)
        *before, newest = self.tables.order
        before.insert(self.settled, newest)
        self.tables.order = tuple(before)


@reported_by("an_entry_is_fed_as_the_journal_has_it")
class FeedsEntriesWithoutTheirRequest(Unit):
    def fed(self, place: int, account: str, sequence: int) -> Fed:
        fed = super().fed(place, account, sequence)
        return attrs.evolve(fed, entry=attrs.evolve(fed.entry, request={}))


@reported_by(
    "the_feed_can_be_read_in_pages_of_any_size",
    "a_page_says_where_to_go_on_and_whether_there_is_more",
)
class PassesOverOneBetweenPages(Unit):
    def feed(self, merchant: str, **named: Any) -> FeedPage:
        page = super().feed(merchant, **named)
        if page.is_last:
            return page
        return attrs.evolve(page, position=FeedPosition(str(int(page.position) + 1)))


@reported_by(
    "the_feed_can_be_read_in_pages_of_any_size", "only_the_entries_of_the_merchant_are_fed"
)
class GivesOneMoreThanAsked(Unit):
    def feed(self, merchant: str, *, limit: int = 1000, **named: Any) -> FeedPage:
        return super().feed(merchant, limit=limit + 1, **named)


@reported_by("reading_goes_on_after_every_position")
class GivesTwoEntriesOnePlace(Unit):
    def fed(self, place: int, account: str, sequence: int) -> Fed:
        return super().fed(place - place % 2 or 1, account, sequence)


@reported_by(
    "what_was_read_keeps_its_place_whatever_comes_after_it",
    "the_end_has_everything_before_it_and_everything_new_behind_it",
)
class OrdersByAccount(Unit):
    def in_order(self) -> tuple[tuple[str, int], ...]:
        # As a primary key would give them, and a wallet's id says nothing about when.
        return tuple(sorted(super().in_order(), key=lambda row: (row[0][::-1], row[1])))


@reported_by("imported_journals_are_fed_too")
class OrdersByTime(Unit):
    def in_order(self) -> tuple[tuple[str, int], ...]:
        def recorded(row: tuple[str, int]) -> Any:
            return self.tables.entries[row[0]][row[1] - 1].at

        return tuple(sorted(super().in_order(), key=recorded))


@reported_by("only_the_entries_of_the_merchant_are_fed")
class FeedsEverybodysEntries(Unit):
    def is_fed(self, merchant: str, account: str, sequence: int) -> bool:
        return True


@reported_by("a_transaction_is_not_fed_what_it_has_not_committed")
class FeedsWhatIsNotCommitted(Unit):
    def in_order(self) -> tuple[tuple[str, int], ...]:
        return self.tables.order


@reported_by("what_is_rolled_back_takes_no_place")
class CountsWhatIsRolledBack(PlainStorage):
    def __init__(self) -> None:
        super().__init__()
        self.given = itertools.count(1)
        self.numbers: dict[tuple[str, int], int] = {}

    class unit(Unit):  # noqa: N801 - the storage calls it so
        def append(self, change: Change) -> None:
            super().append(change)
            name = (change.account.id, change.entry.sequence)
            # As a sequence of the database would, which no rollback takes back.
            self.storage.numbers.setdefault(name, next(self.storage.given))

        def fed(self, place: int, account: str, sequence: int) -> Fed:
            number = self.storage.numbers[account, sequence]
            return attrs.evolve(
                super().fed(place, account, sequence), position=FeedPosition(str(number))
            )

        def feed_end(self, merchant: str) -> FeedPosition:
            return FeedPosition(str(max(self.storage.numbers.values(), default=0)))


@reported_by("private_fields_that_were_erased_are_fed_as_absent")
class FeedsWhatWasErased(PlainStorage):
    def __init__(self) -> None:
        super().__init__()
        self.originals: dict[tuple[str, int], Any] = {}

    class unit(Unit):  # noqa: N801 - the storage calls it so
        def append(self, change: Change) -> None:
            super().append(change)
            self.storage.originals[change.account.id, change.entry.sequence] = change.entry

        def fed(self, place: int, account: str, sequence: int) -> Fed:
            entry = self.storage.originals[account, sequence]
            return attrs.evolve(super().fed(place, account, sequence), entry=entry)


@reported_by("holders_are_fed_under_their_present_names")
class FeedsOldNames(Unit):
    def fed(self, place: int, account: str, sequence: int) -> Fed:
        holder = self.tables.accounts[account].holder
        return attrs.evolve(super().fed(place, account, sequence), holder=holder)


@reported_by("a_text_that_is_no_position_is_refused")
class ReadsAnyTextAsTheBeginning(Unit):
    def place(self, position: FeedPosition) -> int:
        return int(position) if position.isdecimal() else 0


@reported_by(
    "no_entry_is_missed_when_who_begins_first_commits_last",
    "a_reader_beside_many_writers_misses_nothing",
)
class NumbersEntriesBeforeTheyAreCommitted(PlainStorage):
    """Several writers at a time, and places in the order in which entries were inserted."""

    def __init__(self) -> None:
        super().__init__()
        self.given = itertools.count(1)
        self.numbers: dict[tuple[str, int], int] = {}

    class unit(Unit):  # noqa: N801 - the storage calls it so
        def append(self, change: Change) -> None:
            super().append(change)
            name = (change.account.id, change.entry.sequence)
            self.storage.numbers[name] = next(self.storage.given)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        began = self.tables
        unit = self.unit(self, began.copy())
        yield unit
        mine = [self.numbers[each] for each in set(unit.tables.order) - set(began.order)]
        # Every second writer is slow to commit.
        time.sleep(0.02 * any(number % 2 for number in mine))
        with self.lock:
            self.merge(began, unit.tables)

    def merge(self, began: Any, new: Any) -> None:
        now = self.tables.copy()
        changed = [name for name, found in new.entries.items() if began.entries.get(name) != found]
        for name in changed:
            if now.entries.get(name) != began.entries.get(name):
                raise ConcurrentChange(name, 0)
        for table, name in itertools.product(
            ("accounts", "lots", "holds", "restored", "entries"), changed
        ):
            if name in getattr(new, table):
                getattr(now, table)[name] = getattr(new, table)[name]
        holders = {(row.merchant, row.holder): row.id for row in now.wallets.values()}
        for row in new.wallets.values():
            if holders.setdefault((row.merchant, row.holder), row.id) != row.id:
                raise ConcurrentChange(row.id, 0)
            now.wallets[row.id] = row
        now.records |= new.records
        mine = set(new.order) - set(began.order)
        now.order = tuple(sorted({*now.order, *mine}, key=self.numbers.__getitem__))
        self.tables = now


@reported_by("the_cost_of_a_page_does_not_grow_with_what_is_before_it")
class ReadsEverythingBefore(Unit):
    def places(self, start: int) -> Iterator[tuple[int, tuple[str, int]]]:
        for place, named in super().places(0):
            body = json.loads(self.tables.entries[named[0]][named[1] - 1].body)
            if body["account"] == named[0] and place > start:
                yield place, named


@reported_by(
    "a_consumer_that_fails_at_any_step_is_delivered_everything_in_order",
    "reading_goes_on_after_every_position",
)
class HandsOutEachEntryOnce(PlainStorage):
    def __init__(self) -> None:
        super().__init__()
        self.handed_out: set[tuple[str, int]] = set()

    class unit(Unit):  # noqa: N801 - the storage calls it so
        def is_fed(self, merchant: str, account: str, sequence: int) -> bool:
            return (
                super().is_fed(merchant, account, sequence)
                and (account, sequence) not in self.storage.handed_out
            )

        def feed(self, merchant: str, **named: Any) -> FeedPage:
            page = super().feed(merchant, **named)
            self.storage.handed_out.update(names(page.entries))
            return page


def names(fed: Iterable[Fed]) -> list[tuple[str, int]]:
    return [(each.account, each.entry.sequence) for each in fed]


@pytest.mark.parametrize(
    ("storage", "duty"),
    [
        pytest.param(storage, duty, id=f"{storage.__name__}-{duty.removeprefix('test_')}")
        for storage, duties in WRONG
        for duty in duties
    ],
)
def test_a_wrong_feed_is_reported(storage: type[Any], duty: str) -> None:
    assert complaint(storage, duty) is not None, f"{storage.__name__} passes {duty}"


def test_each_duty_of_the_feed_has_been_seen_to_fail() -> None:
    duties = {name for name in dir(FeedDuties) if name.startswith("test_")}
    assert duties - {duty for _, reporters in WRONG for duty in reporters} == set()
    assert len(duties) > 15
