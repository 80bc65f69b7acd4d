"""Restores: the cap, the order, the lot, and what happens to lots that have ended (A7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storecredit.errors import (
    AmountNotPositive,
    InvalidTerms,
    NotARedemption,
    RestoreExceedsRedemption,
    UnitMismatch,
    UnknownEntry,
)
from storecredit.ledger import NO_CONTEXT, Draft, EntryKind, Restore
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def restore(shop, receipt, amount=None, **more):
    given = {"key": shop.key(), **more}
    return shop.credit.restore(
        receipt.entry_id, amount=None if amount is None else usd(amount), **given
    )


def test_last_drawn_is_first_restored_into_the_same_lots(shop, moves) -> None:
    first = shop.issue("10.00", funding="promotional").lot_id
    second = shop.issue("20.00").lot_id
    spent = shop.redeem("25.00")
    part = restore(shop, spent, "18.00")
    assert moves(part) == [("restored", 1500), ("restored", 300)]
    assert part.lot_ids == (second, first)
    assert [move.of for move in part.moves] == [1, 0]
    assert shop.lots() == [("promotional", "3.00"), ("refund", "20.00")]
    rest = restore(shop, spent)
    assert (moves(rest), rest.lot_ids) == ([("restored", 700)], (first,))
    assert shop.totals() == {"issued": 3000, "redeemed": 2500, "restored": 2500, "balance": 3000}


def test_the_cap_is_what_the_redemption_took_over_any_number_of_restores(shop) -> None:
    shop.issue("50.00")
    spent = shop.redeem("30.00")
    restore(shop, spent, "10.00")
    restore(shop, spent, "5.00")
    with shop.refuses(RestoreExceedsRedemption) as refused:
        restore(shop, spent, "15.01")
    error = refused.error
    assert (error.entry_id, error.wanted) == (spent.entry_id, usd("15.01"))
    assert (error.taken, error.restored) == (usd("30.00"), usd("15.00"))
    assert "At most USD 15.00 is left" in str(error)
    restore(shop, spent)
    with shop.refuses(RestoreExceedsRedemption) as refused:
        restore(shop, spent)
    assert (refused.error.wanted, refused.error.restored) == (usd("30.00"), usd("30.00"))
    assert shop.available() == "USD 50.00"


def test_each_redemption_has_its_own_cap(shop) -> None:
    shop.issue("50.00")
    one, two = shop.redeem("10.00"), shop.redeem("20.00")
    restore(shop, one)
    with shop.refuses(RestoreExceedsRedemption):
        restore(shop, one, "0.01")
    assert restore(shop, two).amount == usd("20.00")


def test_a_capture_is_restored_like_a_redemption(shop, moves) -> None:
    shop.issue("50.00")
    hold = shop.hold("30.00").hold_id
    captured = shop.credit.capture(hold, amount=usd("20.00"), key="c")
    assert moves(restore(shop, captured)) == [("restored", 2000)]
    assert shop.available() == "USD 50.00"


@pytest.mark.parametrize("amount", ["0.00", "-1.00"])
def test_nothing_and_less_cannot_be_restored(shop, amount) -> None:
    shop.issue("50.00")
    spent = shop.redeem("30.00")
    with shop.refuses(AmountNotPositive):
        restore(shop, spent, amount)


def test_another_unit_cannot_be_restored(shop) -> None:
    shop.issue("50.00")
    spent = shop.redeem("30.00")
    with shop.refuses(UnitMismatch):
        shop.credit.restore(spent.entry_id, amount=Money.of("1.00", "EUR"), key="r")


def test_what_spent_nothing_cannot_be_restored(shop) -> None:
    issued = shop.issue("50.00")
    held = shop.hold("10.00")
    for receipt, kind in ((issued, EntryKind.ISSUE), (held, EntryKind.HOLD)):
        with shop.refuses(NotARedemption) as refused:
            restore(shop, receipt)
        assert (refused.error.entry_id, refused.error.kind) == (receipt.entry_id, kind)
    released = shop.credit.release(held.hold_id, key="r")
    with shop.refuses(NotARedemption):
        restore(shop, released)


@pytest.mark.parametrize("entry", ["", "x", None, 5, b"x", "x" * 1_000_000, "a.USD." + "0" * 32])
def test_garbage_is_an_unknown_entry(shop, entry) -> None:
    with shop.refuses(UnknownEntry) as refused:
        shop.credit.restore(entry, key="r")
    assert refused.error.entry_id == entry
    assert len(str(refused.error)) < 300


def test_the_entry_of_another_merchant_is_simply_unknown(shop) -> None:
    other = shop.open("bolt")
    other.issue("c-17", usd("50.00"), funding="refund", key="a")
    spent = other.redeem("c-17", usd("30.00"), key="b")
    with shop.refuses(UnknownEntry):
        shop.credit.restore(spent.entry_id, key="r")
    lot = other.issue("c-17", usd("1.00"), funding="refund", key="c").lot_id
    with shop.refuses(UnknownEntry):
        other.restore(lot, key="r")


@pytest.mark.parametrize("swept", [False, True])
def test_an_expired_lot_is_restored_into_a_new_one_with_a_grace_period(shop, moves, swept) -> None:
    old = shop.issue("50.00", funding="promotional", expires=Period(days=10), priority=4)
    spent = shop.redeem("30.00")
    shop.clock.forward(days=10)
    if swept:
        shop.credit.expire_due()
    receipt = restore(shop, spent)
    assert moves(receipt) == [("restored", 3000)]
    new = next(lot for lot in shop.account().lots if lot.id == receipt.lot_id)
    assert (new.id != old.lot_id, new.origin) == (True, old.lot_id)
    # Promotional value comes back as promotional, never as cash.
    assert (new.terms.funding, new.terms.priority) == ("promotional", 4)
    assert new.terms.effective_at == shop.clock.now
    assert new.terms.expires_at == shop.clock.now + timedelta(days=30)


def test_reissued_value_lives_as_long_as_the_old_lot_did(make_shop) -> None:
    shop = make_shop(restore_expired="reissue")
    shop.issue("50.00", expires=Period(days=10))
    spent = shop.redeem("50.00")
    shop.clock.forward(days=20)
    restore(shop, spent)
    assert shop.account().lots[0].terms.expires_at == shop.clock.now + timedelta(days=10)


def test_expired_value_can_be_restored_to_expire_at_once(shop, moves) -> None:
    lot = shop.issue("50.00", expires=Period(days=10))
    spent = shop.redeem("30.00")
    shop.clock.forward(days=20)
    receipt = restore(shop, spent, expired="expire")
    assert moves(receipt) == [("restored", 3000), ("expired", 3000)]
    assert receipt.lot_ids == (lot.lot_id,)
    assert shop.available() == "USD 0.00"


def test_the_command_may_name_another_rule_than_the_merchants(make_shop) -> None:
    shop = make_shop(restore_expired="expire", grace=Period(days=5))
    shop.issue("50.00", expires=Period(days=10))
    spent = shop.redeem("30.00")
    shop.clock.forward(days=20)
    restore(shop, spent, expired="grace")
    assert shop.account().lots[-1].terms.expires_at == shop.clock.now + timedelta(days=5)
    with shop.refuses(InvalidTerms) as refused:
        restore(shop, spent, expired="forgive")
    assert "one of grace, expire, reissue" in str(refused.error)


def test_a_merchant_may_ask_for_a_new_linked_lot_always(make_shop, moves) -> None:
    shop = make_shop(restore_into="new_lot")
    old = shop.issue("50.00", expires=Period(days=10))
    spent = shop.redeem("30.00")
    restore(shop, spent)
    kept, new = sorted(shop.account().lots, key=lambda lot: lot.origin or "")
    assert (kept.id, kept.remaining) == (old.lot_id, usd("20.00"))
    assert (new.origin, new.remaining, new.terms) == (old.lot_id, usd("30.00"), kept.terms)


def test_nothing_is_restored_into_a_revoked_lot(shop) -> None:
    lot = shop.issue("50.00", funding="goodwill").lot_id
    spent = shop.redeem("30.00")
    shop.correct("revoke", lot, amount=usd("20.00"))
    receipt = restore(shop, spent)
    (new,) = shop.account().lots
    assert (new.id, new.origin, new.remaining) == (receipt.lot_id, lot, usd("30.00"))
    assert new.terms.funding == "goodwill"


def test_expired_value_of_a_revoked_lot_restored_by_expire_is_gone_in_a_new_lot(
    shop, moves
) -> None:
    lot = shop.issue("50.00", expires=Period(days=10)).lot_id
    spent = shop.redeem("30.00")
    shop.correct("revoke", lot, amount=usd("20.00"))
    shop.clock.forward(days=10)
    receipt = restore(shop, spent, expired="expire")
    assert moves(receipt) == [("restored", 3000), ("expired", 3000)]
    assert lot not in receipt.lot_ids
    assert shop.account().lots == ()


def test_a_never_expiring_lot_is_restored_whenever(shop) -> None:
    lot = shop.issue("50.00").lot_id
    spent = shop.redeem("50.00")
    shop.clock.forward(days=4000)
    assert restore(shop, spent).lot_ids == (lot,)


def test_a_restore_has_to_be_given_the_entry_it_restores(shop) -> None:
    shop.issue("50.00")
    spent = shop.redeem("30.00")
    with shop.storage.snapshot() as reader:
        account = reader.account("acme", "c-17", "USD")
    command = Restore(redemption=spent.entry_id)
    assert command.names.redemptions == (spent.entry_id,)
    draft = Draft(account, shop.credit.merchant, key="r", at=shop.clock.now, context=NO_CONTEXT)
    with pytest.raises(InvalidTerms) as refused:
        command.decide(draft)
    assert refused.value.field == "entry"
