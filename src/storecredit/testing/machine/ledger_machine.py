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
from storecredit.testing.machine.arguments import ORDERS, STEPS
from storecredit.testing.machine.known import HOLDERS
from storecredit.testing.machine.requests import Request
from storecredit.testing.machine.shops import MERCHANTS, PLAIN, START, STRICT, UNITS
from storecredit.testing.machine.side_by_side import SideBySide
from storecredit.testing.machine.strategies import COMMANDS
from storecredit.values import Money

_SHOPS: Final = st.sampled_from((PLAIN.id, PLAIN.id, STRICT.id))


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
        self.in_doubt: bool = False
        """Whether a step has failed: then nothing more is to be learned at the end."""

    def note(self, outcome: str) -> None:
        """Count *outcome*, and show it in the statistics of Hypothesis."""
        event(outcome)
        self.outcomes[outcome] += 1

    # Commands

    @initialize(data=st.data(), shop=_SHOPS)
    def the_shop_opens(self, data: Any, shop: str) -> None:
        """Begin with some value, so that there is something to spend."""
        for number, holder in enumerate((*HOLDERS, HOLDERS[0])):
            lasting = {"holder": holder, "amount": Money.of_minor(6, UNITS[number % 2])}
            about = {"funding": "deposit", "key": f"opening {number}"}
            self.ask(Request(shop, "issue", {**lasting, **about}))
        channel = {} if shop == PLAIN.id else {"channel": "web"}
        spending = {"holder": HOLDERS[0], "amount": Money.of_minor(2, UNITS[0]), **channel}
        for verb, key in (("redeem", "opening r"), ("hold", "opening h"), ("hold", "opening i")):
            self.ask(Request(shop, verb, {**spending, "reference": ORDERS[0], "key": key}))
        self.try_any(data, shop, "issue")
        self.try_any(data, shop, "issue")

    # One rule for a family of commands, not one for each: a run in which only some rules take part
    # then still holds whole stories, and a rule named twice is tried twice as often.

    @rule(data=st.data(), shop=_SHOPS, verb=st.sampled_from(("issue", "issue", "issue_many")))
    def give(self, data: Any, shop: str, verb: str) -> None:
        """Issue."""
        self.try_any(data, shop, verb)

    @rule(data=st.data(), shop=_SHOPS, verb=st.sampled_from(("redeem", "hold", "hold")))
    def spend(self, data: Any, shop: str, verb: str) -> None:
        """Redeem or reserve."""
        self.try_any(data, shop, verb)

    @rule(data=st.data(), shop=_SHOPS)
    def hold(self, data: Any, shop: str) -> None:
        """Reserve."""
        self.try_any(data, shop, "hold")

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
        verb=st.sampled_from(("revoke", "revoke", "adjust", "extend_expiry", "reinstate")),
    )
    def correct(self, data: Any, shop: str, verb: str) -> None:
        """Revoke, adjust, extend, reinstate."""
        self.try_any(data, shop, verb)

    @rule(data=st.data(), shop=_SHOPS, verb=st.sampled_from(("cash_out", "refund_bought")))
    def pay_out(self, data: Any, shop: str, verb: str) -> None:
        """Pay out value in money."""
        self.try_any(data, shop, verb)

    @rule(data=st.data(), shop=_SHOPS, verb=st.sampled_from(("set_limit", "settle", "settle")))
    def lend(self, data: Any, shop: str, verb: str) -> None:
        """Let a holder owe, or take what is owed."""
        self.try_any(data, shop, verb)

    @rule(
        data=st.data(),
        shop=_SHOPS,
        verb=st.sampled_from(("transfer", "transfer", "convert", "reverse_transfer")),
    )
    def move(self, data: Any, shop: str, verb: str) -> None:
        """Transfer, reverse, convert."""
        self.try_any(data, shop, verb)

    @rule(
        data=st.data(),
        shop=_SHOPS,
        verb=st.sampled_from(("reopen", "close", "freeze", "reopen", "merge")),
    )
    def administer(self, data: Any, shop: str, verb: str) -> None:
        """Freeze, close, reopen, merge."""
        self.try_any(data, shop, verb)

    @precondition(lambda self: self.sweeping == "at random")
    @rule(data=st.data(), shop=_SHOPS)
    def sweep(self, data: Any, shop: str) -> None:
        """Record what has expired or lapsed."""
        self.try_any(data, shop, "sweep")

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: dt.timedelta) -> None:
        """Move the clock, sometimes back."""
        latest = START + dt.timedelta(days=20_000)
        self.both.set_clock(min(max(self.both.clock() + step, START), latest))

    @precondition(lambda self: self.both.past)
    @rule(number=st.integers(0, 999))
    def a_command_is_repeated(self, number: int) -> None:
        """The same request with the same key is answered again and changes nothing (A12)."""
        waiting = self.both.not_repeated or self.both.past
        past = waiting[number % len(waiting)]
        if past in self.both.not_repeated:
            self.both.not_repeated.remove(past)
        with self.doubting():
            self.both.repeat(past)

    @precondition(lambda self: self.both.past)
    @rule(number=st.integers(0, 999), other_amount=st.booleans())
    def a_key_is_used_for_another_request(self, number: int, *, other_amount: bool) -> None:
        """One changed argument makes a conflict that names it, and nothing changes (A12)."""
        with self.doubting():
            past = self.both.past[number % len(self.both.past)]
            self.both.conflict(past, other_amount=other_amount)

    @precondition(lambda self: self.both.refused)
    @rule(number=st.integers(0, 999))
    def a_refused_command_is_tried_again(self, number: int) -> None:
        """A refusal leaves its key free; the request is decided anew (A12)."""
        self.ask(self.both.refused.pop(number % len(self.both.refused)))

    @precondition(lambda self: self.both.seen)
    @rule(number=st.integers(0, 999))
    def the_past_is_looked_up(self, number: int) -> None:
        """A past instant or version shows what was seen then (A19)."""
        with self.doubting():
            self.both.look_back(self.both.seen[number % len(self.both.seen)])

    def try_any(self, data: Any, shop: str, verb: str) -> None:
        """Ask for *verb* in any way it can be asked for."""
        known = self.both.known[shop]
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
