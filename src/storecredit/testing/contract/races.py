"""Races: threads that want the same thing at the same moment (S1, S2, S4)."""

# ruff: noqa: D102 - the name of a duty is its sentence

import time
from collections.abc import Callable
from typing import Any, Final

from storecredit.errors import ConflictError, InsufficientCredit
from storecredit.service import Receipt
from storecredit.storage.protocols import Record
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, usd
from storecredit.testing.contract.threads import at_once

RACERS: Final = 8
PATIENCE: Final = 60
"""How often a racer tries: a race is to be lost to a rule, never to an engine that is busy."""


class RaceDuties(Duties):
    """Whoever is first, the sums are right and nobody waits for ever."""

    def test_s2_one_of_many_threads_spends_the_last_of_an_account(self) -> None:
        shop = self.race()
        shop.credit.issue("anna", usd("10.00"), funding="refund", key="a1")
        outcomes = at_once([spend(shop, "anna", "10.00", key=f"spend {n}") for n in range(RACERS)])
        won = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        lost = [outcome for outcome in outcomes if isinstance(outcome, InsufficientCredit)]
        assert (len(won), len(lost)) == (1, RACERS - 1), outcomes
        account = shop.whole("anna")
        assert (account.version, account.totals["redeemed"], account.totals["balance"]) == (
            2,
            1000,
            0,
        )
        assert shop.credit.verify().ok

    def test_s2_threads_together_draw_what_there_is_and_no_more(self) -> None:
        shop = self.race()
        shop.credit.issue("anna", usd("10.00"), funding="refund", key="a1")
        draws = [
            spend(shop, "anna", "3.00", key=f"spend {n}", taking="up_to") for n in range(RACERS)
        ]
        outcomes = at_once(draws)
        won = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        assert sorted(receipt.amount.minor for receipt in won) == [100, 300, 300, 300], outcomes
        assert shop.account("anna").totals["redeemed"] == 1000
        assert shop.credit.verify().ok

    def test_s2_no_update_of_any_thread_is_lost(self) -> None:
        shop = self.race()

        def issue_thrice(racer: int) -> Callable[[], Any]:
            return lambda: [
                shop.credit.issue("anna", usd("1.00"), funding="refund", key=f"{racer}/{n}")
                for n in range(3)
            ]

        raised = [
            outcome
            for outcome in at_once([issue_thrice(racer) for racer in range(RACERS)])
            if isinstance(outcome, BaseException)
        ]
        assert raised == []
        account = shop.whole("anna")
        assert (account.version, len(account.lots)) == (3 * RACERS, 3 * RACERS)
        assert account.totals["balance"] == 300 * RACERS
        assert shop.credit.verify().ok

    def test_s4_one_key_from_many_threads_is_one_entry(self) -> None:
        shop = self.race()
        shop.credit.issue("anna", usd("50.00"), funding="refund", key="a1")
        outcomes = at_once([spend(shop, "anna", "1.00", key="order 1")] * RACERS)
        assert all(isinstance(outcome, Receipt) for outcome in outcomes), outcomes
        assert {outcome.entry.digest for outcome in outcomes} == {outcomes[0].entry.digest}
        assert [outcome.replayed for outcome in outcomes].count(False) == 1
        assert shop.account("anna").version == 2

    def test_a1_a_new_holder_gets_one_wallet_whoever_opens_it(self) -> None:
        shop = self.race()

        def issue(racer: int) -> Callable[[], Any]:
            return lambda: shop.credit.issue("anna", usd("1.00"), funding="refund", key=f"{racer}")

        raised = [
            outcome
            for outcome in at_once([issue(racer) for racer in range(RACERS)])
            if isinstance(outcome, BaseException)
        ]
        assert raised == []
        assert len(shop.credit.heads()) == 1
        assert shop.account("anna").totals["balance"] == 100 * RACERS

    def test_s1_opposite_transfers_neither_hang_nor_lose_a_cent(self) -> None:
        shop = self.race()
        holders = ("anna", "ben", "carl")
        for holder in holders:
            shop.credit.issue(holder, usd("100.00"), funding="refund", key="first")

        def transfer_to_and_fro(racer: int) -> Callable[[], Any]:
            sender, receiver = holders[racer % 3], holders[(racer + 1 + racer // 3 % 2) % 3]
            return lambda: [
                shop.credit.transfer(sender, receiver, usd("1.00"), key=f"{racer}/{n}")
                for n in range(3)
            ]

        raised = [
            outcome
            for outcome in at_once([transfer_to_and_fro(racer) for racer in range(6)])
            if isinstance(outcome, BaseException)
        ]
        assert raised == []
        accounts = [shop.whole(holder) for holder in holders]
        assert sum(account.totals["balance"] for account in accounts) == 30_000
        assert sum(account.totals["transferred_out"] for account in accounts) == 1_800
        assert shop.credit.verify().ok

    def test_s11_of_two_threads_that_replace_a_record_one_wins_each_version(self) -> None:
        shop = self.race()
        outcomes = at_once([lambda: count_up(shop)] * RACERS)
        assert sorted(outcomes) == list(range(1, RACERS + 1))

    def race(self) -> Shop:
        """Return a shop whose service does not give up while others are faster."""
        return Shop(self.fresh(), attempts=PATIENCE, sleep=a_moment)


def a_moment(seconds: float) -> None:
    """Pause between two attempts, never so long that the race is over meanwhile."""
    time.sleep(min(seconds, 0.02))


def spend(
    shop: Shop, holder: str, amount: str, *, key: str, taking: str = "all_or_nothing"
) -> Callable[[], Any]:
    """Return the act of spending, for a thread."""
    return lambda: shop.credit.redeem(holder, usd(amount), key=key, taking=taking)


def count_up(shop: Shop) -> int:
    """Add one to a counter that is kept as a record, and return it."""
    for _ in range(PATIENCE * RACERS):
        try:
            with shop.storage.transaction() as work:
                before = work.record("acme", "counter", "1")
                version = 1 if before is None else before.version + 1
                body = {"count": version}
                work.put(
                    Record(merchant="acme", kind="counter", id="1", version=version, body=body)
                )
        except ConflictError:
            time.sleep(0.002)
        else:
            return version
    raise AssertionError("the storage answered every attempt with a conflict")
