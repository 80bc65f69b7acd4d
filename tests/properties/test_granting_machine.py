"""Goodwill and top-ups beside a naive book: once, within ceilings, and a bonus never becomes cash (P4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import stateful
from hypothesis import strategies as st

from storecredit.errors import GrantCeilingReached, KeyReused, RefusalError
from storecredit.ledger import Merchant
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.gift import Gift, GrantCeiling
from storecredit.policies.goodwill import GoodwillPolicy, GoodwillRule, give_goodwill
from storecredit.policies.occasion import Occasion
from storecredit.policies.rule import Bonus
from storecredit.policies.top_up import BonusStep, TopUpPolicy, credit_top_up
from storecredit.storage import MemoryStorage
from storecredit.testing.contract.scene import NOON, Shop
from storecredit.values import Money, Period

WEEK = timedelta(days=7)
CEILING, GIFTS = 12, 4
MONTHLY = 3
"""So many top-ups in four weeks have a bonus."""
STEPS = [BonusStep(paid=Money.of_minor(20, "USD"), bonus=Bonus(percent=15))]
WHO = {"actor": "ann", "reason": "asked"}


def usd(minor: int) -> Money:
    return Money.of_minor(minor, "USD")


holders = st.sampled_from(["anna", "ben"])


class Granting(stateful.RuleBasedStateMachine):
    """Each step is asked of the library and of the book, and often a second time."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(MemoryStorage(), Merchant(id="acme"))
        self.given: dict[str, tuple[str, int]] = {}
        self.gifts: list[tuple[datetime, str, int]] = []
        self.payments: dict[str, tuple[str, int]] = {}
        self.bonuses: dict[str, int] = {}
        self.credited: list[tuple[datetime, str]] = []
        self.refunds: dict[str, Any] = {}
        self.balance: dict[str, int] = {"anna": 0, "ben": 0}
        self.cash: dict[str, int] = {"anna": 0, "ben": 0}
        self.spent: list[tuple[str, str, int]] = []
        self.keys = 0

    def key(self) -> str:
        self.keys += 1
        return f"k{self.keys}"

    def twice(self, act: Callable[[], Any]) -> Any:
        """Do it, and again: nothing more happens, and the answer is the same."""
        first = act()
        before = self.shop.kept(holders=self.balance, kinds=KINDS)
        again = act()
        assert again == first
        assert again.replayed
        assert self.shop.kept(holders=self.balance, kinds=KINDS) == before
        return first

    @stateful.rule(days=st.integers(1, 9))
    def later(self, days: int) -> None:
        self.shop.clock.advance(timedelta(days=days))

    @stateful.rule(
        holder=holders,
        ticket=st.integers(0, 9),
        amount=st.integers(1, 9),
        above=st.sampled_from(["refuse", "up_to"]),
        version=st.sampled_from(["1", "2"]),
    )
    def goodwill(self, holder: str, ticket: int, amount: int, above: str, version: str) -> None:
        week = GrantCeiling(
            id="week", period=Period(weeks=1), amount=usd(CEILING), count=GIFTS, above=above
        )
        policy = GoodwillPolicy(
            rules=[GoodwillRule(id="sorry", on="x", gives=Gift(amount=usd(amount)))],
            ceilings=[week],
        )
        event = Occasion(id=f"t{ticket}", on="x", holder=holder, at=NOON)
        decision = give_goodwill(policy, event, named=PolicyVersion("kind", version))
        now = self.shop.clock()
        known = self.given.get(event.id)
        recent = [each for at, who, each in self.gifts if who == holder and at > now - WEEK]
        room = 0 if len(recent) >= GIFTS else max(CEILING - sum(recent), 0)
        if known is None and room < amount and above == "refuse":
            try:
                self.shop.credit.grant(decision)
            except GrantCeilingReached:
                return
            raise AssertionError("the ceiling let it through")
        granted = self.twice(lambda: self.shop.credit.grant(decision))
        (lot,) = granted.lots
        if known is None:
            known = self.given[event.id] = (holder, min(amount, room))
            assert lot.withheld.minor == amount - known[1]
            self.balance[holder] += known[1]
            if known[1]:
                self.gifts.append((now, holder, known[1]))
        assert (lot.holder, lot.given.minor) == known

    @stateful.rule(holder=holders, number=st.integers(0, 7), amount=st.integers(1, 60))
    def top_up(self, holder: str, number: int, amount: int) -> None:
        ceiling = GrantCeiling(id="month", period=Period(weeks=4), count=MONTHLY)
        policy = TopUpPolicy(id="w", minimum=usd(5), bonuses=STEPS, ceilings=[ceiling])
        name, now = f"pay-{number}", self.shop.clock()
        decision = credit_top_up(
            policy, usd(amount), holder=holder, payment=name, named=PolicyVersion("shop", "1")
        )
        known = self.payments.get(name)
        if known not in (None, (holder, amount)):
            try:
                self.shop.credit.top_up(decision)
            except KeyReused:
                return
            raise AssertionError("one payment, two amounts or holders")
        topped = self.twice(lambda: self.shop.credit.top_up(decision))
        if known is None:
            recent = [1 for at, who in self.credited if who == holder and at > now - 4 * WEEK]
            bonus = amount * 15 // 100 if amount >= 20 and len(recent) < MONTHLY else 0
            self.payments[name], self.bonuses[name] = (holder, amount), bonus
            self.credited.append((now, holder))
            self.balance[holder] += amount + bonus
            self.cash[holder] += amount
        expected = [each for each in (self.payments[name][1], self.bonuses[name]) if each]
        assert [lot.given.minor for lot in topped.lots] == expected

    @stateful.rule(holder=holders, amount=st.integers(1, 40))
    def spend(self, holder: str, amount: int) -> None:
        if amount <= self.balance[holder]:
            receipt = self.shop.credit.redeem(holder, usd(amount), key=self.key())
            self.balance[holder] -= amount
            self.spent.append((receipt.entry_id, holder, amount))

    @stateful.precondition(lambda self: self.spent)
    @stateful.rule(data=st.data())
    def bring_back(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.spent) - 1))
        entry, holder, left = self.spent.pop(place)
        amount = data.draw(st.integers(1, left))
        self.shop.credit.restore(entry, amount=usd(amount), key=self.key())
        self.balance[holder] += amount
        if amount < left:
            self.spent.append((entry, holder, left - amount))

    @stateful.precondition(lambda self: self.payments)
    @stateful.rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.payments)))
        holder, paid = self.payments[name]
        try:
            found = self.twice(lambda: self.shop.credit.refund_top_up(name, **WHO)).refund
        except RefusalError:
            # Somebody has cashed it out before.
            assert name not in self.refunds
            return
        if name in self.refunds:
            assert found == self.refunds[name]
            return
        self.refunds[name] = found
        closed, bonus = found.closed.minor, self.bonuses[name]
        assert closed <= paid
        # Of the bonus, the share of what is given back goes, or is kept of the money.
        assert found.revoked.minor + found.deducted.minor == -(-bonus * closed // paid)
        assert found.pays_back.minor == closed - found.deducted.minor
        self.balance[holder] -= closed + found.revoked.minor
        self.cash[holder] -= found.pays_back.minor

    @stateful.rule(holder=holders, amount=st.integers(1, 40))
    def cash_out(self, holder: str, amount: int) -> None:
        try:
            self.shop.credit.cash_out(holder, usd(amount), key=self.key())
        except RefusalError:
            return
        self.balance[holder] -= amount
        self.cash[holder] -= amount

    @stateful.invariant()
    def balances_are_those_of_the_book(self) -> None:
        for holder, balance in self.balance.items():
            assert self.shop.credit.wallet(holder).available["USD"].minor == balance

    @stateful.invariant()
    def nobody_gets_more_money_than_was_paid(self) -> None:
        assert all(cash >= 0 for cash in self.cash.values())

    def teardown(self) -> None:
        assert self.shop.credit.verify().ok


KINDS = ("grant", "grant-tally", "top-up")

TestGranting = Granting.TestCase
