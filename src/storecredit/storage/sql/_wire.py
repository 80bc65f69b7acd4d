"""The wire: statements go out, rows and counts come back, in as few round trips as it allows."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol, final

from sqlalchemy import Dialect

from storecredit.storage.sql._compiled import Statement
from storecredit.storage.sql._failures import Failure, Kind, kind_of
from storecredit.storage.sql._rows import Row


class Step(NamedTuple):
    """One statement to run, and whose entry, wallet or record it is about."""

    statement: Statement
    parameters: Row = ()
    about: tuple[str, int] | None = None
    """The id and the version that a conflict over it would name."""
    needs: int | None = None
    """How many rows it has to change; anything else is a conflict."""


class Answer(NamedTuple):
    """What a step came to."""

    rows: list[Row]
    changed: int
    """How many rows it changed; -1 where the driver does not say."""


class Wire(Protocol):
    """One connection, for as long as a block has it."""

    broken: bool
    """Whether nobody can tell any more what state it is in."""
    trips: int
    """How often it has waited for the server."""
    at_once: bool
    """Whether all steps of a run are sent before the first of them is answered."""

    def run(self, steps: Sequence[Step]) -> list[Answer]:
        """
        Run *steps* in order, and stop at the first that fails.

        Raises:
            Failure: A step failed; those before it were done, those after it were not.
        """
        ...


@final
class OneByOne:
    """Any driver of SQLAlchemy's: each statement is a round trip of its own."""

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        self.broken = False
        self.trips = 0
        self.at_once = False
        self._connection: Final = connection
        self._dialect: Final = dialect
        self._errors: Final[type[Exception]] = dialect.loaded_dbapi.Error

    def run(self, steps: Sequence[Step]) -> list[Answer]:
        """Run *steps*, as `Wire.run` does."""
        answers = []
        for number, step in enumerate(steps):
            try:
                answers.append(self._one(step))
            except self._errors as error:
                kind = kind_of(error, self._dialect)
                self.broken = self.broken or kind is Kind.LOST
                raise Failure(kind, number) from None
            except BaseException:
                # Its answer may still be on the way, and would be taken for the next one's.
                self.broken = True
                raise
            if step.needs is not None and answers[-1].changed != step.needs:
                raise Failure(Kind.MISSING, number)
        return answers

    def _one(self, step: Step) -> Answer:
        statement = step.statement
        cursor = self._connection.cursor()
        try:
            self.trips += 1
            if statement.placeholders:
                cursor.execute(statement.sql, statement.ordered(step.parameters))
            else:
                cursor.execute(statement.sql)
            if statement.reads:
                return Answer(list(cursor.fetchall()), -1)
            if getattr(cursor, "statusmessage", None) == "ROLLBACK" and statement.sql == "COMMIT":
                # A commit of what had failed before: some drivers pass over that in silence.
                raise Failure(Kind.BEATEN, 0)
            return Answer([], cursor.rowcount)
        finally:
            cursor.close()
