"""A counter where orders are paid: what tests of checkouts have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from storecredit.errors import StoreCreditError
from storecredit.ledger import Account, AccountId, HoldId, account_of, imbalance, unit_of
from storecredit.service import Checkout, Receipt
from storecredit.tenders import (
    Credit,
    Destination,
    External,
    Order,
    OrderLine,
    PaymentPlan,
    PaymentRecord,
    Price,
    RefundRequest,
    RefundRules,
    TenderKind,
)
from storecredit.values import CustomUnit, Money

PTS = CustomUnit("PTS", 0)
CARD = External("card")
CAPTURED = {"captured", "owed_captured"}
RETURNED = {"restored", "owed_reversed"}
Counts = dict[tuple[str, str | None], int]
"""Minor units, by account and lot, or by unit."""


class Counter:
    """
    Pays orders of c-17 in dollars and points by the public verbs.

    The verbs here only fill in what most tests do not care about: names, tenders, keys.
    """

    def __init__(self, shop: Any) -> None:
        self.shop = shop
        self.credit = shop.credit
        self.clock = shop.clock

    # What there is

    def points(self, amount: int, **terms: Any) -> Receipt:
        given = {"funding": "earned", "key": self.shop.key(), **terms}
        return self.credit.issue("c-17", Money.of_minor(amount, PTS), **given)

    def tender(self, name: str = "credit", unit: Any = "USD", **more: Any) -> Credit:
        holder = more.pop("holder", "c-17")
        return self.credit.tender(name, holder, unit, **more)

    def left(self, unit: str = "USD", holder: str = "c-17") -> tuple[str, str]:
        """What is available, and what is held."""
        account = self.credit.account(holder, unit)
        return str(account.available.decimal), str(account.held.decimal)

    def holds(self, unit: str = "USD", holder: str = "c-17") -> dict[str, str]:
        """The live holds, and what each still reserves."""
        account = self.credit.account(holder, unit)
        return {hold.id: str(hold.amount.decimal) for hold in account.holds}

    # Paying

    def order(self, *lines: Any, name: str = "o-1", **more: Any) -> Order:
        """Make an order; dollars alone, or dollars and points, become lines numbered from 1."""
        found = []
        for number, line in enumerate(lines, 1):
            price = line
            if isinstance(line, tuple):
                price = Price.of(Money.of(line[0], "USD"), Money.of_minor(line[1], PTS))
            elif isinstance(line, str):
                price = Money.of(line, "USD")
            found.append(line if isinstance(line, OrderLine) else OrderLine(str(number), price))
        return Order(name, found, **more)

    def plan(self, *lines: Any, tenders: Any = None, **more: Any) -> PaymentPlan:
        """Plan an order, by c-17's dollars and then a card unless *tenders* says otherwise."""
        of_order = {name: more.pop(name) for name in ("name", "discounts") if name in more}
        paying = [self.tender(), CARD] if tenders is None else tenders
        return self.credit.plan_payment(self.order(*lines, **of_order), paying, **more)

    def begin(self, *lines: Any, key: str = "begin", **more: Any) -> Checkout:
        at_hold = {name: more.pop(name) for name in ("lapses", "spender") if name in more}
        plan = self.plan(*lines, **more)
        return self.credit.begin_checkout(plan, key=key, **at_hold)

    def charge(self, checkout: Checkout, *, key: str = "ch-1", tender: str = "card") -> None:
        """Let the card be charged what is outstanding, and confirm it."""
        checkout.charge(tender, key=key)
        checkout.settle_charge(key, "confirmed")

    def paid(self, *lines: Any, **more: Any) -> Checkout:
        """Begin an order, charge the card if that is needed, and capture all of it."""
        checkout = self.begin(*lines, **more)
        if checkout.charges:
            self.charge(checkout)
        checkout.complete(key="done")
        return checkout

    # Refunding

    def refund(self, checkout: Checkout, lines: Any, *, key: str, **more: Any) -> PaymentRecord:
        """Refund lines or pieces by these rules: `tenders=`, `closed=`, ..."""
        names = ("tenders", "closed", "payout", "points", "redirect", "beyond", "shortfall")
        rules = RefundRules(**{name: more.pop(name) for name in names if name in more})
        planning = {name: more.pop(name) for name in ("unspent", "earned") if name in more}
        request = lines if isinstance(lines, RefundRequest) else RefundRequest.of_lines(lines)
        plan = checkout.plan_refund(request, rules=rules, **planning)
        return checkout.refund(plan, key=key, **more)

    # Refusals

    def records(self) -> str:
        """Write down every record of a payment."""
        with self.shop.storage.snapshot() as reader:
            rows = reader.records("acme", "payment", limit=200)
        return json.dumps([[row.id, row.version, row.body, dict(row.references)] for row in rows])

    @contextmanager
    def refuses(self, error: type[StoreCreditError]) -> Iterator[Any]:
        """Check that the block raises *error*, and that neither ledger nor records have changed."""
        before = self.records()
        with self.shop.refuses(error) as refused:
            yield refused
        assert self.records() == before

    # The end

    def reconcile(self) -> None:
        """Check that accounts conserve value, and that records and journals say the same."""
        assert self.credit.verify().ok
        with self.shop.storage.snapshot() as reader:
            accounts = {
                name: reader.whole(merchant, name) for merchant, name in reader.account_ids(None)
            }
            entries = {name: list(reader.journal(account)) for name, account in accounts.items()}
            rows = reader.records("acme", "payment", limit=200)
        assert all(imbalance(account.totals) == 0 for account in accounts.values())
        for row in rows:
            record = PaymentRecord.from_json(row.body)
            assert row.references == {"state": record.state.value}
            _agree(record, accounts, entries)


def _agree(
    record: PaymentRecord, accounts: dict[AccountId, Account], entries: dict[AccountId, list[Any]]
) -> None:
    """Check that what a record says of each account is what the journals say of the order."""
    for held in record.holds:
        hold = accounts[account_of(held.hold)].holds.get(HoldId(held.hold))
        assert hold is None or hold.reference == record.plan.order
    done: Counts = {}
    for account, journal in entries.items():
        for entry in journal:
            if entry.context.reference != record.plan.order or entry.key[0] != "~":
                continue
            for move in entry.moves:
                if move.what.value in CAPTURED:
                    _add(done, (account, move.lot), move.amount)
                elif ":restore:" in entry.key and move.what.value in RETURNED:
                    # To whichever account: the holder may have merged into another.
                    _add(done, (unit_of(account), "back"), move.amount)
    said: Counts = {}
    for tender in record.plan.tenders:
        if tender.kind in {TenderKind.CREDIT, TenderKind.CODE}:
            for lot, amount in record.plan.draws(tender.id, lines=record.captured_lines):
                _add(said, (str(tender.account), lot), amount.minor)
    of_the_ledger = {tender.id for tender in record.plan.tenders if tender.account is not None}
    for returned in record.returns:
        for part in returned.parts:
            if part.tender in of_the_ledger and part.to is Destination.TENDER:
                _add(said, (part.amount.unit.code, "back"), part.amount.minor)
    assert done == said


def _add(counts: Counts, of: tuple[str, str | None], amount: int) -> None:
    counts[of] = counts.get(of, 0) + amount


@pytest.fixture
def make_counter(make_shop: Callable[..., Any]) -> Iterator[Callable[..., Counter]]:
    """Make counters at shops with rules of their own; afterwards all has to reconcile."""
    counters: list[Counter] = []

    def make(**rules: Any) -> Counter:
        counters.append(Counter(make_shop(units=(PTS,), **rules)))
        return counters[-1]

    yield make
    for counter in counters:
        counter.reconcile()


@pytest.fixture
def counter(make_counter: Callable[..., Counter]) -> Counter:
    """A counter with the default rules; afterwards all has to reconcile."""
    return make_counter()
