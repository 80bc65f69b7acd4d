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
    given_back: Money | None = None
    """What of it the host has given back, because it paid for nothing."""

    @property
    def kept(self) -> Money:
        """What is charged and was not given back."""
        return self.amount if self.given_back is None else self.amount - self.given_back


@final
@attrs.frozen
class Stranded:
    """What of a confirmed charge pays for nothing: the host gives it back."""

    charge: str
    """The key of the charge."""
    tender: str
    amount: Money
    """What is to be given back now."""
    total: Money
    """What has been given back of that charge in all, once that is done."""

    @property
    def key(self) -> str:
        """
        The key for the processor: the same until it is recorded, or more of the charge strands (A12).

        So give back and record before anything else is done with the payment.
        """
        return f"{self.charge}/back/{self.total.minor}"


@final
@attrs.frozen
class Begun:
    """One plan of a payment: the key that it was begun with, and what it was."""

    key: str
    digest: str
    """The SHA-256 of the plan's JSON form, in hexadecimal digits."""


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
