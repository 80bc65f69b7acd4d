"""The tallies of ceilings: what was given in a period, counted in the transaction that gives (P4)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, final

import attrs

from storecredit.errors import GrantCeilingReached
from storecredit.ledger import Above, account_of, wallet_of
from storecredit.policies.gift import GrantCeiling
from storecredit.policies.grant_decision import GrantLot
from storecredit.policies.granted import GrantTally
from storecredit.policies.limits import LimitPer
from storecredit.service._door import Door
from storecredit.service._tally_records import Counted, put_tally, read_tally
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.values import Money


@final
@attrs.frozen
class Cut:
    """A lot after the ceilings: what may be given of it, and what kept the rest back."""

    lot: GrantLot
    allowed: Money
    ceiling: str | None


@final
class Tallies:
    """
    The tallies of one decision's ceilings, read and written in one transaction.

    A holder is counted by his wallet, which keeps its id when the holder is renamed (A18); an
    agent by his name.
    """

    def __init__(
        self,
        door: Door,
        tx: Reader,
        *,
        section: Sequence[str],
        ceilings: Sequence[GrantCeiling],
        at: datetime,
        agent: str | None,
    ) -> None:
        self._door: Final = door
        self._tx: Final = tx
        self._section: Final = tuple(section)
        self._ceilings: Final = tuple(ceilings)
        self._at: Final = at
        self._agent: Final = agent
        self._read: Final[dict[Counted, tuple[int, GrantTally]]] = {}

    def cut(self, lots: Sequence[GrantLot]) -> list[Cut]:
        """
        Return what the ceilings leave of *lots*, which count one after the other.

        Raises:
            GrantCeilingReached: A ceiling that refuses leaves less than all of a lot.
        """
        found = []
        before: dict[tuple[str, str], list[Money]] = {}
        who_of = {lot.holder: self._who(lot.holder) for lot in lots if self._ceilings}
        for lot in lots:
            allowed, by = lot.amount, None
            for ceiling in self._ceilings:
                who = who_of[lot.holder] if ceiling.per is LimitPer.HOLDER else self._agent
                if who is None:
                    continue
                earlier = before.setdefault((ceiling.id, who), [])
                named = lot.holder if ceiling.per is LimitPer.HOLDER else who
                left = self._left(ceiling, lot, named, earlier)
                if left < allowed:
                    allowed, by = left, ceiling.id
            for ceiling in self._ceilings:
                who = who_of[lot.holder] if ceiling.per is LimitPer.HOLDER else self._agent
                if who is not None and allowed.is_positive:
                    before[ceiling.id, who].append(allowed)
            found.append(Cut(lot, allowed, by))
        return found

    def _left(
        self, ceiling: GrantCeiling, lot: GrantLot, who: str, earlier: Sequence[Money]
    ) -> Money:
        """Return how much of *lot* the ceiling leaves."""
        counted = self._counted_of(ceiling, lot.holder)
        tally = GrantTally() if counted is None else self._load(counted)[1]
        amount, count = tally.room(ceiling, self._at)
        none = lot.amount - lot.amount
        if count is not None:
            count = max(count - len(earlier), 0)
        if amount is not None:
            used = [each for each in earlier if each.unit == amount.unit]
            amount = max(amount - Money.total(used, amount.unit), amount - amount)
        left = lot.amount
        if amount is not None and amount.unit == left.unit:
            left = min(left, amount)
        if count == 0:
            left = none
        if left < lot.amount and ceiling.above is Above.REFUSE:
            raise GrantCeilingReached(ceiling.id, ceiling.per.value, who, lot.amount, amount, count)
        return left

    def room(self, holder: str, amount: Money) -> bool:
        """Tell whether every ceiling leaves room for all of *amount*, whatever it does above it."""
        # Each is read, also where an earlier one leaves none: `add` counts in all of them.
        found = [self._has_room(ceiling, holder, amount) for ceiling in self._ceilings]
        return all(found)

    def _has_room(self, ceiling: GrantCeiling, holder: str, amount: Money) -> bool:
        counted = self._counted_of(ceiling, holder)
        tally = GrantTally() if counted is None else self._load(counted)[1]
        left, count = tally.room(ceiling, self._at)
        return count != 0 and (left is None or left.unit != amount.unit or left >= amount)

    def add(self, tx: UnitOfWork, amount: Money, *, entry: str) -> None:
        """Count what *entry* has given."""
        for ceiling in self._ceilings:
            if ceiling.per is LimitPer.HOLDER:
                counted = self._counted(ceiling, wallet_of(account_of(entry)))
            elif self._agent is not None:
                counted = self._counted(ceiling, self._agent)
            else:
                continue
            # What was not read when it was decided counts as empty: where somebody else has opened
            # the wallet since, or merged it, writing that meets his tally, and all is done anew.
            version, tally = self._read.get(counted, (0, GrantTally()))
            after = tally.plus(ceiling, self._at, amount)
            put_tally(tx, self._door.merchant.id, counted, after, version=version + 1)
            self._read[counted] = (version + 1, after)

    def _load(self, counted: Counted) -> tuple[int, GrantTally]:
        if counted not in self._read:
            merchant = self._door.merchant.id
            self._read[counted] = read_tally(self._tx, merchant, GrantTally, counted)
        return self._read[counted]

    def _who(self, holder: str) -> str:
        """Return what two names of one holder have in common: whoever has merged them."""
        wallet = self._tx.wallet(self._door.merchant.id, holder)
        return holder if wallet is None else self._door._surviving(self._tx, wallet).id

    def _counted_of(self, ceiling: GrantCeiling, holder: str) -> Counted | None:
        """Return what tally counts it, or None where nothing can have been counted yet."""
        if ceiling.per is LimitPer.AGENT:
            return None if self._agent is None else self._counted(ceiling, self._agent)
        wallet = self._tx.wallet(self._door.merchant.id, holder)
        if wallet is None:
            return None
        return self._counted(ceiling, self._door._surviving(self._tx, wallet).id)

    def _counted(self, ceiling: GrantCeiling, who: str) -> Counted:
        return Counted(section=self._section, limit=ceiling.id, per=ceiling.per, subject=who)
