"""What is asked back: facts that are checked once, and read back exactly (P2, P6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import moneyed
import pytest

from storecredit.errors import (
    AmountOutOfRange,
    ArgumentRefused,
    InvalidReturn,
    InvalidTerms,
    InvalidText,
    NaiveInstant,
    TextUnreadable,
)
from storecredit.policies import Condition, ReturnLine, ReturnRequest
from storecredit.tenders import LineKind
from storecredit.values import MAX_MINOR, Balance, CustomUnit, Money

AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
PTS = CustomUnit("PTS", 0, name="Points")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def a_line(**changes: Any) -> ReturnLine:
    return ReturnLine(**{"id": "1", "external": eur("5.00"), **changes})


def a_request(**changes: Any) -> ReturnRequest:
    return ReturnRequest(
        **{"id": "r", "merchant": "acme", "lines": [a_line()], "at": AT, **changes}
    )


# Lines


def test_a_line_says_little_unless_told() -> None:
    line = a_line()
    assert (line.kind, line.pieces, line.final_sale) == (LineKind.GOODS, 1, False)
    assert (line.category, line.reason, line.condition) == (None, None, None)
    assert line.restored.is_zero


def test_py_moneyed_is_taken_too() -> None:
    line = a_line(external=moneyed.Money("5.00", "EUR"), restored=moneyed.Money("2.00", "EUR"))
    assert line.external == eur("5.00")
    assert line.restored == Balance.of(eur("2.00"))


def test_what_credit_paid_is_money_in_one_unit_or_a_balance() -> None:
    assert a_line(restored=pts(3)).restored == Balance.of(pts(3))
    both = Balance.of(pts(3), eur("1.00"))
    assert a_line(restored=both).restored is both
    assert a_line(restored=None).restored == Balance.of()


@pytest.mark.parametrize("kind", list(LineKind))
def test_only_goods_and_the_tax_on_them_may_become_credit(kind: LineKind) -> None:
    assert a_line(kind=kind.value).is_goods is (kind in (LineKind.GOODS, LineKind.TAX))


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        (
            {"external": eur("-0.01")},
            InvalidReturn,
            "external is Money.of('-0.01', 'EUR'); it has to be nothing or more.",
        ),
        (
            {"restored": eur("-0.01")},
            InvalidReturn,
            "restored is Money.of('-0.01', 'EUR'); it has to be nothing or more.",
        ),
        (
            {"restored": Balance.of(eur("1.00"), pts(-1))},
            InvalidReturn,
            (
                "restored is Money.of('-1', CustomUnit('PTS', 0, name='Points')); it has to be "
                "nothing or more."
            ),
        ),
        ({"pieces": 0}, InvalidReturn, "pieces is 0; it has to be a whole number from 1 up."),
        ({"pieces": True}, InvalidReturn, "pieces is True; it has to be a whole number from 1 up."),
        (
            {"pieces": MAX_MINOR + 1},
            InvalidReturn,
            "pieces is 9223372036854775808; it has to be a whole number from 1 up.",
        ),
        ({"final_sale": 1}, InvalidReturn, "final_sale is 1; it has to be true or false."),
        (
            {"kind": "thing"},
            InvalidTerms,
            "kind is 'thing'; it has to be one of goods, shipping, tax, fee, gift_card.",
        ),
        (
            {"condition": "burnt"},
            InvalidTerms,
            "condition is 'burnt'; it has to be one of new, opened, used, damaged, incomplete.",
        ),
    ],
)
def test_a_line_that_cannot_be_is_refused(
    wrong: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as refused:
        a_line(**wrong)
    assert str(refused.value) == message


@pytest.mark.parametrize("field", ["id", "category", "reason"])
def test_a_text_of_a_line_has_to_be_kept(field: str) -> None:
    with pytest.raises(InvalidText, match=rf"^The line.{field} '' is empty"):
        a_line(**{field: ""})


@pytest.mark.parametrize("field", ["external", "restored"])
def test_an_amount_of_a_line_is_money(field: str) -> None:
    with pytest.raises(ArgumentRefused):
        a_line(**{field: "5.00"})


# Requests


def test_a_request_counts_in_the_currency_of_its_lines() -> None:
    lines = [a_line(restored=eur("9.00")), a_line(id="2", external=eur("0.07"))]
    request = a_request(lines=lines)
    assert request.external == eur("5.07")
    assert request.unit.code == "EUR"
    assert request.line("2") is lines[1]


def test_an_unknown_line_is_named_with_those_there_are() -> None:
    with pytest.raises(InvalidReturn) as refused:
        a_request(lines=[a_line(), a_line(id="2")]).line("3")
    assert str(refused.value) == "line is '3'; it has to be one of 1, 2."


def test_segments_are_named_once_each_and_keep_their_order() -> None:
    assert a_request(segments=["gold", "staff", "gold"]).segments == ("gold", "staff")


def test_instants_are_brought_to_utc() -> None:
    there = timezone(timedelta(hours=2))
    request = a_request(
        at=datetime(2026, 3, 20, 14, tzinfo=there),
        purchased_at=datetime(2026, 3, 1, 0, tzinfo=there),
        delivered_at=datetime(2026, 3, 2, 0, tzinfo=there),
    )
    assert request.at == AT
    assert request.at.tzinfo is UTC
    assert request.purchased_at == datetime(2026, 2, 28, 22, tzinfo=UTC)
    assert request.delivered_at == datetime(2026, 3, 1, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("holder", "buyer", "gift"),
    [
        ("c-17", None, False),
        ("c-17", "c-17", False),
        ("c-17", "c-18", True),
        (None, "c-18", True),  # a guest brings back what somebody else bought
        (None, None, False),
    ],
)
def test_a_gift_is_what_somebody_else_bought(
    holder: str | None, buyer: str | None, gift: bool
) -> None:
    assert a_request(holder=holder, buyer=buyer).is_gift is gift


def test_bought_delivered_and_asked_at_one_instant_is_possible() -> None:
    assert a_request(purchased_at=AT, delivered_at=AT).delivered_at == AT


SOON = AT + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lines": []}, "lines is []; it has to be a list of ReturnLine, one at least."),
        ({"lines": 5}, "lines is 5; it has to be a list of ReturnLine, one at least."),
        ({"lines": ["1"]}, "lines is ['1']; it has to be a list of ReturnLine, one at least."),
        (
            {"lines": [a_line(), a_line()]},
            "lines is ['1', '1']; it has to be lines that are named once each.",
        ),
        (
            {"lines": [a_line(), a_line(id="2", external=Money.of("1.00", "USD"))]},
            "lines is 'EUR, USD'; it has to be in one currency: ask once for each.",
        ),
        ({"receipt": None}, "receipt is None; it has to be true or false."),
        (
            {"purchased_at": SOON},
            (
                "purchased_at is datetime.datetime(2026, 3, 20, 12, 0, 0, 1, "
                "tzinfo=datetime.timezone.utc); it has to be at the latest when it is asked."
            ),
        ),
        (
            {"delivered_at": SOON},
            (
                "delivered_at is datetime.datetime(2026, 3, 20, 12, 0, 0, 1, "
                "tzinfo=datetime.timezone.utc); it has to be at the latest when it is asked."
            ),
        ),
        (
            {"purchased_at": AT, "delivered_at": AT - timedelta(days=1)},
            (
                "delivered_at is datetime.datetime(2026, 3, 19, 12, 0, "
                "tzinfo=datetime.timezone.utc); it has to be not before the purchase."
            ),
        ),
    ],
)
def test_a_request_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidReturn) as refused:
        a_request(**wrong)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "field", ["id", "merchant", "order", "holder", "buyer", "channel", "jurisdiction"]
)
def test_a_text_of_a_request_has_to_be_kept(field: str) -> None:
    with pytest.raises(InvalidText, match=rf"^The {field} 'a\\x07' contains the control char"):
        a_request(**{field: "a\x07"})


@pytest.mark.parametrize("field", ["at", "purchased_at", "delivered_at"])
def test_an_instant_without_a_zone_is_refused(field: str) -> None:
    with pytest.raises(NaiveInstant):
        a_request(**{field: AT.replace(tzinfo=None)})


def test_segments_are_a_list() -> None:
    with pytest.raises(InvalidTerms, match=r"^segments is 'gold'; it has to be a list of texts"):
        a_request(segments="gold")


def test_the_sum_of_a_request_never_wraps() -> None:
    most = Money.of_minor(MAX_MINOR, "EUR")
    request = a_request(lines=[a_line(external=most), a_line(id="2", external=eur("0.01"))])
    with pytest.raises(AmountOutOfRange):
        _ = request.external


# JSON


def full() -> ReturnRequest:
    return a_request(
        lines=[
            a_line(
                kind="tax",
                pieces=3,
                category="books",
                reason="damaged",
                condition="opened",
                final_sale=True,
                restored=Balance.of(eur("0.50"), pts(7)),
            ),
            a_line(id="2", external=eur("0.00")),
        ],
        order="o-1",
        purchased_at=datetime(2026, 3, 1, 8, 30, 0, 1, tzinfo=UTC),
        delivered_at=datetime(2026, 3, 2, tzinfo=UTC),
        holder="c-17",
        buyer="Zoë",
        channel="web",
        jurisdiction="DE",
        segments=["gold"],
        receipt=False,
    )


def test_a_request_is_read_back_exactly() -> None:
    request = full()
    form = request.to_json()
    assert ReturnRequest.from_json(form) == request
    assert form["units"] == {"PTS": 0}
    assert form["lines"][1] == {"id": "2", "external": {"amount": "0.00", "unit": "EUR"}}
    assert a_request().to_json() == {
        "id": "r",
        "merchant": "acme",
        "lines": [{"id": "1", "external": {"amount": "5.00", "unit": "EUR"}}],
        "at": "2026-03-20T12:00:00.000000Z",
    }


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ([], "Cannot read []: expected the JSON form of a ReturnRequest."),
        (
            {},
            (
                "Cannot read {}: expected the JSON form of a ReturnRequest, "
                "with 'at', 'id', 'lines', 'merchant'."
            ),
        ),
        (
            {**a_request().to_json(), "units": 3},
            "Cannot read 3: expected a dict.",
        ),
        (
            {**a_request().to_json(), "lines": {}},
            "Cannot read {}: expected a list, for 'lines'.",
        ),
        (
            {**a_request().to_json(), "at": "tomorrow"},
            "Cannot read 'tomorrow': expected an instant in UTC, for 'at'.",
        ),
        (
            {**a_request().to_json(), "receipt": 1},
            "Cannot read 1: expected a bool, for 'receipt'.",
        ),
    ],
)
def test_another_form_is_refused(form: Any, message: str) -> None:
    with pytest.raises(TextUnreadable) as refused:
        ReturnRequest.from_json(form)
    assert str(refused.value) == message


def test_a_form_with_a_key_too_many_or_an_unknown_condition_is_refused() -> None:
    form = full().to_json()
    with pytest.raises(TextUnreadable, match="expected the JSON form of a ReturnRequest"):
        ReturnRequest.from_json({**form, "lines_": []})
    form["lines"][0]["condition"] = []
    with pytest.raises(TextUnreadable, match="expected one of new, opened, used, damaged, incomp"):
        ReturnRequest.from_json(form)


def test_a_condition_is_a_closed_list() -> None:
    assert [each.value for each in Condition] == ["new", "opened", "used", "damaged", "incomplete"]
