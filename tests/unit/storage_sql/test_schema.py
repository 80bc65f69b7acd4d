"""The tables as SQLAlchemy metadata: their names, their guards, and how they come to a database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    inspect,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from storecredit import Money, StoreCredit
from storecredit.errors import InvalidTerms, StorageUnavailable, StorageUnusable
from storecredit.storage import Record
from storecredit.storage.sql import PREFIX, VERSION, SQLStorage, check, create, tables, upgrade


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    yield engine
    engine.dispose()


# --- Names --------------------------------------------------------------------------------

LONGEST_NAME = 63


def test_s8_the_tables_join_the_metadata_of_the_host() -> None:
    host = MetaData()
    Table("orders", host, Column("id", Integer, primary_key=True))
    made = tables(metadata=host)
    assert made.metadata is host
    assert set(host.tables) == {
        "orders",
        *(f"{PREFIX}{name}" for name in ("wallets", "accounts", "lots", "holds", "restored")),
        *(f"{PREFIX}{name}" for name in ("entries", "private", "records", "record_references")),
        *(f"{PREFIX}{name}" for name in ("feed_waiting", "feed_places", "feed_counter", "meta")),
    }
    assert {table.name for table in made.every} == set(host.tables) - {"orders"}


def test_s8_every_name_begins_with_the_prefix_and_is_short_enough_for_every_engine() -> None:
    prefix = "p" * 24
    for table in tables(prefix=prefix).every:
        names = [table.name, *(str(index.name) for index in table.indexes)]
        names += [str(constraint.name) for constraint in table.constraints]
        for name in names:
            assert name.startswith(prefix)
            assert len(name) <= LONGEST_NAME, name


def test_s10_the_shard_key_leads_every_unique_constraint_and_every_key() -> None:
    made = tables()
    of_accounts = (made.accounts, made.lots, made.holds, made.restored, made.entries, made.private)
    for table in of_accounts:
        assert [column.name for column in table.primary_key][:2] == ["wallet", "unit"]
    for table in made.every:
        assert not table.foreign_keys
        assert not any(index.unique for index in table.indexes)
        assert all(column.autoincrement is not True for column in table.columns)


@pytest.mark.parametrize(
    "prefix", ["", "1st", "Shop_", "shop-", "shop.", "s" * 25, "shop; DROP", "é", None, 5]
)
def test_s8_a_prefix_that_cannot_begin_a_name_is_refused(prefix: Any) -> None:
    with pytest.raises(InvalidTerms) as refused:
        tables(prefix=prefix)
    assert refused.value.field == "prefix"
    with pytest.raises(InvalidTerms):
        SQLStorage(create_engine("sqlite://"), prefix=prefix)


@pytest.mark.parametrize("schema", ["", "Shop", "a.b", 'a"b', "s" * 64, 5])
def test_s8_a_schema_that_cannot_be_named_is_refused(schema: Any) -> None:
    with pytest.raises(InvalidTerms) as refused:
        tables(schema=schema)
    assert refused.value.field == "schema"


@pytest.mark.parametrize("bind", [None, "sqlite://", 5, object()])
def test_a_storage_works_on_an_engine_a_connection_or_a_session(bind: Any) -> None:
    with pytest.raises(InvalidTerms, match="an Engine, or a Connection or Session"):
        SQLStorage(bind)


# --- How each engine is told ------------------------------------------------------------------


def ddl(url: str, name: str) -> str:
    dialect = create_engine(url).dialect
    table = getattr(tables(), name)
    parts = [CreateTable(table), *(CreateIndex(index) for index in table.indexes)]
    return "\n".join(str(part.compile(dialect=dialect)) for part in parts)


def test_a18_texts_are_compared_code_point_by_code_point_on_every_engine() -> None:
    assert 'VARCHAR(200) COLLATE "C"' in ddl("postgresql+psycopg://", "wallets")
    assert "COLLATE utf8mb4_nopad_bin" in ddl("mariadb+pymysql://", "wallets")
    assert "COLLATE utf8mb4_0900_bin" in ddl("mysql+pymysql://", "wallets")
    assert "COLLATE" not in ddl("sqlite://", "wallets")


def test_s3_what_is_spent_drops_out_of_the_indexes_where_an_engine_can_do_that() -> None:
    for url in ("postgresql+psycopg://", "sqlite://"):
        assert "(wallet, unit, is_open) WHERE is_open = 1" in ddl(url, "lots")
        assert "(wallet, unit, status) WHERE status = 'active'" in ddl(url, "holds")
    assert "(wallet, unit, is_open)" in ddl("mariadb+pymysql://", "lots")
    assert "WHERE" not in ddl("mariadb+pymysql://", "lots").partition("CREATE INDEX")[2]


def test_a14_canonical_text_is_kept_as_text() -> None:
    for url in ("postgresql+psycopg://", "mariadb+pymysql://", "mysql+pymysql://", "sqlite://"):
        assert "JSON" not in ddl(url, "entries").upper()
    assert "body LONGTEXT" in ddl("mysql+pymysql://", "entries")
    assert 'body TEXT COLLATE "C"' in ddl("postgresql+psycopg://", "entries")


# --- Coming to a database ---------------------------------------------------------------------


def test_s8_tables_are_made_once_and_are_what_is_expected(engine: Engine) -> None:
    for _ in range(2):
        create(engine)
        check(engine)
    assert upgrade(engine) == 0


def test_s8_tables_can_be_made_in_the_transaction_of_a_migration(engine: Engine) -> None:
    with engine.begin() as connection:
        create(connection, prefix="shop_")
        check(connection, prefix="shop_")
    check(engine, prefix="shop_")


def test_s8_two_ledgers_may_share_a_database(engine: Engine) -> None:
    for prefix in ("one_", "two_"):
        create(engine, prefix=prefix)
        StoreCredit(SQLStorage(engine, prefix=prefix), "acme").issue(
            "anna", usd("5.00"), funding="refund", key=prefix
        )
    for prefix in ("one_", "two_"):
        assert StoreCredit(SQLStorage(engine, prefix=prefix), "acme").verify().entries == 1


@pytest.mark.parametrize("verb", [check, upgrade])
def test_s8_a_database_without_the_tables_is_said_to_lack_them(engine: Engine, verb: Any) -> None:
    with pytest.raises(StorageUnusable, match=r"its tables storecredit_\.\.\. are missing"):
        verb(engine)
    with pytest.raises(StorageUnusable, match=r"Run storecredit.storage.sql.create\(\)"):
        StoreCredit(SQLStorage(engine), "acme").issue(
            "anna", usd("5.00"), funding="refund", key="a1"
        )


@pytest.mark.parametrize(
    ("version", "advice"),
    [(VERSION + 1, "Use the newer storecredit"), ("x", r"Run storecredit.storage.sql.upgrade")],
)
def test_s8_tables_of_another_version_are_left_alone(
    engine: Engine, version: Any, advice: str
) -> None:
    create(engine)
    with engine.begin() as connection:
        connection.execute(update(tables().meta).values(value=str(version)))
    for verb in (create, check, upgrade, lambda engine: SQLStorage(engine).snapshot().__enter__()):
        with pytest.raises(StorageUnusable, match=advice):
            verb(engine)


def test_s8_a_column_that_is_missing_is_named(engine: Engine) -> None:
    create(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE storecredit_holds DROP COLUMN reference"))
    with pytest.raises(StorageUnusable, match="storecredit_holds has no column reference"):
        check(engine)


def test_s5_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/no/such/folder/shop.db")
    for ask in (create, check, upgrade, lambda engine: SQLStorage(engine).snapshot().__enter__()):
        with pytest.raises(StorageUnavailable):
            ask(engine)


MAKE = """
import sys
from sqlalchemy import create_engine
from storecredit.storage.sql import create
create(create_engine(sys.argv[1]))
"""


def test_s8_many_processes_may_make_the_tables_at_once(server_url: str) -> None:
    command = [sys.executable, "-c", MAKE, server_url]
    makers = [subprocess.Popen(command) for _ in range(6)]
    assert [maker.wait(60) for maker in makers] == [0] * 6
    engine = create_engine(server_url)
    check(engine)
    engine.dispose()


def test_s8_the_tables_may_lie_in_a_schema(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA credit"))
    create(engine, schema="credit")
    check(engine, schema="credit")
    credit = StoreCredit(SQLStorage(engine, schema="credit"), "acme")
    credit.issue("anna", usd("5.00"), funding="refund", key="a1")
    credit.redeem("anna", usd("1.00"), key="a2")
    assert credit.verify().ok
    assert inspect(engine).get_table_names() == []
    engine.dispose()


# --- What the tables refuse -------------------------------------------------------------------

WRONG = {
    "a negative total": "UPDATE storecredit_accounts SET expired = -1, balance = balance + 1",
    "sums that do not add up": "UPDATE storecredit_accounts SET issued = issued + 1",
    "more held than there is": "UPDATE storecredit_accounts SET held = balance + 1",
    "a debt below nothing": "UPDATE storecredit_accounts SET owed_settled = 1",
    "a lot below nothing": "UPDATE storecredit_lots SET remaining = -1, is_open = 0, held = -2",
    "a lot above its amount": "UPDATE storecredit_lots SET remaining = amount + 1",
    "more of a lot held than it has": "UPDATE storecredit_lots SET held = remaining + 1",
    "an open lot filed as spent": "UPDATE storecredit_lots SET is_open = 0",
    "a hold that captured less than nothing": "UPDATE storecredit_holds SET captured = -1",
    "an entry that is changed": "UPDATE storecredit_entries SET body = '{}'",
    "an entry that is deleted": "DELETE FROM storecredit_entries WHERE sequence = 2",
    "a private field that is changed": "UPDATE storecredit_private SET value = 'x'",
    "a second entry with a number": (
        "INSERT INTO storecredit_entries"
        " SELECT wallet, unit, sequence, id, 'other', body, digest, feed_xact"
        " FROM storecredit_entries WHERE sequence = 1"
    ),
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A ledger with a row of each sort."""
    fixtures = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}
    url = (
        f"sqlite:///{tmp_path}/shop.db"
        if request.param == "sqlite"
        else str(request.getfixturevalue(fixtures[request.param]))
    )
    engine = create_engine(url)
    create(engine)
    credit = StoreCredit(SQLStorage(engine), "acme")
    credit.issue("anna", usd("5.00"), funding="refund", key="a1", actor="Mia")
    credit.hold("anna", usd("1.00"), key="a2")
    yield engine
    engine.dispose()


def test_s6_what_is_written_around_the_library_is_refused_by_the_engine(told: Engine) -> None:
    from sqlalchemy.exc import DBAPIError

    for case, statement in WRONG.items():
        with pytest.raises(DBAPIError), told.begin() as connection:
            connection.execute(text(statement))
        assert StoreCredit(SQLStorage(told), "acme").verify().ok, case


def test_v2_the_largest_totals_add_up_without_an_overflow(told: Engine) -> None:
    most = 2**63 - 1
    with told.begin() as connection:
        connection.execute(
            text(
                "UPDATE storecredit_accounts SET held = 0, issued = :most, restored = :most,"
                " redeemed = :most, expired = :most, balance = 0"
            ),
            {"most": most},
        )
        connection.rollback()
    with pytest.raises(Exception), told.begin() as connection:  # noqa: B017, PT011 - each driver's own
        connection.execute(
            text(
                "UPDATE storecredit_accounts SET held = 0, issued = :most, restored = :most,"
                " redeemed = :most, expired = :less, balance = 0"
            ),
            {"most": most, "less": most - 1},
        )


def test_s6_entries_go_in_but_never_twice_with_a_key(told: Engine) -> None:
    statement = (
        "INSERT INTO storecredit_entries"
        " SELECT wallet, unit, sequence + 5, id, {key}, body, digest, feed_xact"
        " FROM storecredit_entries WHERE sequence = 1"
    )
    quoted = "`key`" if told.dialect.name in {"mysql", "mariadb"} else '"key"'
    with pytest.raises(IntegrityError), told.begin() as connection:
        connection.execute(text(statement.format(key=quoted)))


def test_s11_names_that_are_longer_than_an_index_takes_are_refused_before_they_are_sent(
    told: Engine,
) -> None:
    from storecredit.errors import InvalidText

    long = "k" * 65
    for wrong in (
        Record(merchant="acme", kind=long, id="1", version=1, body={}),
        Record(merchant="acme", kind="case", id="1", version=1, body={}, references={long: "1"}),
    ):
        with pytest.raises(InvalidText, match="at most 64"), SQLStorage(told).transaction() as work:
            work.put(wrong)
    with SQLStorage(told).snapshot() as reader:
        assert reader.record_kinds("acme") == []
