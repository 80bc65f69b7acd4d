"""Returns of a history: which purchase each piece is matched to, and what takes no part."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from storecredit import Money
from storecredit.errors import ImportRefused, InvalidText
from storecredit.policies import ReturnRequest
from storecredit.replay import ReturnHistory, read_returns

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def row(
    invoice: str,
    quantity: int,
    day: int = 1,
    *,
    stock: str = "85123A",
    price: str = "2.55",
    customer: str = "17850",
    hour: int = 10,
    country: str = "France",
) -> str:
    when = f"2011-01-{day:02}T{hour:02}:00:00"
    return f"{invoice},{stock},HOLDER,{quantity},{when},{price},{customer},{country}\n"


def read(folder: Path, *rows: str) -> ReturnHistory:
    path = folder / "history.csv"
    path.write_text(HEADER + "".join(rows), encoding="utf-8", newline="")
    return read_returns([path], merchant="acme")


def at(day: int) -> datetime:
    return datetime(2011, 1, day, 10, tzinfo=UTC)


def pieces(history: ReturnHistory) -> dict[str, list[tuple[str, int]]]:
    """By request, the lines and their pieces."""
    return {
        request.id: [(line.id, line.pieces) for line in request.lines]
        for request in history.requests
    }


# --- Matching ----------------------------------------------------------------------------


def test_a_return_is_a_request_about_the_order_that_it_gives_back(tmp_path: Path) -> None:
    history = read(tmp_path, row("1", 6), row("C2", -2, 3))
    (request,) = history.requests
    assert request == ReturnRequest(
        id="C2/1",
        merchant="acme",
        lines=request.lines,
        at=at(3),
        order="1",
        purchased_at=at(1),
        delivered_at=at(1),
        holder="17850",
        jurisdiction="France",
    )
    (line,) = request.lines
    assert (line.id, line.pieces, line.kind) == ("1", 2, "goods")
    assert line.external == Money.of("5.10", "GBP")
    assert line.restored.is_zero
    assert (history.unit.code, history.merchant) == ("GBP", "acme")


def test_the_latest_earlier_purchase_is_given_back_first(tmp_path: Path) -> None:
    history = read(
        tmp_path, row("1", 3, 1), row("2", 3, 2), row("C3", -2, 3), row("4", 3, 4), row("C5", -4, 5)
    )
    assert pieces(history) == {"C3/2": [("1", 2)], "C5/4": [("1", 3)], "C5/2": [("1", 1)]}


def test_a_row_may_take_pieces_of_several_orders_and_be_left_with_some(tmp_path: Path) -> None:
    history = read(tmp_path, row("1", 1, 1), row("2", 2, 2), row("C3", -5, 3))
    assert pieces(history) == {"C3/2": [("1", 2)], "C3/1": [("1", 1)], "C3": [("1", 2)]}
    last = history.requests[-1]
    assert (last.order, last.purchased_at, last.delivered_at, last.receipt) == (
        None,
        None,
        None,
        False,
    )
    assert all(request.receipt for request in history.requests[:-1])


def test_rows_that_give_back_of_one_order_are_lines_of_one_request(tmp_path: Path) -> None:
    history = read(
        tmp_path,
        row("1", 3),
        row("1", 2),
        row("1", 9, stock="22632"),
        row("C2", -4, 2),
        row("C2", -1, 2, stock="22632"),
        row("C2", -2, 2),
    )
    # The third row finds one piece left of the five, and one that was never bought.
    assert pieces(history) == {"C2/1": [("1", 4), ("2", 1), ("3", 1)], "C2": [("3", 1)]}


def test_each_piece_is_given_back_once(tmp_path: Path) -> None:
    history = read(tmp_path, row("1", 2), row("C2", -2, 2), row("C3", -2, 3))
    assert pieces(history) == {"C2/1": [("1", 2)], "C3": [("1", 2)]}


@pytest.mark.parametrize(
    "bought",
    [
        row("1", 2, price="2.54"),
        row("1", 2, stock="85123B"),
        row("1", 2, customer="13047"),
        row("1", 2, 5),  # later
        row("1", 0),
    ],
)
def test_another_price_code_customer_or_a_later_purchase_is_no_match(
    tmp_path: Path, bought: str
) -> None:
    history = read(tmp_path, bought, row("C2", -1, 3))
    assert pieces(history) == {"C2": [("1", 1)]}


def test_at_one_instant_the_first_row_was_first(tmp_path: Path) -> None:
    assert pieces(read(tmp_path, row("1", 1), row("C2", -1))) == {"C2/1": [("1", 1)]}
    assert pieces(read(tmp_path, row("C2", -1), row("1", 1))) == {"C2": [("1", 1)]}


def test_an_invoice_with_two_times_happens_at_the_earlier(tmp_path: Path) -> None:
    history = read(tmp_path, row("C2", -1, 4), row("1", 1, 5), row("1", 1, 2, stock="22632"))
    (request,) = history.requests
    assert (request.order, request.purchased_at) == ("1", at(2))


# --- What comes back ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stock", "kind"),
    [
        ("22632", "goods"),
        ("POST", "shipping"),
        ("DOT", "shipping"),
        ("C2", "shipping"),
        ("gift_0001_20", "gift_card"),
        ("M", "fee"),
        ("BANK CHARGES", "fee"),
        ("D", "fee"),
    ],
)
def test_p3_what_is_no_goods_is_a_line_of_another_kind(
    tmp_path: Path, stock: str, kind: str
) -> None:
    (request,) = read(tmp_path, row("C2", -1, stock=stock)).requests
    assert [line.kind for line in request.lines] == [kind]


def test_what_takes_no_part_is_counted_under_its_first_reason(tmp_path: Path) -> None:
    history = read(
        tmp_path,
        row("A1", 1, stock="B"),
        row("1", 1, customer=""),
        row("1", -1),  # stock that was lost
        row("1", 1, price="0.001"),
        row("1", 1),
        row("1", 1, customer="13047"),
        row("C2", 1, 2),  # a charge
        row("C2", 0, 2),
        row("C2", -1, 2, price="-2.55"),
        row("C2", -1, 2, stock="POST", country=" "),
    )
    assert history.skipped == {
        "adjustment": 1,
        "guest": 1,
        "write_off": 1,
        "price_too_fine": 1,
        "another_customer": 1,
        "no_return": 3,
    }
    (request,) = history.requests
    assert request.jurisdiction is None
    # Rows that take no part have no number.
    assert pieces(history) == {"C2": [("1", 1)]}


def test_what_is_worth_nothing_is_a_line_like_others(tmp_path: Path) -> None:
    (request,) = read(tmp_path, row("1", 1, price="0"), row("C2", -1, 2, price="0")).requests
    assert request.external.is_zero


def test_strokes_in_numbers_do_not_mix_requests_up(tmp_path: Path) -> None:
    history = read(tmp_path, row("2", 1), row("C1", -1, 2), row("C1/2", -1, 3), row("C%", -1, 4))
    assert [request.id for request in history.requests] == ["C1/2", "C1%2F2", "C%25"]


# --- The file ----------------------------------------------------------------------------


def test_a_history_that_goes_on_has_the_digests_of_its_beginning(tmp_path: Path) -> None:
    rows = [row("1", 2), row("C2", -1, 2), row("C3", -1, 3)]
    shorter, longer = (list(read(tmp_path, *rows[:many]).digests()) for many in (2, 3))
    other = list(read(tmp_path, row("1", 2), row("C2", -2, 2)).digests())
    assert (len(shorter), len(longer)) == (1, 2)
    assert longer[0] == shorter[0] != other[0]


def test_a_file_of_other_columns_is_refused_and_told_why(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,kind,customer,at,amount,currency\n", encoding="utf-8")
    with pytest.raises(ImportRefused, match="a policy is replayed over these columns only"):
        read_returns([path])


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    huge = row("3", 999_999_999, price="999999999999")
    with pytest.raises(ImportRefused) as refused:
        read(tmp_path, row("1", 1, price="free"), row("C2", 1, day=99), huge)
    said = str(refused.value)
    assert "line 2, UnitPrice: expected a plain decimal" in said
    assert "line 3, InvoiceDate: expected an ISO 8601 instant" in said
    assert "line 4, Quantity: expected a sum within signed 64-bit minor units" in said


def test_a_merchant_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(HEADER + row("C2", -1), encoding="utf-8")
    with pytest.raises(InvalidText):
        read_returns([path], merchant="")
