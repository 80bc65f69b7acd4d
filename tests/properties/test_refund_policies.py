"""Laws of refund policies, checked against a second reading of the rules (P2, P3, P6)."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from storecredit.errors import ConsentMissing, NotOffered
from storecredit.ledger import Funding
from storecredit.policies import (
    Bonus,
    CashRight,
    Limit,
    LimitOn,
    LimitPer,
    LineOffer,
    Offer,
    OfferKind,
    Offers,
    Over,
    Policy,
    RefundDecision,
    RefundPolicy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    Tally,
    When,
)
from storecredit.policies.reach import gives_bonus
from storecredit.tenders import LineKind
from storecredit.testing import policy_strategies as strange
from storecredit.values import Money, Period, Unit
from storecredit.values.instants import zone_named

# --- A second reading ------------------------------------------------------------------------
#
# What a rule means, written as plainly as can be: one line at a time, whole cents, fractions.


def holds(when: When, request: ReturnRequest, line: ReturnLine) -> bool:
    """Whether all that *when* says is so."""
    asked = sum(each.external.minor for each in request.lines)
    begins = {"purchase": request.purchased_at, "delivery": request.delivered_at}[when.since]
    waits = when.since == "delivery" and begins is None and request.receipt
    said: list[tuple[Any, bool]] = [
        (when.merchants, request.merchant in (when.merchants or ())),
        (when.channels, request.channel in (when.channels or ())),
        (when.jurisdictions, request.jurisdiction in (when.jurisdictions or ())),
        (when.segments, bool({*request.segments} & {*(when.segments or ())})),
        (when.holder, (request.holder is None) == (when.holder == "guest")),
        (when.gift, (request.buyer not in (None, request.holder)) == when.gift),
        (when.receipt, request.receipt == when.receipt),
        (when.within, waits or is_inside(when.within, begins, request.at) is True),
        (when.after, not waits and is_inside(when.after, begins, request.at) is False),
        (when.at_least, is_in(when.at_least, request) and asked >= minor(when.at_least)),
        (when.below, is_in(when.below, request) and asked < minor(when.below)),
        (when.kinds, line.kind in (when.kinds or ())),
        (when.categories, line.category in (when.categories or ())),
        (when.reasons, line.reason in (when.reasons or ())),
        (when.conditions, line.condition in (when.conditions or ())),
        (when.final_sale, line.final_sale == when.final_sale),
    ]
    return all(is_so for wanted, is_so in said if wanted is not None)


def is_inside(period: Period | None, begins: datetime | None, at: datetime) -> bool | None:
    """Whether the local day is not later than the window's last; None where nobody knows."""
    if period is None or begins is None:
        return None
    zone = zone_named(period.zone)
    last = attrs.evolve(period, round_up_to=None).after(begins).astimezone(zone).date()
    if period.round_up_to is not None:
        last = period.round_up_to.last_day(last)
    return at.astimezone(zone).date() <= last


def is_in(amount: Money | None, request: ReturnRequest) -> bool:
    return amount is not None and amount.unit == request.lines[0].external.unit


def minor(amount: Money | None) -> int:
    return 0 if amount is None else amount.minor


def decider(
    policy: RefundPolicy, request: ReturnRequest, line: ReturnLine, topic: str
) -> RefundRule | None:
    """The first rule that holds and says something about *topic*."""
    for rule in policy.rules:
        about_money = [rule.when.at_least, rule.when.below]
        for part in (rule.bonus, rule.fee):
            about_money += [part.fixed, part.at_most] if part else []
        foreign = any(amount is not None and not is_in(amount, request) for amount in about_money)
        if getattr(rule, topic) is not None and not foreign and holds(rule.when, request, line):
            return rule
    return None


def said(policy: RefundPolicy, request: ReturnRequest, line: ReturnLine, topic: str) -> Any:
    rule = decider(policy, request, line, topic)
    return None if rule is None else getattr(rule, topic)


def rights_of(policy: RefundPolicy, request: ReturnRequest, line: ReturnLine) -> list[CashRight]:
    return [right for right in policy.cash_rights if holds(right.when, request, line)]


def ways_of(policy: RefundPolicy, request: ReturnRequest, line: ReturnLine) -> list[str]:
    """What may become of a line, the favourite first; limits aside."""
    found = [kind.value for kind in said(policy, request, line, "offer") or ()]
    if line.kind not in (LineKind.GOODS, LineKind.TAX):
        found = [way for way in found if way == "money"]
    if rights_of(policy, request, line) and "money" not in found:
        found.append("money")
    return found


def floor_percent(percent: Decimal, amount: int) -> int:
    return int(Fraction(percent) * amount // 100)


def capped(whole: int, at_most: Money | None) -> int:
    return whole if at_most is None else min(whole, at_most.minor)


def fee_on(policy: RefundPolicy, request: ReturnRequest, line: ReturnLine, way: str) -> int:
    fee = said(policy, request, line, "fee")
    free = any(not right.keeps_fee for right in rights_of(policy, request, line))
    if fee is None or way not in fee.on or (way == "money" and free):
        return 0
    paid = line.external.minor + line.restored[line.external.unit].minor
    return min(paid, capped(floor_percent(fee.percent, paid) + minor(fee.fixed), fee.at_most))


def bonuses_by_rule(
    policy: RefundPolicy, request: ReturnRequest, ways: Mapping[str, str], *, fees: bool = True
) -> dict[str, tuple[int, list[str]]]:
    """By rule, the bonus that it allows on what becomes credit, and the lines it is for."""
    credited: Counter[str] = Counter()
    rules: dict[str, RefundRule] = {}
    lines: dict[str, list[str]] = {}
    for line in request.lines:
        rule = decider(policy, request, line, "bonus")
        if rule is not None and ways.get(line.id) == "credit":
            fee = fee_on(policy, request, line, "credit") if fees else 0
            left = max(0, line.external.minor - fee)
            if left:
                rules[rule.id] = rule
                credited[rule.id] += left
                lines.setdefault(rule.id, []).append(line.id)
    found = {}
    for name, amount in credited.items():
        bonus = rules[name].bonus
        assert bonus is not None
        whole = floor_percent(bonus.percent, amount) + min(amount, minor(bonus.fixed))
        found[name] = capped(whole, bonus.at_most), lines[name]
    return found


# --- The two readings agree --------------------------------------------------------------------


@given(strange.refund_policies(limited=False), strange.return_requests())
def test_offers_are_what_a_second_reading_of_the_rules_finds(
    policy: RefundPolicy, request: ReturnRequest
) -> None:
    offers = made_of(policy).offers(request)
    ways = {line.id: ways_of(policy, request, line) for line in request.lines}
    kinds = list(dict.fromkeys(way for each in ways.values() for way in each))
    assert [offer.kind.value for offer in offers.offers] == kinds
    for offer in offers.offers:
        expected = {
            line: offer.kind.value if offer.kind in each else each[0]
            for line, each in ways.items()
            if each
        }
        assert {line.line: line.kind.value for line in offer.lines} == expected
        check_amounts(policy, request, offer)
    for reasons in offers.reasons:
        line = request.line(reasons.line)
        rules = [*policy.rules, *policy.cash_rights]
        assert {each.rule for each in reasons.fired} == {
            rule.id for rule in rules if may_decide(policy, rule, request, line)
        }
        assert len(reasons.fired) + len(reasons.passed) == len(rules)
        assert (reasons.refused is None) is bool(ways[line.id])


def may_decide(policy: RefundPolicy, rule: Any, request: ReturnRequest, line: ReturnLine) -> bool:
    unit: Unit | None = getattr(rule, "unit", None)
    return unit in (None, request.unit) and holds(rule.when, request, line)


def check_amounts(policy: RefundPolicy, request: ReturnRequest, offer: Offer) -> None:
    ways = {line.line: line.kind.value for line in offer.lines}
    for line in offer.lines:
        asked = request.line(line.line)
        fee = fee_on(policy, request, asked, line.kind)
        rest = max(0, asked.external.minor - fee)
        assert line.fee.minor == fee
        assert {
            "money": line.tenders.minor,
            "credit": line.credit.minor,
            "exchange": line.exchange.minor,
        } == {**dict.fromkeys(OfferKind, 0), line.kind.value: rest}
        kept_of_credit = Money.of_minor(max(0, fee - asked.external.minor), request.unit)
        assert line.restored == asked.restored - kept_of_credit
    shares = {line.line: line.bonus.minor for line in offer.lines}
    given = bonuses_by_rule(policy, request, ways)
    for bonus, lines in given.values():
        assert sum(shares[line] for line in lines) == bonus
    named = {line for _, lines in given.values() for line in lines}
    assert all(shares[line] == 0 for line in shares.keys() - named)


def made_of(policy: RefundPolicy) -> Policy:
    return Policy(name="strange", version="2026-01", refund=policy)


# --- Whatever is chosen ------------------------------------------------------------------------


@st.composite
def situations(draw: st.DrawFn) -> tuple[Policy, ReturnRequest, tuple[Tally, ...], str | None]:
    policy = draw(strange.policies())
    assert policy.refund is not None
    tallies = draw(strange.tallies(policy.refund))
    agent = draw(st.none() | st.sampled_from(strange.AGENTS))
    return policy, draw(strange.return_requests()), tallies, agent


@st.composite
def choices(draw: st.DrawFn, offers: Offers) -> RefundDecision | None:
    """Some decision: an offer, a way for each line, or one against the rules."""
    stranger = offers.standing.agent is None and offers.standing.binds_agents
    if draw(st.integers(0, 2)) == 0 and not stranger:
        way = draw(st.sampled_from(OfferKind))
        lines = [line.id for line in offers.request.lines]
        named = draw(st.none() | st.lists(st.sampled_from(lines), min_size=1, unique=True))
        try:
            return offers.override(
                way,
                actor=offers.standing.agent or "kim",
                reason="it was ours to mend",
                waive_fee=draw(st.booleans()),
                lines=named,
                consent=True,
            )
        except NotOffered:  # credit for what is no goods
            return None
    if not offers.kinds:
        return None
    ways = {
        terms.line.id: draw(st.sampled_from(terms.offer)) for terms in offers.terms if terms.offer
    }
    some = draw(st.sets(st.sampled_from(sorted(ways)))) if ways else set()
    return offers.choose(
        draw(st.none() | st.sampled_from(offers.kinds)),
        by_line={line: ways[line] for line in some},
        consent=True,
    )


@given(situations(), st.data())
def test_no_decision_gives_more_than_was_paid_and_the_bonus_that_its_rules_allow(
    situation: tuple[Policy, ReturnRequest, tuple[Tally, ...], str | None], data: st.DataObject
) -> None:
    policy, request, tallies, agent = situation
    decision = data.draw(choices(policy.offers(request, tallies=tallies, agent=agent)))
    assume(decision is not None)
    assert decision is not None
    assert policy.refund is not None
    names = [line.line for line in decision.offer.lines]
    assert len(names) == len(set(names))  # no line goes back twice
    for line in decision.offer.lines:
        check_conserved(request.line(line.line), line)
    ways = {line.line: line.kind.value for line in decision.offer.lines}
    # A fee that is waived leaves more that earns a bonus.
    fees = decision.override is None
    allowed = bonuses_by_rule(policy.refund, request, ways, fees=fees)
    assert decision.offer.bonus.minor <= sum(amount for amount, _ in allowed.values())
    external = sum(line.external.minor for line in request.lines)
    restored = request.lines[0].external.unit
    back = decision.offer.tenders + decision.offer.credit + decision.offer.exchange
    assert back.minor <= external
    paid = sum((line.restored[restored].minor for line in request.lines), external)
    assert back.minor + decision.offer.restored[restored].minor <= paid
    check_lots(decision)


def check_conserved(asked: ReturnLine, line: LineOffer) -> None:
    unit = asked.external.unit
    restored_less = asked.restored - line.restored
    assert {amount.unit for amount in restored_less} <= {unit}
    amounts = [line.tenders, line.credit, line.exchange, line.fee, line.bonus]
    assert not any(amount.is_negative for amount in [*amounts, *restored_less])
    assert asked.external + restored_less[unit] == (
        line.tenders + line.credit + line.exchange + line.fee
    )
    assert line.bonus.is_zero or line.credit.is_positive
    if not asked.is_goods:
        assert line.kind is OfferKind.MONEY


def check_lots(decision: RefundDecision) -> None:
    """A bonus is promotional, all of it; nothing else is; and nothing else becomes a lot."""
    totals: Counter[Funding] = Counter()
    for lot in decision.lots:
        assert lot.amount.is_positive
        totals[lot.funding] += lot.amount.minor
    found = Counter(
        {
            Funding.REFUND: decision.offer.credit.minor,
            Funding.PROMOTIONAL: decision.offer.bonus.minor,
        }
    )
    assert +totals == +found


@given(situations(), st.data())
def test_the_same_request_gives_the_same_decision_and_is_read_back_exactly(
    situation: tuple[Policy, ReturnRequest, tuple[Tally, ...], str | None], data: st.DataObject
) -> None:
    policy, request, tallies, agent = situation
    offers = policy.offers(request, tallies=tallies, agent=agent)
    again = ReturnRequest.from_json(json.loads(json.dumps(request.to_json())))
    assert again == request
    same = pickle.loads(pickle.dumps(policy))
    assert same.offers(again, tallies=tallies[::-1], agent=agent) == offers
    decision = data.draw(choices(offers))
    if decision is not None:
        stored = json.dumps(decision.to_json())
        read = RefundDecision.from_json(json.loads(stored))
        assert read == decision
        assert json.dumps(read.to_json()) == stored
        assert read.lots == decision.lots


# --- Law ---------------------------------------------------------------------------------------


@given(strange.refund_policies(), strange.return_requests(), st.data())
def test_a_right_to_money_always_yields_money_whatever_rules_and_limits_there_are(
    policy: RefundPolicy, request: ReturnRequest, data: st.DataObject
) -> None:
    keeps_fee = data.draw(st.booleans())
    right = CashRight(id="the law", when=When(), source="an act", keeps_fee=keeps_fee)
    with_right = attrs.evolve(policy, cash_rights=(*policy.cash_rights, right))
    tallies = data.draw(strange.tallies(policy))
    offers = made_of(with_right).offers(request, tallies=tallies)
    decision = offers.choose("money")  # nobody has to agree to money
    assert {line.line for line in decision.offer.lines} == {line.id for line in request.lines}
    for line in decision.offer.lines:
        asked = request.line(line.line)
        assert line.kind is OfferKind.MONEY
        if any(not each.keeps_fee for each in rights_of(with_right, request, asked)):
            assert line.tenders == asked.external
            assert line.restored == asked.restored
    if OfferKind.CREDIT in offers.kinds:
        credit = offers.offer("credit")
        gives_up = any(
            request.line(line.line).external.is_positive
            for line in credit.lines
            if line.kind is OfferKind.CREDIT
        )
        assert bool(credit.consent) is gives_up
        if gives_up:
            with pytest.raises(ConsentMissing):
                offers.choose("credit")


@given(strange.refund_policies(rights=False), strange.return_requests(), st.data())
def test_a_right_never_takes_anything_away(
    policy: RefundPolicy, request: ReturnRequest, data: st.DataObject
) -> None:
    rights = [data.draw(strange.cash_rights(name=name)) for name in ("one", "two")]
    without = made_of(policy).offers(request)
    offers = made_of(attrs.evolve(policy, cash_rights=rights)).offers(request)
    for before, after in zip(without.terms, offers.terms, strict=True):
        assert after.offer[: len(before.offer)] == before.offer
    for kind in without.kinds:
        before, after = without.offer(kind), offers.offer(kind)
        for line in before.lines:
            (same,) = [each for each in after.lines if each.line == line.line]
            assert same.tenders >= line.tenders or same.kind is not line.kind
            assert same.credit == line.credit or same.kind is not line.kind


# --- Limits ------------------------------------------------------------------------------------


@given(situations())
def test_no_offer_goes_beyond_what_limits_leave_without_saying_so(
    situation: tuple[Policy, ReturnRequest, tuple[Tally, ...], str | None],
) -> None:
    policy, request, tallies, agent = situation
    assert policy.refund is not None
    by_limit = {tally.limit: tally for tally in tallies}
    for offer in policy.offers(request, tallies=tallies, agent=agent).offers:
        counted = {
            "refund": offer.tenders + offer.credit + offer.bonus + offer.restored[request.unit],
            "credit": offer.credit + offer.bonus,
            "bonus": offer.bonus,
        }
        for limit in policy.refund.limits:
            who = agent if limit.per is LimitPer.AGENT else request.holder
            before = by_limit.get(limit.id, Tally(limit=limit.id))
            used = counted[limit.on].minor
            no_more = limit.count is not None and before.count >= limit.count
            is_over = used > 0 and (
                no_more
                or (
                    is_in(limit.amount, request)
                    and minor(before.amount) + used > minor(limit.amount)
                )
            )
            note(f"{limit.id} {used} {is_over}")
            if limit.over is Over.APPROVE:
                assert (limit.id in offer.approval) is (is_over and who is not None)
            elif who is not None and limit.on is LimitOn.BONUS:
                assert not is_over
            elif who is not None:  # credit that is refused
                assert not is_over or offer.kind is not OfferKind.CREDIT


@given(
    st.tuples(strange.bonuses(), strange.bonuses()),
    strange.return_requests(),
    st.none() | strange.euros(),
    st.none() | st.integers(0, 3),
    st.builds(
        Tally, limit=st.just("cap"), amount=st.none() | strange.euros(), count=st.integers(0, 3)
    ),
)
def test_a_bonus_is_cut_to_exactly_what_the_limit_leaves(
    bonuses: tuple[Bonus, Bonus],
    request: ReturnRequest,
    amount: Money | None,
    count: int | None,
    before: Tally,
) -> None:
    assume(amount is not None or count is not None)
    rules = [
        RefundRule(id="gold", when=When(reasons=["damaged"]), bonus=bonuses[0]),
        RefundRule(id="usual", offer=[OfferKind.CREDIT], bonus=bonuses[1]),
    ]
    # A limit on bonuses where no rule gives any is refused.
    assume(any(gives_bonus(rule) for rule in rules))
    cap = Limit(id="cap", per="holder", on="bonus", over="cut", amount=amount, count=count)
    policy = RefundPolicy(rules=rules, limits=[cap])
    request = attrs.evolve(request, holder="c-17")
    offers = made_of(policy).offers(request, tallies=[before])
    assume(OfferKind.CREDIT in offers.kinds)
    offer = offers.offer("credit")
    ways = {line.line: line.kind.value for line in offer.lines}
    whole = left = sum(bonus for bonus, _ in bonuses_by_rule(policy, request, ways).values())
    if amount is not None:
        left = min(left, max(0, amount.minor - minor(before.amount)))
    if count is not None and before.count >= count:
        left = 0
    assert offer.bonus.minor == left
    assert offer.cut == (("cap",) if left < whole else ())


# --- Amounts -----------------------------------------------------------------------------------


@given(
    strange.refund_policies(amounts=False, limited=False),
    strange.return_requests(most=4),
    st.data(),
)
def test_a_request_in_parts_never_gets_more_bonus_than_the_whole(
    policy: RefundPolicy, request: ReturnRequest, data: st.DataObject
) -> None:
    first = data.draw(st.sets(st.sampled_from([line.id for line in request.lines])))
    parts = [
        attrs.evolve(request, lines=lines)
        for lines in (
            [line for line in request.lines if line.id in first],
            [line for line in request.lines if line.id not in first],
        )
        if lines
    ]
    in_parts = sum(most_bonus(policy, part) for part in parts)
    assert in_parts <= most_bonus(policy, request)


def most_bonus(policy: RefundPolicy, request: ReturnRequest) -> int:
    offers = made_of(policy).offers(request)
    return offers.offer("credit").bonus.minor if OfferKind.CREDIT in offers.kinds else 0


@given(
    strange.bonuses(amounts=False),
    st.lists(strange.euros(most=10**9), min_size=1, max_size=6),
)
def test_a_percentage_of_parts_is_never_more_than_of_the_whole(
    bonus: Bonus, parts: list[Money]
) -> None:
    whole = bonus.on(Money.total(parts, strange.EUROS))
    assert Money.total([bonus.on(part) for part in parts], strange.EUROS) <= whole


@given(strange.bonuses(), strange.euros(most=10**9), strange.euros(most=10**6))
def test_a_bonus_grows_with_what_becomes_credit_and_has_an_end(
    bonus: Bonus, credited: Money, more: Money
) -> None:
    found = bonus.on(credited)
    assert found <= bonus.on(credited + more)
    # The percentage, and of a fixed amount no more than became credit: no cent earns a fortune.
    assert found.minor <= floor_percent(bonus.percent, credited.minor) + credited.minor


# --- Elsewhere ---------------------------------------------------------------------------------

DECIDE = """
import json, pickle, sys
found = []
for policy, request, tallies in pickle.load(sys.stdin.buffer):
    offers = policy.offers(request, tallies=tallies)
    found.append([offer.kind for offer in offers.offers])
    found += [offers.choose(offer.kind, consent=True).to_json() for offer in offers.offers]
print(json.dumps(found))
"""


@settings(max_examples=1)
@given(st.lists(situations(), min_size=15, max_size=25))
def test_other_processes_with_other_hash_seeds_decide_the_same(
    found: list[tuple[Policy, ReturnRequest, tuple[Tally, ...], str | None]],
) -> None:
    sent = pickle.dumps([(policy, request, tallies) for policy, request, tallies, _ in found])
    answers = {
        subprocess.run(
            [sys.executable, "-c", DECIDE],
            input=sent,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        ).stdout
        for seed in ("1", "4242")
    }
    (answer,) = answers
    expected: list[Any] = []
    for policy, request, tallies, _ in found:
        offers = policy.offers(request, tallies=tallies)
        expected.append([offer.kind.value for offer in offers.offers])
        expected += [offers.choose(offer.kind, consent=True).to_json() for offer in offers.offers]
    assert json.loads(answer) == expected
