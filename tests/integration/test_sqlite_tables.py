"""The tables: a state that cannot be is unstorable, and journal rows stay as they are (A2, S4, S6)."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from storecredit import Money, StoreCredit
from storecredit.errors import JournalBroken
from storecredit.ledger import NO_CONTEXT, Issue, Merchant, decide
from storecredit.storage import MemoryStorage, SQLiteStorage

FIVE = Money.of("5.00", "USD")


def opened(path: Path) -> StoreCredit:
    return StoreCredit(SQLiteStorage(path), merchant="acme")


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE entries SET body = body", "never changed"),
        ("UPDATE entries SET digest = zeroblob(32)", "never changed"),
        ("DELETE FROM entries", "never deleted"),
        ("UPDATE private SET value = '\"somebody else\"'", "never changed"),
        ("UPDATE lots SET held = -1", "held BETWEEN 0"),
        ("UPDATE lots SET remaining = -1", "remaining BETWEEN 0"),
        ("UPDATE lots SET held = remaining + 1", "held <= remaining"),
        ("UPDATE lots SET remaining = amount + 1", "remaining <= amount"),
        ("UPDATE lots SET remaining = 'much'", "remaining BETWEEN 0"),
        ("UPDATE lots SET is_open = 0", "is_open"),
        ("UPDATE accounts SET balance = -1", "balance BETWEEN 0"),
        ("UPDATE accounts SET balance = balance + 1", "CHECK"),
        ("UPDATE accounts SET redeemed = redeemed + 1", "CHECK"),
        ("UPDATE accounts SET issued = issued + 4294967296", "CHECK"),
        ("UPDATE accounts SET held = balance + 1", "held <= balance"),
        ("UPDATE accounts SET owed_settled = 1", "owed_incurred - owed_settled"),
        ("UPDATE accounts SET version = 0", "version >= 1"),
        (
            (
                "INSERT INTO entries SELECT account, sequence, zeroblob(16), 'new', body, digest"
                " FROM entries"
            ),
            "UNIQUE constraint failed: entries.account, entries.sequence",
        ),
        (
            (
                "INSERT INTO entries SELECT account, sequence + 10, zeroblob(16), key, body, digest"
                " FROM entries"
            ),
            "UNIQUE constraint failed: entries.account, entries.key",
        ),
        (
            (
                "INSERT INTO entries SELECT account, sequence + 10, id, 'new', body, digest"
                " FROM entries"
            ),
            "UNIQUE constraint failed: entries.account, entries.id",
        ),
        (
            (
                "INSERT INTO accounts SELECT number + 1, wallet, unit, digits, version, head, last_at,"
                " issued, adjusted_up, reinstated, restored, transferred_in, redeemed, expired,"
                " revoked, adjusted_down, settled, cashed_out, transferred_out, owed_incurred,"
                " owed_settled, owed_reversed, balance, held, owed_held, status, credit_limit,"
                " spenders, merged_into FROM accounts"
            ),
            "UNIQUE constraint failed: accounts.wallet, accounts.unit",
        ),
        (
            "INSERT INTO wallets SELECT number + 1, 'other', merchant, holder, NULL FROM wallets",
            "UNIQUE constraint failed: wallets.merchant, wallets.holder",
        ),
    ],
)
def test_a_state_that_cannot_be_is_unstorable(tmp_path: Path, statement: str, refusal: str) -> None:
    path = tmp_path / "shop.db"
    credit = opened(path)
    credit.issue("c-17", FIVE, funding="refund", key="return-1001", actor="Mia")
    credit.storage.close()
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match=re.escape(refusal)):
        other.execute(statement)
    other.close()
    assert opened(path).verify().ok


def test_replacing_a_journal_row_is_refused_on_connections_of_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connections_made(monkeypatch)
    credit = opened(tmp_path / "shop.db")
    credit.issue("c-17", FIVE, funding="refund", key="return-1001")
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        made[0].execute("REPLACE INTO entries SELECT * FROM entries")
    credit.storage.close()


def test_conservation_is_exact_for_the_largest_amounts(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    credit = opened(path)
    most = Money.of_minor(2**63 - 1, "USD")
    credit.issue("c-17", most, funding="refund", key="i")
    spending = credit.redeem("c-17", most, key="r1")
    credit.restore(spending.entry_id, key="b1")
    credit.hold("c-17", most, key="h1")
    assert credit.verify().ok
    credit.storage.close()
    other = sqlite3.connect(path)
    for wrong in ("balance = balance - 1", "restored = restored - 1", "issued = issued - 1"):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            other.execute(f"UPDATE accounts SET {wrong}, held = 0")
    other.close()


def test_a_change_that_breaks_a_bound_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    memory = StoreCredit(MemoryStorage(), merchant="acme")
    memory.issue("c-17", FIVE, funding="refund", key="return-1001")
    with memory.storage.snapshot() as reader:
        wallet = reader.wallet("acme", "c-17")
        account = reader.account("acme", "c-17", "USD")
    assert wallet is not None
    assert account is not None
    storage = SQLiteStorage(tmp_path / "shop.db")
    with storage.transaction() as work:
        work.add_wallet(wallet)
    fresh = account.new(account.id, "acme", "c-17", account.unit)
    change = decide(
        fresh,
        Issue(amount=FIVE, funding="refund"),
        merchant=Merchant(id="acme"),
        key="return-1001",
        at=account.last_at or pytest.fail("an account with an entry has a time"),
        context=NO_CONTEXT,
        salt=lambda: b"",
    )
    assert change is not None
    change.account.totals["balance"] += 1
    refused = pytest.raises(JournalBroken, match="breaks conservation or a bound")
    with refused, storage.transaction() as work:
        work.append(change)
    with storage.snapshot() as reader:
        assert reader.account("acme", "c-17", "USD") is None
    storage.close()


def connections_made(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Record the connections that are opened from now on."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recording(*args: object, **options: object) -> sqlite3.Connection:
        made.append(connect(*args, **options))  # type: ignore[call-overload]  # passed on as given
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", recording)
    return made
