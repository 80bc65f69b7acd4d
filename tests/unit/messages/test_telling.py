"""From facts to messages: which entries are told, to whom, and with what amounts (P7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from storecredit.errors import InvalidText
from storecredit.ledger import Entry, Limits
from storecredit.messages import (
    CreditExpired,
    CreditIssued,
    CreditRestored,
    CreditUsed,
    Message,
    messages_of,
    messages_of_entry,
)
from storecredit.service import Delivery
from storecredit.values import CustomUnit, Money, Period

POINTS = CustomUnit("PTS", 0, name="Points")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def told(shop: Any, holder: str = "c-17", unit: str = "USD") -> list[Message]:
    """Return all messages of an account, by way of its journal."""
    return [
        message
        for entry in shop.credit.journal(holder, unit)
        for message in messages_of_entry(entry, holder=holder, merchant=shop.credit.merchant)
    ]


def outline(messages: list[Message]) -> list[tuple[str, str]]:
    return [(message.kind.value, str(message.amount)) for message in messages]


def last_entry(shop: Any) -> Entry:
    entries: list[Entry] = list(shop.credit.journal("c-17", "USD"))
    return entries[-1]


# --- Issued -------------------------------------------------------------------------------


def test_issued_credit_is_told_with_its_terms(shop: Any) -> None:
    effective = shop.clock.now + timedelta(days=14)
    receipt = shop.issue(
        "20.00",
        funding="promotional",
        effective=effective,
        expires=Period(days=30),
        limits=Limits(categories=("books",)),
        reference="order-1",
        reason="late delivery",
        actor="ann",
        note="a secret of the house",
        data={"ticket": "7"},
    )
    (message,) = told(shop)
    assert isinstance(message, CreditIssued)
    assert (message.merchant, message.holder, message.at) == ("acme", "c-17", shop.clock.now)
    assert (message.amount, message.settled) == (usd("20.00"), usd("0.00"))
    assert (message.entry, message.cause) == (receipt.entry_id, "issue")
    assert (message.reference, message.reason) == ("order-1", "late delivery")
    (part,) = message.parts
    assert (part.lot, part.amount, part.funding) == (receipt.lot_id, usd("20.00"), "promotional")
    assert (part.effective_at, part.limited) == (effective, True)
    assert part.expires_at == effective + timedelta(days=30)
    written = str(message.to_json())
    assert "ann" not in written
    assert "secret" not in written
    assert "ticket" not in written


def test_what_pays_a_debt_at_once_is_told_apart(shop: Any) -> None:
    shop.credit.set_limit("c-17", "USD", usd("50.00"), key="limit")
    shop.redeem("12.00", reference="order-1")
    shop.issue("20.00")
    used, issued = told(shop)
    assert isinstance(used, CreditUsed)
    assert isinstance(issued, CreditIssued)
    assert (used.amount, used.owed) == (usd("12.00"), usd("12.00"))
    assert (issued.amount, issued.settled) == (usd("20.00"), usd("12.00"))


# --- Used ---------------------------------------------------------------------------------


def test_lots_that_were_spent_together_are_one_message(shop: Any) -> None:
    shop.issue("5.00", funding="promotional")
    shop.issue("10.00")
    shop.redeem("12.00", reference="order-1")
    *_, used = told(shop)
    assert isinstance(used, CreditUsed)
    assert (used.amount, used.owed, used.reference) == (usd("12.00"), usd("0.00"), "order-1")


def test_a_reservation_is_told_when_it_is_captured_and_not_before(shop: Any) -> None:
    shop.issue("10.00")
    hold = shop.hold("8.00").hold_id
    shop.credit.capture_part(hold, usd("3.00"), key="part")
    shop.credit.capture(hold, amount=usd("4.00"), key="rest")
    assert outline(told(shop)) == [
        ("credit_issued", "USD 10.00"),
        ("credit_used", "USD 3.00"),
        ("credit_used", "USD 4.00"),
    ]


def test_a_capture_of_the_limit_counts_as_used_and_owed(shop: Any) -> None:
    shop.credit.set_limit("c-17", "USD", usd("50.00"), key="limit")
    shop.issue("10.00")
    hold = shop.hold("25.00").hold_id
    shop.credit.capture(hold, key="all")
    *_, used = told(shop)
    assert isinstance(used, CreditUsed)
    assert (used.amount, used.owed) == (usd("25.00"), usd("15.00"))


# --- Restored -----------------------------------------------------------------------------


def test_restored_credit_names_the_redemption(shop: Any) -> None:
    shop.issue("10.00")
    redeemed = shop.redeem("8.00")
    shop.credit.restore(redeemed.entry_id, amount=usd("5.00"), key="back", reference="return-1")
    *_, restored = told(shop)
    assert isinstance(restored, CreditRestored)
    assert (restored.amount, restored.settled) == (usd("5.00"), usd("0.00"))
    assert (restored.redemption, restored.cause) == (redeemed.entry_id, "restore")
    assert restored.reference == "return-1"


def test_what_comes_back_on_the_limit_lowers_what_is_owed(shop: Any) -> None:
    shop.credit.set_limit("c-17", "USD", usd("50.00"), key="limit")
    redeemed = shop.redeem("8.00")
    shop.credit.restore(redeemed.entry_id, key="back")
    *_, restored = told(shop)
    assert isinstance(restored, CreditRestored)
    assert (restored.amount, restored.settled) == (usd("8.00"), usd("8.00"))


def test_a_new_lot_after_expiry_is_told_as_restored(shop: Any) -> None:
    shop.issue("10.00", expires=Period(days=1))
    redeemed = shop.redeem("10.00")
    shop.clock.forward(days=3)
    shop.credit.restore(redeemed.entry_id, key="back")
    assert outline(told(shop))[2:] == [("credit_restored", "USD 10.00")]


def test_what_is_restored_and_expires_at_once_is_only_told_as_expired(shop: Any) -> None:
    shop.issue("10.00", expires=Period(days=1))
    redeemed = shop.redeem("10.00")
    shop.clock.forward(days=3)
    shop.credit.restore(redeemed.entry_id, key="back", expired="expire")
    assert outline(told(shop))[2:] == [("credit_expired", "USD 10.00")]


def test_what_is_restored_in_part_to_a_lot_that_lives_is_told_in_both_ways(shop: Any) -> None:
    shop.issue("10.00", expires=Period(days=1))
    shop.issue("10.00")
    redeemed = shop.redeem("15.00")
    shop.clock.forward(days=3)
    shop.credit.restore(redeemed.entry_id, key="back", expired="expire")
    assert outline(told(shop))[3:] == [
        ("credit_restored", "USD 5.00"),
        ("credit_expired", "USD 10.00"),
    ]


def test_reinstated_credit_is_restored_and_what_ran_out_before_is_expired(shop: Any) -> None:
    lot = shop.issue("10.00", expires=Period(days=1)).lot_id
    shop.clock.forward(days=3)
    shop.correct("reinstate", lot, expires=Period(days=30))
    _, restored, expired = told(shop)
    assert isinstance(restored, CreditRestored)
    assert outline([restored, expired]) == [
        ("credit_restored", "USD 10.00"),
        ("credit_expired", "USD 10.00"),
    ]
    assert (restored.cause, restored.redemption) == ("reinstate", None)


# --- Expired ------------------------------------------------------------------------------


def test_expired_lots_are_one_message_with_the_expiry_of_each(shop: Any) -> None:
    begin = shop.clock.now
    shop.issue("5.00", expires=Period(days=1))
    shop.issue("7.00", expires=Period(days=2))
    shop.clock.forward(days=9)
    shop.credit.expire_due()
    *_, expired = told(shop)
    assert isinstance(expired, CreditExpired)
    assert (expired.amount, expired.at, expired.cause) == (usd("12.00"), shop.clock.now, "expire")
    assert [(str(part.amount), part.expires_at) for part in expired.parts] == [
        ("USD 5.00", begin + timedelta(days=1)),
        ("USD 7.00", begin + timedelta(days=2)),
    ]


def test_what_a_hold_gives_back_too_late_is_told_as_expired(shop: Any) -> None:
    shop.issue("5.00", expires=Period(days=1))
    hold = shop.hold("5.00", lapses=Period(days=5)).hold_id
    shop.clock.forward(days=3)
    shop.credit.release(hold, key="off")
    assert outline(told(shop))[1:] == [("credit_expired", "USD 5.00")]
    assert told(shop)[1].cause == "release"  # type: ignore[union-attr]  # of an entry


# --- What is not told ---------------------------------------------------------------------


def _held(shop: Any) -> None:
    hold = shop.hold("5.00").hold_id
    shop.credit.resize(hold, usd("6.00"), key="more")
    shop.credit.release(hold, key="off")
    shop.hold("5.00", lapses=Period(hours=1))
    shop.clock.forward(hours=2)
    shop.credit.release_lapsed()


def _corrected(shop: Any) -> None:
    lot = shop.account().lots[0].id
    shop.correct("adjust", lot, usd("1.00"))
    shop.correct("adjust", lot, usd("-1.00"))
    shop.correct("extend_expiry", lot, Period(days=900))
    shop.correct("revoke", lot, amount=usd("2.00"))


def _moved(shop: Any) -> None:
    shop.credit.transfer("c-17", "c-18", usd("5.00"), key="t")
    shop.credit.merge("c-17", "c-19", key="m")


def _paid_out(shop: Any) -> None:
    shop.credit.cash_out("c-17", usd("5.00"), key="cash")


def _governed(shop: Any) -> None:
    shop.credit.set_limit("c-17", "USD", usd("5.00"), key="a")
    shop.credit.set_spenders("c-17", "USD", ["ann"], key="b")
    shop.credit.freeze("c-17", "USD", key="c")
    shop.credit.reopen("c-17", "USD", key="d")


@pytest.mark.parametrize("act", [_held, _corrected, _moved, _paid_out, _governed])
def test_what_reserves_corrects_moves_or_governs_is_no_message(
    shop: Any, act: Callable[[Any], None]
) -> None:
    shop.issue("50.00", expires=Period(years=1))
    act(shop)
    for holder in ("c-17", "c-18", "c-19"):
        assert [kind for kind, _ in outline(told(shop, holder))] in ([], ["credit_issued"])


def test_a_debt_that_a_revocation_makes_and_a_merger_moves_is_not_told(shop: Any) -> None:
    shop.credit.set_limit("c-17", "USD", usd("50.00"), key="limit")
    lot = shop.issue("10.00").lot_id
    shop.redeem("10.00")
    shop.correct("revoke", lot, shortfall="owe")
    assert str(shop.account().owed) == "USD 10.00"
    shop.credit.issue("c-18", usd("1.00"), funding="refund", key="x")
    shop.credit.merge("c-17", "c-18", key="m")
    assert str(shop.account().owed) != "USD 0.00"
    expected = [("credit_issued", "USD 10.00"), ("credit_used", "USD 10.00")]
    assert outline(told(shop)) == expected
    assert outline(told(shop, "c-18")) == [("credit_issued", "USD 1.00")]


# --- By way of the feed -------------------------------------------------------------------


def test_the_feed_gives_each_message_once_under_an_id_that_stays(shop: Any) -> None:
    shop.issue("10.00", expires=Period(days=1))
    shop.redeem("4.00")
    shop.clock.forward(days=2)
    shop.credit.expire_due()
    sent: list[Message] = []

    def send(delivery: Delivery) -> None:
        sent.extend(messages_of(delivery, shop.credit.merchant))

    feed = shop.credit.feed("mailer")
    feed.run(send)
    first = [message.id for message in sent]
    assert outline(sent) == [
        ("credit_issued", "USD 10.00"),
        ("credit_used", "USD 4.00"),
        ("credit_expired", "USD 6.00"),
    ]
    assert len(set(first)) == 3
    feed.seek_beginning()
    feed.run(send)
    assert [message.id for message in sent] == first * 2
    assert sent[3:] == sent[:3]


def test_a_custom_unit_is_named_as_the_merchant_names_it(make_shop: Callable[..., Any]) -> None:
    shop = make_shop(units=(CustomUnit("MILES", 0), POINTS))
    shop.credit.issue("c-17", Money.of(500, POINTS), funding="earned", key="p")
    with shop.storage.snapshot() as reader:
        account = reader.account("acme", "c-17", "PTS")
        (entry,) = reader.journal(account)
    (message,) = messages_of_entry(entry, holder="c-17", merchant=shop.credit.merchant)
    assert isinstance(message, CreditIssued)
    assert message.amount.unit.name == "Points"
    (by_id,) = messages_of_entry(entry, holder="c-17", merchant="acme")
    assert by_id.id == message.id
    assert by_id == message


@pytest.mark.parametrize(("holder", "merchant"), [("", "acme"), ("c-17", ""), (7, "acme")])
def test_whose_message_it_is_has_to_be_said(shop: Any, holder: Any, merchant: str) -> None:
    shop.issue("10.00")
    with pytest.raises(InvalidText):
        messages_of_entry(last_entry(shop), holder=holder, merchant=merchant)
