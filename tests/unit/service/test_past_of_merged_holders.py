"""What was to be seen of a holder before a merger stays to be seen after it (A17, A19)."""

from __future__ import annotations

from datetime import timedelta

from storecredit.service import _reading
from storecredit.values import Money


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def two_holders(shop):
    """Give a 30 dollars and b 5; return the instant at which both have just that."""
    shop.issue("30.00", holder="a")
    shop.issue("5.00", holder="b")
    before = shop.clock()
    shop.clock.forward(days=1)
    return before


def lines(shop, holder: str) -> list[tuple[str, str, str]]:
    return [
        (line.kind.value, str(line.change.decimal), str(line.balance.decimal))
        for line in shop.credit.statement(holder, "USD")
    ]


def test_a19_a_merged_holder_had_then_what_was_the_holders_own(shop) -> None:
    before = two_holders(shop)
    own = shop.account("a")
    shop.credit.merge("a", "b", key="m")
    assert str(shop.credit.wallet("a", at=before).available) == "USD 30.00"
    assert str(shop.credit.wallet("b", at=before).available) == "USD 5.00"
    then = shop.account("a", at=before)
    assert (then.id, then.version, then.available) == (own.id, own.version, usd("30.00"))
    assert shop.account("b", at=before).available == usd("5.00")


def test_a19_the_merger_counts_from_its_own_instant_on(shop) -> None:
    two_holders(shop)
    merged = shop.clock()
    shop.credit.merge("a", "b", key="m")
    shop.clock.forward(days=1)
    shop.issue("1.00", holder="b")
    just_before = merged - timedelta(microseconds=1)
    assert shop.account("a", at=just_before).available == usd("30.00")
    assert shop.account("a", at=merged).available == usd("35.00")
    assert str(shop.credit.wallet("a", at=just_before).available) == "USD 30.00"
    assert str(shop.credit.wallet("a", at=merged).available) == "USD 35.00"
    assert str(shop.credit.wallet("a").available) == "USD 36.00"
    assert shop.account("a").available == usd("36.00")


def test_a19_a_unit_that_only_the_survivor_had_was_not_the_merged_holders(shop) -> None:
    two_holders(shop)
    shop.credit.issue("b", eur("9.00"), funding="refund", key="e")
    before = shop.clock()
    shop.clock.forward(days=1)
    shop.credit.merge("a", "b", key="m")
    assert [view.unit.code for view in shop.credit.wallet("a", at=before).accounts] == ["USD"]
    assert shop.account("a", "EUR", at=before).available == eur("0.00")
    assert [view.unit.code for view in shop.credit.wallet("a").accounts] == ["EUR", "USD"]
    assert shop.account("a", "EUR", at=shop.clock()).available == eur("9.00")


def test_a19_a_chain_of_mergers_is_followed_as_far_as_it_went_by_then(shop) -> None:
    first = two_holders(shop)
    shop.issue("100.00", holder="c")
    shop.credit.merge("a", "b", key="m1")
    second = shop.clock()
    shop.clock.forward(days=1)
    shop.credit.merge("b", "c", key="m2")
    seen = [str(shop.account("a", at=at).available) for at in (first, second, shop.clock())]
    assert seen == ["USD 30.00", "USD 35.00", "USD 135.00"]
    seen = [str(shop.credit.wallet("a", at=at).available) for at in (first, second, shop.clock())]
    assert seen == ["USD 30.00", "USD 35.00", "USD 135.00"]


def test_a17_the_journal_of_a_merged_holder_goes_on_in_the_survivors(shop) -> None:
    two_holders(shop)
    shop.credit.merge("a", "b", key="m")
    shop.redeem("2.00", holder="a")
    found = [(entry.kind.value, entry.sequence) for entry in shop.credit.journal("a", "USD")]
    assert found == [("issue", 1), ("merge_out", 2), ("merge_in", 2), ("redeem", 3)]
    found = [(entry.kind.value, entry.sequence) for entry in shop.credit.journal("b", "USD")]
    assert found == [("issue", 1), ("merge_in", 2), ("redeem", 3)]


def test_a17_the_balance_of_a_statement_is_right_across_a_merger(shop) -> None:
    two_holders(shop)
    shop.redeem("10.00", holder="a")
    shop.credit.merge("a", "b", key="m1")
    shop.redeem("1.00", holder="a")
    shop.issue("100.00", holder="c")
    shop.credit.merge("b", "c", key="m2")
    assert lines(shop, "a") == [
        ("issue", "30.00", "30.00"),
        ("redeem", "-10.00", "20.00"),
        ("merge_out", "-20.00", "0.00"),
        ("merge_in", "20.00", "25.00"),
        ("redeem", "-1.00", "24.00"),
        ("merge_out", "-24.00", "0.00"),
        ("merge_in", "24.00", "124.00"),
    ]
    assert lines(shop, "b")[0] == ("issue", "5.00", "5.00")
    assert lines(shop, "c")[-1] == ("merge_in", "24.00", "124.00")


def test_a17_what_was_owed_moves_and_the_balance_stays_right(shop) -> None:
    two_holders(shop)
    shop.credit.set_limit("a", "USD", usd("50.00"), key="l")
    shop.redeem("40.00", holder="a")
    shop.credit.merge("a", "b", key="m")
    shop.credit.freeze("b", "USD", key="f")
    assert lines(shop, "a")[-3:] == [
        ("merge_out", "0.00", "0.00"),
        ("merge_in", "0.00", "5.00"),
        ("freeze", "0.00", "5.00"),
    ]


def test_a17_a_merger_of_nothing_leads_on_as_well(shop) -> None:
    two_holders(shop)
    shop.redeem("30.00", holder="a")
    shop.credit.merge("a", "b", key="m")
    shop.clock.forward(days=1)
    shop.credit.freeze("b", "USD", key="f")
    assert lines(shop, "a") == [
        ("issue", "30.00", "30.00"),
        ("redeem", "-30.00", "0.00"),
        ("merge_out", "0.00", "0.00"),
        ("merge_in", "0.00", "5.00"),
        ("freeze", "0.00", "5.00"),
    ]


def test_a17_a_merger_at_the_end_of_a_page_is_followed(shop, monkeypatch) -> None:
    monkeypatch.setattr(_reading, "_PAGE", 2)
    two_holders(shop)
    shop.credit.merge("a", "b", key="m1")
    shop.issue("100.00", holder="c")
    shop.credit.merge("b", "c", key="m2")
    kinds = [entry.kind.value for entry in shop.credit.journal("a", "USD")]
    assert kinds == ["issue", "merge_out", "merge_in", "merge_out", "merge_in"]
    assert lines(shop, "a")[-1] == ("merge_in", "35.00", "135.00")


def test_a17_a_merger_while_a_journal_is_read_is_followed(shop, monkeypatch) -> None:
    monkeypatch.setattr(_reading, "_PAGE", 1)
    two_holders(shop)
    reading = shop.credit.journal("a", "USD")
    found = [next(reading).kind.value]
    shop.credit.merge("a", "b", key="m")
    found += [entry.kind.value for entry in reading]
    assert found == ["issue", "merge_out", "merge_in"]


def test_a17_a_unit_that_the_merged_holder_never_had_is_read_in_the_survivors(shop) -> None:
    two_holders(shop)
    shop.credit.merge("a", "b", key="m")
    shop.credit.issue("a", eur("9.00"), funding="refund", key="e")
    assert [entry.kind.value for entry in shop.credit.journal("a", "EUR")] == ["issue"]
