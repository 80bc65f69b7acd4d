"""
Floors: the least honest work that a redeem can be, in memory and on a SQLite file.

A speed means little on its own: it changes with the machine and with whoever shares it. So every
speed in `ledger.py` stands beside one of these, measured in turns with it, and what counts is the
ratio of the two.

    python benchmarks/floors.py [--against FOLDER] [--smoke]

prints both floors, in redeems per second. With --against, it runs in turns with the scripts
`memory_floor.py` and `sqlite_floor.py` of that folder, which do the same work, and prints how much
faster these are: 1.00 is as fast.
"""

import argparse
import hashlib
import itertools
import runpy
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

ACCOUNTS = 1_000
GRANTED = 10**9
TAKEN = 100


@attrs.frozen
class Fact:
    """One redeem, as little of it as can be kept and proved."""

    id: bytes
    sequence: int
    key: str
    lot: int
    amount: int
    lot_after: int
    balance_after: int
    digest: bytes


def in_memory(redeems: int, accounts: int = ACCOUNTS) -> float:
    """
    Redeem from fresh accounts, one after the other, and return redeems per second.

    Each looks up its account and its key, checks the balance, takes from the first lot, derives
    an id from account and key, chains a SHA-256 digest, and keeps one frozen record.
    """
    books: list[dict[str, Any]] = [
        {"balance": GRANTED, "lots": [[GRANTED]], "facts": [], "by key": {}, "head": b""}
        for _ in range(accounts)
    ]
    keys = [f"order-{number}/redeem" for number in range(redeems)]
    sha256 = hashlib.sha256
    began = time.perf_counter()
    for number, key in enumerate(keys):
        book = books[number % accounts]
        if key in book["by key"] or book["balance"] < TAKEN:
            raise AssertionError(key)
        lot, facts = book["lots"][0], book["facts"]
        lot[0] -= TAKEN
        book["balance"] = left = book["balance"] - TAKEN
        sequence = len(facts) + 1
        name = sha256(f"{number % accounts} {key}".encode()).digest()[:16]
        said = b"%b %d %b %d %d %d" % (book["head"], sequence, name, TAKEN, lot[0], left)
        book["head"] = head = sha256(said).digest()
        fact = Fact(name, sequence, key, 0, TAKEN, lot[0], left, head)
        facts.append(fact)
        book["by key"][key] = fact
    return redeems / (time.perf_counter() - began)


SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS book (
    id INTEGER PRIMARY KEY, version INTEGER NOT NULL, balance INTEGER NOT NULL CHECK (balance >= 0)
);
CREATE TABLE IF NOT EXISTS fact (
    book INTEGER, sequence INTEGER, key TEXT, amount INTEGER, digest BLOB,
    PRIMARY KEY (book, sequence)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS fact_by_key ON fact (book, key);
"""
READ = "SELECT version, balance FROM book WHERE id = ?"
TAKE = "UPDATE book SET version = version + 1, balance = balance - ? WHERE id = ? AND version = ?"
KEEP = "INSERT INTO fact VALUES (?, ?, ?, ?, ?)"


def on_sqlite(path: Path, redeems: int, synchronous: str) -> float:
    """
    Redeem from 1,000 accounts in the file at *path*, and return redeems per second.

    Each is one transaction: one guarded UPDATE and one INSERT, in WAL mode. *synchronous* is
    FULL or NORMAL. The file is made where there is none, and grows from call to call.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.executescript(SCHEMA)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        fresh = [(number, GRANTED) for number in range(ACCOUNTS)]
        connection.executemany("INSERT OR IGNORE INTO book VALUES (?, 0, ?)", fresh)
        (first,) = connection.execute("SELECT count(*) FROM fact").fetchone()
        run, digest = connection.execute, bytes(32)
        began = time.perf_counter()
        for number in range(first, first + redeems):
            book = number % ACCOUNTS
            run("BEGIN IMMEDIATE")
            version, balance = run(READ, (book,)).fetchone()
            if balance < TAKEN:
                raise AssertionError(book)
            run(TAKE, (TAKEN, book, version))
            run(KEEP, (book, version + 1, f"order-{number}/redeem", TAKEN, digest))
            run("COMMIT")
        return redeems / (time.perf_counter() - began)
    finally:
        connection.close()


def main() -> None:
    """Print the floors, or how they compare with others."""
    arguments = argparse.ArgumentParser(description="Measure the floors on their own.")
    arguments.add_argument("--against", type=Path, help="a folder with floors to compare with")
    arguments.add_argument("--smoke", action="store_true", help="tiny sizes: does it run at all?")
    given = arguments.parse_args()
    repeats, in_ram, on_disk = (5, 500, 50) if given.smoke else (15, 50_000, 1_000)
    with tempfile.TemporaryDirectory() as folder:
        names = itertools.count()

        def file() -> Path:
            return Path(folder, f"{next(names)}.db")

        ours: dict[str, Callable[[], float]] = {
            "memory": lambda: in_memory(in_ram),
            "SQLite FULL": lambda: on_sqlite(file(), on_disk, "FULL"),
            "SQLite NORMAL": lambda: on_sqlite(file(), on_disk, "NORMAL"),
        }
        theirs: dict[str, Callable[[], float]] = {}
        if given.against is not None:
            memory = runpy.run_path(str(given.against / "memory_floor.py"))["run"]
            sqlite = runpy.run_path(str(given.against / "sqlite_floor.py"))["run"]
            theirs = {
                "memory": lambda: memory(ACCOUNTS, in_ram),
                "SQLite FULL": lambda: sqlite(str(file()), on_disk, "FULL"),
                "SQLite NORMAL": lambda: sqlite(str(file()), on_disk, "NORMAL"),
            }
        for name, floor in ours.items():
            pairs = [(theirs[name]() if theirs else 0.0, floor()) for _ in range(repeats)]
            line = f"{name:<14}{statistics.median(own for _, own in pairs):>12,.0f} redeems/s"
            if theirs:
                median = statistics.median(own / other for other, own in pairs)
                line += f"   {median:.2f} times the floor compared with"
            print(line)


if __name__ == "__main__":
    main()
