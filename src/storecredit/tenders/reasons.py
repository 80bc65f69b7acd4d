"""Reasons: why a plan takes what it takes, as data and in words (T2)."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

import attrs

from storecredit.values import Money


@final
class Why(enum.StrEnum):
    """Why a lot, a tender or a line ended as it did."""

    USED = "used"
    REDUCES_THE_PRICE = "reduces_the_price"
    NOT_NEEDED = "not_needed"
    NO_LINE_LEFT = "no_line_left"
    NOTHING_DUE = "nothing_due"
    CAPPED = "capped"
    LOWERED_TO_WHOLE_STEPS = "lowered_to_whole_steps"
    LOWERED_FOR_THE_MINIMUM_CHARGE = "lowered_for_the_minimum_charge"
    KEPT_BACK_FOR_OWED = "kept_back_for_owed"
    EMPTY = "empty"
    HELD = "held"
    PENDING = "pending"
    EXPIRED = "expired"
    CHANNEL = "channel"
    MINIMUM_ORDER = "minimum_order"
    NO_ELIGIBLE_LINE = "no_eligible_line"
    ACCOUNT_NOT_OPEN = "account_not_open"
    SPENDER_NOT_LISTED = "spender_not_listed"
    MINIMUM_BALANCE = "minimum_balance"
    PARTLY_USED = "partly_used"
    ALREADY_PAID = "already_paid"
    OVERPAID = "overpaid"
    CHARGED = "charged"
    NO_TENDER_TAKES_THE_UNIT = "no_tender_takes_the_unit"
    EXTERNAL_LIMIT = "external_limit"
    BELOW_THE_MINIMUM_CHARGE = "below_the_minimum_charge"
    DISCOUNTED = "discounted"
    PRICE_CHOSEN = "price_chosen"


WORDS: Final[Mapping[Why, str]] = MappingProxyType(
    {
        Why.USED: "pays {amount}",
        Why.REDUCES_THE_PRICE: "lowers the price by {amount}: its funding is taxed as a discount",
        Why.NOT_NEEDED: "is not needed: what is used before it pays all it could",
        Why.NO_LINE_LEFT: "is not used: the lines it may pay are paid by what is used before it",
        Why.NOTHING_DUE: "is not used: nothing is due that its unit can pay",
        Why.CAPPED: "pays no more than {amount}: a rule or the customer's choice allows no more",
        Why.LOWERED_TO_WHOLE_STEPS: "pays {amount} less, so that it pays whole steps",
        Why.LOWERED_FOR_THE_MINIMUM_CHARGE: (
            "pays {amount} less, so that the external charge reaches its minimum"
        ),
        Why.KEPT_BACK_FOR_OWED: "keeps {amount} back: more is owed than the limit allows",
        Why.EMPTY: "is empty",
        Why.HELD: "is held for other orders",
        Why.PENDING: "does not count yet",
        Why.EXPIRED: "has expired",
        Why.CHANNEL: "does not pay in this channel",
        Why.MINIMUM_ORDER: "needs a larger order",
        Why.NO_ELIGIBLE_LINE: "may pay none of the lines",
        Why.ACCOUNT_NOT_OPEN: "pays nothing new: the account is frozen or closed",
        Why.SPENDER_NOT_LISTED: "pays nothing: the account does not list who spends",
        Why.MINIMUM_BALANCE: "pays nothing: less than {amount} can be spent",
        Why.PARTLY_USED: "is used in part: {amount} of it is lost",
        Why.ALREADY_PAID: "has paid {amount}",
        Why.OVERPAID: "has paid {amount} more than is due",
        Why.CHARGED: "is charged {amount}",
        Why.NO_TENDER_TAKES_THE_UNIT: "{amount} stays unpaid: no tender can pay more of its unit",
        Why.EXTERNAL_LIMIT: "{amount} stays unpaid: the external tenders may be charged no more",
        Why.BELOW_THE_MINIMUM_CHARGE: (
            "{amount} stays unpaid: it is below the smallest external charge, and no credit can "
            "make room for it"
        ),
        Why.DISCOUNTED: "takes {amount} off the price",
        Why.PRICE_CHOSEN: "is bought at its price number {price}",
    }
)


@final
@attrs.frozen(kw_only=True)
class Reason:
    """One decision of a plan, about a lot, a tender, a discount or a line."""

    why: Why
    tender: str | None = None
    lot: str | None = None
    """The lot; None for the whole tender."""
    line: str | None = None
    amount: Money | None = None
    """What the reason counts: what is paid, kept back or missing."""
    price: int | None = None
    """Which price was chosen, from 0."""

    @property
    def words(self) -> str:
        """The reason in a sentence."""
        about = [f"line {self.line}" if self.line is not None else ""]
        about += [f"tender {self.tender}" if self.tender is not None else ""]
        about += [f"lot {self.lot}" if self.lot is not None else ""]
        subject = ", ".join(part for part in about if part) or "the order"
        said = WORDS[self.why].format(amount=self.amount, price=self.price)
        return f"{subject[0].upper()}{subject[1:]}: {said}."
