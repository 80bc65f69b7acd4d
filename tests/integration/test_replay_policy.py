"""
A refund policy over a real shop's returns, against a computation that shares no code with it.

The file is UCI Online Retail (Chen, Sain, Guo 2012, doi 10.1057/dbm.2012.17). The computation
knows of no policy, no ledger and no matching by quantities: every piece that was bought lies on a
pile of its own customer, code and price, and a return takes pieces off the top, one by one.
"""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from storecredit import StoreCredit
from storecredit.policies import Policy, read_policy
from storecredit.replay import ReturnHistory, read_returns, replay_policy, with_window
from storecredit.storage import MemoryStorage
from storecredit.values import Period

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
name = "returns"
version = "2011-09"

[[refund.rules]]
id = "no receipt"
because = "no receipt"
when = { receipt = false }
offer = []

[[refund.rules]]
id = "late"
because = "too late"
when = { after = "P30D", since = "purchase" }
offer = []

[[refund.rules]]
id = "standard"
offer = ["credit", "money"]
"""
BONUS = "bonus = { percent = 10 }\n"


@attrs.frozen
class Returned:
    """Pieces of one row that were taken off one order's part of a pile."""

    customer: str
    invoice: str
    order: str | None
    days: int
    """From the day of the order to that of the return."""
    amount: Decimal
    is_goods: bool


def returned_piece_by_piece(path: Path) -> list[Returned]:
    """Read the file in another way, and take every piece that came back off its pile."""
    invoices: dict[str, list[Any]] = {}  # earliest instant, first row, rows
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            invoice = invoices.setdefault(row["InvoiceNo"], [row["InvoiceDate"], number, []])
            invoice[0] = min(invoice[0], row["InvoiceDate"])
            invoice[2].append(row)
    piles: dict[tuple[str, str, Decimal], list[tuple[str, date]]] = defaultdict(list)
    found: list[Returned] = []
    for when, _, rows in sorted(invoices.values(), key=lambda each: each[:2]):
        day = date.fromisoformat(when[:10])
        for row in rows:
            name, pieces, price = row["InvoiceNo"], int(row["Quantity"]), Decimal(row["UnitPrice"])
            if not row["CustomerID"] or name[0] == "A" or price != round(price, 2):
                continue
            pile = piles[row["CustomerID"], row["StockCode"], price]
            if name[0] != "C":
                pile += [(name, day)] * pieces
                continue
            taken: dict[tuple[str | None, date], int] = {}
            for _ in range(-pieces):
                of = pile.pop() if pile else (None, day)
                taken[of] = taken.get(of, 0) + 1
            code = row["StockCode"]
            is_goods = len(code) >= 5 and set(code[:5]) <= set("0123456789")
            for (order, bought), count in taken.items():
                days = (day - bought).days
                customer, amount = row["CustomerID"], count * price
                found.append(Returned(customer, name, order, days, amount, is_goods))
    return found


def decided_independently(
    returned: list[Returned], window: int | None, percent: int
) -> dict[str, Any]:
    """Sort every piece into one of four heaps, and add the bonus by return and order."""
    heaps: dict[str, list[Decimal]] = defaultdict(list)
    credited: dict[tuple[str, str, str | None], Decimal] = defaultdict(Decimal)
    for each in returned:
        if each.order is None:
            heap = "no receipt"
        elif window is not None and each.days > window:
            heap = "too late"
        elif each.is_goods:
            heap = "credit"
            credited[each.customer, each.invoice, each.order] += each.amount
        else:
            heap = "money"
        heaps[heap].append(each.amount)
    bonus = {who: int(amount * percent) for who, amount in credited.items()}  # pennies, cut off
    held: dict[str, int] = defaultdict(int)
    for who, amount in credited.items():
        held[who[0]] += int(amount * 100) + bonus[who]
    return {
        "asked": told([each.amount for each in returned]),
        "no_receipt": told(heaps["no receipt"]),
        "credit": told(heaps["credit"]),
        "money": told(heaps["money"]),
        "too late": told(heaps["too late"]),
        "bonus": sum(bonus.values()),
        "customers": len([customer for customer, minor in held.items() if minor]),
        "held": {customer: minor for customer, minor in held.items() if minor},
    }


def told(heap: list[Decimal]) -> dict[str, int]:
    return {"lines": len(heap), "amount": int(sum(heap) * 100)}


@pytest.fixture(scope="module")
def retail(shared_data: Path) -> Path:
    return shared_data / "online_retail_to_2011_08.csv.gz"


@pytest.fixture(scope="module")
def history(retail: Path) -> ReturnHistory:
    return read_returns([retail])


@pytest.fixture(scope="module")
def returned(retail: Path) -> list[Returned]:
    return returned_piece_by_piece(retail)


def policy(*, window: int | None, percent: int) -> Policy:
    found = read_policy(RULES + (BONUS if percent else ""), form="toml")
    return with_window(found, None if window is None else Period(days=window))


@pytest.mark.parametrize("percent", [0, 10])
@pytest.mark.parametrize("window", [14, 30, 90, None])
def test_p2_the_decisions_agree_with_the_computation_to_the_penny(
    history: ReturnHistory, returned: list[Returned], window: int | None, percent: int
) -> None:
    storage = MemoryStorage()
    totals = replay_policy(history, policy(window=window, percent=percent), storage)
    expected = decided_independently(returned, window, percent)
    found = totals.to_json()
    assert totals.problems == ()
    assert found["asked"] == expected["asked"]
    assert found["no_receipt"] == found["refused"]["no receipt"] == expected["no_receipt"]
    assert found["offers"]["credit"] == expected["credit"]
    assert found["offers"]["money"] == expected["money"]
    assert found["refused"].get("too late", {"lines": 0, "amount": 0}) == expected["too late"]
    assert (found["bonus"], found["customers"]) == (expected["bonus"], expected["customers"])
    credit = StoreCredit(storage, "shop")
    held = {name: credit.account(name, "GBP").available.minor for name in expected["held"]}
    assert held == expected["held"]


def test_p2_the_totals_of_the_file_are_known(history: ReturnHistory) -> None:
    totals = replay_policy(history, policy(window=30, percent=10), MemoryStorage()).to_json()
    assert totals == {
        "policy": {"name": "returns", "version": "2011-09"},
        "requests": 2978,
        "asked": {"lines": 5622, "amount": 32013283},
        "no_receipt": {"lines": 1266, "amount": 11472567},
        "offers": {
            "credit": {"lines": 3550, "amount": 15496902},
            "money": {"lines": 35, "amount": 1275076},
            "exchange": {"lines": 0, "amount": 0},
        },
        "fees": {"lines": 0, "amount": 0},
        "refused": {
            "no receipt": {"lines": 1266, "amount": 11472567},
            "too late": {"lines": 771, "amount": 3768738},
        },
        "bonus": 1549196,
        "approvals": 0,
        "customers": 926,
        "skipped": {
            "adjustment": 3,
            "guest": 88649,
            "write_off": 0,
            "price_too_fine": 2,
            "another_customer": 0,
            "no_return": 0,
        },
        "verified": True,
    }


def test_p2_what_is_matched_was_bought_before_and_each_piece_once(history: ReturnHistory) -> None:
    assert all((request.order is None) is not request.receipt for request in history.requests)
    matched = [request for request in history.requests if request.receipt]
    assert all(request.purchased_at is not None for request in matched)
    assert len({request.id for request in history.requests}) == len(history.requests)
    late = timedelta(days=90)
    assert any(
        request.at - request.purchased_at > late for request in matched if request.purchased_at
    )
    lines = [line for request in history.requests for line in request.lines]
    assert {line.kind.value for line in lines} == {"goods", "shipping", "fee"}


def test_the_command_decides_the_whole_file_durably_and_again_to_the_same_end(
    retail: Path, history: ReturnHistory, tmp_path: Path
) -> None:
    file = tmp_path / "returns.toml"
    file.write_text(RULES + BONUS, encoding="utf-8")
    options = ["--policy", file, "--window", "P14D", "--db", tmp_path / "told.db", "--json"]
    command = [sys.executable, "-m", "storecredit.cli", "replay", retail, *options]
    runs = [
        subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    assert [(run.returncode, run.stderr) for run in runs] == [(0, ""), (0, "")]
    expected = replay_policy(history, policy(window=14, percent=10), MemoryStorage())
    assert json.loads(runs[0].stdout) == expected.to_json()
    assert runs[1].stdout == runs[0].stdout
