"""The command that spends value: `redeem`."""

from typing import Annotated

import typer

from storecredit.cli.giving import about_of, show_receipt
from storecredit.cli.ledgers import known_ledger
from storecredit.cli.options import (
    DEFAULT_DATABASE,
    DEFAULT_MERCHANT,
    Actor,
    Amount,
    AsJson,
    At,
    Database,
    Holder,
    Key,
    MerchantId,
    Reason,
    Reference,
    UnitCode,
    Units,
)
from storecredit.ledger import Taking
from storecredit.values import Money


def redeem(
    *,
    holder: Holder,
    amount: Amount,
    unit: UnitCode,
    key: Key,
    up_to: Annotated[
        bool, typer.Option("--up-to", help="Take what there is, if it is less.")
    ] = False,
    reference: Reference = None,
    reason: Reason = None,
    actor: Actor = None,
    at: At = None,
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    unit_def: Units = None,
    as_json: AsJson = False,
) -> None:
    """Spend value of a holder."""
    about = about_of(reference=reference, reason=reason, actor=actor, at=at)
    with known_ledger(db, merchant, unit_def) as credit:
        receipt = credit.redeem(
            holder,
            Money.of(amount, credit.merchant.unit(unit)),
            key=key,
            taking=Taking.UP_TO if up_to else Taking.ALL_OR_NOTHING,
            **about,
        )
    show_receipt("Redeemed", "of", receipt, as_json=as_json)
