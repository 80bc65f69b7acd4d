"""
Shoppers never give up: whatever happens to a server, they try again with the same key.

What a shopper is told, it writes into a file the moment it is told, outside of any database:

- ``{"did": COMMAND, "entry": ID, "far": ID, "hold": ID, "cents": N, "at": URL, "replayed": BOOL}``
- ``{"met": NAME, "problem": TEXT, "code": N, "hosts": BOOL}`` for what made it try again

A refusal, or any other error, ends it: that is a failure of the test.
"""

from __future__ import annotations

import functools
import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from crowd.clients import SECONDS_OF_PATIENCE, Client
from storecredit import Money, StoreCredit
from storecredit.errors import ConflictError, StorageUnavailable
from storecredit.service import TransferReceipt
from storecredit.storage.sql import HostTransactionConflict
from storecredit.values import Period

Ready = Callable[[], None]

HOLDERS = ("hot", "anna", "ben", "carl")
"""Whose credit the shoppers spend, half of the time that of the first."""
VERBS = ("issue", "redeem", "redeem", "hold", "capture", "transfer")


class Counter(Client):
    """A client that tries once, and leaves it to others to try again."""

    def once(self, act: Callable[[StoreCredit], Any], order: str) -> Any:
        """Do it; where it is a host's, in a transaction that saves *order*."""
        if not self.hosts:
            return act(self.credit())
        try:
            return self._in_hosts(act, order)
        except IntegrityError:
            # The order is there already: an earlier try was committed, and nobody heard of it.
            receipt = act(self.credit())
            assert receipt.replayed, f"order {order} was kept without its entry"
            return receipt


class Shopper:
    """One who carries out commands at any of some servers, which are one database."""

    def __init__(self, client: Mapping[str, Any], urls: Sequence[str], seed: str, file: Path):
        self.counters = [Counter(**{**client, "url": url}) for url in urls]
        self.chance = random.Random(seed)
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def connect(self) -> None:
        """Come so far that the next command needs nothing but to be done."""
        for counter in self.counters:
            counter.connect()

    def do(self, command: Mapping[str, Any], *, elsewhere_than: int = -1) -> tuple[int, Any]:
        """Carry out a command, however often it takes; return at which server, and the receipt."""
        act = functools.partial(carry_out, command)
        end = time.monotonic() + SECONDS_OF_PATIENCE
        while True:
            at = self.chance.randrange(len(self.counters))
            if at == elsewhere_than:
                at = (at + 1) % len(self.counters)
            counter = self.counters[at]
            try:
                return at, counter.once(act, f"{counter.merchant}/{command['key']}")
            except ConflictError as conflict:
                if not is_transient(conflict, hosts=counter.hosts):
                    raise
                self.write(met(conflict, hosts=counter.hosts))
            except (OperationalError, InterfaceError) as error:
                # The host's own statements, and its commit, meet what the library's meet.
                if not counter.hosts:
                    raise
                self.write(met(error, hosts=True))
            assert time.monotonic() < end, f"{command} was not done for so long"
            time.sleep(self.chance.uniform(0, 0.05))

    def write(self, line: Mapping[str, Any]) -> None:
        """Write down one line, in one piece."""
        os.write(self._file, json.dumps(line).encode() + b"\n")


def is_transient(conflict: ConflictError, *, hosts: bool) -> bool:
    """Tell whether a conflict is one after which the same key may be tried again."""
    if isinstance(conflict, StorageUnavailable):
        return True
    return isinstance(conflict, HostTransactionConflict) if hosts else conflict.retryable


def met(error: Exception, *, hosts: bool) -> dict[str, Any]:
    """Say what made a shopper try again."""
    driver = getattr(error, "orig", None)
    code = driver.args[0] if driver is not None and driver.args else None
    return {
        "met": type(error).__name__,
        "problem": getattr(error, "problem", ""),
        "code": code if isinstance(code, int) else None,
        "hosts": hosts,
    }


def carry_out(command: Mapping[str, Any], credit: StoreCredit) -> Any:
    """Give a command to the service."""
    verb, holder, key = command["verb"], command["holder"], command["key"]
    amount = Money.of_minor(command["cents"], "USD")
    if verb == "issue":
        # It is spent before the stock, which never expires: open lots stay few.
        month = Period(days=30)
        return credit.issue(holder, amount, funding="refund", expires=month, key=key)
    if verb == "transfer":
        return credit.transfer(holder, command["other"], amount, key=key)
    if verb == "capture":
        return credit.capture(command["hold"], key=key)
    return {"redeem": credit.redeem, "hold": credit.hold}[verb](holder, amount, key=key)


def told(command: Mapping[str, Any], at: int, receipt: Any) -> dict[str, Any]:
    """Say what was acknowledged."""
    two_sided = isinstance(receipt, TransferReceipt)
    sent = receipt.sent if two_sided else receipt
    return {
        "did": dict(command),
        "entry": receipt.entry_id,
        "far": receipt.received.entry_id if two_sided else None,
        "hold": sent.hold_id if command["verb"] == "hold" else None,
        "cents": sent.amount.minor,
        "at": at,
        "replayed": receipt.replayed,
    }


def next_command(chance: random.Random, key: str, holds: list[dict[str, Any]]) -> dict[str, Any]:
    """Think of a command; a capture is of one's own oldest hold."""
    verb = chance.choice(VERBS)
    if verb == "capture" and not holds:
        verb = "hold"
    holder, other = chance.choice(HOLDERS), chance.choice(HOLDERS[1:])
    if chance.random() < 0.5 or holder == other:
        holder = HOLDERS[0]
    command: dict[str, Any] = {"key": f"{key}-{verb}", "verb": verb, "holder": holder}
    command["cents"] = chance.randrange(1, 300)
    if verb == "transfer" and chance.random() < 0.5:
        holder, other = other, holder
        command["holder"] = holder
    if verb == "transfer":
        command["other"] = other
    if verb == "capture":
        held = holds.pop(0)
        command |= {"hold": held["hold"], "holder": held["did"]["holder"], "cents": held["cents"]}
    return command


def shop(
    ready: Ready,
    *,
    client: dict[str, Any],
    urls: Sequence[str],
    name: str,
    seed: str,
    file: str,
    until: str,
) -> dict[str, Any]:
    """Carry out commands until the file *until* is there; tell how many."""
    shopper = Shopper(client, urls, f"{seed}/{name}", Path(file))
    shopper.connect()
    end, number, holds = Path(until), 0, list[dict[str, Any]]()
    ready()
    while not end.exists():
        number += 1
        command = next_command(shopper.chance, f"{name}-{number}", holds)
        at, receipt = shopper.do(command)
        acknowledged = told(command, at, receipt)
        shopper.write(acknowledged)
        if command["verb"] == "hold":
            holds.append(acknowledged)
    return {"done": number}


def ask_again(
    ready: Ready, *, client: dict[str, Any], urls: Sequence[str], file: str, seed: str
) -> dict[str, Any]:
    """Give every command that was acknowledged once more, at another server where there is one."""
    lines = [json.loads(line) for line in Path(file).read_text().splitlines()]
    shopper = Shopper(client, urls, seed, Path(os.devnull))
    ready()
    wrong = []
    for line in lines:
        if "did" in line:
            others = line["at"] if len(urls) > 1 else -1
            at, receipt = shopper.do(line["did"], elsewhere_than=others)
            again = told(line["did"], at, receipt)
            if again != {**line, "at": at, "replayed": True}:
                wrong.append([line, again])
    return {"wrong": wrong, "asked": sum("did" in line for line in lines)}
