"""The application: every command under its name, and one way to run it."""

import io
import sys
from typing import Annotated

import typer

from storecredit import __version__
from storecredit.cli.carrying import export, import_
from storecredit.cli.claim_keys import claim_keys
from storecredit.cli.codes import reissue
from storecredit.cli.demo import demo
from storecredit.cli.giving import issue
from storecredit.cli.keeping import expire, verify
from storecredit.cli.policies import policy
from storecredit.cli.reading import balance, statement
from storecredit.cli.refunding import refund
from storecredit.cli.replaying import replay
from storecredit.cli.spending import redeem

app: typer.Typer = typer.Typer(
    name="storecredit",
    help="Store credit, points and open balances: a ledger in a SQLite file or a SQL database.",
    epilog=(
        "Exit status: 0 done, 1 refused, 2 wrong arguments or files,"
        " 3 busy or broken storage or books that do not verify."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(issue)
app.command()(redeem)
app.command()(balance)
app.command()(statement)
app.command()(expire)
app.command()(verify)
app.command()(export)
app.command("import")(import_)
app.command()(refund)
app.command()(reissue)
app.command("claim-keys")(claim_keys)
app.add_typer(policy)
app.command()(replay)


def _version(*, value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


def run_application(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows its escape; that is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(args=arguments, prog_name="storecredit")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    return 0
