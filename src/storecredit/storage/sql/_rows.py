"""Rows and values: what the tables have in common with those of a file, and where they differ."""

from typing import Final

from storecredit.errors import JournalBroken
from storecredit.ledger import INFLOWS, OUTFLOWS, Account, AccountId, Change, Lot
from storecredit.storage.sqlite._journal_rows import (
    ENTRY_COLUMNS,
    entry_row,
    private_rows,
    read_journal,
    read_row,
)
from storecredit.storage.sqlite._rows import (
    ACCOUNT_COLUMNS,
    HOLD_COLUMNS,
    LOT_COLUMNS,
    UNREADABLE,
    Row,
    add_restored,
    amounts_row,
    changed_columns,
    hold_row,
    local_bytes,
    lot_row,
    read_hold,
    read_lot,
    terms_row,
    unit_of_row,
)
from storecredit.storage.sqlite._rows import account_row as _account_row
from storecredit.storage.sqlite._rows import changed_row as _changed_row
from storecredit.storage.sqlite._rows import read_account as _read_account
from storecredit.values import Unit

__all__ = [
    "ACCOUNT_COLUMNS",
    "ENTRY_COLUMNS",
    "HOLD_COLUMNS",
    "LOT_COLUMNS",
    "UNREADABLE",
    "Row",
    "account_row",
    "add_restored",
    "amounts_row",
    "changed_columns",
    "changed_row",
    "entry_row",
    "hold_row",
    "local_bytes",
    "lot_row",
    "private_rows",
    "read_account",
    "read_hold",
    "read_journal",
    "read_lot",
    "read_row",
    "require_sound",
    "terms_row",
    "unit_of_row",
]

_LIMIT: Final = ACCOUNT_COLUMNS.index("credit_limit")
_MOST: Final = 2**63 - 1


def account_row(account: Account) -> Row:
    """Return what `ACCOUNT_COLUMNS` hold of *account*; a limit is kept as text, in digits."""
    row = _account_row(account)
    limit = row[_LIMIT]
    return row if limit is None else (*row[:_LIMIT], str(limit), *row[_LIMIT + 1 :])


def changed_row(account: Account, columns: tuple[str, ...]) -> Row:
    """Return what *columns*, as `changed_columns` gives them, hold of *account*."""
    if "credit_limit" not in columns:
        return _changed_row(account, columns)
    row = dict(zip(ACCOUNT_COLUMNS, account_row(account), strict=True))
    return tuple([row[name] for name in columns])


def read_account(id_: AccountId, merchant: str, holder: str, unit: Unit, row: Row) -> Account:
    """
    Read an account without lots and holds from its `ACCOUNT_COLUMNS`.

    Raises:
        JournalBroken: The row was changed around the library.
    """
    limit = row[_LIMIT]
    if limit is not None and limit.isdecimal():
        row = (*row[:_LIMIT], int(limit), *row[_LIMIT + 1 :])
    return _read_account(id_, merchant, holder, unit, row)


def require_sound(change: Change) -> None:
    """
    Require of a change what the tables require of its rows, before anything is sent.

    The tables say it too late: a pipeline is on its way to the commit by then.

    Raises:
        JournalBroken: What it leaves behind breaks conservation or a bound (A2).
    """
    account = change.account
    totals = account.totals
    least, most = min(totals.values()), max(totals.values())
    came = left = 0
    for name in INFLOWS:
        came += totals[name]
    for name in OUTFLOWS:
        left += totals[name]
    sound = (
        least >= 0
        and most <= _MOST
        and came - left == totals["balance"]
        and totals["held"] <= totals["balance"]
        and account.owed >= 0
    )
    if not (sound and all(map(_is_sound, change.lots))):
        problem = "what it leaves behind breaks conservation or a bound (A2), so it was not stored"
        raise JournalBroken(account.id, change.entry.sequence, problem)


def _is_sound(lot: Lot) -> bool:
    return (
        0 <= lot.held <= lot.remaining <= lot.amount <= _MOST
        and 0 <= lot.expired <= _MOST
        and 0 <= lot.revoked <= _MOST
    )
