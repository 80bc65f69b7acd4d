"""The records of codes and of failures: the table of a code's life, JSON forms, bounds (A15, S11)."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecredit.claims import (
    NOBODY,
    OF_MERCHANT,
    TRANSITIONS,
    Claim,
    ClaimFact,
    ClaimHead,
    ClaimReason,
    ClaimState,
    ClaimStep,
    Contents,
    FailurePage,
    Failures,
    Throttle,
    claim_id,
    page_of,
    why_not,
)
from storecredit.claims.failures import MOST, PAGES
from storecredit.errors import CodeStepRefused
from storecredit.ledger import AccountId, EntryId
from storecredit.storage import MemoryStorage
from storecredit.values import Money, Period

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
ISSUED = ClaimFact(step=ClaimStep.ISSUE, key="k", at=NOON, entries=(EntryId("w.USD.1"),))
OPEN = Claim(
    id=claim_id("acme", "k"),
    digest="a:00",
    holder="~code:1",
    account=AccountId("w.USD"),
    facts=(ISSUED,),
)


# --- The life of a code -------------------------------------------------------------------


def test_a15_the_drawing_of_a_codes_life_is_the_table() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "claim-codes.md"
    words = page.read_text(encoding="utf-8")
    drawing = words.split("```mermaid")[1].split("```")[0]
    drawn = set(re.findall(r"^ *(\w+) --> (\w+): (\w+)$", drawing, re.MULTILINE))
    table = {
        (start.value, to.value, step.value)
        for start, row in TRANSITIONS.items()
        for step, to in row.items()
    }
    assert drawn == table
    assert "[*] --> open: issue" in drawing
    assert all(f"| `{state.value}` |" in words for state in ClaimState)
    assert all(f"| `{step.value}` |" in words for step in ClaimStep)
    assert all(f"`{reason.value}`" in words for reason in ClaimReason)


@pytest.mark.parametrize("state", ClaimState)
@pytest.mark.parametrize("step", [step for step in ClaimStep if step is not ClaimStep.ISSUE])
def test_a15_a_step_leads_where_the_table_says_or_is_refused(
    state: ClaimState, step: ClaimStep
) -> None:
    claim = Claim.from_json({**OPEN.to_json(), "state": state.value})
    fact = ClaimFact(step=step, key="s", at=NOON, to="w2")
    if step not in TRANSITIONS[state]:
        with pytest.raises(CodeStepRefused, match=f"Cannot {step} code .*: it is {state}"):
            claim.take(fact)
        return
    after = claim.take(fact)
    assert after.state is TRANSITIONS[state][step]
    assert after.facts == (ISSUED, fact)
    assert (after.was_taken(step, "s"), after.was_taken(step, "k")) == (True, False)
    assert not claim.was_taken(step, "s")


def test_s11_a_record_reads_back_from_its_json_form() -> None:
    reissued = ClaimFact(
        step=ClaimStep.REISSUE, key="r", at=NOON, to="id 2", actor="ann", reason="lost"
    )
    revoked = ClaimFact(step=ClaimStep.REVOKE, key="v", at=NOON, entries=(EntryId("e"),))
    claimed = OPEN.take(ClaimFact(step=ClaimStep.CLAIM, key="c", at=NOON, to="w2"))
    for claim in (OPEN, claimed, OPEN.take(revoked).take(reissued), NOBODY):
        form = json.loads(json.dumps(claim.to_json()))
        assert Claim.from_json(form) == claim
        head = ClaimHead.of(form)
        assert (head.digest, head.account) == (claim.digest, claim.account)
        assert (head.state, head.reserved_for) == (claim.state, claim.reserved_for)
    assert ClaimHead.of(claimed.to_json()).claimed == ("c", "w2")
    assert ClaimHead.of(OPEN.to_json()).claimed is None


def test_a1_the_id_of_a_code_follows_from_merchant_and_key() -> None:
    names = [
        ("acme", "k"),
        ("acme", "k2"),
        ("other", "k"),
        ("acme", "k", "k2"),
        ("acme", "k2", "k"),
    ]
    assert len({claim_id(*each) for each in names}) == len(names)
    assert claim_id("acme", "k") == claim_id("acme", "k")


# --- Judging --------------------------------------------------------------------------------


@given(
    st.sampled_from(ClaimState),
    st.builds(Contents, st.integers(0, 2), st.integers(0, 2), st.booleans(), st.booleans()),
    st.fixed_dictionaries(
        {name: st.booleans() for name in ("throttled", "known", "meant", "opening")}
    ),
)
def test_a15_the_first_reason_that_holds_is_told(state, contents, facts) -> None:
    def expected() -> str | None:
        if facts["throttled"]:
            return "throttled"
        if not facts["known"]:
            return "unknown"
        if state != "open":
            return state.value
        if contents.is_frozen:
            return "frozen"
        if not facts["meant"]:
            return "reserved"
        if not contents.worth:
            return "expired" if contents.ran_out else "empty"
        return "held" if contents.is_held and not facts["opening"] else None

    assert why_not(state, contents, **facts) == expected()


# --- Failures -------------------------------------------------------------------------------


def test_a15_a_page_of_failures_has_an_end() -> None:
    rule, page = Throttle(), FailurePage()
    guesser = Failures(50, NOON)
    page = page.noting("guesser", guesser, rule=rule, at=NOON)
    for number in range(3 * MOST):
        at = NOON + dt.timedelta(seconds=number)
        page = page.noting(f"c{number}", Failures(1, at), rule=rule, at=at)
    assert len(page.callers) == MOST
    # Who fails often stays; of those who failed once, the latest.
    assert page.of("guesser") == guesser
    assert page.of(f"c{3 * MOST - 1}").count == 1
    assert page.of("c0") == Failures()
    assert FailurePage.from_json(json.loads(json.dumps(page.to_json()))) == page
    later = NOON + dt.timedelta(days=2)
    assert set(page.noting("new", Failures(1, later), rule=rule, at=later).callers) == {"new"}


def test_a15_a_throttle_that_counts_nothing_keeps_nothing() -> None:
    page = FailurePage().noting("c", Failures(), rule=Throttle(), at=NOON)
    assert page.to_json() == {"callers": {}}


@given(st.binary(min_size=16, max_size=16))
def test_a15_callers_are_spread_over_so_many_pages(digest: bytes) -> None:
    number = int(page_of(digest.hex()).removeprefix("caller-"))
    assert 0 <= number < PAGES
    assert page_of(digest.hex()) != OF_MERCHANT


def test_a15_the_records_of_failures_do_not_grow_with_the_failures(window, monkeypatch) -> None:
    monkeypatch.setattr("storecredit.claims.failures.PAGES", 2)
    monkeypatch.setattr("storecredit.claims.failures.MOST", 3)
    from storecredit.claims import make_code
    from storecredit.errors import ClaimFailed

    for number in range(60):
        with pytest.raises(ClaimFailed):
            window.credit.open_code(make_code(bytes(12)), caller=f"session {number}")
    rows = window.records("claim-failures")
    assert set(rows) == {"merchant", "caller-0000", "caller-0001"}
    assert [len(rows[name][1]["callers"]) for name in sorted(rows)] == [3, 3, 1]
    assert rows["merchant"][1]["callers"]["merchant"]["count"] == 60


# --- Elsewhere ------------------------------------------------------------------------------


def test_s9_codes_go_along_with_the_journal(window, make_window) -> None:
    opened, claimed = window.issue("50.00"), window.issue("7.00")
    meant = window.issue("3.00", reserved_for="c-20")
    window.claim(claimed)
    spent = window.credit.redeem(opened.holder, Money.of("20.00", "USD"), key="o-1")
    target = io.BytesIO()
    window.credit.export_journal(target)
    assert str(opened.code).encode() not in target.getvalue()
    there = make_window(storage=MemoryStorage())
    there.credit.import_journal(io.BytesIO(target.getvalue()))
    assert there.records() == window.records()
    with there.fails("claimed"):
        there.claim(claimed, "c-18")
    assert there.claim(claimed).replayed
    with there.fails("reserved"):
        there.claim(meant, "c-18")
    there.claim(meant, "c-20")
    assert str(there.claim(opened, "c-18").amount) == "USD 30.00"
    there.credit.restore(spent.entry_id, key="back")
    assert there.available("c-18") == "USD 50.00"


def test_a3_a_revocation_of_a_code_is_no_choice_to_explain(window) -> None:
    from storecredit.errors import UnknownEntry

    (receipt,) = window.revoke(window.issue("50.00"))
    with pytest.raises(UnknownEntry):
        window.credit.explain(receipt.entry_id)


def test_a2_what_is_in_codes_is_owed_like_anything_else(window) -> None:
    """Sweeps, statements and heads meet the account of a code as any other."""
    issued = window.issue("50.00", funding="promotional", expires=Period(days=1))
    assert len(window.credit.heads()) == 1
    window.clock.forward(days=2)
    assert window.credit.expire_due().amount["USD"] == issued.worth
    assert [line.kind for line in window.credit.statement(issued.holder, "USD")] == [
        "issue",
        "expire",
    ]
