"""Blocks and wires in odd situations: pools that are empty, holders renamed in between, interrupts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storecredit import Money, StoreCredit
from storecredit.errors import ConcurrentChange, StorageUnavailable
from storecredit.storage.sql import (
    HostTransactionConflict,
    SQLStorage,
    TransactionInterrupted,
    create,
)
from storecredit.storage.sql import _joined as joined
from storecredit.storage.sql import _own as own
from storecredit.storage.sql._compiled import verb
from storecredit.storage.sql._failures import Failure, Kind
from storecredit.storage.sql._wire import Answer, OneByOne, Step


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    create(engine)
    shop(engine).issue("anna", usd("5.00"), funding="refund", key="a1")
    yield engine
    engine.dispose()


def shop(bind: Any) -> StoreCredit:
    return StoreCredit(SQLStorage(bind), "acme", sleep=lambda _: None)


# --- Wires ----------------------------------------------------------------------------------


class FakeError(Exception):
    pass


@attrs.define
class FakeCursor:
    raises: BaseException | None = None
    statusmessage: str = ""
    rowcount: int = 0

    def execute(self, *_: Any) -> None:
        if self.raises is not None:
            raise self.raises

    def close(self) -> None:
        pass


@attrs.define
class FakeConnection:
    made: FakeCursor

    def cursor(self) -> FakeCursor:
        return self.made


class FakeDialect:
    name = "postgresql"
    loaded_dbapi = type("dbapi", (), {"Error": FakeError})

    def is_disconnect(self, *_: Any) -> bool:
        return False


def wire(cursor: FakeCursor) -> OneByOne:
    dialect: Any = FakeDialect()
    return OneByOne(FakeConnection(cursor), dialect)


def test_s5_a_commit_that_a_driver_silently_turned_into_a_rollback_is_detected() -> None:
    with pytest.raises(Failure) as failed:
        wire(FakeCursor(statusmessage="ROLLBACK")).run([Step(verb("COMMIT"))])
    assert failed.value.kind is Kind.BEATEN
    wire(FakeCursor(statusmessage="COMMIT")).run([Step(verb("COMMIT"))])
    wire(FakeCursor(statusmessage="ROLLBACK")).run([Step(verb("ROLLBACK"))])


def test_s5_an_interrupt_in_the_middle_of_a_statement_spoils_the_connection() -> None:
    interrupted = wire(FakeCursor(raises=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        interrupted.run([Step(verb("SELECT 1"))])
    assert interrupted.broken


def test_s5_a_lost_connection_is_known_to_be_lost() -> None:
    lost = wire(FakeCursor(raises=FakeError()))
    with pytest.raises(Failure) as failed:
        lost.run([Step(verb("SELECT 1"))])
    assert (failed.value.kind, lost.broken) == (Kind.LOST, True)


def test_s2_a_step_that_changes_another_number_of_rows_than_it_needs_is_a_failure() -> None:
    for changed, needs in ((0, 1), (2, 1)):
        with pytest.raises(Failure) as failed:
            wire(FakeCursor(rowcount=changed)).run([Step(verb("UPDATE"), (), None, needs)])
        assert failed.value.kind is Kind.MISSING
    assert wire(FakeCursor(rowcount=1)).run([Step(verb("UPDATE"), (), None, 1)]) == [Answer([], 1)]


# --- Pools ------------------------------------------------------------------------------------


def test_s5_a_pool_that_gives_no_connection_in_time_is_unavailable(tmp_path: Path) -> None:
    small = create_engine(
        f"sqlite:///{tmp_path}/shop.db", pool_size=1, max_overflow=0, pool_timeout=0.05
    )
    create(small)
    with small.connect(), pytest.raises(StorageUnavailable, match="no connection in time"):
        shop(small).wallet("anna")
    shop(small).wallet("anna")
    small.dispose()


def test_s5_a_driver_that_fails_before_anything_is_begun_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    def fail(*_: Any) -> Any:
        raise engine.dialect.loaded_dbapi.Error("secret")

    with monkeypatch.context() as patched:
        patched.setattr(own, "own_transaction", fail)
        with pytest.raises(StorageUnavailable, match="no connection can be made") as refused:
            shop(engine).redeem("anna", usd("1.00"), key="b1")
    assert "secret" not in str(refused.value)
    shop(engine).redeem("anna", usd("1.00"), key="b1")


def test_s1_a_block_that_was_never_used_is_no_transaction(engine: Engine) -> None:
    shop(engine).redeem("anna", usd("1.00"), key="b1")
    with SQLStorage(engine).transaction() as work:
        work.lock([])
    assert shop(engine).verify().entries == 2


def test_s1_the_settings_of_a_connection_are_the_hosts_again_after_a_block(engine: Engine) -> None:
    shop(engine).redeem("anna", usd("1.00"), key="b1")
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        assert raw.isolation_level == ""
        connection.execute(text("UPDATE storecredit_meta SET value = '9'"))
        connection.rollback()
    assert shop(engine).verify().ok


def test_a_storage_shows_what_it_works_on(engine: Engine) -> None:
    assert repr(SQLStorage(engine)).startswith("SQLStorage(Engine(sqlite:///")


# --- Others in between ------------------------------------------------------------------------


def meddling(
    monkeypatch: pytest.MonkeyPatch, module: Any, before: int, meddle: Callable[[], None]
) -> pytest.MonkeyPatch:
    """Let somebody else act before the nth exchange of the next block."""
    made, count = module.wire_to, 0

    class Meddled:
        at_once = True

        def __init__(self, wire: Any) -> None:
            self.wire = wire

        def __getattr__(self, name: str) -> Any:
            return getattr(self.wire, name)

        def run(self, steps: Sequence[Step]) -> list[Answer]:
            nonlocal count
            answers = []
            for step in steps:
                count += 1
                if count == before:
                    meddle()
                answers += self.wire.run([step])
            return answers

    monkeypatch.setattr(module, "wire_to", lambda *given, **how: Meddled(made(*given, **how)))
    return monkeypatch


@pytest.mark.parametrize("taken", [False, True], ids=["by nobody", "by somebody with lots"])
def test_a18_a_holder_who_is_renamed_while_the_account_is_loaded_keeps_the_own_lots(
    tmp_path: Path, *, taken: bool
) -> None:
    """The account's row is read, then the name goes to somebody else, then the lots are read."""
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", connect_args={"timeout": 0})
    with engine.connect() as connection:
        connection.execute(text("PRAGMA journal_mode = WAL"))
    create(engine)
    credit = shop(engine)
    credit.issue("anna", usd("5.00"), funding="refund", key="a1")
    credit.issue("ben", usd("3.00"), funding="refund", key="b1")
    lots = {view.id for view in credit.wallet("anna").accounts[0].lots}

    def rename() -> None:
        others = shop(engine)
        others.pseudonymise("anna", "holder-4711")
        if taken:
            others.pseudonymise("ben", "anna")

    with pytest.MonkeyPatch.context() as patched:
        # Without a frame, each statement sees what is there by then, as at READ COMMITTED.
        patched.setattr(own, "own_snapshot", lambda *_: own.Frame((), (), ()))
        meddling(patched, own, 2, rename)
        with SQLStorage(engine).snapshot() as reader:
            patched.undo()
            found = reader.account("acme", "anna", "USD")
    if taken:
        assert found is not None
        assert found.totals["balance"] == 300
        assert set(found.lots).isdisjoint(lots)
    else:
        assert found is None
    engine.dispose()


def test_s1_a_hosts_snapshot_reads_again_what_changes_while_it_reads(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", connect_args={"timeout": 0})
    with engine.connect() as connection:
        connection.execute(text("PRAGMA journal_mode = WAL"))
    create(engine)
    shop(engine).issue("anna", usd("5.00"), funding="refund", key="a1")
    name = next(iter(shop(engine).heads()))
    spent = iter(range(100))

    def spend() -> None:
        shop(engine).redeem("anna", usd("0.10"), key=f"faster {next(spent)}")

    looks: list[Callable[[Any], Any]] = [
        lambda reader: reader.account("acme", "anna", "USD"),
        lambda reader: reader.account_by_id("acme", name),
        lambda reader: reader.whole("acme", name),
        lambda reader: reader.accounts_of("acme", name.partition(".")[0])[0],
    ]
    for look in looks:
        with pytest.MonkeyPatch.context() as patched, engine.connect() as connection:
            patched.setattr(joined, "inside_of_hosts", lambda *_: own.Frame((), (), ()))
            meddling(patched, joined, 2, spend)
            with SQLStorage(connection).snapshot() as reader:
                account = look(reader)
        (lot,) = account.lots.values()
        assert lot.remaining == account.totals["balance"], "half of one version, half of another"
    engine.dispose()


# --- Hosts that went wrong --------------------------------------------------------------------


def test_s5_a_hosts_transaction_that_has_failed_already_is_told_so(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.invalidate()
        with pytest.raises(HostTransactionConflict, match="it has failed already"):
            shop(connection).redeem("anna", usd("1.00"), key="b1")
        connection.rollback()
        shop(connection).redeem("anna", usd("1.00"), key="b1")
        connection.commit()
    assert shop(engine).verify().entries == 2


def test_s5_a_session_that_is_closed_for_good_has_no_transaction_to_join(engine: Engine) -> None:
    closed = Session(engine, close_resets_only=False)
    closed.close()
    with pytest.raises(HostTransactionConflict):
        shop(closed).redeem("anna", usd("1.00"), key="b1")


def test_s2_a_stale_append_in_a_hosts_transaction_is_the_hosts_to_repeat(engine: Engine) -> None:
    with SQLStorage(engine).snapshot() as reader:
        stale = reader.account("acme", "anna", "USD")
    assert stale is not None
    shop(engine).redeem("anna", usd("1.00"), key="faster")
    with engine.connect() as connection:
        with (
            pytest.raises(HostTransactionConflict, match="changed by somebody else"),
            SQLStorage(connection).transaction() as work,
        ):
            work.rebuild(attrs.evolve(stale, id=f"{'0' * 32}.USD"))
        with pytest.raises(HostTransactionConflict), SQLStorage(connection).transaction():
            raise ConcurrentChange(stale.id, 1)
        connection.rollback()


def test_s5_a_conflict_that_was_swallowed_is_raised_again_at_the_end(engine: Engine) -> None:
    unknown = None
    with SQLStorage(engine).snapshot() as reader:
        unknown = reader.account("acme", "anna", "USD")
    assert unknown is not None
    nobodys = attrs.evolve(unknown, id=f"{'0' * 32}.USD")
    with pytest.raises(ConcurrentChange), SQLStorage(engine).transaction() as work:  # noqa: PT012 - a block
        for _ in range(2):
            with pytest.raises(ConcurrentChange):
                work.rebuild(nobodys)
    assert shop(engine).verify().entries == 1


def test_s5_the_names_of_both_conflicts_say_what_to_do() -> None:
    assert "Repeat the command with the same key" in str(TransactionInterrupted("x", "y"))
    assert "run all of it again" in str(HostTransactionConflict("x", "y"))


def test_s6_an_error_of_the_host_beside_the_library_is_the_hosts(engine: Engine) -> None:
    with pytest.raises(IntegrityError), engine.begin() as connection:  # noqa: PT012 - a block
        shop(connection).redeem("anna", usd("1.00"), key="b1")
        connection.execute(text("INSERT INTO storecredit_meta VALUES ('version', '1')"))
    assert shop(engine).verify().entries == 1
