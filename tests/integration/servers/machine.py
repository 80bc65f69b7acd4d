"""What this machine offers a server: programs, free ports, folders, an account without rights."""

from __future__ import annotations

import errno
import os
import pwd
import random
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import attrs

# Below the ports that systems lend to outgoing connections: while a server is down for a restart,
# nobody else is given its port.
PORTS = range(15_000, 32_000)
FOLDERS_OF_PROGRAMS = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/sbin")
# In this order: what TMPDIR says may be closed to other accounts, or be in memory.
TEMPORARY = (Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp"))
FILE_SYSTEMS_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class EngineMissing(Exception):
    """An engine cannot be run here; the text says what to install, or what to name."""


@attrs.frozen
class Account:
    """Whom a server runs as; database servers refuse to run as root."""

    uid: int
    gid: int

    @classmethod
    def for_servers(cls) -> Account | None:
        """Return the account that owns nothing when this is root; otherwise None: one's own."""
        if os.geteuid() != 0:
            return None
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)


def program(name: str) -> Path | None:
    """Find a program on PATH or in a folder for servers, which PATH often leaves out."""
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(FOLDERS_OF_PROGRAMS))
    return Path(found) if found else None


def new_folder(kind: str, *, on_disk: bool = False) -> Path:
    """
    Make a folder that the servers' account owns and can reach.

    With *on_disk* it is never in memory, so that what is flushed costs what it costs in a shop.
    """
    account = Account.for_servers()
    for place in TEMPORARY:
        if not place.is_dir() or (account and not open_to_others(place)):
            continue
        if on_disk and is_in_memory(place):
            continue
        folder = Path(tempfile.mkdtemp(prefix=f"storecredit-{kind}-", dir=place))
        if account:
            os.chown(folder, account.uid, account.gid)
        return folder
    raise EngineMissing(
        f"no folder for a server's data: none of {', '.join(map(str, TEMPORARY))} is"
        f" {'on a disk and ' if on_disk else ''}open to other accounts. Set TMPDIR to one that is."
    )


def open_to_others(path: Path) -> bool:
    """Tell whether an account without rights can reach and read the path."""
    whole = path.resolve()
    return bool(whole.stat().st_mode & 0o004) and all(
        folder.stat().st_mode & 0o001 for folder in whole.parents
    )


def is_in_memory(path: Path) -> bool:
    """Tell whether the file system of the path is kept in memory; False where nothing tells."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return False
    kinds = {}
    for line in mounts.read_text().splitlines():
        _, place, kind, *_ = line.split()
        kinds[Path(place)] = kind
    whole = path.resolve()
    nearest = next(place for place in (whole, *whole.parents) if place in kinds)
    return kinds[nearest] in FILE_SYSTEMS_IN_MEMORY


def own_folder(folder: Path) -> Path:
    """Make a folder that belongs to whom its parent belongs to."""
    folder.mkdir()
    owner = folder.parent.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    return folder


def new_address() -> str:
    """
    Choose a loopback address for one server.

    Where all of 127.0.0.0/8 is loopback, servers of tests that run at the same time never get in
    each other's way, though none holds all its ports all the time.
    """
    if sys.platform != "linux":
        return "127.0.0.1"
    return "127." + ".".join(str(random.randint(1, 254)) for _ in range(3))


def free_ports(address: str, count: int) -> list[int]:
    """Find ports of the address on which nothing listens."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(PORTS)
        if port not in ports and is_free(address, port):
            ports.append(port)
    return ports


def is_free(address: str, port: int) -> bool:
    """Tell whether a server could listen there."""
    with socket.socket() as probe:
        # As servers do: connections that are still fading away do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
