"""Strategies for the commands that put right or end: revoke, adjust, pay out, limits, states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

from storecredit.testing.machine.arguments import (
    PEOPLE,
    about,
    amount,
    amount_or_all,
    later_expiry,
)
from storecredit.testing.machine.drawing import pick
from storecredit.testing.machine.known import (
    Known,
    Named,
    Owner,
    Promising,
    a_key,
    a_lot_of,
    an_id,
    an_owner,
)
from storecredit.testing.machine.requests import Request
from storecredit.values import Money

Command = Callable[[Known], st.SearchStrategy[Request]]

_LISTS: Final = (None, None, None, (), PEOPLE[:1], PEOPLE[:1], PEOPLE, PEOPLE[::-1], PEOPLE[0])
"""Lists of spenders; the last is none, but a text that would be taken apart."""


def _on_a_lot(
    verb: str,
    rather: Callable[[Promising], list[Named]],
    more: Callable[[st.DrawFn, Known, Named], dict[str, Any]],
) -> Command:
    """Make the strategy of a correction: a lot, what else it takes, who and why."""

    @st.composite
    def correction(draw: st.DrawFn, known: Known) -> Request:
        named = an_id(draw, known, known.lots, known.holds, rather=rather(known.rather))
        arguments = {"lot": named[0], **more(draw, known, named)}
        told = {**about(draw, known, answerable=True), "key": a_key(draw, known)}
        return Request(known.merchant.id, verb, {**arguments, **told})

    return correction


def _revocation(draw: st.DrawFn, known: Known, named: Named) -> dict[str, Any]:
    id_, unit = named
    return {
        "amount": amount_or_all(draw, unit, others=known.units, most=known.most.get(id_)),
        "shortfall": pick(draw, ("up_to", "all_or_nothing", "owe")),
        "reach": pick(draw, ("lot", "promotional")),
        "held": pick(draw, ("refuse", "unheld_only")),
    }


def _adjustment(draw: st.DrawFn, _: Known, named: Named) -> dict[str, Any]:
    return {"by": Money.of_minor(pick(draw, (1, 2, 3, 4, 0, -1, -2, -3, -4)), named[1])}


def _extension(draw: st.DrawFn, known: Known, _: Named) -> dict[str, Any]:
    return {"expires": later_expiry(draw, known)}


revoke: Command = _on_a_lot("revoke", lambda rather: rather.open_lots, _revocation)
adjust: Command = _on_a_lot("adjust", lambda rather: rather.open_lots, _adjustment)
extend_expiry: Command = _on_a_lot("extend_expiry", lambda rather: rather.ending_lots, _extension)
refund_bought: Command = _on_a_lot(
    "refund_bought", lambda rather: rather.bought_lots, lambda *_: {}
)


@st.composite
def settle(draw: st.DrawFn, known: Known) -> Request:
    """Pay a debt."""
    owner = an_owner(draw, known, known.rather.debtors)
    arguments = {"holder": owner[0], "amount": amount(draw, owner[1], most=known.owed.get(owner))}
    told = {**about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "settle", {**arguments, **told})


@st.composite
def cash_out(draw: st.DrawFn, known: Known) -> Request:
    """Pay value out."""
    owner = an_owner(draw, known, known.rather.owners)
    paid = amount(draw, owner[1], most=known.most.get(owner))
    arguments = {"holder": owner[0], "amount": paid, "lot": a_lot_of(draw, known, owner)}
    told = {**about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "cash_out", {**arguments, **told})


def _on_an_account(
    verb: str,
    rather: Callable[[Promising], list[Owner]],
    more: Callable[[st.DrawFn, Owner], dict[str, Any]],
) -> Command:
    """Make the strategy of a command on one account as a whole."""

    @st.composite
    def command(draw: st.DrawFn, known: Known) -> Request:
        owner = an_owner(draw, known, rather(known.rather))
        arguments = {"holder": owner[0], "unit": owner[1], **more(draw, owner)}
        told = {**about(draw, known), "key": a_key(draw, known)}
        return Request(known.merchant.id, verb, {**arguments, **told})

    return command


def _limit(draw: st.DrawFn, owner: Owner) -> dict[str, Any]:
    some = amount(draw, owner[1])
    return {"limit": pick(draw, (some, some, "unlimited", None, -some))}


def _list(draw: st.DrawFn, _: Owner) -> dict[str, Any]:
    return {"spenders": pick(draw, _LISTS)}


def _anybody(rather: Promising) -> list[Owner]:
    # Those whose account is shut too, for the sake of the refusal.
    return [*rather.owners, *(rather.shut * 4)]


def _nothing(*_: object) -> dict[str, Any]:
    return {}


set_limit: Command = _on_an_account("set_limit", _anybody, _limit)
set_spenders: Command = _on_an_account("set_spenders", _anybody, _list)
freeze: Command = _on_an_account("freeze", _anybody, _nothing)
close: Command = _on_an_account("close", lambda rather: rather.emptied, _nothing)
reopen: Command = _on_an_account("reopen", lambda rather: rather.shut, _nothing)
