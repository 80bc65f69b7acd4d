"""Rules about tenders: what credit may pay, how much of it, and what a plan should aim at (T2)."""

import enum
from collections.abc import Iterable
from typing import Final, final

import attrs

from storecredit.errors import InvalidTender
from storecredit.ledger.terms import Funding, as_funding
from storecredit.tenders.lines import LineKind, line_kinds
from storecredit.tenders.tender import cap, positive
from storecredit.values import AnyMoney, Money, Unit
from storecredit.values import unit as unit_named


@final
class Aim(enum.StrEnum):
    """
    What the choice of prices is to achieve, where lines have several (T2).

    Credit is what accounts in currencies pay, points what accounts in custom units pay. Every aim
    first leaves as few units unpaid as it can, and as little of them; then come these, in order,
    unit by unit in the order in which the prices name them; then the earlier prices of the earlier
    lines.
    """

    MOST_CREDIT = "most_credit"
    """The most credit, then the least external money, then the fewest points."""
    FEWEST_POINTS = "fewest_points"
    """The fewest points, then the most credit, then the least external money."""
    LEAST_EXTERNAL = "least_external"
    """The least external money, then the fewest points, then the most credit."""


@final
class Choosing(enum.StrEnum):
    """How the prices of a plan were chosen (T3)."""

    AS_ASKED = "as_asked"
    """By the caller, or there was only one price for each line."""
    EXACT = "exact"
    """Every combination of prices was compared: no other one reaches the aim better."""
    LINE_BY_LINE = "line_by_line"
    """
    A heuristic for more than `EXACT_UP_TO` combinations: from the first prices on, line after line
    takes the price that reaches the aim best, until no line gains by changing alone.
    """


EXACT_UP_TO: Final = 256
"""Up to so many combinations of prices, every one is compared."""

NOT_GIFT_CARDS: Final = frozenset(LineKind) - {LineKind.GIFT_CARD}


def _at_most(amount: AnyMoney | None) -> Money | None:
    return cap("at_most", amount)


def _minimum_balance(amount: AnyMoney | None) -> Money | None:
    return cap("minimum_balance", amount)


def _minimum_order(amount: AnyMoney | None) -> Money | None:
    return cap("minimum_order", amount)


def _step(amount: AnyMoney | None) -> Money | None:
    return None if amount is None else positive("in_steps_of", amount)


def _unit(unit: Unit | str) -> Unit:
    return unit_named(unit)


@final
@attrs.frozen
class CreditRule:
    """
    What credit in one unit may pay, all accounts and codes of that unit together.

    Raises:
        InvalidOrder: An unknown kind of line.
        InvalidTender: An amount that cannot be, or one in another unit.
        ArgumentRefused: An amount is no money.
    """

    unit: Unit = attrs.field(converter=_unit)
    kinds: frozenset[LineKind] = attrs.field(
        default=NOT_GIFT_CARDS, converter=line_kinds, kw_only=True
    )
    """Which kinds of line credit may pay; gift cards are not among them by default."""
    share_percent: int | None = attrs.field(default=None, kw_only=True)
    """At most this whole percentage, 0 to 100, of the lines of these kinds; rounded down."""
    at_most: Money | None = attrs.field(default=None, converter=_at_most, kw_only=True)
    """At most this much for one order."""
    minimum_balance: Money | None = attrs.field(
        default=None, converter=_minimum_balance, kw_only=True
    )
    """An account with less to spend pays nothing."""
    minimum_order: Money | None = attrs.field(default=None, converter=_minimum_order, kw_only=True)
    """Orders that are due less, in the unit of this amount, are not paid with credit."""
    in_steps_of: Money | None = attrs.field(default=None, converter=_step, kw_only=True)
    """Each account pays a whole multiple of this: whole dollars, hundreds of points."""

    def __attrs_post_init__(self) -> None:
        share = self.share_percent
        if share is not None and (type(share) is not int or not 0 <= share <= 100):
            raise InvalidTender("share_percent", share, "a whole number from 0 to 100")
        for field in ("at_most", "minimum_balance", "in_steps_of"):
            amount = getattr(self, field)
            if amount is not None and amount.unit != self.unit:
                raise InvalidTender(field, str(amount), f"an amount of {self.unit.code}")

    @property
    def step(self) -> int:
        """The multiple that each account pays, in minor units."""
        return 1 if self.in_steps_of is None else self.in_steps_of.minor


def fundings(names: Iterable[Funding | str]) -> frozenset[Funding]:
    """
    Accept fundings, or their names.

    Raises:
        InvalidTender: One text was given.
        InvalidTerms: One of them is no funding.
    """
    if isinstance(names, str):
        raise InvalidTender("as_discount", names, "a list of fundings")
    return frozenset(as_funding(name) for name in names)
