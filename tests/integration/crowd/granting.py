"""Processes that give by decisions together: the same ones, and all under one ceiling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from crowd.clients import Client
from storecredit import Money, StoreCredit
from storecredit.errors import (
    EarnedChanged,
    GrantCeilingReached,
    InvalidOrder,
    PaymentStepRepeated,
    QuantityExceedsRest,
)
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.earn_rule import EarningPolicy, EarnRule
from storecredit.policies.earning import EarnDecision, earn
from storecredit.policies.gift import Gift, GrantCeiling
from storecredit.policies.goodwill import GoodwillPolicy, GoodwillRule, give_goodwill
from storecredit.policies.grant_decision import GrantDecision
from storecredit.policies.occasion import Occasion
from storecredit.policies.purchase import Purchase, PurchaseLine, Returned
from storecredit.policies.top_up import TopUpDecision, TopUpPolicy, credit_top_up
from storecredit.tenders import External, Order, OrderLine, RefundRequest
from storecredit.values import Period

Ready = Callable[[], None]
AT = datetime(2026, 1, 1, tzinfo=UTC)
NAMED = PolicyVersion("shop", "1")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def sorry(ticket: str, holder: str, most: int) -> GrantDecision:
    """Return a decision about one dollar, of which *most* are given in a month."""
    month = GrantCeiling(id="month", period=Period(days=30), amount=usd(f"{most}.00"))
    rule = GoodwillRule(id="sorry", on="apology", gives=Gift(amount=usd("1.00")))
    policy = GoodwillPolicy(rules=[rule], ceilings=[month])
    event = Occasion(id=ticket, on="apology", holder=holder, at=AT)
    return give_goodwill(policy, event, named=NAMED)


def bought(order: str) -> EarnDecision:
    """Return what ten lines of USD 10.00 earn: 100 euros, which stand for points."""
    rule = EarnRule(id="all", per=usd("1.00"), points=1, unit="EUR")
    lines = [PurchaseLine(id=str(number), amount=usd("10.00")) for number in range(10)]
    purchase = Purchase(order=order, holder="anna", lines=lines, at=AT)
    return earn(EarningPolicy(rules=[rule]), purchase, named=NAMED, units=[])


def paid(payment: str) -> TopUpDecision:
    """Return a payment of ten dollars."""
    policy = TopUpPolicy(id="wallet", minimum=usd("1.00"))
    return credit_top_up(policy, usd("10.00"), holder="anna", payment=payment, named=NAMED)


def grant_under_a_ceiling(
    ready: Ready, *, client: dict[str, Any], tickets: Sequence[str], most: int
) -> dict[str, Any]:
    """Say sorry to anna about each of the *tickets*, as long as the ceiling lets it through."""
    mine, answers = Client(**client), list[str]()
    mine.connect()
    ready()
    for ticket in tickets:
        answers.append(mine.do(lambda credit, ticket=ticket: _grant(credit, ticket, most)))
    return {"answers": answers}


def _grant(credit: StoreCredit, ticket: str, most: int) -> str:
    try:
        given = credit.grant(sorry(ticket, "anna", most))
    except GrantCeilingReached:
        return "refused"
    return "replayed" if given.replayed else "given"


def deliver_twice(ready: Ready, *, client: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Let each order earn, credit each payment, and bring a line back: as everybody else does."""
    mine, fresh = Client(**client), 0
    mine.connect()
    ready()
    for name in names:
        acts: list[Callable[[StoreCredit], Any]] = [
            lambda credit, name=name: credit.earn(bought(name)),
            lambda credit, name=name: credit.top_up(paid(name)),
        ]
        acts += [
            lambda credit, name=name, line=line: credit.remove_earned(
                name,
                Returned(line=line, amount=usd("10.00")),
                key=f"return-{line}",
                actor="ann",
                reason="came back",
            )
            for line in ("3", "7")
        ]
        for act in acts:
            fresh += not mine.do(act).replayed
    return {"fresh": fresh}


def sell(credit: StoreCredit, order: str) -> None:
    """Let the purchase of `bought` be paid by card, and earn."""
    lines = [OrderLine(str(number), usd("10.00")) for number in range(10)]
    plan = credit.plan_payment(Order(order, lines), [External("card")])
    checkout = credit.begin_checkout(plan, key="begin")
    checkout.charge("card", key="charge")
    checkout.settle_charge("charge", "confirmed")
    checkout.complete(key="done")
    credit.earn(bought(order))


def bring_back(
    ready: Ready, *, client: dict[str, Any], orders: Sequence[str], by_hand: bool
) -> dict[str, Any]:
    """Bring line 3 of each order back, as everybody else does: by hand, or by a refund of the checkout."""
    mine, answers = Client(**client), list[str]()
    mine.connect()
    way = _by_hand if by_hand else _refunded
    ready()
    for order in orders:
        answers.append(mine.do(lambda credit, order=order: way(credit, order)))
    return {"answers": answers}


BACK = Returned(line="3", amount=usd("10.00"))
ABOUT: dict[str, Any] = {"actor": "ann", "reason": "came back"}


def _by_hand(credit: StoreCredit, order: str) -> str:
    try:
        credit.remove_earned(order, BACK, key="by hand", **ABOUT)
    except InvalidOrder:
        return "too late"
    return "by hand"


def _refunded(credit: StoreCredit, order: str) -> str:
    checkout = credit.checkout(order)
    try:
        going = credit.earned(order, BACK)
        plan = checkout.plan_refund(RefundRequest.of_lines(["3"]), earned=going)
        checkout.refund(plan, key="refund", returned=BACK, **ABOUT)
    except (InvalidOrder, EarnedChanged, PaymentStepRepeated, QuantityExceedsRest):
        return "too late"
    return "refunded"
