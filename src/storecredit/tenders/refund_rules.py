"""The rules by which a refund is spread over the tenders that paid (T6)."""

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import final

import attrs

from storecredit.errors import InvalidTender
from storecredit.ledger.arguments import one_of
from storecredit.tenders.lines import listed
from storecredit.tenders.plan import LineAmount
from storecredit.tenders.price import PayingRate
from storecredit.tenders.tender import not_negative
from storecredit.values import AnyMoney, Money


@final
class TenderRule(enum.StrEnum):
    """Which tender a refund goes back to first (T6)."""

    CREDIT_FIRST = "credit_first"
    """Accounts and codes, then coupons, then external tenders; each in tender order."""
    EXTERNAL_FIRST = "external_first"
    """External tenders, then accounts and codes, then coupons; each in tender order."""
    LAST_PAID_FIRST = "last_paid_first"
    PROPORTIONAL = "proportional"
    """Each in proportion to what it still has paid, by largest remainder (V5)."""
    TENDER_ORDER = "tender_order"
    BY_HAND = "by_hand"
    """As the rules name it, tender by tender."""


@final
class PointsRule(enum.StrEnum):
    """What a refund does where points paid a part of what was due in another unit (T6)."""

    PROPORTIONAL = "proportional"
    POINTS_FIRST = "points_first"
    MONEY_FIRST = "money_first"
    FORFEIT = "forfeit"
    """In proportion, and what falls on points is not given back; nor is what was due in points."""


@final
class Redirect(enum.StrEnum):
    """What happens to the part of a tender that cannot take anything back (T6)."""

    TO_CREDIT = "to_credit"
    LEAVE = "leave"
    """It is not placed: the plan says so, and it may be planned again."""


@final
class Payout(enum.StrEnum):
    """Whether money goes back as money."""

    TENDERS = "tenders"
    CREDIT = "credit"
    """Credit is restored first; what others paid becomes new credit."""


@final
class Beyond(enum.StrEnum):
    """What happens to an amount above what was paid and not returned yet (T6)."""

    REFUSE = "refuse"
    AS_GOODWILL = "as_goodwill"
    """It is flagged in the plan, to be issued as goodwill; the caller answers for the permission."""


@final
class ShortfallRule(enum.StrEnum):
    """What happens where earned points cannot be taken back because they are spent (T6)."""

    REDUCE_REFUND = "reduce_refund"
    """The refund is lowered by what they are worth."""
    ABSORB = "absorb"
    """The merchant bears it; the plan says how many are missing."""


def _tender_rule(rule: TenderRule | str) -> TenderRule:
    return one_of(TenderRule, "tenders", rule)


def _points_rule(rule: PointsRule | str) -> PointsRule:
    return one_of(PointsRule, "points", rule)


def _redirect(rule: Redirect | str) -> Redirect:
    return one_of(Redirect, "redirect", rule)


def _payout(rule: Payout | str) -> Payout:
    return one_of(Payout, "payout", rule)


def _beyond(rule: Beyond | str) -> Beyond:
    return one_of(Beyond, "beyond", rule)


def _shortfall(rule: ShortfallRule | str) -> ShortfallRule:
    return one_of(ShortfallRule, "shortfall", rule)


def _by_hand(by_hand: Mapping[str, AnyMoney]) -> Mapping[str, Money]:
    if not isinstance(by_hand, Mapping):
        raise InvalidTender("by_hand", by_hand, "amounts by tender")
    return MappingProxyType(
        {tender: not_negative(f"by_hand {tender}", by_hand[tender]) for tender in by_hand}
    )


def _names(names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str):
        raise InvalidTender("closed", names, "a list of tender ids")
    return frozenset(names)


@final
@attrs.frozen(kw_only=True)
class RefundRules:
    """
    The rules by which a refund is spread over the tenders that paid (T6).

    Raises:
        InvalidTender: A rule that cannot be, or amounts by hand without the rule, or the rule
            without them.
        ArgumentRefused: An amount by hand is no money.
        InvalidTerms: A name that is no rule.
    """

    tenders: TenderRule = attrs.field(default=TenderRule.CREDIT_FIRST, converter=_tender_rule)
    by_hand: Mapping[str, Money] = attrs.field(default=MappingProxyType({}), converter=_by_hand)
    """By tender, what goes back, in the unit that was due; together they are the refund."""
    points: PointsRule = attrs.field(default=PointsRule.PROPORTIONAL, converter=_points_rule)
    redirect: Redirect = attrs.field(default=Redirect.TO_CREDIT, converter=_redirect)
    closed: frozenset[str] = attrs.field(default=frozenset(), converter=_names)
    """Tenders that cannot take anything back any more, whatever the plan said."""
    payout: Payout = attrs.field(default=Payout.TENDERS, converter=_payout)
    beyond: Beyond = attrs.field(default=Beyond.REFUSE, converter=_beyond)
    shortfall: ShortfallRule = attrs.field(
        default=ShortfallRule.REDUCE_REFUND, converter=_shortfall
    )

    def __attrs_post_init__(self) -> None:
        if bool(self.by_hand) is not (self.tenders is TenderRule.BY_HAND):
            raise InvalidTender(
                "by_hand", dict(self.by_hand), "given with the rule by_hand, and only so"
            )


def _reachable(amount: AnyMoney) -> Money:
    return not_negative("earned.reachable", amount)


def _line_amounts(lines: Iterable[LineAmount]) -> tuple[LineAmount, ...]:
    return listed("earned.lines", lines, LineAmount)


@final
@attrs.frozen(kw_only=True)
class Earned:
    """
    Points that the order earned and a refund takes back (T6).

    Raises:
        InvalidTender: A negative amount, amounts in several units, or a rate for another unit.
        ArgumentRefused: An amount is no money.
    """

    lines: tuple[LineAmount, ...] = attrs.field(converter=_line_amounts)
    """By line, what it earned; or, *in full*, what goes with this refund."""
    reachable: Money = attrs.field(converter=_reachable)
    """How many can be taken back from the account as it is now."""
    rate: PayingRate | None = None
    """What a missing point is worth, to lower a refund by; None lowers nothing."""
    in_full: bool = False
    """Whether all of it goes; otherwise each line loses the share of it that is refunded."""

    def __attrs_post_init__(self) -> None:
        unit = self.reachable.unit
        if any(each.amount.unit != unit for each in self.lines):
            raise InvalidTender("earned", unit.code, "in one unit")
        if self.rate is not None and not isinstance(self.rate, PayingRate):
            raise InvalidTender("earned.rate", self.rate, "a PayingRate")
        if type(self.in_full) is not bool:
            raise InvalidTender("earned.in_full", self.in_full, "True or False")
        if self.rate is not None and self.rate.unit != unit:
            raise InvalidTender("earned.rate", self.rate.unit.code, f"for {unit.code}")
