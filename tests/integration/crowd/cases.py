"""Processes that work on refund cases together: the same ones, their own, and until they are killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crowd.checkouts import Life, Mortal
from crowd.claims import RULES
from crowd.granting import AT, NAMED, usd
from storecredit import Period, StoreCredit
from storecredit.errors import (
    ApprovalNeeded,
    CaseStepRefused,
    CaseStepRepeated,
    GrantCeilingReached,
    LimitReached,
    PiecesTaken,
    QuantityExceedsRest,
    ReturnOutdated,
)
from storecredit.policies import (
    Bonus,
    Limit,
    LimitPer,
    Policy,
    RefundDecision,
    RefundPolicy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
)
from storecredit.policies.earning import EarnDecision
from storecredit.policies.gift import Gift, GrantCeiling
from storecredit.policies.goodwill import GoodwillPolicy, GoodwillRule, give_goodwill
from storecredit.policies.grant_decision import GrantDecision
from storecredit.policies.occasion import Occasion
from storecredit.policies.purchase import Returned
from storecredit.policies.top_up import TopUpDecision
from storecredit.tenders import External, Order, OrderLine, Price

Ready = Callable[[], None]

PRICES = {"coat": ("9.99", 3), "hat": ("2.50", 2)}
"""What an order has: the price of the line, and its pieces."""
CREDIT = "4.00"
"""What credit pays of an order; a card pays the rest."""
WHY: Any = {"actor": "bo", "reason": "as the rules say"}


# --- What is returned ---------------------------------------------------------------------


def pay(credit: StoreCredit, order: str, holder: str) -> None:
    """Let *holder* buy an order: four dollars of it with credit, and the rest by card."""
    credit.issue(holder, usd(CREDIT), funding="refund", key=f"stock {order}")
    lines = [OrderLine(name, Price.of(usd(p)), quantity=n) for name, (p, n) in PRICES.items()]
    tender = credit.tender("credit", holder, "USD", up_to=usd(CREDIT))
    plan = credit.plan_payment(Order(order, lines), [tender, External("card")])
    checkout = credit.begin_checkout(plan, key="begin")
    for due in checkout.charges:
        checkout.charge(due.tender, key="charge", amount=due.amount)
        checkout.settle_charge("charge", "confirmed")
    checkout.complete(key="complete")


def policy(*limits: Limit, name: str = "returns", **rule: Any) -> Policy:
    """Return the policy of returns: credit with a tenth on top, or money."""
    told: dict[str, Any] = {"offer": ("credit", "money"), "bonus": Bonus(percent=10), **rule}
    every = RefundRule(id="all", **told)
    return Policy(name=name, version="1", refund=RefundPolicy(rules=[every], limits=limits))


def decided(
    credit: StoreCredit,
    name: str,
    lines: Sequence[ReturnLine],
    *,
    by: Policy | None = None,
    kind: str | None = "credit",
    agent: str | None = "ann",
    **asked: Any,
) -> RefundDecision:
    """Decide about a request of that name; nobody looks at what limits have left."""
    request = ReturnRequest(
        id=name, merchant=credit.merchant.id, at=datetime.now(UTC), lines=lines, **asked
    )
    found = policy() if by is None else by
    return found.offers(request, agent=agent).choose(kind, consent=True)


def a_line(amount: str = "10.00", *, pieces: int = 1) -> ReturnLine:
    """Return a line of no checkout, that a card has paid."""
    return ReturnLine(id="coat", external=usd(amount), pieces=pieces)


# --- Steps --------------------------------------------------------------------------------


class Worker(Mortal):
    """A client whose service knows the keys of codes, and who takes the steps of cases."""

    def credit(self, bind: Any = None) -> StoreCredit:
        """Return the service, with the rules of claims."""
        made = super().credit(bind)
        return StoreCredit(made.storage, self.merchant, attempts=self.attempts, claims=RULES)

    def request(self, decision: RefundDecision, key: str, **more: Any) -> None:
        """Request what was decided."""
        self.do(lambda credit: credit.request_refund(decision, key=key, actor="kim", **more))

    def step(self, case: str, step: str, key: str, **more: Any) -> str | None:
        """Take a step for the reason that everybody has; return the code that a guest gets."""

        def act(credit: StoreCredit) -> str | None:
            found = credit.refund_case(case)
            getattr(found, step)(key=key, **WHY, **more)
            return None if found.code is None or found.code.code is None else str(found.code.code)

        return self.do(act)

    def settle(self, case: str, answer: str) -> None:
        """Let the processor answer about all external refunds; what fails becomes credit."""

        def act(credit: StoreCredit) -> None:
            found = credit.refund_case(case)
            for each in found.record.refunds:
                found.settle_refund(each.key, answer)

        self.do(act)
        if answer == "failed":

            def instead(credit: StoreCredit) -> None:
                found = credit.refund_case(case)
                for number, each in enumerate(found.record.refunds):
                    found.redirect(each.key, key=f"instead {number}", consent=True, **WHY)

            self.do(instead)


STEPS = ("approve", "receive", "inspect")
"""What a case goes through from its request to its end."""
REFUSALS = (CaseStepRefused, CaseStepRepeated)


def walk_the_same_cases(
    ready: Ready, *, client: dict[str, Any], decisions: Sequence[Any], own: str, way: str
) -> dict[str, Any]:
    """Request each case and take all of its steps, as everybody does; tell the codes of guests."""
    mine = Worker(Life(None), **client)
    mine.connect()
    known = [RefundDecision.from_json(each) for each in decisions]
    codes: dict[str, str] = {}
    refused: Counter[str] = Counter()
    ready()
    for decision in known:
        name = decision.request.id
        try:
            mine.request(decision, f"ask{own}")
        except REFUSALS:
            refused["request"] += 1
        for step in (*STEPS, way):
            try:
                code = mine.step(name, step, f"{step}{own}")
            except REFUSALS:
                refused[step] += 1
            else:
                codes |= {} if code is None else {name: code}
        if way == "complete":
            mine.settle(name, "confirmed")
    return {"codes": codes, "refused": dict(refused)}


def take_pieces(
    ready: Ready, *, client: dict[str, Any], orders: Sequence[str], name: str, fickle: bool
) -> dict[str, Any]:
    """Bring a coat of each order back, if there is one left; some change their minds once."""
    mine = Worker(Life(None), **client)
    mine.connect()
    got: list[str] = []
    taken = 0
    ready()
    for order in orders:
        for number in range(1 + fickle):
            case = f"{order}/{name}.{number}"
            if not ask_for_a_coat(mine, order, case):
                taken += 1
                break
            if fickle and not number:
                mine.step(case, "cancel", "no")
                continue
            for step in (*STEPS, "complete"):
                mine.step(case, step, step)
            got.append(case)
    return {"got": got, "taken": taken}


def ask_for_a_coat(mine: Worker, order: str, case: str) -> bool:
    """Request the refund of one coat; what it is worth depends on which one it is."""
    while True:
        try:
            credit = mine.credit()
            lines = credit.return_lines(order, {"coat": 1})
            made = decided(credit, case, lines, kind="money", order=order, holder=f"h {order}")
            mine.request(made, "ask")
        except ReturnOutdated:
            continue
        except (PiecesTaken, QuantityExceedsRest):
            return False
        return True


def complete_under_limits(
    ready: Ready, *, client: dict[str, Any], cases: Sequence[str]
) -> dict[str, Any]:
    """Complete cases, as far as the limits of their policy let it be."""
    mine = Worker(Life(None), **client)
    mine.connect()
    told: Counter[str] = Counter()
    ready()
    for case in cases:
        try:
            mine.step(case, "complete", "done")
        except (ApprovalNeeded, LimitReached) as refused:
            told[type(refused).__name__] += 1
        else:
            told["completed"] += 1
    return dict(told)


def give_first_gifts(
    ready: Ready, *, client: dict[str, Any], holders: Sequence[str], name: str, most: int
) -> dict[str, Any]:
    """Give each holder what he has never got before, once a month, and no more than so many."""
    mine = Worker(Life(None), **client)
    mine.connect()
    told: Counter[str] = Counter()
    ready()
    for holder in holders:
        gift = a_gift(f"{name} {holder}", holder, most)
        try:
            mine.do(lambda credit, gift=gift: credit.grant(gift, actor="ann"))  # type: ignore[misc]  # one gift of each
        except GrantCeilingReached as refused:
            told[refused.ceiling] += 1
        else:
            told["given"] += 1
    return dict(told)


def a_gift(ticket: str, holder: str, most: int) -> GrantDecision:
    """Return a decision about one dollar: one for each holder, and *most* by each agent."""
    month: dict[str, Any] = {"period": Period(days=30)}
    ceilings = [
        GrantCeiling(id="mine", count=1, **month),
        GrantCeiling(id="ours", per=LimitPer.AGENT, amount=usd(f"{most}.00"), **month),
    ]
    rule = GoodwillRule(id="sorry", on="apology", gives=Gift(amount=usd("1.00")))
    event = Occasion(id=ticket, on="apology", holder=holder, at=AT)
    return give_goodwill(GoodwillPolicy(rules=[rule], ceilings=ceilings), event, named=NAMED)


# --- Until they are killed ----------------------------------------------------------------


def work_until_killed(
    ready: Ready,
    *,
    client: dict[str, Any],
    jobs: Sequence[Mapping[str, Any]],
    dies_at: int | None,
) -> dict[str, Any]:
    """Do every job from its beginning, under the keys that everybody has, whoever has done it."""
    mine = Worker(Life(dies_at), **client)
    mine.connect()
    ready()
    for job in jobs:
        do_job(mine, job)
    return {"asked": mine.life.lived}


def do_job(mine: Worker, job: Mapping[str, Any]) -> None:
    """Do one job."""
    what, name = job["what"], job["name"]
    if what == "case":
        do_case(mine, job)
    elif what == "gift":
        gift = GrantDecision.from_json(job["decision"])
        mine.do(lambda credit: credit.grant(gift, actor="ann"))
    elif what == "top up":
        mine.do(lambda credit: credit.top_up(TopUpDecision.from_json(job["decision"])))
        if job["refunded"]:
            mine.do(lambda credit: credit.refund_top_up(name, **WHY))
    else:
        mine.do(lambda credit: credit.earn(EarnDecision.from_json(job["decision"])))
        for line in job["lines"]:
            back = Returned(line=line, amount=usd("10.00"))
            mine.do(
                lambda credit, back=back: credit.remove_earned(name, back, key=back.line, **WHY)  # type: ignore[misc]  # one line each
            )


def do_case(mine: Worker, job: Mapping[str, Any]) -> None:
    """Take a case to its end."""
    decision, end = RefundDecision.from_json(job["decision"]), job["end"]
    name = decision.request.id
    mine.request(decision, "ask")
    for step in STEPS if end == "complete" else STEPS[:2]:
        more = {"accepted": job["accepted"]} if step == "inspect" else {}
        mine.step(name, step, step, **more)
    mine.step(name, end, end)
    if end == "complete":
        mine.settle(name, job["answer"])
