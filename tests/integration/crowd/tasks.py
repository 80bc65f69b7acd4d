"""What the processes of a crowd do; each function is one process's part, and returns plain data."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from crowd.cases import (
    complete_under_limits,
    give_first_gifts,
    take_pieces,
    walk_the_same_cases,
    work_until_killed,
)
from crowd.checkouts import pay_own_orders, pay_the_same_orders, pay_until_killed
from crowd.claims import claim_the_same_codes, claim_until_killed
from crowd.clients import Client
from crowd.granting import bring_back, deliver_twice, grant_under_a_ceiling
from crowd.shoppers import ask_again, shop
from storecredit import Money, StoreCredit
from storecredit.errors import CaptureExceedsHold, HoldAlreadyCaptured, InsufficientCredit
from storecredit.storage.sql import tables

DOLLAR = Money.of("1.00", "USD")

Ready = Callable[[], None]


def spend(
    ready: Ready, *, client: dict[str, Any], holders: Sequence[str], keys: Sequence[str]
) -> dict[str, Any]:
    """Spend a dollar of each holder, under each key; tell what was drawn, by holder."""
    mine = Client(**client)
    mine.connect()
    drawn, refused = dict.fromkeys(holders, 0), 0
    ready()
    for key in keys:
        for holder in holders:
            try:
                receipt = mine.do(
                    methodcaller("redeem", holder, DOLLAR, key=key),
                    order=f"{mine.merchant}/{holder}/{key}",
                )
            except InsufficientCredit:
                refused += 1
            else:
                drawn[holder] += receipt.amount.minor
    return {"drawn": drawn, "refused": refused, "conflicts": mine.conflicts}


def hold(
    ready: Ready, *, client: dict[str, Any], holder: str, keys: Sequence[str]
) -> dict[str, Any]:
    """Hold a dollar under each key; tell the holds."""
    mine = Client(**client)
    mine.connect()
    holds, refused = [], 0
    ready()
    for key in keys:
        try:
            receipt = mine.do(
                methodcaller("hold", holder, DOLLAR, key=key),
                order=f"{mine.merchant}/{holder}/{key}",
            )
        except InsufficientCredit:
            refused += 1
        else:
            holds.append(receipt.hold_id)
    return {"holds": holds, "refused": refused, "conflicts": mine.conflicts}


def capture(
    ready: Ready, *, client: dict[str, Any], holds: Sequence[str], name: str
) -> dict[str, Any]:
    """Capture every hold, under keys of this process's own; tell what was captured."""
    mine = Client(**client)
    mine.connect()
    captured: dict[str, int] = {}
    refused = 0
    ready()
    for place, each in enumerate(holds):
        key = f"{name}-{place}"
        try:
            receipt = mine.do(
                methodcaller("capture", each, key=key),
                order=f"{mine.merchant}/{key}",
            )
        except HoldAlreadyCaptured:
            refused += 1
        else:
            captured[each] = receipt.amount.minor
    return {"captured": captured, "refused": refused, "conflicts": mine.conflicts}


def capture_parts(
    ready: Ready, *, client: dict[str, Any], hold: str, keys: Sequence[str]
) -> dict[str, Any]:
    """Capture a dollar of one hold under each key; tell how much that came to."""
    mine = Client(**client)
    mine.connect()
    captured = refused = 0
    ready()
    for key in keys:
        try:
            receipt = mine.do(
                methodcaller("capture_part", hold, DOLLAR, key=key),
                order=f"{mine.merchant}/{key}",
            )
        except (CaptureExceedsHold, HoldAlreadyCaptured):
            refused += 1
        else:
            captured += receipt.amount.minor
    return {"captured": captured, "refused": refused, "conflicts": mine.conflicts}


def transfer(
    ready: Ready, *, client: dict[str, Any], sender: str, receiver: str, keys: Sequence[str]
) -> dict[str, Any]:
    """Send a dollar under each key."""
    mine = Client(**client)
    mine.connect()
    ready()
    for key in keys:
        mine.do(
            methodcaller("transfer", sender, receiver, DOLLAR, key=key),
            order=f"{mine.merchant}/{key}",
        )
    return {"conflicts": mine.conflicts}


def lock_two(
    ready: Ready, *, client: dict[str, Any], holders: Sequence[str], seconds: float
) -> dict[str, Any]:
    """What the library does not do: lock the wallets of *holders* in the order in which they come."""
    mine = Client(**client)
    mine.connect()
    wallets = tables().wallets
    rounds, end = 0, time.monotonic() + seconds
    ready()
    while time.monotonic() < end:
        with mine.engine.connect() as connection:
            try:
                for holder in holders:
                    row = select(wallets.c.id).where(
                        wallets.c.merchant == mine.merchant, wallets.c.holder == holder
                    )
                    connection.execute(row.with_for_update()).one()
            except OperationalError:
                return {"rounds": rounds, "deadlocked": True}
            rounds += 1
    return {"rounds": rounds, "deadlocked": False}


def spend_of_two(
    ready: Ready, *, client: dict[str, Any], first: str, second: str, keys: Sequence[str]
) -> dict[str, Any]:
    """Spend of two accounts in one host's transaction, in an order of this process's own."""
    mine = Client(**client)
    mine.connect()

    def both(key: str, credit: StoreCredit) -> None:
        credit.redeem(first, DOLLAR, key=key)
        credit.redeem(second, DOLLAR, key=key)

    ready()
    for key in keys:
        mine.do(functools.partial(both, key), order=f"{mine.merchant}/{key}")
    return {"conflicts": mine.conflicts}


def spend_with_one_key(
    ready: Ready, *, client: dict[str, Any], holder: str, keys: Sequence[str]
) -> dict[str, Any]:
    """Two threads, each key at the same moment; tell the entries, and which had been there."""
    mine = Client(**client)
    mine.connect()
    answers: dict[str, list[tuple[str, bool]]] = {key: [] for key in keys}
    met, failed = threading.Barrier(2, timeout=120), []

    def work() -> None:
        try:
            for key in keys:
                met.wait()
                receipt = mine.do(methodcaller("redeem", holder, DOLLAR, key=key))
                answers[key].append((receipt.entry_id, receipt.replayed))
        except BaseException as error:
            failed.append(error)
            met.abort()
            raise

    threads = [threading.Thread(target=work) for _ in range(2)]
    ready()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return {"answers": answers, "conflicts": mine.conflicts}


TASKS = {
    task.__name__: task
    for task in (
        *(spend, hold, capture, capture_parts, transfer, lock_two, spend_of_two),
        *(spend_with_one_key, shop, ask_again),
        *(pay_the_same_orders, pay_own_orders, pay_until_killed),
        *(claim_the_same_codes, claim_until_killed),
        *(grant_under_a_ceiling, deliver_twice, bring_back),
        *(walk_the_same_cases, take_pieces, complete_under_limits, give_first_gifts),
        work_until_killed,
    )
}
