"""Beginning a checkout: exactly what the plan takes is held, once, or nothing is (T2, T5)."""

from __future__ import annotations

import attrs
import pytest

from storecredit.errors import (
    AccountClosed,
    AccountFrozen,
    ArgumentRefused,
    ChannelNotDeclared,
    ChannelRequired,
    ForeignPlan,
    FutureInstant,
    HoldTooLong,
    InsufficientCredit,
    InvalidKey,
    InvalidTender,
    InvalidTerms,
    InvalidText,
    LotCannotGive,
    NaiveInstant,
    PaymentStepRefused,
    PaymentStepRepeated,
    PlanIncomplete,
    PlanOutdated,
    SpenderNotListed,
    TenderUnitUnused,
    UnknownCurrency,
    UnknownPayment,
)
from storecredit.ledger import Limits
from storecredit.tenders import (
    AlreadyPaid,
    Charge,
    Credit,
    CreditRule,
    External,
    Order,
    OrderLine,
    PaymentState,
    RefundRequest,
    TenderKind,
)
from storecredit.values import CustomUnit, Money, Period

CARD = External("card")
PTS = CustomUnit("PTS", 0)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


# --- What is held -------------------------------------------------------------------------


def test_t5_every_credit_part_is_held_and_the_rest_is_to_be_charged(counter) -> None:
    counter.shop.issue("3.00")
    counter.shop.issue("5.00")
    counter.points(700)
    checkout = counter.begin(
        ("20.00", 500), tenders=[counter.tender("points", PTS), counter.tender(), CARD]
    )
    assert (checkout.order, checkout.state) == ("o-1", PaymentState.HELD)
    assert checkout.charges == (Charge("card", usd("12.00")),)
    assert counter.left() == ("0.00", "8.00")
    assert counter.left("PTS") == ("200", "500")
    assert [held.tender for held in checkout.record.holds] == ["points", "credit"]
    assert {*counter.holds(), *counter.holds("PTS")} == {
        held.hold for held in checkout.record.holds
    }
    assert repr(checkout) == "Checkout('o-1', held)"
    assert counter.credit.checkout("o-1").record == checkout.record


def test_a3_the_lots_that_the_plan_names_are_held_in_its_order(counter) -> None:
    keeps = counter.shop.issue("5.00").lot_id
    soon = counter.shop.issue("5.00", funding="promotional", expires=Period(days=9)).lot_id
    books = counter.shop.issue("5.00", limits=Limits(categories=["books"])).lot_id
    lines = [
        OrderLine("1", usd("4.00"), category="books"),
        OrderLine("2", usd("7.00"), category="toys"),
    ]
    checkout = counter.begin(*lines)
    with counter.shop.storage.snapshot() as reader:
        (hold,) = reader.account("acme", "c-17", "USD").holds.values()
    drawn = [(draw.lot, draw.amount) for draw in hold.draws]
    assert drawn == [(lot, amount.minor) for lot, amount in checkout.record.plan.draws("credit")]
    assert dict(drawn) == {soon: 500, keeps: 500, books: 100}


def test_t5_a_plan_without_credit_holds_nothing(counter) -> None:
    checkout = counter.begin("5.00", tenders=[CARD])
    assert (checkout.state, checkout.record.holds) == (PaymentState.HELD, ())
    counter.charge(checkout)
    assert checkout.complete(key="done").state is PaymentState.COMPLETED


def test_t5_an_order_that_sums_to_zero_is_paid_by_nothing(counter) -> None:
    counter.shop.issue("5.00")
    checkout = counter.begin("0.00")
    assert (checkout.charges, checkout.record.holds) == ((), ())
    assert checkout.complete(key="done").state is PaymentState.COMPLETED
    assert counter.left() == ("5.00", "0.00")
    refund = checkout.plan_refund(RefundRequest.of_lines(["1"]))
    assert (refund.parts, refund.returned.amounts) == ((), ())
    checkout.refund(refund, key="r1")
    assert checkout.refunds_due == ()


def test_a9_what_the_holder_comes_to_owe_is_held_of_the_limit(counter) -> None:
    counter.credit.set_limit("c-17", "USD", usd("10.00"), key="limit")
    counter.shop.issue("3.00")
    checkout = counter.begin("9.00", tenders=[counter.tender()])
    assert checkout.charges == ()
    checkout.complete(key="done")
    assert counter.credit.account("c-17", "USD").owed == usd("6.00")


def test_a_code_pays_as_an_account_of_its_own(counter) -> None:
    counter.shop.issue("5.00", holder="code-1")
    account = counter.tender(holder="code-1").account
    code = Credit("code", account, kind=TenderKind.CODE)
    checkout = counter.begin("8.00", tenders=[code, CARD])
    assert counter.left(holder="code-1") == ("0.00", "5.00")
    counter.charge(checkout)
    checkout.complete(key="done")
    assert counter.left(holder="code-1") == ("0.00", "0.00")
    assert checkout.payment.tender("code").kind is TenderKind.CODE


def test_a6_a_hold_lives_as_long_as_is_said(counter) -> None:
    counter.shop.issue("5.00")
    counter.begin("5.00", lapses=Period(hours=2))
    (hold,) = counter.credit.account("c-17", "USD").holds
    assert hold.lapses_at == Period(hours=2).after(counter.clock.now)
    assert hold.reference == "o-1"


def test_a18_the_entries_carry_who_why_and_for_what(make_counter) -> None:
    counter = make_counter(channels=("web",))
    counter.shop.issue("5.00", channel="web")
    plan = counter.plan("5.00", channel="web")
    counter.credit.begin_checkout(
        plan, key="b", actor="till 3", reason="sale", reference="another", location="Ghent"
    )
    *_, entry = counter.credit.journal("c-17", "USD")
    context = entry.context
    assert (context.actor, context.reason, context.location) == ("till 3", "sale", "Ghent")
    # Reference and channel are the plan's, whatever was said.
    assert (context.reference, context.channel) == ("o-1", "web")


# --- Repeats ------------------------------------------------------------------------------


def test_t5_the_same_beginning_again_changes_nothing_whatever_has_happened(counter) -> None:
    counter.shop.issue("5.00")
    plan = counter.plan("8.00")
    checkout = counter.credit.begin_checkout(plan, key="begin")

    def again() -> PaymentState:
        before = counter.records(), counter.shop.dump()
        found = counter.credit.begin_checkout(plan, key="begin")
        assert (counter.records(), counter.shop.dump()) == before
        return found.state

    assert again() is PaymentState.HELD
    counter.charge(checkout)
    assert again() is PaymentState.CHARGING
    checkout.capture([], key="nothing")
    assert again() is PaymentState.CHARGING
    checkout.cancel(key="off")
    assert again() is PaymentState.CANCELLED
    (stranded,) = checkout.stranded
    checkout.give_back(stranded.charge, stranded.total)
    checkout.replan(counter.plan("6.00"), key="second")
    assert again() is PaymentState.HELD
    checkout.charge("card", key="ch-2")
    checkout.settle_charge("ch-2", "confirmed")
    checkout.complete(key="done")
    assert again() is PaymentState.COMPLETED
    assert checkout.stranded == ()


def test_t5_another_plan_under_the_same_key_is_refused(counter) -> None:
    counter.shop.issue("5.00")
    checkout = counter.begin("8.00")
    with counter.refuses(PaymentStepRepeated) as refused:
        counter.begin("9.00")
    assert (refused.error.step, refused.error.name) == ("Plan", "begin")
    with counter.refuses(PaymentStepRepeated):
        checkout.replan(counter.plan("9.00"), key="begin")
    checkout.cancel(key="off")
    with counter.refuses(PaymentStepRepeated):
        checkout.replan(counter.plan("8.00"), key="begin")


def test_t5_the_same_plan_under_another_key_is_the_same_checkout(counter) -> None:
    counter.shop.issue("5.00")
    plan = counter.plan("8.00")
    first = counter.credit.begin_checkout(plan, key="tab 1")
    second = counter.credit.begin_checkout(plan, key="tab 2")
    assert (second.state, second.record.holds) == (PaymentState.HELD, first.record.holds)
    assert counter.left() == ("0.00", "5.00")
    # Both keys are known after another plan has taken the place of this one.
    second.replan(counter.plan("4.00"), key="smaller")
    for key in ("tab 1", "tab 2"):
        assert counter.credit.begin_checkout(plan, key=key).record == second.record


def test_t5_the_same_plan_is_begun_anew_after_it_was_cancelled(counter) -> None:
    plan = counter.plan("5.00", tenders=[CARD])
    checkout = counter.credit.begin_checkout(plan, key="b1")
    checkout.cancel(key="off")
    again = counter.credit.begin_checkout(plan, key="b2")
    assert (again.state, again.charges) == (PaymentState.HELD, (Charge("card", usd("5.00")),))
    counter.shop.issue("5.00")
    with_credit = counter.plan("5.00", name="o-2")
    counter.credit.begin_checkout(with_credit, key="b1").cancel(key="off")
    # The accounts have moved on: their part has to be planned again.
    with counter.refuses(PlanOutdated):
        counter.credit.begin_checkout(with_credit, key="b2")


def test_a1_keys_are_the_orders_own(counter) -> None:
    counter.shop.issue("20.00")
    for name in ("o-1", "o-2"):
        checkout = counter.begin("3.00", "2.00", name=name, key="begin")
        checkout.capture(["1"], key="ship")
        checkout.complete(key="done")
        counter.refund(checkout, ["1"], key="back")
    assert counter.left() == ("16.00", "0.00")
    keys = [entry.key for entry in counter.credit.journal("c-17", "USD")][1:]
    assert len(set(keys)) == len(keys) == 8
    assert all(key.startswith("~checkout:") and len(key) <= 200 for key in keys)


def test_the_longest_key_and_order_fit(counter) -> None:
    counter.shop.issue("5.00", funding="promotional")
    name, key = "o" * 200, "k" * 160
    checkout = counter.begin("8.00", name=name, key=key)
    counter.charge(checkout, key=key)
    checkout.complete(key=key)
    counter.refund(checkout, ["1"], key=key, payout="credit")
    assert max(len(entry.key) for entry in counter.credit.journal("c-17", "USD")) <= 200
    assert counter.left() == ("8.00", "0.00")


# --- Plans that do not fit any more -------------------------------------------------------


def test_t2_a_plan_is_refused_once_an_account_has_moved_on(counter) -> None:
    counter.shop.issue("5.00")
    counter.points(500)
    tenders = [counter.tender("points", PTS), counter.tender(), CARD]
    plan = counter.plan(("8.00", 100), tenders=tenders)
    counter.shop.redeem("1.00")
    with counter.refuses(PlanOutdated) as refused:
        counter.credit.begin_checkout(plan, key="b")
    error = refused.error
    assert (error.order, error.seen, error.version) == ("o-1", 1, 2)
    assert error.account.endswith(".USD")
    assert not error.retryable


def test_t2_a_plan_is_refused_once_an_account_has_come_to_be(counter) -> None:
    plan = counter.plan("5.00")
    counter.shop.issue("5.00")
    # It saw nothing, and nothing of that account was in it: the card pays.
    assert counter.credit.begin_checkout(plan, key="b").charges == (Charge("card", usd("5.00")),)


def test_a5_a_lot_that_expired_since_the_plan_is_refused(counter) -> None:
    counter.shop.issue("5.00", funding="goodwill", expires=Period(hours=1))
    plan = counter.plan("8.00")
    counter.clock.forward(hours=1)
    with counter.refuses(LotCannotGive) as refused:
        counter.credit.begin_checkout(plan, key="b")
    assert (refused.error.because, refused.error.wanted) == ("expired", usd("5.00"))
    # Nothing stands in the way of a new plan under the same key.
    assert counter.begin("8.00", key="b").charges == (Charge("card", usd("8.00")),)


def test_t5_nothing_is_held_where_one_account_refuses(counter) -> None:
    counter.shop.issue("5.00", funding="goodwill", expires=Period(hours=1))
    counter.points(500)
    plan = counter.plan(("5.00", 100), tenders=[counter.tender("points", PTS), counter.tender()])
    counter.clock.forward(hours=1)
    with counter.refuses(LotCannotGive):
        counter.credit.begin_checkout(plan, key="b")
    assert (counter.left("PTS"), counter.records()) == (("500", "0"), "[]")


def test_t2_a_plan_that_leaves_something_unpaid_is_not_begun(counter) -> None:
    counter.shop.issue("5.00")
    with counter.refuses(PlanIncomplete) as refused:
        counter.begin("8.00", tenders=[counter.tender()])
    assert list(refused.error.shortage) == [usd("3.00")]
    checkout = counter.begin("5.00", key="b")
    with counter.refuses(PlanIncomplete):
        checkout.replan(counter.plan("8.00", tenders=[counter.tender()]), key="c")


def test_t5_a_checkout_is_found_or_not(counter) -> None:
    assert counter.credit.find_checkout("o-1") is None
    checkout = counter.begin("5.00", tenders=[CARD])
    found = counter.credit.find_checkout("o-1")
    assert found.record == checkout.record
    found.cancel(key="off")
    # It is found in whatever state, by its merchant only, and by its whole name.
    assert counter.credit.find_checkout("o-1").state is PaymentState.CANCELLED
    assert counter.shop.open("brand", units=(PTS,)).find_checkout("o-1") is None
    assert counter.credit.find_checkout("o-") is None
    for wrong in ("", 7, None):
        with counter.refuses(InvalidText):
            counter.credit.find_checkout(wrong)


def test_a_single_tender_may_be_given_without_a_list(counter) -> None:
    counter.shop.issue("5.00")
    for tender in (CARD, counter.tender()):
        assert counter.plan("5.00", tenders=tender) == counter.plan("5.00", tenders=[tender])
    assert counter.paid("5.00", tenders=counter.tender()).state is PaymentState.COMPLETED


def test_a16_a_plan_of_another_merchant_is_refused(counter) -> None:
    counter.shop.issue("5.00")
    plan = counter.plan("5.00")
    other = counter.shop.open("brand")
    with counter.refuses(ForeignPlan) as refused:
        other.begin_checkout(plan, key="b")
    assert (refused.error.field, refused.error.given) == ("merchant", "acme")
    checkout = counter.credit.begin_checkout(plan, key="b")
    with counter.refuses(UnknownPayment):
        other.checkout("o-1")
    assert list(other.checkouts()) == []
    # With the merchant's name changed by hand, the accounts are unknown all the same.
    forged = attrs.evolve(plan, merchant="brand")
    with counter.refuses(PlanOutdated):
        other.begin_checkout(forged, key="b")
    with counter.refuses(ForeignPlan) as refused:
        checkout.replan(counter.plan("5.00", name="o-2"), key="c")
    assert (refused.error.field, refused.error.given, refused.error.expected) == (
        "order",
        "o-2",
        "o-1",
    )


def test_a11_a_frozen_or_closed_account_is_not_begun_with(counter) -> None:
    counter.shop.issue("5.00")
    plan = counter.plan("5.00")
    counter.shop.correct("freeze", "c-17", "USD")
    now = counter.tender().account.version
    fresh = attrs.evolve(plan, versions=(attrs.evolve(plan.versions[0], version=now),))
    with counter.refuses(AccountFrozen):
        counter.credit.begin_checkout(fresh, key="b")
    counter.shop.correct("reopen", "c-17", "USD")
    counter.shop.redeem("5.00")
    counter.shop.correct("close", "c-17", "USD")
    now = counter.tender().account.version
    fresh = attrs.evolve(plan, versions=(attrs.evolve(plan.versions[0], version=now),))
    with counter.refuses(AccountClosed):
        counter.credit.begin_checkout(fresh, key="b")


def test_a9_only_listed_people_begin_with_a_companys_account(counter) -> None:
    counter.shop.issue("5.00")
    counter.credit.set_spenders("c-17", "USD", ["bea"], key="who")
    plan = counter.plan("5.00", spender="bea")
    for spender in (None, "bob"):
        with counter.refuses(SpenderNotListed):
            counter.credit.begin_checkout(plan, key="b", spender=spender)
    assert counter.credit.begin_checkout(plan, key="b", spender="bea").charges == ()


def test_a9_a_limit_that_was_lowered_by_hand_in_the_plan_is_no_limit(counter) -> None:
    counter.credit.set_limit("c-17", "USD", usd("10.00"), key="limit")
    plan = counter.plan("9.00", tenders=[counter.tender()])
    counter.credit.set_limit("c-17", "USD", usd("8.00"), key="lower")
    now = counter.tender().account.version
    fresh = attrs.evolve(plan, versions=(attrs.evolve(plan.versions[0], version=now),))
    with counter.refuses(InsufficientCredit) as refused:
        counter.credit.begin_checkout(fresh, key="b")
    assert refused.error.reachable == usd("8.00")


def test_a16_the_channel_of_the_plan_is_that_of_the_holds(make_counter) -> None:
    counter = make_counter(channels=("web", "till"))
    counter.shop.issue("5.00", limits=Limits(channels=["web"]), channel="web")
    assert counter.plan("5.00", channel="till").charges == (Charge("card", usd("5.00")),)
    plan = counter.plan("5.00", channel="web")
    with counter.refuses(LotCannotGive) as refused:
        counter.credit.begin_checkout(attrs.evolve(plan, channel="till"), key="b")
    assert refused.error.because == "no_eligible_line"
    with counter.refuses(ChannelNotDeclared):
        counter.credit.begin_checkout(attrs.evolve(plan, channel="app"), key="b")
    with counter.refuses(ChannelRequired):
        counter.credit.begin_checkout(attrs.evolve(plan, channel=None), key="b")
    assert counter.credit.begin_checkout(plan, key="b").charges == ()


# --- Bad input ----------------------------------------------------------------------------


def test_something_else_than_a_plan_is_refused(counter) -> None:
    for wrong in (None, "o-1", counter.order("5.00")):
        with counter.refuses(InvalidTender) as refused:
            counter.credit.begin_checkout(wrong, key="b")
        assert refused.error.expected == "a PaymentPlan, from plan_payment()"
    checkout = counter.begin("5.00")
    with counter.refuses(InvalidTender):
        checkout.replan(None, key="c")


@pytest.mark.parametrize("key", ["", "~mine", "a\nb", "k" * 161, "k" * 201, None, 7])
def test_a12_a_key_that_cannot_be_is_refused(counter, key) -> None:
    plan = counter.plan("5.00")
    with counter.refuses(InvalidKey):
        counter.credit.begin_checkout(plan, key=key)
    checkout = counter.credit.begin_checkout(plan, key="b")
    for step in (
        lambda: checkout.replan(plan, key=key),
        lambda: checkout.charge("card", key=key),
        lambda: checkout.capture(["1"], key=key),
        lambda: checkout.complete(key=key),
        lambda: checkout.cancel(key=key),
    ):
        with counter.refuses(InvalidKey):
            step()
    counter.charge(checkout)
    checkout.complete(key="done")
    back = checkout.plan_refund(RefundRequest.of_lines(["1"]))
    with counter.refuses(InvalidKey):
        checkout.refund(back, key=key)


def test_the_rest_of_a_request_is_checked_as_that_of_every_command(counter) -> None:
    counter.shop.issue("5.00")
    plan = counter.plan("5.00")
    begin = counter.credit.begin_checkout
    with counter.refuses(NaiveInstant):
        begin(plan, key="b", at=counter.clock.now.replace(tzinfo=None))
    with counter.refuses(FutureInstant):
        begin(plan, key="b", at=Period(hours=1).after(counter.clock.now))
    with counter.refuses(InvalidText):
        begin(plan, key="b", actor="a\x00b")
    with counter.refuses(InvalidText):
        begin(plan, key="b", spender="")
    with counter.refuses(HoldTooLong):
        begin(plan, key="b", lapses=Period(years=9))
    with counter.refuses(InvalidTerms):
        begin(plan, key="b", lapses=counter.clock.now)
    with counter.refuses(ArgumentRefused):
        begin(plan, key="b", lapses="soon")
    with pytest.raises(TypeError):
        begin(plan, key="b", colour="red")
    # The errors come in the order of the page: the key before the plan's merchant.
    with counter.refuses(InvalidKey):
        begin(attrs.evolve(plan, merchant="brand"), key="")
    with counter.refuses(ForeignPlan):
        begin(attrs.evolve(plan, merchant="brand"), key="b", lapses=Period(years=9))


def test_a_tender_is_of_a_holder_in_a_unit_of_the_merchants(counter) -> None:
    with counter.refuses(InvalidText):
        counter.credit.tender("", "c-17", "USD")
    with counter.refuses(InvalidText):
        counter.credit.tender("credit", "", "USD")
    with counter.refuses(UnknownCurrency):
        counter.credit.tender("credit", "c-17", "GEM")
    with counter.refuses(InvalidTender):
        counter.tender(up_to=Money.of("1.00", "EUR"))
    with counter.refuses(InvalidTender):
        counter.tender(up_to=usd("-1.00"))
    with counter.refuses(InvalidTender):
        counter.tender(rate="1:1")
    with counter.refuses(ArgumentRefused):
        counter.tender(up_to=1.5)
    unknown = counter.tender(holder="nobody")
    assert (unknown.account.version, unknown.account.holder) == (0, "nobody")


def test_t2_planning_is_by_this_merchants_clock_and_rules(counter) -> None:
    counter.shop.issue("5.00", funding="goodwill", expires=Period(hours=1))
    now = counter.plan("8.00")
    assert (now.at, now.merchant) == (counter.clock.now, "acme")
    assert now.charges == (Charge("card", usd("3.00")),)
    later = counter.plan("8.00", at=Period(hours=1).after(counter.clock.now))
    assert later.charges == (Charge("card", usd("8.00")),)
    ruled = counter.plan("8.00", rules=[CreditRule("USD", at_most=usd("2.00"))])
    assert ruled.charges == (Charge("card", usd("6.00")),)
    with counter.refuses(TenderUnitUnused):
        counter.plan("8.00", tenders=[AlreadyPaid("slip", Money.of("8.00", "EUR")), CARD])
    with counter.refuses(InvalidTender):
        counter.plan("8.00", tenders=[counter.tender("a"), counter.tender("b"), CARD])


def test_looking_for_checkouts(counter) -> None:
    with counter.refuses(UnknownPayment) as refused:
        counter.credit.checkout("o-1")
    assert refused.error.order == "o-1"
    with counter.refuses(InvalidText):
        counter.credit.checkout("")
    with counter.refuses(InvalidTerms):
        next(counter.credit.checkouts(state="paid"))
    for number in range(1, 204):
        plan = counter.credit.plan_payment(
            Order(f"o-{number:03}", [OrderLine("1", usd("1.00"))]), [CARD]
        )
        begun = counter.credit.begin_checkout(plan, key="b")
        if number % 100 == 0:
            begun.cancel(key="off")
    found = [each.order for each in counter.credit.checkouts()]
    assert found == [f"o-{number:03}" for number in range(1, 204)]
    cancelled = counter.credit.checkouts(state="cancelled")
    assert [each.order for each in cancelled] == ["o-100", "o-200"]
    assert len(list(counter.credit.checkouts(state=PaymentState.HELD))) == 201
    assert list(counter.credit.checkouts(state="completed")) == []


# --- Holds that were there before ---------------------------------------------------------


def test_t2_a_hold_that_was_placed_by_hand_for_the_order_is_adopted(counter) -> None:
    counter.shop.issue("5.00")
    mine = counter.shop.hold("4.00", reference="o-1").hold_id
    checkout = counter.begin("8.00")
    assert checkout.charges == (Charge("card", usd("3.00")),)
    assert checkout.record.holds[0].hold == mine
    assert counter.holds() == {mine: "5.00"}


def test_t2_several_holds_of_the_order_become_one(counter) -> None:
    counter.shop.issue("9.00")
    first, second, third = (counter.shop.hold("2.00", reference="o-1").hold_id for _ in range(3))
    other = counter.shop.hold("1.00", reference="o-2").hold_id
    checkout = counter.begin("7.00")
    assert checkout.charges == ()
    assert checkout.record.holds[0].hold in {first, second, third}
    assert counter.holds() == {checkout.record.holds[0].hold: "7.00", other: "1.00"}
    assert counter.left() == ("1.00", "8.00")


def test_t2_a_hold_of_the_order_that_the_plan_does_not_use_is_released(counter) -> None:
    counter.shop.issue("5.00")
    counter.shop.hold("5.00", reference="o-1")
    checkout = counter.begin("8.00", rules=[CreditRule("USD", at_most=usd("0.00"))])
    assert (checkout.charges, checkout.record.holds) == ((Charge("card", usd("8.00")),), ())
    assert counter.left() == ("5.00", "0.00")


def test_a6_a_lapsed_hold_of_the_order_is_not_adopted(counter) -> None:
    counter.shop.issue("5.00")
    old = counter.shop.hold("5.00", reference="o-1", lapses=Period(hours=1)).hold_id
    counter.clock.forward(hours=1)
    checkout = counter.begin("5.00")
    assert checkout.record.holds[0].hold != old
    assert counter.left() == ("0.00", "5.00")


def test_t5_what_is_captured_is_not_begun_again(counter) -> None:
    counter.shop.issue("9.00")
    checkout = counter.begin("3.00", "2.00")
    checkout.capture(["1"], key="ship")
    plan = counter.plan("1.00")
    with counter.refuses(PaymentStepRefused):
        counter.credit.begin_checkout(plan, key="again")
    checkout.complete(key="done")
    plan = counter.plan("1.00")
    with counter.refuses(PaymentStepRefused) as refused:
        checkout.replan(plan, key="again")
    assert (refused.error.step, refused.error.state) == ("replan", "completed")
