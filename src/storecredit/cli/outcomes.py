"""Outcomes: how a command ends, as an exit status and a message, never as a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn, final

import typer

from storecredit.cli.printing import warn
from storecredit.errors import ConflictError, MisuseError, PolicyInvalid, RefusalError


@final
class Status(IntEnum):
    """The exit statuses of every command."""

    OK = 0
    REFUSED = 1
    """The call was sound and the answer is no: tell the customer. Nothing has changed."""
    MISUSED = 2
    """Wrong arguments, an unreadable file, something missing: fix the call."""
    CONFLICT = 3
    """Busy or broken storage, or books that do not verify."""
    INTERRUPTED = 130
    """Stopped with Ctrl-C."""


@contextmanager
def reporting() -> Iterator[None]:
    """Turn what the library raises into a message on stderr and an exit status."""
    try:
        yield
    except RefusalError as refusal:
        stop(Status.REFUSED, str(refusal))
    except ConflictError as conflict:
        stop(Status.CONFLICT, str(conflict))
    except PolicyInvalid as invalid:
        # A line for each problem; what stands in a line is escaped like all data.
        stop(Status.MISUSED, *str(invalid).split("\n"))
    except MisuseError as misuse:
        stop(Status.MISUSED, str(misuse))
    except BrokenPipeError:
        # Whoever read our output has gone, which is no fault; the shell's own status says so.
        raise
    except OSError as error:
        stop(Status.MISUSED, f"Cannot use {error.filename or 'a file'}: {error.strerror or error}.")
    except KeyboardInterrupt:
        stop(Status.INTERRUPTED, "Stopped. What was done is kept; the same command goes on.")


def stop(status: Status, *message: str) -> NoReturn:
    """End the command with *status* after telling why, line by line."""
    for line in message:
        warn(line)
    raise typer.Exit(int(status))
