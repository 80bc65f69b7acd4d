"""Codes of guests where nobody hears that a commit went through (A15, S5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from returns_desk import Returns

from storecredit.claims import ClaimState
from storecredit.storage import MemoryStorage
from storecredit.storage.sql import TransactionInterrupted


class Unheard:
    """A storage whose next commit goes through, and says that nobody knows."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.storage = storage
        self.struck = False

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.storage.transaction() as work:
            yield work
        if not self.struck:
            self.struck = True
            raise TransactionInterrupted("shop", "the connection was lost", may_be_done=True)

    def snapshot(self) -> Any:
        return self.storage.snapshot()

    def close(self) -> None:
        self.storage.close()


def test_a15_a_code_whose_commit_was_not_heard_of_is_shown_all_the_same() -> None:
    memory = MemoryStorage()
    returns = Returns(memory, codes=True)
    returns.inspected(holder=None)
    unheard: Any = Unheard(memory)
    case = returns.at(unheard).refund_case("r-1")
    case.complete(key="done")
    assert unheard.struck
    assert case.code is not None
    (claim,) = returns.credit.codes(state=ClaimState.OPEN)
    claimed = returns.credit.claim(str(case.code.code), "c-18", key="mine", caller="web")
    assert (claimed.id, case.code.id) == (claim.id, claim.id)
    # It is shown this once: to whoever asked for it, and not to a repeat.
    case.complete(key="done")
    assert case.code is None


def test_a15_an_attempt_that_was_undone_has_made_no_code() -> None:
    memory = MemoryStorage()
    returns = Returns(memory, codes=True)
    returns.inspected(holder=None)
    case = returns.at(cast(Any, Undone(memory, returns))).refund_case("r-1")
    # It is undone, and by the time that it is tried again somebody else has completed the case.
    case.complete(key="done")
    assert case.code is None
    assert len(list(returns.credit.codes())) == 1


class Undone(Unheard):
    """A storage whose next commit fails, and where somebody else is faster then."""

    def __init__(self, storage: MemoryStorage, returns: Returns) -> None:
        super().__init__(storage)
        self.returns = returns

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        if self.struck:
            with self.storage.transaction() as work:
                yield work
            return
        self.struck = True
        try:
            with self.storage.transaction() as work:
                yield work
                raise _Undo
        except _Undo:
            self.returns.credit.refund_case("r-1").complete(key="done")
        raise TransactionInterrupted("shop", "the connection was lost", may_be_done=True)


class _Undo(Exception):
    """Undoes a transaction."""
