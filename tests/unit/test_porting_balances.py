"""A CSV of opening balances comes in: every row or none, and never twice (S9)."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from storecredit import Balance, Ceiling, CustomUnit, Merchant, Money, StoreCredit
from storecredit.errors import (
    FutureInstant,
    ImportRefused,
    InvalidKey,
    InvalidTerms,
    InvalidText,
    UnknownCurrency,
)
from storecredit.ledger import Funding
from storecredit.service import BalancesImported, ImportLimits
from storecredit.storage import MemoryStorage

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POINTS = CustomUnit("PTS", 0)
ACME = Merchant(id="acme", units=(POINTS,), zone="Europe/Berlin")

PLAIN = """\
holder,amount,unit,funding
c-17,25.00,USD,refund
c-18,300,PTS,earned
c-17,1.50,USD,refund
"""


@pytest.fixture
def credit() -> StoreCredit:
    return StoreCredit(MemoryStorage(), ACME, clock=lambda: NOW)


def bring(credit: StoreCredit, text: str | bytes, **options: Any) -> BalancesImported:
    data = text.encode() if isinstance(text, str) else text
    return credit.import_balances(io.BytesIO(data), **{"key_prefix": "opening", **options})


def refused(credit: StoreCredit, text: str | bytes, **options: Any) -> list[str]:
    """Bring in what has to be refused; check that nothing of it stayed; return the bad rows."""
    before = credit.heads()
    with pytest.raises(ImportRefused) as caught:
        bring(credit, text, **options)
    assert credit.heads() == before
    assert caught.value.count == len(caught.value.rows)
    return [str(row) for row in caught.value.rows]


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


# --- What comes in --------------------------------------------------------------------


def test_every_row_becomes_a_lot(credit: StoreCredit) -> None:
    done = bring(credit, PLAIN)
    assert done == BalancesImported(3, 3, 0, Balance.of(usd("26.50"), Money.of("300", POINTS)))
    assert credit.wallet("c-17").available == Balance.of(usd("26.50"))
    assert credit.wallet("c-18").available == Balance.of(Money.of("300", POINTS))
    assert len(list(credit.journal("c-17", "USD"))) == 2
    assert credit.verify().ok


def test_every_column_is_read() -> None:
    merchant = attrs.evolve(ACME, channels=("web",))
    credit = StoreCredit(MemoryStorage(), merchant, clock=lambda: NOW)
    bring(
        credit,
        "Holder,Amount,Unit,Funding,Expires,Effective,Priority,Paid,Reference,Key,Actor,Reason,"
        "Note,Channel,Location,Occurred_at\n"
        'c-17,25.00,USD,purchased,2026-12-31,2026-03-05,-2,24.00,"order ""7"", old",k-1,anna,'
        "moved,line one,web,Berlin,2026-02-01T10:00:00+01:00\n",
    )
    (entry,) = credit.journal("c-17", "USD")
    (move,) = entry.moves
    terms = move.terms
    assert terms is not None
    assert terms.funding is Funding.PURCHASED
    assert terms.expires_at == datetime(2026, 12, 31, 23, tzinfo=UTC)  # the end of it in Berlin
    assert terms.effective_at == datetime(2026, 3, 4, 23, tzinfo=UTC)  # its beginning there
    assert terms.priority == -2
    assert terms.paid is not None
    assert terms.paid.money == usd("24.00")
    context = entry.context
    assert (entry.key, context.reference, context.actor) == ("k-1", 'order "7", old', "anna")
    assert (context.reason, context.note, context.channel) == ("moved", "line one", "web")
    assert context.location == "Berlin"
    assert context.occurred_at == datetime(2026, 2, 1, 9, tzinfo=UTC)


def test_an_instant_ends_and_begins_exactly_there(credit: StoreCredit) -> None:
    bring(
        credit,
        "holder,amount,unit,funding,expires,effective\n"
        "c-17,5.00,USD,refund,2026-12-31T18:00:00Z,2026-03-05 10:00+01:00\n",
    )
    (entry,) = credit.journal("c-17", "USD")
    terms = entry.moves[0].terms
    assert terms is not None
    assert terms.expires_at == datetime(2026, 12, 31, 18, tzinfo=UTC)
    assert terms.effective_at == datetime(2026, 3, 5, 9, tzinfo=UTC)


def test_points_may_have_been_paid_for_in_money(credit: StoreCredit) -> None:
    bring(credit, "holder,amount,unit,funding,paid\nc-17,500,PTS,purchased,USD 5.00\n")
    (entry,) = credit.journal("c-17", POINTS)
    terms = entry.moves[0].terms
    assert terms is not None
    assert terms.paid is not None
    assert terms.paid.money == usd("5.00")


def test_unit_funding_and_context_may_be_given_for_the_whole_file(credit: StoreCredit) -> None:
    bring(
        credit,
        "holder,amount,unit,actor\nc-17,5.00,,\nc-18,6,PTS,ben\n",
        unit="USD",
        funding="goodwill",
        actor="anna",
        reason="moved",
    )
    (first,) = credit.journal("c-17", "USD")
    (second,) = credit.journal("c-18", POINTS)
    assert (first.context.actor, second.context.actor) == ("anna", "ben")
    assert first.context.reason == second.context.reason == "moved"


def test_what_a_ceiling_withholds_is_not_counted_as_issued() -> None:
    rules = Merchant(id="acme", ceilings=(Ceiling(usd("20.00"), "up_to"),))
    credit = StoreCredit(MemoryStorage(), rules, clock=lambda: NOW)
    done = bring(credit, "holder,amount,unit,funding\nc-17,25.00,USD,refund\n")
    assert done.amount == Balance.of(usd("20.00"))


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.rstrip("\n").encode(),
        PLAIN.replace("\n", "\n\n").encode(),
        gzip.compress(PLAIN.encode()),
    ],
    ids=["byte order mark", "windows", "no last line end", "empty lines", "gzip"],
)
def test_files_come_in_every_usual_shape(credit: StoreCredit, data: bytes) -> None:
    assert bring(credit, data).issued == 3


def test_a_path_and_a_stream_of_text_work_too(credit: StoreCredit, tmp_path: Path) -> None:
    path = tmp_path / "balances.csv"
    path.write_text(PLAIN, encoding="utf-8")
    assert credit.import_balances(path, key_prefix="opening").issued == 3
    assert credit.import_balances(io.StringIO(PLAIN), key_prefix="opening").repeated == 3
    with path.open(encoding="utf-8") as opened:
        assert credit.import_balances(opened, key_prefix="opening").repeated == 3


def test_holders_of_any_script_come_in_as_they_are(credit: StoreCredit) -> None:
    bring(credit, "holder,amount,unit,funding\n=1+1,1.00,USD,refund\nŽofia 🛒,2.00,USD,refund\n")
    assert credit.wallet("=1+1").available == Balance.of(usd("1.00"))
    assert credit.wallet("Žofia 🛒").available == Balance.of(usd("2.00"))


def test_progress_counts_rows(credit: StoreCredit) -> None:
    rows = "".join(f"c-{number},1.00,USD,refund\n" for number in range(2500))
    seen: list[int] = []
    bring(credit, f"holder,amount,unit,funding\n{rows}", progress=seen.append)
    assert seen == [1000, 2000]


# --- Never twice ----------------------------------------------------------------------


def test_a_file_that_is_run_again_issues_nothing(credit: StoreCredit) -> None:
    bring(credit, PLAIN)
    heads = credit.heads()
    assert bring(credit, PLAIN) == BalancesImported(3, 0, 3, Balance.of())
    assert credit.heads() == heads


def test_rows_of_other_holders_may_come_and_change_places(credit: StoreCredit) -> None:
    bring(credit, PLAIN)
    header, first, second, third = PLAIN.splitlines()
    longer = "\n".join([header, "c-01,9.00,USD,refund", second, first, third])
    assert bring(credit, longer) == BalancesImported(4, 1, 3, Balance.of(usd("9.00")))


def test_two_equal_rows_are_two_lots(credit: StoreCredit) -> None:
    text = "holder,amount,unit,funding\nc-17,5.00,USD,refund\nc-17,5.00,USD,refund\n"
    assert bring(credit, text).issued == 2
    assert bring(credit, text).repeated == 2
    assert credit.wallet("c-17").available == Balance.of(usd("10.00"))


def test_a_row_that_was_changed_between_two_runs_is_refused(credit: StoreCredit) -> None:
    bring(credit, PLAIN)
    (bad,) = refused(credit, PLAIN.replace("25.00", "26.00"))
    assert bad.startswith("line 2, key: ")
    assert "amount" in bad


def test_another_prefix_is_another_file(credit: StoreCredit) -> None:
    bring(credit, PLAIN)
    assert bring(credit, PLAIN, key_prefix="campaign").issued == 3


def test_keys_of_merged_holders_do_not_meet(credit: StoreCredit) -> None:
    bring(credit, "holder,amount,unit,funding\nc-1,1.00,USD,refund\nc-2,1.00,USD,refund\n")
    credit.merge("c-1", "c-2", key="merge")
    text = "holder,amount,unit,funding\nc-1,2.00,USD,refund\nc-2,2.00,USD,refund\n"
    assert bring(credit, text, key_prefix="later").issued == 2
    assert credit.wallet("c-2").available == Balance.of(usd("6.00"))


def test_a_key_twice_in_a_file_is_a_bad_row_and_not_a_replay(credit: StoreCredit) -> None:
    text = "holder,amount,unit,funding,key\n" + "c-17,5.00,USD,refund,k\n" * 2
    assert refused(credit, text) == [
        "line 3, key: line 2 has the same key for this holder and unit"
    ]


# --- What is refused ------------------------------------------------------------------


def test_every_bad_row_is_named_with_its_column(credit: StoreCredit) -> None:
    bad = refused(
        credit,
        "holder,amount,unit,funding,expires,priority\n"
        "c-1,5.00,USD,refund,,\n"
        "c-2,5.001,USD,refund,,\n"
        "c-3,five,USD,refund,,\n"
        "c-4,5.00,UDS,refund,,\n"
        "c-5,5.00,USD,charity,,\n"
        "c-6,5.00,USD,refund,31.12.2026,\n"
        "c-7,5.00,USD,refund,,high\n"
        ",5.00,USD,refund,,\n"
        "c-9,,USD,refund,,\n"
        " c-10,5.00,USD,refund,,\n"
        "c-11,5.00,USD,refund\n"
        "c-12,-5.00,USD,refund,,\n"
        "c-13,0,USD,refund,,\n"
        "c-14,5.00,USD,refund,2025-01-01,\n"
        "c-15,5.00,HRK,refund,,\n"
        "c-16,5.00,XAU,refund,,\n"
        "c-17,99999999999999999999,USD,refund,,\n"
        "c-18,NaN,USD,refund,,\n"
        "c-19,1e3,USD,refund,,\n"
        "c-20,5.00,USD,refund,2026-02-30,\n"
        "c-21,5.00,USD,refund,2026-12-31T10:00,\n",
    )
    assert [row.partition(": ")[0] for row in bad] == [
        "line 3, amount",
        "line 4, amount",
        "line 5, unit",
        "line 6, funding",
        "line 7, expires",
        "line 8, priority",
        "line 9, holder",
        "line 10, amount",
        "line 11, holder",
        "line 12, row",
        "line 13, amount",
        "line 14, amount",
        "line 15, expires",
        "line 16, unit",
        "line 17, unit",
        "line 18, amount",
        "line 19, amount",
        "line 20, amount",
        "line 21, expires",
        "line 22, expires",
    ]


def test_what_only_the_ledger_knows_is_named_too(credit: StoreCredit) -> None:
    credit.issue("c-2", usd("1.00"), funding="refund", key="k")
    credit.freeze("c-2", "USD", key="f", actor="anna", reason="asked")
    (bad,) = refused(
        credit, "holder,amount,unit,funding\nc-1,5.00,USD,refund\nc-2,5.00,USD,refund\n"
    )
    assert bad.startswith("line 3, holder: ")
    assert "frozen" in bad


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1, header: the file is empty"),
        ("\n\n", "line 1, header: the file is empty"),
        ("holder;amount\nc-1;5,00\n", "cells are separated by commas, not by semicolons"),
        ("holder\nc-1\n", "line 1, amount: the column is missing"),
        ("holder,amount,amout\n", "line 1, amout: there is no such column"),
        ("holder,amount,amount\n", "line 1, amount: the column is there twice"),
        ("holder,amount\nc-1,5.00\n", "line 2, unit: it is empty"),
        ("holder,amount,unit\nc-1,5.00,USD\n", "line 2, funding: it is empty"),
        ("holder,amount\nc\0,5.00\n", "line 2, row: it contains a NUL character"),
        (b"holder,amount\n\xff,5.00\n", "line 2, row: byte 1 is not UTF-8"),
        (PLAIN.encode("utf-16"), "line 1, row: byte 1 is not UTF-8"),
        ('holder,amount\n"c-1,5.00\n', "line 2, row: it is not CSV"),
        ('holder,amount\n"c-1"x,5.00\n', "line 2, row: it is not CSV"),
        ('holder,amount\n"c\n1",5.00\n', "line 2, holder"),
        (b"\x1f\x8b", "the gzip data ends in the middle"),
        ("holder,amount\n" + "c" * 300 + ",5.00\n", "line 2, holder: it has 300 characters"),
        ("holder,amount\n" + "c" * 200_000 + ",5.00\n", "line 2, file: the line is longer than"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(
    credit: StoreCredit, text: str | bytes, told: str
) -> None:
    assert any(told in row for row in refused(credit, text))


def test_the_line_of_a_row_is_the_one_it_begins_on(credit: StoreCredit) -> None:
    (bad,) = refused(
        credit,
        'holder,amount,unit,funding,note\nc-1,5.00,USD,refund,"one\ntwo"\nc-2,x,USD,refund,\n',
    )
    assert bad.startswith("line 4, amount")


def test_limits_are_kept(credit: StoreCredit) -> None:
    for limits, told in (
        (ImportLimits(lines=3), "more than 3 lines"),
        (ImportLimits(line_bytes=20), "longer than 20 bytes"),
        (ImportLimits(inflated_bytes=30), "larger than 30 bytes"),
        (ImportLimits(field_characters=3), "line 2, holder: it has 4 characters"),
    ):
        assert any(told in row for row in refused(credit, PLAIN, limits=limits))


def test_a_bomb_of_rows_ends_at_the_limit(credit: StoreCredit) -> None:
    bomb = gzip.compress(b"holder,amount\n" + b",\n" * 2_000_000)
    with pytest.raises(ImportRefused) as caught:
        bring(credit, bomb, limits=ImportLimits(lines=5000))
    assert caught.value.count == 5000
    assert len(caught.value.rows) == 1000


def test_wrong_arguments_are_refused_before_the_file_is_read(credit: StoreCredit) -> None:
    with pytest.raises(InvalidKey):
        credit.import_balances("nowhere.csv", key_prefix="~x")
    with pytest.raises(InvalidTerms, match="key_prefix"):
        credit.import_balances("nowhere.csv", key_prefix="x" * 151)
    with pytest.raises(InvalidText):
        credit.import_balances("nowhere.csv", key_prefix="x", actor="")
    with pytest.raises(FutureInstant):
        credit.import_balances("nowhere.csv", key_prefix="x", at=datetime(2027, 1, 1, tzinfo=UTC))
    with pytest.raises(UnknownCurrency):
        credit.import_balances("nowhere.csv", key_prefix="x", unit="DOLLARS")
    with pytest.raises(InvalidTerms, match="charity"):
        credit.import_balances("nowhere.csv", key_prefix="x", funding="charity")
    with pytest.raises(FileNotFoundError):
        credit.import_balances("nowhere.csv", key_prefix="x")
