"""Sequences of sound commands that together must not give, or take, value twice."""

from datetime import date

import pytest

from storecredit import (
    Ceiling,
    CustomUnit,
    ExchangeRate,
    Limits,
    Line,
    Merchant,
    Money,
    Period,
    Rounding,
    StoreCredit,
)
from storecredit.errors import (
    CeilingReached,
    ChannelNotDeclared,
    ExpiryNotLater,
    ExpiryTooEarly,
    InsufficientCredit,
    KeyReused,
    LotExhausted,
    UnitWithdrawn,
    UnknownCurrency,
)
from storecredit.ledger import Because
from storecredit.storage import MemoryStorage
from storecredit.values import Currency, require_issuable


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def limited_to(shop, amount: str) -> None:
    shop.credit.set_limit("c-17", "USD", usd(amount), key=shop.key())


def test_a8_a_grant_is_clawed_back_once(shop) -> None:
    limited_to(shop, "0.00")
    lot = shop.issue("50.00", funding="promotional").lot_id
    shop.redeem("50.00")
    assert shop.correct("revoke", lot, shortfall="owe").shortfall == usd("50.00")
    assert shop.account().owed == usd("50.00")
    with shop.refuses(LotExhausted) as refused:
        shop.correct("revoke", lot, shortfall="owe")
    assert refused.error.reachable == usd("0.00")


def test_a8_other_lots_answer_for_a_grant_once(shop) -> None:
    spent = shop.issue("10.00", funding="promotional").lot_id
    shop.redeem("10.00", lot=spent)
    shop.issue("10.00", funding="promotional")
    assert shop.correct("revoke", spent, reach="promotional").amount == usd("10.00")
    shop.issue("10.00", funding="promotional")
    with shop.refuses(LotExhausted):
        shop.correct("revoke", spent, reach="promotional")
    assert shop.available() == "USD 10.00"


def test_a8_a_second_revocation_takes_what_is_left(shop) -> None:
    lot = shop.issue("10.00", funding="promotional").lot_id
    shop.correct("revoke", lot, amount=usd("3.00"))
    shop.redeem("2.00")
    with shop.refuses(LotExhausted) as refused:
        shop.correct("revoke", lot, amount=usd("5.01"))
    assert refused.error.reachable == usd("5.00")
    assert shop.correct("revoke", lot).amount == usd("5.00")


def test_a7_promotional_value_that_settled_a_debt_never_becomes_cash(shop) -> None:
    limited_to(shop, "50.00")
    spent = shop.redeem("30.00")
    shop.issue("30.00", funding="promotional", expires=Period(days=9))
    assert shop.account().owed == usd("0.00")
    shop.credit.restore(spent.entry_id, key="back")
    assert shop.lots() == [("goodwill", "30.00")]
    with shop.refuses(InsufficientCredit):
        shop.credit.cash_out("c-17", usd("0.01"), key="out")


def test_a7_what_was_settled_from_outside_comes_back_as_a_refund(shop) -> None:
    limited_to(shop, "50.00")
    spent = shop.redeem("30.00")
    shop.credit.settle("c-17", usd("20.00"), key="paid")
    restored = shop.credit.restore(spent.entry_id, key="back")
    assert restored.amount == usd("30.00")
    assert shop.account().owed == usd("0.00")
    assert shop.lots() == [("refund", "20.00")]


def test_a7_what_expired_comes_back_into_a_revoked_lot_without_opening_it(shop) -> None:
    lot = shop.issue("50.00", expires=Period(days=9)).lot_id
    spent = shop.redeem("10.00")
    shop.correct("revoke", lot, amount=usd("5.00"))
    shop.clock.forward(days=9)
    shop.correct("reinstate", lot, amount=usd("1.00"), expires=Period(days=9))
    restored = shop.credit.restore(spent.entry_id, key="back")
    assert restored.lot_id != lot
    # With all of it reinstated, the revoked part too, the lot is as good as before.
    shop.correct("reinstate", lot, expires=Period(days=9))
    again = shop.redeem("20.00", lot=lot)
    assert shop.credit.restore(again.entry_id, key="again").lot_id == lot


def test_a1_the_lot_of_a_receipt_is_the_one_that_was_issued(shop) -> None:
    first = shop.issue("50.00")
    shop.hold("10.00", lapses=Period(minutes=5))
    shop.clock.forward(minutes=6)
    second = shop.issue("7.00")
    assert [move.what for move in second.moves] == ["lapsed", "issued"]
    assert second.lot_id != first.lot_id
    assert shop.correct("revoke", second.lot_id).amount == usd("7.00")


def test_a12_nobody_and_everybody_are_different_lists_of_spenders(shop) -> None:
    shop.credit.set_spenders("c-17", "USD", [], key="list")
    with shop.refuses(KeyReused) as refused:
        shop.credit.set_spenders("c-17", "USD", None, key="list")
    assert refused.error.field == "spenders"


def test_a10_a_reinstatement_shortens_no_life(shop) -> None:
    lot = shop.issue("50.00", expires=Period(days=30)).lot_id
    shop.correct("revoke", lot, amount=usd("10.00"))
    with shop.refuses(ExpiryNotLater):
        shop.correct("reinstate", lot, expires=Period(days=1))
    shop.correct("reinstate", lot, expires=Period(days=30))
    assert shop.available() == "USD 50.00"


def test_a11_a_reinstatement_keeps_the_minimum_life_and_the_ceiling(shop) -> None:
    shop.credit = shop.open(
        minimum_life={"purchased": Period(years=5)}, ceilings=[Ceiling(usd("50.00"))]
    )
    lot = shop.issue("50.00", funding="purchased", expires=Period(years=5)).lot_id
    shop.correct("revoke", lot)
    with shop.refuses(ExpiryTooEarly):
        shop.correct("reinstate", lot, expires=Period(days=1))
    shop.correct("reinstate", lot, amount=usd("1.00"), expires=Period(years=5))
    assert shop.account().lots[0].terms.expires_at == shop.clock.now.replace(year=2031)
    shop.issue("49.00")
    with shop.refuses(CeilingReached):
        shop.correct("reinstate", lot)


def test_a16_no_command_names_a_foreign_channel(shop) -> None:
    shop.credit = shop.open(channels=["web"])
    shop.issue("50.00")
    hold = shop.hold("10.00", channel="web").hold_id
    with shop.refuses(ChannelNotDeclared):
        shop.credit.capture(hold, key="c", channel="till of another")
    with shop.refuses(ChannelNotDeclared):
        shop.issue("1.00", channel="till of another")
    assert shop.credit.capture(hold, key="c", channel="web").amount == usd("10.00")


def test_a4_limited_value_is_not_paid_out(shop) -> None:
    shop.issue("20.00", limits=Limits(categories=["books"]))
    with shop.refuses(InsufficientCredit):
        shop.credit.cash_out("c-17", usd("20.00"), key="out")


def test_a7_a_bought_lot_that_covers_a_debt_is_not_refunded(shop) -> None:
    limited_to(shop, "50.00")
    lot = shop.issue("50.00", funding="purchased", paid=usd("40.00")).lot_id
    shop.redeem("80.00")
    shop.issue("1.00", funding="purchased", paid=usd("1.00"))
    limited_to(shop, "0.00")
    bought = shop.issue("40.00", funding="purchased", paid=usd("30.00"))
    assert bought.settled == usd("29.00")
    held_back = bought.lot_id
    gift = shop.issue("20.00", funding="promotional").lot_id
    shop.redeem("20.00", lot=gift)
    shop.correct("revoke", gift, shortfall="owe")
    with shop.refuses(InsufficientCredit):
        shop.correct("refund_bought", held_back)
    shop.credit.settle("c-17", usd("20.00"), key="paid")
    refunded = shop.correct("refund_bought", held_back)
    assert refunded.amount == usd("11.00")
    assert refunded.entry.facts["paid"] == {
        "money": {"amount": "30.00", "unit": "USD"},
        "face": 4000,
    }
    assert lot != held_back


def test_v3_prices_survive_many_conversions_and_an_export(shop, tmp_path) -> None:
    points = CustomUnit("PTS", 4)
    merchant = Merchant(id="acme", units=(points,))
    credit = StoreCredit(MemoryStorage(), merchant, clock=shop.clock)
    credit.issue(
        "c-17", usd("91234.57"), funding="purchased", paid=Money.of("81099.99", "EUR"), key="buy"
    )
    there = ExchangeRate("USD", points, "97.123457", on=date(2026, 3, 2))
    back = ExchangeRate(points, "USD", "0.010296170", on=date(2026, 3, 2))
    for step in range(6):
        left = credit.account("c-17", "USD").available
        part = left.multiplied_by("0.37", rounding=Rounding.DOWN)
        credit.convert("c-17", part, there, rounding=Rounding.DOWN, key=f"there-{step}")
        left = credit.account("c-17", points).available
        part = left.multiplied_by("0.71", rounding=Rounding.DOWN)
        credit.convert("c-17", part, back, rounding=Rounding.DOWN, key=f"back-{step}")
    credit.export_journal(tmp_path / "ledger.jsonl")
    copy = StoreCredit(MemoryStorage(), merchant, clock=shop.clock)
    copy.import_journal(tmp_path / "ledger.jsonl")
    assert copy.wallet("c-17") == credit.wallet("c-17")
    assert copy.verify().ok


def test_a3_an_unused_lot_says_what_kept_it_back(shop) -> None:
    books = Limits(categories=["books"])
    shop.issue("10.00", limits=books)
    shop.issue("10.00", limits=books)
    limited_to(shop, "50.00")
    line = Line(id="1", amount=usd("10.00"), category="books")
    other = Line(id="2", amount=usd("10.00"), category="food")
    seen = shop.credit.preview("c-17", usd("20.00"), lines=[line, other])
    assert [use.because for use in seen.uses] == [Because.USED, Because.NO_LINE_LEFT]
    assert seen.on_limit == usd("10.00")


def test_a9_a_lot_that_covers_a_debt_says_so(shop) -> None:
    limited_to(shop, "0.00")
    gift = shop.issue("20.00", funding="promotional").lot_id
    shop.redeem("20.00")
    first, second = shop.issue("10.00").lot_id, shop.issue("20.00").lot_id
    shop.correct("revoke", gift, shortfall="owe")
    seen = shop.credit.preview("c-17", usd("30.00"), taking="up_to")
    assert seen.amount == usd("10.00")
    assert [(use.lot, use.because) for use in seen.uses] == [
        (first, Because.USED),
        (second, Because.COVERS_DEBT),
    ]


@pytest.mark.parametrize("made_up", [Currency("USD", 4, "x"), Currency("QQQ", 2, "Quux")])
def test_v4_a_made_up_currency_is_no_currency(made_up: Currency) -> None:
    with pytest.raises(UnknownCurrency):
        Money.of("1.00", made_up)
    with pytest.raises(UnknownCurrency):
        Money(100, made_up)


def test_v4_a_withdrawn_currency_is_withdrawn_whatever_is_said_of_it() -> None:
    with pytest.raises(UnitWithdrawn):
        require_issuable(Currency("DEM", 2, "Mark"))
