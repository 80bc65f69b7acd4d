"""The plan of a refund: what goes back where, and what cannot be placed (T6)."""

import enum
from collections.abc import Callable, Mapping
from typing import Any, final

import attrs

from storecredit.ledger.texts import require_key
from storecredit.tenders.json_form import read_form, write_form
from storecredit.tenders.payment import (
    Destination,
    ExternalRefund,
    LineQuantity,
    Payment,
    RefundPart,
    Return,
    refund_key,
)
from storecredit.tenders.plan import LineAmount
from storecredit.tenders.tender import TenderKind
from storecredit.values import Balance, Money


@final
class UnplacedBecause(enum.StrEnum):
    """Why a part of a refund goes nowhere."""

    GIFT_CARD_SPENT = "gift_card_spent"
    """The bought gift card has less left than that: only its unspent rest comes back (A7)."""
    TAKES_NOTHING_BACK = "takes_nothing_back"
    """The tender cannot take it back, and the rule redirects nothing."""
    NOT_PAID_BY_THESE = "not_paid_by_these"
    """The tenders named by hand did not pay so much of these lines."""


@final
@attrs.frozen(kw_only=True)
class Unplaced:
    """What was asked for and could not be placed; it is not returned, and may be asked for again."""

    amount: Money
    because: UnplacedBecause
    line: str | None = None
    tender: str | None = None


@final
@attrs.frozen(kw_only=True)
class RefundPlan:
    """
    How a refund goes back. Nothing has happened yet.

    `to_json` and `from_json` keep everything.
    """

    order: str
    merchant: str
    parts: tuple[RefundPart, ...]
    quantities: tuple[LineQuantity, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    goodwill: tuple[Money, ...] = ()
    """What goes beyond what was paid: to be issued as goodwill, by permission."""
    taken_back: tuple[LineAmount, ...] = ()
    """Earned points that go, by line, those that are missing included."""
    missing: Money | None = None
    """How many of the earned points cannot be taken back, if any."""

    @property
    def returned(self) -> Balance:
        """What the refund returns, in the units that were due."""
        return self._sum(lambda part: not part.is_reduction, covers=True)

    def to(self, destination: Destination | str) -> Balance:
        """What goes to *destination*, in the units of the tenders."""
        return self._sum(lambda part: part.to == destination, covers=False)

    def tender(self, tender: str) -> Balance:
        """What goes back to *tender* itself, in its own unit."""
        return self._sum(
            lambda part: part.tender == tender and part.to is Destination.TENDER, covers=False
        )

    def new_credit(self) -> Balance:
        """What becomes new credit: what a bonus may be earned on (P2)."""
        return self._sum(lambda part: part.to is Destination.CREDIT, covers=True)

    def instructions(self, payment: Payment, *, key: str) -> tuple[ExternalRefund, ...]:
        """Return what the host has to give back, by external tender and unit, with keys."""
        require_key(key)
        found = []
        for tender in payment.tenders:
            if tender.kind is not TenderKind.EXTERNAL and tender.kind is not TenderKind.COUPON:
                continue
            found += [
                ExternalRefund(tender.id, amount, refund_key(key, tender.id, amount), key)
                for amount in self.tender(tender.id)
            ]
        return tuple(found)

    def as_return(self, payment: Payment, *, key: str) -> Return:
        """Return the fact of this refund, its external parts pending."""
        asked = dict.fromkeys(each.tender for each in self.instructions(payment, key=key))
        return Return(
            id=key,
            parts=self.parts,
            quantities=self.quantities,
            taken_back=self.taken_back,
            goodwill=self.goodwill,
            external=tuple(asked),
            pending=tuple(asked),
        )

    def _sum(self, counts: Callable[[RefundPart], bool], *, covers: bool) -> Balance:
        return Balance.of(
            *((part.covers if covers else part.amount) for part in self.parts if counts(part))
        )

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "RefundPlan":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)
