"""A history that uses every command at least once, told step by step."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from storecredit.ledger import Limits, Line
from storecredit.service import Grant
from storecredit.service.about import About
from storecredit.testing.contract.scene import NOON, POINTS, Shop, usd
from storecredit.values import ExchangeRate, Money, Period

ANSWERED: Final = About(
    actor="Mia Wong",
    reason="checked with the warehouse",
    reference="ticket 77",
    location="Köln",
    note="called twice\nwants no voucher",
    data={"clerk": "m-17", "Ticket": "ÄÖ-9"},
    occurred_at=NOON - timedelta(days=2),
)
"""Everything that an entry can be told, private fields included."""


def story(shop: Shop) -> Iterator[str]:
    """Play the whole story at *shop*; yield a sentence after each step of it."""
    yield from lots_and_spending(shop)
    yield from holds(shop)
    yield from time_runs_out(shop)
    yield from corrections(shop)
    yield from debts(shop)
    yield from value_moves(shop)
    yield from accounts_end(shop)


def lots_and_spending(shop: Shop) -> Iterator[str]:
    """Issue lots of every sort, spend over several, give some back."""
    credit = shop.credit
    credit.issue("anna", usd("50.00"), funding="refund", key="a1", **ANSWERED)
    yield "a refund became credit"
    credit.issue_many(
        [
            Grant(holder="anna", amount=usd("5.00"), funding="goodwill", key="a2"),
            Grant(
                holder="anna",
                amount=usd("8.00"),
                funding="promotional",
                key="a3",
                expires=Period(days=10),
                limits=Limits(categories=("books",), share_percent=50),
            ),
            Grant(holder="ben", amount=Money.of_minor(900, POINTS), funding="earned", key="b1"),
        ]
    )
    yield "three lots were given at once"
    credit.issue("anna", usd("4.00"), funding="earned", effective=Period(days=20), key="a4")
    yield "a lot waits for its day"
    credit.issue("anna", usd("20.00"), funding="purchased", paid=usd("18.00"), key="a5", priority=5)
    yield "a lot was bought below its face value"
    books = [Line(id="1", amount=usd("30.00"), category="books")]
    spent = credit.redeem("anna", usd("30.00"), lines=books, key="a6", reference="order 1")
    yield "an order was paid from several lots"
    credit.restore(spent.entry_id, amount=usd("10.00"), key="a7")
    yield "a part of the order came back"
    credit.redeem("ben", Money.of_minor(900, POINTS), key="b2")
    yield "the last point was spent"


def holds(shop: Shop) -> Iterator[str]:
    """Reserve, resize, capture in parts, release, and let time release."""
    credit = shop.credit
    hold = credit.hold("anna", usd("12.00"), reference="order 2", key="a8").hold_id
    yield "value was reserved"
    credit.resize(hold, usd("15.00"), key="a9")
    yield "more was reserved"
    credit.resize(hold, usd("9.00"), key="a10")
    yield "less was reserved"
    credit.capture_part(hold, usd("4.00"), key="a11")
    yield "a first parcel was paid"
    credit.capture(hold, amount=usd("3.00"), key="a12")
    yield "the last parcel was paid and the rest released"
    credit.release(credit.hold("anna", usd("1.00"), key="a13").hold_id, key="a14")
    yield "a reservation was given up"
    credit.hold("anna", usd("2.00"), reference="order 3", key="a15")
    credit.release_order("anna", "order 3", key="a16")
    yield "an order was cancelled"
    credit.hold("anna", usd("6.00"), key="a17", lapses=Period(hours=1))
    shop.clock.advance(Period(hours=1))
    credit.release_lapsed()
    yield "a reservation ran out"


def time_runs_out(shop: Shop) -> Iterator[str]:
    """Let lots expire, restore into one that has, and bring one back."""
    credit = shop.credit
    lot = credit.issue("carl", usd("9.00"), funding="goodwill", expires=Period(days=3), key="c1")
    spent = credit.redeem("carl", usd("7.00"), lot=lot.lot_id, key="c2")
    credit.hold("carl", usd("1.00"), lapses=Period(days=6), key="c3")
    shop.clock.advance(Period(days=3))
    credit.expire_due()
    yield "what was not reserved expired"
    credit.restore(spent.entry_id, amount=usd("5.00"), key="c4")
    yield "value came back into a new lot, because its own had expired"
    credit.restore(spent.entry_id, expired="expire", key="c5")
    yield "the rest came back and expired at once"
    credit.reinstate(lot.lot_id, expires=date(2026, 12, 31), key="c6", **ANSWERED)
    yield "expired value was brought back by a decision"


def corrections(shop: Shop) -> Iterator[str]:
    """Adjust, extend, revoke, cash out, refund a purchase, erase, rename."""
    credit = shop.credit
    lot = credit.issue("dora", usd("30.00"), funding="refund", expires=Period(days=30), key="d1")
    credit.adjust(lot.lot_id, usd("2.50"), key="d2", **ANSWERED)
    yield "a lot was adjusted up"
    down = credit.adjust(lot.lot_id, usd("-1.25"), key="d3", **ANSWERED)
    yield "a lot was adjusted down"
    credit.extend_expiry(lot.lot_id, Period(days=30), key="d4", **ANSWERED)
    yield "a lot lives longer"
    credit.revoke(lot.lot_id, amount=usd("10.00"), key="d5", **ANSWERED)
    yield "a part was revoked"
    other = credit.issue("dora", usd("3.00"), funding="deposit", key="d6")
    credit.cash_out("dora", usd("2.00"), lot=other.lot_id, key="d7")
    yield "value was paid out"
    bought = credit.issue("dora", usd("10.00"), funding="purchased", paid=usd("9.00"), key="d8")
    credit.refund_bought(bought.lot_id, key="d9", **ANSWERED)
    yield "a bought lot was refunded"
    credit.erase(down.entry_id, fields=["actor", "data"])
    yield "names were erased"
    credit.pseudonymise("dora", "holder-4711")
    yield "a holder got a pseudonym"


def debts(shop: Shop) -> Iterator[str]:
    """Owe, reserve on the limit, pay, and let arriving value pay."""
    credit = shop.credit
    credit.set_limit("shared", "USD", usd("100.00"), key="s1")
    credit.set_spenders("shared", "USD", ["ben", "anna"], key="s2")
    yield "a company may owe"
    credit.redeem("shared", usd("60.00"), spender="anna", key="s3")
    yield "it owes"
    hold = credit.hold("shared", usd("25.00"), spender="ben", key="s4").hold_id
    credit.capture(hold, amount=usd("20.00"), key="s5")
    yield "it owes more, by way of a hold"
    credit.settle("shared", usd("35.00"), key="s6")
    yield "it paid a part"
    credit.issue("shared", usd("50.00"), funding="refund", key="s7")
    yield "a refund paid the rest"
    credit.set_limit("shared", "USD", "unlimited", key="s8")
    credit.set_spenders("shared", "USD", None, key="s9")
    yield "limits were lifted"


def value_moves(shop: Shop) -> Iterator[str]:
    """Transfer, reverse, convert."""
    credit = shop.credit
    sent = credit.transfer("anna", "erin", usd("6.00"), key="a20", **ANSWERED)
    yield "value went to somebody new"
    credit.reverse_transfer(sent.entry_id, key="e1")
    yield "and came back"
    credit.transfer("anna", "erin", usd("2.00"), key="a21")
    rate = ExchangeRate("USD", POINTS, "33.4", on=date(2026, 3, 1))
    credit.convert("anna", usd("3.33"), rate, rounding="down", key="a22")
    yield "dollars became points"


def accounts_end(shop: Shop) -> Iterator[str]:
    """Freeze, reopen, close, merge; and spend what was restored after a merger."""
    credit = shop.credit
    credit.freeze("erin", "USD", key="e2")
    yield "an account was frozen"
    credit.reopen("erin", "USD", key="e3")
    yield "and opened again"
    spent = credit.redeem("erin", usd("1.00"), key="e4")
    credit.merge("erin", "anna", key="m1")
    yield "two holders became one"
    credit.restore(spent.entry_id, key="m2")
    yield "an old redemption was restored to the survivor"
    credit.close("ben", "PTS", key="b3")
    yield "an empty account was closed"
