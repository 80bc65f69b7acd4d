"""Exporting a journal: one consistent state, written account by account."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import Account, WalletId, wallet_of
from storecredit.service._feed_state import FEED
from storecredit.service.file_source import JOURNAL_LIMITS, BadCell
from storecredit.service.file_target import Write
from storecredit.service.journal_file import (
    Counts,
    FileDigest,
    Trailer,
    account_text,
    entry_text,
    header_text,
    record_text,
    trailer_text,
    wallet_text,
)
from storecredit.service.strict_json import read_strict
from storecredit.storage.protocols import Reader, Record

_PAGE: Final = 500
_PROGRESS_EVERY: Final = 1000


@final
@attrs.frozen
class ExportSummary:
    """What an export wrote."""

    written: Counts
    sha256: str
    """The digest in the file's last line, to be kept where nobody can change it with the file."""


def export(
    reader: Reader,
    merchant: str,
    write: Write,
    *,
    record_kinds: Iterable[str] | None,
    progress: Callable[[int], None] | None,
) -> ExportSummary:
    """
    Write everything of *merchant* that *reader* sees, a few accounts in memory at a time.

    Raises:
        InvalidTerms: The positions of feeds are asked for, or a record has floats or nests too
            deep: no import would read it.
    """
    digest, counted = FileDigest(), dict.fromkeys(attrs.asdict(Counts()), 0)

    def put(text: str, kind: str = "") -> None:
        digest.add(text.encode("ascii"))
        write(f"{text}\n")
        if kind:
            counted[kind] += 1

    put(header_text(merchant))
    last: WalletId | None = None
    for account in accounts_in_order(reader, merchant):
        wallet_id = wallet_of(account.id)
        if wallet_id != last:
            wallet = reader.wallet_by_id(merchant, wallet_id)
            if wallet is not None:
                put(wallet_text(wallet), "wallets")
            last = wallet_id
        put(account_text(account), "accounts")
        for entry in reader.journal(account):
            put(entry_text(entry), "entries")
            if progress is not None and counted["entries"] % _PROGRESS_EVERY == 0:
                progress(counted["entries"])
    for kind in _kinds(reader, merchant, record_kinds):
        for record in _records(reader, merchant, kind):
            put(_checked(record), "records")
    trailer = Trailer(Counts(**counted), digest.text())
    write(f"{trailer_text(trailer)}\n")
    return ExportSummary(trailer.counts, trailer.sha256)


def accounts_in_order(reader: Reader, merchant: str) -> Iterator[Account]:
    """Yield every account of *merchant* by id, a page of ids at a time."""
    after = ""
    while page := reader.account_ids(merchant, after=after, limit=_PAGE):
        for _, account_id in page:
            account = reader.account_by_id(merchant, account_id)
            if account is not None:
                yield account
        after = page[-1][1]


def _kinds(reader: Reader, merchant: str, asked: Iterable[str] | None) -> list[str]:
    """Return the kinds of records to write; positions in a feed stay with the storage (S7)."""
    if asked is None:
        return [kind for kind in reader.record_kinds(merchant) if kind != FEED]
    kinds = sorted(set(asked))
    if FEED in kinds:
        expected = "without feeds: a position means nothing on another storage"
        raise InvalidTerms("record_kinds", FEED, expected)
    return kinds


def _records(reader: Reader, merchant: str, kind: str) -> Iterator[Record]:
    after = ""
    while page := reader.records(merchant, kind, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def _checked(record: Record) -> str:
    text = record_text(record)
    try:
        read_strict(text, "body", JOURNAL_LIMITS)
    except BadCell as bad:
        what = f"{record.kind} {record.id}"
        raise InvalidTerms("record", what, f"JSON that can be imported; {bad.problem}") from None
    return text
