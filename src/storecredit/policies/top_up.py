"""Top-ups: bought credit, the bonus on it, and what happens when it is given back (P4, A7)."""

import enum
from collections.abc import Iterable, Mapping
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidTerms, TopUpRefused
from storecredit.ledger import Funding, Limits
from storecredit.ledger.arguments import as_money, one_of
from storecredit.ledger.terms import as_limits
from storecredit.ledger.texts import require_text
from storecredit.policies.accepting import (
    amount_above,
    amount_above_or_none,
    expires_or_none,
    period_or_none,
    require_kind,
    require_once,
)
from storecredit.policies.decision import PolicyVersion, as_named
from storecredit.policies.gift import GrantCeiling
from storecredit.policies.given import tuple_of
from storecredit.policies.grant_decision import GrantLot
from storecredit.policies.limits import LimitPer
from storecredit.policies.rule import Bonus
from storecredit.tenders.json_form import read_form, write_form
from storecredit.values import AnyMoney, Money, Period


def _paid(value: Money) -> Money:
    return amount_above("paid", value)


@final
@attrs.frozen(kw_only=True)
class BonusStep:
    """
    From which amount on a top-up has which bonus: pay 50, get 55.

    Raises:
        InvalidTerms: A value that cannot be, or amounts in two units.
    """

    paid: Money = attrs.field(converter=_paid)
    """So much or more is paid."""
    bonus: Bonus
    """What is given on top: a percentage, rounded down, and a fixed amount, up to a most."""

    def __attrs_post_init__(self) -> None:
        for amount in (self.bonus.fixed, self.bonus.at_most):
            if amount is not None and amount.unit != self.paid.unit:
                raise InvalidTerms("bonus", amount, f"in {self.paid.unit.code}, as paid is")


@final
class SpentBonus(enum.StrEnum):
    """What a refund of a top-up does about the part of its bonus that is spent (A7)."""

    DEDUCT = "deduct"
    """It is kept of what is paid back."""
    FORGIVE = "forgive"
    """The shop bears it."""


def _below(value: Money) -> Money:
    return amount_above("below", value)


def _pays(value: Money) -> Money:
    return amount_above("pays", value)


@final
@attrs.frozen(kw_only=True)
class AutomaticTopUp:
    """
    When to top up without being asked: under a threshold, by an amount.

    Raises:
        InvalidTerms: A value that cannot be, or amounts in two units.
    """

    below: Money = attrs.field(converter=_below)
    """The balance is less than that."""
    pays: Money = attrs.field(converter=_pays)
    """What is charged then."""

    def __attrs_post_init__(self) -> None:
        if self.below.unit != self.pays.unit:
            raise InvalidTerms("pays", self.pays, f"in {self.below.unit.code}, as below is")


def _minimum(value: Money) -> Money:
    return amount_above("minimum", value)


def _maximum(value: Money | None) -> Money | None:
    return amount_above_or_none("maximum", value)


def _bonuses(values: Iterable[BonusStep]) -> tuple[BonusStep, ...]:
    return tuple_of("bonuses", BonusStep, values)


def _bonus_expires(value: Period | None) -> Period | None:
    return period_or_none("bonus_expires", value)


def _ceilings(values: Iterable[GrantCeiling]) -> tuple[GrantCeiling, ...]:
    return tuple_of("ceilings", GrantCeiling, values)


def _spent_bonus(value: SpentBonus | str) -> SpentBonus:
    return one_of(SpentBonus, "spent_bonus", value)


@final
@attrs.frozen(kw_only=True)
class TopUpPolicy:
    """
    Between which amounts credit can be bought, and what is given on top.

    What was paid is credited as purchased value, the bonus as a promotional lot of its own: it
    never becomes cash (A7, A11).

    Raises:
        InvalidTerms: A value that cannot be, amounts in two units, a maximum below the minimum, a
            bonus that nobody can reach, or a ceiling that is not the holder's.
        InvalidText: An id that cannot be kept.
    """

    id: str
    minimum: Money = attrs.field(converter=_minimum)
    maximum: Money | None = attrs.field(default=None, converter=_maximum)
    bonuses: tuple[BonusStep, ...] = attrs.field(default=(), converter=_bonuses)
    """The step with the highest amount that is reached counts."""
    expires: Period | None = attrs.field(default=None, converter=expires_or_none)
    """How long what was paid for lives; None for ever."""
    bonus_expires: Period | None = attrs.field(default=None, converter=_bonus_expires)
    """How long the bonus lives; None for as long as what was paid for."""
    bonus_limits: Limits | None = attrs.field(default=None, converter=as_limits)
    ceilings: tuple[GrantCeiling, ...] = attrs.field(default=(), converter=_ceilings)
    """How much, or how often, one holder may top up in a time."""
    automatic: AutomaticTopUp | None = None
    spent_bonus: SpentBonus = attrs.field(default=SpentBonus.DEDUCT, converter=_spent_bonus)

    def __attrs_post_init__(self) -> None:
        require_text("id", self.id)
        unit = self.minimum.unit
        if self.maximum is not None:
            if self.maximum.unit != unit:
                raise InvalidTerms("maximum", self.maximum, f"in {unit.code}, as minimum is")
            if self.maximum < self.minimum:
                raise InvalidTerms("maximum", self.maximum, f"at least minimum, {self.minimum}")
        seen: list[Money] = []
        for step in self.bonuses:
            if step.paid.unit != unit:
                raise InvalidTerms("bonuses", step.paid, f"in {unit.code}, as minimum is")
            if self.maximum is not None and step.paid > self.maximum:
                raise InvalidTerms("bonuses", step.paid, f"up to maximum, {self.maximum}")
            if step.paid in seen:
                raise InvalidTerms("bonuses", step.paid, "in one step only")
            seen.append(step.paid)
        if self.automatic is not None and self.outside(self.automatic.pays) is not None:
            raise InvalidTerms("automatic", self.automatic.pays, "an amount that can be topped up")
        require_once([each.id for each in self.ceilings])
        for ceiling in self.ceilings:
            if ceiling.per is not LimitPer.HOLDER:
                raise InvalidTerms("ceilings", ceiling.id, "a ceiling per holder")

    def outside(self, amount: Money) -> "TopUpFlag | None":
        """Return why *amount* cannot be bought, or None."""
        if amount.unit != self.minimum.unit:
            return TopUpFlag.OTHER_UNIT
        if amount < self.minimum:
            return TopUpFlag.BELOW_MINIMUM
        if self.maximum is not None and amount > self.maximum:
            return TopUpFlag.ABOVE_MAXIMUM
        return None

    def bonus_on(self, paid: Money) -> Money | None:
        """Return the bonus on *paid*, or None for none."""
        reached = [step for step in self.bonuses if step.paid <= paid]
        if not reached:
            return None
        found = max(reached, key=lambda step: step.paid).bonus.on(paid)
        return found if found.is_positive else None


@final
class TopUpFlag(enum.StrEnum):
    """Why what was paid has no bonus, although it is credited: somebody should look at it."""

    OTHER_UNIT = "in_another_unit"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    ABOVE_CEILING = "above_ceiling"


@final
@attrs.frozen(kw_only=True)
class TopUpDecision:
    """
    What a payment is credited as. Nothing has happened yet.

    `to_json` and `from_json` keep everything; `StoreCredit.top_up` carries it out, once for each
    payment.
    """

    holder: str
    payment: str
    """The id that the processor gave the payment: what it is credited once by (A12)."""
    paid: Money
    policy: PolicyVersion = attrs.field(converter=as_named)
    rule: TopUpPolicy
    """What was in force: a refund goes by it, too."""
    flag: TopUpFlag | None = None
    """Why there is no bonus, where something is wrong with the amount."""
    bonus: Money | None = None

    @property
    def lots(self) -> tuple[GrantLot, ...]:
        """What was paid, as purchased value; then the bonus, as promotional value."""
        bought = GrantLot(
            holder=self.holder,
            amount=self.paid,
            funding=Funding.PURCHASED,
            expires=self.rule.expires,
        )
        if self.bonus is None:
            return (bought,)
        bonus = GrantLot(
            holder=self.holder,
            amount=self.bonus,
            funding=Funding.PROMOTIONAL,
            expires=self.rule.bonus_expires or self.rule.expires,
            limits=self.rule.bonus_limits,
        )
        return (bought, bonus)

    def above_ceiling(self) -> "TopUpDecision":
        """Return the same without a bonus, because a ceiling was reached before the payment."""
        return attrs.evolve(self, bonus=None, flag=self.flag or TopUpFlag.ABOVE_CEILING)

    def to_json(self) -> dict[str, Any]:
        """Return the decision as JSON data."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "TopUpDecision":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)


_SECTION: Final = "the section top_up of a policy that has one"


def quote_top_up(policy: TopUpPolicy, amount: AnyMoney) -> Money | None:
    """
    Return the bonus on *amount*, before anything is paid; None for none.

    Ceilings are not looked at: `StoreCredit.quote_top_up` does.

    Raises:
        InvalidTerms: *policy* is no section top_up.
        ArgumentRefused: *amount* is no money.
        TopUpRefused: It is below the minimum, above the maximum, or in another unit. Do not
            charge it.
    """
    require_kind("policy", TopUpPolicy, policy, _SECTION)
    found = as_money(amount)
    flag = policy.outside(found)
    if flag is not None:
        raise TopUpRefused(found, flag.value, policy.minimum, policy.maximum)
    return policy.bonus_on(found)


def credit_top_up(
    policy: TopUpPolicy,
    paid: AnyMoney,
    *,
    holder: str,
    payment: str,
    named: PolicyVersion,
) -> TopUpDecision:
    """
    Decide what a payment that has been made is credited as (P4). Nothing happens.

    The money is there: whatever it is, the holder gets all of it as credit. An amount that the
    policy does not sell has no bonus and is flagged; ask `quote_top_up` before you charge.

    Raises:
        InvalidTerms: *policy* is no section top_up.
        ArgumentRefused: *paid* is no money.
        InvalidTerms: It is zero or less.
        InvalidText: The holder or the payment's id.
        InvalidTerms: *named* is no name and version.
    """
    require_kind("policy", TopUpPolicy, policy, _SECTION)
    found = amount_above("paid", as_money(paid))
    flag = policy.outside(found)
    return TopUpDecision(
        holder=require_text("holder", holder),
        payment=require_text("payment", payment),
        paid=found,
        policy=named,
        rule=policy,
        flag=flag,
        bonus=policy.bonus_on(found) if flag is None else None,
    )


def top_up_due(policy: TopUpPolicy, balance: AnyMoney) -> Money | None:
    """
    Return what to charge for an automatic top-up at *balance*, or None while none is due.

    Charge it under a key of the balance's own, such as the version of the account, so that a
    second look does not charge twice.

    Raises:
        InvalidTerms: *policy* is no section top_up.
        ArgumentRefused: *balance* is no money.
        UnitMismatch: It is in another unit than the threshold.
    """
    require_kind("policy", TopUpPolicy, policy, _SECTION)
    automatic = policy.automatic
    if automatic is None or as_money(balance) >= automatic.below:
        return None
    return automatic.pays


@final
@attrs.frozen(kw_only=True)
class TopUpRefund:
    """What giving a top-up back comes to. closed = pays_back + deducted."""

    closed: Money
    """What was left of the bought value, which is gone now."""
    revoked: Money
    """What is taken back of the bonus."""
    deducted: Money
    """What is kept of the money, for the part of the bonus that was spent."""
    pays_back: Money
    """What the host pays back."""


def refund_of_top_up(
    decision: TopUpDecision, *, left: Money, bonus_left: Money, bonus_spent: Money
) -> TopUpRefund:
    """
    Decide what giving the unspent rest of a top-up back comes to (A7).

    The bonus goes in proportion to what is given back, rounded up. What of that part is spent is
    kept of the money, or borne by the shop, as the policy says; what of it has expired is neither.
    A bonus never becomes cash.

    Args:
        decision: What was bought.

        left: What is left of what was paid for.

        bonus_left: What is left of the bonus.

        bonus_spent: What of the bonus was spent and not given back.

    Raises:
        UnitMismatch: The amounts are in several units.
    """
    none = left - left
    bonus = none if decision.bonus is None else decision.bonus
    due = Money.of_minor(-(-bonus.minor * left.minor // decision.paid.minor), left.unit)
    revoked = min(due, bonus_left)
    missing = min(due - revoked, bonus_spent)
    deducted = min(missing, left) if decision.rule.spent_bonus is SpentBonus.DEDUCT else none
    return TopUpRefund(closed=left, revoked=revoked, deducted=deducted, pays_back=left - deducted)
