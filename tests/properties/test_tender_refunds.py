"""Laws of refund plans: whatever the steps, each tender ends at exactly what it paid (T6, V5)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from storecredit.tenders import (
    Beyond,
    Destination,
    LineKind,
    Payment,
    Payout,
    PointsRule,
    Redirect,
    RefundItem,
    RefundPart,
    RefundPlan,
    RefundRequest,
    RefundRules,
    TenderRule,
    plan_payment,
    plan_refund,
)
from storecredit.testing.tender_strategies import worlds
from storecredit.values import Balance, Money, Rounding, Unit

RULES = [rule for rule in TenderRule if rule is not TenderRule.BY_HAND]


def refund_rules() -> st.SearchStrategy[RefundRules]:
    return st.builds(
        RefundRules,
        tenders=st.sampled_from(RULES),
        points=st.sampled_from(PointsRule),
        closed=st.sets(st.sampled_from(["card", "usd", "paid"]), max_size=1),
        payout=st.sampled_from(Payout),
    )


@st.composite
def requests(draw: st.DrawFn, payment: Payment) -> RefundRequest:
    """Something that may be asked of what is left."""
    if draw(st.booleans()):
        off_cards = Balance.of(*off_gift_cards(payment))
        return RefundRequest.of_amount(
            *(
                Money.of_minor(draw(st.integers(0, amount.minor)), amount.unit)
                for amount in off_cards
            )
        )
    items = []
    for line in draw(st.sets(st.sampled_from([line.id for line in payment.lines]))):
        pieces = left_of(payment, line)
        quantity = draw(st.none() | st.integers(1, pieces)) if pieces else None
        items.append(RefundItem(line, quantity=quantity))
    return RefundRequest(items=items)


def off_gift_cards(payment: Payment) -> list[Money]:
    goods = {line.id for line in payment.lines if line.kind is not LineKind.GIFT_CARD}
    paid = [part.covers for part in payment.parts if part.line in goods]
    gone = [
        -part.covers
        for each in payment.returns
        for part in each.parts
        if part.line in goods and each.counts(part) and not part.is_reduction
    ]
    return [*paid, *gone]


def left_of(payment: Payment, line: str) -> int:
    back = [
        each.quantity
        for returned in payment.returns
        for each in returned.quantities
        if each.line == line
    ]
    return payment.line(line).quantity - sum(back)


def with_refund(payment: Payment, plan: RefundPlan, key: str) -> Payment:
    return payment.with_return(plan.as_return(payment, key=key))


def sums(parts: Any, what: str) -> dict[tuple[str, str | None, Unit], int]:
    """By tender, lot and unit, what parts come to."""
    found: Counter[tuple[str, str | None, Unit]] = Counter()
    for part in parts:
        money = getattr(part, what)
        found[part.tender, part.lot, money.unit] += money.minor
    return {key: total for key, total in found.items() if total}


def by_line(parts: Any) -> dict[tuple[str, str, Unit], int]:
    """By tender, line and unit that was due, what parts cover."""
    found: Counter[tuple[str, str, Unit]] = Counter()
    for part in parts:
        found[part.tender, part.line, part.covers.unit] += part.covers.minor
    return {key: total for key, total in found.items() if total}


def gone(payment: Payment, *, reductions: bool = False) -> list[RefundPart]:
    return [
        part
        for each in payment.returns
        for part in each.parts
        if each.counts(part) and part.is_reduction is reductions
    ]


def unspent(payment: Payment) -> dict[str, Balance]:
    """Gift cards of which nothing is spent."""
    return {
        line.id: Balance.of(*line.due) for line in payment.lines if line.kind is LineKind.GIFT_CARD
    }


@given(worlds(), st.data())
def test_any_steps_in_any_order_end_at_what_each_tender_and_lot_has_paid(
    world: dict[str, Any], data: st.DataObject
) -> None:
    payment = Payment.of(plan_payment(**world))
    for step in range(data.draw(st.integers(0, 4))):
        request = data.draw(requests(payment))
        rules = data.draw(refund_rules())
        plan = plan_refund(payment, request, rules=rules, unspent=unspent(payment))
        payment = with_refund(payment, plan, f"r{step}")
        paid = by_line(payment.parts)
        for key, total in by_line(gone(payment)).items():
            assert 0 <= total <= paid[key]
        given_back = sums(payment.parts, "amount")
        for lot, total in sums(gone(payment), "amount").items():
            assert 0 <= total <= given_back[lot]
    rest = plan_refund(payment, RefundRequest.of_everything(payment), unspent=unspent(payment))
    done = with_refund(payment, rest, "rest")
    assert rest.unplaced == ()
    assert by_line(gone(done)) == by_line(done.parts)
    assert sums(gone(done), "amount") == sums(done.parts, "amount")
    assert sums(gone(done, reductions=True), "amount") == sums(done.reductions, "amount")
    nothing = plan_refund(done, RefundRequest.of_everything(done))
    assert nothing.parts == ()


@given(worlds(), refund_rules())
def test_a_refund_of_everything_is_the_mirror_of_the_charge(
    world: dict[str, Any], rules: RefundRules
) -> None:
    payment = Payment.of(plan_payment(**world))
    goods = [line.id for line in payment.lines if line.kind is not LineKind.GIFT_CARD]
    plan = plan_refund(payment, RefundRequest.of_lines(goods), rules=rules)
    paid = [part for part in payment.parts if part.line in goods]
    back = [part for part in plan.parts if not part.is_reduction]
    assert by_line(back) == by_line(paid)
    at_rate = {p.tender for p in payment.parts if p.amount.unit != p.covers.unit}
    exact = [part for part in back if part.tender not in at_rate]
    assert sums(exact, "amount") == sums([p for p in paid if p.tender not in at_rate], "amount")


@given(worlds(), refund_rules(), st.data())
def test_what_is_asked_for_is_what_comes_back_and_what_cannot_be_placed(
    world: dict[str, Any], rules: RefundRules, data: st.DataObject
) -> None:
    payment = Payment.of(plan_payment(**world))
    request = data.draw(requests(payment))
    if request.items:
        return
    plan = plan_refund(payment, request, rules=rules)
    unplaced = Balance.of(*(each.amount for each in plan.unplaced))
    assert plan.returned + unplaced == Balance.of(*request.amounts)
    left = attrs.evolve(rules, redirect=Redirect.LEAVE)
    kept = plan_refund(payment, request, rules=left)
    assert kept.returned + Balance.of(*(e.amount for e in kept.unplaced)) == plan.returned
    assert kept.to(Destination.CREDIT).is_zero or rules.payout is Payout.CREDIT


@given(worlds(), st.sampled_from(["1", "33", "50", "99", "100"]), st.sampled_from(RULES))
def test_a_percentage_twice_never_gives_more_than_was_paid(
    world: dict[str, Any], percent: str, rule: TenderRule
) -> None:
    payment = Payment.of(plan_payment(**world))
    request = RefundRequest.of_percent(payment, percent, rounding=Rounding.HALF_UP)
    rules = RefundRules(tenders=rule, beyond=Beyond.AS_GOODWILL)
    for key in ("once", "twice"):
        plan = plan_refund(payment, request, rules=rules)
        asked = Balance.of(*request.amounts)
        assert plan.returned + Balance.of(*plan.goodwill) == asked
        payment = with_refund(payment, plan, key)
    assert payment.paid.covers(payment.returned)


@given(worlds(), refund_rules(), st.data())
def test_what_failed_may_be_asked_for_again_and_then_is_all_there(
    world: dict[str, Any], rules: RefundRules, data: st.DataObject
) -> None:
    payment = Payment.of(plan_payment(**world))
    goods = [line.id for line in payment.lines if line.kind is not LineKind.GIFT_CARD]
    plan = plan_refund(payment, RefundRequest.of_lines(goods), rules=rules)
    fact = plan.as_return(payment, key="r1")
    failed = tuple(name for name in fact.pending if data.draw(st.booleans()))
    fact = attrs.evolve(fact, pending=(), failed=failed)
    payment = payment.with_return(fact)
    again = plan_refund(payment, RefundRequest.of_failed(fact), rules=rules)
    assert {part.tender for part in again.parts} <= set(failed)
    payment = with_refund(payment, again, "r2")
    assert by_line(gone(payment)) == by_line(p for p in payment.parts if p.line in goods)


@given(worlds(), refund_rules(), st.data())
def test_plans_and_payments_read_back_from_their_json_forms(
    world: dict[str, Any], rules: RefundRules, data: st.DataObject
) -> None:
    payment = Payment.of(plan_payment(**world))
    plan = plan_refund(payment, data.draw(requests(payment)), rules=rules)
    assert RefundPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    payment = with_refund(payment, plan, "r1")
    assert Payment.from_json(json.loads(json.dumps(payment.to_json()))) == payment
    keys = [each.key for each in plan.instructions(payment, key="r1")]
    assert len(set(keys)) == len(keys)


@given(worlds(), st.data())
def test_by_hand_each_tender_gets_what_is_named_as_far_as_it_paid_these_lines(
    world: dict[str, Any], data: st.DataObject
) -> None:
    payment = Payment.of(plan_payment(**world))
    hand: dict[str, Money] = {}
    for tender in payment.tenders:
        paid = Balance.of(*(p.covers for p in payment.parts if p.tender == tender.id))["USD"]
        if paid.is_positive:
            hand[tender.id] = Money.of_minor(data.draw(st.integers(0, paid.minor)), "USD")
    goods = {line.id for line in payment.lines if line.kind is not LineKind.GIFT_CARD}
    if not hand or any(p.line not in goods for p in payment.parts):
        return
    total = Money.total(hand.values(), "USD")
    rules = RefundRules(tenders=TenderRule.BY_HAND, by_hand=hand)
    plan = plan_refund(payment, RefundRequest.of_amount(total), rules=rules)
    for tender, amount in hand.items():
        back = [part for part in plan.parts if part.tender == tender and not part.is_reduction]
        covers = [part.covers for part in back if part.covers.unit.code == "USD"]
        assert Money.total(covers, "USD") == amount
