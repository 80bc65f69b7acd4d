"""A fault at every storage step of every verb of claim codes: all of it or nothing, once (A15, S1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from storecredit.claims import FAILURES, ClaimKeys, ClaimRules, Throttle, make_code
from storecredit.errors import ClaimFailed, ConcurrentChange
from storecredit.ledger import Limits
from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage, SQLiteStorage
from storecredit.testing import FaultyStorage, InjectedFault, every_fault
from storecredit.testing.contract.scene import Shop
from storecredit.testing.faults import Mode, Step
from storecredit.testing.tender_strategies import ACME, usd
from storecredit.values import ExchangeRate, Period

RULES = ClaimRules(
    keys=ClaimKeys(current="b", keys={"a": bytes(range(32)), "b": bytes(range(1, 33))}),
    per_caller=Throttle(free=2),
)
WHO = {"actor": "ann", "reason": "lost"}
HOLDERS = ("anna", "ben")
Act = Callable[[StoreCredit], Any]
Play = Callable[[Shop], Act]


# --- The scene: a code with three lots in two units, of which an order has taken some ---------


def issued(shop: Shop) -> tuple[str, str, str]:
    """Return the code, its id, and its holder."""
    credit = shop.credit
    made = credit.issue_code(usd(5000), funding="purchased", key="gift", paid=usd(4500))
    books = Limits(categories=("books",))
    credit.issue(made.holder, usd(700), funding="promotional", limits=books, key="bonus")
    credit.issue(made.holder, usd(300), funding="refund", effective=Period(days=1), key="later")
    credit.redeem(made.holder, usd(1200), key="o-1")
    rate = ExchangeRate("USD", "EUR", "0.9", on=shop.clock().date())
    credit.convert(made.holder, usd(1000), rate, rounding="down", key="fx")
    credit.issue("anna", usd(100), funding="refund", key="first")
    return str(made.code), made.id, made.holder


def _issue(_: Shop) -> Act:
    return lambda credit: credit.issue_code(
        usd(900), funding="goodwill", key="sorry", expires=Period(days=30), reserved_for="ben"
    )


def _open(shop: Shop) -> Act:
    code, _, _ = issued(shop)
    return lambda credit: credit.open_code(code, caller="s")


def _claim(shop: Shop) -> Act:
    code, _, _ = issued(shop)
    return lambda credit: credit.claim(code, "anna", key="claim", caller="s")


def _claim_newly(shop: Shop) -> Act:
    """By somebody who has no account yet."""
    code, _, _ = issued(shop)
    return lambda credit: credit.claim(code, "ben", key="claim", caller="s")


def _claim_merged(shop: Shop) -> Act:
    """By somebody who was merged into another."""
    code, _, _ = issued(shop)
    shop.credit.issue("ben", usd(100), funding="refund", key="first")
    shop.credit.merge("ben", into="anna", key="merge")
    return lambda credit: credit.claim(code, "ben", key="claim", caller="s")


def _revoke(shop: Shop) -> Act:
    _, name, _ = issued(shop)
    return lambda credit: credit.revoke_code(name, key="revoke", **WHO)


def _reissue(shop: Shop) -> Act:
    _, name, _ = issued(shop)
    return lambda credit: credit.reissue_code(name, key="again", **WHO)


def _restore_afterwards(shop: Shop) -> Act:
    code, _, holder = issued(shop)
    shop.credit.claim(code, "anna", key="claim", caller="s")
    redemption = next(e.id for e in shop.credit.journal(holder, "USD") if e.key == "o-1")
    return lambda credit: credit.restore(redemption, key="back")


def _pseudonymise(shop: Shop) -> Act:
    shop.credit.issue_code(usd(900), funding="goodwill", key="sorry", reserved_for="ben")

    def act(credit: StoreCredit) -> None:
        if any(claim.reserved_for == "ben" for claim in credit.codes()):
            credit.pseudonymise("ben", "p-1")

    return act


PLAYS: dict[str, Play] = {
    play.__name__.strip("_").replace("_", " "): play
    for play in (
        *(_issue, _open, _claim, _claim_newly, _claim_merged, _revoke, _reissue),
        *(_restore_afterwards, _pseudonymise),
    )
}


# --- What is left -------------------------------------------------------------------------


def set_up(play: Play) -> tuple[Shop, Act]:
    shop = Shop(MemoryStorage(), ACME, claims=RULES)
    return shop, play(shop)


def kept(shop: Shop) -> str:
    """Everything, byte by byte: each run has the same ids and instants."""
    return shop.kept(holders=HOLDERS, kinds=("claim", FAILURES))


def seen(shop: Shop) -> Any:
    """What there is, without salts, digests and codes, which another try draws anew."""
    with shop.storage.snapshot() as reader:
        names = [name for _, name in reader.account_ids(ACME.id)]
        accounts = [reader.whole(ACME.id, name) for name in names]
        failures = [row.body for row in reader.records(ACME.id, FAILURES)]
    rows = [
        (
            account.holder,
            account.unit.code,
            account.version,
            account.totals,
            account.merged_into is None,
            [(lot.terms, lot.remaining, lot.state) for lot in account.lots.values()],
        )
        for account in accounts
        if account is not None
    ]
    claims = [
        (claim.id, claim.state, claim.reserved_for, claim.reissues, len(claim.facts))
        for claim in shop.credit.codes()
    ]
    return sorted(map(repr, rows)), claims, failures


@pytest.mark.parametrize("name", PLAYS)
def test_a15_a_fault_at_any_storage_step_leaves_all_or_nothing_and_the_repeat_ends_alike(
    name: str,
) -> None:
    shop, act = set_up(PLAYS[name])
    faulty = FaultyStorage(shop.storage)
    act(shop.at(faulty))
    faults, whole = list(every_fault(faulty.steps)), seen(shop)
    assert len(faults) >= 8, "the step asked next to nothing of the storage"
    for fault in faults:
        case = f"{name}: {fault.mode} step {fault.number}"
        shop, act = set_up(PLAYS[name])
        before = kept(shop)
        with pytest.raises(InjectedFault):
            act(shop.at(FaultyStorage(shop.storage, [fault])))
        left = kept(shop)
        committed = fault.mode is Mode.AFTER_COMMIT and name != "open"
        assert (left == before) is not committed, f"{case}: half done, or not undone"
        assert shop.credit.verify().ok, f"{case}: what is left does not verify"
        act(shop.credit)
        if committed:
            assert kept(shop) == left, f"{case}: the repeat did it a second time"
        assert seen(shop) == whole, f"{case}: the repeat led elsewhere"
        act(shop.at(shop.storage))
        assert seen(shop) == whole, f"{case}: a third time had an effect"
        assert shop.credit.verify().ok, case


def test_a15_a_fault_while_a_claim_fails_writes_the_failure_or_nothing() -> None:
    def attempt(credit: StoreCredit) -> None:
        with pytest.raises(ClaimFailed):
            credit.claim(make_code(b"nobody's one"), "anna", key="claim", caller="s")

    shop = Shop(MemoryStorage(), ACME, claims=RULES)
    issued(shop)
    faulty = FaultyStorage(shop.storage)
    attempt(shop.at(faulty))
    whole = seen(shop)
    for fault in every_fault(faulty.steps):
        shop = Shop(MemoryStorage(), ACME, claims=RULES)
        issued(shop)
        before = kept(shop)
        with pytest.raises(InjectedFault):
            shop.at(FaultyStorage(shop.storage, [fault])).open_code(
                make_code(b"nobody's one"), caller="s"
            )
        if fault.mode is Mode.AFTER_COMMIT:
            assert seen(shop) == whole
        else:
            assert kept(shop) == before


def busy(step: Step, mode: Mode) -> BaseException:
    return ConcurrentChange(f"an account, {mode} {step}", 1)


# A name is replaced under no key: who is not told may look.
@pytest.mark.parametrize("name", [name for name in PLAYS if name != "pseudonymise"])
def test_s5_a_conflict_at_any_storage_step_is_tried_again_and_ends_alike(name: str) -> None:
    shop, act = set_up(PLAYS[name])
    faulty = FaultyStorage(shop.storage)
    act(shop.at(faulty))
    whole, writing, steps = seen(shop), False, []
    for step in faulty.steps:
        # A mere reading is not tried again.
        if step.name in {"transaction", "snapshot"}:
            writing = step.name == "transaction"
        if writing:
            steps.append(step)
    for fault in every_fault(steps, error=busy):
        shop, act = set_up(PLAYS[name])
        answer = act(shop.at(FaultyStorage(shop.storage, [fault])))
        assert seen(shop) == whole, f"{name}: {fault.mode} step {fault.number}"
        if name in {"issue", "reissue"}:
            assert shop.credit.open_code(answer.code, caller="t", holder="ben").id == answer.id
        assert shop.credit.verify().ok


# --- Two at once ----------------------------------------------------------------------------


def race(first: Callable[[Shop, str], object]) -> tuple[Shop, str]:
    """Claim a code, where *first* comes between looking and locking."""
    shop = Shop(MemoryStorage(), ACME, claims=RULES)
    code, _, _ = issued(shop)
    inner = shop.storage

    class Between:
        snapshot = inner.snapshot
        times = 0

        def transaction(self) -> Any:
            return _Between(self)

    class _Between:
        def __init__(self, outer: Between) -> None:
            self.outer = outer
            self.opened = inner.transaction()

        def __enter__(self) -> Any:
            self.work = self.opened.__enter__()
            return self

        def __exit__(self, *error: Any) -> Any:
            return self.opened.__exit__(*error)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.work, name)

        def lock(self, accounts: Any) -> None:
            self.outer.times += 1
            if self.outer.times == 1:
                # On an engine with one writer at a time: undone, and tried again after the other.
                self.opened.__exit__(None, None, None)
                first(shop, code)
                self.opened = inner.transaction()
                self.work = self.opened.__enter__()
            self.work.lock(accounts)

    storage: Any = Between()
    credit = shop.at(storage)
    try:
        credit.claim(code, "anna", key="claim", caller="s")
        return shop, "won"
    except ClaimFailed as failed:
        return shop, failed.reason


def test_a15_who_comes_second_is_judged_by_what_the_first_has_left() -> None:
    def claim(shop: Shop, code: str) -> None:
        shop.credit.claim(code, "ben", key="claim", caller="t")

    shop, end = race(claim)
    assert end == "claimed"
    assert str(shop.credit.wallet("ben").available) == "EUR 9.00, USD 28.00"
    assert str(shop.credit.wallet("anna").available) == "USD 1.00"
    assert shop.credit.verify().ok


def test_a15_a_purchase_in_between_is_not_lost() -> None:
    def spend(shop: Shop, _: str) -> None:
        (claim,) = shop.credit.codes()
        shop.credit.redeem(claim.holder, usd(800), key="o-2")

    shop, end = race(spend)
    assert end == "won"
    assert str(shop.credit.wallet("anna").available) == "EUR 9.00, USD 21.00"
    assert shop.credit.verify().ok


def test_a15_a_record_that_changes_while_it_is_judged_is_judged_anew() -> None:
    """An engine may show what was committed between two questions: the accounts without the record."""
    shop = Shop(MemoryStorage(), ACME, claims=RULES)
    code, name, _ = issued(shop)
    seen: list[str] = []

    class Moving:
        snapshot = shop.storage.snapshot

        @contextmanager
        def transaction(self) -> Any:
            with shop.storage.transaction() as work:
                yield _Moving(work)

    class _Moving:
        def __init__(self, work: Any) -> None:
            self.work = work

        def __getattr__(self, name: str) -> Any:
            return getattr(self.work, name)

        def record(self, merchant: str, kind: str, asked: str) -> Any:
            row = self.work.record(merchant, kind, asked)
            seen.append(asked)
            if seen.count(name) == 1 and asked == name:
                return attrs.evolve(row, version=row.version + 1)
            return row

    storage: Any = Moving()
    assert shop.at(storage).open_code(code, caller="s").id == name
    assert seen.count(name) == 2


def test_a17_a_claimer_who_is_merged_in_between_is_followed() -> None:
    def merge(shop: Shop, _: str) -> None:
        shop.credit.issue("ben", usd(1), funding="refund", key="first")
        shop.credit.merge("anna", into="ben", key="merge")

    shop, end = race(merge)
    assert end == "won"
    assert str(shop.credit.wallet("ben").available) == "EUR 9.00, USD 29.01"
    assert shop.credit.verify().ok


@pytest.mark.parametrize("rivals", [("anna", "ben"), ("anna", "anna")])
def test_a15_of_threads_that_claim_one_code_exactly_one_wins(
    tmp_path: Path, rivals: tuple[str, str]
) -> None:
    """On a file, each with a connection of its own; under different keys, so none is a repeat."""
    storage = SQLiteStorage(tmp_path / "shop.db")
    try:
        lax = ClaimRules(keys=RULES.keys, per_caller=Throttle(free=1000))
        shop = Shop(storage, ACME, attempts=200, claims=lax)
        for number in range(6):
            made = shop.credit.issue_code(usd(500), funding="goodwill", key=f"gift {number}")
            ready = threading.Barrier(4)
            won: list[str] = []
            failed: list[str] = []

            def attempt(place: int, code: str, ready: Any, won: Any, failed: Any) -> None:
                credit = shop.at(storage, attempts=200)
                ready.wait()
                try:
                    credit.claim(code, rivals[place % 2], key=f"k{place}", caller=f"s{place}")
                    won.append(rivals[place % 2])
                except ClaimFailed as failure:
                    failed.append(failure.reason)

            threads = [
                threading.Thread(target=attempt, args=(place, made.code, ready, won, failed))
                for place in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (len(won), failed) == (1, ["claimed"] * 3)
        total = sum(
            account.available.minor
            for holder in set(rivals)
            for account in shop.credit.wallet(holder).accounts
        )
        assert total == 6 * 500
        assert shop.credit.verify().ok
    finally:
        storage.close()
