"""A refund takes back exactly the points that are due to go, by the record of their earning (P4, T6)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from storecredit.errors import (
    EarnedChanged,
    InvalidOrder,
    InvalidTender,
    InvalidTerms,
    KeyReused,
    LotExhausted,
    LotHeld,
    ReasonAndActorRequired,
    UnknownGrant,
)
from storecredit.ledger import Ceiling
from storecredit.policies import (
    EarnDecision,
    Earning,
    EarningPolicy,
    EarnRule,
    PolicyVersion,
    Purchase,
    PurchaseLine,
    Returned,
    earn,
    purchase_of,
    returned_of,
)
from storecredit.service import Checkout
from storecredit.tenders import (
    Earned,
    External,
    LineAmount,
    PayingRate,
    RefundPlan,
    RefundRequest,
    RefundRules,
)
from storecredit.values import CustomUnit, ExchangeRate, Money, Period, Rounding

CARD = External("card")
PTS = CustomUnit("PTS", 0)
ANN: Any = {"actor": "ann", "reason": "came back"}
RULES = RefundRules(shortfall="absorb")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def back(line: str, amount: str) -> Returned:
    return Returned(line=line, amount=usd(amount))


def decided(checkout: Checkout, **terms: Any) -> EarnDecision:
    """Ten points for each whole ten dollars."""
    rule = EarnRule(id="all", per=usd("10.00"), points=10, **terms)
    bought = purchase_of(checkout.record.plan, holder="c-17", unit=usd("1.00").unit)
    named = PolicyVersion("points", "1")
    return earn(EarningPolicy(rules=[rule]), bought, named=named, units=[PTS])


def planned(
    counter: Any, checkout: Checkout, returned: Any, *, lines: Any = ("1",), **more: Any
) -> RefundPlan:
    earned = counter.credit.earned("o-1", returned, **more)
    return checkout.plan_refund(RefundRequest.of_lines(lines), rules=RULES, earned=earned)


@pytest.fixture
def earning(counter: Any) -> tuple[Checkout, Earning]:
    """Two lines of USD 15.00 and one of 20.00 by card, which have earned 50 points."""
    checkout = counter.paid("15.00", "15.00", "20.00", tenders=[CARD])
    return checkout, counter.credit.earn(decided(checkout))


def test_p4_what_is_due_to_go_goes_with_the_refund_whatever_the_share_is(counter, earning) -> None:
    checkout, _ = earning
    # 35.00 is left, and earns 30: 20 go, where the share of the line was 15.
    plan = planned(counter, checkout, back("1", "15.00"))
    assert sum(each.amount.minor for each in plan.taken_back) == 20
    for about in ({}, {"actor": "ann"}, {"reason": "came back"}):
        with counter.refuses(ReasonAndActorRequired):
            checkout.refund(plan, key="r", returned=back("1", "15.00"), **about)
    checkout.refund(plan, key="r", returned=back("1", "15.00"), **ANN)
    assert counter.left("PTS") == ("30", "0")
    known = counter.credit.earning("o-1")
    (removal,) = known.removals
    assert (removal.key, removal.returned) == ("~refund:r", (back("1", "15.00"),))
    assert (removal.points, removal.short) == (pts(20), pts(0))
    *_, entry = counter.credit.journal("c-17", "PTS")
    assert (entry.id, entry.kind) == (removal.entry, "revoke")
    # Of the next half nothing is due.
    half = back("2", "5.00")
    assert counter.credit.earned("o-1", half) is None
    amount = RefundRequest.of_amount(usd("5.00"))
    checkout.refund(checkout.plan_refund(amount, rules=RULES), key="r2", returned=[half])
    assert counter.credit.earning("o-1").removed == pts(20)
    assert counter.credit.earning("o-1").kept.line("2").amount == usd("10.00")


def test_a_repeat_of_the_refund_finds_it_done(counter, earning) -> None:
    checkout, _ = earning
    plan = planned(counter, checkout, back("1", "15.00"))
    for _ in range(2):
        checkout.refund(plan, key="r", returned=back("1", "15.00"), **ANN)
    before = counter.records(), counter.shop.dump()
    checkout.refund(plan, key="r")
    assert (counter.records(), counter.shop.dump()) == before
    assert len(counter.credit.earning("o-1").removals) == 1


def test_p4_points_that_went_by_another_way_do_not_go_again(counter, earning) -> None:
    checkout, _ = earning
    plan = planned(counter, checkout, back("1", "15.00"))
    counter.credit.remove_earned("o-1", back("1", "15.00"), key="by hand", **ANN)
    with counter.refuses(InvalidOrder):
        checkout.refund(plan, key="r", returned=back("1", "15.00"), **ANN)
    with counter.refuses(EarnedChanged) as refused:
        checkout.refund(plan, key="r", returned=[], **ANN)
    assert (str(refused.error.planned), str(refused.error.due)) == ("PTS 20", "nothing")
    # Planned anew, with nothing that comes back beyond what is on record, it goes through.
    assert counter.credit.earned("o-1", []) is None
    again = checkout.plan_refund(RefundRequest.of_lines(["1"]), rules=RULES)
    checkout.refund(again, key="r", **ANN)
    assert counter.left("PTS") == ("30", "0")


def test_p4_the_way_by_hand_finds_what_a_refund_took(counter, earning) -> None:
    checkout, _ = earning
    checkout.refund(
        planned(counter, checkout, back("1", "15.00")),
        key="r",
        returned=back("1", "15.00"),
        **ANN,
    )
    with counter.refuses(InvalidOrder):
        counter.credit.remove_earned("o-1", back("1", "15.00"), key="again", **ANN)
    counter.credit.remove_earned("o-1", (), key="nothing", **ANN)
    assert counter.left("PTS") == ("30", "0")
    counter.credit.remove_earned("o-1", back("2", "15.00"), key="more", **ANN)
    assert counter.left("PTS") == ("20", "0")


def test_an_old_plan_is_refused_after_another_refund(counter, earning) -> None:
    checkout, _ = earning
    first, second = (
        planned(counter, checkout, back(line, "15.00"), lines=[line]) for line in ("1", "2")
    )
    checkout.refund(first, key="r1", returned=back("1", "15.00"), **ANN)
    with counter.refuses(EarnedChanged) as refused:
        checkout.refund(second, key="r2", returned=back("2", "15.00"), **ANN)
    assert (str(refused.error.planned), str(refused.error.due)) == ("PTS 20", "PTS 10")


def test_missing_points_lower_the_refund_once(counter, earning) -> None:
    checkout, _ = earning
    counter.credit.redeem("c-17", pts(45), key="spent")
    rate = PayingRate(
        ExchangeRate.equating(pts(100), usd("1.00"), on=dt.date(2026, 1, 1)), Rounding.HALF_UP
    )
    going = counter.credit.earned("o-1", back("1", "15.00"), rate=rate)
    assert (going.reachable, going.in_full) == (pts(5), True)
    plan = checkout.plan_refund(RefundRequest.of_lines(["1"]), earned=going)
    assert (plan.missing, str(plan.to("withheld"))) == (pts(15), "USD 0.15")
    checkout.refund(plan, key="r", returned=back("1", "15.00"), **ANN)
    assert [str(each.amount) for each in checkout.refunds_due] == ["USD 14.85"]
    known = counter.credit.earning("o-1")
    assert (known.removed, known.short) == (pts(20), pts(15))
    # What was made up for is not claimed again; 30 of the 45 that are spent are left to miss.
    rest = [back("2", "15.00"), back("3", "20.00")]
    assert counter.credit.earned("o-1", rest).reachable == pts(0)
    known = counter.credit.remove_earned("o-1", rest, key="rest", **ANN)
    assert (known.removed, known.short) == (pts(50), pts(45))


def test_what_is_all_missing_is_on_record_and_makes_no_entry(counter, earning) -> None:
    checkout, _ = earning
    counter.credit.redeem("c-17", pts(50), key="spent")
    plan = planned(counter, checkout, back("1", "15.00"))
    assert plan.missing == pts(20)
    # Nobody has to answer for nothing; but it is to be said what comes back.
    with counter.refuses(InvalidTender):
        checkout.refund(plan, key="r")
    checkout.refund(plan, key="r", returned=back("1", "15.00"))
    (removal,) = counter.credit.earning("o-1").removals
    assert (removal.points, removal.short, removal.entry) == (pts(20), pts(20), None)
    assert "revoked" not in counter.shop.totals(unit="PTS")


def test_expired_points_are_gone_and_lower_nothing(counter) -> None:
    checkout = counter.paid("30.00", tenders=[CARD])
    counter.credit.earn(decided(checkout, expires=Period(days=10)))
    counter.credit.redeem("c-17", pts(10), key="spent")
    counter.shop.clock.forward(days=10)
    plan = planned(counter, checkout, back("1", "30.00"))
    assert plan.missing == pts(10)
    checkout.refund(plan, key="r", returned=back("1", "30.00"), **ANN)
    known = counter.credit.earning("o-1")
    assert (known.removed, known.short) == (pts(30), pts(10))


def test_what_is_spent_since_the_plan_is_missing_by_the_rule_of_the_points(counter) -> None:
    checkout = counter.paid("30.00", tenders=[CARD])
    counter.credit.earn(decided(checkout, shortfall="all_or_nothing"))
    plan = planned(counter, checkout, back("1", "30.00"))
    assert plan.missing is None
    counter.credit.redeem("c-17", pts(1), key="spent")
    with counter.refuses(LotExhausted):
        checkout.refund(plan, key="r", returned=back("1", "30.00"), **ANN)
    other = planned(counter, checkout, back("1", "30.00"))
    assert other.missing == pts(1)
    checkout.refund(other, key="r", returned=back("1", "30.00"), **ANN)
    assert counter.left("PTS") == ("0", "0")


def test_a17_points_are_taken_of_whom_the_holder_was_merged_into(counter, earning) -> None:
    checkout, _ = earning
    plan = planned(counter, checkout, back("1", "15.00"))
    counter.credit.merge("c-17", "eve", key="one", **ANN)
    checkout.refund(plan, key="r", returned=back("1", "15.00"), **ANN)
    assert counter.left("PTS", holder="eve") == ("30", "0")
    assert counter.credit.verify().ok


def test_points_that_are_held_wait_for_their_hold(counter, earning) -> None:
    checkout, _ = earning
    plan = planned(counter, checkout, back("1", "15.00"))
    hold = counter.credit.hold("c-17", pts(10), key="h").hold_id
    with counter.refuses(LotHeld):
        checkout.refund(plan, key="r", returned=back("1", "15.00"), **ANN)
    counter.credit.release(hold, key="x")
    checkout.refund(plan, key="r", returned=back("1", "15.00"), **ANN)


def test_it_has_to_be_said_which_points_go_and_once(counter, earning) -> None:
    checkout, known = earning
    plan, returned = planned(counter, checkout, back("1", "15.00")), back("1", "15.00")
    told: list[tuple[str, dict[str, Any]]] = [
        ("returned", {}),
        # The lot of the earning is worked through its record alone.
        ("returned", {"earned_lot": known.lot}),
        ("earned_lot", {"earned_lot": known.lot, "returned": returned}),
    ]
    for field, named in told:
        with counter.refuses(InvalidTender) as refused:
            checkout.refund(plan, key="r", **named, **ANN)
        assert refused.error.field == field
    for wrong in ("", "1", b"", {}, 7, [7], {"1": "15.00"}):
        with counter.refuses(InvalidTerms):
            checkout.refund(plan, key="r", returned=wrong, **ANN)
        with counter.refuses(InvalidTerms):
            counter.credit.earned("o-1", wrong)
    for odd in (back("9", "1.00"), back("1", "15.01"), back("1", "-1.00")):
        with counter.refuses(InvalidOrder):
            checkout.refund(plan, key="r", returned=odd, **ANN)
        with counter.refuses(InvalidOrder):
            counter.credit.earned("o-1", odd)


def test_other_points_of_the_order_are_taken_of_their_own_lot(counter, earning) -> None:
    checkout, _ = earning
    extra = counter.points(8).lot_id
    earned = Earned(lines=[LineAmount("1", pts(8))], reachable=pts(8))
    plan = checkout.plan_refund(RefundRequest.of_lines(["1"]), earned=earned)
    checkout.refund(plan, key="r", earned_lot=extra, **ANN)
    assert counter.left("PTS") == ("50", "0")
    assert counter.credit.earning("o-1").removals == ()


def test_a17_a_lot_by_hand_is_followed_into_the_holder_it_was_merged_into(counter) -> None:
    checkout = counter.paid("30.00", tenders=[CARD])
    lot = counter.points(30).lot_id
    counter.credit.redeem("c-17", pts(10), key="spent")
    earned = Earned(lines=[LineAmount("1", pts(30))], reachable=pts(30))
    plan = checkout.plan_refund(RefundRequest.of_lines(["1"]), earned=earned)
    counter.credit.merge("c-17", "eve", key="one", **ANN)
    checkout.refund(plan, key="r", earned_lot=lot, **ANN)
    assert counter.left("PTS", holder="eve") == ("0", "0")
    *_, entry = counter.credit.journal("eve", "PTS")
    assert (entry.kind, entry.facts["shortfall"]) == ("revoke", 10)


def test_an_order_that_never_earned_has_nothing_on_record(counter) -> None:
    checkout = counter.paid("30.00", tenders=[CARD])
    plan = checkout.plan_refund(RefundRequest.of_lines(["1"]))
    with counter.refuses(UnknownGrant):
        checkout.refund(plan, key="r", returned=back("1", "30.00"), **ANN)
    with counter.refuses(UnknownGrant):
        counter.credit.earned("o-1", back("1", "30.00"))


def test_a_plan_with_points_for_an_order_that_earned_none_is_refused(counter) -> None:
    checkout = counter.paid("5.00", tenders=[CARD])
    counter.credit.earn(decided(checkout))
    earned = Earned(lines=[LineAmount("1", pts(3))], reachable=pts(3))
    plan = checkout.plan_refund(RefundRequest.of_lines(["1"]), earned=earned)
    with counter.refuses(EarnedChanged):
        checkout.refund(plan, key="r", returned=back("1", "5.00"), **ANN)
    assert counter.credit.earned("o-1", back("1", "5.00")) is None


def test_what_comes_back_is_read_from_the_refund(counter) -> None:
    counter.shop.issue("12.00")
    lines = ["20.00", ("10.00", 4)]
    counter.points(4)
    tenders = [counter.tender(), counter.tender("points", PTS), CARD]
    checkout = counter.paid(*lines, tenders=tenders)
    unit = usd("1.00").unit
    bought = purchase_of(checkout.record.plan, holder="c-17", unit=unit)
    whole = checkout.plan_refund(RefundRequest.of_everything(checkout.payment))
    found = returned_of(whole, checkout.record.plan, unit=unit)
    # All of it: nothing is left, whether credit paid it or the card.
    assert all(line.amount.is_zero and line.by_credit.is_zero for line in bought.less(found).lines)
    assert [each.line for each in returned_of(whole, checkout.record.plan, unit=PTS)] == ["2"]
    some = checkout.plan_refund(RefundRequest.of_amount(usd("3.00")))
    found = returned_of(some, checkout.record.plan, unit=unit)
    assert sum(each.amount.minor for each in found) == 300
    assert [each.credit for each in found] == [each.amount for each in found]
    assert returned_of(some, checkout.record.plan, unit=PTS) == ()


def test_what_expired_in_a_lot_that_is_used_up_by_now_is_not_missing(counter) -> None:
    checkout = counter.paid("30.00", tenders=[CARD])
    counter.credit.earn(decided(checkout, expires=Period(days=10)))
    counter.credit.merge("c-17", "eve", key="one", **ANN)
    counter.shop.clock.forward(days=10)
    counter.credit.expire_due()
    # Nobody has spent any of them.
    going = counter.credit.earned("o-1", back("1", "30.00"))
    assert (going.reachable, len(going.lines)) == (pts(30), 1)
    known = counter.credit.remove_earned("o-1", back("1", "30.00"), key="r", **ANN)
    assert (known.removed, known.short) == (pts(30), pts(0))


def test_points_that_came_back_into_a_lot_and_were_taken_are_not_missing(counter) -> None:
    checkout = counter.paid("15.00", "15.00", "20.00", tenders=[CARD])
    counter.credit.earn(decided(checkout, expires=Period(days=10)))
    spent = counter.credit.redeem("c-17", pts(8), key="spent")
    counter.shop.clock.forward(days=10)
    counter.credit.restore(spent.entry_id, expired="grace", key="back")
    counter.credit.remove_earned("o-1", back("1", "15.00"), key="r1", **ANN)
    plan = planned(counter, checkout, back("3", "20.00"), lines=["3"])
    assert plan.missing is None
    checkout.refund(plan, key="r2", returned=back("3", "20.00"), **ANN)
    assert counter.credit.earning("o-1").short == pts(0)


def test_a11_points_that_a_ceiling_kept_back_need_not_go(counter) -> None:
    credit = counter.shop.open("small", units=(PTS,), ceilings=[Ceiling(pts(30), "up_to")])
    rule = EarnRule(id="all", per=usd("10.00"), points=10)
    lines = [PurchaseLine(id=name, amount=usd("25.00")) for name in ("1", "2")]
    purchase = Purchase(order="o-1", holder="c-17", lines=lines, at=counter.shop.clock())
    policy, named = EarningPolicy(rules=[rule]), PolicyVersion("points", "1")
    known = credit.earn(earn(policy, purchase, named=named, units=[PTS]))
    assert (known.decision.points, known.points) == (pts(50), pts(30))
    # What is kept earns 30, and 30 are there.
    known = credit.remove_earned("o-1", back("1", "15.00"), key="r1", **ANN)
    assert known.removed == pts(0)
    known = credit.remove_earned("o-1", back("2", "25.00"), key="r2", **ANN)
    assert (known.removed, known.short) == (pts(20), pts(0))
    assert credit.account("c-17", PTS).available == pts(10)


def test_a_lot_that_carries_them_after_a_merger_is_worked_by_the_record_too(counter) -> None:
    checkout = counter.paid("15.00", "15.00", "20.00", tenders=[CARD])
    counter.credit.earn(decided(checkout))
    plan = planned(counter, checkout, back("1", "15.00"))
    counter.credit.merge("c-17", "eve", key="one", **ANN)
    (carrier,) = counter.credit.account("eve", PTS).lots
    with counter.refuses(InvalidTender) as refused:
        checkout.refund(plan, key="r", earned_lot=carrier.id, **ANN)
    assert refused.error.field == "returned"


def test_a12_a_repeat_has_to_say_that_the_same_comes_back(counter, earning) -> None:
    checkout, _ = earning
    plan = planned(counter, checkout, back("1", "15.00"))
    checkout.refund(plan, key="r", returned=back("1", "15.00"), **ANN)
    for other in ([], back("1", "14.99"), back("2", "15.00")):
        with counter.refuses(KeyReused) as refused:
            checkout.refund(plan, key="r", returned=other, **ANN)
        assert refused.error.field == "returned"
    checkout.refund(plan, key="r", returned=back("1", "15.00"))
    plain = checkout.plan_refund(RefundRequest.of_lines(["2"]), rules=RULES)
    checkout.refund(plain, key="plain")
    with counter.refuses(KeyReused):
        checkout.refund(plain, key="plain", returned=back("2", "15.00"), **ANN)


def test_what_is_no_rate_and_no_earned_is_refused(counter, earning) -> None:
    checkout, _ = earning
    for rate in (1, "x", ExchangeRate(PTS, "USD", "0.01", on=dt.date(2026, 1, 1))):
        with counter.refuses(InvalidTender):
            counter.credit.earned("o-1", back("1", "15.00"), rate=rate)
    for wrong in (1, "x", [LineAmount("1", pts(1))]):
        with counter.refuses(InvalidTender):
            checkout.plan_refund(RefundRequest.of_lines(["1"]), earned=wrong)
    with counter.refuses(InvalidTender):
        Earned(lines=[], reachable=pts(1), in_full="no")  # type: ignore[arg-type]  # what is tried
