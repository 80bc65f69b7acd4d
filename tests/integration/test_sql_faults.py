"""
Whatever fails at whatever moment: all of a command or nothing, and once (S1, S4, S5).

The errors are those of real servers, which are told to raise them: in place of each statement of
a command in turn, at its commit, and again at the rollback after it. Connections are ended by the
server in the middle of a statement, and by a proxy between any two messages.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from crowd.scale import THOROUGH, scaled
from servers.databases import Databases
from servers.proxy import Cut, Proxy
from sqlalchemy.orm import Session

from storecredit import Money, StoreCredit
from storecredit.errors import ConflictError, InsufficientCredit, StorageUnavailable
from storecredit.storage.sql import (
    HostTransactionConflict,
    SQLStorage,
    TransactionInterrupted,
    create,
    tables,
)
from storecredit.storage.sql import _joined as joined
from storecredit.storage.sql import _own as own
from storecredit.storage.sql._compiled import verb
from storecredit.storage.sql._failures import Failure
from storecredit.storage.sql._wire import Answer, Step, Wire

pytestmark = pytest.mark.server

MARK = "what only the driver says"
"""Stands in every error that a server is told to raise, and nowhere else."""
NOTE = "what nobody else may read"
"""A parameter of some statement of each command."""


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


# --- What is done, and what has come of it --------------------------------------------------


Act = Callable[[StoreCredit], Any]

ACTS: dict[str, Act] = {
    "issue to somebody new": lambda credit: credit.issue(
        "fay", usd("2.00"), funding="refund", key="k", note=NOTE
    ),
    "redeem": lambda credit: credit.redeem("anna", usd("4.00"), key="k", note=NOTE),
    "hold": lambda credit: credit.hold("anna", usd("4.00"), key="k", note=NOTE),
    "transfer": lambda credit: credit.transfer("anna", "ben", usd("4.00"), key="k", note=NOTE),
}

HOSTS = sa.MetaData()
ORDERS = sa.Table("orders", HOSTS, sa.Column("id", sa.String(50), primary_key=True))

NAMES = tables()

_shops = itertools.count(1)


@attrs.define
class Shop:
    """A merchant of one test's own. Anna has five dollars in two lots, and nobody else anything."""

    engine: sa.Engine
    merchant: str
    attempts: int = 8

    @classmethod
    def new(cls, engine: sa.Engine, **how: Any) -> Shop:
        shop = cls(engine, f"shop {next(_shops)}", **how)
        for number, amount in enumerate(("2.00", "3.00")):
            shop.credit().issue("anna", usd(amount), funding="refund", key=f"a{number}")
        return shop

    def credit(self, bind: Any = None) -> StoreCredit:
        storage = SQLStorage(self.engine if bind is None else bind)
        return StoreCredit(
            storage, self.merchant, attempts=self.attempts, sleep=lambda _: time.sleep(0.001)
        )

    def own(self, act: Act) -> Any:
        """In a transaction of the library's own."""
        return act(self.credit())

    def hosts(self, act: Act) -> Any:
        """In a transaction of a host's, beside an order."""
        with Session(self.engine) as session, session.begin():
            session.execute(sa.insert(ORDERS).values(id=self.merchant))
            return act(self.credit(session))

    def kept(self) -> tuple[list[tuple[Any, ...]], int]:
        """What everybody has, and the journals verify; and how many orders there are."""
        found = self.credit().verify()
        assert found.ok, found.problems
        wallets, accounts = NAMES.wallets.c, NAMES.accounts.c
        what = (wallets.holder, accounts.balance, accounts.held, accounts.version)
        having = sa.select(*what).where(
            wallets.merchant == self.merchant, wallets.id == accounts.wallet
        )
        orders = sa.select(sa.func.count()).where(ORDERS.c.id == self.merchant)
        with self.engine.connect() as connection:
            rows = sorted(tuple(row) for row in connection.execute(having))
            return rows, connection.execute(orders).scalar_one()


@pytest.fixture(scope="module")
def engines(request: pytest.FixtureRequest) -> Iterator[dict[str, sa.Engine]]:
    """An engine of each server that a test asks for, on a database with all tables."""
    with Engines(request) as engines:
        yield engines


class Engines(dict[str, sa.Engine]):
    """Engines by name; a database is made when it is first asked for."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__()
        self.request = request
        self.lent: list[Any] = []

    def __enter__(self) -> Engines:
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self.values():
            engine.dispose()
        for each in self.lent:
            each.__exit__(None, None, None)

    def __missing__(self, name: str) -> sa.Engine:
        databases: Databases = self.request.getfixturevalue(f"{name}_databases")
        self.lent.append(databases.fresh())
        self[name] = engine = sa.create_engine(self.lent[-1].__enter__())
        create(engine)
        HOSTS.create_all(engine)
        return engine


SERVERS = ("postgres", "mariadb")


@pytest.fixture(params=SERVERS)
def engine(request: pytest.FixtureRequest, engines: dict[str, sa.Engine]) -> sa.Engine:
    return engines[request.param]


def require_discreet(error: BaseException) -> None:
    """No text of a driver's, no statement and no parameter is in what an error shows."""
    shown = "".join(traceback.format_exception(error)) + repr(error)
    for secret in (MARK, NOTE, "INSERT INTO", "SELECT storecredit"):
        assert secret not in shown
    assert error.__cause__ is None


# --- A server that is told to fail ----------------------------------------------------------


def of_postgres(state: str) -> tuple[Step, ...]:
    raising = f"RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = '{MARK}'"
    return (Step(verb(f"DO $$ BEGIN {raising}; END $$")),)


def of_mariadb(number: int, *, undoes: bool) -> tuple[Step, ...]:
    # The server undoes a transaction that it has chosen to end a deadlock; a statement, else.
    undone = (Step(verb("ROLLBACK")),) if undoes else ()
    raising = f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = '{MARK}'"
    return (*undone, Step(verb(raising)))


FAULTS: dict[str, dict[str, tuple[Step, ...]]] = {
    "postgresql": {
        "40001 serialization failure": of_postgres("40001"),
        "40P01 deadlock": of_postgres("40P01"),
        "55P03 lock not to be had": of_postgres("55P03"),
        "57P01 backend terminated": (
            Step(verb("SELECT pg_terminate_backend(pg_backend_pid())", reads=True)),
        ),
    },
    "mariadb": {
        "1213 deadlock": of_mariadb(1213, undoes=True),
        "1205 lock not to be had": of_mariadb(1205, undoes=False),
        "1020 changed since last read": of_mariadb(1020, undoes=False),
        "1020, undone": of_mariadb(1020, undoes=True),
        "1047 not yet prepared": of_mariadb(1047, undoes=True),
        "2013 connection killed": (Step(verb("KILL CONNECTION CONNECTION_ID()")),),
    },
}
TRANSIENT = [pytest.param(server, fault, id=fault) for server in FAULTS for fault in FAULTS[server]]
DEADLOCK = {"postgresql": "40P01 deadlock", "mariadb": "1213 deadlock"}
LOSS = {"postgresql": "57P01 backend terminated", "mariadb": "2013 connection killed"}
TRANSIENT_IN_ACTS = [
    pytest.param(server, fault, act, id=f"{fault}, {act}")
    for server in FAULTS
    for fault in FAULTS[server]
    for act in ("issue to somebody new", "transfer")
    # Two accounts are twice as many statements; the other errors are as these are.
    if THOROUGH or act != "transfer" or fault in (DEADLOCK[server], LOSS[server])
]


@attrs.define
class Trouble:
    """What a server is told to raise in place of the nth statement, counted over all connections."""

    instead: tuple[Step, ...] = ()
    number: int = 0
    at_rollback: tuple[Step, ...] = ()
    """What it raises at the first rollback after that."""
    seen: list[str] = attrs.field(factory=list)
    struck: bool = False
    rollback_struck: bool = False

    def steps_for(self, step: Step) -> tuple[Step, ...]:
        sql = step.statement.sql
        self.seen.append(sql)
        if len(self.seen) == self.number:
            self.struck = True
            return self.instead
        if self.struck and self.at_rollback and not self.rollback_struck and "ROLLBACK" in sql:
            self.rollback_struck = True
            return self.at_rollback
        return (step,)

    def meet(self, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> Any:
        """Do it in the midst of this trouble."""
        with monkeypatch.context() as patched:
            for module in (own, joined):
                patched.setattr(module, "wire_to", self._wire_to(module.wire_to))
            return act()

    def _wire_to(self, made: Callable[..., Wire]) -> Callable[..., Wire]:
        return lambda *given, **how: TroubledWire(made(*given, **how), self)


class TroubledWire:
    """A real wire, on which some statement is another one than the library has asked for."""

    def __init__(self, wire: Wire, trouble: Trouble) -> None:
        self._wire = wire
        self._trouble = trouble

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def run(self, steps: Sequence[Step]) -> list[Answer]:
        if self._wire.at_once:
            given = [self._trouble.steps_for(step) for step in steps]
            return self._wire.run([step for each in given for step in each])
        answers = []
        for number, step in enumerate(steps):
            try:
                answers.append(self._wire.run(self._trouble.steps_for(step))[-1])
            except Failure as failure:
                raise Failure(failure.kind, number) from None
        return answers


def statements_of(monkeypatch: pytest.MonkeyPatch, shop: Shop, how: str, act: Act) -> list[str]:
    calm = Trouble()
    calm.meet(monkeypatch, lambda: getattr(shop, how)(act))
    return calm.seen


@pytest.mark.parametrize(("server", "fault", "act"), TRANSIENT_IN_ACTS)
def test_s5_a_transient_error_at_any_statement_is_retried_to_the_same_outcome(
    monkeypatch: pytest.MonkeyPatch,
    engines: dict[str, sa.Engine],
    server: str,
    fault: str,
    act: str,
) -> None:
    engine = engines[server.removesuffix("ql")]
    calm = Shop.new(engine)
    statements = statements_of(monkeypatch, calm, "own", ACTS[act])
    assert statements[-1] == "COMMIT"
    wanted = calm.kept()
    for number, at in enumerate(statements, 1):
        shop = Shop.new(engine)
        trouble = Trouble(FAULTS[server][fault], number)
        receipt = trouble.meet(monkeypatch, partial(shop.own, ACTS[act]))
        assert trouble.struck, at
        assert not receipt.replayed, at
        assert shop.kept() == wanted, at
        assert shop.own(ACTS[act]).replayed, at


@pytest.mark.parametrize(("server", "fault"), TRANSIENT)
def test_s5_when_the_rollback_fails_as_well_the_outcome_is_the_same(
    monkeypatch: pytest.MonkeyPatch, engines: dict[str, sa.Engine], server: str, fault: str
) -> None:
    """As Galera does it, which reports a deadlock from a rollback, too."""
    engine = engines[server.removesuffix("ql")]
    calm = Shop.new(engine)
    statements = statements_of(monkeypatch, calm, "own", ACTS["redeem"])
    wanted = calm.kept()
    rollbacks = 0
    for number, at in enumerate(statements, 1):
        shop = Shop.new(engine)
        trouble = Trouble(FAULTS[server][fault], number, FAULTS[server][DEADLOCK[server]])
        receipt = trouble.meet(monkeypatch, partial(shop.own, ACTS["redeem"]))
        rollbacks += trouble.rollback_struck
        assert not receipt.replayed, at
        assert shop.kept() == wanted, at
    # Where the connection is gone there is nothing to roll back.
    assert rollbacks == (0 if fault == LOSS[server] else len(statements))


@pytest.mark.parametrize(("server", "fault"), TRANSIENT)
def test_s5_a_transient_error_that_stays_is_a_conflict_and_never_a_refusal(
    monkeypatch: pytest.MonkeyPatch,
    engines: dict[str, sa.Engine],
    caplog: pytest.LogCaptureFixture,
    server: str,
    fault: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    engine = engines[server.removesuffix("ql")]
    calm = Shop.new(engine)
    before = calm.kept()
    statements = statements_of(monkeypatch, calm, "own", ACTS["hold"])
    for number, at in enumerate(statements, 1):
        shop = Shop.new(engine, attempts=1)
        trouble = Trouble(FAULTS[server][fault], number)
        with pytest.raises(ConflictError) as conflict:
            trouble.meet(monkeypatch, partial(shop.own, ACTS["hold"]))
        assert conflict.value.retryable, at
        require_discreet(conflict.value)
        assert shop.kept() == before, at
        assert not shop.own(ACTS["hold"]).replayed, at
    logged = "".join(
        record.getMessage() for record in caplog.records if "storecredit" in record.name
    )
    assert MARK not in logged
    assert NOTE not in logged


@pytest.mark.parametrize(("server", "fault"), TRANSIENT)
def test_s5_in_a_hosts_transaction_any_such_error_is_one_conflict_and_all_of_it_runs_again(
    monkeypatch: pytest.MonkeyPatch, engines: dict[str, sa.Engine], server: str, fault: str
) -> None:
    engine = engines[server.removesuffix("ql")]
    calm = Shop.new(engine)
    before = calm.kept()
    statements = statements_of(monkeypatch, calm, "hosts", ACTS["redeem"])
    assert any("SAVEPOINT" in at for at in statements)
    assert "COMMIT" not in statements
    wanted = calm.kept()
    for number, at in enumerate(statements, 1):
        shop = Shop.new(engine)
        trouble = Trouble(FAULTS[server][fault], number)
        with pytest.raises(HostTransactionConflict) as conflict:
            trouble.meet(monkeypatch, partial(shop.hosts, ACTS["redeem"]))
        assert not conflict.value.retryable, at
        require_discreet(conflict.value)
        # Nothing was retried in what is the host's, and the order has gone with the credit.
        assert len(trouble.seen) <= len(statements) + 2, at
        assert shop.kept() == before, at
        assert not shop.hosts(ACTS["redeem"]).replayed, at
        assert shop.kept() == wanted, at


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
@pytest.mark.parametrize("how", ["own", "hosts"])
def test_s5_an_error_that_comes_from_the_commit_itself_is_retried(
    engines: dict[str, sa.Engine], state: str, how: str
) -> None:
    """PostgreSQL checks deferred constraints when it commits; this one fails the first time."""
    engine = engines["postgres"]
    shop, calm = Shop.new(engine), Shop.new(engine)
    getattr(calm, how)(ACTS["redeem"])
    wanted, before = calm.kept(), shop.kept()
    with failing_commits(engine, state):
        if how == "own":
            assert not shop.own(ACTS["redeem"]).replayed
        else:
            # The commit is the host's own, and so is the error.
            with pytest.raises(sa.exc.OperationalError):
                shop.hosts(ACTS["redeem"])
            assert shop.kept() == before
            assert not shop.hosts(ACTS["redeem"]).replayed
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT last_value FROM commits")).scalar_one() == 2
    assert shop.kept() == wanted


class failing_commits:  # noqa: N801 - it reads as what it is for the length of a block
    def __init__(self, engine: sa.Engine, state: str) -> None:
        self.engine, self.state = engine, state

    def __enter__(self) -> None:
        self._run(
            "CREATE SEQUENCE commits",
            "CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            # A sequence goes on although the transaction is undone.
            f" IF nextval('commits') = 1 THEN RAISE EXCEPTION USING ERRCODE = '{self.state}',"
            f" MESSAGE = '{MARK}'; END IF; RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER fail_once AFTER INSERT ON storecredit_entries"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_once()",
        )

    def __exit__(self, *_: object) -> None:
        self._run(
            "DROP TRIGGER fail_once ON storecredit_entries",
            "DROP FUNCTION fail_once",
            "DROP SEQUENCE commits",
        )

    def _run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))


# --- Locks that are not to be had -----------------------------------------------------------


def test_s5_a_lock_that_somebody_keeps_for_too_long_is_a_conflict_and_free_later(
    engine: sa.Engine,
) -> None:
    options: dict[str, Any] = (
        {"options": "-c lock_timeout=50ms"}
        if engine.dialect.name == "postgresql"
        else {"init_command": "SET SESSION innodb_lock_wait_timeout = 1"}
    )
    hasty = sa.create_engine(engine.url, connect_args=options)
    shop = Shop.new(engine)
    mine = Shop(hasty, shop.merchant, attempts=1)
    with engine.connect() as somebody:
        shop.credit(somebody).redeem("anna", usd("1.00"), key="first")
        with pytest.raises(TransactionInterrupted, match="a lock was not to be had") as conflict:
            mine.own(ACTS["redeem"])
        require_discreet(conflict.value)
        with pytest.raises(HostTransactionConflict, match="a lock was not to be had"):
            mine.hosts(ACTS["redeem"])
        somebody.rollback()
    assert not mine.own(ACTS["redeem"]).replayed
    calm = Shop.new(engine)
    calm.own(ACTS["redeem"])
    assert shop.kept() == calm.kept()
    hasty.dispose()


@pytest.mark.parametrize("when", ["at its beginning", "at its commit"])
def test_s5_a_busy_file_is_tried_again_and_never_a_refusal(tmp_path: Path, when: str) -> None:
    """Writers keep others from beginning; readers keep them from committing."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db", connect_args={"timeout": 0})
    create(engine)
    HOSTS.create_all(engine)
    shop, calm = Shop.new(engine), Shop.new(engine)
    calm.own(ACTS["transfer"])
    elsewhere = sa.create_engine(engine.url)
    others = elsewhere.connect().execution_options(isolation_level="AUTOCOMMIT")
    others.exec_driver_sql("BEGIN IMMEDIATE" if when == "at its beginning" else "BEGIN")
    others.exec_driver_sql("SELECT count(*) FROM storecredit_entries").fetchall()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            others.exec_driver_sql("ROLLBACK")

    credit = StoreCredit(SQLStorage(engine), shop.merchant, sleep=pause)
    assert not ACTS["transfer"](credit).replayed
    assert len(pauses) == 3
    assert shop.kept() == calm.kept()

    others.exec_driver_sql("BEGIN IMMEDIATE")
    shop.attempts = 2
    with pytest.raises(TransactionInterrupted, match="a lock was not to be had") as conflict:
        shop.own(lambda credit: credit.redeem("ben", usd("1.00"), key="later"))
    require_discreet(conflict.value)
    with pytest.raises(HostTransactionConflict), engine.connect() as connection:
        shop.credit(connection).redeem("ben", usd("1.00"), key="later")
    others.exec_driver_sql("ROLLBACK")
    others.close()
    elsewhere.dispose()
    engine.dispose()


# --- Connections that the server ends -------------------------------------------------------


def connections(databases: Databases, engine: sa.Engine, *, waiting: bool = False) -> list[int]:
    """The connections to the database of *engine*; or those of them that wait for a lock."""
    name = engine.url.database
    if databases.is_postgresql:
        query = f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'"
        query += " AND wait_event_type = 'Lock'" * waiting
    elif waiting:
        query = (
            "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx"
            " JOIN information_schema.processlist ON id = trx_mysql_thread_id"
            f" WHERE trx_state = 'LOCK WAIT' AND db = '{name}'"
        )
    else:
        query = f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"
    return [number for (number,) in databases.run(query)]


@pytest.fixture
def databases(request: pytest.FixtureRequest, engine: sa.Engine) -> Databases:
    name = "postgres" if engine.dialect.name == "postgresql" else "mariadb"
    found: Databases = request.getfixturevalue(f"{name}_databases")
    return found


@pytest.mark.parametrize("how", ["own", "hosts"])
def test_s5_a_backend_that_is_terminated_in_the_middle_of_a_command_has_done_nothing_of_it(
    engine: sa.Engine, databases: Databases, how: str
) -> None:
    """The command waits for a lock when its connection is ended from outside."""
    shop, calm = Shop.new(engine), Shop.new(engine)
    getattr(calm, how)(ACTS["transfer"])
    wanted, before = calm.kept(), shop.kept()
    outcomes: list[Any] = []

    def work() -> None:
        try:
            outcomes.append(getattr(shop, how)(ACTS["transfer"]))
        except BaseException as error:  # noqa: BLE001 - looked at below
            outcomes.append(error)

    with engine.connect() as somebody:
        shop.credit(somebody).redeem("anna", usd("1.00"), key="first")
        thread = threading.Thread(target=work)
        thread.start()
        end = time.monotonic() + 30
        while not (waiting := connections(databases, engine, waiting=True)):
            assert time.monotonic() < end
            # InnoDB tells nothing new to whoever asks more often than ten times a second.
            time.sleep(0.15)
        for number in waiting:
            databases.end(number)
        if how == "hosts":
            thread.join(30)
        somebody.rollback()
    thread.join(30)
    (outcome,) = outcomes
    if how == "hosts":
        assert isinstance(outcome, HostTransactionConflict)
        require_discreet(outcome)
        assert shop.kept() == before
        outcome = shop.hosts(ACTS["transfer"])
    assert not outcome.replayed
    assert shop.kept() == wanted


@pytest.mark.parametrize("experienced", [False, True], ids=["new", "experienced"])
def test_s5_connections_that_were_ended_while_they_were_idle_are_nobodys_error(
    engine: sa.Engine, databases: Databases, *, experienced: bool
) -> None:
    shop = Shop.new(engine)
    pooled = sa.create_engine(engine.url, pool_size=3)
    mine = Shop(pooled, shop.merchant, attempts=2)
    if experienced:
        mine.own(lambda credit: credit.redeem("anna", usd("1.00"), key="before"))
    with pooled.connect() as one, pooled.connect() as two, pooled.connect() as three:
        for each in (one, two, three):
            each.exec_driver_sql("SELECT 1")
    for number in connections(databases, pooled):
        databases.end(number)
    engine.dispose()
    # The first of them costs an attempt, and tells that none of the others is to be trusted.
    mine.own(lambda credit: credit.redeem("anna", usd("1.00"), key="after"))
    mine.attempts = 1
    with pooled.connect() as one:
        mine.own(lambda credit: credit.redeem("anna", usd("1.00"), key="beside"))
        one.exec_driver_sql("SELECT 1")
    assert str(shop.credit().wallet("anna").available) == f"USD {2 if experienced else 3}.00"
    pooled.dispose()


def test_s5_whoever_only_reads_does_not_hear_of_connections_that_were_lost_as_they_idled(
    engine: sa.Engine, databases: Databases
) -> None:
    """A block that shows something begins anew on another connection: nothing has been done."""
    shop = Shop.new(engine)
    pooled = sa.create_engine(engine.url, pool_size=3)
    reading = StoreCredit(SQLStorage(pooled), shop.merchant)
    for rounds in range(2):
        with pooled.connect() as one, pooled.connect() as two:
            for each in (one, two):
                each.exec_driver_sql("SELECT 1")
        for number in connections(databases, pooled):
            databases.end(number)
        engine.dispose()
        assert str(reading.wallet("anna").available) == "USD 5.00", rounds
        assert len(list(reading.journal("anna", "USD"))) == 2
    pooled.dispose()


def test_s5_under_load_backends_are_terminated_and_every_command_is_done_once(
    engine: sa.Engine, databases: Databases
) -> None:
    merchant = f"shop {next(_shops)}"
    threads, kills = 4, scaled(24, 200)
    busy = sa.create_engine(engine.url, pool_size=threads)
    credit = StoreCredit(SQLStorage(busy), merchant)
    credit.issue("anna", usd("100000.00"), funding="refund", key="stock")
    failed: list[BaseException] = []
    done: dict[str, str] = {}
    enough = threading.Event()

    def spend(number: int) -> None:
        for place in itertools.count():
            key = f"{number}-{place}"
            while key not in done:
                with contextlib.suppress(TransactionInterrupted, StorageUnavailable):
                    done[key] = credit.redeem("anna", usd("1.00"), key=key).entry_id
            if enough.is_set():
                return

    def surely(number: int) -> None:
        try:
            spend(number)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    spenders = [threading.Thread(target=surely, args=(number,)) for number in range(threads)]
    for thread in spenders:
        thread.start()
    killed, chance = 0, random.Random()
    while killed < kills and not failed:
        others = connections(databases, busy)
        if others:
            databases.end(chance.choice(others))
            killed += 1
    enough.set()
    for thread in spenders:
        thread.join()
    assert not failed, failed
    # The service repeats no reading, which would meet connections that were ended idle.
    busy.dispose()
    engine.dispose()
    journal = [entry for entry in credit.journal("anna", "USD") if entry.kind == "redeem"]
    assert {entry.key: entry.id for entry in journal} == done
    assert len(journal) == len(done)
    assert str(credit.wallet("anna").available) == f"USD {100_000 - len(done)}.00"
    assert credit.verify().ok
    busy.dispose()


# --- A network that is cut ------------------------------------------------------------------


@pytest.fixture
def cut_off(engine: sa.Engine) -> Iterator[tuple[Proxy, sa.Engine]]:
    """A way to the same database that can be cut, with one connection that is used again."""
    with Proxy(engine.url.render_as_string(hide_password=False)) as proxy:
        through = sa.create_engine(proxy.url, pool_size=1, max_overflow=1)
        yield proxy, through
        through.dispose()


def requests_of(proxy: Proxy, work: Callable[[], Any]) -> int:
    proxy.count()
    work()
    return proxy.requests


@pytest.mark.parametrize("act", ["issue to somebody new", "transfer"])
def test_s4_wherever_the_way_to_the_server_is_cut_a_command_is_done_once(
    engine: sa.Engine, cut_off: tuple[Proxy, sa.Engine], act: str
) -> None:
    proxy, through = cut_off
    calm = Shop.new(through)
    calm.own(ACTS["hold"])  # whatever a connection does only once is done
    calm = Shop(through, Shop.new(engine).merchant)
    calm.kept()  # as below: an engine that has met a holder before asks for less
    number = requests_of(proxy, lambda: calm.own(ACTS[act]))
    wanted = calm.kept()
    for where, at in itertools.product(Cut, range(1, number + 1)):
        case = f"{where.value}, {at} of {number}"
        shop = Shop.new(engine)
        mine = Shop(through, shop.merchant)
        mine.kept()  # there is a connection, and it is idle
        proxy.cut(where, at)
        receipt = mine.own(ACTS[act])
        assert proxy.swallowed is not None, case
        # Only where the commit had been done is the outcome that of an earlier attempt.
        assert receipt.replayed == (where is Cut.ANSWER and at == number), case
        assert shop.kept() == wanted, case


def test_s4_when_the_answer_to_the_commit_is_cut_a_retry_gives_the_original_outcome(
    engine: sa.Engine, cut_off: tuple[Proxy, sa.Engine]
) -> None:
    proxy, through = cut_off
    Shop.new(through).kept()  # whatever a connection does only once is done
    calm = Shop(through, Shop.new(engine).merchant)
    calm.kept()
    number = requests_of(proxy, lambda: calm.own(ACTS["redeem"]))
    shop = Shop.new(engine)
    mine = Shop(through, shop.merchant, attempts=1)
    mine.kept()
    proxy.cut(Cut.ANSWER, number)
    with pytest.raises(TransactionInterrupted, match="while it was being committed") as conflict:
        mine.own(ACTS["redeem"])
    assert conflict.value.retryable
    require_discreet(conflict.value)
    assert proxy.swallowed is not None
    asked, answered = proxy.swallowed
    assert b"COMMIT" in (answered if engine.dialect.name == "postgresql" else asked)
    # It was done; whoever asks again, on this connection or another, is told what was done.
    first = next(entry for entry in shop.credit().journal("anna", "USD") if entry.key == "k")
    for again in (mine, shop):
        receipt = again.own(ACTS["redeem"])
        assert (receipt.replayed, receipt.entry_id, str(receipt.amount)) == (
            *(True, first.id),
            "USD 4.00",
        )
    # Anna has one dollar left: were it decided anew, it would be refused.
    with pytest.raises(InsufficientCredit):
        shop.credit().redeem("anna", usd("4.00"), key="another")
    assert shop.kept() == calm.kept()


def test_s5_wherever_the_way_is_cut_the_order_and_the_credit_live_or_die_together(
    engine: sa.Engine, cut_off: tuple[Proxy, sa.Engine]
) -> None:
    proxy, through = cut_off
    Shop.new(through).hosts(ACTS["hold"])
    calm = Shop.new(through)
    number = requests_of(proxy, lambda: calm.hosts(ACTS["redeem"]))
    wanted = calm.kept()
    for where, at in itertools.product(Cut, range(1, number + 1)):
        case = f"{where.value}, {at} of {number}"
        shop = Shop.new(engine)
        mine = Shop(through, shop.merchant)
        before = mine.kept()
        proxy.cut(where, at)
        try:
            mine.hosts(ACTS["redeem"])
        except HostTransactionConflict as conflict:
            require_discreet(conflict)
        except sa.exc.DBAPIError:
            pass  # at a statement of the host's own, such as its commit
        else:
            # What comes after the commit, such as the pool's rollback, fails unseen.
            assert shop.kept() == wanted, case
        assert shop.kept() in (before, wanted), case
        if shop.kept() == before:
            assert not mine.hosts(ACTS["redeem"]).replayed, case
        assert shop.kept() == wanted, case
        assert shop.own(ACTS["redeem"]).replayed, case


# --- A driver that forgets ------------------------------------------------------------------


@pytest.mark.parametrize("how", ["own", "hosts"])
def test_s5_what_a_hosts_rollback_makes_the_server_forget_is_nobodys_error(
    engines: dict[str, sa.Engine], how: str
) -> None:
    """Psycopg deallocates all prepared statements with a rollback, if it has prepared any."""
    engine = sa.create_engine(engines["postgres"].url, pool_size=1, max_overflow=0)
    shop = Shop.new(engine)
    shop.attempts = 1

    def forget() -> None:
        with engine.connect() as connection:
            for _ in range(6):
                connection.execute(sa.select(ORDERS.c.id)).all()
            assert prepared(connection)
            connection.rollback()
            assert not prepared(connection)

    def prepared(connection: sa.Connection) -> list[str]:
        query = "SELECT name FROM pg_prepared_statements"
        return [name for (name,) in connection.exec_driver_sql(query)]

    def once(credit: StoreCredit) -> None:
        number = next(_shops)
        hold = credit.hold("anna", usd("0.10"), key=f"h{number}").hold_id
        credit.transfer("anna", "ben", usd("1.00"), key=f"t{number}")
        credit.capture(hold, key=f"c{number}")
        assert str(credit.wallet("ben").available) == "USD 1.00"
        credit.transfer("ben", "anna", usd("1.00"), key=f"b{number}")

    for part in range(4):
        if how == "own":
            once(shop.credit())
        else:
            with Session(engine) as session, session.begin():
                session.execute(sa.insert(ORDERS).values(id=f"{shop.merchant} {part}"))
                once(shop.credit(session))
        forget()
        assert str(shop.credit().wallet("anna").available) == f"USD 4.{9 - part}0"
        if part % 2:
            forget()
    assert shop.credit().verify().ok
    engine.dispose()
