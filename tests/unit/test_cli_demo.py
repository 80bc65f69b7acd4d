"""The demo: the same story every time, and no success for a ledger that does not reconcile."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from storecredit import Money, StoreCredit
from storecredit.cli import run
from storecredit.cli.demo import audit, tell
from storecredit.cli.demo_story import CUSTOMER, MERCHANT, Story
from storecredit.replay import SettableClock
from storecredit.storage import MemoryStorage, SQLiteStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


def test_the_demo_reconciles_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["demo"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.rstrip().endswith("Everything reconciles.")
    assert not list(tmp_path.iterdir())


def test_the_demo_tells_the_same_story_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    run(["demo"])
    first = capsys.readouterr().out
    run(["demo"])
    assert capsys.readouterr().out == first


def test_the_totals_are_those_of_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    run(["demo"])
    out = capsys.readouterr().out
    totals = out[out.index("Totals, from the journals") :].splitlines()
    assert [line.split() for line in totals[3:6]] == [
        "USD 80.00 USD 35.00 USD 60.00 USD 0.00 USD 55.00 USD 0.00".split(),
        "EUR 25.00 EUR 0.00 EUR 0.00 EUR 25.00 EUR 0.00 EUR 0.00".split(),
        "PTS 2500 PTS 0 PTS 1500 PTS 0 PTS 1000 PTS 0".split(),
    ]
    assert "Verified 9 entries of 3 journals: it holds." in out
    assert "USD 45.00 by card" in out  # 120.00 - 60.00 of credit - 15.00 of points


def test_the_demo_keeps_its_ledger_where_it_is_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "told.db"
    assert run(["demo", "--db", str(path)]) == 0
    capsys.readouterr()
    assert run(["verify", "--db", str(path), "--merchant", MERCHANT.id]) == 0
    assert capsys.readouterr().out == "Verified 9 entries of 3 accounts: all of it holds.\n"


def test_the_demo_does_not_touch_a_file_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.db"
    path.write_bytes(b"mine")
    assert run(["demo", "--db", str(path)]) == 2
    assert "begins with a fresh database" in capsys.readouterr().err
    assert path.read_bytes() == b"mine"


# --- A ledger that was tampered with ----------------------------------------------------


def edited_journal(path: Path) -> None:
    """Make the first issue ten times as much, as somebody with the file could."""
    around_the_library(path, "UPDATE {journal} SET body = replace(body, '8000', '80000')")


def deleted_entry(path: Path) -> None:
    around_the_library(path, "DELETE FROM {journal} WHERE body LIKE '%restore%'")


def around_the_library(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (trigger,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        (journal,) = [n for n, sql in tables.fetchall() if "body" in sql and "digest" in sql]
        changed = connection.execute(statement.format(journal=journal)).rowcount
    connection.close()
    assert changed


def secret_gift(path: Path) -> None:
    """Issue value through the library that no receipt of the story knows of."""
    storage = SQLiteStorage(path)
    clock = SettableClock(Story(storage).clock() + timedelta(days=100))
    StoreCredit(storage, MERCHANT, clock=clock).issue(
        CUSTOMER, Money.of("5.00", "USD"), funding="goodwill", key="gift"
    )
    storage.close()


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (edited_journal, "digest"),
        (deleted_entry, "the account row says version"),
        (secret_gift, "issued USD: 8000 minor units by the receipts, 8500 by the journals"),
    ],
)
def test_a_tampered_ledger_ends_the_demo_with_3(
    tamper: Callable[[Path], None],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "told.db"

    def told_and_tampered(story: Story) -> None:
        tell(story)
        tamper(path)

    monkeypatch.setattr("storecredit.cli.demo.tell", told_and_tampered)
    assert run(["demo", "--db", str(path)]) == 3
    out, err = capsys.readouterr()
    assert "Everything reconciles" not in out
    assert "PROBLEM: " in err
    assert said in err


def test_a_receipt_that_lies_does_not_reconcile(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story(MemoryStorage())
    tell(story)
    assert audit(story) == []
    story.expired -= Money.of("0.01", "EUR")
    assert audit(story) == ["expired EUR: 2499 minor units by the receipts, 2500 by the journals"]
