"""What was erased is gone from the file and from the log beside it (A14)."""

from __future__ import annotations

from pathlib import Path

import pytest

from storecredit import Money, Receipt, StoreCredit
from storecredit.storage import SQLiteStorage

SECRET = "555-0100-4711"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def opened(path: Path) -> StoreCredit:
    return StoreCredit(SQLiteStorage(path), "acme")


def noted(credit: StoreCredit, key: str, note: str = SECRET) -> Receipt:
    money = Money.of("5.00", "USD")
    return credit.issue("anna", money, funding="goodwill", key=key, note=note)


def places(path: Path) -> list[str]:
    """The files beside *path* in which the text stands."""
    return sorted(
        file.name for file in path.parent.iterdir() if SECRET.encode() in file.read_bytes()
    )


def test_a14_what_was_erased_is_in_neither_file_when_nobody_reads(path: Path) -> None:
    credit = opened(path)
    entry = noted(credit, "k").entry_id
    assert places(path) == ["shop.db-wal"]
    assert credit.erase(entry) == 1
    assert places(path) == []
    assert credit.verify().ok


def test_a14_text_that_had_reached_the_file_is_overwritten_there(path: Path) -> None:
    credit = opened(path)
    entry = noted(credit, "k").entry_id
    credit.storage.close()
    assert places(path) == ["shop.db"]
    opened(path).erase(entry)
    assert places(path) == []


def test_a14_while_somebody_reads_the_text_stays_until_the_next_transaction(path: Path) -> None:
    credit, other = opened(path), opened(path)
    entry = noted(credit, "k").entry_id
    with other.storage.snapshot() as reader:
        account = reader.account("acme", "anna", "USD")
        assert account is not None
        credit.erase(entry)
        (seen,) = reader.journal(account)
        assert seen.context.note == SECRET
        noted(credit, "k2", "nothing special")
    assert places(path) == ["shop.db-wal"]
    noted(credit, "k3", "nothing special")
    assert places(path) == []
    assert [entry.context.note for entry in credit.journal("anna", "USD")] == [
        None,
        "nothing special",
        "nothing special",
    ]


def test_a14_an_erasure_that_was_undone_leaves_the_log_alone(path: Path) -> None:
    credit = opened(path)
    entry = noted(credit, "k").entry_id

    def erase_and_break_off() -> None:
        with credit.storage.transaction() as work:
            account = work.account("acme", "anna", "USD")
            assert account is not None
            assert work.erase(account, 1, ("note",)) == 1
            raise InterruptedError

    with pytest.raises(InterruptedError):
        erase_and_break_off()
    assert places(path) == ["shop.db-wal"]
    credit.erase(entry)
    assert places(path) == []
