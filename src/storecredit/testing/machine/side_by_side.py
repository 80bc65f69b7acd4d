"""The service and the naive model, side by side: every request goes to both, and is compared."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, Final

import attrs

from storecredit.errors import (
    ImportRefused,
    InvalidKey,
    InvalidTerms,
    KeyReused,
    StoreCreditError,
)
from storecredit.ledger import Account, canonical, replay
from storecredit.service import Anchor, BalancesImported, Preview, Receipt, StoreCredit, Sweep
from storecredit.storage.protocols import Storage
from storecredit.testing.clock import SettableClock
from storecredit.testing.machine.carrying import check_carried_over
from storecredit.testing.machine.comparing import (
    check_account,
    check_receipt,
    check_view,
    everything_in,
    receipts_of,
)
from storecredit.testing.machine.filed import issue_of, taken_apart
from storecredit.testing.machine.history import History, Past, Seen, check_private, look_back
from storecredit.testing.machine.known import NAMES, Known
from storecredit.testing.machine.model import Book, Expected, NothingChanged, Refused
from storecredit.testing.machine.naive_ledger import NaiveLedger, Repeated
from storecredit.testing.machine.outcomes import ACCEPTED, NOTHING_TO_DO, REPEATED
from storecredit.testing.machine.requests import Request
from storecredit.testing.machine.shops import MERCHANTS, START, UNITS
from storecredit.testing.machine.wallets import ModelEntry
from storecredit.values import Balance

KEEPING: Final = frozenset({"erase", "pseudonymise", "rebuild"})
"""Verbs that append no entry."""
KEYLESS: Final = KEEPING | {"expire_due", "release_lapsed"}
"""Verbs that take no key: to repeat them is to ask anew, and to find the work done."""


class SideBySide:
    """
    Two merchants on one storage, and the model of both.

    `ask` sends a request to the service and to the model and compares the answers; what was
    learned from receipts is in `known`, what may be asked once more in `history`.
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
        self.history: History = History()
        self.accounts: dict[str, Book] = {}
        self.versions_checked: dict[str, int] = {}
        self.kept: str = self.dump()

    def new_id(self) -> uuid.UUID:
        """Make the ids of wallets one after the other, so that a run repeats exactly."""
        self.made_ids += 1
        return uuid.UUID(int=self.made_ids)

    def salt(self) -> bytes:
        """Make the same salt each time, so that a run repeats exactly."""
        return b"salt"

    def dump(self) -> str:
        """Write down everything that is stored."""
        return everything_in(self.storage, NAMES, tuple(each.id for each in MERCHANTS))

    def set_clock(self, now: dt.datetime) -> None:
        """Let everybody see *now* on the clock."""
        self.clock.set(now)
        for known in self.known.values():
            known.now = now

    # Asking both

    def ask(self, request: Request) -> None:
        """Ask the model and the service, and compare."""
        self.known[request.merchant].commands += 1
        if request.verb in KEEPING:
            self._ask_to_keep(request)
        elif request.verb == "issue_each":
            self._ask_for_a_stream(request)
        else:
            self._ask_for(request, lambda: request.send(self.services))

    def _ask_for(self, request: Request, send: Callable[[], Any]) -> bool:
        """Ask for one command; tell whether it was accepted."""
        trial = self.model.clone()
        refusal: type[StoreCreditError] | None = None
        expected: list[Expected] = []
        try:
            expected = trial.carry_out(request, self.known[request.merchant].now)
        except Refused as refused:
            refusal = refused.error
        except NothingChanged:
            trial = self.model
        except Repeated:
            self._repeat_unplanned(request)
            return True
        preview = self._preview(request)
        answer = _answer_of(send)
        if not self._is_as_foreseen(request, answer, refusal, changing=bool(expected)):
            self._refused(request, type(answer), preview)
            return False
        self._accepted(request, answer, trial, expected)
        if isinstance(preview, Preview):
            self._check_preview(preview, receipts_of(answer)[0])
        return True

    def _is_as_foreseen(
        self,
        request: Request,
        answer: object,
        refusal: type[StoreCreditError] | None,
        *,
        changing: bool,
    ) -> bool:
        """Require a refusal where the model refuses, and the same; tell if there is none."""
        wanted = "acceptance" if refusal is None else refusal.__name__
        if isinstance(answer, StoreCreditError):
            assert type(answer) is refusal, f"{answer!r} instead of {wanted}: {request}"
            self.noted(f"{request.verb}: {type(answer).__name__}")
            return False
        assert refusal is None, f"accepted instead of {wanted}: {request}"
        self.noted(f"{request.verb}: {ACCEPTED if changing else NOTHING_TO_DO}")
        return True

    def _refused(
        self,
        request: Request,
        refusal: type[object],
        preview: Preview | type[StoreCreditError] | None,
    ) -> None:
        assert self.dump() == self.kept, f"a refusal changed something: {request}"
        if request.verb == "redeem" and refusal not in {InvalidKey, KeyReused}:
            assert isinstance(preview, type), f"refused, but not in the preview: {request}"
        self.history.refused.append(request)

    def _accepted(
        self, request: Request, answer: object, trial: NaiveLedger, expected: list[Expected]
    ) -> None:
        receipts = self._receipts(request, answer)
        new = [receipt for receipt in receipts if not receipt.replayed]
        self.model = trial
        if isinstance(answer, Sweep):
            assert answer.accounts == len(expected), (answer, expected)
        else:
            assert len(new) == len(expected), (receipts, expected)
        for receipt, each in zip(new, expected, strict=False):
            each.book.account = receipt.entry.account
            check_receipt(receipt, each)
            self._learn(request, receipt, each)
        self.accounts = {book.account: book for book in trial.books if book.account}
        self.kept = self.dump()
        if receipts:
            self.history.record(request, receipts)
        elif expected:
            self.history.keyless.append(request)

    def _receipts(self, request: Request, answer: object) -> tuple[Receipt, ...]:
        """
        List the receipts of what was recorded, now or before.

        A balance file is answered with sums. Its rows are issued once more, one by one, which is
        the same request as the row, and answered with its receipt.
        """
        if not isinstance(answer, BalancesImported):
            return tuple(receipts_of(answer))
        about, before = taken_apart(request).about, {*self.model.owners}
        found = []
        for grant in request.grants:
            again = issue_of(request.merchant, grant, about).send(self.services)
            assert again.replayed, f"a row of the file is another request than {grant}"
            found.append(attrs.evolve(again, replayed=again.entry_id in before))
            before.add(again.entry_id)
        new = [receipt for receipt in found if not receipt.replayed]
        issued = sum((Balance.of(receipt.amount) for receipt in new), Balance.of())
        sums = BalancesImported(len(found), len(new), len(found) - len(new), issued)
        assert answer == sums, (answer, sums)
        return tuple(found)

    def _learn(self, request: Request, receipt: Receipt, expected: Expected) -> None:
        """Keep the ids of a receipt, for the model and for later commands."""
        known, book, of_unit = self.known[request.merchant], expected.book, receipt.unit
        entry, owners = receipt.entry, self.model.owners
        done = ModelEntry(book, expected.key, expected.spent, expected.sends)
        self.model.entries[entry.id] = done
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
        merchant = self.accounts[receipt.entry.account].merchant.id
        explained = self.services[merchant].explain(receipt.entry_id)
        for foreseen in (preview, explained):
            assert foreseen.amount == receipt.amount, (foreseen, receipt)
            assert foreseen.on_limit == receipt.on_limit
            used = {use.lot: use.amount for use in foreseen.uses if use.amount}
            assert used == taken, (used, taken)
            assert foreseen.version == receipt.entry.sequence - 1

    # Streams

    def _ask_for_a_stream(self, request: Request) -> None:
        """Each batch is kept or refused as a whole; a refusal ends the stream, and undoes none."""
        grants, batch = request.grants, request.arguments["batch"]
        stream = request.begin(self.services)
        if batch < 1:
            answer = _answer_of(lambda: tuple(stream))
            self._is_as_foreseen(request, answer, InvalidTerms, changing=False)
            self._refused(request, type(answer), None)
            return
        for first in range(0, len(grants), batch):
            part = request.with_grants(grants[first : first + batch])
            size = len(part.grants)
            if not self._ask_for(part, partial(_next, stream, size)):
                # Whoever tries again begins anew: what was given is answered again, not given.
                self.history.refused[-1] = request
                return
        assert not tuple(stream), f"more receipts than grants: {request}"

    # Keeping the books

    def lose_state(self, merchant: str) -> None:
        """Put back what is stored of each account to half its journal, as a faulty adapter might."""
        with self.storage.transaction() as tx:
            for owner, id_ in tx.account_ids(merchant):
                whole = tx.whole(owner, id_)
                if whole is not None:
                    fresh = Account.new(whole.id, whole.merchant, whole.holder, whole.unit)
                    upto = (whole.version + 1) // 2
                    tx.rebuild(replay(fresh, tx.journal(whole, upto=upto)))

    def _ask_to_keep(self, request: Request) -> None:
        """Ask for a verb that appends nothing: no digest changes, and every journal verifies."""
        trial, service = self.model.clone(), self.services[request.merchant]
        refusal: type[StoreCreditError] | None = None
        count = 0
        try:
            count = trial.keep_the_books(request)
        except Refused as refused:
            refusal = refused.error
        anchors = service.heads()
        answer = _answer_of(lambda: request.send(self.services))
        if not self._is_as_foreseen(request, answer, refusal, changing=bool(count)):
            self._refused(request, type(answer), None)
            self.check_kept(request.merchant, anchors)
            return
        asked = request.arguments
        self.model = trial
        self.accounts = {book.account: book for book in trial.books if book.account}
        if request.verb == "pseudonymise":
            assert answer is None
            self.kept = self.dump()
            self.history.rename(request.merchant, asked["holder"], asked["pseudonym"])
        else:
            assert answer == count, (request, answer, count)
            assert self.dump() == self.kept, f"it changed what is stored: {request}"
        if request.verb == "erase":
            self.history.forget(asked["entry"], tuple(asked["fields"]))
        self.history.keyless.append(request)
        self.check_kept(request.merchant, anchors)

    def check_kept(self, merchant: str, anchors: dict[str, Anchor]) -> None:
        """Require that every journal verifies, and tells in private what the model says (A14)."""
        verification = self.services[merchant].verify(anchors=anchors)
        assert verification.ok, verification.problems
        filed = [e.filed for e in self.model.entries.values() if e.book.merchant.id == merchant]
        assert verification.erased == sum(len(each.erased) for each in filed)
        with self.storage.snapshot() as reader:
            for owner, id_ in reader.account_ids(merchant):
                account = reader.account_by_id(owner, id_)
                assert account is not None
                check_private(reader, account, self.model.entries)

    # Repeating

    def repeat(self, past: Past, *, retold: bool = False) -> None:
        """
        Require the first answer again, marked, and nothing changed (A12).

        *retold*: by somebody else, with another note, and, but for whole lists, at any instant.
        A whole file is about one instant, which is looked at first; the clock may have gone back.
        """
        request = past.request
        if request.verb == "import_balances":
            request = request.changed("at", None)
        if retold and not request.arguments.get("grants"):
            request = request.changed("note", "told again").changed("actor", "somebody else")
            if not request.grants:
                request = request.changed("at", self.clock() + dt.timedelta(days=9999))
        receipts = self._receipts(request, request.send(self.services))
        assert receipts == past.receipts, f"another answer to {request}"
        assert all(receipt.replayed for receipt in receipts)
        assert self.dump() == self.kept, f"a repeat changed something: {request}"
        self.noted(f"{request.verb}: {REPEATED}")

    def _repeat_unplanned(self, request: Request) -> None:
        receipts = receipts_of(request.send(self.services))
        assert any(receipt.replayed for receipt in receipts), request
        assert self.dump() == self.kept, f"a repeat changed something: {request}"
        self.noted(f"{request.verb}: {REPEATED}")

    def conflict(self, past: Past, *, field: str) -> None:
        """
        Require that its key is refused for a request with one changed argument (A12).

        *field* is ``amount``, ``data`` or ``reference``; the latter also stands in for an amount
        that there is none of. Where the ``data`` was erased, there is nothing to tell them apart.
        """
        request = past.request
        changed, field = request.with_another(field)
        refusal: type[StoreCreditError] | None = KeyReused
        if field == "data":
            refusal = None
            with suppress(Repeated):
                try:
                    self.model.clone().carry_out(changed, self.clock())
                except Refused as refused:
                    refusal = refused.error
        answer = _answer_of(lambda: changed.send(self.services))
        found = f"the key of {request}, for {changed}: {answer!r}"
        if refusal is None:
            assert self._receipts(changed, answer) == past.receipts, found
        elif request.verb == "import_balances":
            assert isinstance(answer, ImportRefused), found
            assert answer.rows[0].column == "key", answer
        else:
            assert isinstance(answer, KeyReused), found
            assert answer.field == field, (answer.field, field)
        assert self.dump() == self.kept, "a conflict changed something"

    # Looking

    def look_back(self, seen: Seen) -> None:
        """Compare an account as of then with what was seen then (A19)."""
        with self.storage.snapshot() as reader:
            look_back(reader, self.services[seen.merchant], seen)

    def check_wallets(self) -> None:
        """Require that what every holder sees is what the model says, and nobody else anything."""
        for merchant in MERCHANTS:
            for holder in NAMES:
                wallet = self.model.wallet(merchant.id, holder)
                books = [] if wallet is None else self.model.books_of(wallet.survivor)
                views = self.services[merchant.id].wallet(holder).accounts
                assert [view.unit.code for view in views] == [book.unit.code for book in books]
                for view, book in zip(views, books, strict=True):
                    opened, _ = book.copied()
                    opened.open(self.known[merchant.id].now)
                    check_view(view, opened)
                    assert view.at == opened.at
                    self.history.see(merchant.id, holder, view)

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
        """
        Ask once more for what was not asked for twice yet, look back, and verify every journal.

        At last the whole ledger is carried to another storage, which then is the same ledger.
        """
        for past in self.history.not_repeated:
            self.repeat(past)
        keyless, self.history.keyless = self.history.keyless, []
        for request in keyless:
            self.ask(request)
        for seen in self.history.seen[::5]:
            self.look_back(seen)
        for merchant, service in self.services.items():
            self.check_kept(merchant, service.heads())
        check_carried_over(self.services, self.kept, noted=self.noted)


def _answer_of(send: Callable[[], Any]) -> object:
    """Ask, and return the answer or the refusal."""
    try:
        return send()
    except StoreCreditError as refusal:
        return refusal


def _next(stream: Iterator[Receipt], size: int) -> tuple[Receipt, ...]:
    return tuple(islice(stream, size))
