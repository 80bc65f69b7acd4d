"""
A state machine over checkouts: every step at any time, in any order, twice, and by anybody (T5, T6).

What has to be true is kept in plain books beside it, by tender, lot and line: what was to be held,
what was charged, what was captured, what was returned. They know nothing of records or ledgers.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from storecredit.errors import (
    AccountFrozen,
    ChargeExceedsDue,
    ChargeOutstanding,
    ChargePending,
    GivesBackTooMuch,
    InsufficientCredit,
    InvalidTender,
    LotCannotGive,
    PaymentHoldLost,
    PaymentStepRefused,
    PaymentStepRepeated,
    PlanIncomplete,
    PlanOutdated,
    QuantityExceedsRest,
    RefundExceedsPaid,
    StoreCreditError,
)
from storecredit.ledger import AccountStatus, EntryKind, HoldId, Limits
from storecredit.ledger.account import INFLOWS, OUTFLOWS
from storecredit.ledger.move import What
from storecredit.service._checkout_desk import Desk
from storecredit.service._refund_desk import RefundDesk
from storecredit.service.checkout import Checkout
from storecredit.storage import MemoryStorage
from storecredit.tenders import (
    Coupon,
    Destination,
    External,
    LineKind,
    Order,
    OrderLine,
    PaymentPlan,
    PaymentRecord,
    Payout,
    PointsRule,
    RefundItem,
    RefundPart,
    RefundPlan,
    RefundRequest,
    RefundRules,
    Tender,
    TenderKind,
    TenderRule,
    record,
)
from storecredit.testing.contract.scene import Shop
from storecredit.testing.tender_strategies import ACME, orders, rates, usd
from storecredit.values import Balance, Money, Period, Unit

WALLETS = {"anna USD": ("anna", "USD"), "anna PTS": ("anna", "PTS"), "ben USD": ("ben", "USD")}
"""Who pays: the name of the tender, and of whose account in which unit it is."""
ORDERS = ("o-1", "o-2", "o-3")
NUMBERS = st.integers(0, 9)
WHO = {"actor": "clerk", "reason": "a reason"}
RULES = [rule for rule in TenderRule if rule is not TenderRule.BY_HAND]
GOING_ON, OVER = ("held", "partly"), ("partly", "done")

Sums = dict[Any, int]


def tally(pairs: Iterable[tuple[Any, int]]) -> Sums:
    """Add up, and leave out what comes to nothing."""
    found: Counter[Any] = Counter()
    for name, amount in pairs:
        found[name] += amount
    return {name: total for name, total in found.items() if total}


def name_of(part: Any) -> tuple[Any, ...]:
    """What the parts of a plan and those of its refunds have in common."""
    return (part.tender, part.lot, part.line, part.covers.unit)


# --- The books ------------------------------------------------------------------------


@attrs.define
class Charged:
    """One charge, as the host and its processor know it."""

    tender: str
    amount: Money
    number: int
    """Under which plan."""
    answer: str = "pending"
    given_back: int = 0

    @property
    def kept(self) -> int:
        return self.amount.minor - self.given_back


@attrs.define
class Refunded:
    """One refund."""

    plan: RefundPlan
    asked: tuple[str, ...]
    """The external tenders that have to give something back."""
    answers: dict[str, str] = attrs.field(factory=dict)

    def counted(self) -> list[RefundPart]:
        """What is returned, or reserved until the processor answers."""
        failed = [tender for tender, answer in self.answers.items() if answer == "failed"]
        return [
            part
            for part in self.plan.parts
            if part.to is not Destination.TENDER or part.tender not in failed
        ]


@attrs.define
class Book:
    """What has happened to the payment of one order, in plain words."""

    plan: PaymentPlan
    stage: str = "held"
    number: int = 0
    lapses: dict[str, dt.datetime] = attrs.field(factory=dict)
    """By tender that holds something, when that ends; not in here any more once it is gone."""
    charges: dict[str, Charged] = attrs.field(factory=dict)
    captures: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    refunds: dict[str, Refunded] = attrs.field(factory=dict)
    cancels: set[str] = attrs.field(factory=set)

    @property
    def lines(self) -> list[str]:
        return [line.id for line in self.plan.lines]

    @property
    def captured(self) -> list[str]:
        done = {line for lines in self.captures.values() for line in lines}
        return [line for line in self.lines if line in done]

    @property
    def uncaptured(self) -> list[str]:
        return [line for line in self.lines if line not in self.captured]

    def takes(self, tender: str, lines: Collection[str]) -> Sums:
        """By lot, what *tender* gives for *lines*."""
        parts = [*self.plan.reductions, *self.plan.parts]
        return tally(
            (part.lot, part.amount.minor)
            for part in parts
            if part.tender == tender and part.line in lines
        )

    def holding(self, lines: Collection[str]) -> list[str]:
        """The wallets that pay something of *lines*."""
        return [tender for tender in WALLETS if self.takes(tender, lines)]

    def pays(self, tender: str, unit: Unit, lines: Collection[str]) -> int:
        return sum(
            part.covers.minor
            for part in self.plan.parts
            if (part.tender, part.covers.unit) == (tender, unit) and part.line in lines
        )

    @property
    def to_charge(self) -> Sums:
        """By tender and unit, what the host has to charge in all, while there is something to pay."""
        if self.stage in ("done", "cancelled"):
            return {}
        external = {
            tender.id
            for tender in self.plan.tenders
            if tender.kind is TenderKind.EXTERNAL and not tender.is_paid
        }
        return tally(
            ((part.tender, part.covers.unit), part.covers.minor)
            for part in self.plan.parts
            if part.tender in external
        )

    def charged(self, tender: str, unit: Unit, *answers: str) -> int:
        return sum(
            charge.kept
            for charge in self.charges.values()
            if (charge.tender, charge.amount.unit, charge.number) == (tender, unit, self.number)
            and charge.answer in answers
        )

    @property
    def outstanding(self) -> Sums:
        found = {
            (tender, unit): amount - self.charged(tender, unit, "pending", "confirmed")
            for (tender, unit), amount in self.to_charge.items()
        }
        return {name: amount for name, amount in found.items() if amount > 0}

    @property
    def waits(self) -> bool:
        """Whether nobody knows yet about a charge."""
        return any(
            charge.answer == "pending" and charge.number == self.number
            for charge in self.charges.values()
        )

    def is_charged(self, lines: Collection[str]) -> bool:
        return all(
            self.charged(tender, unit, "confirmed") >= self.pays(tender, unit, lines)
            for tender, unit in self.to_charge
        )

    @property
    def stranded(self) -> Sums:
        """By what they pay as, what confirmed charges come to beyond what they pay for."""
        lines = self.captured if self.stage in ("done", "cancelled") else self.lines
        kept = tally(
            ((c.tender if c.number == self.number else key, c.amount.unit), c.kept)
            for key, c in self.charges.items()
            if c.answer == "confirmed"
        )
        found = {of: amount - self.pays(*of, lines) for of, amount in kept.items()}
        return {of: amount for of, amount in found.items() if amount > 0}

    def paid(self) -> Sums:
        """By tender, lot, line and unit, what was captured."""
        return tally(
            (name_of(part), part.covers.minor)
            for part in self.plan.parts
            if part.line in self.captured
        )

    def back(self, *more: RefundPart) -> Sums:
        """By tender, lot, line and unit, what has been returned, *more* included."""
        parts = [part for refund in self.refunds.values() for part in refund.counted()]
        return tally(
            (name_of(part), part.covers.minor) for part in (*parts, *more) if not part.is_reduction
        )

    def taken(self, reductions: bool) -> Sums:
        """By tender, lot and unit of the tender, what was captured."""
        parts = self.plan.reductions if reductions else self.plan.parts
        return tally(
            ((part.tender, part.lot, part.amount.unit), part.amount.minor)
            for part in parts
            if part.line in self.captured
        )

    def given(self, reductions: bool, *more: RefundPart) -> Sums:
        """By tender, lot and unit of the tender, what has been returned, *more* included."""
        parts = [part for refund in self.refunds.values() for part in refund.counted()]
        return tally(
            ((part.tender, part.lot, part.amount.unit), part.amount.minor)
            for part in (*parts, *more)
            if part.is_reduction is reductions
        )

    def restored(self, tender: str) -> Sums:
        """By lot, what goes back to *tender* itself."""
        parts = [part for refund in self.refunds.values() for part in refund.plan.parts]
        return tally(
            (part.lot, part.amount.minor)
            for part in parts
            if part.tender == tender and part.to is Destination.TENDER
        )

    def pieces(self, *more: RefundPlan) -> Sums:
        plans = [*(refund.plan for refund in self.refunds.values()), *more]
        return tally((each.line, each.quantity) for plan in plans for each in plan.quantities)

    def exceeds(self, plan: RefundPlan) -> bool:
        """Whether a refund would return more than was paid and is not returned yet."""
        bought = {line.id: line.quantity for line in self.plan.lines}
        return (
            not covers(self.paid(), self.back(*plan.parts))
            or not covers(self.taken(False), self.given(False, *plan.parts))
            or not covers(self.taken(True), self.given(True, *plan.parts))
            or not covers(bought, self.pieces(plan))
        )


def covers(whole: Sums, part: Sums) -> bool:
    return all(0 <= amount <= whole.get(name, 0) for name, amount in part.items())


# --- The machine ----------------------------------------------------------------------


@attrs.define
class Done:
    """A step that was accepted, to come again."""

    what: str
    order: str
    act: Callable[[Callable[[], Checkout], Any], Any]


class CheckoutMachine(RuleBasedStateMachine):
    """Some orders, three wallets, and everybody who may touch either."""

    orders: tuple[str, ...] = ORDERS

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(MemoryStorage(), ACME)
        self.credit = self.shop.credit
        self.handle = self.shop.at(self.shop.storage)
        """Another process: it knows nothing but what is stored."""
        self.keys = (f"key {number}" for number in itertools.count())
        self.books: dict[str, Book] = {}
        self.plans: list[tuple[PaymentPlan, dict[str, int], dt.datetime]] = []
        self.refund_plans: list[RefundPlan] = []
        self.done: list[Done] = []
        self.extra: Counter[tuple[str, str]] = Counter()
        """By order and wallet, how often somebody held something for it by hand."""
        self.issued: Counter[Unit] = Counter()
        self.seen: Counter[str] = Counter()
        for tender, amount in (("anna USD", 9), ("anna PTS", 9), ("ben USD", 4)):
            self.grant(tender, amount, None, None, "refund")

    # Plain words for what is asked for

    def kept(self) -> str:
        return self.shop.kept(holders=("anna", "ben"), kinds=("payment",))

    def grant(
        self,
        tender: str,
        amount: int,
        expires: Period | None,
        limits: Limits | None,
        funding: str,
    ) -> None:
        holder, unit = WALLETS[tender]
        money = Money.of_minor(amount, ACME.unit(unit))
        self.credit.issue(
            holder, money, funding=funding, expires=expires, limits=limits, key=next(self.keys)
        )
        self.issued[money.unit] += amount

    def is_frozen(self, tender: str) -> bool:
        return self.shop.account(WALLETS[tender][0], unit=WALLETS[tender][1]).status is (
            AccountStatus.FROZEN
        )

    def versions(self) -> dict[str, int]:
        accounts = [self.shop.account(holder, unit=unit) for holder, unit in WALLETS.values()]
        return {account.id: account.version for account in accounts}

    def is_held(self, book: Book, lines: Collection[str]) -> bool:
        """Whether what *lines* need is still held."""
        now = self.shop.clock()
        return all(
            tender in book.lapses and now < book.lapses[tender] for tender in book.holding(lines)
        )

    def attempt(
        self,
        what: str,
        order: str,
        act: Callable[[Callable[[], Checkout], Any], Any],
        *expected: type[StoreCreditError] | None,
    ) -> type[StoreCreditError] | None:
        """Take a step; it ends as *expected*, and refused it leaves no trace."""
        before = self.kept()
        said: Any = ""
        try:
            act(lambda: self.credit.checkout(order), self.credit)
            got = None
        except StoreCreditError as error:
            got, said = type(error), error
        note(f"{what} of {order}: {said or 'done'}")
        assert got in expected, f"{what} of {order}: {said or 'done'}; expected {expected}"
        self.seen[f"{what}: {'done' if got is None else got.__name__}"] += 1
        if got is None:
            self.done.append(Done(what, order, act))
        elif got is not PaymentHoldLost:
            assert self.kept() == before, f"{what} of {order} was refused and left a trace"
        return got

    # Planning and beginning

    # One rule for a family of steps, not one for each: a run in which only some rules take part
    # then still holds whole stories.

    @rule(data=st.data(), number=NUMBERS)
    def plan_and_begin(self, data: Any, number: int) -> None:
        """Plan anew, and go on with it at once, or later, or with an earlier plan."""
        if self.plans and number > 7:
            self.begin(data, *data.draw(st.sampled_from(self.plans)))
            return
        order = data.draw(st.sampled_from(self.orders))
        plan = self.planned(data, order)
        note(f"plan of {order}: {[str(part) for part in plan.parts]}")
        self.plans.append((plan, self.versions(), self.shop.clock()))
        if data.draw(st.sampled_from([True, True, True, False])):
            self.begin(data, *self.plans[-1])

    def planned(self, data: Any, order: str) -> PaymentPlan:
        tenders: list[Tender] = []
        up_to = st.none() | st.integers(0, 5)
        for name in data.draw(st.permutations(list(WALLETS))):
            if data.draw(st.sampled_from([True, True, False])):
                holder, unit = WALLETS[name]
                most = data.draw(up_to)
                money = None if most is None else Money.of_minor(most, ACME.unit(unit))
                rate = data.draw(rates()) if unit == "PTS" else None
                tenders.append(self.credit.tender(name, holder, unit, up_to=money, rate=rate))
        externals = [
            [External("card", units=frozenset({"USD", "PTS"}))],
            [Coupon("coupon", usd(2)), External("card", units=frozenset({"USD", "PTS"}))],
            [
                External("a", at_most=(usd(3),)),
                External("b", units=frozenset({"USD", "PTS"}), takes_back=False),
            ],
            [External("card", units=frozenset({"USD", "PTS"}), minimum=(usd(3),))],
        ]
        tenders += data.draw(st.sampled_from(externals))
        cart = attrs.evolve(data.draw(orders()), id=order)
        units = {amount.unit for line in cart.lines for p in line.prices for amount in p.amounts}
        book = self.books.get(order)
        if book is not None and data.draw(st.sampled_from([True, True, False])):
            paid = self.credit.checkout(order).paid_already
            tenders += [each for each in paid if each.amount.unit in units]
        return self.plan(data, cart, [each for each in tenders if usable(each, units)])

    def plan(self, data: Any, cart: Order, tenders: list[Tender]) -> PaymentPlan:
        as_discount = data.draw(st.sampled_from([(), (), ("promotional",)]))
        return self.credit.plan_payment(cart, tenders, as_discount=as_discount)

    def begin(
        self, data: Any, plan: PaymentPlan, versions: dict[str, int], planned_at: dt.datetime
    ) -> None:
        order, key = plan.order, next(self.keys)
        book = self.books.get(order)
        lapses = data.draw(st.sampled_from([None, None, Period(hours=1), Period(hours=30)]))
        now = self.versions()
        seen = {each.account for each in plan.versions}
        expected: tuple[type[StoreCreditError] | None, ...] = (None,)
        if book is not None and plan == book.plan and book.stage not in ("planned", "cancelled"):
            self.attempt("begin", order, lambda _, c: c.begin_checkout(plan, key=key), None)
            return
        if book is not None and book.stage in OVER:
            expected = (PaymentStepRefused,)
        elif book is not None and book.stage != "cancelled" and book.waits:
            expected = (ChargePending,)
        elif not plan.is_complete:
            expected = (PlanIncomplete,)
        elif any(versions[each] != now[each] for each in seen):
            expected = (PlanOutdated,)
        elif self.shop.clock() != planned_at:
            expected = (None, LotCannotGive, InsufficientCredit, AccountFrozen)
        got = self.attempt(
            "begin", order, lambda _, c: c.begin_checkout(plan, key=key, lapses=lapses), *expected
        )
        if got is None:
            self.begun(order, plan)

    def begun(self, order: str, plan: PaymentPlan) -> None:
        record = self.credit.checkout(order).record
        book = self.books.setdefault(order, Book(plan, number=-1))
        book.plan, book.stage, book.number = plan, "held", book.number + 1
        assert [each.tender for each in record.holds] == [
            tender.id
            for tender in plan.tenders
            if tender.id in WALLETS and book.takes(tender.id, book.lines)
        ]
        book.lapses.clear()
        for each in record.holds:
            account = self.shop.whole(WALLETS[each.tender][0], unit=WALLETS[each.tender][1])
            book.lapses[each.tender] = account.holds[HoldId(each.hold)].lapses_at
        for tender in plan.tenders:
            del self.extra[order, tender.id]

    # Charging

    @precondition(lambda self: self.books)
    @rule(data=st.data(), number=NUMBERS)
    def pay(self, data: Any, number: int) -> None:
        """Charge all at once or by and by, hear from the processor, give back."""
        order = data.draw(st.sampled_from(sorted(self.books)))
        if number < 5:
            self.charge_everything(order)
        elif number < 7:
            self.charge(data, order)
        elif self.books[order].stranded:
            self.give_back(data, order)
        elif self.books[order].charges:
            key = data.draw(st.sampled_from(sorted(self.books[order].charges)))
            self.settle(order, key, data.draw(st.sampled_from(["confirmed", "failed"])))

    def charge(self, data: Any, order: str) -> None:
        book, amount = self.books[order], data.draw(st.none() | st.integers(1, 4))
        externals = sorted(
            t.id for t in book.plan.tenders if t.kind is TenderKind.EXTERNAL and not t.is_paid
        )
        if not externals:
            return
        tender, key = data.draw(st.sampled_from(externals)), next(self.keys)
        units = [unit for of, unit in book.outstanding if of == tender]
        money = None if amount is None else Money.of_minor(amount, units[0] if units else "USD")
        expected: type[StoreCreditError] | None = None
        if book.stage not in GOING_ON:
            expected = PaymentStepRefused
        elif money is None and len(units) != 1:
            expected = InvalidTender
        elif money is not None and money.minor > book.outstanding.get((tender, money.unit), 0):
            expected = ChargeExceedsDue
        got = self.attempt(
            "charge",
            order,
            lambda checkout, _: checkout().charge(tender, key=key, amount=money),
            expected,
        )
        if got is None:
            due = (
                Money.of_minor(book.outstanding[tender, units[0]], units[0])
                if money is None
                else money
            )
            book.charges[key] = Charged(tender, due, book.number)

    def charge_everything(self, order: str) -> None:
        book = self.books[order]
        if book.stage in GOING_ON:
            for tender, unit in sorted(book.outstanding, key=str):
                due = Money.of_minor(book.outstanding[tender, unit], unit)
                self.charge_all_of(order, tender, due)

    def charge_all_of(self, order: str, tender: str, due: Money) -> None:
        key = next(self.keys)
        self.attempt(
            "charge",
            order,
            lambda checkout, _: checkout().charge(tender, key=key, amount=due),
            None,
        )
        self.books[order].charges[key] = Charged(tender, due, self.books[order].number)
        self.settle(order, key, "confirmed")

    def settle(self, order: str, key: str, answer: str) -> None:
        known = self.books[order].charges[key]
        late = known.answer not in ("pending", answer)
        got = self.attempt(
            "settle",
            order,
            lambda checkout, _: checkout().settle_charge(key, answer),
            PaymentStepRepeated if late else None,
        )
        if got is None:
            known.answer = answer

    def give_back(self, data: Any, order: str) -> None:
        """Give back what pays for nothing, as the checkout says, or a part of it, or too much."""
        each = data.draw(st.sampled_from(self.credit.checkout(order).stranded))
        charge = self.books[order].charges[each.charge]
        cents = data.draw(st.integers(1, each.amount.minor + 1) | st.just(each.amount.minor))
        total = Money.of_minor(charge.given_back + cents, each.amount.unit)
        got = self.attempt(
            "give back",
            order,
            lambda checkout, _: checkout().give_back(each.charge, total),
            GivesBackTooMuch if cents > each.amount.minor else None,
        )
        if got is None:
            charge.given_back += cents

    # Capturing and cancelling

    @precondition(lambda self: self.books)
    @rule(data=st.data(), number=NUMBERS)
    def capture_or_cancel(self, data: Any, number: int) -> None:
        order = data.draw(st.sampled_from(sorted(self.books)))
        if number < 5:
            self.capture(data, order)
        elif number < 8:
            self.complete(order)
        else:
            self.cancel(order)

    def capture(self, data: Any, order: str) -> None:
        book = self.books[order]
        lines = tuple(data.draw(st.lists(st.sampled_from(book.lines), unique=True, min_size=1)))
        key = data.draw(st.sampled_from([*book.captures, next(self.keys), next(self.keys)]))
        expected: type[StoreCreditError] | None = None
        if key in book.captures:
            expected = None if book.captures[key] == lines else PaymentStepRepeated
        elif set(lines) & set(book.captured):
            expected = PaymentStepRepeated
        else:
            expected = self.capturing(book, lines)
        got = self.attempt(
            "capture", order, lambda checkout, _: checkout().capture(lines, key=key), expected
        )
        self.after_capturing(book, "partly", key, lines, got)

    def complete(self, order: str) -> None:
        book, key = self.books[order], next(self.keys)
        lines = tuple(book.uncaptured)
        is_done = book.stage == "done" and not lines
        got = self.attempt(
            "complete",
            order,
            lambda checkout, _: checkout().complete(key=key),
            None if is_done else self.capturing(book, lines),
        )
        if not is_done:
            self.after_capturing(book, "done", key, lines, got)

    def capturing(self, book: Book, lines: Collection[str]) -> type[StoreCreditError] | None:
        """What becomes of capturing *lines* that are not captured yet."""
        if book.stage not in GOING_ON:
            return PaymentStepRefused
        if not book.is_charged([*book.captured, *lines]):
            return ChargeOutstanding
        return None if self.is_held(book, lines) else PaymentHoldLost

    def after_capturing(
        self, book: Book, stage: str, key: str, lines: tuple[str, ...], got: Any
    ) -> None:
        if got is None and key not in book.captures:
            book.stage = stage
            book.captures[key] = lines
        if got is PaymentHoldLost and book.stage == "held":
            book.stage = "planned"
            book.lapses.clear()

    def cancel(self, order: str) -> None:
        book, key = self.books[order], next(self.keys)
        refused = book.stage == "done" and not book.uncaptured
        got = self.attempt(
            "cancel",
            order,
            lambda checkout, _: checkout().cancel(key=key),
            PaymentStepRefused if refused else None,
        )
        if got is None:
            book.stage = "done" if book.stage in OVER else "cancelled"
            book.lapses.clear()

    # Refunding

    @precondition(lambda self: any(book.captures for book in self.books.values()))
    @rule(data=st.data(), number=NUMBERS)
    def return_something(self, data: Any, number: int) -> None:
        """Plan a refund and carry it out, at once or later; hear from the processor."""
        asked = self.refunds_asked()
        if asked and number > 7:
            self.settle_refund(
                *data.draw(st.sampled_from(asked)),
                data.draw(st.sampled_from(["confirmed", "failed"])),
            )
        elif self.refund_plans and number > 4:
            self.refund(data.draw(st.sampled_from(self.refund_plans)))
        else:
            self.plan_a_refund(data, at_once=number < 4)

    def plan_a_refund(self, data: Any, *, at_once: bool) -> None:
        order = data.draw(st.sampled_from([o for o, b in self.books.items() if b.captures]))
        checkout = self.credit.checkout(order)
        rules = RefundRules(
            tenders=data.draw(st.sampled_from(RULES)),
            points=data.draw(st.sampled_from(PointsRule)),
            closed=data.draw(st.sets(st.sampled_from(["card", "anna USD"]), max_size=1)),
            payout=data.draw(st.sampled_from(Payout)),
        )
        request = self.request(data, self.books[order])
        plan = checkout.plan_refund(request, rules=rules, unspent=unspent(checkout.record))
        self.refund_plans.append(plan)
        if at_once:
            self.refund(plan)

    def request(self, data: Any, book: Book) -> RefundRequest:
        cards = {line.id for line in book.plan.lines if line.kind is LineKind.GIFT_CARD}
        if data.draw(st.booleans()):
            left = Counter(book.paid())
            left.subtract(book.back())
            free = tally((name[3], n) for name, n in left.items() if name[2] not in cards)
            return RefundRequest.of_amount(
                *(Money.of_minor(data.draw(st.integers(0, n)), unit) for unit, n in free.items())
            )
        items = []
        pieces = {line.id: line.quantity for line in book.plan.lines}
        for line in book.captured:
            rest = pieces[line] - book.pieces().get(line, 0)
            if data.draw(st.booleans()):
                quantity = data.draw(st.none() | st.integers(1, rest)) if rest else None
                items.append(RefundItem(line, quantity=quantity))
        return RefundRequest(items=items)

    def refund(self, plan: RefundPlan) -> None:
        book, key = self.books[plan.order], next(self.keys)
        cards = [line.id for line in book.plan.lines if line.kind is LineKind.GIFT_CARD]
        expected: tuple[type[StoreCreditError] | None, ...] = (None,)
        if book.stage not in OVER:
            expected = (PaymentStepRefused,)
        elif book.exceeds(plan):
            expected = (RefundExceedsPaid, QuantityExceedsRest)
        elif self.takes_in(plan):
            expected = (AccountFrozen,)
        got = self.attempt(
            "refund",
            plan.order,
            # The gift cards of these orders are another program's.
            lambda checkout, _: checkout().refund(
                plan, key=key, holder="ben", gift_cards=dict.fromkeys(cards)
            ),
            *expected,
        )
        if got is None:
            external = [
                tender.id
                for tender in book.plan.tenders
                if tender.id not in WALLETS and plan.tender(tender.id).amounts
            ]
            book.refunds[key] = Refunded(plan, tuple(external))
            for part in plan.parts:
                if part.to is Destination.CREDIT:
                    self.issued[part.amount.unit] += part.amount.minor

    def takes_in(self, plan: RefundPlan) -> bool:
        """Whether something would go to an account that takes nothing in."""
        back = {part.tender for part in plan.parts if part.to is Destination.TENDER}
        back &= {part.tender for part in plan.parts if part.amount.is_positive}
        new = {part.amount.unit.code for part in plan.parts if part.to is Destination.CREDIT}
        return any(self.is_frozen(each) for each in back & {*WALLETS}) or (
            "USD" in new and self.is_frozen("ben USD")
        )

    def settle_refund(self, order: str, key: str, tender: str, answer: str) -> None:
        known = self.books[order].refunds[key].answers
        late = known.get(tender, answer) != answer
        got = self.attempt(
            "settle refund",
            order,
            lambda checkout, _: checkout().settle_refund(key, tender, answer),
            PaymentStepRepeated if late else None,
        )
        if got is None:
            known[tender] = answer

    def refunds_asked(self) -> list[tuple[str, str, str]]:
        return [
            (order, key, tender)
            for order, book in self.books.items()
            for key, refund in book.refunds.items()
            for tender in refund.asked
        ]

    # Whatever happens meanwhile

    @rule(data=st.data(), number=NUMBERS)
    def meanwhile(self, data: Any, number: int) -> None:
        tender = data.draw(st.sampled_from(list(WALLETS)))
        if number < 3:
            self.shop.clock.advance(dt.timedelta(hours=data.draw(st.sampled_from([1, 1, 12, 24]))))
        elif number < 5:
            self.issue(data, tender)
        elif number < 8:
            self.something_else(data, tender)
        elif number < 9:
            self.hold_by_hand(data, tender)
        else:
            self.release_behind_its_back(data)

    def issue(self, data: Any, tender: str) -> None:
        expires = data.draw(st.sampled_from([None, Period(hours=1), Period(hours=13)]))
        limits = data.draw(
            st.sampled_from(
                [
                    None,
                    Limits(categories=("books",)),
                    Limits(lines=("1", "3")),
                    Limits(categories=("books", "toys"), share_percent=50),
                    Limits(minimum_order=4),
                ]
            )
        )
        funding = data.draw(st.sampled_from(["goodwill", "promotional"]))
        if not self.is_frozen(tender):
            self.grant(tender, data.draw(st.integers(1, 6)), expires, limits, funding)

    def something_else(self, data: Any, tender: str) -> None:
        """Any other command on a wallet; whether it is refused is not looked at here."""
        holder, unit = WALLETS[tender]
        amount = Money.of_minor(data.draw(st.integers(1, 3)), ACME.unit(unit))
        key, account = next(self.keys), self.shop.account(holder, unit=unit)
        lot = data.draw(st.sampled_from(sorted(account.lots) or [""]))
        acts: dict[str, Callable[[], Any]] = {
            "redeem": lambda: self.credit.redeem(holder, amount, key=key),
            "revoke": lambda: self.credit.revoke(
                lot, amount=amount, held="unheld_only", key=key, **WHO
            ),
            "freeze": lambda: self.credit.freeze(holder, unit, key=key, **WHO),
            "reopen": lambda: self.credit.reopen(holder, unit, key=key, **WHO),
            "limit": lambda: self.credit.set_limit(holder, unit, amount, key=key, **WHO),
            "sweep": lambda: (self.credit.expire_due(), self.credit.release_lapsed()),
        }
        frozen = self.is_frozen(tender)
        name = "reopen" if frozen else data.draw(st.sampled_from(sorted({*acts} - {"reopen"})))
        self.try_any(name, acts[name])

    def hold_by_hand(self, data: Any, tender: str) -> None:
        """An older part of the shop holds something for the order, too."""
        (holder, unit), order = WALLETS[tender], data.draw(st.sampled_from(self.orders))
        amount = Money.of_minor(data.draw(st.integers(1, 3)), ACME.unit(unit))
        key = next(self.keys)
        if self.try_any("hold", lambda: self.credit.hold(holder, amount, reference=order, key=key)):
            self.extra[order, tender] += 1

    def release_behind_its_back(self, data: Any) -> None:
        holding = [order for order, book in self.books.items() if book.lapses]
        if holding:
            order, key = data.draw(st.sampled_from(holding)), next(self.keys)
            held = data.draw(st.sampled_from(self.credit.checkout(order).record.holds))
            if self.try_any("release", lambda: self.credit.release(held.hold, key=key)):
                self.books[order].lapses.pop(held.tender, None)

    def try_any(self, name: str, act: Callable[[], Any]) -> bool:
        """Do something that may be refused; tell whether it was done."""
        try:
            act()
        except StoreCreditError as error:
            note(f"{name}: {error}")
            return False
        note(f"{name}: done")
        return True

    @precondition(lambda self: self.done)
    @rule(data=st.data(), second=st.booleans())
    def repeat(self, data: Any, second: bool) -> None:
        """Whatever was done once comes again, from here or elsewhere: nothing happens."""
        done = data.draw(st.sampled_from(self.done))
        credit = self.handle if second else self.credit
        before = self.kept()
        note(f"repeat {done.what} of {done.order}")
        done.act(lambda: credit.checkout(done.order), credit)
        assert self.kept() == before, f"{done.what} of {done.order} has happened twice"
        self.seen[f"{done.what}: repeated"] += 1

    # What has to be true after every step

    @invariant()
    def everything_is_as_the_books_say(self) -> None:
        for tender in WALLETS:
            self.check_wallet(tender)
        for order, book in self.books.items():
            self.check_order(order, book)
        issued = Counter(dict.fromkeys(self.issued, 0))
        for holder, unit in [*WALLETS.values(), ("ben", "PTS")]:
            if self.shop.wallet_row(holder) is not None:
                view = self.credit.wallet(holder)
                if any(account.unit.code == unit for account in view.accounts):
                    account = self.shop.account(holder, unit=unit)
                    issued[account.unit] += account.totals["issued"]
        assert issued == self.issued, "new credit from refunds is not what they say"

    def check_wallet(self, tender: str) -> None:
        """Lot by lot: what is held, captured and given back for each order."""
        holder, unit = WALLETS[tender]
        account, now = self.shop.whole(holder, unit=unit), self.shop.clock()
        held: dict[str, Sums] = {}
        for hold in account.holds.values():
            if hold.is_live(now) and hold.reference in ORDERS:
                draws = [(draw.lot, draw.amount) for draw in hold.draws]
                held[hold.reference] = tally([*held.get(hold.reference, {}).items(), *draws])
        captured: dict[str | None, list[tuple[Any, int]]] = {}
        restored: dict[str | None, list[tuple[Any, int]]] = {}
        for entry in self.shop.entries(holder, unit=unit):
            if entry.kind is EntryKind.CAPTURE_PART:
                for place, move in enumerate(entry.moves):
                    if move.what not in (What.CAPTURED, What.OWED_CAPTURED):
                        # A lapse of another hold may be recorded by the same entry.
                        continue
                    back = account.restored.get(entry.id, {}).get(place, 0)
                    order = entry.context.reference
                    captured.setdefault(order, []).append((move.lot, move.amount))
                    restored.setdefault(order, []).append((move.lot, back))
        for order, book in self.books.items():
            if not self.extra[order, tender]:
                live = tender in book.lapses and now < book.lapses[tender]
                wanted = book.takes(tender, book.uncaptured) if live else {}
                assert held.get(order, {}) == wanted, f"held of {tender} for {order}"
            took, gave = (tally(each.get(order, [])) for each in (captured, restored))
            wanted = book.takes(tender, book.captured)
            assert took == wanted, f"captured of {tender} for {order}"
            assert gave == book.restored(tender), f"given back to {tender} for {order}"
        totals = account.totals
        assert sum(totals[name] for name in INFLOWS) == totals["balance"] + sum(
            totals[name] for name in OUTFLOWS
        )
        for lot in account.lots.values():
            assert 0 <= lot.held <= lot.remaining <= lot.amount

    def check_order(self, order: str, book: Book) -> None:
        """What the record says is what the books say."""
        record = self.credit.checkout(order).record
        stages = {"partly": "partly_captured", "done": "completed"}
        state = "held" if record.state.value == "charging" else record.state.value
        assert state == stages.get(book.stage, book.stage), order
        assert record.plan == book.plan
        assert record.captured_lines == tuple(book.captured)
        owing = tally(
            ((each.tender, each.amount.unit), each.amount.minor) for each in record.outstanding
        )
        assert owing == book.outstanding, f"{order}: {owing} {book.outstanding}"
        number = {key: charge.number for key, charge in book.charges.items()}
        lost = tally(
            (
                (
                    each.tender if number[each.charge] == book.number else each.charge,
                    each.amount.unit,
                ),
                each.amount.minor,
            )
            for each in record.stranded
        )
        assert lost == book.stranded, order
        assert covers(book.paid(), book.back())
        for reductions in (False, True):
            assert covers(book.taken(reductions), book.given(reductions))
        due = tally((each.refund + each.tender, each.amount.minor) for each in record.refunds_due)
        assert due == tally(
            (key + part.tender, part.amount.minor)
            for key, refund in book.refunds.items()
            for part in refund.plan.parts
            if part.to is Destination.TENDER
            and part.tender in refund.asked
            and part.tender not in refund.answers
        )
        assert PaymentRecord.from_json(record.to_json()) == record

    # The end: everything goes back

    def teardown(self) -> None:
        for tender, (holder, unit) in WALLETS.items():
            if self.is_frozen(tender):
                self.credit.reopen(holder, unit, key=next(self.keys), **WHO)
        for order, book in self.books.items():
            self.end(order, book)
            for reductions in (False, True):
                assert book.given(reductions) == book.taken(reductions), order
            assert book.back() == book.paid(), order
            assert book.stranded == {}
        self.everything_is_as_the_books_say()
        verified = self.credit.verify()
        assert verified.ok, verified.problems
        listed = {checkout.order: checkout.state for checkout in self.credit.checkouts()}
        assert sorted(listed) == sorted(self.books)
        for state in set(listed.values()):
            found = [checkout.order for checkout in self.credit.checkouts(state=state)]
            assert found == sorted(o for o, each in listed.items() if each is state)

    def end(self, order: str, book: Book) -> None:
        """Bring an order to its end, and refund it whole."""
        if book.stage in GOING_ON and book.outstanding:
            for tender, unit in sorted(book.outstanding, key=str):
                self.charge_all_of(
                    order, tender, Money.of_minor(book.outstanding[tender, unit], unit)
                )
        for key, charge in book.charges.items():
            if charge.answer == "pending":
                self.settle(order, key, "confirmed")
        if book.stage in GOING_ON:
            self.complete(order)
        if book.stage in GOING_ON or book.stage == "planned":
            self.cancel(order)
        for each in self.credit.checkout(order).stranded:
            self.credit.checkout(order).give_back(each.charge, each.total)
            book.charges[each.charge].given_back += each.amount.minor
        for place, (_, key, tender) in enumerate(r for r in self.refunds_asked() if r[0] == order):
            if tender not in book.refunds[key].answers:
                self.settle_refund(order, key, tender, ("confirmed", "failed")[place % 2])
        if book.stage != "done":
            return
        checkout = self.credit.checkout(order)
        everything = RefundRequest.of_everything(checkout.payment)
        rest = checkout.plan_refund(everything, unspent=unspent(checkout.record))
        self.refund(rest)
        nothing = self.credit.checkout(order)
        assert nothing.plan_refund(everything, unspent=unspent(nothing.record)).parts == ()


def usable(tender: Tender, units: set[Unit]) -> bool:
    """Whether something is due in the unit of a coupon."""
    return not isinstance(tender, Coupon) or tender.amount.unit in units


def unspent(record: PaymentRecord) -> dict[str, Balance]:
    """Gift cards of which nothing is spent."""
    return {
        line.id: Balance.of(*line.due)
        for line in record.payment.lines
        if line.kind is LineKind.GIFT_CARD
    }


def stories(share: int, **named: Any) -> settings:
    return settings(
        max_examples=max(settings().max_examples // share, 3),
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **named,
    )


def test_t5_whatever_happens_the_ledger_and_the_record_say_what_the_books_say() -> None:
    run_state_machine_as_test(CheckoutMachine, settings=stories(3))


# --- What was found, told shortly -------------------------------------------------------


def test_t5_a_completion_under_the_key_of_an_earlier_capture_is_refused() -> None:
    """Both took two cents of one lot: the ledger would have answered for the first one again."""
    shop = Shop(MemoryStorage(), ACME)
    shop.credit.issue("anna", usd(9), funding="refund", key="a1")
    cart = Order("o-1", [OrderLine("1", usd(2)), OrderLine("2", usd(2))])
    balance = shop.credit.tender("anna USD", "anna", "USD")
    checkout = shop.credit.begin_checkout(shop.credit.plan_payment(cart, [balance]), key="begin")
    checkout.capture(["1"], key="parcel")
    with pytest.raises(PaymentStepRepeated):
        checkout.complete(key="parcel")
    assert shop.account("anna").totals["held"] == 2
    checkout.complete(key="the rest")
    assert (shop.account("anna").totals["held"], shop.account("anna").totals["redeemed"]) == (0, 4)


def test_t5_every_key_that_began_a_plan_is_known_when_another_plan_is_held() -> None:
    shop = Shop(MemoryStorage(), ACME)
    first, second = (
        shop.credit.plan_payment(Order("o-1", [OrderLine("1", usd(due))]), [External("card")])
        for due in (5, 3)
    )
    shop.credit.begin_checkout(first, key="web")
    shop.credit.begin_checkout(first, key="worker")
    shop.credit.checkout("o-1").replan(second, key="fewer")
    for key in ("web", "worker"):
        assert shop.credit.begin_checkout(first, key=key).record.plan == second


# --- The machine can fail ---------------------------------------------------------------


class OneOrder(CheckoutMachine):
    """The machine on one order, so that more comes of it."""

    orders = ("o-1",)


def doing_nothing(*arguments: Any, **named: Any) -> None:
    pass


def stranding_nothing(*arguments: Any) -> tuple[()]:
    return ()


def needing_nothing(*arguments: Any) -> int:
    return 0


def knowing_no_key(*arguments: Any, **named: Any) -> bool:
    return False


FAULTS: dict[str, tuple[Any, str, Any, int]] = {
    "a cancelled order keeps what it holds": (Desk, "release_all", doing_nothing, 2),
    "what is refunded does not come back": (RefundDesk, "_restore", doing_nothing, 4711),
    "no new credit is issued": (RefundDesk, "_issue", doing_nothing, 4711),
    "a refund may come twice": (record, "require_left", doing_nothing, 1),
    "a plan is begun whenever it comes": (PaymentRecord, "was_begun", knowing_no_key, 4711),
    "nothing is ever stranded": (record, "stranded", stranding_nothing, 4711),
    "charges are not waited for": (record, "needed_of", needing_nothing, 4711),
}
"""What is broken, how, and a seed with which the machine soon comes to it."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_checkout_with_a_fault_does_not_pass(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed, name, wrong, begins_with = FAULTS[fault]
    assert hasattr(changed, name)
    monkeypatch.setattr(changed, name, wrong)
    # The same stories each time: whether they find it is not left to chance.
    told = settings(
        stories(1),
        max_examples=400,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        print_blob=False,
    )
    with pytest.raises((AssertionError, StoreCreditError)):
        run_state_machine_as_test(seed(begins_with)(OneOrder), settings=told)
