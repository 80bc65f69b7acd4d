"""The verbs that remind: what runs out soon, and what was acknowledged of it (P7)."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import attrs

from storecredit.errors import InvalidTerms, JournalBroken
from storecredit.ledger import AccountId, Names
from storecredit.service._door import Door, require_batch
from storecredit.service.reminders import Horizon, Marks, Reminder, as_reminders
from storecredit.storage.protocols import UnitOfWork
from storecredit.values import Money, Period, instant

_BATCH = 200


class Reminding(Door):
    """Reminders."""

    def due_reminders(
        self,
        *,
        before: Period | Iterable[Period],
        at: datetime | None = None,
        after: str = "",
        batch: int = _BATCH,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Reminder]:
        """
        Yield a reminder for each lot that runs out soon and was not reminded of yet (P7).

        A lot is due when it counts at *at*, can still be spent in part, and expires within one of
        the periods *before*. Of several that its expiry lies within, the shortest counts: whoever
        missed "in 30 days" is told "in 3 days", once. Accounts that are frozen are passed over
        until they are open again; what a hold reserves does not count until it is given back.

        Nothing is written. The same comes again until `acknowledge_reminders` says that it is
        done, so a job may be stopped anywhere, and begun again. A lot whose expiry was moved is
        due again for the new one. Accounts come one after the other, by id, and the soonest
        expiry of each first.

        It reads the accounts that have something due or expired, and none of their history. Run
        `expire_due` before, so that what has expired already is not looked at each time.

        Args:
            before: A period before the expiry, or several.

            at: The instant to ask about; None for now. It may lie ahead, to see what will be due.

            after: The account of a reminder that came earlier: go on after it.

            batch: How many accounts are read at once.

            progress: Called with the number of accounts read so far, after each batch.

        Raises:
            NaiveInstant: ``at`` without a zone.
            InvalidTerms: ``before`` is no period and no periods, ``after`` no text, or ``batch``
                no whole number from 1 up.
            InstantOutOfRange: A period ends after the year 9999.
            JournalBroken: An account was changed around the library; those of all others came.
        """
        horizon = Horizon.of(instant(self._clock() if at is None else at), before)
        if not isinstance(after, str):
            raise InvalidTerms("after", after, "the account of a reminder")
        return self._due_reminders(horizon, after, require_batch(batch), progress)

    def acknowledge_reminders(
        self, reminders: Reminder | Iterable[Reminder]
    ) -> tuple[Reminder, ...]:
        """
        Record that the holders are reminded: all of it, or nothing (P7, S1).

        Returned are those that nobody had acknowledged before, and whose lot still expires then.
        Of two that acknowledge the same, one gets it back, and the other nothing: whoever would
        rather remind never than twice, acknowledges first and sends what is returned. Whoever
        would rather remind twice than never, sends first. In a transaction of the host's, beside
        its outbox, it is exactly once.

        Args:
            reminders: From `due_reminders`; those of one account together are one record.

        Raises:
            InvalidTerms: Something else, or another merchant's.
            ConflictError: Others were faster, each time.
        """
        given = as_reminders(reminders)
        by_account: dict[AccountId, list[Reminder]] = {}
        for reminder in given:
            if reminder.merchant != self.merchant.id:
                raise InvalidTerms("reminders", reminder.merchant, f"those of {self.merchant.id}")
            by_account.setdefault(reminder.account, []).append(reminder)
        if not given:
            return ()
        now = instant(self._clock())

        def work(tx: UnitOfWork) -> tuple[Reminder, ...]:
            tx.lock(sorted(by_account))
            found: list[Reminder] = []
            for account in sorted(by_account):
                found += self._acknowledge(tx, account, by_account[account], now)
            return tuple(found)

        return self._write(work)

    def _due_reminders(
        self,
        horizon: Horizon,
        after: str,
        batch: int,
        progress: Callable[[int], None] | None,
    ) -> Iterator[Reminder]:
        done, broken = 0, None
        while True:
            found: list[Reminder] = []
            with self.storage.snapshot() as reader:
                page = reader.due(self.merchant.id, horizon.end, after=after, limit=batch)
                for name in page:
                    try:
                        account = reader.account_by_id(self.merchant.id, name)
                    except JournalBroken as problem:
                        broken = broken or problem
                        continue
                    if account is not None:
                        marks = Marks.load(reader, self.merchant.id, name)
                        found += horizon.reminders(account, marks)
            if not page:
                break
            # Outside of the snapshot: whoever takes them may take long.
            for reminder in found:
                yield self._shown(reminder)
            done, after = done + len(page), page[-1]
            if progress is not None:
                progress(done)
        if broken is not None:
            raise broken

    def _shown(self, reminder: Reminder) -> Reminder:
        declared = self._declared(reminder.amount.unit)
        return attrs.evolve(reminder, amount=Money(reminder.amount.minor, declared))

    def _acknowledge(
        self, tx: UnitOfWork, name: AccountId, reminders: list[Reminder], now: datetime
    ) -> list[Reminder]:
        """Mark what still stands and is not marked yet; return it."""
        lots = tuple(dict.fromkeys(reminder.lot for reminder in reminders))
        account = tx.account_by_id(self.merchant.id, name, names=Names(lots=lots, open_lots=False))
        known = {} if account is None else account.lots
        marks, found = Marks.load(tx, self.merchant.id, name), []
        for reminder in reminders:
            lot, due = known.get(reminder.lot), reminder.expires_at
            stands = lot is not None and lot.terms.expires_at == due
            if stands and not marks.cover(reminder.lot, due, reminder.before, reminder.at):
                marks = marks.marked(reminder)
                found.append(reminder)
        if found:
            marks.put(tx, self.merchant.id, now=now)
        return found
