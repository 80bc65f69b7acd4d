"""Messages of refund cases and of claim codes, from what the service keeps of them (P5, P7, A15)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from returns_desk import Returns, back, eur, points

from storecredit import Money, Period, StoreCredit
from storecredit.claims import ClaimKeys, ClaimRules
from storecredit.errors import InvalidTerms, InvalidText
from storecredit.messages import (
    RefundStatus,
    RefundStatusChanged,
    Texts,
    code_message,
    refund_messages,
)
from storecredit.refunds import CaseState
from storecredit.storage import MemoryStorage
from storecredit.testing import SettableClock

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def walked(messages: tuple[RefundStatusChanged, ...]) -> list[str]:
    return [message.status.value for message in messages]


# --- Refund cases -------------------------------------------------------------------------


def test_the_states_of_a_case_are_the_statuses_of_messages() -> None:
    assert {state.value for state in CaseState} == {status.value for status in RefundStatus}


def test_each_status_that_a_case_comes_to_is_one_message() -> None:
    desk = Returns(MemoryStorage())
    case = desk.requested()
    (asked,) = refund_messages(case.record, desk.credit.merchant)
    assert (asked.merchant, asked.holder, asked.order) == ("acme", "c-17", "o-1")
    assert (asked.case, asked.at, asked.previous) == ("r-1", desk.clock(), None)
    assert asked.amount == eur("30.00")
    desk.clock.advance(timedelta(days=1))
    case.approve(key="yes", actor="bo", reason="as the rules say")
    case.approve(key="again", actor="bob", reason="a second one")
    for step, key in ((case.await_return, "wait"), (case.ship, "sent"), (case.receive, "here")):
        step(key=key)
    case.inspect(key="seen")
    case.complete(key="done", actor="bo", reason="as the rules say")
    found = refund_messages(case.record, "acme", told="Thank you.")
    assert walked(found) == [
        "requested",
        "approved",
        "awaiting_return",
        "in_transit",
        "received",
        "inspected",
        "completed",
    ]
    assert [each.previous for each in found] == [None, *(each.status for each in found[:-1])]
    assert found[0].id == asked.id
    assert len({each.id for each in found}) == 7
    assert [each.amount for each in found] == [None] * 6 + [eur("30.00")]
    assert [each.told for each in found] == [None] * 6 + ["Thank you."]
    assert "as the rules say" not in str([each.to_json() for each in found])


def test_a_case_that_ends_and_begins_anew_tells_both() -> None:
    desk = Returns(MemoryStorage())
    case = desk.requested()
    case.deny(key="no", actor="bo", reason="too late")
    desk.clock.advance(timedelta(days=1))
    case.reopen(key="oh", actor="bo", reason="not too late")
    found = refund_messages(case.record, "acme")
    assert walked(found) == ["requested", "denied", "reopened"]
    assert found[1].amount is None
    bodies = [Texts().render(each, locale="en", zone="UTC").body for each in found]
    assert len(set(bodies)) == 3


def test_what_comes_back_in_several_units_has_no_one_amount() -> None:
    desk = Returns(MemoryStorage())
    redeemed = desk.credit.issue("c-17", points(50), funding="earned", key="p")
    assert redeemed.changed
    spent = desk.credit.redeem("c-17", points(50), key="o-1", reference="o-1")
    line = back("1", "30.00", restored=(points(50),))
    case = desk.requested(line, redemptions={"1": spent.entry_id})
    (asked,) = refund_messages(case.record, "acme")
    assert asked.amount is None


def test_told_words_have_to_be_words() -> None:
    case = Returns(MemoryStorage()).requested()
    with pytest.raises(InvalidText):
        refund_messages(case.record, "acme", told="bell\x07")
    with pytest.raises(InvalidText):
        refund_messages(case.record, "")


# --- Claim codes --------------------------------------------------------------------------


def window() -> tuple[StoreCredit, SettableClock]:
    clock = SettableClock(START)
    rules = ClaimRules(keys=ClaimKeys(current="k1", keys={"k1": b"k" * 32}))
    return StoreCredit(MemoryStorage(), "acme", clock=clock, claims=rules), clock


def issued(credit: StoreCredit, **more: Any) -> Any:
    amount = Money.of("25.00", "USD")
    return credit.issue_code(amount, funding="goodwill", key="gift", **more)


def test_a_code_is_told_to_whoever_gets_it() -> None:
    credit, _ = window()
    code = issued(credit, expires=Period(days=30), reserved_for="c-17")
    message = code_message(code, credit.merchant)
    assert (message.merchant, message.holder, message.at) == ("acme", "c-17", START)
    assert (message.claim, message.number) == (code.id, 1)
    assert message.amount == Money.of("25.00", "USD")
    assert message.expires_at == START + timedelta(days=30)
    assert code.code is not None
    assert message.code == code.code
    assert code.code not in repr(message)
    text = Texts().render(message, locale="en", zone="UTC")
    assert f"\n    {code.code}\n" in text.body


def test_a_repeat_has_the_same_id_and_no_code_to_tell() -> None:
    credit, _ = window()
    first = code_message(issued(credit), "acme")
    again = code_message(issued(credit), "acme")
    assert again == attrs.evolve(first, code=None)
    assert again.id == first.id
    with pytest.raises(InvalidTerms):
        Texts().render(again, locale="en", zone="UTC")


def test_a_code_that_replaces_another_is_a_message_of_its_own() -> None:
    credit, clock = window()
    first = issued(credit)
    clock.advance(timedelta(days=1))
    second = credit.reissue_code(first.id, key="lost", actor="ann", reason="lost")
    message = code_message(second, "acme")
    assert message.number == 2
    assert message.at == clock()
    assert message.id != code_message(first, "acme").id
    assert message.code not in {None, first.code}
