"""Carrying a decision out through a refund case, as far as it can go just now (P5)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, final

import attrs
import typer

from storecredit.claims import Claim
from storecredit.cli.codes import code_json, show_code
from storecredit.cli.giving import about_of
from storecredit.cli.outcomes import Status, stop
from storecredit.cli.printing import say
from storecredit.errors import CaseNeedsHolder, ConsentMissing
from storecredit.policies import OfferKind, Offers, Policy, RefundDecision
from storecredit.refunds import CaseState, goods_to_return
from storecredit.service import StoreCredit
from storecredit.service.codes import IssuedCode
from storecredit.service.refund_case import RefundCase
from storecredit.tenders.json_form import write_form
from storecredit.values import Balance

_NEW = frozenset({CaseState.REQUESTED, CaseState.REOPENED})
_ON_THE_WAY = frozenset({CaseState.APPROVED, CaseState.AWAITING_RETURN, CaseState.IN_TRANSIT})


@final
@attrs.frozen(kw_only=True)
class Choice:
    """Which offer is taken, and how far it is carried out."""

    kind: OfferKind | None
    by_line: Mapping[str, str]
    consent: bool
    agent: str | None
    override: str | None
    """Why it is decided against the rules, by the agent."""
    approved_by: str | None
    received: bool
    accepted: Mapping[str, int] | None
    """Of the goods that are back, how many pieces of each line; None for all."""
    dry_run: bool
    at: datetime | None

    @property
    def is_made(self) -> bool:
        """Whether an offer is taken at all."""
        return self.kind is not None or bool(self.by_line)

    @property
    def is_done(self) -> bool:
        """Whether it is carried out."""
        return self.is_made and not self.dry_run

    def require_answered(self) -> None:
        """
        Require that somebody answers for a decision against the rules, and for all lines.

        Raises:
            typer.BadParameter: It names no way, no agent, or single lines.
        """
        if self.override is not None and (self.kind is None or self.agent is None or self.by_line):
            raise typer.BadParameter(
                "--override goes with --choose and --agent, who answers for it, and without --line."
            )

    def decide(self, offers: Offers) -> RefundDecision:
        """
        Take the offer, or decide against the rules.

        Raises:
            typer.Exit: The customer has not accepted credit in place of money; that was told.
            StoreCreditError: As `Offers.choose` and `Offers.override`.
        """
        try:
            return self._decided(offers)
        except ConsentMissing as missing:
            why = f"{missing.because}. Ask, and repeat with --consent, or choose the money"
            stop(Status.REFUSED, f"The customer has to accept credit in place of money: {why}.")

    def _decided(self, offers: Offers) -> RefundDecision:
        if self.override is not None and self.kind is not None and self.agent is not None:
            return offers.override(
                self.kind, actor=self.agent, reason=self.override, consent=self.consent
            )
        return offers.choose(
            self.kind, by_line=self.by_line, consent=self.consent, agent=self.agent
        )

    def is_that_of(self, stored: RefundDecision, policy: Policy) -> bool:
        """
        Tell whether *stored* is what this choice led to when it was made first.

        By now its own case may count under the limits, so that nothing is decided again.
        """
        if (stored.policy, stored.consented, stored.agent) != (
            policy.named,
            self.consent,
            self.agent,
        ):
            return False
        if (None if stored.override is None else stored.override.reason) != self.override:
            return False
        if self.override is not None:
            return set(stored.kinds().values()) == {self.kind}
        offers = policy.offers(stored.request, agent=self.agent)
        if not offers.kinds:
            return False
        preferred = offers.kinds[0] if self.kind is None else self.kind
        wanted = {
            terms.line.id: self.by_line.get(
                terms.line.id, preferred if preferred in terms.offer else terms.offer[0]
            )
            for terms in offers.terms
            if terms.offer
        }
        return wanted == stored.kinds()


def require_no_code(decision: RefundDecision, known: RefundCase | None, choice: Choice) -> None:
    """
    Require that a guest gets no claim code now, where there are no keys for one.

    It is looked at before the first step, so that a refusal has changed nothing.

    Raises:
        CaseNeedsHolder: A guest would get one.
    """
    state = CaseState.REQUESTED if known is None else known.state
    if not gives_to_guest(decision, known):
        return
    if state in _NEW and decision.needs_approval and choice.approved_by is None:
        return
    has_goods = choice.received or state is CaseState.INSPECTED
    if has_goods or not goods_to_return(decision):
        amount = Balance.of(*(lot.amount for lot in decision.lots))
        raise CaseNeedsHolder(decision.request.id, amount)


def gives_to_guest(decision: RefundDecision, known: RefundCase | None) -> bool:
    """Tell whether the case is to end in a claim code: credit, and nobody to hold it."""
    if known is None:
        return decision.request.holder is None and bool(decision.lots)
    is_guest = known.record.credit_holder is None
    return is_guest and not known.record.is_closed and bool(decision.lots)


def carry_out(
    credit: StoreCredit,
    decision: RefundDecision,
    choice: Choice,
    *,
    key: str,
    redemptions: Mapping[str, str],
) -> RefundCase:
    """
    Begin the case of *decision*, or find it, and go on until somebody else has to do something.

    It needs approval only where the decision does; goods only where they have to come back.

    Raises:
        As `StoreCredit.request_refund` and the steps of `RefundCase`.
    """
    by_agent = about_of(reference=None, reason=None, actor=choice.agent, at=choice.at)
    case = credit.request_refund(decision, key=key, redemptions=redemptions or None, **by_agent)
    if case.state in _NEW:
        if decision.needs_approval and choice.approved_by is None:
            return case
        actor = choice.approved_by or choice.agent
        about = about_of(reference=None, reason=None, actor=actor, at=choice.at)
        case.approve(key=f"{key}/approve", **about)
    if case.record.needs_goods:
        if case.state in _ON_THE_WAY and choice.received:
            case.receive(key=f"{key}/receive", **by_agent)
        if case.state is CaseState.RECEIVED and choice.received:
            case.inspect(key=f"{key}/inspect", accepted=choice.accepted, **by_agent)
        if case.state is not CaseState.INSPECTED:
            return case
    if not case.record.is_closed:
        case.complete(key=f"{key}/complete", **by_agent)
    return case


def waits_for(case: RefundCase) -> str | None:
    """Say what the case cannot go on without: approval, the goods, or nothing."""
    if case.state in _NEW:
        return "approval"
    return "goods" if case.state in {*_ON_THE_WAY, CaseState.RECEIVED} else None


def show_case(case: RefundCase, codes: tuple[Claim, ...], *, is_known: bool) -> None:
    """Print how far the case has come, what comes back, and what it waits for."""
    tracked = case.track()
    again = " It was there before; nothing was done twice." * is_known
    say(f"Case {case.id} is {case.state.value.replace('_', ' ')}.{again}")
    for back in tracked.backs:
        say(f"  {back.text}" + " (done)" * back.done)
    for due in case.refunds_due:
        say(f"  Give {due.amount} back through {due.tender}, with the key {due.key}.")
    for code in codes:
        show_code(_issued(case, code), code)
    waits = waits_for(case)
    if waits == "approval":
        rules = ", ".join(case.record.decision.offer.approval)
        say(f"It needs approval ({rules}): the same command with --approved-by NAME goes on.")
    elif waits == "goods":
        say("The goods have to come back: the same command with --received goes on.")


def case_json(case: RefundCase, codes: tuple[Claim, ...], *, is_known: bool) -> dict[str, Any]:
    """Return the case as JSON data."""
    return {
        "id": case.id,
        "state": case.state.value,
        "known": is_known,
        "waits_for": waits_for(case),
        "given": [write_form(each) for each in case.given],
        "codes": [code_json(_issued(case, code), code) for code in codes],
        "refunds_due": [write_form(each) for each in case.refunds_due],
        "tracked": case.track().to_json(),
    }


def _issued(case: RefundCase, code: Claim) -> IssuedCode | None:
    """Return *code* with what is shown once, if this run has made it."""
    return case.code if case.code is not None and case.code.id == code.id else None
