"""Top-ups: what is sold, the bonus on it, and what giving it back comes to (P4, A7)."""

from __future__ import annotations

from typing import Any

import pytest

from storecredit.errors import InvalidTerms, InvalidText, TopUpRefused, UnitMismatch
from storecredit.ledger import Funding, Limits
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.gift import GrantCeiling
from storecredit.policies.grant_decision import GrantLot
from storecredit.policies.rule import Bonus
from storecredit.policies.top_up import (
    AutomaticTopUp,
    BonusStep,
    TopUpDecision,
    TopUpFlag,
    TopUpPolicy,
    TopUpRefund,
    credit_top_up,
    quote_top_up,
    refund_of_top_up,
    top_up_due,
)
from storecredit.values import Money, Period

NAMED = PolicyVersion("shop", "2")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def step(paid: str, **bonus: Any) -> BonusStep:
    return BonusStep(paid=eur(paid), bonus=Bonus(**bonus))


def policy(**more: Any) -> TopUpPolicy:
    given = {
        "id": "wallet",
        "minimum": eur("10.00"),
        "maximum": eur("500.00"),
        "bonuses": [step("50.00", fixed=eur("5.00")), step("200.00", percent=15)],
        **more,
    }
    return TopUpPolicy(**given)


def credited(paid: str, **more: Any) -> TopUpDecision:
    return credit_top_up(policy(**more), eur(paid), holder="anna", payment="pay-1", named=NAMED)


@pytest.mark.parametrize(
    ("paid", "bonus"),
    [("10.00", None), ("49.99", None), ("50.00", "5.00"), ("199.99", "5.00"), ("200.03", "30.00")],
)
def test_the_highest_step_that_is_reached_gives_the_bonus(paid: str, bonus: str | None) -> None:
    expected = None if bonus is None else eur(bonus)
    assert quote_top_up(policy(), eur(paid)) == expected
    decision = credited(paid)
    assert (decision.bonus, decision.flag) == (expected, None)


def test_what_is_not_sold_is_refused_before_it_is_charged() -> None:
    for amount, because in (
        (eur("9.99"), "below_minimum"),
        (eur("500.01"), "above_maximum"),
        (Money.of("50.00", "USD"), "in_another_unit"),
    ):
        with pytest.raises(TopUpRefused) as refused:
            quote_top_up(policy(), amount)
        assert (refused.value.amount, refused.value.because) == (amount, because)
    with pytest.raises(TopUpRefused) as refused:
        quote_top_up(policy(), Money.of("50.00", "USD"))
    assert str(refused.value) == (
        "USD 50.00 cannot be topped up: it is in another unit. Credit is sold from EUR 10.00 up to "
        "EUR 500.00. Do not charge it; ask for another amount."
    )
    assert quote_top_up(policy(maximum=None), eur("9999.00")) == eur("1499.85")


def test_what_is_paid_already_is_credited_without_a_bonus_and_with_a_flag() -> None:
    for paid, flag in (("9.99", TopUpFlag.BELOW_MINIMUM), ("500.01", TopUpFlag.ABOVE_MAXIMUM)):
        decision = credited(paid)
        assert (decision.flag, decision.bonus) == (flag, None)
        assert [lot.amount for lot in decision.lots] == [eur(paid)]
    dollars = credit_top_up(
        policy(), Money.of("60.00", "USD"), holder="anna", payment="p", named=NAMED
    )
    assert (dollars.flag, len(dollars.lots)) == (TopUpFlag.OTHER_UNIT, 1)


def test_what_is_paid_is_bought_and_the_bonus_is_promotional() -> None:
    limits = Limits(categories=("books",))
    decision = credited(
        "50.00", expires=Period(years=3), bonus_expires=Period(days=90), bonus_limits=limits
    )
    assert decision.lots == (
        GrantLot(
            holder="anna",
            amount=eur("50.00"),
            funding=Funding.PURCHASED,
            expires=Period(years=3),
        ),
        GrantLot(
            holder="anna",
            amount=eur("5.00"),
            funding=Funding.PROMOTIONAL,
            expires=Period(days=90),
            limits=limits,
        ),
    )
    assert TopUpDecision.from_json(decision.to_json()) == decision
    assert credited("50.00", expires=Period(years=3)).lots[1].expires == Period(years=3)
    cut = decision.above_ceiling()
    assert (cut.flag, cut.bonus, len(cut.lots)) == (TopUpFlag.ABOVE_CEILING, None, 1)
    assert credited("9.99").above_ceiling().flag is TopUpFlag.BELOW_MINIMUM


def test_a_step_may_give_nothing() -> None:
    assert credited("10.00", bonuses=[step("10.00", percent=0)]).bonus is None


@pytest.mark.parametrize("paid", [eur("0.00"), eur("-5.00")])
def test_nothing_is_credited_for_nothing(paid: Money) -> None:
    with pytest.raises(InvalidTerms, match="paid is"):
        credit_top_up(policy(), paid, holder="anna", payment="pay-1", named=NAMED)


def test_texts_can_be_kept() -> None:
    for texts in ({"holder": "", "payment": "p"}, {"holder": "a", "payment": ""}):
        with pytest.raises(InvalidText):
            credit_top_up(policy(), eur("50.00"), named=NAMED, **texts)
    with pytest.raises(InvalidText):
        policy(id="")


# --- Automatically ------------------------------------------------------------------------


def test_a_top_up_is_due_below_the_threshold() -> None:
    automatic = AutomaticTopUp(below=eur("5.00"), pays=eur("20.00"))
    assert top_up_due(policy(automatic=automatic), eur("4.99")) == eur("20.00")
    assert top_up_due(policy(automatic=automatic), eur("5.00")) is None
    assert top_up_due(policy(), eur("0.00")) is None
    with pytest.raises(UnitMismatch):
        top_up_due(policy(automatic=automatic), Money.of("1.00", "USD"))


# --- Back ---------------------------------------------------------------------------------


def back(left: str, bonus_left: str, spent: str, **more: Any) -> tuple[str, str, str]:
    refund = refund_of_top_up(
        credited("50.00", **more),
        left=eur(left),
        bonus_left=eur(bonus_left),
        bonus_spent=eur(spent),
    )
    assert refund.closed == eur(left) == refund.pays_back + refund.deducted
    return tuple(str(each.decimal) for each in (refund.revoked, refund.deducted, refund.pays_back))  # type: ignore[return-value]  # three


@pytest.mark.parametrize(
    ("left", "bonus_left", "spent", "expected"),
    [
        # Nothing spent: all of the bonus goes, and all of the money comes.
        ("50.00", "5.00", "0.00", ("5.00", "0.00", "50.00")),
        # The bonus was spent first: its share is kept of the money.
        ("50.00", "0.00", "5.00", ("0.00", "5.00", "45.00")),
        ("30.00", "0.00", "5.00", ("0.00", "3.00", "27.00")),
        ("30.00", "1.00", "4.00", ("1.00", "2.00", "28.00")),
        # Money was spent first: the rest of the bonus stays.
        ("30.00", "5.00", "0.00", ("3.00", "0.00", "30.00")),
        # A share of a cent goes whole: 5.00 * 33.33 / 50.00 is 3.333.
        ("33.33", "5.00", "0.00", ("3.34", "0.00", "33.33")),
        # The bonus has expired: nobody had anything of it.
        ("50.00", "0.00", "0.00", ("0.00", "0.00", "50.00")),
        ("50.00", "0.00", "2.00", ("0.00", "2.00", "48.00")),
        ("0.00", "5.00", "0.00", ("0.00", "0.00", "0.00")),
    ],
)
def test_the_bonus_goes_in_proportion_and_never_becomes_cash(
    left: str, bonus_left: str, spent: str, expected: tuple[str, str, str]
) -> None:
    assert back(left, bonus_left, spent) == expected


def test_the_shop_may_bear_a_bonus_that_is_spent() -> None:
    assert back("50.00", "0.00", "5.00", spent_bonus="forgive") == ("0.00", "0.00", "50.00")


def test_a_bonus_above_the_money_takes_no_more_than_the_money() -> None:
    generous = [step("10.00", percent=1000)]
    assert back("50.00", "0.00", "500.00", bonuses=generous) == ("0.00", "50.00", "0.00")


def test_a_top_up_without_a_bonus_is_given_back_whole() -> None:
    none = eur("0.00")
    refund = refund_of_top_up(
        credited("20.00"), left=eur("7.00"), bonus_left=none, bonus_spent=none
    )
    assert refund == TopUpRefund(
        closed=eur("7.00"), revoked=none, deducted=none, pays_back=eur("7.00")
    )


# --- What cannot be -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: policy(minimum=eur("0.00")), "minimum"),
        (lambda: policy(minimum="EUR 5.00"), "minimum"),
        (lambda: policy(maximum=eur("9.99")), "maximum"),
        (lambda: policy(maximum=Money.of("900.00", "USD")), "maximum"),
        (lambda: policy(bonuses=[1]), "bonuses"),
        (lambda: policy(bonuses=[step("500.01", percent=1)]), "bonuses"),
        (lambda: policy(bonuses=[step("50.00", percent=1), step("50.00", percent=2)]), "bonuses"),
        (
            lambda: policy(
                bonuses=[BonusStep(paid=Money.of("5.00", "USD"), bonus=Bonus(percent=1))]
            ),
            "bonuses",
        ),
        (lambda: step("0.00", percent=1), "paid"),
        (lambda: step("1.00", fixed=Money.of("1.00", "USD")), "bonus"),
        (lambda: policy(expires=5), "expires"),
        (lambda: policy(bonus_expires="P1D"), "bonus_expires"),
        (lambda: policy(bonus_limits="books"), "limits"),
        (lambda: policy(spent_bonus="keep"), "spent_bonus"),
        (lambda: policy(ceilings=[1]), "ceilings"),
        (
            lambda: policy(
                ceilings=[GrantCeiling(id="a", period=Period(days=1), count=1, per="agent")]
            ),
            "ceilings",
        ),
        (
            lambda: policy(ceilings=[GrantCeiling(id="a", period=Period(days=1), count=1)] * 2),
            "id",
        ),
        (lambda: AutomaticTopUp(below=eur("0.00"), pays=eur("1.00")), "below"),
        (lambda: AutomaticTopUp(below=eur("1.00"), pays=eur("0.00")), "pays"),
        (lambda: AutomaticTopUp(below=eur("1.00"), pays=Money.of("1.00", "USD")), "pays"),
        (
            lambda: policy(automatic=AutomaticTopUp(below=eur("1.00"), pays=eur("9.99"))),
            "automatic",
        ),
    ],
)
def test_what_cannot_be_says_what_would_be_right(make: Any, field: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        make()
    assert refused.value.field == field
