"""The databases of one server, of the tests' own or named by a URL: one for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool


class Databases:
    """Makes and drops databases through a URL that may do so."""

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.is_postgresql = url.get_backend_name() == "postgresql"
        self._numbers = count(1)

    @contextmanager
    def fresh(self, *, like: str | None = None) -> Iterator[str]:
        """
        Lend the URL of a new database, and drop it afterwards, whoever is still connected.

        With *like*, on PostgreSQL, the new database is a copy of that one, to which nobody may be
        connected: tables that many tests need are made once.
        """
        name = self.create(like=like)
        try:
            yield self.url_of(name)
        finally:
            self.drop(name)

    def create(self, *, like: str | None = None) -> str:
        """Make a database, as a copy of *like* on PostgreSQL, and return its name."""
        # The process id, because many processes may share a server that a URL names.
        name = f"storecredit_test_{os.getpid()}_{next(self._numbers)}"
        if self.is_postgresql:
            self.run(f"CREATE DATABASE {name} TEMPLATE {like or 'template0'}")
        elif like is not None:
            raise NotImplementedError("Only PostgreSQL copies a database.")
        else:
            self.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return name

    def drop(self, name: str) -> None:
        """Drop a database; connections to it are ended first."""
        if self.is_postgresql:
            self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            return
        for (connection,) in self.run(
            f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"
        ):
            self.end(connection)
        self.run(f"DROP DATABASE IF EXISTS {name}")

    def end(self, connection: int) -> None:
        """
        End one connection from the server's side, in whatever it does.

        It is known by `pg_backend_pid()` or `CONNECTION_ID()`. One that is gone is no error.
        """
        if self.is_postgresql:
            self.run(f"SELECT pg_terminate_backend({connection:d})")
            return
        try:
            self.run(f"KILL CONNECTION {connection:d}")
        except sa.exc.OperationalError as error:
            no_such_thread = 1094
            if error.orig is None or error.orig.args[0] != no_such_thread:
                raise

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement outside of any transaction, on a connection of its own."""
        engine = sa.create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            result = connection.execute(sa.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    def answers(self) -> bool:
        """Tell whether the server lets somebody in."""
        try:
            self.run("SELECT 1")
        except sa.exc.OperationalError:
            return False
        return True

    def url_of(self, name: str) -> str:
        """Return the URL of a database."""
        return self.url.set(database=name).render_as_string(hide_password=False)
