"""What a history has brought so far: requests to come back to, and what accounts looked like."""

from __future__ import annotations

import attrs

from storecredit.ledger import (
    NO_CONTEXT,
    Account,
    AccountId,
    AccountView,
    Entry,
    private_value,
    wallet_of,
)
from storecredit.service import Receipt, StoreCredit
from storecredit.storage.protocols import Reader
from storecredit.testing.machine.requests import Request
from storecredit.testing.machine.wallets import ModelEntry


@attrs.define(eq=False)
class Past:
    """A command that recorded something, and its answer, as both would be given today."""

    request: Request
    receipts: tuple[Receipt, ...]


@attrs.define(eq=False)
class Seen:
    """What an account looked like, and by which name it is found today."""

    merchant: str
    holder: str
    view: AccountView


@attrs.define
class History:
    """
    Everything that may be asked once more.

    When a holder gets another name, or a private field is erased, a repeat is asked under the new
    name and answered without the field. So is what is kept here.
    """

    past: list[Past] = attrs.field(factory=list)
    not_repeated: list[Past] = attrs.field(factory=list)
    """Those of the past that nobody has repeated yet."""
    keyless: list[Request] = attrs.field(factory=list)
    """Sweeps and the like, which no key recognises, and which were not asked for again yet."""
    refused: list[Request] = attrs.field(factory=list)
    seen: list[Seen] = attrs.field(factory=list)

    def record(self, request: Request, receipts: tuple[Receipt, ...]) -> None:
        """Keep a request that was answered with *receipts*."""
        past = Past(request, receipts)
        self.past.append(past)
        self.not_repeated.append(past)

    def see(self, merchant: str, holder: str, view: AccountView) -> None:
        """Keep what an account looks like; the oldest are forgotten."""
        last = self.seen[-1] if self.seen else None
        if last is None or (last.merchant, last.holder, last.view) != (merchant, holder, view):
            self.seen = [*self.seen[-40:], Seen(merchant, holder, view)]

    def next_to_repeat(self, number: int) -> Past:
        """Choose a request, one that was not repeated yet if there is any."""
        waiting = self.not_repeated or self.past
        past = waiting[number % len(waiting)]
        if past in self.not_repeated:
            self.not_repeated.remove(past)
        return past

    def rename(self, merchant: str, holder: str, name: str) -> None:
        """From now on *holder* is known as *name*, and whoever comes as *holder* is new (A18)."""
        for past in self.past:
            if past.request.merchant == merchant:
                past.request = past.request.renamed(holder, name)
                past.receipts = tuple(
                    attrs.evolve(each, holder=name) if each.holder == holder else each
                    for each in past.receipts
                )
        for seen in self.seen:
            if (seen.merchant, seen.holder) == (merchant, holder):
                seen.holder = name

    def forget(self, entry: str, fields: tuple[str, ...]) -> None:
        """From now on *entry* is read without *fields* (A14)."""
        for past in self.past:
            past.receipts = tuple(
                attrs.evolve(each, recorded=_without(each.entry, fields))
                if each.entry_id == entry
                else each
                for each in past.receipts
            )


def _without(entry: Entry, fields: tuple[str, ...]) -> Entry:
    empty = {name: getattr(NO_CONTEXT, name) for name in fields}
    return attrs.evolve(
        entry,
        context=attrs.evolve(entry.context, **empty),
        salts={name: salt for name, salt in entry.salts.items() if name not in fields},
    )


def check_private(reader: Reader, account: Account, known: dict[str, ModelEntry]) -> None:
    """Require that each entry tells in private what it was told, less what was erased (A14)."""
    for entry in reader.journal(account):
        model = known.get(entry.id)
        told = {name: private_value(entry.context, name) for name in entry.salts}
        wanted = {} if model is None else model.filed.private
        assert told == wanted, (entry.id, told, wanted)
        erased = entry.seals.keys() - entry.salts.keys()
        assert erased == (frozenset() if model is None else model.filed.erased), entry.id


def look_back(reader: Reader, service: StoreCredit, seen: Seen) -> None:
    """Compare an account as of then with what was seen then (A19)."""
    view = seen.view
    now = service.account(seen.holder, view.unit)
    account = reader.account_by_id(seen.merchant, view.id)
    entries = [] if account is None else list(reader.journal(account))
    # A holder who was merged since has the versions of the survivor, and the own past.
    own = now.id == view.id
    if own and view.version and view.at == entries[view.version - 1].at:
        as_of_version = service.account(seen.holder, view.unit, version=view.version)
        assert as_of_version == view, (as_of_version, view)
    if _led_there(reader, seen) and all(entry.at > view.at for entry in entries[view.version :]):
        as_of_instant = service.account(seen.holder, view.unit, at=view.at)
        assert as_of_instant == view, (as_of_instant, view)


def _led_there(reader: Reader, seen: Seen) -> bool:
    """
    Tell whether the holder's name led to the account that was seen at the instant of the view.

    The present may lie ahead of the clock: a merger of then counts from its own instant on.
    """
    wallet = reader.wallet(seen.merchant, seen.holder)
    while wallet is not None and wallet.id != wallet_of(AccountId(seen.view.id)):
        for account in reader.accounts_of(seen.merchant, wallet.id):
            if account.last_at is None or account.last_at > seen.view.at:
                return False
        into = wallet.merged_into
        wallet = None if into is None else reader.wallet_by_id(seen.merchant, into)
    return wallet is not None
