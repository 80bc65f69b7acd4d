"""A fault at every storage step of everything that gives by a decision: all or nothing, once (P4, S1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storecredit.errors import ConcurrentChange
from storecredit.ledger import Merchant
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.earn_rule import EarningPolicy, EarnRule
from storecredit.policies.earning import earn
from storecredit.policies.gift import Gift, GrantCeiling
from storecredit.policies.goodwill import IncentivePolicy, IncentiveRule, give_incentive
from storecredit.policies.occasion import Occasion
from storecredit.policies.purchase import Purchase, PurchaseLine, Returned
from storecredit.policies.rule import Bonus
from storecredit.policies.top_up import BonusStep, TopUpPolicy, credit_top_up
from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage, SQLiteStorage
from storecredit.storage.protocols import Storage
from storecredit.testing import FaultyStorage, InjectedFault, every_fault
from storecredit.testing.contract.scene import POINTS, Shop, usd
from storecredit.testing.faults import Fault, Mode, Step
from storecredit.values import Money, Period

ACME = Merchant(id="acme", units=(POINTS,))
NAMED = PolicyVersion("shop", "1")
BOUGHT = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
WHO = {"actor": "ann", "reason": "came back"}
Act = Callable[[StoreCredit], Any]
Play = Callable[[Shop], Act]

# --- The scene ----------------------------------------------------------------------------

FRIENDS = IncentivePolicy(
    rules=[
        IncentiveRule(
            id="friends",
            on="referral",
            once_per="referral",
            gives=Gift(amount=usd("5.00")),
            gives_referrer=Gift(amount=usd("10.00")),
        )
    ],
    ceilings=[
        GrantCeiling(id="month", period=Period(days=30), amount=usd("12.00"), above="up_to"),
        GrantCeiling(id="day", per="agent", period=Period(days=1), count=5),
    ],
)
EARNING = EarningPolicy(rules=[EarnRule(id="all", per=usd("1.00"), points=1, shortfall="owe")])
TOP_UPS = TopUpPolicy(
    id="wallet",
    minimum=usd("10.00"),
    bonuses=[BonusStep(paid=usd("50.00"), bonus=Bonus(percent=10))],
    ceilings=[GrantCeiling(id="month", period=Period(days=30), count=2)],
)


def refer(holder: str) -> Act:
    event = Occasion(id="s", on="referral", holder=holder, referrer="ben", at=BOUGHT)
    decision = give_incentive(FRIENDS, event, named=NAMED)
    return lambda credit: credit.grant(decision, actor="ann")


def order() -> Act:
    lines = [PurchaseLine(id="a", amount=usd("60.00")), PurchaseLine(id="b", amount=usd("40.00"))]
    purchase = Purchase(order="o-1", holder="anna", lines=lines, at=BOUGHT)
    decision = earn(EARNING, purchase, named=NAMED, units=[POINTS])
    return lambda credit: credit.earn(decision)


def pay() -> Act:
    decision = credit_top_up(TOP_UPS, usd("50.00"), holder="anna", payment="pay-1", named=NAMED)
    return lambda credit: credit.top_up(decision)


def remove(line: str, amount: str, key: str) -> Act:
    back = Returned(line=line, amount=usd(amount))
    return lambda credit: credit.remove_earned("o-1", back, key=key, **WHO)


def _grant(shop: Shop) -> Act:
    return refer("anna")


def _grant_up_to_a_ceiling(shop: Shop) -> Act:
    refer("carl")(shop.credit)
    return refer("anna")


def _earn(shop: Shop) -> Act:
    return order()


def _remove_earned(shop: Shop) -> Act:
    order()(shop.credit)
    return remove("a", "15.00", "r1")


def _remove_what_is_spent(shop: Shop) -> Act:
    shop.credit.set_limit("anna", POINTS, "unlimited", key="limit")
    order()(shop.credit)
    shop.credit.redeem("anna", Money.of_minor(80, POINTS), key="spend")
    remove("a", "15.00", "r1")(shop.credit)
    return remove("a", "45.00", "r2")


def _top_up(shop: Shop) -> Act:
    return pay()


def _refund_top_up(shop: Shop) -> Act:
    pay()(shop.credit)
    shop.credit.redeem("anna", usd("2.00"), key="spend")
    return lambda credit: credit.refund_top_up("pay-1", **WHO)


PLAYS: dict[str, Play] = {
    play.__name__.strip("_").replace("_", " "): play
    for play in (
        *(_grant, _grant_up_to_a_ceiling, _earn, _remove_earned, _remove_what_is_spent),
        *(_top_up, _refund_top_up),
    )
}
KINDS = ("grant", "grant-tally", "earning", "top-up")

# --- What is left -------------------------------------------------------------------------


def set_up(play: Play, storage: Storage) -> tuple[Shop, Act]:
    shop = Shop(storage, ACME)
    return shop, play(shop)


def kept(shop: Shop) -> str:
    """Everything, byte by byte."""
    return shop.kept(holders=("anna", "ben", "carl"), kinds=KINDS)


def seen(shop: Shop) -> Any:
    """What there is, without what a step that is tried again draws anew: wallets and their ids."""
    views = [
        [
            (str(view.unit.code), view.version, view.available, view.owed, len(view.lots))
            for view in shop.credit.wallet(holder).accounts
        ]
        for holder in ("anna", "ben", "carl")
    ]
    with shop.storage.snapshot() as reader:
        rows = [(kind, len(reader.records(shop.merchant.id, kind))) for kind in KINDS]
    return views, rows


def rehearsed(play: Play) -> tuple[list[Fault], Any]:
    """The faults of a play, and what it comes to without one."""
    shop, act = set_up(play, MemoryStorage())
    faulty = FaultyStorage(shop.storage)
    act(shop.at(faulty))
    return list(every_fault(faulty.steps)), seen(shop)


@pytest.mark.parametrize("name", PLAYS)
def test_p4_a_fault_at_any_storage_step_leaves_all_or_nothing_and_the_repeat_ends_alike(
    name: str,
) -> None:
    faults, whole = rehearsed(PLAYS[name])
    assert len(faults) >= 8, "the verb asked next to nothing of the storage"
    for fault in faults:
        case = f"{name}: {fault.mode} step {fault.number}"
        shop, act = set_up(PLAYS[name], MemoryStorage())
        before = kept(shop)
        with pytest.raises(InjectedFault):
            act(shop.at(FaultyStorage(shop.storage, [fault])))
        left = kept(shop)
        committed = fault.mode is Mode.AFTER_COMMIT
        assert (left == before) is not committed, f"{case}: half done, or not undone"
        assert shop.credit.verify().ok, f"{case}: what is left does not verify"
        first = act(shop.credit)
        assert first.replayed is committed, case
        if committed:
            assert kept(shop) == left, f"{case}: the repeat did it a second time"
        assert seen(shop) == whole, f"{case}: the repeat led elsewhere"
        done = kept(shop)
        again = act(shop.credit)
        assert (again, again.replayed, kept(shop)) == (first, True, done), case
        assert shop.credit.verify().ok, case


def busy(step: Step, mode: Mode) -> BaseException:
    return ConcurrentChange(f"an account, {mode} {step}", 1)


@pytest.mark.parametrize("name", PLAYS)
def test_s5_a_conflict_at_any_storage_step_is_tried_again_and_ends_alike(name: str) -> None:
    shop, act = set_up(PLAYS[name], MemoryStorage())
    faulty = FaultyStorage(shop.storage)
    act(shop.at(faulty))
    whole, writing, steps = seen(shop), False, []
    for step in faulty.steps:
        # A mere reading is not tried again.
        if step.name in {"transaction", "snapshot"}:
            writing = step.name == "transaction"
        if writing:
            steps.append(step)
    assert len(steps) >= 3
    for fault in every_fault(steps, error=busy):
        shop, act = set_up(PLAYS[name], MemoryStorage())
        act(shop.at(FaultyStorage(shop.storage, [fault])))
        assert seen(shop) == whole, f"{name}: {fault.mode} step {fault.number}"
        assert shop.credit.verify().ok


# --- On every storage ---------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite", "sql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
    elif request.param == "sqlite":
        file = SQLiteStorage(tmp_path / "shop.db")
        yield file
        file.close()
    else:
        sa = pytest.importorskip("sqlalchemy")
        from storecredit.storage.sql import SQLStorage, create

        engine = sa.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
        create(engine)
        own = SQLStorage(engine)
        yield own
        own.close()
        engine.dispose()


@pytest.mark.parametrize("name", PLAYS)
def test_s1_every_storage_comes_to_the_same(name: str, storage: Storage) -> None:
    _, whole = rehearsed(PLAYS[name])
    shop, act = set_up(PLAYS[name], storage)
    first = act(shop.credit)
    assert seen(shop) == whole
    done = kept(shop)
    again = act(shop.credit)
    assert (again, again.replayed, kept(shop)) == (first, True, done)
    assert shop.credit.verify().ok


@pytest.mark.parametrize("name", PLAYS)
def test_s1_a_fault_on_any_storage_leaves_all_or_nothing(name: str, storage: Storage) -> None:
    """Late faults, when most is done; all others on a storage in memory."""
    faults, whole = rehearsed(PLAYS[name])
    # One fault for each merchant, so that they do not meet.
    for number, fault in enumerate(faults[-6:]):
        merchant = Merchant(id=f"shop {number}", units=(POINTS,))
        shop = Shop(storage, merchant)
        act = PLAYS[name](shop)
        before = kept(shop)
        with pytest.raises(InjectedFault):
            act(shop.at(FaultyStorage(storage, [fault])))
        committed = fault.mode is Mode.AFTER_COMMIT
        assert (kept(shop) == before) is not committed, f"{fault.mode} step {fault.number}"
        assert act(shop.credit).replayed is committed
        assert seen(shop) == whole
        assert shop.credit.verify().ok
