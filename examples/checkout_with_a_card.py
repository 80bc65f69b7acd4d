"""
A checkout over points and a card whose processor declines, times out and answers late.

Each story is told once without a mishap, and then once for each of its steps with a process that
dies right after that step. A new process then runs the very same code from the top, and has nothing
but the database file. All tellings have to end alike; and at the end the records of the payments,
the books of the processor and the ledger have to agree to the cent and to the point. Only then is
the exit status 0.
"""

import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storecredit import (
    AlreadyPaid,
    Balance,
    Checkout,
    CustomUnit,
    External,
    Merchant,
    Money,
    Order,
    OrderLine,
    Price,
    RefundRequest,
    RefundRules,
    StoreCredit,
)
from storecredit.errors import PaymentHoldLost, PlanOutdated
from storecredit.storage import SQLiteStorage
from storecredit.tenders import Answer, Destination, PaymentState
from storecredit.testing import SettableClock

PTS = CustomUnit("PTS", 0)
MERCHANT = Merchant(id="acme", units=[PTS])
ATTEMPTS = 2
LEFT_LYING = (PaymentState.PLANNED, PaymentState.HELD, PaymentState.CHARGING)
ONE_SHIRT = RefundRequest.of_lines({"shirt": 1})


# --- The world outside -----------------------------------------------------------------------


class TimedOut(Exception):
    """No answer came. The money may have moved, or not."""


class Processor:
    """
    A card processor: what it is asked twice under one key it does once, and it keeps books.

    A script says how it takes the requests of an order, one after the other.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, list[str]] = {}
        self.charges: dict[str, tuple[str, Money]] = {}
        self.refunds: dict[str, tuple[str, Money]] = {}

    def charge(self, key: str, amount: Money) -> str:
        return self._take(self.charges, key, amount)

    def refund(self, key: str, amount: Money) -> str:
        return self._take(self.refunds, key, amount)

    def look_up(self, key: str) -> str | None:
        """Return what has become of a request; None for one that never arrived."""
        return {**self.charges, **self.refunds}.get(key, (None, None))[0]

    def confirm_at_last(self, key: str) -> None:
        self.charges[key] = ("confirmed", self.charges[key][1])

    def keeps(self, order: str) -> Money:
        """Return what it has charged for an order and not given back."""
        charged, refunded = (
            [
                amount
                for key, (said, amount) in book.items()
                if said == "confirmed" and of(key) == order
            ]
            for book in (self.charges, self.refunds)
        )
        return Money.total(charged, "USD") - Money.total(refunded, "USD")

    def _take(self, book: dict[str, tuple[str, Money]], key: str, amount: Money) -> str:
        if key not in book:
            script = self.scripts[of(key)]
            how = script.pop(0) if script else "confirms"
            if how == "is not reached":
                raise TimedOut
            book[key] = ({"declines": "failed", "waits": "pending"}.get(how, "confirmed"), amount)
            if how == "times out":
                raise TimedOut
        return book[key][0]


def of(key: str) -> str:
    """Return the order that a key is about."""
    return key.partition("/")[0]


# --- The shop --------------------------------------------------------------------------------


class Died(Exception):
    """The process is gone, right after this step."""


class Shop:
    """One process of the shop: it knows the database file, the processor and the time."""

    def __init__(self, path: Path, card: Processor, clock: SettableClock, *, lives: int) -> None:
        self.credit = StoreCredit(SQLiteStorage(path), merchant=MERCHANT, clock=clock)
        self.card, self.clock = card, clock
        self.lives, self.steps = lives, 0

    def step(self, what: str) -> None:
        self.steps += 1
        if self.steps == self.lives:
            self.credit.storage.close()
            raise Died(what)

    def begin(self, order: Order) -> Checkout:
        """Return the order's checkout; plan and hold where that is still, or again, to be done."""
        while True:
            paid: tuple[AlreadyPaid, ...] = ()
            number = 0
            checkout = self.credit.find_checkout(order.id)
            if checkout is not None:
                if checkout.state is not PaymentState.PLANNED:
                    return checkout
                paid, number = checkout.paid_already, len(checkout.record.begun)
            points = self.credit.tender("points", buyer(order.id), PTS)
            plan = self.credit.plan_payment(order, [*paid, points, External("card")])
            try:
                checkout = self.credit.begin_checkout(plan, key=f"{order.id}/begin-{number}")
            except PlanOutdated:
                continue  # the account was used between looking and holding: look again
            self.step("the points are held")
            return checkout

    def charge(self, checkout: Checkout) -> None:
        """Charge the card, twice at most. What has happened before happens only once."""
        for attempt in range(1, ATTEMPTS + 1):
            key = f"{checkout.order}/charge-{attempt}"
            amount = checkout.charge("card", key=key)
            self.step("the charge is recorded")
            answer = self.ask(self.card.charge, key, amount)
            checkout.settle_charge(key, answer)
            self.step("the answer is recorded")
            if answer != "failed":
                return

    def ask(self, request: Callable[[str, Money], str], key: str, amount: Money) -> str:
        """Ask the processor; where no answer comes, ask what has become of the request."""
        try:
            answer = request(key, amount)
        except TimedOut:
            answer = self.card.look_up(key) or request(key, amount)
        self.step("the processor has answered")
        return answer

    def hear(self, checkout: Checkout) -> None:
        """Ask what has become of the charges that nobody has an answer about."""
        for charge in checkout.pending:
            checkout.settle_charge(charge.id, self.card.look_up(charge.id) or "pending")
            self.step("the late answer is recorded")

    def complete(self, order: Order, checkout: Checkout) -> None:
        try:
            checkout.complete(key=f"{order.id}/complete")
        except PaymentHoldLost:
            self.step("the loss of the hold is recorded")
            self.begin(order).complete(key=f"{order.id}/complete")
        self.step("the points are spent")

    def cancel(self, checkout: Checkout) -> None:
        checkout.cancel(key=f"{checkout.order}/cancel")
        self.step("everything is released")

    def give_back(self, checkout: Checkout) -> None:
        """Let the processor give back what pays for nothing, and what refunds ask of it."""
        checkout.reload()
        for each in checkout.stranded:
            self.ask(self.card.refund, each.key, each.amount)
            checkout.give_back(each.charge, each.total)
            self.step("it is recorded that the charge was given back")
        for due in checkout.refunds_due:
            answer = self.ask(self.card.refund, due.key, due.amount)
            checkout.settle_refund(due.refund, due.tender, answer)
            self.step("the answer to the refund is recorded")

    def refund(
        self, checkout: Checkout, request: RefundRequest, rules: RefundRules, key: str
    ) -> None:
        if checkout.record.returned(key) is None:
            checkout.refund(checkout.plan_refund(request, rules=rules), key=key)
            self.step("the points are back")
        self.give_back(checkout)


def buyer(order: str) -> str:
    return f"buyer of {order}"


# --- The stories -----------------------------------------------------------------------------


def pays(shop: Shop, order: Order) -> None:
    checkout = shop.begin(order)
    shop.charge(checkout)
    shop.complete(order, checkout)


def gives_up(shop: Shop, order: Order) -> None:
    checkout = shop.begin(order)
    shop.charge(checkout)
    shop.cancel(checkout)


def leaves_too_early(shop: Shop, order: Order) -> None:
    gives_up(shop, order)
    shop.card.confirm_at_last(f"{order.id}/charge-1")
    checkout = shop.credit.checkout(order.id)
    shop.hear(checkout)
    shop.give_back(checkout)


def waits_too_long(shop: Shop, order: Order) -> None:
    checkout = shop.begin(order)
    shop.charge(checkout)
    if shop.card.look_up(f"{order.id}/charge-1") == "pending":
        shop.clock.advance(timedelta(hours=25))  # and a hold lives for 24
        shop.card.confirm_at_last(f"{order.id}/charge-1")
    shop.hear(checkout)
    shop.complete(order, checkout)


def returns_a_third(shop: Shop, order: Order) -> None:
    pays(shop, order)
    checkout = shop.credit.checkout(order.id)
    shop.refund(checkout, ONE_SHIRT, RefundRules(), f"{order.id}/rma")
    failed = checkout.record.returned(f"{order.id}/rma")
    if failed is None or failed.failed != ("card",):
        raise RuntimeError("this story is about a card that takes nothing back")
    again = RefundRequest.of_failed(failed)
    shop.refund(checkout, again, RefundRules(closed={"card"}), f"{order.id}/rma-as-credit")


STORIES: list[tuple[str, Callable[[Shop, Order], None], list[str]]] = [
    ("the card pays", pays, []),
    ("declined once", pays, ["declines"]),
    ("declined for good", gives_up, ["declines", "declines"]),
    ("no answer comes, and it has charged", pays, ["times out"]),
    ("no answer comes, and it has not", pays, ["is not reached"]),
    ("late, and the customer has left", leaves_too_early, ["waits"]),
    ("late, and the hold has lapsed", waits_too_long, ["waits"]),
    ("a third returned", returns_a_third, ["confirms", "declines"]),
]


def tell(
    story: Callable[[Shop, Order], None],
    order: Order,
    dies_after: int,
    open_shop: Callable[[int], Shop],
) -> tuple[str | None, int]:
    """Tell a story, again if its process dies; return where it died, and the number of steps."""
    shop = open_shop(0)
    for number, amount in enumerate((300, 400)):
        key = f"{order.id}/points-{number}"
        shop.credit.issue(buyer(order.id), Money.of(amount, PTS), funding="earned", key=key)
    shop.credit.storage.close()
    died = None
    shop = open_shop(dies_after)
    try:
        story(shop, order)
    except Died as death:
        died = str(death)
        shop = open_shop(0)
        story(shop, order)
    shop.credit.storage.close()
    return died, shop.steps


# --- The reckoning ---------------------------------------------------------------------------


def ending(credit: StoreCredit, card: Processor, order: str) -> str:
    """Say how a story has ended, for everybody."""
    wallet = credit.wallet(buyer(order))
    state = credit.checkout(order).state.value
    return f"{state}, {wallet.available} to spend, {card.keeps(order)} on the card"


def agrees(credit: StoreCredit, card: Processor, checkout: Checkout) -> bool:
    """Tell whether record, processor and ledger say the same about an order."""
    payment = checkout.payment
    paid: dict[str, Money] = {}
    for part in payment.parts:
        paid[part.tender] = paid.get(part.tender, Money.zero(part.amount.unit)) + part.amount
    new = list[Money]()
    for returned in payment.returns:
        for back in returned.parts:
            if back.to is Destination.CREDIT:
                new.append(back.amount)
            elif returned.answer_of(back.tender) is Answer.CONFIRMED:
                paid[back.tender] -= back.amount
    points = paid.pop("points", Money.zero(PTS))
    wallet = credit.wallet(buyer(checkout.order))
    return (
        Money.total(paid.values(), "USD") == card.keeps(checkout.order)
        and wallet.available == Balance.of(Money.of(700, PTS) - points, *new)
        and wallet.held.is_zero
        and not checkout.pending
        and not checkout.refunds_due
        and not checkout.stranded
    )


def main() -> int:
    card = Processor()
    clock = SettableClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    line = OrderLine("shirt", Price.of(Money.of(500, PTS), Money.of("20.00", "USD")), quantity=3)
    alike = True
    with tempfile.TemporaryDirectory() as folder:

        def open_shop(lives: int) -> Shop:
            return Shop(Path(folder) / "shop.db", card, clock, lives=lives)

        for number, (title, story, script) in enumerate(STORIES):
            order = Order(f"o{number}-0", [line])
            card.scripts[order.id] = list(script)
            _, steps = tell(story, order, 0, open_shop)
            reader = open_shop(0)
            plainly = ending(reader.credit, card, order.id)
            print(f"{title}: {plainly}")
            for dies_after in range(1, steps + 1):
                order = Order(f"o{number}-{dies_after}", [line])
                card.scripts[order.id] = list(script)
                died, _ = tell(story, order, dies_after, open_shop)
                same = ending(reader.credit, card, order.id) == plainly
                alike = alike and same and died is not None
                print(f"    died when {died}: {'the same end' if same else 'ANOTHER END'}")
            reader.credit.storage.close()

        credit = open_shop(0).credit
        checkouts = list(credit.checkouts())
        wrong = [each.order for each in checkouts if not agrees(credit, card, each)]
        lying = [each.order for state in LEFT_LYING for each in credit.checkouts(state=state)]
        verified = credit.verify()
        keeps = Money.total([card.keeps(each.order) for each in checkouts], "USD")
        print(f"{len(checkouts)} orders; left lying: {len(lying)}; that do not agree: {len(wrong)}")
        print(f"the processor keeps {keeps}; verified: {verified.ok}")
        credit.storage.close()
    return 0 if alike and verified.ok and not wrong and not lying else 1


if __name__ == "__main__":
    sys.exit(main())
