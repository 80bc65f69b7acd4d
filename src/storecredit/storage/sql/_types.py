"""Column types that every engine keeps and compares exactly, whatever its own habits are (A18)."""

from typing import Any, Final, final

from sqlalchemy import BigInteger, Dialect, LargeBinary, String, Text
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

MYSQL_NAMES: Final = frozenset({"mysql", "mariadb"})
"""How SQLAlchemy names the dialects of MySQL and MariaDB; either may meet either server."""


def is_mariadb(dialect: Dialect) -> bool:
    """Tell whether the server is a MariaDB, which the name of the dialect alone does not say."""
    return dialect.name == "mariadb" or bool(getattr(dialect, "is_mariadb", False))


def _exact_collation(dialect: Dialect) -> str:
    # Neither folds case or accents, nor takes trailing spaces for nothing, as others do.
    return "utf8mb4_nopad_bin" if is_mariadb(dialect) else "utf8mb4_0900_bin"


@final
class Exact(TypeDecorator[str]):
    """Text up to a length, equal only where every code point is, and ordered by code points."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length: Final = length

    def __repr__(self) -> str:
        return f"Exact({self.length})"

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type of the engine."""
        if dialect.name == "postgresql":
            return postgresql.VARCHAR(self.length, collation="C")
        if dialect.name in MYSQL_NAMES:
            return mysql.VARCHAR(
                self.length, charset="utf8mb4", collation=_exact_collation(dialect)
            )
        return String(self.length)


@final
class Document(TypeDecorator[str]):
    """Text of any length that comes back byte by byte: canonical JSON is under a digest (A14)."""

    impl = Text
    cache_ok = True

    def __repr__(self) -> str:
        return "Document()"

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type of the engine."""
        if dialect.name == "postgresql":
            return postgresql.TEXT(collation="C")
        if dialect.name in MYSQL_NAMES:
            return mysql.LONGTEXT(charset="utf8mb4", collation=_exact_collation(dialect))
        return Text()


@final
class Octets(TypeDecorator[bytes]):
    """A digest or an id: so many bytes, and no more."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length: Final = length

    def __repr__(self) -> str:
        return f"Octets({self.length})"

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type of the engine."""
        if dialect.name in MYSQL_NAMES:
            return mysql.VARBINARY(self.length)
        return LargeBinary()


@final
class Whole(TypeDecorator[int]):
    """A whole number of 64 bits, which SQLite keeps in any column of an integer kind."""

    impl = BigInteger
    cache_ok = True

    def __repr__(self) -> str:
        return "Whole()"
