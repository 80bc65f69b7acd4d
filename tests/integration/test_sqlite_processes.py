"""One SQLite file in many hands: killed writers, racing processes, threads, forks (S1, S2, S4)."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from storecredit import Money, StoreCredit
from storecredit.errors import InsufficientCredit, StorageBusy, StorageUnusable
from storecredit.storage import Record, SQLiteStorage, Synchronous

_T = TypeVar("_T", int, str)

DOLLAR = Money.of("1.00", "USD")
KILLS = 200
KILLS_OF_ONE_FILE = 10
PROCESSES = 8


def opened(path: Path, *, synchronous: Synchronous = Synchronous.NORMAL) -> StoreCredit:
    return StoreCredit(SQLiteStorage(path, synchronous=synchronous, timeout=30), merchant="acme")


def balance(credit: StoreCredit, holder: str) -> int:
    return credit.wallet(holder).available["USD"].minor


# -- the writer is killed ------------------------------------------------------------------


def test_a_writer_killed_at_random_points_loses_nothing_it_has_acknowledged() -> None:
    told = run_apart("kill writers", str(KILLS))
    assert told["kills"] == KILLS
    assert told["problems"] == []
    # The kills hit writers at work, and some hit a command between its commit and its answer.
    assert told["acknowledged"] > KILLS
    assert told["killed before the first answer"] > 0
    assert told["committed and not answered"] > 0


def kill_writers(kills: int) -> dict[str, object]:
    """Fork writers from a process that has everything loaded, and kill them at work."""
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)
    problems: list[str] = []
    acknowledged = silent = unanswered = 0
    with tempfile.TemporaryDirectory() as folder:
        for kill in range(kills):
            path = Path(folder) / f"shop-{kill // KILLS_OF_ONE_FILE}.db"
            answers = answers_of_a_killed_writer(path, kill, chance)
            acknowledged += len(answers)
            silent += not answers
            found, committed = what_a_kill_has_left(path, kill, answers)
            unanswered += committed - len(answers)
            problems += [f"kill {kill} with seed {seed}: {problem}" for problem in found]
    return {
        "kills": kills,
        "problems": problems,
        "acknowledged": acknowledged,
        "killed before the first answer": silent,
        "committed and not answered": unanswered,
    }


def answers_of_a_killed_writer(path: Path, kill: int, chance: random.Random) -> list[str]:
    """Start a writer, kill it at a random moment, and return the keys that it has answered."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        try:
            write_until_killed(path, kill, writing)
        except BaseException as error:  # noqa: BLE001 - whatever ends a writer is a problem
            os.write(writing, f"{type(error).__name__}\n".encode())
        os._exit(1)
    os.close(writing)
    # One in four is killed while it opens the file, or makes it.
    first = os.read(reading, 1) if kill % 4 else b""
    time.sleep(chance.uniform(0, 0.03))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(reading, "rb") as rest:
        return (first + rest.read()).decode().split()


def write_until_killed(path: Path, kill: int, writing: int) -> None:
    """Issue, spend, hold, capture and transfer without end; tell each key once it is answered."""
    synchronous = Synchronous.FULL if kill % 2 else Synchronous.NORMAL
    credit = opened(path, synchronous=synchronous)
    number = 0
    while True:
        for act in (issue, redeem, hold_and_capture, transfer):
            number += 1
            key = f"{kill}-{number}"
            act(credit, key)
            os.write(writing, f"{key}\n".encode())


def issue(credit: StoreCredit, key: str) -> None:
    ten = Money.of("10.00", "USD")
    credit.issue("anna", ten, funding="refund", key=key, actor="Mia", note="a parcel was late")


def redeem(credit: StoreCredit, key: str) -> None:
    credit.redeem("anna", DOLLAR, key=key)


def hold_and_capture(credit: StoreCredit, key: str) -> None:
    held = credit.hold("anna", DOLLAR, key=f"{key}/hold")
    credit.capture(held.hold_id, key=key)


def transfer(credit: StoreCredit, key: str) -> None:
    credit.transfer("anna", "ben", DOLLAR, key=key)


def what_a_kill_has_left(path: Path, kill: int, answers: list[str]) -> tuple[list[str], int]:
    """Open the file again: nothing acknowledged lost, nothing half done, every journal sound."""
    credit = opened(path)
    verified = credit.verify()
    problems = [str(problem) for problem in verified.problems]
    mine = [
        entry.key
        for entry in credit.journal("anna", "USD")
        if entry.key.startswith(f"{kill}-") and not entry.key.endswith("/hold")
    ]
    if mine[: len(answers)] != answers:
        problems.append(f"answered {answers}, and kept {mine}")
    if len(mine) > len(answers) + 1:
        problems.append(f"one command can have been under way, and there are {mine}")
    sent = sum(entry.kind == "transfer_out" for entry in credit.journal("anna", "USD"))
    received = sum(entry.kind == "transfer_in" for entry in credit.journal("ben", "USD"))
    if sent != received:
        problems.append(f"{sent} transfers were sent and {received} received")
    for key in answers[-1:]:
        act = (issue, redeem, hold_and_capture, transfer)[(int(key.split("-")[1]) - 1) % 4]
        before = balance(credit, "anna")
        act(credit, key)
        if balance(credit, "anna") != before:
            problems.append(f"repeating {key} had an effect")
    credit.storage.close()
    return problems, len(mine)


# -- processes race ------------------------------------------------------------------------


def test_eight_processes_that_spend_the_last_units_draw_exactly_what_was_there() -> None:
    told = run_apart("race", "40")
    assert told["drawn"] == [300] * 40
    assert told["left"] == [0] * 40
    assert told["verified"] is True
    assert told["spenders"] >= 2


def race(accounts: int) -> dict[str, object]:
    """Let eight processes spend the three dollars of each account, a dollar at a time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        credit = opened(path)
        holders = [f"c-{number}" for number in range(accounts)]
        for holder in holders:
            credit.issue(holder, Money.of("3.00", "USD"), funding="refund", key="i")

        def spend(process: int) -> list[int]:
            mine = opened(path)
            return [spend_one(mine, holder, f"order-{process}") for holder in holders]

        drawn = in_processes(PROCESSES, spend)
        return {
            "drawn": [sum(column) for column in zip(*drawn, strict=True)],
            "left": [balance(credit, holder) for holder in holders],
            "spenders": sum(any(each) for each in drawn),
            "verified": credit.verify().ok,
        }


def spend_one(credit: StoreCredit, holder: str, key: str) -> int:
    try:
        return credit.redeem(holder, DOLLAR, key=key).amount.minor
    except InsufficientCredit:
        return 0


def test_opposite_transfers_of_two_processes_all_happen() -> None:
    told = run_apart("transfer", "100")
    assert told == {"balances": [10_000, 10_000], "transfers": 200, "verified": True}


def transfer_both_ways(times: int) -> dict[str, object]:
    """Let two processes send dollars to and fro between two accounts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        credit = opened(path)
        for holder in ("anna", "ben"):
            credit.issue(holder, Money.of("100.00", "USD"), funding="refund", key="i")
        pairs = (("anna", "ben"), ("ben", "anna"))

        def send(process: int) -> list[int]:
            mine = opened(path)
            sender, receiver = pairs[process]
            for number in range(times):
                mine.transfer(sender, receiver, DOLLAR, key=f"t-{number}")
            return []

        in_processes(2, send)
        entries = [entry for name in ("anna", "ben") for entry in credit.journal(name, "USD")]
        return {
            "balances": [balance(credit, name) for name in ("anna", "ben")],
            "transfers": sum(entry.kind == "transfer_in" for entry in entries),
            "verified": credit.verify().ok,
        }


def test_nobody_starves_while_others_write() -> None:
    told = run_apart("crowd", "1.5")
    assert told["written"] > 100
    # The engine's own busy handler lets single writers wait for seconds.
    assert told["worst"] < 2.0


def crowd(seconds: float) -> dict[str, object]:
    """Let eight processes write as fast as they can, and time the longest wait of each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        opened(path).storage.close()

        def write(process: int) -> list[int]:
            mine, number, worst = opened(path), 0, 0.0
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                began = time.monotonic()
                mine.issue(f"c-{process}", DOLLAR, funding="refund", key=f"i-{number}")
                worst = max(worst, time.monotonic() - began)
                number += 1
            return [number, int(worst * 1_000_000)]

        told = in_processes(PROCESSES, write)
        return {
            "written": sum(number for number, _ in told),
            "worst": max(worst for _, worst in told) / 1_000_000,
        }


# -- threads -------------------------------------------------------------------------------


def test_two_threads_with_one_key_have_one_effect_and_one_answer(tmp_path: Path) -> None:
    credit = opened(tmp_path / "shop.db")
    credit.issue("c-17", Money.of("50.00", "USD"), funding="refund", key="i")
    for number in range(25):
        gate = threading.Barrier(2)
        answers: list[tuple[str, bool]] = []

        def spend(key: str, gate: threading.Barrier, answers: list[tuple[str, bool]]) -> None:
            gate.wait()
            receipt = credit.redeem("c-17", DOLLAR, key=key)
            answers.append((receipt.entry_id, receipt.replayed))

        arguments = (f"order-{number}", gate, answers)
        threads = [threading.Thread(target=spend, args=arguments) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(replayed for _, replayed in answers) == [False, True]
        assert len({entry for entry, _ in answers}) == 1
    assert balance(credit, "c-17") == 2500
    assert credit.verify().ok
    credit.storage.close()


def test_a_thread_that_another_thread_keeps_waiting_is_told_in_time(tmp_path: Path) -> None:
    credit = StoreCredit(SQLiteStorage(tmp_path / "shop.db", timeout=0.1), merchant="acme")
    refused: list[StorageBusy] = []

    def write() -> None:
        try:
            credit.issue("c-17", DOLLAR, funding="refund", key="i")
        except StorageBusy as busy:
            refused.append(busy)

    with credit.storage.transaction():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert [busy.waited for busy in refused] == ["0.1 s"]
    write()
    assert balance(credit, "c-17") == 100
    credit.storage.close()


# -- forks ---------------------------------------------------------------------------------


def test_a_forked_child_uses_the_storage_of_its_parent_safely() -> None:
    told = run_apart("fork", "between blocks")
    assert told == {"children": ["done"] * 4, "balance": 300, "verified": True, "connections": 1}


def test_a_child_forked_in_the_middle_of_a_block_may_not_use_the_file() -> None:
    told = run_apart("fork", "in a block")
    assert told == {
        "children": ["refused", "refused"],
        "the block of the parent was committed": True,
        "balance": 600,
        "verified": True,
    }


def fork_between_blocks() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        made: list[sqlite3.Connection] = []
        connect = sqlite3.connect

        def recording(*args: object, **options: object) -> sqlite3.Connection:
            made.append(connect(*args, **options))  # type: ignore[call-overload]  # passed on as given
            return made[-1]

        sqlite3.connect = recording  # type: ignore[assignment]  # it passes everything on
        credit = opened(Path(folder) / "shop.db")
        credit.issue("c-17", Money.of("7.00", "USD"), funding="refund", key="i")
        before = len(made)

        def spend(process: int) -> list[str]:
            credit.redeem("c-17", DOLLAR, key=f"order-{process}")
            return ["done"] if len(made) == before + 1 else ["inherited"]

        children = in_processes(4, spend)
        return {
            "children": [each for child in children for each in child],
            "balance": balance(credit, "c-17"),
            "verified": credit.verify().ok,
            "connections": len(made) - before,
        }


def fork_in_a_block() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        credit = opened(Path(folder) / "shop.db")
        credit.issue("c-17", Money.of("7.00", "USD"), funding="refund", key="i")
        case = Record(merchant="acme", kind="case", id="4711", version=1, body={})

        def spend(process: int) -> list[str]:
            with pytest.raises(StorageUnusable, match="forked while a block of its parent"):
                credit.redeem("c-17", DOLLAR, key="order-2")
            return ["refused"]

        def leave(process: int) -> list[str]:
            with pytest.raises(StorageUnusable, match="forked in the middle of a block"):
                block.__exit__(None, None, None)
            return ["refused"]

        block = credit.storage.transaction()
        with block as work:
            work.put(case)
            children = [*in_processes(1, spend), *in_processes(1, leave)]
        with credit.storage.snapshot() as reader:
            kept = reader.record("acme", "case", "4711")
        credit.redeem("c-17", DOLLAR, key="order-3")
        return {
            "children": [each for child in children for each in child],
            "the block of the parent was committed": kept == case,
            "balance": balance(credit, "c-17"),
            "verified": credit.verify().ok,
        }


# -- tools ---------------------------------------------------------------------------------


def in_processes(count: int, work: Callable[[int], list[_T]]) -> list[list[_T]]:
    """Run *work* in forked processes at once, and return what each returned."""
    go_reading, go_writing = os.pipe()
    pipes = []
    for process in range(count):
        reading, writing = os.pipe()
        if not os.fork():
            os.close(go_writing)
            os.read(go_reading, 1)
            os.write(writing, json.dumps(work(process)).encode())
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    os.close(go_writing)
    os.close(go_reading)
    answers = []
    for reading in pipes:
        with os.fdopen(reading, "rb") as answer:
            answers.append(json.loads(answer.read()))
    for _ in pipes:
        os.wait()
    return answers


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
        case ["kill writers", kills]:
            print(json.dumps(kill_writers(int(kills))))
        case ["race", accounts]:
            print(json.dumps(race(int(accounts))))
        case ["transfer", times]:
            print(json.dumps(transfer_both_ways(int(times))))
        case ["crowd", seconds]:
            print(json.dumps(crowd(float(seconds))))
        case ["fork", "between blocks"]:
            print(json.dumps(fork_between_blocks()))
        case ["fork", "in a block"]:
            print(json.dumps(fork_in_a_block()))
