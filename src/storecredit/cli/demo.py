"""The command `demo`: tell a story on a fresh database, then audit it as a stranger would."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from storecredit.cli.demo_story import CUSTOMER, MERCHANT, POINTS, Story
from storecredit.cli.outcomes import Status, reporting, stop
from storecredit.cli.places import is_url, opened, shown
from storecredit.cli.printing import console, moment, say, show_table, warn
from storecredit.cli.reading import show_statement, show_wallet
from storecredit.ledger import What
from storecredit.replay import sums_of
from storecredit.storage import Storage
from storecredit.values import Balance, Money, Unit, currency

UNITS: tuple[Unit, ...] = (currency("USD"), currency("EUR"), POINTS)


def demo(
    *,
    db: Annotated[
        str | None,
        typer.Option(
            "--db",
            help="Keep the ledger in this new file, or at this URL; a temporary file, if left out.",
            metavar="PATH|URL",
        ),
    ] = None,
) -> None:
    """Tell the story of one customer's credit on a fresh database, and audit it. Exit 3 if it fails."""
    with reporting(), tempfile.TemporaryDirectory(prefix="storecredit-demo-") as folder:
        if db is not None and not is_url(db) and Path(db).exists():
            stop(Status.MISUSED, f"The demo begins with a fresh database, and {db} exists.")
        with opened(db or str(Path(folder) / "demo.db"), new=True) as storage:
            _require_fresh(storage)
            story = Story(storage)
            tell(story)
            problems = audit(story)
    for problem in problems:
        warn(f"PROBLEM: {problem}")
    if problems:
        raise typer.Exit(int(Status.CONFLICT))
    say("Everything reconciles." + ("" if db is None else f" The ledger is in {shown(db)}."))


def _require_fresh(storage: Storage) -> None:
    """Require that nobody has told the story there before: a database may be anybody's."""
    with storage.snapshot() as reader:
        if reader.account_ids(MERCHANT.id, limit=1):
            problem = f"the database has accounts of the merchant {MERCHANT.id!r}"
            stop(Status.MISUSED, f"The demo begins with a fresh database, and {problem}.")


def tell(story: Story) -> None:
    """Let the story happen and print it; after each chapter, the customer's wallet."""
    for number, chapter in enumerate(story.chapters(), 1):
        say("")
        console().print(Text(f"{number}. {chapter.title}", style="bold"))
        for sentence in chapter.sentences:
            console().print(sentence)
        at = f"{CUSTOMER} on {moment(chapter.at)} UTC"
        show_wallet(at, story.credit.wallet(CUSTOMER))


def audit(story: Story) -> list[str]:
    """
    Print the history, verify the journal, and compare three sums of it that know nothing of
    each other: the receipts the shop got, the moves in the journals, the wallet on show.

    Returns:
        What does not reconcile.
    """
    credit = story.credit
    say("")
    console().print(Text("The books", style="bold"))
    for unit in UNITS:
        show_statement(f"{CUSTOMER}, {unit.code}", credit.statement(CUSTOMER, unit))
    verification = credit.verify()
    problems = [str(problem) for problem in verification.problems]
    wallet = credit.wallet(CUSTOMER)
    rows: list[list[object]] = []
    with credit.storage.snapshot() as reader:
        for unit in UNITS:
            sums = sums_of(reader, MERCHANT.id, unit)
            issued, restored = sums.of(What.ISSUED), sums.of(What.RESTORED)
            redeemed, expired = sums.of(What.REDEEMED, What.CAPTURED), sums.of(What.EXPIRED)
            account = wallet.account(unit)
            left = 0 if account is None else account.available.minor + account.held.minor
            journal = {"issued": issued, "restored": restored, "redeemed": redeemed}
            journal["expired"] = expired
            problems += _differences(unit, journal, story)
            difference = issued + restored - redeemed - expired - left
            if difference:
                problems.append(f"{unit.code}: {difference} minor units are unaccounted for")
            parts = (issued, restored, redeemed, expired, left, difference)
            rows.append([Money.of_minor(minor, unit) for minor in parts])
    columns = ["issued", "+ restored", "- redeemed", "- expired", "= outstanding", "difference"]
    show_table("Totals, from the journals and the wallet", columns, rows)
    verdict = "it holds" if verification.ok else "it does NOT hold"
    say(f"Verified {verification.entries} entries of {verification.accounts} journals: {verdict}.")
    return problems


def _differences(unit: Unit, journal: Mapping[str, int], story: Story) -> list[str]:
    by_receipts: dict[str, Balance] = {
        "issued": story.issued,
        "restored": story.restored,
        "redeemed": story.redeemed,
        "expired": story.expired,
    }
    return [
        f"{name} {unit.code}: {told} minor units by the receipts, {journal[name]} by the journals"
        for name, balance in by_receipts.items()
        if (told := balance[unit].minor) != journal[name]
    ]
