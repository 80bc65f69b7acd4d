"""The feed of a file: what it costs, what packing does to it, consumers in many hands (S7)."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from storecredit import Money, StoreCredit
from storecredit.errors import JournalBroken
from storecredit.storage import BEGINNING, SQLiteStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from storecredit.service import Delivery
    from storecredit.storage import FeedPage, FeedPosition

DOLLAR = Money.of("1.00", "USD")
HOLDERS = ("anna", "ben", "carl", "dora")


def opened(path: Path, *, merchant: str = "acme", ahead: timedelta = timedelta()) -> StoreCredit:
    storage = SQLiteStorage(path, synchronous="NORMAL", timeout=30)
    return StoreCredit(storage, merchant, clock=lambda: datetime.now(UTC) + ahead)


def page(credit: StoreCredit, *, after: FeedPosition = BEGINNING, limit: int = 1000) -> FeedPage:
    with credit.storage.transaction() as work:
        return work.feed(credit.merchant.id, after=after, limit=limit)


def places(found: FeedPage) -> list[tuple[str, str]]:
    return [(fed.position, fed.entry.id) for fed in found.entries]


# --- What it costs ------------------------------------------------------------------------


def instructions(
    path: Path, work: Callable[[StoreCredit], object], monkeypatch: pytest.MonkeyPatch
) -> int:
    """Count what the engine does in *work*, in its own instructions."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recording(*args: object, **options: object) -> sqlite3.Connection:
        made.append(connect(*args, **options))  # type: ignore[call-overload]  # passed on as given
        return made[-1]

    with monkeypatch.context() as watched:
        watched.setattr(sqlite3, "connect", recording)
        credit = opened(path)
    count = 0

    def one_more() -> int:
        nonlocal count
        count += 1
        return 0

    (connection,) = made
    connection.set_progress_handler(one_more, 1)
    work(credit)
    connection.set_progress_handler(None, 1)
    credit.storage.close()
    return count


def test_s7_a_page_costs_the_same_after_two_thousand_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {}
    for entries in (10, 2000):
        path = tmp_path / f"{entries}.db"
        credit = opened(path)
        credit.issue("anna", Money.of("50.00", "USD"), funding="refund", key="first")
        for number in range(entries):
            credit.redeem("anna", Money.of("0.01", "USD"), key=f"{number}")
        after = page(credit, limit=entries + 1).position
        for number in range(5):
            credit.redeem("anna", Money.of("0.01", "USD"), key=f"new {number}")
        credit.storage.close()

        def read(credit: StoreCredit, after: FeedPosition = after) -> None:
            assert len(page(credit, after=after).entries) == 5

        costs[entries] = instructions(path, read, monkeypatch)
    assert costs[2000] <= costs[10] * 1.05, costs


def test_s7_a_page_passes_over_a_limited_number_of_other_merchants_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storecredit.storage.sqlite._feed._MOST_PASSED", 20)
    credit = opened(tmp_path / "shop.db")
    others = StoreCredit(credit.storage, "other")
    credit.issue("anna", DOLLAR, funding="refund", key="first")
    for number in range(50):
        others.issue("anna", DOLLAR, funding="refund", key=f"{number}")
    credit.issue("anna", DOLLAR, funding="refund", key="last")
    found = [page(credit, limit=10)]
    while not found[-1].is_last:
        found.append(page(credit, after=found[-1].position, limit=10))
    assert [len(each.entries) for each in found] == [1, 0, 1]
    seen: list[str] = []
    feed = credit.feed("mailer")
    run = feed.run(lambda delivery: seen.append(delivery.entry.key), limit=10)
    assert (run.delivered, seen) == (2, ["first", "last"])
    # What was passed over is not looked at again.
    for number in range(50, 95):
        others.issue("anna", DOLLAR, funding="refund", key=f"{number}")
    before = feed.status().position
    assert feed.run(print).delivered == 0
    assert int(feed.status().position) == int(before) + 45
    credit.storage.close()


def test_s7_an_entry_costs_no_statement_more_for_the_feed(tmp_path: Path) -> None:
    credit = opened(tmp_path / "shop.db")
    file = sqlite3.connect(tmp_path / "shop.db")
    indexes = file.execute("SELECT count(*) FROM pragma_index_list('entries')").fetchone()
    triggers = file.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entries'"
    ).fetchall()
    file.close()
    assert indexes == (3,), "keys, ids and sequences; the feed needs none of its own"
    assert sorted(triggers) == [("entries_are_final",), ("entries_stay",)]
    credit.storage.close()


# --- What others do to the file -------------------------------------------------------------


def test_s7_packing_and_copying_the_file_leaves_every_entry_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    credit = opened(path)
    for number in range(30):
        for holder in HOLDERS:
            credit.issue(holder, DOLLAR, funding="refund", key=f"{number}")
    before = places(page(credit))
    credit.storage.close()
    file = sqlite3.connect(path)
    file.execute("VACUUM")
    file.execute("VACUUM INTO ?", (str(tmp_path / "packed.db"),))
    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    row_by_row = sqlite3.connect(tmp_path / "rows.db")
    row_by_row.executescript("\n".join(file.iterdump()))
    for pragma in ("application_id", "user_version"):
        (value,) = file.execute(f"PRAGMA {pragma}").fetchone()
        row_by_row.execute(f"PRAGMA {pragma} = {value}")
    row_by_row.close()
    file.close()
    shutil.copy(path, tmp_path / "copied.db")
    for name in ("shop.db", "packed.db", "rows.db", "copied.db"):
        again = opened(tmp_path / name)
        assert places(page(again)) == before, name
        again.issue("anna", DOLLAR, funding="refund", key="new")
        assert [fed.entry.key for fed in page(again, after=page(again, limit=120).position).entries]
        again.storage.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts SET unit = 'usd'",
        "DROP TRIGGER entries_are_final; UPDATE entries SET body = 'x'",
    ],
)
def test_s7_an_entry_that_was_changed_around_the_library_is_named_and_not_passed_over(
    tmp_path: Path, change: str
) -> None:
    credit = opened(tmp_path / "shop.db")
    credit.issue("anna", DOLLAR, funding="refund", key="first")
    credit.storage.close()
    file = sqlite3.connect(tmp_path / "shop.db")
    file.executescript(change)
    file.close()
    again = opened(tmp_path / "shop.db")
    with pytest.raises(JournalBroken):
        again.feed("mailer").run(print)
    again.storage.close()


# --- Many hands -----------------------------------------------------------------------------


def test_s7_threads_of_one_name_deliver_each_entry_once_and_in_order(tmp_path: Path) -> None:
    credit = opened(tmp_path / "shop.db")
    over, delivered, failures = threading.Event(), list[tuple[str, int]](), list[BaseException]()

    def write(holder: str) -> None:
        for number in range(25):
            credit.issue(holder, DOLLAR, funding="refund", key=f"{number}")

    def consume() -> None:
        try:
            while True:
                is_over = over.is_set()
                credit.feed("mailer").run(
                    lambda each: delivered.append((each.holder, each.entry.sequence)),
                    limit=3,
                    when_leased="empty",
                )
                if is_over and not credit.feed("mailer").status().waiting:
                    return
                time.sleep(0.001)
        except BaseException as failure:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(failure)

    writers = [threading.Thread(target=write, args=(holder,)) for holder in HOLDERS]
    consumers = [threading.Thread(target=consume) for _ in range(3)]
    for thread in (*writers, *consumers):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    for thread in consumers:
        thread.join()
    assert failures == []
    for holder in HOLDERS:
        assert [number for name, number in delivered if name == holder] == list(range(1, 26))
    credit.storage.close()


def test_s7_processes_of_one_name_deliver_each_entry_once_and_in_order() -> None:
    told = run_apart("share", "4")
    assert told["failed"] == 0
    assert told["consumers that delivered"] >= 1
    for holder in HOLDERS:
        assert told["delivered"][holder] == list(range(1, 31)), holder


def test_s7_consumers_killed_at_random_points_miss_nothing_and_repeat_one_entry_each() -> None:
    told = run_apart("kill", "25")
    assert told["kills"] == 25
    assert told["at work"] > 5, "the kills hit consumers that had not begun or had ended"
    for holder in HOLDERS:
        once = list(dict.fromkeys(told["delivered"][holder]))
        assert once == list(range(1, len(once) + 1)), (holder, told["seed"])
    total = sum(len(each) for each in told["delivered"].values())
    assert sum(len(set(each)) for each in told["delivered"].values()) == told["entries"]
    assert total <= told["entries"] + 25, told["seed"]
    assert told["waiting"] == 0


def share(consumers: int) -> dict[str, Any]:
    """Let processes of one name read while another one writes."""
    with tempfile.TemporaryDirectory() as folder:
        path, log = Path(folder) / "shop.db", Path(folder) / "log"
        opened(path).storage.close()
        children = [
            forked(lambda: consume_until_done(path, log, entries=120)) for _ in range(consumers)
        ]
        children.append(forked(lambda: write(path, 30)))
        failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
        lines = [line.split() for line in log.read_text().splitlines()]
        return {
            "failed": failed,
            "consumers that delivered": len({pid for pid, _, _ in lines}),
            "delivered": by_holder(lines),
        }


def kill(kills: int) -> dict[str, Any]:
    """Kill one consumer after the other; each successor's clock is two minutes further."""
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path, log = Path(folder) / "shop.db", Path(folder) / "log"
        write(path, 250)
        lengths = [0]
        for number in range(kills):
            ahead = timedelta(minutes=2 * number)
            child = forked(lambda ahead=ahead: consume(path, log, ahead))
            # Three of four have begun to deliver when they are killed.
            while number % 4 and size(log) == lengths[-1] and not is_over(child):
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.01))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            lengths.append(size(log))
        ahead = timedelta(minutes=2 * kills)
        os.waitpid(forked(lambda: consume(path, log, ahead)), 0)
        credit = opened(path, ahead=ahead)
        return {
            "kills": kills,
            "at work": len(set(lengths)) - 1,
            "seed": seed,
            "entries": 250 * len(HOLDERS),
            "delivered": by_holder([line.split() for line in log.read_text().splitlines()]),
            "waiting": credit.feed("mailer").status().waiting,
        }


def size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def is_over(child: int) -> bool:
    """Tell whether a child has ended by itself; it is still to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def write(path: Path, each: int) -> None:
    credit = opened(path)
    for holder in HOLDERS:
        credit.issue(holder, Money.of("50.00", "USD"), funding="refund", key="first")
    for number in range(each - 1):
        for holder in HOLDERS:
            credit.redeem(holder, Money.of("0.01", "USD"), key=f"{number}")
    credit.storage.close()


def consume(path: Path, log: Path, ahead: timedelta) -> None:
    opened(path, ahead=ahead).feed("mailer").run(writing_to(log), limit=7, attempts=1000)


def consume_until_done(path: Path, log: Path, *, entries: int) -> None:
    credit, handle = opened(path), writing_to(log)
    deadline = time.monotonic() + 60
    while len(log.read_text().splitlines()) < entries and time.monotonic() < deadline:
        credit.feed("mailer").run(handle, limit=7, when_leased="empty")
        time.sleep(0.002)


def writing_to(log: Path) -> Callable[[Delivery], None]:
    """Write one line for each delivery, whole or not at all."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def handle(delivery: Delivery) -> None:
        line = f"{os.getpid()} {delivery.holder} {delivery.entry.sequence}\n"
        os.write(file, line.encode())

    return handle


def by_holder(lines: list[list[str]]) -> dict[str, list[int]]:
    found = defaultdict[str, list[int]](list)
    for _, holder, sequence in lines:
        found[holder].append(int(sequence))
    return dict(found)


def forked(work: Callable[[], None]) -> int:
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


def run_apart(role: str, argument: str) -> dict[str, Any]:
    """Run a part of this file in a process of its own, which may fork as it has one thread."""
    process = subprocess.run(
        [sys.executable, __file__, role, argument], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stdout)
    assert isinstance(told, dict)
    return told


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["share", consumers]:
            print(json.dumps(share(int(consumers))))
        case ["kill", kills]:
            print(json.dumps(kill(int(kills))))
