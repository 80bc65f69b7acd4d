"""The service and the naive model, side by side: every request goes to both, and is compared."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import cast

import attrs

from storecredit.errors import InvalidKey, KeyReused, StoreCreditError
from storecredit.ledger import Account, AccountId, AccountView, canonical, replay, wallet_of
from storecredit.service import Preview, Receipt, StoreCredit, Sweep
from storecredit.service.about import About
from storecredit.storage.protocols import Reader, Storage
from storecredit.testing.clock import SettableClock
from storecredit.testing.machine.comparing import (
    check_account,
    check_receipt,
    check_view,
    everything_in,
    receipts_of,
)
from storecredit.testing.machine.known import HOLDERS, Known
from storecredit.testing.machine.model import Book, Expected, NothingChanged, Refused
from storecredit.testing.machine.naive_ledger import Known as KnownEntry
from storecredit.testing.machine.naive_ledger import NaiveLedger, Repeated
from storecredit.testing.machine.requests import Request
from storecredit.testing.machine.shops import MERCHANTS, START, UNITS
from storecredit.values import Money


@attrs.frozen
class Past:
    """A command that recorded something, and its answer."""

    request: Request
    receipts: tuple[Receipt, ...]


@attrs.frozen
class Seen:
    """What an account looked like."""

    merchant: str
    holder: str
    view: AccountView


class SideBySide:
    """
    Two merchants on one storage, and the model of both.

    `ask` sends a request to the service and to the model and compares the answers; what was
    learned from receipts is in `known`, what may be repeated in `past`.
    """

    def __init__(self, storage: Storage, *, noted: Callable[[str], None]) -> None:
        self.noted: Callable[[str], None] = noted
        """Told the outcome of each request."""
        self.clock: SettableClock = SettableClock(START)
        self.storage: Storage = storage
        self.made_ids: int = 0
        self.services: dict[str, StoreCredit] = {
            merchant.id: StoreCredit(
                self.storage, merchant, clock=self.clock, new_id=self.new_id, salt=self.salt
            )
            for merchant in MERCHANTS
        }
        self.model: NaiveLedger = NaiveLedger(MERCHANTS)
        self.known: dict[str, Known] = {
            merchant.id: Known(merchant, UNITS, START) for merchant in MERCHANTS
        }
        self.past: list[Past] = []
        self.not_repeated: list[Past] = []
        self.refused: list[Request] = []
        self.seen: list[Seen] = []
        self.accounts: dict[str, Book] = {}
        self.versions_checked: dict[str, int] = {}
        self.kept: str = self.dump()
        self.in_doubt: bool = False
        """Whether a step has failed: then nothing more is to be learned at the end."""

    def new_id(self) -> uuid.UUID:
        """Make the ids of wallets one after the other, so that a run repeats exactly."""
        self.made_ids += 1
        return uuid.UUID(int=self.made_ids)

    def salt(self) -> bytes:
        """Make the same salt each time, so that a run repeats exactly."""
        return b"salt"

    def dump(self) -> str:
        """Write down everything that is stored."""
        return everything_in(self.storage, HOLDERS, tuple(each.id for each in MERCHANTS))

    def set_clock(self, now: dt.datetime) -> None:
        """Let everybody see *now* on the clock."""
        self.clock.set(now)
        for known in self.known.values():
            known.now = now

    # Asking both

    def ask(self, request: Request) -> None:
        """Ask the model and the service, and compare."""
        self.in_doubt = True
        self._ask(request)
        self.in_doubt = False

    def _ask(self, request: Request) -> None:
        known = self.known[request.merchant]
        known.commands += 1
        trial = self.model.clone()
        refusal: type[StoreCreditError] | None = None
        expected: list[Expected] = []
        try:
            expected = trial.carry_out(request, known.now)
        except Refused as refused:
            refusal = refused.error
        except NothingChanged:
            trial = self.model
        except Repeated:
            self._repeat_unplanned(request)
            return
        preview = self._preview(request)
        wanted = "acceptance" if refusal is None else refusal.__name__
        answer = _answer_of(request, self.services)
        if isinstance(answer, StoreCreditError):
            assert type(answer) is refusal, f"{answer!r} instead of {wanted}: {request}"
            self.noted(f"{request.verb}: {type(answer).__name__}")
            self._refused(request, type(answer), preview)
            return
        assert refusal is None, f"accepted instead of {wanted}: {request}"
        self.noted(f"{request.verb}: {'accepted' if expected else 'nothing to do'}")
        self._accepted(request, answer, trial, expected, preview)

    def _refused(
        self,
        request: Request,
        refusal: type[StoreCreditError],
        preview: Preview | type[StoreCreditError] | None,
    ) -> None:
        assert self.dump() == self.kept, f"a refusal changed something: {request}"
        if request.verb == "redeem" and refusal not in {InvalidKey, KeyReused}:
            assert isinstance(preview, type), f"refused, but not in the preview: {request}"
        self.refused.append(request)

    def _accepted(
        self,
        request: Request,
        answer: object,
        trial: NaiveLedger,
        expected: list[Expected],
        preview: Preview | type[StoreCreditError] | None,
    ) -> None:
        self.model = trial
        self.accounts = {
            id_: trial.books[trial_number]
            for id_, trial_number in self._numbers(trial, answer, expected).items()
        }
        self.kept = self.dump()
        if isinstance(answer, Sweep):
            assert answer.accounts == len(expected), (answer, expected)
            return
        receipts = receipts_of(answer)
        new = [receipt for receipt in receipts if not receipt.replayed]
        assert len(new) == len(expected), (receipts, expected)
        for receipt, each in zip(new, expected, strict=True):
            check_receipt(receipt, each)
            self._learn(request, receipt, each)
        if receipts:
            past = Past(request, tuple(receipts))
            self.past.append(past)
            self.not_repeated.append(past)
        if isinstance(preview, Preview):
            self._check_preview(preview, receipts[0])

    def _numbers(
        self, trial: NaiveLedger, answer: object, expected: list[Expected]
    ) -> dict[str, int]:
        places = {id(book): number for number, book in enumerate(trial.books)}
        numbers = {book.account: places[id(book)] for book in trial.books if book.account}
        if not isinstance(answer, Sweep):
            new = [receipt for receipt in receipts_of(answer) if not receipt.replayed]
            for receipt, each in zip(new, expected, strict=True):
                each.book.account = receipt.entry.account
                numbers[receipt.entry.account] = places[id(each.book)]
        return numbers

    def _learn(self, request: Request, receipt: Receipt, expected: Expected) -> None:
        """Keep the ids of a receipt, for the model and for later commands."""
        known, book, of_unit = self.known[request.merchant], expected.book, receipt.unit
        entry, owners = receipt.entry, self.model.owners
        self.model.entries[entry.id] = KnownEntry(book, expected.spent, expected.sends)
        owners[entry.id] = book
        if entry.key[0] != "~":
            known.keys.append(entry.key)
        for lot in receipt.lot_ids:
            if lot not in owners:
                owners[lot] = book
                known.lots.append((lot, of_unit))
        if expected.hold is not None and expected.hold.id not in owners:
            owners[expected.hold.id] = book
            known.holds.append((expected.hold.id, of_unit))
        if expected.spent is not None:
            known.redemptions.append((entry.id, of_unit))
        elif expected.sends is not None:
            known.transfers.append(entry.id)
        else:
            known.entries.append(entry.id)
        for other in self.known.values():
            if other is not known:
                other.foreign = [*receipt.lot_ids[-1:], entry.id]

    def _preview(self, request: Request) -> Preview | type[StoreCreditError] | None:
        """Ask what a spending command would do, before it is done (A3)."""
        if request.verb not in {"redeem", "hold"}:
            return None
        unasked = {"key", "lapses"}
        asked = {name: each for name, each in request.arguments.items() if name not in unasked}
        try:
            return self.services[request.merchant].preview(**asked)
        except StoreCreditError as error:
            return type(error)

    def _check_preview(self, preview: Preview, receipt: Receipt) -> None:
        spends = {"redeemed", "held"}
        taken = {move.lot: move.amount for move in receipt.moves if move.what.value in spends}
        explained = self.services[self._merchant_of(receipt)].explain(receipt.entry_id)
        for foreseen in (preview, explained):
            assert foreseen.amount == receipt.amount, (foreseen, receipt)
            assert foreseen.on_limit == receipt.on_limit
            used = {use.lot: use.amount for use in foreseen.uses if use.amount}
            assert used == taken, (used, taken)
            assert foreseen.version == receipt.entry.sequence - 1

    def _merchant_of(self, receipt: Receipt) -> str:
        return self.accounts[receipt.entry.account].merchant.id

    # Repeating

    def repeat(self, past: Past) -> None:
        """Require the first answer again, marked, and nothing changed."""
        receipts = receipts_of(past.request.send(self.services))
        assert tuple(receipts) == past.receipts, f"another answer to {past.request}"
        assert all(receipt.replayed for receipt in receipts)
        assert self.dump() == self.kept, f"a repeat changed something: {past.request}"

    def _repeat_unplanned(self, request: Request) -> None:
        receipts = receipts_of(request.send(self.services))
        assert any(receipt.replayed for receipt in receipts), request
        assert self.dump() == self.kept, f"a repeat changed something: {request}"

    def conflict(self, past: Past, *, other_amount: bool) -> None:
        """Require that its key is refused for a request with one changed argument (A12)."""
        request = past.request
        amount = request.arguments.get("amount")
        field, argument = "reference", "order 3"
        if request.verb == "issue_many":
            first, *rest = request.arguments["grants"]
            about = cast(About, {**first.about, "reference": "order 3"})
            changed = request.changed("grants", [attrs.evolve(first, about=about), *rest])
        elif other_amount and isinstance(amount, Money):
            field, minor = "amount", amount.minor - 1 if amount.minor > 1 else amount.minor + 1
            changed = request.changed(field, Money.of_minor(minor, amount.unit))
        else:
            changed = request.changed(field, argument)
        refusal = _answer_of(changed, self.services)
        assert isinstance(refusal, KeyReused), f"the key of {request}, for {changed}: {refusal!r}"
        assert refusal.field == field, (refusal.field, field)
        assert self.dump() == self.kept, "a conflict changed something"

    # Looking

    def look_back(self, seen: Seen) -> None:
        """Compare an account as of then with what was seen then."""
        service, view = self.services[seen.merchant], seen.view
        now = service.account(seen.holder, view.unit)
        with self.storage.snapshot() as reader:
            account = reader.account_by_id(seen.merchant, view.id)
            entries = [] if account is None else list(reader.journal(account))
            led_there = _led_there(reader, seen)
        # A holder who was merged since has the versions of the survivor, and the own past.
        own = now.id == view.id
        if own and view.version and view.at == entries[view.version - 1].at:
            as_of_version = service.account(seen.holder, view.unit, version=view.version)
            assert as_of_version == view, (as_of_version, view)
        if led_there and all(entry.at > view.at for entry in entries[view.version :]):
            as_of_instant = service.account(seen.holder, view.unit, at=view.at)
            assert as_of_instant == view, (as_of_instant, view)

    def check_wallets(self) -> None:
        """Require that what every holder sees is what the model says."""
        for merchant in MERCHANTS:
            for holder in HOLDERS:
                wallet = self.model.wallet(merchant.id, holder)
                books = [] if wallet is None else self.model.books_of(wallet.survivor)
                views = self.services[merchant.id].wallet(holder).accounts
                assert [view.unit.code for view in views] == [book.unit.code for book in books]
                for view, book in zip(views, books, strict=True):
                    opened, _ = book.copied()
                    opened.open(self.known[merchant.id].now)
                    check_view(view, opened)
                    assert view.at == opened.at
                    self._remember(Seen(merchant.id, holder, view))

    def _remember(self, seen: Seen) -> None:
        if not self.seen or seen != self.seen[-1]:
            self.seen = [*self.seen[-40:], seen]

    def check_journals(self) -> None:
        """Require that what is stored is the fold of the journal, and what the model says."""
        with self.storage.snapshot() as reader:
            for merchant, id_ in reader.account_ids(None):
                whole = reader.whole(merchant, id_)
                assert whole is not None
                if self.versions_checked.get(id_) == whole.version:
                    continue
                self.versions_checked[id_] = whole.version
                entries = list(reader.journal(whole))
                assert [entry.sequence for entry in entries] == list(range(1, whole.version + 1))
                fresh = Account.new(whole.id, whole.merchant, whole.holder, whole.unit)
                replayed = replay(fresh, entries)
                assert canonical(replayed.to_json()) == canonical(whole.to_json())
                check_account(whole, self.accounts[id_])

    def check_history(self) -> None:
        """Repeat what was not repeated yet, look back once more, and verify every journal."""
        for past in self.not_repeated:
            self.repeat(past)
        for seen in self.seen[::5]:
            self.look_back(seen)
        for service in self.services.values():
            verification = service.verify(anchors=service.heads())
            assert verification.ok, verification.problems


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


def _answer_of(request: Request, services: Mapping[str, StoreCredit]) -> object:
    """Send *request*, and return what it was answered or refused with."""
    try:
        return request.send(services)
    except StoreCreditError as refusal:
        return refusal
