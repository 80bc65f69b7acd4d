"""The naive model of the whole service: wallets, accounts, keys and ids, over the naive accounts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final

from storecredit.errors import (
    FutureInstant,
    InvalidKey,
    InvalidTerms,
    KeyReused,
    NotATransfer,
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
from storecredit.testing.machine._verbs import (
    BY_HOLD,
    BY_HOLDER,
    BY_LOT,
    Call,
    named_lot,
    taken_apart,
)
from storecredit.testing.machine.model import (
    Book,
    Expected,
    ModelLot,
    Redemption,
    Refused,
    Transfer,
)
from storecredit.testing.machine.requests import Request
from storecredit.values import Unit


@dataclasses.dataclass(eq=False)
class ModelWallet:
    """A holder at a merchant, and the wallet that took this one over."""

    merchant: str
    holder: str
    number: int
    into: ModelWallet | None = None

    @property
    def survivor(self) -> ModelWallet:
        """Whoever took it over, however often; itself if nobody did."""
        return self if self.into is None else self.into.survivor


@dataclasses.dataclass(eq=False)
class Known:
    """What an entry did, as far as later commands name it."""

    book: Book
    spent: Redemption | None = None
    transfer: Transfer | None = None

    def copied(self, books: dict[int, Book], lots: dict[int, ModelLot]) -> Known:
        """Copy it, with the books and lots that took the place of the old ones."""
        spent, transfer = self.spent, self.transfer
        return Known(
            books[id(self.book)],
            spent
            and Redemption(
                books[id(spent.book)],
                [(lot and lots[id(lot)], amount) for lot, amount in spent.parts],
                list(spent.given_back),
            ),
            transfer
            and Transfer(
                books[id(transfer.sender)],
                books[id(transfer.receiver)],
                [(lots[id(a)], amount, lots[id(b)]) for a, amount, b in transfer.parts],
                transfer.reversed,
            ),
        )


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
        self.entries: dict[str, Known] = {}
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
        if call.verb == "issue_many":
            return self._issue_many(call.asked["grants"])
        if call.verb in {"expire_due", "release_lapsed"}:
            sweep = self._expire_due if call.verb == "expire_due" else self._release_lapsed
            return sweep(self._at(call.about))
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

    def _found(self, holder: str, unit: Unit, key: str, compared: str) -> Book:
        """Follow mergers to the survivor, unless the key was used on the way (A12, A17)."""
        wallet = self._wallet(holder)
        while wallet.into is not None:
            self._check_key(self._book(wallet, unit), key, compared)
            wallet = wallet.into
        book = self._book(wallet, unit)
        self._check_key(book, key, compared)
        return book

    def _owner(self, id_: str, unknown: type[StoreCreditError]) -> Book:
        book = self.owners.get(id_)
        if book is None or book.merchant is not self._merchant:
            raise Refused(unknown)
        return book

    def _entry(self, id_: str) -> Known:
        self._owner(id_, UnknownEntry)
        if id_ not in self.entries:
            raise Refused(UnknownEntry)
        return self.entries[id_]

    def _check_key(self, book: Book, key: str, compared: str) -> None:
        if key in book.keys:
            if book.keys[key] != compared:
                raise Refused(KeyReused)
            raise Repeated(key)

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
        book = self._found(call.asked["holder"], counted_in, call.key, call.compared)
        book.open(self._at(call.about))
        return [book.close(call.key, call.compared, BY_HOLDER[call.verb](book, call))]

    def _by_id(self, call: Call) -> list[Expected]:
        lot, held = call.get("lot"), call.get("hold")
        book = self._owner(lot or held, UnknownLot if call.verb in BY_LOT else UnknownHold)
        self._check_key(book, call.key, call.compared)
        book.open(self._at(call.about))
        if call.verb in BY_LOT:
            found = next((each for each in book.lots if each.id == lot), None)
            expected = BY_LOT[call.verb](book, found, call)
        else:
            reserved = next((each for each in book.holds if each.id == held), None)
            expected = BY_HOLD[call.verb](book, reserved, call)
        return [book.close(call.key, call.compared, expected)]

    def _issue_many(self, grants: list[Grant]) -> list[Expected]:
        expected = []
        for grant in grants:
            arguments: dict[str, Any] = {
                "holder": grant.holder,
                "amount": grant.amount,
                "funding": grant.funding,
                "expires": grant.expires,
                "effective": grant.effective,
                "priority": grant.priority,
                "limits": grant.limits,
                "paid": grant.paid,
                "key": grant.key,
                **grant.about,
            }
            call = taken_apart(Request(self._merchant.id, "issue", arguments))
            # A grant that was made before is answered again; the others are made.
            with suppress(Repeated):
                expected += self._by_holder(call)
        return expected

    def _restore(self, call: Call) -> list[Expected]:
        """Restores follow a merger to the survivor (A17)."""
        known = self._entry(call.asked["redemption"])
        book = known.book
        self._check_key(book, call.key, call.compared)
        while book.merged_into is not None:
            book = book.merged_into
            self._check_key(book, call.key, call.compared)
        book.open(self._at(call.about))
        rule = call.get("expired")
        expected = _giving.restore(book, known.spent, call.get("amount"), rule)
        return [book.close(call.key, call.compared, expected)]

    # Commands on several accounts

    def _release_order(self, call: Call) -> list[Expected]:
        """All accounts of the holder, and of whoever took the holder over (A6)."""
        wallet = self.wallet(self._merchant.id, call.asked["holder"])
        if wallet is None:
            return []
        books = self.books_of(wallet)
        if wallet.survivor is not wallet:
            books += self.books_of(wallet.survivor)
        for book in books:
            self._check_key(book, call.key, call.compared)
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
                found.append(book.close(call.key, call.compared, released))
        return found

    def _transfer(self, call: Call) -> list[Expected]:
        receiver, amount = self._wallet(call.asked["receiver"]), call.asked["amount"]
        compared = f"{call.compared} to {receiver.number}"
        near = self._found(call.asked["sender"], amount.unit, call.key, compared)
        far = self._book(receiver.survivor, amount.unit)
        if near is far:
            raise Refused(InvalidTerms)
        near.open(self._at(call.about))
        lot = named_lot(near, call.get("lot"))
        sent = near.close(call.key, compared, _moving.send(near, far, amount, lot))
        return [sent, self._receive(far, sent, _moving.receive)]

    def _reverse_transfer(self, call: Call) -> list[Expected]:
        transfer = self._entry(call.asked["transfer"]).transfer
        if transfer is None:
            raise Refused(NotATransfer)
        near, far = transfer.receiver, transfer.sender
        self._check_key(near, call.key, call.compared)
        if transfer.reversed:
            raise Refused(TransferAlreadyReversed)
        near.open(self._at(call.about))
        sent = near.close(call.key, call.compared, _moving.send_back(near, far, transfer))
        transfer.reversed = True
        return [sent, self._receive(far, sent, _moving.take_back)]

    def _convert(self, call: Call) -> list[Expected]:
        holder, amount, rate = call.asked["holder"], call.asked["amount"], call.asked["rate"]
        if rate.source != amount.unit:
            raise Refused(UnitMismatch)
        near = self._found(holder, amount.unit, call.key, call.compared)
        far = self._book(self._wallet(holder).survivor, rate.target)
        near.open(self._at(call.about))
        rounding = call.asked["rounding"]
        given = _moving.give_for_conversion(near, amount, rate, rounding)
        sent = near.close(call.key, call.compared, given)
        result = _moving.worth(amount, rate, rounding)
        received = self._receive(
            far, sent, lambda book, moved: _moving.take_converted(book, moved, result)
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
        compared, found = f"{call.compared} into {named.number}", []
        for near in self.books_of(source):
            self._check_key(near, call.key, compared)
        if target is source or source.survivor not in {source, target}:
            raise Refused(InvalidTerms)
        for near in self.books_of(source):
            far = self._book(target, near.unit)
            near.open(self._at(call.about))
            given, owed = _moving.give_up(near, far)
            sent = near.close(call.key, compared, given)
            found += [sent, self._receive(far, sent, partial(_moving.take_over, owed=owed))]
            sent.sends = None
        source.into = target
        return found

    def _receive(
        self, far: Book, sent: Expected, rule: Callable[[Book, Transfer], Expected]
    ) -> Expected:
        """The far side happens at the instant of the near side."""
        if sent.sends is None or sent.at is None:
            raise TypeError("only the sending side of a transfer is received")
        far.open(sent.at)
        return far.close(f"~from {sent.book.wallet} {sent.sequence}", "", rule(far, sent.sends))

    # Sweeps

    def _expire_due(self, at: datetime) -> list[Expected]:
        found = []
        for book in self._books_here():
            due = any(lot.has_expired(at) and book.free(lot) for lot in book.lots)
            if due and self._would_expire(book, at):
                book.open(at)
                book.expire_due()
                found.append(self._swept(book, {"expired"}))
        return found

    def _release_lapsed(self, at: datetime) -> list[Expected]:
        found = []
        for book in self._books_here():
            if any(not held.ended and at >= held.lapses_at for held in book.holds):
                book.open(at)
                found.append(self._swept(book, {"lapsed", "owed_lapsed"}))
        return found

    def _books_here(self) -> list[Book]:
        return [book for book in self.books if book.merchant is self._merchant]

    def _would_expire(self, book: Book, at: datetime) -> bool:
        trial, _ = book.copied()
        trial.open(at)
        opened_with = len(trial.moves)
        trial.expire_due()
        return len(trial.moves) > opened_with

    def _swept(self, book: Book, whats: set[str]) -> Expected:
        amount = sum(moved for what, _, moved in book.moves if what in whats)
        return book.close(f"~sweep {book.entries}", "", Expected(book=book, amount=amount))


class Repeated(Exception):
    """The key names this very request already: the first answer comes again (A12)."""
