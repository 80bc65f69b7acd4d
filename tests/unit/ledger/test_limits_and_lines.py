"""Limited lots: categories, lines, channels, minimum orders and shares (A4), placed best (T3)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from storecredit.errors import InsufficientCredit, InvalidTerms, InvalidText, UnitMismatch
from storecredit.ledger import (
    DEFAULT_ORDER,
    Because,
    Funding,
    Limits,
    Line,
    Lot,
    Terms,
    Wanted,
    explain,
    place,
)
from storecredit.values import Money, Period

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def line(id_: str, amount: str, category: str | None = None) -> Line:
    return Line(id=id_, amount=usd(amount), category=category)


def lot(name: str, amount: int, limits: Limits | None = None, **terms) -> Lot:
    granted = Terms(funding=Funding.REFUND, **{"effective_at": SINCE, "limits": limits, **terms})
    return Lot(name, 1, SINCE, granted, None, amount, amount)


def wanted(amount: int, lines=None, **more) -> Wanted:
    return Wanted(amount=amount, at=NOW, order=DEFAULT_ORDER, lines=lines, **more)


def explained(lots, asked) -> list[tuple[str, int, Because]]:
    uses = explain(lots, asked, place(lots, asked))
    return [(use.lot, use.amount, use.because) for use in uses]


def drawn(lots, asked) -> dict[str, int]:
    return {draw.lot: draw.amount for draw in place(lots, asked)}


def test_without_lines_only_unlimited_lots_are_used_and_limited_value_is_shown_apart(shop) -> None:
    shop.issue("10.00", limits=Limits(categories=("shoes",)))
    shop.issue("5.00")
    account = shop.account()
    assert (account.available, account.limited) == (usd("5.00"), usd("10.00"))
    with shop.refuses(InsufficientCredit) as refused:
        shop.redeem("5.01")
    assert (refused.error.reachable, refused.error.limited) == (usd("5.00"), usd("10.00"))
    assert shop.redeem("5.00").amount == usd("5.00")


def test_with_lines_a_limited_lot_pays_only_the_lines_it_may(shop) -> None:
    shop.issue("10.00", limits=Limits(categories=("shoes",)))
    lines = [line("1", "4.00", "shoes"), line("2", "6.00", "hats")]
    with shop.refuses(InsufficientCredit) as refused:
        shop.redeem("4.01", lines=lines)
    assert refused.error.reachable == usd("4.00")
    assert shop.redeem("4.00", lines=lines).amount == usd("4.00")


def test_a_lot_for_named_lines_pays_those(shop) -> None:
    shop.issue("10.00", limits=Limits(lines=("2",)))
    receipt = shop.redeem("10.00", lines=[line("1", "4.00"), line("2", "6.00")], taking="up_to")
    assert receipt.amount == usd("6.00")


def test_a_minimum_order_counts_all_lines(shop) -> None:
    shop.issue("10.00", limits=Limits(minimum_order=5000))
    with shop.refuses(InsufficientCredit):
        shop.redeem("1.00", lines=[line("1", "49.99")])
    assert shop.redeem("1.00", lines=[line("1", "20.00"), line("2", "30.00")]).changed


def test_a_share_is_a_whole_percentage_rounded_down(shop) -> None:
    shop.issue("10.00", limits=Limits(share_percent=33))
    receipt = shop.redeem("1.00", lines=[line("1", "1.00")], taking="up_to")
    assert receipt.amount == usd("0.33")
    # 33 % of USD 0.02 is less than a cent.
    with shop.refuses(InsufficientCredit):
        shop.redeem("0.02", lines=[line("1", "0.02")], taking="up_to")


def test_an_excluded_channel_is_refused_and_nothing_changes(make_shop) -> None:
    shop = make_shop(channels=("web", "till 12"))
    shop.issue("10.00", limits=Limits(channels=("web",)))
    lines = [line("1", "5.00")]
    with shop.refuses(InsufficientCredit) as refused:
        shop.redeem("5.00", lines=lines, channel="till 12")
    assert refused.error.reachable == usd("0.00")
    assert shop.redeem("5.00", lines=lines, channel="web").amount == usd("5.00")


def test_a_line_in_another_unit_is_refused(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(UnitMismatch) as refused:
        shop.redeem("5.00", lines=[Line(id="1", amount=Money.of("5.00", "EUR"))])
    assert (refused.error.left.code, refused.error.right.code) == ("EUR", "USD")


def test_limited_lots_are_placed_so_that_none_is_stranded(shop) -> None:
    # Used first, the wide lot could take the only line that the narrow one may pay.
    shop.issue("10.00", limits=Limits(categories=("shoes", "hats")), expires=Period(days=1))
    shop.issue("10.00", limits=Limits(categories=("shoes",)), expires=Period(days=2))
    receipt = shop.redeem("20.00", lines=[line("1", "10.00", "shoes"), line("2", "10.00", "hats")])
    assert [move.amount for move in receipt.moves] == [1000, 1000]


def test_a_chain_of_lots_is_moved_along_until_all_lines_are_paid() -> None:
    lots = [
        lot("a", 100, Limits(lines=("1", "2")), priority=1),
        lot("b", 100, Limits(lines=("2", "3")), priority=2),
        lot("c", 100, Limits(lines=("1",)), priority=3),
    ]
    lines = (line("1", "1.00"), line("2", "1.00"), line("3", "1.00"))
    assert drawn(lots, wanted(300, lines)) == {"a": 100, "b": 100, "c": 100}


def test_a_lot_that_no_placement_can_use_says_that_no_line_is_left() -> None:
    lots = [
        lot("a", 100, Limits(lines=("1",)), priority=1),
        lot("b", 50, Limits(lines=("1",)), priority=2),
        lot("c", 500, priority=3),
    ]
    lines = (line("1", "1.00"), line("2", "0.30"))
    assert explained(lots, wanted(130, lines)) == [
        ("a", 100, Because.USED),
        ("b", 0, Because.NOT_NEEDED),
        ("c", 30, Because.USED),
    ]
    assert explained(lots[:2], wanted(130, lines)) == [
        ("a", 100, Because.USED),
        ("b", 0, Because.NO_LINE_LEFT),
    ]


@pytest.mark.parametrize(
    ("case", "because"),
    [
        (lot("x", 100), Because.USED),
        (lot("x", 0), Because.EMPTY),
        (lot("x", 100, effective_at=datetime(2026, 3, 3, tzinfo=UTC)), Because.PENDING),
        (lot("x", 100, expires_at=NOW), Because.EXPIRED),
        (lot("x", 100, Limits(categories=("shoes",))), Because.NO_ELIGIBLE_LINE),
        (lot("x", 100, Limits(minimum_order=101)), Because.MINIMUM_ORDER),
        (lot("x", 100, Limits(channels=("till",))), Because.CHANNEL),
    ],
)
def test_every_lot_says_why_it_was_used_or_not(case, because) -> None:
    asked = wanted(100, (line("1", "1.00"),), channel="web")
    assert explained([case], asked) == [("x", 100 if because is Because.USED else 0, because)]


def test_a_lot_that_is_held_not_named_or_needs_lines_says_so() -> None:
    held = Lot("h", 1, SINCE, Terms(funding=Funding.REFUND, effective_at=SINCE), None, 5, 5, 5)
    limited = lot("l", 100, Limits(minimum_order=1))
    assert explained([held, limited], wanted(100)) == [
        ("h", 0, Because.HELD),
        ("l", 0, Because.NEEDS_LINES),
    ]
    assert explained([lot("a", 100)], wanted(100, lot="b")) == [("a", 0, Because.NOT_NAMED)]


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({}, "limits"),
        ({"minimum_order": 0}, "minimum_order"),
        ({"minimum_order": 0.5}, "minimum_order"),
        ({"minimum_order": 2.5}, "minimum_order"),
        ({"minimum_order": True}, "minimum_order"),
        ({"minimum_order": "20"}, "minimum_order"),
        ({"share_percent": 0}, "share_percent"),
        ({"share_percent": 101}, "share_percent"),
        ({"share_percent": 12.5}, "share_percent"),
        ({"share_percent": True}, "share_percent"),
        ({"categories": "shoes"}, "categories"),
        ({"lines": "12"}, "lines"),
        ({"channels": "web"}, "channels"),
        ({"categories": 5}, "categories"),
    ],
)
def test_limits_that_cannot_be_are_refused(limits, field) -> None:
    with pytest.raises(InvalidTerms) as refused:
        Limits(**limits)
    assert refused.value.field == field


@pytest.mark.parametrize("field", ["categories", "lines", "channels"])
@pytest.mark.parametrize("text", [5, "", "a\x00b", "\ud800"])
def test_texts_of_limits_can_be_kept(field, text) -> None:
    with pytest.raises(InvalidText) as refused:
        Limits(**{field: ("web", text)})
    assert (refused.value.field, refused.value.text) == (field, text)


@pytest.mark.parametrize("field", ["id", "category"])
@pytest.mark.parametrize("text", [5, "", "a\x00b", "\ud800"])
def test_texts_of_lines_can_be_kept(field, text) -> None:
    with pytest.raises(InvalidText) as refused:
        Line(**{"id": "1", "amount": usd("1.00"), field: text})
    assert (refused.value.field, refused.value.text) == (f"line.{field}", text)


def test_limits_round_trip() -> None:
    limits = Limits(
        categories=["shoes"], lines=["1"], channels=["web"], minimum_order=100, share_percent=50
    )
    assert Limits.from_json(limits.to_json()) == limits


def test_limited_value_follows_a_transfer(shop) -> None:
    shop.issue("10.00", limits=Limits(categories=("shoes",)))
    shop.credit.transfer("c-17", "c-18", usd("10.00"), key="t")
    assert str(shop.account("c-18").limited) == "USD 10.00"
    with shop.refuses(InsufficientCredit):
        shop.redeem("1.00", holder="c-18")
