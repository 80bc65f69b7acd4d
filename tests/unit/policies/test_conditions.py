"""When rules hold: what is not said does not matter, and all that is said must hold (P2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from storecredit.errors import InvalidTerms, InvalidText
from storecredit.policies import (
    Condition,
    OfferKind,
    Policy,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    Since,
    When,
    Who,
)
from storecredit.tenders import LineKind
from storecredit.values import Money, Period

Ask = Callable[..., ReturnRequest]
Make = Callable[..., Policy]


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def a_line(**changes: Any) -> ReturnLine:
    return ReturnLine(**{"id": "1", "external": eur("5.00"), **changes})


@pytest.fixture
def missing(ask: Ask, policy: Make) -> Callable[..., str | None]:
    """Tell what keeps conditions from holding, or None where they hold."""

    def asked(when: When, *lines: ReturnLine, **facts: Any) -> str | None:
        made = policy(RefundRule(id="rule", when=when, offer=["money"]))
        (reasons, *_) = made.offers(ask(*lines, **facts)).reasons
        assert len(reasons.passed) + len(reasons.fired) == 1
        return reasons.passed[0].because if reasons.passed else None

    return asked


def test_nothing_said_always_holds(missing) -> None:
    assert missing(When()) is None


ABOUT_THE_REQUEST = [
    # condition, fact that holds, fact that does not, what is missing then
    (
        {"merchants": ["acme", "brand"]},
        {"merchant": "brand"},
        {"merchant": "other"},
        "the merchant is other",
    ),
    ({"channels": ["web"]}, {"channel": "web"}, {"channel": "till"}, "the channel is till"),
    ({"channels": ["web"]}, {"channel": "web"}, {"channel": None}, "no channel is known"),
    (
        {"jurisdictions": ["DE"]},
        {"jurisdiction": "DE"},
        {"jurisdiction": "FR"},
        "the jurisdiction is FR",
    ),
    ({"jurisdictions": ["DE"]}, {"jurisdiction": "DE"}, {}, "no jurisdiction is known"),
    (
        {"segments": ["gold", "staff"]},
        {"segments": ["new", "staff"]},
        {"segments": ["new"]},
        "the holder is in none of the groups",
    ),
    ({"holder": "guest"}, {"holder": None}, {"holder": "c"}, "the holder is registered"),
    ({"holder": Who.REGISTERED}, {"holder": "c"}, {"holder": None}, "it is a guest"),
    ({"gift": True}, {"buyer": "c-18"}, {"buyer": "c-17"}, "it is no gift"),
    ({"gift": False}, {}, {"buyer": "c-18"}, "it is a gift"),
    ({"receipt": True}, {}, {"receipt": False}, "there is no receipt"),
    ({"receipt": False}, {"receipt": False}, {}, "there is a receipt"),
]


@pytest.mark.parametrize(("said", "holds", "fails", "because"), ABOUT_THE_REQUEST)
def test_a_condition_about_the_request(
    missing, said: dict[str, Any], holds: dict[str, Any], fails: dict[str, Any], because: str
) -> None:
    assert missing(When(**said), **holds) is None
    assert missing(When(**said), **fails) == because


ABOUT_THE_LINE = [
    ({"kinds": ["shipping", LineKind.FEE]}, {"kind": "fee"}, {}, "the kind is goods"),
    ({"categories": ["toys"]}, {"category": "toys"}, {"category": "b"}, "the category is b"),
    ({"categories": ["toys"]}, {"category": "toys"}, {}, "no category is known"),
    ({"reasons": ["late"]}, {"reason": "late"}, {"reason": "early"}, "the reason is early"),
    ({"reasons": ["late"]}, {"reason": "late"}, {}, "no reason is known"),
    (
        {"conditions": ["new", Condition.OPENED]},
        {"condition": "opened"},
        {"condition": "used"},
        "the condition is used",
    ),
    ({"conditions": ["new"]}, {"condition": "new"}, {}, "no condition is known"),
    ({"final_sale": True}, {"final_sale": True}, {}, "it is no final sale"),
    ({"final_sale": False}, {}, {"final_sale": True}, "it is a final sale"),
]


@pytest.mark.parametrize(("said", "holds", "fails", "because"), ABOUT_THE_LINE)
def test_a_condition_about_the_line(
    missing, said: dict[str, Any], holds: dict[str, Any], fails: dict[str, Any], because: str
) -> None:
    assert missing(When(**said), a_line(**holds)) is None
    assert missing(When(**said), a_line(**fails)) == because


@pytest.mark.parametrize(
    ("asked", "at_least", "below"),
    [
        ("49.99", "EUR 49.99 is below EUR 50.00", None),
        ("50.00", None, "EUR 50.00 is not below EUR 50.00"),
        ("50.01", None, "EUR 50.01 is not below EUR 50.00"),
    ],
)
def test_an_amount_is_of_all_that_external_tenders_paid(
    missing, asked: str, at_least: str | None, below: str | None
) -> None:
    # Lines that go nowhere count, and what credit paid does not.
    first = a_line(external=eur(asked) - eur("1.00"), restored=eur("500.00"))
    lines = [first, a_line(id="2", external=eur("1.00"), kind="gift_card")]
    assert missing(When(at_least=eur("50.00")), *lines) == at_least
    assert missing(When(below=eur("50.00")), *lines) == below


def test_an_amount_of_a_right_says_nothing_about_another_currency(ask: Ask, policy: Make) -> None:
    from storecredit.policies import CashRight

    right = CashRight(id="law", when=When(at_least=eur("0.00")), source="an act")
    made = policy(RefundRule(id="rule", offer=["money"]), cash_rights=[right])
    dollars = ask(a_line(external=Money.of("5.00", "USD")))
    assert made.offers(dollars).reasons[0].passed[0].because == "the amount is in USD"


def test_of_several_that_fail_the_first_is_named_the_request_before_the_line(missing) -> None:
    when = When(channels=["web"], receipt=False, final_sale=True)
    assert missing(when) == "no channel is known"
    assert missing(when, channel="web") == "there is a receipt"
    assert missing(when, channel="web", receipt=False) == "it is no final sale"
    assert missing(when, a_line(final_sale=True), channel="web", receipt=False) is None


# What cannot be


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"merchants": []},
            "merchants is []; it has to be a list with something in it, or left out.",
        ),
        (
            {"categories": ["a", "a"]},
            "categories is ['a', 'a']; it has to be a list that names each thing once.",
        ),
        ({"segments": "gold"}, "segments is 'gold'; it has to be a list of texts, not one text."),
        ({"reasons": 5}, "reasons is 5; it has to be a list of texts, not one text."),
        (
            {"kinds": ["goods", "thing"]},
            "kinds is 'thing'; it has to be one of goods, shipping, tax, fee, gift_card.",
        ),
        (
            {"conditions": ["burnt"]},
            "conditions is 'burnt'; it has to be one of new, opened, used, damaged, incomplete.",
        ),
        ({"holder": "c-17"}, "holder is 'c-17'; it has to be one of registered, guest."),
        ({"since": "birth"}, "since is 'birth'; it has to be one of purchase, delivery."),
        ({"gift": 1}, "gift is 1; it has to be true or false."),
        ({"receipt": "no"}, "receipt is 'no'; it has to be true or false."),
        ({"final_sale": 0}, "final_sale is 0; it has to be true or false."),
        ({"within": 30}, 'within is 30; it has to be a period, as "P30D".'),
        ({"after": "P30D"}, "after is 'P30D'; it has to be a period, as \"P30D\"."),
        (
            {"at_least": eur("-0.01")},
            (
                "at_least is Money.of('-0.01', 'EUR'); it has to be an amount of nothing or more, as "
                '"EUR 5.00".'
            ),
        ),
        ({"below": 5}, 'below is 5; it has to be an amount of nothing or more, as "EUR 5.00".'),
        (
            {"below": eur("0.00")},
            (
                "below is Money.of('0.00', 'EUR'); it has to be more than nothing, or nothing is "
                "below it."
            ),
        ),
        (
            {"at_least": eur("5.00"), "below": Money.of("6.00", "USD")},
            "below is Money.of('6.00', 'USD'); it has to be in EUR.",
        ),
        (
            {"at_least": eur("5.00"), "below": eur("5.00")},
            "below is Money.of('5.00', 'EUR'); it has to be more than at_least, EUR 5.00.",
        ),
        (
            {"within": Period(days=30), "after": Period(days=30)},
            "within is Period(days=30); it has to be longer than after, P30D, or it never holds.",
        ),
        (
            {"within": Period(months=12), "after": Period(years=1)},
            "within is Period(months=12); it has to be longer than after, P1Y, or it never holds.",
        ),
        (
            {"within": Period(days=28), "after": Period(months=1)},  # February has as many
            "within is Period(days=28); it has to be longer than after, P1M, or it never holds.",
        ),
        (
            {"within": Period(hours=12), "after": Period(days=2)},
            "within is Period(hours=12); it has to be longer than after, P2D, or it never holds.",
        ),
    ],
)
def test_conditions_that_cannot_be_are_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTerms) as refused:
        When(**said)
    assert str(refused.value) == message


def test_a_name_has_to_be_kept() -> None:
    with pytest.raises(InvalidText, match=r"^The channels '' is empty"):
        When(channels=["web", ""])


@pytest.mark.parametrize(
    ("within", "after"),
    [
        (Period(days=31), Period(days=30)),
        (Period(days=30), Period(months=1)),  # after February, a month is shorter
        (Period(months=1), Period(days=30)),
        (Period(days=1, round_up_to="year"), Period(days=300)),
        (Period(years=1), Period(months=11)),
        # Half a day, to the end of the day in Kiritimati, may be longer than a day in Honolulu.
        (Period(hours=12, zone="Pacific/Kiritimati"), Period(days=1, zone="Pacific/Honolulu")),
    ],
)
def test_conditions_that_may_hold_together_are_kept(within: Period, after: Period) -> None:
    when = When(within=within, after=after)
    assert (when.within, when.after) == (within, after)


def test_what_is_said_is_kept_as_it_is_and_compares() -> None:
    when = When(kinds=["goods"], conditions=[Condition.NEW], since="purchase", holder="guest")
    assert when.kinds == (LineKind.GOODS,)
    assert when.conditions == (Condition.NEW,)
    assert when.since is Since.PURCHASE
    assert when.holder is Who.GUEST
    assert when == When(
        kinds=[LineKind.GOODS], conditions=["new"], since=Since.PURCHASE, holder=Who.GUEST
    )
    assert hash(when) != hash(When())
    between = When(at_least=eur("5.00"), below=eur("5.01"))
    assert (between.at_least, between.below) == (eur("5.00"), eur("5.01"))


# Windows


BERLIN = "Europe/Berlin"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]  # a year at least


WINDOWS = [
    # period, begins, the last moment inside, why
    (Period(days=14), utc(2026, 3, 1, 12), utc(2026, 3, 15, 23, 59, 59, 999999)),
    # The day of the delivery does not count: 14 whole days follow it, in the zone's calendar.
    (Period(days=14, zone=BERLIN), utc(2026, 3, 1, 12), utc(2026, 3, 15, 22, 59, 59, 999999)),
    # 23:30 UTC on the 1st is the 2nd in Berlin already.
    (Period(days=14, zone=BERLIN), utc(2026, 3, 1, 23, 30), utc(2026, 3, 16, 22, 59, 59, 999999)),
    # The clocks went forward on 29 March: midnight is at 22:00 UTC.
    (Period(days=30, zone=BERLIN), utc(2026, 3, 1, 12), utc(2026, 3, 31, 21, 59, 59, 999999)),
    # ... and back on 25 October: midnight is at 23:00 UTC.
    (Period(days=30, zone=BERLIN), utc(2026, 10, 1, 12), utc(2026, 10, 31, 22, 59, 59, 999999)),
    # A day of 23 hours, and one of 25.
    (Period(days=1, zone=BERLIN), utc(2026, 3, 28, 12), utc(2026, 3, 29, 21, 59, 59, 999999)),
    (Period(days=1, zone=BERLIN), utc(2026, 10, 24, 12), utc(2026, 10, 25, 22, 59, 59, 999999)),
    # Thirteen hours ahead of Greenwich.
    (
        Period(days=14, zone="Pacific/Apia"),
        utc(2026, 3, 1, 12),
        utc(2026, 3, 16, 10, 59, 59, 999999),
    ),
    # 31 January and a month is the last day of February.
    (Period(months=1), utc(2026, 1, 31, 12), utc(2026, 2, 28, 23, 59, 59, 999999)),
    # Hours are counted as they pass, and then the day is finished.
    (Period(hours=36), utc(2026, 3, 1, 12), utc(2026, 3, 3, 23, 59, 59, 999999)),
    # Rounded up to the month, the window ends with the month, and not a day later.
    (Period(days=14, round_up_to="month"), utc(2026, 3, 1), utc(2026, 3, 31, 23, 59, 59, 999999)),
    (
        Period(days=30, round_up_to="month", zone=BERLIN),
        utc(2026, 3, 1, 12),
        utc(2026, 3, 31, 21, 59, 59, 999999),
    ),
    # Begun at midnight, it ends with the whole 1st of March, and so with the whole of March.
    (Period(days=14, round_up_to="month"), utc(2026, 2, 15), utc(2026, 3, 31, 23, 59, 59, 999999)),
    (Period(months=1, round_up_to="year"), utc(2026, 5, 5), utc(2026, 12, 31, 23, 59, 59, 999999)),
]


@pytest.mark.parametrize(("period", "begins", "last"), WINDOWS)
@pytest.mark.parametrize("since", list(Since))
def test_a_window_ends_with_a_local_day(
    missing, since: Since, period: Period, begins: datetime, last: datetime
) -> None:
    begun = {"purchased_at": begins, "delivered_at": begins}
    inside = When(since=since, within=period)
    outside = When(since=since, after=period)
    late = last.replace(microsecond=last.microsecond - 999999) + (
        utc(1970, 1, 2, 0, 0, 1) - utc(1970, 1, 2)
    )
    assert missing(inside, at=last, **begun) is None
    assert missing(outside, at=last, **begun) == f"it is not later than {period} after the {since}"
    assert missing(inside, at=late, **begun) == f"it is later than {period} after the {since}"
    assert missing(outside, at=late, **begun) is None


def test_a_window_runs_from_the_delivery_unless_it_says_purchase(missing) -> None:
    two_weeks = Period(days=14)
    late = {
        "purchased_at": utc(2026, 3, 1),
        "delivered_at": utc(2026, 3, 10),
        "at": utc(2026, 3, 20),
    }
    assert missing(When(within=two_weeks), **late) is None
    from_purchase = When(within=two_weeks, since="purchase")
    assert missing(from_purchase, **late) == "it is later than P14D after the purchase"


def test_what_is_not_delivered_yet_is_in_every_window_and_later_than_none(missing) -> None:
    facts = {"purchased_at": utc(2020, 1, 1), "delivered_at": None}
    assert missing(When(within=Period(days=1)), **facts) is None
    assert missing(When(after=Period(days=1)), **facts) == "it is not delivered yet"


@pytest.mark.parametrize("said", ["within", "after"])
def test_without_a_receipt_nobody_knows_the_day_of_the_delivery(missing, said: str) -> None:
    when = When(**{said: Period(days=1)})
    facts = {"delivered_at": None, "receipt": False}
    assert missing(when, **facts) == "the day of the delivery is not known"


@pytest.mark.parametrize("said", ["within", "after"])
@pytest.mark.parametrize("receipt", [True, False])
def test_an_unknown_day_of_purchase_is_in_no_window_and_later_than_none(
    missing, said: str, receipt: bool
) -> None:
    when = When(since="purchase", **{said: Period(days=1)})
    facts = {"purchased_at": None, "receipt": receipt}
    assert missing(when, **facts) == "the day of the purchase is not known"


def test_a_day_that_is_known_counts_without_a_receipt_too(missing) -> None:
    when = When(within=Period(days=30))
    assert missing(when, receipt=False) is None


def test_a_rule_says_what_it_offers_only_where_it_holds(ask: Ask, policy: Make) -> None:
    late = RefundRule(id="late", when=When(after=Period(days=30)), offer=["credit"])
    made = policy(late, RefundRule(id="else", offer=["money"]))
    assert made.offers(ask()).kinds == (OfferKind.MONEY,)
    assert made.offers(ask(at=utc(2026, 5, 1))).kinds == (OfferKind.CREDIT,)
