"""
The plain book beside refund cases and claim codes: purses with pieces of value, orders, cases.

It knows whole numbers and words, and nothing of accounts, records, policies or digests. The one
thing that is written twice is what the shop gives for which reason: as a policy, and as numbers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final, Protocol

import attrs
from hypothesis import strategies as st

from storecredit.claims import ClaimKeys, ClaimRules, Throttle
from storecredit.errors import CaseStepRepeated, ClaimFailed, KeyReused, PaymentStepRepeated
from storecredit.policies import (
    Bonus,
    CreditTerms,
    Fee,
    GoodsBack,
    Policy,
    RefundPolicy,
    RefundRule,
    When,
)
from storecredit.testing.tender_strategies import pts, usd
from storecredit.values import Money, Period

CODES: Final = ClaimRules(
    keys=ClaimKeys(current="b", keys={"a": bytes(range(32)), "b": bytes(range(1, 33))}),
    per_caller=Throttle(free=10**6),
    per_merchant=Throttle(free=10**6),
)
HOLDERS: Final = ("anna", "ben", "carl")
UNITS: Final = ("USD", "PTS")
FUNDINGS: Final = ("refund", "goodwill", "promotional")
GRACE: Final = dt.timedelta(days=30)
ARRIVE: Final = dt.timedelta(days=30)
HOLD: Final = dt.timedelta(hours=24)
NEVER: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
SECOND: Final = dt.timedelta(seconds=1)
RECORDS: Final = ("claim", "refund-case", "refund-order", "refund-tally", "payment")
CONFLICTS: Final = (KeyReused, CaseStepRepeated, PaymentStepRepeated, ClaimFailed)
"""What another request under a known key is answered with."""


def money(unit: str, minor: int) -> Money:
    return usd(minor) if unit == "USD" else pts(minor)


# --- What decides, once for the library and once for the book ---------------------------------


@attrs.frozen(kw_only=True)
class Terms:
    """What the shop gives for a reason, in plain numbers: percent and days."""

    bonus: int = 0
    fee: int = 0
    lives: int | None = None
    bonus_lives: int | None = None
    keeps: bool = False
    at_once: bool = False
    approval: bool = False


REASONS: Final = {
    "plain": Terms(bonus=10, bonus_lives=2),
    "useless": Terms(bonus=25, keeps=True, lives=3),
    "regular": Terms(bonus=20, lives=60, bonus_lives=3, at_once=True),
    "opened": Terms(fee=15, bonus=33),
    "dear": Terms(bonus=50, bonus_lives=4, approval=True),
}


def _period(days: int | None) -> Period | None:
    return None if days is None else Period(days=days)


POLICY: Final = Policy(
    name="returns",
    version="1",
    refund=RefundPolicy(
        rules=tuple(
            RefundRule(
                id=reason,
                when=When(reasons=(reason,)),
                offer=("credit", "money"),
                bonus=Bonus(percent=terms.bonus),
                fee=Fee(percent=terms.fee),
                credit=CreditTerms(
                    expires=_period(terms.lives), bonus_expires=_period(terms.bonus_lives)
                ),
                goods=GoodsBack.KEEP if terms.keeps else GoodsBack.RETURN,
                instant=terms.at_once,
                approval=terms.approval,
            )
            for reason, terms in REASONS.items()
        )
    ),
)


# --- The book -----------------------------------------------------------------------------------


@attrs.define(eq=False)
class Piece:
    """A piece of value in a purse."""

    unit: str
    funding: str
    rest: int
    ends: dt.datetime | None
    since: dt.datetime
    born: int
    issued: int = 0
    held: int = 0
    taken_back: int = 0
    short: int = 0
    is_dead: bool = False
    """Nothing comes back into it: it was revoked, or its purse went to somebody else."""
    purse: Purse | None = None
    origin: Piece | None = None
    """What it was before it was given back, transferred, claimed or taken over."""
    was_sent: bool = False
    """Whether it came from somebody else, by a transfer."""
    lot: str = ""
    """What the library calls it."""

    def is_over(self, now: dt.datetime) -> bool:
        return self.ends is not None and now >= self.ends

    def free(self, now: dt.datetime) -> int:
        return 0 if self.is_over(now) else self.rest - self.held

    @property
    def place(self) -> tuple[Any, ...]:
        """Sooner to end, then promotional, then older: goes first (A3)."""
        return (*self.kind, self.born, self.lot)

    @property
    def kind(self) -> tuple[Any, ...]:
        return (self.ends or NEVER, self.funding != "promotional", self.since)


Parts = list[tuple[Piece, int]]


@attrs.define(eq=False)
class Purse:
    """What one holder has, or the bearer of a code."""

    name: str
    pieces: list[Piece] = attrs.field(factory=list)
    follows: Purse | None = None
    """The purse of whoever claimed it, or took it over."""

    @property
    def last(self) -> Purse:
        return self if self.follows is None else self.follows.last

    def free(self, now: dt.datetime, unit: str) -> int:
        return sum(piece.free(now) for piece in self.pieces if piece.unit == unit)

    @property
    def is_held(self) -> bool:
        return any(piece.held for piece in self.pieces)

    def choose(self, unit: str, amount: int, now: dt.datetime) -> Parts:
        found = []
        for piece in sorted(self.pieces, key=lambda piece: piece.place):
            part = min(amount, piece.free(now)) if piece.unit == unit else 0
            if part:
                found.append((piece, part))
                amount -= part
        return found


@attrs.define(eq=False)
class Spent:
    """What one entry took, and what came back of each part of it."""

    purse: Purse
    unit: str
    entry: str
    parts: Parts
    backs: list[int] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.backs = [0] * len(self.parts)

    @property
    def total(self) -> int:
        return sum(part for _, part in self.parts)

    @property
    def left(self) -> int:
        return self.total - sum(self.backs)


@attrs.define(eq=False)
class Held:
    """What one hold reserves."""

    purse: Purse
    unit: str
    id: str
    parts: Parts
    until: dt.datetime


@attrs.define(eq=False)
class Code:
    """One code, in whatever state; nobody has seen the text of some."""

    text: str | None
    id: str
    purse: Purse
    meant: str | None = None
    state: str = "open"


@attrs.define(eq=False)
class Line:
    """A line of an order: its pieces, and what was paid for all of them."""

    pieces: int
    external: int
    paid: dict[str, int]
    gone: dict[str, int] = attrs.field(factory=lambda: {"pieces": 0, "external": 0, "paid": 0})
    """What completed cases have given back of it, fees included."""


@attrs.define(eq=False)
class Bought:
    """An order."""

    id: str
    purse: Purse
    lines: dict[str, Line]
    spent: dict[str, Spent]
    by_checkout: bool = False


@attrs.define(eq=False)
class Share:
    """What is asked back of one line, and what it comes to."""

    pieces: int
    external: int
    paid: dict[str, int]
    credit: int = 0
    bonus: int = 0
    tenders: int = 0
    restored: dict[str, int] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Case:
    """A refund, as its shop would write it on a card."""

    id: str
    order: Bought
    holder: str | None
    way: str
    reason: str
    shares: dict[str, Share]
    state: str = "requested"
    accepted: dict[str, int] | None = None
    arrive_by: dt.datetime | None = None
    is_approved: bool = False
    given: list[tuple[str, Piece]] = attrs.field(factory=list)
    """Refunded part or bonus, and the piece."""
    completions: int = 0
    instructed: dict[str, tuple[int, str]] = attrs.field(factory=dict)
    """Money to give back: the amount, and what is known of it."""

    @property
    def terms(self) -> Terms:
        return REASONS[self.reason]

    @property
    def gives_at_once(self) -> bool:
        return self.terms.at_once and self.way == "credit" and self.holder is not None

    @property
    def is_taking(self) -> bool:
        return self.state not in ("denied", "cancelled")

    def pieces_of(self, line: str) -> int:
        """How many pieces of a line the case has for itself."""
        share = self.shares.get(line)
        if share is None or not self.is_taking:
            return 0
        if self.state == "completed" and self.accepted is not None:
            return self.accepted[line]
        return share.pieces

    def allowed(self) -> set[str]:
        """What may be done next (P5)."""
        ending = {"approve", "deny", "cancel"}
        sending = {"await_return", "ship", "receive"}
        return {
            "requested": ending,
            "reopened": ending,
            "approved": ending | ({"complete"} if self.terms.keeps else sending),
            "awaiting_return": ending | {"ship", "receive", "goods_missing"},
            "in_transit": ending | {"receive", "goods_missing"},
            "received": ending | {"inspect"},
            "inspected": ending | {"inspect", "complete"},
            "denied": {"reopen"},
            "cancelled": {"reopen"},
            "completed": set[str](),
        }[self.state]


LEADS: Final = {
    "await_return": "awaiting_return",
    "ship": "in_transit",
    "receive": "received",
    "inspect": "inspected",
    "complete": "completed",
    "deny": "denied",
    "cancel": "cancelled",
    "goods_missing": "denied",
    "reopen": "reopened",
}


AHEAD: Final = {
    "requested": "approve",
    "reopened": "approve",
    "approved": "receive",
    "awaiting_return": "receive",
    "in_transit": "receive",
    "received": "inspect",
    "inspected": "complete",
}
"""The shortest way to the end."""


def halves_up(amount: int, parts: int, of: int) -> int:
    """The share of so many parts of a whole, the half rounded up."""
    return (2 * amount * parts + of) // (2 * of)


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide so that nothing is lost: whoever lost most by rounding down gets one more (V5)."""
    whole = sum(weights)
    found = [amount * weight // whole for weight in weights]
    lost = sorted(range(len(weights)), key=lambda at: (-(amount * weights[at] % whole), at))
    for at in lost[: amount - sum(found)]:
        found[at] += 1
    return found


def reckon(shares: Mapping[str, Share], terms: Terms, way: str) -> None:
    """Write down what each line comes to: what is paid back, and a bonus on credit alone (P2)."""
    for share in shares.values():
        dollars = share.external + share.paid.get("USD", 0)
        fee = dollars * terms.fee // 100
        rest = share.external - min(fee, share.external)
        share.restored = dict(share.paid)
        if fee > share.external:
            share.restored["USD"] -= fee - share.external
        share.credit = rest if way == "credit" else 0
        share.tenders = rest if way == "money" else 0
    credited = sum(share.credit for share in shares.values())
    bonus = credited * terms.bonus // 100
    if bonus:
        weights = [share.credit for share in shares.values()]
        for share, part in zip(shares.values(), spread(bonus, weights), strict=True):
            share.bonus = part


def wanted(shares: Mapping[str, Share] | None) -> dict[str, int]:
    """What a holder has to have by a case: the refunded part, and the bonus."""
    each = () if shares is None else shares.values()
    return {
        "refund": sum(share.credit for share in each),
        "promotional": sum(share.bonus for share in each),
    }


# --- Who draws --------------------------------------------------------------------------------


class Draws(Protocol):
    """Chooses whatever a rule leaves open."""

    def number(self, least: int, most: int) -> int: ...

    def one_of(self, among: Sequence[Any]) -> Any: ...


class ByHypothesis:
    """Hypothesis chooses, so that it can make a story shorter."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def number(self, least: int, most: int) -> int:
        return int(self.data.draw(st.integers(least, most)))

    def one_of(self, among: Sequence[Any]) -> Any:
        return among[self.number(0, len(among) - 1)]


class ByNumber:
    """A number chooses: always the same story."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def number(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def one_of(self, among: Sequence[Any]) -> Any:
        return self.random.choice(among)
