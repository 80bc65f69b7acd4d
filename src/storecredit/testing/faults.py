"""
A storage that fails where a test wants it to: before or after any step, at or after any commit.

Everything that a service asks of a storage is a step: to begin a transaction or a snapshot, each
method of the unit of work, each entry that a journal yields, and to commit. To put a fault at
every index, run the commands once to see the steps, then once again for each fault:

    seen = FaultyStorage(make_storage())
    run(seen)
    for fault in every_fault(seen.steps):
        storage = make_storage()
        try:
            run(FaultyStorage(storage, [fault]))
        except InjectedFault:
            ...  # nothing may be half done in `storage`, and the same keys may be used again
"""

import enum
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast, final

import attrs

from storecredit.storage.protocols import Reader, Storage, UnitOfWork

COMMIT: Final = "commit"
"""The name of the step that ends a transaction."""


@final
class FaultyStorage:
    """
    Any storage, with faults in it, and with a record of the steps that were asked of it.

    Args:
        storage: Where everything really goes.

        plan: The faults; none to see the steps only. Each strikes once.
    """

    def __init__(self, storage: Storage, plan: "Iterable[Fault]" = ()) -> None:
        self._storage: Final = storage
        self._watch: Final = _Watch(tuple(plan))

    @property
    def steps(self) -> "tuple[Step, ...]":
        """The steps begun so far, in order."""
        return tuple(self._watch.steps)

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        """Begin to write, as the storage does; what the plan names fails."""
        watch = self._watch
        begins = watch.before("transaction")
        with self._storage.transaction() as work:
            watch.after(begins)
            yield cast(UnitOfWork, _Watched(work, watch))
            # Raised inside of the block, so that the storage itself has to undo everything.
            commits = watch.before(COMMIT)
        watch.after(commits)

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Begin to read, as the storage does; what the plan names fails."""
        begins = self._watch.before("snapshot")
        with self._storage.snapshot() as reader:
            self._watch.after(begins)
            yield cast(Reader, _Watched(reader, self._watch))

    def close(self) -> None:
        """Close the storage; that never fails on purpose."""
        self._storage.close()


@final
class Mode(enum.StrEnum):
    """Where a fault strikes."""

    BEFORE = "before"
    """In place of the step, which is not done."""
    AFTER = "after"
    """When the step is done; whoever asked does not hear of it."""
    AT_COMMIT = "at commit"
    """In place of a commit: everything in the transaction has to be undone."""
    AFTER_COMMIT = "after commit"
    """When a commit has happened: everything is kept, and the answer is lost."""


@final
@attrs.frozen
class Step:
    """One thing that was asked of a storage."""

    number: int
    """From 1 on."""
    name: str
    """``transaction``, ``snapshot``, ``commit``, or the method of the unit of work."""

    def __str__(self) -> str:
        return f"step {self.number} ({self.name})"


@final
class InjectedFault(Exception):
    """A fault that a test has put into a storage; no part of the library raises it."""


def injected(step: Step, mode: Mode) -> BaseException:
    """Make the error that a fault raises unless another is chosen."""
    return InjectedFault(f"{mode} {step}")


@final
@attrs.frozen
class Fault:
    """
    One failure at one place.

    >>> from storecredit.errors import StorageBusy
    >>> busy = Fault(Mode.BEFORE, 3, lambda step, mode: StorageBusy("shop.db", "5 s"))
    >>> lost_answer = Fault(Mode.AFTER_COMMIT, 1)
    """

    mode: Mode
    number: int
    """Which step, from 1 on; at and after commits: which commit."""
    error: Callable[[Step, Mode], BaseException] = injected
    """Makes the error to raise: an adapter's own, or what a driver or a signal would raise."""


def every_fault(
    steps: Iterable[Step], *, error: Callable[[Step, Mode], BaseException] = injected
) -> Iterator[Fault]:
    """Yield, for each of the *steps* that a run has shown, the fault before it and after it."""
    commits = itertools.count(1)
    for step in steps:
        if step.name == COMMIT:
            commit = next(commits)
            yield Fault(Mode.AT_COMMIT, commit, error)
            yield Fault(Mode.AFTER_COMMIT, commit, error)
        else:
            yield Fault(Mode.BEFORE, step.number, error)
            yield Fault(Mode.AFTER, step.number, error)


@final
class _Watch:
    """Counts steps and commits, and raises what the plan has for them."""

    def __init__(self, plan: tuple[Fault, ...]) -> None:
        self.steps: Final[list[Step]] = []
        self._commits: Final[list[Step]] = []
        self._plan: Final = list(plan)
        self._lock: Final = threading.Lock()

    def before(self, name: str) -> Step:
        with self._lock:
            step = Step(len(self.steps) + 1, name)
            self.steps.append(step)
            if name == COMMIT:
                self._commits.append(step)
        self._strike(step, Mode.BEFORE, Mode.AT_COMMIT)
        return step

    def after(self, step: Step) -> None:
        self._strike(step, Mode.AFTER, Mode.AFTER_COMMIT)

    def _strike(self, step: Step, at_step: Mode, at_commit: Mode) -> None:
        with self._lock:
            struck = next(
                (fault for fault in self._plan if self._meets(fault, step, at_step, at_commit)),
                None,
            )
            if struck is not None:
                self._plan.remove(struck)
        if struck is not None:
            raise struck.error(step, struck.mode)

    def _meets(self, fault: Fault, step: Step, at_step: Mode, at_commit: Mode) -> bool:
        if fault.mode is at_step:
            return fault.number == step.number
        if fault.mode is at_commit and step.name == COMMIT:
            return self._commits.index(step) + 1 == fault.number
        return False


@final
class _Watched:
    """A unit of work or a reader whose every method is a step, those of a future protocol too."""

    def __init__(self, work: UnitOfWork | Reader, watch: _Watch) -> None:
        self._work: Final = work
        self._watch: Final = watch

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._work, name)

        def step(*args: Any, **named: Any) -> Any:
            begun = self._watch.before(name)
            answer = method(*args, **named)
            self._watch.after(begun)
            return self._each(name, answer) if isinstance(answer, Iterator) else answer

        return step

    def _each(self, name: str, found: Iterator[Any]) -> Iterator[Any]:
        for item in found:
            self._watch.after(self._watch.before(f"{name} entry"))
            yield item
