"""The command `replay`: its JSON, its summary, its exit statuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from storecredit import Money, StoreCredit
from storecredit.cli import run
from storecredit.storage import SQLiteStorage

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
JANUARY = HEADER + (
    "1,85123A,HOLDER,6,2011-01-01T08:26:00,2.55,17850,UK\n"
    "C2,85123A,[red]HOLDER[/red],-2,2011-01-02T09:00:00,2.55,17850,UK\n"
    "C2,POST,POSTAGE,-1,2011-01-02T09:00:00,18.0,17850,UK\n"
    "3,22632,WARMER,1,2011-01-03T10:00:00,1.85,17850,UK\n"
    "4,22632,WARMER,1,2011-01-03T10:30:00,1.85,,UK\n"
)
FEBRUARY = HEADER + (
    "5,22632,WARMER,2,2011-02-05T10:00:00,1.85,17850,UK\n"
    "C6,22632,WARMER,-1,2011-02-06T10:00:00,1.85,13047,UK\n"
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("january.csv").write_text(JANUARY, encoding="utf-8")
    Path("february.csv.gz").write_bytes(gzip.compress(FEBRUARY.encode()))
    return "january.csv", "february.csv.gz"


def test_json_has_exactly_the_keys_that_are_documented_in_minor_units(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", *files, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "events": 5,  # invoice 4 is a guest's
        "issued": 695,  # 5.10 of C2, without its postage, and 1.85 of C6
        "redeemed": 510,  # 1.85 by invoice 3, the other 3.25 by invoice 5
        "redemptions": 2,
        "split_redemptions": 1,  # invoice 5 is 3.70
        "expired": 0,
        "outstanding": 185,
        "customers": 2,
        "skipped": {
            "adjustment": 0,
            "guest": 1,
            "not_goods": 1,
            "write_off": 0,
            "price_too_fine": 0,
            "another_customer": 0,
        },
        "verified": True,
    }


def test_credit_that_expires_is_gone(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", *files, "--expires-days", "30", "--json"]) == 0
    totals = json.loads(capsys.readouterr().out)
    assert (totals["redeemed"], totals["expired"], totals["outstanding"]) == (185, 325, 185)


def test_without_json_there_is_a_summary_for_people(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", *files]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("5 events, 2011-01-01 08:26:00 to 2011-02-06 10:00:00 UTC\n")
    for line in (
        "issued        GBP 6.95",
        "redeemed      GBP 5.10",
        "outstanding   GBP 1.85",
        "    1   of them left something for another tender",
        "    1   rows skipped: guest",
        "Issued = redeemed + expired + outstanding. The journals verify.",
    ):
        assert line in out
    assert "write_off" not in out


def test_a_replay_leaves_nothing_behind_unless_a_database_is_named(
    files: tuple[str, str], tmp_path: Path
) -> None:
    assert run(["replay", *files]) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(files)
    assert run(["replay", *files, "--db", "told.db"]) == 0
    assert (tmp_path / "told.db").exists()


def test_a_replay_that_is_started_again_prints_the_same_totals(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["replay", *files, "--json", "--db", "told.db"])
    first = capsys.readouterr().out
    assert run(["replay", *files, "--json", "--db", "told.db"]) == 0
    assert capsys.readouterr().out == first


def test_a_replay_may_go_on_with_a_later_file(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["replay", files[0], "--db", "told.db"])
    capsys.readouterr()
    assert run(["replay", *files, "--json", "--db", "told.db"]) == 0
    assert json.loads(capsys.readouterr().out)["outstanding"] == 185


def test_a_later_file_alone_is_another_history(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["replay", files[0], "--db", "told.db"])
    assert run(["replay", files[1], "--db", "told.db"]) == 2
    assert "Give all files of that history again" in capsys.readouterr().err


def test_the_shops_own_ledger_is_never_replayed_into(
    files: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    issue = ["issue", "c-17", "5.00", "GBP", "--funding", "refund", "--key", "k"]
    assert run([*issue, "--db", "shop.db"]) == 0
    before = Path("shop.db").read_bytes()
    monkeypatch.setenv("STORECREDIT_DB", str(tmp_path / "shop.db"))
    assert run(["replay", *files]) == 0  # the environment names the shop's ledger, not a replay's
    assert run(["replay", *files, "--db", "shop.db"]) == 2
    assert "has accounts in it that no replay has made" in capsys.readouterr().err
    storage = SQLiteStorage("shop.db")
    assert str(StoreCredit(storage, "shop").wallet("c-17").available) == "GBP 5.00"
    storage.close()
    assert len(Path("shop.db").read_bytes()) == len(before)


def test_the_generic_format_takes_columns_that_any_shop_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text(
        "id,kind,customer,at,amount,currency\n"
        "r-1,refund,[red]anna,2026-03-01T10:00:00Z,500,PTS\n"
        "o-1,order,[red]anna,2026-03-02T10:00:00Z,200,PTS\n",
        encoding="utf-8",
    )
    arguments = ["replay", "orders.csv", "--format", "generic", "--unit-def", "PTS:0:Points"]
    assert run([*arguments, "--json"]) == 0
    totals = json.loads(capsys.readouterr().out)
    assert (totals["issued"], totals["redeemed"], totals["skipped"]) == (500, 200, {"guest": 0})
    assert run([*arguments, "--db", "told.db"]) == 0
    assert "PTS 300" in capsys.readouterr().out
    assert run(["balance", "[red]anna", "--db", "told.db"]) == 0
    assert capsys.readouterr().out.startswith("[red]anna at ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            JANUARY.replace("2.55,17850", "2.55€,17850"),
            "line 2, UnitPrice: expected a plain decimal",
        ),
        (JANUARY.replace("CustomerID", "Customer"), "line 1, CustomerID: expected a header line"),
        (JANUARY + '7,"22632,', "line 7, row: expected a closing quote"),
        ("id,kind,customer,at,amount,currency\n", "there is --format generic"),
        ("", "line 1, InvoiceNo"),
    ],
)
def test_a_broken_file_ends_with_2_and_leaves_no_database(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(content, encoding="utf-8")
    assert run(["replay", str(path), "--db", str(tmp_path / "told.db")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "broken.csv was not imported" in err
    assert "Traceback" not in err
    assert not (tmp_path / "told.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["replay", "nowhere.csv"],
        ["replay", "."],
        ["replay", "january.csv", "--expires-days", "0"],
        ["replay", "january.csv", "--expires-days", "soon"],
        ["replay", "january.csv", "--expires-days", "9999999999"],
        ["replay", "january.csv", "--format", "excel"],
        ["replay", "january.csv", "--merchant", ""],
    ],
)
def test_wrong_arguments_end_with_2(
    files: tuple[str, str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err
    assert "Traceback" not in err


def test_a_ledger_that_does_not_reconcile_ends_with_3(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["replay", *files, "--db", "told.db"])
    storage = SQLiteStorage("told.db")
    StoreCredit(storage, "shop").issue(
        "dora", Money.of("5.00", "GBP"), funding="refund", key="by hand"
    )
    storage.close()
    capsys.readouterr()
    assert run(["replay", *files, "--db", "told.db", "--json"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["verified"] is False
    assert err == (
        "PROBLEM: 695 minor units were issued by the receipts, and 1195 by the journals\n"
    )
    assert run(["replay", *files, "--db", "told.db"]) == 3
    assert "It does NOT reconcile" in capsys.readouterr().out
