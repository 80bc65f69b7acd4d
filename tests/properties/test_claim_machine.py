"""
A state machine over claim codes and the ledger: every verb in any order, twice, and by anybody (A15).

What has to be true is kept in a plain book beside it: purses with pieces of value in them, and who
may take from which. It knows nothing of accounts, records or digests. Codes are claimed at most
once, no value is lost or made on the way between codes and accounts, and every failure has the
reason that the book has for it.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from storecredit.claims import FAILURES, ClaimKeys, ClaimReason, ClaimRules, Throttle, make_code
from storecredit.errors import (
    ClaimFailed,
    CodeClaimed,
    CodeStepRefused,
    HoldAlreadyLapsed,
    InsufficientCredit,
    LotHeld,
    RestoreExceedsRedemption,
    StoreCreditError,
)
from storecredit.ledger import imbalance
from storecredit.service.codes import IssuedCode
from storecredit.storage import MemoryStorage
from storecredit.testing.contract.scene import Shop
from storecredit.testing.tender_strategies import ACME, usd

RULES = ClaimRules(
    keys=ClaimKeys(current="b", keys={"a": bytes(range(32)), "b": bytes(range(1, 33))}),
    per_caller=Throttle(free=10**6),
    per_merchant=Throttle(free=10**6),
)
WHO = {"actor": "clerk", "reason": "a reason"}
HOLDERS = ("anna", "ben")
CENTS = st.integers(1, 12)
GRACE = dt.timedelta(days=30)
HOLD = dt.timedelta(hours=24)


# --- The book -------------------------------------------------------------------------------


@attrs.define(eq=False)
class Piece:
    """A piece of value in a purse."""

    rest: int
    ends: dt.datetime | None
    born: int
    held: int = 0
    is_dead: bool = False
    """Nothing comes back into it: it was revoked, or its purse was claimed."""

    def free(self, now: dt.datetime) -> int:
        return 0 if self.is_over(now) else self.rest - self.held

    def is_over(self, now: dt.datetime) -> bool:
        return self.ends is not None and now >= self.ends


@attrs.define(eq=False)
class Purse:
    """What one holder has, or the bearer of a code."""

    pieces: list[Piece] = attrs.field(factory=list)
    follows: Purse | None = None
    """The purse of whoever claimed it."""

    @property
    def last(self) -> Purse:
        return self if self.follows is None else self.follows.last

    def free(self, now: dt.datetime) -> int:
        return sum(piece.free(now) for piece in self.pieces)

    def held(self) -> int:
        return sum(piece.held for piece in self.pieces)

    def take(self, cents: int, now: dt.datetime) -> list[tuple[Piece, int]]:
        """Choose pieces: who ends first goes first."""
        taken = []
        for piece in sorted(self.pieces, key=lambda p: (p.ends is None, p.ends or now, p.born)):
            part = min(cents, piece.free(now))
            if part:
                taken.append((piece, part))
                cents -= part
        return taken


@attrs.define(eq=False)
class Spent:
    """What one order took, and what came back of it."""

    purse: Purse
    entry: str
    parts: list[tuple[Piece, int]]
    back: int = 0

    @property
    def total(self) -> int:
        return sum(part for _, part in self.parts)


@attrs.define(eq=False)
class Held:
    """What one order reserves."""

    purse: Purse
    id: str
    parts: list[tuple[Piece, int]]
    until: dt.datetime


@attrs.define(eq=False)
class Code:
    """One code, in whatever state."""

    text: str
    id: str
    holder: str
    purse: Purse
    meant: str | None
    state: str = "open"


# --- The machine ----------------------------------------------------------------------------


class Claims(RuleBasedStateMachine):
    """Every rule does the same in the library and in the book, and the same again."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(MemoryStorage(), ACME, claims=RULES)
        self.credit = self.shop.credit
        self.keys = (f"k{number}" for number in itertools.count(1))
        self.births = itertools.count(1)
        self.purses = {holder: Purse() for holder in HOLDERS}
        self.codes: list[Code] = []
        self.spent: list[Spent] = []
        self.holds: list[Held] = []
        self.done: list[tuple[Callable[[], Any], Any]] = []
        """What was done under which key, and its answer: for repeats at any later time."""
        self.issued = 0
        self.claims = 0
        self.attempts = 0

    @property
    def now(self) -> dt.datetime:
        return self.shop.clock()

    def attempt(self, act: Callable[[], Any], expected: type[StoreCreditError] | None) -> Any:
        """Do it, and at once again: the second time nothing more has to happen."""
        if expected is not None:
            with pytest.raises(expected) as refused:
                act()
            return refused.value
        answer = act()
        kept = self.kept()
        self.require_same(act(), answer)
        assert self.kept() == kept, "the repeat had an effect"
        self.done.append((act, answer))
        return answer

    def require_same(self, again: Any, answer: Any) -> None:
        if isinstance(answer, IssuedCode):
            assert again.code is None
            assert again.id == answer.id
        else:
            assert again == answer

    def kept(self) -> str:
        return self.shop.kept(holders=HOLDERS, kinds=("claim", FAILURES))

    def add(self, purse: Purse, cents: int, ends: dt.datetime | None) -> None:
        purse.pieces.append(Piece(cents, ends, next(self.births)))

    def lapse(self) -> None:
        """What holds reserve whose time is over goes back."""
        for hold in [each for each in self.holds if each.until <= self.now]:
            self.give_back(hold)

    def give_back(self, hold: Held) -> None:
        for piece, part in hold.parts:
            piece.held -= part
        self.holds.remove(hold)

    # Issuing

    @initialize(cents=CENTS)
    def first(self, cents: int) -> None:
        self.issue_code(cents, None, None)

    @rule(
        cents=CENTS,
        hours=st.none() | st.integers(1, 40),
        meant=st.none() | st.sampled_from(HOLDERS),
    )
    def issue_code(self, cents: int, hours: int | None, meant: str | None) -> None:
        key = next(self.keys)
        ends = None if hours is None else self.now + dt.timedelta(hours=hours)

        def act() -> IssuedCode:
            return self.credit.issue_code(
                usd(cents), funding="goodwill", key=key, expires=ends, reserved_for=meant
            )

        made = self.attempt(act, None)
        purse = Purse()
        self.add(purse, cents, ends)
        self.issued += cents
        self.codes.append(Code(made.code, made.id, made.holder, purse, meant))

    @rule(data=st.data(), cents=CENTS, hours=st.none() | st.integers(1, 40))
    def add_to_a_code(self, data: Any, cents: int, hours: int | None) -> None:
        code, key = data.draw(st.sampled_from(self.codes)), next(self.keys)
        ends = None if hours is None else self.now + dt.timedelta(hours=hours)
        gone = code.purse.follows is not None
        self.attempt(
            lambda: self.credit.issue(
                code.holder, usd(cents), funding="goodwill", key=key, expires=ends
            ),
            CodeClaimed if gone else None,
        )
        if not gone:
            self.add(code.purse, cents, ends)
            self.issued += cents

    # Showing

    def why_not(self, code: Code, holder: str | None, *, opening: bool) -> str | None:
        if code.state != "open":
            return code.state
        if code.meant not in (None, holder):
            return "reserved"
        self.lapse()
        purse = code.purse
        if not purse.free(self.now) and not purse.held():
            over = any(p.is_over(self.now) and p.rest - p.held for p in purse.pieces)
            return "expired" if over else "empty"
        return "held" if purse.held() and not opening else None

    @rule(data=st.data(), holder=st.none() | st.sampled_from(HOLDERS))
    def open_code(self, data: Any, holder: str | None) -> None:
        code = data.draw(st.sampled_from(self.codes))
        reason = self.why_not(code, holder, opening=True)
        if reason is not None:
            self.fails(lambda: self.credit.open_code(code.text, caller="s", holder=holder), reason)
            return
        kept = self.kept()
        opened = self.credit.open_code(code.text.lower(), caller="s", holder=holder)
        assert self.kept() == kept, "to look at a code left something behind"
        (view,) = opened.wallet.accounts
        assert (opened.holder, view.available.minor) == (code.holder, code.purse.free(self.now))

    @rule(data=st.data(), holder=st.sampled_from(HOLDERS))
    def claim(self, data: Any, holder: str) -> None:
        code, key = data.draw(st.sampled_from(self.codes)), next(self.keys)

        def act() -> Any:
            return self.credit.claim(code.text, holder, key=key, caller="s")

        reason = self.why_not(code, holder, opening=False)
        if reason is not None:
            self.fails(act, reason)
            return
        moved = code.purse.free(self.now)
        claimed = self.attempt(act, None)
        assert claimed.amount["USD"].minor == moved
        self.fails(
            lambda: self.credit.claim(code.text, holder, key=f"{key} again", caller="s"), "claimed"
        )
        target = self.purses[holder]
        for piece in code.purse.pieces:
            if piece.free(self.now):
                self.add(target, piece.free(self.now), piece.ends)
                piece.rest = 0
            piece.is_dead = True
        code.purse.follows = target
        code.state = "claimed"
        self.claims += 1

    def fails(self, act: Callable[[], Any], reason: str) -> None:
        before = self.shop.kept(holders=HOLDERS, kinds=("claim",))
        answers = set()
        for _ in range(2):
            with pytest.raises(ClaimFailed) as failed:
                act()
            assert failed.value.reason == reason
            answers.add((str(failed.value), repr(failed.value)))
            self.attempts += 1
        assert len(answers) == 1
        assert self.shop.kept(holders=HOLDERS, kinds=("claim",)) == before

    @rule(number=st.integers(0, 2**64))
    def guess(self, number: int) -> None:
        code = make_code((number | 1 << 90).to_bytes(12))
        self.fails(lambda: self.credit.open_code(code, caller="guesser"), ClaimReason.UNKNOWN)

    # Taking back, and another code

    @rule(data=st.data())
    def revoke_code(self, data: Any) -> None:
        code, key = data.draw(st.sampled_from(self.codes)), next(self.keys)
        self.lapse()
        expected: type[StoreCreditError] | None = None
        if code.state != "open":
            expected = CodeStepRefused
        elif code.purse.held():
            expected = LotHeld
        self.attempt(lambda: self.credit.revoke_code(code.id, key=key, **WHO), expected)  # type: ignore[arg-type]  # texts
        if expected is None:
            code.state = "revoked"
            for piece in code.purse.pieces:
                gone = piece.free(self.now)
                if gone:
                    piece.rest, piece.is_dead = piece.rest - gone, True
                    self.issued -= gone

    @rule(data=st.data())
    def reissue_code(self, data: Any) -> None:
        code, key = data.draw(st.sampled_from(self.codes)), next(self.keys)
        allowed = code.state in ("open", "revoked")
        made = self.attempt(
            lambda: self.credit.reissue_code(code.id, key=key, **WHO),  # type: ignore[arg-type]  # texts
            None if allowed else CodeStepRefused,
        )
        if allowed:
            assert made.holder == code.holder
            code.state = "replaced"
            self.codes.append(Code(made.code, made.id, made.holder, code.purse, code.meant))

    # Spending

    def some_purse(self, data: Any) -> tuple[str, Purse]:
        pairs = [(holder, purse) for holder, purse in self.purses.items()]
        pairs += [(code.holder, code.purse) for code in self.codes]
        return data.draw(st.sampled_from(pairs))  # type: ignore[no-any-return]  # Hypothesis says Any

    def refusal(self, purse: Purse, cents: int) -> type[StoreCreditError] | None:
        self.lapse()
        if purse.follows is not None:
            return CodeClaimed
        return InsufficientCredit if purse.free(self.now) < cents else None

    @rule(data=st.data(), cents=CENTS)
    def redeem(self, data: Any, cents: int) -> None:
        (holder, purse), key = self.some_purse(data), next(self.keys)
        expected = self.refusal(purse, cents)
        receipt = self.attempt(lambda: self.credit.redeem(holder, usd(cents), key=key), expected)
        if expected is None:
            parts = purse.take(cents, self.now)
            for piece, part in parts:
                piece.rest -= part
            self.spent.append(Spent(purse, receipt.entry_id, parts))

    @rule(data=st.data(), cents=CENTS)
    def hold(self, data: Any, cents: int) -> None:
        (holder, purse), key = self.some_purse(data), next(self.keys)
        expected = self.refusal(purse, cents)
        receipt = self.attempt(lambda: self.credit.hold(holder, usd(cents), key=key), expected)
        if expected is None:
            parts = purse.take(cents, self.now)
            for piece, part in parts:
                piece.held += part
            self.holds.append(Held(purse, receipt.hold_id, parts, self.now + HOLD))

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), captures=st.booleans())
    def end_hold(self, data: Any, captures: bool) -> None:
        hold, key = data.draw(st.sampled_from(self.holds)), next(self.keys)
        verb = self.credit.capture if captures else self.credit.release
        expected = HoldAlreadyLapsed if hold.until <= self.now else None
        receipt = self.attempt(lambda: verb(hold.id, key=key), expected)
        self.give_back(hold)
        if captures and expected is None:
            for piece, part in hold.parts:
                piece.rest -= part
            self.spent.append(Spent(hold.purse, receipt.entry_id, hold.parts))

    @precondition(lambda self: self.spent)
    @rule(data=st.data(), cents=CENTS)
    def restore(self, data: Any, cents: int) -> None:
        """An order is refunded: to the purse that paid, or that of whoever has claimed it."""
        order, key = data.draw(st.sampled_from(self.spent)), next(self.keys)
        self.lapse()
        too_much = cents > order.total - order.back
        self.attempt(
            lambda: self.credit.restore(order.entry, key=key, amount=usd(cents)),
            RestoreExceedsRedemption if too_much else None,
        )
        if too_much:
            return
        skip, left = order.back, cents
        for piece, part in reversed(order.parts):
            passed = min(skip, part)
            skip -= passed
            back = min(part - passed, left)
            left -= back
            if not back:
                continue
            if piece.is_over(self.now):
                self.add(order.purse.last, back, self.now + GRACE)
            elif piece.is_dead:
                self.add(order.purse.last, back, piece.ends)
            else:
                piece.rest += back
        order.back += cents

    # Time, and repeats

    @rule(hours=st.integers(1, 30), sweeps=st.booleans())
    def wait(self, hours: int, sweeps: bool) -> None:
        self.shop.clock.advance(dt.timedelta(hours=hours))
        if sweeps:
            self.credit.expire_due()
            self.credit.release_lapsed()

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def repeat(self, data: Any) -> None:
        """Something that was done at any time comes again: the first answer, and no effect (A12)."""
        act, answer = data.draw(st.sampled_from(self.done))
        kept = self.kept()
        self.require_same(act(), answer)
        assert self.kept() == kept, "the repeat had an effect"

    # What always holds

    @invariant()
    def everybody_has_what_the_book_says(self) -> None:
        self.lapse()
        total = 0
        purses = [*self.purses.items(), *((code.holder, code.purse) for code in self.codes)]
        for holder, purse in {name: (name, purse) for name, purse in purses}.values():
            view = self.credit.account(holder, "USD")
            expected = (purse.free(self.now), purse.held())
            if purse.follows is not None:
                assert expected == (0, 0), "value is stranded where nobody can reach it"
            assert (view.available.minor, view.held.minor) == expected, holder
            total += sum(piece.rest for piece in purse.pieces)
        outside = sum(order.total - order.back for order in self.spent)
        assert total + outside == self.issued, "value was lost or made"

    @invariant()
    def each_code_is_claimed_at_most_once(self) -> None:
        assert sum(claim.state == "claimed" for claim in self.credit.codes()) == self.claims
        states = {code.id: code.state for code in self.codes}
        assert {claim.id: claim.state.value for claim in self.credit.codes()} == states

    def teardown(self) -> None:
        assert self.credit.verify().ok
        with self.shop.storage.snapshot() as reader:
            for _, name in reader.account_ids(ACME.id):
                account = reader.whole(ACME.id, name)
                assert account is not None
                assert imbalance(account.totals) == 0
            row = reader.record(ACME.id, FAILURES, "merchant")
        # None is forgotten within a day without failures; of a longer story, the last are there.
        assert row is None or self.attempts


def test_a15_codes_and_accounts_agree_with_a_plain_book_in_any_order_of_events() -> None:
    run_state_machine_as_test(
        Claims,
        settings=settings(
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_a15_the_story_that_every_verb_is_in() -> None:
    """The machine itself, told what to do: so that no rule of it is one that never runs."""
    story = Claims()
    story.first(12)

    class Draws:
        def __init__(self, *places: int) -> None:
            self.places = iter(places)

        def draw(self, strategy: Any) -> Any:
            return list(strategy.elements)[next(self.places)]

    story.issue_code(10, 5, "ben")
    story.add_to_a_code(Draws(0), 3, 30)
    story.redeem(Draws(2), 5)
    story.hold(Draws(2), 4)
    story.claim(Draws(0), "anna")
    story.end_hold(Draws(0), True)
    story.open_code(Draws(0), None)
    story.reissue_code(Draws(0))
    story.claim(Draws(2), "anna")
    story.restore(Draws(0), 5)
    story.wait(31, True)
    story.restore(Draws(1), 2)
    story.claim(Draws(1), "ben")
    story.revoke_code(Draws(1))
    story.guess(7)
    for place in range(len(story.done)):
        story.repeat(Draws(place))
    story.everybody_has_what_the_book_says()
    story.each_code_is_claimed_at_most_once()
    assert story.credit.account("anna", "USD").available.minor > 0
    story.teardown()
