"""Decisions carried out: once, in one transaction, under ceilings that two at once never exceed (P4)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storecredit.errors import (
    AccountFrozen,
    CeilingReached,
    GrantCeilingReached,
    InvalidKey,
    InvalidOrder,
    InvalidTerms,
    InvalidText,
    KeyReused,
    LotExhausted,
    LotHeld,
    ReasonAndActorRequired,
    TopUpRefused,
    UnknownGrant,
)
from storecredit.ledger import Ceiling, Limits
from storecredit.policies.decision import PolicyVersion
from storecredit.policies.earn_rule import EarningPolicy, EarnRule
from storecredit.policies.earning import EarnDecision, earn
from storecredit.policies.gift import Gift, GrantCeiling
from storecredit.policies.goodwill import (
    GoodwillPolicy,
    GoodwillRule,
    IncentivePolicy,
    IncentiveRule,
    give_goodwill,
    give_incentive,
)
from storecredit.policies.grant_decision import GrantDecision
from storecredit.policies.granted import Earning, Granted
from storecredit.policies.occasion import Occasion
from storecredit.policies.purchase import Purchase, PurchaseLine, Returned
from storecredit.service import StoreCredit
from storecredit.tenders import LineAmount
from storecredit.values import CustomUnit, Money, Period

PTS = CustomUnit("PTS", 0)
NAMED = PolicyVersion("shop", "1")
LATER = PolicyVersion("shop", "2")
WHO = {"actor": "ann", "reason": "came back"}


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def sorry(
    number: int = 1,
    amount: str = "5.00",
    *,
    named: PolicyVersion = NAMED,
    gift: dict[str, Any] | None = None,
    ceilings: Any = (),
    **more: Any,
) -> GrantDecision:
    rule = GoodwillRule(id="late", on="late", gives=Gift(amount=usd(amount), **(gift or {})))
    policy = GoodwillPolicy(rules=[rule], ceilings=ceilings)
    event = {"id": f"t-{number}", "on": "late", "holder": "c-17", **more}
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return give_goodwill(policy, Occasion(at=at, **event), named=named)


def friends(holder: str = "new", referrer: str = "old", **more: Any) -> GrantDecision:
    rule = IncentiveRule(
        id="friends",
        on="referral",
        once_per="referral",
        gives=Gift(amount=usd("5.00"), expires=Period(days=30)),
        gives_referrer=Gift(amount=usd("10.00")),
    )
    at = datetime(2026, 3, 1, tzinfo=UTC)
    event = Occasion(id="s", on="referral", holder=holder, referrer=referrer, at=at)
    return give_incentive(IncentivePolicy(rules=[rule], **more), event, named=NAMED)


def total(shop: Any, holder: str = "c-17") -> int:
    return sum(
        account.available.minor + account.limited.minor + account.pending.minor
        for account in shop.credit.wallet(holder).accounts
    )


# --- Granting -----------------------------------------------------------------------------


def test_a_decision_is_carried_out_once_under_every_version(shop) -> None:
    limits = Limits(categories=("books",))
    decision = sorry(gift={"expires": Period(days=30), "limits": limits}, order="o-1")
    first = shop.credit.grant(decision, actor="ann", note="rang twice")
    (lot,) = first.lots
    assert (lot.given, lot.withheld, lot.ceiling) == (usd("5.00"), usd("0.00"), None)
    (entry,) = shop.credit.journal("c-17", "USD")
    assert (entry.id, entry.key[:7]) == (lot.entry, "~grant:")
    assert (entry.context.reference, entry.context.actor) == ("o-1", "ann")
    (seen,) = shop.credit.account("c-17", "USD").lots
    assert (seen.id, seen.terms.funding, seen.terms.limits) == (lot.lot, "goodwill", limits)
    assert seen.terms.expires_at == shop.clock.now + timedelta(days=30)
    for again in (decision, sorry(amount="7.00", named=LATER, order="o-1")):
        repeated = shop.credit.grant(again)
        assert repeated == first
        assert (first.replayed, repeated.replayed) == (False, True)
    assert total(shop) == 500
    assert shop.credit.grant(sorry(2)).lots[0].given == usd("5.00")
    assert shop.credit.verify().ok


def test_nothing_is_kept_of_a_decision_that_gives_nothing(shop) -> None:
    rule = GoodwillRule(id="late", on="late", gives=Gift(amount=usd("5.00")))
    at = shop.clock.now
    nothing = give_goodwill(
        GoodwillPolicy(rules=[rule]), Occasion(id="t", on="x", holder="c-17", at=at), named=NAMED
    )
    assert shop.credit.grant(nothing) == Granted(decision=nothing)
    assert shop.credit.wallet("c-17").accounts == ()


def test_both_sides_of_a_referral_are_given_at_once_or_neither(shop) -> None:
    shop.credit.issue("old", usd("1.00"), funding="refund", key="k")
    shop.credit.freeze("old", "USD", key="f")
    with shop.refuses(AccountFrozen):
        shop.credit.grant(friends())
    assert shop.credit.wallet("new").accounts == ()
    shop.credit.reopen("old", "USD", key="r")
    given = shop.credit.grant(friends())
    assert [(lot.holder, lot.given) for lot in given.lots] == [
        ("new", usd("5.00")),
        ("old", usd("10.00")),
    ]
    # The new customer was brought once, whoever else says so.
    assert shop.credit.grant(friends(referrer="eve")) == given
    assert total(shop, "eve") == 0


def test_what_it_is_about_may_be_named(shop) -> None:
    shop.credit.grant(sorry(1, order="o-1"), reference="ticket 7")
    shop.credit.grant(sorry(2))
    found = [entry.context.reference for entry in shop.credit.journal("c-17", "USD")]
    assert found == ["ticket 7", "t-2"]


def test_the_messages_tell_what_is_left() -> None:
    ceiling = GrantCeilingReached("month", "holder", "c-17", usd("5.00"), usd("2.00"), 1)
    assert str(ceiling) == (
        "The ceiling 'month' of holder 'c-17' leaves no room for USD 5.00: USD 2.00 is left and 1 "
        "more gift is allowed in its period. Wait for the period to pass, or let the ceiling give "
        "up to what is left."
    )
    assert "0 more gifts are allowed" in str(
        GrantCeilingReached("month", "agent", "ann", usd("5.00"), None, 0)
    )
    assert str(TopUpRefused(usd("5.00"), "below_minimum", usd("10.00"), None)) == (
        "USD 5.00 cannot be topped up: it is below the minimum. Credit is sold from USD 10.00 up. "
        "Do not charge it; ask for another amount."
    )


def test_only_decisions_are_carried_out(shop) -> None:
    for verb in (shop.credit.grant, shop.credit.earn, shop.credit.top_up):
        with pytest.raises(InvalidTerms):
            verb({"lots": []})
    with pytest.raises(InvalidText):
        shop.credit.grant(sorry(), actor="")
    with pytest.raises(TypeError):
        shop.credit.grant(sorry(), who="ann")


# --- Ceilings -----------------------------------------------------------------------------


def month(**more: Any) -> list[GrantCeiling]:
    return [GrantCeiling(**{"id": "month", "period": Period(days=30), **more})]


def test_a_ceiling_refuses_and_leaves_no_trace(shop) -> None:
    ceilings = month(amount=usd("12.00"))
    for number in (1, 2):
        shop.credit.grant(sorry(number, ceilings=ceilings))
    with shop.refuses(GrantCeilingReached) as refused:
        shop.credit.grant(sorry(3, ceilings=ceilings))
    error = refused.error
    assert (error.ceiling, error.per, error.who) == ("month", "holder", "c-17")
    assert (error.asked, error.left, error.count) == (usd("5.00"), usd("2.00"), None)
    assert shop.credit.grant(sorry(3, amount="2.00", ceilings=ceilings)).lots[0].given == usd(
        "2.00"
    )
    # Somebody else's, and somebody else's policy, are counted apart.
    shop.credit.grant(sorry(4, holder="eve", ceilings=ceilings))
    shop.credit.grant(sorry(5, named=PolicyVersion("other", "1"), ceilings=ceilings))
    # What was given counts until the period has passed since.
    shop.clock.forward(days=29)
    with shop.refuses(GrantCeilingReached):
        shop.credit.grant(sorry(6, ceilings=ceilings))
    shop.clock.forward(days=1)
    shop.credit.grant(sorry(6, ceilings=ceilings))
    assert shop.credit.verify().ok


def test_a_ceiling_gives_up_to_what_is_left_and_records_what_it_withheld(shop) -> None:
    ceilings = month(amount=usd("7.00"), above="up_to")
    shop.credit.grant(sorry(1, ceilings=ceilings))
    (cut,) = shop.credit.grant(sorry(2, ceilings=ceilings)).lots
    assert (cut.given, cut.withheld, cut.ceiling) == (usd("2.00"), usd("3.00"), "month")
    (none,) = shop.credit.grant(sorry(3, ceilings=ceilings)).lots
    assert (none.given, none.withheld, none.ceiling) == (usd("0.00"), usd("5.00"), "month")
    assert (none.entry, none.lot) == (None, None)
    # What was withheld stays so: the occasion has had its answer.
    shop.clock.forward(days=40)
    assert shop.credit.grant(sorry(3, ceilings=ceilings)).lots == (none,)
    assert total(shop) == 700


def test_gifts_are_counted_too_whatever_their_unit(shop) -> None:
    ceilings = month(count=2, amount=Money.of("1.00", "EUR"))
    for number in (1, 2):
        shop.credit.grant(sorry(number, ceilings=ceilings))
    with shop.refuses(GrantCeilingReached) as refused:
        shop.credit.grant(sorry(3, ceilings=ceilings))
    assert (refused.error.left, refused.error.count) == (Money.of("1.00", "EUR"), 0)


def test_a_ceiling_per_agent_counts_all_holders_and_binds_only_who_is_named(shop) -> None:
    ceilings = month(per="agent", count=2)
    for number, holder in enumerate(["a", "b"]):
        shop.credit.grant(sorry(number, holder=holder, ceilings=ceilings), actor="ann")
    with shop.refuses(GrantCeilingReached) as refused:
        shop.credit.grant(sorry(3, holder="c", ceilings=ceilings), actor="ann")
    assert (refused.error.per, refused.error.who) == ("agent", "ann")
    shop.credit.grant(sorry(3, holder="c", ceilings=ceilings), actor="bob")
    shop.credit.grant(sorry(4, holder="c", ceilings=ceilings))


def test_the_two_gifts_of_a_referral_count_one_after_the_other(shop) -> None:
    ceilings = month(per="agent", amount=usd("12.00"), above="up_to")
    given = shop.credit.grant(friends(ceilings=ceilings), actor="ann")
    assert [lot.given for lot in given.lots] == [usd("5.00"), usd("7.00")]
    once = month(per="agent", count=1, above="up_to")
    given = shop.credit.grant(friends("new2", ceilings=once), actor="bob")
    assert [lot.given for lot in given.lots] == [usd("5.00"), usd("0.00")]


def test_of_several_ceilings_the_lowest_decides(shop) -> None:
    ceilings = [
        *month(amount=usd("4.00"), above="up_to"),
        GrantCeiling(id="day", period=Period(days=1), amount=usd("3.00"), above="up_to"),
    ]
    (lot,) = shop.credit.grant(sorry(1, ceilings=ceilings)).lots
    assert (lot.given, lot.ceiling) == (usd("3.00"), "day")
    shop.clock.forward(days=2)
    (lot,) = shop.credit.grant(sorry(2, ceilings=ceilings)).lots
    assert (lot.given, lot.ceiling) == (usd("1.00"), "month")


def test_a_holder_who_is_renamed_is_still_counted(shop) -> None:
    ceilings = month(count=1)
    shop.credit.grant(sorry(1, ceilings=ceilings))
    shop.credit.pseudonymise("c-17", "p-1")
    with shop.refuses(GrantCeilingReached):
        shop.credit.grant(sorry(2, holder="p-1", ceilings=ceilings))


def test_a_ceiling_of_the_merchants_withholds_too(make_shop) -> None:
    shop = make_shop(ceilings=[Ceiling(usd("3.00"), "up_to")])
    ceilings = month(amount=usd("5.00"))
    (lot,) = shop.credit.grant(sorry(ceilings=ceilings)).lots
    assert (lot.given, lot.withheld, lot.ceiling) == (usd("3.00"), usd("2.00"), None)
    with shop.refuses(CeilingReached):
        shop.credit.grant(sorry(2, "1.00", ceilings=ceilings))
    # Only what was given counts.
    shop.redeem("3.00")
    assert shop.credit.grant(sorry(3, "2.00", ceilings=ceilings)).lots[0].given == usd("2.00")
    with pytest.raises(GrantCeilingReached):
        shop.credit.grant(sorry(4, "0.01", ceilings=ceilings))


def test_two_at_once_never_exceed_a_ceiling_and_give_each_thing_once(shop) -> None:
    ceilings = month(amount=usd("12.00"))
    decisions = [sorry(number % 4, ceilings=ceilings) for number in range(8)]
    refused: list[BaseException] = []

    def give(decision: GrantDecision) -> None:
        try:
            shop.credit.grant(decision)
        except GrantCeilingReached as error:
            refused.append(error)

    threads = [threading.Thread(target=give, args=(decision,)) for decision in decisions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total(shop) == 1000
    assert refused


# --- Points -------------------------------------------------------------------------------


@pytest.fixture
def points_shop(make_shop: Any) -> Any:
    return make_shop(units=(PTS,))


def decided(
    *, order: str = "o-1", named: PolicyVersion = NAMED, each: int = 10, **terms: Any
) -> EarnDecision:
    rule = EarnRule(id="r", per=usd("10.00"), points=each, **terms)
    purchase = Purchase(
        order=order,
        holder="c-17",
        lines=[
            PurchaseLine(id="a", amount=usd("60.00")),
            PurchaseLine(id="b", amount=usd("40.00")),
        ],
        at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    return earn(EarningPolicy(rules=[rule]), purchase, named=named, units=[PTS])


def back(line: str, amount: str) -> Returned:
    return Returned(line=line, amount=usd(amount))


def test_an_order_earns_once_pending_as_the_rule_says(points_shop) -> None:
    shop = points_shop
    terms = {"pending": Period(days=30), "since": "purchase", "expires": Period(days=90)}
    earned = shop.credit.earn(decided(**terms))
    assert (earned.points, earned.removed, earned.short) == (pts(100), pts(0), pts(0))
    view = shop.credit.account("c-17", "PTS")
    assert (view.available, view.pending) == (pts(0), pts(100))
    (lot,) = view.lots
    assert (lot.id, lot.terms.funding) == (earned.lot, "earned")
    assert lot.terms.effective_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert lot.terms.expires_at == datetime(2026, 6, 30, tzinfo=UTC)
    for again in (decided(**terms), decided(named=LATER, each=20)):
        repeated = shop.credit.earn(again)
        assert (repeated, repeated.replayed) == (earned, True)
    assert shop.credit.earning("o-1") == earned
    assert next(iter(shop.credit.journal("c-17", "PTS"))).context.reference == "o-1"


def test_the_same_order_cannot_earn_on_another_purchase(points_shop) -> None:
    points_shop.credit.earn(decided())
    other = decided()
    changed = earn(
        EarningPolicy(rules=[other.rule]),
        other.purchase.less([back("a", "1.00")]),
        named=NAMED,
        units=[PTS],
    )
    with points_shop.refuses(KeyReused) as refused:
        points_shop.credit.earn(changed)
    assert (refused.error.key, refused.error.field) == ("o-1", "lines")


def test_an_order_that_earns_nothing_is_known_all_the_same(points_shop) -> None:
    shop = points_shop
    for order, terms in (("o-2", {"minimum_order": usd("500.00")}), ("o-3", {"channels": ["app"]})):
        nothing = shop.credit.earn(decided(order=order, **terms))
        assert (nothing.points, nothing.lot, nothing.removed, nothing.short) == (None,) * 4
        after = shop.credit.remove_earned(order, back("a", "5.00"), key="r")
        assert (after.removals[0].points, after.removals[0].entry) == (None, None)
        assert after.kept.line("a").amount == usd("55.00")
        assert shop.credit.earned(order, back("a", "5.00")) is None
    assert shop.credit.wallet("c-17").accounts == ()


def test_returns_take_points_back_until_what_is_kept_earns_what_is_left(points_shop) -> None:
    shop = points_shop
    shop.credit.earn(decided())
    first = shop.credit.remove_earned("o-1", back("a", "15.00"), key="r1", **WHO)
    assert first.removals[0].points == pts(20)
    (_, entry) = shop.credit.journal("c-17", "PTS")
    assert (entry.id, entry.kind) == (first.removals[0].entry, "revoke")
    assert (entry.context.actor, entry.context.reference) == ("ann", "o-1")
    second = shop.credit.remove_earned(
        "o-1", [back("a", "45.00"), back("b", "5.00")], key="r2", **WHO
    )
    assert second.removed == pts(70)
    assert shop.credit.account("c-17", "PTS").available == pts(30)
    # 35.00 is kept, and earns 30: nothing goes for 5.00 more, and nobody has to answer for it.
    third = shop.credit.remove_earned("o-1", back("b", "5.00"), key="r3")
    assert (third.removals[2].points, third.removed) == (None, pts(70))
    repeated = shop.credit.remove_earned("o-1", back("a", "15.00"), key="r1", **WHO)
    assert (repeated, repeated.replayed) == (third, True)
    with shop.refuses(KeyReused) as refused:
        shop.credit.remove_earned("o-1", back("a", "14.00"), key="r1", **WHO)
    assert refused.error.field == "returned"
    with shop.refuses(InvalidOrder):
        shop.credit.remove_earned("o-1", back("a", "0.01"), key="r4", **WHO)
    last = shop.credit.remove_earned("o-1", back("b", "30.00"), key="r5", **WHO)
    assert last.removed == pts(100)
    assert shop.credit.earning("o-1") == last
    assert shop.credit.verify().ok


def test_what_it_was_told_is_checked(points_shop) -> None:
    shop = points_shop
    with shop.refuses(UnknownGrant) as refused:
        shop.credit.remove_earned("o-1", back("a", "1.00"), key="r", **WHO)
    assert (refused.error.kind, refused.error.name) == ("earning", "o-1")
    with pytest.raises(UnknownGrant):
        shop.credit.earning("o-1")
    shop.credit.earn(decided())
    with shop.refuses(ReasonAndActorRequired):
        shop.credit.remove_earned("o-1", back("a", "60.00"), key="r")
    for key in ("", "~r", "r" * 161):
        with shop.refuses(InvalidKey):
            shop.credit.remove_earned("o-1", back("a", "1.00"), key=key, **WHO)
    with shop.refuses(InvalidTerms):
        shop.credit.remove_earned("o-1", "a", key="r", **WHO)
    with shop.refuses(InvalidText):
        shop.credit.remove_earned("", back("a", "1.00"), key="r", **WHO)


def spent(shop: Any, points: int) -> None:
    shop.credit.redeem("c-17", pts(points), key=shop.key())


def test_spent_points_are_missing_on_record_and_each_is_claimed_once(points_shop) -> None:
    shop = points_shop
    shop.credit.earn(decided())
    spent(shop, 70)
    first = shop.credit.remove_earned("o-1", back("a", "40.00"), key="r1", **WHO)
    assert (first.removals[0].points, first.short) == (pts(40), pts(10))
    assert shop.credit.account("c-17", "PTS").available == pts(0)
    second = shop.credit.remove_earned("o-1", back("a", "20.00"), key="r2", **WHO)
    assert (second.removed, second.short) == (pts(60), pts(30))


def test_spent_points_may_become_a_debt_return_after_return(points_shop) -> None:
    shop = points_shop
    shop.credit.set_limit("c-17", PTS, pts(1000), key="limit")
    shop.credit.earn(decided(shortfall="owe"))
    spent(shop, 90)
    for number in range(4):
        shop.credit.remove_earned("o-1", back("a", "10.00"), key=f"r{number}", **WHO)
    view = shop.credit.account("c-17", "PTS")
    assert (view.available, view.owed) == (pts(0), pts(30))
    # New points settle it first (A9).
    shop.credit.earn(decided(order="o-2"))
    assert shop.credit.account("c-17", "PTS").available == pts(70)


def test_a_debt_needs_an_account_that_may_owe(points_shop) -> None:
    shop = points_shop
    shop.credit.earn(decided(shortfall="owe"))
    spent(shop, 90)
    found = shop.credit.remove_earned("o-1", back("a", "60.00"), key="r", **WHO)
    assert (found.short, shop.credit.account("c-17", "PTS").owed) == (pts(50), pts(0))


def test_or_the_return_is_refused_as_long_as_they_are_missing(points_shop) -> None:
    shop = points_shop
    shop.credit.earn(decided(shortfall="all_or_nothing"))
    spent(shop, 50)
    with shop.refuses(LotExhausted) as refused:
        shop.credit.remove_earned("o-1", back("a", "60.00"), key="r", **WHO)
    assert (refused.error.wanted, refused.error.reachable) == (pts(60), pts(50))
    assert shop.credit.earning("o-1").removals == ()
    shop.credit.remove_earned("o-1", back("a", "50.00"), key="r", **WHO)


def test_points_that_have_expired_are_gone_and_not_missing(points_shop) -> None:
    shop = points_shop
    shop.credit.earn(decided(expires=Period(days=10)))
    spent(shop, 30)
    shop.clock.forward(days=10)
    found = shop.credit.remove_earned("o-1", back("a", "60.00"), key="r", **WHO)
    assert (found.removed, found.short) == (pts(60), pts(30))
    # For the planner, too: of the 40 that are left to go, none is there, and none is missing.
    going = shop.credit.earned("o-1", back("b", "40.00"))
    assert (going.lines, going.reachable) == ((LineAmount("b", pts(40)),), pts(40))


def test_points_that_are_held_wait_for_their_hold(points_shop) -> None:
    shop = points_shop
    shop.credit.earn(decided())
    hold = shop.credit.hold("c-17", pts(10), key="h").hold_id
    with shop.refuses(LotHeld):
        shop.credit.remove_earned("o-1", back("a", "60.00"), key="r", **WHO)
    shop.credit.release(hold, key="x")
    shop.credit.remove_earned("o-1", back("a", "60.00"), key="r", **WHO)


def test_points_that_came_back_are_taken_wherever_they_are(points_shop) -> None:
    shop = points_shop
    shop.credit.earn(decided())
    receipt = shop.credit.redeem("c-17", pts(70), key="spent")
    shop.credit.remove_earned("o-1", back("a", "40.00"), key="r1", **WHO)
    # The lot is revoked, so they come back into another.
    shop.credit.restore(receipt.entry_id, key="restored")
    assert shop.credit.account("c-17", "PTS").available == pts(70)
    found = shop.credit.remove_earned("o-1", back("a", "20.00"), key="r2", **WHO)
    assert (found.removals[1].points, found.removals[1].short) == (pts(20), pts(0))
    assert shop.credit.account("c-17", "PTS").available == pts(50)


def test_points_are_followed_to_whom_the_holder_was_merged_into(points_shop) -> None:
    shop = points_shop
    earned = shop.credit.earn(decided())
    spent(shop, 70)
    shop.credit.merge("c-17", "eve", key="m1")
    assert shop.credit.earned("o-1", [back("a", "60.00")]).reachable == pts(30)
    assert shop.credit.earn(decided()) == earned
    first = shop.credit.remove_earned("o-1", back("a", "20.00"), key="r1", **WHO)
    assert (first.removals[0].points, first.short) == (pts(20), pts(0))
    assert shop.credit.account("eve", "PTS").available == pts(10)
    shop.credit.merge("eve", "fay", key="m2")
    shop.credit.issue("fay", pts(500), funding="promotional", key="others")
    second = shop.credit.remove_earned("o-1", back("a", "40.00"), key="r2", **WHO)
    assert (second.removals[1].points, second.short) == (pts(40), pts(30))
    assert shop.credit.account("fay", "PTS").available == pts(500)
    # Nothing is left of them, and what is spent is missing.
    third = shop.credit.remove_earned("o-1", back("b", "40.00"), key="r3", **WHO)
    assert (third.removals[2].points, third.removals[2].short) == (pts(40), pts(40))
    assert third.removed == pts(100)


def test_points_that_expired_as_a_whole_leave_nothing_to_record(points_shop) -> None:
    shop = points_shop
    shop.credit.earn(decided(expires=Period(days=10)))
    shop.clock.forward(days=10)
    shop.credit.expire_due()
    found = shop.credit.remove_earned("o-1", back("a", "60.00"), key="r", **WHO)
    (removal,) = found.removals
    assert (removal.points, removal.short, removal.entry) == (pts(60), pts(0), None)
    assert shop.credit.remove_earned("o-1", back("a", "60.00"), key="r", **WHO).replayed


class Stale:
    """A storage that does not find the record of an order when it is first asked for."""

    def __init__(self, storage: Any) -> None:
        self.storage, self.asked = storage, 0

    def snapshot(self) -> Any:
        return self.storage.snapshot()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.storage.transaction() as tx:
            yield StaleWork(tx, self)


class StaleWork:
    def __init__(self, tx: Any, stale: Stale) -> None:
        self.tx, self.stale = tx, stale

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tx, name)

    def record(self, merchant: str, kind: str, name: str) -> Any:
        self.stale.asked += 1
        return None if self.stale.asked == 1 else self.tx.record(merchant, kind, name)


@pytest.mark.parametrize("each", [10, 20])
def test_whoever_read_before_somebody_else_wrote_reads_again(points_shop, each) -> None:
    shop = points_shop
    first = shop.credit.earn(decided())
    stale = Stale(shop.storage)
    late = StoreCredit(stale, shop.credit.merchant, clock=shop.clock, sleep=lambda _: None)
    repeated = late.earn(decided(named=LATER, each=each))
    assert (repeated, repeated.replayed) == (first, True)
    assert stale.asked >= 2


def test_records_are_data(points_shop) -> None:
    shop = points_shop
    shop.credit.earn(decided())
    earned = shop.credit.remove_earned("o-1", back("a", "15.00"), key="r1", **WHO)
    assert Earning.from_json(earned.to_json()) == earned
    granted = shop.credit.grant(sorry(gift={"expires": Period(days=30)}))
    assert Granted.from_json(granted.to_json()) == granted
