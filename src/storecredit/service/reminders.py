"""Reminders of value that runs out soon, and the marks of those that were acknowledged (P7, S11)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import (
    Account,
    AccountId,
    AccountStatus,
    Funding,
    Limits,
    Lot,
    LotId,
    local_part,
    read_instant,
    write_instant,
)
from storecredit.ledger.ids import derive
from storecredit.storage.protocols import Reader, Record, UnitOfWork
from storecredit.values import Money, Period

REMINDER: Final = "reminder"
"""The kind of the records that keep the marks: one for each account that was ever reminded."""


@final
@attrs.frozen(kw_only=True)
class Reminder:
    """
    One lot runs out within a period, and its holder has not been reminded of that yet.

    A fact and no message: `storecredit.messages.reminder_message` makes one of it.
    """

    merchant: str
    holder: str
    """What the holder of the account is called now."""
    account: AccountId
    lot: LotId
    amount: Money
    """What can still be spent of the lot: not held. Positive."""
    funding: Funding
    limits: Limits | None
    expires_at: datetime
    """The value can be spent while ``at < expires_at``."""
    before: Period
    """The shortest of the periods asked for that the expiry lies within."""
    at: datetime
    """The instant that was asked about."""

    @property
    def id(self) -> str:
        """What to recognise a repeat by: one for each lot, expiry and period."""
        expires_at = write_instant(self.expires_at)
        return derive(
            self.account, f"~reminder\n{local_part(self.lot)}\n{expires_at}\n{self.before}"
        )


def as_reminders(reminders: object) -> tuple[Reminder, ...]:
    """
    Return one reminder or several as a tuple; there may be none.

    Raises:
        InvalidTerms: Something else.
    """
    expected = "reminders from due_reminders()"
    if isinstance(reminders, Reminder):
        return (reminders,)
    if not isinstance(reminders, Iterable):
        raise InvalidTerms("reminders", reminders, expected)
    given = tuple(reminders)
    for reminder in given:
        if not isinstance(reminder, Reminder):
            raise InvalidTerms("reminders", reminder, expected)
    return given


@final
@attrs.frozen
class Mark:
    """The shortest period before one expiry that was acknowledged."""

    expires_at: datetime
    before: Period

    def covers(self, expires_at: datetime, before: Period, at: datetime) -> bool:
        """Tell whether the holder was reminded of that expiry, as late as *before* it or later."""
        return self.expires_at == expires_at and self.before.after(at) <= before.after(at)

    def to_json(self) -> dict[str, Any]:
        """Return the mark as JSON data."""
        return {"expires_at": write_instant(self.expires_at), "before": self.before.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Mark":
        """Read what `to_json` wrote."""
        return cls(read_instant(data["expires_at"]), Period.from_json(data["before"]))


@final
@attrs.frozen
class Marks:
    """
    What was acknowledged in one account, by the local part of the lot's id.

    One record, so that whatever is acknowledged together is so at once; and one mark for each
    lot, dropped when its expiry has passed, so that it never grows with the history.
    """

    account: AccountId
    version: int = 0
    """That of the stored record; 0 where there is none yet."""
    lots: Mapping[str, Mark] = MappingProxyType({})

    @classmethod
    def load(cls, reader: Reader, merchant: str, account: AccountId) -> "Marks":
        """
        Load the marks of *account*; there may be none.

        Raises:
            InvalidTerms: The record was changed around the library.
        """
        record = reader.record(merchant, REMINDER, account)
        if record is None:
            return cls(account)
        try:
            lots = {lot: Mark.from_json(mark) for lot, mark in record.body["lots"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            expected = "as the library wrote it"
            raise InvalidTerms("the record of the reminders of", account, expected) from None
        return cls(account, record.version, lots)

    def cover(self, lot: LotId, expires_at: datetime, before: Period, at: datetime) -> bool:
        """Tell whether the holder was reminded of that lot's expiry already."""
        mark = self.lots.get(local_part(lot))
        return mark is not None and mark.covers(expires_at, before, at)

    def marked(self, reminder: Reminder) -> "Marks":
        """Return these marks with that reminder acknowledged."""
        mark = Mark(reminder.expires_at, reminder.before)
        return attrs.evolve(self, lots={**self.lots, local_part(reminder.lot): mark})

    def put(self, tx: UnitOfWork, merchant: str, *, now: datetime) -> None:
        """Store the marks; those of an expiry that has passed are dropped."""
        kept = {lot: mark.to_json() for lot, mark in self.lots.items() if mark.expires_at > now}
        tx.put(
            Record(
                merchant=merchant,
                kind=REMINDER,
                id=self.account,
                version=self.version + 1,
                body={"lots": kept},
            )
        )


@final
@attrs.frozen
class Horizon:
    """Periods before an expiry, as they lie at one instant: the shortest first."""

    at: datetime
    ends: tuple[tuple[datetime, Period], ...]

    @classmethod
    def of(cls, at: datetime, before: object) -> "Horizon":
        """
        Lay out the periods *before* from *at* on.

        Raises:
            InvalidTerms: Something else than a period or several.
            InstantOutOfRange: One ends after the year 9999.
        """
        expected = "a Period, or several, such as [Period(days=30), Period(days=3)]"
        given = tuple(before) if isinstance(before, Iterable) else (before,)
        periods = [period for period in given if isinstance(period, Period)]
        if not periods or len(periods) < len(given):
            raise InvalidTerms("before", before, expected)
        ends = sorted(((each.after(at), each) for each in periods), key=lambda end: end[0])
        return cls(at, tuple(ends))

    @property
    def end(self) -> datetime:
        """Where the longest period ends: what expires later is no matter."""
        return self.ends[-1][0]

    def shortest(self, expires_at: datetime) -> Period | None:
        """Return the shortest period that *expires_at* lies within, if any."""
        for end, period in self.ends:
            if expires_at <= end:
                return period
        return None

    def reminders(self, account: Account, marks: Marks) -> list[Reminder]:
        """Return what the holder of *account* is to be reminded of, the soonest expiry first."""
        if account.status is not AccountStatus.OPEN:
            # Nothing can be spent there at present; once it is open again, they come.
            return []
        found = (self._reminder(account, lot, marks) for lot in account.lots.values())
        due = [reminder for reminder in found if reminder is not None]
        return sorted(due, key=lambda reminder: (reminder.expires_at, reminder.lot))

    def _reminder(self, account: Account, lot: Lot, marks: Marks) -> Reminder | None:
        expires_at = lot.terms.expires_at
        if expires_at is None or not lot.free or not lot.is_live(self.at):
            return None
        before = self.shortest(expires_at)
        if before is None or marks.cover(lot.id, expires_at, before, self.at):
            return None
        return Reminder(
            merchant=account.merchant,
            holder=account.holder,
            account=account.id,
            lot=lot.id,
            amount=account.money(lot.free),
            funding=lot.terms.funding,
            limits=lot.terms.limits,
            expires_at=expires_at,
            before=before,
            at=self.at,
        )
