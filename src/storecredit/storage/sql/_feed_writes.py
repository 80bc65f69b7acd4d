"""The statements by which entries get their places in the feed, each way (S7)."""

from functools import cached_property
from typing import Any, Final, final

from sqlalchemy import Insert, func, insert, literal_column, update

from storecredit.storage.sql._compiled import Statement
from storecredit.storage.sql._expressions import parameter
from storecredit.storage.sql._feed_ways import LAST
from storecredit.storage.sql._select_feed import xact_now
from storecredit.storage.sql._writes import Writes

PLACED_AT_ONCE: Final = (32, 1)
"""How many places one statement gives."""

_ENTRY: Final = ("wallet", "unit", "sequence")
_WAITING: Final = (*_ENTRY, "merchant", "digits")
_PLACE: Final = ("place", *_WAITING)


class FeedWrites(Writes):
    """What a transaction writes where readers give the places."""

    @cached_property
    def waiting(self) -> Statement:
        """Let an entry wait for its place: wallet, unit, sequence, merchant, digits."""
        return self._insert(self.tables.waiting, *_WAITING)

    @cached_property
    def placed(self) -> Statement:
        """End the waiting of an entry: wallet, unit, sequence."""
        return self._delete(self.tables.waiting, *_ENTRY)

    def places(self, size: int) -> Statement:
        """Give so many places: place, wallet, unit, sequence, merchant, digits of each."""
        known: dict[int, Statement] = self._places
        if size not in known:
            places = self.tables.places
            names = [f"{name}_{slot}" for slot in range(size) for name in _PLACE]
            rows = [
                {name: parameter(f"{name}_{slot}", places.c[name]) for name in _PLACE}
                for slot in range(size)
            ]
            known[size] = self._make(insert(places).values(rows).inline(), *names)
        return known[size]

    @cached_property
    def _places(self) -> dict[int, Statement]:
        return {}

    @cached_property
    def last_place(self) -> Statement:
        """Move the last place on: to which, and which it was."""
        counter = self.tables.counter
        found = (
            update(counter)
            .where(
                counter.c.name == literal_column(f"'{LAST}'"),
                counter.c.place == parameter("before", counter.c.place),
            )
            .values(place=parameter("place", counter.c.place))
        )
        return self._make(found, "place", "before")

    @cached_property
    def keep(self) -> Statement:
        """Replace what the tables keep about themselves: the value, the name, the value before."""
        meta = self.tables.meta
        found = self._update(meta, ("value",), ("name",)).where(
            meta.c.value == parameter("before", meta.c.value)
        )
        return self._make(found, "value", "name", "before")


@final
class StampingWrites(FeedWrites):
    """
    What a transaction writes where its number gives the place.

    The number is taken by the statement that moves the account on. Under the account's lock it
    never goes back, though a transaction may have got its number long before.
    """

    handed_on = ("wallet", "feed_xact")
    given_last = ("base",)

    def _first(self, **more: Any) -> Insert:
        return super()._first(feed_xact=xact_now(), **more)

    def _next(self, changed: tuple[str, ...]) -> Any:
        before = self.tables.accounts.c.feed_xact
        return super()._next(changed).values(feed_xact=func.greatest(before, xact_now()))
