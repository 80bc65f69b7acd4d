"""What a key, a holder and every other text must look like (A1, A12, A18)."""

from __future__ import annotations

import pytest

from storecredit.errors import InvalidKey, InvalidText
from storecredit.ledger import LONGEST_NOTE, require_key, require_text

BAD_KEYS = [
    ("", "is empty"),
    ("x" * 201, "has 201 characters, and at most 200 are kept"),
    ("x" * 10_000_000, "has 10000000 characters, and at most 200 are kept"),
    ("~", "begins with '~', which is reserved for keys the library makes"),
    ("~expire:2", "begins with '~', which is reserved for keys the library makes"),
    ("~é", "begins with '~', which is reserved for keys the library makes"),
    ("a\x00b", "contains the control character '\\x00'"),
    ("a\nb", "contains the control character '\\n'"),
    ("a\x1bb", "contains the control character '\\x1b'"),
    ("a\x7fb", "contains the control character '\\x7f'"),
    ("a\x85b", "contains the control character '\\x85'"),
    ("a\ud800b", "contains a lone surrogate, which UTF-8 cannot store"),
    ("\udfff", "contains a lone surrogate, which UTF-8 cannot store"),
    (None, "is not text"),
    (5, "is not text"),
    (b"k", "is not text"),
    (["k"], "is not text"),
]


@pytest.mark.parametrize(("key", "problem"), BAD_KEYS, ids=lambda value: repr(value)[:20])
def test_a_key_that_cannot_name_a_command_is_refused(shop, key, problem) -> None:
    shop.issue("10.00")
    with shop.refuses(InvalidKey) as refused:
        shop.redeem("1.00", key=key)
    assert (refused.error.key, refused.error.problem) == (key, problem)
    assert str(refused.error).startswith("The key ")
    assert len(str(refused.error)) < 400


@pytest.mark.parametrize("key", ["k", "order-1002/capture", "a~b", "x" * 200, "ключ 1", "🛒", " "])
def test_every_other_key_is_kept_as_it_is(shop, key) -> None:
    assert require_key(key) == key
    assert shop.issue("10.00", key=key).entry.key == key
    assert shop.issue("10.00", key=key).replayed


@pytest.mark.parametrize(
    "holder",
    [
        "c-17",
        "客户",
        "Zoë",
        "Zoe\u0308",  # the same to a reader, and another holder
        "🧑🏽‍🚀",
        "\u202eevil",
        "a'; DROP TABLE lots; --",
        "x" * 200,
        "~c",
    ],
)
def test_holders_of_any_unicode_have_accounts_of_their_own(shop, holder) -> None:
    shop.issue("1.00", holder="Zoë")
    shop.issue("2.00", holder=holder, key="k")
    expected = "USD 3.00" if holder == "Zoë" else "USD 2.00"
    assert shop.available(holder) == expected
    assert shop.credit.wallet(holder).holder == holder


BAD_TEXTS = ["", "x" * 201, "a\x00b", "a\tb", "a\x9fb", "\ud800", 5, b"x", ["x"]]


@pytest.mark.parametrize("holder", [*BAD_TEXTS, None], ids=lambda value: repr(value)[:20])
def test_a_holder_that_cannot_be_kept_is_refused_by_every_verb(shop, holder) -> None:
    shop.issue("10.00")
    credit = shop.credit
    for call in (
        lambda: shop.issue("1.00", holder=holder),
        lambda: shop.redeem("1.00", holder=holder),
        lambda: shop.hold("1.00", holder=holder),
        lambda: credit.wallet(holder),
        lambda: credit.account(holder, "USD"),
        lambda: credit.statement(holder, "USD"),
        lambda: list(credit.journal(holder, "USD")),
        lambda: credit.preview(holder, shop.account().available),
        lambda: credit.release_order(holder, "order 7", key="k"),
        lambda: credit.merge(holder, "c-18", key="k"),
        lambda: credit.transfer(holder, "c-18", shop.account().available, key="k"),
        lambda: credit.freeze(holder, "USD", key="k"),
        lambda: credit.pseudonymise(holder, "p"),
        lambda: credit.pseudonymise("c-17", holder),
    ):
        with shop.refuses(InvalidText) as refused:
            call()
        assert refused.error.text == holder
        assert len(str(refused.error)) < 400


@pytest.mark.parametrize("field", ["actor", "reference", "channel", "location"])
@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda value: repr(value)[:20])
def test_a_text_about_a_command_that_cannot_be_kept_is_refused(shop, field, text) -> None:
    with shop.refuses(InvalidText) as refused:
        shop.issue("1.00", **{field: text})
    assert (refused.error.field, refused.error.text) == (field, text)


@pytest.mark.parametrize("field", ["reason", "note"])
def test_reasons_and_notes_may_be_long_and_have_lines(shop, field) -> None:
    text = "first line\n\tsecond line\n" + "x" * (LONGEST_NOTE - 24)
    assert getattr(shop.issue("1.00", **{field: text}).entry.context, field) == text
    for bad in ("", text + "y", "a\rb", "\x00", "\ud800", 5):
        with shop.refuses(InvalidText):
            shop.issue("1.00", **{field: bad})


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ("text", "data"),
        ([("a", "b")], "data"),
        ({str(number): "x" for number in range(21)}, "data"),
        ({"a": 5}, "data value"),
        ({"a": ""}, "data value"),
        ({"": "x"}, "data name"),
        ({"a\x00": "x"}, "data name"),
        ({5: "x"}, "data name"),
        ({5: "x", "a": "y"}, "data name"),
    ],
)
def test_a_small_map_is_of_text_to_text(shop, data, field) -> None:
    with shop.refuses(InvalidText) as refused:
        shop.issue("1.00", data=data)
    assert refused.error.field == field


def test_twenty_names_of_a_small_map_are_kept(shop) -> None:
    data = {f"name {number:02}": "välue" for number in range(20)}
    assert shop.issue("1.00", data=data).entry.context.data == data


def test_an_order_to_release_has_a_name(shop) -> None:
    for order in ("", "x" * 201, None):
        with shop.refuses(InvalidText) as refused:
            shop.credit.release_order("c-17", order, key="k")
        assert refused.error.field == "order"


def test_an_unknown_keyword_is_refused_as_python_does(shop) -> None:
    with pytest.raises(TypeError, match="'colour'"):
        shop.issue("1.00", colour="blue")


def test_texts_are_compared_code_point_by_code_point() -> None:
    assert require_text("holder", "Zoe\u0308") == "Zoe\u0308"
    assert require_text("note", "a\nb", longest=2000) == "a\nb"
