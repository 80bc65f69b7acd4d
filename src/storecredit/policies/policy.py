"""A policy: named, versioned, and made of sections, each of which decides one thing (P1)."""

from collections.abc import Iterable
from typing import Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger.texts import LONGEST_NOTE, require_text
from storecredit.policies.asking import ReturnRequest
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.earn_rule import EarningPolicy
from storecredit.policies.explaining import explained
from storecredit.policies.goodwill import GoodwillPolicy, IncentivePolicy
from storecredit.policies.limits import Tally
from storecredit.policies.offers import Offers, offers_for
from storecredit.policies.refund_policy import RefundPolicy
from storecredit.policies.top_up import TopUpPolicy
from storecredit.values import CustomUnit

SECTIONS: Final = ("refund", "goodwill", "incentives", "earning", "top_up")
"""What a policy may have rules for."""


@final
@attrs.frozen(kw_only=True)
class Policy:
    """
    Named rules of a shop, in one version. Decisions say which policy and version made them (P1).

    Raises:
        InvalidText: A name, version or note that cannot be kept.
        InvalidTerms: No section at all.
    """

    name: str
    version: str
    note: str | None = None
    """For people."""
    units: tuple[CustomUnit, ...] = ()
    """The custom units that amounts of the policy are in."""
    refund: RefundPolicy | None = None
    """What is offered for what comes back (P2, P3)."""
    goodwill: GoodwillPolicy | None = None
    """What is given where something went wrong (P4)."""
    incentives: IncentivePolicy | None = None
    """What is given for what the shop wants (P4)."""
    earning: EarningPolicy | None = None
    """How purchases earn points (P4)."""
    top_up: TopUpPolicy | None = None
    """How credit is sold (P4)."""

    def __attrs_post_init__(self) -> None:
        require_text("name", self.name)
        require_text("version", self.version)
        if self.note is not None:
            require_text("note", self.note, longest=LONGEST_NOTE)
        if all(getattr(self, section) is None for section in SECTIONS):
            known = ", ".join(SECTIONS)
            raise InvalidTerms("the policy", self.name, f"one with a section at least: {known}")

    def explain(self) -> str:
        """Return what the policy says, in plain words for people who work in the shop (P1)."""
        return explained(self)

    @property
    def named(self) -> PolicyVersion:
        """The name and the version."""
        return PolicyVersion(self.name, self.version)

    def offers(
        self, request: ReturnRequest, *, tallies: Iterable[Tally] = (), agent: str | None = None
    ) -> Offers:
        """
        Tell what is offered for *request* (P2).

        Args:
            request: What is asked.

            tallies: What was done under the limits in their periods, before this request.

            agent: Who is going to decide, for the limits of agents.

        Raises:
            InvalidTerms: The policy has no section refund.
            InvalidReturn: No request, or a reason that the policy does not declare.
            InvalidTerms: No tallies.
        """
        if self.refund is None:
            raise InvalidTerms("the policy", self.name, "one with a section refund")
        return offers_for(self.refund, request, named=self.named, tallies=tallies, agent=agent)
