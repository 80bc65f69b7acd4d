"""The record of a payment: a plan on its way, step by step, each of them safe to repeat (T5)."""

from collections.abc import Iterable, Mapping
from typing import Any, final

import attrs

from storecredit.errors import (
    ChargeExceedsDue,
    ChargeOutstanding,
    ChargePending,
    ForeignPlan,
    GivesBackTooMuch,
    InvalidKey,
    InvalidTender,
    PaymentStepRefused,
    PaymentStepRepeated,
    PlanIncomplete,
    UnknownOrderLine,
    UnknownPaymentStep,
    UnknownTender,
)
from storecredit.ledger.texts import require_key
from storecredit.tenders.charged import charged, needed_of, outstanding, stranded
from storecredit.tenders.facts import Begun, Captured, ChargeFact, HeldTender, Stranded
from storecredit.tenders.json_form import read_form, write_form
from storecredit.tenders.life import TRANSITIONS, PaymentState, PaymentStep
from storecredit.tenders.payment import Answer, ExternalRefund, Payment, Return
from storecredit.tenders.plan import Charge, PaymentPlan, digest_of
from storecredit.tenders.refund_plan import RefundPlan
from storecredit.tenders.rest import require_left
from storecredit.tenders.tender import AlreadyPaid, TenderKind, positive
from storecredit.values import Balance, Money


@final
@attrs.frozen(kw_only=True)
class PaymentRecord:
    """
    How far the payment of an order has come. A step returns the next record, or this very one.

    Every step may be repeated, and come from two triggers: the same facts again change nothing,
    in whatever state the payment is by then; other facts under the same key are refused.
    """

    plan: PaymentPlan
    state: PaymentState = PaymentState.PLANNED
    plans: int = 0
    """How many plans were replaced by this one."""
    begun: tuple[Begun, ...] = ()
    """The plans that were begun, each with its key, so that a repeat is known."""
    holds: tuple[HeldTender, ...] = ()
    charges: tuple[ChargeFact, ...] = ()
    captures: tuple[Captured, ...] = ()
    returns: tuple[Return, ...] = ()
    cancels: tuple[str, ...] = ()
    """The keys of the cancellations."""

    # -- what it comes to

    @property
    def captured_lines(self) -> tuple[str, ...]:
        """The lines that are captured, in the order of the plan."""
        found = {line for capture in self.captures for line in capture.lines}
        return tuple(line.id for line in self.plan.lines if line.id in found)

    @property
    def payment(self) -> Payment:
        """What is paid by what is captured, and what has been returned of it."""
        paid = Payment.of(self.plan, lines=self.captured_lines)
        return attrs.evolve(paid, returns=self.returns)

    @property
    def paid_already(self) -> tuple[AlreadyPaid, ...]:
        """The confirmed charges, as tenders for the next plan: they count first (T2)."""
        one_way = {tender.id for tender in self.plan.tenders if not tender.takes_back}
        # A charge of an earlier plan is a tender of this one under its own key.
        return tuple(
            AlreadyPaid(
                charge.id, charge.kept, takes_back=one_way.isdisjoint((charge.tender, charge.id))
            )
            for charge in self.charges
            if charge.answer is Answer.CONFIRMED and charge.kept.is_positive
        )

    @property
    def outstanding(self) -> tuple[Charge, ...]:
        """What the plan asks the host to charge, less what is confirmed or on its way."""
        if self._is_over:
            return ()
        return outstanding(self.plan, self.charges, self.plans)

    @property
    def pending(self) -> tuple[ChargeFact, ...]:
        """The charges of which nobody knows yet whether they were made: ask the processor."""
        return tuple(charge for charge in self.charges if charge.answer is Answer.PENDING)

    @property
    def stranded(self) -> tuple[Stranded, ...]:
        """
        Confirmed charges that pay for nothing: the host gives them back.

        They were confirmed too late, after the payment was cancelled or planned anew; or lines
        that they should have paid were never captured.
        """
        lines = [line.id for line in self.plan.lines]
        if self._is_over:
            lines = list(self.captured_lines)
        return stranded(self.plan, self.charges, self.plans, lines)

    @property
    def refunds_due(self) -> tuple[ExternalRefund, ...]:
        """What the host has to give back and has no answer about: all pending refunds."""
        return tuple(each for returned in self.returns for each in returned.instructions)

    # -- the steps

    def was_begun(self, plan: PaymentPlan, *, key: str) -> bool:
        """
        Tell whether *plan* was begun with *key* before, whatever has happened since.

        Raises:
            PaymentStepRepeated: Another plan was begun with that key.
        """
        now = digest_of(plan)
        for each in self.begun:
            if each.key == key:
                if each.digest != now:
                    raise self._other("Plan", key, each.digest, now)
                return True
        return False

    def replan(self, plan: PaymentPlan, *, key: str | None = None) -> "PaymentRecord":
        """
        Go on with a new plan of the same order; holds stay until the new plan is held.

        The same plan again changes nothing, unless a new key says that it is to be begun anew where
        nothing of it is held any more.

        Args:
            plan: The new plan.

            key: What it is begun with, to be known by `was_begun`.

        Raises:
            PaymentStepRepeated: The plan is of another order or merchant.
            PaymentStepRefused: Something is captured, or the payment is over.
            ChargePending: Nobody knows yet whether a charge was made that the plan does not count;
                once the payment is cancelled, such a charge is given back instead.
        """
        over = (PaymentState.PLANNED, PaymentState.CANCELLED)
        if plan == self.plan and (key is None or self.state not in over):
            return self
        mine, theirs = [(each.merchant, each.order) for each in (self.plan, plan)]
        if mine != theirs:
            raise self._other("Plan", plan.order, " ".join(mine), " ".join(theirs))
        state = self._after(PaymentStep.REPLAN)
        keys = tuple(charge.id for charge in self.pending if charge.plan == self.plans)
        if keys and self.state is not PaymentState.CANCELLED:
            raise ChargePending(self.plan.order, keys)
        begun = self.begun if key is None else (*self.begun, Begun(key, digest_of(plan)))
        return attrs.evolve(self, plan=plan, state=state, plans=self.plans + 1, begun=begun)

    def hold(self, holds: Mapping[str, str]) -> "PaymentRecord":
        """
        Record the holds that reserve the plan's credit, by tender.

        Raises:
            PlanIncomplete: The plan leaves something unpaid.
            UnknownTender: The plan has no such tender.
            PaymentStepRepeated: The plan is held by other holds already.
            PaymentStepRefused: The payment is not planned, or over.
        """
        held = tuple(HeldTender(tender, holds[tender]) for tender in holds)
        if self.state is not PaymentState.PLANNED and held == self.holds:
            return self
        if self.state is PaymentState.HELD:
            known = ", ".join(each.hold for each in self.holds)
            raise self._other("Hold", self.plan.order, known, ", ".join(holds.values()))
        state = self._after(PaymentStep.HOLD)
        if not self.plan.is_complete:
            raise PlanIncomplete(self.plan.order, self.plan.shortage)
        for tender in holds:
            self.require_tender(tender)
        return attrs.evolve(self, state=state, holds=held)

    def lose_hold(self) -> "PaymentRecord":
        """
        Record that a hold lapsed before it was captured: what else is held is to be planned anew.

        Raises:
            PaymentStepRefused: Something is captured, or the payment is over.
        """
        if self.state is PaymentState.PLANNED:
            return self
        return attrs.evolve(self, state=self._after(PaymentStep.LOSE_HOLD), holds=())

    def charge(self, tender: str, amount: Money, *, key: str) -> "PaymentRecord":
        """
        Record that the host is about to charge *amount*, before it does.

        Raises:
            InvalidKey, InvalidTender: The key or the amount.
            PaymentStepRepeated: The key names another charge.
            InvalidKey: The plan has a tender of that id.
            UnknownTender: The plan has no such tender.
            InvalidTender: It is none that the host charges: an account, or what is paid already.
            PaymentStepRefused: Nothing is held, or the payment is over.
            ChargeExceedsDue: More than is outstanding.
        """
        fact = ChargeFact(
            id=require_key(key),
            tender=tender,
            amount=positive("charge", amount),
            plan=self.plans,
        )
        known = self._charge(key)
        if known is not None:
            if (known.tender, known.amount) != (tender, fact.amount):
                before, now = (f"{each.amount} of {each.tender}" for each in (known, fact))
                raise self._other("Charge", key, before, now)
            return self
        if key in [each.id for each in self.plan.tenders]:
            raise InvalidKey(key, "is the id of a tender, as the charge will be in the next plan")
        self._require_chargeable(self.require_tender(tender))
        state = self._after(PaymentStep.CHARGE)
        unit = fact.amount.unit
        due = Balance.of(*(each.amount for each in self.outstanding if each.tender == tender))[unit]
        if fact.amount > due:
            raise ChargeExceedsDue(self.plan.order, tender, fact.amount, due)
        return attrs.evolve(self, state=state, charges=(*self.charges, fact))

    def settle_charge(self, key: str, answer: Answer) -> "PaymentRecord":
        """
        Record what the processor says about a charge, however late.

        Raises:
            UnknownPaymentStep: No charge has that key.
            PaymentStepRepeated: It has said otherwise before.
        """
        known = self._charge(key)
        if known is None:
            raise self._unknown("charge", key, [charge.id for charge in self.charges])
        if answer in (known.answer, Answer.PENDING):
            return self
        if known.answer is not Answer.PENDING:
            raise self._other("Charge", key, known.answer, answer)
        settled = attrs.evolve(known, answer=Answer(answer))
        charges = tuple(settled if each.id == key else each for each in self.charges)
        state = self._after(PaymentStep.SETTLE_CHARGE)
        return attrs.evolve(self, state=state, charges=charges)

    def give_back(self, key: str, total: Money) -> "PaymentRecord":
        """
        Record that the host has given back what of a charge pays for nothing (`stranded`).

        Args:
            key: The key of the charge.

            total: What has been given back of it in all, this time included: a repeat says the
                same, and changes nothing.

        Raises:
            InvalidTender: *total* is nothing or less.
            UnknownPaymentStep: No charge has that key.
            UnitMismatch: The charge is in another unit.
            GivesBackTooMuch: More than was given back so far and is stranded now.
        """
        total = positive("given back", total)
        known = self._charge(key)
        if known is None:
            raise self._unknown("charge", key, [charge.id for charge in self.charges])
        before = known.amount - known.kept
        if total <= before:
            return self
        stranded_ = [each.total for each in self.stranded if each.charge == key]
        most = stranded_[0] if stranded_ else before
        if total > most:
            raise GivesBackTooMuch(self.plan.order, key, total, most)
        given = attrs.evolve(known, given_back=total)
        charges = tuple(given if each.id == key else each for each in self.charges)
        return attrs.evolve(self, state=self._after(PaymentStep.GIVE_BACK), charges=charges)

    def capture(self, lines: Iterable[str], *, key: str) -> "PaymentRecord":
        """
        Record that *lines* are captured, and the rest stays held. No lines change nothing.

        Raises:
            InvalidKey: The key.
            UnknownOrderLine: The plan has no such line.
            PaymentStepRepeated: The key names another capture, or a line is captured already.
            PaymentStepRefused: Nothing is held, or the payment is over.
            ChargeOutstanding: A confirmed charge that the lines need is missing.
        """
        wanted = tuple(lines)
        require_key(key)
        for capture in self.captures:
            if capture.id == key:
                if capture.lines != wanted:
                    raise self._other("Capture", key, ", ".join(capture.lines), ", ".join(wanted))
                return self
        known = [line.id for line in self.plan.lines]
        for line in wanted:
            if line not in known:
                raise UnknownOrderLine(line, tuple(known))
            if line in self.captured_lines:
                raise self._other("Line", line, "captured", f"captured again by {key}")
        if not wanted:
            self._after(PaymentStep.CAPTURE)
            return self
        return self._with_captured(PaymentStep.CAPTURE, Captured(key, wanted))

    def complete(self, *, key: str) -> "PaymentRecord":
        """
        Record that every line is captured.

        Raises:
            InvalidKey: The key.
            PaymentStepRepeated: The key names a capture of other lines.
            PaymentStepRefused: Nothing is held, or the payment was cancelled.
            ChargeOutstanding: A confirmed charge is missing.
        """
        require_key(key)
        done = self.captured_lines
        rest = tuple(line.id for line in self.plan.lines if line.id not in done)
        if self.state is PaymentState.COMPLETED and not rest:
            return self
        known = next((capture for capture in self.captures if capture.id == key), None)
        if known is not None and rest:
            raise self._other("Capture", key, ", ".join(known.lines), ", ".join(rest))
        return self._with_captured(PaymentStep.COMPLETE, Captured(key, rest))

    def cancel(self, *, key: str | None = None) -> "PaymentRecord":
        """
        Record that everything that is not captured is released.

        Args:
            key: Names this cancellation: a repeat that comes after the order was begun again
                changes nothing.

        Raises:
            InvalidKey: The key.
            PaymentStepRefused: Everything is captured: refund it.
        """
        if key is not None and require_key(key) in self.cancels:
            return self
        cancels = self.cancels if key is None else (*self.cancels, key)
        is_partly = len(self.captured_lines) < len(self.plan.lines)
        if self.state is PaymentState.CANCELLED or (
            self.state is PaymentState.COMPLETED and is_partly
        ):
            return self if key is None else attrs.evolve(self, cancels=cancels)
        state = self._after(PaymentStep.CANCEL)
        return attrs.evolve(self, state=state, holds=(), cancels=cancels)

    def refund(self, plan: RefundPlan, *, key: str) -> "PaymentRecord":
        """
        Record that a refund goes back; its external parts are reserved until they are settled.

        Raises:
            InvalidKey: The key.
            ForeignPlan: The plan is of another merchant or order.
            PaymentStepRepeated: The key names another refund.
            PaymentStepRefused: Nothing is captured.
            UnknownOrderLine: Pieces of a line come back that is not captured.
            RefundExceedsPaid, QuantityExceedsRest: The plan was made before another refund, which
                has returned some of that.
        """
        if plan.merchant != self.plan.merchant:
            raise ForeignPlan("merchant", plan.merchant, self.plan.merchant)
        if plan.order != self.plan.order:
            raise ForeignPlan("order", plan.order, self.plan.order)
        fact = plan.as_return(self.payment, key=key)
        known = self.returned(key)
        if known is not None:
            if not known.is_of(fact):
                before, now = _told(known), _told(fact)
                raise self._other("Refund", key, before or "nothing", now or "nothing")
            return self
        state = self._after(PaymentStep.REFUND)
        require_left(self.payment, fact)
        return attrs.evolve(self, state=state, returns=(*self.returns, fact))

    def settle_refund(self, key: str, tender: str, answer: Answer) -> "PaymentRecord":
        """
        Record what the processor says about the part of a refund that goes through *tender*.

        Raises:
            UnknownPaymentStep: No refund has that key.
            UnknownTender: The refund has no external part for it.
            PaymentStepRepeated: It has said otherwise before.
        """
        known = self.returned(key)
        if known is None:
            raise self._unknown("refund", key, [each.id for each in self.returns])
        if tender not in known.external:
            raise UnknownTender(tender, known.external)
        before = known.answer_of(tender)
        if answer in (before, Answer.PENDING):
            return self
        if before is not Answer.PENDING:
            raise self._other("Refund", f"{key}/{tender}", before, answer)
        failed = (tender,) if answer == Answer.FAILED else ()
        settled = attrs.evolve(
            known,
            pending=tuple(each for each in known.pending if each != tender),
            failed=(*known.failed, *failed),
        )
        returns = tuple(settled if each.id == key else each for each in self.returns)
        return attrs.evolve(self, state=self._after(PaymentStep.SETTLE_REFUND), returns=returns)

    def returned(self, key: str) -> Return | None:
        """Return the refund with that key, or None: whoever repeats a refund asks here first."""
        return next((each for each in self.returns if each.id == key), None)

    def require_tender(self, tender: str) -> str:
        """
        Return *tender* if the plan has it.

        Raises:
            UnknownTender: It has not.
        """
        if any(each.id == tender for each in self.plan.tenders):
            return tender
        raise UnknownTender(tender, tuple(each.id for each in self.plan.tenders))

    # -- JSON

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON data, for the storage's records (S11)."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "PaymentRecord":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)

    # -- below

    @property
    def _is_over(self) -> bool:
        return self.state in (PaymentState.CANCELLED, PaymentState.COMPLETED)

    def _require_chargeable(self, tender: str) -> None:
        planned = next(each for each in self.plan.tenders if each.id == tender)
        if planned.kind is not TenderKind.EXTERNAL or planned.is_paid:
            raise InvalidTender("tender", tender, "one that the host is to charge")

    def _after(self, step: PaymentStep) -> PaymentState:
        following = TRANSITIONS[self.state]
        if step not in following:
            allowed = tuple(each.value for each in following)
            raise PaymentStepRefused(self.plan.order, step.value, self.state.value, allowed)
        return following[step]

    def _unknown(self, step: str, key: str, known: Iterable[str]) -> UnknownPaymentStep:
        return UnknownPaymentStep(self.plan.order, step, key, tuple(known))

    def _other(self, step: str, name: str, known: str, given: str) -> PaymentStepRepeated:
        return PaymentStepRepeated(self.plan.order, step, name, known or "nothing", given)

    def _charge(self, key: str) -> ChargeFact | None:
        return next((charge for charge in self.charges if charge.id == key), None)

    def _with_captured(self, step: PaymentStep, captured: Captured) -> "PaymentRecord":
        state = self._after(step)
        after = attrs.evolve(self, state=state, captures=(*self.captures, captured))
        lines = after.captured_lines
        for charge in self.plan.charges:
            unit = charge.amount.unit
            needed = needed_of(self.plan, charge.tender, unit, lines)
            confirmed = charged(self.charges, self.plans, charge.tender, unit, (Answer.CONFIRMED,))
            if confirmed < needed:
                raise ChargeOutstanding(
                    self.plan.order,
                    charge.tender,
                    Money.of_minor(needed, unit),
                    Money.of_minor(confirmed, unit),
                )
        return after


def _told(fact: Return) -> str:
    """Say what a refund returns, for whoever compares two of them."""
    found = [f"{part.covers} to {part.tender}" for part in fact.parts]
    found += [f"{amount} of goodwill" for amount in fact.goodwill]
    found += [f"{each.quantity} of line {each.line}" for each in fact.quantities]
    found += [f"{each.amount} taken back" for each in fact.taken_back]
    return ", ".join(found)
