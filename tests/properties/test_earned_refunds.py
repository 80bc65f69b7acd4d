"""Refunds at the checkout and returns by hand, in any order: the points are those of what is kept (P4, T6)."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from storecredit.errors import EarnedChanged, InvalidOrder, QuantityExceedsRest, RefundExceedsPaid
from storecredit.ledger import Merchant
from storecredit.policies import (
    EarnDecision,
    EarningPolicy,
    EarnRule,
    PolicyVersion,
    Returned,
    earn,
    points_due,
    purchase_of,
    returned_of,
)
from storecredit.service import Checkout
from storecredit.storage import MemoryStorage
from storecredit.tenders import (
    External,
    Order,
    OrderLine,
    PayingRate,
    RefundPlan,
    RefundRequest,
    RefundRules,
)
from storecredit.testing.contract.scene import POINTS, Shop
from storecredit.values import ExchangeRate, Money, Rounding, unit

EUR = unit("EUR")
WHO: Any = {"actor": "ann", "reason": "came back"}
POINT = PayingRate(ExchangeRate(POINTS, "EUR", "0.01", on=date(2026, 1, 1)), Rounding.HALF_UP)
RULES = st.builds(
    EarnRule,
    id=st.just("all"),
    per=st.integers(50, 1_000).map(lambda cents: Money.of_minor(cents, "EUR")),
    points=st.integers(1, 50),
    unit=st.just(POINTS.code),
    minimum_order=st.none() | st.integers(1, 3_000).map(lambda cents: Money.of_minor(cents, "EUR")),
    at_most=st.none() | st.integers(1, 60),
    shortfall=st.sampled_from(["up_to", "owe"]),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["plan", "plan", "carry out", "carry out", "refund", "by hand", "spend", "merge"]
        ),
        st.integers(0, 2),
        st.integers(1, 3),
        st.booleans(),
    ),
    max_size=12,
)


class Sold:
    """An order of some lines that has earned, and the plain books of what came back of it."""

    def __init__(self, lines: list[tuple[int, int]], credit: int, rule: EarnRule) -> None:
        self.shop = Shop(MemoryStorage(), Merchant(id="acme", units=(POINTS,)))
        self.credit = self.shop.credit
        self.holder = "c-17"
        self.lines = lines
        if credit:
            amount = Money.of_minor(credit, EUR)
            self.credit.issue("c-17", amount, funding="refund", key="start")
        order = Order(
            "o-1",
            [
                OrderLine(str(number), Money.of_minor(cents * pieces, EUR), quantity=pieces)
                for number, (cents, pieces) in enumerate(lines)
            ],
        )
        tenders = [self.credit.tender("credit", "c-17", "EUR"), External("card")]
        self.checkout = paid(
            self.credit.begin_checkout(self.credit.plan_payment(order, tenders), key="begin")
        )
        bought = purchase_of(self.checkout.record.plan, holder="c-17", unit=EUR)
        self.decision = decided(rule, bought)
        self.earning = self.credit.earn(self.decision)
        self.rule, self.kept, self.spent, self.removed = rule, bought, 0, 0
        self.plans: list[tuple[RefundPlan, tuple[Returned, ...]]] = []
        self.number = 0

    # Steps

    def plan(self, line: int, pieces: int, lowers: bool) -> bool:
        name = str(line % len(self.lines))
        request = RefundRequest.of_lines({name: pieces})
        rules = RefundRules(shortfall="reduce_refund" if lowers else "absorb")
        try:
            money = self.checkout.plan_refund(request, rules=rules)
            back = returned_of(money, self.checkout.record.plan, unit=EUR)
            earned = self.credit.earned("o-1", back, rate=POINT)
        except (QuantityExceedsRest, InvalidOrder):
            # All of it is back, or by hand so much that the rest of the purchase is smaller.
            return False
        self.plans.append((self.checkout.plan_refund(request, rules=rules, earned=earned), back))
        return True

    def refund(self, line: int, pieces: int, lowers: bool) -> None:
        if self.plan(line, pieces, lowers):
            self.carry_out(-1)

    def carry_out(self, which: int) -> None:
        if not self.plans:
            return
        plan, back = self.plans[which % len(self.plans)]
        before = self.shop.kept(kinds=("payment", "earning"))
        try:
            self.checkout.refund(plan, key=f"r{self.number}", returned=back, **WHO)
        except (EarnedChanged, InvalidOrder, QuantityExceedsRest, RefundExceedsPaid) as refused:
            event(type(refused).__name__)
            assert self.shop.kept(kinds=("payment", "earning")) == before
            return
        event("refunded")
        gone = self.credit.earning("o-1").removals[-1].points
        planned = [each.amount for each in plan.taken_back]
        assert planned == [] if gone is None else Money.total(planned, POINTS) == gone
        self.kept = self.kept.less(back)

    def by_hand(self, line: int, pieces: int) -> None:
        number = line % len(self.lines)
        left = self.kept.line(str(number)).amount
        amount = min(Money.of_minor(self.lines[number][0] * pieces, EUR), left)
        back = Returned(line=str(number), amount=amount)
        self.credit.remove_earned("o-1", back, key=f"k{self.number}", **WHO)
        self.kept = self.kept.less([back])

    def spend(self, points: int) -> None:
        available = self.credit.account(self.holder, POINTS).available
        amount = min(Money.of_minor(points, POINTS), available)
        if amount.is_positive:
            self.credit.redeem(self.holder, amount, key=f"s{self.number}")
            self.spent += amount.minor

    def merge(self) -> None:
        into = f"c-{self.number + 100}"
        self.credit.merge(self.holder, into, key=f"m{self.number}", **WHO)
        self.holder = into

    # What is always true

    def holds(self) -> None:
        if self.earning.points is None:
            return
        known = self.credit.earning("o-1")
        due = points_due(self.rule, self.kept, units=[POINTS])
        assert known.points is not None
        assert known.removed is not None
        assert known.short is not None
        assert known.points - known.removed == due
        assert known.kept == self.kept
        # What is there is what is due, less what is spent of that; what was spent of more is missing.
        view = self.credit.account(self.holder, POINTS)
        assert view.available.minor == known.points.minor - self.spent - (
            known.removed.minor - known.short.minor
        )
        assert view.available.minor == max(due.minor - self.spent, 0) or known.short.is_positive


def decided(rule: EarnRule, bought: Any) -> EarnDecision:
    policy = EarningPolicy(rules=[rule])
    return earn(policy, bought, named=PolicyVersion("points", "1"), units=[POINTS])


def paid(checkout: Checkout) -> Checkout:
    for due in checkout.charges:
        checkout.charge(due.tender, key="charge")
        checkout.settle_charge("charge", "confirmed")
    checkout.complete(key="done")
    return checkout


@given(
    st.lists(st.tuples(st.integers(1, 1_500), st.integers(1, 3)), min_size=2, max_size=3),
    st.integers(0, 1_500),
    RULES,
    STEPS,
)
def test_p4_earned_less_removed_is_due_on_what_is_kept_whatever_the_way(
    lines: list[tuple[int, int]], credit: int, rule: EarnRule, steps: list[Any]
) -> None:
    sold = Sold(lines, credit, rule)
    for what, line, pieces, lowers in steps:
        sold.number += 1
        if what in ("refund", "plan"):
            getattr(sold, what)(line, pieces, lowers)
        elif what == "carry out":
            sold.carry_out(line)
        elif what == "by hand":
            sold.by_hand(line, pieces)
        elif what == "spend":
            sold.spend(pieces * 7)
        elif sold.earning.points is not None:
            sold.merge()
        sold.holds()
    assert sold.credit.verify().ok
