"""Every error of the tenders is produced by running code, and its message teaches (STYLE 5)."""

from __future__ import annotations

import pickle

import attrs
import pytest

from storecredit import errors
from storecredit.errors import MisuseError, RefusalError, StoreCreditError
from storecredit.errors import tenders as tender_errors
from storecredit.tenders import (
    AlreadyPaid,
    CreditRule,
    External,
    OrderLine,
    Payment,
    PaymentRecord,
    RefundRequest,
    plan_refund,
)
from storecredit.values import Money

CARD = External("card")


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
    ]
    return {type(error).__name__: error for error in found}


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
            "PaymentStepRefused",
            (
                "Cannot complete the payment of order 'o-1': it is planned, where only these steps go "
                "on: replan, hold, settle_charge, cancel."
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
    assert str(error) == message
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == message
    for field in attrs.fields(type(error)):
        assert getattr(copy, field.name) == getattr(error, field.name)


def test_every_leaf_is_shown_exported_and_on_one_branch(shown) -> None:
    assert shown.keys() == set(tender_errors.__all__)
    for name in tender_errors.__all__:
        leaf = getattr(errors, name)
        assert issubclass(leaf, MisuseError) is not issubclass(leaf, RefusalError)
        assert name in errors.__all__
