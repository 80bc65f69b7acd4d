"""
What can be wrong with the life of a refund.

    MisuseError
        UnknownCase             a step of a refund case that nobody has requested
        UnknownCaseRefund       an answer about an external refund that the case never asked for
    RefusalError
        CaseStepRefused         a step that the state of the case does not allow
        CaseStepRepeated        a step's key, or the request, with other facts than the first time
        ApprovalNeeded          somebody else has to approve before anything is given
        ReservedByCase          a refund of the checkout takes what an open case has taken
        PiecesTaken             pieces that another case refunds, or that were never bought
        AcceptsTooMuch          an inspection accepts more than came back, or than the one before
        NothingAccepted         a case is to be completed, and nothing of it was accepted
        GoodsNotDue             goods are said to be missing before they had to arrive
        CaseNeedsHolder         credit of a case, and nobody to give it to
    ConflictError
        LimitReached            others have used up a limit since the refund was decided
        ReturnOutdated          the order was refunded since the lines of the return were made

Every value of a message is an attribute too. The classes pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import attrs

from storecredit.errors._branches import ConflictError, MisuseError, RefusalError
from storecredit.errors._shown import shown

if TYPE_CHECKING:
    from datetime import datetime

    from storecredit.values.balance import Balance

__all__ = [
    "AcceptsTooMuch",
    "ApprovalNeeded",
    "CaseNeedsHolder",
    "CaseStepRefused",
    "CaseStepRepeated",
    "GoodsNotDue",
    "LimitReached",
    "NothingAccepted",
    "PiecesTaken",
    "ReservedByCase",
    "ReturnOutdated",
    "UnknownCase",
    "UnknownCaseRefund",
]


# -- misuse --------------------------------------------------------------------------------


@final
@attrs.define
class UnknownCase(MisuseError):
    """Something is to be done about a refund that nobody has requested (P5)."""

    case: str

    def __str__(self) -> str:
        return (
            f"No refund {shown(self.case)} was requested from this merchant. Decide it by a policy "
            "and begin with request_refund(); a case has the id of its request."
        )


@final
@attrs.define
class UnknownCaseRefund(MisuseError):
    """Something is said about an external refund that the case never asked for (P5)."""

    case: str
    key: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        known = ", ".join(map(shown, self.known)) or "none"
        return (
            f"The refund case {shown(self.case)} has no external refund {shown(self.key)}: it has "
            f"{known}. Pass the key of the instruction, from refunds_due."
        )


# -- refusals ------------------------------------------------------------------------------


@final
@attrs.define
class CaseStepRefused(RefusalError):
    """A step that the state of a refund case does not allow (P5)."""

    case: str
    step: str
    state: str
    allowed: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Cannot {self.step} the refund case {shown(self.case)}: it is {self.state}, where "
            f"only these steps go on: {', '.join(self.allowed) or 'none'}."
        )


@final
@attrs.define
class CaseStepRepeated(RefusalError):
    """A step comes again with other facts than the first time (P5, A12)."""

    case: str
    step: str
    key: str
    known: str
    given: str

    def __str__(self) -> str:
        return (
            f"The key {shown(self.key)} of the refund case {shown(self.case)} is recorded as "
            f"{self.known}, and now it is said to be {self.given}. A repeat has to say the same; "
            f"another {self.step} needs a key of its own."
        )


@final
@attrs.define
class ApprovalNeeded(RefusalError):
    """Somebody else than who asked and who decided has to approve (P3)."""

    case: str
    because: tuple[str, ...]
    """The rules and limits that ask for it."""
    actor: str | None
    """Who tried to approve, if anybody did."""

    def __str__(self) -> str:
        who = "nobody has" if self.actor is None else f"{shown(self.actor)} cannot"
        return (
            f"The refund case {shown(self.case)} has to be approved by {', '.join(self.because)}, "
            f"and {who}. Let somebody approve() it, named as actor, who is neither the customer "
            "nor the one who requested or decided it."
        )


@final
@attrs.define
class PiecesTaken(RefusalError):
    """More pieces of a line are to be refunded than no other case refunds (P5)."""

    order: str
    line: str
    wanted: int
    left: int | None
    """How many are left; None where nobody said how many were bought."""
    cases: tuple[str, ...]
    """The cases that refund some of the line."""

    def __str__(self) -> str:
        by = f" Refunded by {', '.join(map(shown, self.cases))}." if self.cases else ""
        if self.left is None:
            return (
                f"Cannot refund {self.wanted} of line {shown(self.line)} of order "
                f"{shown(self.order)}: another case refunds some of it, and nobody said how many "
                f"were bought.{by} Pass bought={{{self.line!r}: ...}}."
            )
        return (
            f"Cannot refund {self.wanted} of line {shown(self.line)} of order "
            f"{shown(self.order)}: {self.left} are left.{by} Deny or cancel another case to free "
            "its pieces."
        )


@final
@attrs.define
class ReservedByCase(RefusalError):
    """A refund would take what an open refund case is going to give back (P5)."""

    order: str
    cases: tuple[str, ...]
    """The cases that have taken something of the order and are open."""

    def __str__(self) -> str:
        return (
            f"The refund of order {shown(self.order)} takes what is taken by refund case "
            f"{', '.join(map(shown, self.cases))}. Let the case go its way, or deny or cancel it "
            "first, and plan again."
        )


@final
@attrs.define
class AcceptsTooMuch(RefusalError):
    """An inspection accepts more pieces than it may (P5)."""

    case: str
    line: str
    wanted: int
    most: int

    def __str__(self) -> str:
        return (
            f"Cannot accept {self.wanted} of line {shown(self.line)} of the refund case "
            f"{shown(self.case)}: at most {self.most}. A later inspection never accepts more than "
            "the one before it; what was forgotten is another case."
        )


@final
@attrs.define
class NothingAccepted(RefusalError):
    """A case is to be completed, and there is nothing to refund (P5)."""

    case: str

    def __str__(self) -> str:
        return (
            f"Cannot complete the refund case {shown(self.case)}: nothing of it was accepted. "
            "Deny it, with the reason."
        )


@final
@attrs.define
class GoodsNotDue(RefusalError):
    """Goods are said to be missing before the date until which they may arrive (P5)."""

    case: str
    arrive_by: datetime
    at: datetime

    def __str__(self) -> str:
        return (
            f"The goods of the refund case {shown(self.case)} may arrive until "
            f"{self.arrive_by.isoformat()}, and it is {self.at.isoformat()}. Wait, or deny the "
            "case if something else speaks against it."
        )


@final
@attrs.define
class CaseNeedsHolder(RefusalError):
    """A case gives credit, and there is neither a holder nor a claim code to give it to (P3, A15)."""

    case: str
    amount: Balance

    def __str__(self) -> str:
        return (
            f"The refund case {shown(self.case)} gives {self.amount} of credit to a guest. Let "
            "them register and pass holder=, or give StoreCredit the keys for claim codes."
        )


# -- conflicts -----------------------------------------------------------------------------


@final
@attrs.define
class LimitReached(ConflictError):
    """A limit has less left than the decision counted on (P3); nothing was done."""

    retryable: ClassVar[bool] = False
    """The same decision never fits again: decide anew."""

    case: str
    limits: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"The refund case {shown(self.case)} goes over {', '.join(self.limits)} by now: other "
            "refunds were completed since it was decided. Cancel it, and decide a new request with "
            "tallies()."
        )


@final
@attrs.define
class ReturnOutdated(ConflictError):
    """The lines of a return are not what the order's payment says now (P6); nothing was done."""

    retryable: ClassVar[bool] = False
    """The same lines never fit again: make them anew."""

    order: str
    line: str
    given: Balance
    due: Balance

    def __str__(self) -> str:
        return (
            f"Line {shown(self.line)} of order {shown(self.order)} comes back as {self.given}, and "
            f"the record of its payment says {self.due}. Make the lines with return_lines(), and "
            "decide again."
        )
