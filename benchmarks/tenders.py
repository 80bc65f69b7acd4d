"""
What planning a payment and a refund costs, beside the memory floor of `floors.py`.

    python benchmarks/tenders.py [--json] [--smoke] [--only SECTION,...] [--repeats N]

Sections: plans, growth, refunds. Planning is pure: no storage is read while anything is timed. The
floor says how fast the machine is just then. The aims were set where it does 330,000 redeems a
second, and grow and shrink with it: a ratio of 1 is an aim that is reached, whatever the machine.
Every figure is a median of at least five repeats, and a ratio is the median of the ratios of turns,
in which both sides are measured one after the other. Progress goes to stderr. The exit status says
whether the benchmark ran, never how fast it was.
"""

import argparse
import gc
import json
import platform
import random
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import attrs
import floors
from ledger import Figure, per_second, progress, ratio_of, table

from storecredit import Limits, Money, StoreCredit
from storecredit.ledger import Account
from storecredit.storage import MemoryStorage
from storecredit.tenders import (
    Credit,
    External,
    Order,
    OrderLine,
    Payment,
    PaymentPlan,
    RefundRequest,
    RefundRules,
    Tender,
    plan_payment,
    plan_refund,
)
from storecredit.values import Rounding

NOW = datetime(2026, 3, 2, tzinfo=UTC)
AIMED_AT = 330_000
"""Redeems a second of the floor where the aims were set."""
CATEGORIES = 20
SEED = 20260302


@attrs.frozen(kw_only=True)
class Size:
    """One order, and what there is to pay it with."""

    lines: int
    lots: int
    is_limited: bool = False
    aim: int | None = None
    """Plans a second, where the floor does `AIMED_AT`."""
    in_turn: int
    """Plans in one turn."""

    @property
    def name(self) -> str:
        lines = "1 line" if self.lines == 1 else f"{self.lines:,} lines"
        limited = "limited " if self.is_limited else ""
        return f"{lines}, {self.lots:,} {limited}{'lot' if self.lots == 1 else 'lots'}"


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything; `--smoke` only asks whether it runs."""

    floor: int = 30_000
    """Redeems of the floor in one turn."""
    plans: tuple[Size, ...] = (
        Size(lines=1, lots=1, aim=10_000, in_turn=1_000),
        Size(lines=5, lots=5, aim=1_500, in_turn=500),
        Size(lines=50, lots=50, is_limited=True, aim=40, in_turn=60),
        Size(lines=500, lots=200, is_limited=True, aim=1, in_turn=3),
    )
    growth: tuple[Size, ...] = (
        Size(lines=5, lots=2, is_limited=True, in_turn=800),
        Size(lines=50, lots=20, is_limited=True, in_turn=150),
        Size(lines=500, lots=200, is_limited=True, in_turn=3),
    )
    refunded: tuple[int, ...] = (2, 29)
    """Tenders that have paid."""
    refunds: int = 500
    """Refund plans in one turn."""


SMOKE = Sizes(
    floor=500,
    plans=(
        Size(lines=1, lots=1, aim=10_000, in_turn=3),
        Size(lines=5, lots=5, aim=1_500, in_turn=2),
        Size(lines=10, lots=10, is_limited=True, aim=40, in_turn=1),
    ),
    growth=(
        Size(lines=5, lots=2, is_limited=True, in_turn=2),
        Size(lines=10, lots=4, is_limited=True, in_turn=2),
    ),
    refunds=2,
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


# Orders and what pays them


def order_of(lines: int) -> Order:
    """Return an order of goods for 1.00 to 100.00, in twenty categories, the last one shipping."""
    chance = random.Random(SEED)
    return Order(
        f"o-{lines}",
        [
            OrderLine(
                str(line),
                usd(chance.randrange(100, 10_001)),
                category=f"c{line % CATEGORIES}",
                kind="shipping" if 0 < line == lines - 1 else "goods",
                quantity=1 + line % 3,
            )
            for line in range(lines)
        ],
    )


def limits_of(order: Order, chance: random.Random) -> Limits:
    """Return limits to two neighbouring categories for half of the lots, to a run of lines else."""
    lines = order.lines
    if chance.random() < 0.5:
        first = chance.randrange(min(CATEGORIES, len(lines)))
        return Limits(categories=[f"c{first}", f"c{(first + 1) % CATEGORIES}"])
    many = max(len(lines) // 10, 2)
    first = chance.randrange(len(lines) - many + 1)
    return Limits(lines=[line.id for line in lines[first : first + many]])


def account_for(order: Order, lots: int, *, is_limited: bool) -> tuple[StoreCredit, Account]:
    """
    Return an account with lots for *order*, used in a mixed order.

    Unlimited lots are worth three quarters of the order. Limited ones are worth all of it, so that
    they compete for lines: to place later ones, earlier ones are moved elsewhere.
    """
    chance = random.Random(SEED + lots)
    credit = StoreCredit(MemoryStorage(), merchant="benchmark", clock=lambda: NOW)
    total = sum(line.prices[0].amounts[0].minor for line in order.lines)
    each = total // lots if is_limited else total * 3 // (4 * lots)
    for number in range(lots):
        credit.issue(
            "c-17",
            usd(each * chance.randrange(50, 151) // 100),
            funding="refund",
            priority=chance.randrange(10),
            limits=limits_of(order, chance) if is_limited else None,
            key=f"lot-{number}",
        )
    return credit, account_of(credit, "c-17")


def account_of(credit: StoreCredit, holder: str) -> Account:
    """Return the account as a checkout loads it."""
    with credit.storage.snapshot() as reader:
        account = reader.account("benchmark", holder, "USD")
    if account is None:
        raise AssertionError(holder)
    return account


def planner(size: Size) -> Callable[[int], PaymentPlan]:
    """Return what plans the payment of an order of that *size*, over credit and a card."""
    order = order_of(size.lines)
    credit, account = account_for(order, size.lots, is_limited=size.is_limited)
    tenders: list[Tender] = [Credit("credit", account), External("card", minimum=usd(50))]

    def plan(_: int) -> PaymentPlan:
        return plan_payment(order, tenders, merchant=credit.merchant, at=NOW)

    if not (plan(0).is_complete and len(plan(0).draws("credit"))):
        raise AssertionError(size)
    return plan


# Sections


def plans(bench: Bench) -> Iterator[Figure]:
    """Plans per second, by lines and lots, each size in turns of its own with the floor."""
    figures: list[Figure] = []
    floors_: list[float] = []
    for size in bench.sizes.plans:
        with progress(f"plans: {size.name}"):
            measure = partial(per_second, planner(size), size.in_turn)
            least, speeds = bench.in_turns(bench.floor, measure)
        floors_ += least
        ratio, aim = None, ""
        if size.aim is not None:
            ratio = ratio_of(speeds, [size.aim * floor / AIMED_AT for floor in least])
            aim = f">= 1 ({size.aim:,}/s)"
        median = statistics.median(speeds)
        figures.append(Figure("plans", size.name, median, "plans/s", ratio, aim))
    yield Figure("plans", "floor", statistics.median(floors_), "redeems/s")
    yield from figures


def growth(bench: Bench) -> Iterator[Figure]:
    """The cost of a plan against one that grows with the square of the lines."""
    sizes = bench.sizes.growth

    def cost(plan: Callable[[int], PaymentPlan], times: int) -> float:
        return 1e6 / per_second(plan, times)

    with progress("growth with the lines"):
        found = bench.in_turns(*(partial(cost, planner(size), size.in_turn) for size in sizes))
    for size, costs in zip(sizes, found, strict=True):
        square = (size.lines / sizes[0].lines) ** 2
        quadratic = [first * square for first in found[0]]
        aim = "<= 1 (quadratic)" if size is not sizes[0] else ""
        ratio = ratio_of(costs, quadratic)
        yield Figure("growth", size.name, statistics.median(costs), "µs", ratio, aim)


def refunder(tenders: int) -> Callable[[int], object]:
    """Return what plans a refund of a third of an order that so many tenders paid, card included."""
    order = order_of(5)
    total = sum(line.prices[0].amounts[0].minor for line in order.lines)
    credit = StoreCredit(MemoryStorage(), merchant="benchmark", clock=lambda: NOW)
    codes: list[Tender] = []
    for number in range(1, tenders):
        holder = f"code-{number}"
        credit.issue(holder, usd(total // tenders), funding="purchased", key="bought")
        codes.append(Credit(holder, account_of(credit, holder), kind="code"))
    plan = plan_payment(order, [*codes, External("card")], merchant=credit.merchant, at=NOW)
    payment = Payment.of(plan)
    request = RefundRequest.of_percent(payment, 33, rounding=Rounding.HALF_UP)
    rules = RefundRules(tenders="proportional")

    def refund(_: int) -> object:
        return plan_refund(payment, request, rules=rules)

    if len({part.tender for part in plan_refund(payment, request, rules=rules).parts}) != tenders:
        raise AssertionError(tenders)
    return refund


def refunds(bench: Bench) -> Iterator[Figure]:
    """Refund plans per second, by the number of tenders that paid."""
    many = bench.sizes.refunded
    with progress("refunds by tenders"):
        found = bench.in_turns(
            *(partial(per_second, refunder(each), bench.sizes.refunds) for each in many)
        )
    for tenders, speeds in zip(many, found, strict=True):
        yield Figure("refunds", f"{tenders} tenders", statistics.median(speeds), "plans/s")


SECTIONS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "plans": plans,
    "growth": growth,
    "refunds": refunds,
}


def main() -> None:
    """Measure, and print the figures."""
    arguments = argparse.ArgumentParser(description="What planning costs, beside the floor.")
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
