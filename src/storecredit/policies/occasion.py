"""What happened, and to whom: the facts that goodwill and incentives are decided by (P4)."""

from collections.abc import Iterable
from datetime import datetime
from typing import final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger.arguments import as_money, texts
from storecredit.ledger.texts import require_text
from storecredit.values import MAX_MINOR, AnyMoney, Money, instant


def _segments(segments: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts("segments", segments)))


def _order_total(amount: AnyMoney | None) -> Money | None:
    return _not_negative("order_total", amount)


def _shipping(amount: AnyMoney | None) -> Money | None:
    return _not_negative("shipping", amount)


def _not_negative(field: str, amount: AnyMoney | None) -> Money | None:
    if amount is None:
        return None
    found = as_money(amount)
    if found.is_negative:
        raise InvalidTerms(field, str(found), "zero or more")
    return found


@final
@attrs.frozen(kw_only=True)
class Occasion:
    """
    Something that may be worth a gift: a parcel came late, somebody opened an account.

    The facts are the host's, and are believed.

    Raises:
        ArgumentRefused: An amount is no money.
        InvalidTerms: A negative amount or number of days, or a referrer who referred himself.
        InvalidText: A text that cannot be kept.
        NaiveInstant: An instant without a zone.
    """

    id: str
    """Names what happened: a ticket, a parcel, a sign-up. The same again is the same occasion."""
    on: str
    """What kind of thing it is, as rules write it: "late delivery", "account opening"."""
    holder: str
    """Whom it happened to."""
    at: datetime = attrs.field(converter=instant)
    order: str | None = None
    order_total: Money | None = attrs.field(default=None, converter=_order_total)
    """What the order cost."""
    shipping: Money | None = attrs.field(default=None, converter=_shipping)
    """What its shipping cost."""
    days_late: int | None = None
    referrer: str | None = None
    """Who brought the holder."""
    channel: str | None = None
    segments: tuple[str, ...] = attrs.field(default=(), converter=_segments)
    """The groups that the holder is in."""

    def __attrs_post_init__(self) -> None:
        for field, value in (("id", self.id), ("on", self.on), ("holder", self.holder)):
            require_text(field, value)
        optional = {"order": self.order, "referrer": self.referrer, "channel": self.channel}
        for field, text in optional.items():
            if text is not None:
                require_text(field, text)
        days = self.days_late
        if days is not None and (type(days) is not int or not 0 <= days <= MAX_MINOR):
            raise InvalidTerms("days_late", days, "a whole number from 0 up")
        if self.referrer == self.holder:
            raise InvalidTerms("referrer", self.referrer, "somebody else than the holder")
