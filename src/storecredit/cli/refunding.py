"""The command `refund`: what a policy offers for what comes back, and carrying out what is chosen."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, final

import attrs
import typer

from storecredit.claims import Claim, ClaimRules
from storecredit.cli import refund_options as of
from storecredit.cli.asking_back import WrittenLines, counts, pairs, request_from
from storecredit.cli.carrying_out import (
    Choice,
    carry_out,
    case_json,
    gives_to_guest,
    require_no_code,
    show_case,
)
from storecredit.cli.claim_keys import ClaimKeysFile, claim_rules_from
from storecredit.cli.codes import codes_of
from storecredit.cli.ledgers import known_ledger, new_or_known_ledger
from storecredit.cli.offer_tables import decision_json, offers_json, reasons_json, show_offers
from storecredit.cli.options import (
    DEFAULT_DATABASE,
    DEFAULT_MERCHANT,
    AsJson,
    At,
    Database,
    MerchantId,
    Units,
)
from storecredit.cli.outcomes import Status, reporting, stop
from storecredit.cli.places import is_there
from storecredit.cli.printing import say, show_json, warn
from storecredit.errors import CaseNeedsHolder
from storecredit.policies import Offers, Policy, RefundDecision, ReturnLine, ReturnRequest
from storecredit.service import StoreCredit
from storecredit.service.policy_file import load_policy
from storecredit.service.refund_case import RefundCase
from storecredit.values import CustomUnit

_WITHOUT_KEYS_YET: Final = (
    "The credit is for a guest, as a claim code: the run that gives it needs --claim-keys FILE;"
    " `storecredit claim-keys FILE` makes one."
)


def refund(
    *,
    lines: of.Lines = None,
    policy: of.PolicyFile,
    request: of.RequestFile = None,
    key: of.RefundKey = None,
    unit: of.UnitOfLines = None,
    order: of.OrderId = None,
    holder: of.ToHolder = None,
    buyer: of.Buyer = None,
    purchased: of.Purchased = None,
    delivered: of.Delivered = None,
    channel: of.Channel = None,
    jurisdiction: of.Jurisdiction = None,
    segment: of.Segments = None,
    no_receipt: of.NoReceipt = False,
    reason: of.ReturnReasons = None,
    condition: of.Conditions = None,
    kind: of.Kinds = None,
    pieces: of.Pieces = None,
    restored: of.Restored = None,
    redemption: of.Redemptions = None,
    back: of.OfCheckout = None,
    choose: of.Choose = None,
    line: of.ByLine = None,
    consent: of.Consent = False,
    agent: of.Agent = None,
    override: of.Override = None,
    approved_by: of.ApprovedBy = None,
    received: of.Received = False,
    accept: of.Accept = None,
    claim_keys: ClaimKeysFile = None,
    dry_run: of.DryRun = False,
    at: At = None,
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    unit_def: Units = None,
    as_json: AsJson = False,
) -> None:
    """
    Show what a policy offers for what comes back; with --choose, carry it out through a case.

    It goes as far as it can: where somebody else has to approve, or the goods have to come back,
    the same command goes on later. The --db is used to carry out, for --back, and for limits.
    """
    who = {"order": order, "holder": holder, "buyer": buyer, "channel": channel}
    when = {"purchased_at": purchased, "delivered_at": delivered, "receipt": not no_receipt}
    where = {"jurisdiction": jurisdiction, "segments": segment or ()}
    why: dict[str, Any] = {"reason": reason, "condition": condition, "kind": kind}
    paid: dict[str, Any] = {"unit": unit, "back": back, "pieces": pieces, "restored": restored}
    said = WrittenLines(amounts=lines, **paid, **why)
    asked = Asked(source=request, key=key, lines=said, about={**who, **when, **where}, at=at)
    ways = pairs("--line", line)
    ready = counts("--accept", accept) if accept else None
    by: dict[str, Any] = {"consent": consent, "agent": agent, "dry_run": dry_run, "at": at}
    goods: dict[str, Any] = {"received": received or accept is not None, "accepted": ready}
    who_else: dict[str, Any] = {"override": override, "approved_by": approved_by}
    choice = Choice(kind=choose, by_line=ways, **who_else, **by, **goods)
    with reporting():
        rules = load_policy(policy)
        claims = None if claim_keys is None else claim_rules_from(claim_keys)
        job = Job(rules, asked, choice, (*rules.units, *(unit_def or ())), merchant, claims)
        with job.ledger(db) as credit:
            done = job.run(credit, pairs("--redemption", redemption))
    done.show(as_json=as_json)


@final
@attrs.frozen(kw_only=True)
class Asked:
    """What is asked back, in options or in a file."""

    source: str | None
    key: str | None
    lines: WrittenLines
    about: dict[str, Any]
    at: datetime | None

    def require_one_way(self) -> None:
        """
        Require that options and a file do not both say what is asked.

        Raises:
            typer.BadParameter: They do, or options name no key.
        """
        if self.source is None and self.key is None:
            raise typer.BadParameter("--key names the request, or --request FILE has it.")
        is_said = any(value not in (None, (), True) for value in self.about.values())
        if self.source is not None and (is_said or self.lines.is_there):
            raise typer.BadParameter("--request FILE says all about the request: no options do.")


@final
@attrs.frozen
class Job:
    """One run of the command."""

    policy: Policy
    asked: Asked
    choice: Choice
    customs: tuple[CustomUnit, ...]
    merchant: str
    claims: ClaimRules | None
    """The keys of claim codes, for what a guest gets."""

    @contextmanager
    def ledger(self, db: str) -> Iterator[StoreCredit | None]:
        """Open the ledger if it is needed; a new one only to carry something out."""
        self.asked.require_one_way()
        self.choice.require_answered()
        refund_rules = self.policy.refund
        is_read = self.asked.lines.back or (refund_rules is not None and refund_rules.limits)
        if self.choice.is_done:
            opened = known_ledger if self.asked.lines.back else new_or_known_ledger
            with opened(db, self.merchant, self.customs, claims=self.claims) as credit:
                yield credit
        elif is_read:
            # Looking needs no ledger: where there is none, nothing was done under any limit.
            if self.asked.lines.back or is_there(db):
                with known_ledger(db, self.merchant, self.customs) as credit:
                    yield credit
            else:
                yield None
        else:
            yield None

    def run(self, credit: StoreCredit | None, redemptions: dict[str, str]) -> "Done":
        """Decide, and carry out what was chosen."""
        known = self._known(credit, self.asked.key)
        request = self._request(credit, known)
        if request.id != self.asked.key:
            known = self._known(credit, request.id)
        agent = self.choice.agent
        if known is not None:
            # When it is asked again does not matter: it is the first time that counts (A12).
            first = known.record.decision
            request = attrs.evolve(request, at=first.request.at)
            if request == first.request and self.choice.is_that_of(first, self.policy):
                offers = self.policy.offers(request, agent=agent)
                return self._done(credit, offers, first, redemptions, known)
        tallies = (
            ()
            if credit is None
            else credit.tallies(self.policy, holder=request.holder, agent=agent)
        )
        offers = self.policy.offers(request, tallies=tallies, agent=agent)
        decision = self.choice.decide(offers) if self.choice.is_made else None
        return self._done(credit, offers, decision, redemptions, known)

    def _done(
        self,
        credit: StoreCredit | None,
        offers: Offers,
        decision: RefundDecision | None,
        redemptions: dict[str, str],
        known: RefundCase | None,
    ) -> "Done":
        if credit is None or decision is None or not self.choice.is_done:
            return Done(offers=offers, decision=decision)
        before = None if known is None else known.state
        key = self.asked.key or offers.request.id
        try:
            if self.claims is None:
                require_no_code(decision, known, self.choice)
            case = carry_out(credit, decision, self.choice, key=key, redemptions=redemptions)
        except CaseNeedsHolder as needs:
            stop(Status.REFUSED, _without_keys(needs))
        if self.claims is None and gives_to_guest(decision, case):
            warn(_WITHOUT_KEYS_YET)
        codes = codes_of(credit, case.record)
        is_known = before is case.state
        return Done(offers=offers, decision=decision, case=case, codes=codes, is_known=is_known)

    def _known(self, credit: StoreCredit | None, name: str | None) -> RefundCase | None:
        return None if credit is None or name is None else credit.find_refund_case(name)

    def _request(self, credit: StoreCredit | None, known: RefundCase | None) -> ReturnRequest:
        asked = self.asked
        at = asked.at or datetime.now(UTC)
        if asked.source is not None:
            return request_from(asked.source, key=asked.key, merchant=self.merchant, at=at)
        lines = self._lines(credit, known)
        return ReturnRequest(
            id=str(asked.key), merchant=self.merchant, lines=lines, at=at, **asked.about
        )

    def _lines(
        self, credit: StoreCredit | None, known: RefundCase | None
    ) -> tuple[ReturnLine, ...]:
        said = self.asked.lines
        if not said.back or credit is None:
            return said.read(self.customs)
        order, pieces = self.asked.about["order"], said.counted
        if order is None:
            raise typer.BadParameter("--back goes with --order, which a checkout has paid.")
        first = () if known is None else known.record.decision.request.lines
        if pieces == {line.id: line.pieces for line in first}:
            # The case has taken its pieces of the order, which are free no more.
            plain = (attrs.evolve(line, reason=None, condition=None) for line in first)
            return said.with_facts(plain)
        return said.with_facts(credit.return_lines(order, pieces))


@final
@attrs.frozen(kw_only=True)
class Done:
    """What one run came to."""

    offers: Offers
    decision: RefundDecision | None
    case: RefundCase | None = None
    codes: tuple[Claim, ...] = ()
    """What is known of the claim codes that the case has given to a guest."""
    is_known: bool = False
    """Whether the case had come as far before."""

    def show(self, *, as_json: bool) -> None:
        """Print it."""
        if as_json:
            show_json(self._form())
            return
        show_offers(self.offers)
        if self.case is not None:
            show_case(self.case, self.codes, is_known=self.is_known)
        elif self.decision is not None:
            say("A dry run: nothing was done.")
        elif self.offers.kinds:
            named = ", ".join(kind.value for kind in self.offers.kinds)
            say(f"Nothing was done. Take one with --choose: {named}.")
        else:
            say("Nothing is offered.")

    def _form(self) -> dict[str, Any]:
        policy, case, known = self.offers.policy, self.case, self.is_known
        return {
            "request": self.offers.request.to_json(),
            "policy": {"name": policy.name, "version": policy.version},
            "offers": offers_json(self.offers),
            "reasons": [reasons_json(each) for each in self.offers.reasons],
            "decision": None if self.decision is None else decision_json(self.decision),
            "case": None if case is None else case_json(case, self.codes, is_known=known),
        }


def _without_keys(needs: CaseNeedsHolder) -> str:
    return (
        f"The refund case {needs.case} gives credit to a guest, as a claim code, and there are no"
        " keys for it. The same command with --claim-keys FILE goes on; `storecredit claim-keys"
        " FILE` makes such a file."
    )
