"""
What can be wrong with a policy, with what it is asked, and with a choice among its offers.

    MisuseError
        PolicyInvalid       a policy, in a file or in Python, that cannot be: every problem at once
        InvalidReturn       a request to give something back that cannot be
    RefusalError
        NotOffered          a choice that the policy does not offer
        ConsentMissing      credit in place of money, without the customer's consent

Every value of a message is an attribute too. The classes pickle.
"""

from __future__ import annotations

from typing import Final, final

import attrs

from storecredit.errors._branches import MisuseError, RefusalError
from storecredit.errors._shown import shown

__all__ = [
    "ConsentMissing",
    "InvalidReturn",
    "NotOffered",
    "PolicyInvalid",
    "PolicyProblem",
]

_MOST_SHOWN: Final = 100


@final
@attrs.frozen
class PolicyProblem:
    """One thing that is wrong with a policy."""

    path: str
    """Where: "refund.rules[2].bonus.percent"; empty for the whole."""
    value: object
    """What stands there; None where nothing does."""
    expected: str
    """What would be right, as a sentence without its end."""

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.path}: {self.expected}" if self.path else self.expected
        return f"{self.path or 'the policy'}: {shown(self.value)}; {self.expected}"


@final
@attrs.define
class PolicyInvalid(MisuseError):
    """A policy that cannot be (P1): every problem, with its place and what would be right."""

    source: str
    """The file, or what the caller called the policy."""
    problems: tuple[PolicyProblem, ...]

    def __str__(self) -> str:
        lines = [f"  {problem}." for problem in self.problems[:_MOST_SHOWN]]
        count = "one problem" if len(lines) == 1 else f"{len(self.problems)} problems"
        if len(lines) < len(self.problems):
            lines.append(f"  ... and {len(self.problems) - len(lines)} more.")
        return "\n".join([f"{self.source} is no policy: {count}.", *lines])


@final
@attrs.define
class InvalidReturn(MisuseError):
    """A request to give something back that cannot be (P2)."""

    field: str
    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.field} is {shown(self.value)}; it has to be {self.expected}."


@final
@attrs.define
class NotOffered(RefusalError):
    """A choice that the policy does not offer for that line (P2)."""

    line: str
    chosen: str
    offered: tuple[str, ...]
    because: str
    may_override: bool = True
    """Whether somebody with the permission may decide so all the same."""

    def __str__(self) -> str:
        found = f"offered: {', '.join(self.offered)}" if self.offered else "nothing is offered"
        instead = "Somebody with the permission may override()."
        return (
            f"Line {shown(self.line)} cannot go back as {self.chosen}: "
            f"{self.because.rstrip('.')}; {found}. "
            f"{instead if self.may_override else 'Nobody may override that.'}"
        )


@final
@attrs.define
class ConsentMissing(RefusalError):
    """Credit in place of money needs the customer's consent, and there is none (P6)."""

    request: str
    because: str

    def __str__(self) -> str:
        return (
            f"The customer of {shown(self.request)} has to accept credit in place of money: "
            f"{self.because}. Ask, and choose again with consent=True, or offer the money."
        )
