"""Totals: what a replay did, told by its receipts and checked against the journals."""

from collections.abc import Mapping
from typing import Any, final

import attrs

from storecredit.ledger import Funding, What
from storecredit.storage import Reader
from storecredit.values import Unit


@final
@attrs.frozen(kw_only=True)
class Totals:
    """
    What a history would have done with store credit.

    Amounts are minor units of `unit`. Every number but `expired` and `outstanding` is counted
    from the receipts of the commands, repeats included.
    """

    unit: Unit
    events: int
    """Orders and refunds with at least one kept line, those worth nothing included."""
    issued: int
    redeemed: int
    redemptions: int
    """Orders that some credit paid for."""
    split_redemptions: int
    """Those of them that left something for another tender."""
    expired: int
    outstanding: int
    """What can still be spent at the instant of the last event."""
    customers: int
    """Customers that ever received credit."""
    skipped: Mapping[str, int]
    """By reason, the rows that took no part."""
    problems: tuple[str, ...] = ()
    """What does not reconcile, and what is wrong with the journals: nothing, it is to be hoped."""

    @property
    def verified(self) -> bool:
        """Whether the journals hold together and agree with the receipts to the minor unit."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the totals as JSON data."""
        return {
            "events": self.events,
            "issued": self.issued,
            "redeemed": self.redeemed,
            "redemptions": self.redemptions,
            "split_redemptions": self.split_redemptions,
            "expired": self.expired,
            "outstanding": self.outstanding,
            "customers": self.customers,
            "skipped": dict(self.skipped),
            "verified": self.verified,
        }


@final
@attrs.frozen
class LedgerSums:
    """The moves of all journals of a merchant in one unit, added up by what happened."""

    minor: Mapping[What, int]
    issued: Mapping[Funding, int] = attrs.field(factory=dict, kw_only=True)
    """What was issued, by the funding of the lots."""

    @property
    def total(self) -> int:
        """The sum of all moves, whatever they did."""
        return sum(self.minor.values())

    def of(self, *whats: What) -> int:
        """Return the sum of all moves of these kinds, in minor units."""
        return sum(self.minor.get(what, 0) for what in whats)


def sums_of(reader: Reader, merchant: str, unit: Unit) -> LedgerSums:
    """Add up every move of every journal of *merchant* in *unit*, from the entries alone."""
    minor: dict[What, int] = {}
    issued: dict[Funding, int] = {}
    after = ""
    while page := reader.account_ids(merchant, after=after):
        for _, name in page:
            account = reader.account_by_id(merchant, name)
            if account is None or account.unit != unit:
                continue
            for entry in reader.journal(account):
                for move in entry.moves:
                    minor[move.what] = minor.get(move.what, 0) + move.amount
                    if move.what is What.ISSUED and move.terms is not None:
                        funding = move.terms.funding
                        issued[funding] = issued.get(funding, 0) + move.amount
        after = page[-1][1]
    return LedgerSums(minor, issued=issued)


def discrepancies(
    sums: LedgerSums, *, issued: int, redeemed: int, outstanding: int
) -> tuple[str, ...]:
    """
    Say where receipts, journals and balances disagree; amounts are minor units.

    Args:
        sums: What the journals say.

        issued: By the receipts.

        redeemed: By the receipts.

        outstanding: By the balances of all customers.
    """
    expired = sums.of(What.EXPIRED)
    ours = sums.of(What.ISSUED, What.REDEEMED, What.EXPIRED)
    checks = (
        ("issued by the receipts", issued, "by the journals", sums.of(What.ISSUED)),
        ("redeemed by the receipts", redeemed, "by the journals", sums.of(What.REDEEMED)),
        ("issued", issued, "redeemed, expired and outstanding", redeemed + expired + outstanding),
        ("moved by this replay", ours, "by anybody", sums.total),
    )
    return tuple(
        f"{left} minor units were {name}, and {right} {other}"
        for name, left, other, right in checks
        if left != right
    )
