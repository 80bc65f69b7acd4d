"""A state machine over every command of `StoreCredit`, against the naive model."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storecredit.storage import MemoryStorage
from storecredit.storage.protocols import Storage
from storecredit.testing.machine.arguments import STEPS
from storecredit.testing.machine.openings import TURNS, opening
from storecredit.testing.machine.requests import Request
from storecredit.testing.machine.shops import MERCHANTS, PLAIN, START, STRICT
from storecredit.testing.machine.side_by_side import SideBySide
from storecredit.testing.machine.strategies import COMMANDS, seldom_possible

_OPENED: Final = st.sampled_from((PLAIN.id, PLAIN.id, STRICT.id))
_SHOPS: Final = st.sampled_from(("here", "here", "here", "elsewhere"))


class LedgerMachine(RuleBasedStateMachine):
    """
    Drives a storage through every command, and compares each answer with the naive model.

    Subclass it, give it your storage, and run its `TestCase`:

        class MyMachine(LedgerMachine):
            def make_storage(self):
                return MyStorage(...)


        TestMyStorage = MyMachine.TestCase

    Two merchants share the storage. After every step value is conserved, the wallets are those
    of the model, each journal replays to the stored state, and a refusal has left no trace.
    """

    sweeping: ClassVar[str] = "at random"
    """When what has expired and lapsed is swept: ``never``, ``always`` or ``at random``."""

    outcomes: ClassVar[Counter[str]] = Counter()
    """How often each command had each outcome, over all runs in this process."""

    def make_storage(self) -> Storage:
        """Return an empty storage."""
        return MemoryStorage()

    def __init__(self) -> None:
        super().__init__()
        self.both: SideBySide = SideBySide(self.make_storage(), noted=self.note)
        self.opened: str = PLAIN.id
        """The merchant that most of the history is about."""
        self.in_doubt: bool = False
        """Whether a step has failed: then nothing more is to be learned at the end."""

    def note(self, outcome: str) -> None:
        """Count *outcome*, and show it in the statistics of Hypothesis."""
        event(outcome)
        self.outcomes[outcome] += 1

    # Commands

    @initialize(data=st.data(), shop=_OPENED, turn=st.sampled_from(TURNS))
    def the_shop_opens(self, data: Any, shop: str, turn: str) -> None:
        """Begin with some value, so that there is something to spend."""
        self.opened = shop
        for step in opening(shop, turn):
            if isinstance(step, Request):
                self.ask(step)
            else:
                self.both.set_clock(self.both.clock() + step)
        self.try_any(data, "here", "issue")

    # One rule for a family of commands, not one for each: a run in which only some rules take part
    # then still holds whole stories, and a rule named twice is tried twice as often.

    @rule(
        data=st.data(),
        shop=_SHOPS,
        verb=st.sampled_from(("issue", "issue", "issue_many", "issue_each", "import_balances")),
    )
    def give(self, data: Any, shop: str, verb: str) -> None:
        """Issue: one, many at once, a stream, a file."""
        self.try_any(data, shop, verb)

    @precondition(lambda self: self.chances())
    @rule(data=st.data(), number=st.integers(0, 999))
    def what_is_seldom_possible(self, data: Any, number: int) -> None:
        """Settle, refund a purchase, reinstate, reverse a transfer, ... where there is a chance."""
        chances = self.chances()
        self.try_any(data, *chances[number % len(chances)])

    @precondition(lambda self: self.chances())
    @rule(data=st.data(), number=st.integers(0, 999))
    def what_is_possible_at_last(self, data: Any, number: int) -> None:
        """The same once more, so that it is tried twice as often."""
        self.what_is_seldom_possible(data, number)

    @rule(data=st.data(), shop=_SHOPS, verb=st.sampled_from(("redeem", "hold", "hold")))
    def spend(self, data: Any, shop: str, verb: str) -> None:
        """Redeem or reserve."""
        self.try_any(data, shop, verb)

    @precondition(lambda self: any(known.holds for known in self.both.known.values()))
    @rule(
        data=st.data(),
        shop=_SHOPS,
        verb=st.sampled_from(("capture", "capture_part", "resize", "release", "release_order")),
    )
    def follow_a_hold(self, data: Any, shop: str, verb: str) -> None:
        """Resize, capture, release."""
        self.try_any(data, shop, verb)

    @precondition(lambda self: any(known.redemptions for known in self.both.known.values()))
    @rule(data=st.data(), shop=_SHOPS)
    def restore(self, data: Any, shop: str) -> None:
        """Give back what was spent."""
        self.try_any(data, shop, "restore")

    @rule(
        data=st.data(),
        shop=_SHOPS,
        verb=st.sampled_from(("revoke", "adjust", "extend_expiry", "reinstate")),
    )
    def correct(self, data: Any, shop: str, verb: str) -> None:
        """Revoke, adjust, extend, reinstate."""
        self.try_any(data, shop, verb)

    @rule(
        data=st.data(), shop=_SHOPS, verb=st.sampled_from(("cash_out", "cash_out", "refund_bought"))
    )
    def pay_out(self, data: Any, shop: str, verb: str) -> None:
        """Pay out value in money."""
        self.try_any(data, shop, verb)

    @rule(
        data=st.data(), shop=_SHOPS, verb=st.sampled_from(("set_limit", "set_spenders", "settle"))
    )
    def lend(self, data: Any, shop: str, verb: str) -> None:
        """Let a holder owe, take what is owed, list who may spend."""
        self.try_any(data, shop, verb)

    @rule(
        data=st.data(),
        shop=_SHOPS,
        verb=st.sampled_from(("transfer", "convert", "reverse_transfer")),
    )
    def move(self, data: Any, shop: str, verb: str) -> None:
        """Transfer, reverse, convert."""
        self.try_any(data, shop, verb)

    @rule(
        data=st.data(),
        shop=_SHOPS,
        verb=st.sampled_from(("freeze", "close", "reopen", "merge")),
    )
    def administer(self, data: Any, shop: str, verb: str) -> None:
        """Freeze, close, reopen, merge."""
        self.try_any(data, shop, verb)

    @precondition(lambda self: self.sweeping == "at random")
    @rule(data=st.data(), shop=_SHOPS, verb=st.sampled_from(("expire_due", "release_lapsed")))
    def sweep(self, data: Any, shop: str, verb: str) -> None:
        """Record what has expired or lapsed."""
        self.try_any(data, shop, verb)

    @rule(
        data=st.data(),
        shop=_SHOPS,
        verb=st.sampled_from(("erase", "pseudonymise", "rebuild")),
        lost=st.booleans(),
    )
    def keep(self, data: Any, shop: str, verb: str, *, lost: bool) -> None:
        """Erase, replace a name, rebuild: from a state that is whole, or half lost."""
        if verb == "rebuild" and lost:
            self.both.lose_state(self.merchant(shop))
        self.try_any(data, shop, verb)

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: dt.timedelta) -> None:
        """Move the clock, sometimes back."""
        latest = START + dt.timedelta(days=20_000)
        self.both.set_clock(min(max(self.both.clock() + step, START), latest))

    @precondition(lambda self: self.both.history.past)
    @rule(number=st.integers(0, 999), retold=st.booleans())
    def a_command_is_repeated(self, number: int, *, retold: bool) -> None:
        """The same request with the same key is answered again and changes nothing (A12)."""
        with self.doubting():
            self.both.repeat(self.both.history.next_to_repeat(number), retold=retold)

    @precondition(lambda self: self.both.history.keyless)
    @rule(number=st.integers(0, 999))
    def a_command_without_a_key_is_repeated(self, number: int) -> None:
        """Sweeps, erasures and new names are decided anew, and find their work done."""
        waiting = self.both.history.keyless
        self.ask(waiting.pop(number % len(waiting)))

    @precondition(lambda self: self.both.history.past)
    @rule(number=st.integers(0, 999), field=st.sampled_from(("reference", "amount", "data")))
    def a_key_is_used_for_another_request(self, number: int, field: str) -> None:
        """One changed argument makes a conflict that names it, and nothing changes (A12)."""
        past = self.both.history.past
        with self.doubting():
            self.both.conflict(past[number % len(past)], field=field)

    @precondition(lambda self: self.both.history.refused)
    @rule(number=st.integers(0, 999))
    def a_refused_command_is_tried_again(self, number: int) -> None:
        """A refusal leaves its key free; the request is decided anew (A12)."""
        refused = self.both.history.refused
        self.ask(refused.pop(number % len(refused)))

    @precondition(lambda self: self.both.history.seen)
    @rule(number=st.integers(0, 999))
    def the_past_is_looked_up(self, number: int) -> None:
        """A past instant or version shows what was seen then (A19)."""
        seen = self.both.history.seen
        with self.doubting():
            self.both.look_back(seen[number % len(seen)])

    def chances(self) -> list[tuple[str, str]]:
        """List what is seldom possible and is now, as (where, verb)."""
        found = []
        for shop in ("here", "elsewhere"):
            known = self.both.known[self.merchant(shop)]
            known.look_around(self.both.model)
            found += [(shop, verb) for verb in seldom_possible(known)]
        return found

    def merchant(self, shop: str) -> str:
        """Return the id of the merchant that this history is about (``here``), or the other one."""
        here = (shop == "here") == (self.opened == PLAIN.id)
        return PLAIN.id if here else STRICT.id

    def try_any(self, data: Any, shop: str, verb: str) -> None:
        """Ask for *verb* in any way it can be asked for."""
        known = self.both.known[self.merchant(shop)]
        known.look_around(self.both.model)
        self.ask(data.draw(COMMANDS[verb](known), label=verb))

    def ask(self, request: Request) -> None:
        """Ask the model and the service, and compare."""
        with self.doubting():
            self.both.ask(request)

    @contextmanager
    def doubting(self) -> Iterator[None]:
        """Remember it if what is done here fails."""
        self.in_doubt = True
        yield
        self.in_doubt = False

    @invariant()
    def the_wallets_are_those_of_the_model(self) -> None:
        """What every holder sees is what the model says (A2, A5, A6, A9)."""
        if self.sweeping == "always":
            for merchant in MERCHANTS:
                for verb in ("expire_due", "release_lapsed"):
                    self.ask(Request(merchant.id, verb, {}))
        with self.doubting():
            self.both.check_wallets()

    @invariant()
    def every_journal_replays_to_what_is_stored(self) -> None:
        """Sums, lots and holds are the model's, and the fold of the journal (A1, A2)."""
        with self.doubting():
            self.both.check_journals()

    def teardown(self) -> None:
        """Check the whole history once more, unless a step has failed."""
        try:
            if not self.in_doubt:
                self.both.check_history()
        finally:
            self.both.storage.close()


class NeverSwept(LedgerMachine):
    """Nobody ever sweeps: expiry and lapse hold all the same (A5, A6)."""

    sweeping = "never"


class AlwaysSwept(LedgerMachine):
    """Everything is swept after every step: nobody notices but the journal (A5)."""

    sweeping = "always"
