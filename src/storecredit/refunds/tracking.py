"""What a customer may see of a refund case: where it is, what comes back, who is next (P5, P7)."""

import enum
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.ledger import Funding
from storecredit.policies import RefundDecision
from storecredit.refunds.case import CaseRecord
from storecredit.refunds.life import CaseState, CaseStep
from storecredit.tenders import Answer
from storecredit.tenders.json_form import write_form
from storecredit.values import Money

ENGLISH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "state.requested": "We have your request and will look at it.",
        "state.approved": "Your refund is approved.",
        "state.denied": "Your refund was not approved.",
        "state.awaiting_return": "Your refund is approved. We wait for the goods.",
        "state.in_transit": "The goods are on their way to us.",
        "state.received": "We have the goods and will look at them.",
        "state.inspected": "We have looked at the goods.",
        "state.completed": "Your refund is complete.",
        "state.cancelled": "You have cancelled your request.",
        "state.reopened": "We look at your request again.",
        "step.request": "You have asked for a refund.",
        "step.approve": "We have approved it.",
        "step.deny": "We have not approved it.",
        "step.await_return": "We have told you how to send the goods back.",
        "step.ship": "You have sent the goods.",
        "step.receive": "We have received the goods.",
        "step.inspect": "We have looked at the goods.",
        "step.complete": "We have refunded you.",
        "step.cancel": "You have cancelled the request.",
        "step.reopen": "We look at it again.",
        "step.goods_missing": "The goods have not arrived.",
        "step.settle_refund.confirmed": "Your money was sent back.",
        "step.settle_refund.failed": "Your money could not be sent back the way you paid.",
        "step.redirect": "You have got store credit in place of money.",
        "back.money": "{amount} goes back the way you paid.",
        "back.credit": "{amount} of store credit.",
        "back.bonus": "{amount} of store credit on top, as a bonus.",
        "back.restored": "{amount} goes back to the credit that you paid with.",
        "back.exchange": "{amount} pays for other goods.",
        "back.fee": "{amount} is kept for handling.",
        "back.taken": "{amount} of store credit was taken back.",
        "next.nobody": "There is nothing to do.",
        "next.shop": "We will tell you what comes next.",
        "next.processor": "Your bank or card company has to book the money.",
        "next.send": "Please send the goods back.",
        "next.send_by": "Please send the goods back, so that they are here by {date}.",
    }
)
"""Every text, by key. Give `track` a mapping of your own to translate it."""


@final
class Back(enum.StrEnum):
    """What comes back, or does not."""

    MONEY = "money"
    CREDIT = "credit"
    BONUS = "bonus"
    RESTORED = "restored"
    EXCHANGE = "exchange"
    FEE = "fee"
    """What is kept."""
    TAKEN = "taken"
    """Credit that was given before the goods were back, and taken back."""


@final
class Whose(enum.StrEnum):
    """Whose turn it is."""

    NOBODY = "nobody"
    CUSTOMER = "customer"
    SHOP = "shop"
    PROCESSOR = "processor"


@final
@attrs.frozen(kw_only=True)
class TrackedStep:
    """One step that was taken, without who took it and why."""

    key: str
    """The key of its text."""
    at: datetime
    text: str


@final
@attrs.frozen(kw_only=True)
class TrackedBack:
    """One amount that comes back."""

    back: Back
    amount: Money
    done: bool
    """Whether the customer has it already."""
    text: str


@final
@attrs.frozen(kw_only=True)
class TrackedNext:
    """What is to be done next, and by whom."""

    whose: Whose
    key: str
    """The key of its text."""
    by: datetime | None = None
    """Until when, where there is a date."""
    text: str


@final
@attrs.frozen(kw_only=True)
class Tracked:
    """
    What a customer may see of a refund, in words and as data.

    Never who did what, why, or anything about somebody else.
    """

    id: str
    order: str | None
    state: CaseState
    text: str
    steps: tuple[TrackedStep, ...]
    backs: tuple[TrackedBack, ...]
    next: TrackedNext

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data, for the pages of a shop."""
        return write_form(self)


def track(case: CaseRecord, *, words: Mapping[str, str] = ENGLISH) -> Tracked:
    """
    Return what the customer of *case* may see.

    Args:
        case: The record of the case.

        words: The texts by key; what it lacks is English. ``{amount}`` and ``{date}`` are filled
            in plainly: the data beside them is for whoever writes them by locale.
    """
    told = {**ENGLISH, **words}
    return Tracked(
        id=case.id,
        order=case.decision.request.order,
        state=case.state,
        text=told[f"state.{case.state}"],
        steps=tuple(_steps(case, told)),
        backs=tuple(_backs(case, told)),
        next=_next(case, told),
    )


def _steps(case: CaseRecord, words: Mapping[str, str]) -> list[TrackedStep]:
    found = list[TrackedStep]()
    for event in case.events:
        key = f"step.{event.step}"
        if event.step is CaseStep.SETTLE_REFUND:
            key = f"{key}.{event.facts}"
        elif found and event.step is CaseStep.APPROVE and _is_known(found, key):
            # What a limit asks of the shop later on is the shop's own affair.
            continue
        found.append(TrackedStep(key=key, at=event.at, text=words[key]))
    return found


def _is_known(found: list[TrackedStep], key: str) -> bool:
    """Tell whether the step was told since the case was last looked at anew."""
    for step in reversed(found):
        if step.key == f"step.{CaseStep.REOPEN}":
            return False
        if step.key == key:
            return True
    return False


def _backs(case: CaseRecord, words: Mapping[str, str]) -> list[TrackedBack]:
    """Return what comes back: as decided, or as far as it was accepted; of a closed case, what did."""
    done = case.state is CaseState.COMPLETED
    over = case.is_closed and not done
    found = [] if over else _of_decision(case, case.final, is_done=done)
    taken = [each.taken for each in case.given if each.taken is not None]
    if taken:
        found.append((Back.TAKEN, Money.total(taken, taken[0].unit), True))
    return [
        TrackedBack(
            back=back,
            amount=amount,
            done=is_done,
            text=words[f"back.{back}"].format(amount=amount),
        )
        for back, amount, is_done in found
        if amount.is_positive
    ]


def _of_decision(
    case: CaseRecord, decision: RefundDecision, *, is_done: bool
) -> list[tuple[Back, Money, bool]]:
    offer = decision.offer
    given = {each.funding for each in case.given}
    redirected = [each.amount for each in case.refunds if each.lot is not None]
    money, credit = offer.tenders, offer.credit
    for amount in redirected:
        money, credit = money - amount, credit + amount
    booked = all(each.answer is not Answer.PENDING for each in case.refunds)
    return [
        (Back.MONEY, money, is_done and booked),
        (Back.CREDIT, credit, is_done or Funding.REFUND in given),
        (Back.BONUS, offer.bonus, is_done or Funding.PROMOTIONAL in given),
        *((Back.RESTORED, amount, is_done) for amount in offer.restored),
        (Back.EXCHANGE, offer.exchange, is_done),
        (Back.FEE, offer.fee, is_done),
    ]


def _next(case: CaseRecord, words: Mapping[str, str]) -> TrackedNext:
    whose, key, by = Whose.SHOP, "next.shop", None
    is_sending = case.state is CaseState.AWAITING_RETURN or (
        case.state is CaseState.APPROVED and case.needs_goods
    )
    if is_sending:
        by = case.arrive_by
        whose, key = Whose.CUSTOMER, "next.send" if by is None else "next.send_by"
    elif case.refunds_due:
        whose, key = Whose.PROCESSOR, "next.processor"
    elif case.state is CaseState.COMPLETED and any(
        each.answer is Answer.FAILED and each.lot is None for each in case.refunds
    ):
        whose, key = Whose.SHOP, "next.shop"
    elif case.is_closed:
        whose, key = Whose.NOBODY, "next.nobody"
    date = "" if by is None else by.date().isoformat()
    return TrackedNext(whose=whose, key=key, by=by, text=words[key].format(date=date))
