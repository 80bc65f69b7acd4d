"""
What can be wrong with a claim code, or with a claim (A15).

    MisuseError
        ClaimRulesMissing   codes are used, and the merchant has no keys for them
        UnknownCode         a step of a code that this merchant never issued
    RefusalError
        CodeMistyped        what was typed is no code: ask for it again; nothing was looked up
        ClaimFailed         a code that cannot be used; the customer is not told why
        CodeClaimed         something is to be spent of a code that was claimed
        CodeStepRefused     a step that the state of the code does not allow

Every value of a message is an attribute too. The classes pickle. No code is in any of them.
"""

from __future__ import annotations

import datetime as dt
from typing import final

import attrs

from storecredit.errors._branches import MisuseError, RefusalError

__all__ = [
    "ClaimFailed",
    "ClaimRulesMissing",
    "CodeClaimed",
    "CodeMistyped",
    "CodeStepRefused",
    "UnknownCode",
]


# -- misuse --------------------------------------------------------------------------------


@final
@attrs.define
class ClaimRulesMissing(MisuseError):
    """Claim codes are used, and the service was not given the keys for them (A15)."""

    verb: str

    def __str__(self) -> str:
        return (
            f"Cannot {self.verb}: the service has no keys for claim codes. Pass "
            "claims=ClaimRules(keys=ClaimKeys(current=..., keys={...})) to StoreCredit, with "
            "secret keys of 32 random bytes that you keep."
        )


@final
@attrs.define
class UnknownCode(MisuseError):
    """This merchant has issued no code with that id (A15)."""

    id: str = attrs.field(repr=False)
    """What was given. It is in no message: it may be a code."""

    def __str__(self) -> str:
        return (
            "This merchant has issued no claim code with that id. Pass the id that issue_code() or "
            "codes() returned; it is not the code itself."
        )


# -- refusals ------------------------------------------------------------------------------


@final
@attrs.define
class CodeMistyped(RefusalError):
    """What was typed cannot be a code, so nothing was looked up and no attempt is counted (A15)."""

    problem: str
    """What is wrong with it; never what was typed."""

    def __str__(self) -> str:
        return f"This is no code: {self.problem}. Please type it again, as it was written."


@final
@attrs.define
class ClaimFailed(RefusalError):
    """
    A code cannot be opened or claimed (A15).

    The message is the same whatever the reason: show it to the customer. The attributes are for
    the host, and stand in no message and no representation.
    """

    reason: str = attrs.field(repr=False)
    """A `storecredit.claims.ClaimReason`."""
    id: str | None = attrs.field(default=None, repr=False)
    """The code's id, where there is such a code."""
    free_at: dt.datetime | None = attrs.field(default=None, repr=False)
    """From when on the caller may try again, where too many attempts have failed."""
    refusal: RefusalError | None = attrs.field(default=None, repr=False)
    """What the account of the claimer refused, where that is the reason."""

    def __str__(self) -> str:
        return (
            "This code cannot be used. Check that it is typed as it was written, or try again "
            "later; whoever gave it to you can tell you more."
        )


@final
@attrs.define
class CodeClaimed(RefusalError):
    """The account of a code was moved to whoever claimed it: nothing is done with it now (A15)."""

    holder: str

    def __str__(self) -> str:
        return (
            f"The code of {self.holder} was claimed, and its value is in the account of whoever "
            "claimed it. Open a code in the same request that spends from it, and do not keep the "
            "name of its holder."
        )


@final
@attrs.define
class CodeStepRefused(RefusalError):
    """A step that the state of a code does not allow (A15)."""

    id: str
    step: str
    state: str
    allowed: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Cannot {self.step} code {self.id}: it is {self.state}, where only these steps go "
            f"on: {', '.join(self.allowed) or 'none'}."
        )
