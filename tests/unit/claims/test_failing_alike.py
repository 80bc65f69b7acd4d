"""
A failed claim takes the same way whatever the reason, and so the same time (A15).

Measured by what is done, not by a timer: every line that runs in the modules of claims and of the
service, one after the other, and every question that the storage is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from storecredit.claims import ClaimReason, Throttle, make_code
from storecredit.errors import ClaimFailed
from storecredit.values import Money, Period

MEASURED = ("storecredit.claims", "storecredit.service")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


# --- Scenes: a code that cannot be claimed, for each reason ---------------------------------


def unknown(_: Any) -> str:
    return make_code(b"nobody's one")


def claimed(window: Any) -> str:
    issued = window.issue("5.00")
    window.claim(issued, "c-1")
    return str(issued.code)


def revoked(window: Any) -> str:
    issued = window.issue("5.00")
    window.revoke(issued)
    return str(issued.code)


def replaced(window: Any) -> str:
    issued = window.issue("5.00")
    window.reissue(issued)
    return str(issued.code)


def frozen(window: Any) -> str:
    issued = window.issue("5.00")
    window.credit.freeze(issued.holder, "USD", key="freeze")
    return str(issued.code)


def reserved(window: Any) -> str:
    return str(window.issue("5.00", reserved_for="c-2").code)


def reserved_for_a_customer(window: Any) -> str:
    window.credit.issue("c-2", usd("1.00"), funding="refund", key="k")
    return reserved(window)


def expired(window: Any) -> str:
    issued = window.issue("5.00", funding="promotional", expires=Period(days=1))
    window.clock.forward(days=1)
    return str(issued.code)


def swept(window: Any) -> str:
    code = expired(window)
    window.credit.expire_due()
    return code


def empty(window: Any) -> str:
    issued = window.issue("5.00")
    window.credit.redeem(issued.holder, usd("5.00"), key="o-1")
    return str(issued.code)


def held(window: Any) -> str:
    issued = window.issue("5.00")
    window.credit.hold(issued.holder, usd("5.00"), key="o-1")
    return str(issued.code)


def under_an_old_key(window: Any) -> str:
    """A code that is found only by the last key that is tried."""
    ring = window.rules.keys.__class__(current="old", keys=window.rules.keys.keys)
    rules = window.rules.__class__(keys=ring)
    credit = window.at(window.storage, claims=rules)
    issued = credit.issue_code(usd("5.00"), funding="refund", key="old")
    window.claim(issued, "c-1")
    return str(issued.code)


SCENES: dict[str, tuple[Callable[[Any], str], ClaimReason]] = {
    "unknown": (unknown, ClaimReason.UNKNOWN),
    "claimed": (claimed, ClaimReason.CLAIMED),
    "claimed, of an old key": (under_an_old_key, ClaimReason.CLAIMED),
    "revoked": (revoked, ClaimReason.REVOKED),
    "replaced": (replaced, ClaimReason.REPLACED),
    "frozen": (frozen, ClaimReason.FROZEN),
    "reserved": (reserved, ClaimReason.RESERVED),
    "reserved for a customer": (reserved_for_a_customer, ClaimReason.RESERVED),
    "expired": (expired, ClaimReason.EXPIRED),
    "expired and swept": (swept, ClaimReason.EXPIRED),
    "empty": (empty, ClaimReason.EMPTY),
    "held": (held, ClaimReason.HELD),
}


# --- What is counted ------------------------------------------------------------------------


class Asked:
    """Any storage, with a list of what it is asked: not of whom or what."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage
        self.asked: list[str] = []

    @contextmanager
    def transaction(self) -> Any:
        self.asked.append("transaction")
        with self.storage.transaction() as unit:
            yield _Asked(unit, self.asked)
        self.asked.append("commit")


class _Asked:
    def __init__(self, unit: Any, asked: list[str]) -> None:
        self._unit = unit
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        self._asked.append(name)
        return getattr(self._unit, name)


@contextmanager
def traced(lines: list[tuple[str, int]]) -> Any:
    """Note every line that runs in the measured modules, in order."""

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.append((f"{frame.f_globals['__name__']}.{frame.f_code.co_name}", frame.f_lineno))
        return line

    def call(frame: FrameType, _: str, __: Any) -> Any:
        return line if frame.f_globals.get("__name__", "").startswith(MEASURED) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)


def measured(window: Any, attempt: Callable[[Any], object]) -> tuple[Any, list[Any], list[str]]:
    storage: Any = Asked(window.storage)
    credit = window.at(storage)
    lines: list[tuple[str, int]] = []
    with traced(lines), pytest.raises(ClaimFailed) as failed:
        attempt(credit)
    return failed.value, lines, storage.asked


def claiming(code: str) -> Callable[[Any], object]:
    return lambda credit: credit.claim(code, "c-9", key="claim", caller="s")


def opening(code: str) -> Callable[[Any], object]:
    return lambda credit: credit.open_code(code, caller="s")


ASKED_TO_CLAIM = [
    *("transaction", "record", "record", "records", "records", "accounts_of", "record"),
    *("wallet", "wallet", "put", "put", "commit"),
]
"""The failures of the caller and of all; the code by each of two keys; its accounts, and that the
record is still the same; the wallets of the claimer and of whom it is for; and the failures again,
written."""


@pytest.mark.parametrize("name", SCENES)
def test_a15_a_claim_fails_line_by_line_as_that_of_an_unknown_code(make_window, name) -> None:
    scene, reason = SCENES[name]
    expected = measured(window := make_window(), claiming(unknown(window)))
    found = measured(window := make_window(), claiming(scene(window)))
    assert found[0].reason == reason
    assert len(found[1]) > 200
    assert found[1] == expected[1], first_difference(expected[1], found[1])
    assert found[2] == expected[2] == ASKED_TO_CLAIM


@pytest.mark.parametrize("name", [name for name in SCENES if name != "held"])
def test_a15_a_code_is_not_opened_line_by_line_as_an_unknown_one(make_window, name) -> None:
    scene, reason = SCENES[name]
    expected = measured(window := make_window(), opening(unknown(window)))
    found = measured(window := make_window(), opening(scene(window)))
    assert found[0].reason == reason
    assert found[1] == expected[1], first_difference(expected[1], found[1])
    assert found[2] == expected[2] == ASKED_TO_CLAIM


@pytest.mark.parametrize("name", SCENES)
def test_a15_who_comes_too_soon_learns_nothing_by_the_time_either(make_window, name) -> None:
    """Also of a good code, and beside those who do not come too soon."""

    def tried(scene: Callable[[Any], str], rule: Throttle) -> Any:
        window = make_window(per_caller=rule)
        code = scene(window)
        for _ in range(2):
            with pytest.raises(ClaimFailed):
                window.credit.open_code(unknown(window), caller="s")
        return measured(window, claiming(code))

    strict, lax = Throttle(free=1), Throttle(free=9)
    expected = tried(unknown, lax)
    assert expected[0].reason == ClaimReason.UNKNOWN
    for scene in (SCENES[name][0], lambda window: str(window.issue("5.00").code)):
        found = tried(scene, strict)
        assert found[0].reason == ClaimReason.THROTTLED
        assert found[1] == expected[1], first_difference(expected[1], found[1])
        assert found[2] == expected[2]


def test_a15_only_who_has_a_good_code_meets_more_than_that(make_window) -> None:
    """
    The one difference: where nothing speaks against the code, the claimer's account is asked.

    That takes longer, and tells somebody that the code is good who could open it.
    """
    window = make_window()
    code = str(window.issue("5.00").code)
    window.credit.issue("c-9", usd("1.00"), funding="refund", key="k")
    window.credit.freeze("c-9", "USD", key="freeze")
    failed, lines, asked = measured(window, claiming(code))
    assert failed.reason == ClaimReason.NOT_TAKEN
    assert asked[:9] == ASKED_TO_CLAIM[:9]
    assert asked[-3:] == ASKED_TO_CLAIM[-3:]
    assert "append" not in asked
    assert len(lines) > 400


def test_a15_the_measure_sees_a_line_that_is_left_out(make_window, monkeypatch) -> None:
    """A check that could not fail would be worth nothing."""
    window = make_window()
    code = claimed(window)
    from storecredit.service._claim_desk import ClaimDesk

    original = ClaimDesk._is_meant

    def hasty(self: Any, tx: Any, head: Any, own: Any) -> Any:
        if head.state == "claimed":
            return "1" * 32, True
        return original(self, tx, head, own)

    monkeypatch.setattr(ClaimDesk, "_is_meant", hasty)
    found = measured(window, claiming(code))
    expected = measured(window := make_window(), claiming(unknown(window)))
    assert found[1] != expected[1]
    assert found[2] != expected[2]


def first_difference(expected: list[Any], found: list[Any]) -> str:
    for place, (one, other) in enumerate(zip(expected, found, strict=False)):
        if one != other:
            return f"line {place} is {other} in place of {one}, after {expected[place - 1]}"
    return f"{len(found)} lines in place of {len(expected)}"
