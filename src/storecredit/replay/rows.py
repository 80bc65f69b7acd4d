"""
Rows of a CSV file that somebody else wrote: plain or gzipped, bounded, every fault named.

The file is UTF-8, with or without a byte order mark, and begins with a header line. A fault in
the form of the file ends the reading at once, because what follows cannot be trusted; a fault in
a value is noted by whoever reads the value, so that many can be named together.
"""

import csv
import operator
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn, final

from storecredit.errors import ImportRefused
from storecredit.service.file_source import BadRows, ImportLimits, Source

LIMITS: Final = ImportLimits(
    line_bytes=1 << 16, field_characters=1 << 16, lines=20_000_000, inflated_bytes=1 << 30
)
"""How much of one file is read: a gibibyte of text, some ten million rows."""
MOST_BLANK_LINES: Final = 1_000

_MARK: Final = b"\xef\xbb\xbf"
_SHOWN: Final = 60


def read_rows(
    path: Path,
    columns: Sequence[str],
    bad: BadRows,
    *,
    advice: str = "",
    limits: ImportLimits = LIMITS,
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """
    Yield each row of *path*: the line it begins on, counted from 1, and its *columns* in order.

    Other columns of the file are left out, blank lines passed over.

    Args:
        path: A CSV file, plain or gzipped, whatever its name is.

        columns: At least two names that the header line has to have, once each.

        bad: Where whoever reads the values notes what is wrong with them; it is refused at the
            end of the file.

        advice: What to try where the columns are not there.

        limits: How much to read.

    Raises:
        OSError: The file cannot be opened or read.
        ImportRefused: The file is broken; line, column and what was expected.
    """
    yield from _Table(Source(path, limits), bad).rows(columns, advice)


def mismatch(expected: str, found: str) -> str:
    """Say what was expected and what was found instead."""
    return f"expected {expected}, found {shown(found)}"


def shown(text: str) -> str:
    """Quote *text* for a message: control characters escaped, the middle of long ones left out."""
    if len(text) > _SHOWN:
        text = f"{text[: _SHOWN - 10]}...{text[-7:]}"
    return repr(text)


@final
class _Table:
    """One file: it knows how far it was read."""

    def __init__(self, source: Source, bad: BadRows) -> None:
        self._source = source
        self._bad = bad
        self._line = 0
        self._columns: list[str] = []

    def rows(self, wanted: Sequence[str], advice: str) -> Iterator[tuple[int, tuple[str, ...]]]:
        records = self._records(csv.reader(self._lines(), strict=True))
        line, found = next(records, (1, []))
        self._check_header(line, found, wanted, advice)
        self._columns = found
        pick: Callable[[list[str]], tuple[str, ...]] = operator.itemgetter(
            *(found.index(name) for name in wanted)
        )
        width = len(found)
        for begins, fields in records:
            if len(fields) != width:
                self._refuse_width(begins, fields)
            yield begins, pick(fields)
        self._bad.refuse(self._source.name)

    def _check_header(
        self, line: int, found: list[str], wanted: Sequence[str], advice: str
    ) -> None:
        expected = f"expected a header line with the columns {', '.join(wanted)}"
        if not found:
            self._refuse(line, wanted[0], f"{expected}; found nothing")
        for name in wanted:
            if name not in found:
                self._refuse(line, name, f"{expected}; found {shown(','.join(found))}{advice}")
            if found.count(name) > 1:
                self._refuse(line, name, f"{expected}, each once; found this one twice")

    def _records(self, reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
        blank = 0
        while True:
            line = self._line + 1
            try:
                fields = next(reader, None)
            except csv.Error as error:
                self._refuse_record(line, error)
            if fields is None:
                return
            if fields:
                yield line, fields
            elif (blank := blank + 1) > MOST_BLANK_LINES:
                self._refuse(line, "row", f"expected a row, found {blank} blank lines")

    def _lines(self) -> Iterator[str]:
        for number, raw in self._source.lines(self._bad):
            self._line = number
            line = raw.removeprefix(_MARK) if number == 1 else raw
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                where = f"byte {error.start + 1} of the line, 0x{line[error.start]:02x}"
                what = f"expected text in UTF-8, found {where}"
                self._refuse(self._line, self._column_after(line[: error.start]), what)
            if "\0" in text:
                column = self._column_after(line[: line.index(b"\0")])
                self._refuse(self._line, column, "expected text, found a NUL character")
            yield text + "\n"
        if self._source.ended_early:
            self._bad.refuse(self._source.name)

    def _column_after(self, before: bytes) -> str:
        """Name the column that begins after the commas in *before*, as near as can be told."""
        place = before.count(b",")
        return self._columns[place] if place < len(self._columns) else f"field {place + 1}"

    def _refuse_record(self, line: int, error: csv.Error) -> NoReturn:
        if "unexpected end" in str(error):
            what = "expected a closing quote before the end of the file, found none"
        elif "field larger" in str(error):
            what = "expected a field of ordinary length, found an enormous one; is a quote open?"
        else:
            what = f"expected fields in CSV form, found this: {error}"
        self._refuse(line, "row", what)

    def _refuse_width(self, line: int, fields: list[str]) -> NoReturn:
        width = len(self._columns)
        column = self._columns[len(fields)] if len(fields) < width else f"field {width + 1}"
        self._refuse(line, column, f"expected {width} fields, found {len(fields)}")

    def _refuse(self, line: int, column: str, problem: str) -> NoReturn:
        """Refuse the file, what was noted before included."""
        self._bad.add(line, column, problem)
        raise ImportRefused(self._source.name, tuple(self._bad.rows), self._bad.count)
