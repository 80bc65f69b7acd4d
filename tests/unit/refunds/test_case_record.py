"""The record of a refund case: one table, steps that may be repeated, and who may approve (P5)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from returns_desk import a_policy, back, eur

from storecredit import refunds
from storecredit.errors import (
    AcceptsTooMuch,
    ApprovalNeeded,
    CaseStepRefused,
    CaseStepRepeated,
    ConsentMissing,
    GoodsNotDue,
    InvalidKey,
    InvalidReturn,
    InvalidTerms,
    InvalidText,
    NaiveInstant,
    NothingAccepted,
    UnknownCaseRefund,
)
from storecredit.ledger import Funding
from storecredit.policies import (
    GoodsBack,
    Override,
    PolicyVersion,
    RefundDecision,
    RefundRule,
    ReturnRequest,
)
from storecredit.refunds import (
    TRANSITIONS,
    CaseRecord,
    CaseState,
    CaseStep,
    GivenCredit,
    StepBy,
)
from storecredit.refunds.life import drawing
from storecredit.service import RefundCase
from storecredit.tenders import Answer, ExternalRefund
from storecredit.testing.contract.scene import NOON
from storecredit.values import Period

ALL = {"1": 3, "2": 1}


def by(key: str, **more: Any) -> StepBy:
    return StepBy(**{"key": key, "at": NOON, "actor": "bo", **more})


def decision(*rules: RefundRule, kind: str = "credit", **asked: Any) -> RefundDecision:
    given: dict[str, Any] = {"id": "r-1", "merchant": "acme", "at": NOON, "holder": "c-17"}
    lines = asked.pop("lines", (back("1", "30.00", pieces=3), back("2", "5.00")))
    request = ReturnRequest(lines=lines, **{**given, **asked})
    ways = rules or (RefundRule(id="standard", offer=("credit", "money")),)
    return a_policy(ways).offers(request, agent="ann").choose(kind, consent=True)


def case(*rules: RefundRule, **asked: Any) -> CaseRecord:
    return CaseRecord.requested(decision(*rules, **asked), by("ask", actor="cy"))


def approved(**asked: Any) -> CaseRecord:
    return case(**asked).approve(by("yes"))


def received() -> CaseRecord:
    return approved().await_return(by("wait")).ship(by("sent")).receive(by("here"))


def inspected(accepted: dict[str, int] | None = None) -> CaseRecord:
    return received().inspect(by("seen"), accepted=accepted)


def completed() -> CaseRecord:
    asked = ExternalRefund("card", eur("9.00"), "case/r-1/card/EUR", "case/r-1")
    return inspected().complete(by("done")).with_refunds([asked])


IN: dict[CaseState, Callable[[], CaseRecord]] = {
    CaseState.REQUESTED: case,
    CaseState.APPROVED: approved,
    CaseState.DENIED: lambda: case().deny(by("no")),
    CaseState.AWAITING_RETURN: lambda: approved().await_return(by("wait")),
    CaseState.IN_TRANSIT: lambda: approved().ship(by("sent")),
    CaseState.RECEIVED: received,
    CaseState.INSPECTED: inspected,
    CaseState.COMPLETED: completed,
    CaseState.CANCELLED: lambda: case().cancel(by("off")),
    CaseState.REOPENED: lambda: case().deny(by("no")).reopen(by("again")),
}
STEPS: dict[CaseStep, Callable[[CaseRecord], CaseRecord]] = {
    CaseStep.APPROVE: lambda found: found.approve(by("next")),
    CaseStep.DENY: lambda found: found.deny(by("next")),
    CaseStep.AWAIT_RETURN: lambda found: found.await_return(by("next")),
    CaseStep.SHIP: lambda found: found.ship(by("next")),
    CaseStep.RECEIVE: lambda found: found.receive(by("next")),
    CaseStep.INSPECT: lambda found: found.inspect(by("next")),
    CaseStep.COMPLETE: lambda found: found.complete(by("next")),
    CaseStep.CANCEL: lambda found: found.cancel(by("next")),
    CaseStep.REOPEN: lambda found: found.reopen(by("next")),
    CaseStep.GOODS_MISSING: lambda found: found.goods_missing(by("next")),
}


# --- The table ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", CaseState)
@pytest.mark.parametrize("step", STEPS)
def test_p5_a_step_leads_where_the_table_says_or_is_refused(
    state: CaseState, step: CaseStep
) -> None:
    before = IN[state]()
    assert before.state is state
    leads = TRANSITIONS[state].get(step)
    if leads is None or (state is CaseState.APPROVED and step is CaseStep.COMPLETE):
        with pytest.raises(CaseStepRefused) as refused:
            STEPS[step](before)
        assert step.value not in refused.value.allowed
        assert refused.value.allowed == tuple(each.value for each in before.allowed)
        return
    after = STEPS[step](before)
    assert after.state is leads
    assert after.events[:-1] == before.events
    assert after.events[-1].key == "next"


@pytest.mark.parametrize("state", CaseState)
@pytest.mark.parametrize("step", STEPS)
def test_a12_a_step_that_is_repeated_changes_nothing_whatever_came_since(
    state: CaseState, step: CaseStep
) -> None:
    before = IN[state]()
    if step not in before.allowed:
        return
    after = STEPS[step](before)
    assert STEPS[step](after) is after
    for later in after.allowed:
        if later in STEPS and later is not step:
            key = attrs.evolve(by("later"))
            following = {
                CaseStep.APPROVE: lambda found: found.approve(key),  # noqa: B023  # called at once
                CaseStep.DENY: lambda found: found.deny(key),  # noqa: B023  # called at once
                CaseStep.CANCEL: lambda found: found.cancel(key),  # noqa: B023  # called at once
                CaseStep.REOPEN: lambda found: found.reopen(key),  # noqa: B023  # called at once
            }.get(later)
            if following is not None:
                further = following(after)
                assert STEPS[step](further) is further


def test_every_state_is_drawn_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(CaseState)
    reached = {CaseState.REQUESTED, *(to for row in TRANSITIONS.values() for to in row.values())}
    assert reached == set(CaseState)
    steps = {step for row in TRANSITIONS.values() for step in row}
    assert steps == set(CaseStep) - {CaseStep.REQUEST}
    assert "    [*] --> requested: request" in drawing().splitlines()
    assert "    denied --> reopened: reopen" in drawing().splitlines()


def test_only_what_was_denied_or_cancelled_is_reopened() -> None:
    reopening = {state for state, row in TRANSITIONS.items() if CaseStep.REOPEN in row}
    assert reopening == {CaseState.DENIED, CaseState.CANCELLED}
    again = IN[CaseState.REOPENED]()
    assert (again.rounds, again.accepted, again.arrive_by) == (1, None, None)


def test_a_case_that_needs_no_goods_completes_as_soon_as_it_is_approved() -> None:
    keep = RefundRule(id="keep", offer=("credit",), goods="keep")
    for found in (case(keep), case(lines=(back("post", "4.00", kind="shipping"),), kind="money")):
        assert not found.needs_goods
        ready = found.approve(by("yes"))
        assert ready.allowed == (
            CaseStep.APPROVE,
            CaseStep.COMPLETE,
            CaseStep.DENY,
            CaseStep.CANCEL,
        )
        assert ready.complete(by("done")).state is CaseState.COMPLETED
        with pytest.raises(CaseStepRefused, match="where only these steps go on"):
            ready.receive(by("here"))


def test_the_times_of_a_case_never_go_back() -> None:
    later = NOON + dt.timedelta(hours=1)
    found = case().approve(by("yes", at=later)).deny(by("no", at=NOON))
    assert [event.at for event in found.events] == [NOON, later, later]
    assert found.requested_at == NOON


# --- Repeats and conflicts ----------------------------------------------------------------


def test_a12_a_key_with_other_facts_is_a_conflict_that_says_both() -> None:
    found = inspected({"1": 2, "2": 0})
    with pytest.raises(CaseStepRepeated) as conflict:
        found.inspect(by("seen"), accepted={"1": 1, "2": 0})
    assert conflict.value.known == "inspect (2 of 1, 0 of 2)"
    assert conflict.value.given == "inspect (1 of 1, 0 of 2)"
    with pytest.raises(CaseStepRepeated, match="recorded as inspect"):
        found.deny(by("seen"))
    denied = case().deny(by("no", reason="too late"))
    assert denied.deny(by("no", reason="too late", actor="dan")) is denied
    with pytest.raises(CaseStepRepeated, match="because 'too late'"):
        denied.deny(by("no", reason="no receipt"))


def test_a12_a_request_is_the_same_whenever_it_is_made_again() -> None:
    found = case()
    later = NOON + dt.timedelta(days=1)
    found.require_same_request(found.decision, by("ask"), ())
    found.require_same_request(decision(at=later), by("ask"), ())
    with pytest.raises(CaseStepRepeated, match="requested by ask"):
        found.require_same_request(found.decision, by("ask 2"), ())
    with pytest.raises(
        CaseStepRepeated, match=r"a refund of 1, 2 by returns 1: EUR 0\.00 of money"
    ):
        found.require_same_request(decision(kind="money"), by("ask"), ())


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"key": "~mine"}, InvalidKey),
        ({"at": dt.datetime(2026, 1, 1)}, NaiveInstant),  # noqa: DTZ001  # that is the point
        ({"actor": ""}, InvalidText),
        ({"reason": "\x00"}, InvalidText),
    ],
)
def test_what_a_step_is_told_is_checked(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        by(**{"key": "k", **wrong})


# --- Approval -----------------------------------------------------------------------------

STRICT = RefundRule(id="strict", offer=("credit",), approval=True)


@pytest.mark.parametrize("actor", [None, "ann", "cy", "c-17", "mother"])
def test_p3_nobody_with_a_part_in_it_approves(actor: str | None) -> None:
    found = case(STRICT, buyer="mother")
    with pytest.raises(ApprovalNeeded) as refused:
        found.approve(by("yes", actor=actor))
    assert (refused.value.because, refused.value.actor) == (("strict",), actor)
    assert found.approve(by("yes")).approved_by == ("bo",)


def test_p3_whoever_decided_against_the_rules_does_not_approve_it() -> None:
    against = attrs.evolve(decision(STRICT), override=Override("mel", "good customer"))
    found = CaseRecord.requested(against, by("ask", actor="cy"))
    with pytest.raises(ApprovalNeeded):
        found.approve(by("yes", actor="mel"))


def test_p3_an_approval_counts_until_the_case_is_looked_at_again() -> None:
    found = case(STRICT).approve(by("yes")).approve(by("yes too", actor="dan"))
    assert found.approved_by == ("bo", "dan")
    again = found.deny(by("no")).reopen(by("again"))
    assert again.approved_by == ()
    with pytest.raises(ApprovalNeeded):
        again.approve(by("self", actor="ann"))


def test_what_needs_no_approval_is_approved_by_anybody() -> None:
    assert case().approve(by("yes", actor=None)).approved_by == ()


# --- Goods --------------------------------------------------------------------------------


def test_p5_a_later_inspection_never_accepts_more() -> None:
    found = inspected({"1": 2, "2": 1})
    fewer = found.inspect(by("again"), accepted={"1": 1, "2": 1})
    assert fewer.accepted_pieces == {"1": 1, "2": 1}
    with pytest.raises(AcceptsTooMuch) as refused:
        fewer.inspect(by("more"), accepted={"1": 2, "2": 1})
    assert (refused.value.wanted, refused.value.most) == (2, 1)
    assert fewer.inspect(by("all"), accepted=None).accepted_pieces == {"1": 1, "2": 1}
    # The first one again: it is known, whatever came since.
    assert fewer.inspect(by("seen"), accepted={"1": 2, "2": 1}) is fewer


@pytest.mark.parametrize(
    ("accepted", "error"),
    [
        ({"1": 4, "2": 1}, AcceptsTooMuch),
        ({"1": 1}, InvalidReturn),
        ({"1": 1, "2": 1, "3": 1}, InvalidReturn),
        ({"1": -1, "2": 1}, InvalidTerms),
        ({"1": True, "2": 1}, InvalidTerms),
        ([("1", 1)], InvalidReturn),
    ],
)
def test_what_an_inspection_cannot_accept(accepted: Any, error: type[Exception]) -> None:
    before = received()
    with pytest.raises(error):
        before.inspect(by("seen"), accepted=accepted)


def test_what_is_kept_is_not_inspected() -> None:
    keep = RefundRule(id="keep", offer=("credit",), goods=GoodsBack.KEEP)
    with pytest.raises(InvalidReturn, match="one that comes back: none"):
        attrs.evolve(received(), decision=decision(keep)).inspect(by("seen"), accepted={"1": 1})


def test_p5_nothing_accepted_is_not_completed_but_denied() -> None:
    found = inspected({"1": 0, "2": 0})
    with pytest.raises(NothingAccepted):
        found.complete(by("done"))
    assert found.deny(by("no")).state is CaseState.DENIED


def test_p5_goods_are_missing_only_once_they_are_due() -> None:
    instant_ = RefundRule(id="now", offer=("credit",), instant=True)
    found = case(instant_).approve(by("yes")).await_return(by("wait"))
    due = NOON + dt.timedelta(days=30)
    assert found.arrive_by == due
    with pytest.raises(GoodsNotDue) as refused:
        found.goods_missing(by("gone"))
    assert (refused.value.arrive_by, refused.value.at) == (due, NOON)
    gone = found.goods_missing(by("gone", at=due))
    assert gone.state is CaseState.DENIED
    assert gone.goods_missing(by("gone")) is gone


def test_until_when_goods_may_be_on_their_way_is_a_period_or_an_instant() -> None:
    by_friday = NOON + dt.timedelta(days=5)
    assert case().approve(by("yes"), arrive_by=Period(days=5)).arrive_by == by_friday
    found = case().approve(by("yes"), arrive_by=by_friday)
    assert found.arrive_by == by_friday
    assert found.approve(by("yes"), arrive_by=by_friday) is found
    with pytest.raises(CaseStepRepeated):
        found.approve(by("yes"), arrive_by=Period(days=5))
    with pytest.raises(NaiveInstant):
        case().approve(by("yes"), arrive_by=dt.datetime(2026, 5, 1))  # noqa: DTZ001  # that is the point


def test_credit_is_given_at_once_only_to_a_holder_and_for_goods_that_come_back() -> None:
    now = RefundRule(id="now", offer=("credit",), instant=True)
    kept = RefundRule(id="now", offer=("credit",), instant=True, goods="keep")
    assert case(now).gives_at_once
    assert not case(now, holder=None).gives_at_once
    assert not case(kept).gives_at_once
    assert not case().gives_at_once


# --- External refunds ---------------------------------------------------------------------

KEY = "case/r-1/card/EUR"


def test_p5_an_answer_is_recorded_once() -> None:
    found = completed()
    assert [each.key for each in found.refunds_due] == [KEY]
    assert found.settle_refund(KEY, Answer.PENDING, NOON) is found
    sure = found.settle_refund(KEY, Answer.CONFIRMED, NOON)
    assert (sure.refunds_due, sure.refund(KEY).answer) == ((), Answer.CONFIRMED)
    assert sure.settle_refund(KEY, Answer.CONFIRMED, NOON) is sure
    with pytest.raises(CaseStepRepeated, match="recorded as confirmed"):
        sure.settle_refund(KEY, Answer.FAILED, NOON)
    with pytest.raises(UnknownCaseRefund, match="no external refund 'other'"):
        sure.settle_refund("other", Answer.FAILED, NOON)
    with pytest.raises(UnknownCaseRefund, match="it has none"):
        case().settle_refund("other", Answer.FAILED, NOON)


def test_p5_only_a_refund_that_failed_becomes_credit_and_once() -> None:
    found = completed()
    with pytest.raises(CaseStepRefused):
        found.redirect(by("turn"), KEY, consent=True)
    failed = found.settle_refund(KEY, Answer.FAILED, NOON)
    assert failed.allowed == (CaseStep.SETTLE_REFUND, CaseStep.REDIRECT)
    given = GivenCredit(lot="lot", funding=Funding.REFUND, amount=eur("9.00"))
    with pytest.raises(ConsentMissing):
        failed.redirect(by("turn"), KEY, consent=False)
    turned = failed.redirect(by("turn"), KEY, consent=True).with_redirected(KEY, given)
    assert turned.refund(KEY).lot == "lot"
    assert turned.redirect(by("turn"), KEY, consent=True) is turned
    with pytest.raises(CaseStepRepeated, match="redirected again"):
        turned.redirect(by("turn again"), KEY, consent=True)


def test_one_of_several_refunds_is_redirected_only_if_it_failed_itself() -> None:
    other = ExternalRefund("bank", eur("1.00"), "case/r-1/bank/EUR", "case/r-1")
    found = completed().with_refunds([other]).settle_refund(KEY, Answer.FAILED, NOON)
    with pytest.raises(CaseStepRefused, match=r"completed \(pending\)"):
        found.redirect(by("turn"), other.key, consent=True)
    assert found.settle_refund(other.key, Answer.CONFIRMED, NOON).refund(KEY).answer == "failed"


def test_a_guest_who_has_registered_gets_the_credit() -> None:
    guest = attrs.evolve(inspected(), decision=decision(holder=None))
    found = guest.complete(by("done"), holder="c-99")
    assert found.credit_holder == "c-99"
    assert found.complete(by("done"), holder="c-99") is found
    with pytest.raises(CaseStepRepeated, match="for c-99"):
        found.complete(by("done"))
    with pytest.raises(InvalidReturn, match="the refund is for c-17"):
        inspected().complete(by("done"), holder="c-99")
    failed = found.with_refunds(completed().refunds_due).settle_refund(KEY, Answer.FAILED, NOON)
    assert failed.redirect(by("turn"), KEY, consent=True, holder="c-98").credit_holder == "c-98"


def test_a_record_reads_back_from_its_json_form() -> None:
    given = GivenCredit(
        lot="lot",
        funding=Funding.REFUND,
        amount=eur("9.00"),
        withheld=eur("1.00"),
        taken=eur("2.00"),
        short=eur("0.50"),
    )
    assert given.standing == eur("6.00")
    for make in IN.values():
        found = make().with_given([given])
        form = json.loads(json.dumps(found.to_json()))
        assert CaseRecord.from_json(form) == found
    assert completed().decision.policy == PolicyVersion("returns", "1")
    assert completed().is_closed
    assert not case().is_closed


def test_the_drawing_of_a_refunds_life_is_made_from_the_table() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "life-of-a-refund.md"
    words = page.read_text(encoding="utf-8")
    assert words.split("```mermaid\n")[1].split("\n```")[0] == drawing()
    assert all(f"| `{each.value}` |" in words for each in (*CaseState, *CaseStep))


def test_every_name_of_the_package_is_in_the_reference() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "life-of-a-refund.md"
    words = page.read_text(encoding="utf-8")
    assert [name for name in refunds.__all__ if f"`{name}`" not in words] == []
    steps = {name for name in dir(RefundCase) if not name.startswith("_")}
    assert [name for name in steps if f"`{name}`" not in words and f" {name}(" not in words] == []
