"""A policy in plain words, for people who work in the shop and have never seen a policy file (P1)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from storecredit.policies.explaining_grants import earning, goodwill, incentives, top_up
from storecredit.policies.limits import Limit, LimitOn, Over
from storecredit.policies.refund_policy import CashRight, RefundPolicy
from storecredit.policies.rule import Fee, GoodsBack, OfferKind, RefundRule
from storecredit.policies.when import When, Who
from storecredit.policies.wording import (
    between,
    bonus_of,
    capped,
    days,
    holds_when,
    kind_of_offer,
    listed,
    lives,
    on_one_line,
    share,
    since_when,
    whose,
)

if TYPE_CHECKING:
    from storecredit.policies.policy import Policy


def explained(policy: "Policy") -> str:
    """
    Return what *policy* says, every rule, right and limit of it, as text with line ends.

    The text is for people and the same for the same policy; programs read the policy itself.
    """
    lines = [f"{policy.name}, version {policy.version}"]
    if policy.note is not None:
        lines += ["", policy.note]
    for title, said in (
        ("Returns", policy.refund and refunds(policy.refund)),
        ("Goodwill", policy.goodwill and goodwill(policy.goodwill)),
        ("Incentives", policy.incentives and incentives(policy.incentives)),
        ("Earning", policy.earning and earning(policy.earning)),
        ("Top-ups", policy.top_up and top_up(policy.top_up)),
    ):
        if said is not None:
            lines += ["", title, "", *said]
    return "\n".join(lines) + "\n"


def refunds(policy: RefundPolicy) -> Iterator[str]:
    """Yield the lines of text about returns."""
    yield "Each line of a return is decided for itself. For each thing, the first rule below that"
    yield "holds and says something about it decides. Where none offers anything, nothing is offered."
    yield "Only goods, and the tax on them, become credit or are exchanged."
    for number, rule in enumerate(policy.rules, 1):
        yield ""
        yield f"{number}. {rule.id}"
        yield f"   {holds_when(_conditions_of(rule))}"
        yield from (f"   - {said}" for said in _decided(rule))
        if rule.because is not None:
            yield f"   Why: {on_one_line(rule.because)}"
    if policy.cash_rights:
        yield ""
        yield "The law, which no rule takes away:"
        yield ""
        yield from (f"- {_right(right)}" for right in policy.cash_rights)
    if policy.limits:
        yield ""
        yield "Limits:"
        yield ""
        yield from (f"- {_limit(limit)}" for limit in policy.limits)
    if policy.reasons is not None:
        yield ""
        yield f"Reasons that there are: {listed(policy.reasons, last='and')}."


def _conditions_of(rule: RefundRule) -> list[str]:
    """Return when the rule holds; where its amounts alone name a currency, that as well."""
    said = _conditions(rule.when)
    if rule.unit is not None and rule.when.at_least is None and rule.when.below is None:
        said.append(f"it was paid in {rule.unit.code}")
    return said


def _conditions(when: When) -> list[str]:
    said = [
        f"{what} {listed(values)}"
        for what, values in (
            ("the seller is", when.merchants),
            ("it comes through", when.channels),
            ("the customer has the law of", when.jurisdictions),
            ("the customer is in the group", when.segments),
        )
        if values is not None
    ]
    if when.holder is not None:
        has = "no account" if when.holder is Who.GUEST else "an account"
        said.append(f"the customer has {has}")
    if when.gift is not None:
        said.append("it was a gift" if when.gift else "it was no gift")
    if when.receipt is not None:
        said.append("there is a receipt" if when.receipt else "there is no receipt")
    if when.within is not None:
        said.append(f"it is at most {days(when.within)} since {since_when(when.since)}")
    if when.after is not None:
        said.append(f"it is more than {days(when.after)} since {since_when(when.since)}")
    said += between("what was paid for all of it", when.at_least, when.below)
    said += [
        f"{what} {listed(values)}"
        for what, values in (
            ("the line is", when.kinds and [kind.value.replace("_", " ") for kind in when.kinds]),
            ("the category is", when.categories),
            ("the reason is", when.reasons),
            ("the goods are", when.conditions),
        )
        if values is not None
    ]
    if when.final_sale is not None:
        said.append("it was a final sale" if when.final_sale else "it was no final sale")
    return said


def _decided(rule: RefundRule) -> Iterator[str]:
    if rule.offer is not None:
        yield _offered(rule.offer)
    if rule.bonus is not None:
        bonus = bonus_of(rule.bonus)
        yield "credit has no bonus" if bonus is None else f"credit has a bonus of {bonus}"
    if rule.fee is not None:
        yield _fee(rule.fee)
    if rule.credit is not None:
        yield lives("the credit", rule.credit.expires)
        if rule.credit.bonus_expires is not None:
            yield lives("its bonus", rule.credit.bonus_expires)
    if rule.goods is not None:
        kept = rule.goods is GoodsBack.KEEP
        yield "the customer keeps the goods" if kept else "the goods have to come back"
    if rule.instant is not None:
        yield (
            "the credit is given once the return is approved, before the goods are back"
            if rule.instant
            else "the credit is given when the goods are back"
        )
    if rule.consent is not None:
        yield f"the customer {'has' if rule.consent else 'does not have'} to agree to credit"
    if rule.approval is not None:
        yield f"somebody else {'has' if rule.approval else 'does not have'} to approve"


def _offered(offer: tuple[OfferKind, ...]) -> str:
    if not offer:
        return "nothing is offered"
    if len(offer) == 1:
        return f"only {kind_of_offer(offer[0])} is offered"
    return f"the customer chooses between {listed(map(kind_of_offer, offer), last='and')}"


def _fee(fee: Fee) -> str:
    kept = share(fee.percent, fee.fixed, fee.at_most)
    if kept is None:
        return "no fee is kept"
    return (
        f"a fee is kept of {listed(map(kind_of_offer, fee.on), last='and')}: {kept}, of each line"
    )


def _right(right: CashRight) -> str:
    conditions = _conditions(right.when)
    where = f"if {listed(conditions, last='and')}, " if conditions else ""
    fee = "less the fee" if right.keeps_fee else "without a fee"
    return (
        f"{right.id}: {where}money back is offered, {fee}, and credit in its place needs the "
        f"customer's consent ({right.source})."
    )


def _limit(limit: Limit) -> str:
    counted = {
        LimitOn.REFUND: "all that is refunded",
        LimitOn.CREDIT: "all that becomes credit, with its bonus",
        LimitOn.BONUS: "bonuses",
    }[limit.on]
    beyond = {
        Over.APPROVE: "beyond that somebody else has to approve",
        Over.REFUSE: "beyond that there is none",
        Over.CUT: "beyond that the bonus is lowered to what is left",
    }[limit.over]
    return (
        f"{limit.id}: {counted}, for {whose(limit.per)} and within {days(limit.period)}: "
        f"{capped(limit.amount, limit.count)}; {beyond}."
    )
