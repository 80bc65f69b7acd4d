"""Statements: a history that is fit for a customer (A18)."""

from __future__ import annotations

from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_a_statement_says_what_changed_and_for_which_order(shop) -> None:
    shop.credit.set_limit("c-17", "USD", usd("20.00"), key="l", actor="ann", note="a risk")
    shop.issue("50.00", reference="return 1")
    hold = shop.hold("55.00", reference="order 7").hold_id
    shop.credit.capture(hold, amount=usd("52.00"), key="c", reference="order 7")
    shop.issue("10.00", expires=Period(days=1), reference="sorry")
    shop.clock.forward(days=1)
    shop.credit.expire_due()
    lines = shop.credit.statement("c-17", "USD")
    assert [
        (
            line.kind.value,
            *(str(part.decimal) for part in (line.change, line.held, line.owed, line.balance)),
            line.reference,
        )
        for line in lines
    ] == [
        ("set_limit", "0.00", "0.00", "0.00", "0.00", None),
        ("issue", "50.00", "0.00", "0.00", "50.00", "return 1"),
        ("hold", "0.00", "55.00", "0.00", "50.00", "order 7"),
        ("capture", "-50.00", "-55.00", "2.00", "0.00", "order 7"),
        # USD 10.00 came in, USD 2.00 of it paid what was owed.
        ("issue", "8.00", "0.00", "-2.00", "8.00", "sorry"),
        ("expire", "-8.00", "0.00", "0.00", "0.00", None),
    ]
    assert not any(hasattr(line, name) for line in lines for name in ("actor", "note", "key"))


def test_an_unknown_holder_has_an_empty_history(shop) -> None:
    assert shop.credit.statement("nobody", "USD") == ()
    assert list(shop.credit.journal("nobody", "USD")) == []


def test_a_long_journal_is_read_page_by_page(shop) -> None:
    for _ in range(501):
        shop.issue("1.00")
    sequences = [entry.sequence for entry in shop.credit.journal("c-17", "USD")]
    assert sequences == list(range(1, 502))
    assert len(shop.credit.statement("c-17", "USD")) == 501


def test_the_journal_is_the_operators_view(shop) -> None:
    shop.issue("50.00", actor="ann", note="hello", reason="damaged", data={"ticket": "9"})
    (entry,) = shop.credit.journal("c-17", "USD")
    context = entry.context
    assert (context.actor, context.note, context.reason) == ("ann", "hello", "damaged")
    assert context.data == {"ticket": "9"}
