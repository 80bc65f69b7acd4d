"""The facts that a refund case gathers: its steps, the credit that was given, external refunds (P5)."""

from collections.abc import Mapping
from datetime import datetime
from typing import final

import attrs

from storecredit.errors import InvalidReturn, InvalidTerms
from storecredit.ledger import LONGEST_NOTE, Funding, require_key, require_text
from storecredit.policies import RefundDecision
from storecredit.refunds.life import CaseState, CaseStep
from storecredit.tenders import Answer, ExternalRefund, TenderKind
from storecredit.values import Money, Period, instant


@final
@attrs.frozen(kw_only=True)
class StepBy:
    """
    When a step is taken, by whom, why, and under which key.

    Raises:
        InvalidKey: The key (A12).
        NaiveInstant: The instant has no zone.
        InvalidText: The actor or the reason.
    """

    key: str = attrs.field(converter=require_key)
    at: datetime = attrs.field(converter=instant)
    actor: str | None = None
    reason: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.actor is not None:
            require_text("actor", self.actor)
        if self.reason is not None:
            require_text("reason", self.reason, longest=LONGEST_NOTE)


@final
@attrs.frozen(kw_only=True)
class CaseEvent:
    """One step that was taken."""

    step: CaseStep
    state: CaseState
    """Where it has led."""
    at: datetime
    key: str
    actor: str | None = None
    reason: str | None = None
    facts: str = ""
    """What else the step said, in words; a repeat has to say the same."""


@final
@attrs.frozen(kw_only=True)
class LineShare:
    """
    What one tender, and of credit one lot, paid of the pieces of a line that come back.

    From the record of the payment, when the refund was requested (P6).
    """

    line: str
    tender: str
    lot: str | None = None
    amount: Money
    """In the unit of the tender."""
    covers: Money
    """In the unit that was due."""
    funding: Funding | None = None
    kind: TenderKind
    """What the tender is: what external tenders paid goes back as money, or becomes credit."""
    is_reduction: bool = False
    """Whether it is value that had lowered the price (T4)."""


@final
@attrs.frozen
class Redemption:
    """The entry that redeemed what credit paid for a line, where no checkout knows it."""

    line: str
    entry: str


@final
@attrs.frozen(kw_only=True)
class GivenCredit:
    """One lot that a case has issued, and what was taken back of it."""

    lot: str
    funding: Funding
    expires: Period | None = None
    amount: Money
    """What was to be issued."""
    withheld: Money | None = None
    """What of it a ceiling kept from being issued (A11)."""
    taken: Money | None = None
    """What was taken back of it, or is owed for it (A8)."""
    short: Money | None = None
    """What was spent already when it was to be taken back; the holder owes it, or keeps it."""
    owed: Money | None = None
    """What of that the holder owes; it is a part of what was taken, too."""

    @property
    def standing(self) -> Money:
        """What the holder has got of it: without what was withheld, less what was taken back."""
        found = self.amount
        for less in (self.withheld, self.taken):
            found = found if less is None else found - less
        return found


@final
@attrs.frozen(kw_only=True)
class CaseRefund:
    """An external refund that the case asks for, and what is known of it."""

    tender: str
    amount: Money
    key: str
    """For the processor: the same whatever is repeated (A12)."""
    refund: str
    """The key of the refund that it is a part of."""
    answer: Answer = Answer.PENDING
    lot: str | None = None
    """The lot of the credit that it became, where it failed and was redirected."""

    @property
    def instruction(self) -> ExternalRefund:
        """What the host has to give back."""
        return ExternalRefund(self.tender, self.amount, self.key, self.refund)


def pieces_in_words(pieces: object) -> str:
    """Say how many pieces of which line, for whoever compares two steps."""
    if not isinstance(pieces, Mapping):
        raise InvalidReturn("accepted", pieces, "pieces by line, or None for all")
    named = sorted((str(line), count) for line, count in pieces.items())
    return ", ".join(f"{count} of {line}" for line, count in named) or "nothing"


def step_in_words(step: CaseStep, facts: str, reason: str | None) -> str:
    """Say what a step was told, for whoever compares two of them."""
    because = "" if reason is None else f", because {reason!r}"
    return f"{step.value}{f' ({facts})' if facts else ''}{because}"


def decision_in_words(decision: RefundDecision) -> str:
    """Say what was decided, for whoever compares two decisions."""
    offer = decision.offer
    parts = [f"{offer.tenders} of money", f"{offer.credit} of credit", f"{offer.bonus} of bonus"]
    lines = ", ".join(line.line for line in offer.lines)
    return f"a refund of {lines} by {decision.policy}: {', '.join(parts)}"


def require_pieces(field: str, pieces: object) -> int:
    """
    Return a number of pieces: nothing or more.

    Raises:
        InvalidTerms: Something else.
    """
    if type(pieces) is not int or pieces < 0:
        raise InvalidTerms(field, pieces, "a whole number from 0 up")
    return pieces
