"""The statements that read entries and their private fields, one by one or page by page."""

from functools import cached_property

from sqlalchemy import and_, or_

from storecredit.storage.sql._compiled import Statement
from storecredit.storage.sql._expressions import Selects, equal, limit, of_account, parameter
from storecredit.storage.sql._rows import ENTRY_COLUMNS


class SelectJournals(Selects):
    """Entries, and what can be erased of them."""

    @cached_property
    def entry_by_key(self) -> Statement:
        """Read an entry by wallet, unit and key."""
        return self._entry("key")

    @cached_property
    def entry_by_id(self) -> Statement:
        """Read an entry by wallet, unit and id."""
        return self._entry("id")

    def _entry(self, name: str) -> Statement:
        entries = self.tables.entries
        found = of_account(entries, ENTRY_COLUMNS).where(*equal(entries, name))
        return self.read(found, "wallet", "unit", name)

    @cached_property
    def journal(self) -> Statement:
        """Read a page of entries, by wallet, unit, the sequence before and the last, and a limit."""
        entries = self.tables.entries
        after, upto = parameter("after", entries.c.sequence), parameter("upto", entries.c.sequence)
        found = of_account(entries, ENTRY_COLUMNS).where(
            entries.c.sequence > after, entries.c.sequence <= upto
        )
        found = found.order_by(entries.c.sequence).limit(limit())
        return self.read(found, "wallet", "unit", "after", "upto", "limit")

    @cached_property
    def private(self) -> Statement:
        """Read a page of private fields, by wallet, unit, bounds as `journal`, field, limit."""
        private = self.tables.private
        sequence, field = private.c.sequence, private.c.field
        after, upto = parameter("after", sequence), parameter("upto", sequence)
        found = of_account(private, ("sequence", "field", "salt", "value")).where(
            sequence <= upto,
            or_(sequence > after, and_(sequence == after, field > parameter("field", field))),
        )
        found = found.order_by(sequence, field).limit(limit())
        return self.read(found, "wallet", "unit", "after", "upto", "field", "limit")
