"""The commands that carry a ledger out and in: `export` and `import`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from storecredit.cli.ledgers import known_ledger, new_or_known_ledger
from storecredit.cli.options import (
    DEFAULT_DATABASE,
    DEFAULT_MERCHANT,
    AsJson,
    Database,
    MerchantId,
    Units,
)
from storecredit.cli.outcomes import Status, stop
from storecredit.cli.printing import progress, say, show_json


def export(
    *,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The file to write, compressed if it ends in .gz; - for stdout.",
            show_default=False,
        ),
    ],
    csv: Annotated[
        bool, typer.Option("--csv", help="For people and spreadsheets; nothing reads it back.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    as_json: AsJson = False,
) -> None:
    """Write the whole ledger: JSON lines that import reads back, or with --csv a table."""
    to_stdout = str(target) == "-"
    if not to_stdout and target.is_file() and not force:
        stop(Status.MISUSED, f"{target} exists already; replace it with --force.")
    where = sys.stdout.buffer if to_stdout else target
    with known_ledger(db, merchant, None) as credit, progress("Writing", None) as done:
        if csv:
            facts: dict[str, str | int] = {"rows": credit.export_csv(where, progress=done)}
        else:
            summary = credit.export_journal(where, progress=done)
            facts = {
                "accounts": summary.written.accounts,
                "entries": summary.written.entries,
                "sha256": summary.sha256,
            }
    if to_stdout:
        sys.stdout.flush()
    elif as_json:
        show_json(facts)
    else:
        said = ", ".join(f"{value} {name}" for name, value in facts.items() if name != "sha256")
        say(f"Wrote {said} to {target}.")
        if "sha256" in facts:
            say(f"sha256 {facts['sha256']}")


def import_(
    *,
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that export wrote.", show_default=False)
    ],
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    unit_def: Units = None,
    as_json: AsJson = False,
) -> None:
    """Bring in what export wrote: all of it or nothing; what is there already is left alone."""
    with (
        new_or_known_ledger(db, merchant, unit_def) as credit,
        progress("Reading entries", None) as done,
    ):
        summary = credit.import_journal(source, progress=done)
    if as_json:
        show_json(
            {
                name: {"accounts": counts.accounts, "entries": counts.entries}
                for name, counts in (("read", summary.read), ("added", summary.added))
            }
        )
    else:
        say(
            f"Read {summary.read.entries} entries of {summary.read.accounts} accounts;"
            f" {summary.added.entries} of them were new here."
        )
