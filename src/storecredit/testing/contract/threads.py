"""Threads for duties: started beside the test, and never waited for without end."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

A_MOMENT: Final = 0.25
"""Seconds to give a thread that may have to wait; whether it had to is left open."""
LONG: Final = 60
"""Seconds after which a thread that has not ended hangs for good."""


def beside(work: Callable[[], Any]) -> Future[Any]:
    """Begin *work* in a thread, and return its answer to come."""
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is asked for
            answer.set_exception(error)

    # A daemon, so that a thread that hangs fails its duty and does not keep pytest from ending.
    threading.Thread(target=run, daemon=True).start()
    return answer


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Begin all *works* at the same moment, and return what each returned, or the error it raised."""
    gate = threading.Barrier(len(works))

    def behind_the_gate(work: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            gate.wait(LONG)
            return work()

        return run

    answers = [beside(behind_the_gate(work)) for work in works]
    return [answer.exception(LONG) or answer.result() for answer in answers]


def wait_a_moment(answer: Future[Any]) -> None:
    """Give a thread time to end, if nothing keeps it waiting."""
    try:
        answer.exception(A_MOMENT)
    except TimeoutError:
        return
