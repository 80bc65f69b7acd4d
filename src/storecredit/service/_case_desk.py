"""The desk of a refund case: each step, the ledger and the records in one transaction (P5, S11)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, final

from storecredit.claims import KIND as CLAIM_KIND
from storecredit.claims import Claim
from storecredit.errors import (
    ConcurrentChange,
    InvalidReturn,
    LimitReached,
    MisuseError,
    NotARedemption,
    RefusalError,
    ReturnOutdated,
    UnknownCase,
    UnknownEntry,
)
from storecredit.ledger import Context, EntryId, account_of, unit_of
from storecredit.ledger.restoring import REDEMPTIONS
from storecredit.policies import RefundDecision
from storecredit.refunds import CaseRecord, CaseState, Redemption, RefundedOrder, StepBy
from storecredit.refunds.from_payment import check_lines, check_still_left, refund_key_of
from storecredit.service._case_giving import CASE_KIND as KIND
from storecredit.service._case_giving import (
    CaseGiving,
    CaseTerms,
    back_of,
    references_of,
    require_redemptions,
)
from storecredit.service._checkout_desk import KIND as PAYMENT_KIND
from storecredit.service._checkout_desk import Desk
from storecredit.service._claiming import Claiming
from storecredit.service._taken_pieces import put_taken, taken_of
from storecredit.service.about import About, context_of
from storecredit.service.codes import IssuedCode
from storecredit.storage.protocols import Reader, Record, UnitOfWork
from storecredit.tenders import Answer, PaymentRecord
from storecredit.values import instant

LONGEST_CASE: Final = 120
"""The longest id of a case, in characters: keys for payments and processors add to it."""

Pure = Callable[[CaseRecord], CaseRecord]
_Carry = Callable[[UnitOfWork, CaseRecord, CaseGiving], CaseRecord]


@final
class CaseDesk:
    """
    Carries out the steps of one refund case.

    Each reads the record, takes the step, and writes the record beside all that the step means:
    entries, what the order's payment returned, pieces, tallies. A crash leaves all of it or
    nothing, and a repeat finds it done.
    """

    def __init__(self, door: Claiming, case: str) -> None:
        self.door: Final = door
        self.case: Final = case
        self.code: IssuedCode | None = None
        """The claim code that a guest got by the last step; it is shown once (A15)."""

    # The record

    def read(self) -> CaseRecord:
        """Return the record as it is stored."""
        with self.door.storage.snapshot() as reader:
            return self._load(reader)[1]

    def _load(self, reader: Reader) -> tuple[Record, CaseRecord]:
        row = reader.record(self.door.merchant.id, KIND, self.case)
        if row is None:
            raise UnknownCase(self.case)
        return row, CaseRecord.from_json(row.body)

    def _put(self, tx: UnitOfWork, case: CaseRecord, *, version: int) -> None:
        row = Record(
            merchant=self.door.merchant.id,
            kind=KIND,
            id=self.case,
            version=version,
            body=case.to_json(),
            references=references_of(case),
        )
        tx.put(row)

    @contextmanager
    def _as_read(self, tx: UnitOfWork, version: int) -> Iterator[None]:
        """
        Try again, in place of a refusal, where the record is no longer as it was read.

        By the time that accounts are locked, the same step may have been taken by somebody else.
        """
        try:
            yield
        except (MisuseError, RefusalError, LimitReached, ReturnOutdated):
            again = tx.record(self.door.merchant.id, KIND, self.case)
            if (0 if again is None else again.version) != version:
                raise ConcurrentChange(self.case, version) from None
            raise

    # Requesting

    def request(
        self,
        decision: RefundDecision,
        by: StepBy,
        *,
        bought: Mapping[str, int],
        redemptions: tuple[Redemption, ...],
    ) -> CaseRecord:
        """Begin the case, and take its pieces of the order."""

        def work(tx: UnitOfWork) -> CaseRecord:
            row = tx.record(self.door.merchant.id, KIND, self.case)
            if row is not None:
                known = CaseRecord.from_json(row.body)
                known.require_same_request(decision, by, redemptions)
                return known
            with self._as_read(tx, 0):
                case = CaseRecord.requested(decision, by, redemptions=redemptions)
                case = self._with_pieces(tx, case, bought)
            self._put(tx, case, version=1)
            return case

        return self.door._write(work)

    def _with_pieces(
        self, tx: UnitOfWork, case: CaseRecord, bought: Mapping[str, int]
    ) -> CaseRecord:
        """Return the case with its pieces of the order, and what the record of the payment says."""
        asked = case.decision.request
        seen, payment = self._payment(tx, case)
        if asked.order is None:
            self._check_redemptions(tx, case)
            return case
        version, order = taken_of(tx, self.door.merchant.id, asked.order)
        pieces = {line.line: asked.line(line.line).pieces for line in case.decision.offer.lines}
        if payment is None:
            self._check_redemptions(tx, case)
            after = order.take(case.id, pieces, bought=bought)
        else:
            paid = payment.payment
            if case.redemptions:
                expected = f"left out: the checkout of order {asked.order} knows them"
                raise InvalidReturn("redemptions", len(case.redemptions), expected)
            known = {line.id: line.quantity for line in paid.lines}
            order.take(case.id, pieces, bought=known)
            others = order.of_others(case.id)
            shares = case.shares
            if case.is_of_checkout:
                check_still_left(shares, paid, taken=others)
            else:
                shares = check_lines(case.decision, paid, taken=others)
            after = order.take(case.id, pieces, shares=shares, bought=known)
            case = case.of_checkout(shares)
            # A refund of the checkout at the same time has to meet this: it looks at what is taken.
            Desk(self.door, asked.order)._put(tx, payment, version=seen + 1)
        put_taken(tx, self.door.merchant.id, after, version=version + 1)
        return case

    def _payment(self, tx: UnitOfWork, case: CaseRecord) -> tuple[int, PaymentRecord | None]:
        """Return the payment of the order as it is stored, and its version; None where none is."""
        order = case.decision.request.order
        row = None if order is None else tx.record(self.door.merchant.id, PAYMENT_KIND, order)
        return (0, None) if row is None else (row.version, PaymentRecord.from_json(row.body))

    def _check_redemptions(self, tx: UnitOfWork, case: CaseRecord) -> None:
        entries = dict[tuple[str, str], str]()
        for each in case.redemptions:
            account_name = self.door._account_of(each.entry, UnknownEntry)
            account = tx.account_by_id(self.door.merchant.id, account_name)
            entry = None if account is None else tx.entry_by_id(account, EntryId(each.entry))
            if entry is None:
                raise UnknownEntry(each.entry)
            if entry.kind not in REDEMPTIONS:
                raise NotARedemption(each.entry, entry.kind)
            key = (case.decision.request.line(each.line).id, unit_of(account_of(each.entry)))
            if key in entries:
                expected = f"one entry of {key[1]} for each line"
                raise InvalidReturn(f"redemptions of {each.line}", each.entry, expected)
            entries[key] = each.entry
        require_redemptions(case.decision, entries)
        for name, amount in back_of(case.decision, case.redemptions).items():
            self.door._require_restorable(tx, EntryId(name), amount)

    # The pieces of the order

    def _change_order(
        self, tx: UnitOfWork, case: CaseRecord, change: Callable[[RefundedOrder], RefundedOrder]
    ) -> None:
        name, merchant = case.decision.request.order, self.door.merchant.id
        if name is None:
            return
        version, order = taken_of(tx, merchant, name)
        after = change(order)
        if after != order:
            put_taken(tx, merchant, after, version=version + 1)

    # Steps

    def step(
        self,
        told: "CaseTold",
        take: Pure,
        *,
        carry: _Carry | None = None,
    ) -> CaseRecord:
        """Take a step; nothing is written where nothing changes."""
        self.code = None
        made = list[IssuedCode]()

        def work(tx: UnitOfWork) -> tuple[CaseRecord, IssuedCode | None]:
            row, case = self._load(tx)
            giving = CaseGiving(self.door, self.case, told.by, told.context)
            with self._as_read(tx, row.version):
                after = take(case)
                if after is case:
                    return case, self._committed(tx, made)
                if carry is not None:
                    after = carry(tx, after, giving)
            self._put(tx, after, version=row.version + 1)
            made.extend([] if giving.code is None else [giving.code])
            return after, giving.code

        found, self.code = self.door._write(work)
        return found

    def _committed(self, reader: Reader, made: list[IssuedCode]) -> IssuedCode | None:
        """
        Return the code of an attempt of this very call that was committed, and not heard of.

        It was shown to nobody; those of attempts that were undone never were anything.
        """
        for code in made:
            row = reader.record(self.door.merchant.id, CLAIM_KIND, code.claim.id)
            if row is not None and Claim.from_json(row.body).digest == code.claim.digest:
                return code
        return None

    def approve(self, told: "CaseTold", take: Pure) -> CaseRecord:
        """Approve, and give the credit at once where the offer says so."""

        def carry(tx: UnitOfWork, after: CaseRecord, giving: CaseGiving) -> CaseRecord:
            before = [event.state for event in after.events][-2]
            begins = before in (CaseState.REQUESTED, CaseState.REOPENED)
            if begins and after.gives_at_once:
                return giving.at_once(tx, after, CaseTerms())
            return after

        return self.step(told, take, carry=carry)

    def complete(self, told: "CaseTold", take: Pure, terms: CaseTerms) -> CaseRecord:
        """Give everything, once."""

        def carry(tx: UnitOfWork, after: CaseRecord, giving: CaseGiving) -> CaseRecord:
            given = giving.complete(tx, after, terms)
            self._change_order(tx, after, lambda order: order.keep(after.id, after.fractions))
            return given

        return self.step(told, take, carry=carry)

    def end(self, told: "CaseTold", take: Pure, terms: CaseTerms) -> CaseRecord:
        """Deny or cancel: take back what was given, and free the pieces."""

        def carry(tx: UnitOfWork, after: CaseRecord, giving: CaseGiving) -> CaseRecord:
            taken = giving.take_back(tx, after, terms)
            self._change_order(tx, after, lambda order: order.free(after.id))
            return taken

        return self.step(told, take, carry=carry)

    def reopen(self, told: "CaseTold", take: Pure) -> CaseRecord:
        """Look again, and take the pieces again."""

        def carry(tx: UnitOfWork, after: CaseRecord, _: CaseGiving) -> CaseRecord:
            return self._with_pieces(tx, after, {})

        return self.step(told, take, carry=carry)

    def settle_refund(self, key: str, answer: Answer) -> CaseRecord:
        """Record what a processor says, in the case and in the payment of the order."""

        def work(tx: UnitOfWork) -> CaseRecord:
            row, case = self._load(tx)
            with self._as_read(tx, row.version):
                after = case.settle_refund(key, answer, instant(self.door._clock()))
                if after is case:
                    return case
                if case.is_of_checkout:
                    tender, of = case.refund(key).tender, refund_key_of(case.id)
                    desk = Desk(self.door, str(case.decision.request.order))
                    desk.step_in(tx, lambda _, record: record.settle_refund(of, tender, answer))
            self._put(tx, after, version=row.version + 1)
            return after

        return self.door._write(work)

    def redirect(self, told: "CaseTold", take: Pure, key: str, terms: CaseTerms) -> CaseRecord:
        """Turn an external refund that has failed into credit."""
        return self.step(
            told, take, carry=lambda tx, after, giving: giving.redirect(tx, after, key, terms)
        )


@final
class CaseTold:
    """What a step was told besides its own arguments."""

    def __init__(self, door: Claiming, case: str, key: str, about: About) -> None:
        """
        Check it.

        Raises:
            InvalidKey, InvalidText, NaiveInstant, TypeError: As every command.
            FutureInstant: ``at`` is ahead of the clock.
        """
        told = About(**about)
        at = told.pop("at", None)
        told["reference"] = told.get("reference") or case
        self.context: Final[Context] = context_of(told)
        self.by: Final = StepBy(
            key=key,
            at=door._instant(None if at is None else instant(at)),
            actor=self.context.actor,
            reason=self.context.reason,
        )


def redemptions_of(named: Mapping[str, Any] | None) -> tuple[Redemption, ...]:
    """
    Return the entries that redeemed the credit that paid, line by line.

    Raises:
        InvalidReturn: No entries by line.
    """
    if named is None:
        return ()
    if not isinstance(named, Mapping):
        raise InvalidReturn("redemptions", named, "entries by line")
    found = []
    for line, entries in named.items():
        if not isinstance(entries, Iterable):
            expected = "the entry that redeemed it, or a list of entries"
            raise InvalidReturn(f"redemptions of {line}", entries, expected)
        several: Iterable[Any] = (entries,) if isinstance(entries, str) else entries
        found += [Redemption(line, str(entry)) for entry in several]
    return tuple(found)
