"""No order of buying, returning and refunding makes money, or turns a bonus into cash (P2, A7)."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from returns_desk import Returns, a_policy, sold

from storecredit.policies import Bonus, Fee, RefundRule
from storecredit.storage import MemoryStorage
from storecredit.tenders import External, Order
from storecredit.values import Money

POLICY = a_policy(
    (
        RefundRule(
            id="generous",
            offer=("credit", "money"),
            bonus=Bonus(percent=10),
            fee=Fee(percent=5, on=("money",)),
        ),
    )
)


@attrs.frozen
class Round:
    """One order that is bought, and returned in one or two cases."""

    price: int
    pieces: int
    back: int
    accepted: int
    kinds: tuple[str, str]
    fails: bool
    """Whether the card takes nothing back, so that credit is given in place of money."""


@st.composite
def rounds(draw: st.DrawFn) -> Round:
    pieces = draw(st.integers(1, 5))
    back = draw(st.integers(1, pieces))
    kind = st.sampled_from(["credit", "money"])
    return Round(
        price=draw(st.integers(1, 10_000)),
        pieces=pieces,
        back=back,
        accepted=draw(st.integers(0, back)),
        kinds=(draw(kind), draw(kind)),
        fails=draw(st.booleans()),
    )


def cents(minor: int) -> Money:
    return Money.of_minor(minor, "EUR")


def bought(returns: Returns, order: str, each: Round) -> int:
    """Buy with all the credit there is, and a card; return what the card paid."""
    credit = returns.credit
    line = sold("1", str(cents(each.price).decimal), quantity=each.pieces)
    plan = credit.plan_payment(
        Order(order, [line]), [credit.tender("credit", "c-17", "EUR"), External("card")]
    )
    checkout = credit.begin_checkout(plan, key="begin")
    paid = 0
    for due in checkout.charges:
        paid += due.amount.minor
        checkout.charge(due.tender, key="charge")
        checkout.settle_charge("charge", "confirmed")
    checkout.complete(key="paid")
    return paid


@settings(deadline=None, max_examples=max(settings().max_examples // 2, 3))
@given(start=st.integers(0, 2_000), story=st.lists(rounds(), min_size=1, max_size=4))
def test_p2_a_balance_is_never_pumped_and_a_bonus_never_becomes_cash(
    start: int, story: list[Round]
) -> None:
    storage = MemoryStorage()
    returns = Returns(storage)
    credit = returns.credit
    if start:
        credit.issue("c-17", cents(start), funding="promotional", key="start")
    card_in = card_out = credited = bonus = kept = 0
    for number, each in enumerate(story):
        order = f"o-{number}"
        paid = bought(returns, order, each)
        card_in += paid
        out = 0
        for part, kind in enumerate(each.kinds):
            left = each.back if part == 0 else each.pieces - each.accepted
            if not left:
                continue
            name = f"{order}/{part}"
            lines = credit.return_lines(order, {"1": left})
            asked = returns.asked(*lines, id=name, order=order)
            decision = POLICY.offers(asked).choose(kind)
            case = credit.request_refund(decision, key="ask")
            case.approve(key="yes")
            case.receive(key="here")
            accepted = each.accepted if part == 0 else left
            case.inspect(key="seen", accepted={"1": accepted})
            if not accepted:
                case.deny(key="no")
                continue
            final = case.record.final.offer
            if final.tenders.is_zero and final.credit.is_zero and final.restored.is_zero:
                case.deny(key="no")
                continue
            case.complete(key="done")
            credited += final.credit.minor
            bonus += final.bonus.minor
            kept += final.fee.minor
            for due in case.refunds_due:
                case.settle_refund(due.key, "failed" if each.fails else "confirmed")
                if each.fails:
                    case.redirect(due.key, key="turn", consent=True)
                else:
                    out += due.amount.minor
        assert out <= paid, "more cash went out than this order had brought in"
        card_out += out
    payments = [credit.checkout(f"o-{number}").payment for number in range(len(story))]
    goods = sum(each.paid["EUR"].minor - each.returned["EUR"].minor for each in payments)
    available = credit.account("c-17", "EUR").available.minor
    # Everything is somewhere: in the balance, with the customer in cash, or paid for what was kept.
    assert available + card_out + goods == start + card_in + bonus
    assert 0 <= bonus <= credited // 10
    assert credited <= card_in
    assert kept <= goods
    lots = returns.shop.whole("c-17", unit="EUR").lots.values() if available else ()
    promotional = sum(lot.remaining for lot in lots if lot.terms.funding == "promotional")
    assert promotional <= start + bonus
    assert credit.verify().ok
    storage.close()
