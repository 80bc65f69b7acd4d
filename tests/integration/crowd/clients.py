"""One process's way to the ledger: transactions of its own, or those in which a host saves orders."""

from __future__ import annotations

import functools
import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    insert,
    select,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from storecredit import Money, StoreCredit
from storecredit.errors import ConflictError
from storecredit.storage.sql import HostTransactionConflict, SQLStorage

_T = TypeVar("_T")

MERCHANT = "acme"
SECONDS_OF_PATIENCE = 120
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})

HOSTS = MetaData()
ORDERS = Table(
    "orders",
    HOSTS,
    Column("id", String(100), primary_key=True),
    Column("merchant", String(50)),
    Column("cents", Integer),
)
PRICES = Table("prices", HOSTS, Column("cents", Integer, primary_key=True))


@functools.cache
def _engine(url: str, options: str) -> Engine:
    return create_engine(url, **json.loads(options))


def engine_for(url: str, options: Mapping[str, Any]) -> Engine:
    """Return this process's engine, or the one that it has inherited: unused, but experienced."""
    return _engine(url, json.dumps(options))


class Client:
    """
    Carries out one command after the other, however often it takes.

    Args:
        url: The database.

        level: The isolation level of the engine; None for its own.

        hosts: Whether each command is a part of a host's transaction, beside an order.

        merchant: Whose ledger it is.

        options: More options of the engine.

        attempts: How often the service tries.
    """

    def __init__(
        self,
        url: str,
        *,
        level: str | None = None,
        hosts: bool = False,
        merchant: str = MERCHANT,
        options: Mapping[str, Any] = NO_OPTIONS,
        attempts: int = 8,
    ) -> None:
        at_level = {} if level is None else {"isolation_level": level}
        self.engine = engine_for(url, {**options, **at_level})
        self.hosts = hosts
        self.merchant = merchant
        self.attempts = attempts
        self.conflicts = 0
        """How often a host has run a transaction again, or the service has given up for now."""
        self._chance = random.Random()

    def credit(self, bind: Any = None) -> StoreCredit:
        """Return the service, on the engine or in the transaction of *bind*."""
        storage = SQLStorage(self.engine if bind is None else bind)
        return StoreCredit(storage, self.merchant, attempts=self.attempts)

    def connect(self) -> None:
        """Come so far that the next command needs nothing but to be done."""
        with self.engine.connect():
            pass

    def practise(self) -> None:
        """Do something of everything, so that processes forked from here know how."""
        self.merchant = f"practice {uuid.uuid4()}"
        dollar = Money.of("1.00", "USD")
        self.do(
            lambda credit: credit.issue("a", dollar * 5, funding="refund", key="1"), self.merchant
        )
        self.do(lambda credit: credit.issue("b", dollar, funding="refund", key="1"))
        self.do(lambda credit: credit.redeem("a", dollar, key="2"))
        hold = self.do(lambda credit: credit.hold("a", dollar * 2, key="3")).hold_id
        self.do(lambda credit: credit.capture_part(hold, dollar, key="4"))
        self.do(lambda credit: credit.capture(hold, key="5"))
        self.do(lambda credit: credit.transfer("a", "b", dollar, key="6"))
        self.engine.dispose()

    def do(self, act: Callable[[StoreCredit], _T], order: str | None = None) -> _T:
        """Do it, in a transaction that also saves *order* where it is a host's."""
        end = time.monotonic() + SECONDS_OF_PATIENCE
        while True:
            try:
                return self._in_hosts(act, order) if self.hosts else act(self.credit())
            except HostTransactionConflict:
                assert self.hosts
            except ConflictError as conflict:
                # The service has done its attempts, which a shop would show as "try again".
                if self.hosts or not conflict.retryable:
                    raise
            except OperationalError:
                # The host's own statements meet those of others, too, and so does its commit.
                assert self.hosts
            self.conflicts += 1
            assert time.monotonic() < end, "no command was done for so long"
            time.sleep(self._chance.uniform(0, 0.03))

    def _in_hosts(self, act: Callable[[StoreCredit], _T], order: str | None) -> _T:
        with Session(self.engine) as session, session.begin():
            # Where the engine shows a transaction one state, it is this one and not the latest.
            price = session.execute(select(PRICES.c.cents)).scalar_one()
            if order is not None:
                values = {"id": order, "merchant": self.merchant, "cents": price}
                session.execute(insert(ORDERS).values(values))
            return act(self.credit(session))


def prepare(engine: Engine) -> None:
    """Make the host's tables; its only price is a dollar."""
    HOSTS.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(PRICES).values(cents=100))
