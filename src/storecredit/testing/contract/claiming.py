"""Duty 11: the record of a claim code, its account and the claimer's live or die together (A15)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from collections.abc import Callable
from typing import Any, Final

import pytest

from storecredit.claims import (
    FAILURES,
    KIND,
    ClaimKeys,
    ClaimRules,
    ClaimState,
    Throttle,
    make_code,
)
from storecredit.errors import ClaimFailed
from storecredit.service import StoreCredit
from storecredit.service.codes import ClaimedCode
from storecredit.storage.protocols import Storage
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.races import PATIENCE, a_moment
from storecredit.testing.contract.scene import Shop, usd
from storecredit.testing.contract.threads import at_once
from storecredit.testing.faults import (
    COMMIT,
    FaultyStorage,
    InjectedFault,
    Mode,
    every_fault,
)

RACERS: Final = 4
RULES: Final = ClaimRules(
    keys=ClaimKeys(current="new", keys={"old": bytes(range(32)), "new": bytes(range(1, 33))}),
    per_caller=Throttle(free=1000),
)
TELLING: Final = frozenset({"put", "append", "replace_wallet", COMMIT})
"""The steps at which a storage is told something."""
NONSENSE: Final = make_code(b"nobody's one")


class ClaimDuties(Duties):
    """A claim is a record, two entries and a wallet that follows, never the one without the others."""

    def test_a15_a_code_goes_on_after_every_restart(self) -> None:
        storage = self.fresh()
        shop = claiming(storage)
        # Each service after a restart counts its ids from 1 again, so that nobody opens a wallet then.
        shop.credit.issue("anna", usd("1.00"), funding="refund", key="first")
        made = shop.credit.issue_code(usd("5.00"), funding="purchased", key="gift")
        spent = shop.credit.redeem(made.holder, usd("2.00"), key="order 1")
        again = shop.credit.reissue_code(made.id, key="again", actor="ann", reason="lost")
        steps: list[Callable[[StoreCredit], object]] = [
            lambda credit: credit.open_code(str(again.code), caller="s"),
            lambda credit: credit.claim(str(again.code), "anna", key="claim", caller="s"),
            lambda credit: credit.restore(spent.entry_id, key="back"),
        ]
        for number, step in enumerate(steps):
            storage = self.reopened(storage)
            step(claiming(storage).credit)
            before = kept(claiming(storage))
            storage = self.reopened(storage)
            assert kept(claiming(storage)) == before, f"{number}: it is not there as it was"
            if number:
                step(claiming(storage).credit)
                assert kept(claiming(storage)) == before, f"{number}: its repeat had an effect"
        shop = claiming(storage)
        assert str(shop.credit.wallet("anna").available) == "USD 6.00"
        assert shop.credit.verify().ok

    @pytest.mark.parametrize("name", ["issue", "claim", "revoke"])
    def test_a15_a_fault_leaves_the_record_and_all_entries_or_neither(self, name: str) -> None:
        storage = self.fresh()
        faulty = FaultyStorage(storage)
        shop = claiming(storage, merchant="rehearsal")
        step_of(shop, name)(shop.at(faulty))
        whole = outline(shop)
        numbers = {step.number for step in faulty.steps if step.name in TELLING}
        for number, fault in enumerate(every_fault(faulty.steps)):
            at_commit = fault.mode in (Mode.AT_COMMIT, Mode.AFTER_COMMIT)
            if not at_commit and fault.number not in numbers:
                continue
            case = f"{name}: {fault.mode} step {fault.number}"
            shop = claiming(storage, merchant=f"shop {number}")
            step = step_of(shop, name)
            before = kept(shop)
            with pytest.raises(InjectedFault):
                step(shop.at(FaultyStorage(storage, [fault])))
            committed = fault.mode is Mode.AFTER_COMMIT
            assert (kept(shop) == before) is not committed, f"{case}: half done, or not undone"
            step(shop.credit)
            assert outline(shop) == whole, f"{case}: the repeat led elsewhere"
            assert shop.credit.verify().ok, case

    def test_a15_of_threads_that_claim_one_code_exactly_one_wins(self) -> None:
        shop = claiming(self.fresh(), patient=True)
        code = str(shop.credit.issue_code(usd("5.00"), funding="refund", key="gift").code)
        holders = ("anna", "ben", "carl", "dora")[:RACERS]

        def claim(holder: str) -> Callable[[], Any]:
            return lambda: shop.credit.claim(code, holder, key="claim", caller=holder)

        outcomes = at_once([claim(holder) for holder in holders])
        won = [each for each in outcomes if isinstance(each, ClaimedCode)]
        failed = [each.reason for each in outcomes if isinstance(each, ClaimFailed)]
        assert (len(won), failed) == (1, ["claimed"] * (RACERS - 1)), outcomes
        for holder in holders:
            expected = "USD 5.00" if holder == won[0].holder else "nothing"
            assert str(shop.credit.wallet(holder).available) == expected
        assert shop.credit.verify().ok

    def test_a15_every_failure_is_counted_and_leaves_nothing_else(self) -> None:
        storage = self.fresh()
        shop = claiming(storage, patient=True)
        shop.credit.issue_code(usd("5.00"), funding="refund", key="gift")
        before = shop.kept(kinds=(KIND,))

        def guess(racer: int) -> Callable[[], Any]:
            caller = f"s{racer % 2}"
            return lambda: shop.credit.open_code(NONSENSE, caller=caller)

        outcomes = at_once([guess(racer) for racer in range(RACERS)])
        assert [type(each) for each in outcomes] == [ClaimFailed] * RACERS, outcomes
        shop = claiming(self.reopened(storage))
        assert shop.kept(kinds=(KIND,)) == before
        counts = []
        with shop.storage.snapshot() as reader:
            for row in reader.records(shop.merchant.id, FAILURES):
                counts += [each["count"] for each in row.body["callers"].values()]
        assert sorted(counts) == [RACERS // 2, RACERS // 2, RACERS]

    def test_a15_codes_are_found_and_listed_by_what_they_are_now(self) -> None:
        storage = self.fresh()
        shop, other = claiming(storage), claiming(storage, merchant="zeta")
        codes = [
            shop.credit.issue_code(usd("5.00"), funding="refund", key=f"gift {number}")
            for number in range(4)
        ]
        theirs = other.credit.issue_code(usd("5.00"), funding="refund", key="gift 0")
        shop.credit.claim(str(codes[0].code), "anna", key="claim", caller="s")
        shop.credit.revoke_code(codes[1].id, key="revoke", actor="ann", reason="lost")
        again = shop.credit.reissue_code(codes[2].id, key="again", actor="ann", reason="lost")
        expected = {
            ClaimState.OPEN: {codes[3].id, again.id},
            ClaimState.CLAIMED: {codes[0].id},
            ClaimState.REVOKED: {codes[1].id},
            ClaimState.REPLACED: {codes[2].id},
        }
        for state, ids in expected.items():
            assert {claim.id for claim in shop.credit.codes(state=state)} == ids
        assert [claim.id for claim in other.credit.codes()] == [theirs.id]
        opened = shop.credit.open_code(str(again.code), caller="s")
        assert (opened.id, opened.holder) == (again.id, codes[2].holder)
        for code, reason in (
            *((codes[0], "claimed"), (codes[1], "revoked")),
            *((codes[2], "replaced"), (theirs, "unknown")),
        ):
            with pytest.raises(ClaimFailed) as failed:
                shop.credit.open_code(str(code.code), caller="s")
            assert failed.value.reason == reason


def claiming(storage: Storage, *, merchant: str = "acme", patient: bool = False) -> Shop:
    """Return a merchant with keys for claim codes."""
    if patient:
        return Shop(storage, merchant, attempts=PATIENCE, sleep=a_moment, claims=RULES)
    return Shop(storage, merchant, claims=RULES)


def step_of(shop: Shop, name: str) -> Callable[[StoreCredit], object]:
    """Prepare a step of a code's life, and return it."""
    if name == "issue":
        return lambda credit: credit.issue_code(
            usd("3.00"), funding="goodwill", key="sorry", reserved_for="ben"
        )
    made = shop.credit.issue_code(usd("5.00"), funding="purchased", key="gift")
    shop.credit.redeem(made.holder, usd("2.00"), key="order 1")
    shop.credit.issue("anna", usd("1.00"), funding="refund", key="first")
    if name == "claim":
        return lambda credit: credit.claim(str(made.code), "anna", key="claim", caller="s")
    return lambda credit: credit.revoke_code(made.id, key="revoke", actor="ann", reason="lost")


def kept(shop: Shop) -> str:
    """Return everything that is kept of the merchant, codes included."""
    return shop.kept(kinds=(KIND, FAILURES))


def outline(shop: Shop) -> Any:
    """Return what there is, without names and digests, which every merchant has its own of."""
    claims = [(claim.state, len(claim.facts), claim.reserved_for) for claim in shop.credit.codes()]
    with shop.storage.snapshot() as reader:
        names = [name for _, name in reader.account_ids(shop.merchant.id)]
        accounts = [reader.whole(shop.merchant.id, name) for name in names]
    rows = [
        (account.version, account.totals, account.merged_into is None)
        for account in accounts
        if account is not None
    ]
    return sorted(map(repr, claims)), sorted(map(repr, rows))
