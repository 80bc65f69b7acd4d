"""Claim codes, awaited: the same verbs, and of many tasks exactly one claims a code (A15)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from storecredit import ClaimKeys, ClaimRules, Money
from storecredit.errors import ClaimFailed
from storecredit.service import AsyncStoreCredit
from storecredit.storage.sql import AsyncSQLStorage, create

RULES = ClaimRules(keys=ClaimKeys(current="a", keys={"a": bytes(range(32))}))


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database with all tables, by the name of its asynchronous driver."""
    plain = f"sqlite:///{tmp_path / 'shop.db'}"
    if request.param == "postgresql":
        plain = request.getfixturevalue("postgres_url")
    engine = create_engine(plain)
    create(engine)
    engine.dispose()
    return plain.replace("sqlite:", "sqlite+aiosqlite:")


def test_a15_a_code_lives_as_without_awaiting_and_is_claimed_by_one_task(url: str) -> None:
    async def story() -> list[Any]:
        engine = create_async_engine(url)
        try:
            storage = AsyncSQLStorage(engine)
            credit = AsyncStoreCredit(storage, "acme", claims=RULES, attempts=50)
            usd = Money.of("10.00", "USD")
            first = await credit.issue_code(usd, funding="purchased", key="gift")
            second = await credit.reissue_code(first.id, key="again", actor="ann", reason="lost")
            opened = await credit.open_code(str(second.code), caller="s")

            async def claim(number: int) -> str:
                try:
                    await credit.claim(str(second.code), f"c-{number}", key="k", caller=str(number))
                except ClaimFailed as failed:
                    return str(failed.reason)
                return "won"

            told = sorted(await asyncio.gather(*(claim(number) for number in range(4))))
            third = await credit.issue_code(usd, funding="purchased", key="gift 2")
            (receipt,) = await credit.revoke_code(third.id, key="off", actor="ann", reason="lost")
            states = sorted([claim.state.value async for claim in credit.codes()])
            return [
                str(opened.wallet.available),
                told,
                str(receipt.amount),
                (await credit.code(first.id)).state.value,
                states,
                (await credit.verify()).ok,
            ]
        finally:
            await engine.dispose()

    assert asyncio.run(story()) == [
        "USD 10.00",
        ["claimed", "claimed", "claimed", "won"],
        "USD 10.00",
        "replaced",
        ["claimed", "replaced", "revoked"],
        True,
    ]
