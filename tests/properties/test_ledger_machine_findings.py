"""What the state machine has found: each is a short story, compared with the model step by step."""

from __future__ import annotations

from typing import Any

from storecredit.errors import KeyReused
from storecredit.storage import MemoryStorage
from storecredit.testing.machine import Request, SideBySide
from storecredit.testing.machine.shops import POINTS
from storecredit.values import Money, unit

ORDER = {"reference": "order 1"}
WHO = {"actor": "clerk", "reason": "a reason"}


def told() -> tuple[SideBySide, list[str]]:
    """Ann has dollars and points; dollars are held for an order, and released under a key."""
    outcomes: list[str] = []
    both = SideBySide(MemoryStorage(), noted=outcomes.append)
    issued: dict[str, Any] = {"holder": "ann", "funding": "deposit"}
    for number, counted_in in enumerate((unit("USD"), POINTS)):
        amount = Money.of_minor(6, counted_in)
        both.ask(Request("acme", "issue", {**issued, "amount": amount, "key": f"i {number}"}))
    amount = Money.of_minor(2, "USD")
    held = {"holder": "ann", "amount": amount, "key": "h"}
    both.ask(Request("acme", "hold", {**held, **ORDER}))
    both.ask(Request("acme", "release_order", {"holder": "ann", "order": "order 1", "key": "k"}))
    return both, outcomes


def test_a12_a_release_is_answered_again_though_its_key_names_another_command_elsewhere() -> None:
    both, _ = told()
    release = both.history.past[-1]
    # In the account of points nothing was released, so that the key was free there.
    points = both.history.past[1].receipts[0].lot_id
    by = Money.of_minor(1, POINTS)
    both.ask(Request("acme", "adjust", {"lot": points, "by": by, "key": "k", **WHO}))
    both.repeat(release)
    both.check_history()


def test_a12_a_release_whose_key_names_another_command_already_is_refused() -> None:
    both, outcomes = told()
    for holder, key in (("ann", "i 1"), ("ann", "k")):
        arguments = {"holder": holder, "order": "order 2", "key": key}
        both.ask(Request("acme", "release_order", arguments))
        assert outcomes[-1] == f"release_order: {KeyReused.__name__}"
    both.check_history()
