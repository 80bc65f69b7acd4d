"""The JSON forms of plans: read back exactly, or refused with what was expected."""

from __future__ import annotations

import copy

import pytest

from storecredit.errors import TextUnreadable, UnknownCurrency
from storecredit.tenders import Credit, External, OrderLine, PaymentPlan, Price
from storecredit.values import CustomUnit, Money


@pytest.fixture
def form(till, order) -> dict:
    till.points(30)
    line = OrderLine("1", Price.of(Money.of("5.00", "USD"), Money.of_minor(20, CustomUnit("PTS"))))
    return till.plan(
        order(line), Credit("pts", till.account(unit="PTS")), External("card")
    ).to_json()


def test_the_form_is_plain_data_and_says_how_custom_units_count(form) -> None:
    assert form["units"] == {"PTS": 0}
    assert form["lines"] == [
        {
            "id": "1",
            "kind": "goods",
            "price": [{"amount": "5.00", "unit": "USD"}, {"amount": "20", "unit": "PTS"}],
            "due": [{"amount": "5.00", "unit": "USD"}, {"amount": "20", "unit": "PTS"}],
        }
    ]
    assert form["at"] == "2026-03-02T12:00:00.000000Z"
    assert "short" not in form


def changed(form: dict, *path: object, to: object) -> dict:
    """The form with one thing in it replaced."""
    found = copy.deepcopy(form)
    inner = found
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("order",), 7),
        (("lines",), "all"),
        (("lines", 0), []),
        (("lines", 0, "quantity"), "two"),
        (("lines", 0, "kind"), "coffee"),
        (("lines", 0, "colour"), "red"),
        (("lines", 0, "price", 0), {"amount": 5, "unit": "USD"}),
        (("at",), "yesterday"),
        (("at",), 0),
        (("choosing",), None),
    ],
)
def test_what_is_not_of_the_form_is_refused(form, path, value) -> None:
    with pytest.raises(TextUnreadable):
        PaymentPlan.from_json(changed(form, *path, to=value))


def test_a_form_without_what_it_needs_is_refused(form) -> None:
    del form["parts"]
    with pytest.raises(TextUnreadable) as caught:
        PaymentPlan.from_json(form)
    assert caught.value.expected == "the JSON form of a PaymentPlan, with 'parts'"
    with pytest.raises(TextUnreadable):
        PaymentPlan.from_json([])


def test_what_is_wrong_deep_inside_is_named_by_its_place(form) -> None:
    wrong = changed(form, "lines", 0, "price", 0, to={"amount": 5, "unit": "USD"})
    with pytest.raises(TextUnreadable) as caught:
        PaymentPlan.from_json(wrong)
    assert caught.value.expected.endswith(", for 'lines[0].price[0]'")
    del wrong["lines"][0]["id"]
    wrong["lines"][0]["colour"] = "red"
    with pytest.raises(TextUnreadable) as caught:
        PaymentPlan.from_json(wrong)
    expected = "the JSON form of a PlannedLine, with 'id' and without 'colour', for 'lines[0]'"
    assert caught.value.expected == expected


def test_a_custom_unit_that_the_form_does_not_explain_is_unknown(form) -> None:
    del form["units"]
    with pytest.raises(UnknownCurrency):
        PaymentPlan.from_json(form)
