"""The naive model of each command on one account: which rule it is, and what it hands on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from storecredit.service.about import About
from storecredit.testing.machine import _giving, _spending
from storecredit.testing.machine.model import Book, Expected, ModelHold, ModelLot
from storecredit.testing.machine.requests import Request

_UNCOMPARED: Final = frozenset({"at", "actor", "note", "key", "holder", "sender", "receiver"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """One request, taken apart."""

    verb: str
    key: str
    about: About
    asked: Mapping[str, Any]
    """The arguments of the verb itself."""
    compared: str
    """Everything that a repeat is compared by (A12)."""

    def get(self, name: str) -> Any:
        """Return an argument, None where it was left out."""
        return self.asked.get(name)

    def rest(self, *taken: str) -> dict[str, Any]:
        """Return the arguments besides those *taken*."""
        return {name: value for name, value in self.asked.items() if name not in taken}


def taken_apart(request: Request) -> Call:
    """Divide the arguments of *request* into the verb's own and what all commands share."""
    about: dict[str, Any] = {}
    asked: dict[str, Any] = {}
    for name, value in request.arguments.items():
        if name in About.__annotations__:
            about[name] = value
        elif name != "key":
            asked[name] = value
    return Call(
        verb=request.verb,
        key=request.arguments.get("key", ""),
        about=cast(About, about),
        asked=asked,
        compared=_fingerprint(request),
    )


def named_lot(book: Book, id_: str | None) -> ModelLot | str | None:
    """Find the lot with that id in *book*; the id itself, if it is not there."""
    return id_ and next((lot for lot in book.lots if lot.id == id_), id_)


def _fingerprint(request: Request) -> str:
    compared = sorted(
        (name, repr(value))
        for name, value in request.arguments.items()
        if name not in _UNCOMPARED and value is not None
    )
    return f"{request.verb}{compared}"


def _spending_terms(book: Book, call: Call) -> dict[str, Any]:
    return {**call.rest("holder", "amount"), "lot": named_lot(book, call.get("lot"))}


def _revoke(book: Book, lot: ModelLot | None, call: Call) -> Expected:
    rules = call.rest("lot", "amount")
    return _giving.revoke(book, lot, call.get("amount"), call.about, **rules)


def _resize(book: Book, held: ModelHold | None, call: Call) -> Expected:
    more = call.rest("hold", "amount")
    return _spending.resize(book, held, call.asked["amount"], call.about, **more)


BY_HOLDER: Final[Mapping[str, Callable[[Book, Call], Expected]]] = MappingProxyType(
    {
        "issue": lambda book, call: _giving.issue(book, **call.rest("holder")),
        "redeem": lambda book, call: _spending.redeem(
            book, call.asked["amount"], call.about, _spending_terms(book, call)
        ),
        "hold": lambda book, call: _spending.hold(
            book, call.asked["amount"], call.about, _spending_terms(book, call)
        ),
        "cash_out": lambda book, call: _giving.cash_out(
            book, call.asked["amount"], named_lot(book, call.get("lot"))
        ),
        "settle": lambda book, call: _giving.settle(book, call.asked["amount"]),
        "set_limit": lambda book, call: _giving.set_limit(book, call.get("limit")),
        "freeze": lambda book, _: _giving.freeze(book),
        "close": lambda book, _: _giving.close(book),
        "reopen": lambda book, _: _giving.reopen(book),
    }
)
"""Commands that find their account by its holder."""

BY_LOT: Final[Mapping[str, Callable[[Book, ModelLot | None, Call], Expected]]] = MappingProxyType(
    {
        "revoke": _revoke,
        "adjust": lambda book, lot, call: _giving.adjust(book, lot, call.asked["by"], call.about),
        "extend_expiry": lambda book, lot, call: _giving.extend_expiry(
            book, lot, call.get("expires"), call.about
        ),
        "reinstate": lambda book, lot, call: _giving.reinstate(
            book, lot, call.get("amount"), call.get("expires"), call.about
        ),
        "refund_bought": lambda book, lot, call: _giving.refund_bought(book, lot, call.about),
    }
)
"""Commands that find their account by the id of a lot."""

BY_HOLD: Final[Mapping[str, Callable[[Book, ModelHold | None, Call], Expected]]] = MappingProxyType(
    {
        "resize": _resize,
        "capture": lambda book, held, call: _spending.capture(
            book, held, call.get("amount"), keep_rest=False
        ),
        "capture_part": lambda book, held, call: _spending.capture(
            book, held, call.get("amount"), keep_rest=True
        ),
        "release": lambda book, held, _: _spending.release(book, held),
    }
)
"""Commands that find their account by the id of a hold."""
