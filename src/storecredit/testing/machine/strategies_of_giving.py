"""Strategies for the commands that give: issues of every kind, and what comes back."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import strategies as st

from storecredit.service import Grant
from storecredit.service.about import About
from storecredit.testing.machine.arguments import (
    FUNDINGS,
    HOUR,
    about,
    amount,
    amount_or_all,
    expiry,
    later_expiry,
    limits,
)
from storecredit.testing.machine.drawing import once_in, pick, up_to
from storecredit.testing.machine.known import Known, a_holder, a_key, a_unit, an_id
from storecredit.testing.machine.requests import Request, Sheet
from storecredit.values import Money, Period


def _issue_arguments(draw: st.DrawFn, known: Known) -> dict[str, Any]:
    funding, now = pick(draw, FUNDINGS), known.now
    effective = (Period(hours=1), Period(days=1), now + HOUR, now - HOUR)
    is_paid = funding == "purchased" or once_in(draw, 10)
    return {
        "holder": a_holder(draw, known),
        "amount": amount(draw, a_unit(draw, known)),
        "funding": funding,
        "expires": expiry(draw, known),
        "effective": pick(draw, effective) if once_in(draw, 5) else None,
        "priority": pick(draw, (0, 0, 0, 1, -1)),
        "limits": limits(draw, known) if once_in(draw, 5) else None,
        "paid": Money.of_minor(up_to(draw, 8), known.units[0]) if is_paid else None,
    }


@st.composite
def issue(draw: st.DrawFn, known: Known) -> Request:
    """Issue."""
    arguments = {**_issue_arguments(draw, known), **about(draw, known), "key": a_key(draw, known)}
    return Request(known.merchant.id, "issue", arguments)


def _grants(draw: st.DrawFn, known: Known, *, in_a_file: bool = False) -> tuple[Grant, ...]:
    """Draw a few issues to several holders; sometimes a key is used twice."""
    grants = []
    for number in range(up_to(draw, 3)):
        arguments, told = _issue_arguments(draw, known), about(draw, known)
        key = f"{known.new_key}/{number}"
        if known.keys and once_in(draw, 20):
            key = pick(draw, known.keys[-3:])
        if in_a_file:
            told = {name: value for name, value in told.items() if name not in {"at", "data"}}
            arguments["limits"] = None
            for term in ("expires", "effective"):
                if isinstance(arguments[term], Period):
                    arguments[term] = arguments[term].after(known.now)
        grants.append(Grant(**arguments, key=key, about=cast(About, told)))
    return tuple(grants)


@st.composite
def issue_many(draw: st.DrawFn, known: Known) -> Request:
    """Issue a few at once."""
    return Request(known.merchant.id, "issue_many", {"grants": _grants(draw, known)})


@st.composite
def issue_each(draw: st.DrawFn, known: Known) -> Request:
    """Issue a stream, in batches; rarely in batches that never end."""
    batch = pick(draw, (1, 1, 1, 2, 2, 2, 3, 500, 500, 0))
    arguments = {"grants": _grants(draw, known), "batch": batch}
    return Request(known.merchant.id, "issue_each", arguments)


@st.composite
def import_balances(draw: st.DrawFn, known: Known) -> Request:
    """Issue the rows of a file."""
    sheet = Sheet(_grants(draw, known, in_a_file=True))
    arguments = {"source": sheet, "key_prefix": "opening", **about(draw, known)}
    return Request(known.merchant.id, "import_balances", arguments)


@st.composite
def restore(draw: st.DrawFn, known: Known) -> Request:
    """Restore a redemption, all or some of it, by every rule."""
    others = [(id_, known.units[0]) for id_ in known.entries]
    rather = known.rather.restorable
    id_, unit = an_id(draw, known, known.redemptions, others, rather=rather)
    arguments = {
        "redemption": id_,
        "amount": amount_or_all(draw, unit, most=known.most.get(id_)),
        "expired": pick(draw, (None, "grace", "expire", "reissue")),
        **about(draw, known),
        "key": a_key(draw, known),
    }
    return Request(known.merchant.id, "restore", arguments)


@st.composite
def reinstate(draw: st.DrawFn, known: Known) -> Request:
    """Reinstate what expired or was revoked, mostly with an expiry that lies ahead."""
    id_, unit = an_id(draw, known, known.lots, known.holds, rather=known.rather.gone_lots)
    arguments = {
        "lot": id_,
        "amount": amount_or_all(draw, unit, most=known.most.get(id_)),
        "expires": later_expiry(draw, known),
        **about(draw, known, answerable=True),
        "key": a_key(draw, known),
    }
    return Request(known.merchant.id, "reinstate", arguments)
