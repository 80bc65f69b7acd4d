"""The storage contract, on the adapter for databases: each engine, in tables of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine

from storecredit.storage.sql import SQLStorage, create
from storecredit.testing import StorageContract

if TYPE_CHECKING:
    from storecredit.storage import Storage


class _Tables:
    """New tables on one database for each storage, told apart by their prefix."""

    _numbers = count(1)

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        self.options = options
        self.engines: list[Engine] = []
        self.prefix = ""

    def engine(self) -> Engine:
        self.engines.append(create_engine(self.url, **self.options))
        return self.engines[-1]

    def new(self) -> SQLStorage:
        self.prefix = f"c{next(self._numbers)}_"
        engine = self.engine()
        create(engine, prefix=self.prefix)
        return SQLStorage(engine, prefix=self.prefix)

    def again(self) -> SQLStorage:
        return SQLStorage(self.engine(), prefix=self.prefix)

    def close(self) -> None:
        for engine in self.engines:
            engine.dispose()
        self.engines.clear()


class _OnTables(StorageContract):
    tables: _Tables

    def make_storage(self) -> SQLStorage:
        return self.tables.new()

    def reopen(self, storage: Storage) -> SQLStorage:  # noqa: ARG002 - it is the newest one
        self.tables.close()
        return self.tables.again()


@pytest.fixture(scope="module")
def postgres_module_url(postgres_databases: Any) -> Iterator[str]:
    with postgres_databases.fresh() as url:
        yield url


@pytest.fixture(scope="module")
def mariadb_module_url(mariadb_databases: Any) -> Iterator[str]:
    with mariadb_databases.fresh() as url:
        yield url


class TestSQLStorageOnPostgreSQL(_OnTables):
    @pytest.fixture(autouse=True)
    def _on_a_server(self, postgres_module_url: str) -> Iterator[None]:
        with ExitStack() as ending:
            self.tables = _Tables(postgres_module_url, pool_size=10)
            ending.callback(self.tables.close)
            yield


class TestSQLStorageOnMariaDB(_OnTables):
    @pytest.fixture(autouse=True)
    def _on_a_server(self, mariadb_module_url: str) -> Iterator[None]:
        with ExitStack() as ending:
            self.tables = _Tables(mariadb_module_url, pool_size=10)
            ending.callback(self.tables.close)
            yield


class TestSQLStorageOnSQLite(_OnTables):
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path) -> Iterator[None]:
        with ExitStack() as ending:
            self.tables = _Tables(f"sqlite:///{tmp_path}/shop.db")
            ending.callback(self.tables.close)
            yield
