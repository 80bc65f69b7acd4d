"""Every error of the policies is raised by running code, keeps its values, and pickles (STYLE 5)."""

from __future__ import annotations

import pickle

import attrs
import pytest

from storecredit import errors
from storecredit.errors import MisuseError, PolicyInvalid, PolicyProblem, RefusalError
from storecredit.errors import policies as policy_errors
from storecredit.policies import CashRight, RefundRule, When, read_policy


@pytest.fixture
def shown(ask, policy) -> dict[str, errors.StoreCreditError]:
    """Each error, by its name, as running code raises it."""
    rule = RefundRule(id="all", offer=["credit"])
    law = CashRight(id="law", when=When(jurisdictions=["DE"]), source="an act")
    found = policy(rule, cash_rights=[law]).offers(ask(jurisdiction="DE"))
    calls = [
        lambda: read_policy("{}", form="json", source="rules.json"),
        lambda: found.request.line("9"),
        lambda: found.choose("exchange"),
        lambda: found.choose("credit"),
    ]
    caught = {}
    for call in calls:
        with pytest.raises(errors.StoreCreditError) as raised:
            call()
        caught[type(raised.value).__name__] = raised.value
    return caught


def test_every_error_is_raised(shown) -> None:
    leaves = {name for name in policy_errors.__all__ if name != "PolicyProblem"}
    assert leaves == set(shown)
    assert set(policy_errors.__all__) <= set(errors.__all__)


def test_errors_say_who_has_to_act(shown) -> None:
    branches = {name: type(error).__mro__[1] for name, error in shown.items()}
    assert branches == {
        "PolicyInvalid": MisuseError,
        "InvalidReturn": MisuseError,
        "NotOffered": RefusalError,
        "ConsentMissing": RefusalError,
    }


def test_errors_keep_every_value_and_pickle(shown) -> None:
    for error in shown.values():
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == str(error)
        assert attrs.asdict(again, recurse=False) == attrs.asdict(error, recurse=False)


def test_messages_teach(shown) -> None:
    assert {name: str(error) for name, error in shown.items() if name != "PolicyInvalid"} == {
        "InvalidReturn": "line is '9'; it has to be one of 1.",
        "NotOffered": (
            "Line '1' cannot go back as exchange: the rules do not offer exchange for it; offered: "
            "credit, money. Somebody with the permission may override()."
        ),
        "ConsentMissing": (
            "The customer of 'rma-1' has to accept credit in place of money: law. Ask, and choose "
            "again with consent=True, or offer the money."
        ),
    }


def test_an_invalid_policy_names_its_source_and_every_problem() -> None:
    one = PolicyProblem("refund.rules[2].bonus.percent", 1.5, "a float is not exact")
    whole = PolicyProblem("", None, "it is empty")
    assert str(PolicyInvalid("rules.toml", (one,))) == (
        "rules.toml is no policy: one problem.\n"
        "  refund.rules[2].bonus.percent: 1.5; a float is not exact."
    )
    assert str(PolicyInvalid("rules.toml", (one, whole))).startswith(
        "rules.toml is no policy: 2 problems.\n"
    )
