"""Tables: a CSV file that people wrote, as rows by the names of its columns (S9)."""

import csv
from collections.abc import Iterator, Sequence
from typing import Final

from storecredit.service.file_source import BadRows, Source

_BYTE_ORDER_MARK: Final = "\ufeff"


def rows_by_column(
    source: Source, bad: BadRows, required: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """
    Yield each row by column name, empty cells left out, with the line it begins on.

    Args:
        source: The file. Its first row names the columns.

        bad: Where every row that is none is noted.

        required: The columns that have to be there.

        columns: All columns there are.
    """
    reader = csv.reader(_text_lines(source, bad), strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as wrong:
            bad.add(line, "row", f"it is not CSV: {wrong}")
            continue
        if not row:
            continue
        if header is None:
            header = _header(row, line, bad, required, columns)
            if not header:
                return
            continue
        if len(row) != len(header):
            bad.add(line, "row", f"it has {len(row)} cells, and the header {len(header)}")
            continue
        yield line, {name: cell for name, cell in zip(header, row, strict=True) if cell}
    if header is None and not source.ended_early:
        bad.add(1, "header", "the file is empty; its first row names the columns")


def _header(
    row: list[str], line: int, bad: BadRows, required: Sequence[str], columns: Sequence[str]
) -> list[str]:
    """Return the names of the columns; none where the file cannot be read by them."""
    names = [name.strip().lower() for name in row]
    before = bad.count
    for name in required:
        if name not in names:
            semicolons = any(";" in cell for cell in row)
            hint = "; cells are separated by commas, not by semicolons" if semicolons else ""
            bad.add(line, name, f"the column is missing{hint}")
    for name in dict.fromkeys(names):
        if name not in columns:
            bad.add(line, name[:40], f"there is no such column; there are {', '.join(columns)}")
        elif names.count(name) > 1:
            bad.add(line, name, "the column is there twice")
    return names if bad.count == before else []


def _text_lines(source: Source, bad: BadRows) -> Iterator[str]:
    for number, raw in source.lines(bad):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as wrong:
            bad.add(number, "row", f"byte {wrong.start + 1} is not UTF-8; save the file as UTF-8")
            text = ""
        if number == 1:
            text = text.removeprefix(_BYTE_ORDER_MARK)
        if "\0" in text:
            bad.add(number, "row", "it contains a NUL character")
            text = ""
        yield f"{text}\n"
