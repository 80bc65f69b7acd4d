"""A handler over a feed: attempts, pauses, dead letters, parked accounts (S7)."""

# ruff: noqa: PT012 - what a batch is about is its block

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from storecredit import Period
from storecredit.errors import (
    FeedLeased,
    FeedLeaseLost,
    InvalidTerms,
    JournalBroken,
    UnknownDeadLetter,
)
from storecredit.service import Delivery, Feed, FeedRun, StoreCredit
from storecredit.storage import MemoryStorage, Record


class Consumer:
    """A handler that refuses what a test tells it to, and remembers what it took."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop
        self.pauses: list[float] = []
        credit = StoreCredit(shop.storage, "acme", clock=shop.clock, sleep=self.pauses.append)
        self.credit = credit
        self.feed: Feed = credit.feed("mailer")
        self.took: list[tuple[str, int]] = []
        self.tries: list[tuple[str, int, int]] = []
        self.refuses: set[tuple[str, int]] = set()
        self.error: Callable[[], BaseException] = lambda: ValueError("no such address")

    def __call__(self, delivery: Delivery) -> None:
        name = (delivery.holder, delivery.entry.sequence)
        self.tries.append((*name, delivery.attempt))
        if name in self.refuses:
            raise self.error()
        self.took.append(name)

    def letters(self) -> list[tuple[str, int, str, bool, bool]]:
        return [
            (each.holder, each.entry.sequence, each.error, each.is_parked, each.is_queued)
            for each in self.feed.dead_letters()
        ]


ALL = [("c-17", 1), ("c-18", 1), ("c-17", 2), ("c-18", 2), ("c-17", 3)]


@pytest.fixture
def consumer(shop: Any) -> Consumer:
    """A consumer of five entries of two accounts, whose handler takes everything."""
    for number, (holder, _) in enumerate(ALL, 1):
        shop.issue(f"{number}.00", holder=holder)
    return Consumer(shop)


# --- Attempts -----------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_run_delivers_everything_and_acknowledges_each(consumer: Consumer, limit: int) -> None:
    seen: list[int] = []
    run = consumer.feed.run(consumer, limit=limit, progress=seen.append)
    assert run == FeedRun(delivered=5)
    assert run.handled == 5
    assert consumer.took == ALL
    assert seen == [1, 2, 3, 4, 5]
    assert consumer.feed.run(consumer) == FeedRun()
    assert consumer.pauses == []


def test_what_the_handler_itself_appends_is_delivered_too(consumer: Consumer) -> None:
    def thank(delivery: Delivery) -> None:
        consumer(delivery)
        if delivery.holder == "c-18":
            consumer.shop.issue("1.00", holder="c-17", key=f"thanks-{delivery.entry.sequence}")

    assert consumer.feed.run(thank, limit=2).delivered == 7
    assert consumer.took == [*ALL, ("c-17", 4), ("c-17", 5)]


def test_an_entry_that_fails_for_a_while_is_tried_again_after_longer_and_longer_pauses(
    consumer: Consumer,
) -> None:
    consumer.refuses = {("c-18", 1)}

    def mended(delivery: Delivery) -> None:
        if delivery.attempt == 4:
            consumer.refuses = set()
        consumer(delivery)

    assert consumer.feed.run(mended) == FeedRun(delivered=5, failures=3)
    assert consumer.took == ALL
    assert [each for each in consumer.tries if each[0] == "c-18"][:4] == [
        ("c-18", 1, 1),
        ("c-18", 1, 2),
        ("c-18", 1, 3),
        ("c-18", 1, 4),
    ]
    assert consumer.pauses == [1.0, 2.0, 4.0]


def test_pauses_are_a_minute_at_most(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 1)}
    consumer.feed.run(consumer, attempts=6, pause=10)
    assert consumer.pauses == [10, 20, 40, 60, 60]


def test_the_lease_lasts_through_a_pause(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 1)}
    until = []

    def sleep(seconds: float) -> None:
        consumer.shop.clock.now += timedelta(seconds=seconds)
        with pytest.raises(FeedLeased) as caught:
            Consumer(consumer.shop).feed.run(consumer)
        until.append(caught.value.until - consumer.shop.clock.now)

    credit = StoreCredit(consumer.shop.storage, "acme", clock=consumer.shop.clock, sleep=sleep)
    credit.feed("mailer").run(consumer, attempts=3, pause=60)
    assert until == [timedelta(minutes=1)] * 2


def test_an_entry_that_always_fails_becomes_a_dead_letter_and_the_feed_goes_on(
    consumer: Consumer,
) -> None:
    consumer.refuses = {("c-17", 2)}
    run = consumer.feed.run(consumer, attempts=3)
    assert run == FeedRun(delivered=4, failures=3, dead=1)
    assert consumer.took == [each for each in ALL if each != ("c-17", 2)]
    (letter,) = consumer.feed.dead_letters()
    assert (letter.holder, letter.entry.sequence, letter.attempts) == ("c-17", 2, 3)
    assert (letter.error, letter.text) == ("ValueError", "no such address")
    assert (letter.at, letter.is_parked, letter.is_queued) == (
        consumer.shop.clock.now,
        False,
        False,
    )
    assert consumer.feed.status().dead_letters == 1
    assert consumer.feed.run(consumer) == FeedRun()


def test_what_an_error_says_is_cut_and_made_storable(consumer: Consumer) -> None:
    class Unreadable(Exception):
        def __str__(self) -> str:
            raise ValueError

    for error, text in (
        (ValueError("x" * 5000), "x" * 997 + "..."),
        (ValueError("\ud800 and \x00"), "\\ud800 and \x00"),
        (Unreadable(), "(the error cannot be written as text)"),
    ):
        consumer.feed.seek_beginning()
        consumer.refuses, consumer.error = {("c-17", 1)}, lambda error=error: error
        consumer.feed.run(consumer, attempts=1)
        (letter,) = consumer.feed.dead_letters()
        assert letter.text == text


def test_an_entry_that_kills_its_consumer_becomes_a_dead_letter_too(consumer: Consumer) -> None:
    lives = []
    for life in (1, 2, 3):
        lives.append(consumer.feed.batch(limit=10))
        assert lives[-1].__enter__().attempt == life
        # Dead: nobody leaves the block, and the lease runs out.
        consumer.shop.clock.forward(minutes=1)
    assert consumer.feed.run(consumer, attempts=3) == FeedRun(delivered=4, dead=1)
    (letter,) = consumer.feed.dead_letters()
    assert (letter.holder, letter.entry.sequence, letter.attempts) == ("c-17", 1, 3)
    assert letter.text == "no consumer that began to deliver it has ended"


def test_attempts_are_counted_across_runs_that_were_broken_off(consumer: Consumer) -> None:
    consumer.refuses, consumer.error = {("c-17", 2)}, KeyboardInterrupt
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            consumer.feed.run(consumer, attempts=3)
    consumer.error = ValueError
    consumer.feed.run(consumer, attempts=3)
    assert [each for each in consumer.tries if each[:2] == ("c-17", 2)] == [
        ("c-17", 2, 1),
        ("c-17", 2, 2),
        ("c-17", 2, 3),
    ]
    assert consumer.letters() == [("c-17", 2, "ValueError", False, False)]


def test_a_run_that_is_broken_off_delivers_one_entry_twice_at_most(consumer: Consumer) -> None:
    consumer.refuses, consumer.error = {("c-18", 2)}, SystemExit
    with pytest.raises(SystemExit):
        consumer.feed.run(consumer)
    consumer.refuses = set()
    consumer.feed.run(consumer)
    assert consumer.took == ALL


def test_a_run_whose_lease_was_taken_over_stops(consumer: Consumer) -> None:
    other = Consumer(consumer.shop)

    def slow(delivery: Delivery) -> None:
        consumer(delivery)
        consumer.shop.clock.forward(minutes=1)
        other.feed.run(other)

    with pytest.raises(FeedLeaseLost):
        consumer.feed.run(slow)
    assert consumer.took == ALL[:1]
    assert other.took == ALL


def test_a_second_consumer_waits_its_turn(consumer: Consumer) -> None:
    with consumer.feed.batch(limit=1) as batch:
        assert Consumer(consumer.shop).feed.run(print, when_leased="empty") == FeedRun()
        with pytest.raises(FeedLeased):
            Consumer(consumer.shop).feed.run(print)
        list(batch)


# --- Dead letters -------------------------------------------------------------------------


def test_a_dead_letter_is_delivered_again_before_anything_new(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 2)}
    consumer.feed.run(consumer, attempts=1)
    (letter,) = consumer.feed.dead_letters()
    consumer.shop.issue("6.00")
    consumer.feed.redeliver(letter)
    assert consumer.letters() == [("c-17", 2, "ValueError", False, True)]
    consumer.refuses, consumer.took = set(), []
    assert consumer.feed.run(consumer).delivered == 2
    assert consumer.took == [("c-17", 2), ("c-17", 4)]
    assert consumer.letters() == []


def test_a_dead_letter_that_fails_again_waits_again(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 2)}
    consumer.feed.run(consumer, attempts=1)
    (letter,) = consumer.feed.dead_letters()
    consumer.feed.redeliver(letter.id)
    consumer.error = lambda: TypeError("now it is something else")
    assert consumer.feed.run(consumer, attempts=2).dead == 1
    (again,) = consumer.feed.dead_letters()
    assert (again.id, again.error, again.attempts) == (letter.id, "TypeError", 2)
    assert not again.is_queued


def test_a_queued_letter_in_a_batch_is_closed_when_it_is_acknowledged(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 2), ("c-18", 1)}
    consumer.feed.run(consumer, attempts=1)
    for letter in list(consumer.feed.dead_letters()):
        consumer.feed.redeliver(letter)
    consumer.shop.issue("6.00")
    with pytest.raises(RuntimeError), consumer.feed.batch() as batch:
        first, second, third = batch
        assert (first.position, second.position, third.letter) == (None, None, None)
        batch.acknowledge(first)
        raise RuntimeError
    assert len(consumer.letters()) == 1
    with consumer.feed.batch() as batch:
        assert [each.id for each in batch] == [second.id, third.id]
    assert consumer.letters() == []


def test_queued_letters_fill_a_batch_before_new_entries(consumer: Consumer) -> None:
    consumer.refuses = set(ALL)
    consumer.feed.run(consumer, attempts=1)
    for letter in list(consumer.feed.dead_letters()):
        consumer.feed.redeliver(letter)
    consumer.shop.issue("6.00")
    consumer.refuses, consumer.took = set(), []
    assert consumer.feed.run(consumer, limit=2).delivered == 6
    assert sorted(consumer.took[:5]) == sorted(ALL)
    assert consumer.took[5:] == [("c-17", 4)]


def test_a_discarded_letter_is_gone_with_what_the_error_said(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 2)}
    consumer.feed.run(consumer, attempts=1)
    (letter,) = consumer.feed.dead_letters()
    consumer.feed.discard(letter)
    assert consumer.letters() == []
    with consumer.shop.storage.snapshot() as reader:
        record = reader.record("acme", "dead_letter", letter.id)
    assert record is not None
    assert "no such address" not in str(record.body)
    for act in (consumer.feed.redeliver, consumer.feed.discard):
        with pytest.raises(UnknownDeadLetter) as caught:
            act(letter)
        assert (caught.value.feed, caught.value.letter) == ("mailer", letter.id)
        assert "dead_letters()" in str(caught.value)


def test_letters_of_other_feeds_and_other_things_are_unknown(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 2)}
    consumer.feed.run(consumer, attempts=1)
    (letter,) = consumer.feed.dead_letters()
    other = consumer.credit.feed("search index")
    for unknown in (letter, letter.id, "nonsense", "mailer/", "mailer/\x00", "", None, 7):
        with pytest.raises(UnknownDeadLetter):
            other.discard(unknown)  # type: ignore[arg-type]  # on purpose
    assert len(consumer.letters()) == 1
    assert not list(other.dead_letters())


def test_a_batch_sets_aside_what_it_cannot_use(consumer: Consumer) -> None:
    with consumer.feed.batch() as batch:
        for delivery in batch:
            if delivery.holder == "c-18":
                batch.set_aside(delivery, KeyError("c-18"))
    assert consumer.letters() == [
        ("c-18", 1, "KeyError", False, False),
        ("c-18", 2, "KeyError", False, False),
    ]
    with consumer.feed.batch() as batch:
        assert len(batch) == 0


def test_there_may_be_many_dead_letters(consumer: Consumer) -> None:
    for number in range(240):
        consumer.shop.issue("1.00", holder=f"h-{number}")
    consumer.error = ValueError
    consumer.refuses = {(f"h-{number}", 1) for number in range(240)}
    consumer.feed.run(consumer, attempts=1)
    assert len(consumer.letters()) == 240
    assert consumer.feed.status().dead_letters == 240
    for letter in list(consumer.feed.dead_letters()):
        consumer.feed.redeliver(letter)
    consumer.refuses = set()
    assert consumer.feed.run(consumer).delivered == 240
    assert consumer.letters() == []


def test_a_dead_letter_is_of_the_holder_as_called_now_and_of_an_entry_without_what_was_erased(
    shop: Any,
) -> None:
    made = shop.issue("1.00", actor="Ann Smith")
    consumer = Consumer(shop)
    consumer.refuses = {("c-17", 1)}
    consumer.feed.run(consumer, attempts=1)
    shop.credit.pseudonymise("c-17", "p-9c1")
    shop.credit.erase(made.entry_id)
    (letter,) = consumer.feed.dead_letters()
    assert (letter.holder, letter.entry.context.actor) == ("p-9c1", None)


def test_a_letter_that_was_changed_around_the_library_is_named(shop: Any) -> None:
    feed = StoreCredit(MemoryStorage(), "acme").feed("mailer")
    storage = feed._consumer.door.storage
    account = f"{1:032x}.USD"
    body = {
        "feed": "mailer",
        "account": account,
        "entry": f"{account}.{2:032x}",
        "sequence": 1,
        "standing": "waiting",
    }
    for number, (wrong, error) in enumerate(
        ((body, JournalBroken), ({**body, "standing": "lost"}, InvalidTerms)), 1
    ):
        record = Record(
            merchant="acme",
            kind="dead_letter",
            id=f"mailer/{account}.{1:019d}",
            version=number,
            body=wrong,
            references={"feed": "mailer"},
        )
        with storage.transaction() as work:
            work.put(record)
        with pytest.raises(error):
            list(feed.dead_letters())


# --- Parked accounts ----------------------------------------------------------------------


def test_later_entries_of_an_account_are_delivered_unless_they_are_to_wait(
    consumer: Consumer,
) -> None:
    consumer.refuses = {("c-17", 1)}
    consumer.feed.run(consumer, attempts=1)
    assert consumer.took == ALL[1:]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_an_account_can_be_parked_behind_its_dead_letter(consumer: Consumer, limit: int) -> None:
    consumer.refuses = {("c-17", 1)}
    run = consumer.feed.run(consumer, attempts=1, later="park", limit=limit)
    assert run == FeedRun(delivered=2, failures=1, dead=1, parked=2)
    assert consumer.took == [("c-18", 1), ("c-18", 2)]
    assert consumer.letters() == [
        ("c-17", 1, "ValueError", False, False),
        ("c-17", 2, "", True, False),
        ("c-17", 3, "", True, False),
    ]
    consumer.shop.issue("6.00")
    assert consumer.feed.run(consumer, later="park").parked == 1
    first, *_ = consumer.feed.dead_letters()
    consumer.refuses, consumer.took = set(), []
    consumer.feed.redeliver(first)
    consumer.shop.issue("7.00")
    assert consumer.feed.run(consumer, later="park", limit=limit).delivered == 5
    assert consumer.took == [("c-17", number) for number in (1, 2, 3, 4, 5)]
    assert consumer.letters() == []


def test_very_many_entries_can_be_parked(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 1)}
    for _ in range(230):
        consumer.shop.issue("0.01")
    assert consumer.feed.run(consumer, attempts=1, later="park").parked == 232
    first, *_ = consumer.feed.dead_letters()
    consumer.refuses, consumer.took = set(), []
    consumer.feed.redeliver(first)
    assert consumer.feed.run(consumer, later="park").delivered == 233
    assert consumer.took == [("c-17", number) for number in range(1, 234)]


def test_a_parked_account_goes_on_when_its_dead_letter_is_discarded(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 1)}
    consumer.feed.run(consumer, attempts=1, later="park")
    first, *_ = consumer.feed.dead_letters()
    consumer.took = []
    consumer.feed.discard(first)
    assert consumer.feed.run(consumer, later="park").delivered == 2
    assert consumer.took == [("c-17", 2), ("c-17", 3)]


def test_what_is_parked_waits_again_when_the_letter_before_it_fails_again(
    consumer: Consumer,
) -> None:
    consumer.refuses = {("c-17", 1)}
    consumer.feed.run(consumer, attempts=1, later="park")
    first, *_ = consumer.feed.dead_letters()
    consumer.feed.redeliver(first)
    run = consumer.feed.run(consumer, attempts=1, later="park")
    assert run == FeedRun(failures=1, dead=1, parked=2)
    assert [each[3:] for each in consumer.letters()] == [
        (False, False),
        (True, False),
        (True, False),
    ]


def test_a_parked_entry_that_fails_by_itself_parks_those_behind_it(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 1)}
    consumer.feed.run(consumer, attempts=1, later="park")
    first, *_ = consumer.feed.dead_letters()
    consumer.feed.redeliver(first)
    consumer.refuses = {("c-17", 2)}
    assert consumer.feed.run(consumer, attempts=1, later="park") == FeedRun(
        delivered=1, failures=1, dead=1, parked=1
    )
    assert consumer.letters() == [
        ("c-17", 2, "ValueError", False, False),
        ("c-17", 3, "", True, False),
    ]


def test_what_comes_while_the_letter_before_it_is_queued_follows_it(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 1)}
    consumer.feed.run(consumer, attempts=1, later="park", limit=5)
    first, *_ = consumer.feed.dead_letters()
    consumer.refuses, consumer.took = set(), []
    for holder in ("c-18", "c-17"):
        consumer.shop.issue("6.00", holder=holder)

    def decide(delivery: Delivery) -> None:
        consumer(delivery)
        if delivery.holder == "c-18":
            consumer.feed.redeliver(first)

    run = consumer.feed.run(decide, later="park")
    assert (run.delivered, run.parked) == (5, 1)
    assert consumer.took == [("c-18", 3), *(("c-17", number) for number in (1, 2, 3, 4))]
    assert consumer.letters() == []


def test_only_what_is_parked_behind_a_letter_follows_it(consumer: Consumer) -> None:
    consumer.refuses = {("c-17", 1), ("c-17", 2)}
    consumer.feed.run(consumer, attempts=1)
    consumer.shop.issue("6.00")
    consumer.feed.run(consumer, attempts=1, later="park")
    first, *_ = consumer.feed.dead_letters()
    consumer.feed.redeliver(first)
    assert consumer.letters() == [
        ("c-17", 1, "ValueError", False, True),
        ("c-17", 2, "ValueError", False, False),
        ("c-17", 4, "", True, False),
    ]


def test_going_back_leaves_dead_letters_as_they_are_where_accounts_are_parked(
    consumer: Consumer,
) -> None:
    consumer.refuses = {("c-17", 2)}
    consumer.feed.run(consumer, attempts=1, later="park")
    before = consumer.letters()
    consumer.feed.seek_beginning()
    consumer.took, consumer.refuses = [], set()
    consumer.feed.run(consumer, attempts=1, later="park")
    assert consumer.took == [("c-17", 1), ("c-18", 1), ("c-18", 2)]
    assert consumer.letters() == before


# --- What is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0),
        ("attempts", 0),
        ("attempts", True),
        ("pause", -1),
        ("pause", "1"),
        ("pause", float("nan")),
        ("later", "wait"),
        ("when_leased", True),
    ],
)
def test_arguments_of_a_run_out_of_their_range_are_refused(
    consumer: Consumer, name: str, value: Any
) -> None:
    with pytest.raises(InvalidTerms) as caught:
        consumer.feed.run(consumer, **{name: value})
    assert caught.value.field == name
    assert consumer.tries == []


def test_a_handler_can_be_called(consumer: Consumer) -> None:
    with pytest.raises(InvalidTerms, match="handle"):
        consumer.feed.run("print")  # type: ignore[arg-type]  # on purpose


def test_a_lease_is_a_period_of_the_services_clock(consumer: Consumer) -> None:
    feed = consumer.credit.feed("mailer", lease=Period(minutes=30))
    with feed.batch():
        assert feed.status().leased_until == consumer.shop.clock.now + timedelta(minutes=30)
