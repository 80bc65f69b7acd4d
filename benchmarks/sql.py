"""
What the ledger costs on a database server, in ratios against the floors of `sql_floors.py`.

    python benchmarks/sql.py [--url URL ...] [--json] [--smoke] [--only SECTION,...]
                             [--clients 1,2,4,8] [--repeats N] [--seconds S]

Sections: many (many accounts), hot (everybody spends from one account), history (a redeem by the
number of past entries). Each client is a process of its own with one connection. Floor and ledger
run in turns, and a ratio is the median of the ratios of those turns. Without --url, an embedded
PostgreSQL with its default, durable settings is started in a temporary folder. Tables are made in
the database of the URL, and dropped. The exit status says whether the benchmark ran, never how
fast it was.
"""

import argparse
import itertools
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import attrs
import sql_floors
from ledger import CENT, LOT, Figure, lengthen, past, progress, ratio_of, table
from sqlalchemy import URL, create_engine, make_url

from storecredit import StoreCredit
from storecredit.storage.sql import SQLStorage, create, tables

PREFIX = "benchmark_"
AIMS = {("many", 1): ">= 0.9", ("many", 8): ">= 0.75", ("hot", 1): "", ("hot", 8): ">= 0.8"}


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything; `--smoke` only asks whether it runs."""

    seconds: float = 2.0
    accounts: int = sql_floors.ACCOUNTS
    histories: tuple[int, ...] = (1, 1_000, 100_000, 1_000_000)
    in_turn: int = 200
    """Redeems from each account that is compared, in one turn."""


SMOKE = Sizes(seconds=0.05, accounts=20, histories=(1, 10, 50), in_turn=5)


# Clients


def client(url_text: str, number: int, accounts: int, orders: Connection) -> None:
    """
    Do what is ordered, in a process of its own: a task's name, hot or not, for how long, which turn.

    Each order is answered twice: ready, with everything connected and warm; and how many were
    done in time, after the word to go.
    """
    url = make_url(url_text)
    engine = create_engine(url)
    credit = StoreCredit(SQLStorage(engine, prefix=PREFIX), merchant="benchmark", attempts=50)
    issues = itertools.count()

    def issue(_: int, key: str) -> object:
        # Four lots for each of a row of new holders; a hot account gets them all.
        turn = next(issues)
        holder = round_ if hot else f"{round_}-{number}-{turn // 4}"
        return credit.issue(holder, CENT, funding="refund", key=key)

    spends: dict[str, Callable[[int, str], object]] = {
        "redeem": lambda account, key: credit.redeem(f"holder-{account}", CENT, key=key),
        "issue": issue,
    }
    names = (f"{time.time_ns()}-{number}-{turn}" for turn in itertools.count())
    while (order := orders.recv()) is not None:
        task, hot, seconds, round_ = order
        if task not in spends:
            spends[task] = sql_floors.floors_of(url)[task](url)
        spend, done = spends[task], 0
        for warm in range(8):
            spend(0 if hot else (number * 131 + warm * 7) % accounts, next(names))
        orders.send("ready")
        orders.recv()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            spend(0 if hot else (number * 131 + done * 7) % accounts, next(names))
            done += 1
        orders.send(done)
    engine.dispose()


@attrs.frozen
class Clients:
    """Processes that wait for orders."""

    pipes: list[Connection]
    rounds: Iterator[str] = attrs.field(
        factory=lambda: (f"new-{time.time_ns()}-{turn}" for turn in itertools.count())
    )
    """Names the accounts that a turn of issues opens."""

    def measure(self, task: str, count: int, *, hot: bool, seconds: float) -> float:
        """Let *count* clients do *task* at the same time, and return how many a second."""
        at_work, round_ = self.pipes[:count], next(self.rounds)
        for pipe in at_work:
            pipe.send((task, hot, seconds, round_))
        for pipe in at_work:
            pipe.recv()
        for pipe in at_work:
            pipe.send("go")
        return sum(pipe.recv() for pipe in at_work) / seconds


@contextmanager
def clients(url: URL, count: int, accounts: int) -> Iterator[Clients]:
    """Start *count* clients, and stop them afterwards."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    text = url.render_as_string(hide_password=False)
    for number in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=client, args=(text, number, accounts, theirs), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        yield Clients(pipes)
    finally:
        for pipe in pipes:
            pipe.send(None)
        for process in processes:
            process.join(10)


# Sections


@attrs.frozen(kw_only=True)
class Bench:
    """What every section needs to know."""

    url: URL
    sizes: Sizes
    repeats: int
    counts: tuple[int, ...]

    @property
    def engine_name(self) -> str:
        """What the figures are of."""
        return self.url.get_backend_name()

    def speeds(self, section: str) -> Iterator[Figure]:
        """Measure every task with every number of clients, floors and ledger in turns."""
        hot, name = section == "hot", self.engine_name
        floors = list(sql_floors.floors_of(self.url))
        tasks = [*floors, "redeem", "issue"]
        sql_floors.make_tables(self.url)
        with clients(self.url, max(self.counts), self.sizes.accounts) as started:
            for count in self.counts:
                found: dict[str, list[float]] = {task: [] for task in tasks}
                with progress(f"{name}: {section}, {count} clients"):
                    for _ in range(self.repeats):
                        for task in tasks:
                            speed = started.measure(
                                task, count, hot=hot, seconds=self.sizes.seconds
                            )
                            found[task].append(speed)
                yield from self._figures(section, count, floors, found)

    def _figures(
        self, section: str, count: int, floors: list[str], found: dict[str, list[float]]
    ) -> Iterator[Figure]:
        median = statistics.median
        title = f"{self.engine_name} {section} {count}"
        for floor in floors:
            yield Figure(title, floor, median(found[floor]), "redeems/s")
        for task in ("redeem", "issue"):
            for floor in floors:
                aim = AIMS.get((section, count), "") if floor == "multi" else ""
                ratio = ratio_of(found[task], found[floor])
                yield Figure(title, f"{task} to {floor}", median(found[task]), "/s", ratio, aim)

    def many(self) -> Iterator[Figure]:
        """Everybody redeems and issues, each time from another account."""
        yield from self.speeds("many")

    def hot(self) -> Iterator[Figure]:
        """Everybody redeems from one account, and issues into it."""
        yield from self.speeds("hot")

    def history(self) -> Iterator[Figure]:
        """Measure microseconds of a redeem by the number of entries before it, in turns."""
        engine = create_engine(self.url)
        credit = StoreCredit(SQLStorage(engine, prefix=PREFIX), merchant="benchmark")
        sizes, times = self.sizes.histories, self.sizes.in_turn
        for size in sizes[1:]:
            with progress(f"{self.engine_name}: a journal of {size:,} entries"):
                lengthen(credit, f"history-{size}", size, past)
        found: list[list[float]] = [[] for _ in sizes]
        with progress(f"{self.engine_name}: redeems by length of history"):
            for turn in range(self.repeats):
                credit.issue(f"fresh-{turn}", LOT, funding="refund", key="grant")
                holders = [f"fresh-{turn}", *(f"history-{size}" for size in sizes[1:])]
                for holder, values in zip(holders, found, strict=True):
                    began = time.perf_counter()
                    for number in range(times):
                        credit.redeem(holder, CENT, key=f"turn-{turn}-{number}")
                    values.append((time.perf_counter() - began) / times * 1e6)
        engine.dispose()
        for size, values in zip(sizes, found, strict=True):
            aim = "<= 1.2" if size == max(sizes) else ""
            ratio = ratio_of(values, found[0])
            what = f"{size:,} past entries"
            title = f"{self.engine_name} history"
            yield Figure(title, what, statistics.median(values), "µs", ratio, aim)


SECTIONS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "many": Bench.many,
    "hot": Bench.hot,
    "history": Bench.history,
}


def prepare(bench: Bench) -> None:
    """Make the tables anew, with credit for every account."""
    engine = create_engine(bench.url)
    tables(prefix=PREFIX).metadata.drop_all(engine)
    create(engine, prefix=PREFIX)
    credit = StoreCredit(SQLStorage(engine, prefix=PREFIX), merchant="benchmark")
    with progress(f"{bench.engine_name}: {bench.sizes.accounts} accounts"):
        for number in range(bench.sizes.accounts):
            credit.issue(f"holder-{number}", LOT, funding="refund", key="grant")
    engine.dispose()


def main() -> None:
    """Measure, and print the figures."""
    arguments = argparse.ArgumentParser(description="What the ledger costs on a database server.")
    arguments.add_argument("--url", action="append", default=[], help="SQLAlchemy URL; repeatable")
    arguments.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments.add_argument("--smoke", action="store_true", help="tiny sizes: does it run at all?")
    arguments.add_argument("--only", default=",".join(SECTIONS), help=f"of {','.join(SECTIONS)}")
    arguments.add_argument("--clients", default="1,2,4,8", help="numbers of processes")
    arguments.add_argument("--repeats", type=int, default=5, help="turns of each figure, 5 or more")
    arguments.add_argument("--seconds", type=float, help="how long each turn of a speed takes")
    given = arguments.parse_args()
    chosen = given.only.split(",")
    if unknown := set(chosen) - SECTIONS.keys():
        arguments.error(f"unknown section: {', '.join(sorted(unknown))}")
    if given.repeats < 5:
        arguments.error("a median of fewer than five says little")
    sizes = SMOKE if given.smoke else Sizes()
    if given.seconds is not None:
        sizes = attrs.evolve(sizes, seconds=given.seconds)
    counts = (1, 2) if given.smoke else tuple(int(count) for count in given.clients.split(","))
    figures: list[Figure] = []
    with sql_floors.urls(given.url) as found:
        for url in found:
            bench = Bench(url=url, sizes=sizes, repeats=given.repeats, counts=counts)
            prepare(bench)
            for name in chosen:
                figures += SECTIONS[name](bench)
    if given.json:
        rows: list[dict[str, Any]] = [attrs.asdict(figure) for figure in figures]
        print(json.dumps({"python": sys.version.split()[0], "figures": rows}, indent=2))
    else:
        print(table(figures))


if __name__ == "__main__":
    main()
