"""Issuing many lots: all or none, or in batches that can be run again (A12, S1)."""

from __future__ import annotations

import pytest

from storecredit.errors import AmountNotPositive, InvalidTerms, InvalidText, KeyReused
from storecredit.service import Grant
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def grant(number: int, **more) -> Grant:
    given = {
        "holder": f"h{number}",
        "amount": usd("5.00"),
        "funding": "goodwill",
        "key": f"g{number}",
        **more,
    }
    return Grant(**given)


def test_many_are_given_in_one_transaction_each_with_its_own_terms(shop) -> None:
    about = {"actor": "ann", "reason": "sorry", "at": shop.clock.now}
    receipts = shop.credit.issue_many(
        [grant(1, expires=Period(days=9), priority=2, about=about), grant(2), grant(1, key="g3")]
    )
    assert [receipt.holder for receipt in receipts] == ["h1", "h2", "h1"]
    assert shop.available("h1") == "USD 10.00"
    assert receipts[0].entry.context.actor == "ann"
    assert about == {"actor": "ann", "reason": "sorry", "at": shop.clock.now}
    assert shop.credit.issue_many([]) == ()


def test_one_refused_grant_keeps_all_others_out(shop) -> None:
    shop.issue("1.00")
    with shop.refuses(AmountNotPositive):
        shop.credit.issue_many([grant(1), grant(2, amount=usd("0.00"))])
    with shop.refuses(InvalidText):
        shop.credit.issue_many([grant(1), grant(2, holder="")])
    with shop.refuses(KeyReused):
        shop.credit.issue_many([grant(1), grant(1, amount=usd("6.00"))])


def test_the_same_grant_twice_in_a_batch_is_given_once(shop) -> None:
    first, second = shop.credit.issue_many([grant(1), grant(1)])
    assert (first.replayed, second.replayed, first == second) == (False, True, True)
    assert shop.available("h1") == "USD 5.00"


def test_a_stream_is_given_in_batches_and_can_be_run_again(shop) -> None:
    grants = [grant(number) for number in range(5)]
    stream = shop.credit.issue_each(iter(grants), batch=2)
    for _ in range(3):
        next(stream)
    # Two batches of two are done; the fifth is not.
    assert [shop.available(f"h{number}") for number in range(5)] == ["USD 5.00"] * 4 + ["USD 0.00"]
    replayed = [receipt.replayed for receipt in shop.credit.issue_each(grants, batch=2)]
    assert replayed == [True] * 4 + [False]
    assert list(shop.credit.issue_each([])) == []


@pytest.mark.parametrize("batch", [0, -1, 2.5, True])
def test_a_batch_is_a_whole_number_from_one_up(shop, batch) -> None:
    with shop.refuses(InvalidTerms) as refused:
        list(shop.credit.issue_each([grant(1)], batch=batch))
    assert (refused.error.field, refused.error.value) == ("batch", batch)
