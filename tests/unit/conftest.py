"""A shop on a memory storage, with a clock that a test sets."""

from __future__ import annotations

import json
import pickle
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import attrs
import pytest

from storecredit.errors import StoreCreditError
from storecredit.ledger import AccountView, Merchant
from storecredit.service import Receipt, StoreCredit
from storecredit.storage import MemoryStorage
from storecredit.values import Money

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: int) -> datetime:
        """Go on by days, hours, ...; a negative number goes back."""
        self.now += timedelta(**by)
        return self.now


class Refused:
    """What `Shop.refuses` caught."""

    error: Any


class Shop:
    """
    One merchant, and holder c-17 with an account in dollars, driven through the public verbs.

    The verbs here only fill in what most tests do not care about: the holder, the unit, the key.
    """

    def __init__(self, *, storage: Any = None, **rules: Any) -> None:
        self.storage = MemoryStorage() if storage is None else storage
        self.clock = Clock()
        self._keys = count(1)
        self._wallets = count(1)
        self._salts = count(1)
        self.opened: list[StoreCredit] = []
        self.credit = self.open(**rules)

    def open(self, merchant: str = "acme", **rules: Any) -> StoreCredit:
        """Open the same storage for a merchant with these rules."""
        credit = StoreCredit(
            self.storage,
            Merchant(id=merchant, **rules),
            clock=self.clock,
            new_id=lambda: uuid.UUID(int=next(self._wallets)),
            salt=lambda: next(self._salts).to_bytes(16, "big"),
            sleep=lambda _: None,
        )
        self.opened.append(credit)
        return credit

    def key(self) -> str:
        """Return a key that was not used yet."""
        return f"k{next(self._keys)}"

    # Commands of c-17 in dollars

    def issue(self, amount: str, *, holder: str = "c-17", **terms: Any) -> Receipt:
        given = {"funding": "refund", "key": self.key(), **terms}
        return self.credit.issue(holder, Money.of(amount, "USD"), **given)

    def redeem(self, amount: str, *, holder: str = "c-17", **more: Any) -> Receipt:
        given = {"key": self.key(), **more}
        return self.credit.redeem(holder, Money.of(amount, "USD"), **given)

    def hold(self, amount: str, *, holder: str = "c-17", **more: Any) -> Receipt:
        given = {"key": self.key(), **more}
        return self.credit.hold(holder, Money.of(amount, "USD"), **given)

    def correct(self, verb: str, *arguments: Any, **more: Any) -> Receipt:
        """Carry out a correction that clerk ann answers for."""
        given = {"key": self.key(), "actor": "ann", "reason": "a mistake", **more}
        return getattr(self.credit, verb)(*arguments, **given)

    # Looking

    def account(self, holder: str = "c-17", unit: str = "USD", **when: Any) -> AccountView:
        return self.credit.account(holder, unit, **when)

    def available(self, holder: str = "c-17") -> str:
        return str(self.account(holder).available)

    def lots(self, holder: str = "c-17") -> list[tuple[str, str]]:
        """Return funding and remainder of each open lot, in the order of use."""
        return [
            (lot.terms.funding.value, str(lot.remaining.decimal))
            for lot in self.account(holder).lots
        ]

    def totals(self, holder: str = "c-17", unit: str = "USD") -> dict[str, int]:
        """Return the totals of A2 that are not zero."""
        with self.storage.snapshot() as reader:
            account = reader.account(self.credit.merchant.id, holder, unit)
        return {name: total for name, total in account.totals.items() if total}

    def dump(self) -> str:
        """Write down everything that is stored."""
        found: list[Any] = []
        with self.storage.snapshot() as reader:
            for merchant, account_id in reader.account_ids(None):
                account = reader.whole(merchant, account_id)
                wallet = reader.wallet(merchant, account.holder)
                found.append([account.holder, account.to_json(), attrs.asdict(wallet)])
                for entry in reader.journal(account):
                    context = {**attrs.asdict(entry.context), "data": dict(entry.context.data)}
                    found.append([entry.body, entry.digest.hex(), context, dict(entry.salts)])
        return json.dumps(found, default=str, sort_keys=True)

    @contextmanager
    def refuses(self, error: type[StoreCreditError]) -> Iterator[Refused]:
        """Check that the block raises *error*, that nothing has changed, and that it pickles."""
        before, refused = self.dump(), Refused()
        with pytest.raises(error) as caught:
            yield refused
        assert type(caught.value) is error
        assert self.dump() == before
        copy = pickle.loads(pickle.dumps(caught.value))
        assert type(copy) is error
        assert str(copy) == str(caught.value)
        names = [field.name for field in attrs.fields(error)]
        for name in names:
            # Written out, because a NaN that was refused is not equal to itself.
            assert repr(getattr(copy, name)) == repr(getattr(caught.value, name))
        refused.error = caught.value


@pytest.fixture
def make_shop() -> Iterator[Callable[..., Shop]]:
    """Make shops with rules of their own; afterwards every journal of each has to verify."""
    shops: list[Shop] = []

    def make(**rules: Any) -> Shop:
        shops.append(Shop(**rules))
        return shops[-1]

    yield make
    for shop in shops:
        for credit in shop.opened:
            assert credit.verify().problems == ()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """A shop with the default rules; afterwards every journal has to verify."""
    return make_shop()


def _moves(receipt: Receipt) -> list[tuple[str, int]]:
    return [(move.what.value, move.amount) for move in receipt.moves]


@pytest.fixture
def moves() -> Callable[[Receipt], list[tuple[str, int]]]:
    """What happened, and how many minor units, move by move."""
    return _moves
