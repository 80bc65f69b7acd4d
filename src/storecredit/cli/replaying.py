"""The command `replay`: what store credit would have done in a shop's own history."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, final

import typer

from storecredit.cli.options import DEFAULT_MERCHANT, AsJson, Units
from storecredit.cli.outcomes import Status, reporting
from storecredit.cli.places import opened
from storecredit.cli.printing import moment, progress, say, show_json, show_table, warn
from storecredit.ledger import Merchant
from storecredit.replay import (
    History,
    Totals,
    read_generic,
    read_online_retail,
    replay_history,
)
from storecredit.values import CustomUnit, Money


@final
class Format(StrEnum):
    """The columns of the files."""

    ONLINE_RETAIL = "online-retail"
    GENERIC = "generic"


def replay(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="CSV files in order of time, plain or gzipped.",
            show_default=False,
        ),
    ],
    db: Annotated[
        str | None,
        typer.Option(
            "--db",
            help="Where to keep the ledger, a file or a URL; a temporary file, if left out.",
            metavar="PATH|URL",
            show_default=False,
        ),
    ] = None,
    expires_days: Annotated[
        int | None,
        typer.Option("--expires-days", min=1, help="Credit lives so long.", show_default=False),
    ] = None,
    columns: Annotated[
        Format, typer.Option("--format", help="The columns of the files.")
    ] = Format.ONLINE_RETAIL,
    merchant: Annotated[
        str, typer.Option("--merchant", help="The merchant of record.", metavar="ID")
    ] = DEFAULT_MERCHANT,
    unit_def: Units = None,
    as_json: AsJson = False,
) -> None:
    """
    Replay a shop's order history: refunds become credit, later orders spend it.

    A run that was stopped goes on when it is started again with the same --db.
    """
    with reporting():
        units = tuple(unit_def or ())
        history = _read(files, columns, units)
        with (
            _place(db) as place,
            opened(place, new=True) as storage,
            progress("Events", len(history.events)) as done,
        ):
            totals = replay_history(
                history,
                storage,
                merchant=Merchant(id=merchant, units=units),
                expires_days=expires_days,
                progress=done,
            )
    if as_json:
        show_json(totals.to_json())
    else:
        _show(history, totals)
    for problem in totals.problems:
        warn(f"PROBLEM: {problem}")
    if not totals.verified:
        raise typer.Exit(int(Status.CONFLICT))


@contextmanager
def _place(db: str | None) -> Iterator[str]:
    """Give the place to replay into: a named one stays, another goes when it has been told."""
    if db is not None:
        yield db
        return
    with tempfile.TemporaryDirectory(prefix="storecredit-replay-") as folder:
        yield str(Path(folder) / "replay.db")


def _read(files: list[Path], columns: Format, units: tuple[CustomUnit, ...]) -> History:
    if columns is Format.GENERIC:
        return read_generic(files, units=units)
    return read_online_retail(files)


def _show(history: History, totals: Totals) -> None:
    def money(minor: int) -> Money:
        return Money.of_minor(minor, totals.unit)

    span = "no events"
    if history.events:
        first, last = history.events[0].at, history.events[-1].at
        span = f"{moment(first)} to {moment(last)} UTC"
    show_table(
        f"{totals.events} events, {span}",
        ["credit", "amount"],
        [
            ["issued", money(totals.issued)],
            ["redeemed", money(totals.redeemed)],
            ["expired", money(totals.expired)],
            ["outstanding", money(totals.outstanding)],
        ],
    )
    show_table(
        "",
        ["count", "of"],
        [
            [totals.customers, "customers that received credit"],
            [totals.redemptions, "orders that credit paid for"],
            [totals.split_redemptions, "of them left something for another tender"],
            *([count, f"rows skipped: {why}"] for why, count in totals.skipped.items() if count),
        ],
    )
    if totals.verified:
        say("Issued = redeemed + expired + outstanding. The journals verify.")
    else:
        say("It does NOT reconcile:")
