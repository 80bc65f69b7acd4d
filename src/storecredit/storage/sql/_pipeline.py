"""The wire to PostgreSQL through psycopg 3: any number of statements in one round trip."""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, final

import attrs
from psycopg import Error, OperationalError, pq
from psycopg.waiting import Ready, Wait

from storecredit.storage.sql._compiled import Statement
from storecredit.storage.sql._failures import Failure, Kind, kind_of_state
from storecredit.storage.sql._rows import Row
from storecredit.storage.sql._wire import Answer, Step

_OK: Final = pq.ExecStatus.COMMAND_OK
_ROWS: Final = pq.ExecStatus.TUPLES_OK
_SYNC: Final = pq.ExecStatus.PIPELINE_SYNC
_SQLSTATE: Final = pq.DiagnosticField.SQLSTATE

_TEXT: Final = 0
_BINARY: Final = 1

_PREPARED: Final = "storecredit.prepared"
"""Where the pool keeps, beside a connection, which statements the server knows on it."""

_CANARY: Final = Step(Statement("SELECT 1", None, (), reads=True, placeholders=False))
"""A prepared statement that tells whether the others are still there."""


@final
@attrs.define(eq=False)
class _Prepared:
    """Which statements the server knows on one connection, and by which names."""

    numbers: set[int] = attrs.field(factory=set)
    times_forgotten: int = 0

    def name(self, statement: Statement) -> bytes:
        return b"storecredit_%d_%d" % (self.times_forgotten, statement.number)

    def forget(self) -> None:
        """Begin anew, with new names: some of the statements may still be there."""
        self.numbers.clear()
        self.times_forgotten += 1


def _whole(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _text(data: bytes) -> str:
    return str(data, "utf-8")


_DECODERS: Final[Mapping[int, Callable[[bytes], Any]]] = MappingProxyType(
    {17: bytes, 20: _whole, 21: _whole, 23: _whole, 25: _text, 1042: _text, 1043: _text}
)
"""By the number of the type: bytea, bigint, smallint, integer, text, char, varchar."""


@final
class Pipelined:
    """
    A psycopg connection, spoken to through libpq itself.

    Its cursors cost more time than a round trip to a server nearby. Rows come back in binary, and
    become the three sorts of values that the tables have: whole numbers, texts and bytes.

    Args:
        connection: Psycopg's own, synchronous or not.

        info: What the pool keeps beside it.

        wait: Runs an exchange on it to its end.

        prepares: Whether statements may be prepared. The driver deallocates them behind our back
            when a host rolls back; finding that out is an error, which a block survives only if
            it begins with something that can be undone.
    """

    def __init__(
        self,
        connection: Any,
        info: dict[Any, Any],
        wait: Callable[[Any], Any],
        *,
        prepares: bool = True,
    ) -> None:
        self.broken = False
        self.trips = 0
        self.at_once = True
        self._wait: Final = wait
        self._server: Final[pq.abc.PGconn] = connection.pgconn
        self._keeps: Final = prepares and connection.prepare_threshold is not None
        """Where a host forbids to prepare, a pooler may be on the way that would mix it up."""
        known = info.get(_PREPARED)
        if known is None:
            known = info[_PREPARED] = _Prepared()
        self._prepared: Final[_Prepared] = known

    def run(self, steps: Sequence[Step]) -> list[Answer]:
        """Run *steps*, as `Wire.run` does, in one round trip."""
        if self._keeps and not self.trips:
            place = self._place_of_canary(steps)
            if place is not None:
                return self._run_with_canary(steps, place)
        return self._run(steps)

    def _place_of_canary(self, steps: Sequence[Step]) -> int | None:
        """
        Return where to look whether prepared statements are there, before any is relied on.

        Where a block begins with one, that one tells. None stands for that, and for a block that
        only ends something.
        """
        numbers, place = self._prepared.numbers, None
        for at, step in enumerate(steps):
            if step.statement.prepares:
                if step.statement.number in numbers:
                    return None
                place = at if place is None else place
        return place

    def _run_with_canary(self, steps: Sequence[Step], place: int) -> list[Answer]:
        try:
            answers = self._run([*steps[:place], _CANARY, *steps[place:]])
        except Failure as failure:
            raise Failure(failure.kind, failure.step - (failure.step > place)) from None
        return answers[:place] + answers[place + 1 :]

    def _run(self, steps: Sequence[Step]) -> list[Answer]:
        self.trips += 1
        sent: list[int] = []
        try:
            results = self._wait(self._exchange(steps, sent))
        except Error:
            self.broken = True
            raise Failure(Kind.LOST, 0) from None
        except BaseException:
            self.broken = True
            raise
        answers = self._answers(steps, iter(results), sent)
        for number, (step, answer) in enumerate(zip(steps, answers, strict=True)):
            if step.needs is not None and answer.changed != step.needs:
                raise Failure(Kind.MISSING, number)
        return answers

    def _exchange(
        self, steps: Sequence[Step], sent: list[int]
    ) -> Generator[Wait, Ready, list[pq.abc.PGresult]]:
        """Send all of *steps*, and wait for the result of each."""
        server = self._server
        server.enter_pipeline_mode()
        for step in steps:
            self._send(step, sent)
        server.pipeline_sync()
        while server.flush():
            ready = yield Wait.RW
            if ready & Ready.R:
                server.consume_input()
        results: list[pq.abc.PGresult] = []
        while True:
            while server.is_busy():
                yield Wait.R
                server.consume_input()
            result = server.get_result()
            if result is not None:
                if result.status == _SYNC:
                    break
                results.append(result)
            elif server.status != pq.ConnStatus.OK:
                raise OperationalError
        server.exit_pipeline_mode()
        return results

    def _answers(
        self, steps: Sequence[Step], results: Iterator[pq.abc.PGresult], sent: Collection[int]
    ) -> list[Answer]:
        """Read what *steps* came to; the first of them that failed has made all others fail."""
        answers: list[Answer] = []
        for number, step in enumerate(steps):
            statement, result = step.statement, next(results)
            if statement.number in sent and statement.number not in self._prepared.numbers:
                self._require_success(result, number)
                self._prepared.numbers.add(statement.number)
                result = next(results)
            if result.status == _ROWS:
                answers.append(Answer(_rows(statement, result), -1))
                continue
            self._require_success(result, number)
            if statement.sql == "COMMIT" and result.command_status != b"COMMIT":
                # The server answers the commit of a failed transaction by undoing it.
                raise Failure(Kind.BEATEN, number)
            answers.append(Answer([], result.command_tuples or 0))
        return answers

    def _require_success(self, result: pq.abc.PGresult, number: int) -> None:
        if result.status == _OK:
            return
        if self._server.status != pq.ConnStatus.OK:
            self.broken = True
            raise Failure(Kind.LOST, number)
        state = result.error_field(_SQLSTATE)
        kind = kind_of_state(None if state is None else state.decode())
        if kind is Kind.STALE:
            self._prepared.forget()
        raise Failure(kind, number)

    def _send(self, step: Step, sent: list[int]) -> None:
        """Send one statement; one that is not prepared yet is, and is noted in *sent*."""
        statement, server = step.statement, self._server
        parameters = statement.ordered(step.parameters)
        values = [_WRITERS[value.__class__](value) for value in parameters]
        formats = _formats(parameters) if statement.takes_bytes else None
        if not (self._keeps and statement.prepares):
            sql = statement.sql.encode()
            server.send_query_params(sql, values, None, formats, result_format=_BINARY)
            return
        name = self._prepared.name(statement)
        if statement.number not in self._prepared.numbers and statement.number not in sent:
            sent.append(statement.number)
            server.send_prepare(name, statement.sql.encode())
        server.send_query_prepared(name, values, formats, _BINARY)


def _formats(parameters: Row) -> list[int]:
    return [_BINARY if isinstance(value, bytes) else _TEXT for value in parameters]


class _Writers(dict[type, Callable[[Any], bytes | None]]):
    """By type, how libpq is given a value: bytes as they are, everything else as text."""

    def __missing__(self, kind: type) -> Callable[[Any], bytes | None]:
        """Write what is derived from text as text, and from whole numbers as those."""
        return str.encode if issubclass(kind, str) else _digits


def _digits(value: int) -> bytes:
    return b"%d" % value


def _as_it_is(value: bytes | None) -> bytes | None:
    return value


_WRITERS: Final = _Writers({str: str.encode, int: _digits, bytes: _as_it_is, type(None): _as_it_is})


def _rows(statement: Statement, result: pq.abc.PGresult) -> list[Row]:
    decoders = statement.decoders
    if decoders is None:
        kinds = [result.ftype(at) for at in range(result.nfields)]
        decoders = tuple((at, _DECODERS.get(kind, bytes)) for at, kind in enumerate(kinds))
        statement.decoders = decoders
    value = result.get_value
    return [
        tuple(
            [None if (data := value(line, at)) is None else decode(data) for at, decode in decoders]
        )
        for line in range(result.ntuples)
    ]
