"""Expiry with and without the sweep, extension, reinstatement (A5, A10)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from storecredit.errors import (
    ExpiryNotLater,
    ExpiryTooEarly,
    FutureInstant,
    InvalidTerms,
    LotClosed,
    LotExhausted,
    LotExpired,
    LotNotExpired,
    ReasonAndActorRequired,
    UnknownLot,
)
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_the_sweep_records_its_own_instant_and_is_effective_at_the_lots(shop) -> None:
    expires_at = shop.clock.now + timedelta(days=10)
    lot = shop.issue("50.00", expires=expires_at).lot_id
    shop.issue("7.00")
    shop.clock.forward(days=12)
    sweep = shop.credit.expire_due()
    assert (sweep.accounts, sweep.lots, str(sweep.amount)) == (1, 1, "USD 50.00")
    entry = list(shop.credit.journal("c-17", "USD"))[-1]
    assert (entry.kind, entry.key, entry.at) == ("expire", "~expire:3", shop.clock.now)
    (move,) = entry.moves
    assert (move.lot, move.amount, move.lot_after, move.balance_after) == (lot, 5000, 0, 700)
    assert move.effective_at == expires_at
    before = shop.dump()
    assert shop.credit.expire_due().accounts == 0
    assert shop.dump() == before


def test_the_sweep_leaves_what_is_held(shop) -> None:
    shop.issue("50.00", expires=Period(days=1))
    hold = shop.hold("30.00", lapses=Period(days=5)).hold_id
    shop.clock.forward(days=1)
    assert str(shop.credit.expire_due().amount) == "USD 20.00"
    assert shop.credit.expire_due().accounts == 0
    assert shop.credit.capture(hold, key="c").amount == usd("30.00")


def test_the_sweep_works_in_batches_and_shows_progress(shop) -> None:
    for number in range(5):
        shop.issue("1.00", holder=f"h{number}", expires=Period(days=1))
    shop.clock.forward(days=1)
    seen = []
    sweep = shop.credit.expire_due(batch=2, progress=seen.append)
    assert (sweep.accounts, sweep.lots, str(sweep.amount)) == (5, 5, "USD 5.00")
    assert seen == [2, 4, 5]


@pytest.mark.parametrize("batch", [0, -1, 2.5, True])
def test_a_batch_is_a_whole_number_from_one_up(shop, batch) -> None:
    shop.issue("1.00", expires=Period(days=1))
    shop.clock.forward(days=1)
    for sweep in (shop.credit.expire_due, shop.credit.release_lapsed):
        with shop.refuses(InvalidTerms) as refused:
            sweep(batch=batch)
        assert refused.error.field == "batch"


def test_the_sweep_may_be_run_as_of_an_earlier_instant_and_not_of_a_future_one(shop) -> None:
    shop.issue("50.00", expires=Period(days=10))
    shop.clock.forward(days=20)
    assert shop.credit.expire_due(at=shop.clock.now - timedelta(days=11)).accounts == 0
    assert shop.credit.expire_due(at=shop.clock.now - timedelta(days=10)).accounts == 1
    with shop.refuses(FutureInstant):
        shop.credit.expire_due(at=shop.clock.now + timedelta(minutes=6))


@pytest.mark.parametrize("swept", [False, True])
def test_no_correction_depends_on_the_sweep(shop, swept) -> None:
    lot = shop.issue("50.00", expires=Period(days=1), paid=usd("50.00")).lot_id
    shop.clock.forward(days=1)
    if swept:
        shop.credit.expire_due()
    with shop.refuses(LotExhausted) as refused:
        shop.correct("revoke", lot)
    assert refused.error.reachable == usd("0.00")
    with shop.refuses(LotExhausted) as refused:
        shop.correct("adjust", lot, usd("-1.00"))
    assert refused.error.reachable == usd("0.00")
    # The unspent rest of an expired gift card is nothing.
    assert shop.correct("refund_bought", lot).amount == usd("0.00")
    assert shop.totals() == {"issued": 5000, "expired": 5000}


def test_extending_lets_a_lot_live_longer(shop, moves) -> None:
    lot = shop.issue("50.00", expires=Period(days=10)).lot_id
    before = shop.account().lots[0].terms.expires_at
    receipt = shop.correct("extend_expiry", lot, Period(days=5))
    assert moves(receipt) == [("terms_changed", 0)]
    # A period counts from the present expiry.
    assert shop.account().lots[0].terms.expires_at == before + timedelta(days=5)
    shop.correct("extend_expiry", lot, date(2026, 12, 31))
    assert shop.account().lots[0].terms.expires_at == datetime(2027, 1, 1, tzinfo=UTC)
    shop.correct("extend_expiry", lot, None)
    assert shop.account().lots[0].terms.expires_at is None
    with shop.refuses(ExpiryNotLater) as refused:
        shop.correct("extend_expiry", lot, Period(days=1))
    assert refused.error.expires_at is None
    assert f"Lot {lot} never expires;" in str(refused.error)


def test_an_extension_that_extends_nothing_is_refused(shop) -> None:
    expires_at = shop.clock.now + timedelta(days=10)
    lot = shop.issue("50.00", expires=expires_at).lot_id
    with shop.refuses(ExpiryNotLater) as refused:
        shop.correct("extend_expiry", lot, expires_at)
    error = refused.error
    assert (error.lot_id, error.expires_at, error.wanted) == (lot, expires_at, expires_at)
    assert "revoke it" in str(error)


def test_an_extension_comes_too_late_exactly_at_the_expiry(shop) -> None:
    expires_at = shop.clock.now + timedelta(days=10)
    lot = shop.issue("50.00", expires=expires_at).lot_id
    shop.clock.forward(days=10)
    with shop.refuses(LotExpired) as refused:
        shop.correct("extend_expiry", lot, Period(days=5))
    assert (refused.error.lot_id, refused.error.expires_at) == (lot, expires_at)
    assert "reinstate()" in str(refused.error)


def test_a_revoked_lot_is_not_extended(shop) -> None:
    lot = shop.issue("50.00", expires=Period(days=10)).lot_id
    shop.correct("revoke", lot)
    with shop.refuses(LotClosed) as refused:
        shop.correct("extend_expiry", lot, Period(days=5))
    assert refused.error.lot_id == lot


@pytest.mark.parametrize("swept", [False, True])
def test_reinstated_value_lives_again_in_its_lot(shop, moves, swept) -> None:
    lot = shop.issue("50.00", expires=Period(days=10)).lot_id
    shop.redeem("20.00")
    shop.clock.forward(days=10)
    if swept:
        shop.credit.expire_due()
    receipt = shop.correct("reinstate", lot, amount=usd("25.00"), expires=Period(days=30))
    swept_now = [] if swept else [("expired", 3000)]
    assert moves(receipt) == [*swept_now, ("terms_changed", 0), ("reinstated", 2500)]
    assert receipt.amount == usd("25.00")
    (view,) = shop.account().lots
    assert (view.id, view.remaining, view.amount) == (lot, usd("25.00"), usd("50.00"))
    assert view.terms.expires_at == shop.clock.now + timedelta(days=30)
    with shop.refuses(LotExhausted) as refused:
        shop.correct("reinstate", lot, amount=usd("5.01"))
    assert (refused.error.reachable, refused.error.doing) == (usd("5.00"), "reinstate")
    assert shop.correct("reinstate", lot).amount == usd("5.00")
    with shop.refuses(LotNotExpired) as refused:
        shop.correct("reinstate", lot)
    assert refused.error.lot_id == lot


def test_reinstated_value_needs_a_life(shop) -> None:
    lot = shop.issue("50.00", expires=Period(days=10)).lot_id
    shop.clock.forward(days=10)
    for terms in ({}, {"expires": shop.clock.now}):
        with shop.refuses(ExpiryTooEarly) as refused:
            shop.correct("reinstate", lot, **terms)
        assert refused.error.expires_at == shop.clock.now
        assert refused.error.earliest == shop.clock.now + timedelta(microseconds=1)
    shop.correct("reinstate", lot, expires=refused.error.earliest)
    assert shop.available() == "USD 50.00"


def test_reinstated_value_that_is_still_pending_lives_beyond_its_beginning(shop) -> None:
    effective = shop.clock.now + timedelta(days=10)
    lot = shop.issue("50.00", effective=effective).lot_id
    shop.correct("revoke", lot)
    with shop.refuses(ExpiryTooEarly) as refused:
        shop.correct("reinstate", lot, expires=Period(days=10))
    assert refused.error.earliest == effective + timedelta(microseconds=1)
    shop.correct("reinstate", lot, expires=Period(days=11))
    assert str(shop.account().pending) == "USD 50.00"


def test_a_revoked_lot_is_reinstated_and_open_again(shop) -> None:
    lot = shop.issue("50.00").lot_id
    spent = shop.redeem("10.00")
    shop.correct("revoke", lot, amount=usd("40.00"))
    shop.correct("reinstate", lot)
    assert shop.available() == "USD 40.00"
    assert shop.credit.restore(spent.entry_id, key="r").lot_ids == (lot,)


def test_a_part_reinstated_counts_expired_value_first(shop) -> None:
    lot = shop.issue("50.00", expires=Period(days=10)).lot_id
    shop.correct("revoke", lot, amount=usd("20.00"))
    shop.clock.forward(days=10)
    shop.correct("reinstate", lot, amount=usd("40.00"), expires=Period(days=10))
    with shop.storage.snapshot() as reader:
        account = reader.account("acme", "c-17", "USD")
    assert (account.lots[lot].expired, account.lots[lot].revoked) == (0, 1000)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("extend_expiry", (Period(days=1),)),
        ("reinstate", ()),
        ("revoke", ()),
        ("adjust", (usd("1.00"),)),
        ("refund_bought", ()),
    ],
)
def test_a_correction_needs_a_reason_and_an_actor(shop, verb, arguments) -> None:
    lot = shop.issue("50.00", expires=Period(days=10), paid=usd("50.00")).lot_id
    for about in ({}, {"actor": "ann"}, {"reason": "a mistake"}):
        with shop.refuses(ReasonAndActorRequired) as refused:
            getattr(shop.credit, verb)(lot, *arguments, key="x", **about)
        assert str(refused.error).startswith(f"To {refused.error.doing}, give both actor= and")


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("extend_expiry", (Period(days=1),)),
        ("reinstate", ()),
        ("revoke", ()),
        ("adjust", (usd("1.00"),)),
        ("refund_bought", ()),
    ],
)
@pytest.mark.parametrize("lot", ["", "x", None, 5, "x" * 1_000_000, "a.USD." + "0" * 32])
def test_an_unknown_lot_is_refused(shop, verb, arguments, lot) -> None:
    shop.issue("50.00")
    with shop.refuses(UnknownLot) as refused:
        shop.correct(verb, lot, *arguments)
    assert refused.error.lot_id == lot


def test_the_lot_of_another_merchant_is_simply_unknown(shop) -> None:
    other = shop.open("bolt")
    lot = other.issue("c-17", usd("50.00"), funding="refund", key="a").lot_id
    with shop.refuses(UnknownLot):
        shop.correct("revoke", lot)
    entry = shop.issue("1.00").entry_id
    with shop.refuses(UnknownLot):
        shop.correct("revoke", entry)
