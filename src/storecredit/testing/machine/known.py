"""What a shop knows by now, and how it picks what to ask about."""

from __future__ import annotations

import datetime as dt
from typing import Final

import attrs
from hypothesis import strategies as st

from storecredit.ledger import Merchant
from storecredit.testing.machine.naive_ledger import NaiveLedger
from storecredit.values import Unit

HOLDERS: Final = ("ann", "bob", "çem")


@attrs.define
class Known:
    """What a shop has learned from earlier receipts at one merchant."""

    merchant: Merchant
    units: tuple[Unit, ...]
    now: dt.datetime
    lots: list[tuple[str, Unit]] = attrs.field(factory=list)
    holds: list[tuple[str, Unit]] = attrs.field(factory=list)
    redemptions: list[tuple[str, Unit]] = attrs.field(factory=list)
    transfers: list[str] = attrs.field(factory=list)
    entries: list[str] = attrs.field(factory=list)
    foreign: list[str] = attrs.field(factory=list)
    """Ids of another merchant."""
    keys: list[str] = attrs.field(factory=list)
    commands: int = 0
    live_holds: list[tuple[str, Unit]] = attrs.field(factory=list)
    open_lots: list[tuple[str, Unit]] = attrs.field(factory=list)
    ending_lots: list[tuple[str, Unit]] = attrs.field(factory=list)
    """Those that expire one day."""
    gone_lots: list[tuple[str, Unit]] = attrs.field(factory=list)
    """Those of which something has expired or was revoked."""
    restorable: list[tuple[str, Unit]] = attrs.field(factory=list)
    """Redemptions that were not restored in full."""
    debtors: list[tuple[str, Unit]] = attrs.field(factory=list)
    """Holders who owe something."""
    owners: list[tuple[str, Unit]] = attrs.field(factory=list)
    """Holders who have something."""
    lots_of: dict[tuple[str, Unit], list[str]] = attrs.field(factory=dict)
    """The open lots of each of them."""

    @property
    def new_key(self) -> str:
        """A key that no command has had."""
        return f"k{self.commands}"

    def look_around(self, model: NaiveLedger) -> None:
        """Note what is promising to ask for next, so that most commands mean something."""
        books = [
            book for book in model.books if book.merchant.id == self.merchant.id and book.entries
        ]
        lots = [(book, lot) for book in books for lot in book.lots]
        self.open_lots = [(lot.id, book.unit) for book, lot in lots if lot.remaining]
        self.ending_lots = [
            (lot.id, book.unit) for book, lot in lots if lot.remaining and lot.expires_at
        ]
        self.gone_lots = [(lot.id, book.unit) for book, lot in lots if lot.gone]
        self.live_holds = [
            (held.id, book.unit) for book in books for held in book.holds if not held.ended
        ]
        spent = [(id_, unit, model.entries[id_].spent) for id_, unit in self.redemptions]
        self.restorable = [(id_, unit) for id_, unit, each in spent if each and each.left]
        owned = [
            ((wallet.holder, book.unit), book)
            for wallet in model.wallets
            for book in books
            if book.wallet == wallet.number
        ]
        lots_of = {owner: [lot.id for lot in book.lots if book.free(lot)] for owner, book in owned}
        self.lots_of = {owner: ids for owner, ids in lots_of.items() if ids}
        self.owners = [*self.lots_of]
        self.debtors = [owner for owner, book in owned if book.owed]


def holders() -> st.SearchStrategy[str]:
    """A few holders, the first more often."""
    return st.sampled_from((HOLDERS[0], HOLDERS[0], *HOLDERS))


def units(known: Known) -> st.SearchStrategy[Unit]:
    """The units of the shop, the first more often."""
    return st.sampled_from((known.units[0], *known.units))


def named_lots(known: Known, holder: str, unit: Unit) -> st.SearchStrategy[str | None]:
    """No lot, or one of the holder's, rarely another's."""
    own = known.lots_of.get((holder, unit), ["nothing"])
    others = [id_ for id_, _ in known.lots] or own
    return st.integers(0, 11).flatmap(
        lambda die: (
            st.sampled_from(others)
            if die == 7
            else (st.sampled_from(own) if die in {3, 5} else st.none())
        )
    )


def keys(known: Known) -> st.SearchStrategy[str]:
    """A new key; rarely one that was used before, or one that cannot be."""
    used = st.sampled_from([*known.keys[-6:], "~mine", ""])
    return st.integers(0, 24).flatmap(lambda die: used if die == 17 else st.just(known.new_key))


def ids(
    known: Known,
    wanted: list[tuple[str, Unit]],
    odd: list[tuple[str, Unit]],
    *,
    rather: list[tuple[str, Unit]],
) -> st.SearchStrategy[tuple[str, Unit]]:
    """An id that is known, a promising one more often; rarely of something else or of nobody."""
    here = known.units[0]
    strange = [*odd[-2:], *((id_, here) for id_ in known.foreign[-2:]), ("nothing", here)]
    usual = st.sampled_from(rather or wanted or strange)

    def by_lot(die: int) -> st.SearchStrategy[tuple[str, Unit]]:
        if die == 13:
            return st.sampled_from(strange)
        return st.sampled_from(wanted or strange) if die in {3, 5, 11} else usual

    return st.integers(0, 19).flatmap(by_lot)


def accounts(known: Known, rather: list[tuple[str, Unit]]) -> st.SearchStrategy[tuple[str, Unit]]:
    """A holder and a unit, mostly a promising pair."""
    anyone = st.tuples(holders(), units(known))
    usual = st.sampled_from(rather) if rather else anyone
    return st.integers(0, 4).flatmap(lambda die: anyone if die == 3 else usual)
