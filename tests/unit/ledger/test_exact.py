"""Commands that say lot by lot what they take: what a plan is carried out with (A3 to A9, T5)."""

from __future__ import annotations

from typing import Any

import pytest

from storecredit.errors import (
    AccountClosed,
    AccountFrozen,
    ArgumentRefused,
    CaptureExceedsHold,
    ChannelNotDeclared,
    ChannelRequired,
    HoldAlreadyCaptured,
    HoldAlreadyLapsed,
    HoldAlreadyReleased,
    HoldTooLong,
    InsufficientCredit,
    InvalidTerms,
    InvalidText,
    LotCannotGive,
    NotARedemption,
    RestoreExceedsRedemption,
    SpenderNotListed,
    UnitMismatch,
    UnknownHold,
    UnknownLot,
)
from storecredit.ledger import (
    Account,
    CaptureExactly,
    Command,
    Context,
    Draw,
    Funding,
    HoldExactly,
    Limits,
    Line,
    ResizeExactly,
    Restore,
    decide,
)
from storecredit.service import Receipt
from storecredit.values import Money, Period

DAY = Period(days=1)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def line(amount: str, *, of: str = "1", category: str | None = None) -> Line:
    return Line(id=of, amount=usd(amount), category=category)


def draws(*pairs: tuple[str | None, int]) -> tuple[Draw, ...]:
    return tuple(Draw(lot, amount) for lot, amount in pairs)  # type: ignore[arg-type]  # ids are texts here


class Exact:
    """The exact commands, carried out on the account of c-17 in dollars as a checkout does it."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop

    def do(
        self, command: Command, *, key: str | None = None, channel: str | None = None
    ) -> Receipt:
        door = self.shop.credit
        asked = door._ask(command, key or self.shop.key(), {"channel": channel, "reference": "o-1"})
        unit = door.merchant.unit("USD")
        return door._write(
            lambda tx: door._do(tx, door._load(tx, "c-17", unit, asked.key, command.names), asked)
        )

    def hold(self, *pairs: tuple[str | None, int], lines: Any = None, **more: Any) -> Receipt:
        do = {name: more.pop(name) for name in ("key", "channel") if name in more}
        return self.do(HoldExactly(draws=draws(*pairs), lines=_lines(pairs, lines), **more), **do)

    def resize(self, hold: str, *pairs: tuple[str | None, int], **more: Any) -> Receipt:
        do = {name: more.pop(name) for name in ("key", "channel") if name in more}
        lines = _lines(pairs, more.pop("lines", None))
        command = ResizeExactly(hold=hold, draws=draws(*pairs), lines=lines, **more)  # type: ignore[arg-type]  # a text
        return self.do(command, **do)

    def capture(self, hold: str, *pairs: tuple[str | None, int], **do: Any) -> Receipt:
        return self.do(CaptureExactly(hold=hold, draws=draws(*pairs)), **do)  # type: ignore[arg-type]  # a text

    def restore(self, entry: str, *pairs: tuple[str | None, int], **more: Any) -> Receipt:
        command = Restore(redemption=entry, draws=draws(*pairs), **more)  # type: ignore[arg-type]  # a text
        door = self.shop.credit
        asked = door._ask(command, self.shop.key(), {})
        return door._write(lambda tx: door._restore_in(tx, command, asked))

    def held(self) -> dict[str, tuple[tuple[str | None, int], ...]]:
        """The active holds: what is reserved of each lot, in the order of draw."""
        with self.shop.storage.snapshot() as reader:
            account: Account = reader.account("acme", "c-17", "USD")
        return {
            hold.id: tuple((draw.lot, draw.amount) for draw in hold.draws)
            for hold in account.holds.values()
        }


def _lines(pairs: Any, lines: Any) -> Any:
    whole = Money.of_minor(sum(amount for _, amount in pairs), "USD")
    return [Line(id="1", amount=whole)] if lines is None else lines


@pytest.fixture
def exact(shop: Any) -> Exact:
    return Exact(shop)


# --- Holding ------------------------------------------------------------------------------


def test_a6_a_hold_takes_exactly_what_is_named_in_that_order(shop, exact, moves) -> None:
    first, second, third = (shop.issue(amount).lot_id for amount in ("5.00", "5.00", "5.00"))
    receipt = exact.hold((third, 300), (first, 200), lapses=DAY)
    assert moves(receipt) == [("held", 300), ("held", 200)]
    assert [move.lot for move in receipt.moves] == [third, first]
    assert exact.held() == {receipt.hold_id: ((third, 300), (first, 200))}
    assert shop.available() == "USD 10.00"
    spent = shop.credit.capture(receipt.hold_id, key="all")
    assert moves(spent) == [("captured", 300), ("captured", 200)]
    assert shop.lots() == [("refund", "3.00"), ("refund", "5.00"), ("refund", "2.00")]
    assert [lot.id for lot in shop.account().lots] == [first, second, third]


def test_a12_the_same_hold_again_is_a_replay(shop, exact) -> None:
    lot = shop.issue("5.00").lot_id
    first = exact.hold((lot, 200), key="h")
    again = exact.hold((lot, 200), key="h")
    assert (again.replayed, again.hold_id) == (True, first.hold_id)
    assert shop.available() == "USD 3.00"


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ((), "draws of more than nothing"),
        ((("a", 0),), "draws of more than nothing"),
        ((("a", -1),), "draws of more than nothing"),
        ((("a", 1), ("b", 1), ("a", 1)), "draws that name each lot once"),
        (((None, 1), (None, 2)), "draws that name each lot once"),
    ],
)
def test_draws_are_of_more_than_nothing_and_name_a_lot_once(pairs, expected) -> None:
    for make in (
        lambda: HoldExactly(draws=draws(*pairs), lines=[]),
        lambda: ResizeExactly(hold="h", draws=draws(*pairs), lines=[]),
        lambda: CaptureExactly(hold="h", draws=draws(*pairs)),
        lambda: Restore(redemption="e", draws=draws(*pairs)),
    ):
        with pytest.raises(InvalidTerms) as caught:
            make()
        assert (caught.value.field, caught.value.expected) == ("draws", expected)


def test_other_arguments_are_checked_as_those_of_any_hold(shop, exact) -> None:
    lot = shop.issue("5.00").lot_id
    with pytest.raises(InvalidTerms):
        HoldExactly(draws=draws((lot, 1)), lines=["1"])  # type: ignore[list-item]  # the mistake
    with pytest.raises(InvalidText):
        HoldExactly(draws=draws((lot, 1)), lines=[], spender="")
    with pytest.raises(ArgumentRefused):
        HoldExactly(draws=draws((lot, 1)), lines=[], lapses="soon")  # type: ignore[arg-type]  # the mistake
    with shop.refuses(InvalidTerms) as refused:
        exact.hold((lot, 1), lapses=shop.clock.now)
    assert refused.error.field == "lapses"
    with shop.refuses(HoldTooLong):
        exact.hold((lot, 1), lapses=Period(years=3))


def test_a_lot_that_the_account_does_not_have_is_unknown(shop, exact) -> None:
    mine, other = shop.issue("5.00").lot_id, shop.issue("5.00", holder="c-18").lot_id
    with shop.refuses(UnknownLot):
        exact.hold((mine, 100), (other, 100))
    with shop.refuses(UnknownLot):
        exact.hold((f"{mine[:-1]}x", 100))


def test_a5_a_lot_that_is_not_live_gives_nothing(shop, exact) -> None:
    late = shop.issue("5.00", effective=DAY).lot_id
    soon = shop.issue("5.00", funding="goodwill", expires=DAY).lot_id
    with shop.refuses(LotCannotGive) as refused:
        exact.hold((late, 100))
    assert (refused.error.because, refused.error.reachable) == ("pending", usd("0.00"))
    exact.hold((soon, 100))
    shop.clock.forward(days=1)
    with shop.refuses(LotCannotGive) as refused:
        exact.hold((soon, 100))
    error = refused.error
    assert (error.lot_id, error.because) == (soon, "expired")
    assert (error.wanted, error.reachable) == (usd("1.00"), usd("0.00"))
    exact.hold((late, 100))


def test_what_others_hold_or_have_spent_is_not_there(shop, exact) -> None:
    lot = shop.issue("5.00").lot_id
    shop.redeem("1.00")
    with shop.refuses(LotCannotGive) as refused:
        exact.hold((lot, 401))
    assert (refused.error.because, refused.error.reachable) == ("empty", usd("4.00"))
    shop.hold("3.00")
    with shop.refuses(LotCannotGive) as refused:
        exact.hold((lot, 101))
    assert (refused.error.because, refused.error.reachable) == ("held", usd("1.00"))
    exact.hold((lot, 100))
    assert shop.available() == "USD 0.00"


def test_a4_a_limited_lot_pays_only_its_lines_and_categories(shop, exact) -> None:
    limits = Limits(categories=["books"], lines=["1", "2"])
    lot = shop.issue("10.00", limits=limits).lot_id
    free = shop.issue("10.00").lot_id
    order = [
        line("4.00", of="1", category="books"),
        line("4.00", of="2", category="toys"),
        line("4.00", of="3", category="books"),
    ]
    with shop.refuses(LotCannotGive) as refused:
        exact.hold((lot, 401), (free, 799), lines=order)
    assert (refused.error.because, refused.error.reachable) == ("no_eligible_line", usd("4.00"))
    receipt = exact.hold((lot, 400), (free, 800), lines=order)
    assert receipt.amount == usd("12.00")


def test_a4_limited_lots_make_room_for_each_other(shop, exact) -> None:
    books = shop.issue("4.00", limits=Limits(categories=["books"])).lot_id
    both = shop.issue("8.00", limits=Limits(lines=["1", "2"])).lot_id
    order = [line("4.00", of="1", category="books"), line("4.00", of="2", category="toys")]
    # The lot for both lines comes first, and leaves the book to the other.
    assert exact.hold((both, 400), (books, 400), lines=order).amount == usd("8.00")
    order = [line("1.00", of="1", category="toys"), line("3.00", of="3", category="toys")]
    with shop.refuses(LotCannotGive) as refused:
        exact.hold((both, 400), lines=order)
    assert (refused.error.because, refused.error.reachable) == ("no_eligible_line", usd("1.00"))


def test_a4_what_a_hold_keeps_of_a_limited_lot_has_to_fit_the_new_lines(shop, exact) -> None:
    books = shop.issue("4.00", limits=Limits(categories=["books"])).lot_id
    free = shop.issue("9.00").lot_id
    hold = exact.hold((books, 400), lines=[line("4.00", category="books")]).hold_id
    smaller = [line("2.00", category="books"), line("6.00", of="2", category="toys")]
    with shop.refuses(LotCannotGive) as refused:
        exact.resize(hold, (books, 400), (free, 400), lines=smaller)
    assert (refused.error.lot_id, refused.error.reachable) == (books, usd("2.00"))
    exact.resize(hold, (books, 200), (free, 600), lines=smaller)
    assert exact.held() == {hold: ((books, 200), (free, 600))}


def test_a16_a_lot_limited_to_a_channel_pays_only_there(make_shop) -> None:
    shop = make_shop(channels=("web", "till"))
    exact = Exact(shop)
    lot = shop.issue("5.00", limits=Limits(channels=["web"]), channel="web").lot_id
    with shop.refuses(ChannelRequired):
        exact.hold((lot, 100))
    with shop.refuses(ChannelNotDeclared):
        exact.hold((lot, 100), channel="app")
    with shop.refuses(LotCannotGive) as refused:
        exact.hold((lot, 100), channel="till")
    assert (refused.error.because, refused.error.reachable) == ("no_eligible_line", usd("0.00"))
    hold = exact.hold((lot, 100), channel="web").hold_id
    with shop.refuses(LotCannotGive):
        exact.resize(hold, (lot, 200), channel="till")
    with shop.refuses(ChannelRequired):
        exact.resize(hold, (lot, 100))
    assert exact.resize(hold, (lot, 200), channel="web").amount == usd("1.00")


def test_the_lines_sum_to_what_is_drawn_in_the_accounts_unit(shop, exact) -> None:
    lot = shop.issue("5.00").lot_id
    with shop.refuses(InvalidTerms) as refused:
        exact.hold((lot, 300), lines=[line("1.00"), line("2.01", of="2")])
    assert str(refused.error) == (
        "lines is 'USD 3.01'; it has to be USD 3.00, what is drawn for them."
    )
    with shop.refuses(InvalidTerms):
        exact.hold((lot, 300), lines=[])
    with shop.refuses(UnitMismatch):
        exact.hold((lot, 300), lines=[Line(id="1", amount=Money.of("3.00", "EUR"))])
    with shop.refuses(UnitMismatch):
        exact.hold((lot, 300), lines=[line("3.00"), Line(id="2", amount=Money.of("0.00", "EUR"))])


def test_a9_what_is_owed_may_reach_the_limit_and_not_exceed_it(shop, exact, moves) -> None:
    lot = shop.issue("5.00").lot_id
    with shop.refuses(InsufficientCredit):
        exact.hold((lot, 500), (None, 1))
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="limit")
    with shop.refuses(InsufficientCredit) as refused:
        exact.hold((lot, 500), (None, 1001))
    assert (refused.error.wanted, refused.error.reachable) == (usd("15.01"), usd("15.00"))
    receipt = exact.hold((lot, 200), (None, 700))
    assert moves(receipt) == [("held", 200), ("owed_held", 700)]
    # What is reserved counts as used.
    with shop.refuses(InsufficientCredit):
        exact.hold((None, 301))
    shop.credit.capture(receipt.hold_id, key="c")
    assert (shop.account().owed, shop.available()) == (usd("7.00"), "USD 3.00")
    with shop.refuses(InsufficientCredit):
        exact.hold((None, 301))
    assert moves(exact.hold((None, 300))) == [("owed_held", 300)]


@pytest.fixture
def indebted(make_shop) -> Exact:
    """USD 50.00 in a lot that was held while USD 70.00 came to be owed; USD 60.00 may be."""
    shop = make_shop()
    shop.credit.set_limit("c-17", "USD", usd("100.00"), key="limit")
    lot = shop.issue("50.00").lot_id
    exact = Exact(shop)
    big = exact.hold((lot, 5000), key="big")
    shop.redeem("70.00")
    shop.credit.release(big.hold_id, key="free")
    shop.credit.set_limit("c-17", "USD", usd("60.00"), key="lower")
    return exact


def test_a9_a_debt_above_the_limit_keeps_as_much_of_the_lots_back(indebted) -> None:
    shop = indebted.shop
    account = shop.account()
    (lot,) = (each.id for each in account.lots)
    assert (account.available, account.owed, account.spendable) == (
        usd("50.00"),
        usd("70.00"),
        usd("40.00"),
    )
    with shop.refuses(InsufficientCredit) as refused:
        indebted.hold((lot, 4001))
    assert (refused.error.wanted, refused.error.reachable) == (usd("40.01"), usd("40.00"))
    with shop.refuses(InsufficientCredit) as refused:
        indebted.hold((lot, 4000), (None, 1))
    assert refused.error.reachable == usd("40.00")
    held = indebted.hold((lot, 4000)).hold_id
    with shop.refuses(InsufficientCredit) as refused:
        indebted.hold((lot, 1))
    assert refused.error.reachable == usd("0.00")
    with shop.refuses(InsufficientCredit):
        indebted.resize(held, (lot, 4001))


def test_a9_only_listed_people_spend(shop, exact) -> None:
    lot = shop.issue("5.00").lot_id
    shop.credit.set_spenders("c-17", "USD", ["bea"], key="who")
    with shop.refuses(SpenderNotListed):
        exact.hold((lot, 100))
    with shop.refuses(SpenderNotListed):
        exact.hold((lot, 100), spender="bob")
    hold = exact.hold((lot, 200), spender="bea").hold_id
    with shop.refuses(SpenderNotListed):
        exact.resize(hold, (lot, 201), spender="bob")
    # To give back, nobody has to be listed.
    exact.resize(hold, (lot, 100))
    assert shop.available() == "USD 4.00"


def test_a11_a_frozen_account_gives_nothing_new_and_a_closed_one_nothing(
    shop, exact, moves
) -> None:
    lot = shop.issue("5.00").lot_id
    hold = exact.hold((lot, 200)).hold_id
    shop.correct("freeze", "c-17", "USD")
    with shop.refuses(AccountFrozen):
        exact.hold((lot, 100))
    with shop.refuses(AccountFrozen):
        exact.resize(hold, (lot, 201))
    assert moves(exact.resize(hold, (lot, 150))) == [("released", 50)]
    assert moves(exact.capture(hold, (lot, 100))) == [("captured", 100)]
    taken = exact.capture(hold, (lot, 50)).entry_id
    with shop.refuses(AccountFrozen):
        exact.restore(taken, (lot, 10))
    shop.correct("reopen", "c-17", "USD")
    shop.redeem("3.50")
    shop.correct("close", "c-17", "USD")
    with shop.refuses(AccountClosed):
        exact.hold((lot, 100))


# --- Resizing -----------------------------------------------------------------------------


@pytest.fixture
def three(shop: Any) -> list[str]:
    """Three lots of USD 5.00; the first expires in two days."""
    return [
        shop.issue("5.00", funding="goodwill", expires=Period(days=2)).lot_id,
        shop.issue("5.00").lot_id,
        shop.issue("5.00").lot_id,
    ]


def test_a6_resizing_draws_what_is_missing_and_gives_back_what_is_too_much(
    shop, exact, three, moves
) -> None:
    a, b, c = three
    hold = exact.hold((a, 300), (b, 300)).hold_id
    both = exact.resize(hold, (a, 100), (b, 400), (c, 250))
    assert moves(both) == [("held", 100), ("held", 250), ("released", 200)]
    assert [move.lot for move in both.moves] == [b, c, a]
    assert exact.held()[hold] == ((a, 100), (b, 300), (b, 100), (c, 250))
    # What is too much goes back last drawn, first given.
    back = exact.resize(hold, (b, 100))
    assert [(move.lot, move.amount) for move in back.moves] == [(c, 250), (b, 300), (a, 100)]
    # Another lot altogether: the hold is never empty in between.
    other = exact.resize(hold, (c, 500))
    assert moves(other) == [("held", 500), ("released", 100)]
    assert exact.held() == {hold: ((c, 500),)}


def test_a6_what_is_held_of_an_expired_lot_stays_held_and_more_of_it_is_refused(
    shop, exact, three, moves
) -> None:
    a, b, _ = three
    hold = exact.hold((a, 300), (b, 100), lapses=Period(days=5)).hold_id
    shop.clock.forward(days=3)
    with shop.refuses(LotCannotGive) as refused:
        exact.resize(hold, (a, 301), (b, 100))
    assert refused.error.because == "expired"
    grown = exact.resize(hold, (a, 300), (b, 200))
    assert moves(grown) == [("held", 100)]
    shrunk = exact.resize(hold, (a, 200), (b, 200))
    assert moves(shrunk) == [("released", 100), ("expired", 100)]
    assert moves(exact.capture(hold, (a, 200))) == [("captured", 200)]


def test_a6_a_resize_that_changes_nothing_appends_nothing(shop, exact, three) -> None:
    a, b, _ = three
    hold = exact.hold((a, 300), (b, 100)).hold_id
    before = shop.dump()
    same = exact.resize(hold, (b, 100), (a, 300), key="same")
    assert (same.changed, same.moves) == (False, ())
    assert shop.dump() == before
    # No key is consumed: another request may have it.
    assert exact.resize(hold, (b, 200), (a, 300), key="same").amount == usd("1.00")


def test_a6_a_resize_may_change_when_the_hold_lapses(shop, exact, three) -> None:
    a, _, _ = three
    hold = exact.hold((a, 300), lapses=Period(hours=2)).hold_id
    shop.clock.forward(hours=1)
    exact.resize(hold, (a, 300), lapses=Period(hours=2))
    shop.clock.forward(hours=1, minutes=59)
    version = shop.account().version
    exact.resize(hold, (a, 300), lapses=Period(minutes=1))
    assert shop.account().version == version
    with shop.refuses(HoldTooLong):
        exact.resize(hold, (a, 300), lapses=Period(years=3))
    with shop.refuses(InvalidTerms):
        exact.resize(hold, (a, 300), lapses=shop.clock.now)
    shop.clock.forward(minutes=1)
    with shop.refuses(HoldAlreadyLapsed):
        exact.resize(hold, (a, 300))


def test_a9_what_a_resize_gives_back_of_the_limit_may_be_drawn_again(shop, exact, moves) -> None:
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="limit")
    lot = shop.issue("5.00").lot_id
    hold = exact.hold((lot, 300), (None, 1000)).hold_id
    assert moves(exact.resize(hold, (lot, 500), (None, 800))) == [
        ("held", 200),
        ("owed_released", 200),
    ]
    with shop.refuses(InsufficientCredit):
        exact.resize(hold, (lot, 500), (None, 1001))
    assert moves(exact.resize(hold, (None, 1000))) == [("owed_held", 200), ("released", 500)]


def test_a9_what_a_resize_gives_back_of_the_limit_frees_what_was_kept_back(shop, exact) -> None:
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="limit")
    lot = shop.issue("20.00").lot_id
    hold = exact.hold((lot, 300), (None, 1000)).hold_id
    shop.credit.set_limit("c-17", "USD", usd("5.00"), key="lower")
    # USD 5.00 too much are reserved of the limit: they keep as much of the USD 17.00 back.
    with shop.refuses(InsufficientCredit) as refused:
        exact.resize(hold, (lot, 1501), (None, 1000))
    assert (refused.error.wanted, refused.error.reachable) == (usd("12.01"), usd("12.00"))
    exact.resize(hold, (lot, 2000), (None, 500))
    assert exact.held()[hold] == ((lot, 300), (None, 500), (lot, 1700))


def test_a9_what_goes_back_to_an_expired_lot_covers_no_debt(make_shop) -> None:
    shop = make_shop()
    exact = Exact(shop)
    shop.credit.set_limit("c-17", "USD", usd("100.00"), key="limit")
    soon = shop.issue("10.00", funding="goodwill", expires=DAY).lot_id
    keeps = shop.issue("10.00").lot_id
    hold = exact.hold((soon, 1000), (keeps, 500), lapses=Period(days=9)).hold_id
    other = shop.hold("5.00", lapses=Period(days=9)).hold_id
    shop.redeem("20.00")
    shop.credit.set_limit("c-17", "USD", usd("18.00"), key="lower")
    shop.credit.release(other, key="free")
    shop.clock.forward(days=2)
    # USD 2.00 are owed above the limit: they keep back as much of the USD 5.00 that are free. The
    # USD 10.00 that the hold gives back have expired, and stand for nothing.
    assert shop.account().spendable == usd("3.00")
    with shop.refuses(InsufficientCredit) as refused:
        exact.resize(hold, (keeps, 801))
    assert (refused.error.wanted, refused.error.reachable) == (usd("3.01"), usd("3.00"))
    exact.resize(hold, (keeps, 800))
    assert shop.account().spendable == usd("0.00")


def test_a_hold_that_is_over_or_unknown_is_not_resized(shop, exact, three) -> None:
    a, _, _ = three
    released, captured, lapsed = (exact.hold((a, 100)).hold_id for _ in range(3))
    shop.credit.release(released, key="r")
    shop.credit.capture(captured, key="c")
    for error, hold in ((HoldAlreadyReleased, released), (HoldAlreadyCaptured, captured)):
        with shop.refuses(error):
            exact.resize(hold, (a, 100))
        with shop.refuses(error):
            exact.capture(hold, (a, 100))
    shop.clock.forward(days=2)
    for verb in (exact.resize, exact.capture):
        with shop.refuses(HoldAlreadyLapsed):
            verb(lapsed, (a, 100))
        with shop.refuses(UnknownHold):
            verb(f"{lapsed[:-1]}x", (a, 100))


# --- Capturing ----------------------------------------------------------------------------


def test_a6_more_than_a_lots_share_of_the_hold_is_not_captured(shop, exact, three, moves) -> None:
    a, b, c = three
    hold = exact.hold((a, 300), (b, 300)).hold_id
    with shop.refuses(CaptureExceedsHold) as refused:
        exact.capture(hold, (a, 100), (b, 301))
    assert (refused.error.wanted, refused.error.held) == (usd("3.01"), usd("3.00"))
    with shop.refuses(CaptureExceedsHold) as refused:
        exact.capture(hold, (c, 1))
    assert refused.error.held == usd("0.00")
    first = exact.capture(hold, (b, 200), (a, 100))
    assert moves(first) == [("captured", 200), ("captured", 100)]
    assert exact.held() == {hold: ((a, 200), (b, 100))}
    shop.clock.forward(hours=23)
    assert moves(exact.capture(hold, (a, 200), (b, 100))) == [("captured", 200), ("captured", 100)]
    with shop.refuses(HoldAlreadyCaptured):
        exact.capture(hold, (a, 1))


def test_a6_a_capture_takes_an_expired_lots_part_too(shop, exact, three, moves) -> None:
    a, b, _ = three
    hold = exact.hold((a, 300), (b, 300), lapses=Period(days=9)).hold_id
    shop.clock.forward(days=3)
    assert moves(exact.capture(hold, (a, 300))) == [("captured", 300)]
    assert shop.totals()["redeemed"] == 300


def test_a9_what_was_drawn_on_the_limit_is_captured_as_owed(shop, exact, moves) -> None:
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="limit")
    lot = shop.issue("5.00").lot_id
    hold = exact.hold((lot, 300), (None, 600)).hold_id
    assert moves(exact.capture(hold, (None, 400))) == [("owed_captured", 400)]
    assert shop.account().owed == usd("4.00")
    with shop.refuses(CaptureExceedsHold):
        exact.capture(hold, (None, 201))


# --- Restoring ----------------------------------------------------------------------------


@pytest.fixture
def spent(shop: Any, exact: Exact, three: list[str]) -> str:
    """The entry that took USD 3.00 of each of the three lots."""
    hold = exact.hold(*((lot, 300) for lot in three)).hold_id
    return exact.capture(hold, *((lot, 300) for lot in three)).entry_id


def test_a7_a_restore_gives_back_to_the_lots_that_it_names(
    shop, exact, three, spent, moves
) -> None:
    a, b, c = three
    receipt = exact.restore(spent, (b, 200), (a, 100))
    assert [(move.what.value, move.lot, move.amount) for move in receipt.moves] == [
        ("restored", b, 200),
        ("restored", a, 100),
    ]
    with shop.refuses(RestoreExceedsRedemption) as refused:
        exact.restore(spent, (c, 100), (b, 101))
    error = refused.error
    assert (error.wanted, error.taken, error.restored) == (usd("1.01"), usd("3.00"), usd("2.00"))
    # The rest goes back last drawn, first restored, whichever way it was named before.
    rest = shop.credit.restore(spent, key="rest")
    assert [(move.lot, move.amount) for move in rest.moves] == [(c, 300), (b, 100), (a, 200)]
    with shop.refuses(RestoreExceedsRedemption):
        exact.restore(spent, (a, 1))


def test_a7_a_lot_that_gave_nothing_gets_nothing_back(shop, exact, three, spent) -> None:
    other = shop.issue("5.00").lot_id
    with shop.refuses(RestoreExceedsRedemption) as refused:
        exact.restore(spent, (other, 1))
    assert (refused.error.taken, refused.error.restored) == (usd("0.00"), usd("0.00"))
    with shop.refuses(RestoreExceedsRedemption):
        exact.restore(spent, (None, 1))


def test_a7_a_restore_names_an_amount_or_lots_and_not_both(shop, exact, three, spent) -> None:
    with shop.refuses(InvalidTerms) as refused:
        exact.restore(spent, (three[0], 100), amount=usd("1.00"))
    assert refused.error.field == "amount"
    issued = shop.issue("1.00").entry_id
    with shop.refuses(NotARedemption):
        exact.restore(issued, (three[0], 100))


def test_a7_an_expired_lots_part_may_expire_at_once(shop, exact, three, spent, moves) -> None:
    a, b, _ = three
    shop.clock.forward(days=3)
    receipt = exact.restore(spent, (a, 300), (b, 100), expired="expire")
    assert moves(receipt) == [("restored", 300), ("expired", 300), ("restored", 100)]
    assert [move.lot for move in receipt.moves] == [a, a, b]
    assert shop.available() == "USD 5.00"


@pytest.mark.parametrize(("rule", "days"), [("grace", 30), ("reissue", 2)])
def test_a7_an_expired_lots_part_may_live_again(exact, three, spent, rule, days) -> None:
    shop, (a, b, _) = exact.shop, three
    shop.clock.forward(days=3)
    receipt = exact.restore(spent, (a, 300), (b, 100), expired=rule)
    new, back = receipt.moves
    assert (new.what.value, new.amount, back.lot, back.amount) == ("restored", 300, b, 100)
    (made,) = (lot for lot in shop.account().lots if lot.id == new.lot)
    assert (made.origin, made.remaining) == (a, usd("3.00"))
    assert made.terms.funding is Funding.GOODWILL
    assert made.terms.expires_at == Period(days=days).after(shop.clock.now)
    assert shop.available() == "USD 8.00"


def test_a9_what_was_spent_on_the_limit_is_taken_off_what_is_owed(shop, exact, moves) -> None:
    shop.credit.set_limit("c-17", "USD", usd("10.00"), key="limit")
    lot = shop.issue("5.00").lot_id
    hold = exact.hold((lot, 300), (None, 600)).hold_id
    entry = exact.capture(hold, (lot, 300), (None, 600)).entry_id
    assert moves(exact.restore(entry, (None, 100))) == [("owed_reversed", 100)]
    assert shop.account().owed == usd("5.00")
    with shop.refuses(RestoreExceedsRedemption):
        exact.restore(entry, (None, 501))
    # What was settled from outside meanwhile comes back as refund value.
    shop.credit.settle("c-17", usd("4.50"), key="paid")
    back = exact.restore(entry, (None, 500))
    assert moves(back) == [("owed_reversed", 50), ("restored", 450)]
    assert shop.account().owed == usd("0.00")
    assert ("refund", "4.50") in shop.lots()


# --- The commands as data -----------------------------------------------------------------


def test_a_restore_without_its_entry_says_who_has_to_load_it(shop, three) -> None:
    with shop.storage.snapshot() as reader:
        account = reader.account("acme", "c-17", "USD")
    with pytest.raises(InvalidTerms, match="loaded by whoever decides"):
        decide(
            account,
            Restore(redemption="e", draws=draws((three[0], 1))),
            merchant=shop.credit.merchant,
            key="k",
            at=shop.clock.now,
            context=Context(),
            salt=lambda: b"",
        )


def test_exact_commands_name_the_rows_that_they_need() -> None:
    both = draws(("a", 1), (None, 2), ("b", 3))
    assert HoldExactly(draws=both, lines=[]).names.lots == ("a", "b")
    resize = ResizeExactly(hold="h", draws=both, lines=[])
    assert (resize.names.lots, resize.names.holds) == (("a", "b"), ("h",))
    assert CaptureExactly(hold="h", draws=both).names.holds == ("h",)
    assert Restore(redemption="e", draws=both).names.redemptions == ("e",)
