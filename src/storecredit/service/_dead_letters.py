"""Dead letters: entries that could not be delivered, kept as records until they are closed (S7)."""

import enum
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidTerms, JournalBroken, UnknownDeadLetter
from storecredit.ledger import AccountId, Entry, EntryId, read_instant, write_instant
from storecredit.service.deliveries import DeadLetter
from storecredit.storage.protocols import Reader, Record, UnitOfWork

DEAD_LETTER: Final = "dead_letter"
"""The kind of these records. They name entries by their ids, and are exported with the journals."""

_LONGEST_TEXT: Final = 1000
_PAGE: Final = 100


@final
class Standing(enum.StrEnum):
    """What is to become of a dead letter."""

    WAITING = "waiting"
    """Somebody has to decide."""
    QUEUED = "queued"
    """It is delivered again, before anything new."""
    CLOSED = "closed"
    """It was delivered or discarded."""


@final
@attrs.frozen
class Failure:
    """Why an entry was not delivered."""

    error: str
    text: str

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Describe *error*, which is a host's and may say anything."""
        try:
            text = str(error)
        except Exception:  # noqa: BLE001 - an error that cannot be read is still a failure
            text = "(the error cannot be written as text)"
        if len(text) > _LONGEST_TEXT:
            text = f"{text[: _LONGEST_TEXT - 3]}..."
        # Other people's errors may hold what no storage takes.
        readable = text.encode("utf-8", "backslashreplace").decode()
        return cls(type(error).__qualname__[:200], readable)


PARKED: Final = Failure("", "an earlier entry of the account is a dead letter")
NEVER_ENDED: Final = Failure("", "no consumer that began to deliver it has ended")


@final
@attrs.frozen(kw_only=True)
class Letter:
    """The record of one dead letter."""

    account: AccountId
    entry: EntryId
    sequence: int
    standing: Standing
    is_parked: bool = False
    attempts: int = 0
    failure: Failure = Failure("", "")
    at: datetime | None = None
    version: int = 0

    def body(self, feed: str) -> dict[str, Any]:
        """Return what is kept; of a closed letter, only that there was one."""
        kept: dict[str, Any] = {
            "feed": feed,
            "account": self.account,
            "entry": self.entry,
            "sequence": self.sequence,
            "standing": self.standing.value,
        }
        if self.standing is not Standing.CLOSED:
            kept |= {
                "parked": self.is_parked,
                "attempts": self.attempts,
                "error": self.failure.error,
                "text": self.failure.text,
                "at": None if self.at is None else write_instant(self.at),
            }
        return kept

    @classmethod
    def read(cls, record: Record) -> "Letter":
        """
        Read a letter from its record.

        Raises:
            InvalidTerms: The record was changed around the library.
        """
        body = record.body
        try:
            at = body.get("at")
            return cls(
                account=AccountId(body["account"]),
                entry=EntryId(body["entry"]),
                sequence=int(body["sequence"]),
                standing=Standing(body["standing"]),
                is_parked=bool(body.get("parked")),
                attempts=int(body.get("attempts", 0)),
                failure=Failure(body.get("error", ""), body.get("text", "")),
                at=None if at is None else read_instant(at),
                version=record.version,
            )
        except (KeyError, TypeError, ValueError):
            expected = "as the library wrote it"
            raise InvalidTerms("the record of the dead letter", record.id, expected) from None


@final
@attrs.frozen
class DeadLetters:
    """The dead letters of one feed of one merchant."""

    merchant: str
    feed: str

    def put(self, tx: UnitOfWork, letter: Letter) -> None:
        """Keep *letter* in place of whatever is kept of its entry."""
        name = self.name_of(letter.account, letter.sequence)
        known = tx.record(self.merchant, DEAD_LETTER, name)
        references: dict[str, str] = {}
        if letter.standing is not Standing.CLOSED:
            # What is closed has none: so no list of open letters grows with those that were.
            references = {"feed": self.feed, "account": self._of(letter.account)}
        if letter.standing is Standing.QUEUED:
            references["queued"] = self.feed
        tx.put(
            Record(
                merchant=self.merchant,
                kind=DEAD_LETTER,
                id=name,
                version=1 if known is None else known.version + 1,
                body=letter.body(self.feed),
                references=references,
            )
        )

    def close(self, tx: UnitOfWork, letter: Letter) -> None:
        """Be done with *letter*; what the error said is forgotten."""
        self.put(tx, attrs.evolve(letter, standing=Standing.CLOSED))

    def find(self, reader: Reader, name: object) -> Letter:
        """
        Return the letter with that id.

        Raises:
            UnknownDeadLetter: There is none, it is another feed's, or it is closed.
            InvalidTerms: Its record was changed around the library.
        """
        record = None
        if isinstance(name, str) and name.isprintable() and name.rpartition("/")[0] == self.feed:
            record = reader.record(self.merchant, DEAD_LETTER, name)
        if record is None:
            raise UnknownDeadLetter(self.feed, name)
        letter = Letter.read(record)
        if letter.standing is Standing.CLOSED:
            raise UnknownDeadLetter(self.feed, name)
        return letter

    def has(self, reader: Reader, account: AccountId, sequence: int) -> bool:
        """Tell whether there is an open letter for that entry."""
        record = reader.record(self.merchant, DEAD_LETTER, self.name_of(account, sequence))
        return record is not None and Letter.read(record).standing is not Standing.CLOSED

    def of_account(self, reader: Reader, account: AccountId) -> Iterator[Letter]:
        """Yield the open letters of *account*, in the order of its entries."""
        return self._listed(reader, ("account", self._of(account)))

    def queued(self, reader: Reader, limit: int) -> list[Letter]:
        """Return the next letters to deliver again, by account and sequence."""
        found = reader.records(
            self.merchant, DEAD_LETTER, reference=("queued", self.feed), limit=limit
        )
        return [Letter.read(record) for record in found]

    def page(self, reader: Reader, after: str) -> list[tuple[str, Letter]]:
        """Return the next open letters, each with its id."""
        found = reader.records(
            self.merchant, DEAD_LETTER, reference=("feed", self.feed), after=after, limit=_PAGE
        )
        return [(record.id, Letter.read(record)) for record in found]

    def release(self, tx: UnitOfWork, account: AccountId) -> None:
        """Queue what is parked in *account*, up to the next letter that failed by itself."""
        for letter in list(self.of_account(tx, account)):
            if letter.standing is Standing.WAITING:
                if not letter.is_parked:
                    return
                self.put(tx, attrs.evolve(letter, standing=Standing.QUEUED))

    def entry_of(self, reader: Reader, letter: Letter) -> tuple[str, Entry]:
        """
        Return what the holder of the account is called now, and the entry.

        Raises:
            JournalBroken: The entry is not there any more.
        """
        account = reader.account_by_id(self.merchant, letter.account)
        entry = None if account is None else reader.entry_by_id(account, letter.entry)
        if account is None or entry is None:
            problem = "a dead letter names it, and it is not there"
            raise JournalBroken(letter.account, letter.sequence, problem)
        return account.holder, entry

    def shown(self, reader: Reader, name: str, letter: Letter) -> DeadLetter:
        """Return *letter* as its reader sees it, with its entry."""
        holder, entry = self.entry_of(reader, letter)
        return DeadLetter(
            id=name,
            entry=entry,
            holder=holder,
            attempts=letter.attempts,
            error=letter.failure.error,
            text=letter.failure.text,
            at=letter.at or entry.at,
            is_parked=letter.is_parked,
            is_queued=letter.standing is Standing.QUEUED,
        )

    def name_of(self, account: AccountId, sequence: int) -> str:
        """Return the id of a letter; ids sort by account and sequence."""
        return f"{self.feed}/{account}.{sequence:019d}"

    def _of(self, account: AccountId) -> str:
        return f"{self.feed}/{account}"

    def _listed(self, reader: Reader, reference: tuple[str, str]) -> Iterator[Letter]:
        after = ""
        while True:
            page = reader.records(
                self.merchant, DEAD_LETTER, reference=reference, after=after, limit=_PAGE
            )
            for record in page:
                yield Letter.read(record)
            if len(page) < _PAGE:
                return
            after = page[-1].id
