"""Every engine gives the same ledger: any story, the same bytes, the same refusals (S6, S10)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine, create_engine, text

from storecredit import Money, Period, StoreCredit
from storecredit.errors import JournalBroken, UnknownEntry, UnknownHold, UnknownLot
from storecredit.storage import MemoryStorage, Storage
from storecredit.storage.sql import SQLStorage, create
from storecredit.testing import SettableClock
from storecredit.testing.machine import LedgerMachine

pytestmark = pytest.mark.server

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    fixtures = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}
    url = (
        f"sqlite:///{tmp_path}/shop.db"
        if request.param == "sqlite"
        else str(request.getfixturevalue(fixtures[request.param]))
    )
    engine = create_engine(url)
    yield engine
    engine.dispose()


# --- Any story ------------------------------------------------------------------------------


def test_every_command_does_what_the_naive_model_says(engine: Engine) -> None:
    numbers = itertools.count(1)

    class OnTables(LedgerMachine):
        """The machine, in tables of its own."""

        def make_storage(self) -> Storage:
            prefix = f"m{next(numbers)}_"
            create(engine, prefix=prefix)
            return SQLStorage(engine, prefix=prefix)

    stories = settings(
        max_examples=max(settings().max_examples // 15, 3),
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(OnTables, settings=stories)


def test_s9_a_journal_that_goes_from_memory_to_the_tables_and_back_is_the_same(
    engine: Engine, tmp_path: Path
) -> None:
    first = StoreCredit(MemoryStorage(), "acme", clock=SettableClock(NOON))
    lot = first.issue("anna", usd("5.00"), funding="goodwill", expires=Period(days=9), key="a1")
    hold = first.hold("anna", usd("2.00"), key="a2", reference="order 2", actor="Mia", note="n")
    first.capture_part(hold.hold_id, usd("1.00"), key="a3")
    spent = first.redeem("anna", usd("1.00"), key="a4")
    first.restore(spent.entry_id, amount=usd("0.50"), key="a5")
    first.transfer("anna", "ben", usd("0.25"), key="a6")
    first.set_limit("carl", "USD", "unlimited", key="c1")
    first.set_spenders("carl", "USD", ["dora", "émil"], key="c2")
    first.revoke(lot.lot_id, key="a7", held="unheld_only", actor="Mia", reason="wrong")
    first.export_journal(tmp_path / "memory.jsonl")

    create(engine)
    kept = StoreCredit(SQLStorage(engine), "acme", clock=SettableClock(NOON))
    kept.import_journal(tmp_path / "memory.jsonl")
    kept.export_journal(tmp_path / "tables.jsonl")
    assert (tmp_path / "tables.jsonl").read_bytes() == (tmp_path / "memory.jsonl").read_bytes()
    assert kept.verify().ok
    assert kept.heads() == first.heads()
    kept.import_journal(tmp_path / "memory.jsonl")
    assert kept.verify().entries == first.verify().entries


# --- Ids that are none ----------------------------------------------------------------------

LOCAL = "a" * 32
BAD_IDS: tuple[Any, ...] = (
    *("", "x", ".", f"\ud800.USD.{LOCAL}", f"\0.USD.{LOCAL}", f"a.\ud800.{LOCAL}"),
    *(f"..{LOCAL}", "a.USD." + "\ud800" * 32, "a.USD." + "g" * 32, f"{'ä' * 32}.USD.{LOCAL}"),
    *(f"{'0' * 32}.USD.{LOCAL}", f"{'0' * 32} .USD.{LOCAL}", f"{'0' * 500}.USD.{LOCAL}"),
    *(None, 123, 1.5, b"x", [], {}, ("a", "b"), object()),
)
VERBS: dict[str, tuple[type[Exception], Callable[[StoreCredit, Any], object]]] = {
    "capture": (UnknownHold, lambda credit, bad: credit.capture(bad, key="k")),
    "restore": (UnknownEntry, lambda credit, bad: credit.restore(bad, key="k")),
    "reverse": (UnknownEntry, lambda credit, bad: credit.reverse_transfer(bad, key="k")),
    "explain": (UnknownEntry, lambda credit, bad: credit.explain(bad)),
    "erase": (UnknownEntry, lambda credit, bad: credit.erase(bad)),
    "revoke": (
        UnknownLot,
        lambda credit, bad: credit.revoke(bad, key="k", actor="ann", reason="r"),
    ),
    "redeem": (
        UnknownLot,
        lambda credit, bad: credit.redeem("anna", usd("1.00"), lot=bad or "x", key="k"),
    ),
    "transfer": (
        UnknownLot,
        lambda credit, bad: credit.transfer("anna", "b", usd("1.00"), lot=bad or "x", key="k"),
    ),
}


def test_s10_what_can_be_no_id_is_unknown(engine: Engine) -> None:
    create(engine)
    credit = StoreCredit(SQLStorage(engine), "acme")
    credit.issue("anna", usd("5.00"), funding="refund", key="a")
    for verb, (error, ask) in VERBS.items():
        for bad in BAD_IDS:
            with pytest.raises(error) as refused:
                ask(credit, bad)
            assert type(refused.value) is error, (verb, bad)
    assert str(credit.wallet("anna").available) == "USD 5.00"


# --- What was changed around the library ------------------------------------------------------

HOLDERS = tuple(f"h{number}" for number in range(6))


class Scene:
    """Six accounts, each with value that expires and a hold that lapses; no guards any more."""

    def __init__(self, engine: Engine) -> None:
        create(engine)
        self.engine = engine
        self.clock = SettableClock(NOON)
        self.credit = StoreCredit(SQLStorage(engine), "acme", clock=self.clock)
        for holder in HOLDERS:
            self.credit.issue(
                holder, usd("5.00"), funding="goodwill", expires=Period(days=9), key="i"
            )
            self.credit.hold(holder, usd("1.00"), lapses=Period(days=1), key="h", actor="Mia")
        self.names = sorted(self.credit.heads())

    def change(self, statement: str, number: int) -> None:
        """Run a statement on the rows of one account."""
        wallet = self.names[number].partition(".")[0]
        with self.engine.begin() as connection:
            connection.execute(text(f"{statement} WHERE wallet = '{wallet}'"))

    def without_guards(self) -> None:
        """Drop the triggers, as somebody could who owns the database."""
        of_engine = self.engine.dialect.name
        with self.engine.begin() as connection:
            for table, verb in (
                ("entries", "update"),
                ("entries", "delete"),
                ("private", "update"),
            ):
                on = f" ON storecredit_{table}" if of_engine == "postgresql" else ""
                connection.execute(text(f"DROP TRIGGER storecredit_{table}_no_{verb}{on}"))

    def swept(self, kind: str) -> int:
        with SQLStorage(self.engine).snapshot() as reader:
            accounts = [
                reader.account_by_id("acme", name) for _, name in reader.account_ids("acme")
            ]
            return sum(
                entry.kind.value == kind
                for account in accounts
                if account is not None
                for entry in reader.journal(account)
            )


@pytest.fixture
def scene(engine: Engine) -> Scene:
    return Scene(engine)


def test_a5_an_account_that_cannot_be_read_stops_no_other_from_being_swept(scene: Scene) -> None:
    scene.change("UPDATE storecredit_lots SET funding = 'x'", 2)
    scene.clock.advance(Period(days=10))
    with pytest.raises(JournalBroken) as refused:
        scene.credit.expire_due(batch=4)
    assert refused.value.problem == "the row of a lot cannot be read"
    scene.change("UPDATE storecredit_lots SET funding = 'goodwill'", 2)
    assert scene.swept("expire") == 5


def test_s1_a_batch_with_an_entry_that_the_tables_would_refuse_is_done_without_it(
    scene: Scene,
) -> None:
    scene.change("UPDATE storecredit_lots SET amount = 9000, remaining = 9000", 3)
    scene.clock.advance(Period(days=10))
    with pytest.raises(JournalBroken):
        scene.credit.expire_due(batch=4)
    assert scene.swept("expire") == 5
    assert {problem.account for problem in scene.credit.verify().problems} == {scene.names[3]}


TAMPERED = {
    "a total": "UPDATE storecredit_accounts SET issued = issued + 1, balance = balance + 1",
    "a version": "UPDATE storecredit_accounts SET version = version + 1",
    "a head": "UPDATE storecredit_accounts SET head = '{nothing}'",
    "a status": "UPDATE storecredit_accounts SET status = 'frozen'",
    "a limit": "UPDATE storecredit_accounts SET credit_limit = '5'",
    "a limit that is none": "UPDATE storecredit_accounts SET credit_limit = 'x'",
    "spenders": "UPDATE storecredit_accounts SET spenders = '[\"eve\"]'",
    "a lot": "UPDATE storecredit_lots SET priority = 3",
    "a lot that is gone": "DELETE FROM storecredit_lots",
    "a hold": "UPDATE storecredit_holds SET captured = 5",
    "a hold that is gone": "DELETE FROM storecredit_holds",
    "the account": "DELETE FROM storecredit_accounts",
    "a body": "UPDATE storecredit_entries SET body = '{}'",
    "a digest": "UPDATE storecredit_entries SET digest = '{nothing}'",
    "an id": "UPDATE storecredit_entries SET id = '0123456789abcdef'",
    "the journal": "DELETE FROM storecredit_entries",
    "a private field": "UPDATE storecredit_private SET value = '\"Eve\"'",
    "a salt": "UPDATE storecredit_private SET salt = 'x'",
}


@pytest.mark.parametrize("case", sorted(TAMPERED))
def test_s6_whatever_is_changed_around_the_library_is_found_and_named(
    scene: Scene, case: str
) -> None:
    scene.without_guards()
    scene.change(TAMPERED[case].replace("{nothing}", "0" * 32), 4)
    found = scene.credit.verify()
    assert {problem.account for problem in found.problems} == {scene.names[4]}, found.problems


@pytest.mark.parametrize(
    "case", ["a total", "a version", "a lot that is gone", "a hold", "a status"]
)
def test_s6_state_that_was_changed_is_rebuilt_from_the_journal(scene: Scene, case: str) -> None:
    heads = scene.credit.heads()
    scene.change(TAMPERED[case], 4)
    assert not scene.credit.verify().ok
    scene.credit.rebuild()
    assert scene.credit.verify().ok
    assert scene.credit.heads() == heads


def test_s6_a_wallet_that_is_gone_leaves_its_journal_to_be_found(scene: Scene) -> None:
    wallet = scene.names[1].partition(".")[0]
    with scene.engine.begin() as connection:
        connection.execute(text(f"DELETE FROM storecredit_wallets WHERE id = '{wallet}'"))
    assert {problem.account for problem in scene.credit.verify().problems} == {scene.names[1]}


# --- The cost of history ----------------------------------------------------------------------


def test_s3_no_statement_of_a_redeem_reads_what_is_over(engine: Engine) -> None:
    """What a redeem reads stays the same while its account has more and more of a past."""
    create(engine)
    credit = StoreCredit(SQLStorage(engine), "acme")
    credit.issue("anna", usd("500.00"), funding="refund", key="a")
    seen: list[int] = []
    for round_ in range(3):
        for number in range(20):
            key = f"{round_}/{number}"
            lot = credit.issue("anna", usd("1.00"), funding="refund", key=f"i{key}").lot_id
            credit.redeem("anna", usd("1.00"), lot=lot, key=f"r{key}")
            hold = credit.hold("anna", usd("0.01"), key=f"h{key}").hold_id
            credit.release(hold, key=f"x{key}")
        seen.append(
            rows_read(engine, lambda: credit.redeem("anna", usd("1.00"), key=f"q{len(seen)}"))
        )
    assert len(set(seen)) == 1, seen


def rows_read(engine: Engine, work: Callable[[], Any]) -> int:
    """Count the rows that come back while *work* runs."""
    from storecredit.storage.sql import _own as own

    count = 0
    made = own.wire_to

    class Counting:
        def __init__(self, wire: Any) -> None:
            self.wire = wire

        def __getattr__(self, name: str) -> Any:
            return getattr(self.wire, name)

        def run(self, steps: Any) -> Any:
            nonlocal count
            answers = self.wire.run(steps)
            count += sum(len(answer.rows) for answer in answers)
            return answers

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(own, "wire_to", lambda *given: Counting(made(*given)))
        work()
    return count


def test_s5_no_error_shows_what_a_driver_has_said(engine: Engine) -> None:
    create(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE storecredit_lots RENAME TO somewhere_else"))
    credit = StoreCredit(SQLStorage(engine), "acme")
    with pytest.raises(Exception, match="its tables are missing") as refused:
        credit.issue("anna", usd("5.00"), funding="refund", key="geheim")
    assert not re.search(r"geheim|lots|SELECT|relation|doesn't exist|no such", str(refused.value))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
