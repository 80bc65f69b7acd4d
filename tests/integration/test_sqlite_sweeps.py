"""One account that cannot be read keeps no other from being swept (A5, A6, S6)."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storecredit import Money, Period, StoreCredit
from storecredit.errors import JournalBroken
from storecredit.storage import SQLiteStorage
from storecredit.testing import SettableClock

HOLDERS = tuple(f"h{number}" for number in range(6))


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


class Scene:
    """Six accounts in a file, each with value that expires and a hold that lapses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = SettableClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
        self.credit = StoreCredit(SQLiteStorage(path), "acme", clock=self.clock)
        for holder in HOLDERS:
            self.credit.issue(
                holder, usd("5.00"), funding="goodwill", expires=Period(days=9), key="i"
            )
            self.credit.hold(holder, usd("1.00"), lapses=Period(days=1), key="h")

    def change(self, statement: str) -> None:
        connection = sqlite3.connect(self.path)
        connection.execute(statement)
        connection.commit()
        connection.close()

    def swept(self, kind: str) -> int:
        connection = sqlite3.connect(self.path)
        query = "SELECT count(*) FROM entries WHERE json_extract(body, '$.kind') = ?"
        (count,) = connection.execute(query, (kind,)).fetchone()
        connection.close()
        return int(count)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "shop.db")


@pytest.mark.parametrize("batch", [1, 2, 4, 500])
@pytest.mark.parametrize("number", [1, 3, 6])
def test_a5_a_lot_that_cannot_be_read_stops_no_other_account(
    scene: Scene, batch: int, number: int
) -> None:
    scene.change(f"UPDATE lots SET funding = 'x' WHERE account = {number}")
    scene.clock.advance(timedelta(days=10))
    for _ in range(2):
        with pytest.raises(JournalBroken) as refused:
            scene.credit.expire_due(batch=batch)
        assert refused.value.problem == "the row of a lot cannot be read"
    assert scene.swept("expire") == 5


def test_a6_a_hold_that_cannot_be_read_stops_no_other_account(scene: Scene) -> None:
    scene.change("UPDATE holds SET draws = 'x' WHERE account IN (1, 4)")
    scene.clock.advance(timedelta(days=2))
    seen: list[int] = []
    with pytest.raises(JournalBroken):
        scene.credit.release_lapsed(batch=2, progress=seen.append)
    assert scene.swept("lapse") == 4
    assert seen[-1] == 4


def test_s1_a_batch_with_an_entry_that_the_tables_refuse_is_done_again_without_it(
    scene: Scene,
) -> None:
    # The lot holds more than the account says that there is: its expiry breaks conservation.
    scene.change("UPDATE lots SET amount = 9000, remaining = 9000 WHERE account = 3")
    scene.clock.advance(timedelta(days=10))
    with pytest.raises(JournalBroken):
        scene.credit.expire_due(batch=4)
    assert scene.swept("expire") == 5
    found = {problem.account for problem in scene.credit.verify().problems}
    assert len(found) == 1


def test_a5_nothing_is_raised_where_nothing_is_broken(scene: Scene) -> None:
    scene.clock.advance(timedelta(days=10))
    assert scene.credit.expire_due(batch=4).accounts == 6
    assert scene.credit.expire_due().accounts == 0
