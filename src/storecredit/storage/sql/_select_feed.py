"""The statements that read the feed, each way (S7)."""

from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Table,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.types import Text

from storecredit.storage.sql._compiled import Statement
from storecredit.storage.sql._expressions import Selects, columns, limit, parameter
from storecredit.storage.sql._feed_ways import BASE, CLUSTER, CLUSTER_SQL, LAST, MAY_SEE_CLUSTER_SQL
from storecredit.storage.sql._rows import ENTRY_COLUMNS

_PLACE: Final = ("feed_xact", "wallet", "unit", "sequence")
"""What orders the feed where it goes by the numbers of transactions."""
_AFTER: Final = tuple(f"after_{name}" for name in _PLACE)
_WAITING: Final = ("wallet", "unit", "sequence")
_SLOTS: Final = 16
_PRIVATE: Final = ("wallet", "unit", "sequence", "field", "salt", "value")


def _number(xact: Any) -> ColumnElement[int]:
    """Make a number of 64 bits of a transaction's; PostgreSQL has no shorter way."""
    return cast(cast(xact, Text()), BigInteger())


def _whole(name: str) -> BindParameter[int]:
    return bindparam(f"p_{name}", type_=BigInteger())


def xact_now() -> ColumnElement[int]:
    """Name the number of the transaction that this is, after what is given as base."""
    return _whole("base") + _number(func.pg_current_xact_id())


class SelectFeed(Selects):
    """Pages of the feed, and what is needed to give entries their places."""

    # By the numbers of transactions

    @cached_property
    def cluster(self) -> Statement:
        """Read base and cluster that the tables keep, and the cluster that this is."""
        return self.make(select(self._kept(BASE), self._kept(CLUSTER), literal_column(CLUSTER_SQL)))

    @cached_property
    def may_see_cluster(self) -> Statement:
        """Read whether the user may know which cluster this is."""
        return self.make(select(literal_column(MAY_SEE_CLUSTER_SQL)))

    @cached_property
    def base(self) -> Statement:
        """Read the base that the tables keep."""
        return self.make(select(self._kept(BASE)))

    def _kept(self, name: str) -> Any:
        meta = self.tables.meta
        found = select(meta.c.value).where(meta.c.name == literal_column(f"'{name}'"))
        return found.scalar_subquery()

    @cached_property
    def last_xact(self) -> Statement:
        """Read the highest number that an entry has."""
        return self.make(select(func.max(self.tables.entries.c.feed_xact)))

    @cached_property
    def snapshot(self) -> Statement:
        """Read, by base, below which number every transaction is over."""
        return self.make(select(self._over()), "base")

    @cached_property
    def fed_by_snapshot(self) -> Statement:
        """
        Read a page, by base, place (`_AFTER`), most to pass, merchant and limit.

        Rows begin with the number below which all transactions are over, and the one that none
        has reached; one row has nothing more where there is no entry.
        """
        # The snapshot, and what it shows, are one statement's: whatever that does not show is of
        # a transaction that is not over, or comes after it, and has no lower number.
        entries, wallets, accounts = self.tables.entries, self.tables.wallets, self.tables.accounts
        passed = (
            select(*columns(entries, ("feed_xact", "wallet", "unit", *ENTRY_COLUMNS)))
            .where(self._beyond(), entries.c.feed_xact < self._over())
            .order_by(*columns(entries, _PLACE))
            .limit(_whole("most"))
            .subquery("passed")
        )
        # Subselects, and no joins: the order of the index has to be kept, so that a page ends
        # where it is full.
        holder = select(wallets.c.holder).where(wallets.c.id == passed.c.wallet)
        digits = select(accounts.c.digits).where(
            accounts.c.wallet == passed.c.wallet, accounts.c.unit == passed.c.unit
        )
        page = (
            select(
                *(passed.c[name] for name in _PLACE[:3]),
                holder.scalar_subquery().label("holder"),
                digits.scalar_subquery().label("digits"),
                *(passed.c[name] for name in ENTRY_COLUMNS),
            )
            .where(self._is_merchants(passed.c.wallet))
            .order_by(*(passed.c[name] for name in _PLACE))
            .limit(limit())
            .subquery("page")
        )
        none_reached = _whole("base") + _number(func.pg_snapshot_xmax(func.pg_current_snapshot()))
        bounds = select(self._over().label("over"), none_reached.label("unused")).subquery("bounds")
        found = select(bounds, page).select_from(bounds.outerjoin(page, true()))
        found = found.order_by(*(page.c[name] for name in _PLACE))
        return self.make(found, "base", *_AFTER, "most", "merchant", "limit")

    @cached_property
    def passed_by_snapshot(self) -> Statement:
        """Read how many entries are passed, and the last place of them: `_AFTER`, over, most."""
        entries = self.tables.entries
        passed = (
            select(*columns(entries, _PLACE))
            .where(self._beyond(), entries.c.feed_xact < _whole("over"))
            .order_by(*columns(entries, _PLACE))
            .limit(_whole("most"))
            .subquery("passed")
        )
        found = select(func.count().over(), passed)
        found = found.order_by(*(passed.c[name].desc() for name in _PLACE))
        return self.make(found.limit(literal_column("1")), *_AFTER, "over", "most")

    def _over(self) -> ColumnElement[int]:
        return _whole("base") + _number(func.pg_snapshot_xmin(func.pg_current_snapshot()))

    def _beyond(self) -> ColumnElement[bool]:
        entries = self.tables.entries
        after = tuple_(*(parameter(f"after_{name}", entries.c[name]) for name in _PLACE))
        return tuple_(*columns(entries, _PLACE)) > after

    def _is_merchants(self, wallet: Any) -> ColumnElement[bool]:
        wallets = self.tables.wallets
        found = select(wallets.c.merchant).where(wallets.c.id == wallet).scalar_subquery()
        return found == parameter("merchant", wallets.c.merchant)

    # By an outbox

    @cached_property
    def last_place(self) -> Statement:
        """Read, and lock, the last place that was given."""
        counter = self.tables.counter
        found = select(counter.c.place).where(counter.c.name == literal_column(f"'{LAST}'"))
        return self.make(found.with_for_update() if self.locks else found)

    @cached_property
    def waiting(self) -> Statement:
        """
        List what waits, by wallet, unit and sequence of the row before, and a limit.

        The last column tells whether the entry before it has a place.
        """
        waiting, places = self.tables.waiting, self.tables.places.alias("given")
        wallet, unit, sequence = columns(waiting, _WAITING)
        after = [parameter(name, waiting.c[name]) for name in _WAITING]
        in_wallet = or_(unit > after[1], and_(unit == after[1], sequence > after[2]))
        before: Any = select(literal_column("1")).where(
            places.c.wallet == wallet,
            places.c.unit == unit,
            places.c.sequence == sequence - literal_column("1"),
        )
        if self.latest:
            before = before.with_for_update(read=True)
        found = (
            select(*columns(waiting, (*_WAITING, "merchant", "digits")), before.scalar_subquery())
            .where(wallet >= after[0], or_(wallet > after[0], and_(wallet == after[0], in_wallet)))
            .order_by(wallet, unit, sequence)
            .limit(limit())
        )
        if self.latest:
            # What others have not committed is locked, and is not waited for.
            found = found.with_for_update(skip_locked=True)
        return self.make(found, *_WAITING, "limit")

    @cached_property
    def fed_by_place(self) -> Statement:
        """Read a page, by the place before, the last one, merchant and limit."""
        places, entries, wallets = self.tables.places, self.tables.entries, self.tables.wallets
        holder = select(wallets.c.holder).where(wallets.c.id == places.c.wallet)
        if self.latest:
            holder = holder.with_for_update(read=True)
        found = (
            select(
                *columns(places, ("place", "wallet", "unit")),
                holder.scalar_subquery(),
                *columns(places, ("digits", "sequence")),
                *columns(entries, ENTRY_COLUMNS[1:]),
            )
            .outerjoin(entries, _same_entry(entries, places))
            .where(self._between(), places.c.merchant == parameter("merchant", places.c.merchant))
            .order_by(places.c.place)
            .limit(limit())
        )
        return self.read(found, "after", "upto", "merchant", "limit")

    # Either way

    @property
    def most_private(self) -> int:
        """Of how many entries one statement reads the private fields."""
        # Under a lock, one that looks for several might lock what lies between them, too.
        return 1 if self.latest else _SLOTS

    @cached_property
    def private_of_entries(self) -> Statement:
        """Read private fields of `most_private` entries, by wallet, unit and sequence of each."""
        private = self.tables.private
        names = [tuple(f"{name}_{slot}" for name in _WAITING) for slot in range(self.most_private)]
        wanted = [
            and_(*(private.c[name] == parameter(given, private.c[name]) for name, given in pairs))
            for pairs in (zip(_WAITING, each, strict=True) for each in names)
        ]
        found = select(*columns(private, _PRIVATE)).where(or_(*wanted))
        return self.read(found, *(name for each in names for name in each))

    def _between(self) -> ColumnElement[bool]:
        place = self.tables.places.c.place
        return and_(place > parameter("after", place), place <= parameter("upto", place))


def _same_entry(one: Table, other: Table) -> ColumnElement[bool]:
    return and_(*(one.c[name] == other.c[name] for name in _WAITING))
