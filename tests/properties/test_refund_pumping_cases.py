"""
Nobody pumps through checkouts and refund cases either: the same game, with nothing done by hand.

Orders are paid in checkouts, by wallet and card; what was paid is read from their records (P6);
refunds are cases, in as many parts as there are pieces. What the processor charged and gave back is
added up here, in whole cents.
"""

from __future__ import annotations

import datetime as dt

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storecredit import External, Merchant, Order, OrderLine, StoreCredit
from storecredit.ledger import Funding
from storecredit.policies import (
    Bonus,
    CreditTerms,
    Fee,
    OfferKind,
    Policy,
    RefundPolicy,
    RefundRule,
    ReturnRequest,
)
from storecredit.storage import MemoryStorage
from storecredit.testing import SettableClock
from storecredit.testing import policy_strategies as strange
from storecredit.values import Money, Period

HOLDER = "c-17"
START = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def cents(amount: int) -> Money:
    return Money.of_minor(amount, "EUR")


class Regular(RuleBasedStateMachine):
    """A customer who returns as much as can be returned."""

    @initialize(
        percent=st.sampled_from([10, "12.5", 100]),
        fee=st.none() | strange.fees(),
        terms=strange.credit_terms(),
        welcome=st.integers(0, 50),
    )
    def opens(self, percent: int | str, fee: Fee | None, terms: CreditTerms, welcome: int) -> None:
        self.clock = SettableClock(START)
        self.credit = StoreCredit(MemoryStorage(), merchant=Merchant(id="acme"), clock=self.clock)
        usual = RefundRule(
            id="usual",
            offer=[OfferKind.CREDIT, OfferKind.MONEY],
            bonus=Bonus(percent=percent),
            fee=fee,
            credit=terms,
            goods="keep",  # so that a case is complete at once
        )
        self.bonus = Bonus(percent=percent)
        self.policy = Policy(name="shop", version="1", refund=RefundPolicy(rules=[usual]))
        self.left: dict[str, int] = {}
        self.numbers = self.charged = self.refunded = self.cashed = self.allowed = 0
        self.given = welcome
        if welcome:
            self.credit.issue(HOLDER, cents(welcome), funding="promotional", key="welcome")

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def lots(self) -> list[tuple[Funding, int]]:
        found = self.credit.account(HOLDER, "EUR")
        lots = () if found is None else found.lots
        return [
            (lot.terms.funding, lot.remaining.minor)
            for lot in lots
            if lot.terms.expires_at is None or lot.terms.expires_at > self.clock()
        ]

    def cashable(self) -> int:
        return sum(left for funding, left in self.lots() if funding is Funding.REFUND)

    @rule(price=st.integers(1, 60), pieces=st.integers(1, 3), by_wallet=st.booleans())
    def buys(self, price: int, pieces: int, by_wallet: bool) -> None:
        order = Order(f"o-{self.number()}", [OrderLine("goods", cents(price), quantity=pieces)])
        card = External("card")
        has_wallet = by_wallet and self.credit.account(HOLDER, "EUR") is not None
        tenders = [self.credit.tender("wallet", HOLDER, "EUR"), card] if has_wallet else [card]
        plan = self.credit.plan_payment(order, tenders)
        checkout = self.credit.begin_checkout(plan, key=f"{order.id}/begin")
        for due in checkout.charges:
            checkout.charge(due.tender, amount=due.amount, key=f"{order.id}/charge")
            checkout.settle_charge(f"{order.id}/charge", "confirmed")
            self.charged += due.amount.minor
        checkout.complete(key=f"{order.id}/complete")
        self.left[order.id] = pieces

    @precondition(lambda self: any(self.left.values()))
    @rule(
        data=st.data(), way=st.sampled_from([OfferKind.CREDIT, OfferKind.CREDIT, OfferKind.MONEY])
    )
    def returns(self, data: st.DataObject, way: OfferKind) -> None:
        order = data.draw(st.sampled_from([order for order, left in self.left.items() if left]))
        pieces = data.draw(st.integers(1, self.left[order]))
        request = ReturnRequest(
            id=f"rma-{self.number()}",
            merchant="acme",
            order=order,
            holder=HOLDER,
            at=self.clock(),
            lines=self.credit.return_lines(order, {"goods": pieces}),
        )
        decision = self.policy.offers(request).choose(way)
        asked, back = request.lines[0], decision.offer.lines[0]
        # On what the card paid, less what is kept of it, and on nothing else.
        earns = max(0, asked.external.minor - back.fee.minor) if way is OfferKind.CREDIT else 0
        self.allowed += self.bonus.on(cents(earns)).minor
        case = self.credit.request_refund(decision, key=f"{request.id}/ask")
        case.approve(key=f"{request.id}/approve", actor="kim")
        case.complete(key=f"{request.id}/complete", actor="kim")
        for due in case.refunds_due:
            case.settle_refund(due.key, "confirmed")
            self.refunded += due.amount.minor
        self.left[order] -= pieces

    @precondition(lambda self: self.cashable() > 0)
    @rule(part=st.integers(1, 4))
    def cashes_out(self, part: int) -> None:
        amount = max(1, self.cashable() * part // 4)
        self.credit.cash_out(
            HOLDER, cents(amount), key=f"cash-{self.number()}", actor="kim", reason="asked"
        )
        self.cashed += amount

    @rule(days=st.sampled_from([1, 31, 190]))
    def waits(self, days: int) -> None:
        self.clock.advance(Period(days=days))

    @invariant()
    def no_bonus_becomes_money(self) -> None:
        assert self.refunded + self.cashed + self.cashable() <= self.charged

    @invariant()
    def nothing_comes_of_nothing(self) -> None:
        there_is = self.refunded + self.cashed + sum(left for _, left in self.lots())
        assert there_is <= self.charged + self.given + self.allowed


TestRegular = Regular.TestCase
TestRegular.settings = settings(stateful_step_count=15)
