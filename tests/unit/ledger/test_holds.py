"""Holds: placed, resized, captured, released, lapsed; how each life ends (A6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storecredit.errors import (
    AmountNotPositive,
    ArgumentRefused,
    CaptureExceedsHold,
    HoldAlreadyCaptured,
    HoldAlreadyLapsed,
    HoldAlreadyReleased,
    HoldTooLong,
    InsufficientCredit,
    InvalidTerms,
    NaiveInstant,
    NothingRecorded,
    UnitMismatch,
    UnknownHold,
)
from storecredit.ledger import Draw, Hold, HoldStatus, Move, What
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def amounts(shop) -> tuple[str, str]:
    account = shop.account()
    return str(account.available.decimal), str(account.held.decimal)


def test_a_hold_reserves_and_shows_itself(shop, moves) -> None:
    shop.issue("50.00")
    receipt = shop.hold("30.00", reference="order 7")
    assert moves(receipt) == [("held", 3000)]
    assert (receipt.amount, receipt.balance) == (usd("30.00"), usd("50.00"))
    assert amounts(shop) == ("20.00", "30.00")
    (hold,) = shop.account().holds
    assert (hold.id, hold.amount, hold.captured) == (receipt.hold_id, usd("30.00"), usd("0.00"))
    assert (hold.placed_at, hold.reference) == (shop.clock.now, "order 7")
    assert hold.lapses_at == shop.clock.now + timedelta(hours=24)
    with shop.refuses(InsufficientCredit) as refused:
        shop.redeem("20.01")
    assert (refused.error.available, refused.error.held) == (usd("20.00"), usd("30.00"))


def test_a_hold_takes_up_to_what_there_is_and_refuses_nothing(shop) -> None:
    shop.issue("12.00")
    assert shop.hold("30.00", taking="up_to").amount == usd("12.00")
    with shop.refuses(InsufficientCredit) as refused:
        shop.hold("30.00", taking="up_to")
    assert refused.error.doing == "hold"


def test_a_capture_spends_all_in_draw_order(shop, moves) -> None:
    shop.issue("10.00")
    shop.issue("20.00", funding="promotional")
    hold = shop.hold("25.00").hold_id
    receipt = shop.credit.capture(hold, key="c")
    assert moves(receipt) == [("captured", 2000), ("captured", 500)]
    assert (receipt.amount, receipt.hold_id) == (usd("25.00"), hold)
    assert amounts(shop) == ("5.00", "0.00")
    assert shop.account().holds == ()


def test_a_capture_of_a_part_gives_the_rest_back_in_reverse_order(shop, moves) -> None:
    shop.issue("10.00")
    shop.issue("20.00", funding="promotional")
    hold = shop.hold("25.00").hold_id
    receipt = shop.credit.capture(hold, amount=usd("7.00"), key="c")
    assert moves(receipt) == [("released", 500), ("released", 1300), ("captured", 700)]
    assert shop.lots() == [("promotional", "13.00"), ("refund", "10.00")]
    with shop.refuses(HoldAlreadyCaptured) as refused:
        shop.credit.capture(hold, key="d")
    assert (refused.error.hold_id, refused.error.captured) == (hold, usd("7.00"))
    assert "restore the entry that captured it" in str(refused.error)


def test_a_capture_of_a_part_can_leave_the_rest_held(shop, moves) -> None:
    shop.issue("50.00")
    hold = shop.hold("30.00").hold_id
    assert moves(shop.credit.capture_part(hold, usd("12.00"), key="p")) == [("captured", 1200)]
    (view,) = shop.account().holds
    assert (view.amount, view.captured) == (usd("18.00"), usd("12.00"))
    with shop.refuses(CaptureExceedsHold) as refused:
        shop.credit.capture_part(hold, usd("18.01"), key="q")
    error = refused.error
    assert (error.hold_id, error.wanted, error.held) == (hold, usd("18.01"), usd("18.00"))
    shop.credit.capture_part(hold, usd("18.00"), key="r")
    with shop.refuses(HoldAlreadyCaptured) as refused:
        shop.credit.release(hold, key="s")
    assert refused.error.captured == usd("30.00")


def test_more_than_the_hold_is_never_captured(shop) -> None:
    shop.issue("50.00")
    hold = shop.hold("30.00").hold_id
    with shop.refuses(CaptureExceedsHold) as refused:
        shop.credit.capture(hold, amount=usd("30.01"), key="c")
    assert str(refused.error).startswith(f"Cannot capture USD 30.01 of hold {hold}: it reserves")
    with shop.refuses(AmountNotPositive):
        shop.credit.capture(hold, amount=usd("0.00"), key="c")
    with shop.refuses(UnitMismatch):
        shop.credit.capture(hold, amount=Money.of("1.00", "EUR"), key="c")


def test_a_release_gives_everything_back_once(shop, moves) -> None:
    shop.issue("50.00")
    hold = shop.hold("30.00").hold_id
    receipt = shop.credit.release(hold, key="r")
    assert moves(receipt) == [("released", 3000)]
    assert (receipt.amount, receipt.hold_id) == (usd("30.00"), hold)
    assert amounts(shop) == ("50.00", "0.00")
    for verb, arguments in (
        ("release", ()),
        ("capture", ()),
        ("capture_part", (usd("1.00"),)),
        ("resize", (usd("1.00"),)),
    ):
        with shop.refuses(HoldAlreadyReleased) as refused:
            getattr(shop.credit, verb)(hold, *arguments, key="again")
        assert refused.error.hold_id == hold


def test_a_hold_lapses_exactly_at_its_instant_without_a_sweep(shop, moves) -> None:
    shop.issue("50.00")
    hold = shop.hold("30.00", lapses=Period(hours=1)).hold_id
    shop.clock.forward(hours=1, microseconds=-1)
    assert amounts(shop) == ("20.00", "30.00")
    shop.clock.forward(microseconds=1)
    assert amounts(shop) == ("50.00", "0.00")
    assert shop.account().holds == ()
    with shop.refuses(HoldAlreadyLapsed) as refused:
        shop.credit.capture(hold, key="c")
    error = refused.error
    assert (error.hold_id, error.lapses_at, error.at) == (hold, shop.clock.now, shop.clock.now)
    # The next entry, whatever it is, records the lapse first.
    assert moves(shop.redeem("50.00")) == [("lapsed", 3000), ("redeemed", 5000)]
    with shop.refuses(HoldAlreadyLapsed):
        shop.credit.release(hold, key="c")


def test_a_hold_captures_one_microsecond_before_it_lapses(shop) -> None:
    shop.issue("50.00")
    hold = shop.hold("30.00", lapses=shop.clock.now + timedelta(hours=1)).hold_id
    shop.clock.forward(hours=1, microseconds=-1)
    assert shop.credit.capture(hold, key="c").amount == usd("30.00")


def test_a_hold_survives_the_expiry_of_its_lot(shop, moves) -> None:
    shop.issue("50.00", expires=Period(hours=2))
    hold = shop.hold("30.00").hold_id
    shop.clock.forward(hours=2)
    assert (amounts(shop), str(shop.account().due)) == (("0.00", "30.00"), "USD 20.00")
    assert moves(shop.credit.capture(hold, amount=usd("25.00"), key="c")) == [
        ("released", 500),
        # What is released to an expired lot expires in the same entry.
        ("expired", 500),
        ("captured", 2500),
    ]
    assert str(shop.account().due) == "USD 20.00"


def test_what_is_released_to_an_expired_lot_expires_at_the_lots_own_instant(shop, moves) -> None:
    expires_at = shop.clock.now + timedelta(hours=2)
    shop.issue("50.00", expires=expires_at)
    hold = shop.hold("30.00").hold_id
    shop.clock.forward(hours=3)
    receipt = shop.credit.release(hold, key="r")
    assert moves(receipt) == [("released", 3000), ("expired", 3000)]
    assert receipt.moves[1].effective_at == expires_at
    assert receipt.entry.at == shop.clock.now


def test_growing_draws_live_lots_and_shrinking_gives_back_the_last_drawn(shop, moves) -> None:
    first = shop.issue("10.00", funding="promotional").lot_id
    second = shop.issue("20.00").lot_id
    hold = shop.hold("8.00").hold_id
    grown = shop.credit.resize(hold, usd("25.00"), key="a")
    assert moves(grown) == [("held", 200), ("held", 1500)]
    assert grown.lot_ids == (first, second)
    assert (grown.hold_id, grown.amount) == (hold, usd("17.00"))
    shrunk = shop.credit.resize(hold, usd("9.00"), key="b")
    assert moves(shrunk) == [("released", 1500), ("released", 100)]
    assert shrunk.lot_ids == (second, first)
    assert amounts(shop) == ("21.00", "9.00")


def test_growing_past_what_there_is_is_refused(shop) -> None:
    shop.issue("10.00")
    hold = shop.hold("8.00").hold_id
    with shop.refuses(InsufficientCredit) as refused:
        shop.credit.resize(hold, usd("10.01"), key="a")
    assert (refused.error.wanted, refused.error.reachable) == (usd("2.01"), usd("2.00"))
    with shop.refuses(AmountNotPositive):
        shop.credit.resize(hold, usd("0.00"), key="a")


def test_a_resize_that_changes_nothing_appends_nothing_and_keeps_its_key(shop) -> None:
    shop.issue("10.00")
    placed = shop.hold("8.00")
    before = shop.dump()
    receipt = shop.credit.resize(placed.hold_id, usd("8.00"), key="a")
    assert (receipt.changed, receipt.moves, receipt.amount) == (False, (), usd("0.00"))
    assert shop.dump() == before
    for asked in ("entry", "entry_id", "hold_id", "lot_id", "balance"):
        with pytest.raises(NothingRecorded):
            getattr(receipt, asked)
    assert shop.credit.resize(placed.hold_id, usd("9.00"), key="a").changed


def test_a_resize_can_change_the_time_alone_up_to_the_merchants_maximum(make_shop) -> None:
    shop = make_shop(hold_at_most=Period(days=7))
    shop.issue("10.00")
    placed_at = shop.clock.now
    hold = shop.hold("8.00").hold_id
    shop.clock.forward(hours=12)
    receipt = shop.credit.resize(hold, usd("8.00"), lapses=Period(days=6), key="a")
    assert (receipt.changed, receipt.moves) == (True, ())
    assert shop.account().holds[0].lapses_at == placed_at + timedelta(days=6, hours=12)
    with shop.refuses(HoldTooLong) as refused:
        shop.credit.resize(hold, usd("8.00"), lapses=Period(days=7), key="b")
    # The maximum counts from when the hold was placed, not from now.
    assert refused.error.latest == placed_at + timedelta(days=7)
    assert refused.error.lapses_at == placed_at + timedelta(days=7, hours=12)
    shop.credit.resize(hold, usd("8.00"), lapses=refused.error.latest, key="b")


def test_the_same_time_again_changes_nothing(shop) -> None:
    shop.issue("10.00")
    lapses_at = shop.clock.now + timedelta(hours=3)
    hold = shop.hold("8.00", lapses=lapses_at).hold_id
    assert not shop.credit.resize(hold, usd("8.00"), lapses=lapses_at, key="a").changed


def test_shrinking_to_an_expired_lot_expires_in_the_same_entry(shop, moves) -> None:
    shop.issue("10.00", expires=Period(hours=1))
    hold = shop.hold("10.00").hold_id
    shop.clock.forward(hours=1)
    receipt = shop.credit.resize(hold, usd("4.00"), key="a")
    assert moves(receipt) == [("released", 600), ("expired", 600)]
    assert amounts(shop) == ("0.00", "4.00")


def test_a_new_hold_may_not_outlive_the_maximum_nor_lapse_at_once(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(HoldTooLong) as refused:
        shop.hold("1.00", lapses=Period(days=31))
    assert refused.error.latest == shop.clock.now + timedelta(days=30)
    with shop.refuses(InvalidTerms) as refused:
        shop.hold("1.00", lapses=shop.clock.now)
    assert (refused.error.field, refused.error.value) == ("lapses", shop.clock.now.isoformat())
    with shop.refuses(NaiveInstant):
        shop.hold("1.00", lapses=shop.clock.now.replace(tzinfo=None))
    with shop.refuses(ArgumentRefused):
        shop.hold("1.00", lapses=3600)


def test_the_default_life_never_exceeds_the_maximum(make_shop) -> None:
    shop = make_shop(hold_lasts=Period(days=3), hold_at_most=Period(days=2))
    shop.issue("10.00")
    shop.hold("1.00")
    assert shop.account().holds[0].lapses_at == shop.clock.now + timedelta(days=2)


def test_releasing_an_order_gives_back_all_its_holds_and_no_others(shop, moves) -> None:
    shop.issue("50.00")
    shop.credit.issue("c-17", Money.of("9.00", "EUR"), funding="refund", key="e")
    for amount, reference in (("10.00", "order 7"), ("5.00", "order 8"), ("3.00", "order 7")):
        shop.hold(amount, reference=reference)
    shop.credit.hold("c-17", Money.of("4.00", "EUR"), reference="order 7", key="f")
    euros, dollars = shop.credit.release_order("c-17", "order 7", key="r")
    assert (euros.amount, dollars.amount) == (Money.of("4.00", "EUR"), usd("13.00"))
    assert moves(dollars) == [("released", 1000), ("released", 300)]
    assert amounts(shop) == ("45.00", "5.00")
    with pytest.raises(NothingRecorded) as refused:
        _ = dollars.hold_id
    assert refused.value.asked == "a hold"


def test_releasing_an_order_again_is_an_empty_result(shop) -> None:
    shop.issue("50.00")
    shop.hold("10.00", reference="order 7")
    shop.credit.release_order("c-17", "order 7", key="r")
    before = shop.dump()
    assert shop.credit.release_order("c-17", "order 7", key="other") == ()
    assert shop.credit.release_order("nobody", "order 7", key="other") == ()
    (again,) = shop.credit.release_order("c-17", "order 7", key="r")
    assert again.replayed
    assert shop.dump() == before


def test_a_lapsed_order_has_nothing_to_release(shop) -> None:
    shop.issue("50.00")
    shop.hold("10.00", reference="order 7")
    shop.clock.forward(days=1)
    assert shop.credit.release_order("c-17", "order 7", key="r") == ()


def test_the_sweep_of_lapsed_holds_writes_down_what_holds_anyway(shop, moves) -> None:
    shop.issue("50.00")
    shop.hold("10.00")
    shop.hold("5.00", lapses=Period(days=2))
    assert shop.credit.release_lapsed().accounts == 0
    shop.clock.forward(days=1)
    seen = []
    sweep = shop.credit.release_lapsed(progress=seen.append)
    assert (sweep.accounts, sweep.lots, str(sweep.amount)) == (1, 1, "USD 10.00")
    assert seen == [1]
    entry = list(shop.credit.journal("c-17", "USD"))[-1]
    assert (entry.kind, entry.key) == ("lapse", "~lapse:4")
    assert [(move.what.value, move.amount) for move in entry.moves] == [("lapsed", 1000)]
    assert amounts(shop) == ("45.00", "5.00")
    assert shop.credit.release_lapsed().accounts == 0


@pytest.mark.parametrize(
    "hold_id",
    ["", "x", None, 5, b"", "x" * 10_000_000, "." * 50, "a.USD." + "0" * 32, "é.USD." + "0" * 32],
)
@pytest.mark.parametrize("verb", ["capture", "release"])
def test_an_id_that_is_garbage_is_an_unknown_hold(shop, verb, hold_id) -> None:
    shop.issue("50.00")
    with shop.refuses(UnknownHold) as refused:
        getattr(shop.credit, verb)(hold_id, key="c")
    assert refused.error.hold_id == hold_id
    assert len(str(refused.error)) < 300


def test_an_id_of_a_lot_or_entry_is_no_hold(shop) -> None:
    receipt = shop.issue("50.00")
    for thing in (receipt.lot_id, receipt.entry_id):
        with shop.refuses(UnknownHold):
            shop.credit.capture(thing, key="c")


def test_the_hold_of_another_merchant_is_simply_unknown(shop) -> None:
    other = shop.open("bolt")
    other.issue("c-17", usd("50.00"), funding="refund", key="a")
    hold = other.hold("c-17", usd("30.00"), key="b").hold_id
    for verb, arguments in (
        ("capture", ()),
        ("release", ()),
        ("resize", (usd("1.00"),)),
        ("capture_part", (usd("1.00"),)),
    ):
        with shop.refuses(UnknownHold):
            getattr(shop.credit, verb)(hold, *arguments, key="c")
    assert other.capture(hold, key="c").amount == usd("30.00")


def test_a_hold_knows_its_draws_lot_by_lot() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    hold = Hold(
        "h",
        at,
        at + timedelta(hours=1),
        None,
        draws=(Draw("a", 10), Draw("b", 5), Draw("a", 5), Draw(None, 2)),
    )
    # A capture takes from the first draw of a lot on, a release from the last.
    captured = hold.moved(Move(What.CAPTURED, "a", 12, 0, 0, "h"))
    assert captured.draws == (Draw("b", 5), Draw("a", 3), Draw(None, 2))
    released = hold.moved(Move(What.RELEASED, "a", 12, 0, 0, "h"))
    assert released.draws == (Draw("a", 3), Draw("b", 5), Draw(None, 2))
    assert (captured.captured, captured.amount, released.captured) == (12, 10, 0)
    assert Hold.from_json(hold.to_json()) == hold


@pytest.mark.parametrize(
    ("what", "status"),
    [
        (What.CAPTURED, HoldStatus.CAPTURED),
        (What.RELEASED, HoldStatus.RELEASED),
        (What.LAPSED, HoldStatus.LAPSED),
    ],
)
def test_the_move_that_takes_the_last_of_a_hold_ends_it(what, status) -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    hold = Hold("h", at, at, None, draws=(Draw("a", 10),))
    assert hold.moved(Move(what, "a", 9, 0, 0, "h")).status is HoldStatus.ACTIVE
    assert hold.moved(Move(what, "a", 10, 0, 0, "h")).status is status
