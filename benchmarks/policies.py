"""
What it costs to decide a return by a policy, beside the memory floor of `floors.py`.

    python benchmarks/policies.py [--json] [--smoke] [--only SECTION,...] [--repeats N]

Sections: decisions, shown, growth. Deciding is pure: nothing is loaded or stored while anything is
timed. A decision is the offers for a request and the choice of one; `shown` computes all offers as
well, as for a page that the customer chooses on. The floor says how fast the machine is just then.
The aim was set where it does 330,000 redeems a second, and grows and shrinks with it: a ratio of 1
is an aim that is reached, whatever the machine. Growth is set against a cost in proportion to the
rules, or to the lines: 1 is linear, less is better. Every figure is a median of at least five
repeats, and a ratio is the median of the ratios of turns, in which both sides are measured one
after the other. Progress goes to stderr. The exit status says whether the benchmark ran, never how
fast it was.
"""

import argparse
import gc
import json
import platform
import random
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import attrs
import floors
from ledger import Figure, per_second, progress, ratio_of, table

from storecredit import Money
from storecredit.policies import (
    Bonus,
    CashRight,
    CreditTerms,
    Fee,
    Policy,
    RefundPolicy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    When,
)
from storecredit.values import Period

NOW = datetime(2026, 3, 2, tzinfo=UTC)
AIMED_AT = 330_000
"""Redeems a second of the floor where the aim was set."""
REASONS = ("damaged", "late", "wrong item", "changed mind")
SEED = 20260302


@attrs.frozen(kw_only=True)
class Size:
    """A policy, and a request that it decides."""

    rules: int
    lines: int
    aim: int | None = None
    """Decisions a second, where the floor does `AIMED_AT`."""
    in_turn: int
    """Decisions in one turn."""

    @property
    def name(self) -> str:
        lines = "1 line" if self.lines == 1 else f"{self.lines} lines"
        return f"{self.rules} rules, {lines}"


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything; `--smoke` only asks whether it runs."""

    floor: int = 30_000
    """Redeems of the floor in one turn."""
    decisions: tuple[Size, ...] = (
        Size(rules=5, lines=1, aim=10_000, in_turn=2_000),
        Size(rules=5, lines=50, in_turn=100),
        Size(rules=50, lines=1, in_turn=1_000),
        Size(rules=50, lines=50, in_turn=50),
        Size(rules=500, lines=1, in_turn=150),
        Size(rules=500, lines=50, in_turn=8),
    )


SMOKE = Sizes(
    floor=500,
    decisions=(
        Size(rules=5, lines=1, aim=10_000, in_turn=3),
        Size(rules=5, lines=4, in_turn=2),
        Size(rules=20, lines=1, in_turn=2),
        Size(rules=20, lines=4, in_turn=1),
    ),
)


@attrs.frozen(kw_only=True)
class Bench:
    """What every section needs to know."""

    sizes: Sizes
    repeats: int

    def in_turns(self, *measures: Callable[[], float]) -> tuple[list[float], ...]:
        """Run the *measures* one after the other, again and again; return what each gave."""
        found = tuple(list[float]() for _ in measures)
        for _ in range(self.repeats):
            for measure, values in zip(measures, found, strict=True):
                gc.collect()
                values.append(measure())
        return found

    def floor(self) -> float:
        """Return redeems per second of the memory floor, just now."""
        return floors.in_memory(self.sizes.floor)


def usd(minor: int) -> Money:
    """So many cents."""
    return Money.of_minor(minor, "USD")


# Policies and requests


def policy_of(rules: int) -> Policy:
    """
    Return a policy with so many rules, of which most are exceptions for one category of goods.

    The first four and the last are what shops begin with: no receipt, final sale, late returns,
    damaged goods, and a standard with a bonus. A right to money is beside them.
    """
    chance = random.Random(SEED + rules)
    standard = RefundRule(
        id="standard",
        offer=["credit", "money"],
        bonus=Bonus(percent=10, at_most=usd(2_000)),
        fee=Fee(percent=15, at_most=usd(1_000), on=["money"]),
        credit=CreditTerms(expires=Period(months=24), bonus_expires=Period(months=6)),
    )
    begun = [
        RefundRule(id="no receipt", when=When(receipt=False), offer=["credit"]),
        RefundRule(id="final sale", when=When(final_sale=True), offer=[]),
        RefundRule(
            id="late",
            when=When(after=Period(days=90), since="purchase"),
            offer=["credit"],
            bonus=Bonus(),
        ),
        RefundRule(id="damaged", when=When(reasons=["damaged"]), offer=["money", "credit"]),
    ]
    exceptions = [
        RefundRule(
            id=f"exception {number}",
            when=When(
                categories=[f"c{number}"],
                reasons=[chance.choice(REASONS)] if chance.random() < 0.5 else None,
                within=Period(days=14 + number % 60) if chance.random() < 0.5 else None,
                since="purchase",
                at_least=usd(chance.randrange(100, 5_000)) if chance.random() < 0.3 else None,
            ),
            bonus=Bonus(percent=number % 20),
            goods="keep" if chance.random() < 0.1 else None,
        )
        for number in range(rules - len(begun) - 1)
    ]
    right = CashRight(
        id="withdrawal",
        when=When(jurisdictions=["DE"], within=Period(days=14)),
        source="Directive 2011/83/EU, article 9",
    )
    refund = RefundPolicy(rules=[*begun, *exceptions, standard], cash_rights=[right])
    return Policy(name="benchmark", version="1", refund=refund)


def request_of(lines: int, rules: int) -> ReturnRequest:
    """Return a request of goods for 1.00 to 100.00, in the categories that the policy knows."""
    chance = random.Random(SEED + lines)
    return ReturnRequest(
        id="r-1",
        merchant="benchmark",
        at=NOW,
        purchased_at=NOW - timedelta(days=20),
        delivered_at=NOW - timedelta(days=17),
        holder="c-17",
        jurisdiction="US",
        lines=[
            ReturnLine(
                id=str(number),
                external=usd(chance.randrange(100, 10_001)),
                restored=usd(chance.randrange(0, 500)),
                category=f"c{chance.randrange(rules)}",
                reason=REASONS[1 + number % 3],
            )
            for number in range(lines)
        ],
    )


def decider(size: Size, *, shown: bool) -> Callable[[int], object]:
    """Return what decides a request of that *size*, all offers *shown* or only one chosen."""
    policy, request = policy_of(size.rules), request_of(size.lines, size.rules)

    def decide(_: int) -> object:
        offers = policy.offers(request)
        if shown and len(offers.offers) != 2:
            raise AssertionError(size)
        return offers.choose("credit")

    decision = policy.offers(request).choose("credit")
    if len(decision.offer.lines) != size.lines or not decision.offer.bonus.is_positive:
        raise AssertionError(size)
    return decide


# Sections


def decisions(bench: Bench) -> Iterator[Figure]:
    """Decisions per second, each size in turns of its own with the floor."""
    figures: list[Figure] = []
    floors_: list[float] = []
    for size in bench.sizes.decisions:
        with progress(f"decisions: {size.name}"):
            measure = partial(per_second, decider(size, shown=False), size.in_turn)
            least, speeds = bench.in_turns(bench.floor, measure)
        floors_ += least
        ratio, aim = None, ""
        if size.aim is not None:
            ratio = ratio_of(speeds, [size.aim * floor / AIMED_AT for floor in least])
            aim = f">= 1 ({size.aim:,}/s)"
        median = statistics.median(speeds)
        figures.append(Figure("decisions", size.name, median, "decisions/s", ratio, aim))
    yield Figure("decisions", "floor", statistics.median(floors_), "redeems/s")
    yield from figures


def shown(bench: Bench) -> Iterator[Figure]:
    """Decisions per second with every offer computed."""
    sizes = bench.sizes.decisions
    with progress("decisions with all offers"):
        found = bench.in_turns(
            *(partial(per_second, decider(size, shown=True), size.in_turn) for size in sizes)
        )
    for size, speeds in zip(sizes, found, strict=True):
        yield Figure("shown", size.name, statistics.median(speeds), "decisions/s")


def growth(bench: Bench) -> Iterator[Figure]:
    """The cost of a decision against one in proportion to the rules, and to the lines."""
    sizes = bench.sizes.decisions

    def cost(decide: Callable[[int], object], times: int) -> float:
        return 1e6 / per_second(decide, times)

    with progress("growth with the rules and the lines"):
        turns = bench.in_turns(
            *(partial(cost, decider(size, shown=False), size.in_turn) for size in sizes)
        )
    costs = dict(zip(((size.rules, size.lines) for size in sizes), turns, strict=True))
    least_rules, least_lines = sizes[0].rules, sizes[0].lines
    for size in sizes:
        found = costs[size.rules, size.lines]
        for what, base, times in (
            ("with the rules", (least_rules, size.lines), size.rules / least_rules),
            ("with the lines", (size.rules, least_lines), size.lines / least_lines),
        ):
            if times > 1:
                linear = [first * times for first in costs[base]]
                ratio = ratio_of(found, linear)
                name = f"{size.name}, {what}"
                yield Figure("growth", name, statistics.median(found), "µs", ratio, "<= 1 (linear)")


SECTIONS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "decisions": decisions,
    "shown": shown,
    "growth": growth,
}


def main() -> None:
    """Measure, and print the figures."""
    arguments = argparse.ArgumentParser(description="What deciding costs, beside the floor.")
    arguments.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments.add_argument("--smoke", action="store_true", help="tiny sizes: does it run at all?")
    arguments.add_argument("--only", default=",".join(SECTIONS), help=f"of {','.join(SECTIONS)}")
    arguments.add_argument("--repeats", type=int, default=5, help="turns of each figure, 5 or more")
    given = arguments.parse_args()
    names = given.only.split(",")
    if unknown := set(names) - SECTIONS.keys():
        arguments.error(f"no section {sorted(unknown)[0]!r}; there are {', '.join(SECTIONS)}")
    if given.repeats < 5:
        arguments.error("a median needs at least five repeats")
    bench = Bench(sizes=SMOKE if given.smoke else Sizes(), repeats=given.repeats)
    figures = [figure for name in names for figure in SECTIONS[name](bench)]
    print(json.dumps(report(bench, figures), indent=2) if given.json else table(figures))


def report(bench: Bench, figures: list[Figure]) -> dict[str, Any]:
    """Return everything as JSON data."""
    return {
        "python": platform.python_version(),
        "machine": platform.platform(),
        "repeats": bench.repeats,
        "aims_set_at": AIMED_AT,
        "sizes": attrs.asdict(bench.sizes),
        "figures": [attrs.asdict(figure) for figure in figures],
    }


if __name__ == "__main__":
    main()
