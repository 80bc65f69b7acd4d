"""Rules of a refund policy: what they may say, and what a bonus and a fee come to (P2, P3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from storecredit.errors import AmountOutOfRange, InvalidTerms, InvalidText, UnitMismatch
from storecredit.policies import (
    Bonus,
    CreditTerms,
    Fee,
    GoodsBack,
    OfferKind,
    RefundRule,
    Topic,
    When,
)
from storecredit.values import MAX_MINOR, Money, Period


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


FIVE_DOLLARS = Money.of("5.00", "USD")

# Percentages


@pytest.mark.parametrize(
    ("percent", "kept"),
    [
        (10, "10"),
        ("12.5", "12.5"),
        ("0", "0"),
        (Decimal("12.50"), "12.50"),
        (Decimal("0.000000001"), "1E-9"),
        ("33.333333333", "33.333333333"),
        (100, "100"),
    ],
)
@pytest.mark.parametrize("kind", [Bonus, Fee])
def test_a_percentage_is_written_exactly(kind: Any, percent: Any, kept: str) -> None:
    assert str(kind(percent=percent).percent) == kept


@pytest.mark.parametrize(
    "percent",
    [-1, "-1", "1e3", ".5", "5.", "", "ten", True, None, Decimal("NaN"), Decimal("Infinity"), "٣"],
)
@pytest.mark.parametrize(("kind", "most"), [(Bonus, 1000), (Fee, 100)])
def test_what_is_no_percentage_is_refused(kind: Any, most: int, percent: Any) -> None:
    with pytest.raises(InvalidTerms) as refused:
        kind(percent=percent)
    said = f'it has to be a percentage from 0 to {most}, as 10 or "12.5".'
    assert str(refused.value) == f"percent is {percent!a}; {said}"


def test_a_float_is_no_percentage() -> None:
    with pytest.raises(
        InvalidTerms, match=r"^percent is 12.5; it has to be a percentage from 0 to"
    ):
        Bonus(percent=12.5)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(("kind", "above"), [(Bonus, "1000.000000001"), (Fee, "100.1")])
def test_a_percentage_has_an_end(kind: Any, above: str) -> None:
    with pytest.raises(InvalidTerms, match="it has to be a percentage from 0 to"):
        kind(percent=Decimal(above))


def test_a_percentage_is_no_finer_than_a_file_can_write_it() -> None:
    with pytest.raises(InvalidTerms) as refused:
        Fee(percent=Decimal("0.0000000001"))
    assert str(refused.value) == (
        "percent is Decimal('1E-10'); it has to be a percentage with at most 9 decimals."
    )
    with pytest.raises(InvalidTerms, match="at most 9 decimals"):
        Bonus(percent=Decimal("1E-100000000"))


# Bonuses


BONUSES = [
    # bonus, credited, what it comes to
    ({"percent": 10}, "50.00", "5.00"),
    ({"percent": 10}, "0.09", "0.00"),  # rounded down
    ({"percent": 10}, "0.19", "0.01"),
    ({"percent": "12.5"}, "0.07", "0.00"),
    ({"percent": "12.5"}, "100.03", "12.50"),
    ({"percent": "33.333333333"}, "30000000.00", "9999999.99"),  # nine decimals, not a third
    ({"percent": "0.000000001"}, "1000000000.00", "0.01"),
    ({"percent": "0.000000001"}, "999999999.99", "0.00"),
    ({"percent": 1000}, "1.00", "10.00"),
    ({"fixed": "5.00"}, "50.00", "5.00"),
    ({"fixed": "5.00"}, "5.00", "5.00"),
    ({"fixed": "5.00"}, "0.01", "0.01"),  # never more than what becomes credit
    ({"percent": 10, "fixed": "5.00"}, "50.00", "10.00"),
    ({"percent": 10, "fixed": "5.00"}, "2.00", "2.20"),
    ({"percent": 10, "at_most": "4.00"}, "50.00", "4.00"),
    ({"percent": 10, "at_most": "5.00"}, "50.00", "5.00"),
    ({"percent": 10, "fixed": "2.00", "at_most": "6.00"}, "50.00", "6.00"),
    ({"percent": 10, "fixed": "2.00", "at_most": "7.00"}, "50.00", "7.00"),
    ({"percent": 10, "fixed": "2.00", "at_most": "7.01"}, "50.00", "7.00"),
    ({"percent": 10, "at_most": "0.00"}, "50.00", "0.00"),
    ({"percent": 10, "fixed": "5.00"}, "0.00", "0.00"),  # nothing on nothing
    ({}, "50.00", "0.00"),
]


def made(kind: Any, said: dict[str, Any]) -> Any:
    amounts = {name: eur(said[name]) for name in ("fixed", "at_most") if name in said}
    return kind(**{**said, **amounts})


@pytest.mark.parametrize(("said", "credited", "bonus"), BONUSES)
def test_a_bonus_is_rounded_down_and_capped(
    said: dict[str, Any], credited: str, bonus: str
) -> None:
    assert made(Bonus, said).on(eur(credited)) == eur(bonus)


def test_a_bonus_beyond_the_range_is_an_error_and_never_wraps() -> None:
    with pytest.raises(AmountOutOfRange):
        Bonus(percent=101).on(Money.of_minor(MAX_MINOR, "EUR"))
    assert Bonus(percent=100).on(Money.of_minor(MAX_MINOR, "EUR")).minor == MAX_MINOR


@pytest.mark.parametrize("said", [{"fixed": FIVE_DOLLARS}, {"at_most": FIVE_DOLLARS}])
def test_a_bonus_is_not_given_in_another_unit(said: dict[str, Money]) -> None:
    with pytest.raises(UnitMismatch):
        Bonus(percent=10, **said).on(eur("5.00"))


# Fees

FEES = [
    ({"percent": 15}, "49.99", "7.49"),  # 7.4985
    ({"percent": "12.5"}, "0.07", "0.00"),
    ({"percent": 100}, "49.99", "49.99"),
    ({"percent": "99.999999999"}, "49.99", "49.98"),
    ({"fixed": "3.00"}, "49.99", "3.00"),
    ({"fixed": "3.00"}, "2.00", "2.00"),  # never more than the line
    ({"percent": 10, "fixed": "3.00"}, "50.00", "8.00"),
    ({"percent": 10, "fixed": "3.00", "at_most": "7.50"}, "50.00", "7.50"),
    ({"percent": 10, "at_most": "7.50"}, "50.00", "5.00"),
    ({"fixed": "3.00", "at_most": "2.00"}, "1.00", "1.00"),
    ({"fixed": "3.00"}, "0.00", "0.00"),
    ({}, "49.99", "0.00"),
]


@pytest.mark.parametrize(("said", "amount", "fee"), FEES)
def test_a_fee_is_rounded_down_and_never_more_than_the_line(
    said: dict[str, Any], amount: str, fee: str
) -> None:
    assert made(Fee, said).of(eur(amount)) == eur(fee)


def test_a_fee_is_for_money_and_credit_unless_it_says_so() -> None:
    assert Fee().on == (OfferKind.MONEY, OfferKind.CREDIT)
    assert Fee(on=["money"]).on == (OfferKind.MONEY,)


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (
            Bonus,
            {"fixed": eur("-0.01")},
            (
                "fixed is Money.of('-0.01', 'EUR'); it has to be an amount of nothing or more, as "
                '"EUR 5.00".'
            ),
        ),
        (
            Fee,
            {"at_most": 5},
            'at_most is 5; it has to be an amount of nothing or more, as "EUR 5.00".',
        ),
        (
            Bonus,
            {"fixed": eur("1.00"), "at_most": FIVE_DOLLARS},
            "at_most is Money.of('5.00', 'USD'); it has to be in EUR, as fixed is.",
        ),
        (
            Fee,
            {"fixed": eur("1.00"), "at_most": FIVE_DOLLARS},
            "at_most is Money.of('5.00', 'USD'); it has to be in EUR, as fixed is.",
        ),
        (
            Fee,
            {"on": []},
            "on is []; it has to be a list of money, credit, exchange, one at least.",
        ),
        (Fee, {"on": "money"}, "on is 'money'; it has to be a list of money, credit, exchange."),
        (Fee, {"on": 5}, "on is 5; it has to be a list of money, credit, exchange."),
        (Fee, {"on": ["cash"]}, "on is 'cash'; it has to be one of money, credit, exchange."),
        (
            Fee,
            {"on": ["money", "money"]},
            (
                "on is [<OfferKind.MONEY: 'money'>, <OfferKind.MONEY: 'money'>]; it has to be a list "
                "that names each kind once."
            ),
        ),
        (
            Fee,
            {"on": ["exchange"]},
            "on is 'exchange'; it has to be money, credit or both: an exchange has no fee.",
        ),
        (CreditTerms, {"expires": "P1Y"}, "expires is 'P1Y'; it has to be a period, as \"P30D\"."),
        (
            CreditTerms,
            {"bonus_expires": 5},
            'bonus_expires is 5; it has to be a period, as "P30D".',
        ),
    ],
)
def test_a_part_that_cannot_be_is_refused(kind: Any, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        kind(**wrong)
    assert shortened(str(refused.value)) == shortened(message)


def shortened(message: str) -> str:
    """Without what messages leave out of long values."""
    return re.sub(r" is .*(?=; it has)", "", message) if len(message) > 150 else message


# Rules


def test_a_rule_decides_the_topics_that_it_names() -> None:
    rule = RefundRule(
        id="all",
        offer=["credit", "money"],
        bonus=Bonus(),
        fee=Fee(),
        credit=CreditTerms(),
        goods="keep",
        instant=False,
        consent=False,
        approval=False,
    )
    assert rule.topics == tuple(Topic)
    assert rule.offer == (OfferKind.CREDIT, OfferKind.MONEY)
    assert rule.goods is GoodsBack.KEEP
    assert rule.when == When()
    assert RefundRule(id="one", approval=True).topics == (Topic.APPROVAL,)


def test_an_empty_offer_decides_too() -> None:
    assert RefundRule(id="no", offer=[]).topics == (Topic.OFFER,)


def test_the_currency_of_a_rule_is_that_of_its_amounts() -> None:
    assert RefundRule(id="none", offer=["money"]).unit is None
    for rule in (
        RefundRule(id="a", when=When(at_least=eur("5.00")), approval=True),
        RefundRule(id="b", when=When(below=eur("5.00")), approval=True),
        RefundRule(id="c", bonus=Bonus(fixed=eur("5.00"))),
        RefundRule(id="d", bonus=Bonus(at_most=eur("5.00"))),
        RefundRule(id="e", fee=Fee(fixed=eur("5.00"))),
        RefundRule(id="f", fee=Fee(at_most=eur("5.00"))),
    ):
        assert rule.unit is not None
        assert rule.unit.code == "EUR"


WRONG_RULES: list[tuple[dict[str, Any], str]] = [
    (
        {},
        (
            "the rule is 'r'; it has to be one that decides something: offer, bonus, fee, credit, "
            "goods, instant, consent, approval."
        ),
    ),
    ({"offer": "money"}, "offer is 'money'; it has to be a list of money, credit, exchange."),
    ({"offer": ["cash"]}, "offer is 'cash'; it has to be one of money, credit, exchange."),
    (
        {"offer": ["money", "money"]},
        (
            "offer is [<OfferKind.MONEY: 'money'>, <OfferKind.MONEY: 'money'>]; it has to be a list "
            "that names each kind once."
        ),
    ),
    ({"goods": "burn"}, "goods is 'burn'; it has to be one of return, keep."),
    ({"instant": 1}, "instant is 1; it has to be true or false."),
    ({"consent": "yes"}, "consent is 'yes'; it has to be true or false."),
    ({"approval": 0}, "approval is 0; it has to be true or false."),
    ({"when": None, "offer": []}, "when is None; it has to be a When."),
    ({"bonus": 10}, "bonus is 10; it has to be a Bonus."),
    ({"fee": {}}, "fee is {}; it has to be a Fee."),
    ({"credit": "P1Y"}, "credit is 'P1Y'; it has to be a CreditTerms."),
    (
        {"offer": ["money"], "bonus": Bonus(percent=10)},
        "bonus is 'of r'; it has to be left out: its own offer has no credit.",
    ),
    (
        {"offer": ["exchange"], "credit": CreditTerms()},
        "credit is 'of r'; it has to be left out: its own offer has no credit.",
    ),
    (
        {"offer": [], "instant": True},
        "instant is 'of r'; it has to be left out: its own offer has no credit.",
    ),
    (
        {"offer": ["credit"], "fee": Fee(on=["money"])},
        "fee.on is [<OfferKind.MONEY: 'money'>]; it has to be among what its own offer has.",
    ),
    (
        {"offer": ["exchange"], "fee": Fee()},
        (
            "fee.on is [<OfferKind.MONEY: 'money'>, <OfferKind.CREDIT: 'credit'>]; it has to be among "
            "what its own offer has."
        ),
    ),
    (
        {"offer": ["credit"], "when": When(kinds=["shipping", "gift_card"])},
        (
            "offer is [<OfferKind.CREDIT: 'credit'>]; it has to be without credit: these lines are no "
            "goods (P3)."
        ),
    ),
    (
        {"bonus": Bonus(fixed=FIVE_DOLLARS), "when": When(at_least=eur("5.00"))},
        "the amounts is ['EUR', 'USD']; it has to be in one currency: write a rule for each.",
    ),
    (
        {"bonus": Bonus(fixed=FIVE_DOLLARS), "fee": Fee(fixed=eur("5.00"))},
        "the amounts is ['EUR', 'USD']; it has to be in one currency: write a rule for each.",
    ),
]


@pytest.mark.parametrize(("said", "message"), WRONG_RULES)
def test_a_rule_that_cannot_be_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        RefundRule(id="r", **said)
    assert shortened(str(refused.value)) == shortened(message)


@pytest.mark.parametrize(
    "said",
    [
        {"offer": ["money"], "bonus": Bonus()},  # none, whatever later rules give
        {"offer": ["money"], "instant": False},
        {"offer": ["credit", "money"], "fee": Fee(on=["money"])},
        {"offer": ["credit"], "when": When(kinds=["shipping", "tax"])},
        {"offer": ["credit"], "when": When(kinds=["goods"])},
        {"bonus": Bonus(percent=10)},
    ],
)
def test_a_rule_that_only_looks_odd_is_kept(said: dict[str, Any]) -> None:
    assert RefundRule(id="r", **said).id == "r"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda text: RefundRule(id=text, offer=[]), "id"),
        (lambda text: RefundRule(id="r", because=text, offer=[]), "because"),
    ],
)
def test_texts_of_a_rule_have_to_be_kept(make: Callable[[str], RefundRule], field: str) -> None:
    with pytest.raises(InvalidText, match=f"^The {field} '' is empty"):
        make("")


def test_a_reason_may_be_long_and_an_id_not() -> None:
    assert RefundRule(id="r", because="long " * 300, offer=[]).because == "long " * 300
    with pytest.raises(InvalidText, match="has 1500 characters, and at most 200 are kept"):
        RefundRule(id="long " * 300, offer=[])


def test_terms_of_credit_are_periods() -> None:
    terms = CreditTerms(expires=Period(years=2), bonus_expires=Period(months=6))
    assert (str(terms.expires), str(terms.bonus_expires)) == ("P2Y", "P6M")
