"""The verbs that carry everything in and out: journals, opening balances, spreadsheets (S9)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar, Unpack, final

import attrs

from storecredit.errors import InvalidTerms, MisuseError, RefusalError
from storecredit.ledger import Account, Entry, Funding, as_funding, require_key, require_text
from storecredit.service._door import Door
from storecredit.service.about import About, context_of
from storecredit.service.balance_file import (
    BalanceDefaults,
    BalanceRow,
    balance_rows,
    column_of,
)
from storecredit.service.file_source import (
    BALANCE_LIMITS,
    JOURNAL_LIMITS,
    AnySource,
    BadRows,
    ImportLimits,
    Source,
)
from storecredit.service.file_target import AnyTarget, writing
from storecredit.service.journal_export import ExportSummary, accounts_in_order, export
from storecredit.service.journal_import import ImportSummary, JournalImport
from storecredit.service.receipts import Receipt
from storecredit.service.spreadsheet import write_accounts
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.values import Balance, Unit, instant

_T = TypeVar("_T")

Progress = Callable[[int], None]
"""Called now and then with the number of entries or rows done so far."""

_PROGRESS_EVERY = 1000
_LONGEST_PREFIX = 150


@final
@attrs.frozen
class BalancesImported:
    """What a balance file brought."""

    rows: int
    issued: int
    """Rows that were issued now."""
    repeated: int
    """Rows that an earlier run had issued already."""
    amount: Balance
    """What was issued now, unit by unit."""


class Porting(Door):
    """Export and import."""

    def export_journal(
        self,
        target: AnyTarget,
        *,
        record_kinds: Iterable[str] | None = None,
        progress: Progress | None = None,
    ) -> ExportSummary:
        """
        Write the whole ledger as it is at one instant: a backup, a move, an auditor's copy.

        The file is JSON lines (see `storecredit.service.journal_file`), in an order that makes
        the files of equal ledgers equal. It holds names, notes and the salts of private fields:
        keep it as you keep the ledger.

        Args:
            target: A path, or a stream of bytes or text. A path that ends in ``.gz`` is
                compressed, and a file takes its name only when it is whole.

            record_kinds: The kinds of records to write besides the accounts (S11); None: all.
                Positions of feeds are never written: they mean nothing on another storage.

            progress: Called with the number of entries written so far.

        Raises:
            OSError: The target cannot be written.
            InvalidTerms: Positions of feeds are asked for, or a record is no JSON that an import
                would read.
        """
        with self.storage.snapshot() as reader, writing(target) as write:
            return export(
                reader, self.merchant.id, write, record_kinds=record_kinds, progress=progress
            )

    def import_journal(
        self,
        source: AnySource,
        *,
        limits: ImportLimits = JOURNAL_LIMITS,
        progress: Progress | None = None,
    ) -> ImportSummary:
        """
        Bring in what `export_journal` wrote: all of it or nothing, in one transaction.

        Ids, digests, keys and erasures are kept. Every entry is checked as if nobody had ever
        seen it. What the ledger has already is left alone: importing a file again, or an older
        one, changes nothing, and a longer one carries the journal on. Names of holders that the
        ledger knows are never changed.

        Args:
            source: A path, or a stream of bytes or text; gzip is recognised by its content.

            limits: How much of a file to read at most.

            progress: Called with the number of entries read so far.

        Raises:
            OSError: The path cannot be read.
            ImportRefused: The file is not one of this merchant, is damaged, or has gone another
                way than the ledger; every bad line is named.
            ConflictError: The storage; import the file again.
        """
        opened = Source(source, limits)

        def work(tx: UnitOfWork) -> ImportSummary:
            now = instant(self._clock())
            return JournalImport(tx, self.merchant, now, BadRows(), progress).run(opened)

        return self._write(work) if opened.is_repeatable else self._write_once(work)

    def import_balances(
        self,
        source: AnySource,
        *,
        key_prefix: str,
        unit: str | Unit | None = None,
        funding: Funding | str | None = None,
        limits: ImportLimits = BALANCE_LIMITS,
        progress: Progress | None = None,
        **about: Unpack[About],
    ) -> BalancesImported:
        """
        Issue what a CSV file lists: opening balances, a campaign; every row or none.

        The first row names the columns; cells are separated by commas. ``holder`` and ``amount``
        (a plain decimal) are required, ``unit`` and ``funding`` unless they are given here.
        ``expires`` is a date (its last day) or an instant, ``effective`` a date (its first day)
        or an instant. Optional are also ``priority``, ``paid`` (in the row's unit, or as
        ``USD 5.00``), ``key``, and what every command may be told: ``reference``, ``actor``,
        ``reason``, ``note``, ``channel``, ``location``, ``occurred_at``. An empty cell is as
        good as no cell.

        Running the file again issues only what was not issued before.

        Args:
            source: A path, or a stream of bytes or text; gzip is recognised by its content.

            key_prefix: Names this file. A row without a key gets one from it, from its holder
                and from its place among the rows of that holder and unit: a row that was changed
                since is refused, not issued again.

            unit: The unit of rows that name none.

            funding: The funding of rows that name none.

            limits: How much of a file to read at most.

            progress: Called with the number of rows read so far.

            about: See `About`; a cell of the row comes first.

        Raises:
            InvalidKey, InvalidText, UnknownCurrency: The arguments.
            InvalidTerms: The prefix is too long for a key to follow, or there is no such funding.
            NaiveInstant, FutureInstant: ``at``.
            OSError: The path cannot be read.
            ImportRefused: A row cannot be read or issued; every such row is named.
            ConflictError: The storage; import the file again.
        """
        if len(require_key(key_prefix)) > _LONGEST_PREFIX:
            raise InvalidTerms("key_prefix", key_prefix, f"at most {_LONGEST_PREFIX} characters")
        context_of(about)
        if (at := about.get("at")) is not None:
            self._instant(instant(at))
        opened = Source(source, limits)
        defaults = BalanceDefaults(
            key_prefix,
            None if unit is None else self._unit(unit),
            None if funding is None else as_funding(funding),
            about,
        )

        def work(tx: UnitOfWork) -> BalancesImported:
            bad, rows, issued, amounts = BadRows(), 0, 0, Balance.of()
            for rows, row in enumerate(balance_rows(opened, bad, self.merchant, defaults), 1):
                receipt = self._issue_row(tx, row, bad)
                if receipt is not None and not receipt.replayed:
                    issued += 1
                    amounts += Balance.of(receipt.amount)
                if progress is not None and rows % _PROGRESS_EVERY == 0:
                    progress(rows)
            bad.refuse(opened.name)
            return BalancesImported(rows, issued, rows - issued, amounts)

        return self._write(work) if opened.is_repeatable else self._write_once(work)

    def export_csv(
        self,
        target: AnyTarget,
        *,
        holder: str | None = None,
        encoding: Literal["utf-8", "utf-8-sig"] = "utf-8",
        progress: Progress | None = None,
    ) -> int:
        """
        Write the journal for people: CSV with one row for each move, amounts as plain decimals.

        ``change``, ``held`` and ``owed`` are signed: above zero adds to the balance, to its
        reserved part, or to what is owed. Cells of text that a spreadsheet would run get an
        apostrophe in front. Nothing reads this file back; the round trip is `export_journal`.

        Args:
            target: A path, or a stream of bytes or text (open text with ``newline=""``). A path
                that ends in ``.gz`` is compressed.

            holder: Only this holder's accounts; None for everybody's.

            encoding: ``utf-8-sig`` begins with the mark by which Excel recognises UTF-8.

            progress: Called with the number of rows written so far.

        Returns:
            The number of rows, without the header.

        Raises:
            InvalidText: The holder.
            InvalidTerms: Another encoding.
            OSError: The target cannot be written.
        """
        if holder is not None:
            require_text("holder", holder)
        if encoding not in {"utf-8", "utf-8-sig"}:
            raise InvalidTerms("encoding", encoding, "utf-8 or utf-8-sig")
        with self.storage.snapshot() as reader, writing(target) as write:
            if encoding == "utf-8-sig":
                write("\ufeff")
            return write_accounts(self._with_entries(reader, holder), write, progress=progress)

    def _issue_row(self, tx: UnitOfWork, row: BalanceRow, bad: BadRows) -> Receipt | None:
        """Issue one row, or note why it is refused."""
        try:
            asked = self._ask(row.command, row.key, row.about)
            loaded = self._load(tx, row.holder, row.command.amount.unit, row.key)
            return self._do(tx, loaded, asked)
        except (MisuseError, RefusalError) as refused:
            bad.add(row.line, column_of(refused), str(refused))
            return None

    def _with_entries(
        self, reader: Reader, holder: str | None
    ) -> Iterator[tuple[Account, Iterator[Entry]]]:
        if holder is None:
            accounts: Iterable[Account] = accounts_in_order(reader, self.merchant.id)
        else:
            wallet = reader.wallet(self.merchant.id, holder)
            accounts = [] if wallet is None else reader.accounts_of(self.merchant.id, wallet.id)
        for account in accounts:
            yield account, reader.journal(account)

    def _write_once(self, work: Callable[[UnitOfWork], _T]) -> _T:
        """Run *work* in one transaction that cannot be repeated: its source is read only once."""
        with self.storage.transaction() as tx:
            return work(tx)
