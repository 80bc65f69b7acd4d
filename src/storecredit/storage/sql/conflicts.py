"""
Conflicts that only a server has.

    ConflictError
        TransactionInterrupted      the server undid a transaction, or its answer was lost
        HostTransactionConflict     the host's own transaction has to be run again, all of it
"""

from typing import ClassVar, final

import attrs

from storecredit.errors import ConflictError


@final
@attrs.define
class TransactionInterrupted(ConflictError):
    """The server undid the transaction, or nobody knows how it ended; repeating is safe (S4, S5)."""

    storage: str
    problem: str
    may_be_done: bool = False
    """Whether the commit was on its way, and nobody knows whether it was done."""

    def __str__(self) -> str:
        return (
            f"A transaction in {self.storage} did not come to an end: {self.problem}. Repeat the "
            "command with the same key: what was committed is answered, and not done twice."
        )


@final
@attrs.define
class HostTransactionConflict(ConflictError):
    """The host's transaction cannot go on as it is; the library neither repeats nor commits (S5)."""

    retryable: ClassVar[bool] = False

    storage: str
    problem: str

    def __str__(self) -> str:
        return (
            f"Your transaction in {self.storage} has met another one: {self.problem}. Roll it "
            "back, and run all of it again from its beginning, with the same keys."
        )
