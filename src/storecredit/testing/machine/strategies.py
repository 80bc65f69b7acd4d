"""
Strategies for every command: what a shop may ask next, given what it knows by now.

Most requests make sense; some are refused, each for its own reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from hypothesis import strategies as st

from storecredit.ledger import CLOCK_TOLERANCE
from storecredit.testing.machine import strategies_of_correcting as correcting
from storecredit.testing.machine import strategies_of_giving as giving
from storecredit.testing.machine import strategies_of_spending as spending
from storecredit.testing.machine._moving import ROUNDINGS
from storecredit.testing.machine.arguments import HOUR, TOO_FAR, about, amount
from storecredit.testing.machine.drawing import once_in, pick
from storecredit.testing.machine.filed import PRIVATE
from storecredit.testing.machine.known import (
    NAMES,
    Known,
    Promising,
    a_holder,
    a_key,
    a_lot_of,
    an_id,
    an_owner,
)
from storecredit.testing.machine.requests import Request
from storecredit.values import ExchangeRate

_RATES: Final = (Fraction(100), Fraction(100), Fraction(300), Fraction(1), Fraction(1, 3))
"""Points for a dollar; a point is worth a cent or so, or hardly anything."""
_FIELDS: Final = (
    PRIVATE,
    PRIVATE,
    PRIVATE[:1],
    PRIVATE[1:2],
    PRIVATE[2:],
    PRIVATE[1:],
    ("reason",),
)
_BATCHES: Final = (500, 500, 500, 1, 1, 1, 1, 0)

# Moving


@st.composite
def transfer(draw: st.DrawFn, known: Known) -> Request:
    """Transfer to another holder."""
    owner = an_owner(draw, known, known.rather.owners)
    arguments = {
        "sender": owner[0],
        "receiver": a_holder(draw, known),
        "amount": amount(draw, owner[1], most=known.most.get(owner)),
        "lot": a_lot_of(draw, known, owner),
    }
    told = {**about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "transfer", {**arguments, **told})


@st.composite
def reverse_transfer(draw: st.DrawFn, known: Known) -> Request:
    """Reverse a transfer."""
    here, rather = known.units[0], known.rather.reversible
    transfers = [(id_, here) for id_ in known.transfers]
    others = [(id_, here) for id_ in known.entries]
    id_, _ = an_id(draw, known, transfers, others, rather=rather)
    told = {**about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "reverse_transfer", {"transfer": id_, **told})


@st.composite
def convert(draw: st.DrawFn, known: Known) -> Request:
    """Convert into another unit."""
    owner = an_owner(draw, known, known.rather.owners)
    holder, source = owner
    target = pick(draw, [each for each in known.units if each != source])
    rates = _RATES if source == known.units[0] else [1 / rate for rate in _RATES]
    rate = ExchangeRate(source, target, pick(draw, rates), on=known.now.date())
    arguments = {
        "holder": holder,
        "amount": amount(draw, source, others=known.units, most=known.most.get(owner)),
        "rate": rate,
        "rounding": pick(draw, ROUNDINGS),
    }
    told = {**about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "convert", {**arguments, **told})


@st.composite
def merge(draw: st.DrawFn, known: Known) -> Request:
    """Merge two holders, mostly two who are two."""
    holder = pick(draw, known.rather.mergeable or NAMES)
    if once_in(draw, 6):
        holder = a_holder(draw, known)
    others = [name for name in known.holders if name != holder]
    into = a_holder(draw, known) if once_in(draw, 4) else pick(draw, others or NAMES)
    told = {**about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "merge", {"holder": holder, "into": into, **told})


# Keeping


def _sweep(verb: str) -> Callable[[Known], st.SearchStrategy[Request]]:
    """Make the strategy of a sweep: now, or at an instant near to now; rarely in empty batches."""

    @st.composite
    def sweep(draw: st.DrawFn, known: Known) -> Request:
        at = None
        if once_in(draw, 2):
            at = known.now + pick(draw, (0 * HOUR, -HOUR, CLOCK_TOLERANCE, TOO_FAR))
        return Request(known.merchant.id, verb, {"at": at, "batch": pick(draw, _BATCHES)})

    return sweep


@st.composite
def erase(draw: st.DrawFn, known: Known) -> Request:
    """Erase private fields, rarely one that is not private."""
    id_, _ = an_id(draw, known, known.all_entries, known.lots, rather=known.rather.private)
    fields = pick(draw, _FIELDS)
    return Request(known.merchant.id, "erase", {"entry": id_, "fields": fields})


@st.composite
def pseudonymise(draw: st.DrawFn, known: Known) -> Request:
    """Give a holder another name, mostly one that nobody has."""
    free = [name for name in NAMES if name not in known.holders] or NAMES
    names = {
        "holder": pick(draw, NAMES if once_in(draw, 6) else known.holders or NAMES),
        "pseudonym": pick(draw, NAMES if once_in(draw, 4) else free),
    }
    return Request(known.merchant.id, "pseudonymise", names)


def rebuild(known: Known) -> st.SearchStrategy[Request]:
    """Build all stored state anew."""
    return st.just(Request(known.merchant.id, "rebuild", {}))


COMMANDS: Final[Mapping[str, Callable[[Known], st.SearchStrategy[Request]]]] = MappingProxyType(
    {
        "issue": giving.issue,
        "issue_many": giving.issue_many,
        "issue_each": giving.issue_each,
        "import_balances": giving.import_balances,
        "restore": giving.restore,
        "reinstate": giving.reinstate,
        "redeem": spending.redeem,
        "hold": spending.hold,
        "resize": spending.resize,
        "capture": spending.capture,
        "capture_part": spending.capture_part,
        "release": spending.release,
        "release_order": spending.release_order,
        "revoke": correcting.revoke,
        "adjust": correcting.adjust,
        "extend_expiry": correcting.extend_expiry,
        "cash_out": correcting.cash_out,
        "refund_bought": correcting.refund_bought,
        "settle": correcting.settle,
        "set_limit": correcting.set_limit,
        "set_spenders": correcting.set_spenders,
        "freeze": correcting.freeze,
        "close": correcting.close,
        "reopen": correcting.reopen,
        "transfer": transfer,
        "reverse_transfer": reverse_transfer,
        "convert": convert,
        "merge": merge,
        "expire_due": _sweep("expire_due"),
        "release_lapsed": _sweep("release_lapsed"),
        "erase": erase,
        "pseudonymise": pseudonymise,
        "rebuild": rebuild,
    }
)
"""A strategy for each command of `StoreCredit`, by its verb."""

_CHANCES: Final[tuple[tuple[int, str, Callable[[Promising], object]], ...]] = (
    (4, "settle", lambda rather: rather.debtors),
    (4, "refund_bought", lambda rather: rather.bought_lots),
    (6, "reinstate", lambda rather: rather.gone_lots),
    (5, "reverse_transfer", lambda rather: rather.reversible),
    (3, "resize", lambda rather: rather.live_holds),
    (2, "capture", lambda rather: rather.live_holds),
    (2, "capture_part", lambda rather: rather.live_holds),
    (2, "release", lambda rather: rather.live_holds),
    (2, "release_order", lambda rather: rather.orders),
    (2, "extend_expiry", lambda rather: rather.ending_lots),
    (2, "restore", lambda rather: rather.restorable),
    (12, "release_lapsed", lambda rather: rather.lapsed),
    (6, "expire_due", lambda rather: rather.due),
    (4, "reopen", lambda rather: rather.shut),
    (1, "close", lambda rather: rather.emptied),
    (1, "merge", lambda rather: rather.mergeable),
    (1, "erase", lambda rather: rather.private),
)
"""For each command that is seldom possible: how often to ask for it, and what it waits for."""


def seldom_possible(known: Known) -> list[str]:
    """List the seldom possible commands whose chance has come, by verb, each so and so often."""
    return [verb for times, verb, chance in _CHANCES for _ in range(times) if chance(known.rather)]
