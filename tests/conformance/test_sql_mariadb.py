"""What only MariaDB and MySQL can show: snapshots that are too old, modes that cut texts, kills."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text

from storecredit import Money, StoreCredit
from storecredit.errors import InsufficientCredit, StorageUnusable
from storecredit.storage.sql import SQLStorage, TransactionInterrupted, create
from storecredit.storage.sql._wire import OneByOne


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture
def engine(mariadb_url: str) -> Iterator[Engine]:
    engine = create_engine(mariadb_url)
    create(engine)
    yield engine
    engine.dispose()


def shop(engine: Engine) -> StoreCredit:
    credit = StoreCredit(SQLStorage(engine), "acme", sleep=lambda _: None)
    credit.issue("anna", usd("5.00"), funding="refund", key="a1")
    return credit


def statements(engine: Engine, monkeypatch: pytest.MonkeyPatch, work: Any) -> list[str]:
    """What is sent while *work* runs, each statement by its first words."""
    sent: list[str] = []
    run = OneByOne.run

    def noted(self: OneByOne, steps: Any) -> Any:
        sent.extend(" ".join(step.statement.sql.split()[:2]) for step in steps)
        return run(self, steps)

    with monkeypatch.context() as patched:
        patched.setattr(OneByOne, "run", noted)
        work()
    return sent


def test_s5_a_redeem_sends_each_statement_once_and_none_that_is_not_needed(
    monkeypatch: pytest.MonkeyPatch, mariadb_url: str
) -> None:
    engine = create_engine(mariadb_url, isolation_level="READ COMMITTED")
    create(engine)
    credit = shop(engine)
    sent = statements(engine, monkeypatch, lambda: credit.redeem("anna", usd("1.00"), key="b1"))
    assert sent == [
        "SELECT storecredit_accounts.wallet,",
        "SELECT storecredit_lots.wallet,",
        "SELECT storecredit_entries.wallet,",
        "UPDATE storecredit_accounts",
        "INSERT INTO",
        # Behind the entry, its row that waits for a place in the feed.
        "INSERT INTO",
        "UPDATE storecredit_lots",
        "COMMIT",
    ]
    engine.dispose()


def test_s2_transactions_of_our_own_read_what_is_committed_whatever_the_session_does(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    credit = shop(engine)
    sent = statements(engine, monkeypatch, lambda: credit.redeem("anna", usd("1.00"), key="b1"))
    assert sent[0] == "SET TRANSACTION"


@pytest.mark.parametrize(
    "level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"]
)
def test_s2_spenders_at_any_level_of_isolation_take_what_there_is(
    mariadb_url: str, level: Any
) -> None:
    engine = create_engine(mariadb_url, isolation_level=level)
    create(engine)
    credit = StoreCredit(SQLStorage(engine), "acme", attempts=60, sleep=lambda _: None)
    credit.issue("anna", usd("5.00"), funding="refund", key="a1")
    taken: list[int] = []

    def spend(racer: int) -> None:
        for number in range(5):
            with contextlib.suppress(InsufficientCredit):
                key = f"{racer}/{number}"
                receipt = credit.redeem("anna", usd("0.70"), key=key, taking="up_to")
                taken.append(receipt.amount.minor)

    threads = [threading.Thread(target=spend, args=(racer,)) for racer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 500
    assert credit.verify().ok
    engine.dispose()


def test_s5_a_connection_that_is_killed_in_the_middle_of_a_command_is_replaced(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, mariadb_url: str
) -> None:
    credit = shop(engine)
    run, calls = OneByOne.run, 0

    def killing_before_the_second(self: OneByOne, steps: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            kill_all(mariadb_url)
        return run(self, steps)

    with monkeypatch.context() as patched:
        patched.setattr(OneByOne, "run", killing_before_the_second)
        receipt = credit.redeem("anna", usd("1.00"), key="b1")
    assert not receipt.replayed
    assert str(credit.wallet("anna").available) == "USD 4.00"
    assert credit.verify().entries == 2


def kill_all(url: str) -> None:
    """Kill every other connection to this database."""
    other = create_engine(url)
    with other.connect() as connection:
        found = connection.execute(
            text(
                "SELECT id FROM information_schema.processlist"
                " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            )
        ).all()
        for (number,) in found:
            connection.execute(text(f"KILL CONNECTION {number}"))
    other.dispose()


def test_s5_a_lock_that_is_not_to_be_had_in_time_may_be_tried_again(
    engine: Engine, mariadb_url: str
) -> None:
    credit = shop(engine)
    hasty = create_engine(
        mariadb_url, connect_args={"init_command": "SET innodb_lock_wait_timeout = 1"}
    )
    other = StoreCredit(SQLStorage(hasty), "acme", sleep=lambda _: None, attempts=1)
    with SQLStorage(engine).transaction() as work:
        assert work.account("acme", "anna", "USD") is not None
        with pytest.raises(TransactionInterrupted, match="a lock was not to be had in time"):
            other.redeem("anna", usd("1.00"), key="b1")
    other.redeem("anna", usd("1.00"), key="b1")
    assert str(credit.wallet("anna").available) == "USD 4.00"
    hasty.dispose()


def test_v2_a_server_that_cuts_what_does_not_fit_is_refused(mariadb_url: str) -> None:
    lax = create_engine(mariadb_url)

    @event.listens_for(lax, "connect")
    def loosen(connection: Any, _: Any) -> None:
        connection.cursor().execute("SET SESSION sql_mode = ''")

    create(lax)
    with pytest.raises(StorageUnusable, match="STRICT_TRANS_TABLES"):
        shop(lax)
    lax.dispose()


def test_a18_a_connection_that_cannot_write_every_text_is_refused(
    engine: Engine, mariadb_url: str
) -> None:
    shop(engine)
    narrow = create_engine(mariadb_url.partition("?")[0] + "?charset=latin1")
    with pytest.raises(StorageUnusable, match="latin1"):
        StoreCredit(SQLStorage(narrow), "acme").redeem("anna", usd("1.00"), key="b1")
    narrow.dispose()
