"""Gathering: lines with one number, possibly of several files, become one event."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, final

import attrs

from storecredit.errors import InvalidKey, InvalidText, StoreCreditError
from storecredit.ledger import require_key, require_text
from storecredit.replay.history import Event, EventKind, History
from storecredit.replay.rows import mismatch, read_rows
from storecredit.service.file_source import BadCell, BadRows
from storecredit.values import MAX_MINOR, Unit, instant


class RowReader(Protocol):
    """Reads rows with columns of its own."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row is given in."""
        ...

    @property
    def advice(self) -> str:
        """What to try where a file has other columns."""
        ...

    def add(self, fields: tuple[str, ...]) -> None:
        """
        Take in one row.

        Raises:
            BadCell: One of its fields cannot be read.
        """
        ...


def read_all(paths: Iterable[Path], reader: RowReader) -> None:
    """
    Give every row of *paths* to *reader*.

    Raises:
        OSError: A file cannot be opened or read.
        ImportRefused: A file is broken; every bad row of it is named.
    """
    for path in paths:
        bad = BadRows()
        for line, fields in read_rows(path, reader.columns, bad, advice=reader.advice):
            try:
                reader.add(fields)
            except BadCell as wrong:
                bad.add(line, wrong.column, wrong.problem)


@final
@attrs.define
class Gathered:
    """An invoice while its lines are being read."""

    number: str
    kind: EventKind
    at: datetime
    customer: str | None = None
    """None as long as no line is kept."""
    minor: int = 0
    """The exact sum of its kept lines; negative where they take away more than they add."""

    def keep(self, customer: str, minor: int, column: str) -> None:
        """
        Add a line of *customer* worth *minor*.

        Raises:
            BadCell: The sum is beyond what storage can hold; *column* is to blame.
        """
        total = self.minor + minor
        if abs(total) > MAX_MINOR:
            raise BadCell(column, "expected a sum within signed 64-bit minor units, found more")
        self.customer, self.minor = customer, total


@final
class Gathering:
    """Everything read so far. Python's dicts keep the order of first rows, which breaks ties."""

    def __init__(self, unit: Unit, reasons: Iterable[str]) -> None:
        self.unit: Final = unit
        self._skipped: Final = dict.fromkeys(reasons, 0)
        self._invoices: Final[dict[str, Gathered]] = {}
        self._instants: Final[dict[str, datetime]] = {}
        self._customers: Final[set[str]] = set()

    def instant(self, column: str, written: str) -> datetime:
        """
        Read an ISO 8601 instant; without a zone it is UTC, a bare date its first instant.

        Raises:
            BadCell: It is not one.
        """
        at = self._instants.get(written)
        if at is None:
            try:
                read = datetime.fromisoformat(written)
                at = instant(read.replace(tzinfo=UTC) if read.tzinfo is None else read)
            except (StoreCreditError, ValueError):
                expected = 'an ISO 8601 instant like "2010-12-01T08:26:00"'
                raise BadCell(column, mismatch(expected, written)) from None
            self._instants[written] = at
        return at

    def invoice(self, column: str, number: str, kind: EventKind, at: datetime) -> Gathered:
        """
        Return what is gathered of the invoice with *number*, moved to *at* if that is earlier.

        Raises:
            BadCell: The number cannot be an idempotency key.
        """
        found = self._invoices.get(number)
        if found is None:
            try:
                require_key(number)
            except InvalidKey as error:
                problem = f"{mismatch('a number to go by', number)}, which {error.problem}"
                raise BadCell(column, problem) from None
            found = self._invoices[number] = Gathered(number, kind, at)
        elif at < found.at:
            found.at = at
        return found

    def require_customer(self, column: str, customer: str) -> None:
        """
        Require that *customer* can be a holder.

        Raises:
            BadCell: It cannot.
        """
        if customer not in self._customers:
            try:
                require_text("holder", customer)
            except InvalidText as error:
                problem = f"{mismatch('the id of a customer', customer)}, which {error.problem}"
                raise BadCell(column, problem) from None
            self._customers.add(customer)

    def skip(self, reason: str) -> None:
        """Count a row that takes no part."""
        self._skipped[reason] += 1

    @property
    def skipped(self) -> dict[str, int]:
        """By reason, how many rows take no part."""
        return dict(self._skipped)

    def history(self) -> History:
        """Return every invoice with at least one kept line as an event, in order of time."""
        events = [
            Event(
                id=invoice.number,
                kind=invoice.kind,
                customer=invoice.customer,
                at=invoice.at,
                value=max(invoice.minor, 0),
            )
            for invoice in self._invoices.values()
            if invoice.customer is not None
        ]
        events.sort(key=lambda event: event.at)
        return History(unit=self.unit, events=tuple(events), skipped=self.skipped)
