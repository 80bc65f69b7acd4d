"""
A real marketplace's payments are planned again, and come out as recorded (T2).

Every order of the file is planned; `olist_payments.py` says what is made of it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from olist_payments import Marketplace, Sale, brl, marketplace, refunded, told

from storecredit.tenders import AlreadyPaid, Credit, External, PaymentPlan, Tender


@pytest.fixture(scope="module")
def olist(shared_data: Path) -> Marketplace:
    return marketplace(shared_data)


def test_t2_the_file_has_the_orders_that_these_tests_speak_of(olist: Marketplace) -> None:
    sales = olist.sales
    assert sum(len(sale.tenders) for sale in sales) == 51_944
    assert len(sales) == 49_635
    assert Counter(each.kind for sale in sales for each in sale.tenders) == {
        "credit_card": 38_289,
        "boleto": 9_873,
        "voucher": 3_029,
        "debit_card": 751,
        "not_defined": 2,
    }
    # The longest order of the whole of Olist has 29; in the orders 0 to 7 it is 22.
    assert max(len(sale.tenders) for sale in sales) == 22
    assert sum(len(sale.tenders) > 1 for sale in sales) == 1_514
    assert sum(len(sale.vouchers) > 1 for sale in sales) == 424
    zero = Counter(each.kind for sale in sales for each in sale.tenders if not each.minor)
    assert zero == {"voucher": 2, "not_defined": 2}
    assert sum(not sale.total for sale in sales) == 2
    assert sum(sale.tenders[0].sequence > 1 for sale in sales) == 37
    assert Counter(len(sale.order.lines) for sale in sales).keys() == {1, 2, 3}
    assert len(refunded(olist)) == 2_034


# --- Planning --------------------------------------------------------------------------------


def outcome(olist: Marketplace, sale: Sale, plan: PaymentPlan) -> dict[int, int]:
    """What the plan takes, by the sequence number of the tender, in cents."""
    numbers = {each.name: each.sequence for each in sale.tenders}
    found = dict.fromkeys(numbers.values(), 0)
    for tender in plan.tenders:
        if tender.kind == "external":
            taken = plan.taken(tender.id)["BRL"].minor
            charged = sum(each.amount.minor for each in plan.charges if each.tender == tender.id)
            assert taken == charged or tender.is_paid
            if tender.id in numbers:
                found[numbers[tender.id]] += taken
            else:
                assert not taken, "only vouchers have paid"
        for lot, amount in plan.draws(tender.id):
            if lot is not None:
                found[olist.lots.get(lot) or numbers[tender.id]] += amount.minor
    return found


def recorded(sale: Sale) -> dict[int, int]:
    return {each.sequence: each.minor for each in sale.tenders}


def pays_every_line(plan: PaymentPlan) -> bool:
    paid: Counter[str] = Counter()
    for part in plan.parts:
        assert part.amount == part.covers
        assert part.covers.is_positive
        paid[part.line] += part.covers.minor
    due = {line.id: line.due[0].minor for line in plan.lines}
    return plan.is_complete and +Counter(due) == paid


def test_t2_every_order_with_vouchers_as_lots_gives_back_the_recorded_amounts(
    olist: Marketplace, capsys: pytest.CaptureFixture[str]
) -> None:
    for sale in told("planned", olist.sales, capsys):
        plan = olist.plan(sale, olist.as_lots(sale))
        assert outcome(olist, sale, plan) == recorded(sale), sale
        assert pays_every_line(plan), sale
        drawn = [olist.lots[lot] for lot, _ in plan.draws("voucher") if lot is not None]
        assert drawn == [each.sequence for each in sale.vouchers]


def test_t2_vouchers_as_codes_give_back_the_recorded_amounts_too(olist: Marketplace) -> None:
    sales = [sale for sale in olist.sales if len(sale.tenders) > 1]
    for sale in sales:
        plan = olist.plan(sale, olist.as_codes(sale))
        assert outcome(olist, sale, plan) == recorded(sale), sale
        assert pays_every_line(plan), sale


def test_t2_what_was_charged_before_a_voucher_counts_first_and_the_amounts_are_the_same(
    olist: Marketplace,
) -> None:
    sales = [
        sale
        for sale in olist.sales
        if sale.vouchers and not sale.tenders[0].is_voucher and sale.tenders[0].minor
    ]
    assert len(sales) == 1_143
    for sale in sales:
        first = sale.tenders[0]
        others = [each for each in sale.tenders if not each.is_voucher][1:]
        tenders: list[Tender] = [
            Credit("voucher", olist.accounts[sale.id]),
            AlreadyPaid(first.name, brl(first.minor)),
            *(AlreadyPaid(each.name, brl(each.minor)) for each in others),
            External("unneeded"),
        ]
        plan = olist.plan(sale, tenders)
        assert outcome(olist, sale, plan) == recorded(sale), sale
        assert pays_every_line(plan), sale
        assert plan.overpaid == ()
