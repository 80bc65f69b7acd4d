"""Refund cases for the tasks of an event loop: the same steps, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from returns_desk import Returns, a_policy, back, eur, sold

from storecredit.errors import UnknownCase
from storecredit.policies import RefundRule
from storecredit.service import AsyncRefundCase, AsyncStoreCredit, RefundCase
from storecredit.storage.protocols import Storage

_T = TypeVar("_T")


class AtOnce:
    """A storage for tasks that lets nobody wait."""

    def __init__(self, storage: Storage) -> None:
        self.blocking = storage

    async def run(self, work: Callable[[], _T]) -> _T:
        return work()

    def wait(self, awaitable: Awaitable[_T]) -> _T:
        raise NotImplementedError(awaitable)


def awaited(returns: Returns) -> AsyncStoreCredit:
    storage = AtOnce(returns.shop.storage)
    return AsyncStoreCredit(
        storage, returns.shop.merchant, clock=returns.clock, new_id=returns.shop.new_id
    )


def test_a_refund_is_awaited_from_the_request_to_the_last_answer(returns: Returns) -> None:
    credit = awaited(returns)
    returns.paid(sold("1", "30.00", quantity=3))

    async def story() -> AsyncRefundCase:
        lines = await credit.return_lines("o-1", {"1": 2})
        decision = returns.decided(*lines, kind="money")
        assert await credit.tallies(a_policy(), holder="c-17") == ()
        case = await credit.request_refund(decision, key="ask")
        await case.approve(key="yes")
        await case.await_return(key="wait")
        await case.ship(key="sent")
        await case.receive(key="here")
        await case.inspect(key="seen", accepted={"1": 1})
        await case.complete(key="done")
        (due,) = case.refunds_due
        await case.settle_refund(due.key, "failed")
        await case.redirect(due.key, key="turn", consent=True)
        assert (await case.reload()) == case.record
        return case

    case = asyncio.run(story())
    assert repr(case) == "AsyncRefundCase('r-1', completed)"
    assert (case.id, case.state, case.code) == ("r-1", "completed", None)
    assert [given.amount for given in case.given] == [eur("10.00")]
    assert case.track().text == "Your refund is complete."
    assert returns.has() == eur("10.00")


def test_cases_are_found_and_listed(returns: Returns) -> None:
    credit = awaited(returns)

    async def story() -> list[str]:
        with pytest.raises(UnknownCase):
            await credit.refund_case("r-1")
        assert await credit.find_refund_case("r-1") is None
        for name in ("r-1", "r-2"):
            decision = returns.decided(id=name, order=None)
            await credit.request_refund(decision, key="ask")
        found = await credit.refund_case("r-1")
        await found.deny(key="no")
        await found.reopen(key="again")
        await found.cancel(key="off")
        again = await credit.find_refund_case("r-1")
        assert again is not None
        assert again.state == "cancelled"
        return [case.id async for case in credit.refund_cases(state="requested")]

    assert asyncio.run(story()) == ["r-2"]


def test_goods_that_never_come_are_awaited_too(returns: Returns) -> None:
    now = RefundRule(id="now", offer=("credit",), instant=True)
    case = returns.requested(back("1", "30.00"), policy=a_policy((now,)))

    async def story() -> Any:
        found = await awaited(returns).refund_case("r-1")
        await found.approve(key="yes")
        await found.await_return(key="wait")
        arrive_by = found.record.arrive_by
        assert arrive_by is not None
        returns.clock.advance(arrive_by - returns.clock())
        return await found.goods_missing(key="gone", actor="job", reason="nothing came")

    assert asyncio.run(story()) == case.reload()
    assert returns.has() == eur("0.00")


def test_every_step_of_a_case_is_there_to_be_awaited() -> None:
    names = {name for name in dir(RefundCase) if not name.startswith("_")}
    assert names == {name for name in dir(AsyncRefundCase) if not name.startswith("_")}
