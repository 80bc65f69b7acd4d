"""The benchmarks run, and say what they say they say. How fast anything is, is no test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_ledger_benchmark_reports_every_section_with_its_ratios_and_aims(tmp_path) -> None:
    done = run("ledger.py", "--smoke", "--json", "--directory", str(tmp_path))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["repeats"] >= 5
    found = {(figure["section"], figure["what"]): figure for figure in report["figures"]}
    assert all(figure["value"] > 0 for figure in found.values())
    for section, aim in [
        ("memory", ">= 0.12"),
        ("SQLite FULL", ">= 0.5"),
        ("SQLite NORMAL", ">= 0.25"),
    ]:
        assert found[section, "floor"]["ratio"] is None
        assert found[section, "redeem"]["aim"] == aim
        assert found[section, "issue"]["ratio"] > 0
    for storage in ("memory", "SQLite NORMAL"):
        assert found["history", f"{storage}, 1 past entries"]["ratio"] == 1
        assert found["history", f"{storage}, 100 past entries"]["aim"] == "<= 1.2"
        assert found["lots", f"{storage}, 50 open lots"]["unit"] == "µs"
        assert found["sweep", storage]["unit"] == "lots/s"
        assert found["verify", storage]["unit"] == "entries/s"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--only", "memory,speed"], "no section 'speed'"),
        (["--repeats", "4"], "at least five repeats"),
    ],
)
def test_a_section_that_is_not_there_and_too_few_repeats_are_refused(arguments, problem) -> None:
    done = run("ledger.py", *arguments)
    assert done.returncode == 2
    assert problem in done.stderr


def test_the_tender_benchmark_reports_plans_growth_and_refunds() -> None:
    done = run("tenders.py", "--smoke", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert {figure["section"] for figure in figures} == {"plans", "growth", "refunds"}
    assert all(figure["value"] > 0 for figure in figures)
    aims = {figure["aim"] for figure in figures}
    assert {">= 1 (10,000/s)", "<= 1 (quadratic)"} <= aims
    refused = run("tenders.py", "--only", "plans,speed")
    assert (refused.returncode, "no section 'speed'" in refused.stderr) == (2, True)


def test_the_policy_benchmark_reports_decisions_and_growth() -> None:
    done = run("policies.py", "--smoke", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert {figure["section"] for figure in figures} == {"decisions", "shown", "growth"}
    assert all(figure["value"] > 0 for figure in figures)
    aims = {figure["aim"] for figure in figures}
    assert aims == {"", ">= 1 (10,000/s)", "<= 1 (linear)"}
    grown = {figure["what"] for figure in figures if figure["section"] == "growth"}
    assert grown == {
        "5 rules, 4 lines, with the lines",
        "20 rules, 1 line, with the rules",
        "20 rules, 4 lines, with the rules",
        "20 rules, 4 lines, with the lines",
    }
    refused = run("policies.py", "--only", "decisions,speed")
    assert (refused.returncode, "no section 'speed'" in refused.stderr) == (2, True)


def test_the_floors_run_on_their_own() -> None:
    done = run("floors.py", "--smoke")
    assert done.returncode == 0, done.stderr
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == [
        "memory",
        "SQLite FULL",
        "SQLite NORMAL",
    ]
