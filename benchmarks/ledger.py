"""
What the ledger costs, in ratios against the floors of `floors.py`, measured in the same run.

    python benchmarks/ledger.py [--json] [--smoke] [--only SECTION,...] [--repeats N]
                                [--directory FOLDER]

Sections: memory, sqlite, history, lots, sweep, verify. Every figure is a median of at least five
repeats. What is compared is measured in turns, and a ratio is the median of the ratios of those
turns: another program on the machine slows both sides of a turn, and so hardly moves the ratio.
Progress goes to stderr. The exit status says whether the benchmark ran, never how fast it was.
"""

import argparse
import gc
import json
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import floors

from storecredit import Money, StoreCredit
from storecredit.ledger import NO_CONTEXT, Command, Issue, Redeem, decide
from storecredit.service import Grant
from storecredit.storage import MemoryStorage, SQLiteStorage, Storage

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
CENT = Money.of("0.01", "USD")
LOT = Money.of("100000.00", "USD")
IN_ONE_TRANSACTION = 200
STEP = 100_000


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything; `--smoke` only asks whether it runs."""

    accounts: int = 1_000
    in_memory: int = 4_000
    """Commands, and three times as many of the floor, in one turn."""
    on_disk: int = 500
    histories: tuple[int, ...] = (1, 1_000, 100_000, 1_000_000)
    open_lots: tuple[int, ...] = (1, 100, 10_000)
    in_turn: int = 100
    """Redeems from each account that is compared, in one turn; fewer where each takes long."""
    swept: tuple[int, int] = (500, 4)
    """Accounts, and lots in each, of one sweep."""
    verified: tuple[int, int] = (500, 40)
    """Accounts, and entries in each."""


SMOKE = Sizes(
    accounts=10,
    in_memory=50,
    on_disk=10,
    histories=(1, 10, 100),
    open_lots=(1, 10, 50),
    in_turn=5,
    swept=(5, 2),
    verified=(5, 4),
)


@attrs.frozen
class Figure:
    """One line of the table."""

    section: str
    what: str
    value: float
    unit: str
    ratio: float | None = None
    """To the floor for a speed; to the smallest size for a cost."""
    aim: str = ""


@attrs.frozen(kw_only=True)
class Bench:
    """What every section needs to know."""

    sizes: Sizes
    repeats: int
    folder: Path

    def storages(self) -> Iterator[tuple[str, Storage]]:
        """
        Yield an empty storage of each kind, and close it afterwards.

        SQLite does not wait for the disk here: the wait is the same however much is stored, and
        would hide what grows.
        """
        yield "memory", MemoryStorage()
        with self.file("NORMAL") as storage:
            yield "SQLite NORMAL", storage

    @contextmanager
    def file(self, synchronous: str) -> Iterator[Storage]:
        """Open a new file, and delete it afterwards."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            storage = SQLiteStorage(Path(folder, "shop.db"), synchronous=synchronous)
            try:
                yield storage
            finally:
                storage.close()

    def in_turns(self, *measures: Callable[[], float]) -> list[list[float]]:
        """Run the *measures* one after the other, again and again; return what each gave."""
        found: list[list[float]] = [[] for _ in measures]
        for _ in range(self.repeats):
            gc.collect()
            for measure, values in zip(measures, found, strict=True):
                values.append(measure())
        return found


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Say on stderr what is being done, and how long it took."""
    print(f"{text} ...", end="", file=sys.stderr, flush=True)
    began = time.perf_counter()
    yield
    print(f" {time.perf_counter() - began:.1f} s", file=sys.stderr)


def ratio_of(values: list[float], floor: list[float]) -> float:
    """Return the median of the ratios of the turns."""
    return statistics.median(value / least for value, least in zip(values, floor, strict=True))


def per_second(what: Callable[[int], object], times: int) -> float:
    """Call *what* with 0, 1, 2, ..., and return calls per second."""
    began = time.perf_counter()
    for number in range(times):
        what(number)
    return times / (time.perf_counter() - began)


def spender(credit: StoreCredit, holders: list[str], first: int = 0) -> Callable[[int], object]:
    """Return what redeems a cent from each of *holders* in turn, under ever new keys."""
    number = first

    def redeem(turn: int) -> object:
        nonlocal number
        number += 1
        return credit.redeem(holders[turn % len(holders)], CENT, key=f"order-{number}/redeem")

    return redeem


# (a), (b): speeds beside their floors


def speeds(
    bench: Bench, section: str, storage: Storage, floor: Callable[[int], float]
) -> list[Figure]:
    """Measure issues and redeems per second through the service, each beside the *floor*."""
    sizes = bench.sizes
    many = sizes.in_memory if section == "memory" else sizes.on_disk
    aim = {"memory": 0.12, "SQLite FULL": 0.5, "SQLite NORMAL": 0.25}[section]
    credit = StoreCredit(storage, merchant="benchmark")
    holders = [f"holder-{number}" for number in range(sizes.accounts)]
    for holder in holders:
        credit.issue(holder, LOT, funding="refund", key="grant")
    redeem, round_ = spender(credit, holders), 0

    def issues() -> float:
        nonlocal round_
        round_ += 1

        def issue(turn: int) -> object:
            # Four lots for each of a row of new holders.
            holder = f"new-{round_}-{turn // 4}"
            return credit.issue(holder, CENT, funding="refund", key=f"return-{turn}")

        return per_second(issue, many)

    least, redeemed, issued = bench.in_turns(
        lambda: floor(3 * many), lambda: per_second(redeem, many), issues
    )
    median = statistics.median
    return [
        Figure(section, "floor", median(least), "redeems/s"),
        Figure(section, "redeem", median(redeemed), "/s", ratio_of(redeemed, least), f">= {aim}"),
        Figure(section, "issue", median(issued), "/s", ratio_of(issued, least), f">= {aim}"),
    ]


def memory(bench: Bench) -> Iterator[Figure]:
    """(a) The memory adapter through the service."""
    with progress("memory: issues and redeems"):
        yield from speeds(
            bench,
            "memory",
            MemoryStorage(),
            lambda redeems: floors.in_memory(redeems, bench.sizes.accounts),
        )


def sqlite(bench: Bench) -> Iterator[Figure]:
    """(b) The SQLite adapter through the service, at both levels of durability."""
    for synchronous in ("FULL", "NORMAL"):
        with (
            progress(f"SQLite {synchronous}: issues and redeems"),
            bench.file(synchronous) as storage,
            tempfile.TemporaryDirectory(dir=bench.folder) as folder,
        ):
            floor = partial(floors.on_sqlite, Path(folder, "floor.db"), synchronous=synchronous)
            yield from speeds(bench, f"SQLite {synchronous}", storage, floor)


# (c): what a redeem costs as things grow


def history(bench: Bench) -> Iterator[Figure]:
    """(c) The cost of a redeem by the number of entries that the account has already."""
    for name, storage in bench.storages():
        credit = StoreCredit(storage, merchant="benchmark")
        for size in bench.sizes.histories[1:]:
            with progress(f"{name}: a journal of {size:,} entries"):
                lengthen(credit, f"history-{size}", size, past)
        with progress(f"{name}: redeems by length of history"):
            yield from costs(bench, credit, name, section="history", what="past entries")


def lots(bench: Bench) -> Iterator[Figure]:
    """(c) The cost of a redeem by the number of lots that the account has open."""
    for name, storage in bench.storages():
        credit = StoreCredit(storage, merchant="benchmark")
        for size in bench.sizes.open_lots[1:]:
            with progress(f"{name}: {size:,} open lots"):
                lengthen(credit, f"lots-{size}", size, open_lot)
        with progress(f"{name}: redeems by open lots"):
            yield from costs(bench, credit, name, section="lots", what="open lots")


def costs(
    bench: Bench, credit: StoreCredit, storage: str, *, section: str, what: str
) -> list[Figure]:
    """Measure microseconds of a redeem from the account of each size, in turns."""
    sizes = bench.sizes.histories if section == "history" else bench.sizes.open_lots
    rounds, times = 0, bench.sizes.in_turn
    few = max(times // 20, 1)

    def fresh() -> float:
        """Redeem from an account that begins with one entry, and so one lot."""
        nonlocal rounds
        rounds += 1
        credit.issue(f"fresh-{rounds}", LOT, funding="refund", key="grant")
        redeem = spender(credit, [f"fresh-{rounds}"])
        return 1e6 / per_second(redeem, times)

    def grown(size: int) -> Callable[[], float]:
        redeem = spender(credit, [f"{section}-{size}"])
        enough = few if section == "lots" and size > times else times
        return lambda: 1e6 / per_second(redeem, enough)

    found = bench.in_turns(fresh, *(grown(size) for size in sizes[1:]))
    figures = []
    for size, values in zip(sizes, found, strict=True):
        aim = "<= 1.2" if section == "history" and size == max(sizes) else ""
        median, ratio = statistics.median(values), ratio_of(values, found[0])
        figures.append(Figure(section, f"{storage}, {size:,} {what}", median, "µs", ratio, aim))
    return figures


def past(sequence: int) -> Command:
    """Return one lot, and then a cent of it again and again."""
    return Redeem(amount=CENT) if sequence > 1 else Issue(amount=LOT, funding="refund")


def open_lot(sequence: int) -> Command:
    """Return lots that never expire and that are used in the order of a priority."""
    priority = sequence * 7919 % 9973
    return Issue(amount=LOT, funding="refund", priority=priority)


def lengthen(
    credit: StoreCredit, holder: str, entries: int, command: Callable[[int], Command]
) -> None:
    """
    Give *holder* a journal of that many *entries*, many of them in one transaction.

    Each is decided by the core and appended through the storage contract, as the service does;
    what is saved is the loading and the commit between them.
    """
    storage, merchant = credit.storage, credit.merchant
    credit.issue(holder, CENT, funding="refund", key="first")
    written = 1
    while written < entries:
        with storage.transaction() as unit:
            account = unit.account(merchant.id, holder, "USD")
            if account is None:
                raise AssertionError(holder)
            written = account.version
            if written > STEP and written % STEP < IN_ONE_TRANSACTION:
                print(f" {written:,}", end="", file=sys.stderr, flush=True)
            for sequence in range(written + 1, min(written + IN_ONE_TRANSACTION, entries) + 1):
                change = decide(
                    account,
                    command(sequence - 1),
                    merchant=merchant,
                    key=f"past-{sequence}",
                    at=datetime.now(UTC),
                    context=NO_CONTEXT,
                    salt=bytes,
                )
                if change is None:
                    raise AssertionError(sequence)
                unit.append(change)
                account, written = change.account, sequence


# (d), (e): the books


def sweep(bench: Bench) -> Iterator[Figure]:
    """(d) Lots expired per second by the sweep."""
    accounts, each = bench.sizes.swept
    for name, storage in bench.storages():
        credit, round_ = StoreCredit(storage, merchant="benchmark"), 0

        def swept(credit: StoreCredit = credit) -> float:
            nonlocal round_
            round_ += 1
            grant(credit, [f"holder-{round_}-{number}" for number in range(accounts)], each)
            began = time.perf_counter()
            done = credit.expire_due()
            seconds = time.perf_counter() - began
            if done.lots != accounts * each:
                raise AssertionError(done)
            return done.lots / seconds

        with progress(f"{name}: sweeps of {accounts * each:,} lots"):
            (speeds_,) = bench.in_turns(swept)
        yield Figure("sweep", name, statistics.median(speeds_), "lots/s")


def grant(credit: StoreCredit, holders: list[str], each: int) -> None:
    """Give each of *holders* some lots that expired long ago."""
    expires = LONG_AGO + timedelta(days=30)
    credit.issue_many(
        Grant(
            holder=holder,
            amount=CENT,
            funding="goodwill",
            key=f"gift-{number}",
            expires=expires,
            about={"at": LONG_AGO},
        )
        for holder in holders
        for number in range(each)
    )


def verify(bench: Bench) -> Iterator[Figure]:
    """(e) Entries verified per second."""
    accounts, each = bench.sizes.verified
    for name, storage in bench.storages():
        credit = StoreCredit(storage, merchant="benchmark")
        for number in range(accounts):
            lengthen(credit, f"holder-{number}", each, past)

        def verified(credit: StoreCredit = credit) -> float:
            began = time.perf_counter()
            done = credit.verify()
            seconds = time.perf_counter() - began
            if not done.ok or done.entries != accounts * each:
                raise AssertionError(done)
            return done.entries / seconds

        with progress(f"{name}: verifies {accounts * each:,} entries"):
            (speeds_,) = bench.in_turns(verified)
        yield Figure("verify", name, statistics.median(speeds_), "entries/s")


SECTIONS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "memory": memory,
    "sqlite": sqlite,
    "history": history,
    "lots": lots,
    "sweep": sweep,
    "verify": verify,
}


def table(figures: list[Figure]) -> str:
    """Lay the figures out for people."""
    lines = [f"{'':<9}{'':<38}{'median':>12} {'':<10}{'ratio':>8}  aim"]
    section = ""
    for each in figures:
        if each.section.split()[0] != section.split(" ", maxsplit=1)[0]:
            lines.append("")
        name = each.section if each.section != section else ""
        section = each.section
        value = f"{each.value:,.0f}" if each.value >= 100 else f"{each.value:.1f}"
        ratio = "" if each.ratio is None else f"{each.ratio:.3f}"
        lines.append(
            f"{name:<19}{each.what:<28}{value:>12} {each.unit:<10}{ratio:>8}  {each.aim}".rstrip()
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the figures."""
    arguments = argparse.ArgumentParser(description="What the ledger costs, beside its floors.")
    arguments.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments.add_argument("--smoke", action="store_true", help="tiny sizes: does it run at all?")
    arguments.add_argument("--only", default=",".join(SECTIONS), help=f"of {','.join(SECTIONS)}")
    arguments.add_argument("--repeats", type=int, default=9, help="turns of each figure, 5 or more")
    arguments.add_argument(
        "--directory", type=Path, default=Path(tempfile.gettempdir()), help="where files are made"
    )
    given = arguments.parse_args()
    names = given.only.split(",")
    if unknown := set(names) - SECTIONS.keys():
        arguments.error(f"no section {sorted(unknown)[0]!r}; there are {', '.join(SECTIONS)}")
    if given.repeats < 5:
        arguments.error("a median needs at least five repeats")
    bench = Bench(
        sizes=SMOKE if given.smoke else Sizes(), repeats=given.repeats, folder=given.directory
    )
    figures = [figure for name in names for figure in SECTIONS[name](bench)]
    if given.json:
        print(json.dumps(report(bench, figures), indent=2))
    else:
        print(table(figures))


def report(bench: Bench, figures: list[Figure]) -> dict[str, Any]:
    """Return everything as JSON data."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "machine": platform.platform(),
        "repeats": bench.repeats,
        "sizes": attrs.asdict(bench.sizes),
        "figures": [attrs.asdict(figure) for figure in figures],
    }


if __name__ == "__main__":
    main()
