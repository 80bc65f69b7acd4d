"""
The capped cases of other libraries, as payments: what a cap does not let through stays (T2, T3).

`test_allocation_cases.py` divides the same amounts by `allocate_capped`. Here they are paid. Once
the amount is credit and the maxima are lines, which are paid in proportion to what they lack; once
the amount is due and the maxima are what several tenders give, which pay one after the other.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storecredit import Limits, Merchant, Money, StoreCredit
from storecredit.ledger import Account
from storecredit.storage import MemoryStorage
from storecredit.tenders import (
    Credit,
    CreditRule,
    External,
    Order,
    OrderLine,
    PaymentPlan,
    Tender,
    plan_payment,
)

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
CASES = Path(os.environ.get("STORECREDIT_DATA") or BESIDE) / "allocation_cases.json"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
SHOP = Merchant(id="capped")

Case = dict[str, Any]

# In these two, more than the maxima decides who gives: the totals of the lines (their notes).
BY_TOTALS = {"sylius-cap-01", "sylius-cap-02"}
# In these, several tenders could pay all of it, and theirs share it; here the first ones do.
SHARED = {"shopify-cap-05": [100, 0, 0], "shopify-cap-08": [2420, 0, 0, 0, 0]}
SHARED_AND_BY_TOTALS = {**SHARED, "sylius-cap-01": [1000, 100, 0, 100]}


def cases() -> list[Any]:
    """The cases, each under its id; without the file, one that is skipped."""
    if not CASES.is_file():
        return [pytest.param({}, id="no data")]
    found = json.loads(CASES.read_text(encoding="utf-8"))["capped_cases"]
    return [pytest.param(case, id=case["id"]) for case in found]


@pytest.fixture(autouse=True)
def _the_data_is_there(shared_data: Path) -> None:
    """Skip, with the reason printed, where there is no folder of other people's data."""
    assert (shared_data / "allocation_cases.json").is_file()


def money(case: Case, minor: int) -> Money:
    return Money.of_minor(minor, case["currency"])


def account(case: Case, minor: int) -> Account:
    """An account that holds one lot."""
    credit = StoreCredit(MemoryStorage(), merchant=SHOP, clock=lambda: NOW)
    credit.issue("c-1", money(case, minor), funding="refund", key="lot")
    with credit.storage.snapshot() as reader:
        found = reader.account(SHOP.id, "c-1", case["currency"])
    assert found is not None
    return found


def planned(
    order: Order, tenders: list[Tender], *, rules: tuple[CreditRule, ...] = ()
) -> PaymentPlan:
    return plan_payment(order, tenders, merchant=SHOP, at=NOW, rules=rules)


def by_line(plan: PaymentPlan, tender: str) -> list[int]:
    paid = {line.id: 0 for line in plan.lines}
    for part in plan.parts:
        if part.tender == tender:
            paid[part.line] += part.covers.minor
    return list(paid.values())


# --- The amount is credit, the maxima are lines ---------------------------------------------------


def lines(case: Case) -> Order:
    return Order(
        "o-1",
        [
            OrderLine(str(number), money(case, most))
            for number, most in enumerate(case["maxima_minor"])
        ],
    )


def expected_by_line(case: Case) -> list[int]:
    """As in the file, but where it goes by totals: in proportion to the maxima themselves."""
    if case["id"] == "sylius-cap-01":  # 1200 over 1000, 100, 0, 400: no line is full
        return [800, 80, 0, 320]
    if case["id"] == "sylius-cap-02":  # 2500 over 500, 6000
        return [192, 2308]
    return list(case["expected_minor"])


@pytest.mark.parametrize("case", cases())
@pytest.mark.parametrize("cap", ["the lot", "up_to", "at_most"])
def test_t2_capped_credit_pays_the_lines_as_the_case_divides_and_keeps_what_is_unallocated(
    case: Case, cap: str
) -> None:
    amount = money(case, case["amount_minor"])
    held = account(case, case["amount_minor"] + (0 if cap == "the lot" else 77_777))
    wallet = Credit("credit", held, up_to=amount if cap == "up_to" else None)
    rules = (CreditRule(case["currency"], at_most=amount),) if cap == "at_most" else ()
    plan = planned(lines(case), [wallet, External("card")], rules=rules)
    assert by_line(plan, "credit") == expected_by_line(case)
    assert amount - plan.taken("credit")[amount.unit] == money(case, case["unallocated_minor"])
    due = sum(case["maxima_minor"])
    assert sum(by_line(plan, "card")) == max(due - case["amount_minor"], 0)
    assert plan.is_complete


# --- The amount is due, the maxima are what tenders give ------------------------------------------


def tenders_with(case: Case, kind: str) -> list[Tender]:
    maxima = [money(case, most) for most in case["maxima_minor"]]
    if kind == "at_most":
        return [External(str(number), at_most=most) for number, most in enumerate(maxima)]
    if kind == "up_to":
        return [
            Credit(str(number), account(case, case["amount_minor"] * 9), up_to=most)
            for number, most in enumerate(maxima)
        ]
    return [
        Credit(str(number), account(case, most.minor))
        for number, most in enumerate(maxima)
        if most.is_positive
    ]


@pytest.mark.parametrize("case", cases())
@pytest.mark.parametrize("kind", ["the lot", "up_to", "at_most"])
def test_t2_capped_tenders_pay_in_order_and_what_is_unallocated_is_short(
    case: Case, kind: str
) -> None:
    amount = money(case, case["amount_minor"])
    plan = planned(Order("o-1", [OrderLine("1", amount)]), tenders_with(case, kind))
    places = range(len(case["maxima_minor"]))
    given = [plan.taken(str(place))[amount.unit].minor for place in places]
    assert given == SHARED_AND_BY_TOTALS.get(case["id"], case["expected_minor"])
    assert plan.shortage[amount.unit] == money(case, case["unallocated_minor"])


# --- Both: a limited lot for each line, under one cap for all --------------------------------------


@pytest.mark.parametrize("case", cases())
def test_t3_lots_of_one_line_each_under_a_common_cap_place_all_that_the_case_places(
    case: Case,
) -> None:
    credit = StoreCredit(MemoryStorage(), merchant=SHOP, clock=lambda: NOW)
    for number, most in enumerate(case["maxima_minor"]):
        if most:
            only = Limits(lines=[str(number)])
            voucher = money(case, most)
            credit.issue(
                "c-1", voucher, funding="refund", priority=number, limits=only, key=str(number)
            )
    with credit.storage.snapshot() as reader:
        held = reader.account(SHOP.id, "c-1", case["currency"])
    amount = money(case, case["amount_minor"])
    # Twice as much is due as the vouchers are worth, so that they and not the lines bind.
    order = Order(
        "o-1",
        [
            OrderLine(str(number), money(case, 2 * most))
            for number, most in enumerate(case["maxima_minor"])
        ],
    )
    wallet: list[Tender] = [] if held is None else [Credit("credit", held)]
    rules = (CreditRule(case["currency"], at_most=amount),)
    plan = planned(order, [*wallet, External("card")], rules=rules)
    paid = by_line(plan, "credit")
    assert paid == SHARED_AND_BY_TOTALS.get(case["id"], case["expected_minor"])
    assert sum(paid) == case["amount_minor"] - case["unallocated_minor"]


def test_the_cases_that_are_told_apart_are_still_in_the_file(shared_data: Path) -> None:
    document = json.loads((shared_data / "allocation_cases.json").read_text(encoding="utf-8"))
    ids = {case["id"] for case in document["capped_cases"]}
    assert len(ids) == len(document["capped_cases"]) == 11
    assert ids >= BY_TOTALS | SHARED_AND_BY_TOTALS.keys()
