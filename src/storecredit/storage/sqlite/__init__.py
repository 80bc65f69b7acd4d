"""Storage in one SQLite file, with the standard library alone."""

from storecredit.storage.sqlite.storage import SQLiteStorage, Synchronous

__all__ = ["SQLiteStorage", "Synchronous"]
