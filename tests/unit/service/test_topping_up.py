"""Payments credited once, with their bonus; and given back, without it (P4, A7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from storecredit.errors import (
    AccountFrozen,
    CeilingReached,
    InvalidTerms,
    InvalidText,
    KeyReused,
    LotClosed,
    LotHeld,
    ReasonAndActorRequired,
    TopUpRefused,
    UnknownGrant,
)
from storecredit.ledger import Ceiling
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.gift import GrantCeiling
from storecredit.policies.granted import ToppedUp
from storecredit.policies.rule import Bonus
from storecredit.policies.top_up import (
    BonusStep,
    TopUpDecision,
    TopUpFlag,
    TopUpPolicy,
    credit_top_up,
)
from storecredit.values import Money, Period

NAMED = PolicyVersion("shop", "1")
WHO = {"actor": "ann", "reason": "asked for it"}


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def policy(**more: Any) -> TopUpPolicy:
    ten_percent = BonusStep(paid=usd("50.00"), bonus=Bonus(percent=10))
    given = {"id": "wallet", "minimum": usd("10.00"), "maximum": usd("500.00"), **more}
    return TopUpPolicy(**{"bonuses": [ten_percent], **given})


def decided(
    paid: str = "50.00",
    *,
    payment: str = "pay-1",
    holder: str = "c-17",
    version: str = "1",
    **more: Any,
) -> TopUpDecision:
    named = PolicyVersion("shop", version)
    return credit_top_up(policy(**more), usd(paid), holder=holder, payment=payment, named=named)


def test_a_payment_is_credited_once_with_its_bonus_in_a_lot_of_its_own(shop) -> None:
    first = shop.credit.top_up(decided(bonus_expires=Period(days=90)), channel=None)
    assert [(lot.given, lot.withheld) for lot in first.lots] == [
        (usd("50.00"), usd("0.00")),
        (usd("5.00"), usd("0.00")),
    ]
    assert shop.lots() == [("promotional", "5.00"), ("purchased", "50.00")]
    bonus, bought = shop.account().lots
    assert (bought.terms.paid.money, bought.terms.paid.face) == (usd("50.00"), 5000)
    assert (bonus.terms.paid, bonus.terms.expires_at) == (None, shop.clock.now + timedelta(days=90))
    # Delivered twice, and then under another version that gives more.
    for again in (
        decided(),
        decided(version="2", bonuses=[BonusStep(paid=usd("1.00"), bonus=Bonus(percent=50))]),
    ):
        repeated = shop.credit.top_up(again)
        assert (repeated, repeated.replayed, first.replayed) == (first, True, False)
    assert shop.credit.top_up_of("pay-1") == first
    assert ToppedUp.from_json(first.to_json()) == first
    assert [entry.context.reference for entry in shop.credit.journal("c-17", "USD")] == [
        "pay-1"
    ] * 2


@pytest.mark.parametrize(
    ("other", "field"), [({"paid": "50.01"}, "paid"), ({"holder": "eve"}, "holder")]
)
def test_the_same_payment_with_another_amount_or_holder_is_a_conflict(shop, other, field) -> None:
    shop.credit.top_up(decided())
    with shop.refuses(KeyReused) as refused:
        shop.credit.top_up(decided(**other))
    assert (refused.error.key, refused.error.field) == ("pay-1", field)


def test_what_is_paid_and_not_sold_is_credited_and_flagged(shop) -> None:
    found = shop.credit.top_up(decided("5.00"))
    assert found.decision.flag is TopUpFlag.BELOW_MINIMUM
    assert shop.lots() == [("purchased", "5.00")]


# --- Before it is charged -----------------------------------------------------------------


def test_a_quote_tells_the_bonus_and_changes_nothing(shop) -> None:
    before = shop.dump()
    quote = shop.credit.quote_top_up
    assert quote(policy(), "c-17", usd("60.00"), named=NAMED) == usd("6.00")
    assert quote(policy(), "c-17", usd("20.00"), named=NAMED, at=shop.clock.now) is None
    with pytest.raises(TopUpRefused):
        quote(policy(), "c-17", usd("5.00"), named=NAMED)
    with pytest.raises(InvalidTerms):
        quote("policy", "c-17", usd("5.00"), named=NAMED)
    with pytest.raises(InvalidText):
        quote(policy(), "", usd("50.00"), named=NAMED)
    assert shop.dump() == before


def test_a_quote_asks_the_ceilings_of_the_policy(shop) -> None:
    limited = policy(
        ceilings=[GrantCeiling(id="month", period=Period(days=30), amount=usd("100.00"))]
    )
    quote = shop.credit.quote_top_up
    assert quote(limited, "c-17", usd("100.00"), named=NAMED) == usd("10.00")
    shop.credit.top_up(decided(ceilings=limited.ceilings))
    assert quote(limited, "c-17", usd("50.00"), named=NAMED) == usd("5.00")
    with pytest.raises(TopUpRefused, match="more than a ceiling leaves"):
        quote(limited, "c-17", usd("50.01"), named=NAMED)
    shop.clock.forward(days=30)
    assert quote(limited, "c-17", usd("50.01"), named=NAMED) == usd("5.00")


def test_a_quote_asks_the_account_and_the_merchant(make_shop) -> None:
    shop = make_shop(ceilings=[Ceiling(usd("100.00"))])
    quote = shop.credit.quote_top_up
    with pytest.raises(CeilingReached):
        quote(policy(), "c-17", usd("95.00"), named=NAMED)
    assert quote(policy(), "c-17", usd("90.00"), named=NAMED) == usd("9.00")
    # The money is there, and the account does not take it: nothing is credited.
    with shop.refuses(CeilingReached):
        shop.credit.top_up(decided("95.00"))
    shop.issue("1.00")
    shop.credit.freeze("c-17", "USD", key="f")
    with pytest.raises(AccountFrozen):
        quote(policy(), "c-17", usd("20.00"), named=NAMED)


def test_beyond_a_ceiling_what_was_paid_is_credited_without_a_bonus(shop) -> None:
    ceilings = [GrantCeiling(id="month", period=Period(days=30), count=1)]
    shop.credit.top_up(decided(ceilings=ceilings))
    found = shop.credit.top_up(decided(payment="pay-2", ceilings=ceilings))
    assert (found.decision.flag, len(found.lots)) == (TopUpFlag.ABOVE_CEILING, 1)
    assert shop.credit.top_up(decided(payment="pay-2", ceilings=ceilings)) == found
    assert shop.available() == "USD 105.00"


# --- Back ---------------------------------------------------------------------------------


def refund(shop: Any, payment: str = "pay-1") -> tuple[str, str, str]:
    found = shop.credit.refund_top_up(payment, **WHO).refund
    return tuple(str(each.decimal) for each in (found.pays_back, found.deducted, found.revoked))


def test_nothing_spent_all_of_the_money_comes_and_all_of_the_bonus_goes(shop) -> None:
    shop.credit.top_up(decided())
    assert refund(shop) == ("50.00", "0.00", "5.00")
    assert shop.lots() == []
    assert shop.totals() == {"issued": 5500, "revoked": 500, "cashed_out": 5000}


def test_a_refund_is_made_once(shop) -> None:
    shop.credit.top_up(decided())
    first = shop.credit.refund_top_up("pay-1", **WHO)
    before = shop.dump()
    again = shop.credit.refund_top_up("pay-1", **WHO)
    assert (again, again.replayed, first.replayed) == (first, True, False)
    assert shop.dump() == before
    assert shop.credit.top_up_of("pay-1") == first


def test_a_bonus_that_was_spent_is_kept_of_the_money(shop) -> None:
    shop.credit.top_up(decided())
    shop.redeem("25.00")  # 5.00 of the bonus, 20.00 of the money
    assert refund(shop) == ("27.00", "3.00", "0.00")


def test_or_borne_by_the_shop(shop) -> None:
    shop.credit.top_up(decided(spent_bonus="forgive"))
    shop.redeem("5.00")
    assert refund(shop) == ("50.00", "0.00", "0.00")


def test_a_bonus_that_has_expired_costs_nobody_anything(shop) -> None:
    shop.credit.top_up(decided(bonus_expires=Period(days=10)))
    shop.redeem("2.00")
    shop.clock.forward(days=10)
    assert refund(shop) == ("48.00", "2.00", "0.00")


def test_without_a_bonus_the_rest_is_paid_back(shop) -> None:
    shop.credit.top_up(decided("20.00"))
    shop.redeem("7.00")
    assert refund(shop) == ("13.00", "0.00", "0.00")


def test_goods_that_come_back_later_bring_the_bonus_back_as_bonus(shop) -> None:
    shop.credit.top_up(decided())
    spent = shop.redeem("25.00")
    assert refund(shop) == ("27.00", "3.00", "0.00")
    shop.credit.restore(spent.entry_id, key="back")
    assert shop.lots() == [("promotional", "5.00"), ("purchased", "20.00")]


@pytest.mark.parametrize("amount", ["5.00", "30.00"])
def test_what_is_held_waits_for_its_hold(shop, amount) -> None:
    shop.credit.top_up(decided())
    hold = shop.hold(amount).hold_id
    with shop.refuses(LotHeld):
        refund(shop)
    assert shop.credit.top_up_of("pay-1").refund is None
    shop.credit.release(hold, key="x")
    assert refund(shop)[0] == "50.00"


def test_a_top_up_is_followed_to_whom_the_holder_was_merged_into(shop) -> None:
    shop.credit.top_up(decided())
    shop.redeem("25.00")
    shop.credit.merge("c-17", "eve", key="m")
    shop.issue("9.00", holder="eve", funding="promotional")
    assert refund(shop) == ("27.00", "3.00", "0.00")
    assert shop.lots("eve") == [("promotional", "9.00")]


def test_nothing_is_left_to_give_back(shop) -> None:
    shop.credit.top_up(decided("20.00"))
    shop.redeem("20.00")
    assert refund(shop) == ("0.00", "0.00", "0.00")


def test_what_cannot_be_given_back_says_why(shop) -> None:
    with shop.refuses(UnknownGrant) as refused:
        shop.credit.refund_top_up("pay-1", **WHO)
    assert (refused.error.kind, refused.error.name) == ("top-up", "pay-1")
    assert "top_up()" in str(refused.error)
    with pytest.raises(InvalidText):
        shop.credit.top_up_of("")
    with pytest.raises(UnknownGrant):
        shop.credit.top_up_of("pay-1")
    topped = shop.credit.top_up(decided())
    with shop.refuses(ReasonAndActorRequired):
        shop.credit.refund_top_up("pay-1")
    shop.credit.refund_bought(topped.lots[0].lot, key="by hand", **WHO)
    with shop.refuses(LotClosed):
        refund(shop)
