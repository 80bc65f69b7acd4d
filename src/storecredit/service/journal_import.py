"""Importing a journal: line by line within one transaction, every entry checked as it is applied."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, final

import attrs

from storecredit.errors import JournalBroken, MisuseError, RefusalError, UnknownCurrency
from storecredit.ledger import (
    CLOCK_TOLERANCE,
    NO_NAMES,
    Account,
    AccountId,
    Change,
    Entry,
    Merchant,
    account_id,
    change_of,
    open_rows,
    read_entry,
    rows_behind,
    unit_of,
    wallet_of,
)
from storecredit.service._feed_state import FEED
from storecredit.service.file_source import BadCell, BadRows, Source
from storecredit.service.journal_file import (
    VERSION,
    AccountLine,
    Counts,
    EntryLine,
    FileDigest,
    Header,
    Line,
    Trailer,
    read_line,
)
from storecredit.service.strict_json import read_strict
from storecredit.storage.protocols import Record, UnitOfWork, Wallet
from storecredit.values import CustomUnit, Unit

_UNREADABLE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    MisuseError,
    RefusalError,
)
"""What reading and applying a body that nobody here wrote can raise."""

_MOST_VERSIONS: Final = 100_000
_PROGRESS_EVERY: Final = 1000


@final
@attrs.frozen
class ImportSummary:
    """What a journal file held, and what of it was new here."""

    read: Counts
    added: Counts

    @property
    def changed(self) -> bool:
        """Whether the import changed anything."""
        return self.added != Counts()


@final
@attrs.define
class _Place:
    """The account that the entries being read belong to."""

    account: Account | None
    """Its state after the entries read so far; None where an earlier line of it was bad."""
    known: Iterator[Entry]
    """The entries that the ledger has already and the file has not shown yet."""
    first_line: int
    read: int = 0


@final
class JournalImport:
    """One reading of one file, in one transaction."""

    def __init__(
        self,
        tx: UnitOfWork,
        merchant: Merchant,
        now: datetime,
        bad: BadRows,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._tx: Final = tx
        self._merchant: Final = merchant
        self._latest: Final = now + CLOCK_TOLERANCE
        self._bad: Final = bad
        self._progress: Final = progress
        self._read: Final = dict.fromkeys(attrs.asdict(Counts()), 0)
        self._added: Final = dict(self._read)
        self._wallet: Wallet | None = None
        self._astray = False
        """Whether a bad line leaves open whose accounts and entries follow: they are passed over."""
        self._last_wallet = ""
        self._place: _Place | None = None
        self._last_account = ""
        self._last_record = ("", "")
        self._merged: Final[list[tuple[int, Wallet]]] = []
        self._begun = self._ended = False

    def run(self, source: Source) -> ImportSummary:
        """
        Read all of *source*, noting whatever is bad; what is good is written as it is read.

        Raises:
            ImportRefused: Something was bad; the transaction has to be left behind.
        """
        digest, limits = FileDigest(), source.limits
        number = 0
        for number, raw in source.lines(self._bad):
            data = raw.removesuffix(b"\r")
            try:
                line = read_line(data, self._merchant.id, limits)
            except BadCell as bad:
                self._bad.add(number, bad.column, bad.problem)
                self._place, self._astray = _Place(None, iter(()), number), True
            else:
                try:
                    self._take(line, number, digest, source)
                except BadCell as bad:
                    self._bad.add(number, bad.column, bad.problem)
            if number == 1:
                self._bad.refuse(source.name)
            digest.add(data)
        if not source.ended_early and not self._ended:
            self._bad.add(number + 1, "trailer", "the file ends before its last line")
        self._finish_merges()
        self._bad.refuse(source.name)
        return ImportSummary(Counts(**self._read), Counts(**self._added))

    def _take(self, line: Line, number: int, digest: FileDigest, source: Source) -> None:
        if self._ended:
            raise BadCell("line", "it stands behind the last line")
        if not self._begun and not isinstance(line, Header):
            raise BadCell("line", "the first line has to be the header")
        match line:
            case Header():
                self._take_header(line)
            case Wallet():
                self._leave_account()
                self._count("wallets")
                self._take_wallet(line, number)
            case AccountLine():
                self._leave_account()
                self._count("accounts")
                self._take_account(line, number)
            case EntryLine():
                self._count("entries")
                self._take_entry(line, source)
                if self._progress is not None and self._read["entries"] % _PROGRESS_EVERY == 0:
                    self._progress(self._read["entries"])
            case Record():
                self._leave_account()
                self._count("records")
                self._take_record(line)
            case Trailer():
                self._leave_account()
                self._take_trailer(line, digest)

    def _count(self, what: str) -> None:
        self._read[what] += 1

    # Header and trailer

    def _take_header(self, header: Header) -> None:
        if self._begun:
            raise BadCell("header", "the file has one already")
        if header.version != VERSION:
            raise BadCell(
                "header.version", f"it is {header.version}; this library reads version {VERSION}"
            )
        if header.merchant != self._merchant.id:
            raise BadCell(
                "header.merchant",
                f"it is the ledger of {header.merchant[:200]!a}, not of {self._merchant.id!a}",
            )
        self._begun = True

    def _take_trailer(self, trailer: Trailer, digest: FileDigest) -> None:
        self._ended = True
        read = Counts(**self._read)
        if trailer.counts != read and not self._bad.count:
            raise BadCell("trailer", f"it counts {trailer.counts}, and the file has {read}")
        if trailer.sha256 != digest.text():
            raise BadCell("trailer.sha256", "it is not the digest of the lines before it")

    # Wallets

    def _take_wallet(self, wallet: Wallet, number: int) -> None:
        self._wallet, self._astray = None, True
        if wallet.id <= self._last_wallet:
            raise BadCell("wallet.id", "wallets have to come in the order of their ids, each once")
        self._last_wallet = wallet.id
        known = self._tx.wallet_by_id(self._merchant.id, wallet.id)
        if known is None:
            if self._tx.wallet(self._merchant.id, wallet.holder) is not None:
                raise BadCell("wallet.holder", f"{wallet.holder!a} has another wallet already")
            self._tx.add_wallet(attrs.evolve(wallet, merged_into=None))
            self._added["wallets"] += 1
        elif (
            known.merged_into is not None
            and wallet.merged_into is not None
            and known.merged_into != wallet.merged_into
        ):
            raise BadCell("wallet.merged_into", "here it was merged into another wallet")
        self._wallet, self._astray = wallet, False
        if wallet.merged_into is not None and (known is None or known.merged_into is None):
            self._merged.append((number, wallet))

    def _finish_merges(self) -> None:
        """Write who was merged into whom, now that all wallets are there."""
        for number, wallet in self._merged:
            row = self._tx.wallet_by_id(self._merchant.id, wallet.id)
            into = wallet.merged_into
            while into is not None and into != wallet.id:
                survivor = self._tx.wallet_by_id(self._merchant.id, into)
                if survivor is None:
                    self._bad.add(number, "wallet.merged_into", "there is no such wallet")
                    break
                into = survivor.merged_into
            if into == wallet.id:
                self._bad.add(number, "wallet.merged_into", "it was merged into itself")
            elif row is not None and into is None:
                self._tx.replace_wallet(attrs.evolve(row, merged_into=wallet.merged_into))

    # Accounts

    def _take_account(self, line: AccountLine, number: int) -> None:
        self._place = _Place(None, iter(()), number)
        if self._wallet is None or wallet_of(line.id) != self._wallet.id:
            if self._astray:
                return
            raise BadCell("account.id", "it does not belong to the wallet before it")
        if line.id <= self._last_account:
            raise BadCell(
                "account.id", "accounts have to come in the order of their ids, each once"
            )
        self._last_account = line.id
        self._tx.lock([line.id])
        account = self._tx.account_by_id(self._merchant.id, line.id)
        if account is None:
            unit = self._unit(unit_of(line.id), line.digits)
            account = Account.new(line.id, self._merchant.id, self._wallet.holder, unit)
            self._added["accounts"] += 1
        elif account.unit.digits != line.digits:
            raise BadCell("account.digits", f"here the unit has {account.unit.digits}")
        else:
            self._place.known = self._tx.journal(account, upto=account.version)
        self._place.account = account

    def _leave_account(self) -> None:
        place, self._place = self._place, None
        if place is not None and place.account is not None and not place.read:
            self._bad.add(place.first_line, "account", "it has no entries")

    def _unit(self, code: str, digits: int) -> Unit:
        try:
            unit = self._merchant.unit(code)
        except UnknownCurrency:
            try:
                unit = CustomUnit(code, digits)
            except MisuseError as refused:
                raise BadCell("account.id", str(refused)) from None
        except MisuseError as refused:
            raise BadCell("account.id", str(refused)) from None
        if unit.digits != digits:
            raise BadCell("account.digits", f"{code} has {unit.digits} here")
        return unit

    # Entries

    def _take_entry(self, line: EntryLine, source: Source) -> None:
        place = self._place
        if place is None:
            raise BadCell("entry", "there is no account before it")
        account = place.account
        if account is None:
            return
        place.read += 1
        known = next(place.known, None)
        if known is not None:
            if (known.digest, known.body) != (line.digest, line.body):
                place.account = None
                raise BadCell(
                    "entry.digest",
                    f"entry {known.sequence} of account {account.id} is another one here: the "
                    "two ledgers have gone different ways",
                )
            return
        try:
            change = self._change(account, line, source)
        except BadCell:
            place.account = None
            raise
        except JournalBroken as broken:
            place.account = None
            what = f"entry {place.read} of account {account.id} is broken: {broken.problem}"
            raise BadCell("entry.body", what) from None
        except _UNREADABLE as wrong:
            place.account = None
            what = f"entry {place.read} of account {account.id} is no entry ({wrong})"
            raise BadCell("entry.body", what[:500]) from None
        self._tx.append(change)
        self._added["entries"] += 1
        place.account = open_rows(change.account)

    def _change(self, account: Account, line: EntryLine, source: Source) -> Change:
        """Check one entry that the ledger does not have, and return what it changes."""
        read_strict(line.body, "entry.body", source.limits)
        entry = read_entry(account.unit, line.body, line.digest, private=line.private)
        if entry.at > self._latest:
            raise BadCell("entry.body", f"it is of {entry.at.isoformat()}, ahead of the clock")
        merged = entry.facts.get("merged_into")
        if merged is not None and merged != self._merged_account(account):
            raise BadCell("entry.body", "it merges the account where its wallet was not merged")
        behind = rows_behind(account, entry)
        if behind != NO_NAMES:
            loaded = self._tx.account_by_id(self._merchant.id, account.id, names=behind)
            account = account if loaded is None else loaded
        change = change_of(account, entry)
        if self._tx.entry_by_key(account, entry.key) is not None:
            raise BadCell("entry.body", f"its key {entry.key!a} is another entry's already")
        return change

    def _merged_account(self, account: Account) -> AccountId | None:
        """Return the account that *account* goes to, by what the file says of its wallet."""
        into = None if self._wallet is None else self._wallet.merged_into
        return None if into is None else account_id(into, account.unit.code)

    # Records

    def _take_record(self, record: Record) -> None:
        place = (record.kind, record.id)
        if place <= self._last_record:
            raise BadCell("record.id", "records have to come in the order of kind and id")
        self._last_record = place
        if record.kind == FEED:
            raise BadCell("record.kind", "the position of a feed means nothing on another storage")
        if record.version > _MOST_VERSIONS:
            raise BadCell("record.version", f"it has to be at most {_MOST_VERSIONS}")
        known = self._tx.record(self._merchant.id, record.kind, record.id)
        version = 0 if known is None else known.version
        if known is not None and _differ(known, record):
            raise BadCell("record.body", "here this version of it says something else")
        # A storage takes one version after the other.
        for number in range(version + 1, record.version + 1):
            self._tx.put(attrs.evolve(record, version=number))
        self._added["records"] += record.version > version


def _differ(known: Record, record: Record) -> bool:
    """Tell whether two records of one version say different things."""
    return known.version == record.version and (
        (dict(known.body), dict(known.references)) != (record.body, record.references)
    )
