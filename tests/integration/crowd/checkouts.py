"""Processes that pay orders together: the same ones, their own, and until they are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import methodcaller
from typing import Any, TypeVar

from crowd.clients import Client
from storecredit import Money, StoreCredit
from storecredit.errors import (
    PaymentStepRefused,
    PaymentStepRepeated,
    PlanOutdated,
    UnknownPayment,
)
from storecredit.service import Checkout
from storecredit.storage.protocols import Storage
from storecredit.tenders import (
    External,
    Order,
    OrderLine,
    PaymentPlan,
    PaymentState,
    RefundRequest,
    RefundRules,
)

_T = TypeVar("_T")

Ready = Callable[[], None]

PAYS = ("anna", "ben")
"""Whose dollars pay an order, in this order; a card pays the rest."""
PRICES = {"coat": "5.00", "hat": "2.50"}
EVENLY = RefundRules(tenders="proportional")


def planned(credit: StoreCredit, order: str) -> PaymentPlan:
    """Plan an order of 7.50: at most 3.00 of anna, at most 2.00 of ben, and the rest by card."""
    lines = [OrderLine(name, Money.of(price, "USD")) for name, price in PRICES.items()]
    most = ("3.00", "2.00")
    wallets = [
        credit.tender(holder, holder, "USD", up_to=Money.of(amount, "USD"))
        for holder, amount in zip(PAYS, most, strict=True)
    ]
    return credit.plan_payment(Order(order, lines), [*wallets, External("card")])


class Payer:
    """One process that takes steps, each with a row of the host's where it is a host's."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name
        self.steps = self.saved = 0

    def take(self, act: Callable[[StoreCredit], _T]) -> _T:
        """Take a step; what a host saves with it has an id of its own."""
        self.steps += 1
        answer = self.client.do(act, order=f"{self.client.merchant}/{self.name}/{self.steps}")
        self.saved += 1
        return answer

    def begin(self, order: str) -> PaymentPlan | None:
        """Begin, with a plan of one's own; None where somebody else has begun."""
        while True:
            plan = planned(self.client.credit(), order)
            try:
                self.take(methodcaller("begin_checkout", plan, key=f"begin {order}"))
            except PlanOutdated:
                continue
            except PaymentStepRepeated:
                return None
            return plan

    def see(self, order: str) -> Checkout | None:
        """Look at an order; None where nobody has begun."""
        try:
            return self.client.credit().checkout(order)
        except UnknownPayment:
            return None

    def charge(self, order: str) -> None:
        """Charge what is to be charged, and let the processor confirm it."""

        def ask(credit: StoreCredit) -> None:
            checkout = credit.checkout(order)
            for each in checkout.charges:
                checkout.charge(each.tender, key=f"charge {order}", amount=each.amount)

        def hear(credit: StoreCredit) -> None:
            checkout = credit.checkout(order)
            if any(each.id == f"charge {order}" for each in checkout.record.charges):
                checkout.settle_charge(f"charge {order}", "confirmed")

        self.take(ask)
        self.take(hear)

    def end(self, order: str, *, way: str) -> None:
        """Complete or cancel."""

        def act(credit: StoreCredit) -> None:
            checkout = credit.checkout(order)
            if way == "cancel":
                checkout.cancel(key=f"cancel {order}")
            else:
                checkout.complete(key=f"complete {order}")

        self.take(act)

    def refund(self, order: str) -> None:
        """Give the hat back, half of it to the wallets."""

        def act(credit: StoreCredit) -> None:
            checkout = credit.checkout(order)
            if checkout.record.returned(f"return {order}") is None:
                plan = checkout.plan_refund(RefundRequest.of_lines(["hat"]), rules=EVENLY)
                checkout.refund(plan, key=f"return {order}")

        def hear(credit: StoreCredit) -> None:
            checkout = credit.checkout(order)
            for due in checkout.refunds_due:
                checkout.settle_refund(due.refund, due.tender, "confirmed")

        self.take(act)
        self.take(hear)


def pay_the_same_orders(
    ready: Ready, *, client: dict[str, Any], plans: Sequence[Any], name: str, way: str
) -> dict[str, Any]:
    """Begin each order with the plan and the keys that everybody has, and end it one's own way."""
    mine = Client(**client)
    mine.connect()
    payer, refused = Payer(mine, name), 0
    known = [PaymentPlan.from_json(plan) for plan in plans]
    ready()
    for plan in known:
        order = plan.order
        payer.take(methodcaller("begin_checkout", plan, key=f"begin {order}"))
        try:
            payer.charge(order)
            payer.end(order, way=way)
        except PaymentStepRefused:
            refused += 1
    return {"refused": refused, "saved": payer.saved}


def pay_own_orders(
    ready: Ready, *, client: dict[str, Any], orders: Sequence[str], name: str
) -> dict[str, Any]:
    """Begin orders of this process's own, and complete every second one, cancel the others."""
    mine = Client(**client)
    mine.connect()
    payer = Payer(mine, name)
    ready()
    for number, order in enumerate(orders):
        payer.begin(order)
        payer.charge(order)
        payer.end(order, way=("complete", "cancel")[number % 2])
    return {"saved": payer.saved}


def pay_until_killed(
    ready: Ready, *, client: dict[str, Any], orders: Sequence[str], name: str, dies_at: int | None
) -> dict[str, Any]:
    """Go on with every order from what is stored, whoever has begun it, until all are over."""
    mine = Mortal(Life(dies_at), **client)
    mine.connect()
    payer = Payer(mine, name)
    ready()
    for order in orders:
        while not is_over(payer, order):
            go_on(payer, order)
    return {"asked": mine.life.lived}


def is_over(payer: Payer, order: str) -> bool:
    """Tell whether nothing is left to do: orders with an odd number are cancelled."""
    checkout = payer.see(order)
    if checkout is None:
        return False
    if checkout.state is PaymentState.COMPLETED:
        return bool(checkout.record.returns) and not checkout.refunds_due
    return checkout.state is PaymentState.CANCELLED


def go_on(payer: Payer, order: str) -> None:
    """Take the next steps; who meets somebody else at them looks again."""
    checkout = payer.see(order)
    try:
        if checkout is None:
            payer.begin(order)
        elif checkout.state is PaymentState.COMPLETED:
            payer.refund(order)
        else:
            payer.charge(order)
            payer.end(order, way=("complete", "cancel")[int(order.rsplit(maxsplit=1)[-1]) % 2])
    except (PaymentStepRefused, PaymentStepRepeated):
        return


class Life:
    """How many things a process asks of its storage before it kills itself."""

    def __init__(self, dies_at: int | None) -> None:
        self.dies_at = dies_at
        self.lived = 0

    def on(self) -> None:
        """Live on, or not."""
        self.lived += 1
        if self.lived == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


class Mortal(Client):
    """A client that is killed before or after something that it asks of the storage."""

    def __init__(self, life: Life, **client: Any) -> None:
        super().__init__(**client)
        self.life = life

    def credit(self, bind: Any = None) -> StoreCredit:
        """Return the service on a storage that counts what is asked of it."""
        made = super().credit(bind)
        storage: Any = Counted(made.storage, self.life)
        return StoreCredit(storage, self.merchant, attempts=self.attempts)


class Counted:
    """A storage, and a life that goes on with everything that is asked of it."""

    def __init__(self, storage: Storage, life: Life) -> None:
        self.storage = storage
        self.life = life

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Begin to write; dying before the end of it undoes everything, after it nothing."""
        with self.storage.transaction() as work:
            yield CountedWork(work, self.life)
            self.life.on()
        self.life.on()

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        """Begin to read."""
        with self.storage.snapshot() as reader:
            yield reader

    def close(self) -> None:
        """Close the storage."""
        self.storage.close()


class CountedWork:
    """A unit of work; each call counts."""

    def __init__(self, work: Any, life: Life) -> None:
        self._work = work
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._work, name)

        def call(*args: Any, **named: Any) -> Any:
            answer = method(*args, **named)
            self._life.on()
            return answer

        return call
