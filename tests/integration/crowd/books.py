"""What shoppers have written down, compared with what a database keeps."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import sqlalchemy as sa

from crowd.clients import ORDERS, Client
from crowd.shoppers import HOLDERS
from storecredit import Money, StoreCredit
from storecredit.storage.sql import tables

STOCK = 10_000_000
"""The cents that each holder has to begin with: more than anybody can spend."""
SECONDS_BETWEEN_LOOKS = 0.005

NAMES = tables()


@attrs.define
class Book:
    """One shopper's file, as far as it was read."""

    file: Path
    hosts: bool
    """Whether the shopper is a host, which saves an order with each command."""
    did: list[dict[str, Any]] = attrs.field(factory=list)
    met: list[dict[str, Any]] = attrs.field(factory=list)
    _read: int = 0

    def read(self) -> None:
        """Read what was written since; a line that is not finished yet is left for later."""
        if not self.file.exists():
            return
        with self.file.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        self._read += len(whole) + bool(whole)
        for line in whole.splitlines():
            said = json.loads(line)
            (self.did if "did" in said else self.met).append(said)


@attrs.define
class Books:
    """The books of all shoppers of one merchant."""

    merchant: str
    every: list[Book]

    def read(self) -> int:
        """Read on in all of them; return how much was acknowledged so far."""
        for book in self.every:
            book.read()
        return sum(len(book.did) for book in self.every)

    def wait_until(self, condition: Callable[[], bool], what: str, *, seconds: float = 90) -> None:
        """Read on until the condition holds."""
        end = time.monotonic() + seconds
        while not (self.read(), condition())[1]:
            assert time.monotonic() < end, f"{what}: not after {seconds} s; {self.shown()}"
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def did(self) -> Iterator[dict[str, Any]]:
        """Yield everything that was acknowledged, shopper by shopper."""
        for book in self.every:
            yield from book.did

    def met(self) -> Counter[tuple[str, str, int | None, bool]]:
        """Count what made shoppers try again: error, problem, the driver's number, host or not."""
        return Counter(
            (each["met"], each["problem"], each["code"], each["hosts"])
            for book in self.every
            for each in book.met
        )

    def shown(self) -> str:
        """Say how far the shoppers came."""
        done = [len(book.did) for book in self.every]
        replayed = sum(each["replayed"] for each in self.did())
        return f"done {done}, {replayed} of them by an earlier try, met {dict(self.met())}"

    # What there has to be

    def entries(self) -> Counter[str]:
        """Return the ids of all entries that there have to be, the stock's aside."""
        each = self.did()
        return Counter(id_ for one in each for id_ in (one["entry"], one["far"]) if id_)

    def orders(self) -> Counter[str]:
        """Return the ids of all orders that there have to be."""
        return Counter(
            f"{self.merchant}/{one['did']['key']}"
            for book in self.every
            if book.hosts
            for one in book.did
        )

    def cents(self) -> dict[str, tuple[int, int]]:
        """Return what each holder has to have, available and held."""
        available, held = dict.fromkeys(HOLDERS, STOCK), defaultdict[str, int](int)
        for one in self.did():
            verb, holder = one["did"]["verb"], one["did"]["holder"]
            available[holder] += {"issue": 1, "capture": 0}.get(verb, -1) * one["cents"]
            held[holder] += {"hold": 1, "capture": -1}.get(verb, 0) * one["cents"]
            if verb == "transfer":
                available[one["did"]["other"]] += one["cents"]
        return {holder: (available[holder], held[holder]) for holder in HOLDERS}


def stock(credit: StoreCredit) -> set[str]:
    """Give every holder more than anybody can spend; return the entries."""
    amount = Money.of_minor(STOCK, "USD")
    return {
        credit.issue(holder, amount, funding="refund", key="stock").entry_id for holder in HOLDERS
    }


def require_nothing_lost_or_half_done(engine: sa.Engine, books: Books, keys: Sequence[str]) -> None:
    """
    Require that *keys* are there, and that all sides are there of what has several.

    Others may be at work meanwhile: it is one state of the database that is looked at.
    """
    entries, wallets = NAMES.entries.c, NAMES.wallets.c
    kept = sa.select(entries.key).where(
        wallets.merchant == books.merchant, wallets.id == entries.wallet
    )
    saved = sa.select(ORDERS.c.id).where(ORDERS.c.merchant == books.merchant)
    consistent = engine.execution_options(isolation_level="REPEATABLE READ")
    with consistent.begin() as connection:
        there = Counter(connection.execute(kept).scalars())
        orders = set(connection.execute(saved).scalars())
    missing = [key for key in keys if there[key] != 1]
    assert not missing, f"acknowledged, and then lost: {missing}"
    hosts = {f"{books.merchant}/{key}" for key in there if key.startswith("host")}
    assert hosts == orders, "an order without its entry, or an entry without its order"
    sent = sum(key.endswith("-transfer") for key in there)
    arrived = sum(key.startswith("~from:") for key in there)
    assert sent == arrived, "a transfer with one side"


def require_all_as_acknowledged(client: Client, books: Books, stocked: set[str]) -> None:
    """Require that there is exactly what was acknowledged, once nobody is at work any more."""
    credit = client.credit()
    verified = credit.verify()
    assert verified.ok, verified.problems
    kept = Counter(entry.id for holder in HOLDERS for entry in credit.journal(holder, "USD"))
    assert kept == books.entries() + Counter(stocked)
    views = {holder: credit.account(holder, "USD") for holder in HOLDERS}
    has = {holder: (each.available.minor, each.held.minor) for holder, each in views.items()}
    assert has == books.cents()
    with client.engine.connect() as connection:
        saved = sa.select(ORDERS.c.id).where(ORDERS.c.merchant == books.merchant)
        assert Counter(connection.execute(saved).scalars()) == books.orders()
