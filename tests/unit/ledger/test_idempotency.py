"""One outcome for each key: the same request again, or a conflict that names the field (A12)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from storecredit.errors import InsufficientCredit, KeyReused, UnknownHold
from storecredit.ledger import Limits, Line
from storecredit.values import ExchangeRate, Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


EUR = Money.of("1.00", "EUR")
SHOES = Limits(categories=("shoes",))
LINES = [Line(id="1", amount=usd("9.00"), category="shoes")]
OTHER_LINES = [Line(id="1", amount=usd("9.00"), category="hats")]


@pytest.fixture
def busy(shop):
    """A shop with something of everything; `shop.ids` are the ids of it."""
    credit = shop.credit
    credit.set_limit("c-17", "USD", usd("500.00"), key="limit")
    lot = shop.issue("100.00", expires=Period(days=50), paid=usd("90.00")).lot_id
    other = shop.issue("100.00", expires=Period(days=60), paid=usd("90.00")).lot_id
    spent, spent_again = shop.redeem("30.00").entry_id, shop.redeem("30.00").entry_id
    holds = [shop.hold("5.00", reference="order 9").hold_id for _ in range(6)]
    gone = shop.issue("10.00", expires=Period(days=1)).lot_id
    shop.clock.forward(hours=2)
    shop.correct("revoke", gone)
    sent = credit.transfer("c-17", "c-18", usd("1.00"), key="sent").entry_id
    shop.credit.settle("c-17", usd("0.01"), key="x") if shop.account().owed.minor else None
    shop.ids = {
        "lot": lot,
        "other": other,
        "spent": spent,
        "spent again": spent_again,
        "holds": holds,
        "gone": gone,
        "sent": sent,
    }
    return shop


def commands(shop) -> dict[str, tuple[Any, dict[str, Any], dict[str, Any]]]:
    """By verb: the call, its arguments, and for each field another value."""
    ids, credit = shop.ids, shop.credit
    rate = ExchangeRate("USD", "EUR", "0.9", on=shop.clock.now.date())
    lapses = shop.clock.now + timedelta(hours=5)
    who = {"actor": "ann", "reason": "a mistake"}
    about = {
        "reason": "another reason",
        "reference": "another order",
        "location": "Berlin",
        "occurred_at": shop.clock.now,
        "data": {"colour": "blue"},
    }
    return {
        "issue": (
            credit.issue,
            {"holder": "c-17", "amount": usd("1.00"), "funding": "refund"},
            {
                "amount": usd("1.01"),
                "funding": "goodwill",
                "expires": Period(days=30),
                "effective": Period(days=1),
                "priority": 1,
                "limits": SHOES,
                "paid": usd("0.50"),
                **about,
            },
        ),
        "redeem": (
            credit.redeem,
            {"holder": "c-17", "amount": usd("1.00"), **who},
            {
                "amount": usd("1.01"),
                "taking": "up_to",
                "lot": ids["lot"],
                "lines": LINES,
                "exceed_limit": True,
                "spender": "bob",
                **about,
            },
        ),
        "hold": (
            credit.hold,
            {"holder": "c-17", "amount": usd("1.00"), "lines": LINES},
            {
                "amount": usd("1.01"),
                "taking": "up_to",
                "lot": ids["lot"],
                "lines": OTHER_LINES,
                "exceed_limit": True,
                "spender": "bob",
                "lapses": Period(hours=5),
                **about,
            },
        ),
        "resize": (
            credit.resize,
            {"hold": ids["holds"][0], "amount": usd("6.00")},
            {
                "hold": ids["holds"][1],
                "amount": usd("6.01"),
                "lapses": lapses,
                "exceed_limit": True,
                "spender": "bob",
                **about,
            },
        ),
        "capture": (
            credit.capture,
            {"hold": ids["holds"][2]},
            {"hold": ids["holds"][1], "amount": usd("5.00"), **about},
        ),
        "capture_part": (
            credit.capture_part,
            {"hold": ids["holds"][3], "amount": usd("1.00")},
            {"hold": ids["holds"][1], "amount": usd("1.01"), **about},
        ),
        "release": (
            credit.release,
            {"hold": ids["holds"][4]},
            {"hold": ids["holds"][1], **about},
        ),
        "release_order": (
            credit.release_order,
            {"holder": "c-17", "order": "order 9"},
            {"order": "order 10", **about},
        ),
        "restore": (
            credit.restore,
            {"redemption": ids["spent"], "amount": usd("1.00")},
            {
                "redemption": ids["spent again"],
                "amount": usd("1.01"),
                "expired": "reissue",
                **about,
            },
        ),
        "revoke": (
            credit.revoke,
            {"lot": ids["other"], "amount": usd("1.00"), "held": "unheld_only", **who},
            {
                "lot": ids["lot"],
                "amount": usd("1.01"),
                "shortfall": "owe",
                "reach": "promotional",
                "held": "refuse",
                **about,
            },
        ),
        "adjust": (
            credit.adjust,
            {"lot": ids["lot"], "by": usd("1.00"), **who},
            {"lot": ids["other"], "by": usd("-1.00"), **about},
        ),
        "extend_expiry": (
            credit.extend_expiry,
            {"lot": ids["lot"], "expires": Period(days=1), **who},
            {"lot": ids["other"], "expires": Period(days=2), **about},
        ),
        "reinstate": (
            credit.reinstate,
            {"lot": ids["gone"], "amount": usd("1.00"), **who},
            {
                "lot": ids["lot"],
                "amount": usd("1.01"),
                "expires": Period(days=9),
                **about,
            },
        ),
        "cash_out": (
            credit.cash_out,
            {"holder": "c-17", "amount": usd("1.00")},
            {"amount": usd("1.01"), "lot": ids["lot"], **about},
        ),
        "transfer": (
            credit.transfer,
            {"sender": "c-17", "receiver": "c-18", "amount": usd("1.00")},
            {"receiver": "c-19", "amount": usd("1.01"), "lot": ids["lot"], **about},
        ),
        "reverse_transfer": (credit.reverse_transfer, {"transfer": ids["sent"]}, about),
        "convert": (
            credit.convert,
            {"holder": "c-17", "amount": usd("1.00"), "rate": rate, "rounding": "down"},
            {
                "amount": usd("1.01"),
                "rate": ExchangeRate("USD", "EUR", "0.91", on=rate.on),
                "rounding": "up",
                **about,
            },
        ),
        "set_limit": (
            credit.set_limit,
            {"holder": "c-17", "unit": "USD", "limit": usd("400.00")},
            {"limit": "unlimited", **about},
        ),
        "set_spenders": (
            credit.set_spenders,
            {"holder": "c-17", "unit": "USD", "spenders": ["ann"]},
            {"spenders": ["ann", "bob"], **about},
        ),
        "freeze": (credit.freeze, {"holder": "c-17", "unit": "USD"}, about),
    }


VERBS = [
    "issue",
    "redeem",
    "hold",
    "resize",
    "capture",
    "capture_part",
    "release",
    "release_order",
    "restore",
    "revoke",
    "adjust",
    "extend_expiry",
    "reinstate",
    "cash_out",
    "transfer",
    "reverse_transfer",
    "convert",
    "set_limit",
    "set_spenders",
    "freeze",
]


@pytest.mark.parametrize("verb", VERBS)
def test_a_repeat_gives_the_first_result_again_whatever_has_happened_since(busy, verb) -> None:
    call, arguments, _ = commands(busy)[verb]
    first = call(**arguments, key="k")
    if verb != "freeze":
        busy.credit.freeze("c-17", "USD", key="freeze")
    busy.clock.forward(days=3650)
    before = busy.dump()
    # Actor, note and time are not part of the request.
    later = {"note": "again", "at": busy.clock.now, "actor": "eve"}
    again = call(**{**arguments, **later}, key="k")
    assert again == first
    for receipt in again if isinstance(again, tuple) else (again,):
        assert receipt.replayed
    assert busy.dump() == before


@pytest.mark.parametrize("verb", VERBS)
def test_another_request_is_a_conflict_that_names_the_field(busy, verb) -> None:
    call, arguments, others = commands(busy)[verb]
    call(**arguments, key="k")
    for name, value in others.items():
        with busy.refuses(KeyReused) as refused:
            call(**{**arguments, name: value}, key="k")
        assert (refused.error.key, refused.error.field) == ("k", name)
        assert refused.error.first != refused.error.now
        assert f"The key 'k' already names a request with {name}=" in str(refused.error)


def test_another_command_is_a_conflict_that_names_the_command(shop) -> None:
    shop.issue("10.00", key="k")
    with shop.refuses(KeyReused) as refused:
        shop.redeem("10.00", key="k")
    error = refused.error
    assert (error.field, error.first, error.now) == ("command", "issue", "redeem")


def test_the_fingerprint_is_the_period_and_not_its_instant(shop) -> None:
    shop.issue("10.00", expires=Period(days=30), key="k")
    shop.clock.forward(days=3)
    assert shop.issue("10.00", expires=Period(days=30), key="k").replayed
    with shop.refuses(KeyReused) as refused:
        shop.issue("10.00", expires=shop.clock.now + timedelta(days=27), key="k")
    assert refused.error.field == "expires"


def test_the_fingerprint_is_up_to_30_and_not_the_20_taken(shop) -> None:
    shop.issue("20.00")
    first = shop.redeem("30.00", taking="up_to", key="k")
    shop.issue("50.00")
    again = shop.redeem("30.00", taking="up_to", key="k")
    assert (again, again.amount) == (first, usd("20.00"))
    with shop.refuses(KeyReused) as refused:
        shop.redeem("20.00", taking="up_to", key="k")
    assert (refused.error.first, refused.error.now) == ("USD 30.00", "USD 20.00")


def test_a_default_may_be_written_out_in_a_repeat(shop) -> None:
    shop.issue("20.00", key="k")
    assert shop.issue("20.00", key="k", priority=0, expires=None, limits=None).replayed


def test_a_refused_command_leaves_no_trace_and_its_key_is_free(shop) -> None:
    with shop.refuses(InsufficientCredit):
        shop.redeem("5.00", key="k")
    with shop.refuses(InsufficientCredit):
        shop.redeem("7.00", key="k", holder="c-18")
    shop.issue("50.00")
    assert not shop.redeem("6.00", key="k").replayed


def test_a_key_is_unique_within_the_account_only(shop) -> None:
    shop.issue("5.00", key="k")
    assert not shop.issue("5.00", key="k", holder="c-18").replayed
    assert not shop.credit.issue("c-17", EUR, funding="refund", key="k").replayed
    other = shop.open("bolt")
    assert not other.issue("c-17", usd("5.00"), funding="refund", key="k").replayed


def test_the_key_is_looked_up_before_time_status_limits_and_funds(shop) -> None:
    shop.issue("5.00")
    first = shop.redeem("5.00", key="k")
    shop.credit.close("c-17", "USD", key="z")
    assert shop.redeem("5.00", key="k", at=shop.clock.now + timedelta(days=4000)) == first


def test_erased_fields_do_not_make_a_repeat_another_request(shop) -> None:
    about = {"actor": "ann", "note": "n", "data": {"a": "1"}}
    first = shop.issue("5.00", key="k", **about)
    assert shop.issue("5.00", key="k", **about).replayed
    with shop.refuses(KeyReused) as refused:
        shop.issue("5.00", key="k", actor="ann")
    assert (refused.error.field, refused.error.first, refused.error.now) == (
        "data",
        {"a": "1"},
        None,
    )
    assert shop.credit.erase(first.entry_id) == 3
    assert shop.issue("5.00", key="k", **about).replayed
    assert shop.issue("5.00", key="k").replayed


def test_the_same_ids_are_named_whenever_a_command_is_decided(make_shop) -> None:
    def run(shop) -> list[str]:
        shop.issue("50.00", key="a")
        hold = shop.hold("30.00", key="b")
        return [hold.hold_id, hold.entry_id, *hold.lot_ids]

    one, two = make_shop(), make_shop()
    two.clock.forward(days=7)
    assert run(one) == run(two)


def test_a_key_that_was_used_does_not_make_an_unknown_hold_known(shop) -> None:
    shop.issue("50.00", key="k")
    with shop.refuses(UnknownHold):
        shop.credit.capture("x", key="k")
