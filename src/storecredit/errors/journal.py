"""
What can be wrong with a journal or with the storage that keeps it.

    MisuseError
        StorageUnusable         not a database of this library, of a newer version, or read-only
        ImportRefused           a file that cannot be imported; every bad row is named
        JournalBroken           an entry that does not follow from those before it
    ConflictError
        ConcurrentChange        somebody else appended to the account first
        StorageBusy             a lock was not to be had in time
        StorageUnavailable      the engine failed: full disk, lost connection
"""

from __future__ import annotations

from typing import ClassVar, final

import attrs

from storecredit.errors._branches import ConflictError, MisuseError

__all__ = [
    "BadRow",
    "ConcurrentChange",
    "ImportRefused",
    "JournalBroken",
    "StorageBusy",
    "StorageUnavailable",
    "StorageUnusable",
]


@final
@attrs.define
class JournalBroken(MisuseError):
    """An entry does not follow from those before it, or the state from the entries (A14, S6)."""

    account_id: str
    sequence: int
    problem: str

    def __str__(self) -> str:
        return (
            f"Entry {self.sequence} of account {self.account_id} is broken: {self.problem}. "
            "The journal was changed around the library; restore it from a backup or an export."
        )


@final
@attrs.define
class StorageUnusable(MisuseError):
    """The storage cannot serve this library as it is."""

    storage: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"Cannot use {self.storage}: {self.problem}. {self.advice}"


@final
@attrs.define
class BadRow:
    """One row of a file that cannot be imported."""

    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.problem.rstrip('.')}"


@final
@attrs.define
class ImportRefused(MisuseError):
    """A file has rows that cannot be imported; nothing of it was (S9)."""

    source: str
    rows: tuple[BadRow, ...]
    """The bad rows, the first thousand at most."""
    count: int
    """How many there are in all."""

    def __str__(self) -> str:
        shown = "; ".join(str(row) for row in self.rows[:5])
        more = f"; and {self.count - 5} more" if self.count > 5 else ""
        return f"{self.source} was not imported: {shown}{more}. Nothing was changed."


@final
@attrs.define
class ConcurrentChange(ConflictError):
    """The account moved on between loading and appending (S2)."""

    account_id: str
    expected: int

    def __str__(self) -> str:
        return (
            f"Account {self.account_id} is no longer at version {self.expected}: somebody else "
            "changed it first. Load it again and repeat the command with the same key."
        )


@final
@attrs.define
class StorageBusy(ConflictError):
    """Another process kept the storage locked for longer than the timeout."""

    retryable: ClassVar[bool] = False

    storage: str
    waited: str

    def __str__(self) -> str:
        return (
            f"{self.storage} stayed locked for {self.waited}. Nothing was changed; repeat the "
            "command with the same key."
        )


@final
@attrs.define
class StorageUnavailable(ConflictError):
    """The engine could not do its work: a full disk, an input or output error."""

    retryable: ClassVar[bool] = False

    storage: str
    problem: str

    def __str__(self) -> str:
        return (
            f"{self.storage} could not be written or read: {self.problem}. Nothing was changed; "
            "repeat the command with the same key once that is mended."
        )
