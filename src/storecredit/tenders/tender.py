"""Tenders: what may pay an order, in the order in which it is used (T2)."""

import enum
from collections.abc import Iterable
from typing import final

import attrs

from storecredit.errors import InvalidTender
from storecredit.ledger.account import Account
from storecredit.ledger.texts import require_text
from storecredit.tenders.lines import LineKind, line_kinds
from storecredit.tenders.price import PayingRate, amounts_by_unit
from storecredit.values import AnyMoney, CustomUnit, Money, Unit


@final
class TenderKind(enum.StrEnum):
    """What a tender is, for refunds and reports."""

    CREDIT = "credit"
    """An account of the customer's wallet."""
    CODE = "code"
    """A gift or claim code: an account without a holder."""
    COUPON = "coupon"
    """A coupon that somebody else pays for: a means of payment, not a discount (T4)."""
    EXTERNAL = "external"
    """Money that the host charges: a card, a bank slip, cash; also what was paid already."""


def positive(field: str, amount: AnyMoney) -> Money:
    """
    Accept money that is more than nothing.

    Raises:
        ArgumentRefused: It is no money.
        InvalidTender: It is nothing or negative.
    """
    found = Money.coerce(amount)
    if not found.is_positive:
        raise InvalidTender(field, str(found), "more than nothing")
    return found


def not_negative(field: str, amount: AnyMoney) -> Money:
    """
    Accept money that is nothing or more.

    Raises:
        ArgumentRefused: It is no money.
        InvalidTender: It is negative.
    """
    found = Money.coerce(amount)
    if found.is_negative:
        raise InvalidTender(field, str(found), "zero or more")
    return found


def cap(field: str, amount: AnyMoney | None) -> Money | None:
    """Accept a cap, as `not_negative`; None is no cap."""
    return None if amount is None else not_negative(field, amount)


def _up_to(amount: AnyMoney | None) -> Money | None:
    return cap("up_to", amount)


def _credit_kind(kind: TenderKind | str) -> TenderKind:
    for known in (TenderKind.CREDIT, TenderKind.CODE):
        if kind == known:
            return known
    raise InvalidTender("kind", kind, "credit or code")


@final
@attrs.frozen
class Credit:
    """
    An account as a tender: its lots, and what its holder may come to owe (A9).

    Raises:
        InvalidTender: No account, an amount that cannot be, or a rate that pays with another unit.
        ArgumentRefused: *up_to* is no money.
        InvalidText: The id cannot be kept.
    """

    id: str
    account: Account
    """As loaded; the plan remembers its version."""
    up_to: Money | None = attrs.field(default=None, converter=_up_to, kw_only=True)
    """The most that the customer wants to use, in the account's unit."""
    rate: PayingRate | None = attrs.field(default=None, kw_only=True)
    """At which its unit pays what is due in another, after what is due in its own (T1)."""
    kind: TenderKind = attrs.field(default=TenderKind.CREDIT, converter=_credit_kind, kw_only=True)

    def __attrs_post_init__(self) -> None:
        require_text("tender.id", self.id)
        if not isinstance(self.account, Account):
            raise InvalidTender("account", self.account, "an Account, as loaded")
        unit = self.account.unit
        if self.up_to is not None and self.up_to.unit != unit:
            raise InvalidTender("up_to", str(self.up_to), f"an amount of {unit.code}")
        if self.rate is not None and not isinstance(self.rate, PayingRate):
            raise InvalidTender("rate", self.rate, "a PayingRate")
        if self.rate is not None and self.rate.unit != unit:
            raise InvalidTender("rate", self.rate.unit.code, f"one at which {unit.code} pays")


def _coupon_amount(amount: AnyMoney) -> Money:
    return positive("coupon.amount", amount)


def _paid_amount(amount: AnyMoney) -> Money:
    return not_negative("paid.amount", amount)


@final
@attrs.frozen
class Coupon:
    """
    A coupon as a tender: it pays, and does not lower what is taxed (T4).

    What the order cannot use of it is lost.

    Raises:
        InvalidTender: Nothing or less.
        InvalidOrder: An unknown kind of line.
        InvalidText: The id cannot be kept.
    """

    id: str
    amount: Money = attrs.field(converter=_coupon_amount)
    kinds: frozenset[LineKind] = attrs.field(
        default=frozenset(LineKind), converter=line_kinds, kw_only=True
    )
    """Which kinds of line it may pay."""
    takes_back: bool = attrs.field(default=False, kw_only=True)
    """Whether a refund can go back to it."""

    def __attrs_post_init__(self) -> None:
        require_text("tender.id", self.id)


@final
@attrs.frozen
class AlreadyPaid:
    """
    Money that has been taken already; it counts first, wherever it stands (T2).

    An amount of zero is fine: processors record such tenders.

    Raises:
        InvalidTender: Less than nothing.
        InvalidText: The id cannot be kept.
    """

    id: str
    amount: Money = attrs.field(converter=_paid_amount)
    takes_back: bool = attrs.field(default=True, kw_only=True)
    """Whether a refund can go back to it; a bank slip cannot take money back."""

    def __attrs_post_init__(self) -> None:
        require_text("tender.id", self.id)


def _units(units: str | Unit | Iterable[str | Unit] | None) -> frozenset[str] | None:
    if units is None:
        return None
    given = (units,) if isinstance(units, str | Unit) else tuple(units)
    return frozenset(unit if isinstance(unit, str) else unit.code for unit in given)


def _caps(amounts: AnyMoney | Iterable[AnyMoney]) -> tuple[Money, ...]:
    return amounts_by_unit("external", amounts)


@final
@attrs.frozen
class External:
    """
    A tender that the host charges, after everything before it: a card, a bank slip, cash.

    Raises:
        InvalidOrder: A negative amount, or two for one unit.
        InvalidTender: Its largest charge is below its smallest.
        ArgumentRefused: An amount is no money.
        InvalidText: The id cannot be kept.
    """

    id: str
    units: frozenset[str] | None = attrs.field(default=None, converter=_units, kw_only=True)
    """The codes of the units it takes; None for every currency and no custom unit."""
    minimum: tuple[Money, ...] = attrs.field(default=(), converter=_caps, kw_only=True)
    """By unit, the smallest amount that it can be charged."""
    at_most: tuple[Money, ...] = attrs.field(default=(), converter=_caps, kw_only=True)
    """By unit, the largest amount that it can be charged."""
    takes_back: bool = attrs.field(default=True, kw_only=True)
    """Whether a refund can go back to it."""

    def __attrs_post_init__(self) -> None:
        require_text("tender.id", self.id)

        for least in self.minimum:
            most = self.most(least.unit)
            if most is not None and most < least.minor:
                raise InvalidTender("at_most", most, f"{least.minor} minor units or more")

    def takes(self, unit: Unit) -> bool:
        """Tell whether it can be charged in *unit*."""
        return not isinstance(unit, CustomUnit) if self.units is None else unit.code in self.units

    def least(self, unit: Unit) -> int:
        """Return the smallest charge in *unit*, in minor units; 0 where there is none."""
        return next((each.minor for each in self.minimum if each.unit == unit), 0)

    def most(self, unit: Unit) -> int | None:
        """Return the largest charge in *unit*, in minor units; None where there is none."""
        return next((each.minor for each in self.at_most if each.unit == unit), None)


Tender = Credit | Coupon | AlreadyPaid | External
"""Anything that pays."""


def kind_of(tender: Tender) -> TenderKind:
    """Return what *tender* is."""
    if isinstance(tender, Credit):
        return tender.kind
    return TenderKind.COUPON if isinstance(tender, Coupon) else TenderKind.EXTERNAL


def takes_back(tender: Tender) -> bool:
    """Tell whether a refund can go back to *tender*."""
    return True if isinstance(tender, Credit) else tender.takes_back
