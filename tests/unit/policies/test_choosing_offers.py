"""Choosing among offers, and deciding against the rules (P2, P3, P6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storecredit.errors import (
    ConsentMissing,
    InvalidReturn,
    InvalidTerms,
    InvalidText,
    NotOffered,
)
from storecredit.policies import (
    Bonus,
    CashRight,
    Fee,
    Limit,
    OfferKind,
    Override,
    Policy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    When,
)
from storecredit.values import Money

Ask = Callable[..., ReturnRequest]
Make = Callable[..., Policy]
ByLine = Callable[[Any], dict[str, dict[str, str]]]


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def a_line(number: int = 1, external: str = "50.00", **more: Any) -> ReturnLine:
    return ReturnLine(id=str(number), external=eur(external), **more)


SALE = RefundRule(id="sale", when=When(final_sale=True), offer=[], because="It was a sale.")
BROKEN = RefundRule(id="broken", when=When(reasons=["damaged"]), offer=["money", "exchange"])
USUAL = RefundRule(id="usual", offer=["credit", "exchange"], bonus=Bonus(percent=10))
LAW = CashRight(id="law", when=When(jurisdictions=["DE"]), source="an act")
WHO = {"actor": "kim", "reason": "a loyal customer"}


def refused(call: Callable[[], object], kind: type[Exception]) -> str:
    with pytest.raises(kind) as found:
        call()
    return str(found.value)


# Choosing


def test_without_a_wish_the_first_offer_is_chosen(ask: Ask, policy: Make, by_line: ByLine) -> None:
    found = policy(SALE, BROKEN, USUAL).offers(
        ask(a_line(1, final_sale=True), a_line(2), a_line(3, reason="damaged"))
    )
    decision = found.choose()
    assert decision.offer == found.offers[0] == found.offer("credit")
    assert decision.kinds() == {"2": OfferKind.CREDIT, "3": OfferKind.MONEY}
    assert decision.request is found.request
    assert decision.reasons == found.reasons
    assert str(decision.policy) == "shop 7"
    assert not decision.consented
    assert decision.agent is None
    assert decision.override is None


def test_each_line_may_go_its_own_way(ask: Ask, policy: Make, by_line: ByLine) -> None:
    found = policy(BROKEN, USUAL).offers(ask(a_line(1), a_line(2), a_line(3, reason="damaged")))
    decision = found.choose("credit", by_line={"2": "exchange", "3": OfferKind.EXCHANGE})
    assert by_line(decision.offer) == {
        "1": {"way": "credit", "credit": "EUR 50.00", "bonus": "EUR 5.00"},
        "2": {"way": "exchange", "exchange": "EUR 50.00"},
        "3": {"way": "exchange", "exchange": "EUR 50.00"},
    }
    assert decision.offer.kind is OfferKind.CREDIT
    assert decision.of_lines(("3", "1")) == (decision.offer.lines[0], decision.offer.lines[2])
    first = found.choose(by_line={"1": "exchange"})
    assert first.offer.kind is OfferKind.CREDIT


def test_what_is_not_offered_cannot_be_chosen(ask: Ask, policy: Make) -> None:
    found = policy(SALE, BROKEN, USUAL).offers(ask(a_line(1, final_sale=True), a_line(2)))
    assert refused(lambda: found.choose("money"), NotOffered) == (
        "Line '1' cannot go back as money: It was a sale; nothing is offered. "
        "Somebody with the permission may override()."
    )
    assert refused(lambda: found.offer("money"), NotOffered).startswith("Line '1' cannot go back")
    assert refused(lambda: found.choose(by_line={"2": "money"}), NotOffered) == (
        "Line '2' cannot go back as money: the rules do not offer money for it; "
        "offered: credit, exchange. Somebody with the permission may override()."
    )
    assert refused(lambda: found.choose(by_line={"1": "credit"}), NotOffered).startswith(
        "Line '1' cannot go back as credit: It was a sale; "
    )


def test_where_nothing_is_offered_nothing_can_be_chosen(ask: Ask, policy: Make) -> None:
    found = policy(RefundRule(id="no", offer=[])).offers(ask())
    assert refused(found.choose, NotOffered) == (
        "Line '1' cannot go back as money: the rule no; nothing is offered. "
        "Somebody with the permission may override()."
    )
    assert "cannot go back as credit" in refused(lambda: found.choose("credit"), NotOffered)


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        (
            {"kind": "cash"},
            InvalidTerms,
            "kind is 'cash'; it has to be one of money, credit, exchange.",
        ),
        (
            {"by_line": {"1": "cash"}},
            InvalidTerms,
            "by_line 1 is 'cash'; it has to be one of money, credit, exchange.",
        ),
        ({"by_line": {"9": "credit"}}, InvalidReturn, "line is '9'; it has to be one of 1."),
        (
            {"by_line": [("1", "credit")]},
            InvalidReturn,
            "by_line is [('1', 'credit')]; it has to be ways by line.",
        ),
        ({"consent": 1}, InvalidTerms, "consent is 1; it has to be true or false."),
    ],
)
def test_a_choice_that_cannot_be_is_refused(
    ask: Ask, policy: Make, how: dict[str, Any], kind: type[Exception], message: str
) -> None:
    found = policy(USUAL).offers(ask())
    assert refused(lambda: found.choose(**how), kind) == message


def test_credit_in_place_of_money_that_is_due_needs_consent(ask: Ask, policy: Make) -> None:
    ours = RefundRule(id="ours", when=When(kinds=["goods"], categories=["hats"]), consent=True)
    made = policy(ours, USUAL, cash_rights=[LAW])
    request = ask(a_line(1, category="hats"), a_line(2), a_line(3), jurisdiction="DE")
    found = made.offers(request)
    # The law's right comes before the shop's own rule.
    assert refused(lambda: found.choose("credit"), ConsentMissing) == (
        "The customer of 'rma-1' has to accept credit in place of money: law. Ask, and choose "
        "again with consent=True, or offer the money."
    )
    assert found.choose("credit", consent=True).consented
    assert not found.choose("money").consented
    assert not found.choose("exchange").consented
    elsewhere = made.offers(ask(a_line(1, category="hats"), a_line(2)))
    assert "money: ours. Ask" in refused(lambda: elsewhere.choose("credit"), ConsentMissing)
    assert elsewhere.choose("credit", by_line={"1": "exchange"}).offer.consent == ()


def test_a_rule_may_say_that_no_consent_is_needed_and_the_law_says_otherwise(
    ask: Ask, policy: Make
) -> None:
    made = policy(RefundRule(id="never", consent=False), USUAL, cash_rights=[LAW])
    assert made.offers(ask()).choose("credit").offer.consent == ()
    with pytest.raises(ConsentMissing):
        made.offers(ask(jurisdiction="DE")).choose("credit")


# Against the rules


def test_an_override_gives_what_was_paid_and_says_who_answers_for_it(
    ask: Ask, policy: Make, by_line: ByLine
) -> None:
    made = policy(SALE, RefundRule(id="fee", fee=Fee(percent=10)), USUAL)
    found = made.offers(ask(a_line(1, final_sale=True), a_line(2)))
    decision = found.override("money", **WHO)
    assert decision.override == Override("kim", "a loyal customer")
    assert decision.agent == "kim"
    assert by_line(decision.offer) == {
        "1": {"way": "money", "tenders": "EUR 45.00", "fee": "EUR 5.00"},
        "2": {"way": "money", "tenders": "EUR 45.00", "fee": "EUR 5.00"},
    }
    assert by_line(found.override("money", waive_fee=True, **WHO).offer) == {
        "1": {"way": "money", "tenders": "EUR 50.00"},
        "2": {"way": "money", "tenders": "EUR 50.00"},
    }


def test_an_override_gives_no_bonus_that_no_rule_gives(
    ask: Ask, policy: Make, by_line: ByLine
) -> None:
    found = policy(SALE, BROKEN, USUAL).offers(
        ask(a_line(1, final_sale=True), a_line(2), a_line(3, reason="damaged"))
    )
    # Line 2 may go that way by the rules, with its bonus; the others may not.
    assert by_line(found.override("credit", **WHO).offer) == {
        "1": {"way": "credit", "credit": "EUR 50.00"},
        "2": {"way": "credit", "credit": "EUR 50.00", "bonus": "EUR 5.00"},
        "3": {"way": "credit", "credit": "EUR 50.00"},
    }


def test_an_override_may_name_its_lines_and_the_rest_goes_by_the_rules(
    ask: Ask, policy: Make, by_line: ByLine
) -> None:
    found = policy(SALE, BROKEN, USUAL).offers(
        ask(a_line(1), a_line(2, final_sale=True), a_line(3, final_sale=True), a_line(4))
    )
    decision = found.override("money", lines=["2", "4"], **WHO)
    assert by_line(decision.offer) == {
        "1": {"way": "credit", "credit": "EUR 50.00", "bonus": "EUR 5.00"},
        "2": {"way": "money", "tenders": "EUR 50.00"},
        "4": {"way": "money", "tenders": "EUR 50.00"},
    }


@pytest.mark.parametrize("way", ["credit", "exchange"])
def test_an_override_makes_no_credit_of_what_is_no_goods(ask: Ask, policy: Make, way: str) -> None:
    usual = RefundRule(id="usual", offer=["credit", "exchange", "money"])
    found = policy(usual).offers(ask(a_line(1), a_line(2, kind="shipping")))
    assert refused(lambda: found.override(way, **WHO), NotOffered) == (
        f"Line '2' cannot go back as {way}: only goods become credit (P3); offered: money. "
        "Nobody may override that."
    )
    assert found.override(way, lines=["1"], **WHO).kinds() == {
        "1": OfferKind(way),
        "2": OfferKind.MONEY,
    }
    assert found.override("money", **WHO).offer.tenders == eur("100.00")


def test_an_override_leaves_the_law_alone(ask: Ask, policy: Make) -> None:
    found = policy(USUAL, cash_rights=[LAW]).offers(ask(jurisdiction="DE"))
    assert "money: law. Ask" in refused(lambda: found.override("credit", **WHO), ConsentMissing)
    decision = found.override("credit", consent=True, **WHO)
    assert decision.consented
    assert decision.offer.consent == ("law",)


def test_limits_hold_for_overrides_too(ask: Ask, policy: Make) -> None:
    limits = [
        Limit(id="agents", per="agent", amount=eur("10.00")),
        Limit(id="cap", per="holder", on="bonus", over="cut", amount=eur("1.00")),
    ]
    found = policy(USUAL, limits=limits).offers(ask(), agent="kim")
    decision = found.override("credit", **WHO)
    assert decision.offer.approval == ("agents",)
    assert (decision.offer.bonus, decision.offer.cut) == (eur("1.00"), ("cap",))


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        (
            {"kind": "cash"},
            InvalidTerms,
            "kind is 'cash'; it has to be one of money, credit, exchange.",
        ),
        ({"lines": []}, InvalidReturn, "lines is []; it has to be a list of lines, one at least."),
        (
            {"lines": "1"},
            InvalidReturn,
            "lines is '1'; it has to be a list of lines, one at least.",
        ),
        ({"lines": 1}, InvalidReturn, "lines is 1; it has to be a list of lines, one at least."),
        ({"lines": ["9"]}, InvalidReturn, "line is '9'; it has to be one of 1."),
        ({"consent": "yes"}, InvalidTerms, "consent is 'yes'; it has to be true or false."),
        ({"waive_fee": "yes"}, InvalidTerms, "waive_fee is 'yes'; it has to be true or false."),
    ],
)
def test_an_override_that_cannot_be_is_refused(
    ask: Ask, policy: Make, how: dict[str, Any], kind: type[Exception], message: str
) -> None:
    found = policy(USUAL).offers(ask())
    assert refused(lambda: found.override(**{"kind": "money", **WHO, **how}), kind) == message


@pytest.mark.parametrize("missing", ["actor", "reason"])
def test_somebody_answers_for_an_override_and_says_why(
    ask: Ask, policy: Make, missing: str
) -> None:
    found = policy(USUAL).offers(ask())
    message = refused(lambda: found.override("money", **{**WHO, missing: ""}), InvalidText)
    assert message.startswith(f"The {missing} '' is empty.")
