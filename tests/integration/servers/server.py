"""A database server that belongs to a test: it can be stopped, killed and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from .machine import Account, free_ports, new_address, new_folder

KEEPER = Path(__file__).with_name("keeper.py")
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 60.0
SECONDS_BETWEEN_LOOKS = 0.02


class ServerFailed(Exception):
    """A server did not do what it was told; the text ends with its log."""


class Durability(Enum):
    """What acknowledged writes survive."""

    KILL = "kill"
    """The death of the server's processes: written to the system, not flushed to the disk."""

    POWER_CUT = "power cut"
    """The death of the machine: the engine's default settings, for figures that mean something."""


class Server(ABC):
    """
    One server process with a folder, a loopback address, a port and a log of its own.

    It ends with the process that has started it, even if that one is killed.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    """Ends the server in order."""
    end_signal: ClassVar[signal.Signals]
    """Ends the server at once."""

    def __init__(self, *, durability: Durability = Durability.KILL, more_ports: int = 0) -> None:
        self.durability = durability
        self.folder = new_folder(self.name, on_disk=durability is Durability.POWER_CUT)
        self.host = new_address()
        self.port, *self.more_ports = free_ports(self.host, 1 + more_ports)
        self.log_file = self.folder / "log"
        self._keeper: subprocess.Popen[str] | None = None
        self._pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    @abstractmethod
    def data(self) -> Path:
        """The folder of the server's data."""

    @abstractmethod
    def command(self) -> list[str]:
        """Say how the server is started."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether the server answers."""

    @property
    def pid(self) -> int:
        """The server's process; that of its last run if it does not run."""
        return self._pid

    @property
    def is_running(self) -> bool:
        """Whether the server's process is there; it need not answer yet."""
        return self._keeper is not None and self._keeper.poll() is None

    def start(self) -> None:
        """Start the server on its data, and wait until it answers."""
        self.launch()
        self.wait_until(self.is_ready, "ready")

    def launch(self, *more: str) -> None:
        """Start the server, with *more* arguments, and do not wait."""
        if self.is_running:
            raise ServerFailed(f"{self.name} runs already, as process {self._pid}.")
        account = Account.for_servers()
        with self.log_file.open("ab") as log:
            self._keeper = subprocess.Popen(
                # Without the environment's packages: nothing else is loaded, nothing measured.
                [
                    *(sys.executable, "-I", "-S", str(KEEPER), str(os.getpid())),
                    f"{account.uid}:{account.gid}" if account else "-",
                    *(str(int(self.end_signal)), str(self.folder), *self.command(), *more),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment(),
                # Ctrl-C is for the tests, which stop the server in their own time.
                start_new_session=True,
                text=True,
            )
        assert self._keeper.stdout is not None
        with self._keeper.stdout as told:
            self._pid = int(told.readline() or 0)
        if not self._pid:
            raise ServerFailed(f"{self.name} cannot be run: {self.command()}\n{self.log()}")

    def wait_until(
        self, condition: Callable[[], bool], what: str, *, seconds: float = SECONDS_TO_START
    ) -> None:
        """Wait until the condition holds while the server runs."""
        end = time.monotonic() + seconds
        while not condition():
            if not self.is_running:
                raise ServerFailed(f"{self.name} ended before it was {what}.\n{self.log()}")
            if time.monotonic() > end:
                raise ServerFailed(f"{self.name} is not {what} after {seconds} s.\n{self.log()}")
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def wait_until_ended(self, *, seconds: float = SECONDS_TO_STOP) -> None:
        """Wait until the server has ended by itself, and all that it has started."""
        if self._keeper is not None:
            self._keeper.wait(seconds)

    def stop(self) -> None:
        """Stop the server in order, with all data written."""
        self._end_with(self.stop_signal)

    def kill(self) -> None:
        """Kill the server and all its processes, as the system would: with no warning."""
        self._end_with(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same data and port after `kill` or `stop`, or stop first."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server at once and delete its folder."""
        self._end_with(self.end_signal)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self, *, after: int = 0) -> str:
        """Return what the server has logged after so many bytes."""
        if not self.log_file.exists():
            return ""
        with self.log_file.open("rb") as log:
            log.seek(after)
            return log.read().decode(errors="replace")

    def log_size(self) -> int:
        """Return how many bytes the server has logged."""
        return self.log_file.stat().st_size if self.log_file.exists() else 0

    def run(self, *command: str) -> str:
        """Run a program of the engine as the server's account; return all that it prints."""
        account = Account.for_servers()
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment(),
            cwd=self.folder,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(f"{command} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """Return the environment without what would change how the engine behaves."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "MYSQL", "MARIADB", "LC_", "LANG"))
        }
        return {**kept, "TMPDIR": str(self.folder), "HOME": str(self.folder), "LC_ALL": "C"}

    def _end_with(self, how: signal.Signals) -> None:
        if self._keeper is None:
            return
        if self._keeper.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(self._pid, how)
        try:
            self._keeper.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.kill(self._pid, signal.SIGKILL)
            self._keeper.wait()
            raise ServerFailed(
                f"{self.name} did not end within {SECONDS_TO_STOP} s of {how.name}.\n{self.log()}"
            ) from None
        finally:
            self._keeper = None
