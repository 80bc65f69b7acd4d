"""The state machine over every command: on memory with every habit of sweeping, and on SQLite."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from storecredit.ledger import Draft, Lot, Restore, SetSpenders
from storecredit.service import Grant, _door
from storecredit.service._keeping import Keeping
from storecredit.storage import MemoryStorage, SQLiteStorage
from storecredit.storage.protocols import Storage, UnitOfWork
from storecredit.testing.machine import (
    COMMANDS,
    KEYLESS,
    AlwaysSwept,
    LedgerMachine,
    NeverSwept,
    Request,
    Sheet,
    SideBySide,
    tally_of,
)
from storecredit.testing.machine.shops import POINTS, START
from storecredit.values import ExchangeRate, Money, Period, unit

HOUR = dt.timedelta(hours=1)
WHO = {"actor": "clerk", "reason": "a reason"}


WITHOUT_ONE_KEY = KEYLESS | {"issue_many", "issue_each", "import_balances"}


def usd(minor: int) -> Money:
    return Money.of_minor(minor, "USD")


# --- Any story ------------------------------------------------------------------------


class OnSQLite(LedgerMachine):
    """The machine on a file of its own."""

    def make_storage(self) -> Storage:
        self.folder = tempfile.TemporaryDirectory(prefix="storecredit-machine-")
        return SQLiteStorage(Path(self.folder.name) / "shop.db", synchronous="NORMAL")

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.folder.cleanup()


@pytest.mark.parametrize(
    ("machine", "share"),
    [(LedgerMachine, 3), (NeverSwept, 5), (AlwaysSwept, 5), (OnSQLite, 15)],
    ids=["swept at random", "never swept", "always swept", "on SQLite"],
)
def test_every_command_does_what_the_naive_model_says(
    machine: type[LedgerMachine], share: int
) -> None:
    stories = settings(
        max_examples=max(settings().max_examples // share, 3),
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=stories)


# --- One story in which every command is accepted and refused ---------------------------


class Story:
    """Requests to one shop of the machine, one after the other, each compared with the model."""

    def __init__(self, storage: Storage | None = None) -> None:
        self.outcomes: Counter[str] = Counter()
        self.both = SideBySide(storage or MemoryStorage(), noted=self.note)

    def note(self, outcome: str) -> None:
        self.outcomes[outcome] += 1

    def ask(self, verb: str, *, merchant: str = "acme", **arguments: Any) -> str:
        """Send a request with a new key, and return what the entry it made is called."""
        if verb not in WITHOUT_ONE_KEY:
            arguments.setdefault("key", f"key {self.outcomes.total()}")
        self.both.ask(Request(merchant, verb, arguments))
        self.both.check_wallets()
        self.both.check_journals()
        past = self.both.history.past
        return past[-1].receipts[0].entry_id if past else ""

    def wait(self, step: dt.timedelta) -> None:
        self.both.set_clock(self.both.clock() + step)

    def newest(self, what: str) -> str:
        known = self.both.known["acme"]
        return str((known.lots if what == "lot" else known.holds)[-1][0])


def told(story: Story) -> None:
    """Tell it: 50 dollars in several lots, spent, restored, moved and taken back; then repeat it."""
    ask, dollars = story.ask, unit("USD")
    issued = {"funding": "purchased", "expires": None, "effective": None, "priority": 0}
    issued |= {"limits": None}
    ask("issue", holder="ann", amount=usd(20), paid=usd(18), **issued)
    bought = story.newest("lot")
    ask("issue", holder="ann", amount=usd(0), paid=None, **issued)
    grant = Grant(
        holder="bob", amount=usd(8), funding="promotional", key="g", expires=Period(hours=1)
    )
    ask("issue_many", grants=[grant])
    promotional = story.newest("lot")
    ask("issue_many", grants=[grant, attrs.evolve(grant, key="h", amount=usd(-1))])
    lasting = attrs.evolve(grant, expires=None)
    three = tuple(
        attrs.evolve(lasting, key=f"each {number}", amount=usd(minor))
        for number, minor in enumerate((2, 1, 0))
    )
    ask("issue_each", grants=three, batch=1)
    ask("issue_each", grants=three[:2], batch=0)
    file = {"key_prefix": "opening", "note": "from the old shop"}
    ask("import_balances", source=Sheet(three[:2]), **file)
    ask("import_balances", source=Sheet((attrs.evolve(lasting, key="row"), *three)), **file)
    ask("import_balances", source=Sheet((attrs.evolve(lasting, key="row"), *three[:2])), **file)
    spending = {"holder": "ann", "taking": "all_or_nothing", "lot": None, "lines": None}
    spending |= {"exceed_limit": False, "spender": None}
    redemption = ask("redeem", amount=usd(5), **spending)
    ask("redeem", amount=usd(500), **spending)
    ask("restore", redemption=redemption, amount=usd(2), expired=None)
    ask("restore", redemption=redemption, amount=usd(4), expired=None)
    ask("hold", amount=usd(6), lapses=None, reference="order 1", **spending)
    held = story.newest("hold")
    ask("hold", amount=usd(6), lapses=Period(days=40), **spending)
    resizing = {"hold": held, "lapses": None, "exceed_limit": False}
    ask("set_spenders", holder="ann", unit=dollars, spenders=("kim",))
    ask("set_spenders", holder="ann", unit=dollars, spenders=None, key="~")
    ask("resize", amount=usd(7), spender="kim", **resizing)
    ask("resize", amount=usd(8), spender="lee", **resizing)
    ask("resize", amount=usd(70), spender="kim", **resizing)
    ask("redeem", amount=usd(1), **spending)
    ask("set_spenders", holder="ann", unit=dollars, spenders=None)
    ask("capture_part", hold=held, amount=usd(2))
    ask("capture_part", hold=held, amount=usd(6))
    ask("capture", hold=held, amount=usd(6))
    ask("capture", hold=held, amount=usd(3))
    ask("release", hold=held)
    ask("hold", amount=usd(1), lapses=None, reference="order 1", **spending)
    ask("release", hold=story.newest("hold"))
    ask("hold", amount=usd(1), lapses=None, reference="order 1", **spending)
    ask("release_order", holder="ann", order="order 1", at=story.both.clock() + HOUR)
    ask("release_order", holder="ann", order="order 1")
    ask("hold", amount=usd(1), lapses=Period(hours=1), **spending)
    story.wait(HOUR)
    ask("release_lapsed", at=story.both.clock() + HOUR)
    ask("release_lapsed", at=None)
    ask("expire_due", at=story.both.clock() + HOUR)
    ask("expire_due", at=None)
    lot = {"lot": promotional, "amount": usd(4), **WHO}
    ask("reinstate", expires=None, **lot)
    ask("reinstate", expires=Period(days=1), **lot)
    ask("extend_expiry", lot=promotional, expires=Period(days=1), **WHO)
    ask("extend_expiry", lot=promotional, expires=story.both.clock(), **WHO)
    ask("adjust", lot=promotional, by=usd(2), **WHO)
    ask("adjust", lot=promotional, by=usd(-9), **WHO)
    rules = {"shortfall": "up_to", "reach": "lot", "held": "refuse"}
    ask("revoke", lot=promotional, amount=usd(3), **rules, **WHO)
    ask("revoke", lot=promotional, amount=usd(9), **rules, **WHO)
    ask("set_limit", holder="ann", unit=dollars, limit=usd(9))
    ask("set_limit", holder="ann", unit=dollars, limit=usd(-1))
    ask("redeem", amount=usd(20), **spending)
    ask("settle", holder="ann", amount=usd(2))
    ask("settle", holder="ann", amount=usd(20))
    ask("issue", holder="ann", amount=usd(20), paid=usd(18), **issued)
    ask("cash_out", holder="ann", amount=usd(2), lot=None)
    ask("cash_out", holder="ann", amount=usd(99), lot=None)
    ask("refund_bought", lot=story.newest("lot"), **WHO)
    ask("refund_bought", lot=story.newest("lot"), **WHO)
    ask("refund_bought", lot=bought, **WHO)
    ask("issue", holder="ann", amount=usd(9), paid=None, **issued)
    sent = ask("transfer", sender="ann", receiver="bob", amount=usd(4), lot=None)
    ask("transfer", sender="ann", receiver="bob", amount=usd(40), lot=None)
    ask("reverse_transfer", transfer=sent)
    ask("reverse_transfer", transfer=sent)
    rate = ExchangeRate(dollars, POINTS, Fraction(100), on=START.date())
    ask("convert", holder="ann", amount=usd(3), rate=rate, rounding="down")
    ask("convert", holder="ann", amount=usd(30), rate=rate, rounding="down")
    ask("freeze", holder="bob", unit=dollars)
    ask("freeze", holder="bob", unit=dollars)
    ask("merge", holder="bob", into="ann")
    ask("reopen", holder="bob", unit=dollars)
    ask("reopen", holder="bob", unit=dollars)
    ask("merge", holder="bob", into="ann")
    ask("close", holder="çem", unit=dollars)
    ask("close", holder="ann", unit=dollars)
    told = {"actor": "kim", "note": "was upset", "data": {"ticket": "1"}}
    gift = ask("issue", holder="ann", amount=usd(9), paid=None, **issued, **told)
    ask("erase", entry=gift, fields=("note", "data"))
    ask("erase", entry=gift, fields=("reason",))
    ask("pseudonymise", holder="ann", pseudonym="x-1")
    ask("pseudonymise", holder="ann", pseudonym="x-2")
    ask("pseudonymise", holder="x-1", pseudonym="bob")
    ask("issue", holder="ann", amount=usd(9), paid=None, **issued)
    story.both.lose_state("acme")
    ask("rebuild")
    for past in story.both.history.past:
        for field in ("reference", "amount", "data"):
            story.both.conflict(past, field=field)
        story.both.repeat(past, retold=True)
    story.both.check_history()


@pytest.mark.parametrize("storage", ["memory", "sqlite"])
def test_one_story_in_which_every_command_is_both_accepted_and_refused(
    storage: str, tmp_path: Path
) -> None:
    story = Story(None if storage == "memory" else SQLiteStorage(tmp_path / "shop.db"))
    told(story)
    story.both.storage.close()
    tally = tally_of(story.outcomes)
    assert {verb for verb in COMMANDS if tally[verb].accepted} == {*COMMANDS}
    assert {verb for verb in COMMANDS if tally[verb].refused} == {*COMMANDS} - {"rebuild"}
    assert {verb for verb in COMMANDS if tally[verb].repeated} == {*COMMANDS} - KEYLESS


# --- The comparison can fail ----------------------------------------------------------


def inclusive(lot: Lot, at: dt.datetime) -> bool:
    ends = lot.terms.expires_at
    return lot.terms.effective_at <= at and (ends is None or at <= ends)


def forgetting_the_cap(self: Restore, draft: Draft, wanted: int, left: int, taken: int) -> None:
    pass


def expiring_nothing(self: Draft, lot: str, amount: int) -> None:
    pass


def listing_nobody(self: SetSpenders, draft: Draft) -> None:
    pass


def erasing_nothing(self: Keeping, entry: str, *, fields: Iterable[str]) -> int:
    return len(tuple(fields))


def renaming_nobody(self: Keeping, holder: str, pseudonym: str) -> None:
    pass


def rebuilding_nothing(self: Keeping, name: str, tx: UnitOfWork) -> None:
    pass


def answering_every_key(*arguments: Any) -> None:
    pass


FAULTS = {
    "the expiry itself still counts": (Lot, "is_live", inclusive),
    "a restore has no cap": (Restore, "_check_cap", forgetting_the_cap),
    "what expires stays": (Draft, "expire", expiring_nothing),
    "a debt is not settled": (Draft, "_settle", expiring_nothing),
    "a list of spenders is not kept": (SetSpenders, "decide", listing_nobody),
    "what is erased is still there": (Keeping, "erase", erasing_nothing),
    "a pseudonym is not used": (Keeping, "pseudonymise", renaming_nobody),
    "a rebuild leaves the state as it is": (Keeping, "_rebuild", rebuilding_nothing),
    "another request with the same key is answered": (_door, "check_repeat", answering_every_key),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_ledger_with_a_fault_does_not_pass_for_the_model(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, name, wrong = FAULTS[fault]
    assert hasattr(changed, name)
    monkeypatch.setattr(changed, name, wrong)
    story = Story()
    with pytest.raises(AssertionError):
        told(story)
