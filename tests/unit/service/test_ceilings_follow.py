"""What ceilings have counted follows a holder into another wallet, by a merger or a claim (P4, A15, A17)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from storecredit.claims import ClaimKeys, ClaimRules
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.gift import Gift, GrantCeiling
from storecredit.policies.goodwill import GoodwillPolicy, GoodwillRule, give_goodwill
from storecredit.policies.grant_decision import GrantDecision
from storecredit.policies.occasion import Occasion
from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage
from storecredit.values import Money, Period

WHO: Any = {"actor": "ann", "reason": "one person"}
KEYS = ClaimRules(keys=ClaimKeys(current="k1", keys={"k1": b"k" * 32}))


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def sorry(
    name: str, holder: str, amount: str, *, ceiling: dict[str, Any] | None = None
) -> GrantDecision:
    usual = {"id": "month", "period": Period(days=30), "amount": usd("10.00"), "above": "up_to"}
    terms: Any = {**usual, **(ceiling or {})}
    rule = GoodwillRule(id="late", on="late", gives=Gift(amount=usd(amount)))
    policy = GoodwillPolicy(rules=[rule], ceilings=[GrantCeiling(**terms)])
    occasion = Occasion(id=name, on="late", holder=holder, at=datetime(2026, 3, 1, tzinfo=UTC))
    return give_goodwill(policy, occasion, named=PolicyVersion("shop", "1"))


def given(credit: StoreCredit, decision: GrantDecision, **about: Any) -> str:
    (lot,) = credit.grant(decision, **about).lots
    return str(lot.given.decimal)


def test_a17_what_both_were_given_counts_for_the_one_who_is_left(shop) -> None:
    credit = shop.credit
    assert given(credit, sorry("1", "c-17", "4.00")) == "4.00"
    assert given(credit, sorry("2", "c-18", "3.00")) == "3.00"
    credit.merge("c-17", "c-18", key="m", **WHO)
    assert given(credit, sorry("3", "c-18", "5.00")) == "3.00"
    assert given(credit, sorry("4", "c-17", "5.00")) == "0.00"


def test_a17_it_follows_one_merger_after_the_other_into_a_new_wallet(shop) -> None:
    credit = shop.credit
    for number in (1, 2):
        assert given(credit, sorry(str(number), f"c-{number}", "4.00")) == "4.00"
        credit.merge(f"c-{number}", f"c-{number + 1}", key="m", **WHO)
    assert given(credit, sorry("3", "c-3", "5.00")) == "2.00"
    # What was counted counts until its period is over, and not longer.
    shop.clock.forward(days=31)
    assert given(credit, sorry("4", "c-3", "5.00")) == "5.00"


def test_a17_what_an_agent_gave_stays_his(shop) -> None:
    by_agent: Any = {"ceiling": {"per": "agent", "amount": None, "count": 1}}
    assert given(shop.credit, sorry("1", "c-17", "4.00", **by_agent), actor="cem") == "4.00"
    shop.credit.merge("c-17", "cem", key="m", **WHO)
    assert given(shop.credit, sorry("2", "c-19", "4.00", **by_agent), actor="cem") == "0.00"


def test_a15_what_the_bearer_of_a_code_was_given_counts_for_whoever_claims_it() -> None:
    credit = StoreCredit(MemoryStorage(), "acme", claims=KEYS)
    code = credit.issue_code(usd("1.00"), funding="goodwill", key="guest")
    assert given(credit, sorry("1", code.claim.holder, "8.00")) == "8.00"
    credit.claim(code.code, "c-17", key="claim", caller="web")
    assert given(credit, sorry("2", "c-17", "5.00")) == "2.00"
    assert credit.account("c-17", "USD").available == usd("11.00")
