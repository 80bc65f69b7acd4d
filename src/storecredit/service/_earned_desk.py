"""The desk that takes earned points back: by the record of what an order earned (P4, A8, S11)."""

from collections.abc import Callable
from typing import Final, final

import attrs

from storecredit.errors import UnknownGrant
from storecredit.ledger import (
    AccountId,
    Command,
    LotId,
    Reclaim,
    account_id,
    account_of,
    unit_of,
    wallet_of,
)
from storecredit.policies.granted import Earning, Removal
from storecredit.policies.purchase import Returned
from storecredit.service._door import Asked
from storecredit.service._giving import Giving
from storecredit.service._grant_desk import Carried, GrantDesk
from storecredit.storage.protocols import Reader, Record, UnitOfWork
from storecredit.values import Money

EARNING: Final = "earning"
"""The kind of the records of what orders earned (S11)."""


@final
@attrs.frozen
class Back:
    """A return: its key among those of the order, and what comes back."""

    key: str
    returned: tuple[Returned, ...]


@final
class EarnedDesk:
    """Works on what one order earned, in a transaction that may do more than that."""

    def __init__(self, door: Giving, order: str) -> None:
        self._door: Final = door
        self._order: Final = order

    # The record

    def read(self, reader: Reader) -> tuple[int, Earning | None]:
        """Return the record as it is stored, and its version; None where the order never earned."""
        row = reader.record(self._door.merchant.id, EARNING, self._order)
        return (0, None) if row is None else (row.version, Earning.from_json(row.body))

    def put(self, tx: UnitOfWork, earning: Earning, *, version: int) -> None:
        """
        Write the record in place of the one that was read.

        Raises:
            ConcurrentChange: It is no longer as it was read.
        """
        merchant, body = self._door.merchant.id, earning.to_json()
        tx.put(Record(merchant=merchant, kind=EARNING, id=self._order, version=version, body=body))

    # The points

    def accounts(self, tx: Reader) -> set[AccountId]:
        """Return the account that has the points of the order now, if it has earned any."""
        _, known = self.read(tx)
        return set() if known is None or known.lot is None else {self.account(tx, LotId(known.lot))}

    def account(self, tx: Reader, lot: LotId) -> AccountId:
        """Return the account that has the points of *lot* now, mergers followed (A17)."""
        account = account_of(lot)
        wallet = tx.wallet_by_id(self._door.merchant.id, wallet_of(account))
        if wallet is None:
            return account
        return account_id(self._door._surviving(tx, wallet).id, unit_of(account))

    def now(self, reader: Reader, lot: LotId) -> Carried:
        """
        Return where the points of *lot* are now.

        Raises:
            UnknownLot: This merchant has no such lot.
        """
        return GrantDesk(self._door, EARNING, self._order).now(reader, lot)

    def take(self, tx: UnitOfWork, back: Back, asked: Callable[[Command], Asked]) -> None:
        """
        Take back what is due to go once *back* has come back, and write it on the record.

        Raises:
            UnknownGrant: The order never earned.
            As `remove`.
        """
        version, known = self.read(tx)
        if known is None:
            raise UnknownGrant(EARNING, self._order)
        self.put(tx, self.remove(tx, known, back, asked), version=version + 1)

    def unclaimed(self, reader: Reader, known: Earning, carried: Carried) -> int:
        """Return how many of the points are spent and were never missing, in minor units."""
        spent = GrantDesk(self._door, EARNING, self._order).spent(reader, carried)
        return max(spent - (0 if known.short is None else known.short.minor), 0)

    def remove(
        self,
        tx: UnitOfWork,
        known: Earning,
        back: Back,
        asked: Callable[[Command], Asked],
        *,
        settled: Money | None = None,
    ) -> Earning:
        """
        Take back what is due to go once *back* has come back, and return the record after it.

        Args:
            tx: The transaction.

            known: What the order earned, as it was read.

            back: What comes back.

            asked: Makes a request of a command.

            settled: How many of the points are missing and were made up for otherwise, if any.

        Raises:
            InvalidOrder: More comes back than was bought, or there is no such line.
            ReasonAndActorRequired, AccountFrozen, AccountClosed, LotHeld, LotExhausted: As
                `Reclaim`.
        """
        removal = self._removal(tx, known, back, asked, settled)
        return attrs.evolve(known, removals=(*known.removals, removal))

    def _removal(
        self,
        tx: UnitOfWork,
        known: Earning,
        back: Back,
        asked: Callable[[Command], Asked],
        settled: Money | None,
    ) -> Removal:
        nothing = Removal(key=back.key, returned=back.returned)
        going, rule = known.going(back.returned), known.decision.rule
        if not going or rule is None or known.lot is None:
            return nothing
        points = Money.total([each.amount for each in going], going[0].amount.unit)
        short = points - points if settled is None else settled
        removal = attrs.evolve(nothing, points=points, short=short)
        if short == points:
            return removal
        carried = self.now(tx, LotId(known.lot))
        command = Reclaim(
            lot=carried.granted.id,
            amount=points - short,
            shortfall=rule.shortfall,
            carried=carried.names,
            spent=max(self.unclaimed(tx, known, carried) - short.minor, 0),
        )
        receipt = GrantDesk(self._door, EARNING, self._order).do(
            tx, carried.account.id, asked(command)
        )
        return attrs.evolve(
            removal,
            short=short + receipt.shortfall,
            entry=receipt.entry_id if receipt.changed else None,
        )
