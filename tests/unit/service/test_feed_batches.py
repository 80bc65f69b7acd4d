"""Reading a feed in batches: leases, acknowledgements, takeovers, positions (S7)."""

# ruff: noqa: PT012 - what a batch is about is its block

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest

from storecredit import Money, Period
from storecredit.errors import (
    FeedLeased,
    FeedLeaseLost,
    InvalidTerms,
    InvalidText,
    StorageBusy,
)
from storecredit.service import Feed, FeedBatch, StoreCredit
from storecredit.storage import FeedPosition, MemoryStorage, Record
from storecredit.testing import Fault, FaultyStorage, InjectedFault, Mode


def five_entries(shop: Any) -> Feed:
    """Let c-17 have three entries and c-18 two, in turns."""
    for holder, amount in (
        ("c-17", "1"),
        ("c-18", "2"),
        ("c-17", "3"),
        ("c-18", "4"),
        ("c-17", "5"),
    ):
        shop.issue(f"{amount}.00", holder=holder)
    feed = shop.credit.feed("mailer")
    assert isinstance(feed, Feed)
    return feed


def told(batch: FeedBatch) -> list[tuple[str, int]]:
    """Take everything out of *batch*."""
    return [(delivery.holder, delivery.entry.sequence) for delivery in batch]


def rest_of(feed: Feed) -> list[tuple[str, int]]:
    with feed.batch() as batch:
        return told(batch)


def stored(shop: Any) -> Record | None:
    with shop.storage.snapshot() as reader:
        return reader.record("acme", "feed", "mailer")


# --- What a block acknowledges ----------------------------------------------------------


def test_batches_follow_one_another_and_end_empty(shop) -> None:
    feed = five_entries(shop)
    with feed.batch(limit=2) as batch:
        assert len(batch) == 2
        assert told(batch) == [("c-17", 1), ("c-18", 1)]
    with feed.batch(limit=2) as batch:
        assert told(batch) == [("c-17", 2), ("c-18", 2)]
    with feed.batch(limit=2) as batch:
        assert told(batch) == [("c-17", 3)]
    with feed.batch() as batch:
        assert (len(batch), batch.attempt, told(batch)) == (0, 0, [])
        batch.extend()
    shop.issue("6.00")
    assert rest_of(feed) == [("c-17", 4)]


def test_a_delivery_has_the_entry_as_the_journal_has_it(shop) -> None:
    receipt = shop.issue("1.00", actor="ann", note="a parcel was late")
    with shop.credit.feed("mailer").batch() as batch:
        (delivery,) = batch
    assert delivery.entry.digest == receipt.entry.digest
    assert delivery.entry.context == receipt.entry.context
    assert (delivery.id, delivery.account) == (receipt.entry_id, receipt.entry.account)
    assert (delivery.holder, delivery.attempt, delivery.letter) == ("c-17", 1, None)


def test_an_error_in_the_block_acknowledges_nothing_and_lets_others_read_at_once(shop) -> None:
    feed = five_entries(shop)
    with pytest.raises(RuntimeError, match="the mail server"), feed.batch() as batch:
        told(batch)
        raise RuntimeError("the mail server is down")
    with feed.batch() as batch:
        assert batch.attempt == 2
        assert len(told(batch)) == 5


def test_what_the_block_has_not_taken_out_comes_again(shop) -> None:
    feed = five_entries(shop)
    with feed.batch() as batch:
        for delivery in batch:
            if delivery.entry.sequence == 2:
                break
    assert rest_of(feed) == [("c-18", 2), ("c-17", 3)]
    with feed.batch() as batch:
        pass
    assert len(batch) == 0


def test_a_block_that_takes_nothing_out_acknowledges_nothing(shop) -> None:
    feed = five_entries(shop)
    with feed.batch() as batch:
        assert len(batch) == 5
    assert len(rest_of(feed)) == 5


def test_an_acknowledgement_in_the_block_stays_when_it_fails_later(shop) -> None:
    feed = five_entries(shop)
    with pytest.raises(RuntimeError), feed.batch() as batch:
        for number, delivery in enumerate(batch, 1):
            if number == 4:
                raise RuntimeError
            batch.acknowledge(delivery)
    assert rest_of(feed) == [("c-18", 2), ("c-17", 3)]


def test_an_acknowledgement_is_of_all_before_it_and_never_goes_back(shop) -> None:
    feed = five_entries(shop)
    with pytest.raises(RuntimeError), feed.batch() as batch:
        deliveries = list(batch)
        batch.acknowledge(deliveries[2])
        batch.acknowledge(deliveries[0])
        raise RuntimeError
    with feed.batch() as batch:
        assert batch.attempt == 2, "the block had the rest in its hands too"
        assert told(batch) == [("c-18", 2), ("c-17", 3)]


def test_only_deliveries_of_the_batch_can_be_acknowledged(shop) -> None:
    feed = five_entries(shop)
    with feed.batch(limit=1) as batch:
        (first,) = batch
    with feed.batch(limit=1) as batch:
        with pytest.raises(InvalidTerms, match="a delivery of this batch"):
            batch.acknowledge(first)
        with pytest.raises(InvalidTerms, match="a delivery of this batch"):
            batch.set_aside(first, ValueError())
    assert len(rest_of(feed)) == 4


def test_consumers_of_other_names_read_everything_too(shop) -> None:
    feed = five_entries(shop)
    with feed.batch() as batch, shop.credit.feed("search index").batch() as other:
        assert told(batch) == told(other)
    assert rest_of(feed) == []


def test_another_merchants_entries_are_not_delivered(shop) -> None:
    five_entries(shop)
    assert rest_of(shop.open("other").feed("mailer")) == []


def test_reading_to_the_end_writes_nothing_more(shop) -> None:
    feed = five_entries(shop)
    rest_of(feed)
    before = stored(shop)
    for _ in range(3):
        assert rest_of(feed) == []
    assert stored(shop) == before


# --- Leases -----------------------------------------------------------------------------


def test_one_consumer_of_a_name_reads_at_a_time(shop) -> None:
    feed = five_entries(shop)
    with feed.batch(limit=2) as batch:
        until = shop.clock.now + timedelta(minutes=1)
        with pytest.raises(FeedLeased) as caught, shop.credit.feed("mailer").batch():
            raise AssertionError
        assert (caught.value.feed, caught.value.until) == ("mailer", until)
        assert str(until.isoformat()) in str(caught.value)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        with shop.credit.feed("mailer").batch(when_leased="empty") as nothing:
            assert len(nothing) == 0
        told(batch)
    assert len(rest_of(feed)) == 3


def test_the_lease_of_a_dead_consumer_is_taken_over_when_it_has_run_out(shop) -> None:
    feed = five_entries(shop)
    dead = feed.batch(limit=2)
    assert len(dead.__enter__()) == 2
    shop.clock.forward(seconds=59)
    with pytest.raises(FeedLeased):
        rest_of(feed)
    shop.clock.forward(seconds=1)
    with feed.batch() as batch:
        assert batch.attempt == 2
        assert len(told(batch)) == 5


def test_whoever_was_taken_over_cannot_acknowledge_any_more(shop) -> None:
    feed = five_entries(shop)
    with pytest.raises(FeedLeaseLost) as caught, feed.batch(limit=3) as slow:
        deliveries = list(slow)
        shop.clock.forward(minutes=1)
        with feed.batch(limit=1) as quick:
            assert told(quick) == [("c-17", 1)]
            for late in (
                lambda: slow.acknowledge(deliveries[0]),
                slow.extend,
                lambda: slow.set_aside(deliveries[0], ValueError("late")),
            ):
                with pytest.raises(FeedLeaseLost):
                    late()
    assert (caught.value.feed, caught.value.lease, caught.value.present) == ("mailer", 1, 2)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert not list(feed.dead_letters())
    assert rest_of(feed) == [("c-18", 1), ("c-17", 2), ("c-18", 2), ("c-17", 3)]


def test_a_lease_that_ran_out_is_good_until_somebody_follows(shop) -> None:
    feed = five_entries(shop)
    with feed.batch() as batch:
        told(batch)
        shop.clock.forward(hours=1)
    assert rest_of(feed) == []


def test_a_lease_can_be_extended_and_is_by_acknowledgements(shop) -> None:
    feed = five_entries(shop)
    with feed.batch() as batch:
        deliveries = list(batch)
        for act in (batch.extend, lambda: batch.acknowledge(deliveries[0]), batch.extend):
            shop.clock.forward(seconds=50)
            act()
            shop.clock.forward(seconds=50)
            with pytest.raises(FeedLeased):
                rest_of(shop.credit.feed("mailer"))


def test_a_lease_is_as_long_as_its_consumer_asks(shop) -> None:
    five_entries(shop)
    patient = shop.credit.feed("mailer", lease=Period(hours=2))
    with patient.batch() as batch:
        told(batch)
        shop.clock.forward(minutes=119)
        with pytest.raises(FeedLeased):
            rest_of(shop.credit.feed("mailer"))


def test_a_lease_from_a_clock_that_was_wrong_keeps_nobody_out(shop) -> None:
    feed = five_entries(shop)
    shop.clock.forward(days=365)
    dead = feed.batch()
    assert len(dead.__enter__()) == 5
    assert feed.status().leased_until == shop.clock.now + timedelta(minutes=1)
    shop.clock.forward(days=-365)
    assert len(rest_of(feed)) == 5


def test_an_error_of_the_block_is_not_hidden_by_one_of_the_storage(shop) -> None:
    five_entries(shop)

    def busy(*_: object) -> StorageBusy:
        return StorageBusy("shop", "5 s")

    storage = FaultyStorage(shop.storage, [Fault(Mode.AT_COMMIT, 2, busy)])
    credit = StoreCredit(storage, "acme", clock=shop.clock)
    with pytest.raises(RuntimeError, match="mine"), credit.feed("mailer").batch() as batch:
        told(batch)
        raise RuntimeError("mine")
    assert [step.name for step in storage.steps].count("commit") == 2


def test_an_acknowledgement_whose_answer_was_lost_is_repeated_without_harm(shop) -> None:
    feed = five_entries(shop)
    lost = FaultyStorage(shop.storage, [Fault(Mode.AFTER_COMMIT, 2)])
    credit = StoreCredit(lost, "acme", clock=shop.clock)
    with pytest.raises(InjectedFault), credit.feed("mailer").batch(limit=2) as batch:
        told(batch)
    batch.finish()
    assert len(rest_of(feed)) == 3


# --- Positions ----------------------------------------------------------------------------


def test_a_consumer_goes_back_and_forth(shop) -> None:
    feed = five_entries(shop)
    feed.seek_end()
    assert rest_of(feed) == []
    feed.seek_beginning()
    with feed.batch() as batch:
        positions = [delivery.position for delivery in batch]
        assert len(positions) == 5
    feed.seek(positions[2])
    assert rest_of(feed) == [("c-18", 2), ("c-17", 3)]
    feed.seek(feed.status().position)
    assert rest_of(feed) == []


@pytest.mark.parametrize("position", ["nonsense", "6", None, 3])
def test_a_position_that_is_none_is_refused(shop, position: Any) -> None:
    feed = five_entries(shop)
    with pytest.raises(InvalidTerms):
        feed.seek(position)
    assert len(rest_of(feed)) == 5


def test_nobody_goes_elsewhere_while_somebody_reads(shop) -> None:
    feed = five_entries(shop)
    with feed.batch(limit=1) as batch:
        for move in (feed.seek_beginning, feed.seek_end, lambda: feed.seek(FeedPosition("1"))):
            with pytest.raises(FeedLeased):
                move()
        told(batch)
    assert len(rest_of(feed)) == 4


def test_who_reads_beyond_its_lease_does_not_undo_a_move_elsewhere(shop) -> None:
    feed = five_entries(shop)
    with pytest.raises(FeedLeaseLost), feed.batch() as batch:
        told(batch)
        shop.clock.forward(minutes=1)
        feed.seek_beginning()
    assert len(rest_of(feed)) == 5


def test_a_status_says_how_far_and_how_late(shop) -> None:
    feed = shop.credit.feed("mailer")
    new = feed.status()
    assert (new.name, new.position, new.waiting, new.is_exact, new.lag) == (
        "mailer",
        "",
        0,
        True,
        timedelta(),
    )
    five_entries(shop)
    shop.clock.forward(minutes=7)
    with feed.batch(limit=2) as batch:
        leased = feed.status()
        assert leased.leased_until == shop.clock.now + timedelta(minutes=1)
        assert (leased.waiting, leased.lag, leased.attempt) == (5, timedelta(minutes=7), 1)
        told(batch)
    after = feed.status(count=2)
    assert (after.waiting, after.is_exact, after.leased_until) == (2, False, None)
    assert (feed.status(count=3).waiting, feed.status(count=3).is_exact) == (3, True)
    rest_of(feed)
    assert feed.status().lag == timedelta()


def test_a_record_that_was_changed_around_the_library_is_named_and_written_anew(shop) -> None:
    feed = five_entries(shop)
    with shop.storage.transaction() as work:
        work.put(Record(merchant="acme", kind="feed", id="mailer", version=1, body={"position": 7}))
    with pytest.raises(InvalidTerms, match="seek_beginning"):
        rest_of(feed)
    feed.seek_beginning()
    assert len(rest_of(feed)) == 5


# --- What is refused ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", None])
def test_a_feed_has_a_name(shop, name: Any) -> None:
    with pytest.raises(InvalidText):
        shop.credit.feed(name)


def test_arguments_out_of_their_range_are_refused(shop) -> None:
    feed = shop.credit.feed("mailer")
    with pytest.raises(InvalidTerms, match="a period"):
        shop.credit.feed("mailer", lease=timedelta(minutes=1))
    for limit in (0, -1, True, 1.5, None):
        with pytest.raises(InvalidTerms, match="limit"), feed.batch(limit=limit):
            raise AssertionError
        with pytest.raises(InvalidTerms, match="count"):
            feed.status(count=limit)
    with pytest.raises(InvalidTerms, match='"raise" or "empty"'), feed.batch(when_leased="wait"):
        raise AssertionError
    shop.issue("1.00")
    with feed.batch() as batch:
        (delivery,) = batch
        with pytest.raises(InvalidTerms, match="a delivery of this batch"):
            batch.set_aside(None, ValueError())
        with pytest.raises(InvalidTerms, match="the error that was raised"):
            batch.set_aside(delivery, "no such address")
    assert not list(feed.dead_letters())


def test_feeds_and_batches_show_their_name(shop) -> None:
    feed = five_entries(shop)
    assert repr(feed) == "Feed('mailer')"
    with feed.batch(limit=2) as batch:
        assert repr(batch) == "FeedBatch('mailer', 2 deliveries)"


# --- Moving to another storage ------------------------------------------------------------


def test_positions_are_not_exported_and_dead_letters_are(shop, tmp_path) -> None:
    feed = five_entries(shop)
    with feed.batch(limit=3) as batch:
        first, *_ = batch
        batch.set_aside(first, ValueError("no such address"))
    shop.credit.export_journal(tmp_path / "ledger.jsonl")
    text = (tmp_path / "ledger.jsonl").read_text()
    assert '"kind":"dead_letter"' in text
    assert '"kind":"feed"' not in text
    with pytest.raises(InvalidTerms, match="another storage"):
        shop.credit.export_journal(tmp_path / "feeds.jsonl", record_kinds=["feed"])
    elsewhere = StoreCredit(MemoryStorage(), "acme", clock=shop.clock)
    elsewhere.import_journal(tmp_path / "ledger.jsonl")
    moved = elsewhere.feed("mailer")
    assert [letter.text for letter in moved.dead_letters()] == ["no such address"]
    assert len(rest_of(moved)) == 5
    assert Money.of("9.00", "USD") == elsewhere.wallet("c-17").available["USD"]
