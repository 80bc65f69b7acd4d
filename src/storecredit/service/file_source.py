"""Sources: a file or stream read line by line within limits, and what was wrong with it (S9)."""

import io
import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, TextIO, final

import attrs

from storecredit.errors import BadRow, ImportRefused, InvalidTerms

AnySource = str | os.PathLike[str] | BinaryIO | TextIO
"""A path, or a stream of bytes or text that is open for reading."""

_CHUNK: Final = 1 << 16
_MIB: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31
_MOST_NAMED: Final = 1000


@final
@attrs.frozen(kw_only=True)
class ImportLimits:
    """
    How much of a file an import is willing to read; more is refused, not read (S9).

    Raises:
        InvalidTerms: A limit is no whole number from 1 up.
    """

    line_bytes: int = 64 * _MIB
    """The longest line; also what the import keeps in memory at a time."""
    field_characters: int = 64 * _MIB
    """The longest text within a line."""
    lines: int = 1_000_000_000
    inflated_bytes: int = 1 << 40
    """The whole file, after gzip where it is compressed: what stops a gzip bomb."""
    depth: int = 100
    """How deep JSON data may nest."""

    def __attrs_post_init__(self) -> None:
        for name, limit in attrs.asdict(self).items():
            if type(limit) is not int or limit < 1:
                raise InvalidTerms(f"limits.{name}", limit, "a whole number from 1 up")


JOURNAL_LIMITS: Final = ImportLimits()
"""For files that this library wrote: one entry may move very many lots."""

BALANCE_LIMITS: Final = ImportLimits(
    line_bytes=_MIB // 16, field_characters=4_000, lines=1_000_001, inflated_bytes=512 * _MIB
)
"""For files that people wrote: a million rows after the header."""


class BadCell(ValueError):
    """One value of a row that cannot be read; the reader of the file knows the line."""

    def __init__(self, column: str, problem: str) -> None:
        super().__init__(column, problem)
        self.column: Final = column
        self.problem: Final = problem


@final
class BadRows:
    """Every bad row of a file: the first thousand by name, all of them by number."""

    def __init__(self) -> None:
        self.rows: Final[list[BadRow]] = []
        self.count: int = 0

    def add(self, line: int, column: str, problem: str) -> None:
        """Note that *column* of *line*, counted from 1, is bad."""
        self.count += 1
        if len(self.rows) < _MOST_NAMED:
            self.rows.append(BadRow(line, column, problem))

    def refuse(self, source: str) -> None:
        """
        Refuse the file if anything in it was bad.

        Raises:
            ImportRefused: Naming every bad row.
        """
        if self.count:
            raise ImportRefused(source, tuple(self.rows), self.count)


@final
class Source:
    """A file or stream to import. A path, or a stream that can seek, is read again on demand."""

    def __init__(self, source: AnySource, limits: ImportLimits) -> None:
        self.limits: Final = limits
        self._path: Final = Path(source) if isinstance(source, str | os.PathLike) else None
        self._stream: Final = None if isinstance(source, str | os.PathLike) else _bytes_of(source)
        name = self._path or getattr(source, "name", None)
        self.name: Final = str(name) if isinstance(name, str | Path) else "the stream"
        self._start: Final = _position(self._stream)
        self.ended_early: bool = False
        """Whether reading stopped for a problem that was noted."""

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be read from its start again."""
        return self._path is not None or self._start is not None

    def lines(self, bad: BadRows) -> Iterator[tuple[int, bytes]]:
        """
        Yield each line, without its end, with its number from 1 on; gzip is inflated.

        What cannot be read, or goes beyond the limits, is noted in *bad*, and ends the lines.

        Raises:
            OSError: The path cannot be opened.
        """
        self.ended_early = False
        if self._path is not None:
            with self._path.open("rb") as opened:
                yield from self._lines(opened, bad)
        elif self._stream is not None:
            if self._start is not None:
                self._stream.seek(self._start)
            yield from self._lines(self._stream, bad)

    def _lines(self, stream: BinaryIO | TextIO, bad: BadRows) -> Iterator[tuple[int, bytes]]:
        number = total = 0
        limits = self.limits
        rest: list[bytes] = []
        try:
            for chunk in _inflated(_chunks(stream)):
                total += len(chunk)
                if total > limits.inflated_bytes:
                    raise _Unreadable(f"the file is larger than {limits.inflated_bytes} bytes")
                first, *more = chunk.split(b"\n")
                rest.append(first)
                _check_length(sum(map(len, rest)), limits)
                for begun in more:
                    _check_number(number + 1, limits)
                    number += 1
                    yield number, b"".join(rest)
                    rest = [begun]
                    _check_length(len(begun), limits)
            if any(rest):
                _check_number(number + 1, limits)
                yield number + 1, b"".join(rest)
        except _Unreadable as unreadable:
            self.ended_early = True
            bad.add(number + 1, "file", str(unreadable))


class _Unreadable(Exception):
    """Nothing beyond this line can be read."""


def _check_number(number: int, limits: ImportLimits) -> None:
    if number > limits.lines:
        raise _Unreadable(f"the file has more than {limits.lines} lines")


def _check_length(length: int, limits: ImportLimits) -> None:
    if length > limits.line_bytes:
        raise _Unreadable(f"the line is longer than {limits.line_bytes} bytes")


def _bytes_of(stream: BinaryIO | TextIO) -> BinaryIO | TextIO:
    """Return the bytes below a stream of text, where there are any."""
    if isinstance(stream, io.TextIOWrapper):
        binary: BinaryIO = stream.buffer
        return binary
    return stream


def _position(stream: BinaryIO | TextIO | None) -> int | None:
    try:
        return stream.tell() if stream is not None and stream.seekable() else None
    except (AttributeError, OSError):
        return None


def _chunks(stream: BinaryIO | TextIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        if isinstance(chunk, str):
            try:
                chunk = chunk.encode()
            except UnicodeEncodeError:
                raise _Unreadable("it contains a lone surrogate, which is no text") from None
        yield chunk


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield *chunks* as they are, or inflated where the first begins like a gzip file."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(_GZIP):
            break
    if not first.startswith(_GZIP):
        if first:
            yield first
        yield from chunks
        return
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    for packed in itertools.chain([first], chunks):
        rest = packed
        while rest:
            if inflate.eof:  # another member may follow, or zeros that pad to a block
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                inflate = zlib.decompressobj(_GZIP_WINDOW)
            try:
                yield inflate.decompress(rest, _CHUNK)
            except zlib.error:
                raise _Unreadable("the gzip data is damaged") from None
            rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if not inflate.eof:
        raise _Unreadable("the gzip data ends in the middle")
