"""What a rule gives, when it gives it, how often, and how much in a time (P4, A11)."""

import enum
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import Above, Limits
from storecredit.ledger.arguments import as_rounding, one_of
from storecredit.ledger.terms import as_limits
from storecredit.ledger.texts import require_text
from storecredit.policies.accepting import (
    a_period,
    amount_above_or_none,
    channels_or_none,
    count_or_none,
    expires_or_none,
    number_up_to,
    segments_or_none,
)
from storecredit.policies.limits import LimitPer
from storecredit.policies.occasion import Occasion
from storecredit.values import Money, Period, Rounding

HIGHEST_PERCENT: Final = Decimal(1000)
"""The highest percentage: above that it is a slip of the pen."""


@final
class Basis(enum.StrEnum):
    """What a percentage is of."""

    ORDER = "order"
    SHIPPING = "shipping"


def _amount(value: Money | None) -> Money | None:
    return amount_above_or_none("amount", value)


def _percent(value: Decimal | int | None) -> Decimal | None:
    return None if value is None else number_up_to("percent", value, HIGHEST_PERCENT)


def _of(value: Basis | str) -> Basis:
    return one_of(Basis, "of", value)


def _rounding(value: Rounding | str | None) -> Rounding | None:
    return None if value is None else as_rounding(value)


def _at_most(value: Money | None) -> Money | None:
    return amount_above_or_none("at_most", value)


@final
@attrs.frozen(kw_only=True)
class Gift:
    """
    One lot to give: an amount, or a percentage of what something cost.

    Raises:
        InvalidTerms: Neither an amount nor a percentage, or both; a percentage that does not say
            how it is rounded (V2); a value that cannot be; amounts in two units.
    """

    amount: Money | None = attrs.field(default=None, converter=_amount)
    percent: Decimal | None = attrs.field(default=None, converter=_percent)
    of: Basis = attrs.field(default=Basis.ORDER, converter=_of)
    """What the percentage is of."""
    rounding: Rounding | None = attrs.field(default=None, converter=_rounding)
    """How the percentage is rounded; has to be said with one."""
    at_most: Money | None = attrs.field(default=None, converter=_at_most)
    """The most that the percentage gives."""
    expires: Period | None = attrs.field(default=None, converter=expires_or_none)
    """How long the value lives; None for ever."""
    limits: Limits | None = attrs.field(default=None, converter=as_limits)
    """What the value may be used for; None for everything (A4)."""

    def __attrs_post_init__(self) -> None:
        if (self.amount is None) is (self.percent is None):
            raise InvalidTerms("amount", self.amount, "given, or percent is; one of the two")
        if self.percent is not None and self.rounding is None:
            raise InvalidTerms("rounding", None, "named where there is a percentage, as down")
        if self.percent is None and (self.rounding is not None or self.at_most is not None):
            raise InvalidTerms("percent", None, "given, where rounding or at_most are")

    def on(self, occasion: Occasion) -> Money | None:
        """
        Return what the gift comes to, which may be nothing; None where the basis is not known.

        Raises:
            AmountOutOfRange: More than there can be.
            RoundingNecessary: The rounding is `UNNECESSARY`, and it is.
        """
        if self.percent is None or self.rounding is None:
            return self.amount
        basis = occasion.order_total if self.of is Basis.ORDER else occasion.shipping
        if basis is None:
            return None
        found = basis.percentage(self.percent, rounding=self.rounding)
        if self.at_most is None:
            return found
        return min(found, self.at_most) if self.at_most.unit == found.unit else None


def _at_least(value: Money | None) -> Money | None:
    return amount_above_or_none("at_least", value)


def _below(value: Money | None) -> Money | None:
    return amount_above_or_none("below", value)


def _days_late(value: int | None) -> int | None:
    return count_or_none("days_late", value)


@final
@attrs.frozen(kw_only=True)
class Circumstances:
    """
    When a rule holds. What is not said does not matter; all that is said must hold.

    Raises:
        InvalidTerms: A value that cannot be, or conditions that can never hold together.
        InvalidText: A text that cannot be kept.
    """

    at_least: Money | None = attrs.field(default=None, converter=_at_least)
    """The order cost so much or more."""
    below: Money | None = attrs.field(default=None, converter=_below)
    """It cost less than that."""
    segments: tuple[str, ...] | None = attrs.field(default=None, converter=segments_or_none)
    """The holder is in one of these groups at least."""
    channels: tuple[str, ...] | None = attrs.field(default=None, converter=channels_or_none)
    days_late: int | None = attrs.field(default=None, converter=_days_late)
    """So many days late, or more."""

    def __attrs_post_init__(self) -> None:
        if self.at_least is not None and self.below is not None:
            if self.at_least.unit != self.below.unit:
                raise InvalidTerms("below", self.below, f"in {self.at_least.unit.code}")
            if self.below <= self.at_least:
                raise InvalidTerms("below", self.below, f"more than at_least, {self.at_least}")

    def problem(self, occasion: Occasion) -> str | None:
        """Return the first thing about *occasion* that does not hold, or None."""
        return next(self._problems(occasion), None)

    def _problems(self, occasion: Occasion) -> Iterator[str]:
        total = occasion.order_total
        for limit, is_below in ((self.at_least, False), (self.below, True)):
            if limit is None:
                continue
            if total is None:
                yield "no order total is known"
            elif total.unit != limit.unit:
                yield f"the order is in {total.unit.code}"
            elif (total < limit) is not is_below:
                yield f"{total} is not below {limit}" if is_below else f"{total} is below {limit}"
        if self.segments is not None and not set(self.segments) & set(occasion.segments):
            yield "the holder is in none of the groups"
        if self.channels is not None and occasion.channel not in self.channels:
            named = occasion.channel
            yield "no channel is known" if named is None else f"the channel is {named}"
        if self.days_late is not None:
            if occasion.days_late is None:
                yield "it is not known how late it is"
            elif occasion.days_late < self.days_late:
                yield f"it is {occasion.days_late} days late, and not {self.days_late}"


ALWAYS: Final = Circumstances()
"""No condition at all."""


@final
class OncePer(enum.StrEnum):
    """What a rule gives for once only, whatever is asked again (P4, A12)."""

    OCCASION = "occasion"
    ORDER = "order"
    HOLDER = "holder"
    REFERRAL = "referral"
    """Once for each holder who was brought, whoever says to have brought him."""

    def subject(self, occasion: Occasion) -> str | None:
        """Return what is counted once; None where *occasion* does not say."""
        if self is OncePer.OCCASION:
            return occasion.id
        if self is OncePer.ORDER:
            return occasion.order
        if self is OncePer.REFERRAL and occasion.referrer is None:
            return None
        return occasion.holder


def _per(value: LimitPer | str) -> LimitPer:
    return one_of(LimitPer, "per", value)


def _period(value: Period) -> Period:
    return a_period("period", value)


def _count(value: int | None) -> int | None:
    return count_or_none("count", value)


def _above(value: Above | str) -> Above:
    return one_of(Above, "above", value)


@final
@attrs.frozen(kw_only=True)
class GrantCeiling:
    """
    The most that one holder gets, or one agent gives, in a period that ends now (P4, A11).

    It is counted in the transaction that gives, so that two at once never exceed it. All rules of
    the section count together; amounts in another unit do not count.

    Raises:
        InvalidTerms: Neither an amount nor a count, or a value that cannot be.
        InvalidText: An id that cannot be kept.
    """

    id: str
    per: LimitPer = attrs.field(default=LimitPer.HOLDER, converter=_per)
    """Whose doing is counted; a ceiling per agent binds nobody where no actor is named."""
    period: Period = attrs.field(converter=_period)
    amount: Money | None = attrs.field(default=None, converter=_amount)
    count: int | None = attrs.field(default=None, converter=_count)
    """How many gifts."""
    above: Above = attrs.field(default=Above.REFUSE, converter=_above)
    """Refuse what would go above it, or give up to it and record what was withheld."""

    def __attrs_post_init__(self) -> None:
        require_text("id", self.id)
        if self.amount is None and self.count is None:
            raise InvalidTerms("amount", None, "given, or count, or both")

    def counts_from(self, at: datetime) -> datetime:
        """Return the instant from which on gifts count at *at*."""
        return at - (self.period.after(at) - at)
