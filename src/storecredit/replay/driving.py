"""Driving: every event of a history, one after the other, through the real service."""

from collections.abc import Callable
from typing import Any, Final, final

from storecredit.errors import InsufficientCredit
from storecredit.ledger import Funding, Merchant, Taking, What
from storecredit.replay.clock import SettableClock
from storecredit.replay.history import Event, EventKind, History
from storecredit.replay.resuming import Position, require_alone, take_up
from storecredit.replay.totals import Totals, discrepancies, sums_of
from storecredit.service import Receipt, StoreCredit
from storecredit.storage import Storage
from storecredit.values import Money, Period

Progress = Callable[[int], None]
"""Called now and then with the number of events done so far."""

_STRIDE: Final = 100


def replay_history(
    history: History,
    storage: Storage,
    *,
    merchant: Merchant | str = "shop",
    expires_days: int | None = None,
    progress: Progress | None = None,
) -> Totals:
    """
    Issue every refund of *history* as credit, spend it on the orders that follow, and add up.

    A refund issues one lot of its value. An order redeems the smaller of the balance and its
    value. The clock of the service stands at the instant of the event. At the instant of the
    last event, what is due is expired. Events worth nothing are counted and do nothing.

    A run that broke off can be started again with the same arguments, and ends in the same
    totals.

    Args:
        history: What happened.

        storage: Where the ledger is kept: empty, or with an earlier run of the same history.

        merchant: Whose ledger it becomes.

        expires_days: Credit is spendable while `at < issued + expires_days`; None for ever.

        progress: Called with the number of events done.

    Raises:
        PeriodRefused: *expires_days* is no whole number from 1 up, or too many.
        InstantOutOfRange: Credit would live beyond the year 9999.
        StorageUnusable: The ledger holds something else.
        ConcurrentChange: Somebody else writes to the ledger at the same time.
        StorageBusy, StorageUnavailable: The storage.
    """
    lives = None if expires_days is None else Period(days=expires_days)
    rules = merchant if isinstance(merchant, Merchant) else Merchant(id=merchant)
    terms: dict[str, Any] = {"unit": history.unit.code, "expires_days": expires_days}
    position = take_up(storage, rules.id, history, terms)
    run = _Run(history, storage, rules, lives, position)
    for done, event in enumerate(history.events, 1):
        run.drive(done - 1, event)
        if progress is not None and (done % _STRIDE == 0 or done == len(history.events)):
            progress(done)
    return run.finish()


@final
class _Run:
    """One run: the service it drives, and what its receipts say so far."""

    def __init__(
        self,
        history: History,
        storage: Storage,
        merchant: Merchant,
        lives: Period | None,
        position: Position,
    ) -> None:
        self._history = history
        self._lives = lives
        self._position = position
        self._versions = dict(position.versions)
        self._issued = self._redeemed = self._redemptions = self._splits = 0
        self._customers: set[str] = set()
        if history.events:
            self._clock = SettableClock(history.events[0].at)
            self._credit = StoreCredit(storage, merchant, clock=self._clock)
        else:
            self._credit = StoreCredit(storage, merchant)

    def drive(self, place: int, event: Event) -> None:
        """Carry out *event*, the one at *place*, or be answered as the first time."""
        if not event.value or self._position.was_refused(place, event):
            return
        self._clock.set(event.at)
        value = Money.of_minor(event.value, self._history.unit)
        if event.kind is EventKind.REFUND:
            receipt = self._credit.issue(
                event.customer,
                value,
                funding=Funding.REFUND,
                expires=self._lives,
                reference=event.id,
                key=event.id,
            )
            self._issued += receipt.amount.minor
            self._customers.add(event.customer)
        else:
            try:
                receipt = self._credit.redeem(
                    event.customer,
                    value,
                    taking=Taking.UP_TO,
                    reference=event.id,
                    key=event.id,
                )
            except InsufficientCredit:
                return
            self._redeemed += receipt.amount.minor
            self._redemptions += 1
            self._splits += receipt.amount < value
        self._check_alone(event.customer, receipt)

    def finish(self) -> Totals:
        """Expire what is due at the last instant; count, verify, and compare with the journals."""
        outstanding = 0
        if self._history.events:
            # A resumed run may have ended on an earlier event, so the clock is set again.
            self._clock.set(self._history.events[-1].at)
            self._credit.expire_due()
            outstanding = sum(self._available(customer) for customer in sorted(self._customers))
        verification = self._credit.verify()
        with self._credit.storage.snapshot() as reader:
            sums = sums_of(reader, self._credit.merchant.id, self._history.unit)
        wrong = discrepancies(
            sums, issued=self._issued, redeemed=self._redeemed, outstanding=outstanding
        )
        return Totals(
            unit=self._history.unit,
            events=len(self._history.events),
            issued=self._issued,
            redeemed=self._redeemed,
            redemptions=self._redemptions,
            split_redemptions=self._splits,
            expired=sums.of(What.EXPIRED),
            outstanding=outstanding,
            customers=len(self._customers),
            skipped=self._history.skipped,
            problems=(*map(str, verification.problems), *wrong),
        )

    def _available(self, customer: str) -> int:
        return self._credit.account(customer, self._history.unit).available.minor

    def _check_alone(self, customer: str, receipt: Receipt) -> None:
        if not receipt.replayed:
            expected = self._versions.get(customer, 0) + 1
            require_alone(receipt.entry.account, expected, receipt.entry.sequence)
            self._versions[customer] = expected
