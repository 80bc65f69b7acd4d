"""What a shop knows by now, and how it picks what to ask about."""

from __future__ import annotations

import datetime as dt
from typing import Final

import attrs
from hypothesis import strategies as st

from storecredit.ledger import Merchant
from storecredit.testing.machine._moving import carriers
from storecredit.testing.machine.drawing import once_in, pick
from storecredit.testing.machine.model import Book, ModelLot
from storecredit.testing.machine.naive_ledger import NaiveLedger
from storecredit.testing.machine.wallets import ModelWallet
from storecredit.values import Unit

HOLDERS: Final = ("ann", "bob", "çem")
PSEUDONYMS: Final = ("x-1", "x-2")
NAMES: Final = (*HOLDERS, *PSEUDONYMS)
"""Every name that anybody may go by."""

Owner = tuple[str, Unit]
"""A holder, and a unit that the holder has an account in."""
Named = tuple[str, Unit]
"""An id, and the unit that it is counted in."""


@attrs.define
class Promising:
    """What can be asked about now with a good chance to be accepted, kind by kind."""

    owners: list[Owner] = attrs.field(factory=list)
    """Holders who have something."""
    debtors: list[Owner] = attrs.field(factory=list)
    """Holders who owe something."""
    shut: list[Owner] = attrs.field(factory=list)
    """Holders whose account is frozen or closed, and not merged."""
    emptied: list[Owner] = attrs.field(factory=list)
    """Holders of an account that could be closed."""
    mergeable: list[str] = attrs.field(factory=list)
    """Holders without holds, who were not merged yet, where there is another."""
    due: list[Owner] = attrs.field(factory=list)
    """Holders with something that has expired and was not swept."""
    lapsed: list[Owner] = attrs.field(factory=list)
    """Holders with a hold whose time is over and was not swept."""
    live_holds: list[Named] = attrs.field(factory=list)
    orders: list[tuple[str, str]] = attrs.field(factory=list)
    """Holders, and orders that something is held for."""
    open_lots: list[Named] = attrs.field(factory=list)
    ending_lots: list[Named] = attrs.field(factory=list)
    """Those that expire one day, and have not."""
    bought_lots: list[Named] = attrs.field(factory=list)
    """Those that could be refunded."""
    gone_lots: list[Named] = attrs.field(factory=list)
    """Lots of which something has expired or was revoked."""
    restorable: list[Named] = attrs.field(factory=list)
    """Redemptions that were not restored in full."""
    reversible: list[Named] = attrs.field(factory=list)
    """Transfers of which everything is still there."""
    private: list[Named] = attrs.field(factory=list)
    """Entries with something to erase."""


@attrs.define
class Known:
    """What a shop has learned from earlier receipts at one merchant."""

    merchant: Merchant
    units: tuple[Unit, ...]
    now: dt.datetime
    lots: list[Named] = attrs.field(factory=list)
    holds: list[Named] = attrs.field(factory=list)
    redemptions: list[Named] = attrs.field(factory=list)
    transfers: list[str] = attrs.field(factory=list)
    entries: list[str] = attrs.field(factory=list)
    foreign: list[str] = attrs.field(factory=list)
    """Ids of another merchant."""
    keys: list[str] = attrs.field(factory=list)
    commands: int = 0
    holders: list[str] = attrs.field(factory=list)
    """The names that holders go by."""
    rather: Promising = attrs.field(factory=Promising)
    most: dict[str | Owner, int] = attrs.field(factory=dict)
    """By id or owner: how much there is to be had."""
    owed: dict[Owner, int] = attrs.field(factory=dict)
    """By owner: what is owed."""
    spenders: dict[str | Owner, tuple[str, ...]] = attrs.field(factory=dict)
    """By hold or owner: who may spend, where that is listed."""
    lots_of: dict[Owner, list[str]] = attrs.field(factory=dict)
    """By owner: the open lots."""

    @property
    def new_key(self) -> str:
        """A key that no command has had."""
        return f"k{self.commands}"

    @property
    def all_entries(self) -> list[Named]:
        """Every entry that a receipt told of."""
        here = self.units[0]
        rest = [(id_, here) for id_ in (*self.transfers, *self.entries)]
        return [*self.redemptions, *rest]

    def look_around(self, model: NaiveLedger) -> None:
        """Note what is promising to ask for next, so that most commands mean something."""
        self.rather, self.most, self.owed = Promising(), {}, {}
        self.spenders, self.lots_of = {}, {}
        wallets = [wallet for wallet in model.wallets if wallet.merchant == self.merchant.id]
        self.holders = [wallet.holder for wallet in wallets]
        for wallet in wallets:
            books = model.books_of(wallet)
            held = any(not held.ended for book in books for held in book.holds)
            frozen = any(book.status == "frozen" for book in books)
            if wallet.into is None and not held and not frozen and len(wallets) > 1:
                self.rather.mergeable.append(wallet.holder)
            for book in books:
                book.at = max(self.now, book.last_at or self.now)
                self._look_at_account(wallet, book)
                for lot in book.lots:
                    self._look_at_lot(book, lot)
        self._look_at_entries(model)

    def _look_at_account(self, wallet: ModelWallet, book: Book) -> None:
        owner, rather = (wallet.holder, book.unit), self.rather
        free = [lot for lot in book.lots if book.unspent(lot)]
        if free:
            self.lots_of[owner] = [lot.id for lot in free]
            self.most[owner] = sum(book.unspent(lot) for lot in free)
            rather.owners.append(owner)
        if book.owed:
            rather.debtors.append(owner)
            self.owed[owner] = book.owed
        if book.status == "open" and not (book.balance or book.owed or book.limit_held):
            rather.emptied.append(owner)
        if book.status != "open" and book.merged_into is None:
            rather.shut.append(owner)
        if book.spenders is not None:
            self.spenders[owner] = book.spenders
        if any(lot.has_expired(self.now) and book.free(lot) for lot in book.lots):
            rather.due.append(owner)
        if any(not held.ended and self.now >= held.lapses_at for held in book.holds):
            rather.lapsed.append(owner)
        for held in book.holds:
            if not held.ended and book.at < held.lapses_at:
                rather.live_holds.append((held.id, book.unit))
                self.most[held.id] = held.amount
                if held.reference is not None:
                    rather.orders.append((wallet.holder, held.reference))
                if book.spenders is not None:
                    self.spenders[held.id] = book.spenders

    def _look_at_lot(self, book: Book, lot: ModelLot) -> None:
        named, rather = (lot.id, book.unit), self.rather
        live = book.status == "open" and lot.closed_by is None
        if lot.remaining:
            rather.open_lots.append(named)
            self.most[lot.id] = lot.remaining
        if live and lot.remaining and lot.expires_at and not lot.has_expired(book.at):
            rather.ending_lots.append(named)
        if live and lot.price is not None and not book.held(lot):
            rather.bought_lots.append(named)
        gone = lot.gone + (book.free(lot) if lot.has_expired(book.at) else 0)
        if gone and book.status == "open" and lot.closed_by != "refunded":
            rather.gone_lots.append(named)
            self.most[lot.id] = gone

    def _look_at_entries(self, model: NaiveLedger) -> None:
        here, rather = self.units[0], self.rather
        for id_, unit in self.redemptions:
            spent = model.entries[id_].spent
            if spent is not None and spent.left:
                rather.restorable.append((id_, unit))
                self.most[id_] = spent.left
        for id_ in self.transfers:
            transfer = model.entries[id_].transfer
            if transfer is None or transfer.reversed:
                continue
            near, far = transfer.receiver.survivor, transfer.sender.survivor
            carrying = zip(transfer.parts, carriers(near, transfer, model.books), strict=True)
            there = all(
                sum(near.unspent(lot) for lot in lots) >= gift for (_, gift, _), lots in carrying
            )
            if there and near is not far and {near.status, far.status} == {"open"}:
                rather.reversible.append((id_, here))
        for id_, unit in self.all_entries:
            if model.entries[id_].filed.private:
                rather.private.append((id_, unit))


def a_holder(draw: st.DrawFn, known: Known) -> str:
    """Pick one of a few holders, the first more often; now and then one by another name."""
    others = [name for name in known.holders if name not in HOLDERS]
    return pick(draw, (HOLDERS[0], HOLDERS[0], *HOLDERS, *others))


def a_unit(draw: st.DrawFn, known: Known) -> Unit:
    """Pick a unit of the shop, the first more often."""
    return pick(draw, (known.units[0], *known.units))


def a_lot_of(draw: st.DrawFn, known: Known, owner: Owner) -> str | None:
    """Mostly name no lot; else one of the owner's, rarely another's."""
    own = known.lots_of.get(owner, ["nothing"])
    if once_in(draw, 12):
        return pick(draw, [id_ for id_, _ in known.lots] or own)
    return pick(draw, own) if once_in(draw, 5) else None


def a_key(draw: st.DrawFn, known: Known) -> str:
    """Make a new key; rarely one that was used before, or one that cannot be."""
    return pick(draw, (*known.keys[-6:], "~mine", "")) if once_in(draw, 15) else known.new_key


def an_id(
    draw: st.DrawFn, known: Known, wanted: list[Named], odd: list[Named], *, rather: list[Named]
) -> Named:
    """Pick an id that is known, a promising one more often; rarely of something else or nobody."""
    here = known.units[0]
    strange = [*odd[-2:], *((id_, here) for id_ in known.foreign[-2:]), ("nothing", here)]
    if once_in(draw, 16):
        return pick(draw, strange)
    if once_in(draw, 6):
        return pick(draw, wanted or strange)
    return pick(draw, rather or wanted or strange)


def an_owner(draw: st.DrawFn, known: Known, rather: list[Owner]) -> Owner:
    """Pick a holder and a unit, mostly a promising pair."""
    if rather and not once_in(draw, 5):
        return pick(draw, rather)
    return a_holder(draw, known), a_unit(draw, known)
