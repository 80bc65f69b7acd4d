"""Goodwill and incentives: rules in order, the first of which that holds decides what is given (P4)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import Funding
from storecredit.ledger.arguments import one_of
from storecredit.ledger.texts import LONGEST_NOTE, require_text
from storecredit.policies.accepting import require_ids, require_kind, require_once
from storecredit.policies.covering import (
    always_known,
    implies,
    pieces,
    require_one_unit,
    require_reached,
    subject_known,
)
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.gift import ALWAYS, Circumstances, Gift, GrantCeiling, OncePer
from storecredit.policies.given import tuple_of
from storecredit.policies.grant_decision import GrantDecision, GrantKind, GrantLot
from storecredit.policies.line_terms import Passed
from storecredit.policies.occasion import Occasion
from storecredit.values import Money


def _once_per(value: OncePer | str) -> OncePer:
    return one_of(OncePer, "once_per", value)


def _ceilings(values: Iterable[GrantCeiling]) -> tuple[GrantCeiling, ...]:
    return tuple_of("ceilings", GrantCeiling, values)


@final
@attrs.frozen(kw_only=True)
class GoodwillRule:
    """
    What is given where something went wrong, as goodwill (A11).

    Raises:
        InvalidTerms: A value that cannot be.
        InvalidText: A text that cannot be kept.
    """

    id: str
    """Names the rule in decisions, and what it gives once; it stays when the policy changes."""
    on: str
    """What happened: "late delivery", "damaged parcel", "apology"."""
    gives: Gift
    when: Circumstances = ALWAYS
    """Without conditions it always holds."""
    once_per: OncePer = attrs.field(default=OncePer.OCCASION, converter=_once_per)
    because: str | None = None
    """For people: why."""

    def __attrs_post_init__(self) -> None:
        _require_rule(self.id, self.on, self.because)
        require_one_unit(_gifts(self), self.when)
        if self.once_per is OncePer.REFERRAL:
            raise InvalidTerms("once_per", "referral", "occasion, order or holder")


def _goodwill_rules(values: Iterable[GoodwillRule]) -> tuple[GoodwillRule, ...]:
    return tuple_of("rules", GoodwillRule, values)


@final
@attrs.frozen(kw_only=True)
class GoodwillPolicy:
    """
    Rules for what went wrong, in order, and how much of it in a time.

    Raises:
        InvalidTerms: No rules, an id given twice, or a rule that earlier ones never let decide.
    """

    rules: tuple[GoodwillRule, ...] = attrs.field(converter=_goodwill_rules)
    ceilings: tuple[GrantCeiling, ...] = attrs.field(default=(), converter=_ceilings)

    def __attrs_post_init__(self) -> None:
        require_ids("rules", [rule.id for rule in self.rules])
        require_reached(self.rules, _covers, _parts)
        require_once([rule.id for rule in self.rules] + [each.id for each in self.ceilings])


@final
@attrs.frozen(kw_only=True)
class IncentiveRule:
    """
    What is given for something that the shop wants: a new account, a new customer (A11).

    The value is promotional, for both sides of a referral.

    Raises:
        InvalidTerms: Nothing that is given, a value that cannot be, or something for a referrer
            more often than for each holder whom he brings.
        InvalidText: A text that cannot be kept.
    """

    id: str
    """Names the rule in decisions, and what it gives once; it stays when the policy changes."""
    on: str
    """What happened: "account opening", "referral"."""
    gives: Gift | None = None
    """What the holder gets."""
    gives_referrer: Gift | None = None
    """What whoever brought the holder gets."""
    when: Circumstances = ALWAYS
    once_per: OncePer = attrs.field(default=OncePer.HOLDER, converter=_once_per)
    because: str | None = None

    def __attrs_post_init__(self) -> None:
        _require_rule(self.id, self.on, self.because)
        require_one_unit(_gifts(self), self.when)
        if self.gives is None and self.gives_referrer is None:
            raise InvalidTerms("gives", None, "given, or gives_referrer, or both")
        if self.gives_referrer is not None and self.once_per is not OncePer.REFERRAL:
            raise InvalidTerms(
                "once_per", str(self.once_per), "referral, where the referrer gets something"
            )


def _incentive_rules(values: Iterable[IncentiveRule]) -> tuple[IncentiveRule, ...]:
    return tuple_of("rules", IncentiveRule, values)


@final
@attrs.frozen(kw_only=True)
class IncentivePolicy:
    """
    Rules for what the shop wants, in order, and how much of it in a time.

    Raises:
        InvalidTerms: No rules, an id given twice, or a rule that earlier ones never let decide.
    """

    rules: tuple[IncentiveRule, ...] = attrs.field(converter=_incentive_rules)
    ceilings: tuple[GrantCeiling, ...] = attrs.field(default=(), converter=_ceilings)

    def __attrs_post_init__(self) -> None:
        require_ids("rules", [rule.id for rule in self.rules])
        require_reached(self.rules, _covers, _parts)
        require_once([rule.id for rule in self.rules] + [each.id for each in self.ceilings])


_Rule = TypeVar("_Rule", GoodwillRule, IncentiveRule)


def _covers(earlier: GoodwillRule | IncentiveRule, later: GoodwillRule | IncentiveRule) -> bool:
    """Tell whether *earlier* decides wherever *later* would."""
    return (
        earlier.on == later.on
        and subject_known(earlier.once_per, later.once_per)
        and implies(later.when, earlier.when)
        and always_known(_gifts(earlier), later.when, _gifts(later))
    )


def _gifts(rule: GoodwillRule | IncentiveRule) -> list[Gift | None]:
    return [rule.gives, rule.gives_referrer] if isinstance(rule, IncentiveRule) else [rule.gives]


def _parts(rule: _Rule, earlier: Sequence[_Rule]) -> Iterator[_Rule]:
    """Yield *rule* as parts of it, so that each of *earlier* holds in all of a part or in none."""
    others = [each.when for each in earlier if each.on == rule.on]
    for when in pieces(rule.when, others):
        yield attrs.evolve(rule, when=when)


def _require_rule(name: str, on: str, because: str | None) -> None:
    require_text("id", name)
    require_text("on", on)
    if because is not None:
        require_text("because", because, longest=LONGEST_NOTE)


def give_goodwill(
    policy: GoodwillPolicy, occasion: Occasion, *, named: PolicyVersion
) -> GrantDecision:
    """
    Decide what is given for *occasion*, by the first rule that holds (P4). Nothing happens.

    Args:
        policy: The rules.

        occasion: What happened.

        named: The name and version of the policy, which the decision keeps.

    Raises:
        InvalidTerms: No rules, as of a policy without that section; no occasion, or no name and
            version.
        AmountOutOfRange, RoundingNecessary: As `Gift.on`.
    """
    require_kind("policy", GoodwillPolicy, policy, "the section goodwill of a policy that has one")
    require_kind("occasion", Occasion, occasion, "an Occasion")
    passed: list[Passed] = []
    for rule in policy.rules:
        problem = _problem(rule, occasion)
        lots, missing = _lots(occasion, Funding.GOODWILL, [(occasion.holder, rule.gives)])
        if problem is None and missing is None:
            plain = _decision(rule, occasion, named=named, passed=passed, lots=lots)
            return attrs.evolve(plain, ceilings=policy.ceilings)
        passed.append(Passed(rule.id, problem or str(missing)))
    return GrantDecision(kind=_GOODWILL, policy=named, occasion=occasion, passed=tuple(passed))


def give_incentive(
    policy: IncentivePolicy, occasion: Occasion, *, named: PolicyVersion
) -> GrantDecision:
    """
    Decide what is given for *occasion*, as `give_goodwill` does; both sides of a referral at once.

    Raises:
        InvalidTerms: No rules, as of a policy without that section; no occasion, or no name and
            version.
        AmountOutOfRange, RoundingNecessary: As `Gift.on`.
    """
    require_kind(
        "policy", IncentivePolicy, policy, "the section incentives of a policy that has one"
    )
    require_kind("occasion", Occasion, occasion, "an Occasion")
    passed: list[Passed] = []
    for rule in policy.rules:
        problem = _problem(rule, occasion)
        gifts = [(occasion.holder, rule.gives), (occasion.referrer, rule.gives_referrer)]
        lots, missing = _lots(occasion, Funding.PROMOTIONAL, gifts)
        if problem is None and missing is None:
            plain = _decision(rule, occasion, named=named, passed=passed, lots=lots)
            return attrs.evolve(plain, ceilings=policy.ceilings)
        passed.append(Passed(rule.id, problem or str(missing)))
    return GrantDecision(kind=_INCENTIVE, policy=named, occasion=occasion, passed=tuple(passed))


_GOODWILL: Final = GrantKind.GOODWILL
_INCENTIVE: Final = GrantKind.INCENTIVE
_NO_SUBJECT: Final[Mapping[OncePer, str]] = MappingProxyType(
    {OncePer.ORDER: "no order is known", OncePer.REFERRAL: "nobody brought the holder"}
)


def _problem(rule: GoodwillRule | IncentiveRule, occasion: Occasion) -> str | None:
    """Return why *rule* is not for *occasion*, or None."""
    if rule.on != occasion.on:
        return f"it is about {rule.on}"
    if rule.once_per.subject(occasion) is None:
        return _NO_SUBJECT[rule.once_per]
    return rule.when.problem(occasion)


def _lots(
    occasion: Occasion, funding: Funding, gifts: Sequence[tuple[str | None, Gift | None]]
) -> tuple[list[GrantLot], str | None]:
    """Return the lots to give, and what is missing to tell how much, if anything is."""
    found = list[GrantLot]()
    for holder, gift in gifts:
        if gift is None or holder is None:
            continue
        amount: Money | None = gift.on(occasion)
        if amount is None:
            return [], f"no {gift.of} amount in a unit of the rule is known"
        if amount.is_positive:
            found.append(
                GrantLot(
                    holder=holder,
                    amount=amount,
                    funding=funding,
                    expires=gift.expires,
                    limits=gift.limits,
                )
            )
    return found, None


def _decision(
    rule: GoodwillRule | IncentiveRule,
    occasion: Occasion,
    *,
    named: PolicyVersion,
    passed: list[Passed],
    lots: list[GrantLot],
) -> GrantDecision:
    return GrantDecision(
        kind=_GOODWILL if isinstance(rule, GoodwillRule) else _INCENTIVE,
        policy=named,
        occasion=occasion,
        rule=rule.id,
        because=rule.because,
        once_per=rule.once_per,
        passed=tuple(passed),
        lots=tuple(lots),
    )
