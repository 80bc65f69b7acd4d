"""Charging, capturing and cancelling: every step once, whatever comes twice or late (T5, A6)."""

from __future__ import annotations

import attrs
import moneyed
import pytest

from storecredit.errors import (
    ArgumentRefused,
    ChargeExceedsDue,
    ChargeOutstanding,
    GivesBackTooMuch,
    HoldAlreadyCaptured,
    InvalidTender,
    InvalidTerms,
    PaymentHoldLost,
    PaymentStepRefused,
    PaymentStepRepeated,
    UnitMismatch,
    UnknownOrderLine,
    UnknownPayment,
    UnknownPaymentStep,
    UnknownTender,
)
from storecredit.service import Checkout
from storecredit.service._checkout_desk import Desk
from storecredit.tenders import (
    AlreadyPaid,
    Answer,
    Charge,
    External,
    PaymentState,
    RefundPlan,
    RefundRequest,
    Stranded,
)
from storecredit.values import Balance, CustomUnit, Money, Period

CARD = External("card")
PTS = CustomUnit("PTS", 0)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def back_of(amount: str, total: str | None = None, *, charge: str = "ch-1") -> Stranded:
    """What of a charge of the card pays for nothing."""
    return Stranded(charge, "card", usd(amount), usd(amount if total is None else total))


@pytest.fixture
def both(counter):
    """Two lines of USD 10.00, a shipment each; two lots pay USD 4.00 each, a card USD 12.00."""
    counter.shop.issue("4.00", funding="goodwill", expires=Period(days=5))
    counter.shop.issue("4.00")
    return counter.begin("10.00", "10.00", lapses=Period(days=3))


# --- Charging -----------------------------------------------------------------------------


def test_t5_a_charge_is_known_before_it_is_made(counter, both) -> None:
    assert both.charge("card", key="ch-1") == usd("12.00")
    assert (both.state, both.charges, both.paid_already) == (PaymentState.CHARGING, (), ())
    # The same again: the amount of the first time, although nothing is outstanding any more.
    assert both.charge("card", key="ch-1") == usd("12.00")
    assert both.charge("card", key="ch-1", amount=usd("12.00")) == usd("12.00")
    both.settle_charge("ch-1", "confirmed")
    assert both.paid_already == (AlreadyPaid("ch-1", usd("12.00")),)
    before = counter.records()
    both.settle_charge("ch-1", Answer.CONFIRMED)
    both.settle_charge("ch-1", Answer.PENDING)
    assert both.charge("card", key="ch-1") == usd("12.00")
    assert counter.records() == before


def test_t5_a_charge_may_be_made_in_parts(counter, both) -> None:
    assert both.charge("card", key="ch-1", amount=usd("5.00")) == usd("5.00")
    assert both.charges == (Charge("card", usd("7.00")),)
    assert both.charge("card", key="ch-2") == usd("7.00")
    both.settle_charge("ch-1", "confirmed")
    with counter.refuses(ChargeOutstanding) as refused:
        both.complete(key="done")
    assert (refused.error.needed, refused.error.confirmed) == (usd("12.00"), usd("5.00"))
    both.settle_charge("ch-2", "confirmed")
    assert both.complete(key="done").state is PaymentState.COMPLETED


def test_t5_after_a_failure_another_attempt_has_another_key(counter, both) -> None:
    both.charge("card", key="ch-1")
    both.settle_charge("ch-1", "failed")
    assert both.charges == (Charge("card", usd("12.00")),)
    with counter.refuses(ChargeOutstanding):
        both.complete(key="done")
    with counter.refuses(PaymentStepRepeated) as refused:
        both.settle_charge("ch-1", "confirmed")
    assert (refused.error.known, refused.error.given) == ("failed", "confirmed")
    counter.charge(both, key="ch-2")
    both.complete(key="done")
    assert both.stranded == ()
    assert both.payment.paid == Balance.of(usd("20.00"))


def test_t5_of_two_attempts_that_both_succeed_one_is_given_back(counter, both) -> None:
    both.charge("card", key="ch-1")
    # Another trigger has to wait for the answer, or to cancel and begin again.
    other = counter.credit.checkout("o-1")
    with counter.refuses(ChargeExceedsDue) as refused:
        other.charge("card", key="ch-2", amount=usd("12.00"))
    assert (refused.error.amount, refused.error.due) == (usd("12.00"), usd("0.00"))
    other.cancel(key="off")
    other.replan(counter.plan("10.00", "10.00"), key="second")
    other.charge("card", key="ch-2")
    both.settle_charge("ch-2", "confirmed")
    assert ([each.id for each in both.pending], both.stranded) == (["ch-1"], ())
    both.settle_charge("ch-1", "confirmed")
    (too_much,) = both.stranded
    assert (both.pending, too_much) == ((), back_of("12.00"))
    both.give_back(too_much.charge, too_much.total)
    assert both.stranded == ()
    before = counter.records()
    both.give_back(too_much.charge, too_much.total)
    counter.credit.checkout("o-1").give_back(too_much.charge, too_much.total)
    assert counter.records() == before
    with counter.refuses(GivesBackTooMuch):
        both.give_back("ch-2", usd("12.00"))
    both.complete(key="done")
    assert both.paid_already == (AlreadyPaid("ch-2", usd("12.00")),)


def test_a12_a_late_repeat_of_what_was_given_back_changes_nothing(counter) -> None:
    checkout = counter.begin("20.00", tenders=CARD)
    counter.charge(checkout)
    checkout.replan(counter.plan("19.00", tenders=[*checkout.paid_already, CARD]), key="less")
    (first,) = checkout.stranded
    assert (first, first.key) == (back_of("1.00"), "ch-1/back/100")
    assert counter.credit.checkout("o-1").stranded == (first,)
    assert checkout.give_back(first.charge, first.total).stranded == ()
    checkout.cancel(key="off")
    (second,) = checkout.stranded
    assert (second, second.key) == (back_of("19.00", "20.00"), "ch-1/back/2000")
    before = counter.records()
    # The first call comes again, late: the USD 19.00 are still to be given back.
    checkout.give_back(first.charge, first.total)
    counter.credit.checkout("o-1").give_back(first.charge, first.total)
    assert (counter.records(), checkout.stranded) == (before, (second,))
    with counter.refuses(GivesBackTooMuch) as refused:
        checkout.give_back("ch-1", usd("20.01"))
    assert (refused.error.total, refused.error.most) == (usd("20.01"), usd("20.00"))
    checkout.give_back(second.charge, second.total)
    assert (checkout.stranded, checkout.paid_already) == ((), ())
    before = counter.records()
    for each in (second, first):
        checkout.give_back(each.charge, each.total)
    assert counter.records() == before


def test_t5_what_is_given_back_may_be_money_of_py_moneyed(counter, both) -> None:
    counter.charge(both)
    both.cancel(key="off")
    with counter.refuses(UnitMismatch):
        both.give_back("ch-1", moneyed.Money("12.00", "EUR"))
    for wrong in (12.0, "12.00", None):
        with counter.refuses(ArgumentRefused):
            both.give_back("ch-1", wrong)
    for amount in ("0.00", "-1.00"):
        with counter.refuses(InvalidTender):
            both.give_back("ch-1", usd(amount))
    both.give_back("ch-1", moneyed.Money("12.00", "USD"))
    assert both.stranded == ()


def test_t5_an_answer_may_come_at_any_time(counter, both) -> None:
    both.charge("card", key="ch-1")
    both.cancel(key="off")
    assert (both.stranded, both.charges) == ((), ())
    both.settle_charge("ch-1", "confirmed")
    assert both.stranded == (back_of("12.00"),)
    both.give_back("ch-1", usd("12.00"))
    assert (both.stranded, both.paid_already) == ((), ())
    assert both.state is PaymentState.CANCELLED
    assert counter.left() == ("8.00", "0.00")


def test_charges_that_cannot_be_are_refused(counter, both) -> None:
    with counter.refuses(UnknownTender):
        both.charge("bank", key="c")
    with counter.refuses(UnknownTender):
        both.charge("bank", key="c", amount=usd("1.00"))
    with counter.refuses(InvalidTender):
        both.charge("credit", key="c")
    with counter.refuses(InvalidTender) as refused:
        both.charge("credit", key="c", amount=usd("8.00"))
    assert refused.error.expected == "one that the host is to charge"
    for amount in ("0.00", "-1.00"):
        with counter.refuses(InvalidTender):
            both.charge("card", key="c", amount=usd(amount))
    with counter.refuses(ArgumentRefused):
        both.charge("card", key="c", amount=12.0)
    with counter.refuses(UnknownPaymentStep) as refused:
        both.settle_charge("c", "confirmed")
    assert (refused.error.step, refused.error.key, refused.error.known) == ("charge", "c", ())
    with counter.refuses(UnknownPaymentStep):
        both.give_back("c", usd("12.00"))
    with counter.refuses(ChargeExceedsDue) as exceeds:
        both.charge("card", key="c", amount=usd("12.01"))
    assert (exceeds.error.amount, exceeds.error.due) == (usd("12.01"), usd("12.00"))
    with counter.refuses(InvalidTerms):
        both.settle_charge("c", "perhaps")
    both.charge("card", key="c")
    with counter.refuses(PaymentStepRepeated):
        both.charge("card", key="c", amount=usd("11.00"))
    with counter.refuses(InvalidTender) as refused:
        both.charge("card", key="d")
    assert (refused.error.field, refused.error.value) == ("outstanding", "nothing")
    with counter.refuses(ChargeExceedsDue):
        both.charge("card", key="d", amount=usd("0.01"))
    with counter.refuses(UnknownPaymentStep) as refused:
        both.settle_charge("d", "confirmed")
    assert refused.error.known == ("c",)
    both.cancel(key="off")
    with counter.refuses(PaymentStepRefused):
        both.charge("card", key="d", amount=usd("1.00"))


def test_an_amount_has_to_be_named_where_several_units_are_due(counter) -> None:
    card = External("card", units=["USD", PTS])
    checkout = counter.begin(("5.00", 100), tenders=[card])
    assert {each.amount for each in checkout.charges} == {usd("5.00"), Money.of_minor(100, PTS)}
    with counter.refuses(InvalidTender) as refused:
        checkout.charge("card", key="c")
    assert refused.error.field == "outstanding"
    checkout.charge("card", key="c", amount=usd("5.00"))
    assert checkout.charge("card", key="d") == Money.of_minor(100, PTS)
    checkout.settle_charge("c", "confirmed")
    with counter.refuses(ChargeOutstanding):
        checkout.complete(key="done")
    checkout.settle_charge("d", "confirmed")
    checkout.complete(key="done")


# --- Capturing ----------------------------------------------------------------------------


def test_t5_shipments_capture_exactly_what_pays_their_lines(counter, both) -> None:
    counter.charge(both)
    first, second = (dict(both.record.plan.draws("credit", lines=[line])) for line in "12")
    assert both.capture(["2"], key="ship-2").state is PaymentState.PARTLY_CAPTURED
    *_, entry = counter.credit.journal("c-17", "USD")
    assert {move.lot: move.amount for move in entry.moves} == {
        lot: amount.minor for lot, amount in second.items()
    }
    left = sum(amount.minor for amount in first.values())
    assert counter.left() == ("0.00", str(Money.of_minor(left, "USD").decimal))
    assert both.payment.paid == Balance.of(usd("10.00"))
    assert both.capture(["1"], key="ship-1").state is PaymentState.PARTLY_CAPTURED
    assert both.complete(key="done").state is PaymentState.COMPLETED
    assert counter.left() == ("0.00", "0.00")


def test_t5_a_capture_again_changes_nothing_and_other_lines_are_refused(counter, both) -> None:
    counter.charge(both)
    both.capture(["1"], key="ship-1")
    before = counter.records(), counter.shop.dump()
    both.capture(["1"], key="ship-1")
    counter.credit.checkout("o-1").capture(["1"], key="ship-1")
    both.capture([], key="none")
    assert (counter.records(), counter.shop.dump()) == before
    with counter.refuses(PaymentStepRepeated) as refused:
        both.capture(["2"], key="ship-1")
    assert refused.error.step == "Capture"
    with counter.refuses(PaymentStepRepeated) as refused:
        both.capture(["1"], key="ship-2")
    assert refused.error.step == "Line"
    with counter.refuses(UnknownOrderLine):
        both.capture(["3"], key="ship-3")
    # One text would be taken apart into its letters.
    for wrong in ("2", None, 2):
        with counter.refuses(InvalidTerms):
            both.capture(wrong, key="ship-3")
    both.complete(key="done")
    before = counter.records(), counter.shop.dump()
    both.complete(key="done")
    counter.credit.checkout("o-1").complete(key="from another trigger")
    both.capture(["1"], key="ship-1")
    assert (counter.records(), counter.shop.dump()) == before
    with counter.refuses(PaymentStepRefused):
        both.cancel(key="off")


def test_t5_a_capture_waits_for_the_charge_of_its_lines_only(counter, both) -> None:
    with counter.refuses(ChargeOutstanding):
        both.capture(["1"], key="ship-1")
    both.charge("card", key="ch-1", amount=usd("6.00"))
    with counter.refuses(ChargeOutstanding) as refused:
        both.capture(["1"], key="ship-1")
    assert (refused.error.needed, refused.error.confirmed) == (usd("6.00"), usd("0.00"))
    both.settle_charge("ch-1", "confirmed")
    both.capture(["1"], key="ship-1")
    with counter.refuses(ChargeOutstanding):
        both.complete(key="done")


def test_t5_what_is_not_shipped_is_cancelled_and_its_charge_given_back(counter, both) -> None:
    counter.charge(both)
    both.capture(["1"], key="ship-1")
    assert both.cancel(key="rest").state is PaymentState.COMPLETED
    assert counter.holds() == {}
    assert both.stranded == (back_of("6.00"),)
    assert both.payment.paid == Balance.of(usd("10.00"))
    before = counter.records(), counter.shop.dump()
    both.cancel(key="rest")
    assert (counter.records(), counter.shop.dump()) == before
    both.cancel(key="from another trigger")
    with counter.refuses(PaymentStepRefused):
        both.capture(["2"], key="ship-2")
    with counter.refuses(GivesBackTooMuch):
        both.give_back("ch-1", usd("6.01"))
    both.give_back("ch-1", usd("6.00"))
    assert both.paid_already == (AlreadyPaid("ch-1", usd("6.00")),)


def test_a6_a_lot_that_expired_since_is_captured_all_the_same(counter) -> None:
    counter.shop.issue("4.00", funding="goodwill", expires=Period(hours=2))
    checkout = counter.begin("4.00", lapses=Period(days=1))
    counter.clock.forward(hours=3)
    checkout.complete(key="done")
    assert counter.shop.totals()["redeemed"] == 400


def test_a6_what_is_released_of_an_expired_lot_expires(counter) -> None:
    counter.shop.issue("4.00", funding="goodwill", expires=Period(hours=2))
    checkout = counter.begin("4.00", lapses=Period(days=1))
    counter.clock.forward(hours=3)
    checkout.cancel(key="off")
    assert counter.left() == ("0.00", "0.00")
    assert counter.shop.totals()["expired"] == 400


# --- Cancelling ---------------------------------------------------------------------------


def test_t5_a_late_duplicate_of_a_cancellation_changes_nothing(counter, both) -> None:
    both.cancel(key="off")
    assert counter.left() == ("8.00", "0.00")
    again = counter.begin("10.00", "10.00", key="second")
    assert again.state is PaymentState.HELD
    before = counter.records(), counter.shop.dump()
    again.cancel(key="off")
    assert (counter.records(), counter.shop.dump()) == before
    assert counter.left() == ("0.00", "8.00")
    again.cancel(key="off again")
    assert counter.left() == ("8.00", "0.00")


def test_t5_a_cancellation_before_anything_is_held_or_after_a_loss_is_fine(counter, both) -> None:
    counter.clock.forward(days=4)
    counter.charge(both)
    with pytest.raises(PaymentHoldLost):
        both.complete(key="done")
    assert both.cancel(key="off").state is PaymentState.CANCELLED
    assert both.stranded == (back_of("12.00"),)


# --- Lost holds ---------------------------------------------------------------------------


def test_t5_a_hold_that_lapsed_while_charging_is_told_apart_and_planned_again(counter) -> None:
    counter.shop.issue("5.00")
    counter.points(100)
    tenders = [counter.tender("points", PTS), counter.tender(), CARD]
    checkout = counter.begin(("20.00", 100), tenders=tenders, lapses=Period(hours=1))
    # Only the points are held for longer.
    counter.credit.resize(
        checkout.record.holds[0].hold, Money.of_minor(100, PTS), lapses=Period(days=1), key="more"
    )
    checkout.charge("card", key="ch-1")
    counter.clock.forward(hours=2)
    checkout.settle_charge("ch-1", "confirmed")
    with pytest.raises(PaymentHoldLost) as caught:
        checkout.complete(key="done")
    error = caught.value
    assert (error.order, error.tender, error.can_be_planned_again) == ("o-1", "credit", True)
    # The checkout has seen that already: nobody has to look again.
    assert (checkout.state, checkout.record.holds) == (PaymentState.PLANNED, ())
    seen = checkout.record
    assert checkout.reload() == seen
    # All else is released, and what is charged counts.
    assert (counter.left(), counter.left("PTS")) == (("5.00", "0.00"), ("100", "0"))
    assert checkout.paid_already == (AlreadyPaid("ch-1", usd("15.00")),)
    again = [*checkout.paid_already, counter.tender("points", PTS), counter.tender(), CARD]
    checkout.replan(counter.plan(("20.00", 100), tenders=again), key="second")
    assert (checkout.state, checkout.charges, checkout.stranded) == (PaymentState.HELD, (), ())
    assert checkout.complete(key="done").state is PaymentState.COMPLETED
    assert checkout.payment.paid == Balance.of(usd("20.00"), Money.of_minor(100, PTS))


def test_t5_a_hold_may_be_lost_twice_under_the_same_key_of_the_step(counter) -> None:
    counter.shop.issue("5.00")
    counter.points(100)

    def plan():
        tenders = [counter.tender("points", PTS), counter.tender()]
        return counter.plan(("5.00", 100), tenders=tenders)

    checkout = counter.credit.begin_checkout(plan(), key="b0")
    for number in range(3):
        credit = checkout.record.holds[1]
        counter.credit.release(credit.hold, key=f"by hand {number}")
        with pytest.raises(PaymentHoldLost) as caught:
            checkout.complete(key="done")
        assert caught.value.hold_id == credit.hold
        assert (counter.left(), counter.left("PTS")) == (("5.00", "0.00"), ("100", "0"))
        checkout.replan(plan(), key=f"b{number + 1}")
    assert checkout.complete(key="done").state is PaymentState.COMPLETED


def test_t5_a_hold_lost_after_a_shipment_leaves_the_rest_to_be_cancelled(counter, both) -> None:
    counter.charge(both)
    both.capture(["1"], key="ship-1")
    counter.clock.forward(days=4)
    with pytest.raises(PaymentHoldLost) as caught:
        both.capture(["2"], key="ship-2")
    assert not caught.value.can_be_planned_again
    assert "cancel the rest" in str(caught.value)
    seen = both.record
    assert both.reload() == seen
    assert seen.state is PaymentState.PARTLY_CAPTURED
    assert both.cancel(key="rest").state is PaymentState.COMPLETED
    assert both.stranded == (back_of("6.00"),)


def test_t5_a_lapse_that_was_swept_is_a_lost_hold_too(counter, both) -> None:
    counter.charge(both)
    counter.clock.forward(days=4)
    counter.credit.release_lapsed()
    with pytest.raises(PaymentHoldLost):
        both.complete(key="done")
    assert both.state is PaymentState.PLANNED
    assert both.reload().state is PaymentState.PLANNED


def test_t5_a_lost_hold_shows_what_others_did_meanwhile(counter, both) -> None:
    other = counter.credit.checkout("o-1")
    counter.charge(other)
    counter.credit.release(both.record.holds[0].hold, key="by hand")
    assert (both.state, both.paid_already) == (PaymentState.HELD, ())
    with pytest.raises(PaymentHoldLost):
        both.capture(["1"], key="ship-1")
    assert (both.state, both.paid_already) == (PaymentState.PLANNED, other.paid_already)
    # Another object lost nothing: it is told what it missed once it asks for a step.
    assert other.state is PaymentState.CHARGING
    with counter.refuses(PaymentStepRefused):
        other.capture(["1"], key="ship-1")
    assert other.reload() == both.record


def test_a_hold_that_was_captured_by_hand_is_no_lost_hold(counter, both) -> None:
    counter.charge(both)
    # Whoever did that has spent the order's credit: it is for a person to look into.
    other = counter.begin("1.00", name="o-2", tenders=[CARD])
    counter.charge(other)
    other.complete(key="done")
    counter.credit.capture(both.record.holds[0].hold, key="by hand")
    with counter.refuses(HoldAlreadyCaptured):
        both.complete(key="done")


def test_a_checkout_whose_record_is_gone_says_so(counter, both) -> None:
    counter.charge(both)
    plan = both.record.plan
    lost = Checkout(Desk(counter.shop.open("brand", units=(PTS,)), "o-1"), both.record)
    foreign = attrs.evolve(plan, merchant="brand")
    for step in (
        lost.reload,
        lambda: lost.replan(foreign, key="again"),
        lambda: lost.charge("card", key="ch-2"),
        lambda: lost.settle_charge("ch-1", "confirmed"),
        lambda: lost.give_back("ch-1", usd("12.00")),
        lambda: lost.capture(["1"], key="ship-1"),
        lambda: lost.complete(key="done"),
        lambda: lost.cancel(key="off"),
        lambda: lost.plan_refund(RefundRequest.of_lines(["1"])),
        lambda: lost.refund(RefundPlan(order="o-1", merchant="brand", parts=()), key="r"),
        lambda: lost.settle_refund("r", "card", "confirmed"),
    ):
        with counter.refuses(UnknownPayment):
            step()


def test_what_another_process_did_is_seen_after_a_reload(counter, both) -> None:
    other = counter.credit.checkout("o-1")
    other.charge("card", key="ch-1")
    assert both.state is PaymentState.HELD
    assert both.reload() == other.record
    assert both.state is PaymentState.CHARGING
