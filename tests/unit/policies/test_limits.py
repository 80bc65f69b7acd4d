"""Limits over a time, and what they do to offers (P3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from storecredit.errors import InvalidTerms, InvalidText, NotOffered, UnitMismatch
from storecredit.policies import (
    Bonus,
    CashRight,
    Limit,
    LimitOn,
    LimitPer,
    OfferKind,
    Over,
    Policy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    Tally,
    When,
)
from storecredit.values import Money, Period

Ask = Callable[..., ReturnRequest]
Make = Callable[..., Policy]
ByLine = Callable[[Any], dict[str, dict[str, str]]]


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


BOTH = RefundRule(id="both", offer=["credit", "money"], bonus=Bonus(percent=10))

# What a limit may say


def test_a_limit_is_on_refunds_of_a_day_and_asks_for_approval_unless_told() -> None:
    limit = Limit(id="l", per="agent", count=3)
    assert (limit.per, limit.on, limit.over) == (LimitPer.AGENT, LimitOn.REFUND, Over.APPROVE)
    assert (limit.period, limit.amount) == (Period(days=1), None)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "the limit is 'l'; it has to be one with an amount, a count, or both."),
        ({"per": "shop", "count": 1}, "per is 'shop'; it has to be one of holder, agent."),
        ({"on": "sales", "count": 1}, "on is 'sales'; it has to be one of refund, credit, bonus."),
        (
            {"over": "laugh", "count": 1},
            "over is 'laugh'; it has to be one of approve, refuse, cut.",
        ),
        ({"count": -1}, "count is -1; it has to be a whole number from 0 up."),
        ({"count": True}, "count is True; it has to be a whole number from 0 up."),
        (
            {"amount": eur("-0.01")},
            (
                "amount is Money.of('-0.01', 'EUR'); it has to be an amount of nothing or more, as "
                '"EUR 5.00".'
            ),
        ),
        ({"count": 1, "period": "P1D"}, "period is 'P1D'; it has to be a period, as \"P1D\"."),
        (
            {"count": 1, "over": "cut", "on": "credit"},
            "over is 'cut'; it has to be approve or refuse: only a bonus can be lowered.",
        ),
        (
            {"count": 1, "over": "refuse"},
            "over is 'refuse'; it has to be approve: what is due is not refused by a count.",
        ),
    ],
)
def test_a_limit_that_cannot_be_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        Limit(**{"id": "l", "per": "holder", **said})
    assert str(refused.value) == message


def test_the_id_of_a_limit_has_to_be_kept() -> None:
    with pytest.raises(InvalidText):
        Limit(id="", per="holder", count=1)


@pytest.mark.parametrize(
    ("period", "begins"),
    [
        (Period(days=1), datetime(2026, 3, 28, 12, tzinfo=UTC)),
        # The day over which the clocks go forward has 23 hours.
        (Period(days=1, zone="Europe/Berlin"), datetime(2026, 3, 28, 12, tzinfo=UTC)),
        (Period(months=1), datetime(2026, 2, 26, 12, tzinfo=UTC)),  # April has 30 days, March 31
        (Period(hours=6), datetime(2026, 3, 29, 6, tzinfo=UTC)),
    ],
)
def test_a_period_that_ends_now_began_as_long_ago(period: Period, begins: datetime) -> None:
    at = datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert Limit(id="l", per="holder", count=1, period=period).begins(at) == begins


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": -1}, "count is -1; it has to be a whole number from 0 up."),
        ({"count": 1.0}, "count is 1.0; it has to be a whole number from 0 up."),
        (
            {"amount": eur("-1.00")},
            (
                "amount is Money.of('-1.00', 'EUR'); it has to be an amount of nothing or more, as "
                '"EUR 5.00".'
            ),
        ),
    ],
)
def test_a_tally_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        Tally(limit="l", **wrong)
    assert str(refused.value) == message


def test_the_limit_of_a_tally_is_named() -> None:
    with pytest.raises(InvalidText):
        Tally(limit="")


# What limits do


def approvals(made: Policy, request: ReturnRequest, *tallies: Tally, **more: Any) -> dict[str, Any]:
    offers = made.offers(request, tallies=tallies, **more).offers
    return {offer.kind.value: offer.approval for offer in offers}


@pytest.mark.parametrize(
    ("before", "credit", "money"),
    [
        ("0.00", (), ()),
        ("45.00", (), ()),  # 45 and 55 make the hundred exactly
        ("45.01", ("day",), ()),
        ("50.00", ("day",), ()),
        ("50.01", ("day",), ("day",)),
        ("100.00", ("day",), ("day",)),
        ("900.00", ("day",), ("day",)),
    ],
)
def test_beyond_an_amount_somebody_else_approves(
    ask: Ask, policy: Make, before: str, credit: tuple[str, ...], money: tuple[str, ...]
) -> None:
    # Of 50.00, credit is 55.00 with its bonus.
    made = policy(BOTH, limits=[Limit(id="day", per="holder", amount=eur("100.00"))])
    found = approvals(made, ask(), Tally(limit="day", amount=eur(before)))
    assert found == {"credit": credit, "money": money}


@pytest.mark.parametrize(("before", "approval"), [(0, ()), (2, ()), (3, ("day",)), (9, ("day",))])
def test_beyond_a_number_somebody_else_approves(
    ask: Ask, policy: Make, before: int, approval: tuple[str, ...]
) -> None:
    made = policy(BOTH, limits=[Limit(id="day", per="holder", count=3)])
    found = approvals(made, ask(), Tally(limit="day", count=before))
    assert found == {"credit": approval, "money": approval}


def test_what_credit_paid_is_refunded_and_counts_in_the_currency_of_the_request(
    ask: Ask, policy: Make
) -> None:
    line = ReturnLine(id="1", external=eur("50.00"), restored=eur("50.01"))
    made = policy(BOTH, limits=[Limit(id="day", per="holder", amount=eur("100.00"))])
    assert approvals(made, ask(line))["money"] == ("day",)


def test_a_limit_on_credit_counts_the_bonus_and_no_money(ask: Ask, policy: Make) -> None:
    limit = Limit(id="day", per="holder", on="credit", amount=eur("54.99"))
    made = policy(BOTH, limits=[limit])
    assert approvals(made, ask()) == {"credit": ("day",), "money": ()}


def test_nothing_never_goes_over_a_limit(ask: Ask, policy: Make) -> None:
    made = policy(BOTH, limits=[Limit(id="day", per="holder", count=0, amount=eur("0.00"))])
    assert approvals(made, ask(eur("0.00"))) == {"credit": (), "money": ()}
    assert approvals(made, ask(eur("0.01"))) == {"credit": ("day",), "money": ("day",)}


def test_a_limit_in_another_currency_counts_decisions_only(ask: Ask, policy: Make) -> None:
    limit = Limit(id="day", per="holder", amount=Money.of("1.00", "USD"), count=2)
    made = policy(BOTH, limits=[limit])
    assert approvals(made, ask())["money"] == ()
    assert approvals(made, ask(), Tally(limit="day", count=2))["money"] == ("day",)


def test_a_tally_in_another_currency_than_its_limit_is_an_error(ask: Ask, policy: Make) -> None:
    made = policy(BOTH, limits=[Limit(id="day", per="holder", amount=eur("1.00"))])
    with pytest.raises(UnitMismatch):
        approvals(made, ask(), Tally(limit="day", amount=Money.of("1.00", "USD")))


@pytest.mark.parametrize(
    ("per", "who", "approval"),
    [
        ("holder", ("c-17", None), ("l",)),
        ("holder", (None, "kim"), ()),  # nobody counts what guests do
        ("agent", ("c-17", "kim"), ("l",)),
        ("agent", ("c-17", None), ()),  # nobody decides: the customer does it alone
    ],
)
def test_a_limit_binds_whom_it_is_on(
    ask: Ask, policy: Make, per: str, who: tuple[str | None, str | None], approval: tuple[str, ...]
) -> None:
    holder, agent = who
    made = policy(BOTH, limits=[Limit(id="l", per=per, count=0)])
    assert approvals(made, ask(holder=holder), agent=agent)["money"] == approval


def test_rules_and_limits_that_ask_for_approval_are_all_named_once(ask: Ask, policy: Make) -> None:
    rules = [RefundRule(id="big", when=When(at_least=eur("50.00")), approval=True), BOTH]
    limits = [
        Limit(id="a", per="holder", count=0),
        Limit(id="b", per="holder", amount=eur("0.00")),
    ]
    made = policy(*rules, limits=[*limits, Limit(id="c", per="holder", on="credit", count=0)])
    found = approvals(made, ask(eur("25.00"), eur("25.00")))
    assert found == {"credit": ("big", "a", "b", "c"), "money": ("big", "a", "b")}
    decision = made.offers(ask()).choose("money")
    assert decision.needs_approval


# Bonuses


def bonus_and_cut(made: Policy, request: ReturnRequest, *tallies: Tally) -> tuple[str, Any]:
    offer = made.offers(request, tallies=tallies).offer("credit")
    return str(offer.bonus), offer.cut


@pytest.mark.parametrize(
    ("before", "count", "left"),
    [
        ("0.00", 0, ("EUR 5.00", ())),
        ("15.00", 1, ("EUR 5.00", ())),
        ("15.01", 1, ("EUR 4.99", ("cap",))),
        ("20.00", 1, ("EUR 0.00", ("cap",))),
        ("99.00", 1, ("EUR 0.00", ("cap",))),
        ("0.00", 3, ("EUR 0.00", ("cap",))),
    ],
)
def test_a_limit_cuts_a_bonus_to_what_is_left(
    ask: Ask, policy: Make, before: str, count: int, left: tuple[str, tuple[str, ...]]
) -> None:
    limit = Limit(id="cap", per="holder", on="bonus", over="cut", amount=eur("20.00"), count=3)
    made = policy(BOTH, limits=[limit])
    tally = Tally(limit="cap", amount=eur(before), count=count)
    assert bonus_and_cut(made, ask(), tally) == left


@pytest.mark.parametrize(
    ("amount", "bonus", "cut"),
    [("5.00", "EUR 5.00", ()), ("4.99", "EUR 0.00", ("cap",)), ("0.00", "EUR 0.00", ("cap",))],
)
def test_a_limit_may_refuse_a_bonus_whole(
    ask: Ask, policy: Make, amount: str, bonus: str, cut: tuple[str, ...]
) -> None:
    limit = Limit(id="cap", per="holder", on="bonus", over="refuse", amount=eur(amount))
    assert bonus_and_cut(policy(BOTH, limits=[limit]), ask()) == (bonus, cut)


def test_of_several_limits_those_are_named_that_took_something(ask: Ask, policy: Make) -> None:
    cut = {"per": "holder", "on": "bonus", "over": "cut"}
    limits = [
        Limit(id="wide", amount=eur("9.00"), period=Period(days=9), **cut),
        Limit(id="four", amount=eur("4.00"), **cut),
        Limit(id="five", amount=eur("5.00"), period=Period(days=5), **cut),
        Limit(id="none", count=0, **cut),
        Limit(id="late", amount=eur("0.00"), period=Period(hours=1), **cut),
        Limit(id="no", per="holder", on="bonus", over="refuse", count=0),
    ]
    made = policy(BOTH, limits=limits)
    assert bonus_and_cut(made, ask()) == ("EUR 0.00", ("four", "none"))


def test_where_there_is_no_bonus_nothing_is_cut(ask: Ask, policy: Make) -> None:
    limit = Limit(id="cap", per="holder", on="bonus", over="cut", count=0)
    made = policy(BOTH, limits=[limit])
    assert bonus_and_cut(made, ask(eur("0.09"))) == ("EUR 0.00", ())
    assert made.offers(ask()).offer("money").cut == ()


def test_a_limit_on_bonuses_in_another_currency_cuts_nothing(ask: Ask, policy: Make) -> None:
    limit = Limit(id="cap", per="holder", on="bonus", over="cut", amount=Money.of("0.01", "USD"))
    assert bonus_and_cut(policy(BOTH, limits=[limit]), ask()) == ("EUR 5.00", ())


def test_what_is_left_of_bonuses_is_shared_in_proportion(
    ask: Ask, policy: Make, by_line: ByLine
) -> None:
    ten = RefundRule(id="ten", when=When(reasons=["late"]), bonus=Bonus(percent=10))
    twenty = RefundRule(id="twenty", bonus=Bonus(percent=20))
    limit = Limit(id="cap", per="holder", on="bonus", over="cut", amount=eur("1.00"))
    made = policy(ten, twenty, RefundRule(id="o", offer=["credit"]), limits=[limit])
    lines = [
        ReturnLine(id="1", external=eur("10.00"), reason="late"),  # 1.00
        ReturnLine(id="2", external=eur("5.00")),  # 1.00
        ReturnLine(id="3", external=eur("5.00")),  # 1.00
    ]
    offer = made.offers(ask(*lines)).offer("credit")
    # A third of a euro and two thirds: 0.33 and 0.67, which are 0.34 and 0.33.
    assert by_line(offer) == {
        "1": {"way": "credit", "credit": "EUR 10.00", "bonus": "EUR 0.33"},
        "2": {"way": "credit", "credit": "EUR 5.00", "bonus": "EUR 0.34"},
        "3": {"way": "credit", "credit": "EUR 5.00", "bonus": "EUR 0.33"},
    }
    assert offer.cut == ("cap",)


def test_a_bonus_that_somebody_has_to_approve_is_kept_whole(ask: Ask, policy: Make) -> None:
    limit = Limit(id="cap", per="holder", on="bonus", over="approve", amount=eur("4.99"))
    offer = policy(BOTH, limits=[limit]).offers(ask()).offer("credit")
    assert (offer.bonus, offer.cut, offer.approval) == (eur("5.00"), (), ("cap",))


# Credit that is refused


NO_CREDIT = Limit(id="month", per="holder", on="credit", over="refuse", amount=eur("54.99"))


def test_a_limit_takes_credit_off_the_offers(ask: Ask, policy: Make) -> None:
    made = policy(BOTH, limits=[NO_CREDIT])
    found = made.offers(ask())
    assert found.kinds == (OfferKind.MONEY,)
    with pytest.raises(NotOffered) as refused:
        found.choose("credit")
    assert str(refused.value) == (
        "Line '1' cannot go back as credit: the rules do not offer credit for it; offered: money. "
        "Somebody with the permission may override()."
    )
    assert made.offers(ask(eur("49.99"))).kinds == (OfferKind.CREDIT, OfferKind.MONEY)


def test_where_only_credit_was_offered_nothing_is_and_the_limit_says_why(
    ask: Ask, policy: Make
) -> None:
    rule = RefundRule(id="late", offer=["credit"])
    found = policy(
        rule, limits=[Limit(id="month", per="holder", on="credit", over="refuse", count=0)]
    )
    offers = found.offers(ask())
    assert offers.offers == ()
    assert offers.reasons[0].refused == "the limit month"


def test_what_was_refused_before_the_limit_keeps_its_own_reason(ask: Ask, policy: Make) -> None:
    rules = [
        RefundRule(id="sale", when=When(final_sale=True), offer=[], because="It was a sale."),
        RefundRule(id="else", offer=["credit"]),
    ]
    made = policy(
        *rules, limits=[Limit(id="no", per="holder", on="credit", over="refuse", count=0)]
    )
    lines = [
        ReturnLine(id="1", external=eur("5.00"), final_sale=True),
        ReturnLine(id="2", external=eur("5.00")),
    ]
    found = made.offers(ask(*lines))
    assert [each.refused for each in found.reasons] == ["It was a sale.", "the limit no"]


def test_a_limit_never_takes_the_money_that_the_law_gives(ask: Ask, policy: Make) -> None:
    right = CashRight(id="law", when=When(jurisdictions=["DE"]), source="an act")
    limits = [
        Limit(id="no", per="holder", on="credit", over="refuse", count=0),
        Limit(id="ask", per="holder", count=0),
    ]
    made = policy(RefundRule(id="late", offer=["credit"]), cash_rights=[right], limits=limits)
    (offer,) = made.offers(ask(jurisdiction="DE")).offers
    assert (offer.kind, offer.tenders) == (OfferKind.MONEY, eur("50.00"))
    assert offer.approval == ("ask",)


def test_limits_that_do_not_bind_here_take_nothing(ask: Ask, policy: Make) -> None:
    limit = Limit(id="no", per="agent", on="credit", over="refuse", count=0)
    made = policy(BOTH, RefundRule(id="x", approval=False), limits=[limit])
    assert OfferKind.CREDIT in made.offers(ask()).kinds
    assert OfferKind.CREDIT not in made.offers(ask(), agent="kim").kinds
    money = policy(
        RefundRule(id="m", offer=["money"]), RefundRule(id="c", when=When(gift=True), bonus=Bonus())
    )
    assert money.offers(ask()).kinds == (OfferKind.MONEY,)


# Who decides


AGENTS = Limit(id="agents", per="agent", amount=eur("100.00"))


def test_where_agents_have_limits_whoever_decides_is_whom_they_were_read_for(
    ask: Ask, policy: Make
) -> None:
    made = policy(BOTH, limits=[AGENTS])
    assert made.offers(ask(), agent="kim").choose("money").agent == "kim"
    assert made.offers(ask(), agent="kim").choose("money", agent="kim").agent == "kim"
    assert made.offers(ask()).choose("money").agent is None
    with pytest.raises(InvalidTerms) as refused:
        made.offers(ask()).choose("money", agent="kim")
    assert str(refused.value) == (
        "agent is 'kim'; it has to be nobody, for whose limits the offers were made: give "
        "offers(agent=)."
    )
    with pytest.raises(InvalidTerms, match="it has to be kim, for whose limits"):
        made.offers(ask(), agent="kim").choose("money", agent="lee")
    with pytest.raises(InvalidTerms, match=r"^agent is 'lee'; it has to be kim"):
        made.offers(ask(), agent="kim").override("money", actor="lee", reason="nice")


def test_where_agents_have_no_limits_anybody_may_decide(ask: Ask, policy: Make) -> None:
    made = policy(BOTH, limits=[Limit(id="l", per="holder", count=5)])
    assert made.offers(ask()).choose("money", agent="kim").agent == "kim"
    assert made.offers(ask(), agent="kim").choose("money", agent="lee").agent == "lee"
    with pytest.raises(InvalidText):
        made.offers(ask()).choose("money", agent="")
