"""Transfers between holders of one merchant, and their reversal (A17)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storecredit.errors import (
    AccountFrozen,
    AmountNotPositive,
    AmountOutOfRange,
    InsufficientCredit,
    InvalidTerms,
    InvalidText,
    KeyReused,
    NotATransfer,
    TransferAlreadyReversed,
    UnitRedefined,
    UnknownEntry,
    UnknownLot,
)
from storecredit.ledger import NO_CONTEXT, Draft, Names, ReverseIn
from storecredit.values import CustomUnit, Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def transfer(shop, amount, *, sender="c-17", receiver="c-18", **more):
    given = {"key": shop.key(), **more}
    return shop.credit.transfer(sender, receiver, usd(amount), **given)


def test_a_transfer_moves_value_with_funding_and_terms(shop, moves) -> None:
    lot = shop.issue("10.00", funding="promotional", expires=Period(days=9), priority=-2).lot_id
    shop.issue("20.00")
    receipt = transfer(shop, "15.00", reference="a gift")
    sent, received = receipt.sent, receipt.received
    assert moves(sent) == [("transferred_out", 1000), ("transferred_out", 500)]
    assert moves(received) == [("transferred_in", 1000), ("transferred_in", 500)]
    assert (sent.amount, received.amount) == (usd("15.00"), usd("15.00"))
    assert (sent.entry.facts["to"], received.entry.facts["from"]) == (
        received.entry.account,
        sent.entry.account,
    )
    # Linked, in one transaction, with the library's own key on the far side.
    assert received.entry.key == f"~from:{sent.entry_id}"
    assert received.entry.context == sent.entry.context
    given, _ = shop.account("c-18").lots
    assert (given.origin, given.terms.funding, given.terms.priority) == (lot, "promotional", -2)
    assert given.terms.expires_at == shop.clock.now + timedelta(days=9)
    assert (shop.available(), shop.available("c-18")) == ("USD 15.00", "USD 15.00")


def test_a_named_lot_alone_is_transferred(shop) -> None:
    shop.issue("10.00", expires=Period(days=1))
    lot = shop.issue("20.00").lot_id
    assert transfer(shop, "15.00", lot=lot).sent.lot_ids == (lot,)
    with shop.refuses(UnknownLot):
        transfer(shop, "1.00", lot="x")


def test_pending_and_expired_value_is_not_transferred(shop) -> None:
    shop.issue("10.00", expires=Period(days=1))
    shop.issue("20.00", effective=Period(days=5))
    shop.clock.forward(days=1)
    with shop.refuses(InsufficientCredit) as refused:
        transfer(shop, "0.01")
    assert (refused.error.doing, refused.error.reachable) == ("transfer", usd("0.00"))


@pytest.mark.parametrize("amount", ["0.00", "-1.00"])
def test_nothing_and_less_is_not_transferred(shop, amount) -> None:
    shop.issue("10.00")
    with shop.refuses(AmountNotPositive):
        transfer(shop, amount)


def test_a_holder_cannot_send_to_himself(shop) -> None:
    shop.issue("10.00")
    with shop.refuses(InvalidTerms) as refused:
        transfer(shop, "1.00", receiver="c-17")
    assert refused.error.field == "the two accounts"


def test_an_unknown_sender_has_nothing(shop) -> None:
    with shop.refuses(InsufficientCredit):
        transfer(shop, "1.00", sender="nobody", receiver="somebody")


@pytest.mark.parametrize(("sender", "receiver"), [("", "c-18"), ("c-17", "")])
def test_both_have_to_be_holders(shop, sender, receiver) -> None:
    shop.issue("10.00")
    with shop.refuses(InvalidText):
        transfer(shop, "1.00", sender=sender, receiver=receiver)


def test_neither_side_may_be_frozen(shop) -> None:
    shop.issue("10.00")
    shop.issue("10.00", holder="c-18")
    for holder in ("c-17", "c-18"):
        shop.credit.freeze(holder, "USD", key="f")
        with shop.refuses(AccountFrozen) as refused:
            transfer(shop, "1.00")
        assert (refused.error.holder, refused.error.unit) == (holder, "USD")
        shop.credit.reopen(holder, "USD", key="g")
    assert transfer(shop, "1.00").sent.changed


def test_the_receivers_debt_is_settled_first(shop, moves) -> None:
    shop.issue("10.00")
    shop.credit.set_limit("c-18", "USD", usd("50.00"), key="l")
    shop.redeem("4.00", holder="c-18")
    receipt = transfer(shop, "10.00")
    assert moves(receipt.received) == [
        ("transferred_in", 1000),
        ("settled", 400),
        ("owed_settled", 400),
    ]
    assert shop.available("c-18") == "USD 6.00"


def test_the_senders_debt_is_not_sent_away(shop) -> None:
    shop.issue("20.00")
    hold = shop.hold("20.00").hold_id
    shop.redeem("15.00", exceed_limit=True, actor="ann", reason="a good customer")
    shop.credit.release(hold, key="r")
    with shop.refuses(InsufficientCredit) as refused:
        transfer(shop, "5.01")
    assert refused.error.reachable == usd("5.00")


def test_a_receiver_that_would_hold_too_much_takes_nothing(shop) -> None:
    shop.credit.issue("c-18", Money.of_minor(2**63 - 1, "USD"), funding="refund", key="a")
    shop.issue("10.00")
    with shop.refuses(AmountOutOfRange):
        transfer(shop, "0.01")


def test_a_repeat_is_answered_with_both_sides_whatever_has_happened_since(shop) -> None:
    shop.issue("10.00")
    first = transfer(shop, "5.00", key="t")
    transfer(shop, "5.00", sender="c-18", receiver="c-17")
    shop.credit.freeze("c-17", "USD", key="f")
    before = shop.dump()
    again = transfer(shop, "5.00", key="t")
    assert again.replayed
    assert again == first
    assert shop.dump() == before
    with shop.refuses(KeyReused) as refused:
        transfer(shop, "5.00", key="t", receiver="c-19")
    assert refused.error.field == "receiver"


def test_a_unit_has_the_same_digits_on_both_sides(shop) -> None:
    whole, fine = CustomUnit("PTS", 0), CustomUnit("PTS", 2)
    shop.credit.issue("c-17", Money.of("10", whole), funding="earned", key="a")
    shop.credit.issue("c-18", Money.of("10", fine), funding="earned", key="a")
    with shop.refuses(UnitRedefined) as refused:
        shop.credit.transfer("c-17", "c-18", Money.of("1", whole), key="t")
    assert (refused.error.stored, refused.error.declared) == (2, 0)


def test_a_reversal_is_a_new_linked_pair(shop, moves) -> None:
    shop.issue("10.00", funding="promotional")
    shop.issue("20.00")
    sent = transfer(shop, "15.00")
    back = shop.credit.reverse_transfer(sent.entry_id, key="r", reference="mistake")
    assert moves(back.sent) == [("transferred_out", 1000), ("transferred_out", 500)]
    assert moves(back.received) == [("transferred_in", 1000), ("transferred_in", 500)]
    assert [move.of for move in back.received.moves] == [0, 1]
    assert back.received.entry.facts["redemption"] == sent.entry_id
    assert (shop.available(), shop.available("c-18")) == ("USD 30.00", "USD 0.00")
    assert {lot.terms.funding for lot in shop.account().lots} == {"promotional", "refund"}
    again = shop.credit.reverse_transfer(sent.entry_id, key="r", reference="mistake")
    assert (again.replayed, again == back) == (True, True)
    with shop.refuses(TransferAlreadyReversed) as refused:
        shop.credit.reverse_transfer(sent.entry_id, key="s")
    assert refused.error.entry_id == sent.entry_id


def test_a_reversal_can_be_reversed(shop) -> None:
    shop.issue("20.00")
    sent = transfer(shop, "15.00")
    back = shop.credit.reverse_transfer(sent.entry_id, key="r")
    shop.credit.reverse_transfer(back.entry_id, key="s")
    assert (shop.available(), shop.available("c-18")) == ("USD 5.00", "USD 15.00")


def test_a_transfer_that_is_spent_or_held_in_part_is_not_reversed(shop) -> None:
    shop.issue("20.00")
    sent = transfer(shop, "15.00")
    hold = shop.hold("4.00", holder="c-18").hold_id
    with shop.refuses(InsufficientCredit) as refused:
        shop.credit.reverse_transfer(sent.entry_id, key="r")
    error = refused.error
    assert (error.doing, error.wanted) == ("reverse the transfer of", usd("15.00"))
    assert error.reachable == usd("11.00")
    shop.credit.release(hold, key="x")
    shop.redeem("0.01", holder="c-18")
    shop.issue("50.00", holder="c-18")
    # Other value of the receiver does not stand in for it.
    with shop.refuses(InsufficientCredit):
        shop.credit.reverse_transfer(sent.entry_id, key="r")


@pytest.mark.parametrize("swept", [False, True])
def test_a_transfer_whose_value_has_expired_is_not_reversed(shop, swept) -> None:
    shop.issue("20.00", expires=Period(days=1))
    sent = transfer(shop, "15.00")
    shop.clock.forward(days=1)
    if swept:
        shop.credit.expire_due()
    with shop.refuses(InsufficientCredit) as refused:
        shop.credit.reverse_transfer(sent.entry_id, key="r")
    assert refused.error.reachable == usd("0.00")


def test_only_the_sending_side_of_a_transfer_is_reversed(shop) -> None:
    issued = shop.issue("20.00")
    sent = transfer(shop, "15.00")
    for entry, kind in ((issued.entry_id, "issue"), (sent.received.entry_id, "transfer_in")):
        with shop.refuses(NotATransfer) as refused:
            shop.credit.reverse_transfer(entry, key="r")
        assert (refused.error.entry_id, refused.error.kind) == (entry, kind)
    for garbage in ("", "x", None, 5, "x" * 1_000_000, "a.USD." + "0" * 32, issued.lot_id):
        with shop.refuses(UnknownEntry):
            shop.credit.reverse_transfer(garbage, key="r")


def test_the_far_side_of_a_reversal_refuses_a_second_one_by_itself(shop) -> None:
    shop.issue("20.00")
    sent = transfer(shop, "15.00")
    shop.credit.reverse_transfer(sent.entry_id, key="r")
    with shop.storage.snapshot() as reader:
        names = Names(redemptions=(sent.entry_id,))
        account = reader.account("acme", "c-17", "USD", names=names)
    assert account.restored == {sent.entry_id: {0: 1500}}
    draft = Draft(account, shop.credit.merchant, key="s", at=shop.clock.now, context=NO_CONTEXT)
    command = ReverseIn(sent="e", reverses=sent.entry_id, parcels=(), sender="w.USD")
    with pytest.raises(TransferAlreadyReversed) as refused:
        command.decide(draft)
    assert refused.value.entry_id == sent.entry_id


def test_neither_side_of_a_reversal_may_be_frozen(shop) -> None:
    shop.issue("20.00")
    sent = transfer(shop, "15.00")
    for holder in ("c-17", "c-18"):
        shop.credit.freeze(holder, "USD", key="f")
        with shop.refuses(AccountFrozen):
            shop.credit.reverse_transfer(sent.entry_id, key="r")
        shop.credit.reopen(holder, "USD", key="g")
