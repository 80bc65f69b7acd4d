"""Laws of payment plans: exact sums, caps, and a placement that no other one beats (T1 to T4)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import product

import attrs
from hypothesis import given
from hypothesis import strategies as st

from storecredit.ledger import Funding, Limits, Lot, LotId, Terms
from storecredit.tenders import (
    Aim,
    AlreadyPaid,
    Choosing,
    Coupon,
    Credit,
    CreditRule,
    External,
    LineKind,
    Order,
    OrderLine,
    PaymentPlan,
    plan_payment,
)
from storecredit.tenders._capped_flow import CappedFlow
from storecredit.testing.tender_strategies import (
    ACME,
    NOW,
    account_with,
    usd,
    worlds,
)
from storecredit.testing.tender_strategies import DOLLARS as USD
from storecredit.testing.tender_strategies import POINTS as PTS
from storecredit.values import Balance, Money, Unit


def simple_lot(free: int, limits: Limits | None = None, **terms: object) -> Lot:
    granted = Terms(funding=Funding.REFUND, effective_at=NOW, limits=limits)
    return Lot(LotId(""), 1, NOW, attrs.evolve(granted, **terms), None, free, free)


# --- Whole worlds -----------------------------------------------------------------------


def planned(world: dict[str, object]) -> PaymentPlan:
    return plan_payment(**world)


@given(worlds())
def test_per_line_and_unit_what_is_paid_and_what_is_short_sum_to_what_is_due(
    world: dict[str, object],
) -> None:
    plan = planned(world)
    covered: Counter[tuple[str, Unit]] = Counter()
    for part in plan.parts:
        assert not part.amount.is_negative
        assert part.covers.is_positive
        covered[part.line, part.covers.unit] += part.covers.minor
    for each in plan.short:
        covered[each.line, each.amount.unit] += each.amount.minor
    due = Counter(
        {(line.id, amount.unit): amount.minor for line in plan.lines for amount in line.due}
    )
    assert covered == due
    for line in plan.lines:
        off = Balance.of(*line.discounted, *line.reduced)
        assert Balance.of(*line.price) == Balance.of(*line.due) + off
    assert plan.is_complete is plan.shortage.is_zero


@given(worlds())
def test_no_lot_gives_more_than_it_has_or_what_it_may_not(world: dict[str, object]) -> None:
    plan = planned(world)
    lines = {line.id: line for line in plan.lines}
    for tender in world["tenders"]:
        parts = [p for p in (*plan.reductions, *plan.parts) if p.tender == tender.id]
        if isinstance(tender, Credit):
            for lot_id, held in tender.account.lots.items():
                given_by = [part for part in parts if part.lot == lot_id]
                assert sum(part.amount.minor for part in given_by) <= held.free
                limits = held.terms.limits
                for part in given_by:
                    assert held.is_live(NOW)
                    assert lines[part.line].kind is not LineKind.GIFT_CARD
                    if limits is not None and limits.categories:
                        assert lines[part.line].category in limits.categories
                    if limits is not None and limits.lines:
                        assert part.line in limits.lines
            if tender.up_to is not None:
                assert plan.taken(tender.id)[tender.up_to.unit] <= tender.up_to
        elif isinstance(tender, Coupon):
            assert plan.taken(tender.id)["USD"] <= tender.amount
        elif isinstance(tender, AlreadyPaid):
            over = Balance.of(*plan.overpaid)["USD"]
            assert plan.taken(tender.id)["USD"] + over == tender.amount
        else:
            charges = Balance.of(*(c.amount for c in plan.charges if c.tender == tender.id))
            assert plan.taken(tender.id) == charges
            for least in tender.minimum:
                assert charges[least.unit].is_zero or charges[least.unit] >= least
            for most in tender.at_most:
                assert charges[most.unit] <= most


@given(worlds())
def test_the_rules_about_credit_hold(world: dict[str, object]) -> None:
    plan = planned(world)
    wallets = [tender for tender in world["tenders"] if isinstance(tender, Credit)]
    for rule in world["rules"]:
        ids = [tender.id for tender in wallets if tender.account.unit == rule.unit]
        taken = [plan.taken(tender)[rule.unit] for tender in ids]
        if rule.at_most is not None:
            assert Money.total(taken, rule.unit) <= rule.at_most
        for amount in taken:
            assert amount.minor % rule.step == 0
        for part in plan.parts:
            if part.tender in ids:
                assert next(line.kind for line in plan.lines if line.id == part.line) in rule.kinds
        if rule.share_percent is not None and rule.unit == USD:
            within = sum(
                Balance.of(*line.due, *line.reduced)["USD"].minor
                for line in plan.lines
                if line.kind in rule.kinds
            )
            assert sum(amount.minor for amount in taken) <= within * rule.share_percent // 100


@given(worlds())
def test_points_count_once_for_all_that_they_pay_at_a_frozen_rate(
    world: dict[str, object],
) -> None:
    plan = planned(world)
    for tender in world["tenders"]:
        if isinstance(tender, Credit) and tender.rate is not None:
            parts = [
                part
                for part in plan.parts
                if part.tender == tender.id and part.covers.unit != part.amount.unit
            ]
            points = sum(part.amount.minor for part in parts)
            covers = sum(part.covers.minor for part in parts)
            assert tender.rate.worth(points) == covers


@given(worlds())
def test_a_plan_reads_back_from_its_json_form_and_is_the_same_each_time(
    world: dict[str, object],
) -> None:
    plan = planned(world)
    assert PaymentPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert planned(world) == plan
    assert all(reason.words for reason in plan.reasons)


@given(worlds())
def test_a_plan_with_settled_reductions_reduces_by_those_and_no_others(
    world: dict[str, object],
) -> None:
    plan = planned(world)
    chosen = {line.id: line.chosen for line in plan.lines}
    if plan.reductions:
        again = planned({**world, "prices": chosen, "reductions": plan.reductions})
        assert again.reductions == plan.reductions
        assert [line.due for line in again.lines] == [line.due for line in plan.lines]


# --- The aims ---------------------------------------------------------------------------


def reached(plan: PaymentPlan, world: dict[str, object], aim: Aim) -> tuple[object, ...]:
    """What the aim keeps small, worked out from the plan itself."""
    units = list(
        dict.fromkeys(
            amount.unit
            for line in world["order"].lines
            for price in line.prices
            for amount in price.amounts
        )
    )
    taken = Balance.of()
    spent = list(units)
    for tender in world["tenders"]:
        if isinstance(tender, Credit):
            taken += plan.taken(tender.id)
            spent.append(tender.account.unit)
    spent = list(dict.fromkeys(spent))
    short = [plan.shortage[unit].minor for unit in units]
    outside = [plan.external[unit].minor for unit in units]
    credit = [-taken[unit].minor for unit in spent if unit == USD]
    points = [taken[unit].minor for unit in spent if unit == PTS]
    wishes = {
        Aim.MOST_CREDIT: (credit, outside, points),
        Aim.FEWEST_POINTS: (points, credit, outside),
        Aim.LEAST_EXTERNAL: (outside, points, credit),
    }[aim]
    return (sum(map(bool, short)), short, *wishes)


@given(worlds(), st.sampled_from(Aim))
def test_no_other_choice_of_prices_reaches_an_aim_better(
    world: dict[str, object], aim: Aim
) -> None:
    plan = planned({**world, "prices": aim})
    lines = world["order"].lines
    every = product(*(range(len(line.prices)) for line in lines))
    others = []
    for chosen in every:
        by_line = {line.id: price for line, price in zip(lines, chosen, strict=True)}
        others.append(reached(planned({**world, "prices": by_line}), world, aim))
    assert reached(plan, world, aim) == min(others)
    several = any(len(line.prices) > 1 for line in lines)
    assert plan.choosing is (Choosing.EXACT if several else Choosing.AS_ASKED)


# --- No other placement covers more -----------------------------------------------------


def placements(
    found: list[tuple[int, frozenset[int]]], left: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    """Every way in which the sources can give, as the amount of each."""
    if not found:
        yield ()
        return
    (most, allowed), *others = found
    shares = [range(due + 1) if n in allowed else (0,) for n, due in enumerate(left)]
    for parts in product(*shares):
        if sum(parts) <= most:
            after = tuple(due - part for due, part in zip(left, parts, strict=True))
            for more in placements(others, after):
                yield (sum(parts), *more)


@st.composite
def capped_wallets(draw: st.DrawFn) -> tuple[Order, list[Credit], list[CreditRule]]:
    lines = [
        OrderLine(str(number), usd(draw(st.integers(0, 3))), category=str(number))
        for number in range(draw(st.integers(1, 3)))
    ]
    wallets = []
    for wallet in range(draw(st.integers(1, 3))):
        held = [
            simple_lot(
                draw(st.integers(1, 3)),
                draw(
                    st.none()
                    | st.sets(st.sampled_from("012"), min_size=1).map(
                        lambda names: Limits(categories=sorted(names))
                    )
                ),
            )
            for _ in range(draw(st.integers(1, 2)))
        ]
        most = draw(st.none() | st.integers(0, 3))
        wallets.append(
            Credit(
                f"t{wallet}",
                account_with(USD, held, wallet=wallet),
                up_to=None if most is None else usd(most),
            )
        )
    cap = draw(st.none() | st.integers(0, 5))
    rules = [] if cap is None else [CreditRule("USD", at_most=usd(cap))]
    return Order("o-1", lines), wallets, rules


def may_pay(lot: Lot, order: Order) -> frozenset[int]:
    limits = lot.terms.limits
    return frozenset(
        number
        for number, line in enumerate(order.lines)
        if limits is None or line.category in limits.categories
    )


@given(capped_wallets())
def test_no_placement_covers_more_and_among_the_best_the_order_of_use_decides(
    world: tuple[Order, list[Credit], list[CreditRule]],
) -> None:
    order, wallets, rules = world
    plan = plan_payment(order, [*wallets, External("card")], merchant=ACME, at=NOW, rules=rules)
    found, caps = [], []
    for tender in wallets:
        in_order = ACME.order.sorted(tender.account.lots.values())
        found += [(tender, lot) for lot in in_order]
        if tender.up_to is not None:
            caps.append(({lot.id for lot in in_order}, tender.up_to.minor))
    if rules:
        caps.append(({lot.id for _, lot in found}, rules[0].at_most.minor))
    due = tuple(line.prices[0].amounts[0].minor for line in order.lines)
    every = placements([(lot.free, may_pay(lot, order)) for _, lot in found], due)
    allowed = [
        gifts
        for gifts in set(every)
        if all(
            sum(gift for gift, (_, lot) in zip(gifts, found, strict=True) if lot.id in ids) <= most
            for ids, most in caps
        )
    ]
    most = max(map(sum, allowed))
    best = max(gifts for gifts in allowed if sum(gifts) == most)
    taken: Counter[str] = Counter()
    for part in plan.parts:
        if part.lot is not None:
            taken[part.lot] += part.amount.minor
    assert tuple(taken[lot.id] for _, lot in found) == best
    assert plan.external["USD"] == usd(sum(due) - most)
    assert most >= greedy(found, due, order, caps)


def greedy(
    found: list[tuple[Credit, Lot]],
    due: tuple[int, ...],
    order: Order,
    caps: list[tuple[set[LotId], int]],
) -> int:
    """What a till would place that fills line after line, lot after lot."""
    left, taken = list(due), Counter[LotId]()
    for _, lot in found:
        rooms = [most - sum(taken[each] for each in ids) for ids, most in caps if lot.id in ids]
        most = min([lot.free, *rooms])
        for number in sorted(may_pay(lot, order)):
            gift = min(most, left[number])
            left[number] -= gift
            taken[lot.id] += gift
            most -= gift
    return sum(taken.values())


@given(st.data())
def test_caps_within_caps_keep_no_line_unpaid_that_another_use_of_them_would_pay(
    data: st.DataObject,
) -> None:
    lines, sources = data.draw(st.integers(1, 3)), data.draw(st.integers(2, 4))
    due = data.draw(st.lists(st.integers(0, 2), min_size=lines, max_size=lines))
    caps = data.draw(st.lists(st.integers(0, 3), min_size=3, max_size=3))
    under = st.sampled_from([(), (0, 2), (1, 2), (2,)])
    some = st.sets(st.integers(0, lines - 1)).map(sorted)
    drawn = [
        (data.draw(some), data.draw(st.integers(0, 2)), data.draw(under)) for _ in range(sources)
    ]
    flow = CappedFlow(due, caps)
    for allowed, most, below in drawn:
        flow.send(allowed, most, under=below)
    flow.settle()
    paid = tuple(flow.total(number) for number in range(sources))
    every = [
        gifts
        for gifts in set(
            placements([(most, frozenset(allowed)) for allowed, most, _ in drawn], tuple(due))
        )
        if all(
            sum(g for g, (_, _, below) in zip(gifts, drawn, strict=True) if cap in below) <= room
            for cap, room in enumerate(caps)
        )
    ]
    most = max(map(sum, every))
    assert paid == max(gifts for gifts in every if sum(gifts) == most)
    for number, left in enumerate(flow.left):
        assert left == due[number] - sum(each.get(number, 0) for each in flow.paid)
