"""Reminders where hosts run them: on a server, in their own transaction, on an event loop (P7)."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Engine, MetaData, String, Table, create_engine, insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from storecredit import Money, Period, StoreCredit
from storecredit.messages import reminder_message
from storecredit.service import AsyncStoreCredit, Reminder
from storecredit.storage.sql import AsyncSQLStorage, SQLStorage, create

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BEFORE = [Period(days=7), Period(days=1)]
METADATA = MetaData()
OUTBOX = Table(
    "outbox",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("holder", String(40), nullable=False),
)


def stocked(storage: SQLStorage, *, holders: int = 5) -> StoreCredit:
    credit = StoreCredit(storage, "acme", clock=lambda: AT, attempts=100)
    for number in range(holders):
        for lot in range(2):
            credit.issue(
                f"h{number}",
                Money.of("1.00", "USD"),
                funding="refund",
                expires=Period(days=3 + lot),
                key=f"{lot}",
            )
    return credit


@pytest.mark.server
def test_p7_of_workers_at_a_server_each_reminder_is_acknowledged_by_one(server_url: str) -> None:
    engine = create_engine(server_url, pool_size=4)
    try:
        create(engine)
        credit = stocked(SQLStorage(engine))
        gate = threading.Barrier(4)
        got: list[list[str]] = [[] for _ in range(4)]
        problems: list[BaseException] = []

        def work(mine: list[str]) -> None:
            try:
                found = list(credit.due_reminders(before=BEFORE, batch=2))
                gate.wait()
                for reminder in found:
                    mine.extend(each.id for each in credit.acknowledge_reminders(reminder))
            except BaseException as problem:  # noqa: BLE001 - told below, in the test's own thread
                problems.append(problem)
                gate.abort()

        threads = [threading.Thread(target=work, args=(mine,)) for mine in got]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        everything = [name for mine in got for name in mine]
        assert (len(everything), len(set(everything))) == (10, 10)
        assert list(credit.due_reminders(before=BEFORE)) == []
    finally:
        engine.dispose()


class Crash(Exception):
    """What ends the host's transaction."""


def send(engine: Engine, reminders: list[Reminder], *, crash: bool) -> None:
    """Put a mail into the outbox and acknowledge, in one transaction of the host's."""
    with engine.begin() as connection:
        credit = StoreCredit(SQLStorage(connection), "acme", clock=lambda: AT)
        for reminder in credit.acknowledge_reminders(reminders):
            message = reminder_message(reminder)
            connection.execute(insert(OUTBOX).values(id=message.id, holder=message.holder))
        if crash:
            raise Crash


def test_p7_beside_the_host_s_outbox_a_reminder_is_sent_exactly_once(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    try:
        create(engine)
        METADATA.create_all(engine)
        credit = stocked(SQLStorage(engine))
        found = list(credit.due_reminders(before=BEFORE))
        with pytest.raises(Crash):
            send(engine, found, crash=True)
        assert list(credit.due_reminders(before=BEFORE)) == found
        for _ in range(2):
            send(engine, found, crash=False)
        with engine.connect() as connection:
            holders = list(connection.execute(select(OUTBOX.c.holder)).scalars())
        assert sorted(holders) == sorted(each.holder for each in found)
        assert list(credit.due_reminders(before=BEFORE)) == []
    finally:
        engine.dispose()


def test_p7_reminders_are_awaited_as_they_are_without(tmp_path: Path) -> None:
    plain = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    try:
        create(plain)
        expected = list(stocked(SQLStorage(plain)).due_reminders(before=BEFORE))
    finally:
        plain.dispose()

    async def job() -> list[Any]:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}")
        try:
            credit = AsyncStoreCredit(AsyncSQLStorage(engine), "acme", clock=lambda: AT)
            found = [each async for each in credit.due_reminders(before=BEFORE, batch=1)]
            first = await credit.acknowledge_reminders(found)
            second = await credit.acknowledge_reminders(found)
            rest = [each async for each in credit.due_reminders(before=BEFORE)]
            return [found, list(first), list(second), rest]
        finally:
            await engine.dispose()

    assert asyncio.run(job()) == [expected, expected, [], []]
