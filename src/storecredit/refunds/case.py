"""The record of a refund case: a decision on its way, step by step, each safe to repeat (P5)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, final

import attrs

from storecredit.errors import (
    ApprovalNeeded,
    CaseStepRefused,
    CaseStepRepeated,
    ConsentMissing,
    GoodsNotDue,
    InvalidReturn,
    NothingAccepted,
    UnknownCaseRefund,
)
from storecredit.ledger import require_text
from storecredit.policies import RefundDecision
from storecredit.refunds.accepting import (
    Fraction,
    carried_out,
    fractions,
    gives_nothing,
    goods_to_return,
    require_accepted,
)
from storecredit.refunds.facts import (
    CaseEvent,
    CaseRefund,
    GivenCredit,
    LineShare,
    Redemption,
    StepBy,
    decision_in_words,
    pieces_in_words,
    step_in_words,
)
from storecredit.refunds.life import CLOSED, TRANSITIONS, CaseState, CaseStep
from storecredit.tenders import Answer, ExternalRefund, LineQuantity
from storecredit.tenders.json_form import read_form, write_form
from storecredit.values import Period, instant

ARRIVE_WITHIN: Final = Period(days=30)
"""How long goods may be on their way whose credit was given before, unless somebody says."""


@final
@attrs.frozen(kw_only=True)
class CaseRecord:
    """
    How far the refund of a request has come. A step returns the next record, or this very one.

    Every step may be repeated: the same key with the same facts changes nothing, whatever state
    the case is in by then; with other facts it is refused (A12). A case completes at most once.
    """

    decision: RefundDecision
    """What was chosen, by which policy and why; its request names the case."""
    state: CaseState = CaseState.REQUESTED
    events: tuple[CaseEvent, ...] = ()
    """Every step, in order."""
    is_of_checkout: bool = False
    """Whether the order was paid by a checkout, whose record says what was paid."""
    shares: tuple[LineShare, ...] = ()
    """What each tender of the checkout paid of these pieces."""
    redemptions: tuple[Redemption, ...] = ()
    """Without a checkout: what redeemed the credit that paid."""
    accepted: tuple[LineQuantity, ...] | None = None
    """What the last inspection accepted, by line; None before there was any."""
    arrive_by: datetime | None = None
    """Until when the goods have to arrive, where credit was given before."""
    given: tuple[GivenCredit, ...] = ()
    """The lots that were issued."""
    holder: str | None = None
    """Who gets the credit, where the request names nobody."""
    refunds: tuple[CaseRefund, ...] = ()
    """What the host has to give back through external tenders."""
    rounds: int = 0
    """How often the case was reopened."""

    # -- what it comes to

    @property
    def id(self) -> str:
        """The id of the case: that of its request."""
        return self.decision.request.id

    @property
    def requested_at(self) -> datetime:
        """When it began."""
        return self.events[0].at

    @property
    def credit_holder(self) -> str | None:
        """Who gets the credit; None for a guest without an account."""
        return self.decision.request.holder or self.holder

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is to be done, but for answers about external refunds."""
        return self.state in CLOSED

    @property
    def needs_goods(self) -> bool:
        """Whether goods have to come back."""
        return bool(goods_to_return(self.decision))

    @property
    def gives_at_once(self) -> bool:
        """
        Whether credit is given as soon as the case is approved, before the goods are back.

        Only to a holder: what a bearer of a code has could not be taken back.
        """
        offer = self.decision.offer
        return offer.instant and self.needs_goods and self.credit_holder is not None

    @property
    def accepted_pieces(self) -> Mapping[str, int] | None:
        """How many pieces the last inspection accepted, by line."""
        if self.accepted is None:
            return None
        return {each.line: each.quantity for each in self.accepted}

    @property
    def fractions(self) -> Mapping[str, Fraction]:
        """How much of each line is accepted."""
        return fractions(self.decision, self.accepted_pieces)

    @property
    def final(self) -> RefundDecision:
        """The decision with the amounts of what is accepted: all, before an inspection."""
        return carried_out(self.decision, self.accepted_pieces)

    @property
    def refunds_due(self) -> tuple[ExternalRefund, ...]:
        """What the host has to give back and has no answer about, with keys for the processor."""
        return tuple(each.instruction for each in self.refunds if each.answer is Answer.PENDING)

    @property
    def allowed(self) -> tuple[CaseStep, ...]:
        """The steps that go on from here."""
        following = TRANSITIONS[self.state]
        if self.state is CaseState.APPROVED:
            without = CaseStep.COMPLETE if self.needs_goods else None
            sending = (CaseStep.AWAIT_RETURN, CaseStep.SHIP, CaseStep.RECEIVE)
            return tuple(
                step
                for step in following
                if step is not without and (self.needs_goods or step not in sending)
            )
        if self.state is CaseState.COMPLETED:
            wanted = {
                CaseStep.SETTLE_REFUND: bool(self.refunds),
                CaseStep.REDIRECT: any(each.answer is Answer.FAILED for each in self.refunds),
            }
            return tuple(step for step in following if wanted[step])
        return tuple(following)

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Who has approved since the case was last reopened and may: nobody who has a part in it."""
        found: list[str] = []
        for event in self.events:
            if event.step is CaseStep.REOPEN:
                found = []
            elif event.step is CaseStep.APPROVE and self._may_approve(event.actor):
                found.append(str(event.actor))
        return tuple(dict.fromkeys(found))

    # -- the steps

    @classmethod
    def requested(
        cls,
        decision: RefundDecision,
        by: StepBy,
        *,
        redemptions: Iterable[Redemption] = (),
    ) -> "CaseRecord":
        """Begin a case."""
        begun = CaseEvent(
            step=CaseStep.REQUEST,
            state=CaseState.REQUESTED,
            at=by.at,
            key=by.key,
            actor=by.actor,
            reason=by.reason,
        )
        return cls(
            decision=decision,
            events=(begun,),
            redemptions=tuple(redemptions),
        )

    def require_same_request(
        self, decision: RefundDecision, by: StepBy, redemptions: Iterable[Redemption]
    ) -> None:
        """
        Require that a request is that of this case; when it is made again does not count.

        Raises:
            CaseStepRepeated: It has another key, or is about something else.
        """
        first = self.events[0]
        if by.key != first.key:
            raise CaseStepRepeated(self.id, "request", by.key, f"requested by {first.key}", by.key)
        asked = attrs.evolve(decision.request, at=self.decision.request.at)
        same = attrs.evolve(decision, request=asked) == self.decision
        if not same or tuple(redemptions) != self.redemptions:
            raise CaseStepRepeated(
                self.id,
                "request",
                by.key,
                decision_in_words(self.decision),
                f"{decision_in_words(decision)}, or otherwise",
            )

    def approve(self, by: StepBy, *, arrive_by: Period | datetime | None = None) -> "CaseRecord":
        """
        Approve the case, or what a limit asks of it later on.

        Args:
            by: When, who and why; somebody else than requester, agent and customer where the
                decision needs approval (P3).

            arrive_by: How long, or until when, the goods may be on their way, where credit is given
                at once; None for 30 days.

        Raises:
            NaiveInstant: It has no zone.
            CaseStepRepeated: The key has other facts.
            CaseStepRefused: The state does not allow it.
            ApprovalNeeded: The decision needs the approval of somebody else.
        """
        facts = "" if arrive_by is None else f"goods by {arrive_by}"
        after = self._step(CaseStep.APPROVE, by, facts)
        if after is self:
            return self
        until = ARRIVE_WITHIN if arrive_by is None and self.gives_at_once else arrive_by
        until = until.after(by.at) if isinstance(until, Period) else until
        if self.decision.needs_approval and not after.approved_by:
            raise ApprovalNeeded(self.id, self.decision.offer.approval, by.actor)
        return after if until is None else attrs.evolve(after, arrive_by=instant(until))

    def deny(self, by: StepBy) -> "CaseRecord":
        """
        Deny the case.

        Raises:
            CaseStepRepeated, CaseStepRefused: As every step.
        """
        return self._step(CaseStep.DENY, by)

    def await_return(self, by: StepBy) -> "CaseRecord":
        """
        Record that the customer was told how to send the goods back.

        Raises:
            CaseStepRepeated, CaseStepRefused: As every step.
        """
        return self._step(CaseStep.AWAIT_RETURN, by)

    def ship(self, by: StepBy) -> "CaseRecord":
        """Record that the goods are on their way; raises as every step."""
        return self._step(CaseStep.SHIP, by)

    def receive(self, by: StepBy) -> "CaseRecord":
        """Record that the goods are back; raises as every step."""
        return self._step(CaseStep.RECEIVE, by)

    def inspect(self, by: StepBy, *, accepted: Mapping[str, int] | None = None) -> "CaseRecord":
        """
        Record how many pieces of each line are accepted; None accepts all that came back.

        Raises:
            CaseStepRepeated, CaseStepRefused: As every step.
            InvalidReturn, InvalidTerms: Lines or numbers that cannot be.
            AcceptsTooMuch: More than come back, or than an earlier inspection accepted.
        """
        asked = "all" if accepted is None else pieces_in_words(accepted)
        after = self._step(CaseStep.INSPECT, by, asked)
        if after is self:
            return self
        pieces = require_accepted(self.decision, accepted, before=self.accepted_pieces)
        found = tuple(LineQuantity(line, count) for line, count in pieces.items())
        return attrs.evolve(after, accepted=found)

    def complete(self, by: StepBy, *, holder: str | None = None) -> "CaseRecord":
        """
        Record that everything is given; whoever carries it out adds what came of it.

        Args:
            by: When, who and why.

            holder: Who gets the credit of a guest who has registered since.

        Raises:
            CaseStepRepeated, CaseStepRefused: As every step; a completed case is completed.
            NothingAccepted: There is nothing to refund.
            InvalidReturn: A holder, where the request names one.
        """
        after = self._step(CaseStep.COMPLETE, by, self._for(holder))
        if after is self:
            return self
        if self.accepted is not None and gives_nothing(self.final):
            raise NothingAccepted(self.id)
        return after if holder is None else attrs.evolve(after, holder=holder)

    def cancel(self, by: StepBy) -> "CaseRecord":
        """
        Record that the customer has changed their mind.

        Raises:
            CaseStepRepeated, CaseStepRefused: As every step.
        """
        return self._step(CaseStep.CANCEL, by)

    def reopen(self, by: StepBy) -> "CaseRecord":
        """
        Look again at a case that was denied or cancelled; a completed one stays as it is.

        Raises:
            CaseStepRepeated, CaseStepRefused: As every step.
        """
        after = self._step(CaseStep.REOPEN, by)
        if after is self:
            return self
        return attrs.evolve(after, accepted=None, arrive_by=None, rounds=self.rounds + 1)

    def goods_missing(self, by: StepBy) -> "CaseRecord":
        """
        Record that the goods never came: the case is denied.

        Raises:
            CaseStepRepeated, CaseStepRefused: As every step.
            GoodsNotDue: They may still arrive.
        """
        after = self._step(CaseStep.GOODS_MISSING, by)
        if after is not self and self.arrive_by is not None and by.at < self.arrive_by:
            raise GoodsNotDue(self.id, self.arrive_by, by.at)
        return after

    def settle_refund(self, key: str, answer: Answer, at: datetime) -> "CaseRecord":
        """
        Record what the processor says about an external refund, however late.

        Raises:
            UnknownCaseRefund: The case has no such refund.
            CaseStepRepeated: It has said otherwise before.
        """
        known = self.refund(key)
        if answer in (known.answer, Answer.PENDING):
            return self
        if known.answer is not Answer.PENDING:
            raise CaseStepRepeated(self.id, "answer", key, known.answer, answer)
        after = self._with_event(CaseStep.SETTLE_REFUND, at, f"~settle:{key}", facts=answer.value)
        return after._with_refund(attrs.evolve(known, answer=answer))

    def redirect(
        self, by: StepBy, key: str, *, consent: bool, holder: str | None = None
    ) -> "CaseRecord":
        """
        Record that an external refund that failed becomes credit; `with_redirected` adds the lot.

        Raises:
            UnknownCaseRefund: The case has no such refund.
            InvalidReturn: A holder, where the request names one.
            CaseStepRepeated: The key has other facts, or the refund was redirected before.
            CaseStepRefused: The refund has not failed.
            ConsentMissing: The customer has not agreed to credit in place of money (P6).
        """
        known = self.refund(key)
        told = " ".join(filter(None, [key, self._for(holder)]))
        after = self._step(CaseStep.REDIRECT, by, told)
        if after is self:
            return self
        if known.lot is not None:
            raise CaseStepRepeated(self.id, "redirect", key, "redirected", "redirected again")
        if known.answer is not Answer.FAILED:
            allowed = tuple(step.value for step in self.allowed if step is not CaseStep.REDIRECT)
            raise CaseStepRefused(self.id, "redirect", f"{self.state} ({known.answer})", allowed)
        if consent is not True:
            raise ConsentMissing(self.id, "money was promised, and could not be sent back")
        return after if holder is None else attrs.evolve(after, holder=holder)

    def refund(self, key: str) -> CaseRefund:
        """
        Return the external refund with that key.

        Raises:
            UnknownCaseRefund: There is none.
        """
        for each in self.refunds:
            if each.key == key:
                return each
        raise UnknownCaseRefund(self.id, key, tuple(each.key for each in self.refunds))

    # -- what came of a step

    def of_checkout(self, shares: Iterable[LineShare]) -> "CaseRecord":
        """Return the case with what each tender of the order's checkout paid."""
        return attrs.evolve(self, is_of_checkout=True, shares=tuple(shares))

    def with_given(self, given: Iterable[GivenCredit]) -> "CaseRecord":
        """Return the case with these lots: new ones, or known ones of which something was taken."""
        lots = {each.lot: each for each in self.given}
        lots.update({each.lot: each for each in given})
        return attrs.evolve(self, given=tuple(lots.values()))

    def with_refunds(self, refunds: Iterable[ExternalRefund]) -> "CaseRecord":
        """Return the case with these external refunds to ask for."""
        asked = tuple(
            CaseRefund(tender=each.tender, amount=each.amount, key=each.key, refund=each.refund)
            for each in refunds
        )
        return attrs.evolve(self, refunds=(*self.refunds, *asked))

    def with_redirected(self, key: str, lot: GivenCredit) -> "CaseRecord":
        """Return the case with the lot that an external refund became."""
        after = self._with_refund(attrs.evolve(self.refund(key), lot=lot.lot))
        return after.with_given([lot])

    # -- JSON

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON data, for the storage's records (S11)."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "CaseRecord":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)

    # -- below

    def _may_approve(self, actor: str | None) -> bool:
        override = self.decision.override
        asked = self.decision.request
        parties = {self.events[0].actor, self.decision.agent, asked.holder, asked.buyer}
        parties |= {self.holder, None if override is None else override.actor}
        return actor is not None and actor not in parties

    def _for(self, holder: str | None) -> str:
        if holder is None:
            return ""
        known = self.decision.request.holder
        if known is not None:
            raise InvalidReturn("holder", holder, f"left out: the refund is for {known}")
        return f"for {require_text('holder', holder)}"

    def _step(self, step: CaseStep, by: StepBy, facts: str = "") -> "CaseRecord":
        for event in self.events:
            if event.key == by.key:
                told, known = (step, facts, by.reason), (event.step, event.facts, event.reason)
                if told != known:
                    raise CaseStepRepeated(
                        self.id, step, by.key, step_in_words(*known), step_in_words(*told)
                    )
                return self
        if step not in self.allowed:
            allowed = tuple(each.value for each in self.allowed)
            raise CaseStepRefused(self.id, step.value, self.state.value, allowed)
        return self._with_event(step, by.at, by.key, actor=by.actor, reason=by.reason, facts=facts)

    def _with_event(
        self,
        step: CaseStep,
        at: datetime,
        key: str,
        *,
        actor: str | None = None,
        reason: str | None = None,
        facts: str = "",
    ) -> "CaseRecord":
        state = TRANSITIONS[self.state][step]
        # The times of a case never go back, as those of a journal (A13).
        when = max(at, self.events[-1].at)
        event = CaseEvent(
            step=step, state=state, at=when, key=key, actor=actor, reason=reason, facts=facts
        )
        return attrs.evolve(self, state=state, events=(*self.events, event))

    def _with_refund(self, refund: CaseRefund) -> "CaseRecord":
        refunds = tuple(refund if each.key == refund.key else each for each in self.refunds)
        return attrs.evolve(self, refunds=refunds)
