"""Duty 7: records carry everything that is not an account (S11)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from typing import Any, Final

import attrs
import pytest

from storecredit.errors import ConcurrentChange
from storecredit.ledger import canonical
from storecredit.storage.protocols import Record, Storage
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.keys import ALIKE
from storecredit.testing.contract.scene import present, usd

ANY_JSON: Final[dict[str, Any]] = {
    "": "an empty name",
    "null": None,
    "true": True,
    "one": 1,
    "false": False,
    "zero": 0,
    "negative": -1,
    "largest amount": 2**63 - 1,
    "beyond it": 2**63,
    "far beyond it": 10**40,
    "a fraction": 0.5,
    "a number as text": "1",
    "empty": ["", [], {}],
    "nested": [[[[{"a": [{"b": [None, True, 1, "1"]}]}]]]],
    "spaces": "  two before, one after ",
    "lines": "one\ntwo\r\nthree\ttab",
    "quotes": "' \" \\ \\u0000 %s {} ;--",
    "scripts": "Ωmega 日本語 עברית العربية हिन्दी 🧾👩‍👩‍👧 e\u0301",
    "Ωmega 🧾": "a name in any script",
    "long": "x" * 70_000,
}
"""JSON data that databases like to change: types, sizes, scripts, spaces."""


class RecordDuties(Duties):
    """A record is replaced only by the version after it, and is found by id and by reference."""

    def test_s11_a_record_that_nobody_has_put_is_none(self) -> None:
        storage = self.fresh()
        with storage.snapshot() as reader:
            assert reader.record("acme", "case", "r-1") is None
            assert reader.records("acme", "case") == []

    def test_s11_a_record_is_replaced_by_the_version_after_it_and_by_no_other(self) -> None:
        storage = self.fresh()
        first = case("r-1", version=1, step="asked")
        for wrong in (0, 2, 3):
            refuses(storage, attrs.evolve(first, version=wrong))
        put(storage, first)
        for wrong in (0, 1, 3):
            refuses(storage, attrs.evolve(first, version=wrong))
        second = case("r-1", version=2, step="approved")
        put(storage, second)
        for wrong in (0, 1, 2, 4):
            refuses(storage, attrs.evolve(second, version=wrong, body={"step": "denied"}))
        assert read(storage, "r-1") == second

    def test_s11_versions_count_within_a_transaction_too(self) -> None:
        storage = self.fresh()
        with storage.transaction() as work:
            for version in (1, 2, 3):
                work.put(case("r-1", version=version, step=f"step {version}"))
        assert read(storage, "r-1") == case("r-1", version=3, step="step 3")

    def test_s11_merchant_kind_and_id_name_a_record_together(self) -> None:
        storage = self.fresh()
        names = [
            ("acme", "case", "1"),
            ("acme", "case", "11"),
            ("acme", "payment", "1"),
            ("other", "case", "1"),
            ("acmecase", "case", "1"),
        ]
        for number, (merchant, kind, id_) in enumerate(names):
            put(
                storage,
                Record(merchant=merchant, kind=kind, id=id_, version=1, body={"n": number}),
            )
        with storage.snapshot() as reader:
            found = [present(reader.record(*name)).body["n"] for name in names]
            listed = [record.body["n"] for record in reader.records("acme", "case")]
        assert (found, listed) == ([0, 1, 2, 3, 4], [0, 1])

    def test_s11_any_json_comes_back_as_it_was_put(self) -> None:
        storage = self.fresh()
        put(storage, Record(merchant="acme", kind="case", id="r-1", version=1, body=ANY_JSON))
        put(storage, Record(merchant="acme", kind="case", id="r-2", version=1, body={}))
        assert canonical(dict(read(storage, "r-1").body)) == canonical(ANY_JSON)
        assert dict(read(storage, "r-2").body) == {}

    def test_s11_records_are_found_by_any_of_their_references(self) -> None:
        storage = self.fresh()
        put(storage, case("r-1", references={"order": "1002", "holder": "anna"}))
        put(storage, case("r-2", references={"order": "1003", "holder": "anna"}))
        put(storage, case("r-3", references={"holder": "1002"}))
        put(storage, case("r-4"))
        assert found_by(storage, ("holder", "anna")) == ["r-1", "r-2"]
        assert found_by(storage, ("order", "1002")) == ["r-1"]
        assert found_by(storage, ("order", "anna")) == []
        assert found_by(storage, ("ticket", "1002")) == []
        assert read(storage, "r-1").references == {"order": "1002", "holder": "anna"}

    def test_s11_a_replaced_record_is_found_by_its_new_references_only(self) -> None:
        storage = self.fresh()
        put(storage, case("r-1", references={"order": "1002", "holder": "anna"}))
        put(storage, case("r-1", version=2, references={"order": "1002", "ticket": "7"}))
        assert found_by(storage, ("order", "1002")) == ["r-1"]
        assert found_by(storage, ("ticket", "7")) == ["r-1"]
        assert found_by(storage, ("holder", "anna")) == []

    def test_s11_references_and_ids_that_only_look_alike_are_different(self) -> None:
        storage = self.fresh()
        for number, text in enumerate(ALIKE):
            put(storage, case(text, step=str(number), references={"order": text}))
        for number, text in enumerate(ALIKE):
            assert read(storage, text).body == {"step": str(number)}, repr(text)
            assert found_by(storage, ("order", text)) == [text], repr(text)

    def test_s11_records_are_listed_by_id_in_pages(self) -> None:
        storage = self.fresh()
        # By code point: where text is compared by UTF-16 or by a language, it is another order.
        ids = sorted(["10", "9", "A", "Z", "a", "b", "é", "\uff5e", "\U0001f9fe", "aa", "-", "~"])
        for id_ in reversed(ids):
            put(storage, case(id_, references={"order": "1"}))
        put(storage, case("unrelated", references={"order": "2"}))
        for limit in (1, 2, 5, 100):
            listed, after = [], ""
            while page := page_of(storage, after=after, limit=limit):
                assert len(page) <= limit
                assert page[0] > after, "a page begins at or before the id it is after"
                listed += page
                after = page[-1]
            assert listed == ids, f"in pages of {limit}"
        assert page_of(storage, after="Z", limit=2) == ["a", "aa"]

    def test_s11_the_kinds_of_records_are_told_apart_by_merchant(self) -> None:
        storage = self.fresh()
        kinds = sorted(["refund case", "payment", "Payment", "payment "])
        with storage.snapshot() as reader:
            assert reader.record_kinds("acme") == []
        for kind in kinds:
            for number in ("1", "2"):
                put(storage, Record(merchant="acme", kind=kind, id=number, version=1, body={}))
        put(storage, Record(merchant="other", kind="visit", id="1", version=1, body={}))
        with storage.snapshot() as reader:
            assert reader.record_kinds("acme") == kinds
            assert reader.record_kinds("other") == ["visit"]

    def test_s11_records_are_kept_in_the_transaction_of_the_accounts(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1")
        with shop.storage.transaction() as work:
            account = present(work.account("acme", "anna", "USD"))
            work.append(shop.issued(account, 100, key="a2"))
            work.put(case("r-1", version=1))
        assert shop.account("anna").version == 2
        assert read(shop.storage, "r-1").version == 1


def case(
    id_: str, *, version: int = 1, step: str = "asked", references: dict[str, str] | None = None
) -> Record:
    """Return a version of a case."""
    return Record(
        merchant="acme",
        kind="case",
        id=id_,
        version=version,
        body={"step": step},
        references=references or {},
    )


def put(storage: Storage, record: Record) -> None:
    """Put *record* in a transaction of its own."""
    with storage.transaction() as work:
        work.put(record)


def refuses(storage: Storage, record: Record) -> None:
    """Put *record*, which has to be refused and to change nothing."""
    with storage.snapshot() as reader:
        before = reader.record(record.merchant, record.kind, record.id)
    with pytest.raises(ConcurrentChange), storage.transaction() as work:
        work.put(record)
    with storage.snapshot() as reader:
        assert reader.record(record.merchant, record.kind, record.id) == before


def read(storage: Storage, id_: str) -> Record:
    """Read a case that there is."""
    with storage.snapshot() as reader:
        return present(reader.record("acme", "case", id_))


def found_by(storage: Storage, reference: tuple[str, str]) -> list[str]:
    """List the ids of the cases with *reference*."""
    with storage.snapshot() as reader:
        return [record.id for record in reader.records("acme", "case", reference=reference)]


def page_of(storage: Storage, *, after: str, limit: int) -> list[str]:
    """List the ids of the next cases of order 1."""
    with storage.snapshot() as reader:
        found = reader.records("acme", "case", reference=("order", "1"), after=after, limit=limit)
        return [record.id for record in found]
