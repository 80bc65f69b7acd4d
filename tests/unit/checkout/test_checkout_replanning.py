"""A cart that changes on the way: what is held stays held as far as the new plan takes it (A6, T5)."""

from __future__ import annotations

import pytest

from storecredit.errors import (
    ChargePending,
    LotCannotGive,
    PaymentHoldLost,
    PaymentStepRepeated,
    PlanOutdated,
    UnknownPayment,
)
from storecredit.tenders import AlreadyPaid, Charge, External, PaymentState, Stranded
from storecredit.values import CustomUnit, Money, Period

CARD = External("card")
PTS = CustomUnit("PTS", 0)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_a6_a_larger_cart_keeps_the_hold_and_draws_more(counter) -> None:
    counter.shop.issue("9.00")
    checkout = counter.begin("4.00")
    (hold,) = counter.holds()
    checkout.replan(counter.plan("12.00"), key="more")
    assert (checkout.state, checkout.charges) == (
        PaymentState.HELD,
        (Charge("card", usd("3.00")),),
    )
    assert counter.holds() == {hold: "9.00"}


def test_a6_a_smaller_cart_gives_back_at_once(counter) -> None:
    counter.shop.issue("9.00")
    checkout = counter.begin("8.00")
    (hold,) = counter.holds()
    checkout.replan(counter.plan("2.00"), key="less")
    assert (counter.holds(), counter.left()) == ({hold: "2.00"}, ("7.00", "2.00"))


def test_t5_the_hold_of_the_record_is_kept_before_others_of_the_order(counter) -> None:
    counter.shop.issue("9.00")
    checkout = counter.begin("3.00")
    (hold,) = counter.holds()
    for _ in range(5):
        counter.shop.hold("1.00", reference="o-1")
    checkout.replan(counter.plan("9.00"), key="more")
    assert counter.holds() == {hold: "9.00"}
    assert [held.hold for held in checkout.record.holds] == [hold]


def test_a6_an_expired_lot_that_is_held_still_pays(counter) -> None:
    counter.shop.issue("4.00", funding="goodwill", expires=Period(hours=1))
    checkout = counter.begin("4.00", lapses=Period(days=1))
    counter.shop.issue("2.00")
    counter.clock.forward(hours=2)
    plan = counter.plan("5.00")
    assert plan.charges == ()
    checkout.replan(plan, key="more")
    assert counter.left() == ("1.00", "5.00")
    checkout.complete(key="done")


def test_t5_an_account_that_the_new_plan_leaves_out_is_released(counter) -> None:
    counter.shop.issue("4.00")
    counter.points(100)
    tenders = [counter.tender("points", PTS), counter.tender(), CARD]
    checkout = counter.begin(("9.00", 100), tenders=tenders)
    checkout.replan(counter.plan("9.00"), key="no points")
    assert (counter.left(), counter.left("PTS")) == (("0.00", "4.00"), ("100", "0"))
    checkout.replan(counter.plan("9.00", tenders=[CARD]), key="only the card")
    assert (counter.left(), checkout.record.holds) == (("4.00", "0.00"), ())
    # And back again: other holds, under other keys.
    tenders = [counter.tender("points", PTS), counter.tender(), CARD]
    checkout.replan(counter.plan(("9.00", 100), tenders=tenders), key="all")
    assert (counter.left(), counter.left("PTS")) == (("0.00", "4.00"), ("0", "100"))


def test_t5_another_holders_account_takes_the_place_of_the_first(counter) -> None:
    counter.shop.issue("4.00")
    counter.shop.issue("9.00", holder="c-18")
    checkout = counter.begin("4.00")
    checkout.replan(counter.plan("4.00", tenders=[counter.tender(holder="c-18")]), key="gift")
    assert (counter.left(), counter.left(holder="c-18")) == (("4.00", "0.00"), ("5.00", "4.00"))
    checkout.complete(key="done")


def test_t5_a_new_plan_again_changes_nothing(counter) -> None:
    counter.shop.issue("9.00")
    checkout = counter.begin("8.00")
    plan = counter.plan("2.00")
    checkout.replan(plan, key="less")
    before = counter.records(), counter.shop.dump()
    checkout.replan(plan, key="less")
    counter.credit.begin_checkout(plan, key="less")
    assert (counter.records(), counter.shop.dump()) == before
    with counter.refuses(PaymentStepRepeated):
        checkout.replan(counter.plan("3.00"), key="less")
    # A plan that was overtaken by another one does not come back.
    first = counter.plan("5.00")
    checkout.replan(counter.plan("6.00"), key="third")
    with counter.refuses(PlanOutdated):
        checkout.replan(first, key="late")


def test_t5_what_was_charged_counts_in_the_next_plan_or_is_given_back(counter) -> None:
    counter.shop.issue("4.00")
    checkout = counter.begin("10.00")
    counter.charge(checkout)
    tenders = [*checkout.paid_already, counter.tender(), CARD]
    checkout.replan(counter.plan("12.00", tenders=tenders), key="more")
    assert (checkout.charges, checkout.stranded) == ((Charge("card", usd("2.00")),), ())
    checkout.replan(
        counter.plan("5.00", tenders=[*checkout.paid_already, counter.tender(), CARD]), key="less"
    )
    assert checkout.stranded == (Stranded("ch-1", "card", usd("1.00"), usd("1.00")),)
    assert counter.left() == ("4.00", "0.00")
    checkout.give_back("ch-1", usd("1.00"))
    assert checkout.paid_already == (AlreadyPaid("ch-1", usd("5.00")),)
    checkout.complete(key="done")
    counter.refund(checkout, ["1"], key="back")
    assert [(each.tender, each.amount) for each in checkout.refunds_due] == [("ch-1", usd("5.00"))]
    checkout.settle_refund("back", "ch-1", "confirmed")


def test_t5_nothing_is_planned_anew_while_a_charge_has_no_answer(counter) -> None:
    counter.shop.issue("4.00")
    plan = counter.plan("10.00")
    checkout = counter.credit.begin_checkout(plan, key="begin")
    checkout.charge("card", key="ch-1")
    assert [(each.id, each.amount) for each in checkout.pending] == [("ch-1", usd("6.00"))]
    smaller = counter.plan("9.00")
    with counter.refuses(ChargePending) as refused:
        checkout.replan(smaller, key="less")
    assert (refused.error.order, refused.error.charges) == ("o-1", ("ch-1",))
    with counter.refuses(ChargePending):
        counter.credit.begin_checkout(smaller, key="less")
    assert counter.left() == ("0.00", "4.00")
    # The same plan is what it was, under whichever key.
    for key in ("begin", "another tab"):
        assert counter.credit.begin_checkout(plan, key=key).state is PaymentState.CHARGING
    # Neither a hold that is gone nor the answer about another charge makes a difference.
    counter.credit.release(checkout.record.holds[0].hold, key="by hand")
    checkout.settle_charge("ch-1", "failed")
    checkout.charge("card", key="ch-2", amount=usd("2.00"))
    checkout.charge("card", key="ch-3", amount=usd("4.00"))
    checkout.settle_charge("ch-2", "confirmed")
    assert [each.id for each in checkout.pending] == ["ch-3"]
    with counter.refuses(ChargePending):
        checkout.replan(counter.plan("9.00"), key="less")
    checkout.settle_charge("ch-3", "confirmed")
    with pytest.raises(PaymentHoldLost):
        checkout.complete(key="done")
    tenders = [*checkout.paid_already, counter.tender(), CARD]
    checkout.replan(counter.plan("9.00", tenders=tenders), key="less")
    assert (checkout.pending, checkout.charges, checkout.stranded) == ((), (), ())
    assert checkout.complete(key="done").state is PaymentState.COMPLETED
    assert counter.left() == ("1.00", "0.00")


def test_t5_a_cancelled_order_begins_anew_while_a_charge_has_no_answer(counter) -> None:
    checkout = counter.begin("10.00", tenders=CARD)
    checkout.charge("card", key="ch-1")
    checkout.cancel(key="off")
    again = counter.begin("10.00", tenders=CARD, key="second")
    assert [each.id for each in again.pending] == ["ch-1"]
    counter.charge(again, key="ch-2")
    again.settle_charge("ch-1", "confirmed")
    (first,) = again.stranded
    assert (first.charge, first.total) == ("ch-1", usd("10.00"))
    again.give_back(first.charge, first.total)
    assert again.complete(key="done").stranded == ()


def test_t5_a_refused_plan_leaves_the_old_one_as_it_was(counter) -> None:
    counter.shop.issue("4.00", funding="goodwill", expires=Period(hours=1))
    counter.points(100)
    checkout = counter.begin(
        ("9.00", 50), tenders=[counter.tender("points", PTS), CARD], lapses=Period(days=1)
    )
    plan = counter.plan(
        ("9.00", 80), tenders=[counter.tender("points", PTS), counter.tender(), CARD]
    )
    counter.clock.forward(hours=1)
    with counter.refuses(LotCannotGive):
        checkout.replan(plan, key="more")
    assert checkout.reload().state is PaymentState.HELD
    assert counter.left("PTS") == ("50", "50")


def test_a6_a_new_plan_may_hold_for_longer(counter) -> None:
    counter.shop.issue("9.00")
    checkout = counter.begin("4.00", lapses=Period(hours=1))
    plan = counter.plan("4.00")
    counter.clock.forward(minutes=30)
    checkout.replan(counter.plan("4.00"), key="again", lapses=Period(hours=1))
    (hold,) = counter.credit.account("c-17", "USD").holds
    assert hold.lapses_at == Period(hours=1).after(counter.clock.now)
    # The first plan of before was made with an older version.
    with counter.refuses(PlanOutdated):
        checkout.replan(plan, key="late")


def test_t5_after_a_cancellation_all_begins_anew(counter) -> None:
    counter.shop.issue("4.00")
    checkout = counter.begin("10.00")
    counter.charge(checkout)
    checkout.cancel(key="off")
    tenders = [*checkout.paid_already, counter.tender(), CARD]
    checkout.replan(counter.plan("10.00", tenders=tenders), key="second")
    assert (checkout.charges, checkout.stranded) == ((), ())
    assert checkout.complete(key="done").state is PaymentState.COMPLETED


def test_t5_only_what_was_begun_goes_on(counter) -> None:
    checkout = counter.begin("4.00")
    plan = counter.plan("5.00")
    other = counter.shop.open("brand", units=(PTS,))
    begun = other.begin_checkout(
        other.plan_payment(counter.order("4.00", name="o-7"), [CARD]), key="b"
    )
    assert (checkout.order, begun.order) == ("o-1", "o-7")
    with counter.refuses(UnknownPayment):
        counter.credit.checkout("o-7")
    assert checkout.replan(plan, key="more").plan == plan
