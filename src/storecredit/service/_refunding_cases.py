"""The verbs of refund cases: what is paid of a return, requesting, and going on (P5, P6)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Unpack

from storecredit.errors import InvalidReturn, InvalidTerms, InvalidText, UnknownCase, UnknownPayment
from storecredit.ledger import require_text
from storecredit.ledger.arguments import one_of
from storecredit.policies import Policy, RefundDecision, ReturnLine, Tally
from storecredit.refunds import CaseRecord, CaseState, lines_from
from storecredit.refunds.facts import require_pieces
from storecredit.refunds.tallies import TallyBook
from storecredit.service._case_desk import (
    LONGEST_CASE,
    CaseDesk,
    CaseTold,
    redemptions_of,
)
from storecredit.service._case_giving import CASE_KIND as KIND
from storecredit.service._checkout_desk import KIND as PAYMENT_KIND
from storecredit.service._claiming import Claiming
from storecredit.service._taken_pieces import taken_of
from storecredit.service._tally_records import binding_refunds, read_tally
from storecredit.service.about import About
from storecredit.service.refund_case import RefundCase
from storecredit.tenders import PaymentRecord
from storecredit.values import Unit

_PAGE: Final = 200


class RefundingCases(Claiming):
    """Request, go on, list."""

    def return_lines(
        self, order: str, pieces: Mapping[str, int], *, unit: str | Unit | None = None
    ) -> tuple[ReturnLine, ...]:
        """
        Return the lines of a return request, with what the order's checkout says was paid (P6).

        Pieces that other cases refund are not counted, nor what was paid for them. Reason,
        condition and final sale are for the host to add: ``attrs.evolve(line, reason=...)``.

        Args:
            order: The id of the order.

            pieces: How many of which line come back.

            unit: The currency of the request; None for that of the external tenders.

        Raises:
            InvalidText: The order's id.
            UnknownPayment: No checkout has paid that order.
            UnknownCurrency: The unit.
            UnknownOrderLine, InvalidReturn, QuantityExceedsRest: As `lines_from`.
        """
        name = require_text("order", order)
        with self.storage.snapshot() as reader:
            paid = reader.record(self.merchant.id, PAYMENT_KIND, name)
            _, known = taken_of(reader, self.merchant.id, name)
        if paid is None:
            raise UnknownPayment(name)
        return lines_from(
            PaymentRecord.from_json(paid.body).payment,
            pieces,
            taken=known.taken,
            unit=None if unit is None else self._unit(unit),
        )

    def tallies(
        self, policy: Policy, *, holder: str | None = None, agent: str | None = None
    ) -> tuple[Tally, ...]:
        """
        Return what was done under the limits of *policy* in their periods, for its offers (P3).

        They are checked again when a case completes: an offer promises nothing.

        Args:
            policy: Whose limits; all versions of a policy count together.

            holder: The customer of the request, for limits of holders. Who was merged into another
                has what counts for the survivor (A17).

            agent: Who is going to decide, for limits of agents.

        Raises:
            InvalidTerms: No policy.
            InvalidText: The holder or the agent.
        """
        if not isinstance(policy, Policy):
            raise InvalidTerms("policy", policy, "a Policy, from load_policy() or read_policy()")
        for name, subject in (("holder", holder), ("agent", agent)):
            if subject is not None:
                require_text(name, subject)
        if policy.refund is None:
            return ()
        at = self._instant(None)
        found = []
        with self.storage.snapshot() as reader:
            for limit, counted in binding_refunds(
                self, reader, policy.name, policy.refund.limits, holder=holder, agent=agent
            ):
                _, book = read_tally(reader, self.merchant.id, TallyBook, counted)
                found.append(book.tally(limit, at))
        return tuple(found)

    def request_refund(
        self,
        decision: RefundDecision,
        *,
        key: str,
        redemptions: Mapping[str, Any] | None = None,
        bought: Mapping[str, int] | None = None,
        **about: Unpack[About],
    ) -> RefundCase:
        """
        Begin the refund of what was decided; the case has the id of the request (P5).

        Nothing is given yet. The case takes its pieces of the order, so that no other refunds
        them. Where a checkout has paid the order, its record says what was paid (P6).

        Args:
            decision: From `Offers.choose`; its request is this merchant's.

            key: Names this request; the same again returns the case as it is by then.

            redemptions: For an order without a checkout, by line, the entry that redeemed what
                credit paid of it, or several in several units.

            bought: For an order without a checkout, by line, how many pieces were bought: with it
                several cases may refund some of them each.

            about: See `About`; the actor is whoever requests.

        Raises:
            InvalidReturn: No decision, another merchant's, redemptions of another form or not
                needed, or no possible number of pieces.
            InvalidText: The request's id has more than 120 characters.
            InvalidKey, InvalidText, NaiveInstant, FutureInstant: The request.
            CaseStepRepeated: There is a case of that id, with another key or decision.
            UnknownOrderLine, QuantityExceedsRest: The order's checkout knows no such pieces.
            ReturnOutdated: The lines are not what the checkout says now: make them anew.
            UnknownEntry: This merchant has no such entry as one of the redemptions.
            NotARedemption: One of them spent nothing.
            InvalidReturn: Two entries of one unit for a line, or none of a unit that is restored.
            RestoreExceedsRedemption: More is to be restored than an entry took, for all lines
                together, less what was restored of it.
            PiecesTaken: Another case refunds the pieces.
        """
        if not isinstance(decision, RefundDecision):
            raise InvalidReturn("decision", decision, "a RefundDecision, from Offers.choose()")
        asked = decision.request
        if asked.merchant != self.merchant.id:
            raise InvalidReturn("merchant", asked.merchant, f"{self.merchant.id}, as this one is")
        if len(asked.id) > LONGEST_CASE:
            problem = f"has {len(asked.id)} characters, and a refund case's may have {LONGEST_CASE}"
            raise InvalidText("request.id", asked.id, problem)
        if not isinstance(bought, Mapping | None):
            raise InvalidReturn("bought", bought, "pieces by line")
        desk = CaseDesk(self, asked.id)
        told = CaseTold(self, asked.id, key, about)
        pieces = {
            asked.line(line).id: require_pieces(f"bought {line}", count)
            for line, count in (bought or {}).items()
        }
        record = desk.request(
            decision, told.by, bought=pieces, redemptions=redemptions_of(redemptions)
        )
        return RefundCase(desk, record)

    def refund_case(self, case: str) -> RefundCase:
        """
        Return the refund case with that id, in whatever state it is.

        Raises:
            InvalidText: The id.
            UnknownCase: Nobody has requested it.
        """
        desk = CaseDesk(self, require_text("case", case))
        return RefundCase(desk, desk.read())

    def find_refund_case(self, case: str) -> RefundCase | None:
        """
        Return the refund case with that id, or None where nobody has requested it.

        Raises:
            InvalidText: The id.
        """
        try:
            return self.refund_case(case)
        except UnknownCase:
            return None

    def refund_cases(
        self,
        *,
        state: CaseState | str | None = None,
        order: str | None = None,
        holder: str | None = None,
    ) -> Iterator[RefundCase]:
        """
        Yield all refund cases, or those of a state, an order, a holder, by id.

        Raises:
            InvalidTerms: There is no such state.
            InvalidText: The order or the holder.
        """
        wanted = {
            "state": None if state is None else one_of(CaseState, "state", state).value,
            "order": None if order is None else require_text("order", order),
            "holder": None if holder is None else require_text("holder", holder),
        }
        named = [(name, value) for name, value in wanted.items() if value is not None]
        # The narrowest first: an order has few cases, a holder some, a state many.
        named.sort(key=lambda pair: ("order", "holder", "state").index(pair[0]))
        after = ""
        while True:
            with self.storage.snapshot() as reader:
                rows = reader.records(
                    self.merchant.id,
                    KIND,
                    reference=named[0] if named else None,
                    after=after,
                    limit=_PAGE,
                )
            for row in rows:
                if all(row.references.get(name) == value for name, value in named):
                    yield RefundCase(CaseDesk(self, row.id), CaseRecord.from_json(row.body))
            if len(rows) < _PAGE:
                return
            after = rows[-1].id
