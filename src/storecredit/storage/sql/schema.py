"""
The tables, as SQLAlchemy metadata: a host's own migrations see them like its other tables (S8).

Every table of accounts begins with the shard key, which is the wallet, and has it in every unique
constraint; there is no sequence, no foreign key and no constraint that would have to look at
another shard (S10). Ids of lots, holds and entries are kept without the account's id before them.
"""

import re
from typing import Any, Final, final

import attrs
from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    UniqueConstraint,
    text,
)

from storecredit.errors import InvalidTerms
from storecredit.ledger import TOTALS
from storecredit.storage.sql._checks import bounded, conserved
from storecredit.storage.sql._triggers import guard_journal
from storecredit.storage.sql._types import Document, Exact, Octets, Whole

PREFIX: Final = "storecredit_"
"""What the names of all tables begin with, unless a host says otherwise."""

VERSION: Final = 1
"""The version of the tables that this library reads and writes; they keep it themselves."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_PREFIX: Final = 24
_LONGEST_SCHEMA: Final = 63

_WALLET: Final = 32
_UNIT: Final = 16
_INSTANT: Final = 32
_WORD: Final = 64
_ID: Final = 128
_TEXT: Final = 200


@final
@attrs.frozen(kw_only=True, eq=False)
class Tables:
    """All tables of one ledger, by what they keep."""

    prefix: str
    schema: str | None
    metadata: MetaData
    wallets: Table
    accounts: Table
    lots: Table
    holds: Table
    restored: Table
    entries: Table
    private: Table
    records: Table
    references: Table
    waiting: Table
    places: Table
    counter: Table
    meta: Table

    @property
    def every(self) -> tuple[Table, ...]:
        """All of them."""
        return (
            *(self.wallets, self.accounts, self.lots, self.holds, self.restored, self.entries),
            *(self.private, self.records, self.references),
            *(self.waiting, self.places, self.counter, self.meta),
        )


def tables(
    *, prefix: str = PREFIX, schema: str | None = None, metadata: MetaData | None = None
) -> Tables:
    """
    Return the tables, in *metadata* where a host gives its own.

    Args:
        prefix: What the name of each table, index and constraint begins with.

        schema: The schema, or the database, that they are in; None for the connection's own.

        metadata: A host's metadata, so that its migrations see the tables.

    Raises:
        InvalidTerms: Prefix or schema cannot be part of a name on every engine.
    """
    _require_name("prefix", prefix, _LONGEST_PREFIX)
    if schema is not None:
        _require_name("schema", schema, _LONGEST_SCHEMA)
    into = MetaData() if metadata is None else metadata
    made = _Maker(prefix, schema, into)
    found = Tables(
        prefix=prefix,
        schema=schema,
        metadata=into,
        wallets=_wallets(made),
        accounts=_accounts(made),
        lots=_lots(made),
        holds=_holds(made),
        restored=_restored(made),
        entries=_entries(made),
        private=_private(made),
        records=_records(made),
        references=_references(made),
        waiting=_waiting(made),
        places=_places(made),
        counter=_counter(made),
        meta=_meta(made),
    )
    guard_journal(found.entries, found.private)
    return found


def _require_name(field: str, name: object, longest: int) -> None:
    if not (isinstance(name, str) and _NAME.fullmatch(name) and len(name) <= longest):
        wanted = f"a small letter, then up to {longest - 1} of a-z, 0-9 and _"
        raise InvalidTerms(field, name, wanted)


@final
@attrs.frozen
class _Maker:
    """Makes tables and indexes whose names carry the prefix."""

    prefix: str
    schema: str | None
    metadata: MetaData

    def table(self, name: str, key: tuple[str, ...], *parts: Any) -> Table:
        full = f"{self.prefix}{name}"
        primary = PrimaryKeyConstraint(*key, name=f"{full}_pkey")
        # What InnoDB would do otherwise depends on the age of the server.
        return Table(
            full,
            self.metadata,
            *parts,
            primary,
            schema=self.schema,
            mysql_engine="InnoDB",
            mariadb_engine="InnoDB",
            mysql_row_format="DYNAMIC",
            mariadb_row_format="DYNAMIC",
        )

    def index(self, name: str, *columns: str, where: str | None = None) -> Index:
        partial = {} if where is None else _partial(where)
        return Index(f"{self.prefix}{name}", *columns, **partial)

    def named(self, name: str) -> str:
        return f"{self.prefix}{name}"


def _partial(where: str) -> dict[str, Any]:
    """Keep rows out of an index that *where* excludes; engines that cannot lead it by a column."""
    return {"postgresql_where": text(where), "sqlite_where": text(where)}


def _text(name: str, length: int, *, nullable: bool = False) -> Column[str]:
    return Column(name, Exact(length), nullable=nullable)


def _document(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Document(), nullable=nullable)


def _octets(name: str, length: int) -> Column[bytes]:
    return Column(name, Octets(length), nullable=False)


def _whole(name: str) -> Column[int]:
    return Column(name, Whole(), nullable=False, autoincrement=False)


def _small(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False, autoincrement=False)


def _xact() -> Column[int]:
    """Declare the number of the transaction that the feed goes by; 0 where it does not (S7)."""
    return Column(
        "feed_xact", Whole(), nullable=False, autoincrement=False, server_default=text("0")
    )


def _account_key() -> tuple[Column[str], Column[str]]:
    return _text("wallet", _WALLET), _text("unit", _UNIT)


def _wallets(made: _Maker) -> Table:
    return made.table(
        "wallets",
        ("merchant", "holder"),
        _text("merchant", _TEXT),
        _text("holder", _TEXT),
        _text("id", _WALLET),
        _text("merged_into", _WALLET, nullable=True),
        made.index("wallets_by_id", "id"),
    )


def _accounts(made: _Maker) -> Table:
    """Declare the state of each account, as its journal leads to it."""
    name = made.named("accounts")
    return made.table(
        "accounts",
        ("wallet", "unit"),
        *_account_key(),
        _small("digits"),
        _whole("version"),
        _octets("head", 32),
        _text("last_at", _INSTANT),
        *(_whole(total) for total in TOTALS),
        _text("status", _WORD),
        _text("credit_limit", _WORD, nullable=True),
        _document("spenders", nullable=True),
        _text("merged_into", _ID, nullable=True),
        _xact(),
        CheckConstraint("digits BETWEEN 0 AND 9 AND version >= 1", name=f"{name}_numbers"),
        bounded(name, *TOTALS),
        CheckConstraint(
            "held <= balance AND owed_incurred - owed_settled - owed_reversed >= 0",
            name=f"{name}_nested",
        ),
        conserved(name),
    )


def _lots(made: _Maker) -> Table:
    name = made.named("lots")
    return made.table(
        "lots",
        ("wallet", "unit", "id"),
        *_account_key(),
        _octets("id", 16),
        _whole("sequence"),
        _text("issued_at", _INSTANT),
        _text("funding", _WORD),
        _text("effective_at", _INSTANT),
        _text("expires_at", _INSTANT, nullable=True),
        _whole("priority"),
        _document("limits", nullable=True),
        _document("paid", nullable=True),
        _text("origin", _ID, nullable=True),
        *(_whole(amount) for amount in ("amount", "remaining", "held", "expired", "revoked")),
        _text("state", _WORD),
        _small("is_open"),
        # Of the lots that one entry has created, which: rows come back in the order they went in.
        _whole("place"),
        CheckConstraint(
            "0 <= held AND held <= remaining AND remaining <= amount AND expired >= 0"
            " AND revoked >= 0 AND is_open = CASE WHEN remaining > 0 THEN 1 ELSE 0 END",
            name=f"{name}_nested",
        ),
        # What is spent and over drops out of these, so they do not grow with history (S3).
        made.index("lots_open", "wallet", "unit", "is_open", where="is_open = 1"),
        made.index(
            *("lots_due", "is_open", "expires_at", "wallet", "unit"),
            where="is_open = 1 AND expires_at IS NOT NULL",
        ),
    )


def _holds(made: _Maker) -> Table:
    name = made.named("holds")
    return made.table(
        "holds",
        ("wallet", "unit", "id"),
        *_account_key(),
        _octets("id", 16),
        _text("placed_at", _INSTANT),
        _text("lapses_at", _INSTANT),
        _text("reference", _TEXT, nullable=True),
        _text("status", _WORD),
        _document("draws"),
        _whole("captured"),
        # Which of the account's holds, counted by entries or by holds.
        _whole("place"),
        CheckConstraint("captured >= 0", name=f"{name}_captured"),
        made.index("holds_active", "wallet", "unit", "status", where="status = 'active'"),
        made.index(
            *("holds_lapsing", "status", "lapses_at", "wallet", "unit"),
            where="status = 'active'",
        ),
    )


def _restored(made: _Maker) -> Table:
    name = made.named("restored")
    return made.table(
        "restored",
        ("wallet", "unit", "redemption", "move"),
        *_account_key(),
        _text("redemption", _ID),
        _whole("move"),
        _whole("amount"),
        CheckConstraint("move >= 0 AND amount >= 0", name=f"{name}_amounts"),
    )


def _entries(made: _Maker) -> Table:
    """Declare the journal: everything else about accounts can be rebuilt from it."""
    name = made.named("entries")
    return made.table(
        "entries",
        ("wallet", "unit", "sequence"),
        *_account_key(),
        _whole("sequence"),
        _octets("id", 16),
        _text("key", _TEXT),
        _document("body"),
        _octets("digest", 32),
        _xact(),
        UniqueConstraint("wallet", "unit", "key", name=f"{name}_key"),
        CheckConstraint("sequence >= 1", name=f"{name}_sequence"),
        made.index("entries_by_id", "wallet", "unit", "id"),
        made.index("entries_fed", "feed_xact", "wallet", "unit", "sequence").ddl_if("postgresql"),
    )


def _private(made: _Maker) -> Table:
    """Declare private fields of entries, and the salts of the commitments to them (A14)."""
    return made.table(
        "private",
        ("wallet", "unit", "sequence", "field"),
        *_account_key(),
        _whole("sequence"),
        _text("field", _WORD),
        _text("salt", _WORD),
        _document("value"),
    )


def _records(made: _Maker) -> Table:
    """Declare everything that is not an account (S11)."""
    name = made.named("records")
    return made.table(
        "records",
        ("merchant", "kind", "id"),
        _text("merchant", _TEXT),
        _text("kind", _WORD),
        _text("id", _TEXT),
        _whole("version"),
        _document("body"),
        CheckConstraint("version >= 1", name=f"{name}_version"),
    )


def _references(made: _Maker) -> Table:
    return made.table(
        "record_references",
        ("merchant", "kind", "id", "name"),
        _text("merchant", _TEXT),
        _text("kind", _WORD),
        _text("id", _TEXT),
        _text("name", _WORD),
        _text("value", _TEXT),
        made.index("records_by_reference", "merchant", "kind", "name", "value", "id"),
    )


def _waiting(made: _Maker) -> Table:
    """Declare the entries that wait for a place in the feed, where readers give the places (S7)."""
    return made.table(
        "feed_waiting",
        ("wallet", "unit", "sequence"),
        *_account_key(),
        _whole("sequence"),
        _text("merchant", _TEXT),
        _small("digits"),
    )


def _places(made: _Maker) -> Table:
    """Declare the places that entries were given; only readers of the feed touch them (S7)."""
    name = made.named("feed_places")
    return made.table(
        "feed_places",
        ("place",),
        _whole("place"),
        *_account_key(),
        _whole("sequence"),
        _text("merchant", _TEXT),
        _small("digits"),
        UniqueConstraint("wallet", "unit", "sequence", name=f"{name}_entry"),
    )


def _counter(made: _Maker) -> Table:
    """Declare the last place that was given, which readers lock (S7)."""
    return made.table("feed_counter", ("name",), _text("name", _WORD), _whole("place"))


def _meta(made: _Maker) -> Table:
    """Declare what is kept about the tables themselves: their version, the way of their feed."""
    return made.table("meta", ("name",), _text("name", _WORD), _text("value", _TEXT))
