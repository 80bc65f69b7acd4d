"""A driver that fails at each statement in turn: all or nothing, and the retry does it once (S5)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import Engine, create_engine

from storecredit import Money, StoreCredit
from storecredit.errors import StorageUnavailable
from storecredit.storage.sql import SQLStorage, TransactionInterrupted, create
from storecredit.storage.sql import _own as own
from storecredit.storage.sql._failures import Failure, Kind, kind_of_state
from storecredit.storage.sql._wire import Answer, Step, Wire


class When(Enum):
    INSTEAD = "in place of the statement"
    AFTER = "after the statement, so that its answer is lost"


@attrs.define
class Trouble:
    """One failure at the nth statement, counted over all connections."""

    number: int
    kind: Kind
    when: When = When.INSTEAD
    at_once: bool = False
    seen: list[str] = attrs.field(factory=list)
    struck: bool = False

    def wire_to(self, made: Callable[..., Wire]) -> Callable[..., Wire]:
        return lambda *arguments: TroubledWire(made(*arguments), self)


class TroubledWire:
    """A real wire to SQLite on which one statement fails as another engine would let it fail."""

    def __init__(self, wire: Wire, trouble: Trouble) -> None:
        self.wire = wire
        self.trouble = trouble
        self.broken = False
        self.trips = 0
        self.at_once = trouble.at_once

    def run(self, steps: Sequence[Step]) -> list[Answer]:
        return [self.one(step, number) for number, step in enumerate(steps)]

    def one(self, step: Step, number: int) -> Answer:
        trouble = self.trouble
        if self.broken:
            raise Failure(Kind.LOST, number)
        trouble.seen.append(step.statement.sql)
        strikes = not trouble.struck and len(trouble.seen) == trouble.number
        if strikes and trouble.when is When.INSTEAD:
            self.strike(number)
        try:
            (answer,) = self.wire.run([step])
        except Failure as failure:
            raise Failure(failure.kind, number) from None
        if strikes:
            self.strike(number)
        return answer

    def strike(self, number: int) -> None:
        kind, self.trouble.struck = self.trouble.kind, True
        if kind is Kind.LOST:
            # Whatever was not committed is gone with the connection.
            self.broken = True
            self.wire._connection.rollback()  # type: ignore[attr-defined]  # it stands for the server's
        if kind is Kind.BEATEN:
            # The server has rolled back by itself, so that even a rollback is an error.
            self.wire._connection.rollback()  # type: ignore[attr-defined]  # as above
        raise Failure(kind, number)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


ACTS: dict[str, Callable[[StoreCredit], Any]] = {
    "issue to somebody new": lambda credit: credit.issue(
        "fay", usd("2.00"), funding="refund", key="k", actor="Mia"
    ),
    "redeem": lambda credit: credit.redeem("anna", usd("4.00"), key="k"),
    "hold": lambda credit: credit.hold("anna", usd("4.00"), key="k"),
    "transfer": lambda credit: credit.transfer("anna", "ben", usd("4.00"), key="k"),
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    create(engine)
    yield engine
    engine.dispose()


_shops = itertools.count(1)


def shop(engine: Engine) -> StoreCredit:
    """A new merchant at the same database: Anna has five dollars, Ben has one."""
    credit = StoreCredit(SQLStorage(engine), f"shop {next(_shops)}", sleep=lambda _: None)
    credit.issue("anna", usd("5.00"), funding="refund", key="a1")
    credit.issue("ben", usd("1.00"), funding="refund", key="b1")
    return credit


def kept(credit: StoreCredit) -> list[tuple[str, str, int]]:
    found = credit.verify()
    assert found.ok, found.problems
    return [
        (holder, str(account.available), account.version)
        for holder in ("anna", "ben", "fay")
        for account in credit.wallet(holder).accounts
    ]


def with_trouble(monkeypatch: pytest.MonkeyPatch, trouble: Trouble, work: Callable[[], Any]) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(own, "wire_to", trouble.wire_to(own.wire_to))
        return work()


def statements_of(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, act: str, **how: Any
) -> list[str]:
    credit, calm = shop(engine), Trouble(0, Kind.LOST, **how)
    with_trouble(monkeypatch, calm, lambda: ACTS[act](credit))
    return calm.seen


TRANSIENT = ("40001", "40P01", "55P03", "57P01", "26000")


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "at once"])
@pytest.mark.parametrize("act", sorted(ACTS))
def test_s5_a_transient_error_at_any_statement_is_retried_to_the_same_outcome(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, act: str, at_once: bool
) -> None:
    calm = shop(engine)
    ACTS[act](calm)
    wanted = kept(calm)
    statements = statements_of(monkeypatch, engine, act, at_once=at_once)
    assert {"BEGIN IMMEDIATE", "COMMIT"} <= set(statements)
    for number, state in itertools.product(range(1, len(statements) + 1), TRANSIENT):
        credit = shop(engine)
        trouble = Trouble(number, kind_of_state(state), at_once=at_once)
        receipt = with_trouble(monkeypatch, trouble, lambda credit=credit: ACTS[act](credit))
        case = f"{state} at {statements[number - 1]}"
        assert trouble.struck, case
        assert not receipt.replayed, case
        assert kept(credit) == wanted, case


@pytest.mark.parametrize("act", sorted(ACTS))
def test_s4_when_the_answer_to_a_commit_is_lost_the_key_decides(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, act: str
) -> None:
    calm = shop(engine)
    ACTS[act](calm)
    wanted = kept(calm)
    commit = statements_of(monkeypatch, engine, act).index("COMMIT") + 1
    credit = shop(engine)
    trouble = Trouble(commit, Kind.LOST, When.AFTER)
    receipt = with_trouble(monkeypatch, trouble, lambda: ACTS[act](credit))
    assert receipt.replayed
    assert kept(credit) == wanted


def test_s5_an_error_that_is_not_transient_is_not_retried_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    statements = statements_of(monkeypatch, engine, "redeem")
    for number in range(1, len(statements) + 1):
        credit = shop(engine)
        before = kept(credit)
        trouble = Trouble(number, kind_of_state("53100"))
        with pytest.raises(StorageUnavailable) as refused:
            with_trouble(monkeypatch, trouble, lambda credit=credit: ACTS["redeem"](credit))
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__
        assert trouble.seen.count("COMMIT") == (1 if number == len(statements) else 0)
        assert kept(credit) == before
        ACTS["redeem"](credit)
        assert kept(credit) != before


def test_s5_a_connection_whose_rollback_fails_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    credit = shop(engine)
    idle = engine.pool.checkedin()  # type: ignore[attr-defined]  # of a pool that counts
    assert idle == 1
    trouble = Trouble(3, Kind.BEATEN)
    opened: list[Any] = []

    def noted(made: Callable[..., Wire]) -> Callable[..., Wire]:
        def wire_to(connection: Any, *rest: Any) -> Wire:
            opened.append(connection)
            return made(connection, *rest)

        return wire_to

    with monkeypatch.context() as patched:
        patched.setattr(own, "wire_to", noted(trouble.wire_to(own.wire_to)))
        ACTS["redeem"](credit)
    first, second = opened
    assert first is not second, "a connection in an unknown state went back to the pool"


def test_s5_attempts_end_and_the_last_conflict_is_told(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    credit = shop(engine)
    before = kept(credit)
    tried = 0

    class AlwaysBeaten(TroubledWire):
        def run(self, steps: Sequence[Step]) -> list[Answer]:
            nonlocal tried
            tried += steps[0].statement.sql == "BEGIN IMMEDIATE"
            raise Failure(Kind.BEATEN, 0)

    made = own.wire_to
    with monkeypatch.context() as patched:
        patched.setattr(
            own, "wire_to", lambda *given: AlwaysBeaten(made(*given), Trouble(0, Kind.BEATEN))
        )
        with pytest.raises(TransactionInterrupted, match="in favour of another"):
            ACTS["redeem"](credit)
    assert tried == 8
    assert kept(credit) == before
