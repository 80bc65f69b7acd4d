"""A fault at every storage step of every step of a checkout: all of it or nothing, once (T5, S1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from storecredit.errors import ConcurrentChange, PaymentHoldLost
from storecredit.ledger import Limits
from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage
from storecredit.tenders import (
    External,
    Order,
    OrderLine,
    PaymentPlan,
    Price,
    RefundItem,
    RefundPlan,
    RefundRequest,
    RefundRules,
)
from storecredit.testing import FaultyStorage, InjectedFault, every_fault
from storecredit.testing.contract.scene import Shop
from storecredit.testing.faults import Fault, Mode, Step
from storecredit.testing.tender_strategies import ACME, pts, usd
from storecredit.values import Period

HOLDERS = ("anna", "ben")
Act = Callable[[StoreCredit], Any]
Play = Callable[[Shop], Act]


# --- The scene: an order of three lines, paid from three accounts and a card --------------


def cart(*, shirts: int = 900) -> Order:
    lines = [
        OrderLine("shirt", Price.of(usd(shirts), pts(50)), category="clothes", quantity=3),
        OrderLine("book", Price.of(usd(700)), category="books"),
        OrderLine("post", Price.of(usd(300)), kind="shipping"),
    ]
    return Order("o-1", lines)


def stocked(shop: Shop) -> None:
    credit = shop.credit
    books = Limits(categories=("books",))
    credit.issue("anna", usd(400), funding="promotional", limits=books, key="a1")
    credit.issue("anna", usd(300), funding="refund", expires=Period(hours=10), key="a2")
    credit.issue("anna", pts(30), funding="earned", key="a3")
    credit.issue("anna", pts(40), funding="earned", key="a4")
    credit.issue("ben", usd(500), funding="refund", key="b1")


def planned(shop: Shop, *, shirts: int = 900) -> PaymentPlan:
    credit = shop.credit
    return credit.plan_payment(
        cart(shirts=shirts),
        [
            credit.tender("points", "anna", "PTS"),
            credit.tender("balance", "anna", "USD"),
            credit.tender("company", "ben", "USD"),
            External("card"),
        ],
    )


def begun(shop: Shop) -> None:
    stocked(shop)
    shop.credit.begin_checkout(planned(shop), key="begin")


def charged(shop: Shop) -> None:
    begun(shop)
    checkout = shop.credit.checkout("o-1")
    checkout.charge("card", key="ch-1")
    checkout.settle_charge("ch-1", "confirmed")


def shipped(shop: Shop) -> None:
    charged(shop)
    shop.credit.checkout("o-1").capture(["book"], key="parcel 1")


def completed(shop: Shop) -> None:
    shipped(shop)
    shop.credit.checkout("o-1").complete(key="parcel 2")


def refunding(shop: Shop) -> RefundPlan:
    request = RefundRequest(items=[RefundItem("shirt", quantity=1), RefundItem("book")])
    rules = RefundRules(tenders="proportional", closed={"company"})
    return shop.credit.checkout("o-1").plan_refund(request, rules=rules)


def refunded(shop: Shop) -> None:
    completed(shop)
    plan = refunding(shop)
    shop.credit.checkout("o-1").refund(plan, key="return 1", holder="ben")


# --- The steps ----------------------------------------------------------------------------


def _begin(shop: Shop) -> Act:
    stocked(shop)
    plan = planned(shop)
    return lambda credit: credit.begin_checkout(plan, key="begin")


def _replan(shop: Shop) -> Act:
    begun(shop)
    plan = planned(shop, shirts=0)
    return lambda credit: credit.checkout("o-1").replan(plan, key="fewer")


def _begin_again(shop: Shop) -> Act:
    begun(shop)
    shop.credit.checkout("o-1").cancel(key="off")
    plan = planned(shop)
    return lambda credit: credit.begin_checkout(plan, key="again")


def _charge(shop: Shop) -> Act:
    begun(shop)
    return lambda credit: credit.checkout("o-1").charge("card", key="ch-1")


def _settle_charge(shop: Shop) -> Act:
    begun(shop)
    shop.credit.checkout("o-1").charge("card", key="ch-1")
    return lambda credit: credit.checkout("o-1").settle_charge("ch-1", "confirmed")


def _give_back(shop: Shop) -> Act:
    charged(shop)
    shop.credit.checkout("o-1").cancel(key="off")
    (stranded,) = shop.credit.checkout("o-1").stranded
    return lambda credit: credit.checkout("o-1").give_back("ch-1", stranded.total)


def _capture(shop: Shop) -> Act:
    charged(shop)
    return lambda credit: credit.checkout("o-1").capture(["book"], key="parcel 1")


def _complete(shop: Shop) -> Act:
    shipped(shop)
    return lambda credit: credit.checkout("o-1").complete(key="parcel 2")


def _complete_at_once(shop: Shop) -> Act:
    charged(shop)
    # A lot has expired since it was held: it is spent all the same (A6).
    shop.clock.advance(dt.timedelta(hours=23))
    return lambda credit: credit.checkout("o-1").complete(key="done")


def _cancel(shop: Shop) -> Act:
    charged(shop)
    return lambda credit: credit.checkout("o-1").cancel(key="off")


def _cancel_the_rest(shop: Shop) -> Act:
    shipped(shop)
    return lambda credit: credit.checkout("o-1").cancel(key="off")


def _refund(shop: Shop) -> Act:
    completed(shop)
    shop.clock.advance(dt.timedelta(hours=40))
    plan = refunding(shop)
    return lambda credit: credit.checkout("o-1").refund(plan, key="return 1", holder="ben")


def _refund_again(shop: Shop) -> Act:
    refunded(shop)
    checkout = shop.credit.checkout("o-1")
    plan = checkout.plan_refund(RefundRequest.of_everything(checkout.payment))
    return lambda credit: credit.checkout("o-1").refund(plan, key="return 2")


def _settle_refund(shop: Shop) -> Act:
    refunded(shop)
    return lambda credit: credit.checkout("o-1").settle_refund("return 1", "card", "failed")


def _lose_a_hold(shop: Shop) -> Act:
    charged(shop)
    shop.credit.release_order("ben", "o-1", key="by hand")

    def act(credit: StoreCredit) -> None:
        # Two transactions: what has to be captured is found gone, and then that is recorded.
        with pytest.raises(PaymentHoldLost):
            credit.checkout("o-1").complete(key="done")

    return act


PLAYS: dict[str, Play] = {
    play.__name__.strip("_").replace("_", " "): play
    for play in (
        *(_begin, _replan, _begin_again, _charge, _settle_charge, _give_back),
        *(_capture, _complete, _complete_at_once, _cancel, _cancel_the_rest),
        *(_refund, _refund_again, _settle_refund),
    )
}


# --- What is left -------------------------------------------------------------------------


def set_up(play: Play) -> tuple[Shop, Act]:
    shop = Shop(MemoryStorage(), ACME)
    return shop, play(shop)


def kept(shop: Shop) -> str:
    """Everything, byte by byte: each run has the same ids and instants."""
    return shop.kept(holders=HOLDERS, kinds=("payment",))


def seen(shop: Shop) -> Any:
    """What there is, without salts and digests, which a step that is tried again draws anew."""
    accounts = [
        shop.whole(h, unit=u) for h, u in (("anna", "USD"), ("anna", "PTS"), ("ben", "USD"))
    ]
    rows = [
        (
            account.version,
            dict(account.totals),
            [lot.to_json() for lot in account.lots.values()],
            [hold.to_json() for hold in account.holds.values()],
            account.restored,
        )
        for account in accounts
    ]
    return rows, shop.credit.checkout("o-1").record


def rehearsed(play: Play) -> tuple[list[Fault], Any]:
    """The faults of a play, and what it comes to without one."""
    shop, act = set_up(play)
    faulty = FaultyStorage(shop.storage)
    act(shop.at(faulty))
    return list(every_fault(faulty.steps)), seen(shop)


@pytest.mark.parametrize("name", PLAYS)
def test_t5_a_fault_at_any_storage_step_leaves_all_or_nothing_and_the_repeat_ends_alike(
    name: str,
) -> None:
    faults, whole = rehearsed(PLAYS[name])
    assert len(faults) >= 8, "the step asked next to nothing of the storage"
    for fault in faults:
        case = f"{name}: {fault.mode} step {fault.number}"
        shop, act = set_up(PLAYS[name])
        before = kept(shop)
        with pytest.raises(InjectedFault):
            act(shop.at(FaultyStorage(shop.storage, [fault])))
        left = kept(shop)
        committed = fault.mode is Mode.AFTER_COMMIT
        assert (left == before) is not committed, f"{case}: half done, or not undone"
        assert shop.credit.verify().ok, f"{case}: what is left does not verify"
        act(shop.credit)
        if committed:
            assert kept(shop) == left, f"{case}: the repeat did it a second time"
        assert seen(shop) == whole, f"{case}: the repeat led elsewhere"
        act(shop.at(shop.storage))
        assert seen(shop) == whole, f"{case}: a third time had an effect"
        assert shop.credit.verify().ok, case


def test_t5_a_hold_that_is_found_lost_is_recorded_once_wherever_a_fault_strikes() -> None:
    faults, whole = rehearsed(_lose_a_hold)
    for fault in faults:
        case = f"{fault.mode} step {fault.number}"
        shop, act = set_up(_lose_a_hold)
        before = kept(shop)
        with pytest.raises(InjectedFault):
            act(shop.at(FaultyStorage(shop.storage, [fault])))
        if kept(shop) != before:
            assert fault.mode is Mode.AFTER_COMMIT, f"{case}: half done"
            assert seen(shop) == whole, case
        else:
            act(shop.credit)
            assert seen(shop) == whole, f"{case}: the repeat led elsewhere"
        assert shop.credit.verify().ok, case


def busy(step: Step, mode: Mode) -> BaseException:
    return ConcurrentChange(f"an account, {mode} {step}", 1)


@pytest.mark.parametrize("name", PLAYS)
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
        act(shop.at(FaultyStorage(shop.storage, [fault])))
        assert seen(shop) == whole, f"{name}: {fault.mode} step {fault.number}"
        assert shop.credit.verify().ok
