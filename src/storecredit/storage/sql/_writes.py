"""The statements that write. The guards are in the statements (S2, S4)."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    CTE,
    Dialect,
    Insert,
    Table,
    case,
    delete,
    exists,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from storecredit.storage.sql._compiled import Statement, compiled
from storecredit.storage.sql._expressions import parameter
from storecredit.storage.sql._rows import ACCOUNT_COLUMNS, ENTRY_COLUMNS, HOLD_COLUMNS, LOT_COLUMNS
from storecredit.storage.sql._types import MYSQL_NAMES
from storecredit.storage.sql._wire import Step
from storecredit.storage.sql.schema import Tables

TERMS: Final = LOT_COLUMNS[3:9]
AMOUNTS: Final = LOT_COLUMNS[10:16]
_KEY: Final = ("wallet", "unit")
_RECORD: Final = ("merchant", "kind", "id")


class Writes:
    """What a transaction writes."""

    handed_on: tuple[str, ...] = ("wallet",)
    """What an entry takes from the row of its account."""
    given_last: tuple[str, ...] = ()
    """Parameters of a statement that adds an entry, after all others."""

    def __init__(self, tables: Tables, dialect: Dialect) -> None:
        self.tables: Final = tables
        self.dialect: Final = dialect
        self.joins: Final = dialect.name == "postgresql"
        """
        Whether an account and its entry are written by one statement, which fails as a whole
        where the account is not at the version before.
        """
        self._nexts: Final[dict[tuple[str, ...], Statement]] = {}
        self._nexts_with_entry: Final[dict[tuple[str, ...], Statement]] = {}

    def _make(self, element: Any, *names: str) -> Statement:
        return compiled(element, tuple(f"p_{name}" for name in names), self.dialect)

    def adds_account(self, step: Step) -> bool:
        """Tell whether *step* adds an account to a wallet."""
        made = vars(self)
        return step.statement in (made.get("first"), made.get("first_with_entry"))

    # Accounts and their entries

    @cached_property
    def first(self) -> Statement:
        """Add an account to a wallet that is there: unit, digits, `ACCOUNT_COLUMNS`, wallet."""
        return self._make(self._first(), "unit", "digits", *ACCOUNT_COLUMNS, "wallet")

    @cached_property
    def first_with_entry(self) -> Statement:
        """Do as `first`, and add the entry: its `ENTRY_COLUMNS`."""
        return self._first_and_entry()

    @cached_property
    def first_of_seen(self) -> Statement:
        """Do as `first` for a wallet that was there: where it is not found, it was merged since."""
        return self._make(self._first(), "unit", "digits", *ACCOUNT_COLUMNS, "wallet")

    @cached_property
    def first_of_seen_with_entry(self) -> Statement:
        """Do as `first_with_entry` for a wallet that was there."""
        return self._first_and_entry()

    def next(self, changed: tuple[str, ...]) -> Statement:
        """Move the *changed* columns of an account on: these, wallet, unit, the version before."""
        found = self._nexts.get(changed)
        if found is None:
            found = self._make(self._next(changed), *changed, *_KEY, "before")
            self._nexts[changed] = found
        return found

    def next_with_entry(self, changed: tuple[str, ...]) -> Statement:
        """Do as `next`, and add the entry: its `ENTRY_COLUMNS`."""
        found = self._nexts_with_entry.get(changed)
        if found is None:
            moved = self._next(changed).returning(*self._handed_on()).cte("moved")
            names = (*changed, *_KEY, "before", *ENTRY_COLUMNS, *self.given_last)
            found = self._make(self._entry_after(moved), *names)
            self._nexts_with_entry[changed] = found
        return found

    @cached_property
    def anew(self) -> Statement:
        """Replace the state of an account: `ACCOUNT_COLUMNS`, wallet, unit."""
        return self._make(
            self._update(self.tables.accounts, ACCOUNT_COLUMNS, _KEY), *ACCOUNT_COLUMNS, *_KEY
        )

    @cached_property
    def entry(self) -> Statement:
        """Add an entry: wallet, unit, `ENTRY_COLUMNS`."""
        return self._insert(self.tables.entries, *_KEY, *ENTRY_COLUMNS)

    def _first(self, **more: Any) -> Insert:
        accounts, wallets = self.tables.accounts, self.tables.wallets
        names = ("unit", "digits", *ACCOUNT_COLUMNS)
        given: Any = select(
            wallets.c.id, *(parameter(name, accounts.c[name]) for name in names), *more.values()
        ).where(wallets.c.id == parameter("wallet", wallets.c.id), wallets.c.merged_into.is_(None))
        # Whoever merges the wallet at the same time waits for this, or this finds it merged (A17).
        given = given.with_for_update(read=True)
        return insert(accounts).from_select(["wallet", *names, *more], given).inline()

    def _first_and_entry(self) -> Statement:
        opened = self._first().returning(*self._handed_on()).cte("opened")
        names = ("unit", "digits", *ACCOUNT_COLUMNS, "wallet", *ENTRY_COLUMNS, *self.given_last)
        return self._make(self._entry_after(opened), *names)

    def _next(self, changed: tuple[str, ...]) -> Any:
        accounts = self.tables.accounts
        return self._update(accounts, changed, _KEY).where(
            accounts.c.version == parameter("before", accounts.c.version)
        )

    def _entry_after(self, guard: CTE) -> Insert:
        """
        Insert an entry into the wallet that *guard* returns.

        Where it returns none, the account is not as it was thought to be; the entry then has no
        wallet, and the server refuses it, and with it everything that is in its pipeline.
        """
        entries = self.tables.entries
        values: dict[str, Any] = {
            name: parameter(name, entries.c[name]) for name in ("unit", *ENTRY_COLUMNS)
        }
        for name in self.handed_on:
            values[name] = select(guard.c[name]).scalar_subquery()
        return insert(entries).values(values).inline()

    def _handed_on(self) -> list[Any]:
        return [self.tables.accounts.c[name] for name in self.handed_on]

    # Private fields

    @cached_property
    def private(self) -> Statement:
        """Add a private field: wallet, unit, sequence, field, salt, value."""
        return self._insert(self.tables.private, *_KEY, "sequence", "field", "salt", "value")

    @cached_property
    def erase(self) -> Statement:
        """Erase a private field: wallet, unit, sequence, field."""
        return self._delete(self.tables.private, *_KEY, "sequence", "field")

    # Lots, holds, restored parts

    @cached_property
    def lot(self) -> Statement:
        """Add a lot: wallet, unit, `LOT_COLUMNS`, place."""
        return self._insert(self.tables.lots, *_KEY, *LOT_COLUMNS, "place")

    @cached_property
    def move_lot(self) -> Statement:
        """Replace amounts of a lot: `AMOUNTS`, is_open, wallet, unit, id."""
        names = (*AMOUNTS, "is_open")
        return self._make(self._update(self.tables.lots, names, (*_KEY, "id")), *names, *_KEY, "id")

    @cached_property
    def refile_lot(self) -> Statement:
        """Replace terms and amounts of a lot: `TERMS`, `AMOUNTS`, is_open, wallet, unit, id."""
        names = (*TERMS, *AMOUNTS, "is_open")
        return self._make(self._update(self.tables.lots, names, (*_KEY, "id")), *names, *_KEY, "id")

    @cached_property
    def hold(self) -> Statement:
        """Add a hold, or replace all but its place: wallet, unit, `HOLD_COLUMNS`, place."""
        return self._put(self.tables.holds, (*_KEY, "id", "place"), *_KEY, *HOLD_COLUMNS, "place")

    @cached_property
    def restored(self) -> Statement:
        """Add or replace a restored part: wallet, unit, redemption, move, amount."""
        key = (*_KEY, "redemption", "move")
        return self._put(self.tables.restored, key, *key, "amount")

    @cached_property
    def forget(self) -> tuple[Statement, ...]:
        """Delete lots, holds and restored parts of an account: wallet, unit."""
        of_account = (self.tables.lots, self.tables.holds, self.tables.restored)
        return tuple(self._delete(table, *_KEY) for table in of_account)

    # Wallets

    @cached_property
    def wallet(self) -> Statement:
        """
        Add a wallet whose id no wallet has: id, merchant, holder, merged_into.

        Where one has it, an engine that takes everything at once refuses a null in its place;
        elsewhere nothing is added. The ids are random: there is no race for one.
        """
        wallets = self.tables.wallets
        names = ("id", "merchant", "holder", "merged_into")
        given: list[Any] = [parameter(name, wallets.c[name]) for name in names]
        others = wallets.alias("others")
        known = exists().where(others.c.id == given[0])
        if self.joins:
            given[0] = case((known, null()), else_=given[0])
            made = insert(wallets).values(dict(zip(names, given, strict=True))).inline()
            return self._make(made, *names)
        found = select(*given).where(~known)
        return self._make(insert(wallets).from_select(list(names), found).inline(), *names)

    @cached_property
    def replace_wallet(self) -> Statement:
        """Replace holder and merger of a wallet: holder, merged_into, id, merchant."""
        names = ("holder", "merged_into")
        found = self._update(self.tables.wallets, names, ("id", "merchant"))
        return self._make(found, *names, "id", "merchant")

    def _replace_seen_wallet(self, *, merged: bool) -> Statement:
        """
        Do as `replace_wallet` where it is as it was seen: its holder; where *merged*, into what.

        Otherwise it was merged into none.
        """
        wallets, names = self.tables.wallets, ("holder", "merged_into")
        found = self._update(wallets, names, ("id", "merchant")).where(
            wallets.c.holder == parameter("was", wallets.c.holder)
        )
        if merged:
            found = found.where(wallets.c.merged_into == parameter("into", wallets.c.merged_into))
            return self._make(found, *names, "id", "merchant", "was", "into")
        found = found.where(wallets.c.merged_into.is_(None))
        return self._make(found, *names, "id", "merchant", "was")

    @cached_property
    def replace_wallet_alone(self) -> Statement:
        """Replace a wallet that was merged into none: as `replace_wallet`, and the holder it had."""
        return self._replace_seen_wallet(merged=False)

    @cached_property
    def replace_wallet_merged(self) -> Statement:
        """Do as `replace_wallet_alone` for one that was merged: and into what, last."""
        return self._replace_seen_wallet(merged=True)

    # Records

    @cached_property
    def record(self) -> Statement:
        """Add a record: version, body, merchant, kind, id."""
        return self._insert(self.tables.records, "version", "body", *_RECORD)

    @cached_property
    def replace_record(self) -> Statement:
        """Replace a record: version, body, merchant, kind, id, and the version before."""
        records = self.tables.records
        found = self._update(records, ("version", "body"), _RECORD).where(
            records.c.version == parameter("before", records.c.version)
        )
        return self._make(found, "version", "body", *_RECORD, "before")

    @cached_property
    def forget_references(self) -> Statement:
        """Delete the references of a record: merchant, kind, id."""
        return self._delete(self.tables.references, *_RECORD)

    @cached_property
    def reference(self) -> Statement:
        """Add a reference: merchant, kind, id, name, value."""
        return self._insert(self.tables.references, *_RECORD, "name", "value")

    # How

    def _insert(self, table: Table, *names: str) -> Statement:
        values = {name: parameter(name, table.c[name]) for name in names}
        return self._make(insert(table).values(values).inline(), *names)

    def _update(self, table: Table, names: Iterable[str], key: Iterable[str]) -> Any:
        wanted = [table.c[name] == parameter(name, table.c[name]) for name in key]
        values = {name: parameter(name, table.c[name]) for name in names}
        return update(table).where(*wanted).values(values)

    def _delete(self, table: Table, *names: str) -> Statement:
        wanted = [table.c[name] == parameter(name, table.c[name]) for name in names]
        return self._make(delete(table).where(*wanted), *names)

    def _put(self, table: Table, kept: tuple[str, ...], *names: str) -> Statement:
        """Insert, or replace all but the *kept* columns; each engine has its own words for that."""
        values = {name: parameter(name, table.c[name]) for name in names}
        rest = [name for name in names if name not in kept]
        made: Any
        if self.dialect.name in MYSQL_NAMES:
            made = mysql.insert(table).values(values).inline()
            made = made.on_duplicate_key_update({name: made.inserted[name] for name in rest})
        else:
            of_engine = sqlite if self.dialect.name == "sqlite" else postgresql
            made = of_engine.insert(table).values(values).inline()
            made = made.on_conflict_do_update(
                index_elements=list(table.primary_key),
                set_={name: made.excluded[name] for name in rest},
            )
        return self._make(made, *names)
