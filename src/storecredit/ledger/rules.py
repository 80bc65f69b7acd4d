"""The merchant of record: what it declares once, and every command follows."""

import enum
from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.errors import (
    ChannelNotDeclared,
    ChannelRequired,
    InvalidTerms,
    UnitRedefined,
)
from storecredit.ledger.arguments import as_money, one_of, texts
from storecredit.ledger.order import DEFAULT_ORDER, OrderOfUse
from storecredit.ledger.terms import Funding, as_funding
from storecredit.ledger.texts import require_text
from storecredit.values import CustomUnit, Money, Period, Unit, end_of_day, unit


@final
class Above(enum.StrEnum):
    """What to do with value that would go above a ceiling or above what can be had."""

    REFUSE = "refuse"
    UP_TO = "up_to"


def _above(rule: Above | str) -> Above:
    return one_of(Above, "above", rule)


@final
@attrs.frozen
class Ceiling:
    """The most that one account may hold (A11)."""

    maximum: Money = attrs.field(converter=as_money)
    above: Above = attrs.field(default=Above.REFUSE, converter=_above)
    """Refuse what would go above it, or issue up to it and record what was withheld."""

    def __attrs_post_init__(self) -> None:
        if self.maximum.minor < 0:
            raise InvalidTerms("maximum", self.maximum, "zero or more")


@final
class ExpiredRestore(enum.StrEnum):
    """Where restored value goes whose lot has expired meanwhile (A7)."""

    GRACE = "grace"
    """Into a new lot, linked to the old one, that lasts for the merchant's grace period."""
    EXPIRE = "expire"
    """Back into the old lot, where it expires in the same entry."""
    REISSUE = "reissue"
    """Into a new lot, linked to the old one, that lasts as long as the old one did."""


@final
class RestoreInto(enum.StrEnum):
    """Which lot takes restored value while the old one lives (A7)."""

    SAME_LOT = "same_lot"
    NEW_LOT = "new_lot"


_CASHABLE: Final = frozenset({Funding.PURCHASED, Funding.REFUND, Funding.DEPOSIT})


def _lives(lives: Mapping[Any, Period]) -> Mapping[Funding, Period]:
    if not isinstance(lives, Mapping):
        raise InvalidTerms("minimum_life", lives, "Periods by funding")
    return MappingProxyType({as_funding(funding): period for funding, period in lives.items()})


def _fundings(fundings: Iterable[Any]) -> frozenset[Funding]:
    return frozenset(as_funding(funding) for funding in fundings)


def _channels(channels: Iterable[str]) -> tuple[str, ...]:
    return texts("channels", channels)


def _units(units: Iterable[CustomUnit]) -> tuple[CustomUnit, ...]:
    return tuple(units)


def _ceilings(ceilings: Iterable[Ceiling]) -> tuple[Ceiling, ...]:
    return tuple(ceilings)


def as_expired_restore(rule: ExpiredRestore | str) -> ExpiredRestore:
    """
    Accept the rule for value of an expired lot, or its name.

    Raises:
        InvalidTerms: There is no such rule.
    """
    return one_of(ExpiredRestore, "expired", rule)


def _restore_into(rule: RestoreInto | str) -> RestoreInto:
    return one_of(RestoreInto, "restore_into", rule)


@final
@attrs.frozen(kw_only=True)
class Merchant:
    """
    A merchant of record and its rules, as data.

    Only the id is required: every rule has the default of DESIGN.md section 5.
    """

    id: str
    channels: tuple[str, ...] = attrs.field(default=(), converter=_channels)
    """Where sales happen (A16). Where any is declared, spending names one of them."""
    units: tuple[CustomUnit, ...] = attrs.field(default=(), converter=_units)
    """The custom units that the merchant issues, besides currencies."""
    zone: str = "UTC"
    """The time zone in which a date expiry ends."""
    order: OrderOfUse = DEFAULT_ORDER
    hold_lasts: Period = attrs.field(factory=lambda: Period(hours=24))
    """How long a hold is live where the command does not say (A6)."""
    hold_at_most: Period = attrs.field(factory=lambda: Period(days=30))
    """The longest a hold may live, from the instant it was placed, after any resizing (A6)."""
    minimum_life: Mapping[Funding, Period] = attrs.field(
        default=MappingProxyType({}), converter=_lives
    )
    """By funding, how soon a lot may expire at the earliest (A11)."""
    ceilings: tuple[Ceiling, ...] = attrs.field(default=(), converter=_ceilings)
    """The most that one account may hold, a ceiling for each unit (A11)."""
    cashable: frozenset[Funding] = attrs.field(default=_CASHABLE, converter=_fundings)
    """The fundings that may be paid out in money (A11)."""
    restore_into: RestoreInto = attrs.field(default=RestoreInto.SAME_LOT, converter=_restore_into)
    restore_expired: ExpiredRestore = attrs.field(
        default=ExpiredRestore.GRACE, converter=as_expired_restore
    )
    grace: Period = attrs.field(factory=lambda: Period(days=30))
    """How long value lives that is restored after its lot has expired (A7)."""

    def __attrs_post_init__(self) -> None:
        require_text("merchant", self.id)
        _require(OrderOfUse, "an OrderOfUse", order=self.order)
        _require(Period, "a Period", hold_lasts=self.hold_lasts)
        _require(Period, "a Period", hold_at_most=self.hold_at_most, grace=self.grace)
        for custom in self.units:
            _require(CustomUnit, "CustomUnits", units=custom)
        for ceiling in self.ceilings:
            _require(Ceiling, "Ceilings", ceilings=ceiling)
        for life in self.minimum_life.values():
            _require(Period, "Periods by funding", minimum_life=life)
        end_of_day(date(2000, 1, 1), self.zone)  # refuses a zone that is not one
        codes = [custom.code for custom in self.units]
        if len(set(codes)) < len(codes):
            raise InvalidTerms("units", codes, "each code once")
        limited = [ceiling.maximum.unit.code for ceiling in self.ceilings]
        if len(set(limited)) < len(limited):
            raise InvalidTerms("ceilings", limited, "one ceiling for each unit")

    def unit(self, code: str | Unit) -> Unit:
        """
        Return the unit with *code*: one of the merchant's own, or an ISO 4217 currency.

        Raises:
            UnitRedefined: It is a custom unit with other digits than the merchant declares.
            UnknownCurrency: It is neither.
        """
        if isinstance(code, CustomUnit):
            for declared in self.units:
                if declared.code == code.code and declared.digits != code.digits:
                    raise UnitRedefined(code.code, declared.digits, code.digits)
        return unit(code, customs=self.units)

    def ceiling(self, of: Unit) -> Ceiling | None:
        """Return the ceiling for the unit *of*, if there is one."""
        for ceiling in self.ceilings:
            if ceiling.maximum.unit == of:
                return ceiling
        return None

    def check_channel(self, channel: str | None) -> None:
        """
        Require that a spending command in *channel* may happen at all (A16).

        Raises:
            ChannelRequired: The merchant declares channels and the command names none.
            ChannelNotDeclared: The channel is not one of the merchant's.
        """
        if channel is None:
            if self.channels:
                raise ChannelRequired(self.id, self.channels)
        elif channel not in self.channels:
            raise ChannelNotDeclared(self.id, channel, self.channels)


def _require(kind: type, expected: str, **rules: object) -> None:
    for name, rule in rules.items():
        if not isinstance(rule, kind):
            raise InvalidTerms(name, rule, expected)
