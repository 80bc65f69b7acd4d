"""Policies: rules as data, and the decisions that they make (P1 to P4)."""

from storecredit.policies.asking import Condition, ReturnLine, ReturnRequest
from storecredit.policies.decision import (
    CreditLot,
    Override,
    PolicyVersion,
    Reasons,
    RefundDecision,
)
from storecredit.policies.earn_rule import (
    EarningPolicy,
    EarnOn,
    EarnRule,
    Multiplier,
    PaidWithCredit,
    Stacking,
)
from storecredit.policies.earning import EarnDecision, earn, points_due
from storecredit.policies.gift import Basis, Circumstances, Gift, GrantCeiling, OncePer
from storecredit.policies.goodwill import (
    GoodwillPolicy,
    GoodwillRule,
    IncentivePolicy,
    IncentiveRule,
    give_goodwill,
    give_incentive,
)
from storecredit.policies.grant_decision import GrantDecision, GrantKind, GrantLot
from storecredit.policies.granted import (
    Earning,
    Gave,
    GivenLot,
    Granted,
    GrantTally,
    Removal,
    ToppedUp,
)
from storecredit.policies.limits import Limit, LimitOn, LimitPer, Over, Tally
from storecredit.policies.line_terms import Fired, Passed
from storecredit.policies.occasion import Occasion
from storecredit.policies.offer import LineOffer, Offer
from storecredit.policies.offers import Offers, offers_for
from storecredit.policies.policy import Policy
from storecredit.policies.purchase import Purchase, PurchaseLine, Returned, purchase_of, returned_of
from storecredit.policies.reading import read_policy
from storecredit.policies.refund_policy import CashRight, RefundPolicy
from storecredit.policies.rule import (
    Bonus,
    CreditTerms,
    Fee,
    GoodsBack,
    OfferKind,
    RefundRule,
    Topic,
)
from storecredit.policies.schema import policy_schema
from storecredit.policies.top_up import (
    AutomaticTopUp,
    BonusStep,
    SpentBonus,
    TopUpDecision,
    TopUpFlag,
    TopUpPolicy,
    TopUpRefund,
    credit_top_up,
    quote_top_up,
    refund_of_top_up,
    top_up_due,
)
from storecredit.policies.when import Since, When, Who
from storecredit.policies.witnessing import witness

__all__ = [
    "AutomaticTopUp",
    "Basis",
    "Bonus",
    "BonusStep",
    "CashRight",
    "Circumstances",
    "Condition",
    "CreditLot",
    "CreditTerms",
    "EarnDecision",
    "EarnOn",
    "EarnRule",
    "Earning",
    "EarningPolicy",
    "Fee",
    "Fired",
    "Gave",
    "Gift",
    "GivenLot",
    "GoodsBack",
    "GoodwillPolicy",
    "GoodwillRule",
    "GrantCeiling",
    "GrantDecision",
    "GrantKind",
    "GrantLot",
    "GrantTally",
    "Granted",
    "IncentivePolicy",
    "IncentiveRule",
    "Limit",
    "LimitOn",
    "LimitPer",
    "LineOffer",
    "Multiplier",
    "Occasion",
    "Offer",
    "OfferKind",
    "Offers",
    "OncePer",
    "Over",
    "Override",
    "PaidWithCredit",
    "Passed",
    "Policy",
    "PolicyVersion",
    "Purchase",
    "PurchaseLine",
    "Reasons",
    "RefundDecision",
    "RefundPolicy",
    "RefundRule",
    "Removal",
    "ReturnLine",
    "ReturnRequest",
    "Returned",
    "Since",
    "SpentBonus",
    "Stacking",
    "Tally",
    "TopUpDecision",
    "TopUpFlag",
    "TopUpPolicy",
    "TopUpRefund",
    "Topic",
    "ToppedUp",
    "When",
    "Who",
    "credit_top_up",
    "earn",
    "give_goodwill",
    "give_incentive",
    "offers_for",
    "points_due",
    "policy_schema",
    "purchase_of",
    "quote_top_up",
    "read_policy",
    "refund_of_top_up",
    "returned_of",
    "top_up_due",
    "witness",
]
