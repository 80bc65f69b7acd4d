"""Storage in a database that the host runs anyway: PostgreSQL, MariaDB, MySQL, SQLite."""

from storecredit.storage.sql.asynchronous import AsyncBind, AsyncSQLStorage
from storecredit.storage.sql.conflicts import HostTransactionConflict, TransactionInterrupted
from storecredit.storage.sql.opening import check, create, upgrade
from storecredit.storage.sql.schema import PREFIX, VERSION, Tables, tables
from storecredit.storage.sql.storage import Bind, SQLStorage

__all__ = [
    "PREFIX",
    "VERSION",
    "AsyncBind",
    "AsyncSQLStorage",
    "Bind",
    "HostTransactionConflict",
    "SQLStorage",
    "Tables",
    "TransactionInterrupted",
    "check",
    "create",
    "tables",
    "upgrade",
]
