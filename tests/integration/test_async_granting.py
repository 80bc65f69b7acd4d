"""Decisions carried out by tasks of an event loop: the same answers, each thing once (P4)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from crowd.granting import bought, paid, sorry, usd
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from storecredit.policies.purchase import Returned
from storecredit.service import AsyncStoreCredit
from storecredit.storage.sql import AsyncSQLStorage, create

WHO = {"actor": "ann", "reason": "came back"}


async def twice(verb: Any, *arguments: Any, **more: Any) -> Any:
    """Ask two tasks at once for the same, and once more after that."""
    answers = await asyncio.gather(verb(*arguments, **more), verb(*arguments, **more))
    answers.append(await verb(*arguments, **more))
    assert [answer == answers[0] for answer in answers] == [True] * 3
    assert sorted(answer.replayed for answer in answers) == [False, True, True]
    return answers[0]


async def play(url: str) -> None:
    engine = create_async_engine(url)
    try:
        credit = AsyncStoreCredit(AsyncSQLStorage(engine), "acme")
        granted = await twice(credit.grant, sorry("t-1", "anna", 5))
        assert granted.lots[0].given == usd("1.00")
        await twice(credit.earn, bought("o-1"))
        back = Returned(line="3", amount=usd("10.00"))
        await twice(credit.remove_earned, "o-1", back, key="r", **WHO)
        earning = await credit.earning("o-1")
        assert str(earning.removed) == "EUR 10.00"
        going = await credit.earned("o-1", Returned(line="4", amount=usd("10.00")))
        assert [(each.line, str(each.amount)) for each in going.lines] == [("4", "EUR 10.00")]
        assert str(going.reachable) == "EUR 90.00"
        policy, named = paid("pay-1").rule, paid("pay-1").policy
        assert await credit.quote_top_up(policy, "anna", usd("5.00"), named=named) is None
        topped = await twice(credit.top_up, paid("pay-1"))
        assert await credit.top_up_of("pay-1") == topped
        refunded = await twice(credit.refund_top_up, "pay-1", **WHO)
        assert refunded.refund.pays_back == usd("10.00")
        assert (await credit.verify()).ok
    finally:
        await engine.dispose()


def test_p4_tasks_are_given_the_same_answers_and_each_thing_once(tmp_path: Path) -> None:
    plain = f"sqlite:///{tmp_path / 'shop.db'}"
    engine = create_engine(plain)
    create(engine)
    engine.dispose()
    asyncio.run(play(plain.replace("sqlite:", "sqlite+aiosqlite:")))
