"""
Three MariaDB servers on loopback that Galera makes one database with three writers.

In tests/integration, `python -m servers.galera` starts a cluster, prints its URLs and takes
commands, such as `kill 2` and `rejoin 2`, until its input ends.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import attrs
import sqlalchemy as sa

from .machine import EngineMissing, program
from .mariadb import MariaDB
from .server import SECONDS_TO_START, ServerFailed

NODES = 3
PROVIDERS = tuple(
    Path(folder) / "libgalera_smm.so"
    for folder in ("/usr/lib/galera", "/usr/lib64/galera-4", "/usr/lib/galera-4", "/usr/lib")
)


@attrs.frozen
class Position:
    """The last write that a node has kept: the number that it has in the cluster's history."""

    history: str
    number: int


class Node(MariaDB):
    """One server of a cluster; its data come from the others when it joins them."""

    name: ClassVar[str] = "Galera"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    end_signal: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, number: int) -> None:
        self.number = number
        self.provider = provider()
        super().__init__(more_ports=3)
        self.group_port, self.increment_port, self.transfer_port = self.more_ports
        self.group: Sequence[Node] = ()

    @property
    def address(self) -> str:
        """Where the other nodes find this one."""
        return f"{self.host}:{self.group_port}"

    def command(self) -> list[str]:
        """Say how the node is started."""
        provider_options = {
            "gmcast.listen_addr": f"tcp://{self.address}",
            "ist.recv_addr": f"{self.host}:{self.increment_port}",
            "gcache.size": "32M",
        }
        settings = {
            "wsrep-on": "ON",
            "wsrep-provider": self.provider,
            "wsrep-cluster-name": "storecredit",
            "wsrep-cluster-address": "gcomm://" + ",".join(node.address for node in self.group),
            "wsrep-node-address": self.address,
            "wsrep-node-name": f"node-{self.number}",
            "wsrep-sst-method": "rsync",
            "wsrep-sst-receive-address": f"{self.host}:{self.transfer_port}",
            "wsrep-provider-options": ";".join(f"{k}={v}" for k, v in provider_options.items()),
            "binlog-format": "ROW",
            "innodb-autoinc-lock-mode": 2,
        }
        return [*super().command(), *(f"--{name}={value}" for name, value in settings.items())]

    def is_ready(self, *, size: str | None = None) -> bool:
        """Tell whether the node has caught up and takes part, in a cluster of that size if given."""
        try:
            status = self.status()
        except sa.exc.OperationalError:
            return False
        takes_part = status["wsrep_ready"] == "ON"
        has_caught_up = status["wsrep_local_state_comment"] == "Synced"
        return takes_part and has_caught_up and size in {None, status["wsrep_cluster_size"]}

    def status(self) -> dict[str, str]:
        """Return what the node tells about the cluster."""
        rows = self.databases.run("SHOW GLOBAL STATUS LIKE 'wsrep_%'")
        return {str(name): str(value) for name, value in rows}

    def position(self) -> Position | None:
        """Find the last write that a node has kept which does not run; None if it is new."""
        if not (self.data / "grastate.dat").exists():
            return None
        before = self.log_size()
        self.launch("--wsrep-recover", "--skip-networking")
        self.wait_until_ended()
        told = self.log(after=before)
        found = told.rpartition("WSREP: Recovered position:")[2].split()
        if not found or ":" not in found[0]:
            raise ServerFailed(f"Node {self.number} does not tell its position.\n{told}")
        history, _, number = found[0].rpartition(":")
        return Position(history, int(number)) if int(number) >= 0 else None

    def bootstrap(self, position: Position | None) -> None:
        """Start the first node of a cluster; the others join it."""
        state = self.data / "grastate.dat"
        if state.exists():
            # Only a node that was stopped last is marked so; after a kill no node is.
            text = state.read_text()
            state.write_text(text.replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))
        self.launch("--wsrep-new-cluster", *starting_at(position))
        self.wait_until(self.is_ready, "synced")

    def rejoin(self, position: Position | None) -> None:
        """Start a node whose cluster runs, and wait until it has caught up with it."""
        self.launch(*starting_at(position))
        self.wait_until(self.is_ready, "synced")


def starting_at(position: Position | None) -> tuple[str, ...]:
    """Tell a node where it stands: it is sent the writes that it lacks, otherwise all data."""
    if position is None:
        return ()
    return (f"--wsrep-start-position={position.history}:{position.number}",)


class GaleraCluster:
    """Three nodes, numbered from 0. All take writes; what one has committed, the others get."""

    def __init__(self) -> None:
        self.nodes = tuple(Node(number) for number in range(NODES))
        for node in self.nodes:
            node.group = self.nodes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start all nodes, first the one that has kept most, and wait until they agree."""
        positions = [node.position() for node in self.nodes]
        kept = [position.number if position else -1 for position in positions]
        first, *others = sorted(range(NODES), key=kept.__getitem__, reverse=True)
        self.nodes[first].bootstrap(positions[first])
        for number in others:
            self.nodes[number].rejoin(positions[number])
        self.wait_until_synced()

    def kill(self, number: int) -> None:
        """Kill a node. The others notice after some seconds; until then writes wait."""
        self.nodes[number].kill()

    def rejoin(self, number: int) -> None:
        """Start a node that was killed or stopped, and wait until it has caught up."""
        if not self.running:
            raise ServerFailed("No node runs that one could join. start() starts all of them.")
        node = self.nodes[number]
        node.rejoin(node.position())

    def restore(self) -> None:
        """Bring back what tests have killed: afterwards all nodes run and agree."""
        if not self.running:
            self.start()
        for node in self.nodes:
            if not node.is_running:
                node.rejoin(node.position())
        self.wait_until_synced()

    def wait_until_synced(self, *, seconds: float = SECONDS_TO_START) -> None:
        """Wait until every running node has caught up, and sees as many nodes as there run."""
        size = str(len(self.running))
        for node in self.running:
            node.wait_until(
                partial(node.is_ready, size=size), f"synced in a cluster of {size}", seconds=seconds
            )

    @property
    def running(self) -> tuple[Node, ...]:
        """The nodes whose processes are there."""
        return tuple(node for node in self.nodes if node.is_running)

    def stop(self) -> None:
        """Stop all nodes in order; start() starts them again with their data."""
        for node in reversed(self.running):
            node.stop()

    def close(self) -> None:
        """End all nodes at once, and delete their data."""
        for node in self.nodes:
            node.close()

    @contextmanager
    def fresh_database(self) -> Iterator[tuple[str, ...]]:
        """Lend the URLs, one for each node, of a new database; drop it afterwards."""
        name = self.running[0].databases.create()
        try:
            yield self.urls(name)
        finally:
            self.running[0].databases.drop(name)

    def urls(self, database: str) -> tuple[str, ...]:
        """Return the URL of a database on each node, in the order of `nodes`."""
        return tuple(node.url(database) for node in self.nodes)


def started_cluster() -> GaleraCluster:
    """
    Make a cluster and start it.

    Raises:
        EngineMissing: The machine lacks a part of Galera.
    """
    cluster = GaleraCluster()
    try:
        cluster.nodes[0].install()
        cluster.start()
    except BaseException:
        cluster.close()
        raise
    return cluster


def provider() -> Path:
    """
    Find the library that replicates.

    Raises:
        EngineMissing: It is not there, or a program that moves data to a joining node.
    """
    found = next((path for path in PROVIDERS if path.exists()), None)
    lacking = [name for name in ("mariadbd", "wsrep_sst_rsync", "rsync") if program(name) is None]
    if found is None:
        lacking.append("libgalera_smm.so")
    if found is None or lacking:
        raise EngineMissing(
            f"no Galera on this machine: no {', no '.join(lacking)} (Debian's packages"
            " mariadb-server, galera-4 and rsync)"
        )
    return found


def attend() -> None:
    """Start a cluster and carry out the commands that come in, one a line."""
    with started_cluster() as cluster:
        for number, url in enumerate(cluster.urls("mysql")):
            sys.stdout.write(f"node {number}: {url}\n")
        sys.stdout.write("kill N, rejoin N, stop, start; the end of the input ends all\n")
        sys.stdout.flush()
        commands: dict[str, Callable[[list[int]], None]] = {
            "kill": lambda numbers: cluster.kill(*numbers),
            "rejoin": lambda numbers: cluster.rejoin(*numbers),
            "stop": lambda _: cluster.stop(),
            "start": lambda _: cluster.start(),
        }
        for line in sys.stdin:
            verb, *numbers = line.split() or [""]
            if verb in commands:
                commands[verb]([int(number) for number in numbers])
            sys.stdout.write(f"running: {[node.number for node in cluster.running]}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    attend()
