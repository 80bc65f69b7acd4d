"""
Strategies for every command: what a shop may ask next, given what it knows by now.

Most requests make sense; some are refused, each for its own reason.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, cast

from hypothesis import strategies as st

from storecredit.service import Grant
from storecredit.service.about import About
from storecredit.testing.machine._moving import ROUNDINGS
from storecredit.testing.machine.arguments import (
    FUNDINGS,
    HOUR,
    ORDERS,
    PERIODS,
    abouts,
    amounts,
    expiries,
    limits,
    or_none,
    order_lines,
)
from storecredit.testing.machine.known import (
    HOLDERS,
    Known,
    accounts,
    holders,
    ids,
    keys,
    named_lots,
    units,
)
from storecredit.testing.machine.requests import Request
from storecredit.values import ExchangeRate, Money, Period, Unit


def _request(known: Known, verb: str, arguments: dict[str, Any]) -> Request:
    return Request(known.merchant.id, verb, arguments)


@st.composite
def _issue_arguments(draw: st.DrawFn, known: Known) -> dict[str, Any]:
    unit = draw(units(known))
    funding = draw(st.sampled_from(FUNDINGS))
    paid = None
    if funding == "purchased" or draw(st.integers(0, 9)) == 7:
        paid = draw(st.integers(1, 8).map(lambda minor: Money.of_minor(minor, known.units[0])))
    effective = st.sampled_from(
        [Period(hours=1), Period(days=1), known.now + HOUR, known.now - HOUR]
    )
    return {
        "holder": draw(holders()),
        "amount": draw(amounts(unit)),
        "funding": funding,
        "expires": draw(expiries(known)),
        "effective": draw(or_none(effective, mostly_none=True)),
        "priority": draw(st.sampled_from([0, 0, 0, 1, -1])),
        "limits": draw(or_none(limits(known), mostly_none=True)),
        "paid": paid,
    }


@st.composite
def issue(draw: st.DrawFn, known: Known) -> Request:
    """Issue."""
    arguments = draw(_issue_arguments(known))
    return _request(known, "issue", {**arguments, **draw(abouts(known)), "key": draw(keys(known))})


@st.composite
def issue_many(draw: st.DrawFn, known: Known) -> Request:
    """Issue a few at once; sometimes the same key twice."""
    grants = []
    for number in range(draw(st.integers(1, 3))):
        arguments = draw(_issue_arguments(known))
        key = f"{known.new_key}/{number}"
        if draw(st.integers(0, 19)) == 13 and known.keys:
            key = draw(st.sampled_from(known.keys[-3:]))
        grants.append(Grant(**arguments, key=key, about=cast(About, draw(abouts(known)))))
    return _request(known, "issue_many", {"grants": grants})


@st.composite
def _spending(draw: st.DrawFn, known: Known) -> dict[str, Any]:
    holder, unit = draw(accounts(known, known.owners))
    exceed = draw(st.integers(0, 7)) == 5
    amount = draw(amounts(unit))
    return {
        "holder": holder,
        "amount": amount,
        "taking": draw(st.sampled_from(["all_or_nothing", "up_to"])),
        "lot": draw(named_lots(known, holder, unit)),
        "lines": draw(or_none(order_lines(amount))),
        "exceed_limit": exceed,
        **draw(abouts(known, spends=True, answerable=exceed)),
        "key": draw(keys(known)),
    }


def redeem(known: Known) -> st.SearchStrategy[Request]:
    """Redeem."""
    return _spending(known).map(lambda arguments: _request(known, "redeem", arguments))


@st.composite
def hold(draw: st.DrawFn, known: Known) -> Request:
    """Hold."""
    until = st.sampled_from([*PERIODS[:2], Period(days=40), known.now + HOUR, known.now])
    lapses = draw(or_none(until))
    return _request(known, "hold", {**draw(_spending(known)), "lapses": lapses})


@st.composite
def resize(draw: st.DrawFn, known: Known) -> Request:
    """Resize a hold, or let it live longer."""
    id_, unit = draw(ids(known, known.holds, known.lots, rather=known.live_holds))
    until = st.sampled_from([Period(hours=1), Period(days=1), Period(days=40), known.now + HOUR])
    exceed = draw(st.integers(0, 7)) == 5
    arguments = {
        "hold": id_,
        "amount": draw(amounts(unit)),
        "lapses": draw(or_none(until)),
        "exceed_limit": exceed,
        **draw(abouts(known, spends=True, answerable=exceed)),
        "key": draw(keys(known)),
    }
    return _request(known, "resize", arguments)


@st.composite
def capture(draw: st.DrawFn, known: Known) -> Request:
    """Capture a hold, all or some of it."""
    id_, unit = draw(ids(known, known.holds, known.lots, rather=known.live_holds))
    arguments = {"hold": id_, "amount": draw(or_none(amounts(unit, others=known.units)))}
    return _request(
        known, "capture", {**arguments, **draw(abouts(known)), "key": draw(keys(known))}
    )


@st.composite
def capture_part(draw: st.DrawFn, known: Known) -> Request:
    """Capture a part and keep the rest held."""
    id_, unit = draw(ids(known, known.holds, known.lots, rather=known.live_holds))
    arguments = {"hold": id_, "amount": draw(amounts(unit))}
    return _request(
        known, "capture_part", {**arguments, **draw(abouts(known)), "key": draw(keys(known))}
    )


@st.composite
def release(draw: st.DrawFn, known: Known) -> Request:
    """Release a hold."""
    id_, _ = draw(ids(known, known.holds, known.lots, rather=known.live_holds))
    return _request(
        known, "release", {"hold": id_, **draw(abouts(known)), "key": draw(keys(known))}
    )


@st.composite
def release_order(draw: st.DrawFn, known: Known) -> Request:
    """Release everything of an order."""
    arguments = {"holder": draw(holders()), "order": draw(st.sampled_from(ORDERS))}
    return _request(
        known, "release_order", {**arguments, **draw(abouts(known)), "key": draw(keys(known))}
    )


@st.composite
def restore(draw: st.DrawFn, known: Known) -> Request:
    """Restore a redemption, all or some of it, by every rule."""
    others = [(id_, known.units[0]) for id_ in known.entries]
    id_, unit = draw(ids(known, known.redemptions, others, rather=known.restorable))
    arguments = {
        "redemption": id_,
        "amount": draw(or_none(amounts(unit))),
        "expired": draw(st.sampled_from([None, "grace", "expire", "reissue"])),
    }
    return _request(
        known, "restore", {**arguments, **draw(abouts(known)), "key": draw(keys(known))}
    )


_Correction = Callable[[Known], st.SearchStrategy[Request]]


def _on_a_lot(
    verb: str,
    more: Callable[[Known, Unit], st.SearchStrategy[dict[str, Any]]],
    *,
    rather: str = "open_lots",
) -> _Correction:
    """Make the strategy of a correction: a lot, what else it takes, who and why."""

    @st.composite
    def correction(draw: st.DrawFn, known: Known) -> Request:
        promising = getattr(known, rather)
        id_, unit = draw(ids(known, known.lots, known.holds, rather=promising))
        arguments = draw(more(known, unit))
        about = draw(abouts(known, answerable=True))
        return _request(known, verb, {"lot": id_, **arguments, **about, "key": draw(keys(known))})

    return correction


revoke: _Correction = _on_a_lot(
    "revoke",
    lambda known, unit: st.fixed_dictionaries(
        {
            "amount": or_none(amounts(unit, others=known.units)),
            "shortfall": st.sampled_from(["up_to", "all_or_nothing", "owe"]),
            "reach": st.sampled_from(["lot", "promotional"]),
            "held": st.sampled_from(["refuse", "unheld_only"]),
        }
    ),
)
adjust: _Correction = _on_a_lot(
    "adjust",
    lambda _, unit: st.fixed_dictionaries(
        {"by": st.integers(-4, 4).map(lambda minor: Money.of_minor(minor, unit))}
    ),
)
extend_expiry: _Correction = _on_a_lot(
    "extend_expiry",
    lambda known, _: st.fixed_dictionaries({"expires": expiries(known)}),
    rather="ending_lots",
)
reinstate: _Correction = _on_a_lot(
    "reinstate",
    lambda known, unit: st.fixed_dictionaries(
        {"amount": or_none(amounts(unit)), "expires": expiries(known)}
    ),
    rather="gone_lots",
)
refund_bought: _Correction = _on_a_lot("refund_bought", lambda *_: st.just({}))


@st.composite
def settle(draw: st.DrawFn, known: Known) -> Request:
    """Pay a debt."""
    holder, unit = draw(accounts(known, known.debtors))
    arguments = {"holder": holder, "amount": draw(amounts(unit))}
    return _request(known, "settle", {**arguments, **draw(abouts(known)), "key": draw(keys(known))})


@st.composite
def set_limit(draw: st.DrawFn, known: Known) -> Request:
    """Let a holder owe nothing, some, or without end."""
    holder, unit = draw(accounts(known, known.owners))
    limit = st.sampled_from([None, "unlimited"]) | amounts(unit)
    arguments = {"holder": holder, "unit": unit, "limit": draw(limit)}
    return _request(
        known, "set_limit", {**arguments, **draw(abouts(known)), "key": draw(keys(known))}
    )


@st.composite
def _status(draw: st.DrawFn, known: Known, verb: str) -> Request:
    arguments = {"holder": draw(holders()), "unit": draw(units(known))}
    return _request(known, verb, {**arguments, **draw(abouts(known)), "key": draw(keys(known))})


def freeze(known: Known) -> st.SearchStrategy[Request]:
    """Freeze an account."""
    return _status(known, "freeze")


def close(known: Known) -> st.SearchStrategy[Request]:
    """Close an account."""
    return _status(known, "close")


def reopen(known: Known) -> st.SearchStrategy[Request]:
    """Reopen an account."""
    return _status(known, "reopen")


@st.composite
def cash_out(draw: st.DrawFn, known: Known) -> Request:
    """Pay value out."""
    holder, unit = draw(accounts(known, known.owners))
    lot = draw(named_lots(known, holder, unit))
    arguments = {"holder": holder, "amount": draw(amounts(unit)), "lot": lot}
    return _request(
        known, "cash_out", {**arguments, **draw(abouts(known)), "key": draw(keys(known))}
    )


@st.composite
def transfer(draw: st.DrawFn, known: Known) -> Request:
    """Transfer to another holder."""
    holder, unit = draw(accounts(known, known.owners))
    lot = draw(named_lots(known, holder, unit))
    arguments = {
        "sender": holder,
        "receiver": draw(st.sampled_from(HOLDERS)),
        "amount": draw(amounts(unit)),
        "lot": lot,
    }
    return _request(
        known, "transfer", {**arguments, **draw(abouts(known)), "key": draw(keys(known))}
    )


@st.composite
def reverse_transfer(draw: st.DrawFn, known: Known) -> Request:
    """Reverse a transfer."""
    here = known.units[0]
    transfers = [(id_, here) for id_ in known.transfers]
    others = [(id_, here) for id_ in known.entries]
    id_, _ = draw(ids(known, transfers, others, rather=transfers[-2:]))
    return _request(
        known,
        "reverse_transfer",
        {"transfer": id_, **draw(abouts(known)), "key": draw(keys(known))},
    )


@st.composite
def convert(draw: st.DrawFn, known: Known) -> Request:
    """Convert into another unit."""
    holder, source = draw(accounts(known, known.owners))
    target = draw(st.sampled_from([each for each in known.units if each != source]))
    rate = ExchangeRate(
        source,
        target,
        draw(st.sampled_from([Fraction(1), Fraction(100), Fraction(1, 100), Fraction(1, 3)])),
        on=known.now.date(),
    )
    arguments = {
        "holder": holder,
        "amount": draw(amounts(source, others=known.units)),
        "rate": rate,
        "rounding": draw(st.sampled_from(ROUNDINGS)),
    }
    return _request(
        known, "convert", {**arguments, **draw(abouts(known)), "key": draw(keys(known))}
    )


@st.composite
def merge(draw: st.DrawFn, known: Known) -> Request:
    """Merge two holders."""
    arguments = {"holder": draw(holders()), "into": draw(st.sampled_from(HOLDERS))}
    return _request(known, "merge", {**arguments, **draw(abouts(known)), "key": draw(keys(known))})


@st.composite
def sweep(draw: st.DrawFn, known: Known) -> Request:
    """Sweep what has expired or lapsed."""
    verb = draw(st.sampled_from(["expire_due", "release_lapsed"]))
    steps = (0 * HOUR, -HOUR, HOUR / 12, HOUR)
    at = draw(or_none(st.sampled_from(steps).map(lambda step: known.now + step), mostly_none=True))
    return _request(known, verb, {"at": at})


COMMANDS: Final[dict[str, Callable[[Known], st.SearchStrategy[Request]]]] = {
    "issue": issue,
    "issue_many": issue_many,
    "redeem": redeem,
    "hold": hold,
    "resize": resize,
    "capture": capture,
    "capture_part": capture_part,
    "release": release,
    "release_order": release_order,
    "restore": restore,
    "revoke": revoke,
    "adjust": adjust,
    "extend_expiry": extend_expiry,
    "reinstate": reinstate,
    "refund_bought": refund_bought,
    "settle": settle,
    "set_limit": set_limit,
    "freeze": freeze,
    "close": close,
    "reopen": reopen,
    "cash_out": cash_out,
    "transfer": transfer,
    "reverse_transfer": reverse_transfer,
    "convert": convert,
    "merge": merge,
    "sweep": sweep,
}
"""A strategy for each command of `StoreCredit`."""
