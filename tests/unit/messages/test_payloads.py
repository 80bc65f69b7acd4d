"""Messages as data: ids that stay, a JSON form with a schema, and a code that nothing shows (P7)."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import jsonschema  # type: ignore[import-untyped]  # comes without types
import pytest

from storecredit.errors import InvalidTerms, InvalidText, NaiveInstant, StoreCreditError
from storecredit.ledger import AccountId, Funding, LotId
from storecredit.messages import (
    SCHEMA,
    ClaimCodeCreated,
    Message,
    MessageKind,
    RefundStatus,
    RefundStatusChanged,
    message_from_json,
    message_schema,
    reminder_message,
    sample_messages,
)
from storecredit.service import Reminder
from storecredit.values import CustomUnit, Money, Period

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACCOUNT = AccountId(f"{'0' * 32}.USD")
SAMPLES = sample_messages()
LEAST_REFUND: dict[str, Any] = {
    "merchant": "acme",
    "at": AT,
    "case": "case-1",
    "order": "order-1",
    "status": "approved",
}
LEAST_CODE: dict[str, Any] = {
    "merchant": "acme",
    "at": AT,
    "claim": "claim-1",
    "amount": Money.of("5.00", "USD"),
}


def without_code(message: Message) -> Message:
    if isinstance(message, ClaimCodeCreated):
        return attrs.evolve(message, code=None)
    return message


# --- JSON ---------------------------------------------------------------------------------


def test_there_is_a_sample_of_every_kind_with_and_without_what_may_be_absent() -> None:
    assert {message.kind for message in SAMPLES} == set(MessageKind)
    refunds = [each for each in SAMPLES if isinstance(each, RefundStatusChanged)]
    assert {refund.status for refund in refunds} == set(RefundStatus)
    for kind in MessageKind:
        fields = [attrs.asdict(each, recurse=False) for each in SAMPLES if each.kind is kind]
        optional = {name for each in fields for name, value in each.items() if value is None}
        for name in optional:
            assert any(each[name] is not None for each in fields), (kind, name)


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_a_message_is_json_that_keeps_the_schema_and_reads_back(number: int) -> None:
    message = SAMPLES[number]
    written = json.loads(json.dumps(message.to_json()))
    jsonschema.validate(written, message_schema())
    assert (written["schema"], written["kind"]) == (SCHEMA, message.kind.value)
    assert written["id"] == message.id
    assert message_from_json(written) == without_code(message)
    # A later version may say more.
    assert message_from_json({**written, "colour": "green"}) == without_code(message)


def test_the_schema_is_one_and_refuses_what_no_message_is() -> None:
    schema = message_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    wrong: list[dict[str, Any]] = [
        {},
        {**SAMPLES[0].to_json(), "kind": "credit_used"},
        {**SAMPLES[0].to_json(), "schema": "storecredit.message/2"},
        {**SAMPLES[0].to_json(), "amount": 25},
        {**SAMPLES[0].to_json(), "at": "yesterday"},
        {**SAMPLES[0].to_json(), "holder": None},
    ]
    for data in wrong:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data, schema)


def test_the_form_is_written_out_once() -> None:
    message = RefundStatusChanged(**{**LEAST_REFUND, "previous": "requested", "holder": "c-17"})
    assert message.to_json() == {
        "schema": "storecredit.message/1",
        "kind": "refund_status_changed",
        "id": "6811043c-038f-5bea-9079-e48c9096f033",
        "merchant": "acme",
        "holder": "c-17",
        "at": "2026-03-02T09:00:00.000000Z",
        "case": "case-1",
        "order": "order-1",
        "status": "approved",
        "previous": "requested",
        "amount": None,
        "told": None,
    }


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"schema": "storecredit.message/2"}, "schema"),
        ({"kind": "credit_lost"}, "kind"),
        ({"amount": "25.00"}, "amount"),
        ({"amount": {"amount": "25.00", "unit": "PTS"}}, "amount"),
        ({"amount": {"amount": "25.001", "unit": "EUR"}}, "amount"),
        ({"at": "yesterday"}, "at"),
        ({"at": None}, "at"),
        ({"parts": {}}, "parts"),
        ({"parts": [{}]}, "parts"),
        ({"parts": [None]}, "parts"),
        ({"holder": 7}, "holder"),
        ({"reference": 7}, "reference"),
    ],
)
def test_json_that_is_no_message_is_refused_by_the_field(
    changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidTerms) as caught:
        message_from_json({**SAMPLES[0].to_json(), **changed})
    assert caught.value.field == field


def test_json_without_a_field_or_that_is_no_object_is_refused() -> None:
    data = SAMPLES[0].to_json()
    del data["settled"]
    with pytest.raises(InvalidTerms) as caught:
        message_from_json(data)
    assert caught.value.field == "settled"
    others: list[object] = [None, [], "text"]
    for other in others:
        with pytest.raises(InvalidTerms):
            message_from_json(other)


def test_amounts_of_custom_units_are_read_with_the_units() -> None:
    points = CustomUnit("PTS", 0)
    message = ClaimCodeCreated(**{**LEAST_CODE, "amount": Money.of(500, points)})
    assert message_from_json(message.to_json(), units=[points]) == message
    with pytest.raises(InvalidTerms):
        message_from_json(message.to_json())


# --- Ids ----------------------------------------------------------------------------------


def test_an_id_stands_for_what_happened_and_not_for_how_it_is_told() -> None:
    one = RefundStatusChanged(**LEAST_REFUND)
    assert one.id == RefundStatusChanged(**{**LEAST_REFUND, "told": "Hello", "holder": "x"}).id
    others: list[dict[str, Any]] = [
        {"merchant": "beta"},
        {"case": "case-2"},
        {"status": "denied"},
        {"at": AT + timedelta(seconds=1)},
    ]
    ids = {RefundStatusChanged(**{**LEAST_REFUND, **other}).id for other in others}
    assert len(ids | {one.id}) == 5
    assert ClaimCodeCreated(**LEAST_CODE).id != ClaimCodeCreated(**LEAST_CODE, number=2).id


def test_ids_are_texts_that_fit_any_column() -> None:
    for message in SAMPLES:
        assert len(message.id) == 36
        assert message.id.isascii()


# --- What hosts make themselves -----------------------------------------------------------


@pytest.mark.parametrize("written", ["awaiting_return", "awaiting return", "awaiting-return"])
def test_a_status_may_be_written_as_a_host_likes(written: str) -> None:
    message = RefundStatusChanged(**{**LEAST_REFUND, "status": written, "previous": written})
    assert message.status is RefundStatus.AWAITING_RETURN
    assert message.previous is RefundStatus.AWAITING_RETURN


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"status": "lost"}, InvalidTerms),
        ({"status": 7}, InvalidTerms),
        ({"previous": "lost"}, InvalidTerms),
        ({"merchant": ""}, InvalidText),
        ({"case": ""}, InvalidText),
        ({"order": 7}, InvalidText),
        ({"holder": ""}, InvalidText),
        ({"told": "x" * 2001}, InvalidText),
        ({"told": "bell\x07"}, InvalidText),
        ({"amount": Money.of("-1.00", "USD")}, InvalidTerms),
        ({"at": datetime(2026, 3, 2)}, NaiveInstant),  # noqa: DTZ001 - a naive one is the point
    ],
)
def test_a_refund_message_that_cannot_be_is_refused(
    wrong: dict[str, Any], error: type[StoreCreditError]
) -> None:
    with pytest.raises(error):
        RefundStatusChanged(**{**LEAST_REFUND, **wrong})


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"merchant": ""}, InvalidText),
        ({"claim": ""}, InvalidText),
        ({"holder": ""}, InvalidText),
        ({"amount": Money.of("-0.01", "USD")}, InvalidTerms),
        ({"number": 0}, InvalidTerms),
        ({"number": True}, InvalidTerms),
        ({"at": datetime(2026, 3, 2)}, NaiveInstant),  # noqa: DTZ001 - a naive one is the point
        ({"expires_at": datetime(2026, 3, 2)}, NaiveInstant),  # noqa: DTZ001 - as above
    ],
)
def test_a_code_message_that_cannot_be_is_refused(
    wrong: dict[str, Any], error: type[StoreCreditError]
) -> None:
    with pytest.raises(error):
        ClaimCodeCreated(**{**LEAST_CODE, "code": "SECRET", **wrong})


def test_instants_of_hosts_are_brought_into_utc() -> None:
    there = datetime(2026, 3, 2, 10, 0, tzinfo=timezone(timedelta(hours=1)))
    message = ClaimCodeCreated(**{**LEAST_CODE, "at": there, "expires_at": there})
    assert message.at.isoformat() == "2026-03-02T09:00:00+00:00"
    assert message.expires_at == message.at


# --- The code -----------------------------------------------------------------------------


def test_a_code_is_in_no_text_and_no_json_but_the_one_that_names_it() -> None:
    message = ClaimCodeCreated(**LEAST_CODE, code="ABCD-EFGH")
    assert "ABCD" not in repr(message)
    assert "ABCD" not in str(message)
    assert "code" not in message.to_json()
    revealed = message.to_json_with_code()
    assert revealed == {**message.to_json(), "code": "ABCD-EFGH"}
    assert message_from_json(revealed) == message
    assert message_from_json(message.to_json()).code is None  # type: ignore[union-attr]  # a code's
    assert pickle.loads(pickle.dumps(message)) == message


@pytest.mark.parametrize("code", ["", "SECRET\n", 4711, b"SECRET"])
def test_what_is_no_code_is_refused_without_showing_it(code: Any) -> None:
    with pytest.raises(InvalidTerms) as caught:
        ClaimCodeCreated(**LEAST_CODE, code=code)
    assert "SECRET" not in str(caught.value)
    assert "4711" not in str(caught.value)
    if not isinstance(code, bytes):
        with pytest.raises(InvalidTerms) as read:
            message_from_json({**ClaimCodeCreated(**LEAST_CODE).to_json(), "code": code})
        assert "SECRET" not in str(read.value)
        assert "4711" not in str(read.value)


# --- Reminders ----------------------------------------------------------------------------


def reminder(number: int, *, days: int, account: AccountId = ACCOUNT) -> Reminder:
    return Reminder(
        merchant="acme",
        holder="c-17",
        account=account,
        lot=LotId(f"{account}.{number:032}"),
        amount=Money.of_minor(100 * number, "USD"),
        funding=Funding.EARNED,
        limits=None,
        expires_at=AT + timedelta(days=days),
        before=Period(days=days),
        at=AT,
    )


def test_reminders_of_an_account_make_one_message_for_the_first_to_expire() -> None:
    soon, late = reminder(1, days=3), reminder(2, days=30)
    message = reminder_message([late, soon])
    assert message == reminder_message([soon, late])
    assert (message.amount, message.expires_at) == (Money.of("3.00", "USD"), soon.expires_at)
    assert (message.before, message.reminders) == (Period(days=3), (soon.id, late.id))
    assert [(part.lot, part.funding) for part in message.parts] == [
        (soon.lot, "earned"),
        (late.lot, "earned"),
    ]
    alone = reminder_message(soon)
    assert alone.amount == Money.of("1.00", "USD")
    assert alone.id != message.id


def test_a_reminder_message_is_of_one_account_and_of_something() -> None:
    other = AccountId(f"{'1' * 32}.USD")
    for wrong in ([], [reminder(1, days=3), reminder(1, days=3, account=other)], ["x"], None, 7):
        with pytest.raises(InvalidTerms):
            reminder_message(wrong)  # type: ignore[arg-type]  # on purpose
