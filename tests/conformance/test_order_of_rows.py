"""
An adapter may load rows in any order: no entry, and so no digest, depends on it (A1, A3).

Holds that were placed at the same instant are the exception: nothing kept says which was first.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from storecredit import Merchant
from storecredit.storage import MemoryStorage
from storecredit.testing.contract.scene import POINTS, Shop, usd
from storecredit.testing.contract.story import story
from storecredit.values import Period

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from storecredit.ledger import Account


class Shuffled:
    """A storage that loads the lots, holds and restored parts of an account in any order."""

    def __init__(self, seed: int) -> None:
        self.right = MemoryStorage()
        self.random = random.Random(seed)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.right.transaction() as work:
            yield ShuffledUnit(work, self.shuffled)

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        with self.right.snapshot() as reader:
            yield ShuffledUnit(reader, self.shuffled)

    def shuffled(self, account: Account | None) -> Account | None:
        if account is None:
            return None
        found = account.copy()
        for rows in ("lots", "holds", "restored"):
            items = list(getattr(found, rows).items())
            self.random.shuffle(items)
            setattr(found, rows, dict(items))
        return found

    def close(self) -> None:
        self.right.close()


class ShuffledUnit:
    def __init__(self, work: Any, shuffled: Callable[[Account | None], Account | None]) -> None:
        self.work = work
        self.shuffled = shuffled

    def __getattr__(self, name: str) -> Any:
        return getattr(self.work, name)

    def account(self, *args: Any, **named: Any) -> Account | None:
        return self.shuffled(self.work.account(*args, **named))

    def account_by_id(self, *args: Any, **named: Any) -> Account | None:
        return self.shuffled(self.work.account_by_id(*args, **named))

    def accounts_of(self, *args: Any) -> list[Account | None]:
        return [self.shuffled(account) for account in self.work.accounts_of(*args)]


def many_of_everything(shop: Shop) -> None:
    """Several lots and holds in one account, and one command of each sort that meets them all."""
    credit = shop.credit
    for number in range(6):
        credit.issue(
            "anna", usd("3.00"), funding="refund", key=f"e{number}", expires=Period(hours=2)
        )
        credit.issue("anna", usd("3.00"), funding="promotional", key=f"p{number}")
    for number in range(5):
        shop.clock.advance(Period(minutes=1))
        credit.hold("anna", usd("1.50"), key=f"h{number}", lapses=Period(hours=1), reference="o1")
    credit.release_order("anna", "o1", key="released")
    for number in range(5):
        shop.clock.advance(Period(minutes=1))
        credit.hold("anna", usd("1.50"), key=f"i{number}", lapses=Period(hours=1))
    shop.clock.advance(Period(hours=1))
    credit.release_lapsed()
    spent = credit.redeem("anna", usd("7.00"), key="spent")
    credit.hold("anna", usd("1.50"), key="once more", lapses=Period(hours=1))
    shop.clock.advance(Period(minutes=1))
    credit.hold("anna", usd("1.50"), key="and again", lapses=Period(hours=1))
    shop.clock.advance(Period(hours=1))
    credit.expire_due()
    credit.restore(spent.entry_id, amount=usd("5.00"), key="restored")
    credit.cash_out("anna", usd("1.00"), key="paid out")
    lot = credit.issue("anna", usd("9.00"), funding="goodwill", key="wrong").lot_id
    credit.redeem("anna", usd("8.00"), key="from it", lot=lot)
    credit.revoke(lot, key="revoked", reach="promotional", actor="Mia", reason="fraud")
    credit.set_limit("anna", "USD", usd("99.00"), key="limit")
    for number in range(4):
        credit.issue(
            "anna", usd("2.00"), funding="earned", key=f"l{number}", effective=Period(hours=1)
        )
    credit.redeem("anna", usd("60.00"), key="owed")
    shop.clock.advance(Period(hours=1))
    credit.merge("anna", "ben", key="merged")


def everything_told(shop: Shop) -> None:
    for _ in story(shop):
        pass


@pytest.mark.parametrize("play", [everything_told, many_of_everything])
def test_the_order_in_which_rows_are_loaded_decides_nothing(play: Callable[[Shop], None]) -> None:
    merchant = Merchant(id="acme", units=(POINTS,))
    straight = Shop(MemoryStorage(), merchant)
    play(straight)
    for seed in range(5):
        shuffled = Shop(Shuffled(seed), merchant)
        play(shuffled)
        assert shuffled.credit.heads() == straight.credit.heads()
