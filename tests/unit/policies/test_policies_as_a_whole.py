"""A policy as a whole: rules, rights and limits with names of their own; it pickles (P1, P3)."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest

from storecredit.errors import InvalidTerms, InvalidText, PolicyInvalid
from storecredit.policies import (
    Bonus,
    CashRight,
    Limit,
    Policy,
    PolicyVersion,
    RefundPolicy,
    RefundRule,
    When,
)
from storecredit.policies.top_up import TopUpPolicy
from storecredit.values import Money

ALL = RefundRule(id="all", offer=["credit", "money"], bonus=Bonus(percent=10))
LAW = CashRight(id="law", when=When(jurisdictions=["DE"]), source="an act")
DAY = Limit(id="day", per="holder", count=3)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"rules": []}, "rules is []; it has to be one rule at least."),
        ({"rules": 5}, "rules is 5; it has to be a list of RefundRule."),
        ({"rules": ["all"]}, "rules is ['all']; it has to be a list of RefundRule."),
        ({"cash_rights": [5]}, "cash_rights is [5]; it has to be a list of CashRight."),
        ({"limits": None}, "limits is None; it has to be a list of Limit."),
        ({"reasons": []}, "reasons is []; it has to be a list with something in it, or left out."),
        (
            {"reasons": ["late", "late"]},
            "reasons is ['late', 'late']; it has to be a list that names each thing once.",
        ),
    ],
)
def test_a_policy_that_cannot_be_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        RefundPolicy(**{"rules": [ALL], **said})
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "said",
    [
        {"rules": [ALL, attrs.evolve(ALL, offer=None)]},
        {"cash_rights": [attrs.evolve(LAW, id="all")]},
        {"limits": [attrs.evolve(DAY, id="all")]},
        {"cash_rights": [LAW], "limits": [attrs.evolve(DAY, id="law")]},
    ],
)
def test_an_id_is_given_once(said: dict[str, Any]) -> None:
    with pytest.raises(PolicyInvalid, match="an id is given once in a policy"):
        RefundPolicy(**{"rules": [ALL], **said})


def test_reasons_of_rules_and_rights_are_those_that_are_declared() -> None:
    late = RefundRule(id="late", when=When(reasons=["late"]), approval=True)
    right = CashRight(id="law", when=When(reasons=["broken"]), source="an act")
    known = RefundPolicy(rules=[late, ALL], cash_rights=[right], reasons=["late", "broken"])
    assert known.reasons == ("late", "broken")
    with pytest.raises(PolicyInvalid, match=r"rules\[0\]\.when\.reasons\[0\]: 'late'"):
        RefundPolicy(rules=[late, ALL], reasons=["broken"])
    with pytest.raises(PolicyInvalid, match=r"cash_rights\[0\]\.when\.reasons\[0\]: 'broken'"):
        RefundPolicy(rules=[late, ALL], cash_rights=[right], reasons=["late"])


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ({"id": ""}, InvalidText, "The id '' is empty"),
        ({"source": ""}, InvalidText, "The source '' is empty"),
        ({"when": None}, InvalidTerms, "when is None; it has to be a When."),
        ({"keeps_fee": 1}, InvalidTerms, "keeps_fee is 1; it has to be true or false."),
    ],
)
def test_a_right_that_cannot_be_is_refused(
    said: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as refused:
        CashRight(**{"id": "law", "when": When(), "source": "an act", **said})
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"name": ""}, InvalidText),
        ({"version": 1}, InvalidText),
        ({"note": ""}, InvalidText),
        ({"refund": None}, InvalidTerms),
    ],
)
def test_a_policy_has_a_name_a_version_and_a_section(
    said: dict[str, Any], kind: type[Exception]
) -> None:
    section = RefundPolicy(rules=[ALL])
    with pytest.raises(kind):
        Policy(**{"name": "shop", "version": "7", "refund": section, **said})


def test_a_decision_names_the_policy_and_its_version(policy) -> None:
    made = policy(ALL)
    assert made.named == PolicyVersion("shop", "7")
    assert str(made.named) == "shop 7"
    assert (
        Policy(name="a", version="b", note="For\npeople.", refund=made.refund).note
        == "For\npeople."
    )


def test_a_policy_is_copied_and_pickled_after_it_has_decided_too(ask, policy) -> None:
    made = policy(ALL, cash_rights=[LAW], limits=[DAY])
    offers = made.offers(ask())
    assert offers.offers
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
        assert again == made
        assert hash(again) == hash(made)
        assert again.offers(ask()).offers == offers.offers
    stored = pickle.loads(pickle.dumps(offers))
    assert stored == offers
    assert stored.offers == offers.offers
    assert stored.choose("money") == offers.choose("money")


def test_a_policy_does_not_change() -> None:
    section = RefundPolicy(rules=[ALL])
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        section.rules = ()  # type: ignore[misc]  # that is the point


def test_a_policy_without_a_section_of_returns_offers_nothing(ask) -> None:
    eur = Money.of("10.00", "EUR")
    top_ups = TopUpPolicy(id="wallet", minimum=eur, maximum=eur * 50)
    with pytest.raises(InvalidTerms) as refused:
        Policy(name="sales", version="1", top_up=top_ups).offers(ask())
    assert str(refused.value) == ("the policy is 'sales'; it has to be one with a section refund.")
