"""In the host's transaction: the order row and the credit entries live or die together (S5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    insert,
    select,
)
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from storecredit import Money, StoreCredit
from storecredit.errors import InsufficientCredit, StorageUnusable
from storecredit.storage.sql import HostTransactionConflict, SQLStorage, create

pytestmark = pytest.mark.server

HOST = MetaData()
ORDERS = Table("orders", HOST, Column("id", Integer, primary_key=True), Column("state", String(20)))


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    fixtures = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}
    return str(request.getfixturevalue(fixtures[request.param]))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A database with the host's table of orders, and five dollars of Anna's and of Ben's."""
    yield from stocked(url)


@pytest.fixture
def server(server_url: str) -> Iterator[Engine]:
    """The same, where transactions wait for one another in line."""
    yield from stocked(server_url)


def stocked(url: str, **options: Any) -> Iterator[Engine]:
    engine = create_engine(url, **options)
    HOST.create_all(engine)
    create(engine)
    for holder in ("anna", "ben"):
        shop(engine).issue(holder, usd("5.00"), funding="refund", key="gift")
    yield engine
    engine.dispose()


def shop(bind: Any) -> StoreCredit:
    return StoreCredit(SQLStorage(bind), "acme", sleep=lambda _: None)


def kept(engine: Engine) -> tuple[list[int], str, int]:
    """The orders, what Anna has, and the length of her journal; all of it verifies."""
    with engine.connect() as connection:
        orders = [id_ for (id_,) in connection.execute(select(ORDERS.c.id))]
    credit = shop(engine)
    found = credit.verify()
    assert found.ok, found.problems
    return orders, str(credit.wallet("anna").available), found.entries


def buy(connection: Connection, number: int, amount: str) -> None:
    """What a host does at checkout: an order row, and credit spent on it."""
    connection.execute(insert(ORDERS).values(id=number, state="paid"))
    shop(connection).redeem("anna", usd(amount), key=f"order {number}")


def test_s5_a_committed_transaction_keeps_the_order_and_the_credit(engine: Engine) -> None:
    with engine.begin() as connection:
        buy(connection, 1, "2.00")
        buy(connection, 2, "1.00")
    assert kept(engine) == ([1, 2], "USD 2.00", 4)


def test_s5_nothing_is_committed_before_the_host_does(engine: Engine) -> None:
    with engine.connect() as connection:
        buy(connection, 1, "2.00")
        assert str(shop(connection).wallet("anna").available) == "USD 3.00"
    assert kept(engine) == ([], "USD 5.00", 2)


def test_s5_a_transaction_that_nobody_had_begun_is_begun_and_is_the_hosts(engine: Engine) -> None:
    with engine.connect() as connection:
        shop(connection).redeem("anna", usd("2.00"), key="order 1")
        assert connection.in_transaction()
        connection.commit()
    assert kept(engine) == ([], "USD 3.00", 3)
    with engine.connect() as connection:
        shop(connection).redeem("anna", usd("2.00"), key="order 2")
        connection.rollback()
    assert kept(engine) == ([], "USD 3.00", 3)


def test_s5_a_session_saves_the_order_and_the_credit_in_one_transaction(engine: Engine) -> None:
    class Mapping(DeclarativeBase):
        metadata = MetaData()

    class Order(Mapping):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[str] = mapped_column(String(20))

    with Session(engine) as session:
        session.add(Order(id=1, state="paid"))
        shop(session).redeem("anna", usd("2.00"), key="order 1")
        session.commit()
    with Session(engine) as session:
        session.add(Order(id=2, state="paid"))
        shop(session).redeem("anna", usd("2.00"), key="order 2")
        session.rollback()
    assert kept(engine) == ([1], "USD 3.00", 3)


def test_s5_a_refusal_leaves_the_hosts_transaction_to_go_on(engine: Engine) -> None:
    with engine.begin() as connection:
        buy(connection, 1, "2.00")
        with pytest.raises(InsufficientCredit):
            buy(connection, 2, "99.00")
        shop(connection).redeem("anna", usd("1.00"), key="order 2")
    assert kept(engine) == ([1, 2], "USD 2.00", 4)


class Broken(Exception):
    pass


def test_s1_a_command_that_breaks_off_leaves_nothing_of_itself_and_all_else(engine: Engine) -> None:
    with engine.begin() as connection:
        buy(connection, 1, "2.00")
        storage = SQLStorage(connection)
        with pytest.raises(Broken), storage.transaction() as work:  # noqa: PT012 - a whole block
            account = work.account("acme", "anna", "USD")
            assert account is not None
            work.erase(account, 1, ["actor"])
            inner = StoreCredit(storage, "acme")
            inner.redeem("anna", usd("1.00"), key="inner")
            raise Broken
    assert kept(engine) == ([1], "USD 3.00", 3)


def test_s4_a_key_that_the_transaction_itself_has_used_is_answered(engine: Engine) -> None:
    with engine.begin() as connection:
        first = shop(connection).redeem("anna", usd("1.00"), key="order 1")
        again = shop(connection).redeem("anna", usd("1.00"), key="order 1")
        assert (first.replayed, again.replayed) == (False, True)
    assert kept(engine) == ([], "USD 4.00", 3)


def test_s5_a_new_holder_is_opened_and_gone_with_the_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        shop(connection).issue("carl", usd("1.00"), funding="refund", key="c1")
        connection.rollback()
    assert shop(engine).wallet("carl").accounts == ()
    with engine.begin() as connection:
        shop(connection).issue("carl", usd("1.00"), funding="refund", key="c1")
    assert str(shop(engine).wallet("carl").available) == "USD 1.00"


def test_s5_a_connection_that_commits_each_statement_is_refused(server: Engine) -> None:
    engine = server
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with pytest.raises(StorageUnusable, match="commits each statement by itself"):
            shop(connection).redeem("anna", usd("1.00"), key="order 1")
        with pytest.raises(StorageUnusable):
            shop(connection).wallet("anna")
    assert kept(engine) == ([], "USD 5.00", 2)


# --- Conflicts ------------------------------------------------------------------------


def beside(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_s5_a_host_waits_for_whoever_was_first_and_sees_what_that_left(server: Engine) -> None:
    engine = server
    with engine.begin() as first:
        buy(first, 1, "4.00")
        outcomes: list[Any] = []

        def second() -> None:
            try:
                with engine.begin() as connection:
                    # The transaction sees the database as it was, and the lock shows the latest.
                    connection.execute(select(ORDERS.c.id)).all()
                    buy(connection, 2, "4.00")
            except InsufficientCredit as refused:
                outcomes.append(str(refused.available))

        waiting = beside(second)
        waiting.join(0.4)
        assert waiting.is_alive(), "the second transaction did not wait for the first"
    waiting.join(20)
    assert outcomes == ["USD 1.00"]
    assert kept(engine) == ([1], "USD 1.00", 3)


def test_s5_a_busy_file_is_a_conflict_that_the_host_runs_again(tmp_path: Path) -> None:
    options = {"connect_args": {"timeout": 0.1}}
    (engine,) = stocked(f"sqlite:///{tmp_path}/shop.db", **options)
    with engine.begin() as first:
        buy(first, 1, "1.00")
        with engine.connect() as second:
            with pytest.raises(HostTransactionConflict) as refused:
                shop(second).redeem("anna", usd("1.00"), key="order 2")
            assert not refused.value.retryable
            assert "run all of it again" in str(refused.value)
    assert kept(engine) == ([1], "USD 4.00", 3)
    engine.dispose()


def test_s5_a_serialization_failure_is_one_clear_error_and_is_not_retried(
    postgres_url: str,
) -> None:
    (engine,) = stocked(postgres_url)
    strict = engine.execution_options(isolation_level="REPEATABLE READ")
    with strict.connect() as late:
        late.execute(select(ORDERS.c.id)).all()
        shop(engine).redeem("anna", usd("1.00"), key="faster")
        late.execute(insert(ORDERS).values(id=1, state="paid"))
        with pytest.raises(HostTransactionConflict) as refused:
            shop(late).redeem("anna", usd("1.00"), key="order 1")
        assert not refused.value.retryable
        late.rollback()
    assert kept(engine) == ([], "USD 4.00", 3)
    engine.dispose()


def test_s5_after_a_deadlock_the_host_cannot_commit_the_half_that_is_left(
    server: Engine,
) -> None:
    """Two hosts spend from two accounts in opposite order: one of them has to start anew."""
    engine = server
    met = threading.Barrier(2)
    lost: list[BaseException] = []

    def spend(number: int, one: str, other: str) -> None:
        with engine.connect() as connection:
            connection.execute(insert(ORDERS).values(id=number, state="paid"))
            shop(connection).redeem(one, usd("1.00"), key=f"{number} first")
            met.wait(20)
            try:
                shop(connection).redeem(other, usd("1.00"), key=f"{number} second")
                connection.commit()
            except HostTransactionConflict as conflict:
                lost.append(conflict)
                connection.rollback()

    threads = [
        beside(lambda: spend(1, "anna", "ben")),
        beside(lambda: spend(2, "ben", "anna")),
    ]
    for thread in threads:
        thread.join(30)
    assert len(lost) == 1, lost
    orders, available, entries = kept(engine)
    assert (len(orders), available, entries) == (1, "USD 4.00", 4)
    engine.dispose()


def test_s5_a_host_that_goes_on_after_the_engine_has_rolled_back_cannot_commit(
    mariadb_url: str,
) -> None:
    (engine,) = stocked(mariadb_url)
    met = threading.Barrier(2)
    outcomes: list[str] = []

    def spend(number: int, one: str, other: str) -> None:
        with engine.connect() as connection:
            connection.execute(insert(ORDERS).values(id=number, state="paid"))
            shop(connection).redeem(one, usd("1.00"), key=f"{number} first")
            met.wait(20)
            try:
                shop(connection).redeem(other, usd("1.00"), key=f"{number} second")
            except HostTransactionConflict:
                # A host that does not roll back, though it is told to.
                try:
                    connection.execute(insert(ORDERS).values(id=10 + number, state="paid"))
                    connection.commit()
                except PendingRollbackError:
                    outcomes.append("refused")
                    raise
                else:
                    outcomes.append("committed half of it")
            else:
                connection.commit()

    def quietly(*arguments: Any) -> None:
        try:
            spend(*arguments)
        except PendingRollbackError:
            outcomes.append("PendingRollbackError")

    threads = [
        beside(lambda: quietly(1, "anna", "ben")),
        beside(lambda: quietly(2, "ben", "anna")),
    ]
    for thread in threads:
        thread.join(30)
    assert outcomes == ["refused", "PendingRollbackError"]
    orders, available, _ = kept(engine)
    assert (len(orders), available) == (1, "USD 4.00")
    engine.dispose()
