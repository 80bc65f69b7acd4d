"""What each code of each driver means, and what a caller is told; never the driver's text (S5)."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
import pymysql
import pytest
from sqlalchemy import create_engine

from storecredit.errors import (
    ConcurrentChange,
    JournalBroken,
    StorageUnavailable,
    StorageUnusable,
    StoreCreditError,
)
from storecredit.storage.sql import HostTransactionConflict, TransactionInterrupted
from storecredit.storage.sql._compiled import verb
from storecredit.storage.sql._explained import explaining, storage_name
from storecredit.storage.sql._failures import Failure, Kind, kind_of, kind_of_state
from storecredit.storage.sql._wire import Step

POSTGRESQL = create_engine("postgresql+psycopg://h/d").dialect
MARIADB = create_engine("mariadb+pymysql://h/d").dialect
SQLITE = create_engine("sqlite://").dialect


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("40001", Kind.BEATEN),  # serialization failure
        ("40P01", Kind.BEATEN),  # deadlock
        ("40003", Kind.BEATEN),  # statement completion unknown
        ("25P02", Kind.BEATEN),  # an earlier statement had failed
        ("55P03", Kind.LOCKED),  # lock not available
        ("57014", Kind.LOCKED),  # cancelled, by a timeout for one
        ("08006", Kind.LOST),
        ("08P01", Kind.LOST),
        ("57P01", Kind.LOST),  # terminated by an administrator
        ("57P02", Kind.LOST),  # another server process has crashed
        ("57P03", Kind.LOST),  # starting up
        ("25P03", Kind.LOST),  # idle in a transaction for too long
        ("26000", Kind.STALE),  # somebody has run DEALLOCATE ALL
        ("42P05", Kind.STALE),
        ("0A000", Kind.STALE),  # a migration has changed what a plan returns
        ("23505", Kind.TAKEN),
        ("23502", Kind.MISSING),
        ("23514", Kind.BROKEN),
        ("22003", Kind.BROKEN),
        ("42P01", Kind.UNUSABLE),
        ("42703", Kind.UNUSABLE),
        ("42501", Kind.FORBIDDEN),
        ("28P01", Kind.FORBIDDEN),
        ("25006", Kind.READ_ONLY),  # a standby
        ("53100", Kind.REFUSED),  # disk full
        ("XX000", Kind.REFUSED),
        (None, Kind.LOST),
    ],
)
def test_s5_an_sqlstate_means(state: str | None, kind: Kind) -> None:
    assert kind_of_state(state) is kind
    error: psycopg.Error = psycopg.Error() if state is None else psycopg.errors.lookup(state)()
    assert kind_of(error, POSTGRESQL) is kind


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1213, Kind.BEATEN),  # deadlock, and certification failures of Galera
        (1020, Kind.BEATEN),  # record has changed since last read
        (1180, Kind.BEATEN),  # error during commit
        (1047, Kind.BEATEN),  # a node of Galera that has lost the others
        (1305, Kind.BEATEN),  # the savepoint is gone
        (1205, Kind.LOCKED),  # lock wait timeout
        (3572, Kind.LOCKED),
        (2006, Kind.LOST),
        (2013, Kind.LOST),
        (1927, Kind.LOST),  # killed
        (1053, Kind.LOST),  # shutting down
        (1062, Kind.TAKEN),
        (1048, Kind.MISSING),
        (4025, Kind.BROKEN),  # MariaDB's check
        (3819, Kind.BROKEN),  # MySQL's check
        (1264, Kind.BROKEN),
        (1690, Kind.BROKEN),
        (1146, Kind.UNUSABLE),
        (1054, Kind.UNUSABLE),
        (1142, Kind.FORBIDDEN),
        (1290, Kind.READ_ONLY),
        (1021, Kind.REFUSED),  # disk full
    ],
)
def test_s5_a_number_of_mariadb_or_mysql_means(number: int, kind: Kind) -> None:
    assert kind_of(pymysql.err.OperationalError(number, "secret"), MARIADB) is kind


def test_s5_an_error_of_the_drivers_own_socket_is_a_lost_connection() -> None:
    assert kind_of(pymysql.err.InterfaceError("(0, '')"), MARIADB) is Kind.LOST
    assert kind_of(psycopg.OperationalError("the connection is closed"), POSTGRESQL) is Kind.LOST


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, Kind.LOCKED),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Kind.LOCKED),
        (sqlite3.SQLITE_LOCKED, Kind.LOCKED),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, Kind.TAKEN),
        (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, Kind.TAKEN),
        (sqlite3.SQLITE_CONSTRAINT_NOTNULL, Kind.MISSING),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, Kind.BROKEN),
        (sqlite3.SQLITE_READONLY, Kind.READ_ONLY),
        (sqlite3.SQLITE_ERROR, Kind.UNUSABLE),
        (sqlite3.SQLITE_CORRUPT, Kind.UNUSABLE),
        (sqlite3.SQLITE_FULL, Kind.REFUSED),
        (sqlite3.SQLITE_IOERR, Kind.REFUSED),
        (0, Kind.REFUSED),
    ],
)
def test_s5_a_result_code_of_sqlite_means(code: int, kind: Kind) -> None:
    error = sqlite3.OperationalError("secret")
    error.sqlite_errorcode = code
    assert kind_of(error, SQLITE) is kind


class OfAnotherDriver(Exception):
    """As psycopg2 and pg8000 report: by an attribute, or in a mapping."""

    pgcode: str | None = None


def test_s5_other_drivers_of_postgresql_are_understood_by_their_codes() -> None:
    dialect: Any = FromAfar()
    by_attribute = OfAnotherDriver()
    by_attribute.pgcode = "40001"
    assert kind_of(by_attribute, dialect) is Kind.BEATEN
    assert kind_of(OfAnotherDriver({"C": "23505"}), dialect) is Kind.TAKEN


class FromAfar:
    """A dialect that cannot tell a disconnection without its connection."""

    name = "postgresql"

    def is_disconnect(self, *_: Any) -> bool:
        raise AttributeError("closed")


# --- What a caller is told ------------------------------------------------------------


def told(
    kind: Kind, *, hosts: bool, about: tuple[str, int] | None = None, committing: bool = False
) -> StoreCreditError:
    explain = explaining("the sqlite database shop", lambda _: False, hosts=hosts)
    step = Step(verb("secret statement"), ("secret parameter",), about)
    return explain(Failure(kind, 0), step, committing=committing)


CONFLICTS = [Kind.TAKEN, Kind.MISSING, Kind.BEATEN, Kind.LOCKED, Kind.STALE, Kind.LOST]


@pytest.mark.parametrize("kind", CONFLICTS)
def test_s5_in_a_hosts_transaction_every_conflict_is_one_error_that_nobody_retries(
    kind: Kind,
) -> None:
    error = told(kind, hosts=True, about=("acme.USD", 3))
    assert type(error) is HostTransactionConflict
    assert not error.retryable
    assert "Roll it back, and run all of it again" in str(error)


@pytest.mark.parametrize("kind", CONFLICTS)
def test_s5_in_a_transaction_of_our_own_every_conflict_may_be_retried(kind: Kind) -> None:
    error = told(kind, hosts=False)
    assert type(error) is TransactionInterrupted
    assert error.retryable
    assert "same key" in str(error)


@pytest.mark.parametrize("kind", [Kind.TAKEN, Kind.MISSING])
def test_s2_a_conflict_over_an_entry_names_the_account_and_the_version(kind: Kind) -> None:
    error = told(kind, hosts=False, about=("w.USD", 3))
    assert isinstance(error, ConcurrentChange)
    assert (error.account_id, error.expected) == ("w.USD", 3)


def test_s4_a_lost_answer_to_a_commit_says_so() -> None:
    assert "while it was being committed" in str(told(Kind.LOST, hosts=False, committing=True))
    assert "committed" not in str(told(Kind.LOST, hosts=False)).partition("Repeat")[0]


@pytest.mark.parametrize("hosts", [True, False])
def test_s6_a_rule_of_the_tables_that_breaks_is_a_broken_journal(hosts: bool) -> None:
    error = told(Kind.BROKEN, hosts=hosts, about=("w.USD", 3))
    assert isinstance(error, JournalBroken)
    assert (error.account_id, error.sequence) == ("w.USD", 4)


def test_s2_an_account_without_a_wallet_is_a_broken_journal() -> None:
    explain = explaining("the sqlite database shop", lambda _: True, hosts=False)
    step = Step(verb("secret"), (), ("w.USD", 0))
    error = explain(Failure(Kind.MISSING, 0), step, committing=False)
    assert isinstance(error, JournalBroken)
    assert error.problem == "no wallet was added for its holder"


@pytest.mark.parametrize("kind", [Kind.UNUSABLE, Kind.FORBIDDEN, Kind.READ_ONLY])
@pytest.mark.parametrize("hosts", [True, False])
def test_s5_a_database_that_does_not_fit_is_unusable(kind: Kind, hosts: bool) -> None:
    assert isinstance(told(kind, hosts=hosts), StorageUnusable)


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.BROKEN])
def test_s5_everything_else_is_unavailable(kind: Kind) -> None:
    error = told(kind, hosts=False)
    assert isinstance(error, StorageUnavailable)
    assert not error.retryable


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("hosts", [True, False])
def test_s5_no_statement_and_no_parameter_is_in_any_message(kind: Kind, hosts: bool) -> None:
    assert "secret" not in str(told(kind, hosts=hosts, about=("w.USD", 3)))
    assert "secret" not in str(told(kind, hosts=hosts))


def test_s5_a_database_is_named_without_address_user_and_password() -> None:
    engine = create_engine("postgresql+psycopg://anna:geheim@db.internal:5433/shop")
    assert storage_name(engine) == "the postgresql database shop"
    assert storage_name(create_engine("sqlite://")) == "the sqlite database"
