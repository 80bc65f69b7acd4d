"""What storage in memory promises beyond the contract: about one thread, and about its own data."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import attrs
import pytest

from storecredit.errors import ConcurrentChange, StorageBusy
from storecredit.ledger import NO_CONTEXT, AccountId, Change, Issue, LotId, Names, decide
from storecredit.storage import MemoryStorage
from storecredit.storage.protocols import Record
from storecredit.values import Money


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def case(body: dict[str, Any]) -> Record:
    return Record(merchant="acme", kind="case", id="1", version=1, body=body, references={})


def test_s2_a_transaction_inside_a_transaction_of_the_same_thread_is_refused(shop) -> None:
    shop.issue("10.00")
    with shop.storage.transaction() as work:
        work.put(case({"a": 1}))
        with pytest.raises(StorageBusy):
            shop.issue("5.00")
    assert shop.available() == "USD 10.00"
    with shop.storage.snapshot() as reader:
        assert reader.record("acme", "case", "1") == case({"a": 1})
    shop.issue("5.00")
    assert shop.available() == "USD 15.00"
    assert len(list(shop.credit.journal("c-17", "USD"))) == 2


def test_s1_a_transaction_inside_a_snapshot_of_the_same_thread_is_refused(shop) -> None:
    shop.issue("10.00")
    with shop.storage.snapshot() as reader:
        with pytest.raises(StorageBusy):
            shop.issue("5.00")
        assert reader.account("acme", "c-17", "USD").totals["balance"] == 1000
    assert shop.available() == "USD 10.00"


def test_s1_a_snapshot_inside_a_transaction_shows_what_was_there_before(shop) -> None:
    shop.issue("10.00")
    with shop.storage.transaction() as work:
        work.put(case({"a": 1}))
        with shop.storage.snapshot() as reader:
            assert reader.record("acme", "case", "1") is None
        assert shop.available() == "USD 10.00"
    with shop.storage.snapshot() as reader:
        assert reader.record("acme", "case", "1") is not None


def test_s1_a_refused_block_does_not_keep_the_storage_locked(shop) -> None:
    with shop.storage.snapshot(), pytest.raises(StorageBusy), shop.storage.transaction():
        pass
    with shop.storage.transaction() as work:
        work.put(case({}))


def test_s2_publishing_checks_that_nobody_was_faster(shop) -> None:
    shop.issue("10.00")
    one, other = shop.storage.transaction(), shop.storage.transaction()
    change = _change(shop)
    # Both are published without their blocks: the lock would not let two of them in.
    one.append(change)
    one.put(case({}))
    other.append(change)
    one.publish()
    with pytest.raises(ConcurrentChange):
        other.publish()
    third, fourth = shop.storage.transaction(), shop.storage.transaction()
    third.put(attrs.evolve(case({}), version=2))
    fourth.put(attrs.evolve(case({}), version=2))
    third.publish()
    with pytest.raises(ConcurrentChange):
        fourth.publish()
    assert [entry.sequence for entry in shop.credit.journal("c-17", "USD")] == [1, 2]


def _change(shop) -> Change:
    """Decide an issue of 5 dollars, and store nothing."""
    with shop.storage.snapshot() as reader:
        account = reader.account("acme", "c-17", "USD")
    change = decide(
        account,
        Issue(amount=usd("5.00"), funding="refund"),
        merchant=shop.credit.merchant,
        key="second",
        at=shop.clock(),
        context=NO_CONTEXT,
        salt=lambda: bytes(16),
    )
    assert change is not None
    return change


def test_s11_a_record_is_what_it_was_when_it_was_put() -> None:
    storage = MemoryStorage()
    body: dict[str, Any] = {"lines": [1, 2]}
    references = {"order": "o1"}
    with storage.transaction() as work:
        work.put(attrs.evolve(case(body), references=references))
        body["lines"].append(3)
        references["order"] = "o2"
    body["more"] = True
    with storage.snapshot() as reader:
        found = reader.record("acme", "case", "1")
        assert found is not None
        assert (found.body, found.references) == ({"lines": [1, 2]}, {"order": "o1"})
        found.body["lines"].append(4)  # type: ignore[index]  # a reader's copy is its own
        (again,) = reader.records("acme", "case", reference=("order", "o1"))
        assert again.body == {"lines": [1, 2]}


def test_s11_a_record_that_is_no_json_is_refused_when_it_is_put() -> None:
    storage = MemoryStorage()
    with storage.transaction() as work, pytest.raises(TypeError):
        work.put(case({"when": object()}))
    with storage.snapshot() as reader:
        assert reader.record("acme", "case", "1") is None


def test_s3_named_rows_are_found_and_no_others(shop) -> None:
    spent = shop.issue("1.00").lot_id
    shop.redeem("1.00")
    other = shop.issue("2.00").lot_id
    shop.redeem("2.00")
    shop.issue("3.00", holder="d")
    ended = shop.hold("3.00", holder="d").hold_id
    shop.credit.release(ended, key="r")
    with shop.storage.transaction() as work:
        account = work.account("acme", "c-17", "USD", names=Names(lots=(LotId(spent),)))
        assert set(account.lots) == {spent}
        assert other not in account.lots
        held = work.account("acme", "d", "USD", names=Names(holds=(ended,)))
        assert set(held.holds) == {ended}


def test_s3_the_cost_of_a_named_row_does_not_grow_with_history(shop) -> None:
    shop.issue("100000.00")

    def one(number: int) -> None:
        hold = shop.hold("1.00", key=f"h{number}").hold_id
        shop.credit.capture(hold, key=f"c{number}")

    def best(numbers: range) -> float:
        times = []
        for number in numbers:
            began = perf_counter()
            one(number)
            times.append(perf_counter() - began)
        return min(times)

    early = best(range(100))
    for number in range(100, 3000):
        one(number)
    # It took longer with each hold when all that had ever ended were looked through.
    assert best(range(3000, 3100)) < early * 4


def test_s3_the_accounts_of_a_wallet_are_found_without_looking_at_others(shop) -> None:
    shop.issue("1.00")
    shop.credit.issue("c-17", Money.of("1.00", "EUR"), funding="refund", key="e")
    shop.issue("1.00", holder="d")
    with shop.storage.snapshot() as reader:
        wallet = reader.wallet("acme", "c-17")
        found = [account.id for account in reader.accounts_of("acme", wallet.id)]
        assert found == [AccountId(f"{wallet.id}.EUR"), AccountId(f"{wallet.id}.USD")]
        assert reader.accounts_of("other", wallet.id) == []
