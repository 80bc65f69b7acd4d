"""Choosing prices: exact up to a stated number of combinations, then line by line (T3)."""

from __future__ import annotations

import pytest

from storecredit.errors import InvalidTerms
from storecredit.tenders import (
    EXACT_UP_TO,
    Aim,
    Choosing,
    Credit,
    External,
    OrderLine,
    Price,
)
from storecredit.values import Balance, CustomUnit, Money

PTS = CustomUnit("PTS", 0)
CARD = External("card")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def test_without_a_wish_every_line_is_bought_at_its_first_price(till, order, why) -> None:
    till.points(500)
    wanted = order([usd("5.00"), pts(500)], usd("1.00"))
    plan = till.plan(wanted, Credit("pts", till.account(unit="PTS")), CARD)
    assert [line.chosen for line in plan.lines] == [0, 0]
    assert (plan.choosing, plan.aim) == (Choosing.AS_ASKED, None)
    assert plan.reasons[0].words == "Line 1: is bought at its price number 0."
    asked = till.plan(wanted, Credit("pts", till.account(unit="PTS")), CARD, prices={"1": 1})
    assert asked.lines[0].price == (pts(500),)
    assert asked.external == Balance.of(usd("1.00"))


def test_each_aim_weighs_the_same_wallet_differently(till, order) -> None:
    till.shop.issue("4.00")
    till.points(700)
    tenders = (Credit("credit", till.account()), Credit("pts", till.account(unit="PTS")), CARD)
    wanted = order([usd("5.00"), pts(600), Price.of(usd("3.00"), pts(100))])
    chosen = {aim: till.plan(wanted, *tenders, prices=aim) for aim in Aim}
    assert {aim: plan.lines[0].chosen for aim, plan in chosen.items()} == {
        # 4.00 of credit, and a dollar by card.
        Aim.MOST_CREDIT: 0,
        Aim.FEWEST_POINTS: 0,
        # Nothing by card: 100 points are fewer than 600.
        Aim.LEAST_EXTERNAL: 2,
    }
    assert {plan.choosing for plan in chosen.values()} == {Choosing.EXACT}
    assert chosen[Aim.LEAST_EXTERNAL].aim is Aim.LEAST_EXTERNAL


def test_no_aim_leaves_unpaid_what_another_choice_pays(till, order) -> None:
    till.points(500)
    wanted = order([pts(600), usd("9.00")])
    plan = till.plan(
        wanted, Credit("pts", till.account(unit="PTS")), CARD, prices=Aim.LEAST_EXTERNAL
    )
    assert (plan.lines[0].chosen, plan.is_complete) == (1, True)


def test_points_that_reach_for_one_line_go_where_they_save_most(till, order) -> None:
    till.points(500)
    wanted = order([usd("5.00"), pts(500)], [usd("9.00"), pts(500)])
    plan = till.plan(
        wanted, Credit("pts", till.account(unit="PTS")), CARD, prices=Aim.LEAST_EXTERNAL
    )
    assert [line.chosen for line in plan.lines] == [0, 1]


def test_beyond_the_stated_size_the_plan_says_that_it_chose_line_by_line(till, order) -> None:
    till.points(900)
    lines = [OrderLine(str(n), [usd("1.00"), pts(100)]) for n in range(9)]
    assert 2 ** len(lines) > EXACT_UP_TO
    plan = till.plan(
        order(*lines), Credit("pts", till.account(unit="PTS")), CARD, prices=Aim.LEAST_EXTERNAL
    )
    assert plan.choosing is Choosing.LINE_BY_LINE
    assert plan.external == Balance.of()
    fewest = till.plan(
        order(*lines), Credit("pts", till.account(unit="PTS")), CARD, prices=Aim.FEWEST_POINTS
    )
    assert [line.chosen for line in fewest.lines] == [0] * 9


def test_an_aim_may_be_named(till, order) -> None:
    plan = till.plan(order([pts(5), usd("1.00")]), CARD, prices="fewest_points")
    assert (plan.aim, plan.lines[0].chosen) == (Aim.FEWEST_POINTS, 1)
    with pytest.raises(InvalidTerms):
        till.plan(order(usd("1.00")), CARD, prices="cheapest")


def test_an_aim_without_a_choice_asks_for_nothing(till, order) -> None:
    plan = till.plan(order(usd("1.00")), CARD, prices=Aim.MOST_CREDIT)
    assert plan.choosing is Choosing.AS_ASKED
