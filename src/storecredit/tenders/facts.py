"""The facts that a payment's record gathers: holds, charges, captures (T5)."""

from typing import final

import attrs

from storecredit.tenders.payment import Answer
from storecredit.values import Money


@final
@attrs.frozen(kw_only=True)
class ChargeFact:
    """One charge that the host makes, or has made."""

    id: str
    """The host's key: the same for the same attempt."""
    tender: str
    amount: Money
    plan: int = 0
    """Under which of the payment's plans it is made, from 0."""
    answer: Answer = Answer.PENDING


@final
@attrs.frozen
class HeldTender:
    """The hold that reserves what a plan takes of a tender."""

    tender: str
    hold: str


@final
@attrs.frozen
class Captured:
    """Lines that were captured together."""

    id: str
    """The key of the capture."""
    lines: tuple[str, ...]
