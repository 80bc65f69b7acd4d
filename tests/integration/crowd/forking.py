"""
A crowd: processes that begin at the same moment, forked from one that has everything loaded.

The tests' own process has threads and connections, which no fork survives. So this file is also
a program, which waits for tasks on its standard input:

    python forking.py

A task names a function of `crowd.tasks` and gives each process its arguments. Each is a process
of its own from then on: its connections, its caches and its death are its own, too.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SECONDS_OF_A_TASK = 180
READY = b"."
STDIN = 0


class Crowd:
    """The tests' end: gives tasks to processes, and gets what they return."""

    def __init__(self) -> None:
        self._forker = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._forker.stdin is not None
        assert self._forker.stdout is not None
        # Whoever still works is told to end by the end of the forker's input.
        self._forker.stdin.close()
        self._forker.stdout.close()
        self._forker.wait(SECONDS_OF_A_TASK)

    def run(self, task: str, each: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Run a task with the arguments of each process; return what each has returned."""
        self.start(task, each)
        return self.finish()

    def start(self, task: str, each: Sequence[Mapping[str, Any]]) -> list[int]:
        """Let processes begin, all at the same moment, and return their ids."""
        assert self._forker.stdin is not None
        self._forker.stdin.write(json.dumps([task, [dict(one) for one in each]]) + "\n")
        self._forker.stdin.flush()
        pids: list[int] = self._told()
        return pids

    def finish(self) -> list[Any]:
        """Wait for the processes; return what each has returned, None for one that was killed."""
        told = self._told()
        failed = [each["failed"] for each in told if each is not None and "failed" in each]
        assert not failed, "\n".join(failed)
        return [None if each is None else each["returned"] for each in told]

    def _told(self) -> Any:
        assert self._forker.stdout is not None
        line = self._forker.stdout.readline()
        assert line, "the process that forks all others has ended"
        return json.loads(line)


def fork_until_the_input_ends() -> None:
    """Carry out one task after the other."""
    from crowd.clients import Client
    from crowd.tasks import TASKS

    experienced: list[Any] = []
    for line in sys.stdin:
        name, each = json.loads(line)
        for client in [arguments["client"] for arguments in each if "client" in arguments]:
            place = {**client, "merchant": ""}
            if place not in experienced:
                experienced.append(place)
                Client(**client).practise()
        children = [Child(TASKS[name], arguments) for arguments in each]
        for child in children:
            child.wait_until_ready()
        for child in children:
            child.go()
        tell([child.pid for child in children])
        tell(answers_of(children))


def answers_of(children: Sequence[Child]) -> list[Any]:
    """Collect what the children return; end them if the tests have gone, or have lost patience."""
    end = time.monotonic() + SECONDS_OF_A_TASK
    waiting = {child.answering: child for child in children}
    while waiting:
        ready: list[int] = select.select([*waiting, STDIN], [], [], 1.0)[0]
        for each in ready:
            if each != STDIN and not waiting[each].read():
                del waiting[each]
        if STDIN in ready or time.monotonic() > end:
            # Nothing is asked while a task is under way: it is the end of the input.
            for child in children:
                child.kill()
            sys.exit("the tests have gone, or a task took too long")
    return [child.end() for child in children]


class Child:
    """One process of a task, seen from the one that has forked it."""

    def __init__(self, task: Any, arguments: dict[str, Any]) -> None:
        gate, self.opening = os.pipe()
        self.answering, answer = os.pipe()
        self.said = b""
        self.pid = os.fork()
        if not self.pid:
            os.close(self.opening)
            os.close(self.answering)
            work_as_child(task, arguments, gate, answer)
        os.close(gate)
        os.close(answer)

    def wait_until_ready(self) -> None:
        """Wait until it stands at the gate, or has failed on the way there."""
        self.said = os.read(self.answering, 1)

    def go(self) -> None:
        """Open the gate; it is not enough to close it, as others have it open, too."""
        os.write(self.opening, b"!")
        os.close(self.opening)

    def read(self) -> bool:
        """Read what it says; tell whether there will be more."""
        more = os.read(self.answering, 65536)
        self.said += more
        return bool(more)

    def kill(self) -> None:
        """Kill it."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> Any:
        """Return what it has answered; None if it was killed before."""
        os.close(self.answering)
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            return None
        return json.loads(self.said.lstrip(READY))


def work_as_child(task: Any, arguments: dict[str, Any], gate: int, answer: int) -> None:
    """Do one process's part of a task, and end."""

    def ready() -> None:
        os.write(answer, READY)
        os.read(gate, 1)

    try:
        told = {"returned": task(ready, **arguments)}
    except BaseException:  # noqa: BLE001 - whatever ends a process is told
        told = {"failed": traceback.format_exc()}
    said = json.dumps(told).encode()
    if "failed" in told:
        # It may never have stood at the gate, where it is waited for.
        said = READY + said
    while said:
        said = said[os.write(answer, said) :]
    os._exit(0)


def tell(what: Any) -> None:
    """Tell the tests."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    fork_until_the_input_ends()
