"""A journal goes out as a file and comes in again: the same ledger, or nothing at all (S9)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from storecredit import (
    CustomUnit,
    ExchangeRate,
    Limits,
    Merchant,
    Money,
    Period,
    Rounding,
    StoreCredit,
)
from storecredit.errors import FutureInstant, ImportRefused, InvalidTerms, KeyReused
from storecredit.ledger import Account, AccountId, canonical
from storecredit.service import Counts, ImportLimits
from storecredit.storage import MemoryStorage, Record

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POINTS = CustomUnit("PTS", 0)
ACME = Merchant(id="acme", units=(POINTS,), channels=("web",))


def shop(merchant: Merchant = ACME, now: datetime = NOW) -> StoreCredit:
    return StoreCredit(MemoryStorage(), merchant, clock=lambda: now)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def small_history(credit: StoreCredit) -> None:
    """One holder, two entries."""
    credit.issue("c-17", usd("50.00"), funding="refund", key="return-1", actor="anna", note="late")
    credit.redeem("c-17", usd("20.00"), key="order-1", channel="web", reference="order 1")


def long_history(credit: StoreCredit) -> None:
    """Every kind of row: holds that ended, exhausted lots, restores, merges, two units."""
    small_history(credit)
    credit.issue(
        "c-17",
        usd("5.00"),
        funding="promotional",
        key="promo",
        expires=Period(days=10),
        priority=-3,
        data={"campaign": "spring"},
        occurred_at=NOW - timedelta(days=2),
    )
    held = credit.hold("c-17", usd("12.00"), key="hold", channel="web", reference="order 2")
    captured = credit.capture(held.hold_id, amount=usd("8.00"), key="capture")
    credit.restore(captured.entry_id, amount=usd("3.00"), key="restore")
    credit.redeem("c-17", usd("30.00"), key="all", channel="web")
    credit.restore(captured.entry_id, amount=usd("1.00"), key="restore-2")
    credit.issue("c-18", usd("7.00"), funding="purchased", key="gift", paid=usd("6.00"))
    sent = credit.transfer("c-18", "c-19", usd("2.00"), key="transfer")
    credit.reverse_transfer(sent.entry_id, key="reverse")
    rate = ExchangeRate("USD", POINTS, "100", on=date(2026, 3, 1))
    credit.convert("c-18", usd("1.00"), rate, rounding=Rounding.DOWN, key="convert")
    credit.set_limit("c-19", "USD", usd("10.00"), key="limit", actor="anna", reason="company")
    credit.redeem("c-19", usd("4.00"), key="on account", channel="web")
    credit.freeze("c-19", "USD", key="freeze", actor="anna", reason="asked")
    credit.merge("c-18", "c-17", key="merge")


def exported(credit: StoreCredit, **options: Any) -> bytes:
    file = io.BytesIO()
    credit.export_journal(file, **options)
    return file.getvalue()


def imported(data: bytes, credit: StoreCredit | None = None, **options: Any) -> StoreCredit:
    credit = credit or shop()
    credit.import_journal(io.BytesIO(data), **options)
    return credit


def state(credit: StoreCredit) -> str:
    """Everything a ledger holds, as canonical text."""
    with credit.storage.snapshot() as reader:
        found = []
        for merchant, name in reader.account_ids(None):
            account = reader.whole(merchant, name)
            assert account is not None
            entries = [
                [entry.body, entry.digest.hex(), dict(entry.salts), entry.context.actor]
                for entry in reader.journal(account)
            ]
            found.append([account.holder, account.to_json(), entries])
    return canonical(found)


def lines_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def file_of(lines: list[dict[str, Any]], *, count: bool = True) -> bytes:
    """Write lines as a file whose counts and digest are right, so that only its content is not."""
    texts = [canonical(line) for line in lines if "trailer" not in line]
    body = "".join(f"{text}\n" for text in texts)
    counts = {
        f"{kind}s": sum(kind in line for line in lines) for kind in ("wallet", "account", "record")
    }
    counts["entries"] = sum("entry" in line for line in lines)
    digest = hashlib.sha256(body.encode()).hexdigest()
    trailer = canonical({"trailer": {**counts, "sha256": digest}})
    return f"{body}{trailer}\n".encode()


def refused(data: bytes, credit: StoreCredit | None = None, **options: Any) -> ImportRefused:
    """Import what has to be refused, and check that nothing of it stayed."""
    credit = credit or shop()
    before = state(credit)
    with pytest.raises(ImportRefused) as caught:
        imported(data, credit, **options)
    assert state(credit) == before
    assert caught.value.count >= len(caught.value.rows) > 0
    return caught.value


def problem(data: bytes, credit: StoreCredit | None = None, **options: Any) -> str:
    """Return the first bad row of a file that has to be refused."""
    return str(refused(data, credit, **options).rows[0])


# --- The round trip -------------------------------------------------------------------


def test_an_import_into_an_empty_storage_gives_the_same_ledger_byte_for_byte() -> None:
    credit = shop()
    long_history(credit)
    copy = shop()
    summary = copy.import_journal(io.BytesIO(exported(credit)))
    assert state(copy) == state(credit)
    assert copy.heads() == credit.heads()
    assert copy.verify().ok
    assert copy.verify(anchors=credit.heads()).ok
    assert summary.added == summary.read
    assert summary.read.entries == copy.verify().entries == 22
    assert exported(copy) == exported(credit)


def test_keys_are_answered_as_replays_after_an_import() -> None:
    credit = shop()
    long_history(credit)
    copy = imported(exported(credit))
    again = copy.redeem("c-17", usd("20.00"), key="order-1", channel="web", reference="order 1")
    assert again.replayed
    assert state(copy) == state(credit)
    with pytest.raises(KeyReused):
        copy.redeem("c-17", usd("21.00"), key="order-1", channel="web", reference="order 1")


def test_merged_holders_and_restores_are_followed_after_an_import() -> None:
    credit = shop()
    long_history(credit)
    copy = imported(exported(credit))
    for each in (credit, copy):
        each.issue("c-18", usd("1.00"), funding="goodwill", key="after")
    assert copy.wallet("c-18").available == copy.wallet("c-17").available
    assert copy.wallet("c-17").available == credit.wallet("c-17").available


def test_importing_a_file_again_changes_nothing() -> None:
    credit = shop()
    long_history(credit)
    copy = imported(exported(credit))
    summary = copy.import_journal(io.BytesIO(exported(credit)))
    assert not summary.changed
    assert summary.added == Counts()
    assert state(copy) == state(credit)


def test_an_older_export_changes_nothing() -> None:
    credit = shop()
    small_history(credit)
    older = exported(credit)
    credit.redeem("c-17", usd("1.00"), key="later", channel="web")
    before = state(credit)
    assert not credit.import_journal(io.BytesIO(older)).changed
    assert state(credit) == before


def test_a_longer_export_carries_the_journal_on() -> None:
    credit = shop()
    small_history(credit)
    copy = imported(exported(credit))
    long_history_from_here(credit)
    summary = copy.import_journal(io.BytesIO(exported(credit)))
    assert summary.added.entries == 4
    assert summary.added.wallets == 1
    assert state(copy) == state(credit)
    assert copy.verify().ok


def long_history_from_here(credit: StoreCredit) -> None:
    (redemption,) = [e for e in credit.journal("c-17", "USD") if e.key == "order-1"]
    credit.restore(redemption.id, amount=usd("5.00"), key="restore")
    credit.issue("c-20", usd("5.00"), funding="goodwill", key="new")
    credit.merge("c-20", "c-17", key="merge")


def test_what_was_erased_here_is_not_brought_back_by_an_older_file() -> None:
    credit = shop()
    small_history(credit)
    older = exported(credit)
    (first, _) = credit.journal("c-17", "USD")
    credit.erase(first.id)
    imported(older, credit)
    assert next(iter(credit.journal("c-17", "USD"))).context.actor is None


def test_what_was_erased_there_stays_erased_and_the_journal_verifies() -> None:
    credit = shop()
    small_history(credit)
    (first, _) = credit.journal("c-17", "USD")
    credit.erase(first.id)
    data = exported(credit)
    assert b"anna" not in data
    copy = imported(data)
    assert copy.verify().erased == 2
    assert copy.verify().ok


def test_a_pseudonym_given_here_is_not_replaced_by_the_name_in_an_older_file() -> None:
    credit = shop()
    small_history(credit)
    older = exported(credit)
    credit.pseudonymise("c-17", "p-1")
    imported(older, credit)
    assert credit.wallet("p-1").available == credit.wallet("p-1").available
    assert credit.wallet("c-17").accounts == ()


def test_records_come_in_at_their_version_and_again_without_effect() -> None:
    credit = shop()
    case = Record(merchant="acme", kind="case", id="7", version=1, body={"state": "requested"})
    done = Record(
        merchant="acme",
        kind="case",
        id="7",
        version=2,
        body={"state": "completed", "lines": [1, None, True]},
        references={"order": "1002"},
    )
    with credit.storage.transaction() as tx:
        tx.put(case)
    older = exported(credit)
    with credit.storage.transaction() as tx:
        tx.put(done)
    data = exported(credit, record_kinds=["case"])
    assert data == exported(credit)
    assert lines_of(exported(credit, record_kinds=()))[-1]["trailer"]["records"] == 0
    copy = shop()
    for file in (data, data, older):
        imported(file, copy)
        with copy.storage.snapshot() as reader:
            assert reader.record("acme", "case", "7") == done
    other = shop()
    with other.storage.transaction() as tx:
        tx.put(Record(merchant="acme", kind="case", id="7", version=1, body={"state": "denied"}))
    assert "here this version of it says something else" in problem(older, other)


def test_a_record_that_no_import_would_read_is_not_exported(tmp_path: Path) -> None:
    credit = shop()
    with credit.storage.transaction() as tx:
        tx.put(Record(merchant="acme", kind="case", id="7", version=1, body={"amount": 0.1}))
    with pytest.raises(InvalidTerms, match="no exact number"):
        credit.export_journal(tmp_path / "ledger.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_ledger_goes_out_and_comes_in() -> None:
    data = exported(shop())
    assert len(lines_of(data)) == 2
    assert not shop().import_journal(io.BytesIO(data)).changed


# --- Files and streams ----------------------------------------------------------------


def test_the_lines_are_as_documented() -> None:
    credit = shop()
    small_history(credit)
    header, wallet, account, first, second, trailer = lines_of(exported(credit))
    assert header == {"header": {"format": "storecredit journal", "merchant": "acme", "version": 1}}
    assert wallet["wallet"].keys() == {"id", "holder", "merged_into"}
    assert account["account"] == {"id": f"{wallet['wallet']['id']}.USD", "digits": 2}
    assert first["entry"]["private"]["actor"][1] == "anna"
    assert json.loads(second["entry"]["body"])["key"] == "order-1"
    assert trailer["trailer"]["entries"] == 2


@pytest.mark.parametrize("name", ["ledger.jsonl", "ledger.jsonl.gz"])
def test_a_path_is_written_whole_and_read_back_compressed_or_not(tmp_path: Path, name: str) -> None:
    credit = shop()
    long_history(credit)
    summary = credit.export_journal(tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == [name]
    data = (tmp_path / name).read_bytes()
    assert data.startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert summary.sha256 in (gzip.decompress(data) if name.endswith("gz") else data).decode()
    copy = shop()
    assert copy.import_journal(str(tmp_path / name)).changed
    assert state(copy) == state(credit)


def test_equal_ledgers_make_equal_compressed_files(tmp_path: Path) -> None:
    credit = shop()
    long_history(credit)
    for name in ("one.gz", "two.gz"):
        credit.export_journal(tmp_path / name)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_an_export_that_fails_leaves_the_file_before_it_as_it_was(tmp_path: Path) -> None:
    credit = shop()
    small_history(credit)
    target = tmp_path / "ledger.jsonl"
    target.write_text("kept")

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    for number in range(1000):
        credit.issue("c-18", usd("1.00"), funding="goodwill", key=f"k{number}")
    with pytest.raises(KeyboardInterrupt):
        credit.export_journal(target, progress=fail)
    assert target.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [target]


def test_a_device_is_written_and_not_replaced() -> None:
    credit = shop()
    small_history(credit)
    assert credit.export_journal(os.devnull).written.entries == 2
    assert not Path(os.devnull).is_file()


def test_streams_of_text_and_of_bytes_work_both_ways(tmp_path: Path) -> None:
    credit = shop()
    long_history(credit)
    text = io.StringIO()
    credit.export_journal(text)
    assert text.getvalue().encode() == exported(credit)
    assert state(imported_from(io.StringIO(text.getvalue()))) == state(credit)
    path = tmp_path / "ledger.jsonl"
    with path.open("w", encoding="utf-8", newline="\r\n") as windows:
        credit.export_journal(windows)
    assert b"\r\n" in path.read_bytes()
    with path.open(encoding="utf-8") as opened:
        assert state(imported_from(opened)) == state(credit)


def imported_from(stream: Any) -> StoreCredit:
    credit = shop()
    credit.import_journal(stream)
    return credit


class Pipe(io.RawIOBase):
    """Bytes that come in dribbles and only once."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data, self.step = data, step

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size >= self.step
        head, self.data = self.data[: self.step], self.data[self.step :]
        return head


@pytest.mark.parametrize("step", [1, 7, 4096])
@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_that_cannot_seek_is_read_once_in_pieces_of_any_size(
    step: int, packed: bool
) -> None:
    credit = shop()
    small_history(credit)
    data = exported(credit)
    copy = imported_from(Pipe(gzip.compress(data) if packed else data, step))
    assert state(copy) == state(credit)


def test_gzip_of_several_members_and_padding_is_read() -> None:
    credit = shop()
    small_history(credit)
    data = exported(credit)
    members = gzip.compress(data[:100]) + gzip.compress(data[100:]) + b"\0" * 600
    assert state(imported(members)) == state(credit)


def test_progress_counts_entries() -> None:
    credit = shop()
    for number in range(1001):
        credit.issue(f"c-{number}", usd("1.00"), funding="goodwill", key="k")
    out: list[int] = []
    back: list[int] = []
    data = exported(credit, progress=out.append)
    imported(data, progress=back.append)
    assert out == back == [1000]


def test_a_missing_file_is_the_operating_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        shop().import_journal(tmp_path / "nothing.jsonl")


# --- Files that are refused -----------------------------------------------------------


def test_a_fork_is_refused_and_named() -> None:
    credit = shop()
    small_history(credit)
    copy = imported(exported(credit))
    credit.redeem("c-17", usd("1.00"), key="here", channel="web")
    copy.redeem("c-17", usd("2.00"), key="there", channel="web")
    found = refused(exported(credit), copy)
    assert found.count == 1
    assert found.rows[0].line == 6
    assert found.rows[0].column == "entry.digest"
    assert "entry 3" in found.rows[0].problem
    assert "gone different ways" in str(found)


def test_another_merchants_file_is_refused() -> None:
    other = shop(Merchant(id="other"))
    other.issue("c-17", usd("5.00"), funding="goodwill", key="k")
    found = refused(exported(other))
    assert "header.merchant: it is the ledger of 'other', not of 'acme'" in str(found)
    assert found.count == 1


def test_a_holder_who_has_another_wallet_is_refused() -> None:
    credit, copy = shop(), shop()
    for each in (credit, copy):
        small_history(each)
    found = refused(exported(credit), copy)
    assert found.count == 1
    assert "line 2, wallet.holder: 'c-17' has another wallet already" in str(found)


def test_a_unit_with_other_digits_is_refused() -> None:
    credit = shop(Merchant(id="acme", units=(CustomUnit("PTS", 2),)))
    credit.issue("c-17", Money.of("5.00", CustomUnit("PTS", 2)), funding="earned", key="k")
    assert "account.digits" in problem(exported(credit))


def test_a_unit_that_the_merchant_has_not_declared_is_imported_as_it_is() -> None:
    miles = CustomUnit("MILES", 1)
    credit = shop()
    credit.issue("c-17", Money.of("5.5", miles), funding="earned", key="k")
    copy = imported(exported(credit))
    assert state(copy) == state(credit)
    assert copy.wallet("c-17").accounts[0].available == Money.of("5.5", miles)


def test_a_code_that_can_be_no_unit_is_refused() -> None:
    credit = shop()
    small_history(credit)
    lines = lines_of(exported(credit))
    wallet = lines[1]["wallet"]["id"]
    lines[2]["account"]["id"] = f"{wallet}.XAU"
    found = refused(file_of(lines))
    assert "account.id: " in str(found)
    assert "XAU" in str(found)
    assert found.count == 1


def test_accounts_and_entries_have_their_place() -> None:
    credit = shop()
    small_history(credit)
    credit.issue("c-17", Money.of(5, POINTS), funding="earned", key="p")
    header, wallet, points, point, dollars, first, second, trailer = lines_of(exported(credit))
    swapped = [header, wallet, dollars, first, second, points, point, trailer]
    assert "accounts have to come in the order" in problem(file_of(swapped))
    assert "there is no account before it" in problem(file_of([header, wallet, first, trailer]))
    assert "account: it has no entries" in problem(file_of([header, wallet, points, trailer]))
    assert "the file has one already" in problem(file_of([header, header, wallet, trailer]))


def test_records_have_their_place_and_a_version_that_can_be() -> None:
    header, trailer = lines_of(exported(shop()))

    def record(**changes: Any) -> dict[str, Any]:
        row = {"kind": "case", "id": "7", "version": 1, "body": {}, "references": {}}
        return {"record": {**row, **changes}}

    for records, told in (
        ([record(id="8"), record(id="7")], "in the order of kind and id"),
        ([record(), record()], "in the order of kind and id"),
        ([record(version=0)], "record.version"),
        ([record(version=10**9)], "record.version: it has to be at most"),
        ([record(references={"order": 5})], "record.references"),
        ([record(kind="")], "record.kind"),
        ([record(body=[])], "record.body: it has to be of type dict"),
    ):
        assert told in problem(file_of([header, *records, trailer]))


def test_entries_ahead_of_the_clock_are_refused() -> None:
    ahead = shop(now=NOW + timedelta(days=365))
    small_history(ahead)
    assert "ahead of the clock" in problem(exported(ahead))
    with pytest.raises(FutureInstant):
        shop().issue("c-17", usd("1.00"), funding="refund", key="k", at=NOW + timedelta(days=365))


def test_every_bad_row_is_named_once_and_nothing_is_kept() -> None:
    credit = shop()
    for number in range(5):
        credit.issue(f"c-{number}", usd("1.00"), funding="goodwill", key="k")
        credit.issue(f"c-{number}", usd("2.00"), funding="goodwill", key="l")
    lines = lines_of(exported(credit))
    for place in (3, 11, 15):
        lines[place]["entry"]["digest"] = "0" * 64
    found = refused(file_of(lines))
    assert found.count == 3
    assert [row.line for row in found.rows] == [4, 12, 16]
    assert all("does not follow" in row.problem for row in found.rows)


def test_a_thousand_bad_rows_are_named_and_all_are_counted() -> None:
    header = canonical(
        {"header": {"format": "storecredit journal", "merchant": "acme", "version": 1}}
    )
    found = refused("\n".join([header, *["[]"] * 1500]).encode())
    assert len(found.rows) == 1000
    assert found.count == 1501
    assert found.rows[999].line == 1001
    assert "and 1496 more" in str(found)


def changed(change: Callable[[list[dict[str, Any]]], object]) -> bytes:
    credit = shop()
    small_history(credit)
    lines = lines_of(exported(credit))
    change(lines)
    return file_of(lines)


def body_changed(**changes: Any) -> bytes:
    """A file whose second entry says something else, its chain and digests all recomputed."""

    def change(lines: list[dict[str, Any]]) -> None:
        body = json.loads(lines[4]["entry"]["body"])
        for name, value in changes.items():
            body[name] = value(body[name]) if callable(value) else value
        text = canonical(body)
        previous = bytes.fromhex(lines[3]["entry"]["digest"])
        lines[4]["entry"]["body"] = text
        lines[4]["entry"]["digest"] = hashlib.sha256(previous + text.encode()).hexdigest()

    return changed(change)


def test_the_helper_that_recomputes_digests_makes_files_that_are_accepted() -> None:
    assert imported(changed(len)).verify().ok
    assert imported(body_changed(key="another")).verify().ok


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(body_changed(sequence=3), "follows version 1", id="a gap"),
        pytest.param(body_changed(sequence=True), "is no number", id="a truth as a number"),
        pytest.param(body_changed(key="return-1"), "is another entry's already", id="a key twice"),
        pytest.param(body_changed(key="a\nb"), "control character", id="a key nobody may give"),
        pytest.param(body_changed(kind="gift"), "is no entry", id="a kind that is none"),
        pytest.param(body_changed(at="2026-03-01T11:00:00.000000Z"), "time is before", id="back"),
        pytest.param(body_changed(at="2026-03-01T12:00:00"), "is no entry", id="a naive instant"),
        pytest.param(body_changed(at="2026-03-01T12:00:00Z"), "canonical form", id="a short one"),
        pytest.param(body_changed(extra=1), "says more than it may", id="a name nobody knows"),
        pytest.param(body_changed(moves=[]), "changes nothing", id="no moves"),
        pytest.param(
            body_changed(moves=lambda moves: [[moves[0][0], "0" * 32, 2000, 3000, 3000]]),
            "moves the unknown lot",
            id="an unknown lot",
        ),
        pytest.param(
            body_changed(moves=lambda moves: [[*moves[0][:2], -2000, 7000, 7000]]),
            "no number from 0",
            id="a negative amount",
        ),
        pytest.param(
            body_changed(moves=lambda moves: [[*moves[0][:2], "2000", 3000, 3000]]),
            "no number from 0",
            id="an amount as text",
        ),
        pytest.param(
            body_changed(moves=lambda moves: [[*moves[0][:2], 2000, 4000, 4000]]),
            "does not lead to",
            id="arithmetic that is wrong",
        ),
        pytest.param(
            body_changed(moves=lambda moves: [["captured", moves[0][1], 2000, 3000, 3000]]),
            "outside its bounds",
            id="a capture of what is not held",
        ),
        pytest.param(
            body_changed(moves=lambda moves: [[*moves[0][:2], 2**63, 3000, 3000]]),
            "no number from 0",
            id="more than can be counted",
        ),
        pytest.param(body_changed(facts={"status": "happy"}), "is no entry", id="a status"),
        pytest.param(body_changed(facts={"limit": [1]}), "fact 'limit'", id="a limit"),
        pytest.param(
            body_changed(facts={"redemption": "x"}), "gives back nothing", id="a restore of nothing"
        ),
        pytest.param(body_changed(context={"reference": 5}), "context no text", id="a context"),
        pytest.param(body_changed(sealed={"actor": 5}), "it seals", id="a seal that is none"),
        pytest.param(body_changed(sealed={"name": "a"}), "it seals", id="a seal of nothing"),
    ],
)
def test_a_forged_entry_whose_digests_are_right_is_refused_all_the_same(
    data: bytes, told: str
) -> None:
    found = refused(data)
    assert found.count == 1
    assert found.rows[0].line == 5
    assert any(part in found.rows[0].problem for part in told.split("|"))


def last_body_changed(history: Callable[[StoreCredit], object], **changes: Any) -> bytes:
    """A file of *history* whose last entry says something else, its digests recomputed."""
    credit = shop()
    history(credit)
    lines = lines_of(exported(credit))
    place = max(place for place, line in enumerate(lines) if "entry" in line)
    before = lines[place - 1].get("entry")
    previous = Account.new(
        AccountId(lines[2]["account"]["id"]), "acme", "c-17", Money.zero("USD").unit
    ).head
    if before is not None:
        previous = bytes.fromhex(before["digest"])
    body = json.loads(lines[place]["entry"]["body"])
    for name, change in changes.items():
        body[name] = change(body.get(name))
    text = canonical(body)
    lines[place]["entry"]["body"] = text
    lines[place]["entry"]["digest"] = hashlib.sha256(previous + text.encode()).hexdigest()
    return file_of(lines)


def gift(credit: StoreCredit) -> None:
    credit.issue("c-17", usd("5.00"), funding="purchased", key="k", paid=usd("4.00"))


def limited_gift(credit: StoreCredit) -> None:
    limits = Limits(categories=("shoes",), minimum_order=100, share_percent=50)
    credit.issue("c-17", usd("5.00"), funding="promotional", key="k", limits=limits)


def two_holds_and_a_capture(credit: StoreCredit) -> None:
    gift(credit)
    first = credit.hold("c-17", usd("3.00"), key="h1", channel="web")
    credit.hold("c-17", usd("2.00"), key="h2", channel="web")
    credit.capture(first.hold_id, key="c")


def debt(credit: StoreCredit) -> None:
    credit.set_limit("c-17", "USD", usd("9.00"), key="l", actor="anna", reason="company")
    credit.redeem("c-17", usd("4.00"), key="r", channel="web")


def spenders(credit: StoreCredit) -> None:
    credit.set_spenders("c-17", "USD", ["ben"], key="s", actor="anna", reason="company")


def with_terms(**terms: Any) -> Callable[[Any], Any]:
    def change(moves: Any) -> Any:
        moves[0][5]["terms"].update(terms)
        return moves

    return change


def move(place: int, value: Any) -> Callable[[Any], Any]:
    def change(moves: Any) -> Any:
        moves[0][place] = value
        return moves

    return change


def two_dollars_too_many(moves: Any) -> Any:
    """Let the capture of a hold of 3.00 take 5.00: the other 2.00 are another hold's."""
    return [[*each[:2], 500, 0, 0, each[5]] for each in moves]


@pytest.mark.parametrize("history", [gift, limited_gift, two_holds_and_a_capture, debt, spenders])
def test_histories_that_are_not_forged_come_in(history: Callable[[StoreCredit], object]) -> None:
    assert imported(last_body_changed(history)).verify().ok


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (last_body_changed(gift, moves=with_terms(priority="high")), "terms that no lot can have"),
        (last_body_changed(gift, moves=with_terms(priority=True)), "terms that no lot can have"),
        (
            last_body_changed(
                gift,
                moves=with_terms(paid={"face": -1, "money": {"amount": "4.00", "unit": "USD"}}),
            ),
            "terms that no lot can have",
        ),
        (
            last_body_changed(limited_gift, moves=with_terms(limits={"minimum_order": True})),
            "is no entry",
        ),
        (
            last_body_changed(limited_gift, moves=with_terms(limits={"share_percent": 101})),
            "is no entry",
        ),
        (
            last_body_changed(limited_gift, moves=with_terms(limits={"categories": "shoes"})),
            "is no entry",
        ),
        (last_body_changed(gift, moves=with_terms(colour="red")), "canonical form"),
        (last_body_changed(gift, moves=move(1, "0" * 32)), "unknown lot"),
        (
            last_body_changed(two_holds_and_a_capture, moves=two_dollars_too_many),
            "takes from a hold what that hold does not reserve",
        ),
        (
            last_body_changed(debt, moves=lambda _: [["owed_settled", None, 400, -400, 0]]),
            "no number from 0",
        ),
        (
            last_body_changed(debt, moves=lambda _: [["owed_released", None, 400, 0, 0]]),
            "a sum of the account outside its bounds",
        ),
        (last_body_changed(spenders, facts=lambda _: {"spenders": "ben"}), "fact 'spenders'"),
        (
            last_body_changed(spenders, facts=lambda _: {"hold": "0" * 32, "lapses_at": "soon"}),
            "unknown hold",
        ),
        (
            last_body_changed(spenders, facts=lambda _: {"merged_into": "0" * 32 + ".USD"}),
            "merges the account where its wallet was not merged",
        ),
    ],
)
def test_an_entry_that_no_command_could_have_made_is_refused(data: bytes, told: str) -> None:
    found = refused(data)
    assert found.count == 1
    assert told in found.rows[0].problem


def test_wallets_that_were_merged_in_a_circle_are_refused() -> None:
    credit = shop()
    for holder in ("c-1", "c-2"):
        credit.issue(holder, usd("1.00"), funding="refund", key="k")
    lines = lines_of(exported(credit))
    one, two = (line["wallet"] for line in lines if "wallet" in line)
    one["merged_into"], two["merged_into"] = two["id"], one["id"]
    assert "wallet.merged_into: it was merged into itself" in problem(file_of(lines))
    one["merged_into"], two["merged_into"] = one["id"], None
    assert "wallet.merged_into: it was merged into itself" in problem(file_of(lines))


def test_a_wallet_that_was_merged_elsewhere_here_is_refused() -> None:
    credit = shop()
    for holder in ("c-1", "c-2", "c-3"):
        credit.issue(holder, usd("1.00"), funding="refund", key="k")
    copy = imported(exported(credit))
    credit.merge("c-1", "c-2", key="m")
    copy.merge("c-1", "c-3", key="m")
    assert "wallet.merged_into: here it was merged into another wallet" in str(
        refused(exported(credit), copy)
    )


def value_in(lines: list[dict[str, Any]], path: str, value: Any) -> None:
    """Set what *path* leads to; None takes it away."""
    place, *names, last = path.split(".")
    found: Any = lines[int(place)]
    for name in names:
        found = found[name]
    if value is None:
        del found[last]
    else:
        found[last] = value


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("0.header.version", 2, "header.version: it is 2; this library reads version 1"),
        ("0.header.format", "ledger", "header.format"),
        ("0.header.extra", 1, "header.extra: nobody knows this name"),
        ("0.header.merchant", None, "header.merchant: it is missing"),
        ("1.wallet.id", "abc", "wallet.id: it has to be 32 hexadecimal digits"),
        ("1.wallet.id", "0" * 32, "account.id: it does not belong to the wallet before it"),
        ("1.wallet.holder", "", "wallet.holder"),
        ("1.wallet.holder", "a\u0000b", "wallet.holder"),
        ("1.wallet.holder", "\ud800", "wallet.holder"),
        ("1.wallet.holder", 17, "wallet.holder: it has to be of type str"),
        ("1.wallet.merged_into", "f" * 32, "wallet.merged_into: there is no such wallet"),
        ("2.account.digits", 3, "account.digits: USD has 2 here"),
        ("2.account.digits", True, "account.digits: it has to be of type int"),
        ("2.account.id", "USD", "account.id"),
        ("3.entry.digest", "AB" * 32, "entry.digest: it has to be 64 hexadecimal digits"),
        ("3.entry.body", "{", "entry.body: it is not JSON"),
        ("3.entry.body", 5, "entry.body: it has to be of type str"),
        ("3.entry.body", '{"a":1,"a":2}', "it has the name 'a' twice"),
        ("3.entry.body", '{"a":1.5}', "1.5 is no exact number"),
        ("3.entry.body", '{"a":NaN}', "NaN is no exact number"),
        ("3.entry.body", '{"a":' + "9" * 30 + "}", "a number has 30 digits"),
        ("3.entry.body", "[" * 101 + "]" * 101, "nests deeper than 100"),
        ("3.entry.body", "[]", "is no entry"),
        ("3.entry.body", "\u00e9", "entry.body: it is not JSON"),
        ("3.entry.private.actor", ["00", "mallory"], "its actor is not the one"),
        ("3.entry.private.actor", "mallory", "a list of a salt and a value"),
        ("3.entry.private.actor", ["00", 5], "not of the type"),
        ("3.entry.private.ssn", ["00", "x"], "entry.private.ssn: nobody knows this name"),
    ],
)
def test_a_line_that_says_something_wrong_is_refused(path: str, value: Any, told: str) -> None:
    data = changed(lambda lines: value_in(lines, path, value))
    found = refused(data)
    assert told in str(found.rows[0])
    assert found.count == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "line 1, trailer: the file ends before its last line"),
        (b"\n", "line 1, line: it is not JSON"),
        (b"not JSON", "it is not JSON"),
        (b"{}", "an object with one name"),
        (b'{"gift":{}}', "nobody knows what 'gift' is"),
        (b'{"wallet":{}}', "wallet.id: it is missing"),
        (b'{"header":{}}', "header.format: it is missing"),
        (b'\xef\xbb\xbf{"header":{}}', "byte 1 is not ASCII"),
        (b'{"header":"\xff"}', "byte 12 is not ASCII"),
        (b'{"header":"\0"}', "it is not JSON"),
        (b"[" * 100_000, "nests deeper than 100"),
        (b'"' + b'\\"' * 50_000 + b"[" * 200, "nests deeper than 100|not JSON"),
        (b"\x1f\x8b\x08\x00rubbish", "the gzip data is damaged|ends in the middle"),
        (b"\x1f\x8b", "the gzip data ends in the middle"),
        (b"holder,amount\nc-17,5.00\n", "it is not JSON"),
    ],
)
def test_what_is_no_journal_file_is_refused_at_its_first_line(text: bytes, told: str) -> None:
    found = refused(text)
    assert found.count == 1
    assert any(part in str(found.rows[0]) for part in told.split("|"))


def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    credit = shop()
    small_history(credit)
    data = exported(credit)
    for length in range(0, len(data) - 1, 97):
        refused(data[:length])
    packed = gzip.compress(data)
    for length in range(0, len(packed) - 1, 41):
        refused(packed[:length])


def test_lines_that_are_swapped_repeated_or_left_out_are_refused() -> None:
    credit = shop()
    long_history(credit)
    lines = lines_of(exported(credit))
    swapped = [*lines[:4], lines[5], lines[4], *lines[6:]]
    for wrong in (swapped, lines[:1] + lines, lines[:3] + lines[4:], lines[1:]):
        refused(file_of(wrong))
    repeated = [*lines[:-1], *lines[1:-1]]
    assert "in the order of their ids, each once" in problem(file_of(repeated))


def test_something_behind_the_last_line_is_refused() -> None:
    data = exported(shop())
    assert "it stands behind the last line" in problem(data + data)


def test_a_wrong_trailer_is_refused() -> None:
    data = exported(shop())
    assert "it counts" in problem(data.replace(b'"wallets":0', b'"wallets":1'))
    wrong = lines_of(data)
    wrong[-1]["trailer"]["sha256"] = "0" * 64
    text = "".join(f"{canonical(line)}\n" for line in wrong).encode()
    assert "trailer.sha256: it is not the digest of the lines before it" in problem(text)


# --- Limits ---------------------------------------------------------------------------


def test_each_limit_is_kept() -> None:
    credit = shop()
    long_history(credit)
    data = exported(credit)
    longest = max(map(len, data.splitlines()))
    lines = len(data.splitlines())
    enough = ImportLimits(
        line_bytes=longest, lines=lines, inflated_bytes=len(data), field_characters=2000, depth=12
    )
    assert state(imported(data, limits=enough)) == state(credit)
    for too_tight, told in (
        (ImportLimits(line_bytes=longest - 1), f"the line is longer than {longest - 1} bytes"),
        (ImportLimits(lines=lines - 1), f"the file has more than {lines - 1} lines"),
        (ImportLimits(inflated_bytes=len(data) - 1), "the file is larger than"),
        (ImportLimits(field_characters=100), "it has a text of"),
        (ImportLimits(depth=2), "nests deeper than 2"),
    ):
        assert told in str(refused(data, limits=too_tight))


def test_a_gzip_bomb_is_refused_before_it_is_inflated() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    assert "line is longer than 1000000 bytes" in problem(
        bomb, limits=ImportLimits(line_bytes=1_000_000)
    )
    newlines = gzip.compress(exported(shop()).splitlines()[0] + b"\n" * 5_000_000)
    assert "larger than 10000 bytes" in str(
        refused(newlines, limits=ImportLimits(inflated_bytes=10_000)).rows[-1]
    )


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "9"])
def test_a_limit_is_a_whole_number_from_1_up(limit: Any) -> None:
    with pytest.raises(InvalidTerms, match=r"limits\.lines"):
        ImportLimits(lines=limit)
