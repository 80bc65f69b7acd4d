"""Snapshots: one consistent state, whatever is written meanwhile (S1)."""

# ruff: noqa: D102 - the name of a duty is its sentence

import threading

from storecredit.storage.protocols import Reader
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, everything, present, usd
from storecredit.testing.contract.threads import LONG, beside, wait_a_moment


class SnapshotDuties(Duties):
    """A reader sees every transaction as a whole or not at all."""

    def test_s1_an_open_snapshot_does_not_see_what_is_committed_after_it(self) -> None:
        shop = two_accounts(self.shop())
        with shop.storage.snapshot() as reader:
            before = everything(reader, "acme")
            writing = beside(lambda: transfer_all(shop))
            wait_a_moment(writing)
            assert everything(reader, "acme") == before
        writing.result(LONG)
        assert balances(shop) == [0, 1000]

    def test_s1_a_snapshot_does_not_see_a_transaction_that_is_not_committed(self) -> None:
        shop = two_accounts(self.shop())
        half_done, go_on = threading.Event(), threading.Event()

        def write() -> None:
            with shop.storage.transaction() as work:
                for holder in ("anna", "ben"):
                    account = present(work.account("acme", holder, "USD"))
                    work.append(shop.issued(account, 250, key="more"))
                    half_done.set()
                    go_on.wait(LONG)

        writing = beside(write)
        try:
            assert half_done.wait(LONG), "the writer did not get to its first append"
            reading = beside(lambda: balances(shop))
            wait_a_moment(reading)
        finally:
            go_on.set()
        writing.result(LONG)
        seen = reading.result(LONG)
        assert seen in ([1000, 0], [1250, 250]), f"half of a transaction was seen: {seen}"
        assert balances(shop) == [1250, 250]

    def test_s1_a_snapshot_does_not_see_a_transaction_that_was_undone(self) -> None:
        shop = two_accounts(self.shop())
        half_done, go_on = threading.Event(), threading.Event()

        def write_and_break_off() -> None:
            try:
                with shop.storage.transaction() as work:
                    account = present(work.account("acme", "anna", "USD"))
                    work.append(shop.issued(account, 250, key="more"))
                    half_done.set()
                    go_on.wait(LONG)
                    raise InterruptedError
            except InterruptedError:
                pass

        writing = beside(write_and_break_off)
        try:
            assert half_done.wait(LONG), "the writer did not get to its append"
            reading = beside(lambda: balances(shop))
            wait_a_moment(reading)
        finally:
            go_on.set()
        writing.result(LONG)
        assert reading.result(LONG) == [1000, 0]
        assert balances(shop) == [1000, 0]

    def test_s1_readers_see_a_sum_that_transfers_never_change(self) -> None:
        shop = two_accounts(self.shop())
        ended = threading.Event()

        def read() -> set[int]:
            sums = set()
            while not ended.is_set():
                sums.add(sum(balances(shop)))
            return sums

        readers = [beside(read) for _ in range(2)]
        try:
            for number in range(20):
                sender, receiver = ("anna", "ben") if number % 2 == 0 else ("ben", "anna")
                shop.credit.transfer(sender, receiver, usd("10.00"), key=f"t{number}")
        finally:
            ended.set()
        seen: set[int] = set().union(*(reader.result(LONG) for reader in readers))
        assert seen <= {1000}, f"readers saw value appear or vanish: {sorted(seen)}"

    def test_s1_snapshots_may_be_open_side_by_side(self) -> None:
        shop = two_accounts(self.shop())
        with shop.storage.snapshot() as one, shop.storage.snapshot() as other:
            assert everything(one, "acme") == everything(other, "acme")
        assert balances(shop) == [1000, 0]


def two_accounts(shop: Shop) -> Shop:
    """Open accounts of Anna, with ten dollars, and Ben, with none left."""
    shop.credit.issue("anna", usd("10.00"), funding="refund", key="a1")
    shop.credit.issue("ben", usd("1.00"), funding="refund", key="b1")
    shop.credit.redeem("ben", usd("1.00"), key="b2")
    return shop


def transfer_all(shop: Shop) -> None:
    """Move everything from Anna to Ben."""
    shop.credit.transfer("anna", "ben", usd("10.00"), key="all")


def balances(shop: Shop) -> list[int]:
    """Read both balances in one snapshot, in minor units."""
    with shop.storage.snapshot() as reader:
        return [balance(reader, "anna"), balance(reader, "ben")]


def balance(reader: Reader, holder: str) -> int:
    """Read one balance, in minor units."""
    return present(reader.account("acme", holder, "USD")).totals["balance"]
