"""Nothing is created and nothing lost: at every version and as of any instant (A1, A2)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storecredit.ledger import (
    INFLOWS,
    NO_CONTEXT,
    OUTFLOWS,
    Account,
    CashOut,
    Close,
    ConvertIn,
    ConvertOut,
    Draft,
    Expire,
    Freeze,
    Funding,
    Lapse,
    Limits,
    Lot,
    Merchant,
    MergeIn,
    MergeOut,
    Names,
    Redeem,
    ReleaseOrder,
    Reopen,
    ReverseIn,
    SetLimit,
    SetSpenders,
    Settle,
    Terms,
    TransferIn,
    TransferOut,
    imbalance,
    replay,
)
from storecredit.values import ExchangeRate, Money, Period, Rounding, convert, currency


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture
def eventful(shop):
    """A month in which everything happened to c-17 at least once."""
    credit, clock = shop.credit, shop.clock
    credit.set_limit("c-17", "USD", usd("40.00"), key="limit")
    bought = shop.issue("50.00", funding="purchased", paid=usd("45.00")).lot_id
    gift = shop.issue("20.00", funding="promotional", expires=Period(days=6)).lot_id
    shop.issue("5.00", limits=Limits(categories=("shoes",)))
    shop.issue("7.00", effective=Period(days=9))
    spent = shop.redeem("30.00").entry_id
    clock.forward(days=1)
    hold = shop.hold("80.00", reference="order 7").hold_id
    credit.capture_part(hold, usd("45.00"), key="p")
    credit.resize(hold, usd("10.00"), key="q")
    clock.forward(hours=30)
    credit.release_lapsed()
    credit.restore(spent, amount=usd("12.00"), key="r")
    clock.forward(days=5)
    credit.expire_due()
    shop.issue("25.00", funding="refund")
    shop.correct("reinstate", gift, expires=Period(days=3))
    shop.correct("adjust", bought, usd("3.00"))
    shop.correct("adjust", bought, usd("-1.00"))
    credit.transfer("c-17", "c-18", usd("4.00"), key="t")
    credit.transfer("c-18", "c-17", usd("1.00"), key="u")
    clock.forward(days=9)
    shop.credit.cash_out("c-17", usd("2.00"), key="v")
    shop.correct("refund_bought", bought)
    return shop


def test_the_parts_of_the_value_sum_to_what_the_totals_say_at_every_version(eventful) -> None:
    with eventful.storage.snapshot() as reader:
        account = reader.account("acme", "c-17", "USD")
        entries = list(reader.journal(account))
    now = Account.new(account.id, account.merchant, account.holder, account.unit)
    for entry in entries:
        now = replay(now, [entry])
        seen = eventful.account(version=now.version)
        parts = (seen.available, seen.limited, seen.held, seen.pending, seen.due)
        in_lots = sum(part.minor for part in parts)
        came = sum(now.totals[name] for name in INFLOWS)
        gone = sum(now.totals[name] for name in OUTFLOWS)
        assert came == in_lots + gone, entry.kind
        assert imbalance(now.totals) == 0
        owed = now.totals["owed_incurred"]
        assert owed == now.totals["owed_settled"] + now.totals["owed_reversed"] + seen.owed.minor
        for lot in now.lots.values():
            assert 0 <= lot.held <= lot.remaining <= lot.amount
        assert entry.moves == () or entry.moves[-1].balance_after == now.totals["balance"]


def test_value_is_conserved_as_of_any_instant_swept_or_not(eventful) -> None:
    at, end = eventful.clock.now - timedelta(days=17), eventful.clock.now
    while at <= end:
        seen = eventful.account(at=at)
        parts = (seen.available, seen.limited, seen.held, seen.pending, seen.due)
        assert sum(part.minor for part in parts) == sum(lot.remaining.minor for lot in seen.lots)
        at += timedelta(hours=7)


def test_each_command_appends_one_entry_to_each_account_it_touches(shop) -> None:
    lot = shop.issue("50.00", expires=Period(days=2)).lot_id
    versions = [shop.account().version]
    for command in (
        lambda: shop.redeem("10.00"),
        lambda: shop.hold("10.00", lapses=Period(hours=1)),
        lambda: shop.clock.forward(hours=2) and shop.issue("5.00"),
        lambda: shop.correct("extend_expiry", lot, Period(days=1)),
        lambda: shop.credit.transfer("c-17", "c-18", usd("1.00"), key="t"),
        lambda: shop.credit.close("c-18", "EUR", key="z"),
    ):
        command()
        versions.append(shop.account().version)
    assert versions == [1, 2, 3, 4, 5, 6, 6]
    assert shop.account("c-18").version == 1


def test_deciding_changes_neither_the_account_nor_the_command(shop) -> None:
    shop.issue("50.00", expires=Period(days=2))
    shop.hold("10.00", lapses=Period(hours=1))
    with shop.storage.snapshot() as reader:
        account = reader.account("acme", "c-17", "USD")
    before = account.to_json()
    draft = Draft(
        account,
        Merchant(id="acme"),
        key="k",
        at=shop.clock.now + timedelta(days=3),
        context=NO_CONTEXT,
    )
    Expire().decide(draft)
    assert account.to_json() == before
    assert draft.account.to_json() != before


@pytest.mark.parametrize(
    "command",
    [
        Expire(),
        Lapse(),
        Freeze(),
        Close(),
        Reopen(),
        ReleaseOrder(order="order 7"),
        Redeem(amount=usd("1.00")),
        CashOut(amount=usd("1.00")),
        Settle(amount=usd("1.00")),
        SetLimit(limit=None),
        SetSpenders(spenders=None),
        TransferOut(amount=usd("1.00"), receiver="w", to="w.USD"),
        TransferIn(sent="e", parcels=(), sender="w.USD"),
        MergeOut(into="w", to="w.USD"),
        MergeIn(sent="e", parcels=(), owed=0, sender="w.USD"),
    ],
    ids=lambda command: command.kind.value,
)
def test_a_command_that_names_nothing_needs_only_what_is_open(command) -> None:
    assert command.names == Names()


def test_a_conversion_needs_only_what_is_open(shop) -> None:
    rate = ExchangeRate("USD", "EUR", "0.5", on=shop.clock.now.date())
    out = ConvertOut(amount=usd("1.00"), rate=rate, rounding=Rounding.DOWN, to="w.EUR")
    conversion = convert(usd("1.00"), rate, rounding=Rounding.DOWN)
    assert out.conversion == conversion
    arriving = ConvertIn(sent="e", parcels=(), conversion=conversion, rounding=Rounding.DOWN)
    assert (out.names, arriving.names) == (Names(), Names())


def test_a_reversal_needs_what_was_reversed_before() -> None:
    command = ReverseIn(sent="e", reverses="f", parcels=(), sender="w.USD")
    assert command.names == Names(redemptions=("f",))


def test_value_that_expires_before_it_is_effective_settles_nothing(shop) -> None:
    since = shop.clock.now
    account = Account.new("0" * 32 + ".USD", "acme", "c-17", currency("USD"))
    account.last_at = since
    account.totals |= {"issued": 5, "balance": 5, "owed_incurred": 5}
    terms = Terms(
        funding=Funding.REFUND,
        effective_at=since + timedelta(days=2),
        expires_at=since + timedelta(days=1),
    )
    account.lots["l"] = Lot("l", 1, since, terms, None, 5, 5)
    draft = Draft(
        account, Merchant(id="acme"), key="k", at=since + timedelta(days=3), context=NO_CONTEXT
    )
    assert draft.account.owed == 5
    assert draft.is_empty
