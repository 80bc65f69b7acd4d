"""From a request to offers, and from an offer to a decision (P2)."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import final

import attrs

from storecredit.errors import ConsentMissing, InvalidReturn, InvalidTerms, NotOffered
from storecredit.ledger.arguments import one_of
from storecredit.ledger.texts import LONGEST_NOTE, require_text
from storecredit.policies.asking import ReturnRequest
from storecredit.policies.decision import Override, PolicyVersion, Reasons, RefundDecision
from storecredit.policies.given import tuple_of
from storecredit.policies.limits import LimitOn, Over, Tally
from storecredit.policies.line_terms import NOT_FOR_CREDIT, LineTerms, terms_of
from storecredit.policies.offer import Offer, Standing, assemble
from storecredit.policies.refund_policy import RefundPolicy
from storecredit.policies.rule import OfferKind


@final
@attrs.frozen(kw_only=True, slots=False)
class Offers:
    """
    What is offered for one request. The offers are alternatives: one is chosen, or a way for each
    line, and each line goes back once.
    """

    request: ReturnRequest
    policy: PolicyVersion
    terms: tuple[LineTerms, ...]
    standing: Standing = attrs.field(factory=Standing)

    @cached_property
    def offers(self) -> tuple[Offer, ...]:
        """One offer for each way that some line may go; none where nothing is offered."""
        return tuple(self._offer(kind) for kind in self.kinds)

    @property
    def kinds(self) -> tuple[OfferKind, ...]:
        """The ways that some line may go, in the order of the rules' favourites."""
        return tuple(dict.fromkeys(kind for terms in self.terms for kind in terms.offer))

    @property
    def reasons(self) -> tuple[Reasons, ...]:
        """Which rules decided about each line, and which did not and why."""
        return tuple(
            Reasons(
                line=terms.line.id, fired=terms.fired, passed=terms.passed, refused=terms.refused
            )
            for terms in self.terms
        )

    def offer(self, kind: OfferKind | str) -> Offer:
        """
        Return the offer of that kind.

        Raises:
            InvalidTerms: There is no such kind.
            NotOffered: No line may go that way.
        """
        return self._offer(self._offered(kind))

    def choose(
        self,
        kind: OfferKind | str | None = None,
        *,
        by_line: Mapping[str, OfferKind | str] | None = None,
        consent: bool = False,
        agent: str | None = None,
    ) -> RefundDecision:
        """
        Choose an offer, or a way for each line.

        Args:
            kind: The way for every line that may go it; the others go the first way they may.
                None is the first offer.

            by_line: Another way for single lines.

            consent: Whether the customer has accepted credit in place of money.

            agent: Who decides; None is the agent whom the offers were made for.

        Raises:
            InvalidReturn: A line that the request has not.
            InvalidTerms: There is no such kind; or, where agents have limits, the agent is another
                than the one whom the offers were made for.
            NotOffered: Nothing is offered, or not that way for that line.
            ConsentMissing: A rule or a right asks for the customer's consent to credit.
        """
        ways = self._ways(by_line)
        if not self.kinds:
            raise self._not_offered(self.terms[0], OfferKind.MONEY if kind is None else kind)
        preferred = self.kinds[0] if kind is None else self._offered(kind)
        chosen = []
        for terms in self.terms:
            way = ways.get(terms.line.id)
            if way is not None and way not in terms.offer:
                raise self._not_offered(terms, way)
            if terms.offer:
                chosen.append((terms, way or _first(terms, preferred)))
        offer = assemble(preferred, chosen, self.standing)
        if offer.consent and not consent:
            raise ConsentMissing(self.request.id, ", ".join(offer.consent))
        return self._decision(offer, consent=consent, agent=agent)

    def override(
        self,
        kind: OfferKind | str,
        *,
        actor: str,
        reason: str,
        waive_fee: bool = False,
        lines: Iterable[str] | None = None,
        consent: bool = False,
    ) -> RefundDecision:
        """
        Decide against the rules: a way that is not offered, or without its fee (P3).

        Never more than was paid, never a bonus that no rule gives, and never credit for what is no
        goods. The decision keeps who answers for it. The law's right to money stays: a line that
        has it becomes credit only with consent.

        Args:
            kind: The way for all *lines*.

            actor: Who answers for it. Where agents have limits, those are the actor's.

            reason: Why.

            waive_fee: Whether fees are waived.

            lines: Which lines; None for all.

            consent: Whether the customer has accepted credit in place of money.

        Raises:
            InvalidTerms: There is no such kind; or, where agents have limits, the actor is another
                than the agent whom the offers were made for.
            InvalidText: No actor or reason.
            InvalidReturn: No lines, or a line that the request has not.
            NotOffered: Credit or an exchange for what is no goods.
            ConsentMissing: A rule or a right asks for the customer's consent to credit.
        """
        way = one_of(OfferKind, "kind", kind)
        if type(waive_fee) is not bool:
            raise InvalidTerms("waive_fee", waive_fee, "true or false")
        by = Override(
            require_text("actor", actor), require_text("reason", reason, longest=LONGEST_NOTE)
        )
        named = None if lines is None else self._named(lines)
        chosen = []
        for terms in self.terms:
            if named is not None and terms.line.id not in named:
                if terms.offer:
                    chosen.append((terms, _first(terms, way)))
                continue
            if way is not OfferKind.MONEY and not terms.line.is_goods:
                raise self._not_offered(terms, way)
            found = attrs.evolve(terms, fee=None, fee_rule=None) if waive_fee else terms
            if way not in terms.offer:
                # The terms of a way that no rule offers: no bonus comes with it.
                found = attrs.evolve(found, bonus=None, bonus_rule=None)
            chosen.append((found, way))
        offer = assemble(way, chosen, self.standing)
        if offer.consent and not consent:
            raise ConsentMissing(self.request.id, ", ".join(offer.consent))
        decision = self._decision(offer, consent=consent, agent=by.actor)
        return attrs.evolve(decision, override=by)

    def _offered(self, kind: OfferKind | str) -> OfferKind:
        wanted = one_of(OfferKind, "kind", kind)
        if wanted not in self.kinds:
            raise self._not_offered(self.terms[0], wanted)
        return wanted

    def _offer(self, kind: OfferKind) -> Offer:
        chosen = [(terms, _first(terms, kind)) for terms in self.terms if terms.offer]
        return assemble(kind, chosen, self.standing)

    def _named(self, lines: Iterable[str]) -> set[str]:
        found = () if isinstance(lines, str) or not isinstance(lines, Iterable) else tuple(lines)
        if not found:
            raise InvalidReturn("lines", lines, "a list of lines, one at least")
        return {self.request.line(line).id for line in found}

    def _ways(self, by_line: Mapping[str, OfferKind | str] | None) -> dict[str, OfferKind]:
        if by_line is None:
            return {}
        if not isinstance(by_line, Mapping):
            raise InvalidReturn("by_line", by_line, "ways by line")
        return {
            self.request.line(line).id: one_of(OfferKind, f"by_line {line}", way)
            for line, way in by_line.items()
        }

    def _decision(self, offer: Offer, *, consent: bool, agent: str | None) -> RefundDecision:
        if type(consent) is not bool:
            raise InvalidTerms("consent", consent, "true or false")
        by = self.standing.agent if agent is None else require_text("agent", agent)
        if by != self.standing.agent and self.standing.binds_agents:
            made_for = self.standing.agent or "nobody"
            expected = f"{made_for}, for whose limits the offers were made: give offers(agent=)"
            raise InvalidTerms("agent", by, expected)
        return RefundDecision(
            request=self.request,
            policy=self.policy,
            offer=offer,
            reasons=self.reasons,
            consented=consent,
            agent=by,
            limits=self.standing.limits,
        )

    def _not_offered(self, terms: LineTerms, kind: OfferKind | str) -> NotOffered:
        way = one_of(OfferKind, "kind", kind)
        because = terms.refused or f"the rules do not offer {way.value} for it"
        may_override = way is OfferKind.MONEY or terms.line.is_goods
        if not may_override:
            because = NOT_FOR_CREDIT
        offered = tuple(each.value for each in terms.offer)
        return NotOffered(terms.line.id, way.value, offered, because, may_override=may_override)


def _first(terms: LineTerms, preferred: OfferKind) -> OfferKind:
    return preferred if preferred in terms.offer else terms.offer[0]


def offers_for(
    policy: RefundPolicy,
    request: ReturnRequest,
    *,
    named: PolicyVersion,
    tallies: Iterable[Tally] = (),
    agent: str | None = None,
) -> Offers:
    """
    Tell what *policy* offers for *request*. The same arguments always give the same offers.

    Args:
        policy: The rules.

        request: What is asked.

        named: The name and version that decisions carry.

        tallies: What was done under the policy's limits in their periods, before this request.

        agent: Who is going to decide, for the limits of agents.

    Raises:
        InvalidReturn: No request, or a reason that the policy does not declare.
        InvalidTerms: No tallies.
    """
    if not isinstance(request, ReturnRequest):
        raise InvalidReturn("request", request, "a ReturnRequest")
    if policy.reasons is not None:
        for line in request.lines:
            if line.reason is not None and line.reason not in policy.reasons:
                known = ", ".join(policy.reasons)
                raise InvalidReturn(f"the reason of {line.id}", line.reason, f"one of {known}")
    standing = Standing(
        limits=policy.limits,
        tallies={tally.limit: tally for tally in tuple_of("tallies", Tally, tallies)},
        agent=agent,
        holder=request.holder,
    )
    terms = tuple(terms_of(policy, request))
    found = Offers(request=request, policy=named, terms=terms, standing=standing)
    return _without_refused_credit(found) if policy.limits else found


def _without_refused_credit(found: Offers) -> Offers:
    """Take credit off the offers where a limit refuses it, unless nothing else is offered by law."""
    refusing = found.standing.in_force(LimitOn.CREDIT, Over.REFUSE)
    if not refusing or OfferKind.CREDIT not in found.kinds:
        return found
    credited = found.offer(OfferKind.CREDIT).counted[LimitOn.CREDIT]
    over = [limit.id for limit in refusing if found.standing.is_over(limit, credited)]
    if not over:
        return found
    terms = []
    for each in found.terms:
        left = tuple(kind for kind in each.offer if kind is not OfferKind.CREDIT)
        refused = each.refused if left or not each.offer else f"the limit {over[0]}"
        terms.append(attrs.evolve(each, offer=left, refused=refused))
    return attrs.evolve(found, terms=tuple(terms))
