"""
Nobody pumps: whatever is bought with credit, returned, exchanged, restored and cashed out (P2, A7).

A customer plays against a shop with a real ledger: buys with any mixture of credit and card,
returns by the shop's policy in any way that is offered, spends what came back, waits until it
expires, and has paid out what may be paid out. Beside it a book is kept in whole cents, which
knows nothing of lots and policies.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import attrs
import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from storecredit import Merchant, StoreCredit
from storecredit.ledger import Funding
from storecredit.policies import (
    Bonus,
    CreditTerms,
    Fee,
    OfferKind,
    Policy,
    RefundDecision,
    RefundPolicy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    When,
)
from storecredit.storage import MemoryStorage
from storecredit.testing import SettableClock
from storecredit.testing import policy_strategies as strange
from storecredit.values import Balance, Money, Period

HOLDER = "c-17"
START = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def cents(amount: int) -> Money:
    return Money.of_minor(amount, "EUR")


@attrs.frozen(eq=False)
class Bought:
    """Goods that the customer has, and how they were paid."""

    external: int
    credit: int = 0
    refundable: int = 0
    """What of the credit might have been paid out instead."""
    redemption: str | None = None
    late: bool = False


class Customer(RuleBasedStateMachine):
    """Plays by the rules, and as well as anybody can."""

    cupboard = Bundle("cupboard")

    @initialize(
        bonus=strange.bonuses(),
        late_bonus=st.none() | strange.bonuses(),
        fee=st.none() | strange.fees(),
        terms=strange.credit_terms(),
        welcome=st.integers(0, 50),
    )
    def opens(
        self,
        bonus: Bonus,
        late_bonus: Bonus | None,
        fee: Fee | None,
        terms: CreditTerms,
        welcome: int,
    ) -> None:
        self.clock = SettableClock(START)
        self.credit = StoreCredit(MemoryStorage(), merchant=Merchant(id="acme"), clock=self.clock)
        rules = [
            RefundRule(
                id="usual",
                offer=[OfferKind.CREDIT, OfferKind.MONEY, OfferKind.EXCHANGE],
                bonus=bonus,
                fee=fee,
                credit=terms,
            )
        ]
        if late_bonus is not None:
            rules.insert(0, RefundRule(id="late", when=When(reasons=["damaged"]), bonus=late_bonus))
        self.bonuses = {False: bonus, True: late_bonus or bonus}
        self.policy = Policy(name="shop", version="1", refund=RefundPolicy(rules=rules))
        self.numbers = 0
        # The book: what came in, what went out, what the rules allowed, what the shop kept.
        self.paid_in = self.paid_out = self.allowed = self.kept = 0
        self.has_waited = False
        self.given = welcome
        self.goods: list[Bought] = []
        if welcome:
            self.credit.issue(HOLDER, cents(welcome), funding="promotional", key=self.key())

    def key(self) -> str:
        self.numbers += 1
        return f"k-{self.numbers}"

    def available(self) -> int:
        return self.credit.wallet(HOLDER).available["EUR"].minor

    def lots(self) -> dict[str, tuple[Funding, int]]:
        """By id, the funding and the rest of each lot that has not expired."""
        found = self.credit.account(HOLDER, "EUR")
        lots = () if found is None else found.lots
        return {
            str(lot.id): (lot.terms.funding, lot.remaining.minor)
            for lot in lots
            if lot.terms.expires_at is None or lot.terms.expires_at > self.clock()
        }

    def cashable(self) -> int:
        return sum(left for funding, left in self.lots().values() if funding is Funding.REFUND)

    @rule(target=cupboard, price=st.integers(1, 60), share=st.integers(0, 4), late=st.booleans())
    def buys(self, price: int, share: int, late: bool) -> Bought:
        """Pay with as much credit as there is, or with a part of it; the card pays the rest."""
        by_credit = min(price, self.available()) * share // 4
        bought = Bought(external=price - by_credit, late=late)
        if by_credit:
            before = self.lots()
            receipt = self.credit.redeem(HOLDER, cents(by_credit), key=self.key())
            after = self.lots()
            refundable = sum(
                left - after.get(name, (funding, 0))[1]
                for name, (funding, left) in before.items()
                if funding is Funding.REFUND
            )
            bought = attrs.evolve(
                bought, credit=by_credit, refundable=refundable, redemption=str(receipt.entry_id)
            )
        self.paid_in += bought.external
        self.goods.append(bought)
        return bought

    @rule(
        target=cupboard,
        goods=st.lists(consumes(cupboard), min_size=1, max_size=3, unique_by=id),
        way=st.sampled_from(OfferKind),
        other=st.none() | st.sampled_from(OfferKind),
    )
    def returns(self, goods: list[Bought], way: OfferKind, other: OfferKind | None) -> Bought:
        """Give some back, in one request: one way, or the first of them another way."""
        request = ReturnRequest(
            id=self.key(),
            merchant="acme",
            at=self.clock(),
            holder=HOLDER,
            lines=[
                ReturnLine(
                    id=str(number),
                    external=cents(each.external),
                    restored=Balance.of(cents(each.credit)),
                    reason="damaged" if each.late else None,
                )
                for number, each in enumerate(goods)
            ],
        )
        offers = self.policy.offers(request)
        decision = offers.choose(way, by_line={} if other is None else {"0": other})
        decision = RefundDecision.from_json(decision.to_json())
        self.allowed += self.allowed_by_hand(goods, decision)
        return self.carried_out(goods, decision)

    def allowed_by_hand(self, goods: list[Bought], decision: RefundDecision) -> int:
        """The bonus that each rule allows on what external tenders paid, the fee taken off."""
        of_rule = {False: 0, True: 0}
        same = self.bonuses[False] is self.bonuses[True]
        for line in decision.offer.lines:
            each = goods[int(line.line)]
            if line.kind is OfferKind.CREDIT:
                of_rule[each.late and not same] += max(0, each.external - line.fee.minor)
        return sum(
            bonus_by_hand(self.bonuses[late], credited) for late, credited in of_rule.items()
        )

    def carried_out(self, goods: list[Bought], decision: RefundDecision) -> Bought:
        exchanged = 0
        for line in decision.offer.lines:
            each = goods[int(line.line)]
            self.goods.remove(each)
            back = line.restored["EUR"]
            if back.is_positive:
                assert each.redemption is not None
                self.credit.restore(each.redemption, amount=back, key=self.key())
            self.paid_out += line.tenders.minor
            self.kept += line.fee.minor
            exchanged += line.exchange.minor
        for lot in decision.lots:
            self.credit.issue(
                HOLDER, lot.amount, funding=lot.funding, expires=lot.expires, key=self.key()
            )
        # The other goods are worth what external tenders paid for the first ones.
        got = Bought(external=exchanged)
        self.goods.append(got)
        return got

    @precondition(lambda self: self.cashable() > 0)
    @rule(part=st.integers(1, 4))
    def cashes_out(self, part: int) -> None:
        """Have paid out what may be."""
        amount = max(1, self.cashable() * part // 4)
        self.credit.cash_out(HOLDER, cents(amount), key=self.key(), actor="kim", reason="asked")
        self.paid_out += amount

    @rule(days=st.sampled_from([1, 31, 190]))
    def waits(self, days: int) -> None:
        """Some credit expires; what is restored after that lives for a while."""
        self.clock.advance(Period(days=days))
        self.has_waited = True

    def worth(self) -> int:
        """All that the customer has, at its price."""
        return self.available() + sum(each.external + each.credit for each in self.goods)

    @invariant()
    def nothing_comes_of_nothing(self) -> None:
        """What came in, and the bonuses that rules allow on it, is all that there ever is."""
        came_in = self.paid_in + self.given + self.allowed
        there_is = self.paid_out + self.worth() + self.kept
        assert there_is <= came_in
        if not self.has_waited:
            assert there_is == came_in

    @invariant()
    def no_bonus_becomes_money(self) -> None:
        """What was and could be paid out came in by card: no gift and no bonus among it."""
        of_goods = sum(each.external + each.refundable for each in self.goods)
        assert self.paid_out + self.cashable() + of_goods <= self.paid_in


def bonus_by_hand(bonus: Bonus, credited: int) -> int:
    if not credited:
        return 0
    whole = int(Fraction(bonus.percent) * credited // 100)
    if bonus.fixed is not None:
        whole += min(bonus.fixed.minor, credited)
    return whole if bonus.at_most is None else min(whole, bonus.at_most.minor)


TestCustomer = Customer.TestCase
TestCustomer.settings = settings(stateful_step_count=20)


# Schemes that have worked elsewhere, played out to the cent


def shop_with(bonus: Bonus) -> tuple[StoreCredit, Policy]:
    usual = RefundRule(
        id="usual", offer=[OfferKind.CREDIT, OfferKind.MONEY, OfferKind.EXCHANGE], bonus=bonus
    )
    credit = StoreCredit(MemoryStorage(), merchant="acme", clock=SettableClock(START))
    return credit, Policy(name="s", version="1", refund=RefundPolicy(rules=[usual]))


def asked(external: str, restored: str = "0.00") -> ReturnRequest:
    line = ReturnLine(
        id="1",
        external=Money.of(external, "EUR"),
        restored=Balance.of(Money.of(restored, "EUR")),
    )
    return ReturnRequest(id="r", merchant="acme", lines=[line], at=START, holder=HOLDER)


def test_returning_for_110_percent_again_and_again_earns_ten_percent_once() -> None:
    credit, policy = shop_with(Bonus(percent=10))
    decision = policy.offers(asked("100.00")).choose("credit")
    for number, lot in enumerate(decision.lots):
        credit.issue(HOLDER, lot.amount, funding=lot.funding, key=f"first-{number}")
    for cycle in range(10):
        spent = credit.redeem(HOLDER, Money.of("110.00", "EUR"), key=f"buy-{cycle}")
        decision = policy.offers(asked("0.00", "110.00")).choose("credit")
        assert decision.lots == ()
        credit.restore(spent.entry_id, amount=decision.restored["EUR"], key=f"back-{cycle}")
    assert str(credit.wallet(HOLDER).available) == "EUR 110.00"


def test_a_cent_on_the_card_earns_a_cent_and_not_the_fixed_bonus() -> None:
    _, policy = shop_with(Bonus(fixed=Money.of("5.00", "EUR")))
    decision = policy.offers(asked("0.01", "99.99")).choose("credit")
    assert [str(lot.amount) for lot in decision.lots] == ["EUR 0.01", "EUR 0.01"]


def test_an_exchange_is_no_detour_from_a_gift_to_money() -> None:
    _, policy = shop_with(Bonus(percent=10))
    first = policy.offers(asked("0.00", "20.00")).choose("exchange")
    assert first.offer.exchange == Money.of("0.00", "EUR")
    # External tenders have paid nothing for the other goods either: no money for them.
    second = policy.offers(asked("0.00", "20.00")).choose("money")
    assert second.tenders == Money.of("0.00", "EUR")
    assert second.restored == Balance.of(Money.of("20.00", "EUR"))


def test_percentages_of_many_small_returns_are_rounded_down_each() -> None:
    _, policy = shop_with(Bonus(percent=Decimal("12.5")))
    small = policy.offers(asked("0.07")).choose("credit")
    assert small.offer.bonus == Money.of("0.00", "EUR")
    whole = policy.offers(asked("0.70")).choose("credit")
    assert whole.offer.bonus == Money.of("0.08", "EUR")
