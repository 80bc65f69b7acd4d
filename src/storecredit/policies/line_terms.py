"""What the rules and the law say about one line, before any amount is computed (P2, P3)."""

from collections.abc import Iterator
from typing import Final, final

import attrs

from storecredit.policies.asking import ReturnLine, ReturnRequest
from storecredit.policies.refund_policy import RefundPolicy
from storecredit.policies.rule import (
    Bonus,
    CreditTerms,
    Fee,
    GoodsBack,
    OfferKind,
    RefundRule,
    Topic,
)
from storecredit.tenders import LineKind
from storecredit.values import Unit

NO_RULE: Final = "no rule of the policy decides what is offered"
NOT_FOR_CREDIT: Final = "only goods become credit (P3)"


@final
@attrs.frozen
class Fired:
    """A rule, a right or a limit that held, and what it decided for the line."""

    rule: str
    topics: tuple[str, ...]
    """Empty where earlier rules had decided all that this one names."""
    because: str | None = None


@final
@attrs.frozen
class Passed:
    """A rule or a right that did not hold, and the first thing that was missing."""

    rule: str
    because: str


@final
@attrs.frozen(kw_only=True)
class LineTerms:
    """What is possible for one line, and which rules said so."""

    line: ReturnLine
    offer: tuple[OfferKind, ...]
    """What may be chosen, the favourite first; empty where nothing is offered."""
    refused: str | None
    """Why nothing is offered."""
    bonus: Bonus | None
    bonus_rule: str | None
    fee: Fee | None
    fee_rule: str | None
    free_money: bool
    """Whether money goes back without the fee, by law."""
    credit: CreditTerms
    goods: GoodsBack
    instant: bool
    consent: str | None
    """The rule or right that asks for consent to credit."""
    approval: str | None
    """The rule that asks for approval."""
    fired: tuple[Fired, ...]
    passed: tuple[Passed, ...]


_FOREVER: Final = CreditTerms()


def terms_of(policy: RefundPolicy, request: ReturnRequest) -> Iterator[LineTerms]:
    """
    Tell what is possible for each line of *request*, in their order.

    The law comes last, so that no rule can take away what it gives (P3).
    """
    ready = zip(policy.rules, policy.topics, policy.units, policy.matchers, strict=True)
    rules = [
        (rule, topics, matcher, _other_currency(unit, request) or matcher.of_request(request))
        for rule, topics, unit, matcher in ready
    ]
    rights = [
        (right, matcher, matcher.of_request(request))
        for right, matcher in zip(policy.cash_rights, policy.right_matchers, strict=True)
    ]
    for line in request.lines:
        decided: dict[Topic, RefundRule] = {}
        fired: list[Fired] = []
        passed: list[Passed] = []
        for rule, topics, matcher, of_request in rules:
            problem = of_request or matcher.of_line(line)
            if problem is not None:
                passed.append(Passed(rule.id, problem))
                continue
            new = [topic for topic in topics if topic not in decided]
            for topic in new:
                decided[topic] = rule
            fired.append(Fired(rule.id, tuple(new), rule.because))
        held = None
        for right, matcher, of_request in rights:
            problem = of_request or matcher.of_line(line)
            if problem is not None:
                passed.append(Passed(right.id, problem))
                continue
            fired.append(Fired(right.id, ("money",), right.source))
            # The law that keeps less for the shop goes first.
            if held is None or (held.keeps_fee and not right.keeps_fee):
                held = right
        yield _terms(line, decided, held and (held.id, held.keeps_fee), fired, passed)


def _other_currency(unit: Unit | None, request: ReturnRequest) -> str | None:
    return None if unit in (None, request.unit) else f"the amounts are in {request.unit.code}"


def _terms(
    line: ReturnLine,
    decided: dict[Topic, RefundRule],
    right: tuple[str, bool] | None,
    fired: list[Fired],
    passed: list[Passed],
) -> LineTerms:
    offer, refused = _offer(line, decided.get(Topic.OFFER))
    consent = _said(decided, Topic.CONSENT)
    if right is not None:
        if OfferKind.MONEY not in offer:
            offer, refused = (*offer, OfferKind.MONEY), None
        consent = right[0]
    bonus, fee = decided.get(Topic.BONUS), decided.get(Topic.FEE)
    terms, goods = decided.get(Topic.CREDIT), decided.get(Topic.GOODS)
    return LineTerms(
        line=line,
        offer=offer,
        refused=refused,
        bonus=bonus and bonus.bonus,
        bonus_rule=bonus and bonus.id,
        fee=fee and fee.fee,
        fee_rule=fee and fee.id,
        free_money=right is not None and not right[1],
        credit=(terms and terms.credit) or _FOREVER,
        goods=_goods(line, goods),
        instant=_said(decided, Topic.INSTANT) is not None,
        consent=consent,
        approval=_said(decided, Topic.APPROVAL),
        fired=tuple(fired),
        passed=tuple(passed),
    )


def _offer(line: ReturnLine, rule: RefundRule | None) -> tuple[tuple[OfferKind, ...], str | None]:
    if rule is None or rule.offer is None:
        return (), NO_RULE
    if not rule.offer:
        return (), rule.because or f"the rule {rule.id}"
    if line.is_goods:
        return rule.offer, None
    money = tuple(kind for kind in rule.offer if kind is OfferKind.MONEY)
    return money, None if money else NOT_FOR_CREDIT


def _goods(line: ReturnLine, rule: RefundRule | None) -> GoodsBack:
    """Nothing comes back of shipping, a tax, a fee or a gift card, which is only a number."""
    if line.kind is not LineKind.GOODS:
        return GoodsBack.KEEP
    return (rule and rule.goods) or GoodsBack.RETURN


def _said(decided: dict[Topic, RefundRule], topic: Topic) -> str | None:
    """Return the rule that decided *topic* with a yes, or None."""
    rule = decided.get(topic)
    return rule.id if rule is not None and getattr(rule, topic.value) else None
