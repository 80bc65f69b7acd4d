"""The options of `refund`, each described once."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from storecredit.cli.options import instant_of
from storecredit.policies import OfferKind

Lines = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="LINE=AMOUNT...",
        help="What comes back, and what was paid for it by other tenders than credit.",
        show_default=False,
    ),
]
PolicyFile = Annotated[
    Path, typer.Option("--policy", help="Who decides.", metavar="FILE", show_default=False)
]
RequestFile = Annotated[
    str | None,
    typer.Option(
        "--request",
        help="The request as JSON, in place of options; - for stdin.",
        metavar="FILE|-",
        show_default=False,
    ),
]
RefundKey = Annotated[
    str | None,
    typer.Option(
        "--key", help="Names the request; repeating it is safe.", metavar="TEXT", show_default=False
    ),
]
UnitOfLines = Annotated[
    str | None,
    typer.Option("--unit", help="What the amounts are in.", metavar="UNIT", show_default=False),
]
OrderId = Annotated[str | None, typer.Option("--order", help="The order.", show_default=False)]
ToHolder = Annotated[
    str | None,
    typer.Option(
        "--holder", help="Whoever gives it back; a guest, if left out.", show_default=False
    ),
]
Buyer = Annotated[
    str | None, typer.Option("--buyer", help="Whoever paid, for a gift.", show_default=False)
]
Purchased = Annotated[
    datetime | None,
    typer.Option(
        "--purchased",
        parser=instant_of,
        metavar="INSTANT",
        help="When it was bought; without a zone it is UTC.",
        show_default=False,
    ),
]
Delivered = Annotated[
    datetime | None,
    typer.Option(
        "--delivered",
        parser=instant_of,
        metavar="INSTANT",
        help="When it was delivered.",
        show_default=False,
    ),
]
Channel = Annotated[
    str | None, typer.Option("--channel", help="Where it was sold.", show_default=False)
]
Jurisdiction = Annotated[
    str | None,
    typer.Option(
        "--jurisdiction", help="Whose law holds, as the policy writes it.", show_default=False
    ),
]
Segments = Annotated[
    list[str] | None,
    typer.Option("--segment", help="A group of the holder. May be repeated.", show_default=False),
]
NoReceipt = Annotated[bool, typer.Option("--no-receipt", help="The purchase is not proven.")]


def _of_lines(option: str, what: str, metavar: str) -> typer.models.OptionInfo:
    help_ = f"{what} May be repeated."
    found: typer.models.OptionInfo = typer.Option(
        option, help=help_, metavar=metavar, show_default=False
    )
    return found


_ANY = "[LINE=]TEXT"
_COUNT = "LINE=COUNT"
ReturnReasons = Annotated[list[str] | None, _of_lines("--reason", "Why it comes back.", _ANY)]
Conditions = Annotated[
    list[str] | None, _of_lines("--condition", "new, opened, used, damaged, incomplete.", _ANY)
]
Kinds = Annotated[
    list[str] | None, _of_lines("--kind", "goods, shipping, tax, fee, gift_card.", _ANY)
]
Pieces = Annotated[list[str] | None, _of_lines("--pieces", "How many pieces come back.", _COUNT)]
Restored = Annotated[
    list[str] | None, _of_lines("--restored", "What credit paid of it.", "LINE=AMOUNT")
]
Redemptions = Annotated[
    list[str] | None, _of_lines("--redemption", "The entry that redeemed it.", "LINE=ENTRY")
]
OfCheckout = Annotated[
    list[str] | None,
    _of_lines("--back", "Pieces of an --order that a checkout has paid.", _COUNT),
]
Choose = Annotated[
    OfferKind | None,
    typer.Option("--choose", help="Which offer is taken.", show_default=False),
]
ByLine = Annotated[list[str] | None, _of_lines("--line", "Another way for one line.", "LINE=WAY")]
Consent = Annotated[
    bool, typer.Option("--consent", help="The customer accepts credit in place of money.")
]
Agent = Annotated[
    str | None, typer.Option("--agent", help="Who decides and does it.", show_default=False)
]
Override = Annotated[
    str | None,
    typer.Option(
        "--override",
        help="Decide against the rules, and why; --agent answers for it.",
        metavar="REASON",
        show_default=False,
    ),
]
ApprovedBy = Annotated[
    str | None,
    typer.Option("--approved-by", help="Who else approves it.", show_default=False),
]
Received = Annotated[bool, typer.Option("--received", help="The goods are back, all of them.")]
Accept = Annotated[
    list[str] | None,
    _of_lines("--accept", "Of the goods that are back, so many are accepted.", _COUNT),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Decide, and do nothing.")]
