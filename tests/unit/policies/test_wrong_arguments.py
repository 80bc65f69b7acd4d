"""What is given to the deciding functions in place of rules, facts or names (P1, P4)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from storecredit.errors import InvalidReturn, InvalidTerms
from storecredit.policies import ReturnLine, ReturnRequest, read_policy
from storecredit.policies.earning import earn, points_due
from storecredit.policies.goodwill import give_goodwill, give_incentive
from storecredit.policies.occasion import Occasion
from storecredit.policies.purchase import Purchase, PurchaseLine
from storecredit.policies.top_up import credit_top_up, quote_top_up, top_up_due
from storecredit.values import Money

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
FIVE = Money.of("5.00", "EUR")
FULL = read_policy(
    """
    name = "shop"
    version = "1"
    units = [{ code = "PTS", digits = 0 }]

    [[refund.rules]]
    id = "all"
    offer = ["credit"]

    [[goodwill.rules]]
    id = "late"
    on = "late parcel"
    gives = { amount = "EUR 5.00" }

    [[incentives.rules]]
    id = "friend"
    on = "late parcel"
    gives = { amount = "EUR 5.00" }

    [[earning.rules]]
    id = "base"
    per = "EUR 1.00"
    points = 1

    [top_up]
    id = "wallet"
    minimum = "EUR 1.00"
    maximum = "EUR 100.00"
    """,
    form="toml",
)
BARE: Any = read_policy(
    'name = "bare"\nversion = "1"\n[[refund.rules]]\nid = "all"\noffer = ["credit"]', form="toml"
)
PURCHASE = Purchase(order="o-1", holder="c-1", at=AT, lines=[PurchaseLine(id="a", amount=FIVE)])
LATE = Occasion(id="p-1", on="late parcel", holder="c-1", at=AT)
THINGS: list[Any] = [None, "", "x", 1, 1.5, [], object()]


def test_a_section_that_the_policy_has_not_got_is_named() -> None:
    named = BARE.named
    with pytest.raises(InvalidTerms, match="section earning"):
        earn(BARE.earning, PURCHASE, named=named, units=())
    with pytest.raises(InvalidTerms, match="section goodwill"):
        give_goodwill(BARE.goodwill, LATE, named=named)
    with pytest.raises(InvalidTerms, match="section incentives"):
        give_incentive(BARE.incentives, LATE, named=named)
    with pytest.raises(InvalidTerms, match="section top_up"):
        quote_top_up(BARE.top_up, FIVE)
    with pytest.raises(InvalidTerms, match="section top_up"):
        credit_top_up(BARE.top_up, FIVE, holder="c-1", payment="p-1", named=named)
    with pytest.raises(InvalidTerms, match="section top_up"):
        top_up_due(BARE.top_up, FIVE)


@pytest.mark.parametrize("thing", THINGS)
def test_facts_of_another_class_are_refused(thing: Any) -> None:
    full: Any = FULL
    with pytest.raises(InvalidTerms, match="a Purchase"):
        earn(full.earning, thing, named=FULL.named, units=FULL.units)
    with pytest.raises(InvalidTerms, match="an Occasion"):
        give_goodwill(full.goodwill, thing, named=FULL.named)
    with pytest.raises(InvalidTerms, match="an Occasion"):
        give_incentive(full.incentives, thing, named=FULL.named)
    with pytest.raises(InvalidReturn, match="a ReturnRequest"):
        FULL.offers(thing)


@pytest.mark.parametrize("thing", THINGS)
def test_no_decision_is_without_the_name_of_its_policy(thing: Any) -> None:
    """What was earned under no name was recorded, and could not be read again."""
    full: Any = FULL
    with pytest.raises(InvalidTerms, match=r"Policy\.named"):
        earn(full.earning, PURCHASE, named=thing, units=FULL.units)
    with pytest.raises(InvalidTerms, match=r"Policy\.named"):
        give_goodwill(full.goodwill, LATE, named=thing)
    with pytest.raises(InvalidTerms, match=r"Policy\.named"):
        give_incentive(full.incentives, LATE, named=thing)
    with pytest.raises(InvalidTerms, match=r"Policy\.named"):
        credit_top_up(full.top_up, FIVE, holder="c-1", payment="p-1", named=thing)


@pytest.mark.parametrize("tallies", [None, 1, "x", [1]])
def test_tallies_of_another_class_are_refused(tallies: Any) -> None:
    asked = ReturnRequest(id="r-1", merchant="m", at=AT, lines=[ReturnLine(id="a", external=FIVE)])
    with pytest.raises(InvalidTerms, match="a list of Tally"):
        FULL.offers(asked, tallies=tallies)


@pytest.mark.parametrize("units", ["x", None, ["PTS"], 7])
def test_p4_units_of_earning_are_custom_units(units: Any) -> None:
    earning = FULL.earning
    assert earning is not None
    expected = "has to be the custom units of the policy"
    with pytest.raises(InvalidTerms, match=expected):
        earn(earning, PURCHASE, named=FULL.named, units=units)
    with pytest.raises(InvalidTerms, match=expected):
        points_due(earning.rules[0], PURCHASE, units=units)
