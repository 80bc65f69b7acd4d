"""
A real marketplace's payments, as orders to be paid: for the tests of tenders.

The file is `olist_order_payments_0_7.csv.gz`: 51,944 tenders of 49,635 orders. It names no lines,
so one to three are made of each order, by the first letter of its id; the last of several is
shipping. Vouchers are lots of one account, issued in the order in which they were taken, and each
is also a code of its own; every other tender is external.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import attrs
import pytest

from storecredit import Money, StoreCredit
from storecredit.ledger import Account
from storecredit.service import Grant
from storecredit.storage import MemoryStorage
from storecredit.tenders import (
    Credit,
    External,
    Order,
    OrderLine,
    PaymentPlan,
    Tender,
    plan_payment,
)

NOW = datetime(2018, 9, 1, tzinfo=UTC)
EACH = 100
"""Of the orders with nothing special about them, every hundredth is refunded."""
TOLD_EVERY = 10_000

Thing = TypeVar("Thing")


def brl(minor: int) -> Money:
    return Money.of_minor(minor, "BRL")


# --- The file --------------------------------------------------------------------------------


@attrs.frozen
class Taken:
    """One tender as recorded."""

    sequence: int
    kind: str
    minor: int

    @property
    def is_voucher(self) -> bool:
        return self.kind == "voucher"

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.sequence}"


@attrs.frozen
class Sale:
    """One order as recorded: its tenders in the order in which they were taken."""

    id: str
    tenders: tuple[Taken, ...]

    @property
    def total(self) -> int:
        return sum(each.minor for each in self.tenders)

    @property
    def vouchers(self) -> list[Taken]:
        """The vouchers that were worth something: there is no lot of nothing."""
        return [each for each in self.tenders if each.is_voucher and each.minor]

    @property
    def is_special(self) -> bool:
        return len(self.tenders) > 1 or self.tenders[0].sequence > 1 or not self.total

    @property
    def order(self) -> Order:
        """The order with lines of equal shares, the odd cents on the first ones."""
        many = 1 + int(self.id[0], 16) % 3
        whole, odd = divmod(self.total, many)
        return Order(
            self.id,
            [
                OrderLine(
                    str(line),
                    brl(whole + (line < odd)),
                    kind="shipping" if 0 < line == many - 1 else "goods",
                )
                for line in range(many)
            ],
        )


@attrs.frozen
class Marketplace:
    """Every order, and the accounts that its vouchers were issued to."""

    sales: list[Sale]
    credit: StoreCredit
    accounts: Mapping[str, Account]
    """By holder: an order's id for all of its vouchers, with a number for one of them."""
    lots: Mapping[str, int]
    """The sequence number of the voucher that a lot is."""

    def plan(self, sale: Sale, tenders: Sequence[Tender]) -> PaymentPlan:
        return plan_payment(sale.order, tenders, merchant=self.credit.merchant, at=NOW)

    def as_lots(self, sale: Sale) -> list[Tender]:
        """All vouchers as lots of one account, then what is external."""
        own = [Credit("voucher", self.accounts[sale.id])] if sale.vouchers else []
        return [*own, *externals(sale)]

    def as_codes(self, sale: Sale) -> list[Tender]:
        """Each voucher as a code of its own, then what is external."""
        codes = [
            Credit(each.name, self.accounts[f"{sale.id}/{each.sequence}"], kind="code")
            for each in sale.vouchers
        ]
        return [*codes, *externals(sale)]


def externals(sale: Sale) -> list[External]:
    """
    What the host charges, in order: all but the last up to what was recorded, the last the rest.

    Where only vouchers paid, a card stands there that must not be charged.
    """
    found = [each for each in sale.tenders if not each.is_voucher]
    last = External("unneeded")
    if found:
        last = External(found[-1].name, takes_back=found[-1].kind != "boleto")
    return [
        *(
            External(each.name, at_most=brl(each.minor), takes_back=each.kind != "boleto")
            for each in found[:-1]
        ),
        last,
    ]


def read(path: Path) -> list[Sale]:
    tenders: dict[str, list[Taken]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            minor = Decimal(row["payment_value"]).scaleb(2)
            assert minor == int(minor)
            taken = Taken(int(row["payment_sequential"]), row["payment_type"], int(minor))
            tenders[row["order_id"]].append(taken)
    return [
        Sale(order, tuple(sorted(found, key=lambda each: each.sequence)))
        for order, found in tenders.items()
    ]


def marketplace(folder: Path) -> Marketplace:
    """Read the file in that folder, and issue the vouchers."""
    sales = read(folder / "olist_order_payments_0_7.csv.gz")
    credit = StoreCredit(MemoryStorage(), merchant="olist", clock=lambda: NOW)
    vouchers = [(sale, each) for sale in sales for each in sale.vouchers]

    def grant(holder: str, each: Taken) -> Grant:
        # The order of use is the order in which they were taken, whatever the ids of the lots.
        return Grant(
            holder=holder,
            amount=brl(each.minor),
            funding="refund",
            priority=each.sequence,
            key=each.name,
        )

    in_one = credit.issue_many(grant(sale.id, each) for sale, each in vouchers)
    credit.issue_many(grant(f"{sale.id}/{each.sequence}", each) for sale, each in vouchers)
    holders = [sale.id for sale, _ in vouchers]
    holders += [f"{sale.id}/{each.sequence}" for sale, each in vouchers]
    accounts: dict[str, Account] = {}
    with credit.storage.snapshot() as reader:
        for holder in holders:
            account = reader.account("olist", holder, "BRL")
            assert account is not None
            accounts[holder] = account
    lots = {
        str(receipt.lot_id): each.sequence
        for receipt, (_, each) in zip(in_one, vouchers, strict=True)
    }
    return Marketplace(sales, credit, accounts, lots)


def refunded(olist: Marketplace) -> list[Sale]:
    """Everything special, and every hundredth of the rest."""
    plain = [sale for sale in olist.sales if not sale.is_special]
    return [*(sale for sale in olist.sales if sale.is_special), *plain[::EACH]]


def told(what: str, each: Sequence[Thing], capsys: pytest.CaptureFixture[str]) -> Iterator[Thing]:
    """Yield every order, and say now and then how far that is."""
    for number, one in enumerate(each, start=1):
        yield one
        if number % TOLD_EVERY == 0 or number == len(each):
            with capsys.disabled():
                print(f"\nolist: {what} {number:,} of {len(each):,} orders", end="", flush=True)
