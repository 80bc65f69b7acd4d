"""The desk that carries decisions out: lots, records and tallies in one transaction, once (P4)."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeVar, final

import attrs

from storecredit.errors import (
    ConcurrentChange,
    MisuseError,
    RefusalError,
    UnknownEntry,
    UnknownLot,
)
from storecredit.ledger import (
    Account,
    AccountId,
    Command,
    Context,
    Issue,
    Lot,
    LotId,
    Names,
    account_of,
    request_of,
)
from storecredit.ledger.reversing import carriers
from storecredit.policies.grant_decision import GrantLot
from storecredit.policies.granted import GivenLot
from storecredit.service._door import Asked, Loaded
from storecredit.service._giving import Giving
from storecredit.service.about import About, context_of
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import Reader, Record, UnitOfWork
from storecredit.values import Money, instant

Body = Mapping[str, Any]
"""What a record keeps, as JSON data."""
_T = TypeVar("_T")
_DIGITS: Final = 20
"""How many hexadecimal digits tell names apart in the keys of entries: 80 bits."""


def grant_key(what: str, name: str, rest: str) -> str:
    """Return the key of an entry: one of the library's own (A1), which *name* leads to."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"~{what}:{digest}:{rest}"


@final
@attrs.frozen(kw_only=True)
class GrantStamp:
    """What the entries of one decision have in common."""

    context: Context
    at: datetime | None

    @classmethod
    def of(cls, about: About, *, reference: str | None) -> "GrantStamp":
        """
        Check what a verb was told; what it is about is the reference, unless one is given.

        Raises:
            InvalidText, NaiveInstant, TypeError: As every command.
        """
        told = About(**about)
        at = told.pop("at", None)
        if told.get("reference") is None:
            told["reference"] = reference
        return cls(context=context_of(told), at=None if at is None else instant(at))

    def asked(self, command: Command, key: str) -> Asked:
        """Return *command* under *key*."""
        return Asked(command, key, self.context, request_of(command), self.at)


@final
class GrantDesk:
    """Works on one record, and on the accounts that it is about, in one transaction at a time."""

    def __init__(self, door: Giving, kind: str, name: str) -> None:
        self.door: Final = door
        self._kind: Final = kind
        self._name: Final = name

    def body(self) -> Body | None:
        """Return the record as it is stored, or None."""
        with self.door.storage.snapshot() as reader:
            row = reader.record(self.door.merchant.id, self._kind, self._name)
        return None if row is None else row.body

    def step(self, change: Callable[[UnitOfWork, Body | None], tuple[_T, Body | None]]) -> _T:
        """
        Let *change* turn the record that there is into the next one, and return its result.

        It returns the new body beside the result; None leaves the record as it is.
        """

        def work(tx: UnitOfWork) -> _T:
            merchant = self.door.merchant.id
            row = tx.record(merchant, self._kind, self._name)
            with self._as_read(tx, row):
                result, body = change(tx, None if row is None else row.body)
            if body is not None:
                version = 1 if row is None else row.version + 1
                tx.put(
                    Record(
                        merchant=merchant,
                        kind=self._kind,
                        id=self._name,
                        version=version,
                        body=body,
                    )
                )
            return result

        return self.door._write(work)

    @contextmanager
    def _as_read(self, tx: UnitOfWork, row: Record | None) -> Iterator[None]:
        """Try again, in place of a refusal, where the record is no longer as it was read (A12)."""
        try:
            yield
        except (MisuseError, RefusalError):
            again = tx.record(self.door.merchant.id, self._kind, self._name)
            before, now = (0 if each is None else each.version for each in (row, again))
            if now != before:
                raise ConcurrentChange(self._name, before) from None
            raise

    def issue(
        self,
        tx: UnitOfWork,
        lot: GrantLot,
        stamp: GrantStamp,
        key: str,
        *,
        allowed: Money | None = None,
        ceiling: str | None = None,
        effective: datetime | None = None,
        paid: Money | None = None,
    ) -> GivenLot:
        """Issue what is *allowed* of *lot*, or all of it; what is not is withheld."""
        amount = lot.amount if allowed is None else allowed
        if not amount.is_positive:
            return GivenLot(holder=lot.holder, given=amount, withheld=lot.amount, ceiling=ceiling)
        command = Issue(
            amount=self.door._money(amount),
            funding=lot.funding,
            expires=lot.expires,
            effective=effective,
            limits=lot.limits,
            paid=paid,
        )
        asked = stamp.asked(command, key)
        loaded = self.door._load_for(tx, lot.holder, command.amount.unit, asked)
        receipt = self.door._do(tx, loaded, asked)
        return GivenLot(
            holder=lot.holder,
            given=receipt.amount,
            withheld=lot.amount - receipt.amount,
            entry=receipt.entry_id,
            lot=receipt.lot_id,
            ceiling=ceiling,
        )

    def now(self, reader: Reader, lot: LotId) -> "Carried":
        """
        Return where the value of a lot is now: in itself, after restores, after mergers (A7, A17).

        Raises:
            UnknownLot: This merchant has no such lot.
        """
        door, names = self.door, Names(lots=(lot,))
        first = reader.account_by_id(door.merchant.id, account_of(lot), names=names)
        granted = None if first is None else first.lots.get(lot)
        if first is None or granted is None:
            raise UnknownLot(lot)
        account = door._survivor(reader, first)
        found = carriers(account.lots.values(), self._origins(reader, account, lot), [lot])[lot]
        others = tuple(account.lots[name] for name in found if name != lot)
        stays = (granted,) if account is first else ()
        return Carried(account=account, granted=granted, lots=(*stays, *others))

    def _origins(self, reader: Reader, account: Account, lot: LotId) -> dict[str, str | None]:
        """Return the origin of each open lot, and of each lot on the way to *lot*."""
        origins = {str(each.id): each.origin for each in account.lots.values()}
        while True:
            wanted = {origin for origin in origins.values() if origin is not None}
            unknown = sorted(wanted - origins.keys() - {lot})
            if not unknown:
                return origins
            for name in unknown:
                found = LotId(name)
                of = account_of(found)
                rows = reader.account_by_id(self.door.merchant.id, of, names=Names(lots=(found,)))
                known = None if rows is None or not self._leads(reader, rows, account) else rows
                row = None if known is None else known.lots.get(found)
                origins[name] = None if row is None else row.origin

    def _leads(self, reader: Reader, account: Account, now: Account) -> bool:
        """Tell whether *account* is *now*, or was merged into it."""
        return self.door._survivor(reader, account).id == now.id

    def spent(self, reader: Reader, carried: "Carried") -> int:
        """
        Return what of a lot is neither left nor gone otherwise, whatever lots carried it (A7, A17).

        What has expired or was revoked in lots that are used up by now is not spent: where any may
        be, all lots of the accounts on the way are looked at.
        """
        if not carried.spent:
            return 0
        lots = {carried.granted.id: carried.granted}
        name: AccountId | None = account_of(carried.granted.id)
        while name is not None:
            whole = reader.whole(self.door.merchant.id, name)
            every = () if whole is None else tuple(whole.lots.values())
            known = 0
            while known < len(lots):
                known = len(lots)
                lots.update({each.id: each for each in every if each.origin in lots})
            name = None if whole is None else whole.merged_into
        gone = sum(lot.remaining + lot.expired + lot.revoked for lot in lots.values())
        return max(carried.granted.amount - gone, 0)

    def do(self, tx: UnitOfWork, account_id: AccountId, asked: Asked) -> Receipt:
        """
        Carry out a command on the account with that id.

        Raises:
            UnknownEntry: This merchant has no such account.
        """
        account = tx.account_by_id(
            self.door.merchant.id, account_id, names=asked.command.names, key=asked.key
        )
        if account is None:
            raise UnknownEntry(account_id)
        return self.door._do(tx, Loaded(account, tx.entry_by_key(account, asked.key)), asked)


@final
@attrs.frozen(kw_only=True)
class Carried:
    """Where the value of a lot is."""

    account: Account
    """Whose it is now."""
    granted: Lot
    """The lot as it was granted, with what has happened to it."""
    lots: tuple[Lot, ...]
    """The lots of the account that hold its value: itself, unless it was merged away, and others."""

    @property
    def names(self) -> tuple[LotId, ...]:
        """Their ids."""
        return tuple(lot.id for lot in self.lots)

    def left(self, at: datetime) -> int:
        """Return what is left of it, held parts included, and has not expired."""
        return sum(lot.remaining for lot in self.lots if not lot.is_expired(at))

    @property
    def spent(self) -> int:
        """What may be spent at most: what has expired in lots that are used up is in it, too."""
        every = {lot.id: lot for lot in (self.granted, *self.lots)}.values()
        gone = sum(lot.remaining + lot.expired + lot.revoked for lot in every)
        return max(self.granted.amount - gone, 0)
