"""The naive model of the whole service: wallets, accounts, keys and ids, over the naive accounts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from storecredit.errors import (
    FutureInstant,
    ImportRefused,
    InvalidKey,
    InvalidTerms,
    InvalidText,
    KeyReused,
    NotATransfer,
    NothingToReverse,
    StoreCreditError,
    TransferAlreadyReversed,
    UnitMismatch,
    UnknownEntry,
    UnknownHold,
    UnknownLot,
)
from storecredit.ledger import CLOCK_TOLERANCE, Merchant
from storecredit.service import Grant
from storecredit.service.about import About
from storecredit.testing.machine import _giving, _moving, _spending
from storecredit.testing.machine._sweeping import expire_due, release_lapsed
from storecredit.testing.machine._verbs import BY_HOLD, BY_HOLDER, BY_LOT, named_lot
from storecredit.testing.machine.filed import PRIVATE, Call, Filed, issue_of, taken_apart
from storecredit.testing.machine.model import Book, Expected, ModelLot, Refused, Transfer
from storecredit.testing.machine.requests import Request
from storecredit.testing.machine.wallets import ModelEntry, ModelWallet
from storecredit.values import Unit


class NaiveLedger:
    """
    What the service should answer, predicted in the most obvious way.

    `carry_out` either returns what each account should record, or raises `Refused`. It changes
    the model; whoever calls it keeps a `clone` for the case of a refusal.
    """

    def __init__(self, merchants: Iterable[Merchant]) -> None:
        self.merchants: Final = {merchant.id: merchant for merchant in merchants}
        self.wallets: list[ModelWallet] = []
        self.books: list[Book] = []
        self.entries: dict[str, ModelEntry] = {}
        self.owners: dict[str, Book] = {}
        """The account that each known id leads to (S10)."""
        self.now: datetime
        self._merchant: Merchant

    def clone(self) -> NaiveLedger:
        """Copy everything but the merchants, which nothing changes."""
        twin = NaiveLedger(self.merchants.values())
        books: dict[int, Book] = {}
        lots: dict[int, ModelLot] = {}
        for book in self.books:
            books[id(book)], its_lots = book.copied()
            lots |= its_lots
        for book in books.values():
            book.merged_into = book.merged_into and books[id(book.merged_into)]
        twin.books = list(books.values())
        twin.wallets = [dataclasses.replace(wallet) for wallet in self.wallets]
        for wallet in twin.wallets:
            wallet.into = wallet.into and twin.wallets[wallet.into.number]
        twin.owners = {id_: books[id(book)] for id_, book in self.owners.items()}
        twin.entries = {id_: known.copied(books, lots) for id_, known in self.entries.items()}
        return twin

    def carry_out(self, request: Request, now: datetime) -> list[Expected]:
        """Predict *request* at *now*: what is recorded, account by account."""
        self.now, self._merchant = now, self.merchants[request.merchant]
        call = taken_apart(request)
        if call.verb in {"issue_many", "issue_each"}:
            return self._issue_many(request.grants, {})
        if call.verb == "import_balances":
            return self._import_balances(request.grants, call.about)
        if call.verb in _SWEEPS:
            if call.asked.get("batch", 1) < 1:
                raise Refused(InvalidTerms)
            return _SWEEPS[call.verb](self._books_here(), self._at(call.about))
        _check_arguments(call)
        if not call.key or call.key.startswith("~"):
            raise Refused(InvalidKey)
        if call.verb in BY_HOLDER:
            return self._by_holder(call)
        if call.verb in BY_LOT or call.verb in BY_HOLD:
            return self._by_id(call)
        several: dict[str, Callable[[Call], list[Expected]]] = {
            "release_order": self._release_order,
            "restore": self._restore,
            "transfer": self._transfer,
            "reverse_transfer": self._reverse_transfer,
            "convert": self._convert,
            "merge": self._merge,
        }
        return several[call.verb](call)

    def keep_the_books(self, request: Request) -> int:
        """Predict the answer of a verb that records nothing: how many it was done to."""
        self._merchant = self.merchants[request.merchant]
        asked = request.arguments
        if request.verb == "erase":
            return self._erase(asked["entry"], tuple(asked.get("fields", PRIVATE)))
        if request.verb == "pseudonymise":
            return self._pseudonymise(asked["holder"], asked["pseudonym"])
        return sum(1 for book in self._books_here() if book.entries)

    # Finding

    def wallet(self, merchant: str, holder: str) -> ModelWallet | None:
        """Find the wallet of *holder*."""
        return next(
            (each for each in self.wallets if (each.merchant, each.holder) == (merchant, holder)),
            None,
        )

    def books_of(self, wallet: ModelWallet) -> list[Book]:
        """List the accounts of *wallet* that have an entry, by unit."""
        found = [book for book in self.books if book.wallet == wallet.number and book.entries]
        return sorted(found, key=lambda book: book.unit.code)

    def _book(self, wallet: ModelWallet, unit: Unit) -> Book:
        for book in self.books:
            if book.wallet == wallet.number and book.unit == unit:
                return book
        self.books.append(Book(merchant=self._merchant, wallet=wallet.number, unit=unit))
        return self.books[-1]

    def _wallet(self, holder: str) -> ModelWallet:
        found = self.wallet(self._merchant.id, holder)
        if found is None:
            found = ModelWallet(self._merchant.id, holder, len(self.wallets))
            self.wallets.append(found)
        return found

    def _found(self, holder: str, unit: Unit, key: str, filed: Filed) -> Book:
        """Follow mergers to the survivor, unless the key was used on the way (A12, A17)."""
        wallet = self._wallet(holder)
        while wallet.into is not None:
            self._check_key(self._book(wallet, unit), key, filed)
            wallet = wallet.into
        book = self._book(wallet, unit)
        self._check_key(book, key, filed)
        return book

    def _owner(self, id_: str, unknown: type[StoreCreditError]) -> Book:
        book = self.owners.get(id_)
        if book is None or book.merchant is not self._merchant:
            raise Refused(unknown)
        return book

    def _entry(self, id_: str) -> ModelEntry:
        self._owner(id_, UnknownEntry)
        if id_ not in self.entries:
            raise Refused(UnknownEntry)
        return self.entries[id_]

    def _books_here(self) -> list[Book]:
        return [book for book in self.books if book.merchant is self._merchant]

    def _check_key(self, book: Book, key: str, filed: Filed) -> None:
        """A key that was used answers its request again, and no other (A12)."""
        if key in book.keys:
            if not book.keys[key].is_that_of(filed):
                raise Refused(KeyReused)
            raise Repeated(key)

    def _check_keys(self, books: list[Book], key: str, filed: Filed) -> None:
        """
        The same, for a command that one key names in several accounts.

        Where it had nothing to do, the key was left free, and may have named another command since.
        """
        used = [book.keys[key] for book in books if key in book.keys]
        for first in used:
            if all(each.is_that_of(filed) for each in used if each.call == first.call):
                raise Repeated(key)
        if used:
            raise Refused(KeyReused)

    def _at(self, about: About) -> datetime:
        at = about.get("at")
        if at is None:
            return self.now
        if at - self.now > CLOCK_TOLERANCE:
            raise Refused(FutureInstant)
        return at

    # Commands on one account

    def _by_holder(self, call: Call) -> list[Expected]:
        amount, unit = call.get("amount"), call.get("unit")
        counted_in = unit if amount is None else amount.unit
        book = self._found(call.asked["holder"], counted_in, call.key, call.filed)
        book.open(self._at(call.about))
        return [book.close(call.key, call.filed, BY_HOLDER[call.verb](book, call))]

    def _by_id(self, call: Call) -> list[Expected]:
        lot, held = call.get("lot"), call.get("hold")
        book = self._owner(lot or held, UnknownLot if call.verb in BY_LOT else UnknownHold)
        self._check_key(book, call.key, call.filed)
        book.open(self._at(call.about))
        if call.verb in BY_LOT:
            found = next((each for each in book.lots if each.id == lot), None)
            expected = BY_LOT[call.verb](book, found, call)
        else:
            reserved = next((each for each in book.holds if each.id == held), None)
            expected = BY_HOLD[call.verb](book, reserved, call)
        return [book.close(call.key, call.filed, expected)]

    def _issue_many(self, grants: Iterable[Grant], about: About) -> list[Expected]:
        expected = []
        for grant in grants:
            call = taken_apart(issue_of(self._merchant.id, grant, about))
            # A grant that was made before is answered again; the others are made.
            with suppress(Repeated):
                expected += self._by_holder(call)
        return expected

    def _import_balances(self, grants: tuple[Grant, ...], about: About) -> list[Expected]:
        """Every row or none: one bad row is enough (S9)."""
        self._at(about)
        named = [(grant.holder, _unit_of(grant), grant.key) for grant in grants]
        twice = len(set(named)) < len(named)
        if twice or any(not grant.key or grant.key[0] == "~" for grant in grants):
            raise Refused(ImportRefused)
        try:
            return self._issue_many(grants, about)
        except Refused:
            raise Refused(ImportRefused) from None

    def _restore(self, call: Call) -> list[Expected]:
        """Restores follow a merger to the survivor (A17)."""
        known = self._entry(call.asked["redemption"])
        for book in known.book.way:
            self._check_key(book, call.key, call.filed)
        book = known.book.survivor
        book.open(self._at(call.about))
        rule = call.get("expired")
        expected = _giving.restore(book, known.spent, call.get("amount"), rule)
        return [book.close(call.key, call.filed, expected)]

    # Commands on several accounts

    def _release_order(self, call: Call) -> list[Expected]:
        """All accounts of the holder, and of whoever took the holder over (A6)."""
        if not call.asked["order"]:
            raise Refused(InvalidText)
        wallet = self.wallet(self._merchant.id, call.asked["holder"])
        books: list[Book] = []
        while wallet is not None:
            books += self.books_of(wallet)
            wallet = wallet.into
        self._check_keys(books, call.key, call.filed)
        found = []
        for book in books:
            at, order = self._at(call.about), call.asked["order"]
            instant = max(at, book.last_at or at)
            if any(
                held.reference == order and not held.ended and instant < held.lapses_at
                for held in book.holds
            ):
                book.open(at)
                released = _spending.release_order(book, order)
                found.append(book.close(call.key, call.filed, released))
        return found

    def _transfer(self, call: Call) -> list[Expected]:
        receiver, amount = self._wallet(call.asked["receiver"]), call.asked["amount"]
        call = call.about_whom(f"to {receiver.number}")
        near = self._found(call.asked["sender"], amount.unit, call.key, call.filed)
        far = self._book(receiver.survivor, amount.unit)
        near.open(self._at(call.about))
        if near is far:
            raise Refused(InvalidTerms)
        lot = named_lot(near, call.get("lot"))
        sent = near.close(call.key, call.filed, _moving.send(near, far, amount, lot))
        return [sent, self._receive(far, sent, call, _moving.receive)]

    def _reverse_transfer(self, call: Call) -> list[Expected]:
        """A transfer that was merged meanwhile is reversed between the survivors, once (A17)."""
        transfer = self._entry(call.asked["transfer"]).transfer
        if transfer is None:
            raise Refused(NotATransfer)
        for book in transfer.receiver.way:
            self._check_key(book, call.key, call.filed)
        if transfer.reversed:
            raise Refused(TransferAlreadyReversed)
        near, far = transfer.receiver.survivor, transfer.sender.survivor
        if near is far:
            raise Refused(NothingToReverse)
        near.open(self._at(call.about))
        given = _moving.send_back(near, far, transfer, self.books)
        sent = near.close(call.key, call.filed, given)
        transfer.reversed = True
        return [sent, self._receive(far, sent, call, _moving.take_back)]

    def _convert(self, call: Call) -> list[Expected]:
        holder, amount, rate = call.asked["holder"], call.asked["amount"], call.asked["rate"]
        near = self._found(holder, amount.unit, call.key, call.filed)
        far = self._book(self._wallet(holder).survivor, rate.target)
        near.open(self._at(call.about))
        rounding = call.asked["rounding"]
        given = _moving.give_for_conversion(near, amount, rate, rounding)
        sent = near.close(call.key, call.filed, given)
        result = _moving.worth(amount, rate, rounding)
        received = self._receive(
            far, sent, call, lambda book, moved: _moving.take_converted(book, moved, result)
        )
        sent.sends = None
        return [sent, received]

    def _merge(self, call: Call) -> list[Expected]:
        if call.asked["holder"] == call.asked["into"]:
            raise Refused(InvalidTerms)
        source = self.wallet(self._merchant.id, call.asked["holder"])
        if source is None:
            return []
        named = self._wallet(call.asked["into"])
        target = named.survivor
        call = call.about_whom(f"into {named.number}")
        self._check_keys(self.books_of(source), call.key, call.filed)
        if target is source or source.survivor not in {source, target}:
            raise Refused(InvalidTerms)
        found = []
        for near in self.books_of(source):
            far = self._book(target, near.unit)
            near.open(self._at(call.about))
            given, owed = _moving.give_up(near, far)
            sent = near.close(call.key, call.filed, given)
            taken = partial(_moving.take_over, owed=owed)
            found += [sent, self._receive(far, sent, call, taken)]
            sent.sends = None
        source.into = target
        return found

    def _receive(
        self,
        far: Book,
        sent: Expected,
        call: Call,
        rule: Callable[[Book, Transfer], Expected],
    ) -> Expected:
        """The far side happens at the instant of the near side, and is told the same."""
        if sent.sends is None or sent.at is None:
            raise TypeError("only the sending side of a transfer is received")
        far.open(sent.at)
        key = f"~from {sent.book.wallet} {sent.sequence}"
        return far.close(key, call.for_the_far_side, rule(far, sent.sends))

    # Keeping

    def _erase(self, id_: str, fields: tuple[str, ...]) -> int:
        """Forget what was told about an entry in private, and nothing that it did (A14)."""
        if not set(fields) <= set(PRIVATE):
            raise Refused(InvalidTerms)
        return self._entry(id_).forget(fields)

    def _pseudonymise(self, holder: str, pseudonym: str) -> int:
        """Let the wallet go by another name; the old one is nobody's from now on (A18)."""
        wallet = self.wallet(self._merchant.id, holder)
        if wallet is None:
            raise Refused(InvalidTerms)
        if pseudonym != holder and self.wallet(self._merchant.id, pseudonym) is not None:
            raise Refused(InvalidTerms)
        wallet.holder = pseudonym
        return 1


def _check_arguments(call: Call) -> None:
    """Refuse what is wrong in itself, whatever the ledger holds."""
    if call.verb == "convert" and call.asked["rate"].source != call.asked["amount"].unit:
        raise Refused(UnitMismatch)
    if isinstance(call.get("spenders"), str):
        raise Refused(InvalidTerms)


def _unit_of(grant: Grant) -> str:
    return str(grant.amount).partition(" ")[0]


class Repeated(Exception):
    """The key names this very request already: the first answer comes again (A12)."""


_SWEEPS: Final = MappingProxyType({"expire_due": expire_due, "release_lapsed": release_lapsed})
