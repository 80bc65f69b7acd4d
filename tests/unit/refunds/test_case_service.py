"""Refund cases at the service: everything is given once, with the record, or nothing (P2, P5)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest
from returns_desk import CASE_KINDS, KEYS, Returns, a_policy, back, eur, points, sold

from storecredit.errors import (
    AccountFrozen,
    CaseNeedsHolder,
    CaseStepRefused,
    CaseStepRepeated,
    CeilingReached,
    FutureInstant,
    InvalidReturn,
    InvalidTerms,
    InvalidText,
    LotExhausted,
    NotARedemption,
    PaymentStepRepeated,
    PiecesTaken,
    ReasonAndActorRequired,
    RestoreExceedsRedemption,
    UnknownCase,
    UnknownEntry,
)
from storecredit.ledger import Above, Ceiling
from storecredit.policies import Bonus, CreditTerms, Limit, RefundRule
from storecredit.refunds import CaseState
from storecredit.service import About, RefundCase
from storecredit.storage import MemoryStorage
from storecredit.testing.contract.scene import NOON
from storecredit.values import Balance, Period

BONUS = RefundRule(
    id="bonus",
    offer=("credit", "money"),
    bonus=Bonus(percent=10),
    credit=CreditTerms(expires=Period(months=24), bonus_expires=Period(months=6)),
)
NOW = RefundRule(id="now", offer=("credit",), bonus=Bonus(percent=10), instant=True)
WHY: About = {"actor": "bo", "reason": "goods not as sold"}


# --- Completing ---------------------------------------------------------------------------


def test_p2_refunded_part_and_bonus_are_lots_whose_life_counts_from_completion(
    returns: Returns,
) -> None:
    case = returns.inspected(policy=a_policy((BONUS,)))
    assert returns.has() == eur("0.00")
    returns.clock.advance(dt.timedelta(days=10))
    case.complete(key="done")
    assert returns.lots() == [("refund", "30.00"), ("promotional", "3.00")]
    lots = returns.shop.whole("c-17", unit="EUR").lots.values()
    begun = NOON + dt.timedelta(days=10)
    assert [lot.terms.expires_at for lot in lots] == [
        Period(months=24).after(begun),
        Period(months=6).after(begun),
    ]
    assert [each.lot for each in case.given] == [lot.id for lot in lots]
    assert returns.credit.verify().ok


def test_a12_completing_again_changes_nothing_and_another_time_is_refused(
    returns: Returns,
) -> None:
    case = returns.completed()
    before = returns.kept()
    again = returns.credit.refund_case("r-1")
    again.complete(key="done", actor="bo", reason="as the rules say")
    assert (again.record, again.code) == (case.record, None)
    with pytest.raises(CaseStepRefused) as refused:
        again.complete(key="done once more")
    assert refused.value.allowed == ()
    with pytest.raises(CaseStepRefused):
        again.cancel(key="off")
    with pytest.raises(CaseStepRefused):
        again.reopen(key="again")
    assert returns.kept() == before


def test_p5_a_part_is_accepted_and_only_that_is_given(returns: Returns) -> None:
    lines = (back("1", "30.00", pieces=3), back("2", "9.99"))
    case = returns.completed(*lines, policy=a_policy((BONUS,)), accepted={"1": 2, "2": 0})
    # 3.99 on both lines, of which the first has 2.99; two thirds of that, rounded down.
    assert returns.lots() == [("refund", "20.00"), ("promotional", "1.99")]
    assert case.record.final.offer.credit == eur("20.00")


def test_external_money_is_asked_for_once_with_a_key_that_stays(returns: Returns) -> None:
    case = returns.completed(kind="money")
    (due,) = case.refunds_due
    assert (due.tender, due.amount, due.key, due.refund) == (
        "external",
        eur("30.00"),
        "case/r-1/external/EUR",
        "case/r-1",
    )
    case.settle_refund(due.key, "failed")
    case.settle_refund(due.key, "failed")
    with pytest.raises(CaseStepRepeated):
        case.settle_refund(due.key, "confirmed")
    with pytest.raises(InvalidTerms):
        case.settle_refund(due.key, "perhaps")
    assert case.refunds_due == ()
    case.redirect(due.key, key="turn", consent=True, expires=Period(years=1), reference="ticket 9")
    case.redirect(due.key, key="turn", consent=True, expires=Period(years=1))
    assert returns.lots() == [("refund", "30.00")]
    (entry,) = returns.credit.journal("c-17", "EUR")
    assert entry.context.reference == "ticket 9"


def test_what_the_payment_was_told_first_counts(returns: Returns) -> None:
    returns.paid(sold("1", "20.00"))
    case = returns.completed(*returns.lines({"1": 1}), kind="money")
    (due,) = case.refunds_due
    returns.credit.checkout("o-1").settle_refund("case/r-1", "card", "confirmed")
    with pytest.raises(PaymentStepRepeated):
        case.settle_refund(due.key, "failed")
    assert case.reload().refunds_due == (due,)
    case.settle_refund(due.key, "confirmed")
    assert case.refunds_due == ()


def test_a10_the_entries_say_who_why_and_for_which_case(returns: Returns) -> None:
    returns.completed()
    (entry,) = returns.credit.journal("c-17", "EUR")
    context = entry.context
    assert (context.actor, context.reason, context.reference) == ("bo", "as the rules say", "r-1")
    assert entry.key.startswith("~case:")


def test_a_refusal_of_the_ledger_leaves_no_trace(returns: Returns) -> None:
    returns.credit.issue("c-17", eur("1.00"), funding="goodwill", key="g")
    case = returns.inspected()
    returns.credit.freeze("c-17", "EUR", key="ice", actor="bo", reason="fraud?")
    before = returns.kept()
    with pytest.raises(AccountFrozen):
        case.complete(key="done")
    assert returns.kept() == before
    assert case.reload().state is CaseState.INSPECTED


def test_a11_what_a_ceiling_withholds_is_on_record() -> None:
    storage = MemoryStorage()
    ceiling = Ceiling(eur("25.00"), above=Above.UP_TO)
    returns = Returns(storage, ceilings=(ceiling,))
    case = returns.completed()
    assert returns.has() == eur("25.00")
    assert case.given[0].withheld == eur("5.00")
    assert case.given[0].standing == eur("25.00")
    other = returns.decided(id="r-2", order=None)
    again = returns.credit.request_refund(other, key="ask")
    for step in (again.approve, again.receive, again.inspect):
        step(key=step.__name__)
    with pytest.raises(CeilingReached):
        again.complete(key="done")
    storage.close()


# --- What credit had paid, without a checkout ---------------------------------------------


def spent(returns: Returns) -> tuple[str, str]:
    """Let c-17 spend 12.00 euros and 30 points; return the two entries."""
    credit = returns.credit
    credit.issue("c-17", eur("12.00"), funding="promotional", key="e")
    credit.issue("c-17", points(50), funding="earned", key="p")
    euros = credit.redeem("c-17", eur("12.00"), key="buy")
    some = credit.redeem("c-17", points(30), key="buy too")
    return euros.entry_id, some.entry_id


def test_a7_what_credit_paid_goes_back_to_the_lots_that_paid(returns: Returns) -> None:
    euros, some = spent(returns)
    lines = (
        back("1", "30.00", pieces=3, restored=(eur("6.00"), points(30))),
        back("2", "4.00", restored=(eur("5.00"),)),
    )
    case = returns.completed(
        *lines, accepted={"1": 2, "2": 1}, redemptions={"1": [euros, some], "2": euros}
    )
    # 4.00 of line 1 and 5.00 of line 2, in one entry; 20 of the points.
    assert returns.lots() == [("promotional", "9.00"), ("refund", "24.00")]
    assert returns.has(unit="PTS") == points(40)
    restores = [e for e in returns.credit.journal("c-17", "EUR") if e.kind == "restore"]
    assert len(restores) == 1
    assert case.record.final.restored == Balance.of(eur("9.00"), points(20))


@pytest.mark.parametrize(
    ("redemptions", "error", "said"),
    [
        (None, InvalidReturn, r"redemptions of 1 is None; it has to be the entry that redeemed"),
        ({"1": "points"}, InvalidReturn, "the entry that redeemed EUR 6.00"),
        ({"1": "nothing"}, UnknownEntry, "nothing"),
        ({"1": "foreign"}, UnknownEntry, "0000"),
        ({"1": ["euros", "euros"]}, InvalidReturn, "one entry of EUR for each line"),
        ({"9": "euros"}, InvalidReturn, "one of 1"),
        (["euros"], InvalidReturn, "entries by line"),
    ],
)
def test_redemptions_that_cannot_be_are_refused_when_it_is_requested(
    returns: Returns, redemptions: Any, error: type[Exception], said: str
) -> None:
    euros, some = spent(returns)
    names = {"euros": euros, "points": some, "foreign": f"{'0' * 32}.EUR.{'0' * 32}"}

    def named(value: Any) -> Any:
        return [names[e] for e in value] if isinstance(value, list) else names.get(value, value)

    given = redemptions
    if isinstance(redemptions, dict):
        given = {line: named(value) for line, value in redemptions.items()}
    with pytest.raises(error, match=said):
        returns.requested(back("1", "30.00", restored=(eur("6.00"),)), redemptions=given)
    assert list(returns.credit.refund_cases()) == []


@pytest.mark.parametrize(
    ("amount", "named", "error"),
    [
        ("12.01", "euros", RestoreExceedsRedemption),
        ("1.00", "issued", NotARedemption),
        ("1.00", "hold", NotARedemption),
    ],
)
def test_a7_what_could_not_be_completed_is_refused_when_it_is_requested(
    returns: Returns, amount: str, named: str, error: type[Exception]
) -> None:
    euros, _ = spent(returns)
    issued = returns.credit.issue("c-17", eur("3.00"), funding="refund", key="more")
    hold = returns.credit.hold("c-17", eur("3.00"), key="held", lapses=Period(days=1))
    names = {"euros": euros, "issued": issued.entry_id, "hold": hold.entry_id}
    line = back("1", "1.00", restored=(eur(amount),))
    with pytest.raises(error):
        returns.requested(line, redemptions={"1": names[named]})
    assert list(returns.credit.refund_cases()) == []


def test_a7_lines_and_earlier_restores_of_one_redemption_count_together(returns: Returns) -> None:
    euros, _ = spent(returns)
    returns.credit.restore(euros, amount=eur("2.00"), key="by hand")
    lines = back("1", "1.00", restored=(eur("6.00"),)), back("2", "1.00", restored=(eur("4.01"),))
    with pytest.raises(RestoreExceedsRedemption) as refused:
        returns.requested(*lines, redemptions={"1": euros, "2": euros})
    assert (refused.value.wanted, refused.value.restored) == (eur("10.01"), eur("2.00"))
    fits = back("1", "1.00", restored=(eur("6.00"),)), back("2", "1.00", restored=(eur("4.00"),))
    returns.completed(*fits, redemptions={"1": euros, "2": euros})


def test_a17_what_was_restored_before_a_merger_counts(returns: Returns) -> None:
    euros, _ = spent(returns)
    returns.credit.restore(euros, amount=eur("2.00"), key="by hand")
    returns.credit.merge("c-17", "c-18", key="one person", actor="ann", reason="one person")
    with pytest.raises(RestoreExceedsRedemption):
        returns.requested(back("1", "1.00", restored=(eur("10.01"),)), redemptions={"1": euros})


def test_what_was_restored_after_the_request_is_not_restored_again(returns: Returns) -> None:
    euros, _ = spent(returns)
    case = returns.inspected(back("1", "1.00", restored=(eur("12.00"),)), redemptions={"1": euros})
    returns.credit.restore(euros, amount=eur("0.01"), key="by hand")
    with pytest.raises(RestoreExceedsRedemption):
        case.complete(key="done")
    assert case.reload().state is CaseState.INSPECTED
    case.deny(key="no", actor="bo", reason="restored by hand")
    with pytest.raises(RestoreExceedsRedemption):
        case.reopen(key="again")


def test_where_a_checkout_paid_nobody_names_redemptions(returns: Returns) -> None:
    euros, _ = spent(returns)
    returns.paid(sold("1", "20.00"))
    with pytest.raises(InvalidReturn, match="the checkout of order o-1 knows them"):
        returns.requested(*returns.lines({"1": 1}), redemptions={"1": euros})


def test_a7_value_of_an_expired_lot_goes_where_the_rule_says(returns: Returns) -> None:
    credit = returns.credit
    credit.issue("c-17", eur("5.00"), funding="promotional", expires=Period(days=1), key="e")
    entry = credit.redeem("c-17", eur("5.00"), key="buy").entry_id
    case = returns.inspected(
        back("1", "1.00", restored=(eur("5.00"),)), kind="money", redemptions={"1": entry}
    )
    returns.clock.advance(dt.timedelta(days=2))
    case.complete(key="done", expired="expire")
    assert returns.has() == eur("0.00")


# --- Requesting ---------------------------------------------------------------------------


def test_p5_a_request_is_one_case_whoever_repeats_it(returns: Returns) -> None:
    decision = returns.decided()
    first = returns.credit.request_refund(decision, key="ask", actor="c-17")
    again = returns.credit.request_refund(decision, key="ask", actor="c-17")
    assert again.record == first.record
    assert repr(again) == "RefundCase('r-1', requested)"
    with pytest.raises(CaseStepRepeated):
        returns.credit.request_refund(decision, key="ask too")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"merchant": "bakery"}, InvalidReturn),
        ({"id": "r" * 121}, InvalidText),
    ],
)
def test_requests_that_cannot_be(
    returns: Returns, wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        returns.requested(**wrong)


def test_more_requests_that_cannot_be(returns: Returns) -> None:
    credit: Any = returns.credit
    with pytest.raises(InvalidReturn, match="a RefundDecision"):
        credit.request_refund("refund me", key="ask")
    with pytest.raises(InvalidTerms):
        returns.requested(bought={"1": -1})
    with pytest.raises(InvalidReturn):
        returns.requested(bought={"2": 1})
    with pytest.raises(FutureInstant):
        credit.request_refund(returns.decided(), key="ask", at=NOON + dt.timedelta(minutes=6))
    with pytest.raises(UnknownCase):
        credit.refund_case("r-1")
    assert credit.find_refund_case("r-1") is None
    with pytest.raises(TypeError):
        credit.request_refund(returns.decided(), key="ask", colour="red")


def test_p5_pieces_are_refunded_by_one_case_and_free_when_it_ends(returns: Returns) -> None:
    first = returns.requested(back("1", "30.00", pieces=2), bought={"1": 3})
    other = returns.decided(back("1", "30.00", pieces=2), id="r-2")
    with pytest.raises(PiecesTaken) as refused:
        returns.credit.request_refund(other, key="ask")
    assert refused.value.left == 1
    first.deny(key="no")
    second = returns.credit.request_refund(other, key="ask")
    with pytest.raises(PiecesTaken):
        first.reopen(key="again")
    second.cancel(key="off")
    first.reopen(key="again")
    assert first.state is CaseState.REOPENED


def test_a_return_without_an_order_takes_no_pieces(returns: Returns) -> None:
    returns.completed(order=None)
    other = returns.credit.request_refund(returns.decided(order=None, id="r-2"), key="ask")
    other.deny(key="no")
    other.reopen(key="again")
    assert returns.has() == eur("30.00")


def test_cases_are_listed_by_state_order_and_holder(returns: Returns) -> None:
    for number in range(205):
        holder = "c-18" if number % 3 else None
        decision = returns.decided(id=f"r-{number:03}", order=f"o-{number % 2}", holder=holder)
        decision = attrs.evolve(decision)
        try:
            returns.credit.request_refund(decision, key="ask")
        except PiecesTaken:
            returns.credit.request_refund(
                attrs.evolve(decision, request=attrs.evolve(decision.request, order=None)),
                key="ask",
            )
    credit = returns.credit
    credit.refund_case("r-004").approve(key="yes")

    def ids(**named: Any) -> list[str]:
        return [case.id for case in credit.refund_cases(**named)]

    assert len(ids()) == 205
    assert ids(state="approved") == ["r-004"]
    assert ids(order="o-1") == ["r-001"]
    assert ids(order="o-1", holder="c-18", state="requested") == ["r-001"]
    assert len(ids(holder="c-18")) == 136
    with pytest.raises(InvalidTerms):
        ids(state="lost")
    assert isinstance(credit.find_refund_case("r-004"), RefundCase)


# --- Credit before the goods are back -----------------------------------------------------


def given_at_once(returns: Returns) -> RefundCase:
    case = returns.requested(back("1", "30.00", pieces=3), policy=a_policy((NOW,)))
    case.approve(key="yes", arrive_by=Period(days=14))
    return case


def test_p5_instant_credit_is_given_when_it_is_approved_and_not_again(returns: Returns) -> None:
    case = given_at_once(returns)
    assert returns.lots() == [("refund", "30.00"), ("promotional", "3.00")]
    assert case.record.arrive_by == NOON + dt.timedelta(days=14)
    case.approve(key="yes too")
    case.receive(key="here")
    case.inspect(key="seen")
    case.complete(key="done")
    assert returns.lots() == [("refund", "30.00"), ("promotional", "3.00")]
    assert len(list(returns.credit.journal("c-17", "EUR"))) == 2


def test_a8_what_is_not_accepted_is_taken_back(returns: Returns) -> None:
    case = given_at_once(returns)
    case.receive(key="here")
    case.inspect(key="seen", accepted={"1": 1})
    with pytest.raises(ReasonAndActorRequired):
        case.complete(key="done")
    case.complete(key="done", **WHY)
    assert returns.lots() == [("refund", "10.00"), ("promotional", "1.00")]
    assert [(each.taken, each.short) for each in case.given] == [
        (eur("20.00"), None),
        (eur("2.00"), None),
    ]


def test_a8_goods_that_never_come_take_the_credit_back_and_leave_the_shortfall(
    returns: Returns,
) -> None:
    case = given_at_once(returns)
    returns.credit.redeem("c-17", eur("25.00"), key="buy")
    returns.clock.advance(dt.timedelta(days=14))
    case.await_return(key="wait")
    with pytest.raises(LotExhausted):
        case.goods_missing(key="gone", shortfall="all_or_nothing", **WHY)
    case.goods_missing(key="gone", **WHY)
    case.goods_missing(key="gone", **WHY)
    assert case.state is CaseState.DENIED
    assert returns.has() == eur("0.00")
    # The bonus goes first: 3.00 of it and 22.00 of the refund are spent.
    assert [(each.taken, each.short) for each in case.given] == [
        (eur("8.00"), eur("22.00")),
        (None, eur("3.00")),
    ]
    assert [str(each.standing.decimal) for each in case.given] == ["22.00", "3.00"]


def test_a8_the_shortfall_is_owed_where_the_account_permits_it(returns: Returns) -> None:
    case = given_at_once(returns)
    credit = returns.credit
    credit.set_limit("c-17", "EUR", limit=eur("50.00"), key="limit", **WHY)
    credit.redeem("c-17", eur("33.00"), key="buy")
    case.deny(key="no", shortfall="owe", **WHY)
    assert credit.account("c-17", "EUR").owed == eur("33.00")
    assert [str(each.standing.decimal) for each in case.given] == ["0.00", "0.00"]
    # Looked at again, it is given again, and pays what is owed.
    case.reopen(key="again")
    case.approve(key="yes again")
    assert credit.account("c-17", "EUR").owed == eur("0.00")
    case.cancel(key="off", **WHY)
    assert credit.verify().ok


def test_p5_what_could_not_be_taken_back_is_not_given_again(returns: Returns) -> None:
    case = given_at_once(returns)
    returns.credit.redeem("c-17", eur("33.00"), key="buy")
    case.deny(key="no", **WHY)
    case.reopen(key="again")
    case.approve(key="yes again")
    assert returns.has() == eur("0.00")
    case.receive(key="here")
    case.inspect(key="seen")
    case.complete(key="done")
    assert returns.has() == eur("0.00")
    assert returns.credit.verify().ok


def test_what_was_taken_back_is_given_again_when_the_goods_come_after_all(
    returns: Returns,
) -> None:
    case = given_at_once(returns)
    case.cancel(key="off", **WHY)
    assert returns.has() == eur("0.00")
    case.reopen(key="again")
    case.approve(key="yes again")
    assert returns.has() == eur("33.00")
    case.receive(key="here")
    case.inspect(key="seen", accepted={"1": 2})
    case.complete(key="done", **WHY)
    assert returns.has() == eur("22.00")


# --- Guests -------------------------------------------------------------------------------


def test_a15_a_guest_gets_one_code_for_everything_and_sees_it_once(with_codes: Returns) -> None:
    returns = with_codes
    case = returns.completed(holder=None, policy=a_policy((BONUS,)))
    issued = case.code
    assert issued is not None
    assert issued.worth == eur("33.00")
    assert returns.lots(holder=issued.claim.holder) == [
        ("refund", "30.00"),
        ("promotional", "3.00"),
    ]
    again = returns.credit.refund_case("r-1")
    again.complete(key="done", actor="bo", reason="as the rules say")
    assert again.code is None
    returns.credit.claim(str(issued.code), "c-18", key="mine", caller="somebody")
    assert returns.has(holder="c-18") == eur("33.00")
    assert str(issued.code) not in returns.kept()
    assert KEYS.current == "k1"


def test_a15_without_keys_a_guest_has_to_register(returns: Returns) -> None:
    case = returns.inspected(holder=None)
    with pytest.raises(CaseNeedsHolder):
        case.complete(key="done")
    case.complete(key="done", holder="c-18")
    assert returns.has(holder="c-18") == eur("30.00")
    assert [each.id for each in returns.credit.refund_cases(holder="c-18")] == ["r-1"]


def test_a_guest_gets_nothing_before_the_goods_are_back(with_codes: Returns) -> None:
    case = with_codes.requested(holder=None, policy=a_policy((NOW,)))
    case.approve(key="yes")
    assert (case.given, case.code) == ((), None)


def test_a_guest_whose_card_is_closed_gets_a_code(with_codes: Returns) -> None:
    case = with_codes.completed(holder=None, kind="money")
    (due,) = case.refunds_due
    case.settle_refund(due.key, "failed")
    case.redirect(due.key, key="turn", consent=True)
    issued = case.code
    assert issued is not None
    assert issued.worth == eur("30.00")


# --- Holders who were merged, and others who were faster ----------------------------------


def test_a17_credit_that_moved_with_its_holder_is_taken_back_there(returns: Returns) -> None:
    case = given_at_once(returns)
    returns.credit.redeem("c-17", eur("3.00"), key="buy")
    returns.credit.merge("c-17", "c-18", key="merge", **WHY)
    returns.credit.merge("c-18", "c-19", key="merge", **WHY)
    with pytest.raises(LotExhausted):
        case.deny(key="no", shortfall="all_or_nothing", **WHY)
    case.deny(key="no", **WHY)
    assert returns.has(holder="c-19") == eur("0.00")
    # The bonus was spent before the merger: nothing of it moved.
    assert [(each.taken, each.short) for each in case.given] == [
        (eur("30.00"), None),
        (None, eur("3.00")),
    ]
    assert returns.credit.verify().ok


def test_what_was_missed_once_is_not_missed_again(returns: Returns) -> None:
    case = given_at_once(returns)
    returns.credit.redeem("c-17", eur("33.00"), key="buy")
    for key in ("one", "two"):
        case.deny(key=f"no {key}", **WHY)
        case.reopen(key=f"again {key}")
        case.approve(key=f"yes {key}")
    assert [each.short for each in case.given] == [eur("30.00"), eur("3.00")]
    assert returns.has() == eur("0.00")


# --- Pseudonyms ---------------------------------------------------------------------------


def test_a18_a_case_follows_its_holder_to_a_pseudonym(returns: Returns) -> None:
    cap = Limit(id="cap", per="holder", amount=eur("500.00"))
    agents = Limit(id="day", per="agent", count=9)
    policy = a_policy(limits=(cap, agents))
    returns.completed(id="r-0", order=None, policy=policy)
    case = returns.inspected(policy=policy, actor="c-17", buyer="c-17")
    returns.credit.pseudonymise("c-17", "p-1")
    case.complete(key="done")
    assert returns.has(holder="p-1") == eur("60.00")
    assert returns.has() == eur("0.00")
    assert "c-17" not in returns.shop.kept(holders=("p-1",), kinds=CASE_KINDS)
    assert [each.id for each in returns.credit.refund_cases(holder="p-1")] == ["r-0", "r-1"]
    (tally,) = returns.credit.tallies(policy, holder="p-1")
    assert (tally.amount, tally.count) == (eur("60.00"), 2)
    assert returns.credit.tallies(policy, holder="c-17")[0].count == 0
    returns.credit.pseudonymise("p-1", "p-1")
    assert returns.credit.tallies(policy, holder="p-1")[0].count == 2


def test_a18_somebody_who_only_asked_for_a_refund_may_have_a_pseudonym(returns: Returns) -> None:
    returns.requested(holder=None, order=None, id="r-9")
    for number in range(201):
        returns.credit.request_refund(
            returns.decided(id=f"r-{number:03}", order=None), key="ask", actor="ann"
        )
    returns.credit.pseudonymise("c-17", "p-1")
    assert len(list(returns.credit.refund_cases(holder="p-1"))) == 201
    assert list(returns.credit.refund_cases(holder="c-17")) == []
    with pytest.raises(InvalidTerms):
        returns.credit.pseudonymise("nobody", "p-2")


def test_a18_a_guest_who_registered_is_renamed_too(returns: Returns) -> None:
    returns.inspected(holder=None).complete(key="done", holder="c-20")
    returns.credit.pseudonymise("c-20", "p-3")
    assert returns.credit.refund_case("r-1").record.credit_holder == "p-3"


@pytest.mark.parametrize("is_merged", [False, True])
def test_a8_a_shortfall_is_claimed_once_wherever_the_value_went(
    returns: Returns, is_merged: bool
) -> None:
    """What was revoked of a lot that a merger made is not spent, and is claimed no second time."""
    credit = returns.credit
    case = given_at_once(returns)
    holder = "c-18" if is_merged else "c-17"
    credit.issue(holder, eur("1.00"), funding="goodwill", key="open")
    credit.set_limit(holder, "EUR", eur("99.00"), key="limit", **WHY)
    if is_merged:
        credit.merge("c-17", "c-18", key="merge", **WHY)
    credit.redeem(holder, eur("13.00"), key="buy", lot=case_lot(returns, holder))
    for key in ("one", "two"):
        case.deny(key=f"no {key}", shortfall="owe", **WHY)
        case.reopen(key=f"again {key}")
        if key == "one":
            assert credit.account(holder, "EUR").owed == eur("13.00")
            credit.settle(holder, eur("13.00"), key="paid")
    assert credit.account(holder, "EUR").owed == eur("0.00")
    assert [str(each.standing.decimal) for each in case.given] == ["0.00", "0.00"]


def case_lot(returns: Returns, holder: str) -> Any:
    lots = returns.shop.whole(holder, unit="EUR").lots.values()
    return next(lot.id for lot in lots if lot.terms.funding == "refund" and lot.remaining)


@pytest.mark.parametrize("is_merged", [False, True])
def test_a8_what_has_expired_is_no_shortfall_wherever_it_was(
    returns: Returns, is_merged: bool
) -> None:
    short = RefundRule(
        id="now", offer=("credit",), instant=True, credit=CreditTerms(expires=Period(days=3))
    )
    case = returns.requested(policy=a_policy((short,)))
    case.approve(key="yes")
    returns.credit.redeem("c-17", eur("4.00"), key="buy")
    if is_merged:
        returns.credit.merge("c-17", "c-18", key="merge", **WHY)
        returns.credit.merge("c-18", "c-19", key="merge", **WHY)
    returns.clock.advance(dt.timedelta(days=4))
    returns.credit.expire_due()
    case.deny(key="no", **WHY)
    (given,) = case.given
    assert (given.taken, given.short) == (None, eur("4.00"))
