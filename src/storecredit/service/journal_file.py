"""
The journal file: a whole ledger as JSON lines, and what each line looks like (S9).

    {"header":{"format":"storecredit journal","merchant":"acme","version":1}}
    {"wallet":{"holder":"c-17","id":"...","merged_into":null}}
    {"account":{"digits":2,"id":"....USD"}}
    {"entry":{"body":"{...}","digest":"...","private":{"actor":["salt","anna"]}}}
    {"record":{"body":{...},"id":"...","kind":"...","references":{...},"version":1}}
    {"trailer":{"accounts":1,"entries":1,"records":1,"sha256":"...","wallets":1}}

Each wallet is followed by its accounts, each account by its entries; both come in the order of
their ids, so equal ledgers make equal files. The last digest covers every line before it, each
with one line feed.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidText
from storecredit.ledger import (
    PRIVATE_FIELDS,
    Account,
    AccountId,
    Entry,
    WalletId,
    canonical,
    private_value,
    require_text,
)
from storecredit.service.file_source import BadCell, ImportLimits
from storecredit.service.strict_json import read_strict, take
from storecredit.storage.protocols import Record, Wallet

FORMAT: Final = "storecredit journal"
VERSION: Final = 1

_WALLET_ID: Final = re.compile(r"[0-9a-f]{32}")
_ACCOUNT_ID: Final = re.compile(r"[0-9a-f]{32}\.[A-Z][A-Z0-9_]{1,11}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MOST_DIGITS: Final = 9


@final
@attrs.frozen
class Header:
    """What the file is."""

    version: int
    merchant: str


@final
@attrs.frozen
class AccountLine:
    """An account, before its entries."""

    id: AccountId
    digits: int


@final
@attrs.frozen
class EntryLine:
    """One entry as it is recorded; private fields that were erased are absent."""

    body: str
    digest: bytes
    private: Mapping[str, tuple[str, Any]]


@final
@attrs.frozen
class Counts:
    """How many lines of each kind a file has."""

    wallets: int = 0
    accounts: int = 0
    entries: int = 0
    records: int = 0


@final
@attrs.frozen
class Trailer:
    """What a whole file ends with."""

    counts: Counts
    sha256: str


Line = Header | Wallet | AccountLine | EntryLine | Record | Trailer


@final
class FileDigest:
    """The digest of all lines so far."""

    def __init__(self) -> None:
        self._hash: Final = hashlib.sha256()

    def add(self, line: bytes) -> None:
        """Count one line, given without its end."""
        self._hash.update(line)
        self._hash.update(b"\n")

    def text(self) -> str:
        """Return the digest in hexadecimal."""
        return self._hash.hexdigest()


def header_text(merchant: str) -> str:
    """Write the first line."""
    return canonical(
        {"header": {"format": FORMAT, "version": VERSION, "merchant": merchant}},
    )


def wallet_text(wallet: Wallet) -> str:
    """Write the line of a wallet."""
    row = {"id": wallet.id, "holder": wallet.holder, "merged_into": wallet.merged_into}
    return canonical({"wallet": row})


def account_text(account: Account) -> str:
    """Write the line of an account."""
    return canonical({"account": {"id": account.id, "digits": account.unit.digits}})


def entry_text(entry: Entry) -> str:
    """Write the line of an entry, with the private fields that were not erased."""
    row: dict[str, Any] = {"body": entry.body, "digest": entry.digest.hex()}
    if entry.salts:
        row["private"] = {
            name: [salt, private_value(entry.context, name)] for name, salt in entry.salts.items()
        }
    return canonical({"entry": row})


def record_text(record: Record) -> str:
    """Write the line of a record."""
    row = {
        "kind": record.kind,
        "id": record.id,
        "version": record.version,
        "body": dict(record.body),
        "references": dict(record.references),
    }
    return canonical({"record": row})


def trailer_text(trailer: Trailer) -> str:
    """Write the last line."""
    row = {**attrs.asdict(trailer.counts), "sha256": trailer.sha256}
    return canonical({"trailer": row})


def read_line(line: bytes, merchant: str, limits: ImportLimits) -> Line:
    """
    Read one line of a file of *merchant*.

    Raises:
        BadCell: It is no such line.
    """
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError as wrong:
        problem = f"byte {wrong.start + 1} is not ASCII, and this format is nothing else"
        raise BadCell("line", problem) from None
    data = read_strict(text, "line", limits)
    if not isinstance(data, dict) or len(data) != 1:
        raise BadCell("line", "it has to be an object with one name: what the line is")
    ((kind, row),) = data.items()
    try:
        match kind:
            case "header":
                return _read_header(row)
            case "wallet":
                return _read_wallet(row, merchant)
            case "account":
                return _read_account(row)
            case "entry":
                return _read_entry(row)
            case "record":
                return _read_record(row, merchant)
            case "trailer":
                return _read_trailer(row)
    except InvalidText as wrong:
        raise BadCell(f"{kind}.{wrong.field}", str(wrong)) from None
    raise BadCell("line", f"nobody knows what {kind[:40]!a} is")


def _read_header(data: object) -> Header:
    row = take(data, "header", {"format": str, "version": int, "merchant": str})
    if row["format"] != FORMAT:
        raise BadCell("header.format", f"it is {row['format'][:40]!a}, not {FORMAT!r}")
    return Header(row["version"], row["merchant"])


def _read_wallet(data: object, merchant: str) -> Wallet:
    merged = data.get("merged_into") if isinstance(data, dict) else None
    forms = {"id": str, "holder": str, "merged_into": type(None) if merged is None else str}
    row = take(data, "wallet", forms)
    for name in ("id", "merged_into"):
        if row[name] is not None:
            _require(_WALLET_ID, row[name], f"wallet.{name}", "32 hexadecimal digits")
    into = None if merged is None else WalletId(row["merged_into"])
    return Wallet(WalletId(row["id"]), merchant, require_text("holder", row["holder"]), into)


def _read_account(data: object) -> AccountLine:
    row = take(data, "account", {"id": str, "digits": int})
    _require(_ACCOUNT_ID, row["id"], "account.id", "a wallet's id, a dot and a unit's code")
    if not 0 <= row["digits"] <= _MOST_DIGITS:
        raise BadCell("account.digits", f"it has to be a number from 0 to {_MOST_DIGITS}")
    return AccountLine(AccountId(row["id"]), row["digits"])


def _read_entry(data: object) -> EntryLine:
    forms: dict[str, type] = {"body": str, "digest": str}
    if isinstance(data, dict) and "private" in data:
        forms["private"] = dict
    row = take(data, "entry", forms)
    _require(_DIGEST, row["digest"], "entry.digest", "64 hexadecimal digits")
    private = row.get("private", {})
    for name, sealed in private.items():
        column = f"entry.private.{name[:40]}"
        if name not in PRIVATE_FIELDS:
            raise BadCell(column, "nobody knows this name")
        if not isinstance(sealed, list) or len(sealed) != 2 or not isinstance(sealed[0], str):
            raise BadCell(column, "it has to be a list of a salt and a value")
        if not _is_private_value(name, sealed[1]):
            raise BadCell(column, "its value is not of the type it has to have")
    private = {name: (salt, value) for name, (salt, value) in private.items()}
    return EntryLine(row["body"], bytes.fromhex(row["digest"]), private)


def _is_private_value(name: str, value: object) -> bool:
    if name != "data":
        return isinstance(value, str)
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _read_record(data: object, merchant: str) -> Record:
    forms = {"kind": str, "id": str, "version": int, "body": dict, "references": dict}
    row = take(data, "record", forms)
    for name, value in row["references"].items():
        require_text("references", name)
        require_text("references", value)
    if row["version"] < 1:
        raise BadCell("record.version", "it has to be a number from 1 up")
    return Record(
        merchant=merchant,
        kind=require_text("kind", row["kind"]),
        id=require_text("id", row["id"]),
        version=row["version"],
        body=row["body"],
        references=row["references"],
    )


def _read_trailer(data: object) -> Trailer:
    counts = {field.name: int for field in attrs.fields(Counts)}
    row = take(data, "trailer", {**counts, "sha256": str})
    return Trailer(Counts(**{name: row[name] for name in counts}), row["sha256"])


def _require(form: re.Pattern[str], text: str, column: str, expected: str) -> None:
    if not form.fullmatch(text):
        raise BadCell(column, f"it has to be {expected}")
