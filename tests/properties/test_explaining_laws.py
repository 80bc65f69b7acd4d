"""Laws of preview and explanation: before, after and the command itself say the same (A3)."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from fractions import Fraction
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from storecredit.errors import StoreCreditError
from storecredit.ledger import Because, Limits, Line, LotUse, Merchant, OrderOfUse
from storecredit.service import Preview, Receipt, StoreCredit, TransferReceipt
from storecredit.storage import MemoryStorage
from storecredit.testing import SettableClock
from storecredit.values import CustomUnit, ExchangeRate, Money, Period, Rounding, unit

NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
POINTS = CustomUnit("PTS", 0)
DOLLARS = unit("USD")
RATE = ExchangeRate(DOLLARS, POINTS, Fraction(37), on=NEW_YEAR.date())
WHO: dict[str, Any] = {"actor": "ann", "reason": "a mistake"}
LINE = Line(id="1", amount=Money.of_minor(9, DOLLARS), category="shoes")
TAKES = frozenset({"redeemed", "held", "revoked", "cashed_out", "transferred_out"})
SHRINKS = frozenset({"released", "owed_released"})
VERBS = ("redeem", "hold", "resize", "revoke", "cash_out", "transfer", "convert")
FUNDINGS = ("refund", "promotional", "goodwill", "purchased")
LIMITS = (
    None,
    None,
    None,
    Limits(categories=("shoes",)),
    Limits(channels=("till",), minimum_order=5),
)
ORDERS = (
    OrderOfUse.of("priority", "expiry", "funding", "effective", "issued"),
    OrderOfUse.of("restricted", "cost", "issued"),
)


def usd(minor: int) -> Money:
    return Money.of_minor(minor, DOLLARS)


class Told:
    """One story told to a shop, in which every choice of lots is foreseen before it is made."""

    def __init__(self, order: OrderOfUse) -> None:
        self.clock, ids = SettableClock(NEW_YEAR), count(1)
        self.shop = StoreCredit(
            MemoryStorage(),
            Merchant(id="acme", units=(POINTS,), order=order, channels=("web", "till")),
            clock=self.clock,
            new_id=lambda: uuid.UUID(int=next(ids)),
            salt=lambda: b"salt",
        )
        self.keys = count(1)
        self.lots: list[str] = []
        self.holds: list[str] = []
        self.foreseen: dict[str, Preview] = {}

    def issue(self, minor: int, which: int, *, later: bool) -> None:
        receipt = self.shop.issue(
            "ann",
            usd(minor),
            funding=FUNDINGS[which % 4],
            expires=None if which % 3 else Period(hours=1 + which % 2),
            effective=Period(hours=1) if later else None,
            priority=which % 2,
            limits=LIMITS[which % 5],
            key=f"i{next(self.keys)}",
        )
        self.lots.append(receipt.lot_id)

    def arguments(self, verb: str, minor: int, which: int, *, other: bool) -> dict[str, Any]:
        """The arguments of *verb* and of its preview alike."""
        named = self.lots[which % len(self.lots)] if other and self.lots else None
        about: dict[str, Any] = {"channel": ("web", "till")[which % 2], **WHO}
        amount = usd(minor)
        if verb in {"redeem", "hold"}:
            lines = [LINE] if which % 3 == 0 else None
            taking = ("all_or_nothing", "up_to")[which % 2]
            return {
                "holder": "ann",
                "amount": amount,
                "lot": named,
                "lines": lines,
                "taking": taking,
                "exceed_limit": which == 7,
                **about,
            }
        if verb == "resize":
            hold = self.holds[which % len(self.holds)] if self.holds else "no hold"
            return {"hold": hold, "amount": amount, **about}
        if verb == "revoke":
            return {
                "lot": self.lots[which % len(self.lots)] if self.lots else "no lot",
                "amount": amount if other else None,
                "reach": ("lot", "promotional", "promotional")[minor % 3],
                "held": ("refuse", "unheld_only")[which % 2],
                "shortfall": ("up_to", "all_or_nothing", "owe")[which % 3],
                **about,
            }
        if verb == "cash_out":
            return {"holder": "ann", "amount": amount, "lot": named, **about}
        if verb == "transfer":
            return {"sender": "ann", "receiver": "bob", "amount": amount, "lot": named, **about}
        return {"holder": "ann", "amount": amount, "rate": RATE, "rounding": Rounding.DOWN, **about}

    def ask(self, verb: str, minor: int, which: int, *, other: bool) -> None:
        """Foresee a command, carry it out, and require that both are the same."""
        asked = self.arguments(verb, minor, which, other=other)
        before = self.shop.heads()
        plan = answer_of(getattr(self.shop, PREVIEWS[verb]), asked)
        assert self.shop.heads() == before, "a preview appended something"
        done = answer_of(getattr(self.shop, verb), {**asked, "key": f"k{next(self.keys)}"})
        if isinstance(done, StoreCreditError):
            assert type(plan) is type(done)
            # One preview serves redeem and hold, and speaks of the former.
            assert verb == "hold" or str(plan) == str(done)
            return
        assert isinstance(plan, Preview)
        receipt = done.sent if isinstance(done, TransferReceipt) else done
        if receipt.changed:
            check(plan, receipt)
            self.foreseen[receipt.entry_id] = plan
        else:
            assert not plan.amount.minor
        if verb == "hold":
            self.holds.append(receipt.hold_id)


PREVIEWS = {verb: f"preview_{verb}" for verb in VERBS} | {"redeem": "preview", "hold": "preview"}


def answer_of(verb: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        return verb(**arguments)
    except StoreCreditError as error:
        return error


def check(plan: Preview, receipt: Receipt) -> None:
    taken = {
        move.lot: move.amount for move in receipt.moves if move.what.value in TAKES and move.amount
    }
    assert {use.lot: use.amount for use in plan.uses if use.amount} == taken
    assert all((use.because is Because.USED) == (use.amount > 0) for use in plan.uses)
    shrinks = any(move.what.value in SHRINKS for move in receipt.moves)
    assert plan.amount == (usd(0) if shrinks else receipt.amount)
    assert plan.on_limit == receipt.on_limit
    assert plan.version == receipt.entry.sequence - 1


grants = st.tuples(st.integers(3, 12), st.integers(0, 11), st.booleans())
steps = st.tuples(
    st.sampled_from(("issue", "issue", "wait", *VERBS)),
    st.integers(1, 12),
    st.integers(0, 11),
    st.booleans(),
)


@settings(max_examples=settings().max_examples * 3)
@given(
    st.sampled_from(ORDERS),
    st.lists(grants, min_size=1, max_size=5),
    st.lists(steps, min_size=1, max_size=18),
    st.sampled_from((None, None, 9, "unlimited")),
)
def test_a_preview_a_command_and_its_explanation_say_the_same_whatever_comes_later(
    order: OrderOfUse,
    issued: list[tuple[int, int, bool]],
    story: list[tuple[str, int, int, bool]],
    limit: int | str | None,
) -> None:
    told = Told(order)
    for minor, which, later in issued:
        told.issue(minor, which, later=later)
    if limit is not None:
        most = usd(limit) if isinstance(limit, int) else limit
        told.shop.set_limit("ann", "USD", most, key="limit")
    for verb, minor, which, other in story:
        if verb == "issue":
            told.issue(minor, which, later=other)
        elif verb == "wait":
            told.clock.advance(HOUR)
        else:
            told.ask(verb, minor, which, other=other)
    told.clock.advance(Period(days=40))
    told.shop.release_lapsed()
    told.shop.expire_due()
    told.shop.merge("ann", "eve", key="merge")
    for entry, plan in told.foreseen.items():
        assert told.shop.explain(entry) == plan


NAMED: dict[str, Callable[[StoreCredit, str], Preview]] = {
    "redeem": lambda shop, lot: shop.preview("ann", usd(1), lot=lot, channel="web"),
    "cash_out": lambda shop, lot: shop.preview_cash_out("ann", usd(1), lot=lot),
    "transfer": lambda shop, lot: shop.preview_transfer("ann", "bob", usd(1), lot=lot),
}
ALL: dict[str, Callable[[StoreCredit], Preview]] = {
    "redeem": lambda shop: shop.preview("ann", usd(1), channel="web"),
    "cash_out": lambda shop: shop.preview_cash_out("ann", usd(1)),
    "transfer": lambda shop: shop.preview_transfer("ann", "bob", usd(1)),
}


def could_pay(use: LotUse) -> bool:
    return use.because in {Because.USED, Because.NOT_NEEDED}


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 11), st.booleans()), max_size=5),
    st.integers(0, 12),
    st.booleans(),
    st.sampled_from(sorted(ALL)),
)
def test_a_lot_is_said_to_be_of_use_exactly_where_the_command_alone_could_take_from_it(
    issued: list[tuple[int, int, bool]], held: int, waited: bool, verb: str
) -> None:
    told = Told(ORDERS[0])
    for minor, which, later in issued:
        told.issue(minor, which, later=later)
    if held:
        answer_of(
            told.shop.hold,
            {"holder": "ann", "amount": usd(held), "key": "h", "channel": "web"},
        )
    if waited:
        told.clock.advance(HOUR)
    plan = answer_of(lambda: ALL[verb](told.shop), {})
    alone = {
        lot: isinstance(answer_of(lambda lot=lot: NAMED[verb](told.shop, lot), {}), Preview)
        for lot in told.lots
    }
    if isinstance(plan, Preview):
        assert {use.lot: could_pay(use) for use in plan.uses} == alone
        return
    assert not any(alone.values())
