"""Targets: a file that appears whole or not at all, or a stream that somebody else opened."""

import gzip
import io
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

AnyTarget = str | os.PathLike[str] | BinaryIO | TextIO
"""A path, or a stream of bytes or text that is open for writing."""

Write = Callable[[str], object]


@contextmanager
def writing(target: AnyTarget) -> Iterator[Write]:
    """
    Open *target* and give what writes text to it: UTF-8, line ends as they are.

    A path that ends in ``.gz`` is compressed. A file takes its name only when everything is on
    the disk, so that a broken export never looks like a whole one. A stream is left open.

    Raises:
        OSError: The target cannot be written.
    """
    if not isinstance(target, str | os.PathLike):
        yield _writer(target)
        return
    path = Path(os.path.realpath(target))
    if path.exists() and not path.is_file():  # a pipe or a terminal has no name to take
        with path.open("wb") as device:
            yield _encoder(device)
        return
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            if path.suffix == ".gz":
                # No name and no time inside: equal ledgers make equal files.
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:
                    yield _encoder(zipped)
            else:
                yield _encoder(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _encoder(file: io.BufferedIOBase) -> Write:
    return lambda text: file.write(text.encode())


def _writer(stream: BinaryIO | TextIO) -> Write:
    """Find out whether *stream* takes text or bytes by writing nothing to it."""
    try:
        cast("TextIO", stream).write("")
    except TypeError:
        binary = cast("BinaryIO", stream)
        return lambda text: binary.write(text.encode())
    return cast("TextIO", stream).write
