"""Whatever is changed around the library in an SQLite file, `verify` reports and names it (A14, S6)."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storecredit import CustomUnit, Limits, Merchant, Money, Period, StoreCredit
from storecredit.service import About, Anchor, Problem, Verification
from storecredit.storage import Reader, SQLiteStorage, UnitOfWork
from storecredit.storage.sqlite._reading import Reading
from storecredit.testing import SettableClock
from storecredit.values import ExchangeRate

PTS = CustomUnit("PTS", 0)
ACME = Merchant(id="acme", units=(PTS,))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_ID = uuid.UUID("6f1c2a34-0000-4000-8000-000000000001")
CHECKED = ("entries", "accounts", "lots", "holds", "restored", "private")

# What says nothing about an account: the row number that other rows refer to is checked by them.
UNCHECKED = frozenset({("private", "account")})


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def tell_the_story(credit: StoreCredit, clock: SettableClock) -> None:
    """A small ledger through public verbs, with every kind of row in it."""
    who: About = {
        "actor": "Mia",
        "reason": "asked by phone",
        "note": "is angry",
        "data": {"call": "7"},
    }
    bought = credit.issue(
        "anna", usd("20.00"), funding="purchased", paid=usd("18.00"), key="top-up", actor="Mia"
    )
    credit.issue(
        "anna",
        usd("5.00"),
        funding="promotional",
        limits=Limits(categories=("shoes",)),
        expires=Period(days=10),
        priority=3,
        key="spring",
        note="spring sale",
    )
    credit.issue("anna", usd("8.00"), funding="refund", key="return-1", data={"rma": "1001"})
    spent = credit.redeem("anna", usd("22.00"), key="order-1", reference="order 1")
    credit.restore(spent.entry_id, amount=usd("6.00"), key="return-2")
    held = credit.hold("anna", usd("3.00"), key="order-2/hold", reference="order 2")
    credit.capture_part(held.hold_id, usd("1.00"), key="order-2/part")
    credit.hold("anna", usd("2.00"), key="order-3/hold")
    ended = credit.hold("anna", usd("1.00"), key="order-4/hold")
    credit.release(ended.hold_id, key="order-4/release")
    credit.set_limit("anna", "USD", usd("10.00"), key="limit", **who)
    credit.set_spenders("anna", "USD", ["anna", "bob"], key="spenders", **who)
    credit.revoke(bought.lot_id, amount=usd("1.00"), key="revoke", held="unheld_only", **who)
    clock.advance(timedelta(days=11))
    credit.expire_due()
    credit.issue("ben", usd("4.00"), funding="goodwill", key="sorry", actor="Mia")
    rate = ExchangeRate("USD", PTS, "100", on=NOON.date())
    credit.convert("ben", usd("1.00"), rate, rounding="down", key="to-points")
    credit.merge("ben", "carl", key="merge")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed file of the story."""
    path = tmp_path_factory.mktemp("told") / "shop.db"
    clock = SettableClock(NOON)
    credit = StoreCredit(SQLiteStorage(path), ACME, clock=clock)
    tell_the_story(credit, clock)
    assert credit.verify().ok
    credit.storage.close()
    return path


@pytest.fixture
def path(told: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    return Path(shutil.copy(told, tmp_path / "shop.db"))


def tampered_with(path: Path, *statements: str) -> None:
    """Change a file as somebody could who ignores the library and takes its guards away."""
    with contextlib.closing(unguarded(path)) as other:
        other.execute("BEGIN")
        for statement in statements:
            other.execute(statement)
        other.execute("COMMIT")


def unguarded(path: Path) -> sqlite3.Connection:
    """Open a file without the guards that the library has put into it."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA synchronous = OFF")
    other.execute("PRAGMA ignore_check_constraints = ON")
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for (name,) in other.execute(triggers).fetchall():
        other.execute(f"DROP TRIGGER {name}")
    return other


def verified(path: Path, anchors: dict[str, Anchor] | None = None) -> Verification:
    storage = SQLiteStorage(path)
    try:
        return StoreCredit(storage, ACME, clock=SettableClock(NOON)).verify(anchors=anchors)
    finally:
        storage.close()


def heads(path: Path) -> dict[str, Anchor]:
    storage = SQLiteStorage(path)
    try:
        return StoreCredit(storage, ACME).heads()
    finally:
        storage.close()


def accounts(path: Path) -> dict[int, str]:
    """The id of each account by the number of its row."""
    other = sqlite3.connect(path)
    rows = other.execute(
        "SELECT a.number, w.id || '.' || a.unit FROM accounts a JOIN wallets w ON w.number = a.wallet"
    ).fetchall()
    other.close()
    return dict(rows)


def number_of(path: Path, holder: str, unit: str) -> int:
    other = sqlite3.connect(path)
    (number,) = other.execute(
        "SELECT a.number FROM accounts a JOIN wallets w ON w.number = a.wallet"
        " WHERE w.holder = ? AND a.unit = ?",
        (holder, unit),
    ).fetchone()
    other.close()
    return int(number)


# -- every column of every row -------------------------------------------------------------


def wrong_values(value: object) -> Iterator[object]:
    """Values that are not *value*: near it, of another type, and absent."""
    match value:
        case int():
            yield value + 1
            yield value + 100
            yield "much"
        case str():
            yield _last_changed(value)
            yield value.encode()
            yield "" if value else "x"
        case bytes():
            yield bytes([value[0] ^ 1]) + value[1:]
            yield "x" * len(value)
        case None:
            yield 1
            yield "x"
    if value is not None:
        yield None


def _last_changed(text: str) -> str:
    """Change the last digit, or else the last letter, of *text*."""
    for is_one in (str.isdigit, str.isalpha):
        for place in range(len(text) - 1, -1, -1):
            if is_one(text[place]):
                other = "1" if text[place] != "1" else "2"
                return text[:place] + (other if is_one is str.isdigit else "q") + text[place + 1 :]
    return text + "x"


def mutations(path: Path, table: str) -> Iterator[tuple[int, str, object, dict[str, Any]]]:
    """Every wrong value of every column of every row: place, column, value, row."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.row_factory = sqlite3.Row
        rows = [dict(row) for row in other.execute(f"SELECT * FROM {table}")]
    for place, row in enumerate(rows):
        for column in row:
            if (table, column) not in UNCHECKED:
                for value in wrong_values(row[column]):
                    yield place, column, value, row


class Tampered:
    """A storage that reads a file with one change in it, which the next change takes back."""

    def __init__(self, path: Path) -> None:
        self.other = unguarded(path)

    def change(self, statement: str, values: tuple[object, ...]) -> None:
        if self.other.in_transaction:
            self.other.execute("ROLLBACK")
        self.other.execute("BEGIN")
        self.other.execute(statement, values)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reader]:
        yield Reading(self.other, {})

    def transaction(self) -> contextlib.AbstractContextManager[UnitOfWork]:
        raise NotImplementedError("what is tampered with is only read")

    def close(self) -> None:
        self.other.close()


def key_columns(table: str) -> tuple[str, ...]:
    return {
        "entries": ("account", "sequence"),
        "accounts": ("number",),
        "restored": ("account", "redemption", "move"),
        "private": ("account", "sequence", "field"),
    }.get(table, ("account", "id"))


@pytest.mark.parametrize("table", CHECKED)
def test_a_changed_column_is_reported_and_named(path: Path, table: str) -> None:
    names = accounts(path)
    storage = Tampered(path)
    credit = StoreCredit(storage, ACME)
    tried, missed = 0, []
    for place, column, value, row in mutations(path, table):
        keys = key_columns(table)
        statement = f"UPDATE {table} SET {column} = ? WHERE " + " AND ".join(
            f"{key} = ?" for key in keys
        )
        try:
            storage.change(statement, (value, *(row[key] for key in keys)))
        except sqlite3.IntegrityError:
            continue  # A second row of that name, or none: even without guards unstorable.
        tried += 1
        found = credit.verify()
        named = names[row["number" if table == "accounts" else "account"]]
        if not names_the_change(found.problems, named, table, column, row):
            missed.append(f"{table}[{place}].{column} = {value!r}: {found.problems}")
    storage.close()
    assert not missed, "\n".join(missed)
    assert tried >= {"entries": 300, "accounts": 250}.get(table, 10)


def names_the_change(
    problems: tuple[Problem, ...], named: str, table: str, column: str, row: dict[str, Any]
) -> bool:
    """Tell whether *problems* lead an auditor to the row."""
    if table == "accounts" and column in {"number", "wallet", "unit", "digits"}:
        # The account goes by another name then, and its journal by the old one.
        return bool(problems)
    about = [problem for problem in problems if problem.account == named]
    if table == "entries" and column not in {"account", "sequence"}:
        return any(problem.sequence == row["sequence"] for problem in about)
    if table == "entries":
        # The entry is missing where it was; whoever follows shows it, or the end of the journal.
        near = {row["sequence"], row["sequence"] + 1, row["sequence"] + 100}
        return any(problem.sequence in near for problem in about)
    if table == "private" and column != "sequence":
        return any(problem.sequence == row["sequence"] for problem in about)
    return bool(about)


# -- whole rows ----------------------------------------------------------------------------


def test_a_deleted_entry_is_missed_wherever_it_stood(told: Path, tmp_path: Path) -> None:
    anna = number_of(told, "anna", "USD")
    name = accounts(told)[anna]
    length = heads(told)[name].sequence
    assert length > 12
    for sequence in range(1, length + 1):
        path = Path(shutil.copy(told, tmp_path / "shop.db"))
        tampered_with(path, f"DELETE FROM entries WHERE account = {anna} AND sequence = {sequence}")
        found = {(p.account, p.sequence) for p in verified(path).problems}
        assert found & {(name, sequence), (name, sequence + 1)}, (sequence, found)


def test_a_journal_whose_numbers_close_up_after_a_deletion_is_named(path: Path) -> None:
    anna = number_of(path, "anna", "USD")
    tampered_with(
        path,
        f"DELETE FROM entries WHERE account = {anna} AND sequence = 4",
        f"UPDATE entries SET sequence = sequence - 100 WHERE account = {anna} AND sequence > 4",
        f"UPDATE entries SET sequence = sequence + 99 WHERE account = {anna} AND sequence < 0",
    )
    (problem,) = verified(path).problems
    assert (problem.account, problem.sequence) == (accounts(path)[anna], 4)


def test_reordered_entries_are_named(path: Path) -> None:
    anna = number_of(path, "anna", "USD")
    swap = "UPDATE entries SET sequence = {} WHERE account = {} AND sequence = {}"
    tampered_with(
        path, swap.format(1000, anna, 2), swap.format(2, anna, 3), swap.format(3, anna, 1000)
    )
    (problem,) = verified(path).problems
    assert (problem.account, problem.sequence) == (accounts(path)[anna], 2)


def test_a_duplicated_entry_is_named(path: Path) -> None:
    anna = number_of(path, "anna", "USD")
    end = heads(path)[accounts(path)[anna]].sequence
    tampered_with(
        path,
        "INSERT INTO entries SELECT account, sequence + 1, zeroblob(16), key || 'x', body, digest"
        f" FROM entries WHERE account = {anna} AND sequence = {end}",
        f"UPDATE accounts SET version = version + 1 WHERE number = {anna}",
    )
    (problem,) = verified(path).problems
    assert (problem.account, problem.sequence) == (accounts(path)[anna], end + 1)


def test_entries_swapped_between_accounts_are_named_in_both(path: Path) -> None:
    names = accounts(path)
    anna, ben = number_of(path, "anna", "USD"), number_of(path, "ben", "USD")
    swap = "UPDATE entries SET account = {} WHERE account = {} AND sequence = 1"
    # Lets the rows stand under no account for a moment.
    tampered_with(
        path,
        "PRAGMA foreign_keys = OFF",
        swap.format(999, anna),
        swap.format(anna, ben),
        swap.format(ben, 999),
    )
    found = {(problem.account, problem.sequence) for problem in verified(path).problems}
    assert found == {(names[anna], 1), (names[ben], 1)}


@pytest.mark.parametrize("table", ["lots", "holds", "restored"])
def test_a_deleted_state_row_is_reported(path: Path, table: str) -> None:
    anna = number_of(path, "anna", "USD")
    tampered_with(path, f"DELETE FROM {table} WHERE account = {anna}")
    problems = verified(path).problems
    assert [problem.account for problem in problems] == [accounts(path)[anna]]
    assert table in problems[0].what


def test_a_private_field_that_was_erased_is_counted_and_no_problem(path: Path) -> None:
    before = verified(path)
    tampered_with(path, "DELETE FROM private WHERE field = 'note'")
    after = verified(path)
    assert after.ok
    assert after.erased > before.erased == 0


def test_a_private_field_that_nobody_gave_is_named(path: Path) -> None:
    anna = number_of(path, "anna", "USD")
    tampered_with(path, f"INSERT INTO private VALUES ({anna}, 4, 'actor', 'ab', '\"Eve\"')")
    (problem,) = verified(path).problems
    assert (problem.account, problem.sequence) == (accounts(path)[anna], 4)
    assert "actor" in problem.what


def test_a_private_field_of_an_entry_that_is_not_there_is_named(path: Path) -> None:
    anna = number_of(path, "anna", "USD")
    tampered_with(path, f"INSERT INTO private VALUES ({anna}, 500, 'actor', 'ab', '\"Eve\"')")
    (problem,) = verified(path).problems
    assert (problem.account, problem.sequence) == (accounts(path)[anna], 500)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM accounts WHERE wallet = (SELECT number FROM wallets WHERE holder = 'anna')",
        "DELETE FROM wallets WHERE holder = 'anna'",
    ],
    ids=["account", "wallet"],
)
def test_a_journal_without_its_account_is_named(path: Path, statement: str) -> None:
    name = accounts(path)[number_of(path, "anna", "USD")]
    tampered_with(path, statement)
    problems = [problem.what for problem in verified(path).problems if problem.account == name]
    assert problems == ["its journal has no account row"]


# -- what only anchors can show ------------------------------------------------------------


def test_a_truncation_with_matching_state_is_shown_by_anchors_alone(
    told: Path, tmp_path: Path
) -> None:
    path = tmp_path / "shop.db"
    clock = SettableClock(NOON)
    credit = StoreCredit(SQLiteStorage(path), ACME, clock=clock)
    credit.issue("anna", usd("20.00"), funding="refund", key="return-1")
    credit.storage.close()
    before = Path(shutil.copy(path, tmp_path / "before.db"))
    credit.redeem("anna", usd("5.00"), key="order-1")
    anchors = credit.heads()
    credit.storage.close()
    # The file of yesterday is a perfect ledger; only whoever kept today's heads knows better.
    assert verified(before).ok
    (problem,) = verified(before, anchors).problems
    assert (problem.account, problem.sequence) == (next(iter(anchors)), 2)


def test_a_journal_that_was_written_anew_is_shown_by_anchors_alone(tmp_path: Path) -> None:
    found = []
    for file, amount in (("true.db", "20.00"), ("false.db", "2.00")):
        credit = StoreCredit(
            SQLiteStorage(tmp_path / file),
            ACME,
            clock=SettableClock(NOON),
            new_id=lambda: NOON_ID,
        )
        credit.issue("anna", usd(amount), funding="refund", key="return-1")
        found.append(credit.heads())
        credit.storage.close()
    true, false = found
    assert list(true) == list(false)
    assert verified(tmp_path / "false.db").ok
    (problem,) = verified(tmp_path / "false.db", true).problems
    assert (problem.account, problem.sequence) == (next(iter(true)), 1)
    assert "anchored" in problem.what


def test_an_account_that_is_gone_without_a_trace_is_shown_by_anchors_alone(path: Path) -> None:
    anchors = heads(path)
    carl = number_of(path, "carl", "PTS")
    name = accounts(path)[carl]
    tampered_with(
        path,
        "PRAGMA foreign_keys = OFF",
        *(
            f"DELETE FROM {table} WHERE account = {carl}"
            for table in ("lots", "holds", "restored", "private", "entries")
        ),
        f"DELETE FROM accounts WHERE number = {carl}",
    )
    assert verified(path).ok
    (problem,) = verified(path, anchors).problems
    assert (problem.account, problem.what) == (name, "an anchor names it, and it is gone")


# -- rebuilding ----------------------------------------------------------------------------


def test_state_that_was_tampered_with_is_rebuilt_from_the_journal(path: Path) -> None:
    anna = number_of(path, "anna", "USD")
    tampered_with(
        path,
        f"UPDATE lots SET remaining = remaining + 1, amount = amount + 1 WHERE account = {anna}",
        f"DELETE FROM holds WHERE account = {anna}",
        f"UPDATE restored SET amount = 1 WHERE account = {anna}",
        f"UPDATE accounts SET balance = balance + 5 WHERE number = {anna}",
    )
    assert not verified(path).ok
    storage = SQLiteStorage(path)
    assert StoreCredit(storage, ACME).rebuild() == 5
    storage.close()
    assert verified(path).ok
