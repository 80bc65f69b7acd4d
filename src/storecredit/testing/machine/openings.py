"""How a history begins: some value, and a beginning of something that seldom comes by chance."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from storecredit.testing.machine.arguments import HOUR, ORDERS
from storecredit.testing.machine.known import HOLDERS
from storecredit.testing.machine.requests import Request
from storecredit.testing.machine.shops import PLAIN, UNITS
from storecredit.values import Money, Period

Step = Request | dt.timedelta
"""A request, or time that passes."""

TURNS: Final = ("nothing", "a debt", "a debt", "a purchase", "an expiry", "a transfer")
"""What may have happened before a history begins."""


def opening(shop: str, turn: str) -> list[Step]:
    """
    List what is asked of *shop* first: deposits, a redemption, two holds, and what *turn* names.

    Debts, bought lots, expired lots and transfers are what the rarest commands are about.
    """
    channel: dict[str, Any] = {} if shop == PLAIN.id else {"channel": "web"}
    names = iter(range(99))

    def ask(verb: str, minor: int, *, unit: int = 0, **arguments: Any) -> Request:
        amount = Money.of_minor(minor, UNITS[unit])
        told = {"amount": amount, **arguments, "key": f"opening {next(names)}"}
        return Request(shop, verb, told)

    first, second, third = HOLDERS
    steps: list[Step] = [
        ask("issue", 6, unit=number % 2, holder=holder, funding="deposit")
        for number, holder in enumerate((*HOLDERS, first))
    ]
    for verb in ("redeem", "hold", "hold"):
        steps.append(ask(verb, 2, holder=first, reference=ORDERS[0], **channel))
    if turn == "a debt":
        limit = {"holder": third, "unit": UNITS[0], "limit": Money.of_minor(9, UNITS[0])}
        steps.append(Request(shop, "set_limit", {**limit, "key": "opening limit"}))
        steps.append(ask("redeem", 12, holder=third, **channel))
    elif turn == "a purchase":
        paid: dict[str, Any] = {"funding": "purchased", "paid": Money.of_minor(5, UNITS[0])}
        steps.append(ask("issue", 6, holder=second, **paid))
    elif turn == "an expiry":
        ending: dict[str, Any] = {"funding": "promotional", "expires": Period(hours=1)}
        steps += [ask("issue", 6, holder=third, **ending), HOUR]
    elif turn == "a transfer":
        steps.append(ask("transfer", 3, sender=third, receiver=second))
    return steps
