"""The options that several commands share, each described once."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from storecredit.errors import StoreCreditError
from storecredit.ledger import Expiry
from storecredit.values import CustomUnit, Period, instant

Database = Annotated[
    str,
    typer.Option(
        "--db",
        envvar="STORECREDIT_DB",
        help="The database: a file, or a URL of SQLAlchemy's.",
        metavar="PATH|URL",
        show_default=True,
    ),
]
DEFAULT_DATABASE = "storecredit.db"

MerchantId = Annotated[
    str,
    typer.Option(
        "--merchant", envvar="STORECREDIT_MERCHANT", help="The merchant of record.", metavar="ID"
    ),
]
DEFAULT_MERCHANT = "shop"


def unit_of_definition(definition: str) -> CustomUnit:
    """
    Read the definition of a custom unit: `CODE:DIGITS` or `CODE:DIGITS:NAME`.

    Raises:
        typer.BadParameter: It is none, or the unit cannot be.
    """
    code, _, rest = definition.partition(":")
    digits, _, name = rest.partition(":")
    if not (digits.isascii() and digits.isdigit() and len(digits) == 1):
        wanted = "CODE:DIGITS or CODE:DIGITS:NAME, such as PTS:0:Points"
        raise typer.BadParameter(f"{definition!r} is not {wanted}.")
    try:
        return CustomUnit(code, int(digits), name=name or None)
    except StoreCreditError as error:
        raise typer.BadParameter(str(error)) from error


def expiry_of(written: str) -> Expiry:
    """
    Read when value expires: `P30D`, `2026-12-31` (inclusive), an instant, or empty for never.

    Raises:
        typer.BadParameter: It is none of these.
    """
    if not written:
        return None
    try:
        if written.startswith("P"):
            return Period.of(written)
        if len(written) == len("2026-12-31"):
            return date.fromisoformat(written)
        return _instant(written)
    except (StoreCreditError, ValueError) as error:
        wanted = "a period (P30D), a last day (2026-12-31) or an instant (2026-12-31T12:00:00Z)"
        raise typer.BadParameter(f"{written!r} is not {wanted}.") from error


def period_of(written: str) -> Period:
    """
    Read a period as ISO 8601 writes it: `P30D`, `P12M`.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        return Period.of(written)
    except StoreCreditError as error:
        raise typer.BadParameter(f"{written!r} is not a period such as P30D or P12M.") from error


def instant_of(written: str) -> datetime:
    """
    Read an ISO 8601 instant; without a zone it is UTC.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        return _instant(written)
    except (StoreCreditError, ValueError) as error:
        example = "an ISO 8601 instant such as 2026-03-01T09:30:00Z"
        raise typer.BadParameter(f"{written!r} is not {example}.") from error


def _instant(written: str) -> datetime:
    at = datetime.fromisoformat(written)
    return instant(at.replace(tzinfo=UTC) if at.tzinfo is None else at)


Units = Annotated[
    list[CustomUnit] | None,
    typer.Option(
        "--unit-def",
        parser=unit_of_definition,
        metavar="CODE:DIGITS[:NAME]",
        help="A unit of the merchant's own, such as PTS:0:Points. May be repeated.",
        show_default=False,
    ),
]
Key = Annotated[
    str,
    typer.Option("--key", help="Names this request; repeating it is safe.", metavar="TEXT"),
]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at",
        parser=instant_of,
        metavar="INSTANT",
        help="The instant, if not now; without a zone it is UTC.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Reference = Annotated[
    str | None,
    typer.Option("--reference", help="The order, refund or ticket.", show_default=False),
]
Actor = Annotated[str | None, typer.Option("--actor", help="Who does it.", show_default=False)]
Reason = Annotated[str | None, typer.Option("--reason", help="Why.", show_default=False)]
Holder = Annotated[
    str, typer.Argument(metavar="HOLDER", help="The holder's id.", show_default=False)
]
Amount = Annotated[
    str, typer.Argument(metavar="AMOUNT", help="In major units, such as 50.00.", show_default=False)
]
UnitCode = Annotated[
    str,
    typer.Argument(
        metavar="UNIT", help="A currency code or that of a --unit-def.", show_default=False
    ),
]
