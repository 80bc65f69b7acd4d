"""The FastAPI example, served by a real server to many clients at once."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, func, select, table, text

from storecredit import Money, StoreCredit
from storecredit.storage.sql import SQLStorage

SHOP = Path(__file__).resolve().parents[2] / "examples" / "fastapi_shop"
STARTED = re.compile(r"running on (http://[\d.]+:\d+)")


@contextmanager
def served(database: str) -> Iterator[str]:
    """Serve the shop on a port of its own; yield its address."""
    command = [sys.executable, "-m", "uvicorn", "shop:app", "--app-dir", str(SHOP), "--port", "0"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "SHOP_DATABASE": database},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        encoding="utf-8",
    )
    try:
        assert process.stderr is not None
        told = ""
        for line in process.stderr:
            told += line
            if found := STARTED.search(line):
                yield found[1]
                break
        else:
            pytest.fail(f"the server did not start:\n{told}")
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(params=["postgresql", "sqlite"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The URL for the shop, and one that is not asynchronous for looking at what it did."""
    if request.param == "sqlite":
        plain = f"sqlite:///{tmp_path / 'shop.db'}"
        return plain.replace("sqlite:", "sqlite+aiosqlite:"), plain
    url: str = request.getfixturevalue("postgres_url")
    return url, url


def test_orders_and_credit_agree_whatever_is_asked_at_once(databases: tuple[str, str]) -> None:
    asynchronous, plain = databases

    async def ask(address: str) -> tuple[list[int], httpx.Response]:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            refund = {"customer": "c-17", "amount": "10.00"}
            # Delivered three times, as web hooks are.
            told = await asyncio.gather(
                *(
                    client.post("/refunds", json=refund, headers={"Idempotency-Key": "return-1"})
                    for _ in range(3)
                )
            )
            assert {each.status_code for each in told} == {200}
            assert len({each.json()["lot"] for each in told}) == 1
            # Sixteen orders of 1.50, each sent twice, against 10.00.
            orders = [
                {"number": f"o-{number}", "customer": "c-17", "total": "1.50"}
                for number in range(16)
            ]
            answers = await asyncio.gather(
                *(client.post("/orders", json=order) for order in orders * 2)
            )
            bad = await client.post(
                "/refunds",
                json={"customer": "c-17", "amount": "0.001"},
                headers={"Idempotency-Key": "return-2"},
            )
            wallet = await client.get("/customers/c-17")
            assert wallet.json() == {"available": []}
            return [each.status_code for each in answers], bad

    with served(asynchronous) as address:
        statuses, bad = asyncio.run(ask(address))
    assert set(statuses) == {200}
    assert (bad.status_code, bad.json()["error"]) == (422, "AmountTooFine")

    engine = create_engine(plain)
    with engine.connect() as connection:
        orders = table("orders")
        count = connection.scalar(select(func.count()).select_from(orders))
        on_credit = connection.scalar(text("SELECT sum(on_credit) FROM orders"))
    credit = StoreCredit(SQLStorage(engine), merchant="acme")
    verified = credit.verify()
    engine.dispose()
    assert count == 16
    assert round(on_credit * 100) == 1000
    assert verified.ok


def test_a_server_that_is_killed_in_the_middle_has_saved_both_or_neither(
    postgres_url: str,
) -> None:
    async def ask(address: str, process_ends: asyncio.Event) -> None:
        async with httpx.AsyncClient(base_url=address, timeout=10) as client:
            await client.post(
                "/refunds",
                json={"customer": "c-17", "amount": "100.00"},
                headers={"Idempotency-Key": "return-1"},
            )
            number = 0
            while not process_ends.is_set():
                number += 1
                order = {"number": f"o-{number}", "customer": "c-17", "total": "0.01"}
                try:
                    await client.post("/orders", json=order)
                except httpx.TransportError:
                    return

    async def run(address: str, pid: int) -> None:
        ended = asyncio.Event()
        asking = asyncio.create_task(ask(address, ended))
        await asyncio.sleep(1.0)
        os.kill(pid, 9)
        ended.set()
        await asking

    command = [sys.executable, "-m", "uvicorn", "shop:app", "--app-dir", str(SHOP), "--port", "0"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "SHOP_DATABASE": postgres_url},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        encoding="utf-8",
    )
    assert process.stderr is not None
    address = next(found[1] for line in process.stderr if (found := STARTED.search(line)))
    asyncio.run(run(address, process.pid))
    process.communicate(timeout=30)

    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM orders"))
    credit = StoreCredit(SQLStorage(engine), merchant="acme")
    left = credit.wallet("c-17").available["USD"]
    verified = credit.verify()
    engine.dispose()
    assert count
    assert Money.of("100.00", "USD") - left == Money.of_minor(count, "USD")
    assert verified.ok
