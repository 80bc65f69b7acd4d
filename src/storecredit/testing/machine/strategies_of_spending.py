"""Strategies for the commands that spend: redeem, hold, and what becomes of a hold."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from storecredit.testing.machine.arguments import (
    HOUR,
    ORDERS,
    PERIODS,
    about,
    amount,
    amount_or_all,
    order_lines,
    spender,
)
from storecredit.testing.machine.drawing import once_in, pick
from storecredit.testing.machine.known import (
    Known,
    Named,
    a_holder,
    a_key,
    a_lot_of,
    an_id,
    an_owner,
)
from storecredit.testing.machine.requests import Request
from storecredit.values import Period


def _spending(draw: st.DrawFn, known: Known) -> dict[str, Any]:
    owner = an_owner(draw, known, known.rather.owners)
    holder, unit = owner
    exceed, paid = once_in(draw, 8), amount(draw, unit)
    return {
        "holder": holder,
        "amount": paid,
        "taking": pick(draw, ("all_or_nothing", "up_to")),
        "lot": a_lot_of(draw, known, owner),
        "lines": order_lines(draw, paid) if once_in(draw, 2) else None,
        "exceed_limit": exceed,
        "spender": spender(draw, known.spenders.get(owner)),
        **about(draw, known, spends=True, answerable=exceed),
        "key": a_key(draw, known),
    }


@st.composite
def redeem(draw: st.DrawFn, known: Known) -> Request:
    """Redeem."""
    return Request(known.merchant.id, "redeem", _spending(draw, known))


@st.composite
def hold(draw: st.DrawFn, known: Known) -> Request:
    """Hold."""
    until = (*PERIODS[:2], Period(days=40), known.now + HOUR, known.now)
    lapses = pick(draw, until) if once_in(draw, 2) else None
    return Request(known.merchant.id, "hold", {**_spending(draw, known), "lapses": lapses})


def _a_hold(draw: st.DrawFn, known: Known) -> Named:
    return an_id(draw, known, known.holds, known.lots, rather=known.rather.live_holds)


@st.composite
def resize(draw: st.DrawFn, known: Known) -> Request:
    """Resize a hold, or let it live longer."""
    id_, unit = _a_hold(draw, known)
    until = (Period(hours=1), Period(days=1), Period(days=40), known.now + HOUR)
    exceed = once_in(draw, 8)
    arguments = {
        "hold": id_,
        "amount": amount(draw, unit, most=known.most.get(id_, 0) + 3),
        "lapses": pick(draw, until) if once_in(draw, 2) else None,
        "exceed_limit": exceed,
        "spender": spender(draw, known.spenders.get(id_)),
        **about(draw, known, spends=True, answerable=exceed),
        "key": a_key(draw, known),
    }
    return Request(known.merchant.id, "resize", arguments)


@st.composite
def capture(draw: st.DrawFn, known: Known) -> Request:
    """Capture a hold, all or some of it."""
    id_, unit = _a_hold(draw, known)
    some = amount_or_all(draw, unit, others=known.units, most=known.most.get(id_))
    told = {**about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "capture", {"hold": id_, "amount": some, **told})


@st.composite
def capture_part(draw: st.DrawFn, known: Known) -> Request:
    """Capture a part and keep the rest held."""
    id_, unit = _a_hold(draw, known)
    part = amount(draw, unit, most=known.most.get(id_))
    told = {**about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "capture_part", {"hold": id_, "amount": part, **told})


@st.composite
def release(draw: st.DrawFn, known: Known) -> Request:
    """Release a hold."""
    id_, _ = _a_hold(draw, known)
    arguments = {"hold": id_, **about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "release", arguments)


@st.composite
def release_order(draw: st.DrawFn, known: Known) -> Request:
    """Release everything of an order; rarely of one that has no name."""
    holder, order = a_holder(draw, known), pick(draw, ORDERS)
    if known.rather.orders and not once_in(draw, 4):
        holder, order = pick(draw, known.rather.orders)
    arguments = {"holder": holder, "order": order}
    told = {**about(draw, known), "key": a_key(draw, known)}
    if once_in(draw, 10):
        told |= {"order": "", "key": known.new_key}
    return Request(known.merchant.id, "release_order", {**arguments, **told})
