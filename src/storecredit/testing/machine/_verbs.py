"""The naive model of each command on one account: which rule it is, and what it hands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from storecredit.testing.machine import _giving, _spending
from storecredit.testing.machine.filed import Call
from storecredit.testing.machine.model import Book, Expected, ModelHold, ModelLot


def named_lot(book: Book, id_: str | None) -> ModelLot | str | None:
    """Find the lot with that id in *book*; the id itself, if it is not there."""
    return id_ and next((lot for lot in book.lots if lot.id == id_), id_)


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
        "set_spenders": lambda book, call: _giving.set_spenders(book, call.get("spenders")),
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
