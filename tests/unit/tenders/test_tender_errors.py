"""Every error of the tenders is produced by running code, and its message teaches (STYLE 5)."""

from __future__ import annotations

import pickle
import re

import attrs
import pytest

from storecredit import errors
from storecredit.errors import ConflictError, MisuseError, RefusalError, StoreCreditError
from storecredit.errors import tenders as tender_errors
from storecredit.policies import (
    EarningPolicy,
    EarnRule,
    PolicyVersion,
    Returned,
    earn,
    purchase_of,
)
from storecredit.service import Checkout
from storecredit.tenders import (
    AlreadyPaid,
    Credit,
    CreditRule,
    Earned,
    External,
    LineAmount,
    Order,
    OrderLine,
    Payment,
    PaymentRecord,
    RefundPlan,
    RefundRequest,
    RefundRules,
    plan_refund,
)
from storecredit.values import CustomUnit, Money

CARD = External("card")
PTS = CustomUnit("PTS", 0)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def caught(call) -> StoreCreditError:
    with pytest.raises(StoreCreditError) as found:
        call()
    return found.value


@pytest.fixture
def shown(till, order) -> dict[str, StoreCreditError]:
    """Each error, by its name, as running code raises it."""
    wanted = order(OrderLine("1", [usd("5.00"), usd("4.00")], quantity=2))
    payment = Payment.of(till.plan(wanted, CARD))
    record = PaymentRecord(plan=till.plan(wanted, CARD))
    held = record.hold({})
    sent = held.charge("card", usd("5.00"), key="ch-1")
    found = [
        caught(lambda: OrderLine("1", usd("-5.00"))),
        caught(lambda: CreditRule("USD", at_most=usd("-5.00"))),
        caught(lambda: till.plan(wanted, AlreadyPaid("p", Money.of("5.00", "EUR")))),
        caught(lambda: till.plan(wanted, CARD, prices={"1": 2})),
        caught(lambda: till.plan(wanted, CARD, prices={"2": 0})),
        caught(lambda: payment.tender("bank")),
        caught(lambda: plan_refund(payment, RefundRequest.of_amount(usd("5.01")))),
        caught(lambda: plan_refund(payment, RefundRequest.of_lines({"1": 3}))),
        caught(lambda: PaymentRecord(plan=till.plan(wanted)).hold({})),
        caught(lambda: held.complete(key="c")),
        caught(lambda: record.complete(key="c")),
        caught(lambda: sent.charge("card", usd("4.00"), key="ch-1")),
        caught(lambda: sent.charge("card", usd("1.00"), key="ch-2")),
        caught(lambda: sent.replan(till.plan(order(usd("9.00")), CARD))),
        caught(lambda: sent.settle_charge("ch-1", "confirmed").give_back("ch-1", usd("5.00"))),
        caught(lambda: sent.settle_charge("ch-2", "confirmed")),
        caught(lambda: sent.refund(attrs.evolve(_nothing_back(), order="o-2"), key="r")),
        caught(lambda: till.shop.credit.checkout("o-9")),
        *_of_the_service(till, order),
    ]
    return {type(error).__name__: error for error in found}


def _nothing_back() -> RefundPlan:
    return RefundPlan(order="o-1", merchant="acme", parts=())


def _of_the_service(till, order) -> list[StoreCreditError]:
    """What only a checkout can run into: another's hold, a used gift card, an old plan, no holder."""
    credit = till.shop.credit

    def begin(key: str) -> Checkout:
        wanted = order(OrderLine("1", usd("5.00"), kind="gift_card"))
        plan = credit.plan_payment(wanted, [credit.tender("credit", "c-17", "USD"), CARD])
        return credit.begin_checkout(plan, key=key)

    by_card = begin("b1")
    by_card.charge("card", key="ch-1")
    by_card.settle_charge("ch-1", "confirmed")
    by_card.complete(key="done")
    payout = RefundRules(payout="credit")
    request = RefundRequest.of_lines(["1"])
    refund = by_card.plan_refund(request, rules=payout, unspent={"1": usd("5.00")})
    card = till.shop.issue("3.00", funding="purchased", holder="c-18", paid=usd("3.00")).lot_id
    used = by_card.plan_refund(request, unspent={"1": usd("5.00")})
    about = {"actor": "ann", "reason": "unwanted"}
    found = [
        caught(lambda: by_card.refund(refund, key="r", gift_cards={"1": None})),
        caught(lambda: by_card.refund(used, key="r", gift_cards={"1": card}, **about)),
    ]
    rules = EarningPolicy(rules=[EarnRule(id="all", per=usd("1.00"), points=2, without_kinds=[])])
    bought = purchase_of(by_card.record.plan, holder="c-17", unit=usd("5.00").unit)
    credit.earn(earn(rules, bought, named=PolicyVersion("points", "1"), units=[PTS]))
    going = credit.earned("o-1", Returned(line="1", amount=usd("5.00")))
    points = by_card.plan_refund(request, unspent={"1": usd("5.00")}, earned=going)
    refund_points = {"gift_cards": {"1": None}, "returned": (), **about}
    found.append(caught(lambda: by_card.refund(points, key="r", **refund_points)))
    till.shop.issue("5.00")
    old = till.plan(Order("o-3", [OrderLine("1", usd("5.00"))]), Credit("credit", till.account()))
    begun = credit.begin_checkout(old, key="b")
    found.append(caught(lambda: credit.begin_checkout(attrs.evolve(old, order="o-4"), key="b")))
    credit.release(begun.record.holds[0].hold, key="by hand")
    found.append(caught(lambda: begun.complete(key="done")))
    return found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("InvalidOrder", "price is 'USD -5.00'; it has to be zero or more."),
        ("InvalidTender", "at_most is 'USD -5.00'; it has to be zero or more."),
        (
            "TenderUnitUnused",
            (
                "'p' is in EUR, and the order is due in 'USD'. Nothing is converted by itself: "
                "convert() it first, or give the credit a PayingRate at which its unit pays."
            ),
        ),
        (
            "UnknownPrice",
            (
                "Line '1' has no price number 2: it has 2, counted from 0. Choose one of them, or "
                "pass an Aim."
            ),
        ),
        (
            "UnknownOrderLine",
            (
                "The order has no line '2': its lines are '1'. Lines are named by the ids that the "
                "order was planned with."
            ),
        ),
        (
            "UnknownTender",
            "Nothing was paid with tender 'bank': the tenders are 'card'. Name one of them.",
        ),
        (
            "RefundExceedsPaid",
            (
                "Cannot refund USD 5.01 of order 'o-1': USD 5.00 was paid, and USD 0.00 of that is "
                "returned or on its way. At most USD 5.00 is left. What a customer gets beyond it is "
                "goodwill: issue it as such, or pass beyond=Beyond.AS_GOODWILL to have it planned and "
                "flagged."
            ),
        ),
        (
            "QuantityExceedsRest",
            "Cannot take back 3 of line '1': 2 were bought and 0 came back already. At most 2 can.",
        ),
        (
            "PlanIncomplete",
            (
                "Cannot begin to pay order 'o-1': USD 5.00 of it would stay unpaid. The plan's "
                "reasons say why; add a tender, or change a rule or the cart, and plan again."
            ),
        ),
        (
            "ChargeOutstanding",
            (
                "Cannot capture order 'o-1': USD 5.00 of these lines is for 'card' to pay, and "
                "USD 0.00 is confirmed. Record the answer of the processor first, or cancel."
            ),
        ),
        (
            "ChargeExceedsDue",
            (
                "Cannot charge USD 1.00 to 'card' for order 'o-1': USD 0.00 is outstanding there. "
                "Charges that are on their way count as made; look up their answers."
            ),
        ),
        (
            "ChargePending",
            (
                "Cannot plan order 'o-1' anew: nobody knows yet whether 'ch-1' was charged. Ask the "
                "processor, settle it as confirmed or failed, and plan with what is paid already; "
                "or cancel, begin again, and give back what is confirmed late."
            ),
        ),
        (
            "GivesBackTooMuch",
            (
                "Cannot record that USD 5.00 of charge 'ch-1' of order 'o-1' was given back in all: "
                "at most USD 0.00 of it pays for nothing. Give back what `stranded` says; what paid "
                "for lines is refunded."
            ),
        ),
        (
            "UnknownPaymentStep",
            (
                "The payment of order 'o-1' has no charge 'ch-2': it has 'ch-1'. Pass the key that "
                "the charge was recorded under."
            ),
        ),
        (
            "PaymentStepRefused",
            (
                "Cannot complete the payment of order 'o-1': it is planned, where only these steps go "
                "on: replan, hold, settle_charge, give_back, cancel."
            ),
        ),
        (
            "ForeignPlan",
            "The plan is of order 'o-2', and this is 'o-1'. Plan it here.",
        ),
        (
            "UnknownPayment",
            (
                "No payment of order 'o-9' was begun with this merchant. Plan it with "
                "plan_payment() and begin with begin_checkout()."
            ),
        ),
        (
            "RefundNeedsHolder",
            (
                "The refund of order 'o-1' gives USD 5.00 of new credit, and no credit paid for it "
                "that would say to whom. Pass holder=."
            ),
        ),
        (
            "EarnedChanged",
            (
                "The refund of order 'o-1' was planned to take back PTS 10 that it earned; due to go "
                "with what comes back: nothing. Ask earned() for that, and plan again."
            ),
        ),
        (
            "GiftCardChanged",
            (
                "The gift card of line '1' of order 'o-1' has USD 3.00 left, and USD 5.00 of it was "
                "to be refunded. Only its whole unspent rest goes back: load it and plan again."
            ),
        ),
        (
            "PlanOutdated",
            (
                "The plan for order 'o-4' was made from version 1 of account "
                "...USD, which is at version 2 now. Load the accounts "
                "and plan again."
            ),
        ),
        (
            "PaymentHoldLost",
            (
                "The hold ...USD... of 'credit' for order 'o-3' has "
                "lapsed or was released. Nothing is captured, and all else that was held is "
                "released: plan again, with what is charged already among the tenders "
                "(`paid_already`), and go on with `replan`."
            ),
        ),
        (
            "PaymentStepRepeated",
            (
                "Charge 'ch-1' of order 'o-1' is recorded as USD 5.00 of card, and now it is said to "
                "be USD 4.00 of card. A repeat has to say the same; a new fact needs a key of its own."
            ),
        ),
    ],
)
def test_a_message_says_what_failed_why_and_what_to_do(shown, name, message) -> None:
    error = shown[name]
    # The ids of accounts, holds and lots are long, and of no interest here.
    assert re.sub(r"[0-9a-f]{32}", "..", str(error)) == message
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    for field in attrs.fields(type(error)):
        assert getattr(copy, field.name) == getattr(error, field.name)


def test_what_is_missing_or_foreign_is_named(till, order) -> None:
    wanted = order(usd("5.00"))
    record = PaymentRecord(plan=till.plan(wanted, CARD))
    two = record.hold({}).charge("card", usd("2.00"), key="a").charge("card", usd("3.00"), key="b")
    foreign = attrs.evolve(_nothing_back(), merchant="brand")
    paid = two.settle_charge("a", "confirmed").settle_charge("b", "confirmed").complete(key="c")
    credit = till.shop.credit
    by_card = credit.begin_checkout(
        credit.plan_payment(order(OrderLine("gift", usd("5.00"), kind="gift_card")), CARD), key="b1"
    )
    by_card.charge("card", key="ch-1")
    by_card.settle_charge("ch-1", "confirmed")
    nothing = caught(lambda: by_card.charge("card", key="ch-2"))
    by_card.complete(key="done")
    unspent = {"gift": usd("5.00")}
    card = by_card.plan_refund(RefundRequest.of_lines(["gift"]), unspent=unspent)
    points = Money.of_minor(5, till.points(5).amount.unit)
    earned = Earned(lines=[LineAmount("gift", points)], reachable=points)
    taking = by_card.plan_refund(RefundRequest.of_lines(["gift"]), unspent=unspent, earned=earned)
    for error, message in [
        (
            caught(lambda: record.give_back("ch-1", usd("1.00"))),
            (
                "The payment of order 'o-1' has no charge 'ch-1': it has none. Pass the key that "
                "the charge was recorded under."
            ),
        ),
        (
            caught(lambda: paid.settle_refund("r", "card", "failed")),
            (
                "The payment of order 'o-1' has no refund 'r': it has none. Pass the key that the "
                "refund was recorded under."
            ),
        ),
        (
            caught(lambda: paid.refund(foreign, key="r")),
            "The plan is of merchant 'brand', and this is 'acme'. Plan it here.",
        ),
        (
            nothing,
            (
                "outstanding is 'nothing'; it has to be something: charges that are on their way "
                "count as made."
            ),
        ),
        (
            caught(lambda: by_card.refund(card, key="r")),
            (
                "gift_cards is []; it has to be with the lot of the gift card of line 'gift', or "
                "None where it is kept elsewhere."
            ),
        ),
        (
            caught(lambda: by_card.refund(taking, key="r", gift_cards={"gift": None})),
            "earned_lot is None; it has to be the lot of the points that the plan takes back.",
        ),
        (
            caught(lambda: Earned(lines=[], reachable=usd("-0.01"))),
            "earned.reachable is 'USD -0.01'; it has to be zero or more.",
        ),
    ]:
        assert str(error) == message
        assert str(pickle.loads(pickle.dumps(error))) == message


def test_every_leaf_is_shown_exported_and_on_one_branch(shown) -> None:
    assert shown.keys() == set(tender_errors.__all__)
    for name in tender_errors.__all__:
        leaf = getattr(errors, name)
        branches = (MisuseError, RefusalError, ConflictError)
        assert sum(issubclass(leaf, branch) for branch in branches) == 1
        assert name in errors.__all__
