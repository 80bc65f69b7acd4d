"""Deciding: every return of a history, one after the other, by a refund policy (P2)."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.policies import (
    LineOffer,
    OfferKind,
    Offers,
    Policy,
    RefundDecision,
    RefundPolicy,
    ReturnRequest,
)
from storecredit.replay.clock import SettableClock
from storecredit.replay.driving import Progress
from storecredit.replay.policy_totals import Part, PolicyTotals, policy_discrepancies
from storecredit.replay.resuming import claim
from storecredit.replay.returns import ReturnHistory
from storecredit.replay.tallying import Tallies
from storecredit.replay.totals import sums_of
from storecredit.service import Grant, StoreCredit
from storecredit.storage import Storage
from storecredit.tenders.json_form import write_form

_STRIDE: Final = 100
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WISHED: Final = (OfferKind.CREDIT, OfferKind.MONEY, OfferKind.EXCHANGE)


def replay_policy(
    history: ReturnHistory, policy: Policy, storage: Storage, *, progress: Progress | None = None
) -> PolicyTotals:
    """
    Decide every return of *history* by *policy*, issue what becomes credit, and add up.

    For each line the customer takes credit where it is offered, else money, else an exchange, and
    gives every consent. Credit is issued, the refunded part and the bonus as lots of their own;
    money and exchanges are counted only. What needs approval is approved, and counted. Limits of
    customers bind as they would have then. The clock of the service stands at the instant of the
    return. Orders spend nothing here: what is asked is what the policy gives.

    A run that broke off can be started again with the same arguments, and ends in the same
    totals.

    Args:
        history: What was asked back.

        policy: The rules; its section refund decides.

        storage: Where the ledger is kept: empty, or with an earlier run of the same history by
            the same policy.

        progress: Called with the number of requests done.

    Raises:
        InvalidTerms: The policy has no section refund.
        StorageUnusable: The ledger holds something else.
        InstantOutOfRange: Credit would live beyond the year 9999.
        ConcurrentChange: Somebody else claims the ledger at the same time.
        StorageBusy, StorageUnavailable: The storage.
    """
    terms = {"unit": history.unit.code, "policy": str(policy.named), "rules": _digest(policy)}
    run = _Run(history, policy, storage)
    claim(storage, history.merchant, list(history.digests()), terms)
    for done, request in enumerate(history.requests, 1):
        run.decide(request)
        if progress is not None and (done % _STRIDE == 0 or done == len(history.requests)):
            progress(done)
    return run.finish()


def require_refunds(policy: Policy) -> RefundPolicy:
    """
    Return the section of *policy* that decides returns.

    Raises:
        InvalidTerms: It has none.
    """
    if policy.refund is None:
        raise InvalidTerms("the policy", policy.name, "one with a section refund")
    return policy.refund


def _digest(policy: Policy) -> str:
    """Name the refund rules by what they say, whatever version they are given out for."""
    form = json.dumps(write_form(require_refunds(policy)), sort_keys=True)
    return hashlib.sha256(form.encode()).hexdigest()[:16]


@final
class _Run:
    """One run: the service it drives, and what was decided so far."""

    def __init__(self, history: ReturnHistory, policy: Policy, storage: Storage) -> None:
        self._history = history
        self._policy = policy
        self._tallies = Tallies(require_refunds(policy).limits)
        self._asked, self._no_receipt, self._fees = Part(), Part(), Part()
        self._offers = {kind: Part() for kind in _WISHED}
        self._refused: dict[str, Part] = {}
        self._bonus = self._approvals = 0
        self._customers: set[str] = set()
        self._clock = SettableClock(_BEGINNING)
        self._credit = StoreCredit(storage, history.merchant, clock=self._clock)

    def decide(self, request: ReturnRequest) -> None:
        """Decide *request* and issue its credit, or be answered as the first time."""
        found = self._policy.offers(request, tallies=list(self._tallies.before(request)))
        self._count_asked(request, found)
        if not found.kinds:
            return
        decision = found.choose(by_line=_wished(found), consent=True)
        self._tallies.add(decision)
        for line in decision.offer.lines:
            self._count_line(line)
        self._approvals += decision.needs_approval
        self._issue(decision)

    def _count_asked(self, request: ReturnRequest, found: Offers) -> None:
        for terms in found.terms:
            minor = terms.line.external.minor
            self._asked = self._asked.plus(minor)
            if not request.receipt:
                self._no_receipt = self._no_receipt.plus(minor)
            if terms.refused is not None:
                part = self._refused.get(terms.refused, Part())
                self._refused[terms.refused] = part.plus(minor)

    def _count_line(self, line: LineOffer) -> None:
        went = line.tenders + line.credit + line.exchange
        self._offers[line.kind] = self._offers[line.kind].plus(went.minor)
        self._bonus += line.bonus.minor
        if line.fee.is_positive:
            self._fees = self._fees.plus(line.fee.minor)

    def _issue(self, decision: RefundDecision) -> None:
        request = decision.request
        if request.holder is None or not decision.lots:
            return
        self._clock.set(request.at)
        # Both lots or none, so that a run that breaks off leaves no bonus without its refund.
        self._credit.issue_many(
            Grant(
                holder=request.holder,
                amount=lot.amount,
                funding=lot.funding,
                expires=lot.expires,
                key=f"{request.id}#{number}",
                about={"reference": request.id},
            )
            for number, lot in enumerate(decision.lots, 1)
        )
        self._customers.add(request.holder)

    def finish(self) -> PolicyTotals:
        """Count, verify, and compare with the journals."""
        verification = self._credit.verify()
        unit, merchant = self._history.unit, self._history.merchant
        totals = PolicyTotals(
            policy=self._policy.named,
            unit=unit,
            requests=len(self._history.requests),
            asked=self._asked,
            no_receipt=self._no_receipt,
            offers=self._offers,
            fees=self._fees,
            refused=self._refused,
            bonus=self._bonus,
            approvals=self._approvals,
            customers=len(self._customers),
            skipped=self._history.skipped,
        )
        with self._credit.storage.snapshot() as reader:
            sums = sums_of(reader, merchant, unit)
        wrong = policy_discrepancies(totals, sums)
        return attrs.evolve(totals, problems=(*map(str, verification.problems), *wrong))


def _wished(found: Offers) -> dict[str, OfferKind]:
    """For each line for which something is offered, the way that the customer takes."""
    return {
        terms.line.id: next(kind for kind in _WISHED if kind in terms.offer)
        for terms in found.terms
        if terms.offer
    }
