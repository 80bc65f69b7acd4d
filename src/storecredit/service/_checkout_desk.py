"""The desk of a checkout: each step of a payment, the ledger and the record in one transaction."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, final

import attrs

from storecredit.errors import (
    ConcurrentChange,
    ForeignPlan,
    HoldAlreadyLapsed,
    HoldAlreadyReleased,
    InvalidKey,
    MisuseError,
    PaymentHoldLost,
    PlanIncomplete,
    PlanOutdated,
    RefusalError,
    UnknownEntry,
    UnknownPayment,
)
from storecredit.ledger import (
    NO_NAMES,
    Account,
    AccountId,
    CaptureExactly,
    Command,
    Context,
    Hold,
    HoldExactly,
    HoldId,
    HoldStatus,
    Names,
    Release,
    ResizeExactly,
    account_of,
    request_of,
    require_key,
)
from storecredit.service._door import Asked, Loaded
from storecredit.service._giving import Giving
from storecredit.service.about import About, context_of
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import Record, UnitOfWork
from storecredit.tenders import (
    TRANSITIONS,
    HeldTender,
    PaymentPlan,
    PaymentRecord,
    PaymentStep,
    PlannedTender,
)
from storecredit.tenders.carrying import draws_of, is_of_the_ledger, lines_of
from storecredit.tenders.facts import Begun
from storecredit.tenders.plan import digest_of
from storecredit.values import Period, instant

KIND: Final = "payment"
"""The kind of the records that payments are kept in (S11)."""
LONGEST_KEY: Final = 160
"""The longest key of a step, in characters: the entries that it makes add to it."""
_DIGITS: Final = 10
"""How many hexadecimal digits tell orders apart that use the same key for a step."""


def require_step_key(key: object) -> str:
    """
    Return *key* if a step of a checkout may be named by it.

    Raises:
        InvalidKey: As `require_key`, and it may have 160 characters.
    """
    found = require_key(key)
    if len(found) > LONGEST_KEY:
        problem = f"has {len(found)} characters, and a checkout's may have {LONGEST_KEY}"
        raise InvalidKey(key, problem)
    return found


def step_key(order: str, what: str, key: str) -> str:
    """
    Return the key of an entry of a step: one of the library's own (A1).

    The key of a step is the order's own: a digest tells it from that of the same name of another
    order, which the same account may pay.
    """
    digest = hashlib.sha256(order.encode()).hexdigest()[:_DIGITS]
    return f"~checkout:{what}:{digest}:{key}"


def capture_key(order: str, place: int, key: str) -> str:
    """Return the key of the entry that captured of the tender at *place*, with that step."""
    return step_key(order, f"capture:{place}", key)


@final
@attrs.frozen(kw_only=True)
class Stamp:
    """What the entries of one step have in common."""

    order: str
    key: str
    context: Context
    at: datetime | None

    @classmethod
    def of(cls, plan: PaymentPlan, key: str, about: About) -> "Stamp":
        """
        Check what a step was told; the order is its reference, and the channel is the plan's.

        Raises:
            InvalidKey, InvalidText, NaiveInstant, TypeError: As every command.
        """
        told = About(**about)
        at = told.pop("at", None)
        told["reference"] = plan.order
        told["channel"] = plan.channel
        return cls(
            order=plan.order,
            key=require_step_key(key),
            context=context_of(told),
            at=None if at is None else instant(at),
        )

    def asked(self, command: Command, what: str) -> Asked:
        """Return *command* under a key of the library's own, which no key of the host's can be."""
        return self.asked_as(command, step_key(self.order, what, self.key))

    def asked_as(self, command: Command, key: str) -> Asked:
        """Return *command* under that key."""
        return Asked(command, key, self.context, request_of(command), self.at)


class HoldGone(Exception):
    """A hold reserves nothing any more; raised to undo the step that needed it."""

    def __init__(self, held: HeldTender) -> None:
        super().__init__(held)
        self.held: Final = held


@final
class Desk:
    """
    Carries out the steps of one order's payment.

    Each reads the record, takes the step, and writes the record beside the entries that the step
    means, in one transaction: a crash leaves all of it or nothing, and a repeat finds it done.
    """

    def __init__(self, door: Giving, order: str) -> None:
        self.door: Final = door
        self.order: Final = order

    # The record

    def read(self) -> PaymentRecord:
        """Return the record as it is stored."""
        with self.door.storage.snapshot() as reader:
            row = reader.record(self.door.merchant.id, KIND, self.order)
        if row is None:
            raise UnknownPayment(self.order)
        return PaymentRecord.from_json(row.body)

    def step(self, change: Callable[[UnitOfWork, PaymentRecord], PaymentRecord]) -> PaymentRecord:
        """Take a step of a payment that was begun; nothing is written where nothing changes."""
        return self.door._write(lambda tx: self.step_in(tx, change))

    def step_in(
        self, tx: UnitOfWork, change: Callable[[UnitOfWork, PaymentRecord], PaymentRecord]
    ) -> PaymentRecord:
        """Take a step in a transaction that may do more than that."""
        row = tx.record(self.door.merchant.id, KIND, self.order)
        if row is None:
            raise UnknownPayment(self.order)
        record = PaymentRecord.from_json(row.body)
        with self._as_read(tx, row):
            after = change(tx, record)
        if after is not record:
            self._put(tx, after, version=row.version + 1)
        return after

    @contextmanager
    def _as_read(self, tx: UnitOfWork, row: Record | None) -> Iterator[None]:
        """
        Try again, in place of a refusal, where the record is no longer as it was read.

        The accounts are locked after it was read: by then, the same step may have been taken by
        somebody else, and what this one finds there is its own work (A12).
        """
        try:
            yield
        except (MisuseError, RefusalError, PlanOutdated, HoldGone):
            again = tx.record(self.door.merchant.id, KIND, self.order)
            before, now = (0 if each is None else each.version for each in (row, again))
            if now != before:
                raise ConcurrentChange(self.order, before) from None
            raise

    def _put(self, tx: UnitOfWork, record: PaymentRecord, *, version: int) -> None:
        row = Record(
            merchant=self.door.merchant.id,
            kind=KIND,
            id=self.order,
            version=version,
            body=record.to_json(),
            references={"state": record.state.value},
        )
        tx.put(row)

    # Beginning, and beginning anew

    def begin(
        self,
        plan: PaymentPlan,
        stamp: Stamp,
        *,
        lapses: Period | datetime | None,
        spender: str | None,
        new: bool,
    ) -> PaymentRecord:
        """
        Hold every credit part of *plan*, in place of what an earlier plan held.

        A payment that nobody has begun is begun if it is to be *new*.
        """
        if plan.merchant != self.door.merchant.id:
            raise ForeignPlan("merchant", plan.merchant, self.door.merchant.id)
        if plan.order != self.order:
            raise ForeignPlan("order", plan.order, self.order)

        def work(tx: UnitOfWork) -> PaymentRecord:
            row = tx.record(self.door.merchant.id, KIND, self.order)
            if row is None and not new:
                raise UnknownPayment(self.order)
            if row is None:
                begun = (Begun(stamp.key, digest_of(plan)),)
                record = PaymentRecord(plan=plan, begun=begun)
            else:
                known = PaymentRecord.from_json(row.body)
                if known.was_begun(plan, key=stamp.key):
                    return known
                record = known.replan(plan, key=stamp.key)
                if record is known:
                    # The key is kept: its repeat may come when another plan is held by then.
                    again = Begun(stamp.key, digest_of(plan))
                    record = attrs.evolve(known, begun=(*known.begun, again))
                    self._put(tx, record, version=row.version + 1)
                    return record
            if not plan.is_complete:
                raise PlanIncomplete(plan.order, plan.shortage)
            with self._as_read(tx, row):
                held = self._hold_all(tx, record, stamp, lapses, spender)
            after = record.hold({each.tender: each.hold for each in held})
            self._put(tx, after, version=1 if row is None else row.version + 1)
            return after

        return self.door._write(work)

    def _hold_all(
        self,
        tx: UnitOfWork,
        record: PaymentRecord,
        stamp: Stamp,
        lapses: Period | datetime | None,
        spender: str | None,
    ) -> list[HeldTender]:
        """Let exactly what the plan takes be held, and nothing else of this order."""
        plan = record.plan
        before = {account_of(each.hold): HoldId(each.hold) for each in record.holds}
        tx.lock(sorted({*(AccountId(seen.account) for seen in plan.versions), *before}))
        for seen in plan.versions:
            account = tx.account_by_id(self.door.merchant.id, AccountId(seen.account))
            version = 0 if account is None else account.version
            if version != seen.version:
                raise PlanOutdated(plan.order, seen.account, seen.version, version)
        held = []
        for place, tender in enumerate(plan.tenders):
            if not is_of_the_ledger(tender):
                continue
            named = before.pop(AccountId(str(tender.account)), None)
            hold = self._hold_tender(
                tx, plan, tender, (place, named), stamp=stamp, lapses=lapses, spender=spender
            )
            if hold is not None:
                held.append(HeldTender(tender.id, hold))
        for number, (account_id, hold_id) in enumerate(before.items()):
            self._release(tx, account_id, hold_id, stamp, f"leave:{number}")
        return held

    def _hold_tender(
        self,
        tx: UnitOfWork,
        plan: PaymentPlan,
        tender: PlannedTender,
        where: tuple[int, HoldId | None],
        *,
        stamp: Stamp,
        lapses: Period | datetime | None,
        spender: str | None,
    ) -> HoldId | None:
        """
        Hold what the plan takes of one account; what is held for the order already stays held.

        The plan counted all holds of the order as available, whoever placed them (T2).
        """
        place, named = where
        draws = draws_of(plan, tender.id)
        account = self._account(tx, AccountId(str(tender.account)))
        own = [] if account is None else self._own_holds(account, named, stamp)
        keep = own.pop(0) if own and draws else None
        for number, extra in enumerate(own):
            self._release(tx, account_of(extra.id), extra.id, stamp, f"spare:{place}.{number}")
        if not draws:
            return None
        lines = lines_of(plan, tender.id)
        if keep is None:
            command: Command = HoldExactly(draws=draws, lines=lines, spender=spender, lapses=lapses)
            receipt = self.do(
                tx, AccountId(str(tender.account)), stamp.asked(command, f"hold:{place}")
            )
            return receipt.hold_id
        command = ResizeExactly(
            hold=keep.id, draws=draws, lines=lines, spender=spender, lapses=lapses
        )
        self.do(tx, account_of(keep.id), stamp.asked(command, f"resize:{place}"))
        return keep.id

    def _own_holds(self, account: Account, named: HoldId | None, stamp: Stamp) -> list[Hold]:
        """Return the live holds of the order, the one that its record names first."""
        now = self.door._instant(stamp.at)
        at = now if account.last_at is None else max(now, account.last_at)
        own = [
            hold
            for hold in account.holds.values()
            if hold.is_live(at) and hold.reference == self.order
        ]
        return sorted(own, key=lambda hold: (hold.id != named, hold.placed_at, hold.id))

    # Capturing

    def capture(
        self,
        stamp: Stamp,
        take: Callable[[PaymentRecord], PaymentRecord],
        *,
        when_lost: Callable[[PaymentRecord], None],
    ) -> PaymentRecord:
        """
        Capture what the step captures, lot by lot.

        Args:
            stamp: What the entries have in common.

            take: Takes the step on the record.

            when_lost: Is shown the record that says that a hold is gone, before the error.

        Raises:
            PaymentHoldLost: A hold is gone; that is recorded, and the others are released.
        """

        def change(tx: UnitOfWork, record: PaymentRecord) -> PaymentRecord:
            after = take(record)
            if after is record or len(after.captures) == len(record.captures):
                return after
            lines = after.captures[-1].lines
            tx.lock(sorted({account_of(each.hold) for each in record.holds}))
            places = {tender.id: place for place, tender in enumerate(record.plan.tenders)}
            for held in record.holds:
                draws = draws_of(record.plan, held.tender, lines=lines)
                if draws:
                    command = CaptureExactly(hold=HoldId(held.hold), draws=draws)
                    try:
                        key = capture_key(self.order, places[held.tender], stamp.key)
                        self.do(tx, account_of(held.hold), stamp.asked_as(command, key))
                    except (HoldAlreadyLapsed, HoldAlreadyReleased):
                        raise HoldGone(held) from None
            return after

        try:
            return self.step(change)
        except HoldGone as gone:
            held = gone.held
        record = self.step(lambda tx, known: self._lose(tx, known, held, stamp))
        when_lost(record)
        raise PaymentHoldLost(self.order, held.tender, held.hold, not record.captures)

    def _lose(
        self, tx: UnitOfWork, record: PaymentRecord, lost: HeldTender, stamp: Stamp
    ) -> PaymentRecord:
        """Record that a hold is gone, and release the others: the order is to be planned anew."""
        if PaymentStep.LOSE_HOLD not in TRANSITIONS[record.state] or lost not in record.holds:
            return record
        # The same step may be tried again under the next plan, and lose a hold again.
        self.release_all(tx, record, stamp, f"lost:{record.plans}")
        return record.lose_hold()

    # Releasing

    def release_all(self, tx: UnitOfWork, record: PaymentRecord, stamp: Stamp, why: str) -> None:
        """Release what the holds of the payment still reserve."""
        tx.lock(sorted({account_of(each.hold) for each in record.holds}))
        for place, each in enumerate(record.holds):
            hold = HoldId(each.hold)
            self._release(tx, account_of(hold), hold, stamp, f"{why}:{place}")

    def _release(
        self, tx: UnitOfWork, account_id: AccountId, hold_id: HoldId, stamp: Stamp, what: str
    ) -> None:
        account = self._account(tx, account_id, hold=hold_id)
        hold = None if account is None else account.holds.get(hold_id)
        if hold is None or hold.status is not HoldStatus.ACTIVE:
            return
        try:
            self.do(tx, account_id, stamp.asked(Release(hold=hold_id), what))
        except HoldAlreadyLapsed:
            # Its time ran out: whatever comes next to the account records that (A6).
            return

    # Below

    def _account(
        self, tx: UnitOfWork, account_id: AccountId, *, hold: HoldId | None = None
    ) -> Account | None:
        names = NO_NAMES if hold is None else Names(holds=(hold,))
        return tx.account_by_id(self.door.merchant.id, account_id, names=names)

    def do(
        self,
        tx: UnitOfWork,
        account_id: AccountId,
        asked: Asked,
        *,
        unknown: Exception | None = None,
    ) -> Receipt:
        """
        Carry out a command on the account with that id.

        Raises:
            UnknownEntry: This merchant has no such account; or *unknown* instead.
        """
        account = tx.account_by_id(
            self.door.merchant.id, account_id, names=asked.command.names, key=asked.key
        )
        if account is None:
            raise unknown or UnknownEntry(account_id)
        return self.door._do(tx, Loaded(account, tx.entry_by_key(account, asked.key)), asked)
