"""A decision to give: the lots, who decided by which rule, and how often it may be done (P4)."""

import enum
import hashlib
from collections.abc import Mapping
from typing import Any, final

import attrs

from storecredit.ledger import Funding, Limits
from storecredit.ledger.canonical import canonical
from storecredit.policies.decision import PolicyVersion, as_named
from storecredit.policies.gift import GrantCeiling, OncePer
from storecredit.policies.line_terms import Passed
from storecredit.policies.occasion import Occasion
from storecredit.tenders.json_form import read_form, write_form
from storecredit.values import Money, Period


@final
class GrantKind(enum.StrEnum):
    """Which section of a policy gives."""

    GOODWILL = "goodwill"
    INCENTIVE = "incentive"


@final
@attrs.frozen(kw_only=True)
class GrantLot:
    """One lot to issue."""

    holder: str
    amount: Money
    funding: Funding
    expires: Period | None = None
    """How long it lives from when it is given; None for ever."""
    limits: Limits | None = None


@final
@attrs.frozen(kw_only=True)
class GrantDecision:
    """
    What is given for an occasion, by which policy, and why. Nothing has happened yet.

    `to_json` and `from_json` keep everything; `StoreCredit.grant` carries it out, once.
    """

    kind: GrantKind
    policy: PolicyVersion = attrs.field(converter=as_named)
    occasion: Occasion
    rule: str | None = None
    """The rule that held; None where none did, and nothing is given."""
    because: str | None = None
    """What the rule says for people."""
    once_per: OncePer = OncePer.OCCASION
    passed: tuple[Passed, ...] = ()
    """The rules before it that did not hold, and the first thing that was missing."""
    lots: tuple[GrantLot, ...] = ()
    """What is given; one lot at most for each holder."""
    ceilings: tuple[GrantCeiling, ...] = ()
    """What is counted when it is carried out."""

    @property
    def name(self) -> str | None:
        """
        What it gives for, as a digest: whatever has the same name is given once (A12).

        It is made of the section, the name of the policy, the rule, and what the rule gives for
        once. The version is not in it: a new version gives nothing again.
        """
        subject = self.once_per.subject(self.occasion)
        if self.rule is None or subject is None:
            return None
        parts = [self.kind.value, self.policy.name, self.rule, self.once_per.value, subject]
        return hashlib.sha256(canonical(parts).encode()).hexdigest()[:_DIGITS]

    def to_json(self) -> dict[str, Any]:
        """Return the decision as JSON data."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "GrantDecision":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)


_DIGITS = 40
"""How many hexadecimal digits tell grants apart: 160 bits."""
