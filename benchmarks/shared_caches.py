"""
What a redeem costs by how many processes take turns on one core.

    python benchmarks/shared_caches.py [--json] [--smoke] [--repeats N]

So many processes pass a token in a ring; whoever has it does one piece of work and passes it on, all on
one core. No database, no lock and no wait is measured: only the processor time of the work itself, which
is the same each time. Whatever it costs more in a larger ring is the price of finding the core's caches
filled by somebody else. A redeem on `MemoryStorage` stands beside a loop of about the same length, which
needs next to no memory: it pays for the turns alone. The exit status says whether the benchmark ran,
never how fast it was.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import attrs
from ledger import CENT, LOT, Figure, table

from storecredit import StoreCredit
from storecredit.storage.memory import MemoryStorage

RINGS = (1, 2, 4, 8, 16)
ACCOUNTS = 50


def redeems() -> Callable[[int], object]:
    """Return a redeem of the ledger, in memory, each from the next account."""
    credit = StoreCredit(MemoryStorage(), merchant="benchmark")
    for number in range(ACCOUNTS):
        credit.issue(f"holder-{number}", LOT, funding="refund", key="grant")
    return lambda turn: credit.redeem(f"holder-{turn % ACCOUNTS}", CENT, key=f"order-{turn}")


def loop() -> Callable[[int], object]:
    """Return a loop that takes about as long as a redeem, and needs next to no memory."""
    numbers = range(2_000)
    return lambda _: [None for number in numbers if number < 0]


WORK: dict[str, Callable[[], Callable[[int], object]]] = {"redeem": redeems, "loop": loop}


def member(work: str, rounds: int, token: int, next_one: int, answer: Any) -> None:
    """Wait for the token, work, pass it on; and tell the microseconds of a piece of work."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    do, spent = WORK[work](), 0
    for turn in range(200):
        do(turn)
    for turn in range(200, 200 + rounds):
        os.read(token, 1)
        began = time.thread_time_ns()
        do(turn)
        spent += time.thread_time_ns() - began
        os.write(next_one, b".")
    answer.put(spent / rounds / 1000)


def ring(work: str, size: int, rounds: int) -> float:
    """Return the microseconds of a piece of *work* in a ring of *size* processes."""
    context = multiprocessing.get_context("fork")
    pipes, answer = [os.pipe() for _ in range(size)], context.SimpleQueue()
    members = [
        context.Process(
            target=member, args=(work, rounds, pipes[at][0], pipes[(at + 1) % size][1], answer)
        )
        for at in range(size)
    ]
    for each in members:
        each.start()
    os.write(pipes[0][1], b".")
    found = [answer.get() for _ in members]
    for each in members:
        each.join()
    for pipe in pipes:
        for end in pipe:
            os.close(end)
    return statistics.mean(found)


def main() -> None:
    """Measure, and print the figures."""
    arguments = argparse.ArgumentParser(description="What a redeem costs in shared caches.")
    arguments.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments.add_argument("--smoke", action="store_true", help="tiny sizes: does it run at all?")
    arguments.add_argument("--repeats", type=int, default=5, help="turns of each figure, 5 or more")
    given = arguments.parse_args()
    if given.repeats < 5:
        arguments.error("a median of fewer than five says little")
    sizes, rounds = (RINGS[:2], 20) if given.smoke else (RINGS, 1000)
    found: dict[tuple[str, int], list[float]] = {(w, size): [] for w in WORK for size in sizes}
    for _ in range(given.repeats):
        for (work, size), values in found.items():
            values.append(ring(work, size, rounds))
    figures = []
    for (work, size), values in found.items():
        alone = found[work, 1]
        ratio = statistics.median(value / one for value, one in zip(values, alone, strict=True))
        what = f"{size} processes" if size > 1 else "alone"
        figures.append(Figure(work, what, statistics.median(values), "µs", ratio, ""))
    if given.json:
        rows = [attrs.asdict(figure) for figure in figures]
        print(json.dumps({"python": sys.version.split()[0], "figures": rows}, indent=2))
    else:
        print(table(figures))


if __name__ == "__main__":
    main()
