"""
Two at once, without a race: at every point of one step, somebody else's happens in between.

PostgreSQL shows each statement what is committed by then, so what a step has read may be old when
it reads on, locks or writes. Here one step is begun again and again, and each time the other one
is taken, as a whole, one point later; where it would wait for a lock, it comes afterwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import sqlalchemy as sa

from crowd.claims import RULES
from storecredit import StoreCredit
from storecredit.errors import ConflictError, StoreCreditError
from storecredit.ledger import Merchant
from storecredit.storage.protocols import Storage
from storecredit.storage.sql import SQLStorage, create

Act = Callable[[StoreCredit], Any]
WAITS = {"connect_args": {"options": "-c lock_timeout=40ms"}}
"""Whoever waits for a lock of the step that is interrupted would wait for ever."""
_names = itertools.count(1)


@attrs.define
class Answer:
    """What one of the two was told: what it returned, or what refused it."""

    value: Any = None
    refused: str | None = None

    @classmethod
    def of(cls, act: Act, credit: StoreCredit) -> Answer:
        try:
            return cls(value=act(credit))
        except StoreCreditError as refused:
            if isinstance(refused, ConflictError) and refused.retryable:
                raise
            return cls(refused=type(refused).__name__)


class Between:
    """A storage on which, at one point of a transaction, something else happens first."""

    def __init__(self, storage: SQLStorage, place: int, first: Callable[[], object]) -> None:
        self.storage = storage
        self.place = place
        self.first = first
        self.passed = 0

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.storage.transaction() as work:
            yield WorkBetween(work, self)
            self.point()

    def snapshot(self) -> Any:
        return self.storage.snapshot()

    def close(self) -> None:
        self.storage.close()

    def point(self) -> None:
        self.passed += 1
        if self.passed == self.place:
            self.first()


class WorkBetween:
    """A unit of work; the other one may come before each call."""

    def __init__(self, work: Any, between: Between) -> None:
        self._work = work
        self._between = between

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._work, name)

        def call(*args: Any, **named: Any) -> Any:
            self._between.point()
            return method(*args, **named)

        return call


@attrs.define
class Two:
    """The engine, and the services of both."""

    engine: sa.Engine
    impatient: sa.Engine
    merchant: Merchant

    def at(self, storage: Storage, **more: Any) -> StoreCredit:
        return StoreCredit(storage, self.merchant, claims=RULES, **more)

    @property
    def credit(self) -> StoreCredit:
        return self.at(SQLStorage(self.engine))

    def meet(self, scene: Callable[[StoreCredit, str], Scene]) -> list[tuple[Answer, Answer]]:
        """Let ours be taken again and again, with theirs one point later each time."""
        told = []
        for place in itertools.count(1):
            name = str(next(_names))
            meeting = scene(self.credit, name)
            theirs: list[Answer] = []

            def first(meeting: Scene = meeting, theirs: list[Answer] = theirs) -> None:
                quick = self.at(SQLStorage(self.impatient), attempts=1)
                try:
                    theirs.append(Answer.of(meeting.theirs, quick))
                except ConflictError:
                    # It has to wait for ours.
                    return

            between: Any = Between(SQLStorage(self.engine), place, first)
            ours = Answer.of(meeting.ours, self.at(between, sleep=lambda _: None))
            if not theirs:
                theirs.append(Answer.of(meeting.theirs, self.credit))
            try:
                meeting.check(self.credit, ours, theirs[0])
            except AssertionError as error:
                error.add_note(f"theirs came at point {place}: {ours}, {theirs[0]}")
                raise
            told.append((ours, theirs[0]))
            if between.passed < place:
                return told
        raise AssertionError("unreachable")


@attrs.define
class Scene:
    """One pair of steps, and what has to be true after both."""

    ours: Act
    theirs: Act
    check: Callable[[StoreCredit, Answer, Answer], None]


@contextmanager
def two_at(databases: Any) -> Iterator[Two]:
    """Lend a database of PostgreSQL to both."""
    with databases.fresh() as url:
        engine, impatient = sa.create_engine(url), sa.create_engine(url, **WAITS)
        create(engine)
        yield Two(engine, impatient, Merchant(id="acme"))
        engine.dispose()
        impatient.dispose()
