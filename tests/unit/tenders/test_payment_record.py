"""The record of a payment: one table of steps, each of them safe to repeat (T5)."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import attrs
import moneyed
import pytest

from storecredit.errors import (
    ArgumentRefused,
    ChargeExceedsDue,
    ChargeOutstanding,
    ChargePending,
    ForeignPlan,
    GivesBackTooMuch,
    InvalidKey,
    InvalidTender,
    PaymentStepRefused,
    PaymentStepRepeated,
    PlanIncomplete,
    QuantityExceedsRest,
    RefundExceedsPaid,
    UnitMismatch,
    UnknownOrderLine,
    UnknownPaymentStep,
    UnknownTender,
)
from storecredit.tenders import (
    TRANSITIONS,
    AlreadyPaid,
    Answer,
    Charge,
    Credit,
    External,
    ExternalRefund,
    LineAmount,
    Order,
    OrderLine,
    PaymentRecord,
    PaymentState,
    PaymentStep,
    RefundPlan,
    RefundRequest,
    RefundRules,
    Stranded,
    plan_refund,
)
from storecredit.tenders.carrying import restores_of
from storecredit.values import Balance, CustomUnit, Money

CARD = External("card")
PTS = CustomUnit("PTS", 0)
S = PaymentState


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def back_of(amount: str, total: str | None = None, *, charge: str = "ch-1") -> Stranded:
    """What of a charge of the card pays for nothing."""
    return Stranded(charge, "card", usd(amount), usd(amount if total is None else total))


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
    assert closed.stranded == (back_of("6.00"),)
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
    assert (late.state, late.stranded) == (S.CANCELLED, (back_of("12.00"),))


def test_two_charges_of_which_one_fails_and_one_is_too_many(new, held) -> None:
    tried = held.charge("card", usd("12.00"), key="a").settle_charge("a", Answer.FAILED)
    again = tried.charge("card", usd("12.00"), key="b").settle_charge("b", Answer.CONFIRMED)
    assert again.stranded == ()
    with pytest.raises(ChargeExceedsDue):
        again.charge("card", usd("12.00"), key="c")
    # Once the payment begins anew, a charge of before may be confirmed beside the new one.
    open_ = held.charge("card", usd("12.00"), key="a").cancel()
    anew = open_.replan(new.plan, key="b").hold({"credit": "hold-2"})
    twice = anew.charge("card", usd("12.00"), key="c").settle_charge("c", Answer.CONFIRMED)
    assert twice.stranded == ()
    twice = twice.settle_charge("a", Answer.CONFIRMED)
    assert twice.stranded == (back_of("12.00", charge="a"),)
    assert twice.complete(key="done").stranded == twice.stranded


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
        ("Capture", lambda: part.complete(key="ship-1")),
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
    with pytest.raises(UnknownOrderLine):
        held.capture(["3"], key="c")
    back = done.refund(everything(done), key="r1")
    for tender in ("credit", "bank"):
        with pytest.raises(UnknownTender):
            back.settle_refund("r1", tender, Answer.CONFIRMED)


def test_t5_an_answer_about_what_was_never_recorded_is_refused(held, charged, done) -> None:
    back = done.refund(everything(done), key="r1")
    for call, step, key, known in [
        (lambda: held.settle_charge("c", Answer.CONFIRMED), "charge", "c", ()),
        (lambda: charged.settle_charge("c", Answer.PENDING), "charge", "c", ("ch-1",)),
        (lambda: held.give_back("ch-1", usd("1.00")), "charge", "ch-1", ()),
        (lambda: charged.give_back("ch-2", usd("1.00")), "charge", "ch-2", ("ch-1",)),
        # The tender is no charge, and the charge is no refund.
        (lambda: charged.give_back("card", usd("1.00")), "charge", "card", ("ch-1",)),
        (lambda: done.settle_refund("r1", "card", Answer.CONFIRMED), "refund", "r1", ()),
        (lambda: back.settle_refund("ch-1", "card", Answer.FAILED), "refund", "ch-1", ("r1",)),
        (lambda: back.settle_refund("r2", "bank", Answer.FAILED), "refund", "r2", ("r1",)),
    ]:
        with pytest.raises(UnknownPaymentStep) as caught:
            call()
        error = caught.value
        assert (error.order, error.step, error.key, error.known) == ("o-1", step, key, known)


def steps_of(record: PaymentRecord, done: PaymentRecord, due: PaymentRecord):
    """Every step, with facts that are new to the record; *due* has something to charge yet."""
    plan = attrs.evolve(record.plan, channel="another")
    refund = everything(record if record.captures else done)
    rest = [line for line in ("1", "2") if line not in record.captured_lines]
    return {
        PaymentStep.REPLAN: lambda: record.replan(plan),
        PaymentStep.HOLD: lambda: record.hold({"credit": "another"}),
        PaymentStep.LOSE_HOLD: record.lose_hold,
        PaymentStep.CHARGE: lambda: due.charge("card", usd("1.00"), key="new"),
        PaymentStep.CAPTURE: lambda: record.capture(rest, key="new"),
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
    half = held.charge("card", usd("6.00"), key="half").settle_charge("half", Answer.CONFIRMED)
    due = {**records, S.CHARGING: half, S.PARTLY_CAPTURED: half.capture(["1"], key="ship-1")}
    assert records.keys() == TRANSITIONS.keys() == set(PaymentState)
    repeats = {
        (S.PLANNED, PaymentStep.LOSE_HOLD),
        (S.COMPLETED, PaymentStep.COMPLETE),
        (S.CANCELLED, PaymentStep.CANCEL),
    }
    for state, record in records.items():
        assert record.state is due[state].state is state
        for step, call in steps_of(record, done, due[state]).items():
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


STRANDED = {
    S.PLANNED: lambda record: record.lose_hold().replan(attrs.evolve(record.plan, channel="web")),
    S.HELD: lambda record: (
        record.lose_hold()
        .replan(attrs.evolve(record.plan, channel="web"))
        .hold({"credit": "hold-2"})
    ),
    S.CHARGING: lambda record: (
        STRANDED[S.HELD](record)
        .charge("card", usd("12.00"), key="more")
        .settle_charge("more", Answer.CONFIRMED)
    ),
    S.PARTLY_CAPTURED: lambda record: STRANDED[S.CHARGING](record).capture(["1"], key="ship-1"),
    S.COMPLETED: lambda record: record.capture(["1"], key="ship-1").cancel(key="rest"),
    S.CANCELLED: lambda record: record.cancel(key="off"),
}
"""By state, how a confirmed charge comes to pay for nothing there."""


def test_t5_what_pays_for_nothing_is_given_back_in_every_state(charged) -> None:
    assert STRANDED.keys() == set(PaymentState)
    for state, bring in STRANDED.items():
        record = bring(charged)
        assert record.state is state
        (too_much,) = record.stranded
        back = record.give_back(too_much.charge, too_much.total)
        assert (back.state, back.stranded) == (TRANSITIONS[state][PaymentStep.GIVE_BACK], ())
        assert back.give_back(too_much.charge, too_much.total) is back
        # What was given back is no tender of the next plan.
        kept = {paid.id: paid.amount for paid in back.paid_already}
        before = {paid.id: paid.amount for paid in record.paid_already}
        zero = Money.zero("USD")
        assert before[too_much.charge] - kept.get(too_much.charge, zero) == too_much.amount
        assert PaymentRecord.from_json(json.loads(json.dumps(back.to_json()))) == back


def test_t5_what_is_given_back_twice_adds_up(till, order, charged) -> None:
    smaller = till.plan(
        order(usd("10.00")), Credit("credit", till.account()), *charged.paid_already, CARD
    )
    # The card was charged more than the smaller order costs.
    first = charged.replan(smaller)
    assert first.stranded == (back_of("2.00"),)
    back = first.give_back("ch-1", usd("2.00"))
    assert back.paid_already == (AlreadyPaid("ch-1", usd("10.00")),)
    off = back.cancel(key="off")
    assert off.stranded == (back_of("10.00", "12.00"),)
    off = off.give_back("ch-1", usd("12.00"))
    (charge,) = off.charges
    assert (charge.given_back, charge.kept) == (usd("12.00"), usd("0.00"))
    assert (off.stranded, off.paid_already) == ((), ())


@pytest.fixture
def shrunk(till, order) -> PaymentRecord:
    """A card was charged USD 20.00, and the order costs USD 19.00 by now."""
    record = PaymentRecord(plan=till.plan(order(usd("20.00")), CARD)).hold({})
    record = record.charge("card", usd("20.00"), key="ch-1")
    record = record.settle_charge("ch-1", Answer.CONFIRMED)
    return record.replan(till.plan(order(usd("19.00")), *record.paid_already, CARD))


def test_a12_a_late_repeat_of_what_was_given_back_changes_nothing(shrunk) -> None:
    (first,) = shrunk.stranded
    assert first == back_of("1.00")
    # Without being told, the record says the same, also of what to ask the processor under.
    assert (first.key, shrunk.stranded) == ("ch-1/back/100", (first,))
    once = shrunk.give_back(first.charge, first.total)
    assert once.stranded == ()
    off = once.cancel(key="off")
    (second,) = off.stranded
    assert (second, second.key) == (back_of("19.00", "20.00"), "ch-1/back/2000")
    # The first call comes again, and says nothing of the USD 19.00.
    late = off.give_back(first.charge, first.total)
    assert late is off
    assert late.stranded == (second,)
    twice = late.give_back(second.charge, second.total)
    assert (twice.stranded, twice.paid_already) == ((), ())
    assert twice.charges[0].kept == usd("0.00")
    for each in (first, second, first):
        assert twice.give_back(each.charge, each.total) is twice
    assert PaymentRecord.from_json(json.loads(json.dumps(twice.to_json()))) == twice


def test_a12_what_is_given_back_may_be_told_out_of_order_and_in_parts(shrunk) -> None:
    # The USD 1.00 was given back, and nobody heard of it before all of it was.
    off = shrunk.cancel(key="off")
    assert off.stranded == (back_of("20.00"),)
    whole = off.give_back("ch-1", usd("20.00"))
    assert whole.give_back("ch-1", usd("1.00")) is whole
    # One after the other, each with what it comes to in all.
    steps = [off]
    for total, rest in (("1.00", "19.00"), ("7.00", "13.00"), ("20.00", None)):
        steps.append(steps[-1].give_back("ch-1", usd(total)))
        assert steps[-1].stranded == (() if rest is None else (back_of(rest, "20.00"),))
        for earlier in ("0.01", "1.00", total):
            assert steps[-1].give_back("ch-1", usd(earlier)) is steps[-1]
    assert steps[-1] == whole


def test_t5_no_more_is_given_back_than_pays_for_nothing(shrunk, held, charged, done) -> None:
    sent = held.charge("card", usd("12.00"), key="ch-1")
    failed = sent.settle_charge("ch-1", Answer.FAILED)
    once = shrunk.give_back("ch-1", usd("1.00"))
    for record, total, most in [
        (shrunk, "1.01", "1.00"),
        (shrunk, "20.00", "1.00"),
        (once, "1.01", "1.00"),
        (once, "2.00", "1.00"),
        (once.cancel(), "20.01", "20.00"),
        (once.cancel().give_back("ch-1", usd("20.00")), "20.01", "20.00"),
        # What pays, may pay yet, or was never charged.
        (charged, "12.00", "0.00"),
        (done, "0.01", "0.00"),
        (sent, "12.00", "0.00"),
        (sent.cancel(), "12.00", "0.00"),
        (failed.cancel(), "12.00", "0.00"),
    ]:
        with pytest.raises(GivesBackTooMuch) as caught:
            record.give_back("ch-1", usd(total))
        error = caught.value
        assert (error.order, error.charge) == ("o-1", "ch-1")
        assert (error.total, error.most) == (usd(total), usd(most))


def test_t5_what_is_given_back_is_money_of_the_charge(shrunk) -> None:
    for amount in ("0.00", "-1.00"):
        with pytest.raises(InvalidTender):
            shrunk.give_back("ch-1", usd(amount))
    with pytest.raises(ArgumentRefused):
        shrunk.give_back("ch-1", 1.0)
    assert shrunk.give_back("ch-1", moneyed.Money("1.00", "USD")).stranded == ()
    for record in (shrunk, shrunk.give_back("ch-1", usd("1.00"))):
        for other in (Money.of("1.00", "EUR"), Money.of_minor(100, PTS)):
            with pytest.raises(UnitMismatch):
                record.give_back("ch-1", other)


def test_t5_each_charge_is_given_back_by_itself(held) -> None:
    record = held
    for key, amount in (("a", "5.00"), ("b", "4.00"), ("c", "3.00")):
        record = record.charge("card", usd(amount), key=key)
        record = record.settle_charge(key, Answer.CONFIRMED)
    # The first line needs USD 6.00: the first charge, and USD 1.00 of the second.
    part = record.capture(["1"], key="ship-1").cancel(key="rest")
    second, third = back_of("3.00", charge="b"), back_of("3.00", charge="c")
    assert part.stranded == (second, third)
    assert second.key != third.key
    one = part.give_back("c", third.total)
    assert one.stranded == (second,)
    assert one.give_back("c", third.total) is one
    with pytest.raises(GivesBackTooMuch):
        one.give_back("a", usd("3.00"))
    both = one.give_back("b", second.total)
    assert both.stranded == ()
    assert [str(each.kept) for each in both.charges] == ["USD 5.00", "USD 1.00", "USD 0.00"]


# --- Plans and their keys -----------------------------------------------------------------


def test_t5_a_plan_is_known_by_the_key_that_it_was_begun_with(till, order, new) -> None:
    other = till.plan(order(usd("10.00")), Credit("credit", till.account()), CARD)
    second = new.replan(other, key="b")
    assert (second.plans, [each.key for each in second.begun]) == (1, ["b"])
    assert second.was_begun(other, key="b")
    assert not second.was_begun(other, key="c")
    third = second.hold({"credit": "h"}).replan(new.plan, key="c").cancel(key="off")
    assert third.was_begun(other, key="b")
    assert third.was_begun(new.plan, key="c")
    with pytest.raises(PaymentStepRepeated) as caught:
        third.was_begun(new.plan, key="b")
    assert (caught.value.step, caught.value.name) == ("Plan", "b")


def test_t5_the_same_plan_is_begun_anew_only_where_nothing_is_held(new, held, charged) -> None:
    for going_on in (held, charged):
        assert going_on.replan(new.plan, key="b") is going_on
    for over in (charged.cancel(key="off"), charged.lose_hold()):
        again = over.replan(new.plan, key="b")
        assert (again.state, again.plans) == (S.PLANNED, 1)
        # The charge was for the plan that is over: the new one does not count it by itself.
        assert again.stranded == (back_of("12.00"),)
        assert again.outstanding == (Charge("card", usd("12.00")),)


def test_t5_a_cancellation_is_known_by_its_key_after_all_began_again(new, held, charged) -> None:
    off = charged.cancel(key="off")
    assert off.cancel(key="off") is off
    again = off.replan(new.plan, key="b").hold({"credit": "hold-2"})
    assert again.cancel(key="off") is again
    assert again.cancel(key="another").state is S.CANCELLED
    # Whoever cancels what is cancelled is known, too.
    twice = off.cancel(key="another")
    assert (twice.state, twice.cancels) == (S.CANCELLED, ("off", "another"))
    with pytest.raises(InvalidKey):
        held.cancel(key="")


# --- Charges that cannot be ---------------------------------------------------------------


def test_t5_only_what_the_host_charges_is_charged(till, order, held) -> None:
    with pytest.raises(InvalidTender) as caught:
        held.charge("credit", usd("8.00"), key="ch-1")
    assert caught.value.expected == "one that the host is to charge"
    paid = PaymentRecord(
        plan=till.plan(order(usd("10.00")), AlreadyPaid("deposit", usd("4.00")), CARD)
    ).hold({})
    with pytest.raises(InvalidTender):
        paid.charge("deposit", usd("4.00"), key="ch-1")


def test_t5_no_more_is_charged_than_is_outstanding(held, charged) -> None:
    sent = held.charge("card", usd("5.00"), key="ch-1")
    for record, amount, due in [
        (held, "12.01", "12.00"),
        (held, "20.00", "12.00"),
        (sent, "7.01", "7.00"),
        (sent.settle_charge("ch-1", Answer.CONFIRMED), "7.01", "7.00"),
        (sent.settle_charge("ch-1", Answer.FAILED), "12.01", "12.00"),
        (charged, "0.01", "0.00"),
        (charged.capture(["1"], key="ship-1"), "12.00", "0.00"),
    ]:
        with pytest.raises(ChargeExceedsDue) as caught:
            record.charge("card", usd(amount), key="more")
        error = caught.value
        assert (error.order, error.tender) == ("o-1", "card")
        assert (error.amount, error.due) == (usd(amount), usd(due))
    assert sent.charge("card", usd("7.00"), key="more").outstanding == ()
    # In another unit nothing is due; and a repeat stays one where nothing is outstanding any more.
    with pytest.raises(ChargeExceedsDue) as caught:
        held.charge("card", Money.of("1.00", "EUR"), key="more")
    assert caught.value.due == Money.zero("EUR")
    assert charged.charge("card", usd("12.00"), key="ch-1") is charged
    # Other refusals come first: where nothing is held, or another charge has that key.
    with pytest.raises(PaymentStepRefused):
        charged.cancel().charge("card", usd("99.00"), key="more")
    with pytest.raises(PaymentStepRepeated):
        charged.charge("card", usd("99.00"), key="ch-1")


def test_t5_what_was_given_back_may_be_charged_again(charged) -> None:
    back = STRANDED[S.HELD](charged).give_back("ch-1", usd("12.00"))
    again = back.charge("card", usd("12.00"), key="ch-2")
    assert again.settle_charge("ch-2", Answer.CONFIRMED).complete(key="c").stranded == ()


def test_t5_nothing_is_planned_anew_while_a_charge_has_no_answer(till, order, new, held) -> None:
    smaller = till.plan(order(usd("10.00")), Credit("credit", till.account()), CARD)
    first = held.charge("card", usd("5.00"), key="a")
    sent = first.charge("card", usd("7.00"), key="b")
    assert (held.pending, [each.id for each in sent.pending]) == ((), ["a", "b"])
    for record, charges in [
        (first, ("a",)),
        (sent, ("a", "b")),
        (sent.settle_charge("a", Answer.CONFIRMED), ("b",)),
        (sent.settle_charge("a", Answer.FAILED), ("b",)),
        (sent.lose_hold(), ("a", "b")),
    ]:
        assert tuple(each.id for each in record.pending) == charges
        for key in (None, "again"):
            with pytest.raises(ChargePending) as caught:
                record.replan(smaller, key=key)
            assert (caught.value.order, caught.value.charges) == ("o-1", charges)
    # The same plan goes on; where nothing of it is held any more, it is a new one too.
    assert sent.replan(new.plan, key="again") is sent
    with pytest.raises(ChargePending):
        sent.lose_hold().replan(new.plan, key="again")
    settled = sent.settle_charge("a", Answer.CONFIRMED).settle_charge("b", Answer.FAILED)
    assert settled.pending == ()
    assert settled.replan(smaller).stranded == (back_of("5.00", charge="a"),)


def test_t5_what_is_cancelled_is_planned_anew_whatever_has_no_answer(new, held) -> None:
    off = held.charge("card", usd("12.00"), key="ch-1").cancel(key="off")
    assert [each.id for each in off.pending] == ["ch-1"]
    anew = off.replan(new.plan, key="again")
    assert (anew.state, anew.plans, anew.pending) == (S.PLANNED, 1, off.pending)
    # The new plan does not count it: it is given back once it is known to have been made.
    assert anew.outstanding == (Charge("card", usd("12.00")),)
    assert anew.settle_charge("ch-1", Answer.CONFIRMED).stranded == (back_of("12.00"),)
    assert anew.settle_charge("ch-1", Answer.FAILED).stranded == ()
    # A part that is captured cannot be planned anew at all, answers or not.
    part = held.charge("card", usd("6.00"), key="a").settle_charge("a", Answer.CONFIRMED)
    part = part.capture(["1"], key="ship-1").charge("card", usd("6.00"), key="b")
    with pytest.raises(PaymentStepRefused):
        part.replan(attrs.evolve(part.plan, channel="web"))


def test_t5_a_charge_is_known_after_a_plan_without_its_tender(till, order, charged) -> None:
    slip = till.plan(order(usd("10.00")), External("slip"))
    moved = charged.replan(slip)
    assert moved.charge("card", usd("12.00"), key="ch-1") is moved
    with pytest.raises(UnknownTender):
        moved.charge("card", usd("12.00"), key="ch-2")


def test_t5_nothing_is_left_to_charge_once_it_is_over(held) -> None:
    assert held.cancel().outstanding == ()
    part = held.charge("card", usd("6.00"), key="a").settle_charge("a", Answer.CONFIRMED)
    part = part.capture(["1"], key="ship-1")
    assert part.outstanding == (Charge("card", usd("6.00")),)
    assert part.cancel().outstanding == ()


def test_t6_a_tender_that_takes_nothing_back_stays_so_from_plan_to_plan(till, order) -> None:
    slip = External("slip", takes_back=False)
    record = PaymentRecord(plan=till.plan(order(usd("5.00")), slip)).hold({})
    record = record.charge("slip", usd("5.00"), key="s").settle_charge("s", Answer.CONFIRMED)
    wanted = (AlreadyPaid("s", usd("5.00"), takes_back=False),)
    assert record.paid_already == wanted
    second = record.replan(till.plan(order(usd("9.00")), *record.paid_already, CARD))
    assert second.paid_already == wanted
    third = second.replan(till.plan(order(usd("7.00")), *second.paid_already, CARD))
    assert third.paid_already == wanted


# --- Captures and refunds that cannot be --------------------------------------------------


def test_t5_a_capture_of_no_lines_changes_nothing(new, held, done) -> None:
    assert held.capture([], key="none") is held
    for record in (new, done):
        with pytest.raises(PaymentStepRefused):
            record.capture([], key="none")


def test_t6_a_refund_of_another_order_or_of_lines_not_captured_is_refused(
    till, order, charged, done
) -> None:
    foreign = attrs.evolve(everything(done), order="o-2")
    with pytest.raises(ForeignPlan) as caught:
        done.refund(foreign, key="r1")
    error = caught.value
    assert (error.field, error.given, error.expected) == ("order", "o-2", "o-1")
    merchant = attrs.evolve(foreign, merchant="brand")
    with pytest.raises(ForeignPlan) as caught:
        done.refund(merchant, key="r1")
    error = caught.value
    assert (error.field, error.given, error.expected) == ("merchant", "brand", "acme")
    # Also where the refund of that key is known.
    back = done.refund(everything(done), key="r1")
    with pytest.raises(ForeignPlan):
        back.refund(attrs.evolve(everything(done), merchant="brand"), key="r1")
    part = charged.capture(["1"], key="ship-1")
    with pytest.raises(UnknownOrderLine):
        part.refund(everything(done), key="r1")
    amount = plan_refund(done.payment, RefundRequest.of_amount(usd("10.01")))
    with pytest.raises(RefundExceedsPaid):
        part.refund(amount, key="r1")


def test_t6_a_refund_planned_before_another_is_refused(done) -> None:
    first = plan_refund(done.payment, RefundRequest.of_lines({"1": 1}))
    same = plan_refund(done.payment, RefundRequest.of_lines({"1": 1}))
    back = done.refund(first, key="r1")
    with pytest.raises(QuantityExceedsRest) as pieces:
        back.refund(same, key="r2")
    assert (pieces.value.wanted, pieces.value.returned) == (1, 1)
    most = plan_refund(done.payment, RefundRequest.of_amount(usd("20.00")))
    with pytest.raises(RefundExceedsPaid) as caught:
        back.refund(most, key="r2")
    error = caught.value
    assert (error.of, error.wanted) == ("credit", usd("8.00"))
    assert (error.paid, error.returned) == (usd("8.00"), usd("4.00"))


def test_a12_a_refund_again_with_other_facts_is_refused(done) -> None:
    def planned(amount: str) -> RefundPlan:
        rules = RefundRules(beyond="as_goodwill")
        return plan_refund(done.payment, RefundRequest.of_amount(usd(amount)), rules=rules)

    back = done.refund(planned("21.00"), key="r1")
    assert back.returned("r1").goodwill == (usd("1.00"),)
    assert back.refund(planned("21.00"), key="r1") is back
    with pytest.raises(PaymentStepRepeated) as caught:
        back.refund(planned("22.00"), key="r1")
    assert caught.value.known.endswith("USD 1.00 of goodwill")
    assert caught.value.given.endswith("USD 2.00 of goodwill")
    # The same money, and said to be for a piece or for none.
    pieces = plan_refund(done.payment, RefundRequest.of_lines({"1": 1}))
    back = done.refund(pieces, key="r2")
    with pytest.raises(PaymentStepRepeated):
        back.refund(attrs.evolve(pieces, quantities=()), key="r2")
    points = LineAmount("1", Money.of_minor(5, PTS))
    with pytest.raises(PaymentStepRepeated) as caught:
        back.refund(attrs.evolve(pieces, taken_back=(points,)), key="r2")
    assert "PTS 5 taken back" in caught.value.given


def test_a7_what_goes_back_to_lots_is_told_capture_by_capture(till, charged) -> None:
    (lot,) = (part.lot for part in charged.plan.parts if part.line == "1" and part.lot)
    record = charged.capture(["2"], key="ship-2").complete(key="ship-1")
    assert record.plan.draws("credit") == ((lot, usd("8.00")),)
    first = plan_refund(record.payment, RefundRequest.of_lines(["1"]))
    record = record.refund(first, key="r1").refund(
        plan_refund(record.refund(first, key="r1").payment, RefundRequest.of_lines(["2"])), key="r2"
    )
    given = {
        refund: [(each.capture, [draw.amount for draw in each.draws]) for each in back]
        for refund in ("r1", "r2")
        for back in [restores_of(record, refund)]
    }
    assert given == {"r1": [("ship-1", [400])], "r2": [("ship-2", [400])]}
    with pytest.raises(UnknownTender):
        restores_of(record, "r3")


def test_t6_what_is_due_back_is_told_until_it_is_settled(done) -> None:
    assert done.refunds_due == ()
    one = plan_refund(done.payment, RefundRequest.of_amount(usd("10.00")))
    back = done.refund(one, key="r1")
    assert back.refunds_due == (ExternalRefund("card", usd("2.00"), "r1/card/USD", "r1"),)
    again = back.refund(plan_refund(back.payment, RefundRequest.of_amount(usd("3.00"))), key="r2")
    assert [(each.key, each.amount) for each in again.refunds_due] == [
        ("r1/card/USD", usd("2.00")),
        ("r2/card/USD", usd("3.00")),
    ]
    settled = again.settle_refund("r1", "card", Answer.FAILED)
    assert [each.refund for each in settled.refunds_due] == ["r2"]


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


def test_t5_a_charge_is_not_named_like_a_tender(held) -> None:
    """It is a tender of the next plan, under its key."""
    with pytest.raises(InvalidKey):
        held.charge("card", usd("1.00"), key="card")
