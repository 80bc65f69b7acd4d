"""
The return reasons of a standard data set, mapped onto a policy that decides every complete row.

The file is `tpcds_sf0.1_returns.csv.gz`: 49,888 returns. TPC-DS knows 35 reasons; at this scale
three of them and the empty one occur. The cash and the charge of a row stand for what external
tenders paid, its store credit for what credit paid. What the policy gives each row is computed a
second time, in integers, by a few lines that know of no policy.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs
import pytest

from storecredit import Money
from storecredit.errors import InvalidReturn
from storecredit.ledger import Funding
from storecredit.policies import (
    OfferKind,
    Policy,
    ReturnLine,
    ReturnRequest,
    read_policy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAULTS = (
    "Package was damaged",
    "Stopped working",
    "Did not get it on time",
    "Not the product that was ordred",
    "Parts missing",
    "Does not work with a product that I have",
    "Not working any more",
)
"""What a shop answers for; spelled as the standard spells it."""
MINDS = (
    "Gift exchange",
    "Did not like the color",
    "Did not like the model",
    "Did not like the make",
    "Did not like the warranty",
    "No service location in my area",
    "Found a better price in a store",
    "Found a better extended warranty in a store",
    "Did not fit",
    "Wrong size",
    "Lost my job",
    "unauthoized purchase",
    "duplicate purchase",
    "its is a boy",
    "it is a girl",
)
UNNAMED = tuple(f"reason {number}" for number in range(23, 36))


def quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


POLICY = f"""
name = "tpcds"
version = "1"

[refund]
reasons = [{quoted((*FAULTS, *MINDS, *UNNAMED))}]

[[refund.rules]]
id = "gift"
because = "a gift becomes credit of whoever has it"
when = {{ gift = true }}
offer = ["credit", "exchange"]
bonus = {{ percent = 0 }}
fee = {{ percent = 0 }}

[[refund.rules]]
id = "fault"
when = {{ reasons = [{quoted(FAULTS)}], within = "P90D", since = "purchase" }}
offer = ["credit", "money"]
bonus = {{ percent = 10, at_most = "USD 50.00" }}

[[refund.rules]]
id = "late fault"
when = {{ reasons = [{quoted(FAULTS)}], after = "P90D", since = "purchase" }}
offer = ["credit"]
fee = {{ percent = "12.5", on = ["credit"] }}
credit = {{ expires = "P12M" }}

[[refund.rules]]
id = "changed mind"
when = {{ reasons = [{quoted((*MINDS, *UNNAMED))}], within = "P30D", since = "purchase" }}
offer = ["money"]

[[refund.rules]]
id = "nobody knows when"
because = "the purchase has no date"
when = {{ reasons = [{quoted((*FAULTS, *MINDS, *UNNAMED))}] }}
offer = []

[[refund.rules]]
id = "nobody knows why"
offer = ["credit"]
"""
LONGEST, PERCENT, HIGHEST = 90, 10, 5000


@attrs.frozen
class Row:
    """One complete row; amounts are cents."""

    id: str
    customer: str
    buyer: str
    sold: datetime | None
    returned: datetime
    reason: str
    external: int
    credit: int
    tax: int

    @property
    def request(self) -> ReturnRequest:
        lines = [
            ReturnLine(
                id="item",
                external=usd(self.external),
                restored=usd(self.credit),
                reason=self.reason or None,
            )
        ]
        if self.tax:
            tax = ReturnLine(
                id="tax", external=usd(self.tax), kind="tax", reason=self.reason or None
            )
            lines.append(tax)
        return ReturnRequest(
            id=self.id,
            merchant="tpcds",
            lines=lines,
            at=self.returned,
            purchased_at=self.sold,
            holder=self.customer or None,
            buyer=self.buyer or None,
        )

    @property
    def outcome(self) -> str:
        """What the policy has to say, by a few conditions of our own."""
        if self.buyer and self.buyer != self.customer:
            return "gift"
        if not self.reason:
            return "nobody knows why"
        if self.sold is None:
            return "nobody knows when"
        return "fault" if self.returned - self.sold <= timedelta(days=LONGEST) else "late fault"

    @property
    def given(self) -> dict[str, int]:
        """What goes back as credit, as bonus and to the lots that paid, and what is kept."""
        fees = {"item": 0, "tax": 0}
        if self.outcome == "late fault":
            fees = {"item": (self.external + self.credit) // 8, "tax": self.tax // 8}
        of_external = min(fees["item"], self.external) + fees["tax"]
        found = {
            "credit": self.external + self.tax - of_external,
            "restored": self.credit - max(fees["item"] - self.external, 0),
            "fee": sum(fees.values()),
            "bonus": 0,
        }
        if self.outcome == "fault":
            found["bonus"] = min(found["credit"] * PERCENT // 100, HIGHEST)
        return found


def usd(minor: int) -> Money:
    return Money.of_minor(minor, "USD")


def cents(cell: str) -> int:
    return int(Decimal(cell or "0").scaleb(2))


def day(cell: str) -> datetime | None:
    return datetime.fromisoformat(cell).replace(tzinfo=UTC) if cell else None


FOUR = ("return_amt", "refunded_cash", "reversed_charge", "store_credit")
LATEST = datetime(2004, 1, 1, tzinfo=UTC)


def read(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if not all(row[column] for column in FOUR):
                continue
            returned = day(row["returned_date"])
            yield Row(
                id=f"{row['channel']}-{row['order_no']}-{row['item']}",
                customer=row["customer"],
                buyer=row["buyer"],
                sold=None if returned is None else day(row["sold_date"]),
                returned=returned or LATEST,
                reason=row["reason"],
                external=cents(row["refunded_cash"]) + cents(row["reversed_charge"]),
                credit=cents(row["store_credit"]),
                tax=cents(row["return_tax"]),
            )


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(POLICY, form="toml", source="tpcds.toml")


@attrs.frozen
class Decided:
    """What the policy says of one row, in few words: there are many."""

    row: Row
    rules: tuple[str, ...]
    """The first rule that held, by line."""
    ways: tuple[str, ...]
    is_refused: tuple[bool, ...]
    credit: dict[str, int]
    """What is given where credit is taken, in cents; empty where it is not offered."""
    lots: dict[str, int]
    to_code: bool
    money: tuple[int, int, int] | None
    """To tenders, as credit and as bonus, where money is taken."""


def decide(row: Row, policy: Policy) -> Decided:
    offers = policy.offers(row.request)
    credit: dict[str, int] = {}
    lots: dict[str, int] = {}
    to_code, money = False, None
    if OfferKind.CREDIT in offers.kinds:
        decision = offers.choose(OfferKind.CREDIT)
        offer = decision.offer
        credit = {
            "credit": offer.credit.minor,
            "restored": offer.restored["USD"].minor,
            "fee": offer.fee.minor,
            "bonus": offer.bonus.minor,
            "tenders": offer.tenders.minor,
        }
        lots = {lot.funding.value: lot.amount.minor for lot in decision.lots}
        to_code = decision.to_code
    if OfferKind.MONEY in offers.kinds:
        offer = offers.offer("money")
        money = (offer.tenders.minor, offer.credit.minor, offer.bonus.minor)
    return Decided(
        row=row,
        rules=tuple(reasons.fired[0].rule for reasons in offers.reasons),
        ways=tuple(kind.value for kind in offers.kinds),
        is_refused=tuple(reasons.refused is not None for reasons in offers.reasons),
        credit=credit,
        lots=lots,
        to_code=to_code,
        money=money,
    )


@pytest.fixture(scope="module")
def decided(shared_data: Path, policy: Policy) -> list[Decided]:
    rows = read(shared_data / "tpcds_sf0.1_returns.csv.gz")
    return [decide(row, policy) for row in rows]


WAYS = {
    "gift": ("credit", "exchange"),
    "fault": ("credit", "money"),
    "late fault": ("credit",),
    "nobody knows when": (),
    "nobody knows why": ("credit",),
}


def test_p2_every_complete_row_is_decided_by_the_rule_that_is_for_it(
    decided: list[Decided],
) -> None:
    for each in decided:
        assert set(each.rules) == {each.row.outcome}, each
        assert each.ways == WAYS[each.row.outcome], each
        assert set(each.is_refused) == {not each.ways}, each
    assert Counter(each.row.outcome for each in decided) == {
        "gift": 11_841,
        "fault": 13_016,
        "late fault": 20_826,
        "nobody knows when": 1_149,
        "nobody knows why": 37,
    }


def test_p2_no_decision_gives_more_than_was_paid_and_the_bonus_that_its_rule_allows(
    decided: list[Decided],
) -> None:
    whole: Counter[str] = Counter()
    for each in decided:
        if not each.ways:
            continue
        row, found = each.row, each.credit
        assert found == {**row.given, "tenders": 0}, each
        paid = row.external + row.credit + row.tax
        assert found["credit"] + found["restored"] + found["fee"] == paid
        assert each.lots.get(Funding.REFUND, 0) == found["credit"]
        assert each.lots.get(Funding.PROMOTIONAL, 0) == found["bonus"]
        assert each.to_code is (not row.customer and bool(each.lots))
        whole.update(found)
    assert whole == {
        "credit": 37_328_841_99,
        "restored": 12_729_893_68,
        "fee": 3_121_694_29,
        "bonus": 378_677_00,
        "tenders": 0,
    }


def test_p2_what_may_be_taken_as_money_is_what_external_tenders_paid(
    decided: list[Decided],
) -> None:
    with_money = [each for each in decided if each.money is not None]
    assert len(with_money) == 13_016
    for each in with_money:
        assert each.money == (each.row.external + each.row.tax, 0, 0)


def test_p2_every_reason_of_the_standard_is_one_of_the_policys_and_others_are_refused(
    policy: Policy, decided: list[Decided]
) -> None:
    assert policy.refund is not None
    declared = policy.refund.reasons or ()
    assert len(declared) == 35
    assert {each.row.reason for each in decided} - {""} < set(declared)
    row = decided[0].row
    for reason in declared:
        asked = attrs.evolve(row, buyer=row.customer, reason=reason, sold=row.returned)
        assert policy.offers(asked.request).kinds in {("credit", "money"), ("money",)}
    with pytest.raises(InvalidReturn, match="one of Package was damaged, "):
        policy.offers(attrs.evolve(row, reason="Package was damages").request)
