"""
Laws of messages: what is told adds up to the account, and no template does anything but fail (P7).
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from storecredit.errors import StoreCreditError, TemplateFailed
from storecredit.ledger import EntryKind, What
from storecredit.messages import (
    CreditExpired,
    CreditIssued,
    CreditRestored,
    CreditUsed,
    Message,
    Text,
    Texts,
    message_from_json,
    messages_of_entry,
    sample_messages,
)
from storecredit.storage import MemoryStorage
from storecredit.testing.contract.scene import Shop, usd
from storecredit.values import Period

# --- What is told adds up -----------------------------------------------------------------

AMOUNTS = st.integers(1, 9)
PLACES = st.integers(0, 9)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("issue"), AMOUNTS, st.sampled_from([None, 1, 2, 30])),
        st.tuples(st.sampled_from(["redeem", "hold", "transfer"]), AMOUNTS, st.none()),
        st.tuples(st.sampled_from(["capture", "capture part", "release"]), AMOUNTS, PLACES),
        st.tuples(st.just("restore"), PLACES, st.sampled_from(["grace", "expire", "reissue"])),
        st.tuples(st.sampled_from(["reinstate", "revoke"]), PLACES, AMOUNTS),
        st.tuples(st.sampled_from(["sweep", "limit", "a day"]), AMOUNTS, st.none()),
    ),
    max_size=30,
)


class Play:
    """One account, and whatever is asked of it; what is refused is no matter."""

    def __init__(self) -> None:
        self.shop = Shop(MemoryStorage())
        self.lots: list[str] = []
        self.holds: list[str] = []
        self.spent: list[str] = []
        self.keys = iter(range(999))

    def take(self, what: str, first: Any, second: Any) -> None:
        credit, key = self.shop.credit, f"k{next(self.keys)}"
        by: Any = {"key": key, "actor": "ann", "reason": "a mistake"}
        match what:
            case "issue":
                expires = None if second is None else Period(days=second)
                receipt = credit.issue(
                    "anna", usd(f"{first}"), funding="refund", expires=expires, key=key
                )
                self.lots.append(receipt.lot_id)
            case "redeem":
                self.spent.append(credit.redeem("anna", usd(f"{first}"), key=key).entry_id)
            case "hold":
                self.holds.append(
                    credit.hold("anna", usd(f"{first}"), lapses=Period(days=9), key=key).hold_id
                )
            case "transfer":
                credit.transfer("anna", "ben", usd(f"{first}"), key=key)
            case "capture" if self.holds:
                hold = self.holds[second % len(self.holds)]
                self.spent.append(credit.capture(hold, key=key).entry_id)
            case "capture part" if self.holds:
                hold = self.holds[second % len(self.holds)]
                self.spent.append(credit.capture_part(hold, usd(f"{first}"), key=key).entry_id)
            case "release" if self.holds:
                credit.release(self.holds[second % len(self.holds)], key=key)
            case "restore" if self.spent:
                credit.restore(self.spent[first % len(self.spent)], expired=second, key=key)
            case "reinstate" if self.lots:
                lot = self.lots[first % len(self.lots)]
                credit.reinstate(lot, expires=Period(days=5), **by)
            case "revoke" if self.lots:
                credit.revoke(self.lots[first % len(self.lots)], shortfall="owe", **by)
            case "limit":
                credit.set_limit("anna", "USD", usd(f"{first}"), key=key)
            case "sweep":
                credit.expire_due()
            case _:
                self.shop.clock.advance(dt.timedelta(days=1))


def total(messages: list[Message], kind: type, name: str) -> int:
    return sum(getattr(message, name).minor for message in messages if isinstance(message, kind))


@given(STEPS)
@example([("issue", 5, 1), ("redeem", 5, None), ("a day", 1, None), ("restore", 0, "expire")])
@example([("limit", 9, None), ("redeem", 9, None), ("issue", 5, None), ("restore", 0, "grace")])
def test_p7_what_is_told_of_an_account_adds_up_to_its_totals(
    steps: list[tuple[str, Any, Any]],
) -> None:
    play = Play()
    play.take("issue", 9, None)
    for step in steps:
        try:
            play.take(*step)
        except StoreCreditError:
            continue
    entries = play.shop.entries("anna")
    told: list[Message] = []
    for entry in entries:
        found = messages_of_entry(entry, holder="anna", merchant="acme")
        assert len({message.kind for message in found}) == len(found)
        told += found
    totals = play.shop.whole("anna").totals
    late = sum(
        move.amount
        for entry in entries
        for move in entry.moves
        if entry.kind is EntryKind.RESTORE and move.what is What.EXPIRED
    )
    reversed_ = totals["owed_reversed"]
    came_back = totals["restored"] + totals["reinstated"] + reversed_
    assert total(told, CreditIssued, "amount") == totals["issued"]
    used, owed = total(told, CreditUsed, "amount"), total(told, CreditUsed, "owed")
    assert used - owed == totals["redeemed"]
    assert total(told, CreditRestored, "amount") == came_back - late
    assert total(told, CreditExpired, "amount") == totals["expired"]
    settled = total(told, CreditIssued, "settled") + total(told, CreditRestored, "settled")
    assert settled <= totals["settled"] + reversed_
    assert len({message.id for message in told}) == len(told)
    for message in told:
        assert message_from_json(json.loads(json.dumps(message.to_json()))) == message


# --- No template does anything but fail ---------------------------------------------------

USED = next(message for message in sample_messages() if isinstance(message, CreditUsed))
WORDS = (
    "{{ }} {% %} {# #} if elif else endif for endfor in set not and or is == < ( ) [ ] { } , . | ~ "
    "+ - * ** / // % : = amount owed holder more plural reference loop self cycler range dict lipsum "
    "__class__ __init__ upper default join format attr map one other 1 0 9999999999 'x' \" raw "
    "endraw macro call block include import extends filter with do true none {%- -%}"
)
PIECES = st.sampled_from([*WORDS.split(), " ", "\n", "\t", "\x00", "\u2028", "é"])


def read(source: str) -> Texts | TemplateFailed:
    try:
        return Texts(templates={"en/credit_used": source})
    except TemplateFailed as failed:
        return failed


def rendered(texts: Texts) -> Text | TemplateFailed:
    try:
        return texts.render(USED, locale="en", zone="UTC", more={"x": "y"})
    except TemplateFailed as failed:
        return failed


@given(st.lists(PIECES, max_size=25), st.sampled_from(["", "{{ ", "{% if "]))
def test_p7_a_template_of_any_pieces_is_read_and_rendered_or_fails_as_such(
    pieces: list[str], begin: str
) -> None:
    source = begin + " ".join(pieces)
    for written in (f"Subject: {source}\n\nx", f"Subject: x\n\n{source}"):
        found = read(written)
        text = rendered(found) if isinstance(found, Texts) else found
        if isinstance(text, TemplateFailed):
            assert text.template == "en/credit_used"
            assert text.problem
        else:
            assert "\n" not in text.subject
            assert "object at 0x" not in text.subject + text.body


@given(st.text(max_size=200))
def test_p7_any_text_is_a_template_or_no_template(source: str) -> None:
    found = read(source)
    assert isinstance(found, Texts) or found.problem
