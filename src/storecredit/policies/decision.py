"""A decision: the offer that was chosen, with its reasons, as data that can be carried out (P2)."""

from collections.abc import Mapping
from typing import Any, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import Funding
from storecredit.policies.asking import ReturnRequest
from storecredit.policies.limits import Limit
from storecredit.policies.line_terms import Fired, Passed
from storecredit.policies.offer import LineOffer, Offer
from storecredit.policies.rule import GoodsBack, OfferKind
from storecredit.tenders import LineKind
from storecredit.tenders.json_form import read_form, write_form
from storecredit.values import Balance, Money, Period


@final
@attrs.frozen
class PolicyVersion:
    """Which policy decided, and which version of it (P1)."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def as_named(value: PolicyVersion) -> PolicyVersion:
    """
    Accept which policy decided: what is recorded without it could not be read again.

    Raises:
        InvalidTerms: Another thing.
    """
    if not isinstance(value, PolicyVersion):
        raise InvalidTerms("named", value, "the name and version of the policy: Policy.named")
    return value


@final
@attrs.frozen
class Override:
    """Who decided against the rules, and why (P3)."""

    actor: str
    reason: str


@final
@attrs.frozen(kw_only=True)
class Reasons:
    """Which rules decided about a line, and which did not and why."""

    line: str
    fired: tuple[Fired, ...]
    passed: tuple[Passed, ...]
    refused: str | None = None
    """Why nothing is offered for the line."""


@final
@attrs.frozen(kw_only=True)
class CreditLot:
    """One lot to issue: the refunded part and the bonus are never the same lot (P2)."""

    funding: Funding
    """`refund`, or `promotional` for a bonus."""
    amount: Money
    expires: Period | None
    lines: tuple[str, ...]
    """The lines that it comes of."""


@final
@attrs.frozen(kw_only=True)
class RefundDecision:
    """
    What was chosen for a request, by which policy, and why.

    `to_json` and `from_json` keep everything. Nothing has happened yet: a refund case, or the host,
    carries it out, once.
    """

    request: ReturnRequest
    policy: PolicyVersion
    offer: Offer
    reasons: tuple[Reasons, ...]
    consented: bool = False
    """Whether the customer accepted credit in place of money (P6)."""
    agent: str | None = None
    """Who decided; somebody else approves (P3)."""
    override: Override | None = None
    limits: tuple[Limit, ...] = ()
    """The limits of the policy: they are checked again when the decision is carried out (P3)."""

    @property
    def lots(self) -> tuple[CreditLot, ...]:
        """The lots to issue, in the order of the lines; of one funding and expiry, one lot."""
        found: dict[tuple[Funding, Period | None], list[LineOffer]] = {}
        for line in self.offer.lines:
            if line.credit.is_positive:
                found.setdefault((Funding.REFUND, line.expires), []).append(line)
            if line.bonus.is_positive:
                found.setdefault((Funding.PROMOTIONAL, line.bonus_expires), []).append(line)
        lots = []
        for (funding, expires), lines in found.items():
            of_bonus = funding is Funding.PROMOTIONAL
            amounts = [line.bonus if of_bonus else line.credit for line in lines]
            lots.append(
                CreditLot(
                    funding=funding,
                    amount=Money.total(amounts, amounts[0].unit),
                    expires=expires,
                    lines=tuple(line.line for line in lines),
                )
            )
        return tuple(lots)

    @property
    def tenders(self) -> Money:
        """What external tenders give back."""
        return self.offer.tenders

    @property
    def restored(self) -> Balance:
        """What goes back to the lots that paid."""
        return self.offer.restored

    @property
    def to_code(self) -> bool:
        """Whether the credit has no holder: a guest gets a claim code (A15)."""
        return self.request.holder is None and bool(self.lots)

    @property
    def goods(self) -> tuple[str, ...]:
        """The lines whose goods have to come back; what is no goods has nothing to send."""
        kinds = {line.id: line.kind for line in self.request.lines}
        return tuple(
            line.line
            for line in self.offer.lines
            if line.goods is GoodsBack.RETURN and kinds[line.line] is LineKind.GOODS
        )

    @property
    def needs_approval(self) -> bool:
        """Whether somebody else than the agent has to approve."""
        return bool(self.offer.approval)

    def of_lines(self, lines: tuple[str, ...]) -> tuple[LineOffer, ...]:
        """Return what becomes of those lines."""
        return tuple(line for line in self.offer.lines if line.line in lines)

    def kinds(self) -> Mapping[str, OfferKind]:
        """Return what was chosen, by line."""
        return {line.line: line.kind for line in self.offer.lines}

    def to_json(self) -> dict[str, Any]:
        """Return the decision as JSON data."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "RefundDecision":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)
