"""
The main job on a real shop's history, against a computation that shares no code with the library.

The file is UCI Online Retail (Chen, Sain, Guo 2012, doi 10.1057/dbm.2012.17), 320,705 rows of
nine months. What the ledger makes of it has to come out, to the penny, of forty lines that know
of no ledger: csv, Decimal, and a list of lots for each customer.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from storecredit.replay import History, read_online_retail, replay_history
from storecredit.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COLUMNS = (
    "InvoiceNo StockCode Description Quantity InvoiceDate UnitPrice CustomerID Country".split()
)


def computed_independently(paths: Iterable[Path], expires_days: int | None) -> dict[str, Any]:
    """Read the file again, in another way, and keep every customer's lots in a list."""
    seen: dict[str, list[Any]] = {}  # invoice: earliest instant, first row, customer, value
    skipped = number = 0
    for path in paths:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                number += 1
                invoice, quantity = row["InvoiceNo"], int(row["Quantity"])
                when = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC)
                facts = seen.setdefault(invoice, [when, number, None, Decimal(0)])
                facts[0] = min(facts[0], when)
                price = Decimal(row["UnitPrice"])
                goods = len(row["StockCode"]) >= 5 and all(
                    letter in "0123456789" for letter in row["StockCode"][:5]
                )
                sold = invoice[0] not in "CA" and quantity >= 0
                if (
                    row["CustomerID"] == ""
                    or not goods
                    or not (sold or invoice[0] == "C")
                    or price != price.quantize(Decimal("0.01"))
                ):
                    skipped += 1
                    continue
                facts[2] = row["CustomerID"]
                facts[3] += quantity * price
    events = sorted(
        (when, first, customer, value, invoice[0] == "C")
        for invoice, (when, first, customer, value) in seen.items()
        if customer is not None
    )
    lots: dict[str, list[list[Any]]] = defaultdict(list)  # customer: [issued, left], oldest first
    issued = redeemed = Decimal(0)
    redemptions = splits = 0

    def alive(issued_at: datetime, now: datetime) -> bool:
        return expires_days is None or now < issued_at + timedelta(days=expires_days)

    for when, _, customer, value, is_refund in events:
        if is_refund and value < 0:
            lots[customer].append([when, -value])
            issued -= value
        elif not is_refund and value > 0:
            due = value
            for lot in lots[customer]:
                if alive(lot[0], when):
                    taken = min(lot[1], due)
                    lot[1] -= taken
                    due -= taken
            if due < value:
                redeemed += value - due
                redemptions += 1
                splits += due > 0
    last = events[-1][0]
    left = [lot for each in lots.values() for lot in each]
    return {
        "events": len(events),
        "issued": int(issued * 100),
        "redeemed": int(redeemed * 100),
        "redemptions": redemptions,
        "split_redemptions": splits,
        "expired": int(sum(rest for at, rest in left if not alive(at, last)) * 100),
        "outstanding": int(sum(rest for at, rest in left if alive(at, last)) * 100),
        "customers": sum(1 for each in lots.values() if each),
        "skipped": skipped,
        "verified": True,
    }


def comparable(totals: dict[str, Any]) -> dict[str, Any]:
    """The totals with the skipped rows as one number."""
    return {**totals, "skipped": sum(totals["skipped"].values())}


@pytest.fixture(scope="module")
def retail(shared_data: Path) -> Path:
    return shared_data / "online_retail_to_2011_08.csv.gz"


@pytest.fixture(scope="module")
def nine_months(retail: Path) -> History:
    return read_online_retail([retail])


@pytest.mark.parametrize("expires_days", [None, 30, 90])
def test_the_ledger_agrees_with_the_computation_to_the_penny(
    nine_months: History, retail: Path, expires_days: int | None
) -> None:
    totals = replay_history(nine_months, MemoryStorage(), expires_days=expires_days)
    assert comparable(totals.to_json()) == computed_independently([retail], expires_days)
    assert totals.issued == totals.redeemed + totals.expired + totals.outstanding


def test_the_totals_of_the_file_are_known(nine_months: History) -> None:
    totals = replay_history(nine_months, MemoryStorage(), expires_days=90)
    assert totals.to_json() == {
        "events": 13597,
        "issued": 21616976,
        "redeemed": 9375396,
        "redemptions": 1450,
        "split_redemptions": 1303,
        "expired": 9930962,
        "outstanding": 2310618,
        "customers": 1147,
        "skipped": {
            "adjustment": 3,
            "guest": 88649,
            "not_goods": 1147,
            "write_off": 0,
            "price_too_fine": 0,
            "another_customer": 0,
        },
        "verified": True,
    }


def replay(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "storecredit.cli", "replay", *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_replays_the_whole_file_durably_well_within_two_minutes(
    retail: Path, tmp_path: Path
) -> None:
    began = time.monotonic()
    done = replay(retail, "--db", tmp_path / "told.db", "--expires-days", 30)
    seconds = time.monotonic() - began
    assert (done.returncode, done.stderr) == (0, "")
    assert comparable(json.loads(done.stdout)) == computed_independently([retail], 30)
    assert seconds < 120, f"{seconds:.0f} s"


# --- Killed and started again -----------------------------------------------------------


def a_shop_of_its_own(path: Path, rows: int) -> None:
    """Write a history in which every customer comes often, so that nearly every event moves."""
    chance = random.Random(20110901)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        when = datetime(2011, 9, 1, 8, 0)  # noqa: DTZ001 - the files of the shop name no zone
        for number in range(rows):
            # Half of the time nothing passes, so that many events share their instant.
            when += timedelta(hours=chance.choice([0, 0, 1, 5]))
            back = chance.random() < 0.5
            writer.writerow(
                [
                    f"{'C' if back else ''}{570000 + number}",
                    chance.choice(["85123A", "22632", "POST"]),
                    "HOLDER",
                    (-1 if back else 1) * chance.randrange(1, 20),
                    when.isoformat(),
                    f"{chance.randrange(1, 2000) / 100:.2f}",
                    chance.choice(["", *(str(17850 + each) for each in range(12))]),
                    "United Kingdom",
                ]
            )


def entries_in(database: Path) -> int:
    """Count the committed entries from outside, while the other process writes."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        journals = [name for name, sql in tables.fetchall() if "body" in sql and "digest" in sql]
        return sum(
            connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in journals
        )
    except sqlite3.OperationalError:  # the other process is making its tables just now
        return 0
    finally:
        connection.close()


def killed_after(entries: int, *arguments: object) -> bool:
    """Run a replay and kill it without warning after so many entries; was it in time?"""
    database = arguments[arguments.index("--db") + 1]
    process = subprocess.Popen(
        [sys.executable, "-m", "storecredit.cli", "replay", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None:
            if entries_in(database) >= entries:  # type: ignore[arg-type]  # the argument after --db
                process.kill()
                break
            time.sleep(0.001)
    finally:
        status = process.wait()
    return status != 0


@pytest.mark.parametrize("expires_days", [2, None])
def test_a_run_that_is_killed_again_and_again_ends_in_the_same_totals(
    tmp_path: Path, expires_days: int | None
) -> None:
    file = tmp_path / "history.csv"
    a_shop_of_its_own(file, rows=1500)
    expected = computed_independently([file], expires_days)
    assert expected["redemptions"] > 100
    terms = [] if expires_days is None else ["--expires-days", expires_days]
    arguments = [file, "--db", tmp_path / "told.db", *terms]
    killed = [killed_after(entries, *arguments) for entries in (1, 40, 150, 300, 450)]
    assert any(killed), "every run was over before it could be killed"
    done = replay(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert comparable(json.loads(done.stdout)) == expected
    assert replay(*arguments).stdout == done.stdout
