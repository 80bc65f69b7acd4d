"""Every command that chooses lots says which and why, before it is done and ever after (A3)."""

from __future__ import annotations

from typing import Any

import pytest

from storecredit.errors import (
    AccountFrozen,
    CeilingReached,
    FutureInstant,
    HoldAlreadyReleased,
    InsufficientCredit,
    InvalidTerms,
    InvalidText,
    KeyReused,
    LotHeld,
    LotNotCashable,
    ReasonAndActorRequired,
    UnitMismatch,
    UnknownEntry,
    UnknownHold,
    UnknownLot,
)
from storecredit.ledger import Because, Ceiling, Limits
from storecredit.service import Preview
from storecredit.values import ExchangeRate, Money, Period

WHO = {"actor": "ann", "reason": "a mistake"}
SHOES = Limits(categories=("shoes",))


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def told(shop, plan: Preview) -> list[tuple[str, int, Because]]:
    """Each lot by the key it was issued with, what is taken of it, and why."""
    names = {
        move.lot: entry.key
        for entry in shop.credit.journal("c-17", "USD")
        if entry.kind == "issue"
        for move in entry.moves
    }
    return [(names[use.lot], use.amount, use.because) for use in plan.uses]


def several_lots(shop) -> dict[str, Any]:
    """A lot of each sort, in the order of use but for the last."""
    issued = {
        "expired": shop.issue("1.00", key="expired", expires=Period(hours=1)),
        "gift": shop.issue("2.00", key="gift", funding="promotional", expires=Period(days=1)),
        "shoes": shop.issue("3.00", key="shoes", expires=Period(days=2), limits=SHOES),
        "refund": shop.issue("4.00", key="refund", expires=Period(days=3)),
        "held": shop.issue("5.00", key="held", expires=Period(days=4)),
        "later": shop.issue("6.00", key="later", expires=Period(days=5), effective=Period(days=4)),
        "extra": shop.issue("7.00", key="extra", funding="promotional"),
    }
    shop.hold("5.00", lot=issued["held"].lot_id, lapses=Period(days=2))
    shop.clock.forward(hours=1)
    return {name: receipt.lot_id for name, receipt in issued.items()}


def same(shop, plan: Preview, receipt: Any) -> None:
    """The preview equals the result, and the explanation both, whatever comes later."""
    assert plan.amount == receipt.amount
    assert {use.lot: use.amount for use in plan.uses if use.amount} == {
        move.lot: move.amount for move in receipt.moves if move.what not in ("expired", "lapsed")
    }
    shop.clock.forward(days=90)
    shop.credit.release_lapsed()
    shop.credit.expire_due()
    shop.credit.merge("c-17", "survivor", key="merge")
    assert shop.credit.explain(receipt.entry_id) == plan


def test_a_cash_out_takes_only_what_may_be_paid_out(shop) -> None:
    several_lots(shop)
    before = shop.dump()
    plan = shop.credit.preview_cash_out("c-17", usd("4.00"))
    assert shop.dump() == before
    assert told(shop, plan) == [
        ("expired", 0, Because.EXPIRED),
        ("gift", 0, Because.FUNDING),
        ("shoes", 0, Because.NEEDS_LINES),
        ("refund", 400, Because.USED),
        ("held", 0, Because.HELD),
        ("later", 0, Because.PENDING),
        ("extra", 0, Because.FUNDING),
    ]
    same(shop, plan, shop.credit.cash_out("c-17", usd("4.00"), key="k"))


def test_a_transfer_takes_limited_lots_like_others(shop) -> None:
    several_lots(shop)
    before = shop.dump()
    plan = shop.credit.preview_transfer("c-17", "c-18", usd("6.00"), reference="a gift")
    assert shop.dump() == before
    assert told(shop, plan) == [
        ("expired", 0, Because.EXPIRED),
        ("gift", 200, Because.USED),
        ("shoes", 300, Because.USED),
        ("refund", 100, Because.USED),
        ("held", 0, Because.HELD),
        ("later", 0, Because.PENDING),
        ("extra", 0, Because.NOT_NEEDED),
    ]
    same(shop, plan, shop.credit.transfer("c-17", "c-18", usd("6.00"), key="k").sent)


def test_a_named_lot_alone_is_transferred_and_the_preview_says_so(shop) -> None:
    lots = several_lots(shop)
    plan = shop.credit.preview_transfer("c-17", "c-18", usd("1.00"), lot=lots["extra"])
    assert [use.because for use in plan.uses] == [Because.NOT_NAMED] * 6 + [Because.USED]
    sent = shop.credit.transfer("c-17", "c-18", usd("1.00"), lot=lots["extra"], key="k").sent
    same(shop, plan, sent)


def test_a_conversion_takes_unlimited_lots(shop) -> None:
    several_lots(shop)
    rate = ExchangeRate("USD", "EUR", "0.9", on=shop.clock.now.date())
    before = shop.dump()
    plan = shop.credit.preview_convert("c-17", usd("5.00"), rate, rounding="down")
    assert shop.dump() == before
    assert told(shop, plan) == [
        ("expired", 0, Because.EXPIRED),
        ("gift", 200, Because.USED),
        ("shoes", 0, Because.NEEDS_LINES),
        ("refund", 300, Because.USED),
        ("held", 0, Because.HELD),
        ("later", 0, Because.PENDING),
        ("extra", 0, Because.NOT_NEEDED),
    ]
    same(shop, plan, shop.credit.convert("c-17", usd("5.00"), rate, rounding="down", key="k").sent)


def test_a_revocation_takes_the_named_lot_and_then_what_its_rule_reaches(shop) -> None:
    lots = several_lots(shop)
    shop.redeem("3.00", lot=lots["refund"])
    before = shop.dump()
    plan = shop.credit.preview_revoke(lots["refund"], reach="promotional", **WHO)
    assert shop.dump() == before
    assert told(shop, plan) == [
        ("refund", 100, Because.USED),
        ("expired", 0, Because.FUNDING),
        ("gift", 200, Because.USED),
        ("shoes", 0, Because.FUNDING),
        ("held", 0, Because.FUNDING),
        ("later", 0, Because.FUNDING),
        ("extra", 100, Because.USED),
    ]
    same(shop, plan, shop.credit.revoke(lots["refund"], reach="promotional", key="k", **WHO))


def test_a_revocation_of_one_lot_leaves_the_others_alone(shop) -> None:
    lots = several_lots(shop)
    plan = shop.credit.preview_revoke(lots["later"], amount=usd("2.00"), **WHO)
    assert told(shop, plan)[0] == ("later", 200, Because.USED)
    assert {use.because for use in plan.uses[1:]} == {Because.NOT_NAMED}
    same(shop, plan, shop.credit.revoke(lots["later"], amount=usd("2.00"), key="k", **WHO))


def test_the_lot_that_a_revocation_names_is_told_of_even_where_it_gives_nothing(shop) -> None:
    lot = shop.issue("5.00", key="spent", funding="promotional").lot_id
    held = shop.issue("3.00", key="held", funding="promotional").lot_id
    shop.redeem("5.00", lot=lot)
    shop.redeem("1.00", lot=held)
    shop.hold("2.00", lot=held)
    nothing = shop.credit.preview_revoke(lot, **WHO)
    assert (nothing.amount, told(shop, nothing)) == (
        usd("0.00"),
        [("spent", 0, Because.EMPTY), ("held", 0, Because.NOT_NAMED)],
    )
    assert shop.credit.revoke(lot, key="k", **WHO).shortfall == usd("5.00")
    assert shop.credit.explain(entry_of(shop, "k")) == nothing
    part = shop.credit.preview_revoke(held, held="unheld_only", **WHO)
    assert told(shop, part) == [("held", 0, Because.HELD)]
    # What is owed instead is no lot's.
    shop.credit.set_limit("c-17", "USD", usd("9.00"), key="limit")
    owing = shop.credit.preview_revoke(held, held="unheld_only", shortfall="owe", **WHO)
    assert (owing.amount, owing.on_limit) == (usd("1.00"), usd("1.00"))
    done = shop.correct("revoke", held, held="unheld_only", shortfall="owe")
    assert (done.amount, done.on_limit) == (owing.amount, owing.on_limit)


def entry_of(shop, key: str) -> str:
    return next(entry.id for entry in shop.credit.journal("c-17", "USD") if entry.key == key)


def test_a_hold_that_grows_says_what_it_adds(shop) -> None:
    several_lots(shop)
    hold = shop.hold("1.00").hold_id
    before = shop.dump()
    plan = shop.credit.preview_resize(hold, usd("4.00"))
    assert shop.dump() == before
    assert told(shop, plan) == [
        ("expired", 0, Because.EXPIRED),
        ("gift", 100, Because.USED),
        ("shoes", 0, Because.NEEDS_LINES),
        ("refund", 200, Because.USED),
        ("held", 0, Because.HELD),
        ("later", 0, Because.PENDING),
        ("extra", 0, Because.NOT_NEEDED),
    ]
    same(shop, plan, shop.credit.resize(hold, usd("4.00"), key="k"))


def test_a_hold_that_shrinks_or_stays_needs_no_lot(shop) -> None:
    shop.issue("5.00", key="a")
    shop.issue("5.00", key="b")
    hold = shop.hold("2.00").hold_id
    nothing = [("a", 0, Because.NOT_NEEDED), ("b", 0, Because.NOT_NEEDED)]
    for amount in ("1.00", "2.00"):
        plan = shop.credit.preview_resize(hold, usd(amount))
        assert (plan.amount, plan.on_limit, told(shop, plan)) == (usd("0.00"), usd("0.00"), nothing)
    done = shop.credit.resize(hold, usd("1.00"), key="k")
    assert told(shop, shop.credit.explain(done.entry_id)) == nothing


def test_a_hold_that_grows_on_the_limit_says_so(shop) -> None:
    shop.credit.set_limit("c-17", "USD", usd("9.00"), key="limit")
    shop.issue("5.00", key="a")
    hold = shop.hold("4.00").hold_id
    plan = shop.credit.preview_resize(hold, usd("7.00"))
    assert (plan.amount, plan.on_limit) == (usd("3.00"), usd("2.00"))
    assert told(shop, plan) == [("a", 100, Because.USED)]
    assert shop.credit.resize(hold, usd("7.00"), key="k").on_limit == usd("2.00")


def test_lots_that_were_spent_long_before_are_not_told_of(shop) -> None:
    shop.issue("5.00", key="spent")
    shop.redeem("5.00")
    shop.issue("5.00", key="a")
    plan = shop.credit.preview("c-17", usd("1.00"))
    assert told(shop, plan) == [("a", 100, Because.USED)]
    same(shop, plan, shop.redeem("1.00"))


def test_an_explanation_keeps_the_amounts_when_the_rules_change(make_shop) -> None:
    shop = make_shop()
    shop.issue("5.00", key="a")
    entry = shop.credit.cash_out("c-17", usd("5.00"), key="k").entry_id
    strict = shop.open(cashable=())
    why = strict.explain(entry)
    assert (why.amount, [(use.amount, use.because) for use in why.uses]) == (
        usd("5.00"),
        [(500, Because.USED)],
    )


def test_a_preview_refuses_whatever_the_command_would_on_either_side(make_shop) -> None:
    shop = make_shop(ceilings=[Ceiling(usd("30.00"))])
    lots = several_lots(shop)
    shop.issue("20.00", holder="c-18")
    rate = ExchangeRate("USD", "EUR", "0.9", on=shop.clock.now.date())
    credit, ahead = shop.credit, shop.clock.now.replace(year=2036)
    refusals = [
        (CeilingReached, lambda: credit.preview_transfer("c-17", "c-18", usd("11.00"))),
        (InvalidTerms, lambda: credit.preview_transfer("c-17", "c-17", usd("1.00"))),
        (InvalidText, lambda: credit.preview_transfer("c-17", "", usd("1.00"))),
        (InvalidText, lambda: credit.preview_transfer("", "c-18", usd("1.00"))),
        (UnknownLot, lambda: credit.preview_transfer("c-17", "c-18", usd("1.00"), lot="x")),
        (UnknownLot, lambda: credit.preview_transfer("c-17", "c-18", usd("1.00"), lot=5)),
        (InsufficientCredit, lambda: credit.preview_transfer("nobody", "c-18", usd("1.00"))),
        (UnitMismatch, lambda: credit.preview_convert("c-17", eur("1.00"), rate, rounding="down")),
        (
            InsufficientCredit,
            lambda: credit.preview_convert("c-17", usd("50.00"), rate, rounding="down"),
        ),
        (InvalidText, lambda: credit.preview_convert("", usd("1.00"), rate, rounding="down")),
        (InvalidTerms, lambda: credit.preview_convert("c-17", usd("1.00"), rate, rounding="some")),
        (LotNotCashable, lambda: credit.preview_cash_out("c-17", usd("1.00"), lot=lots["gift"])),
        (InsufficientCredit, lambda: credit.preview_cash_out("c-17", usd("4.01"))),
        (InvalidText, lambda: credit.preview_cash_out("", usd("4.01"))),
        (ReasonAndActorRequired, lambda: credit.preview_revoke(lots["gift"])),
        (LotHeld, lambda: credit.preview_revoke(lots["held"], **WHO)),
        (UnknownLot, lambda: credit.preview_revoke("x", **WHO)),
        (UnknownLot, lambda: credit.preview_revoke("a.USD." + "0" * 32, **WHO)),
        (UnknownHold, lambda: credit.preview_resize("a.USD." + "0" * 32, usd("1.00"))),
        (FutureInstant, lambda: credit.preview_cash_out("c-17", usd("1.00"), at=ahead)),
        (FutureInstant, lambda: credit.preview_transfer("c-17", "c-18", usd("1.00"), at=ahead)),
    ]
    for error, ask in refusals:
        with shop.refuses(error):
            ask()
    hold = shop.hold("1.00").hold_id
    credit.release(hold, key="release")
    with shop.refuses(HoldAlreadyReleased):
        credit.preview_resize(hold, usd("2.00"))
    credit.freeze("c-18", "USD", key="freeze")
    with shop.refuses(AccountFrozen) as refused:
        credit.preview_transfer("c-17", "c-18", usd("1.00"))
    assert refused.error.holder == "c-18"


def test_a_preview_has_no_key_and_takes_none(shop) -> None:
    shop.issue("5.00", key="preview")
    assert shop.credit.preview_cash_out("c-17", usd("5.00")).amount == usd("5.00")
    with pytest.raises(TypeError):
        shop.credit.preview_cash_out("c-17", usd("5.00"), key="k")
    with shop.refuses(KeyReused):
        shop.credit.cash_out("c-17", usd("5.00"), key="preview")


def test_what_takes_named_lots_is_not_explained(shop) -> None:
    lot = shop.issue("20.00").lot_id
    hold = shop.hold("5.00").hold_id
    captured = shop.credit.capture(hold, key="capture")
    gift = shop.credit.transfer("c-17", "c-18", usd("5.00"), key="gift")
    back = shop.credit.reverse_transfer(gift.entry_id, key="back")
    for entry in (
        captured.entry_id,
        shop.credit.restore(captured.entry_id, key="restore").entry_id,
        gift.received.entry_id,
        back.sent.entry_id,
        back.received.entry_id,
        shop.correct("adjust", lot, usd("1.00")).entry_id,
    ):
        with shop.refuses(UnknownEntry):
            shop.credit.explain(entry)


def test_a_preview_of_a_merged_holder_is_about_the_survivor(shop) -> None:
    shop.issue("5.00")
    shop.issue("3.00", holder="c-18")
    shop.credit.merge("c-17", "c-18", key="merge")
    assert shop.credit.preview("c-17", usd("8.00")).amount == usd("8.00")
    plan = shop.credit.preview_transfer("c-17", "c-19", usd("8.00"))
    sent = shop.credit.transfer("c-17", "c-19", usd("8.00"), key="k").sent
    assert shop.credit.explain(sent.entry_id) == plan
