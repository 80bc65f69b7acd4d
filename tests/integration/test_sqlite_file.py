"""The SQLite file itself: which files are refused, and what is kept through failures."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from storecredit import Money, StoreCredit
from storecredit.errors import (
    InvalidTerms,
    StorageBusy,
    StorageUnavailable,
    StorageUnusable,
    StoreCreditError,
)
from storecredit.storage import SQLiteStorage, Synchronous

OUR_APPLICATION_ID = 0x53744372
FIVE = Money.of("5.00", "USD")
ONE = Money.of("1.00", "USD")
CENT = Money.of("0.01", "USD")


def opened(path: Path, *, timeout: float = 5.0) -> StoreCredit:
    return StoreCredit(SQLiteStorage(path, timeout=timeout), merchant="acme")


def with_five_dollars(path: Path) -> StoreCredit:
    credit = opened(path)
    credit.issue("c-17", FIVE, funding="refund", key="return-1001")
    return credit


def spent(credit: StoreCredit) -> str:
    return str(credit.wallet("c-17").available)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A file with five dollars in it, closed."""
    path = tmp_path / "shop.db"
    with_five_dollars(path).storage.close()
    return path


# -- durable by default --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("synchronous", "level"),
    [(Synchronous.FULL, 2), ("NORMAL", 1), (None, 2)],
)
def test_a_committed_command_waits_for_the_disk_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synchronous: str | None, level: int
) -> None:
    made = connections_made(monkeypatch)
    path = tmp_path / "shop.db"
    storage = (
        SQLiteStorage(path) if synchronous is None else SQLiteStorage(path, synchronous=synchronous)
    )
    assert [one.execute("PRAGMA synchronous").fetchone() for one in made] == [(level,)]
    assert [one.execute("PRAGMA journal_mode").fetchone() for one in made] == [("wal",)]
    assert [one.execute("PRAGMA foreign_keys").fetchone() for one in made] == [(1,)]
    storage.close()


def test_an_unknown_synchronous_level_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidTerms, match="OFF"):
        SQLiteStorage(tmp_path / "shop.db", synchronous="OFF")
    assert not list(tmp_path.iterdir())


def test_what_was_committed_is_there_after_opening_again(shop: Path) -> None:
    credit = opened(shop)
    assert spent(credit) == "USD 5.00"
    assert credit.issue("c-17", FIVE, funding="refund", key="return-1001").replayed
    assert credit.verify().ok


def test_a_relative_path_means_the_same_file_after_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    credit = with_five_dollars(Path("shop.db"))
    credit.storage.close()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert spent(credit) == "USD 5.00"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_closed_storage_leaves_one_file_and_opens_again_when_it_is_used(shop: Path) -> None:
    credit = opened(shop)
    credit.redeem("c-17", ONE, key="order-1")
    credit.storage.close()
    credit.storage.close()
    assert [path.name for path in shop.parent.iterdir()] == ["shop.db"]
    assert spent(credit) == "USD 4.00"


def test_closing_in_the_middle_of_a_block_lets_the_block_end(shop: Path) -> None:
    storage = SQLiteStorage(shop)
    with storage.snapshot() as reader:
        storage.close()
        assert reader.wallet("acme", "c-17") is not None
    storage.close()
    assert [path.name for path in shop.parent.iterdir()] == ["shop.db"]


def test_connections_are_closed_with_the_storage_that_nobody_holds_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connections_made(monkeypatch)
    storage = SQLiteStorage(tmp_path / "shop.db")
    del storage
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].execute("SELECT 1")


# -- files that cannot serve ---------------------------------------------------------------


def text_file(path: Path) -> None:
    path.write_text("date,amount\n" * 1000)


def another_program(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("PRAGMA application_id = 252006674")
    other.execute("CREATE TABLE accounts (id)")
    other.close()


def unmarked_tables(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE customers (id)")
    other.close()


def newer_version(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA application_id = {OUR_APPLICATION_ID}")
    other.execute("PRAGMA user_version = 99")
    other.close()


def ours_without_tables(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA application_id = {OUR_APPLICATION_ID}")
    other.execute("PRAGMA user_version = 2")
    other.close()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (text_file, "is not an SQLite database"),
        (another_program, "database of another application"),
        (unmarked_tables, "database of another application"),
        (newer_version, "version 99, and this library knows up to 2"),
        (Path.mkdir, "cannot be opened"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    path = tmp_path / "shop.db"
    make(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(StorageUnusable, match=problem) as refused:
        SQLiteStorage(path)
    assert refused.value.storage == str(path)
    assert_no_driver_text(refused.value)
    if before is not None:
        assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["shop.db"]


def test_a_marked_file_whose_tables_are_gone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    ours_without_tables(path)
    credit = opened(path)
    with pytest.raises(StorageUnusable, match="not those that this library made") as refused:
        credit.issue("c-17", FIVE, funding="refund", key="return-1001")
    assert_no_driver_text(refused.value)


@pytest.mark.parametrize("name", ["", ":memory:"])
def test_a_path_that_names_no_file_is_refused(name: str) -> None:
    with pytest.raises(StorageUnusable, match="MemoryStorage"):
        SQLiteStorage(name)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageUnusable, match="Name a file in a folder that exists"):
        SQLiteStorage(tmp_path / "missing" / "shop.db")


def test_a_damaged_file_is_refused_where_the_damage_is_read(shop: Path) -> None:
    content = bytearray(shop.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    shop.write_bytes(content)
    with pytest.raises(StorageUnusable, match="damaged") as refused:
        opened(shop).redeem("c-17", ONE, key="order-1")
    assert_no_driver_text(refused.value)


def test_a_truncated_file_is_refused(shop: Path) -> None:
    shop.write_bytes(shop.read_bytes()[:10_000])
    with pytest.raises(StorageUnusable, match="damaged"):
        opened(shop).redeem("c-17", ONE, key="order-1")


@pytest.mark.parametrize(
    ("file_mode", "folder_mode"), [(0o444, 0o777), (0o666, 0o555)], ids=["file", "folder"]
)
def test_what_may_not_be_written_is_refused(shop: Path, file_mode: int, folder_mode: int) -> None:
    # Not below pytest's own folder, which nobody but its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(shop, folder))
        path.chmod(file_mode)
        path.parent.chmod(folder_mode)
        answer = run_apart("write to a read-only file", path)
        path.parent.chmod(0o777)
        assert answer == "StorageUnusable\n"
        assert spent(opened(path)) == "USD 5.00"


def write_to_read_only_file(path: Path) -> None:
    """Spend as somebody whom the modes of file and folder bind, which root is not."""
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        opened(path).redeem("c-17", ONE, key="order-1")
    except StoreCreditError as error:
        assert_no_driver_text(error)
        print(type(error).__name__)


# -- failures while it is in use -----------------------------------------------------------


def test_a_full_disk_changes_nothing_and_the_same_key_works_when_there_is_space(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connections_made(monkeypatch)
    credit = opened(shop)
    (limited,) = made
    limited.execute("PRAGMA max_page_count = 1")
    note = "n" * 2000
    spending = itertools.count()

    def spend_on() -> None:
        while True:
            credit.redeem("c-17", CENT, key=f"order-{next(spending)}", note=note)

    with pytest.raises(StorageUnavailable, match="no space left") as refused:
        spend_on()
    refused_one = next(spending) - 1
    assert_no_driver_text(refused.value)
    journal = list(credit.journal("c-17", "USD"))
    assert [entry.key for entry in journal[1:]] == [f"order-{n}" for n in range(refused_one)]
    assert credit.verify().ok
    limited.execute("PRAGMA max_page_count = 1000000")
    assert not credit.redeem("c-17", CENT, key=f"order-{refused_one}", note=note).replayed
    assert credit.verify().ok


def test_a_disk_that_fails_at_the_commit_changes_nothing(shop: Path) -> None:
    answer = run_apart("write to a failing disk", shop)
    assert answer == "StorageUnavailable USD 5.00 True USD 4.00\n"


def write_to_failing_disk(path: Path) -> None:
    """Forbid this process to let any file grow, spend, then allow it again."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    credit = opened(path)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, most))
    failed = ""
    try:
        credit.redeem("c-17", ONE, key="order-1")
    except StoreCreditError as error:
        assert_no_driver_text(error)
        failed = type(error).__name__
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    before, ok = spent(credit), credit.verify().ok
    credit.redeem("c-17", ONE, key="order-1")
    print(failed, before, ok, spent(credit))


def test_a_file_that_another_process_locks_for_too_long_is_busy(shop: Path) -> None:
    credit = opened(shop, timeout=0.2)
    other = sqlite3.connect(shop, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StorageBusy, match=r"stayed locked for 0.2 s") as refused:
        credit.redeem("c-17", ONE, key="order-1")
    assert 0.2 <= time.monotonic() - began < 5
    assert_no_driver_text(refused.value)
    assert spent(credit) == "USD 5.00", "readers wait for no writer"
    other.execute("ROLLBACK")
    credit.redeem("c-17", ONE, key="order-1")
    assert spent(credit) == "USD 4.00"
    other.close()


def test_a_lock_that_is_let_go_in_time_is_waited_for(shop: Path) -> None:
    credit = opened(shop)
    other = sqlite3.connect(shop, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    letting_go = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
    letting_go.start()
    credit.redeem("c-17", ONE, key="order-1")
    letting_go.join()
    assert spent(credit) == "USD 4.00"
    other.close()


def test_a_file_in_the_hands_of_one_process_alone_is_busy_from_the_start(shop: Path) -> None:
    other = sqlite3.connect(shop, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageBusy):
        SQLiteStorage(shop, timeout=0.1)
    other.close()
    assert spent(opened(shop)) == "USD 5.00"


def test_a_thread_does_not_wait_for_itself(shop: Path) -> None:
    credit = opened(shop)
    with credit.storage.transaction() as work:
        assert work.wallet("acme", "c-17") is not None
        began = time.monotonic()
        with pytest.raises(StorageBusy, match="by this thread itself"):
            credit.redeem("c-17", ONE, key="order-1")
        assert time.monotonic() - began < 2
    credit.redeem("c-17", ONE, key="order-1")


def test_a_thread_may_write_while_it_reads_a_journal(shop: Path) -> None:
    credit = opened(shop)
    for number, _ in enumerate(credit.journal("c-17", "USD")):
        credit.redeem("c-17", ONE, key=f"order-{number}")
    assert spent(credit) == "USD 4.00", "the snapshot ends where it began"


def test_an_error_of_the_engine_inside_a_block_undoes_it_and_shows_no_statement(
    shop: Path,
) -> None:
    storage = SQLiteStorage(shop)
    other = sqlite3.connect(shop)
    other.execute("DROP TABLE records")
    other.close()
    with pytest.raises(StorageUnusable) as refused, storage.transaction() as work:
        work.record("acme", "case", "secret-4711")
    assert_no_driver_text(refused.value)
    assert "secret" not in str(refused.value)


# -- tools ---------------------------------------------------------------------------------


def connections_made(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Record the connections that are opened from now on."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recording(*args: object, **options: object) -> sqlite3.Connection:
        made.append(connect(*args, **options))  # type: ignore[call-overload]  # passed on as given
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", recording)
    return made


def assert_no_driver_text(error: Exception) -> None:
    text = f"{error} {error!r}".lower()
    for leak in ("sqlite3.", "operationalerror", "no such", "malformed", "select ", "insert "):
        assert leak not in text
    assert error.__context__ is None or error.__suppress_context__, (
        "the driver's error would be printed with ours"
    )


def run_apart(role: str, path: Path) -> str:
    """Run a part of this file in a process of its own, and return what it prints."""
    process = subprocess.run(
        [sys.executable, __file__, role, str(path)], capture_output=True, text=True, check=False
    )
    assert not process.stderr
    return process.stdout


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write to a read-only file", path]:
            write_to_read_only_file(Path(path))
        case ["write to a failing disk", path]:
            write_to_failing_disk(Path(path))


def test_a_storage_that_nobody_holds_lives_as_long_as_its_block_and_is_closed_then(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shop.db"
    with SQLiteStorage(path).snapshot() as reader:
        assert reader.wallet("acme", "c-17") is None
    with SQLiteStorage(path).transaction() as work:
        gc.collect()
        assert work.wallet("acme", "c-17") is None
    gc.collect()
    # The last connection to be closed takes the log away with it.
    assert [each.name for each in tmp_path.iterdir()] == ["shop.db"]
