"""A case takes the points that are due to go with what comes back, in the step that completes it (P4, P5)."""

from __future__ import annotations

from typing import Any

import pytest
from returns_desk import Returns, back, eur, points, sold

from storecredit.errors import (
    InvalidOrder,
    InvalidReturn,
    InvalidTerms,
    LotHeld,
    ReasonAndActorRequired,
    StoreCreditError,
    UnknownGrant,
)
from storecredit.policies import (
    Earning,
    EarningPolicy,
    EarnRule,
    PolicyVersion,
    Returned,
    earn,
    purchase_of,
)
from storecredit.service import RefundCase
from storecredit.storage import MemoryStorage
from storecredit.testing import FaultyStorage, InjectedFault
from storecredit.testing.contract.scene import POINTS
from storecredit.testing.faults import every_fault

WHY: Any = {"actor": "bo", "reason": "as sold, and unloved"}
SHIRT = Returned(line="1", amount=eur("15.00"))


def earned(returns: Returns) -> Earning:
    """Two lines of EUR 15.00, and ten points for each whole ten euros: 30."""
    returns.paid(sold("1", "15.00"), sold("2", "15.00"))
    plan = returns.credit.checkout("o-1").record.plan
    rule = EarnRule(id="all", per=eur("10.00"), points=10)
    bought = purchase_of(plan, holder="c-17", unit=eur("1.00").unit)
    named = PolicyVersion("club", "1")
    return returns.credit.earn(
        earn(EarningPolicy(rules=[rule]), bought, named=named, units=[POINTS])
    )


def inspected(returns: Returns) -> RefundCase:
    return returns.inspected(*returns.lines({"1": 1}))


def test_p4_the_points_go_with_the_credit_that_is_given(returns: Returns) -> None:
    earned(returns)
    case = inspected(returns)
    for _ in range(2):
        case.complete(key="done", returned=SHIRT, **WHY)
    assert (returns.has(), returns.has(unit="PTS")) == (eur("15.00"), points(10))
    (removal,) = returns.credit.earning("o-1").removals
    assert (removal.key, removal.points) == ("~case:r-1", points(20))
    *_, entry = returns.credit.journal("c-17", "PTS")
    assert (entry.id, entry.context.actor) == (removal.entry, "bo")
    # By hand nothing goes a second time.
    with pytest.raises(InvalidOrder):
        returns.credit.remove_earned("o-1", SHIRT, key="again", **WHY)
    assert returns.credit.verify().ok


def test_a17_after_a_merger_they_go_from_the_survivor(returns: Returns) -> None:
    earned(returns)
    case = inspected(returns)
    returns.credit.merge("c-17", "c-18", key="one", **WHY)
    case.complete(key="done", returned=[SHIRT], **WHY)
    assert returns.has(holder="c-18", unit="PTS") == points(10)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("", InvalidTerms),
        (7, InvalidTerms),
        (Returned(line="9", amount=eur("1.00")), InvalidOrder),
        (Returned(line="1", amount=eur("15.01")), InvalidOrder),
    ],
)
def test_what_cannot_come_back_completes_nothing(
    returns: Returns, wrong: Any, error: type[StoreCreditError]
) -> None:
    earned(returns)
    case = inspected(returns)
    before = returns.kept()
    with pytest.raises(error):
        case.complete(key="done", returned=wrong, **WHY)
    assert (returns.kept(), case.state) == (before, "inspected")


def test_nor_does_anything_where_the_points_cannot_go(returns: Returns) -> None:
    earned(returns)
    case = inspected(returns)
    returns.credit.hold("c-17", points(1), key="h")
    before = returns.kept()
    with pytest.raises(ReasonAndActorRequired):
        case.complete(key="done", returned=SHIRT)
    with pytest.raises(LotHeld):
        case.complete(key="done", returned=SHIRT, **WHY)
    assert returns.kept() == before


def test_an_order_that_never_earned_has_nothing_to_take(returns: Returns) -> None:
    returns.paid(sold("1", "15.00"))
    case = inspected(returns)
    with pytest.raises(UnknownGrant):
        case.complete(key="done", returned=SHIRT, **WHY)
    other = returns.inspected(back("1", "5.00"), order=None, id="r-2")
    with pytest.raises(InvalidReturn) as refused:
        other.complete(key="done", returned=SHIRT, **WHY)
    assert refused.value.field == "returned"


def test_s1_a_fault_takes_points_and_gives_credit_or_neither() -> None:
    def scene() -> tuple[MemoryStorage, Returns, RefundCase]:
        storage = MemoryStorage()
        returns = Returns(storage)
        earned(returns)
        return storage, returns, inspected(returns)

    def complete(returns: Returns, storage: Any) -> None:
        returns.at(storage).refund_case("r-1").complete(key="done", returned=SHIRT, **WHY)

    storage, returns, _ = scene()
    rehearsal = FaultyStorage(storage)
    complete(returns, rehearsal)
    whole = returns.has(), returns.has(unit="PTS")
    faults = list(every_fault(rehearsal.steps))
    assert len(faults) > 20
    for fault in faults:
        storage, returns, _ = scene()
        with pytest.raises(InjectedFault):
            complete(returns, FaultyStorage(storage, [fault]))
        found = returns.has(), returns.has(unit="PTS")
        assert found in {whole, (eur("0.00"), points(30))}, f"{fault.mode} {fault.number}"
        complete(returns, storage)
        assert (returns.has(), returns.has(unit="PTS")) == whole
