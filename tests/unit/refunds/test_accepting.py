"""What is accepted of a decision: by pieces, exactly, and never more for accepting less (P5, V5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns_desk import a_policy, back, eur, points

from storecredit.policies import Bonus, Fee, RefundDecision, RefundRule, ReturnRequest
from storecredit.refunds import Fraction, carried_out, goods_to_return
from storecredit.refunds.accepting import fractions
from storecredit.refunds.facts import LineShare
from storecredit.refunds.sharing import of_accepted
from storecredit.tenders import TenderKind
from storecredit.testing.contract.scene import NOON
from storecredit.values import Money

WITH_ALL = RefundRule(
    id="all", offer=("credit", "money"), bonus=Bonus(percent=10), fee=Fee(percent="12.5")
)


def decided(*lines: Any, kind: str = "credit", rule: RefundRule = WITH_ALL) -> RefundDecision:
    request = ReturnRequest(id="r", merchant="acme", at=NOON, holder="c-17", lines=lines)
    return a_policy((rule,)).offers(request).choose(kind, consent=True)


def test_amounts_are_divided_by_pieces_halves_up_and_a_bonus_down() -> None:
    decision = decided(back("1", "33.35", pieces=3, restored=(points(50), eur("6.65"))))
    whole = decision.offer.lines[0]
    assert (whole.credit, whole.fee, whole.bonus) == (eur("28.35"), eur("5.00"), eur("2.83"))
    one = carried_out(decision, {"1": 1}).offer.lines[0]
    # 28.35 / 3 = 9.45; 5.00 / 3 = 1.666..; 2.83 / 3 = 0.943..; 6.65 / 3 = 2.216..; 50 / 3 = 16.6..
    assert (one.credit, one.fee, one.bonus) == (eur("9.45"), eur("1.67"), eur("0.94"))
    assert (one.restored["EUR"], one.restored[points(0).unit]) == (eur("2.22"), points(17))
    none = carried_out(decision, {"1": 0}).offer.lines[0]
    assert none.credit.is_zero
    assert none.restored.is_zero
    assert carried_out(decision, {"1": 3}) == decision
    assert carried_out(decision, None) is decision


def test_the_lots_of_what_is_accepted_keep_their_terms() -> None:
    decision = decided(back("1", "30.00", pieces=3), back("2", "8.00"))
    lots = carried_out(decision, {"1": 2, "2": 0}).lots
    assert [(lot.funding, lot.amount) for lot in lots] == [
        ("refund", eur("17.50")),
        ("promotional", eur("1.74")),
    ]


def test_tax_follows_the_goods_in_proportion_and_the_rest_as_long_as_any_are_accepted() -> None:
    lines = (
        back("dear", "30.00", pieces=3),
        back("cheap", "10.00"),
        back("tax", "8.00", kind="tax"),
        back("post", "5.00", kind="shipping"),
    )
    decision = decided(*lines, kind="money", rule=RefundRule(id="m", offer=("money",)))
    assert [line.id for line in goods_to_return(decision)] == ["dear", "cheap"]

    def amounts(**accepted: int) -> list[Money]:
        return [line.tenders for line in carried_out(decision, accepted).offer.lines]

    assert amounts(dear=3, cheap=0) == [eur("30.00"), eur("0.00"), eur("6.00"), eur("5.00")]
    assert amounts(dear=1, cheap=1) == [eur("10.00"), eur("10.00"), eur("4.00"), eur("5.00")]
    assert amounts(dear=0, cheap=0) == [eur("0.00")] * 4
    # Whoever inspects may say otherwise.
    assert amounts(dear=3, cheap=1, post=0)[-1] == eur("0.00")


def test_tax_on_goods_that_cost_nothing_follows_their_pieces() -> None:
    lines = (back("free", "0.00", pieces=4), back("tax", "8.00", kind="tax"))
    decision = decided(*lines, kind="money", rule=RefundRule(id="m", offer=("money",)))
    assert carried_out(decision, {"free": 1}).tenders == eur("2.00")


def test_what_is_kept_is_refunded_whole() -> None:
    rule = RefundRule(id="keep", offer=("money",), goods="keep")
    decision = decided(back("1", "3.00", pieces=2), kind="money", rule=rule)
    assert goods_to_return(decision) == ()
    assert fractions(decision, {}) == {"1": Fraction(1, 1)}


AMOUNTS = st.integers(0, 5_000)


@given(
    external=AMOUNTS,
    restored=AMOUNTS,
    pieces=st.integers(1, 9),
    percent=st.integers(0, 100),
    data=st.data(),
)
def test_v5_what_is_accepted_and_what_is_not_sum_to_the_decision_and_less_is_never_more(
    external: int, restored: int, pieces: int, percent: int, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(["credit", "money"]))
    rule = RefundRule(
        id="r", offer=("credit", "money"), bonus=Bonus(percent=7), fee=Fee(percent=percent)
    )
    line = back(
        "1",
        str(Money.of_minor(external, "EUR").decimal),
        pieces=pieces,
        restored=(Money.of_minor(restored, "EUR"),),
    )
    decision = decided(line, kind=kind, rule=rule)
    more = data.draw(st.integers(0, pieces))
    less = data.draw(st.integers(0, more))
    whole, some, fewer, others = (
        carried_out(decision, {"1": count}).offer.lines[0]
        for count in (pieces, more, less, pieces - more)
    )
    for name in ("tenders", "credit", "bonus"):
        assert getattr(fewer, name) <= getattr(some, name) <= getattr(whole, name)
        # Halves go up on both sides, so that two halves may be one minor unit more.
        both = getattr(some, name) + getattr(others, name) - getattr(whole, name)
        assert both.minor in ((0, -1) if name == "bonus" else (0, 1))
    assert fewer.restored["EUR"] <= some.restored["EUR"]
    # What goes back, and what is kept, are what was paid for the pieces.
    share = Fraction(more, pieces)
    paid = share.share(line.external) + share.share(line.restored["EUR"])
    assert some.tenders + some.credit + some.restored["EUR"] + some.fee == paid
    assert not some.fee.is_negative


@pytest.mark.parametrize(("parts", "of"), [(1, 3), (2, 3), (0, 5), (5, 5)])
def test_a_fraction_and_the_rest_are_the_whole(parts: int, of: int) -> None:
    share = Fraction(parts, of).share(eur("10.00"))
    rest = eur("10.00").allocate([parts, of - parts])[1] if of > parts else eur("0.00")
    assert share + rest == eur("10.00")


def test_what_tenders_had_paid_together_is_divided_together() -> None:
    def share(tender: str, amount: Money, covers: Money) -> LineShare:
        kind = TenderKind.CREDIT
        return LineShare(
            line="1", tender=tender, lot="lot", amount=amount, covers=covers, kind=kind
        )

    cent, nothing = eur("0.01"), eur("0.00")
    three = [share(name, cent, cent) for name in "abc"]
    assert [each.amount for each in of_accepted(three, Fraction(1, 3))] == [cent, nothing, nothing]
    # Points at a rate may have paid what is too little for one of them.
    rounded = [share("points", points(0), cent)]
    assert [each.amount for each in of_accepted(rounded, Fraction(1, 2))] == [points(0)]
