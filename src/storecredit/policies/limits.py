"""Limits over a time: what one customer may get, and what one agent may grant (P3)."""

import enum
from datetime import datetime
from typing import final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger.arguments import one_of
from storecredit.ledger.texts import require_text
from storecredit.policies import given
from storecredit.values import Money, Period


@final
class LimitPer(enum.StrEnum):
    """Whose doing is counted."""

    HOLDER = "holder"
    AGENT = "agent"


@final
class LimitOn(enum.StrEnum):
    """What is counted."""

    REFUND = "refund"
    """All that is refunded, as money and as credit, bonuses included."""
    CREDIT = "credit"
    """What becomes credit, bonuses included."""
    BONUS = "bonus"


@final
class Over(enum.StrEnum):
    """What happens beyond the limit."""

    APPROVE = "approve"
    """Somebody else has to approve."""
    REFUSE = "refuse"
    """What is counted is not offered."""
    CUT = "cut"
    """The bonus is lowered to what is left; only a bonus can be."""


def _per(per: LimitPer | str) -> LimitPer:
    return one_of(LimitPer, "per", per)


def _on(on: LimitOn | str) -> LimitOn:
    return one_of(LimitOn, "on", on)


def _over(over: Over | str) -> Over:
    return one_of(Over, "over", over)


@final
@attrs.frozen(kw_only=True)
class Limit:
    """
    So much, or so many times, in a period that ends now.

    The tallies are kept by the service, and counted in the transaction that completes (P3).

    Raises:
        InvalidTerms: Neither an amount nor a count, a list or rule that does not exist, or a cut
            of something else than a bonus.
        InvalidText: An id that cannot be kept.
    """

    id: str
    per: LimitPer = attrs.field(converter=_per)
    on: LimitOn = attrs.field(default=LimitOn.REFUND, converter=_on)
    period: Period = attrs.field(default=Period(days=1))
    amount: Money | None = attrs.field(default=None, converter=given.amount)
    count: int | None = attrs.field(default=None, converter=given.count_or_none)
    """How many decisions."""
    over: Over = attrs.field(default=Over.APPROVE, converter=_over)

    def __attrs_post_init__(self) -> None:
        require_text("id", self.id)
        if not isinstance(self.period, Period):
            raise InvalidTerms("period", self.period, 'a period, as "P1D"')
        if self.amount is None and self.count is None:
            raise InvalidTerms("the limit", self.id, "one with an amount, a count, or both")
        if self.over is Over.CUT and self.on is not LimitOn.BONUS:
            raise InvalidTerms("over", "cut", "approve or refuse: only a bonus can be lowered")
        if self.over is Over.REFUSE and self.on is LimitOn.REFUND:
            raise InvalidTerms("over", "refuse", "approve: what is due is not refused by a count")

    def begins(self, at: datetime) -> datetime:
        """Return from when on what was done counts at *at*."""
        return at - (self.period.after(at) - at)


def _limit(limit: str) -> str:
    return require_text("limit", limit)


@final
@attrs.frozen(kw_only=True)
class Tally:
    """
    What was done under a limit in its period, before this request.

    Raises:
        InvalidTerms: An amount below nothing, or no possible number.
        InvalidText: A limit that nobody can have named so.
    """

    limit: str = attrs.field(converter=_limit)
    amount: Money | None = attrs.field(default=None, converter=given.amount)
    """In the currency of the limit; None is nothing."""
    count: int = attrs.field(default=0, converter=given.count)
    """How many decisions."""
