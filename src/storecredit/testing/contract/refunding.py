"""Duty 12: the records of a refund case and the entries of its accounts live or die together (P5)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import pytest

from storecredit.errors import ApprovalNeeded, PiecesTaken
from storecredit.policies import (
    Bonus,
    Limit,
    Policy,
    RefundDecision,
    RefundPolicy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
)
from storecredit.service import RefundCase, StoreCredit
from storecredit.testing.contract.checking_out import is_at_commit
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.races import PATIENCE, a_moment
from storecredit.testing.contract.scene import Shop, usd
from storecredit.testing.contract.threads import at_once
from storecredit.testing.faults import COMMIT, FaultyStorage, InjectedFault, Mode, every_fault
from storecredit.values import Balance

RACERS: Final = 4
TELLING: Final = frozenset({"put", "append", COMMIT})
"""The steps at which a storage is told something."""
KINDS: Final = ("refund-case", "refund-order", "refund-tally")
POLICY: Final = Policy(
    name="returns",
    version="1",
    refund=RefundPolicy(
        rules=(RefundRule(id="all", offer=("credit", "money"), bonus=Bonus(percent=10)),),
        limits=(Limit(id="a day", per="holder", amount=usd("50.00")),),
    ),
)

Step = Callable[[StoreCredit, RefundDecision], object]


def _ask(credit: StoreCredit, decision: RefundDecision) -> RefundCase:
    paid = [entry for entry in credit.journal("anna", "USD") if entry.key == "buy"]
    return credit.request_refund(
        decision, key="ask", redemptions={"shirt": paid[0].id}, bought={"shirt": 3}
    )


STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        "request": _ask,
        "approve": lambda credit, _: credit.refund_case("return 1").approve(key="yes"),
        "receive": lambda credit, _: credit.refund_case("return 1").receive(key="here"),
        "inspect": lambda credit, _: credit.refund_case("return 1").inspect(
            key="seen", accepted={"shirt": 1, "book": 1}
        ),
        "complete": lambda credit, _: credit.refund_case("return 1").complete(key="done"),
        "settle": lambda credit, _: credit.refund_case("return 1").settle_refund(
            "case/return 1/external/USD", "failed"
        ),
        "redirect": lambda credit, _: credit.refund_case("return 1").redirect(
            "case/return 1/external/USD", key="credit instead", consent=True
        ),
    }
)
"""The whole life of a refund case, step by step; each may be repeated."""


class RefundDuties(Duties):
    """A refund case is several records and entries, never the one without the others."""

    def test_p5_a_refund_goes_on_after_every_restart(self) -> None:
        storage = self.fresh()
        decision = decided(stocked(Shop(storage)))
        for name, step in STEPS.items():
            step(Shop(storage).credit, decision)
            before = kept(Shop(storage))
            storage = self.reopened(storage)
            assert kept(Shop(storage)) == before, f"{name}: it is not there as it was"
            step(Shop(storage).credit, decision)
            assert kept(Shop(storage)) == before, f"{name}: its repeat had an effect"
        shop = Shop(storage)
        case = shop.credit.refund_case("return 1")
        assert (case.state, case.refunds_due) == ("completed", ())
        # Of two shirts one: 10.00 and 1.00 of bonus, and 2.00 restored; the book's 8.00 as credit.
        assert available(shop) == 2100
        (tally,) = shop.credit.tallies(POLICY, holder="anna")
        assert (tally.amount, tally.count) == (usd("21.00"), 1)
        assert shop.credit.verify().ok

    @pytest.mark.parametrize("name", ["request", "complete", "redirect"])
    def test_p5_a_fault_leaves_all_records_and_entries_or_none(self, name: str) -> None:
        storage = self.fresh()
        faulty = FaultyStorage(storage)
        shop = Shop(storage, "rehearsal")
        STEPS[name](shop.at(faulty), told(shop, name))
        whole = available(shop), shop.credit.refund_case("return 1").state
        telling = [step for step in faulty.steps if step.name in TELLING]
        assert {step.name for step in telling} >= {"put", COMMIT}, "the records were not told"
        numbers = {step.number for step in telling}
        for number, fault in enumerate(every_fault(faulty.steps)):
            if is_at_commit(fault) or fault.number in numbers:
                case = f"{name}: {fault.mode} step {fault.number}"
                shop = Shop(storage, f"shop {number}")
                decision = told(shop, name)
                before = kept(shop)
                with pytest.raises(InjectedFault):
                    STEPS[name](shop.at(FaultyStorage(storage, [fault])), decision)
                committed = fault.mode is Mode.AFTER_COMMIT
                assert (kept(shop) == before) is not committed, f"{case}: half done, or not undone"
                STEPS[name](shop.credit, decision)
                again = available(shop), shop.credit.refund_case("return 1").state
                assert again == whole, f"{case}: the repeat led elsewhere"
                assert shop.credit.verify().ok, case

    def test_p5_one_case_from_many_threads_completes_once(self) -> None:
        shop = Shop(self.fresh(), attempts=PATIENCE, sleep=a_moment)
        decision = told(shop, "complete")
        raised = [
            each
            for each in at_once([lambda: STEPS["complete"](shop.credit, decision)] * RACERS)
            if isinstance(each, BaseException)
        ]
        assert raised == []
        assert available(shop) == 1300
        done = [e for e in shop.credit.refund_case("return 1").record.events if e.key == "done"]
        assert len(done) == 1
        assert shop.credit.verify().ok

    def test_p3_of_cases_that_complete_at_once_no_more_than_the_limit_do(self) -> None:
        shop = Shop(self.fresh(), attempts=PATIENCE, sleep=a_moment)
        cases = [ready(shop, f"return {racer}") for racer in range(RACERS)]

        def complete(case: RefundCase) -> Callable[[], Any]:
            return lambda: case.complete(key="done")

        outcomes = at_once([complete(case) for case in cases])
        over = [each for each in outcomes if isinstance(each, ApprovalNeeded)]
        # 20.00 and 2.00 of bonus each: two fit into 50.00.
        assert (len(over), len(outcomes)) == (RACERS - 2, RACERS), outcomes
        assert available(shop) == 4400
        (tally,) = shop.credit.tallies(POLICY, holder="anna")
        assert (tally.amount, tally.count) == (usd("44.00"), 2)

    def test_a17_no_more_than_the_limit_completes_while_the_holder_is_merged(self) -> None:
        shop = Shop(self.fresh(), attempts=PATIENCE, sleep=a_moment)
        shop.credit.issue("anna", usd("1.00"), funding="refund", key="start")
        cases = [ready(shop, f"return {racer}") for racer in range(RACERS)]

        def complete(case: RefundCase) -> Callable[[], Any]:
            return lambda: case.complete(key="done")

        def merge() -> object:
            return shop.credit.merge("anna", "ben", key="one", actor="lee", reason="one person")

        outcomes = at_once([*(complete(case) for case in cases[1:]), merge, complete(cases[0])])
        over = [each for each in outcomes if isinstance(each, ApprovalNeeded)]
        raised = [each for each in outcomes if isinstance(each, BaseException)]
        # 20.00 and 2.00 of bonus each: two fit into 50.00, before the merger or after it.
        assert (len(over), raised) == (RACERS - 2, over), outcomes
        assert shop.credit.account("ben", "USD").available == usd("45.00")
        (tally,) = shop.credit.tallies(POLICY, holder="ben")
        assert (tally.amount, tally.count) == (usd("44.00"), 2)
        assert shop.credit.verify().ok

    def test_p5_of_cases_for_the_same_pieces_one_is_requested(self) -> None:
        shop = Shop(self.fresh(), attempts=PATIENCE, sleep=a_moment)
        line = ReturnLine(id="shirt", external=usd("20.00"), pieces=2)

        def request(name: str) -> Callable[[], Any]:
            decision = of_lines(shop, name, line, order="order 1")
            return lambda: shop.credit.request_refund(decision, key="ask", bought={"shirt": 3})

        outcomes = at_once([request(f"return {racer}") for racer in range(RACERS)])
        begun = [each for each in outcomes if isinstance(each, RefundCase)]
        taken = [each for each in outcomes if isinstance(each, PiecesTaken)]
        assert (len(begun), len(taken)) == (1, RACERS - 1), outcomes
        assert listed(shop, order="order 1") == [begun[0].id]

    def test_p5_cases_are_listed_by_what_they_are_now(self) -> None:
        storage = self.fresh()
        shop, other = Shop(storage), Shop(storage, "zeta")
        for number in (3, 1, 2):
            ready(shop, f"return {number}")
        ready(other, "return 0")
        shop.credit.refund_case("return 2").complete(key="done")
        assert listed(shop, state="inspected") == ["return 1", "return 3"]
        assert listed(shop, state="completed") == ["return 2"]
        assert listed(shop, state="requested") == []
        assert listed(shop, holder="anna") == ["return 1", "return 2", "return 3"]
        assert listed(shop, holder="ben") == listed(shop, order="order 1") == []
        assert listed(other) == ["return 0"]


def stocked(shop: Shop) -> Shop:
    """Let anna have spent 4.00 of what she had."""
    shop.credit.issue("anna", usd("4.00"), funding="refund", key="start")
    shop.credit.redeem("anna", usd("4.00"), key="buy")
    return shop


def of_lines(
    shop: Shop, name: str, *lines: ReturnLine, order: str | None = None, money: str | None = None
) -> RefundDecision:
    """Decide that anna gets credit, but money for one line."""
    asked = ReturnRequest(
        id=name,
        merchant=shop.merchant.id,
        at=shop.clock(),
        lines=lines,
        order=order,
        holder="anna",
    )
    by_line = {} if money is None else {money: "money"}
    return POLICY.offers(asked, agent="lee").choose("credit", by_line=by_line, consent=True)


def decided(shop: Shop) -> RefundDecision:
    """Decide the return of two shirts, as credit, and a book, as money."""
    shirts = ReturnLine(
        id="shirt", external=usd("20.00"), restored=Balance.of(usd("4.00")), pieces=2
    )
    book = ReturnLine(id="book", external=usd("8.00"))
    return of_lines(shop, "return 1", shirts, book, order="order 1", money="book")


def told(shop: Shop, name: str) -> RefundDecision:
    """Take all steps before the one with that *name*, and return the decision."""
    decision = decided(stocked(shop))
    for each, step in STEPS.items():
        if each == name:
            break
        step(shop.credit, decision)
    return decision


def ready(shop: Shop, name: str) -> RefundCase:
    """Have the goods of a return without an order inspected."""
    line = ReturnLine(id="shirt", external=usd("20.00"))
    case = shop.credit.request_refund(of_lines(shop, name, line), key="ask")
    case.approve(key="yes")
    case.receive(key="here")
    case.inspect(key="seen")
    return case


def kept(shop: Shop) -> str:
    """Return everything that is kept of the merchant, refund cases included."""
    return shop.kept(kinds=KINDS)


def available(shop: Shop) -> int:
    """Return what anna has, in cents."""
    return shop.credit.account("anna", "USD").available.minor


def listed(
    shop: Shop, *, state: str | None = None, order: str | None = None, holder: str | None = None
) -> list[str]:
    """Return the cases that are listed by these references."""
    found = shop.credit.refund_cases(state=state, order=order, holder=holder)
    return [case.id for case in found]
