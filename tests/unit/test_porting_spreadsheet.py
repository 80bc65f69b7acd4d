"""The journal as a spreadsheet: people may open it, and no cell runs (S9)."""

from __future__ import annotations

import csv
import gzip
import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from storecredit import CustomUnit, Merchant, Money, StoreCredit
from storecredit.errors import InvalidTerms, InvalidText
from storecredit.service.spreadsheet import AMOUNT_COLUMNS, COLUMNS, neutral
from storecredit.storage import MemoryStorage

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POINTS = CustomUnit("PTS", 0)
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")

HOSTILE = [
    "=1+1",
    '=HYPERLINK("http://example.org","click")',
    "+1",
    "-1",
    "-5.00",
    "@SUM(A1)",
    " =1+1",
    "＝1+1",
    '"=1+1"',
    "'=1+1",
    "a,b;c",
    "Žofia 🛒",
]


@pytest.fixture
def credit() -> StoreCredit:
    return StoreCredit(MemoryStorage(), Merchant(id="acme", units=(POINTS,)), clock=lambda: NOW)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def rows(credit: StoreCredit, **options: Any) -> list[dict[str, str]]:
    file = io.StringIO(newline="")
    count = credit.export_csv(file, **options)
    found = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    assert len(found) == count
    return found


def test_each_move_is_a_row_with_signed_amounts(credit: StoreCredit) -> None:
    credit.issue("c-17", usd("50.00"), funding="refund", key="k", reference="return 1")
    hold = credit.hold("c-17", usd("30.00"), key="h")
    credit.capture(hold.hold_id, amount=usd("20.00"), key="c", actor="anna")
    shown = [
        [row[name] for name in ("kind", "what", "change", "held", "balance", "funding")]
        for row in rows(credit)
    ]
    assert shown == [
        ["issue", "issued", "50.00", "0.00", "50.00", "refund"],
        ["hold", "held", "0.00", "30.00", "50.00", "refund"],
        ["capture", "released", "0.00", "-10.00", "50.00", "refund"],
        ["capture", "captured", "-20.00", "-20.00", "30.00", "refund"],
    ]
    first, *_, last = rows(credit)
    assert tuple(first) == COLUMNS
    assert first["at"] == "2026-03-01T12:00:00Z"
    assert first["reference"] == "return 1"
    assert last["actor"] == "anna"


def test_what_is_owed_has_its_own_column(credit: StoreCredit) -> None:
    credit.set_limit("c-17", "USD", usd("10.00"), key="l", actor="anna", reason="company")
    credit.redeem("c-17", usd("4.00"), key="r")
    credit.issue("c-17", usd("1.00"), funding="goodwill", key="i")
    limit, *moved = rows(credit)
    assert (limit["kind"], limit["what"], limit["change"]) == ("set_limit", "", "")
    assert [row["owed"] for row in moved] == ["4.00", "0.00", "0.00", "-1.00"]


def test_the_changes_sum_to_the_balance(credit: StoreCredit) -> None:
    for number in range(1, 8):
        credit.issue("c-17", usd(f"{number}.07"), funding="refund", key=f"i{number}")
        credit.redeem("c-17", usd(f"{number}.01"), key=f"r{number}")
        credit.issue("c-18", Money.of(number, POINTS), funding="earned", key=f"p{number}")
    found = rows(credit)
    for holder, unit, total in (("c-17", "USD", "0.42"), ("c-18", "PTS", "28")):
        mine = [row for row in found if (row["holder"], row["unit"]) == (holder, unit)]
        assert sum(Decimal(row["change"]) for row in mine) == Decimal(total)
        assert mine[-1]["balance"] == total


def test_no_cell_of_text_runs_and_no_amount_is_changed(credit: StoreCredit) -> None:
    for number, text in enumerate(HOSTILE):
        about: Any = dict.fromkeys(("reference", "reason", "location", "actor", "note"), text)
        credit.issue(text, usd("5.00"), funding="refund", key=text, **about)
        credit.redeem(text, usd("1.00"), key=f"{number}", note="line\n=2")
    found = rows(credit)
    for row in found:
        for name, cell in row.items():
            if name in AMOUNT_COLUMNS:
                assert NUMBER.fullmatch(cell), (name, cell)
            else:
                assert not cell.lstrip(" ").startswith(DANGEROUS), (name, cell)
    assert {row["change"] for row in found} == {"5.00", "-1.00"}
    shown = {row["holder"].removeprefix("'") for row in found}
    assert shown == {text.removeprefix("'") for text in HOSTILE}


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1", "=", "-", " @x", "\u00a0=1"])
def test_a_dangerous_text_gets_an_apostrophe(text: str) -> None:
    assert neutral(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "a=1", "1-2", "'=1", "5.00", "c-17"])
def test_a_harmless_text_stays_as_it_is(text: str) -> None:
    assert neutral(text) == text


def test_excel_recognises_utf_8_by_the_mark(credit: StoreCredit, tmp_path: Path) -> None:
    credit.issue("Žofia", usd("5.00"), funding="refund", key="k")
    plain, marked = tmp_path / "plain.csv", tmp_path / "marked.csv"
    credit.export_csv(plain)
    credit.export_csv(marked, encoding="utf-8-sig")
    assert marked.read_bytes() == b"\xef\xbb\xbf" + plain.read_bytes()
    assert b"\r\n" in plain.read_bytes()
    assert b"\r\r\n" not in plain.read_bytes()
    assert "Žofia" in plain.read_text(encoding="utf-8")
    with pytest.raises(InvalidTerms, match="utf-8 or utf-8-sig"):
        credit.export_csv(plain, encoding="latin-1")  # type: ignore[arg-type]  # that is the test


def test_one_holder_may_be_picked_and_an_unknown_one_has_no_rows(credit: StoreCredit) -> None:
    for holder in ("c-17", "c-18"):
        credit.issue(holder, usd("5.00"), funding="refund", key="k")
    assert [row["holder"] for row in rows(credit, holder="c-18")] == ["c-18"]
    assert rows(credit, holder="c-19") == []
    with pytest.raises(InvalidText):
        credit.export_csv(io.StringIO(), holder="")


def test_a_compressed_file_and_progress(credit: StoreCredit, tmp_path: Path) -> None:
    for number in range(1000):
        credit.issue(f"c-{number}", usd("5.00"), funding="refund", key="k")
    seen: list[int] = []
    credit.export_csv(tmp_path / "journal.csv.gz", progress=seen.append)
    assert seen == [1000]
    text = gzip.decompress((tmp_path / "journal.csv.gz").read_bytes()).decode()
    assert len(text.splitlines()) == 1001
