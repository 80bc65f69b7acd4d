"""The verbs that give by decisions of policies: goodwill, incentives, points, and their way back (P4)."""

from collections.abc import Iterable
from typing import Final, Unpack

import attrs

from storecredit.errors import InvalidTerms, KeyReused, UnknownGrant
from storecredit.ledger import Command, Funding, LotId, require_text
from storecredit.policies.earning import EarnDecision
from storecredit.policies.grant_decision import GrantDecision, GrantLot
from storecredit.policies.granted import Earning, Granted
from storecredit.policies.purchase import Purchase, Returned, as_returned
from storecredit.service._checkout_desk import require_step_key
from storecredit.service._door import Asked
from storecredit.service._earned_desk import EARNING, Back, EarnedDesk
from storecredit.service._giving import Giving
from storecredit.service._grant_desk import Body, GrantDesk, GrantStamp, grant_key
from storecredit.service._tallies import Tallies
from storecredit.service.about import About
from storecredit.storage.protocols import UnitOfWork
from storecredit.tenders import Earned, PayingRate
from storecredit.values import Money

GRANT: Final = "grant"
"""The kind of the records of decisions to give (S11)."""


class Granting(Giving):
    """Grant, earn, and remove what was earned."""

    # Goodwill and incentives

    def grant(self, decision: GrantDecision, **about: Unpack[About]) -> Granted:
        """
        Carry out *decision*: issue its lots, to all of its holders or to none, once (P4).

        What it gives for decides: the same rule of the same policy, in whatever version, gives
        once for the same occasion, order, holder or referral. Whatever comes again is answered
        with what was given first. Ceilings are counted in the same transaction, so that two at
        once never exceed them; a ceiling per agent counts the ``actor``.

        Args:
            decision: From a policy; one that gives nothing changes nothing.

            about: See `About`; the reference is the order, or else the occasion, unless given.

        Returns:
            What was given and what was withheld, lot by lot.

        Raises:
            InvalidTerms: *decision* is no decision to give.
            InvalidText, NaiveInstant, FutureInstant: What it was told.
            GrantCeilingReached: A ceiling that refuses; nothing is given.
            UnitRedefined, AccountFrozen, AccountClosed, ExpiryTooEarly, CeilingReached: An account
                does not take it; nothing is given.
            ConflictError: The storage; repeat the same.
        """
        require_decision(GrantDecision, decision)
        name = decision.name
        stamp = GrantStamp.of(about, reference=decision.occasion.order or decision.occasion.id)
        if name is None or not decision.lots:
            return Granted(decision=decision)
        desk = GrantDesk(self, GRANT, name)

        def change(tx: UnitOfWork, body: Body | None) -> tuple[Granted, Body | None]:
            if body is not None:
                return attrs.evolve(Granted.from_json(body), replayed=True), None
            given = self._grant_in(tx, desk, decision, stamp)
            return given, given.to_json()

        return desk.step(change)

    def _grant_in(
        self, tx: UnitOfWork, desk: GrantDesk, decision: GrantDecision, stamp: GrantStamp
    ) -> Granted:
        tallies = Tallies(
            self,
            tx,
            section=(decision.kind.value, decision.policy.name),
            ceilings=decision.ceilings,
            at=self._instant(stamp.at),
            agent=stamp.context.actor,
        )
        cuts = list(enumerate(tallies.cut(decision.lots)))
        given = {}
        # In the order of holders, so that two referrals never wait for each other.
        for place, cut in sorted(cuts, key=lambda each: each[1].lot.holder):
            key = grant_key("grant", str(decision.name), str(place))

            lot = desk.issue(tx, cut.lot, stamp, key, allowed=cut.allowed, ceiling=cut.ceiling)
            given[place] = lot
            if lot.entry is not None:
                tallies.add(tx, lot.given, entry=lot.entry)
        return Granted(decision=decision, lots=tuple(given[place] for place, _ in cuts))

    # Points

    def earn(self, decision: EarnDecision, **about: Unpack[About]) -> Earning:
        """
        Carry out *decision*: issue the points of an order, once, pending as the rule says (P4).

        The order decides: a second delivery of the same purchase is answered with what was given
        first, whatever the policy says by then. An order that earns nothing is kept, too.

        Args:
            decision: From `storecredit.policies.earn`.

            about: See `About`; the reference is the order, unless given.

        Returns:
            What the order earned, and what went again.

        Raises:
            InvalidTerms: *decision* is no decision about points.
            InvalidText, NaiveInstant: What it was told.
            KeyReused: The order earned on another purchase.
            FutureInstant, UnitRedefined, AccountFrozen, AccountClosed, ExpiryTooEarly,
                CeilingReached: The account does not take it.
            ConflictError: The storage; repeat the same.
        """
        require_decision(EarnDecision, decision)
        order = decision.purchase.order
        stamp = GrantStamp.of(about, reference=order)
        desk = GrantDesk(self, EARNING, order)

        def change(tx: UnitOfWork, body: Body | None) -> tuple[Earning, Body | None]:
            if body is not None:
                known = Earning.from_json(body)
                _require_same(order, known.decision.purchase, decision.purchase)
                return attrs.evolve(known, replayed=True), None
            earned = self._earn_in(tx, desk, decision, stamp)
            return earned, earned.to_json()

        return desk.step(change)

    def remove_earned(
        self,
        order: str,
        returned: Iterable[Returned] | Returned,
        *,
        key: str,
        **about: Unpack[About],
    ) -> Earning:
        """
        Take back the points of what comes back of *order* (P4, A8).

        After it, what was earned less what was removed is what the rule gives for what is kept,
        whatever came back before, in whatever order. Points that are spent are missing, refuse it
        or become a debt, as the rule says. What `Checkout.refund` was told comes back is on the
        same record, and its points are gone already.

        Args:
            order: The order, as it earned.

            returned: What comes back now, line by line; nothing only takes what is still due.

            key: Names this return; repeating it is safe.

            about: See `About`; actor and reason are required where points go (A10).

        Returns:
            What the order earned, and what went again; its last removal is this one.

        Raises:
            InvalidText, InvalidKey: The order, the key or another text.
            InvalidTerms: *returned* is no list of `Returned`.
            NaiveInstant: ``at`` has no zone.
            UnknownGrant: The order never earned.
            KeyReused: The key names another return.
            InvalidOrder: More comes back than was bought, or there is no such line.
            FutureInstant, ReasonAndActorRequired, AccountFrozen, AccountClosed, LotHeld,
                LotExhausted: The points cannot be taken; nothing is kept of the return.
            ConflictError: The storage; repeat the same.
        """
        require_text("order", order)
        require_step_key(key)
        parts = as_returned(returned)
        stamp = GrantStamp.of(about, reference=order)
        desk = GrantDesk(self, EARNING, order)

        def asked(command: Command) -> Asked:
            return stamp.asked(command, grant_key("unearn", order, key))

        def change(tx: UnitOfWork, body: Body | None) -> tuple[Earning, Body | None]:
            if body is None:
                raise UnknownGrant(EARNING, order)
            known = Earning.from_json(body)
            before = known.removal(key)
            if before is not None:
                if before.returned != parts:
                    raise KeyReused(key, "returned", before.returned, parts)
                return attrs.evolve(known, replayed=True), None
            after = EarnedDesk(self, order).remove(tx, known, Back(key, parts), asked)
            return after, after.to_json()

        return desk.step(change)

    def earning(self, order: str) -> Earning:
        """
        Return what *order* earned, and what went again.

        Raises:
            InvalidText: The order's id.
            UnknownGrant: It never earned.
        """
        body = GrantDesk(self, EARNING, require_text("order", order)).body()
        if body is None:
            raise UnknownGrant(EARNING, order)
        return Earning.from_json(body)

    def earned(
        self,
        order: str,
        returned: Iterable[Returned] | Returned,
        *,
        rate: PayingRate | None = None,
    ) -> Earned | None:
        """
        Return the points that go with what comes back of *order*, for the refund planner (T6).

        Pass it to `Checkout.plan_refund`, and *returned* to `Checkout.refund` again, which takes the
        points back in the same step. Nothing happens here.

        Args:
            order: The order, as it earned.

            returned: What comes back, line by line.

            rate: What a missing point is worth, to lower a refund by.

        Returns:
            What is due to go, in full, and how much of it can be taken as the account is now; what
            has expired is gone, and not missing. None where nothing is due to go.

        Raises:
            InvalidText: The order's id.
            InvalidTerms: *returned* is no list of `Returned`.
            UnknownGrant: The order never earned.
            InvalidOrder: More comes back than is kept, or there is no such line.
            InvalidTender: A rate for another unit.
        """
        require_text("order", order)
        parts = as_returned(returned)
        known = self.earning(order)
        going = known.going(parts)
        if not going or known.lot is None:
            return None
        unit = going[0].amount.unit
        due, at = sum(each.amount.minor for each in going), self._instant(None)
        desk = EarnedDesk(self, order)
        with self.storage.snapshot() as reader:
            carried = desk.now(reader, LotId(known.lot))
            free = sum(lot.free for lot in carried.lots if not lot.is_expired(at))
            missing = max(due - free, 0)
            if missing:
                missing = min(missing, desk.unclaimed(reader, known, carried))
        return Earned(
            lines=going,
            reachable=Money.of_minor(max(free, due - missing), unit),
            rate=rate,
            in_full=True,
        )

    def _earn_in(
        self, tx: UnitOfWork, desk: GrantDesk, decision: EarnDecision, stamp: GrantStamp
    ) -> Earning:
        points, rule = decision.points, decision.rule
        if points is None or rule is None:
            return Earning(decision=decision)
        lot = GrantLot(
            holder=decision.purchase.holder,
            amount=points,
            funding=Funding.EARNED,
            expires=rule.expires,
        )
        key = grant_key("earn", decision.purchase.order, "0")
        given = desk.issue(tx, lot, stamp, key, effective=decision.effective)
        return Earning(decision=decision, given=given.given, entry=given.entry, lot=given.lot)


def _require_same(order: str, first: Purchase, now: Purchase) -> None:
    """
    Require that the order earned on the same purchase.

    Raises:
        KeyReused: It differs; the first differing field is named.
    """
    for field in attrs.fields(Purchase):
        before, after = getattr(first, field.name), getattr(now, field.name)
        if before != after:
            raise KeyReused(order, field.name, before, after)


def require_decision(kind: type[object], value: object) -> None:
    """
    Require that *value* is a decision of that kind.

    Raises:
        InvalidTerms: It is something else.
    """
    if not isinstance(value, kind):
        raise InvalidTerms("decision", value, f"a {kind.__name__}")
