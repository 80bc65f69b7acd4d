"""A shop and its plain book: a step in both, cut off anywhere, and again; and how value moves."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
from returns_book import (
    CODES,
    CONFLICTS,
    GRACE,
    HOLDERS,
    REASONS,
    RECORDS,
    SECOND,
    Bought,
    ByNumber,
    Case,
    Code,
    Draws,
    Held,
    Piece,
    Purse,
    Spent,
)

from storecredit.errors import CodeClaimed, InsufficientCredit, StoreCreditError
from storecredit.ledger import Merchant
from storecredit.refunds import CaseRecord
from storecredit.service import RefundCase, StoreCredit
from storecredit.service.codes import IssuedCode
from storecredit.storage.protocols import Storage
from storecredit.testing.contract.scene import Shop
from storecredit.testing.faults import COMMIT, Fault, FaultyStorage, InjectedFault, Mode
from storecredit.testing.tender_strategies import POINTS


@attrs.define(eq=False)
class Done:
    """Something that was done, to come again at any later time."""

    act: Callable[[StoreCredit], Any]
    answer: Any


def outcome_of(
    act: Callable[[StoreCredit], Any], credit: StoreCredit
) -> tuple[Any, StoreCreditError | None]:
    try:
        return act(credit), None
    except StoreCreditError as refusal:
        return None, refusal


Expected = type[StoreCreditError] | tuple[type[StoreCreditError], ...] | None


@attrs.frozen(eq=False)
class Shown:
    """What a step of a case returns: where the case is by then, and a code."""

    case: RefundCase
    code: IssuedCode | None


class Shopkeeping:
    """Does the same in the library and in the book; every step is cut off, and comes again."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.shop = Shop(storage, Merchant(id="acme", units=(POINTS,)), claims=CODES)
        self.credit = self.shop.credit
        self.keys = (f"k{number}" for number in itertools.count(1))
        self.entries = 0
        """What the library writes at once is born at once."""
        self.purses = {holder: Purse(holder) for holder in HOLDERS}
        self.codes: list[Code] = []
        self.spent: list[Spent] = []
        self.holds: list[Held] = []
        self.orders: list[Bought] = []
        self.cases: list[Case] = []
        self.done: list[Done] = []
        self.given: Counter[tuple[str, str]] = Counter()
        """By unit and funding, what was brought into the world, less what was taken out of it."""
        self.claimed = 0
        self.read: dict[str, tuple[int, CaseRecord]] = {}
        """Records of cases as they were read last, by version."""
        self.seen: Counter[str] = Counter()
        self.draws: Draws = ByNumber(0)
        self.reasons: Sequence[str] = tuple(REASONS)
        """Why goods come back in this story."""
        self.most = 60
        """The most that is issued at once: little makes for many lots."""

    def tell(self, step: str, draws: Draws) -> None:
        """Take one step."""
        self.draws = draws
        self.shop.clock.advance(SECOND)
        self.lapse()
        getattr(self, step)()

    def is_one_in(self, several: int) -> bool:
        return self.draws.number(1, several) == 1

    @property
    def now(self) -> dt.datetime:
        return self.shop.clock()

    # Doing it, with a crash, and again

    def picture(self) -> dict[str, Any]:
        """Everything that is stored but for failures, by its versions and digests."""
        with self.storage.snapshot() as reader:
            found: dict[str, Any] = {}
            for _, name in reader.account_ids("acme"):
                account = reader.account_by_id("acme", name)
                assert account is not None
                found[name] = (account.version, account.head)
            for kind in RECORDS:
                for row in reader.records("acme", kind, limit=10_000):
                    found[f"{kind} {row.id}"] = row.version
        return found

    def attempt(
        self,
        what: str,
        act: Callable[[StoreCredit], Any],
        expected: Expected = None,
        *,
        other: Callable[[StoreCredit], Any] | None = None,
    ) -> Any:
        """
        Do it: perhaps cut off once, then with its answer, and then again.

        Args:
            what: Its name, to see that everything is reached.

            act: Does it at a service.

            expected: How it is refused; of several, any; with None among them, or not at all.

            other: Another request under the same key.
        """
        refusals = expected if isinstance(expected, tuple) else (expected,)
        before = self.picture()
        is_done = self.cut_off(act)
        between = self.picture()
        assert is_done or between == before, f"{what}: a crash has left something behind"
        answer, refusal = outcome_of(act, self.credit)
        if refusal is not None:
            assert type(refusal) in refusals, f"{what}: {refusal!r} in place of {expected}"
            assert self.picture() == before, f"{what}: a refusal has left something behind"
            self.seen[f"{what}: {type(refusal).__name__}"] += 1
            return None
        assert None in refusals, f"{what}: {answer!r} in place of {expected}"
        after = self.picture()
        if between != before:
            self.seen[f"{what}: answer lost"] += 1
            assert after == between, f"{what}: what was done without an answer is done again"
        for _ in range(self.draws.number(0, 2)):
            self.require_same(act(self.shop.at(self.storage)), answer)
            assert self.picture() == after, f"{what}: the repeat had an effect"
        if other is not None and self.is_one_in(3):
            self.require_conflict(what, other)
        self.done.append(Done(act, answer))
        self.seen[f"{what}: done"] += 1
        return answer if answer is not None else True

    def cut_off(self, act: Callable[[StoreCredit], Any]) -> bool:
        """Perhaps let one step of the storage fail; tell whether all may be done nevertheless."""
        if not self.is_one_in(2):
            return False
        mode = self.draws.one_of(list(Mode))
        at_commit = mode in (Mode.AT_COMMIT, Mode.AFTER_COMMIT)
        fault = Fault(mode, 1 if at_commit else self.draws.number(1, 24))
        faulty = FaultyStorage(self.storage, [fault])
        try:
            act(self.shop.at(faulty))
        except InjectedFault:
            self.seen[f"fault {mode.value}"] += 1
            return faulty.steps[-1].name == COMMIT and mode in (Mode.AFTER, Mode.AFTER_COMMIT)
        except StoreCreditError:
            pass
        return True

    def require_same(self, again: Any, answer: Any) -> None:
        if isinstance(answer, IssuedCode):
            assert again.code is None, "a code is shown twice"
            assert again.id == answer.id
        elif not isinstance(answer, Shown):
            assert again == answer
        else:
            assert again.code is None, "a code is shown twice"

    def require_conflict(self, what: str, other: Callable[[StoreCredit], Any]) -> None:
        kept = self.picture()
        with pytest.raises(CONFLICTS):
            other(self.credit)
        assert self.picture() == kept, f"{what}: another request under its key had an effect"
        self.seen[f"{what}: other request"] += 1

    def repeat(self) -> None:
        """Something that was done at any time comes again, and has no effect (A12)."""
        if not self.done:
            return
        done = self.draws.one_of(self.done)
        kept = self.picture()
        self.require_same(done.act(self.shop.at(self.storage)), done.answer)
        assert self.picture() == kept, "a late repeat had an effect"
        self.seen["repeat: done"] += 1

    # Value

    def add(
        self,
        purse: Purse,
        unit: str,
        funding: str,
        amount: int,
        *,
        ends: dt.datetime | None,
        since: dt.datetime | None = None,
        origin: Piece | None = None,
    ) -> Piece:
        since = since or self.now
        piece = Piece(unit, funding, amount, ends, since, self.entries, issued=amount)
        piece.purse, piece.origin = purse, origin
        purse.pieces.append(piece)
        return piece

    def move(self, piece: Piece, amount: int, purse: Purse) -> Piece:
        """Let a part of a piece go on as it is in another purse."""
        ends, since = piece.ends, piece.since
        return self.add(
            purse, piece.unit, piece.funding, amount, ends=ends, since=since, origin=piece
        )

    def bring(
        self, purse: Purse, unit: str, funding: str, amount: int, ends: dt.datetime | None
    ) -> Piece:
        """Bring new value into the world."""
        self.entries += 1
        self.given[unit, funding] += amount
        return self.add(purse.last, unit, funding, amount, ends=ends)

    def lapse(self) -> None:
        for hold in [each for each in self.holds if each.until <= self.now]:
            self.let_go(hold)

    def let_go(self, hold: Held) -> None:
        for piece, part in hold.parts:
            piece.held -= part
        self.holds.remove(hold)

    def give_back(self, spent: Spent, at: int, amount: int) -> None:
        """Give value back that was spent: into its piece, or one that is like it (A7)."""
        piece, part = spent.parts[at]
        spent.backs[at] += amount
        assert spent.backs[at] <= part, "more comes back than was taken"
        purse = spent.purse.last
        if piece.is_over(self.now):
            ends = self.now + GRACE
            self.add(purse, piece.unit, piece.funding, amount, ends=ends, origin=piece)
        elif piece.is_dead or piece.purse is not purse:
            self.move(piece, amount, purse)
        else:
            piece.rest += amount

    def give_back_last(self, spent: Spent, amount: int) -> None:
        """Last taken, first given back."""
        self.entries += 1
        for at in reversed(range(len(spent.parts))):
            back = min(spent.parts[at][1] - spent.backs[at], amount)
            if back:
                self.give_back(spent, at, back)
                amount -= back
        assert not amount

    def follow(self, purse: Purse, target: Purse) -> None:
        """Let everything of one purse go to another, for good."""
        self.entries += 1
        for piece in sorted(purse.pieces, key=lambda each: each.born):
            free = piece.free(self.now)
            if free:
                self.move(piece, free, target)
                piece.rest -= free
            piece.is_dead = True
        purse.follows = target

    # Choosing

    def amount(self) -> int:
        return self.draws.number(1, 12)

    def unit(self) -> str:
        return "PTS" if self.is_one_in(4) else "USD"

    def some_end(self) -> dt.datetime | None:
        if self.is_one_in(2):
            return None
        return self.now + dt.timedelta(hours=self.draws.number(1, 90))

    def some_purse(self) -> Purse:
        """Of a holder, or of the bearer of a code."""
        purses = [*self.purses.values(), *dict.fromkeys(code.purse for code in self.codes)]
        full = [each for each in purses if any(p.free(self.now) for p in each.last.pieces)]
        found: Purse = self.draws.one_of(full if full and not self.is_one_in(4) else purses)
        return found

    def closed_to(self, purse: Purse) -> type[StoreCreditError] | None:
        """How whoever names a purse is refused: the name of a code does not follow (A15)."""
        is_gone = purse.name not in self.purses and purse.follows is not None
        return CodeClaimed if is_gone else None

    def refusal(self, purse: Purse, unit: str, amount: int) -> type[StoreCreditError] | None:
        short = purse.last.free(self.now, unit) < amount
        return self.closed_to(purse) or (InsufficientCredit if short else None)

    def every_purse(self) -> list[Purse]:
        return [*self.purses.values(), *(code.purse for code in self.codes)]
