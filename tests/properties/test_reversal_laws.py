"""Laws of reversed transfers: through any mergers all of it comes back, once, or nothing (A17)."""

from __future__ import annotations

import uuid
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecredit.errors import InsufficientCredit, RefusalError, TransferAlreadyReversed
from storecredit.ledger import Merchant, RestoreInto
from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage
from storecredit.values import Money, unit

DOLLARS = unit("USD")
HOLDERS = ("ann", "bob")


def usd(minor: int) -> Money:
    return Money.of_minor(minor, DOLLARS)


class Told:
    """Ann has sent bob all that he has; then he spends, gets back, and both change their names."""

    def __init__(self, gifts: list[int], into: RestoreInto) -> None:
        ids = count(1)
        self.shop = StoreCredit(
            MemoryStorage(),
            Merchant(id="acme", restore_into=into),
            new_id=lambda: uuid.UUID(int=next(ids)),
        )
        self.keys = (f"k{number}" for number in count())
        self.names = {holder: holder for holder in HOLDERS}
        self.spent: list[str] = []
        self.amount = sum(gifts)
        for minor in gifts:
            self.shop.issue("ann", usd(minor), funding="refund", key=next(self.keys))
        self.sent = self.shop.transfer("ann", "bob", usd(self.amount), key="gift")

    def tell(self, verb: str, minor: int) -> None:
        """Carry out one step; one that is refused changes nothing."""
        with suppress(RefusalError):
            if verb == "redeem":
                receipt = self.shop.redeem("bob", usd(minor), key=next(self.keys))
                self.spent.append(receipt.entry_id)
            elif verb == "restore" and self.spent:
                redemption = self.spent[minor % len(self.spent)]
                self.shop.restore(redemption, amount=usd(1 + minor // 3), key=next(self.keys))
            elif verb in self.names:
                self.merge(verb)

    def merge(self, holder: str) -> None:
        """Let a new name take *holder* over."""
        before = self.names[holder]
        self.names[holder] = f"{before}+"
        self.shop.merge(before, self.names[holder], key=next(self.keys))

    def kept(self, holder: str) -> int:
        return self.shop.account(holder, "USD").available.minor


steps = st.tuples(st.sampled_from(("redeem", "restore", "restore", *HOLDERS)), st.integers(1, 9))


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.sampled_from(RestoreInto),
    st.lists(steps, max_size=12),
    st.lists(steps, max_size=3),
)
def test_a_transfer_can_be_reversed_exactly_while_all_of_it_is_still_there(
    gifts: list[int],
    into: RestoreInto,
    before: list[tuple[str, int]],
    after: list[tuple[str, int]],
) -> None:
    told = Told(gifts, into)
    for verb, minor in before:
        told.tell(verb, minor)
    kept = told.kept("bob")
    if kept < told.amount:
        with pytest.raises(InsufficientCredit) as refused:
            told.shop.reverse_transfer(told.sent.entry_id, key="back")
        assert refused.value.reachable == usd(kept)
        assert (told.kept("bob"), told.kept("ann")) == (kept, 0)
        return
    back = told.shop.reverse_transfer(told.sent.entry_id, key="back")
    assert (back.sent.holder, back.received.holder) == (told.names["bob"], told.names["ann"])
    assert (told.kept("bob"), told.kept("ann")) == (0, told.amount)
    # Each part comes back whole, to the part that it was.
    returned = dict.fromkeys(range(len(gifts)), 0)
    for move in back.received.moves:
        returned[move.of] += move.amount
    assert [*returned.values()] == [move.amount for move in told.sent.sent.moves]
    for verb, minor in after:
        told.tell(verb, minor)
    value = told.kept("ann")
    assert told.shop.reverse_transfer(told.sent.entry_id, key="back").replayed
    with pytest.raises(TransferAlreadyReversed):
        told.shop.reverse_transfer(told.sent.entry_id, key="again")
    assert told.kept("ann") == value
    assert told.shop.verify().ok
