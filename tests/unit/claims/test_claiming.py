"""Codes that are opened and claimed: everything moves, once, and what comes back follows (A15)."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

import pytest

from storecredit.claims import ClaimKeys, Throttle, make_code
from storecredit.errors import (
    ClaimFailed,
    CodeClaimed,
    CodeMistyped,
    CodeStepRefused,
    FutureInstant,
    InvalidKey,
    InvalidText,
    KeyReused,
    LotHeld,
    NaiveInstant,
    PlanOutdated,
    ReasonAndActorRequired,
    UnitRedefined,
    UnknownCode,
)
from storecredit.ledger import Above, Ceiling, EntryKind, Limits
from storecredit.tenders import External, Order, OrderLine, RefundRequest, TenderKind
from storecredit.values import CustomUnit, ExchangeRate, Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


# --- Opening, and spending ----------------------------------------------------------------


def test_a15_whoever_has_the_code_may_spend_from_it(window) -> None:
    issued = window.issue("50.00")
    opened = window.credit.open_code(str(issued.code).lower().replace("-", " "), caller="s")
    assert (opened.id, opened.holder) == (issued.id, issued.holder)
    assert str(opened.wallet.available) == "USD 50.00"
    receipt = window.credit.redeem(opened.holder, usd("20.00"), key="o-1")
    hold = window.credit.hold(opened.holder, usd("10.00"), key="o-2")
    assert str(window.open(issued).wallet.available) == "USD 20.00"
    window.credit.release(hold.hold_id, key="off")
    window.credit.restore(receipt.entry_id, key="back")
    assert str(window.open(issued).wallet.available) == "USD 50.00"


def test_a15_opening_shows_the_units_as_the_merchant_declares_them(window) -> None:
    points = CustomUnit("PTS", 0, name="Points")
    issued = window.credit.issue_code(Money.of_minor(300, points), funding="earned", key="p")
    (view,) = window.open(issued).wallet.accounts
    assert view.unit.name == "Points"


def test_a15_a_code_is_a_tender_of_a_checkout(window) -> None:
    issued = window.issue("30.00")
    holder = window.open(issued).holder
    order = Order("o-1", [OrderLine("lamp", usd("50.00"))])
    tender = window.credit.tender("gift", holder, "USD")
    assert tender.kind is TenderKind.CODE
    plan = window.credit.plan_payment(order, [tender, External("card")])
    checkout = window.credit.begin_checkout(plan, key="begin")
    # Whoever has the code cannot claim it away from under the order; the order is not disturbed.
    with window.fails("held"):
        window.claim(issued)
    assert str(window.open(issued).wallet.held) == "USD 30.00"
    checkout.charge("card", key="ch")
    checkout.settle_charge("ch", "confirmed")
    checkout.complete(key="done")
    with window.fails("empty"):
        window.claim(issued)
    refund = checkout.plan_refund(RefundRequest.of_everything(checkout.payment))
    checkout.refund(refund, key="r-1")
    window.claim(issued)
    assert window.available() == "USD 30.00"


def test_a15_a_plan_from_before_the_claim_is_refused(window) -> None:
    issued = window.issue("30.00")
    holder = window.open(issued).holder
    order = Order("o-1", [OrderLine("lamp", usd("30.00"))])
    plan = window.credit.plan_payment(order, [window.credit.tender("gift", holder, "USD")])
    window.claim(issued)
    with window.shop.refuses(PlanOutdated):
        window.credit.begin_checkout(plan, key="begin")
    assert window.credit.tender("gift", holder, "USD").account.totals["balance"] == 0


# --- Claiming -----------------------------------------------------------------------------


def test_a15_everything_moves_with_its_terms(window) -> None:
    limits = Limits(categories=["books"])
    issued = window.issue("40.00", paid=usd("36.00"), expires=Period(months=6))
    window.credit.issue(
        issued.holder, usd("5.00"), funding="promotional", limits=limits, key="bonus"
    )
    window.credit.issue(
        issued.holder, usd("7.00"), funding="goodwill", effective=Period(days=3), key="later"
    )
    before = window.credit.account(issued.holder, "USD").lots
    claimed = window.claim(issued, actor="c-17", reference="gift of ben")
    assert (claimed.id, claimed.holder, claimed.replayed) == (issued.id, "c-17", False)
    assert str(claimed.amount) == "USD 52.00"
    after = window.credit.account("c-17", "USD").lots
    assert [lot.terms for lot in after] == [lot.terms for lot in before]
    assert [lot.remaining for lot in after] == [lot.remaining for lot in before]
    assert [lot.origin for lot in after] == [lot.id for lot in before]
    (transfer,) = claimed.transfers
    for side in (transfer.sent, transfer.received):
        assert (side.entry.context.actor, side.entry.context.reference) == ("c-17", "gift of ben")
    assert transfer.sent.entry.kind is EntryKind.MERGE_OUT
    assert window.available(issued.holder) == "nothing"


def test_a15_a_claim_adds_to_what_the_holder_has_and_settles_what_is_owed(window) -> None:
    window.credit.set_limit("c-17", "USD", usd("20.00"), key="limit")
    window.credit.redeem("c-17", usd("15.00"), key="on credit")
    window.claim(window.issue("50.00"))
    view = window.credit.account("c-17", "USD")
    assert (str(view.available), str(view.owed)) == ("USD 35.00", "USD 0.00")


def test_a15_a_code_is_claimed_once(window) -> None:
    issued = window.issue("50.00")
    window.claim(issued)
    with window.fails("claimed"):
        window.claim(issued, "c-18")
    with window.fails("claimed"):
        window.claim(issued, key="another")
    with window.fails("claimed"):
        window.open(issued)
    assert (window.available("c-17"), window.available("c-18")) == ("USD 50.00", "nothing")


def test_a12_a_repeat_has_the_first_answer_whatever_has_happened_since(window) -> None:
    issued = window.issue("50.00")
    first = window.claim(issued)
    window.credit.redeem("c-17", usd("50.00"), key="spent")
    window.credit.freeze("c-17", "USD", key="freeze")
    for _ in range(20):
        with pytest.raises(ClaimFailed):
            window.claim(issued, "c-18")
    kept = window.kept()
    again = window.claim(issued)
    assert again == first
    assert again.replayed
    assert window.kept() == kept
    with window.shop.refuses(KeyReused):
        window.claim(issued, reference="another order")


def test_a12_the_key_of_a_claim_is_its_codes_own(window) -> None:
    first, second = window.issue("10.00"), window.issue("20.00")
    window.credit.redeem(first.holder, usd("1.00"), key="order 1")
    window.claim(first, key="order 1")
    window.claim(second, key="order 1")
    assert window.available() == "USD 29.00"


def test_a15_a_code_may_be_reserved_for_one_holder(window) -> None:
    issued = window.issue("50.00", reserved_for="c-17")
    window.issue("1.00", reserved_for="c-18")
    with window.fails("reserved"):
        window.claim(issued, "c-18")
    with window.fails("reserved"):
        window.open(issued)
    assert window.open(issued, holder="c-17").id == issued.id
    window.claim(issued, "c-17")
    assert window.available() == "USD 50.00"


def test_a17_a_reservation_follows_the_holder_who_is_merged(window) -> None:
    issued = window.issue("50.00", reserved_for="c-17")
    for holder in ("c-17", "c-18", "c-19"):
        window.credit.issue(holder, usd("1.00"), funding="refund", key="first")
    window.credit.merge("c-17", into="c-18", key="merge")
    with window.fails("reserved"):
        window.claim(issued, "c-19")
    window.claim(issued, "c-18")
    assert window.available("c-18") == "USD 52.00"


def test_a18_a_reservation_follows_the_pseudonym(window) -> None:
    issued = window.issue("50.00", reserved_for="jo@example.org")
    other = window.issue("9.00", reserved_for="al@example.org")
    window.credit.pseudonymise("jo@example.org", "p-1")
    assert "jo@example.org" not in window.kept()
    window.credit.issue("al@example.org", usd("1.00"), funding="refund", key="k")
    window.credit.pseudonymise("al@example.org", "p-2")
    assert window.credit.code(other.id).reserved_for == "p-2"
    # The old name means somebody new from now on.
    with window.fails("reserved"):
        window.claim(issued, "jo@example.org")
    window.claim(issued, "p-1")
    window.claim(other, "p-2")
    window.credit.pseudonymise("p-2", "p-3")
    assert window.claim(other, "p-3").replayed
    assert "p-2" not in window.kept()


def test_a15_a_code_with_accounts_in_two_units_is_claimed_whole(window) -> None:
    issued = window.issue("10.00")
    rate = ExchangeRate("USD", "EUR", "0.90", on=dt.date(2026, 3, 1))
    window.credit.convert(issued.holder, usd("4.00"), rate, rounding="unnecessary", key="fx")
    claimed = window.claim(issued)
    assert str(claimed.amount) == "EUR 3.60, USD 6.00"
    assert window.claim(issued) == claimed


def test_a15_value_that_is_given_to_an_open_code_is_claimed_with_it(window) -> None:
    issued = window.issue("10.00")
    window.credit.issue("c-9", usd("5.00"), funding="refund", key="k")
    window.credit.transfer("c-9", issued.holder, usd("5.00"), key="more")
    window.claim(issued)
    assert window.available() == "USD 15.00"


# --- What comes back ----------------------------------------------------------------------


def test_a15_what_orders_took_before_the_claim_comes_back_to_the_claimer(window) -> None:
    issued = window.issue("50.00")
    holder = window.open(issued).holder
    receipt = window.credit.redeem(holder, usd("20.00"), key="o-1")
    order = Order("o-2", [OrderLine("hat", usd("10.00"))])
    plan = window.credit.plan_payment(order, [window.credit.tender("gift", holder, "USD")])
    checkout = window.credit.begin_checkout(plan, key="begin")
    checkout.complete(key="done")
    window.claim(issued)
    window.credit.restore(receipt.entry_id, key="back", amount=usd("12.00"))
    refund = checkout.plan_refund(RefundRequest.of_lines(["hat"]))
    checkout.refund(refund, key="r-1")
    assert (window.available(), window.available(holder)) == ("USD 42.00", "nothing")
    # And on to whoever takes the claimer over.
    window.credit.issue("c-18", usd("1.00"), funding="refund", key="k")
    window.credit.merge("c-17", into="c-18", key="merge")
    window.credit.restore(receipt.entry_id, key="rest")
    assert window.available("c-18") == "USD 51.00"


def test_a15_the_name_of_a_claimed_code_leads_nowhere(window) -> None:
    """Whoever had opened the code before still knows it."""
    issued = window.issue("50.00")
    holder = window.open(issued).holder
    first = window.credit.redeem(holder, usd("10.00"), key="o-1")
    window.credit.issue("c-17", usd("70.00"), funding="refund", key="o-2")
    window.credit.issue("c-17", Money.of("3.00", "EUR"), funding="refund", key="eur")
    window.claim(issued)
    window.credit.hold("c-17", usd("5.00"), key="h", reference="o-3")
    credit, eur = window.credit, Money.of("1.00", "EUR")
    spends: list[Callable[[], object]] = [
        lambda: credit.redeem(holder, usd("1.00"), key="o-2"),
        lambda: credit.redeem(holder, eur, key="x"),
        lambda: credit.hold(holder, usd("1.00"), key="x"),
        lambda: credit.transfer(holder, "c-9", usd("1.00"), key="x"),
        lambda: credit.transfer("c-17", holder, usd("1.00"), key="x"),
        lambda: credit.cash_out(holder, usd("1.00"), key="x"),
        lambda: credit.issue(holder, usd("1.00"), funding="refund", key="x"),
        lambda: credit.preview(holder, usd("1.00")),
        lambda: credit.freeze(holder, "USD", key="x"),
    ]
    for spend in spends:
        with window.shop.refuses(CodeClaimed):
            spend()
    assert window.available(holder) == "nothing"
    for unit in ("USD", "EUR", "GBP"):
        assert credit.account(holder, unit).available.is_zero
        assert credit.tender("gift", holder, unit).account.totals["balance"] == 0
    assert credit.release_order(holder, "o-3", key="off") == ()
    assert [entry.kind for entry in credit.journal(holder, "USD")] == [
        "issue",
        "redeem",
        "merge_out",
    ]
    assert list(credit.journal(holder, "EUR")) == []
    # What was done under the name is still answered.
    assert credit.redeem(holder, usd("10.00"), key="o-1") == first
    at = window.clock()
    window.clock.forward(hours=1)
    assert str(credit.wallet(holder, at=at).available) == "nothing"


def test_a19_the_past_of_a_claimed_code_is_to_be_seen(window) -> None:
    issued = window.issue("50.00")
    before = window.clock()
    window.clock.forward(hours=1)
    window.claim(issued)
    assert str(window.credit.wallet(issued.holder, at=before).available) == "USD 50.00"
    assert str(window.credit.account(issued.holder, "USD", at=before).available) == "USD 50.00"


def test_a15_nobody_but_the_library_makes_bearers_of_codes(window) -> None:
    credit, issued = window.credit, window.issue()
    calls: list[Callable[[], object]] = [
        lambda: credit.issue("~code:mine", usd("1.00"), funding="refund", key="k"),
        lambda: credit.redeem("~code:mine", usd("1.00"), key="k"),
        lambda: credit.transfer(issued.holder, "~code:mine", usd("1.00"), key="k"),
        lambda: credit.merge(issued.holder, into="c-17", key="k"),
        lambda: credit.merge("c-17", into=issued.holder, key="k"),
        lambda: credit.pseudonymise(issued.holder, "p-1"),
        lambda: credit.pseudonymise("c-17", "~code:mine"),
        lambda: credit.claim(str(issued.code), "~code:mine", key="k", caller="s"),
    ]
    for call in calls:
        with window.shop.refuses(InvalidText):
            call()
    assert window.available("~code:mine") == "nothing"
    assert credit.account("~code:mine", "USD").version == 0


def test_v4_a_unit_of_a_code_keeps_its_digits(window) -> None:
    coarse, fine = CustomUnit("PTS", 0), CustomUnit("PTS", 2)
    issued = window.issue("5.00")
    window.credit.issue(issued.holder, Money.of_minor(5, coarse), funding="earned", key="p")
    redeclared = window.shop.open(units=(fine,))
    with window.shop.refuses(UnitRedefined):
        redeclared.issue(issued.holder, Money.of("5.00", fine), funding="earned", key="q")
    redeclared.issue("c-17", Money.of("5.00", fine), funding="earned", key="q")
    with window.shop.refuses(UnitRedefined):
        window.claim(issued)
    window.claim(issued, "c-18")


# --- What keeps a code from being claimed ---------------------------------------------------


def test_a15_each_reason_is_told_the_host_alone(make_window) -> None:
    window = make_window(merchant={"ceilings": (Ceiling(usd("60.00"), Above.REFUSE),)})
    with window.fails("unknown") as failed:
        window.credit.open_code(make_code(bytes(12)), caller="s")
    assert failed.value.id is None
    expired = window.issue("5.00", funding="promotional", expires=Period(days=1))
    frozen, replaced, revoked, full = (window.issue("5.00") for _ in range(4))
    window.clock.forward(days=2)
    with window.fails("expired") as failed:
        window.open(expired)
    assert failed.value.id == expired.id
    window.credit.expire_due()
    with window.fails("expired"):
        window.claim(expired)
    window.credit.freeze(frozen.holder, "USD", key="freeze")
    with window.fails("frozen"):
        window.claim(frozen)
    window.reissue(replaced)
    with window.fails("replaced"):
        window.claim(replaced)
    window.revoke(revoked)
    with window.fails("revoked"):
        window.open(revoked)
    window.credit.issue("c-17", usd("58.00"), funding="refund", key="k")
    with window.fails("not_taken") as failed:
        window.claim(full, caller="t")
    assert type(failed.value.refusal).__name__ == "CeilingReached"
    window.credit.issue("c-18", usd("1.00"), funding="refund", key="k")
    window.credit.freeze("c-18", "USD", key="freeze")
    with window.fails("not_taken") as failed:
        window.claim(full, "c-18", caller="t")
    assert type(failed.value.refusal).__name__ == "AccountFrozen"
    window.claim(full, "c-19", caller="t")


def test_a6_a_hold_whose_time_is_over_keeps_nobody_from_claiming(window) -> None:
    issued = window.issue("50.00")
    window.credit.hold(issued.holder, usd("50.00"), key="h", lapses=Period(hours=1))
    with window.fails("held"):
        window.claim(issued)
    window.clock.forward(hours=1)
    assert str(window.claim(issued).amount) == "USD 50.00"


def test_a15_a_key_that_is_gone_makes_its_codes_unknown(make_window) -> None:
    window = make_window()
    issued = window.issue()
    later = ClaimKeys(current="next", keys={**window.rules.keys.keys, "next": bytes(40)})
    rotated = make_window(storage=window.storage, keys=later)
    assert rotated.open(issued).id == issued.id
    assert rotated.issue(key="new one").claim.digest.startswith("next:")
    gone = make_window(storage=window.storage, keys=ClaimKeys(current="n", keys={"n": bytes(40)}))
    with gone.fails("unknown"):
        gone.open(issued)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"key": "~k"}, InvalidKey),
        ({"key": "k" * 161}, InvalidKey),
        ({"caller": ""}, InvalidText),
        ({"caller": None}, InvalidText),
        ({"holder": ""}, InvalidText),
        ({"note": "\x00"}, InvalidText),
        ({"at": dt.datetime.fromisoformat("2026-03-02")}, NaiveInstant),
        ({"at": dt.datetime(2027, 3, 2, tzinfo=dt.UTC)}, FutureInstant),
    ],
)
def test_a15_a_claim_that_cannot_be_is_no_attempt(window, told, error) -> None:
    issued = window.issue()
    with window.shop.refuses(error):
        window.claim(issued, **told)
    assert window.records("claim-failures") == {}


def test_a15_what_is_mistyped_is_no_attempt_either(window) -> None:
    issued = window.issue()
    wrong = str(issued.code)[:-1] + ("0" if issued.code[-1] != "0" else "1")
    for call in (
        lambda: window.credit.open_code(wrong, caller="s"),
        lambda: window.credit.claim(wrong, "c-17", key="k", caller="s"),
    ):
        with window.shop.refuses(CodeMistyped):
            call()
    assert window.records("claim-failures") == {}


def test_a15_a_log_sees_the_reason_and_eight_digits(window, caplog) -> None:
    issued = window.issue()
    window.claim(issued)
    with caplog.at_level(logging.INFO, "storecredit.claims"), window.fails("claimed"):
        window.claim(issued, "c-18", caller="203.0.113.7")
    (record,) = caplog.records
    digest = window.credit.code(issued.id).digest
    assert record.getMessage() == f"a claim failed: claimed, digest {digest[:12]}"
    assert issued.code not in caplog.text
    assert "203.0.113.7" not in caplog.text
    assert "203.0.113.7" not in str(window.records("claim-failures"))


# --- Guessing -------------------------------------------------------------------------------


def test_a15_who_guesses_waits_and_a_success_forgets_nothing(make_window) -> None:
    window = make_window(per_caller=Throttle(free=2))
    good, other = window.issue("5.00"), window.issue("6.00")
    nonsense = make_code(bytes(12))
    with window.fails("unknown"):
        window.credit.open_code(nonsense, caller="s")
    window.claim(good, caller="s")
    with window.fails("unknown"):
        window.credit.open_code(nonsense, caller="s")
    with window.fails("throttled") as failed:
        window.claim(other, caller="s")
    assert failed.value.free_at == window.clock() + dt.timedelta(seconds=1)
    # Waiting is what is asked for; an attempt that came too soon adds nothing to it.
    window.clock.forward(seconds=1)
    with window.fails("unknown"):
        window.credit.open_code(nonsense, caller="s")
    with window.fails("throttled") as failed:
        window.open(other, caller="s")
    assert failed.value.free_at == window.clock() + dt.timedelta(seconds=2)
    # Another caller does not wait.
    window.claim(other, caller="t")


def test_a15_everybody_waits_where_too_many_have_failed(make_window) -> None:
    window = make_window(per_merchant=Throttle(free=3, longest=dt.timedelta(seconds=4)))
    issued = window.issue()
    for number in range(3):
        with window.fails("unknown"):
            window.credit.open_code(make_code(bytes(12)), caller=f"s{number}")
    with window.fails("throttled"):
        window.claim(issued, caller="honest")
    window.clock.forward(seconds=1)
    window.claim(issued, caller="honest")


# --- Taking back, and another code ----------------------------------------------------------


def test_a8_a_revoked_code_is_dead_and_its_value_is_taken_back(window) -> None:
    issued = window.issue("50.00")
    window.credit.issue(issued.holder, usd("5.00"), funding="promotional", key="bonus")
    spent = window.credit.redeem(issued.holder, usd("10.00"), key="o-1")
    (receipt,) = window.revoke(issued)
    assert str(receipt.amount) == "USD 45.00"
    assert (receipt.entry.kind, receipt.entry.facts["code"]) == ("revoke", issued.id)
    assert (receipt.entry.context.actor, receipt.entry.context.reason) == (
        "ann",
        "seen by somebody else",
    )
    fact = window.credit.code(issued.id).facts[-1]
    assert (fact.step, fact.entries, fact.reason) == (
        "revoke",
        (receipt.entry_id,),
        "seen by somebody else",
    )
    assert window.revoke(issued) == (receipt,)
    with window.shop.refuses(KeyReused):
        window.revoke(issued, reason="another")
    # What comes back has no bearer, until the code is reissued.
    window.credit.restore(spent.entry_id, key="back")
    with window.fails("revoked"):
        window.claim(issued)
    again = window.reissue(issued)
    assert str(again.worth) == "USD 10.00"
    window.claim(again)
    assert window.available() == "USD 10.00"
    assert window.revoke(issued) == (receipt,)


def test_a8_a_code_that_is_spent_or_run_out_is_revoked_all_the_same(window) -> None:
    spent = window.issue("50.00")
    window.credit.redeem(spent.holder, usd("50.00"), key="o-1")
    (receipt,) = window.revoke(spent)
    assert receipt.amount.is_zero
    expired = window.issue("5.00", funding="promotional", expires=Period(days=1))
    window.clock.forward(days=2)
    (receipt,) = window.revoke(expired)
    assert [move.what for move in receipt.moves] == ["expired"]


def test_a8_what_an_order_holds_is_not_taken_from_under_it(window) -> None:
    issued = window.issue("50.00")
    hold = window.credit.hold(issued.holder, usd("20.00"), key="h")
    with window.shop.refuses(LotHeld):
        window.revoke(issued)
    (receipt,) = window.revoke(issued, held="unheld_only")
    assert str(receipt.amount) == "USD 30.00"
    window.credit.capture(hold.hold_id, key="c")


def test_a15_a_reissued_code_is_the_bearer_of_the_same_account(window) -> None:
    first = window.issue("50.00", reserved_for="c-17", expires=Period(years=1))
    hold = window.credit.hold(first.holder, usd("20.00"), key="h")
    second = window.reissue(first)
    assert second.code != first.code
    assert (second.holder, second.reserved_for) == (first.holder, "c-17")
    assert (str(second.worth), second.expires_at) == ("USD 50.00", first.expires_at)
    assert (second.claim.reissues, second.receipt) == (1, None)
    fact = window.credit.code(first.id).facts[-1]
    assert (fact.step, fact.to, fact.actor) == ("reissue", second.id, "ann")
    again = window.reissue(first)
    assert (again.code, again.id, again.replayed) == (None, second.id, True)
    with window.shop.refuses(KeyReused):
        window.reissue(first, reason="another")
    third = window.reissue(second)
    assert third.claim.reissues == 2
    for dead in (first, second):
        with window.fails("replaced"):
            window.open(dead, holder="c-17")
    window.credit.release(hold.hold_id, key="r")
    window.claim(third)
    assert window.available() == "USD 50.00"
    assert window.reissue(first).claim.state == "replaced"


def test_a15_steps_that_cannot_be_are_refused(window) -> None:
    issued = window.issue()
    for verb in (window.credit.revoke_code, window.credit.reissue_code):
        for told in ({}, {"actor": "ann"}, {"reason": "lost"}):
            with window.shop.refuses(ReasonAndActorRequired):
                verb(issued.id, key="k", **told)
        with window.shop.refuses(UnknownCode):
            verb("no such id", key="k", actor="ann", reason="lost")
        with window.shop.refuses(InvalidKey):
            verb(issued.id, key="~k", actor="ann", reason="lost")
        with window.shop.refuses(InvalidText):
            verb("", key="k", actor="ann", reason="lost")
    window.claim(issued)
    with window.shop.refuses(CodeStepRefused) as refused:
        window.revoke(issued)
    assert refused.error.allowed == ()
    assert "it is claimed, where only these steps go on: none" in str(refused.error)
    with window.shop.refuses(CodeStepRefused):
        window.reissue(issued)
