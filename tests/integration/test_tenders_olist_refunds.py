"""
Refunds of a real marketplace's orders keep the laws, under every rule (T6).

What is expected is worked out here, in whole cents, by code that knows nothing of the library's.
Refunded are all orders with more than one tender, those that lack their first one or come to
nothing, and every hundredth of the others: 2,034 of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import pytest
from olist_payments import Marketplace, brl, marketplace, refunded, told

from storecredit.ledger import Funding
from storecredit.tenders import (
    Destination,
    Payment,
    PaymentPlan,
    RefundItem,
    RefundPlan,
    RefundRequest,
    RefundRules,
    TenderRule,
    plan_refund,
)
from storecredit.values import Rounding

Part = tuple[str, str | None, str]
"""A tender, a lot of it, and a line."""
Left = dict[Part, int]
"""What is left of what each tender and lot paid of each line, in cents, as drawn."""


@pytest.fixture(scope="module")
def olist(shared_data: Path) -> Marketplace:
    return marketplace(shared_data)


# --- A desk of our own ---------------------------------------------------------------------------


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Divide by largest remainder, ties to the earlier one."""
    if not total:
        return [0] * len(weights)
    whole = sum(weights)
    found = [total * weight // whole for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), n))
    for place in by_rest[: total - sum(found)]:
        found[place] += 1
    return found


@attrs.define
class Desk:
    """What is left of a payment, kept beside the library, and what each rule has to do with it."""

    payment: Payment
    left: Left
    refunds: int = 0

    @classmethod
    def of(cls, plan: PaymentPlan) -> Desk:
        left = {(part.tender, part.lot, part.line): part.covers.minor for part in plan.parts}
        assert len(left) == len(plan.parts)
        return cls(Payment.of(plan), left)

    def by_tender(self, *, line: str | None = None) -> dict[str, int]:
        """What is left of each tender, of one line or of all, in the order in which they paid."""
        found = {each.id: 0 for each in self.payment.tenders}
        for (tender, _, of), minor in self.left.items():
            if line in (None, of):
                found[tender] += minor
        return {tender: minor for tender, minor in found.items() if minor}

    def by_line(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for (_, _, line), minor in self.left.items():
            found[line] += minor
        return dict(found)

    def expected(self, rule: TenderRule, minor: int, *, line: str | None = None) -> dict[str, int]:
        """
        What each tender has to get of *minor*, of one line or of all.

        By hand, the tender with the least left is emptied first; of equals the one that paid first.
        """
        left = self.by_tender(line=line)
        names = list(left)
        if rule is TenderRule.PROPORTIONAL:
            return dict(zip(names, share_out(minor, list(left.values())), strict=True))
        money = {each.id for each in self.payment.tenders if each.kind == "external"}
        queue = {
            TenderRule.CREDIT_FIRST: sorted(names, key=lambda name: name in money),
            TenderRule.EXTERNAL_FIRST: sorted(names, key=lambda name: name not in money),
            TenderRule.LAST_PAID_FIRST: names[::-1],
            TenderRule.TENDER_ORDER: names,
            TenderRule.BY_HAND: sorted(names, key=lambda name: left[name]),
        }[rule]
        found: dict[str, int] = {}
        for name in queue:
            found[name] = min(left[name], minor)
            minor -= found[name]
        return found

    def refund(self, rule: TenderRule, lines: Mapping[str, int] | int) -> RefundPlan:
        """Refund amounts of *lines*, or an amount of the whole order, and check every law."""
        expected: Counter[str] = Counter()
        if isinstance(lines, int):
            expected.update(self.expected(rule, lines))
            request = RefundRequest.of_amount(brl(lines))
        else:
            for line, minor in lines.items():
                expected.update(self.expected(rule, minor, line=line))
            items = [RefundItem(line, amounts=brl(minor)) for line, minor in lines.items()]
            request = RefundRequest(items=items)
        return self.carried_out(request, rule, expected, lines)

    def refund_the_rest(self, rule: TenderRule) -> RefundPlan:
        """Refund all that is left, and see that then nothing is."""
        expected = Counter(self.by_tender())
        request = RefundRequest.of_everything(self.payment)
        done = self.carried_out(request, rule, expected, self.by_line())
        assert not any(self.left.values())
        assert self.payment.returned == self.payment.paid
        assert plan_refund(self.payment, RefundRequest.of_everything(self.payment)).parts == ()
        return done

    def carried_out(
        self,
        request: RefundRequest,
        rule: TenderRule,
        expected: Counter[str],
        lines: Mapping[str, int] | int,
    ) -> RefundPlan:
        hand = {}
        if rule is TenderRule.BY_HAND:
            hand = {name: brl(minor) for name, minor in expected.items()} or {"unneeded": brl(0)}
        plan = plan_refund(self.payment, request, rules=RefundRules(tenders=rule, by_hand=hand))
        self.take(plan)
        back: Counter[str] = Counter()
        of_lines: Counter[str] = Counter()
        for part in plan.parts:
            back[part.tender] += part.covers.minor
            of_lines[part.line] += part.covers.minor
        assert back == +expected
        if isinstance(lines, int):
            assert of_lines.total() == lines
        else:
            assert of_lines == +Counter(lines)
        assert (plan.unplaced, plan.goodwill, plan.missing) == ((), (), None)
        self.refunds += 1
        self.payment = self.payment.with_return(
            plan.as_return(self.payment, key=f"r{self.refunds}")
        )
        return plan

    def take(self, plan: RefundPlan) -> None:
        """Take the parts from what is left: never more than that, the last drawn first (A7)."""
        touched = set()
        for part in plan.parts:
            key = (part.tender, part.lot, part.line)
            assert part.amount == part.covers
            assert 0 < part.covers.minor <= self.left[key]
            assert key not in touched
            touched.add(key)
            self.left[key] -= part.covers.minor
            takes_back = not part.tender.startswith("boleto")
            assert part.to is (Destination.TENDER if takes_back else Destination.CREDIT)
            assert takes_back or part.funding is Funding.REFUND
        for tender, line in {(tender, line) for tender, _, line in touched}:
            lots = [key for key in self.left if (key[0], key[2]) == (tender, line)]
            begun = [number for number, key in enumerate(lots) if key in touched]
            assert not any(self.left[key] for key in lots[min(begun) + 1 :])


def percent_of(total: int, percent: int) -> int:
    """So many hundredths, rounded half up."""
    return (2 * total * percent + 100) // 200


def refund_in_every_way(plan: PaymentPlan, rule: TenderRule) -> int:
    """Refund 1, 33, 50, 99 and 100 % of a payment, all of it in each row of steps."""
    total = sum(part.covers.minor for part in plan.parts)
    steps = Desk.of(plan)
    for percent in (1, 33, 50):
        asked = RefundRequest.of_percent(steps.payment, percent, rounding=Rounding.HALF_UP)
        minor = percent_of(total, percent)
        assert asked == RefundRequest.of_amount(*([brl(minor)] if total else []))
        steps.refund(rule, min(minor, sum(steps.left.values())))
    steps.refund_the_rest(rule)
    by_line = Desk.of(plan)
    shares = {line: percent_of(minor, 99) for line, minor in by_line.by_line().items()}
    by_line.refund(rule, {line: minor for line, minor in shares.items() if minor})
    by_line.refund_the_rest(rule)
    at_once = Desk.of(plan)
    at_once.refund_the_rest(rule)
    return steps.refunds + by_line.refunds + at_once.refunds


# --- Every rule ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def over_lots(olist: Marketplace) -> list[PaymentPlan]:
    return [olist.plan(sale, olist.as_lots(sale)) for sale in refunded(olist)]


@pytest.fixture(scope="module")
def over_codes(olist: Marketplace) -> list[PaymentPlan]:
    return [
        olist.plan(sale, olist.as_codes(sale)) for sale in olist.sales if len(sale.vouchers) > 1
    ]


@pytest.mark.parametrize("rule", TenderRule)
def test_t6_refunds_over_lots_and_cards_keep_the_laws_and_end_at_what_each_has_paid(
    over_lots: list[PaymentPlan], rule: TenderRule, capsys: pytest.CaptureFixture[str]
) -> None:
    plans = told(f"refunded by {rule}", over_lots, capsys)
    assert sum(refund_in_every_way(plan, rule) for plan in plans) == 7 * 2_034


@pytest.mark.parametrize("rule", TenderRule)
def test_t6_refunds_over_up_to_22_codes_and_cards_keep_the_laws(
    over_codes: list[PaymentPlan], rule: TenderRule, capsys: pytest.CaptureFixture[str]
) -> None:
    plans = told(f"with codes refunded by {rule}", over_codes, capsys)
    assert sum(refund_in_every_way(plan, rule) for plan in plans) == 7 * 424


def test_t6_what_a_bank_slip_has_paid_becomes_new_credit_and_no_order_to_the_bank(
    olist: Marketplace,
) -> None:
    slips = [sale for sale in refunded(olist) if sale.tenders[0].kind == "boleto"]
    assert len(slips) > 50
    for sale in slips:
        desk = Desk.of(olist.plan(sale, olist.as_lots(sale)))
        half = desk.refund(TenderRule.CREDIT_FIRST, percent_of(sale.total, 50))
        rest = desk.refund_the_rest(TenderRule.CREDIT_FIRST)
        assert (half.new_credit() + rest.new_credit())["BRL"] == brl(sale.total)
        for plan in (half, rest):
            assert plan.instructions(desk.payment, key="r") == ()
            assert plan.to(Destination.TENDER).is_zero


def test_t6_a_bank_slip_with_nothing_to_redirect_to_is_told_as_unplaced(
    olist: Marketplace,
) -> None:
    sale = next(each for each in olist.sales if each.tenders[0].kind == "boleto")
    payment = Payment.of(olist.plan(sale, olist.as_lots(sale)))
    everything = RefundRequest.of_everything(payment)
    plan = plan_refund(payment, everything, rules=RefundRules(redirect="leave"))
    assert plan.parts == ()
    assert {each.because.value for each in plan.unplaced} == {"takes_nothing_back"}
    assert sum(each.amount.minor for each in plan.unplaced) == sale.total
