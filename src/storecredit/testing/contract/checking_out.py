"""Duty 10: the record of a checkout and the entries of all accounts live or die together (T5)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs
import pytest

from storecredit.errors import PlanOutdated
from storecredit.service import StoreCredit
from storecredit.service.checkout import Checkout
from storecredit.tenders import (
    External,
    Order,
    OrderLine,
    PaymentPlan,
    PaymentState,
    Price,
    RefundRequest,
    RefundRules,
    plan_refund,
)
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.races import PATIENCE, a_moment
from storecredit.testing.contract.scene import POINTS, Shop, usd
from storecredit.testing.contract.threads import at_once
from storecredit.testing.faults import (
    COMMIT,
    Fault,
    FaultyStorage,
    InjectedFault,
    Mode,
    every_fault,
)
from storecredit.values import Money

RACERS: Final = 4
TELLING: Final = frozenset({"put", "append", COMMIT})
"""The steps at which a storage is told something."""

Step = Callable[[StoreCredit, PaymentPlan], object]


def _refund(credit: StoreCredit, _: PaymentPlan) -> None:
    checkout = credit.checkout("order 1")
    # Planned as before anything was returned: a repeat brings the same plan.
    paid = attrs.evolve(checkout.payment, returns=())
    rules = RefundRules(tenders="proportional")
    plan = plan_refund(paid, RefundRequest.of_lines({"shirt": 1}), rules=rules)
    checkout.refund(plan, key="return 1")


STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        "begin": lambda credit, plan: credit.begin_checkout(plan, key="begin"),
        "charge": lambda credit, _: credit.checkout("order 1").charge("card", key="charge 1"),
        "settle": lambda credit, _: credit.checkout("order 1").settle_charge(
            "charge 1", "confirmed"
        ),
        "capture": lambda credit, _: credit.checkout("order 1").capture(["book"], key="parcel 1"),
        "complete": lambda credit, _: credit.checkout("order 1").complete(key="parcel 2"),
        "refund": _refund,
        "settle refund": lambda credit, _: credit.checkout("order 1").settle_refund(
            "return 1", "card", "confirmed"
        ),
    }
)
"""The whole life of an order's payment, step by step; each may be repeated."""


class CheckoutDuties(Duties):
    """A payment is a record and entries of several accounts, never the one without the others."""

    def test_t5_a_checkout_over_two_accounts_goes_on_after_every_restart(self) -> None:
        storage = self.fresh()
        plan = planned(stocked(Shop(storage)))
        for name, step in STEPS.items():
            step(Shop(storage).credit, plan)
            before = kept(Shop(storage))
            storage = self.reopened(storage)
            assert kept(Shop(storage)) == before, f"{name}: it is not there as it was"
            step(Shop(storage).credit, plan)
            assert kept(Shop(storage)) == before, f"{name}: its repeat had an effect"
        shop = Shop(storage)
        checkout = shop.credit.checkout("order 1")
        assert checkout.state is PaymentState.COMPLETED
        assert (checkout.charges, checkout.stranded, checkout.refunds_due) == ((), (), ())
        # Of 10.00 and 900 points the order took all and 600; one of its three shirts is back.
        assert amounts(shop) == {"USD": (200, 0), "PTS": (500, 0)}
        assert checkout.payment.returned["USD"] == usd("4.00")
        assert shop.credit.verify().ok

    @pytest.mark.parametrize("name", ["begin", "capture", "complete", "refund"])
    def test_t5_a_fault_leaves_the_record_and_all_entries_or_neither(self, name: str) -> None:
        storage = self.fresh()
        faulty = FaultyStorage(storage)
        shop = Shop(storage, "rehearsal")
        STEPS[name](shop.at(faulty), told(shop, name))
        whole = amounts(shop), shop.credit.checkout("order 1").state
        telling = [step for step in faulty.steps if step.name in TELLING]
        assert {step.name for step in telling} == TELLING, "the record or the entries were not told"
        numbers = {step.number for step in telling}
        for number, fault in enumerate(every_fault(faulty.steps)):
            if is_at_commit(fault) or fault.number in numbers:
                case = f"{name}: {fault.mode} step {fault.number}"
                shop = Shop(storage, f"shop {number}")
                plan = told(shop, name)
                before = kept(shop)
                with pytest.raises(InjectedFault):
                    STEPS[name](shop.at(FaultyStorage(storage, [fault])), plan)
                committed = fault.mode is Mode.AFTER_COMMIT
                assert (kept(shop) == before) is not committed, f"{case}: half done, or not undone"
                STEPS[name](shop.credit, plan)
                again = amounts(shop), shop.credit.checkout("order 1").state
                assert again == whole, f"{case}: the repeat led elsewhere"
                assert shop.credit.verify().ok, case

    def test_t5_of_plans_for_the_same_lots_one_is_begun(self) -> None:
        shop = Shop(self.fresh(), attempts=PATIENCE, sleep=a_moment)
        stocked(shop)
        plans = [planned(shop, order=f"order {racer}") for racer in range(RACERS)]

        def begin(plan: PaymentPlan) -> Callable[[], Any]:
            return lambda: shop.credit.begin_checkout(plan, key="begin")

        outcomes = at_once([begin(plan) for plan in plans])
        begun = [each for each in outcomes if isinstance(each, Checkout)]
        outdated = [each for each in outcomes if isinstance(each, PlanOutdated)]
        assert (len(begun), len(outdated)) == (1, RACERS - 1), outcomes
        assert amounts(shop) == {"USD": (0, 1000), "PTS": (300, 600)}
        assert [each.order for each in shop.credit.checkouts()] == [begun[0].order]
        assert shop.credit.verify().ok

    def test_t5_one_order_from_many_threads_is_begun_and_completed_once(self) -> None:
        shop = Shop(self.fresh(), attempts=PATIENCE, sleep=a_moment)
        plan = planned(stocked(shop))

        def pay() -> None:
            for name in ("begin", "charge", "settle", "complete"):
                STEPS[name](shop.credit, plan)

        raised = [each for each in at_once([pay] * RACERS) if isinstance(each, BaseException)]
        assert raised == []
        assert amounts(shop) == {"USD": (0, 0), "PTS": (300, 0)}
        for unit in ("USD", "PTS"):
            kinds = [entry.kind for entry in shop.entries("anna", unit=unit)]
            assert kinds == ["issue", "issue", "hold", "capture_part"]
        record = shop.credit.checkout("order 1").record
        assert [len(record.begun), len(record.charges), len(record.captures)] == [1, 1, 1]
        assert shop.credit.verify().ok

    def test_t5_checkouts_are_listed_by_the_state_that_they_are_in_now(self) -> None:
        storage = self.fresh()
        shop, other = stocked(Shop(storage)), stocked(Shop(storage, "zeta"))
        other.credit.begin_checkout(planned(other, order="order 0"), key="begin")
        for name in ("order 3", "order 1", "order 2"):
            shop.credit.begin_checkout(planned(shop, order=name, card_only=True), key="begin")
        assert listed(shop, "held") == ["order 1", "order 2", "order 3"]
        shop.credit.checkout("order 2").cancel(key="off")
        for step in ("charge", "settle", "complete"):
            STEPS[step](shop.credit, planned(shop))
        assert listed(shop, "held") == ["order 3"]
        assert (listed(shop, "cancelled"), listed(shop, "completed")) == (["order 2"], ["order 1"])
        assert listed(shop, "charging") == listed(shop, "planned") == []
        assert listed(shop, None) == ["order 1", "order 2", "order 3"]
        again = planned(shop, order="order 2", card_only=True)
        shop.credit.begin_checkout(again, key="begin again")
        assert (listed(shop, "cancelled"), listed(shop, "held")) == ([], ["order 2", "order 3"])
        assert listed(other, "held") == ["order 0"]


def stocked(shop: Shop) -> Shop:
    """Give anna two lots in each of two units."""
    for number, (dollars, points) in enumerate((("4.00", 400), ("6.00", 500))):
        shop.credit.issue("anna", usd(dollars), funding="refund", key=f"usd {number}")
        amount = Money.of_minor(points, POINTS)
        shop.credit.issue("anna", amount, funding="earned", key=f"pts {number}")
    return shop


def planned(shop: Shop, *, order: str = "order 1", card_only: bool = False) -> PaymentPlan:
    """Plan an order of three shirts and a book, paid with points, with dollars, and by card."""
    credit = shop.credit
    shirts = Price.of(usd("12.00"), Money.of_minor(600, POINTS))
    if card_only:
        shirts = Price.of(usd("12.00"))
    lines = [OrderLine("shirt", shirts, quantity=3), OrderLine("book", usd("8.00"))]
    wallets = [credit.tender("balance", "anna", "USD"), credit.tender("points", "anna", POINTS)]
    return credit.plan_payment(
        Order(order, lines), [*([] if card_only else wallets), External("card")]
    )


def told(shop: Shop, name: str) -> PaymentPlan:
    """Take all steps before the one with that *name*, and return the plan."""
    plan = planned(stocked(shop))
    for each, step in STEPS.items():
        if each == name:
            break
        step(shop.credit, plan)
    return plan


def is_at_commit(fault: Fault) -> bool:
    """Tell whether a fault strikes a commit: those are counted by themselves."""
    return fault.mode in (Mode.AT_COMMIT, Mode.AFTER_COMMIT)


def kept(shop: Shop) -> str:
    """Return everything that is kept of the merchant, payments included."""
    return shop.kept(kinds=("payment",))


def amounts(shop: Shop) -> dict[str, tuple[int, int]]:
    """Return what anna has available and held, by unit."""
    return {
        account.unit.code: (account.available.minor, account.held.minor)
        for account in shop.credit.wallet("anna").accounts
    }


def listed(shop: Shop, state: str | None) -> list[str]:
    """Return the orders whose payment is in that state."""
    return [checkout.order for checkout in shop.credit.checkouts(state=state)]
