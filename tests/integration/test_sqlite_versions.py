"""Versions of the SQLite file: upgrades that are whole or not at all, and made once."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storecredit import Money, StoreCredit
from storecredit.errors import StorageUnusable, StoreCreditError
from storecredit.storage import SQLiteStorage
from storecredit.testing import SettableClock

VERSION_1 = Path(__file__).parent / "test_sqlite_version_1.sql"


def test_a_file_of_version_1_is_upgraded_and_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    version_1(path)
    clock = SettableClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    credit = StoreCredit(SQLiteStorage(path), merchant="acme", clock=clock)
    assert user_version(path) == 2
    assert str(credit.wallet("c-17").available) == "USD 13.00"
    assert credit.verify().ok
    assert credit.verify().entries == 5
    clock.advance(timedelta(hours=24))
    assert credit.release_lapsed().accounts == 1, "what version 2 has added is used"
    assert str(credit.wallet("c-17").available) == "USD 15.00"
    assert credit.verify().ok
    credit.storage.close()
    assert schema_of(path) == schema_of(new_file(tmp_path))


def test_an_upgrade_that_is_broken_off_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop.db"
    version_1(path)
    before = schema_of(path)
    with monkeypatch.context() as broken:
        steps = "storecredit.storage.sqlite._opening.STEPS"
        second = "CREATE INDEX first_half ON holds (placed_at);\nCREATE INDEX second_half ON nowhere (x);"
        broken.setattr(steps, ("", second))
        with pytest.raises(StorageUnusable):
            SQLiteStorage(path)
    assert user_version(path) == 1
    assert schema_of(path) == before
    assert StoreCredit(SQLiteStorage(path), merchant="acme").verify().ok


def test_several_openers_make_the_tables_once(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    opened_by: list[str] = []
    gate = threading.Barrier(8)

    def open_it() -> None:
        gate.wait()
        try:
            SQLiteStorage(path).close()
            opened_by.append("opened")
        except StoreCreditError as error:
            opened_by.append(str(error))

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened_by == ["opened"] * 8


def test_a_process_that_is_too_old_for_an_upgrade_made_meanwhile_stops(
    tmp_path: Path,
) -> None:
    credit = StoreCredit(SQLiteStorage(tmp_path / "shop.db"), merchant="acme")
    five = Money.of("5.00", "USD")
    credit.issue("c-17", five, funding="refund", key="return-1001")
    newer = sqlite3.connect(tmp_path / "shop.db")
    newer.execute("PRAGMA user_version = 3")
    newer.close()
    for use in (lambda: credit.redeem("c-17", five, key="order-1"), lambda: credit.wallet("c-17")):
        with pytest.raises(StorageUnusable, match="version 3, and this library knows up to 2"):
            use()


def version_1(path: Path) -> None:
    """Make the file of `test_sqlite_version_1.sql`: as the library wrote it before version 2."""
    other = sqlite3.connect(path)
    other.executescript(VERSION_1.read_text(encoding="utf-8"))
    other.close()


def new_file(folder: Path) -> Path:
    path = folder / "new.db"
    SQLiteStorage(path).close()
    return path


def user_version(path: Path) -> int:
    other = sqlite3.connect(path)
    (version,) = other.execute("PRAGMA user_version").fetchone()
    other.close()
    return int(version)


def schema_of(path: Path) -> list[tuple[str, str]]:
    other = sqlite3.connect(path)
    rows = other.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL").fetchall()
    other.close()
    return sorted((name, " ".join(sql.split())) for name, sql in rows)
