"""What a lot was granted under: who paid, when it counts, what it may pay for."""

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger.arguments import as_money, one_of, texts
from storecredit.ledger.instants import read_instant, write_instant
from storecredit.ledger.texts import require_text
from storecredit.values import MAX_MINOR, CustomUnit, Money


@final
class Funding(enum.StrEnum):
    """
    Who paid for the value of a lot (A11): a closed list.

    It decides the order of use, the minimum life, whether the value may be cashed out, and how
    tax and accounting see it.
    """

    PURCHASED = "purchased"
    REFUND = "refund"
    GOODWILL = "goodwill"
    PROMOTIONAL = "promotional"
    EARNED = "earned"
    DEPOSIT = "deposit"


def as_funding(funding: "Funding | str") -> Funding:
    """
    Accept a funding, or its name.

    Raises:
        InvalidTerms: It is not on the closed list (A11).
    """
    return one_of(Funding, "funding", funding)


@final
@attrs.frozen(kw_only=True)
class Line:
    """One line of the order that a command pays for, as far as limits of lots need it (A4)."""

    id: str
    amount: Money = attrs.field(converter=as_money)
    """What is due on the line: not negative."""
    category: str | None = None

    def __attrs_post_init__(self) -> None:
        require_text("line.id", self.id)
        if self.category is not None:
            require_text("line.category", self.category)
        if self.amount.minor < 0:
            raise InvalidTerms("line.amount", self.amount, "zero or more")

    def to_json(self) -> list[Any]:
        """Return the line as JSON data, the form that idempotency compares."""
        return [self.id, self.amount.minor, self.category]


def _categories(values: Iterable[str]) -> tuple[str, ...]:
    return texts("categories", values)


def _line_ids(values: Iterable[str]) -> tuple[str, ...]:
    return texts("lines", values)


def _channels(values: Iterable[str]) -> tuple[str, ...]:
    return texts("channels", values)


@final
@attrs.frozen(kw_only=True)
class Limits:
    """
    Where the value of a lot may be used (A4). What is None or empty does not limit.

    A command without order lines never uses a limited lot.
    """

    categories: tuple[str, ...] = attrs.field(default=(), converter=_categories)
    """Only lines of one of these categories."""
    lines: tuple[str, ...] = attrs.field(default=(), converter=_line_ids)
    """Only the lines with these ids."""
    channels: tuple[str, ...] = attrs.field(default=(), converter=_channels)
    """Only sales in one of these channels (A16)."""
    minimum_order: int | None = None
    """Only orders whose lines sum to at least this many minor units of the lot's unit."""
    share_percent: int | None = None
    """At most this whole percentage, 1 to 100, of the eligible lines; rounded down."""

    def __attrs_post_init__(self) -> None:
        minimum, share = self.minimum_order, self.share_percent
        if minimum is not None and (type(minimum) is not int or not 1 <= minimum <= MAX_MINOR):
            raise InvalidTerms("minimum_order", minimum, "a whole number of minor units from 1 up")
        if share is not None and (type(share) is not int or not 1 <= share <= 100):
            raise InvalidTerms("share_percent", self.share_percent, "a whole number from 1 to 100")
        if not self.to_json():
            raise InvalidTerms("limits", self, "at least one limit; pass None for no limits")

    def allows_line(self, line: Line) -> bool:
        """Tell whether *line* is one that the value may pay for."""
        return (not self.categories or line.category in self.categories) and (
            not self.lines or line.id in self.lines
        )

    def to_json(self) -> dict[str, Any]:
        """Return what limits, and only that, as JSON data."""
        found: dict[str, Any] = {}
        for name in ("categories", "lines", "channels"):
            if values := getattr(self, name):
                found[name] = list(values)
        for name in ("minimum_order", "share_percent"):
            if (value := getattr(self, name)) is not None:
                found[name] = value
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Limits":
        """Read what `to_json` wrote."""
        return cls(**data)


def as_limits(limits: object) -> Limits | None:
    """
    Accept limits, or None.

    Raises:
        InvalidTerms: Something else.
    """
    if limits is None or isinstance(limits, Limits):
        return limits
    raise InvalidTerms("limits", limits, "Limits, or None")


@final
@attrs.frozen
class Paid:
    """What was paid for bought value: *money* for every *face* minor units of it, exactly."""

    money: Money
    face: int

    def to_json(self) -> dict[str, Any]:
        """Return the price as JSON data."""
        data: dict[str, Any] = {"money": self.money.to_json(), "face": self.face}
        if isinstance(self.money.unit, CustomUnit):
            # A code alone does not say what a custom unit is.
            data["digits"] = self.money.unit.digits
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Paid":
        """Read what `to_json` wrote."""
        money, digits = data["money"], data.get("digits")
        customs = () if digits is None else (CustomUnit(money["unit"], digits),)
        return cls(Money.from_json(money, customs=customs), data["face"])


@final
@attrs.frozen(kw_only=True)
class Terms:
    """The conditions of a lot. They travel with its value through transfers and restores."""

    funding: Funding
    effective_at: datetime
    expires_at: datetime | None = None
    """The value counts while ``effective_at <= at < expires_at``; None never expires."""
    priority: int = 0
    """Lower is used earlier (A3)."""
    limits: Limits | None = None
    paid: Paid | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the terms as JSON data; what is at its default is left out."""
        data: dict[str, Any] = {
            "funding": self.funding.value,
            "effective_at": write_instant(self.effective_at),
        }
        if self.expires_at is not None:
            data["expires_at"] = write_instant(self.expires_at)
        if self.priority:
            data["priority"] = self.priority
        if self.limits is not None:
            data["limits"] = self.limits.to_json()
        if self.paid is not None:
            data["paid"] = self.paid.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Terms":
        """Read what `to_json` wrote."""
        expires, limits, paid = data.get("expires_at"), data.get("limits"), data.get("paid")
        return cls(
            funding=Funding(data["funding"]),
            effective_at=read_instant(data["effective_at"]),
            expires_at=None if expires is None else read_instant(expires),
            priority=data.get("priority", 0),
            limits=None if limits is None else Limits.from_json(limits),
            paid=None if paid is None else Paid.from_json(paid),
        )
