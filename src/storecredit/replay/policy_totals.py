"""Totals of a policy replay: what was asked back, and what the policy made of it."""

from collections.abc import Mapping
from typing import Any, final

import attrs

from storecredit.ledger import Funding
from storecredit.policies import OfferKind, PolicyVersion
from storecredit.replay.totals import LedgerSums
from storecredit.values import Unit


@final
@attrs.frozen
class Part:
    """Lines that went one way, and what they come to in minor units."""

    lines: int = 0
    amount: int = attrs.field(default=0, kw_only=True)

    def plus(self, amount: int) -> "Part":
        """Return the part with one line more."""
        return Part(self.lines + 1, amount=self.amount + amount)

    def to_json(self) -> dict[str, int]:
        """Return the part as JSON data."""
        return {"lines": self.lines, "amount": self.amount}


@final
@attrs.frozen(kw_only=True)
class PolicyTotals:
    """
    What a refund policy would have done with the returns of a history.

    Amounts are minor units of `unit`. Of a line, what was asked is what it went back as and the
    fee, or what was refused. The bonus comes on top.
    """

    policy: PolicyVersion
    unit: Unit
    requests: int
    """Returns by the order that they give back of; one more for what matches no order."""
    asked: Part
    no_receipt: Part
    """Of what was asked: what matches no purchase."""
    offers: Mapping[OfferKind, Part]
    """What went back in each way, its fees taken off."""
    fees: Part
    refused: Mapping[str, Part]
    """By reason, what nothing was offered for."""
    bonus: int
    approvals: int
    """Requests that somebody would have had to approve; they are carried out like the others."""
    customers: int
    """Customers that received credit."""
    skipped: Mapping[str, int]
    """By reason, the rows that took no part."""
    problems: tuple[str, ...] = ()
    """What does not reconcile, and what is wrong with the journals: nothing, it is to be hoped."""

    @property
    def verified(self) -> bool:
        """Whether the totals add up, and the journals hold together and agree with them."""
        return not self.problems

    @property
    def whole_refused(self) -> Part:
        """What was refused, whatever the reason."""
        parts = self.refused.values()
        lines = sum(part.lines for part in parts)
        return Part(lines, amount=sum(part.amount for part in parts))

    def to_json(self) -> dict[str, Any]:
        """Return the totals as JSON data."""
        return {
            "policy": {"name": self.policy.name, "version": self.policy.version},
            "requests": self.requests,
            "asked": self.asked.to_json(),
            "no_receipt": self.no_receipt.to_json(),
            "offers": {kind.value: part.to_json() for kind, part in self.offers.items()},
            "fees": self.fees.to_json(),
            "refused": {reason: part.to_json() for reason, part in self.refused.items()},
            "bonus": self.bonus,
            "approvals": self.approvals,
            "customers": self.customers,
            "skipped": dict(self.skipped),
            "verified": self.verified,
        }


def policy_discrepancies(totals: PolicyTotals, sums: LedgerSums) -> tuple[str, ...]:
    """Say where what was decided, in *totals*, and the journals, in *sums*, disagree."""
    credit = totals.offers[OfferKind.CREDIT].amount
    went = sum(part.amount for part in totals.offers.values())
    answered = went + totals.fees.amount + totals.whole_refused.amount
    lots = sums.issued.get(Funding.REFUND, 0), sums.issued.get(Funding.PROMOTIONAL, 0)
    checks = (
        ("asked back", totals.asked.amount, "given, kept as fees and refused", answered),
        ("decided to be credit", credit, "issued as refunds by the journals", lots[0]),
        ("decided as bonus", totals.bonus, "issued as promotional by the journals", lots[1]),
        ("moved by this replay", credit + totals.bonus, "by anybody", sums.total),
    )
    return tuple(
        f"{left} minor units were {name}, and {right} {other}"
        for name, left, other, right in checks
        if left != right
    )
