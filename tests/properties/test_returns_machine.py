"""
A state machine over refund cases, claim codes and the ledger together (P2, P5, A7, A8, A15).

Guests and holders pay, bring goods back, get codes and credit, spend them, merge, and are cut off
at any step of the storage. What has to be true is kept in a plain book beside it: purses with
pieces of value, orders, cases, instructions to give money back. The book knows whole numbers and
words; it knows nothing of accounts, records, policies or digests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from returns_book import ByHypothesis
from returns_story import LIKELY, Story, tell, tell_many

from storecredit.claims import Claim, ClaimStep
from storecredit.errors import StoreCreditError
from storecredit.ledger import Funding, restoring
from storecredit.policies import RefundDecision
from storecredit.refunds import CaseRecord, CaseState, CaseStep, RefundedOrder, StepBy
from storecredit.service import _case_giving, _claim_desk
from storecredit.service._case_giving import CaseGiving
from storecredit.service._claim_desk import ClaimDesk
from storecredit.service._claiming import Claiming
from storecredit.service._door import Door
from storecredit.storage import MemoryStorage, memory
from storecredit.storage.sqlite import SQLiteStorage
from storecredit.testing.faults import InjectedFault, Mode

# --- The machine ------------------------------------------------------------------------------


class ReturnsMachine(RuleBasedStateMachine):
    """Hypothesis chooses the steps, and everything in them."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(MemoryStorage())

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        self.story.tell("begin", ByHypothesis(data))

    @rule(step=st.sampled_from(LIKELY), data=st.data())
    def tell(self, step: str, data: Any) -> None:
        self.story.tell(step, ByHypothesis(data))

    @invariant()
    def agree(self) -> None:
        self.story.agree()

    def teardown(self) -> None:
        self.story.close()
        self.story.storage.close()


def test_p5_cases_codes_and_accounts_agree_with_a_plain_book_whatever_is_cut_off() -> None:
    told = settings(
        max_examples=max(settings().max_examples // 4, 5),
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(ReturnsMachine, settings=told)


@pytest.mark.parametrize("seed", range(3))
def test_p5_they_agree_in_a_file_of_sqlite_too(seed: int, tmp_path: Path) -> None:
    """Step by step, cut off at the same places, the same story comes of it."""
    seen = tell(SQLiteStorage(tmp_path / "shop.db", synchronous="NORMAL"), seed, 30)
    assert seen == tell(MemoryStorage(), seed, 30)


# --- The machine comes everywhere ----------------------------------------------------------------

VERBS: Final = (
    "issue",
    "redeem",
    "hold",
    "capture",
    "release",
    "restore",
    "transfer",
    "merge",
    "wait",
    "wait_long",
    "issue_code",
    "claim",
    "revoke_code",
    "reissue_code",
    "pay",
    "buy",
    "begin_checkout",
    "charge",
    "settle_charge",
    "complete_checkout",
    "request_refund",
    "approve",
    "deny",
    "cancel",
    "reopen",
    "await_return",
    "ship",
    "receive",
    "inspect",
    "goods_missing",
    "complete",
    "settle_refund",
    "redirect",
    "repeat",
)
PLACES: Final = (
    *(f"{verb}: done" for verb in VERBS),
    *(f"fault {mode.value}" for mode in Mode),
    *(f"complete {way} {who}" for way in ("credit", "money") for who in ("guest", "holder")),
    *(
        f"claim: {reason}"
        for reason in ("claimed", "revoked", "replaced", "reserved", "held", "empty")
    ),
    *(f"{verb}: answer lost" for verb in ("claim", "approve", "complete", "issue_code", "redeem")),
    *(f"{verb}: other request" for verb in ("claim", "inspect", "complete", "settle_refund")),
    "approve: ApprovalNeeded",
    "complete: CaseStepRefused",
    "complete: NothingAccepted",
    "complete: RestoreExceedsRedemption",
    "goods_missing: GoodsNotDue",
    "hold: CodeClaimed",
    "merge: HoldsActive",
    "money instructed",
    "redirect: CaseStepRefused",
    "reopen: PiecesTaken",
    "request_refund: PiecesTaken",
    "restored by checkout: done",
    "return_lines: QuantityExceedsRest",
    "taken back",
    "taken back short",
    "code shown",
    "code lost",
)
"""Where stories have to come."""
MOST_STORIES: Final = 200
"""Some sixty are enough."""


def test_stories_from_fixed_numbers_come_to_every_step_and_every_refusal() -> None:
    seen: Counter[str] = Counter()
    told = 0
    while (missing := [place for place in PLACES if not seen[place]]) and told < MOST_STORIES:
        seen += tell(MemoryStorage(), told, 60)
        told += 1
    assert not missing, f"not in {told} stories"


# --- The machine can fail -------------------------------------------------------------------------


def completing_twice(real: Any) -> Any:
    """Another key completes a case again."""

    def step(self: CaseRecord, step: CaseStep, by: StepBy, facts: str = "") -> CaseRecord:
        if (self.state, step) == (CaseState.COMPLETED, CaseStep.COMPLETE):
            return attrs.evolve(self, events=(*self.events, self.events[-1]))
        return real(self, step, by, facts)  # type: ignore[no-any-return]  # a case

    return step


def copying(real: Any) -> Any:
    """What a code was worth arrives, and does not leave."""

    def decide(self: ClaimDesk, *told: Any) -> Any:
        receipt, changes = real(self, *told)
        return receipt, changes[-1:]

    return decide


def bringing_one_more(real: Any) -> Any:
    """What arrives at the claimer is a cent more than what left the code."""

    def parcels(sent: Any) -> Any:
        first, *others = real(sent)
        return (attrs.evolve(first, amount=first.amount + 1), *others)

    return parcels


def paying_the_bonus_out(real: Any) -> Any:
    """A bonus is as good as money that was paid."""

    def lots(self: RefundDecision) -> Any:
        return tuple(attrs.evolve(lot, funding=Funding.REFUND) for lot in real.fget(self))

    return property(lots)


def forgetting_keys(real: Any) -> Any:
    """A repeat is a new step."""

    def step(self: CaseRecord, step: CaseStep, by: StepBy, facts: str = "") -> CaseRecord:
        return real(attrs.evolve(self, events=self.events[:1]), step, by, facts)  # type: ignore[no-any-return]  # a case

    return step


def taking_freely(real: Any) -> Any:
    """Nobody looks whether another case has the pieces."""

    def take(self: RefundedOrder, case: str, pieces: Any, **told: Any) -> RefundedOrder:
        mine = attrs.evolve(self, taken=tuple(each for each in self.taken if each.case == case))
        taken: RefundedOrder = real(mine, case, pieces, **told)
        return attrs.evolve(taken, taken=(*self.of_others(case), *taken.taken))

    return take


def unchanged(real: Any) -> Any:
    """Nothing is taken back."""

    def take_back(self: CaseGiving, tx: Any, case: CaseRecord, terms: Any) -> CaseRecord:
        return case

    return take_back


def nothing(real: Any) -> Any:
    """Nothing is done."""

    def do(self: Any, *told: Any) -> None:
        return None

    return do


def all_of_it(real: Any) -> Any:
    """Whatever an inspection has accepted, everything is given."""
    return property(lambda self: self.decision)


def one_key_for_all(real: Any) -> Any:
    """Every instruction to give money back has the same key."""

    def key(*told: Any) -> str:
        return "refund"

    return key


def alive(real: Any) -> Any:
    """A code that was replaced goes on."""

    def take(self: Claim, fact: Any) -> Claim:
        after: Claim = real(self, fact)
        return attrs.evolve(after, state=self.state) if fact.step is ClaimStep.REISSUE else after

    return take


def staying(real: Any) -> Any:
    """What an order took of a code comes back to the code, whoever has claimed it."""

    def survivor(self: Door, tx: Any, account: Any, names: Any = None) -> Any:
        return account

    return survivor


def with_other_funding(real: Any) -> Any:
    """What comes back after it has expired is goodwill, whatever it was."""

    def new_life(*told: Any) -> Any:
        return attrs.evolve(real(*told), funding=Funding.GOODWILL)

    return new_life


def publishing_half(real: Any) -> Any:
    """A transaction that was cut off leaves what it had done so far."""

    def leave(self: Any, kind: Any, error: Any, trace: Any) -> Any:
        if isinstance(error, InjectedFault):
            real(self, None, None, None)
            return False
        return real(self, kind, error, trace)

    return leave


def giving_twice(real: Any) -> Any:
    """Reopening a case forgets what was given."""

    def reopen(self: CaseRecord, by: StepBy) -> CaseRecord:
        after: CaseRecord = real(self, by)
        return after if after is self else attrs.evolve(after, given=())

    return reopen


def showing_again(real: Any) -> Any:
    """A repeat makes another code."""

    def issue(self: Any, *told: Any) -> Any:
        claim, receipt = real(self, *told)
        return attrs.evolve(claim, digest=told[-1]), receipt

    return issue


FAULTS: Final[Mapping[str, tuple[Any, str, Callable[[Any], Any]]]] = {
    "a case completes twice": (CaseRecord, "_step", completing_twice),
    "a claim copies instead of moving": (ClaimDesk, "_decide", copying),
    "a claim brings one more": (_claim_desk, "parcels_of", bringing_one_more),
    "a bonus is issued as what was paid": (RefundDecision, "lots", paying_the_bonus_out),
    "a repeated step is a new one": (CaseRecord, "_step", forgetting_keys),
    "the same pieces are refunded twice": (RefundedOrder, "take", taking_freely),
    "credit given before stays, and no goods": (CaseGiving, "take_back", unchanged),
    "what credit paid does not come back": (CaseGiving, "_restore", nothing),
    "an inspection in part gives all": (CaseRecord, "final", all_of_it),
    "instructions share a key": (_case_giving, "refund_key", one_key_for_all),
    "a replaced code still opens": (Claim, "take", alive),
    "restores do not follow": (Door, "_survivor", staying),
    "grace forgets who has paid": (restoring, "_new_life", with_other_funding),
    "what was cut off is half done": (memory._Transaction, "__exit__", publishing_half),
    "a reopened case gives again": (CaseRecord, "reopen", giving_twice),
    "a repeat shows a code again": (Claiming, "_issue_or_find", showing_again),
}
"""What is broken, and how."""
SOON: Final = 60
"""After that many stories the fault is found."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_shop_with_a_fault_does_not_pass(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed, name, wrong = FAULTS[fault]
    monkeypatch.setattr(changed, name, wrong(vars(changed)[name]))
    with pytest.raises((AssertionError, StoreCreditError, pytest.fail.Exception)):
        tell_many(SOON)
