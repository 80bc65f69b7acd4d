"""Deciding a history by a policy: totals written out, limits, windows, resuming, who else is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from storecredit import Money, StoreCredit
from storecredit.errors import InvalidReturn, InvalidTerms, StorageUnusable
from storecredit.ledger import Funding
from storecredit.policies import (
    OfferKind,
    Policy,
    PolicyVersion,
    RefundPolicy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    read_policy,
)
from storecredit.replay import (
    LedgerSums,
    Part,
    PolicyTotals,
    ReturnHistory,
    replay_policy,
    windows_of,
    with_window,
)
from storecredit.replay.policy_totals import policy_discrepancies
from storecredit.storage import MemoryStorage, SQLiteStorage
from storecredit.values import Period, currency

GBP = currency("GBP")
START = datetime(2011, 1, 1, 9, 0, tzinfo=UTC)

RULES = """
name = "shop"
version = "7"

[[refund.rules]]
id = "no receipt"
because = "nobody knows the purchase"
when = { receipt = false }
offer = []

[[refund.rules]]
id = "late"
when = { after = "P30D", since = "purchase" }
offer = ["money"]
fee = { percent = 50 }

[[refund.rules]]
id = "large"
when = { at_least = "GBP 100.00" }
approval = true

[[refund.rules]]
id = "standard"
offer = ["money", "credit"]
bonus = { percent = 10 }
credit = { expires = "P12M", bonus_expires = "P3M" }
"""


def policy(rules: str = RULES, more: str = "") -> Policy:
    return read_policy(rules + more, form="toml")


def gbp(pounds: str) -> Money:
    return Money.of(pounds, "GBP")


def line(name: str, pounds: str, **more: Any) -> ReturnLine:
    return ReturnLine(id=name, external=gbp(pounds), **more)


def asked(
    name: str, day: float, *lines: ReturnLine, bought: float | None = 0, holder: str | None = "anna"
) -> ReturnRequest:
    purchased = None if bought is None else START + timedelta(days=bought)
    return ReturnRequest(
        id=name,
        merchant="shop",
        lines=lines,
        at=START + timedelta(days=day),
        order=None if bought is None else "1",
        purchased_at=purchased,
        holder=holder,
        receipt=bought is not None,
    )


def history(*requests: ReturnRequest) -> ReturnHistory:
    return ReturnHistory(unit=GBP, merchant="shop", requests=requests, skipped={"guest": 7})


STORY = history(
    asked("C2/1", 1, line("1", "10.05"), line("2", "5.00", kind="shipping")),
    asked("C3", 2, line("1", "7.00"), bought=None),
    asked("C4/1", 40, line("1", "9.99"), holder="bert"),
    asked("C5/1", 41, line("1", "200.00"), line("2", "0.00"), bought=40),
)


def test_p2_each_request_is_decided_and_its_credit_is_issued() -> None:
    storage = MemoryStorage()
    told: list[int] = []
    totals = replay_policy(STORY, policy(), storage, progress=told.append)
    assert totals.problems == ()
    assert totals.to_json() == {
        "policy": {"name": "shop", "version": "7"},
        "requests": 4,
        "asked": {"lines": 6, "amount": 23204},
        "no_receipt": {"lines": 1, "amount": 700},
        "offers": {
            "credit": {"lines": 3, "amount": 21005},
            "money": {"lines": 2, "amount": 1000},  # 5.00 of shipping, 9.99 less its fee
            "exchange": {"lines": 0, "amount": 0},
        },
        "fees": {"lines": 1, "amount": 499},  # rounded down
        "refused": {"nobody knows the purchase": {"lines": 1, "amount": 700}},
        "bonus": 2100,  # 1.00 and 20.00
        "approvals": 1,
        "customers": 1,
        "skipped": {"guest": 7},
        "verified": True,
    }
    assert told == [4]
    lots = [
        (move.terms.funding, move.amount, move.terms.expires_at)
        for entry in StoreCredit(storage, "shop").journal("anna", "GBP")
        for move in entry.moves
        if move.terms is not None
    ]
    assert lots == [
        (Funding.REFUND, 1005, datetime(2012, 1, 2, 9, tzinfo=UTC)),
        (Funding.PROMOTIONAL, 100, datetime(2011, 4, 2, 9, tzinfo=UTC)),
        (Funding.REFUND, 20000, datetime(2012, 2, 11, 9, tzinfo=UTC)),
        (Funding.PROMOTIONAL, 2000, datetime(2011, 5, 11, 9, tzinfo=UTC)),
    ]


def test_p2_who_may_not_have_credit_takes_money_and_else_an_exchange() -> None:
    rules = """
name = "shop"
version = "1"
[[refund.rules]]
id = "goods"
when = { kinds = ["goods"] }
offer = ["exchange"]
[[refund.rules]]
id = "rest"
offer = ["exchange", "money"]
"""
    lines = [line("1", "3.00"), line("2", "2.00", kind="fee"), line("3", "1.00", kind="tax")]
    totals = replay_policy(history(asked("C1", 1, *lines)), policy(rules), MemoryStorage())
    assert totals.offers == {
        OfferKind.CREDIT: Part(),
        OfferKind.MONEY: Part(2, amount=300),
        OfferKind.EXCHANGE: Part(1, amount=300),
    }
    assert totals.verified


def test_a_guest_gets_no_lot_here_and_the_totals_say_so() -> None:
    totals = replay_policy(
        history(asked("C1", 1, line("1", "3.00"), holder=None)), policy(), MemoryStorage()
    )
    assert totals.problems == (
        "300 minor units were decided to be credit, and 0 issued as refunds by the journals",
        "30 minor units were decided as bonus, and 0 issued as promotional by the journals",
        "330 minor units were moved by this replay, and 0 by anybody",
    )


def test_a_history_without_returns_is_nothing() -> None:
    totals = replay_policy(history(), policy(), MemoryStorage())
    assert (totals.requests, totals.asked, totals.verified) == (0, Part(), True)


# --- Limits ------------------------------------------------------------------------------

LIMITS = """
[[refund.limits]]
id = "bonus a month"
per = "holder"
on = "bonus"
period = "P30D"
amount = "GBP 3.00"
over = "cut"

[[refund.limits]]
id = "twice a month"
per = "holder"
on = "refund"
period = "P30D"
count = 2

[[refund.limits]]
id = "in another currency"
per = "holder"
on = "refund"
period = "P30D"
amount = "EUR 1.00"

[[refund.limits]]
id = "of an agent"
per = "agent"
on = "refund"
amount = "GBP 0.01"
"""


def test_p3_limits_of_customers_bind_as_they_would_have_then() -> None:
    requests = [
        asked("C1", 1, line("1", "20.00")),  # a bonus of 2.00
        asked("C2", 2, line("1", "20.00")),  # 1.00 is left
        asked("C3", 3, line("1", "20.00")),  # nothing is left, and it is the third
        asked("C4", 3, line("1", "20.00"), holder="bert"),
        asked("C5", 31, line("1", "20.00"), bought=30),  # that of the first day counts still
        asked("C6", 31.1, line("1", "20.00"), bought=30),  # it does no more
    ]
    limited = policy(more=LIMITS)
    found = [
        replay_policy(history(*requests[:many]), limited, MemoryStorage()) for many in range(7)
    ]
    assert [totals.bonus for totals in found] == [0, 200, 300, 300, 500, 500, 700]
    assert [totals.approvals for totals in found] == [0, 0, 0, 1, 1, 2, 3]
    assert all(totals.verified for totals in found)


# --- Windows -----------------------------------------------------------------------------


def test_a_policy_can_be_asked_with_another_window() -> None:
    assert windows_of(policy()) == (Period(days=30),)
    longer = with_window(policy(), Period(days=60))
    assert windows_of(longer) == (Period(days=60),)
    late = asked("C1", 45, line("1", "8.00"))
    found = [
        replay_policy(history(late), each, MemoryStorage()).offers[OfferKind.CREDIT].amount
        for each in (policy(), longer, with_window(policy(), None))
    ]
    assert found == [0, 800, 800]


def test_a_window_that_never_ends_outlasts_any_history() -> None:
    endless = with_window(policy(), None)
    ages_later = asked("C1", 300_000, line("1", "8.00"))
    totals = replay_policy(history(ages_later), endless, MemoryStorage())
    assert totals.offers[OfferKind.CREDIT].amount == 800


def test_the_days_of_a_window_stay_those_of_its_zone() -> None:
    berlin = RULES.replace('"P30D"', '{ period = "P30D", zone = "Europe/Berlin" }')
    (window,) = windows_of(with_window(policy(berlin), Period(days=14)))
    assert window == Period(days=14, zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (RULES.replace('after = "P30D", since = "purchase"', "gift = true"), "none"),
        (RULES.replace("receipt = false", 'receipt = false, within = "P14D"'), "P14D, P30D"),
    ],
)
def test_only_a_policy_with_one_window_can_have_another(rules: str, named: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        with_window(policy(rules), None)
    assert (refused.value.field, refused.value.value) == ("the windows", named)


# --- Again, and who else is there ----------------------------------------------------------


def test_a12_a_run_that_broke_off_goes_on_and_ends_in_the_same_totals() -> None:
    storage = MemoryStorage()
    shorter = attrs.evolve(STORY, requests=STORY.requests[:1])
    assert replay_policy(shorter, policy(), storage).customers == 1
    whole = replay_policy(STORY, policy(), storage)
    assert whole == replay_policy(STORY, policy(), MemoryStorage())
    assert replay_policy(STORY, policy(), storage) == whole


def test_a_broken_off_run_is_resumed_in_the_middle_of_a_request(tmp_path: Any) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int) -> None:
        raise Stopped

    many = history(
        *(asked(f"C{number}", number / 24, line("1", "1.00")) for number in range(1, 251))
    )
    storage = SQLiteStorage(tmp_path / "told.db")
    try:
        with pytest.raises(Stopped):
            replay_policy(many, policy(), storage, progress=stop)
        found = StoreCredit(storage, "shop").account("anna", "GBP", at=START + timedelta(days=5))
        assert found.available == gbp("110.00")
        told: list[int] = []
        totals = replay_policy(many, policy(), storage, progress=told.append)
    finally:
        storage.close()
    assert totals == replay_policy(many, policy(), MemoryStorage())
    assert (totals.verified, told) == (True, [100, 200, 250])


@pytest.mark.parametrize(
    ("second", "rules"),
    [
        (STORY, RULES.replace("percent = 10", "percent = 11")),
        (STORY, RULES.replace('version = "7"', 'version = "8"')),
        (attrs.evolve(STORY, requests=STORY.requests[1:]), RULES),
    ],
)
def test_another_policy_or_history_needs_a_ledger_of_its_own(
    second: ReturnHistory, rules: str
) -> None:
    storage = MemoryStorage()
    replay_policy(STORY, policy(), storage)
    with pytest.raises(StorageUnusable, match="Replay into a fresh database"):
        replay_policy(second, policy(rules), storage)


def test_a_ledger_of_the_shop_is_never_replayed_into() -> None:
    storage = MemoryStorage()
    StoreCredit(storage, "shop").issue("dora", gbp("5.00"), funding="refund", key="k")
    with pytest.raises(StorageUnusable, match="accounts in it that no replay has made"):
        replay_policy(STORY, policy(), storage)


def test_what_somebody_else_does_meanwhile_is_found() -> None:
    storage = MemoryStorage()
    replay_policy(STORY, policy(), storage)
    StoreCredit(storage, "shop").issue("dora", gbp("5.00"), funding="refund", key="by hand")
    totals = replay_policy(STORY, policy(), storage)
    assert not totals.verified
    assert totals.problems == (
        "21005 minor units were decided to be credit, and 21505 issued as refunds by the journals",
        "23105 minor units were moved by this replay, and 23605 by anybody",
    )


def test_a_policy_that_does_not_know_the_reason_is_refused() -> None:
    strict = policy(RULES.replace('version = "7"', 'version = "7"\nrefund.reasons = ["late"]'))
    request = asked("C1", 1, line("1", "1.00", reason="broken"))
    with pytest.raises(InvalidReturn, match="the reason of 1"):
        replay_policy(history(request), strict, MemoryStorage())


def test_totals_that_do_not_add_up_are_told() -> None:
    totals = PolicyTotals(
        policy=PolicyVersion("shop", "7"),
        unit=GBP,
        requests=1,
        asked=Part(2, amount=100),
        no_receipt=Part(),
        offers={kind: Part() for kind in OfferKind},
        fees=Part(1, amount=10),
        refused={"late": Part(1, amount=80)},
        bonus=0,
        approvals=0,
        customers=0,
        skipped={},
    )
    assert policy_discrepancies(totals, LedgerSums({})) == (
        "100 minor units were asked back, and 90 given, kept as fees and refused",
    )


def test_a_policy_in_python_is_decided_by_like_one_in_a_file() -> None:
    made = Policy(
        name="shop",
        version="7",
        refund=RefundPolicy(rules=[RefundRule(id="all", offer=["money"])]),
    )
    totals = replay_policy(STORY, made, MemoryStorage())
    assert totals.offers[OfferKind.MONEY] == Part(6, amount=23204)
