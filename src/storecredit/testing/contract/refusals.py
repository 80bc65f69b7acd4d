"""Refusals: a command that is refused leaves the storage as it was, byte for byte (A12)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from collections.abc import Callable
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final

import pytest

from storecredit.errors import StoreCreditError
from storecredit.ledger import HoldId
from storecredit.service import Grant
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import NOON, POINTS, Shop, usd
from storecredit.values import ExchangeRate, Money, Period

Refused = Callable[[Shop, HoldId], Any]


def _nothing_for_a_cent() -> ExchangeRate:
    return ExchangeRate("USD", POINTS, "0.01", on=date(2026, 3, 1))


REFUSED: Final[MappingProxyType[str, Refused]] = MappingProxyType(
    {
        "more than there is": lambda shop, _: shop.credit.redeem("anna", usd("99.00"), key="x"),
        "more than is left beside a hold": lambda shop, _: shop.credit.hold(
            "anna", usd("9.00"), key="x"
        ),
        "a holder nobody knows": lambda shop, _: shop.credit.redeem("fay", usd("1.00"), key="x"),
        "a key of another request": lambda shop, _: shop.credit.redeem(
            "anna", usd("1.00"), key="a1"
        ),
        "an amount of nothing": lambda shop, _: shop.credit.issue(
            "fay", usd("0.00"), funding="refund", key="x"
        ),
        "terms that end before they begin": lambda shop, _: shop.credit.issue(
            "fay", usd("1.00"), funding="refund", key="x", expires=NOON - timedelta(days=1)
        ),
        "an instant far ahead": lambda shop, _: shop.credit.issue(
            "fay", usd("1.00"), funding="refund", key="x", at=NOON + timedelta(days=3650)
        ),
        "more than a hold has": lambda shop, hold: shop.credit.capture(
            hold, amount=usd("7.00"), key="x"
        ),
        "a hold of nobody": lambda shop, hold: shop.credit.release(hold[:-4] + "0000", key="x"),
        "another merchant's hold": lambda shop, hold: Shop(shop.storage, "other").credit.release(
            hold, key="x"
        ),
        "a hold that has lapsed": lambda shop, hold: (
            shop.clock.advance(Period(days=40)),
            shop.credit.capture(hold, key="x"),
        ),
        "a restore of what was no redemption": lambda shop, _: shop.credit.restore(
            shop.entries("anna")[0].id, key="x"
        ),
        "a transfer of more than there is, to somebody new": lambda shop, _: shop.credit.transfer(
            "anna", "fay", usd("99.00"), key="x"
        ),
        "a transfer to a frozen account": lambda shop, _: shop.credit.transfer(
            "anna", "carl", usd("1.00"), key="x"
        ),
        "a conversion to nothing": lambda shop, _: shop.credit.convert(
            "anna", usd("0.01"), _nothing_for_a_cent(), rounding="down", key="x"
        ),
        "a merger while something is held": lambda shop, _: shop.credit.merge(
            "anna", "fay", key="x"
        ),
        "the last of many grants": lambda shop, _: shop.credit.issue_many(
            [
                Grant(holder="fay", amount=usd("1.00"), funding="refund", key="x"),
                Grant(holder="ben", amount=Money.of("1", POINTS), funding="earned", key="x"),
                Grant(holder="carl", amount=usd("1.00"), funding="refund", key="x"),
            ]
        ),
        "a correction that nobody answers for": lambda shop, _: shop.credit.adjust(
            shop.entries("anna")[0].lot_ids[0], usd("1.00"), key="x"
        ),
        "closing an account that is not empty": lambda shop, _: shop.credit.close(
            "anna", "USD", key="x"
        ),
        "settling more than is owed": lambda shop, _: shop.credit.settle(
            "anna", usd("1.00"), key="x"
        ),
        "a pseudonym that is taken": lambda shop, _: shop.credit.pseudonymise("anna", "ben"),
    }
)
"""What is refused, on Anna's 10.00 dollars of which 6.00 are held; Carl's account is frozen."""


class RefusalDuties(Duties):
    """No trace of a refused command, and its key is free."""

    @pytest.mark.parametrize("case", sorted(REFUSED))
    def test_a12_a_refused_command_leaves_no_trace(self, case: str) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("10.00"), funding="refund", key="a1")
        hold = shop.credit.hold("anna", usd("6.00"), key="a2").hold_id
        shop.credit.issue("ben", usd("2.00"), funding="refund", key="b1")
        shop.credit.issue("carl", usd("2.00"), funding="refund", key="c1")
        shop.credit.freeze("carl", "USD", key="c2")
        before = shop.kept()
        with pytest.raises(StoreCreditError):
            REFUSED[case](shop, hold)
        assert shop.kept() == before

    def test_a12_the_key_of_a_refused_command_may_be_used_again(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("10.00"), funding="refund", key="a1")
        with pytest.raises(StoreCreditError):
            shop.credit.redeem("anna", usd("11.00"), key="order 1")
        again = shop.credit.redeem("anna", usd("10.00"), key="order 1")
        assert (again.replayed, again.entry.sequence) == (False, 2)

    def test_a1_a_command_that_changes_nothing_leaves_no_trace(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("10.00"), funding="refund", key="a1")
        before = shop.kept()
        assert shop.credit.release_order("anna", "order 1", key="x") == ()
        assert shop.credit.release_order("fay", "order 1", key="x") == ()
        assert shop.credit.merge("fay", "anna", key="x") == ()
        shop.credit.expire_due()
        shop.credit.release_lapsed()
        shop.credit.wallet("fay")
        shop.credit.preview("anna", usd("1.00"))
        assert shop.kept() == before
