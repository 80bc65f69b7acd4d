"""The commands about policy files, and a replay by one: what they print, and how they end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import pytest

from storecredit.cli import run as run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Ran = tuple[int, str, str]
    Run = Callable[..., Ran]

FASHION = """
name = "fashion"
version = "2026-01"

[[refund.rules]]
id = "no receipt"
because = "nobody knows the purchase"
when = { receipt = false }
offer = []

[[refund.rules]]
id = "late"
when = { after = "P30D", since = "purchase" }
offer = ["money"]

[[refund.rules]]
id = "standard"
offer = ["credit", "money"]
bonus = { percent = 10 }

[[refund.cash_rights]]
id = "withdrawal"
source = "Directive 2011/83/EU, article 9"
when = { jurisdictions = ["DE"], within = "P14D" }
"""
BROKEN = """
name = "fashion"
version = 3

[[refund.rules]]
id = "all"
offr = ["credit"]
bonus = { percent = 12.5 }
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a fresh directory with two policies and a history."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("STORECREDIT_DB", raising=False)
    (tmp_path / "fashion.toml").write_text(FASHION, encoding="utf-8")
    (tmp_path / "broken.toml").write_text(BROKEN, encoding="utf-8")
    (tmp_path / "history.csv").write_text(HISTORY, encoding="utf-8")

    def ran(*arguments: object) -> Ran:
        status = run_command([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return ran


# --- check, explain, schema ----------------------------------------------------------------


def test_p1_a_policy_that_is_one_is_told_what_it_has(run: Run) -> None:
    assert run("policy", "check", "fashion.toml") == (
        0,
        "fashion.toml is a policy, fashion 2026-01: refund (3 rules, 1 cash right).\n",
        "",
    )
    status, out, err = run("policy", "check", "fashion.toml", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "ok": True,
        "source": "fashion.toml",
        "policy": {"name": "fashion", "version": "2026-01"},
        "problems": [],
    }


def test_p1_every_problem_of_a_policy_is_named_with_its_place(run: Run) -> None:
    status, out, err = run("policy", "check", "broken.toml")
    assert (status, out) == (2, "")
    assert err == (
        "broken.toml is no policy: 3 problems.\n"
        "  version: 3; it has to be a text.\n"
        '  refund.rules[0].bonus.percent: 12.5; it has to be between quotes, as "12.5": a float is'
        " not exact.\n"
        "  refund.rules[0].offr: ['credit']; there is no such key: perhaps offer is meant.\n"
    )
    assert run("policy", "explain", "broken.toml") == (2, "", err)


def test_p1_problems_are_data_for_programs(run: Run) -> None:
    status, out, err = run("policy", "check", "broken.toml", "--json")
    assert (status, err) == (2, "")
    told = json.loads(out)
    assert (told["ok"], told["source"], told["policy"]) == (False, "broken.toml", None)
    problems = {problem["path"]: problem for problem in told["problems"]}
    assert problems["version"]["value"] == 3
    assert problems["refund.rules[0].bonus.percent"]["value"] == "12.5"
    assert "perhaps offer is meant" in problems["refund.rules[0].offr"]["expected"]
    assert all(problem["message"].startswith(path) for path, problem in problems.items())


@pytest.mark.parametrize("arguments", [("nowhere.toml",), (".",), ("history.csv",), (), ("a", "b")])
def test_what_is_no_policy_file_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = run("policy", "check", *arguments)
    assert (status, out) == (2, "")
    assert err
    assert "Traceback" not in err


def test_a_problem_that_no_json_can_hold_is_told_as_text(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dated.toml").write_text(f"{FASHION}\n[note]\nday = 2026-01-01\n", encoding="utf-8")
    status, out, _ = run("policy", "check", "dated.toml", "--json")
    assert status == 2
    assert [problem["path"] for problem in json.loads(out)["problems"]] == ["note"]


def test_p1_a_policy_is_explained_in_plain_words(run: Run) -> None:
    status, out, err = run("policy", "explain", "fashion.toml")
    assert (status, err) == (0, "")
    assert out.startswith("fashion, version 2026-01\n\nReturns\n")
    assert "   Why: nobody knows the purchase\n" in out
    told = json.loads(run("policy", "explain", "fashion.toml", "--json")[1])
    assert told["policy"] == {"name": "fashion", "version": "2026-01"}
    assert told["text"] == out.splitlines()


def test_p1_the_schema_is_printed_and_takes_what_the_loader_takes(run: Run) -> None:
    status, out, _ = run("policy", "schema")
    assert status == 0
    schema = json.loads(out)
    right = {"name": "shop", "version": "1", "refund": {"rules": [{"id": "all", "offer": []}]}}
    jsonschema.validate(right, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**right, "version": 1}, schema)


def test_a_policy_with_other_sections_is_told_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "points.json").write_text(
        json.dumps(
            {
                "name": "points",
                "version": "1",
                "refund": {"rules": [{"id": "all", "offer": ["money"]}]},
                "top_up": {"id": "sold", "minimum": "EUR 5.00", "maximum": "EUR 500.00"},
            }
        ),
        encoding="utf-8",
    )
    status, out, err = run("policy", "check", "points.json")
    assert (status, err) == (0, "")
    assert out == "points.json is a policy, points 1: refund (1 rule), top_up.\n"


# --- replay --policy -----------------------------------------------------------------------

HISTORY = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,85123A,HOLDER,6,2011-01-01T08:26:00,2.55,17850,UK
2,22632,WARMER,1,2011-01-03T10:00:00,1.85,17850,UK
C3,85123A,HOLDER,-4,2011-01-10T09:00:00,2.55,17850,UK
C3,22632,WARMER,-2,2011-01-10T09:00:00,1.85,17850,UK
C3,POST,POSTAGE,-1,2011-01-10T09:00:00,18.0,17850,UK
C4,85123A,HOLDER,-1,2011-03-01T09:00:00,2.55,17850,UK
C5,85123A,HOLDER,-1,2011-03-01T09:00:00,2.55,,UK
"""
REPLAY = ("replay", "history.csv", "--policy", "fashion.toml")


def test_a_replay_by_a_policy_tells_what_it_made_of_the_returns(run: Run) -> None:
    status, out, err = run(*REPLAY)
    assert (status, err) == (0, "")
    said = [" ".join(line.split()) for line in out.splitlines()]
    assert (
        said[0] == "4 requests by fashion 2026-01, 2011-01-10 09:00:00 to 2011-03-01 09:00:00 UTC"
    )
    for line in (
        "asked back 5 GBP 34.45",
        "became credit 2 GBP 12.05",
        "went back as money 1 GBP 2.55",
        "kept as fees 0 GBP 0.00",
        "refused 2 GBP 19.85",
        "bonus, on top GBP 1.20",  # 1.02 and 0.18, each rounded down
        "nobody knows the purchase 2 GBP 19.85",
        "1 customers that received credit",
        "2 lines that match no purchase",
        "1 rows skipped: guest",
        "Asked back = credit + money + exchanges + fees + refused. The journals verify.",
    ):
        assert line in said
    assert "exchange" not in out.replace("exchanges", "")


def test_a_replay_by_a_policy_may_ask_with_another_window(run: Run) -> None:
    def credited(*window: str) -> int:
        status, out, _ = run(*REPLAY, *window, "--json")
        assert status == 0
        found = json.loads(out)["offers"]["credit"]["amount"]
        assert isinstance(found, int)
        return found

    assert credited() == 1205
    assert credited("--window", "P8D") == 185
    assert credited("--window", "P30D") == 1205
    assert credited("--window", "none") == 1460


@pytest.mark.parametrize("place", ["told.db", "sqlite:///told.sqlite"])
def test_a_replay_by_a_policy_goes_on_in_the_same_database(run: Run, place: str) -> None:
    first = run(*REPLAY, "--db", place, "--json")
    assert first[0] == 0
    assert run(*REPLAY, "--db", place, "--json") == first
    assert "GBP 13.25" in run("balance", "17850", "--db", place)[1]
    status, out, err = run(*REPLAY, "--db", place, "--window", "P8D")
    assert (status, out) == (2, "")
    assert "an earlier replay made it with policy=fashion 2026-01" in err
    assert run("replay", "history.csv", "--db", place)[0] == 2


def test_a_replay_by_a_policy_that_does_not_reconcile_ends_with_3(run: Run) -> None:
    run(*REPLAY, "--db", "told.db")
    issue = ("issue", "dora", "5.00", "GBP", "--funding", "refund", "--key", "by hand")
    run(*issue, "--db", "told.db")
    status, out, err = run(*REPLAY, "--db", "told.db")
    assert status == 3
    assert "It does NOT reconcile:" in out
    assert err.startswith(
        "PROBLEM: 1205 minor units were decided to be credit, and 1705 issued as refunds"
    )
    assert json.loads(run(*REPLAY, "--db", "told.db", "--json")[1])["verified"] is False


def test_a_history_without_returns_is_told_as_such(run: Run, tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(HISTORY.split("C3", maxsplit=1)[0], encoding="utf-8")
    status, out, _ = run(*REPLAY)
    assert status == 0
    assert out.startswith("0 requests by fashion 2026-01, no requests\n")
    assert "refused because" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--window", "P30D"), "--window goes with --policy"),
        (("--policy", "fashion.toml", "--expires-days", "3"), "--policy goes with --window"),
        (("--policy", "fashion.toml", "--format", "generic"), "--policy goes with --window"),
        (("--policy", "fashion.toml", "--unit-def", "PTS:0"), "--policy goes with --window"),
        (("--policy", "fashion.toml", "--window", "soon"), "'soon' is not a period"),
        (("--policy", "broken.toml"), "broken.toml is no policy"),
        (("--policy", "nowhere.toml"), "nowhere.toml is no policy"),
        (("--policy", "history.csv"), "history.csv is no policy"),
    ],
)
def test_wrong_arguments_of_a_replay_by_a_policy_end_with_2(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    status, out, err = run("replay", "history.csv", *arguments, "--db", "told.db")
    assert (status, out) == (2, "")
    assert said in err
    assert not (tmp_path / "told.db").exists()


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (FASHION.replace('"P30D"', '"P30D", within = "P60D"'), "the windows"),
        (
            'name = "t"\nversion = "1"\n[top_up]\nid = "sold"\nminimum = "EUR 5.00"\n',
            "section refund",
        ),
    ],
)
def test_a_policy_that_cannot_be_replayed_is_told_why(
    run: Run, tmp_path: Path, rules: str, said: str
) -> None:
    (tmp_path / "other.toml").write_text(rules, encoding="utf-8")
    window = ("--window", "P30D") if "windows" in said else ()
    arguments = ("--policy", "other.toml", *window, "--db", "told.db")
    status, out, err = run("replay", "history.csv", *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert not (tmp_path / "told.db").exists()
