"""A decision: what is to be done, for whom, by which policy, kept exactly (P2, A15)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from storecredit.errors import TextUnreadable
from storecredit.ledger import Funding
from storecredit.policies import (
    Bonus,
    CashRight,
    CreditLot,
    CreditTerms,
    Fee,
    Limit,
    Policy,
    RefundDecision,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    When,
)
from storecredit.values import Balance, CustomUnit, Money, Period

Ask = Callable[..., ReturnRequest]
Make = Callable[..., Policy]
PTS = CustomUnit("PTS", 0)
YEAR = Period(years=1)
MONTHS = Period(months=6, round_up_to="month", zone="Europe/Berlin")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def a_line(number: int = 1, external: str = "50.00", **more: Any) -> ReturnLine:
    return ReturnLine(id=str(number), external=eur(external), **more)


def test_the_refunded_part_and_the_bonus_are_lots_of_their_own(ask: Ask, policy: Make) -> None:
    made = policy(
        RefundRule(
            id="all", offer=["credit"], bonus=Bonus(percent=10), credit=CreditTerms(expires=YEAR)
        )
    )
    assert made.offers(ask(a_line(1), a_line(2, "0.09"))).choose().lots == (
        # Of 50.09, 5.00 is the bonus; all but a fraction of a cent of it comes of line 1.
        CreditLot(funding=Funding.REFUND, amount=eur("50.09"), expires=YEAR, lines=("1", "2")),
        CreditLot(funding=Funding.PROMOTIONAL, amount=eur("5.00"), expires=YEAR, lines=("1", "2")),
    )


def test_a_line_without_a_share_of_the_bonus_is_not_named_in_its_lot(
    ask: Ask, policy: Make
) -> None:
    made = policy(RefundRule(id="all", offer=["credit"], bonus=Bonus(percent=10)))
    lots = made.offers(ask(a_line(1), a_line(2, "0.04"))).choose().lots
    assert [(str(lot.amount), lot.lines) for lot in lots] == [
        ("EUR 50.04", ("1", "2")),
        ("EUR 5.00", ("1",)),
    ]


def test_lots_of_one_funding_and_expiry_are_one_lot(ask: Ask, policy: Make) -> None:
    made = policy(
        RefundRule(
            id="hats",
            when=When(categories=["hats"]),
            credit=CreditTerms(expires=YEAR, bonus_expires=MONTHS),
        ),
        RefundRule(id="shoes", when=When(categories=["shoes"]), credit=CreditTerms(expires=MONTHS)),
        RefundRule(id="all", offer=["credit"], bonus=Bonus(percent=10)),
    )
    lines = [
        a_line(1, category="hats"),
        a_line(2, category="shoes"),
        a_line(3),
        a_line(4, category="hats"),
    ]
    lots = made.offers(ask(*lines)).choose().lots
    assert [(lot.funding.value, str(lot.amount), lot.expires, lot.lines) for lot in lots] == [
        ("refund", "EUR 100.00", YEAR, ("1", "4")),
        ("promotional", "EUR 15.00", MONTHS, ("1", "2", "4")),
        ("refund", "EUR 50.00", MONTHS, ("2",)),
        ("refund", "EUR 50.00", None, ("3",)),
        ("promotional", "EUR 5.00", None, ("3",)),
    ]


def test_money_and_what_is_restored_make_no_lots(ask: Ask, policy: Make) -> None:
    made = policy(RefundRule(id="all", offer=["money", "credit"]))
    request = ask(a_line(restored=Balance.of(eur("3.00"), Money.of(5, PTS))))
    decision = made.offers(request).choose("money")
    assert decision.lots == ()
    assert decision.tenders == eur("50.00")
    assert decision.restored == Balance.of(eur("3.00"), Money.of(5, PTS))


@pytest.mark.parametrize(
    ("holder", "way", "to_code"),
    [(None, "credit", True), (None, "money", False), ("c-17", "credit", False)],
)
def test_a_guest_gets_a_claim_code_for_new_credit(
    ask: Ask, policy: Make, holder: str | None, way: str, to_code: bool
) -> None:
    made = policy(RefundRule(id="all", offer=["money", "credit"]))
    assert made.offers(ask(holder=holder)).choose(way).to_code is to_code


def test_approval_is_needed_where_the_offer_says_so(ask: Ask, policy: Make) -> None:
    made = policy(
        RefundRule(id="big", when=When(at_least=eur("50.00")), approval=True),
        RefundRule(id="all", offer=["money"]),
    )
    assert made.offers(ask()).choose().needs_approval
    assert not made.offers(ask(eur("49.99"))).choose().needs_approval


# JSON


def everything(ask: Ask, policy: Make) -> RefundDecision:
    made = policy(
        RefundRule(id="sale", when=When(final_sale=True), offer=[], because="It was a sale."),
        RefundRule(id="gone", when=When(categories=["food"]), goods="keep", approval=True),
        RefundRule(id="fee", fee=Fee(percent="12.5", fixed=eur("0.50"))),
        RefundRule(
            id="all",
            offer=["credit", "money", "exchange"],
            bonus=Bonus(percent="33.333333333"),
            credit=CreditTerms(expires=YEAR, bonus_expires=MONTHS),
            instant=True,
        ),
        cash_rights=[CashRight(id="law", when=When(jurisdictions=["DE"]), source="Act, 1")],
        limits=[Limit(id="cap", per="holder", on="bonus", over="cut", amount=eur("3.00"))],
    )
    lines = [
        a_line(1, restored=Balance.of(eur("3.00"), Money.of(5, PTS))),
        a_line(2, final_sale=True),
        a_line(3, category="food"),
    ]
    request = ask(*lines, jurisdiction="DE", segments=["gold"])
    offers = made.offers(request, agent="kim")
    return offers.override("credit", lines=["1"], actor="kim", reason="nice", consent=True)


def test_a_decision_is_read_back_exactly(ask: Ask, policy: Make) -> None:
    decision = everything(ask, policy)
    stored = json.dumps(decision.to_json())
    again = RefundDecision.from_json(json.loads(stored))
    assert again == decision
    assert again.lots == decision.lots
    assert again.offer.counted == decision.offer.counted
    assert json.dumps(again.to_json()) == stored
    assert decision.to_json()["units"] == {"PTS": 0}
    assert (decision.offer.cut, decision.offer.instant) == (("cap",), True)


def test_what_a_decision_says_is_written_out(ask: Ask, policy: Make) -> None:
    made = policy(RefundRule(id="all", offer=["money"]))
    form = made.offers(ask()).choose().to_json()
    del form["request"]
    nothing = {"amount": "0.00", "unit": "EUR"}
    assert form == {
        "policy": {"name": "shop", "version": "7"},
        "offer": {
            "kind": "money",
            "lines": [
                {
                    "line": "1",
                    "kind": "money",
                    "tenders": {"amount": "50.00", "unit": "EUR"},
                    "credit": nothing,
                    "bonus": nothing,
                    "exchange": nothing,
                    "fee": nothing,
                    "restored": {"amounts": []},
                }
            ],
            "consent": [],
            "approval": [],
            "cut": [],
            "instant": False,
        },
        "reasons": [{"line": "1", "fired": [{"rule": "all", "topics": ["offer"]}], "passed": []}],
    }


def test_another_form_is_refused(ask: Ask, policy: Make) -> None:
    form = everything(ask, policy).to_json()
    for wrong in ([], {}, {**form, "offer": []}, {**form, "also": 1}, {**form, "agent": 5}):
        with pytest.raises(TextUnreadable):
            RefundDecision.from_json(wrong)  # type: ignore[arg-type]  # that is the point
    form["offer"]["lines"][0]["kind"] = "cash"
    with pytest.raises(TextUnreadable, match="expected one of money, credit, exchange"):
        RefundDecision.from_json(form)


def test_a_decision_compares_by_all_that_it_says(ask: Ask, policy: Make) -> None:
    decision = everything(ask, policy)
    assert attrs.evolve(decision, agent="lee") != decision
    assert hash(decision) == hash(everything(ask, policy))
