"""The scene of refund cases: a returns desk that drives the public verbs (P5)."""

from collections.abc import Mapping
from typing import Any, Final, final

import attrs

from storecredit.claims import ClaimKeys, ClaimRules
from storecredit.ledger import Merchant
from storecredit.policies import (
    Limit,
    OfferKind,
    Policy,
    RefundDecision,
    RefundPolicy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
)
from storecredit.service import RefundCase, StoreCredit
from storecredit.storage.protocols import Storage
from storecredit.tenders import External, Order, OrderLine, Price
from storecredit.testing.contract.scene import POINTS, Shop
from storecredit.values import Balance, Money

KEYS: Final = ClaimKeys(current="k1", keys={"k1": b"k" * 32})
CASE_KINDS: Final = ("refund-case", "refund-order", "refund-tally", "payment", "claim")
"""The kinds of records that refund cases write."""
STANDARD: Final = (RefundRule(id="standard", offer=("credit", "money")),)


def eur(amount: str) -> Money:
    """Return *amount* euros."""
    return Money.of(amount, "EUR")


def points(count: int) -> Money:
    """Return so many points."""
    return Money.of_minor(count, POINTS)


def back(name: str, amount: str, *, restored: tuple[Money, ...] = (), **more: Any) -> ReturnLine:
    """Return a line that comes back: what external tenders paid in euros, and what credit paid."""
    return ReturnLine(id=name, external=eur(amount), restored=Balance.of(*restored), **more)


def sold(name: str, amount: str, **more: Any) -> OrderLine:
    """Return a line of an order."""
    return OrderLine(name, Price.of(eur(amount)), **more)


def a_policy(
    rules: tuple[RefundRule, ...] = STANDARD, *, limits: tuple[Limit, ...] = (), version: str = "1"
) -> Policy:
    """Return a policy named returns: credit or money, unless *rules* say otherwise."""
    return Policy(name="returns", version=version, refund=RefundPolicy(rules=rules, limits=limits))


@final
class Returns:
    """
    Requests refunds of what c-17 brings back of the order o-1.

    The verbs fill in what most tests do not care about: names, keys, who.
    """

    def __init__(self, storage: Storage, *, codes: bool = False, **rules: Any) -> None:
        self.shop: Final = Shop(storage, Merchant(id="acme", units=(POINTS,), **rules))
        self.clock: Final = self.shop.clock
        self._codes: Final = codes
        self.credit: Final = self.at(storage)

    def at(self, storage: Storage) -> StoreCredit:
        """Return a service of the same merchant, with the same clock and ids, at *storage*."""
        if not self._codes:
            return self.shop.at(storage)
        return StoreCredit(
            storage,
            self.shop.merchant,
            clock=self.clock,
            new_id=self.shop.new_id,
            salt=lambda: b"s" * 16,
            sleep=lambda _: None,
            claims=ClaimRules(keys=KEYS),
        )

    # Asking

    def asked(self, *lines: ReturnLine, **more: Any) -> ReturnRequest:
        """Return a request; 30.00 euros of line 1 unless *lines* say otherwise."""
        given: dict[str, Any] = {
            "id": "r-1",
            "merchant": "acme",
            "at": self.clock(),
            "order": "o-1",
            "holder": "c-17",
        }
        found = lines or (back("1", "30.00"),)
        return ReturnRequest(lines=found, **{**given, **more})

    def decided(
        self,
        *lines: ReturnLine,
        kind: OfferKind | str | None = "credit",
        policy: Policy | None = None,
        by_line: Mapping[str, OfferKind | str] | None = None,
        **asked: Any,
    ) -> RefundDecision:
        """Let ann decide by *policy*; the customer consents."""
        request = self.asked(*lines, **asked)
        by = a_policy() if policy is None else policy
        tallies = self.credit.tallies(by, holder=request.holder, agent="ann")
        offers = by.offers(request, tallies=tallies, agent="ann")
        return offers.choose(kind, by_line=by_line, consent=True)

    def requested(self, *lines: ReturnLine, **more: Any) -> RefundCase:
        """Request what was decided."""
        names = ("redemptions", "bought", "actor")
        named = {name: more.pop(name) for name in names if name in more}
        decision = self.decided(*lines, **more)
        return self.credit.request_refund(decision, key="ask", **named)

    def received(self, *lines: ReturnLine, **more: Any) -> RefundCase:
        """Request, let bo approve, and have the goods back."""
        case = self.requested(*lines, **more)
        case.approve(key="yes", actor="bo", reason="as the rules say")
        case.await_return(key="wait")
        case.ship(key="sent")
        case.receive(key="here")
        return case

    def inspected(
        self, *lines: ReturnLine, accepted: Mapping[str, int] | None = None, **more: Any
    ) -> RefundCase:
        """Look at the goods, too."""
        case = self.received(*lines, **more)
        case.inspect(key="seen", accepted=accepted)
        return case

    def completed(
        self, *lines: ReturnLine, accepted: Mapping[str, int] | None = None, **more: Any
    ) -> RefundCase:
        """Complete the case, too."""
        case = self.inspected(*lines, accepted=accepted, **more)
        case.complete(key="done", actor="bo", reason="as the rules say")
        return case

    # An order that a checkout has paid

    def paid(self, *lines: OrderLine, with_points: bool = False) -> None:
        """Let o-1 be paid by c-17's credit, points first if they may, and a card."""
        credit = self.credit
        tenders: list[Any] = [credit.tender("credit", "c-17", "EUR"), External("card")]
        if with_points:
            tenders.insert(0, credit.tender("points", "c-17", "PTS"))
        plan = credit.plan_payment(Order("o-1", lines), tenders)
        checkout = credit.begin_checkout(plan, key="begin")
        for due in checkout.charges:
            checkout.charge(due.tender, key=f"charge {due.tender}")
            checkout.settle_charge(f"charge {due.tender}", "confirmed")
        checkout.complete(key="paid")

    def lines(self, pieces: Mapping[str, int], **more: Any) -> tuple[ReturnLine, ...]:
        """Return the lines of a return of o-1, as its record says."""
        found = self.credit.return_lines("o-1", pieces)
        return tuple(attrs.evolve(line, **more) for line in found)

    # What there is

    def has(self, *, holder: str = "c-17", unit: str = "EUR") -> Money:
        """Return what is available."""
        return self.credit.account(holder, unit).available

    def lots(self, *, holder: str = "c-17", unit: str = "EUR") -> list[tuple[str, str]]:
        """Return the funding of each lot, and what remains of it."""
        account = self.shop.whole(holder, unit=unit)
        return [
            (lot.terms.funding.value, str(account.money(lot.remaining).decimal))
            for lot in account.lots.values()
        ]

    def kept(self) -> str:
        """Return everything that is stored, as canonical text."""
        return self.shop.kept(holders=("c-17", "c-18"), kinds=CASE_KINDS)
