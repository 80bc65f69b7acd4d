"""Laws of import and export over random ledgers, and over files that were tampered with (S9)."""

from __future__ import annotations

import csv
import gzip
import io
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecredit import CustomUnit, ExchangeRate, Merchant, Money, Period, Rounding, StoreCredit
from storecredit.errors import ImportRefused, StoreCreditError
from storecredit.ledger import canonical
from storecredit.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterable

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
POINTS = CustomUnit("PTS", 0)
ACME = Merchant(id="acme", units=(POINTS,))
RATE = ExchangeRate("USD", POINTS, "100", on=date(2026, 3, 1))
TEXTS = st.sampled_from([None, "anna", "=1+1", "Žofia 🛒", '"quoted", and more', "-5", "x" * 200])


class Ledger:
    """A shop that a list of steps drives through the public verbs; refusals are part of life."""

    def __init__(self) -> None:
        self.now = START
        self.credit = StoreCredit(MemoryStorage(), ACME, clock=lambda: self.now)
        self.redemptions: list[str] = []
        self.holds: list[str] = []
        self.entries: list[str] = []
        self.steps = 0

    def take(self, step: dict[str, Any]) -> None:
        self.steps += 1
        self.now += step["pause"]
        with suppress(StoreCreditError):
            self.do(**step)

    def do(
        self,
        *,
        verb: str,
        holder: str,
        other: str,
        cents: int,
        text: str | None,
        which: int,
        **_: Any,
    ) -> None:
        credit, key = self.credit, f"step {self.steps}"
        amount = Money.of_minor(cents, "USD")
        about: Any = {
            "reference": text,
            "actor": text or "clerk",
            "reason": "a reason",
            "note": text,
        }
        match verb:
            case "issue":
                credit.issue(
                    holder,
                    amount,
                    funding=["refund", "promotional", "purchased"][which % 3],
                    key=key,
                    expires=[None, Period(hours=1), Period(days=30)][which % 3],
                    priority=which % 5 - 2,
                    paid=amount if which % 3 == 2 else None,
                    **about,
                    data={"which": str(which)},
                )
            case "redeem":
                spent = credit.redeem(holder, amount, key=key, taking="up_to", **about)
                self.redemptions.append(spent.entry_id)
            case "hold":
                self.holds.append(credit.hold(holder, amount, key=key, **about).hold_id)
            case "capture" if self.holds:
                hold = self.holds[which % len(self.holds)]
                self.redemptions.append(credit.capture(hold, key=key, **about).entry_id)
            case "release" if self.holds:
                credit.release(self.holds[which % len(self.holds)], key=key, **about)
            case "restore" if self.redemptions:
                credit.restore(
                    self.redemptions[which % len(self.redemptions)], amount=amount, key=key
                )
            case "transfer":
                credit.transfer(holder, other, amount, key=key, **about)
            case "convert":
                credit.convert(holder, amount, RATE, rounding=Rounding.DOWN, key=key)
            case "limit":
                credit.set_limit(holder, "USD", amount, key=key, **about)
            case "merge" if which % 3 == 0:
                credit.merge(holder, other, key=key, **about)
            case "sweep":
                credit.expire_due()
                credit.release_lapsed()
            case "freeze" if which % 3 == 0:
                credit.freeze(holder, "USD", key=key, **about)
            case "erase":
                entries = list(credit.journal(holder, "USD"))
                if entries:
                    credit.erase(entries[which % len(entries)].id)


PAUSES = [timedelta(0), timedelta(0), timedelta(minutes=1), timedelta(hours=1), timedelta(days=2)]
VERBS = (
    "issue issue issue redeem redeem hold hold capture capture capture release restore restore"
    " transfer convert limit merge sweep freeze erase"
).split()

STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "verb": st.sampled_from(VERBS),
            "holder": st.sampled_from(["c-1", "c-2", "c-3"]),
            "other": st.sampled_from(["c-1", "c-2", "=c-4"]),
            "cents": st.sampled_from([1, 2, 100, 999, 10_000]),
            "text": TEXTS,
            "which": st.integers(0, 30),
            "pause": st.sampled_from(PAUSES),
        }
    ),
    max_size=30,
)


def ledger_of(steps: Iterable[dict[str, Any]]) -> Ledger:
    ledger = Ledger()
    for step in steps:
        ledger.take(step)
    return ledger


def exported(credit: StoreCredit) -> bytes:
    file = io.BytesIO()
    credit.export_journal(file)
    return file.getvalue()


def empty(now: datetime) -> StoreCredit:
    return StoreCredit(MemoryStorage(), ACME, clock=lambda: now)


def state(credit: StoreCredit) -> str:
    with credit.storage.snapshot() as reader:
        accounts = [reader.whole("acme", name) for _, name in reader.account_ids("acme")]
    return canonical([[each.holder, each.to_json()] for each in accounts if each is not None])


@given(STEPS)
def test_what_goes_out_comes_in_as_the_same_ledger(steps: list[dict[str, Any]]) -> None:
    ledger = ledger_of(steps)
    data = exported(ledger.credit)
    copy = empty(ledger.now)
    summary = copy.import_journal(io.BytesIO(data))
    assert summary.added == summary.read
    assert state(copy) == state(ledger.credit)
    assert exported(copy) == data
    assert copy.verify().ok
    assert not copy.import_journal(io.BytesIO(data)).changed
    assert exported(copy) == data


@given(STEPS, STEPS)
def test_an_older_file_changes_nothing_and_a_longer_one_carries_on(
    steps: list[dict[str, Any]], more: list[dict[str, Any]]
) -> None:
    ledger = ledger_of(steps)
    older = exported(ledger.credit)
    copy = empty(ledger.now + timedelta(days=100))
    copy.import_journal(io.BytesIO(older))
    for step in more:
        ledger.take({**step, "verb": "issue"} if step["verb"] == "erase" else step)
    longer = exported(ledger.credit)
    copy.import_journal(io.BytesIO(longer))
    assert exported(copy) == longer
    assert not copy.import_journal(io.BytesIO(older)).changed
    assert exported(copy) == longer


@given(STEPS)
def test_a_ledger_that_came_in_goes_on_like_the_one_that_went_out(
    steps: list[dict[str, Any]],
) -> None:
    ledger = ledger_of(steps)
    copy = empty(ledger.now)
    copy.import_journal(io.BytesIO(exported(ledger.credit)))
    for holder in ("c-1", "c-2", "c-3", "=c-4"):
        answers = []
        for credit in (ledger.credit, copy):
            try:
                entry = credit.redeem(
                    holder, Money.of("0.02", "USD"), key="after", taking="up_to"
                ).entry
                answers.append((entry.moves, entry.kind))
            except StoreCreditError as refused:
                answers.append(str(refused))
        assert answers[0] == answers[1]
    assert state(copy) == state(ledger.credit)


@given(STEPS)
def test_the_spreadsheet_has_every_cent_and_runs_nothing(steps: list[dict[str, Any]]) -> None:
    ledger = ledger_of(steps)
    file = io.StringIO(newline="")
    ledger.credit.export_csv(file)
    balances: dict[tuple[str, str], Decimal] = {}
    for row in csv.DictReader(io.StringIO(file.getvalue(), newline="")):
        place = (row["lot"].split(".")[0] or row["entry"].split(".")[0], row["unit"])
        balances[place] = balances.get(place, Decimal(0)) + Decimal(row["change"] or 0)
        for name in row.keys() - {"change", "held", "owed"}:
            assert not row[name].startswith(("=", "+", "-", "@", "\t", "\r"))
    with ledger.credit.storage.snapshot() as reader:
        for _, name in reader.account_ids("acme"):
            account = reader.account_by_id("acme", name)
            assert account is not None
            balance = account.money(account.totals["balance"]).decimal
            assert balances[name.split(".")[0], account.unit.code] == balance


# --- Tampering ------------------------------------------------------------------------

SAMPLE = ledger_of(
    {
        "verb": verb,
        "holder": "c-1",
        "other": "c-2",
        "cents": cents,
        "text": "anna",
        "which": 2,
        "pause": timedelta(hours=1),
    }
    for verb, cents in (
        ("issue", 9999),
        ("hold", 500),
        ("capture", 1),
        ("restore", 100),
        ("transfer", 200),
        ("convert", 100),
        ("merge", 1),
    )
)
PLAIN = exported(SAMPLE.credit)
PACKED = gzip.compress(PLAIN, mtime=0)


def refused_or_the_same(data: bytes) -> None:
    credit = empty(SAMPLE.now)
    try:
        credit.import_journal(io.BytesIO(data))
    except ImportRefused:
        assert state(credit) == "[]"
    else:
        assert exported(credit) == PLAIN


@pytest.mark.parametrize("original", [PLAIN, PACKED], ids=["plain", "gzip"])
@given(data=st.data())
def test_one_changed_byte_is_refused_or_changes_nothing(
    original: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(original) - 1))
    byte = data.draw(st.integers(0, 255))
    refused_or_the_same(original[:place] + bytes([byte]) + original[place + 1 :])


@pytest.mark.parametrize("original", [PLAIN, PACKED], ids=["plain", "gzip"])
@given(data=st.data())
def test_a_missing_or_repeated_stretch_is_refused_or_changes_nothing(
    original: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(original)))
    stop = data.draw(st.integers(start, min(len(original), start + 2000)))
    refused_or_the_same(original[:start] + original[stop:])
    refused_or_the_same(original[:stop] + original[start:])


@given(st.binary(max_size=200))
def test_rubbish_is_refused(rubbish: bytes) -> None:
    with pytest.raises(ImportRefused):
        empty(START).import_journal(io.BytesIO(rubbish))


@given(st.binary(max_size=200))
def test_rubbish_behind_a_header_of_balances_is_refused_or_issues_what_it_says(
    rubbish: bytes,
) -> None:
    credit = empty(START)
    with suppress(ImportRefused):
        done = credit.import_balances(
            io.BytesIO(b"holder,amount,unit,funding\n" + rubbish), key_prefix="x"
        )
        assert credit.verify().entries == done.issued
        return
    assert credit.heads() == {}
