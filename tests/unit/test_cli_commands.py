"""The commands on a ledger: what they print, how they end, and that data is never obeyed."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from storecredit import __version__
from storecredit.cli import run as run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Ran = tuple[int, str, str]
    Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a fresh directory: its status, what it said, what it complained about."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("STORECREDIT_DB", "STORECREDIT_MERCHANT"):
        monkeypatch.delenv(name, raising=False)

    def ran(*arguments: object) -> Ran:
        status = run_command([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return ran


@pytest.fixture
def data(run: Run) -> Callable[..., Any]:
    """Run a command with --json and read what it prints."""

    def ran(*arguments: object) -> Any:
        status, out, err = run(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    return ran


ISSUE = ("issue", "c-17", "50.00", "USD", "--funding", "refund", "--key", "return-1001")


# --- Issue, redeem, balance -----------------------------------------------------------


def test_value_that_is_issued_can_be_redeemed(run: Run) -> None:
    assert run(*ISSUE) == (0, "Issued USD 50.00 to c-17. Balance after it: USD 50.00.\n", "")
    assert run("redeem", "c-17", "20.00", "USD", "--key", "order-1") == (
        0,
        "Redeemed USD 20.00 of c-17. Balance after it: USD 30.00.\n",
        "",
    )


def test_a_repeated_request_is_answered_again_and_says_so(run: Run) -> None:
    run(*ISSUE)
    status, out, _ = run(*ISSUE)
    assert status == 0
    assert out.endswith("This request was carried out before; nothing was done twice.\n")
    assert "USD 50.00" in run("balance", "c-17")[1]


def test_a_receipt_for_programs_has_exact_amounts_and_ids(data: Callable[..., Any]) -> None:
    receipt = data(*ISSUE, "--at", "2026-03-01T10:00:00+01:00")
    assert receipt["amount"] == {"amount": "50.00", "unit": "USD"}
    assert receipt["balance"] == {"amount": "50.00", "unit": "USD"}
    assert receipt["at"] == "2026-03-01T09:00:00+00:00"
    assert receipt["replayed"] is False
    assert receipt["entry"].split(".")[1] == "USD"
    assert len(receipt["lots"]) == 1
    assert data(*ISSUE)["entry"] == receipt["entry"]


def test_less_than_is_asked_for_is_a_refusal_unless_up_to_is_said(run: Run) -> None:
    run(*ISSUE)
    status, out, err = run("redeem", "c-17", "60.00", "USD", "--key", "order-1")
    assert (status, out) == (1, "")
    assert err.startswith("Cannot redeem USD 60.00 for holder c-17: USD 50.00 is available")
    status, out, _ = run("redeem", "c-17", "60.00", "USD", "--key", "order-1", "--up-to")
    assert (status, out) == (0, "Redeemed USD 50.00 of c-17. Balance after it: USD 0.00.\n")


def test_the_balance_as_of_a_past_instant_is_what_it_was(run: Run, data: Any) -> None:
    run(*ISSUE, "--at", "2026-03-01", "--expires", "P30D")
    (account,) = data("balance", "c-17", "--at", "2026-03-02")["accounts"]
    assert (account["unit"], account["available"]) == ("USD", "50.00")
    assert account["next_expiry"] == {"at": "2026-03-31T00:00:00+00:00", "amount": "50.00"}
    assert data("balance", "c-17", "--at", "2026-02-01")["accounts"][0]["available"] == "0.00"
    assert data("balance", "c-17", "--at", "2026-03-31")["accounts"][0]["available"] == "0.00"


def test_a_balance_is_shown_unit_by_unit(run: Run) -> None:
    run(*ISSUE, "--at", "2026-01-01")
    run(
        *("issue", "c-17", "2500", "PTS", "--unit-def", "PTS:0:Points"),
        *(
            "--funding",
            "earned",
            "--key",
            "points",
            "--expires",
            "2026-12-31",
            "--at",
            "2026-01-01",
        ),
    )
    # A last day is inclusive: the value is there at its end, and gone in the next instant.
    _, out, _ = run("balance", "c-17", "--at", "2026-12-31T23:59:59Z")
    assert "PTS 2500 at 2027-01-01 00:00:00" in out
    _, out, _ = run("balance", "c-17", "--at", "2027-01-01")
    assert [line.split()[:2] for line in out.splitlines()[3:]] == [
        ["PTS", "0"],
        ["USD", "50.00"],
        [],
    ]


def test_an_unknown_holder_has_a_balance_of_nothing(run: Run) -> None:
    run(*ISSUE)
    assert run("balance", "nobody") == (
        0,
        "nobody has no account here, which is a balance of nothing.\n",
        "",
    )


def test_merchants_in_one_file_do_not_see_each_other(run: Run) -> None:
    run(*ISSUE, "--merchant", "acme")
    status, _, err = run("redeem", "c-17", "1.00", "USD", "--key", "k", "--merchant", "other")
    assert status == 1
    assert "USD 0.00 is available" in err


def test_the_database_and_the_merchant_may_be_named_by_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STORECREDIT_DB", str(tmp_path / "elsewhere.db"))
    monkeypatch.setenv("STORECREDIT_MERCHANT", "acme")
    run(*ISSUE)
    monkeypatch.delenv("STORECREDIT_DB")
    monkeypatch.delenv("STORECREDIT_MERCHANT")
    status, out, _ = run("balance", "c-17", "--db", "elsewhere.db", "--merchant", "acme")
    assert (status, "USD 50.00" in out) == (0, True)


# --- A file of issues -----------------------------------------------------------------


def test_a_file_of_issues_is_issued_once_however_often_it_is_run(
    run: Run, data: Any, tmp_path: Path
) -> None:
    file = tmp_path / "gifts.csv"
    file.write_text("holder,amount,unit,expires\na,5.00,EUR,2099-12-31\nb,7.50,EUR,\na,1.00,USD,\n")
    arguments = ("issue", "--file", file, "--key", "spring", "--funding", "goodwill")
    assert run(*arguments) == (0, "Issued 3 of 3 rows: EUR 12.50, USD 1.00.\n", "")
    assert data(*arguments) == {"rows": 3, "issued": 0, "repeated": 3, "amounts": []}
    assert "EUR 5.00 at 2100-01-01 00:00:00" in run("balance", "a")[1]


def test_a_file_with_bad_rows_names_each_and_issues_none(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "gifts.csv"
    file.write_text("holder,amount,unit\na,5.00,EUR\nb,5.001,EUR\n,1.00,EUR\nd,-1,EUR\n")
    status, out, err = run("issue", "--file", file, "--key", "k", "--funding", "goodwill")
    assert (status, out) == (2, "")
    for named in ("line 3, amount", "line 4, holder", "line 5"):
        assert named in err
    assert run("balance", "a")[1] == "a has no account here, which is a balance of nothing.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("issue",),
        ("issue", "c-17", "5.00", "USD", "--key", "k"),
        ("issue", "c-17", "5.00", "USD", "--funding", "refund"),
        ("issue", "--file", "x.csv"),
        ("issue", "c-17", "--file", "x.csv", "--key", "k"),
        ("issue", "--file", "x.csv", "--key", "k", "--expires", "P1D"),
    ],
)
def test_an_issue_that_says_too_little_or_too_much_is_misuse(
    run: Run, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert "--file" in err
    assert not list(tmp_path.iterdir())


# --- Statement, expire, verify ----------------------------------------------------------


def test_a_statement_tells_the_holder_what_happened(run: Run, data: Any) -> None:
    run(*ISSUE, "--at", "2026-03-01", "--reference", "return 1001", "--actor", "kim")
    run("redeem", "c-17", "20.00", "USD", "--key", "o", "--at", "2026-03-02")
    _, out, _ = run("statement", "c-17", "USD")
    assert [line.split() for line in out.splitlines()[3:5]] == [
        "2026-03-01 00:00:00 issue USD 50.00 USD 0.00 USD 50.00 return 1001".split(),
        "2026-03-02 00:00:00 redeem USD -20.00 USD 0.00 USD 30.00".split(),
    ]
    lines = data("statement", "c-17", "USD")
    assert [line["change"]["amount"] for line in lines] == ["50.00", "-20.00"]
    assert "kim" not in out + json.dumps(lines)


def test_the_full_statement_tells_an_operator_everything(run: Run, data: Any) -> None:
    run(*ISSUE, "--actor", "kim", "--reason", "late")
    _, out, _ = run("statement", "c-17", "USD", "--full")
    assert "return-1001" in out
    assert "kim" in out
    (entry,) = data("statement", "c-17", "USD", "--full")
    assert (entry["sequence"], entry["key"], entry["actor"]) == (1, "return-1001", "kim")
    assert entry["moves"][0]["what"] == "issued"
    assert len(entry["digest"]) == 64


def test_expire_writes_down_what_time_has_ended(run: Run, data: Any) -> None:
    run(*ISSUE, "--at", "2026-03-01", "--expires", "P30D")
    assert data("expire", "--at", "2026-03-30")["expired"]["lots"] == 0
    assert data("expire", "--at", "2026-03-31")["expired"] == {
        "accounts": 1,
        "lots": 1,
        "amounts": [{"amount": "50.00", "unit": "USD"}],
    }
    assert run("expire") == (
        0,
        "Lapsed holds in 0 accounts: nothing.\nExpired 0 lots in 0 accounts: nothing.\n",
        "",
    )


def test_verify_finds_a_journal_that_was_edited_and_ends_with_3(run: Run, tmp_path: Path) -> None:
    run(*ISSUE)
    assert run("verify") == (0, "Verified 1 entries of 1 accounts: all of it holds.\n", "")
    edit(tmp_path / "storecredit.db", '"issue"', '"redeem"')
    status, out, _ = run("verify")
    assert status == 3
    assert "PROBLEM: account " in out
    status, out, _ = run("verify", "--json")
    assert status == 3
    assert json.loads(out)["ok"] is False
    assert json.loads(out)["problems"][0]["entry"] == 1


def test_anchors_show_a_journal_that_was_written_anew(run: Run, tmp_path: Path) -> None:
    run(*ISSUE)
    assert run("verify", "--write-anchors", "heads.json")[0] == 0
    assert run("verify", "--anchors", "heads.json")[0] == 0
    (tmp_path / "storecredit.db").unlink()
    run(*ISSUE)
    status, out, _ = run("verify", "--anchors", "heads.json")
    assert status == 3
    assert "an anchor names it, and it is gone" in out


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}', '{"a": [1]}', "{" * 100_000])
def test_a_file_that_holds_no_anchors_is_misuse(run: Run, tmp_path: Path, content: str) -> None:
    run(*ISSUE)
    (tmp_path / "heads.json").write_text(content)
    status, _, err = run("verify", "--anchors", "heads.json")
    assert status == 2
    assert "heads.json is not a file of anchors" in err


# --- Export and import ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_what_is_exported_can_be_imported(run: Run, data: Any, tmp_path: Path, name: str) -> None:
    run(*ISSUE)
    status, out, _ = run("export", name)
    assert status == 0
    assert out.startswith(f"Wrote 1 accounts, 1 entries to {name}.\nsha256 ")
    assert data("import", name, "--db", "other.db")["added"] == {"accounts": 1, "entries": 1}
    assert data("import", name, "--db", "other.db")["added"] == {"accounts": 0, "entries": 0}
    assert data("statement", "c-17", "USD", "--full", "--db", "other.db") == data(
        "statement", "c-17", "USD", "--full"
    )
    assert run("verify", "--db", "other.db")[0] == 0
    if name.endswith(".gz"):
        assert gzip.decompress((tmp_path / name).read_bytes()).startswith(b"{")


def test_an_export_for_people_is_a_table_that_no_spreadsheet_runs(run: Run, tmp_path: Path) -> None:
    run("issue", "=HYPERLINK(1)", "5.00", "USD", "--funding", "refund", "--key", "k")
    assert run("export", "out.csv", "--csv")[1] == "Wrote 1 rows to out.csv.\n"
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["holder"] == "'=HYPERLINK(1)"
    assert row["change"] == "5.00"


def test_an_export_does_not_replace_a_file_unless_told_to(run: Run, tmp_path: Path) -> None:
    run(*ISSUE)
    (tmp_path / "out.jsonl").write_text("mine")
    status, _, err = run("export", "out.jsonl")
    assert (status, "replace it with --force" in err) == (2, True)
    assert (tmp_path / "out.jsonl").read_text() == "mine"
    assert run("export", "out.jsonl", "--force")[0] == 0
    assert (tmp_path / "out.jsonl").read_text() != "mine"


def test_a_file_that_no_export_wrote_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"no": "journal"}\n')
    status, _, err = run("import", "bad.jsonl")
    assert status == 2
    assert "bad.jsonl was not imported: line 1" in err


# --- How commands end -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("issue", "c", "1.001", "USD", "--funding", "refund", "--key", "k"), "finer than USD"),
        (("issue", "c", "0", "USD", "--funding", "refund", "--key", "k"), "above zero"),
        (("issue", "c", "NaN", "USD", "--funding", "refund", "--key", "k"), "NaN"),
        (("issue", "c", "1e999", "USD", "--funding", "refund", "--key", "k"), "1e999"),
        (("issue", "c", "1", "PTS", "--funding", "refund", "--key", "k"), "PTS"),
        (("issue", "c", "1", "USD", "--funding", "refund", "--key", "~k"), "'~'"),
        (("issue", "c", "1", "USD", "--funding", "refund", "--key", ""), "is empty"),
        (("issue", "", "1", "USD", "--funding", "refund", "--key", "k"), "is empty"),
        (("issue", "c", "1", "USD", "--funding", "alms", "--key", "k"), "alms"),
        (
            ("issue", "c", "1", "USD", "--funding", "refund", "--key", "k", "--expires", "soon"),
            "'soon' is not a period (P30D), a last day (2026-12-31) or an instant",
        ),
        (
            ("issue", "c", "1", "USD", "--funding", "refund", "--key", "k", "--at", "now"),
            "'now' is not an ISO 8601 instant",
        ),
        (
            ("issue", "c", "1", "USD", "--funding", "refund", "--key", "k", "--at", "2999-01-01"),
            "the clock says",
        ),
        (
            ("issue", "c", "1", "PTS", "--unit-def", "PTS", "--funding", "refund", "--key", "k"),
            "'PTS' is not CODE:DIGITS or CODE:DIGITS:NAME",
        ),
        (
            ("issue", "c", "1", "X", "--unit-def", "USD:2", "--funding", "refund", "--key", "k"),
            "USD",
        ),
        (("balance", "c"), "There is no database storecredit.db"),
        (("verify",), "There is no database storecredit.db"),
        (
            ("issue", "c", "1", "USD", "--funding", "refund", "--key", "k", "--db", "no/x.db"),
            "no/x.db",
        ),
        (("import", "nowhere.jsonl"), "nowhere.jsonl"),
        (("rob",), "rob"),
    ],
)
def test_misuse_ends_with_2_and_says_what_is_wrong(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_a_key_that_names_another_request_is_misuse(run: Run) -> None:
    run(*ISSUE)
    status, _, err = run("issue", "c-17", "51.00", "USD", "--funding", "refund", *ISSUE[6:])
    assert status == 2
    assert "already names a request with amount='USD 50.00'" in err


def test_a_withdrawn_currency_is_a_refusal(run: Run) -> None:
    status, _, err = run("issue", "c", "5.00", "DEM", "--funding", "refund", "--key", "k")
    assert status == 1
    assert "DEM" in err


def test_a_database_that_is_locked_ends_with_3(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*ISSUE)
    monkeypatch.setattr("storecredit.cli.places.SQLiteStorage", impatient())
    lock = sqlite3.connect(tmp_path / "storecredit.db", isolation_level=None)
    try:
        lock.execute("BEGIN IMMEDIATE")
        status, _, err = run("redeem", "c-17", "1.00", "USD", "--key", "k")
    finally:
        lock.close()
    assert status == 3
    assert "stayed locked" in err


def test_a_file_that_is_no_database_is_misuse(run: Run, tmp_path: Path) -> None:
    (tmp_path / "storecredit.db").write_bytes(b"no database at all" * 100)
    status, _, err = run("balance", "c-17")
    assert status == 2
    assert "storecredit.db" in err


def test_ctrl_c_ends_with_130_and_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    run(*ISSUE)
    monkeypatch.setattr("storecredit.service.StoreCredit.wallet", interrupted)
    status, out, err = run("balance", "c-17")
    assert (status, out) == (130, "")
    assert err == "Stopped. What was done is kept; the same command goes on.\n"


def test_the_version_and_the_help_end_with_0(run: Run) -> None:
    assert run("--version") == (0, f"{__version__}\n", "")
    status, out, _ = run("--help")
    assert status == 0
    for name in "demo issue redeem balance statement expire verify export import replay".split():
        assert f"  {name} " in out


def test_the_command_can_be_run_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "storecredit.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout == f"{__version__}\n"


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_the_command_says_how_to_install_it(tmp_path: Path, missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from storecredit.cli import run\n"
        "sys.exit(run(['demo']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'storecredit[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_library_and_the_replay_need_no_extra(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['typer'] = sys.modules['rich'] = None\n"
        "import storecredit, storecredit.replay, storecredit.cli\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_a_fault_of_the_library_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "storecredit.cli.app", None)
    with pytest.raises(ModuleNotFoundError, match="storecredit"):
        run_command(["demo"])


# --- Text from data ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["[red]c-17[/red]", "[link=http://x]c[/link]", ":boom:", "[/]", "\\[bold]", "{}", "%s"],
)
def test_markup_in_data_is_printed_and_not_obeyed(run: Run, text: str) -> None:
    issued = run(
        "issue", text, "5.00", "USD", "--funding", "refund", "--key", "k", "--reference", text
    )
    assert issued[1] == f"Issued USD 5.00 to {text}. Balance after it: USD 5.00.\n"
    assert run("balance", text)[1].startswith(f"{text} at ")
    assert text in run("statement", text, "USD")[1].splitlines()[-2]
    assert text in run("statement", text, "USD", "--full")[1]
    assert text in run("redeem", text, "6.00", "USD", "--key", "r")[2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202e05.00", "a\\u202e05.00"),  # turns the direction of writing
        ("a\u200bb", "a\\u200bb"),  # takes no room
        ("a\u2028b", "a\\u2028b"),  # a line end
    ],
)
def test_characters_that_a_terminal_obeys_are_escaped(run: Run, text: str, shown: str) -> None:
    status, out, _ = run("issue", text, "5.00", "USD", "--funding", "refund", "--key", "k")
    assert (status, out) == (0, f"Issued USD 5.00 to {shown}. Balance after it: USD 5.00.\n")
    assert run("balance", text)[1].startswith(f"{shown} at ")
    assert shown in run("redeem", text, "6.00", "USD", "--key", "r")[2]


def test_json_is_plain_ascii_whatever_is_in_the_data(run: Run) -> None:
    run("issue", "Zoë\u202e", "5.00", "USD", "--funding", "refund", "--key", "k")
    out = run("balance", "Zoë\u202e", "--json")[1]
    assert out.isascii()
    assert json.loads(out)["holder"] == "Zoë\u202e"


def test_a_control_character_in_an_argument_is_refused_and_escaped(run: Run) -> None:
    status, _, err = run("issue", "a\x1b[2J", "5.00", "USD", "--funding", "refund", "--key", "k")
    assert status == 2
    assert "\x1b" not in err
    assert "a\\x1b[2J" in err


# --- For the tests ----------------------------------------------------------------------


def edit(database: Path, old: str, new: str) -> None:
    """Change every journal body around the library, as somebody with the file could."""
    connection = sqlite3.connect(database)
    with connection:
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        journals = [name for name, sql in tables.fetchall() if "body" in sql and "digest" in sql]
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (trigger,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        assert journals
        for journal in journals:
            connection.execute(f"UPDATE {journal} SET body = replace(body, ?, ?)", (old, new))
    connection.close()


def impatient() -> Callable[[Path], Any]:
    from storecredit.storage import SQLiteStorage

    return lambda path: SQLiteStorage(path, timeout=0.05)
