"""`--db` takes a URL: every command works there, and a URL that cannot be used is told, not shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from storecredit import StoreCredit
from storecredit.cli import run as run_command
from storecredit.storage.sql import SQLStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]

URL = "sqlite:///shop.sqlite"
ISSUE = ("issue", "c-17", "50.00", "USD", "--funding", "refund", "--key", "return-1001")
SECRET = "hunter2"
ORDERS = """\
id,kind,customer,at,amount,currency
r-1,refund,anna,2026-03-01T10:00:00Z,5.00,EUR
o-1,order,anna,2026-03-02T10:00:00Z,2.00,EUR
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a fresh directory: its status, what it said, what it complained about."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("STORECREDIT_DB", "STORECREDIT_MERCHANT"):
        monkeypatch.delenv(name, raising=False)
    Path("orders.csv").write_text(ORDERS, encoding="utf-8")

    def ran(*arguments: str) -> tuple[int, str, str]:
        status = run_command(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return ran


def test_every_command_works_on_a_database_that_a_url_names(run: Run) -> None:
    assert run(*ISSUE, "--db", URL)[0] == 0
    assert run("redeem", "c-17", "20.00", "USD", "--key", "o", "--db", URL)[0] == 0
    assert "USD 30.00" in run("balance", "c-17", "--db", URL)[1]
    assert "USD -20.00" in run("statement", "c-17", "USD", "--db", URL)[1]
    assert run("expire", "--db", URL)[0] == 0
    assert run("verify", "--db", URL)[:2] == (
        0,
        "Verified 2 entries of 1 accounts: all of it holds.\n",
    )
    assert run("export", "ledger.jsonl", "--db", URL)[0] == 0
    assert run("import", "ledger.jsonl", "--db", "sqlite:///copy.sqlite")[0] == 0
    assert "USD 30.00" in run("balance", "c-17", "--db", "sqlite:///copy.sqlite")[1]
    # The tables are those of the adapter for databases, and no file of the other one.
    engine = create_engine(URL)
    assert str(StoreCredit(SQLStorage(engine), "shop").wallet("c-17").available) == "USD 30.00"
    engine.dispose()


def test_the_environment_names_a_url_as_well(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORECREDIT_DB", URL)
    assert run(*ISSUE)[0] == 0
    assert "USD 50.00" in run("balance", "c-17")[1]
    assert not Path("storecredit.db").exists()


def test_a_replay_goes_on_where_an_earlier_one_in_the_same_database_ended(run: Run) -> None:
    replay = ("replay", "orders.csv", "--format", "generic", "--json", "--db", URL)
    status, first, _ = run(*replay)
    assert status == 0
    told = json.loads(first)
    assert (told["issued"], told["redeemed"], told["outstanding"]) == (500, 200, 300)
    assert run(*replay)[:2] == (0, first)


def test_the_demo_is_told_once_in_a_database(run: Run) -> None:
    status, out, _ = run("demo", "--db", URL)
    assert status == 0
    assert f"The ledger is in {URL}." in out
    status, out, err = run("demo", "--db", URL)
    assert (status, out) == (2, "")
    assert "has accounts of the merchant 'demo'" in err


def test_a_place_without_a_ledger_is_a_slip_of_the_hand_and_stays_empty(run: Run) -> None:
    status, _, err = run("balance", "c-17", "--db", URL)
    assert status == 2
    assert "There is no database shop.sqlite" in err
    assert not Path("shop.sqlite").exists()
    engine = create_engine(URL)
    engine.connect().close()
    engine.dispose()
    status, _, err = run("balance", "c-17", "--db", URL)
    assert status == 2
    assert "its tables storecredit_... are missing" in err
    status, _, err = run("balance", "c-17", "--db", "sqlite://")
    assert status == 2
    assert "its tables storecredit_... are missing" in err


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        (f"postgresql://u:{SECRET}@127.0.0.1:99999999/x", 3, "no connection can be made"),
        (f"postgresql://u:{SECRET}@127.0.0.1:1/x", 3, "no connection can be made"),
        (f"postgres://u:{SECRET}@127.0.0.1:1/x", 3, "no connection can be made"),
        (f"mysql://u:{SECRET}@127.0.0.1:1/x", 3, "no connection can be made"),
        (f"mariadb://u:{SECRET}@127.0.0.1:1/x", 3, "no connection can be made"),
        (f"postgresql:///x?password={SECRET}&host=127.0.0.1&port=1", 3, "no connection"),
        (f"postgresql://u:{SECRET}@127.0.0.1:port/x", 2, "it cannot be read"),
        (f"mysql://u:{SECRET}@127.0.0.1:1/x?speed=high", 2, "options that its driver does not"),
        (f"mysql://u:{SECRET}@127.0.0.1:1/x?connect_timeout=soon", 2, "options that cannot"),
        (f"nosuch://u:{SECRET}@h/x", 2, "there is no engine 'nosuch'"),
        (f"postgresql+nosuch://u:{SECRET}@h/x", 2, "there is no engine 'postgresql+nosuch'"),
        (f"postgresql+psycopg_async://u:{SECRET}@h/x", 2, "is for programs with an event loop"),
        (f"oracle+cx_oracle://u:{SECRET}@h/x", 2, "Install it: pip install 'cx_Oracle'"),
        (f"mysql+mysqldb://u:{SECRET}@h/x", 2, "Install it: pip install 'mysqlclient'"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_without_the_password(
    url: str, status: int, said: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("MySQLdb", "cx_Oracle"):
        monkeypatch.setitem(sys.modules, module, None)  # whether or not this machine has it
    for command in (
        (*ISSUE, "--db", url),
        ("balance", "c-17", "--db", url),
        ("replay", "orders.csv", "--format", "generic", "--db", url),
        ("demo", "--db", url),
    ):
        ended, out, err = run(*command)
        assert ended == status, err
        assert said in err
        assert "Traceback" not in err
        assert SECRET not in out + err


def test_the_demo_names_its_database_without_the_options_of_its_url(run: Run) -> None:
    """They are another place for a password."""
    status, out, err = run("demo", "--db", "sqlite:///demo.sqlite?timeout=7")
    assert (status, err) == (0, "")
    assert "The ledger is in sqlite:///demo.sqlite.\n" in out


def test_without_sqlalchemy_a_url_is_refused_and_a_file_is_not(tmp_path: Path) -> None:
    """As after `pip install 'storecredit[cli]'`."""

    def told(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = (
            "import sys; sys.modules['sqlalchemy'] = None\n"
            "from storecredit.cli import main\n"
            f"sys.argv[1:] = {list(arguments)!r}\n"
            "sys.exit(main())\n"
        )
        return subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )

    url = f"postgresql://u:{SECRET}@127.0.0.1:1/x"
    done = told(*ISSUE, "--db", url)
    assert done.returncode == 2
    assert "pip install 'storecredit[sql]'" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert told(*ISSUE, "--db", "shop.db").returncode == 0
    assert (tmp_path / "shop.db").exists()
