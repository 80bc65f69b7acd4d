"""Whatever merges with whatever, a limit counts what all that are one holder by now have had (P3, P4)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returns_desk import Returns, a_policy, back, eur

from storecredit.errors import ApprovalNeeded
from storecredit.policies import Limit, RefundRule
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.gift import Gift, GrantCeiling
from storecredit.policies.goodwill import GoodwillPolicy, GoodwillRule, give_goodwill
from storecredit.policies.occasion import Occasion
from storecredit.storage import MemoryStorage
from storecredit.values import Money, Period

MONTH = Period(days=30)
MOST = 1_000
"""What one holder may have in a month, of gifts and of refunds each, in cents."""
BY = a_policy(
    (RefundRule(id="all", offer=("credit", "money"), goods="keep"),),
    limits=(Limit(id="cap", per="holder", period=MONTH, amount=eur("10.00")),),
)
PEOPLE = ("ann", "ben", "cem", "dan")
PERSON = st.sampled_from(PEOPLE)
CENTS = st.integers(1, 700)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("gift"), PERSON, CENTS),
        st.tuples(st.just("refund"), PERSON, CENTS),
        st.tuples(st.just("merge"), PERSON, PERSON),
        st.tuples(st.just("rename"), PERSON, st.none()),
    ),
    max_size=14,
)


class Town:
    """Who is one by now, and what all of one have had: nothing of wallets, digests or records."""

    def __init__(self) -> None:
        self.returns = Returns(MemoryStorage())
        self.name = {person: person for person in PEOPLE}
        """By person, the name that the shop knows by now."""
        self.one = {person: {person} for person in PEOPLE}
        self.survivor = {person: person for person in PEOPLE}
        self.had: dict[str, Counter[str]] = {person: Counter() for person in PEOPLE}
        self.known = set[str]()
        self.number = 0

    def left(self, what: str, person: str) -> int:
        return MOST - sum(self.had[each][what] for each in self.one[person])

    def gift(self, person: str, cents: int) -> None:
        rule = GoodwillRule(id="late", on="late", gives=Gift(amount=Money.of_minor(cents, "EUR")))
        ceiling = GrantCeiling(id="cap", period=MONTH, amount=eur("10.00"), above="up_to")
        occasion = Occasion(
            id=f"t-{self.number}", on="late", holder=self.name[person], at=self.returns.clock()
        )
        policy = GoodwillPolicy(rules=[rule], ceilings=[ceiling])
        decision = give_goodwill(policy, occasion, named=PolicyVersion("shop", "1"))
        (lot,) = self.returns.credit.grant(decision).lots
        assert lot.given.minor == min(cents, max(self.left("gift", person), 0))
        self.had[person]["gift"] += lot.given.minor
        self.known |= self.one[person] if lot.given.is_positive else set()

    def refund(self, person: str, cents: int) -> None:
        returns, name = self.returns, f"r-{self.number}"
        line = back(name, str(Money.of_minor(cents, "EUR").decimal))
        request = returns.asked(line, id=name, holder=self.name[person], order=None)
        # As it would be decided if nothing had been counted yet.
        decision = BY.offers(request, agent="ann").choose("credit", consent=True)
        case = returns.credit.request_refund(decision, key="ask")
        case.approve(key="yes", actor="ann")
        if cents > self.left("refund", person):
            with pytest.raises(ApprovalNeeded):
                case.complete(key="done")
            return
        case.complete(key="done")
        self.had[person]["refund"] += cents
        self.known |= self.one[person]

    def merge(self, person: str, into: str) -> None:
        if into in self.one[person] or not self.known & self.one[person]:
            return
        # Who was merged before cannot go elsewhere; any name of the other will do.
        holder, key = self.name[self.survivor[person]], f"m-{self.number}"
        self.returns.credit.merge(holder, self.name[into], key=key, actor="bo", reason="one person")
        both, survivor = self.one[person] | self.one[into], self.survivor[into]
        for each in both:
            self.one[each], self.survivor[each] = both, survivor
        self.known |= both

    def rename(self, person: str, _: None) -> None:
        if person in self.known and len(self.one[person]) == 1:
            self.returns.credit.pseudonymise(self.name[person], f"p-{self.number}")
            self.name[person] = f"p-{self.number}"

    def counted(self) -> None:
        for person in PEOPLE:
            (tally,) = self.returns.credit.tallies(BY, holder=self.name[person])
            assert tally.amount is not None
            assert tally.amount.minor == MOST - self.left("refund", person)


@settings(max_examples=max(settings().max_examples // 2, 10))
@given(STEPS)
def test_a17_what_is_counted_is_what_all_who_are_one_have_had(steps: list[tuple]) -> None:
    town = Town()
    for what, *told in steps:
        town.number += 1
        getattr(town, what)(*told)
        town.counted()
    assert town.returns.credit.verify().ok
