"""
A state machine over refund cases: every step at any time, twice, by anybody, with crashes (P5).

What has to be true is kept in plain books beside it: what was paid for each piece, what was
accepted of it, what each case was to give. They know nothing of records, lots or ledgers.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import attrs
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from returns_desk import Returns, a_policy, sold

from storecredit.errors import (
    ApprovalNeeded,
    CaseStepRefused,
    GoodsNotDue,
    InsufficientCredit,
    LimitReached,
    LotExhausted,
    NothingAccepted,
    PiecesTaken,
    QuantityExceedsRest,
    ReturnOutdated,
    StoreCreditError,
)
from storecredit.policies import Bonus, Fee, Limit, LimitOn, RefundDecision, RefundRule
from storecredit.refunds import CaseState
from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage
from storecredit.testing import FaultyStorage, InjectedFault
from storecredit.testing.faults import Fault, Mode
from storecredit.values import Money

WHY: Any = {"actor": "bo", "reason": "goods"}
CAP = 4_000
"""What one customer may get in bonuses and refunds before somebody has to approve, in cents."""
RULES = {
    "plain": RefundRule(id="plain", offer=("credit", "money")),
    "bonus": RefundRule(id="bonus", offer=("credit", "money"), bonus=Bonus(percent=10)),
    "fee": RefundRule(id="fee", offer=("credit", "money"), fee=Fee(percent="12.5")),
    "now": RefundRule(id="now", offer=("credit",), bonus=Bonus(percent=7), instant=True),
    "keep": RefundRule(id="keep", offer=("credit", "money"), goods="keep"),
}
LIMITS = (Limit(id="cap", per="holder", amount=Money.of_minor(CAP, "EUR")),)
OPEN = {
    *(CaseState.REQUESTED, CaseState.APPROVED, CaseState.AWAITING_RETURN),
    *(CaseState.IN_TRANSIT, CaseState.RECEIVED, CaseState.INSPECTED, CaseState.REOPENED),
}
STEPS = (
    *("approve", "await_return", "ship", "receive", "inspect", "complete", "deny", "cancel"),
    *("reopen", "goods_missing"),
)
EXPECTED = (
    *(ApprovalNeeded, CaseStepRefused, GoodsNotDue, LimitReached, LotExhausted, NothingAccepted),
    *(PiecesTaken, QuantityExceedsRest, ReturnOutdated, InsufficientCredit),
)


@attrs.define
class Booked:
    """What the plain book knows of a case."""

    decision: RefundDecision
    accepted: int | None = None
    completed: int = 0
    given: int = 0
    """Cents of credit that the holder has got by the case, and kept."""
    missed: int = 0
    """Cents that could not be taken back."""
    instructions: dict[str, int] = attrs.field(factory=dict)

    @property
    def whole(self) -> dict[str, int]:
        return {"1": self.decision.request.lines[0].pieces}


def half_up(amount: int, parts: int, of: int) -> int:
    return (2 * amount * parts + of) // (2 * of)


class CaseMachine(RuleBasedStateMachine):
    """Requests refunds of one order, and takes any step of any case at any time."""

    @initialize(
        price=st.integers(1, 5_000),
        pieces=st.integers(2, 9),
        credit=st.integers(0, 3_000),
        guests=st.booleans(),
    )
    def opened(self, price: int, pieces: int, credit: int, guests: bool) -> None:
        self.storage = MemoryStorage()
        self.returns = Returns(self.storage, codes=True)
        self.pieces, self.price = pieces, price
        self.keys = itertools.count(1)
        self.cases: dict[str, Booked] = {}
        self.guests = guests
        if credit:
            amount = Money.of_minor(credit, "EUR")
            self.returns.credit.issue("c-17", amount, funding="refund", key="start")
        paid = str(Money.of_minor(price, "EUR").decimal)
        self.returns.paid(sold("1", paid, quantity=pieces))
        # What the credit did not pay for is the customer's still.
        self.available = max(credit - price, 0)
        self.spent = 0
        self.codes = 0
        """Cents that guests have got by codes."""

    # -- what every step is done with

    def done(self, act: Callable[[StoreCredit], Any], fault: int, mode: Mode) -> Any:
        """Take a step that may be cut off; then again; then once more, which changes nothing."""
        if fault:
            faulty = FaultyStorage(self.storage, [Fault(mode, fault)])
            try:
                act(self.returns.at(faulty))
            except InjectedFault:
                note(f"cut off: {mode} {fault}")
            except EXPECTED:
                pass
        try:
            found = act(self.returns.credit)
        except EXPECTED as refused:
            note(f"refused: {refused}")
            before = self.returns.kept()
            try:
                act(self.returns.credit)
            except StoreCreditError:
                assert self.returns.kept() == before, "a refusal left a trace"
                return None
            raise AssertionError("it was refused, and then it was not") from refused
        before = self.returns.kept()
        act(self.returns.credit)
        assert self.returns.kept() == before, "the repeat did it a second time"
        return found

    # -- rules

    @rule(
        pieces=st.integers(1, 4),
        name=st.sampled_from([*sorted(RULES), "now", "now"]),
        way=st.sampled_from(["credit", "money", "credit of a guest"]),
        fault=st.integers(0, 12),
        mode=st.sampled_from(Mode),
    )
    def request(self, pieces: int, name: str, way: str, fault: int, mode: Mode) -> None:
        kind, _, is_guest = way.partition(" of a ")
        returns = self.returns
        policy = a_policy((RULES[name],), limits=LIMITS)
        way = kind if name != "now" else "credit"
        case = f"r-{len(self.cases)}"
        left = self.pieces - sum(self.taken(each) for each in self.cases)
        try:
            lines = returns.lines({"1": pieces})
        except QuantityExceedsRest:
            assert pieces > left
            return
        assert pieces <= left
        asked = returns.asked(*lines, id=case, holder=None if is_guest and self.guests else "c-17")
        decision = policy.offers(asked, agent="ann").choose(way, consent=True)
        self.done(lambda credit: credit.request_refund(decision, key="ask"), fault, mode)
        self.cases[case] = Booked(decision)

    @precondition(lambda self: self.cases)
    @rule(data=st.data(), steps=st.integers(0, 7))
    def go_on(self, data: st.DataObject, steps: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.cases)))
        for _ in range(8 - steps):
            if self.cases[name].instructions:
                self.settle(data, name)
            else:
                self.step(data, name)

    def step(self, data: st.DataObject, name: str) -> None:
        booked = self.cases[name]
        before = self.returns.credit.refund_case(name).record
        # Mostly what goes on from here, and forwards; now and then anything.
        allowed = [each.value for each in before.allowed if each in STEPS]
        begins = before.state in (CaseState.REQUESTED, CaseState.REOPENED)
        aside = {"deny", "cancel", "goods_missing", before.events[-1].step.value}
        aside |= set() if begins else {"approve"}
        ahead = [each for each in allowed if each not in aside]
        ways = [ahead or allowed or list(STEPS), allowed or list(STEPS), list(STEPS)]
        step = data.draw(st.sampled_from(ways[data.draw(st.sampled_from([0] * 6 + [1, 1, 1, 2]))]))
        actor = data.draw(st.sampled_from(["bo", "ann"]))
        told: dict[str, Any] = {"key": f"k{next(self.keys)}", "actor": actor, "reason": "so"}
        accepted = None
        if step == "inspect":
            most = booked.decision.request.lines[0].pieces
            most = most if booked.accepted is None else booked.accepted
            accepted = most - data.draw(st.integers(0, most))
            told["accepted"] = {"1": accepted}
        if step in ("deny", "cancel", "complete", "goods_missing"):
            told["shortfall"] = data.draw(st.sampled_from(["up_to", "all_or_nothing"]))

        def act(credit: StoreCredit) -> Any:
            return getattr(credit.refund_case(name), step)(**told)

        fault = max(data.draw(st.integers(-20, 30)), 0)
        after = self.done(act, fault, data.draw(st.sampled_from(Mode)))
        if after is None:
            return
        note(f"{name}: {before.state} -> {after.state}")
        if step == "inspect":
            booked.accepted = accepted
        if step == "reopen":
            booked.accepted = None
        self.book(booked, after)

    def book(self, booked: Booked, after: Any) -> None:
        """Book what a step was to give or to take, in cents."""
        standing = sum(each.standing.minor for each in after.given)
        offer = booked.decision.offer
        of = booked.decision.request.lines[0].pieces
        parts = of if booked.accepted is None else booked.accepted
        if after.state is CaseState.COMPLETED and not booked.completed:
            booked.completed += 1
            credit = half_up(offer.credit.minor, parts, of) + offer.bonus.minor * parts // of
            # What was given at once and spent since may stand, and nothing else.
            spent = 0 if after.credit_holder is None else self.spent
            most = max(min(booked.given, credit + spent), credit)
            assert credit <= standing <= most, "not what was decided"
            booked.missed = standing - credit
            restored = half_up(offer.restored["EUR"].minor, parts, of)
            self.available += restored
            money = half_up(offer.tenders.minor, parts, of)
            asked = {each.key: each.amount.minor for each in after.refunds}
            assert sum(asked.values()) == money
            booked.instructions = asked
        elif after.state is CaseState.DENIED or after.state is CaseState.CANCELLED:
            booked.missed = standing
        if after.credit_holder is None:
            self.codes += standing - booked.given
        else:
            self.available += standing - booked.given
        booked.given = standing

    @rule(cents=st.integers(1, 4_000), everything=st.booleans())
    def spend(self, cents: int, everything: bool) -> None:
        if everything and self.available:
            cents = self.available
        amount = Money.of_minor(cents, "EUR")
        try:
            self.returns.credit.redeem("c-17", amount, key=f"buy {next(self.keys)}")
        except InsufficientCredit:
            assert cents > self.available
            return
        self.available -= cents
        self.spent += cents

    def settle(self, data: st.DataObject, name: str) -> None:
        mode = data.draw(st.sampled_from(Mode))
        answer = data.draw(st.sampled_from(["failed", "confirmed"]))
        booked = self.cases[name]
        key, amount = next(iter(booked.instructions.items()))
        record = self.returns.credit.refund_case(name).record
        if record.refund(key).answer != "pending":
            return
        fault = data.draw(st.integers(0, 12))
        self.done(lambda credit: credit.refund_case(name).settle_refund(key, answer), fault, mode)
        if answer == "failed":
            turn = f"k{next(self.keys)}"
            fault = data.draw(st.integers(0, 20))
            self.done(
                lambda credit: credit.refund_case(name).redirect(key, key=turn, consent=True),
                fault,
                mode,
            )
            if record.credit_holder is None:
                self.codes += amount
            else:
                self.available += amount
            booked.given += amount

    @rule(days=st.integers(0, 40))
    def wait(self, days: int) -> None:
        self.returns.clock.advance(dt.timedelta(days=40 - days))

    # -- what is always true

    def taken(self, name: str) -> int:
        """How many pieces the case refunds, as far as the plain book knows."""
        booked = self.cases[name]
        state = self.returns.credit.refund_case(name).state
        if state in OPEN:
            return booked.decision.request.lines[0].pieces
        if state is CaseState.COMPLETED:
            whole = booked.decision.request.lines[0].pieces
            return whole if booked.accepted is None else booked.accepted
        return 0

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "storage"):
            return
        credit = self.returns.credit
        assert credit.account("c-17", "EUR").available.minor == self.available
        in_codes = sum(self.returns.has(holder=claim.holder).minor for claim in credit.codes())
        assert in_codes == self.codes
        paid = returned = 0
        for name, booked in self.cases.items():
            record = credit.refund_case(name).record
            done = [event for event in record.events if event.step == "complete"]
            assert len(done) == booked.completed <= 1
            assert {each.key: each.amount.minor for each in record.refunds} == booked.instructions
        payment = credit.checkout("o-1").payment
        paid, returned = payment.paid["EUR"].minor, payment.returned["EUR"].minor
        assert returned <= paid == self.price
        assert sum(self.taken(name) for name in self.cases) <= self.pieces

    @invariant()
    def no_limit_is_exceeded_without_an_approval(self) -> None:
        if not hasattr(self, "storage"):
            return
        counted = 0
        for name, booked in self.cases.items():
            record = self.returns.credit.refund_case(name).record
            if booked.decision.request.holder is None or record.approved_by:
                continue
            if record.state is CaseState.COMPLETED:
                counted += record.final.offer.counted[LimitOn.REFUND].minor
        window = [event.at for c in self.cases for event in self.events(c)]
        if not window or max(window) - min(window) < dt.timedelta(days=1):
            assert counted <= CAP

    def events(self, name: str) -> Any:
        return self.returns.credit.refund_case(name).record.events

    def teardown(self) -> None:
        if hasattr(self, "storage"):
            assert self.returns.credit.verify().ok
            self.storage.close()


def stories() -> settings:
    return settings(
        max_examples=max(settings().max_examples // 3, 3),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def test_p5_no_order_of_steps_crashes_and_repeats_gives_anything_twice() -> None:
    run_state_machine_as_test(
        CaseMachine,
        settings=stories(),
    )


WANTED = {
    *("complete", "inspect", "reopen", "settle_refund", "goods_missing"),
    *("taken back", "missed", "in part", "of a guest"),
}
"""What a machine has to come to that is to prove anything."""
MOST_HISTORIES = 400
"""They are made one after the other until that is so."""


def test_the_machine_comes_to_what_matters_in_histories_from_fixed_bytes() -> None:
    seen: Counter[str] = Counter()

    class Watched(CaseMachine):
        def teardown(self) -> None:
            if hasattr(self, "storage"):
                for name, booked in self.cases.items():
                    record = self.returns.credit.refund_case(name).record
                    seen.update(event.step.value for event in record.events)
                    seen["taken back"] += any(e.taken is not None for e in record.given)
                    seen["missed"] += booked.missed > 0
                    completed = record.state is CaseState.COMPLETED
                    seen["in part"] += completed and record.accepted_pieces != booked.whole
                    seen["of a guest"] += completed and not record.credit_holder
            super().teardown()

    # Each history is read from bytes of its own: always the same ones, whatever else has run.
    told = settings(stories(), database=None)
    run = get_state_machine_test(Watched, settings=told).hypothesis.fuzz_one_input
    made = 0
    while not all(seen[each] for each in WANTED) and made < MOST_HISTORIES:
        run(Random(made).randbytes(40_000))
        made += 1
    assert all(seen[each] for each in WANTED), f"not all of it in {made} histories: {seen}"
