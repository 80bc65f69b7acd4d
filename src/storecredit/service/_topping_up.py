"""The verbs of top-ups: what an amount would bring, crediting a payment, giving it back (P4, A7)."""

from datetime import datetime
from typing import Final, Unpack

import attrs

from storecredit.errors import KeyReused, TopUpRefused, UnknownGrant
from storecredit.ledger import (
    Issue,
    LotId,
    Reclaim,
    RefundBought,
    require_text,
)
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.granted import ToppedUp
from storecredit.policies.top_up import (
    TopUpDecision,
    TopUpFlag,
    TopUpPolicy,
    TopUpRefund,
    quote_top_up,
    refund_of_top_up,
)
from storecredit.service._giving import Giving
from storecredit.service._grant_desk import Body, GrantDesk, GrantStamp, grant_key
from storecredit.service._granting import require_decision
from storecredit.service._tallies import Tallies
from storecredit.service.about import About
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.values import AnyMoney, Money, instant

TOP_UP: Final = "top-up"
"""The kind of the records that payments of top-ups are kept in (S11)."""


class ToppingUp(Giving):
    """Quote, credit and give back top-ups."""

    def quote_top_up(
        self,
        policy: TopUpPolicy,
        holder: str,
        amount: AnyMoney,
        *,
        named: PolicyVersion,
        at: datetime | None = None,
    ) -> Money | None:
        """
        Tell what bonus *holder* would get on *amount*, before it is charged. Nothing happens.

        Args:
            policy: Between which amounts credit is sold, and what is given on top.

            holder: Who would top up.

            amount: What would be charged.

            named: The name of the whole policy, by which its ceilings are counted.

            at: The instant that decides; None for now.

        Returns:
            The bonus; None for none.

        Raises:
            InvalidTerms, InvalidText, ArgumentRefused: The arguments.
            TopUpRefused: The policy does not sell it, or a ceiling is reached: do not charge.
            NaiveInstant, FutureInstant: ``at``.
            AccountFrozen, AccountClosed, CeilingReached, ExpiryTooEarly: The account would not
                take it: do not charge.
        """
        require_decision(TopUpPolicy, policy)
        require_text("holder", holder)
        money = self._money(amount)
        bonus = quote_top_up(policy, money)
        now = self._instant(None if at is None else instant(at))
        with self.storage.snapshot() as reader:
            if not self._tallies(reader, policy, named.name, now).room(holder, money):
                why = TopUpFlag.ABOVE_CEILING.value
                raise TopUpRefused(money, why, policy.minimum, policy.maximum)
            account = self._look(reader, holder, money.unit)
        whole = money if bonus is None else money + bonus
        command = Issue(amount=whole, funding="purchased", expires=policy.expires)
        stamp = GrantStamp.of(About(), reference=None)
        self._decide(account, stamp.asked(command, "~quote"), now)
        return bonus

    def top_up(self, decision: TopUpDecision, **about: Unpack[About]) -> ToppedUp:
        """
        Credit a payment, once, whatever is delivered twice (P4, A12).

        What was paid becomes purchased value, the bonus promotional value, in one transaction. The
        processor's payment id decides: the same payment again is answered with what was credited
        first, whatever the policy says by then. Where a ceiling of the policy is reached, what was
        paid is credited all the same, without a bonus and with a flag.

        Args:
            decision: From `storecredit.policies.credit_top_up`.

            about: See `About`; the reference is the payment, unless given.

        Returns:
            What was credited. What a ceiling of the merchant's withheld of it was paid for: give
            it back.

        Raises:
            InvalidTerms: *decision* is no decision about a top-up.
            InvalidText, NaiveInstant: What it was told.
            KeyReused: The payment was credited with another amount, or to somebody else.
            FutureInstant, UnitRedefined, AccountFrozen, AccountClosed, ExpiryTooEarly,
                CeilingReached: The account does not take it; the payment is to be given back.
            ConflictError: The storage; repeat the same.
        """
        require_decision(TopUpDecision, decision)
        stamp = GrantStamp.of(about, reference=decision.payment)
        desk = GrantDesk(self, TOP_UP, decision.payment)

        def change(tx: UnitOfWork, body: Body | None) -> tuple[ToppedUp, Body | None]:
            if body is not None:
                known = ToppedUp.from_json(body)
                _require_same(known.decision, decision)
                return attrs.evolve(known, replayed=True), None
            credited = self._top_up_in(tx, desk, decision, stamp)
            return credited, credited.to_json()

        return desk.step(change)

    def top_up_of(self, payment: str) -> ToppedUp:
        """
        Return what *payment* was credited as, and what was given back of it.

        Raises:
            InvalidText: The payment's id.
            UnknownGrant: It was never credited.
        """
        body = GrantDesk(self, TOP_UP, require_text("payment", payment)).body()
        if body is None:
            raise UnknownGrant(TOP_UP, payment)
        return ToppedUp.from_json(body)

    def refund_top_up(self, payment: str, **about: Unpack[About]) -> ToppedUp:
        """
        Give the unspent rest of a top-up back, and the bonus with it, once (A7).

        The bought lot is closed. The bonus goes in proportion to what is given back; what of that
        was spent is kept of the money, or borne by the shop, as the policy said. `refund.pays_back`
        is what the host pays back; a repeat is answered with the same.

        Args:
            payment: The processor's id of the payment.

            about: See `About`; actor and reason are required (A10).

        Raises:
            InvalidText, NaiveInstant: What it was told.
            UnknownGrant: The payment was never credited.
            FutureInstant, ReasonAndActorRequired, AccountFrozen, AccountClosed, LotClosed, LotHeld,
                InsufficientCredit: It cannot be taken out, of either lot.
            ConflictError: The storage; repeat the same.
        """
        require_text("payment", payment)
        stamp = GrantStamp.of(about, reference=payment)
        desk = GrantDesk(self, TOP_UP, payment)

        def change(tx: UnitOfWork, body: Body | None) -> tuple[ToppedUp, Body | None]:
            if body is None:
                raise UnknownGrant(TOP_UP, payment)
            known = ToppedUp.from_json(body)
            if known.refund is not None:
                return attrs.evolve(known, replayed=True), None
            after = attrs.evolve(known, refund=self._refund_in(tx, desk, known, stamp))
            return after, after.to_json()

        return desk.step(change)

    def _top_up_in(
        self, tx: UnitOfWork, desk: GrantDesk, decision: TopUpDecision, stamp: GrantStamp
    ) -> ToppedUp:
        now = self._instant(stamp.at)
        tallies = self._tallies(tx, decision.rule, decision.policy.name, now)
        if not tallies.room(decision.holder, decision.paid):
            decision = decision.above_ceiling()
        lots = tuple(
            desk.issue(
                tx,
                lot,
                stamp,
                grant_key(TOP_UP, decision.payment, str(place)),
                paid=None if place else decision.paid,
            )
            for place, lot in enumerate(decision.lots)
        )
        tallies.add(tx, decision.paid, entry=str(lots[0].entry))
        return ToppedUp(decision=decision, lots=lots)

    def _refund_in(
        self, tx: UnitOfWork, desk: GrantDesk, known: ToppedUp, stamp: GrantStamp
    ) -> TopUpRefund:
        payment = known.decision.payment
        bought = desk.now(tx, LotId(str(known.lots[0].lot)))
        zero = Money.zero(bought.account.unit)
        left = zero
        for place, name in enumerate(bought.names):
            asked = stamp.asked(
                RefundBought(lot=name), grant_key(TOP_UP, payment, f"refund:{place}")
            )
            left += desk.do(tx, bought.account.id, asked).amount
        given = [LotId(lot.lot) for lot in known.lots[1:] if lot.lot is not None]
        if not given:
            return refund_of_top_up(known.decision, left=left, bonus_left=zero, bonus_spent=zero)
        bonus, now = desk.now(tx, given[0]), self._instant(stamp.at)
        refund = refund_of_top_up(
            known.decision,
            left=left,
            bonus_left=Money.of_minor(bonus.left(now), zero.unit),
            bonus_spent=Money.of_minor(desk.spent(tx, bonus), zero.unit),
        )
        if refund.revoked.is_positive:
            command = Reclaim(lot=bonus.granted.id, amount=refund.revoked, carried=bonus.names)
            asked = stamp.asked(command, grant_key(TOP_UP, payment, "bonus"))
            desk.do(tx, bonus.account.id, asked)
        return refund

    def _tallies(self, tx: Reader, policy: TopUpPolicy, name: str, at: datetime) -> Tallies:
        section = (TOP_UP, name, policy.id)
        return Tallies(self, tx, section=section, ceilings=policy.ceilings, at=at, agent=None)


def _require_same(first: TopUpDecision, now: TopUpDecision) -> None:
    """
    Require that a payment is credited to the same holder, in the same amount.

    Raises:
        KeyReused: It differs.
    """
    for field in ("holder", "paid"):
        before, after = getattr(first, field), getattr(now, field)
        if before != after:
            raise KeyReused(first.payment, field, before, after)
