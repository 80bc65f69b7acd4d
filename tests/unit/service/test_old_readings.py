"""What was read is old by the time it is written: limits and ceilings hold all the same (P3, P4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from returns_desk import Returns, a_policy, back

from storecredit import Money, Period, StoreCredit
from storecredit.errors import ApprovalNeeded, GrantCeilingReached
from storecredit.policies import Limit, LimitPer, PolicyVersion
from storecredit.policies.gift import Gift, GrantCeiling
from storecredit.policies.goodwill import GoodwillPolicy, GoodwillRule, give_goodwill
from storecredit.policies.occasion import Occasion
from storecredit.policies.top_up import TopUpPolicy, credit_top_up
from storecredit.storage import MemoryStorage

NAMED = PolicyVersion("shop", "1")
AT = datetime(2026, 1, 1, tzinfo=UTC)


class Old:
    """
    A storage that answers once as it was before, as one may whose statements see what is committed.

    The first answer of *method* that *is_about* takes is nothing at all; from then on it is what
    there is.
    """

    def __init__(self, storage: MemoryStorage, method: str, is_about: Callable[..., bool]) -> None:
        self.storage = storage
        self.method = method
        self.is_about = is_about
        self.answered = 0

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.storage.transaction() as work:
            yield OldWork(work, self)

    def snapshot(self) -> Any:
        return self.storage.snapshot()

    def close(self) -> None:
        self.storage.close()


class OldWork:
    def __init__(self, work: Any, old: Old) -> None:
        self._work = work
        self._old = old

    def __getattr__(self, name: str) -> Any:
        found, old = getattr(self._work, name), self._old
        if name != old.method:
            return found

        def call(*args: Any, **named: Any) -> Any:
            if old.is_about(*args) and not old.answered:
                old.answered += 1
                return None
            return found(*args, **named)

        return call


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_p3_a_limit_that_was_used_up_since_it_was_looked_at_is_not_exceeded() -> None:
    memory = MemoryStorage()
    returns = Returns(memory)
    by = a_policy(limits=(Limit(id="day", per=LimitPer.HOLDER, amount=Money.of("40.00", "EUR")),))
    request = returns.credit.request_refund
    for name in ("r-1", "r-2"):
        decision = returns.decided(back(name, "30.00"), id=name, order=None, policy=by)
        case = request(decision, key="ask")
        case.approve(key="yes", actor="ann")
        case.receive(key="here")
        case.inspect(key="seen")
    returns.credit.refund_case("r-1").complete(key="done")
    old: Any = Old(memory, "record", lambda _, kind, __: kind == "refund-tally")
    with pytest.raises(ApprovalNeeded):
        returns.at(old).refund_case("r-2").complete(key="done")
    assert old.answered == 1
    assert returns.has() == Money.of("30.00", "EUR")


@pytest.fixture
def opened() -> tuple[MemoryStorage, Any]:
    """A storage on which a wallet is opened in between, and how it is."""
    memory = MemoryStorage()
    return memory, Old(memory, "wallet", lambda *_: True)


def test_p4_a_gift_meets_the_ceiling_of_a_wallet_that_was_opened_meanwhile(
    opened: tuple[MemoryStorage, Any],
) -> None:
    memory, old = opened
    month = GrantCeiling(id="month", period=Period(days=30), count=1)
    rule = GoodwillRule(id="sorry", on="apology", gives=Gift(amount=usd("1.00")))
    policy = GoodwillPolicy(rules=[rule], ceilings=[month])
    gifts = [
        give_goodwill(policy, Occasion(id=name, on="apology", holder="anna", at=AT), named=NAMED)
        for name in ("t-1", "t-2")
    ]
    StoreCredit(memory, "acme").grant(gifts[0])
    with pytest.raises(GrantCeilingReached):
        StoreCredit(old, "acme", sleep=lambda _: None).grant(gifts[1])
    assert old.answered == 1
    assert StoreCredit(memory, "acme").account("anna", "USD").available == usd("1.00")


def test_p4_a_top_up_counts_in_every_ceiling_also_beyond_the_first(
    opened: tuple[MemoryStorage, Any],
) -> None:
    memory, old = opened
    ceilings = [
        GrantCeiling(id="day", period=Period(days=1), count=1),
        GrantCeiling(id="month", period=Period(days=30), count=2),
    ]
    policy = TopUpPolicy(id="wallet", minimum=usd("1.00"), ceilings=ceilings)
    for number, storage in enumerate((memory, memory, old)):
        credit = StoreCredit(storage, "acme", sleep=lambda _: None)
        payment = credit_top_up(
            policy, usd("10.00"), holder="anna", payment=f"p-{number}", named=NAMED
        )
        found = credit.top_up(payment)
        assert found.decision.flag == (None if number == 0 else "above_ceiling")
    assert old.answered == 1
