"""The two ways in which entries get their places in the feed, and which of them a database goes (S7)."""

import enum
from typing import Final, final

from sqlalchemy import Connection, text

FEED: Final = "feed"
"""The name under which the tables keep their way."""
BASE: Final = "feed_base"
"""The name under which they keep what is added to numbers of transactions."""
CLUSTER: Final = "feed_cluster"
"""The name under which they keep the cluster that those numbers are of."""
LAST: Final = "last"
"""The name of the last place that was given."""

CLUSTER_SQL: Final = "(SELECT system_identifier::text FROM pg_control_system())"
MAY_SEE_CLUSTER_SQL: Final = (
    "CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE') THEN 1 ELSE 0 END"
)

_OF_MANY_NODES: Final = ("-YB-", "Greenplum")
"""What versions say of servers that spread one database over many."""


@final
class Way(enum.Enum):
    """How entries get their places."""

    SNAPSHOTS = "snapshots"
    """By the numbers of PostgreSQL's transactions; readable once all with lower numbers are over."""
    OUTBOX = "outbox"
    """By readers, who number what they find waiting."""


def way_of(connection: Connection) -> Way:
    """
    Return the way for the server of *connection*.

    Numbers of transactions order nothing where each node has its own, so engines that only speak
    as PostgreSQL does, or spread its tables over many, go the other way.
    """
    if connection.dialect.name != "postgresql":
        return Way.OUTBOX
    version = str(connection.scalar(text("SELECT version()")))
    spread = "SELECT count(*) FROM pg_extension WHERE extname = 'citus'"
    if not version.startswith("PostgreSQL ") or any(sign in version for sign in _OF_MANY_NODES):
        return Way.OUTBOX
    return Way.OUTBOX if connection.scalar(text(spread)) else Way.SNAPSHOTS


def feed_rows(connection: Connection) -> dict[str, str]:
    """Return what new tables keep about their feed, by name."""
    way = way_of(connection)
    rows = {FEED: way.value}
    if way is Way.SNAPSHOTS:
        may_see = connection.scalar(text(f"SELECT {MAY_SEE_CLUSTER_SQL}"))
        cluster = connection.scalar(text(f"SELECT {CLUSTER_SQL}")) if may_see else ""
        rows |= {BASE: "0", CLUSTER: str(cluster)}
    return rows
