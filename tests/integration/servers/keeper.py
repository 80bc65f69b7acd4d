"""
Runs one server and outlives nobody: when the process that asked for it is gone, so is the server.

A program of its own, so that it works when that process was killed and could clean up nothing:

    python keeper.py PARENT ACCOUNT FAREWELL FOLDER COMMAND...

PARENT is the process to watch; ACCOUNT is `uid:gid` to run the server as, or `-` for one's own;
FAREWELL is the number of the signal that ends the server at once; FOLDER is deleted when PARENT
dies. It prints the server's process id. Once the server has ended, for whatever reason, all that
it has started is ended too, and the keeper ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SECONDS_TO_SAY_FAREWELL = 3.0
SECONDS_BETWEEN_LOOKS = 0.2
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> int:
    """Keep the server until it ends, or until the parent is gone."""
    parent, account, farewell, folder, *command = arguments
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    on_linux_control_process(PR_SET_CHILD_SUBREAPER, 1)
    uid, _, gid = account.partition(":")
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        cwd=folder,
        process_group=0,
        user=int(uid) if gid else None,
        group=int(gid) if gid else None,
        extra_groups=[] if gid else None,
        # Should the keeper itself be killed.
        preexec_fn=lambda: on_linux_control_process(  # noqa: PLW1509 - no thread runs here
            PR_SET_PDEATHSIG, signal.SIGKILL
        ),
    )
    try:
        print(server.pid, flush=True)
        while server.poll() is None and os.getppid() == int(parent):
            if select.select([woken], [], [], SECONDS_BETWEEN_LOOKS)[0]:
                os.read(woken, 4096)
        return 0
    finally:
        orphaned = os.getppid() != int(parent)
        end(server, signal.Signals(int(farewell)))
        if orphaned:
            shutil.rmtree(folder, ignore_errors=True)


def end(server: subprocess.Popen[bytes], farewell: signal.Signals) -> None:
    """End the server, then whatever it has started and left behind."""
    if server.poll() is None:
        server.send_signal(farewell)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(SECONDS_TO_SAY_FAREWELL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, signal.SIGKILL)
    while children := children_of(os.getpid()):
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)
    server.poll()


def children_of(pid: int) -> list[int]:
    """Find the children of a process, orphans it has inherited included; none without /proc."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            # The program's name, in brackets, may hold anything; the parent comes second after it.
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
    return found


def on_linux_control_process(option: int, value: int) -> None:
    """Set an option of this process that only Linux has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
