"""MariaDB of a test's own, from the system's packages."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import ClassVar

import sqlalchemy as sa

from .databases import Databases
from .machine import EngineMissing, own_folder, program
from .server import Durability, Server


class MariaDB(Server):
    """
    A MariaDB server in a temporary folder, on loopback and on a socket in the folder.

    It reads no option file. Anybody on this machine may log in as its superuser `root`.
    """

    name: ClassVar[str] = "MariaDB"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    end_signal: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, *, durability: Durability = Durability.KILL, more_ports: int = 0) -> None:
        self.daemon = daemon()
        super().__init__(durability=durability, more_ports=more_ports)
        own_folder(self.data)
        self.databases = Databases(
            sa.URL.create(
                "mariadb+pymysql",
                username="root",
                host=self.host,
                port=self.port,
                query={"charset": "utf8mb4"},
            )
        )

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    def install(self) -> None:
        """Make the system tables."""
        installer = program("mariadb-install-db")
        if installer is None:
            raise EngineMissing(f"no mariadb-install-db beside {self.daemon}")
        self.run(
            str(installer),
            "--no-defaults",
            f"--datadir={self.data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        )

    def command(self) -> list[str]:
        """Say how the server is started."""
        settings = {
            "datadir": self.data,
            "socket": self.folder / "socket",
            "pid-file": self.folder / "pid",
            "port": self.port,
            "bind-address": self.host,
            # As Debian's packages set it.
            "character-set-server": "utf8mb4",
        }
        if self.durability is Durability.KILL:
            settings |= {
                "innodb-flush-log-at-trx-commit": 2,
                "innodb-buffer-pool-size": "64M",
                "innodb-log-file-size": "32M",
            }
        # A --no-defaults has to come first.
        return [
            str(self.daemon),
            "--no-defaults",
            "--skip-name-resolve",
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def is_ready(self) -> bool:
        """Tell whether the server lets somebody in."""
        return self.databases.answers()

    def url(self, database: str) -> str:
        """Return the URL of a database, by TCP."""
        return self.databases.url_of(database)


def started_mariadb(*, durability: Durability = Durability.KILL) -> MariaDB:
    """
    Make a server and start it.

    Raises:
        EngineMissing: The machine has no MariaDB.
    """
    server = MariaDB(durability=durability)
    try:
        server.install()
        server.start()
    except BaseException:
        server.close()
        raise
    return server


def daemon() -> Path:
    """
    Find the server's program.

    Raises:
        EngineMissing: There is none.
    """
    found = program("mariadbd")
    if found is None:
        raise EngineMissing(
            "no MariaDB on this machine: no `mariadbd` (Debian's package mariadb-server), and"
            " STORECREDIT_TEST_URLS names none"
        )
    return found
