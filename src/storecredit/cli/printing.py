"""Printing: tables for people, JSON for programs, and no text from data that a terminal obeys."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from storecredit.values import Money

_NARROWEST: Final = 12
"""A column of text is not squeezed below so many characters."""


def printable(text: object) -> str:
    """
    Write every character that is no ordinary one as an escape.

    Control characters would be obeyed by the terminal, and those that turn the direction of
    writing make an amount look like another.
    """
    written = str(text)
    if written.isprintable():
        return written
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in written
    )


def console() -> Console:
    """Return a console that prints text as it is: no markup, no emoji names, no guessed colours."""
    return Console(markup=False, emoji=False, highlight=False)


def say(line: str) -> None:
    """Print one line for people."""
    console().print(printable(line), soft_wrap=True)


def warn(line: str) -> None:
    """Print one line on stderr."""
    print(printable(line), file=sys.stderr)


def show_json(data: Any) -> None:
    """Print *data* for programs; everything beyond ASCII is escaped."""
    print(json.dumps(data, indent=2))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Make a table; money is aligned to the right, text is escaped, None is empty."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, name in enumerate(columns):
        numeric = any(isinstance(row[place], Money | int) for row in rows)
        longest = max((len(_cell(row[place])) for row in rows), default=0)
        made.add_column(
            Text(name),
            justify="right" if numeric else "left",
            no_wrap=numeric,
            overflow="fold",
            min_width=min(longest, _NARROWEST),
        )
    for row in rows:
        made.add_row(*(Text(_cell(value)) for value in row))
    return made


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table below its title, and an empty line after it."""
    out = console()
    if title:
        out.print(Text(printable(title), style="bold"), soft_wrap=True)
    out.print(table(columns, rows))
    out.print()


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how far something is, on stderr, if that is a terminal; give a function to call."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, markup=False, emoji=False, highlight=False),
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def moment(at: datetime) -> str:
    """Write an instant for people, in UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return moment(value) if isinstance(value, datetime) else printable(value)
