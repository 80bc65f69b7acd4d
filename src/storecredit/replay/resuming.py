"""
Resuming: what a replay that was killed has done already, so that starting it again adds nothing.

A command that was carried out is answered again by its key (A12). An order that found no credit
left no trace, and asking again after later refunds were issued would let it spend them. So the
journals are read first: events were driven one after the other, and every event before the last
one that left an entry has been decided.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import attrs

from storecredit.errors import ConcurrentChange, StorageUnusable
from storecredit.replay.history import Event, EventKind, History
from storecredit.storage import Reader, Record, Storage

KIND: Final = "replay"
"""The kind of the record that says whose replay the ledger holds (S11)."""
_ID: Final = "history"
_FRESH: Final = "Replay into a fresh database, or for another merchant."


@final
@attrs.frozen
class Position:
    """How far an earlier run of the same history came."""

    reached: int
    """The number of events of which it is known that they were decided."""
    keys: frozenset[str]
    """The keys of all entries."""
    versions: Mapping[str, int]
    """By holder, the version of the account."""

    def was_refused(self, place: int, event: Event) -> bool:
        """
        Tell whether *event*, the one at *place*, was an order that found no credit.

        Raises:
            StorageUnusable: A refund has vanished from the journals, and refunds are not refused.
        """
        if place >= self.reached or event.id in self.keys or not event.value:
            return False
        if event.kind is EventKind.REFUND:
            problem = f"the refund {event.id!r}, which an earlier run recorded, is gone"
            raise StorageUnusable("this database", problem, _FRESH)
        return True


def take_up(
    storage: Storage, merchant: str, history: History, terms: Mapping[str, Any]
) -> Position:
    """
    Claim the ledger of *merchant* for *history*, or find out how far an earlier run came.

    Args:
        storage: Where the ledger is.

        merchant: Whose it is.

        history: What is going to be replayed: the one that was, possibly longer by later events.

        terms: What else has to be the same, such as how long credit lives.

    Raises:
        StorageUnusable: The ledger holds something else than an earlier run of this history.
        ConcurrentChange: Another run claims it at the same moment.
    """
    if not claim(storage, merchant, list(history.digests()), terms):
        return Position(0, frozenset(), {})
    with storage.snapshot() as reader:
        return _position(reader, merchant, history)


def claim(
    storage: Storage, merchant: str, digests: Sequence[str], terms: Mapping[str, Any]
) -> bool:
    """
    Claim the ledger of *merchant* for a history; tell whether an earlier run of it was here.

    Args:
        storage: Where the ledger is.

        merchant: Whose it is.

        digests: Of the first thing in the history, of the first two, and so on: an earlier run
            may have had fewer.

        terms: What else has to be the same.

    Raises:
        StorageUnusable: The ledger holds something else than an earlier run of this history.
        ConcurrentChange: Another run claims it at the same moment.
    """
    with storage.transaction() as unit:
        record = unit.record(merchant, KIND, _ID)
        if record is None:
            if unit.account_ids(merchant, limit=1):
                problem = f"merchant {merchant!r} has accounts in it that no replay has made"
                raise StorageUnusable("this database", problem, _FRESH)
        else:
            _require_same(record, digests, terms)
        unit.put(
            Record(
                merchant=merchant,
                kind=KIND,
                id=_ID,
                version=1 if record is None else record.version + 1,
                body={
                    "events": len(digests),
                    "digest": digests[-1] if digests else "",
                    "terms": dict(terms),
                },
            )
        )
    return record is not None


def require_alone(account: str, expected: int, sequence: int) -> None:
    """
    Require that an entry just appended follows the last one that this run knows of.

    Raises:
        ConcurrentChange: Somebody else writes to the ledger at the same time.
    """
    if sequence != expected:
        raise ConcurrentChange(account, expected - 1)


def _require_same(record: Record, digests: Sequence[str], terms: Mapping[str, Any]) -> None:
    earlier, events = record.body, int(record.body["events"])
    if earlier["terms"] != dict(terms):
        then, now = _told(earlier["terms"]), _told(terms)
        problem = f"an earlier replay made it with {then}, and this one has {now}"
        raise StorageUnusable("this database", problem, _FRESH)
    if events > len(digests) or (events and digests[events - 1] != earlier["digest"]):
        problem = f"another history of {events} events was replayed into it"
        advice = "Give all files of that history again, later ones added at the end; or start anew."
        raise StorageUnusable("this database", problem, f"{advice} {_FRESH}")


def _told(terms: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(terms.items()))


def _position(reader: Reader, merchant: str, history: History) -> Position:
    keys: set[str] = set()
    versions: dict[str, int] = {}
    after = ""
    while page := reader.account_ids(merchant, after=after):
        for _, name in page:
            account = reader.account_by_id(merchant, name)
            if account is not None:
                versions[account.holder] = account.version
                keys.update(entry.key for entry in reader.journal(account))
        after = page[-1][1]
    reached = 0
    for place, event in enumerate(history.events, 1):
        if event.id in keys:
            reached = place
    return Position(reached, frozenset(keys), versions)
