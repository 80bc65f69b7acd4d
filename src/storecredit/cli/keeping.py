"""The commands that keep the books: `expire` and `verify`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from storecredit.cli.ledgers import known_ledger
from storecredit.cli.options import (
    DEFAULT_DATABASE,
    DEFAULT_MERCHANT,
    AsJson,
    At,
    Database,
    MerchantId,
)
from storecredit.cli.outcomes import Status, stop
from storecredit.cli.printing import progress, say, show_json
from storecredit.service import Anchor


def expire(
    *,
    at: At = None,
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    as_json: AsJson = False,
) -> None:
    """Record what time has ended: holds that have lapsed, then value that has expired."""
    with known_ledger(db, merchant, None) as credit:
        with progress("Lapsed holds", None) as done:
            lapsed = credit.release_lapsed(at=at, progress=done)
        with progress("Expired value", None) as done:
            expired = credit.expire_due(at=at, progress=done)
    if as_json:
        show_json(
            {
                name: {
                    "accounts": sweep.accounts,
                    "lots": sweep.lots,
                    "amounts": [money.to_json() for money in sweep.amount],
                }
                for name, sweep in (("lapsed", lapsed), ("expired", expired))
            }
        )
        return
    say(f"Lapsed holds in {lapsed.accounts} accounts: {lapsed.amount}.")
    say(f"Expired {expired.lots} lots in {expired.accounts} accounts: {expired.amount}.")


def verify(
    *,
    anchors: Annotated[
        Path | None,
        typer.Option(
            "--anchors", help="Check against heads that were kept elsewhere.", metavar="FILE"
        ),
    ] = None,
    write_anchors: Annotated[
        Path | None,
        typer.Option("--write-anchors", help="Write the heads of all journals.", metavar="FILE"),
    ] = None,
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    as_json: AsJson = False,
) -> None:
    """Check every journal: chain, arithmetic, conservation, stored state. Exit 3 if it fails."""
    with known_ledger(db, merchant, None) as credit:
        kept = None if anchors is None else _read_anchors(anchors)
        with progress("Verifying accounts", None) as done:
            found = credit.verify(anchors=kept, progress=done)
        if write_anchors is not None and found.ok:
            heads = {name: [head.sequence, head.digest] for name, head in credit.heads().items()}
            write_anchors.write_text(json.dumps(heads, indent=1) + "\n", encoding="utf-8")
    if as_json:
        show_json(
            {
                "ok": found.ok,
                "accounts": found.accounts,
                "entries": found.entries,
                "erased": found.erased,
                "problems": [
                    {"account": each.account, "entry": each.sequence, "what": each.what}
                    for each in found.problems
                ],
            }
        )
    else:
        for problem in found.problems:
            say(f"PROBLEM: {problem}")
        verdict = "all of it holds" if found.ok else f"{len(found.problems)} problems"
        say(f"Verified {found.entries} entries of {found.accounts} accounts: {verdict}.")
    if not found.ok:
        raise typer.Exit(int(Status.CONFLICT))


def _read_anchors(path: Path) -> dict[str, Anchor]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): Anchor(int(head[0]), str(head[1])) for name, head in data.items()}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        wrote = "`storecredit verify --write-anchors FILE` writes one"
        stop(Status.MISUSED, f"{path} is not a file of anchors; {wrote}.")
