"""
Hypothesis strategies for refund policies, and for what is asked of them.

Names are few, amounts tiny and days close to the ends of windows on purpose, so that conditions
overlap, ties are common, and parts of a cent have to go somewhere. With `policies()` and
`return_requests()` a shop tests its own code with policies that it has not thought of.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import attrs
from hypothesis import strategies as st

from storecredit.errors import InvalidTerms, PolicyInvalid
from storecredit.policies import (
    Bonus,
    CashRight,
    Condition,
    CreditTerms,
    Fee,
    GoodsBack,
    Limit,
    LimitOn,
    LimitPer,
    OfferKind,
    Over,
    Policy,
    RefundPolicy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    Since,
    Tally,
    Topic,
    When,
    Who,
)
from storecredit.tenders import LineKind
from storecredit.values import Balance, CustomUnit, Money, Period, Unit
from storecredit.values import unit as unit_named

EUROS: Final = unit_named("EUR")
DOLLARS: Final = unit_named("USD")
POINTS: Final = CustomUnit("PTS", 0)
MERCHANTS: Final = ("acme", "brand")
CHANNELS: Final = ("web", "till")
JURISDICTIONS: Final = ("DE", "US-CA")
SEGMENTS: Final = ("gold", "staff")
CATEGORIES: Final = ("books", "toys")
REASONS: Final = ("damaged", "changed mind")
AGENTS: Final = ("kim", "lee")
MOST: Final = 40
"""The largest amount, in minor units, of a line or a limit here."""

_AT: Final = (
    dt.datetime(2026, 3, 29, 0, 30, tzinfo=dt.UTC),  # the clocks of Berlin go forward at 1:00
    dt.datetime(2026, 3, 31, 22, 0, tzinfo=dt.UTC),  # midnight in Berlin, and a new month
    dt.datetime(2026, 4, 1, 11, 59, 59, 999999, tzinfo=dt.UTC),
)
_AGO: Final = tuple(
    dt.timedelta(**ago)
    for ago in (
        {},
        {"days": 3},
        {"days": 13, "hours": 23},
        {"days": 14},
        {"days": 14, "hours": 22, "minutes": 1},
        {"days": 15},
        {"days": 30},
        {"days": 31, "microseconds": 1},
        {"days": 400},
    )
)
_WINDOWS: Final = (
    Period(days=14),
    Period(days=14, zone="Europe/Berlin"),
    Period(days=14, zone="Pacific/Apia"),
    Period(days=30),
    Period(months=1, zone="America/New_York"),
    Period(days=1, round_up_to="month", zone="Europe/Berlin"),
    Period(hours=36),
)


def _some(values: Iterable[Any]) -> st.SearchStrategy[list[Any]]:
    """One or two of *values*."""
    return st.lists(st.sampled_from(tuple(values)), min_size=1, max_size=2, unique=True)


def _rarely(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([True, False, False, False]).flatmap(
        lambda wanted: strategy if wanted else st.none()
    )


def euros(*, least: int = 0, most: int = MOST, unit: Unit = EUROS) -> st.SearchStrategy[Money]:
    """So many cents."""
    return st.integers(least, most).map(lambda minor: Money.of_minor(minor, unit))


# Rules


def conditions(
    *, unit: Unit = EUROS, most: int = 2, amounts: bool = True
) -> st.SearchStrategy[When]:
    """Up to *most* conditions, which can hold together; without *amounts*, none about them."""
    window = st.sampled_from(_WINDOWS)
    possible: dict[str, st.SearchStrategy[Any]] = {
        "merchants": _some(MERCHANTS),
        "channels": _some(CHANNELS),
        "jurisdictions": _some(JURISDICTIONS),
        "segments": _some(SEGMENTS),
        "holder": st.sampled_from(Who),
        "gift": st.booleans(),
        "receipt": st.booleans(),
        "within": window,
        "after": window,
        "at_least": euros(unit=unit),
        "below": euros(least=1, most=2 * MOST, unit=unit),
        "kinds": _some(LineKind),
        "categories": _some(CATEGORIES),
        "reasons": _some(REASONS),
        "conditions": _some(Condition),
        "final_sale": st.booleans(),
    }
    if not amounts:
        del possible["at_least"], possible["below"]
    return st.builds(
        _conditions,
        st.sampled_from(Since),
        st.lists(st.sampled_from(sorted(possible)), max_size=most, unique=True).flatmap(
            lambda names: st.fixed_dictionaries({name: possible[name] for name in names})
        ),
    )


def _conditions(since: Since, said: dict[str, Any]) -> When:
    try:
        return When(since=since, **said)
    except InvalidTerms:  # two of them can never hold together: keep one
        return When(since=since, **dict(list(said.items())[:1]))


def percentages(highest: int) -> st.SearchStrategy[Decimal]:
    """Percentages up to *highest*, with up to nine decimals."""
    plain = st.sampled_from(
        [Decimal(10), Decimal("12.5"), Decimal("33.333333333"), Decimal(highest)]
    )
    return plain | st.decimals(0, highest, places=9)


@st.composite
def bonuses(draw: st.DrawFn, *, unit: Unit = EUROS, amounts: bool = True) -> Bonus:
    """Bonuses by percentage, fixed, capped, and none; without *amounts*, by percentage only."""
    return Bonus(
        percent=draw(percentages(200)),
        fixed=draw(_rarely(euros(unit=unit))) if amounts else None,
        at_most=draw(_rarely(euros(unit=unit))) if amounts else None,
    )


@st.composite
def fees(draw: st.DrawFn, *, unit: Unit = EUROS) -> Fee:
    """Fees by percentage, fixed and capped, for some kinds of offer."""
    either = [[OfferKind.MONEY], [OfferKind.CREDIT], [OfferKind.MONEY, OfferKind.CREDIT]]
    return Fee(
        percent=draw(percentages(100)),
        fixed=draw(_rarely(euros(unit=unit))),
        at_most=draw(_rarely(euros(unit=unit))),
        on=draw(st.sampled_from(either)),
    )


def credit_terms() -> st.SearchStrategy[CreditTerms]:
    """Terms with and without an end."""
    lives = st.none() | st.sampled_from([Period(months=6), Period(days=30, zone="Europe/Berlin")])
    return st.builds(CreditTerms, expires=lives, bonus_expires=lives)


_OFFERS: Final = (
    (),
    (OfferKind.MONEY,),
    (OfferKind.CREDIT,),
    (OfferKind.CREDIT, OfferKind.MONEY),
    (OfferKind.EXCHANGE, OfferKind.CREDIT),
    (OfferKind.MONEY, OfferKind.CREDIT, OfferKind.EXCHANGE),
    (OfferKind.CREDIT, OfferKind.MONEY, OfferKind.EXCHANGE),
)


@st.composite
def refund_rules(
    draw: st.DrawFn,
    *,
    name: str = "rule",
    unit: Unit = EUROS,
    amounts: bool = True,
    always: bool = False,
) -> RefundRule:
    """
    Rules that decide one topic or several.

    Args:
        draw: Given by hypothesis.

        name: The id of the rule.

        unit: The currency of its amounts.

        amounts: Whether its conditions and its bonus may have amounts.

        always: Whether it has no conditions.
    """
    when = When() if always else draw(conditions(unit=unit, amounts=amounts))
    often = [Topic.OFFER, Topic.BONUS, Topic.FEE]
    chosen = st.lists(st.sampled_from([*often, *Topic]), min_size=1, max_size=4)
    topics = sorted(set(draw(chosen)) | ({Topic.OFFER, Topic.BONUS} if always else set()))
    possible: dict[Topic, st.SearchStrategy[Any]] = {
        Topic.OFFER: st.sampled_from(_OFFERS),
        Topic.BONUS: bonuses(unit=unit, amounts=amounts),
        Topic.FEE: fees(unit=unit),
        Topic.CREDIT: credit_terms(),
        Topic.GOODS: st.sampled_from(GoodsBack),
        Topic.INSTANT: st.booleans(),
        Topic.CONSENT: st.booleans(),
        Topic.APPROVAL: st.booleans(),
    }
    parts: dict[str, Any] = {topic.value: draw(possible[topic]) for topic in topics}
    parts["because"] = draw(_rarely(st.just("as we have always done")))
    try:
        return RefundRule(id=name, when=when, **parts)
    except InvalidTerms:  # what its offer is not about
        return RefundRule(id=name, when=attrs.evolve(when, kinds=None), offer=parts["offer"])


def cash_rights(*, name: str = "right") -> st.SearchStrategy[CashRight]:
    """Rights to money, with and without the shop's fee."""
    return st.builds(
        CashRight,
        id=st.just(name),
        when=conditions(),
        source=st.just("an act"),
        keeps_fee=st.booleans(),
    )


@st.composite
def limits(draw: st.DrawFn, *, name: str = "limit") -> Limit:
    """Limits of every kind that there may be."""
    on, over = draw(
        st.sampled_from(
            [
                (LimitOn.REFUND, Over.APPROVE),
                *[(LimitOn.CREDIT, over) for over in (Over.APPROVE, Over.REFUSE)],
                *[(LimitOn.BONUS, over) for over in Over],
            ]
        )
    )
    amount = draw(st.none() | euros())
    count = draw(st.integers(0, 3)) if amount is None else draw(_rarely(st.integers(0, 3)))
    return Limit(
        id=name,
        per=draw(st.sampled_from(LimitPer)),
        on=on,
        over=over,
        period=draw(st.sampled_from([Period(days=1), Period(months=1)])),
        amount=amount,
        count=count,
    )


@st.composite
def rule_lists(draw: st.DrawFn, *, most: int = 5, amounts: bool = True) -> tuple[RefundRule, ...]:
    """Up to *most* rules, named r1, r2, ...; some may never have anything to decide."""
    count = draw(st.integers(1, most))
    # One in another currency now and then: it decides nothing. The last one often always holds.
    units = st.sampled_from([EUROS] * 9 + [DOLLARS])
    names = [f"r{number}" for number in range(1, count + 1)]
    return tuple(
        draw(
            refund_rules(
                name=name,
                unit=draw(units),
                amounts=amounts,
                always=name == names[-1] and draw(st.booleans()),
            )
        )
        for name in names
    )


@st.composite
def refund_policies(
    draw: st.DrawFn,
    *,
    most: int = 5,
    rights: bool = True,
    limited: bool = True,
    amounts: bool = True,
) -> RefundPolicy:
    """
    Refund policies of up to *most* rules, none of which is in vain.

    Args:
        draw: Given by hypothesis.

        most: How many rules there are at most.

        rights: Whether there may be rights to money.

        limited: Whether there may be limits.

        amounts: Whether the conditions and bonuses of rules may have amounts.
    """
    wanted: dict[str, list[Any]] = {
        "rules": list(draw(rule_lists(most=most, amounts=amounts))),
        "cash_rights": [],
        "limits": [],
    }
    if rights:
        numbers = range(draw(st.integers(0, 2)))
        wanted["cash_rights"] = [draw(cash_rights(name=f"law{number}")) for number in numbers]
    if limited:
        numbers = range(draw(st.integers(0, 2)))
        wanted["limits"] = [draw(limits(name=f"limit{number}")) for number in numbers]
    reasons = draw(st.none() | st.just(REASONS))
    return _kept(wanted, reasons)


def _kept(wanted: dict[str, list[Any]], reasons: tuple[str, ...] | None) -> RefundPolicy:
    """Leave out whatever would be in vain, until nothing is."""
    while wanted["rules"]:
        try:
            return RefundPolicy(reasons=reasons, **wanted)
        except PolicyInvalid as invalid:
            paths = [_PLACE.match(problem.path) for problem in invalid.problems]
            vain = {(found[1], int(found[2])) for found in paths if found is not None}
        if not vain:
            break
        for part, values in wanted.items():
            wanted[part] = [each for at, each in enumerate(values) if (part, at) not in vain]
    return RefundPolicy(rules=[RefundRule(id="r1", offer=(OfferKind.MONEY,))], reasons=reasons)


_PLACE: Final = re.compile(r"(\w+)\[([0-9]+)\]")


def policies(
    *, most: int = 5, rights: bool = True, limited: bool = True, amounts: bool = True
) -> st.SearchStrategy[Policy]:
    """Policies with a section of refunds."""
    section = refund_policies(most=most, rights=rights, limited=limited, amounts=amounts)
    return section.map(lambda refund: Policy(name="strange", version="2026-01", refund=refund))


# What is asked


@st.composite
def return_lines(draw: st.DrawFn, *, name: str = "1", unit: Unit = EUROS) -> ReturnLine:
    """Lines that external tenders, credit or both have paid; of nothing, too."""
    restored = draw(st.none() | euros(unit=unit)), draw(_rarely(euros(unit=POINTS)))
    return ReturnLine(
        id=name,
        external=draw(euros(unit=unit)),
        restored=Balance.of(*[amount for amount in restored if amount is not None]),
        kind=draw(st.sampled_from([LineKind.GOODS] * 4 + list(LineKind))),
        pieces=draw(st.integers(1, 3)),
        category=draw(_rarely(st.sampled_from(CATEGORIES))),
        reason=draw(st.none() | st.sampled_from(REASONS)),
        condition=draw(_rarely(st.sampled_from(Condition))),
        final_sale=draw(st.integers(0, 3)) == 0,
    )


@st.composite
def return_requests(draw: st.DrawFn, *, most: int = 3, unit: Unit = EUROS) -> ReturnRequest:
    """Requests of up to *most* lines, named 1, 2, ..., around the ends of windows."""
    at = draw(st.sampled_from(_AT))
    purchased = draw(st.none() | st.sampled_from(_AGO).map(lambda ago: at - ago))
    delivered = draw(st.none() | st.sampled_from(_AGO).map(lambda ago: at - ago))
    if purchased is not None and delivered is not None:
        delivered = max(purchased, delivered)
    return ReturnRequest(
        id="rma-1",
        merchant=draw(st.sampled_from(MERCHANTS)),
        at=at,
        lines=[
            draw(return_lines(name=str(number), unit=unit))
            for number in range(1, draw(st.integers(1, most)) + 1)
        ],
        order=draw(st.none() | st.just("o-1")),
        purchased_at=purchased,
        delivered_at=delivered,
        holder=draw(st.none() | st.just("c-17")),
        buyer=draw(_rarely(st.sampled_from(["c-17", "c-18"]))),
        channel=draw(st.none() | st.sampled_from(CHANNELS)),
        jurisdiction=draw(st.none() | st.sampled_from(JURISDICTIONS)),
        segments=draw(st.just(()) | _some(SEGMENTS)),
        receipt=draw(st.integers(0, 3)) > 0,
    )


@st.composite
def tallies(draw: st.DrawFn, policy: RefundPolicy) -> tuple[Tally, ...]:
    """What was done under some limits of *policy*: less than they allow, so much, or more."""
    return tuple(
        Tally(
            limit=limit.id,
            amount=draw(_rarely(euros(most=2 * MOST))),
            count=draw(st.integers(0, 4)),
        )
        for limit in policy.limits
        if draw(st.booleans())
    )
