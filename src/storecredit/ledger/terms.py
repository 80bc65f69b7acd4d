"""What a lot was granted under: who paid, when it counts, what it may pay for."""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger.arguments import as_money
from storecredit.ledger.instants import read_instant, write_instant
from storecredit.values import Money


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

    @property
    def is_gift(self) -> bool:
        """Whether the merchant gave the value without being paid for it."""
        return self in _GIFTS


_GIFTS: Final = frozenset({Funding.GOODWILL, Funding.PROMOTIONAL, Funding.EARNED})


@final
@attrs.frozen(kw_only=True)
class Line:
    """One line of the order that a command pays for, as far as limits of lots need it (A4)."""

    id: str
    amount: Money = attrs.field(converter=as_money)
    """What is due on the line: not negative."""
    category: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.amount.minor < 0:
            raise InvalidTerms("line.amount", self.amount, "zero or more")

    def to_json(self) -> list[Any]:
        """Return the line as JSON data, the form that idempotency compares."""
        return [self.id, self.amount.minor, self.category]


@final
@attrs.frozen(kw_only=True)
class Limits:
    """
    Where the value of a lot may be used (A4). What is None or empty does not limit.

    A command without order lines never uses a limited lot.
    """

    categories: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    """Only lines of one of these categories."""
    lines: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    """Only the lines with these ids."""
    channels: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    """Only sales in one of these channels (A16)."""
    minimum_order: int | None = None
    """Only orders whose lines sum to at least this many minor units of the lot's unit."""
    share_percent: int | None = None
    """At most this whole percentage, 1 to 100, of the eligible lines; rounded down."""

    def __attrs_post_init__(self) -> None:
        if self.minimum_order is not None and self.minimum_order < 1:
            raise InvalidTerms("minimum_order", self.minimum_order, "at least one minor unit")
        if self.share_percent is not None and not 1 <= self.share_percent <= 100:
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


@final
@attrs.frozen
class Paid:
    """What was paid for bought value: *money* for every *face* minor units of it, exactly."""

    money: Money
    face: int

    def to_json(self) -> dict[str, Any]:
        """Return the price as JSON data."""
        return {"money": self.money.to_json(), "face": self.face}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Paid":
        """Read what `to_json` wrote."""
        return cls(Money.from_json(data["money"]), data["face"])


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
