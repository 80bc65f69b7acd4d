"""
Refund cases, gifts and top-ups while somebody else's step happens at every point of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from crowd.between import Act, Answer, Scene, Two, two_at
from crowd.cases import WHY, a_line, decided, pay, policy
from crowd.granting import NAMED, bought, usd

from storecredit import Money, Period, StoreCredit
from storecredit.ledger import account_of
from storecredit.policies import Limit, LimitOn, LimitPer, Over
from storecredit.policies.gift import Gift, GrantCeiling
from storecredit.policies.goodwill import GoodwillPolicy, GoodwillRule, give_goodwill
from storecredit.policies.grant_decision import GrantDecision
from storecredit.policies.occasion import Occasion
from storecredit.policies.purchase import Returned
from storecredit.policies.rule import Bonus
from storecredit.policies.top_up import BonusStep, TopUpPolicy, credit_top_up
from storecredit.refunds import CaseState
from storecredit.service import RefundCase
from storecredit.tenders import RefundRequest

pytestmark = pytest.mark.server

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def two(request: pytest.FixtureRequest) -> Iterator[Two]:
    with two_at(request.getfixturevalue("postgres_databases")) as both:
        yield both


# --- What is prepared ---------------------------------------------------------------------


def requested(
    credit: StoreCredit, name: str, *, holder: str | None, approved: str | None = "bo", **more: Any
) -> RefundCase:
    """Request a refund of ten dollars whose goods are kept, and let somebody approve it."""
    lines = more.pop("lines", [a_line()])
    by = more.pop("by", policy(goods="keep"))
    bought = more.pop("bought", None)
    made = decided(credit, name, lines, by=by, holder=holder, **more)
    case = credit.request_refund(made, key="ask", bought=bought, actor="kim")
    if approved is not None:
        case.approve(key="yes", actor=approved, reason="as the rules say")
    return case


def step(name: str, what: str, key: str, **more: Any) -> Act:
    def act(credit: StoreCredit) -> Any:
        case = credit.refund_case(name)
        getattr(case, what)(key=key, **WHY, **more)
        return case.code and case.code.code

    return act


def available(credit: StoreCredit, holder: str) -> int:
    return credit.account(holder, "USD").available.minor


# --- Limits -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("per", "over", "most"),
    [("holder", "approve", {"amount": usd("15.00")}), ("agent", "refuse", {"count": 1})],
)
def test_p3_two_completing_at_once_never_exceed_a_limit(
    two: Two, per: LimitPer, over: Over, most: dict[str, Any]
) -> None:
    limit = Limit(id="day", per=per, on=LimitOn.CREDIT, over=over, **most)

    def scene(credit: StoreCredit, name: str) -> Scene:
        by = policy(limit, goods="keep")
        for each, holder in (("a", "h"), ("b", "h" if per == "holder" else "i")):
            # Who has decided may not approve: a limit that asks for it refuses.
            agent = f"{name} ann"
            more: dict[str, Any] = {"by": by, "agent": agent, "approved": agent}
            requested(credit, f"{name}{each}", holder=f"{name}{holder}", **more)

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            refused = {ours.refused, theirs.refused}
            assert refused == {None, "ApprovalNeeded" if over == "approve" else "LimitReached"}
            assert sum(available(credit, f"{name}{each}") for each in "hi") == 1100

        ours, theirs = (step(f"{name}{each}", "complete", "done") for each in "ab")
        return Scene(ours, theirs, check)

    both_go_first(two.meet(scene))


def both_go_first(answers: list[tuple[Answer, Answer]]) -> None:
    """Require that the other one really came in between, and really came too late."""
    firsts = {ours.refused is None for ours, _ in answers}
    assert firsts == {True, False}, "nobody was in between"


def under(ceiling: GrantCeiling, name: str, holder: str) -> GrantDecision:
    """Return a decision about one dollar."""
    rule = GoodwillRule(id="sorry", on="apology", gives=Gift(amount=usd("1.00")))
    found = GoodwillPolicy(rules=[rule], ceilings=[ceiling])
    event = Occasion(id=name, on="apology", holder=holder, at=AT)
    return give_goodwill(found, event, named=NAMED)


@pytest.mark.parametrize("per", ["holder", "agent"])
def test_p4_two_first_gifts_at_once_never_exceed_a_ceiling(two: Two, per: LimitPer) -> None:
    """Nobody has given anything before: there is no wallet and no tally to be seen yet."""

    def scene(_: StoreCredit, name: str) -> Scene:
        ceiling = GrantCeiling(id="month", per=per, period=Period(days=30), count=1)

        def give(each: str, holder: str) -> Act:
            found = under(ceiling, f"{name}{each}", f"{name}{holder}")
            return lambda credit: credit.grant(found, actor=f"{name} ann")

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert {ours.refused, theirs.refused} == {None, "GrantCeilingReached"}
            assert sum(available(credit, f"{name}{each}") for each in "hi") == 100

        return Scene(give("a", "h"), give("b", "h" if per == "holder" else "i"), check)

    both_go_first(two.meet(scene))


def test_p4_of_two_first_top_ups_at_once_the_second_has_no_bonus(two: Two) -> None:
    ceiling = GrantCeiling(id="month", period=Period(days=30), amount=usd("15.00"))
    steps = [BonusStep(paid=usd("10.00"), bonus=Bonus(percent=10))]
    rule = TopUpPolicy(id="wallet", minimum=usd("1.00"), bonuses=steps, ceilings=[ceiling])

    def scene(_: StoreCredit, name: str) -> Scene:
        def pay(payment: str) -> Act:
            told = credit_top_up(
                rule, usd("10.00"), holder=name, payment=f"{name}{payment}", named=NAMED
            )
            return lambda credit: credit.top_up(told)

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            flags = {each.value.decision.flag for each in (ours, theirs)}
            assert flags == {None, "above_ceiling"}
            assert available(credit, name) == 2100

        return Scene(pay("a"), pay("b"), check)

    two.meet(scene)


def test_p4_a_gift_while_its_holder_is_merged_counts_for_the_survivor(two: Two) -> None:
    ceiling = GrantCeiling(id="month", period=Period(days=30), count=2)

    def scene(credit: StoreCredit, name: str) -> Scene:
        firsts = [
            credit.grant(under(ceiling, f"{name} {number}", f"{name} {holder}"))
            for number, holder in enumerate(("old", "new", "new"))
        ]
        gift = under(ceiling, f"{name} another", f"{name} old")

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert theirs.refused is None
            # The survivor has had all that there is; before, there was room for one more.
            if ours.refused is None:
                entries = [str(given.lots[0].entry) for given in (firsts[0], ours.value)]
                assert len({account_of(entry) for entry in entries}) == 1
            else:
                assert ours.refused == "GrantCeilingReached"
            assert available(credit, f"{name} new") == 300 + 100 * (ours.refused is None)

        return Scene(
            lambda credit: credit.grant(gift),
            lambda credit: credit.merge(f"{name} old", f"{name} new", key="merge", **WHY),
            check,
        )

    both_go_first(two.meet(scene))


def test_p4_one_occasion_under_two_versions_of_a_policy_gives_once(two: Two) -> None:
    ceiling = GrantCeiling(id="month", period=Period(days=30), count=2)

    def scene(_: StoreCredit, name: str) -> Scene:
        gift = under(ceiling, f"{name} ticket", name)
        later = attrs.evolve(gift, policy=attrs.evolve(gift.policy, version="2"))

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            both = sorted((ours.value, theirs.value), key=lambda given: given.replayed)
            assert [given.replayed for given in both] == [False, True]
            assert both[0].lots == both[1].lots
            assert available(credit, name) == 100

        return Scene(lambda credit: credit.grant(gift), lambda credit: credit.grant(later), check)

    two.meet(scene)


# --- One case in two hands ----------------------------------------------------------------


def ends(record: Any) -> list[str]:
    return [each.step.value for each in record.events if each.step in ("complete", "deny")]


@pytest.mark.parametrize("other", ["deny", "complete", "same complete"])
@pytest.mark.parametrize("holder", ["guest", "holder"])
def test_p5_a_case_ends_once_whoever_comes_in_between(two: Two, other: str, holder: str) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        requested(credit, name, holder=None if holder == "guest" else name, order=f"o-{name}")
        *_, what = other.split()
        theirs = step(name, what, "done" if other != "complete" else "done too")
        before = list(credit.codes())

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            both = [ours, theirs]
            is_same = other == "same complete"
            assert [each.refused for each in both].count(None) == (2 if is_same else 1)
            record = credit.refund_case(name).record
            is_completed = record.state is CaseState.COMPLETED
            assert ends(record) == ["complete" if is_completed else "deny"]
            codes = [claim for claim in credit.codes() if claim not in before]
            assert len(codes) == (holder == "guest" and is_completed)
            # Whoever has completed it has the code, and nobody else.
            assert sum(each.value is not None for each in both) == len(codes)
            wallets = [name, *(claim.holder for claim in codes)]
            worth = sum(available(credit, each) for each in wallets)
            assert worth == (1100 if is_completed else 0)

        return Scene(step(name, "complete", "done"), theirs, check)

    two.meet(scene)


def test_p5_what_is_inspected_while_it_is_completed_is_given_or_comes_too_late(two: Two) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        lines = [a_line(pieces=2)]
        case = requested(credit, name, holder=name, lines=lines, by=policy())
        case.receive(key="here")
        case.inspect(key="seen")

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert ours.refused is None
            assert theirs.refused in (None, "CaseStepRefused")
            assert available(credit, name) == (550 if theirs.refused is None else 1100)

        theirs = step(name, "inspect", "again", accepted={"coat": 1})
        return Scene(step(name, "complete", "done"), theirs, check)

    both_go = {theirs.refused for _, theirs in two.meet(scene)}
    assert both_go == {None, "CaseStepRefused"}


@pytest.mark.parametrize("ours_is", ["complete", "merge"])
def test_p5_what_a_case_gives_while_its_holder_is_merged_is_the_survivor_s(
    two: Two, ours_is: str
) -> None:
    limit = Limit(id="day", per=LimitPer.HOLDER, amount=usd("15.00"))

    def scene(credit: StoreCredit, name: str) -> Scene:
        by = policy(limit, goods="keep")
        old, new = f"{name} old", f"{name} new"
        credit.issue(old, usd("1.00"), funding="refund", key="stock")
        for each in "ab":
            requested(credit, f"{name}{each}", holder=old, by=by, approved="ann")

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert (ours.refused, theirs.refused) == (None, None)
            assert available(credit, new) == 1200
            assert sum(entry.kind == "issue" for entry in credit.journal(old, "USD")) == 3
            # What was counted is the survivor's, too: by the limit, there is no room for another.
            (tally,) = credit.tallies(by, holder=new)
            assert tally.count == 1
            late = Answer.of(step(f"{name}b", "complete", "done"), credit)
            assert late.refused == "ApprovalNeeded"

        complete = step(f"{name}a", "complete", "done")

        def merge(credit: StoreCredit) -> None:
            credit.merge(old, new, key="merge", **WHY)

        if ours_is == "complete":
            return Scene(complete, merge, check)
        return Scene(merge, complete, check)

    two.meet(scene)


@pytest.mark.parametrize("ours_is", ["grant", "merge"])
def test_p4_what_a_ceiling_counts_while_its_holder_is_merged_is_the_survivor_s(
    two: Two, ours_is: str
) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        old, new = f"{name} old", f"{name} new"
        for holder in (old, new):
            credit.issue(holder, usd("1.00"), funding="refund", key="stock")

        def sorry(ticket: str, holder: str) -> GrantDecision:
            month = GrantCeiling(id="month", period=Period(days=30), amount=usd("5.00"))
            rule = GoodwillRule(id="sorry", on="late", gives=Gift(amount=usd("2.00")))
            event = Occasion(id=f"{name} {ticket}", on="late", holder=holder, at=AT)
            return give_goodwill(GoodwillPolicy(rules=[rule], ceilings=[month]), event, named=NAMED)

        credit.grant(sorry("his", new))

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert (ours.refused, theirs.refused) == (None, None)
            assert available(credit, new) == 600
            late = Answer.of(lambda credit: credit.grant(sorry("late", new)), credit)
            assert late.refused == "GrantCeilingReached"

        def grant(credit: StoreCredit) -> None:
            credit.grant(sorry("mine", old))

        def merge(credit: StoreCredit) -> None:
            credit.merge(old, new, key="merge", **WHY)

        if ours_is == "grant":
            return Scene(grant, merge, check)
        return Scene(merge, grant, check)

    two.meet(scene)


@pytest.mark.parametrize("ours_is", ["complete", "pseudonymise"])
def test_p3_a_limit_counts_on_while_its_holder_gets_a_pseudonym(two: Two, ours_is: str) -> None:
    limit = Limit(id="day", per=LimitPer.HOLDER, amount=usd("15.00"))

    def scene(credit: StoreCredit, name: str) -> Scene:
        by = policy(limit, goods="keep")
        credit.issue(name, usd("1.00"), funding="refund", key="stock")
        for each in "ab":
            requested(credit, f"{name}{each}", holder=name, by=by, approved="ann")

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert (ours.refused, theirs.refused) == (None, None)
            assert (available(credit, name), available(credit, f"{name} x")) == (0, 1200)
            late = Answer.of(step(f"{name}b", "complete", "done"), credit)
            assert late.refused == "ApprovalNeeded"

        complete = step(f"{name}a", "complete", "done")

        def rename(credit: StoreCredit) -> None:
            credit.pseudonymise(name, f"{name} x")

        if ours_is == "complete":
            return Scene(complete, rename, check)
        return Scene(rename, complete, check)

    two.meet(scene)


def test_p5_a_guest_who_registers_has_the_credit_or_a_code_and_never_both(two: Two) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        requested(credit, name, holder=None, order=f"o-{name}")
        before = {claim.id for claim in credit.codes()}

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert {ours.refused, theirs.refused} == {None, "CaseStepRefused"}
            codes = [claim for claim in credit.codes() if claim.id not in before]
            assert len(codes) == (ours.refused is None)
            assert available(credit, name) == (0 if codes else 1100)

        theirs = step(name, "complete", "registered", holder=name)
        return Scene(step(name, "complete", "done"), theirs, check)

    both_go_first(two.meet(scene))


@pytest.mark.parametrize("shortfall", ["up_to", "all_or_nothing"])
def test_p5_credit_given_at_once_is_spent_or_taken_back_and_never_both(
    two: Two, shortfall: str
) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        by = policy(instant=True, offer=("credit",))
        requested(credit, name, holder=name, by=by)
        assert available(credit, name) == 1100

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            spent = theirs.refused is None
            assert theirs.refused in (None, "InsufficientCredit")
            record = credit.refund_case(name).record
            if ours.refused is None:
                taken = sum(each.taken.minor for each in record.given if each.taken is not None)
                short = sum(each.short.minor for each in record.given if each.short is not None)
                assert (taken, short) == ((300, 800) if spent else (1100, 0))
            else:
                assert (ours.refused, spent, record.state) == ("LotExhausted", True, "approved")
            left = 1100 - 800 * spent - (300 if spent else 1100) * (ours.refused is None)
            assert available(credit, name) == left

        return Scene(
            step(name, "deny", "no", shortfall=shortfall),
            lambda credit: credit.redeem(name, usd("8.00"), key="buy"),
            check,
        )

    assert {theirs.refused for _, theirs in two.meet(scene)} == {None, "InsufficientCredit"}


def test_p5_a_refund_is_answered_once_and_becomes_credit_once(two: Two) -> None:
    def settled(name: str, answer: str) -> Act:
        def act(credit: StoreCredit) -> None:
            case = credit.refund_case(name)
            (key,) = [each.key for each in case.record.refunds]
            case.settle_refund(key, answer)
            if answer == "failed":
                case.redirect(key, key="instead", consent=True, **WHY)

        return act

    def scene(credit: StoreCredit, name: str) -> Scene:
        pay(credit, name, name)
        lines = credit.return_lines(name, {"coat": 1})
        case = requested(credit, name, holder=name, order=name, lines=lines, kind="money")
        case.complete(key="done", **WHY)
        before = available(credit, name)

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert {ours.refused, theirs.refused} == {None, "CaseStepRepeated"}
            (refund,) = credit.refund_case(name).record.refunds
            became = available(credit, name) - before
            assert became == (refund.amount.minor if refund.answer == "failed" else 0)
            assert credit.checkout(name).refunds_due == ()

        return Scene(settled(name, "failed"), settled(name, "confirmed"), check)

    two.meet(scene)


# --- Two cases, and the pieces of one order -----------------------------------------------


def of_order(name: str, case: str, pieces: int, **more: Any) -> Act:
    """Return how somebody requests some of the three coats of an order."""

    def act(credit: StoreCredit) -> Any:
        if more.get("bought") is None:
            lines = credit.return_lines(name, {"coat": pieces})
        else:
            lines = (a_line(pieces=pieces),)
        told: dict[str, Any] = {"lines": lines, "order": name, "approved": None, **more}
        return requested(credit, f"{name}{case}", holder=name, **told)

    return act


@pytest.mark.parametrize("bought", [None, {"coat": 3}], ids=["checkout", "no checkout"])
@pytest.mark.parametrize("other", ["request", "deny and request", "reopen and request"])
def test_p5_pieces_are_refunded_by_one_case_only(
    two: Two, bought: dict[str, int] | None, other: str
) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        if bought is None:
            pay(credit, name, name)
        ours: Act = of_order(name, "a", 2, bought=bought)
        theirs: Act = of_order(name, "b", 2, bought=bought)
        if other != "request":
            ours(credit)
            ours = step(f"{name}a", "deny", "no")
        if other == "reopen and request":
            ours(credit)
            ours = step(f"{name}a", "reopen", "again")

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            refused = {ours.refused, theirs.refused} - {None}
            assert refused <= {"PiecesTaken", "QuantityExceedsRest"}
            cases = list(credit.refund_cases(order=name))
            live = [case for case in cases if case.state is not CaseState.DENIED]
            assert len(live) == (0 if other == "deny and request" and refused else 1)

        return Scene(ours, theirs, check)

    told = {(ours.refused, theirs.refused is None) for ours, theirs in two.meet(scene)}
    assert len(told) >= 2, "nobody was in between"


@pytest.mark.parametrize("what", ["request", "complete"])
def test_p5_what_is_refunded_without_a_case_meanwhile_is_not_refunded_by_one(
    two: Two, what: str
) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        pay(credit, name, name)
        lines = credit.return_lines(name, {"coat": 3})
        plan = credit.checkout(name).plan_refund(RefundRequest.of_lines(["coat"]))

        def ask(credit: StoreCredit) -> Any:
            return requested(
                credit, name, holder=name, order=name, lines=lines, kind="money", approved=None
            )

        ours: Act = ask
        if what == "complete":
            ask(credit).approve(key="yes", **WHY)
            ours = step(name, "complete", "done")

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            too_late = {"ReservedByCase", "RefundExceedsPaid", "QuantityExceedsRest"}
            assert theirs.refused in {None, *too_late}
            if what == "complete":
                assert (ours.refused, theirs.refused in too_late) == (None, True)
            paid = Money.total([part.covers for part in plan.parts], usd("0.00").unit)
            assert credit.checkout(name).payment.returned["USD"] <= paid
            cases = list(credit.refund_cases(order=name))
            # Whoever comes second is told: no case is left that could never be completed.
            assert (theirs.refused is None) is (ours.refused is not None)
            assert len(cases) == (theirs.refused is not None)

        return Scene(ours, lambda credit: credit.checkout(name).refund(plan, key="without"), check)

    two.meet(scene)


def test_p4_points_of_two_returns_at_once_go_once_each(two: Two) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        earned = bought(name)
        credit.earn(earned)
        before = credit.account("anna", "EUR").available.minor

        def back(line: str) -> Act:
            parts = Returned(line=line, amount=usd("10.00"))
            return lambda credit: credit.remove_earned(name, parts, key=line, **WHY)

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert (ours.refused, theirs.refused) == (None, None)
            removed = credit.earning(name).removed
            assert removed is not None
            assert removed.minor == 2000
            assert before - credit.account("anna", "EUR").available.minor == 2000

        return Scene(back("3"), back("7"), check)

    two.meet(scene)


def test_all_that_was_done_in_between_is_in_order(two: Two) -> None:
    verified = two.credit.verify()
    assert verified.ok, verified.problems
