"""What only PostgreSQL can show: round trips, pipelines, lost backends, levels of isolation."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from storecredit import Limits, Money, StoreCredit
from storecredit.errors import InsufficientCredit, StorageUnusable
from storecredit.service import Grant
from storecredit.storage.sql import SQLStorage, TransactionInterrupted, create
from storecredit.storage.sql import _own as own
from storecredit.storage.sql._catalogue import catalogue_for
from storecredit.storage.sql._compiled import verb
from storecredit.storage.sql._failures import Failure, Kind
from storecredit.storage.sql._pipeline import Pipelined
from storecredit.storage.sql._wire import Step, Wire


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    create(engine)
    yield engine
    engine.dispose()


def shop(engine: Engine) -> StoreCredit:
    """Anna has five dollars in two lots; whatever is prepared once has been."""
    credit = StoreCredit(SQLStorage(engine), "acme", sleep=lambda _: None)
    for number in (1, 2):
        credit.issue("anna", usd("2.50"), funding="refund", key=f"a{number}")
    return credit


# --- Round trips ------------------------------------------------------------------------


def trips(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> int:
    """Count how often a command waits for the server."""
    wires: list[Wire] = []
    made = own.wire_to

    def noted(*arguments: Any) -> Wire:
        wires.append(made(*arguments))
        return wires[-1]

    with monkeypatch.context() as patched:
        patched.setattr(own, "wire_to", noted)
        work()
    return sum(wire.trips for wire in wires)


def test_s5_a_command_is_two_round_trips(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    credit = shop(engine)
    hold = credit.hold("anna", usd("1.10"), key="a3").hold_id
    lot = credit.wallet("anna").accounts[0].lots[-1].id
    commands: dict[str, Callable[[], Any]] = {
        "redeem": lambda: credit.redeem("anna", usd("0.10"), key="b1"),
        "redeem of two lots": lambda: credit.redeem("anna", usd("1.60"), key="b2"),
        "redeem of a named lot": lambda: credit.redeem("anna", usd("0.10"), lot=lot, key="b3"),
        "redeem with an actor": lambda: credit.redeem("anna", usd("0.10"), key="b4", actor="Mia"),
        "hold": lambda: credit.hold("anna", usd("0.10"), key="b5"),
        "capture": lambda: credit.capture(hold, key="b6"),
        "issue": lambda: credit.issue("anna", usd("0.10"), funding="refund", key="b7"),
        "a refusal, with its rollback": lambda: refused(credit),
    }
    assert {
        name: trips(monkeypatch, command) for name, command in commands.items()
    } == dict.fromkeys(commands, 2)


def refused(credit: StoreCredit) -> None:
    with pytest.raises(InsufficientCredit):
        credit.redeem("anna", usd("99.00"), key="refused")


def test_s5_the_first_entry_of_somebody_new_asks_for_the_wallet_too(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    credit = shop(engine)

    def issue() -> None:
        credit.issue("ben", usd("1.00"), funding="refund", key="b1")

    assert trips(monkeypatch, issue) == 3


def test_s1_what_is_more_than_the_sockets_hold_goes_both_ways_at_once(engine: Engine) -> None:
    credit = shop(engine)
    limits = Limits(categories=tuple(f"category {number:150}" for number in range(250)))
    grants = [
        Grant(holder="ben", amount=usd("1.00"), funding="promotional", key=f"g{n}", limits=limits)
        for n in range(150)
    ]
    credit.issue_many(grants)
    assert len(credit.wallet("ben").accounts[0].lots) == 150
    assert credit.verify().ok


def wire_on(pooled: Any) -> Pipelined:
    connection = pooled.dbapi_connection
    return Pipelined(connection, pooled.info, connection.wait)


# --- Commits ----------------------------------------------------------------------------


def test_s5_a_commit_that_rolls_back_is_detected(engine: Engine) -> None:
    pooled = engine.raw_connection()
    wire = wire_on(pooled)
    with pytest.raises(Failure) as failed:
        wire.run([Step(verb("BEGIN")), Step(verb("SELECT 1 / 0"))])
    assert failed.value.step == 1
    with pytest.raises(Failure) as refused:
        wire.run([Step(verb("COMMIT"))])
    assert (refused.value.kind, refused.value.step) == (Kind.BEATEN, 0)
    assert not wire.broken
    wire.run([Step(verb("BEGIN")), Step(verb("COMMIT"))])
    pooled.close()


def test_s2_a_guard_that_fails_takes_the_commit_behind_it_along(engine: Engine) -> None:
    credit = shop(engine)
    with SQLStorage(engine).snapshot() as reader:
        stale = reader.account("acme", "anna", "USD")
    assert stale is not None
    credit.redeem("anna", usd("1.00"), key="faster")
    with pytest.raises(Exception, match="is no longer at version 2"):
        append_to(engine, stale)
    assert credit.verify().entries == 3
    assert str(credit.wallet("anna").available) == "USD 4.00"


def append_to(engine: Engine, account: Any) -> None:
    """Append to an account as it was, without loading it again."""
    from datetime import UTC, datetime

    from storecredit.ledger import NO_CONTEXT, Issue, Merchant, decide

    change = decide(
        account,
        Issue(amount=usd("1.00"), funding="refund"),
        merchant=Merchant(id="acme"),
        key="slower",
        at=datetime.now(UTC),
        context=NO_CONTEXT,
        salt=lambda: b"0" * 16,
    )
    assert change is not None
    with SQLStorage(engine).transaction() as work:
        work.append(change)


# --- Connections ------------------------------------------------------------------------


def end_backends(url: str) -> None:
    other = create_engine(url)
    with other.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    other.dispose()


def test_s5_a_backend_that_was_ended_while_its_connection_idled_is_replaced(
    engine: Engine, postgres_url: str
) -> None:
    credit = shop(engine)
    held = [engine.connect() for _ in range(5)]
    for connection in held:
        connection.close()
    end_backends(postgres_url)
    credit.redeem("anna", usd("1.00"), key="b1")
    assert str(credit.wallet("anna").available) == "USD 4.00"


def test_s5_a_backend_that_is_ended_in_the_middle_of_a_command_is_replaced(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, postgres_url: str
) -> None:
    credit = shop(engine)
    run, calls = Pipelined.run, 0

    def ending_before_the_second(self: Pipelined, steps: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            end_backends(postgres_url)
        return run(self, steps)

    with monkeypatch.context() as patched:
        patched.setattr(Pipelined, "run", ending_before_the_second)
        receipt = credit.redeem("anna", usd("1.00"), key="b1")
    assert not receipt.replayed
    assert str(credit.wallet("anna").available) == "USD 4.00"
    assert credit.verify().entries == 3


def test_s5_statements_that_somebody_has_deallocated_are_prepared_anew(engine: Engine) -> None:
    credit = shop(engine)
    credit.redeem("anna", usd("1.00"), key="b1")
    with engine.connect() as connection:
        connection.exec_driver_sql("DEALLOCATE ALL")
        connection.commit()
    credit.redeem("anna", usd("1.00"), key="b2")
    assert str(credit.wallet("anna").available) == "USD 3.00"


def test_s5_where_the_host_forbids_to_prepare_nothing_is_prepared(postgres_url: str) -> None:
    engine = create_engine(postgres_url, connect_args={"prepare_threshold": None})
    create(engine)
    credit = shop(engine)
    credit.redeem("anna", usd("1.00"), key="b1")
    with engine.connect() as connection:
        query = "SELECT count(*) FROM pg_prepared_statements"
        assert connection.execute(text(query)).scalar() == 0
    assert credit.verify().ok
    engine.dispose()


def test_s5_a_server_that_is_read_only_is_named_as_such(engine: Engine, postgres_url: str) -> None:
    shop(engine)
    copy = create_engine(
        postgres_url, connect_args={"options": "-c default_transaction_read_only=on"}
    )
    credit = StoreCredit(SQLStorage(copy), "acme")
    assert str(credit.wallet("anna").available) == "USD 5.00"
    with pytest.raises(StorageUnusable, match="it can only be read"):
        credit.redeem("anna", usd("1.00"), key="b1")
    copy.dispose()


def test_s5_a_lock_that_is_not_to_be_had_in_time_may_be_tried_again(
    engine: Engine, postgres_url: str
) -> None:
    credit = shop(engine)
    hasty = create_engine(postgres_url, connect_args={"options": "-c lock_timeout=50ms"})
    other = StoreCredit(SQLStorage(hasty), "acme", sleep=lambda _: None, attempts=2)
    with SQLStorage(engine).transaction() as work:
        assert work.account("acme", "anna", "USD") is not None
        with pytest.raises(TransactionInterrupted, match="a lock was not to be had in time"):
            other.redeem("anna", usd("1.00"), key="b1")
    other.redeem("anna", usd("1.00"), key="b1")
    assert str(credit.wallet("anna").available) == "USD 4.00"
    hasty.dispose()


# --- Isolation ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"]
)
def test_s2_spenders_at_any_level_of_isolation_take_what_there_is(
    postgres_url: str, level: Any
) -> None:
    engine = create_engine(postgres_url, isolation_level=level)
    create(engine)
    credit = StoreCredit(SQLStorage(engine), "acme", attempts=60, sleep=lambda _: None)
    credit.issue("anna", usd("5.00"), funding="refund", key="a1")
    taken: list[int] = []

    def spend(racer: int) -> None:
        for number in range(5):
            key = f"{racer}/{number}"
            with contextlib.suppress(InsufficientCredit):
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


def test_a18_a_client_encoding_that_cannot_write_every_text_is_refused(
    engine: Engine, postgres_url: str
) -> None:
    shop(engine)
    narrow = create_engine(postgres_url, connect_args={"client_encoding": "latin1"})
    with pytest.raises(StorageUnusable, match="UTF-8"):
        StoreCredit(SQLStorage(narrow), "acme").redeem("anna", usd("1.00"), key="b1")
    narrow.dispose()


# --- Holders whose wallets are remembered -----------------------------------------------


def test_a18_a_remembered_wallet_is_only_a_guess(engine: Engine, postgres_url: str) -> None:
    """One process renames and merges holders; another, which has met them, sees them as they are."""
    mine = shop(engine)
    assert str(mine.redeem("anna", usd("1.00"), key="k1").balance) == "USD 4.00"
    other = create_engine(postgres_url)
    theirs = StoreCredit(SQLStorage(other), "acme")
    theirs.pseudonymise("anna", "x-1")
    with pytest.raises(InsufficientCredit):
        mine.redeem("anna", usd("1.00"), key="k2")
    assert str(mine.redeem("x-1", usd("1.00"), key="k3").balance) == "USD 3.00"
    assert str(theirs.issue("anna", usd("7.00"), funding="refund", key="new").balance) == "USD 7.00"
    assert str(mine.redeem("anna", usd("1.00"), key="k4").balance) == "USD 6.00"
    theirs.merge("anna", into="x-1", key="merge")
    assert str(mine.redeem("anna", usd("2.00"), key="k5").balance) == "USD 7.00"
    assert mine.redeem("anna", usd("1.00"), key="k4").replayed
    other.dispose()


def test_s5_a_wallet_that_a_host_has_rolled_back_is_not_taken_for_the_holders(
    engine: Engine,
) -> None:
    shop(engine)
    with engine.connect() as host:
        credit = StoreCredit(SQLStorage(host), "acme")
        credit.issue("ben", usd("5.00"), funding="refund", key="b1")
        assert str(credit.redeem("ben", usd("1.00"), key="b2").balance) == "USD 4.00"
        host.rollback()
    credit = StoreCredit(SQLStorage(engine), "acme")
    with pytest.raises(InsufficientCredit):
        credit.redeem("ben", usd("1.00"), key="b3")
    assert str(credit.issue("ben", usd("2.00"), funding="refund", key="b1").balance) == "USD 2.00"
    assert str(credit.redeem("ben", usd("1.00"), key="b2").balance) == "USD 1.00"


def test_s3_only_so_many_wallets_are_remembered(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storecredit.storage.sql._loading._MOST_WALLETS", 3)
    credit = shop(engine)
    for number in range(10):
        credit.issue(f"c-{number}", usd("5.00"), funding="refund", key="a")
        credit.redeem(f"c-{number}", usd("1.00"), key="b")
        remembered = catalogue_for(engine.dialect, "storecredit_", None).met.wallets
        assert 0 < len(remembered) <= 3
