"""
What can be refused when credit is granted, earned or topped up.

    MisuseError
        UnknownGrant         something is to be done about a grant that was never made
    RefusalError
        GrantCeilingReached  a holder would get, or an agent give, more than the policy allows
        TopUpRefused         an amount that cannot be bought: do not charge it

Every value of a message is an attribute too. The classes pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, final

import attrs

from storecredit.errors._branches import MisuseError, RefusalError
from storecredit.errors._shown import shown

if TYPE_CHECKING:
    from storecredit.values import Money

__all__ = ["GrantCeilingReached", "TopUpRefused", "UnknownGrant"]


_BECAUSE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "in_another_unit": "in another unit",
        "below_minimum": "below the minimum",
        "above_maximum": "above the maximum",
        "above_ceiling": "more than a ceiling leaves",
    }
)


@final
@attrs.define
class UnknownGrant(MisuseError):
    """Something is to be done about points or a top-up that were never given (P4)."""

    kind: str
    """"earning" or "top-up"."""
    name: str
    """The order, or the payment."""

    def __str__(self) -> str:
        of, verb = ("order", "earn()") if self.kind == "earning" else ("payment", "top_up()")
        return (
            f"There is no {self.kind} of {of} {shown(self.name)} with this merchant. Record it with "
            f"{verb} first, under the same name."
        )


@final
@attrs.define
class GrantCeilingReached(RefusalError):
    """A holder would get, or an agent give, more in a period than the policy allows (P4)."""

    ceiling: str
    per: str
    who: str
    asked: Money
    left: Money | None
    """The amount that is left; None where only their number is limited."""
    count: int | None
    """How many gifts are left; None where only the amount is limited."""

    def __str__(self) -> str:
        found = [] if self.left is None else [f"{self.left} is left"]
        if self.count is not None:
            found.append(f"{self.count} more gifts are" if self.count != 1 else "1 more gift is")
            found[-1] += " allowed"
        return (
            f"The ceiling {shown(self.ceiling)} of {self.per} {shown(self.who)} leaves no room for "
            f"{self.asked}: {' and '.join(found)} in its period. Wait for the period to pass, or let "
            "the ceiling give up to what is left."
        )


@final
@attrs.define
class TopUpRefused(RefusalError):
    """An amount that cannot be bought as credit (P4)."""

    amount: Money
    because: str
    minimum: Money
    maximum: Money | None

    def __str__(self) -> str:
        span = f"from {self.minimum} up"
        if self.maximum is not None:
            span = f"from {self.minimum} up to {self.maximum}"
        why = _BECAUSE.get(self.because, self.because)
        return (
            f"{self.amount} cannot be topped up: it is {why}. Credit is sold {span}. Do not charge "
            "it; ask for another amount."
        )
