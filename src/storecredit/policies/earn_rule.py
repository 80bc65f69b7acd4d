"""One rule by which purchases earn points: on what, how many, from when, and for how long (P4)."""

import enum
import itertools
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import Shortfall
from storecredit.ledger.arguments import one_of
from storecredit.ledger.texts import require_text
from storecredit.policies.accepting import (
    amount_above,
    amount_above_or_none,
    any_texts,
    categories_or_none,
    channels_or_none,
    count_from_one,
    count_or_none,
    expires_or_none,
    number_up_to,
    period_or_none,
    require_ids,
    segments_or_none,
)
from storecredit.policies.covering import require_reached, singles, within
from storecredit.policies.given import tuple_of
from storecredit.policies.when import Since
from storecredit.tenders import LineKind
from storecredit.values import Money, Period

MOST_TIMES: Final = Decimal(1000)
"""The largest multiplier: above that it is a slip of the pen."""


@final
class EarnOn(enum.StrEnum):
    """Where whole steps are counted."""

    ORDER = "order"
    """On the sum of all lines that count."""
    LINE = "line"
    """On each line for itself: what is left over on one helps no other."""


@final
class PaidWithCredit(enum.StrEnum):
    """Whether the part that credit paid earns points, too."""

    LEFT_OUT = "left_out"
    COUNTED = "counted"


@final
class Stacking(enum.StrEnum):
    """What happens where several multipliers hold for a line."""

    HIGHEST = "highest"
    MULTIPLIED = "multiplied"


def _times(value: Decimal) -> Decimal:
    return number_up_to("times", value, MOST_TIMES)


def _per(value: Money) -> Money:
    return amount_above("per", value)


def _points(value: int) -> int:
    return count_from_one("points", value)


def _on(value: EarnOn | str) -> EarnOn:
    return one_of(EarnOn, "on", value)


def _kinds(values: Iterable[LineKind | str]) -> tuple[LineKind, ...]:
    return tuple(
        one_of(LineKind, "without_kinds", each) for each in any_texts("without_kinds", values)
    )


def _categories(values: Iterable[str]) -> tuple[str, ...]:
    return any_texts("without_categories", values)


def _paid_with_credit(value: PaidWithCredit | str) -> PaidWithCredit:
    return one_of(PaidWithCredit, "paid_with_credit", value)


def _multipliers(values: "Iterable[Multiplier]") -> "tuple[Multiplier, ...]":
    return tuple_of("multipliers", Multiplier, values)


def _stacking(value: Stacking | str) -> Stacking:
    return one_of(Stacking, "stacking", value)


def _minimum_order(value: Money | None) -> Money | None:
    return amount_above_or_none("minimum_order", value)


def _at_most(value: int | None) -> int | None:
    return count_or_none("at_most", value)


def _pending(value: Period | None) -> Period | None:
    return period_or_none("pending", value)


def _since(value: Since | str) -> Since:
    return one_of(Since, "since", value)


def _shortfall(value: Shortfall | str) -> Shortfall:
    return one_of(Shortfall, "shortfall", value)


@final
@attrs.frozen(kw_only=True)
class Multiplier:
    """
    So many times the points, for some groups of customers or on some goods.

    All that is said must hold. Where several hold for a line, the rule's stacking decides.

    Raises:
        InvalidTerms: A number that cannot be, or nothing that is said.
        InvalidText: A text that cannot be kept.
    """

    times: Decimal = attrs.field(converter=_times)
    segments: tuple[str, ...] | None = attrs.field(default=None, converter=segments_or_none)
    """The holder is in one of these groups."""
    categories: tuple[str, ...] | None = attrs.field(default=None, converter=categories_or_none)
    """The line is of one of these categories."""
    channels: tuple[str, ...] | None = attrs.field(default=None, converter=channels_or_none)

    def __attrs_post_init__(self) -> None:
        if self.segments is None and self.categories is None and self.channels is None:
            raise InvalidTerms(
                "segments", None, "said, or categories or channels: for all, raise the points"
            )


NOT_EARNING: Final = (LineKind.TAX, LineKind.SHIPPING, LineKind.FEE, LineKind.GIFT_CARD)
"""The kinds of line that earn nothing unless a rule says so (P4)."""


@final
@attrs.frozen(kw_only=True)
class EarnRule:
    """
    How a purchase earns points: `points` for each whole step of `per` that counts (P4).

    What counts of a line is what was paid of it, less what credit paid. What is left over of a step
    earns nothing. Points are rounded once, down, to the smallest piece of their unit.

    With multipliers, the lines that count most fill the steps first, and each step earns as the
    money in it does: 10.00 at double points and 9.00 at single ones make one step of 10.00, at
    double points. So points never rise when something comes back.

    Raises:
        InvalidTerms: A value that cannot be, or amounts in two units.
        InvalidText: A text that cannot be kept.
    """

    id: str
    """Names the rule in decisions; once in a policy."""
    per: Money = attrs.field(converter=_per)
    """The step, above nothing. Its currency decides which purchases the rule is for."""
    points: int = attrs.field(converter=_points)
    """Whole points for each step."""
    unit: str = "PTS"
    """The code of the unit that is earned."""
    segments: tuple[str, ...] | None = attrs.field(default=None, converter=segments_or_none)
    """Only holders who are in one of these groups; None for all."""
    channels: tuple[str, ...] | None = attrs.field(default=None, converter=channels_or_none)
    """Only purchases in one of these channels; None for all."""
    on: EarnOn = attrs.field(default=EarnOn.ORDER, converter=_on)
    without_kinds: tuple[LineKind, ...] = attrs.field(default=NOT_EARNING, converter=_kinds)
    without_categories: tuple[str, ...] = attrs.field(default=(), converter=_categories)
    paid_with_credit: PaidWithCredit = attrs.field(
        default=PaidWithCredit.LEFT_OUT, converter=_paid_with_credit
    )
    multipliers: tuple[Multiplier, ...] = attrs.field(default=(), converter=_multipliers)
    stacking: Stacking = attrs.field(default=Stacking.HIGHEST, converter=_stacking)
    minimum_order: Money | None = attrs.field(default=None, converter=_minimum_order)
    """With less than that that counts, nothing is earned, and after a return nothing is kept."""
    at_most: int | None = attrs.field(default=None, converter=_at_most)
    """The most whole points for one purchase; None for any number."""
    pending: Period | None = attrs.field(default=None, converter=_pending)
    """How long the points do not count yet, to the end of the last local day; None for at once."""
    since: Since = attrs.field(default=Since.DELIVERY, converter=_since)
    """From when they are pending."""
    expires: Period | None = attrs.field(default=None, converter=expires_or_none)
    """How long they live from when they count; None for ever."""
    shortfall: Shortfall = attrs.field(default=Shortfall.UP_TO, converter=_shortfall)
    """What a return does about points that are spent already (A8)."""

    def __attrs_post_init__(self) -> None:
        require_text("id", self.id)
        require_text("unit", self.unit)
        minimum = self.minimum_order
        if minimum is not None and minimum.unit != self.per.unit:
            raise InvalidTerms("minimum_order", minimum, f"in {self.per.unit.code}, as per is")
        if self.unit == self.per.unit.code:
            raise InvalidTerms("unit", self.unit, "another unit than what is spent")


def _rules(values: Iterable[EarnRule]) -> tuple[EarnRule, ...]:
    return tuple_of("rules", EarnRule, values)


@final
@attrs.frozen(kw_only=True)
class EarningPolicy:
    """
    Rules in order: the first that holds for a purchase decides about all of it.

    Raises:
        InvalidTerms: No rules, an id given twice, or a rule that earlier ones never let decide.
    """

    rules: tuple[EarnRule, ...] = attrs.field(converter=_rules)

    def __attrs_post_init__(self) -> None:
        require_ids("rules", [rule.id for rule in self.rules])
        require_reached(self.rules, _covers, _parts)


def _covers(earlier: EarnRule, later: EarnRule) -> bool:
    """Tell whether *earlier* decides wherever *later* would."""
    return (
        earlier.per.unit == later.per.unit
        and within(later.segments, earlier.segments)
        and within(later.channels, earlier.channels)
    )


def _parts(rule: EarnRule, _: Sequence[EarnRule]) -> Iterator[EarnRule]:
    """Yield *rule* as parts of it, so that each other holds in all of a part or in none."""
    for segments, channels in itertools.product(singles(rule.segments), singles(rule.channels)):
        yield attrs.evolve(rule, segments=segments, channels=channels)
