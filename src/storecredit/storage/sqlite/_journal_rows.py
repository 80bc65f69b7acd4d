"""Journal rows: read again only if every column agrees with the body that the digest covers (A14)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from storecredit.errors import JournalBroken
from storecredit.ledger import PRIVATE_FIELDS, Account, Entry, canonical, private_value, read_entry
from storecredit.storage.sqlite._rows import UNREADABLE, Row, local_bytes, read_json, whole

ENTRY_COLUMNS: Final = ("sequence", "id", "key", "body", "digest")

Private = Mapping[str, tuple[str, Any]]
_NOTHING: Final[Private] = {}


def entry_row(entry: Entry) -> Row:
    """Return what `ENTRY_COLUMNS` hold of *entry*."""
    return (entry.sequence, local_bytes(entry.id), entry.key, entry.body, entry.digest)


def private_rows(entry: Entry) -> list[Row]:
    """Return field, salt and value of each private field of *entry*."""
    return [
        (field, salt, canonical(private_value(entry.context, field)))
        for field, salt in entry.salts.items()
    ]


def read_journal(account: Account, rows: Iterable[Row], private: Iterable[Row]) -> Iterator[Entry]:
    """
    Yield the entries of *rows*, each with its part of *private*; both in order of sequence.

    Raises:
        JournalBroken: A row is not what the library wrote; it is named.
    """
    waiting = iter(private)
    sealed = next(waiting, None)
    sequence = 0
    for row in rows:
        if not isinstance(row[0], int):
            raise JournalBroken(account.id, sequence + 1, "its row has no number any more")
        sequence = row[0]
        of_this = []
        while sealed is not None and sealed[0] == sequence:
            of_this.append(sealed)
            sealed = next(waiting, None)
        yield read_row(account, row, of_this)
        if sealed is not None and whole(sealed[0]) <= sequence:
            break
    if sealed is not None:
        problem = "private fields are kept for an entry that is not there"
        raise JournalBroken(account.id, whole(sealed[0]), problem)


def read_row(account: Account, row: Row, private: Iterable[Row]) -> Entry:
    """
    Read one entry of *account*.

    Raises:
        JournalBroken: A column and the body do not agree, or the body cannot be read.
    """
    sequence, local, key, body, digest = row
    try:
        if not (isinstance(body, str) and isinstance(digest, bytes)):
            raise TypeError(body)
        entry = read_entry(account.unit, body, digest, private=_read_private(account, private))
        columns: dict[str, tuple[object, object]] = {
            "account": (account.id, entry.account),
            "sequence": (sequence, entry.sequence),
            "key": (key, entry.key),
            "id": (local, local_bytes(entry.id)),
        }
    except UNREADABLE as error:
        if isinstance(error, JournalBroken):
            raise
        raise JournalBroken(account.id, sequence, "its body cannot be read") from None
    for column, (said, meant) in columns.items():
        if said != meant:
            problem = f"its row and its body do not name the same {column}"
            raise JournalBroken(account.id, sequence, problem)
    return entry


def _read_private(account: Account, rows: Iterable[Row]) -> Private:
    found: dict[str, tuple[str, Any]] = {}
    for sequence, field, salt, value in rows:
        if field not in PRIVATE_FIELDS or not isinstance(salt, str):
            raise JournalBroken(account.id, sequence, "it has a private field that nobody wrote")
        try:
            found[field] = (salt, read_json(value))
        except UNREADABLE:
            problem = f"its {field} cannot be read"
            raise JournalBroken(account.id, sequence, problem) from None
    return found or _NOTHING
