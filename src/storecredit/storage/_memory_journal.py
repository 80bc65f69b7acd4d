"""A journal in memory: texts and digests, as a database would keep them, read when asked for."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, final

import attrs

from storecredit.errors import JournalBroken
from storecredit.ledger import Account, Entry, EntryId, entry_id, private_value, read_entry


@final
@attrs.define
class Journal:
    """
    The entries of one account, in order.

    Not the `Entry` objects themselves: what is kept as text takes half the room, and the garbage
    collector, which walks over every object again and again, does not walk over text.
    """

    bodies: list[str] = attrs.field(factory=list)
    digests: list[bytes] = attrs.field(factory=list)
    by_key: dict[str, int] = attrs.field(factory=dict)
    """The sequence of each entry by its key, in order."""
    by_id: dict[EntryId, int] = attrs.field(factory=dict)
    """Filled when first asked for: most entries are never looked up by id."""
    private: dict[int, dict[str, tuple[str, Any]]] = attrs.field(factory=dict)
    """Salt and value of each private field that was given and not erased, by sequence (A14)."""

    def __len__(self) -> int:
        return len(self.bodies)

    def add(self, entry: Entry) -> None:
        """Keep the next *entry*."""
        self.bodies.append(entry.body)
        self.digests.append(entry.digest)
        self.by_key[entry.key] = entry.sequence
        if entry.salts:
            self.private[entry.sequence] = {
                name: (salt, private_value(entry.context, name))
                for name, salt in entry.salts.items()
            }

    def with_key(self, account: Account, key: str) -> Entry | None:
        """Return the entry of *account* with that key, or None."""
        return self._read(account, self.by_key.get(key))

    def with_id(self, account: Account, entry: EntryId) -> Entry | None:
        """Return the entry of *account* with that id, or None."""
        for key in islice(reversed(self.by_key), len(self.by_key) - len(self.by_id)):
            self.by_id[entry_id(account.id, key)] = self.by_key[key]
        return self._read(account, self.by_id.get(entry))

    def between(self, account: Account, after: int, upto: int | None) -> Iterator[Entry]:
        """Yield the entries of *account* from sequence *after* + 1 up to *upto*."""
        last = len(self.bodies) if upto is None else min(upto, len(self.bodies))
        for sequence in range(after + 1, last + 1):
            yield self._entry(account, sequence)

    def erased(self, sequence: int, fields: Iterable[str]) -> tuple["Journal", int]:
        """Return the journal without private *fields* of one entry, and how many there were."""
        known = self.private.get(sequence, {})
        gone = [field for field in fields if field in known]
        left = {name: sealed for name, sealed in known.items() if name not in gone}
        private = {**self.private, sequence: left}
        return attrs.evolve(self, private=private), len(gone)

    def _read(self, account: Account, sequence: int | None) -> Entry | None:
        return None if sequence is None else self._entry(account, sequence)

    def _entry(self, account: Account, sequence: int) -> Entry:
        body, digest = self.bodies[sequence - 1], self.digests[sequence - 1]
        private = self.private.get(sequence, {})
        try:
            return read_entry(account.unit, body, digest, private=private)
        except (KeyError, TypeError, ValueError):
            raise JournalBroken(account.id, sequence, "its body cannot be read") from None
