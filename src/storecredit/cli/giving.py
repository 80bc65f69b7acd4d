"""The command that gives value: `issue`, one lot or a file of many."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from storecredit.cli.ledgers import new_or_known_ledger
from storecredit.cli.options import (
    DEFAULT_DATABASE,
    DEFAULT_MERCHANT,
    Actor,
    AsJson,
    At,
    Database,
    MerchantId,
    Reason,
    Reference,
    Units,
    expiry_of,
)
from storecredit.cli.printing import progress, say, show_json
from storecredit.ledger import Funding
from storecredit.service import About, Receipt, StoreCredit
from storecredit.values import Money

SomeHolder = Annotated[
    str | None, typer.Argument(metavar="HOLDER", help="The holder's id.", show_default=False)
]
SomeAmount = Annotated[
    str | None,
    typer.Argument(metavar="AMOUNT", help="In major units, such as 50.00.", show_default=False),
]
SomeUnit = Annotated[
    str | None,
    typer.Argument(
        metavar="UNIT", help="A currency code or that of a --unit-def.", show_default=False
    ),
]
SomeKey = Annotated[
    str | None,
    typer.Option("--key", help="Names this request; repeating it is safe.", show_default=False),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help="Issue every row of a CSV file, or none.",
        metavar="FILE.csv",
        show_default=False,
    ),
]
FundedBy = Annotated[
    Funding | None, typer.Option("--funding", help="Who paid for it.", show_default=False)
]
Expires = Annotated[
    Any,
    typer.Option(
        "--expires",
        parser=expiry_of,
        metavar="P30D|2026-12-31|INSTANT",
        help="A period, a last day or an instant; never, if left out.",
        show_default=False,
    ),
]


def issue(
    *,
    holder: SomeHolder = None,
    amount: SomeAmount = None,
    unit: SomeUnit = None,
    file: File = None,
    funding: FundedBy = None,
    key: SomeKey = None,
    expires: Expires = None,
    reference: Reference = None,
    reason: Reason = None,
    actor: Actor = None,
    at: At = None,
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    unit_def: Units = None,
    as_json: AsJson = False,
) -> None:
    """
    Give a holder new value, or every row of a CSV file, or none of them.

    The file has the columns holder, amount, unit, and may have funding, expires, key, reference
    and others; --key is then the beginning of every key that the file does not give.
    """
    about = about_of(reference=reference, reason=reason, actor=actor, at=at)
    if file is not None:
        if key is None or any(each is not None for each in (holder, amount, unit, expires)):
            raise typer.BadParameter(
                "--file goes with --key; its rows say holder, amount, unit and expires."
            )
        with new_or_known_ledger(db, merchant, unit_def) as credit:
            _issue_file(credit, file, key, funding, about, as_json=as_json)
        return
    if holder is None or amount is None or unit is None or funding is None or key is None:
        raise typer.BadParameter(
            "give HOLDER, AMOUNT, UNIT, --funding and --key, or --file FILE.csv and --key."
        )
    with new_or_known_ledger(db, merchant, unit_def) as credit:
        receipt = credit.issue(
            holder,
            Money.of(amount, credit.merchant.unit(unit)),
            funding=funding,
            key=key,
            expires=expires,
            **about,
        )
    show_receipt("Issued", "to", receipt, as_json=as_json)


def about_of(
    *, reference: str | None, reason: str | None, actor: str | None, at: datetime | None
) -> About:
    """Keep what was given of the options that say who, why, when and for what."""
    about = About(reference=reference, reason=reason, actor=actor, at=at)
    return cast("About", {name: value for name, value in about.items() if value is not None})


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """Return what a program needs of a receipt."""
    return {
        "holder": receipt.holder,
        "amount": receipt.amount.to_json(),
        "balance": receipt.balance.to_json(),
        "entry": receipt.entry_id,
        "lots": list(receipt.lot_ids),
        "at": receipt.entry.at.isoformat(),
        "replayed": receipt.replayed,
    }


def show_receipt(did: str, whom: str, receipt: Receipt, *, as_json: bool) -> None:
    """Print what one command did, for people or for programs."""
    if as_json:
        show_json(receipt_json(receipt))
        return
    again = " This request was carried out before; nothing was done twice." * receipt.replayed
    say(
        f"{did} {receipt.amount} {whom} {receipt.holder}. Balance after it:"
        f" {receipt.balance}.{again}"
    )


def _issue_file(
    credit: StoreCredit,
    file: Path,
    key: str,
    funding: Funding | None,
    about: About,
    *,
    as_json: bool,
) -> None:
    with progress("Issuing rows", None) as done:
        brought = credit.import_balances(
            file, key_prefix=key, funding=funding, progress=done, **about
        )
    if as_json:
        show_json(
            {
                "rows": brought.rows,
                "issued": brought.issued,
                "repeated": brought.repeated,
                "amounts": brought.amount.to_json(),
            }
        )
        return
    again = f" {brought.repeated} had been issued before." * bool(brought.repeated)
    say(f"Issued {brought.issued} of {brought.rows} rows: {brought.amount}.{again}")
