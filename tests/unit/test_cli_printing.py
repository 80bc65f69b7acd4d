"""What is printed for people: escaped, aligned, and the same on every terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from storecredit import Money
from storecredit.cli.printing import moment, printable, progress, show_table

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("c-17", "c-17"),
        ("Zoë 東京", "Zoë 東京"),
        ("[red]", "[red]"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        (17, "17"),
    ],
)
def test_every_character_that_is_no_ordinary_one_is_escaped(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_a_table_escapes_its_title_and_cells_and_aligns_money(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    show_table(
        "[b]title\x1b",
        ["who", "what"],
        [["[red]x[/red]", Money.of("5.00", "USD")], ["\x07", Money.of("15.00", "USD")], [None, 3]],
    )
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "[b]title\\x1b",
        "who                 what",
        "────────────────────────",
        "[red]x[/red]    USD 5.00",
        "\\x07           USD 15.00",
        "                       3",
        "",
    ]


def test_instants_are_shown_to_the_second() -> None:
    assert moment(datetime(2026, 3, 1, 9, 5, 7, 999, tzinfo=UTC)) == "2026-03-01 09:05:07"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def counting() -> Iterator[int]:
    with progress("[red]Counting", 2) as done:
        for number in (1, 2):
            done(number)
            yield number


def test_progress_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    assert list(counting()) == [1, 2]
    assert "[red]Counting" in screen.getvalue()


def test_progress_is_silent_where_stderr_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = io.StringIO()
    monkeypatch.setattr("sys.stderr", silent)
    assert list(counting()) == [1, 2]
    assert silent.getvalue() == ""
