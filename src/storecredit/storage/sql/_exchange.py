"""One block's exchange with a server: how it begins, what was asked, what failed, how it ends."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, final

from storecredit.errors import StoreCreditError
from storecredit.storage.sql._engines import Frame
from storecredit.storage.sql._failures import Failure, Kind
from storecredit.storage.sql._wire import Answer, Step, Wire


class Explain(Protocol):
    """Says what a failure means to a caller."""

    def __call__(
        self, failure: Failure, step: Step | None, *, committing: bool
    ) -> StoreCreditError:
        """Say it of one *step*, or of all, and whether the commit was on its way."""
        ...


@final
class Exchange:
    """
    Statements of one block, in the frame of a transaction, a snapshot or a savepoint.

    The frame's opening goes out with the first statements; its end goes out with the last.
    """

    def __init__(
        self,
        wire: Wire,
        frame: Frame,
        explain: Explain,
        *,
        renew: Callable[[], Wire] | None = None,
    ) -> None:
        self.wire: Wire = wire
        self.spoiled: StoreCreditError | None = None
        """Why this block may not be committed any more."""
        self.lost: bool = False
        """Whether the connection is gone; those that idle beside it are as likely gone, too."""
        self._explain: Final = explain
        self._opening: tuple[Step, ...] = frame.opening
        self._closing: Final = frame.closing
        self._undoing: Final = frame.undoing
        self._renew = renew
        """Gives another connection, once, where a block may begin on one that was lost before."""
        self.begun = False

    def ask(self, steps: Sequence[Step]) -> list[Answer]:
        """
        Run *steps*, after whatever has to go before them.

        Raises:
            StoreCreditError: A step failed; the block is over, and can only be undone.
        """
        if self.spoiled is not None:
            raise self.spoiled
        opening = self._opening
        every = [*opening, *steps] if opening else steps
        self.begun = True
        try:
            answers = self._first(every) if opening else self._run(every)
        except Failure as failure:
            raise self._failed(failure, every[failure.step], committing=False) from None
        self._opening = ()
        return answers[len(opening) :] if opening else answers

    def finish(self, steps: Sequence[Step]) -> None:
        """
        Run *steps* and end the block for good.

        Raises:
            StoreCreditError: It did not come to that.
        """
        if self.spoiled is not None:
            raise self.spoiled
        if self.wire.at_once and any(step.needs is not None for step in steps):
            # Answers that have to be looked at before the commit hold it back.
            self.ask(steps)
            steps = ()
        if not (self.begun or steps):
            return
        every = [*self._opening, *steps, *self._closing]
        self.begun = True
        try:
            self._run(every)
        except Failure as failure:
            step = every[failure.step]
            # Where everything was sent at once, the commit may be done though its answer is lost.
            committing = self.wire.at_once or step in self._closing
            raise self._failed(failure, step, committing=committing) from None

    def undo(self) -> bool:
        """Undo the block, and tell whether the connection is fit for another."""
        if self.wire.broken:
            return False
        if not self.begun:
            return True
        try:
            self.wire.run(self._undoing)
        except Failure:
            # Even the answer to that may be an error; then nobody knows what is left.
            return False
        return not self.wire.broken

    def _first(self, every: Sequence[Step]) -> list[Answer]:
        """Run the first steps of a block; on another connection, if this was lost while it idled."""
        try:
            return self._run(every)
        except Failure as failure:
            renew, self._renew = self._renew, None
            if failure.kind is not Kind.LOST or renew is None:
                raise
            self.wire = renew()
            return self._run(every)

    def _run(self, every: Sequence[Step]) -> list[Answer]:
        """Run the next steps; once more, if the first of a block only met a forgetful server."""
        try:
            return self.wire.run(every)
        except Failure as failure:
            # A host's driver throws prepared statements away whenever it rolls back. Nothing of
            # this block is done yet: nobody has to hear of it, and no host has to begin anew.
            if failure.kind is Kind.STALE and self._opening and self.undo():
                return self.wire.run(every)
            raise

    def _failed(self, failure: Failure, step: Step | None, *, committing: bool) -> StoreCreditError:
        self.lost = self.lost or failure.kind is Kind.LOST
        self.spoiled = explained = self._explain(failure, step, committing=committing)
        return explained
