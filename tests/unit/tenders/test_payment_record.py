"""The record of a payment: one table of steps, each of them safe to repeat (T5)."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import attrs
import pytest

from storecredit.errors import (
    ChargeOutstanding,
    InvalidKey,
    InvalidTender,
    PaymentStepRefused,
    PaymentStepRepeated,
    PlanIncomplete,
    UnknownOrderLine,
    UnknownTender,
)
from storecredit.tenders import (
    TRANSITIONS,
    AlreadyPaid,
    Answer,
    Charge,
    Credit,
    External,
    Order,
    OrderLine,
    PaymentRecord,
    PaymentState,
    PaymentStep,
    RefundRequest,
    RefundRules,
    plan_refund,
)
from storecredit.values import Balance, Money

CARD = External("card")
S = PaymentState


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture
def new(till, order) -> PaymentRecord:
    """Two lines of 10.00: 8.00 by credit, 12.00 by card."""
    till.shop.issue("8.00")
    lines = order(usd("10.00"), usd("10.00"))
    return PaymentRecord(plan=till.plan(lines, Credit("credit", till.account()), CARD))


@pytest.fixture
def held(new) -> PaymentRecord:
    return new.hold({"credit": "hold-1"})


@pytest.fixture
def charged(held) -> PaymentRecord:
    sent = held.charge("card", usd("12.00"), key="ch-1")
    return sent.settle_charge("ch-1", Answer.CONFIRMED)


@pytest.fixture
def done(charged) -> PaymentRecord:
    return charged.complete(key="capture-1")


def everything(record: PaymentRecord, **rules: object):
    return plan_refund(
        record.payment, RefundRequest.of_everything(record.payment), rules=RefundRules(**rules)
    )


# --- The way through --------------------------------------------------------------------


def test_a_payment_is_held_charged_completed_and_refunded(new, held, charged, done) -> None:
    assert [each.state for each in (new, held, charged, done)] == [
        S.PLANNED,
        S.HELD,
        S.CHARGING,
        S.COMPLETED,
    ]
    assert new.payment.paid == Balance.of()
    assert held.outstanding == (Charge("card", usd("12.00")),)
    assert charged.outstanding == ()
    assert done.payment.paid == Balance.of(usd("20.00"))
    assert done.stranded == ()
    refund = everything(done)
    back = done.refund(refund, key="r1").settle_refund("r1", "card", Answer.CONFIRMED)
    assert back.payment.returned == Balance.of(usd("20.00"))
    assert back.returned("r1").answer_of("card") is Answer.CONFIRMED
    assert back.returned("r2") is None


def test_shipments_are_captured_one_after_the_other(charged) -> None:
    first = charged.capture(["2"], key="ship-1")
    assert (first.state, first.captured_lines) == (S.PARTLY_CAPTURED, ("2",))
    assert first.payment.paid == Balance.of(usd("10.00"))
    refund = everything(first)
    assert first.refund(refund, key="r1").state is S.PARTLY_CAPTURED
    last = first.complete(key="ship-2")
    assert (last.state, last.captured_lines) == (S.COMPLETED, ("1", "2"))


def test_the_rest_of_a_part_shipment_may_be_cancelled(charged) -> None:
    closed = charged.capture(["2"], key="ship-1").cancel()
    assert closed.state is S.COMPLETED
    assert closed.cancel() is closed
    assert closed.payment.paid == Balance.of(usd("10.00"))
    # The card was charged 12.00, of which 6.00 was for the line that was never sent.
    assert closed.stranded == (Charge("ch-1", usd("6.00")),)
    with pytest.raises(PaymentStepRefused):
        closed.complete(key="ship-2")


def test_a_capture_needs_the_charges_of_its_lines(held) -> None:
    with pytest.raises(ChargeOutstanding) as caught:
        held.complete(key="c")
    assert (caught.value.tender, caught.value.needed, caught.value.confirmed) == (
        "card",
        usd("12.00"),
        usd("0.00"),
    )
    half = held.charge("card", usd("6.00"), key="ch-1").settle_charge("ch-1", Answer.CONFIRMED)
    assert half.outstanding == (Charge("card", usd("6.00")),)
    assert half.capture(["1"], key="ship-1").state is S.PARTLY_CAPTURED
    with pytest.raises(ChargeOutstanding):
        half.capture(["1", "2"], key="ship-1")


def test_a_hold_that_lapsed_while_the_card_was_charged_is_planned_again(till, order, held) -> None:
    sent = held.charge("card", usd("12.00"), key="ch-1")
    lost = sent.lose_hold()
    assert (lost.state, lost.holds) == (S.PLANNED, ())
    # The card answers late; the money counts as paid in the next plan.
    late = lost.settle_charge("ch-1", Answer.CONFIRMED)
    assert late.paid_already == (AlreadyPaid("ch-1", usd("12.00")),)
    again = till.plan(
        order(usd("10.00"), usd("10.00")),
        Credit("credit", till.account()),
        *late.paid_already,
        CARD,
    )
    planned = late.replan(again)
    assert (planned.state, planned.plans, planned.outstanding) == (S.PLANNED, 1, ())
    assert planned.stranded == ()
    complete = planned.hold({"credit": "hold-2"}).complete(key="c")
    assert complete.state is S.COMPLETED
    assert complete.stranded == ()


def test_a_charge_that_is_confirmed_after_all_is_over_is_to_be_given_back(held) -> None:
    sent = held.charge("card", usd("12.00"), key="ch-1")
    off = sent.cancel()
    assert (off.state, off.stranded) == (S.CANCELLED, ())
    late = off.settle_charge("ch-1", Answer.CONFIRMED)
    assert (late.state, late.stranded) == (S.CANCELLED, (Charge("ch-1", usd("12.00")),))


def test_two_charges_of_which_one_fails_and_one_is_too_many(held) -> None:
    tried = held.charge("card", usd("12.00"), key="a").settle_charge("a", Answer.FAILED)
    again = tried.charge("card", usd("12.00"), key="b").settle_charge("b", Answer.CONFIRMED)
    assert again.stranded == ()
    twice = again.charge("card", usd("12.00"), key="c").settle_charge("c", Answer.CONFIRMED)
    assert twice.stranded == (Charge("c", usd("12.00")),)


def test_a_cart_that_changes_while_it_is_held_is_planned_and_held_anew(till, order, held) -> None:
    smaller = till.plan(order(usd("10.00")), Credit("credit", till.account()), CARD)
    planned = held.replan(smaller)
    assert (planned.state, planned.holds) == (S.PLANNED, held.holds)
    assert planned.hold({"credit": "hold-1"}).state is S.HELD


# --- Repeats ----------------------------------------------------------------------------


def test_every_step_again_changes_nothing_in_whatever_state(new, held, charged, done) -> None:
    assert new.replan(new.plan) is new
    assert done.replan(done.plan) is done
    assert done.hold({"credit": "hold-1"}) is done
    assert done.charge("card", usd("12.00"), key="ch-1") is done
    assert done.settle_charge("ch-1", Answer.CONFIRMED) is done
    assert done.settle_charge("ch-1", Answer.PENDING) is done
    assert done.complete(key="another") is done
    assert done.capture(["1", "2"], key="capture-1") is done
    assert new.lose_hold() is new
    cancelled = charged.cancel()
    assert cancelled.cancel() is cancelled
    refund = everything(done)
    back = done.refund(refund, key="r1")
    assert back.refund(refund, key="r1") is back
    failed = back.settle_refund("r1", "card", Answer.FAILED)
    assert failed.settle_refund("r1", "card", Answer.FAILED) is failed
    assert failed.settle_refund("r1", "card", Answer.PENDING) is failed
    assert failed.returned("r1").answer_of("card") is Answer.FAILED


def test_a_repeat_with_other_facts_is_refused(till, order, held, charged, done) -> None:
    other = till.plan(Order("o-2", [OrderLine("1", usd("1.00"))]), CARD)
    first, second = everything(done), plan_refund(done.payment, RefundRequest.of_lines(["1"]))
    back = done.refund(first, key="r1").settle_refund("r1", "card", Answer.CONFIRMED)
    part = charged.capture(["1"], key="ship-1")
    for step, call in [
        ("Plan", lambda: held.replan(other)),
        ("Hold", lambda: held.hold({"credit": "hold-2"})),
        ("Charge", lambda: charged.charge("card", usd("11.00"), key="ch-1")),
        ("Charge", lambda: charged.settle_charge("ch-1", Answer.FAILED)),
        ("Capture", lambda: part.capture(["2"], key="ship-1")),
        ("Line", lambda: part.capture(["1"], key="ship-2")),
        ("Refund", lambda: back.refund(second, key="r1")),
        ("Refund", lambda: back.settle_refund("r1", "card", Answer.FAILED)),
    ]:
        with pytest.raises(PaymentStepRepeated) as caught:
            call()
        assert caught.value.step == step
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


# --- Refusals ---------------------------------------------------------------------------


def test_a_plan_that_leaves_something_unpaid_is_not_begun(till, order) -> None:
    record = PaymentRecord(plan=till.plan(order(usd("10.00"))))
    with pytest.raises(PlanIncomplete) as caught:
        record.hold({})
    assert "USD 10.00 of it would stay unpaid" in str(caught.value)


def test_names_that_the_plan_does_not_have_are_refused(held, done) -> None:
    with pytest.raises(UnknownTender):
        held.replan(attrs.evolve(held.plan, channel="web")).hold({"points": "hold-1"})
    with pytest.raises(UnknownTender):
        held.charge("bank", usd("1.00"), key="c")
    with pytest.raises(InvalidTender):
        held.charge("card", usd("0.00"), key="c")
    with pytest.raises(InvalidKey):
        held.charge("card", usd("1.00"), key="")
    with pytest.raises(UnknownTender):
        held.settle_charge("c", Answer.CONFIRMED)
    with pytest.raises(UnknownOrderLine):
        held.capture(["3"], key="c")
    with pytest.raises(UnknownTender):
        done.settle_refund("r1", "card", Answer.CONFIRMED)
    with pytest.raises(UnknownTender):
        done.refund(everything(done), key="r1").settle_refund("r1", "credit", Answer.CONFIRMED)


def steps_of(record: PaymentRecord, done: PaymentRecord):
    """Every step, with facts that are new to the record."""
    plan = attrs.evolve(record.plan, channel="another")
    refund = everything(done)
    return {
        PaymentStep.REPLAN: lambda: record.replan(plan),
        PaymentStep.HOLD: lambda: record.hold({"credit": "another"}),
        PaymentStep.LOSE_HOLD: record.lose_hold,
        PaymentStep.CHARGE: lambda: record.charge("card", usd("1.00"), key="new"),
        PaymentStep.CAPTURE: lambda: record.capture([], key="new"),
        PaymentStep.COMPLETE: lambda: record.complete(key="new"),
        PaymentStep.CANCEL: record.cancel,
        PaymentStep.REFUND: lambda: record.refund(refund, key="new"),
    }


def test_the_table_decides_what_may_happen(new, held, charged, done) -> None:
    records = {
        S.PLANNED: new,
        S.HELD: held,
        S.CHARGING: charged,
        S.PARTLY_CAPTURED: charged.capture(["1"], key="ship-1"),
        S.COMPLETED: done,
        S.CANCELLED: charged.cancel(),
    }
    assert records.keys() == TRANSITIONS.keys() == set(PaymentState)
    repeats = {
        (S.PLANNED, PaymentStep.LOSE_HOLD),
        (S.COMPLETED, PaymentStep.COMPLETE),
        (S.CANCELLED, PaymentStep.CANCEL),
    }
    for state, record in records.items():
        assert record.state is state
        for step, call in steps_of(record, done).items():
            if (state, step) in repeats:
                assert call() is record
            elif step in TRANSITIONS[state]:
                try:
                    assert call().state is TRANSITIONS[state][step]
                except ChargeOutstanding:
                    assert state is S.HELD
            elif (state, step) == (S.HELD, PaymentStep.HOLD):
                with pytest.raises(PaymentStepRepeated):
                    call()
            else:
                with pytest.raises(PaymentStepRefused) as caught:
                    call()
                assert caught.value.state == state
                assert set(caught.value.allowed) == {str(each) for each in TRANSITIONS[state]}


def test_a_record_reads_back_from_its_json_form(charged, done) -> None:
    part = charged.capture(["1"], key="ship-1")
    back = done.refund(everything(done), key="r1")
    for record in (charged, part, done, back, charged.cancel()):
        form = json.loads(json.dumps(record.to_json()))
        assert PaymentRecord.from_json(form) == record


def test_the_drawing_of_a_payments_life_is_the_table() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "life-of-a-payment.md"
    drawing = page.read_text(encoding="utf-8").split("```mermaid")[1].split("```")[0]
    drawn = {
        (start, step.strip(), to)
        for start, to, steps in re.findall(r"^ *(\w+) --> (\w+): (.+)$", drawing, re.MULTILINE)
        for step in steps.split(",")
    }
    table = {
        (start.value, step.value, to.value)
        for start, row in TRANSITIONS.items()
        for step, to in row.items()
    }
    assert drawn == table
    words = page.read_text(encoding="utf-8")
    assert all(f"| `{step.value}` |" in words for step in PaymentStep)
