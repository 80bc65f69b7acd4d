"""The command `replay`: what store credit, or a policy, would have done in a shop's own history."""

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
from storecredit.cli.policy_replay import PolicyReplay, asked_policy
from storecredit.cli.printing import moment, progress, say, show_json, show_table, warn
from storecredit.ledger import Merchant
from storecredit.replay import (
    History,
    Totals,
    read_generic,
    read_online_retail,
    replay_history,
)
from storecredit.storage import Storage
from storecredit.values import CustomUnit, Money


@final
class Format(StrEnum):
    """The columns of the files."""

    ONLINE_RETAIL = "online-retail"
    GENERIC = "generic"


PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        help="Decide every return by this refund policy.",
        metavar="FILE",
        show_default=False,
    ),
]
Window = Annotated[
    str | None,
    typer.Option(
        "--window",
        help="Ask the policy with another window for returns, or with none that ends.",
        metavar="P30D|none",
        show_default=False,
    ),
]


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
    policy: PolicyFile = None,
    window: Window = None,
    merchant: Annotated[
        str, typer.Option("--merchant", help="The merchant of record.", metavar="ID")
    ] = DEFAULT_MERCHANT,
    unit_def: Units = None,
    as_json: AsJson = False,
) -> None:
    """
    Replay a shop's order history: refunds become credit, later orders spend it.

    With --policy, every return is decided by that refund policy instead, and nothing is spent. A
    run that was stopped goes on when it is started again with the same --db.
    """
    if policy is None and window is not None:
        raise typer.BadParameter("--window goes with --policy, whose rules it is for.")
    if policy is not None and (columns is not Format.ONLINE_RETAIL or expires_days or unit_def):
        raise typer.BadParameter(
            "--policy goes with --window and --format online-retail: the policy says how long"
            " credit lives, and only these columns say what comes back."
        )
    with reporting():
        told: PlainReplay | PolicyReplay
        if policy is None:
            rules = Merchant(id=merchant, units=tuple(unit_def or ()))
            told = PlainReplay(_read(files, columns, rules.units), rules, expires_days)
        else:
            told = PolicyReplay(files, asked_policy(policy, window), merchant)
        with _place(db) as place, opened(place, new=True) as storage:
            problems = told.run(storage)
    told.show(as_json=as_json)
    for problem in problems:
        warn(f"PROBLEM: {problem}")
    if problems:
        raise typer.Exit(int(Status.CONFLICT))


@final
class PlainReplay:
    """A history, and what becomes of it in a ledger where all refunds are credit."""

    def __init__(self, history: History, merchant: Merchant, expires_days: int | None) -> None:
        self._history = history
        self._merchant = merchant
        self._expires_days = expires_days
        self._totals: Totals | None = None

    def run(self, storage: Storage) -> tuple[str, ...]:
        """Drive it through the service; return what does not reconcile."""
        with progress("Events", len(self._history.events)) as done:
            self._totals = replay_history(
                self._history,
                storage,
                merchant=self._merchant,
                expires_days=self._expires_days,
                progress=done,
            )
        return self._totals.problems

    def show(self, *, as_json: bool) -> None:
        """Print the totals, once there are some."""
        if self._totals is None:
            return
        if as_json:
            show_json(self._totals.to_json())
        else:
            _show(self._history, self._totals)


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
