"""What is compiled once for an engine and a set of tables, and used by every storage on them."""

import weakref
from typing import Final, final

import attrs
from sqlalchemy import Dialect

from storecredit.storage.sql._compiled import positional
from storecredit.storage.sql._engines import speaks_pipelines
from storecredit.storage.sql._feed_ways import Way
from storecredit.storage.sql._feed_writes import FeedWrites, StampingWrites
from storecredit.storage.sql._loading import Met
from storecredit.storage.sql._reads import Reads
from storecredit.storage.sql._types import MYSQL_NAMES
from storecredit.storage.sql._wire import Step
from storecredit.storage.sql.schema import Tables, tables


@final
@attrs.define(eq=False)
class Catalogue:
    """The statements on one set of tables, in the words of one driver."""

    tables: Tables
    seeing: Reads
    """For snapshots, which take no lock."""
    owning: Reads
    """For transactions of the library's own, in which a plain read shows the latest."""
    joining: Reads
    """For transactions of a host, in which a plain read may show what was there at its beginning."""
    plain: FeedWrites
    """For entries that wait for their places in the feed."""
    stamping: StampingWrites
    """For entries that get their places from the number of their transaction."""
    way: Way = Way.OUTBOX
    """The way of the feed, once the tables were seen."""
    met: Met = attrs.field(factory=Met)
    checked: bool = False
    """Whether the tables were seen to be of this version."""

    @property
    def writes(self) -> FeedWrites:
        """For everything that is written."""
        return self.stamping if self.way is Way.SNAPSHOTS else self.plain

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways that the engine can go."""
        both = self.plain.dialect.name == "postgresql"
        return (Way.SNAPSHOTS, Way.OUTBOX) if both else (Way.OUTBOX,)

    def adds_account(self, step: Step) -> bool:
        """Tell whether *step* adds an account to a wallet."""
        return self.writes.adds_account(step)


_CATALOGUES: Final[weakref.WeakKeyDictionary[Dialect, dict[tuple[str, str | None], Catalogue]]] = (
    weakref.WeakKeyDictionary()
)


def catalogue_for(dialect: Dialect, prefix: str, schema: str | None) -> Catalogue:
    """Return the statements for the tables of that name on *dialect*, which has met its server."""
    of_dialect = _CATALOGUES.setdefault(dialect, {})
    found = of_dialect.get((prefix, schema))
    if found is None:
        named = tables(prefix=prefix, schema=schema)
        style = "numeric_dollar" if speaks_pipelines(dialect) else None
        spoken = positional(dialect, paramstyle=style)
        found = of_dialect[prefix, schema] = Catalogue(
            tables=named,
            seeing=Reads(named, spoken, locks=False, latest=False),
            owning=Reads(named, spoken, locks=True, latest=False, retried=True),
            joining=Reads(named, spoken, locks=True, latest=dialect.name in MYSQL_NAMES),
            plain=FeedWrites(named, spoken),
            stamping=StampingWrites(named, spoken),
        )
    return found
