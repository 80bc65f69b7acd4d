"""Rows and values: how accounts, lots and holds are written into columns and read again."""

import functools
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final

from storecredit.errors import JournalBroken, MisuseError
from storecredit.ledger import (
    EFFECTS,
    TOTALS,
    Account,
    AccountId,
    AccountStatus,
    Draw,
    Entry,
    EntryId,
    Funding,
    Hold,
    HoldId,
    HoldStatus,
    Limits,
    Lot,
    LotId,
    LotState,
    Paid,
    Terms,
    What,
    canonical,
    local_part,
    read_limit,
    write_instant,
    write_limit,
)
from storecredit.values import Currency, CustomUnit, Unit, currency

Row = tuple[Any, ...]

UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, MisuseError)
"""What reading a row that was changed around the library may raise."""

ACCOUNT_COLUMNS: Final = (
    *("version", "head", "last_at"),
    *TOTALS,
    *("status", "credit_limit", "spenders", "merged_into"),
)
"""What changes from entry to entry."""

LOT_COLUMNS: Final = (
    *("id", "sequence", "issued_at", "funding", "effective_at", "expires_at", "priority"),
    *("limits", "paid", "origin", "amount", "remaining", "held", "expired", "revoked", "state"),
    "is_open",
)
HOLD_COLUMNS: Final = (
    *("id", "placed_at", "lapses_at", "reference", "status", "draws", "captured"),
)

_totals: Final = itemgetter(*TOTALS)
_TOTALS_FROM, _TOTALS_UPTO = 3, 3 + len(TOTALS)

_FUNDINGS: Final[Mapping[str, Funding]] = MappingProxyType({each.value: each for each in Funding})
_STATES: Final[Mapping[str, LotState]] = MappingProxyType({each.value: each for each in LotState})


def unit_of_row(code: str, digits: int) -> Unit:
    """
    Return the unit with *code* and the *digits* that it had when the account was opened.

    A name or a cost basis that a custom unit may have is the host's, and is not kept.
    """
    try:
        known = currency(code)
    except MisuseError:
        return CustomUnit(code, digits)
    return known if known.digits == digits else Currency(code, digits, known.name)


def read_json(text: object) -> Any:
    """
    Read a column of JSON text.

    Raises:
        TypeError, ValueError: It is no text, though it may be the same bytes, or no JSON.
    """
    if not isinstance(text, str):
        raise TypeError(text)
    return json.loads(text)


def _read_instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


# Accounts


def account_row(account: Account) -> Row:
    """Return what `ACCOUNT_COLUMNS` hold of *account*."""
    spenders = account.spenders
    return (
        account.version,
        account.head,
        None if account.last_at is None else write_instant(account.last_at),
        *_totals(account.totals),
        account.status.value,
        write_limit(account.limit),
        None if spenders is None else canonical(spenders),
        account.merged_into,
    )


def changed_columns(entry: Entry) -> tuple[str, ...]:
    """Return the columns of the account that *entry* changes: few of many."""
    return _columns_of(frozenset([move.what for move in entry.moves]), bool(entry.facts))


@functools.cache
def _columns_of(whats: frozenset[What], has_facts: bool) -> tuple[str, ...]:
    totals = set[str]()
    for what in whats:
        effect = EFFECTS[what]
        moved = {"balance": effect.remaining, "held": effect.held, "owed_held": effect.owed_held}
        totals.update([effect.total, *(name for name, factor in moved.items() if factor)])
    return (
        *("version", "head", "last_at"),
        *(name for name in TOTALS if name in totals),
        *(("status", "credit_limit", "spenders", "merged_into") if has_facts else ()),
    )


def changed_row(account: Account, columns: tuple[str, ...]) -> Row:
    """Return what *columns*, as `changed_columns` gives them, hold of *account*."""
    if columns[-1] == "merged_into":
        row = dict(zip(ACCOUNT_COLUMNS, account_row(account), strict=True))
        return tuple([row[name] for name in columns])
    totals, last_at = account.totals, account.last_at
    return (
        account.version,
        account.head,
        None if last_at is None else write_instant(last_at),
        *[totals[name] for name in columns[3:]],
    )


def read_account(id_: AccountId, merchant: str, holder: str, unit: Unit, row: Row) -> Account:
    """Read an account without lots and holds from its `ACCOUNT_COLUMNS`, which others may follow."""
    status, limit, spenders, merged_into = row[_TOTALS_UPTO : _TOTALS_UPTO + 4]
    try:
        if not isinstance(row[1], bytes):
            raise TypeError(row[1])
        return Account(
            id_,
            merchant,
            holder,
            unit,
            row[0],
            row[1],
            _read_instant(row[2]),
            dict(zip(TOTALS, row[_TOTALS_FROM:_TOTALS_UPTO], strict=True)),
            AccountStatus.OPEN if status == "open" else AccountStatus(status),
            None if limit is None else read_limit(limit),
            None if spenders is None else tuple(read_json(spenders)),
            merged_into,
        )
    except UNREADABLE:
        raise JournalBroken(id_, row[0], "the row of the account cannot be read") from None


# Lots


def lot_row(lot: Lot) -> Row:
    """Return what `LOT_COLUMNS` hold of *lot*."""
    terms = lot.terms
    return (
        local_bytes(lot.id),
        lot.sequence,
        write_instant(lot.issued_at),
        *terms_row(terms),
        lot.origin,
        *amounts_row(lot),
        lot.remaining > 0,
    )


def terms_row(terms: Terms) -> Row:
    """Return the columns from ``funding`` to ``paid``."""
    return (
        terms.funding.value,
        write_instant(terms.effective_at),
        None if terms.expires_at is None else write_instant(terms.expires_at),
        terms.priority,
        None if terms.limits is None else canonical(terms.limits.to_json()),
        None if terms.paid is None else canonical(terms.paid.to_json()),
    )


def amounts_row(lot: Lot) -> Row:
    """Return the columns from ``amount`` to ``state``."""
    return (lot.amount, lot.remaining, lot.held, lot.expired, lot.revoked, lot.state.value)


def read_lot(account: AccountId, row: Row) -> Lot:
    """
    Read a lot of *account* from its `LOT_COLUMNS`.

    Raises:
        JournalBroken: The row was changed around the library, and names no lot any more.
    """
    local, sequence, issued, funding, effective, expires, priority, limits, paid, *rest = row
    origin, amount, remaining, held, expired, revoked, state, is_open = rest
    try:
        issued_at = _read_instant(issued)
        terms = Terms(
            funding=_FUNDINGS[funding],
            # Most value counts from the moment it is issued.
            effective_at=issued_at if effective == issued else _read_instant(effective),
            expires_at=None if expires is None else _read_instant(expires),
            priority=priority,
            limits=None if limits is None else Limits.from_json(read_json(limits)),
            paid=None if paid is None else Paid.from_json(read_json(paid)),
        )
        if is_open != (remaining > 0):
            raise JournalBroken(account, sequence, "a lot is filed as open or spent, and is not")
        return Lot(
            LotId(f"{account}.{local.hex()}"),
            sequence,
            issued_at,
            terms,
            origin,
            amount,
            remaining,
            held,
            expired,
            revoked,
            _STATES[state],
        )
    except JournalBroken:
        raise
    except UNREADABLE:
        raise JournalBroken(account, whole(sequence), "the row of a lot cannot be read") from None


# Holds


def hold_row(hold: Hold) -> Row:
    """Return what `HOLD_COLUMNS` hold of *hold*."""
    draws = [
        [None if draw.lot is None else local_part(draw.lot), draw.amount] for draw in hold.draws
    ]
    return (
        local_bytes(hold.id),
        write_instant(hold.placed_at),
        write_instant(hold.lapses_at),
        hold.reference,
        hold.status.value,
        canonical(draws),
        hold.captured,
    )


def read_hold(account: AccountId, version: int, row: Row) -> Hold:
    """
    Read a hold of *account* from its `HOLD_COLUMNS`.

    Raises:
        JournalBroken: The row was changed around the library, and names no hold any more.
    """
    local, placed, lapses, reference, status, draws, captured = row
    try:
        return Hold(
            HoldId(f"{account}.{local.hex()}"),
            _read_instant(placed),
            _read_instant(lapses),
            reference,
            HoldStatus(status),
            tuple(
                Draw(None if lot is None else LotId(f"{account}.{lot}"), amount)
                for lot, amount in read_json(draws)
            ),
            captured,
        )
    except UNREADABLE:
        raise JournalBroken(account, version, "the row of a hold cannot be read") from None


# Restored parts


def add_restored(account: Account, rows: Iterable[Row]) -> None:
    """
    Add to *account* what *rows* say was given back: redemption, ordinal of its move, amount.

    Raises:
        JournalBroken: A row was changed around the library, and names no redemption any more.
    """
    for redemption, move, amount in rows:
        if not (isinstance(redemption, str) and isinstance(move, int)):
            problem = "the row of a restored part cannot be read"
            raise JournalBroken(account.id, account.version, problem)
        account.restored.setdefault(EntryId(redemption), {})[move] = amount


def local_bytes(thing: str) -> bytes:
    """Return what tables keep of the id of a lot, hold or entry; nothing they hold otherwise."""
    try:
        return bytes.fromhex(local_part(thing))
    except ValueError:
        return b""


def whole(value: object) -> int:
    """Return a column that should be a whole number; 0 where it is none."""
    return value if isinstance(value, int) else 0
