"""The naive model of moving value between accounts: transfer, reversal, convert, merge (A17)."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from storecredit.errors import (
    AccountMerged,
    AmountOutOfRange,
    ConvertsToNothing,
    HoldsActive,
    InsufficientCredit,
    RoundingNecessary,
    UnitMismatch,
    UnknownLot,
)
from storecredit.testing.machine._giving import leaving
from storecredit.testing.machine.model import (
    MOST,
    Book,
    Expected,
    ModelLot,
    Refused,
    Transfer,
)
from storecredit.values import ExchangeRate, Money

ROUNDINGS: Final = ("down", "up", "half_even", "unnecessary")
"""The roundings that the model knows how to do in its own way."""


def copy_of(lot: ModelLot, book: Book, *, price: Fraction | None = None) -> ModelLot:
    """Carry the terms of *lot* over to a new lot in *book*, linked to it."""
    return ModelLot(
        born=0,
        issued_at=book.at,
        funding=lot.funding,
        effective_at=lot.effective_at,
        expires_at=lot.expires_at,
        priority=lot.priority,
        limits=lot.limits,
        price=lot.price if price is None else price,
        origin=lot.id,
    )


def send(near: Book, far: Book, amount: Money, lot: ModelLot | str | None) -> Expected:
    """Take live value out, limited value too, never what covers a debt."""
    near.require("open")
    minor = near.positive(amount)
    if isinstance(lot, str):
        raise Refused(UnknownLot)
    lots = [each for each in near.lots if lot in {None, each}]
    draws = leaving(near, minor, lots)
    for each, gift in draws:
        near.note("transferred_out", each, gift)
    parts = [(each, gift, copy_of(each, near)) for each, gift in draws]
    return Expected(book=near, amount=minor, sends=Transfer(near, far, parts))


def receive(far: Book, transfer: Transfer) -> Expected:
    """Create the lots; let them settle what is owed (A9)."""
    far.require("open")
    far.require_room(sum(gift for _, gift, _ in transfer.parts))
    arrive(far, [(made, gift) for _, gift, made in transfer.parts])
    return Expected(book=far, amount=sum(gift for _, gift, _ in transfer.parts))


def take_back(far: Book, transfer: Transfer) -> Expected:
    """Value that had been here before comes back, whatever the ceiling."""
    far.require("open")
    arrive(far, [(made, gift) for _, gift, made in transfer.parts])
    return Expected(book=far, amount=sum(gift for _, gift, _ in transfer.parts))


def arrive(far: Book, made: list[tuple[ModelLot, int]]) -> None:
    """Create all lots, then let each settle."""
    for lot, amount in made:
        far.new_lot("transferred_in", amount, lot)
    for lot, amount in made:
        far.arrived(lot, amount)


def send_back(near: Book, far: Book, transfer: Transfer, books: list[Book]) -> Expected:
    """Take the same value out of the lots that carry each part on, all of it or none."""
    near.require("open")
    parts = []
    for number, (_, amount, _) in enumerate(transfer.parts):
        rest = amount
        for lot in carriers(near, transfer, books)[number]:
            gift = min(near.unspent(lot), rest)
            if gift:
                parts.append((lot, gift, copy_of(lot, near)))
                rest -= gift
        if rest:
            raise Refused(InsufficientCredit)
    for lot, gift, _ in parts:
        near.note("transferred_out", lot, gift)
    moved = sum(gift for _, gift, _ in parts)
    return Expected(book=near, amount=moved, sends=Transfer(near, far, parts))


def carriers(near: Book, transfer: Transfer, books: list[Book]) -> list[list[ModelLot]]:
    """
    List the lots of *near* that carry each part of *transfer* on, the first issued first (A17).

    Such a lot was created by the transfer, or its origin was, or the origin of that, ..., and all
    of these lots are in accounts that are *near* by now.
    """
    his = {lot.id: lot for book in books if book.survivor is near for lot in book.lots}
    made = [lot.id for _, _, lot in transfer.parts]
    carrying: list[list[ModelLot]] = [[] for _ in made]
    for lot in sorted(near.lots, key=lambda each: (each.born, each.id)):
        line: ModelLot | None = lot
        while line is not None and line.id not in made:
            line = his.get(line.origin or "")
        if line is not None:
            carrying[made.index(line.id)].append(lot)
    return carrying


def give_for_conversion(near: Book, amount: Money, rate: ExchangeRate, rounding: str) -> Expected:
    """Take unlimited value out, if it becomes anything in the other unit."""
    near.require("open")
    minor = near.positive(amount)
    worth(amount, rate, rounding)
    draws = leaving(near, minor, [lot for lot in near.lots if not lot.limits])
    for each, gift in draws:
        near.note("transferred_out", each, gift)
    parts = [(each, gift, each) for each, gift in draws]
    return Expected(book=near, amount=minor, sends=Transfer(near, near, parts))


def take_converted(far: Book, transfer: Transfer, result: int) -> Expected:
    """Share the result among the parts by largest remainder, earlier parts first (V5)."""
    far.require("open")
    far.require_room(result)
    shares = largest_remainder(result, [gift for _, gift, _ in transfer.parts])
    made = []
    for (lot, gift, _), share in zip(transfer.parts, shares, strict=True):
        if share:
            price = None if lot.price is None else lot.price * gift / share
            made.append((copy_of(lot, far, price=price), share))
    arrive(far, made)
    return Expected(book=far, amount=result)


def worth(amount: Money, rate: ExchangeRate, rounding: str) -> int:
    """Compute what *amount* becomes, in minor units of the target (V3)."""
    if amount.unit != rate.source:
        raise Refused(UnitMismatch)
    exact = amount.minor * rate.rate * Fraction(10) ** (rate.target.digits - rate.source.digits)
    down = exact.numerator // exact.denominator
    if exact == down:
        result = down
    elif rounding == "unnecessary":
        raise Refused(RoundingNecessary)
    elif rounding == "half_even":
        result = round(exact)
    else:
        result = down + (rounding == "up")
    if not result:
        raise Refused(ConvertsToNothing)
    if result > MOST:
        raise Refused(AmountOutOfRange)
    return result


def largest_remainder(whole: int, weights: list[int]) -> list[int]:
    """Share *whole* by *weights*: everybody's floor, then one more to the largest fractions."""
    exact = [Fraction(whole * weight, sum(weights)) for weight in weights]
    shares = [share.numerator // share.denominator for share in exact]
    by_fraction = sorted(range(len(weights)), key=lambda n: (shares[n] - exact[n], n))
    for number in by_fraction[: whole - sum(shares)]:
        shares[number] += 1
    return shares


def give_up(near: Book, far: Book) -> tuple[Expected, int]:
    """Move everything out and close for good; return what was owed too."""
    if near.merged_into is not None:
        raise Refused(AccountMerged)
    near.require("open", "closed")
    if any(not held.ended for held in near.holds):
        raise Refused(HoldsActive)
    near.expire_due()
    parts = []
    for lot in sorted(near.lots, key=lambda each: (each.born, each.id)):
        if remaining := lot.remaining:
            near.note("transferred_out", lot, remaining)
            parts.append((lot, remaining, copy_of(lot, near)))
    owed = near.owed
    if owed:
        near.note("owed_reversed", None, owed)
    near.status, near.merged_into = "closed", far
    moved = sum(amount for _, amount, _ in parts)
    return Expected(book=near, amount=moved, sends=Transfer(near, far, parts)), owed


def take_over(far: Book, transfer: Transfer, owed: int) -> Expected:
    """Take over the debt, then the lots; live value settles it (A9)."""
    far.require("open")
    if owed:
        far.note("owed_incurred", None, owed)
    arrive(far, [(made, amount) for _, amount, made in transfer.parts])
    return Expected(book=far, amount=sum(amount for _, amount, _ in transfer.parts))
