"""Laws of the ledger, each stated by itself; the machine finds what they leave out."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from fractions import Fraction
from itertools import count, product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from storecredit.errors import (
    CaptureExceedsHold,
    InsufficientCredit,
    RefusalError,
    RestoreExceedsRedemption,
    StoreCreditError,
)
from storecredit.ledger import (
    PRIVATE_FIELDS,
    Context,
    Line,
    Lot,
    Merchant,
    OrderOfUse,
    Wanted,
    account_of,
    place,
    private_value,
    read_entry,
)
from storecredit.service import Receipt, StoreCredit, TransferReceipt
from storecredit.storage import MemoryStorage
from storecredit.testing import SettableClock
from storecredit.testing.ledger_strategies import (
    contexts,
    fundings,
    keys,
    lots,
    order_lines,
    orders_of_use,
)
from storecredit.testing.value_strategies import instants
from storecredit.values import CustomUnit, ExchangeRate, Money, Period, Rounding, unit

NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
POINTS = CustomUnit("PTS", 0)
DOLLARS = unit("USD")


def usd(minor: int) -> Money:
    return Money.of_minor(minor, DOLLARS)


def a_shop(clock: SettableClock | None = None) -> StoreCredit:
    """A shop on an empty memory storage; the ids of its wallets are 1, 2, 3."""
    ids = count(1)
    return StoreCredit(
        MemoryStorage(),
        Merchant(id="acme", units=(POINTS,)),
        clock=clock or SettableClock(NEW_YEAR),
        new_id=lambda: uuid.UUID(int=next(ids)),
        salt=lambda: b"salt",
    )


def kept(shop: StoreCredit, holder: str, code: str = "USD") -> int:
    """All that the lots of an account hold, in minor units."""
    view = shop.account(holder, code)
    parts = (view.available, view.limited, view.held, view.pending, view.due)
    return sum(part.minor for part in parts)


small = st.integers(1, 6)

# --- Order of use (A3) ----------------------------------------------------------------


@given(orders_of_use(), lots(), st.randoms(use_true_random=False))
def test_the_order_of_use_is_total_and_does_not_depend_on_the_order_of_insertion(
    order: OrderOfUse, given_lots: list[Lot], random: Any
) -> None:
    shuffled = list(given_lots)
    random.shuffle(shuffled)
    assert order.sorted(shuffled) == order.sorted(given_lots)
    assert len({order.key(lot) for lot in given_lots}) == len(given_lots)


# --- Placement over order lines (A4, T3) -----------------------------------------------


def may_pay(lot: Lot, line: Line) -> bool:
    limits = lot.terms.limits
    return limits is None or (
        (not limits.categories or line.category in limits.categories)
        and (not limits.lines or line.id in limits.lines)
    )


def candidates(given_lots: list[Lot], lines: tuple[Line, ...], wanted: Wanted) -> list[Lot]:
    """The lots that count at all, in the order of use."""
    due = sum(line.amount.minor for line in lines)
    return [
        lot
        for lot in wanted.order.sorted(given_lots)
        if lot.terms.effective_at <= wanted.at
        and (lot.terms.expires_at is None or wanted.at < lot.terms.expires_at)
        and (lot.terms.limits is None or due >= (lot.terms.limits.minimum_order or 0))
    ]


def most_of(lot: Lot, lines: tuple[Line, ...]) -> int:
    limits = lot.terms.limits
    share = None if limits is None else limits.share_percent
    if share is None:
        return lot.remaining - lot.held
    eligible = sum(line.amount.minor for line in lines if may_pay(lot, line))
    return min(lot.remaining - lot.held, eligible * share // 100)


def placements(
    found: list[Lot], lines: tuple[Line, ...], left: tuple[int, ...], rest: int
) -> Iterator[tuple[int, ...]]:
    """Every way in which the lots can give, as the amount of each."""
    if not found:
        yield ()
        return
    lot, *others = found
    shares = [range(left[n] + 1) if may_pay(lot, line) else (0,) for n, line in enumerate(lines)]
    for parts in product(*shares):
        gift = sum(parts)
        if gift <= min(most_of(lot, lines), rest):
            after = tuple(due - part for due, part in zip(left, parts, strict=True))
            for more in placements(others, lines, after, rest - gift):
                yield (gift, *more)


def greedy(found: list[Lot], lines: tuple[Line, ...], rest: int) -> int:
    """What a till would place that fills line after line, lot after lot."""
    left, taken = [line.amount.minor for line in lines], 0
    for lot in found:
        most = min(most_of(lot, lines), rest - taken)
        for number, line in enumerate(lines):
            gift = min(most, left[number]) if may_pay(lot, line) else 0
            left[number] -= gift
            most -= gift
            taken += gift
    return taken


@given(lots(count=3), order_lines(), st.integers(1, 12), orders_of_use(), instants())
def test_no_placement_covers_more_and_among_the_best_the_order_of_use_decides(
    given_lots: list[Lot],
    lines: tuple[Line, ...],
    amount: int,
    order: OrderOfUse,
    at: dt.datetime,
) -> None:
    wanted = Wanted(amount=amount, at=at, order=order, lines=lines)
    drawn = {draw.lot: draw.amount for draw in place(given_lots, wanted)}
    found = candidates(given_lots, lines, wanted)
    due = tuple(line.amount.minor for line in lines)
    every = set(placements(found, lines, due, amount))
    most = max(map(sum, every))
    best = max(gifts for gifts in every if sum(gifts) == most)
    assert tuple(drawn.pop(lot.id, 0) for lot in found) == best
    assert not drawn
    assert most >= greedy(found, lines, amount)


@given(lots(limited=False), st.integers(1, 12), orders_of_use(), instants())
def test_without_lines_each_lot_gives_all_it_has_before_the_next(
    given_lots: list[Lot], amount: int, order: OrderOfUse, at: dt.datetime
) -> None:
    drawn = place(given_lots, Wanted(amount=amount, at=at, order=order))
    live = [lot for lot in order.sorted(given_lots) if lot.is_live(at) and lot.free]
    assert [draw.lot for draw in drawn] == [lot.id for lot in live[: len(drawn)]]
    assert [draw.amount for draw in drawn[:-1]] == [lot.free for lot in live[: len(drawn) - 1]]
    assert sum(draw.amount for draw in drawn) == min(amount, sum(lot.free for lot in live))


# --- Holds (A6) -----------------------------------------------------------------------


@given(
    st.lists(small, min_size=1, max_size=4),
    small,
    st.lists(st.tuples(st.sampled_from(["capture", "capture_part", "resize"]), small), max_size=5),
)
def test_what_was_held_is_captured_or_given_back_and_nothing_else(
    issued: list[int], held: int, steps: list[tuple[str, int]]
) -> None:
    shop = a_shop()
    for number, minor in enumerate(issued):
        shop.issue("ann", usd(minor), funding="refund", key=f"i{number}")
    before = kept(shop, "ann")
    try:
        hold = shop.hold("ann", usd(held), key="hold").hold_id
    except InsufficientCredit:
        assert held > before
        return
    captured = 0
    for number, (verb, minor) in enumerate(steps):
        reserved = shop.account("ann", "USD").held.minor
        try:
            receipt = getattr(shop, verb)(hold, amount=usd(minor), key=f"k{number}")
        except CaptureExceedsHold:
            assert minor > reserved
        except RefusalError:
            # The hold is over, or may not grow that far.
            assert reserved == 0 or (
                verb == "resize" and minor - reserved > before - captured - reserved
            )
        else:
            captured += 0 if verb == "resize" else receipt.amount.minor
        view = shop.account("ann", "USD")
        assert view.available.minor + view.held.minor + captured == before
    if shop.account("ann", "USD").held.minor:
        shop.release(hold, key="release")
    view = shop.account("ann", "USD")
    assert (view.available.minor, view.held.minor) == (before - captured, 0)


# --- Restores (A7) --------------------------------------------------------------------


@given(
    st.lists(small, min_size=1, max_size=4),
    st.data(),
    st.lists(small, min_size=1, max_size=8),
)
def test_restores_never_give_back_more_than_was_taken_lot_by_lot(
    issued: list[int], data: st.DataObject, asked: list[int]
) -> None:
    shop = a_shop()
    made = [
        shop.issue("ann", usd(minor), funding="refund", key=f"i{number}").lot_id
        for number, minor in enumerate(issued)
    ]
    spent = data.draw(st.integers(1, sum(issued)))
    redeemed = shop.redeem("ann", usd(spent), key="redeem")
    taken = {move.lot: move.amount for move in redeemed.moves}
    back = dict.fromkeys(made, 0)
    for number, minor in enumerate(asked):
        left = spent - sum(back.values())
        if minor > left:
            with pytest.raises(RestoreExceedsRedemption) as refusal:
                shop.restore(redeemed.entry_id, amount=usd(minor), key=f"r{number}")
            assert refusal.value.taken == usd(spent)
            assert refusal.value.restored == usd(spent - left)
            continue
        receipt = shop.restore(redeemed.entry_id, amount=usd(minor), key=f"r{number}")
        for move in receipt.moves:
            back[move.lot] += move.amount
        assert all(back[lot] <= taken.get(lot, 0) for lot in made)
        # Last drawn, first restored: whatever is not whole yet has nothing restored before it.
        whole = [back[move.lot] == move.amount for move in redeemed.moves]
        begun = [back[move.lot] > 0 for move in redeemed.moves]
        for earlier, later in zip(begun, whole[1:], strict=False):
            assert later or not earlier
    assert kept(shop, "ann") == sum(issued) - spent + sum(back.values())


# --- Time (A5, A13) -------------------------------------------------------------------


@given(instants(), instants())
@example(NEW_YEAR + dt.timedelta(hours=1), NEW_YEAR + dt.timedelta(hours=1))
def test_value_counts_before_its_expiry_and_not_at_it(
    expires: dt.datetime, at: dt.datetime
) -> None:
    clock = SettableClock(NEW_YEAR - dt.timedelta(days=1))
    shop = a_shop(clock)
    shop.issue("ann", usd(5), funding="refund", expires=expires, key="i")
    clock.set(at)
    counts = at < expires
    assert shop.account("ann", "USD").available == usd(5 if counts else 0)
    if counts:
        assert shop.redeem("ann", usd(5), key="r").amount == usd(5)
    else:
        with pytest.raises(InsufficientCredit):
            shop.redeem("ann", usd(5), key="r")


@given(instants(), instants())
def test_value_counts_from_the_instant_it_becomes_effective(
    effective: dt.datetime, at: dt.datetime
) -> None:
    clock = SettableClock(NEW_YEAR - dt.timedelta(days=1))
    shop = a_shop(clock)
    shop.issue("ann", usd(5), funding="earned", effective=effective, key="i")
    clock.set(at)
    view = shop.account("ann", "USD")
    assert (view.available, view.pending) == (
        (usd(5), usd(0)) if at >= effective else (usd(0), usd(5))
    )


VERBS = (
    "issue",
    "hold",
    "redeem",
    "capture",
    "release",
    "restore",
    "revoke",
    "reinstate",
    "adjust",
    "set_limit",
    "transfer",
)
steps_of_time = st.sampled_from([0, 1, 1, 2, 24, 24 * 40]).map(
    lambda hours: dt.timedelta(hours=hours)
)


class Told:
    """A shop that is told a story by numbers: the third lot, the first hold."""

    def __init__(self) -> None:
        self.clock = SettableClock(NEW_YEAR)
        self.shop = a_shop(self.clock)
        self.made: dict[str, list[str]] = {"lot": [], "hold": [], "entry": []}
        self.keys = count(1)

    def tell(self, verb: str, number: int, minor: int, *, owe: bool) -> str:
        """Try *verb*, and say what came of it."""
        amount, key = usd(minor), f"k{next(self.keys)}"
        who: dict[str, Any] = {"actor": "clerk", "reason": "a reason", "key": key}
        lot, hold, entry = (self._nth(what, number) for what in ("lot", "hold", "entry"))
        lasting = (None, Period(hours=1), Period(days=1))[number % 3]
        effective = Period(hours=1) if owe else None
        commands: dict[str, Any] = {
            "issue": lambda: self.shop.issue(
                "ann", amount, funding="refund", expires=lasting, effective=effective, key=key
            ),
            "hold": lambda: self.shop.hold(
                "ann", amount, taking="up_to", lapses=lasting, key=key, exceed_limit=False
            ),
            "redeem": lambda: self.shop.redeem("ann", amount, key=key),
            "capture": lambda: self.shop.capture(hold, key=key),
            "release": lambda: self.shop.release(hold, key=key),
            "restore": lambda: self.shop.restore(entry, key=key, expired="expire"),
            "revoke": lambda: self.shop.revoke(lot, shortfall="owe" if owe else "up_to", **who),
            "reinstate": lambda: self.shop.reinstate(lot, expires=lasting, **who),
            "adjust": lambda: self.shop.adjust(lot, usd(minor - 3), **who),
            "set_limit": lambda: self.shop.set_limit(
                "ann", "USD", amount if owe else None, key=key
            ),
            "transfer": lambda: self.shop.transfer("ann", "bob", amount, key=key),
        }
        try:
            answer = commands[verb]()
        except StoreCreditError as refusal:
            return type(refusal).__name__
        receipt: Receipt = answer.sent if isinstance(answer, TransferReceipt) else answer
        self._learn(verb, receipt)
        return f"{receipt.amount} {receipt.settled} {receipt.shortfall}"

    def shown(self) -> list[Any]:
        """What holders see, without what only the journal tells."""
        views = [self.shop.wallet(holder) for holder in ("ann", "bob")]
        return [
            (view.available, view.limited, view.held, view.pending, view.owed, view.next_expiry)
            for view in views
        ]

    def _nth(self, what: str, number: int) -> str:
        return self.made[what][number % len(self.made[what])] if self.made[what] else "none"

    def _learn(self, verb: str, receipt: Receipt) -> None:
        if verb in {"issue", "restore"}:
            self.made["lot"] += [
                move.lot for move in receipt.moves if move.terms is not None and move.lot
            ]
        elif verb == "hold":
            self.made["hold"].append(receipt.hold_id)
        elif verb in {"redeem", "capture"}:
            self.made["entry"].append(receipt.entry_id)


@settings(max_examples=settings().max_examples * 4)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("issue", *VERBS)),
            st.integers(0, 5),
            small,
            st.booleans(),
            steps_of_time,
        ),
        max_size=25,
    ),
    st.lists(st.booleans(), min_size=25, max_size=25),
)
def test_sweeping_never_always_or_now_and_then_changes_no_answer_and_no_wallet(
    story: list[tuple[str, int, int, bool, dt.timedelta]], now_and_then: list[bool]
) -> None:
    never, always, sometimes = Told(), Told(), Told()
    for (verb, number, minor, owe, step), swept in zip(story, now_and_then, strict=False):
        answers = set()
        for told in (never, always, sometimes):
            told.clock.advance(step)
            if told is always or (told is sometimes and swept):
                told.shop.expire_due()
                told.shop.release_lapsed()
            answers.add(told.tell(verb, number, minor, owe=owe))
        assert len(answers) == 1, answers
        assert never.shown() == always.shown() == sometimes.shown()


# --- Entries and ids (A1, A14) ----------------------------------------------------------


@given(keys(), contexts(), fundings(), small)
def test_the_canonical_form_of_an_entry_reads_back_as_the_entry(
    key: str, context: Context, funding: Any, minor: int
) -> None:
    about = {
        name: value
        for name in ("actor", "reason", "reference", "location", "note", "occurred_at")
        if (value := getattr(context, name)) is not None
    }
    entry = (
        a_shop()
        .issue(
            "ann",
            usd(minor),
            funding=funding,
            key=key,
            expires=Period(months=1),
            paid=usd(1),
            data=context.data,
            **about,
        )
        .entry
    )
    private = {
        name: (entry.salts[name], private_value(entry.context, name))
        for name in PRIVATE_FIELDS
        if name in entry.salts
    }
    assert read_entry(entry.unit, entry.body, entry.digest, private=private) == entry


@given(keys(), keys(), small)
def test_the_same_keys_name_the_same_things_and_other_keys_other_things(
    first: str, second: str, minor: int
) -> None:
    def ids(key: str) -> tuple[str, str, str, str]:
        shop = a_shop()
        issued = shop.issue("ann", usd(minor), funding="refund", key=f"{key}/i")
        held = shop.hold("ann", usd(minor), key=f"{key}/h")
        return issued.entry_id, issued.lot_id, held.entry_id, held.hold_id

    assert ids(first) == ids(first)
    assert (set(ids(first)) & set(ids(second)) == set()) == (first != second)
    assert {account_of(id_) for id_ in ids(first)} == {f"{uuid.UUID(int=1).hex}.USD"}


# --- Between accounts (A17) --------------------------------------------------------------


@given(st.lists(small, min_size=1, max_size=4), st.lists(small, min_size=1, max_size=4))
def test_transfers_and_their_reversals_sum_to_zero(issued: list[int], moved: list[int]) -> None:
    shop = a_shop()
    for number, minor in enumerate(issued):
        shop.issue("ann", usd(minor), funding="refund", key=f"i{number}")
    for number, minor in enumerate(moved):
        before = kept(shop, "ann"), kept(shop, "bob")
        if minor > before[0]:
            with pytest.raises(InsufficientCredit):
                shop.transfer("ann", "bob", usd(minor), key=f"t{number}")
            assert (kept(shop, "ann"), kept(shop, "bob")) == before
            continue
        there = shop.transfer("ann", "bob", usd(minor), key=f"t{number}")
        assert there.sent.amount == there.received.amount == usd(minor)
        assert (kept(shop, "ann"), kept(shop, "bob")) == (before[0] - minor, before[1] + minor)
        if number % 2:
            back = shop.reverse_transfer(there.entry_id, key=f"b{number}")
            assert back.sent.amount == back.received.amount == usd(minor)
            assert (kept(shop, "ann"), kept(shop, "bob")) == before


@given(
    st.lists(small, min_size=1, max_size=4),
    st.integers(1, 24),
    st.fractions(Fraction(1, 10), 200, max_denominator=30),
    st.sampled_from([Rounding.DOWN, Rounding.UP, Rounding.HALF_EVEN]),
)
def test_a_conversion_moves_both_sides_of_the_exchange_position_by_what_its_entries_say(
    issued: list[int], minor: int, rate: Fraction, rounding: Rounding
) -> None:
    shop = a_shop()
    for number, each in enumerate(issued):
        shop.issue("ann", usd(each), funding="refund", key=f"i{number}")
    exchange = ExchangeRate(DOLLARS, POINTS, rate, on=NEW_YEAR.date())
    try:
        done = shop.convert("ann", usd(minor), exchange, rounding=rounding, key="c")
    except StoreCreditError:
        assert (kept(shop, "ann"), kept(shop, "ann", "PTS")) == (sum(issued), 0)
        return
    sent, received = done.sent.entry, done.received.entry
    assert kept(shop, "ann") == sum(issued) - minor
    assert sent.facts["source"] == received.facts["source"] == [minor, "USD"]
    result, left_over = sent.facts["result"][0], Fraction(sent.facts["remainder"])
    assert result + left_over == minor * rate / 100
    assert abs(left_over) < 1
    assert received.facts["result"] == [result, "PTS"]
    assert kept(shop, "ann", "PTS") == result == sum(move.amount for move in received.moves)


@given(
    st.lists(st.tuples(small, st.booleans()), max_size=4),
    st.lists(st.tuples(small, st.booleans()), max_size=4),
    st.integers(0, 12),
)
def test_a_merger_keeps_every_sum(
    of_ann: list[tuple[int, bool]], of_bob: list[tuple[int, bool]], debt: int
) -> None:
    shop = a_shop()
    for holder, issued in (("ann", of_ann), ("bob", of_bob)):
        for number, (minor, later) in enumerate(issued):
            begins = Period(days=1) if later else None
            shop.issue(holder, usd(minor), funding="refund", effective=begins, key=f"i{number}")
    if debt:
        shop.set_limit("ann", "USD", "unlimited", key="limit")
        shop.redeem("ann", usd(debt), key="redeem")

    def worth(*holders: str) -> int:
        views = [shop.account(holder, "USD") for holder in holders]
        return sum(kept(shop, holder) for holder in holders) - sum(v.owed.minor for v in views)

    before = worth("ann", "bob")
    shop.merge("ann", "bob", key="merge")
    assert worth("bob") == before
    if of_ann or debt:
        assert shop.wallet("ann").accounts == shop.wallet("bob").accounts
    assert shop.verify().ok
