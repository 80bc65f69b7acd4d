"""Pseudonyms, erasure, heads, rebuilding: the keeping of the books (A14, A18, S6)."""

from __future__ import annotations

import pytest

from storecredit.errors import InvalidTerms, UnknownEntry
from storecredit.values import Money


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_a_pseudonym_replaces_the_holder_and_no_digest_changes(shop) -> None:
    shop.issue("50.00", actor="ann")
    heads = shop.credit.heads()
    shop.credit.pseudonymise("c-17", "p-9c1")
    assert shop.available("p-9c1") == "USD 50.00"
    assert shop.available("c-17") == "USD 0.00"
    assert shop.credit.heads() == heads
    assert shop.credit.verify(anchors=heads).ok
    assert shop.redeem("5.00", holder="p-9c1").holder == "p-9c1"
    # The name is free again, and means somebody new.
    assert shop.issue("1.00").entry.account not in heads


def test_a_pseudonym_belongs_to_nobody_else_and_needs_a_holder(shop) -> None:
    shop.issue("50.00")
    shop.issue("50.00", holder="c-18")
    with shop.refuses(InvalidTerms) as refused:
        shop.credit.pseudonymise("c-17", "c-18")
    assert (refused.error.field, refused.error.value) == ("pseudonym", "c-18")
    with shop.refuses(InvalidTerms) as refused:
        shop.credit.pseudonymise("nobody", "p")
    assert (refused.error.field, refused.error.value) == ("holder", "nobody")
    before = shop.dump()
    shop.credit.pseudonymise("c-17", "c-17")
    assert shop.dump() == before


def test_private_fields_are_erased_once_and_the_digest_stays(shop) -> None:
    entry = shop.issue("50.00", actor="Ann Smith", note="n", data={"a": "b"}).entry
    heads = shop.credit.heads()
    assert shop.credit.erase(entry.id, fields=("note",)) == 1
    assert shop.credit.erase(entry.id) == 2
    assert shop.credit.erase(entry.id) == 0
    assert "Ann Smith" not in shop.dump()
    (kept,) = shop.credit.journal("c-17", "USD")
    assert (kept.context.actor, kept.context.note, dict(kept.context.data)) == (None, None, {})
    assert kept.seals == entry.seals
    found = shop.credit.verify(anchors=heads)
    assert (found.ok, found.erased) == (True, 3)


def test_only_private_fields_of_known_entries_are_erased(shop) -> None:
    entry = shop.issue("50.00", actor="ann", reason="damaged").entry
    with shop.refuses(InvalidTerms) as refused:
        shop.credit.erase(entry.id, fields=["reason"])
    assert (refused.error.field, refused.error.value) == ("fields", "reason")
    with shop.refuses(InvalidTerms):
        shop.credit.erase(entry.id, fields="note")
    lot = shop.issue("1.00").lot_id
    for unknown in ("", "x", None, 5, lot, "a.USD." + "0" * 32):
        with shop.refuses(UnknownEntry):
            shop.credit.erase(unknown)
    with shop.refuses(UnknownEntry):
        shop.open("bolt").erase(entry.id)


def test_heads_name_every_account_of_the_merchant_only(shop) -> None:
    shop.open("bolt").issue("c-17", usd("1.00"), funding="refund", key="a")
    assert shop.credit.heads() == {}
    first = shop.issue("50.00").entry
    second = shop.redeem("5.00").entry
    ((name, anchor),) = shop.credit.heads().items()
    assert (name, anchor.sequence, anchor.digest) == (first.account, 2, second.digest.hex())


def test_rebuilding_a_sound_account_changes_nothing(shop) -> None:
    spent = shop.issue("50.00"), shop.redeem("50.00")
    shop.credit.restore(spent[1].entry_id, amount=usd("5.00"), key="r")
    hold = shop.hold("5.00").hold_id
    shop.credit.release(hold, key="x")
    before = shop.dump()
    assert shop.credit.rebuild() == 1
    assert shop.dump() == before


@pytest.mark.parametrize("number", [0, 501])
def test_every_page_of_accounts_is_looked_at(shop, number) -> None:
    for index in range(number):
        shop.issue("1.00", holder=f"h{index}")
    assert shop.credit.verify().accounts == number
    assert len(shop.credit.heads()) == number
