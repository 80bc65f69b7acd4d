"""The record of a payment: a plan on its way, step by step, each of them safe to repeat (T5)."""

from collections.abc import Iterable, Mapping
from typing import Any, final

import attrs

from storecredit.errors import (
    ChargeOutstanding,
    PaymentStepRefused,
    PaymentStepRepeated,
    PlanIncomplete,
    UnknownOrderLine,
    UnknownTender,
)
from storecredit.ledger.texts import require_key
from storecredit.tenders.charged import charged, needed_of, outstanding, stranded
from storecredit.tenders.facts import Captured, ChargeFact, HeldTender
from storecredit.tenders.json_form import read_form, write_form
from storecredit.tenders.life import TRANSITIONS, PaymentState, PaymentStep
from storecredit.tenders.payment import Answer, Payment, Return
from storecredit.tenders.plan import Charge, PaymentPlan
from storecredit.tenders.refund_plan import RefundPlan
from storecredit.tenders.tender import AlreadyPaid, positive
from storecredit.values import Money


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
    holds: tuple[HeldTender, ...] = ()
    charges: tuple[ChargeFact, ...] = ()
    captures: tuple[Captured, ...] = ()
    returns: tuple[Return, ...] = ()

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
        return tuple(
            AlreadyPaid(charge.id, charge.amount, takes_back=charge.tender not in one_way)
            for charge in self.charges
            if charge.answer is Answer.CONFIRMED
        )

    @property
    def outstanding(self) -> tuple[Charge, ...]:
        """What the plan asks the host to charge, less what is confirmed or on its way."""
        return outstanding(self.plan, self.charges, self.plans)

    @property
    def stranded(self) -> tuple[Charge, ...]:
        """
        Confirmed charges that pay for nothing: the host gives them back.

        They were confirmed too late, after the payment was cancelled or planned anew; or lines
        that they should have paid were never captured.
        """
        lines = [line.id for line in self.plan.lines]
        if self.state in (PaymentState.CANCELLED, PaymentState.COMPLETED):
            lines = list(self.captured_lines)
        return stranded(self.plan, self.charges, self.plans, lines)

    # -- the steps

    def replan(self, plan: PaymentPlan) -> "PaymentRecord":
        """
        Go on with a new plan of the same order; holds stay until the new plan is held.

        Raises:
            PaymentStepRefused: Something is captured, or the payment is over.
            PaymentStepRepeated: The plan is of another order or merchant.
        """
        if plan == self.plan:
            return self
        mine, theirs = [(each.merchant, each.order) for each in (self.plan, plan)]
        if mine != theirs:
            raise self._other("Plan", plan.order, " ".join(mine), " ".join(theirs))
        state = self._after(PaymentStep.REPLAN)
        return attrs.evolve(self, plan=plan, state=state, plans=self.plans + 1)

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
            self._planned_tender(tender)
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
            InvalidKey, UnknownTender, InvalidTender: The arguments.
            PaymentStepRepeated: The key names another charge.
            PaymentStepRefused: Nothing is held, or the payment is over.
        """
        fact = ChargeFact(
            id=require_key(key),
            tender=self._planned_tender(tender),
            amount=positive("charge", amount),
            plan=self.plans,
        )
        known = self._charge(key)
        if known is not None:
            if (known.tender, known.amount) != (tender, amount):
                before, now = (f"{each.amount} of {each.tender}" for each in (known, fact))
                raise self._other("Charge", key, before, now)
            return self
        state = self._after(PaymentStep.CHARGE)
        return attrs.evolve(self, state=state, charges=(*self.charges, fact))

    def settle_charge(self, key: str, answer: Answer) -> "PaymentRecord":
        """
        Record what the processor says about a charge, however late.

        Raises:
            UnknownTender: No charge has that key.
            PaymentStepRepeated: It has said otherwise before.
        """
        known = self._charge(key)
        if known is None:
            raise UnknownTender(key, tuple(charge.id for charge in self.charges))
        if answer in (known.answer, Answer.PENDING):
            return self
        if known.answer is not Answer.PENDING:
            raise self._other("Charge", key, known.answer, answer)
        settled = attrs.evolve(known, answer=Answer(answer))
        charges = tuple(settled if each.id == key else each for each in self.charges)
        state = self._after(PaymentStep.SETTLE_CHARGE)
        return attrs.evolve(self, state=state, charges=charges)

    def capture(self, lines: Iterable[str], *, key: str) -> "PaymentRecord":
        """
        Record that *lines* are captured, and the rest stays held.

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
        return self._with_captured(PaymentStep.CAPTURE, Captured(key, wanted))

    def complete(self, *, key: str) -> "PaymentRecord":
        """
        Record that every line is captured.

        Raises:
            InvalidKey: The key.
            PaymentStepRefused: Nothing is held, or the payment was cancelled.
            ChargeOutstanding: A confirmed charge is missing.
        """
        require_key(key)
        done = self.captured_lines
        rest = tuple(line.id for line in self.plan.lines if line.id not in done)
        if self.state is PaymentState.COMPLETED and not rest:
            return self
        return self._with_captured(PaymentStep.COMPLETE, Captured(key, rest))

    def cancel(self) -> "PaymentRecord":
        """
        Record that everything that is not captured is released.

        Raises:
            PaymentStepRefused: Everything is captured: refund it.
        """
        is_partly = len(self.captured_lines) < len(self.plan.lines)
        if self.state is PaymentState.CANCELLED or (
            self.state is PaymentState.COMPLETED and is_partly
        ):
            return self
        return attrs.evolve(self, state=self._after(PaymentStep.CANCEL), holds=())

    def refund(self, plan: RefundPlan, *, key: str) -> "PaymentRecord":
        """
        Record that a refund goes back; its external parts are reserved until they are settled.

        Raises:
            InvalidKey: The key.
            PaymentStepRepeated: The key names another refund.
            PaymentStepRefused: Nothing is captured.
        """
        fact = plan.as_return(self.payment, key=key)
        known = self.returned(key)
        if known is not None:
            if known.parts != fact.parts:
                before, now = (
                    ", ".join(f"{part.covers} to {part.tender}" for part in each.parts)
                    for each in (known, fact)
                )
                raise self._other("Refund", key, before or "nothing", now or "nothing")
            return self
        state = self._after(PaymentStep.REFUND)
        return attrs.evolve(self, state=state, returns=(*self.returns, fact))

    def settle_refund(self, key: str, tender: str, answer: Answer) -> "PaymentRecord":
        """
        Record what the processor says about the part of a refund that goes through *tender*.

        Raises:
            UnknownTender: The refund has no external part for it.
            PaymentStepRepeated: It has said otherwise before.
        """
        known = self.returned(key)
        asked = () if known is None else known.external
        if known is None or tender not in asked:
            raise UnknownTender(tender, asked)
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

    def _after(self, step: PaymentStep) -> PaymentState:
        following = TRANSITIONS[self.state]
        if step not in following:
            allowed = tuple(each.value for each in following)
            raise PaymentStepRefused(self.plan.order, step.value, self.state.value, allowed)
        return following[step]

    def _other(self, step: str, name: str, known: str, given: str) -> PaymentStepRepeated:
        return PaymentStepRepeated(self.plan.order, step, name, known or "nothing", given)

    def _planned_tender(self, tender: str) -> str:
        if any(each.id == tender for each in self.plan.tenders):
            return tender
        raise UnknownTender(tender, tuple(each.id for each in self.plan.tenders))

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
