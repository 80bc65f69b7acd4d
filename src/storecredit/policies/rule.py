"""One rule of a refund policy: when it holds, and what it decides (P2, P3)."""

import enum
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger.arguments import one_of
from storecredit.ledger.texts import LONGEST_NOTE, require_text
from storecredit.policies import given
from storecredit.policies.given import require_part
from storecredit.policies.when import When
from storecredit.values import Money, Period, Rounding, Unit

HUNDRED: Final = Decimal(100)
FINEST_PERCENT: Final = 9
"""How many decimals a percentage may have."""
PERCENT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
"""How a percentage is written as a text."""
HIGHEST_BONUS: Final = Decimal(1000)
"""The highest bonus, in percent: above that it is a slip of the pen."""


@final
class OfferKind(enum.StrEnum):
    """What becomes of what external tenders paid for a line (P2)."""

    MONEY = "money"
    """It goes back to the tenders that paid."""
    CREDIT = "credit"
    """It becomes store credit."""
    EXCHANGE = "exchange"
    """It pays for other goods, in the same order; nothing is refunded."""


@final
class GoodsBack(enum.StrEnum):
    """Whether the goods have to come back."""

    RETURN = "return"
    KEEP = "keep"
    """A refund without a return: sending them back would cost more."""


@final
class Topic(enum.StrEnum):
    """What a rule decides. For each line and topic, the first rule that holds decides."""

    OFFER = "offer"
    BONUS = "bonus"
    FEE = "fee"
    CREDIT = "credit"
    GOODS = "goods"
    INSTANT = "instant"
    CONSENT = "consent"
    APPROVAL = "approval"


def percent_up_to(field: str, highest: Decimal, value: object) -> Decimal:
    """
    Accept a percentage from 0 to *highest*, written exactly.

    Raises:
        InvalidTerms: Another thing, or more than nine decimals.
    """
    expected = f'a percentage from 0 to {highest}, as 10 or "12.5"'
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise InvalidTerms(field, value, expected)
    if isinstance(value, str) and not PERCENT.fullmatch(value):
        raise InvalidTerms(field, value, expected)
    found = Decimal(value)
    if not found.is_finite() or not 0 <= found <= highest:
        raise InvalidTerms(field, value, expected)
    if int(found.as_tuple().exponent) < -FINEST_PERCENT:
        raise InvalidTerms(field, value, f"a percentage with at most {FINEST_PERCENT} decimals")
    return found


def _percent_of_bonus(percent: Decimal | int | str) -> Decimal:
    return percent_up_to("percent", HIGHEST_BONUS, percent)


def _percent_of_fee(percent: Decimal | int | str) -> Decimal:
    return percent_up_to("percent", HUNDRED, percent)


def _fee_on(kinds: Iterable[OfferKind | str]) -> tuple[OfferKind, ...]:
    return _kinds("on", kinds, empty=False)


@final
@attrs.frozen(kw_only=True)
class Bonus:
    """
    What is given on top of credit that is taken in place of money (P2).

    On all lines of a request that one rule decides, together: the percentage of what becomes
    credit, rounded down to the minor unit, and the fixed amount, and of both no more than
    `at_most`. Rounding down is what keeps a return in many parts from getting more than a return
    in one. The fixed amount is never more than what becomes credit: or a cent on a card, with
    credit for the rest, would earn all of it each time round. The bonus is a promotional lot of
    its own, and never becomes money (A7).

    Raises:
        InvalidTerms: A percentage or an amount that cannot be, or amounts in two units.
    """

    percent: Decimal = attrs.field(default=Decimal(0), converter=_percent_of_bonus)
    fixed: Money | None = attrs.field(default=None, converter=given.fixed)
    """Once for each request in which something becomes credit by this rule, up to that much."""
    at_most: Money | None = attrs.field(default=None, converter=given.at_most)

    def __attrs_post_init__(self) -> None:
        _in_one_unit(self.fixed, self.at_most)

    def on(self, credited: Money) -> Money:
        """
        Return the bonus on *credited*, rounded down; nothing on nothing.

        Raises:
            UnitMismatch: The policy is in another unit.
        """
        if credited.is_zero:
            return credited
        found = credited.percentage(self.percent, rounding=Rounding.FLOOR)
        fixed = None if self.fixed is None else min(self.fixed, credited)
        return _with_fixed(found, fixed, self.at_most)


@final
@attrs.frozen(kw_only=True)
class Fee:
    """
    What is kept of a line for its handling: a restocking fee (P3).

    For each line: the percentage of what is refunded of it, rounded down, and the fixed amount,
    and of both no more than `at_most`, nor than the line.

    Raises:
        InvalidTerms: A percentage or an amount that cannot be, amounts in two units, or no kind.
    """

    percent: Decimal = attrs.field(default=Decimal(0), converter=_percent_of_fee)
    fixed: Money | None = attrs.field(default=None, converter=given.fixed)
    at_most: Money | None = attrs.field(default=None, converter=given.at_most)
    on: tuple[OfferKind, ...] = attrs.field(
        default=(OfferKind.MONEY, OfferKind.CREDIT),
        converter=_fee_on,
    )
    """For which offers; ["money"] lets whoever takes credit keep it. An exchange has none."""

    def __attrs_post_init__(self) -> None:
        _in_one_unit(self.fixed, self.at_most)
        if OfferKind.EXCHANGE in self.on:
            raise InvalidTerms("on", "exchange", "money, credit or both: an exchange has no fee")

    def of(self, amount: Money) -> Money:
        """
        Return the fee on *amount*, rounded down and never more.

        Raises:
            UnitMismatch: The policy is in another unit.
        """
        found = amount.percentage(self.percent, rounding=Rounding.FLOOR)
        return min(_with_fixed(found, self.fixed, self.at_most), amount)


def _with_fixed(found: Money, fixed: Money | None, at_most: Money | None) -> Money:
    total = found if fixed is None else found + fixed
    return total if at_most is None else min(total, at_most)


def _in_one_unit(fixed: Money | None, at_most: Money | None) -> None:
    if fixed is not None and at_most is not None and fixed.unit != at_most.unit:
        raise InvalidTerms("at_most", at_most, f"in {fixed.unit.code}, as fixed is")


@final
@attrs.frozen(kw_only=True)
class CreditTerms:
    """The terms of the credit: of the refunded part, and of the bonus (P2)."""

    expires: Period | None = attrs.field(default=None, converter=given.expires)
    """How long the refunded part lives; None for ever."""
    bonus_expires: Period | None = attrs.field(default=None, converter=given.bonus_expires)
    """How long the bonus lives; None for as long as the refunded part."""


def _kinds(field: str, kinds: Iterable[OfferKind | str], *, empty: bool) -> tuple[OfferKind, ...]:
    known = ", ".join(OfferKind)
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        raise InvalidTerms(field, kinds, f"a list of {known}")
    found = tuple(one_of(OfferKind, field, kind) for kind in kinds)
    if not found and not empty:
        raise InvalidTerms(field, [], f"a list of {known}, one at least")
    if len(set(found)) < len(found):
        raise InvalidTerms(field, list(found), "a list that names each kind once")
    return found


def _offer(kinds: Iterable[OfferKind | str] | None) -> tuple[OfferKind, ...] | None:
    return None if kinds is None else _kinds("offer", kinds, empty=True)


def _instant(value: bool | None) -> bool | None:
    return given.true_or_false("instant", value)


def _consent(value: bool | None) -> bool | None:
    return given.true_or_false("consent", value)


def _approval(value: bool | None) -> bool | None:
    return given.true_or_false("approval", value)


def _goods(goods: GoodsBack | str | None) -> GoodsBack | None:
    return None if goods is None else one_of(GoodsBack, "goods", goods)


@final
@attrs.frozen(kw_only=True)
class RefundRule:
    """
    One rule: when it holds, it decides every topic that it names, unless an earlier rule did.

    Raises:
        InvalidTerms: It decides nothing, or contradicts itself.
        InvalidText: An id or a reason that cannot be kept.
    """

    id: str
    """Names the rule in decisions; once in a policy."""
    when: When = attrs.field(factory=When)
    """Without conditions it always holds."""
    because: str | None = None
    """For people: why."""
    offer: tuple[OfferKind, ...] | None = attrs.field(default=None, converter=_offer)
    """What the customer may choose, the shop's favourite first; an empty list refuses."""
    bonus: Bonus | None = None
    fee: Fee | None = None
    credit: CreditTerms | None = None
    goods: GoodsBack | None = attrs.field(default=None, converter=_goods)
    instant: bool | None = attrs.field(default=None, converter=_instant)
    """Credit as soon as the request is approved, before the goods are back (P5)."""
    consent: bool | None = attrs.field(default=None, converter=_consent)
    """Credit needs the customer's consent, which is kept (P6)."""
    approval: bool | None = attrs.field(default=None, converter=_approval)
    """Somebody else than the requester has to approve (P3)."""

    def __attrs_post_init__(self) -> None:
        require_text("id", self.id)
        require_part("when", self.when, When)
        for field, kind in (("bonus", Bonus), ("fee", Fee), ("credit", CreditTerms)):
            if getattr(self, field) is not None:
                require_part(field, getattr(self, field), kind)
        if self.because is not None:
            require_text("because", self.because, longest=LONGEST_NOTE)
        if not self.topics:
            raise InvalidTerms("the rule", self.id, f"one that decides something: {_TOPICS}")
        if len(units := {amount.unit.code for amount in self._amounts}) > 1:
            raise InvalidTerms(
                "the amounts", sorted(units), "in one currency: write a rule for each"
            )
        if self.offer is not None:
            self._check_against_its_offer(self.offer)

    def _check_against_its_offer(self, offer: tuple[OfferKind, ...]) -> None:
        has_credit = OfferKind.CREDIT in offer
        gives = self.bonus is not None and self.bonus != Bonus()
        about_credit = {"bonus": gives, "credit": self.credit, "instant": self.instant}
        for topic, said in about_credit.items():
            if said and not has_credit:
                raise InvalidTerms(topic, f"of {self.id}", "left out: its own offer has no credit")
        if self.fee is not None and not set(self.fee.on) & set(offer):
            raise InvalidTerms("fee.on", list(self.fee.on), "among what its own offer has")
        kinds = self.when.kinds
        if has_credit and kinds is not None and not {"goods", "tax"} & set(kinds):
            raise InvalidTerms(
                "offer", list(offer), "without credit: these lines are no goods (P3)"
            )

    @property
    def unit(self) -> Unit | None:
        """The currency of its amounts; it decides nothing about requests in another."""
        return next((amount.unit for amount in self._amounts), None)

    @property
    def _amounts(self) -> list[Money]:
        named = [self.when.at_least, self.when.below]
        for each in (self.bonus, self.fee):
            named += [] if each is None else [each.fixed, each.at_most]
        return [amount for amount in named if amount is not None]

    @property
    def topics(self) -> tuple[Topic, ...]:
        """What it decides, if it holds."""
        return tuple(topic for topic in Topic if getattr(self, topic.value) is not None)


_TOPICS: Final = ", ".join(Topic)
