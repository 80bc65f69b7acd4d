"""
A return of two shirts, told from the policy to the last answer of the processor.

One customer takes credit with a bonus, one takes money, and a guest takes credit by a code. Each
step is repeated, as a web shop repeats what timed out: everything is given once.
"""

import itertools
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path

import attrs

from storecredit import ClaimKeys, ClaimRules, External, Money, Order, OrderLine, StoreCredit
from storecredit.policies import ReturnRequest, read_policy
from storecredit.service import RefundCase
from storecredit.storage import SQLiteStorage
from storecredit.testing import SettableClock

POLICY = """
name = "returns"
version = "2026-03"
note = "An example, and no legal advice."

[refund]
reasons = ["too small", "changed mind"]

[[refund.rules]]
id = "standard"
offer = ["credit", "money"]
bonus = { percent = 10, at_most = "EUR 20.00" }
fee = { fixed = "EUR 4.00", on = ["money"] }
credit = { expires = "P24M", bonus_expires = "P6M" }
"""
RING = ClaimKeys(current="2026", keys={"2026": b"32 random bytes that you keep.  "})


def eur(amount: str) -> Money:
    """Return *amount* euros."""
    return Money.of(amount, "EUR")


def sell(credit: StoreCredit, order: str) -> None:
    """Sell two shirts for a card."""
    cart = Order(order, [OrderLine("shirt", eur("70.00"), quantity=2)])
    checkout = credit.begin_checkout(
        credit.plan_payment(cart, External("card")), key=f"{order}/begin"
    )
    checkout.charge("card", key=f"{order}/charge")
    checkout.settle_charge(f"{order}/charge", "confirmed")
    checkout.complete(key=f"{order}/complete")


def ask(credit: StoreCredit, order: str, way: str, *, holder: str | None) -> RefundCase:
    """Let somebody bring both shirts back, and choose."""
    policy = read_policy(POLICY, form="toml")
    lines = credit.return_lines(order, {"shirt": 2})
    request = ReturnRequest(
        id=f"{order}/return",
        merchant=credit.merchant.id,
        at=datetime(2026, 3, 9, 9, 0, tzinfo=UTC),
        order=order,
        holder=holder,
        lines=[attrs.evolve(line, reason="too small") for line in lines],
    )
    offers = policy.offers(request, tallies=credit.tallies(policy, holder=holder), agent="ann")
    for offer in offers.offers:
        print(f"  {offer.kind:6} {offer.tenders} money, {offer.credit} credit, {offer.bonus} bonus")
    return credit.request_refund(offers.choose(way, consent=True), key="ask")


def handle(case: RefundCase) -> None:
    """Take the shirts back; one of them was worn. Every step is repeated."""
    for _ in range(2):
        case.approve(key="yes", actor="bo")
        case.receive(key="here")
        case.inspect(key="seen", accepted={"shirt": 1})
    case.complete(key="done")
    code = case.code
    case.complete(key="done")
    for due in case.refunds_due:
        print(f"  to the processor: {due.amount} under {due.key}")
        case.settle_refund(due.key, "confirmed")
    if code is not None:
        print(f"  a code worth {code.worth}, shown once")
    told = case.track()
    print(f"  the customer reads: {told.text}", *(back.text for back in told.backs))


def main() -> None:
    """Tell the story in a file that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        storage = SQLiteStorage(Path(folder) / "shop.db")
        numbers = itertools.count(1)
        credit = StoreCredit(
            storage,
            "acme",
            clock=SettableClock(datetime(2026, 3, 9, 9, 0, tzinfo=UTC)),
            new_id=lambda: uuid.UUID(int=next(numbers)),
            claims=ClaimRules(keys=RING),
        )
        for order, way, holder in (
            ("o-1", "credit", "c-17"),
            ("o-2", "money", "c-18"),
            ("o-3", "credit", None),
        ):
            sell(credit, order)
            print(f"{order}: {holder or 'a guest'} takes {way}")
            handle(ask(credit, order, way, holder=holder))
        print("c-17 has", credit.wallet("c-17").available)
        print("cases:", [str(case.state) for case in credit.refund_cases()])
        print("verified:", credit.verify().ok)
        storage.close()


if __name__ == "__main__":
    main()
