"""Reading a shop's history: what counts, what is skipped and why, and how a broken file is named."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storecredit import CustomUnit
from storecredit.errors import ImportRefused
from storecredit.replay import Event, EventKind, read_generic, read_online_retail
from storecredit.replay.rows import LIMITS, MOST_BLANK_LINES, read_rows
from storecredit.service.file_source import BadRows, ImportLimits
from storecredit.values import currency

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
GENERIC = "id,kind,customer,at,amount,currency\n"


def row(
    invoice: str = "536365",
    stock: str = "85123A",
    quantity: str = "1",
    *,
    date: str = "2010-12-01T08:26:00",
    price: str = "2.55",
    customer: str = "17850",
) -> str:
    return f"{invoice},{stock},HOLDER,{quantity},{date},{price},{customer},United Kingdom\n"


def written(folder: Path, *rows: str, name: str = "history.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text(header + "".join(rows), encoding="utf-8", newline="")
    return path


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- Events ---------------------------------------------------------------------------


def test_an_invoice_is_one_event_worth_the_exact_sum_of_its_goods_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        row(quantity="6", price="2.55"),
        row(stock="71053", quantity="3", price="0.1"),
        row(stock="POST", quantity="1", price="18.0"),
    )
    history = read_online_retail([path])
    assert history.unit == currency("GBP")
    assert history.events == (
        Event(
            id="536365",
            kind=EventKind.ORDER,
            customer="17850",
            at=at("2010-12-01T08:26:00"),
            value=1560,  # 6 x 2.55 + 3 x 0.10; postage is not goods
        ),
    )


def test_the_same_stock_code_may_stand_twice_on_an_invoice(tmp_path: Path) -> None:
    history = read_online_retail([written(tmp_path, row(), row())])
    assert [event.value for event in history.events] == [510]


def test_a_cancellation_is_worth_the_negative_of_its_sum(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        row("C536379", quantity="-2", price="4.65"),
        row("C536379", stock="22632", quantity="1", price="1.30"),
    )
    (event,) = read_online_retail([path]).events
    assert (event.kind, event.value) == (EventKind.REFUND, 800)  # 9.30 back, 1.30 kept


@pytest.mark.parametrize(
    "rows",
    [
        [row("C536379", quantity="2")],  # a cancellation whose lines go the other way
        [row(price="0.0")],
        [row(price="-2.55")],
        [row(quantity="0")],
    ],
)
def test_a_sum_that_goes_the_other_way_or_nowhere_is_an_event_worth_nothing(
    tmp_path: Path, rows: list[str]
) -> None:
    (event,) = read_online_retail([written(tmp_path, *rows)]).events
    assert event.value == 0


def test_an_invoice_happens_at_the_earliest_instant_of_its_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        row(date="2010-12-01T16:58:00"),
        row(date="2010-12-01T16:57:00"),
        row(date="2010-12-01T16:59:00"),
    )
    (event,) = read_online_retail([path]).events
    assert event.at == at("2010-12-01T16:57:00")


def test_a_line_that_is_skipped_still_tells_when_its_invoice_happened(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        row(stock="POST", date="2010-12-01T16:57:00"),
        row(date="2010-12-01T16:58:00"),
    )
    (event,) = read_online_retail([path]).events
    assert event.at == at("2010-12-01T16:57:00")


def test_events_come_in_order_of_time_and_equal_instants_in_order_of_first_rows(
    tmp_path: Path,
) -> None:
    path = written(
        tmp_path,
        row("3", date="2011-01-02T00:00:00"),
        row("2", date="2011-01-01T00:00:00"),
        row("1", date="2011-01-01T00:00:00"),
        row("2", date="2011-01-01T00:00:00"),
    )
    assert [event.id for event in read_online_retail([path]).events] == ["2", "1", "3"]


def test_an_instant_without_a_zone_is_utc_and_one_with_a_zone_is_converted(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        row("1", date="2011-06-01T10:00:00"),
        row("2", date="2011-06-01T10:00:00+02:00"),
        row("3", date="2011-06-01"),
    )
    events = {event.id: event.at for event in read_online_retail([path]).events}
    assert events == {
        "1": at("2011-06-01T10:00:00"),
        "2": at("2011-06-01T08:00:00"),
        "3": at("2011-06-01T00:00:00"),
    }


def test_lines_of_one_invoice_may_be_spread_over_files(tmp_path: Path) -> None:
    first = written(tmp_path, row("1", price="1.00"), name="a.csv")
    second = written(tmp_path, row("1", price="2.00"), row("2", price="4.00"), name="b.csv")
    history = read_online_retail([first, second])
    assert [(event.id, event.value) for event in history.events] == [("1", 300), ("2", 400)]


def test_an_invoice_with_no_kept_line_is_no_event(tmp_path: Path) -> None:
    assert read_online_retail([written(tmp_path, row(stock="POST"))]).events == ()


def test_a_file_with_a_header_and_no_row_is_an_empty_history(tmp_path: Path) -> None:
    history = read_online_retail([written(tmp_path)])
    assert history.events == ()
    assert set(history.skipped.values()) == {0}


# --- Skipped rows -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skipped", "reason"),
    [
        (row("A563185", "B", price="11062.06", customer=""), "adjustment"),
        (row("A563185"), "adjustment"),  # before every other reason
        (row(customer=""), "guest"),
        (row(customer="  "), "guest"),
        (row(stock="POST", customer=""), "guest"),  # before not_goods
        (row(quantity="-3", customer=""), "guest"),  # most write-offs: nobody's
        (row(stock="POST"), "not_goods"),
        (row("C536379", "D", "-1"), "not_goods"),  # a discount taken back
        (row(stock="gift_0001_20"), "not_goods"),
        (row(stock="C2"), "not_goods"),
        (row(stock="8512"), "not_goods"),
        (row(stock="8512A"), "not_goods"),
        (row(stock="٨٥١٢٣"), "not_goods"),  # digits, but not those of a stock code
        (row(stock="PADS", price="0.001"), "not_goods"),  # before the price
        (row(quantity="-3"), "write_off"),
        (row(quantity="-3", price="0.001"), "write_off"),  # before the price
        (row(price="0.001"), "price_too_fine"),
        (row("C536379", quantity="-1", price="2.555"), "price_too_fine"),
    ],
)
def test_a_row_is_skipped_under_its_first_reason(tmp_path: Path, skipped: str, reason: str) -> None:
    history = read_online_retail([written(tmp_path, skipped)])
    assert history.events == ()
    assert {why: count for why, count in history.skipped.items() if count} == {reason: 1}


def test_an_invoice_belongs_to_the_customer_of_its_first_kept_row(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        row(customer=""),
        row(customer="17850", price="1.00"),
        row(customer="13047", price="2.00"),
        row(customer="17850", price="4.00"),
    )
    history = read_online_retail([path])
    assert [(event.customer, event.value) for event in history.events] == [("17850", 500)]
    assert (history.skipped["guest"], history.skipped["another_customer"]) == (1, 1)


def test_a_price_with_three_decimals_of_which_the_last_is_zero_is_an_amount(
    tmp_path: Path,
) -> None:
    (event,) = read_online_retail([written(tmp_path, row(price="2.550"))]).events
    assert event.value == 255


# --- The generic columns ----------------------------------------------------------------


def test_the_generic_columns_need_no_shop_in_particular(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "o-1,order,anna,2026-03-01T10:00:00Z,12.50,EUR\n",
        "o-1,order,anna,2026-03-01T10:00:00Z,0.50,EUR\n",
        "r-1,refund,anna,2026-03-02,5,EUR\n",
        "o-2,order,,2026-03-03,9.99,EUR\n",
        header=GENERIC,
    )
    history = read_generic([path])
    assert history.unit == currency("EUR")
    assert [(e.id, e.kind, e.customer, e.value) for e in history.events] == [
        ("o-1", EventKind.ORDER, "anna", 1300),
        ("r-1", EventKind.REFUND, "anna", 500),
    ]
    assert history.skipped == {"guest": 1}


def test_a_generic_history_may_be_in_a_unit_of_the_shops_own(tmp_path: Path) -> None:
    points = CustomUnit("PTS", 0)
    path = written(tmp_path, "r-1,refund,anna,2026-03-02,500,PTS\n", header=GENERIC)
    history = read_generic([path], units=[points])
    assert (history.unit, history.events[0].value) == (points, 500)


@pytest.mark.parametrize(
    ("rows", "line", "column", "expected"),
    [
        (["1,sale,a,2026-03-01,5,EUR\n"], 2, "kind", '"order" or "refund", found \'sale\''),
        (["1,order,a,yesterday,5,EUR\n"], 2, "at", "an ISO 8601 instant"),
        (["1,order,a,2026-03-01,-5,EUR\n"], 2, "amount", "a plain decimal of zero or more"),
        (["1,order,a,2026-03-01,5e2,EUR\n"], 2, "amount", "a plain decimal of zero or more"),
        (["1,order,a,2026-03-01,5.001,EUR\n"], 2, "amount", "at most 2 decimal places"),
        (["1,order,a,2026-03-01,99999999999999999999,EUR\n"], 2, "amount", "signed 64-bit"),
        (["1,order,a,2026-03-01,5,PTS\n"], 2, "currency", "that of a declared custom unit"),
        (["~1,order,a,2026-03-01,5,EUR\n"], 2, "id", "begins with '~'"),
        ([",order,a,2026-03-01,5,EUR\n"], 2, "id", "is empty"),
        (["1,order,a\x07,2026-03-01,5,EUR\n"], 2, "customer", "control character"),
        (
            ["1,order,a,2026-03-01,5,EUR\n", "2,order,a,2026-03-01,5,USD\n"],
            3,
            "currency",
            '"EUR", as in the first row',
        ),
        (
            ["1,order,a,2026-03-01,5,EUR\n", "1,refund,a,2026-03-01,5,EUR\n"],
            3,
            "kind",
            "\"order\", as in other rows of '1'",
        ),
        (
            ["1,order,a,2026-03-01,5,EUR\n", "1,order,b,2026-03-01,5,EUR\n"],
            3,
            "customer",
            "'a', as in other rows of '1'",
        ),
        ([], 2, "row", "at least one row"),
    ],
)
def test_a_generic_file_that_is_broken_names_line_column_and_what_was_expected(
    tmp_path: Path, rows: list[str], line: int, column: str, expected: str
) -> None:
    path = written(tmp_path, *rows, header=GENERIC)
    with pytest.raises(ImportRefused) as refused:
        read_generic([path])
    (bad,) = refused.value.rows
    assert (bad.line, bad.column) == (line, column)
    assert expected in bad.problem
    assert str(path) in str(refused.value)


# --- Broken files -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("", 1, "InvoiceNo", "expected a header line with the columns InvoiceNo"),
        ("\n\n", 1, "InvoiceNo", "expected a header line with the columns InvoiceNo"),
        (HEADER.replace("CustomerID,", ""), 1, "CustomerID", "expected a header line"),
        (HEADER.replace("Country", "CustomerID"), 1, "CustomerID", "found this one twice"),
        (GENERIC, 1, "InvoiceNo", "--format generic"),
        (HEADER.replace(",", ";"), 1, "InvoiceNo", "found 'InvoiceNo;StockCode"),
        (HEADER + row(quantity="six"), 2, "Quantity", "expected a whole number"),
        (HEADER + row(quantity="1.5"), 2, "Quantity", "found '1.5'"),
        (HEADER + row(quantity=""), 2, "Quantity", "found ''"),
        (HEADER + row(quantity="9" * 10), 2, "Quantity", "at most nine digits"),
        (HEADER + row(quantity="٣"), 2, "Quantity", "expected a whole number"),
        (HEADER + row(price="free"), 2, "UnitPrice", 'a plain decimal like "2.55"'),
        (HEADER + row(price="NaN"), 2, "UnitPrice", "found 'NaN'"),
        (HEADER + row(price="1e5"), 2, "UnitPrice", "found '1e5'"),
        (HEADER + row(price="2,55"), 2, "field 9", "expected 8 fields, found 9"),
        (HEADER + row(date="01/12/2010 08:26"), 2, "InvoiceDate", "an ISO 8601 instant"),
        (HEADER + row(date="2011-02-30T00:00:00"), 2, "InvoiceDate", "an ISO 8601 instant"),
        (HEADER + row(date="0001-01-01T00:00:00+10:00"), 2, "InvoiceDate", "an ISO 8601 instant"),
        (HEADER + row(invoice=""), 2, "InvoiceNo", "is empty"),
        (HEADER + row(invoice="~1"), 2, "InvoiceNo", "reserved"),
        (HEADER + row(customer="1" * 201), 2, "CustomerID", "at most 200 are kept"),
        (HEADER + row() + "536366,85123A\n", 3, "Description", "expected 8 fields, found 2"),
        (HEADER + row() + '536366,"85123A\n' + row(), 3, "row", "a closing quote"),
        (HEADER + '536366,"85123A"B\n', 2, "row", "expected fields in CSV form"),
        (HEADER + '536366,"' + "x\n" * 100_000, 2, "row", "is a quote open?"),
        (HEADER + "x" * 70_000, 2, "file", "longer than 65536 bytes"),
        (HEADER + row() + "536366,8512\0A\n", 3, "StockCode", "found a NUL character"),
        (HEADER + "\n" * (MOST_BLANK_LINES + 1), MOST_BLANK_LINES + 2, "row", "blank lines"),
        (
            HEADER + row(quantity="999999999", price="50000000.00") * 2,
            3,  # the first line alone would do
            "Quantity",
            "a sum within signed 64-bit minor units",
        ),
    ],
)
def test_a_broken_file_names_line_column_and_what_was_expected(
    tmp_path: Path, text: str, line: int, column: str, expected: str
) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(ImportRefused) as refused:
        read_online_retail([path])
    bad = refused.value.rows[0]
    assert (bad.line, bad.column) == (line, column)
    assert expected in bad.problem
    assert "\x00" not in str(refused.value)


def test_every_bad_row_of_a_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, row(quantity="x"), row(), row(price="y"), row(date="z"))
    with pytest.raises(ImportRefused) as refused:
        read_online_retail([path])
    assert [(bad.line, bad.column) for bad in refused.value.rows] == [
        (2, "Quantity"),
        (4, "UnitPrice"),
        (5, "InvoiceDate"),
    ]


def test_a_file_in_another_encoding_names_the_column_and_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(HEADER.encode() + "536365,85123A,CAFÉ,1,x,y,z,w\n".encode("latin-1"))
    with pytest.raises(ImportRefused, match=r"line 2, Description: expected text in UTF-8.*0xc9"):
        read_online_retail([path])


def test_a_file_in_utf_16_is_refused_at_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_bytes((HEADER + row()).encode("utf-16"))
    with pytest.raises(ImportRefused, match="line 1, field 1: expected text in UTF-8"):
        read_online_retail([path])


def test_a_byte_order_mark_carriage_returns_and_a_missing_last_line_end_are_welcome(
    tmp_path: Path,
) -> None:
    path = tmp_path / "windows.csv"
    text = (HEADER + row() + row()).replace("\n", "\r\n").rstrip()
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert [event.value for event in read_online_retail([path]).events] == [510]


def test_a_quoted_field_may_hold_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    odd = row().replace("HOLDER", '"A ""RED"", OLD\nHOLDER"')
    path = written(tmp_path, odd, row(quantity="x"))
    with pytest.raises(ImportRefused, match="line 4, Quantity"):  # the odd row takes two lines
        read_online_retail([path])


def test_whether_a_file_is_compressed_is_read_from_its_content(tmp_path: Path) -> None:
    plain = written(tmp_path, row(), name="not-really.gz")
    packed = tmp_path / "no-suffix"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_online_retail([packed]) == read_online_retail([plain])


def test_a_truncated_gzip_file_is_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.gz"
    packed = gzip.compress((HEADER + row() * 5000).encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ImportRefused, match=r"cut\.csv\.gz.*gzip data ends in the middle"):
        read_online_retail([path])


def test_a_damaged_gzip_file_is_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv.gz"
    packed = bytearray(gzip.compress((HEADER + row() * 5000).encode()))
    packed[20:40] = bytes(20)
    path.write_bytes(bytes(packed))
    with pytest.raises(ImportRefused, match=r"bad\.csv\.gz"):
        read_online_retail([path])


@pytest.mark.parametrize("filling", ["\0", "\n", "a,"])
def test_a_gzip_bomb_is_refused_before_it_has_gone_off(tmp_path: Path, filling: str) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(HEADER.encode() + filling.encode() * 20_000_000))
    with pytest.raises(ImportRefused):
        read_online_retail([path])


def test_no_more_than_so_much_of_a_file_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, row() * 1000)
    small = ImportLimits(
        line_bytes=LIMITS.line_bytes,
        field_characters=LIMITS.field_characters,
        lines=LIMITS.lines,
        inflated_bytes=10_000,
    )
    with pytest.raises(ImportRefused, match="larger than 10000 bytes"):
        list(read_rows(path, ["InvoiceNo", "Quantity"], BadRows(), limits=small))


def test_columns_may_stand_in_any_order_and_others_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "1,2,3\n", header="b,other,a\n")
    assert list(read_rows(path, ["a", "b"], BadRows())) == [(2, ("3", "1"))]


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_online_retail([tmp_path / "nowhere.csv"])
