"""What the row of a wallet says of a merger is compared with the journals (A17, S6, A14)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from storecredit import Money, StoreCredit
from storecredit.storage import SQLiteStorage


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Anna with two accounts, who was merged into Ben; and Carl."""
    file = tmp_path / "shop.db"
    storage = SQLiteStorage(file)
    credit = StoreCredit(storage, "acme")
    credit.issue("anna", usd("5.00"), funding="refund", key="a1")
    credit.issue("anna", Money.of("5.00", "EUR"), funding="refund", key="a1")
    credit.issue("ben", usd("7.00"), funding="refund", key="b1")
    credit.issue("carl", usd("9.00"), funding="refund", key="c1")
    credit.merge("anna", "ben", key="m")
    assert credit.verify().ok
    storage.close()
    return file


def change(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def wallet_of(path: Path, holder: str) -> str:
    with SQLiteStorage(path).snapshot() as reader:
        found = reader.wallet("acme", holder)
    assert found is not None
    return found.id


def problems(path: Path) -> list[tuple[str, str]]:
    found = StoreCredit(SQLiteStorage(path), "acme").verify().problems
    return [(problem.account, problem.what) for problem in found]


def test_a14_a_wallet_that_is_filed_as_merged_elsewhere_is_named(path: Path) -> None:
    anna, ben, carl = (wallet_of(path, holder) for holder in ("anna", "ben", "carl"))
    change(path, "UPDATE wallets SET merged_into = ? WHERE holder = 'anna'", carl)
    what = (
        f"the row of its wallet says merged into {carl}, "
        f"and the journal that it was merged into {ben}"
    )
    assert problems(path) == [(f"{anna}.EUR", what), (f"{anna}.USD", what)]


def test_a14_a_wallet_that_is_no_longer_filed_as_merged_is_named(path: Path) -> None:
    anna, ben = wallet_of(path, "anna"), wallet_of(path, "ben")
    change(path, "UPDATE wallets SET merged_into = NULL WHERE holder = 'anna'")
    what = f"the row of its wallet says not merged, and the journal that it was merged into {ben}"
    assert problems(path) == [(f"{anna}.EUR", what), (f"{anna}.USD", what)]


def test_a14_a_wallet_that_nobody_merged_is_named(path: Path) -> None:
    ben, carl = wallet_of(path, "ben"), wallet_of(path, "carl")
    change(path, "UPDATE wallets SET merged_into = ? WHERE holder = 'carl'", ben)
    what = f"the row of its wallet says merged into {ben}, and the journal that it was not"
    assert problems(path) == [(f"{carl}.USD", what)]


@pytest.mark.parametrize("holder", ["anna", "carl"])
def test_s6_rebuilding_puts_the_mergers_right(path: Path, holder: str) -> None:
    ben = wallet_of(path, "ben")
    change(
        path,
        "UPDATE wallets SET merged_into = ? WHERE holder = ?",
        None if holder == "anna" else ben,
        holder,
    )
    credit = StoreCredit(SQLiteStorage(path), "acme")
    assert not credit.verify().ok
    credit.rebuild()
    assert credit.verify().ok
    assert str(credit.wallet("anna").available) == str(credit.wallet("ben").available)
    assert str(credit.wallet("carl").available) == "USD 9.00"


def test_a18_a_name_is_a_label_that_no_check_covers(path: Path) -> None:
    change(path, "UPDATE wallets SET holder = 'dora' WHERE holder = 'carl'")
    assert problems(path) == []
