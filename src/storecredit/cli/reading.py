"""The commands that look: `balance` and `statement`."""

from typing import Annotated, Any

import typer

from storecredit.cli.ledgers import known_ledger
from storecredit.cli.options import (
    DEFAULT_DATABASE,
    DEFAULT_MERCHANT,
    AsJson,
    At,
    Database,
    Holder,
    MerchantId,
    UnitCode,
    Units,
)
from storecredit.cli.printing import moment, say, show_json, show_table
from storecredit.ledger import AccountView, Entry
from storecredit.service import StatementLine, WalletView


def balance(
    *,
    holder: Holder,
    at: At = None,
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    unit_def: Units = None,
    as_json: AsJson = False,
) -> None:
    """Show what a holder has, unit by unit, now or as of a past instant."""
    with known_ledger(db, merchant, unit_def) as credit:
        wallet = credit.wallet(holder, at=at)
    if as_json:
        show_json(_wallet_json(wallet))
    elif wallet.accounts:
        show_wallet(f"{holder} at {moment(wallet.at)} UTC", wallet)
    else:
        say(f"{holder} has no account here, which is a balance of nothing.")


def show_wallet(title: str, wallet: WalletView) -> None:
    """Print a wallet as a table; columns that are nothing everywhere are left out."""
    columns = ["available"] + [
        name
        for name in ("limited", "held", "pending", "owed")
        if any(getattr(account, name).minor for account in wallet.accounts)
    ]
    rows = [
        [*(getattr(account, name) for name in columns), _next_expiry(account)]
        for account in wallet.accounts
    ]
    show_table(title, [*columns, "expires next (UTC)"], rows)


def statement(
    *,
    holder: Holder,
    unit: UnitCode,
    full: Annotated[
        bool, typer.Option("--full", help="Every entry with its moves: the operator's view.")
    ] = False,
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    unit_def: Units = None,
    as_json: AsJson = False,
) -> None:
    """Show the history of an account, fit for its holder; with --full, all that is recorded."""
    with known_ledger(db, merchant, unit_def) as credit:
        counted = credit.merchant.unit(unit)
        entries = list(credit.journal(holder, counted)) if full else []
        lines = () if full else credit.statement(holder, counted)
    if full:
        _show_journal(holder, entries, as_json=as_json)
    elif as_json:
        show_json([_line_json(line) for line in lines])
    else:
        show_statement(f"{holder}, {unit}", lines)


def show_statement(title: str, lines: tuple[StatementLine, ...]) -> None:
    """Print a holder's history as a table."""
    rows = [
        [line.at, line.kind.value, line.change, line.held, line.balance, line.reference]
        for line in lines
    ]
    show_table(title, ["at (UTC)", "what", "change", "held", "balance", "reference"], rows)


def _show_journal(holder: str, entries: list[Entry], *, as_json: bool) -> None:
    if as_json:
        show_json([_entry_json(entry) for entry in entries])
        return
    rows = [
        [
            entry.sequence,
            entry.at,
            entry.kind.value,
            entry.key,
            "; ".join(f"{move.what} {entry.money(move.amount)}" for move in entry.moves),
            entry.context.actor,
            entry.context.reason,
            entry.context.note,
        ]
        for entry in entries
    ]
    columns = ["entry", "at (UTC)", "what", "key", "moves", "actor", "reason", "note"]
    show_table(f"Journal of {holder}", columns, rows)


def _next_expiry(account: AccountView) -> str | None:
    soonest = account.next_expiry
    return None if soonest is None else f"{soonest.amount} at {moment(soonest.at)}"


def _wallet_json(wallet: WalletView) -> dict[str, Any]:
    return {
        "holder": wallet.holder,
        "at": wallet.at.isoformat(),
        "accounts": [
            {
                "unit": account.unit.code,
                "status": account.status.value,
                **{
                    name: getattr(account, name).to_json()["amount"]
                    for name in ("available", "limited", "held", "pending", "owed", "spendable")
                },
                "next_expiry": None
                if account.next_expiry is None
                else {
                    "at": account.next_expiry.at.isoformat(),
                    "amount": account.next_expiry.amount.to_json()["amount"],
                },
            }
            for account in wallet.accounts
        ],
    }


def _line_json(line: StatementLine) -> dict[str, Any]:
    return {
        "at": line.at.isoformat(),
        "kind": line.kind.value,
        "change": line.change.to_json(),
        "held": line.held.to_json(),
        "owed": line.owed.to_json(),
        "balance": line.balance.to_json(),
        "reference": line.reference,
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "id": entry.id,
        "at": entry.at.isoformat(),
        "kind": entry.kind.value,
        "key": entry.key,
        "moves": [
            {
                "what": move.what.value,
                "lot": move.lot,
                "amount": entry.money(move.amount).to_json(),
                "balance_after": entry.money(move.balance_after).to_json(),
            }
            for move in entry.moves
        ],
        "actor": entry.context.actor,
        "reason": entry.context.reason,
        "reference": entry.context.reference,
        "note": entry.context.note,
        "digest": entry.digest.hex(),
    }
