"""The statements that look over all accounts, and those about what is not an account."""

from functools import cached_property
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, exists, literal_column, or_, select

from storecredit.storage.sql._compiled import Statement
from storecredit.storage.sql._expressions import Selects, equal, limit, next_page, parameter

_RECORD: Final = ("merchant", "kind", "id")
_ONE: Final[Any] = literal_column("1")
_ACTIVE: Final[Any] = literal_column("'active'")


class SelectListings(Selects):
    """Records, ids of accounts, what is to be swept, and the version of the tables."""

    # Records

    @cached_property
    def record(self) -> Statement:
        """Read a record by merchant, kind and id."""
        records = self.tables.records
        found = select(records.c.version, records.c.body)
        return self.read(found.where(*equal(records, *_RECORD)), *_RECORD)

    @cached_property
    def references(self) -> Statement:
        """Read the references of a record by merchant, kind and id."""
        references = self.tables.references
        found = select(references.c.name, references.c.value)
        return self.read(found.where(*equal(references, *_RECORD)), *_RECORD)

    @cached_property
    def record_kinds(self) -> Statement:
        """List the kinds of a merchant's records."""
        records = self.tables.records
        found = select(records.c.kind).distinct().where(*equal(records, "merchant"))
        return self.make(found.order_by(records.c.kind), "merchant")

    @cached_property
    def record_ids(self) -> Statement:
        """List ids of records by merchant, kind, the id before and a limit."""
        names = ("merchant", "kind", "after", "limit")
        return self.make(self._ids_of(self.tables.records, "merchant", "kind"), *names)

    @cached_property
    def referring_ids(self) -> Statement:
        """List ids of records by merchant, kind, name and value of a reference, as `record_ids`."""
        by = ("merchant", "kind", "name", "value")
        return self.make(self._ids_of(self.tables.references, *by), *by, "after", "limit")

    def _ids_of(self, table: Table, *names: str) -> Any:
        found = select(table.c.id).where(
            *equal(table, *names), table.c.id > parameter("after", table.c.id)
        )
        return found.order_by(table.c.id).limit(limit())

    # Looking over all accounts

    @cached_property
    def account_ids(self) -> Statement:
        """List accounts of everybody by the wallet and the unit before, and a limit."""
        return self.make(self._all_ids(), "wallet", "unit", "limit")

    @cached_property
    def account_ids_of_merchant(self) -> Statement:
        """List accounts by merchant, the wallet and the unit before, and a limit."""
        wallets = self.tables.wallets
        found = self._all_ids().where(*equal(wallets, "merchant"))
        return self.make(found, "merchant", "wallet", "unit", "limit")

    def _all_ids(self) -> Any:
        wallets, accounts = self.tables.wallets, self.tables.accounts
        found = select(wallets.c.merchant, accounts.c.wallet, accounts.c.unit).join(
            accounts, accounts.c.wallet == wallets.c.id
        )
        return next_page(found, accounts)

    @cached_property
    def due(self) -> Statement:
        """List accounts with value to expire, by merchant, instant, wallet, unit and limit."""
        lots = self.tables.lots
        return self._to_sweep(
            lots,
            lots.c.is_open == _ONE,
            lots.c.expires_at <= parameter("at", lots.c.expires_at),
            lots.c.remaining > lots.c.held,
        )

    @cached_property
    def lapsed(self) -> Statement:
        """List accounts with holds to lapse, by merchant, instant, wallet, unit and limit."""
        holds = self.tables.holds
        return self._to_sweep(
            holds,
            holds.c.status == _ACTIVE,
            holds.c.lapses_at <= parameter("at", holds.c.lapses_at),
        )

    def _to_sweep(self, table: Table, *conditions: ColumnElement[bool]) -> Statement:
        wallets = self.tables.wallets
        found = (
            select(table.c.wallet, table.c.unit)
            .distinct()
            .join(wallets, wallets.c.id == table.c.wallet)
        )
        found = next_page(found.where(*conditions, *equal(wallets, "merchant")), table)
        return self.make(found, "merchant", "at", "wallet", "unit", "limit")

    @cached_property
    def journals_without_account(self) -> Statement:
        """List journals without an account, by bounds (wallet and unit, each excluded and not), limit."""
        tables = self.tables
        entries, accounts, wallets = tables.entries, tables.accounts, tables.wallets
        wallet, unit = entries.c.wallet, entries.c.unit
        last = (parameter("last_wallet", wallet), parameter("last_unit", unit))
        owned = exists().where(
            accounts.c.wallet == wallet, accounts.c.unit == unit, wallets.c.id == wallet
        )
        found = (
            select(wallet, unit)
            .distinct()
            .where(~owned, wallet <= last[0], or_(wallet < last[0], unit <= last[1]))
        )
        names = ("wallet", "unit", "last_wallet", "last_unit", "limit")
        return self.make(next_page(found, entries), *names)

    @cached_property
    def about_tables(self) -> Statement:
        """Read what the tables keep about themselves: names and values."""
        meta = self.tables.meta
        return self.make(select(meta.c.name, meta.c.value))
