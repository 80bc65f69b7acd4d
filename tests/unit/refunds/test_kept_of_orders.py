"""What a completed case keeps of an order is what it gave back: the rest adds up to the cent (V5)."""

from __future__ import annotations

import pytest
from returns_desk import Returns, a_policy, eur, sold

from storecredit.policies import Fee, RefundRule
from storecredit.storage import MemoryStorage
from storecredit.values import Period


def paid_by_lots(cents: int, lots: int, price: str, pieces: int) -> Returns:
    """An order of one line, paid by some lots of so many cents, and a card."""
    returns = Returns(MemoryStorage())
    for number in range(lots):
        until = Period(months=6 + number)
        given = eur(f"0.{cents:02}")
        returns.credit.issue("c-17", given, funding="refund", key=f"i{number}", expires=until)
    returns.paid(sold("1", price, quantity=pieces))
    return returns


def test_p5_what_is_left_of_several_lots_is_what_did_not_come_back() -> None:
    """Rounded by itself, a third of each lot was nothing, and one cent had come back."""
    returns = paid_by_lots(1, 3, "0.03", 3)
    returns.completed(*returns.lines({"1": 3}), accepted={"1": 1})
    (rest,) = returns.lines({"1": 2})
    assert (rest.external, rest.restored["EUR"]) == (eur("0.00"), eur("0.02"))


def test_p5_what_is_left_of_lots_and_a_card_is_what_did_not_come_back() -> None:
    """Two thirds of each lot of five cents were three, and seven had come back in all."""
    returns = paid_by_lots(5, 2, "0.15", 3)
    returns.completed(*returns.lines({"1": 3}), accepted={"1": 2}, kind="money")
    (rest,) = returns.lines({"1": 1})
    assert (rest.external, rest.restored["EUR"]) == (eur("0.02"), eur("0.03"))


@pytest.mark.parametrize("percent", [0, 15, 50])
@pytest.mark.parametrize("accepted", [1, 2, 3, 4])
def test_p5_the_rest_can_always_be_completed(accepted: int, percent: int) -> None:
    policy = a_policy((RefundRule(id="all", offer=("money",), fee=Fee(percent=percent)),))
    returns = paid_by_lots(7, 5, "0.61", 5)
    first, *_ = returns.lines({"1": 5})
    case = returns.requested(first, policy=policy, kind="money")
    for step in ("approve", "receive"):
        getattr(case, step)(key=step, actor="bo", reason="as the rules say")
    case.inspect(key="seen", accepted={"1": accepted})
    case.complete(key="done", actor="bo", reason="as the rules say")
    (rest,) = returns.lines({"1": 5 - accepted})
    after = returns.credit.request_refund(
        returns.decided(rest, policy=policy, kind="money", id="r-2"), key="ask again"
    )
    for step in ("approve", "receive", "inspect", "complete"):
        getattr(after, step)(key=step, actor="bo", reason="as the rules say")
    assert after.state == "completed"
    if percent == 0:
        back = returns.credit.checkout("o-1").payment.returned
        assert sum(amount.minor for amount in back) == 61
        assert returns.has() == eur("0.35")
