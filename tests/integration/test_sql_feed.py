"""The feed of a database server: consumers in processes that die, readers on many nodes (S7)."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from storecredit import Money, StoreCredit
from storecredit.errors import ConflictError
from storecredit.storage import BEGINNING
from storecredit.storage.sql import SQLStorage, create
from storecredit.testing.contract.feeding import every_entry, fed_ids, page, places, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from storecredit.service import Delivery
    from storecredit.storage import Fed

HOLDERS = ("anna", "ben", "carl")
LONG = 60.0


def opened(url: str, *, ahead: timedelta = timedelta()) -> StoreCredit:
    storage = SQLStorage(create_engine(url))
    return StoreCredit(storage, "acme", clock=lambda: datetime.now(UTC) + ahead, attempts=100)


# --- Consumers in processes -----------------------------------------------------------------


def test_s7_processes_of_one_name_deliver_each_entry_once_and_in_order(server_url: str) -> None:
    told = run_apart("share", server_url, "3")
    assert told["failed"] == 0
    for holder in HOLDERS:
        assert told["delivered"][holder] == list(range(1, 21)), holder


def test_s7_consumers_killed_at_random_points_miss_nothing_and_repeat_one_entry_each(
    server_url: str,
) -> None:
    told = run_apart("kill", server_url, "12")
    assert told["at work"] > 3, "the kills hit consumers that had not begun or had ended"
    for holder in HOLDERS:
        once = list(dict.fromkeys(told["delivered"][holder]))
        assert once == list(range(1, 101)), (holder, told["seed"])
    total = sum(len(each) for each in told["delivered"].values())
    assert total <= 100 * len(HOLDERS) + 12, told["seed"]
    assert told["waiting"] == 0


def share(url: str, consumers: int) -> dict[str, Any]:
    """Let processes of one name read while others write."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        children = [
            forked(lambda: consume_until_done(url, log, entries=20 * len(HOLDERS)))
            for _ in range(consumers)
        ]
        children += [forked(partial(write, url, holder, 20)) for holder in HOLDERS]
        failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
        return {"failed": failed, "delivered": by_holder(log)}


def kill(url: str, kills: int) -> dict[str, Any]:
    """Kill one consumer after the other; each successor's clock is two minutes further."""
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        for holder in HOLDERS:
            os.waitpid(forked(partial(write, url, holder, 100)), 0)
        lengths = [0]
        for number in range(kills):
            ahead = timedelta(minutes=2 * number)
            child = forked(partial(consume, url, log, ahead))
            # Three of four have begun to deliver when they are killed.
            while number % 4 and size(log) == lengths[-1] and not is_over(child):
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.02))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            lengths.append(size(log))
        ahead = timedelta(minutes=2 * kills)
        os.waitpid(forked(partial(consume, url, log, ahead)), 0)
        return {
            "at work": len(set(lengths)) - 1,
            "seed": seed,
            "delivered": by_holder(log),
            "waiting": opened(url, ahead=ahead).feed("mailer").status().waiting,
        }


def size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def is_over(child: int) -> bool:
    """Tell whether a child has ended by itself; it is still to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def write(url: str, holder: str, each: int) -> None:
    credit = opened(url)
    credit.issue(holder, Money.of("50.00", "USD"), funding="refund", key="first")
    for number in range(each - 1):
        credit.redeem(holder, Money.of("0.01", "USD"), key=f"{number}")


def consume(url: str, log: Path, ahead: timedelta) -> None:
    opened(url, ahead=ahead).feed("mailer").run(writing_to(log), limit=7, attempts=1000)


def consume_until_done(url: str, log: Path, *, entries: int) -> None:
    credit, handle = opened(url), writing_to(log)
    deadline = time.monotonic() + LONG
    while len(log.read_text().splitlines()) < entries and time.monotonic() < deadline:
        credit.feed("mailer").run(handle, limit=7, when_leased="empty")
        time.sleep(0.002)


def writing_to(log: Path) -> Callable[[Delivery], None]:
    """Write one line for each delivery, whole or not at all."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def handle(delivery: Delivery) -> None:
        os.write(file, f"{delivery.holder} {delivery.entry.sequence}\n".encode())

    return handle


def by_holder(log: Path) -> dict[str, list[int]]:
    found = defaultdict[str, list[int]](list)
    for line in log.read_text().splitlines():
        holder, sequence = line.split()
        found[holder].append(int(sequence))
    return dict(found)


def forked(work: Callable[[], object]) -> int:
    """Run *work* in a child of its own; it ends with 0 if nothing was raised."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 - the parent sees the status alone
            print(repr(failure), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child


def run_apart(role: str, url: str, argument: str) -> dict[str, Any]:
    """Run a part of this file in a process of its own, which may fork as it has one thread."""
    engine = create_engine(url)
    create(engine)
    engine.dispose()
    process = subprocess.run(
        [sys.executable, __file__, role, url, argument], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stdout)
    assert isinstance(told, dict)
    return told


# --- Readers on many nodes ------------------------------------------------------------------


@pytest.fixture
def nodes(galera_urls: tuple[str, ...]) -> Iterator[list[SQLStorage]]:
    engines = [create_engine(url) for url in galera_urls]
    create(engines[0])
    yield [SQLStorage(engine) for engine in engines]
    for engine in engines:
        engine.dispose()


def test_s7_readers_on_every_node_of_a_cluster_are_given_the_same_places(
    nodes: list[SQLStorage],
) -> None:
    each = 12
    found: list[list[Fed]] = [[] for _ in nodes]
    conflicts: list[ConflictError] = []
    failed: list[BaseException] = []

    def write(storage: SQLStorage, holder: str) -> None:
        credit = StoreCredit(storage, "acme", attempts=200)
        for number in range(each):
            for name in (holder, "shared"):
                credit.issue(
                    name, Money.of("1.00", "USD"), funding="refund", key=f"{holder}/{number}"
                )

    def follow(storage: SQLStorage, into: list[Fed]) -> None:
        position, deadline = BEGINNING, time.monotonic() + LONG
        while len(into) < 2 * each * len(nodes) and time.monotonic() < deadline:
            try:
                more = page(storage, after=position, limit=5)
            except ConflictError as conflict:
                # Another node was faster to give places.
                conflicts.append(conflict)
                continue
            into += more.entries
            position = more.position

    def watched(work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
        except BaseException as failure:  # noqa: BLE001 - a thread's failure is the test's
            failed.append(failure)

    tasks: list[tuple[Any, ...]] = [
        (write, storage, holder) for storage, holder in zip(nodes, HOLDERS, strict=True)
    ]
    tasks += [(follow, storage, into) for storage, into in zip(nodes, found, strict=True)]
    threads = [threading.Thread(target=watched, args=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert all(conflict.retryable for conflict in conflicts)
    journals = defaultdict[str, list[str]](list)
    for entry in every_entry(nodes[0], "acme"):
        journals[entry.account].append(entry.id)
    assert fed_ids(found[0]) == journals
    for others in found[1:]:
        assert places(others) == places(found[0])
    for storage in nodes:
        assert places(read(storage)) == places(found[0])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["share", url, consumers]:
            print(json.dumps(share(url, int(consumers))))
        case ["kill", url, kills]:
            print(json.dumps(kill(url, int(kills))))
