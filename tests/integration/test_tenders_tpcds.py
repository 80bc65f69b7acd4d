"""
Refunds whose split somebody else has given, booked by hand and reconciled (T6).

The file is `tpcds_sf0.1_returns.csv.gz`: 49,888 returns, each with what came back in cash, as a
reversed charge, and as store credit. The split is random: it is booked, never predicted. Cells
are empty on purpose; a row that lacks one of the four amounts is counted, and not booked.

The file does not say how a sale was paid. So the charge and the credit of a row stand for exactly
what these have paid, and cash for the rest of the sale.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from storecredit import Money, StoreCredit
from storecredit.errors import InvalidTender
from storecredit.ledger import Account, Funding, Merchant
from storecredit.service import Grant
from storecredit.storage import MemoryStorage
from storecredit.tenders import (
    Credit,
    Destination,
    External,
    Order,
    OrderLine,
    Payment,
    RefundPlan,
    RefundRequest,
    RefundRules,
    Tender,
    plan_payment,
    plan_refund,
)

NOW = datetime(2003, 3, 1, tzinfo=UTC)
SHOP = Merchant(id="tpcds")
TOLD_EVERY = 10_000
EACH = 10
"""That credit is restored to the lots that paid is shown on every tenth row."""

SPLIT = {"cash": "refunded_cash", "charge": "reversed_charge", "credit": "store_credit"}
FOUR = ("return_amt", *SPLIT.values())


def usd(minor: int) -> Money:
    return Money.of_minor(minor, "USD")


@attrs.frozen
class Returned:
    """One row. An empty cell is None; amounts are cents."""

    id: str
    customer: str
    sold: tuple[int, int, int] | None
    """Pieces sold, what they cost, and pieces returned; None where a cell is empty."""
    amounts: dict[str, int | None]

    @property
    def empty(self) -> tuple[str, ...]:
        """Which of the four amounts are missing."""
        return tuple(column for column in FOUR if self.amounts[column] is None)

    @property
    def whole(self) -> int:
        return self.amounts["return_amt"] or 0

    @property
    def hand(self) -> dict[str, int]:
        """What the row says of each tender, where it says anything."""
        cells = {tender: self.amounts[column] for tender, column in SPLIT.items()}
        return {tender: minor for tender, minor in cells.items() if minor is not None}

    @property
    def order(self) -> Order:
        """The item as sold; where that is not known, what came back is all of it."""
        pieces, cost = (1, self.whole) if self.sold is None else self.sold[:2]
        return Order(self.id, [OrderLine("item", usd(cost), quantity=pieces)])

    @property
    def request(self) -> RefundRequest:
        return RefundRequest.of_lines({"item": None if self.sold is None else self.sold[2]})


def cents(cell: str) -> int | None:
    if not cell:
        return None
    minor = Decimal(cell).scaleb(2)
    assert minor == int(minor)
    return int(minor)


def read(path: Path) -> Iterator[Returned]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cost = cents(row["sold_amount"])
            sold = None
            if row["sold_qty"] and row["return_qty"] and cost is not None:
                sold = (int(row["sold_qty"]), cost, int(row["return_qty"]))
            yield Returned(
                id=f"{row['channel']}-{row['order_no']}-{row['item']}",
                customer=row["customer"],
                sold=sold,
                amounts={column: cents(row[column]) for column in FOUR},
            )


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[Returned]:
    return list(read(shared_data / "tpcds_sf0.1_returns.csv.gz"))


@pytest.fixture(scope="module")
def complete(rows: list[Returned]) -> list[Returned]:
    return [row for row in rows if not row.empty]


def told(what: str, rows: list[Returned], capsys: pytest.CaptureFixture[str]) -> Iterator[Returned]:
    """Yield every row, and say now and then how far that is."""
    for number, row in enumerate(rows, start=1):
        yield row
        if number % TOLD_EVERY == 0 or number == len(rows):
            with capsys.disabled():
                print(f"\ntpcds: {what} {number:,} of {len(rows):,} rows", end="", flush=True)


# --- What is there ---------------------------------------------------------------------------


def test_t6_what_is_incomplete_lacks_cells_and_is_counted(rows: list[Returned]) -> None:
    assert len(rows) == 49_888
    assert len({row.id for row in rows}) == len(rows)
    assert Counter(len(row.empty) for row in rows) == {0: 46_869, 1: 807, 2: 1_239, 3: 778, 4: 195}
    assert Counter(column for row in rows for column in row.empty) == {
        "return_amt": 1_619,
        "refunded_cash": 1_589,
        "reversed_charge": 1_611,
        "store_credit": 1_580,
    }


def test_t6_every_complete_row_splits_what_its_pieces_cost(complete: list[Returned]) -> None:
    assert all(sum(row.hand.values()) == row.whole for row in complete)
    known = [(row, *row.sold) for row in complete if row.sold is not None]
    assert len(known) == 44_886
    assert all(row.whole * pieces == cost * back for row, pieces, cost, back in known)
    assert sum(not row.whole for row in complete) == 453
    assert sum(not row.customer for row in complete) == 107


# --- Booked by hand ----------------------------------------------------------------------------


def externals(row: Returned) -> list[Tender]:
    """A charge, something that cannot be paid back to, and cash for the rest."""
    hand = row.hand
    return [
        External("charge", at_most=usd(hand.get("charge", 0))),
        External("credit", at_most=usd(hand.get("credit", 0)), takes_back=False),
        External("cash"),
    ]


def paid(row: Returned, tenders: list[Tender]) -> Payment:
    plan = plan_payment(row.order, tenders, merchant=SHOP, at=NOW)
    assert plan.is_complete
    return Payment.of(plan)


def by_hand(row: Returned) -> RefundRules:
    hand = {tender: usd(minor) for tender, minor in row.hand.items()}
    return RefundRules(tenders="by_hand", by_hand=hand)


def booked(payment: Payment, row: Returned) -> RefundPlan:
    """Plan the refund as the row gives it, and see that the money is where its columns say."""
    plan = plan_refund(payment, row.request, rules=by_hand(row))
    assert plan.returned["USD"] == usd(row.whole), row
    assert plan.tender("cash")["USD"] == usd(row.hand["cash"]), row
    assert plan.tender("charge")["USD"] == usd(row.hand["charge"]), row
    assert sum(part.covers.minor for part in plan.parts) == row.whole
    assert all(part.covers.is_positive and part.amount == part.covers for part in plan.parts)
    assert (plan.unplaced, plan.goodwill) == ((), ())
    return plan


@pytest.mark.parametrize(
    ("channel", "counts"),
    [
        ("store", (26_687, 25_900, 67)),
        ("catalog", (13_714, 13_261, 23)),
        ("web", (6_468, 6_252, 16)),
    ],
)
def test_t6_each_complete_row_is_booked_as_given_and_its_credit_is_issued_anew(
    complete: list[Returned],
    channel: str,
    counts: tuple[int, int, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [row for row in complete if row.id.startswith(f"{channel}-")]
    grants: list[Grant] = []
    guests = 0
    for row in told(f"booked by {channel}", rows, capsys):
        plan = booked(paid(row, externals(row)), row)
        new = plan.new_credit()["USD"]
        assert new == usd(row.hand["credit"]) == plan.to(Destination.CREDIT)["USD"]
        assert plan.tender("credit").is_zero
        fundings = {part.funding for part in plan.parts if part.to is Destination.CREDIT}
        assert fundings <= {Funding.REFUND}
        if new.is_positive and row.customer:
            grants.append(Grant(holder=row.customer, amount=new, funding="refund", key=row.id))
        elif new.is_positive:
            guests += 1
    assert (len(rows), len(grants), guests) == counts
    credit = StoreCredit(MemoryStorage(), merchant=SHOP, clock=lambda: NOW)
    assert sum(1 for _ in credit.issue_each(grants)) == len(grants)
    given: Counter[str] = Counter()
    for row in rows:
        if row.customer:
            given[row.customer] += row.hand["credit"]
    held = {holder: credit.account(holder, "USD").available.minor for holder in given}
    assert held == given


def test_t6_credit_that_has_paid_is_restored_and_the_rest_of_the_sale_stays_refundable(
    complete: list[Returned],
) -> None:
    credit = StoreCredit(MemoryStorage(), merchant=SHOP, clock=lambda: NOW)
    sample = complete[::EACH]
    for row in sample:
        if row.hand["credit"]:
            amount = usd(row.hand["credit"])
            credit.issue(row.id, amount, funding="refund", key="earlier")
    with credit.storage.snapshot() as reader:
        accounts = {row.id: reader.account(SHOP.id, row.id, "USD") for row in sample}
    for row in sample:
        payment = paid(row, with_account(row, accounts[row.id]))
        plan = booked(payment, row)
        assert plan.tender("credit")["USD"] == usd(row.hand["credit"])
        assert all(part.to is Destination.TENDER for part in plan.parts)
        asked = {each.tender: each.amount.minor for each in plan.instructions(payment, key="r")}
        assert asked == {name: row.hand[name] for name in ("cash", "charge") if row.hand[name]}
        payment = payment.with_return(plan.as_return(payment, key="r"))
        rest = plan_refund(payment, RefundRequest.of_everything(payment))
        assert {part.tender for part in rest.parts} <= {"cash"}
        assert rest.returned + plan.returned == payment.paid


def with_account(row: Returned, account: Account | None) -> list[Tender]:
    own: list[Tender] = [] if account is None else [Credit("credit", account)]
    charge = External("charge", at_most=usd(row.hand["charge"]))
    # By hand, each tender that is named has to be one of the payment's.
    none = [External("credit")] if account is None else []
    return [*own, charge, External("cash"), *none]


def test_t6_a_split_that_lacks_a_cell_is_refused_unless_the_cell_was_nothing(
    rows: list[Returned],
) -> None:
    found: Counter[str] = Counter()
    for row in rows:
        if not row.empty or "return_amt" in row.empty:
            continue
        payment = paid(row, externals(row))
        if sum(row.hand.values()) == row.whole and row.hand:
            booked_in_part = plan_refund(payment, row.request, rules=by_hand(row))
            assert booked_in_part.returned["USD"] == usd(row.whole)
            found["the cell was nothing"] += 1
        else:
            with pytest.raises(InvalidTender):
                plan_refund(payment, row.request, rules=by_hand(row))
            found["refused"] += 1
    assert found == {"refused": 1_377, "the cell was nothing": 23}
