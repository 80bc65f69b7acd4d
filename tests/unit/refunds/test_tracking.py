"""What a customer sees of a refund: words and data, and nothing that is the shop's own (P5)."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from returns_desk import Returns, a_policy, back, eur, points

from storecredit.policies import Bonus, Fee, RefundRule
from storecredit.refunds import ENGLISH, Back, CaseState, CaseStep, Whose, track
from storecredit.service import About

NOW = RefundRule(id="now", offer=("credit",), bonus=Bonus(percent=10), instant=True)
SECRETS: About = {"actor": "bo-4711", "reason": "known for fraud"}


def backs(returns: Returns) -> list[tuple[Back, str, bool]]:
    found = returns.credit.refund_case("r-1").track().backs
    return [(each.back, str(each.amount), each.done) for each in found]


def test_every_state_and_step_has_words() -> None:
    assert {f"state.{state}" for state in CaseState} <= ENGLISH.keys()
    answers = {f"step.settle_refund.{answer}" for answer in ("confirmed", "failed")}
    steps = {f"step.{step}" for step in CaseStep if step is not CaseStep.SETTLE_REFUND}
    assert answers | steps <= ENGLISH.keys()
    assert {f"back.{each}" for each in Back} <= ENGLISH.keys()


def test_p5_a_case_is_told_step_by_step(returns: Returns) -> None:
    case = returns.requested(kind="money")
    assert case.track().next.whose is Whose.SHOP
    case.approve(key="yes")
    assert (case.track().next.whose, case.track().next.text) == (
        Whose.CUSTOMER,
        "Please send the goods back.",
    )
    case.ship(key="sent")
    assert case.track().next.whose is Whose.SHOP
    case.receive(key="here")
    case.inspect(key="seen")
    assert backs(returns) == [(Back.MONEY, "EUR 30.00", False)]
    case.complete(key="done")
    assert case.track().next.whose is Whose.PROCESSOR
    case.settle_refund(case.refunds_due[0].key, "confirmed")
    told = case.track()
    assert (told.next.whose, told.text) == (Whose.NOBODY, "Your refund is complete.")
    assert [step.text for step in told.steps] == [
        "You have asked for a refund.",
        "We have approved it.",
        "You have sent the goods.",
        "We have received the goods.",
        "We have looked at the goods.",
        "We have refunded you.",
        "Your money was sent back.",
    ]
    assert backs(returns) == [(Back.MONEY, "EUR 30.00", True)]


def test_what_comes_back_is_told_apart(returns: Returns) -> None:
    credit = returns.credit
    credit.issue("c-17", points(50), funding="earned", key="p")
    entry = credit.redeem("c-17", points(20), key="buy").entry_id
    rule = RefundRule(
        id="r", offer=("credit", "exchange"), bonus=Bonus(percent=10), fee=Fee(fixed=eur("2.00"))
    )
    lines = (back("1", "30.00", restored=(points(20),)), back("2", "8.00"))
    returns.completed(
        *lines,
        policy=a_policy((rule,)),
        by_line={"2": "exchange"},
        redemptions={"1": entry},
    )
    assert backs(returns) == [
        (Back.CREDIT, "EUR 28.00", True),
        (Back.BONUS, "EUR 2.80", True),
        (Back.RESTORED, "PTS 20", True),
        (Back.EXCHANGE, "EUR 8.00", True),
        (Back.FEE, "EUR 2.00", True),
    ]


def test_credit_that_was_given_before_and_taken_back_is_told(returns: Returns) -> None:
    case = returns.requested(policy=a_policy((NOW,)))
    case.approve(key="yes")
    assert [each.done for each in case.track().backs] == [True, True]
    assert case.track().next.text == (
        "Please send the goods back, so that they are here by 2026-03-31."
    )
    case.await_return(key="wait")
    returns.clock.advance(dt.timedelta(days=30))
    case.goods_missing(key="gone", **SECRETS)
    assert backs(returns) == [(Back.TAKEN, "EUR 33.00", True)]
    assert case.track().next.whose is Whose.NOBODY


def test_money_that_became_credit_is_told_as_credit(returns: Returns) -> None:
    case = returns.completed(kind="money")
    key = case.refunds_due[0].key
    case.settle_refund(key, "failed")
    assert case.track().next.whose is Whose.SHOP
    case.redirect(key, key="turn", consent=True)
    assert backs(returns) == [(Back.CREDIT, "EUR 30.00", True)]
    assert case.track().next.whose is Whose.NOBODY


def test_a_later_approval_is_the_shops_own_affair(returns: Returns) -> None:
    case = returns.requested()
    case.approve(key="yes")
    case.approve(key="for the limit", actor="bo")
    case.deny(key="no")
    case.reopen(key="again")
    case.approve(key="yes again")
    assert [step.key for step in case.track().steps] == [
        "step.request",
        "step.approve",
        "step.deny",
        "step.reopen",
        "step.approve",
    ]


@pytest.mark.parametrize("end", ["deny", "cancel"])
def test_p5_nobodys_name_and_no_reason_is_ever_told(returns: Returns, end: str) -> None:
    case = returns.requested(actor="clerk-0815")
    case.approve(key="yes", **SECRETS)
    getattr(case, end)(key="end", **SECRETS)
    told = json.dumps(case.track().to_json()) + repr(case.track())
    for secret in ("bo-4711", "fraud", "clerk-0815", "ann", "c-17", "standard"):
        assert secret not in told
    assert case.track().backs == ()


def test_p7_the_words_are_the_shops(returns: Returns) -> None:
    case = returns.requested()
    german = {"state.requested": "Wir sehen uns das an.", "back.credit": "{amount} Guthaben."}
    told = track(case.record, words=german)
    assert (told.text, told.backs[0].text) == ("Wir sehen uns das an.", "EUR 30.00 Guthaben.")
    assert told.steps[0].text == "You have asked for a refund."
    assert (told.id, told.order, told.state) == ("r-1", "o-1", CaseState.REQUESTED)
